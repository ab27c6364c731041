//! The real daemon's reading over the simulation, hours in seconds: every event is counted once, whatever goes wrong.
//!
//! The clock is tokio's, paused: it jumps to the next thing that happens. What is counted is measured where it counts:
//! each request as the engine hands it out, the engine's own counters, and the counters of events of each log group,
//! which the state folder shows. Rule: nothing here is nearly; a seed that fails is named.

mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gatewatch::config::Config;
use gatewatch::sim::traffic::Kind;
use gatewatch::sim::{Ill, Lag, Traffic, Trouble};

use self::world::{End, Heard, World, minutes};

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
fn hostile(world: &World, seed: u64) {
    world.service.set_seed(seed);
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

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

#[test]
fn every_event_is_counted_once_when_all_goes_wrong() {
    for (seed, span, keeps) in [(1, 8, true), (20, 4, false), (300, 4, false)] {
        let (mut world, config, folder) = (World::new(), config(), folder());
        hostile(&world, seed);
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
        hostile(&world, seed);
        traffic(&world, seed, minutes(span));
        let end = world.now().plus(minutes(span) + AFTERWARDS);
        let mut again = 0;
        for _ in 0..20 {
            let at = world.now().plus(Duration::from_millis(numbers.below(span * 6_000)));
            let steps = u32::try_from(numbers.below(40)).expect("it is less than 40");
            let how = if steps < 20 { End::Kill(at) } else { End::KillAfter(at, steps) };
            let before = world.heard.len();
            world.live(&config, minutes(5), Some(folder.path()), how);
            again += before.abs_diff(world.heard.len());
            // Whoever starts it again takes a moment.
            world.pass(Duration::from_millis(numbers.below(3000)));
        }
        world.live(&config, minutes(5), Some(folder.path()), End::Stop(end));
        let what = format!("seed {seed}");
        let made = world.service.events(ACCESS);
        println!("{what}: {made} made, {} calls, {again} {:?}", world.asked().len(), begun.elapsed());
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
fn lose_an_hour(outage: Outage, seed: u64, all_goes_wrong: bool) -> Duration {
    let what = format!("{outage:?}, seed {seed}");
    let (mut world, config, folder) = (World::new(), config(), folder());
    let start = world.now();
    let lost = start.plus(minutes(7) + Duration::from_millis(seed * 997 % 60_000));
    let (resumed, ended) = (lost.plus(minutes(60)), lost.plus(minutes(66)));
    if all_goes_wrong {
        hostile(&world, seed);
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
    if let Outage::Failing(ill) = outage {
        world.service.trouble(Trouble::new(ill).during(lost, resumed));
    } else {
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
    // What was there to be read at the end of the hour is in it; what came late until it was told may be.
    let missed = |heard: &&Heard| heard.at >= resumed && (notice.from..notice.to).contains(&heard.time);
    let of_notice: Vec<_> = world.heard.iter().filter(missed).filter(|heard| heard.at <= notice.time).collect();
    let visible: BTreeMap<_, _> = [&access, &burst]
        .into_iter()
        .flat_map(|traffic| traffic.events().map(|event| ((traffic.seed, event.serial), event.visible_at)))
        .collect();
    let there = world.heard.iter().filter(missed).filter(|heard| visible[&(heard.seed, heard.serial)] <= resumed);
    let (least, most) = (there.clone().count() as u64, of_notice.len() as u64);
    println!("{what}: {} requests in the notice, {least} to {most} were missed", notice.requests);
    assert!((least..=most).contains(&notice.requests), "{what}: {notice:?}, but {least} to {most} were missed");
    assert_eq!(notice.failures, of_burst, "{what}: the burst is in it");

    // Live reading does not wait for the catch-up.
    let live: Vec<_> = world.heard.iter().filter(|heard| heard.time >= resumed).map(|heard| heard.at).collect();
    let first = live.iter().min().expect("there is traffic").since(resumed);
    let old = there.filter(|heard| heard.time < resumed.minus(minutes(10))).map(|heard| heard.at).max();
    let caught_up = old.expect("there was traffic").since(resumed);
    println!("{what}: live after {first:?}, caught up after {caught_up:?}, {} calls", world.asked().len());
    first
}
