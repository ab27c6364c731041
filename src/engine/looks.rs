//! What the rules see: whom they look at, and the alert that comes of a look.
//!
//! Not what is measured: that is `measures`. Rule: whoever has an alert standing is looked at, with or without traffic;
//! of the others only those who look bad.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::alerts::{Alerts, Standing};
use super::endpoints::EndpointStats;
use super::measures::{Scene, new_causes};
use super::rules::{By, Finding, Look, Rule};
use super::tally::{Label, Pick, merge};
use crate::model::alert::{Alert, AlertKey, CauseCount, EndpointCount, Measure, State, Subject};

/// Endpoints named in an alert about a whole API.
const WORST_MAX: usize = 10;

/// Whom a rule looks at, and what it sees.
pub(super) fn looks(scene: &Scene<'_>, alerts: &Alerts, rule: &Rule) -> BTreeMap<AlertKey, Look> {
    let key = |subject| AlertKey { rule: Arc::clone(&rule.name), api: scene.api, subject };
    let nothing = Look { partial: scene.partial, ..Look::default() };
    let mut looks: BTreeMap<AlertKey, Look> = alerts.active(rule, scene.api).map(|k| (k.clone(), nothing)).collect();
    match rule.by {
        By::Endpoint => {
            for stats in scene.endpoints.iter() {
                let is_standing = || looks.contains_key(&key(Subject::Endpoint(Arc::clone(&stats.endpoint))));
                if needs_failures(rule) && stats.tally.is_empty() && (looks.is_empty() || !is_standing()) {
                    continue;
                }
                let look = scene.measure(rule, std::slice::from_ref(stats));
                if matches!(rule.judge(look), Finding::Bad(_)) || !looks.is_empty() && is_standing() {
                    looks.insert(key(Subject::Endpoint(Arc::clone(&stats.endpoint))), look);
                }
            }
        }
        By::Api => {
            looks.insert(key(Subject::Api), scene.measure(rule, scene.endpoints.all()));
        }
    }
    looks
}

/// Whether it cannot be bad where no failure is tallied.
const fn needs_failures(rule: &Rule) -> bool {
    matches!(rule.measure, Measure::Timeouts | Measure::NoInvocations | Measure::NewCause)
}

/// The causes of what a rule counts, of some endpoints.
fn causes<'a>(scene: &Scene<'_>, rule: &Rule, of: impl Iterator<Item = &'a EndpointStats>) -> Vec<CauseCount> {
    let pick = match rule.measure {
        Measure::Failures | Measure::FailureCount | Measure::BurnRate { .. } | Measure::NewCause => Pick::All,
        Measure::Timeouts => Pick::TimedOut,
        Measure::NoInvocations => Pick::NotInvoked,
        Measure::Latency { .. } | Measure::Slow { .. } | Measure::Traffic | Measure::Unread => return Vec::new(),
    };
    let is_new = |stats: &EndpointStats, label: &Label| {
        let kind = (label.kind, label.error_type.as_ref());
        rule.measure != Measure::NewCause || new_causes(rule, stats, scene.at).any(|(new, _)| new == kind)
    };
    merge(of.flat_map(|stats| {
        let all = stats.tally.total_of(scene.at, rule.window, pick).into_iter();
        all.filter(move |(label, _)| is_new(stats, label))
    }))
}

/// The endpoints with most of what a rule counts, worst first.
fn worst(scene: &Scene<'_>, rule: &Rule) -> Vec<EndpointCount> {
    let errors = |stats: &EndpointStats, window: Duration| {
        let counts = stats.window.total(scene.at, window);
        let errors = match rule.measure {
            Measure::Failures | Measure::FailureCount | Measure::BurnRate { .. } => counts.errors(),
            Measure::Timeouts => stats.tally.count(scene.at, window, Pick::TimedOut),
            Measure::Slow { .. } => u64::from(counts.slow),
            Measure::NoInvocations
            | Measure::NewCause
            | Measure::Latency { .. }
            | Measure::Traffic
            | Measure::Unread => 0,
        };
        EndpointCount { endpoint: Arc::clone(&stats.endpoint), errors, requests: counts.requests }
    };
    let all = scene.endpoints.iter().map(|stats| errors(stats, rule.window));
    let mut failed: Vec<_> = all.filter(|count| count.errors > 0).collect();
    failed.sort_by(|a, b| b.errors.cmp(&a.errors).then_with(|| a.endpoint.cmp(&b.endpoint)));
    failed.truncate(WORST_MAX);
    failed
}

/// An alert as it stands.
pub(super) fn alert(scene: &Scene<'_>, rule: &Rule, key: AlertKey, look: Look, standing: Standing) -> Alert {
    let Standing { state, severity, worst: worst_severity, since, episode, holds, flapping, is_new: _ } = standing;
    let fires = state == State::Firing;
    let causes = match key.endpoint() {
        _ if !fires => Vec::new(),
        Some(endpoint) => causes(scene, rule, scene.endpoints.get(endpoint).into_iter()),
        None => causes(scene, rule, scene.endpoints.iter()),
    };
    let worst = if fires && key.subject == Subject::Api { worst(scene, rule) } else { Vec::new() };
    Alert {
        key,
        state,
        severity,
        worst: worst_severity,
        measure: rule.measure,
        value: look.value,
        threshold: look.decided.map_or_else(|| rule.ladder.lowest(), |decided| decided.threshold),
        errors: look.errors,
        requests: look.requests,
        window: look.decided.map_or(rule.window, |decided| decided.window),
        time: scene.at,
        since,
        episode,
        holds,
        flapping,
        causes,
        endpoints: worst,
        blindness: None,
    }
}
