//! How the engine works: what it watches, by which rules, within which bounds.

use std::sync::Arc;
use std::time::Duration;

use super::correlate::Reporting;
use super::endpoints::Memory;
use super::rules::{Rule, Rules, SourceBlind};
use super::sums::looks_at_causes;
use crate::model::alert::{AlertKey, Measure};
use crate::model::inventory::{ApiId, Inventory};

/// How the engine works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is watched.
    pub inventory: Arc<Inventory>,
    /// The rules that are on.
    pub rules: Rules,
    /// The rule about logs that are not read, if it is on; where `rules` have another for an API, that holds.
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
            rules: Rules::built_in(window),
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

    /// The rules of an API.
    #[must_use]
    pub fn rules_of(&self, api: ApiId) -> &[Rule] {
        self.rules.of(&self.inventory.api(api).name)
    }

    /// The rule about the logs of an API, if it is on.
    #[must_use]
    pub fn source_blind_of(&self, api: ApiId) -> Option<SourceBlind> {
        self.rules.blind_of(&self.inventory.api(api).name, self.source_blind)
    }

    /// Whether an API has a rule of this name.
    #[must_use]
    pub fn has_rule(&self, api: ApiId, name: &str) -> bool {
        let blind = name == SourceBlind::NAME && self.source_blind_of(api).is_some();
        blind || self.rules_of(api).iter().any(|rule| *rule.name == *name)
    }

    /// Whether alerts of this key have their rule, and an API with a log.
    pub(super) fn looks_at(&self, key: &AlertKey) -> bool {
        self.has_rule(key.api, &key.rule) && self.inventory.is_watched(key.api)
    }

    /// What the endpoints of an API are to remember: as much as its rules and the display look at, and no more.
    pub(super) fn memory(&self, api: ApiId) -> Memory {
        let rules = self.rules_of(api);
        let longest =
            |of: &dyn Fn(&Rule) -> Option<Duration>| rules.iter().filter_map(of).fold(self.window, Duration::max);
        let latencies = |rule: &Rule| matches!(rule.measure, Measure::Latency { .. }).then_some(rule.window);
        let slow = |rule: &Rule| if let Measure::Slow { over_ms } = rule.measure { Some(over_ms) } else { None };
        Memory {
            counts: longest(&|rule| Some(rule.counts_back())),
            latencies: longest(&latencies),
            causes: longest(&|rule| looks_at_causes(rule.measure).then(|| rule.counts_back())),
            slow_over_ms: rules.iter().find_map(slow),
        }
    }

    /// By API: it has an execution log, by which a request may have been counted already.
    pub(super) fn explains_itself(&self) -> Vec<bool> {
        (0_u16..).map(ApiId).take(self.inventory.apis.len()).map(|api| self.inventory.has_execution(api)).collect()
    }
}
