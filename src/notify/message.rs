//! A message: one alert at one moment, or a notice, as it is told to people.
//!
//! Not the rendering: these are the words that all renderings share. Rule: whoever delivers a message knows it by its
//! episode, number and severity, whatever it is about.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::query::Query;
use crate::model::alert::{Alert, Blindness, CauseCount, Reason, Severity, State, Subject};
use crate::model::cause::CauseKind;
use crate::model::notice::Notice;
use crate::model::time::{Timestamp, human};

/// What is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// About an alert.
    Alert(Box<AlertMessage>),
    /// About many alerts at once.
    Digest(Box<Digest>),
    /// What people should know and no rule is about.
    Notice(Box<Notice>),
    /// About nothing: somebody tries whether messages arrive.
    Test(Box<Test>),
}

/// What is said about many alerts at once, because one message for each would be too many. Like an alert it is said as
/// firing once, perhaps again when it has changed, and as resolved once: when all its members are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Time of the change, on the clock of its members.
    pub time: Timestamp,
    /// Firing as long as one member is.
    pub state: State,
    /// Why this is said.
    pub reason: Reason,
    /// The highest of the members that fire; of a resolved one, the highest there was.
    pub severity: Severity,
    /// The rule of all members; `None` if they differ.
    pub rule: Option<Arc<str>>,
    /// The name of the API of all members; `None` if they differ.
    pub api: Option<Arc<str>>,
    /// Since when the first of them has fired.
    pub since: Timestamp,
    /// Members that fire.
    pub firing: usize,
    /// Members that have resolved.
    pub resolved: usize,
    /// The worst ten of those that fire, of a resolved one of those that did, worst first. Their `seq` is 0 where they
    /// were not said by themselves.
    pub members: Vec<AlertMessage>,
    /// Names it.
    pub episode: Arc<str>,
    /// From 1 within its episode.
    pub seq: u32,
}

/// A message that only shows that messages arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// When it was sent.
    pub time: Timestamp,
    /// Names it.
    pub episode: Arc<str>,
}

/// What is said about an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertMessage {
    /// The alert as it stands. Of a resolved one the causes are those that were said last.
    pub alert: Alert,
    /// The API's name.
    pub api: Arc<str>,
    /// Why this is said.
    pub reason: Reason,
    /// From 1 within its episode.
    pub seq: u32,
    /// A query that shows more.
    pub query: Option<Query>,
}

impl Message {
    /// Names what it belongs to: the life of an alert, or a notice.
    #[must_use]
    pub const fn episode(&self) -> &Arc<str> {
        match self {
            Self::Alert(m) => &m.alert.episode,
            Self::Digest(digest) => &digest.episode,
            Self::Notice(notice) => &notice.episode,
            Self::Test(test) => &test.episode,
        }
    }

    /// From 1 within its episode.
    #[must_use]
    pub const fn seq(&self) -> u32 {
        match self {
            Self::Alert(m) => m.seq,
            Self::Digest(digest) => digest.seq,
            Self::Notice(_) | Self::Test(_) => 1,
        }
    }

    /// How bad it is; notices and tests are on the lowest rung.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Alert(m) => m.alert.severity,
            Self::Digest(digest) => digest.severity,
            Self::Notice(_) | Self::Test(_) => Severity::Elevated,
        }
    }

    /// What is said of an alert, if it is about one.
    #[must_use]
    pub const fn alert(&self) -> Option<&AlertMessage> {
        match self {
            Self::Alert(m) => Some(m),
            Self::Digest(_) | Self::Notice(_) | Self::Test(_) => None,
        }
    }
}

impl From<AlertMessage> for Message {
    fn from(m: AlertMessage) -> Self {
        Self::Alert(Box::new(m))
    }
}

impl From<Digest> for Message {
    fn from(digest: Digest) -> Self {
        Self::Digest(Box::new(digest))
    }
}

impl From<Notice> for Message {
    fn from(notice: Notice) -> Self {
        Self::Notice(Box::new(notice))
    }
}

impl AlertMessage {
    /// Whom it is about: `POST /checkout`, a log group, or the API's name.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.alert.key.subject {
            Subject::Api => self.api.to_string(),
            Subject::Endpoint(endpoint) => endpoint.to_string(),
            Subject::Source(source) => source.to_string(),
        }
    }

    /// The finding's name.
    #[must_use]
    pub fn title(&self) -> String {
        let (subject, api) = (self.subject(), &self.api);
        match (&self.alert.key.subject, self.alert.state) {
            (Subject::Api, State::Firing) => format!("High Server Error Rate (5xx): {api}"),
            (Subject::Api, State::Resolved) => format!("Resolved: {api}"),
            (Subject::Endpoint(_), State::Firing) => format!("Degraded API Endpoint: {subject} ({api})"),
            (Subject::Source(_), State::Firing) => format!("Log Group Not Read: {subject} ({api})"),
            (Subject::Endpoint(_) | Subject::Source(_), State::Resolved) => format!("Resolved: {subject} ({api})"),
        }
    }

    /// `CRITICAL POST /checkout 40.0% 5xx (12 of 30, 5m)`, or `HIGH /aws/lambda/pay not read for 2m: access denied (shop)`.
    #[must_use]
    pub fn headline(&self) -> String {
        let a = &self.alert;
        let (word, subject) = (self.word(), self.subject());
        if let Some(blindness) = &a.blindness {
            return format!("{word} {subject} {} ({})", self.not_read(blindness), self.api);
        }
        let share = a.value * 100.0;
        format!("{word} {subject} {share:.1}% 5xx ({} of {}, {})", a.errors, a.requests, short(a.window))
    }

    /// `CRITICAL`, or `RESOLVED`.
    #[must_use]
    pub fn word(&self) -> String {
        match self.alert.state {
            State::Firing => self.alert.severity.word().to_ascii_uppercase(),
            State::Resolved => "RESOLVED".to_owned(),
        }
    }

    /// `not read for 2m: access denied`, or that it is read again.
    #[must_use]
    pub fn not_read(&self, blindness: &Blindness) -> String {
        let (lasted, why) = (rough(self.lasted()), blindness.problem.phrase());
        match self.alert.state {
            State::Firing => format!("not read for {lasted}: {why}"),
            State::Resolved => format!("read again after {lasted}: {why}"),
        }
    }

    /// `9x TypeError in checkout-fn index.js:12, 3x integration timeout`: the three most frequent.
    #[must_use]
    pub fn causes(&self) -> String {
        let known: Vec<_> = self.alert.causes.iter().take(3).map(|c| format!("{}x {}", c.count, cause(c))).collect();
        let more = self.alert.causes.iter().skip(3).map(|c| c.count).sum::<u64>();
        match (known.is_empty(), more) {
            (true, _) => String::new(),
            (false, 0) => known.join(", "),
            (false, more) => format!("{}, {more}x other", known.join(", ")),
        }
    }

    /// How long the condition has held, or held.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.alert.time.since(self.alert.since)
    }
}

/// `37 alerts of endpoint-5xx (shop)`.
#[must_use]
pub fn digest_headline(d: &Digest) -> String {
    let rule = d.rule.as_deref().unwrap_or("several rules");
    let api = d.api.as_deref().unwrap_or("several APIs");
    format!("{} alerts of {rule} ({api})", d.firing)
}

/// A notice's finding: `Reading Stood Still: 47m`.
#[must_use]
pub fn notice_title(n: &Notice) -> String {
    format!("Reading Stood Still: {}", rough(n.lasted()))
}

/// `reading stood still for 47m (10:02 to 10:49 UTC, unreachable): 14402 requests caught up, 112 failed`.
#[must_use]
pub fn notice_headline(n: &Notice) -> String {
    let why: Vec<_> = n.why.iter().map(|problem| format!(", {}", problem.phrase())).collect();
    format!("reading stood still for {} ({}{}): {}", rough(n.lasted()), span(n.from, n.to), why.concat(), caught_up(n))
}

/// `14402 requests caught up, 112 failed`.
#[must_use]
pub fn caught_up(n: &Notice) -> String {
    let noun = if n.requests == 1 { "request" } else { "requests" };
    format!("{} {noun} caught up, {} failed", n.requests, n.failures)
}

/// Two times to the minute; with their dates, where these differ.
fn span(from: Timestamp, to: Timestamp) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    // An absurd time is not written as a date.
    let parts = |t: &str| {
        let (date, time) = t.split_once('T')?;
        Some((date.to_owned(), time.get(..5)?.to_owned()))
    };
    match (parts(&from), parts(&to)) {
        (Some((a, from)), Some((b, to))) if a == b => format!("{from} to {to} UTC"),
        (Some((a, from)), Some((b, to))) => format!("{a} {from} to {b} {to} UTC"),
        (_, _) => format!("{from} to {to}"),
    }
}

/// A cause in a few words.
#[must_use]
pub fn cause(c: &CauseCount) -> String {
    let s = &c.sample;
    let what = match (&s.error_type, c.kind) {
        (Some(error_type), CauseKind::UnhandledException | CauseKind::InitFailure | CauseKind::ProcessExit) => {
            error_type.to_string()
        }
        (_, kind) => kind_words(kind),
    };
    let function = s.function.as_ref().map(|f| format!(" in {f}")).unwrap_or_default();
    let site = s.site.as_ref().map(|p| format!(" {p}")).unwrap_or_default();
    let sure = if c.certain == 0 && c.kind != CauseKind::Unknown { " (likely)" } else { "" };
    format!("{what}{function}{site}{sure}")
}

/// A kind of cause in words.
#[must_use]
pub fn kind_words(kind: CauseKind) -> String {
    if kind == CauseKind::Unknown { "not explained".to_owned() } else { kind.word().replace('_', " ") }
}

/// A duration without blanks: `5m`, `1m30s`.
#[must_use]
pub fn short(d: Duration) -> String {
    human(d).replace(' ', "")
}

/// A duration as one tells it: to the second, from ten minutes on to the minute.
#[must_use]
pub fn rough(d: Duration) -> String {
    let whole = if d < Duration::from_mins(10) { 1 } else { 60 };
    short(Duration::from_secs(d.as_secs() / whole * whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_roughly() {
        let told = |ms| rough(Duration::from_millis(ms));
        assert_eq!([told(120_003), told(192_999), told(2_837_000), told(900)], ["2m", "3m12s", "47m", "0s"]);
    }

    #[test]
    fn a_span_names_dates_where_they_differ() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let from = at("2026-11-22T10:02:31Z");
        assert_eq!(span(from, at("2026-11-22T10:49:00Z")), "10:02 to 10:49 UTC");
        assert_eq!(span(from, at("2026-11-23T00:01:00Z")), "2026-11-22 10:02 to 2026-11-23 00:01 UTC");
        assert_eq!(span(from, Timestamp::MAX), format!("{from} to {}", Timestamp::MAX));
    }
}
