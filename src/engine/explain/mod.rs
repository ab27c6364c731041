//! Why a request failed: the decision procedure.
//!
//! It weighs two witnesses: the gateway's own words ([`gateway`]), of the access log and of the execution log, and the
//! invocation's lines ([`lambda`]); where neither names a cause, [`pattern`] looks at status, latency and absence. It
//! never guesses: what is not known is `unknown`, with what was looked for. Rule: `certain` only where a witness names
//! the cause and an exact ID leads to it; an absence, a pattern or a join by time is at most `likely`.

mod fix;
mod gateway;
mod lambda;
mod marks;
mod pattern;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub use self::gateway::id_in_message;
pub use self::lambda::ends_badly;
pub use self::pattern::gave_up;
use super::correlate::Link;
use super::executions::Execution;
use super::functions::Function;
use super::invocations::Invocation;
use super::tally::Marks;
use crate::model::cause::{Cause, CauseKind, Certainty, Evidence, Explanation, Join};
use crate::model::inventory::{Api, ApiKind, Source};
use crate::model::invocation::{LambdaSays, Site};
use crate::model::request::{Endpoint, GatewayWords, Request};
use crate::model::secrets::mask;
use crate::model::text::cut;

/// Two clocks, two stamps.
const SKEW: Duration = Duration::from_secs(1);
/// How long an answer takes at most, where the access line does not say how long it took.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Lines of evidence in an explanation.
const EVIDENCE_MAX: usize = 5;

/// An invocation of which lines were seen, and the log group they stand in.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The invocation.
    pub invocation: &'a Invocation,
    /// The text of its REPORT.
    pub report: &'a str,
    /// The log group.
    pub source: &'a Source,
}

/// What is known about one failed request.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The access line.
    pub request: &'a Request,
    /// The endpoint it is counted under.
    pub endpoint: &'a Arc<Endpoint>,
    /// Its API.
    pub api: &'a Api,
    /// The Region of its logs.
    pub region: Option<&'a str>,
    /// How its invocation was found, if it was.
    pub link: Option<&'a Link>,
    /// That invocation, if any of its lines came.
    pub found: Option<Found<'a>>,
    /// What the execution log says about it, and the log group.
    pub execution: Option<(&'a Execution, &'a Source)>,
    /// The function that serves its endpoint, where that is known.
    pub serving: Option<&'a Function>,
    /// Whether any Lambda log is watched.
    pub lambda_watched: bool,
    /// Whether the logs are files, as in a replay: what is missing then is one more file, not a setting.
    pub files: bool,
}

impl Subject<'_> {
    /// Which kind of API this is: as configured, else by the shape of its request IDs, which are UUIDs for REST APIs and
    /// 15 characters and an equals sign for HTTP and WebSocket APIs.
    fn kind(&self) -> ApiKind {
        if self.api.kind != ApiKind::Auto {
            return self.api.kind;
        }
        let id = self.request.request_id.as_deref().unwrap_or_default();
        let is_uuid = id.len() == 36 && id.bytes().filter(|b| *b == b'-').count() == 4;
        match id.len() {
            _ if is_uuid => ApiKind::Rest,
            16 if id.ends_with('=') && matches!(&*self.endpoint.method, "CONNECT" | "MESSAGE" | "DISCONNECT") => {
                ApiKind::WebSocket
            }
            16 if id.ends_with('=') => ApiKind::Http,
            _ => ApiKind::Auto,
        }
    }

    /// The invocation's ID.
    fn lambda_id(&self) -> Option<&str> {
        self.link.and_then(|l| l.id.as_deref())
    }
}

/// One witness's answer.
#[derive(Clone, Debug, PartialEq)]
struct Verdict {
    kind: CauseKind,
    certainty: Certainty,
    error_type: Option<Arc<str>>,
    message: Option<Arc<str>>,
    site: Option<Site>,
    /// The gateway quotes the function's error: its own log knows more.
    quoted: bool,
    /// The timeout that the function itself has, where it became known.
    function_timeout_ms: Option<u32>,
}

impl Verdict {
    fn new(kind: CauseKind, certainty: Certainty) -> Self {
        Self { kind, certainty, error_type: None, message: None, site: None, quoted: false, function_timeout_ms: None }
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

/// Decides, and marks the failure for the rules.
#[must_use]
pub fn explain(subject: &Subject<'_>) -> (Explanation, Marks) {
    let words = words(subject);
    let explanation = explanation(subject, &words);
    let marks = marks::marks(subject, &words, &explanation);
    (explanation, marks)
}

fn explanation(subject: &Subject<'_>, words: &GatewayWords) -> Explanation {
    let verdict = decide(subject, words);
    let verdict = Verdict {
        error_type: verdict.error_type.map(|t| masked(&t)),
        message: verdict.message.map(|m| masked(&m)),
        ..verdict
    };
    let function = function(subject);
    let fix = fix::fix(&verdict, subject, words, function.as_deref());
    // An ID that was looked for and led to nothing joins nothing.
    let link = subject.link.filter(|l| subject.found.is_some_and(|f| f.invocation.is_seen()) || l.id.is_none());
    let named = subject.execution.is_some_and(|(e, _)| e.is_telling());
    Explanation {
        cause: Cause {
            kind: verdict.kind,
            certainty: verdict.certainty,
            error_type: verdict.error_type,
            message: verdict.message,
            join: link.map_or(if named { Join::ExecutionLog } else { Join::None }, |l| l.join),
            candidates: link.map_or(0, |l| l.candidates),
        },
        function,
        site: verdict.site,
        evidence: evidence(subject),
        fix,
    }
}

/// The gateway's words, of both logs.
fn words<'a>(subject: &Subject<'a>) -> Cow<'a, GatewayWords> {
    let own = subject.request.gateway.as_deref().map_or_else(Cow::default, Cow::Borrowed);
    match subject.execution {
        Some((execution, _)) => {
            let mut words = own.into_owned();
            execution.add_to(&mut words);
            Cow::Owned(words)
        }
        None => own,
    }
}

/// The first answer that holds.
fn decide(subject: &Subject<'_>, words: &GatewayWords) -> Verdict {
    let mut lambda = subject.found.and_then(|f| lambda::verdict(f.invocation, words));
    if subject.link.is_some_and(|l| matches!(l.join, Join::TimeWindow | Join::Xray) || l.candidates > 1)
        && let Some(verdict) = &mut lambda
    {
        verdict.certainty = verdict.certainty.min(Certainty::Likely);
    }
    if subject.link.is_some_and(|l| l.join == Join::ApiRequestIdInLog)
        && began_afterwards(subject)
        && let Some(verdict) = &mut lambda
    {
        // It works on what the request left behind, in a queue for example.
        verdict.certainty = verdict.certainty.min(Certainty::Likely);
    }
    let by_gateway = gateway::verdict(words).or_else(|| by_execution(subject));
    if subject.link.is_some_and(|l| l.authorizer) {
        // What its own function says is why, not what: nothing else was called.
        let failed = lambda.filter(|_| by_gateway.as_ref().is_none_or(|v| v.kind == CauseKind::AuthorizerFailure));
        let why = failed.map(|l| Verdict { kind: CauseKind::AuthorizerFailure, ..l });
        // That it ended well says nothing about what would have been called next.
        let without = Subject { link: None, found: None, ..*subject };
        return why.or(by_gateway).unwrap_or_else(|| pattern::verdict(&without, words));
    }
    let by_gateway = by_gateway.map(|v| doubted(subject, words, v));
    match by_gateway {
        // The function ran and failed; which way, its own log says best.
        Some(v) if v.certainty == Certainty::Likely || v.quoted => match lambda {
            Some(l) if l.kind == v.kind => Verdict { certainty: l.certainty.max(v.certainty), ..l },
            lambda => lambda.unwrap_or(v),
        },
        // Until about 2020 the gateway called the answer of a function that had failed malformed, too; a function may
        // answer in the shape of an error by itself.
        Some(v) if v.kind == CauseKind::MalformedResponse => {
            by_execution(subject).filter(|failed| failed.error_type.is_some()).map_or(v, |failed| {
                let of_log = lambda.filter(|l| l.kind == failed.kind);
                of_log.unwrap_or(Verdict { certainty: Certainty::Likely, ..failed })
            })
        }
        Some(v) => v,
        None if pattern::contradicts(subject, lambda.as_ref()) => pattern::verdict(subject, words),
        None => lambda.unwrap_or_else(|| pattern::verdict(subject, words)),
    }
}

/// The invocation began when the request had been answered.
fn began_afterwards(subject: &Subject<'_>) -> bool {
    let request = subject.request;
    let took = request.response_latency_ms.map_or(ANSWER_MAX, |ms| Duration::from_millis(u64::from(ms)));
    let answered = request.start.plus(took).plus(SKEW);
    subject.found.and_then(|f| f.invocation.start()).is_some_and(|start| start > answered)
}

/// Whether this invocation may be the one whose error the gateway quotes.
#[must_use]
pub fn may_have_said(invocation: &Invocation, words: &GatewayWords) -> bool {
    let quoted = gateway::verdict(words).filter(|v| v.quoted && v.kind == CauseKind::UnhandledException);
    let said = lambda::verdict(invocation, words).and_then(|v| v.message);
    let Some((quoted, said)) = quoted.and_then(|v| v.message).zip(said) else { return true };
    // Each side may have cut it.
    let head = |text| cut(text, 40);
    quoted.contains(head(said.trim())) || said.contains(head(quoted.trim()))
}

/// A status that another part of the line does not fit to is at most likely what it seems to be.
fn doubted(subject: &Subject<'_>, words: &GatewayWords, verdict: Verdict) -> Verdict {
    let fits = verdict.kind != CauseKind::ApplicationError || words.function_status == Some(subject.request.status);
    if fits { verdict } else { Verdict { certainty: Certainty::Likely, ..verdict } }
}

/// The error that the function answered with, as the execution log quotes it.
fn by_execution(subject: &Subject<'_>) -> Option<Verdict> {
    let execution = subject.execution?.0;
    let verdict = lambda::of_error(execution.error.as_ref()?);
    // Other backends answer with such bodies too, and then make the answer themselves.
    let is_lambdas = execution.function.is_some() || execution.lambda_request_id.is_some();
    is_lambdas.then_some(verdict)
}

/// The function, by who knows best: the invocation, the execution log, what served this endpoint before.
fn function(subject: &Subject<'_>) -> Option<Arc<str>> {
    let ran = subject.found.and_then(|f| Function::of(f.source, &f.invocation.stream).name);
    ran.or_else(|| subject.execution?.0.function.clone()).or_else(|| subject.serving?.name.clone())
}

fn masked(text: &str) -> Arc<str> {
    mask(text).as_ref().into()
}

/// The lines that speak, then REPORT, in order of time.
fn evidence(subject: &Subject<'_>) -> Vec<Evidence> {
    let mut lines = subject.execution.map(|(e, source)| e.evidence(&source.name)).unwrap_or_default();
    if let Some(Found { invocation, report, source }) = subject.found {
        let line = |time, text: &str| invocation.evidence(&source.name, time, text);
        let report = invocation.report.iter().map(|r| line(r.0, report.trim_end()));
        // What proves something goes before what the function logged.
        let (logged, proves): (Vec<_>, Vec<_>) =
            invocation.findings.iter().partition(|f| matches!(f.says, LambdaSays::ErrorLine | LambdaSays::LastWords));
        let room = EVIDENCE_MAX.saturating_sub(1 + lines.len());
        let findings = proves.into_iter().chain(logged).take(room).map(|f| line(f.time, f.text.trim_end()));
        lines.extend(findings.chain(report));
    }
    lines.truncate(EVIDENCE_MAX);
    lines.sort_by_key(|e| e.time);
    for line in &mut lines {
        line.text = masked(&line.text);
    }
    lines
}

#[cfg(test)]
mod tests;
