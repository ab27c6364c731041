//! Figures over the whole input, for the report at the end of a replay.
//!
//! Not a window: it only grows, by endpoint, up to [`ENDPOINTS_MAX`]. Off in the daemon.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::timeline::Timeline;
use super::window::Counts;
use crate::model::cause::{CauseKind, Failure};
use crate::model::hash::FastMap;
use crate::model::inventory::ApiId;
use crate::model::request::{Endpoint, Request};
use crate::model::saved::in_order;
use crate::model::summary::{CauseSummary, EndpointSummary, Summary};
use crate::model::time::Timestamp;

/// Endpoints told apart; more than the engine tracks at one time, because over a day some come and go.
const ENDPOINTS_MAX: usize = 10_000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct EndpointTotal {
    count: u64,
    errors_5xx: u64,
    /// Response latencies, milliseconds.
    latencies: Histogram,
}

/// Figures over everything that was ingested.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    span: Option<(Timestamp, Timestamp)>,
    #[serde(with = "in_order")]
    endpoints: FastMap<(ApiId, Arc<Endpoint>), EndpointTotal>,
    /// As finally explained.
    causes: BTreeMap<CauseKind, CauseSummary>,
    timeline: Timeline,
}

impl Totals {
    /// Counts a request under the endpoint that the engine gave it.
    pub fn record(&mut self, request: &Request, endpoint: &Arc<Endpoint>, time: Timestamp) {
        let (from, to) = self.span.unwrap_or((time, time));
        self.span = Some((from.min(time), to.max(time)));
        self.timeline.record(time, request.is_failure());
        let total = self.entry(request.api, endpoint);
        total.count = total.count.saturating_add(1);
        total.errors_5xx = total.errors_5xx.saturating_add(u64::from(request.is_failure()));
        if let Some(ms) = request.response_latency_ms {
            total.latencies.record(ms);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, api: ApiId, endpoint: &Arc<Endpoint>, counts: &Counts, latencies: &Histogram) {
        if counts.requests > 0 {
            let total = self.entry(api, endpoint);
            total.count = total.count.saturating_add(counts.requests);
            total.errors_5xx = total.errors_5xx.saturating_add(counts.errors());
            total.latencies.add(latencies);
        }
    }

    /// Counts failures of a cause.
    pub fn cause(&mut self, kind: CauseKind, count: u64) {
        self.causes.entry(kind).or_insert(CauseSummary { kind, count: 0, example: None }).count += count;
    }

    /// Counts a failure as it was finally explained, and keeps it as the example if it is explained best.
    pub fn explained(&mut self, failure: &Failure) {
        let cause = &failure.explanation.cause;
        self.cause(cause.kind, 1);
        if let Some(summary) = self.causes.get_mut(&cause.kind) {
            let rank = |f: &Failure| (f.explanation.cause.certainty, f.explanation.cause.message.is_some());
            if summary.example.as_ref().is_none_or(|best| rank(best) < rank(failure)) {
                summary.example = Some(failure.clone());
            }
        }
    }

    /// Whether it is about so many APIs at most.
    pub(super) fn fits(&self, apis: usize) -> bool {
        let examples = self.causes.values().filter_map(|c| c.example.as_ref());
        self.endpoints.keys().map(|(api, _)| *api).chain(examples.map(|e| e.api)).all(|api| api.index() < apis)
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
            cause: None,
        });
        let mut endpoints: Vec<_> = endpoints.collect();
        endpoints.sort_by(|a, b| {
            let rank = |e: &EndpointSummary| (Reverse(e.errors_5xx), Reverse(e.count));
            rank(a).cmp(&rank(b)).then_with(|| (a.api, &a.endpoint).cmp(&(b.api, &b.endpoint)))
        });
        let mut causes: Vec<_> = self.causes.values().cloned().collect();
        causes.sort_by_key(|c| Reverse(c.count));
        Summary { span: self.span, endpoints, causes, timeline: self.timeline.moments() }
    }
}
