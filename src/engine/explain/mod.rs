//! Why a request failed: the decision procedure.
//!
//! It weighs two witnesses: the gateway's own words ([`gateway`]) and the invocation's lines ([`lambda`]), and falls
//! back to status and latency. It never guesses: what is not known is `unknown`, with what was looked for. Rule:
//! `certain` only where a witness names the cause; an absence or a pattern is at most `likely`.

mod fix;
mod gateway;
mod lambda;

use std::sync::Arc;

use super::invocations::Invocation;
use crate::model::cause::{Cause, CauseKind, Certainty, Evidence, Explanation, Join};
use crate::model::inventory::{Api, ApiKind, Source};
use crate::model::invocation::{LambdaSays, Site};
use crate::model::request::{GatewayWords, Request};

/// Lines of evidence in an explanation.
const EVIDENCE_MAX: usize = 5;

/// What is known about one failed request.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The access line.
    pub request: &'a Request,
    /// Its API.
    pub api: &'a Api,
    /// The invocation that `integration.requestId` names and the log group it stands in, if any of its lines came.
    pub invocation: Option<(&'a Invocation, &'a Source)>,
    /// Whether any Lambda log group is watched.
    pub lambda_watched: bool,
}

/// One witness's answer.
#[derive(Clone, Debug, PartialEq)]
struct Verdict {
    kind: CauseKind,
    certainty: Certainty,
    error_type: Option<Arc<str>>,
    message: Option<Arc<str>>,
    site: Option<Site>,
    /// The timeout that the function itself has, where it became known.
    function_timeout_ms: Option<u32>,
}

impl Verdict {
    fn new(kind: CauseKind, certainty: Certainty) -> Self {
        Self { kind, certainty, error_type: None, message: None, site: None, function_timeout_ms: None }
    }

    fn message(mut self, message: impl Into<Arc<str>>) -> Self {
        self.message = Some(message.into());
        self
    }

    fn error_type(mut self, error_type: Option<&str>) -> Self {
        self.error_type = error_type.map(Into::into);
        self
    }
}

/// Decides.
#[must_use]
pub fn explain(subject: &Subject<'_>) -> Explanation {
    let unsaid = GatewayWords::default();
    let words = subject.request.gateway.as_deref().unwrap_or(&unsaid);
    let verdict = decide(subject, words);
    let joined = subject.invocation.is_some();
    let function: Option<Arc<str>> = subject.invocation.and_then(|(_, source)| source.function.clone());
    let fix = fix::fix(&verdict, subject, words, function.as_deref());
    Explanation {
        cause: Cause {
            kind: verdict.kind,
            certainty: verdict.certainty,
            error_type: verdict.error_type,
            message: verdict.message,
            join: if joined { Join::IntegrationRequestId } else { Join::None },
            candidates: u32::from(joined),
        },
        function,
        site: verdict.site,
        evidence: subject.invocation.map(|(invocation, source)| evidence(invocation, source)).unwrap_or_default(),
        fix,
    }
}

/// The first answer that holds.
fn decide(subject: &Subject<'_>, words: &GatewayWords) -> Verdict {
    let lambda = subject.invocation.and_then(|(invocation, _)| lambda::verdict(invocation));
    match gateway::verdict(words) {
        // The function ran and failed; which way, its own log says best.
        Some(v) if v.certainty == Certainty::Likely => lambda.unwrap_or(v),
        Some(v) => v,
        None => lambda
            .or_else(|| by_time(subject))
            .or_else(|| by_absence(subject))
            .unwrap_or_else(|| unknown(subject, words)),
    }
}

/// The gateway waited as long as it does: 504, or a response latency within 1 % of the integration timeout.
fn by_time(subject: &Subject<'_>) -> Option<Verdict> {
    let request = subject.request;
    let timeout_ms = subject.api.integration_timeout.as_millis();
    let waited = request.response_latency_ms.is_some_and(|ms| u128::from(ms) * 100 >= timeout_ms * 99);
    let answered = request.integration_latency_ms.is_some();
    let by = match request.response_latency_ms {
        Some(ms) if waited => format!("the gateway waited {ms} ms, its integration timeout is {timeout_ms} ms"),
        _ if request.status == 504 => "the gateway answered 504, its status for an integration timeout".to_owned(),
        _ => return None,
    };
    // A 502 or 500 with an integration latency was answered, only late: the function may have failed by itself.
    if answered && !matches!(request.status, 503 | 504) {
        return None;
    }
    Some(Verdict::new(CauseKind::IntegrationTimeout, Certainty::Likely).message(by))
}

/// The invocation ended well by its own log, and yet the gateway could not use its answer.
fn by_absence(subject: &Subject<'_>) -> Option<Verdict> {
    let (invocation, _) = subject.invocation?;
    let clean = invocation.report.is_some();
    // HTTP APIs answer a malformed response with 500, REST APIs with 502; a REST 500 may be the function's own.
    let status = subject.request.status;
    (clean && (status == 502 || (status == 500 && subject.api.kind == ApiKind::Http))).then(|| {
        Verdict::new(CauseKind::MalformedResponse, Certainty::Likely)
            .message("the function's log shows a normal end, but the gateway could not use its response")
    })
}

fn unknown(subject: &Subject<'_>, words: &GatewayWords) -> Verdict {
    let looked = match (&subject.request.lambda_request_id, subject.invocation) {
        (Some(_), Some((invocation, _))) if invocation.report.is_some() => {
            "the invocation ended well by its own log, and the access log does not say whether the gateway or the \
             function made this answer"
                .to_owned()
        }
        (Some(_), Some(_)) => "the invocation has not ended in its log yet".to_owned(),
        (Some(id), None) if subject.lambda_watched => {
            format!("no lines of invocation {id} in the watched Lambda log groups so far")
        }
        (Some(id), None) => format!("no Lambda log group is watched, so invocation {id} was not looked for"),
        (None, _) if words.logs_lambda_request_id => {
            "the access log names no Lambda invocation for this request, and says nothing else".to_owned()
        }
        (None, _) => {
            "the access-log format has no $context.integration.requestId, so the invocation cannot be found".to_owned()
        }
    };
    Verdict::new(CauseKind::Unknown, Certainty::Unknown).message(looked)
}

/// The lines that speak, then REPORT, in order of time.
fn evidence(invocation: &Invocation, source: &Source) -> Vec<Evidence> {
    let line = |time, text: &str| invocation.evidence(&source.name, time, text);
    let report = invocation.report.iter().map(|r| line(r.0, r.2.trim_end()));
    // What proves something goes before what the function logged.
    let (logged, proves): (Vec<_>, Vec<_>) = invocation.findings.iter().partition(|f| f.says == LambdaSays::ErrorLine);
    let findings = proves.into_iter().chain(logged).take(EVIDENCE_MAX - 1);
    let findings = findings.map(|f| line(f.time, f.text.trim_end()));
    let mut lines: Vec<_> = findings.chain(report).collect();
    lines.sort_by_key(|e| e.time);
    lines
}

#[cfg(test)]
mod tests;
