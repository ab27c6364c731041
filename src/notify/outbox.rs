//! The outbox of one sink: messages wait here, are tried again, and are never lost silently.
//!
//! One task per sink, so that a sink that hangs holds up no other and never the engine. Rule: what cannot be
//! delivered, because trying again cannot help, or the queue is full, or time is up, is printed to stderr in full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
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
#[derive(Clone, Debug)]
pub struct Outbox {
    queue: mpsc::Sender<Arc<Message>>,
    name: String,
    lost: Arc<AtomicU64>,
}

/// The task behind an outbox. It ends when all senders are gone and the queue is empty, or at `deadline`.
pub type Delivery = JoinHandle<()>;

impl Outbox {
    /// Starts delivering. `deadline` ends it even if messages wait: they are then printed to stderr.
    pub fn start<D: Deliver + Send + 'static>(sink: D, deadline: CancellationToken) -> (Self, Delivery) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let outbox = Self { queue, name: sink.name(), lost: Arc::clone(&lost) };
        (outbox, tokio::spawn(deliver_all(sink, waiting, deadline, lost)))
    }

    /// Queues a message; never waits.
    pub fn put(&self, message: &Arc<Message>) {
        if self.queue.try_send(Arc::clone(message)).is_err() {
            dead_letter(&self.name, message, "its queue is full", &self.lost);
        }
    }

    /// Messages that were printed to stderr instead of delivered.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

async fn deliver_all<D: Deliver>(
    mut sink: D,
    mut waiting: mpsc::Receiver<Arc<Message>>,
    deadline: CancellationToken,
    lost: Arc<AtomicU64>,
) {
    let name = sink.name();
    while let Some(message) = waiting.recv().await {
        if message.alert.severity < sink.min_severity() {
            continue;
        }
        let outcome = tokio::select! {
            biased;
            outcome = deliver_one(&mut sink, &message) => outcome,
            () = deadline.cancelled() => Err("there was no time left to deliver it".to_owned()),
        };
        if let Err(why) = outcome {
            dead_letter(&name, &message, &why, &lost);
        }
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
                tokio::time::sleep(pause(tries, message.seq)).await;
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

fn dead_letter(sink: &str, message: &Message, why: &str, lost: &AtomicU64) {
    lost.fetch_add(1, Ordering::Relaxed);
    tracing::error!(sink, "message not delivered: {why}; it was: {}", json::render(message));
}
