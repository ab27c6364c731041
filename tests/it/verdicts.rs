//! Whether alerts are worth trusting, in numbers: how often the rules cry wolf, and how soon they find what is down.
//!
//! Days of traffic of one endpoint, with arrivals and failures from a seed, through the real engine and the real plan on
//! event time. `cargo test --test it verdicts -- --nocapture` shows the figures. Rule: a figure is asserted for each seed
//! where it says "none", and as a mean or median over many seeds where it is about chance; what is asked for is never
//! made easier here, but the rules made better.

#![expect(clippy::print_stdout, reason = "the figures are shown to whoever asks for them")]

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use gatewatch::engine::rules::{Ladder, Rule};
use gatewatch::engine::{Engine, Output, Settings};
use gatewatch::model::alert::{Measure, State};
use gatewatch::model::event::Fact;
use gatewatch::model::inventory::{Api, ApiId, Inventory, Source, SourceId, SourceKind};
use gatewatch::model::request::{Endpoint, Request};
use gatewatch::model::time::Timestamp;
use gatewatch::notify::plan;
use gatewatch::notify::plans::{Moment, Plans};

/// 2026-11-22T09:00:00Z, a whole number of slots.
const BASE: i64 = 1_795_338_000_000;
const SLOT_MS: i64 = 10_000;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const ACCESS: SourceId = SourceId(0);

/// 5 and 15 %, without the rung of 1 %.
const FIVE_AND_FIFTEEN: Ladder = Ladder { elevated: None, high: Some(0.05), critical: Some(0.15) };

/// A stream of numbers that only depends on its seed: splitmix64.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).expect("the upper half")) / 4_294_967_296.0
    }

    /// Milliseconds to the next of so many a minute.
    fn gap(&mut self, per_minute: f64) -> f64 {
        -(1.0 - self.unit()).ln() * 60_000.0 / per_minute
    }
}

/// What came of a course of traffic.
#[derive(Debug, Default)]
struct Verdict {
    /// Episodes, by the rule that had most.
    episodes: usize,
    messages: usize,
    /// Episodes of a bare threshold: the share of five minutes is above the lowest rung, or it is not.
    bare: usize,
    /// When the first alert began to fire, milliseconds from the start.
    first: Option<i64>,
}

fn with(ladder: Ladder) -> impl Fn(&mut Rule) + Copy {
    move |rule| rule.ladder = ladder
}

fn settings(change: impl Fn(&mut Rule)) -> Settings {
    let access = Source::group("/access", None, SourceKind::Access(ApiId(0)));
    let inventory = Arc::new(Inventory { apis: vec![Api::plain("shop")], sources: vec![access] });
    let mut settings = Settings { source_blind: None, blind_after: Duration::MAX, ..Settings::new(inventory) };
    settings.rules.change(|rule| {
        // What else is on has nothing to look at here.
        if rule.measure == Measure::Failures {
            change(rule);
        }
    });
    // Nothing here is explained: who waits for an explanation in vain need not wait long.
    settings.explain_hold = settings.explain_wait;
    settings
}

/// So many requests a minute for so long, of which this share fails at each moment. Ends early once `enough` holds.
fn course(
    settings: Settings,
    seed: u64,
    per_minute: f64,
    for_ms: i64,
    share: impl Fn(i64) -> f64,
    enough: impl Fn(&Verdict) -> bool,
) -> Verdict {
    let at = |ms: i64| Timestamp::from_millis(BASE + ms);
    let mut dice = Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let endpoint = Arc::new(Endpoint::new("POST", "/checkout"));
    let mut plans = Plans::new(&plan::Settings::default().into(), &settings.inventory);
    let rung = settings.rules.iter().next().expect("rules are on").ladder.lowest();
    let rules: Vec<_> = settings.rules.iter().map(|rule| Arc::clone(&rule.name)).collect();
    let mut episodes: Vec<Vec<Arc<str>>> = vec![Vec::new(); rules.len()];
    let mut engine = Engine::new(settings);
    let mut verdict = Verdict::default();
    let mut time = dice.gap(per_minute);
    let (mut slots, mut above) = (VecDeque::new(), false);
    engine.seal(ACCESS, at(0));
    for end in (SLOT_MS..=for_ms).step_by(usize::try_from(SLOT_MS).expect("it is small")) {
        let (mut requests, mut failed) = (0_u32, 0_u32);
        loop {
            #[expect(clippy::cast_possible_truncation)]
            let ms = time as i64;
            if ms >= end {
                break;
            }
            let status = if dice.unit() < share(ms) { 502 } else { 200 };
            requests += 1;
            failed += u32::from(status == 502);
            let request = Request {
                api: ApiId(0),
                endpoint: Arc::clone(&endpoint),
                status,
                start: at(ms),
                request_id: None,
                lambda_request_id: None,
                response_latency_ms: None,
                integration_latency_ms: None,
                gateway: None,
            };
            engine.ingest(ACCESS, Fact::Request(request), at(end));
            time += dice.gap(per_minute);
        }
        slots.push_back((requests, failed));
        slots.drain(..slots.len().saturating_sub(30));
        let (all, bad) = slots.iter().fold((0, 0), |(n, k), (requests, failed)| (n + requests, k + failed));
        let is_above = f64::from(bad) > rung * f64::from(all);
        verdict.bare += usize::from(is_above && !above);
        above = is_above;
        engine.tick(at(end));
        engine.seal(ACCESS, at(end));
        for output in engine.drain() {
            let Output::Looked { api, at: looked, alerts } = output else { continue };
            for alert in alerts.iter().filter(|alert| alert.state == State::Firing) {
                let known =
                    &mut episodes[rules.iter().position(|rule| *rule == alert.key.rule).expect("a rule that is on")];
                if !known.contains(&alert.episode) {
                    known.push(Arc::clone(&alert.episode));
                    verdict.first = verdict.first.or(Some(looked.as_millis() - BASE));
                }
            }
            verdict.messages += plans.step(Moment::Looked { api, alerts: &alerts }, looked).len();
        }
        if enough(&verdict) {
            break;
        }
    }
    verdict.messages += plans.finish().len();
    verdict.episodes = episodes.iter().map(Vec::len).max().expect("one at least");
    verdict
}

/// Days at a steady share, one for each seed.
fn days(seeds: Range<u64>, per_minute: f64, share: f64, change: impl Fn(&mut Rule) + Copy) -> Vec<Verdict> {
    let days: Vec<_> =
        seeds.map(|seed| course(settings(change), seed, per_minute, DAY_MS, |_| share, |_| false)).collect();
    let mean = |of: fn(&Verdict) -> usize| mean(days.iter().map(of));
    let (episodes, messages, bare) = (mean(|v| v.episodes), mean(|v| v.messages), mean(|v| v.bare));
    let most = days.iter().map(|v| v.episodes).max().expect("one at least");
    println!(
        "{per_minute:>5}/min at {:>4.1} %: {episodes:.2} episodes a day (at most {most}), {messages:.2} messages, {} days; a bare threshold: {bare:.0} episodes",
        share * 100.0,
        days.len()
    );
    days
}

#[expect(clippy::cast_precision_loss)]
fn mean(all: impl ExactSizeIterator<Item = usize>) -> f64 {
    let count = all.len() as f64;
    all.sum::<usize>() as f64 / count
}

/// Seconds from the start of a total outage to the alert: median and 95th percentile over so many seeds. Before it,
/// one in 200 requests fails, for long enough to fill the longest window.
fn outage(seeds: u64, per_minute: f64, ladder: Ladder) -> (i64, i64) {
    let mut early = 0;
    let mut seconds: Vec<i64> = (0..seeds)
        .filter_map(|seed| {
            // Anywhere in a slot.
            let start = 35 * MINUTE_MS + i64::try_from(seed * 7919 % 10_000).expect("it is small");
            let share = |ms| if ms < start { 0.005 } else { 1.0 };
            let fired = |v: &Verdict| v.first.is_some();
            let v = course(settings(with(ladder)), seed, per_minute, start + 30 * MINUTE_MS, share, fired);
            let after = v.first.map_or(30 * MINUTE_MS, |first| first - start);
            early += u64::from(after < 0);
            (after >= 0).then_some(after / 1000)
        })
        .collect();
    assert!(early * 20 < seeds, "{early} of {seeds} fired before anything was wrong");
    seconds.sort_unstable();
    let (median, p95) = (seconds[seconds.len() / 2], seconds[seconds.len() * 95 / 100]);
    println!(
        "{per_minute:>5}/min, all fail, lowest rung {:.0} %: found in {median} s (median), {p95} s (95 %), {} outages",
        ladder.lowest() * 100.0,
        seconds.len()
    );
    (median, p95)
}

/// On the line it fires sooner or later, and then goes on: it is bad, if not by much.
fn assert_at_the_threshold(seeds: Range<u64>) {
    let all = days(seeds, 200.0, 0.05, with(FIVE_AND_FIFTEEN));
    assert!(all.iter().all(|v| v.episodes <= 1 && v.messages <= 6), "{all:?}");
    // A message for each beginning and each end.
    assert!(all.iter().all(|v| v.bare * 2 > v.messages * 50), "{all:?}");
}

#[test]
fn at_its_threshold_an_endpoint_is_one_episode_a_day() {
    assert_at_the_threshold(0..4);
}

#[test]
fn well_below_its_threshold_an_endpoint_says_nothing() {
    for (per_minute, seeds) in [(20.0, 0..20), (60.0, 0..6), (200.0, 0..2), (1000.0, 0..1)] {
        let all = days(seeds, per_minute, 0.02, with(FIVE_AND_FIFTEEN));
        assert!(all.iter().all(|v| v.messages == 0 && v.episodes == 0), "{per_minute}: {all:?}");
    }
    let all = days(0..2, 200.0, 0.005, with(Ladder::SHARES));
    assert!(all.iter().all(|v| v.messages == 0 && v.episodes == 0), "{all:?}");
}

#[test]
fn a_total_outage_is_found_within_a_minute_and_on_quiet_endpoints_within_two_and_a_half() {
    assert!(outage(60, 60.0, Ladder::SHARES).0 <= 50);
    // Surely more than 5 % of five minutes' requests must have failed before anybody can say so: that alone takes 23 s.
    assert!(outage(60, 60.0, FIVE_AND_FIFTEEN).0 <= 50);
    assert!(outage(150, 2.0, Ladder::SHARES).0 <= 150);
    assert!(outage(150, 2.0, FIVE_AND_FIFTEEN).0 <= 150);
}

/// The same over so many days that the means mean something: some minutes, with
/// `cargo test --release --test it verdicts -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn over_many_days_the_figures_stay_what_they_are() {
    assert_at_the_threshold(0..50);
    for (per_minute, seeds, at_most) in [(20.0, 0..300, 0.02), (60.0, 0..100, 0.0), (200.0, 0..50, 0.0)] {
        let all = days(seeds, per_minute, 0.02, with(FIVE_AND_FIFTEEN));
        assert!(mean(all.iter().map(|v| v.episodes)) <= at_most, "{per_minute}");
    }
    days(0..200, 2.0, 0.02, with(FIVE_AND_FIFTEEN));
    let all = days(0..50, 200.0, 0.005, with(Ladder::SHARES));
    assert!(all.iter().all(|v| v.messages == 0));
    for ladder in [Ladder::SHARES, FIVE_AND_FIFTEEN] {
        for (per_minute, within) in [(60.0, 50), (10.0, 50), (2.0, 150)] {
            assert!(outage(1000, per_minute, ladder).0 <= within, "{per_minute}");
        }
    }
}
