//! What a rule measures of one endpoint, or of all endpoints of an API together.
//!
//! Not how bad that is, except where a ladder alone cannot say it: absence, burn rates, and what silence of another log
//! is taken for. Rule: a measure looks at what lies before the event time of the look and at nothing else, so that a
//! replay measures the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::endpoints::{EndpointStats, Endpoints};
use super::histogram::Histogram;
use super::lambdas::{Lambdas, Silence};
use super::rules::{Counted, Decided, Finding, Look, Pair, Rule, Special};
use super::tally::Pick;
use super::watched::{Cover, Watched};
use super::window::{Counts, SLOT};
use crate::model::alert::{Measure, Severity};
use crate::model::cause::CauseKind;
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
}

impl Scene<'_> {
    /// Measures some endpoints together.
    pub(super) fn measure(&self, rule: &Rule, of: &[EndpointStats]) -> Look {
        let share = |count: &dyn Fn(Duration) -> Counted| {
            Look::share(count(rule.window), rule.low_traffic.map(|low| count(low.window)), self.partial)
        };
        match rule.measure {
            Measure::Failures => share(&|window| failed(&counts(of, self.at, window))),
            Measure::FailureCount => {
                let Counted { requests, errors } = failed(&counts(of, self.at, rule.window));
                Look { value: number(errors), requests, errors, partial: self.partial, ..Look::default() }
            }
            Measure::Timeouts => share(&|window| self.timeouts(of, window)),
            Measure::NoInvocations => self.no_invocations(rule, of),
            Measure::NewCause => self.new_causes(rule, of),
            Measure::Latency { quantile } => self.latency(rule, of, quantile),
            Measure::Slow { .. } => share(&|window| {
                let counts = counts(of, self.at, window);
                Counted { requests: counts.requests, errors: u64::from(counts.slow) }
            }),
            Measure::Traffic => self.traffic(rule, of),
            Measure::BurnRate { objective } => self.burn_rate(rule, of, objective),
            Measure::Unread => Look { partial: self.partial, ..Look::default() },
        }
    }

    fn timeouts(&self, of: &[EndpointStats], window: Duration) -> Counted {
        let requests = counts(of, self.at, window).requests;
        let errors = of.iter().map(|stats| stats.tally.count(self.at, window, Pick::TimedOut)).sum();
        // What came too late to be counted is still explained.
        Counted { requests: requests.max(errors), errors }
    }

    /// Of requests that came before the logs of functions are read to: how many failed although nothing ran. A success
    /// since then refutes it as well.
    fn no_invocations(&self, rule: &Rule, of: &[EndpointStats]) -> Look {
        let silence = |stats: &EndpointStats| self.lambdas.silence(&stats.endpoint, rule.window);
        let mut read_to = Some(self.at);
        for stats in of {
            read_to = match silence(stats) {
                Silence::Tells(to) => read_to.map(|least| least.min(to.floor(SLOT))),
                Silence::NoGroup | Silence::NotRead | Silence::Behind | Silence::NeverShown | Silence::Elsewhere => {
                    None
                }
            };
        }
        let end = read_to.unwrap_or(self.at);
        let before = counts(of, end, rule.window);
        let since = if end < self.at { counts(of, self.at, self.at.since(end)) } else { Counts::default() };
        let ran: u64 = of.iter().map(|s| ran(s, end, rule.window)).sum();
        let fine = since.requests.saturating_sub(since.errors());
        let counted =
            Counted { requests: before.requests.saturating_add(fine), errors: before.errors().saturating_sub(ran) };
        let look = Look::share(counted, None, self.partial);
        match rule.judge(look) {
            Finding::Bad(_) if read_to.is_none() => decided(look, Finding::Unsure, rule.ladder.lowest(), rule.window),
            Finding::Bad(_)
            | Finding::Near
            | Finding::Unsure
            | Finding::TooFewRequests
            | Finding::TooFewErrors
            | Finding::Good => look,
        }
    }

    fn new_causes(&self, rule: &Rule, of: &[EndpointStats]) -> Look {
        let requests = counts(of, self.at, rule.window).requests;
        let errors = of.iter().map(|stats| new_causes(rule, stats, self.at).map(|(_, count)| count).sum::<u64>()).sum();
        let look = Look { value: number(errors), requests, errors, partial: self.partial, ..Look::default() };
        decided(look, rule.judge(look), number(rule.min_errors), rule.window)
    }

    /// Over full minutes, because that is how latencies are kept.
    fn latency(&self, rule: &Rule, of: &[EndpointStats], quantile: f64) -> Look {
        let end = self.at.floor(MINUTE);
        let window = Duration::from_mins((rule.window.as_secs() / 60).max(1));
        let mut all = Histogram::default();
        for stats in of {
            all.add(&stats.latencies.total(end, window));
        }
        let value = all.quantile(quantile).map_or(0.0, f64::from);
        Look { value, requests: all.count(), partial: self.partial, ..Look::default() }
    }

    /// Whether too few came, where there were enough before.
    fn traffic(&self, rule: &Rule, of: &[EndpointStats]) -> Look {
        let Special::Before { window: before, min_requests } = rule.special else { return Look::default() };
        let requests = counts(of, self.at, rule.window).requests;
        let earlier = counts(of, self.at, rule.window + before).requests.saturating_sub(requests);
        let expected = number(earlier) * rule.window.as_secs_f64() / before.as_secs_f64();
        let least = expected * rule.ladder.lowest();
        let value = number(requests);
        let severity = rule.ladder.rungs().next().map_or(Severity::High, |(severity, _)| severity);
        let newest = of.iter().map(|stats| stats.newest).max().unwrap_or(Timestamp::MIN);
        let finding = match () {
            () if self.at.since(newest) > FOR_GOOD => Finding::Good,
            () if value > least && value * rule.clear_ratio >= least => Finding::Good,
            () if value > least => Finding::Near,
            () if earlier < min_requests => Finding::TooFewRequests,
            // What is not read is no silence, nor is what was not.
            () if self.partial || self.watched.cover(self.at, rule.window) == Cover::Gaps => Finding::Unsure,
            () => Finding::Bad(severity),
        };
        let look = Look { value, requests, partial: self.partial, ..Look::default() };
        decided(look, finding, least, rule.window)
    }

    /// The worst rung of which both windows are over; without one, the window that is nearest to its rung.
    fn burn_rate(&self, rule: &Rule, of: &[EndpointStats], objective: f64) -> Look {
        let Special::Pairs(pairs) = rule.special else { return Look::default() };
        let budget = 1.0 - objective;
        let burn = |counted: Counted| counted.share() / budget;
        let one = |(severity, rung): (Severity, f64)| {
            let Pair { long, short } = pairs[place(severity)];
            let (whole, recent) = (failed(&counts(of, self.at, long)), failed(&counts(of, self.at, short)));
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
}

/// Causes and error types of an endpoint that are new to it, each with how often it was seen, where that is often
/// enough.
pub(super) fn new_causes<'a>(
    rule: &'a Rule,
    stats: &'a EndpointStats,
    at: Timestamp,
) -> impl Iterator<Item = (Kind<'a>, u64)> {
    let learn = if let Special::Learn(learn) = rule.special { learn } else { Duration::ZERO };
    // Many endpoints share that place; what is new to one of them is not seen there.
    let is_one = &*stats.endpoint.route != Endpoint::OTHER && !stats.tally.is_empty();
    let kins = if is_one { stats.tally.kins(at, rule.window) } else { BTreeMap::default() };
    let is_new = move |kind: Kind<'a>| stats.learned.is_new(kind, at, rule.window, learn);
    let often = kins.into_iter().filter(|(_, kin)| kin.count >= rule.min_errors);
    often.filter(move |(kind, _)| is_new(*kind)).map(|(kind, kin)| (kind, kin.count))
}

/// A cause and its error type.
pub(super) type Kind<'a> = (CauseKind, Option<&'a Arc<str>>);

/// Failures for which a function ran, or none was to.
fn ran(stats: &EndpointStats, end: Timestamp, window: Duration) -> u64 {
    let count = |pick| stats.tally.count(end, window, pick);
    count(Pick::All).saturating_sub(count(Pick::NotInvoked))
}

pub(super) fn counts(of: &[EndpointStats], at: Timestamp, window: Duration) -> Counts {
    let mut sum = Counts::default();
    for stats in of {
        sum.add(&stats.window.total(at, window));
    }
    sum
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
