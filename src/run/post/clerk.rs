//! The clerk: the one owner of the journal, on a thread of its own.
//!
//! It takes orders, writes what they mean with one sync for all that came meanwhile, and only then offers decisions to
//! the outboxes. Not the numbering of decisions: the desk does that, on the daemon's loop. Rule: what is offered stands
//! on disk, unless the disk has failed and that was said.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use crate::notify::message::Message;
use crate::notify::outbox::{NotTaken, Outbox, Outcome, dead_letter};
use crate::run::ledger::Ledger;
use crate::state::journal::Journal;

/// Orders that are written together, with one sync.
const GROUP_MAX: usize = 500;

/// A sink as the post knows it.
#[derive(Debug)]
pub struct Sink {
    pub name: Arc<str>,
    pub outbox: Outbox,
    /// Its decisions up to this number were offered to it.
    pub offered: u64,
}

/// What the clerk is told.
pub enum Order {
    Put {
        number: u64,
        to: Arc<str>,
        message: Arc<Message>,
    },
    Became {
        number: u64,
        outcome: Outcome,
    },
    Forget(u64),
    /// One more sink.
    Add(Sink),
    /// A sink is no more.
    Remove(Arc<str>),
    /// Answered when all before it is on disk, with whether it is.
    Sync(oneshot::Sender<bool>),
    /// Nothing more will be put; answered when the sinks' queues are closed.
    Close(mpsc::Sender<()>),
    /// Answered when the journal is closed.
    End(mpsc::Sender<Rest>),
}

/// What is not settled at the end.
pub struct Rest {
    pub pending: Vec<(Arc<str>, Arc<Message>)>,
    /// It stands in the journal.
    pub written: bool,
}

/// The owner of the journal, on a thread of its own.
pub struct Clerk {
    pub journal: Journal,
    pub ledger: Ledger,
    /// Empty once they are closed.
    pub sinks: Vec<Sink>,
    /// Decisions that wait to be written.
    pub unwritten: Arc<AtomicUsize>,
    /// The last write failed: the journal has to be written anew.
    pub behind: bool,
}

impl Clerk {
    /// Works until the end is ordered, or nobody can order anything any more.
    pub fn run(mut self, inbox: &mpsc::Receiver<Order>) {
        self.begin();
        while let Ok(first) = inbox.recv() {
            let group = std::iter::once(first).chain(inbox.try_iter()).take(GROUP_MAX);
            if let Some(end) = self.work(group) {
                let pending = self.ledger.pending().map(|(_, sink, message)| (Arc::clone(sink), Arc::clone(message)));
                let rest = Rest { pending: pending.collect(), written: !self.behind };
                // The folder is free before anybody hears of it.
                drop(self);
                let _ = end.send(rest);
                return;
            }
        }
    }

    /// What was left undelivered goes out, or to stderr.
    fn begin(&mut self) {
        let records = self.let_go();
        let again = self.ledger.pending().count();
        if again > 0 {
            tracing::info!("{again} messages were left undelivered and are delivered now");
        }
        self.write(&records);
        self.offer();
    }

    /// What is for a sink that is no longer named goes to stderr.
    fn let_go(&mut self) -> Vec<Vec<u8>> {
        let is_named = |name: &Arc<str>| self.sinks.iter().any(|sink| sink.name == *name);
        let lost = self.ledger.pending().filter(|(_, sink, _)| !is_named(sink));
        let lost: Vec<_> =
            lost.map(|(number, sink, message)| (number, Arc::clone(sink), Arc::clone(message))).collect();
        let mut records = Vec::new();
        for (number, sink, message) in lost {
            dead_letter(&sink, &message, "its sink is no longer configured");
            records.extend(self.ledger.settle(number));
        }
        records
    }

    /// A group of orders with one sync; the answer to the end, if it is among them.
    fn work(&mut self, group: impl Iterator<Item = Order>) -> Option<mpsc::Sender<Rest>> {
        let mut records = Vec::new();
        let mut syncs = Vec::new();
        let mut close = None;
        let mut end = None;
        for order in group {
            match order {
                Order::Put { number, to, message } => records.extend(self.decide(number, &to, &message)),
                Order::Became { number, outcome: Outcome::Settled } => records.extend(self.ledger.settle(number)),
                Order::Became { outcome: Outcome::Left, .. } => {}
                Order::Forget(number) => self.ledger.forget_through(number),
                Order::Add(sink) => self.sinks.push(sink),
                Order::Remove(name) => {
                    self.sinks.retain(|sink| sink.name != name);
                    records.extend(self.let_go());
                }
                Order::Sync(reply) => syncs.push(reply),
                Order::Close(reply) => close = Some(reply),
                Order::End(reply) => end = Some(reply),
            }
        }
        self.write(&records);
        self.offer();
        for reply in syncs {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(!self.behind);
        }
        if let Some(reply) = close {
            self.sinks.clear();
            let _ = reply.send(());
        }
        end
    }

    fn decide(&mut self, number: u64, to: &Arc<str>, message: &Arc<Message>) -> Option<Vec<u8>> {
        self.unwritten.fetch_sub(1, Ordering::Relaxed);
        if !self.ledger.make_room() {
            dead_letter(to, message, "too many messages are undelivered");
            return None;
        }
        Some(self.ledger.decide(number, to, message))
    }

    /// Makes the journal say what the ledger says. A failure is said once; messages go out all the same.
    fn write(&mut self, records: &[Vec<u8>]) {
        let Self { journal, ledger, .. } = self;
        let anew = |journal: &mut Journal| journal.rewrite(ledger.records().iter().map(Vec::as_slice));
        let mut written = if self.behind {
            anew(journal)
        } else if records.is_empty() {
            Ok(())
        } else {
            // What an append could not do a new file perhaps can.
            journal.append(&records.iter().map(Vec::as_slice).collect::<Vec<_>>()).or_else(|_| anew(journal))
        };
        if written.is_ok() && ledger.pays(journal.len()) {
            written = anew(journal);
        }
        let folder = self.journal.folder().display();
        match (written, self.behind) {
            (Ok(()), true) => tracing::info!("the journal in {folder} is written again"),
            (Err(e), false) => tracing::error!(
                "the journal in {folder} cannot be written: {e}; until it can, messages are sent, but those that are \
                 under way when gatewatch is killed are lost"
            ),
            (Ok(()), false) | (Err(_), true) => return,
        }
        self.behind = !self.behind;
    }

    /// Hands the outboxes what they have room for.
    fn offer(&mut self) {
        let mut given_up = Vec::new();
        for sink in &mut self.sinks {
            while let Some((number, message)) = self.ledger.next_for(&sink.name, sink.offered) {
                match sink.outbox.offer(number, &message) {
                    Ok(()) => {}
                    // Goes on when one of those before it is settled.
                    Err(NotTaken::Full) => break,
                    Err(NotTaken::Closed) => {
                        dead_letter(&sink.name, &message, "the sink has failed");
                        given_up.extend(self.ledger.settle(number));
                    }
                }
                sink.offered = number;
            }
        }
        if !given_up.is_empty() {
            self.write(&given_up);
        }
    }
}
