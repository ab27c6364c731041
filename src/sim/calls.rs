//! What was asked of the simulated CloudWatch Logs: totals, and the newest calls one by one.
//!
//! Not a log: no bodies. Rule: bounded; totals are exact for ever, single calls are kept up to [`KEPT`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::model::time::Timestamp;

/// Single calls remembered: some hours at a usual quota, about 10 MB.
const KEPT: usize = 262_144;

/// An operation of CloudWatch Logs that is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Reads events of one group.
    FilterLogEvents,
    /// Lists groups.
    DescribeLogGroups,
}

impl Operation {
    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FilterLogEvents => "FilterLogEvents",
            Self::DescribeLogGroups => "DescribeLogGroups",
        }
    }

    /// The operation of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::FilterLogEvents, Self::DescribeLogGroups].into_iter().find(|operation| operation.name() == name)
    }
}

/// One call that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When, by the simulation's clock.
    pub time: Timestamp,
    /// What was asked.
    pub operation: Operation,
    /// The group asked about; `None` for `DescribeLogGroups`.
    pub group: Option<Arc<str>>,
    /// It was answered with `ThrottlingException`, by quota or by fault.
    pub throttled: bool,
}

/// Calls of one operation on one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// All of them, answered or not.
    pub calls: u64,
    /// Those answered with `ThrottlingException`.
    pub throttled: u64,
}

/// The record of calls.
#[derive(Default)]
pub(super) struct Calls {
    totals: BTreeMap<Arc<str>, Counted>,
    describes: Counted,
    newest: VecDeque<Call>,
}

impl Calls {
    /// Notes one call; `group` for those that name one.
    pub(super) fn note(&mut self, time: Timestamp, operation: Operation, group: Option<&str>, throttled: bool) {
        let (group, counted) = match group {
            None => (None, &mut self.describes),
            Some(group) => {
                let name = match self.totals.get_key_value(group) {
                    Some((name, _)) => Arc::clone(name),
                    None => Arc::from(group),
                };
                (Some(Arc::clone(&name)), self.totals.entry(name).or_default())
            }
        };
        counted.calls += 1;
        counted.throttled += u64::from(throttled);
        if self.newest.len() == KEPT {
            self.newest.pop_front();
        }
        self.newest.push_back(Call { time, operation, group, throttled });
    }

    /// All `FilterLogEvents` calls on a group so far.
    pub(super) fn on_group(&self, group: &str) -> Counted {
        self.totals.get(group).copied().unwrap_or_default()
    }

    /// All `DescribeLogGroups` calls so far.
    pub(super) fn describes(&self) -> Counted {
        self.describes
    }

    /// The remembered calls from `from` up to, not including, `to`, in the order they came.
    pub(super) fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Call> {
        self.newest.iter().filter(move |call| call.time >= from && call.time < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_last_and_single_calls_are_bounded() {
        let mut calls = Calls::default();
        let at = Timestamp::from_millis;
        calls.note(at(0), Operation::DescribeLogGroups, None, true);
        for n in 0..300_000 {
            calls.note(at(n), Operation::FilterLogEvents, Some("g"), n % 3 == 0);
        }
        assert_eq!(calls.on_group("g"), Counted { calls: 300_000, throttled: 100_000 });
        assert_eq!(calls.on_group("other"), Counted::default());
        assert_eq!(calls.describes(), Counted { calls: 1, throttled: 1 });
        assert_eq!(calls.between(Timestamp::MIN, Timestamp::MAX).count(), KEPT);
        assert_eq!(calls.between(at(299_000), at(299_010)).count(), 10);
        assert_eq!(Operation::from_name("FilterLogEvents"), Some(Operation::FilterLogEvents));
        assert_eq!(Operation::from_name("GetLogEvents"), None);
    }
}
