//! What a request is known by, and what of its explanation is kept as a sample.
//!
//! Not a join and not a verdict. Rule: no text here is longer than what people read.

use std::sync::Arc;

use crate::engine::correlate::Link;
use crate::model::alert::CauseSample;
use crate::model::cause::Explanation;
use crate::model::request::Request;
use crate::model::text::cut;

/// Longest message in the sample of a cause, in bytes.
const SAMPLE_MAX: usize = 500;

/// What others may know a request by.
pub(super) fn keys(request: &Request) -> impl Iterator<Item = &str> {
    let words = request.gateway.as_deref();
    let extended = words.and_then(|w| w.extended_request_id.as_deref());
    let trace = words.and_then(|w| w.trace_id.as_deref()).map(root);
    request.request_id.as_deref().into_iter().chain(extended).chain(trace)
}

/// The root of an X-Ray trace header: `Root=1-..;Parent=..` or the ID alone.
pub(super) fn root(trace: &str) -> &str {
    let root = trace.split(';').find_map(|part| part.trim().strip_prefix("Root="));
    root.unwrap_or(trace).trim()
}

pub(super) fn sample(explanation: &Explanation, request: &Request, link: Option<&Link>) -> CauseSample {
    CauseSample {
        error_type: explanation.cause.error_type.clone(),
        message: explanation.cause.message.as_deref().map(|m| cut(m, SAMPLE_MAX).into()),
        function: explanation.function.clone(),
        site: explanation.site.clone(),
        request_id: request.request_id.as_deref().map(Arc::from),
        lambda_request_id: link
            .and_then(|l| l.id.clone())
            .or_else(|| request.lambda_request_id.as_deref().map(Arc::from)),
        fix: Some(Arc::new(explanation.fix.clone())),
    }
}
