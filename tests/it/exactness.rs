//! The real daemon's reading over the simulation, hours in seconds: every event is counted once, whatever goes wrong.
//!
//! The clock is tokio's, paused: it jumps to the next thing that happens. What is counted is measured where it counts:
//! each request as the engine hands it out, the engine's own counters, and the counters of events of each log group,
//! which the state folder shows. Rule: nothing here is nearly; a seed that fails is named.

#[cfg(target_os = "linux")]
mod memory;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatewatch::config::Config;
use gatewatch::model::time::Timestamp;
use gatewatch::sim::traffic::Kind;
use gatewatch::sim::{Class, Ill, Lag, Operation, Traffic, Trouble};

use self::world::{Asked, End, Heard, World, minutes};

const ACCESS: &str = "/aws/apigateway/shop";
const LAMBDA: &str = "/aws/lambda/checkout-fn";
/// After the last event was written the last one is visible, and a cold read has found it: every ten minutes, and two
/// that it can wait, and the time that its pages take while calls fail.
const AFTERWARDS: Duration = Duration::from_mins(20 + 10 + 2 + 5);

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn config() -> Config {
    Config::ad_hoc("shop", vec![ACCESS.to_owned()], vec![LAMBDA.to_owned()])
}

/// Half of all events take 2 s, one in a hundred 30 s, one in two hundred up to 20 minutes.
fn long_tail() -> Lag {
    Lag { p50: seconds(2), p99: seconds(30), tail: minutes(20), tail_share: 0.005 }
}

/// 50 events a second over 20 streams of an access log and 10 of a Lambda log, for so long from now.
fn traffic(world: &World, seed: u64, span: Duration) {
    let (from, to) = (world.now(), world.now().plus(span));
    let like = Traffic { streams: 20, lag: long_tail(), bytes: 0, ..Traffic::new(seed, ACCESS, 50.0, from, to) };
    let strays = vec![(from.plus(minutes(1)), minutes(120))];
    let access = Traffic { kind: Kind::Access { failing: 0.01 }, strays, ..like.clone() };
    let lambda = Traffic { group: LAMBDA.into(), kind: Kind::Lambda, per_second: 10.0, seed: seed + 1, ..like };
    world.service.feed(access.events());
    world.service.feed(lambda.events());
}

/// One call in five is throttled, pages are empty, tokens repeat and are refused, and the service stumbles.
fn hostile(world: &World) {
    let ills = [
        (Ill::Slow(Lag::between(Duration::from_millis(80), Duration::from_millis(400))), 1.0),
        (Ill::Throttle, 0.2),
        (Ill::EmptyPage, 0.1),
        (Ill::DuplicateToken, 0.02),
        (Ill::RefusedToken, 0.01),
        (Ill::Unavailable, 0.01),
        (Ill::Reset, 0.005),
        (Ill::Hang, 0.002),
    ];
    for (ill, probability) in ills {
        world.service.trouble(Trouble::new(ill).with_probability(probability));
    }
}

/// Every request of the access log was said once, and none that nobody made; `made` is by seed of the traffic.
fn each_once(world: &World, made: &[(u64, u64)], what: &str) {
    let mut times: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    for heard in &world.heard {
        *times.entry((heard.seed, heard.serial)).or_default() += 1;
    }
    let expected = made.iter().flat_map(|(seed, count)| (0..*count).map(|serial| (*seed, serial)));
    let missing: Vec<_> = expected.filter(|id| !times.contains_key(id)).collect();
    let twice: Vec<_> = times.iter().filter(|(_, n)| **n > 1).map(|(id, _)| *id).collect();
    let all: u64 = made.iter().map(|(_, count)| count).sum();
    assert!(
        missing.is_empty() && twice.is_empty() && world.heard.len() as u64 == all,
        "{what}: of {all} requests {} are missing, such as {:?}, and {} came more than once, such as {:?}",
        missing.len(),
        missing.iter().take(5).collect::<Vec<_>>(),
        twice.len(),
        twice.iter().take(5).collect::<Vec<_>>(),
    );
}

/// What the state folder has counted is what was made.
fn all_counted(world: &World, folder: &Path, config: &Config, what: &str) {
    let saved = World::saved(folder, config);
    for (group, events) in &saved.events {
        assert_eq!(*events, world.service.events(group), "{what}: events of {group}");
    }
    let requests: u64 = saved.counted.iter().map(|api| api.requests).sum();
    assert_eq!(requests, world.service.events(ACCESS), "{what}: requests");
    let failures = world.heard.iter().filter(|heard| heard.failed).count() as u64;
    assert_eq!(saved.counted[0].failures, failures, "{what}: failures");
}

/// In memory where there is such a place: thousands of snapshots are synced, and no disk is what is shown here.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder can be made")
}

#[test]
fn every_event_is_counted_once_when_all_goes_wrong() {
    for (seed, span, keeps) in [(1, 8, true), (20, 4, false), (300, 4, false)] {
        let (mut world, config, folder) = (World::new(), config(), folder());
        world.service.set_seed(seed);
        hostile(&world);
        traffic(&world, seed, minutes(span));
        let end = End::Stop(world.now().plus(minutes(span) + AFTERWARDS));
        world.live(&config, minutes(5), keeps.then_some(folder.path()), end);
        let what = format!("seed {seed}");
        let made = world.service.events(ACCESS);
        assert_eq!(made, span * 60 * 50, "{what}: the last event has become visible");
        let asked = world.asked();
        let throttled = asked.iter().filter(|asked| asked.throttled).count();
        println!("{what}: {made} requests, {} calls, {throttled} throttled", asked.len());
        each_once(&world, &[(seed, made)], &what);
        if keeps {
            all_counted(&world, folder.path(), &config, &what);
        }
    }
}

/// Numbers that a seed repeats (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

#[test]
fn twenty_kills_cost_no_event_and_double_none() {
    for (seed, span) in [(4, 6), (50, 3)] {
        let (mut world, config, folder) = (World::new(), config(), folder());
        let mut numbers = Numbers(seed);
        world.service.set_seed(seed);
        hostile(&world);
        traffic(&world, seed, minutes(span));
        let end = world.now().plus(minutes(span) + AFTERWARDS);
        let mut again = 0;
        for _ in 0..20 {
            let at = world.now().plus(Duration::from_millis(numbers.below(span * 6_000)));
            let steps = u32::try_from(numbers.below(40)).expect("it is less than 40");
            let how = if steps < 20 { End::Kill(at) } else { End::KillAfter(at, steps) };
            again += world.live(&config, minutes(5), Some(folder.path()), how);
            // Whoever starts it again takes a moment.
            world.pass(Duration::from_millis(numbers.below(3000)));
        }
        again += world.live(&config, minutes(5), Some(folder.path()), End::Stop(end));
        let what = format!("seed {seed}");
        let made = world.service.events(ACCESS);
        println!("{what}: {made} requests, {again} said again, {} calls", world.asked().len());
        each_once(&world, &[(seed, made)], &what);
        all_counted(&world, folder.path(), &config, &what);
    }
}

/// How an hour is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outage {
    /// Every call fails.
    Failing(Ill),
    /// The process is killed, and started again after an hour.
    NotRunning,
}

#[test]
fn an_hour_that_is_lost_is_caught_up_beside_live_reading() {
    let outages = [Outage::Failing(Ill::Reset), Outage::Failing(Ill::ExpiredCredentials), Outage::NotRunning];
    for (outage, seed) in outages.into_iter().zip([6, 70, 800]) {
        let first = lose_an_hour(outage, seed, false);
        assert!(first <= seconds(15), "{outage:?}, seed {seed}: live reading is back after {first:?}");
    }
}

#[test]
fn an_hour_that_is_lost_is_caught_up_when_all_goes_wrong_besides() {
    for (outage, seed) in [Outage::Failing(Ill::Reset), Outage::NotRunning].into_iter().zip([9, 1000]) {
        // A pause of the throttled budget may come on top.
        let first = lose_an_hour(outage, seed, true);
        assert!(first <= seconds(30), "{outage:?}, seed {seed}: live reading is back after {first:?}");
    }
}

/// Seven minutes of traffic, an hour that is lost with a burst of failures in its middle, and six minutes more. Returns
/// how long after the hour the first request of after it was counted.
#[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
fn lose_an_hour(outage: Outage, seed: u64, all_goes_wrong: bool) -> Duration {
    let what = format!("{outage:?}, seed {seed}");
    let (mut world, config, folder) = (World::new(), config(), folder());
    let start = world.now();
    let lost = start.plus(minutes(7) + Duration::from_millis(seed * 997 % 60_000));
    let (resumed, ended) = (lost.plus(minutes(60)), lost.plus(minutes(66)));
    world.service.set_seed(seed);
    if let Outage::Failing(ill) = outage {
        // The first that strikes is what happens: nothing else does in this hour.
        world.service.trouble(Trouble::new(ill).during(lost, resumed));
    }
    if all_goes_wrong {
        hostile(&world);
    }
    let lag = Lag { tail: minutes(5), ..long_tail() };
    let like = Traffic { streams: 20, lag, bytes: 0, ..Traffic::new(seed, ACCESS, 3.0, start, ended) };
    let access = Traffic { kind: Kind::Access { failing: 0.0 }, ..like.clone() };
    let lambda = Traffic { group: LAMBDA.into(), kind: Kind::Lambda, per_second: 1.0, seed: seed + 1, ..like.clone() };
    let (from, to) = (lost.plus(minutes(30)), lost.plus(minutes(35)));
    let burst = Traffic { kind: Kind::Access { failing: 1.0 }, seed: seed + 2, from, to, ..like };
    for traffic in [&access, &lambda, &burst] {
        world.service.feed(traffic.events());
    }
    if outage == Outage::NotRunning {
        world.live(&config, minutes(5), Some(folder.path()), End::Kill(lost));
        world.pass(minutes(60));
    }
    world.live(&config, minutes(5), Some(folder.path()), End::Stop(ended.plus(minutes(5 + 17))));

    let of_burst = 5 * 60 * 3;
    let made = world.service.events(ACCESS);
    each_once(&world, &[(seed, made - of_burst), (seed + 2, of_burst)], &what);
    all_counted(&world, folder.path(), &config, &what);

    // What happened in the past pages nobody.
    let alerts = world.alerts();
    let of_rules: Vec<_> = alerts.iter().filter(|said| said.alert.key.source().is_none()).collect();
    assert!(of_rules.is_empty(), "{what}: {of_rules:?}");
    assert_eq!(alerts.len(), if outage == Outage::NotRunning { 0 } else { 4 }, "{what}: each log is said to be blind");

    let notices = world.notices();
    let [notice] = notices.as_slice() else { panic!("{what}: {} notices instead of one", notices.len()) };
    assert!(notice.to >= resumed && notice.from < lost && lost.since(notice.from) < minutes(2), "{what}: {notice:?}");
    // What is of the hour and was there to be read at its end is in it; what came late until it was told may be.
    let missed = |heard: &&Heard| heard.at >= resumed && (notice.from..notice.to).contains(&heard.time);
    let of_notice: Vec<_> = world.heard.iter().filter(missed).filter(|heard| heard.at <= notice.time).collect();
    let visible: BTreeMap<_, _> = [&access, &burst]
        .into_iter()
        .flat_map(|traffic| traffic.events().map(|event| ((traffic.seed, event.serial), event.visible_at)))
        .collect();
    let of_hour =
        |heard: &&Heard| (lost..resumed).contains(&heard.time) && visible[&(heard.seed, heard.serial)] <= resumed;
    let there = world.heard.iter().filter(missed).filter(of_hour);
    let (least, most) = (there.clone().count() as u64, of_notice.len() as u64);
    println!("{what}: {} requests in the notice, {least} to {most} were missed", notice.requests);
    assert!((least..=most).contains(&notice.requests), "{what}: {notice:?}, but {least} to {most} were missed");
    assert_eq!(notice.failures, of_burst, "{what}: the burst is in it");

    // Live reading does not wait for the catch-up.
    let newer: Vec<_> = world.heard.iter().filter(|heard| heard.time >= resumed).map(|heard| heard.at).collect();
    let first = newer.iter().min().expect("there is traffic").since(resumed);
    let old = there.filter(|heard| heard.time < resumed.minus(minutes(10))).map(|heard| heard.at).max();
    let caught_up = old.expect("there was traffic").since(resumed);
    println!("{what}: live after {first:?}, caught up after {caught_up:?}, {} calls", world.asked().len());
    first
}

/// From 80 ms to 400 ms for an answer.
fn answers_take_time(world: &World) {
    world.service.trouble(Trouble::new(Ill::Slow(Lag::between(Duration::from_millis(80), Duration::from_millis(400)))));
}

/// How far back a hot read of a group reaches that is read every 5 s, and a little more.
const HOT_DEPTH: Duration = Duration::from_secs(30 + 29 + 10 + 1);

fn is_hot(asked: &Asked) -> bool {
    asked.newest_first || (asked.to.is_none() && asked.at.since(asked.from) <= HOT_DEPTH)
}

/// Calls in each whole minute from `from` on that `counts` counts.
fn by_minute(asked: &[Asked], from: Timestamp, whole: u64, counts: impl Fn(&Asked) -> bool) -> Vec<usize> {
    let mut calls = vec![0; usize::try_from(whole).expect("some minutes")];
    for asked in asked.iter().filter(|asked| asked.at >= from && counts(asked)) {
        let minute = asked.at.since(from).as_secs() / 60;
        if let Some(calls) = usize::try_from(minute).ok().and_then(|minute| calls.get_mut(minute)) {
            *calls += 1;
        }
    }
    calls
}

#[test]
fn a_busy_log_costs_33_calls_a_minute_at_most_and_is_counted_within_half_an_interval() {
    let (mut world, config) = (World::new(), Config::ad_hoc("shop", vec![ACCESS.to_owned()], Vec::new()));
    answers_take_time(&world);
    // Long enough ago that cold reads reach back over their whole hour.
    let (from, start) = (world.now(), world.now().plus(minutes(62)));
    let lag = Lag::between(seconds(2), seconds(30));
    let like = Traffic { streams: 20, lag, bytes: 400, ..Traffic::new(5, ACCESS, 50.0, from, start.plus(minutes(12))) };
    let traffic = Traffic { kind: Kind::Access { failing: 0.0 }, ..like };
    world.service.feed(traffic.events());
    world.pass(minutes(62));
    world.live(&config, minutes(62), None, End::Stop(start.plus(minutes(11) + seconds(30))));

    let asked = world.asked();
    let settled = start.plus(minutes(1));
    let hot = by_minute(&asked, settled, 10, is_hot);
    let deeper = by_minute(&asked, settled, 10, |asked| !is_hot(asked));
    println!("hot calls by minute {hot:?}, deeper ones {deeper:?}");
    assert!(hot.iter().all(|calls| *calls <= 13), "hot calls by minute: {hot:?}");
    assert!(deeper.iter().all(|calls| *calls <= 20), "warm and cold calls by minute: {deeper:?}");
    let cold = asked.iter().any(|asked| asked.at > settled && asked.at.since(asked.from) >= minutes(60));
    assert!(cold, "the ten minutes have a cold read in them");

    let visible: BTreeMap<_, _> = traffic.events().map(|event| (event.serial, event.visible_at)).collect();
    let since_visible = |heard: &Heard| heard.at.since(visible[&heard.serial]);
    let mut waits: Vec<_> = world.heard.iter().filter(|heard| heard.time >= settled).map(since_visible).collect();
    waits.sort();
    let (median, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    println!("from visible to counted: median {median:?}, p99 {p99:?}, {} events", waits.len());
    assert!(median <= Duration::from_millis(2500 + 300), "{median:?}");
}

#[test]
fn an_idle_log_costs_five_calls_a_minute_at_most() {
    let (mut world, config) = (World::new(), Config::ad_hoc("shop", vec![ACCESS.to_owned()], Vec::new()));
    answers_take_time(&world);
    world.service.create_group(ACCESS);
    let start = world.now();
    world.live(&config, minutes(5), None, End::Stop(start.plus(minutes(62))));
    let calls = by_minute(&world.asked(), start.plus(minutes(1)), 60, |_| true);
    println!("calls by minute {calls:?}");
    assert!(calls.iter().all(|calls| *calls <= 5), "{calls:?}");
}

#[test]
fn a_hundred_logs_share_five_calls_a_second_fairly() {
    for share in [0.5, 1.0] {
        let mut world = World::new();
        answers_take_time(&world);
        world.service.set_quota(Operation::FilterLogEvents, Some(5));
        let groups: Vec<_> = (0..100).map(|n| format!("{ACCESS}-{n}")).collect();
        let (start, end) = (world.now(), world.now().plus(minutes(25)));
        for (group, seed) in groups.iter().zip(1..) {
            let like = Traffic {
                bytes: 0,
                lag: Lag::between(seconds(1), seconds(5)),
                ..Traffic::new(seed, group, 0.2, start, end)
            };
            world.service.feed(Traffic { kind: Kind::Access { failing: 0.0 }, ..like }.events());
        }
        let mut config = Config::ad_hoc("shop", groups.clone(), Vec::new());
        (config.poll.quota, config.poll.quota_share) = (Some(5.0), share);
        world.live(&config, minutes(5), None, End::Stop(end));

        let (asked, settled) = (world.asked(), start.plus(minutes(1)));
        let throttled = asked.iter().filter(|asked| asked.at >= settled && asked.throttled).count();
        let early = asked.iter().filter(|asked| asked.throttled).count() - throttled;
        // What brings a log up to now.
        let mut reads: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
        for asked in asked.iter().filter(|a| a.at >= settled && a.first_page && a.to.is_none()) {
            reads.entry(&asked.group).or_default().push(asked.at);
        }
        assert_eq!(reads.len(), groups.len());
        let mut gaps: Vec<_> = reads.values().flat_map(|at| at.windows(2).map(|pair| pair[1].since(pair[0]))).collect();
        gaps.sort();
        let (least, most) = (gaps[0], gaps[gaps.len() - 1]);
        let median = gaps[gaps.len() / 2];
        println!(
            "share {share}: {} calls, {early} throttled in the first minute, {throttled} later, gaps {least:?} to {most:?}, median {median:?}",
            asked.len()
        );
        assert_eq!(throttled, 0, "share {share}: throttled after the first minute");
        assert!(
            most <= least * 2,
            "share {share}: a log is read every {least:?} to {most:?}, {median:?} in the median"
        );
    }
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("nobody panics with it").clone();
        String::from_utf8(bytes).expect("what is logged is text").lines().map(str::to_owned).collect()
    }
}

#[test]
fn logs_that_a_pattern_names_come_and_go() {
    const ALWAYS: &str = "/aws/apigateway/shop-always";
    const LATER: &str = "/aws/apigateway/shop-later";
    const AGAIN: &str = "/aws/lambda/shop-again";
    const GONE: &str = "/aws/lambda/shop-gone";
    const CHEAP: &str = "/aws/lambda/shop-cheap";
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let (mut world, folder) = (World::new(), folder());
    answers_take_time(&world);
    let start = world.now();
    let at = |minute| start.plus(minutes(minute));
    // Until half a minute before a group is deleted: what is visible for a moment only may be missed.
    let feed = |seed, group: &str, kind, from: u64, to: u64| {
        let traffic = Traffic {
            kind,
            bytes: 0,
            lag: Lag::NONE,
            ..Traffic::new(seed, group, 1.0, at(from), at(to).minus(seconds(30)))
        };
        world.service.feed(traffic.events());
    };
    for (group, from) in [(ALWAYS, 0), (LATER, 5), (AGAIN, 0), (GONE, 0)] {
        world.service.create_group_at(group, at(from));
    }
    world.service.delete_group_at(AGAIN, at(7));
    world.service.create_group_at(AGAIN, at(16));
    world.service.delete_group_at(GONE, at(9));
    world.service.set_class(CHEAP, Class::InfrequentAccess);
    feed(1, ALWAYS, Kind::Access { failing: 0.0 }, 0, 30);
    feed(2, LATER, Kind::Access { failing: 0.0 }, 5, 30);
    feed(3, AGAIN, Kind::Lambda, 0, 7);
    feed(4, AGAIN, Kind::Lambda, 16, 30);
    feed(5, GONE, Kind::Lambda, 0, 9);
    let config = Config::ad_hoc("shop", vec!["/aws/apigateway/shop-*".into()], vec!["/aws/lambda/shop-*".into()]);
    world.live(&config, minutes(5), Some(folder.path()), End::Stop(at(31)));
    drop(logging);

    let saved = World::saved(folder.path(), &config);
    let made = [ALWAYS, LATER, AGAIN, GONE].map(|group| (group.to_owned(), world.service.events(group)));
    assert_eq!(saved.events, BTreeMap::from(made));
    assert_eq!(saved.events[AGAIN], (7 * 60 - 30) + (14 * 60 - 30));
    assert!(world.messages().is_empty(), "{:?}", world.messages());
    let lines = log.lines();
    let said = |words: &[&str]| lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(said(&[CHEAP]), 1, "{lines:#?}");
    assert_eq!(said(&[GONE, "is gone and no longer read"]), 1, "{lines:#?}");
    assert_eq!(said(&["WARN"]), 1, "nothing else is wrong: {lines:#?}");
}
