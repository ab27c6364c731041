//! How often each cause was seen at one endpoint, by slot, with the newest sample of each.
//!
//! Counts follow explanations: a failure that is explained anew is taken from its old label and added to the new one.
//! Rule: an endpoint keeps at most [`LABELS_MAX`] labels apart; what comes after is counted by its kind alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::window::{SLOT, slots_in};
use crate::model::alert::{CauseCount, CauseSample};
use crate::model::cause::{CauseKind, Explanation};
use crate::model::time::Timestamp;

/// Labels kept apart for one endpoint: an endpoint that fails in more ways is not read cause by cause any more.
pub const LABELS_MAX: usize = 32;

/// Failures that count as the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

#[derive(Clone, Debug)]
struct Entry {
    label: Label,
    sample: CauseSample,
    sampled: Timestamp,
}

/// The tally of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    entries: Vec<Entry>,
    /// (slot, place in `entries`) -> failures.
    counts: BTreeMap<(i64, usize), u32>,
}

impl Tally {
    /// Counts a failure under its label. Returns the label it was counted under, to be given to [`Tally::remove`].
    pub fn add(&mut self, time: Timestamp, label: Label, sample: CauseSample) -> Label {
        let at = self.place(label);
        let entry = &mut self.entries[at];
        if entry.sampled <= time {
            entry.sample = sample;
            entry.sampled = time;
        }
        *self.counts.entry((time.slot(SLOT), at)).or_default() += 1;
        entry.label.clone()
    }

    /// Takes a failure back that was counted at `time` under `label`.
    pub fn remove(&mut self, time: Timestamp, label: &Label) {
        let Some(at) = self.entries.iter().position(|e| e.label == *label) else { return };
        let key = (time.slot(SLOT), at);
        if let Some(count) = self.counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&key);
            }
        }
    }

    /// The causes of `[end - window, end)`, most frequent first; equal counts in order of their label.
    #[must_use]
    pub fn total(&self, end: Timestamp, window: Duration) -> Vec<(Label, CauseCount)> {
        let last = end.slot(SLOT);
        let first = last.saturating_sub(i64::try_from(slots_in(window)).unwrap_or(i64::MAX));
        let mut counts = vec![0_u64; self.entries.len()];
        for ((_, at), n) in self.counts.range((first, 0)..(last, 0)) {
            counts[*at] += u64::from(*n);
        }
        let mut causes: Vec<_> = self.entries.iter().zip(counts).filter(|(_, n)| *n > 0).collect();
        causes.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.label.cmp(&b.label)));
        causes.into_iter().map(|(e, count)| (e.label.clone(), e.count(count))).collect()
    }

    /// Forgets slots that ended before `before`.
    pub fn forget_before(&mut self, before: Timestamp) {
        self.counts = self.counts.split_off(&(before.slot(SLOT), 0));
        if self.counts.is_empty() {
            self.entries.clear();
        }
    }

    fn place(&mut self, label: Label) -> usize {
        if let Some(at) = self.entries.iter().position(|e| e.label == label) {
            return at;
        }
        if self.entries.len() >= LABELS_MAX && label != Label::only_kind(label.kind) {
            return self.place(Label::only_kind(label.kind));
        }
        self.entries.push(Entry { label, sample: CauseSample::default(), sampled: Timestamp::MIN });
        self.entries.len() - 1
    }
}

impl Entry {
    fn count(&self, count: u64) -> CauseCount {
        CauseCount { kind: self.label.kind, count, sample: self.sample.clone() }
    }
}

/// Puts the causes of several endpoints together, most frequent first.
#[must_use]
pub fn merge(all: impl IntoIterator<Item = (Label, CauseCount)>) -> Vec<CauseCount> {
    let mut by_label: BTreeMap<Label, CauseCount> = BTreeMap::new();
    for (label, cause) in all {
        by_label.entry(label).and_modify(|c| c.count += cause.count).or_insert(cause);
    }
    let mut causes: Vec<_> = by_label.into_values().collect();
    causes.sort_by(|a, b| b.count.cmp(&a.count));
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(kind: CauseKind, error_type: &str) -> Label {
        Label { kind, error_type: Some(error_type.into()), function: None }
    }

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    const WINDOW: Duration = Duration::from_secs(300);

    #[test]
    fn counts_move_with_the_explanation() {
        let mut tally = Tally::default();
        let unknown = Label::only_kind(CauseKind::Unknown);
        let counted = tally.add(at(5), unknown, CauseSample::default());
        tally.add(at(6), label(CauseKind::UnhandledException, "TypeError"), CauseSample::default());
        tally.remove(at(5), &counted);
        tally.add(at(5), label(CauseKind::UnhandledException, "TypeError"), CauseSample::default());
        let total = tally.total(at(10), WINDOW);
        assert_eq!(total.len(), 1);
        assert_eq!((total[0].1.kind, total[0].1.count), (CauseKind::UnhandledException, 2));
        assert!(tally.total(at(0), WINDOW).is_empty(), "a window that ends before does not see them");
    }

    #[test]
    fn labels_are_bounded_and_nothing_is_lost() {
        let mut tally = Tally::default();
        for i in 0..100 {
            tally.add(at(i % 10), label(CauseKind::UnhandledException, &format!("E{i}")), CauseSample::default());
        }
        let total = tally.total(at(10), WINDOW);
        assert_eq!(total.len(), LABELS_MAX + 1);
        assert_eq!(total.iter().map(|(_, c)| c.count).sum::<u64>(), 100);
        assert_eq!(total[0].1.count, 100 - LABELS_MAX as u64, "the rest counts by its kind");
    }

    #[test]
    fn old_slots_are_forgotten() {
        let mut tally = Tally::default();
        tally.add(at(5), label(CauseKind::Throttled, "x"), CauseSample::default());
        tally.forget_before(at(10));
        assert!(tally.total(at(10), WINDOW).is_empty());
    }
}
