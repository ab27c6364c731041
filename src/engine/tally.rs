//! How often each cause was seen at one endpoint, by slot, with the newest sample of each.
//!
//! Counts follow explanations: a failure that is explained anew is taken from its old label and added to the new one.
//! What is long ago is put together in wider slots, as it is asked for, so that days of failures cost little.
//! Rule: an endpoint keeps at most [`LABELS_MAX`] labels apart; what comes after is counted by its kind alone.

mod causes;
mod marks;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::causes::most_frequent_first;
pub use self::causes::{CAUSES_MAX, Failed, LabelCount, merge, of_one};
pub use self::marks::{Marks, Pick};
use super::window::{SLOT, begin, coarser, widths};
use crate::model::alert::{CauseCount, CauseSample};
use crate::model::cause::{CauseKind, Certainty, Explanation};
use crate::model::time::{Timestamp, millis};

/// Labels kept apart for one endpoint: an endpoint that fails in more ways is not read cause by cause any more.
pub const LABELS_MAX: usize = 32;
/// Places from the front of a tally that are tried one by one.
const NEAR: usize = 6;

/// Failures that count as the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label {
    /// The kind.
    pub kind: CauseKind,
    /// Error type, where there is one.
    pub error_type: Option<Arc<str>>,
    /// Function, where known.
    pub function: Option<Arc<str>>,
}

impl Label {
    /// The label of an explained failure.
    #[must_use]
    pub fn of(explanation: &Explanation) -> Self {
        Self {
            kind: explanation.cause.kind,
            error_type: explanation.cause.error_type.clone(),
            function: explanation.function.clone(),
        }
    }

    const fn only_kind(kind: CauseKind) -> Self {
        Self { kind, error_type: None, function: None }
    }
}

/// A cause and its error type.
pub type Kind<'a> = (CauseKind, Option<&'a Arc<str>>);

/// Failures of one cause and error type at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kin {
    /// How many.
    pub count: u64,
    /// Beginning of the first slot with one of them.
    pub first: Timestamp,
    /// Beginning of the last.
    pub last: Timestamp,
}

/// What one label of a tally adds up to over a window. Only numbers: what is shown of a cause is found when it is asked
/// for, in the tally as it was when this was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabelSum {
    all: Picked,
    timed_out: Picked,
    not_invoked: Picked,
    refused: Picked,
    /// The first slot with one of them, and the last.
    slots: (i64, i64),
}

/// Those of a label that are picked.
#[derive(Clone, Copy, Debug, Default)]
struct Picked {
    count: u64,
    certain: u64,
    /// Where the newest of them is counted.
    newest: usize,
}

impl LabelSum {
    /// How many are picked.
    #[must_use]
    pub const fn count(&self, pick: Pick) -> u64 {
        self.of(pick).count
    }

    const fn of(&self, pick: Pick) -> Picked {
        match pick {
            Pick::All => self.all,
            Pick::TimedOut => self.timed_out,
            Pick::NotInvoked => self.not_invoked,
            Pick::Refused => self.refused,
        }
    }
}

impl Picked {
    fn add(&mut self, count: u32, certain: u32, at: usize) {
        if count > 0 {
            self.count += u64::from(count);
            self.certain += u64::from(certain.min(count));
            self.newest = at;
        }
    }
}

/// Failures of one label in one slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Failures {
    all: u32,
    certain: u32,
    timed_out: u32,
    invoked: u32,
    refused: u32,
    /// The newest of them.
    sample: Arc<CauseSample>,
    sampled: Timestamp,
}

/// How a failure was counted, to take it back by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    time: Timestamp,
    label: Label,
    certain: bool,
    marks: Marks,
}

impl Counted {
    /// What it was marked as.
    #[must_use]
    pub const fn marks(&self) -> Marks {
        self.marks
    }
}

/// The tally of one endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    labels: Vec<Label>,
    /// By (slot, place in `labels`), in that order: most of what comes belongs at the end, and rules look at it from
    /// end to end.
    counts: VecDeque<((i64, usize), Failures)>,
}

impl Tally {
    /// Counts an explained failure of event time `time`. What it returns is to be given to [`Tally::remove`].
    pub fn add(&mut self, time: Timestamp, explanation: &Explanation, marks: Marks, sample: CauseSample) -> Counted {
        let certain = explanation.cause.certainty == Certainty::Certain;
        let at = self.place(Label::of(explanation));
        let key = (time.slot(SLOT), at);
        let place = self.find(key).unwrap_or_else(|place| {
            self.counts.insert(place, (key, Failures::none()));
            place
        });
        let failures = &mut self.counts[place].1;
        failures.all = failures.all.saturating_add(1);
        failures.certain = failures.certain.saturating_add(u32::from(certain));
        failures.timed_out = failures.timed_out.saturating_add(u32::from(marks.timed_out));
        failures.invoked = failures.invoked.saturating_add(u32::from(marks.invoked));
        failures.refused = failures.refused.saturating_add(u32::from(marks.refused));
        if failures.sampled <= time {
            failures.sample = Arc::new(sample);
            failures.sampled = time;
        }
        Counted { time, label: self.labels[at].clone(), certain, marks }
    }

    /// Takes a failure back.
    pub fn remove(&mut self, counted: &Counted) {
        let Some(at) = self.labels.iter().position(|l| *l == counted.label) else { return };
        // Meanwhile it may stand in a wider slot.
        let mut slots = widths().map(|width| counted.time.floor(width).slot(SLOT));
        if let Some(place) = slots.find_map(|slot| self.find((slot, at)).ok()) {
            let failures = &mut self.counts[place].1;
            failures.all = failures.all.saturating_sub(1);
            failures.certain = failures.certain.saturating_sub(u32::from(counted.certain));
            failures.timed_out = failures.timed_out.saturating_sub(u32::from(counted.marks.timed_out));
            failures.invoked = failures.invoked.saturating_sub(u32::from(counted.marks.invoked));
            failures.refused = failures.refused.saturating_sub(u32::from(counted.marks.refused));
            if failures.all == 0 {
                self.counts.remove(place);
            }
        }
    }

    /// The causes of the window that ends at `end` (see [`begin`]), most frequent first; equal counts in order of their label.
    #[must_use]
    pub fn total(&self, end: Timestamp, window: Duration) -> Vec<(Label, CauseCount)> {
        self.total_of(end, window, Pick::All)
    }

    /// The same of some of the failures.
    #[must_use]
    pub fn total_of(&self, end: Timestamp, window: Duration, pick: Pick) -> Vec<(Label, CauseCount)> {
        let sums = self.sums(end, window);
        let mut causes: Vec<_> = self.causes(&sums, pick).collect();
        causes.sort_unstable_by(most_frequent_first);
        causes.into_iter().map(|(label, cause)| (label.clone(), cause.into())).collect()
    }

    /// Adds up the failures of `[end - window, end)`: a sum for each label, in their order.
    #[must_use]
    pub fn sums(&self, end: Timestamp, window: Duration) -> Vec<LabelSum> {
        let mut sums = Vec::new();
        self.sum_into(&mut sums, end, window);
        sums
    }

    /// The same, behind what stands in `sums` already.
    pub fn sum_into(&self, sums: &mut Vec<LabelSum>, end: Timestamp, window: Duration) {
        let from = sums.len();
        sums.resize(from + self.labels.len(), LabelSum::default());
        let sums = &mut sums[from..];
        // In order of time, so that the last sample is the newest.
        for (place, ((slot, at), failures)) in self.within(end, window) {
            let sum = &mut sums[*at];
            if sum.all.count == 0 {
                sum.slots.0 = *slot;
            }
            sum.slots.1 = *slot;
            sum.all.add(failures.all, failures.certain, place);
            sum.timed_out.add(failures.timed_out, failures.certain, place);
            sum.not_invoked.add(failures.not_invoked(), failures.certain, place);
            sum.refused.add(failures.refused, failures.certain, place);
        }
    }

    /// The causes that are picked, of sums of this tally, in no order that means anything.
    pub fn causes<'a, 's>(
        &'a self,
        sums: &'s [LabelSum],
        pick: Pick,
    ) -> impl Iterator<Item = (&'a Label, LabelCount<'a>)> + use<'a, 's> {
        let picked = self.labels.iter().zip(sums).map(move |(label, sum)| (label, sum.of(pick)));
        let cause = |(label, picked): (&'a Label, _)| (label, LabelCount { tally: self, kind: label.kind, picked });
        picked.filter(|(_, picked)| picked.count > 0).map(cause)
    }

    /// How many failures of `[end - window, end)` are picked.
    #[must_use]
    pub fn count(&self, end: Timestamp, window: Duration, pick: Pick) -> u64 {
        self.within(end, window).map(|(_, (_, failures))| u64::from(failures.count(pick))).sum()
    }

    /// The failures that were added up, by cause and error type, in that order, whichever function it was.
    #[must_use]
    pub fn kins(&self, sums: &[LabelSum]) -> Vec<(Kind<'_>, Kin)> {
        let mut kins: Vec<(Kind<'_>, Kin)> = Vec::new();
        let time = |slot: i64| Timestamp::from_millis(slot.saturating_mul(millis(SLOT)));
        for (label, sum) in self.labels.iter().zip(sums).filter(|(_, sum)| sum.all.count > 0) {
            let own = (label.kind, label.error_type.as_ref());
            let (first, last) = (time(sum.slots.0), time(sum.slots.1));
            match kins.iter_mut().find(|(known, _)| *known == own) {
                Some((_, kin)) => {
                    kin.count += sum.all.count;
                    (kin.first, kin.last) = (kin.first.min(first), kin.last.max(last));
                }
                None => kins.push((own, Kin { count: sum.all.count, first, last })),
            }
        }
        kins.sort_unstable_by_key(|(kind, _)| *kind);
        kins
    }

    /// Whether nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// What is counted in the window, each with its place.
    fn within(&self, end: Timestamp, window: Duration) -> impl Iterator<Item = (usize, &((i64, usize), Failures))> {
        let (first, last) = (begin(end, window).slot(SLOT), end.slot(SLOT));
        let from = self.place_of(first);
        // Mostly nothing has come yet of what is after.
        let to = if self.counts.back().is_some_and(|((slot, _), _)| *slot >= last) {
            self.place_of(last)
        } else {
            self.counts.len()
        };
        (from..).zip(self.counts.range(from..to.max(from)))
    }

    /// Where what is counted in `slot` and later begins.
    fn place_of(&self, slot: i64) -> usize {
        let is_before = |((s, _), _): &((i64, usize), Failures)| *s < slot;
        // Mostly it is one of the first, and a search from the middle would fetch what nobody needs.
        let near = self.counts.iter().take(NEAR).take_while(|counted| is_before(counted)).count();
        if near < NEAR { near } else { self.counts.partition_point(is_before) }
    }

    /// Where something is counted, or else would be.
    fn find(&self, key: (i64, usize)) -> Result<usize, usize> {
        self.counts.binary_search_by_key(&key, |(key, _)| *key)
    }

    /// Forgets slots that ended before `before`.
    pub fn forget_before(&mut self, before: Timestamp) {
        self.counts.drain(..self.place_of(before.slot(SLOT)));
        if self.counts.is_empty() && !self.labels.is_empty() {
            *self = Self::default();
        }
    }

    /// Puts together what is so long ago at `at` that no window asks for it slot by slot.
    pub fn coarsen(&mut self, at: Timestamp) {
        let wide = coarser(at);
        let moves = |((slot, _), _): &((i64, usize), Failures)| wide(*slot) != *slot;
        let Some(first) = self.counts.iter().position(moves) else { return };
        let last = self.counts.iter().rposition(moves).unwrap_or(first);
        let old: Vec<_> = self.counts.drain(first..=last).collect();
        for ((slot, label), failures) in old {
            self.put((wide(slot), label), failures);
        }
    }

    /// Adds the counts of another.
    pub(super) fn absorb(&mut self, other: Self) {
        if self.labels.is_empty() {
            *self = other;
            return;
        }
        for ((slot, at), theirs) in other.counts {
            let Some(label) = other.labels.get(at) else { continue };
            let at = self.place(label.clone());
            self.put((slot, at), theirs);
        }
    }

    /// Adds failures to those that are counted here already, if there are any.
    fn put(&mut self, key: (i64, usize), failures: Failures) {
        match self.find(key) {
            Ok(place) => self.counts[place].1.add(failures),
            Err(place) => self.counts.insert(place, (key, failures)),
        }
    }

    /// Whether all that is counted has a label, and stands in order.
    pub(super) fn is_whole(&self) -> bool {
        self.counts.iter().all(|((_, at), _)| *at < self.labels.len())
            && self.counts.iter().is_sorted_by(|(a, _), (b, _)| a < b)
    }

    fn place(&mut self, label: Label) -> usize {
        if let Some(at) = self.labels.iter().position(|l| *l == label) {
            return at;
        }
        if self.labels.len() >= LABELS_MAX && label != Label::only_kind(label.kind) {
            return self.place(Label::only_kind(label.kind));
        }
        self.labels.push(label);
        self.labels.len() - 1
    }
}

impl Failures {
    fn none() -> Self {
        let (sample, sampled) = (Arc::default(), Timestamp::MIN);
        Self { all: 0, certain: 0, timed_out: 0, invoked: 0, refused: 0, sample, sampled }
    }

    const fn not_invoked(&self) -> u32 {
        self.all.saturating_sub(self.invoked)
    }

    const fn count(&self, pick: Pick) -> u32 {
        match pick {
            Pick::All => self.all,
            Pick::TimedOut => self.timed_out,
            Pick::NotInvoked => self.not_invoked(),
            Pick::Refused => self.refused,
        }
    }

    fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.certain = self.certain.saturating_add(other.certain);
        self.timed_out = self.timed_out.saturating_add(other.timed_out);
        self.invoked = self.invoked.saturating_add(other.invoked);
        self.refused = self.refused.saturating_add(other.refused);
        if self.sampled <= other.sampled {
            (self.sample, self.sampled) = (other.sample, other.sampled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::{Cause, Fix, Join};

    fn explained(kind: CauseKind, certainty: Certainty, error_type: Option<&str>) -> Explanation {
        Explanation {
            cause: Cause {
                kind,
                certainty,
                error_type: error_type.map(Into::into),
                message: None,
                join: Join::None,
                candidates: 0,
            },
            function: None,
            site: None,
            evidence: Vec::new(),
            fix: Fix { text: String::new(), command: None },
        }
    }

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    const WINDOW: Duration = Duration::from_mins(5);

    #[test]
    fn counts_move_with_the_explanation() {
        let mut tally = Tally::default();
        let unknown = explained(CauseKind::Unknown, Certainty::Unknown, None);
        let known = explained(CauseKind::UnhandledException, Certainty::Certain, Some("TypeError"));
        let counted = tally.add(at(5), &unknown, Marks::default(), CauseSample::default());
        tally.add(at(6), &known, Marks::default(), CauseSample::default());
        assert_eq!(tally.total(at(10), WINDOW).len(), 2);
        tally.remove(&counted);
        tally.add(at(5), &known, Marks::default(), CauseSample::default());
        let total = tally.total(at(10), WINDOW);
        assert_eq!(total.len(), 1);
        let cause = &total[0].1;
        assert_eq!((cause.kind, cause.count, cause.certain), (CauseKind::UnhandledException, 2, 2));
        assert!(tally.total(at(0), WINDOW).is_empty(), "a window that ends before does not see them");
    }

    #[test]
    fn labels_are_bounded_and_nothing_is_lost() {
        let mut tally = Tally::default();
        for i in 0..100 {
            let e = explained(CauseKind::UnhandledException, Certainty::Likely, Some(&format!("E{i}")));
            tally.add(at(i % 10), &e, Marks::default(), CauseSample::default());
        }
        let total = tally.total(at(10), WINDOW);
        assert_eq!(total.len(), LABELS_MAX + 1);
        assert_eq!(total.iter().map(|(_, c)| c.count).sum::<u64>(), 100);
        assert_eq!(total[0].1.count, 100 - LABELS_MAX as u64, "the rest counts by its kind");
        assert_eq!(total[0].1.certain, 0);
    }

    #[test]
    fn old_slots_are_forgotten() {
        let mut tally = Tally::default();
        tally.add(
            at(5),
            &explained(CauseKind::Throttled, Certainty::Certain, None),
            Marks::default(),
            CauseSample::default(),
        );
        tally.forget_before(at(10));
        assert!(tally.total(at(10), WINDOW).is_empty());
    }

    #[test]
    fn days_of_failures_cost_little_and_every_window_adds_up_as_before() {
        let one = explained(CauseKind::Throttled, Certainty::Certain, None);
        let (mut tally, mut exact) = (Tally::default(), Tally::default());
        let mut old = Vec::new();
        let end: i64 = 80 * 3600;
        for s in (0..end).step_by(10) {
            let minutes_ago = (end - s) / 60;
            let sample = CauseSample { message: Some(s.to_string().into()), ..CauseSample::default() };
            tally.add(at(s), &one, Marks::default(), sample.clone());
            let counted = exact.add(at(s), &one, Marks::default(), sample);
            if [9, 300, 3000].contains(&minutes_ago) {
                old.push(counted);
            }
            if s % 60 == 0 {
                tally.coarsen(at(s));
            }
        }
        let minutes = [1, 5, 6, 7, 30, 70, 71, 360, 361, 4320];
        let add_up = |tally: &Tally| {
            minutes.map(|m| tally.total(at(end), Duration::from_mins(m)).first().map(|(_, c)| c.clone()))
        };
        assert_eq!(add_up(&tally), add_up(&exact));
        assert!(tally.counts.len() < 300 && tally.is_whole(), "{}", tally.counts.len());
        assert_eq!(old.len(), 18);
        for counted in &old {
            tally.remove(counted);
            exact.remove(counted);
        }
        let count = |tally: &Tally| minutes.map(|m| tally.count(at(end), Duration::from_mins(m), Pick::All));
        assert_eq!(count(&tally)[4..], count(&exact)[4..], "what was put together is taken back all the same");
    }

    #[test]
    fn marks_are_taken_back_with_their_failure() {
        let mut tally = Tally::default();
        let one = explained(CauseKind::Throttled, Certainty::Certain, None);
        let marks = |n: u32| Marks {
            timed_out: n.is_multiple_of(2),
            invoked: n.is_multiple_of(3),
            refused: n.is_multiple_of(4),
        };
        let all: Vec<_> = (0..60).map(|n| tally.add(at(5), &one, marks(n), CauseSample::default())).collect();
        let counts = |tally: &Tally| {
            [Pick::All, Pick::TimedOut, Pick::NotInvoked, Pick::Refused].map(|pick| tally.count(at(10), WINDOW, pick))
        };
        assert_eq!(counts(&tally), [60, 30, 40, 15]);
        assert_eq!(tally.total_of(at(10), WINDOW, Pick::TimedOut)[0].1.count, 30);
        all.iter().filter(|counted| counted.marks().timed_out).for_each(|counted| tally.remove(counted));
        assert_eq!(counts(&tally), [30, 0, 20, 0]);
        assert!(tally.total_of(at(10), WINDOW, Pick::TimedOut).is_empty());
        all.iter().filter(|counted| !counted.marks().timed_out).for_each(|counted| tally.remove(counted));
        assert!(tally.is_empty());
    }
}
