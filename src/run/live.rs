//! Live reading: a task for each source, one owner of the engine, and a stop that loses nothing.
//!
//! What the daemon and `--follow` share. Rule: a full channel slows the reading down and drops nothing; what is counted
//! and which events count as seen change together, here, so that they can be saved as one; a task that panics ends the
//! run with an error, because a daemon whose poller died silently is the worst outcome.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::keep::{Keep, Restored, Synced};
use super::lookout::Found;
use super::numbered::numbered;
use super::ongoing::Ongoing;
use super::pipeline::{Pipeline, Said};
use super::poll::Delivery;
use super::post::Decided;
use super::report::{self, Course};
use super::room::lock;
use super::sources::{Reading, Sources, say_refused};
use crate::config::Config;
use crate::engine;
use crate::model::dropped::Dropped;
use crate::model::inventory::SourceId;
use crate::model::past::Past;
use crate::model::report::Report;
use crate::model::summary::Summary;
use crate::model::time::Timestamp;
use crate::ops::clock::{Clock, Stopwatch};
use crate::ops::inquiry::{Question, Questions};
use crate::tail::fetch::Connect;

/// Batches between the sources and the engine. One per source is under way at a time, so this is enough for each to
/// hand on without waiting for the others.
const CHANNEL: usize = 64;
/// How long the last state may take to be saved: a stop must end soon.
const SAVE_MAX: Duration = Duration::from_secs(2);
/// Between two lines about what was left out.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// What to watch, and how.
#[derive(Debug)]
pub struct Live {
    /// The configuration.
    pub config: Config,
    /// Region of what names none itself.
    pub region: String,
    /// The clock.
    pub clock: Clock,
    /// How far back the first read reaches.
    pub history: Duration,
    /// Whether every request is handed out.
    pub requests: bool,
    /// Where others ask how it is, if they can.
    pub questions: Option<Questions>,
    /// Where the state is kept, if it is.
    pub keep: Option<Keep>,
    /// What it goes on from.
    pub restored: Restored,
    /// What was said after that state was saved, or before this start where there is none, in order.
    pub said_since: Vec<Decided>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// How a life ended.
#[derive(Debug)]
pub struct End {
    /// The figures of the last window, where it ended for good.
    pub summary: Summary,
    /// For whoever goes on, where it was to be changed.
    pub next: Option<Box<Next>>,
}

/// What the next life takes over.
#[derive(Debug)]
pub struct Next {
    /// What it goes on from.
    pub restored: Restored,
    /// Where the state is kept, if it is.
    pub keep: Option<Keep>,
    /// Where others ask how it is, if they can.
    pub questions: Option<Questions>,
}

/// Who hears what is said.
pub trait Ear {
    /// Something is said.
    fn hear(&mut self, said: Said);

    /// The number of the last message that was heard, where they are numbered.
    fn last(&self) -> u64 {
        0
    }

    /// Waits until all that was heard so far can no longer be lost; false if it still can. A state that says it was
    /// said must not be saved before.
    fn synced(&self) -> Synced {
        Box::pin(std::future::ready(true))
    }

    /// A state was saved that knows all messages up to this number.
    fn saved(&mut self, _number: u64) {}

    /// Adds to a report what is known here.
    fn report(&self, _report: &mut Report) {}
}

impl<F: FnMut(Said)> Ear for F {
    fn hear(&mut self, said: Said) {
        self(said);
    }
}

/// What there is while it runs.
struct Run<'a, E> {
    pipeline: Pipeline,
    keep: Option<Keep>,
    clock: Clock,
    ear: &'a mut E,
    course: Course,
    questions: Option<Questions>,
    /// What was left out, as it was last said.
    said_dropped: (Timestamp, Dropped),
}

impl Live {
    /// Watches until `stop`; `ear` gets what is said. Returns the figures of the last window.
    ///
    /// # Errors
    /// When a task failed. What AWS answers is never an error here: it is said, and tried again.
    pub async fn watch<C: Connect + Send>(self, connect: &mut C, ear: &mut impl Ear) -> Result<Summary> {
        let only = self.stop.clone();
        Ok(self.until(&only, connect, ear).await?.summary)
    }

    /// The same, and ends as well at `change`, which is a child of `stop`: then it hands over to whoever goes on.
    ///
    /// # Errors
    /// As [`Live::watch`].
    pub async fn until<C: Connect + Send>(
        self,
        change: &CancellationToken,
        connect: &mut C,
        ear: &mut impl Ear,
    ) -> Result<End> {
        let Self { config, region, clock, history, requests, questions, keep, mut restored, said_since, stop } = self;
        for silence in config.notify.silences.iter().filter(|silence| silence.until <= clock.now()) {
            let comment = silence.comment.as_ref().map(|comment| format!(" ({comment})")).unwrap_or_default();
            tracing::warn!("a [[silence]]{comment} ended at {} and covers nothing: delete it", silence.until);
        }
        say_refused(&config, &region);
        let mut inventory = config.add_to(restored.inventory.clone(), &region);
        let patterns = config.patterns(&inventory, &region);
        for watched in &patterns {
            watched.take_in(&mut inventory);
        }
        let said_since = numbered(&said_since, &mut inventory);
        let inventory = Arc::new(inventory);
        let settings = engine::Settings {
            rules: config.rules.clone(),
            source_blind: config.source_blind,
            blind_after: config.blind_after(),
            window: config.window,
            max_endpoints: config.max_endpoints,
            max_invocations: config.max_invocations,
            requests,
            ..engine::Settings::new(Arc::clone(&inventory))
        };
        let (mut pipeline, keep) = pipeline(settings, &config, &mut restored, keep, &said_since, clock.now()).await;
        let (out, deliveries) = mpsc::channel(CHANNEL);
        let (tell, found) = mpsc::channel(CHANNEL);
        let seamless = restored.ongoing.is_some();
        let mut ongoing = restored.ongoing.take().unwrap_or_else(|| Ongoing::begin(clock.now()));
        pipeline.recall(std::mem::take(&mut ongoing.looked));
        let (keeping, meters) = (keep.is_some(), ongoing.meters.clone());
        let reading = Reading { requests, history, keep: keeping, clock: clock.clone(), meters, stop: change.clone() };
        ongoing.goes_on(&inventory, &patterns);
        let mut sources = Sources::new(&config, inventory, reading, out, tell);
        sources.listed(std::mem::take(&mut ongoing.listed));
        let (goes_on, counted_since) = (restored.began.is_some(), restored.began.unwrap_or_else(|| clock.now()));
        sources.begin(restored, patterns, connect).await?;
        pipeline.expect_within(sources.slowest());
        let said_dropped = (Timestamp::MIN, Dropped::default());
        let course = Course { counted_since, ongoing };
        let mut run = Run { pipeline, keep, clock, ear, course, questions, said_dropped };
        if goes_on && !seamless {
            run.say_counted(&sources);
        }
        run.begin(seamless);
        run.drive(deliveries, found, &mut sources, connect, change).await?;
        if change.is_cancelled() && !stop.is_cancelled() {
            return Ok(run.hand_over(&sources));
        }
        let summary = run.end(&sources).await;
        Ok(End { summary, next: None })
    }
}

/// The pipeline as it was saved, or a new one where that is of no use.
async fn pipeline(
    settings: engine::Settings,
    config: &Config,
    restored: &mut Restored,
    mut keep: Option<Keep>,
    said_since: &[Decided],
    now: Timestamp,
) -> (Pipeline, Option<Keep>) {
    let planning = config.planning();
    let mut known = None;
    if let Some(saved) = &restored.pipeline {
        match Pipeline::restore(settings.clone(), &planning, saved) {
            Ok(pipeline) => known = Some(pipeline),
            Err(why) => {
                if let Some(unusable) = keep.take() {
                    keep = unusable.set_aside(why.to_string(), now).await;
                }
                // What was seen was counted by an engine that is lost: this one counts it.
                (restored.seen, restored.began) = (Vec::new(), None);
            }
        }
    }
    let inventory = Arc::clone(&settings.inventory);
    let past = if known.is_some() { Past::Relived } else { Past::Gone };
    let mut pipeline = known.unwrap_or_else(|| Pipeline::new(settings, &planning));
    for (source, number) in inventory.sources.iter().zip(0_u16..) {
        if !source.is_named() {
            // No API names it any more.
            pipeline.retire(SourceId(number));
        }
    }
    for (to, message) in said_since {
        pipeline.adopt(to, message, past);
    }
    (pipeline, keep)
}

impl<E: Ear> Run<'_, E> {
    /// A life begins; `seamless` if another one of this process ended just now.
    fn begin(&mut self, seamless: bool) {
        let now = self.clock.now();
        let over = self.pipeline.end_orphans();
        for said in over.into_iter().chain(self.pipeline.greet(now)) {
            self.ear.hear(said);
        }
        if !seamless {
            // From here on a log that is never read is waited for, and no log is blind because nobody was there.
            self.pipeline.wake(now);
        }
        self.tick();
    }

    /// Feeds the pipeline until all sources have stopped.
    async fn drive<C: Connect>(
        &mut self,
        mut deliveries: mpsc::Receiver<Delivery>,
        mut found: mpsc::Receiver<Found>,
        sources: &mut Sources<'_>,
        connect: &mut C,
        stop: &CancellationToken,
    ) -> Result<()> {
        let clock = self.clock.clone();
        loop {
            let deadline = self.pipeline.next_deadline();
            let save_at = self.keep.as_ref().and_then(|keep| keep.next(clock.now()));
            tokio::select! {
                delivery = deliveries.recv() => match delivery {
                    Some(delivery) => self.take(delivery, sources),
                    None => break,
                },
                Some(change) = found.recv(), if !stop.is_cancelled() => {
                    if sources.change(change, connect).await? {
                        self.pipeline.extend(sources.inventory());
                    }
                    self.pipeline.expect_within(sources.slowest());
                }
                () = clock.sleep_until(deadline.unwrap_or(Timestamp::MIN)), if deadline.is_some() => self.tick(),
                () = clock.sleep_until(save_at.unwrap_or(Timestamp::MIN)), if save_at.is_some() => self.save(sources),
                saved = written(&mut self.keep, &clock) => self.ear.saved(saved),
                question = asked(&mut self.questions) => self.answer(question, sources),
                // Also where no source is read that would end.
                () = stop.cancelled(), if sources.is_open() => sources.close(),
                Some(ended) = sources.tasks.join_next() => {
                    if let Err(panic) = ended {
                        stop.cancel();
                        return Err(panic).context("a reading task failed");
                    }
                }
            }
        }
        while let Some(ended) = sources.tasks.join_next().await {
            ended.context("a reading task failed")?;
        }
        Ok(())
    }

    /// Leaves all that it knows to the next life of this process. Nothing is closed: what waits goes on waiting.
    fn hand_over(self, sources: &Sources<'_>) -> End {
        let Course { counted_since, ongoing, .. } = self.course;
        let restored = Restored::handed(self.pipeline, sources, counted_since, ongoing);
        let next = Box::new(Next { restored, keep: self.keep, questions: self.questions });
        End { summary: Summary::default(), next: Some(next) }
    }

    /// Ends for good.
    async fn end(mut self, sources: &Sources<'_>) -> Summary {
        let clock = self.clock.clone();
        // Saved before the cases are closed: whoever goes on from here still waits for them.
        if let Some(keep) = self.keep.take() {
            let (last, synced) = (self.ear.last(), self.ear.synced());
            let finish = keep.finish(&self.pipeline, sources, (last, synced), clock.now());
            if let Ok(saved) = tokio::time::timeout(SAVE_MAX, finish).await {
                if let Some(saved) = saved {
                    self.ear.saved(saved);
                }
            } else {
                // The one before is as good: what came after it is read again.
                tracing::warn!("the last state was not saved within {} s", SAVE_MAX.as_secs());
            }
        }
        // As it was saved: what waits is counted by whoever goes on.
        self.say_counted(sources);
        for said in self.pipeline.close() {
            self.ear.hear(said);
        }
        self.complain(true);
        match self.pipeline.engine().future_requests() {
            0 => {}
            n => tracing::info!("{n} requests were stamped in the future and counted when they came"),
        }
        report::summary(self.pipeline.engine(), clock.now())
    }

    /// What a source hands on.
    fn take(&mut self, delivery: Delivery, sources: &mut Sources<'_>) {
        let now = self.clock.now();
        match delivery {
            Delivery::Facts { batch, position, caught_up, taken } => {
                let (source, read) = (batch.source, batch.sealed.is_some());
                let turn = Stopwatch::start();
                let said = self.pipeline.batch(batch, now);
                self.course.ongoing.turns.add(turn.elapsed());
                if read {
                    self.course.tried(source);
                }
                sources.commit(source, position);
                if let Some(caught_up) = caught_up {
                    self.pipeline.caught_up(source, caught_up.unread_before, now);
                }
                for said in said {
                    self.ear.hear(said);
                }
                // The source may have been stopped meanwhile; then its ids are of no more use.
                let _ = taken.send(());
                self.complain(false);
            }
            Delivery::Blind { source, problem, said } => {
                self.course.tried(source);
                self.pipeline.blind(source, problem, &said, now);
            }
            Delivery::Absent { source, from, to, problem } => {
                self.pipeline.absence(source, from, to, problem, now);
            }
            Delivery::Gone(source) => {
                sources.gone(source);
                self.pipeline.retire(source);
            }
        }
    }

    fn tick(&mut self) {
        for said in self.pipeline.tick(self.clock.now()) {
            self.ear.hear(said);
        }
    }

    /// Somebody wants to know how it is.
    fn answer(&self, question: Question, sources: &Sources<'_>) {
        if question.is_waiting() {
            let mut report = self.course.report(&self.pipeline, sources, question.detail, self.clock.now());
            self.ear.report(&mut report);
            question.answer(report);
        }
    }

    /// One consistent cut, between two batches.
    fn save(&mut self, sources: &Sources<'_>) {
        if let Some(keep) = &mut self.keep {
            let decided = (self.ear.last(), self.ear.synced());
            keep.begin(&self.pipeline, sources, decided, self.clock.now());
        }
    }

    /// Says what was counted so far, in all lives together.
    fn say_counted(&self, sources: &Sources<'_>) {
        let counted = self.pipeline.engine().counted();
        let requests: u64 = counted.iter().map(|api| api.requests).sum();
        let failures: u64 = counted.iter().map(|api| api.failures).sum();
        let events: u64 = sources.seen().map(|seen| lock(seen).events()).sum();
        let began = self.course.counted_since;
        tracing::info!("counted {requests} requests ({failures} failures) and {events} events since {began}");
    }

    /// Says what was left out, at most once a minute while it grows.
    fn complain(&mut self, at_last: bool) {
        let (dropped, now) = (self.pipeline.engine().dropped(), self.clock.now());
        if dropped != self.said_dropped.1 && (at_last || now.since(self.said_dropped.0) >= COMPLAIN_EVERY) {
            self.said_dropped = (now, dropped);
            tracing::warn!("left out or cut so far: {dropped}");
        }
    }
}

/// Waits until a state is saved; for ever where none is being written.
async fn written(keep: &mut Option<Keep>, clock: &Clock) -> u64 {
    match keep {
        Some(keep) => keep.written(clock).await,
        None => std::future::pending().await,
    }
}

/// The next question; for ever where nobody can ask.
async fn asked(questions: &mut Option<Questions>) -> Question {
    match questions {
        Some(arriving) => match arriving.recv().await {
            Some(question) => question,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
