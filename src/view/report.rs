//! The report at the end of a replay: the whole input in one table, as text or as the `summary` object.

use serde::Serialize;

use crate::model::inventory::Inventory;
use crate::model::json::{EndpointJson, VERSION, line};
use crate::model::summary::Summary;
use crate::model::text::printable;

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
        causes: summary.causes.iter().map(|(kind, count)| CauseJson { kind: kind.word(), count: *count }).collect(),
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
        out.push_str("\nfailures  cause\n");
    }
    for (kind, count) in &summary.causes {
        out.push_str(&format!("{count:>8}  {}\n", kind.word().replace('_', " ")));
    }
    for u in unread {
        out.push_str(&format!("\n{} lines of {} were not read: {}\n", u.count, u.source, u.reason.replace('_', " ")));
    }
    out
}

#[expect(clippy::cast_precision_loss)]
fn share(part: u64, of: u64) -> String {
    if of == 0 { "-".to_owned() } else { format!("{:.1}%", part as f64 * 100.0 / of as f64) }
}
