//! What a rule measures of one endpoint, or of all endpoints of an API together.
//!
//! Not how bad that is, except where a ladder alone cannot say it: absence, burn rates, and what silence of another log
//! is taken for. Rule: a measure looks at what lies before the event time of the look and at nothing else, so that a
//! replay measures the same.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use super::endpoints::{EndpointStats, Endpoints};
use super::histogram::Histogram;
use super::lambdas::{Lambdas, Silence};
use super::rules::{Counted, Decided, Finding, Look, Pair, Rule, Special};
use super::sums::Sums;
use super::tally::{Kind, LabelSum, Pick};
use super::watched::{Cover, Watched};
use super::window::{Counts, SLOT};
use crate::model::alert::{Before, Measure, Severity};
use crate::model::inventory::ApiId;
use crate::model::request::Endpoint;
use crate::model::time::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);
/// Silence that has lasted for so long is how it is.
const FOR_GOOD: Duration = Duration::from_hours(24);

/// One look of an API's rules, and all it may see.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) api: ApiId,
    /// Event time.
    pub(super) at: Timestamp,
    /// Not all logs that count are read.
    pub(super) partial: bool,
    pub(super) endpoints: &'a Endpoints,
    pub(super) lambdas: Lambdas<'a>,
    pub(super) watched: &'a Watched,
    /// What the endpoints add up to at `at`.
    pub(super) sums: Sums,
}

impl Scene<'_> {
    /// Measures some endpoints together, by their places. `stands`: there is an alert about them.
    pub(super) fn measure(&self, rule: &Rule, of: Range<usize>, stands: bool) -> Look {
        let counts = |window| self.counts(of.clone(), self.at, window);
        let share = |count: &dyn Fn(Duration) -> Counted| {
            let own = count(rule.window);
            // In an outage there are thousands for whom half an hour need not be added up.
            let longer = rule.low_traffic.filter(|_| !rule.decides(own, stands));
            Look::share(own, longer.map(|low| count(low.window)), self.partial)
        };
        match rule.measure {
            Measure::Failures => share(&|window| failed(&counts(window))),
            Measure::FailureCount => {
                let Counted { requests, errors } = failed(&counts(rule.window));
                Look { value: number(errors), requests, errors, partial: self.partial, ..Look::default() }
            }
            Measure::Timeouts => share(&|window| self.timeouts(of.clone(), window)),
            Measure::NoInvocations => self.no_invocations(rule, of),
            Measure::NewCause => self.new_causes(rule, of),
            Measure::Latency { quantile } => self.latency(rule, of, quantile),
            Measure::Slow { .. } => share(&|window| {
                let counts = counts(window);
                Counted { requests: counts.requests, errors: u64::from(counts.slow) }
            }),
            Measure::Traffic => self.traffic(rule, of),
            Measure::BurnRate { objective } => self.burn_rate(rule, &of, objective),
            Measure::Unread => Look { partial: self.partial, ..Look::default() },
        }
    }

    /// The sum of requests in `[end - window, end)`.
    pub(super) fn counts(&self, of: Range<usize>, end: Timestamp, window: Duration) -> Counts {
        self.sums.requests(self.endpoints.all(), of, end, window)
    }

    /// The failures of one endpoint in the window before the look, by label.
    pub(super) fn causes(&self, of: usize, window: Duration) -> Cow<'_, [LabelSum]> {
        self.sums.causes(self.endpoints.all(), of, self.at, window)
    }

    /// How many of its failures in `[end - window, end)` are picked.
    fn picked(&self, of: usize, end: Timestamp, window: Duration, pick: Pick) -> u64 {
        self.sums.causes(self.endpoints.all(), of, end, window).iter().map(|sum| sum.count(pick)).sum()
    }

    /// How many requests of one endpoint in the window the gateway stopped waiting for.
    pub(super) fn timed_out(&self, of: usize, window: Duration) -> u64 {
        self.picked(of, self.at, window, Pick::TimedOut)
    }

    fn timeouts(&self, of: Range<usize>, window: Duration) -> Counted {
        let requests = self.counts(of.clone(), self.at, window).requests;
        let errors = of.map(|place| self.timed_out(place, window)).sum();
        // What came too late to be counted is still explained.
        Counted { requests: requests.max(errors), errors }
    }

    /// Of requests that came before the logs of functions are read to: how many failed although nothing ran. A success
    /// since then refutes it as well. Where those logs do not tell, only what the gateway says of itself counts.
    fn no_invocations(&self, rule: &Rule, of: Range<usize>) -> Look {
        let silence = |stats: &EndpointStats| self.lambdas.silence(&stats.endpoint, rule.window);
        let mut read_to = Some(self.at);
        for stats in &self.endpoints.all()[of.clone()] {
            read_to = match silence(stats) {
                Silence::Tells(to) => read_to.map(|least| least.min(to.floor(SLOT))),
                Silence::NoGroup | Silence::NotRead | Silence::Behind | Silence::NotServed | Silence::Elsewhere => None,
            };
        }
        let end = read_to.unwrap_or(self.at);
        let before = self.counts(of.clone(), end, rule.window);
        let since =
            if end < self.at { self.counts(of.clone(), self.at, self.at.since(end)) } else { Counts::default() };
        let ran: u64 = of.clone().map(|place| self.ran(place, end, rule.window)).sum();
        let fine = since.requests.saturating_sub(since.errors());
        let counted =
            Counted { requests: before.requests.saturating_add(fine), errors: before.errors().saturating_sub(ran) };
        let look = Look::share(counted, None, self.partial);
        match rule.judge(look) {
            Finding::Bad(_) if read_to.is_none() => {
                // What the gateway says by itself needs no other log.
                let errors = of.map(|place| self.picked(place, end, rule.window, Pick::Refused)).sum();
                let refused = Look::share(Counted { errors, ..counted }, None, self.partial);
                let is_bad = matches!(rule.judge(refused), Finding::Bad(_));
                if is_bad { refused } else { decided(look, Finding::Unsure, rule.ladder.lowest(), rule.window) }
            }
            Finding::Bad(_)
            | Finding::Near
            | Finding::Unsure
            | Finding::TooFewRequests
            | Finding::TooFewErrors
            | Finding::Good => look,
        }
    }

    fn new_causes(&self, rule: &Rule, of: Range<usize>) -> Look {
        let requests = self.counts(of.clone(), self.at, rule.window).requests;
        let errors = of.flat_map(|place| self.new_at(rule, place)).map(|(_, count)| count).sum();
        let look = Look { value: number(errors), requests, errors, partial: self.partial, ..Look::default() };
        decided(look, rule.judge(look), number(rule.min_errors), rule.window)
    }

    /// Over full minutes, because that is how latencies are kept.
    fn latency(&self, rule: &Rule, of: Range<usize>, quantile: f64) -> Look {
        let end = self.at.floor(MINUTE);
        let window = Duration::from_mins((rule.window.as_secs() / 60).max(1));
        let mut all = Histogram::default();
        for stats in &self.endpoints.all()[of] {
            all.add(&stats.latencies.total(end, window));
        }
        let value = all.quantile(quantile).map_or(0.0, f64::from);
        Look { value, requests: all.count(), partial: self.partial, ..Look::default() }
    }

    /// Whether too few came, where there were enough before.
    fn traffic(&self, rule: &Rule, of: Range<usize>) -> Look {
        let Special::Before { window: before, min_requests } = rule.special else { return Look::default() };
        let requests = self.counts(of.clone(), self.at, rule.window).requests;
        let earlier = self.counts(of.clone(), self.at, rule.window + before).requests.saturating_sub(requests);
        let before = Before { requests: earlier, window: before };
        let expected = before.expected(rule.window);
        let least = expected * rule.ladder.lowest();
        // More than what is expected never comes, however far above the rung it is to be.
        let is_back = |value: f64| value * rule.clear_ratio >= least || value * 2.0 >= least + expected;
        let value = number(requests);
        let severity = rule.ladder.rungs().next().map_or(Severity::High, |(severity, _)| severity);
        let newest = self.endpoints.all()[of].iter().map(|stats| stats.newest).max().unwrap_or(Timestamp::MIN);
        let finding = match () {
            () if self.at.since(newest) > FOR_GOOD => Finding::Good,
            () if value > least && is_back(value) => Finding::Good,
            () if value > least => Finding::Near,
            () if earlier < min_requests => Finding::TooFewRequests,
            // What is not read is no silence, nor is what was not.
            () if self.partial || self.watched.cover(self.at, rule.window) == Cover::Gaps => Finding::Unsure,
            () => Finding::Bad(severity),
        };
        let look = Look { value, requests, before: Some(before), partial: self.partial, ..Look::default() };
        decided(look, finding, least, rule.window)
    }

    /// The worst rung of which both windows are over; without one, the window that is nearest to its rung.
    fn burn_rate(&self, rule: &Rule, of: &Range<usize>, objective: f64) -> Look {
        let Special::Pairs(pairs) = rule.special else { return Look::default() };
        let budget = 1.0 - objective;
        let counts = |window| failed(&self.counts(of.clone(), self.at, window));
        let burn = |counted: Counted| counted.share() / budget;
        let one = |(severity, rung): (Severity, f64)| {
            let Pair { long, short } = pairs[place(severity)];
            let (whole, recent) = (counts(long), counts(short));
            let least = burn(whole).min(burn(recent));
            let cover = self.watched.cover(self.at, long);
            let finding = match () {
                // What it says of a time before it was there is nothing, and not that it is bad.
                () if cover == Cover::Young => Finding::Good,
                () if least > rung && cover == Cover::Gaps => Finding::Unsure,
                () if least > rung && whole.errors < rule.min_errors => Finding::TooFewErrors,
                () if least > rung && whole.requests < rule.min_requests => Finding::TooFewRequests,
                () if least > rung => Finding::Bad(severity),
                () if least > 0.0 && least >= rung * rule.clear_ratio => Finding::Near,
                () => Finding::Good,
            };
            let Counted { requests, errors } = whole;
            let look = Look { value: burn(whole), requests, errors, partial: self.partial, ..Look::default() };
            (rank(finding), least / rung, decided(look, finding, rung, long))
        };
        let all = rule.ladder.rungs().map(one);
        let worst = all.max_by(|(a, x, _), (b, y, _)| a.cmp(b).then(x.total_cmp(y)));
        worst.map_or_else(Look::default, |(_, _, look)| look)
    }

    /// Causes and error types of an endpoint that are new to it, each with how often it was seen, where that is often
    /// enough.
    pub(super) fn new_at(&self, rule: &Rule, of: usize) -> Vec<(Kind<'_>, u64)> {
        let learn = if let Special::Learn(learn) = rule.special { learn } else { Duration::ZERO };
        let EndpointStats { endpoint, tally, learned, .. } = &self.endpoints.all()[of];
        // Many endpoints share that place; what is new to one of them is not seen there.
        let is_one = &*endpoint.route != Endpoint::OTHER && !tally.is_empty();
        // Mostly nothing is new, and then nobody asks what there is.
        if !is_one || !learned.has_new(self.at, rule.window, learn) {
            return Vec::new();
        }
        let often =
            tally.kins(&self.causes(of, rule.window)).into_iter().filter(|(_, kin)| kin.count >= rule.min_errors);
        let new = often.filter(|(kind, _)| learned.is_new(*kind, self.at, rule.window, learn));
        new.map(|(kind, kin)| (kind, kin.count)).collect()
    }

    /// Failures for which a function ran, or none was to.
    fn ran(&self, of: usize, end: Timestamp, window: Duration) -> u64 {
        let causes = self.sums.causes(self.endpoints.all(), of, end, window);
        let count = |pick| causes.iter().map(|sum| sum.count(pick)).sum::<u64>();
        count(Pick::All).saturating_sub(count(Pick::NotInvoked))
    }
}

fn failed(counts: &Counts) -> Counted {
    Counted { requests: counts.requests, errors: counts.errors() }
}

fn decided(look: Look, finding: Finding, threshold: f64, window: Duration) -> Look {
    Look { decided: Some(Decided { finding, threshold, window }), ..look }
}

/// Where the windows of a rung stand.
const fn place(severity: Severity) -> usize {
    match severity {
        Severity::Elevated => 0,
        Severity::High => 1,
        Severity::Critical => 2,
    }
}

/// What is worth more to be said.
const fn rank(finding: Finding) -> (u8, Severity) {
    match finding {
        Finding::Bad(severity) => (3, severity),
        Finding::Unsure | Finding::TooFewErrors | Finding::TooFewRequests => (2, Severity::Elevated),
        Finding::Near => (1, Severity::Elevated),
        Finding::Good => (0, Severity::Elevated),
    }
}

#[expect(clippy::cast_precision_loss)]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
