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
use gatewatch::model::time::Timestamp;
use gatewatch::sim::traffic::{Kind, Shifted};
use gatewatch::sim::{Ill, Lag, Traffic, Trouble};

use self::world::{End, World, minutes};

const ACCESS: &str = "/aws/apigateway/shop";
const LAMBDA: &str = "/aws/lambda/checkout-fn";

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
    for (seed, span) in [(1, 10), (20, 5), (300, 5)] {
        let begun = std::time::Instant::now();
        let (mut world, config, folder) = (World::new(), config(), folder());
        hostile(&world, seed);
        traffic(&world, seed, minutes(span));
        let start = world.now();
        world.live(&config, minutes(5), Some(folder.path()), End::Stop(start.plus(minutes(span + 20 + 20))));
        let what = format!("seed {seed}");
        let made = world.service.events(ACCESS);
        assert_eq!(made, span * 60 * 50, "{what}: the last event has become visible");
        println!("{what}: {made} made, {} calls, {:?}", world.asked().len(), begun.elapsed());
        each_once(&world, &[(seed, made)], &what);
        all_counted(&world, folder.path(), &config, &what);
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
    for (seed, span) in [(4, 8), (50, 4)] {
        let begun = std::time::Instant::now();
        let (mut world, config, folder) = (World::new(), config(), folder());
        let mut numbers = Numbers(seed);
        hostile(&world, seed);
        traffic(&world, seed, minutes(span));
        let end = world.now().plus(minutes(span + 20 + 20));
        let mut again = 0;
        for _ in 0..20 {
            let at = world.now().plus(Duration::from_millis(numbers.below(span * 6_000)));
            let steps = u32::try_from(numbers.below(40)).expect("it is less than 40");
            let how = if steps < 20 { End::Kill(at) } else { End::KillAfter(at, steps) };
            let before = world.heard.len();
            world.live(&config, minutes(5), Some(folder.path()), how);
            again += before.saturating_sub(world.heard.len());
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
        lose_an_hour(outage, seed, false);
    }
}

#[test]
fn an_hour_that_is_lost_is_caught_up_when_all_goes_wrong_besides() {
    for (outage, seed) in [Outage::Failing(Ill::Reset), Outage::NotRunning].into_iter().zip([9, 1000]) {
        lose_an_hour(outage, seed, true);
    }
}

fn lose_an_hour(outage: Outage, seed: u64, all_goes_wrong: bool) {
    let begun = std::time::Instant::now();
    let what = format!("{outage:?}, seed {seed}");
    let (mut world, config, folder) = (World::new(), config(), folder());
    let (start, hour) = (world.now(), minutes(60));
    let lost = start.plus(minutes(7));
    let (resumed, ended) = (lost.plus(hour), lost.plus(hour + minutes(8)));
    if all_goes_wrong {
        hostile(&world, seed);
    }
    let like = Traffic { streams: 20, lag: long_tail(), bytes: 0, ..Traffic::new(seed, ACCESS, 5.0, start, ended) };
    let access = Traffic { kind: Kind::Access { failing: 0.0 }, ..like.clone() };
    let lambda = Traffic { group: LAMBDA.into(), kind: Kind::Lambda, per_second: 1.0, seed: seed + 1, ..like.clone() };
    let (from, to) = (lost.plus(minutes(30)), lost.plus(minutes(35)));
    let burst = Traffic { kind: Kind::Access { failing: 1.0 }, seed: seed + 2, from, to, ..like };
    for traffic in [access, lambda, burst] {
        world.service.feed(traffic.events());
    }
    if let Outage::Failing(ill) = outage {
        world.service.trouble(Trouble::new(ill).during(lost, resumed));
    } else {
        world.live(&config, minutes(5), Some(folder.path()), End::Kill(lost));
        world.pass(hour);
    }
    world.live(&config, minutes(5), Some(folder.path()), End::Stop(ended.plus(minutes(20 + 20))));

    let of_burst = 5 * 60 * 5;
    let made = world.service.events(ACCESS);
    each_once(&world, &[(seed, made - of_burst), (seed + 2, of_burst)], &what);
    all_counted(&world, folder.path(), &config, &what);

    let first = world.heard.iter().filter(|heard| heard.time >= resumed).map(|heard| heard.at).min();
    let live_after = first.expect("there is traffic").since(resumed);
    let old = world.heard.iter().filter(|heard| heard.at >= resumed && heard.time < resumed.minus(minutes(10)));
    println!("{what}: live after {live_after:?}, {} calls, {:?}", world.asked().len(), begun.elapsed());
    for notice in world.notices() {
        let missed = |heard: &&world::Heard| {
            heard.at >= resumed && heard.at <= notice.time && heard.time >= notice.from && heard.time < notice.to
        };
        let (requests, failures) = (
            world.heard.iter().filter(missed).count(),
            world.heard.iter().filter(missed).filter(|heard| heard.failed).count(),
        );
        println!("{notice:?}\n   heard {requests} {failures}");
    }
    println!("{:?}", old.map(|heard| heard.at.since(resumed)).max());
    for alert in world.alerts() {
        println!("{:?} {:?} {:?}", alert.alert.key, alert.alert.state, alert.alert.time);
    }
}
