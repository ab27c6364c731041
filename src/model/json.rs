//! The JSON contract: one object per line, each with `"v": 1` and `"type"`.
//!
//! Times are RFC 3339 UTC with milliseconds, ratios 0 to 1, severities and states lower case; keys are always present
//! and null when there is nothing to say. An `alert` object is
//! about an endpoint, an API or a log group (`source`, with `problem` instead of counts), or is a notice (`kind`, with
//! `notice`). Rule: programs read this; a key is never renamed or dropped within `v` 1.

use serde::Serialize;

use super::cause::{Evidence, Failure, Fix};
use super::finding::{Finding, Sums};
use super::inventory::Inventory;
use super::request::{Endpoint, Request};

/// The version of the contract.
pub const VERSION: u8 = 1;

/// Method and route.
#[derive(Debug, Serialize)]
pub struct EndpointJson<'a> {
    method: &'a str,
    route: &'a str,
}

impl<'a> From<&'a Endpoint> for EndpointJson<'a> {
    fn from(e: &'a Endpoint) -> Self {
        Self { method: &e.method, route: &e.route }
    }
}

/// What to do.
#[derive(Debug, Serialize)]
pub struct FixJson<'a> {
    text: &'a str,
    command: Option<&'a str>,
}

impl<'a> From<&'a Fix> for FixJson<'a> {
    fn from(f: &'a Fix) -> Self {
        Self { text: &f.text, command: f.command.as_deref() }
    }
}

#[derive(Debug, Serialize)]
struct EvidenceJson<'a> {
    time: String,
    source: &'a str,
    stream: &'a str,
    text: &'a str,
}

impl<'a> From<&'a Evidence> for EvidenceJson<'a> {
    fn from(e: &'a Evidence) -> Self {
        Self { time: e.time.to_string(), source: &e.source, stream: &e.stream, text: &e.text }
    }
}

#[derive(Debug, Serialize)]
struct CauseJson<'a> {
    kind: &'a str,
    certainty: &'a str,
    error_type: Option<&'a str>,
    message: Option<&'a str>,
    join: &'a str,
    candidates: u32,
}

#[derive(Debug, Serialize)]
struct FailureJson<'a> {
    v: u8,
    r#type: &'a str,
    revision: u32,
    request_id: Option<&'a str>,
    lambda_request_id: Option<&'a str>,
    api: &'a str,
    endpoint: EndpointJson<'a>,
    status: u16,
    time: String,
    cause: CauseJson<'a>,
    evidence: Vec<EvidenceJson<'a>>,
    fix: FixJson<'a>,
}

/// A `failure` object.
#[must_use]
pub fn failure(f: &Failure, inventory: &Inventory) -> String {
    let cause = &f.explanation.cause;
    line(&FailureJson {
        v: VERSION,
        r#type: "failure",
        revision: f.revision,
        request_id: f.request_id.as_deref(),
        lambda_request_id: f.lambda_request_id.as_deref(),
        api: &inventory.api(f.api).name,
        endpoint: (&*f.endpoint).into(),
        status: f.status,
        time: f.time.to_string(),
        cause: CauseJson {
            kind: cause.kind.word(),
            certainty: cause.certainty.word(),
            error_type: cause.error_type.as_deref(),
            message: cause.message.as_deref(),
            join: cause.join.word(),
            candidates: cause.candidates,
        },
        evidence: f.explanation.evidence.iter().map(Into::into).collect(),
        fix: (&f.explanation.fix).into(),
    })
}

#[derive(Debug, Serialize)]
struct RequestJson<'a> {
    v: u8,
    r#type: &'a str,
    request_id: Option<&'a str>,
    lambda_request_id: Option<&'a str>,
    api: &'a str,
    endpoint: EndpointJson<'a>,
    status: u16,
    time: String,
    response_latency_ms: Option<u32>,
    integration_latency_ms: Option<u32>,
}

/// A `request` object.
#[must_use]
pub fn request(r: &Request, inventory: &Inventory) -> String {
    line(&RequestJson {
        v: VERSION,
        r#type: "request",
        request_id: r.request_id.as_deref(),
        lambda_request_id: r.lambda_request_id.as_deref(),
        api: &inventory.api(r.api).name,
        endpoint: (&*r.endpoint).into(),
        status: r.status,
        time: r.time().to_string(),
        response_latency_ms: r.response_latency_ms,
        integration_latency_ms: r.integration_latency_ms,
    })
}

#[derive(Debug, Serialize)]
struct SubjectJson<'a> {
    kind: &'a str,
    name: &'a str,
}

#[derive(Debug, Serialize)]
struct FindingJson<'a> {
    v: u8,
    r#type: &'a str,
    check: &'a str,
    level: &'a str,
    api: Option<&'a str>,
    subject: SubjectJson<'a>,
    text: &'a str,
    fix: Option<FixJson<'a>>,
}

/// A `finding` object.
#[must_use]
pub fn finding(f: &Finding) -> String {
    line(&FindingJson {
        v: VERSION,
        r#type: "finding",
        check: f.check.word(),
        level: f.level.word(),
        api: f.api.as_deref(),
        subject: SubjectJson { kind: f.subject.kind.word(), name: &f.subject.name },
        text: &f.text,
        fix: f.fix.as_ref().map(Into::into),
    })
}

#[derive(Debug, Serialize)]
struct CheckSummaryJson<'a> {
    v: u8,
    r#type: &'a str,
    faults: usize,
    warnings: usize,
    ok: usize,
}

/// A `check_summary` object: how many findings there are of each level.
#[must_use]
pub fn check_summary(sums: Sums) -> String {
    let Sums { faults, warnings, oks } = sums;
    line(&CheckSummaryJson { v: VERSION, r#type: "check_summary", faults, warnings, ok: oks })
}

/// One line of JSON, without the line end.
#[must_use]
pub fn line<T: Serialize>(object: &T) -> String {
    serde_json::to_string(object).expect("these types have string keys and no failing parts")
}
