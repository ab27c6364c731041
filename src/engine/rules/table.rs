//! The built-in rules: their names, kinds and defaults.
//!
//! Not what they mean: that is the rest of `rules`. Rule: each works as it stands as soon as it is on, except the burn
//! rate, which nobody but its user can give an objective.

use std::time::Duration;

use super::{By, Ladder, LowTraffic, Pair, Rule, Special};
use crate::model::alert::{Measure, Severity};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Latencies are kept by the minute.
fn full_minutes(window: Duration) -> Duration {
    Duration::from_mins(window.as_secs().div_ceil(60).max(1))
}

impl Rule {
    /// All built-in rules but [`super::SourceBlind`], in the order in which they look; of each whether it is on. `window` is for those that have
    /// none of their own.
    #[must_use]
    pub fn built_in(window: Duration) -> Vec<Self> {
        let all = [
            Self::share("endpoint-5xx", By::Endpoint, window),
            Self::share("api-5xx", By::Api, window),
            Self {
                min_requests: 3,
                ladder: Ladder::one(Severity::High, 0.01),
                ..Self::plain("integration-timeouts", By::Endpoint, Measure::Timeouts, window)
            },
            Self {
                min_requests: 3,
                ladder: Ladder::one(Severity::Critical, 1.0),
                // Lines of functions come later than those of access logs.
                hold: MINUTE,
                ..Self::plain("no-invocations", By::Endpoint, Measure::NoInvocations, window)
            },
            Self {
                min_requests: 1,
                ladder: Ladder::one(Severity::Elevated, 1.0),
                special: Special::Learn(24 * HOUR),
                ..Self::plain("new-cause", By::Endpoint, Measure::NewCause, window)
            },
            Self {
                on: false,
                min_requests: 1,
                min_errors: 1,
                ladder: Ladder::one(Severity::High, 10.0),
                ..Self::plain("5xx-count", By::Api, Measure::FailureCount, 5 * MINUTE)
            },
            Self {
                on: false,
                min_requests: 50,
                min_errors: 0,
                ladder: Ladder { elevated: Some(1_000.0), high: Some(3_000.0), critical: Some(10_000.0) },
                at_least: false,
                ..Self::plain("latency", By::Endpoint, Measure::Latency { quantile: 0.99 }, full_minutes(window))
            },
            Self {
                on: false,
                measure: Measure::Slow { over_ms: 3_000 },
                low_traffic: None,
                ladder: Ladder { elevated: Some(0.05), high: Some(0.2), critical: Some(0.5) },
                ..Self::share("slow-fraction", By::Endpoint, window)
            },
            Self {
                on: false,
                min_requests: 0,
                min_errors: 0,
                ladder: Ladder::one(Severity::High, 0.0),
                special: Special::Before { window: HOUR, min_requests: 300 },
                ..Self::plain("traffic-gone", By::Api, Measure::Traffic, window)
            },
            Self {
                on: false,
                min_requests: 1,
                min_errors: 5,
                ladder: Ladder { elevated: Some(1.0), high: Some(6.0), critical: Some(14.4) },
                at_least: false,
                special: Special::Pairs([
                    Pair { long: 72 * HOUR, short: 6 * HOUR },
                    Pair { long: 6 * HOUR, short: 30 * MINUTE },
                    Pair { long: HOUR, short: 5 * MINUTE },
                ]),
                ..Self::plain("burn-rate", By::Api, Measure::BurnRate { objective: 0.0 }, 5 * MINUTE)
            },
        ];
        all.into()
    }

    /// A share of 5xx, told as sure.
    fn share(name: &str, by: By, window: Duration) -> Self {
        Self {
            min_requests: 10,
            // Looks overlap, and there are 8,640 a day: 95 % would be chance every few days on a quiet endpoint.
            confidence: 0.99,
            low_traffic: Some(LowTraffic { window: 30 * MINUTE, min_requests: 5 }),
            ladder: Ladder::SHARES,
            at_least: false,
            // What is surely bad over minutes is mostly still so 10 s later: a longer wait finds outages later and spares
            // hardly a false alert.
            hold: Duration::from_secs(20),
            ..Self::plain(name, by, Measure::Failures, window)
        }
    }

    /// A rule that takes its value as it is.
    fn plain(name: &str, by: By, measure: Measure, window: Duration) -> Self {
        Self {
            name: name.into(),
            on: true,
            by,
            measure,
            window,
            min_requests: 10,
            min_errors: 3,
            confidence: 0.0,
            low_traffic: None,
            ladder: Ladder::default(),
            at_least: true,
            hold: Duration::from_secs(30),
            keep_firing: 5 * MINUTE,
            clear_ratio: 0.6,
            special: Special::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_design() {
        let all = Rule::built_in(5 * MINUTE);
        let names: Vec<_> = all.iter().map(|rule| (&*rule.name, rule.by, rule.on)).collect();
        let want = [
            ("endpoint-5xx", By::Endpoint, true),
            ("api-5xx", By::Api, true),
            ("integration-timeouts", By::Endpoint, true),
            ("no-invocations", By::Endpoint, true),
            ("new-cause", By::Endpoint, true),
            ("5xx-count", By::Api, false),
            ("latency", By::Endpoint, false),
            ("slow-fraction", By::Endpoint, false),
            ("traffic-gone", By::Api, false),
            ("burn-rate", By::Api, false),
        ];
        assert_eq!(names, want);
        for rule in &all {
            assert!(rule.ladder.rungs().next().is_some(), "{} has a rung", rule.name);
            assert!(rule.ladder.rungs().map(|(_, rung)| rung).is_sorted(), "the rungs of {} rise", rule.name);
        }
    }

    #[test]
    fn each_counts_as_far_back_as_it_looks() {
        let all = Rule::built_in(MINUTE);
        let back = |name: &str| all.iter().find(|rule| *rule.name == *name).map(Rule::counts_back);
        assert_eq!(back("endpoint-5xx"), Some(30 * MINUTE));
        assert_eq!(back("new-cause"), Some(MINUTE));
        assert_eq!(back("traffic-gone"), Some(HOUR + MINUTE));
        assert_eq!(back("burn-rate"), Some(72 * HOUR));
    }
}
