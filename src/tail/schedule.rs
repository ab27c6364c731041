//! What to read next, and how far back: the reads of one source.
//!
//! Up to three reads are under way at a time, one of each depth, page by page: the newest seconds never wait for a long
//! read to end. A read is anchored to the wall clock and reaches back by its tier's depth ([`Pace`]); no event's stamp
//! moves anything. After a gap (no network, no credentials, a machine asleep, a daemon stopped) what was missed is
//! caught up in parts beside the hot reads, and the next cold read begins where the one before it made its promise end.
//! Not the waiting, the fetching or the ids. Rule: every event that becomes visible within the cold depth less its
//! interval after its stamp is asked for by a read after that, gap or not.

use std::time::Duration;

use super::budget::Tier;
use super::pace::Pace;
pub use super::position::{After, CaughtUp, Gap, Position};
use super::slice::Next;
pub use super::walk::{Ask, Depth, Look, Step, Turn};
use super::walk::{Serves, Walk, Walks};
use crate::model::time::Timestamp;

/// A hot read that got no page for so long starts anew, because it is no longer about now; a warm one after this.
const STALE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(5));
/// Between two pages of a cold read, at most.
const SPREAD_MAX: Duration = Duration::from_secs(10);
/// The least that a hot read must cover, whatever the volume, besides two intervals.
const OVERLAP_MIN: Duration = Duration::from_secs(10);

/// The schedule of one source.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, and all combinations occur")]
pub struct Schedule {
    pace: Pace,
    origin: Timestamp,
    interval: Duration,
    next_hot: Timestamp,
    next_warm: Timestamp,
    next_deep: Timestamp,
    walks: Walks,
    /// Nothing is asked for before this, after a failure.
    retry: Timestamp,
    /// When the last finished hot read began.
    live: Option<Timestamp>,
    owed: Timestamp,
    /// A warm read must end before the rules' windows are whole again.
    needs_warm: bool,
    /// The catch-up must, too: the windows reach further back than a warm read.
    needs_deep: bool,
    unread_before: Option<Timestamp>,
    /// Where the last life's catch-up stood: it goes on with the first hot read.
    missing: Option<Timestamp>,
    newest_first: bool,
    /// How far back a hot read reaches that cannot begin with the newest.
    depth: Duration,
    /// How late all but one in twenty events come, where known.
    late: Duration,
    /// The last reads fitted on one page each.
    roomy: bool,
    /// Pages of the last warm read.
    warm_pages: u32,
    /// The latest time that was shown.
    latest: Timestamp,
}

impl Schedule {
    /// Begins with a read of everything since `origin`, before which nothing is ever read.
    #[must_use]
    pub const fn new(pace: Pace, origin: Timestamp) -> Self {
        Self {
            pace,
            origin,
            interval: pace.interval.start,
            next_hot: Timestamp::MIN,
            next_warm: Timestamp::MAX,
            next_deep: Timestamp::MIN,
            walks: Walks { hot: None, warm: None, deep: None },
            retry: Timestamp::MIN,
            live: None,
            owed: origin,
            needs_warm: true,
            needs_deep: false,
            unread_before: None,
            missing: None,
            newest_first: true,
            depth: pace.hot_depth,
            late: pace.hot_depth,
            roomy: true,
            warm_pages: 0,
            latest: Timestamp::MIN,
        }
    }

    /// Goes on from where another left off.
    #[must_use]
    pub fn resume(pace: Pace, position: Position) -> Self {
        let mut schedule = Self::new(pace, position.origin);
        schedule.live = Some(position.live);
        schedule.owed = position.owed;
        schedule.next_warm = Timestamp::MIN;
        schedule.next_deep = position.owed.plus(pace.cold_depth);
        // If the last life's clock was ahead, this one's is set back.
        schedule.latest = position.live;
        (schedule.missing, schedule.unread_before) = (position.missing, position.unread_before);
        schedule
    }

    /// What to do now.
    pub fn next(&mut self, now: Timestamp) -> Step {
        self.notice_time(now);
        if now < self.retry {
            return Step::Wait(self.retry);
        }
        let turns = self.turns();
        let ready = turns.iter().flatten().filter(|(due, _)| *due <= now).map(|(_, turn)| *turn);
        match ready.min_by_key(|turn| turn.deadline) {
            Some(turn) => Step::Fetch(turn),
            None => Step::Wait(turns.iter().flatten().map(|(due, _)| *due).min().unwrap_or(now)),
        }
    }

    /// When a read that is not under way becomes due after `now`: whoever waits for a turn must look again then.
    #[must_use]
    pub fn due_after(&self, now: Timestamp) -> Timestamp {
        self.turns().iter().flatten().map(|(due, _)| *due).filter(|due| *due > now).min().unwrap_or(Timestamp::MAX)
    }

    /// The page to fetch now that it is this read's turn; and the gap, if one is found now.
    pub fn fetch(&mut self, turn: Turn, now: Timestamp) -> (Ask, Option<Gap>) {
        let mut gap = None;
        let stale = |walk: &Option<Walk>, after| walk.as_ref().is_none_or(|w| w.is_stale(after, now));
        let begins = match turn.depth {
            // Where many share a small quota each page takes its time.
            Depth::Hot => stale(&self.walks.hot, STALE.0.max(self.pace.interval.start * 3)),
            Depth::Warm => stale(&self.walks.warm, STALE.1.max(self.pace.interval.start * 3)),
            // It may wait long for its turn; until it has a page it can begin later as well.
            Depth::Deep => self.walks.deep.as_ref().is_none_or(|w| w.pages == 0 && w.tier != Tier::CatchUp),
        };
        if begins {
            let depth = turn.depth;
            self.walks.drop(depth);
            if depth == Depth::Hot {
                gap = self.find_gap(now);
            }
            self.begin(depth, now);
        }
        (self.walks.current(turn.depth).expect("it was begun above").ask(), gap)
    }

    /// Which read it is whose page is being fetched: it is the same from its first page to its last, while its tier
    /// changes if it turns out to be too long to stand in for a hot one.
    #[must_use]
    pub fn depth(&self, turn: Turn) -> Depth {
        self.walks.standing_in(turn.depth)
    }

    /// A page of this read came.
    pub fn page(&mut self, turn: Turn, next: Option<String>, look: Look, now: Timestamp) -> After {
        let essential = self.essential();
        let Some(walk) = self.walks.current(turn.depth) else { return After::default() };
        walk.pages += 1;
        walk.touched = now;
        walk.fresh += look.fresh;
        let more = next.as_deref().is_some_and(|t| !t.is_empty());
        let mut enough = false;
        let mut ascends = false;
        if let Some((first, last)) = look.ends.filter(|_| walk.newest_first && more) {
            // Where the newest come first, what was asked for is there as soon as the page reaches back far enough.
            enough = first > last && last <= walk.began.minus(essential);
            ascends = first < last;
        }
        let next = if enough { Next::Done } else { walk.slice.page(next, now) };
        if ascends {
            // The wish was ignored, as emulators do: this read goes on to its end, the next ones ask for less.
            walk.newest_first = false;
            self.newest_first = false;
        }
        match next {
            Next::Done => {
                let depth = self.walks.standing_in(turn.depth);
                self.part_done(depth, now)
            }
            Next::Stuck => {
                self.walks.give_up(turn.depth, now);
                After { stuck: true, ..After::default() }
            }
            Next::More => {
                let lost =
                    self.walks.current(turn.depth).map(|walk| std::mem::take(&mut walk.serves)).unwrap_or_default();
                self.roomy &= !(lost.hot || lost.warm);
                if lost.hot {
                    self.next_hot = now;
                }
                if lost.warm {
                    self.next_warm = now;
                }
                After::default()
            }
        }
    }

    /// The service refused the token of this read. True if it starts anew, false if it has failed.
    pub fn bad_token(&mut self, turn: Turn, now: Timestamp) -> bool {
        self.walks.restart(turn.depth, now)
    }

    /// The service refused the request itself. True if the next one is asked for in another way.
    pub fn refused(&mut self, turn: Turn) -> bool {
        let asked = self.walks.current(turn.depth).is_some_and(|walk| walk.newest_first);
        if asked {
            self.newest_first = false;
            self.walks.drop(turn.depth);
        }
        asked
    }

    /// A page could not be fetched: the next try is at `retry`. Reads under way keep their place.
    pub fn failed(&mut self, retry: Timestamp) {
        self.retry = retry;
    }

    /// All but one in twenty events come no later than this. A hot read need not reach the others: the next warm one does.
    pub fn set_lateness(&mut self, late: Duration) {
        self.late = late;
    }

    /// How far the source is read; `None` before it was read once.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        Some(Position {
            origin: self.origin,
            live: self.live?,
            owed: self.owed,
            missing: self.missing.or(self.walks.missing_from()),
            unread_before: self.unread_before,
        })
    }

    /// Stamps before this are not asked for any more.
    #[must_use]
    pub fn horizon(&self, now: Timestamp) -> Timestamp {
        let deepest = now.minus(self.pace.cold_depth).min(self.owed);
        self.walks.iter().map(|w| w.slice.from).fold(deepest, Timestamp::min).max(self.origin)
    }

    /// It reads what was missed.
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        self.walks.missing_from().is_some()
    }

    /// When each read is due, and its turn.
    fn turns(&self) -> [Option<(Timestamp, Turn)>; 3] {
        let Walks { hot, warm, deep } = &self.walks;
        [
            self.turn(Depth::Hot, hot.as_ref(), self.next_hot),
            self.turn(Depth::Warm, warm.as_ref(), self.next_warm),
            self.turn(Depth::Deep, deep.as_ref(), self.next_deep),
        ]
    }

    /// When a read of this depth is due, and its turn.
    fn turn(&self, depth: Depth, walk: Option<&Walk>, next: Timestamp) -> Option<(Timestamp, Turn)> {
        if let Some(walk) = walk {
            // One that stands in for a hot read is begun anew as one: only so a gap is found.
            let (tier, depth) = if walk.serves.hot { (Tier::Hot, Depth::Hot) } else { (walk.tier, depth) };
            let due = if tier == Tier::Cold { walk.touched.plus(self.spread()) } else { walk.touched };
            return Some((due, Turn { tier, deadline: due.plus(tier.slack()), depth }));
        }
        let mut serving = self.walks.iter().map(|w| w.serves);
        let tier = match depth {
            // The first read is a deep one, and all others wait for it.
            Depth::Hot | Depth::Warm if self.live.is_none() => return None,
            Depth::Deep if self.live.is_none() => Tier::Hot,
            Depth::Hot if serving.any(|s| s.hot) => return None,
            Depth::Warm if serving.any(|s| s.warm) => return None,
            Depth::Hot => Tier::Hot,
            Depth::Warm => Tier::Warm,
            Depth::Deep => Tier::Cold,
        };
        Some((next, Turn { tier, deadline: next.plus(tier.slack()), depth }))
    }

    fn walk(&self, tier: Tier, from: Timestamp, to: Option<Timestamp>, serves: Serves, now: Timestamp) -> Walk {
        Walk::new(tier, from.max(self.origin), to, serves, now)
    }

    /// Begins a read, or in its place a deeper one that is due soon as well. What is shallower and due soon is served by
    /// it, as long as reads fit on a page.
    fn begin(&mut self, depth: Depth, now: Timestamp) {
        let soon = now.plus(self.interval / 2);
        let shared = self.roomy && self.live.is_some();
        let hot = shared
            && self.walks.hot.is_none()
            && (depth == Depth::Hot || self.next_hot <= soon && !self.is_silent(now));
        let warm = shared && self.walks.warm.is_none() && (depth == Depth::Warm || self.next_warm <= soon);
        let deep = shared && self.walks.deep.is_none() && warm && self.next_deep <= soon;
        match depth {
            Depth::Deep => self.begin_deep(Serves { hot, warm }, now),
            Depth::Hot if deep => self.begin_deep(Serves { hot, warm }, now),
            Depth::Warm => self.begin_warm(Serves { hot, warm: false }, now),
            Depth::Hot if warm => self.begin_warm(Serves { hot, warm: false }, now),
            Depth::Hot => {
                let depth = if self.newest_first { self.pace.hot_depth } else { self.depth };
                let mut walk = self.walk(Tier::Hot, now.minus(depth), None, Serves::default(), now);
                walk.newest_first = self.newest_first;
                self.walks.hot = Some(walk);
            }
        }
    }

    fn begin_warm(&mut self, serves: Serves, now: Timestamp) {
        let to = if serves.hot { None } else { Some(now) };
        self.walks.warm = Some(self.walk(Tier::Warm, now.minus(self.pace.warm_depth), to, serves, now));
    }

    /// The first read of all, or one that is due in the regular course of things.
    fn begin_deep(&mut self, serves: Serves, now: Timestamp) {
        let first = self.live.is_none();
        let from = if first { self.origin } else { self.owed.min(now.minus(self.pace.cold_depth)) };
        let to = if first || serves.hot { None } else { Some(now) };
        let tier = if first { Tier::Hot } else { Tier::Cold };
        self.walks.deep = Some(self.walk(tier, from, to, serves, now));
    }

    /// A hot read begins: if the last one is too long ago, what lies between must be caught up.
    fn find_gap(&mut self, now: Timestamp) -> Option<Gap> {
        let live = self.live?;
        if self.missing.is_none() && !self.is_silent(now) {
            return None;
        }
        // What was begun before the gap says nothing about it.
        (self.walks.warm, self.next_warm, self.needs_warm) = (None, now, true);
        let resumed = self.missing.take();
        if resumed.is_none() && now.since(live) <= self.pace.bridged() {
            return None;
        }
        self.needs_deep = self.pace.window > self.pace.warm_depth;
        // The newest first: nothing else is to stand in for that.
        self.roomy = false;
        // One that is under way has not got as far as this one begins, or it would be done; and it has its margin.
        let missed = resumed.or(self.walks.missing_from()).unwrap_or_else(|| live.minus(self.pace.hot_depth));
        let from = missed.max(now.minus(self.pace.max_catchup)).max(self.origin);
        if missed < from && self.origin < from {
            self.unread_before = Some(from);
            // Nor is it what the next deep read begins with.
            self.owed = self.owed.max(from);
        }
        self.walks.deep = Some(Walk::catch_up(from, now));
        Some(Gap { from: resumed.unwrap_or(live), to: now })
    }

    /// No hot read was finished for longer than the next one reaches back.
    fn is_silent(&self, now: Timestamp) -> bool {
        self.live.is_some_and(|live| now.since(live) > self.pace.hot_depth.max(self.interval * 2))
    }

    /// A read, or a part of it, is complete.
    fn part_done(&mut self, depth: Depth, now: Timestamp) -> After {
        let slot = self.walks.slot(depth);
        if slot.as_mut().is_some_and(|walk| walk.next_part(now)) {
            return After::default();
        }
        let walk = slot.take();
        walk.map(|walk| self.walk_done(depth, &walk, now)).unwrap_or_default()
    }

    fn walk_done(&mut self, depth: Depth, walk: &Walk, now: Timestamp) -> After {
        let mut after = After::default();
        let first = self.live.is_none();
        let hot = depth == Depth::Hot || walk.serves.hot || first;
        let warm = depth == Depth::Warm || walk.serves.warm || first;
        if walk.tier == Tier::CatchUp {
            after.caught_up = Some(CaughtUp { unread_before: self.unread_before.take() });
            self.needs_deep = false;
            // What came late before the gap is owed still.
            self.next_deep = now;
        } else if depth == Depth::Deep {
            self.owed = walk.began.plus(self.pace.cold_every).minus(self.pace.cold_depth);
            self.next_deep = walk.began.plus(self.pace.cold_every);
        }
        if warm {
            self.next_warm = walk.began.plus(self.pace.warm_every);
            self.needs_warm = false;
            self.roomy = walk.pages <= 1;
            self.warm_pages = if depth == Depth::Warm { walk.pages } else { self.warm_pages };
        }
        if hot {
            self.live = Some(walk.began);
            self.interval = self.pace.interval.after(self.interval, walk.fresh > 0);
            self.next_hot = walk.began.plus(self.interval);
            if depth == Depth::Hot {
                self.fit(walk);
            }
        }
        after.sealed = self.live.filter(|_| !self.needs_warm && !self.needs_deep);
        after
    }

    /// A hot read that cannot begin with the newest events should fit on one page.
    fn fit(&mut self, walk: &Walk) {
        if self.newest_first {
            return;
        }
        let full = self.pace.hot_depth;
        self.depth = match walk.pages {
            0 | 1 => (self.depth + self.depth / 16).min(full),
            pages => (self.depth / pages * 9 / 10).max(self.essential()).min(full),
        };
    }

    /// Between two pages of a cold read: it has until the next one, and nobody waits for it. How many pages it takes is
    /// reckoned from the last warm one.
    fn spread(&self) -> Duration {
        let per_warm = self.pace.cold_depth.as_secs_f64() / self.pace.warm_depth.as_secs_f64().max(1.0);
        let pages = f64::from(self.warm_pages.saturating_sub(1)) * per_warm;
        if pages < 1.0 { Duration::ZERO } else { (self.pace.cold_every * 4 / 5).div_f64(pages).min(SPREAD_MAX) }
    }

    /// What a hot read must cover at least.
    fn essential(&self) -> Duration {
        (self.late + self.interval * 2).max(OVERLAP_MIN + self.interval).min(self.pace.hot_depth)
    }

    fn notice_time(&mut self, now: Timestamp) {
        if now < self.latest {
            // The clock was set back: what was planned by it may lie hours ahead.
            (self.next_hot, self.retry) = (now, Timestamp::MIN);
            if self.live.is_some() {
                self.live = self.live.map(|live| live.min(now));
                self.next_warm = self.next_warm.min(now);
                self.next_deep = self.next_deep.min(now.plus(self.pace.cold_every));
                self.owed = self.owed.min(now.minus(self.pace.cold_depth));
            }
            for walk in self.walks.iter_mut() {
                walk.touched = walk.touched.min(now);
            }
            if self.origin > now {
                // It was reckoned by the clock as it stood: nothing would be read until that time comes.
                self.origin = self.origin.minus(self.latest.since(now)).min(now);
            }
        }
        self.latest = now;
    }
}

#[cfg(test)]
mod tests;
