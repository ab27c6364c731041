//! A message: one alert at one moment, or a notice, as it is told to people.
//!
//! Not its words, which are `headline`, nor the renderings. Rule: whoever delivers a message knows it by its episode,
//! number and severity, whatever it is about.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::query::Query;
use crate::model::alert::{Alert, Measure, Reason, Severity, State, Subject};
use crate::model::cause::{CauseKind, Fix};
use crate::model::notice::Notice;
use crate::model::time::Timestamp;

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

    /// What it is: `alert`, `digest`, `notice` or `test`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Alert(_) => "alert",
            Self::Digest(_) => "digest",
            Self::Notice(_) => "notice",
            Self::Test(_) => "test",
        }
    }

    /// Firing or resolved, where it is about what fires.
    #[must_use]
    pub const fn state(&self) -> Option<State> {
        match self {
            Self::Alert(m) => Some(m.alert.state),
            Self::Digest(digest) => Some(digest.state),
            Self::Notice(_) | Self::Test(_) => None,
        }
    }

    /// The time of the change it is about.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        match self {
            Self::Alert(m) => m.alert.time,
            Self::Digest(digest) => digest.time,
            Self::Notice(notice) => notice.time,
            Self::Test(test) => test.time,
        }
    }

    /// Names what it is about over all its episodes: `endpoint-5xx shop POST /checkout`. A digest has but one, and is
    /// named by it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Alert(m) => {
                let (rule, api) = (&m.alert.key.rule, &m.api);
                match &m.alert.key.subject {
                    Subject::Api => format!("{rule} {api}"),
                    Subject::Endpoint(_) | Subject::Source(_) => format!("{rule} {api} {}", m.subject()),
                }
            }
            // Its rule and API stand for its members only as long as no other joins them, and two may be open at once.
            Self::Digest(d) => format!("many alerts {}", d.episode),
            Self::Notice(_) => "notice".to_owned(),
            Self::Test(_) => "test".to_owned(),
        }
    }

    /// Its name as 16 hex digits: the same in each message about it, and on each machine.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", xxh3_64(self.name().as_bytes()))
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

    /// How long the condition has held, or held.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.alert.time.since(self.alert.since)
    }

    /// What to do: about the first cause that is known; where no function is run and nothing says why, how to check
    /// the two things that it can be.
    #[must_use]
    pub fn fix(&self) -> Option<Cow<'_, Fix>> {
        let a = &self.alert;
        let is_known = a.causes.iter().any(|c| c.kind != CauseKind::Unknown);
        if a.state == State::Firing && a.measure == Measure::NoInvocations && !is_known {
            return Some(Cow::Owned(self.check_invocation()));
        }
        a.fix().map(Cow::Borrowed)
    }

    fn check_invocation(&self) -> Fix {
        let function = self.alert.causes.iter().find_map(|c| c.sample.function.as_deref());
        // A name may come from a log: it goes into a command only if it is a plain word.
        let is_plain = |f: &&str| f.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.'));
        let function = function.filter(is_plain).unwrap_or("FUNCTION");
        Fix {
            text: "Check that the integration names the ARN of a function, version or alias that exists, and that the \
                   function's policy lets apigateway.amazonaws.com invoke it for this API, stage and method."
                .to_owned(),
            command: Some(format!("aws lambda get-policy --function-name {function}")),
        }
    }
}
