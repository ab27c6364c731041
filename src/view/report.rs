//! The report at the end of a replay: the whole input in one table, as text or as the `summary` object.

use serde::Serialize;

use super::harmless;
use crate::engine::totals::Totals;
use crate::model::inventory::Inventory;
use crate::model::json::{EndpointJson, VERSION, line};

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

fn rows<'a>(totals: &'a Totals, inventory: &'a Inventory) -> Vec<RowJson<'a>> {
    let rows = totals.endpoints.iter().map(|((api, endpoint), t)| RowJson {
        api: &inventory.api(*api).name,
        endpoint: (&**endpoint).into(),
        count: t.count,
        errors_5xx: t.errors_5xx,
        p50_ms: t.latencies.quantile(0.5),
        p95_ms: t.latencies.quantile(0.95),
        p99_ms: t.latencies.quantile(0.99),
    });
    let mut rows: Vec<_> = rows.collect();
    // The table comes sorted by name; the sort is stable, so equals stay in that order.
    rows.sort_by(|a, b| b.errors_5xx.cmp(&a.errors_5xx).then_with(|| b.count.cmp(&a.count)));
    rows
}

fn causes(totals: &Totals) -> Vec<CauseJson<'static>> {
    let mut causes: Vec<_> = totals.causes.iter().map(|(k, n)| CauseJson { kind: k.word(), count: *n }).collect();
    causes.sort_by_key(|c| std::cmp::Reverse(c.count));
    causes
}

/// The `summary` object.
#[must_use]
pub fn json(totals: &Totals, inventory: &Inventory, unread: &[UnreadLines]) -> String {
    let (requests, failures) = totals.sum();
    line(&SummaryJson {
        v: VERSION,
        r#type: "summary",
        from: totals.span.map(|s| s.0.to_string()),
        to: totals.span.map(|s| s.1.to_string()),
        requests,
        failures,
        endpoints: rows(totals, inventory),
        causes: causes(totals),
        unread,
    })
}

/// The same for people.
#[must_use]
pub fn text(totals: &Totals, inventory: &Inventory, unread: &[UnreadLines]) -> String {
    let (requests, failures) = totals.sum();
    let mut out = match totals.span {
        Some((from, to)) => {
            format!("{requests} requests, {failures} answered 5xx ({}), {from} to {to}\n", share(failures, requests))
        }
        None => "no requests\n".to_owned(),
    };
    if requests > 0 {
        out.push_str("\nrequests     5xx   share    p50 ms    p95 ms    p99 ms  endpoint\n");
    }
    let ms = |v: Option<u32>| v.map_or_else(|| "-".to_owned(), |v| v.to_string());
    let several = inventory.apis.len() > 1;
    for row in rows(totals, inventory) {
        let api = if several { format!("{}: ", row.api) } else { String::new() };
        let name = harmless(&format!("{api}{} {}", row.endpoint.method(), row.endpoint.route()));
        out.push_str(&format!(
            "{:>8} {:>7} {:>7} {:>9} {:>9} {:>9}  {name}\n",
            row.count,
            row.errors_5xx,
            share(row.errors_5xx, row.count),
            ms(row.p50_ms),
            ms(row.p95_ms),
            ms(row.p99_ms),
        ));
    }
    if !totals.causes.is_empty() {
        out.push_str("\nfailures  cause\n");
    }
    for cause in causes(totals) {
        out.push_str(&format!("{:>8}  {}\n", cause.count, cause.kind.replace('_', " ")));
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
