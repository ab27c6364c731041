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
    // A container image writes the sentence and the brace on one line.
    let (head, below) = match HEADS.iter().find_map(|head| text.strip_prefix(head).map(|rest| (*head, rest))) {
        Some((head, rest)) if rest.trim_start().starts_with('{') => (head, rest),
        _ => text.split_once('\n').unwrap_or((text, "")),
    };
    let is_head = HEADS.contains(&head.trim_end()) || head.strip_prefix(INIT).is_some_and(|rest| rest.len() < 256);
    let below = below.trim();
    (is_head && (below.is_empty() || below.starts_with('{'))).then_some(below)
}

/// The error in the JSON.
pub(in super::super) fn read(json: &str) -> RuntimeError {
    of_members(&Members::parse(json).unwrap_or_default())
}

/// It is the runtime's object without its sentence: the type has a shape that only this runtime writes.
pub(in super::super) fn is_own(members: &Members<'_>) -> bool {
    let is_type = |t: &str| ["Function<", "Init<", "Runtime<"].iter().any(|p| t.starts_with(p)) && t.ends_with('>');
    members.text("errorType").is_some_and(|t| is_type(&t))
        && members.iter().all(|(key, _)| matches!(key, "errorMessage" | "errorType" | "stackTrace"))
}

pub(in super::super) fn of_members(members: &Members<'_>) -> RuntimeError {
    let frames = members.frames("stackTrace");
    let site = frames.iter().find_map(|frame| site::ruby(frame));
    error(members.text("errorType").as_deref(), members.text("errorMessage").as_deref(), site)
}
