//! Figures over the whole input, for the report at the end of a replay.
//!
//! Not a window: it only grows, by endpoint, up to [`ENDPOINTS_MAX`]. Off in the daemon.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::histogram::Histogram;
use super::window::Counts;
use crate::model::cause::CauseKind;
use crate::model::inventory::ApiId;
use crate::model::request::{Endpoint, Request};
use crate::model::summary::{EndpointSummary, Summary};
use crate::model::time::Timestamp;

/// Endpoints told apart; more than the engine tracks at one time, because over a day some come and go.
const ENDPOINTS_MAX: usize = 10_000;

#[derive(Clone, Debug, Default)]
struct EndpointTotal {
    count: u64,
    errors_5xx: u64,
    /// Response latencies, milliseconds.
    latencies: Histogram,
}

/// Figures over everything that was ingested.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    span: Option<(Timestamp, Timestamp)>,
    endpoints: BTreeMap<(ApiId, Arc<Endpoint>), EndpointTotal>,
    /// As finally explained.
    causes: BTreeMap<CauseKind, u64>,
}

impl Totals {
    /// Counts a request under the endpoint that the engine gave it.
    pub fn record(&mut self, request: &Request, endpoint: &Arc<Endpoint>, time: Timestamp) {
        let (from, to) = self.span.unwrap_or((time, time));
        self.span = Some((from.min(time), to.max(time)));
        let total = self.entry(request.api, endpoint);
        total.count += 1;
        total.errors_5xx += u64::from(request.is_failure());
        if let Some(ms) = request.response_latency_ms {
            total.latencies.record(ms);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, api: ApiId, endpoint: &Arc<Endpoint>, counts: &Counts, latencies: &Histogram) {
        if counts.requests > 0 {
            let total = self.entry(api, endpoint);
            total.count += counts.requests;
            total.errors_5xx += counts.errors();
            total.latencies.add(latencies);
        }
    }

    /// Counts failures of a cause.
    pub fn cause(&mut self, kind: CauseKind, count: u64) {
        *self.causes.entry(kind).or_default() += count;
    }

    fn entry(&mut self, api: ApiId, endpoint: &Arc<Endpoint>) -> &mut EndpointTotal {
        let mut key = (api, Arc::clone(endpoint));
        if self.endpoints.len() >= ENDPOINTS_MAX && !self.endpoints.contains_key(&key) {
            key.1 = Arc::new(Endpoint::new("-", Endpoint::OTHER));
        }
        self.endpoints.entry(key).or_default()
    }

    /// The figures.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let endpoints = self.endpoints.iter().map(|((api, endpoint), t)| EndpointSummary {
            api: *api,
            endpoint: Arc::clone(endpoint),
            count: t.count,
            errors_5xx: t.errors_5xx,
            p50_ms: t.latencies.quantile(0.5),
            p95_ms: t.latencies.quantile(0.95),
            p99_ms: t.latencies.quantile(0.99),
        });
        let mut endpoints: Vec<_> = endpoints.collect();
        // The map is sorted by name and the sort is stable, so equals stay in that order.
        endpoints.sort_by_key(|e| (Reverse(e.errors_5xx), Reverse(e.count)));
        let mut causes: Vec<_> = self.causes.iter().map(|(kind, n)| (*kind, *n)).collect();
        causes.sort_by_key(|(_, n)| Reverse(*n));
        Summary { span: self.span, endpoints, causes }
    }
}
