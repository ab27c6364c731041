//! Each change from one state to another.

use std::time::Duration;

use super::*;
use crate::engine::rules::{Counted, LowTraffic};
use crate::model::alert::Measure;

/// The built-in rule with these times, on shares as they are.
fn rule(hold: u64, keep: u64) -> Rule {
    let mut rule = Rule::built_in(Duration::from_mins(5)).remove(0);
    rule.hold = Duration::from_secs(hold);
    rule.keep_firing = Duration::from_secs(keep);
    (rule.confidence, rule.low_traffic) = (0.0, None);
    rule
}

fn key() -> AlertKey {
    AlertKey { rule: "endpoint-5xx".into(), api: ApiId(0), subject: Subject::Api }
}

fn at(look: i64) -> Timestamp {
    Timestamp::from_millis(look * 10_000)
}

fn look(errors: u64) -> Look {
    Look::share(Counted { requests: 1000, errors }, None, false)
}

impl Alerts {
    /// One subject at event time `at`: the alert if it fires or has just resolved.
    fn step(&mut self, rule: &Rule, key: &AlertKey, look: Look, at: Timestamp) -> Option<Standing> {
        let mut found = None;
        let seen = vec![Seen { key: key.clone(), look, place: None }];
        self.step_all(rule, seen, at, |_, standing| found = Some(standing));
        found
    }
}

/// What stands after each look.
fn stands(rule: &Rule, looks: impl IntoIterator<Item = Look>) -> Vec<Option<Standing>> {
    let mut alerts = Alerts::default();
    looks.into_iter().zip(0_i64..).map(|(look, i)| alerts.step(rule, &key(), look, at(i))).collect()
}

/// One look per 10 s, each "errors of 1000"; returns what stands after each.
fn run(rule: &Rule, errors: &[u64]) -> Vec<Option<(State, Severity)>> {
    let stands = stands(rule, errors.iter().map(|errors| look(*errors)));
    stands.into_iter().map(|s| s.map(|s| (s.state, s.severity))).collect()
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
fn severity_rises_after_hold_and_does_not_fall_at_once() {
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
        let standing = alerts.step(&rule, &key(), look(errors), at(i)).expect("stands");
        names.push(standing.episode);
    }
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
    assert!(!alerts.at_rest());
}

const FIRING_ELEVATED: Option<(State, Severity)> = Some((State::Firing, Severity::Elevated));

#[test]
fn of_two_rungs_that_are_crossed_the_one_that_has_held_counts() {
    let got = run(&rule(20, 60), &[20, 20, 20, 100, 200, 200, 200, 200]);
    assert_eq!(got[2..5], [FIRING_ELEVATED; 3]);
    assert_eq!(got[5..], [FIRING_HIGH, FIRING_HIGH, FIRING_HIGH], "high has held since look 3, critical since look 4");
    let got = run(&rule(20, 60), &[20, 20, 20, 100, 200, 200, 200, 200, 200, 200]);
    assert_eq!(got[8..], [FIRING_CRITICAL; 2], "and critical counts anew from where high was reached");
}

#[test]
fn a_spike_that_is_shorter_than_hold_does_not_raise_the_severity() {
    let got = run(&rule(20, 60), &[20, 20, 20, 200, 200, 20, 200, 20]);
    assert!(got[2..].iter().all(|s| *s == FIRING_ELEVATED), "{got:?}");
}

#[test]
fn severity_falls_to_the_highest_rung_of_the_time_it_was_below_for_keep_firing() {
    let mut errors = vec![200, 89, 70, 55, 40, 20];
    errors.extend([20; 6]);
    let got = stands(&rule(0, 50), errors.into_iter().map(look)).into_iter().map(|s| s.unwrap()).collect::<Vec<_>>();
    let severities: Vec<_> = got.iter().map(|s| s.severity).collect();
    assert_eq!(severities[..6], [Severity::Critical; 6]);
    assert_eq!(severities[6..11], [Severity::High; 5], "it was above 5 % until look 3");
    assert_eq!(severities[11], Severity::High, "20 is below 0.6 x 5 % since look 7, when it was high");
    assert!(got.iter().all(|s| s.worst == Severity::Critical), "the worst is kept");
}

#[test]
fn a_value_not_far_below_its_rung_keeps_the_severity_and_a_return_starts_it_again() {
    assert!(run(&rule(0, 50), &[[200].as_slice(), &[100; 30]].concat()).iter().all(|s| *s == FIRING_CRITICAL));
    let got = run(&rule(0, 50), &[200, 80, 80, 80, 80, 100, 80, 80, 80, 80, 80, 80]);
    assert_eq!(got[10..], [FIRING_CRITICAL, FIRING_HIGH]);
}

#[test]
fn what_recovers_as_a_whole_does_not_become_less_bad_first() {
    let got = run(&rule(0, 40), &[200, 80, 0, 0, 0, 0, 0]);
    assert_eq!(got[5], FIRING_CRITICAL, "below its rung for 40 s, but recovering");
    assert_eq!(got[6], Some((State::Resolved, Severity::Critical)));
    let got = run(&rule(0, 40), &[200, 80, 0, 0, 0, 7]);
    assert_eq!(got[5], FIRING_HIGH, "a recovery that is broken off: it has been less bad for long enough");
}

#[test]
fn silence_and_unread_logs_do_not_lower_the_severity() {
    let mut rule = rule(0, 50);
    rule.low_traffic = Some(LowTraffic { window: Duration::from_mins(30), min_requests: 5 });
    let quiet = Counted { requests: 20, errors: 12 };
    let silent = Look::share(Counted::default(), Some(quiet), false);
    let bad = Look::share(Counted { requests: 10, errors: 10 }, Some(quiet), false);
    let got = stands(&rule, [bad].into_iter().chain([silent; 20]));
    assert!(got.iter().flatten().all(|s| (s.state, s.severity) == (State::Firing, Severity::Critical)));
    let partial = |errors| Look { partial: true, ..look(errors) };
    let got = stands(&rule, [200, 60, 60, 60, 60, 60, 60, 60, 60, 0, 0, 0, 0, 0, 0, 0].map(partial));
    assert!(got.iter().flatten().all(|s| (s.state, s.severity) == (State::Firing, Severity::Critical)));
}

#[test]
fn one_rung_neither_rises_nor_falls() {
    let mut rule = rule(0, 20);
    (rule.measure, rule.ladder) = (Measure::FailureCount, crate::engine::rules::Ladder::one(Severity::High, 10.0));
    let counted = |errors: u32| Look { value: errors.into(), errors: errors.into(), requests: 1000, ..Look::default() };
    let got = stands(&rule, [50, 7, 7, 7, 7, 500, 7].map(counted));
    assert!(got.iter().flatten().all(|s| s.severity == Severity::High && s.worst == Severity::High), "{got:?}");
}

#[test]
fn near_the_rung_is_neither_over_nor_worse() {
    let got = run(&rule(0, 20), &[100, 7, 7, 7, 7, 5, 7, 5, 5, 5]);
    assert!(got[..9].iter().all(|s| matches!(s, Some((State::Firing, _)))), "{got:?}");
    assert_eq!(got[9], Some((State::Resolved, Severity::Elevated)), "after 20 s below 0.6 % in one piece");
    assert_eq!(
        run(&rule(20, 20), &[100, 100, 7, 100, 100, 100])[3..],
        [None, None, FIRING_HIGH],
        "pending starts anew"
    );
}

/// Bad for one look, well for `calm`, `times` over; the looks at which it fired and resolved.
fn flap(alerts: &mut Alerts, rule: &Rule, from: i64, times: usize, calm: usize) -> (Vec<i64>, Vec<i64>, bool) {
    let (mut fired, mut resolved, mut flapping) = (Vec::new(), Vec::new(), false);
    let looks = (0..times).flat_map(|_| std::iter::once(100).chain(std::iter::repeat_n(0, calm)));
    for (errors, i) in looks.zip(from..) {
        let Some(standing) = alerts.step(rule, &key(), look(errors), at(i)) else { continue };
        flapping = standing.flapping;
        if standing.is_new {
            fired.push(i);
        }
        if standing.state == State::Resolved {
            resolved.push(i);
        }
        alerts.looked(ApiId(0), at(i));
    }
    (fired, resolved, flapping)
}

#[test]
fn what_flaps_goes_on_firing_until_it_is_calm() {
    // Every 10 minutes bad for one look: it would fire and resolve 72 times in 12 hours.
    let mut alerts = Alerts::default();
    let rule = rule(0, 60);
    let (fired, resolved, flapping) = flap(&mut alerts, &rule, 0, 72, 59);
    assert!(flapping);
    assert_eq!(fired, [0, 60, 120, 180, 240, 300], "it fires on from where keep_firing is longer than 10 minutes");
    assert_eq!(resolved, [7, 67, 133, 205, 289], "60 s, then 2, 4 and 8 minutes after the last bad look");
    assert!(alerts.resting.is_empty());
    // Well for longer than it is damped, and calm: as at first.
    let (fired, resolved, flapping) = flap(&mut alerts, &rule, 72 * 60, 1, 3 * 360);
    assert!(flapping && fired.is_empty());
    assert_eq!(resolved, [72 * 60 + 97], "16 minutes");
    alerts.looked(ApiId(0), at(72 * 60 + 97 + 720));
    assert!(alerts.resting.is_empty(), "what is calm is forgotten");
    let (fired, resolved, flapping) = flap(&mut alerts, &rule, 100_000, 1, 59);
    assert_eq!((fired, resolved, flapping), (vec![100_000], vec![100_007], false));
}

#[test]
fn restlessness_outlives_the_process_and_is_of_one_alert() {
    let mut alerts = Alerts::default();
    let rule = rule(0, 60);
    flap(&mut alerts, &rule, 0, 3, 59);
    assert!(alerts.at_rest() && alerts.resting.len() == 1);
    let mut alerts: Alerts = postcard::from_bytes(&postcard::to_stdvec(&alerts).unwrap()).unwrap();
    let other = AlertKey { rule: "api-5xx".into(), ..key() };
    assert!(!alerts.step(&rule, &other, look(100), at(180)).unwrap().flapping);
    assert!(alerts.step(&rule, &key(), look(100), at(180)).unwrap().flapping);
    alerts.looked(ApiId(1), at(10_000));
    assert!(alerts.resting.is_empty() && alerts.active(&rule, ApiId(0)).count() == 1);
}

fn said(look: i64, state: State, severity: Severity, episode: &str) -> Alert {
    Alert {
        key: key(),
        state,
        severity,
        worst: severity,
        measure: Measure::Failures,
        value: 0.1,
        threshold: 0.01,
        errors: 100,
        requests: 1000,
        window: Duration::from_mins(5),
        time: at(look),
        since: at(look),
        episode: episode.into(),
        holds: true,
        flapping: false,
        causes: Vec::new(),
        endpoints: Vec::new(),
        before: None,
        blindness: None,
    }
}

#[test]
fn what_a_slow_sink_was_told_late_does_not_undo_what_came_after() {
    let mut alerts = Alerts::default();
    let rule = rule(0, 60);
    let fired = said(10, State::Firing, Severity::High, "one");
    assert!(alerts.adopt(&fired));
    assert!(!alerts.adopt(&fired), "another sink was told the same");
    assert!(!alerts.adopt(&said(12, State::Firing, Severity::Critical, "one")), "it escalated");
    assert!(!alerts.adopt(&fired), "and a slow sink was told of the beginning only now");
    let standing = alerts.step(&rule, &key(), look(100), at(13)).expect("it fires on");
    assert_eq!(
        (standing.severity, standing.worst, &*standing.episode),
        (Severity::Critical, Severity::Critical, "one")
    );
    let over = said(20, State::Resolved, Severity::Critical, "one");
    assert!(!alerts.adopt(&over) && alerts.at_rest());
    for late in [&fired, &said(15, State::Firing, Severity::High, "one"), &over] {
        assert!(!alerts.adopt(late) && alerts.at_rest(), "what is over stays over");
    }
    assert!(!alerts.adopt(&said(20, State::Firing, Severity::High, "one")) && alerts.at_rest());
    assert!(alerts.adopt(&said(30, State::Firing, Severity::High, "two")), "a later episode is another");
    assert!(!alerts.adopt(&over) && !alerts.at_rest(), "and the end of the first is none of it");
    assert_eq!(alerts.step(&rule, &key(), look(100), at(30)), None, "what was looked at is not looked at again");
    assert!(!alerts.step(&rule, &key(), look(100), at(31)).expect("it fires on").is_new);
}

#[test]
fn what_was_adopted_counts_as_unrest_once() {
    let mut alerts = Alerts::default();
    for episode in 0..3_i64 {
        let name = episode.to_string();
        for _sink in 0..3 {
            alerts.adopt(&said(episode * 10, State::Firing, Severity::High, &name));
        }
        for _sink in 0..3 {
            alerts.adopt(&said(episode * 10 + 5, State::Resolved, Severity::High, &name));
        }
        assert_eq!(alerts.resting[&key()].is_flapping(), episode == 2, "the fifth change begins it");
    }
    let mut alerts = Alerts::default();
    alerts.adopt(&Alert { flapping: true, ..said(0, State::Firing, Severity::High, "one") });
    assert!(alerts.step(&rule(0, 60), &key(), look(100), at(1)).expect("fires on").flapping, "as it was said");
}
