//! Requests and failures over time, for a whole input of any length.
//!
//! Not a window: it only grows, and when it has too many slots they become twice as wide. Rule: bounded, and the sum
//! over all slots is what was counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::window::SLOT;
use crate::model::summary::Moment;
use crate::model::time::Timestamp;

/// Slots kept apart.
const SLOTS_MAX: usize = 1024;

/// Counts by time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timeline {
    width: Duration,
    /// Number of the slot -> requests, failures.
    slots: BTreeMap<i64, (u64, u64)>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { width: SLOT, slots: BTreeMap::new() }
    }
}

impl Timeline {
    /// Counts a request.
    pub fn record(&mut self, time: Timestamp, failed: bool) {
        let slot = self.slots.entry(time.slot(self.width)).or_default();
        slot.0 = slot.0.saturating_add(1);
        slot.1 = slot.1.saturating_add(u64::from(failed));
        while self.slots.len() > SLOTS_MAX {
            self.width = self.width.saturating_mul(2);
            for (number, (requests, failures)) in std::mem::take(&mut self.slots) {
                let slot = self.slots.entry(number.div_euclid(2)).or_default();
                slot.0 = slot.0.saturating_add(requests);
                slot.1 = slot.1.saturating_add(failures);
            }
        }
    }

    /// The counts, from the earliest.
    #[must_use]
    pub fn moments(&self) -> Vec<Moment> {
        let width = crate::model::time::millis(self.width);
        let moment = |(number, (requests, errors_5xx)): (&i64, &(u64, u64))| Moment {
            from: Timestamp::from_millis(number.saturating_mul(width)),
            width: self.width,
            requests: *requests,
            errors_5xx: *errors_5xx,
        };
        self.slots.iter().map(moment).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_small_and_loses_nothing() {
        let mut timeline = Timeline::default();
        for n in 0..100_000 {
            timeline.record(Timestamp::from_millis(n * 7_000), n % 10 == 0);
        }
        let moments = timeline.moments();
        assert!(moments.len() <= SLOTS_MAX);
        assert_eq!(moments.iter().map(|m| m.requests).sum::<u64>(), 100_000);
        assert_eq!(moments.iter().map(|m| m.errors_5xx).sum::<u64>(), 10_000);
        assert!(moments.is_sorted_by_key(|m| m.from));
    }
}
