//! Messages through SNS to those who subscribed: the right ones, in order, within the limits, and none lost.
//!
//! The real binary, the topics and queues of moto, and between them a proxy that brings what moto does not know: bad
//! days. The logs come from the simulation, because here they only have to say when something fails. Not what is said
//! (`moto`, `verdicts`) and not how a message looks. Rule: a test waits for a condition, never for a time but for the
//! moment of a death; and what it counts, it counts to the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gatewatch::aws::publish::SnsPublish;
use gatewatch::model::alert::{
    Alert, AlertKey, Blindness, CauseCount, CauseSample, EndpointCount, Loss, Measure, Reason, Severity, State, Subject,
};
use gatewatch::model::cause::CauseKind;
use gatewatch::model::inventory::ApiId;
use gatewatch::model::notice::{Missed, Notice};
use gatewatch::model::problem::Problem;
use gatewatch::model::request::Endpoint;
use gatewatch::notify::message::{AlertMessage, Digest, Message, Test};
use gatewatch::notify::origin::Origin;
use gatewatch::notify::query::Query;
use gatewatch::notify::sink::sns::Publish;
use gatewatch::notify::sns::{Format, requests};
use gatewatch::sim::Sim;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::daemon::Daemon;
use crate::lives::{Dice, Home, SLOT, at, now, simulation, stop, until, until_within};
use crate::moto_server::{Letter, Moto};
use crate::sns_proxy::{Call, Fate, SnsProxy, assert_within_limits};

/// Some slots, the longest that the daemon waits for an answer, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(90);
/// Requests to an endpoint in a slot.
const REQUESTS: i64 = 40;

/// What a rule does at once, so that a story takes slots and not minutes.
const RULES: &str = r#"
[[rule]]
name = "endpoint-5xx"
window = "10s"
for = "0s"
keep_firing_for = "0s"
low_traffic = false
[[rule]]
name = "api-5xx"
enabled = false
[[rule]]
name = "integration-timeouts"
enabled = false
[[rule]]
name = "no-invocations"
enabled = false
[[rule]]
name = "new-cause"
enabled = false
[[sink]]
kind = "stdout"
format = "json"
"#;

/// What the daemon has around it.
struct Stage {
    sim: Sim,
    moto: Moto,
    proxy: SnsProxy,
    home: Home,
}

impl Stage {
    async fn set() -> Self {
        let moto = tokio::task::block_in_place(Moto::start);
        let sim = simulation().await;
        let (proxy, home) = (SnsProxy::before(&moto).await, Home::new(&sim));
        Self { sim, moto, proxy, home }
    }

    fn start(&self) -> Daemon {
        self.home.start_with(&[("AWS_ENDPOINT_URL_SNS", self.proxy.endpoint())])
    }

    /// Waits until moto has taken so many different messages for each of these topics, of those that are such.
    async fn until_taken(&self, topics: &[&str], many: usize, is: impl Fn(&Call) -> bool) {
        let enough = || topics.iter().all(|topic| self.proxy.taken(topic, &is) >= many);
        until_within(PATIENCE, &format!("{many} messages to each of {topics:?}"), enough).await;
    }
}

/// Whether it says that something is over.
fn resolves(call: &Call) -> bool {
    call.attributes.get("state").is_some_and(|state| state == "resolved")
}

fn api(name: &str) -> String {
    format!("[[api]]\nname = \"{name}\"\naccess_log_groups = [\"/topics/{name}\"]\n")
}

fn sink(arn: &str, format: &str) -> String {
    format!("[[sink]]\nkind = \"sns\"\ntopic_arn = \"{arn}\"\nformat = \"{format}\"\n")
}

/// The end of the first slot: of this one, if enough of it is left for the daemon to start.
fn first_slot() -> i64 {
    let now = now().as_millis();
    let end = (now / SLOT + 1) * SLOT;
    if end - now > SLOT / 2 { end } else { end + SLOT }
}

/// Puts the requests to an endpoint, slot after slot: of each, so many fail.
fn put(sim: &Sim, api: &str, route: &str, first: i64, failures: &[i64]) {
    for (slot, failures) in (0..).zip(failures) {
        for n in 0..REQUESTS {
            // Away from the ends of a slot: a request counts when it is answered, not when it comes.
            let status = if (4..4 + failures).contains(&n) { 502 } else { 200 };
            let time = at(first + SLOT * (slot - 1) + n * (SLOT / REQUESTS));
            let line = json!({
                "requestId": format!("{api}{route}-{slot}-{n}"), "httpMethod": "GET", "resourcePath": route,
                "status": status.to_string(), "responseLatency": "12", "integrationLatency": "10",
            });
            sim.put(&format!("/topics/{api}"), "s", time, time.plus(Duration::from_millis(300)), &line.to_string());
        }
    }
}

/// Episode and seq: what a message is known by.
type Name = (String, u64);

fn name(message: &Value) -> Name {
    let episode = message["episode"].as_str().unwrap_or_else(|| panic!("no episode: {message:#}"));
    (episode.to_owned(), message["seq"].as_u64().unwrap_or_else(|| panic!("no seq: {message:#}")))
}

fn names<'a>(messages: impl IntoIterator<Item = &'a Value>) -> Vec<Name> {
    messages.into_iter().map(name).collect()
}

/// Sorted by name.
fn by_name(messages: &[Value]) -> Vec<Value> {
    let mut sorted = messages.to_vec();
    sorted.sort_by_key(name);
    sorted
}

/// Each episode begins to fire with seq 1, leaves out no number, and ends with its only resolve.
fn assert_whole_episodes(messages: &[Value]) {
    let mut episodes: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for message in messages {
        episodes.entry(message["episode"].as_str().expect("it has one")).or_default().push(message);
    }
    for (episode, said) in episodes {
        let seqs: Vec<_> = said.iter().map(|message| message["seq"].as_u64().expect("a number")).collect();
        assert_eq!(seqs, (1..=said.len() as u64).collect::<Vec<_>>(), "numbers of {episode}: {said:#?}");
        let resolved: Vec<_> = said.iter().map(|message| message["state"] == "resolved").collect();
        assert_eq!(resolved.iter().position(|is| *is), Some(said.len() - 1), "states of {episode}: {said:#?}");
        assert!(said.len() > 1, "{episode} was resolved and never said to fire");
    }
}

/// The messages that stand on standard error in full, in lines that name this topic.
fn dead_letters(daemon: &Daemon, topic: &str) -> Vec<Value> {
    let said = daemon.stderr_text();
    let lines = said.lines().filter(|line| line.contains(&format!(":{topic}")));
    // More may stand behind it on the line.
    let first = |line: &str| serde_json::Deserializer::from_str(&line[line.find('{')?..]).into_iter().next()?.ok();
    lines.filter_map(first).collect()
}

/// A queue, the attributes of its subscription, and what it should get of them all.
type Asked = (&'static str, Vec<(&'static str, &'static str)>, fn(&Value) -> bool);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filter_policies_give_each_subscriber_what_it_asked_for() {
    const RAW: (&str, &str) = ("RawMessageDelivery", "true");
    let asked: [Asked; 12] = [
        ("all", vec![], |_| true),
        ("all-raw", vec![RAW], |_| true),
        ("critical", vec![("FilterPolicy", r#"{"severity":["critical"]}"#)], |m| m["severity"] == "critical"),
        ("milder", vec![("FilterPolicy", r#"{"severity":[{"anything-but":["critical"]}]}"#)], |m| {
            m["severity"] != "critical"
        }),
        ("over", vec![("FilterPolicy", r#"{"state":["resolved"]}"#)], |m| m["state"] == "resolved"),
        ("alerts", vec![("FilterPolicy", r#"{"kind":["alert"]}"#)], |m| m["kind"] == "alert"),
        ("admin", vec![("FilterPolicy", r#"{"api":["admin"]}"#)], |m| m["api"] == "admin"),
        ("blind", vec![("FilterPolicy", r#"{"rule":["source-blind"]}"#)], |m| m["rule"] == "source-blind"),
        ("endpoints", vec![("FilterPolicy", r#"{"rule":[{"prefix":"endpoint-"}]}"#), RAW], |m| {
            m["rule"] == "endpoint-5xx"
        }),
        ("schema", vec![("FilterPolicy", r#"{"schema":["1"]}"#)], |m| m["v"] == 1),
        (
            "pager",
            vec![("FilterPolicy", r#"{"severity":["critical","high"],"state":["firing"],"api":["shop","gone"]}"#), RAW],
            |m| {
                let severe = m["severity"] == "critical" || m["severity"] == "high";
                severe && m["state"] == "firing" && (m["api"] == "shop" || m["api"] == "gone")
            },
        ),
        (
            "checkout",
            vec![("FilterPolicyScope", "MessageBody"), ("FilterPolicy", r#"{"endpoint":{"route":["/checkout"]}}"#)],
            |m| m["endpoint"]["route"] == "/checkout",
        ),
    ];
    let stage = Stage::set().await;
    let arn = stage.moto.topic("alerts").await;
    let mut boxes = Vec::new();
    for (queue, attributes, wants) in &asked {
        boxes.push((*queue, stage.moto.subscribe(&arn, queue, attributes).await, *wants));
    }
    let apis = [api("shop"), api("admin"), api("gone")].concat();
    let blind = "[[rule]]\nname = \"source-blind\"\nfor = \"0s\"\n";
    stage.home.write("", &[RULES, blind, &apis, &sink(&arn, "json")].concat());
    let first = first_slot();
    put(&stage.sim, "shop", "/checkout", first, &[16, 0, 0, 0]);
    put(&stage.sim, "shop", "/cart", first, &[0; 4]);
    // 7.5 percent: not as bad.
    put(&stage.sim, "admin", "/list", first, &[3, 0, 0, 0]);
    let mut daemon = stage.start();
    // Its log group is not there, and is made when that was said.
    stage.until_taken(&["alerts"], 1, |call| call.attributes["rule"] == "source-blind").await;
    stage.sim.create_group("/topics/gone");
    stage.until_taken(&["alerts"], 3, resolves).await;
    stop(&mut daemon);

    let all: Vec<Value> = boxes[0].1.all().await.to_vec();
    assert_eq!(by_name(&all), by_name(&daemon.stdout_json()), "the topic gets what standard output gets");
    assert_whole_episodes(&all);
    for (queue, mailbox, wants) in &mut boxes {
        let letters = mailbox.letters().await.to_vec();
        let expected: Vec<_> = all.iter().filter(|message| wants(message)).collect();
        assert!(!expected.is_empty() && (expected.len() < all.len() || !asks(&asked, queue)), "a test of {queue}");
        let got: Vec<_> = letters.iter().map(Letter::json).collect();
        assert_eq!(names(&got), names(expected.iter().copied()), "what the queue {queue} got");
        assert!(got.iter().eq(expected), "{queue}: in the same words");
        for letter in &letters {
            assert_attributes(letter);
        }
    }
    let calls = stage.proxy.calls();
    calls.iter().for_each(Call::assert_within_limits);
    assert!(calls.iter().all(|call| call.nth == 0), "each is published once");
}

/// Whether the queue's policy is one that some message does not satisfy.
fn asks(asked: &[Asked], queue: &str) -> bool {
    let filters = asked
        .iter()
        .find(|(name, ..)| *name == queue)
        .is_some_and(|(_, a, _)| a.iter().any(|(n, _)| *n == "FilterPolicy"));
    // Everything here is an alert of the first schema.
    filters && !["alerts", "schema"].contains(&queue)
}

/// The attributes say what the body says.
fn assert_attributes(letter: &Letter) {
    let body = letter.json();
    for key in ["kind", "state", "severity", "rule", "api", "episode"] {
        assert_eq!(letter.attributes.get(key).map(String::as_str), body[key].as_str(), "`{key}` of {letter:#?}");
    }
    assert_eq!(letter.attributes.get("schema").map(String::as_str), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifo_topic_loses_no_update_and_no_resolve_to_de_duplication() {
    let stage = Stage::set().await;
    let arn = stage.moto.topic("alerts.fifo").await;
    let mut queue = stage.moto.subscribe(&arn, "alerts.fifo", &[]).await;
    stage.home.write("", &[RULES, &api("shop"), &api("admin"), &sink(&arn, "json")].concat());
    let first = first_slot();
    // Seven percent, then half of all, then none: new, escalated, resolved within half a minute.
    put(&stage.sim, "shop", "/checkout", first, &[3, 20, 0, 0, 0]);
    put(&stage.sim, "admin", "/list", first, &[0, 12, 0, 0, 0]);
    let mut daemon = stage.start();
    stage.until_taken(&["alerts.fifo"], 2, resolves).await;
    stop(&mut daemon);

    // That the queue does swallow: other words under the id of the last message.
    let calls = stage.proxy.calls();
    let last = calls.last().expect("there were calls");
    let again = stage.moto.sns().publish().topic_arn(&arn).message(r#"{"episode":"of nobody","seq":1}"#);
    let again = again.message_group_id("another").set_message_deduplication_id(last.deduplication_id.clone());
    again.send().await.expect("SNS takes what the queue then drops");

    // Only now: what was taken out of the queue could not be a repetition any more.
    let letters = queue.letters().await.to_vec();
    let messages: Vec<_> = letters.iter().map(Letter::json).collect();
    assert_eq!(names(&messages), names(&calls.iter().map(Call::json).collect::<Vec<_>>()), "all, and in order");
    assert_eq!(by_name(&messages), by_name(&daemon.stdout_json()));
    assert_whole_episodes(&messages);
    let of_shop = messages.iter().filter(|message| message["api"] == "shop");
    let reasons: Vec<_> = of_shop.clone().map(|message| &message["reason"]).collect();
    assert_eq!(reasons, ["new", "escalated", "resolved"]);
    let times: Vec<_> = calls.iter().filter(|call| call.attributes["api"] == "shop").map(|call| call.at).collect();
    assert!(times[2] - times[0] < Duration::from_mins(5), "within the time in which ids are remembered");
    for (letter, message) in letters.iter().zip(&messages) {
        let same =
            |other: &(&Letter, &Value)| (other.1["episode"] == message["episode"]) == (other.0.group == letter.group);
        assert!(letters.iter().zip(&messages).all(|other| same(&other)), "a group is an episode: {letters:#?}");
    }
    calls.iter().for_each(Call::assert_within_limits);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttled_and_failing_publishes_end_in_the_queue_or_on_stderr() {
    // The first calls meet this: more of them than the SDK tries by itself. Who is throttled waits longer.
    let passing = [
        ("throttled", Fate::Throttle, 3),
        ("too-many", Fate::TooMany, 3),
        ("failing", Fate::Fail, 4),
        ("unavailable", Fate::Unavailable, 4),
        ("reset", Fate::Reset, 4),
        ("hanging", Fate::Hang, 1),
    ];
    let stage = Stage::set().await;
    let mut boxes = Vec::new();
    let mut sinks = String::new();
    for (topic, ..) in passing {
        let arn = stage.moto.topic(topic).await;
        sinks += &sink(&arn, "json");
        boxes.push((topic, stage.moto.subscribe(&arn, topic, &[]).await));
    }
    let refused = stage.moto.topic("refused").await;
    let mut of_refused = stage.moto.subscribe(&refused, "refused", &[]).await;
    sinks += &sink(&refused, "json");
    sinks += &sink(&refused.replace("refused", "missing"), "json");
    stage.home.write("", &[RULES, &api("shop"), &api("admin"), &sinks].concat());
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    stage.proxy.script(move |call| {
        let nth = met.entry(call.topic.clone()).or_default();
        *nth += 1;
        match passing.iter().find(|(topic, ..)| *topic == call.topic) {
            Some((_, fate, times)) if *nth <= *times => *fate,
            None if call.topic == "refused" => Fate::Refuse,
            Some(_) | None => Fate::Pass,
        }
    });
    let first = first_slot();
    put(&stage.sim, "shop", "/checkout", first, &[16, 0, 0, 0, 0, 0]);
    put(&stage.sim, "admin", "/list", first, &[12, 0, 0, 0, 0, 0]);
    let mut daemon = stage.start();
    stage.until_taken(&passing.map(|(topic, ..)| topic), 2, resolves).await;
    until("the dead letters", || ["refused", "missing"].iter().all(|topic| dead_letters(&daemon, topic).len() >= 4))
        .await;
    stop(&mut daemon);

    let said = by_name(&daemon.stdout_json());
    assert_eq!(said.len(), 4, "two fired and two resolved");
    assert_whole_episodes(&said);
    for (topic, mailbox) in &mut boxes {
        let got = mailbox.all().await.to_vec();
        assert_whole_episodes(&got);
        assert_eq!(by_name(&got), said, "the queue of {topic} gets each message once");
        assert_eq!(dead_letters(&daemon, topic), [Value::Null; 0], "what was delivered is no dead letter");
        let (_, fate, times) = passing.iter().find(|(name, ..)| name == topic).expect("one of these");
        // Each is tried until it is taken, and none again after that.
        let calls = stage.proxy.count(|call| call.topic == *topic);
        assert_eq!(calls, times + 4, "{topic}: calls for 4 messages, {times} of which met {fate:?}");
    }
    for topic in ["refused", "missing"] {
        assert_eq!(names(&by_name(&dead_letters(&daemon, topic))), names(&said), "{topic}: each stands on stderr once");
        assert_eq!(stage.proxy.count(|call| call.topic == topic), 4, "{topic}: trying again cannot help");
    }
    assert_in_full(&by_name(&dead_letters(&daemon, "refused")), &said);
    assert_in_full(&by_name(&dead_letters(&daemon, "missing")), &said);
    assert_eq!(of_refused.letters().await, []);
    stage.proxy.calls().iter().for_each(Call::assert_within_limits);
}

/// Each dead letter has all that its message says.
fn assert_in_full(dead: &[Value], said: &[Value]) {
    for (dead, said) in dead.iter().zip(said) {
        let (dead, said) = (dead.as_object().expect("an object"), said.as_object().expect("an object"));
        for (key, value) in said {
            // Who sends it is known to those who read its stderr.
            let same = dead.get(key) == Some(value) || key == "origin";
            assert!(same, "`{key}` of a dead letter is {:?}, not {value}", dead.get(key));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_delivered_before_the_end_stands_on_stderr() {
    let stage = Stage::set().await;
    let fates = [("failing", Fate::Fail), ("hanging", Fate::Hang), ("throttled", Fate::Throttle)];
    let mut sinks = String::new();
    for (topic, _) in fates {
        sinks += &sink(&stage.moto.topic(topic).await, "json");
    }
    stage.home.write("", &[RULES, &api("shop"), &api("admin"), &sinks].concat());
    stage.proxy.script(move |call| fates.iter().find(|(topic, _)| *topic == call.topic).map_or(Fate::Pass, |f| f.1));
    let first = first_slot();
    put(&stage.sim, "shop", "/checkout", first, &[16, 16, 0, 0]);
    put(&stage.sim, "admin", "/list", first, &[12, 12, 0, 0]);
    let mut daemon = stage.start();
    let is_firing = |message: &&Value| message["state"] == "firing";
    until("both alerts", || daemon.stdout_json().iter().filter(is_firing).count() == 2).await;
    until("a call for each topic", || fates.iter().all(|(topic, _)| stage.proxy.count(|c| c.topic == *topic) > 0))
        .await;
    stop(&mut daemon);
    let said = by_name(&daemon.stdout_json());
    assert_eq!(said.len(), 2, "nothing is said at shutdown");
    for (topic, _) in fates {
        let dead = by_name(&dead_letters(&daemon, topic));
        assert_eq!(names(&dead), names(&said), "{topic}: each stands on stderr once");
        assert_in_full(&dead, &said);
    }
    assert_eq!(stage.proxy.count(|call| call.taken), 0, "or it would have been delivered");
}

/// The formats of an SNS sink.
const FORMATS: [(&str, Format); 5] = [
    ("text", Format::Text),
    ("json", Format::Json),
    ("chat", Format::Chat),
    ("cloudwatch-alarm", Format::CloudwatchAlarm),
    ("per-protocol", Format::PerProtocol),
];

/// What the queue of a topic must be able to read, whatever was cut.
fn assert_readable(format: &str, text: &str) {
    let json =
        || -> Value { serde_json::from_str(text).unwrap_or_else(|e| panic!("{format}: no JSON ({e}): {text:.200}")) };
    match format {
        "text" => {
            let odd = text.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(odd, None, "people get no control characters");
        }
        "chat" => assert_eq!((&json()["version"], &json()["source"]), (&json!("1.0"), &json!("custom"))),
        "cloudwatch-alarm" => assert!(json()["AlarmName"].is_string() && json()["NewStateValue"].is_string()),
        // Of a message for each protocol a queue gets the alert object.
        _ => assert_eq!((&json()["v"], &json()["type"]), (&json!(1), &json!("alert"))),
    }
}

/// `bytes` of what log lines hold at their worst: pieces that JSON writes with more characters than they have, pieces of
/// several bytes, and ends of lines.
fn filled(bytes: usize) -> String {
    const PIECE: &str = "ü💥\"\u{1}\\\n日本 x";
    PIECE
        .chars()
        .cycle()
        .scan(0, |length, c| {
            *length += c.len_utf8();
            (*length <= bytes).then_some(c)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabytes_in_log_lines_become_messages_that_sns_takes() {
    const MEGABYTE: usize = 1_000_000;
    const FUNCTION: &str = "/aws/lambda/shop-fn";
    let stage = Stage::set().await;
    let (mut sinks, mut queues) = (String::new(), Vec::new());
    for (format, _) in FORMATS {
        let arn = stage.moto.topic(format).await;
        sinks += &sink(&arn, format);
        queues.push((format, stage.moto.subscribe(&arn, format, &[]).await));
    }
    let apis = format!("{}lambda_log_groups = [\"{FUNCTION}\"]\n{}", api("shop"), api("admin"));
    stage.home.write("", &[RULES, &apis, &sinks].concat());
    let first = first_slot();
    // Of the API's own lines one has what is too long: its endpoint is one of those that fail.
    let long_route = format!("/{}", filled(100_000));
    for (api, route) in [("shop", "/message"), ("shop", "/type"), ("admin", "/gateway"), ("admin", &long_route)] {
        put(&stage.sim, api, route, first, &[0, 0, 0]);
        for n in 0..8 {
            let id = format!("00000000-0000-4000-8000-{:012x}", n + 16 * i64::try_from(route.len()).expect("short"));
            let time = at(first - SLOT / 2 + n * 10);
            let seen = time.plus(Duration::from_millis(500));
            // The newest is the one that is shown.
            let long = |is: bool| if is && n == 7 { filled(MEGABYTE - 10_000) } else { "short".to_owned() };
            let line = json!({
                "requestId": if route == "/gateway" { long(true) } else { id.clone() },
                "httpMethod": "GET", "resourcePath": route, "status": "502",
                "responseLatency": "12", "integrationLatency": "10", "integrationRequestId": id,
                "integrationError": if route == long_route { "short".to_owned() } else { long(route == "/gateway") },
            });
            stage.sim.put(&format!("/topics/{api}"), "s", time, seen, &line.to_string());
            if api == "shop" {
                let error = json!({
                    "errorType": long(route == "/type"),
                    "errorMessage": long(route == "/message"),
                    "stack": [long(true)],
                });
                let line = format!("2026-11-22T12:00:00.000Z\t{id}\tERROR\tInvoke Error \t{error}\n");
                stage.sim.put(FUNCTION, "2026/11/22/[$LATEST]0", time, seen, &line);
            }
        }
    }
    let mut daemon = stage.start();
    let topics = FORMATS.map(|(format, _)| format);
    stage.until_taken(&topics, 4, |call| call.attributes["state"] == "firing").await;
    stop(&mut daemon);
    assert!(!daemon.stderr_text().contains("not delivered: "), "nothing was refused");
    let calls = stage.proxy.calls();
    calls.iter().for_each(Call::assert_within_limits);
    for (format, queue) in &mut queues {
        let letters = queue.letters().await.to_vec();
        assert!(letters.len() >= 4, "{format}: {} letters", letters.len());
        for letter in &letters {
            assert_readable(format, &letter.text);
        }
        let bytes = calls.iter().filter(|call| call.topic == *format).map(|call| call.message.len()).max();
        eprintln!("{format}: {} messages of up to {bytes:?} bytes", letters.len());
    }
}

/// What no log can bring to that size, because texts are cut when they are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_any_size_are_within_the_limits_in_every_format() {
    let moto = tokio::task::block_in_place(Moto::start);
    let publisher = SnsPublish::new(moto.sns().clone());
    let origin = Origin { host: Some(filled(5_000).into()), task: None };
    for (word, format) in FORMATS {
        let fifo = (format == Format::Json).then(|| format!("{word}.fifo"));
        for topic in [Some(word.to_owned()), fifo].into_iter().flatten() {
            let arn = moto.topic(&topic).await;
            let mut queue = moto.subscribe(&arn, &topic, &[]).await;
            let mut sent = Vec::new();
            for (names, words, many) in [(200, 300, 4), (1_000, 4_000, 8), (300, 280_000, 1)] {
                for message in large(names, words, many) {
                    for request in requests(&message, &arn.as_str().into(), format, &origin) {
                        let attributes = request.attributes.iter().map(|(name, value)| (*name, value.as_str()));
                        assert_within_limits(&topic, &request.subject, &request.message, &attributes);
                        let said = request.message.clone();
                        let taken = publisher.publish(request).await;
                        assert!(taken.is_ok(), "{topic}: {taken:?}");
                        sent.push(said);
                    }
                }
            }
            let letters = queue.letters().await.to_vec();
            assert_eq!(letters.len(), sent.len(), "{topic}: each arrives");
            assert!(sent.len() >= 3 * 3, "{topic}");
            let largest = sent.iter().map(String::len).max().unwrap_or_default();
            assert!(largest > 10_000 || format == Format::Chat, "{topic}: nothing large was tried ({largest} bytes)");
            for (letter, said) in letters.iter().zip(&sent) {
                assert_readable(word, &letter.text);
                if format == Format::PerProtocol {
                    let texts: BTreeMap<String, String> = serde_json::from_str(said).expect("an object of texts");
                    assert!(texts["sms"].len() <= 140 && !texts["default"].is_empty());
                    assert_readable("text", &texts["email"]);
                    assert_readable("chat", &texts["https"]);
                } else {
                    assert_eq!(letter.text, *said, "{topic}: not a letter is changed");
                }
            }
        }
    }
}

/// Messages of each kind: names and IDs in them of so many bytes, and what was said, and every list of this length.
fn large(names: usize, words: usize, many: usize) -> [Message; 5] {
    let (filler, said): (Arc<str>, Arc<str>) = (filled(names).into(), filled(words).into());
    let texts = || vec![Arc::clone(&filler); many];
    let time = at(1_795_000_000_000);
    let endpoint = Arc::new(Endpoint { method: Arc::clone(&filler), route: Arc::clone(&filler) });
    let sample = CauseSample {
        error_type: Some(Arc::clone(&filler)),
        message: Some(Arc::clone(&said)),
        function: Some(Arc::clone(&filler)),
        request_id: Some(Arc::clone(&filler)),
        lambda_request_id: Some(Arc::clone(&filler)),
        ..CauseSample::default()
    };
    let cause = CauseCount { kind: CauseKind::UnhandledException, count: 3, certain: 3, sample: Arc::new(sample) };
    let alert = |subject: Subject, state: State, blindness: Option<Blindness>| AlertMessage {
        alert: Alert {
            key: AlertKey { rule: Arc::clone(&filler), api: ApiId(0), subject },
            state,
            severity: Severity::Critical,
            worst: Severity::Critical,
            measure: if blindness.is_some() { Measure::Unread } else { Measure::Failures },
            value: 0.4,
            threshold: 0.01,
            errors: 12,
            requests: 30,
            window: Duration::from_mins(5),
            time,
            since: time,
            episode: "0123456789ab".into(),
            holds: true,
            flapping: false,
            causes: vec![cause.clone(); many],
            endpoints: vec![EndpointCount { endpoint: Arc::clone(&endpoint), errors: 12, requests: 30 }; many],
            before: None,
            blindness,
        },
        api: Arc::clone(&filler),
        reason: if state == State::Firing { Reason::New } else { Reason::Resolved },
        // Not the same number twice for one FIFO topic.
        seq: u32::try_from(words * 2 + usize::from(state == State::Firing)).expect("small"),
        query: Some(Query {
            groups: texts(),
            region: Some(Arc::clone(&filler)),
            from: time,
            to: time,
            text: said.to_string(),
        }),
    };
    let blindness = Blindness {
        problem: Problem::Denied,
        said: Arc::clone(&said),
        read_to: None,
        loss: Loss::Part,
        rules: texts(),
        apis: texts(),
    };
    let of_endpoint = alert(Subject::Endpoint(Arc::clone(&endpoint)), State::Firing, None);
    let blind = alert(Subject::Source(Arc::clone(&filler)), State::Resolved, Some(blindness));
    let digest = Digest {
        time,
        state: State::Firing,
        reason: Reason::New,
        severity: Severity::High,
        rule: Some(Arc::clone(&filler)),
        api: Some(Arc::clone(&filler)),
        since: time,
        firing: 70_000,
        resolved: 3,
        members: vec![of_endpoint.clone(); many.min(10)],
        episode: format!("digest-{words}").into(),
        seq: 1,
    };
    let notice = Notice {
        time,
        from: time,
        to: time,
        why: vec![Problem::Unreachable],
        sources: many,
        names: texts(),
        apis: texts(),
        requests: 1,
        failures: 1,
        causes: vec![(CauseKind::UnhandledException, 1)],
        endpoints: vec![Missed { api: Arc::clone(&filler), endpoint, failures: 1 }; many],
        unread_before: Some(time),
        episode: format!("notice-{words}").into(),
    };
    // An episode as no hash would be: longer than an id of a FIFO topic may be.
    let test = Test { time, episode: format!("test-{words}-{filler}").into() };
    [of_endpoint.into(), blind.into(), digest.into(), notice.into(), Message::Test(Box::new(test))]
}

/// How a life ends.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// With a publish under way that SNS does not get.
    Unsent,
    /// With a publish that SNS took, before it could say so.
    Unanswered,
    /// Soon after the first publish of its own, whatever becomes of it.
    Around,
    /// After SNS has failed a while.
    Failing,
    /// Whenever.
    Any,
    /// A regular stop, with a publish under way that SNS does not get.
    Stop,
}

/// Kills it between decision and delivery again and again, and counts to the last message.
async fn is_killed(deaths: &[Death], slots: i64, seed: u64) {
    const TOPICS: [&str; 2] = ["alerts", "alerts.fifo"];
    const APIS: [&str; 2] = ["shop", "admin"];
    let stage = Stage::set().await;
    let (mut queues, mut sinks) = (Vec::new(), String::new());
    for topic in TOPICS {
        let arn = stage.moto.topic(topic).await;
        sinks += &sink(&arn, "json");
        queues.push(stage.moto.subscribe(&arn, topic, &[]).await);
    }
    stage.home.configure(&[RULES, &APIS.map(api).concat(), &sinks].concat());
    let mut dice = Dice(seed);
    // Each slot has an endpoint of its own that fails in it: one alert, which resolves at the end of the next slot.
    let first = first_slot();
    let mut expected = BTreeSet::new();
    for api in APIS {
        for bad in 0..slots {
            let failures: Vec<_> = (0..slots + 4).map(|slot| if slot == bad { 20 } else { 0 }).collect();
            put(&stage.sim, api, &format!("/{bad}"), first, &failures);
            expected.extend(["firing", "resolved"].map(|state| (api.to_owned(), format!("/{bad}"), state.to_owned())));
        }
    }

    // The calls before which each life began.
    let mut lives = vec![0];
    let mut complaints = Vec::new();
    for death in deaths {
        let before = stage.proxy.calls().len();
        let fate = match death {
            Death::Unsent | Death::Stop => Fate::Hang,
            Death::Unanswered => Fate::Swallow,
            Death::Failing => Fate::Fail,
            Death::Around | Death::Any => Fate::Pass,
        };
        // One of the topics may be well meanwhile.
        let spared = [None, Some("alerts"), Some("alerts.fifo")][usize::try_from(dice.below(3)).expect("small")];
        stage.proxy.script(move |call| if spared == Some(call.topic.as_str()) { Fate::Pass } else { fate });
        let mut daemon = stage.start();
        let new = |is: &dyn Fn(&Call) -> bool| stage.proxy.calls()[before..].iter().filter(|call| is(call)).count();
        let met = |call: &Call| call.fate == Some(fate);
        // There may be nothing left to say.
        let over = || TOPICS.iter().all(|topic| stage.proxy.taken(topic, |_| true) == expected.len());
        let is_time = || match death {
            Death::Unsent | Death::Stop | Death::Around => new(&met) > 0,
            Death::Unanswered => new(&|call| met(call) && call.taken) > 0,
            Death::Failing => new(&met) > 1,
            Death::Any => true,
        };
        until_within(PATIENCE, &format!("the moment of {death:?}"), || over() || is_time()).await;
        if matches!(death, Death::Any) {
            sleep(dice.between(200, 3_000)).await;
        }
        sleep(dice.between(0, 120)).await;
        if matches!(death, Death::Stop) {
            stop(&mut daemon);
        } else {
            daemon.kill();
        }
        complaints.push(daemon.stderr_text());
        lives.push(stage.proxy.calls().len());
    }
    stage.proxy.script(|_| Fate::Pass);
    let mut daemon = stage.start();
    stage.until_taken(&TOPICS, expected.len(), |_| true).await;
    stop(&mut daemon);
    complaints.push(daemon.stderr_text());

    let calls = stage.proxy.calls();
    calls.iter().for_each(Call::assert_within_limits);
    let life_of = |call: usize| lives.iter().rposition(|begin| *begin <= call).expect("the first begins with 0");
    let mut again = 0;
    for (topic, queue) in TOPICS.into_iter().zip(&mut queues) {
        let letters = queue.all().await.to_vec();
        let mut once: BTreeMap<Name, &Value> = BTreeMap::new();
        let mut story = Vec::new();
        for message in &letters {
            match once.insert(name(message), message) {
                None => story.push(message.clone()),
                Some(first) => {
                    again += 1;
                    assert_eq!(first, message, "{topic}: the same decision is said in the same words");
                    assert_eq!(topic, "alerts", "a FIFO topic knows it by its id");
                }
            }
        }
        assert_whole_episodes(&story);
        let told = |message: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&message["api"]), text(&message["endpoint"]["route"]), text(&message["state"]))
        };
        let got: Vec<_> = story.iter().map(told).collect();
        assert_eq!(got.iter().cloned().collect::<BTreeSet<_>>(), expected, "{topic}: all, and nothing else");
        assert_eq!(got.len(), expected.len(), "{topic}: each is one message: {got:#?}");
        // Who says it again died in between.
        let mut taken: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
        for (place, call) in calls.iter().enumerate().filter(|(_, call)| call.topic == topic && call.taken) {
            taken.entry(name(&call.json())).or_default().push(life_of(place));
        }
        for (name, lives) in taken {
            assert!(
                lives.is_sorted_by(|a, b| a < b),
                "{topic}: {name:?} was published twice in one of the lives {lives:?}"
            );
        }
    }
    for (life, said) in complaints.iter().enumerate() {
        assert!(!said.contains("not delivered: "), "life {life} gave a message up:\n{said}");
    }
    eprintln!("{} deaths: {} calls, {} messages, {again} again", deaths.len(), calls.len(), expected.len() * 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_decision_and_delivery_it_loses_nothing() {
    use Death::{Any, Around, Failing, Stop, Unanswered, Unsent};
    is_killed(&[Unsent, Unanswered, Around, Unsent, Any, Failing, Unanswered, Stop, Around, Unsent], 3, 1).await;
}

/// For by hand, with another seed each time:
/// `TOPICS_SEED=$RANDOM cargo test --test it topics::killed_forty -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes more than a minute"]
async fn killed_forty_times_it_loses_nothing() {
    use Death::{Any, Around, Failing, Stop, Unanswered, Unsent};
    let seed = std::env::var("TOPICS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(40);
    let mut dice = Dice(seed);
    let all = [Unsent, Unanswered, Around, Failing, Any, Unsent, Unanswered, Stop];
    let deaths: Vec<_> = (0..40).map(|_| all[usize::try_from(dice.below(8)).expect("small")]).collect();
    is_killed(&deaths, 8, seed).await;
}
