//! What is known at one moment: the last report, the latest failures, how many requests came when.
//!
//! Not how it is shown, and not where it comes from. Rule: everything here has a bound, so that an hour of any traffic is
//! as big as a minute of it; what is older than the bound is forgotten, and no count that is shown depends on that.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::failed::{Failed, Latest};
use super::rhythm::Rhythm;
use crate::model::cause::Failure;
use crate::model::inventory::SourceKind;
use crate::model::report::{Report, SourceReport};
use crate::model::request::Request;
use crate::model::text::cut;
use crate::model::time::Timestamp;

/// Notes that are kept.
const NOTES_MAX: usize = 200;
/// Bytes of one note.
const NOTE_MAX: usize = 500;
/// A log that is read up to within this of now is read as usual: CloudWatch Logs itself shows events only after seconds.
const FRESH: Duration = Duration::from_secs(30);

/// What is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Title {
    /// The API's name.
    pub api: String,
    /// AWS Region.
    pub region: String,
    /// The stage, where it is known.
    pub stage: Option<String>,
}

/// Something that was said beside the figures: a log line of gatewatch's own, a message about an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When it was said.
    pub at: Timestamp,
    /// It, in one line.
    pub text: String,
    /// Something is wrong with what gatewatch itself does.
    pub is_warning: bool,
}

/// How far the logs are read by which requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At least one of them was never read to the end.
    Nowhere,
    /// All of them up to here.
    To(Timestamp),
}

/// What is known.
#[derive(Clone, Debug)]
pub struct Board {
    title: Title,
    since: Timestamp,
    report: Option<Arc<Report>>,
    rhythm: Rhythm,
    latest: Latest,
    notes: VecDeque<Note>,
    requests: u64,
    failures: u64,
    changes: u64,
}

impl Board {
    /// Nothing is known yet; what came since `since` will be read first.
    #[must_use]
    pub fn new(title: Title, since: Timestamp) -> Self {
        Self {
            title,
            since,
            report: None,
            rhythm: Rhythm::default(),
            latest: Latest::default(),
            notes: VecDeque::new(),
            requests: 0,
            failures: 0,
            changes: 0,
        }
    }

    /// A request was counted at `now`.
    pub fn request(&mut self, request: &Request, now: Timestamp) {
        self.changes += 1;
        self.requests += 1;
        self.rhythm.count(request.time(), request.is_failure(), now);
        if request.is_failure() {
            self.failures += 1;
            if let Some(stage) = request.gateway.as_ref().and_then(|words| words.stage.as_deref()) {
                self.title.stage.get_or_insert_with(|| stage.to_owned());
            }
            self.latest.request(request, now);
        }
    }

    /// A failure is explained, perhaps anew.
    pub fn failure(&mut self, failure: &Failure, now: Timestamp) {
        self.changes += 1;
        self.latest.failure(failure, now);
    }

    /// How it is.
    pub fn report(&mut self, report: Report) {
        self.changes += 1;
        self.report = Some(Arc::new(report));
    }

    /// Something is said.
    pub fn note(&mut self, at: Timestamp, text: &str, is_warning: bool) {
        self.changes += 1;
        let text = cut(text.trim(), NOTE_MAX).to_owned();
        // Each sink is told the same.
        if let Some(last) = self.notes.back_mut().filter(|last| last.text == text) {
            last.at = at;
            return;
        }
        if self.notes.len() == NOTES_MAX {
            self.notes.pop_front();
        }
        self.notes.push_back(Note { at, text, is_warning });
    }

    /// What is followed.
    #[must_use]
    pub const fn title(&self) -> &Title {
        &self.title
    }

    /// From when on is read.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// The last report, if there was one.
    #[must_use]
    pub fn last_report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    /// Requests over time.
    #[must_use]
    pub const fn rhythm(&self) -> &Rhythm {
        &self.rhythm
    }

    /// The latest failures.
    #[must_use]
    pub const fn latest(&self) -> &Latest {
        &self.latest
    }

    /// What was said, the oldest first.
    pub fn notes(&self) -> impl DoubleEndedIterator<Item = &Note> + ExactSizeIterator {
        self.notes.iter()
    }

    /// Requests so far.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Of them, those answered 5xx.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// Changes so far: what was drawn at one number is as it is at the same number.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether every log was tried: read, or it is known why not.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.last_report().is_some_and(Report::is_ready)
    }

    /// The logs by which requests are counted: access logs, or without one execution logs.
    pub fn counting(&self) -> impl Iterator<Item = &SourceReport> {
        let sources = self.last_report().map(|report| &report.sources[..]).unwrap_or_default();
        let has_access = sources.iter().any(|source| matches!(source.kind, SourceKind::Access(_)));
        sources.iter().filter(move |source| match source.kind {
            SourceKind::Access(_) => true,
            SourceKind::Execution(_) => !has_access,
            SourceKind::Lambda => false,
        })
    }

    /// How far they are read.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let mut least = Timestamp::MAX;
        for source in self.counting() {
            let Some(read_to) = source.reading.read_to else { return Reach::Nowhere };
            least = least.min(read_to);
        }
        if least == Timestamp::MAX { Reach::Nowhere } else { Reach::To(least) }
    }

    /// Whether requests that come now are not seen: a log that counts them cannot be read, or reading is far behind.
    #[must_use]
    pub fn is_blind(&self, now: Timestamp) -> bool {
        let is_behind = match self.reach() {
            Reach::Nowhere => false,
            Reach::To(at) => now.since(at) > FRESH,
        };
        is_behind || self.counting().any(|source| source.reading.trouble.is_some())
    }

    /// How long the requests of the display window were counted for, at `now`: less than the window at first, and where
    /// the log that tells of them is not read.
    #[must_use]
    pub fn counted_for(&self, now: Timestamp) -> Duration {
        let Some(report) = self.last_report() else { return Duration::ZERO };
        let begin = self.since.max(now.minus(report.window));
        match self.reach() {
            Reach::To(end) if self.is_blind(now) => end.min(now).since(begin),
            Reach::To(_) | Reach::Nowhere => now.since(begin),
        }
    }

    /// A failure by its number.
    #[must_use]
    pub fn failed(&self, id: super::failed::FailedId) -> Option<&Failed> {
        self.latest.get(id)
    }
}
