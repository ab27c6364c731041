//! Faults by the clock and by chance: what goes wrong, with whom, from when to when, how often.
//!
//! Not the faults a test queues by hand (`fault`), which come before these; and not the answers, which `logs` words.
//! Rule: each trouble has dice of its own, so whether it strikes depends on the seed and on the calls it looked at, never
//! on the other troubles of the run.

use std::time::Duration;

use super::calls::Operation;
use super::dice::Dice;
use super::lag::Lag;
use crate::model::time::Timestamp;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ill {
    /// `AccessDeniedException`.
    AccessDenied,
    /// `ExpiredTokenException`: the credentials have expired.
    ExpiredCredentials,
    /// `ResourceNotFoundException`; `DescribeLogGroups` does not show the group.
    Missing,
    /// `InvalidOperationException` of the Infrequent Access class, which `DescribeLogGroups` shows.
    Infrequent,
    /// `ThrottlingException`.
    Throttle,
    /// A page without events but with a token that goes on where the request stood.
    EmptyPage,
    /// A page with the same token again that the request sent. It waits for a request that sends one.
    DuplicateToken,
    /// `InvalidParameterException` that says the token has expired. It waits for a request that sends one.
    RefusedToken,
    /// HTTP 503 `ServiceUnavailableException`.
    Unavailable,
    /// HTTP 500 `InternalFailure`.
    Internal,
    /// The right answer, but so much later.
    Slow(Lag),
    /// Never an answer: the connection stays open.
    Hang,
    /// The connection is closed without an answer.
    Reset,
    /// The connection is closed in the middle of the answer's body.
    ResetInBody,
}

impl Ill {
    /// Whether it can strike calls of this operation.
    fn concerns(self, operation: Operation) -> bool {
        match self {
            // Of a page of events; and the list of groups shows these two in its own way.
            Self::EmptyPage | Self::DuplicateToken | Self::RefusedToken | Self::Missing | Self::Infrequent => {
                operation == Operation::FilterLogEvents
            }
            Self::AccessDenied
            | Self::ExpiredCredentials
            | Self::Throttle
            | Self::Unavailable
            | Self::Internal
            | Self::Slow(_)
            | Self::Hang
            | Self::Reset
            | Self::ResetInBody => true,
        }
    }

    fn needs_token(self) -> bool {
        matches!(self, Self::DuplicateToken | Self::RefusedToken)
    }
}

/// A fault of a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// What goes wrong.
    pub ill: Ill,
    /// With which log group; `None` for the whole simulation. `DescribeLogGroups` names no group and only meets the
    /// latter.
    pub group: Option<String>,
    /// With which operation; `None` for both.
    pub operation: Option<Operation>,
    /// From this time on.
    pub from: Timestamp,
    /// Up to, not including, this time.
    pub to: Timestamp,
    /// How many of the calls are struck, 0 to 1.
    pub probability: f64,
    /// How many calls are struck at most; `None` for no limit.
    pub count: Option<u32>,
}

impl Trouble {
    /// For ever, everywhere, always.
    #[must_use]
    pub fn new(ill: Ill) -> Self {
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        Self { ill, group: None, operation: None, from, to, probability: 1.0, count: None }
    }

    /// Only on this group.
    #[must_use]
    pub fn on(self, group: &str) -> Self {
        Self { group: Some(group.to_owned()), ..self }
    }

    /// Only from `from` up to, not including, `to`.
    #[must_use]
    pub fn during(self, from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, ..self }
    }

    /// Only this share of the calls, 0 to 1.
    #[must_use]
    pub fn with_probability(self, probability: f64) -> Self {
        Self { probability, ..self }
    }

    fn lasts(&self, now: Timestamp) -> bool {
        now >= self.from && now < self.to && self.count != Some(0)
    }

    fn is_about(&self, group: Option<&str>) -> bool {
        self.group.is_none() || self.group.as_deref() == group
    }
}

/// A call as troubles see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim<'a> {
    pub(super) operation: Operation,
    pub(super) group: Option<&'a str>,
    pub(super) has_token: bool,
    pub(super) now: Timestamp,
}

/// All troubles of a simulation.
#[derive(Default)]
pub(super) struct Troubles {
    seed: u64,
    all: Vec<(Trouble, Dice)>,
}

impl Troubles {
    /// Takes away all troubles and begins with this seed.
    pub(super) fn reset(&mut self, seed: u64) {
        *self = Self { seed, all: Vec::new() };
    }

    /// Adds one behind the others.
    pub(super) fn add(&mut self, trouble: Trouble) {
        let nth = u64::try_from(self.all.len()).unwrap_or(u64::MAX);
        // Neighbouring seeds of splitmix64 are one step apart: a multiplication keeps their numbers apart.
        let seed = self.seed.wrapping_add((nth + 1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        self.all.push((trouble, Dice::new(seed)));
    }

    /// What strikes this call: the first trouble that does, and the delays of all slow ones together.
    pub(super) fn strike(&mut self, victim: &Victim<'_>) -> (Option<Ill>, Duration) {
        let (mut struck, mut delay) = (None, Duration::ZERO);
        for (trouble, dice) in &mut self.all {
            let applies = trouble.lasts(victim.now)
                && trouble.is_about(victim.group)
                && trouble.operation.is_none_or(|operation| operation == victim.operation)
                && trouble.ill.concerns(victim.operation)
                && (victim.has_token || !trouble.ill.needs_token());
            if !applies || !dice.chance(trouble.probability) {
                continue;
            }
            if let Ill::Slow(lag) = trouble.ill {
                delay += lag.draw(dice);
            } else if struck.is_none() {
                struck = Some(trouble.ill);
            } else {
                continue;
            }
            trouble.count = trouble.count.map(|count| count.saturating_sub(1));
        }
        (struck, delay)
    }

    /// Whether this ill lies on the group now, for the list of groups. One of chance does not show there.
    pub(super) fn shows(&self, ill: Ill, group: &str, now: Timestamp) -> bool {
        let certain = |t: &Trouble| t.ill == ill && t.probability >= 1.0 && t.lasts(now) && t.is_about(Some(group));
        self.all.iter().any(|(trouble, _)| certain(trouble))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(group: &str, now: i64) -> Victim<'_> {
        let now = Timestamp::from_millis(now);
        Victim { operation: Operation::FilterLogEvents, group: Some(group), has_token: false, now }
    }

    fn troubles(seed: u64, all: impl IntoIterator<Item = Trouble>) -> Troubles {
        let mut troubles = Troubles { seed, all: Vec::new() };
        all.into_iter().for_each(|trouble| troubles.add(trouble));
        troubles
    }

    fn pattern(troubles: &mut Troubles) -> Vec<bool> {
        (0..2000).map(|n| troubles.strike(&call("g", n)).0 == Some(Ill::Throttle)).collect()
    }

    #[test]
    fn strikes_in_its_span_on_its_group_and_so_often() {
        let at = Timestamp::from_millis;
        let trouble = Trouble { count: Some(2), ..Trouble::new(Ill::Hang).on("g").during(at(10), at(20)) };
        let mut troubles = troubles(1, [trouble]);
        let mut struck = |group, now| troubles.strike(&call(group, now)).0.is_some();
        assert!(!struck("g", 9) && !struck("h", 10) && !struck("g", 20));
        assert!(struck("g", 10) && struck("g", 19) && !struck("g", 19), "two only");
    }

    #[test]
    fn by_probability_and_the_seed_repeats_it_whatever_else_goes_wrong() {
        let throttle = Trouble::new(Ill::Throttle).with_probability(0.2);
        let alone = pattern(&mut troubles(7, [throttle.clone()]));
        let count = alone.iter().filter(|struck| **struck).count();
        assert!((350..450).contains(&count), "{count}");
        assert_eq!(pattern(&mut troubles(7, [throttle.clone()])), alone);
        assert_ne!(pattern(&mut troubles(8, [throttle.clone()])), alone);
        let slow = Trouble::new(Ill::Slow(Lag::NONE)).with_probability(0.5);
        assert_eq!(pattern(&mut troubles(7, [throttle, slow])), alone);
    }

    #[test]
    fn the_first_wins_delays_add_up_and_tokens_are_waited_for() {
        let second = Lag::between(Duration::from_secs(1), Duration::from_secs(1));
        let ills = [Ill::RefusedToken, Ill::Slow(second), Ill::Unavailable, Ill::Throttle, Ill::Slow(second)];
        let mut troubles = troubles(1, ills.map(Trouble::new));
        let (struck, delay) = troubles.strike(&call("g", 1));
        assert_eq!((struck, delay.as_millis()), (Some(Ill::Unavailable), 2000));
        let with_token = Victim { has_token: true, ..call("g", 1) };
        assert_eq!(troubles.strike(&with_token).0, Some(Ill::RefusedToken));
        let describe = Victim { operation: Operation::DescribeLogGroups, group: None, ..with_token };
        assert_eq!(troubles.strike(&describe).0, Some(Ill::Unavailable), "no token of events there");
    }

    #[test]
    fn the_list_shows_what_is_certain() {
        let troubles =
            troubles(1, [Trouble::new(Ill::Missing).on("a"), Trouble::new(Ill::Missing).with_probability(0.5)]);
        let now = Timestamp::from_millis(0);
        assert!(troubles.shows(Ill::Missing, "a", now) && !troubles.shows(Ill::Missing, "b", now));
        assert!(!troubles.shows(Ill::Infrequent, "a", now));
    }
}
