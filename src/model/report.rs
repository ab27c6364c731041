//! What a running daemon says of itself: one consistent cut, made by the owner of the engine.
//!
//! For whoever shows how it is: service managers, health checks, metrics. Not an alert and not a message. Rule: plain
//! values, so that whoever shows them needs no access to what they were made from; counters that grow say since when.

use std::sync::Arc;
use std::time::Duration;

use super::alert::Alert;
use super::cause::Join;
use super::dropped::Dropped;
use super::inventory::{ApiId, SourceKind};
use super::problem::Problem;
use super::summary::Summary;
use super::time::Timestamp;

/// How it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// When the cut was made.
    pub now: Timestamp,
    /// When the process began to watch.
    pub started: Timestamp,
    /// Since when APIs and events are counted: where a state is kept, longer than the process runs.
    pub counted_since: Timestamp,
    /// All APIs, by [`ApiId`]; those that are not watched any more among them.
    pub apis: Vec<ApiReport>,
    /// Log groups that are read.
    pub sources: Vec<SourceReport>,
    /// Patterns of log groups that were not looked up yet.
    pub unlisted: usize,
    /// APIs whose logs are found out.
    pub discoveries: Vec<DiscoveryReport>,
    /// Figures of the endpoints over the display window, where [`Detail::Full`] was asked for.
    pub summary: Option<Summary>,
    /// Length of the display window.
    pub window: Duration,
    /// Alerts that fire, as they stand.
    pub firing: Vec<Alert>,
    /// What was left out or cut, in this process.
    pub dropped: Dropped,
    /// Failures that are no longer followed, by how each was joined to its invocation; since `counted_since`.
    pub joins: Vec<(Join, u64)>,
    /// Requests to AWS, in this process.
    pub calls: Vec<Calls>,
    /// The engine's turns, in this process.
    pub turns: Turns,
    /// Where messages go.
    pub sinks: Vec<SinkReport>,
    /// What became of changed configurations.
    pub reloads: Reloads,
}

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Without the figures of endpoints: cheap enough for every few seconds.
    Brief,
    /// Everything.
    Full,
}

/// One API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiReport {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is watched; an earlier configuration may have named it.
    pub watched: bool,
    /// Requests.
    pub requests: u64,
    /// Requests answered 5xx.
    pub failures: u64,
    /// Episodes of alerts that fired.
    pub alerts: u64,
}

/// One API whose logs are found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryReport {
    /// Its name.
    pub api: Arc<str>,
    /// It was looked at since the process began, and what was found, if anything, is what is watched.
    pub tried: bool,
    /// It is watched: something was found, now or earlier.
    pub watched: bool,
    /// Looks that failed, in this process.
    pub failed: u64,
    /// Why the last one failed; `None` if it did not.
    pub why: Option<Arc<str>>,
}

/// One log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// Its name or ARN.
    pub name: Arc<str>,
    /// What is written there.
    pub kind: SourceKind,
    /// The APIs that name it.
    pub apis: Vec<ApiId>,
    /// AWS Region.
    pub region: Option<Arc<str>>,
    /// The role that is taken on to read it.
    pub role: Option<Arc<str>>,
    /// How far it is read.
    pub reading: Reading,
    /// Events counted, since [`Report::counted_since`]; without gatewatch's own lines.
    pub events: u64,
    /// Lines that could not be read, by reason, in this process.
    pub unread: Vec<(&'static str, u64)>,
    /// Lines that gatewatch itself wrote there and that were dropped, in this process.
    pub own_lines: u64,
    /// A read was finished, or has failed for a reason that is known, since reading began.
    pub tried: bool,
}

/// How far a log group is read, and why not further.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Event time up to which it is read; `None` if it never was.
    pub read_to: Option<Timestamp>,
    /// Why it is not read, if it is not.
    pub trouble: Option<Trouble>,
}

/// Why a log group is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The kind.
    pub problem: Problem,
    /// The service's words, or ours where it said nothing.
    pub said: Arc<str>,
    /// Since when, in arrival time.
    pub since: Timestamp,
}

/// Requests of one operation, account and Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// The operation, as AWS calls it.
    pub operation: &'static str,
    /// AWS Region.
    pub region: Arc<str>,
    /// The role that made them; `None` is whoever runs the program.
    pub role: Option<Arc<str>>,
    /// How they failed; `None` is that they did not.
    pub problem: Option<Problem>,
    /// How many.
    pub count: u64,
}

/// How long the engine's turns take: each takes one batch in and looks with all rules that are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// How many there were.
    pub count: u64,
    /// All of them together.
    pub total: Duration,
    /// The last one.
    pub last: Duration,
    /// The longest.
    pub longest: Duration,
}

/// One sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkReport {
    /// Its name.
    pub name: Arc<str>,
    /// Messages that wait for it.
    pub queued: usize,
    /// Messages that it took, in this process.
    pub delivered: u64,
    /// Messages that it was not given and that stand on standard error, in this process.
    pub dead_lettered: u64,
    /// Its last try failed.
    pub failing: bool,
}

/// What became of changed configurations, in this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// So many took effect.
    pub good: u64,
    /// So many were wrong.
    pub failed: u64,
    /// What was wrong with the last one; `None` if it took effect.
    pub error: Option<Arc<str>>,
}

impl Turns {
    /// One more.
    pub fn add(&mut self, took: Duration) {
        self.count += 1;
        self.total += took;
        self.last = took;
        self.longest = self.longest.max(took);
    }
}

impl Report {
    /// Whether every source was tried since reading began: it was read, or the reason why not is known. So were the APIs
    /// whose logs are found out.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.unlisted == 0
            && self.sources.iter().all(|source| source.tried)
            && self.discoveries.iter().all(|discovery| discovery.tried)
    }

    /// How far the source that is furthest behind is behind, if all were ever read.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        let lags = self.sources.iter().map(|source| Some(self.now.since(source.reading.read_to?)));
        lags.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}
