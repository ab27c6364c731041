//! How the daemon is, as one JSON object in the style of the contract in `model::json`.
//!
//! Rule: keys are always there; nothing of what requests or log lines hold is told, only names and numbers.

use serde::Serialize;

use super::health::not_ready;
use crate::model::inventory::SourceKind;
use crate::model::json::{VERSION, line};
use crate::model::report::{Report, SourceReport};
use crate::model::secrets::mask;
use crate::model::text::printable;
use crate::model::time::Timestamp;

#[derive(Serialize)]
struct StatusJson<'a> {
    v: u8,
    r#type: &'a str,
    time: String,
    version: &'a str,
    started: String,
    counted_since: String,
    ready: bool,
    not_ready: Vec<String>,
    lag_s: Option<f64>,
    alerts_firing: usize,
    apis: Vec<ApiJson<'a>>,
    discoveries: Vec<DiscoveryJson<'a>>,
    sources: Vec<SourceJson<'a>>,
    sinks: Vec<SinkJson<'a>>,
    reloads: ReloadsJson,
    dropped: DroppedJson,
}

#[derive(Serialize)]
struct ApiJson<'a> {
    name: &'a str,
    watched: bool,
    requests: u64,
    failures: u64,
    alerts: u64,
}

#[derive(Serialize)]
struct DiscoveryJson<'a> {
    api: &'a str,
    tried: bool,
    watched: bool,
    failed: u64,
    error: Option<String>,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    name: &'a str,
    kind: &'a str,
    apis: Vec<&'a str>,
    region: Option<&'a str>,
    role: Option<&'a str>,
    read_to: Option<String>,
    lag_s: Option<f64>,
    events: u64,
    unread: u64,
    own_lines: u64,
    tried: bool,
    problem: Option<ProblemJson<'a>>,
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    kind: &'a str,
    said: String,
    advice: &'a str,
    since: String,
}

#[derive(Serialize)]
struct SinkJson<'a> {
    name: &'a str,
    queued: usize,
    delivered: u64,
    dead_lettered: u64,
    failing: bool,
}

#[derive(Serialize)]
struct ReloadsJson {
    good: u64,
    failed: u64,
    error: Option<String>,
}

#[derive(Serialize)]
struct DroppedJson {
    late_requests: u64,
    overflow_requests: u64,
    invocations: u64,
    cases: u64,
}

/// A `status` object.
#[must_use]
pub fn status(report: &Report) -> String {
    let reasons: Vec<_> = not_ready(report).iter().map(ToString::to_string).collect();
    let apis = report.apis.iter().map(|api| ApiJson {
        name: &api.name,
        watched: api.watched,
        requests: api.requests,
        failures: api.failures,
        alerts: api.alerts,
    });
    let discoveries = report.discoveries.iter().map(|discovery| DiscoveryJson {
        api: &discovery.api,
        tried: discovery.tried,
        watched: discovery.watched,
        failed: discovery.failed,
        error: discovery.why.as_ref().map(|why| shown(why)),
    });
    let sinks = report.sinks.iter().map(|sink| SinkJson {
        name: &sink.name,
        queued: sink.queued,
        delivered: sink.delivered,
        dead_lettered: sink.dead_lettered,
        failing: sink.failing,
    });
    let dropped = report.dropped;
    line(&StatusJson {
        v: VERSION,
        r#type: "status",
        time: report.now.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        started: report.started.to_string(),
        counted_since: report.counted_since.to_string(),
        ready: reasons.is_empty(),
        not_ready: reasons,
        lag_s: report.lag().map(|lag| lag.as_secs_f64()),
        alerts_firing: report.firing.len(),
        apis: apis.collect(),
        discoveries: discoveries.collect(),
        sources: report.sources.iter().map(|source| SourceJson::of(source, report)).collect(),
        sinks: sinks.collect(),
        reloads: ReloadsJson {
            good: report.reloads.good,
            failed: report.reloads.failed,
            error: report.reloads.error.as_ref().map(|error| shown(error)),
        },
        dropped: DroppedJson {
            late_requests: dropped.late_requests,
            overflow_requests: dropped.overflow_requests,
            invocations: dropped.invocations,
            cases: dropped.cases,
        },
    })
}

impl<'a> SourceJson<'a> {
    fn of(source: &'a SourceReport, report: &'a Report) -> Self {
        let lag = |to: Timestamp| report.now.since(to).as_secs_f64();
        Self {
            name: &source.name,
            kind: kind(source.kind),
            apis: source.apis.iter().filter_map(|api| Some(&*report.apis.get(api.index())?.name)).collect(),
            region: source.region.as_deref(),
            role: source.role.as_deref(),
            read_to: source.reading.read_to.map(|to| to.to_string()),
            lag_s: source.reading.read_to.map(lag),
            events: source.events,
            unread: source.unread.iter().map(|(_, count)| count).sum(),
            own_lines: source.own_lines,
            tried: source.tried,
            problem: source.reading.trouble.as_ref().map(|trouble| ProblemJson {
                kind: trouble.problem.word(),
                said: shown(&trouble.said),
                advice: trouble.problem.advice(),
                since: trouble.since.to_string(),
            }),
        }
    }
}

/// Text that we did not write.
fn shown(text: &str) -> String {
    printable(&mask(text))
}

/// What is written there, in a word.
pub(super) const fn kind(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Access(_) => "access",
        SourceKind::Lambda => "lambda",
        SourceKind::Execution(_) => "execution",
    }
}
