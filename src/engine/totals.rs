//! Figures over the whole input, for the report at the end of a replay.
//!
//! Not a window: it only grows, by endpoint, and endpoints are bounded by the engine. Off in the daemon.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::histogram::Histogram;
use crate::model::cause::CauseKind;
use crate::model::inventory::ApiId;
use crate::model::request::{Endpoint, Request};
use crate::model::time::Timestamp;

/// Figures of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointTotal {
    /// Requests.
    pub count: u64,
    /// Requests answered 5xx.
    pub errors_5xx: u64,
    /// Response latencies, milliseconds.
    pub latencies: Histogram,
}

/// Figures over everything that was ingested.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Earliest and latest event time of a request.
    pub span: Option<(Timestamp, Timestamp)>,
    /// By API and endpoint.
    pub endpoints: BTreeMap<(ApiId, Arc<Endpoint>), EndpointTotal>,
    /// Failures by cause, as finally explained.
    pub causes: BTreeMap<CauseKind, u64>,
}

impl Totals {
    /// Counts a request under the endpoint that the engine gave it.
    pub fn record(&mut self, request: &Request, endpoint: &Arc<Endpoint>, time: Timestamp) {
        let (from, to) = self.span.unwrap_or((time, time));
        self.span = Some((from.min(time), to.max(time)));
        let key = (request.api, Arc::clone(endpoint));
        let total = self.endpoints.entry(key).or_default();
        total.count += 1;
        total.errors_5xx += u64::from(request.is_failure());
        if let Some(ms) = request.response_latency_ms {
            total.latencies.record(ms);
        }
    }

    /// Counts a failure's final cause.
    pub fn cause(&mut self, kind: CauseKind) {
        *self.causes.entry(kind).or_default() += 1;
    }

    /// Requests and failures of all endpoints.
    #[must_use]
    pub fn sum(&self) -> (u64, u64) {
        self.endpoints.values().fold((0, 0), |(n, e), t| (n + t.count, e + t.errors_5xx))
    }
}
