//! The states of alerts: from a bad look to firing, and from firing to resolved.
//!
//! Driven by event time in steps of 10 s, so a replay gives the same alerts as the live run. Not who is told: each
//! step hands out every firing alert as it stands, and `notify/plan` decides what is said. Rule: an alert that fired
//! resolves exactly once; one that never fired never resolves.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::rules::{Finding, Look, Rule};
use crate::model::alert::{Alert, AlertKey, Severity, State, Subject};
use crate::model::inventory::ApiId;
use crate::model::time::Timestamp;

/// Where one alert stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Phase {
    /// The condition holds, not yet for long enough. Fires when it has; forgotten when it stops.
    Pending,
    /// Fires. Recovers when the condition is over.
    Firing,
    /// The condition is over since the given time. Resolves after `keep_firing`; fires on when it comes back.
    Recovering(Timestamp),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Instance {
    phase: Phase,
    since: Timestamp,
    severity: Severity,
    /// A higher rung and since when the value has been above it.
    rising: Option<(Severity, Timestamp)>,
    episode: Arc<str>,
}

/// An alert that fires, or has just resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Firing or resolved.
    pub state: State,
    /// Severity, the worst that held in this episode.
    pub severity: Severity,
    /// When the condition began to hold.
    pub since: Timestamp,
    /// Names this life of the alert.
    pub episode: Arc<str>,
    /// The condition holds at this look; otherwise the alert only goes on for a while.
    pub holds: bool,
    /// It did not fire before this look.
    pub is_new: bool,
}

/// All alerts that are not at rest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Alerts {
    instances: BTreeMap<AlertKey, Instance>,
    /// Until when an earlier life of the engine has looked, and what it found was said: looks up to then are not made
    /// again.
    adopted: BTreeMap<AlertKey, Timestamp>,
}

impl Alerts {
    /// Looks at one subject at event time `at`. Returns the alert if it fires or has just resolved.
    pub fn step(&mut self, rule: &Rule, key: &AlertKey, look: Look, at: Timestamp) -> Option<Standing> {
        if self.adopted.get(key).is_some_and(|until| at <= *until) {
            return None;
        }
        let finding = rule.judge(look);
        let Some(instance) = self.instances.get_mut(key) else {
            let Finding::Bad(severity) = finding else { return None };
            let mut instance = Instance::new(key, severity, at);
            let standing = instance.advance(rule, finding, at);
            self.instances.insert(key.clone(), instance);
            return standing;
        };
        if instance.phase == Phase::Pending && !matches!(finding, Finding::Bad(_)) {
            self.instances.remove(key);
            return None;
        }
        let standing = instance.advance(rule, finding, at);
        if standing.as_ref().is_some_and(|s| s.state == State::Resolved) {
            self.instances.remove(key);
        }
        standing
    }

    /// The subjects of one rule and API that are not at rest: they must be looked at even without traffic.
    pub fn active(&self, rule: &Rule, api: ApiId) -> impl Iterator<Item = &AlertKey> {
        self.instances.keys().filter(move |k| k.rule == rule.name && k.api == api)
    }

    /// Takes over an alert that was said in an earlier life. True if it fires and did not.
    pub fn adopt(&mut self, alert: &Alert) -> bool {
        self.adopted.insert(alert.key.clone(), alert.time);
        let before = self.instances.remove(&alert.key).filter(|i| i.episode == alert.episode);
        if alert.state == State::Resolved {
            return false;
        }
        let instance = Instance {
            // If the condition is over, the next look finds that.
            phase: Phase::Firing,
            since: alert.since,
            severity: before.as_ref().map_or(alert.severity, |i| i.severity.max(alert.severity)),
            rising: None,
            episode: Arc::clone(&alert.episode),
        };
        self.instances.insert(alert.key.clone(), instance);
        before.is_none_or(|i| i.phase == Phase::Pending)
    }

    /// The rules of an API have looked at event time `at`: what was adopted of that time and before is history.
    pub fn looked(&mut self, api: ApiId, at: Timestamp) {
        self.adopted.retain(|key, until| key.api != api || *until > at);
    }

    /// Drops what is of rules that an API does not have, or of an API that is not watched.
    pub(super) fn retain(&mut self, is_on: impl Fn(&AlertKey) -> bool) {
        self.instances.retain(|key, _| is_on(key));
        self.adopted.retain(|key, _| is_on(key));
    }

    /// Whether they are about so many APIs at most.
    pub(super) fn fit(&self, apis: usize) -> bool {
        self.instances.keys().chain(self.adopted.keys()).all(|key| key.api.index() < apis)
    }

    /// Nothing pending, nothing firing.
    #[cfg(test)]
    pub(super) fn at_rest(&self) -> bool {
        self.instances.is_empty()
    }
}

impl Instance {
    fn new(key: &AlertKey, severity: Severity, at: Timestamp) -> Self {
        Self { phase: Phase::Pending, since: at, severity, rising: None, episode: episode(key, at) }
    }

    fn advance(&mut self, rule: &Rule, finding: Finding, at: Timestamp) -> Option<Standing> {
        let fired = self.phase != Phase::Pending;
        self.phase = match (&self.phase, finding) {
            (Phase::Pending, Finding::Bad(severity)) => {
                self.severity = severity;
                if at.since(self.since) < rule.hold {
                    return None;
                }
                Phase::Firing
            }
            (Phase::Firing | Phase::Recovering(_), Finding::Bad(severity)) => {
                self.rise(rule, severity, at);
                Phase::Firing
            }
            (Phase::Firing, Finding::Good) => Phase::Recovering(at),
            // Near the rung, or bad but on too few requests to say so: neither worse nor over. A recovery that has
            // begun starts again, because the value has come back up.
            (
                Phase::Firing | Phase::Recovering(_),
                Finding::Near | Finding::Unsure | Finding::TooFewErrors | Finding::TooFewRequests,
            ) => Phase::Firing,
            (Phase::Recovering(since), Finding::Good) => Phase::Recovering(*since),
            (Phase::Pending, _) => return None,
        };
        if !matches!(finding, Finding::Bad(_)) {
            self.rising = None;
        }
        let over = matches!(self.phase, Phase::Recovering(since) if at.since(since) >= rule.keep_firing);
        Some(Standing {
            state: if over { State::Resolved } else { State::Firing },
            severity: self.severity,
            since: self.since,
            episode: Arc::clone(&self.episode),
            holds: matches!(finding, Finding::Bad(_)),
            is_new: !fired,
        })
    }

    /// A higher rung counts once the value has been above it for `hold`.
    fn rise(&mut self, rule: &Rule, severity: Severity, at: Timestamp) {
        if severity <= self.severity {
            self.rising = None;
            return;
        }
        let since = match self.rising {
            Some((_, since)) => since,
            None => at,
        };
        // Of several rungs crossed meanwhile the lowest has held for the whole time.
        let held = self.rising.map_or(severity, |(rung, _)| rung.min(severity));
        self.rising = Some((held, since));
        if at.since(since) >= rule.hold {
            self.severity = held;
            self.rising = None;
        }
    }
}

/// Twelve hexadecimal digits that name an episode: the same after a restart and in a replay.
pub(super) fn episode(key: &AlertKey, since: Timestamp) -> Arc<str> {
    let subject = match &key.subject {
        Subject::Api => String::new(),
        Subject::Endpoint(endpoint) => endpoint.to_string(),
        Subject::Source(source) => source.to_string(),
    };
    named(&format!("{}\n{}\n{subject}\n{}", key.rule, key.api.0, since.as_millis()))
}

/// The name of an episode by what makes it one.
pub(super) fn named(text: &str) -> Arc<str> {
    let hex = format!("{:016x}", xxh3_64(text.as_bytes()));
    hex[..12].into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::rules::Counted;

    fn rule(hold: u64, keep: u64) -> Rule {
        let mut rule = Rule::built_in(Duration::from_mins(5)).remove(0);
        rule.hold = Duration::from_secs(hold);
        rule.keep_firing = Duration::from_secs(keep);
        rule
    }

    fn key() -> AlertKey {
        AlertKey { rule: "endpoint-5xx".into(), api: ApiId(0), subject: Subject::Api }
    }

    /// One look per 10 s, each "errors of 100"; returns what stands after each.
    fn run(rule: &Rule, errors: &[u64]) -> Vec<Option<(State, Severity)>> {
        let mut alerts = Alerts::default();
        errors
            .iter()
            .zip(0_i64..)
            .map(|(errors, i)| {
                let look = Look::share(Counted { requests: 1000, errors: *errors }, None, false);
                alerts.step(rule, &key(), look, Timestamp::from_millis(i * 10_000)).map(|s| (s.state, s.severity))
            })
            .collect()
    }

    const FIRING_HIGH: Option<(State, Severity)> = Some((State::Firing, Severity::High));
    const FIRING_CRITICAL: Option<(State, Severity)> = Some((State::Firing, Severity::Critical));

    #[test]
    fn fires_at_once_without_hold_and_resolves_after_keep_firing() {
        let got = run(&rule(0, 20), &[0, 100, 100, 0, 0, 0, 0]);
        let resolved = Some((State::Resolved, Severity::High));
        assert_eq!(got, [None, FIRING_HIGH, FIRING_HIGH, FIRING_HIGH, FIRING_HIGH, resolved, None]);
    }

    #[test]
    fn holds_before_it_fires_and_a_shorter_burst_says_nothing() {
        assert_eq!(run(&rule(20, 0), &[100, 100, 0, 100]), [None, None, None, None]);
        assert_eq!(run(&rule(20, 0), &[100, 100, 100])[2], FIRING_HIGH);
    }

    #[test]
    fn a_value_at_the_rung_does_not_flap() {
        let got = run(&rule(0, 0), &[11, 9, 11, 9, 7, 5]);
        assert!(got[..5].iter().all(|s| matches!(s, Some((State::Firing, _)))), "{got:?}");
        assert_eq!(got[5], Some((State::Resolved, Severity::Elevated)));
    }

    #[test]
    fn severity_rises_after_hold_and_does_not_fall_within_the_episode() {
        let got = run(&rule(20, 60), &[100, 100, 100, 200, 200, 200, 100]);
        assert_eq!(got[2..], [FIRING_HIGH, FIRING_HIGH, FIRING_HIGH, FIRING_CRITICAL, FIRING_CRITICAL]);
    }

    #[test]
    fn a_recovery_that_is_broken_off_starts_again() {
        let got = run(&rule(0, 20), &[100, 0, 100, 0, 0, 0]);
        assert_eq!(got.iter().filter(|s| matches!(s, Some((State::Resolved, _)))).count(), 1);
        assert_eq!(got[5].map(|s| s.0), Some(State::Resolved));
    }

    #[test]
    fn a_new_episode_has_a_new_name() {
        let mut alerts = Alerts::default();
        let rule = rule(0, 0);
        let mut names = Vec::new();
        for (errors, i) in [100, 0, 100].into_iter().zip(0_i64..) {
            let look = Look::share(Counted { requests: 1000, errors }, None, false);
            let standing = alerts.step(&rule, &key(), look, Timestamp::from_millis(i * 10_000)).expect("stands");
            names.push(standing.episode);
        }
        assert_eq!(names[0], names[1]);
        assert_ne!(names[0], names[2]);
        assert!(!alerts.at_rest());
    }
}
