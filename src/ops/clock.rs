//! The clock: wall time, or for the demo wall time that runs faster.
//!
//! The only place that reads one. The fast clock runs on the monotonic clock from where the wall clock stood at the
//! start. Rule: deciding code never sees a clock; it is told the time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::{Timestamp, millis};

/// A clock that can be shared.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Wall,
    Fast { start: Timestamp, since: Instant, speed: u32 },
}

impl Clock {
    /// The wall clock.
    #[must_use]
    pub fn wall() -> Self {
        Self(Arc::new(Kind::Wall))
    }

    /// A clock that stands at the wall clock's time now and runs `speed` times as fast (at least once).
    #[must_use]
    pub fn fast(speed: u32) -> Self {
        if speed <= 1 {
            return Self::wall();
        }
        Self(Arc::new(Kind::Fast { start: wall_now(), since: Instant::now(), speed }))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Kind::Wall => wall_now(),
            Kind::Fast { start, since, speed } => start.plus(since.elapsed() * *speed),
        }
    }

    /// Waits until the clock shows `at`.
    pub async fn sleep_until(&self, at: Timestamp) {
        let left = at.since(self.now());
        let real = match &*self.0 {
            Kind::Wall => left,
            Kind::Fast { speed, .. } => left / *speed,
        };
        tokio::time::sleep(real).await;
    }
}

fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(millis(since))
}
