//! The service's quotas, and what they allow for so many log groups.
//!
//! Requests a second per account and Region; they cannot be raised. Source: AWS documentation, "CloudWatch Logs
//! quotas" (2026). Not the keeping of them: that is `budget`. Rule: what a configuration asks for beyond its budget is
//! said at the start, with the figure it will get.

use std::time::Duration;

use super::budget::Tier;
use super::pace::Pace;
use crate::model::time::human;

/// Requests of `DescribeLogGroups` a second.
pub const DESCRIBE_LOG_GROUPS: f64 = 10.0;

/// Requests of `FilterLogEvents` a second in this Region.
#[must_use]
pub fn filter_log_events(region: &str) -> f64 {
    match region {
        "us-east-1" => 25.0,
        "ap-northeast-3" | "ap-southeast-3" | "ca-west-1" | "eu-central-1" | "il-central-1" => 5.0,
        _ => 10.0,
    }
}

/// How often each source that shares a budget can be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cadence {
    /// Sources that share the budget.
    pub sources: usize,
    /// The budget, in requests a second.
    pub rate: f64,
    /// Time between hot reads that was asked for.
    pub asked: Duration,
    /// Time between hot reads that the budget allows, where each read takes one request.
    pub reachable: Duration,
}

impl Cadence {
    /// For so many sources with this pace.
    #[must_use]
    pub fn of(sources: usize, rate: f64, pace: &Pace) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand sources at most")]
        let each = rate / sources.max(1) as f64;
        let deeper = 1.0 / pace.warm_every.as_secs_f64() + 1.0 / pace.cold_every.as_secs_f64();
        // A hot read stands in for nobody; the deeper ones have a sixth of the budget at least.
        let hot = (each - deeper).max(each * 5.0 / 6.0).max(f64::MIN_POSITIVE);
        let reachable = Duration::try_from_secs_f64(1.0 / hot).unwrap_or(Duration::MAX);
        Self { sources, rate, asked: pace.interval.start, reachable: reachable.max(pace.interval.start) }
    }

    /// The budget allows less than was asked for.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.reachable > self.asked
    }
}

impl std::fmt::Display for Cadence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reachable = human(Duration::from_secs_f64((self.reachable.as_secs_f64() * 10.0).round() / 10.0));
        let Self { sources, rate, asked, .. } = self;
        if self.is_short() {
            let asked = human(*asked);
            write!(
                f,
                "{sources} log groups share {rate:.1} requests/s: each is read every {reachable}, not every {asked}"
            )
        } else {
            let used = Tier::Hot.word();
            #[expect(clippy::cast_precision_loss, reason = "a few thousand sources at most")]
            let share = *sources as f64 / asked.as_secs_f64() / rate * 100.0;
            write!(
                f,
                "{sources} log groups share {rate:.1} requests/s: each is read every {reachable} ({used} reads take {share:.0} %)"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::pace::Interval;

    #[test]
    fn what_the_quota_allows() {
        let s = Duration::from_secs;
        let interval = Interval { start: s(5), min: s(5), max: s(15) };
        let pace = Pace::new(interval, s(0), s(300), s(3600));
        let few = Cadence::of(5, 5.0, &pace);
        assert!(!few.is_short() && few.reachable == s(5));
        assert_eq!(few.to_string(), "5 log groups share 5.0 requests/s: each is read every 5s (hot reads take 20 %)");
        let many = Cadence::of(100, 2.5, &pace);
        assert!(many.is_short() && many.reachable > s(40) && many.reachable < s(60), "{many}");
        assert!(many.to_string().contains(", not every 5s"), "{many}");
        assert!(Cadence::of(usize::MAX, 0.2, &pace).reachable > s(1_000_000));
        let quotas = ["us-east-1", "eu-west-1", "eu-central-1"].map(filter_log_events);
        assert!(quotas.iter().zip([25.0, 10.0, 5.0]).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-9));
    }
}
