//! A notice: something people should know that no rule is about, told once.
//!
//! Today that is the end of an absence: reading stood still, and what was missed has been caught up. Not an alert: it
//! does not fire, nobody has to do anything, nothing resolves. Rule: like an alert it carries everything a message
//! needs, so that rendering looks nothing up.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause::CauseKind;
use super::problem::Problem;
use super::request::Endpoint;
use super::time::Timestamp;

/// Reading stood still for a while and has been caught up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Arrival time at which it is told.
    pub time: Timestamp,
    /// Event time at which reading stopped: the earliest of its sources.
    pub from: Timestamp,
    /// Event time from which on it was read live again: the latest of its sources.
    pub to: Timestamp,
    /// Why it stood still, as far as reads had said; none of them did if gatewatch itself did not run.
    pub why: Vec<Problem>,
    /// How many log groups stood still.
    pub sources: usize,
    /// The first few of them.
    pub names: Vec<Arc<str>>,
    /// The names of all APIs that they belong to. In a notice of an earlier version none was named.
    #[serde(default)]
    pub apis: Vec<Arc<str>>,
    /// Requests caught up.
    pub requests: u64,
    /// Requests caught up that had failed.
    pub failures: u64,
    /// Their most frequent causes.
    pub causes: Vec<(CauseKind, u64)>,
    /// The endpoints with most of them.
    pub endpoints: Vec<Missed>,
    /// What lies between `from` and this was not read, because it was more than the configured maximum.
    pub unread_before: Option<Timestamp>,
    /// Names it.
    pub episode: Arc<str>,
}

/// Failures of one endpoint that were caught up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The API's name.
    pub api: Arc<str>,
    /// Which endpoint.
    pub endpoint: Arc<Endpoint>,
    /// How many.
    pub failures: u64,
}

impl Notice {
    /// How long reading stood still.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.to.since(self.from)
    }
}
