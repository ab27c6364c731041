//! How the daemon is, as metrics in the text format of `OpenMetrics`, which Prometheus reads.
//!
//! Made from a [`Report`] when somebody asks: nothing is counted here. Rule: units are in names, every series says what
//! it is, and no label has more values than the configuration has things; endpoints, which requests bring about, are
//! bounded by a number of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::health::not_ready;
use super::status::kind;
use crate::model::inventory::ApiId;
use crate::model::report::{ApiReport, Report, SourceReport};
use crate::model::time::Timestamp;
use crate::model::{personal, secrets};

/// What it is called over HTTP.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics, with those of the worst endpoints, so many at most.
#[must_use]
pub fn metrics(report: Report, endpoints: usize) -> String {
    let mut registry = Registry::with_prefix("gatewatch");
    registry.register_collector(Box::new(Shown { report, endpoints }));
    let mut text = String::new();
    encode(&mut text, &registry).expect("a String takes any text");
    text
}

#[derive(Debug)]
struct Shown {
    report: Report,
    endpoints: usize,
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes families, each with its samples.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        samples: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        self.family(name, help, unit, MetricType::Counter, samples, |mut to, value| {
            to.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        samples: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        self.family(name, help, unit, MetricType::Gauge, samples, |mut to, value| to.encode_gauge(&value))
    }

    fn family<'l>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels<'l>, f64)>,
        put: impl Fn(MetricEncoder<'_>, f64) -> fmt::Result,
    ) -> fmt::Result {
        let mut to = self.0.encode_descriptor(name, help, unit, kind)?;
        samples.into_iter().try_for_each(|(labels, value)| put(to.encode_family(&labels)?, value))
    }
}

impl Collector for Shown {
    fn encode(&self, to: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Families(to);
        self.program(&mut to)?;
        self.apis(&mut to)?;
        self.sources(&mut to)?;
        self.work(&mut to)?;
        self.messages(&mut to)?;
        self.worst(&mut to)
    }
}

impl Shown {
    fn program(&self, to: &mut Families<'_>) -> fmt::Result {
        let r = &self.report;
        let seconds = Some(&Unit::Seconds);
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        to.gauges("build_info", "The running version; always 1", None, [(version, 1.0)])?;
        to.gauges("start_time", "When the process began to watch, since 1970", seconds, one(epoch(r.started)))?;
        let help = "Since when requests, failures, alerts, events and joins are counted, since 1970";
        to.gauges("counted_since_time", help, seconds, one(epoch(r.counted_since)))?;
        let ready = not_ready(r).is_empty();
        to.gauges(
            "ready",
            "1 if all sources are read and a sink takes messages, as /readyz says",
            None,
            one(flag(ready)),
        )?;
        let reloads = [("good", r.reloads.good), ("failed", r.reloads.failed)];
        let reloads = reloads.map(|(result, n)| (vec![("result", result)], float(n)));
        to.counters("config_reloads", "Changed configurations, by what became of them", None, reloads)
    }

    fn apis(&self, to: &mut Families<'_>) -> fmt::Result {
        let r = &self.report;
        let watched = || r.apis.iter().filter(|api| api.watched);
        let counts = |n: fn(&ApiReport) -> u64| watched().map(move |api| (vec![("api", &*api.name)], float(n(api))));
        to.counters("requests", "Requests that the API answered", None, counts(|api| api.requests))?;
        to.counters("request_failures", "Requests answered 5xx", None, counts(|api| api.failures))?;
        to.counters("alert_episodes", "Alerts that began to fire", None, counts(|api| api.alerts))?;
        let mut firing: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
        for alert in &r.firing {
            let key = (self.api(alert.key.api), &*alert.key.rule, alert.severity.word());
            *firing.entry(key).or_default() += 1;
        }
        let firing = firing
            .into_iter()
            .map(|((api, rule, severity), n)| (vec![("api", api), ("rule", rule), ("severity", severity)], float(n)));
        to.gauges("alerts_firing", "Alerts that fire; absent where none does", None, firing)?;
        let joins = r.joins.iter().map(|(join, n)| (vec![("join", join.word())], float(*n)));
        to.counters("joins", "Failures by how they were joined to their invocation", None, joins)
    }

    fn sources(&self, to: &mut Families<'_>) -> fmt::Result {
        let r = &self.report;
        let unlisted = one(float(r.unlisted as u64));
        to.gauges("unlisted_patterns", "Patterns of log groups that were not looked up yet", None, unlisted)?;
        let undiscovered = r.discoveries.iter().filter(|discovery| !discovery.watched).count();
        let help = "APIs whose log groups are not found out";
        to.gauges("undiscovered_apis", help, None, one(float(undiscovered as u64)))?;
        let failed = r.discoveries.iter().map(|d| (vec![("api", &*d.api)], float(d.failed)));
        to.counters("discovery_failures", "Looks at an API that found nothing to watch", None, failed)?;
        let each = |value: &dyn Fn(&SourceReport) -> Option<f64>| -> Vec<_> {
            r.sources.iter().filter_map(|source| Some((of_source(source), value(source)?))).collect()
        };
        let lag = each(&|source| Some(r.now.since(source.reading.read_to?).as_secs_f64()));
        to.gauges("source_lag", "How far a log group is read behind now", Some(&Unit::Seconds), lag)?;
        let up = each(&|source| Some(flag(source.tried && source.reading.trouble.is_none())));
        to.gauges("source_up", "1 if a log group is read", None, up)?;
        let events = each(&|source| Some(float(source.events)));
        to.counters("source_events", "Events of a log group, each once, without gatewatch's own", None, events)?;
        let own = each(&|source| Some(float(source.own_lines)));
        to.counters("source_own_lines", "Lines of gatewatch itself in a log group, which are dropped", None, own)?;
        let unread = r.sources.iter().flat_map(|source| {
            let labels = |reason| [of_source(source), vec![("reason", reason)]].concat();
            source.unread.iter().map(move |(reason, n)| (labels(*reason), float(*n)))
        });
        to.counters("source_unread_lines", "Lines that could not be read", None, unread)
    }

    fn work(&self, to: &mut Families<'_>) -> fmt::Result {
        let r = &self.report;
        let calls = r.calls.iter().map(|call| {
            let result = call.problem.map_or("ok", |problem| problem.word());
            let role = call.role.as_deref().unwrap_or_default();
            let labels =
                vec![("operation", call.operation), ("region", &*call.region), ("role", role), ("result", result)];
            (labels, float(call.count))
        });
        to.counters("aws_requests", "Requests to AWS for log groups and events, by what came of them", None, calls)?;
        let (turns, seconds) = (&r.turns, Some(&Unit::Seconds));
        to.counters("engine_turns", "Batches that the engine took in", None, one(float(turns.count)))?;
        let all = one(turns.total.as_secs_f64());
        to.counters("engine_turns_time", "What these took together", seconds, all)?;
        to.gauges("engine_turn_last", "What the last took", seconds, one(turns.last.as_secs_f64()))?;
        to.gauges("engine_turn_longest", "What the longest took", seconds, one(turns.longest.as_secs_f64()))?;
        let d = &r.dropped;
        let dropped = [
            ("late_requests", "Requests too late for their window", d.late_requests),
            ("overflow_requests", "Requests under <other>, see max_endpoints", d.overflow_requests),
            ("forgotten_invocations", "Invocations forgotten early, see max_invocations", d.invocations),
            ("abandoned_failures", "Failures no longer followed, because there were too many", d.cases),
        ];
        dropped.into_iter().try_for_each(|(name, help, n)| to.counters(name, help, None, one(float(n))))
    }

    fn messages(&self, to: &mut Families<'_>) -> fmt::Result {
        let sinks = &self.report.sinks;
        let became = sinks.iter().flat_map(|sink| {
            let results = [("delivered", sink.delivered), ("dead_lettered", sink.dead_lettered)];
            results.map(|(result, n)| (vec![("sink", &*sink.name), ("result", result)], float(n)))
        });
        to.counters("notifications", "Messages by sink and what became of them", None, became)?;
        let queued = sinks.iter().map(|sink| (vec![("sink", &*sink.name)], float(sink.queued as u64)));
        to.gauges("notifications_queued", "Messages that wait for a sink", None, queued)?;
        let failing = sinks.iter().map(|sink| (vec![("sink", &*sink.name)], flag(sink.failing)));
        to.gauges("sink_failing", "1 if the last try to deliver failed", None, failing)
    }

    /// The endpoints with most failures. Two whose names differ only in what is masked are one here.
    fn worst(&self, to: &mut Families<'_>) -> fmt::Result {
        let Some(summary) = &self.report.summary else { return Ok(()) };
        let mut known: BTreeMap<&str, u64> = BTreeMap::new();
        for endpoint in &summary.endpoints {
            *known.entry(self.api(endpoint.api)).or_default() += 1;
        }
        let known = known.into_iter().map(|(api, n)| (vec![("api", api)], float(n)));
        to.gauges("endpoints", "Endpoints with requests in the window", None, known)?;
        let window = one(self.report.window.as_secs_f64());
        to.gauges("window", "Length of the window of the endpoints' figures", Some(&Unit::Seconds), window)?;
        let mut told = BTreeSet::new();
        let mut worst = Vec::new();
        for endpoint in summary.endpoints.iter().take(self.endpoints) {
            let (api, route) = (self.api(endpoint.api), masked(&endpoint.endpoint.route));
            let name = (api, masked(&endpoint.endpoint.method), route);
            if told.insert(name.clone()) {
                worst.push((name, endpoint));
            }
        }
        let each = || {
            worst.iter().map(|((api, method, route), e)| {
                (vec![("api", *api), ("method", method.as_str()), ("route", route.as_str())], *e)
            })
        };
        let requests = each().map(|(labels, e)| (labels, float(e.count)));
        to.gauges("endpoint_requests", "Requests in the window, of the worst endpoints", None, requests)?;
        let failures = each().map(|(labels, e)| (labels, float(e.errors_5xx)));
        to.gauges("endpoint_failures", "Requests answered 5xx in the window", None, failures)?;
        let latencies = each().flat_map(|(labels, e)| {
            let quantiles = [("0.5", e.p50_ms), ("0.95", e.p95_ms), ("0.99", e.p99_ms)];
            quantiles.into_iter().filter_map(move |(quantile, ms)| {
                let labels = [labels.clone(), vec![("quantile", quantile)]].concat();
                Some((labels, f64::from(ms?) / 1000.0))
            })
        });
        to.gauges(
            "endpoint_latency",
            "Quantiles of the response latency in the window",
            Some(&Unit::Seconds),
            latencies,
        )
    }

    fn api(&self, id: ApiId) -> &str {
        self.report.apis.get(id.index()).map_or("?", |api| &api.name)
    }
}

fn of_source(source: &SourceReport) -> Labels<'_> {
    vec![
        ("source", &*source.name),
        ("kind", kind(source.kind)),
        ("region", source.region.as_deref().unwrap_or_default()),
        ("role", source.role.as_deref().unwrap_or_default()),
    ]
}

/// The one sample of a family without labels.
fn one(value: f64) -> [(Labels<'static>, f64); 1] {
    [(Vec::new(), value)]
}

fn masked(name: &str) -> String {
    personal::mask(&secrets::mask(name)).into_owned()
}

/// Counts are told as floating-point numbers, exactly up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers everywhere")]
const fn float(n: u64) -> f64 {
    n as f64
}

const fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
fn epoch(at: Timestamp) -> f64 {
    at.as_millis() as f64 / 1000.0
}
