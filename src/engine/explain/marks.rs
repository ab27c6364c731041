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
    Marks { timed_out: waited || kind == CauseKind::IntegrationTimeout, invoked: seen || said || implies_a_run(kind) }
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
