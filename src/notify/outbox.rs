//! The outbox of one sink: messages wait here, are tried again, and are never lost silently.
//!
//! One task per sink, so that a sink that hangs holds up no other and never the engine. Not what is on disk: whoever
//! keeps the messages there is told what became of each. Rule: what cannot be delivered, because trying again cannot
//! help, or the queue is full, or time is up, is printed to stderr in full; only what is kept for the next start when
//! time is up is not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::json;
use super::message::Message;
use super::origin::Origin;
use super::sink::Deliver;

/// Messages that may wait for one sink: an incident of a thousand alerts, at about 4 KB each.
const QUEUE: usize = 1000;
/// Tries of one message before it is given up; with the waits between them that is about ten minutes.
const TRIES: u32 = 14;

/// The sending end of a sink's outbox.
#[derive(Debug)]
pub struct Outbox {
    queue: mpsc::Sender<Letter>,
    name: String,
    waiting: Waiting,
}

/// A message, and the number under which it is kept; 0 where nobody keeps it.
type Letter = (u64, Arc<Message>);

/// Messages that are neither delivered nor given up, oldest first.
type Waiting = Arc<Mutex<VecDeque<Arc<Message>>>>;

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
    waiting: Waiting,
    kept: bool,
}

impl Delivery {
    /// The sink has failed, or hangs and cannot even be cancelled: what waits for it goes to stderr, unless it is kept.
    pub fn abandon(&self) {
        for message in lock(&self.waiting).drain(..).filter(|_| !self.kept) {
            dead_letter(&self.name, &message, "the sink failed or hangs");
        }
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
        let (queue, waiting) = mpsc::channel(QUEUE);
        let name = name.to_owned();
        let unsettled = Waiting::default();
        let kept = tell.is_some();
        let task = tokio::spawn(deliver_all(name.clone(), sink, waiting, deadline, Arc::clone(&unsettled), tell));
        let outbox = Self { queue, name: name.clone(), waiting: Arc::clone(&unsettled) };
        (outbox, Delivery { name, task, waiting: unsettled, kept })
    }

    /// Queues a message; never waits.
    pub fn put(&self, message: &Arc<Message>) {
        let why = match self.offer(0, message) {
            Ok(()) => return,
            Err(NotTaken::Full) => "its queue is full",
            Err(NotTaken::Closed) => "the sink has failed",
        };
        dead_letter(&self.name, message, why);
    }

    /// Queues a message that is kept under a number; never waits.
    ///
    /// # Errors
    /// When it is not taken: what becomes of it then is the caller's business.
    pub fn offer(&self, number: u64, message: &Arc<Message>) -> Result<(), NotTaken> {
        lock(&self.waiting).push_back(Arc::clone(message));
        let why = match self.queue.try_send((number, Arc::clone(message))) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(_)) => NotTaken::Full,
            Err(TrySendError::Closed(_)) => NotTaken::Closed,
        };
        lock(&self.waiting).pop_back();
        Err(why)
    }
}

/// No code panics between two halves of a change, so a poisoned lock is still good.
fn lock(waiting: &Waiting) -> MutexGuard<'_, VecDeque<Arc<Message>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn deliver_all<D: Deliver>(
    name: String,
    mut sink: D,
    mut waiting: mpsc::Receiver<Letter>,
    deadline: CancellationToken,
    unsettled: Waiting,
    tell: Option<Tell>,
) {
    while let Some((number, message)) = waiting.recv().await {
        let mut outcome = Outcome::Settled;
        let delivered = tokio::select! {
            biased;
            delivered = deliver_one(&name, &mut sink, &message) => delivered,
            () = deadline.cancelled() => {
                outcome = Outcome::Left;
                Err("there was no time left to deliver it".to_owned())
            }
        };
        let kept = outcome == Outcome::Left && tell.is_some();
        if let Err(why) = delivered
            && !kept
        {
            dead_letter(&name, &message, &why);
        }
        // Before it stops waiting: a death between the two repeats the message, the other order could lose it.
        if let Some(tell) = &tell {
            tell(number, outcome);
        }
        lock(&unsettled).pop_front();
    }
}

async fn deliver_one<D: Deliver>(name: &str, sink: &mut D, message: &Message) -> Result<(), String> {
    let mut tries = 0;
    loop {
        match sink.deliver(message).await {
            Ok(()) => return Ok(()),
            Err(error) if !error.retry || tries + 1 >= TRIES => return Err(error.text),
            Err(error) => {
                if tries == 0 {
                    tracing::warn!(sink = name, "message not delivered yet, trying again: {error}");
                }
                tokio::time::sleep(pause(tries, message.seq())).await;
                tries += 1;
            }
        }
    }
}

/// Doubling from half a second to a minute, spread by an eighth so that several daemons do not knock together.
fn pause(tries: u32, seed: u32) -> Duration {
    let base = Duration::from_millis(500 << tries.min(7)).min(Duration::from_mins(1));
    base + base / 64 * (seed.wrapping_mul(2_654_435_761).wrapping_add(tries) % 8)
}

/// Prints a message that a sink does not get to stderr, in full.
pub fn dead_letter(sink: &str, message: &Message, why: &str) {
    tracing::error!(sink, "message not delivered: {why}; it was: {}", json::render(message, &Origin::default()));
}
