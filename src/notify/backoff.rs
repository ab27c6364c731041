//! How long a sink that fails is left alone.
//!
//! Pure: it counts failures and takes its dice from outside. Not the waiting. Rule: waits double from failure to failure,
//! over messages, until one is delivered; each is spread, so that several daemons do not knock together; none is longer
//! than its limit, whatever a service asks for.

use std::time::Duration;

use super::sink::Class;

/// The first wait is up to this long.
const FIRST: Duration = Duration::from_millis(500);
/// The first wait after too many requests is up to this long.
const FIRST_THROTTLED: Duration = Duration::from_secs(2);
/// No wait of our own is longer.
const LONGEST: Duration = Duration::from_mins(1);
/// No wait that a service asks for is longer: what it has not taken by then is better said elsewhere.
pub const ASKED_MAX: Duration = Duration::from_mins(5);
/// A message that is refused says little about the next one; the third in a row says enough to slow down.
const REFUSED_FREE: u32 = 2;
/// Between two messages to a sink that refuses all of them: nothing helps it but people, who need what it does not take
/// on stderr soon.
const REFUSED_LONGEST: Duration = Duration::from_secs(10);

/// The waits of one sink.
#[derive(Debug)]
pub struct Backoff {
    dice: fastrand::Rng,
    /// Failures in a row that may pass.
    failed: u32,
    /// Messages in a row that were refused.
    refused: u32,
}

impl Backoff {
    /// Nothing has failed yet.
    #[must_use]
    pub const fn new(dice: fastrand::Rng) -> Self {
        Self { dice, failed: 0, refused: 0 }
    }

    /// A message was delivered.
    pub const fn delivered(&mut self) {
        self.failed = 0;
        self.refused = 0;
    }

    /// A try failed: how long to wait before the next one, of the same message or, where that is refused, of the next.
    pub fn failed(&mut self, class: Class) -> Duration {
        if class == Class::Never {
            self.refused = self.refused.saturating_add(1);
            return match self.refused.checked_sub(REFUSED_FREE + 1) {
                None => Duration::ZERO,
                Some(n) => self.spread(doubled(FIRST, n, REFUSED_LONGEST)),
            };
        }
        let n = self.failed;
        self.failed = n.saturating_add(1);
        self.refused = 0;
        let (own, asked) = match class {
            Class::Throttled { after } => (doubled(FIRST_THROTTLED, n, LONGEST), after.unwrap_or_default()),
            Class::Again | Class::Never => (doubled(FIRST, n, LONGEST), Duration::ZERO),
        };
        let own = self.spread(own);
        // Never earlier than asked, and not all at once when that time has come.
        if asked > own { asked.min(ASKED_MAX) + self.spread(FIRST) } else { own }
    }

    /// Between half of it and the whole.
    fn spread(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(0.5 + self.dice.f64() / 2.0)
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seed: u64, class: Class, n: usize) -> Vec<Duration> {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(seed));
        (0..n).map(|_| backoff.failed(class)).collect()
    }

    #[test]
    fn waits_double_up_to_their_limit_and_are_spread() {
        for seed in 0..200 {
            for (class, first) in [(Class::Again, FIRST), (Class::Throttled { after: None }, FIRST_THROTTLED)] {
                let mut whole = first;
                for wait in waits(seed, class, 40) {
                    assert!(whole / 2 <= wait && wait <= whole, "{wait:?} is not in the upper half of {whole:?}");
                    whole = (whole * 2).min(LONGEST);
                }
            }
        }
        assert_ne!(waits(1, Class::Again, 5), waits(2, Class::Again, 5));
        assert_eq!(waits(1, Class::Again, 5), waits(1, Class::Again, 5));
    }

    #[test]
    fn what_a_service_asks_for_is_kept_but_not_for_ever() {
        let after = |secs| Class::Throttled { after: Some(Duration::from_secs(secs)) };
        let first = |secs| waits(7, after(secs), 1)[0];
        assert!(first(30) >= Duration::from_secs(30) && first(30) <= Duration::from_secs(31));
        assert!(first(86_400) >= ASKED_MAX && first(86_400) <= ASKED_MAX + FIRST);
        assert!(first(0) >= FIRST_THROTTLED / 2, "a service that says now is left alone all the same");
    }

    #[test]
    fn refusals_slow_down_from_the_third_on_and_a_delivery_forgets() {
        let refused = waits(3, Class::Never, 12);
        assert_eq!(refused[..2], [Duration::ZERO; 2]);
        assert!(refused[2..].iter().all(|wait| *wait >= FIRST / 2 && *wait <= REFUSED_LONGEST), "{refused:?}");
        assert!(refused[11] >= REFUSED_LONGEST / 2);
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(3));
        for _ in 0..10 {
            backoff.failed(Class::Again);
            backoff.failed(Class::Never);
        }
        backoff.delivered();
        assert!(backoff.failed(Class::Again) <= FIRST);
        assert_eq!(backoff.failed(Class::Never), Duration::ZERO);
    }
}
