//! What the invocation's own lines say.
//!
//! Error types and their meaning: AWS's open-sourced Lambda runtime core and the runtime interface clients. Rule: a
//! REPORT without a status proves nothing either way, because an ordinary exception leaves it clean; lines that the
//! function logged are evidence, never a verdict.

use std::sync::Arc;

use super::Verdict;
use super::gateway::function_error;
use crate::engine::invocations::{Finding, Invocation};
use crate::model::cause::{CauseKind, Certainty};
use crate::model::invocation::{LambdaSays, Report, ReportStatus, RuntimeError};
use crate::model::request::GatewayWords;

/// What an error type that Lambda or a runtime wrote stands for, where the type alone decides.
fn kind_of_type(error_type: &str) -> Option<CauseKind> {
    // Node's JSON lines leave the `Runtime.` away.
    let name = error_type.strip_prefix("Runtime.").unwrap_or(error_type);
    match name {
        "OutOfMemory" => Some(CauseKind::OutOfMemory),
        "ImportModuleError"
        | "HandlerNotFound"
        | "MalformedHandlerName"
        | "UserCodeSyntaxError"
        | "BuiltInModuleConflict"
        | "BadFunctionCode"
        | "InvalidEntrypoint"
        | "InvalidWorkingDir"
        | "InvalidTaskConfig"
        | "InitError"
        | "CallbackHandlerDeprecated"
        | "RestoreHookUserTimeout"
        | "BeforeSnapshotError"
        | "AfterRestoreError"
        | "BeforeCheckpointError"
        // Node's codes for a module that an ES module asks for and that is not there.
        | "ERR_MODULE_NOT_FOUND"
        | "MODULE_NOT_FOUND"
        | "ERR_UNSUPPORTED_DIR_IMPORT" => Some(CauseKind::InitFailure),
        "MarshalError" | "SerializationError" => Some(CauseKind::UnserializableResponse),
        "ExitError" | "NodeJsExit" => Some(CauseKind::ProcessExit),
        "Function.ResponseSizeTooLarge" | "RequestEntityTooLarge" => Some(CauseKind::ResponseTooLarge),
        // Ruby's words for what its handler's file raised.
        _ if name.starts_with("Init<") => Some(CauseKind::InitFailure),
        _ if name.starts_with("Extension.") => Some(CauseKind::ExtensionFailure),
        "Sandbox.Timedout" | "Sandbox.Timeout" => Some(CauseKind::LambdaTimeout),
        _ if name.starts_with("Sandbox.") => Some(CauseKind::PlatformFailure),
        _ => None,
    }
}

/// How the reason of a fault begins when the runtime's process could not be started.
const STARTS: &[&str] = &["Runtime failed to start", "Couldn't find valid bootstrap", "fork/exec "];

/// How an invocation failed by its own log, if it did: the kind and the error type.
#[must_use]
pub fn ends_badly(invocation: &Invocation) -> Option<(CauseKind, Option<Arc<str>>)> {
    verdict(invocation, &GatewayWords::default()).map(|v| (v.kind, v.error_type))
}

/// The verdict of an error that a runtime or a gateway quotes.
pub(super) fn of_error(error: &RuntimeError) -> Verdict {
    let kind = kind_of_error(error).unwrap_or(CauseKind::UnhandledException);
    with_error(Verdict::new(kind, Certainty::Certain), error)
}

/// The verdict of an invocation's lines, if they name one. The gateway's words may confirm what they leave open.
pub(super) fn verdict(invocation: &Invocation, words: &GatewayWords) -> Option<Verdict> {
    let report = invocation.report.as_ref().map(|r| &r.1);
    let says = || invocation.findings.iter().map(|f| &f.says);
    let certain = |kind| Verdict::new(kind, Certainty::Certain);

    let timed_out = invocation.findings.iter().find_map(|f| timed_out(f, report));
    let init = says().find_map(|s| {
        if let LambdaSays::InitFailed { error_type, timed_out } = s {
            Some((error_type.as_deref(), *timed_out))
        } else {
            None
        }
    });
    let error = says().find_map(|s| if let LambdaSays::Unhandled(e) = s { Some(e) } else { None });
    // The last of them: what follows a caught error is nearer to the end.
    let perhaps = says().rev().find_map(|s| if let LambdaSays::PerhapsUnhandled(e) = s { Some(e) } else { None });
    let confirmed = |e: &&RuntimeError| {
        let quoted = words.integration_error.as_deref().and_then(function_error);
        let same = quoted
            .zip(e.message.as_deref())
            .is_some_and(|(q, m)| !m.is_empty() && !q.is_empty() && (q.contains(m) || m.contains(q)));
        let reported = report.and_then(|r| r.status) == Some(ReportStatus::Error);
        same || reported
    };
    let error = error.or(perhaps.filter(confirmed));
    let fault = says().find_map(|s| {
        if let LambdaSays::Fault { reason, error_type } = s { Some((&**reason, error_type.as_deref())) } else { None }
    });
    let status = report.and_then(|r| r.status);
    let reported = report.and_then(|r| r.error_type.as_deref());
    let reported_kind = reported.and_then(kind_of_type);

    // An init that failed and was tried again counts only if the invocation failed as well.
    if let Some((init_type, init_timed_out)) = init
        && (status.is_some() || error.and_then(kind_of_error) == Some(CauseKind::InitFailure))
    {
        let mut verdict = certain(CauseKind::InitFailure).error_type(init_type.or(reported));
        if let Some(error) = error {
            verdict = with_error(verdict, error);
        } else if init_timed_out {
            verdict = verdict.message("the function's initialisation timed out");
        } else if let Some((reason, _)) = fault {
            verdict = verdict.message(reason);
        }
        return Some(verdict);
    }
    let by_report = (status == Some(ReportStatus::Timeout)).then(|| (timeout_of(report), Certainty::Certain));
    if let Some((ms, certainty)) =
        by_report.map_or(timed_out, |by_report| Some(timed_out.map_or(by_report, |t| (t.0, by_report.1))))
    {
        let message = format!("Task timed out after {}.{:02} seconds", ms / 1000, ms % 1000 / 10);
        let mut verdict = Verdict::new(CauseKind::LambdaTimeout, certainty).message(message);
        verdict.function_timeout_ms = Some(ms);
        return Some(verdict);
    }
    if reported_kind == Some(CauseKind::OutOfMemory) {
        return Some(certain(CauseKind::OutOfMemory).error_type(reported).message(memory(report)));
    }
    // The runtime's own line is the cause; an exit that follows it is the consequence.
    if let Some(error) = error {
        return Some(of_error(error));
    }
    if status == Some(ReportStatus::Failure) {
        return Some(certain(CauseKind::PlatformFailure).error_type(reported));
    }
    let last_words = invocation.findings.iter().find(|f| f.says == LambdaSays::LastWords);
    // What an extension or the platform did is not what the process said about itself.
    let fault_kind = fault.and_then(|(_, t)| kind_of_type(t?)).or(reported_kind);
    let exits = fault_kind == Some(CauseKind::ProcessExit) || (fault.is_some() && fault_kind.is_none());
    if let Some(last) = last_words.filter(|_| exits) {
        let out_of_memory = last.text.contains("out of memory") || last.text.contains("bad_alloc");
        let kind = if out_of_memory { CauseKind::OutOfMemory } else { CauseKind::ProcessExit };
        let certainty = if out_of_memory { Certainty::Likely } else { Certainty::Certain };
        let fault_type = fault.and_then(|(_, t)| t);
        let line = last.text.trim().lines().next().unwrap_or_default();
        let line = fault.map_or_else(|| line.to_owned(), |(reason, _)| format!("{reason}; last words: {line}"));
        return Some(Verdict::new(kind, certainty).error_type(reported.or(fault_type)).message(line));
    }
    if let Some((reason, fault_type)) = fault {
        let kind = fault_type.and_then(kind_of_type).or(reported_kind).unwrap_or(CauseKind::ProcessExit);
        if kind == CauseKind::ProcessExit && reason.contains("signal: killed") && memory_is_full(report) {
            // Old logs do not say "out of memory"; a kill at full memory is one, but other kills exist.
            let verdict = Verdict::new(CauseKind::OutOfMemory, Certainty::Likely);
            return Some(verdict.error_type(fault_type.or(reported)).message(memory(report)));
        }
        // A runtime that did not come up ends in an exit too.
        let never_started = STARTS.iter().any(|words| reason.starts_with(words));
        let kind = if kind == CauseKind::ProcessExit && never_started { CauseKind::InitFailure } else { kind };
        // Without a type that decides, the words must say that it ended.
        let named = never_started || fault_type.and_then(kind_of_type).or(reported_kind).is_some();
        let certainty = if named || reason.contains("exited") { Certainty::Certain } else { Certainty::Likely };
        return Some(Verdict::new(kind, certainty).error_type(fault_type.or(reported)).message(reason));
    }
    if let Some(kind) = reported_kind {
        return Some(certain(kind).error_type(reported));
    }
    if let Some(error) = perhaps {
        let kind = kind_of_error(error).unwrap_or(CauseKind::UnhandledException);
        return Some(with_error(Verdict::new(kind, Certainty::Likely), error));
    }
    // An error status with a type that says no more than that something failed, such as Runtime.Unknown.
    (status == Some(ReportStatus::Error))
        .then(|| Verdict::new(CauseKind::UnhandledException, Certainty::Likely).error_type(reported))
}

fn kind_of_error(error: &RuntimeError) -> Option<CauseKind> {
    // Node's runtime has no type of its own for this.
    let unserializable = error.message.as_deref().is_some_and(|m| m.starts_with("Unable to stringify response body"));
    if unserializable {
        return Some(CauseKind::UnserializableResponse);
    }
    error.error_type.as_deref().and_then(kind_of_type)
}

/// A timeout line, and how sure it is. Without an ID anybody may have printed it: then the report must agree.
fn timed_out(finding: &Finding, report: Option<&Report>) -> Option<(u32, Certainty)> {
    let LambdaSays::TimedOut { after_ms } = finding.says else { return None };
    let agrees = |r: &Report| {
        r.status == Some(ReportStatus::Timeout) || r.duration_ms.is_some_and(|ms| ms >= f64::from(after_ms))
    };
    match report {
        _ if finding.named => Some((after_ms, Certainty::Certain)),
        Some(report) => agrees(report).then_some((after_ms, Certainty::Certain)),
        None => Some((after_ms, Certainty::Likely)),
    }
}

fn with_error(mut verdict: Verdict, error: &RuntimeError) -> Verdict {
    if let Some(error_type) = &error.error_type {
        verdict.error_type = Some((&**error_type).into());
    }
    if let Some(message) = &error.message {
        verdict.message = Some((&**message).into());
    }
    verdict.site.clone_from(&error.site);
    verdict
}

/// On a timeout the duration is the function's timeout, or a little more in old logs.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float to int cast saturates")]
fn timeout_of(report: Option<&Report>) -> u32 {
    report.and_then(|r| r.duration_ms).map_or(0, |ms| ms as u32)
}

fn memory(report: Option<&Report>) -> String {
    match report.map(|r| (r.max_memory_mb, r.memory_mb)) {
        Some((Some(used), Some(size))) => format!("{used} MB of {size} MB were used"),
        _ => "the environment was killed for lack of memory".to_owned(),
    }
}

/// Within 1.5 % of the memory size: at 96 % functions still end well.
fn memory_is_full(report: Option<&Report>) -> bool {
    report.is_some_and(|r| match (r.max_memory_mb, r.memory_mb) {
        (Some(used), Some(size)) => u64::from(used) * 1000 >= u64::from(size) * 985,
        _ => false,
    })
}
