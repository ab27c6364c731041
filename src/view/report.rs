//! The report at the end of a replay: the whole input in one table, as text or as the `summary` object.

use std::time::Duration;

use serde::Serialize;

use crate::model::cause::Failure;
use crate::model::inventory::Inventory;
use crate::model::json::{EndpointJson, VERSION, line};
use crate::model::summary::{CauseSummary, Moment, Summary};
use crate::model::text::{cut, printable};
use crate::model::time::millis;

/// Rows of the timeline, and the lengths they may have, seconds.
const ROWS_MAX: i64 = 24;
/// However long the input is.
const ROWS_LIMIT: usize = 100;
const NICE_S: &[u64] = &[30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800];
/// Characters of the longest bar, and of one example.
const BAR: u64 = 30;
const EXAMPLE_MAX: usize = 300;

/// Lines that could not be read, of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadLines {
    /// The file.
    pub source: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
}

#[derive(Debug, Serialize)]
struct SummaryJson<'a> {
    v: u8,
    r#type: &'a str,
    from: Option<String>,
    to: Option<String>,
    requests: u64,
    failures: u64,
    endpoints: Vec<RowJson<'a>>,
    causes: Vec<CauseJson<'a>>,
    timeline: Vec<MomentJson>,
    unread: &'a [UnreadLines],
}

#[derive(Debug, Serialize)]
struct RowJson<'a> {
    api: &'a str,
    #[serde(flatten)]
    endpoint: EndpointJson<'a>,
    count: u64,
    errors_5xx: u64,
    p50_ms: Option<u32>,
    p95_ms: Option<u32>,
    p99_ms: Option<u32>,
}

#[derive(Debug, Serialize)]
struct CauseJson<'a> {
    kind: &'a str,
    count: u64,
    example: Option<ExampleJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ExampleJson<'a> {
    request_id: Option<&'a str>,
    lambda_request_id: Option<&'a str>,
    endpoint: EndpointJson<'a>,
    time: String,
    certainty: &'a str,
    error_type: Option<&'a str>,
    message: Option<&'a str>,
    function: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct MomentJson {
    from: String,
    seconds: u64,
    requests: u64,
    errors_5xx: u64,
}

impl<'a> From<&'a CauseSummary> for CauseJson<'a> {
    fn from(summary: &'a CauseSummary) -> Self {
        let example = summary.example.as_ref().map(|f| ExampleJson {
            request_id: f.request_id.as_deref(),
            lambda_request_id: f.lambda_request_id.as_deref(),
            endpoint: (&*f.endpoint).into(),
            time: f.time.to_string(),
            certainty: f.explanation.cause.certainty.word(),
            error_type: f.explanation.cause.error_type.as_deref(),
            message: f.explanation.cause.message.as_deref(),
            function: f.explanation.function.as_deref(),
        });
        Self { kind: summary.kind.word(), count: summary.count, example }
    }
}

impl From<&Moment> for MomentJson {
    fn from(m: &Moment) -> Self {
        let seconds = m.width.as_secs();
        Self { from: m.from.to_string(), seconds, requests: m.requests, errors_5xx: m.errors_5xx }
    }
}

/// The counts from the first failure to the last, with some quiet time around, in at most [`ROWS_MAX`] pieces of equal
/// length; empty without failures.
fn incident(summary: &Summary) -> Vec<Moment> {
    let timeline = &summary.timeline;
    let failed = |m: &Moment| m.errors_5xx > 0;
    let (Some(first), Some(last)) = (timeline.iter().find(|m| failed(m)), timeline.iter().rfind(|m| failed(m))) else {
        return Vec::new();
    };
    // One more on either side shows that it began and ended.
    let (from, to) = (first.from.minus(first.width), last.from.plus(last.width));
    // Stamps may be absurd.
    let slots = to.slot(first.width).saturating_sub(from.slot(first.width)).saturating_add(1);
    let is_too_fine = |width| slots.saturating_mul(millis(first.width)) > millis(width).saturating_mul(ROWS_MAX);
    let mut width = first.width;
    for nicer in NICE_S.iter().map(|s| Duration::from_secs(*s)) {
        if is_too_fine(width) {
            width = width.max(nicer);
        }
    }
    while is_too_fine(width) {
        width *= 2;
    }
    let mut rows: Vec<Moment> = Vec::new();
    for moment in timeline.iter().filter(|m| (from..=to).contains(&m.from)) {
        let at = moment.from.floor(width);
        // Quiet pieces are rows as well.
        while rows.last().is_none_or(|r| r.from < at) && rows.len() < ROWS_LIMIT {
            let next = rows.last().map_or(at, |r| r.from.plus(width));
            rows.push(Moment { from: next, width, requests: 0, errors_5xx: 0 });
        }
        if let Some(row) = rows.last_mut() {
            row.requests += moment.requests;
            row.errors_5xx += moment.errors_5xx;
        }
    }
    rows
}

/// The `summary` object.
#[must_use]
pub fn json(summary: &Summary, inventory: &Inventory, unread: &[UnreadLines]) -> String {
    let endpoints = summary.endpoints.iter().map(|e| RowJson {
        api: &inventory.api(e.api).name,
        endpoint: (&*e.endpoint).into(),
        count: e.count,
        errors_5xx: e.errors_5xx,
        p50_ms: e.p50_ms,
        p95_ms: e.p95_ms,
        p99_ms: e.p99_ms,
    });
    line(&SummaryJson {
        v: VERSION,
        r#type: "summary",
        from: summary.span.map(|s| s.0.to_string()),
        to: summary.span.map(|s| s.1.to_string()),
        requests: summary.requests(),
        failures: summary.failures(),
        endpoints: endpoints.collect(),
        causes: summary.causes.iter().map(CauseJson::from).collect(),
        timeline: incident(summary).iter().map(MomentJson::from).collect(),
        unread,
    })
}

/// The same for people.
#[must_use]
pub fn text(summary: &Summary, inventory: &Inventory, unread: &[UnreadLines]) -> String {
    let (requests, failures) = (summary.requests(), summary.failures());
    let mut out = match summary.span {
        Some((from, to)) => {
            let noun = if requests == 1 { "request" } else { "requests" };
            format!("{requests} {noun}, {failures} answered 5xx ({}), {from} to {to}\n", share(failures, requests))
        }
        None => "no requests\n".to_owned(),
    };
    if requests > 0 {
        out.push_str("\nrequests     5xx   share    p50 ms    p95 ms    p99 ms  endpoint\n");
    }
    let ms = |v: Option<u32>| v.map_or_else(|| "-".to_owned(), |v| v.to_string());
    let several = inventory.apis.len() > 1;
    for e in &summary.endpoints {
        let api = if several { format!("{}: ", inventory.api(e.api).name) } else { String::new() };
        let name = printable(&format!("{api}{}", e.endpoint));
        out.push_str(&format!(
            "{:>8} {:>7} {:>7} {:>9} {:>9} {:>9}  {name}\n",
            e.count,
            e.errors_5xx,
            share(e.errors_5xx, e.count),
            ms(e.p50_ms),
            ms(e.p95_ms),
            ms(e.p99_ms),
        ));
    }
    if !summary.causes.is_empty() {
        out.push_str("\nfailures  cause, and the best explained of them\n");
    }
    for cause in &summary.causes {
        out.push_str(&format!("{:>8}  {}\n", cause.count, cause.kind.word().replace('_', " ")));
        if let Some(example) = &cause.example {
            out.push_str(&format!("          {}\n", printable(cut(&one_line(example), EXAMPLE_MAX))));
        }
    }
    let rows = incident(summary);
    if rows.len() > 1 {
        out.push_str("\nfrom                     requests     5xx   share\n");
    }
    let most = rows.iter().map(|r| r.errors_5xx).max().unwrap_or(0).max(1);
    for row in rows.iter().filter(|_| rows.len() > 1) {
        let bar = usize::try_from(row.errors_5xx * BAR / most).unwrap_or(0);
        let (share, bar) = (share(row.errors_5xx, row.requests), "#".repeat(bar.max(usize::from(row.errors_5xx > 0))));
        let line = format!("{} {:>8} {:>7} {share:>7}  {bar}", row.from, row.requests, row.errors_5xx);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    for u in unread {
        let lines = if u.count == 1 { "line" } else { "lines" };
        let hint = match u.reason.as_str() {
            "not_recognised" | "no_status" => ": is it the right file, and does --access-format fit?",
            _ => "",
        };
        out.push_str(&format!(
            "\n{} {lines} of {} not read ({}){hint}\n",
            u.count,
            u.source,
            u.reason.replace('_', " ")
        ));
    }
    out
}

/// One failure in one line: what, where, for whom.
fn one_line(failure: &Failure) -> String {
    let explanation = &failure.explanation;
    let cause = &explanation.cause;
    let what = match (&cause.error_type, &cause.message) {
        (Some(error_type), Some(message)) => format!("{error_type}: {message}"),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (None, None) => String::new(),
    };
    let site = explanation.site.as_ref().map_or_else(String::new, |s| format!(" at {s}"));
    let function = explanation.function.as_ref().map_or_else(String::new, |f| format!(" in {f}"));
    let id = failure.request_id.as_deref().unwrap_or("-");
    format!("{}: {}{what}{site}{function}", cause.certainty, format_args!("{} ({id}) ", failure.endpoint))
}

#[expect(clippy::cast_precision_loss)]
fn share(part: u64, of: u64) -> String {
    if of == 0 { "-".to_owned() } else { format!("{:.1}%", part as f64 * 100.0 / of as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    #[test]
    fn any_span_of_time_has_a_few_rows_and_loses_nothing() {
        let moment = |from| Moment { from, width: Duration::from_secs(10), requests: 1, errors_5xx: 1 };
        let now = Timestamp::from_millis(1_785_231_940_000);
        for other in [now, now.plus(Duration::from_hours(24 * 700)), Timestamp::MIN, Timestamp::MAX] {
            let mut timeline = vec![moment(other.min(now)), moment(other.max(now))];
            timeline.push(moment(Timestamp::MAX.floor(Duration::from_secs(10))));
            for len in [2, 3] {
                let summary = Summary { timeline: timeline[..len].to_vec(), ..Summary::default() };
                let rows = incident(&summary);
                assert!(rows.len() <= 2 * 24, "{}", rows.len());
                assert_eq!(rows.iter().map(|r| r.errors_5xx).sum::<u64>(), len as u64, "{other}");
            }
        }
    }
}
