//! A message as one line of JSON: the `alert` object of the contract in `model::json`.
//!
//! `kind` is `alert` or `notice`; of a notice all that is about a rule is null. Rule: every key is there in each of
//! them.

use serde::Serialize;

use super::message::{AlertMessage, Digest, Message, digest_headline, notice_title};
use super::origin::Origin;
use crate::model::alert::{Blindness, CauseCount};
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
    rule: Option<&'a str>,
    api: Option<&'a str>,
    endpoint: Option<EndpointJson<'a>>,
    source: Option<&'a str>,
    value: Option<f64>,
    errors: Option<u64>,
    requests: Option<u64>,
    window_s: Option<u64>,
    since: Option<String>,
    episode: &'a str,
    seq: u32,
    causes: Vec<CauseJson<'a>>,
    fix: Option<FixJson<'a>>,
    problem: Option<ProblemJson<'a>>,
    notice: Option<NoticeJson<'a>>,
    title: String,
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
    request_id: Option<&'a str>,
    lambda_request_id: Option<&'a str>,
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

/// An `alert` object.
#[must_use]
pub fn render(m: &Message, _origin: &Origin) -> String {
    let object = match m {
        Message::Alert(m) => alert(m),
        Message::Digest(d) => digest(d),
        Message::Notice(n) => notice(n),
        Message::Test(t) => {
            AlertJson { time: t.time.to_string(), kind: "test", title: "Test".to_owned(), ..AlertJson::default() }
        }
    };
    line(&AlertJson {
        v: VERSION,
        r#type: "alert",
        severity: m.severity().word(),
        episode: m.episode(),
        seq: m.seq(),
        ..object
    })
}

fn alert(m: &AlertMessage) -> AlertJson<'_> {
    let a = &m.alert;
    // The counts of a log that is not read would look like those of an API without traffic.
    let counts = a.blindness.is_none();
    AlertJson {
        time: a.time.to_string(),
        kind: "alert",
        state: Some(a.state.word()),
        reason: Some(m.reason.word()),
        rule: Some(&a.key.rule),
        api: Some(&m.api),
        endpoint: a.key.endpoint().map(|e| (&**e).into()),
        source: a.key.source().map(|s| &**s),
        value: counts.then_some(a.value),
        errors: counts.then_some(a.errors),
        requests: counts.then_some(a.requests),
        window_s: counts.then_some(a.window.as_secs()),
        since: Some(a.since.to_string()),
        causes: a.causes.iter().map(Into::into).collect(),
        fix: a.fix().map(Into::into),
        problem: a.blindness.as_ref().map(Into::into),
        title: m.title(),
        ..AlertJson::default()
    }
}

fn digest(d: &Digest) -> AlertJson<'_> {
    AlertJson {
        time: d.time.to_string(),
        kind: "digest",
        state: Some(d.state.word()),
        reason: Some(d.reason.word()),
        rule: d.rule.as_deref(),
        api: d.api.as_deref(),
        since: Some(d.since.to_string()),
        title: digest_headline(d),
        ..AlertJson::default()
    }
}

fn notice(n: &Notice) -> AlertJson<'_> {
    AlertJson {
        time: n.time.to_string(),
        kind: "notice",
        notice: Some(n.into()),
        title: notice_title(n),
        ..AlertJson::default()
    }
}
