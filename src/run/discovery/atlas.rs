//! What is known of the APIs that are discovered, and when each is looked at again; pure.
//!
//! Not the asking. Rule: an answer replaces what was known, no answer does not; what is wrong is said once, and again
//! when something else is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::found::Found;
use crate::config::gap::Gap;
use crate::config::sought::Sought;
use crate::model::problem::Problem;
use crate::model::time::Timestamp;

/// The first wait after a look that failed; it doubles with each.
const FIRST: Duration = Duration::from_secs(10);
/// No wait after a look that failed is longer: who makes the API that is missing should not wait for it.
const LONGEST: Duration = Duration::from_mins(5);

/// What a look found.
pub type Look = Result<(Found, Vec<Gap>), Miss>;

/// Why an API was not found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The kind.
    pub why: Why,
    /// In words, and what to do.
    pub said: String,
}

/// Kinds of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is none of that name.
    None,
    /// There are several.
    Several,
    /// It cannot be watched as it is.
    Unwatchable,
    /// It could not be asked.
    Unasked(Problem),
    /// No answer came in time.
    Late,
}

impl Why {
    /// Whether waiting may be all that it needs.
    const fn passes(self) -> bool {
        match self {
            Self::None | Self::Several | Self::Unwatchable => false,
            Self::Late => true,
            Self::Unasked(problem) => {
                matches!(problem, Problem::Throttled | Problem::Unreachable | Problem::Service | Problem::Late)
            }
        }
    }
}

/// What is to be said of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// It was found.
    Found(Vec<Gap>),
    /// What is found differs from before, or what is wrong with it does.
    Changed(Vec<Gap>),
    /// It is answered again.
    Again,
    /// It was not found out.
    Missed {
        /// Why not.
        miss: Miss,
        /// What was found earlier is used meanwhile.
        earlier: bool,
    },
}

/// One API.
#[derive(Clone, Debug)]
struct Entry {
    /// The last answer, if it can be watched.
    found: Option<Found>,
    /// What was said about it.
    gaps: Option<Vec<Gap>>,
    /// What was wrong the last time.
    miss: Option<Miss>,
    /// It was looked at in this process.
    tried: bool,
    /// Looks that failed in a row.
    row: u32,
    /// Looks that failed, in this process.
    failed: u64,
    next: Timestamp,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    entries: BTreeMap<Sought, Entry>,
    interval: Duration,
}

/// How it stands with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It was looked at.
    pub tried: bool,
    /// Looks that failed.
    pub failed: u64,
    /// Why the last one failed, if it did.
    pub why: Option<Arc<str>>,
}

impl Atlas {
    /// What was found in an earlier process.
    #[must_use]
    pub fn of(kept: BTreeMap<Sought, Found>) -> Self {
        let entry = |found| Entry { found: Some(found), ..Entry::new(Timestamp::MIN) };
        Self { entries: kept.into_iter().map(|(sought, found)| (sought, entry(found))).collect(), ..Self::default() }
    }

    /// From now on these are looked at, each at once and then every `interval`.
    pub fn seek(&mut self, sought: impl IntoIterator<Item = Sought>, interval: Duration, now: Timestamp) {
        let mut before = std::mem::take(&mut self.entries);
        for sought in sought {
            let known = before.remove(&sought).map(|entry| Entry { next: now, ..entry });
            self.entries.entry(sought).or_insert_with(|| known.unwrap_or_else(|| Entry::new(now)));
        }
        self.interval = interval;
    }

    /// What is looked at next, and when.
    #[must_use]
    pub fn next(&self) -> Option<(&Sought, Timestamp)> {
        let next = self.entries.iter().min_by_key(|(_, entry)| entry.next);
        next.map(|(sought, entry)| (sought, entry.next))
    }

    /// What a look found. True if other logs are to be watched now.
    pub fn take(&mut self, sought: &Sought, look: Look, now: Timestamp) -> (bool, Option<Say>) {
        // Nobody looks for it any more.
        let Some(entry) = self.entries.get_mut(sought) else { return (false, None) };
        entry.tried = true;
        let part = |gaps: &[Gap]| gaps.iter().any(Gap::passes);
        let (found, gaps) = match look {
            // A part of the answer is missing that was there before.
            Ok((_, gaps)) if entry.found.is_some() && part(&gaps) => {
                let gap = gaps.iter().find(|gap| gap.passes()).map(ToString::to_string).unwrap_or_default();
                return (false, entry.miss(Miss { why: Why::Late, said: gap }, now, self.interval));
            }
            Ok(answer) => answer,
            Err(miss) => return (false, entry.miss(miss, now, self.interval)),
        };
        if !found.is_watchable() {
            let stops = gaps.iter().filter(|gap| gap.stops());
            let said: Vec<_> = stops.map(|gap| [&[gap.to_string()], gap.mend()].concat().join("; ")).collect();
            let was_watched = entry.found.take().is_some();
            return (
                was_watched,
                entry.miss(Miss { why: Why::Unwatchable, said: said.join("; ") }, now, self.interval),
            );
        }
        let missed = entry.miss.take().is_some();
        let changed = entry.found.as_ref() != Some(&found);
        let is_first = entry.gaps.is_none();
        let other_gaps = entry.gaps.as_ref() != Some(&gaps);
        entry.row = 0;
        // What is missing may be there soon.
        entry.next = now.plus(if part(&gaps) { FIRST.max(self.interval / 10) } else { self.interval });
        entry.found = Some(found);
        entry.gaps = Some(gaps.clone());
        let say = if is_first {
            Some(Say::Found(gaps))
        } else if changed || other_gaps {
            Some(Say::Changed(gaps))
        } else {
            missed.then_some(Say::Again)
        };
        (changed, say)
    }

    /// What was found.
    #[must_use]
    pub fn known(&self) -> BTreeMap<Sought, Found> {
        let known = self.entries.iter();
        known.filter_map(|(sought, entry)| Some((sought.clone(), entry.found.clone()?))).collect()
    }

    /// How it stands with one.
    #[must_use]
    pub fn standing(&self, sought: &Sought) -> Option<Standing> {
        let entry = self.entries.get(sought)?;
        let why = entry.miss.as_ref().map(|miss| miss.said.as_str().into());
        Some(Standing { tried: entry.tried, failed: entry.failed, why })
    }
}

impl Entry {
    const fn new(now: Timestamp) -> Self {
        Self { found: None, gaps: None, miss: None, tried: false, row: 0, failed: 0, next: now }
    }

    fn miss(&mut self, miss: Miss, now: Timestamp, interval: Duration) -> Option<Say> {
        let wait = FIRST.saturating_mul(1 << self.row.min(10)).min(LONGEST);
        // Whoever asks for looks every hour wants them rare, not late when something is wrong that passes.
        self.next = now.plus(if miss.why.passes() { wait } else { wait.max(FIRST).min(interval.max(FIRST)) });
        self.row = self.row.saturating_add(1);
        self.failed += 1;
        let same = self.miss.as_ref().is_some_and(|before| before.why == miss.why);
        self.miss = Some(miss.clone());
        (!same).then(|| Say::Missed { miss, earlier: self.found.is_some() })
    }
}

#[cfg(test)]
mod tests;
