//! What each endpoint of an API adds up to at one look of its rules: computed once, however many rules ask.
//!
//! Not how it is counted: that is `window` and `tally`. Rule: it is made anew for each look and dropped with it, so it is
//! never older than what it was made of; what it does not have is added up where it is asked for.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use super::endpoints::EndpointStats;
use super::rules::{Rule, Special};
use super::tally::{LabelSum, Tally};
use super::window::{Counts, begin};
use crate::model::alert::Measure;
use crate::model::time::Timestamp;

/// Sums of all endpoints, by their place.
#[derive(Debug)]
pub(super) struct Sums {
    at: Timestamp,
    /// Requests, by window.
    counts: Vec<(Duration, Vec<Counts>)>,
    /// Causes, by window.
    causes: Vec<(Duration, Causes)>,
}

/// Causes of all endpoints over one window.
#[derive(Debug, Default)]
struct Causes {
    /// Those of one endpoint after those of another.
    sums: Vec<LabelSum>,
    /// Where those of each begin, and where the last ones end.
    from: Vec<usize>,
}

impl Sums {
    /// Of what rules ask of endpoints at event time `at`.
    pub(super) fn new(rules: &[Rule], endpoints: &[EndpointStats], at: Timestamp) -> Self {
        let once = |windows: &mut dyn Iterator<Item = Duration>| {
            let mut all: Vec<Duration> = windows.collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let of_counts = once(&mut rules.iter().flat_map(of_all));
        let of_causes = once(&mut rules.iter().filter(|rule| looks_at_causes(rule.measure)).map(|rule| rule.window));
        let room = || Vec::with_capacity(endpoints.len());
        let mut counts: Vec<_> = of_counts.into_iter().map(|window| (window, room())).collect();
        let mut causes: Vec<_> = of_causes.into_iter().map(|window| (window, Causes::of(endpoints.len()))).collect();
        // Endpoint by endpoint: what is counted of one is near by once it was looked at, and thousands do not fit there.
        for stats in endpoints {
            for (window, counts) in &mut counts {
                counts.push(requests(stats, at, *window));
            }
            for (window, causes) in &mut causes {
                causes.add(&stats.tally, at, *window);
            }
        }
        Self { at, counts, causes }
    }

    /// The requests of some endpoints in `[end - window, end)`, together.
    pub(super) fn requests(&self, all: &[EndpointStats], of: Range<usize>, end: Timestamp, window: Duration) -> Counts {
        let mut sum = Counts::default();
        match self.counts.iter().find(|(known, _)| *known == window && end == self.at) {
            Some((_, counts)) => counts[of].iter().for_each(|counts| sum.add(counts)),
            None => all[of].iter().for_each(|stats| sum.add(&requests(stats, end, window))),
        }
        sum
    }

    /// The failures of the endpoint at this place in `[end - window, end)`, by label.
    pub(super) fn causes(
        &self,
        all: &[EndpointStats],
        of: usize,
        end: Timestamp,
        window: Duration,
    ) -> Cow<'_, [LabelSum]> {
        match self.causes.iter().find(|(known, _)| *known == window && end == self.at) {
            Some((_, causes)) => Cow::Borrowed(&causes.sums[causes.from[of]..causes.from[of + 1]]),
            None => Cow::Owned(all[of].tally.sums(end, window)),
        }
    }
}

impl Causes {
    /// Of none yet, with room for so many endpoints.
    fn of(endpoints: usize) -> Self {
        let mut from = Vec::with_capacity(endpoints + 1);
        from.push(0);
        Self { sums: Vec::new(), from }
    }

    /// Those of the next endpoint.
    fn add(&mut self, tally: &Tally, at: Timestamp, window: Duration) {
        tally.sum_into(&mut self.sums, at, window);
        self.from.push(self.sums.len());
    }
}

/// The windows over which a rule asks for the requests of every endpoint. What it asks only of those that fail is not
/// here.
fn of_all(rule: &Rule) -> impl Iterator<Item = Duration> + use<> {
    let own = match rule.measure {
        Measure::Failures | Measure::FailureCount | Measure::Slow { .. } | Measure::Traffic => Some(rule.window),
        Measure::Timeouts
        | Measure::NoInvocations
        | Measure::NewCause
        | Measure::Latency { .. }
        | Measure::BurnRate { .. }
        | Measure::Unread => None,
    };
    let special = match rule.special {
        Special::None | Special::Learn(_) => Vec::new(),
        Special::Before { window, .. } => vec![rule.window + window],
        Special::Pairs(pairs) => pairs.iter().flat_map(|pair| [pair.long, pair.short]).collect(),
    };
    own.into_iter().chain(special)
}

/// Whether a rule asks what requests failed for, be it only to say so.
pub(super) const fn looks_at_causes(measure: Measure) -> bool {
    match measure {
        Measure::Failures
        | Measure::FailureCount
        | Measure::Timeouts
        | Measure::NoInvocations
        | Measure::NewCause
        | Measure::BurnRate { .. } => true,
        Measure::Latency { .. } | Measure::Slow { .. } | Measure::Traffic | Measure::Unread => false,
    }
}

fn requests(stats: &EndpointStats, end: Timestamp, window: Duration) -> Counts {
    // Most of many endpoints are idle.
    if stats.newest < begin(end, window) { Counts::default() } else { stats.window.total(end, window) }
}
