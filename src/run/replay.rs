//! `replay`: the same engine over files, with a report at the end.
//!
//! Facts of all files are merged by event time. Files need not be sorted: each is looked ahead in, and what comes
//! later than that is late, as it would be live. Rule: the same input gives the same output, whenever it is run.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::follow::{Show, print};
use super::input::Input;
use super::pipeline::{Pipeline, Said};
use crate::config::Config;
use crate::engine;
use crate::engine::correlate::Reporting;
use crate::engine::window::SLOT;
use crate::model::cause::{CauseKind, Certainty};
use crate::model::event::Fact;
use crate::model::inventory::{ApiId, Inventory, Source, SourceId, SourceKind};
use crate::model::time::Timestamp;
use crate::read::Reader;
use crate::tail::ids::IdRing;
use crate::view::report::{self, UnreadLines};

/// Facts of one file that are sorted at a time.
const LOOK_AHEAD: usize = 20_000;

/// What to replay, and how.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Rules, windows and limits; its first API stands for the files.
    pub config: Config,
    /// Access logs.
    pub access: Vec<PathBuf>,
    /// Lambda logs.
    pub lambda: Vec<PathBuf>,
    /// Execution logs.
    pub execution: Vec<PathBuf>,
    /// Print every request.
    pub requests: bool,
    /// How it is shown.
    pub show: Show,
}

/// Replays. A file that cannot be read is named on stderr and the others go on.
///
/// # Errors
/// When no file could be read, or the output cannot be written.
pub fn run(replay: &Replay, out: &mut impl Write) -> Result<()> {
    match replay.run(out) {
        // The reader has seen enough, as in `gatewatch replay .. | head`.
        Err(e) if e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => Ok(()),
        outcome => outcome,
    }
}

impl Replay {
    fn run(&self, out: &mut impl Write) -> Result<()> {
        let (mut merge, inventory) = self.open();
        let wanted = self.access.len() + self.lambda.len() + self.execution.len();
        let files = merge.files.len();
        if files == 0 {
            bail!("none of the {wanted} files could be read");
        }
        let failed = wanted - files;
        let inventory = Arc::new(inventory);
        let settings = engine::Settings {
            rules: self.config.rules.clone(),
            window: self.config.window,
            max_endpoints: self.config.max_endpoints,
            max_invocations: self.config.max_invocations,
            reporting: Reporting::Final,
            // The whole input is there: an invocation may be asked for as long as the tables hold it.
            explain_hold: Duration::from_hours(24),
            requests: self.requests,
            totals: true,
            ..engine::Settings::new(Arc::clone(&inventory))
        };
        let mut pipeline = Pipeline::new(settings, self.config.notify);
        let mut examples = BTreeSet::new();
        let mut say = |said: Vec<Said>| -> io::Result<()> {
            said.iter().filter(|s| self.shows(s, &mut examples)).try_for_each(|s| print(out, s, &inventory, self.show))
        };
        let mut step = None;
        let mut now = Timestamp::MIN;
        while let Some((time, source, fact)) = merge.next() {
            now = now.max(time);
            if step.is_none_or(|s| now >= s) {
                say(pipeline.seal_all(files, now.floor(SLOT)))?;
                step = Some(now.floor(SLOT).plus(SLOT));
            }
            pipeline.fact(source, fact, now);
        }
        if let Some(end) = step {
            say(pipeline.seal_all(files, end))?;
        }
        say(pipeline.finish())?;
        let dropped = pipeline.engine().dropped();
        if dropped != engine::Dropped::default() {
            tracing::warn!("left out or cut: {dropped}");
        }
        let unread = unread(&merge.files);
        let summary = pipeline.engine().totals().summary();
        if self.show != Show::Json && (!summary.causes.is_empty() || self.requests) {
            writeln!(out)?;
        }
        match self.show {
            Show::Json => writeln!(out, "{}", report::json(&summary, &inventory, &unread))?,
            Show::Text(_) => write!(out, "{}", report::text(&summary, &inventory, &unread))?,
        }
        out.flush()?;
        if failed > 0 {
            bail!("{failed} of {wanted} files could not be read");
        }
        Ok(())
    }

    /// People get the alerts, one example of each cause, and the report; programs get every failure.
    fn shows(&self, said: &Said, examples: &mut BTreeSet<(CauseKind, Certainty)>) -> bool {
        match said {
            Said::Request(_) | Said::Message(_) => true,
            Said::Failure(failure) => {
                let cause = &failure.explanation.cause;
                self.show == Show::Json || self.requests || examples.insert((cause.kind, cause.certainty))
            }
        }
    }

    /// Opens the files. What cannot be opened is said and left out.
    fn open(&self) -> (Merge, Inventory) {
        let inventory = self.config.inventory("-");
        let mut inventory = Inventory { apis: inventory.apis, sources: Vec::new() };
        let mut files = Vec::new();
        let access = self.access.iter().map(|p| (p, SourceKind::Access(ApiId(0))));
        let lambda = self.lambda.iter().map(|p| (p, SourceKind::Lambda));
        let execution = self.execution.iter().map(|p| (p, SourceKind::Execution(ApiId(0))));
        for (path, kind) in access.chain(lambda).chain(execution) {
            let input = match Input::open(path) {
                Ok(input) => input,
                Err(error) => {
                    tracing::error!("{error}");
                    continue;
                }
            };
            let name = path.to_string_lossy();
            let id = SourceId(u16::try_from(files.len()).unwrap_or(u16::MAX));
            inventory.sources.push(Source { name: name.as_ref().into(), region: None, kind, function: None });
            files.push(Merged {
                id,
                name: name.into_owned(),
                input: Some(input),
                broken: 0,
                reader: Reader::of(kind, self.config.format(kind), true),
                kind: usize::from(kind == SourceKind::Lambda),
                facts: BinaryHeap::new(),
                read: 0,
            });
        }
        (Merge::new(files, self.config.max_ids), inventory)
    }
}

/// One file, sorted as far as it is looked ahead in.
struct Merged {
    id: SourceId,
    name: String,
    /// `None` once it is read to its end.
    input: Option<Input>,
    broken: u64,
    reader: Reader,
    /// The ring of its kind.
    kind: usize,
    facts: BinaryHeap<Reverse<Ordered>>,
    read: u64,
}

/// A fact in order of event time, then of the file.
struct Ordered {
    time: Timestamp,
    number: u64,
    fact: Fact,
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.number) == (other.time, other.number)
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}

/// All files, merged.
struct Merge {
    files: Vec<Merged>,
    /// Ids of events seen, of access logs and of Lambda logs: exports that overlap hold the same event twice.
    seen: [IdRing; 2],
}

impl Merge {
    fn new(files: Vec<Merged>, max_ids: usize) -> Self {
        let mut merge = Self { files, seen: [IdRing::new(max_ids), IdRing::new(max_ids)] };
        // A file in which no line carries a time, such as a paste of a few Lambda lines, is set to when the others
        // begin: the time it was saved says nothing about what is in it.
        let (untimed, timed): (Vec<_>, Vec<_>) =
            merge.files.iter_mut().partition(|f| f.input.as_ref().is_some_and(Input::is_untimed));
        let begin = timed.into_iter().filter_map(|f| {
            f.fill(&mut merge.seen);
            f.facts.peek().map(|o| o.0.time)
        });
        if let Some(begin) = begin.min() {
            untimed.into_iter().filter_map(|f| f.input.as_mut()).for_each(|i| i.begin_at(begin));
        }
        merge
    }

    /// The earliest fact of all files.
    fn next(&mut self) -> Option<(Timestamp, SourceId, Fact)> {
        for file in &mut self.files {
            file.fill(&mut self.seen);
        }
        let waiting = self.files.iter_mut().filter(|f| !f.facts.is_empty());
        let earliest = waiting.min_by_key(|f| f.facts.peek().map(|o| o.0.time))?;
        let id = earliest.id;
        earliest.facts.pop().map(|Reverse(o)| (o.time, id, o.fact))
    }
}

impl Merged {
    fn fill(&mut self, seen: &mut [IdRing; 2]) {
        let mut facts = Vec::new();
        while self.facts.len() < LOOK_AHEAD {
            let Some(input) = &mut self.input else { return };
            match input.next() {
                Ok(Some((id, event))) => {
                    if id.is_none_or(|id| seen[self.kind].insert(event.time, id)) {
                        self.reader.read(event, &mut facts);
                    }
                }
                Ok(None) => self.end(&mut facts),
                Err(error) => {
                    tracing::error!("{error}; what was read before is used");
                    self.end(&mut facts);
                }
            }
            for fact in facts.drain(..) {
                let time = match &fact {
                    Fact::Request(request) => request.time(),
                    Fact::Lambda(line) => line.time,
                    Fact::Execution(line) => line.time,
                };
                self.read += 1;
                self.facts.push(Reverse(Ordered { time, number: self.read, fact }));
            }
        }
    }

    fn end(&mut self, facts: &mut Vec<Fact>) {
        self.broken = self.input.take().map_or(0, |i| i.broken);
        self.reader.finish(facts);
    }
}

fn unread(files: &[Merged]) -> Vec<UnreadLines> {
    let of = |file: &Merged| {
        let broken = (file.broken > 0).then(|| ("not_json".to_owned(), file.broken));
        let reasons = file.reader.unread().iter().map(|(reason, n)| (reason.to_string(), *n));
        let name = file.name.clone();
        let lines =
            reasons.chain(broken).map(move |(reason, count)| UnreadLines { source: name.clone(), reason, count });
        lines.collect::<Vec<_>>()
    };
    files.iter().flat_map(of).collect()
}
