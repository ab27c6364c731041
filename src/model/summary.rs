//! Figures over a whole input, as they are reported.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::CauseCount;
use super::cause::{CauseKind, Failure};
use super::inventory::ApiId;
use super::request::Endpoint;
use super::time::Timestamp;

/// Figures of one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointSummary {
    /// The API.
    pub api: ApiId,
    /// Which endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Requests.
    pub count: u64,
    /// Requests answered 5xx.
    pub errors_5xx: u64,
    /// Response latency that half of the requests do not exceed, milliseconds, to within a bucket of 6.25 %.
    pub p50_ms: Option<u32>,
    /// The same for 95 % of the requests.
    pub p95_ms: Option<u32>,
    /// The same for 99 % of the requests.
    pub p99_ms: Option<u32>,
    /// The most frequent cause of its failures, where they are kept by endpoint.
    pub cause: Option<CauseCount>,
}

/// Figures over everything that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Earliest and latest event time of a request.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Endpoints, those with most failures first, then those with most requests.
    pub endpoints: Vec<EndpointSummary>,
    /// Failures by cause, most frequent first.
    pub causes: Vec<CauseSummary>,
    /// Counts over time, from the earliest; empty where they are not kept.
    pub timeline: Vec<Moment>,
}

/// How often one cause was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CauseSummary {
    /// The kind.
    pub kind: CauseKind,
    /// Failures.
    pub count: u64,
    /// One of them, the best explained, where they are kept.
    pub example: Option<Failure>,
}

/// Counts of a piece of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its begin.
    pub from: Timestamp,
    /// Its length.
    pub width: Duration,
    /// Requests.
    pub requests: u64,
    /// Requests answered 5xx.
    pub errors_5xx: u64,
}

impl Summary {
    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.endpoints.iter().map(|e| e.count).sum()
    }

    /// All requests answered 5xx.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.endpoints.iter().map(|e| e.errors_5xx).sum()
    }
}
