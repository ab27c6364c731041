//! A message as one line of JSON: the `alert` object of the contract in `model::json`.

use serde::Serialize;

use super::message::Message;
use crate::model::alert::CauseCount;
use crate::model::json::{EndpointJson, FixJson, VERSION, line};

#[derive(Debug, Serialize)]
struct AlertJson<'a> {
    v: u8,
    r#type: &'a str,
    time: String,
    kind: &'a str,
    state: &'a str,
    reason: &'a str,
    severity: &'a str,
    rule: &'a str,
    api: &'a str,
    endpoint: Option<EndpointJson<'a>>,
    value: f64,
    errors: u64,
    requests: u64,
    window_s: u64,
    since: String,
    episode: &'a str,
    seq: u32,
    causes: Vec<CauseJson<'a>>,
    fix: Option<FixJson<'a>>,
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
            },
        }
    }
}

/// An `alert` object.
#[must_use]
pub fn render(m: &Message) -> String {
    let a = &m.alert;
    line(&AlertJson {
        v: VERSION,
        r#type: "alert",
        time: a.time.to_string(),
        kind: "alert",
        state: a.state.word(),
        reason: m.reason.word(),
        severity: a.severity.word(),
        rule: &a.key.rule,
        api: &m.api,
        endpoint: a.key.endpoint.as_deref().map(Into::into),
        value: a.value,
        errors: a.errors,
        requests: a.requests,
        window_s: a.window.as_secs(),
        since: a.since.to_string(),
        episode: &a.episode,
        seq: m.seq,
        causes: a.causes.iter().map(Into::into).collect(),
        fix: a.fix().map(Into::into),
        title: m.title(),
    })
}
