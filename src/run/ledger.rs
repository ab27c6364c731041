//! The ledger: what was decided, and for which sinks it is not settled yet.
//!
//! A decision is a message for one sink, and numbered; a record of the journal is a decision, a mark that one is
//! settled, or the last number that was given. Not the file and no delivering: `post` does that. Rule: a decision is let
//! go only when it is settled and a saved snapshot knows of it, or when the table is full, and then the oldest settled
//! ones.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{personal, secrets};
use crate::notify::message::Message;

/// Format of the journal's records. JSON says itself what it holds, so a new field needs no new format, and what a
/// version cannot read it can still print: an alert does not go lost by an upgrade.
pub const FORMAT: u32 = 2;
/// Decisions that are held: days of incidents between two snapshots, at about 2 KB each.
pub const DECISIONS_MAX: usize = 10_000;
/// Below this length of the file rewriting it is not worth while, bytes.
const WORTH_WHILE: u64 = 256 << 10;

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    /// It was decided to say this to a sink; perhaps it was said already.
    Decision { number: u64, to: Arc<str>, settled: bool, message: Arc<Message> },
    /// It was said, or given up.
    Settled { number: u64 },
    /// The numbers up to this one were given, though their decisions were let go.
    Given { number: u64 },
}

/// What was decided and is not let go.
#[derive(Debug, Default)]
pub struct Ledger {
    decisions: BTreeMap<u64, Decision>,
    /// The highest number that was given.
    last: u64,
    /// Decisions up to this number are known to a saved snapshot.
    known: u64,
    /// Bytes of the records of `decisions`.
    size: u64,
}

#[derive(Debug)]
struct Decision {
    /// The sink that it is for.
    to: Arc<str>,
    message: Arc<Message>,
    settled: bool,
    size: u64,
}

impl Ledger {
    /// Reads the records of a journal; those that cannot be read come back as text, with the reason, as they may be
    /// shown: what a message holds is masked only when it is rendered.
    pub fn read(records: &[Vec<u8>]) -> (Self, Vec<String>) {
        let mut ledger = Self::default();
        let mut unread = Vec::new();
        for record in records {
            match serde_json::from_slice(record) {
                Ok(Record::Decision { number, to, settled, message }) => {
                    ledger.insert(number, Decision { to, message, settled, size: record.len() as u64 });
                }
                Ok(Record::Settled { number }) => {
                    ledger.settle(number);
                    ledger.last = ledger.last.max(number);
                }
                Ok(Record::Given { number }) => ledger.last = ledger.last.max(number),
                Err(e) => {
                    let record = String::from_utf8_lossy(record);
                    unread.push(format!("{e}; it was: {}", personal::mask(&secrets::mask(&record))));
                }
            }
        }
        (ledger, unread)
    }

    /// The highest number that was given.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Takes a decision in and returns its record. The caller has made room.
    pub fn decide(&mut self, number: u64, to: &Arc<str>, message: &Arc<Message>) -> Vec<u8> {
        let mut decision = Decision { to: Arc::clone(to), message: Arc::clone(message), settled: false, size: 0 };
        let record = decision.record(number).encode();
        decision.size = record.len() as u64;
        self.insert(number, decision);
        record
    }

    /// It is settled; returns the record that says so, unless that was known.
    pub fn settle(&mut self, number: u64) -> Option<Vec<u8>> {
        let decision = self.decisions.get_mut(&number).filter(|d| !d.settled)?;
        decision.settled = true;
        if number <= self.known {
            self.remove(number);
        }
        Some(Record::Settled { number }.encode())
    }

    /// A snapshot that knows of the decisions up to this number was saved.
    pub fn forget_through(&mut self, number: u64) {
        self.known = self.known.max(number);
        // So that numbers go on behind it, even if the journal was lost.
        self.last = self.last.max(number);
        let settled = self.decisions.range(..=number).filter(|(_, d)| d.settled);
        for number in settled.map(|(n, _)| *n).collect::<Vec<_>>() {
            self.remove(number);
        }
    }

    /// Makes room for one decision, if need be by letting go the oldest that is settled; whether there is room now.
    pub fn make_room(&mut self) -> bool {
        if self.decisions.len() < DECISIONS_MAX {
            return true;
        }
        let oldest = self.decisions.iter().find(|(_, d)| d.settled).map(|(n, _)| *n);
        oldest.is_some_and(|number| {
            self.remove(number);
            true
        })
    }

    /// Decisions behind `number`, in order, and the sink that each is for.
    pub fn after(&self, number: u64) -> impl Iterator<Item = (u64, &Arc<str>, &Arc<Message>)> {
        self.behind(number).map(|(n, d)| (*n, &d.to, &d.message))
    }

    /// The next decision behind `number` that is for a sink and not settled.
    pub fn next_for(&self, sink: &Arc<str>, number: u64) -> Option<(u64, Arc<Message>)> {
        let (number, decision) = self.behind(number).find(|(_, d)| !d.settled && d.to == *sink)?;
        Some((*number, Arc::clone(&decision.message)))
    }

    /// What is not settled, in order.
    pub fn pending(&self) -> impl Iterator<Item = (u64, &Arc<str>, &Arc<Message>)> {
        self.decisions.iter().filter(|(_, d)| !d.settled).map(|(n, d)| (*n, &d.to, &d.message))
    }

    /// Whether a journal of this length, in bytes, is worth rewriting.
    pub const fn pays(&self, len: u64) -> bool {
        len > WORTH_WHILE && self.size < len / 2
    }

    /// The records of a journal that says the same.
    pub fn records(&self) -> Vec<Vec<u8>> {
        let decisions = self.decisions.iter().map(|(number, decision)| decision.record(*number).encode());
        std::iter::once(Record::Given { number: self.last }.encode()).chain(decisions).collect()
    }

    fn behind(&self, number: u64) -> Range<'_, u64, Decision> {
        self.decisions.range(number.saturating_add(1)..)
    }

    fn insert(&mut self, number: u64, decision: Decision) {
        self.last = self.last.max(number);
        self.size += decision.size;
        self.decisions.insert(number, decision).inspect(|old| self.size -= old.size);
    }

    fn remove(&mut self, number: u64) {
        self.decisions.remove(&number).inspect(|old| self.size -= old.size);
    }
}

impl Decision {
    fn record(&self, number: u64) -> Record {
        let (to, message) = (Arc::clone(&self.to), Arc::clone(&self.message));
        Record::Decision { number, to, settled: self.settled, message }
    }
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("these types have string keys and no failing parts")
    }
}
