//! The task of one source: reads its log group as the schedule says and hands facts on.
//!
//! The shell around `tail`'s decisions: it waits for its turn, fetches a page, drops what was seen, makes facts. Rule:
//! ids of what the engine did not take in are taken back, so a stop or a failure in between loses nothing; an error is
//! said once, then only when it changes or is over.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::meter::Meters;
use super::room::{Room, Shared, lock};
use super::streams::Streams;
use crate::aws::quota::Quota;
use crate::model::event::{Batch, EventId, Fact, LogEvent};
use crate::model::inventory::{Source, SourceId};
use crate::model::time::{Timestamp, human};
use crate::ops::clock::Clock;
use crate::read::{Reader, Template, Unread};
use crate::tail::fetch::{Fetch, FetchError, Page, PageRequest, Problem, RawEvent};
use crate::tail::lateness::Lateness;
use crate::tail::pace::{Pace, back_off};
use crate::tail::schedule::{After, CaughtUp, Depth, Look, Position, Schedule, Step, Turn};

/// How the service calls a read.
const FILTER_LOG_EVENTS: &str = "FilterLogEvents";
/// Events without an id that are told apart by counting: only emulators send such.
const NAMELESS_MAX: usize = 1_000_000;
/// Between two times of forgetting old ids.
const TIDY_EVERY: Duration = Duration::from_secs(10);
/// Throttled so often in a row, a source counts as one that cannot be read.
const THROTTLED_MAX: u32 = 8;

/// Not found so often in a row, a log group that a pattern found is gone.
const NOT_FOUND_MAX: u32 = 5;

/// What a source hands on.
#[derive(Debug)]
pub enum Delivery {
    /// Facts; `taken` is told once they are counted.
    Facts {
        /// The facts.
        batch: Batch,
        /// How far the source is read with them.
        position: Option<Position>,
        /// With them it is caught up: a state that was saved in between would wait for that for ever.
        caught_up: Option<CaughtUp>,
        /// Answered when the engine has taken them in.
        taken: oneshot::Sender<()>,
    },
    /// The source cannot be read at the moment.
    Blind {
        /// Which one.
        source: SourceId,
        /// Why.
        problem: Problem,
        /// What the service or the connection said.
        said: String,
    },
    /// Reading of the source stood still for events between `from` and `to`; catching up begins.
    Absent {
        /// Which one.
        source: SourceId,
        /// Event time at which reading stopped.
        from: Timestamp,
        /// Event time from which on it is read live again.
        to: Timestamp,
        /// Why it stood still; `None` when no read had failed.
        problem: Option<Problem>,
    },
    /// The log group is gone, which is no fault of one that a pattern found.
    Gone(SourceId),
}

/// Settings of one source's task.
#[derive(Clone, Debug)]
pub struct Polling {
    /// Its number.
    pub id: SourceId,
    /// What it is.
    pub source: Source,
    /// Depth and pace of its reads.
    pub pace: Pace,
    /// Stamp of the earliest events that are read, where nothing was read before.
    pub origin: Timestamp,
    /// The format of the access log, where it is known.
    pub format: Option<Template>,
    /// Every request is handed out, so its IDs are wanted even if it went well.
    pub requests: bool,
    /// A pattern found it: it may be deleted again.
    pub found: bool,
}

/// What the task shares with others.
#[derive(Clone, Debug)]
pub struct Around {
    /// The clock.
    pub clock: Clock,
    /// Where it asks for its turn.
    pub quota: Quota,
    /// What was seen.
    pub seen: Shared,
    /// Room for ids.
    pub room: Arc<Room>,
    /// Where requests and lines that cannot be read are counted.
    pub meters: Meters,
    /// Where facts go.
    pub out: mpsc::Sender<Delivery>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// The task ends: a stop was asked for, or nobody takes facts any more.
struct Stopped;

struct Poll<F> {
    fetch: F,
    polling: Polling,
    around: Around,
    schedule: Schedule,
    reader: Reader,
    streams: Streams,
    lateness: Lateness,
    /// Events stamped before this were there before it was looked for them: they say nothing about lateness.
    watching: Timestamp,
    /// How often an event without an id was met in the read of a depth.
    nameless: HashMap<Depth, HashMap<EventId, u32>>,
    trouble: Option<(Problem, u32)>,
    /// Lines that could not be read, as they were counted last.
    unread: BTreeMap<Unread, u64>,
    /// It was said that there is not enough room for ids.
    crowded: bool,
    tidied: Timestamp,
}

/// Reads until `stop`.
pub async fn poll<F: Fetch>(fetch: F, polling: Polling, around: Around) {
    let now = around.clock.now();
    let schedule = match lock(&around.seen).position() {
        Some(position) => Schedule::resume(polling.pace, position),
        None => Schedule::new(polling.pace, polling.origin),
    };
    around.room.enter(lock(&around.seen).ring().len());
    let mut poll = Poll {
        fetch,
        reader: Reader::of(polling.source.kind, polling.format.clone(), polling.requests),
        schedule,
        streams: Streams::default(),
        lateness: Lateness::default(),
        watching: now,
        nameless: HashMap::new(),
        trouble: None,
        unread: BTreeMap::new(),
        crowded: false,
        tidied: now,
        polling,
        around,
    };
    while poll.step().await.is_ok() {}
    poll.last_words();
}

impl<F: Fetch> Poll<F> {
    /// One page, or a wait.
    async fn step(&mut self) -> Result<(), Stopped> {
        let clock = self.around.clock.clone();
        let now = clock.now();
        self.tidy(now);
        let turn = match self.schedule.next(now) {
            Step::Fetch(turn) => turn,
            Step::Wait(until) => {
                return tokio::select! {
                    biased;
                    () = self.around.stop.cancelled() => Err(Stopped),
                    () = clock.sleep_until(until) => Ok(()),
                };
            }
        };
        // While it waits for its turn something more urgent may become due.
        let again = self.schedule.due_after(now);
        tokio::select! {
            biased;
            () = self.around.stop.cancelled() => return Err(Stopped),
            () = self.around.quota.turn(turn.deadline) => {}
            () = clock.sleep_until(again) => return Ok(()),
        }
        let (ask, gap) = self.schedule.fetch(turn, clock.now());
        if let Some(gap) = gap {
            self.watching = gap.to;
            let (source, problem) = (self.polling.id, self.trouble.map(|(problem, _)| problem));
            self.tell(Delivery::Absent { source, from: gap.from, to: gap.to, problem }).await?;
        }
        let depth = self.schedule.depth(turn);
        if ask.token.is_none() {
            self.nameless.remove(&depth);
        }
        let request = PageRequest { group: Arc::clone(&self.polling.source.name), streams: None, ask };
        let asked = clock.now();
        let page = tokio::select! {
            biased;
            () = self.around.stop.cancelled() => return Err(Stopped),
            page = self.fetch.page(&request) => page,
        };
        let problem = page.as_ref().err().map(|error| error.problem);
        self.around.meters.call(FILTER_LOG_EVENTS, &self.polling.source, problem);
        match page {
            Ok(page) => {
                self.recovered();
                self.heed(asked, page.answered);
                self.hand_on(turn, depth, page).await
            }
            Err(error) => self.failed(turn, error).await,
        }
    }

    /// The service's answer tells the time.
    fn heed(&self, asked: Timestamp, answered: Option<Timestamp>) {
        if let Some(correction) = answered.and_then(|at| self.around.clock.correct(asked, at)) {
            let by = human(Duration::from_millis(correction.unsigned_abs()));
            let which = if correction > 0 { "slow" } else { "fast" };
            tracing::warn!("this machine's clock is {by} {which} by the service's; reads go by the service's");
        }
    }

    /// Reads what is new in a page and hands the facts on. Ids of what is not taken in are not seen.
    async fn hand_on(&mut self, turn: Turn, depth: Depth, page: Page) -> Result<(), Stopped> {
        let now = self.around.clock.now();
        let (facts, look) = self.facts(depth, page.events, now);
        // Asked before the page is noted: the last one of a catch-up belongs to it.
        let catching_up = self.schedule.is_catching_up();
        let after = self.schedule.page(turn, page.next, look, now);
        self.complain();
        if after.sealed.is_some() {
            self.schedule.set_lateness(self.lateness.quantile(0.95).unwrap_or(self.polling.pace.hot_depth));
        }
        self.commit(facts, catching_up, &after).await?;
        if after.stuck {
            let said = "the service keeps repeating its page token".to_owned();
            return self.failed(turn, FetchError { problem: Problem::Service, said }).await;
        }
        Ok(())
    }

    /// What of a page is new, read.
    fn facts(&mut self, depth: Depth, events: Vec<RawEvent>, now: Timestamp) -> (Vec<Fact>, Look) {
        // An access line says the same in any stream: its name is not looked up.
        let (by_stream, nowhere): (bool, Arc<str>) = (self.reader.knows_streams(), "".into());
        // Most of a page was seen before, but the first reads are all news: growing a vector of a page is dear.
        let mut facts = Vec::with_capacity(events.len());
        let ends = events.first().zip(events.last()).map(|(first, last)| (first.time, last.time));
        let mut look = Look { ends, fresh: 0 };
        let mut seen = lock(&self.around.seen);
        let known = seen.ring().len();
        for raw in events {
            let mut id = raw.id();
            if raw.event_id.is_empty() {
                let nameless = self.nameless.entry(depth).or_default();
                if nameless.len() >= NAMELESS_MAX {
                    nameless.clear();
                }
                let before = nameless.entry(id).or_default();
                id = RawEvent::nth(id, *before);
                *before += 1;
            }
            if !seen.take(raw.time, id) {
                continue;
            }
            look.fresh += 1;
            if raw.time >= self.watching {
                self.lateness.record(now.since(raw.time));
            }
            let stream = if by_stream { self.streams.shared(&raw.stream) } else { Arc::clone(&nowhere) };
            if !self.reader.read(LogEvent { stream, time: raw.time, text: raw.text }, &mut facts) {
                seen.discount();
            }
        }
        self.around.room.changed(known, seen.ring().len());
        (facts, look)
    }

    /// Has the facts counted, and with them the ids and the position.
    async fn commit(&mut self, facts: Vec<Fact>, caught_up: bool, after: &After) -> Result<(), Stopped> {
        let position = self.schedule.position();
        if facts.is_empty() && after.sealed.is_none() && after.caught_up.is_none() {
            // Nothing for the engine: what was seen stands by itself.
            lock(&self.around.seen).commit(position);
            return Ok(());
        }
        let (taken, answer) = oneshot::channel();
        let batch = Batch { source: self.polling.id, facts, sealed: after.sealed, caught_up };
        let caught_up = after.caught_up;
        let sent = self.around.out.send(Delivery::Facts { batch, position, caught_up, taken }).await.is_ok();
        if sent && answer.await.is_ok() {
            return Ok(());
        }
        lock(&self.around.seen).take_back();
        Err(Stopped)
    }

    /// A page could not be fetched.
    async fn failed(&mut self, turn: Turn, error: FetchError) -> Result<(), Stopped> {
        let now = self.around.clock.now();
        match error.problem {
            Problem::Refused if self.schedule.refused(turn) => {
                tracing::debug!(group = &*self.polling.source.name, "newest-first reads are refused: {}", error.said);
                return Ok(());
            }
            Problem::BadToken if self.schedule.bad_token(turn, now) => return Ok(()),
            // A group that was listed may not be known everywhere yet, and one that was deleted is no fault.
            Problem::NotFound if self.polling.found => {
                let failures = self.failed_again(Problem::NotFound);
                if failures >= NOT_FOUND_MAX {
                    self.tell(Delivery::Gone(self.polling.id)).await?;
                    return Err(Stopped);
                }
                self.schedule.failed(now.plus(back_off(failures)));
                return Ok(());
            }
            Problem::Throttled => self.around.quota.throttled(),
            Problem::NotFound
            | Problem::Denied
            | Problem::Unsupported
            | Problem::BadToken
            | Problem::Refused
            | Problem::Credentials
            | Problem::Unreachable
            | Problem::Service
            | Problem::Late => {}
        }
        let failures = self.failed_again(error.problem);
        if error.problem == Problem::Throttled {
            // The budget has slowed down everybody who shares it: no need to wait besides.
            if failures < THROTTLED_MAX {
                return Ok(());
            }
        } else {
            self.schedule.failed(now.plus(back_off(failures)));
        }
        if failures == 1 || (error.problem == Problem::Throttled && failures == THROTTLED_MAX) {
            let source = &self.polling.source;
            let region = source.region.as_deref().unwrap_or("?");
            tracing::warn!("log group {} in {region} cannot be read: {error}", source.name);
        }
        self.tell(Delivery::Blind { source: self.polling.id, problem: error.problem, said: error.said }).await
    }

    /// How often in a row it has failed in this way.
    fn failed_again(&mut self, problem: Problem) -> u32 {
        let before = self.trouble.filter(|(before, _)| *before == problem).map_or(0, |(_, n)| n);
        self.trouble = Some((problem, before.saturating_add(1)));
        before.saturating_add(1)
    }

    async fn tell(&self, delivery: Delivery) -> Result<(), Stopped> {
        self.around.out.send(delivery).await.map_err(|_| Stopped)
    }

    fn recovered(&mut self) {
        if let Some((problem, failures)) = self.trouble.take()
            && (problem != Problem::Throttled || failures >= THROTTLED_MAX)
            && !(problem == Problem::NotFound && self.polling.found)
        {
            tracing::info!("log group {} is read again after {failures} failed requests", self.polling.source.name);
        }
    }

    /// Forgets what no read asks for any more, and keeps within the room there is for ids.
    fn tidy(&mut self, now: Timestamp) {
        if now.since(self.tidied) < TIDY_EVERY && self.tidied <= now {
            return;
        }
        self.tidied = now;
        let mut seen = lock(&self.around.seen);
        let before = seen.ring().len();
        seen.forget_before(self.schedule.horizon(now), now);
        self.around.room.changed(before, seen.ring().len());
    }

    /// Says what could not be read or remembered, once for each reason.
    fn complain(&mut self) {
        let group = &self.polling.source.name;
        if *self.reader.unread() != self.unread {
            for (reason, count) in self.reader.unread() {
                let before = self.unread.insert(*reason, *count).unwrap_or_default();
                self.around.meters.unread.add((self.polling.id, reason.word()), count - before);
            }
        }
        for (reason, example) in self.reader.news() {
            if reason == Unread::Own {
                tracing::warn!(
                    "log group {group} has lines of gatewatch itself, which are dropped: let it log to another group than \
                     those that it reads"
                );
                continue;
            }
            tracing::warn!("log group {group} has lines that cannot be read ({reason}), such as: {example}");
        }
        if self.around.room.fit(&self.around.seen) && !self.crowded {
            self.crowded = true;
            tracing::warn!(
                "log group {group} brings more events than max_ids = {} can tell apart: events that come late are not \
                 counted; raise poll.max_ids",
                self.around.room.max()
            );
        }
    }

    /// What is worth knowing at the end.
    fn last_words(&self) {
        let seen = lock(&self.around.seen);
        self.around.room.leave(seen.ring().len());
        let late = |q| self.lateness.quantile(q).map_or_else(|| "-".to_owned(), human);
        tracing::debug!(
            group = &*self.polling.source.name,
            "{} events; half of them came within {}, 99 % within {}",
            seen.events(),
            late(0.5),
            late(0.99)
        );
        if !self.reader.unread().is_empty() {
            let unread: Vec<_> = self.reader.unread().iter().map(|(reason, n)| format!("{n} {reason}")).collect();
            tracing::info!(group = &*self.polling.source.name, "lines that could not be read: {}", unread.join(", "));
        }
    }
}
