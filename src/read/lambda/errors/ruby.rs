//! Ruby: a sentence, then the error as pretty-printed JSON over the lines below.
//!
//! Its error types name where it happened: `Function<TypeError>`, `Init<LoadError>`. Not its logger. Rule: the types
//! are kept as they are written.

use crate::model::invocation::RuntimeError;

use super::super::members::Members;
use super::super::said::error;
use super::super::site;

/// What stands above the JSON.
const HEADS: &[&str] = &["Error raised from handler method", "Critical exception from handler"];
/// The same for an error at init, with the handler's name behind it.
const INIT: &str = "Init error when loading handler";

/// What follows the runtime's sentence, perhaps nothing yet.
pub(in super::super) fn json(text: &str) -> Option<&str> {
    let (head, below) = text.split_once('\n').unwrap_or((text, ""));
    let is_head = HEADS.contains(&head.trim_end()) || head.strip_prefix(INIT).is_some_and(|rest| rest.len() < 256);
    let below = below.trim();
    (is_head && (below.is_empty() || below.starts_with('{'))).then_some(below)
}

/// The error in the JSON.
pub(in super::super) fn read(json: &str) -> RuntimeError {
    let members = Members::parse(json).unwrap_or_default();
    let frames = members.frames("stackTrace");
    let site = frames.iter().find_map(|frame| site::ruby(frame));
    error(members.text("errorType").as_deref(), members.text("errorMessage").as_deref(), site)
}
