//! Rules: what is measured, and when it is too bad.
//!
//! Not what happens then (that is `alerts` and `sight`) nor who is told (`notify/plan`). Rule: a look returns why it decided as
//! it did, and a ratio over too few requests or errors never decides anything.

mod set;
mod table;

use std::sync::Arc;
use std::time::Duration;

pub use self::set::Rules;
use super::wilson;
use crate::model::alert::{Before, Measure, Severity};

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each endpoint by itself.
    Endpoint,
    /// All requests of an API together.
    Api,
}

/// Rungs in the unit of what is measured. A rule has one at least.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ladder {
    /// The lowest rung.
    pub elevated: Option<f64>,
    /// The middle rung.
    pub high: Option<f64>,
    /// The top rung.
    pub critical: Option<f64>,
}

impl Ladder {
    /// 1 %, 5 %, 15 %: the severities of the guide this project started from.
    pub const SHARES: Self = Self { elevated: Some(0.01), high: Some(0.05), critical: Some(0.15) };

    /// A single rung.
    #[must_use]
    pub fn one(severity: Severity, rung: f64) -> Self {
        let at = |wanted| (severity == wanted).then_some(rung);
        Self { elevated: at(Severity::Elevated), high: at(Severity::High), critical: at(Severity::Critical) }
    }

    /// Its rungs, from the lowest.
    #[must_use]
    pub fn rungs(&self) -> impl DoubleEndedIterator<Item = (Severity, f64)> {
        let all =
            [(Severity::Elevated, self.elevated), (Severity::High, self.high), (Severity::Critical, self.critical)];
        all.into_iter().filter_map(|(severity, rung)| Some((severity, rung?)))
    }

    /// The lowest rung.
    #[must_use]
    pub fn lowest(&self) -> f64 {
        self.rungs().next().map_or(f64::INFINITY, |(_, rung)| rung)
    }

    /// The rung of a severity, or the next below it.
    #[must_use]
    pub fn rung(&self, severity: Severity) -> f64 {
        self.rungs().rfind(|(s, _)| *s <= severity).map_or_else(|| self.lowest(), |(_, rung)| rung)
    }
}

/// A second, longer look for endpoints whose window holds too little to decide anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowTraffic {
    /// How far back it looks: a multiple of a minute.
    pub window: Duration,
    /// Below this many requests in that window it does not fire.
    pub min_requests: u64,
}

impl LowTraffic {
    /// The longer look is for what has fewer requests than this, in each minute on average.
    pub const BELOW_PER_MINUTE: u64 = 4;

    /// Whether so many requests in the longer window are few.
    #[must_use]
    pub fn is_few(&self, requests: u64) -> bool {
        requests.saturating_mul(60) < Self::BELOW_PER_MINUTE.saturating_mul(self.window.as_secs())
    }
}

/// Two windows of a burn rate: the long one says that it matters, the short one that it still goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The long one.
    pub long: Duration,
    /// The short one.
    pub short: Duration,
}

/// What only rules of one kind have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// Nothing.
    None,
    /// Of a rule about traffic: what there was before its window.
    Before {
        /// How long before.
        window: Duration,
        /// With fewer requests than this in that time, nothing is said about their absence.
        min_requests: u64,
    },
    /// Of a burn rate: the windows of each rung, from the lowest.
    Pairs([Pair; 3]),
    /// Of a rule about new causes: how long an endpoint is watched before one of its causes can be new.
    Learn(Duration),
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, unique.
    pub name: Arc<str>,
    /// It is looked at.
    pub on: bool,
    /// What it looks at.
    pub by: By,
    /// What it measures there.
    pub measure: Measure,
    /// How far back it looks: a multiple of 10 s.
    pub window: Duration,
    /// Below this many requests in the window it does not fire.
    pub min_requests: u64,
    /// Below this many of what it counts (failed requests, mostly) in the window it does not fire.
    pub min_errors: u64,
    /// How sure it must be that the true share is above the lowest rung: one-sided, 0.5 to 1 (1 excluded). 0 takes the
    /// share as it is. For shares only.
    pub confidence: f64,
    /// The longer look, if there is one. For shares of 5xx only.
    pub low_traffic: Option<LowTraffic>,
    /// The rungs, in the unit of what it measures.
    pub ladder: Ladder,
    /// A rung is reached by a value at it; otherwise only above it.
    pub at_least: bool,
    /// How long the condition must hold before it fires, and a higher rung before the severity rises.
    pub hold: Duration,
    /// How long it goes on firing after the condition was last true, and at least how long it stays at a severity.
    pub keep_firing: Duration,
    /// It counts as over only below this share of the lowest rung, and as less bad only below this share of the rung of
    /// its severity, so that a value at a rung does not flap. Traffic is back where this share of it is above the rung,
    /// or where it is half way from there to what is expected.
    pub clear_ratio: f64,
    /// What only its kind has.
    pub special: Special,
}

/// The built-in rule `source-blind`: a log group is not read. It has no window and no counts; it goes by arrival time,
/// because a log that is not read has no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceBlind {
    /// How long the log must not have been read before it fires.
    pub hold: Duration,
    /// How bad that is.
    pub severity: Severity,
}

impl SourceBlind {
    /// The rule's name.
    pub const NAME: &'static str = "source-blind";
}

impl Default for SourceBlind {
    /// High, after two minutes: a throttled or failing read is tried several times in that time.
    fn default() -> Self {
        Self { hold: Duration::from_mins(2), severity: Severity::High }
    }
}

/// Counts that a rule looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// What was measured over the window.
    pub value: f64,
    /// Requests in the window.
    pub requests: u64,
    /// Failed requests in the window, or whatever the rule counts.
    pub errors: u64,
    /// The same over the longer window, if the rule looks at one.
    pub long: Option<Counted>,
    /// A log that counts is not read: there may be more than is seen.
    pub partial: bool,
    /// Of traffic: what came before the window.
    pub before: Option<Before>,
    /// What is measured is not judged by the ladder alone.
    pub decided: Option<Decided>,
}

/// A look of a rule that the ladder alone does not decide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decided {
    /// What it says.
    pub finding: Finding,
    /// The value from which it is too bad.
    pub threshold: f64,
    /// The window over which the value was measured.
    pub window: Duration,
}

/// What an alert tells of a look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// The measured value.
    pub value: f64,
    /// The value from which it is too bad.
    pub threshold: f64,
    /// Requests, and those of them that the rule counts.
    pub counted: Counted,
    /// The window of all of them.
    pub window: Duration,
}

/// Requests and those of them that the rule counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests.
    pub requests: u64,
    /// Those that are counted.
    pub errors: u64,
}

impl Counted {
    /// Their share, 0 when there were none.
    #[must_use]
    #[expect(clippy::cast_precision_loss)]
    pub fn share(self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.errors as f64 / self.requests as f64 }
    }
}

impl Look {
    /// A look at a share.
    #[must_use]
    pub fn share(counted: Counted, long: Option<Counted>, partial: bool) -> Self {
        let Counted { requests, errors } = counted;
        Self { value: counted.share(), requests, errors, long, partial, ..Self::default() }
    }
}

/// What a rule says of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Too bad, and how bad.
    Bad(Severity),
    /// Above the point where it counts as over, but not bad enough to fire; or well as far as one sees, which is not
    /// far enough to say that it is over.
    Near,
    /// The share is bad, but that may be chance.
    Unsure,
    /// The share is bad, but there are fewer requests than the rule asks for.
    TooFewRequests,
    /// The share is bad, but there are fewer errors than the rule asks for.
    TooFewErrors,
    /// All well.
    Good,
}

impl Rule {
    /// Judges counts.
    #[must_use]
    pub fn judge(&self, look: Look) -> Finding {
        let finding = look.decided.map_or_else(|| self.by_ladder(look).0, |decided| decided.finding);
        if finding == Finding::Good && look.partial { Finding::Near } else { finding }
    }

    /// The figures of the window that decides, by which the finding is told.
    #[must_use]
    pub fn told(&self, look: Look) -> Told {
        let Look { value, requests, errors, .. } = look;
        let (window, threshold) = look
            .decided
            .map_or_else(|| (self.window, self.ladder.lowest()), |decided| (decided.window, decided.threshold));
        let own = Told { value, threshold, counted: Counted { requests, errors }, window };
        let longer = if look.decided.is_none() { self.by_ladder(look).1 } else { None };
        longer.map_or(own, |(window, counted)| Told { value: counted.share(), counted, window, ..own })
    }

    /// Whether the counts of its own window decide, whatever a longer look says: they are as bad as can be; or, where no
    /// alert stands that has to go on, nothing is counted in them.
    pub(super) fn decides(&self, own: Counted, stands: bool) -> bool {
        let top = self.ladder.rungs().next_back().map(|(severity, _)| severity);
        match self.judge_window(own.share(), own, self.min_requests) {
            Finding::Bad(severity) => Some(severity) == top,
            Finding::Near | Finding::Unsure | Finding::TooFewRequests | Finding::TooFewErrors | Finding::Good => {
                !stands && own.errors == 0
            }
        }
    }

    /// What the ladder says of counts, and the window and counts of the longer look, where that is what decides.
    fn by_ladder(&self, look: Look) -> (Finding, Option<(Duration, Counted)>) {
        let counted = Counted { requests: look.requests, errors: look.errors };
        let long = self.low_traffic.zip(look.long).filter(|(low, long)| low.is_few(long.requests));
        // Where few come, as few decide in either look: otherwise a quiet endpoint that is down is not found before its
        // failures weigh in the longer one.
        let enough = long.map_or(self.min_requests, |(low, _)| low.min_requests.min(self.min_requests));
        let first = self.judge_window(look.value, counted, enough);
        let Some((low, long)) = long else { return (first, None) };
        let longer = Some((low.window, long));
        match (first, self.judge_window(long.share(), long, low.min_requests)) {
            (Finding::Bad(_), _) => (first, None),
            // What is over for the whole window does not go on, except that silence is no sign of health.
            (_, Finding::Bad(severity)) if look.errors > 0 => (Finding::Bad(severity), longer),
            (_, Finding::Bad(_)) if look.requests == 0 => (Finding::Near, longer),
            // The window holds too little to say anything.
            (Finding::Unsure | Finding::TooFewRequests | Finding::TooFewErrors, _) => (first, longer),
            (Finding::Near | Finding::Good, _) => (first, None),
        }
    }

    /// The value that the severity goes by, where both looks count the larger one.
    #[must_use]
    pub fn weight(&self, look: Look) -> f64 {
        let long = self.low_traffic.zip(look.long).filter(|(low, long)| low.is_few(long.requests));
        long.map_or(look.value, |(_, long)| look.value.max(long.share()))
    }

    fn judge_window(&self, value: f64, counted: Counted, min_requests: u64) -> Finding {
        match self.severity(value) {
            Some(_) if counted.errors < self.min_errors => Finding::TooFewErrors,
            Some(_) if counted.requests < min_requests => Finding::TooFewRequests,
            Some(_) if !self.is_sure(counted) => Finding::Unsure,
            Some(severity) => Finding::Bad(severity),
            None if value >= self.ladder.lowest() * self.clear_ratio && value > 0.0 => Finding::Near,
            None => Finding::Good,
        }
    }

    /// How far back it counts requests.
    #[must_use]
    pub fn counts_back(&self) -> Duration {
        let own = self.low_traffic.map_or(self.window, |low| low.window.max(self.window));
        match &self.special {
            Special::None | Special::Learn(_) => own,
            Special::Before { window, .. } => own.max(self.window + *window),
            Special::Pairs(pairs) => pairs.iter().map(|pair| pair.long.max(pair.short)).fold(own, Duration::max),
        }
    }

    /// The highest rung that a value reaches.
    #[must_use]
    pub fn severity(&self, value: f64) -> Option<Severity> {
        let reached = |rung| value > rung || self.at_least && value >= rung;
        self.ladder.rungs().rfind(|(_, rung)| reached(*rung)).map(|(severity, _)| severity)
    }

    /// Whether the true share is above the lowest rung, by the rule's confidence.
    fn is_sure(&self, counted: Counted) -> bool {
        self.confidence <= 0.0 || wilson::lower(counted, self.confidence) > self.ladder.lowest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(errors: u64, requests: u64) -> Finding {
        Rule::built_in(Duration::from_mins(5))[0].judge(Look::share(Counted { requests, errors }, None, false))
    }

    #[test]
    fn the_ladder_is_above_not_at() {
        let mut rule = Rule::built_in(Duration::from_mins(5)).remove(0);
        rule.confidence = 0.0;
        let judge = |errors, requests| rule.judge(Look::share(Counted { requests, errors }, None, false));
        assert_eq!(judge(12, 30), Finding::Bad(Severity::Critical));
        assert_eq!(judge(24, 132), Finding::Bad(Severity::Critical));
        assert_eq!(judge(15, 100), Finding::Bad(Severity::High));
        assert_eq!(judge(16, 100), Finding::Bad(Severity::Critical));
        assert_eq!(judge(5, 100), Finding::Bad(Severity::Elevated));
        assert_eq!(judge(10, 1000), Finding::Near);
        assert_eq!(judge(5, 1000), Finding::Good);
    }

    /// The least errors that surely are more than 1 %.
    #[test]
    fn a_share_must_surely_be_above_the_lowest_rung() {
        for (requests, least) in [(300, 8), (500, 11), (1000, 18)] {
            assert_eq!(judge(least, requests), Finding::Bad(Severity::Elevated), "{least} of {requests}");
            assert_eq!(judge(least - 1, requests), Finding::Unsure, "{} of {requests}", least - 1);
        }
        let mut plain = Rule::built_in(Duration::from_mins(5)).remove(0);
        plain.confidence = 0.0;
        let look = Look::share(Counted { requests: 1000, errors: 11 }, None, false);
        assert_eq!(
            plain.judge(look),
            Finding::Bad(Severity::Elevated),
            "without confidence the share is taken as it is"
        );
    }

    #[test]
    fn what_comes_seldom_is_looked_at_for_longer() {
        let judge = |now: (u64, u64), long: (u64, u64)| {
            let counted = |(errors, requests)| Counted { requests, errors };
            let look = Look::share(counted(now), Some(counted(long)), false);
            Rule::built_in(Duration::from_mins(5))[0].judge(look)
        };
        assert_eq!(judge((2, 2), (5, 5)), Finding::Bad(Severity::Critical));
        assert_eq!(judge((2, 2), (4, 4)), Finding::TooFewErrors, "five requests at least");
        assert_eq!(judge((0, 2), (5, 7)), Finding::Good, "what is over for the whole window does not go on");
        assert_eq!(judge((0, 0), (5, 5)), Finding::Near, "silence is no sign of health");
        assert_eq!(judge((2, 20), (60, 120)), Finding::TooFewErrors, "four a minute are not few");
        assert_eq!(judge((2, 19), (60, 119)), Finding::Bad(Severity::Critical));
    }

    #[test]
    fn what_is_told_is_what_decided() {
        let rule = Rule::built_in(Duration::from_mins(5)).remove(0);
        let told = |now: (u64, u64), long: (u64, u64)| {
            let counted = |(errors, requests)| Counted { requests, errors };
            let Told { value, threshold, counted, window } =
                rule.told(Look::share(counted(now), Some(counted(long)), false));
            assert!((value - counted.share()).abs() < 1e-9 && (threshold - 0.01).abs() < 1e-9);
            (counted.errors, counted.requests, window.as_secs() / 60)
        };
        assert_eq!(told((1, 1), (12, 20)), (12, 20, 30), "one request would not have fired");
        assert_eq!(told((5, 10), (12, 20)), (5, 10, 5), "the first look is enough");
        assert_eq!(told((0, 0), (12, 20)), (12, 20, 30), "in silence the longer look keeps it firing");
        assert_eq!(told((0, 2), (12, 20)), (0, 2, 5), "it is over by the first");
        assert_eq!(told((1, 1), (2, 40)), (2, 40, 30), "the first holds too little to tell of");
        assert_eq!(told((1, 1), (12, 120)), (1, 1, 5), "four a minute are not few");
        let decided = Decided { finding: Finding::Near, threshold: 3.0, window: Duration::from_mins(1) };
        let look = Look { value: 2.0, decided: Some(decided), ..Look::default() };
        let counted = Counted::default();
        assert_eq!(rule.told(look), Told { value: 2.0, threshold: 3.0, counted, window: decided.window });
    }

    #[test]
    fn few_requests_or_errors_decide_nothing() {
        assert_eq!(judge(1, 1), Finding::TooFewErrors);
        assert_eq!(judge(2, 50), Finding::TooFewErrors);
        assert_eq!(judge(9, 9), Finding::TooFewRequests);
        assert_eq!(judge(3, 10), Finding::Bad(Severity::Critical));
        assert_eq!(judge(0, 0), Finding::Good);
    }

    #[test]
    fn what_is_seen_in_part_can_be_bad_but_never_good() {
        let look = |errors| Look::share(Counted { requests: 100, errors }, None, true);
        let judge = |errors| Rule::built_in(Duration::from_mins(5))[0].judge(look(errors));
        assert_eq!((judge(0), judge(16)), (Finding::Near, Finding::Bad(Severity::Critical)));
    }
}
