//! How many requests came when: counts for each ten seconds of event time.
//!
//! Not the engine's windows, which decide; this is only to be looked at. Rule: it ends at the latest `now` that it was
//! told, so that a stamp out of a log moves nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::time::{Timestamp, millis};

/// What one count covers.
pub const SLOT: Duration = Duration::from_secs(10);
/// Counts that are kept: an hour.
const SLOTS_MAX: usize = 360;

/// Requests of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// All of them.
    pub requests: u64,
    /// Those answered 5xx.
    pub failures: u64,
}

/// Counts over time.
#[derive(Clone, Debug, Default)]
pub struct Rhythm {
    /// The newest last.
    beats: VecDeque<Beat>,
    /// The slot of the newest.
    newest: i64,
}

impl Rhythm {
    /// Counts a request that ended at `at`. One that is stamped later than `now` counts at `now`.
    pub fn count(&mut self, at: Timestamp, failed: bool, now: Timestamp) {
        self.advance(now.slot(SLOT));
        let back = self.newest.saturating_sub(at.slot(SLOT)).max(0);
        let len = self.beats.len();
        if let Some(place) = usize::try_from(back).ok().and_then(|back| len.checked_sub(back + 1)) {
            self.beats[place].requests += 1;
            self.beats[place].failures += u64::from(failed);
        }
    }

    /// The last slots up to `now`, the oldest first, each with its begin; `None` for one that is not kept.
    pub fn last(&self, slots: u16, now: Timestamp) -> impl Iterator<Item = (Timestamp, Option<Beat>)> {
        let last = now.slot(SLOT);
        (0..i64::from(slots)).rev().map(move |back| {
            let slot = last.saturating_sub(back);
            let begin = Timestamp::from_millis(slot.saturating_mul(millis(SLOT)));
            let place = usize::try_from(self.newest.saturating_sub(slot)).ok();
            let beat = match place {
                // Nothing has come since, or at all.
                None => Some(Beat::default()),
                Some(_) if self.beats.is_empty() => Some(Beat::default()),
                Some(back) => self.beats.len().checked_sub(back + 1).map(|place| self.beats[place]),
            };
            (begin, beat)
        })
    }

    fn advance(&mut self, to: i64) {
        if self.beats.is_empty() {
            // From the first request on all of it may come: history is read the newest first.
            self.newest = to;
            self.beats.resize(SLOTS_MAX, Beat::default());
        }
        let ahead = to.saturating_sub(self.newest).max(0);
        for _ in 0..usize::try_from(ahead).unwrap_or(usize::MAX).min(SLOTS_MAX) {
            self.beats.pop_front();
            self.beats.push_back(Beat::default());
        }
        self.newest = self.newest.max(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_338_000_000 + seconds * 1000)
    }

    fn requests(rhythm: &Rhythm, slots: u16, now: i64) -> Vec<Option<u64>> {
        rhythm.last(slots, at(now)).map(|(_, beat)| beat.map(|beat| beat.requests)).collect()
    }

    #[test]
    fn it_counts_by_event_time_and_ends_now() {
        let mut rhythm = Rhythm::default();
        assert_eq!(requests(&rhythm, 2, 0), [Some(0), Some(0)], "nothing came");
        rhythm.count(at(25), true, at(30));
        rhythm.count(at(3), false, at(30));
        rhythm.count(at(5), false, at(30));
        assert_eq!(requests(&rhythm, 4, 30), [Some(2), Some(0), Some(1), Some(0)]);
        assert_eq!(requests(&rhythm, 4, 55), [Some(1), Some(0), Some(0), Some(0)]);
        assert_eq!(rhythm.last(4, at(30)).nth(2), Some((at(20), Some(Beat { requests: 1, failures: 1 }))));
    }

    #[test]
    fn absurd_stamps_and_a_clock_that_jumps_do_no_harm() {
        let mut rhythm = Rhythm::default();
        for time in [Timestamp::MIN, Timestamp::MAX, at(-7200), at(0)] {
            rhythm.count(time, false, at(0));
        }
        assert_eq!(requests(&rhythm, 1, 0), [Some(2)], "one of the future counts now, one of long ago not at all");
        for now in [Timestamp::MAX, Timestamp::MIN, at(0)] {
            rhythm.count(at(0), false, now);
            assert_eq!(rhythm.last(u16::MAX, now).count(), usize::from(u16::MAX));
        }
        assert_eq!(rhythm.beats.len(), SLOTS_MAX);
    }
}
