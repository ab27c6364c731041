//! What the gateway itself says: `error.responseType`, `integration.error`, the statuses.
//!
//! Texts and meanings: AWS documentation ("Gateway response types", "Troubleshooting HTTP API Lambda integrations")
//! and access logs of real APIs. Rule: `likely` here means "the function failed, its log knows how"; everything that
//! is `certain` needs no Lambda log.

use super::Verdict;
use crate::model::cause::{CauseKind, Certainty};
use crate::model::request::GatewayWords;

/// Words in `integration.error` or `error.message`, in lower case, and what they mean.
const WORDS: &[(&str, CauseKind)] = &[
    ("malformed lambda proxy response", CauseKind::MalformedResponse),
    ("wrong type for field", CauseKind::MalformedResponse),
    ("invalid permissions on lambda function", CauseKind::PermissionDenied),
    ("doesn't have permissions to call the integration", CauseKind::PermissionDenied),
    ("does not have permission to assume", CauseKind::PermissionDenied),
    ("rate exceeded", CauseKind::Throttled),
    ("due to a timeout error", CauseKind::IntegrationTimeout),
    ("endpoint request timed out", CauseKind::IntegrationTimeout),
    ("authorizer error", CauseKind::AuthorizerFailure),
    ("invalid endpoint address", CauseKind::InvalidIntegration),
    ("invalid method response", CauseKind::InvalidIntegration),
    ("does not match the certificate subject", CauseKind::InvalidIntegration),
    ("network error communicating", CauseKind::BackendUnreachable),
    ("vpc link error", CauseKind::BackendUnreachable),
    ("internal error while executing your request", CauseKind::BackendUnreachable),
];

/// What stands before the function's own error message: REST, HTTP, and the wording of execution logs.
const FUNCTION_ERROR: &[&str] = &[
    "Lambda Customer Function Error:",
    "The Lambda function returned the following error:",
    "The Lambda function returned an unhandled error:",
    "due to customer function error:",
];

/// What HTTP APIs put behind it.
const FUNCTION_ERROR_END: &str = "Check your Lambda function code and try again.";

/// The gateway's verdict, if its words name one.
pub(super) fn verdict(words: &GatewayWords) -> Option<Verdict> {
    let certain = |kind| Verdict::new(kind, Certainty::Certain);
    if words.response_type.is_none() && words.function_status.is_some_and(|s| (500..=599).contains(&s)) {
        let status = words.function_status.unwrap_or_default();
        return Some(certain(CauseKind::ApplicationError).message(format!("the function itself answered {status}")));
    }
    if let Some(text) = &words.waf_error {
        return Some(certain(CauseKind::WafFailure).message(text.as_str()));
    }
    if let Some(error) = words.integration_error.as_deref().and_then(function_error) {
        return Some(function_failed(error));
    }
    let texts = [&words.integration_error, &words.error_message];
    for text in texts.into_iter().flatten() {
        let lower = text.to_ascii_lowercase();
        if let Some((_, kind)) = WORDS.iter().find(|(word, _)| lower.contains(word)) {
            return Some(certain(*kind).message(text.as_str()));
        }
    }
    if words.integration_status == Some(429) {
        return Some(certain(CauseKind::Throttled).message("Lambda answered the gateway with 429"));
    }
    by_type(words)
}

fn by_type(words: &GatewayWords) -> Option<Verdict> {
    let response_type = words.response_type.as_deref()?;
    let kind = match response_type {
        "INTEGRATION_TIMEOUT" => CauseKind::IntegrationTimeout,
        "INTEGRATION_NETWORK_FAILURE" => CauseKind::BackendUnreachable,
        "AUTHORIZER_FAILURE" | "AUTHORIZER_CONFIGURATION_ERROR" => {
            let said = words.authorizer_error.as_deref().unwrap_or(response_type);
            return Some(Verdict::new(CauseKind::AuthorizerFailure, Certainty::Certain).message(said));
        }
        _ => return None,
    };
    Some(Verdict::new(kind, Certainty::Certain).message(response_type))
}

/// The function's own message inside the gateway's sentence.
fn function_error(text: &str) -> Option<&str> {
    let at = FUNCTION_ERROR.iter().find_map(|words| text.find(words).map(|at| at + words.len()))?;
    let said = text[at..].trim();
    Some(said.strip_suffix(FUNCTION_ERROR_END).map_or(said, |s| s.trim_end().trim_end_matches('.')))
}

/// The function ran and failed. The message tells some kinds apart; the function's log is the better witness.
fn function_failed(said: &str) -> Verdict {
    if let Some(at) = said.find("Task timed out after") {
        // A time and an ID stand before it.
        return Verdict::new(CauseKind::LambdaTimeout, Certainty::Likely).message(said[at..].trim_end());
    }
    let kind = if said.contains("Response payload size exceeded") {
        CauseKind::ResponseTooLarge
    } else if said.contains("Runtime exited") || said.contains("Process exited before completing request") {
        CauseKind::ProcessExit
    } else {
        CauseKind::UnhandledException
    };
    Verdict::new(kind, Certainty::Likely).message(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: &str) -> Option<(CauseKind, Certainty, String)> {
        let words = GatewayWords { integration_error: Some(error.to_owned()), ..GatewayWords::default() };
        verdict(&words).map(|v| (v.kind, v.certainty, v.message.unwrap_or_default().to_string()))
    }

    #[test]
    fn the_functions_own_message_is_taken_out_of_the_sentence() {
        let (kind, certainty, message) = of("Lambda Customer Function Error:name 'x' is not defined").unwrap();
        assert_eq!((kind, certainty), (CauseKind::UnhandledException, Certainty::Likely));
        assert_eq!(message, "name 'x' is not defined");
        let http = "The Lambda function returned the following error: RequestId: 01fe3839 Error: Task timed out after \
                    5.00 seconds. Check your Lambda function code and try again.";
        let (kind, _, message) = of(http).unwrap();
        assert_eq!(kind, CauseKind::LambdaTimeout);
        assert!(message.ends_with("5.00 seconds"), "{message}");
    }

    #[test]
    fn causes_that_need_no_lambda_log() {
        let cases = [
            (
                "Execution failed due to configuration error: Malformed Lambda proxy response",
                CauseKind::MalformedResponse,
            ),
            (
                "Execution failed due to configuration error: Invalid permissions on Lambda function",
                CauseKind::PermissionDenied,
            ),
            ("Execution failed due to configuration error: Rate Exceeded.", CauseKind::Throttled),
            ("Execution failed due to a timeout error", CauseKind::IntegrationTimeout),
            (
                "Execution failed due to a network error communicating with endpoint: Connection reset by peer",
                CauseKind::BackendUnreachable,
            ),
        ];
        for (text, kind) in cases {
            let (got, certainty, _) = of(text).expect(text);
            assert_eq!((got, certainty), (kind, Certainty::Certain), "{text}");
        }
        assert_eq!(of("something nobody has seen"), None);
    }

    #[test]
    fn a_status_of_the_functions_own_is_not_the_gateways_doing() {
        let words =
            GatewayWords { function_status: Some(503), integration_status: Some(200), ..GatewayWords::default() };
        assert_eq!(verdict(&words).map(|v| v.kind), Some(CauseKind::ApplicationError));
        let gateway = GatewayWords { response_type: Some("INTEGRATION_TIMEOUT".into()), ..words };
        assert_eq!(verdict(&gateway).map(|v| v.kind), Some(CauseKind::IntegrationTimeout));
    }
}
