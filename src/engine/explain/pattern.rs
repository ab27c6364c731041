//! What status, latency and absence suggest, where no witness names a cause.
//!
//! Not a witness: everything here is `likely` at most, or `unknown` with what was looked for. Status codes by kind of
//! API: REST answers 502 where the function ran and failed, 500 where it could not be called, 504 on a timeout; HTTP
//! APIs answer 500 for the first two and 503 for the third. Rule: a pattern that fits two causes names neither.

use std::time::Duration;

use super::{Subject, Verdict};
use crate::model::cause::{CauseKind, Certainty};
use crate::model::inventory::{Api, ApiKind};
use crate::model::invocation::LambdaSays;
use crate::model::request::{GatewayWords, Request};

/// The verdict of patterns.
pub(super) fn verdict(subject: &Subject<'_>, words: &GatewayWords) -> Verdict {
    by_time(subject, words)
        .or_else(|| by_own_answer(subject, words))
        .or_else(|| by_clean_end(subject, words))
        .or_else(|| by_no_call(subject, words))
        .unwrap_or_else(|| unknown(subject, words))
}

/// Whether the gateway stopped waiting, as far as status and latency tell.
#[must_use]
pub fn gave_up(request: &Request, api: &Api) -> bool {
    let waited = waited(request, api) == Some(true);
    let answered = request.integration_latency_ms.is_some();
    match request.status {
        504 => true,
        503 => waited,
        _ => waited && !answered,
    }
}

/// Whether the request took as long as the gateway waits, or within 1 % of it; `None` where that was not logged.
fn waited(request: &Request, api: &Api) -> Option<bool> {
    let timeout_ms = api.integration_timeout.as_millis();
    request.response_latency_ms.map(|ms| u128::from(ms) * 100 >= timeout_ms * 99)
}

/// What the function's log says cannot be why the gateway answered this.
pub(super) fn contradicts(subject: &Subject<'_>, lambda: Option<&Verdict>) -> bool {
    let Some(lambda) = lambda else { return false };
    match subject.request.status {
        // The gateway gave up before the function ended, however that ended.
        504 => true,
        503 => gave_up(subject.request, subject.api) && lambda.kind != CauseKind::Throttled,
        // REST APIs answer a function's failure with 502. A 500 is the function's own, or it was never called; what
        // looks like an error that nothing caught was caught and logged.
        500 => subject.kind() == ApiKind::Rest && lambda.certainty < Certainty::Certain,
        _ => false,
    }
}

/// The gateway waited as long as it does: 504, or a response latency within 1 % of the integration timeout.
fn by_time(subject: &Subject<'_>, words: &GatewayWords) -> Option<Verdict> {
    let request = subject.request;
    // The integration answered soon, and the gateway would name a timeout if there were one.
    let answered = request.integration_latency_ms.is_some() || words.integration_status.is_some();
    let soon = waited(request, subject.api) == Some(false);
    if words.logs_response_type && words.response_type.is_none() && answered && soon {
        return None;
    }
    if !gave_up(request, subject.api) {
        return None;
    }
    let mut timeout = subject.api.integration_timeout;
    if subject.api.kind == ApiKind::Auto
        && subject.kind() == ApiKind::Http
        && timeout == ApiKind::Auto.default_timeout()
    {
        timeout = ApiKind::Http.default_timeout();
    }
    let by = match request.response_latency_ms.map(|ms| Duration::from_millis(u64::from(ms))) {
        Some(took) if took * 100 >= timeout * 99 => {
            format!("the gateway waited {} ms, its integration timeout is {} ms", took.as_millis(), timeout.as_millis())
        }
        _ => format!("the gateway answered {}, its status for an integration timeout", request.status),
    };
    Some(Verdict::new(CauseKind::IntegrationTimeout, Certainty::Likely).message(by))
}

/// The function or the backend made this answer itself: the gateway names no reason of its own where it would, or the
/// function logged an error that it caught.
fn by_own_answer(subject: &Subject<'_>, words: &GatewayWords) -> Option<Verdict> {
    let status = subject.request.status;
    if words.response_type.is_some() || words.integration_error.is_some() {
        return None;
    }
    let own = |message: String| Some(Verdict::new(CauseKind::ApplicationError, Certainty::Likely).message(message));
    if words.integration_status == Some(status) && words.logs_response_type {
        return own(format!("the backend answered {status} itself"));
    }
    if status == 502 {
        return None;
    }
    let invocation = subject.found?.invocation;
    let logged = invocation.findings.iter().rev().find(|f| says_error(&f.says));
    match logged {
        Some(line) if subject.kind() != ApiKind::Http || invocation.report.is_some() => {
            // Without a REPORT it is not known how it ended.
            let ended = if invocation.report.is_some() { ", ended well," } else { "" };
            own(format!("the function logged an error{ended} and answered {status}: {}", first_line(&line.text)))
        }
        None if words.logs_response_type && invocation.report.is_some() && subject.kind() != ApiKind::Http => {
            own(format!("the gateway names no reason of its own: the function answered {status}"))
        }
        _ => None,
    }
}

fn says_error(says: &LambdaSays) -> bool {
    matches!(says, LambdaSays::ErrorLine | LambdaSays::PerhapsUnhandled(_) | LambdaSays::Unhandled(_))
}

fn first_line(text: &str) -> &str {
    let line = text.trim().lines().next().unwrap_or_default();
    crate::model::text::cut(line, 300)
}

/// The invocation ended well by its own log, and yet the gateway could not use its answer.
fn by_clean_end(subject: &Subject<'_>, words: &GatewayWords) -> Option<Verdict> {
    let invocation = subject.found?.invocation;
    let clean = invocation.report.is_some();
    // HTTP APIs answer a malformed response with 500, REST APIs with 502; a REST 500 may be the function's own, unless
    // the gateway says that it is about the configuration, as for a body that is not the base64 it should be.
    let decodes = words.response_type.as_deref() == Some("API_CONFIGURATION_ERROR");
    let fits = match subject.request.status {
        502 => true,
        500 => subject.kind() == ApiKind::Http || decodes,
        _ => false,
    };
    (clean && fits).then(|| {
        Verdict::new(CauseKind::MalformedResponse, Certainty::Likely)
            .message("the function's log shows a normal end, but the gateway could not use its response")
    })
}

/// The format has a field for the invocation's ID, and there is none: nothing was called.
fn by_no_call(subject: &Subject<'_>, words: &GatewayWords) -> Option<Verdict> {
    let request = subject.request;
    let not_called = words.logs_lambda_request_id && request.lambda_request_id.is_none() && subject.found.is_none();
    let likely = |kind, message: &str| Some(Verdict::new(kind, Certainty::Likely).message(message));
    match (subject.kind(), request.status, words.response_type.as_deref()) {
        _ if !not_called => None,
        (ApiKind::Rest | ApiKind::Auto, 500, Some("API_CONFIGURATION_ERROR")) => {
            likely(CauseKind::PermissionDenied, "the gateway names its configuration and called no function")
        }
        (ApiKind::Rest | ApiKind::Auto, 500, Some("INTEGRATION_FAILURE")) => {
            likely(CauseKind::InvalidIntegration, "the integration failed before any function was called")
        }
        // Fast, and nothing was reached.
        (ApiKind::Http, 503, _) if request.response_latency_ms.is_some() => likely(
            CauseKind::BackendUnreachable,
            "the gateway answered 503 long before its timeout and reached nothing",
        ),
        _ => None,
    }
}

fn unknown(subject: &Subject<'_>, words: &GatewayWords) -> Verdict {
    let several = subject.link.filter(|l| l.id.is_none()).map(|l| l.candidates);
    let looked = match (subject.lambda_id(), subject.found.filter(|f| f.invocation.is_seen())) {
        (Some(_), Some(found)) if found.invocation.report.is_some() => {
            "the invocation ended well by its own log, and the access log does not say whether the gateway or the \
             function made this answer"
                .to_owned()
        }
        (Some(_), Some(_)) => "the invocation has not ended in its log yet".to_owned(),
        (Some(id), None) => match (subject.lambda_watched, subject.files) {
            (true, true) => format!("no lines of invocation {id} in the Lambda logs that were given"),
            (true, false) => format!("no lines of invocation {id} in the watched Lambda log groups so far"),
            (false, true) => format!("no Lambda log was given, so invocation {id} was not looked for"),
            (false, false) => format!("no Lambda log group is watched, so invocation {id} was not looked for"),
        },
        (None, _) if several.is_some() => {
            format!("{} invocations ran at that time and ended differently", several.unwrap_or_default())
        }
        (None, _) if words.logs_lambda_request_id => {
            "the access log names no Lambda invocation for this request, and says nothing else".to_owned()
        }
        (None, _) => {
            "the access-log format has no $context.integration.requestId, so the invocation cannot be found".to_owned()
        }
    };
    Verdict::new(CauseKind::Unknown, Certainty::Unknown).message(looked)
}
