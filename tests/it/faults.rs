//! The real binary against the simulation, with everything going wrong that a log group can do.
//!
//! Wall clock, short settings. The simulation can do what moto cannot: refuse, throttle, hold back, repeat, tell late.
//! Each test watches many groups at once, because each fault is one group's, and the others going on is half of what
//! is shown. Rule: a test waits for a condition, such as a further request for a group or a line, never for a time;
//! and it counts: once is as wrong as never when it was twice.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatewatch::model::time::Timestamp;
use gatewatch::sim::{Fault, Sim};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::daemon::{Daemon, aws_environment};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("it is before the year 292 million"))
}

async fn simulation() -> Sim {
    Sim::start(Arc::new(now)).await.expect("a loopback port can be bound")
}

fn access_line(id: &str, status: u16) -> String {
    format!(
        r#"{{"requestId":"{id}","httpMethod":"GET","resourcePath":"/pets","status":"{status}","responseLatency":"12","integrationLatency":"10"}}"#
    )
}

/// Puts a request that is answered now.
fn put(sim: &Sim, group: &str, id: &str) {
    sim.put(group, "s", now(), now(), &access_line(id, 200));
}

/// A configuration with an API for each group, each named like its group.
struct Config {
    path: PathBuf,
    _folder: TempDir,
}

fn config(head: &str, apis: &[(&str, &[&str])]) -> Config {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("config.toml");
    let tables = apis.iter().map(|(name, groups)| {
        let groups: Vec<_> = groups.iter().map(|g| format!("{g:?}")).collect();
        format!("[[api]]\nname = \"{name}\"\naccess_log_groups = [{}]\n", groups.join(", "))
    });
    let text = format!(
        "window = \"60s\"\n{head}\n[poll]\ninterval = \"500ms\"\nmax_interval = \"500ms\"\nquota = 1000.0\n{}",
        tables.collect::<String>()
    );
    std::fs::write(&path, text).expect("a file can be written");
    Config { path, _folder: folder }
}

/// `--follow` of one API: its standard output names every request.
fn follow(sim: &Sim, groups: &[&str]) -> (Daemon, Config) {
    let config = config("", &[("shop", groups)]);
    let path = config.path.to_str().expect("temporary folders have plain names");
    let arguments = ["--config", path, "--follow", "shop", "--output", "json", "--since", "2m"];
    (Daemon::start(&arguments, &aws_environment(&sim.endpoint())), config)
}

/// Waits until the condition holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the group was asked for `more` further times.
async fn until_asked(sim: &Sim, group: &str, more: u64) {
    let asked = sim.requests(group);
    until(&format!("{more} more reads of {group}"), || sim.requests(group) >= asked + more).await;
}

/// How often each request was printed.
fn printed(daemon: &Daemon) -> BTreeMap<String, u32> {
    let mut times = BTreeMap::new();
    for line in daemon.stdout_json().iter().filter(|l| l["type"] == "request") {
        *times.entry(line["request_id"].as_str().unwrap_or("-").to_owned()).or_default() += 1;
    }
    times
}

fn complaints(daemon: &Daemon, group: &str) -> Vec<String> {
    daemon.stderr_text().lines().filter(|l| l.contains(group)).map(str::to_owned).collect()
}

/// Faults that refuse a read, and a word that the complaint must have so that people know what to do.
fn refusals() -> Vec<(&'static str, Fault, &'static str)> {
    vec![
        ("/faults/denied", Fault::AccessDenied, "logs:FilterLogEvents"),
        ("/faults/missing", Fault::Missing, "name"),
        ("/faults/infrequent", Fault::Infrequent, "class"),
        ("/faults/expired", Fault::ExpiredToken, "credentials"),
        // It is said when it lasts: at the eighth in a row.
        ("/faults/throttled", Fault::Throttle(9), "quota"),
        ("/faults/unavailable", Fault::Unavailable(3), "ServiceUnavailable"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_is_said_once_and_costs_no_event() {
    const GOOD: &str = "/faults/good";
    let sim = simulation().await;
    let refusals = refusals();
    let mut groups = vec![GOOD];
    put(&sim, GOOD, "good-before");
    for (group, fault, _) in &refusals {
        put(&sim, group, &format!("{group}-before"));
        sim.fault(group, *fault);
        groups.push(group);
    }
    let (mut daemon, _config) = follow(&sim, &groups);
    for (group, _, _) in &refusals {
        let said = daemon.wait_stderr(|line| line.contains(group), PATIENCE);
        assert!(said.is_some(), "standard error says nothing of {group}");
    }
    // The others go on meanwhile, and each refused group is tried again.
    put(&sim, GOOD, "good-during");
    daemon.expect_stdout("request of the good group", PATIENCE, |line| line["request_id"] == "good-during");
    for (group, fault, _) in &refusals {
        put(&sim, group, &format!("{group}-during"));
        if matches!(fault, Fault::Throttle(_) | Fault::Unavailable(_)) {
            continue;
        }
        until(&format!("a third read of {group}"), || sim.requests(group) >= 3).await;
        sim.fault(group, Fault::Clear);
    }
    for (group, _, _) in &refusals {
        let during = format!("{group}-during");
        daemon.expect_stdout(&during, PATIENCE, |line| line["request_id"] == *during);
        put(&sim, group, &format!("{group}-after"));
    }
    for (group, _, _) in &refusals {
        let after = format!("{group}-after");
        daemon.expect_stdout(&after, PATIENCE, |line| line["request_id"] == *after);
    }
    for group in &groups {
        until_asked(&sim, group, 3).await;
    }
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);

    let mut expected: BTreeMap<String, u32> = BTreeMap::new();
    expected.extend(["good-before", "good-during"].map(|id| (id.to_owned(), 1)));
    for (group, _, _) in &refusals {
        expected.extend(["before", "during", "after"].map(|when| (format!("{group}-{when}"), 1)));
    }
    assert_eq!(printed(&daemon), expected, "every request once");
    assert_eq!(complaints(&daemon, GOOD), [""; 0], "nothing was wrong with it");
    for (group, _, word) in &refusals {
        let said = complaints(&daemon, group);
        let problems = said.iter().filter(|l| l.contains("cannot be read")).count();
        assert_eq!(problems, 1, "one line as long as the problem stays the same: {said:#?}");
        assert!(said[0].contains(word), "it does not say `{word}`: {}", said[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_problem_that_changes_is_said_again() {
    const GROUP: &str = "/faults/changing";
    let sim = simulation().await;
    sim.create_group(GROUP);
    sim.fault(GROUP, Fault::AccessDenied);
    let (mut daemon, _config) = follow(&sim, &[GROUP]);
    let said =
        |word: &'static str| daemon.wait_stderr(move |line| line.contains(GROUP) && line.contains(word), PATIENCE);
    assert!(said("AccessDenied").is_some());
    sim.fault(GROUP, Fault::Missing);
    assert!(said("ResourceNotFound").is_some());
    sim.fault(GROUP, Fault::AccessDenied);
    until("the same as at first", || complaints(&daemon, GROUP).len() == 3).await;
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
}

/// Text that makes an event large: ten of them are a page.
fn large(id: &str) -> String {
    let padding = "x".repeat(100_000);
    access_line(id, 200).replacen('{', &format!(r#"{{"userAgent":"{padding}","#), 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_empty_repeat_or_are_many_bring_each_event_once() {
    const EMPTY: &str = "/pages/empty";
    const REPEATED: &str = "/pages/repeated";
    const MANY: &str = "/pages/many";
    let sim = simulation().await;
    let mut expected: BTreeMap<String, u32> = BTreeMap::new();
    let mut add = |group: &str, n: u32, text: &dyn Fn(&str) -> String| {
        for n in 0..n {
            let id = format!("{group}-{n}");
            sim.put(group, "s", now(), now(), &text(&id));
            expected.insert(id, 1);
        }
    };
    add(EMPTY, 5, &|id| access_line(id, 200));
    add(REPEATED, 25, &large);
    add(MANY, 45, &large);
    sim.fault(EMPTY, Fault::EmptyPages(4));
    sim.fault(REPEATED, Fault::DuplicateToken(2));
    let (mut daemon, _config) = follow(&sim, &[EMPTY, REPEATED, MANY]);
    until("all of them", || printed(&daemon).len() >= expected.len()).await;
    assert!(sim.requests(MANY) >= 5, "they did lie on five pages");
    // More whole reads of what was read already; one of them is given up because its token never moves.
    sim.fault(REPEATED, Fault::DuplicateToken(6));
    put(&sim, REPEATED, "new");
    expected.insert("new".to_owned(), 1);
    daemon.expect_stdout("request behind a stuck token", PATIENCE, |line| line["request_id"] == "new");
    until_asked(&sim, EMPTY, 5).await;
    until_asked(&sim, MANY, 12).await;
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
    assert_eq!(printed(&daemon), expected, "every request once");
    for group in [EMPTY, MANY] {
        assert_eq!(complaints(&daemon, group), [""; 0], "an empty or a further page is no problem");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_and_future_stamps_neither_blind_it_nor_count_twice() {
    const GROUP: &str = "/stamps/shop";
    let sim = simulation().await;
    put(&sim, GROUP, "first");
    let (mut daemon, _config) = follow(&sim, &[GROUP]);
    let expect = |id: &'static str| daemon.expect_stdout(id, PATIENCE, |line: &Value| line["request_id"] == id);
    expect("first");
    let second = Duration::from_secs(1);
    sim.put(GROUP, "s", now().plus(second * 1800), now(), &access_line("ahead", 200));
    expect("ahead");
    // Stamped 40 s before it can be seen: far behind everything that was read by now.
    sim.put(GROUP, "s", now().minus(second * 39), now().plus(second), &access_line("late", 200));
    expect("late");
    put(&sim, GROUP, "last");
    expect("last");
    sim.put(GROUP, "s", now().plus(second * 1800), now(), &access_line("ahead too", 200));
    expect("ahead too");
    until_asked(&sim, GROUP, 4).await;
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
    let once = ["first", "ahead", "late", "last", "ahead too"].map(|id| (id.to_owned(), 1));
    assert_eq!(printed(&daemon), BTreeMap::from(once));
    assert_eq!(daemon.stderr_text(), "", "nothing is wrong with late or early events");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_and_future_stamps_stand_in_the_alert_once() {
    const GROUP: &str = "/stamps/alert";
    let sim = simulation().await;
    put(&sim, GROUP, "first");
    let rules = "[[rule]]\nname = \"endpoint-5xx\"\nfor = \"0s\"\n[[rule]]\nname = \"api-5xx\"\nenabled = false\n[notify]\ngroup_wait = \"0s\"";
    let config = config(rules, &[("shop", &[GROUP])]);
    let arguments = ["--config", config.path.to_str().expect("temporary folders have plain names")];
    let mut daemon = Daemon::start(&arguments, &aws_environment(&sim.endpoint()));
    until_asked(&sim, GROUP, 2).await;
    // A rule looks at the end of each 10 s slot: all of it is put well within one.
    until("the beginning of a slot", || (1_000..=5_000).contains(&now().as_millis().rem_euclid(10_000))).await;
    let put_many = |name: &str, count: u32, status: u16, stamp: Timestamp| {
        for n in 0..count {
            sim.put(GROUP, "s", stamp, now(), &access_line(&format!("{name}-{n}"), status));
        }
    };
    let second = Duration::from_secs(1);
    put_many("ahead", 1, 502, now().plus(second * 1800));
    put_many("late", 4, 502, now().minus(second * 40));
    put_many("fine", 17, 200, now());
    put_many("failed", 8, 502, now());
    let alert = daemon.expect_stdout("firing alert", PATIENCE, |line| line["state"] == "firing");
    assert_eq!((&alert["errors"], &alert["requests"]), (&13.into(), &31.into()), "{alert:#}");
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
}

/// `--since` reaches back further than the window: what is too old for the statistics is still a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_longer_than_the_window_is_printed_whole_from_every_group() {
    let groups = ["/history/one", "/history/two"];
    let sim = simulation().await;
    let begun = now();
    let mut expected: BTreeMap<String, u32> = BTreeMap::new();
    for group in groups {
        for back in (0..15).rev().map(|n| n * 20) {
            let id = format!("{group} {back} s ago");
            let stamp = begun.minus(Duration::from_secs(back));
            sim.put(group, "s", stamp, stamp, &access_line(&id, if back == 280 { 502 } else { 200 }));
            expected.insert(id, 1);
        }
    }
    let config = config("", &[("shop", &groups)]);
    let path = config.path.to_str().expect("temporary folders have plain names");
    let arguments = ["--config", path, "--follow", "shop", "--output", "json", "--since", "10m"];
    let mut daemon = Daemon::start(&arguments, &aws_environment(&sim.endpoint()));
    for group in groups {
        until(&format!("three reads of {group}"), || sim.requests(group) >= 3).await;
    }
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
    assert_eq!(printed(&daemon), expected, "every request once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_endpoint_is_said_once_for_each_group_and_does_not_hold_up_the_end() {
    // A port that was free a moment ago: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port can be bound");
    let endpoint = format!("http://{}", free.local_addr().expect("it has an address"));
    drop(free);
    let groups = ["/dead/one", "/dead/two", "/dead/three"];
    let config = config("", &[("one", &groups[..1]), ("two", &groups[1..])]);
    let arguments = ["--config", config.path.to_str().expect("temporary folders have plain names")];
    let mut daemon = Daemon::start(&arguments, &aws_environment(&endpoint));
    let begun = Instant::now();
    for group in groups {
        let said = daemon.wait_stderr(|line| line.contains(group) && line.contains("cannot be read"), PATIENCE);
        let said = said.unwrap_or_else(|| panic!("standard error says nothing of {group}"));
        assert!(said.to_lowercase().contains("refused"), "it does not say why: {said}");
        assert!(said.contains("AWS_ENDPOINT_URL") || said.contains("network"), "it does not say what to check: {said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "said after {:?}", begun.elapsed());
    let stopping = Instant::now();
    assert_eq!(daemon.terminate(Duration::from_secs(5)), 0);
    assert!(stopping.elapsed() < Duration::from_secs(3), "the end took {:?}", stopping.elapsed());
    for group in groups {
        assert_eq!(complaints(&daemon, group).len(), 1, "{:#?}", complaints(&daemon, group));
    }
    assert!(daemon.stdout_json().iter().all(|line| line["rule"] == "source-blind"), "no traffic was seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_denied_is_one_alert_until_it_is_read() {
    const DENIED: &str = "/denied/one";
    let sim = simulation().await;
    sim.create_group(DENIED);
    sim.create_group("/denied/good");
    sim.fault(DENIED, Fault::AccessDenied);
    let rule = "[[rule]]\nname = \"source-blind\"\nfor = \"1s\"\nseverity = \"critical\"\n";
    let config = config(rule, &[("shop", &[DENIED]), ("good", &["/denied/good"])]);
    let arguments = ["--config", config.path.to_str().expect("temporary folders have plain names")];
    let mut daemon = Daemon::start(&arguments, &aws_environment(&sim.endpoint()));
    let fired = daemon.expect_stdout("alert about the log", PATIENCE, |line| line["rule"] == "source-blind");
    assert_eq!((&fired["source"], &fired["api"], &fired["endpoint"]), (&DENIED.into(), &"shop".into(), &Value::Null));
    assert_eq!((&fired["state"], &fired["severity"]), (&"firing".into(), &"critical".into()), "{fired:#}");
    assert_eq!((&fired["problem"]["kind"], &fired["problem"]["loss"]), (&"denied".into(), &"everything".into()));
    assert!(fired["problem"]["said"].as_str().is_some_and(|said| !said.is_empty()), "{fired:#}");
    until_asked(&sim, DENIED, 1).await;
    sim.fault(DENIED, Fault::Clear);
    let resolved = daemon.expect_stdout("its resolve", PATIENCE, |line| line["state"] == "resolved");
    assert_eq!((&resolved["episode"], &resolved["seq"]), (&fired["episode"], &2.into()), "{resolved:#}");
    until_asked(&sim, DENIED, 2).await;
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
    assert_eq!(daemon.stdout_json().len(), 2, "once each: {:#?}", daemon.stdout_json());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_never_answers_does_not_hold_up_the_others_or_the_end() {
    const HANGING: &str = "/hang/one";
    const GOOD: &str = "/hang/two";
    let sim = simulation().await;
    sim.create_group(HANGING);
    sim.fault(HANGING, Fault::Hang(1000));
    let (mut daemon, _config) = follow(&sim, &[HANGING, GOOD]);
    until("a read of the hanging group", || sim.requests(HANGING) > 0).await;
    put(&sim, GOOD, "good");
    daemon.expect_stdout("request of the good group", PATIENCE, |line| line["request_id"] == "good");
    assert_eq!(daemon.terminate(Duration::from_secs(3)), 0);
}
