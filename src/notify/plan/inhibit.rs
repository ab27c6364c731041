//! Inhibition: which of the alerts of one API say again what another one says already.
//!
//! Pure and without memory: it sees what stands at one step. Not silences, though a silenced alert mutes nobody. Rule:
//! a fault is told once, where it is: an API that fails is not told as its endpoints, and one broken endpoint is not
//! told as its API.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::alert::{Alert, Measure, Severity, State, Subject};
use crate::model::request::Endpoint;

/// Fewer failures than this beside those of broken endpoints are no trouble of the whole API.
const REST_MIN: u64 = 3;

/// Why an alert is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Muted {
    /// The whole API fails, and that is said.
    ByApi,
    /// The API's failures are those of few endpoints, and these are said.
    ByEndpoints,
    /// That this endpoint fails is said.
    ByEndpoint,
}

/// What each of these alerts is muted by, in their order. `is_silenced` says by place which of them are silenced;
/// `few` is how many broken endpoints are not yet a broken API.
#[must_use]
pub fn muted(alerts: &[&Alert], is_silenced: &[bool], few: usize) -> Vec<Option<Muted>> {
    let tells = |alert: &&&Alert| alert.measure == Measure::Failures && alert.state == State::Firing && alert.holds;
    let heard = alerts.iter().zip(is_silenced).filter(|(_, silenced)| !**silenced).map(|(alert, _)| alert);
    let (of_api, of_endpoints): (Vec<_>, Vec<_>) =
        heard.filter(tells).map(|a| &**a).partition(|a| a.key.subject == Subject::Api);
    let local: Vec<bool> = of_api.iter().map(|api| is_local(api, &of_endpoints, few)).collect();
    let whole = of_api.iter().zip(&local).filter(|(_, local)| !**local).map(|(api, _)| api.severity).max();
    let mut broken: BTreeMap<&Endpoint, Severity> = BTreeMap::new();
    // Thousands may fail, and mostly nobody asks.
    let is_asked = alerts.iter().any(|a| matches!(a.measure, Measure::Timeouts | Measure::NewCause));
    let said = of_endpoints.iter().filter(|a| is_asked && whole.is_none_or(|severity| a.severity > severity));
    for alert in said {
        if let Some(endpoint) = alert.key.endpoint() {
            let severity = broken.entry(endpoint).or_insert(alert.severity);
            *severity = (*severity).max(alert.severity);
        }
    }
    let is_local = |alert: &Alert| of_api.iter().zip(&local).any(|(api, local)| *local && api.key == alert.key);
    alerts
        .iter()
        .map(|alert| match &alert.key.subject {
            Subject::Api if alert.measure == Measure::Failures && is_local(alert) => Some(Muted::ByEndpoints),
            Subject::Api | Subject::Source(_) => None,
            Subject::Endpoint(_) if is_of_failures(alert) && whole.is_some_and(|s| alert.severity <= s) => {
                Some(Muted::ByApi)
            }
            Subject::Endpoint(endpoint) => by_endpoint(alert, broken.get(&**endpoint).copied()),
        })
        .collect()
}

/// What an alert about all failures of an API has said as well.
const fn is_of_failures(alert: &Alert) -> bool {
    matches!(alert.measure, Measure::Failures | Measure::Timeouts | Measure::NoInvocations | Measure::NewCause)
}

/// `broken` is how badly the endpoint fails, where that is said.
fn by_endpoint(alert: &Alert, broken: Option<Severity>) -> Option<Muted> {
    let broken = broken?;
    let said = match alert.measure {
        Measure::Timeouts => broken >= alert.severity,
        Measure::NewCause => true,
        Measure::Failures
        | Measure::FailureCount
        | Measure::NoInvocations
        | Measure::Latency { .. }
        | Measure::Slow { .. }
        | Measure::Traffic
        | Measure::BurnRate { .. }
        | Measure::Unread => false,
    };
    said.then_some(Muted::ByEndpoint)
}

/// Whether an API's failures are those of a few endpoints that are said by themselves: without them the rest of it is
/// well, and most of it where there are several.
fn is_local(api: &Alert, of_endpoints: &[&Alert], few: usize) -> bool {
    let mut broken = BTreeSet::new();
    let (mut errors, mut requests) = (0, 0);
    for alert in of_endpoints {
        let Some(endpoint) = alert.key.endpoint() else { continue };
        if !broken.insert(endpoint) {
            continue;
        }
        if broken.len() > few {
            return false;
        }
        let Some((its_errors, its_requests)) = share(api, alert, endpoint) else { return false };
        errors += its_errors;
        requests += its_requests;
    }
    let rest = (api.errors.saturating_sub(errors), api.requests.saturating_sub(requests));
    #[expect(clippy::cast_precision_loss, reason = "counts of requests in a window are far below 2^52")]
    let is_well = rest.0 < REST_MIN || rest.0 as f64 <= api.threshold * rest.1 as f64;
    // Several that serve most of what is asked for are the API; one is told as itself even if there is no other.
    let is_part = broken.len() <= 1 || rest.1.saturating_mul(2) >= api.requests;
    !broken.is_empty() && is_well && is_part
}

/// Failures and requests of an endpoint in the API's window, where they are known.
fn share(api: &Alert, alert: &Alert, endpoint: &Arc<Endpoint>) -> Option<(u64, u64)> {
    let named = api.endpoints.iter().find(|e| e.endpoint == *endpoint).map(|e| (e.errors, e.requests));
    named.or_else(|| (api.window == alert.window).then_some((alert.errors, alert.requests)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::notify::plan::tests::{api, endpoint};

    fn judge(alerts: &[Alert]) -> Vec<Option<Muted>> {
        muted(&alerts.iter().collect::<Vec<_>>(), &vec![false; alerts.len()], 3)
    }

    fn severe(mut alert: Alert, severity: Severity) -> Alert {
        alert.severity = severity;
        alert
    }

    #[test]
    fn an_api_that_fails_mutes_its_endpoints_up_to_its_severity() {
        let all: Vec<_> = (0..5).map(|n| severe(endpoint(n, 10, 20), Severity::High)).collect();
        let mut alerts = all.clone();
        alerts.push(severe(endpoint(9, 10, 20), Severity::Critical));
        alerts.push(severe(api(60, 120), Severity::High));
        let mut want = vec![Some(Muted::ByApi); 5];
        want.extend([None, None]);
        assert_eq!(judge(&alerts), want);
        let last = alerts.len() - 1;
        alerts[last].holds = false;
        assert!(judge(&alerts).iter().all(Option::is_none), "what is over mutes nobody");
        alerts[last].holds = true;
        let all: Vec<_> = alerts.iter().collect();
        let mut silenced = vec![false; all.len()];
        silenced[last] = true;
        assert!(muted(&all, &silenced, 3).iter().all(Option::is_none), "what is silenced mutes nobody");
    }

    #[test]
    fn one_broken_endpoint_is_told_as_that_endpoint() {
        let broken = endpoint(1, 50, 60);
        assert_eq!(
            judge(&[api(52, 1000), broken.clone()]),
            [Some(Muted::ByEndpoints), None],
            "two more are no trouble"
        );
        assert_eq!(judge(&[api(59, 1000), broken.clone()]), [Some(Muted::ByEndpoints), None], "9 of 940 are 1 %");
        assert_eq!(judge(&[api(60, 1000), broken.clone()]), [None, Some(Muted::ByApi)], "10 of 940 are more");
        let mut other_window = broken;
        other_window.window = Duration::from_mins(30);
        assert_eq!(judge(&[api(52, 1000), other_window]), [None, Some(Muted::ByApi)], "its share is not known");
        let four: Vec<_> = [api(40, 1000)].into_iter().chain((0..4).map(|n| endpoint(n, 10, 20))).collect();
        assert_eq!(judge(&four)[0], None, "four are the API");
        assert_eq!(judge(&four[..4])[0], None, "ten failures of others");
        assert_eq!(
            judge(&[api(30, 1000), four[1].clone(), four[2].clone(), four[3].clone()])[0],
            Some(Muted::ByEndpoints)
        );
        assert_eq!(judge(&[api(30, 1000)]), [None], "no endpoint says it");
        let whole = [api(24, 132), endpoint(0, 12, 30), endpoint(1, 8, 50), endpoint(2, 4, 52)];
        assert_eq!(judge(&whole)[0], None, "three that are all there is are the API");
        assert_eq!(judge(&[api(30, 30), endpoint(0, 30, 30)]), [Some(Muted::ByEndpoints), None], "one is itself");
    }

    #[test]
    fn a_broken_endpoint_says_its_timeouts_and_its_new_causes() {
        let of = |measure, severity| severe(Alert { measure, ..endpoint(1, 10, 20) }, severity);
        let mut alerts = vec![
            of(Measure::Failures, Severity::High),
            of(Measure::Timeouts, Severity::High),
            of(Measure::Timeouts, Severity::Critical),
            of(Measure::NewCause, Severity::Critical),
            of(Measure::NoInvocations, Severity::High),
            Alert { measure: Measure::Timeouts, ..endpoint(2, 10, 20) },
        ];
        let by = Some(Muted::ByEndpoint);
        assert_eq!(judge(&alerts), [None, by, None, by, None, None]);
        alerts[0].state = State::Resolved;
        assert!(judge(&alerts).iter().all(Option::is_none));
    }
}
