//! One alert in one of its lives, as far as one sink was told of it.
//!
//! Not whether it may be said now: that is decided for all that stand together, in [`round`](super::round). Rule: what
//! was said alone is counted by `seq`, and what is due about it follows from what was said and how it stands; so
//! whatever could not be said at one moment is still due at the next.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::model::alert::{Alert, CauseCount, Reason, State};
use crate::model::cause::CauseKind;
use crate::model::time::Timestamp;
use crate::notify::message::AlertMessage;

/// How often the time to the next repeat doubles at most; `repeat_max` ends it long before.
const DOUBLINGS_MAX: u32 = 16;

/// An alert that is not muted, or was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    /// Which life of it.
    pub episode: Arc<str>,
    /// The newest look.
    pub seen: Timestamp,
    /// What was said.
    pub told: Told,
}

/// What was said of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Told {
    /// Nothing.
    Not {
        /// Since when it may be said.
        since: Timestamp,
        /// As it stood last, in case the input ends before it is said.
        waiting: Option<Box<Alert>>,
    },
    /// Messages of its own.
    Alone(Box<Alone>),
    /// It is told in the digest of this name.
    In(Arc<str>),
}

/// An alert that has messages of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Alone {
    /// When it was said as new.
    pub first: Timestamp,
    /// Number of the last message.
    pub seq: u32,
    /// When that was said.
    pub at: Timestamp,
    /// How many of the last messages only repeated.
    pub repeats: u32,
    /// As it was told.
    pub alert: Alert,
    /// What there was no token for, and as it stood then, in case the input ends before it is said.
    pub deferred: Option<Box<(Reason, Alert)>>,
}

impl Track {
    /// Nothing was said.
    pub(super) fn new(alert: &Alert, at: Timestamp) -> Self {
        Self { episode: Arc::clone(&alert.episode), seen: at, told: Told::Not { since: at, waiting: None } }
    }

    /// As it stands after a message that was decided in an earlier life.
    pub(super) fn adopted(message: &AlertMessage, repeats: u32) -> Self {
        let alert = message.alert.clone();
        let alone = Alone { first: alert.time, seq: message.seq, at: alert.time, repeats, alert, deferred: None };
        Self { episode: Arc::clone(&alone.alert.episode), seen: alone.at, told: Told::Alone(Box::new(alone)) }
    }

    /// Whether anything was said.
    pub(super) const fn is_told(&self) -> bool {
        !matches!(self.told, Told::Not { .. })
    }

    /// The digest that it is told in.
    pub(super) const fn digest(&self) -> Option<&Arc<str>> {
        match &self.told {
            Told::In(digest) => Some(digest),
            Told::Not { .. } | Told::Alone(_) => None,
        }
    }
}

impl Alone {
    /// An alert that is about to be said for the first time.
    pub(super) fn new(alert: &Alert, at: Timestamp) -> Self {
        Self { first: at, seq: 0, at, repeats: 0, alert: alert.clone(), deferred: None }
    }

    /// Counts a message, about the alert as it stands.
    pub(super) fn say(&mut self, reason: Reason, alert: &Alert, at: Timestamp) {
        self.seq = self.seq.saturating_add(1);
        self.repeats = if reason == Reason::Repeat { self.repeats.saturating_add(1) } else { 0 };
        self.at = at;
        self.alert = alert.clone();
        self.deferred = None;
    }

    /// The end of what was said: the alert as it was resolved, with the causes that were said last.
    pub(super) fn resolved(self, alert: &Alert) -> (u32, Alert) {
        (self.seq.saturating_add(1), Alert { causes: self.alert.causes, ..alert.clone() })
    }

    /// The end of what was said of an alert that nobody looks at any more, as of its newest look.
    pub(super) fn ended(self, seen: Timestamp) -> (u32, Alert) {
        let time = seen.max(self.alert.time);
        (self.seq.saturating_add(1), Alert { state: State::Resolved, holds: false, time, ..self.alert })
    }

    /// The ladder of reasons; the first that holds. `flaps`: that it flaps is not said yet.
    pub(super) fn needs_saying(
        &self,
        alert: &Alert,
        flaps: bool,
        at: Timestamp,
        settings: &Settings,
    ) -> Option<Reason> {
        if alert.severity > self.alert.severity {
            return Some(Reason::Escalated);
        }
        if flaps {
            return Some(Reason::Flapping);
        }
        if at.since(self.at) >= settings.group_interval {
            if alert.severity < self.alert.severity {
                return Some(Reason::Deescalated);
            }
            if others(&self.alert.causes, &alert.causes) {
                return Some(Reason::CausesChanged);
            }
        }
        let repeats = alert.holds && repeat_at(self.at, self.repeats, settings).is_some_and(|due| due <= at);
        repeats.then_some(Reason::Repeat)
    }
}

/// When something that was said at `at`, and then so often again, is to be repeated.
pub(super) fn repeat_at(at: Timestamp, repeats: u32, settings: &Settings) -> Option<Timestamp> {
    let factor = 1_u32 << repeats.min(DOUBLINGS_MAX);
    let pause = settings.repeat.saturating_mul(factor).min(settings.repeat_max.max(settings.repeat));
    (!settings.repeat.is_zero()).then(|| at.plus(pause))
}

/// The causes are others: one that was not said makes up a fifth of the failures or more. New counts of known causes
/// are no news, and "not explained" is none either.
pub(super) fn others(said: &[CauseCount], now: &[CauseCount]) -> bool {
    let all: u64 = now.iter().map(|c| c.count).sum();
    now.iter().filter(|c| c.kind != CauseKind::Unknown && c.count * 5 >= all).any(|c| !said.iter().any(|s| same(s, c)))
}

/// Whether two counts are of one cause.
pub(super) fn same(a: &CauseCount, b: &CauseCount) -> bool {
    a.kind == b.kind && a.sample.error_type == b.sample.error_type && a.sample.function == b.sample.function
}
