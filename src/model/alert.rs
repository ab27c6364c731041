//! An alert as the engine sees it: one rule's threshold crossed for one endpoint or API.
//!
//! Not the message that people get: `notify/plan` decides whether and what is said. Rule: an alert carries everything
//! a message needs, so that planning and rendering look nothing up.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause::{CauseKind, Fix, words};
use super::inventory::ApiId;
use super::invocation::Site;
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
        /// The causes are others than were said.
        CausesChanged = "causes_changed",
        /// The condition is over.
        Resolved = "resolved",
    }
}

/// One threshold and whom it is about: what stays the same over an alert's life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// The rule's name.
    pub rule: Arc<str>,
    /// The API.
    pub api: ApiId,
    /// The endpoint; `None` for a whole API.
    pub endpoint: Option<Arc<Endpoint>>,
}

/// An alert at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Rule and subject.
    pub key: AlertKey,
    /// Firing or resolved.
    pub state: State,
    /// How bad it is; of a resolved one, how bad it was at its worst.
    pub severity: Severity,
    /// Failed share of the window, 0 to 1.
    pub value: f64,
    /// Failed requests in the window.
    pub errors: u64,
    /// Requests in the window.
    pub requests: u64,
    /// Length of the window.
    pub window: Duration,
    /// Event time of this look.
    pub time: Timestamp,
    /// Event time at which the condition began to hold.
    pub since: Timestamp,
    /// Names this life of the alert, from firing to resolved.
    pub episode: Arc<str>,
    /// The condition holds at this look; otherwise the alert goes on for a while after it was over.
    pub holds: bool,
    /// Causes of the window's failures, most frequent first.
    pub causes: Vec<CauseCount>,
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
    /// The newest of them.
    pub sample: CauseSample,
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
    /// What to do about it.
    pub fix: Option<Arc<Fix>>,
}
