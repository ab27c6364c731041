//! The post: every message to every sink, over restarts where there is a state folder.
//!
//! A decision is a message for one sink. It is appended to the journal and synced, then offered to the sink's outbox,
//! then marked when the sink has it. Not the delivering (that is `notify/outbox`) and not what is decided. Rule: a decision is delivered,
//! or stands in the journal, or on stderr; it is repeated only if the process died before it was marked, and then as
//! the same episode and seq. Without a state folder there are only the outboxes.

mod clerk;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::clerk::{Clerk, Order, Rest, Sink};
use super::ledger::{DECISIONS_MAX, FORMAT, Ledger};
use crate::model::report::SinkReport;
use crate::notify::message::Message;
use crate::notify::outbox::{Delivery, Outbox, Tell, dead_letter};
use crate::notify::sink::Deliver;
use crate::state::journal::Journal;
use crate::state::store::{StateError, Store};

/// How long sinks may go on delivering after the stop.
const DRAIN: Duration = Duration::from_secs(7);
/// What a sink has after that to give up in order, and the journal to write what became of the last messages.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Decisions that may wait to be written. More come only if the disk hangs.
const UNWRITTEN_MAX: usize = 1000;

/// A post whose sinks are being named.
#[derive(Debug)]
pub struct Opening {
    deadline: CancellationToken,
    drain: Duration,
    sinks: Vec<Sink>,
    deliveries: Vec<Delivery>,
    kept: Option<Kept>,
}

/// A sink's name, and a message that was decided for it.
pub type Decided = (Arc<str>, Arc<Message>);

/// What an opening has of the journal.
#[derive(Debug)]
struct Kept {
    journal: Journal,
    ledger: Ledger,
    orders: mpsc::Sender<Order>,
    inbox: mpsc::Receiver<Order>,
}

/// Where messages are put.
#[derive(Debug)]
pub struct Post {
    deadline: CancellationToken,
    drain: Duration,
    deliveries: Vec<Delivery>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Straight to the outboxes.
    Direct(Vec<Sink>),
    /// Through the journal.
    Kept(Desk),
}

/// The side of the journal that the daemon's loop sees: it never waits for the disk.
#[derive(Debug)]
struct Desk {
    orders: mpsc::Sender<Order>,
    last: u64,
    /// Sink, episode and seq of each decision that may come again, by number.
    said: BTreeMap<u64, Key>,
    numbers: BTreeMap<Key, u64>,
    unwritten: Arc<AtomicUsize>,
    folder: String,
}

type Key = (Arc<str>, Arc<str>, u32);

impl Opening {
    /// A post without a memory.
    #[must_use]
    pub fn new() -> Self {
        let deadline = CancellationToken::new();
        Self { deadline, drain: DRAIN, sinks: Vec::new(), deliveries: Vec::new(), kept: None }
    }

    /// A post that keeps its decisions in the journal of a state folder. `known` is the number of the last decision
    /// that the loaded snapshot knows of, 0 without one.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn kept(store: &Store, known: u64) -> Result<Self, StateError> {
        let (journal, recovered) = Journal::open(store, FORMAT)?;
        if let Some(aside) = recovered.set_aside {
            tracing::warn!("{aside}; {} of its records could be read", recovered.records.len());
        }
        if recovered.torn > 0 {
            tracing::info!("the last write to the journal was not finished; its {} bytes are void", recovered.torn);
        }
        let (mut ledger, unread) = Ledger::read(&recovered.records);
        for record in unread {
            tracing::error!("a record of the journal cannot be read: {record}");
        }
        ledger.forget_through(known);
        let (orders, inbox) = mpsc::channel();
        Ok(Self { kept: Some(Kept { journal, ledger, orders, inbox }), ..Self::new() })
    }

    /// What was decided after this number, in order: a plan that was restored from a snapshot does not know yet that
    /// it has said that.
    #[must_use]
    pub fn decisions_after(&self, number: u64) -> Vec<Decided> {
        let ledger = self.kept.iter().map(|k| &k.ledger);
        ledger.flat_map(|l| l.after(number)).map(|(_, to, message)| (Arc::clone(to), Arc::clone(message))).collect()
    }

    /// Adds a sink under a name that no other has and that is the same at each start: messages are kept for it by that.
    pub fn sink<D: Deliver + Send + 'static>(&mut self, name: Arc<str>, sink: D) {
        let orders = self.kept.as_ref().map(|kept| &kept.orders);
        let (sink, delivery) = begin(name, sink, &self.deadline, orders);
        self.sinks.push(sink);
        self.deliveries.push(delivery);
    }

    /// Starts: what stands in the journal unsettled is delivered first. What is for a sink that is no longer named goes
    /// to stderr.
    #[must_use]
    pub fn start(self) -> Post {
        let Self { deadline, drain, sinks, deliveries, kept } = self;
        let way = match kept {
            None => Way::Direct(sinks),
            Some(kept) => Way::Kept(Desk::open(kept, sinks)),
        };
        Post { deadline, drain, deliveries, way }
    }
}

impl Default for Opening {
    fn default() -> Self {
        Self::new()
    }
}

/// Begins to deliver to a sink.
fn begin<D: Deliver + Send + 'static>(
    name: Arc<str>,
    sink: D,
    deadline: &CancellationToken,
    orders: Option<&mpsc::Sender<Order>>,
) -> (Sink, Delivery) {
    let tell = orders.cloned().map(|orders| {
        let tell: Tell = Box::new(move |message, outcome| {
            // No queue of its own needs a bound: at most what an outbox holds is under way. Nobody listens only
            // after the end.
            let _ = orders.send(Order::Became { number: message, outcome });
        });
        tell
    });
    let (outbox, delivery) = Outbox::start(&name, sink, deadline.child_token(), tell);
    (Sink { name, outbox, offered: 0 }, delivery)
}

impl Post {
    /// One more sink, under a name that none has.
    pub fn add<D: Deliver + Send + 'static>(&mut self, name: Arc<str>, sink: D) {
        let orders = match &self.way {
            Way::Direct(_) => None,
            Way::Kept(desk) => Some(&desk.orders),
        };
        let (sink, delivery) = begin(name, sink, &self.deadline, orders);
        self.deliveries.push(delivery);
        match &mut self.way {
            Way::Direct(sinks) => sinks.push(sink),
            Way::Kept(desk) => desk.tell(Order::Add(sink)),
        }
    }

    /// A sink is no more: what is not delivered to it goes to stderr.
    pub fn remove(&mut self, name: &str) {
        // The tasks end by themselves.
        for gone in self.deliveries.extract_if(.., |delivery| delivery.name == name) {
            gone.deadline.cancel();
        }
        match &mut self.way {
            Way::Direct(sinks) => sinks.retain(|sink| *sink.name != *name),
            Way::Kept(desk) => desk.tell(Order::Remove(name.into())),
        }
    }

    /// Sends a message to a sink; never waits. A message (its sink, episode and seq) that was put before is not sent
    /// again, as far as the journal reaches back.
    pub fn put(&mut self, to: &Arc<str>, message: &Arc<Message>) {
        match &mut self.way {
            Way::Direct(sinks) => match sinks.iter().find(|sink| sink.name == *to) {
                Some(sink) => sink.outbox.put(message),
                None => dead_letter(to, message, "there is no such sink"),
            },
            Way::Kept(desk) => desk.put(to, message),
        }
    }

    /// The number of the last decision; 0 without a state folder. A snapshot stores it, and is saved when
    /// [`Post::synced`] has said yes.
    #[must_use]
    pub const fn last(&self) -> u64 {
        match &self.way {
            Way::Direct(_) => 0,
            Way::Kept(desk) => desk.last,
        }
    }

    /// How the sinks stand.
    #[must_use]
    pub fn report(&self) -> Vec<SinkReport> {
        self.deliveries.iter().map(Delivery::report).collect()
    }

    /// Waits until all that was put before this call stands in the journal. `false` if it could not be written: a
    /// snapshot saved now would take for said what a crash may lose.
    pub fn synced(&self) -> impl Future<Output = bool> + Send + use<> {
        let answer = match &self.way {
            Way::Direct(_) => None,
            Way::Kept(desk) => {
                let (reply, answer) = oneshot::channel();
                // If the clerk is gone the answer says so.
                let _ = desk.orders.send(Order::Sync(reply));
                Some(answer)
            }
        };
        async {
            match answer {
                None => true,
                Some(answer) => answer.await.unwrap_or(false),
            }
        }
    }

    /// A snapshot that knows of the decisions up to this number was saved: they go once they are settled.
    pub fn forget_through(&mut self, number: u64) {
        if let Way::Kept(desk) = &mut self.way {
            desk.forget_through(number);
        }
    }

    /// Delivers for [`DRAIN`] at most, then gives up. What is not delivered stays in the journal, or goes to stderr
    /// where there is none. Waits a second more for what hangs, and as long for the journal.
    pub async fn stop(self) {
        let Self { deadline, drain, deliveries, way } = self;
        match way {
            Way::Direct(sinks) => {
                drop(sinks);
                finish(deliveries, drain, &deadline).await;
            }
            Way::Kept(desk) => {
                desk.close().await;
                finish(deliveries, drain, &deadline).await;
                desk.end().await;
            }
        }
    }
}

/// Waits for all sinks together, whose queues are closed: the `drain` for them to deliver, a moment more for them to
/// say what they could not. What hangs even then, such as a write to a pipe that nobody reads, is left behind.
async fn finish(mut deliveries: Vec<Delivery>, drain: Duration, deadline: &CancellationToken) {
    let timer = async {
        tokio::time::sleep(drain).await;
        deadline.cancel();
        tokio::time::sleep(LAST_WORDS).await;
    };
    let all = async {
        for delivery in &mut deliveries {
            if let Err(panic) = (&mut delivery.task).await {
                tracing::error!("sink {} failed: {panic}", delivery.name);
            }
        }
    };
    tokio::select! {
        biased;
        () = all => {}
        () = timer => {}
    }
    for delivery in &deliveries {
        if !delivery.task.is_finished() {
            tracing::warn!("sink {} did not finish within {} s and is left behind", delivery.name, drain.as_secs());
        }
        delivery.abandon();
    }
}

impl Desk {
    fn open(kept: Kept, sinks: Vec<Sink>) -> Self {
        let Kept { journal, ledger, orders, inbox } = kept;
        let unwritten = Arc::new(AtomicUsize::new(0));
        let mut desk = Self {
            orders,
            last: ledger.last(),
            said: BTreeMap::new(),
            numbers: BTreeMap::new(),
            unwritten: Arc::clone(&unwritten),
            folder: journal.folder().display().to_string(),
        };
        for (number, to, message) in ledger.after(0) {
            desk.remember(number, key(to, message));
        }
        let clerk = Clerk { journal, ledger, sinks, unwritten, behind: false };
        // A thread of its own: a sync takes milliseconds on a good disk and minutes on a bad one, which neither the
        // engine nor the sinks should feel; and what comes meanwhile is then written with one sync.
        let thread = thread::Builder::new().name("journal".to_owned());
        thread.spawn(move || clerk.run(&inbox)).expect("the system can start a thread");
        desk
    }

    fn put(&mut self, to: &Arc<str>, message: &Arc<Message>) {
        if self.numbers.contains_key(&key(to, message)) {
            return;
        }
        if self.unwritten.load(Ordering::Relaxed) >= UNWRITTEN_MAX {
            return dead_letter(to, message, "the journal hangs");
        }
        self.last += 1;
        self.remember(self.last, key(to, message));
        self.unwritten.fetch_add(1, Ordering::Relaxed);
        let order = Order::Put { number: self.last, to: Arc::clone(to), message: Arc::clone(message) };
        if self.orders.send(order).is_err() {
            dead_letter(to, message, "the journal's thread has failed");
        }
    }

    fn remember(&mut self, number: u64, key: Key) {
        self.numbers.insert(key.clone(), number);
        self.said.insert(number, key);
        if self.said.len() > DECISIONS_MAX
            && let Some((_, oldest)) = self.said.pop_first()
        {
            self.numbers.remove(&oldest);
        }
    }

    fn forget_through(&mut self, number: u64) {
        let newer = self.said.split_off(&number.saturating_add(1));
        for key in std::mem::replace(&mut self.said, newer).into_values() {
            self.numbers.remove(&key);
        }
        self.tell(Order::Forget(number));
    }

    /// If the clerk is gone, the next message that is put says so.
    fn tell(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// Nothing more will be put: the sinks' queues are closed. If that takes long the disk hangs, and nobody waits for it.
    async fn close(&self) {
        let (reply, closed) = mpsc::channel();
        self.tell(Order::Close(reply));
        let _ = answer(closed).await;
    }

    async fn end(self) {
        let (reply, rest) = mpsc::channel();
        self.tell(Order::End(reply));
        let folder = &self.folder;
        match answer(rest).await {
            Some(Rest { pending, written: true }) if !pending.is_empty() => tracing::warn!(
                "{} messages were not delivered in time; they stand in {folder} and are delivered at the next start",
                pending.len()
            ),
            Some(Rest { written: true, .. }) => {}
            Some(Rest { pending, written: false }) => {
                for (sink, message) in pending {
                    dead_letter(&sink, &message, "there was no time left, and the journal cannot be written");
                }
            }
            None => {
                tracing::error!("the journal in {folder} failed or hangs: what was decided last may not stand there");
            }
        }
    }
}

/// What the clerk answers, within [`LAST_WORDS`] of real time: its thread knows no other, whatever the runtime's clock does.
async fn answer<T: Send + 'static>(from: mpsc::Receiver<T>) -> Option<T> {
    tokio::task::spawn_blocking(move || from.recv_timeout(LAST_WORDS).ok()).await.ok().flatten()
}

fn key(to: &Arc<str>, message: &Message) -> Key {
    (Arc::clone(to), Arc::clone(message.episode()), message.seq())
}

#[cfg(test)]
mod tests;
