//! When to read, and how far back.
//!
//! Two tiers: *hot* reads are shallow and frequent, so that news comes in seconds; *warm* reads reach back over the
//! whole window, for what came late. A deeper read serves the shallower tier as well. Rule: a read begins at the wall
//! clock minus the tier's depth, never at an event's stamp, and has no end, so that stamps in the future are seen.

use std::time::Duration;

use crate::model::time::Timestamp;

/// Depth and pace of the reads of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between hot reads.
    pub hot_every: Duration,
    /// How far back a hot read reaches.
    pub hot_depth: Duration,
    /// Between warm reads.
    pub warm_every: Duration,
    /// How far back a warm read reaches.
    pub warm_depth: Duration,
}

impl Pace {
    /// Hot reads every `interval`, reaching back 30 s plus `lag`: how long after its stamp an event can be written in
    /// the regular course of things (an access line is stamped with the start of its request). Warm reads every
    /// minute over `window` and a minute.
    #[must_use]
    pub fn new(interval: Duration, lag: Duration, window: Duration) -> Self {
        let hot_depth = Duration::from_secs(30) + lag + interval * 2;
        Self {
            hot_every: interval,
            hot_depth,
            warm_every: Duration::from_mins(1).max(interval),
            warm_depth: (window + Duration::from_mins(1)).max(hot_depth),
        }
    }
}

/// A read to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Stamp from which on events are asked for.
    pub from: Timestamp,
    /// It serves the warm tier too.
    pub warm: bool,
}

/// The schedule of one source.
#[derive(Clone, Debug)]
pub struct Schedule {
    pace: Pace,
    /// Nothing before this is read: what the statistics begin with.
    origin: Timestamp,
    next_hot: Timestamp,
    next_warm: Timestamp,
    /// The latest time that was shown.
    latest: Timestamp,
}

impl Schedule {
    /// Begins with a read of everything since `origin`.
    #[must_use]
    pub const fn new(pace: Pace, origin: Timestamp) -> Self {
        Self { pace, origin, next_hot: Timestamp::MIN, next_warm: Timestamp::MIN, latest: Timestamp::MIN }
    }

    /// The read that is due, if one is.
    pub fn due(&mut self, now: Timestamp) -> Option<Read> {
        let first = self.next_warm == Timestamp::MIN;
        if now < self.latest {
            // The clock was set back: what was planned by it may lie hours ahead.
            self.next_hot = now;
            if !first {
                self.next_warm = now;
            }
        }
        self.latest = now;
        if first {
            return (now >= self.next_hot).then_some(Read { from: self.origin, warm: true });
        }
        if now >= self.next_warm {
            return Some(Read { from: self.origin.max(now.minus(self.pace.warm_depth)), warm: true });
        }
        (now >= self.next_hot).then(|| Read { from: self.origin.max(now.minus(self.pace.hot_depth)), warm: false })
    }

    /// A read was finished that began at `began`.
    pub fn done(&mut self, read: Read, began: Timestamp) {
        self.next_hot = began.plus(self.pace.hot_every);
        if read.warm {
            self.next_warm = began.plus(self.pace.warm_every);
        }
    }

    /// A read failed: the next one is tried at `retry`.
    pub fn failed(&mut self, retry: Timestamp) {
        self.next_hot = retry;
        if self.next_warm != Timestamp::MIN {
            // A gap has opened: the next read reaches back over the whole window.
            self.next_warm = retry;
        }
    }

    /// When the next read is due.
    #[must_use]
    pub fn next(&self) -> Timestamp {
        if self.next_warm == Timestamp::MIN { self.next_hot } else { self.next_hot.min(self.next_warm) }
    }

    /// Stamps before this are not asked for any more by any read from `now` on.
    #[must_use]
    pub fn horizon(&self, now: Timestamp) -> Timestamp {
        self.origin.max(now.minus(self.pace.warm_depth))
    }
}

/// How long to wait after `failures` failed reads in a row: doubling from a second, at most half a minute.
#[must_use]
pub fn back_off(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(5)).min(Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    fn pace() -> Pace {
        Pace::new(Duration::from_secs(5), Duration::from_secs(29), Duration::from_mins(5))
    }

    #[test]
    fn the_first_read_fills_the_window_and_then_hot_and_warm_take_turns() {
        let mut s = Schedule::new(pace(), at(700));
        let first = s.due(at(1000)).unwrap();
        assert_eq!(first, Read { from: at(700), warm: true });
        s.done(first, at(1000));
        assert_eq!(s.due(at(1004)), None);
        let hot = s.due(at(1005)).unwrap();
        assert_eq!(hot, Read { from: at(1005 - 69), warm: false });
        s.done(hot, at(1005));
        assert_eq!(s.next(), at(1010));
        let warm = s.due(at(1061)).unwrap();
        assert_eq!(warm, Read { from: at(1061 - 360), warm: true });
        s.done(warm, at(1061));
        assert_eq!(s.next(), at(1066));
    }

    #[test]
    fn nothing_before_the_origin_is_ever_read() {
        let mut s = Schedule::new(pace(), at(990));
        let first = s.due(at(1000)).unwrap();
        s.done(first, at(1000));
        assert_eq!(s.due(at(1005)).unwrap().from, at(990));
        assert_eq!(s.horizon(at(1005)), at(990));
    }

    #[test]
    fn after_a_failure_the_next_read_reaches_over_the_gap() {
        let mut s = Schedule::new(pace(), at(0));
        let first = s.due(at(1000)).unwrap();
        s.done(first, at(1000));
        s.failed(at(1012));
        assert_eq!(s.due(at(1011)), None);
        assert!(s.due(at(1012)).unwrap().warm);
        let mut s = Schedule::new(pace(), at(700));
        s.failed(at(1010));
        assert_eq!(s.due(at(1009)), None, "it waits before the first read as well");
        assert_eq!(s.due(at(1010)).unwrap().from, at(700), "the first read is still owed");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_reading() {
        let mut s = Schedule::new(pace(), at(0));
        let first = s.due(at(10_000)).unwrap();
        s.done(first, at(10_000));
        assert_eq!(s.due(at(10_001)), None);
        assert_eq!(s.due(at(5_000)), Some(Read { from: at(5_000 - 360), warm: true }));
    }

    #[test]
    fn waiting_grows_and_is_bounded() {
        let waits: Vec<_> = (1..8).map(|n| back_off(n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(back_off(u32::MAX).as_secs(), 30);
    }
}
