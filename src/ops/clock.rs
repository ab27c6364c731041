//! The clock: wall time, or for the demo wall time that runs faster.
//!
//! The only place that reads one. A fast clock runs on the monotonic clock from where the wall clock stood at the
//! start. A machine's clock can be wrong, and reads are anchored to it: it is corrected by the service's. Rule:
//! deciding code never sees a clock; it is told the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

// The runtime's monotonic clock, which tests can pause.
use tokio::time::Instant;

use crate::model::time::{Timestamp, millis};

/// A difference to the service's clock below this is no difference: it is told to the second, and answers take time.
const SKEW_MIN_MS: i64 = 5_000;

/// A clock that can be shared.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    /// What is added to it, in milliseconds.
    correction: AtomicI64,
    /// The correction that the last answer called for, if it did: one alone may be wrong, two that agree are not.
    doubt: AtomicI64,
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts.
    #[must_use]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// How long ago it was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// No correction is called for.
const NO_DOUBT: i64 = i64::MIN;

#[derive(Debug)]
enum Kind {
    Wall,
    Fast { start: Timestamp, since: Instant, speed: u32 },
}

impl Clock {
    /// The wall clock.
    #[must_use]
    pub fn wall() -> Self {
        Self::of(Kind::Wall)
    }

    /// A clock that stands at the wall clock's time now and runs `speed` times as fast (at least once).
    #[must_use]
    pub fn fast(speed: u32) -> Self {
        if speed <= 1 { Self::wall() } else { Self::from(wall_now(), speed) }
    }

    /// A clock that stands at `start` now and runs `speed` times as fast as the runtime's.
    #[must_use]
    pub fn from(start: Timestamp, speed: u32) -> Self {
        Self::of(Kind::Fast { start, since: Instant::now(), speed: speed.max(1) })
    }

    fn of(kind: Kind) -> Self {
        Self(Arc::new(Inner { kind, correction: AtomicI64::new(0), doubt: AtomicI64::new(NO_DOUBT) }))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let own = self.own();
        Timestamp::from_millis(own.as_millis().saturating_add(self.0.correction.load(Ordering::Relaxed)))
    }

    /// The service's clock showed `at` at some time since `asked`, which this clock showed when the request was made: a
    /// process may have slept in between. Returns the new correction in milliseconds, if it changes: this clock was
    /// wrong by more than that can be explained, and two answers in a row say so.
    #[must_use]
    pub fn correct(&self, asked: Timestamp, at: Timestamp) -> Option<i64> {
        let now = self.now();
        let nearest = at.max(asked.min(now)).min(now);
        if at.as_millis().saturating_sub(nearest.as_millis()).abs() < SKEW_MIN_MS {
            self.0.doubt.store(NO_DOUBT, Ordering::Relaxed);
            return None;
        }
        let correction = at.as_millis().saturating_sub(self.own().as_millis());
        let before = self.0.doubt.swap(correction, Ordering::Relaxed);
        if before == NO_DOUBT || before.abs_diff(correction) >= SKEW_MIN_MS.unsigned_abs() {
            return None;
        }
        // A clock that is nearly right needs none.
        let correction = if correction.abs() < SKEW_MIN_MS { 0 } else { correction };
        self.0.correction.store(correction, Ordering::Relaxed);
        self.0.doubt.store(NO_DOUBT, Ordering::Relaxed);
        Some(correction)
    }

    /// Waits until the clock shows `at`.
    pub async fn sleep_until(&self, at: Timestamp) {
        let left = at.since(self.now());
        let real = match &self.0.kind {
            Kind::Wall => left,
            Kind::Fast { speed, .. } => left / *speed,
        };
        // To the next millisecond, as timers are: waking before the time would only mean waiting again.
        tokio::time::sleep(real).await;
    }

    fn own(&self) -> Timestamp {
        match &self.0.kind {
            Kind::Wall => wall_now(),
            Kind::Fast { start, since, speed } => start.plus(since.elapsed() * *speed),
        }
    }
}

fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(millis(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wrong_clock_is_corrected_and_corrected_back() {
        let at = Timestamp::from_millis;
        let clock = Clock::from(at(1_000_000), 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), at(1_002_000));
        let correct = |ms| clock.correct(clock.now(), at(ms));
        assert_eq!(correct(1_004_000), None, "a second or two is nothing");
        assert_eq!(correct(1_302_000), None, "one answer may be wrong");
        assert_eq!(correct(1_302_000), Some(300_000));
        assert_eq!(clock.now(), at(1_302_000));
        assert_eq!(correct(1_302_999), None);
        clock.sleep_until(at(1_304_000)).await;
        assert_eq!(clock.now(), at(1_304_000));
        assert_eq!((correct(1_004_500), correct(1_004_500)), (None, Some(0)), "somebody set the clock right");
    }

    #[tokio::test(start_paused = true)]
    async fn one_wrong_answer_or_one_that_lay_about_for_long_corrects_nothing() {
        let at = Timestamp::from_millis;
        let clock = Clock::from(at(10_000_000), 1);
        let asked = clock.now();
        for wrong in [at(0), at(20_000_000)] {
            assert_eq!(clock.correct(asked, wrong), None);
            assert_eq!(clock.correct(asked, asked), None);
        }
        assert_eq!(
            (clock.correct(asked, at(0)), clock.correct(asked, at(20_000_000))),
            (None, None),
            "nor two that differ"
        );
        // The machine slept between an answer and the reading of it.
        tokio::time::advance(Duration::from_hours(1)).await;
        for _ in 0..2 {
            assert_eq!(clock.correct(asked, at(10_001_000)), None);
        }
        assert_eq!(clock.now(), at(13_600_000));
    }
}
