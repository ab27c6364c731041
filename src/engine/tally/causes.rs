//! The causes of an alert: what tallies have counted by label, put together and in order.
//!
//! Not how it is counted. Rule: whatever is put together, the sum of the counts stays the number of failures.

use std::borrow::Borrow;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::{Label, Picked, Tally};
use crate::model::alert::CauseCount;
use crate::model::cause::CauseKind;

/// Causes kept apart in one alert: more than anybody reads, and well within the limits of a message.
pub const CAUSES_MAX: usize = 20;

/// Failures of one label that are picked. What is shown of them is fetched only for those that are shown: of thousands of
/// endpoints most are only counted.
#[derive(Clone, Copy, Debug)]
pub struct LabelCount<'a> {
    pub(super) tally: &'a Tally,
    pub(super) kind: CauseKind,
    pub(super) picked: Picked,
}

/// Failures of one cause, whether or not what is shown of them was fetched.
pub trait Failed: Into<CauseCount> {
    /// Its kind.
    fn kind(&self) -> CauseKind;
    /// How many.
    fn count(&self) -> u64;
    /// Counts others of the same cause as well; what is shown stays what it was.
    fn join(&mut self, other: &Self);
}

impl Failed for LabelCount<'_> {
    fn kind(&self) -> CauseKind {
        self.kind
    }

    fn count(&self) -> u64 {
        self.picked.count
    }

    fn join(&mut self, other: &Self) {
        self.picked.count += other.picked.count;
        self.picked.certain += other.picked.certain;
    }
}

impl Failed for CauseCount {
    fn kind(&self) -> CauseKind {
        self.kind
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.certain += other.certain;
    }
}

impl From<LabelCount<'_>> for CauseCount {
    fn from(LabelCount { tally, kind, picked: Picked { count, certain, newest } }: LabelCount<'_>) -> Self {
        Self { kind, count, certain, sample: Arc::clone(&tally.counts[newest].1.sample) }
    }
}

/// Puts the causes of several endpoints together, most frequent first. At most [`CAUSES_MAX`] stay apart; the rest is
/// put together by kind, so that their sum is still the number of failures.
#[must_use]
pub fn merge<L: Borrow<Label> + Ord, C: Failed>(all: impl IntoIterator<Item = (L, C)>) -> Vec<CauseCount> {
    of_one(sum(all).into_iter().collect())
}

/// The causes of one endpoint, whose labels are all different; otherwise as [`merge`].
#[must_use]
pub fn of_one<L: Borrow<Label> + Ord, C: Failed>(mut apart: Vec<(L, C)>) -> Vec<CauseCount> {
    apart.sort_unstable_by(most_frequent_first);
    if apart.len() <= CAUSES_MAX {
        return apart.into_iter().map(|(_, cause)| cause.into()).collect();
    }
    let rest = sum(apart.drain(CAUSES_MAX..).map(|(_, cause)| (cause.kind(), cause)));
    let apart = apart.into_iter().map(|(_, cause)| cause);
    let mut causes: Vec<CauseCount> = apart.chain(rest.into_values()).map(C::into).collect();
    causes.sort_by_key(|c| Reverse(c.count));
    causes
}

/// Equal counts stand in order of their label.
pub(super) fn most_frequent_first<L: Ord, C: Failed>((a, x): &(L, C), (b, y): &(L, C)) -> Ordering {
    y.count().cmp(&x.count()).then_with(|| a.cmp(b))
}

fn sum<K: Ord, C: Failed>(all: impl IntoIterator<Item = (K, C)>) -> BTreeMap<K, C> {
    let mut sums = BTreeMap::new();
    for (key, cause) in all {
        match sums.entry(key) {
            Entry::Vacant(new) => {
                new.insert(cause);
            }
            Entry::Occupied(mut known) => C::join(known.get_mut(), &cause),
        }
    }
    sums
}
