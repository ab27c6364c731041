//! The ids of events that were taken in, by event time.
//!
//! A bucket for each minute of event time; whole buckets are forgotten once no read can reach them any more. Within its
//! minute an id is eight bytes: the millisecond, and 48 bits of the hash. Two events collide only if they bear the
//! same millisecond *and* agree in 48 bits: with a hundred events in a millisecond that is one in 3 000 000 000 000.
//! Rule: bounded by whoever owns it. Where a bucket was forgotten, for its age or early for lack of room, everything
//! that old counts as seen from then on: missing a late event is better than counting others again, should a read reach
//! there after all because the clock was set back.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::event::EventId;
use crate::model::time::{Timestamp, millis};

const BUCKET: Duration = Duration::from_mins(1);
/// New ids of a bucket that are kept in a hash table before they are sorted in.
const FRESH_MIN: usize = 1024;

/// Keys are hashes in their low part: folding the high part in spreads them well enough.
#[derive(Clone, Copy, Debug, Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a key hashes one u64");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key.rotate_left(16) ^ key;
    }
}

/// An id as it stands in its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The minute of event time.
    pub minute: i64,
    /// Millisecond within the minute and 48 bits of the hash.
    pub key: u64,
}

impl Place {
    /// The minute that events of this time stand in.
    #[must_use]
    pub fn minute_of(time: Timestamp) -> i64 {
        time.slot(BUCKET)
    }

    /// Where the event stands.
    #[must_use]
    pub fn of(time: Timestamp, id: EventId) -> Self {
        let offset = time.as_millis().rem_euclid(millis(BUCKET)).cast_unsigned();
        Self { minute: time.slot(BUCKET), key: offset << 48 | (id.0 >> 80) as u64 }
    }
}

/// Ids of one minute: most of them sorted, at eight bytes each, and the newest in a table.
#[derive(Debug, Default)]
struct Bucket {
    sorted: Vec<u64>,
    fresh: HashSet<u64, BuildHasherDefault<Fold>>,
}

impl Bucket {
    fn insert(&mut self, key: u64) -> bool {
        if self.sorted.binary_search(&key).is_ok() || !self.fresh.insert(key) {
            return false;
        }
        // Growing by a quarter each time, an id is moved a handful of times at most.
        if self.fresh.len() >= FRESH_MIN.max(self.sorted.len() / 4) {
            self.settle();
        }
        true
    }

    fn remove(&mut self, key: u64) -> bool {
        if self.fresh.remove(&key) {
            return true;
        }
        let found = self.sorted.binary_search(&key);
        if let Ok(at) = found {
            self.sorted.remove(at);
        }
        found.is_ok()
    }

    fn settle(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let mut all = Vec::with_capacity(self.len());
        all.append(&mut self.sorted);
        all.extend(std::mem::take(&mut self.fresh));
        // Nearly sorted: events come by time.
        all.sort_unstable();
        self.sorted = all;
    }

    fn len(&self) -> usize {
        self.sorted.len() + self.fresh.len()
    }
}

/// Ids that were seen.
#[derive(Debug, Default)]
pub struct IdRing {
    buckets: BTreeMap<i64, Bucket>,
    len: usize,
    /// Buckets before this one were forgotten.
    floor: Option<i64>,
}

impl IdRing {
    /// Notes that the event was taken in. False if it was before.
    pub fn insert(&mut self, time: Timestamp, id: EventId) -> bool {
        self.put(Place::of(time, id))
    }

    /// Notes that the event was taken in, in room for `max` ids. False if it was before.
    pub fn insert_within(&mut self, max: usize, time: Timestamp, id: EventId) -> bool {
        let new = self.insert(time, id);
        while self.len > max {
            self.drop_oldest();
        }
        new
    }

    /// Notes an id by its place. False if it was noted before.
    pub fn put(&mut self, Place { minute, key }: Place) -> bool {
        if self.is_below(minute) {
            return false;
        }
        let new = self.buckets.entry(minute).or_default().insert(key);
        self.len += usize::from(new);
        new
    }

    /// Takes an id back: its fact was not taken in after all.
    pub fn remove(&mut self, Place { minute, key }: Place) {
        if let Some(bucket) = self.buckets.get_mut(&minute)
            && bucket.remove(key)
        {
            self.len -= 1;
        }
    }

    /// Forgets events stamped before `horizon`, which no read reaches any more, and packs the others.
    pub fn forget_before(&mut self, horizon: Timestamp, now: Timestamp) {
        let kept = self.buckets.split_off(&horizon.slot(BUCKET));
        let gone = std::mem::replace(&mut self.buckets, kept);
        if let Some((latest, _)) = gone.last_key_value() {
            self.raise_floor(latest + 1);
        }
        self.len -= gone.values().map(Bucket::len).sum::<usize>();
        // What is being read most goes on growing; a table for what is older would be room for nothing.
        for (_, bucket) in self.buckets.range_mut(..now.slot(BUCKET).saturating_sub(1)) {
            bucket.settle();
        }
    }

    /// Drops the oldest bucket because there is no room. Returns how many ids went.
    pub fn drop_oldest(&mut self) -> usize {
        let Some((minute, bucket)) = self.buckets.pop_first() else { return 0 };
        self.raise_floor(minute + 1);
        self.len -= bucket.len();
        bucket.len()
    }

    /// The oldest minute of which ids are remembered.
    #[must_use]
    pub fn oldest(&self) -> Option<i64> {
        self.buckets.keys().next().copied()
    }

    /// Minutes before this one were forgotten, if any were.
    #[must_use]
    pub const fn floor(&self) -> Option<i64> {
        self.floor
    }

    /// Minutes before this one were forgotten.
    pub fn raise_floor(&mut self, minute: i64) {
        self.floor = self.floor.max(Some(minute));
    }

    /// All that are remembered.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let place = |minute| move |key: &u64| Place { minute, key: *key };
        self.buckets.iter().flat_map(move |(minute, b)| b.sorted.iter().chain(&b.fresh).map(place(*minute)))
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

    fn is_below(&self, minute: i64) -> bool {
        self.floor.is_some_and(|floor| minute < floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    /// An id whose hash is well spread, as real ones are.
    fn id(n: u64) -> EventId {
        EventId(xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes()))
    }

    #[test]
    fn what_was_forgotten_for_its_age_is_not_new_when_the_clock_is_set_back() {
        let mut ring = IdRing::default();
        for minute in [10, 11, 12] {
            ring.insert(at(minute), id(1));
        }
        ring.forget_before(at(12), at(72));
        assert!(!ring.insert(at(11), id(1)) && !ring.insert(at(12), id(1)));
        assert!(ring.insert(at(12), id(2)));
        let mut ring = IdRing::default();
        ring.forget_before(at(500), at(560));
        assert!(ring.insert(at(12), id(1)), "nothing was known of that time");
    }

    #[test]
    fn an_id_is_new_once() {
        let mut ring = IdRing::default();
        assert!(ring.insert(at(1), id(7)));
        assert!(!ring.insert(at(1), id(7)));
        assert!(ring.insert(Timestamp::from_millis(60_001), id(7)), "another millisecond is another event");
        ring.remove(Place::of(at(1), id(7)));
        assert_eq!(ring.len(), 1);
        assert!(ring.insert(at(1), id(7)), "taken back, it is new again");
    }

    #[test]
    fn many_in_one_minute_are_all_told_apart_and_packed() {
        let mut ring = IdRing::default();
        let time = |n: u64| Timestamp::from_millis(i64::try_from(n * 7919 % 60_000).unwrap());
        for n in 0..100_000 {
            assert!(ring.insert(time(n), id(n)), "{n}");
        }
        assert_eq!(ring.len(), 100_000);
        ring.forget_before(at(0), at(10));
        assert!(ring.buckets[&0].fresh.is_empty());
        assert!((0..100_000).all(|n| !ring.insert(time(n), id(n))));
        for n in 0..100_000 {
            ring.remove(Place::of(time(n), id(n)));
        }
        assert!(ring.is_empty());
    }

    #[test]
    fn a_future_stamp_stays_until_its_time_has_passed() {
        let mut ring = IdRing::default();
        ring.insert(at(120), id(1));
        ring.insert(at(1), id(2));
        ring.forget_before(at(60), at(61));
        assert!(!ring.insert(at(120), id(1)));
        assert_eq!(ring.len(), 1);
    }

    #[test]
    fn what_went_for_lack_of_room_is_not_new_again() {
        let mut ring = IdRing::default();
        for (minute, n) in (0_i64..100).zip(0_u64..) {
            ring.insert(at(minute), id(n));
        }
        while ring.len() > 10 {
            ring.drop_oldest();
        }
        assert_eq!(ring.len(), 10);
        assert!(!ring.insert(at(99), id(99)));
        assert!(!ring.insert(at(5), id(5)) && !ring.insert(at(5), id(1_000)));
    }
}
