//! Latencies in log-linear histograms, in 1-minute slots.
//!
//! 16 buckets for each power of two, 256 counters of 32 bits: 1 KiB, at most 6.25 % wide, up to 524 s. Not exact
//! values: a quantile is the middle of its bucket. Histograms of two engines merge by addition. Rule: a slot's
//! histogram is made only when it is used.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::window::place;
use crate::model::time::Timestamp;

const BUCKETS: usize = 256;
/// Width of a slot.
const MINUTE: Duration = Duration::from_mins(1);

/// Counts of values, by size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
    /// The largest value: no quantile is told above it.
    max: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u32) {
        let count = &mut self.counts[bucket(value)];
        *count = count.saturating_add(1);
        self.total = self.total.saturating_add(1);
        self.max = self.max.max(value);
    }

    /// Adds the counts of another.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *mine = mine.saturating_add(*theirs);
        }
        self.total = self.total.saturating_add(other.total);
        self.max = self.max.max(other.max);
    }

    /// How many values were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.total
    }

    /// The value that `q` of all values (0 to 1) do not exceed, to the precision of a bucket. `None` when empty.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn quantile(&self, q: f64) -> Option<u32> {
        if self.total == 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0_u64;
        for (at, count) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(u64::from(*count));
            if seen >= rank {
                return Some(middle(at).min(self.max));
            }
        }
        Some(self.max)
    }
}

/// Written as the buckets that were used: most are empty.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used: Vec<(u8, u32)> = (0..=u8::MAX).zip(*self.counts).filter(|(_, count)| *count > 0).collect();
        (used, self.total, self.max).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (used, total, max) = <(Vec<(u8, u32)>, u64, u32)>::deserialize(deserializer)?;
        let mut histogram = Self { total, max, ..Self::default() };
        for (at, count) in used {
            histogram.counts[usize::from(at)] = count;
        }
        Ok(histogram)
    }
}

/// 0 to 15 have a bucket each; above, 16 buckets for each power of two.
fn bucket(value: u32) -> usize {
    if value < 16 {
        return value as usize;
    }
    let power = value.ilog2();
    let within = (value >> (power - 4)) & 15;
    (((power - 3) * 16 + within) as usize).min(BUCKETS - 1)
}

fn middle(at: usize) -> u32 {
    let at = u32::try_from(at).expect("256 buckets");
    if at < 16 {
        return at;
    }
    let width_power = at / 16 - 1;
    let low = (16 + at % 16) << width_power;
    low + (1 << width_power) / 2
}

/// Histograms of the last minutes.
#[derive(Clone, Debug)]
pub struct Latencies {
    slots: Box<[(i64, Option<Histogram>)]>,
}

impl Latencies {
    /// A ring that can answer for windows of up to `longest`.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        // One for the minute under way, one because a window seldom begins at a full minute, one for clock skew.
        Self { slots: vec![(i64::MIN, None); minutes_in(longest) + 3].into_boxed_slice() }
    }

    /// Counts one latency, in milliseconds, at its event time; what lies behind the ring is left out.
    pub fn record(&mut self, time: Timestamp, ms: u32) {
        let number = time.slot(MINUTE);
        let at = place(number, self.slots.len());
        let slot = &mut self.slots[at];
        if slot.0 < number {
            *slot = (number, None);
        }
        if slot.0 == number {
            slot.1.get_or_insert_default().record(ms);
        }
    }

    /// The latencies of `[end - window, end)`, to the minute: the minute that the window begins in counts whole.
    #[must_use]
    pub fn total(&self, end: Timestamp, window: Duration) -> Histogram {
        let last = end.minus(Duration::from_millis(1)).slot(MINUTE);
        let first = end.minus(window).slot(MINUTE);
        let mut sum = Histogram::default();
        for (number, histogram) in &self.slots {
            if let Some(histogram) = histogram
                && (first..=last).contains(number)
            {
                sum.add(histogram);
            }
        }
        sum
    }

    /// Adds the latencies of another, of whatever length; what lies behind this ring is left out.
    pub(super) fn absorb(&mut self, other: Self) {
        for (number, theirs) in other.slots {
            let at = place(number, self.slots.len());
            let mine = &mut self.slots[at];
            if mine.0 < number {
                *mine = (number, theirs);
            } else if let (true, Some(histogram), Some(theirs)) = (mine.0 == number, &mut mine.1, &theirs) {
                histogram.add(theirs);
            }
        }
    }
}

/// Written as the minutes that were used; see the same of `Window`.
impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used: Vec<_> = self.slots.iter().filter_map(|(number, h)| Some((number, h.as_ref()?))).collect();
        used.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let used = Vec::<(i64, Histogram)>::deserialize(deserializer)?;
        Ok(Self { slots: used.into_iter().map(|(number, histogram)| (number, Some(histogram))).collect() })
    }
}

fn minutes_in(window: Duration) -> usize {
    usize::try_from(window.as_secs().div_ceil(MINUTE.as_secs())).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_at_most_a_sixteenth_wide_and_holds_its_middle() {
        for value in (0..524_288).step_by(7) {
            let at = bucket(value);
            let mid = f64::from(middle(at));
            let off = (mid - f64::from(value)).abs() / f64::from(value.max(1));
            assert!(off <= 0.0625, "{value} is told as {mid}");
            assert_eq!(bucket(middle(at)), at);
        }
        assert_eq!(bucket(u32::MAX), 255);
    }

    #[test]
    fn quantiles() {
        let mut h = Histogram::default();
        assert_eq!(h.quantile(0.5), None);
        for v in 1..=100 {
            h.record(v);
        }
        let p50 = h.quantile(0.5).unwrap();
        let p99 = h.quantile(0.99).unwrap();
        assert!((48..=53).contains(&p50), "{p50}");
        assert!((95..=103).contains(&p99), "{p99}");
        assert_eq!(h.quantile(0.0), Some(1));
        assert_eq!(h.quantile(1.0), Some(100), "never more than the largest value");
    }

    #[test]
    fn the_window_moves() {
        let at = |s: i64| Timestamp::from_millis(s * 1000);
        let window = Duration::from_mins(5);
        let mut l = Latencies::new(window);
        l.record(at(0), 10);
        l.record(at(299), 20);
        assert_eq!(l.total(at(300), window).count(), 2);
        assert_eq!(l.total(at(400), window).count(), 1);
        l.record(at(4000), 5);
        l.record(at(0), 7);
        assert_eq!(l.total(at(4010), window).count(), 1, "what is too late is left out");
    }
}
