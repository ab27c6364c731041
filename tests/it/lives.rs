//! One daemon in many lives: it is killed, its state damaged, its configuration changed, and it goes on.
//!
//! The real binary with a state folder, on the simulation, in real time. What it counted stands on standard error, what
//! it said on standard output, and both are put together over all lives. Rule: a test waits for a condition, never for
//! a time, but for the moment of a death, which is the dice's; and it counts to the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatewatch::model::time::Timestamp;
use gatewatch::sim::Sim;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::daemon::{Daemon, aws_environment};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rules look at the end of each.
pub(crate) const SLOT: i64 = 10_000;

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("it is before the year 292 million"))
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(crate) async fn simulation() -> Sim {
    Sim::start(Arc::new(now)).await.expect("a loopback port can be bound")
}

/// Numbers without order: splitmix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub(crate) fn between(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// What was put into the simulation, and so must be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    requests: u64,
    failures: u64,
    events: u64,
}

impl Counts {
    /// Puts a request.
    fn put(&mut self, sim: &Sim, group: &str, (time, visible_at): (Timestamp, Timestamp), status: u16) {
        let n = self.requests;
        let line = format!(
            r#"{{"requestId":"{group}-{n}","httpMethod":"GET","resourcePath":"/pets","status":"{status}","responseLatency":"12","integrationLatency":"10"}}"#
        );
        sim.put(group, "s", time, visible_at, &line);
        self.requests += 1;
        self.failures += u64::from(status >= 500);
        self.events += 1;
    }

    /// Puts requests that are answered now.
    fn put_now(&mut self, sim: &Sim, group: &str, many: u32, status: u16) {
        for _ in 0..many {
            self.put(sim, group, (now(), now()), status);
        }
    }
}

/// A folder with a configuration and the state.
pub(crate) struct Home {
    folder: TempDir,
    endpoint: String,
}

const API: &str = "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/lives/shop\"]\n";

impl Home {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made"), endpoint: sim.endpoint() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes the configuration: state folder, short intervals, then `more`.
    pub(crate) fn configure(&self, more: &str) {
        let state = self.state().display().to_string();
        self.write(&format!("state_dir = {state:?}\n"), more);
    }

    pub(crate) fn write(&self, head: &str, more: &str) {
        let poll = "[poll]\ninterval = \"500ms\"\nmax_interval = \"500ms\"\nquota = 100\nquota_share = 1.0\n";
        let notify = "[notify]\ngroup_wait = \"0s\"\n";
        let text = format!("{head}window = \"2m\"\n{poll}{notify}{more}");
        fs::write(self.path("config.toml"), text).expect("a file can be written");
    }

    fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&self, more: &[(&str, &str)]) -> Daemon {
        self.start_onto(Stdio::piped(), more)
    }

    /// With a standard error of the test's own.
    pub(crate) fn start_onto(&self, stderr: Stdio, more: &[(&str, &str)]) -> Daemon {
        let config = self.path("config.toml").display().to_string();
        let environment = [&aws_environment(&self.endpoint)[..], more].concat();
        Daemon::start_with(&["--config", &config], &environment, Stdio::piped(), stderr)
    }
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, holds: impl FnMut() -> bool) {
    until_within(PATIENCE, what, holds).await;
}

/// Waits until the condition holds, so long at most.
pub(crate) async fn until_within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < patience, "waited {patience:?} for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until these groups were asked for so often that all that is visible now is read.
async fn until_read(sim: &Sim, groups: &[&str]) {
    let asked: Vec<u64> = groups.iter().map(|group| sim.requests(group)).collect();
    let enough = || groups.iter().zip(&asked).all(|(group, before)| sim.requests(group) >= before + 8);
    until(&format!("eight more reads of {groups:?}"), enough).await;
}

/// A regular stop, as systemd does it.
pub(crate) fn stop(daemon: &mut Daemon) {
    assert_eq!(daemon.terminate(Duration::from_secs(15)), 0);
}

/// What the lines `counted ..` say, in order: at the start where there was a state, and at the end.
fn counted(daemon: &Daemon) -> Vec<Counts> {
    let said = daemon.stderr_text();
    let numbers = |line: &str| {
        let text = line.split_once(" counted ")?.1;
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
        Some(Counts { requests: numbers.next()?, failures: numbers.next()?, events: numbers.next()? })
    };
    said.lines().filter_map(numbers).collect()
}

/// Lines about the state that say something is wrong.
fn complaints(daemon: &Daemon) -> Vec<String> {
    let wrong = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    daemon.stderr_text().lines().filter(wrong).map(str::to_owned).collect()
}

/// Rule and API.
type Key = (String, String);

fn key(alert: &Value) -> Key {
    let text = |name: &str| alert[name].as_str().unwrap_or("-").to_owned();
    (text("rule"), text("api"))
}

/// What was printed in all lives, in order, without what was printed again. Holds that no life says anything twice, and
/// that what is said again is said by the life right after, word for word. Returns how many were said again, too.
fn story(lives: &[Vec<Value>]) -> (Vec<Value>, usize) {
    let mut said: BTreeMap<(String, u64), (usize, &Value)> = BTreeMap::new();
    let (mut story, mut again) = (Vec::new(), 0);
    for (life, lines) in lives.iter().enumerate() {
        for line in lines {
            let name =
                (line["episode"].as_str().expect("it has one").to_owned(), line["seq"].as_u64().expect("a number"));
            match said.insert(name, (life, line)) {
                None => story.push(line.clone()),
                Some((before, first)) => {
                    again += 1;
                    assert_eq!(before + 1, life, "only a death between writing and marking repeats: {line:#}");
                    assert_eq!(first, line, "the same decision is said in the same words");
                }
            }
        }
    }
    (story, again)
}

/// Per key: an episode fires, with seq 1, then resolves, then comes the next one.
fn takes_turns(story: &[Value]) {
    let mut standing: BTreeMap<Key, (String, u64)> = BTreeMap::new();
    let mut over = BTreeSet::new();
    for line in story {
        let (episode, seq) = (line["episode"].as_str().expect("it has one").to_owned(), line["seq"].as_u64());
        assert!(!over.contains(&episode), "said of an episode that is over: {line:#}");
        let seq = seq.expect("a number");
        let before = standing.insert(key(line), (episode.clone(), seq));
        assert_eq!(before.map_or((episode.clone(), 1), |(e, s)| (e, s + 1)), (episode.clone(), seq), "{line:#}");
        if line["state"] == "resolved" {
            assert!(seq > 1, "resolved and never said to fire: {line:#}");
            standing.remove(&key(line));
            over.insert(episode);
        }
    }
}

/// Each alert's `since` (milliseconds) by its key, of those in this state.
fn since(story: &[Value], state: &str) -> BTreeSet<(Key, i64)> {
    let of_state = story.iter().filter(|line| line["state"] == state);
    let since = |line: &Value| {
        let text = line["since"].as_str().expect("an alert has one");
        text.parse::<jiff::Timestamp>().expect("a time").as_millisecond()
    };
    // Further messages about the same episode have the same `since`.
    of_state.map(|line| (key(line), since(line))).collect()
}

const SHOPS: [&str; 3] = ["/lives/one", "/lives/two", "/lives/three"];
const FUNCTION: &str = "/aws/lambda/lives";

/// Of every three slots each shop has one in which half of its requests fail.
fn is_bad(shop: usize, slot: usize) -> bool {
    (slot + 2) % 3 == shop
}

/// Puts `slots` slots of traffic, the first of which ends within the next ten seconds: 40 requests a second for each
/// shop, one in twenty of them seconds late and one in a hundred stamped in the future. And a function's log that is so
/// long that its ids fill a segment. Returns the end of the first slot.
fn put_traffic(sim: &Sim, slots: usize, dice: &mut Dice, put: &mut Counts) -> i64 {
    let begun = now();
    let first = (begun.as_millis() / SLOT + 1) * SLOT;
    for (shop, group) in SHOPS.into_iter().enumerate() {
        for slot in 0..slots {
            let from = first + SLOT * (i64::try_from(slot).expect("a few") - 1);
            for n in 0..400_i64 {
                // Failures keep away from the ends of a slot: a request counts when it ends, not when it begins.
                let status = if is_bad(shop, slot) && (40..360).contains(&n) && n % 2 == 0 { 502 } else { 200 };
                let time = at(from + n * 25);
                let late = if dice.below(20) == 0 { dice.between(1_000, 5_000) } else { dice.between(20, 900) };
                let stamp =
                    if status == 200 && dice.below(100) == 0 { time.plus(dice.between(0, 20_000)) } else { time };
                put.put(sim, group, (stamp, time.plus(late)), status);
            }
        }
    }
    for n in 0..36_000_i64 {
        let time = at(begun.as_millis() - 95_000 + n % 30_000);
        sim.put(FUNCTION, "2026/11/22/[$LATEST]0", time, time, "what a function says");
        put.events += 1;
    }
    first
}

/// Lives, each of which ends by SIGKILL: soon, around the second snapshot, or as soon as something was said.
async fn die(home: &Home, deaths: usize, dice: &mut Dice) -> Vec<Vec<Value>> {
    let mut lives = Vec::new();
    for death in 0..deaths {
        let mut daemon = home.start();
        match death % 4 {
            0 | 2 => sleep(dice.between(5_000, 6_500)).await,
            1 => sleep(dice.between(100, 1_500)).await,
            _ => {
                let before = lives.iter().flatten().cloned().collect::<Vec<Value>>();
                let new = |line: &Value| !before.contains(line);
                let within = dice.between(1_000, 4_000);
                tokio::task::block_in_place(|| daemon.wait_stdout(new, within));
            }
        }
        daemon.kill();
        assert!(complaints(&daemon).is_empty(), "a death is no damage: {:#?}", complaints(&daemon));
        lives.push(daemon.stdout_json());
    }
    lives
}

async fn is_killed(deaths: usize, slots: usize, seed: u64) {
    let sim = simulation().await;
    let home = Home::new(&sim);
    let api = |group: &&str| {
        format!(
            "[[api]]\nname = \"{group}\"\naccess_log_groups = [\"{group}\"]\nlambda_log_groups = [\"{FUNCTION}\"]\n"
        )
    };
    let quick = "window = \"10s\"\nfor = \"0s\"\nkeep_firing_for = \"0s\"\nlow_traffic = false\n";
    let rule = |name| format!("[[rule]]\nname = \"{name}\"\n{quick}");
    let apis: String = SHOPS.iter().map(api).collect();
    home.configure(&format!("{}{}{apis}", rule("endpoint-5xx"), rule("api-5xx")));
    let (mut dice, mut put) = (Dice(seed), Counts::default());
    let first = put_traffic(&sim, slots, &mut dice, &mut put);
    let mut lives = die(&home, deaths, &mut dice).await;
    let mut daemon = home.start();
    // The last events become visible some seconds after their stamps, and the last slot is looked at after that.
    let end = at(first + SLOT * i64::try_from(slots - 1).expect("a few"));
    until("the end of the traffic", || now() > end.plus(Duration::from_secs(6))).await;
    let groups = [&SHOPS[..], &[FUNCTION]].concat();
    until_read(&sim, &groups).await;
    stop(&mut daemon);
    lives.push(daemon.stdout_json());

    assert_eq!(
        counted(&daemon).last(),
        Some(&put),
        "all that was made was counted once, in {deaths} lives and this one"
    );
    let (story, again) = story(&lives);
    takes_turns(&story);
    let mut fired = BTreeSet::new();
    for (shop, group) in SHOPS.iter().enumerate() {
        for slot in (0..slots).filter(|slot| is_bad(shop, *slot)) {
            let end = first + SLOT * i64::try_from(slot).expect("a few");
            fired.insert((("endpoint-5xx".to_owned(), (*group).to_owned()), end));
        }
    }
    assert_eq!(
        since(&story, "firing"),
        fired,
        "each bad slot is an alert of its only endpoint, and none of the API, which says the same"
    );
    let resolved = since(&story, "resolved");
    assert!(resolved.is_subset(&fired), "{resolved:?}");
    // It depends on how long the last reads took whether the rules have looked at the slot after the last one.
    fired.retain(|(_, since)| *since < end.as_millis());
    assert!(resolved.is_superset(&fired), "what fired before the last slot is over: {resolved:?}");
    let progress = counted(&daemon).first().copied().unwrap_or_default();
    eprintln!(
        "{deaths} deaths: {put:?} made and counted, {progress:?} at the last start; {} said, {again} again",
        story.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_counts_to_the_last_one() {
    is_killed(8, 3, 1).await;
}

/// For by hand, with another seed each time:
/// `LIVES_SEED=$RANDOM cargo test --test it lives::killed_twenty -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes more than a minute"]
async fn killed_twenty_times_it_counts_to_the_last_one() {
    let seed = std::env::var("LIVES_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20);
    is_killed(20, 8, seed).await;
}

/// Changes the file in some way.
type Damage = fn(&mut Vec<u8>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_state_is_set_aside_and_said_in_one_sentence() {
    const GROUP: &str = "/lives/shop";
    let damages: [(&str, &str, Damage); 5] = [
        ("snapshot", "damaged", |file| file.truncate(file.len() / 2)),
        ("snapshot", "damaged", |file| {
            let middle = file.len() / 2;
            file[middle] ^= 0x10;
        }),
        ("snapshot", "damaged", Vec::clear),
        ("snapshot", "no state file", |file| *file = b"{\"what\": \"somebody else's\"}\n".to_vec()),
        ("journal", "no state file", |file| *file = b"Dear diary, nothing happened today.\n".to_vec()),
    ];
    let sim = simulation().await;
    let home = Home::new(&sim);
    home.configure(API);
    let mut put = Counts::default();
    put.put_now(&sim, GROUP, 30, 200);
    let mut daemon = home.start();
    until_read(&sim, &[GROUP]).await;
    stop(&mut daemon);
    assert_eq!(counted(&daemon), [put], "there was no state at the start");
    for (nth, (name, word, damage)) in damages.into_iter().enumerate() {
        let path = home.state().join(name);
        let mut file = fs::read(&path).expect("it is there after a stop");
        damage(&mut file);
        fs::write(&path, &file).expect("it can be written");
        put.put_now(&sim, GROUP, 5, 200);
        let mut daemon = home.start();
        until_read(&sim, &[GROUP]).await;
        stop(&mut daemon);
        let said = complaints(&daemon);
        assert_eq!(said.len(), 1, "one sentence: {said:#?}");
        let names = said[0].contains(&path.display().to_string()) && said[0].contains(word);
        assert!(names, "it does not name {} or `{word}`: {}", path.display(), said[0]);
        let aside = said[0].split_once("put aside as ").map_or("", |(_, to)| to);
        let aside = Path::new(aside.split(';').next().unwrap_or(""));
        let kept = if aside.is_dir() { fs::read(aside.join(name)) } else { fs::read(aside) };
        assert_eq!(kept.ok(), Some(file), "damage {nth}: {} is what there was", aside.display());
        // All of it is still within the window: it starts clean and reads it again, or goes on where only the journal
        // was lost.
        assert_eq!(counted(&daemon).last(), Some(&put), "damage {nth}");
        assert_eq!(counted(&daemon).len(), if name == "journal" { 2 } else { 1 }, "damage {nth}");
    }
    let mut daemon = home.start();
    until_read(&sim, &[GROUP]).await;
    stop(&mut daemon);
    assert_eq!((counted(&daemon), complaints(&daemon)), (vec![put, put], vec![]), "and then all is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_folder_that_cannot_be_used_is_named() {
    let sim = simulation().await;
    let home = Home::new(&sim);
    fs::write(home.path("file"), "").expect("a file can be written");
    for folder in [home.path("file"), home.path("file").join("state"), "/proc/gatewatch".into()] {
        home.write(&format!("state_dir = {:?}\n", folder.display().to_string()), API);
        let mut daemon = home.start();
        let code = daemon.ended(PATIENCE);
        let said = daemon.stderr_text();
        let last = said.lines().last().unwrap_or_default();
        assert!(code == 1 || code == 2, "{code}: {said}");
        assert!(last.starts_with("gatewatch| ") && last.contains(&folder.display().to_string()), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_in_the_same_state_folder_ends_and_the_first_goes_on() {
    const GROUP: &str = "/lives/shop";
    let sim = simulation().await;
    let home = Home::new(&sim);
    home.configure(API);
    let mut put = Counts::default();
    put.put_now(&sim, GROUP, 10, 200);
    let mut first = home.start();
    until_read(&sim, &[GROUP]).await;
    let mut second = home.start();
    let code = second.ended(PATIENCE);
    let said = second.stderr_text();
    assert_ne!(code, 0, "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains(&home.state().display().to_string()) && last.contains("in use by another"), "{said}");
    put.put_now(&sim, GROUP, 10, 200);
    until_read(&sim, &[GROUP]).await;
    stop(&mut first);
    assert_eq!((counted(&first), complaints(&first)), (vec![put], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_directory_of_systemd_is_honoured() {
    const GROUP: &str = "/lives/shop";
    let sim = simulation().await;
    let home = Home::new(&sim);
    let (one, two) = (home.path("one").display().to_string(), home.path("two").display().to_string());
    let mut put = Counts::default();
    // systemd names several with a colon between them: the first is taken.
    for (lives, folders) in [one.clone(), format!("{one}:{two}")].into_iter().enumerate() {
        home.write("", API);
        put.put_now(&sim, GROUP, 10, 200);
        let mut daemon = home.start_with(&[("STATE_DIRECTORY", &folders)]);
        until_read(&sim, &[GROUP]).await;
        stop(&mut daemon);
        assert_eq!((counted(&daemon).len(), counted(&daemon).last()), (lives + 1, Some(&put)));
    }
    assert!(Path::new(&one).join("snapshot").is_file() && !Path::new(&two).exists());
    // What the configuration names comes first.
    home.configure(API);
    let mut daemon = home.start_with(&[("STATE_DIRECTORY", &two)]);
    until_read(&sim, &[GROUP]).await;
    stop(&mut daemon);
    assert!(home.state().join("snapshot").is_file() && !Path::new(&two).exists());
}

/// Waits for this alert.
fn expect(daemon: &Daemon, rule: &str, api: &str, state: &str) {
    let is_it = |line: &Value| line["rule"] == rule && line["api"] == api && line["state"] == state;
    tokio::task::block_in_place(|| daemon.expect_stdout(&format!("{rule} of {api} {state}"), PATIENCE, is_it));
}

/// A configuration of up to two APIs.
fn two_apis(function: bool, second: bool, endpoint_rule: bool) -> String {
    let function = if function { "lambda_log_groups = [\"/aws/lambda/lives\"]\n" } else { "" };
    let second = if second { "[[api]]\nname = \"second\"\naccess_log_groups = [\"/lives/second\"]\n" } else { "" };
    let at_once = "for = \"0s\"\nlow_traffic = false\n";
    format!(
        "[[rule]]\nname = \"endpoint-5xx\"\nenabled = {endpoint_rule}\n{at_once}[[rule]]\nname = \"api-5xx\"\n{at_once}[[rule]]\nname = \"source-blind\"\nfor = \"1s\"\n\
         {API}{function}{second}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_may_change_between_two_lives() {
    const GROUP: &str = "/lives/shop";
    const SECOND: &str = "/lives/second";
    let sim = simulation().await;
    sim.create_group(GROUP);
    sim.create_group(SECOND);
    let home = Home::new(&sim);
    let mut put = Counts::default();
    let mut lives = Vec::new();

    // The function's log group is not there: an alert about it fires.
    home.configure(&two_apis(true, false, true));
    let mut daemon = home.start();
    until_read(&sim, &[GROUP]).await;
    put.put_now(&sim, GROUP, 40, 200);
    put.put_now(&sim, GROUP, 20, 502);
    // Of an API with one endpoint that fails it is the endpoint that is told.
    for rule in ["endpoint-5xx", "source-blind"] {
        expect(&daemon, rule, "shop", "firing");
    }
    stop(&mut daemon);
    assert_eq!(counted(&daemon), [put]);
    lives.push(daemon.stdout_json());

    // A second API, which fails; no function any more; a rule less.
    home.configure(&two_apis(false, true, false));
    put.put_now(&sim, SECOND, 15, 200);
    let mut daemon = home.start();
    expect(&daemon, "endpoint-5xx", "shop", "resolved");
    expect(&daemon, "source-blind", "shop", "resolved");
    put.put_now(&sim, GROUP, 5, 200);
    put.put_now(&sim, SECOND, 25, 502);
    expect(&daemon, "api-5xx", "second", "firing");
    until_read(&sim, &[GROUP, SECOND]).await;
    stop(&mut daemon);
    assert_eq!(counted(&daemon).last(), Some(&put));
    lives.push(daemon.stdout_json());

    // The second API is gone for one life: its alert is over, and what was counted of it stays counted.
    home.configure(&two_apis(false, false, false));
    let mut daemon = home.start();
    expect(&daemon, "api-5xx", "second", "resolved");
    put.put_now(&sim, GROUP, 5, 200);
    until_read(&sim, &[GROUP]).await;
    stop(&mut daemon);
    assert_eq!(counted(&daemon).last(), Some(&put));
    lives.push(daemon.stdout_json());

    // It comes back: what was counted of it is not counted again, and what came meanwhile is.
    put.put_now(&sim, SECOND, 5, 200);
    home.configure(&two_apis(false, true, false));
    let mut daemon = home.start();
    put.put_now(&sim, SECOND, 5, 200);
    until_read(&sim, &[GROUP, SECOND]).await;
    stop(&mut daemon);
    assert_eq!(counted(&daemon).last(), Some(&put));
    lives.push(daemon.stdout_json());

    let (story, again) = story(&lives);
    takes_turns(&story);
    assert_eq!(again, 0, "every stop was a regular one");
    let is_it = |line: &&Value| line["rule"] == "api-5xx" && line["api"] == "shop";
    let states: Vec<_> = story.iter().filter(is_it).map(|line| &line["state"]).collect();
    assert_eq!(states, ["firing"], "what has its rule goes on");
}

/// An API that is read from its access log, and then from its execution log alone: by a reload, and by a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_moves_to_its_execution_log_is_watched_by_that() {
    const ACCESS: &str = "/lives/shop";
    const EXECUTION: &str = "API-Gateway-Execution-Logs_a1b2c3d4e5/prod";
    let rule = "[[rule]]\nname = \"endpoint-5xx\"\nwindow = \"10s\"\nfor = \"0s\"\nkeep_firing_for = \"0s\"\nlow_traffic = false\n";
    for by_reload in [true, false] {
        let sim = simulation().await;
        sim.create_group(ACCESS);
        sim.create_group(EXECUTION);
        let home = Home::new(&sim);
        home.configure(&format!("{rule}{API}"));
        let mut daemon = home.start();
        until_read(&sim, &[ACCESS]).await;
        Counts::default().put_now(&sim, ACCESS, 20, 502);
        expect(&daemon, "endpoint-5xx", "shop", "firing");

        let api = format!("[[api]]\nname = \"shop\"\nexecution_log_group = \"{EXECUTION}\"\n");
        home.configure(&format!("{rule}{api}"));
        if by_reload {
            daemon.hang_up();
        } else {
            stop(&mut daemon);
            daemon = home.start();
        }
        expect(&daemon, "endpoint-5xx", "shop", "resolved");
        let over = daemon.stdout_json().len();
        for n in 0..20 {
            for said in ["HTTP Method: GET, Resource Path: /pets", "Method completed with status: 502"] {
                sim.put(EXECUTION, "s", now(), now(), &format!("(e-{n}) {said}"));
            }
        }
        let fires = || daemon.stdout_json()[over..].iter().any(|line| line["state"] == "firing");
        until("what its execution log tells", fires).await;
        stop(&mut daemon);
    }
}
