//! A token bucket: how many messages a sink takes, on whatever clock its messages go by.
//!
//! Not a queue: what finds no token stays with whoever wanted to say it. Rule: in any stretch of time a sink takes a
//! burst and then its rate, of all who speak at about that time together; who speaks of another time is neither held up
//! nor let through by them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::{Timestamp, millis};

/// APIs are read some minutes apart. One that is further behind than this speaks of another time: its log comes late, it
/// is read again from an hour ago, or a clock was set back.
const APART: Duration = Duration::from_mins(15);
/// Times that are told apart: eight hours of quarters. More than a few are rare, as all who come to one time share it.
const TIMES_MAX: usize = 32;

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

/// The tokens of one clock, or of several that are far apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Bucket {
    /// The times that somebody speaks of, each more than [`APART`] from the others; who spoke last is last.
    times: Vec<Time>,
}

/// Where those stand who speak at about one time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Time {
    /// The greatest time seen.
    clock: Timestamp,
    /// When all tokens are there again.
    full: Timestamp,
}

impl Time {
    /// All tokens are there.
    const fn full_at(at: Timestamp) -> Self {
        Self { clock: at, full: at }
    }
}

impl Bucket {
    /// Somebody speaks whose time has come to `at`. He shares the newest time that is not far ahead of his.
    pub(super) fn advance(&mut self, at: Timestamp) {
        let near = (0..self.times.len()).filter(|&n| self.times[n].clock <= at.plus(APART));
        let time = match near.max_by_key(|&n| self.times[n].clock) {
            Some(n) => {
                let time = self.times.remove(n);
                Time { clock: time.clock.max(at), ..time }
            }
            None if self.times.len() < TIMES_MAX => Time::full_at(at),
            // In place of the one that nobody has spoken of for longest: what was owed there stays owed.
            None => {
                let Time { clock, full } = self.times.remove(0);
                Time { clock: at, full: at.plus(full.since(clock)) }
            }
        };
        self.times.push(time);
    }

    /// Of who spoke last.
    fn time(&self) -> Time {
        self.times.last().copied().unwrap_or(Time::full_at(Timestamp::MIN))
    }

    /// The greatest time seen, of who spoke last.
    pub(super) fn clock(&self) -> Timestamp {
        self.time().clock
    }

    /// Whole tokens there are.
    pub(super) fn tokens(&self, rate: Rate) -> usize {
        let Time { clock, full } = self.time();
        let every = millis(rate.every()).max(1);
        let room = every.saturating_mul(i64::from(rate.burst)).saturating_sub(millis(full.since(clock)));
        usize::try_from(room / every).unwrap_or(0)
    }

    /// Takes a token, even if there is none.
    pub(super) fn take(&mut self, rate: Rate) {
        let Time { clock, full } = self.time();
        let after = Time { clock, full: full.max(clock).plus(rate.every()) };
        match self.times.last_mut() {
            Some(time) => *time = after,
            None => self.times.push(after),
        }
    }

    /// When there is a token.
    pub(super) fn next(&self, rate: Rate) -> Timestamp {
        let Time { clock, full } = self.time();
        full.minus(rate.every() * rate.burst.saturating_sub(1)).max(clock)
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
    fn a_clock_that_is_set_back_starves_nobody_and_lets_nobody_through() {
        let rate = Rate { per_second: 0.1, burst: 1 };
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            bucket.advance(at(100_000_000));
            bucket.take(rate);
            bucket.advance(at(1000));
            bucket.take(rate);
            assert_eq!(bucket.clock(), at(1000));
        }
        assert_eq!((bucket.tokens(rate), bucket.next(rate)), (0, at(31_000)));
        // More often than anything but a broken clock does: what was owed stays owed.
        let mut bucket = Bucket::default();
        let mut taken = 0;
        for n in 0..1000 {
            bucket.advance(at(-n * 3_600_000));
            let tokens = bucket.tokens(rate);
            (0..tokens).for_each(|_| bucket.take(rate));
            taken += tokens;
        }
        assert_eq!(taken, TIMES_MAX);
    }

    /// Two APIs step by 10 s and say all they can; one stands `behind` seconds behind the other. What each could say at
    /// first, and how many a second both later.
    fn two(rate: Rate, behind: i64) -> ([usize; 2], [f64; 2]) {
        let mut bucket = Bucket::default();
        let mut said = [Vec::new(), Vec::new()];
        for step in 0..600_i64 {
            for (api, late) in [(0, 0), (1, behind)] {
                bucket.advance(at((step * 10 - late) * 1000));
                let tokens = bucket.tokens(rate);
                (0..tokens).for_each(|_| bucket.take(rate));
                said[api].push(tokens);
            }
        }
        #[expect(clippy::cast_precision_loss)]
        let later = |said: &[usize]| said[1..].iter().sum::<usize>() as f64 / 10.0 / 599.0;
        ([said[0][0], said[1][0]], [later(&said[0]), later(&said[1])])
    }

    #[test]
    fn an_api_that_is_an_hour_behind_has_the_tokens_of_its_own_time() {
        let rate = Rate { per_second: 0.1, burst: 5 };
        let near = |a: f64| (a - 0.1).abs() < 1e-9;
        let (first, [ahead, behind]) = two(rate, 3600);
        assert_eq!(first, [5, 5]);
        assert!(near(ahead) && near(behind), "{ahead} and {behind} a second");
        let (first, [one, other]) = two(rate, 60);
        assert_eq!(first, [5, 0]);
        assert!(near(one + other), "{one} and {other} a second: at one time they share");
    }

    #[test]
    fn who_has_caught_up_shares_again() {
        let rate = Rate { per_second: 0.001, burst: 5 };
        let mut bucket = Bucket::default();
        bucket.advance(at(3_600_000));
        (0..3).for_each(|_| bucket.take(rate));
        bucket.advance(at(0));
        assert_eq!(bucket.tokens(rate), 5);
        bucket.advance(at(3_000_000));
        assert_eq!((bucket.tokens(rate), bucket.clock()), (2, at(3_600_000)));
        // File after file: the second runs through a time that is over, and comes to where the first one ended.
        let mut bucket = Bucket::default();
        for start in [0, 1] {
            let mut taken = 0;
            for second in (start..86_400).step_by(10) {
                bucket.advance(at(second * 1000));
                let tokens = bucket.tokens(rate);
                (0..tokens).for_each(|_| bucket.take(rate));
                taken += tokens;
            }
            // The last quarter of an hour is the first one's.
            let want = if start == 0 { 5 + 86 } else { 5 + 85 };
            assert_eq!(taken, want);
        }
        assert_eq!(bucket.times.len(), 2);
    }
}
