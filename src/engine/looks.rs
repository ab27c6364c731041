//! What the rules see: whom they look at, and the alert that comes of a look.
//!
//! Not what is measured: that is `measures`. Rule: whoever has an alert standing is looked at, with or without traffic;
//! of the others only those who look bad.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::alerts::{Alerts, Seen, Standing};
use super::measures::Scene;
use super::rules::{By, Counted, Finding, Look, Rule, Told};
use super::tally::{Label, Pick, merge, of_one};
use crate::model::alert::{Alert, AlertKey, CauseCount, EndpointCount, Measure, State, Subject};
use crate::model::request::Endpoint;

/// Endpoints named in an alert about a whole API.
const WORST_MAX: usize = 10;

/// Whom a rule looks at, and what it sees, in order of their keys.
pub(super) fn looks(scene: &Scene<'_>, alerts: &Alerts, rule: &Rule) -> Vec<Seen> {
    let nothing = Look { partial: scene.partial, ..Look::default() };
    let all = scene.endpoints.all();
    let mut seen = Vec::new();
    let mut is_standing = Vec::new();
    for (key, known) in alerts.active(rule, scene.api) {
        let endpoint = key.endpoint().filter(|_| rule.by == By::Endpoint);
        let place = endpoint.and_then(|endpoint| scene.endpoints.place_of(endpoint, known));
        let look = match (place, &key.subject) {
            (Some(place), _) => {
                is_standing.resize(all.len(), false);
                is_standing[place] = true;
                scene.measure(rule, place..place + 1, true)
            }
            (None, Subject::Api) if rule.by == By::Api => scene.measure(rule, 0..all.len(), true),
            (None, _) => nothing,
        };
        seen.push(Seen { key: key.clone(), look, place });
    }
    let key = |subject| AlertKey { rule: Arc::clone(&rule.name), api: scene.api, subject };
    let standing = seen.len();
    match rule.by {
        By::Endpoint => {
            for (place, stats) in all.iter().enumerate() {
                let is_quiet = needs_failures(rule) && stats.tally.is_empty();
                if is_quiet || is_standing.get(place).is_some_and(|standing| *standing) {
                    continue;
                }
                let look = scene.measure(rule, place..place + 1, false);
                if matches!(rule.judge(look), Finding::Bad(_)) {
                    let key = key(Subject::Endpoint(Arc::clone(&stats.endpoint)));
                    seen.push(Seen { key, look, place: Some(place) });
                }
            }
        }
        By::Api => {
            if !seen.iter().any(|seen| seen.key.subject == Subject::Api) {
                let look = scene.measure(rule, 0..all.len(), false);
                seen.push(Seen { key: key(Subject::Api), look, place: None });
            }
        }
    }
    if seen.len() > standing {
        seen.sort_unstable_by(|a, b| a.key.subject.cmp(&b.key.subject));
    }
    seen
}

/// Whether it cannot be bad where no failure is tallied.
const fn needs_failures(rule: &Rule) -> bool {
    matches!(rule.measure, Measure::Timeouts | Measure::NoInvocations | Measure::NewCause)
}

/// The causes of what a rule counts in a window, of some endpoints by their places.
fn causes(scene: &Scene<'_>, rule: &Rule, of: Range<usize>, window: Duration) -> Vec<CauseCount> {
    let pick = match rule.measure {
        Measure::Failures | Measure::FailureCount | Measure::BurnRate { .. } | Measure::NewCause => Pick::All,
        Measure::Timeouts => Pick::TimedOut,
        Measure::NoInvocations => Pick::NotInvoked,
        Measure::Latency { .. } | Measure::Slow { .. } | Measure::Traffic | Measure::Unread => return Vec::new(),
    };
    let is_one = of.len() == 1;
    let mut causes = Vec::with_capacity(of.len());
    for place in of {
        let tally = &scene.endpoints.all()[place].tally;
        let sums = scene.causes(place, window);
        let all = tally.causes(&sums, pick);
        if rule.measure == Measure::NewCause {
            let new = scene.new_at(rule, place);
            let is_new = |label: &Label| new.iter().any(|(kind, _)| *kind == (label.kind, label.error_type.as_ref()));
            causes.extend(all.filter(|(label, _)| is_new(label)));
        } else {
            causes.extend(all);
        }
    }
    if is_one { of_one(causes) } else { merge(causes) }
}

/// Failures and requests of an endpoint.
type Failed<'a> = (u64, u64, &'a Arc<Endpoint>);

/// The endpoints with most of what a rule counts in a window, worst first.
fn worst(scene: &Scene<'_>, rule: &Rule, window: Duration) -> Vec<EndpointCount> {
    let all = scene.endpoints.all();
    let failed = |place: usize| {
        let counts = scene.counts(place..place + 1, scene.at, window);
        let errors = match rule.measure {
            Measure::Failures | Measure::FailureCount | Measure::BurnRate { .. } => counts.errors(),
            Measure::Timeouts => scene.timed_out(place, window),
            Measure::Slow { .. } => u64::from(counts.slow),
            Measure::NoInvocations
            | Measure::NewCause
            | Measure::Latency { .. }
            | Measure::Traffic
            | Measure::Unread => 0,
        };
        (errors > 0).then_some((errors, counts.requests, &all[place].endpoint))
    };
    let mut failed: Vec<_> = (0..all.len()).filter_map(failed).collect();
    let order = |(a, _, x): &Failed<'_>, (b, _, y): &Failed<'_>| b.cmp(a).then_with(|| x.cmp(y));
    if failed.len() > WORST_MAX {
        failed.select_nth_unstable_by(WORST_MAX - 1, order);
        failed.truncate(WORST_MAX);
    }
    failed.sort_unstable_by(order);
    let count = |(errors, requests, endpoint)| EndpointCount { endpoint: Arc::clone(endpoint), errors, requests };
    failed.into_iter().map(count).collect()
}

/// An alert as it stands.
pub(super) fn alert(scene: &Scene<'_>, rule: &Rule, seen: Seen, standing: Standing) -> Alert {
    let Seen { key, look, place } = seen;
    let Standing { state, severity, worst: worst_severity, since, episode, holds, flapping, is_new: _ } = standing;
    let Told { value, threshold, counted: Counted { requests, errors }, window } = rule.told(look);
    let fires = state == State::Firing;
    let causes = match (key.endpoint(), place) {
        (Some(_), Some(place)) if fires => causes(scene, rule, place..place + 1, window),
        (None, _) if fires => causes(scene, rule, 0..scene.endpoints.all().len(), window),
        _ => Vec::new(),
    };
    let worst = if fires && key.subject == Subject::Api { worst(scene, rule, window) } else { Vec::new() };
    Alert {
        key,
        state,
        severity,
        worst: worst_severity,
        measure: rule.measure,
        value,
        threshold,
        errors,
        requests,
        window,
        time: scene.at,
        since,
        episode,
        holds,
        flapping,
        causes,
        endpoints: worst,
        before: look.before,
        blindness: None,
    }
}
