//! Figures and causes in a few cells.
//!
//! Not sentences for messages. Rule: a figure keeps its meaning at any size: it gets another unit, never more cells than
//! its column has.

use std::time::Duration;

use crate::model::alert::{Alert, CauseCount, Measure};
use crate::model::cause::{CauseKind, Certainty, Explanation};
use crate::model::time::Timestamp;

/// What stands where nothing is known.
pub const NONE: &str = "-";

/// A count, in at most five cells.
#[must_use]
pub fn count(n: u64) -> String {
    match n {
        0..100_000 => n.to_string(),
        100_000..1_000_000 => format!("{}k", n / 1000),
        1_000_000..1_000_000_000 => format!("{}M", n / 1_000_000),
        _ => format!("{}G", (n / 1_000_000_000).min(9999)),
    }
}

/// Requests per second, in at most five cells.
#[must_use]
pub fn rate(n: u64, over: Duration) -> String {
    if over.is_zero() {
        return NONE.to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = n as f64 / over.as_secs_f64();
    match rate {
        0.0 => "0".to_owned(),
        ..0.01 => "<0.01".to_owned(),
        ..0.095 => format!("{rate:.2}"),
        ..99.95 => format!("{rate:.1}"),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
        _ => count(rate.round() as u64),
    }
}

/// A share of requests, in at most five cells: `0%`, `<0.1%`, `45.2%`, `100%`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub fn share(part: u64, of: u64) -> String {
    match (part, of) {
        (_, 0) => NONE.to_owned(),
        (0, _) => "0%".to_owned(),
        _ if part >= of => "100%".to_owned(),
        _ => percent(part as f64 / of as f64),
    }
}

/// A share from 0 to 1.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 { "<0.1%".to_owned() } else { format!("{:.1}%", percent.min(99.9)) }
}

/// A latency in milliseconds, in at most five cells.
#[must_use]
pub fn latency(ms: Option<u32>) -> String {
    match ms {
        None => NONE.to_owned(),
        Some(ms @ 0..100_000) => ms.to_string(),
        Some(ms) => format!("{}s", (ms / 1000).min(9999)),
    }
}

/// How long something lasts or lasted, roughly: `4s`, `12m`, `3h`, `2d`.
#[must_use]
pub fn long(d: Duration) -> String {
    let seconds = d.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The time of day in UTC, to the second.
#[must_use]
pub fn clock(t: Timestamp) -> String {
    let text = t.to_string();
    text.get(11..19).map_or_else(|| text.clone(), str::to_owned)
}

/// `unhandled exception: TypeError in checkout-fn at index.js:12`.
#[must_use]
pub fn cause(e: &Explanation) -> String {
    let error_type = e.cause.error_type.as_ref().map(|t| format!(": {t}")).unwrap_or_default();
    let function = e.function.as_ref().map(|f| format!(" in {f}")).unwrap_or_default();
    let site = e.site.as_ref().map(|s| format!(" at {s}")).unwrap_or_default();
    format!("{}{error_type}{function}{site}", e.cause.kind.word().replace('_', " "))
}

/// How sure that is, if it is not certain.
#[must_use]
pub const fn doubt(certainty: Certainty) -> Option<&'static str> {
    match certainty {
        Certainty::Certain => None,
        Certainty::Likely => Some("likely"),
        Certainty::Unknown => Some("not known"),
    }
}

/// The same in few cells: `TypeError at index.js:12`. What the error is called says more than its kind.
#[must_use]
pub fn brief(e: &Explanation) -> String {
    let site = e.site.as_ref().map(|s| format!(" at {s}")).unwrap_or_default();
    format!("{}{site}", name(e.cause.kind, e.cause.error_type.as_deref()))
}

/// The most frequent cause: `TypeError 7/12`.
#[must_use]
pub fn most(cause: &CauseCount, errors: u64) -> String {
    let what = name(cause.kind, cause.sample.error_type.as_deref());
    if cause.count < errors { format!("{what} {}/{}", count(cause.count), count(errors)) } else { what }
}

fn name(kind: CauseKind, error_type: Option<&str>) -> String {
    error_type.map_or_else(|| kind.word().replace('_', " "), str::to_owned)
}

/// What an alert measured: `45.2% (17 of 62)`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub fn value(alert: &Alert) -> String {
    let k_of_n = || format!("({} of {})", alert.errors, alert.requests);
    match alert.measure {
        Measure::Failures | Measure::Timeouts | Measure::NoInvocations | Measure::Slow { .. } => {
            let share = if alert.errors >= alert.requests { "100%".to_owned() } else { percent(alert.value) };
            format!("{share} {}", k_of_n())
        }
        Measure::FailureCount => format!("{} x 5xx of {}", alert.errors, alert.requests),
        Measure::NewCause => format!("{} for a new cause, of {}", alert.errors, alert.requests),
        Measure::Latency { quantile } => format!("p{} {:.0} ms of {}", quantile * 100.0, alert.value, alert.requests),
        Measure::Traffic => match alert.before {
            Some(before) => format!("{} requests, expected {:.0}", alert.requests, before.expected(alert.window)),
            None => format!("{} requests", alert.requests),
        },
        Measure::BurnRate { .. } => format!("budget burns {:.1}x as fast as allowed {}", alert.value, k_of_n()),
        Measure::Unread => alert.blindness.as_ref().map_or_else(
            || "not read".to_owned(),
            |blind| {
                let read_to =
                    blind.read_to.map_or_else(|| "never read".to_owned(), |at| format!("read to {}", clock(at)));
                format!("{}, {read_to}", blind.problem.phrase())
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_to_their_columns() {
        let seconds = Duration::from_secs;
        for n in [0, 9, 99_999, 100_000, 999_999, 1_000_000, 12_345_678_901, u64::MAX] {
            assert!(count(n).len() <= 5, "{}", count(n));
            assert!(rate(n, seconds(300)).len() <= 5, "{}", rate(n, seconds(300)));
            assert!(share(n, u64::MAX).len() <= 5 && share(1, n).len() <= 5, "{} {}", share(n, u64::MAX), share(1, n));
            assert!(latency(u32::try_from(n).ok()).len() <= 5);
            assert!(long(seconds(n.min(86_400 * 900))).len() <= 4);
        }
        assert_eq!(latency(Some(u32::MAX)), "9999s");
    }

    #[test]
    fn figures_say_what_they_are() {
        let seconds = Duration::from_secs;
        assert_eq!((rate(0, seconds(9)).as_str(), rate(5, Duration::ZERO).as_str()), ("0", "-"));
        assert_eq!((rate(1, seconds(300)).as_str(), rate(2430, seconds(300)).as_str()), ("<0.01", "8.1"));
        assert_eq!(rate(600_000, seconds(300)), "2000");
        assert_eq!((share(0, 9).as_str(), share(9, 9).as_str(), share(0, 0).as_str()), ("0%", "100%", "-"));
        assert_eq!(
            (share(17, 62).as_str(), share(1, 5000).as_str(), share(9999, 10_000).as_str()),
            ("27.4%", "<0.1%", "99.9%")
        );
        assert_eq!([119, 120, 7200, 172_800].map(|s| long(seconds(s))), ["119s", "2m", "2h", "2d"]);
        assert_eq!(clock(Timestamp::from_millis(1_785_231_944_443)), "09:45:44");
    }
}
