//! The outbox of one sink: messages wait here, are tried again, and are never lost silently.
//!
//! One task per sink, so that a sink that hangs holds up no other and never the engine. Rule: what cannot be
//! delivered, because trying again cannot help, or the queue is full, or time is up, is printed to stderr in full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::json;
use super::message::Message;
use super::sink::Deliver;

/// Messages that may wait for one sink: an incident of a thousand alerts, at about 4 KB each.
const QUEUE: usize = 1000;
/// Tries of one message before it is given up; with the waits between them that is about ten minutes.
const TRIES: u32 = 14;

/// The sending end of a sink's outbox.
#[derive(Debug)]
pub struct Outbox {
    queue: mpsc::Sender<Arc<Message>>,
    name: String,
    waiting: Waiting,
}

/// Messages that are neither delivered nor given up, oldest first.
type Waiting = Arc<Mutex<VecDeque<Arc<Message>>>>;

/// The task behind an outbox. It ends when the outbox is closed and the queue is empty, or at the deadline.
#[derive(Debug)]
pub struct Delivery {
    /// The sink's name.
    pub name: String,
    /// The task.
    pub task: JoinHandle<()>,
    waiting: Waiting,
}

impl Delivery {
    /// The sink hangs and cannot even be cancelled: what waits for it goes to stderr.
    pub fn abandon(&self) {
        for message in lock(&self.waiting).drain(..) {
            dead_letter(&self.name, &message, "the sink hangs");
        }
    }
}

impl Outbox {
    /// Starts delivering. `deadline` ends it even if messages wait: they are then printed to stderr.
    pub fn start<D: Deliver + Send + 'static>(sink: D, deadline: CancellationToken) -> (Self, Delivery) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let name = sink.name();
        let unsettled = Waiting::default();
        let task = tokio::spawn(deliver_all(sink, waiting, deadline, Arc::clone(&unsettled)));
        let outbox = Self { queue, name: name.clone(), waiting: Arc::clone(&unsettled) };
        (outbox, Delivery { name, task, waiting: unsettled })
    }

    /// Queues a message; never waits.
    pub fn put(&self, message: &Arc<Message>) {
        lock(&self.waiting).push_back(Arc::clone(message));
        let why = match self.queue.try_send(Arc::clone(message)) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "its queue is full",
            Err(TrySendError::Closed(_)) => "the sink has failed",
        };
        lock(&self.waiting).pop_back();
        dead_letter(&self.name, message, why);
    }
}

/// No code panics between two halves of a change, so a poisoned lock is still good.
fn lock(waiting: &Waiting) -> MutexGuard<'_, VecDeque<Arc<Message>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn deliver_all<D: Deliver>(
    mut sink: D,
    mut waiting: mpsc::Receiver<Arc<Message>>,
    deadline: CancellationToken,
    unsettled: Waiting,
) {
    let name = sink.name();
    while let Some(message) = waiting.recv().await {
        if message.severity() >= sink.min_severity() {
            let outcome = tokio::select! {
                biased;
                outcome = deliver_one(&mut sink, &message) => outcome,
                () = deadline.cancelled() => Err("there was no time left to deliver it".to_owned()),
            };
            if let Err(why) = outcome {
                dead_letter(&name, &message, &why);
            }
        }
        lock(&unsettled).pop_front();
    }
}

async fn deliver_one<D: Deliver>(sink: &mut D, message: &Message) -> Result<(), String> {
    let mut tries = 0;
    loop {
        match sink.deliver(message).await {
            Ok(()) => return Ok(()),
            Err(error) if !error.retry || tries + 1 >= TRIES => return Err(error.text),
            Err(error) => {
                if tries == 0 {
                    tracing::warn!(sink = sink.name(), "message not delivered yet, trying again: {error}");
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

fn dead_letter(sink: &str, message: &Message, why: &str) {
    tracing::error!(sink, "message not delivered: {why}; it was: {}", json::render(message));
}
