//! How late the events of a source come: from their stamp to when they were first seen.
//!
//! Not a latency statistic for people's dashboards: it decides how far back reads reach, so a quantile is told as the
//! upper bound of its step. Rule: what was read from before the reading began says nothing about lateness and is not
//! counted; old counts fade.

use std::time::Duration;

/// Upper bounds of the steps, in seconds.
const STEPS: [u64; 15] = [1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200];
/// When so many were counted, all counts are halved.
const FADE: u64 = 100_000;

/// Counts by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    counts: [u64; STEPS.len() + 1],
    total: u64,
}

impl Lateness {
    /// Counts one event.
    pub fn record(&mut self, late: Duration) {
        let seconds = late.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "the steps are small numbers")]
        let step = STEPS.iter().position(|bound| seconds <= *bound as f64).unwrap_or(STEPS.len());
        self.counts[step] += 1;
        self.total += 1;
        if self.total >= FADE {
            self.counts.iter_mut().for_each(|n| *n /= 2);
            self.total = self.counts.iter().sum();
        }
    }

    /// What `q` of all events (0 to 1) were not later than, to the step; `None` before a hundred were counted.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        if self.total < 100 {
            return None;
        }
        let rank = (q.clamp(0.0, 1.0) * self.total as f64).ceil() as u64;
        let mut seen = 0;
        for (n, bound) in self.counts.iter().zip(STEPS) {
            seen += n;
            if seen >= rank {
                return Some(Duration::from_secs(bound));
            }
        }
        Some(Duration::from_hours(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_upper_bounds_and_old_counts_fade() {
        let mut lateness = Lateness::default();
        for _ in 0..50 {
            lateness.record(Duration::from_millis(1500));
        }
        assert_eq!(lateness.quantile(0.5), None, "too few to say");
        for _ in 0..950 {
            lateness.record(Duration::from_millis(1500));
        }
        for _ in 0..20 {
            lateness.record(Duration::from_secs(45));
        }
        assert_eq!(lateness.quantile(0.5), Some(Duration::from_secs(2)));
        assert_eq!(lateness.quantile(0.99), Some(Duration::from_mins(1)));
        for _ in 0..1_000_000 {
            lateness.record(Duration::from_millis(10));
        }
        assert_eq!(lateness.quantile(0.999), Some(Duration::from_secs(1)));
        lateness.record(Duration::from_hours(24));
        assert_eq!(lateness.quantile(1.0), Some(Duration::from_hours(2)));
    }
}
