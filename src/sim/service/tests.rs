//! The service as a client without a socket meets it: each fault, the quota, group lives, and its speed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::super::traffic::{Kind, Traffic, serial_of};
use super::super::{Ill, Lag, play};
use super::*;

const GROUP: &str = "/aws/lambda/a";
const FILTER: &str = "FilterLogEvents";
const DESCRIBE: &str = "DescribeLogGroups";

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_795_338_000_000 + ms)
}

struct Bench {
    service: Service,
    clock: Arc<AtomicI64>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(0));
        let reader = Arc::clone(&clock);
        let service = Service::new(Arc::new(move || at(reader.load(Ordering::Relaxed))));
        Self { service, clock }
    }

    fn with_events() -> Self {
        let bench = Self::new();
        for n in 0..100 {
            bench.service.put(GROUP, "s", at(n), at(n), &format!("line {n}"));
        }
        bench.set(1000);
        bench
    }

    fn set(&self, ms: i64) {
        self.clock.store(ms, Ordering::Relaxed);
    }

    fn ask(&self, operation: &str, request: &Value) -> Answered {
        self.service.call(operation, request.to_string().as_bytes())
    }

    /// Status and body; panics when there is no answer.
    fn reply(&self, operation: &str, request: &Value) -> (u16, Value) {
        let answered = self.ask(operation, request);
        let Answered::Reply { status, body, .. } = answered else { panic!("{answered:?}") };
        (status, serde_json::from_str(&body).unwrap())
    }

    /// What the answer is, in a word.
    fn word(&self) -> String {
        match self.ask(FILTER, &json!({ "logGroupName": GROUP, "limit": 10 })) {
            Answered::Reply { status: 200, .. } => "ok".to_owned(),
            Answered::Reply { body, .. } => {
                serde_json::from_str::<Value>(&body).unwrap()["__type"].as_str().unwrap().to_owned()
            }
            Answered::Hang => "hang".to_owned(),
            Answered::Reset { .. } => "reset".to_owned(),
        }
    }
}

#[test]
fn each_ill_gives_its_answer_in_its_span_only() {
    for (ill, word) in [
        (Ill::AccessDenied, "AccessDeniedException"),
        (Ill::ExpiredCredentials, "ExpiredTokenException"),
        (Ill::Missing, "ResourceNotFoundException"),
        (Ill::Infrequent, "InvalidOperationException"),
        (Ill::Throttle, "ThrottlingException"),
        (Ill::Unavailable, "ServiceUnavailableException"),
        (Ill::Internal, "InternalFailure"),
        (Ill::Hang, "hang"),
        (Ill::Reset, "reset"),
        (Ill::ResetInBody, "reset"),
    ] {
        let bench = Bench::with_events();
        bench.service.trouble(Trouble::new(ill).on(GROUP).during(at(2000), at(3000)));
        let words = [1999, 2000, 2999, 3000].map(|ms| {
            bench.set(ms);
            bench.word()
        });
        assert_eq!(words, ["ok", word, word, "ok"]);
    }
}

#[test]
fn a_slow_answer_is_the_right_one_later() {
    let bench = Bench::with_events();
    let lag = Lag::between(Duration::from_secs(3), Duration::from_secs(3));
    bench.service.trouble(Trouble::new(Ill::Slow(lag)));
    let Answered::Reply { after, status, body } = bench.ask(FILTER, &json!({ "logGroupName": GROUP })) else {
        panic!()
    };
    assert_eq!((after.as_millis(), status, body.matches("eventId").count()), (3000, 200, 100));
}

#[test]
fn pages_tokens_and_refusals_by_chance_lose_nothing_and_the_seed_repeats_them() {
    let run = |seed| {
        let bench = Bench::with_events();
        bench.service.set_seed(seed);
        for ill in [Ill::EmptyPage, Ill::DuplicateToken, Ill::RefusedToken] {
            bench.service.trouble(Trouble::new(ill).with_probability(0.3));
        }
        let (mut seen, mut story, mut token) = (BTreeSet::new(), String::new(), None);
        for _ in 0..200 {
            let mut request = json!({ "logGroupName": GROUP, "limit": 7 });
            if let Some(token) = &token {
                request["nextToken"] = json!(token);
            }
            let (status, page) = bench.reply(FILTER, &request);
            if status != 200 {
                assert!(page["__type"] == "InvalidParameterException", "{page}");
                assert!(page["message"].as_str().unwrap().contains("nextToken"), "{page}");
                story.push('r');
                continue;
            }
            let events = page["events"].as_array().unwrap();
            seen.extend(events.iter().map(|event| event["eventId"].to_string()));
            let next = page["nextToken"].as_str().map(ToOwned::to_owned);
            story.push(match (&next, events.is_empty()) {
                (None, _) => '.',
                (Some(_), true) => 'e',
                (next, false) if *next == token => 'd',
                (Some(_), false) => 'p',
            });
            if next.is_none() {
                break;
            }
            token = next;
        }
        assert_eq!(seen.len(), 100, "{story}");
        story
    };
    let story = run(1);
    assert!(['r', 'e', 'd', 'p', '.'].iter().all(|c| story.contains(*c)), "{story}");
    assert_eq!(run(1), story);
    assert_ne!(run(2), story);
}

#[test]
fn one_quota_per_operation_over_all_groups() {
    let bench = Bench::with_events();
    bench.service.create_group("/b");
    bench.service.set_quota(Operation::FilterLogEvents, Some(10));
    for ms in 0..2000 {
        bench.set(1000 + ms);
        let group = if ms % 2 == 0 { GROUP } else { "/b" };
        let (status, body) = bench.reply(FILTER, &json!({ "logGroupName": group }));
        assert!(status == 200 || body["__type"] == "ThrottlingException" && body["message"] == "Rate exceeded");
        assert_eq!(bench.reply(DESCRIBE, &json!({})).0, 200, "a bucket of its own, here none");
    }
    let calls = bench.service.calls(at(1000), at(3000));
    let passed = calls.iter().filter(|c| c.operation == Operation::FilterLogEvents && !c.throttled).count();
    assert!((29..=30).contains(&passed), "{passed}: one second's worth, and two seconds");
    let (a, b) = (bench.service.counted(GROUP), bench.service.counted("/b"));
    assert_eq!((a.calls, b.calls, bench.service.counted_describes().calls), (1000, 1000, 2000));
    assert_eq!(2000 - a.throttled - b.throttled, u64::try_from(passed).unwrap());
    assert_eq!(bench.service.calls(at(1000), at(1500)).len(), 1000);
    bench.service.set_quota(Operation::DescribeLogGroups, Some(1));
    let statuses = [0, 0, 1].map(|_| bench.reply(DESCRIBE, &json!({})).0);
    assert_eq!(statuses, [200, 400, 400]);
}

#[test]
fn groups_come_and_go() {
    let bench = Bench::new();
    bench.service.create_group_at(GROUP, at(1000));
    bench.service.delete_group_at(GROUP, at(2000));
    bench.service.create_group_at(GROUP, at(3000));
    bench.service.put(GROUP, "s", at(1500), at(1500), "old");
    bench.service.put(GROUP, "s", at(3500), at(3500), "new");
    let seen: Vec<_> = [500, 1600, 2500, 3000, 4000]
        .into_iter()
        .map(|ms| {
            bench.set(ms);
            let (status, page) = bench.reply(FILTER, &json!({ "logGroupName": GROUP }));
            let (_, list) = bench.reply(DESCRIBE, &json!({ "includeLinkedAccounts": true, "accountIdentifiers": [] }));
            let created = list["logGroups"][0]["creationTime"].as_i64().map(|created| created - at(0).as_millis());
            let texts: Vec<_> = page["events"].as_array().into_iter().flatten().map(|e| e["message"].clone()).collect();
            (status, texts, created)
        })
        .collect();
    let none = Vec::<Value>::new;
    assert_eq!(
        seen,
        [
            (400, none(), None),
            (200, vec![json!("old")], Some(1000)),
            (400, none(), None),
            (200, none(), Some(3000)),
            (200, vec![json!("new")], Some(3000)),
        ]
    );
}

#[test]
fn classes_and_streams_are_asked_for() {
    let bench = Bench::with_events();
    bench.service.set_class("/archive", Class::InfrequentAccess);
    let (status, error) = bench.reply(FILTER, &json!({ "logGroupName": "/archive" }));
    assert_eq!((status, &error["__type"]), (400, &json!("InvalidOperationException")));
    let (_, list) = bench.reply(DESCRIBE, &json!({ "logGroupClass": "INFREQUENT_ACCESS" }));
    assert_eq!(list["logGroups"].as_array().unwrap().len(), 1);
    bench.service.put(GROUP, "t", at(5), at(5), "other");
    let count = |request: Value| bench.reply(FILTER, &request).1["events"].as_array().map(Vec::len);
    assert_eq!(count(json!({ "logGroupName": GROUP, "logStreamNames": ["t"], "interleaved": true })), Some(1));
    assert_eq!(count(json!({ "logGroupName": GROUP, "logStreamNamePrefix": "s" })), Some(100));
    assert_eq!(count(json!({ "logGroupName": GROUP, "logStreamNames": ["t"], "logStreamNamePrefix": "s" })), None);
    assert_eq!(count(json!({ "logGroupName": GROUP, "logStreamNames": [] })), None);
    assert_eq!(count(json!({ "logGroupName": GROUP, "filterPattern": "" })), Some(101));
    assert_eq!(count(json!({ "logGroupName": GROUP, "filterPattern": "x" })), None);
}

#[test]
fn it_feeds_itself_in_time_and_forgets() {
    let bench = Bench::new();
    let traffic = Traffic {
        kind: Kind::Lambda,
        lag: Lag::between(Duration::from_secs(1), Duration::from_secs(10)),
        ..Traffic::new(1, GROUP, 20.0, at(0), at(600_000))
    };
    bench.service.create_group(GROUP);
    bench.service.feed(traffic.events());
    bench.service.keep(Duration::from_mins(2));
    let mut serials = BTreeSet::new();
    for second in (0..700).step_by(5) {
        bench.set(second * 1000);
        let from = at(second * 1000).minus(Duration::from_mins(1)).as_millis();
        let (_, page) = bench.reply(FILTER, &json!({ "logGroupName": GROUP, "startTime": from }));
        serials.extend(page["events"].as_array().unwrap().iter().filter_map(|e| serial_of(e["message"].as_str()?)));
    }
    assert_eq!((serials.len(), bench.service.events(GROUP)), (12_000, 12_000));
    let (_, old) = bench.reply(FILTER, &json!({ "logGroupName": GROUP, "endTime": at(500_000).as_millis() }));
    assert_eq!(old["events"], json!([]));

    let by_hand = Bench::new();
    let mut events = traffic.events().peekable();
    let mut ids = BTreeSet::new();
    let count = play(&by_hand.service, &mut events, at(300_000), |_, id| {
        ids.insert(id.to_owned());
    });
    assert_eq!((ids.len(), by_hand.service.events(GROUP)), (usize::try_from(count).unwrap(), count));
    assert!(events.peek().is_some_and(|event| event.visible_at > at(300_000)));
}
