//! The outbox of one sink: messages wait here, are tried again, and are never lost silently.
//!
//! One task per sink, so that a sink that hangs holds up no other and never the engine. Messages go out one at a time, in
//! their order. Not what is on disk: whoever keeps the messages there is told what became of each. Rule: what cannot be
//! delivered, because trying again cannot help, or has not helped for long, or the queue is full, or time is up, is
//! printed to stderr in full; only what is kept for the next start when time is up is not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::json;
use super::message::Message;
use super::origin::Origin;
use super::receipt::Receipt;
use super::sink::{Class, Deliver, SendError};
use crate::model::report::SinkReport;

/// Messages that may wait for one sink: an incident of a thousand alerts, at about 4 KB each.
const QUEUE: usize = 1000;
/// A message is given up when it has been tried for so long: people should read it somewhere while it is news.
const PATIENCE: Duration = Duration::from_mins(10);
/// Tries of one message, however short the waits: a service that fails at once must not be asked for ever.
const TRIES: u32 = 30;

/// The sending end of a sink's outbox.
#[derive(Debug)]
pub struct Outbox {
    queue: mpsc::Sender<Letter>,
    name: String,
    standing: Shared,
}

/// A message, and the number under which it is kept; 0 where nobody keeps it.
type Letter = (u64, Arc<Message>);

/// How a sink stands.
#[derive(Debug, Default)]
struct Standing {
    /// Messages that are neither delivered nor given up, oldest first.
    waiting: VecDeque<Arc<Message>>,
    delivered: u64,
    /// Messages that were printed to stderr instead.
    dead_lettered: u64,
    failing: bool,
}

/// The same, for the outbox, its task and whoever looks.
type Shared = Arc<Mutex<Standing>>;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was delivered, or was given up and stands on stderr.
    Settled,
    /// There was no time left to deliver it.
    Left,
}

/// Is told what became of each message, by its number. It must not wait.
pub type Tell = Box<dyn Fn(u64, Outcome) + Send>;

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The queue is full: offer it again when another one is settled.
    Full,
    /// The sink has failed and takes no more.
    Closed,
}

/// The task behind an outbox. It ends when the outbox is closed and the queue is empty, or at the deadline.
#[derive(Debug)]
pub struct Delivery {
    /// The sink's name.
    pub name: String,
    /// The task.
    pub task: JoinHandle<()>,
    /// Ends it even if messages wait.
    pub deadline: CancellationToken,
    standing: Shared,
    kept: bool,
}

impl Delivery {
    /// The sink has failed, or hangs and cannot even be cancelled: what waits for it goes to stderr, unless it is kept.
    pub fn abandon(&self) {
        for message in lock(&self.standing).waiting.drain(..).filter(|_| !self.kept) {
            dead_letter(&self.name, &message, "the sink failed or hangs");
        }
    }

    /// How the sink stands.
    #[must_use]
    pub fn report(&self) -> SinkReport {
        let Standing { waiting, delivered, dead_lettered, failing } = &*lock(&self.standing);
        let name = self.name.as_str().into();
        let (delivered, dead_lettered, failing) = (*delivered, *dead_lettered, *failing);
        SinkReport { name, queued: waiting.len(), delivered, dead_lettered, failing }
    }
}

impl Outbox {
    /// Starts delivering. `deadline` ends it even if messages wait. With `tell` they are kept by whoever is told;
    /// without, they are then printed to stderr.
    pub fn start<D: Deliver + Send + 'static>(
        name: &str,
        sink: D,
        deadline: CancellationToken,
        tell: Option<Tell>,
    ) -> (Self, Delivery) {
        Self::start_with(name, sink, deadline, tell, fastrand::Rng::new())
    }

    /// The same with these dice.
    fn start_with<D: Deliver + Send + 'static>(
        name: &str,
        sink: D,
        deadline: CancellationToken,
        tell: Option<Tell>,
        dice: fastrand::Rng,
    ) -> (Self, Delivery) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let name = name.to_owned();
        let standing = Shared::default();
        let kept = tell.is_some();
        let backoff = Backoff::new(dice);
        let trouble = Trouble::default();
        let (its, own_name) = (Arc::clone(&standing), name.clone());
        let its_deadline = deadline.clone();
        let carrier = Carrier { name: own_name, sink, waiting, deadline, standing: its, tell, backoff, trouble };
        let task = tokio::spawn(carrier.deliver_all());
        let outbox = Self { queue, name: name.clone(), standing: Arc::clone(&standing) };
        (outbox, Delivery { name, task, deadline: its_deadline, standing, kept })
    }

    /// Queues a message; never waits.
    pub fn put(&self, message: &Arc<Message>) {
        let why = match self.offer(0, message) {
            Ok(()) => return,
            Err(NotTaken::Full) => "its queue is full",
            Err(NotTaken::Closed) => "the sink has failed",
        };
        lock(&self.standing).dead_lettered += 1;
        dead_letter(&self.name, message, why);
    }

    /// Queues a message that is kept under a number; never waits.
    ///
    /// # Errors
    /// When it is not taken: what becomes of it then is the caller's business.
    pub fn offer(&self, number: u64, message: &Arc<Message>) -> Result<(), NotTaken> {
        lock(&self.standing).waiting.push_back(Arc::clone(message));
        let why = match self.queue.try_send((number, Arc::clone(message))) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(_)) => NotTaken::Full,
            Err(TrySendError::Closed(_)) => NotTaken::Closed,
        };
        lock(&self.standing).waiting.pop_back();
        Err(why)
    }
}

/// No code panics between two halves of a change, so a poisoned lock is still good.
fn lock(standing: &Shared) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The far end of an outbox.
struct Carrier<D> {
    name: String,
    sink: D,
    waiting: mpsc::Receiver<Letter>,
    deadline: CancellationToken,
    standing: Shared,
    tell: Option<Tell>,
    backoff: Backoff,
    trouble: Trouble,
}

impl<D: Deliver> Carrier<D> {
    async fn deliver_all(mut self) {
        while let Some((number, message)) = self.waiting.recv().await {
            let deadline = self.deadline.clone();
            let outcome = tokio::select! {
                biased;
                delivered = self.deliver_one(&message) => {
                    match delivered {
                        Ok(()) => lock(&self.standing).delivered += 1,
                        Err(why) => self.give_up(&message, &why),
                    }
                    Outcome::Settled
                }
                () = deadline.cancelled() => {
                    if self.tell.is_none() {
                        lock(&self.standing).dead_lettered += 1;
                        dead_letter(&self.name, &message, "there was no time left to deliver it");
                    }
                    Outcome::Left
                }
            };
            // Before it stops waiting: a death between the two repeats the message, the other order could lose it.
            if let Some(tell) = &self.tell {
                tell(number, outcome);
            }
            lock(&self.standing).waiting.pop_front();
        }
        self.trouble.end(&self.name);
    }

    fn give_up(&mut self, message: &Message, why: &str) {
        lock(&self.standing).dead_lettered += 1;
        dead_letter(&self.name, message, why);
        self.trouble.given_up(&self.name);
    }

    /// Tries until it is delivered, refused, or has been tried for long enough.
    async fn deliver_one(&mut self, message: &Message) -> Result<(), String> {
        let mut last = "no answer".to_owned();
        let tried = tokio::time::timeout(PATIENCE, self.try_on(message, &mut last)).await;
        tried.unwrap_or_else(|_| Err(format!("it was tried for {} minutes: {last}", PATIENCE.as_secs() / 60)))
    }

    async fn try_on(&mut self, message: &Message, last: &mut String) -> Result<(), String> {
        // A sink that refuses everything gets its messages slowly; at the end they have to be out soon.
        if !self.trouble.pause.is_zero() && !self.waiting.is_closed() {
            tokio::time::sleep(std::mem::take(&mut self.trouble.pause)).await;
        }
        for tries in 1.. {
            let error = match self.sink.deliver(message).await {
                Ok(()) => {
                    self.backoff.delivered();
                    lock(&self.standing).failing = false;
                    self.trouble.over(&self.name);
                    tracing::info!("{}", Receipt::of(&self.name, message));
                    return Ok(());
                }
                Err(error) => error,
            };
            let pause = self.backoff.failed(error.class);
            lock(&self.standing).failing = true;
            self.trouble.met(&self.name, &error);
            if error.class == Class::Never {
                self.trouble.pause = pause;
                return Err(error.text);
            }
            if tries == TRIES {
                return Err(format!("it was tried {TRIES} times: {error}"));
            }
            *last = error.text;
            tokio::time::sleep(pause).await;
        }
        unreachable!("the tries are counted")
    }
}

/// A sink that fails: what was said of that, so that it is said once, and then counted.
#[derive(Debug, Default)]
struct Trouble {
    /// The class of the failure that was said last.
    said: Option<Class>,
    /// Messages given up since then.
    given_up: u64,
    /// To wait before the next message.
    pause: Duration,
}

impl Trouble {
    /// A try failed.
    fn met(&mut self, sink: &str, error: &SendError) {
        let refuses = error.class == Class::Never;
        let said = self.said.replace(error.class);
        match (said, refuses) {
            // Trying again has turned out not to help, or the other way round.
            (Some(Class::Never), true) | (Some(Class::Again | Class::Throttled { .. }), false) => {}
            (_, true) => tracing::error!(sink, "messages are not taken: {error}; each stands here in full"),
            (_, false) => tracing::warn!(sink, "message not delivered yet, trying again: {error}"),
        }
    }

    /// A message stands on stderr instead.
    fn given_up(&mut self, sink: &str) {
        self.given_up += 1;
        if self.given_up > 1 && 10_u64.pow(self.given_up.ilog10()) == self.given_up {
            tracing::error!(sink, "{} messages not delivered so far", self.given_up);
        }
    }

    /// A message was delivered.
    fn over(&mut self, sink: &str) {
        let Self { said, given_up, .. } = std::mem::take(self);
        if said.is_some() {
            tracing::info!(sink, "messages are delivered again; {given_up} were not and stand above");
        }
    }

    /// The last words about it.
    fn end(&self, sink: &str) {
        if self.given_up > 0 {
            tracing::error!(sink, "{} messages were not delivered and stand above", self.given_up);
        }
    }
}

/// Prints a message that a sink does not get to stderr, in full.
pub fn dead_letter(sink: &str, message: &Message, why: &str) {
    tracing::error!(sink, "message not delivered: {why}; it was: {}", json::render(message, &Origin::default()));
}

#[cfg(test)]
mod tests;
