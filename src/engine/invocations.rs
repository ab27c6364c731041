//! Invocations, put together from the lines of Lambda log streams.
//!
//! A line with a request ID goes to that invocation. A line without goes to the invocation its stream has open; where
//! none is open it waits for the stream's next START (a failed init stands before the request it kills) or, where
//! the START was never seen, for the next REPORT. In a stream that runs several invocations at a time (Managed Instances) a
//! line without an ID is nobody's. Not a verdict: `explain` gives that. Rule: invocations, streams and
//! findings are bounded; logs are lossy, so each entry also expires.

mod saved;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::streams::Streams;
pub use super::texts::Kept;
use super::texts::Texts;
use crate::model::cause::Evidence;
use crate::model::hash::FastMap;
use crate::model::id::Id;
use crate::model::inventory::SourceId;
use crate::model::invocation::{LambdaLine, LambdaSays, Report};
use crate::model::time::Timestamp;

/// Findings kept for one invocation, and lines that wait in a stream: enough for a cause and what led to it.
const FINDINGS_MAX: usize = 8;
/// An invocation runs this long at most.
const RUN_MAX: Duration = Duration::from_mins(15);
/// Bytes of a REPORT's text, as `read` bounds it.
const TEXT_MAX: usize = 2048;
/// Stands for the log group of an invocation of which no line was seen.
const UNSEEN: SourceId = SourceId(u16::MAX);

/// A line that says something about how an invocation went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The line's stamp.
    pub time: Timestamp,
    /// What it says.
    pub says: LambdaSays,
    /// The line.
    pub text: Arc<str>,
    /// The line itself carried the request ID.
    pub named: bool,
}

/// One run of a function.
#[derive(Debug, Serialize, Deserialize)]
pub struct Invocation {
    /// Which log group.
    pub source: SourceId,
    /// Which stream.
    #[serde(skip)]
    pub stream: Arc<str>,
    /// Stamp of START.
    pub started: Option<Timestamp>,
    /// REPORT: its stamp, its numbers and where its text stands; see [`Invocations::text`].
    pub report: Option<(Timestamp, Report, Kept)>,
    /// The other lines that say something, in order of arrival.
    pub findings: Vec<Finding>,
    /// The failed request that waits for this invocation.
    pub case: Option<u64>,
    /// Start of a second attempt under the same ID. Only asynchronous invocations are tried again, and a request waits
    /// for the first at most.
    again: Option<Timestamp>,
    id: Id,
    /// When it was made here; it expires by this.
    made: Timestamp,
    /// Where its stream stood when a line of it was last seen.
    #[serde(skip)]
    place: usize,
}

/// All invocations that may still be asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Invocations {
    /// In the order in which they were made, in which they also go. They are numbered in that order.
    #[serde(with = "saved::sharing_streams")]
    all: VecDeque<Invocation>,
    /// Number of the first of `all`.
    first: usize,
    /// ID -> number.
    #[serde(skip)]
    by_id: FastMap<Id, usize>,
    /// The texts of their REPORTs.
    texts: Texts,
    /// At most `max` of each source.
    streams: BTreeMap<SourceId, Streams>,
    #[serde(skip)]
    max: usize,
    #[serde(skip)]
    hold: Duration,
    /// Invocations dropped because the table was full, before they expired.
    pub dropped: u64,
}

impl Invocations {
    /// Keeps at most `max` invocations, each for at most `hold`.
    #[must_use]
    pub fn new(max: usize, hold: Duration) -> Self {
        Self {
            all: VecDeque::new(),
            first: 0,
            by_id: FastMap::default(),
            texts: Texts::new(max, TEXT_MAX),
            streams: BTreeMap::new(),
            max,
            hold,
            dropped: 0,
        }
    }

    /// Takes a line in. Returns whose it is, and the case that waits for that invocation.
    pub fn apply(&mut self, source: SourceId, line: LambdaLine, now: Timestamp) -> Option<(Id, Option<u64>)> {
        let named = line.request_id.as_ref().and_then(|id| self.by_id.get(id)).copied();
        let likely = named.map_or(0, |number| self.all[number - self.first].place);
        let streams = self.streams.entry(source).or_default();
        let place = streams.place(&line.stream, likely, self.max, now);
        let stream = streams.at(place);
        let Some(id) = line.request_id.as_ref().or_else(|| stream.owner(line.time)).cloned() else {
            if stream.overlapped.is_some() {
                // It is of one of those that run, not of the next to start.
                return None;
            }
            if stream.waiting.len() >= FINDINGS_MAX {
                stream.waiting.pop_front();
            }
            stream.waiting.push_back(line.into());
            return None;
        };
        let known = if line.request_id.is_some() { named } else { self.by_id.get(&id).copied() };
        let ended = known.and_then(|number| self.all[number - self.first].report.as_ref()).map(|r| r.0);
        // A START that is read after its own REPORT opens nothing.
        let starts = matches!(line.says, LambdaSays::Start) && ended.is_none_or(|ended| ended < line.time);
        let reports = matches!(line.says, LambdaSays::Report(_));
        if starts
            && let Some(lost) = stream.overlapped.as_ref()
            && self
                .by_id
                .get(lost)
                .and_then(|n| self.all[n - self.first].started)
                .is_none_or(|s| line.time.since(s) > RUN_MAX)
        {
            // Its REPORT will not come any more.
            stream.overlapped = None;
        }
        let owns_waiting = starts || (reports && stream.open.is_none());
        let waited = if owns_waiting && stream.overlapped.is_none() {
            std::mem::take(&mut stream.waiting)
        } else {
            VecDeque::new()
        };
        if starts {
            let before = stream.open.replace(id.clone()).filter(|before| *before != id);
            stream.opened = line.time;
            stream.overlapped = before.or(stream.overlapped.take());
        } else if reports && stream.open.as_ref() == Some(&id) {
            stream.open = None;
        }
        let LambdaLine { stream, time, request_id, says, refs: _, text } = line;
        let number = self.entry(known, &id, source, stream, now);
        let invocation = &mut self.all[number - self.first];
        invocation.place = place;
        invocation.findings.extend(waited);
        invocation.take(time, request_id.is_some(), says, text, |text| self.texts.keep(number, text));
        let (case, started) = (invocation.case, invocation.started);
        if reports && let Some(stream) = self.streams.get_mut(&source).map(|s| s.at(place)) {
            if stream.overlapped.as_ref() == Some(&id) {
                // Its end came late, if it lies before the start of the one that is open now.
                let next = stream.open.as_ref().and_then(|open| self.by_id.get(open));
                if next.and_then(|n| self.all[n - self.first].started).is_none_or(|next| time <= next) {
                    stream.overlapped = None;
                }
            }
            stream.closed = Some((id.clone(), started.unwrap_or(time), time));
            while self.texts.is_full() && !self.all.is_empty() {
                self.drop_oldest();
                self.dropped += 1;
            }
        }
        Some((id, case))
    }

    /// All invocations whose start is known, in order of it: where to look for one that fits a request.
    #[must_use]
    pub fn by_start(&self) -> Vec<(Timestamp, &Id, &Invocation)> {
        let started = self.all.iter().filter_map(|i| Some((i.start()?, &i.id, i)));
        let mut all: Vec<_> = started.collect();
        all.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        all
    }

    /// The invocation with this ID.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Invocation> {
        self.by_id.get(&Id::from(id)).map(|number| &self.all[number - self.first])
    }

    /// The text of an invocation's REPORT; empty where there is none.
    #[must_use]
    pub fn text(&self, invocation: &Invocation) -> &str {
        invocation.report.as_ref().map_or("", |(_, _, kept)| self.texts.get(*kept))
    }

    /// Notes that a failed request waits for the invocation with this ID, seen or not.
    pub fn expect(&mut self, id: &str, case: u64, now: Timestamp) {
        let id = Id::from(id);
        let known = self.by_id.get(&id).copied();
        // Not seen yet: which log group it will stand in is learned from its first line.
        let number = self.entry(known, &id, UNSEEN, Arc::from(""), now);
        self.all[number - self.first].case = Some(case);
    }

    /// Forgets what is older than `hold`.
    pub fn expire(&mut self, now: Timestamp) {
        let horizon = now.minus(self.hold);
        while self.all.front().is_some_and(|oldest| oldest.made < horizon) {
            self.drop_oldest();
        }
    }

    /// The number of the invocation with this ID, which is made if it is not known.
    fn entry(&mut self, known: Option<usize>, id: &Id, source: SourceId, stream: Arc<str>, now: Timestamp) -> usize {
        if let Some(number) = known {
            let invocation = &mut self.all[number - self.first];
            if invocation.source == UNSEEN {
                invocation.source = source;
                invocation.stream = stream;
            }
            return number;
        }
        if self.all.len() >= self.max {
            self.drop_oldest();
            self.dropped += 1;
        }
        let number = self.first + self.all.len();
        self.by_id.insert(id.clone(), number);
        self.all.push_back(Invocation {
            source,
            stream,
            started: None,
            report: None,
            findings: Vec::new(),
            case: None,
            again: None,
            id: id.clone(),
            made: now,
            place: 0,
        });
        number
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.all.pop_front() {
            self.by_id.remove(&oldest.id);
            self.first += 1;
            self.texts.forget_before(self.first);
        }
    }
}

impl Invocation {
    fn take(
        &mut self,
        time: Timestamp,
        named: bool,
        says: LambdaSays,
        text: Box<str>,
        keep: impl FnOnce(&str) -> Kept,
    ) {
        if self.again.is_some_and(|again| time >= again) {
            return;
        }
        match says {
            LambdaSays::Start => {
                if self.report.as_ref().is_some_and(|r| r.0 < time) {
                    self.again = Some(time);
                    return;
                }
                self.started = Some(time);
            }
            // Only what it names matters, and that is kept elsewhere.
            LambdaSays::Line => {}
            LambdaSays::Report(report) => self.report = Some((time, report, keep(&text))),
            LambdaSays::TimedOut { .. }
            | LambdaSays::Unhandled(_)
            | LambdaSays::Fault { .. }
            | LambdaSays::InitFailed { .. }
            | LambdaSays::PerhapsUnhandled(_)
            | LambdaSays::LastWords
            | LambdaSays::ErrorLine => {
                // A verdict is worth more than one of many lines that the function logged, and of errors that it may
                // have caught the last is nearest to the end.
                if self.findings.len() >= FINDINGS_MAX {
                    let least = self.findings.iter().enumerate().min_by_key(|(_, f)| weight(&f.says));
                    if let Some(at) = least.filter(|(_, f)| displaces(&says, &f.says)).map(|(at, _)| at) {
                        self.findings.remove(at);
                    }
                }
                if self.findings.len() < FINDINGS_MAX {
                    self.findings.push(Finding { time, says, text: text.into(), named });
                }
            }
        }
    }

    /// Whether any line of it was seen.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.source != UNSEEN
    }

    /// When it started: START, else REPORT less the duration.
    #[must_use]
    pub fn start(&self) -> Option<Timestamp> {
        let by_report = || {
            let (time, report, _) = self.report.as_ref()?;
            Some(time.minus(Duration::try_from_secs_f64(report.duration_ms? / 1000.0).ok()?))
        };
        self.started.or_else(by_report)
    }

    /// Evidence from one of its lines.
    #[must_use]
    pub fn evidence(&self, group: &Arc<str>, time: Timestamp, text: &str) -> Evidence {
        Evidence { time, source: Arc::clone(group), stream: Arc::clone(&self.stream), text: text.into() }
    }
}

/// What a finding is worth where there is no room for all.
const fn weight(says: &LambdaSays) -> u8 {
    match says {
        LambdaSays::ErrorLine => 0,
        LambdaSays::PerhapsUnhandled(_) => 1,
        LambdaSays::LastWords => 2,
        LambdaSays::Start
        | LambdaSays::Report(_)
        | LambdaSays::TimedOut { .. }
        | LambdaSays::Unhandled(_)
        | LambdaSays::Fault { .. }
        | LambdaSays::InitFailed { .. }
        | LambdaSays::Line => 3,
    }
}

const fn displaces(new: &LambdaSays, old: &LambdaSays) -> bool {
    weight(new) > weight(old)
        || matches!((new, old), (LambdaSays::PerhapsUnhandled(_), LambdaSays::PerhapsUnhandled(_)))
}

impl From<LambdaLine> for Finding {
    fn from(line: LambdaLine) -> Self {
        Self { time: line.time, named: line.request_id.is_some(), says: line.says, text: line.text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: &str, id: Option<&str>, says: LambdaSays) -> LambdaLine {
        LambdaLine {
            stream: stream.into(),
            time: Timestamp::from_millis(1000),
            request_id: id.map(Into::into),
            says,
            refs: None,
            text: "text".into(),
        }
    }

    fn table() -> Invocations {
        Invocations::new(100, Duration::from_mins(10))
    }

    const S: SourceId = SourceId(0);
    const NOW: Timestamp = Timestamp::from_millis(2000);

    #[test]
    fn a_line_without_an_id_goes_to_the_open_invocation_of_its_own_stream() {
        let mut t = table();
        t.apply(S, line("s1", Some("a"), LambdaSays::Start), NOW);
        t.apply(S, line("s2", Some("b"), LambdaSays::Start), NOW);
        t.apply(S, line("s1", None, LambdaSays::TimedOut { after_ms: 3000 }), NOW);
        assert_eq!(t.get("a").unwrap().findings.len(), 1);
        assert!(t.get("b").unwrap().findings.is_empty());
    }

    #[test]
    fn in_a_stream_that_runs_several_at_a_time_a_line_without_an_id_is_nobodys() {
        let mut t = table();
        t.apply(S, line("s", Some("a"), LambdaSays::Start), NOW);
        t.apply(S, line("s", Some("b"), LambdaSays::Start), NOW);
        t.apply(S, line("s", None, LambdaSays::TimedOut { after_ms: 3000 }), NOW);
        assert!(t.get("a").unwrap().findings.is_empty() && t.get("b").unwrap().findings.is_empty());
        t.apply(S, line("s", Some("a"), LambdaSays::Report(Report::default())), NOW);
        t.apply(S, line("s", Some("b"), LambdaSays::Report(Report::default())), NOW);
        t.apply(S, line("s", Some("c"), LambdaSays::Start), NOW);
        t.apply(S, line("s", None, LambdaSays::TimedOut { after_ms: 3000 }), NOW.plus(Duration::from_secs(1)));
        assert_eq!(t.get("c").unwrap().findings.len(), 1, "a REPORT that was only late changes nothing");
    }

    #[test]
    fn a_failed_init_belongs_to_the_start_that_follows() {
        let mut t = table();
        t.apply(S, line("s", None, LambdaSays::InitFailed { error_type: None, timed_out: true }), NOW);
        t.apply(S, line("s", Some("a"), LambdaSays::Start), NOW);
        assert_eq!(t.get("a").unwrap().findings.len(), 1);
    }

    #[test]
    fn without_a_start_the_report_takes_what_waits() {
        let mut t = table();
        t.apply(S, line("s", None, LambdaSays::TimedOut { after_ms: 29_000 }), NOW);
        t.apply(S, line("s", Some("i9j0k1l2"), LambdaSays::Report(Report::default())), NOW);
        let i = t.get("i9j0k1l2").unwrap();
        assert!(i.report.is_some());
        assert_eq!(i.findings.len(), 1);
    }

    #[test]
    fn what_comes_after_the_report_with_its_id_is_kept() {
        let mut t = table();
        t.expect("a", 7, NOW);
        assert_eq!(t.apply(S, line("s", Some("a"), LambdaSays::Start), NOW), Some(("a".into(), Some(7))));
        t.apply(S, line("s", Some("a"), LambdaSays::Report(Report::default())), NOW);
        t.apply(S, line("s", Some("a"), LambdaSays::TimedOut { after_ms: 1 }), NOW);
        assert_eq!(t.get("a").unwrap().findings.len(), 1);
        assert_eq!(t.get("a").unwrap().source, S);
    }

    #[test]
    fn lines_that_come_late_go_by_their_stamps() {
        let at = |ms: i64, mut l: LambdaLine| {
            l.time = Timestamp::from_millis(ms);
            l
        };
        let mut t = table();
        t.apply(S, at(20, line("s", Some("a"), LambdaSays::Report(Report::default()))), NOW);
        t.apply(S, at(10, line("s", Some("a"), LambdaSays::Start)), NOW);
        assert!(t.get("a").unwrap().report.is_some(), "a START that is read late does not undo the end");
        t.apply(S, at(30, line("s", Some("b"), LambdaSays::Start)), NOW);
        t.apply(S, at(40, line("s", Some("b"), LambdaSays::Report(Report::default()))), NOW);
        t.apply(S, at(50, line("s", Some("c"), LambdaSays::Start)), NOW);
        t.apply(S, at(35, line("s", None, LambdaSays::TimedOut { after_ms: 1 })), NOW);
        assert_eq!(t.get("b").unwrap().findings.len(), 1);
        assert!(t.get("c").unwrap().findings.is_empty());
    }

    #[test]
    fn in_a_paste_without_stamps_the_order_of_arrival_tells() {
        let mut t = table();
        for id in ["a", "b"] {
            t.apply(S, line("s", Some(id), LambdaSays::Start), NOW);
            t.apply(S, line("s", None, LambdaSays::TimedOut { after_ms: 1 }), NOW);
            t.apply(S, line("s", Some(id), LambdaSays::Report(Report::default())), NOW);
            t.apply(S, line("s", None, LambdaSays::ErrorLine), NOW);
        }
        assert_eq!((t.get("a").unwrap().findings.len(), t.get("b").unwrap().findings.len()), (2, 2));
    }

    #[test]
    fn the_last_errors_that_were_logged_are_kept_and_none_keeps_a_verdict_out() {
        let perhaps = |n: usize| {
            let message = Some(n.to_string().into());
            LambdaSays::PerhapsUnhandled(crate::model::invocation::RuntimeError { message, ..Default::default() })
        };
        let mut t = table();
        t.apply(S, line("s", Some("a"), LambdaSays::Start), NOW);
        for n in 0..20 {
            t.apply(S, line("s", Some("a"), perhaps(n)), NOW);
        }
        t.apply(S, line("s", Some("a"), LambdaSays::TimedOut { after_ms: 1 }), NOW);
        let f = &t.get("a").unwrap().findings;
        assert_eq!(f.len(), FINDINGS_MAX);
        assert_eq!(
            (&f[FINDINGS_MAX - 2].says, &f[FINDINGS_MAX - 1].says),
            (&perhaps(19), &LambdaSays::TimedOut { after_ms: 1 })
        );
    }

    #[test]
    fn a_report_that_never_came_does_not_mark_its_stream_for_ever() {
        let at = |minutes: u64, mut l: LambdaLine| {
            l.time = Timestamp::from_millis(0).plus(Duration::from_mins(minutes));
            l
        };
        let mut t = table();
        t.apply(S, at(0, line("s", Some("lost"), LambdaSays::Start)), NOW);
        t.apply(S, at(1, line("s", Some("b"), LambdaSays::Start)), NOW);
        t.apply(S, at(2, line("s", Some("b"), LambdaSays::Report(Report::default()))), NOW);
        t.apply(S, at(20, line("s", Some("c"), LambdaSays::Start)), NOW);
        t.apply(S, at(20, line("s", None, LambdaSays::TimedOut { after_ms: 1 })), NOW);
        assert_eq!(t.get("c").unwrap().findings.len(), 1);
    }

    #[test]
    fn a_verdict_displaces_an_ordinary_error_line() {
        let mut t = table();
        t.apply(S, line("s", Some("a"), LambdaSays::Start), NOW);
        for _ in 0..20 {
            t.apply(S, line("s", Some("a"), LambdaSays::ErrorLine), NOW);
        }
        t.apply(S, line("s", Some("a"), LambdaSays::TimedOut { after_ms: 1 }), NOW);
        let f = &t.get("a").unwrap().findings;
        assert_eq!(f.len(), FINDINGS_MAX);
        assert!(f.iter().any(|f| f.says == LambdaSays::TimedOut { after_ms: 1 }));
    }

    #[test]
    fn the_table_is_bounded_and_expires() {
        let mut t = table();
        for i in 0..1000 {
            t.apply(S, line(&format!("s{i}"), Some(&format!("id{i}")), LambdaSays::Start), NOW);
        }
        assert_eq!((t.by_id.len(), t.all.len()), (100, 100));
        assert!(t.streams[&S].len() <= 100);
        assert_eq!(t.dropped, 900);
        t.expire(NOW.plus(Duration::from_secs(601)));
        assert!(t.by_id.is_empty() && t.all.is_empty());
    }
}
