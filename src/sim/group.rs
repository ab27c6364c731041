//! When a log group is there, and of which class it is.
//!
//! Not its events: `store` holds them. Rule: lives are planned by the clock beforehand; what became visible in an earlier
//! life is gone in the next, as with a group that was deleted and made again.

use crate::model::time::Timestamp;

/// 2024-01-01T00:00:00Z: since when a group is there that nobody gave a time.
pub(super) const SINCE_MS: i64 = 1_704_067_200_000;

/// The class of a log group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// `STANDARD`: everything works.
    #[default]
    Standard,
    /// `INFREQUENT_ACCESS`: `FilterLogEvents` is refused.
    InfrequentAccess,
}

impl Class {
    /// The value of `logGroupClass`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::InfrequentAccess => "INFREQUENT_ACCESS",
        }
    }
}

/// The spans of time in which a group is there, each from its creation up to, not including, its deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lives(Vec<(Timestamp, Timestamp)>);

impl Default for Lives {
    /// Always there.
    fn default() -> Self {
        Self(vec![(Timestamp::MIN, Timestamp::MAX)])
    }
}

impl Lives {
    /// There from `at` on. A group that is there then already stays what it is, unless nobody gave it a time before.
    pub(super) fn begin(&mut self, at: Timestamp) {
        if *self == Self::default() {
            self.0.clear();
        }
        if self.0.last().is_none_or(|(_, end)| *end <= at) {
            self.0.push((at, Timestamp::MAX));
        }
    }

    /// Gone from `at` on, until it begins again.
    pub(super) fn end(&mut self, at: Timestamp) {
        self.0.retain(|(from, _)| *from < at);
        if let Some((_, end)) = self.0.last_mut() {
            *end = (*end).min(at);
        }
    }

    /// When the life of this moment began; `None` when the group is not there.
    pub(super) fn born(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.iter().find(|(from, to)| *from <= now && now < *to).map(|(from, _)| *from)
    }

    /// What `creationTime` says in this moment, in milliseconds since the epoch.
    pub(super) fn creation_ms(&self, now: Timestamp) -> Option<i64> {
        self.born(now).map(|born| if born == Timestamp::MIN { SINCE_MS } else { born.as_millis() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_and_goes_by_the_clock() {
        let at = Timestamp::from_millis;
        let mut lives = Lives::default();
        assert_eq!(lives.creation_ms(at(5)), Some(SINCE_MS));
        lives.begin(at(10));
        lives.begin(at(12));
        lives.end(at(20));
        lives.begin(at(30));
        let born: Vec<_> = [9, 10, 19, 20, 29, 30, 99].map(|ms| lives.creation_ms(at(ms))).to_vec();
        assert_eq!(born, [None, Some(10), Some(10), None, None, Some(30), Some(30)]);
        lives.end(at(40));
        lives.end(at(35));
        assert_eq!((lives.born(at(34)), lives.born(at(36))), (Some(at(30)), None));
    }

    #[test]
    fn a_group_of_no_time_can_be_deleted() {
        let at = Timestamp::from_millis;
        let mut lives = Lives::default();
        lives.end(at(10));
        assert_eq!((lives.creation_ms(at(9)), lives.creation_ms(at(10))), (Some(SINCE_MS), None));
        lives.begin(at(20));
        assert_eq!(lives.creation_ms(at(9)), Some(SINCE_MS));
        assert_eq!(lives.creation_ms(at(20)), Some(20));
    }
}
