//! What to do about a cause, with this case's own names and numbers.
//!
//! Rule: a fix says what to change and, where one exists, the command that changes or shows it; names that are not
//! known stand in angle brackets or capitals, never invented.

use super::{Subject, Verdict};
use crate::model::cause::{CauseKind, Fix};
use crate::model::inventory::ApiKind;
use crate::model::request::{Endpoint, GatewayWords};

/// The fix for a verdict.
pub(super) fn fix(verdict: &Verdict, subject: &Subject<'_>, words: &GatewayWords, function: Option<&str>) -> Fix {
    let name = function.unwrap_or("the function");
    // A name may come from a log: it goes into a command only if it is a plain word.
    let plain = |f: &&str| f.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.'));
    let arg = function.filter(plain).unwrap_or("FUNCTION");
    let endpoint: &Endpoint = subject.endpoint;
    let place = verdict.site.as_ref().map_or_else(String::new, |site| format!(" at {site}"));
    let timeout_s = subject.api.integration_timeout.as_secs();
    let (text, command): (String, Option<String>) = match verdict.kind {
        CauseKind::MalformedResponse => (
            format!(
                "Let {name} answer {endpoint} through one helper that always returns a numeric statusCode and a body \
                 that is a string (JSON.stringify objects), and no other keys than the proxy contract knows. The \
                 console's method test shows what the gateway receives."
            ),
            None,
        ),
        CauseKind::UnserializableResponse => (
            format!("Return only plain data from {name}: serialise the body to a string yourself before returning it."),
            None,
        ),
        CauseKind::UnhandledException => {
            let what = verdict.error_type.as_deref().unwrap_or("the exception");
            (
                format!(
                    "Handle {what}{place} in {name}: check the input at the top of the handler and answer 400 for what \
                     is wrong, and wrap the handler so that any other error is logged and answered with a proper 500."
                ),
                Some(lines_of(subject, function)),
            )
        }
        CauseKind::InitFailure => (
            format!(
                "{name} could not be started{place}: compare the deployed package with what the handler imports (path, \
                 architecture, layers, environment variables), or roll the deploy back."
            ),
            Some(format!(
                "aws lambda get-function-configuration --function-name {arg} --query '[Handler,Runtime,LastModified,Layers]'"
            )),
        ),
        CauseKind::LambdaTimeout => lambda_timeout(verdict.function_timeout_ms, timeout_s, name, arg),
        CauseKind::IntegrationTimeout => (
            format!(
                "{endpoint} took longer than the gateway waits ({timeout_s} s). Set the timeout of {name} to {} s so that \
                 it ends first and can say why; move work that needs longer behind a queue and answer 202.",
                timeout_s.saturating_sub(1)
            ),
            Some(format!("aws lambda get-function-configuration --function-name {arg} --query Timeout")),
        ),
        CauseKind::OutOfMemory => (
            format!(
                "Give {name} more memory ({}), or load less at once.",
                verdict.message.as_deref().unwrap_or("it ran out")
            ),
            Some(format!("aws lambda update-function-configuration --function-name {arg} --memory-size MB")),
        ),
        CauseKind::ProcessExit => (
            format!(
                "The process of {name} ended in the middle of a request: look for exit calls, native crashes and \
                 unhandled promise rejections in the lines before it."
            ),
            Some(lines_of(subject, function)),
        ),
        CauseKind::ResponseTooLarge => (
            format!(
                "The answer of {name} exceeds Lambda's limit of 6,291,556 bytes: page it, compress it, or put it into S3 \
                 and answer with a presigned URL."
            ),
            None,
        ),
        CauseKind::ExtensionFailure => (
            format!("An extension of {name} failed: update or remove the layer that brings it."),
            Some(format!("aws lambda get-function-configuration --function-name {arg} --query Layers")),
        ),
        CauseKind::PlatformFailure => (
            "The Lambda platform failed, not the code: retry where the request allows it, and look at the AWS Health \
             Dashboard if it goes on."
                .to_owned(),
            None,
        ),
        CauseKind::Throttled => (
            format!(
                "Lambda refused to run {name}: raise its reserved concurrency or the account's limit, or slow the \
                 callers down."
            ),
            Some(format!("aws lambda get-function-concurrency --function-name {arg}")),
        ),
        CauseKind::PermissionDenied => (
            format!("API Gateway may not invoke {name} for {endpoint}: add the permission for this API."),
            Some(add_permission(subject, words, arg)),
        ),
        CauseKind::InvalidIntegration => (
            format!(
                "The integration of {endpoint} is set up wrongly: compare its URI with the function or backend that exists."
            ),
            None,
        ),
        CauseKind::BackendUnreachable => (
            format!(
                "The gateway could not reach the backend of {endpoint}: check the VPC link, the target's health, its \
                 security groups and its certificate."
            ),
            None,
        ),
        CauseKind::AuthorizerFailure => (
            "The authorizer could not be called or answered in a wrong shape: look at its own log and at the \
             permission to invoke it."
                .to_owned(),
            None,
        ),
        CauseKind::WafFailure => (
            "The web ACL could not be asked: check its association with the stage and the AWS Health Dashboard."
                .to_owned(),
            None,
        ),
        CauseKind::ApplicationError => (
            format!(
                "{name} answered {} itself: this is the application's own error; its log says why.",
                subject.request.status
            ),
            Some(lines_of(subject, function)),
        ),
        CauseKind::Unknown => unknown(subject, words),
    };
    Fix { text, command }
}

/// The command that shows the lines of this invocation; IDs and names go into it only if they are plain words.
fn lines_of(subject: &Subject<'_>, function: Option<&str>) -> String {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.'));
    // In a replay the source is a file; a group is named by its function, or begins like one.
    let live =
        subject.found.map(|f| f.source).filter(|s| (s.function.is_some() || s.region.is_some()) && plain(&s.name));
    let by_name = function.filter(|f| plain(f)).map(|f| format!("/aws/lambda/{f}"));
    let group = live.map(|s| s.name.to_string()).or(by_name).unwrap_or_else(|| "/aws/lambda/FUNCTION".to_owned());
    match subject.lambda_id().filter(|id| plain(id)) {
        Some(id) => format!("aws logs tail {group} --since 1h --filter-pattern '\"{id}\"'"),
        None => format!("aws logs tail {group} --since 1h"),
    }
}

/// The function's own timeout: raise it where there is room below the gateway's, else lower it to just under that.
fn lambda_timeout(own_ms: Option<u32>, gateway_s: u64, name: &str, arg: &str) -> (String, Option<String>) {
    let most = gateway_s.saturating_sub(1);
    let room = own_ms.is_none_or(|ms| u64::from(ms) < most * 1000);
    let find = format!(
        "{name} ran into its own timeout. Find what it waits for (an outgoing call without a timeout, a cold dependency)"
    );
    let command =
        (most >= 2).then(|| format!("aws lambda update-function-configuration --function-name {arg} --timeout {most}"));
    if !room {
        let text = format!(
            "{find}, answer 202 and do longer work from a queue, and set its timeout to {most} s, just under the gateway's \
             {gateway_s} s: the function then ends first and can say why."
        );
        return (text, command);
    }
    let text = format!(
        "{find}; if the work is legitimate, raise its timeout to at most {most} s, just under the gateway's {gateway_s} s, \
         or answer 202 and do the work from a queue."
    );
    (text, command)
}

/// The permission for this endpoint. What is no plain path becomes `*`, which also keeps a shell from reading it.
fn add_permission(subject: &Subject<'_>, words: &GatewayWords, arg: &str) -> String {
    let endpoint: &Endpoint = subject.endpoint;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let method = if endpoint.method.chars().all(|c| c.is_ascii_uppercase()) && &*endpoint.method != "ANY" {
        &*endpoint.method
    } else {
        "*"
    };
    let part = |segment: &str| if segment.chars().all(plain) { segment.to_owned() } else { "*".to_owned() };
    let path = match endpoint.route.strip_prefix('/') {
        Some(path) => path.split('/').map(part).collect::<Vec<_>>().join("/"),
        None => "*".to_owned(),
    };
    let id: String =
        format!("{method}-{path}").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let word = |text: Option<&str>, otherwise: &str| {
        text.filter(|t| !t.is_empty() && t.chars().all(plain)).unwrap_or(otherwise).to_owned()
    };
    let region = word(subject.region, "REGION");
    let account = word(words.account_id.as_deref(), "ACCOUNT");
    let api = word(words.api_id.as_deref(), "API_ID");
    format!(
        "aws lambda add-permission --function-name {arg} --statement-id apigateway-{id} --action lambda:InvokeFunction \
         --principal apigateway.amazonaws.com --source-arn 'arn:aws:execute-api:{region}:{account}:{api}/*/{method}/{path}'"
    )
}

fn unknown(subject: &Subject<'_>, words: &GatewayWords) -> (String, Option<String>) {
    if subject.lambda_id().is_some() || words.logs_lambda_request_id {
        let text = match (subject.lambda_watched, subject.files) {
            (true, true) => {
                "Check that the files given with --lambda hold the logs of all functions of this API, of this time; log \
                 requestContext.requestId in the function."
            }
            (false, true) => {
                "Give the logs of the functions behind this API as well, with --lambda FILE: what failed is told there."
            }
            (true, false) => {
                "Check that the Lambda log groups of this API are all configured and that the function may write to \
                 its log; log requestContext.requestId in the function."
            }
            (false, false) => {
                "Name the log groups of the functions behind this API as well (lambda_log_groups in the configuration, \
                 --lambda-log-group with --follow): what failed is told there."
            }
        };
        return (text.to_owned(), None);
    }
    let plain =
        |t: &&str| !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$'));
    let api = words.api_id.as_deref().filter(plain).unwrap_or("API_ID");
    let stage = words.stage.as_deref().filter(plain).unwrap_or("STAGE");
    let command = if matches!(subject.kind(), ApiKind::Http | ApiKind::WebSocket) {
        format!(
            "aws apigatewayv2 update-stage --api-id {api} --stage-name '{stage}' --access-log-settings file://access-log.json"
        )
    } else {
        format!(
            "aws apigateway update-stage --rest-api-id {api} --stage-name '{stage}' --patch-operations file://access-log.json"
        )
    };
    let text = "Let the stage's access log (/accessLogSettings/format) carry $context.integration.requestId, \
                $context.integration.error and $context.error.responseType: without them a failure cannot be \
                explained. The whole access-log.json stands in gatewatch's README, under \"The access log it needs\"; \
                `gatewatch check` prints the command with all of it filled in.";
    (text.to_owned(), Some(command))
}
