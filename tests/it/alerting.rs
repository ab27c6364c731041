//! Alerts from end to end: what is said of one incident, whoever reads it and however its lines come.
//!
//! The real binary over files, the daemon's own reading under the clock that jumps, and the pipeline fed by hand. What is
//! compared is what a person acts on: rule, endpoint, state, reason, severity, counts, time and number of the message.
//! Rule: no text is compared and no time is waited for; traffic is arithmetic, so every number follows from its lines.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gatewatch::config::Config;
use gatewatch::engine::{Counted, Settings};
use gatewatch::model::event::{Batch, Fact, LogEvent};
use gatewatch::model::inventory::{ApiId, Inventory, Source, SourceId, SourceKind};
use gatewatch::model::own::{Own, OwnGroup};
use gatewatch::model::time::Timestamp;
use gatewatch::notify::json;
use gatewatch::notify::message::Message;
use gatewatch::notify::origin::Origin;
use gatewatch::read::Reader;
use gatewatch::run::pipeline::{Pipeline, Said};
use gatewatch::sim::{Fault, Planned};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::exactness::folder;
use crate::exactness::world::{End, World, minutes};

const ACCESS: &str = "/aws/apigateway/shop";
const LAMBDA: &str = "/aws/lambda/checkout-fn";
const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const SLOT: i64 = 10 * SECOND;

const fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

fn config() -> Config {
    Config::ad_hoc("shop", vec![ACCESS.to_owned()], vec![LAMBDA.to_owned()])
}

/// All rules at once: those that are on, and those of `config.example.toml` that are off.
const ALL_RULES: &str = r#"
[[api]]
name = "shop"
access_log_groups = ["/aws/apigateway/shop"]
lambda_log_groups = ["/aws/lambda/checkout-fn"]
[[rule]]
name = "new-cause"
learn = "0s"
[[rule]]
name = "5xx-count"
enabled = true
count = 10
[[rule]]
name = "latency"
enabled = true
[[rule]]
name = "slow-fraction"
enabled = true
[[rule]]
name = "traffic-gone"
enabled = true
before = { window = "5m", min_samples = 100 }
[[rule]]
name = "burn-rate"
objective = 0.999
windows = { elevated = ["1h", "5m"], high = ["10m", "2m"], critical = ["5m", "1m"] }
"#;

fn all_rules() -> Config {
    Config::parse(ALL_RULES, Path::new("all.toml")).expect("it is a configuration")
}

// === Traffic ===

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Fine,
    /// The function throws; its lines say so.
    Throws,
    /// No function is run.
    NotInvoked,
    /// The gateway stops waiting.
    TimesOut,
    /// Well, but late.
    Slow,
}

/// One line of a log, with when it is written.
#[derive(Clone, Debug)]
struct Line {
    group: &'static str,
    time: Timestamp,
    written: Timestamp,
    id: u64,
    text: String,
}

/// The lines of a request that begins at `start`. Each has its own `serial`.
fn lines(start: Timestamp, route: &str, ending: Ending, serial: u64) -> Vec<Line> {
    // As the clock's world wants them: a seed, and the serial.
    let id = |seed: u32| format!("{seed:08x}-0000-4000-8000-{serial:012x}");
    let (request, invocation) = (id(1), id(2));
    let (status, latency, words) = match ending {
        Ending::Fine => (200, 40, ""),
        Ending::Slow => (200, 4000, ""),
        Ending::Throws => (502, 40, r#","functionStatus":"200""#),
        Ending::NotInvoked => (500, 5, ""),
        Ending::TimesOut => (504, 29_010, r#","integrationError":"Execution failed due to a timeout error""#),
    };
    let access = format!(
        r#"{{"requestId":"{request}","requestTimeEpoch":"{}","httpMethod":"GET","resourcePath":"{route}","status":"{status}","responseLatency":"{latency}","integrationLatency":"{latency}","integrationRequestId":"{invocation}"{words}}}"#,
        start.as_millis()
    );
    let written = start.plus(ms(latency));
    let mut lines = vec![Line { group: ACCESS, time: start, written, id: serial * 8, text: access }];
    let function = match ending {
        Ending::NotInvoked => Vec::new(),
        Ending::Fine | Ending::Slow | Ending::TimesOut => vec![format!(
            "REPORT RequestId: {invocation}\tDuration: {latency}.00 ms\tBilled Duration: {latency} ms\tMemory Size: 128 MB\tMax Memory Used: 60 MB\t\n"
        )],
        Ending::Throws => vec![
            format!(
                "2026-11-22T10:00:00.000Z\t{invocation}\tERROR\tInvoke Error \t{{\"errorType\":\"TypeError\",\"errorMessage\":\"Cannot read properties of undefined (reading 'items')\",\"stack\":[\"TypeError: Cannot read properties of undefined (reading 'items')\",\"    at Runtime.handler (/var/task/index.js:12:3)\"]}}\n"
            ),
            format!(
                "REPORT RequestId: {invocation}\tDuration: 38.00 ms\tBilled Duration: 39 ms\tMemory Size: 128 MB\tMax Memory Used: 60 MB\t\n"
            ),
        ],
    };
    for (text, n) in function.into_iter().zip(1..) {
        lines.push(Line { group: LAMBDA, time: written, written, id: serial * 8 + n, text });
    }
    lines
}

/// `per_minute` requests to each of `routes` from `from` for so long, evenly; `ending` says how those of a route end at a
/// time (milliseconds from `from`). In the order in which they are written.
fn traffic(
    from: Timestamp,
    span: i64,
    routes: usize,
    per_minute: i64,
    ending: impl Fn(usize, i64) -> Ending,
) -> Vec<Line> {
    let step = MINUTE / per_minute;
    let mut all = Vec::new();
    for (n, at) in (0..span / step).map(|n| (n, n * step)) {
        for route in 0..routes {
            // Never at the edge of a slot: where a request counts must not hang on a rounding.
            let apart = 100 + i64::try_from(route).expect("a few") % 50 * 10;
            let serial = u64::try_from(n).expect("not negative") * routes as u64 + route as u64;
            all.extend(lines(from.plus(ms(at + apart)), &format!("/r{route}"), ending(route, at), serial));
        }
    }
    all.sort_by_key(|line| (line.written, line.id));
    all
}

/// Puts the lines where the daemon reads, each readable a moment after it is written.
fn feed(world: &World, lines: &[Line]) {
    let planned = lines.iter().map(|line| Planned {
        group: line.group.into(),
        stream: "2026/11/22/[$LATEST]0".into(),
        time: line.time,
        written: line.written,
        visible_at: line.written.plus(ms(200 + i64::try_from(line.id % 7).expect("small") * 100)),
        text: line.text.clone(),
        serial: line.id,
    });
    let mut planned: Vec<_> = planned.collect();
    planned.sort_by_key(|event| event.visible_at);
    world.service.feed(planned.into_iter());
}

/// Runs `gatewatch replay` over the lines, given in the order in which they stand in the files. The lines are events with
/// an id, so that one that stands there twice is known again.
fn replay(config: &str, lines: &[Line], output: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(folder.path().join("config.toml"), config).expect("a file can be written");
    let mut arguments = vec!["--config", "config.toml", "replay", "--output", output];
    for (group, option) in [(ACCESS, "--access"), (LAMBDA, "--lambda")] {
        let mut text = String::new();
        for line in lines.iter().filter(|line| line.group == group) {
            let event = json!({
                "logStreamName": "2026/11/22/[$LATEST]0",
                "timestamp": line.time.as_millis(),
                "message": line.text,
                "eventId": line.id.to_string(),
            });
            writeln!(text, "{event}").expect("a string takes all");
        }
        if text.is_empty() {
            continue;
        }
        let name = &option[2..];
        fs::write(folder.path().join(name), text).expect("a file can be written");
        arguments.extend([option, name]);
    }
    let done = Command::new(env!("CARGO_BIN_EXE_gatewatch"))
        .args(arguments)
        .env_clear()
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|v| ("LLVM_PROFILE_FILE", v)))
        .current_dir(folder.path())
        .output()
        .expect("the program can be started");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("it writes UTF-8")
}

/// The alert objects of an output.
fn alerts(output: &str) -> Vec<Value> {
    let objects = output.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is an object"));
    objects.filter(|object| object["type"] == "alert").collect()
}

/// What a person acts on.
fn told(alert: &Value) -> String {
    let of = [
        "time", "kind", "rule", "endpoint", "state", "reason", "severity", "worst", "errors", "requests", "since",
        "seq", "episode",
    ];
    let said: Vec<_> = of.iter().map(|name| format!("{name}={}", alert[name])).collect();
    said.join(" ")
}

fn all_told(alerts: &[Value]) -> Vec<String> {
    alerts.iter().map(told).collect()
}

/// As the sinks of a daemon get it.
fn as_object(message: &Message) -> Value {
    serde_json::from_str(&json::render(message, &Origin::default())).expect("it is JSON")
}

/// Every alert that fired has resolved, each once, and nothing resolved that never fired.
fn nothing_is_left(alerts: &[Value]) {
    let mut open = BTreeSet::new();
    for alert in alerts {
        let episode = alert["episode"].as_str().expect("each has one");
        match alert["state"].as_str() {
            Some("resolved") => assert!(open.remove(episode), "resolved and not open: {alert:#}"),
            _ => {
                open.insert(episode);
            }
        }
    }
    assert!(open.is_empty(), "still open: {open:?}");
}

// === Replay and live ===

/// Half an hour of six endpoints; for four minutes `/r1` throws.
fn incident(from: Timestamp) -> Vec<Line> {
    traffic(from, 30 * MINUTE, 6, 12, |route, at| {
        let bad = route == 1 && (8 * MINUTE..12 * MINUTE).contains(&at);
        if bad { Ending::Throws } else { Ending::Fine }
    })
}

#[test]
fn what_a_daemon_says_is_what_a_replay_says() {
    // A daemon may wait for lines of functions that a file has at once.
    let (mut world, mut config) = (World::new(), config());
    config.notify.group_wait = Duration::ZERO;
    let begun = world.now();
    let lines = incident(begun.plus(ms(MINUTE)));
    feed(&world, &lines);
    world.live(&config, minutes(5), None, End::Stop(begun.plus(minutes(33))));
    assert_eq!(world.heard.len(), 30 * 12 * 6, "all was read");
    let live: Vec<_> = world.messages().iter().map(|m| as_object(m)).collect();
    let replayed = alerts(&replay(&format!("{}[notify]\ngroup_wait = \"0s\"\n", minimal()), &lines, "json"));
    assert!(!live.is_empty());
    assert_eq!(all_told(&live), all_told(&replayed));
    nothing_is_left(&live);
}

fn minimal() -> String {
    format!("[[api]]\nname = \"shop\"\naccess_log_groups = [\"{ACCESS}\"]\nlambda_log_groups = [\"{LAMBDA}\"]\n")
}

// === Quiet starts ===

#[test]
fn a_start_without_state_long_after_a_burst_says_nothing() {
    let (mut world, config) = (World::new(), config());
    let begun = world.now();
    // Ended twenty minutes before the start, and so within what is read again every ten minutes.
    feed(
        &world,
        &traffic(begun, 45 * MINUTE, 4, 12, |route, at| {
            if route == 2 && (8 * MINUTE..10 * MINUTE).contains(&at) { Ending::Throws } else { Ending::Fine }
        }),
    );
    world.pass(minutes(30));
    world.live(&config, config.longest_window(), None, End::Stop(begun.plus(minutes(45))));
    assert!(world.heard.len() > 4 * 12 * 14, "it reads: {}", world.heard.len());
    assert_eq!(world.messages().iter().map(|m| as_object(m)).collect::<Vec<_>>(), Vec::<Value>::new());
}

#[test]
fn a_start_amid_an_incident_fires_once_and_a_second_life_says_it_no_more_and_resolves_once() {
    let (mut world, config) = (World::new(), config());
    let folder = folder();
    let begun = world.now();
    feed(
        &world,
        &traffic(begun, 32 * MINUTE, 4, 12, |route, at| {
            if route == 2 && (5 * MINUTE..18 * MINUTE).contains(&at) { Ending::Throws } else { Ending::Fine }
        }),
    );
    world.pass(minutes(9));
    world.live(&config, config.longest_window(), Some(folder.path()), End::Stop(begun.plus(minutes(12))));
    let first: Vec<_> = world.messages().iter().map(|m| as_object(m)).collect();
    let firing = |alerts: &[Value]| alerts.iter().filter(|a| a["reason"] == "new").count();
    assert_eq!((first.len(), firing(&first)), (1, 1), "{:#?}", all_told(&first));
    assert_eq!((&first[0]["rule"], &first[0]["endpoint"]["route"]), (&json!("endpoint-5xx"), &json!("/r2")));
    // Killed and regular ends, while it fires and after.
    for end in [End::Kill(begun.plus(minutes(14))), End::Stop(begun.plus(minutes(16)))] {
        world.live(&config, config.longest_window(), Some(folder.path()), end);
        assert_eq!(world.messages().len(), 1, "nothing is said again");
    }
    world.live(&config, config.longest_window(), Some(folder.path()), End::Stop(begun.plus(minutes(32))));
    let all: Vec<_> = world.messages().iter().map(|m| as_object(m)).collect();
    assert_eq!(all.len(), 2, "{:#?}", all_told(&all));
    assert_eq!((&all[1]["reason"], &all[1]["seq"]), (&json!("resolved"), &json!(2)));
    nothing_is_left(&all);
}

/// Lives without a state amid an incident on one route, to its end, and after; what each of them told.
fn lives_without_state(world: &mut World) -> Vec<Vec<Value>> {
    let (config, begun) = (config(), world.now());
    feed(
        world,
        &traffic(begun, 45 * MINUTE, 4, 12, |route, at| {
            if route == 2 && (5 * MINUTE..18 * MINUTE).contains(&at) { Ending::Throws } else { Ending::Fine }
        }),
    );
    world.pass(minutes(4));
    let mut told = Vec::new();
    for until in [8, 9, 14, 32, 45] {
        let before = world.messages().len();
        world.live(&config, config.longest_window(), None, End::Stop(begun.plus(minutes(until))));
        told.push(world.messages()[before..].iter().map(|m| as_object(m)).collect());
    }
    told
}

/// How often an alert was said to be new and to be over, in each life. Amid an incident the severity may rise as well;
/// that has nothing to do with the lives.
fn news(told: &[Vec<Value>]) -> Vec<(usize, usize)> {
    let many = |life: &[Value], reason: &str| life.iter().filter(|alert| alert["reason"] == reason).count();
    told.iter().map(|life| (many(life, "new"), many(life, "resolved"))).collect()
}

fn episodes(told: &[Vec<Value>]) -> BTreeSet<String> {
    told.iter().flatten().map(|alert| alert["episode"].to_string()).collect()
}

#[test]
fn a_restart_that_knows_nothing_tells_what_is_still_bad_once_more_and_nothing_of_what_is_over() {
    let told = lives_without_state(&mut World::new());
    assert_eq!(news(&told), [(1, 0), (1, 0), (1, 0), (1, 1), (0, 0)], "{told:#?}");
    assert!(told[4].is_empty() && told[..4].iter().all(|life| life[0]["reason"] == "new"), "{told:#?}");
    assert_eq!(episodes(&told).len(), 4, "each life has its own");
    // What was before is in the numbers, but it is this life that begins to watch.
    let since = |life: &[Value]| stamp(&life[0]["since"]);
    assert!(told[..4].windows(2).all(|two| since(&two[0]) < since(&two[1])), "{told:#?}");
    let last = told[3].last().expect("it resolves");
    assert_eq!((&last["reason"], &last["episode"]), (&json!("resolved"), &told[3][0]["episode"]));
}

fn output() -> Own {
    let (name, streams) = ("/ecs/gatewatch".to_owned(), Some("ecs/gatewatch/".to_owned()));
    Own { group: OwnGroup { name, region: None, account: None, streams }, task: Some("prod/shop".into()) }
}

#[test]
fn a_restart_without_state_knows_what_was_told_from_its_own_output() {
    let mut world = World::new();
    world.output = Some(output());
    // In the same group, and not ours to read.
    world.service.put("/ecs/gatewatch", "shop/shop/1", world.now(), world.now(), "hello");
    let told = lives_without_state(&mut world);
    assert_eq!(news(&told), [(1, 0), (0, 0), (0, 0), (0, 1), (0, 0)], "{told:#?}");
    assert_eq!(episodes(&told).len(), 1, "{told:#?}");
    let numbers: Vec<_> = told.iter().flatten().map(|alert| alert["seq"].as_u64().expect("each has one")).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    let since: BTreeSet<_> = told.iter().flatten().map(|alert| stamp(&alert["since"])).collect();
    assert_eq!(since.len(), 1, "the incident began when it began");
}

#[test]
fn what_was_told_of_an_api_ends_where_no_state_knows_its_old_name() {
    let mut world = World::new();
    world.output = Some(output());
    let (config, begun) = (config(), world.now());
    feed(
        &world,
        &traffic(
            begun,
            20 * MINUTE,
            4,
            12,
            |route, at| {
                if route == 2 && 5 * MINUTE <= at { Ending::Throws } else { Ending::Fine }
            },
        ),
    );
    world.pass(minutes(4));
    let mut renamed = config.clone();
    renamed.apis[0].name = "store".to_owned();
    let lives = [(&config, 10), (&renamed, 14), (&renamed, 18)].map(|(config, until)| {
        let before = world.messages().len();
        world.live(config, config.longest_window(), None, End::Stop(begun.plus(minutes(until))));
        world.messages()[before..].iter().map(|m| as_object(m)).collect::<Vec<_>>()
    });
    let of = |life: &[Value], api: &str| life.iter().filter(|alert| alert["api"] == api).cloned().collect::<Vec<_>>();
    let shop = of(&lives[0], "shop");
    let last = shop.last().expect("it fires");
    assert_eq!(last["state"], "firing");
    let over = of(&lives[1], "shop");
    assert_eq!(over.len(), 1, "{over:#?}");
    assert_eq!((&over[0]["reason"], &over[0]["episode"]), (&json!("resolved"), &last["episode"]));
    assert_eq!(over[0]["seq"].as_u64(), last["seq"].as_u64().map(|seq| seq + 1));
    let store = of(&lives[1], "store");
    assert_eq!(store.first().map(|alert| &alert["reason"]), Some(&json!("new")), "{store:#?}");
    assert_eq!(of(&lives[2], "shop"), [] as [Value; 0], "once");
}

/// So many endpoints that they are told as one, without a rule over the API that would tell it instead.
#[test]
fn a_digest_is_known_from_the_own_output_as_well() {
    let config = format!("{}[[rule]]\nname = \"api-5xx\"\nenabled = false\n", minimal());
    let config = Config::parse(&config, Path::new("shop.toml")).expect("it is a configuration");
    let mut world = World::new();
    world.output = Some(output());
    let begun = world.now();
    feed(
        &world,
        &traffic(begun, 45 * MINUTE, 20, 12, |_, at| {
            if (5 * MINUTE..18 * MINUTE).contains(&at) { Ending::Throws } else { Ending::Fine }
        }),
    );
    world.pass(minutes(4));
    for until in [9, 14, 45] {
        world.live(&config, config.longest_window(), None, End::Stop(begun.plus(minutes(until))));
    }
    let told: Vec<_> = world.messages().iter().map(|m| as_object(m)).collect();
    let kinds: Vec<_> = told.iter().map(|m| (m["kind"].as_str(), m["reason"].as_str())).collect();
    assert_eq!(kinds.first(), Some(&(Some("digest"), Some("new"))), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|(_, reason)| *reason == Some("new")).count(), 1, "{kinds:?}");
    assert_eq!(kinds.last(), Some(&(Some("digest"), Some("resolved"))), "{kinds:?}");
    let last = &told[told.len() - 1]["digest"];
    assert_eq!((&last["firing"], &last["resolved"]), (&json!(0), &json!(20)));
    nothing_is_left(&told);
}

#[test]
fn an_output_that_cannot_be_read_is_no_reason_not_to_watch() {
    let mut world = World::new();
    world.output = Some(output());
    world.service.create_group("/ecs/gatewatch");
    world.service.fault("/ecs/gatewatch", Fault::AccessDenied);
    let told = lives_without_state(&mut world);
    assert_eq!(news(&told), [(1, 0), (1, 0), (1, 0), (1, 1), (0, 0)], "{told:#?}");
}

// === In whatever order ===

/// One of each kind of trouble: `/r0` throws, `/r1` is not invoked, `/r2` times out, `/r3` is slow, and then nothing
/// comes for a while.
fn troubles(from: Timestamp) -> Vec<Line> {
    let mut lines = traffic(from, 45 * MINUTE, 5, 20, |route, at| match (route, at / MINUTE) {
        (0, 10..14) => Ending::Throws,
        (1, 18..26) => Ending::NotInvoked,
        (2, 12..15) => Ending::TimesOut,
        (3, 9..15) => Ending::Slow,
        _ => Ending::Fine,
    });
    let gone = from.plus(ms(30 * MINUTE))..from.plus(ms(37 * MINUTE));
    lines.retain(|line| !gone.contains(&line.time));
    lines
}

#[test]
fn late_repeated_and_disordered_files_say_the_same() {
    let lines = troubles(World::new().now());
    let first = replay(ALL_RULES, &lines, "json");
    let said = alerts(&first);
    let rules: BTreeSet<_> = said.iter().filter_map(|alert| alert["rule"].as_str()).collect();
    for rule in ["endpoint-5xx", "api-5xx", "no-invocations", "latency", "traffic-gone", "burn-rate"] {
        assert!(rules.contains(rule), "{rule} is not among {rules:?}");
    }
    assert!(!rules.contains("5xx-count"), "the share of the API tells it");
    nothing_is_left(&said);
    let reversed: Vec<_> = lines.iter().rev().cloned().collect();
    let twice: Vec<_> = lines.iter().flat_map(|line| [line.clone(), line.clone()]).collect();
    // Each by up to a minute later than it was written, in no order.
    let mut late = lines.clone();
    late.sort_by_key(|line| (line.written.plus(ms(i64::try_from(line.id * 7919 % 60_000).expect("small"))), line.id));
    for (way, lines) in [("reversed", reversed), ("twice", twice), ("late", late)] {
        let other = replay(ALL_RULES, &lines, "json");
        assert_eq!(all_told(&alerts(&other)), all_told(&said), "{way}");
        assert_eq!(other.lines().last(), first.lines().last(), "{way}: the summary");
    }
}

/// The settings of a pipeline that is fed by hand: no log is waited for.
fn settings(config: &Config) -> Settings {
    let apis = config.inventory("eu-west-1").apis;
    let access = Source::group(ACCESS, None, SourceKind::Access(ApiId(0)));
    let sources = vec![access, Source::group(LAMBDA, None, SourceKind::Lambda)];
    let inventory = Arc::new(Inventory { apis, sources });
    Settings { rules: config.rules.clone(), source_blind: None, blind_after: Duration::MAX, ..Settings::new(inventory) }
}

/// The facts of lines, with the source and the time of each.
fn facts(lines: &[Line]) -> Vec<(Timestamp, SourceId, Fact)> {
    let mut access = Reader::of(SourceKind::Access(ApiId(0)), None, true);
    let mut lambda = Reader::of(SourceKind::Lambda, None, true);
    let mut facts = Vec::new();
    for line in lines {
        let (source, reader) =
            if line.group == ACCESS { (SourceId(0), &mut access) } else { (SourceId(1), &mut lambda) };
        let event = LogEvent { stream: "2026/11/22/[$LATEST]0".into(), time: line.time, text: line.text.clone() };
        let mut found = Vec::new();
        reader.read(event, &mut found);
        facts.extend(found.into_iter().map(|fact| (line.written, source, fact)));
    }
    facts
}

/// What a pipeline was given, in the order in which it was.
#[derive(Clone, Debug)]
enum Given {
    Batch(Batch, Timestamp),
    /// All logs are read up to the first, at the second.
    Sealed(Timestamp, Timestamp),
}

/// Facts in pieces of these sizes, in turn, in the order they have. Behind each piece both logs are read up to `lag`
/// before its last fact.
fn given(facts: &[(Timestamp, SourceId, Fact)], sizes: &[usize], lag: Duration) -> Vec<Given> {
    let mut all = Vec::new();
    let mut now = Timestamp::MIN;
    let (mut rest, mut sizes) = (facts, sizes.iter().cycle());
    while let Some(size) = sizes.next().filter(|_| !rest.is_empty()) {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        now = piece.iter().fold(now, |now, (at, ..)| now.max(*at));
        // A batch is of one log.
        for of_one in piece.chunk_by(|a, b| a.1 == b.1) {
            let facts = of_one.iter().map(|(.., fact)| fact.clone()).collect();
            all.push(Given::Batch(Batch { source: of_one[0].1, facts, sealed: None, caught_up: false }, now));
        }
        all.push(Given::Sealed(now.minus(lag), now));
        rest = after;
    }
    all
}

/// What a pipeline says to all this and twenty minutes of nothing behind it, and what it counted.
fn fed(config: &Config, begin: Timestamp, given: &[Given]) -> (Vec<Value>, Counted) {
    let mut pipeline = Pipeline::new(settings(config), &config.notify.clone().into());
    let mut said = pipeline.seal_all(2, begin);
    let mut last = begin;
    for given in given {
        match given {
            Given::Batch(batch, now) => said.extend(pipeline.batch(batch.clone(), *now)),
            Given::Sealed(to, now) => {
                for source in [SourceId(0), SourceId(1)] {
                    let batch = Batch { source, facts: Vec::new(), sealed: Some(*to), caught_up: false };
                    said.extend(pipeline.batch(batch, *now));
                }
                said.extend(pipeline.tick(*now));
                last = last.max(*now);
            }
        }
    }
    for step in 1..=120 {
        said.extend(pipeline.seal_all(2, last.plus(ms(step * SLOT))));
    }
    said.extend(pipeline.finish());
    let message = |said| if let Said::Message { message, .. } = said { Some(as_object(&message)) } else { None };
    (said.into_iter().filter_map(message).collect(), pipeline.engine().counted()[0])
}

/// Any course of ten minutes over three endpoints: for each half minute, how requests to each end.
fn course() -> impl Strategy<Value = Vec<[u8; 3]>> {
    vec(any::<[u8; 3]>(), 20)
}

fn lines_of(course: &[[u8; 3]], from: Timestamp) -> Vec<Line> {
    traffic(from, 10 * MINUTE, 3, 12, |route, at| {
        let half = usize::try_from(at / (30 * SECOND)).expect("not negative");
        match course[half][route] {
            0..140 => Ending::Fine,
            140..180 => Ending::Throws,
            180..215 => Ending::NotInvoked,
            215..235 => Ending::TimesOut,
            _ => Ending::Slow,
        }
    })
}

/// Said at once: when a cause is known depends on what came with it.
fn at_once() -> Config {
    let mut config = all_rules();
    config.notify.group_wait = Duration::ZERO;
    config
}

fn proptest_config(cases: u32) -> ProptestConfig {
    let from_environment = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: from_environment.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

/// Since when an endpoint is watched for new causes does not hang on whether its first requests came in one batch with
/// what was looked at before them.
#[test]
fn a_cause_is_new_or_not_however_much_came_at_a_time() {
    // The first half minute of `/r1` times out, so that its first requests end when others were looked at already.
    let mut course = vec![[0, 0, 0]; 20];
    (course[0], course[1]) = ([140, 215, 0], [0, 29, 168]);
    let from = World::new().now();
    let facts = facts(&lines_of(&course, from));
    let of = |sizes: &[usize]| fed(&at_once(), from, &given(&facts, sizes, Duration::ZERO)).1;
    assert_eq!(of(&[42, 38]), of(&[26, 44, 39, 43, 30]));
}

proptest! {
    #![proptest_config(proptest_config(8))]

    /// What was given once and is given again leads to the same messages, to the last word.
    #[test]
    fn what_was_recorded_says_the_same_again(course in course(), sizes in vec(1_usize..60, 1..6), lag in 0_i64..30_000) {
        let from = World::new().now();
        let given = given(&facts(&lines_of(&course, from)), &sizes, ms(lag));
        prop_assert_eq!(fed(&all_rules(), from, &given), fed(&all_rules(), from, &given));
    }

    /// Alerts hang on what came, not on how much of it came at a time.
    #[test]
    fn other_pieces_in_the_same_order_give_the_same_alerts(
        course in course(), sizes in vec(1_usize..60, 1..6), others in vec(1_usize..60, 1..6),
    ) {
        let from = World::new().now();
        let facts = facts(&lines_of(&course, from));
        let of = |sizes: &[usize]| {
            let (said, counted) = fed(&at_once(), from, &given(&facts, sizes, Duration::ZERO));
            (all_told(&said), counted)
        };
        prop_assert_eq!(of(&sizes), of(&others));
    }

    /// Lines that come up to a minute late and in another order, before their log is said to be read so far, change no
    /// count, no state and no message.
    #[test]
    fn late_lines_in_another_order_give_the_same_alerts(
        course in course(), sizes in vec(1_usize..60, 1..6), late in vec(0_i64..MINUTE, 7..40),
    ) {
        let from = World::new().now();
        let facts = facts(&lines_of(&course, from));
        let mut shuffled: Vec<_> = facts.iter().zip(late.iter().cycle()).map(|((at, source, fact), late)| (at.plus(ms(*late)), *source, fact.clone())).collect();
        shuffled.sort_by_key(|(at, ..)| *at);
        let of = |facts: &[(Timestamp, SourceId, Fact)], lag| {
            let (said, counted) = fed(&at_once(), from, &given(facts, &sizes, lag));
            (all_told(&said), counted)
        };
        prop_assert_eq!(of(&facts, Duration::ZERO), of(&shuffled, minutes(1)));
    }
}

// === The storm ===

/// All of 5,000 endpoints fail at once, and then none; few requests to each, but while it matters.
fn storm(begun: Timestamp, from: Timestamp, to: Timestamp) -> Vec<Line> {
    let (mut all, mut at) = (Vec::new(), begun);
    while at < to.plus(minutes(5)) {
        let fails = (from..to).contains(&at);
        for endpoint in 0..ENDPOINTS as u64 {
            let start = at.plus(Duration::from_micros(endpoint * 1900));
            let (id, ms, status) = (all.len() as u64, start.as_millis(), if fails { 502 } else { 200 });
            let text = format!(
                r#"{{"requestId":"{id}","requestTimeEpoch":"{ms}","httpMethod":"GET","resourcePath":"/r{endpoint}","status":"{status}","responseLatency":"9"}}"#
            );
            all.push(Line { group: ACCESS, time: start, written: start, id, text });
        }
        at = at.plus(if fails {
            ms(15 * SECOND)
        } else if at < from {
            minutes(1)
        } else {
            minutes(2)
        });
    }
    all
}

const ENDPOINTS: usize = 5000;

#[test]
fn five_thousand_endpoints_that_fail_at_once_are_three_messages_and_all_of_them_end() {
    let begun = World::new().now();
    let from = begun.plus(minutes(2));
    let lines = storm(begun, from, from.plus(ms(90 * SECOND)));
    // Windows so short that it is soon over: each look at so many takes its time.
    let rule = |name| format!("[[rule]]\nname = \"{name}\"\nwindow = \"2m\"\nkeep_firing_for = \"1m\"\n");
    let with = format!("max_endpoints = {ENDPOINTS}\n{}{}{}", minimal(), rule("endpoint-5xx"), rule("api-5xx"));
    let without = format!("{with}enabled = false\n");
    let (with, without) = std::thread::scope(|scope| {
        let running = [&with, &without].map(|config| scope.spawn(|| alerts(&replay(config, &lines, "json"))));
        let [with, without] = running.map(|one| one.join().expect("a replay does not panic"));
        (with, without)
    });
    for said in [&with, &without] {
        let first = time(&said[0]);
        let soon = said.iter().filter(|alert| time(alert) < first.plus(minutes(1))).count();
        assert!(soon <= 3, "{soon} messages within a minute: {:#?}", all_told(said));
        assert!((from..from.plus(ms(90 * SECOND))).contains(&first), "{:#?}", all_told(said));
        assert!(said.len() <= 7, "{:#?}", all_told(said));
        nothing_is_left(said);
    }
    let of_the_api = |said: &[Value]| said.iter().filter(|alert| alert["rule"] == "api-5xx").count();
    assert_eq!((&with[0]["rule"], of_the_api(&without)), (&json!("api-5xx"), 0));
    let digest = &without[0];
    assert_eq!((&digest["kind"], &digest["rule"]), (&json!("digest"), &json!("endpoint-5xx")));
    assert_eq!(digest["digest"]["firing"], ENDPOINTS);
    let members = digest["digest"]["members"].as_array().expect("it names some");
    let routes: BTreeSet<_> = members.iter().filter_map(|member| member["endpoint"]["route"].as_str()).collect();
    assert_eq!(routes.len(), 10, "ten of them, each once: {digest:#}");
    // The last word is that all of them are over.
    let last = &without[without.len() - 1]["digest"];
    assert_eq!((&last["firing"], &last["resolved"]), (&json!(0), &json!(ENDPOINTS)));
}

fn time(alert: &Value) -> Timestamp {
    stamp(&alert["time"])
}

fn stamp(time: &Value) -> Timestamp {
    let text = time.as_str().expect("each has one");
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
}
