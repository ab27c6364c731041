//! The task of one source: reads its log group as the schedule says and hands facts on.
//!
//! The shell around `tail`'s decisions. Rule: ids of what the engine did not take in are taken back, so a stop or a
//! failure in between loses nothing; an error is said once, then only when it changes or is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::model::event::{Batch, EventId, Fact, LogEvent};
use crate::model::hash::FastSet;
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
        /// Answered when the engine has taken them in, with the empty vector.
        taken: oneshot::Sender<Vec<Fact>>,
    },
    /// The source cannot be read at the moment.
    Blind(SourceId),
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

struct Poll<F> {
    fetch: F,
    polling: Polling,
    clock: Clock,
    out: mpsc::Sender<Delivery>,
    stop: CancellationToken,
    reader: Reader,
    ids: IdRing,
    streams: FastSet<Arc<str>>,
    /// The stream of the event before.
    stream: Arc<str>,
    /// Facts of a page, and ids that are new in it: room that the next page of the same read needs again. A block of
    /// this size is dear to get and to give back.
    facts: Vec<Fact>,
    new: Vec<(Timestamp, EventId)>,
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
    let (streams, stream, facts, new) = (FastSet::default(), "".into(), Vec::new(), Vec::new());
    let mut poll = Poll { fetch, polling, clock, out, stop, reader, ids, streams, stream, facts, new, crowded: false };
    let mut trouble: Option<(Problem, u32)> = None;
    loop {
        let now = poll.clock.now();
        let Some(read) = schedule.due(now) else {
            tokio::select! {
                () = poll.stop.cancelled() => break,
                () = poll.clock.sleep_until(schedule.next()) => continue,
            }
        };
        let outcome = poll.read(read, now).await;
        (poll.facts, poll.new) = (Vec::new(), Vec::new());
        match outcome {
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
        // Most of a page was seen before, but the first reads are all news: growing a vector of a page is dear.
        let mut facts = std::mem::take(&mut self.facts);
        facts.reserve(page.events.len());
        self.new.clear();
        self.new.reserve(page.events.len());
        for raw in page.events {
            let id = raw.id();
            if !self.ids.insert(raw.time, id) {
                continue;
            }
            self.new.push((raw.time, id));
            let stream = self.stream(&raw.stream);
            self.reader.read(LogEvent { stream, time: raw.time, text: raw.text }, &mut facts);
        }
        self.complain();
        if facts.is_empty() && sealed.is_none() {
            self.facts = facts;
            return Ok(());
        }
        let (taken, answer) = oneshot::channel();
        let batch = Batch { source: self.polling.id, facts, sealed };
        let sent = self.out.send(Delivery::Facts { batch, taken }).await.is_ok();
        if sent && let Ok(facts) = answer.await {
            self.facts = facts;
            return Ok(());
        }
        for (time, id) in self.new.drain(..) {
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

    /// The stream's name, shared.
    fn stream(&mut self, name: &str) -> Arc<str> {
        if *self.stream != *name && self.reader.knows_streams() {
            self.stream = match self.streams.get(name) {
                Some(known) => Arc::clone(known),
                None => self.new_stream(name),
            };
        }
        Arc::clone(&self.stream)
    }

    fn new_stream(&mut self, name: &str) -> Arc<str> {
        if self.streams.len() >= STREAMS_MAX {
            self.streams.clear();
        }
        let shared: Arc<str> = name.into();
        self.streams.insert(Arc::clone(&shared));
        shared
    }

    async fn failed(&self, error: &FetchError, before: Option<Problem>) {
        if before != Some(error.problem) {
            let source = &self.polling.source;
            let region = source.region.as_deref().unwrap_or("?");
            tracing::warn!("log group {} in {region} cannot be read: {error}", source.name);
        }
        // If nobody listens any more, the next read finds that out as well.
        let _ = self.out.send(Delivery::Blind(self.polling.id)).await;
    }

    fn recovered(&self, trouble: Option<(Problem, u32)>) {
        if let Some((_, failures)) = trouble {
            tracing::info!("log group {} is read again after {failures} failed reads", self.polling.source.name);
        }
    }
}
