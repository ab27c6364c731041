//! Each kind of rule through the whole engine: what it fires on, what it does not, and when it is over.

mod burn_rate;
mod no_invocations;
mod traffic;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::engine::rules::{By, Rules};
use crate::engine::{Engine, Output, Settings};
use crate::model::alert::{Alert, Before, State, Subject};
use crate::model::cause::CauseKind;
use crate::model::event::Fact;
use crate::model::inventory::{Api, ApiKind, Inventory, Source, SourceId, SourceKind};
use crate::model::invocation::{LambdaLine, LambdaSays, Report, RuntimeError};
use crate::model::problem::Problem;
use crate::model::request::{GatewayWords, Request};

const ACCESS: SourceId = SourceId(0);
const LAMBDA: SourceId = SourceId(1);
const HOUR: i64 = 3600;

/// An engine with one rule, which fires at once and resolves at once.
struct World {
    engine: Engine,
    /// Up to where all is read, in seconds.
    now: i64,
    ids: u32,
    /// The logs of functions are read as well.
    reads_lambda: bool,
    said: Vec<Alert>,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
}

fn rule(name: &str) -> Rule {
    let rule = Rule::built_in(5 * MINUTE).into_iter().find(|rule| *rule.name == *name).expect("it is built in");
    Rule { on: true, hold: Duration::ZERO, keep_firing: Duration::ZERO, ..rule }
}

fn world(rule: Rule) -> World {
    world_of(rule, &["/access", "/aws/lambda/pay"], |_| {})
}

fn world_of(rule: Rule, groups: &[&str], change: impl FnOnce(&mut Api)) -> World {
    let mut api = Api { kind: ApiKind::Rest, ..Api::plain("shop") };
    change(&mut api);
    let mut inventory = Inventory { apis: vec![api], sources: Vec::new() };
    for group in groups {
        let kind = if group.starts_with("/access") { SourceKind::Access(ApiId(0)) } else { SourceKind::Lambda };
        inventory.add_source_of(ApiId(0), Source::group(group, None, kind));
    }
    let reads_lambda = groups.len() > 1;
    let mut settings = Settings::new(inventory.into());
    settings.rules = Rules::from(vec![rule]);
    (settings.blind_after, settings.source_blind) = (Duration::MAX, None);
    let engine = Engine::new(settings);
    let mut world = World { engine, now: 0, ids: 0, reads_lambda, said: Vec::new() };
    world.read();
    world
}

/// A request to `GET /a`.
fn request(seconds: i64, status: u16) -> Request {
    Request {
        api: ApiId(0),
        endpoint: Endpoint::new("GET", "/a").into(),
        status,
        start: at(seconds),
        request_id: None,
        lambda_request_id: None,
        response_latency_ms: None,
        integration_latency_ms: None,
        gateway: (status >= 500).then(Box::default),
    }
}

impl World {
    fn read(&mut self) {
        if self.reads_lambda {
            self.engine.seal(LAMBDA, at(self.now));
        }
        self.engine.seal(ACCESS, at(self.now));
        self.engine.tick(at(self.now));
        self.said = self.engine.drain().into_iter().flat_map(Output::alerts).collect();
    }

    fn put(&mut self, count: u32, request: &Request) {
        for _ in 0..count {
            self.engine.ingest(ACCESS, Fact::Request(request.clone()), at(self.now));
        }
    }

    /// So many requests with this status, now.
    fn answered(&mut self, count: u32, status: u16) -> &mut Self {
        self.put(count, &request(self.now, status));
        self
    }

    /// Failures of this error type, each with the lines of its invocation.
    fn failed(&mut self, count: u32, error_type: &str) -> &mut Self {
        for _ in 0..count {
            self.ids += 1;
            let id = format!("id{}", self.ids);
            let failed = Request { lambda_request_id: Some(id.as_str().into()), ..request(self.now, 502) };
            self.put(1, &failed);
            let error_type = Some(error_type.into());
            self.line(&id, LambdaSays::Unhandled(RuntimeError { error_type, ..RuntimeError::default() }));
        }
        self
    }

    fn line(&mut self, id: &str, says: LambdaSays) {
        let time = at(self.now);
        let (stream, request_id, text) = ("s".into(), Some(id.into()), "text".into());
        let line = LambdaLine { stream, time, request_id, says, refs: None, text };
        self.engine.ingest(LAMBDA, Fact::Lambda(line), time);
    }

    /// The next look, ten seconds on.
    fn look(&mut self) -> Option<(State, Severity)> {
        self.now += 10;
        self.read();
        assert!(self.said.len() <= 1, "one rule, one subject");
        self.said.first().map(|alert| (alert.state, alert.severity))
    }

    /// The looks up to `seconds`: whether any of them fired.
    fn fires_until(&mut self, seconds: i64) -> bool {
        let mut fired = false;
        while self.now < seconds {
            fired |= matches!(self.look(), Some((State::Firing, _)));
        }
        fired
    }

    fn saved_and_restored(&mut self) {
        self.engine = Engine::restore(self.engine.settings.clone(), &self.engine.save()).expect("saved just now");
    }

    fn alert(&self) -> &Alert {
        self.said.first().expect("an alert")
    }
}

const fn fires(severity: Severity) -> (State, Severity) {
    (State::Firing, severity)
}

const fn resolves(severity: Severity) -> (State, Severity) {
    (State::Resolved, severity)
}

#[test]
fn integration_timeouts_from_three_and_one_percent_on() {
    for (timeouts, fine, want) in
        [(3, 297, Some(fires(Severity::High))), (3, 298, None), (2, 10, None), (3, 0, Some(fires(Severity::High)))]
    {
        let mut world = world(rule("integration-timeouts"));
        world.answered(fine, 200).answered(timeouts, 504);
        assert_eq!(world.look(), want, "{timeouts} and {fine}");
    }
    let mut world = world(rule("integration-timeouts"));
    world.answered(10, 200).answered(4, 504).failed(5, "TypeError");
    world.look();
    let alert = world.alert();
    assert_eq!((alert.errors, alert.requests, alert.threshold), (4, 19, 0.01));
    assert_eq!(
        alert.causes.iter().map(|c| (c.kind, c.count)).collect::<Vec<_>>(),
        [(CauseKind::IntegrationTimeout, 4)]
    );
    assert!(world.fires_until(300));
    assert_eq!(world.look(), Some(resolves(Severity::High)), "when they have left the window");
}

#[test]
fn a_failure_that_took_as_long_as_the_timeout_is_one_whatever_its_cause_and_counts_once() {
    let count = |ms: u32, answered: bool, status: u16| {
        let mut world = world(rule("integration-timeouts"));
        let slow = Request {
            response_latency_ms: Some(ms),
            integration_latency_ms: answered.then_some(ms),
            start: at(0).minus(Duration::from_millis(u64::from(ms))),
            ..request(0, status)
        };
        world.put(3, &slow);
        world.look();
        world.said.first().map(|alert| alert.errors)
    };
    assert_eq!(count(28_900, true, 502), Some(3));
    assert_eq!(count(28_899, true, 502), None);
    assert_eq!(count(29_000, false, 504), Some(3), "by cause and by time is once");
    assert_eq!(count(29_000, true, 200), None, "it went well");
}

#[test]
fn a_new_cause_fires_once_learned_and_ends_a_window_after_its_first_sight() {
    let learned = Rule { special: Special::Learn(Duration::from_hours(1)), ..rule("new-cause") };
    let mut world = world(learned);
    world.failed(5, "TypeError");
    assert!(!world.fires_until(HOUR + 10), "it learns from its first look on");
    world.failed(5, "TypeError").answered(9, 500).failed(2, "KeyError");
    assert_eq!(world.look(), None, "one is known, one not known at all, one too seldom");
    world.saved_and_restored();
    world.failed(1, "KeyError");
    assert_eq!(world.look(), Some(fires(Severity::Elevated)));
    let alert = world.alert();
    assert_eq!((alert.value, alert.threshold, alert.errors, alert.requests), (3.0, 3.0, 3, 17));
    assert_eq!(alert.causes.len(), 1, "only what is new");
    assert_eq!(alert.causes[0].sample.error_type.as_deref(), Some("KeyError"));
    let mut ended = None;
    for _ in 0..60 {
        world.failed(1, "KeyError");
        if let Some((State::Resolved, _)) = world.look() {
            ended.get_or_insert(world.now);
        }
    }
    assert_eq!(ended, Some(HOUR + 320), "though it goes on");
    world.failed(9, "KeyError");
    assert_eq!(world.look(), None, "it is known now");
    world.now += 31 * 24 * HOUR;
    world.read();
    world.failed(3, "KeyError");
    assert_eq!(world.look(), Some(fires(Severity::Elevated)), "what was not seen for 30 days is new again");
}

#[test]
fn what_a_failure_was_only_thought_to_have_is_not_learned() {
    let learned = Rule { special: Special::Learn(Duration::ZERO), min_errors: 1, ..rule("new-cause") };
    let mut world = world(learned);
    world.answered(1, 200);
    world.look();
    let hangs = Request { lambda_request_id: Some("late".into()), ..request(world.now, 502) };
    let said = GatewayWords { response_type: Some("INTEGRATION_FAILURE".into()), ..GatewayWords::default() };
    world.put(1, &Request { gateway: Some(Box::new(said)), ..hangs });
    world.look();
    world.line("late", LambdaSays::TimedOut { after_ms: 3000 });
    world.look();
    let stats = world.engine.endpoints[0].get(&Endpoint::new("GET", "/a")).expect("counted");
    let is_new = |kind| stats.learned.is_new((kind, None), at(world.now), 5 * MINUTE, Duration::ZERO);
    assert!(is_new(CauseKind::LambdaTimeout));
    assert!(!CauseKind::ALL.iter().any(|kind| *kind != CauseKind::LambdaTimeout && is_new(*kind)));
}

#[test]
fn causes_without_end_are_not_learned_without_end_and_say_nothing() {
    let learned = Rule { special: Special::Learn(Duration::from_hours(1)), min_errors: 1, ..rule("new-cause") };
    let mut world = world(learned);
    for n in 0..360 {
        world.failed(1, &format!("Error{n}"));
        assert_eq!(world.look(), None);
    }
    world.failed(1, "One more");
    assert_eq!(world.look(), None, "nobody reads an endpoint that fails in so many ways cause by cause");
}

#[test]
fn a_count_fires_from_ten_in_five_minutes_on() {
    let mut world = world(rule("5xx-count"));
    world.answered(9, 502).answered(1000, 200);
    assert_eq!(world.look(), None);
    world.answered(1, 503);
    assert_eq!(world.look(), Some(fires(Severity::High)));
    let alert = world.alert();
    assert_eq!((alert.value, alert.threshold, alert.errors, alert.requests), (10.0, 10.0, 10, 1010));
    assert_eq!(alert.endpoints[0].errors, 10);
    assert_eq!(alert.key.subject, Subject::Api);
    assert!(world.fires_until(300));
    assert_eq!(world.look(), Some(resolves(Severity::High)));
}

#[test]
fn what_comes_seldom_is_told_by_the_longer_look() {
    for name in ["endpoint-5xx", "api-5xx"] {
        let mut world = world(rule(name));
        // Four in five minutes at most, each of which fails: never enough for anything.
        while world.now < 20 * 80 {
            world.failed(1, if world.now < 800 { "KeyError" } else { "TypeError" });
            for _ in 0..8 {
                world.look();
            }
        }
        let alert = world.alert();
        assert_eq!((alert.errors, alert.requests, alert.window), (20, 20, 30 * MINUTE), "{name}");
        assert!((alert.value - 1.0).abs() < 1e-9);
        let causes: Vec<_> = alert.causes.iter().map(|c| (c.sample.error_type.as_deref(), c.count)).collect();
        assert_eq!(causes, [(Some("KeyError"), 10), (Some("TypeError"), 10)], "{name}: all of them");
        assert!(alert.settled());
        if name == "api-5xx" {
            assert_eq!((alert.endpoints[0].errors, alert.endpoints[0].requests), (20, 20));
        }
    }
}

fn took(seconds: i64, ms: u32) -> Request {
    let start = at(seconds).minus(Duration::from_millis(u64::from(ms)));
    Request { response_latency_ms: Some(ms), start, ..request(seconds, 200) }
}

#[test]
fn latency_looks_at_full_minutes() {
    let half =
        Rule { measure: Measure::Latency { quantile: 0.5 }, window: MINUTE, min_requests: 10, ..rule("latency") };
    let mut world = world(half.clone());
    for ms in [100, 3500] {
        world.put(8, &took(5, ms));
    }
    world.put(1, &took(5, 3500));
    assert!(!world.fires_until(50), "the minute is not over");
    assert_eq!(world.look(), Some(fires(Severity::High)));
    let alert = world.alert();
    assert!((3300.0..=3700.0).contains(&alert.value), "{}", alert.value);
    assert_eq!((alert.threshold, alert.errors, alert.requests), (1000.0, 0, 17));
    assert!(world.fires_until(110), "it stands for a minute");
    assert_eq!(world.look(), Some(resolves(Severity::High)));

    let mut few = self::world(half);
    few.put(9, &took(5, 3500));
    assert!(!few.fires_until(180), "ten at least");
}

#[test]
fn slow_requests_are_counted_to_the_millisecond() {
    let mut world = world(Rule { by: By::Api, ..rule("slow-fraction") });
    world.put(50, &took(5, 3000));
    assert_eq!(world.look(), None, "at the limit is not over it");
    world.put(50, &took(15, 3001));
    assert_eq!(world.look(), Some(fires(Severity::High)), "half is not above half");
    let alert = world.alert();
    assert_eq!((alert.value, alert.errors, alert.requests), (0.5, 50, 100));
    assert_eq!((alert.causes.len(), alert.endpoints[0].errors), (0, 50));
    assert!(world.fires_until(310));
    assert_eq!(world.look(), Some(resolves(Severity::Critical)), "at last they were alone in the window");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Any course of traffic under all rules: the order within a slot and restarts change nothing, and each alert fires
    /// and resolves in turn.
    #[test]
    fn all_rules_say_the_same_in_any_order_and_over_restarts(
        slots in vec((0_u32..12, 0_u32..6, 0_u32..4, 0_u32..3), 1..90),
        restart in 1_usize..20,
    ) {
        let all = || {
            let mut all: Vec<_> = Rule::built_in(5 * MINUTE).iter().map(|one| rule(&one.name)).collect();
            for one in &mut all {
                (one.window, one.low_traffic) = (MINUTE, None);
                one.special = match one.special {
                    Special::Before { .. } => Special::Before { window: 2 * MINUTE, min_requests: 10 },
                    Special::Pairs(_) => Special::Pairs([Pair { long: 3 * MINUTE, short: MINUTE }; 3]),
                    Special::Learn(_) => Special::Learn(MINUTE),
                    Special::None => Special::None,
                };
                if let Measure::BurnRate { objective } = &mut one.measure {
                    *objective = 0.9;
                }
            }
            let mut world = world(rule("api-5xx"));
            let settings = Settings { rules: Rules::from(all), ..world.engine.settings.clone() };
            world.engine = Engine::new(settings);
            world.read();
            world
        };
        let (mut one, mut other) = (all(), all());
        let mut standing = BTreeSet::new();
        for (slot, (fine, failed, timed_out, kind)) in slots.into_iter().enumerate() {
            let now = one.now;
            let fine = (0..fine).map(|n| took(now + i64::from(n % 9), n * 900));
            let timed_out = (0..timed_out).map(|n| request(now + i64::from(n), 504));
            let bare = (0..failed).map(|n| request(now + i64::from(n), if kind == 0 { 500 } else { 502 }));
            let requests: Vec<_> = fine.chain(timed_out).chain(bare).collect();
            for (forth, back) in requests.iter().zip(requests.iter().rev()) {
                one.put(1, forth);
                other.put(1, back);
            }
            for world in [&mut one, &mut other] {
                world.failed(kind, &format!("E{kind}"));
                world.now += 10;
                world.read();
            }
            if slot % restart == 0 {
                other.saved_and_restored();
            }
            let known = |said: &[Alert]| -> Vec<Alert> {
                // Of failures at one moment either may be the sample.
                said.iter().map(|a| Alert { causes: Vec::new(), ..a.clone() }).collect()
            };
            prop_assert_eq!(known(&one.said), known(&other.said));
            for alert in &one.said {
                match alert.state {
                    State::Firing => drop(standing.insert((alert.key.clone(), Arc::clone(&alert.episode)))),
                    State::Resolved => {
                        prop_assert!(standing.remove(&(alert.key.clone(), Arc::clone(&alert.episode))));
                    }
                }
                prop_assert!(alert.causes.iter().map(|c| c.count).sum::<u64>() <= alert.errors, "{:?}", alert);
            }
        }
    }
}

/// Where endpoints are counted together nothing is new, and the rest of the rules looks at them as at any other.
#[test]
fn endpoints_that_are_counted_together() {
    let count = |name: &str| {
        let one = match name {
            "new-cause" => Rule { special: Special::Learn(Duration::ZERO), ..rule(name) },
            _ => rule(name),
        };
        let mut world = world(one);
        world.engine = Engine::new(Settings { max_endpoints: 1, ..world.engine.settings.clone() });
        world.read();
        world.answered(1, 200);
        world.look();
        let mut other = request(world.now, 504);
        other.endpoint = Endpoint::new("GET", "/b").into();
        world.put(5, &other);
        world.look();
        world.said.len()
    };
    assert_eq!((count("integration-timeouts"), count("new-cause")), (1, 0));
}
