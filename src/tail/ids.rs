//! The ids of events that were taken in, by event time.
//!
//! Buckets of one minute are forgotten whole once no read can reach them any more. Rule: bounded; when there are more
//! ids than allowed the oldest bucket goes first, and from then on everything that old counts as seen: missing a late
//! event is better than counting early ones again with every read.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use crate::model::event::EventId;
use crate::model::time::Timestamp;

const BUCKET: Duration = Duration::from_mins(1);

/// Ids are hashes already: their low half serves as it is.
#[derive(Clone, Copy, Debug, Default)]
struct Low(u64);

impl Hasher for Low {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("EventId hashes one u128");
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    fn write_u128(&mut self, id: u128) {
        self.0 = id as u64;
    }
}

type Bucket = HashSet<EventId, BuildHasherDefault<Low>>;

/// Ids that were seen.
#[derive(Debug)]
pub struct IdRing {
    buckets: BTreeMap<i64, Bucket>,
    len: usize,
    max: usize,
    /// Buckets before this one were dropped for lack of room.
    floor: i64,
    /// Ids dropped because there were more than `max`, while a read could still reach them.
    pub forgotten: u64,
}

impl IdRing {
    /// Remembers at most `max` ids, at about 32 bytes each.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { buckets: BTreeMap::new(), len: 0, max, floor: i64::MIN, forgotten: 0 }
    }

    /// Whether the event was taken in before.
    #[must_use]
    pub fn contains(&self, time: Timestamp, id: EventId) -> bool {
        let slot = time.slot(BUCKET);
        slot < self.floor || self.buckets.get(&slot).is_some_and(|b| b.contains(&id))
    }

    /// Notes that the event was taken in. False if it was before.
    pub fn insert(&mut self, time: Timestamp, id: EventId) -> bool {
        let slot = time.slot(BUCKET);
        if slot < self.floor {
            return false;
        }
        let bucket = match self.buckets.get_mut(&slot) {
            Some(bucket) => bucket,
            None => self.bucket(slot),
        };
        let new = bucket.insert(id);
        if new {
            self.len += 1;
            if self.len > self.max
                && let Some((dropped, bucket)) = self.buckets.pop_first()
            {
                self.floor = dropped + 1;
                self.len -= bucket.len();
                self.forgotten += bucket.len() as u64;
            }
        }
        new
    }

    /// A new bucket. It will hold about as many as the one before, and growing it step by step costs as much as filling
    /// it; room that is never used stays below that which is.
    fn bucket(&mut self, slot: i64) -> &mut Bucket {
        let before = slot.checked_sub(1).and_then(|before| self.buckets.get(&before)).map_or(0, HashSet::len);
        self.buckets
            .entry(slot)
            .or_insert_with(|| Bucket::with_capacity_and_hasher(before, BuildHasherDefault::default()))
    }

    /// Takes an id back: its fact was not taken in after all.
    pub fn remove(&mut self, time: Timestamp, id: EventId) {
        if self.buckets.get_mut(&time.slot(BUCKET)).is_some_and(|b| b.remove(&id)) {
            self.len -= 1;
        }
    }

    /// Forgets events stamped before `horizon`, which no read reaches any more.
    pub fn forget_before(&mut self, horizon: Timestamp) {
        let kept = self.buckets.split_off(&horizon.slot(BUCKET));
        let gone = std::mem::replace(&mut self.buckets, kept);
        self.len -= gone.values().map(HashSet::len).sum::<usize>();
    }

    /// How many ids are remembered.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// No id is remembered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    #[test]
    fn an_id_is_new_once() {
        let mut ring = IdRing::new(10);
        assert!(!ring.contains(at(1), EventId(7)));
        assert!(ring.insert(at(1), EventId(7)));
        assert!(!ring.insert(at(1), EventId(7)));
        assert!(ring.contains(at(1), EventId(7)));
        ring.remove(at(1), EventId(7));
        assert!(!ring.contains(at(1), EventId(7)) && ring.is_empty());
    }

    #[test]
    fn a_future_stamp_stays_until_its_time_has_passed() {
        let mut ring = IdRing::new(10);
        ring.insert(at(120), EventId(1));
        ring.insert(at(1), EventId(2));
        ring.forget_before(at(60));
        assert!(ring.contains(at(120), EventId(1)));
        assert_eq!(ring.len(), 1);
    }

    #[test]
    fn it_is_bounded_and_says_what_it_lost() {
        let mut ring = IdRing::new(100);
        for (i, id) in (0_i64..1000).zip(0_u128..) {
            ring.insert(at(i / 10), EventId(id));
        }
        assert!(ring.len() <= 100);
        assert_eq!(ring.len() as u64 + ring.forgotten, 1000);
        assert!(ring.contains(at(99), EventId(999)));
        assert!(!ring.insert(at(5), EventId(50)), "what was dropped is not new again");
    }
}
