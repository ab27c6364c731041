//! What rules ask of a failed request beyond its cause: did the gateway stop waiting, did a function run.
//!
//! Not an explanation. Rule: a function ran where anything says so; that nothing says so is not yet proof that none
//! did, and whether it is one is decided by who knows what is read.

use std::time::Duration;

use super::Subject;
use crate::engine::tally::Marks;
use crate::model::cause::{CauseKind, Explanation};
use crate::model::request::GatewayWords;

/// The gateway's clock and its timeout agree to this.
const TIMEOUT_SLACK: Duration = Duration::from_millis(100);

/// What the gateway says of functions that it cannot call, in lower case: REST APIs, the ARN's own check, HTTP APIs.
const OF_FUNCTIONS: &[&str] = &["lambda function", "function arn", "permissions to call the integration"];

/// Marks a failure that is explained like this.
pub(super) fn marks(subject: &Subject<'_>, words: &GatewayWords, explanation: &Explanation) -> Marks {
    let kind = explanation.cause.kind;
    let took = subject.request.response_latency_ms.map(|ms| Duration::from_millis(u64::from(ms)));
    let waited = took.is_some_and(|took| took + TIMEOUT_SLACK >= subject.api.integration_timeout);
    // A link without an ID: several came into question, so one of them ran.
    let seen = subject.link.is_some_and(|link| {
        !link.authorizer && (link.id.is_none() || subject.found.is_some_and(|f| f.invocation.is_seen()))
    });
    // Where a function cannot be called for want of a permission or of itself, this is empty, 403 or 404. A status of
    // 5xx is that of a backend that is no function, or of Lambda's own trouble.
    let answered = matches!(words.integration_status, Some(200 | 500..=599));
    let said = answered || words.function_status.is_some();
    let invoked = seen || said || implies_a_run(kind);
    let was_refused = matches!(kind, CauseKind::PermissionDenied | CauseKind::InvalidIntegration);
    Marks {
        timed_out: waited || kind == CauseKind::IntegrationTimeout,
        invoked,
        refused: !invoked && was_refused && is_of_a_function(subject, words),
    }
}

/// Whether either log says that the endpoint calls a function: others call an HTTP backend, or nothing at all.
fn is_of_a_function(subject: &Subject<'_>, words: &GatewayWords) -> bool {
    let says = |text: &String| {
        let text = text.to_ascii_lowercase();
        OF_FUNCTIONS.iter().any(|said| text.contains(said))
    };
    let texts = [&words.integration_error, &words.error_message];
    // What backends answer goes to the client; a refusal that became a 5xx is that of a service of AWS.
    matches!(words.integration_status, Some(403 | 404))
        || texts.into_iter().flatten().any(says)
        || subject.execution.is_some_and(|(execution, _)| execution.function.is_some())
}

/// Whether this cause has a function run, or is not about one.
const fn implies_a_run(kind: CauseKind) -> bool {
    match kind {
        CauseKind::MalformedResponse
        | CauseKind::UnhandledException
        | CauseKind::UnserializableResponse
        | CauseKind::LambdaTimeout
        | CauseKind::IntegrationTimeout
        | CauseKind::OutOfMemory
        | CauseKind::ProcessExit
        | CauseKind::InitFailure
        | CauseKind::ResponseTooLarge
        | CauseKind::ExtensionFailure
        | CauseKind::BackendUnreachable
        | CauseKind::AuthorizerFailure
        | CauseKind::WafFailure
        | CauseKind::ApplicationError => true,
        CauseKind::PlatformFailure
        | CauseKind::Throttled
        | CauseKind::PermissionDenied
        | CauseKind::InvalidIntegration
        | CauseKind::Unknown => false,
    }
}
