//! Files of log events, read at the same time and merged by event time.
//!
//! Each file has a thread of its own, which reads and understands; what comes of it is sorted as far as is looked ahead.
//! Not the engine's work: that goes on meanwhile. Rule: the same files give the same facts in the same order, whichever
//! thread is the faster.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::input::{Event, Input, InputError};
use crate::model::event::{EventId, Fact};
use crate::model::inventory::{SourceId, SourceKind};
use crate::model::time::Timestamp;
use crate::read::Reader;
use crate::tail::fetch::RawEvent;
use crate::tail::ids::IdRing;
use crate::view::report::UnreadLines;

/// Facts of one file that are sorted at a time: what comes later than that is late, as it would be live.
const LOOK_AHEAD: usize = 16_384;
/// Bytes of events that wait to be sorted: where lines are long, fewer are looked ahead.
const LOOK_AHEAD_BYTES: usize = 128 << 20;
/// Facts handed on at a time, and how often a thread may be ahead by that.
const CHUNK: usize = 1024;
const CHUNKS_AHEAD: usize = 8;

/// A fact, when it happened, and the event it stood in.
type Dated = (Timestamp, Option<EventId>, Fact);

/// A file to be read.
pub struct File {
    /// Its number.
    pub id: SourceId,
    /// Its name, for messages.
    pub name: String,
    /// What is written there.
    pub kind: SourceKind,
    /// Reads its lines.
    pub reader: Reader,
    /// Its events.
    pub input: Input,
}

impl File {
    /// Opens a file for a reader.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or is a broken JSON document.
    pub fn open(path: &Path, id: SourceId, kind: SourceKind, reader: Reader) -> Result<Self, InputError> {
        let input = Input::open(path, matches!(kind, SourceKind::Access(_)))?;
        Ok(Self { id, name: path.to_string_lossy().into_owned(), kind, reader, input })
    }
}

/// A file that is being read.
struct Feed {
    id: SourceId,
    /// The ring of its kind.
    kind: usize,
    /// Its next fact, if that is known.
    next: Option<(Timestamp, Dated)>,
    /// What came of it: a request ends in another order than it began in.
    facts: Sorter<Dated>,
    chunks: Option<Receiver<Vec<Dated>>>,
    thread: Option<JoinHandle<Vec<UnreadLines>>>,
}

/// All files, merged.
pub struct Merge {
    feeds: Vec<Feed>,
    /// Ids of events seen, by kind of log: exports that overlap hold the same event twice.
    seen: [IdRing; 3],
    max_ids: usize,
    bytes: Arc<AtomicU64>,
}

impl Merge {
    /// Begins to read.
    #[must_use]
    pub fn new(files: Vec<File>, max_ids: usize) -> Self {
        let bytes = Arc::new(AtomicU64::new(0));
        // A file in which no line carries a time, such as a paste of a few Lambda lines, is set to when the others
        // begin: the time it was saved says nothing about what is in it.
        let (untimed, timed): (Vec<_>, Vec<_>) = files.into_iter().partition(|f| f.input.is_untimed());
        let mut feeds: Vec<_> = timed.into_iter().map(|f| Feed::begin(f, max_ids, &bytes)).collect();
        let begin = feeds.iter_mut().filter_map(Feed::head).min();
        for mut file in untimed {
            if let Some(begin) = begin {
                file.input.begin_at(begin);
            }
            feeds.push(Feed::begin(file, max_ids, &bytes));
        }
        feeds.sort_by_key(|f| f.id);
        Self { feeds, seen: [0; 3].map(|_| IdRing::default()), max_ids, bytes }
    }

    /// The earliest fact of all files.
    pub fn next(&mut self) -> Option<(Timestamp, SourceId, Fact)> {
        loop {
            let heads = self.feeds.iter_mut().enumerate().filter_map(|(at, f)| Some((f.head()?, at)));
            let (_, at) = heads.min()?;
            let feed = &mut self.feeds[at];
            let (_, (time, id, fact)) = feed.next.take()?;
            if id.is_none_or(|id| self.seen[feed.kind].insert_within(self.max_ids, time, id)) {
                return Some((time, feed.id, fact));
            }
        }
    }

    /// Bytes read so far, after unpacking.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Lines that could not be read, once all of them were.
    #[must_use]
    pub fn unread(self) -> Vec<UnreadLines> {
        let threads = self.feeds.into_iter().filter_map(|f| f.thread);
        threads.flat_map(|t| t.join().expect("reading never panics")).collect()
    }
}

impl Feed {
    fn begin(file: File, max_ids: usize, bytes: &Arc<AtomicU64>) -> Self {
        let (out, chunks) = sync_channel(CHUNKS_AHEAD);
        let kind = match file.kind {
            SourceKind::Access(_) => 0,
            SourceKind::Lambda => 1,
            SourceKind::Execution(_) => 2,
        };
        let id = file.id;
        let mut reading = Reading {
            file,
            seen: IdRing::default(),
            max_ids,
            events: Sorter::default(),
            out,
            found: Vec::new(),
            chunk: Vec::with_capacity(CHUNK),
            bytes: Arc::clone(bytes),
        };
        let thread = std::thread::spawn(move || {
            // Nobody takes any more: the output was closed.
            let _ = reading.run();
            reading.unread()
        });
        Self { id, kind, next: None, facts: Sorter::default(), chunks: Some(chunks), thread: Some(thread) }
    }

    /// When its next fact happened; waits for it.
    fn head(&mut self) -> Option<Timestamp> {
        while self.next.is_none() {
            self.next = self.facts.pop(self.chunks.is_none());
            if self.next.is_none() {
                match self.chunks.as_ref()?.recv() {
                    // What is kept of a line is bounded.
                    Ok(chunk) => chunk.into_iter().for_each(|dated| self.facts.push(dated.0, dated, 0)),
                    Err(_) => self.chunks = None,
                }
            }
        }
        self.next.as_ref().map(|(time, _)| *time)
    }
}

/// Nobody takes facts any more.
struct Closed;

/// The thread of one file.
struct Reading {
    file: File,
    /// Ids of events of this file: an event that it holds twice is read once.
    seen: IdRing,
    max_ids: usize,
    /// Events of logs whose lines belong together are sorted before they are read.
    events: Sorter<Event>,
    out: SyncSender<Vec<Dated>>,
    /// Room for what one event becomes.
    found: Vec<Fact>,
    chunk: Vec<Dated>,
    bytes: Arc<AtomicU64>,
}

impl Reading {
    fn run(&mut self) -> Result<(), Closed> {
        let is_access = matches!(self.file.kind, SourceKind::Access(_));
        loop {
            match self.file.input.next() {
                Ok(Some(event)) => {
                    if event.0.is_some_and(|id| !self.seen.insert_within(self.max_ids, event.1.time, id)) {
                        continue;
                    }
                    if is_access {
                        self.read(event)?;
                        continue;
                    }
                    let bytes = event.1.text.len();
                    self.events.push(event.1.time, event, bytes);
                    while let Some((_, event)) = self.events.pop(false) {
                        self.read(event)?;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!("{error}; what was read before is used");
                    break;
                }
            }
        }
        while let Some((_, event)) = self.events.pop(true) {
            self.read(event)?;
        }
        let mut facts = Vec::new();
        self.file.reader.finish(&mut facts);
        self.hand_on(&mut facts, None)?;
        self.flush()
    }

    fn read(&mut self, (id, event, stamped): Event) -> Result<(), Closed> {
        let mut facts = std::mem::take(&mut self.found);
        if stamped {
            self.file.reader.read(event, &mut facts);
        } else {
            self.file.reader.read_unstamped(event, &mut facts);
        }
        self.hand_on(&mut facts, id)?;
        self.found = facts;
        Ok(())
    }

    fn hand_on(&mut self, facts: &mut Vec<Fact>, id: Option<EventId>) -> Result<(), Closed> {
        // An event that ends a block, or in which several lines are glued, becomes several facts: each has an id of its
        // own, counted from the last, because what stands before depends on where a file begins.
        let mut behind = u32::try_from(facts.len()).unwrap_or(u32::MAX);
        for fact in facts.drain(..) {
            behind = behind.saturating_sub(1);
            let id = id.map(|id| RawEvent::nth(id, behind));
            let time = match &fact {
                Fact::Request(request) => request.time(),
                Fact::Lambda(line) => line.time,
                Fact::Execution(line) => line.time,
            };
            self.chunk.push((time, id, fact));
        }
        if self.chunk.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Closed> {
        self.bytes.fetch_add(self.file.input.take_bytes(), Ordering::Relaxed);
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.out.send(chunk).map_err(|_| Closed)
    }

    fn unread(&self) -> Vec<UnreadLines> {
        let broken = Some(("not_json".to_owned(), self.file.input.broken)).filter(|(_, n)| *n > 0);
        let reasons = self.file.reader.unread().iter().map(|(reason, n)| (reason.to_string(), *n)).chain(broken);
        reasons.map(|(reason, count)| UnreadLines { source: self.file.name.clone(), reason, count }).collect()
    }
}

/// Sorts by time what comes nearly in order, looking [`LOOK_AHEAD`] items ahead.
struct Sorter<T> {
    /// Not yet handed on, by number less `first`.
    items: VecDeque<Option<(T, usize)>>,
    /// Bytes of those.
    bytes: usize,
    first: u64,
    next: u64,
    /// Time and number of what is to be handed on next, the earliest last.
    sorted: Vec<(Timestamp, u64)>,
    /// The same of what came since, in order of arrival.
    fresh: Vec<(Timestamp, u64)>,
}

impl<T> Default for Sorter<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, first: 0, next: 0, sorted: Vec::new(), fresh: Vec::new() }
    }
}

impl<T> Sorter<T> {
    fn push(&mut self, time: Timestamp, item: T, bytes: usize) {
        self.bytes += bytes;
        self.fresh.push((time, self.next));
        self.next += 1;
        self.items.push_back(Some((item, bytes)));
    }

    /// The next item, if enough were looked at to know it; `all`: whatever is left.
    fn pop(&mut self, all: bool) -> Option<(Timestamp, T)> {
        let all = all || self.bytes > LOOK_AHEAD_BYTES;
        if self.fresh.len() >= LOOK_AHEAD || (all && !self.fresh.is_empty()) {
            // Both halves are nearly in order, which sorting makes use of.
            self.sorted.append(&mut self.fresh);
            self.sorted.sort_unstable_by(|a, b| b.cmp(a));
        }
        // With fewer left than are looked ahead, the next may still come.
        if !all && self.sorted.len() <= LOOK_AHEAD {
            return None;
        }
        let (time, number) = self.sorted.pop()?;
        let at = usize::try_from(number - self.first).ok()?;
        let (item, bytes) = self.items.get_mut(at)?.take()?;
        self.bytes -= bytes;
        while self.items.front().is_some_and(Option::is_none) {
            self.items.pop_front();
            self.first += 1;
        }
        Some((time, item))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn all_facts_of_one_event_are_handed_on_and_each_once() {
        const ID: &str = "aaaaaaaa-0000-4000-8000-000000000001";
        let report =
            format!(r"REPORT RequestId: {ID}\tDuration: 3.00 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\n");
        let glued = format!(
            r"START RequestId: {ID} Version: 1\n[ERROR] KeyError: 1\nTraceback (most recent call last):\n{report}"
        );
        // The second file holds the same events, as exports that overlap do.
        let files = (0..2_u16).map(|n| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            let event = |id: u8, text: &str| format!(r#"{{"eventId":"{id}","timestamp":5,"message":"{text}"}}"#);
            let head = format!("{}\n{}", event(2, "[ERROR] Late: x"), event(4, "Traceback (most recent call last):"));
            writeln!(file, "{}\n{}\n{}", event(1, &glued), head, event(3, &report)).unwrap();
            let kind = SourceKind::Lambda;
            File::open(file.path(), SourceId(n), kind, Reader::of(kind, None, true)).unwrap()
        });
        let mut merge = Merge::new(files.collect(), 1000);
        let facts = std::iter::from_fn(|| merge.next()).count();
        assert_eq!(facts, 5, "START, error and REPORT; error and REPORT");
    }

    #[test]
    fn what_lies_within_the_look_ahead_comes_in_order() {
        let mut sorter = Sorter::default();
        let mut out = Vec::new();
        let count = 5 * i64::try_from(LOOK_AHEAD).unwrap();
        for n in 0..count {
            // Pairs that are 10,000 apart are swapped.
            let ms = if n % 20_000 < 10_000 { n + 10_000 } else { n - 10_000 };
            sorter.push(Timestamp::from_millis(ms), ms, 0);
            while let Some((time, _)) = sorter.pop(false) {
                out.push(time.as_millis());
            }
        }
        assert!(!out.is_empty(), "it does not hold everything back");
        while let Some((time, _)) = sorter.pop(true) {
            out.push(time.as_millis());
        }
        assert_eq!(out.len(), usize::try_from(count).unwrap());
        assert!(out.is_sorted());
    }

    #[test]
    fn long_lines_do_not_fill_the_memory() {
        let mut sorter = Sorter::default();
        for n in 0..1000 {
            sorter.push(Timestamp::from_millis(n), n, 1 << 20);
            while sorter.pop(false).is_some() {}
            assert!(sorter.bytes <= LOOK_AHEAD_BYTES && sorter.items.len() <= 128);
        }
    }
}
