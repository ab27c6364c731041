//! Scenario files, good and bad.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::super::Answered;
use super::*;

const ROUGH: &str = include_str!("../../../tests/sim/rough.toml");
const SIDE_BY_SIDE: &str = include_str!("../../../tests/sim/side_by_side.toml");
const EVERYTHING: &str = include_str!("../../../tests/sim/everything.toml");

fn start() -> Timestamp {
    Timestamp::from_millis(1_795_338_000_000)
}

#[test]
fn the_rough_example_is_as_rough_as_it_says() {
    let scenario = Scenario::parse(ROUGH).unwrap();
    assert_eq!(scenario.groups(), ["/aws/apigateway/rough"]);
    let events: Vec<_> =
        scenario.events(start()).take_while(|e| e.visible_at < start().plus(Duration::from_mins(5))).collect();
    assert!((13_000..15_000).contains(&events.len()), "{}", events.len());
    assert!(events.is_sorted_by_key(|event| event.visible_at));
    let streams: BTreeSet<_> = events.iter().map(|event| &event.stream).collect();
    assert_eq!(streams.len(), 20);
    let ahead = events.iter().filter(|event| event.time.since(event.written) == Duration::from_hours(2)).count();
    assert_eq!(ahead, 1);
    let probabilities: Vec<_> = scenario.troubles.iter().map(|trouble| trouble.probability).collect();
    assert_eq!(probabilities, [0.2, 0.1, 0.1]);
}

#[test]
fn every_key_is_read_and_the_same_file_gives_the_same_run() {
    let scenario = Scenario::parse(EVERYTHING).unwrap();
    assert_eq!(scenario.groups().len(), 7);
    assert_eq!((scenario.troubles.len(), scenario.groups[0].traffic.bursts.len()), (14, 1));
    assert_eq!(scenario.quotas, [(Operation::FilterLogEvents, 5), (Operation::DescribeLogGroups, 10)]);
    assert!(!scenario.newest_first);
    let events: Vec<_> = scenario.events(start()).collect();
    assert!(events.is_sorted_by_key(|event| event.visible_at));
    assert!(events.iter().all(|event| event.written < start().plus(Duration::from_mins(31))));
    assert!(scenario.events(start()).eq(events.iter().cloned()));
    let of = |group: &str| events.iter().filter(|event| &*event.group == group).count();
    assert_eq!(of("/aws/lambda/comes-and-goes"), 19 * 60 * 4);
    assert_eq!(of("/archive"), 0);
    assert!(of(shop::ACCESS_GROUP) > 35 * 60 * 7);
}

#[test]
fn it_sets_up_a_service() {
    let scenario = Scenario::parse(EVERYTHING).unwrap();
    let clock = Arc::new(AtomicI64::new(0));
    let reader = Arc::clone(&clock);
    let service = Service::new(Arc::new(move || {
        start().plus(Duration::from_millis(reader.load(Ordering::Relaxed).unsigned_abs()))
    }));
    scenario.set_up(&service, start());
    service.feed(scenario.events(start()));
    let listed = |at_ms: i64| {
        clock.store(at_ms, Ordering::Relaxed);
        loop {
            if let Answered::Reply { status: 200, body, .. } = service.call("DescribeLogGroups", b"{}") {
                return body;
            }
            clock.fetch_add(200, Ordering::Relaxed);
        }
    };
    assert!(!listed(30_000).contains("comes-and-goes"));
    let later = listed(120_000);
    let created = start().plus(Duration::from_mins(1)).as_millis();
    assert!(later.contains("comes-and-goes") && later.contains(&format!("\"creationTime\":{created}")), "{later}");
    assert_eq!(later.matches("INFREQUENT_ACCESS").count(), 1);
    let trouble = listed(9 * 60_000 + 500);
    assert!(!trouble.contains("users-fn") && trouble.matches("INFREQUENT_ACCESS").count() == 2, "{trouble}");
    assert!(service.events("/aws/lambda/comes-and-goes") > 1800);
    assert!(service.counted_describes().throttled >= 3);
}

#[test]
fn what_is_compared_side_by_side_is_what_the_readme_says() {
    let scenario = Scenario::parse(SIDE_BY_SIDE).unwrap();
    assert_eq!(scenario.groups(), ["/aws/apigateway/beside"]);
    let events: Vec<_> = scenario.events(start()).collect();
    assert_eq!(events.len(), 12_000);
    let streams: BTreeSet<_> = events.iter().map(|event| &event.stream).collect();
    assert_eq!(streams.len(), 20);
    assert_eq!(events.iter().filter(|event| event.time.since(event.written) == Duration::from_hours(2)).count(), 1);
}

#[test]
fn the_end_cuts_what_is_not_written_and_keeps_what_is() {
    let scenario = Scenario::parse(ROUGH).unwrap();
    let mut events = scenario.events(start());
    let cut = start().plus(Duration::from_mins(2));
    let mut seen = Vec::new();
    while let Some(event) = events.next_until(cut) {
        seen.push(event);
    }
    events.end_at(cut);
    seen.extend(events);
    assert!(seen.iter().all(|event| event.written < cut));
    assert_eq!(seen.len(), 6000);
}

#[test]
fn mistakes_are_named_with_their_line() {
    for (text, parts) in [
        ("sed = 1", &["line 1: sed = 1", "unknown field `sed`"][..]),
        ("seed = \"x\"", &["line 1", "seed = \"x\"", "expected u64"]),
        ("history = \"5 parsecs\"", &["line 1", "history", "`5 parsecs` is not a duration"]),
        ("[account]\nfilter_log_event = 3", &["line 2", "unknown field `filter_log_event`"]),
        ("\n[[group]]\nrate = 1", &["missing field `name`"]),
        ("[[group]]\nname = \"a b\"", &["line 1: [[group]]", "name = \"a b\""]),
        ("[[group]]\nname = \"a\"\nrate = -1", &["group `a`", "rate = -1", "0 to 100000"]),
        ("[[group]]\nname = \"a\"\nkind = \"json\"", &["line 3", "json", "access"]),
        ("[[group]]\nname = \"a\"\nfailing = 0.1", &["failing = 0.1", "access"]),
        ("[[group]]\nname = \"a\"\nlag = { p50 = \"2s\", p99 = \"1s\" }", &["lag: p99 = 1s", "p50 = 2s"]),
        ("[[group]]\nname = \"a\"\nfuture = { share = 0.1, up_to = \"3h\" }", &["future: up_to = 3h", "at most 2h"]),
        ("[[group]]\nname = \"a\"\nlate = { share = 1.1, up_to = \"3h\" }", &["late: share = 1.1"]),
        ("[[group]]\nname = \"a\"\n[[group]]\nname = \"a\"", &["line 3", "group `a`", "another"]),
        ("[[group]]\nname = \"a\"\nlives = [{ from = \"3m\" }, { from = \"4m\" }]", &["lives", "without `to`"]),
        ("[[fault]]\nkind = \"throtle\"", &["line 2", "throtle", "throttle"]),
        ("[[fault]]\nkind = \"throttle\"\nprobability = 1.5", &["fault 1", "probability = 1.5"]),
        ("[[fault]]\nkind = \"throttle\"\ngroup = \"b\"", &["fault 1", "group = \"b\"", "no such group"]),
        ("[[fault]]\nkind = \"throttle\"\nfrom = \"3m\"\nto = \"2m\"", &["from = 3m", "to = 2m"]),
        ("[[fault]]\nkind = \"slow\"", &["fault 1", "slow", "delay"]),
        ("[[fault]]\nkind = \"burst\"", &["fault 1", "burst", "from and to"]),
        ("[shop]\nrate = 501", &["shop: rate = 501"]),
        ("shop = 3", &["line 1: shop = 3", "true, false, or a table"]),
    ] {
        let message = Scenario::parse(text).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{text:?} gives {message:?}, without {part:?}");
        }
    }
}
