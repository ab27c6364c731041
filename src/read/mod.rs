//! One line of text -> one fact.
//!
//! A [`Reader`] stands behind each source: it knows what is written there and counts what it could not read. Not the
//! transport and not the statistics. Rule: reading never fails and never panics, whatever the bytes; a line that is
//! not understood is counted under its reason.

pub mod access;
pub mod execution;
mod json;
pub mod lambda;
pub mod own;
mod route;
pub mod stamp;

use std::collections::BTreeMap;

pub use self::access::Template;
use self::access::When;
use crate::model::cause::words;
use crate::model::event::{Fact, LogEvent};
use crate::model::inventory::SourceKind;
use crate::model::secrets::mask;
use crate::model::text::{cut, printable};

/// How much of a line that was not read is shown, in bytes.
const EXAMPLE_MAX: usize = 120;

words! {
    /// Why a line did not become a fact.
    Unread {
        /// Nothing but white space.
        Empty = "empty",
        /// Not in a shape that is known for this kind of source.
        NotRecognised = "not_recognised",
        /// Written by gatewatch itself.
        Own = "own",
        /// An access line without a status: it cannot be counted.
        NoStatus = "no_status",
    }
}

/// Reads the lines of one source.
#[derive(Debug)]
pub struct Reader {
    kind: Kind,
    unread: BTreeMap<Unread, u64>,
    /// Reasons that are new since they were last asked for, with the beginning of the first such line.
    news: Vec<(Unread, String)>,
}

#[derive(Debug)]
enum Kind {
    Access(Box<access::AccessReader>),
    Lambda(lambda::LambdaReader),
    Execution(execution::ExecutionReader),
}

impl Reader {
    /// A reader for what is written in a source of this kind, with the IDs of all requests.
    #[must_use]
    pub fn new(kind: SourceKind) -> Self {
        Self::of(kind, None, true)
    }

    /// A reader for what is written in a source of this kind. Of requests that went well the IDs are left away unless
    /// `all_ids`: nothing joins those. Some keep that of their invocation, which tells who serves the endpoint.
    #[must_use]
    pub fn with(kind: SourceKind, all_ids: bool) -> Self {
        Self::of(kind, None, all_ids)
    }

    /// The same, for an access log whose format is known.
    #[must_use]
    pub fn of(kind: SourceKind, template: Option<Template>, all_ids: bool) -> Self {
        let kind = match kind {
            SourceKind::Access(api) => Kind::Access(Box::new(access::AccessReader::new(api, template, all_ids))),
            SourceKind::Lambda => Kind::Lambda(lambda::LambdaReader::default()),
            SourceKind::Execution(_) => Kind::Execution(execution::ExecutionReader::default()),
        };
        Self { kind, unread: BTreeMap::new(), news: Vec::new() }
    }

    /// Whether it asks which stream a line stands in: an access line says the same in any.
    #[must_use]
    pub const fn knows_streams(&self) -> bool {
        !matches!(self.kind, Kind::Access(_))
    }

    /// Reads one event and adds what it says to `facts`: mostly one fact, none for lines without meaning here, two
    /// when it ends a block of lines that was still open. False if gatewatch itself wrote it: then it says nothing, and
    /// does not count.
    pub fn read(&mut self, event: LogEvent, facts: &mut Vec<Fact>) -> bool {
        let when = When::Stamped(event.time);
        self.read_at(event, when, facts)
    }

    /// The same for a line of a file without stamps, whose time is a guess from the lines around it.
    pub fn read_unstamped(&mut self, event: LogEvent, facts: &mut Vec<Fact>) {
        let when = When::Unstamped(event.time);
        self.read_at(event, when, facts);
    }

    fn read_at(&mut self, event: LogEvent, when: When, facts: &mut Vec<Fact>) -> bool {
        if own::is_own(&event.text) {
            self.count(Unread::Own, &event.text);
            return false;
        }
        if event.text.trim_ascii_start().is_empty() {
            self.count(Unread::Empty, "");
            return true;
        }
        match &mut self.kind {
            Kind::Access(access) => match access.read(&event.text, when) {
                Ok(request) => facts.push(Fact::Request(request)),
                Err(reason) => self.count(reason, &event.text),
            },
            Kind::Lambda(lambda) => lambda.read(event, |line| facts.push(Fact::Lambda(line))),
            Kind::Execution(execution) => {
                let found = |line| facts.push(Fact::Execution(line));
                if let Err(reason) = execution.read(&event, found) {
                    self.count(reason, &event.text);
                }
            }
        }
        true
    }

    /// Reasons for which a line was not read for the first time, with the beginning of that line; each is handed out
    /// once.
    pub fn news(&mut self) -> Vec<(Unread, String)> {
        std::mem::take(&mut self.news)
    }

    /// The end of the input: what is still open becomes a fact as it stands.
    pub fn finish(&mut self, facts: &mut Vec<Fact>) {
        match &mut self.kind {
            Kind::Access(_) | Kind::Execution(_) => {}
            Kind::Lambda(lambda) => lambda.finish(|line| facts.push(Fact::Lambda(line))),
        }
    }

    /// Lines that did not become facts, by reason.
    #[must_use]
    pub const fn unread(&self) -> &BTreeMap<Unread, u64> {
        &self.unread
    }

    fn count(&mut self, reason: Unread, line: &str) {
        let count = self.unread.entry(reason).or_default();
        *count += 1;
        if *count == 1 && reason != Unread::Empty {
            // Masked before it is cut: half a secret no longer looks like one.
            let line = mask(cut(line.trim(), 8 * EXAMPLE_MAX));
            self.news.push((reason, printable(cut(&line, EXAMPLE_MAX))));
        }
    }
}
