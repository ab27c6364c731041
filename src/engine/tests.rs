//! The engine as a whole: facts in, alerts and failures out.

mod absences;
mod blind;

use super::*;
use crate::model::alert::{Alert, Severity, State};
use crate::model::cause::{CauseKind, Certainty, Failure};
use crate::model::execution::{ExecutionLine, ExecutionSays};
use crate::model::inventory::{Api, ApiKind, Inventory, Source};
use crate::model::invocation::LambdaLine;
use crate::model::invocation::{LambdaSays, Refs, Report, RuntimeError};
use crate::model::past::Past;
use crate::model::request::Endpoint;
use crate::model::request::GatewayWords;

const ACCESS: SourceId = SourceId(0);
const LAMBDA: SourceId = SourceId(1);
const SECOND_ACCESS: SourceId = SourceId(2);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
}

fn engine(change: impl FnOnce(&mut Settings)) -> Engine {
    engine_of(&["/access", "/aws/lambda/checkout-fn"], change)
}

/// An API whose canary writes an access log of its own.
fn engine_with_canary() -> Engine {
    engine_of(&["/access", "/aws/lambda/checkout-fn", "/access/Canary"], |_| {})
}

fn engine_of(groups: &[&str], change: impl FnOnce(&mut Settings)) -> Engine {
    let api = Api { kind: ApiKind::Rest, ..Api::plain("shop") };
    let mut inventory = Inventory { apis: vec![api], sources: Vec::new() };
    for group in groups {
        let kind = if group.starts_with("/access") { SourceKind::Access(ApiId(0)) } else { SourceKind::Lambda };
        inventory.add_source_of(ApiId(0), Source::group(group, None, kind));
    }
    let mut settings = prompt(inventory);
    change(&mut settings);
    Engine::new(settings)
}

/// Rules that fire at the first bad look and resolve a minute after the last, so that a test is about one thing.
fn prompt(inventory: Inventory) -> Settings {
    let mut settings = Settings::new(Arc::new(inventory));
    settings.rules.change(|rule| {
        (rule.hold, rule.keep_firing) = (Duration::ZERO, Duration::from_mins(1));
        (rule.confidence, rule.low_traffic) = (0.0, None);
    });
    settings
}

fn request(seconds: i64, status: u16, lambda_id: Option<&str>) -> Fact {
    let words = GatewayWords { logs_lambda_request_id: true, ..GatewayWords::default() };
    Fact::Request(Request {
        api: ApiId(0),
        endpoint: Endpoint::new("POST", "/checkout").into(),
        status,
        start: at(seconds),
        request_id: lambda_id.map(|id| format!("r-{id}").into()),
        lambda_request_id: lambda_id.map(Into::into),
        response_latency_ms: None,
        integration_latency_ms: None,
        gateway: (status >= 500).then(|| Box::new(words)),
    })
}

fn line(seconds: i64, id: &str, says: LambdaSays) -> Fact {
    Fact::Lambda(LambdaLine {
        stream: "s".into(),
        time: at(seconds),
        request_id: Some(id.into()),
        says,
        refs: None,
        text: "text".into(),
    })
}

fn type_error() -> LambdaSays {
    let error_type = Some("TypeError".into());
    LambdaSays::Unhandled(RuntimeError { error_type, ..RuntimeError::default() })
}

fn denied(engine: &mut Engine, source: SourceId, seconds: i64) {
    engine.blind(source, Problem::Denied, "User: arn:aws:iam::1:user/g is not authorized", at(seconds));
}

fn alerts(outputs: Vec<Output>) -> Vec<Alert> {
    outputs.into_iter().flat_map(Output::alerts).collect()
}

fn failures(outputs: Vec<Output>) -> Vec<Failure> {
    outputs.into_iter().filter_map(|o| if let Output::Failure(f) = o { Some(f) } else { None }).collect()
}

/// 12 of 30 fail, and the Lambda lines of all of them come.
fn incident(engine: &mut Engine) {
    incident_of(engine, |engine, n, status| {
        let id = format!("id{n}");
        engine.ingest(ACCESS, request(3, status, Some(&id)), at(5));
        if status == 502 {
            engine.ingest(LAMBDA, line(3, &id, type_error()), at(5));
        }
    });
}

/// 12 of 30 fail.
fn incident_of(engine: &mut Engine, answer: impl Fn(&mut Engine, u32, u16)) {
    for n in 0..30 {
        answer(engine, n, if n < 12 { 502 } else { 200 });
    }
}

#[test]
fn twelve_of_thirty_is_critical_and_explained() {
    let mut engine = engine(|_| {});
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    engine.seal(ACCESS, at(9));
    assert!(alerts(engine.drain()).is_empty(), "the slot is not over");
    engine.seal(ACCESS, at(10));
    let alerts = alerts(engine.drain());
    let rules: Vec<_> = alerts.iter().map(|a| &*a.key.rule).collect();
    assert_eq!(rules, ["endpoint-5xx", "api-5xx"]);
    for alert in &alerts {
        assert_eq!((alert.errors, alert.requests, alert.severity), (12, 30, Severity::Critical));
        assert!((alert.value - 0.4).abs() < 1e-9);
        assert_eq!(alert.causes.len(), 1);
        assert_eq!((alert.causes[0].kind, alert.causes[0].count), (CauseKind::UnhandledException, 12));
        assert_eq!(alert.causes[0].sample.function.as_deref(), Some("checkout-fn"));
        assert!(alert.settled());
    }
}

#[test]
fn a_row_of_figures_names_its_most_frequent_cause() {
    let mut engine = engine(|_| {});
    incident(&mut engine);
    engine.ingest(ACCESS, request(3, 502, Some("other")), at(5));
    engine.ingest(LAMBDA, line(3, "other", LambdaSays::TimedOut { after_ms: 3000 }), at(5));
    let mut well = request(3, 200, None);
    if let Fact::Request(well) = &mut well {
        well.endpoint = Endpoint::new("GET", "/well").into();
    }
    engine.ingest(ACCESS, well, at(5));
    let summary = engine.snapshot(at(10));
    let rows: Vec<_> = summary.endpoints.iter().map(|e| (&*e.endpoint.route, e.cause.as_ref())).collect();
    let [("/checkout", Some(cause)), ("/well", None)] = rows[..] else { panic!("{rows:?}") };
    assert_eq!((cause.kind, cause.count), (CauseKind::UnhandledException, 12));
    assert_eq!(cause.sample.error_type.as_deref(), Some("TypeError"));
    // In another window there was none.
    assert!(engine.snapshot(at(1000)).endpoints.is_empty());
}

#[test]
fn a_failure_is_reported_at_once_when_certain_and_again_when_more_is_known() {
    let mut engine = engine(|_| {});
    engine.ingest(ACCESS, request(3, 502, Some("a")), at(5));
    assert!(failures(engine.drain()).is_empty(), "it waits for the Lambda lines");
    engine.ingest(LAMBDA, line(3, "a", type_error()), at(6));
    let got = failures(engine.drain());
    assert_eq!((got.len(), got[0].revision), (1, 1));
    assert_eq!(got[0].explanation.cause.certainty, Certainty::Certain);

    engine.ingest(ACCESS, request(3, 502, Some("b")), at(5));
    let due = engine.next_deadline().expect("a failure waits");
    engine.tick(due);
    let got = failures(engine.drain());
    assert_eq!((got[0].revision, got[0].explanation.cause.kind), (1, CauseKind::Unknown));
    engine.ingest(LAMBDA, line(3, "b", LambdaSays::TimedOut { after_ms: 3000 }), at(60));
    let got = failures(engine.drain());
    assert_eq!((got[0].revision, got[0].explanation.cause.kind), (2, CauseKind::LambdaTimeout));
}

#[test]
fn lambda_lines_that_come_before_the_access_line_are_found() {
    let mut engine = engine(|_| {});
    engine.ingest(LAMBDA, line(1, "a", LambdaSays::Start), at(2));
    engine.ingest(LAMBDA, line(1, "a", type_error()), at(2));
    engine.ingest(LAMBDA, line(1, "a", LambdaSays::Report(Report::default())), at(2));
    engine.ingest(ACCESS, request(1, 502, Some("a")), at(5));
    assert_eq!(failures(engine.drain()).len(), 1);
}

#[test]
fn final_reporting_says_each_failure_once() {
    let mut engine = engine(|s| s.reporting = Reporting::Final);
    incident(&mut engine);
    engine.tick(at(60));
    assert!(failures(engine.drain()).is_empty());
    engine.finish();
    let got = failures(engine.drain());
    assert_eq!(got.len(), 12);
    assert!(got.iter().all(|f| f.revision == 1 && f.explanation.cause.kind == CauseKind::UnhandledException));
}

#[test]
fn the_watermark_is_the_least_of_the_apis_access_logs_and_a_blind_one_does_not_hold_it() {
    let mut engine = engine_with_canary();
    engine.seal(SECOND_ACCESS, at(0));
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    engine.seal(ACCESS, at(20));
    assert!(alerts(engine.drain()).is_empty(), "the canary's log is not read that far");
    denied(&mut engine, SECOND_ACCESS, 20);
    engine.seal(ACCESS, at(21));
    assert!(!alerts(engine.drain()).is_empty());
}

#[test]
fn nothing_steps_while_the_only_access_log_is_blind() {
    let mut engine = engine(|_| {});
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    denied(&mut engine, ACCESS, 10);
    engine.seal(LAMBDA, at(100));
    assert!(alerts(engine.drain()).is_empty());
    engine.seal(ACCESS, at(100));
    let got = alerts(engine.drain());
    assert_eq!(got.len(), 2, "one look of two rules: nothing is said about the time in between");
    assert!(got.iter().all(|a| a.time == at(100)));
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_rules() {
    let mut engine = engine(|_| {});
    engine.seal(ACCESS, at(3600));
    engine.drain();
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    engine.seal(ACCESS, at(10));
    assert_eq!(alerts(engine.drain()).len(), 2);
}

#[test]
fn an_event_from_the_future_counts_now_and_moves_nothing() {
    let mut engine = engine(|_| {});
    engine.seal(ACCESS, at(0));
    engine.ingest(ACCESS, request(7200, 502, Some("f")), at(5));
    incident(&mut engine);
    engine.seal(ACCESS, at(10));
    let alerts = alerts(engine.drain());
    assert_eq!((alerts[0].errors, alerts[0].requests), (13, 31));
    assert_eq!(engine.future_requests(), 1);
}

#[test]
fn a_long_gap_in_event_time_is_crossed_quickly_and_alerts_resolve_in_it() {
    // As in a replay: a file has no times that nobody read.
    let mut engine = engine(|s| s.blind_after = Duration::MAX);
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    engine.seal(ACCESS, at(10));
    engine.drain();
    let ten_years = 10 * 365 * 86_400;
    engine.seal(ACCESS, at(ten_years));
    let resolved = alerts(engine.drain()).iter().filter(|a| a.state == State::Resolved).count();
    assert_eq!(resolved, 2);
    assert!(engine.alerts.at_rest());
}

#[test]
fn tables_stay_bounded_under_a_flood_of_failures() {
    let mut engine = engine(|s| {
        s.max_cases = 100;
        s.max_invocations = 200;
    });
    for i in 0..10_000 {
        engine.ingest(ACCESS, request(3, 502, Some(&format!("id{i}"))), at(5));
    }
    let dropped = engine.dropped();
    assert_eq!(dropped.cases, 9_900);
    assert_eq!(dropped.invocations, 9_800);
    assert_eq!(failures(engine.drain()).len(), 9_900, "each closed case was reported");
    engine.seal(ACCESS, at(0));
    engine.seal(ACCESS, at(10));
    let alerts = alerts(engine.drain());
    assert_eq!((alerts[0].errors, alerts[0].causes[0].count), (10_000, 10_000));
}

#[test]
fn after_a_tick_at_the_deadline_the_next_one_is_later() {
    let mut engine = engine(|_| {});
    for i in 0..20 {
        engine.ingest(ACCESS, request(3, 502, Some(&format!("id{i}"))), at(5 + i));
    }
    let mut last = Timestamp::MIN;
    while let Some(due) = engine.next_deadline() {
        assert!(due > last);
        last = due;
        engine.tick(due);
    }
    assert_eq!(failures(engine.drain()).len(), 20);
}

#[test]
fn requests_of_one_trace_each_have_the_invocation_that_began_in_their_time() {
    let mut engine = engine(|_| {});
    for (second, id) in [(3, "a"), (8, "b")] {
        let Fact::Request(mut failed) = request(second, 502, None) else { unreachable!() };
        let trace_id = Some("1-5759e988-bd862e3fe1be46a994272793".into());
        failed.request_id = Some(format!("r-{id}").into());
        failed.gateway = Some(Box::new(GatewayWords { trace_id: trace_id.clone(), ..GatewayWords::default() }));
        for says in [LambdaSays::Start, type_error()] {
            let Fact::Lambda(mut fact) = line(second, id, says) else { unreachable!() };
            fact.refs = Some(Box::new(Refs { trace_id: trace_id.clone(), mentions: Vec::new() }));
            engine.ingest(LAMBDA, Fact::Lambda(fact), at(9));
        }
        engine.ingest(ACCESS, Fact::Request(failed), at(9));
    }
    engine.finish();
    let ids: Vec<_> = failures(engine.drain()).into_iter().filter_map(|f| f.lambda_request_id).collect();
    assert_eq!(ids, ["a".into(), "b".into()] as [Arc<str>; 2]);
}

/// A request of an execution log, in as few lines as count it.
fn executed(engine: &mut Engine, source: SourceId, id: &str, status: u16, seconds: i64) {
    let route = ExecutionSays::Route { method: "POST".into(), path: "/checkout".into() };
    for says in [route, ExecutionSays::Completed { status }] {
        let (stream, request_id, text) = ("s".into(), id.into(), "text".into());
        let line = ExecutionLine { stream, time: at(seconds), request_id, says, text };
        engine.ingest(source, Fact::Execution(line), at(seconds));
    }
}

#[test]
fn an_api_that_moves_from_its_access_log_to_its_execution_log_is_watched_by_that() {
    const EXECUTION: SourceId = LAMBDA;
    let mut inventory = Inventory { apis: vec![Api::plain("shop")], sources: Vec::new() };
    inventory.add_source_of(ApiId(0), Source::group("/access", None, SourceKind::Access(ApiId(0))));
    let mut before = Engine::new(prompt(inventory.clone()));
    before.seal(ACCESS, at(0));
    incident_of(&mut before, |engine, n, status| {
        engine.ingest(ACCESS, request(3, status, Some(&n.to_string())), at(5));
    });
    before.seal(ACCESS, at(10));
    assert_eq!(alerts(before.drain()).len(), 2);

    // As after a reload or a restart: what nobody names keeps its number.
    inventory.sources[0].apis.clear();
    let execution = Source::group("/execution", Some("eu-west-1".into()), SourceKind::Execution(ApiId(0)));
    inventory.add_source_of(ApiId(0), execution);
    assert_eq!(inventory.region(ApiId(0)), Some("eu-west-1"));
    let mut engine = Engine::restore(prompt(inventory), &before.save()).unwrap();
    engine.retire(ACCESS);
    let look = |engine: &mut Engine, seconds: i64| {
        engine.seal(EXECUTION, at(seconds));
        engine.tick(at(seconds));
        alerts(engine.drain())
    };
    let mut over = Vec::new();
    for second in (20..600).step_by(10) {
        over.extend(look(&mut engine, second).into_iter().filter(|alert| alert.state == State::Resolved));
    }
    assert_eq!(over.len(), 2, "what fired is over: {over:?}");
    incident_of(&mut engine, |engine, n, status| executed(engine, EXECUTION, &format!("e-{n}"), status, 603));
    look(&mut engine, 610);
    let fired = look(&mut engine, 620);
    assert!(fired.len() == 2 && fired.iter().all(|alert| alert.state == State::Firing), "{fired:?}");
    assert_eq!(engine.counted()[0].requests, 60);
}

/// A line of each kind, so that each type that is saved is in it.
fn of_everything() -> Engine {
    let mut inventory = Inventory { apis: vec![Api::plain("shop"), Api::plain("bare")], sources: Vec::new() };
    inventory.add_source(Source::group("/access", None, SourceKind::Access(ApiId(0))));
    inventory.add_source(Source::group("/aws/lambda/checkout-fn", None, SourceKind::Lambda));
    inventory.add_source(Source::group("/execution", None, SourceKind::Execution(ApiId(1))));
    let mut engine = Engine::new(Settings { totals: true, ..prompt(inventory) });
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    let report = Report { duration_ms: Some(1.5), ..Report::default() };
    let mut orphan = line(4, "orphan", LambdaSays::TimedOut { after_ms: 3000 });
    if let Fact::Lambda(orphan) = &mut orphan {
        (orphan.request_id, orphan.stream) = (None, "t".into());
    }
    let mut naming = line(4, "id1", LambdaSays::Line);
    if let Fact::Lambda(naming) = &mut naming {
        naming.refs = Some(Box::new(Refs { trace_id: None, mentions: vec!["r-other".into()] }));
    }
    for fact in [line(2, "id0", LambdaSays::Start), line(4, "id0", LambdaSays::Report(report)), orphan, naming] {
        engine.ingest(LAMBDA, fact, at(6));
    }
    let began = ExecutionSays::Began { extended_request_id: Some("ext=".into()) };
    let said = ExecutionSays::Cause { said: "Malformed Lambda proxy response".into(), lambda_request_id: None };
    for says in [began, said, ExecutionSays::Completed { status: 502 }] {
        let (stream, request_id, text) = ("s".into(), "x".into(), "text".into());
        let line = ExecutionLine { stream, time: at(3), request_id, says, text };
        engine.ingest(SECOND_ACCESS, Fact::Execution(line), at(6));
    }
    engine.seal(ACCESS, at(10));
    let said = alerts(engine.drain());
    // Less bad from here on, and one that is over.
    for _ in 0..300 {
        engine.ingest(ACCESS, request(13, 200, None), at(15));
    }
    engine.seal(ACCESS, at(20));
    engine.drain();
    assert!(engine.adopt(&Alert { time: at(30), state: State::Resolved, ..said[0].clone() }, Past::Relived));
    denied(&mut engine, LAMBDA, 20);
    engine.tick(at(140));
    engine.drain();
    engine
}

#[test]
fn the_saved_form_changes_with_its_version_alone() {
    let hash = xxhash_rust::xxh3::xxh3_64(&of_everything().save());
    assert_eq!(
        (STATE_VERSION, format!("{hash:016x}").as_str()),
        (5, "e25229116647a73c"),
        "the saved form has changed: raise STATE_VERSION and put the new hash here"
    );
}

#[test]
fn fewer_endpoints_than_were_saved_count_on_under_other() {
    let mut engine = engine(|_| {});
    engine.seal(ACCESS, at(0));
    for n in 0..50_u32 {
        let Fact::Request(mut one) = request(3, 502, Some(&n.to_string())) else { unreachable!() };
        one.endpoint = Endpoint::new("GET", &format!("/{n}")).into();
        engine.ingest(ACCESS, Fact::Request(one), at(5));
    }
    engine.drain();
    let fewer = Settings { max_endpoints: 10, max_cases: 5, max_invocations: 5, ..engine.settings.clone() };
    let mut engine = Engine::restore(fewer, &engine.save()).expect("saved just now");
    let summary = engine.snapshot(at(10));
    assert_eq!((summary.endpoints.len(), summary.failures()), (11, 50));
    assert_eq!(summary.causes.iter().map(|c| c.count).sum::<u64>(), 50);
    assert_eq!(*summary.endpoints[0].endpoint, Endpoint::new("GET", Endpoint::OTHER));
    assert_eq!(engine.dropped().invocations, 45);
    engine.ingest(ACCESS, request(4, 502, Some("one more")), at(6));
    assert_eq!((engine.dropped().cases, failures(engine.drain()).len()), (46, 46), "each is reported as it closes");
}

#[test]
fn alerts_of_rules_that_are_gone_are_dropped() {
    let mut engine = engine(|_| {});
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    engine.seal(ACCESS, at(10));
    let said = alerts(engine.drain());
    let mut rules = engine.settings.rules.clone();
    rules.retain(|rule| &*rule.name != "endpoint-5xx");
    let mut engine = Engine::restore(Settings { rules, ..engine.settings.clone() }, &engine.save()).expect("saved");
    engine.seal(ACCESS, at(20));
    assert!(alerts(engine.drain()).iter().all(|a| &*a.key.rule == "api-5xx"));
    assert!(engine.adopt(&Alert { time: at(30), ..said[0].clone() }, Past::Relived), "it is news");
    assert!(!engine.looks_at(&said[0].key));
    engine.seal(ACCESS, at(40));
    assert!(alerts(engine.drain()).iter().all(|a| &*a.key.rule == "api-5xx"), "and nobody would resolve it");
}

#[test]
fn an_access_log_that_is_added_does_not_stop_the_rules_until_it_is_read() {
    let mut engine = engine_with_canary();
    engine.seal(ACCESS, at(0));
    engine.seal(SECOND_ACCESS, at(0));
    let mut inventory = Inventory::clone(&engine.settings.inventory);
    let third = inventory.add_source(Source::group("/access/new", None, SourceKind::Access(ApiId(0))));
    inventory.apis.push(Api::plain("new"));
    let of_new = inventory.add_source(Source::group("/new", None, SourceKind::Access(ApiId(1))));
    let also_of_new = inventory.add_source(Source::group("/new/2", None, SourceKind::Access(ApiId(1))));
    engine.extend(Arc::new(inventory));
    let added = (third.0..third.0 + 3).map(|n| engine.sight.reach(SourceId(n)));
    assert!(added.eq([Reach::Added, Reach::Nowhere, Reach::Nowhere]));
    incident(&mut engine);
    engine.seal(ACCESS, at(10));
    engine.seal(SECOND_ACCESS, at(10));
    assert_eq!(alerts(engine.drain()).len(), 2, "the rules go on");
    engine.seal(third, at(10));
    engine.seal(ACCESS, at(20));
    engine.seal(SECOND_ACCESS, at(20));
    assert!(alerts(engine.drain()).is_empty(), "now that it is read they wait for it as well");
    engine.seal(third, at(20));
    assert_eq!(alerts(engine.drain()).len(), 2, "and no look is left out");
    engine.seal(of_new, at(20));
    assert_eq!(engine.next_step[1], None, "an API that is new waits for all of its logs");
    engine.seal(also_of_new, at(20));
    assert_eq!(engine.next_step[1], Some(at(30)));
}

#[test]
fn every_request_and_each_episode_is_counted_once_over_several_lives() {
    let mut engine = engine(|s| s.blind_after = Duration::MAX);
    engine.seal(ACCESS, at(0));
    incident(&mut engine);
    engine.ingest(ACCESS, request(-3600, 200, None), at(5));
    engine.ingest(ACCESS, request(1000, 200, None), at(1000));
    engine.ingest(ACCESS, request(630, 502, None), at(1000));
    assert!(engine.dropped().late_requests > 0);
    engine.drain();
    let mut engine = Engine::restore(engine.settings.clone(), &engine.save()).expect("saved just now");
    assert_eq!(engine.counted(), [Counted { requests: 33, failures: 13, alerts: 0 }]);
    incident(&mut engine);
    engine.seal(ACCESS, at(10));
    engine.seal(ACCESS, at(20));
    let said = alerts(engine.drain());
    assert_eq!(engine.counted()[0].alerts, 2, "two rules; firing on is nothing new");
    assert!(!engine.adopt(&said[0], Past::Relived), "the state knows of it");
    assert!(engine.adopt(&Alert { time: at(30), state: State::Resolved, ..said[0].clone() }, Past::Relived));
    assert!(
        engine.adopt(&Alert { time: at(40), since: at(40), episode: "next".into(), ..said[0].clone() }, Past::Relived)
    );
    assert_eq!(engine.counted()[0].alerts, 3);
    engine.seal(ACCESS, at(40));
    assert!(alerts(engine.drain()).iter().all(|a| a.key != said[0].key), "what was looked at is not looked at again");
    engine.seal(ACCESS, at(50));
    let own = alerts(engine.drain()).into_iter().find(|a| a.key == said[0].key).expect("it fires on");
    assert_eq!((&*own.episode, own.since), ("next", at(40)));
    engine.seal(ACCESS, at(7200));
    let over = alerts(engine.drain()).into_iter().rfind(|a| a.key == said[0].key).expect("it ends");
    assert_eq!((over.state, &*over.episode), (State::Resolved, "next"));
}

#[test]
fn an_episode_that_was_told_before_a_start_without_state_is_not_counted_by_it() {
    let mut before = engine(|_| {});
    before.seal(ACCESS, at(0));
    incident(&mut before);
    before.seal(ACCESS, at(10));
    let said = alerts(before.drain());
    for (past, counted) in [(Past::Gone, 0), (Past::Relived, 1)] {
        let mut after = engine(|_| {});
        assert!(after.adopt(&said[0], past));
        assert_eq!(after.counted()[0].alerts, counted, "{past:?}");
    }
}
