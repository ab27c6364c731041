//! The task of one source: reads its log group as the schedule says and hands facts on.
//!
//! The shell around `tail`'s decisions. Rule: ids of what the engine did not take in are taken back, so a stop or a
//! failure in between loses nothing; an error is said once, then only when it changes or is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::model::event::{Batch, EventId, LogEvent};
use crate::model::hash::FastMap;
use crate::model::inventory::{Source, SourceId};
use crate::model::time::Timestamp;
use crate::ops::clock::Clock;
use crate::read::{Reader, Template};
use crate::tail::fetch::{Fetch, FetchError, Page, PageRequest, Problem};
use crate::tail::ids::IdRing;
use crate::tail::schedule::{Pace, Read, Schedule, back_off};
use crate::tail::slice::{Next, Slice};

/// Names of streams kept to be shared by their events.
const STREAMS_MAX: usize = 10_000;

/// What a source hands on.
#[derive(Debug)]
pub enum Delivery {
    /// Facts; `taken` is told once they are counted.
    Facts {
        /// The facts.
        batch: Batch,
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
    #[expect(dead_code, reason = "nothing catches up yet")]
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
    /// The source is caught up.
    #[expect(dead_code, reason = "nothing catches up yet")]
    CaughtUp {
        /// Which one.
        source: SourceId,
        /// What lies before this was not read: it was more than the configured maximum.
        unread_before: Option<Timestamp>,
    },
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
    /// Stamp of the earliest events that are read.
    pub origin: Timestamp,
    /// Event ids remembered.
    pub max_ids: usize,
    /// The format of the access log, where it is known.
    pub format: Option<Template>,
    /// Every request is handed out, so its IDs are wanted even if it went well.
    pub requests: bool,
}

/// Why a read ended early.
enum Ended {
    /// The service or the connection failed.
    Failed(FetchError),
    /// A stop was asked for, or nobody takes facts any more.
    Stopped,
}

/// Names of streams, to be shared by their events.
#[derive(Debug, Default)]
struct Streams {
    names: Vec<Arc<str>>,
    places: FastMap<Arc<str>, usize>,
    /// Where the name of the event before stands: the next event is often of the same stream.
    last: usize,
}

struct Poll<F> {
    fetch: F,
    polling: Polling,
    clock: Clock,
    out: mpsc::Sender<Delivery>,
    stop: CancellationToken,
    reader: Reader,
    ids: IdRing,
    streams: Streams,
    /// It was said that there is not enough room for ids.
    crowded: bool,
}

/// Reads until `stop`.
pub async fn poll<F: Fetch>(
    fetch: F,
    polling: Polling,
    clock: Clock,
    out: mpsc::Sender<Delivery>,
    stop: CancellationToken,
) {
    let mut schedule = Schedule::new(polling.pace, polling.origin);
    let reader = Reader::of(polling.source.kind, polling.format.clone(), polling.requests);
    let ids = IdRing::new(polling.max_ids);
    let mut poll = Poll { fetch, polling, clock, out, stop, reader, ids, streams: Streams::default(), crowded: false };
    let mut trouble: Option<(Problem, u32)> = None;
    loop {
        let now = poll.clock.now();
        let Some(read) = schedule.due(now) else {
            tokio::select! {
                () = poll.stop.cancelled() => break,
                () = poll.clock.sleep_until(schedule.next()) => continue,
            }
        };
        match poll.read(read, now).await {
            Ok(()) => {
                schedule.done(read, now);
                poll.recovered(trouble.take());
            }
            Err(Ended::Stopped) => break,
            Err(Ended::Failed(error)) => {
                let failures = trouble.map_or(0, |(_, n)| n) + 1;
                poll.failed(&error, trouble.map(|(p, _)| p)).await;
                trouble = Some((error.problem, failures));
                schedule.failed(poll.clock.now().plus(back_off(failures)));
            }
        }
        // A minute of grace: the clock may be set back.
        poll.ids.forget_before(schedule.horizon(poll.clock.now()).minus(Duration::from_mins(1)));
    }
    if !poll.reader.unread().is_empty() {
        let unread: Vec<_> = poll.reader.unread().iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        tracing::info!(group = &*poll.polling.source.name, "lines that could not be read: {}", unread.join(", "));
    }
}

impl<F: Fetch> Poll<F> {
    /// One read, page by page.
    async fn read(&mut self, read: Read, began: Timestamp) -> Result<(), Ended> {
        let mut slice = Slice::new(read.from, began);
        loop {
            let request = PageRequest {
                group: Arc::clone(&self.polling.source.name),
                from: slice.from,
                token: slice.token.clone(),
            };
            let page = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Ended::Stopped),
                page = self.fetch.page(&request) => page,
            };
            let next = match page {
                Ok(mut page) => {
                    let next = slice.page(page.next.take(), self.clock.now());
                    self.hand_on(page, (next == Next::Done).then_some(began)).await?;
                    next
                }
                Err(error) if error.problem == Problem::BadToken => {
                    let next = slice.restart(self.clock.now());
                    if next == Next::Stuck {
                        return Err(Ended::Failed(error));
                    }
                    next
                }
                Err(error) => return Err(Ended::Failed(error)),
            };
            match next {
                Next::More => {}
                Next::Done => return Ok(()),
                Next::Stuck => {
                    let said = "the service keeps repeating its page token".to_owned();
                    return Err(Ended::Failed(FetchError { problem: Problem::Service, said }));
                }
            }
        }
    }

    /// Reads what is new in a page and hands the facts on. Ids of what is not taken in are not seen.
    async fn hand_on(&mut self, page: Page, sealed: Option<Timestamp>) -> Result<(), Ended> {
        // An access line says the same in any stream: its name is not looked up.
        let (by_stream, nowhere): (bool, Arc<str>) = (self.reader.knows_streams(), "".into());
        // Most of a page was seen before, but the first reads are all news: growing a vector of a page is dear.
        let mut facts = Vec::with_capacity(page.events.len());
        let mut new: Vec<(Timestamp, EventId)> = Vec::with_capacity(page.events.len());
        for raw in page.events {
            let id = raw.id();
            if !self.ids.insert(raw.time, id) {
                continue;
            }
            new.push((raw.time, id));
            let stream = if by_stream { self.streams.shared(&raw.stream) } else { Arc::clone(&nowhere) };
            self.reader.read(LogEvent { stream, time: raw.time, text: raw.text }, &mut facts);
        }
        self.complain();
        if facts.is_empty() && sealed.is_none() {
            return Ok(());
        }
        let (taken, answer) = oneshot::channel();
        let batch = Batch { source: self.polling.id, facts, sealed, caught_up: false };
        let sent = self.out.send(Delivery::Facts { batch, taken }).await.is_ok();
        if sent && answer.await.is_ok() {
            return Ok(());
        }
        for (time, id) in new {
            self.ids.remove(time, id);
        }
        Err(Ended::Stopped)
    }

    /// Says what could not be read or remembered, once for each reason.
    fn complain(&mut self) {
        let group = &self.polling.source.name;
        for (reason, example) in self.reader.news() {
            tracing::warn!("log group {group} has lines that cannot be read ({reason}), such as: {example}");
        }
        if self.ids.forgotten > 0 && !self.crowded {
            self.crowded = true;
            tracing::warn!(
                "log group {group} brings more events than max_ids = {} can tell apart: events that come late are not \
                 counted; raise poll.max_ids or shorten the window",
                self.polling.max_ids
            );
        }
    }

    async fn failed(&self, error: &FetchError, before: Option<Problem>) {
        if before != Some(error.problem) {
            let source = &self.polling.source;
            let region = source.region.as_deref().unwrap_or("?");
            tracing::warn!("log group {} in {region} cannot be read: {error}", source.name);
        }
        // If nobody listens any more, the next read finds that out as well.
        let (source, problem, said) = (self.polling.id, error.problem, error.said.clone());
        let _ = self.out.send(Delivery::Blind { source, problem, said }).await;
    }

    fn recovered(&self, trouble: Option<(Problem, u32)>) {
        if let Some((_, failures)) = trouble {
            tracing::info!("log group {} is read again after {failures} failed reads", self.polling.source.name);
        }
    }
}

impl Streams {
    fn shared(&mut self, name: &str) -> Arc<str> {
        // Counting a name's owners is most of what this costs, because they end in another thread: it is done once.
        if self.names.get(self.last).is_none_or(|last| **last != *name) {
            self.last = self.places.get(name).copied().unwrap_or_else(|| self.add(name));
        }
        Arc::clone(&self.names[self.last])
    }

    fn add(&mut self, name: &str) -> usize {
        if self.names.len() >= STREAMS_MAX {
            self.names.clear();
            self.places.clear();
        }
        let shared: Arc<str> = name.into();
        self.places.insert(Arc::clone(&shared), self.names.len());
        self.names.push(shared);
        self.names.len() - 1
    }
}
