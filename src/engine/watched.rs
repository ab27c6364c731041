//! Since when an API's requests are counted, and what was missed in between.
//!
//! Not what is counted, and not why it was missed (that is `sight`). Rule: a window has been watched when no more than
//! a twelfth of it was missed, which is what the short window of a burn rate is of its long one.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::{Timestamp, millis};

/// Gaps that are remembered: with more than this the oldest is taken for the beginning.
const GAPS_MAX: usize = 32;

/// How far a window has been watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    /// Enough of it.
    Full,
    /// It begins before the watch did.
    Young,
    /// Too much of it was missed.
    Gaps,
}

/// The watch over one API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Watched {
    since: Option<Timestamp>,
    /// In order of time.
    gaps: VecDeque<(Timestamp, Timestamp)>,
}

impl Watched {
    /// The rules look at event time `at`: from now on it is watched, if it was not.
    pub(super) fn look(&mut self, at: Timestamp) {
        self.since.get_or_insert(at);
    }

    /// Nobody read between these times.
    pub(super) fn gap(&mut self, from: Timestamp, to: Timestamp) {
        if from >= to {
            return;
        }
        self.gaps.push_back((from, to));
        if self.gaps.len() > GAPS_MAX {
            self.since = self.gaps.pop_front().map(|(_, to)| to);
        }
    }

    /// The clock was set back: what was known is of another time.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }

    /// Of what was before, nothing is kept.
    pub(super) fn begin_at(&mut self, at: Timestamp) {
        self.since = self.since.map(|since| since.max(at));
    }

    /// How far `[at - window, at)` has been watched.
    pub(super) fn cover(&self, at: Timestamp, window: Duration) -> Cover {
        let begin = at.minus(window);
        if self.since.is_none_or(|since| since > begin) {
            return Cover::Young;
        }
        let missed = |(from, to): &(Timestamp, Timestamp)| millis((*to).min(at).since((*from).max(begin)));
        let missed: i64 = self.gaps.iter().map(missed).sum();
        if missed <= millis(window / 12) { Cover::Full } else { Cover::Gaps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn a_window_is_watched_once_it_is_full_but_for_a_twelfth() {
        let mut watched = Watched::default();
        assert_eq!(watched.cover(at(60), HOUR), Cover::Young, "nobody has looked yet");
        watched.look(at(0));
        watched.look(at(10));
        assert_eq!(watched.cover(at(59), HOUR), Cover::Young);
        assert_eq!(watched.cover(at(60), HOUR), Cover::Full);
        watched.gap(at(70), at(75));
        assert_eq!(watched.cover(at(80), HOUR), Cover::Full);
        watched.gap(at(90), at(91));
        assert_eq!(watched.cover(at(100), HOUR), Cover::Gaps);
        assert_eq!(watched.cover(at(131), HOUR), Cover::Full, "enough of it has left");
        watched.begin_at(at(60));
        assert_eq!(watched.cover(at(119), HOUR), Cover::Young);
        watched.begin_at(at(50));
        assert_eq!(watched.cover(at(131), HOUR), Cover::Full);
        watched.begin_anew();
        watched.begin_at(at(0));
        assert_eq!(watched.cover(at(200), HOUR), Cover::Young);
    }

    #[test]
    fn many_gaps_are_a_late_beginning() {
        let mut watched = Watched::default();
        watched.look(at(0));
        for n in 0..100 {
            watched.gap(at(n * 10), at(n * 10 + 1));
        }
        assert_eq!(watched.gaps.len(), GAPS_MAX);
        assert_eq!(watched.cover(at(1000), 6 * HOUR), Cover::Young, "the gaps that are forgotten lie before it");
        assert_eq!(watched.cover(at(1400), 6 * HOUR), Cover::Full);
    }
}
