//! Room for event ids, shared by all sources: a bound on memory for the process, not for each log group.
//!
//! Rule: when there are more ids than there is room for, a source that has its share or more gives up its oldest.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::tail::seen::Seen;

/// What a source has seen, shared by its task and the owner of the engine.
pub type Shared = Arc<Mutex<Seen>>;

/// No code panics between two halves of a change, so a poisoned lock is still good.
pub fn lock(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The room.
#[derive(Debug)]
pub struct Room {
    max: usize,
    used: AtomicUsize,
    sources: AtomicUsize,
}

impl Room {
    /// Room for `max` ids.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max, used: AtomicUsize::new(0), sources: AtomicUsize::new(0) }
    }

    /// How many ids there is room for.
    #[must_use]
    pub const fn max(&self) -> usize {
        self.max
    }

    /// A source comes in, with so many ids.
    pub fn enter(&self, ids: usize) {
        self.sources.fetch_add(1, Ordering::Relaxed);
        self.used.fetch_add(ids, Ordering::Relaxed);
    }

    /// A source is gone.
    pub fn leave(&self, ids: usize) {
        self.sources.fetch_sub(1, Ordering::Relaxed);
        self.changed(ids, 0);
    }

    /// A source that had `before` ids has `after` now.
    pub fn changed(&self, before: usize, after: usize) {
        if after >= before {
            self.used.fetch_add(after - before, Ordering::Relaxed);
        } else {
            // Saturating, because two sources may count at once.
            let less = |used: usize| Some(used.saturating_sub(before - after));
            let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Makes the source fit. True if it had to forget ids that were still wanted.
    pub fn fit(&self, seen: &Shared) -> bool {
        let mut forgot = false;
        loop {
            let used = self.used.load(Ordering::Relaxed);
            let share = self.max / self.sources.load(Ordering::Relaxed).max(1);
            let mut seen = lock(seen);
            let before = seen.ring().len();
            if used <= self.max || before < share || before == 0 {
                return forgot;
            }
            seen.make_room();
            self.changed(before, seen.ring().len());
            forgot = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::EventId;
    use crate::model::time::Timestamp;

    #[test]
    fn the_busy_source_makes_room_and_the_quiet_one_does_not() {
        let room = Room::new(100);
        let fill = |minutes: i64| {
            let seen = Shared::default();
            for minute in 0..minutes {
                lock(&seen).take(Timestamp::from_millis(minute * 60_000), EventId(1));
            }
            lock(&seen).commit(None);
            room.enter(lock(&seen).ring().len());
            seen
        };
        let (quiet, busy) = (fill(10), fill(200));
        assert!(!room.fit(&quiet));
        assert!(room.fit(&busy));
        assert_eq!((lock(&quiet).ring().len(), lock(&busy).ring().len()), (10, 90));
        assert!(!room.fit(&busy));
    }
}
