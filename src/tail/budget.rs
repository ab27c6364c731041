//! How many requests a second may be made, and whose turn it is: the budget of one account, Region and API.
//!
//! The service's quota is shared with consoles, CI and other tools, cannot be raised, and is small: so a part of it is
//! taken, a throttled request costs everybody who shares the budget a pause and a third of the rate, and the rate
//! comes back step by step. Who waits is served by deadline: when it became due plus what its tier can wait
//! ([`Tier::slack`]). That is the priority of the tiers, it is fair between sources, and none can starve another for
//! ever. Not the waiting itself: `aws/quota` does that. Rule: never more than `rate` requests a second over any second
//! but for a burst of one second's worth.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::time::{Timestamp, millis};

/// What a throttled request leaves of the rate.
const DECREASE: f64 = 0.7;
/// What comes back of the ceiling in each [`INCREASE_EVERY`] without throttling.
const INCREASE: f64 = 0.05;
const INCREASE_EVERY: Duration = Duration::from_secs(10);
/// How long nobody asks after a throttled request.
const PAUSE: Duration = Duration::from_secs(1);
/// The rate never falls below this part of the ceiling, nor below so many requests a second: a daemon that never asks
/// never learns that it may.
const SHARE_MIN: f64 = 0.1;
const RATE_MIN: f64 = 0.2;

/// Kinds of reads, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The newest seconds.
    Hot,
    /// The window that the rules look at.
    Warm,
    /// What was missed while reading stood still.
    CatchUp,
    /// Events that come very late.
    Cold,
    /// Which log groups there are.
    Discovery,
}

impl Tier {
    /// How long it can wait without harm.
    #[must_use]
    pub const fn slack(self) -> Duration {
        match self {
            Self::Hot => Duration::ZERO,
            Self::Warm => Duration::from_secs(20),
            Self::CatchUp => Duration::from_secs(40),
            Self::Cold => Duration::from_mins(2),
            Self::Discovery => Duration::from_mins(4),
        }
    }

    /// Its name in logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Warm => "warm",
            Self::CatchUp => "catch_up",
            Self::Cold => "cold",
            Self::Discovery => "discovery",
        }
    }
}

/// Who waits: its number, given by [`Budget::ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    deadline: Timestamp,
    /// In order of asking.
    number: u64,
}

/// The budget. `T` is what is kept for whoever waits.
#[derive(Debug)]
pub struct Budget<T> {
    ceiling: f64,
    rate: f64,
    /// Requests that may be made now.
    tokens: f64,
    /// When `tokens` was right.
    counted: Timestamp,
    paused: Timestamp,
    /// When the rate fell or rose last.
    changed: Timestamp,
    waiting: BTreeMap<Ticket, T>,
    asked: u64,
}

impl<T> Budget<T> {
    /// At most `ceiling` requests a second.
    #[must_use]
    pub fn new(ceiling: f64, now: Timestamp) -> Self {
        let ceiling = ceiling.max(RATE_MIN);
        Self {
            ceiling,
            rate: ceiling,
            tokens: burst(ceiling),
            counted: now,
            paused: Timestamp::MIN,
            changed: now,
            waiting: BTreeMap::new(),
            asked: 0,
        }
    }

    /// Somebody wants to make a request that is due by `deadline`.
    pub fn ask(&mut self, deadline: Timestamp, who: T) -> Ticket {
        self.asked += 1;
        let ticket = Ticket { deadline, number: self.asked };
        self.waiting.insert(ticket, who);
        ticket
    }

    /// Who may make a request now: the one with the earliest deadline, if there is a token.
    pub fn next(&mut self, now: Timestamp) -> Option<T> {
        self.refill(now);
        if now < self.paused || self.tokens < 1.0 {
            return None;
        }
        let (_, who) = self.waiting.pop_first()?;
        self.tokens -= 1.0;
        Some(who)
    }

    /// Whoever was called had gone away: the token is still good.
    pub fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(burst(self.rate));
    }

    /// When [`Budget::next`] will have an answer; `None` when nobody waits.
    #[must_use]
    pub fn when(&self, now: Timestamp) -> Option<Timestamp> {
        if self.waiting.is_empty() {
            return None;
        }
        let missing = (1.0 - self.tokens).max(0.0) / self.rate;
        // Rounded up, so that the token is really there.
        let full = self.counted.plus(Duration::from_secs_f64(missing) + Duration::from_millis(1));
        Some(if self.tokens >= 1.0 { self.paused.max(now) } else { full.max(self.paused) })
    }

    /// The service refused a request for being too many. `spread` (0 to 1) keeps several daemons apart.
    pub fn throttle(&mut self, now: Timestamp, spread: f64) {
        self.refill(now);
        // Those that were under way together are one event.
        if now >= self.paused {
            self.rate = (self.rate * DECREASE).max(RATE_MIN).max(self.ceiling * SHARE_MIN);
            self.changed = now;
        }
        self.tokens = self.tokens.min(0.0);
        self.paused = now.plus(PAUSE + PAUSE.mul_f64(spread.clamp(0.0, 1.0)));
    }

    /// Requests a second at the moment.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    fn refill(&mut self, now: Timestamp) {
        if now < self.counted {
            // The clock was set back.
            (self.counted, self.changed, self.paused) = (now, now, self.paused.min(now));
        }
        let steps = millis(now.since(self.changed)) / millis(INCREASE_EVERY);
        if steps > 0 && self.rate < self.ceiling {
            #[expect(clippy::cast_precision_loss, reason = "a number of ten-second steps")]
            let back = self.ceiling * INCREASE * steps as f64;
            self.rate = (self.rate + back).min(self.ceiling);
            self.changed = now;
        }
        let elapsed = now.since(self.counted).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.rate).min(burst(self.rate));
        self.counted = now;
    }
}

/// A second's worth, and one at least.
const fn burst(rate: f64) -> f64 {
    rate.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Serves until `until`; returns who was served when.
    fn serve(budget: &mut Budget<u32>, from: i64, until: i64) -> Vec<(i64, u32)> {
        let mut served = Vec::new();
        let mut now = from;
        while now < until {
            while let Some(who) = budget.next(at(now)) {
                served.push((now, who));
            }
            now = budget.when(at(now)).map_or(until, |when| when.as_millis().max(now + 1));
        }
        served
    }

    #[test]
    fn the_rate_is_kept() {
        let mut budget = Budget::new(2.5, at(0));
        for n in 0..1000 {
            budget.ask(at(0), n);
        }
        let served = serve(&mut budget, 0, 60_000);
        assert!((148..=153).contains(&served.len()), "{}", served.len());
        for second in 0..59 {
            let within = served.iter().filter(|(t, _)| (second * 1000..second * 1000 + 1000).contains(t)).count();
            assert!(within <= if second == 0 { 5 } else { 3 }, "{within} in second {second}");
        }
    }

    #[test]
    fn the_earliest_deadline_goes_first_and_equals_in_order() {
        let mut budget = Budget::new(1000.0, at(0));
        let due = |tier: Tier, t: i64| at(t).plus(tier.slack());
        budget.ask(due(Tier::Cold, 0), 4);
        budget.ask(due(Tier::CatchUp, 0), 3);
        budget.ask(due(Tier::Warm, 0), 2);
        budget.ask(due(Tier::Hot, 0), 0);
        budget.ask(due(Tier::Hot, 0), 1);
        budget.ask(due(Tier::Discovery, 0), 5);
        budget.ask(due(Tier::Hot, 300_000), 6);
        let order: Vec<_> = std::iter::from_fn(|| budget.next(at(0))).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5, 6], "and what has waited long enough goes before what is more urgent");
    }

    #[test]
    fn a_throttled_request_slows_all_down_and_the_rate_comes_back() {
        let mut budget = Budget::new(10.0, at(0));
        budget.throttle(at(100), 0.0);
        budget.throttle(at(150), 0.5);
        assert!((budget.rate() - 7.0).abs() < 1e-9, "what was under way together counts once");
        budget.ask(at(0), 1);
        assert_eq!(budget.next(at(1200)), None, "a pause for everybody");
        assert_eq!(budget.when(at(1200)), Some(at(1650)));
        assert_eq!(budget.next(at(1650)), Some(1));
        let mut now = 1650;
        while budget.rate() < 10.0 {
            now += 1000;
            budget.ask(at(now), 2);
            budget.next(at(now));
        }
        assert!((60_000..=75_000).contains(&now), "{now}");
        for n in 0..100 {
            budget.throttle(at(100_000 + n * 5_000), 0.0);
        }
        assert!(budget.rate() >= RATE_MIN);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut budget = Budget::new(1.0, at(1_000_000));
        budget.ask(at(0), 1);
        assert_eq!(budget.next(at(1_000_000)), Some(1));
        budget.throttle(at(1_000_000), 0.0);
        budget.ask(at(0), 2);
        let served = serve(&mut budget, 0, 10_000);
        assert_eq!(served.len(), 1, "{served:?}");
        assert_eq!(budget.when(at(10_000)), None);
    }
}
