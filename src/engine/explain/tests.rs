//! Each cause by the lines and words that prove it, and what must not be taken for proof.

use std::time::Duration;

use super::*;
use crate::engine::invocations::Invocations;
use crate::model::inventory::{ApiId, ApiKind, SourceId, SourceKind};
use crate::model::invocation::{LambdaLine, LambdaSays, Report, ReportStatus, RuntimeError};
use crate::model::request::Endpoint;
use crate::model::time::Timestamp;

fn api() -> Api {
    Api { kind: ApiKind::Rest, ..Api::plain("shop") }
}

fn source() -> Source {
    Source::group("/aws/lambda/checkout-fn", None, SourceKind::Lambda)
}

/// A 502 that names invocation `a1`.
fn request(status: u16) -> Request {
    let words = GatewayWords {
        logs_integration_latency: true,
        logs_lambda_request_id: true,
        integration_status: Some(200),
        ..GatewayWords::default()
    };
    Request {
        api: ApiId(0),
        endpoint: Endpoint::new("POST", "/checkout").into(),
        status,
        start: Timestamp::from_millis(0),
        request_id: Some("r1".into()),
        lambda_request_id: Some("a1".into()),
        response_latency_ms: Some(237),
        integration_latency_ms: Some(234),
        gateway: Some(Box::new(words)),
    }
}

fn with_error(status: u16, error: &str) -> Request {
    let mut request = request(status);
    if let Some(words) = request.gateway.as_mut() {
        words.integration_error = Some(error.to_owned());
    }
    request
}

/// What is made of the request and the lines of its invocation.
fn explained(request: &Request, lines: &[LambdaSays]) -> Explanation {
    let mut invocations = Invocations::new(10, Duration::from_mins(1));
    for says in lines {
        let line = LambdaLine {
            stream: "s".into(),
            time: Timestamp::from_millis(5),
            request_id: Some("a1".into()),
            says: says.clone(),
            refs: None,
            text: format!("{says:?}").into(),
        };
        invocations.apply(SourceId(0), line, Timestamp::from_millis(6));
    }
    let source = source();
    let api = api();
    let report = |invocation| invocations.text(invocation);
    let found =
        invocations.get("a1").map(|invocation| Found { invocation, report: report(invocation), source: &source });
    let id = request.lambda_request_id.as_deref().map(Arc::from);
    let link = Link { id, join: Join::IntegrationRequestId, candidates: 1, authorizer: false };
    explain(&Subject { link: request.lambda_request_id.is_some().then_some(&link), found, ..subject(request, &api) }).0
}

fn subject<'a>(request: &'a Request, api: &'a Api) -> Subject<'a> {
    Subject {
        request,
        endpoint: &request.endpoint,
        api,
        region: None,
        link: None,
        found: None,
        execution: None,
        serving: None,
        lambda_watched: true,
        files: false,
    }
}

fn kind(e: &Explanation) -> (CauseKind, Certainty) {
    (e.cause.kind, e.cause.certainty)
}

fn report(status: Option<ReportStatus>, error_type: Option<&str>, used: u32) -> LambdaSays {
    LambdaSays::Report(Report {
        duration_ms: Some(3000.0),
        memory_mb: Some(128),
        max_memory_mb: Some(used),
        status,
        error_type: error_type.map(Into::into),
    })
}

fn unhandled(error_type: &str) -> LambdaSays {
    LambdaSays::Unhandled(RuntimeError {
        error_type: Some(error_type.into()),
        message: Some("boom".into()),
        site: Some(Site { file: "index.js".into(), line: 12 }),
    })
}

const FUNCTION_ERROR: &str = "Lambda Customer Function Error:boom";

#[test]
fn the_functions_log_is_the_better_witness_for_how_it_failed() {
    let request = with_error(502, FUNCTION_ERROR);
    let alone = explained(&request, &[]);
    assert_eq!(kind(&alone), (CauseKind::UnhandledException, Certainty::Likely));
    assert_eq!(alone.cause.join, Join::None);
    let joined = explained(&request, &[LambdaSays::Start, unhandled("TypeError"), report(None, None, 36)]);
    assert_eq!(kind(&joined), (CauseKind::UnhandledException, Certainty::Certain));
    assert_eq!(joined.cause.join, Join::IntegrationRequestId);
    assert_eq!(
        (joined.function.as_deref(), joined.cause.error_type.as_deref()),
        (Some("checkout-fn"), Some("TypeError"))
    );
    assert!(joined.fix.text.contains("TypeError at index.js:12 in checkout-fn"), "{}", joined.fix.text);
    assert_eq!(joined.evidence.len(), 2);
}

#[test]
fn each_way_an_invocation_ends() {
    let fault = |reason: &str, t: &str| LambdaSays::Fault { reason: reason.into(), error_type: Some(t.into()) };
    let init = LambdaSays::InitFailed { error_type: Some("Runtime.ExitError".into()), timed_out: false };
    let error = Some(ReportStatus::Error);
    let cases = [
        (vec![report(Some(ReportStatus::Timeout), None, 36)], CauseKind::LambdaTimeout, Certainty::Certain),
        (vec![LambdaSays::TimedOut { after_ms: 3000 }], CauseKind::LambdaTimeout, Certainty::Certain),
        (vec![report(error, Some("Runtime.OutOfMemory"), 128)], CauseKind::OutOfMemory, Certainty::Certain),
        (
            vec![fault("Runtime exited with error: signal: killed", "Runtime.ExitError"), report(None, None, 127)],
            CauseKind::OutOfMemory,
            Certainty::Likely,
        ),
        (
            vec![fault("Runtime exited with error: exit status 1", "Runtime.ExitError"), report(None, None, 128)],
            CauseKind::ProcessExit,
            Certainty::Certain,
        ),
        (vec![report(error, Some("Runtime.ExitError"), 36)], CauseKind::ProcessExit, Certainty::Certain),
        (
            vec![unhandled("RangeError"), report(error, Some("Runtime.ExitError"), 36)],
            CauseKind::UnhandledException,
            Certainty::Certain,
        ),
        (vec![unhandled("Runtime.ImportModuleError")], CauseKind::InitFailure, Certainty::Certain),
        (vec![init.clone(), report(error, Some("Runtime.ExitError"), 36)], CauseKind::InitFailure, Certainty::Certain),
        (vec![unhandled("Runtime.MarshalError")], CauseKind::UnserializableResponse, Certainty::Certain),
        (vec![report(error, Some("Extension.Crash"), 36)], CauseKind::ExtensionFailure, Certainty::Certain),
        (
            vec![report(Some(ReportStatus::Failure), Some("Sandbox.Failure"), 36)],
            CauseKind::PlatformFailure,
            Certainty::Certain,
        ),
        // An init that was tried again and then went well explains nothing but a slow start.
        (vec![init, report(None, None, 36)], CauseKind::MalformedResponse, Certainty::Likely),
        (vec![LambdaSays::ErrorLine, report(None, None, 127)], CauseKind::MalformedResponse, Certainty::Likely),
    ];
    for (lines, want, certainty) in cases {
        let got = explained(&request(502), &lines);
        assert_eq!(kind(&got), (want, certainty), "{lines:?}");
        assert!(!got.fix.text.is_empty());
    }
}

#[test]
fn what_the_gateway_names_needs_no_log() {
    let malformed = with_error(502, "Execution failed due to configuration error: Malformed Lambda proxy response");
    assert_eq!(kind(&explained(&malformed, &[])), (CauseKind::MalformedResponse, Certainty::Certain));
    let denied = with_error(500, "Execution failed due to configuration error: Invalid permissions on Lambda function");
    let denied = explained(&denied, &[]);
    assert_eq!(kind(&denied), (CauseKind::PermissionDenied, Certainty::Certain));
    assert!(denied.fix.command.is_some_and(|c| c.contains("add-permission") && c.contains("POST/checkout")));
}

#[test]
fn a_wait_as_long_as_the_timeout_is_likely_one() {
    let mut slow = request(504);
    slow.integration_latency_ms = None;
    slow.response_latency_ms = Some(29_003);
    slow.lambda_request_id = None;
    assert_eq!(kind(&explained(&slow, &[])), (CauseKind::IntegrationTimeout, Certainty::Likely));
    slow.response_latency_ms = None;
    assert_eq!(kind(&explained(&slow, &[])).0, CauseKind::IntegrationTimeout, "504 alone says so");
    let mut article = request(502);
    article.integration_latency_ms = None;
    article.response_latency_ms = Some(29_001);
    article.lambda_request_id = None;
    assert_eq!(kind(&explained(&article, &[])).0, CauseKind::IntegrationTimeout);
    article.response_latency_ms = Some(12_000);
    assert_eq!(kind(&explained(&article, &[])).0, CauseKind::Unknown);
    // Answered, only late: the function may have failed by itself.
    let mut answered = request(502);
    answered.response_latency_ms = Some(29_001);
    answered.integration_latency_ms = Some(28_990);
    answered.lambda_request_id = None;
    assert_eq!(kind(&explained(&answered, &[])).0, CauseKind::Unknown);
}

#[test]
fn what_is_not_known_says_what_was_looked_for() {
    let message = |r: &Request, lines: &[LambdaSays]| {
        let e = explained(r, lines);
        assert_eq!(kind(&e), (CauseKind::Unknown, Certainty::Unknown));
        e.cause.message.map(|m| m.to_string()).unwrap_or_default()
    };
    assert!(message(&request(502), &[]).contains("no lines of invocation a1"));
    assert!(message(&request(502), &[LambdaSays::Start]).contains("not ended"));
    let mut unnamed = request(502);
    unnamed.lambda_request_id = None;
    assert!(message(&unnamed, &[]).contains("names no Lambda invocation"));
    unnamed.gateway = None;
    assert!(message(&unnamed, &[]).contains("$context.integration.requestId"));
    let e = explained(&unnamed, &[]);
    assert!(e.fix.text.contains("/accessLogSettings/format"));
    assert!(e.fix.command.is_some_and(|c| c.contains("--patch-operations file://")));
}

#[test]
fn a_503_with_a_clean_log_is_not_called_malformed() {
    let e = explained(&request(503), &[report(None, None, 36)]);
    assert_eq!(e.cause.kind, CauseKind::Unknown);
}

#[test]
fn a_500_with_a_clean_log_is_malformed_only_on_http_apis() {
    let e = explained(&request(500), &[report(None, None, 36)]);
    assert_eq!(e.cause.kind, CauseKind::Unknown);
    assert!(e.cause.message.is_some_and(|m| m.contains("ended well")));
}

#[test]
fn the_line_that_proves_goes_before_what_was_logged() {
    let mut lines = vec![LambdaSays::ErrorLine; 6];
    lines.extend([unhandled("TypeError"), report(None, None, 36)]);
    let e = explained(&request(502), &lines);
    assert!(e.evidence.iter().any(|l| l.text.contains("TypeError")), "{:?}", e.evidence);
    assert_eq!(e.evidence.len(), EVIDENCE_MAX);
}

#[test]
fn commands_cannot_be_made_to_run_something_else() {
    let mut evil = with_error(500, "Invalid permissions on Lambda function");
    evil.endpoint = Endpoint::new("ANY", "/x'$(id)'/{id}/ok").into();
    evil.lambda_request_id = Some("a';id;'".into());
    let command = explained(&evil, &[]).fix.command.unwrap();
    assert!(command.ends_with("API_ID/*/*/*/*/ok'"), "{command}");
    assert!(!command.contains("$("), "{command}");
    let thrown = Request { gateway: with_error(502, FUNCTION_ERROR).gateway, ..evil };
    let command = explained(&thrown, &[]).fix.command.unwrap();
    assert_eq!(command, "aws logs tail /aws/lambda/FUNCTION --since 1h");
}

#[test]
fn a_timeout_is_raised_only_where_there_is_room() {
    let of = |after_ms| explained(&request(502), &[LambdaSays::TimedOut { after_ms }]).fix;
    assert!(of(3000).command.is_some_and(|c| c.ends_with("--timeout 28")));
    let none_left = of(29_000);
    assert!(none_left.text.contains("set its timeout to 28 s") && !none_left.text.contains("raise"));
    assert!(none_left.command.is_some_and(|c| c.ends_with("--timeout 28")));
}

#[test]
fn every_cause_has_a_fix_with_the_functions_name_or_the_endpoint() {
    let request = request(502);
    let api = api();
    let subject = subject(&request, &api);
    for kind in CauseKind::ALL {
        let verdict = Verdict::new(*kind, Certainty::Certain);
        let fix = fix::fix(&verdict, &subject, &GatewayWords::default(), Some("checkout-fn"));
        assert!(fix.text.len() > 40, "{kind}: {}", fix.text);
        assert!(!fix.text.contains("  "), "{kind}: {}", fix.text);
    }
}

#[test]
fn an_authorizer_that_ended_well_says_nothing_about_what_was_never_called() {
    let mut request = request(500);
    request.lambda_request_id = None;
    let words = request.gateway.as_mut().unwrap();
    (words.response_type, words.logs_response_type) = (Some("API_CONFIGURATION_ERROR".to_owned()), true);
    words.integration_status = None;
    let mut invocations = Invocations::new(10, Duration::from_mins(1));
    for says in [LambdaSays::Start, LambdaSays::ErrorLine, LambdaSays::Report(Report::default())] {
        let (time, text) = (Timestamp::from_millis(5), "text".into());
        let line = LambdaLine { stream: "s".into(), time, request_id: Some("auth".into()), says, refs: None, text };
        invocations.apply(SourceId(0), line, time);
    }
    let (source, api) = (source(), api());
    let link = Link { id: Some("auth".into()), join: Join::IntegrationRequestId, candidates: 1, authorizer: true };
    let found = invocations.get("auth").map(|invocation| Found { invocation, report: "", source: &source });
    let (e, _) = explain(&Subject { link: Some(&link), found, ..subject(&request, &api) });
    assert_eq!((e.cause.kind, e.cause.certainty), (CauseKind::PermissionDenied, Certainty::Likely));
}

#[test]
fn what_an_extension_did_is_not_what_the_process_said() {
    let fault = LambdaSays::Fault { reason: "extension e: Crash".into(), error_type: Some("Extension.Crash".into()) };
    let report = Report { status: Some(ReportStatus::Error), ..Report::default() };
    let e = explained(&request(502), &[LambdaSays::Start, LambdaSays::LastWords, fault, LambdaSays::Report(report)]);
    assert_eq!(e.cause.kind, CauseKind::ExtensionFailure);
}

#[test]
fn what_began_after_the_answer_is_at_most_likely() {
    let request = Request { lambda_request_id: None, ..request(502) };
    let error = RuntimeError { error_type: Some("KeyError".into()), ..RuntimeError::default() };
    let certainty = |ms: i64| {
        let mut invocations = Invocations::new(10, Duration::from_mins(1));
        for says in [LambdaSays::Start, LambdaSays::Unhandled(error.clone())] {
            let (time, text) = (Timestamp::from_millis(ms), "text".into());
            let line = LambdaLine { stream: "s".into(), time, request_id: Some("w".into()), says, refs: None, text };
            invocations.apply(SourceId(0), line, time);
        }
        let (source, api) = (source(), api());
        let link = Link { id: Some("w".into()), join: Join::ApiRequestIdInLog, candidates: 1, authorizer: false };
        let found = invocations.get("w").map(|invocation| Found { invocation, report: "", source: &source });
        explain(&Subject { link: Some(&link), found, ..subject(&request, &api) }).0.cause.certainty
    };
    assert_eq!(certainty(20), Certainty::Certain);
    assert_eq!(certainty(60_000), Certainty::Likely);
}

#[test]
fn only_the_invocation_that_says_the_same_may_be_quoted() {
    let invocation = |says: LambdaSays| {
        let mut invocations = Invocations::new(10, Duration::from_mins(1));
        let (time, text) = (Timestamp::from_millis(5), "text".into());
        let line = LambdaLine { stream: "s".into(), time, request_id: Some("w".into()), says, refs: None, text };
        invocations.apply(SourceId(0), line, time);
        invocations
    };
    let error = |message: &str| {
        LambdaSays::Unhandled(RuntimeError { message: Some(message.into()), ..RuntimeError::default() })
    };
    let request = with_error(
        500,
        "The Lambda function returned the following error: boom é. Check your Lambda function code and try again.",
    );
    let words = request.gateway.as_deref().unwrap();
    for (says, want) in [
        (error("boom é"), true),
        (error("bang"), false),
        (LambdaSays::TimedOut { after_ms: 400 }, false),
        (LambdaSays::ErrorLine, true),
    ] {
        let invocations = invocation(says.clone());
        assert_eq!(may_have_said(invocations.get("w").unwrap(), words), want, "{says:?}");
    }
}

#[test]
fn what_is_not_explained_says_which_log_is_wanted_where_it_can_be_given() {
    let (request, api) = (request(502), api());
    let link = Link { id: Some("a1".into()), join: Join::IntegrationRequestId, candidates: 1, authorizer: false };
    let of = |lambda_watched, files| {
        let (e, _) = explain(&Subject { link: Some(&link), lambda_watched, files, ..subject(&request, &api) });
        assert_eq!(e.cause.kind, CauseKind::Unknown);
        (e.cause.message.unwrap().to_string(), e.fix.text.clone())
    };
    for (watched, looked, advice) in [(true, "that were given", "--lambda "), (false, "was given", "--lambda FILE")] {
        let (message, fix) = of(watched, true);
        assert!(message.contains(looked) && fix.contains(advice), "{message}; {fix}");
        assert!(!(message.clone() + &fix).contains("group") && !fix.contains("configur"), "{message}; {fix}");
    }
    assert!(of(true, false).1.contains("are all configured"));
    let (message, fix) = of(false, false);
    assert!(message.contains("no Lambda log group is watched"), "{message}");
    assert!(fix.contains("lambda_log_groups") && fix.contains("--lambda-log-group "), "{fix}");
}
