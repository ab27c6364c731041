//! A read under way, page by page: one of each depth at a time.
//!
//! A long one, a catch-up, goes part by part, so that what was read of it counts as read if it is broken off. Not when
//! one begins and what it means that it is done: that is `schedule`. Rule: a read keeps its place through failures.

use std::time::Duration;

use super::budget::Tier;
use super::slice::{Next, Slice};
use crate::model::time::Timestamp;

/// A part of a catch-up, at first; it grows while its parts are small.
const PART: Duration = Duration::from_mins(5);
/// A part takes this many pages at least, or the next is twice as long, and at most, or it is half as long.
const PART_PAGES: (u32, u32) = (5, 50);
/// A page to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Stamp from which on events are asked for.
    pub from: Timestamp,
    /// Stamp up to which, inclusive; open where `None`, so that stamps in the future are seen.
    pub to: Option<Timestamp>,
    /// Where the page begins.
    pub token: Option<String>,
    /// Newest events first.
    pub newest_first: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch a page of this read, once the budget allows.
    Fetch(Turn),
    /// Nothing until then.
    Wait(Timestamp),
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How urgent it is.
    pub tier: Tier,
    /// By when it should be made.
    pub deadline: Timestamp,
    pub(super) depth: Depth,
}

/// How a page looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Stamps of its first and last event.
    pub ends: Option<(Timestamp, Timestamp)>,
    /// Events on it that had not been seen before.
    pub fresh: usize,
}

/// One read of each may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// The newest seconds.
    Hot,
    /// The window.
    Warm,
    /// What comes very late, or was missed.
    Deep,
}

/// A read under way.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub tier: Tier,
    pub slice: Slice,
    pub to: Option<Timestamp>,
    /// What the current part of a longer read is bounded by: the whole ends here, and the part is this long.
    parts: Option<(Timestamp, Duration)>,
    pub began: Timestamp,
    /// When it got its last page.
    pub touched: Timestamp,
    pub pages: u32,
    pub fresh: usize,
    pub newest_first: bool,
    /// It stands in for the shallower reads that were due with it, if it fits on one page.
    pub serves: Serves,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Serves {
    pub hot: bool,
    pub warm: bool,
}

impl Walk {
    /// One that begins now.
    pub fn new(tier: Tier, from: Timestamp, to: Option<Timestamp>, serves: Serves, now: Timestamp) -> Self {
        Self {
            tier,
            slice: Slice::new(from, now),
            to,
            parts: None,
            began: now,
            touched: now,
            pages: 0,
            fresh: 0,
            newest_first: false,
            serves,
        }
    }

    /// One that catches up from there to now.
    pub fn catch_up(from: Timestamp, now: Timestamp) -> Self {
        let first = from.plus(PART).min(now);
        Self { parts: Some((now, PART)), ..Self::new(Tier::CatchUp, from, Some(first), Serves::default(), now) }
    }

    /// Its next page.
    pub fn ask(&self) -> Ask {
        Ask { from: self.slice.from, to: self.to, token: self.slice.token.clone(), newest_first: self.newest_first }
    }

    /// It has no page yet, or got none for so long.
    pub fn is_stale(&self, after: Duration, now: Timestamp) -> bool {
        self.pages == 0 || now.since(self.touched) > after
    }

    /// A part of it is complete; goes on with the next, if there is one.
    pub fn next_part(&mut self, now: Timestamp) -> bool {
        let Some((end, part)) = self.parts else { return false };
        let Some(to) = self.to.filter(|to| *to < end) else { return false };
        let part = match self.pages {
            pages if pages < PART_PAGES.0 => part * 2,
            pages if pages > PART_PAGES.1 => (part / 2).max(PART / 5),
            _ => part,
        };
        self.slice = Slice::new(to, now);
        self.to = Some(to.plus(part).min(end));
        self.parts = Some((end, part));
        self.pages = 0;
        true
    }
}

/// Those under way.
#[derive(Clone, Debug)]
pub(super) struct Walks {
    pub hot: Option<Walk>,
    pub warm: Option<Walk>,
    pub deep: Option<Walk>,
}

impl Walks {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Walk> {
        [&self.hot, &self.warm, &self.deep].into_iter().flatten()
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Walk> {
        [&mut self.hot, &mut self.warm, &mut self.deep].into_iter().flatten()
    }

    /// Where the one of this depth stands.
    pub fn slot(&mut self, depth: Depth) -> &mut Option<Walk> {
        match depth {
            Depth::Hot => &mut self.hot,
            Depth::Warm => &mut self.warm,
            Depth::Deep => &mut self.deep,
        }
    }

    /// The depth of the read whose turn it was: a hot read may be stood in for by a deeper one.
    pub fn standing_in(&self, depth: Depth) -> Depth {
        let serves = |walk: &Option<Walk>| walk.as_ref().is_some_and(|walk| walk.serves.hot);
        match depth {
            Depth::Hot if self.hot.is_none() && serves(&self.warm) => Depth::Warm,
            Depth::Hot if self.hot.is_none() && serves(&self.deep) => Depth::Deep,
            Depth::Hot | Depth::Warm | Depth::Deep => depth,
        }
    }

    /// The read whose turn it was.
    pub fn current(&mut self, depth: Depth) -> Option<&mut Walk> {
        let depth = self.standing_in(depth);
        self.slot(depth).as_mut()
    }

    /// Ends it.
    pub fn drop(&mut self, depth: Depth) {
        let depth = self.standing_in(depth);
        *self.slot(depth) = None;
    }

    /// It has failed for good. A catch-up is owed still, and goes on with the part where it stands; of all others the
    /// next one does as well.
    pub fn give_up(&mut self, depth: Depth, now: Timestamp) {
        match self.current(depth) {
            Some(walk) if walk.tier == Tier::CatchUp => walk.slice = Slice::new(walk.slice.from, now),
            Some(_) | None => self.drop(depth),
        }
    }

    /// The service refused its token. False if that has happened too often.
    pub fn restart(&mut self, depth: Depth, now: Timestamp) -> bool {
        let again = self.current(depth).is_none_or(|walk| walk.slice.restart(now) != Next::Stuck);
        if !again {
            self.give_up(depth, now);
        }
        again
    }

    /// Where a catch-up under way stands.
    pub fn missing_from(&self) -> Option<Timestamp> {
        self.deep.as_ref().filter(|walk| walk.tier == Tier::CatchUp).map(|walk| walk.slice.from)
    }
}
