//! Laws: what holds for any input, not only for the ones somebody thought of.
//!
//! Each law is one sentence of the design. The cases are few, so that all of it takes seconds; who hunts for more sets
//! `PROPTEST_CASES`. Rule: a law never repeats the code it checks: it counts anew, or says what must never be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gatewatch::engine::rules::SourceBlind;
use gatewatch::engine::tally::{Label, merge};
use gatewatch::engine::window::{SLOT, Window};
use gatewatch::engine::{Engine, Output, Settings};
use gatewatch::model::alert::{
    Alert, AlertKey, Blindness, CauseCount, CauseSample, Loss, Measure, Reason, Severity, State, Subject,
};
use gatewatch::model::cause::{Cause, CauseKind, Certainty, Evidence, Explanation, Failure, Fix, Join};
use gatewatch::model::event::{EventId, Fact, LogEvent};
use gatewatch::model::inventory::{Api, ApiId, ApiKind, Inventory, Source, SourceId, SourceKind};
use gatewatch::model::json;
use gatewatch::model::problem::Problem;
use gatewatch::model::request::{Endpoint, GatewayWords, Request};
use gatewatch::model::time::Timestamp;
use gatewatch::notify::message::{AlertMessage, Message};
use gatewatch::notify::origin::Origin;
use gatewatch::notify::{self, plan, sns};
use gatewatch::read::Reader;
use gatewatch::run::pipeline::{Pipeline, Said};
use gatewatch::tail::ids::IdRing;
use gatewatch::tail::pace::{Interval, Pace};
use gatewatch::tail::schedule::{Look, Schedule, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// 2026-11-22T09:00:00Z, a whole number of slots.
const BASE: i64 = 1_795_338_000_000;
const SLOT_MS: i64 = 10_000;
const FIVE_MINUTES: Duration = Duration::from_mins(5);

fn config(cases: u32) -> ProptestConfig {
    let from_environment = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    // No files of failures: a law that failed becomes a test with the input it failed on.
    ProptestConfig { cases: from_environment.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(BASE + ms)
}

// === Windows ===

proptest! {
    #![proptest_config(config(200))]

    /// The newest window is right, whatever came before it and in whatever order.
    #[test]
    fn a_window_is_a_recount_whatever_the_order(
        mut samples in vec((0_i64..4_000_000, 100_u16..600), 1..300),
        order in any::<prop::sample::Index>(),
        slots in 1_i64..40,
    ) {
        let length = SLOT * u32::try_from(slots).unwrap();
        let newest = samples.iter().map(|(t, _)| *t).max().unwrap();
        let turn = order.index(samples.len());
        samples.rotate_left(turn);
        let mut window = Window::new(length);
        for (time, status) in &samples {
            window.record(at(*time), *status, false);
        }
        let end = (newest / SLOT_MS + 1) * SLOT_MS;
        // A window of more than six minutes begins at a full minute.
        let width = if slots > 36 { 60_000 } else { SLOT_MS };
        let begin = (end - slots * SLOT_MS).div_euclid(width) * width;
        let inside = |t: i64| begin <= t && t < end;
        let counted: Vec<u16> = samples.iter().filter(|(t, _)| inside(*t)).map(|(_, s)| *s).collect();
        let total = window.total(at(end), length);
        prop_assert_eq!(total.requests, counted.len() as u64);
        prop_assert_eq!(total.errors(), counted.iter().filter(|s| **s >= 500).count() as u64);
        prop_assert_eq!(total.by_class.iter().map(|n| u64::from(*n)).sum::<u64>(), total.requests);
    }

    /// As long as events run ahead by no more than a minute, no older window is wrong either and nothing is refused.
    #[test]
    fn a_minute_of_skew_costs_no_count(samples in vec((0_i64..360_000, 100_u16..600), 1..300), back in 0_i64..=6) {
        let mut window = Window::new(FIVE_MINUTES);
        for (time, status) in &samples {
            prop_assert!(window.record(at(*time), *status, false), "refused at {}", time);
        }
        let end = 360_000 - back * SLOT_MS;
        let counted = samples.iter().filter(|(t, _)| (end - 300_000..end).contains(t)).count();
        prop_assert_eq!(window.total(at(end), FIVE_MINUTES).requests, counted as u64);
    }

    /// An idle year, a stamp from the future or the past: the window goes on.
    #[test]
    fn a_window_is_never_wedged(times in vec(any::<i64>(), 0..50), last in 0_i64..1_000_000) {
        let mut window = Window::new(FIVE_MINUTES);
        let earlier = times.iter().filter(|t| **t < BASE);
        for time in earlier {
            window.record(Timestamp::from_millis(*time), 502, false);
        }
        prop_assert!(window.record(at(last + 4_000_000), 502, false));
        let end = at(last + 4_000_000).floor(SLOT).plus(SLOT);
        prop_assert_eq!(window.total(end, SLOT).errors(), 1);
        // A window over absurd stamps is a number, not a panic.
        for time in times {
            let total = window.total(Timestamp::from_millis(time), FIVE_MINUTES);
            prop_assert!(total.errors() <= total.requests);
        }
    }
}

// === Engine ===

fn inventory() -> Arc<Inventory> {
    let api = Api { kind: ApiKind::Rest, ..Api::plain("shop") };
    let access = Source::group("/aws/apigateway/shop", None, SourceKind::Access(ApiId(0)));
    let lambda = Source::group("/aws/lambda/checkout-fn", None, SourceKind::Lambda);
    Arc::new(Inventory { apis: vec![api], sources: vec![access, lambda] })
}

/// As for files, where no time is one that nobody read.
fn settings() -> Settings {
    let mut settings = Settings { source_blind: None, blind_after: Duration::MAX, ..Settings::new(inventory()) };
    settings.rules.change(|rule| rule.hold = Duration::ZERO);
    settings
}

/// A request at `time`; `how` is its route and whether and how it failed.
fn request(time: i64, how: u8) -> Request {
    let words = GatewayWords {
        // A third of the failures is explained by the gateway's own words.
        integration_error: how.is_multiple_of(3).then(|| "Execution failed due to a timeout error".to_owned()),
        ..GatewayWords::default()
    };
    let failed = how >= 128;
    Request {
        api: ApiId(0),
        endpoint: Arc::new(Endpoint::new("GET", ["/a", "/b"][usize::from(how % 2)])),
        status: if failed { 502 } else { 200 },
        start: at(time),
        request_id: Some(format!("r-{time}").into()),
        lambda_request_id: None,
        response_latency_ms: None,
        integration_latency_ms: None,
        gateway: failed.then(|| Box::new(words)),
    }
}

fn alerts(engine: &mut Engine) -> Vec<Alert> {
    engine.drain().into_iter().flat_map(Output::alerts).collect()
}

/// Feeds requests in pieces of these sizes, in turn, and seals behind each.
fn alerts_in_pieces(requests: &[(i64, u8)], sizes: &[usize]) -> Vec<Alert> {
    let mut engine = Engine::new(settings());
    // All begin at the same step.
    engine.seal(SourceId(0), at(0));
    let mut all = Vec::new();
    let (mut rest, mut sizes) = (requests, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().map_or(rest.len(), |n| (*n).min(rest.len())));
        let now = at(piece.last().expect("no piece is empty").0);
        for (time, how) in piece {
            engine.ingest(SourceId(0), Fact::Request(request(*time, *how)), now);
        }
        engine.seal(SourceId(0), now);
        engine.tick(now);
        all.extend(alerts(&mut engine));
        rest = after;
    }
    engine.seal(SourceId(0), at(360_000));
    all.extend(alerts(&mut engine));
    all
}

/// Without the samples: which of a cause's failures is shown has a test of its own.
fn without_samples(mut alerts: Vec<Alert>) -> Vec<Alert> {
    alerts.iter_mut().flat_map(|a| &mut a.causes).for_each(|c| c.sample = Arc::default());
    alerts
}

#[test]
fn the_sample_of_a_cause_is_a_failure_of_the_alerts_window() {
    let burst = (0..12).map(|n| (n * 500, 128));
    let requests: Vec<_> = burst.chain([(25_000, 128)]).collect();
    // All in one page, as after a pause: the look at 10 s is made when the failure at 25 s is known already.
    let alerts = alerts_in_pieces(&requests, &[requests.len()]);
    let first = alerts.first().expect("12 of 12 fire");
    assert_eq!((first.time, first.errors), (at(10_000), 12));
    assert_eq!(first.causes[0].sample.request_id.as_deref(), Some("r-5500"), "the newest of those it counts");
}

proptest! {
    #![proptest_config(config(60))]

    /// Over what a live read may bring at once: the window and a minute.
    #[test]
    fn pieces_of_any_size_give_the_same_alerts(
        mut requests in vec((0_i64..350_000, any::<u8>()), 1..300),
        sizes in vec(1_usize..400, 1..6),
    ) {
        requests.sort_by_key(|r| r.0);
        let alerts = |sizes: &[usize]| without_samples(alerts_in_pieces(&requests, sizes));
        let one_by_one = alerts(&[1]);
        prop_assert_eq!(&alerts(&sizes), &one_by_one);
        prop_assert_eq!(&alerts(&[requests.len()]), &one_by_one);
    }

    /// What an alert says is what is in its window.
    #[test]
    fn the_numbers_of_an_alert_are_a_recount(mut requests in vec((0_i64..350_000, any::<u8>()), 1..300)) {
        requests.sort_by_key(|r| r.0);
        let of_failures = |alert: &Alert| alert.measure == Measure::Failures;
        for alert in alerts_in_pieces(&requests, &[7]).into_iter().filter(of_failures) {
            let end = alert.time.as_millis() - BASE;
            let of_it = |how: u8| alert.key.endpoint().is_none_or(|e| *e.route == *["/a", "/b"][usize::from(how % 2)]);
            let inside: Vec<_> = requests.iter().filter(|(t, how)| (end - 300_000..end).contains(t) && of_it(*how)).collect();
            let failed = inside.iter().filter(|(_, how)| *how >= 128).count() as u64;
            prop_assert_eq!((alert.requests, alert.errors), (inside.len() as u64, failed));
            if alert.state == State::Firing {
                prop_assert_eq!(alert.causes.iter().map(|c| c.count).sum::<u64>(), failed, "every failure has one cause");
            }
        }
    }

    /// Waiting for the deadline that the engine names, and doing what is due then, never leads to the same deadline:
    /// the loop around it cannot spin.
    #[test]
    fn after_a_deadline_comes_a_later_one(requests in vec((0_i64..600_000, 128_u8..), 1..100), now in 0_i64..600_000) {
        let mut engine = Engine::new(settings());
        for (time, how) in requests {
            engine.ingest(SourceId(0), Fact::Request(request(time, how)), at(now.max(time)));
        }
        let mut steps = 0;
        while let Some(deadline) = engine.next_deadline() {
            engine.tick(deadline);
            prop_assert!(engine.next_deadline().is_none_or(|next| next > deadline), "stuck at {}", deadline);
            steps += 1;
            prop_assert!(steps < 1000, "it never comes to rest");
        }
    }

    /// Whatever reads do: an alert about a log fires and resolves in turn, only when it was not read for long enough,
    /// and the loop around the engine comes to rest.
    #[test]
    fn a_log_is_told_blind_and_read_again_in_turn(
        course in vec((0_u8..4, 0_i64..200_000, 0_i64..150_000), 1..60),
        hold in 0_u64..180,
    ) {
        let hold = Duration::from_secs(hold);
        let rule = SourceBlind { hold, ..SourceBlind::default() };
        let mut engine = Engine::new(Settings { source_blind: Some(rule), ..Settings::new(inventory()) });
        let mut now = at(0);
        engine.tick(now);
        for (what, later, lag) in course {
            let source = what % 2;
            let next = now.plus(Duration::from_millis(u64::try_from(later).unwrap()));
            let mut steps = 0;
            while let Some(due) = engine.next_deadline().filter(|due| *due <= next) {
                engine.tick(due);
                steps += 1;
                prop_assert!(steps < 20, "it never comes to rest");
            }
            now = next;
            if what < 2 {
                engine.seal(SourceId(source.into()), now.minus(Duration::from_millis(u64::try_from(lag).unwrap())));
            } else {
                engine.blind(SourceId(source.into()), Problem::Denied, "no", now);
            }
            engine.tick(now);
        }
        let mut firing: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        for alert in alerts(&mut engine) {
            let Some(source) = alert.key.source().cloned() else { continue };
            let open = match alert.state {
                State::Firing => {
                    prop_assert!(alert.time.since(alert.since) >= hold);
                    firing.insert(source, alert.episode)
                }
                State::Resolved => {
                    prop_assert_eq!(firing.remove(&source), Some(alert.episode), "it had fired");
                    None
                }
            };
            prop_assert_eq!(open, None, "it had resolved");
        }
    }

    /// A failed request is reported, at least once, with revisions that count up.
    #[test]
    fn every_failure_is_reported(requests in vec((0_i64..600_000, any::<u8>()), 1..200), ticks in vec(0_i64..1_300_000, 0..20)) {
        let mut engine = Engine::new(settings());
        let mut ticks = ticks;
        ticks.sort_unstable();
        let mut failed = BTreeSet::new();
        let mut sorted = requests;
        sorted.sort_by_key(|r| r.0);
        for (number, (time, how)) in sorted.iter().enumerate() {
            let mut request = request(*time, *how);
            request.request_id = Some(number.to_string().into());
            if request.is_failure() {
                failed.insert(number.to_string());
            }
            engine.ingest(SourceId(0), Fact::Request(request), at(*time));
        }
        for tick in ticks {
            engine.tick(at(600_000 + tick));
        }
        engine.finish();
        let mut revisions: BTreeMap<String, u32> = BTreeMap::new();
        for output in engine.drain() {
            if let Output::Failure(f) = output {
                let last = revisions.entry(f.request_id.unwrap().to_string()).or_default();
                *last += 1;
                prop_assert_eq!(f.revision, *last);
            }
        }
        prop_assert_eq!(revisions.into_keys().collect::<BTreeSet<_>>(), failed);
    }
}

// === Messages ===

proptest! {
    #![proptest_config(config(80))]

    /// Any course of traffic: an episode begins with "new", counts up, ends at most once, and then another name.
    #[test]
    fn an_episode_begins_once_and_ends_at_most_once(
        slots in vec((0_u32..40, 0_u32..30, 0_u32..2), 1..120),
        hold in 0_u64..4,
        keep in 0_u64..6,
        wait in 0_u64..40,
    ) {
        let mut settings = settings();
        settings.rules.change(|rule| {
            rule.window = SLOT * 3;
            rule.hold = SLOT * u32::try_from(hold).unwrap();
            rule.keep_firing = SLOT * u32::try_from(keep).unwrap();
        });
        let planned = plan::Settings { group_wait: Duration::from_secs(wait), ..plan::Settings::default() };
        let mut pipeline = Pipeline::new(settings, &planned.into());
        let mut said = Vec::new();
        for ((fine, failed, route), slot) in slots.into_iter().zip(0_i64..) {
            for n in 0..i64::from(fine + failed) {
                let how = u8::try_from(route).unwrap() + if n < i64::from(failed) { 128 } else { 0 };
                let time = slot * SLOT_MS + n;
                pipeline.fact(SourceId(0), Fact::Request(request(time, how)), at(time));
            }
            said.extend(pipeline.seal_all(2, at((slot + 1) * SLOT_MS)));
        }
        said.extend(pipeline.finish());
        let messages = said.into_iter().filter_map(|s| match s {
            Said::Message { message, .. } => message.alert().cloned(),
            Said::Request(_) | Said::Failure(_) => None,
        });
        let mut by_key: BTreeMap<AlertKey, Vec<AlertMessage>> = BTreeMap::new();
        for message in messages {
            by_key.entry(message.alert.key.clone()).or_default().push(message);
        }
        for messages in by_key.values() {
            let mut standing: Option<(&str, u32)> = None;
            let mut over = BTreeSet::new();
            for m in messages {
                let episode = &*m.alert.episode;
                prop_assert!(!over.contains(episode), "said of an episode that is over");
                match standing {
                    None => {
                        let begins = m.reason == Reason::New || m.reason == Reason::Flapping && m.alert.flapping;
                        prop_assert!(begins, "no end without a beginning: {:?}", m.reason);
                        prop_assert_eq!((m.seq, m.alert.state), (1, State::Firing));
                        standing = Some((episode, 1));
                    }
                    Some((open, seq)) => {
                        prop_assert_eq!((episode, m.seq), (open, seq + 1), "the open episode goes on or ends first");
                        prop_assert_ne!(m.reason, Reason::New);
                        prop_assert_eq!(m.reason == Reason::Resolved, m.alert.state == State::Resolved);
                        standing = Some((open, seq + 1));
                    }
                }
                if m.alert.state == State::Resolved {
                    over.insert(episode);
                    standing = None;
                }
            }
        }
    }
}

fn message(text: &str, causes: Vec<CauseCount>, state: State, route: Option<&str>) -> Message {
    let alert = Alert {
        key: AlertKey {
            rule: "endpoint-5xx".into(),
            api: ApiId(0),
            subject: route.map_or(Subject::Api, |r| Subject::Endpoint(Arc::new(Endpoint::new("GET", r)))),
        },
        state,
        severity: Severity::Critical,
        worst: Severity::Critical,
        measure: Measure::Failures,
        value: 0.4,
        threshold: 0.01,
        errors: u64::MAX,
        requests: u64::MAX,
        window: FIVE_MINUTES,
        time: at(0),
        since: at(0),
        holds: state == State::Firing,
        episode: "0123456789ab".into(),
        causes,
        flapping: false,
        endpoints: Vec::new(),
        before: None,
        blindness: None,
    };
    AlertMessage { alert, api: text.into(), reason: Reason::New, seq: 1, query: None }.into()
}

fn cause_count(kind: CauseKind, error_type: &str, message: &str) -> CauseCount {
    let fix = Fix { text: message.to_owned(), command: Some(message.to_owned()) };
    CauseCount {
        kind,
        count: 3,
        certain: 3,
        sample: Arc::new(CauseSample {
            error_type: Some(error_type.into()),
            message: Some(message.into()),
            function: Some(error_type.into()),
            site: None,
            lambda_request_id: None,
            request_id: Some(message.into()),
            fix: Some(Arc::new(fix)),
        }),
    }
}

fn assert_within_limits(m: &Message, arn: &str) -> Result<(), TestCaseError> {
    use sns::Format::{Chat, CloudwatchAlarm, Json, PerProtocol, Text};
    let arn: Arc<str> = arn.into();
    let of = |format| sns::requests(m, &arn, format, &Origin::default()).into_iter().map(move |r| (format, r));
    for (format, request) in [Text, Json, Chat, CloudwatchAlarm, PerProtocol].into_iter().flat_map(of) {
        let subject = &request.subject;
        prop_assert!(subject.chars().count() < 100, "{} characters", subject.chars().count());
        prop_assert!(!subject.is_empty() && subject.bytes().all(|b| (b' '..=b'~').contains(&b)), "{subject:?}");
        prop_assert!(!subject.starts_with(' '), "SNS wants a letter, digit or sign first: {subject:?}");
        // SNS counts names, types and values of the attributes into the limit of the message.
        let attributes: usize =
            request.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len()).sum();
        prop_assert!(
            request.message.len() + attributes <= 262_144,
            "{format:?}: {} bytes",
            request.message.len() + attributes
        );
        prop_assert!(request.attributes.len() <= 10, "raw delivery to SQS drops messages with more");
        prop_assert!(request.attributes.iter().all(|(_, value)| !value.is_empty()), "SNS refuses empty attributes");
        if format != Text {
            let parsed = serde_json::from_str::<Value>(&request.message);
            prop_assert!(parsed.is_ok(), "cut in the middle: {parsed:?}");
        }
        for id in request.group_id.iter().chain(&request.deduplication_id) {
            prop_assert!((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn an_sns_request_is_within_its_limits(
        api in "\\PC{1,40}|[ \n\t]x", text in "(?s).{0,300}", route in proptest::option::of("(?s).{0,256}"), resolved: bool, fifo: bool,
    ) {
        let state = if resolved { State::Resolved } else { State::Firing };
        let causes = vec![cause_count(CauseKind::UnhandledException, &text, &text); 3];
        let arn = if fifo { "arn:aws:sns:eu-west-1:111122223333:ops.fifo" } else { "arn:aws:sns:eu-west-1:111122223333:ops" };
        assert_within_limits(&message(&api, causes, state, route.as_deref()), arn)?;
    }

    #[test]
    fn a_log_that_is_not_read_is_within_the_limits(name in "[a-zA-Z0-9_/.#-]{1,512}", said in "(?s).{0,1000}", resolved: bool) {
        let state = if resolved { State::Resolved } else { State::Firing };
        let mut m = message("shop", Vec::new(), state, None).alert().cloned().unwrap();
        m.alert.key.subject = Subject::Source(name.as_str().into());
        m.alert.blindness = Some(Blindness {
            problem: Problem::Service,
            said: said.into(),
            read_to: None,
            loss: Loss::Everything,
            rules: Vec::new(),
            apis: vec!["shop".into(); 1000],
        });
        let m = Message::from(m);
        assert_within_limits(&m, "arn:aws:sns:eu-west-1:111122223333:ops")?;
        let text = notify::text::render(&m, &Origin::default());
        prop_assert!(!text.contains('\r') && text.lines().skip(1).all(|l| l.starts_with("  ")), "{text}");
    }

    #[test]
    fn an_alert_parses_back(api in "(?s).{0,40}", text in "(?s).{0,300}", route in proptest::option::of("(?s).{0,100}")) {
        let m = message(&api, vec![cause_count(CauseKind::Unknown, &text, &text)], State::Firing, route.as_deref());
        let line = notify::json::render(&m, &Origin::default());
        prop_assert!(!line.contains(['\n', '\r']), "one object is one line");
        let parsed: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(parsed["api"].as_str(), Some(&*api));
        prop_assert_eq!(parsed["endpoint"]["route"].as_str(), route.as_deref());
        prop_assert_eq!(parsed["causes"][0]["sample"]["message"].as_str(), Some(&*text));
        prop_assert_eq!(parsed["causes"][0]["sample"]["request_id"].as_str(), Some(&*text));
        prop_assert_eq!(&parsed["value"], 0.4);
        prop_assert_eq!(&parsed["v"], 1);
    }

    #[test]
    fn a_failure_parses_back(text in "(?s).{0,300}", id in proptest::option::of("(?s).{0,60}")) {
        let shared: Option<Arc<str>> = id.as_deref().map(Arc::from);
        let failure = Failure {
            revision: 1,
            api: ApiId(0),
            endpoint: Arc::new(Endpoint::new("GET", &text)),
            status: 502,
            time: at(0),
            request_id: shared.clone(),
            lambda_request_id: shared.clone(),
            explanation: Arc::new(Explanation {
                cause: Cause {
                    kind: CauseKind::UnhandledException,
                    certainty: Certainty::Certain,
                    error_type: shared.clone(),
                    message: Some(text.as_str().into()),
                    join: Join::IntegrationRequestId,
                    candidates: 1,
                },
                function: shared,
                site: None,
                evidence: vec![Evidence { time: at(0), source: "g".into(), stream: "s".into(), text: text.as_str().into() }],
                fix: Fix { text: text.clone(), command: None },
            }),
        };
        let line = json::failure(&failure, &inventory());
        prop_assert!(!line.contains(['\n', '\r']), "one object is one line");
        let parsed: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(parsed["request_id"].as_str(), id.as_deref());
        prop_assert_eq!(parsed["endpoint"]["route"].as_str(), Some(&*text));
        prop_assert_eq!(parsed["cause"]["message"].as_str(), Some(&*text));
        prop_assert_eq!(parsed["evidence"][0]["text"].as_str(), Some(&*text));
        prop_assert_eq!(parsed["fix"]["text"].as_str(), Some(&*text));
    }
}

/// An API-wide alert gathers the causes of a thousand endpoints, each up to 32, each with texts up to what the readers
/// keep; and JSON may take six bytes for one.
#[test]
fn a_message_with_very_many_causes_is_within_the_limits_too() {
    for text in ["x".repeat(500), "\u{1}".repeat(500), "\u{20ac}".repeat(160)] {
        // As the engine puts them together: most stay apart by label, the rest by kind.
        let labelled = (0..2000).zip(CauseKind::ALL.iter().cycle()).map(|(n, kind)| {
            let cause = cause_count(*kind, &format!("Type{n}"), &text);
            (Label { kind: *kind, error_type: cause.sample.error_type.clone(), function: None }, cause)
        });
        let labelled: Vec<_> = labelled.collect();
        let sum: u64 = labelled.iter().map(|(_, c)| c.count).sum();
        let causes = merge(labelled);
        assert_eq!(causes.iter().map(|c| c.count).sum::<u64>(), sum, "no failure is dropped");
        let m = message("shop", causes, State::Firing, None);
        assert_within_limits(&m, "arn:aws:sns:eu-west-1:111122223333:ops").unwrap();
    }
}

// === Tailing ===

/// An event of the simulated group: stamp and when it becomes visible, in seconds.
type Put = (i64, i64);

/// What happens to a page.
#[derive(Clone, Copy, Debug)]
enum Luck {
    Fine,
    Empty,
    Repeated,
    Refused,
    Failed,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        6 => Just(Luck::Fine),
        1 => Just(Luck::Empty),
        1 => Just(Luck::Repeated),
        1 => Just(Luck::Refused),
        1 => Just(Luck::Failed),
    ]
}

/// Reads a group on the real schedule, with the real paging and ids, and returns how often each event was taken in.
/// Nothing can be read during `outages`; the last `calm` seconds are without trouble, so that what was missed can be
/// fetched.
fn tail(puts: &[Put], page_size: usize, lucks: &[Luck], outages: &[(i64, i64)], seconds: i64, calm: i64) -> Vec<u32> {
    let mut taken = vec![0; puts.len()];
    let mut by_stamp: Vec<usize> = (0..puts.len()).collect();
    by_stamp.sort_by_key(|i| puts[*i].0);
    let s = Duration::from_secs;
    let interval = Interval { start: s(5), min: s(5), max: s(15) };
    let pace = Pace::new(interval, s(29), FIVE_MINUTES, Duration::from_hours(6));
    let mut schedule = Schedule::new(pace, at(-300_000));
    let mut ring = IdRing::default();
    let mut lucks = lucks.iter().cycle();
    for second in 0..seconds {
        let now = at(second * 1000);
        let is_calm = second > seconds - calm;
        let is_out = !is_calm && outages.iter().any(|(from, to)| (*from..*to).contains(&second));
        for _ in 0..200 {
            let Step::Fetch(turn) = schedule.next(now) else { break };
            let (ask, _) = schedule.fetch(turn, now);
            let luck = match (is_calm, is_out) {
                (_, true) => Luck::Failed,
                (true, _) => Luck::Fine,
                (false, false) => *lucks.next().expect("it goes round"),
            };
            let behind = ask.token.as_deref().map_or(0, number_of);
            let in_time = |i: &&usize| {
                let stamp = at(puts[**i].0 * 1000);
                stamp >= ask.from && ask.to.is_none_or(|to| stamp <= to) && puts[**i].1 <= second
            };
            let mut visible: Vec<usize> = by_stamp.iter().filter(in_time).copied().collect();
            if ask.newest_first {
                visible.reverse();
            }
            let rest = visible.get(behind..).unwrap_or_default();
            let token_behind =
                |n: usize| Some(format!("{}-{:?}", behind + n, ask.token.as_deref().map_or(0, str::len)));
            let (events, next) = match luck {
                Luck::Failed => {
                    schedule.failed(now.plus(s(2)));
                    continue;
                }
                Luck::Refused if ask.token.is_some() => {
                    if !schedule.bad_token(turn, now) {
                        schedule.failed(now.plus(s(2)));
                    }
                    continue;
                }
                Luck::Empty => (&rest[..0], token_behind(0)),
                Luck::Repeated if ask.token.is_some() => (&rest[..page_size.min(rest.len())], ask.token.clone()),
                Luck::Fine | Luck::Refused | Luck::Repeated if rest.len() > page_size => {
                    (&rest[..page_size], token_behind(page_size))
                }
                Luck::Fine | Luck::Refused | Luck::Repeated => (rest, None),
            };
            let stamp_of = |i: &usize| at(puts[*i].0 * 1000);
            let ends = events.first().map(stamp_of).zip(events.last().map(stamp_of));
            let mut fresh = 0;
            for i in events {
                if ring.insert(stamp_of(i), EventId((*i as u128) << 80)) {
                    taken[*i] += 1;
                    fresh += 1;
                }
            }
            if schedule.page(turn, next, Look { ends, fresh }, now).stuck {
                schedule.failed(now.plus(s(2)));
            }
        }
        ring.forget_before(schedule.horizon(now).minus(Duration::from_mins(1)), now);
    }
    taken
}

/// A token says how many events lie before it.
fn number_of(token: &str) -> usize {
    token.split('-').next().and_then(|n| n.parse().ok()).expect("tokens are ours")
}

proptest! {
    #![proptest_config(config(40))]

    /// Late by up to fifty minutes, stamped up to two hours ahead, over pages that are empty, repeat, are refused or
    /// fail, and over times in which nothing can be read.
    #[test]
    fn each_event_is_taken_in_exactly_once(
        puts in vec((0_i64..2000, prop_oneof![3 => Just(0_i64), 3 => 0_i64..200, 2 => 0_i64..3000, 1 => -7200_i64..0]), 0..80),
        page in 1_usize..20,
        lucks in vec(luck(), 1..40),
        outages in vec((0_i64..3000, 0_i64..4000), 0..3),
    ) {
        // (visible, lag): an event is stamped `lag` before it is seen.
        let puts: Vec<Put> = puts.into_iter().map(|(visible, lag)| (visible - lag, visible)).collect();
        // Nothing before the first read's origin is ever read.
        let puts: Vec<Put> = puts.into_iter().filter(|(stamp, _)| *stamp >= -300).collect();
        let outages: Vec<_> = outages.into_iter().map(|(from, lasts)| (from, from + lasts)).collect();
        let taken = tail(&puts, page, &lucks, &outages, 12_000, 5000);
        for (put, times) in puts.iter().zip(taken) {
            prop_assert_eq!(times, 1, "stamped {} s, visible from {} s", put.0, put.1);
        }
    }

    #[test]
    fn an_id_is_new_exactly_once_as_long_as_it_is_remembered(ids in vec((0_i64..3600, 0_u8..40), 0..300), horizon in 0_i64..3600) {
        let mut ring = IdRing::default();
        let mut naive = BTreeSet::new();
        for (second, id) in &ids {
            let stamp = at(second * 1000);
            let new = naive.insert((*second, *id));
            let id = EventId(u128::from(*id) << 80);
            prop_assert_eq!(ring.insert(stamp, id), new);
        }
        prop_assert_eq!(ring.len(), naive.len());
        ring.forget_before(at(horizon * 1000), at(4_000_000));
        for (second, id) in naive.iter().filter(|(s, _)| *s >= horizon) {
            let id = EventId(u128::from(*id) << 80);
            prop_assert!(!ring.insert(at(second * 1000), id), "what a read still reaches is remembered");
        }
    }
}

// === Reading ===

/// Lines as they stand in logs of all kinds.
const LINES: &[&str] = &[
    r#"{"requestId":"84ea9398-0000-4000-8000-000000000000","extendedRequestId":"abc=","requestTimeEpoch":"1795338000443","apiId":"a","stage":"prod","httpMethod":"POST","resourcePath":"/checkout","status":"502","responseLatency":"237","responseLength":"36","integrationRequestId":"72566006-0000-4000-8000-000000000000","integrationStatus":"200","functionStatus":"-","integrationLatency":"234","integrationError":"Lambda Customer Function Error:boom","errorMessage":"Internal server error","errorType":"INTEGRATION_FAILURE","authorizerError":"-","authorizerRequestId":"-","wafError":"-","xrayTraceId":"-"}"#,
    r#"{"requestId":"x","ip":"203.0.113.7","method":"POST","path":"/checkout","status":502,"integrationLatency":-1,"responseLatency":29001}"#,
    r#"{"context":{"error":{"message":"Internal server error","responseType":"INTEGRATION_FAILURE"},"requestId":"x","routeKey":"GET /pets/{id}","status":"500"}}"#,
    "(a1b2c3d4) Extended Request Id: FgH1iJkLmN HTTP Method: POST Resource Path: /checkout Status: 502 Integration Latency: - Response Latency: 29001",
    r#"203.0.113.7 - - [22/Nov/2026:09:00:00 +0000] "GET /pets HTTP/1.1" 502 12 c6af9ac6-7b61-11e6-9a41-93e8deadbeef"#,
    "START RequestId: 72566006-0000-4000-8000-000000000000 Version: $LATEST\n",
    "END RequestId: 72566006-0000-4000-8000-000000000000\n",
    "REPORT RequestId: 72566006\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\tStatus: error\tError Type: Runtime.ExitError\n",
    "INIT_REPORT Init Duration: 137.69 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n",
    "2026-11-22T09:00:00.443Z 72566006 Task timed out after 3.00 seconds\n\n",
    "2026-11-22T09:00:00.443Z\t72566006\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"x is not a function\",\"stack\":[\"TypeError: x\",\"    at handler (/var/task/index.js:12:34)\"]}\n",
    "ERROR  Invoke Error\n{\n  \"errorType\": \"TypeError\",\n  \"stackTrace\": [\n    \"at handler (/var/task/index.js:12:34)\"\n  ]\n}",
    "[ERROR] KeyError: 'items'\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 12, in handler\n    return event['items']\n",
    "[ERROR]\t2026-11-22T09:00:00.443Z\t72566006\tcould not pay \u{20ac} 12\n",
    "RequestId: 72566006 Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
    "RequestId: 72566006 Process exited before completing request\n",
    r#"{"time":"2026-11-22T09:00:00.443Z","type":"platform.report","record":{"requestId":"72566006","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":1.5}}}"#,
    "(0c3f) Execution failed due to configuration error: Malformed Lambda proxy response\n",
];

fn sources() -> [SourceKind; 2] {
    [SourceKind::Access(ApiId(0)), SourceKind::Lambda]
}

/// Reads all texts as each kind of source; of an access log every line is a fact or is counted.
fn read_all(texts: &[String]) -> Result<(), TestCaseError> {
    for kind in sources() {
        let mut reader = Reader::new(kind);
        let mut facts = Vec::new();
        for (text, n) in texts.iter().zip(0_i64..) {
            let stream = ["one", "two"][usize::from(n % 2 == 0)].into();
            reader.read(LogEvent { stream, time: at(n), text: text.clone() }, &mut facts);
        }
        reader.finish(&mut facts);
        let unread: u64 = reader.unread().values().sum();
        if kind != SourceKind::Lambda {
            prop_assert_eq!(
                facts.len() as u64 + unread,
                texts.len() as u64,
                "a line is a fact or is counted as unread"
            );
        }
        // What was read can be counted and explained, whatever it says.
        let mut engine = Engine::new(settings());
        for fact in facts {
            engine.ingest(SourceId(u16::from(kind == SourceKind::Lambda)), fact, at(1000));
        }
        engine.seal(SourceId(0), at(20_000));
        engine.finish();
        for output in engine.drain() {
            if let Output::Failure(failure) = output {
                let line = json::failure(&failure, &inventory());
                prop_assert!(serde_json::from_str::<Value>(&line).is_ok());
            }
        }
    }
    Ok(())
}

/// A real line with something done to it.
fn mutated() -> impl Strategy<Value = String> {
    let bytes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (prop::sample::select(LINES), bytes, any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..4).prop_map(
        |(line, bytes, from, to, how)| {
            let mut text = line.as_bytes().to_vec();
            for (index, byte) in bytes {
                let at = index.index(text.len());
                text[at] = byte;
            }
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            match how {
                0 => text.truncate(from),
                1 => drop(text.drain(from.min(to)..from.max(to))),
                2 => {
                    let piece = text[from.min(to)..from.max(to)].to_vec();
                    text.extend(piece);
                }
                _ => {}
            }
            String::from_utf8_lossy(&text).into_owned()
        },
    )
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn no_text_makes_a_reader_panic(texts in vec("(?s).{0,120}", 1..8)) {
        read_all(&texts)?;
    }

    #[test]
    fn no_damaged_line_makes_a_reader_panic(texts in vec(mutated(), 1..12)) {
        read_all(&texts)?;
    }
}

#[test]
fn the_sample_lines_are_what_they_are_said_to_be() {
    let facts = |kind| {
        let mut reader = Reader::new(kind);
        let mut facts = Vec::new();
        for line in LINES {
            reader.read(LogEvent { stream: "s".into(), time: at(0), text: (*line).to_owned() }, &mut facts);
        }
        reader.finish(&mut facts);
        facts.len()
    };
    assert!(facts(SourceKind::Access(ApiId(0))) >= 4, "mutations of lines that say nothing test nothing");
    assert!(facts(SourceKind::Lambda) >= 10);
}

#[test]
fn nesting_does_not_overflow_the_stack() {
    let deep = "{\"a\":".repeat(200_000);
    let closed = "{\"a\":".repeat(5_000) + "1" + &"}".repeat(5_000);
    let arrays = "[".repeat(200_000);
    let invoke = format!("ERROR Invoke Error {deep}");
    let invoke_arrays = format!("ERROR Invoke Error {{\"stack\":{arrays}");
    read_all(&[deep, closed, arrays, invoke, invoke_arrays]).unwrap();
}
