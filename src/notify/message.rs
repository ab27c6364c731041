//! A message: one alert at one moment, as it is told to people.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::alert::{Alert, CauseCount, Reason, Severity, State};
use crate::model::cause::CauseKind;
use crate::model::time::human;

/// What is said about an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The alert as it stands. Of a resolved one the causes are those that were said last.
    pub alert: Alert,
    /// The API's name.
    pub api: Arc<str>,
    /// Why this is said.
    pub reason: Reason,
    /// From 1 within its episode.
    pub seq: u32,
}

impl Message {
    /// Which life of an alert it is about; together with [`Message::seq`] it names the message, also over a restart.
    #[must_use]
    pub const fn episode(&self) -> &Arc<str> {
        &self.alert.episode
    }

    /// From 1 within its episode.
    #[must_use]
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// What a sink's `min_severity` is held against.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.alert.severity
    }

    /// Whom it is about: `POST /checkout`, or the API's name.
    #[must_use]
    pub fn subject(&self) -> String {
        self.alert.key.endpoint.as_ref().map_or_else(|| self.api.to_string(), ToString::to_string)
    }

    /// The finding's name.
    #[must_use]
    pub fn title(&self) -> String {
        match (&self.alert.key.endpoint, self.alert.state) {
            (Some(endpoint), State::Firing) => format!("Degraded API Endpoint: {endpoint} ({})", self.api),
            (None, State::Firing) => format!("High Server Error Rate (5xx): {}", self.api),
            (Some(endpoint), State::Resolved) => format!("Resolved: {endpoint} ({})", self.api),
            (None, State::Resolved) => format!("Resolved: {}", self.api),
        }
    }

    /// `CRITICAL POST /checkout 40.0% 5xx (12 of 30, 5m)`.
    #[must_use]
    pub fn headline(&self) -> String {
        let a = &self.alert;
        let word = match a.state {
            State::Firing => a.severity.word().to_ascii_uppercase(),
            State::Resolved => "RESOLVED".to_owned(),
        };
        let share = a.value * 100.0;
        format!("{word} {} {share:.1}% 5xx ({} of {}, {})", self.subject(), a.errors, a.requests, short(a.window))
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

/// A cause in a few words.
#[must_use]
pub fn cause(c: &CauseCount) -> String {
    let s = &c.sample;
    let what = match (&s.error_type, c.kind) {
        (Some(error_type), CauseKind::UnhandledException | CauseKind::InitFailure | CauseKind::ProcessExit) => {
            error_type.to_string()
        }
        (_, CauseKind::Unknown) => "not explained".to_owned(),
        (_, kind) => kind.word().replace('_', " "),
    };
    let function = s.function.as_ref().map(|f| format!(" in {f}")).unwrap_or_default();
    let site = s.site.as_ref().map(|p| format!(" {p}")).unwrap_or_default();
    let sure = if c.certain == 0 && c.kind != CauseKind::Unknown { " (likely)" } else { "" };
    format!("{what}{function}{site}{sure}")
}

/// A duration without blanks: `5m`, `1m30s`.
#[must_use]
pub fn short(d: Duration) -> String {
    human(d).replace(' ', "")
}
