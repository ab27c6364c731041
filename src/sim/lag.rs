//! How long after being written an event can be read: a distribution that is given by two of its percentiles.
//!
//! Not a model of CloudWatch Logs, which documents none: the numbers are the caller's. Rule: the percentiles asked for
//! are those that come out, so a test can say "p99 30 s" and mean it.

use std::time::Duration;

use super::dice::Dice;

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;
/// Draws nearer to 0 or 1 than this are taken as this far from them: the normal distribution has no ends.
const EDGE: f64 = 1e-9;

/// The time from an event being written to it being readable. Lognormal through `p50` and `p99`; but the slowest
/// `tail_share` of all events take evenly from `p99` to `tail`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lag {
    /// Half of the events take so long at most.
    pub p50: Duration,
    /// 99 of 100 take so long at most. Not less than `p50`; a zero here means no lag at all.
    pub p99: Duration,
    /// The longest that any takes; less than `p99` is taken as `p99`.
    pub tail: Duration,
    /// How many are slow to the tail: 0.001 is one in a thousand. At 0.01 and less `p99` stays exact.
    pub tail_share: f64,
}

impl Lag {
    /// None at all: an event can be read as soon as it is written.
    pub const NONE: Self = Self { p50: Duration::ZERO, p99: Duration::ZERO, tail: Duration::ZERO, tail_share: 0.0 };

    /// Through two percentiles, and never longer than the second.
    #[must_use]
    pub fn between(p50: Duration, p99: Duration) -> Self {
        Self { p50, p99, tail: p99, tail_share: 0.0 }
    }

    /// One lag.
    pub(super) fn draw(&self, dice: &mut Dice) -> Duration {
        let u = dice.unit();
        let slow_from = 1.0 - self.tail_share;
        if u >= slow_from {
            let beyond = (u - slow_from) / self.tail_share;
            return self.p99 + self.tail.saturating_sub(self.p99).mul_f64(beyond);
        }
        if self.p99.is_zero() {
            return Duration::ZERO;
        }
        let median = self.p50.max(Duration::from_millis(1)).as_secs_f64();
        let sigma = (self.p99.as_secs_f64() / median).ln().max(0.0) / Z99;
        let seconds = median * (sigma * normal_quantile(u.clamp(EDGE, 1.0 - EDGE))).exp();
        let longest = self.tail.max(self.p99);
        Duration::try_from_secs_f64(seconds).map_or(longest, |lag| lag.min(longest))
    }
}

/// The inverse of the standard normal distribution function, for `0 < p < 1`: Acklam's rational approximation, off by
/// less than 1.2e-9 of the value.
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
        1.0,
    ];
    const C: [f64; 6] = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] =
        [0.007_784_695_709_041_462, 0.322_467_129_070_039_8, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0];
    const LOW: f64 = 0.024_25;
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum: f64, c| sum.mul_add(x, *c));
    if p < LOW {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / horner(&D, q)
    } else if p > 1.0 - LOW {
        -normal_quantile(1.0 - p)
    } else {
        let q = p - 0.5;
        q * horner(&A, q * q) / horner(&B, q * q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUGH: Lag = Lag {
        p50: Duration::from_secs(2),
        p99: Duration::from_secs(30),
        tail: Duration::from_mins(20),
        tail_share: 0.001,
    };

    fn drawn(lag: &Lag, seed: u64) -> Vec<Duration> {
        let mut dice = Dice::new(seed);
        let mut lags: Vec<_> = (0..200_000).map(|_| lag.draw(&mut dice)).collect();
        lags.sort_unstable();
        lags
    }

    #[test]
    fn the_percentiles_asked_for_come_out() {
        let lags = drawn(&ROUGH, 1);
        let near = |at: usize, want: f64| {
            let got = lags[at].as_secs_f64();
            assert!((got / want - 1.0).abs() < 0.03, "{got} instead of {want}");
        };
        near(100_000, 2.0);
        near(198_000, 30.0);
        // 200 of them are evenly spread over 30 s to 20 min.
        let middle = lags[199_900].as_secs_f64();
        assert!((500.0..740.0).contains(&middle), "{middle}");
        assert!(lags[199_999] > Duration::from_mins(19) && lags[199_999] <= Duration::from_mins(20));
        assert!(lags[199_700] < Duration::from_secs(80), "not yet the tail: {:?}", lags[199_700]);
    }

    #[test]
    fn the_seed_repeats_it_and_none_is_none() {
        assert_eq!(drawn(&ROUGH, 5), drawn(&ROUGH, 5));
        assert_ne!(drawn(&ROUGH, 5), drawn(&ROUGH, 6));
        assert!(drawn(&Lag::NONE, 1).iter().all(Duration::is_zero));
        let same = Lag::between(Duration::from_secs(3), Duration::from_secs(3));
        assert!(drawn(&same, 1).iter().all(|lag| lag.as_millis() == 3000));
    }

    #[test]
    fn nothing_takes_longer_than_the_tail() {
        let lags = drawn(&Lag::between(Duration::from_secs(1), Duration::from_secs(10)), 2);
        let longest = lags.iter().filter(|lag| lag.as_secs() == 10).count();
        assert!((1800..2200).contains(&longest), "{longest}: one in a hundred");
        assert_eq!(lags[199_999], Duration::from_secs(10));
    }

    #[test]
    fn quantiles_of_the_normal_distribution() {
        for (p, z) in
            [(0.5, 0.0), (0.99, Z99), (0.01, -Z99), (0.841_344_746_068_543, 1.0), (0.999, 3.090_232_306_167_813)]
        {
            assert!((normal_quantile(p) - z).abs() < 1e-7, "{p}");
        }
    }
}
