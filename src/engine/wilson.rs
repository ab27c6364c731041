//! Wilson's bound: how large a share is at least, given how often it was seen.
//!
//! A share of 1 in 1 says little, one of 300 in 1000 a lot; the bound says how little and how much (E. B. Wilson,
//! "Probable inference, the law of succession, and statistical inference", 1927). Rule: more evidence for the same
//! share never lowers the bound.

use super::rules::Counted;

/// The lower end of Wilson's interval for the true share: with this `confidence` (one-sided, 0.5 to 1, 1 excluded) it is
/// not below. 0 when there were no requests.
#[must_use]
#[expect(clippy::cast_precision_loss)]
pub fn lower(counted: Counted, confidence: f64) -> f64 {
    if counted.requests == 0 {
        return 0.0;
    }
    let (n, p, z) = (counted.requests as f64, counted.share(), quantile(confidence));
    let zz = z * z;
    let centre = p + zz / (2.0 * n);
    let margin = z * (p * (1.0 - p) / n + zz / (4.0 * n * n)).sqrt();
    ((centre - margin) / (1.0 + zz / n)).max(0.0)
}

/// The quantile of the normal distribution for `p` of 0.5 to 1, 1 excluded, to 4.5e-4: Abramowitz and Stegun, Handbook
/// of Mathematical Functions, 26.2.23.
fn quantile(p: f64) -> f64 {
    let t = (-2.0 * (1.0 - p.clamp(0.5, 1.0 - f64::EPSILON)).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    (t - above / below).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(errors: u64, requests: u64) -> f64 {
        lower(Counted { requests, errors }, 0.95)
    }

    fn is(got: f64, want: f64, within: f64) {
        assert!((got - want).abs() < within, "{got} is not {want}");
    }

    #[test]
    fn it_is_what_the_tables_say() {
        is(quantile(0.95), 1.645, 0.0005);
        is(quantile(0.5), 0.0, 0.001);
        // Worked by hand from the formula with z = 1.645.
        is(bound(1, 1), 0.270, 0.001);
        is(bound(1, 3), 0.078, 0.001);
        is(bound(12, 30), 0.267, 0.001);
        is(bound(24, 132), 0.133, 0.001);
        is(bound(0, 10), 0.0, 1e-9);
        is(bound(0, 0), 0.0, 1e-9);
    }

    /// The least number of errors that lies surely above a share.
    #[test]
    fn the_least_errors_that_are_surely_above() {
        let least = |share: f64, n| (0..=n).find(|k| bound(*k, n) > share).unwrap();
        assert_eq!([100, 500, 1000].map(|n| least(0.01, n)), [3, 9, 16]);
        assert_eq!([10, 20, 50, 100].map(|n| least(0.05, n)), [2, 3, 6, 9]);
        assert_eq!([10, 20, 50, 100].map(|n| least(0.15, n)), [4, 6, 12, 21]);
    }
}
