//! A message as one line of JSON: the `alert` object of the contract in `model::json`.
//!
//! `kind` is `alert`, `digest`, `notice` or `test`; what a kind does not have is null, and its lists are empty. Besides
//! the keys of an alert that fires (`time`, `state`, `reason`, `severity`, `rule`, `api`, `endpoint`, `value`, `errors`,
//! `requests`, `window_s`, `since`, `episode`, `seq`, `causes`, `fix`, `title`) there are
//! - `measure`: what `value` is, in a word, with `quantile`, `over_ms` or `objective` where it has one: `failures`,
//!   `timeouts`, `no_invocations` and `slow` are ratios, `failure_count`, `new_cause` and `traffic` numbers of requests,
//!   `latency` milliseconds, `burn_rate` a multiple; `threshold`: the rule's lowest rung in the same unit;
//! - `worst`: the highest severity of the episode; `flapping`; `explained`: failures whose cause is known;
//! - `endpoints[{endpoint,errors,requests}]`: of an alert about a whole API, the worst; a sample's `site{file,line}` and
//!   `lambda_request_id`;
//! - `query{groups,region,from,to,text}`: Logs Insights shows more; `origin{host,task,version}`: who sends;
//! - `digest{firing,resolved,members[..]}`: of many alerts, the worst ten;
//! - `before{requests,window_s}`: of an alert about traffic, what came before; `problem`: of a log that is not read; `notice`: of a notice.
//!
//! Rule: every key is there in each of them.

pub mod recall;

use std::sync::Arc;

use serde::Serialize;

use super::headline::title;
use super::message::{AlertMessage, Digest, Message};
use super::origin::Origin;
use super::query::Query;
use super::telling::Telling;
use crate::model::alert::{Alert, Before, Blindness, CauseCount, EndpointCount, Measure, Reason, State};
use crate::model::invocation::Site;
use crate::model::json::{EndpointJson, FixJson, VERSION, line};
use crate::model::notice::Notice;

#[derive(Debug, Default, Serialize)]
struct AlertJson<'a> {
    v: u8,
    r#type: &'a str,
    time: String,
    kind: &'a str,
    state: Option<&'a str>,
    reason: Option<&'a str>,
    severity: &'a str,
    worst: Option<&'a str>,
    flapping: Option<bool>,
    rule: Option<&'a str>,
    api: Option<&'a str>,
    endpoint: Option<EndpointJson<'a>>,
    source: Option<&'a str>,
    #[serde(flatten)]
    measure: MeasureJson,
    value: Option<f64>,
    threshold: Option<f64>,
    errors: Option<u64>,
    requests: Option<u64>,
    window_s: Option<u64>,
    since: Option<String>,
    episode: &'a str,
    seq: Option<u32>,
    explained: Option<u64>,
    causes: Vec<CauseJson<'a>>,
    endpoints: Vec<EndpointCountJson<'a>>,
    fix: Option<FixJson<'a>>,
    query: Option<QueryJson<'a>>,
    before: Option<BeforeJson>,
    problem: Option<ProblemJson<'a>>,
    digest: Option<DigestJson<'a>>,
    notice: Option<NoticeJson<'a>>,
    title: String,
    origin: OriginJson<'a>,
}

#[derive(Debug, Default, Serialize)]
struct MeasureJson {
    measure: Option<&'static str>,
    quantile: Option<f64>,
    over_ms: Option<u32>,
    objective: Option<f64>,
}

#[derive(Debug, Serialize)]
struct EndpointCountJson<'a> {
    endpoint: EndpointJson<'a>,
    errors: u64,
    requests: u64,
}

#[derive(Debug, Serialize)]
struct QueryJson<'a> {
    groups: Vec<&'a str>,
    region: Option<&'a str>,
    from: String,
    to: String,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct DigestJson<'a> {
    firing: usize,
    resolved: usize,
    members: Vec<MemberJson<'a>>,
}

/// One alert of many.
#[derive(Debug, Serialize)]
struct MemberJson<'a> {
    state: &'a str,
    severity: &'a str,
    rule: &'a str,
    api: &'a str,
    endpoint: Option<EndpointJson<'a>>,
    source: Option<&'a str>,
    #[serde(flatten)]
    measure: MeasureJson,
    value: Option<f64>,
    errors: Option<u64>,
    requests: Option<u64>,
    since: String,
    episode: &'a str,
    title: String,
}

#[derive(Debug, Default, Serialize)]
struct OriginJson<'a> {
    host: Option<&'a str>,
    task: Option<&'a str>,
    version: &'a str,
}

#[derive(Debug, Serialize)]
struct CauseJson<'a> {
    kind: &'a str,
    count: u64,
    sample: SampleJson<'a>,
}

#[derive(Debug, Serialize)]
struct SampleJson<'a> {
    error_type: Option<&'a str>,
    message: Option<&'a str>,
    function: Option<&'a str>,
    site: Option<SiteJson<'a>>,
    request_id: Option<&'a str>,
    lambda_request_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct SiteJson<'a> {
    file: &'a str,
    line: u32,
}

impl<'a> From<&'a Site> for SiteJson<'a> {
    fn from(s: &'a Site) -> Self {
        Self { file: &s.file, line: s.line }
    }
}

/// What came before the window.
#[derive(Debug, Serialize)]
struct BeforeJson {
    requests: u64,
    window_s: u64,
}

/// Why a log group is not read.
#[derive(Debug, Serialize)]
struct ProblemJson<'a> {
    kind: &'a str,
    said: &'a str,
    advice: &'a str,
    read_to: Option<String>,
    loss: &'a str,
    apis: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct NoticeJson<'a> {
    from: String,
    to: String,
    why: Vec<&'a str>,
    sources: usize,
    names: Vec<&'a str>,
    apis: Vec<&'a str>,
    requests: u64,
    failures: u64,
    causes: Vec<KindJson<'a>>,
    endpoints: Vec<MissedJson<'a>>,
    unread_before: Option<String>,
}

#[derive(Debug, Serialize)]
struct KindJson<'a> {
    kind: &'a str,
    count: u64,
}

#[derive(Debug, Serialize)]
struct MissedJson<'a> {
    api: &'a str,
    endpoint: EndpointJson<'a>,
    failures: u64,
}

impl<'a> From<&'a CauseCount> for CauseJson<'a> {
    fn from(c: &'a CauseCount) -> Self {
        let s = &c.sample;
        Self {
            kind: c.kind.word(),
            count: c.count,
            sample: SampleJson {
                error_type: s.error_type.as_deref(),
                message: s.message.as_deref(),
                function: s.function.as_deref(),
                site: s.site.as_ref().map(Into::into),
                request_id: s.request_id.as_deref(),
                lambda_request_id: s.lambda_request_id.as_deref(),
            },
        }
    }
}

impl<'a> From<&'a Blindness> for ProblemJson<'a> {
    fn from(b: &'a Blindness) -> Self {
        Self {
            kind: b.problem.word(),
            said: &b.said,
            advice: b.problem.advice(),
            read_to: b.read_to.map(|at| at.to_string()),
            loss: b.loss.word(),
            apis: b.apis.iter().map(|api| &**api).collect(),
        }
    }
}

impl<'a> From<&'a Notice> for NoticeJson<'a> {
    fn from(n: &'a Notice) -> Self {
        Self {
            from: n.from.to_string(),
            to: n.to.to_string(),
            why: n.why.iter().map(|problem| problem.word()).collect(),
            sources: n.sources,
            names: n.names.iter().map(|name| &**name).collect(),
            apis: n.apis.iter().map(|api| &**api).collect(),
            requests: n.requests,
            failures: n.failures,
            causes: n.causes.iter().map(|(kind, count)| KindJson { kind: kind.word(), count: *count }).collect(),
            endpoints: n
                .endpoints
                .iter()
                .map(|m| MissedJson { api: &m.api, endpoint: (&*m.endpoint).into(), failures: m.failures })
                .collect(),
            unread_before: n.unread_before.map(|at| at.to_string()),
        }
    }
}

impl From<Before> for BeforeJson {
    fn from(before: Before) -> Self {
        Self { requests: before.requests, window_s: before.window.as_secs() }
    }
}

impl From<Measure> for MeasureJson {
    fn from(measure: Measure) -> Self {
        let plain = |word| Self { measure: Some(word), ..Self::default() };
        match measure {
            Measure::Failures => plain("failures"),
            Measure::FailureCount => plain("failure_count"),
            Measure::Timeouts => plain("timeouts"),
            Measure::NoInvocations => plain("no_invocations"),
            Measure::NewCause => plain("new_cause"),
            Measure::Latency { quantile } => Self { quantile: Some(quantile), ..plain("latency") },
            Measure::Slow { over_ms } => Self { over_ms: Some(over_ms), ..plain("slow") },
            Measure::Traffic => plain("traffic"),
            Measure::BurnRate { objective } => Self { objective: Some(objective), ..plain("burn_rate") },
            Measure::Unread => plain("unread"),
        }
    }
}

impl<'a> From<&'a EndpointCount> for EndpointCountJson<'a> {
    fn from(e: &'a EndpointCount) -> Self {
        Self { endpoint: (&*e.endpoint).into(), errors: e.errors, requests: e.requests }
    }
}

impl<'a> From<&'a Query> for QueryJson<'a> {
    fn from(q: &'a Query) -> Self {
        Self {
            groups: q.groups.iter().map(|group| &**group).collect(),
            region: q.region.as_deref(),
            from: q.from.to_string(),
            to: q.to.to_string(),
            text: &q.text,
        }
    }
}

impl<'a> From<&'a AlertMessage> for MemberJson<'a> {
    fn from(m: &'a AlertMessage) -> Self {
        let a = &m.alert;
        let counts = a.blindness.is_none();
        Self {
            state: a.state.word(),
            severity: a.severity.word(),
            rule: &a.key.rule,
            api: &m.api,
            endpoint: a.key.endpoint().map(|e| (&**e).into()),
            source: a.key.source().map(|s| &**s),
            measure: a.measure.into(),
            value: counts.then_some(a.value),
            errors: counts.then_some(a.errors),
            requests: counts.then_some(a.requests),
            since: a.since.to_string(),
            episode: &a.episode,
            title: m.title(),
        }
    }
}

/// An `alert` object.
#[must_use]
pub fn render(m: &Message, origin: &Origin) -> String {
    write(&Telling::of(m), origin)
}

/// The `alert` object of an alert as it stands: what only a message has, `reason`, `seq` and `query`, is null.
#[must_use]
pub fn firing(alert: &Alert, api: &Arc<str>, origin: &Origin) -> String {
    let (alert, api) = (alert.clone(), Arc::clone(api));
    let message = AlertMessage { alert, api, reason: Reason::New, seq: 0, query: None }.into();
    told_line(&Telling::of(&message), origin, false)
}

pub(super) fn write(t: &Telling, origin: &Origin) -> String {
    told_line(t, origin, true)
}

/// `sent`: it is a message, and has what only messages have.
fn told_line(t: &Telling, origin: &Origin, sent: bool) -> String {
    let m = &t.message;
    let fix = match m {
        Message::Alert(m) => m.fix(),
        // Of the worst that has one.
        Message::Digest(d) if d.state == State::Firing => d.members.iter().find_map(AlertMessage::fix),
        Message::Digest(_) | Message::Notice(_) | Message::Test(_) => None,
    };
    let object = match m {
        Message::Alert(m) => {
            // Of what is over the causes are those that were said last, and they explain no failure of now.
            let now = m.alert.blindness.is_none() && m.alert.state == State::Firing;
            AlertJson { explained: now.then_some(t.explained), ..alert(m) }
        }
        Message::Digest(d) => digest(d),
        Message::Notice(n) => AlertJson { notice: Some((&**n).into()), ..AlertJson::default() },
        Message::Test(_) => AlertJson::default(),
    };
    line(&AlertJson {
        v: VERSION,
        r#type: "alert",
        time: m.time().to_string(),
        kind: m.kind(),
        state: m.state().map(State::word),
        severity: m.severity().word(),
        episode: m.episode(),
        reason: object.reason.filter(|_| sent),
        seq: sent.then(|| m.seq()),
        fix: fix.as_deref().map(Into::into),
        title: title(m),
        origin: OriginJson { host: origin.host.as_deref(), task: origin.task.as_deref(), version: Origin::VERSION },
        ..object
    })
}

fn alert(m: &AlertMessage) -> AlertJson<'_> {
    let a = &m.alert;
    // The counts of a log that is not read would look like those of an API without traffic.
    let counts = a.blindness.is_none();
    AlertJson {
        reason: Some(m.reason.word()),
        worst: Some(a.worst.word()),
        flapping: Some(a.flapping),
        rule: Some(&a.key.rule),
        api: Some(&m.api),
        endpoint: a.key.endpoint().map(|e| (&**e).into()),
        source: a.key.source().map(|s| &**s),
        measure: a.measure.into(),
        value: counts.then_some(a.value),
        threshold: counts.then_some(a.threshold),
        errors: counts.then_some(a.errors),
        requests: counts.then_some(a.requests),
        window_s: counts.then_some(a.window.as_secs()),
        since: Some(a.since.to_string()),
        causes: a.causes.iter().map(Into::into).collect(),
        endpoints: a.endpoints.iter().map(Into::into).collect(),
        query: m.query.as_ref().map(Into::into),
        before: a.before.map(Into::into),
        problem: a.blindness.as_ref().map(Into::into),
        ..AlertJson::default()
    }
}

fn digest(d: &Digest) -> AlertJson<'_> {
    AlertJson {
        reason: Some(d.reason.word()),
        rule: d.rule.as_deref(),
        api: d.api.as_deref(),
        since: Some(d.since.to_string()),
        digest: Some(DigestJson {
            firing: d.firing,
            resolved: d.resolved,
            members: d.members.iter().map(Into::into).collect(),
        }),
        ..AlertJson::default()
    }
}
