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
