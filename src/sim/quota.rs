//! The request quota of one operation: a token bucket that holds one second's worth.
//!
//! Not the throttling that a fault asks for: that one strikes whatever the rate. Rule: one bucket per operation for the
//! whole simulation, as AWS counts per account and Region, and whole numbers, so that nothing is let through twice.

use crate::model::time::{Timestamp, millis};

/// What a call takes out, in the bucket's unit: a thousandth of a call, which is what one millisecond brings per call/s.
const CALL: i64 = 1000;

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_second: i64,
    left: i64,
    /// Until when it has been filled.
    at: Timestamp,
}

impl Bucket {
    /// A full bucket for so many calls per second.
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = i64::from(per_second);
        Self { per_second, left: per_second * CALL, at: Timestamp::MIN }
    }

    /// Takes out one call; false when there is none.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let full = self.per_second * CALL;
        let gained = millis(now.since(self.at)).saturating_mul(self.per_second);
        self.left = self.left.saturating_add(gained).min(full);
        self.at = self.at.max(now);
        if self.left < CALL {
            return false;
        }
        self.left -= CALL;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls let through when one comes each `every` milliseconds for ten seconds.
    fn passed(per_second: u32, every: i64) -> usize {
        let mut bucket = Bucket::new(per_second);
        (0..10_000)
            .step_by(usize::try_from(every).unwrap())
            .filter(|ms| bucket.take(Timestamp::from_millis(*ms)))
            .count()
    }

    #[test]
    fn lets_through_what_it_should_and_no_more() {
        for per_second in [5, 10, 25] {
            let expected = 11 * usize::try_from(per_second).unwrap();
            let got = passed(per_second, 1);
            assert!(
                (expected - 1..=expected).contains(&got),
                "{got} at {per_second}/s: one second's worth more than ten"
            );
        }
        assert_eq!(passed(10, 100), 100, "exactly at the quota nothing is refused");
        assert_eq!(passed(0, 100), 0);
    }

    #[test]
    fn a_burst_of_one_second_and_a_clock_that_goes_back() {
        let mut bucket = Bucket::new(5);
        let at = |ms: i64| Timestamp::from_millis(1_795_338_000_000 + ms);
        assert_eq!((0..20).filter(|_| bucket.take(at(0))).count(), 5);
        assert!(!bucket.take(at(199)) && bucket.take(at(200)));
        assert!(!bucket.take(at(-5000)) && !bucket.take(at(300)), "going back earns nothing");
        assert!(bucket.take(at(400)));
        assert_eq!((0..20).filter(|_| bucket.take(at(3_600_000))).count(), 5);
    }
}
