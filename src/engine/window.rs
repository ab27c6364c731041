//! Counts of requests in 10-second slots of event time: the sliding window of one endpoint.
//!
//! A ring of counts, not averages: a decaying average gives a burst little weight and can hide a total outage. Slots
//! are placed by the event's own time, so arrival order does not matter; a slot is emptied only when its place in the
//! ring is needed for a later one. Two windows of equal length merge by addition. Rule: a sample that falls behind
//! the ring is refused and counted by the caller, never put into a wrong slot.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::time::{Timestamp, millis};

/// Width of a slot: also how often rules look.
pub const SLOT: Duration = Duration::from_secs(10);

/// Slots kept beyond the newest rule window: events may run ahead of the clock by up to a minute of skew.
const AHEAD: usize = 7;

/// How many requests, by status class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All requests.
    pub requests: u64,
    /// Responses by first digit of the status; index 0 takes what is no HTTP status.
    pub by_class: [u32; 6],
    /// Responses that took longer than the API's rules allow.
    pub slow: u32,
}

impl Counts {
    /// Responses with status 500 to 599.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.by_class[5] as u64
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        for (mine, theirs) in self.by_class.iter_mut().zip(other.by_class) {
            *mine = mine.saturating_add(theirs);
        }
        self.slow = self.slow.saturating_add(other.slow);
    }

    fn record(&mut self, status: u16, is_slow: bool) {
        self.slow = self.slow.saturating_add(u32::from(is_slow));
        self.requests = self.requests.saturating_add(1);
        let class = usize::from(status / 100);
        let responses = &mut self.by_class[if class <= 5 { class } else { 0 }];
        *responses = responses.saturating_add(1);
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Slot {
    number: i64,
    counts: Counts,
}

/// The ring.
#[derive(Clone, Debug)]
pub struct Window {
    slots: Box<[Slot]>,
}

impl Window {
    /// A ring that can answer for windows of up to `longest`.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        let empty = Slot { number: i64::MIN, counts: Counts::default() };
        Self { slots: vec![empty; slots_in(longest) + AHEAD].into_boxed_slice() }
    }

    /// Counts one response at its event time; `is_slow`: it took longer than the API's rules allow. False when that lies behind the ring: too late to count.
    pub fn record(&mut self, time: Timestamp, status: u16, is_slow: bool) -> bool {
        let number = time.slot(SLOT);
        let at = place(number, self.slots.len());
        let slot = &mut self.slots[at];
        if slot.number > number {
            return false;
        }
        if slot.number < number {
            *slot = Slot { number, counts: Counts::default() };
        }
        slot.counts.record(status, is_slow);
        true
    }

    /// The sum over the slots of `[end - window, end)`. Both should be multiples of [`SLOT`]; what is not is rounded
    /// down to it.
    #[must_use]
    pub fn total(&self, end: Timestamp, window: Duration) -> Counts {
        let last = end.slot(SLOT);
        let first = last.saturating_sub(i64::try_from(slots_in(window)).unwrap_or(i64::MAX));
        let mut sum = Counts::default();
        for slot in &self.slots {
            if (first..last).contains(&slot.number) {
                sum.add(&slot.counts);
            }
        }
        sum
    }

    /// Adds the counts of another, of whatever length; what lies behind this ring is left out.
    pub(super) fn absorb(&mut self, other: &Self) {
        for theirs in &other.slots {
            let at = place(theirs.number, self.slots.len());
            let mine = &mut self.slots[at];
            if mine.number < theirs.number {
                *mine = *theirs;
            } else if mine.number == theirs.number {
                mine.counts.add(&theirs.counts);
            }
        }
    }
}

/// Written as the slots that were used. What is read back is of just that length: [`Window::absorb`] puts it into a
/// ring.
impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used: Vec<&Slot> = self.slots.iter().filter(|s| s.number > i64::MIN).collect();
        used.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { slots: Vec::deserialize(deserializer)?.into_boxed_slice() })
    }
}

/// Whole slots in a window, at least one.
#[must_use]
pub fn slots_in(window: Duration) -> usize {
    usize::try_from(millis(window) / millis(SLOT)).unwrap_or(1).max(1)
}

/// Where slot `number` stands in a ring of `len` places.
pub(super) fn place(number: i64, len: usize) -> usize {
    let len = i64::try_from(len).expect("rings are short");
    usize::try_from(number.rem_euclid(len)).expect("a remainder by a positive number is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_MINUTES: Duration = Duration::from_mins(5);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn counts_by_class_within_the_window() {
        let mut w = Window::new(FIVE_MINUTES);
        for (t, status) in [(1000, 200), (1001, 404), (1009, 502), (1010, 500), (1299, 504)] {
            assert!(w.record(at(t), status, false));
        }
        let c = w.total(at(1300), FIVE_MINUTES);
        assert_eq!((c.requests, c.errors(), c.by_class[2], c.by_class[4]), (5, 3, 1, 1));
        assert_eq!(w.total(at(1310), FIVE_MINUTES).requests, 2, "the slot of 1000 to 1009 has left");
        assert_eq!(w.total(at(1300), Duration::from_secs(10)).requests, 1);
        assert_eq!(
            w.total(at(1290), FIVE_MINUTES).requests,
            4,
            "a window that ends earlier does not see what is after"
        );
    }

    #[test]
    fn order_of_arrival_does_not_matter() {
        let times = [1000, 1290, 1005, 1150, 1000, 1299];
        let mut forward = Window::new(FIVE_MINUTES);
        let mut backward = Window::new(FIVE_MINUTES);
        for t in times {
            assert!(forward.record(at(t), 200, false));
        }
        for t in times.iter().rev() {
            assert!(backward.record(at(*t), 200, false));
        }
        assert_eq!(forward.total(at(1300), FIVE_MINUTES), backward.total(at(1300), FIVE_MINUTES));
    }

    #[test]
    fn refuses_what_lies_behind_the_ring_and_survives_an_idle_year() {
        let mut w = Window::new(FIVE_MINUTES);
        assert!(w.record(at(31_536_000), 200, false));
        let ring = i64::try_from(w.slots.len()).unwrap() * 10;
        assert!(!w.record(at(31_536_000 - ring), 200, false), "its place is taken by a later slot");
        assert_eq!(w.total(at(31_536_010), FIVE_MINUTES).requests, 1);
        assert!(w.record(at(63_072_000), 500, false));
        assert_eq!(w.total(at(63_072_010), FIVE_MINUTES).errors(), 1);
    }

    #[test]
    fn a_status_that_is_none_is_counted_apart() {
        let mut w = Window::new(FIVE_MINUTES);
        assert!(w.record(at(10), 0, false));
        assert!(w.record(at(10), 999, false));
        let c = w.total(at(20), FIVE_MINUTES);
        assert_eq!((c.requests, c.by_class[0], c.errors()), (2, 2, 0));
    }
}
