//! A token bucket: how many messages a sink takes, on whatever clock its messages go by.
//!
//! Not a queue: what finds no token stays with whoever wanted to say it. Rule: time never runs back here; a clock that
//! was set back by a lot is believed, so that nobody waits for hours.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::{Timestamp, millis};

/// APIs are read some minutes apart; a clock that goes back further than this was set back.
const SET_BACK: Duration = Duration::from_mins(15);

/// How many messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Messages a second in the long run, above 0.
    pub per_second: f64,
    /// Messages at one moment, at least 1.
    pub burst: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { per_second: 1.0, burst: 5 }
    }
}

impl Rate {
    /// Between two messages in the long run; a millisecond or more.
    fn every(self) -> Duration {
        let every = Duration::try_from_secs_f64(1.0 / self.per_second).unwrap_or(Duration::from_hours(24));
        every.max(Duration::from_millis(1))
    }
}

/// The tokens of one clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Bucket {
    /// The greatest time seen.
    clock: Timestamp,
    /// When it is full again.
    full: Timestamp,
}

impl Default for Bucket {
    /// Full.
    fn default() -> Self {
        Self { clock: Timestamp::MIN, full: Timestamp::MIN }
    }
}

impl Bucket {
    /// Time has come to `at`.
    pub(super) fn advance(&mut self, at: Timestamp) {
        if at.plus(SET_BACK) < self.clock {
            // What was owed stays owed, counted from the new time.
            let owed = self.full.since(self.clock);
            (self.clock, self.full) = (at, at.plus(owed));
        }
        self.clock = self.clock.max(at);
    }

    /// The greatest time seen.
    pub(super) const fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Whole tokens there are.
    pub(super) fn tokens(&self, rate: Rate) -> usize {
        let every = millis(rate.every()).max(1);
        let room = every.saturating_mul(i64::from(rate.burst)).saturating_sub(millis(self.full.since(self.clock)));
        usize::try_from(room / every).unwrap_or(0)
    }

    /// Takes a token, even if there is none.
    pub(super) fn take(&mut self, rate: Rate) {
        self.full = self.full.max(self.clock).plus(rate.every());
    }

    /// When there is a token.
    pub(super) fn next(&self, rate: Rate) -> Timestamp {
        self.full.minus(rate.every() * rate.burst.saturating_sub(1)).max(self.clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_burst_and_then_one_a_second() {
        let rate = Rate::default();
        let mut bucket = Bucket::default();
        bucket.advance(at(1000));
        for left in (0..5).rev() {
            bucket.take(rate);
            assert_eq!(bucket.tokens(rate), left);
        }
        assert_eq!(bucket.next(rate), at(2000));
        bucket.advance(at(1999));
        assert_eq!(bucket.tokens(rate), 0);
        bucket.advance(at(2000));
        assert_eq!((bucket.tokens(rate), bucket.next(rate)), (1, at(2000)));
        bucket.advance(at(1500));
        assert_eq!((bucket.tokens(rate), bucket.clock()), (1, at(2000)), "another API is a little behind");
        bucket.advance(at(60_000));
        assert_eq!(bucket.tokens(rate), 5);
    }

    #[test]
    fn a_clock_that_is_set_back_starves_nobody() {
        let rate = Rate { per_second: 0.1, burst: 1 };
        let mut bucket = Bucket::default();
        bucket.advance(at(100_000_000));
        bucket.take(rate);
        bucket.advance(at(1000));
        assert_eq!((bucket.tokens(rate), bucket.next(rate)), (0, at(11_000)));
    }
}
