//! Laws of saved state: a life that was cut anywhere and restored cannot be told from one that was not.
//!
//! Facts of all kinds, about few IDs, streams and endpoints, so that everything meets everything, and tables so small that
//! they overflow. Rule: what is compared is all that anybody can see: outputs, deadlines, figures, counters, and the
//! saved bytes themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gatewatch::engine::correlate::Reporting;
use gatewatch::engine::{self, Engine, Output, Settings};
use gatewatch::model::alert::{AlertKey, Reason, State};
use gatewatch::model::event::{Batch, Fact};
use gatewatch::model::execution::{ExecutionLine, ExecutionSays};
use gatewatch::model::inventory::{Api, ApiId, ApiKind, Inventory, Source, SourceId, SourceKind};
use gatewatch::model::invocation::{LambdaLine, LambdaSays, Refs, Report, ReportStatus, RuntimeError, Site};
use gatewatch::model::past::Past;
use gatewatch::model::problem::Problem;
use gatewatch::model::request::{Endpoint, GatewayWords, Request};
use gatewatch::model::saved::RestoreError;
use gatewatch::model::time::Timestamp;
use gatewatch::notify::message::Message;
use gatewatch::notify::plan;
use gatewatch::notify::plans::Planning;
use gatewatch::run::pipeline::{Pipeline, Said, Saved};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// 2026-11-22T09:00:00Z, a whole number of slots.
const BASE: i64 = 1_795_338_000_000;

fn config(cases: u32) -> ProptestConfig {
    let from_environment = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: from_environment.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(BASE + ms)
}

// === What happens ===

/// How many sources the inventory begins with: those of the first API.
const FIRST_SOURCES: usize = 3;

/// One API with two access logs; one with an execution log alone; one with both.
fn inventory() -> Inventory {
    let apis = ["shop", "bare", "both"].map(|name| Api { kind: ApiKind::Rest, ..Api::plain(name) });
    let source = |name: &str, kind| Source::group(name, None, kind);
    Inventory {
        apis: apis.into(),
        sources: vec![
            source("/access/shop", SourceKind::Access(ApiId(0))),
            source("/access/shop-canary", SourceKind::Access(ApiId(0))),
            source("/aws/lambda/checkout-fn", SourceKind::Lambda),
            source("/execution/bare", SourceKind::Execution(ApiId(1))),
            source("/access/both", SourceKind::Access(ApiId(2))),
            source("/execution/both", SourceKind::Execution(ApiId(2))),
            source("/shared", SourceKind::Lambda),
        ],
    }
}

fn first_inventory() -> Inventory {
    let all = inventory();
    Inventory { apis: all.apis[..1].to_vec(), sources: all.sources[..FIRST_SOURCES].to_vec() }
}

#[derive(Clone, Debug)]
enum Event {
    Fact(SourceId, Fact),
    Seal(SourceId, Timestamp),
    Blind(SourceId),
    Tick,
}

/// An event and how long after the one before it comes.
type Dice = (u8, u8, u8, u8, i64);

fn id(letter: char, n: u8) -> String {
    // Long ones are held in another way.
    if n % 16 == 15 { format!("{letter}{}", "x".repeat(60)) } else { format!("{letter}{}", n % 16) }
}

fn request(source: SourceId, api: ApiId, (_, a, b, c, _): Dice, now: Timestamp) -> Event {
    let start = match a {
        0 => now.minus(Duration::from_hours(1)),
        1 => now.plus(Duration::from_hours(2)),
        _ => now.minus(Duration::from_millis(u64::from(a) * 100)),
    };
    let status = [200, 200, 404, 500, 502, 502, 503, 504][usize::from(c % 8)];
    let words = GatewayWords {
        integration_error: (b % 3 == 0).then(|| "Execution failed due to a timeout error".to_owned()),
        error_message: (b % 5 == 0).then(|| "Internal server error".to_owned()),
        trace_id: (b % 4 == 1).then(|| format!("Root={}", id('t', c)).into()),
        extended_request_id: (c % 3 == 1).then(|| id('e', b).into()),
        authorizer_request_id: (c % 7 == 1).then(|| id('i', a).into()),
        logs_lambda_request_id: true,
        ..GatewayWords::default()
    };
    let fact = Request {
        api,
        endpoint: Arc::new(Endpoint::new(["GET", "POST"][usize::from(a % 2)], ["/a", "/b", "/c"][usize::from(b % 3)])),
        status,
        start,
        request_id: (b % 8 != 7).then(|| id('r', b).into()),
        lambda_request_id: (a % 4 == 2).then(|| id('i', c).into()),
        response_latency_ms: (a % 3 > 0).then_some(u32::from(c) * 100),
        integration_latency_ms: None,
        gateway: (status >= 500).then(|| Box::new(words)),
    };
    Event::Fact(source, Fact::Request(fact))
}

fn lambda(source: SourceId, (_, a, b, c, _): Dice, now: Timestamp) -> Event {
    let error = || RuntimeError {
        error_type: Some(["TypeError", "KeyError"][usize::from(b % 2)].into()),
        message: Some("x is not a function".into()),
        site: (c % 2 == 0).then(|| Site { file: "index.js".into(), line: 12 }),
    };
    let report = Report {
        duration_ms: (a % 3 > 0).then_some(f64::from(c) * 1.5),
        memory_mb: Some(128),
        max_memory_mb: Some(u32::from(c)),
        status: [None, Some(ReportStatus::Timeout), Some(ReportStatus::Error)][usize::from(b % 3)],
        error_type: None,
    };
    let says = match a % 12 {
        0..=2 => LambdaSays::Start,
        3 | 4 => LambdaSays::Report(report),
        5 => LambdaSays::TimedOut { after_ms: 3000 },
        6 => LambdaSays::Unhandled(error()),
        7 => LambdaSays::PerhapsUnhandled(error()),
        8 => LambdaSays::Fault { reason: "Runtime exited with error: signal: killed".into(), error_type: None },
        9 => LambdaSays::InitFailed { error_type: None, timed_out: b % 2 == 0 },
        10 => LambdaSays::ErrorLine,
        _ => LambdaSays::Line,
    };
    let refs = || Refs { trace_id: (b % 2 == 0).then(|| id('t', c).into()), mentions: vec![id('r', b).into()] };
    let line = LambdaLine {
        stream: format!("2026/11/22/[$LATEST]{}", b % 4).into(),
        time: now.minus(Duration::from_millis(u64::from(c) * 20)),
        request_id: (c % 3 > 0).then(|| id('i', b.wrapping_add(c)).as_str().into()),
        says,
        refs: (c % 4 == 0).then(|| Box::new(refs())),
        text: format!("line {a} {}", "ü".repeat(usize::from(c))).into(),
    };
    Event::Fact(source, Fact::Lambda(line))
}

fn execution(source: SourceId, (_, a, b, c, _): Dice, now: Timestamp) -> Event {
    let says = match a % 10 {
        0 => ExecutionSays::Began { extended_request_id: (c % 2 == 0).then(|| id('e', b).into()) },
        1 => ExecutionSays::Route { method: "GET".into(), path: ["/a", "/b"][usize::from(c % 2)].into() },
        2 => ExecutionSays::Function("checkout-fn".into()),
        3 => ExecutionSays::Answered { status: Some(200), latency_ms: Some(u32::from(c)) },
        4 => ExecutionSays::LambdaRequestId(id('i', c).into()),
        5 => ExecutionSays::Trace(id('t', c).into()),
        6 => ExecutionSays::Cause { said: "Malformed Lambda proxy response".into(), lambda_request_id: None },
        7 => ExecutionSays::FunctionError(RuntimeError::default()),
        _ => ExecutionSays::Completed { status: [200, 502, 504][usize::from(c % 3)] },
    };
    let line = ExecutionLine {
        stream: "s".into(),
        time: now.minus(Duration::from_millis(u64::from(c))),
        request_id: id('r', b).into(),
        says,
        text: "text".into(),
    };
    Event::Fact(source, Fact::Execution(line))
}

/// What the dice say, and when. Only of the first so many sources.
fn events(dice: &[Dice], sources: usize) -> Vec<(Event, Timestamp)> {
    let mut now = at(0);
    let event = |dice: &Dice| {
        now = now.plus(Duration::from_millis(u64::try_from(dice.4).expect("positive")));
        let (kind, a, b, ..) = *dice;
        let source = |n: u8| SourceId(u16::from(n) % u16::try_from(sources).expect("few"));
        let event = match kind % 32 {
            0..=7 => request(SourceId(u16::from(b % 5 == 0)), ApiId(0), *dice, now),
            8..=13 => lambda(SourceId(2), *dice, now),
            14 | 15 if sources > FIRST_SOURCES => lambda(SourceId(6), *dice, now),
            16..=18 if sources > FIRST_SOURCES => request(SourceId(4), ApiId(2), *dice, now),
            19..=22 if sources > FIRST_SOURCES => execution(SourceId([3, 5][usize::from(b % 2)]), *dice, now),
            // One set back now and then.
            23 if a < 8 => Event::Seal(source(a), now.minus(Duration::from_mins(5))),
            23..=28 => Event::Seal(source(a), now.minus(Duration::from_millis(u64::from(b) * 20))),
            29 if a < 64 => Event::Blind(source(b)),
            _ => Event::Tick,
        };
        (event, now)
    };
    dice.iter().map(event).collect()
}

fn dice(most: usize) -> impl Strategy<Value = Vec<Dice>> {
    let pause = prop_oneof![6 => 0_i64..500, 3 => 500_i64..5_000, 1 => 5_000_i64..40_000];
    vec((any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), pause), 1..most)
}

prop_compose! {
    /// Settings that differ in everything but the inventory.
    fn settings()(
        tables in prop_oneof![Just([3_usize, 4, 3]), Just([1000, 20_000, 10_000]), [0_usize..6, 0_usize..20, 0_usize..9]],
        windows in (1_u32..8, 1_u32..8),
        hold in 0_u32..3,
        keep in 0_u32..4,
        rules in 0_usize..=2,
        waits in (1_u64..15, 10_u64..90),
        flags in any::<[bool; 3]>(),
    ) -> Settings {
        let mut settings = Settings::new(Arc::new(inventory()));
        [settings.max_endpoints, settings.max_invocations, settings.max_cases] = tables;
        settings.rules.change(|rule| {
            rule.window = Duration::from_secs(10) * windows.0;
            (rule.min_requests, rule.min_errors) = (2, 1);
            rule.hold = Duration::from_secs(10) * hold;
            rule.keep_firing = Duration::from_secs(10) * keep;
        });
        settings.window = Duration::from_secs(10) * windows.1;
        // Mostly all.
        settings.rules.retain(|rule| rules > 0 || &*rule.name == "endpoint-5xx");
        settings.explain_wait = Duration::from_secs(waits.0);
        settings.explain_hold = Duration::from_secs(waits.1);
        settings.reporting = if flags[0] { Reporting::Live } else { Reporting::Final };
        (settings.requests, settings.totals) = (flags[1], flags[2]);
        settings
    }
}

fn feed(engine: &mut Engine, event: Event, now: Timestamp) {
    match event {
        Event::Fact(source, fact) => engine.ingest(source, fact, now),
        Event::Seal(source, at) => engine.seal(source, at),
        Event::Blind(source) => engine.blind(source, Problem::Unreachable, "no answer", now),
        Event::Tick => engine.tick(now),
    }
}

/// All that can be seen of an engine.
fn seen(engine: &mut Engine, now: Timestamp) -> impl PartialEq + std::fmt::Debug + use<> {
    let outputs = engine.drain();
    let figures = (engine.snapshot(now), engine.snapshot(now.plus(Duration::from_secs(30))), engine.totals().summary());
    let counters = (engine.dropped(), engine.future_requests(), engine.counted().to_vec());
    (outputs, engine.next_deadline(), figures, counters)
}

fn restored(engine: &Engine, settings: &Settings) -> Engine {
    let saved = engine.save();
    let again = Engine::restore(settings.clone(), &saved).expect("it was just saved");
    assert_eq!(again.save(), saved, "saving what was restored gives the same bytes");
    again
}

// === The laws ===

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn an_engine_that_was_restored_cannot_be_told_from_one_that_was_not(
        dice in dice(250),
        cuts in vec(any::<prop::sample::Index>(), 1..12),
        settings in settings(),
    ) {
        let cuts: BTreeSet<usize> = cuts.iter().map(|cut| cut.index(dice.len())).collect();
        let (mut whole, mut cut) = (Engine::new(settings.clone()), Engine::new(settings.clone()));
        for (number, (event, now)) in events(&dice, 7).into_iter().enumerate() {
            if cuts.contains(&number) {
                cut = restored(&cut, &settings);
            }
            feed(&mut whole, event.clone(), now);
            feed(&mut cut, event, now);
            prop_assert_eq!(seen(&mut whole, now), seen(&mut cut, now));
        }
        prop_assert_eq!(whole.save(), cut.save());
        let mut cut = restored(&cut, &settings);
        whole.finish();
        cut.finish();
        prop_assert_eq!(seen(&mut whole, at(0)), seen(&mut cut, at(0)));
    }

    #[test]
    fn other_settings_and_a_larger_inventory_never_stop_it(
        dice in dice(200),
        before in settings(),
        after in settings(),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(dice.len());
        let before = Settings { inventory: Arc::new(first_inventory()), ..before };
        let mut engine = Engine::new(before);
        for (event, now) in events(&dice[..cut], FIRST_SOURCES) {
            feed(&mut engine, event, now);
        }
        engine.drain();
        let mut engine = Engine::restore(after.clone(), &engine.save()).expect("more is watched");
        for (event, now) in events(&dice, 7).split_off(cut) {
            feed(&mut engine, event, now);
            for output in engine.drain() {
                for alert in output.alerts() {
                    let is_on = after.rules.iter().any(|rule| rule.name == alert.key.rule);
                    prop_assert!(is_on || alert.blindness.is_some(), "its rule is no more");
                }
            }
        }
        prop_assert_eq!(engine.counted().len(), 3);
        engine.drain();
        restored(&engine, &after);
        engine.finish();
    }

    /// APIs and log groups that are found later: as if they had been there and silent.
    #[test]
    fn what_is_added_starts_as_if_it_had_been_there(
        dice in dice(200),
        cut in any::<prop::sample::Index>(),
        settings in settings(),
    ) {
        let cut = cut.index(dice.len());
        // A log that is there from the start and silent is blind by then.
        let settings = Settings { source_blind: None, blind_after: Duration::MAX, ..settings };
        let few = Settings { inventory: Arc::new(first_inventory()), ..settings.clone() };
        let (mut whole, mut grown) = (Engine::new(settings.clone()), Engine::new(few));
        let mut history = events(&dice[..cut], FIRST_SOURCES);
        history.extend(events(&dice, 7).split_off(cut));
        for (number, (event, now)) in history.into_iter().enumerate() {
            if number == cut {
                grown.extend(Arc::clone(&settings.inventory));
            }
            feed(&mut whole, event.clone(), now);
            feed(&mut grown, event, now);
            prop_assert_eq!((whole.drain(), whole.next_deadline()), (grown.drain(), grown.next_deadline()));
        }
    }

    #[test]
    fn a_pipeline_that_was_restored_says_the_same(
        dice in dice(250),
        cuts in vec(any::<prop::sample::Index>(), 1..12),
        settings in settings(),
        wait in 0_u64..40,
    ) {
        let planned = plan::Settings { group_wait: Duration::from_secs(wait), ..plan::Settings::default() }.into();
        let cuts: BTreeSet<usize> = cuts.iter().map(|cut| cut.index(dice.len())).collect();
        let new = || Pipeline::new(settings.clone(), &planned);
        let (mut whole, mut cut) = (new(), new());
        for (number, (event, now)) in events(&dice, 7).into_iter().enumerate() {
            if cuts.contains(&number) {
                let saved = cut.save();
                cut = Pipeline::restore(settings.clone(), &planned, &saved).expect("it was just saved");
                prop_assert_eq!(cut.save(), saved);
            }
            prop_assert_eq!(say(&mut whole, event.clone(), now), say(&mut cut, event, now));
        }
        prop_assert_eq!(whole.save(), cut.save());
        prop_assert_eq!(whole.finish(), cut.finish());
    }
}

fn say(pipeline: &mut Pipeline, event: Event, now: Timestamp) -> Vec<Said> {
    match event {
        Event::Fact(source, fact) => {
            pipeline.batch(Batch { source, facts: vec![fact], sealed: None, caught_up: false }, now)
        }
        Event::Seal(source, at) => {
            pipeline.batch(Batch { source, facts: Vec::new(), sealed: Some(at), caught_up: false }, now)
        }
        Event::Blind(source) => {
            pipeline.blind(source, Problem::Unreachable, "no answer", now);
            Vec::new()
        }
        Event::Tick => pipeline.tick(now),
    }
}

#[test]
fn the_dice_lead_to_everything() {
    let mut runner = TestRunner::deterministic();
    let (mut failures, mut fired, mut resolved, mut cuts) = (0, 0, 0, 0);
    for _ in 0..40 {
        let dice = dice(400).new_tree(&mut runner).expect("a value").current();
        let settings = settings().new_tree(&mut runner).expect("a value").current();
        let mut engine = Engine::new(settings);
        for (event, now) in events(&dice, 7) {
            feed(&mut engine, event, now);
            for output in engine.drain() {
                if let Output::Failure(f) = &output {
                    failures += usize::from(f.lambda_request_id.is_some());
                }
                for alert in output.alerts() {
                    *(if alert.state == State::Firing { &mut fired } else { &mut resolved }) += 1;
                }
            }
        }
        let dropped = engine.dropped();
        cuts += usize::from(dropped.cases > 0 && dropped.invocations > 0 && dropped.overflow_requests > 0);
    }
    assert!(failures > 100 && fired > 100 && resolved > 20 && cuts > 5, "{failures} {fired} {resolved} {cuts}");
}

// === What was said outlives what was saved ===

/// One request: the slot it belongs to, its number there, whether it fails and is explained, its route, and how many
/// slots late its line comes.
type Line = (i64, i64, Option<bool>, u8, i64);

fn fact((slot, number, failed, route, _): Line) -> Fact {
    let explained = Some("Execution failed due to a timeout error".to_owned());
    let words = |is_explained: bool| GatewayWords {
        integration_error: explained.filter(|_| is_explained),
        ..GatewayWords::default()
    };
    Fact::Request(Request {
        api: ApiId(0),
        endpoint: Arc::new(Endpoint::new("GET", ["/a", "/b"][usize::from(route % 2)])),
        status: if failed.is_some() { 504 } else { 200 },
        start: at(slot * 10_000 + number),
        request_id: Some(format!("r-{slot}-{number}").into()),
        lambda_request_id: None,
        response_latency_ms: None,
        integration_latency_ms: None,
        gateway: failed.map(|is_explained| Box::new(words(is_explained))),
    })
}

/// Per slot: requests that are fine, requests that fail, route and lateness of those.
fn traffic() -> impl Strategy<Value = Vec<Line>> {
    let slot =
        (0_i64..12, prop_oneof![Just(0_i64), 0_i64..12], 0_u8..2, any::<bool>(), prop_oneof![Just(0_i64), 0_i64..7]);
    vec(slot, 2..60).prop_map(|slots| {
        let lines = slots.into_iter().zip(0_i64..).flat_map(|((fine, failed, route, explained, late), slot)| {
            let line = move |n| (slot, n, (n < failed).then_some(explained), route, if n < failed { late } else { 0 });
            (0..fine + failed).map(line)
        });
        lines.collect()
    })
}

/// A pipeline whose process dies now and then.
struct Mortal {
    settings: Settings,
    planned: Planning,
    pipeline: Pipeline,
    lines: Vec<Line>,
    /// The newest slot that was lived through.
    slot: i64,
    saved: (Saved, i64),
    fed: BTreeSet<Line>,
    /// Lines taken in and messages decided since it was saved.
    since: (Vec<Line>, Vec<Arc<Message>>),
    /// What was said before.
    story: Vec<Arc<Message>>,
}

impl Mortal {
    fn new(settings: Settings, planned: Planning, lines: Vec<Line>) -> Self {
        let mut pipeline = Pipeline::new(settings.clone(), &planned);
        pipeline.seal_all(FIRST_SOURCES, at(0));
        let saved = (pipeline.save(), -1);
        let (fed, since, story) = (BTreeSet::new(), (Vec::new(), Vec::new()), Vec::new());
        Self { settings, planned, pipeline, lines, slot: -1, saved, fed, since, story }
    }

    /// Lines in whatever order, and what is said once all is read up to the end of a slot.
    fn feed(&mut self, lines: Vec<Line>, slot: i64) {
        for line in lines {
            self.pipeline.fact(SourceId(0), fact(line), at((slot + 1) * 10_000));
            self.fed.insert(line);
            self.since.0.push(line);
        }
        let now = at((slot + 1) * 10_000);
        let mut said = self.pipeline.seal_all(FIRST_SOURCES, now);
        // Arrival time passes as well.
        said.extend(self.pipeline.tick(now));
        let message = |said| match said {
            Said::Message { message, .. } => Some(message),
            Said::Request(_) | Said::Failure(_) => None,
        };
        self.since.1.extend(said.into_iter().filter_map(message));
    }

    fn live_until(&mut self, slot: i64) {
        while self.slot < slot {
            self.slot += 1;
            let arrived = |l: &&Line| l.0 + l.4 <= self.slot && !self.fed.contains(l);
            let arrived = self.lines.iter().filter(arrived).copied().collect();
            self.feed(arrived, self.slot);
        }
    }

    fn save(&mut self) {
        self.saved = (self.pipeline.save(), self.slot);
        self.since.0.clear();
        self.story.append(&mut self.since.1);
    }

    /// Dies, and reads everything since the state was saved again: in another order, late lines in their places, slot by
    /// slot or all at once.
    fn die(&mut self, leap: bool, turn: prop::sample::Index) {
        let restore = |saved| Pipeline::restore(self.settings.clone(), &self.planned, saved).expect("it was saved");
        self.pipeline = restore(&self.saved.0);
        // Of some it is not known whether they were said before it was saved.
        for message in self.story.iter().skip(self.story.len().saturating_sub(3)).chain(&self.since.1) {
            self.pipeline.adopt(&"-".into(), message, Past::Relived);
        }
        self.pipeline = restore(&self.pipeline.save());
        let (lines, mut said) = std::mem::take(&mut self.since);
        for line in &lines {
            self.fed.remove(line);
        }
        let mut again: Vec<_> =
            self.lines.iter().filter(|l| l.0 <= self.slot && !self.fed.contains(l)).copied().collect();
        if !again.is_empty() {
            let turn = turn.index(again.len());
            again.rotate_left(turn);
        }
        let first = if leap { self.slot } else { self.saved.1 + 1 };
        self.pipeline.wake(at((first + 1) * 10_000));
        for slot in first..=self.slot {
            self.feed(std::mem::take(&mut again), slot);
        }
        // In the order in which they were said: the earlier life's come first.
        said.append(&mut self.since.1);
        self.since.1 = said;
    }
}

/// Over its whole history a key fires and resolves in turn, and what is said of an episode counts up from one.
fn is_one_story(messages: &[Arc<Message>]) -> Result<(), TestCaseError> {
    let mut standing: BTreeMap<&AlertKey, (&str, u32)> = BTreeMap::new();
    let mut over: BTreeSet<(&AlertKey, &str)> = BTreeSet::new();
    for message in messages {
        let Some(message) = message.alert() else { continue };
        let (key, episode) = (&message.alert.key, &*message.alert.episode);
        prop_assert!(!over.contains(&(key, episode)), "said of an episode that is over: {}", message.headline());
        match standing.get(key) {
            None => {
                let begins =
                    message.reason == Reason::New || message.reason == Reason::Flapping && message.alert.flapping;
                prop_assert!(begins, "{:?}", message.reason);
                prop_assert_eq!((message.seq, message.alert.state), (1, State::Firing));
            }
            Some((open, seq)) => {
                prop_assert_eq!((episode, message.seq), (*open, seq + 1));
                prop_assert_ne!(message.reason, Reason::New);
            }
        }
        standing.insert(key, (episode, message.seq));
        if message.alert.state == State::Resolved {
            standing.remove(key);
            over.insert((key, episode));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(120))]

    /// The process dies; the newest state is older than what was said. The next life reads everything since again,
    /// in other pieces and with late lines in their place, and says nothing twice and nothing that contradicts.
    #[test]
    fn what_was_said_after_the_state_was_saved_is_not_said_again(
        lines in traffic(),
        lives in (0_i64..60, 0_i64..40, 0_i64..40),
        hold in 0_u32..3,
        keep in 0_u32..6,
        wait in 0_u64..40,
        leap in any::<bool>(),
        turn in any::<prop::sample::Index>(),
    ) {
        let mut settings = Settings::new(Arc::new(first_inventory()));
        settings.rules.change(|rule| {
            rule.window = Duration::from_secs(30);
            rule.low_traffic = None;
            rule.hold = Duration::from_secs(10) * hold;
            rule.keep_firing = Duration::from_secs(10) * keep;
        });
        let planned = plan::Settings {
            group_wait: Duration::from_secs(wait),
            group_interval: Duration::from_secs(20),
            ..plan::Settings::default()
        }
        .into();
        let last = lines.last().map_or(0, |line| line.0) + 20;
        let mut mortal = Mortal::new(settings, planned, lines);
        mortal.live_until(lives.0.min(last));
        mortal.save();
        mortal.live_until((lives.0 + lives.1).min(last));
        mortal.die(leap, turn);
        // Dies again: sometimes it had come to save its state before, sometimes not.
        if turn.index(2) == 0 {
            mortal.save();
        }
        mortal.live_until((lives.0 + lives.1 + lives.2).min(last));
        mortal.die(!leap, turn);
        // Long after the last failure nothing stands any more: more than the hour that an alert may go on that came and
        // went too often.
        mortal.live_until(last + 450);
        mortal.save();
        is_one_story(&mortal.story)?;
        let said = mortal.story.iter().filter_map(|m| m.alert());
        let open: BTreeMap<_, _> = said.map(|m| (&m.alert.key, (m.alert.state, m.headline()))).collect();
        let open: Vec<_> = open.into_values().filter(|(state, _)| *state == State::Firing).collect();
        prop_assert!(open.is_empty(), "what fired resolves in the regular way: {open:?}");
    }
}

// === Bytes that are no state ===

/// Made once: it is damaged in many ways.
static STATE: LazyLock<(Settings, Saved)> = LazyLock::new(some_state);

fn some_state() -> (Settings, Saved) {
    let mut runner = TestRunner::deterministic();
    let dice = vec((any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), 0_i64..300), 300).new_tree(&mut runner);
    let mut settings = Settings::new(Arc::new(inventory()));
    settings.totals = true;
    settings.rules.change(|rule| rule.min_requests = 1);
    let mut pipeline = Pipeline::new(settings.clone(), &plan::Settings::default().into());
    for (event, now) in events(&dice.expect("values").current(), 7) {
        say(&mut pipeline, event, now);
    }
    (settings, pipeline.save())
}

/// With a checksum that is right, so that what is inside is looked at.
fn resealed(mut state: Vec<u8>, version: u32) -> Vec<u8> {
    let sum = xxh3_64_with_seed(&state, u64::from(version));
    state.extend(version.to_le_bytes());
    state.extend(sum.to_le_bytes());
    state
}

fn body(saved: &[u8]) -> &[u8] {
    &saved[..saved.len() - 12]
}

#[test]
fn a_state_is_of_a_version_and_of_an_inventory() {
    let (settings, saved) = &*STATE;
    let older = resealed(body(&saved.engine).to_vec(), engine::STATE_VERSION + 1);
    let got = Engine::restore(settings.clone(), &older).map(drop);
    let known = engine::STATE_VERSION;
    assert_eq!(got, Err(RestoreError::Version { found: known + 1, known }));
    let fewer = Settings { inventory: Arc::new(first_inventory()), ..settings.clone() };
    let got = Engine::restore(fewer.clone(), &saved.engine).map(drop);
    assert_eq!(got, Err(RestoreError::Shrunk { apis: 3, sources: 7 }));
    assert!(Pipeline::restore(fewer, &plan::Settings::default().into(), saved).is_err());
}

proptest! {
    #![proptest_config(config(120))]

    #[test]
    fn damaged_state_is_refused(
        from in any::<prop::sample::Index>(),
        flip in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        noise in vec(any::<u8>(), 0..200),
    ) {
        let (settings, saved) = &*STATE;
        let restore = |bytes: &[u8]| Engine::restore(settings.clone(), bytes).map(drop);
        let damaged = Err(RestoreError::Damaged);
        prop_assert_eq!(restore(&noise), damaged.clone());
        prop_assert_eq!(restore(&saved.engine[..from.index(saved.engine.len())]), damaged.clone());
        let mut flipped = saved.engine.clone();
        flipped[flip.index(saved.engine.len())] ^= 1 << bit;
        prop_assert_eq!(restore(&flipped), damaged);
    }

    /// Not even a checksum that is right makes nonsense dangerous.
    #[test]
    fn state_of_any_bytes_panics_nowhere(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop_oneof![4 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        noise in vec(any::<u8>(), 0..200),
        dice in dice(40),
    ) {
        let (settings, saved) = &*STATE;
        for state in [body(&saved.engine).to_vec(), body(&saved.plans).to_vec(), noise] {
            let mut state = state;
            for (index, byte) in &changes {
                if !state.is_empty() {
                    let at = index.index(state.len());
                    state[at] = *byte;
                }
            }
            if let Some(cut) = cut {
                state.truncate(cut.index(state.len() + 1));
            }
            let engine = resealed(state.clone(), engine::STATE_VERSION);
            let plan = resealed(state, plan::STATE_VERSION);
            for saved in [Saved { engine, plans: saved.plans.clone() }, Saved { engine: saved.engine.clone(), plans: plan }] {
                let restored = Pipeline::restore(settings.clone(), &plan::Settings::default().into(), &saved);
                let Ok(mut pipeline) = restored else { continue };
                for (event, now) in events(&dice, 7) {
                    say(&mut pipeline, event, now);
                    let _ = pipeline.engine().snapshot(now);
                }
                say(&mut pipeline, Event::Tick, Timestamp::MAX);
                let _ = pipeline.save();
                pipeline.finish();
            }
        }
    }
}
