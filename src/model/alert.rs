//! An alert as the engine sees it: a rule's threshold crossed for one endpoint or API, or a log that is not read.
//!
//! Not the message that people get: `notify/plan` decides whether and what is said. Rule: an alert carries everything
//! a message needs, so that planning and rendering look nothing up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause::{CauseKind, Fix, words};
use super::inventory::ApiId;
use super::invocation::Site;
use super::problem::Problem;
use super::request::Endpoint;
use super::time::Timestamp;

words! {
    /// How bad, by the share of requests that fail.
    Severity {
        /// Above the lowest rung (1 % unless configured).
        Elevated = "elevated",
        /// Above the middle rung (5 %).
        High = "high",
        /// Above the top rung (15 %).
        Critical = "critical",
    }
}

words! {
    /// Where an alert stands.
    State {
        /// The condition holds.
        Firing = "firing",
        /// It no longer does.
        Resolved = "resolved",
    }
}

words! {
    /// Why a message about an alert is sent.
    Reason {
        /// The alert is new.
        New = "new",
        /// Its severity rose.
        Escalated = "escalated",
        /// Its severity fell, and it still fires.
        Deescalated = "deescalated",
        /// The causes are others than were said; of a digest, its members are.
        CausesChanged = "causes_changed",
        /// Nothing changed, and it was said long ago.
        Repeat = "repeat",
        /// It has fired and resolved so often that it now goes on firing for longer.
        Flapping = "flapping",
        /// The condition is over.
        Resolved = "resolved",
    }
}

/// Whom an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A whole API.
    Api,
    /// One endpoint of it.
    Endpoint(Arc<Endpoint>),
    /// A log group that is read for it, by its name.
    Source(Arc<str>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api => f.write_str("the whole API"),
            Self::Endpoint(endpoint) => endpoint.fmt(f),
            Self::Source(name) => f.write_str(name),
        }
    }
}

/// One threshold and whom it is about: what stays the same over an alert's life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// The rule's name.
    pub rule: Arc<str>,
    /// The API; of a log group that several share, the first that names it.
    pub api: ApiId,
    /// Whom of this API.
    pub subject: Subject,
}

impl AlertKey {
    /// The endpoint, where it is about one.
    #[must_use]
    pub const fn endpoint(&self) -> Option<&Arc<Endpoint>> {
        match &self.subject {
            Subject::Endpoint(endpoint) => Some(endpoint),
            Subject::Api | Subject::Source(_) => None,
        }
    }

    /// The log group, where it is about one.
    #[must_use]
    pub const fn source(&self) -> Option<&Arc<str>> {
        match &self.subject {
            Subject::Source(source) => Some(source),
            Subject::Api | Subject::Endpoint(_) => None,
        }
    }
}

words! {
    /// What is lost while a log is not read.
    Loss {
        /// All that is counted of its API: the rules over it stand still.
        Everything = "everything",
        /// Part of what is counted of its API: alerts of it fire on what is seen, but none resolves.
        Part = "part",
        /// Causes that only this log names.
        Causes = "causes",
    }
}

/// Why and how far a log group is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blindness {
    /// The kind of trouble.
    pub problem: Problem,
    /// The service's own words, or ours where it said nothing.
    pub said: Arc<str>,
    /// Event time up to which it was read; `None` if it never was.
    pub read_to: Option<Timestamp>,
    /// What is lost meanwhile.
    pub loss: Loss,
    /// Names of the rules that look at what is lost.
    pub rules: Vec<Arc<str>>,
    /// Names of the APIs that it is read for.
    pub apis: Vec<Arc<str>>,
}

/// What a rule measures: the meaning of an alert's `value`, `errors` and `threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Measure {
    /// Share of requests answered 5xx, 0 to 1; `errors` are those.
    Failures,
    /// Number of requests answered 5xx; `errors` are those.
    FailureCount,
    /// Share of requests that the gateway stopped waiting for, 0 to 1; `errors` are those.
    Timeouts,
    /// Share of requests that failed without an invocation, 0 to 1; `errors` are those. It looks at what lies before
    /// the time that the logs of functions are read to.
    NoInvocations,
    /// Number of requests that failed for a cause never seen on this endpoint before; `errors` are those, and its causes
    /// only the new ones.
    NewCause,
    /// A quantile of the response latency, milliseconds; `errors` are 0.
    Latency {
        /// Which one, 0 to 1.
        quantile: f64,
    },
    /// Share of requests that took longer than this, 0 to 1; `errors` are those.
    Slow {
        /// Milliseconds.
        over_ms: u32,
    },
    /// Number of requests in the window, where there were enough of them before; `errors` are 0. It is too bad at the
    /// threshold and below.
    Traffic,
    /// How many times faster than allowed the error budget is used up over the long window of the rung that is told;
    /// `errors` are requests answered 5xx in it.
    BurnRate {
        /// Share of requests that are to go well, 0 to 1; 0 where none was given, and then nothing is too bad.
        objective: f64,
    },
    /// A log group is not read; there is no value.
    Unread,
}

/// What came before the window of an alert about traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Requests.
    pub requests: u64,
    /// How long before.
    pub window: Duration,
}

impl Before {
    /// How many requests a window of this length would have, if as many came as before.
    #[must_use]
    #[expect(clippy::cast_precision_loss)]
    pub fn expected(self, window: Duration) -> f64 {
        if self.window.is_zero() {
            0.0
        } else {
            self.requests as f64 * window.as_secs_f64() / self.window.as_secs_f64()
        }
    }
}

/// How often one endpoint of an API failed in the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointCount {
    /// Which one.
    pub endpoint: Arc<Endpoint>,
    /// Failed requests.
    pub errors: u64,
    /// Requests.
    pub requests: u64,
}

/// An alert at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Rule and subject.
    pub key: AlertKey,
    /// Firing or resolved.
    pub state: State,
    /// How bad it is now; of a resolved one, how bad it was last.
    pub severity: Severity,
    /// How bad it was at its worst.
    pub worst: Severity,
    /// What was measured.
    pub measure: Measure,
    /// The measured value over the window.
    pub value: f64,
    /// The lowest rung of the rule, in the unit of `value`.
    pub threshold: f64,
    /// Failed requests in the window.
    pub errors: u64,
    /// Requests in the window.
    pub requests: u64,
    /// Length of the window.
    pub window: Duration,
    /// Event time of this look; of an alert about a log, arrival time.
    pub time: Timestamp,
    /// When the condition began to hold, in the same time.
    pub since: Timestamp,
    /// Names this life of the alert, from firing to resolved.
    pub episode: Arc<str>,
    /// The condition holds at this look; otherwise the alert goes on for a while after it was over.
    pub holds: bool,
    /// It has fired and resolved often of late, so it goes on firing for longer.
    pub flapping: bool,
    /// Causes of the window's failures, most frequent first.
    pub causes: Vec<CauseCount>,
    /// Of an alert about a whole API: the endpoints that failed most, at most ten.
    pub endpoints: Vec<EndpointCount>,
    /// Of an alert about traffic: what came before.
    pub before: Option<Before>,
    /// Of an alert about a log that is not read: why, and what that means. Its counts say nothing then.
    pub blindness: Option<Blindness>,
}

impl Alert {
    /// What to do about the most frequent cause that is known, else about what is not.
    #[must_use]
    pub fn fix(&self) -> Option<&Fix> {
        let known = self.causes.iter().find(|c| c.kind != CauseKind::Unknown);
        known.or(self.causes.first())?.sample.fix.as_deref()
    }

    /// Whether the cause of every failure in the window is certain: then waiting brings nothing more.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.causes.iter().map(|c| c.certain).sum::<u64>() == self.errors
    }

    /// Failures in the window whose cause is known.
    #[must_use]
    pub fn explained(&self) -> u64 {
        self.causes.iter().filter(|c| c.kind != CauseKind::Unknown).map(|c| c.count).sum()
    }
}

/// How often a cause was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CauseCount {
    /// Which cause.
    pub kind: CauseKind,
    /// How many failures of the window.
    pub count: u64,
    /// For how many of them the cause is certain.
    pub certain: u64,
    /// The newest of them. Shared: an outage has thousands of alerts, each made anew at each look.
    pub sample: Arc<CauseSample>,
}

/// One failure of a cause, for people to look at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CauseSample {
    /// Error type.
    pub error_type: Option<Arc<str>>,
    /// Message.
    pub message: Option<Arc<str>>,
    /// Function.
    pub function: Option<Arc<str>>,
    /// Place in the user's code.
    pub site: Option<Site>,
    /// API Gateway's request ID.
    pub request_id: Option<Arc<str>>,
    /// Lambda's request ID.
    pub lambda_request_id: Option<Arc<str>>,
    /// What to do about it.
    pub fix: Option<Arc<Fix>>,
}
