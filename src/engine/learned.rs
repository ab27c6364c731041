//! Which causes an endpoint has failed for: what is new is what was never seen there.
//!
//! Not the counts: those are the tally's. It learns at each look from what is tallied then, so that a cause which a
//! failure was only thought to have for a moment is not learned. Rule: at most [`KNOWN_MAX`] causes; an endpoint that
//! fails in more ways than that has no new ones.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tally::{Kin, Kind};
use crate::model::cause::CauseKind;
use crate::model::time::Timestamp;

/// Causes remembered for one endpoint.
const KNOWN_MAX: usize = 32;
/// What was not seen for so long is forgotten.
const FORGET: Duration = Duration::from_hours(30 * 24);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    kind: CauseKind,
    error_type: Option<Arc<str>>,
    /// Beginning of the slots of its first and its last sight. A cause that is only a vaguer name of one that is known
    /// has always been known.
    first: Timestamp,
    last: Timestamp,
}

/// What is known of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    since: Option<Timestamp>,
    known: Vec<Known>,
}

impl Known {
    fn is_new(&self, watched: Timestamp, at: Timestamp, window: Duration, learn: Duration) -> bool {
        self.first >= at.minus(window) && self.first >= watched.plus(learn)
    }
}

impl Learned {
    /// Whether it was looked at before.
    pub(super) const fn is_watched(&self) -> bool {
        self.since.is_some()
    }

    /// Looks at the failures of `[at - window, at)`: `kins` are all there are, in order.
    pub(super) fn look(&mut self, kins: &[(Kind<'_>, Kin)], at: Timestamp, window: Duration) {
        self.since.get_or_insert(at);
        if kins.is_empty() && self.known.is_empty() {
            return;
        }
        // What was first seen in this window and is not in it any more has turned out to be something else.
        let is_there = |k: &Known| kins.iter().any(|(kind, _)| *kind == (k.kind, k.error_type.as_ref()));
        self.known.retain(|k| k.last >= at.minus(FORGET) && (k.first < at.minus(window) || is_there(k)));
        for &((kind, error_type), kin) in kins {
            if kind == CauseKind::Unknown {
                continue;
            }
            let same = |k: &&mut Known| k.kind == kind && k.error_type.as_ref() == error_type;
            if let Some(known) = self.known.iter_mut().find(same) {
                (known.first, known.last) = (known.first.min(kin.first), known.last.max(kin.last));
            } else if self.known.len() < KNOWN_MAX {
                let is_vaguer = error_type.is_none() && self.known.iter().any(|k| k.kind == kind);
                let first = if is_vaguer { Timestamp::MIN } else { kin.first };
                self.known.push(Known { kind, error_type: error_type.cloned(), first, last: kin.last });
            }
        }
    }

    /// Whether any cause is new, in the sense of [`Learned::is_new`].
    pub(super) fn has_new(&self, at: Timestamp, window: Duration, learn: Duration) -> bool {
        self.since.is_some_and(|since| self.known.iter().any(|k| k.is_new(since, at, window, learn)))
    }

    /// Whether a cause was seen for the first time within `window` before `at`, when the endpoint had been watched for
    /// `learn`.
    pub(super) fn is_new(
        &self,
        (kind, error_type): Kind<'_>,
        at: Timestamp,
        window: Duration,
        learn: Duration,
    ) -> bool {
        let Some(since) = self.since else { return false };
        let known = self.known.iter().find(|k| k.kind == kind && k.error_type.as_ref() == error_type);
        known.is_some_and(|k| k.is_new(since, at, window, learn))
    }

    /// Adds what is known of another endpoint that is counted together with this one from now on.
    pub(super) fn absorb(&mut self, other: Self) {
        if self.since.is_none() {
            *self = other;
        }
    }
}
