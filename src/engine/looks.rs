//! What the rules see: counts and causes of each subject, and the alert that comes of a look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::alerts::{Alerts, Standing};
use super::endpoints::Endpoints;
use super::rules::{By, Look, Rule};
use super::tally::merge;
use crate::model::alert::{Alert, AlertKey, CauseCount, State, Subject};
use crate::model::inventory::ApiId;
use crate::model::time::Timestamp;

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
                let counts = stats.window.total(at, rule.window);
                let look = Look { requests: counts.requests, errors: counts.errors(), partial };
                let key = key(Subject::Endpoint(Arc::clone(&stats.endpoint)));
                if look.errors > 0 || looks.contains_key(&key) {
                    looks.insert(key, look);
                }
            }
        }
        By::Api => {
            let mut look = nothing;
            for stats in endpoints.iter() {
                let counts = stats.window.total(at, rule.window);
                look.requests += counts.requests;
                look.errors += counts.errors();
            }
            looks.insert(key(Subject::Api), look);
        }
    }
    looks
}

/// The causes of a subject's failures, most frequent first and no more than people or a message can take.
pub(super) fn causes(endpoints: &Endpoints, key: &AlertKey, at: Timestamp, window: Duration) -> Vec<CauseCount> {
    match key.endpoint() {
        Some(endpoint) => endpoints.get(endpoint).map(|s| merge(s.tally.total(at, window))).unwrap_or_default(),
        None => merge(endpoints.iter().flat_map(|s| s.tally.total(at, window))),
    }
}

/// An alert as it stands.
pub(super) fn alert(
    rule: &Rule,
    key: AlertKey,
    look: Look,
    standing: Standing,
    causes: Vec<CauseCount>,
    at: Timestamp,
) -> Alert {
    let Standing { state, severity, since, episode, holds, is_new: _ } = standing;
    Alert {
        key,
        state,
        severity,
        value: look.share(),
        errors: look.errors,
        requests: look.requests,
        window: rule.window,
        time: at,
        since,
        episode,
        holds,
        causes: if state == State::Firing { causes } else { Vec::new() },
        blindness: None,
    }
}
