//! Inhibition: which of the alerts of one API say again what another one says already.
//!
//! Pure and without memory: it sees what stands at one step. Not silences, though a silenced alert mutes nobody. Rule:
//! a fault is told once, where it is: an API that fails is not told as its endpoints, one broken endpoint is not told as
//! its API, and of several rules about the same requests of the same subject one tells; who mutes is told itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::alert::{Alert, Measure, State, Subject};
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
    /// Another rule says it of the same subject.
    ByRule,
}

/// An alert, and what is known of it beside.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// It is silenced.
    pub silenced: bool,
    /// It was told, and it was not told that it is over.
    pub told: bool,
}

/// What each of these alerts is muted by, in their order. `few` is how many broken endpoints are not yet a broken API.
#[must_use]
pub fn muted(alerts: &[Standing<'_>], few: usize) -> Vec<Option<Muted>> {
    let tells = |s: &&Standing<'_>| !s.silenced && s.alert.state == State::Firing && s.alert.holds;
    let (of_api, of_endpoints): (Vec<_>, Vec<_>) = alerts
        .iter()
        .filter(tells)
        .map(|s| s.alert)
        .filter(|a| tells_failures(a.measure))
        .partition(|a| a.key.subject == Subject::Api);
    let is_local: BTreeSet<_> =
        of_api.iter().filter(|api| is_local(api, &of_endpoints, few)).map(|api| &api.key).collect();
    let whole = of_api.iter().filter(|api| api.measure == Measure::Failures && !is_local.contains(&api.key));
    let whole = whole.map(|api| api.severity).max();
    let mut muted: Vec<_> = alerts
        .iter()
        .map(|Standing { alert, .. }| match &alert.key.subject {
            Subject::Api => is_local.contains(&alert.key).then_some(Muted::ByEndpoints),
            Subject::Endpoint(_) if is_of_failures(alert.measure) && whole.is_some_and(|s| alert.severity <= s) => {
                Some(Muted::ByApi)
            }
            Subject::Endpoint(_) | Subject::Source(_) => None,
        })
        .collect();
    for by_rule in by_rules(alerts, &muted) {
        muted[by_rule] = Some(Muted::ByRule);
    }
    muted
}

/// The places of those of which another rule tells as much, of those that are not muted yet.
fn by_rules(alerts: &[Standing<'_>], muted: &[Option<Muted>]) -> Vec<usize> {
    // Thousands may fail, and mostly by one rule.
    let first = alerts.first().map(|s| &s.alert.key.rule);
    if alerts.iter().all(|s| Some(&s.alert.key.rule) == first) {
        return Vec::new();
    }
    let mut by_subject: BTreeMap<&Subject, Vec<usize>> = BTreeMap::new();
    for (at, (standing, muted)) in alerts.iter().zip(muted).enumerate() {
        let is_heard = !standing.silenced && muted.is_none() && standing.alert.state == State::Firing;
        // What was told is not told again by another rule while it goes on firing.
        if is_heard && (standing.alert.holds || standing.told) {
            by_subject.entry(&standing.alert.key.subject).or_default().push(at);
        }
    }
    let mut again = Vec::new();
    for mut all in by_subject.into_values().filter(|all| all.len() > 1) {
        // Whoever stands first is told: the worst, of these who was told before, of these who says most.
        all.sort_by_key(|at| {
            let Standing { alert, told, .. } = alerts[*at];
            let is_aside = alert.measure == Measure::NewCause;
            (is_aside, Reverse(alert.severity), !told, order(alert.measure), *at)
        });
        let mut telling: Vec<&Alert> = Vec::new();
        for at in all {
            let alert = alerts[at].alert;
            if telling.iter().any(|teller| says(teller, alert)) {
                again.push(at);
            } else {
                telling.push(alert);
            }
        }
    }
    again
}

/// Whether it is about all failures of its subject.
const fn tells_failures(measure: Measure) -> bool {
    matches!(measure, Measure::Failures | Measure::FailureCount | Measure::NoInvocations)
}

/// What an alert about all failures of an API has said as well.
const fn is_of_failures(measure: Measure) -> bool {
    tells_failures(measure) || matches!(measure, Measure::Timeouts | Measure::NewCause)
}

/// Whether an alert tells what another of the same subject is about, and not less severely. Rules that measure the same
/// are copies that somebody asked for.
fn says(teller: &Alert, other: &Alert) -> bool {
    let (by, of) = (teller.measure, other.measure);
    let is_slowness = |measure| matches!(measure, Measure::Latency { .. } | Measure::Slow { .. });
    let is_same_fault = match by {
        Measure::Failures | Measure::FailureCount => is_of_failures(of),
        Measure::NoInvocations => is_of_failures(of) && of != Measure::Timeouts,
        Measure::Latency { .. } | Measure::Slow { .. } => is_slowness(of),
        Measure::Timeouts | Measure::NewCause | Measure::Traffic | Measure::BurnRate { .. } | Measure::Unread => false,
    };
    // What is new about a failing endpoint stands among its causes.
    let is_as_bad = teller.severity >= other.severity || of == Measure::NewCause;
    order(by) != order(of) && is_same_fault && is_as_bad
}

/// Whose message says more of the same requests, first.
const fn order(measure: Measure) -> u8 {
    match measure {
        Measure::NoInvocations => 0,
        Measure::Failures => 1,
        Measure::FailureCount => 2,
        Measure::Timeouts => 3,
        Measure::Latency { .. } => 4,
        Measure::Slow { .. } => 5,
        Measure::BurnRate { .. } => 6,
        Measure::Traffic => 7,
        Measure::NewCause => 8,
        Measure::Unread => 9,
    }
}

/// Whether an API's failures are those of a few endpoints that are said by themselves: without them the rest of it is
/// well, and most of it where there are several.
fn is_local(api: &Alert, of_endpoints: &[&Alert], few: usize) -> bool {
    let mut broken = BTreeSet::new();
    let (mut errors, mut requests) = (0, 0);
    for alert in of_endpoints {
        let Some(endpoint) = alert.key.endpoint() else { continue };
        let Some((its_errors, its_requests)) = share(api, alert, endpoint) else { return false };
        // It may have failed before the API's window and have no part in this.
        if its_errors == 0 || !broken.insert(endpoint) {
            continue;
        }
        if broken.len() > few {
            return false;
        }
        errors += its_errors;
        requests += its_requests;
    }
    let rest = (api.errors.saturating_sub(errors), api.requests.saturating_sub(requests));
    #[expect(clippy::cast_precision_loss, reason = "counts of requests in a window are far below 2^52")]
    let is_well = rest.0 < REST_MIN
        || if api.measure == Measure::FailureCount {
            (rest.0 as f64) < api.threshold
        } else {
            rest.0 as f64 <= api.threshold * rest.1 as f64
        };
    // Several that serve most of what is asked for are the API; one is told as itself even if there is no other.
    let is_part = broken.len() <= 1 || rest.1.saturating_mul(2) >= api.requests;
    !broken.is_empty() && is_well && is_part
}

/// Failures and requests of an endpoint in the API's window, where they are known.
fn share(api: &Alert, alert: &Alert, endpoint: &Arc<Endpoint>) -> Option<(u64, u64)> {
    let named = api.endpoints.iter().find(|e| e.endpoint == *endpoint).map(|e| (e.errors, e.requests));
    let same_window = || (api.window == alert.window).then_some((alert.errors, alert.requests));
    let all_named = || api.endpoints.iter().map(|e| e.errors).sum::<u64>() >= api.errors;
    named.or_else(same_window).or_else(|| all_named().then_some((0, 0)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::alert::{AlertKey, EndpointCount, Severity};
    use crate::notify::plan::tests::{api, endpoint};

    fn judge(alerts: &[Alert]) -> Vec<Option<Muted>> {
        judge_told(alerts, &[])
    }

    /// The alerts at these places were told.
    fn judge_told(alerts: &[Alert], told: &[usize]) -> Vec<Option<Muted>> {
        let standing = |(at, alert)| Standing { alert, silenced: false, told: told.contains(&at) };
        muted(&alerts.iter().enumerate().map(standing).collect::<Vec<_>>(), 3)
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
        let standing = |(at, alert)| Standing { alert, silenced: at == last, told: false };
        let all: Vec<_> = alerts.iter().enumerate().map(standing).collect();
        assert!(muted(&all, 3).iter().all(Option::is_none), "what is silenced mutes nobody");
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
        let mut alerts = vec![
            of(Measure::Failures, Severity::High),
            of(Measure::Timeouts, Severity::High),
            of(Measure::Timeouts, Severity::Critical),
            of(Measure::NewCause, Severity::Critical),
            of(Measure::NoInvocations, Severity::Elevated),
            Alert { measure: Measure::Timeouts, ..endpoint(2, 10, 20) },
        ];
        let by = Some(Muted::ByRule);
        assert_eq!(judge(&rules(&alerts)), [None, by, None, by, by, None]);
        alerts[0].state = State::Resolved;
        let without = judge(&rules(&alerts));
        assert_eq!(without, [None, None, None, by, None, None], "who is not invoked fails for that cause");
    }

    fn of(measure: Measure, severity: Severity) -> Alert {
        severe(Alert { measure, ..endpoint(1, 10, 20) }, severity)
    }

    /// Each by a rule of its own.
    fn rules(alerts: &[Alert]) -> Vec<Alert> {
        let named = |(n, alert): (usize, &Alert)| {
            let mut alert = alert.clone();
            alert.key.rule = format!("{n}").into();
            alert
        };
        alerts.iter().enumerate().map(named).collect()
    }

    #[test]
    fn of_two_rules_about_the_same_requests_one_tells() {
        let slow = Measure::Slow { over_ms: 3000 };
        let p99 = Measure::Latency { quantile: 0.99 };
        let pairs =
            [(Measure::NoInvocations, Measure::Failures), (Measure::Failures, Measure::FailureCount), (p99, slow)];
        let by = Some(Muted::ByRule);
        for (first, second) in pairs {
            let both = |a, b| rules(&[of(first, a), of(second, b)]);
            let (high, critical) = (Severity::High, Severity::Critical);
            assert_eq!(judge(&both(high, high)), [None, by], "who says more");
            assert_eq!(judge_told(&both(high, high), &[1]), [by, None], "who was told already");
            assert_eq!(judge_told(&both(critical, high), &[1]), [None, by], "who is worse");
            assert_eq!(judge(&both(high, critical)), [by, None]);
            let mut other = both(high, high);
            other[1].key.subject = endpoint(2, 1, 1).key.subject;
            assert_eq!(judge(&other), [None, None], "of another endpoint");
            let mut over = both(high, high);
            over[0].holds = false;
            assert_eq!(judge(&over), [None, None], "what is over and was not told mutes nobody");
            assert_eq!(judge_told(&over, &[0]), [None, by], "what was told goes on firing");
            over[0].state = State::Resolved;
            assert_eq!(judge_told(&over, &[0]), [None, None]);
            let copies = rules(&[of(first, high), of(first, high)]);
            assert_eq!(judge(&copies), [None, None], "somebody asked for both");
        }
        let others = [p99, Measure::Failures, Measure::Traffic, Measure::BurnRate { objective: 0.9 }];
        let others = others.map(|measure| of(measure, Severity::High));
        assert_eq!(judge(&rules(&others)), [None; 4], "these are different faults");
    }

    #[test]
    fn a_count_of_an_api_says_no_more_than_its_share_nor_than_its_endpoints() {
        let count = |errors, requests| {
            let api = api(errors, requests);
            let key = AlertKey { rule: "5xx-count".into(), ..api.key.clone() };
            Alert { key, measure: Measure::FailureCount, threshold: 10.0, ..api }
        };
        assert_eq!(judge(&[count(500, 1000), api(500, 1000)]), [Some(Muted::ByRule), None]);
        let local = Some(Muted::ByEndpoints);
        assert_eq!(judge(&[count(59, 1000), endpoint(1, 50, 60)]), [local, None], "nine others are no count");
        assert_eq!(judge(&[count(60, 1000), endpoint(1, 50, 60)]), [None, None], "ten are");
        let not_run = Alert { measure: Measure::NoInvocations, ..endpoint(1, 50, 60) };
        assert_eq!(judge(&[api(52, 1000), not_run]), [local, None]);
        let named = |errors| EndpointCount {
            endpoint: endpoint(7, 1, 1).key.endpoint().unwrap().clone(),
            errors,
            requests: 500,
        };
        let mut earlier = endpoint(1, 6, 7);
        earlier.window = Duration::from_mins(30);
        let whole = |errors| Alert { endpoints: vec![named(errors)], ..api(50, 1000) };
        let others = endpoint(7, 50, 500);
        assert_eq!(
            judge(&[whole(50), earlier.clone(), others.clone()])[0],
            local,
            "its failures lie before the API's window"
        );
        assert_eq!(judge(&[whole(49), earlier, others])[0], None, "its share is not known");
    }
}
