//! Rules: which counts are looked at, and when they are too bad.
//!
//! Not what happens then (that is `alerts` and `sight`) nor who is told (`notify/plan`). Rule: a look returns why it decided as
//! it did, and a ratio over too few requests or errors never decides anything.

use std::sync::Arc;
use std::time::Duration;

use crate::model::alert::Severity;

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each endpoint by itself.
    Endpoint,
    /// All requests of an API together.
    Api,
}

/// A ladder of shares of failed requests, each in 0..1: a rung is reached by a share *above* it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ladder {
    /// The lowest rung.
    pub elevated: f64,
    /// The middle rung.
    pub high: f64,
    /// The top rung.
    pub critical: f64,
}

impl Default for Ladder {
    /// 1 %, 5 %, 15 %.
    fn default() -> Self {
        Self { elevated: 0.01, high: 0.05, critical: 0.15 }
    }
}

impl Ladder {
    /// The highest rung that `share` is above.
    #[must_use]
    pub fn severity(&self, share: f64) -> Option<Severity> {
        [(self.critical, Severity::Critical), (self.high, Severity::High), (self.elevated, Severity::Elevated)]
            .into_iter()
            .find(|(rung, _)| share > *rung)
            .map(|(_, severity)| severity)
    }
}

/// A rule over the share of requests answered 5xx.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, unique.
    pub name: Arc<str>,
    /// What it looks at.
    pub by: By,
    /// How far back it looks: a multiple of 10 s.
    pub window: Duration,
    /// Below this many requests in the window it does not fire.
    pub min_requests: u64,
    /// Below this many failed requests in the window it does not fire.
    pub min_errors: u64,
    /// The rungs.
    pub ladder: Ladder,
    /// How long the condition must hold before it fires, and a higher rung before the severity rises.
    pub hold: Duration,
    /// How long it goes on firing after the condition was last true.
    pub keep_firing: Duration,
    /// It counts as over only below this share of the lowest rung, so that a value at the rung does not flap.
    pub clear_ratio: f64,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Requests in the window.
    pub requests: u64,
    /// Failed requests in the window.
    pub errors: u64,
    /// A log that counts is not read: there may be more than is seen.
    pub partial: bool,
}

impl Look {
    /// Share of failed requests, 0 when there were none.
    #[must_use]
    #[expect(clippy::cast_precision_loss)]
    pub fn share(self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.errors as f64 / self.requests as f64 }
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
    /// The share is bad, but there are fewer requests than the rule asks for.
    TooFewRequests,
    /// The share is bad, but there are fewer errors than the rule asks for.
    TooFewErrors,
    /// All well.
    Good,
}

impl Rule {
    /// The built-in rules: endpoint-5xx and api-5xx, on one ladder.
    #[must_use]
    pub fn built_in(window: Duration) -> Vec<Self> {
        [("endpoint-5xx", By::Endpoint), ("api-5xx", By::Api)]
            .into_iter()
            .map(|(name, by)| Self {
                name: name.into(),
                by,
                window,
                min_requests: 10,
                min_errors: 3,
                ladder: Ladder::default(),
                hold: Duration::ZERO,
                keep_firing: Duration::from_mins(1),
                clear_ratio: 0.6,
            })
            .collect()
    }

    /// Judges counts.
    #[must_use]
    pub fn judge(&self, look: Look) -> Finding {
        let share = look.share();
        match self.ladder.severity(share) {
            Some(_) if look.errors < self.min_errors => Finding::TooFewErrors,
            Some(_) if look.requests < self.min_requests => Finding::TooFewRequests,
            Some(severity) => Finding::Bad(severity),
            None if share >= self.ladder.elevated * self.clear_ratio && look.errors > 0 => Finding::Near,
            None if look.partial => Finding::Near,
            None => Finding::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(errors: u64, requests: u64) -> Finding {
        Rule::built_in(Duration::from_mins(5))[0].judge(Look { requests, errors, partial: false })
    }

    #[test]
    fn the_ladder_is_above_not_at() {
        assert_eq!(judge(12, 30), Finding::Bad(Severity::Critical));
        assert_eq!(judge(24, 132), Finding::Bad(Severity::Critical));
        assert_eq!(judge(15, 100), Finding::Bad(Severity::High));
        assert_eq!(judge(16, 100), Finding::Bad(Severity::Critical));
        assert_eq!(judge(5, 100), Finding::Bad(Severity::Elevated));
        assert_eq!(judge(10, 1000), Finding::Near);
        assert_eq!(judge(11, 1000), Finding::Bad(Severity::Elevated));
        assert_eq!(judge(5, 1000), Finding::Good);
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
        let judge =
            |errors| Rule::built_in(Duration::from_mins(5))[0].judge(Look { requests: 100, errors, partial: true });
        assert_eq!((judge(0), judge(16)), (Finding::Near, Finding::Bad(Severity::Critical)));
    }
}
