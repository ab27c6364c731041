//! What a source has handed on: the ids of its events, and how far it is read.
//!
//! Shared by the source's task, which asks and adds, and by the owner of the engine, which commits what it has counted
//! and saves it. Rule: an id is committed when its fact is counted and not before; at any moment the committed ids and
//! the engine tell the same story, so that both can be saved as one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{IdRing, Place};
use super::schedule::Position;
use crate::model::event::EventId;
use crate::model::time::Timestamp;

/// Of a source that is not read any more ids are kept of so long before its last read.
const RETIRED: Duration = Duration::from_mins(2);

/// Ids of one source, and its position.
#[derive(Debug, Default)]
pub struct Seen {
    ring: IdRing,
    /// Of the batch under way: in the ring, and not counted yet.
    open: Vec<Place>,
    /// Of these, so many do not count.
    uncounted: u64,
    /// Committed since the last segment was written, where a state is kept.
    unsaved: Option<Vec<Place>>,
    position: Option<Position>,
    events: u64,
}

/// A source's part of a snapshot: what stands in no segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// How far it is read.
    pub position: Option<Position>,
    /// Events counted since the state began.
    pub events: u64,
    /// Ids of minutes before this one were forgotten.
    pub floor: Option<i64>,
    /// Ids.
    pub ids: Vec<Place>,
}

impl Seen {
    /// Nothing is seen yet. `keep`: ids will be asked for by [`Seen::save`].
    #[must_use]
    pub fn new(keep: bool) -> Self {
        Self { unsaved: keep.then(Vec::new), ..Self::default() }
    }

    /// Goes on from what was saved; the ids of segments are added with [`Seen::add`].
    #[must_use]
    pub fn restore(saved: Saved) -> Self {
        let mut seen = Self { position: saved.position, events: saved.events, ..Self::new(true) };
        if let Some(floor) = saved.floor {
            seen.ring.raise_floor(floor);
        }
        seen.add(&saved.ids);
        seen.unsaved = Some(saved.ids);
        seen
    }

    /// Adds committed ids.
    pub fn add(&mut self, ids: &[Place]) {
        for id in ids {
            self.ring.put(*id);
        }
    }

    /// An event was read. True if it is new: it then belongs to the batch under way.
    pub fn take(&mut self, time: Timestamp, id: EventId) -> bool {
        let place = Place::of(time, id);
        let new = self.ring.put(place);
        if new {
            self.open.push(place);
        }
        new
    }

    /// The event that was taken last does not count: it is nobody's, and only not to be read again.
    pub const fn discount(&mut self) {
        self.uncounted += 1;
    }

    /// The batch under way is counted.
    pub fn commit(&mut self, position: Option<Position>) {
        self.events += (self.open.len() as u64).saturating_sub(std::mem::take(&mut self.uncounted));
        self.position = position.or(self.position);
        match &mut self.unsaved {
            Some(unsaved) => unsaved.append(&mut self.open),
            None => self.open.clear(),
        }
    }

    /// The batch under way is not counted: its events are new again.
    pub fn take_back(&mut self) {
        self.uncounted = 0;
        for place in self.open.drain(..) {
            self.ring.remove(place);
        }
    }

    /// Forgets what no read asks for any more.
    pub fn forget_before(&mut self, horizon: Timestamp, now: Timestamp) {
        // A minute of grace: the clock may be set back.
        self.ring.forget_before(horizon.minus(Duration::from_mins(1)), now);
    }

    /// The ids, to look at.
    #[must_use]
    pub const fn ring(&self) -> &IdRing {
        &self.ring
    }

    /// Nobody names the source any more. In case it is named again it goes on from its last read: what was seen shortly
    /// before is kept, and does not need the segments that it stood in; nothing before that is ever read again.
    pub fn retire(&mut self, now: Timestamp) {
        if let Some(position) = &mut self.position {
            position.origin = position.origin.max(position.live.minus(RETIRED));
            self.ring.forget_before(position.origin, now);
        }
        self.unsaved = self.unsaved.take().map(|_| self.ring.places().collect());
    }

    /// Makes room by forgetting the oldest minute. Returns how many ids went.
    pub fn make_room(&mut self) -> usize {
        self.ring.drop_oldest()
    }

    /// How far it is read.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// Events counted since the state began.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// What to save, besides the segments written so far.
    #[must_use]
    pub fn save(&self) -> Saved {
        Saved {
            position: self.position,
            events: self.events,
            floor: self.ring.floor(),
            ids: self.unsaved.clone().unwrap_or_default(),
        }
    }

    /// How many ids stand in no segment.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.unsaved.as_ref().map_or(0, Vec::len)
    }

    /// Ids for a segment: they are left out of what is saved from now on. What is stamped in the future stays, or its
    /// segment would have to be kept for hours on its account.
    pub fn segment(&mut self, now: Timestamp) -> Vec<Place> {
        let Some(unsaved) = &mut self.unsaved else { return Vec::new() };
        let limit = Place::minute_of(now.plus(Duration::from_mins(1)));
        let (past, future) = std::mem::take(unsaved).into_iter().partition(|place| place.minute <= limit);
        *unsaved = future;
        past
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    #[test]
    fn only_what_is_committed_is_saved_and_what_is_taken_back_is_new_again() {
        let mut seen = Seen::new(true);
        assert!(seen.take(at(1), EventId(1)) && !seen.take(at(1), EventId(1)));
        assert!(seen.save().ids.is_empty(), "not counted yet");
        seen.take_back();
        assert!(seen.take(at(1), EventId(1)));
        seen.commit(None);
        assert!(seen.take(at(2), EventId(2 << 100)));
        let saved = seen.save();
        assert_eq!((saved.events, saved.ids.len()), (1, 1));
        let mut again = Seen::restore(saved);
        assert!(!again.take(at(1), EventId(1)), "counted");
        assert!(again.take(at(2), EventId(2 << 100)), "not counted when it was saved");
    }

    #[test]
    fn what_is_discounted_does_not_count_and_is_not_new_again() {
        let mut seen = Seen::new(true);
        assert!(seen.take(at(1), EventId(1)) && seen.take(at(1), EventId(2 << 100)));
        seen.discount();
        seen.take_back();
        assert!(seen.take(at(1), EventId(1)) && seen.take(at(1), EventId(2 << 100)));
        seen.discount();
        seen.commit(None);
        assert_eq!((seen.events(), seen.take(at(1), EventId(2 << 100))), (1, false));
        seen.commit(None);
        assert_eq!(seen.events(), 1);
    }

    #[test]
    fn what_was_forgotten_is_not_new_to_the_next_life_either() {
        let mut seen = Seen::new(true);
        seen.take(at(10), EventId(1));
        seen.commit(None);
        seen.segment(at(10));
        seen.forget_before(at(70), at(130));
        let mut again = Seen::restore(seen.save());
        assert!(!again.take(at(10), EventId(1)) && again.take(at(11), EventId(1)));
    }

    #[test]
    fn a_retired_source_keeps_its_last_minutes_without_its_segments() {
        let mut seen = Seen::new(true);
        for minute in 0..10 {
            seen.take(at(minute), EventId(0));
        }
        seen.commit(Some(Position { origin: at(0), live: at(9), owed: at(0), missing: None, unread_before: None }));
        let segment = seen.segment(at(9));
        let mut again = Seen::restore(seen.save());
        again.add(&segment);
        again.retire(at(20));
        let mut again = Seen::restore(again.save());
        assert_eq!((again.events(), again.position().map(|p| p.origin)), (10, Some(at(7))));
        again.retire(at(40));
        assert!((6..10).all(|minute| !again.take(at(minute), EventId(0))), "what was forgotten counts as seen as well");
    }

    #[test]
    fn segments_take_all_but_the_future() {
        let mut seen = Seen::new(true);
        for minute in 0..10 {
            seen.take(at(minute), EventId(0));
        }
        seen.commit(None);
        let segment = seen.segment(at(5));
        assert_eq!((segment.len(), seen.unsaved()), (7, 3));
        let mut again = Seen::restore(seen.save());
        again.add(&segment);
        assert!((0..10).all(|minute| !again.take(at(minute), EventId(0))));
        assert_eq!(again.unsaved(), 3, "a segment's ids are not saved twice");
    }
}
