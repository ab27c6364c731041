//! Logs that are not read: the alert about each, and what the rules may say meanwhile.

use super::*;
use crate::model::alert::{Loss, Subject};

/// What is said of logs that are not read, from a drained engine.
fn blind_alerts(engine: &mut Engine) -> Vec<(State, String)> {
    let of_logs = |a: Alert| match &a.key.subject {
        Subject::Source(name) => Some((a.state, name.to_string())),
        Subject::Api | Subject::Endpoint(_) => None,
    };
    alerts(engine.drain()).into_iter().filter_map(of_logs).collect()
}

/// Lets time pass in the steps that the engine asks for.
fn pass(engine: &mut Engine, until: i64) {
    while let Some(due) = engine.next_deadline().filter(|due| *due <= at(until)) {
        engine.tick(due);
    }
    engine.tick(at(until));
}

#[test]
fn a_log_that_is_not_read_for_two_minutes_is_one_alert_and_is_resolved_once() {
    let mut engine = engine(|_| {});
    engine.tick(at(0));
    for source in [ACCESS, LAMBDA] {
        engine.seal(source, at(0));
    }
    denied(&mut engine, LAMBDA, 5);
    for second in (5..125).step_by(5) {
        engine.seal(ACCESS, at(second));
        denied(&mut engine, LAMBDA, second);
        engine.tick(at(second));
    }
    assert_eq!(blind_alerts(&mut engine), []);
    assert_eq!(engine.next_deadline(), Some(at(125)));
    engine.tick(at(125));
    let fired = alerts(engine.drain());
    assert_eq!(fired.len(), 1);
    let alert = &fired[0];
    assert_eq!((&*alert.key.rule, alert.state, alert.severity), ("source-blind", State::Firing, Severity::High));
    assert_eq!(alert.key.source().map(|s| &**s), Some("/aws/lambda/checkout-fn"));
    assert_eq!((alert.since, alert.time), (at(5), at(125)));
    let blindness = alert.blindness.as_ref().unwrap();
    assert_eq!((blindness.problem, blindness.read_to, blindness.loss), (Problem::Denied, Some(at(0)), Loss::Causes));
    assert!(blindness.said.contains("not authorized") && blindness.rules.is_empty());
    assert_eq!(blindness.apis, ["shop".into()] as [Arc<str>; 1]);
    for second in (130..300).step_by(5) {
        engine.seal(ACCESS, at(second));
        denied(&mut engine, LAMBDA, second);
        pass(&mut engine, second);
    }
    assert_eq!(blind_alerts(&mut engine), [], "once for each episode");
    engine.seal(LAMBDA, at(300));
    engine.tick(at(301));
    let resolved = alerts(engine.drain());
    assert_eq!((resolved.len(), resolved[0].state, resolved[0].time), (1, State::Resolved, at(301)));
    assert_eq!(resolved[0].episode, alert.episode);
    engine.seal(LAMBDA, at(305));
    engine.tick(at(306));
    assert_eq!(blind_alerts(&mut engine), [], "resolved once");
}

#[test]
fn a_log_that_fails_now_and_then_says_nothing() {
    let mut engine = engine(|_| {});
    for minute in 0..60 {
        engine.seal(ACCESS, at(minute * 60));
        engine.seal(LAMBDA, at(minute * 60));
        pass(&mut engine, minute * 60 + 1);
        denied(&mut engine, ACCESS, minute * 60 + 30);
        pass(&mut engine, minute * 60 + 59);
    }
    assert_eq!(blind_alerts(&mut engine), []);
}

#[test]
fn a_log_that_was_never_read_is_waited_for_from_the_start() {
    let mut engine = engine(|_| {});
    engine.tick(at(0));
    engine.seal(LAMBDA, at(100));
    pass(&mut engine, 119);
    assert_eq!(blind_alerts(&mut engine), []);
    pass(&mut engine, 120);
    let fired = alerts(engine.drain());
    let blindness = fired[0].blindness.as_ref().unwrap();
    assert_eq!((fired.len(), blindness.problem, blindness.read_to), (1, Problem::Late, None));
    assert_eq!((&*blindness.said, blindness.loss), ("no read was finished yet", Loss::Everything));
    let rules: Vec<_> = blindness.rules.iter().map(|rule| &**rule).collect();
    assert_eq!(rules, ["endpoint-5xx", "api-5xx", "integration-timeouts", "no-invocations", "new-cause"]);
}

#[test]
fn a_read_that_hangs_is_found_by_the_time_it_takes() {
    let mut engine = engine(|_| {});
    engine.tick(at(0));
    engine.seal(ACCESS, at(0));
    for second in (0..120).step_by(5) {
        engine.seal(LAMBDA, at(second));
        pass(&mut engine, second);
    }
    assert_eq!(blind_alerts(&mut engine), []);
    engine.seal(LAMBDA, at(120));
    pass(&mut engine, 120);
    assert_eq!(blind_alerts(&mut engine), [(State::Firing, "/access".to_owned())]);
    // Too few reads: what is sealed is too old.
    engine.seal(ACCESS, at(30));
    engine.seal(LAMBDA, at(155));
    pass(&mut engine, 155);
    assert_eq!(blind_alerts(&mut engine), []);
    engine.seal(ACCESS, at(150));
    pass(&mut engine, 156);
    assert_eq!(blind_alerts(&mut engine), [(State::Resolved, "/access".to_owned())]);
}

#[test]
fn after_a_sleep_logs_have_their_time_anew() {
    let mut engine = engine(|_| {});
    for second in [0, 5] {
        engine.seal(ACCESS, at(second));
        engine.seal(LAMBDA, at(second));
        engine.tick(at(second));
    }
    engine.tick(at(8 * 3600));
    assert_eq!(blind_alerts(&mut engine), [], "nobody could have read it");
    engine.seal(ACCESS, at(8 * 3600));
    pass(&mut engine, 8 * 3600 + 119);
    assert_eq!(blind_alerts(&mut engine), []);
    engine.seal(ACCESS, at(8 * 3600 + 119));
    pass(&mut engine, 8 * 3600 + 120);
    assert_eq!(blind_alerts(&mut engine), [(State::Firing, "/aws/lambda/checkout-fn".to_owned())]);
}

#[test]
fn a_restart_of_two_minutes_blinds_no_log() {
    let settings = |_: &mut Settings| {};
    for down in [60, 120, 121, 149, 150, 600] {
        let mut before = engine(settings);
        for second in [0, 5] {
            before.seal(ACCESS, at(second));
            before.seal(LAMBDA, at(second));
            before.tick(at(second));
        }
        before.drain();
        let mut engine = Engine::restore(before.settings.clone(), &before.save()).unwrap();
        engine.wake(at(5 + down));
        engine.tick(at(5 + down));
        engine.seal(ACCESS, at(5 + down + 1));
        pass(&mut engine, 5 + down + 100);
        assert_eq!(blind_alerts(&mut engine), [], "{down} s");
        // What is not read then is blind like at any start.
        engine.seal(ACCESS, at(5 + down + 100));
        pass(&mut engine, 5 + down + 125);
        assert_eq!(blind_alerts(&mut engine), [(State::Firing, "/aws/lambda/checkout-fn".to_owned())], "{down} s");
    }
}

#[test]
fn a_whole_network_down_is_one_alert_for_each_log() {
    let mut engine = engine_with_canary();
    let all = [ACCESS, LAMBDA, SECOND_ACCESS];
    for source in all {
        engine.seal(source, at(0));
    }
    engine.tick(at(0));
    for second in (5..=600).step_by(5) {
        for source in all {
            engine.blind(source, Problem::Unreachable, "connection refused", at(second));
        }
        pass(&mut engine, second);
    }
    let fired = blind_alerts(&mut engine);
    assert_eq!(fired.len(), 3);
    assert!(fired.iter().all(|(state, _)| *state == State::Firing));
    for source in all {
        engine.seal(source, at(605));
    }
    engine.tick(at(605));
    let resolved = blind_alerts(&mut engine);
    assert_eq!(resolved.len(), 3);
    assert!(resolved.iter().all(|(state, _)| *state == State::Resolved));
}

#[test]
fn the_rule_can_be_switched_off_and_set() {
    let mut off = engine(|s| s.source_blind = None);
    off.tick(at(0));
    denied(&mut off, ACCESS, 0);
    pass(&mut off, 10_000);
    assert_eq!((blind_alerts(&mut off), off.next_deadline()), (Vec::new(), None));
    let rule = rules::SourceBlind { hold: Duration::ZERO, severity: Severity::Critical };
    let mut quick = engine(|s| s.source_blind = Some(rule));
    denied(&mut quick, ACCESS, 0);
    quick.tick(at(0));
    assert_eq!(alerts(quick.drain())[0].severity, Severity::Critical);
}

#[test]
fn one_group_that_is_read_in_two_ways_is_one_alert_and_a_shared_one_names_its_apis() {
    let mut inventory = Inventory { apis: vec![Api::plain("shop"), Api::plain("admin")], sources: Vec::new() };
    inventory.add_source_of(ApiId(0), Source::group("/both", None, SourceKind::Access(ApiId(0))));
    inventory.add_source_of(ApiId(0), Source::group("/both", None, SourceKind::Lambda));
    for api in [ApiId(1), ApiId(0)] {
        inventory.add_source_of(api, Source::group("/shared", None, SourceKind::Lambda));
    }
    let mut engine = Engine::new(prompt(inventory));
    engine.tick(at(0));
    for source in [0, 1, 2] {
        denied(&mut engine, SourceId(source), 0);
    }
    pass(&mut engine, 500);
    let fired = alerts(engine.drain());
    let names: Vec<_> = fired.iter().filter_map(|a| a.key.source().map(|s| &**s)).collect();
    assert_eq!(names, ["/both", "/shared"]);
    assert_eq!(fired[1].key.api, ApiId(1), "the first that names it");
    assert_eq!(fired[1].blindness.as_ref().unwrap().apis, ["admin".into(), "shop".into()] as [Arc<str>; 2]);
    assert_eq!(engine.next_deadline(), None);
}

// === What the rules may say meanwhile ===

/// Steps the rules from one time to another; returns the states of what is said at the last step.
fn step(engine: &mut Engine, seconds: impl Iterator<Item = i64>) -> Vec<State> {
    let mut last = Vec::new();
    for second in seconds {
        engine.drain();
        engine.seal(ACCESS, at(second));
        last = alerts(engine.drain()).into_iter().map(|a| a.state).collect();
    }
    last
}

#[test]
fn while_one_of_two_access_logs_is_not_read_alerts_fire_and_rise_but_none_recovers() {
    let mut engine = engine_with_canary();
    engine.seal(ACCESS, at(0));
    engine.seal(SECOND_ACCESS, at(0));
    denied(&mut engine, SECOND_ACCESS, 1);
    for i in 0..100 {
        engine.ingest(ACCESS, request(3, if i < 10 { 502 } else { 200 }, None), at(5));
    }
    engine.seal(ACCESS, at(10));
    let fired = alerts(engine.drain());
    assert!(fired.len() == 2 && fired.iter().all(|a| a.severity == Severity::High && a.state == State::Firing));
    for _ in 0..100 {
        engine.ingest(ACCESS, request(13, 502, None), at(15));
    }
    engine.seal(ACCESS, at(20));
    assert!(alerts(engine.drain()).iter().all(|a| a.severity == Severity::Critical), "it rises");
    // The window has long been clean, as far as one sees.
    assert_eq!(step(&mut engine, (30..1200).step_by(10)), [State::Firing, State::Firing]);
    engine.seal(SECOND_ACCESS, at(1200));
    engine.seal(ACCESS, at(1200));
    engine.drain();
    for second in (1210..=1260).step_by(10) {
        engine.seal(SECOND_ACCESS, at(second));
        engine.seal(ACCESS, at(second));
    }
    let resolved = alerts(engine.drain()).iter().filter(|a| a.state == State::Resolved).count();
    assert_eq!(resolved, 2, "once both are read it resolves as ever");
    assert!(engine.alerts.at_rest());
}

#[test]
fn an_api_whose_only_access_log_is_not_read_stands_still() {
    let mut engine = engine(|_| {});
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    engine.seal(ACCESS, at(10));
    assert_eq!(alerts(engine.drain()).len(), 2);
    denied(&mut engine, ACCESS, 15);
    for second in (20..3600).step_by(10) {
        engine.seal(LAMBDA, at(second));
        engine.tick(at(second));
    }
    let said = alerts(engine.drain());
    assert!(said.iter().all(|a| a.key.source().is_some()), "no look of any rule over requests");
    engine.seal(ACCESS, at(3600));
    let said = alerts(engine.drain());
    assert!(said.iter().all(|a| a.state == State::Firing), "the hour in between is not taken for a good one: {said:?}");
}

#[test]
fn a_log_that_was_not_read_yet_holds_the_rules_until_it_is_late() {
    let mut engine = engine_with_canary();
    engine.tick(at(0));
    incident(&mut engine);
    for second in (10..120).step_by(10) {
        engine.seal(ACCESS, at(second));
        engine.tick(at(second));
    }
    assert!(alerts(engine.drain()).is_empty(), "its requests may be on their way");
    engine.seal(LAMBDA, at(120));
    engine.seal(ACCESS, at(120));
    engine.tick(at(120));
    engine.seal(ACCESS, at(130));
    let rules: Vec<_> = alerts(engine.drain()).into_iter().map(|a| a.key.rule.to_string()).collect();
    assert_eq!(rules, ["source-blind", "endpoint-5xx", "api-5xx"]);
}

#[test]
fn an_execution_log_counts_only_where_there_is_no_access_log() {
    let mut inventory = Inventory { apis: vec![Api::plain("shop")], sources: Vec::new() };
    inventory.add_source_of(ApiId(0), Source::group("/access", None, SourceKind::Access(ApiId(0))));
    inventory.add_source_of(ApiId(0), Source::group("/execution", None, SourceKind::Execution(ApiId(0))));
    let mut engine = Engine::new(prompt(inventory));
    engine.seal(ACCESS, at(0));
    denied(&mut engine, SourceId(1), 0);
    for i in 0..30 {
        engine.ingest(ACCESS, request(3, if i < 12 { 502 } else { 200 }, None), at(5));
    }
    // Access lines without an ID wait for the execution log, should it count their requests.
    engine.tick(at(200));
    engine.drain();
    let mut resolved = 0;
    for second in (10..600).step_by(10) {
        engine.seal(ACCESS, at(second));
        resolved += alerts(engine.drain()).iter().filter(|a| a.state == State::Resolved).count();
    }
    assert_eq!(resolved, 2, "its blindness hides causes, no requests");
}
