//! Which rows there are, and in which order: the endpoints, failures and alerts that pass the filter, sorted.
//!
//! Not how a row looks. Rule: equal rows keep an order of their own, so that nothing jumps while figures stay the same.

use std::cmp::Ordering;

use super::board::Board;
use super::failed::{Failed, FailedId};
use crate::model::alert::Alert;
use crate::model::cause::Explanation;
use crate::model::summary::EndpointSummary;

/// What endpoints are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// Requests answered 5xx.
    #[default]
    Failures,
    /// Their share.
    Share,
    /// Requests.
    Requests,
    /// The latency that half of the requests do not exceed.
    P50,
    /// The same for 95 %.
    P95,
    /// The same for 99 %.
    P99,
    /// Route, then method.
    Name,
    /// The most frequent cause.
    Cause,
}

impl Column {
    /// All of them, in the order of `s`.
    pub const ALL: [Self; 8] =
        [Self::Failures, Self::Share, Self::Requests, Self::P50, Self::P95, Self::P99, Self::Name, Self::Cause];

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|column| *column == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// Whether one wants to see the most first.
    #[must_use]
    pub const fn begins_with_most(self) -> bool {
        !matches!(self, Self::Name | Self::Cause)
    }

    /// As it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failures => "5xx",
            Self::Share => "5xx %",
            Self::Requests => "req/s",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Name => "endpoint",
            Self::Cause => "cause",
        }
    }

    fn compare(self, a: &EndpointSummary, b: &EndpointSummary) -> Ordering {
        match self {
            Self::Failures => a.errors_5xx.cmp(&b.errors_5xx),
            // a/n < b/m, without a fraction.
            Self::Share => {
                let cross = |part: u64, of: u64| u128::from(part) * u128::from(of);
                cross(a.errors_5xx, b.count).cmp(&cross(b.errors_5xx, a.count))
            }
            Self::Requests => a.count.cmp(&b.count),
            Self::P50 => a.p50_ms.cmp(&b.p50_ms),
            Self::P95 => a.p95_ms.cmp(&b.p95_ms),
            Self::P99 => a.p99_ms.cmp(&b.p99_ms),
            Self::Name => (&a.endpoint.route, &a.endpoint.method).cmp(&(&b.endpoint.route, &b.endpoint.method)),
            Self::Cause => {
                // Those without a cause come last.
                let key = |e: &EndpointSummary| e.cause.as_ref().map_or("~", |cause| cause.kind.word());
                key(a).cmp(key(b))
            }
        }
    }
}

/// Which rows are wanted, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Endpoints are sorted by this.
    pub column: Column,
    /// The other way round than the column is sorted by itself.
    pub reversed: bool,
    /// Rows have this text somewhere, in whichever case; empty wants all.
    pub filter: String,
    /// Only endpoints that fail.
    pub only_errors: bool,
}

impl Wanted {
    /// The endpoints.
    #[must_use]
    pub fn endpoints<'a>(&self, board: &'a Board) -> Vec<&'a EndpointSummary> {
        let all = board.last_report().and_then(|report| report.summary.as_ref()).map(|s| &s.endpoints[..]);
        let rows = all.unwrap_or_default().iter();
        let mut rows: Vec<_> =
            rows.filter(|e| (!self.only_errors || e.errors_5xx > 0) && self.takes_endpoint(e)).collect();
        rows.sort_by(|a, b| {
            let order = self.column.compare(a, b);
            let order = if self.column.begins_with_most() == self.reversed { order } else { order.reverse() };
            // Those with most failures, then most requests, then by name.
            let rest = || b.errors_5xx.cmp(&a.errors_5xx).then(b.count.cmp(&a.count));
            order.then_with(rest).then_with(|| (a.api, &a.endpoint).cmp(&(b.api, &b.endpoint)))
        });
        rows
    }

    /// The failures, the newest first.
    #[must_use]
    pub fn failures<'a>(&self, board: &'a Board) -> Vec<(FailedId, &'a Failed)> {
        board.latest().iter().filter(|(_, failed)| self.takes_failed(failed)).collect()
    }

    /// The alerts, the worst first.
    #[must_use]
    pub fn alerts<'a>(&self, board: &'a Board) -> Vec<&'a Alert> {
        let all = board.last_report().map(|report| &report.firing[..]).unwrap_or_default();
        let mut rows: Vec<_> = all.iter().filter(|alert| self.takes_alert(alert)).collect();
        rows.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then_with(|| a.since.cmp(&b.since)).then_with(|| a.key.cmp(&b.key))
        });
        rows
    }

    fn takes_endpoint(&self, e: &EndpointSummary) -> bool {
        let cause = e.cause.as_ref();
        let sample = cause.map(|cause| &cause.sample);
        self.takes(&[
            Some(&e.endpoint.method),
            Some(&e.endpoint.route),
            cause.map(|cause| cause.kind.word()),
            sample.and_then(|sample| sample.error_type.as_deref()),
            sample.and_then(|sample| sample.function.as_deref()),
        ]) || self.is_name(&e.endpoint.method, &e.endpoint.route)
    }

    fn takes_failed(&self, f: &Failed) -> bool {
        let why = f.explained.as_ref().map(|failure| &*failure.explanation);
        let text = |of: fn(&Explanation) -> Option<&str>| why.and_then(of);
        self.takes(&[
            Some(&f.endpoint.method),
            Some(&f.endpoint.route),
            text(|e| Some(e.cause.kind.word())),
            text(|e| e.cause.error_type.as_deref()),
            text(|e| e.cause.message.as_deref()),
            text(|e| e.function.as_deref()),
            f.request_id.as_deref(),
            f.lambda_id(),
        ]) || self.is_name(&f.endpoint.method, &f.endpoint.route)
    }

    fn takes_alert(&self, a: &Alert) -> bool {
        let cause = a.causes.first();
        self.takes(&[
            Some(&a.key.rule),
            Some(&a.key.subject.to_string()),
            cause.map(|cause| cause.kind.word()),
            cause.and_then(|cause| cause.sample.error_type.as_deref()),
            cause.and_then(|cause| cause.sample.function.as_deref()),
        ])
    }

    /// `POST /checkout`, or a part of it that reaches over the blank.
    fn is_name(&self, method: &str, route: &str) -> bool {
        self.filter.contains(' ') && contains(&format!("{method} {route}"), &self.filter)
    }

    /// A blank in the filter is as good as the `_` in a cause's word.
    fn takes(&self, texts: &[Option<&str>]) -> bool {
        self.filter.is_empty() || texts.iter().flatten().any(|text| contains(text, &self.filter))
    }
}

/// Whether a text has another one in it, in whichever case, `_` as good as a blank.
fn contains(text: &str, part: &str) -> bool {
    let plain = |c: char| if c == '_' { ' ' } else { c };
    let same = |a: char, b: char| {
        // Mostly both are ASCII, and a thousand rows are looked through for each frame.
        if a.is_ascii() && b.is_ascii() {
            plain(a).eq_ignore_ascii_case(&plain(b))
        } else {
            a.to_lowercase().eq(b.to_lowercase())
        }
    };
    let begins = |rest: &str| {
        let mut rest = rest.chars();
        part.chars().all(|p| rest.next().is_some_and(|c| same(c, p)))
    };
    part.is_empty() || text.char_indices().any(|(at, _)| begins(&text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_in_whichever_case() {
        for (text, part) in
            [("POST", "pos"), ("unhandled_exception", "handled Exc"), ("ÄRGER", "ärg"), ("x", ""), ("a b", "A_B")]
        {
            assert!(contains(text, part), "{text} {part}");
        }
        for (text, part) in [("POST", "post "), ("", "x"), ("aab", "ab ")] {
            assert!(!contains(text, part), "{text} {part}");
        }
        assert!(contains("aab", "ab"));
    }
}
