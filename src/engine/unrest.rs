//! How restless an alert has been: what makes it go on firing for longer.
//!
//! An alert that fires and resolves over and over flaps: with each further firing it goes on twice as long after the
//! condition was last true, so that its episodes grow together. Not the states themselves (see `alerts`). Rule: damping
//! only makes episodes longer; it never keeps one from firing, and what is calm again is treated like any other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// An alert that has fired or resolved more often than this within [`LOOK_BACK`] flaps.
const CHANGES_MAX: usize = 4;

/// How far back changes count, and how long without one makes it calm again. Twice [`KEEP_MAX`]: an alert that is
/// damped to the full still changes within it when its condition comes and goes, so damping does not end itself.
pub(super) const LOOK_BACK: Duration = Duration::from_hours(2);

/// No alert goes on firing for longer than this because of damping.
const KEEP_MAX: Duration = Duration::from_hours(1);

/// What is doubled at least: a rule that resolves at once flaps most of all.
const KEEP_MIN: Duration = Duration::from_mins(1);

/// What is remembered of one alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unrest {
    /// When it changed, the newest last, no more of them than decide.
    changes: Vec<Timestamp>,
    /// When it last changed, or would have if it were not damped.
    last: Timestamp,
    flapping: bool,
    doublings: u8,
}

impl Unrest {
    /// It fires.
    pub(super) fn fired(&mut self, at: Timestamp) {
        self.changed(at);
        if self.flapping {
            self.doublings = self.doublings.saturating_add(1);
        }
    }

    /// It has fired or resolved.
    pub(super) fn changed(&mut self, at: Timestamp) {
        self.calm(at);
        self.last = at;
        self.changes.push(at);
        self.changes.retain(|change| at.since(*change) < LOOK_BACK);
        if self.changes.len() > CHANGES_MAX {
            self.flapping = true;
            self.changes.remove(0);
        }
    }

    /// It would have resolved by now, had it not been damped, and its recovery is broken off.
    pub(super) const fn held_on(&mut self, at: Timestamp) {
        self.last = at;
    }

    /// An earlier life said whether it flaps.
    pub(super) fn told(&mut self, flapping: bool, at: Timestamp) {
        if flapping && !self.flapping {
            (self.flapping, self.doublings, self.last) = (true, self.doublings.max(1), at);
        }
    }

    /// Forgets what is long ago. True if nothing is left.
    pub(super) fn calm(&mut self, at: Timestamp) -> bool {
        if at.since(self.last) >= LOOK_BACK {
            *self = Self::default();
        }
        self.changes.is_empty() && !self.flapping
    }

    pub(super) const fn is_flapping(&self) -> bool {
        self.flapping
    }

    /// How long it goes on firing, where the rule says `keep`.
    pub(super) fn keep(&self, keep: Duration) -> Duration {
        let doubled = 1_u32.checked_shl(self.doublings.into()).and_then(|by| keep.max(KEEP_MIN).checked_mul(by));
        if self.doublings == 0 { keep } else { doubled.unwrap_or(KEEP_MAX).min(KEEP_MAX).max(keep) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_mins(5);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + minutes * 60_000)
    }

    /// Fires at the first of each pair of minutes, resolves at the second; how long it went on each time, in minutes.
    fn keeps(unrest: &mut Unrest, keep: Duration, minutes: &[(i64, i64)]) -> Vec<u64> {
        let one = |(fired, resolved): &(i64, i64)| {
            unrest.fired(at(*fired));
            let keeps = unrest.keep(keep).as_secs() / 60;
            unrest.changed(at(*resolved));
            keeps
        };
        minutes.iter().map(one).collect()
    }

    #[test]
    fn the_fifth_change_begins_it_and_each_further_firing_doubles_up_to_an_hour() {
        let mut unrest = Unrest::default();
        let often: Vec<_> = (0..8).map(|i| (i * 10, i * 10 + 5)).collect();
        assert_eq!(keeps(&mut unrest, KEEP, &often), [5, 5, 10, 20, 40, 60, 60, 60]);
        let mut unrest = Unrest::default();
        assert_eq!(keeps(&mut unrest, KEEP, &[(0, 5), (10, 15)]), [5, 5]);
        assert!(!unrest.is_flapping(), "four changes are no flapping");
    }

    #[test]
    fn changes_far_apart_are_no_flapping() {
        let mut unrest = Unrest::default();
        let seldom: Vec<_> = (0..20).map(|i| (i * 70, i * 70 + 10)).collect();
        assert!(keeps(&mut unrest, KEEP, &seldom).iter().all(|keep| *keep == 5));
        assert!(unrest.changes.len() <= CHANGES_MAX);
    }

    #[test]
    fn it_is_calm_after_a_look_back_without_a_change_and_not_before() {
        let mut unrest = Unrest::default();
        keeps(&mut unrest, KEEP, &[(0, 5), (10, 15), (20, 25)]);
        assert!(!unrest.calm(at(144)) && unrest.is_flapping());
        unrest.held_on(at(144));
        assert!(!unrest.calm(at(263)) && unrest.is_flapping(), "it would have changed at 144");
        assert!(unrest.calm(at(264)) && !unrest.is_flapping());
        assert_eq!(keeps(&mut unrest, KEEP, &[(270, 275)]), [5]);
    }

    #[test]
    fn a_rule_that_resolves_at_once_is_damped_too_and_a_patient_one_is_not_made_hasty() {
        let often: Vec<_> = (0..8).map(|i| (i * 2, i * 2 + 1)).collect();
        assert_eq!(keeps(&mut Unrest::default(), Duration::ZERO, &often), [0, 0, 2, 4, 8, 16, 32, 60]);
        let hours = Duration::from_hours(3);
        assert!(keeps(&mut Unrest::default(), hours, &often).iter().all(|keep| *keep == 180));
    }

    #[test]
    fn what_an_earlier_life_said_counts() {
        let mut unrest = Unrest::default();
        unrest.told(true, at(0));
        assert!(unrest.is_flapping() && unrest.keep(KEEP) == KEEP * 2);
        unrest.told(false, at(1));
        assert!(unrest.is_flapping());
    }
}
