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
    ("base64 decode", CauseKind::MalformedResponse),
    ("base64-decode", CauseKind::MalformedResponse),
    ("lambda invocation failed with status: 429", CauseKind::Throttled),
    ("invalid permissions on lambda function", CauseKind::PermissionDenied),
    ("doesn't have permissions to call the integration", CauseKind::PermissionDenied),
    ("does not have permission to assume", CauseKind::PermissionDenied),
    ("rate exceeded", CauseKind::Throttled),
    ("due to a timeout error", CauseKind::IntegrationTimeout),
    ("endpoint request timed out", CauseKind::IntegrationTimeout),
    ("authorizer error", CauseKind::AuthorizerFailure),
    ("authorizerconfigurationexception", CauseKind::AuthorizerFailure),
    ("resources for the function are being restored", CauseKind::PlatformFailure),
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

/// The invocation's ID, where the gateway quotes Lambda's own sentence: `RequestId: <id> Error: ..` or
/// `<time> <id> Task timed out after ..`.
#[must_use]
pub fn id_in_message(words: &GatewayWords) -> Option<&str> {
    let texts = [&words.integration_error, &words.error_message];
    texts.into_iter().flatten().find_map(|text| {
        if let Some(said) = function_error(text) {
            if let Some((id, _)) = lambdas_own(said) {
                return Some(id);
            }
        } else if let Some((_, rest)) = text.split_once("RequestId: ") {
            return rest.split_ascii_whitespace().next().filter(|id| is_uuid(id));
        }
        let (_, id) = text.rsplit_once("Lambda request id: ")?;
        let id = id.split([' ', ';', '\t', '\n']).next()?.trim_end_matches(['.', ',']);
        is_uuid(id).then_some(id)
    })
}

/// Lambda's IDs are UUIDs.
fn is_uuid(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// A sentence that Lambda itself wrote in the function's place: the ID of the invocation, and what stands behind it. A
/// function may quote such a sentence of another function further on in a message of its own.
fn lambdas_own(said: &str) -> Option<(&str, &str)> {
    let rest = match said.strip_prefix("RequestId: ") {
        Some(rest) => rest,
        // `<time> <id> Task timed out after ..`
        None => said.split_once(' ').filter(|(_, rest)| rest.contains(" Task timed out after "))?.1,
    };
    rest.split_once(' ').filter(|(id, _)| is_uuid(id))
}

/// The gateway's verdict, if its words name one.
pub(super) fn verdict(words: &GatewayWords) -> Option<Verdict> {
    let certain = |kind| Verdict::new(kind, Certainty::Certain);
    if let Some(text) = &words.waf_error {
        return Some(certain(CauseKind::WafFailure).message(text.as_str()));
    }
    if let Some(verdict) = words.integration_error.as_deref().and_then(by_function_error) {
        return Some(verdict);
    }
    if words.response_type.as_deref().is_some_and(|t| t.starts_with("AUTHORIZER_")) {
        return by_type(words);
    }
    let texts = [&words.integration_error, &words.error_message];
    for text in texts.into_iter().flatten() {
        let lower = text.to_ascii_lowercase();
        if let Some((_, kind)) = WORDS.iter().find(|(word, _)| lower.contains(word)) {
            return Some(certain(*kind).message(text.as_str()));
        }
    }
    by_type(words).or_else(|| by_status(words))
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

/// What the Lambda service and the function answered.
fn by_status(words: &GatewayWords) -> Option<Verdict> {
    let is_5xx = |s: &u16| (500..=599).contains(s);
    let certain = |kind, message: String| Some(Verdict::new(kind, Certainty::Certain).message(message));
    if words.response_type.is_none()
        && let Some(status) = words.function_status.filter(is_5xx)
    {
        return certain(CauseKind::ApplicationError, format!("the function itself answered {status}"));
    }
    match words.integration_status {
        Some(429) => certain(CauseKind::Throttled, "Lambda answered the gateway with 429".to_owned()),
        Some(403) => {
            let said = "Lambda answered the gateway with 403";
            Some(Verdict::new(CauseKind::PermissionDenied, Certainty::Likely).message(said))
        }
        Some(404) => {
            let said = "Lambda answered the gateway with 404: no such function, version or alias";
            Some(Verdict::new(CauseKind::InvalidIntegration, Certainty::Likely).message(said))
        }
        Some(status) if is_5xx(&status) && words.response_type.is_some() => {
            let said = format!("the Lambda service answered the gateway with {status}");
            Some(Verdict::new(CauseKind::PlatformFailure, Certainty::Likely).message(said))
        }
        _ => {
            // An authorizer that cannot be asked leaves nothing but its own error.
            let said = words.authorizer_error.as_deref().filter(|_| words.integration_status.is_none())?;
            Some(Verdict::new(CauseKind::AuthorizerFailure, Certainty::Likely).message(said))
        }
    }
}

/// The function ran and failed, and the gateway quotes what it answered.
fn by_function_error(text: &str) -> Option<Verdict> {
    let said = function_error(text)?;
    // Execution logs say so outright, with the invocation's ID; access logs quote the message alone.
    let outright = text.contains("due to customer function error:");
    let certainty = if outright { Certainty::Certain } else { Certainty::Likely };
    Some(Verdict { quoted: true, ..function_failed(said, certainty) })
}

/// The function's own message inside the gateway's sentence.
pub(super) fn function_error(text: &str) -> Option<&str> {
    let at = FUNCTION_ERROR.iter().find_map(|words| text.find(words).map(|at| at + words.len()))?;
    let said = text[at..].trim();
    let said = said.rsplit_once(". Lambda request id: ").map_or(said, |(said, _)| said);
    Some(said.strip_suffix(FUNCTION_ERROR_END).map_or(said, |s| s.trim_end().trim_end_matches('.')))
}

/// Words in a function's message that tell more than "it failed".
const MESSAGES: &[(&str, CauseKind)] = &[
    ("Exceeded maximum allowed payload size", CauseKind::ResponseTooLarge),
    ("Unable to import module", CauseKind::InitFailure),
    ("Cannot find module", CauseKind::InitFailure),
    ("missing on module", CauseKind::InitFailure),
    ("is undefined or not exported", CauseKind::InitFailure),
    ("Syntax error in module", CauseKind::InitFailure),
    ("Bad handler", CauseKind::InitFailure),
    ("fork/exec ", CauseKind::InitFailure),
    ("Couldn't find valid bootstrap", CauseKind::InitFailure),
    ("Error loading class", CauseKind::InitFailure),
    ("Unable to marshal response", CauseKind::UnserializableResponse),
    ("Unable to stringify response body", CauseKind::UnserializableResponse),
    ("Runtime exited", CauseKind::ProcessExit),
    ("Process exited before completing request", CauseKind::ProcessExit),
];

/// Those of them that stand behind the name of a handler.
const BEHIND_A_NAME: &[&str] = &["missing on module", "is undefined or not exported"];

/// The message tells some kinds apart; the function's log is the better witness.
fn function_failed(said: &str, certainty: Certainty) -> Verdict {
    if let Some(at) = said.find("Task timed out after") {
        // A time and an ID stand before it, or the function quotes what another said.
        let rest = said[..at].trim_end();
        let words = rest.strip_suffix("Error:").unwrap_or(rest).split_ascii_whitespace().count();
        if words <= 2 {
            return Verdict::new(CauseKind::LambdaTimeout, certainty).message(said[at..].trim_end());
        }
    }
    if said.starts_with("Response payload size exceeded maximum allowed payload size (") {
        // Lambda's own sentence, and the function has no say in it.
        return Verdict::new(CauseKind::ResponseTooLarge, Certainty::Certain).message(said);
    }
    // A kill may have been for lack of memory: the report knows.
    let certainty = if said.contains("signal: killed") { Certainty::Likely } else { certainty };
    let Some((words, kind)) = MESSAGES.iter().find(|(words, _)| said.contains(words)) else {
        return Verdict::new(CauseKind::UnhandledException, certainty).message(said);
    };
    // In the middle of a message these may be anybody's words, unless a name always stands before them.
    let own = lambdas_own(said).is_some() || said.starts_with(words) || BEHIND_A_NAME.contains(words);
    Verdict::new(*kind, if own { certainty } else { Certainty::Likely }).message(said)
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
    fn what_a_function_quotes_of_another_is_its_own_message() {
        let (own, other) = ("01fe3839-0000-4000-8000-000000000001", "01fe3839-0000-4000-8000-000000000002");
        let id = |text: String| {
            let words = GatewayWords { integration_error: Some(text), ..GatewayWords::default() };
            id_in_message(&words).map(str::to_owned)
        };
        let quoted = format!("child failed: RequestId: {other} Error: Task timed out after 3.00 seconds");
        let s3 = "Lambda execution failed with status 200 due to customer function error: S3 said: Exceeded maximum \
                  allowed payload size. Lambda request id: x";
        assert_eq!(of(s3).unwrap().1, Certainty::Likely);
        assert_eq!(id(format!("Lambda Customer Function Error:{quoted}")), None);
        assert_eq!(of(&format!("Lambda Customer Function Error:{quoted}")).unwrap().0, CauseKind::UnhandledException);
        let by_log = "Lambda execution failed with status 200 due to customer function error: ";
        assert_eq!(id(format!("{by_log}{quoted}. Lambda request id: {own}; more")).as_deref(), Some(own));
        for said in [
            format!("RequestId: {own} Error: Runtime exited"),
            format!("RequestId: {own} Process exited before completing request"),
            format!("2026-07-28T09:45:44.443Z {own} Task timed out after 10.00 seconds"),
        ] {
            assert_eq!(id(format!("{by_log}{said}")).as_deref(), Some(own), "{said}");
        }
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
