//! How the engine works: what it watches, by which rules, within which bounds.

use std::sync::Arc;
use std::time::Duration;

use super::correlate::Reporting;
use super::endpoints::Kept;
use super::rules::{Rule, SourceBlind};
use crate::model::alert::Measure;
use crate::model::inventory::{ApiId, Inventory};

/// How the engine works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is watched.
    pub inventory: Arc<Inventory>,
    /// The rules that are on.
    pub rules: Vec<Rule>,
    /// The rule about logs that are not read, if it is on.
    pub source_blind: Option<SourceBlind>,
    /// A log group that is not read up to within this of now counts as not read, although no read failed.
    /// [`Duration::MAX`] where there is no now, as with files.
    pub blind_after: Duration,
    /// The window that snapshots show.
    pub window: Duration,
    /// Endpoints tracked per API.
    pub max_endpoints: usize,
    /// Invocations remembered; at some 600 bytes each.
    pub max_invocations: usize,
    /// Failures under explanation at one time.
    pub max_cases: usize,
    /// How long a failure waits for its Lambda lines before it is reported as it stands.
    pub explain_wait: Duration,
    /// How long a failure may still be explained anew, and an invocation be asked for.
    pub explain_hold: Duration,
    /// When failures are reported.
    pub reporting: Reporting,
    /// Hand out every request.
    pub requests: bool,
    /// Keep figures over the whole input.
    pub totals: bool,
}

impl Settings {
    /// The defaults, for an inventory.
    #[must_use]
    pub fn new(inventory: Arc<Inventory>) -> Self {
        let window = Duration::from_mins(5);
        Self {
            inventory,
            rules: Rule::built_in(window),
            source_blind: Some(SourceBlind::default()),
            blind_after: Duration::from_mins(2),
            window,
            max_endpoints: 1000,
            max_invocations: 20_000,
            max_cases: 10_000,
            explain_wait: Duration::from_secs(10),
            explain_hold: Duration::from_mins(10),
            reporting: Reporting::Live,
            requests: false,
            totals: false,
        }
    }

    /// How far back endpoints keep what: the longest window that anything looks at.
    pub(super) fn kept(&self) -> Kept {
        let low = self.rules.iter().filter_map(|r| Some(r.low_traffic?.window));
        let counts = self.rules.iter().map(|r| r.window).chain(low);
        let quantiles = self.rules.iter().filter(|r| matches!(r.measure, Measure::Latency { .. })).map(|r| r.window);
        Kept { counts: counts.fold(self.window, Duration::max), latencies: quantiles.fold(self.window, Duration::max) }
    }

    /// By API: it has an execution log, by which a request may have been counted already.
    pub(super) fn explains_itself(&self) -> Vec<bool> {
        (0_u16..).map(ApiId).take(self.inventory.apis.len()).map(|api| self.inventory.has_execution(api)).collect()
    }
}
