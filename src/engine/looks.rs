//! What the rules see: counts and causes of each subject, and the alert that comes of a look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::alerts::{Alerts, Standing};
use super::endpoints::{EndpointStats, Endpoints};
use super::rules::{By, Counted, Look, Rule};
use super::tally::merge;
use super::window::Counts;
use crate::model::alert::{Alert, AlertKey, CauseCount, EndpointCount, State, Subject};
use crate::model::inventory::ApiId;
use crate::model::time::Timestamp;

/// Endpoints named in an alert about a whole API.
const WORST_MAX: usize = 10;

/// Whom a rule looks at, and what it sees: endpoints with failures in the window, and whoever has an alert standing.
/// `partial`: not all logs that count are read.
pub(super) fn looks(
    endpoints: &Endpoints,
    alerts: &Alerts,
    rule: &Rule,
    api: ApiId,
    at: Timestamp,
    partial: bool,
) -> BTreeMap<AlertKey, Look> {
    let key = |subject| AlertKey { rule: Arc::clone(&rule.name), api, subject };
    let nothing = Look { partial, ..Look::default() };
    let mut looks: BTreeMap<AlertKey, Look> = alerts.active(rule, api).map(|k| (k.clone(), nothing)).collect();
    match rule.by {
        By::Endpoint => {
            for stats in endpoints.iter() {
                let count = |window| counted(&stats.window.total(at, window));
                let look = Look::share(count(rule.window), rule.low_traffic.map(|low| count(low.window)), partial);
                let key = key(Subject::Endpoint(Arc::clone(&stats.endpoint)));
                if look.errors > 0 || looks.contains_key(&key) {
                    looks.insert(key, look);
                }
            }
        }
        By::Api => {
            let count = |window| {
                let mut sum = Counts::default();
                endpoints.iter().for_each(|stats| sum.add(&stats.window.total(at, window)));
                counted(&sum)
            };
            let look = Look::share(count(rule.window), rule.low_traffic.map(|low| count(low.window)), partial);
            looks.insert(key(Subject::Api), look);
        }
    }
    looks
}

fn counted(counts: &Counts) -> Counted {
    Counted { requests: counts.requests, errors: counts.errors() }
}

/// The causes of a subject's failures, most frequent first and no more than people or a message can take.
fn causes(endpoints: &Endpoints, key: &AlertKey, at: Timestamp, window: Duration) -> Vec<CauseCount> {
    match key.endpoint() {
        Some(endpoint) => endpoints.get(endpoint).map(|s| merge(s.tally.total(at, window))).unwrap_or_default(),
        None => merge(endpoints.iter().flat_map(|s| s.tally.total(at, window))),
    }
}

/// The endpoints that failed most, worst first.
fn worst(endpoints: &Endpoints, at: Timestamp, window: Duration) -> Vec<EndpointCount> {
    let counts = endpoints.iter().map(|stats| (stats, stats.window.total(at, window)));
    let mut failed: Vec<_> = counts.filter(|(_, counts)| counts.errors() > 0).collect();
    failed.sort_by(|(a, x), (b, y)| y.errors().cmp(&x.errors()).then_with(|| a.endpoint.cmp(&b.endpoint)));
    let count = |(stats, counts): (&EndpointStats, Counts)| EndpointCount {
        endpoint: Arc::clone(&stats.endpoint),
        errors: counts.errors(),
        requests: counts.requests,
    };
    failed.into_iter().take(WORST_MAX).map(count).collect()
}

/// An alert as it stands.
pub(super) fn alert(
    endpoints: &Endpoints,
    rule: &Rule,
    key: AlertKey,
    look: Look,
    standing: Standing,
    at: Timestamp,
) -> Alert {
    let Standing { state, severity, worst: worst_severity, since, episode, holds, flapping, is_new: _ } = standing;
    let fires = state == State::Firing;
    let causes = if fires { causes(endpoints, &key, at, rule.window) } else { Vec::new() };
    let worst = if fires && key.subject == Subject::Api { worst(endpoints, at, rule.window) } else { Vec::new() };
    Alert {
        key,
        state,
        severity,
        worst: worst_severity,
        measure: rule.measure,
        value: look.value,
        threshold: rule.ladder.lowest(),
        errors: look.errors,
        requests: look.requests,
        window: rule.window,
        time: at,
        since,
        episode,
        holds,
        flapping,
        causes,
        endpoints: worst,
        blindness: None,
    }
}
