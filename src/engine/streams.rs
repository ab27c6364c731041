//! What the streams of one Lambda log group have open.
//!
//! One environment writes one stream, and outside Managed Instances runs one invocation at a time: that tells whose a
//! line without an ID is. Not the invocations themselves. Rule: bounded; a stream that is forgotten costs lines without
//! an ID their owner, which explanations say.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::invocations::Finding;
use crate::model::hash::FastMap;
use crate::model::id::Id;
use crate::model::time::Timestamp;

/// A stream that was quiet for this long is forgotten; Lambda ends idle environments sooner.
const STREAM_IDLE: Duration = Duration::from_hours(1);

/// One stream.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stream {
    name: Arc<str>,
    /// The invocation that runs.
    pub(super) open: Option<Id>,
    /// When it started.
    pub(super) opened: Timestamp,
    /// The invocation that ended last: its ID, START and REPORT. A line of it may come late.
    pub(super) closed: Option<(Id, Timestamp, Timestamp)>,
    /// An invocation that had not ended when the next one started: several run at a time, or its REPORT is late.
    pub(super) overlapped: Option<Id>,
    /// Lines without an ID that no invocation owns yet.
    pub(super) waiting: VecDeque<Finding>,
    touched: Timestamp,
}

/// The streams of one log group.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Streams {
    #[serde(skip)]
    places: FastMap<Arc<str>, usize>,
    all: Vec<Stream>,
}

impl Streams {
    /// What was saved, of at most `max` streams.
    pub(super) fn resume(saved: Self, max: usize) -> Self {
        let mut streams = saved;
        if streams.all.len() > max.max(1) {
            streams.all.clear();
        }
        streams.number();
        streams
    }

    /// Where the stream of this name stands, which a line of it was just seen of. `likely` is where it stood when an
    /// earlier line of the same invocation was seen: looking there is cheaper than looking the name up.
    pub(super) fn place(&mut self, name: &Arc<str>, likely: usize, max: usize, now: Timestamp) -> usize {
        if let Some(stream) = self.all.get_mut(likely).filter(|s| s.name == *name) {
            stream.touched = now;
            return likely;
        }
        if let Some(place) = self.places.get(name) {
            self.all[*place].touched = now;
            return *place;
        }
        if self.all.len() >= max {
            self.make_room(now);
        }
        let (open, closed, overlapped, waiting) = (None, None, None, VecDeque::new());
        let opened = Timestamp::MAX;
        self.all.push(Stream { name: Arc::clone(name), open, opened, closed, overlapped, waiting, touched: now });
        let place = self.all.len() - 1;
        self.places.insert(Arc::clone(name), place);
        place
    }

    /// The stream at a place.
    pub(super) fn at(&mut self, place: usize) -> &mut Stream {
        &mut self.all[place]
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Forgets streams that are idle; if none is, all of them.
    fn make_room(&mut self, now: Timestamp) {
        let horizon = now.minus(STREAM_IDLE);
        let before = self.all.len();
        self.all.retain(|s| s.touched >= horizon);
        if self.all.len() == before {
            self.all.clear();
        }
        self.number();
    }

    fn number(&mut self) {
        self.places.clear();
        self.places.extend(self.all.iter().zip(0..).map(|(s, place)| (Arc::clone(&s.name), place)));
    }
}

impl Stream {
    /// Whose a line without an ID is.
    pub(super) fn owner(&self, time: Timestamp) -> Option<&Id> {
        match &self.closed {
            // At one and the same time, as in a paste without stamps, the order of arrival tells.
            Some((id, start, report))
                if (*start..=*report).contains(&time) && (self.open.is_none() || time < self.opened) =>
            {
                Some(id)
            }
            _ if self.overlapped.is_some() => None,
            _ => self.open.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_changed_hands_misleads_nobody() {
        let name = |n: usize| -> Arc<str> { format!("s{n}").into() };
        let at = |minutes: u64| Timestamp::from_millis(0).plus(Duration::from_mins(minutes));
        let mut streams = Streams::default();
        let first = streams.place(&name(0), 0, 3, at(0));
        let second = streams.place(&name(1), 0, 3, at(30));
        assert_eq!(streams.place(&name(1), second, 3, at(30)), second);
        assert_eq!(streams.place(&name(1), first, 3, at(31)), second, "that place is another's");
        streams.place(&name(2), 0, 3, at(32));
        streams.place(&name(3), 0, 3, at(70));
        assert_eq!(streams.len(), 3, "the idle one made room");
        let moved = streams.place(&name(1), second, 3, at(71));
        assert_eq!(streams.at(moved).name, name(1));
        assert_eq!(streams.len(), 3);
        streams.place(&name(4), 0, 3, at(71));
        assert_eq!(streams.len(), 1, "none was idle");
    }
}
