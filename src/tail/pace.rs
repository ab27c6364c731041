//! How often a source is read and how far back: the tiers' measures.
//!
//! Three tiers overlap, because an event can come late by seconds or by half an hour: *hot* reads are shallow and
//! frequent, *warm* reads cover the window that the rules look at, *cold* reads are for what comes very late. Not when
//! the next one is: that is `schedule`. Rule: a deeper tier reaches back at least as far as a shallower one.

use std::time::Duration;

/// How late an event can come and still be read by the hot tier, if that has room for it on a page.
const HOT_REACH: Duration = Duration::from_secs(30);
/// Between warm reads.
const WARM_EVERY: Duration = Duration::from_mins(1);
/// A warm read reaches back over the window, but no further than this and [`WARM_EVERY`]: it is made every minute.
const WARM_REACH: Duration = Duration::from_mins(5);
/// Between cold reads.
const COLD_EVERY: Duration = Duration::from_mins(10);
/// An event that is late by this less [`COLD_EVERY`] is still read for certain.
const COLD_REACH: Duration = Duration::from_hours(1);

/// Depth and pace of the reads of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between hot reads: at first, at least, and at most.
    pub interval: Interval,
    /// How far back a hot read reaches.
    pub hot_depth: Duration,
    /// Between warm reads.
    pub warm_every: Duration,
    /// How far back a warm read reaches.
    pub warm_depth: Duration,
    /// Between cold reads.
    pub cold_every: Duration,
    /// How far back a cold read reaches.
    pub cold_depth: Duration,
    /// How much of what was missed is read later.
    pub max_catchup: Duration,
    /// The longest window that a rule looks at.
    pub window: Duration,
}

/// Time between hot reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// At first.
    pub start: Duration,
    /// When every read brings something new.
    pub min: Duration,
    /// When nothing comes.
    pub max: Duration,
}

impl Interval {
    /// The next one, after a read that brought something new or did not.
    #[must_use]
    pub fn after(self, last: Duration, news: bool) -> Duration {
        if news { (last / 2).max(self.min) } else { (last + last / 2).min(self.max) }
    }
}

impl Pace {
    /// For a source whose events are written `lag` after their stamp in the regular course of things (an access line is
    /// stamped with the start of its request), under rules that look at `window`.
    #[must_use]
    pub fn new(interval: Interval, lag: Duration, window: Duration, max_catchup: Duration) -> Self {
        let hot_depth = HOT_REACH + lag + interval.start * 2;
        let warm_every = WARM_EVERY.max(interval.start);
        let warm_depth = (window.min(WARM_REACH) + warm_every).max(hot_depth);
        let cold_every = COLD_EVERY.max(warm_every);
        Self {
            interval,
            hot_depth,
            warm_every,
            warm_depth,
            cold_every,
            cold_depth: COLD_REACH.max(warm_depth + cold_every),
            max_catchup,
            window,
        }
    }

    /// A time without reading that the next warm read covers safely; what is longer must be caught up.
    #[must_use]
    pub fn bridged(&self) -> Duration {
        self.warm_depth.saturating_sub(self.warm_every.min(self.warm_depth / 2))
    }
}

/// How long to wait after `failures` failed reads in a row: doubling from a second, at most ten: live reading
/// must be back soon after the trouble is over, however long it took.
#[must_use]
pub fn back_off(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(5)).min(Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_follows_the_traffic_within_its_bounds() {
        let s = Duration::from_secs;
        let interval = Interval { start: s(5), min: s(2), max: s(15) };
        let mut at = interval.start;
        let mut seen = Vec::new();
        for news in [true, true, true, false, false, false, false, false, false] {
            at = interval.after(at, news);
            seen.push(at.as_millis());
        }
        assert_eq!(seen, [2500, 2000, 2000, 3000, 4500, 6750, 10125, 15000, 15000]);
    }

    #[test]
    fn deeper_tiers_reach_further() {
        for (interval, lag, window) in [(5, 0, 300), (5, 29, 300), (300, 900, 10), (1, 0, 21_600)] {
            let s = Duration::from_secs;
            let interval = Interval { start: s(interval), min: s(interval), max: s(interval) };
            let pace = Pace::new(interval, s(lag), s(window), s(3600));
            assert!(pace.hot_depth <= pace.warm_depth && pace.warm_depth < pace.cold_depth, "{pace:?}");
            assert!(pace.cold_depth > pace.cold_every + pace.warm_depth / 2 && pace.warm_every <= pace.cold_every);
            assert!(pace.bridged() > Duration::ZERO && pace.bridged() < pace.warm_depth);
        }
    }

    #[test]
    fn waiting_grows_and_is_bounded() {
        let waits: Vec<_> = (1..8).map(|n| back_off(n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10, 10]);
        assert_eq!(back_off(u32::MAX).as_secs(), 10);
    }
}
