//! Points in time, in whole milliseconds since 1970-01-01T00:00:00Z: what CloudWatch Logs stamps events with.
//!
//! Not a clock: nothing here reads one. Code that decides gets `now` as an argument. Rule: arithmetic saturates, so
//! an absurd stamp in a log line can never make gatewatch panic.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant there is.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// From an epoch number of unknown unit: values below 10^11 are taken as seconds (that is the year 5138 in
    /// seconds and March 1973 in milliseconds). `requestTimeEpoch` of HTTP APIs does not state its unit.
    #[must_use]
    pub const fn from_epoch_guess(value: i64) -> Self {
        if value.unsigned_abs() < 100_000_000_000 { Self(value.saturating_mul(1000)) } else { Self(value) }
    }

    /// This instant plus `d`.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }

    /// This instant minus `d`.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(millis(d)))
    }

    /// Time since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The latest multiple of `width` at or before this instant. `width` is at least one millisecond.
    #[must_use]
    pub fn floor(self, width: Duration) -> Self {
        let w = millis(width).max(1);
        Self(self.0.saturating_sub(self.0.rem_euclid(w)))
    }

    /// Which slot of `width` this instant falls in, counted from the epoch.
    #[must_use]
    pub fn slot(self, width: Duration) -> i64 {
        self.0.div_euclid(millis(width).max(1))
    }

    /// Reads RFC 3339 (`2026-11-22T09:45:44.443Z`), and the log clients' variants with a blank or a comma in them.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let t: jiff::Timestamp = text.parse().ok()?;
        Some(Self(t.as_millisecond()))
    }

    /// Reads the time of a Common Log Format line: `22/Nov/2026:09:45:44 +0000`.
    #[must_use]
    pub fn parse_clf(text: &str) -> Option<Self> {
        let t = jiff::Zoned::strptime("%d/%b/%Y:%H:%M:%S %z", text).ok()?;
        Some(Self(t.timestamp().as_millisecond()))
    }

    /// Reads the time of a line of the console's method test: `Thu Jul 09 10:00:00 UTC 2026`.
    #[must_use]
    pub fn parse_test_invoke(text: &str) -> Option<Self> {
        let (day, year) = text.split_once(" UTC ")?;
        let t = jiff::civil::DateTime::strptime("%a %b %d %H:%M:%S %Y", format!("{day} {year}")).ok()?;
        Some(Self(t.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond()))
    }
}

/// RFC 3339 in UTC with milliseconds, the form all JSON output has.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

/// Whole milliseconds of a duration, saturating.
#[must_use]
pub fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

/// A duration as people write it: `5m`, `30s`, `1m 30s`, `250ms`.
#[must_use]
pub fn human(d: Duration) -> String {
    SignedDuration::try_from(d).map_or_else(|_| format!("{}s", d.as_secs()), |d| format!("{d:#}"))
}

/// Reads a duration as people write it.
///
/// # Errors
/// A sentence that names the value and what would be right.
pub fn parse_human(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write a number and a unit, such as \"30s\", \"5m\" or \"1h\"");
    let signed: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(signed).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc3339() {
        let t = Timestamp::from_millis(1_785_231_944_443);
        assert_eq!(t.to_string(), "2026-07-28T09:45:44.443Z");
        assert_eq!(Timestamp::parse_rfc3339("2026-07-28T09:45:44.443Z"), Some(t));
        assert_eq!(Timestamp::from_millis(1_785_231_944_000).to_string(), "2026-07-28T09:45:44.000Z");
    }

    #[test]
    fn absurd_stamps_print_and_never_panic() {
        assert!(Timestamp::from_millis(i64::MAX).to_string().contains("ms since 1970"));
        assert_eq!(Timestamp::MIN.minus(Duration::from_secs(1)), Timestamp::MIN);
        let _ = Timestamp::MIN.floor(Duration::from_secs(10));
    }

    #[test]
    fn floors_towards_the_past_before_the_epoch_too() {
        let w = Duration::from_secs(10);
        assert_eq!(Timestamp::from_millis(12_345).floor(w), Timestamp::from_millis(10_000));
        assert_eq!(Timestamp::from_millis(-1).floor(w), Timestamp::from_millis(-10_000));
        assert_eq!(Timestamp::from_millis(-1).slot(w), -1);
    }

    #[test]
    fn reads_common_log_times() {
        assert_eq!(Timestamp::parse_clf("28/Jul/2026:09:45:44 +0000"), Some(Timestamp::from_millis(1_785_231_944_000)));
        assert_eq!(Timestamp::parse_clf("yesterday"), None);
    }

    #[test]
    fn durations_as_people_write_them() {
        assert_eq!(parse_human("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse_human("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(human(Duration::from_mins(5)), "5m");
        assert!(parse_human("5").unwrap_err().contains("`5`"));
        assert!(parse_human("-5s").is_err());
    }
}
