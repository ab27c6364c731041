//! Facts in, what is said out: the engine and the plan behind one another, the same for live reading and for files.

use std::sync::Arc;

use crate::engine::{Engine, Output, Settings};
use crate::model::cause::Failure;
use crate::model::event::{Batch, Fact};
use crate::model::inventory::{Inventory, SourceId};
use crate::model::request::Request;
use crate::model::saved::RestoreError;
use crate::model::time::Timestamp;
use crate::notify::message::Message;
use crate::notify::plan::{self, Plan};

/// What there is to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A request was answered.
    Request(Box<Request>),
    /// A failed request is explained.
    Failure(Failure),
    /// A message about an alert is due.
    Message(Arc<Message>),
}

/// The saved state of engine and plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Of the engine.
    pub engine: Vec<u8>,
    /// Of the plan.
    pub plan: Vec<u8>,
}

/// Engine and plan.
#[derive(Debug)]
pub struct Pipeline {
    engine: Engine,
    plan: Plan,
}

impl Pipeline {
    /// A pipeline that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings, plan: plan::Settings) -> Self {
        let inventory = Arc::clone(&settings.inventory);
        Self { engine: Engine::new(settings), plan: Plan::new(plan, inventory) }
    }

    /// The state of both, as bytes: one cut, because whatever the engine found has been handed out.
    #[must_use]
    pub fn save(&self) -> Saved {
        Saved { engine: self.engine.save(), plan: self.plan.save() }
    }

    /// A pipeline that goes on where the saved one stood; the settings may have changed.
    ///
    /// # Errors
    /// When the state is damaged, of another version, or about more than is watched now.
    pub fn restore(settings: Settings, plan: plan::Settings, saved: &Saved) -> Result<Self, RestoreError> {
        let inventory = Arc::clone(&settings.inventory);
        let plan = Plan::restore(plan, inventory, &saved.plan)?;
        Ok(Self { engine: Engine::restore(settings, &saved.engine)?, plan })
    }

    /// Takes over a message that was decided after the state was saved; in order, and before anything else.
    pub fn adopt(&mut self, message: &Message) {
        if self.engine.adopt(&message.alert) {
            self.plan.adopt(message);
        }
    }

    /// Alerts that were said and whose rule is no more are resolved. For a pipeline that was restored under other rules,
    /// once it has adopted what was said.
    pub fn end_orphans(&mut self) -> Vec<Said> {
        let over = self.plan.end_unless(|key| self.engine.has_rule(&key.rule));
        over.into_iter().map(|message| Said::Message(Arc::new(message))).collect()
    }

    /// More is watched from now on: APIs and sources were added behind those that are known.
    pub fn extend(&mut self, inventory: &Arc<Inventory>) {
        self.engine.extend(Arc::clone(inventory));
        self.plan.extend(Arc::clone(inventory));
    }

    /// Takes a batch in.
    pub fn batch(&mut self, batch: Batch, now: Timestamp) -> Vec<Said> {
        for fact in batch.facts {
            self.engine.ingest(batch.source, fact, now);
        }
        if let Some(at) = batch.sealed {
            self.engine.seal(batch.source, at);
        }
        self.engine.tick(now);
        self.drain()
    }

    /// Takes one fact in; what it leads to comes with the next call that hands out.
    pub fn fact(&mut self, source: SourceId, fact: Fact, now: Timestamp) {
        self.engine.ingest(source, fact, now);
    }

    /// All sources are read up to `at`.
    pub fn seal_all(&mut self, sources: usize, at: Timestamp) -> Vec<Said> {
        // Requests that waited for a line of another log are counted before the rules look.
        self.engine.tick(at);
        for source in 0..u16::try_from(sources).unwrap_or(u16::MAX) {
            self.engine.seal(SourceId(source), at);
        }
        self.engine.tick(at);
        self.drain()
    }

    /// A source cannot be read.
    pub fn blind(&mut self, source: SourceId) {
        self.engine.blind(source);
    }

    /// Time passes.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Said> {
        self.engine.tick(now);
        self.drain()
    }

    /// When the next tick is wanted.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.engine.next_deadline()
    }

    /// The end of live reading: failures that wait are said as they stand. Messages are not: what is not due yet is
    /// found again by whoever reads next.
    pub fn close(&mut self) -> Vec<Said> {
        self.engine.finish();
        self.drain()
    }

    /// The end of the input: everything that waits is said as it stands.
    pub fn finish(&mut self) -> Vec<Said> {
        self.engine.finish();
        let mut said = self.drain();
        said.extend(self.plan.finish().into_iter().map(|m| Said::Message(Arc::new(m))));
        said
    }

    /// The engine, to look at.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    fn drain(&mut self) -> Vec<Said> {
        let plan = &mut self.plan;
        let said = self.engine.drain().into_iter().filter_map(|output| match output {
            Output::Request(request) => Some(Said::Request(request)),
            Output::Failure(failure) => Some(Said::Failure(failure)),
            Output::Alert(alert) => plan.look(*alert).map(|m| Said::Message(Arc::new(m))),
        });
        said.collect()
    }
}
