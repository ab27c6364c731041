//! A CloudWatch Logs Insights query that shows more of what an alert is about.
//!
//! Not run by gatewatch: it is for people to paste. Rule: it is valid whatever stands in routes and IDs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::alert::Alert;
use crate::model::inventory::Inventory;
use crate::model::time::Timestamp;

/// A query, and where and when to run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Log groups, by name or ARN.
    pub groups: Vec<Arc<str>>,
    /// Their Region, where known.
    pub region: Option<Arc<str>>,
    /// Event time from which on.
    pub from: Timestamp,
    /// Event time up to which.
    pub to: Timestamp,
    /// The query.
    pub text: String,
}

/// The query for an alert, where there is a log to ask.
#[must_use]
pub fn of(_alert: &Alert, _inventory: &Inventory) -> Option<Query> {
    None
}
