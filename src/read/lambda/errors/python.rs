//! Python: `[ERROR] KeyError: 'items'` with a traceback, and the words of its native HTTP client.
//!
//! With a tab after the bracket it is a logger's line, which is no verdict. Rule: the traceback's first line makes it
//! the runtime's, because any function may print `[ERROR] something`.

use crate::model::invocation::RuntimeError;

use super::super::members::Members;
use super::super::said::{error, is_stamp};
use super::super::site;
use super::TOO_LARGE;

pub(in super::super) const TRACEBACK: &str = "Traceback (most recent call last)";

/// The first line of an error, whose traceback may follow in the next event.
pub(in super::super) fn is_head(text: &str) -> bool {
    head(text).is_some()
}

/// Type, and what stands behind it: the message, which may go over several lines.
fn head(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("[ERROR] ")?;
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
    let (error_type, after) = rest.split_at(end);
    let ends = after.is_empty() || after.starts_with(": ") || after.starts_with('\n') || after.trim() == ":";
    (!error_type.is_empty() && !error_type.starts_with(|c: char| c.is_ascii_digit()) && ends && !is_stamp(rest))
        .then_some((error_type, after))
}

/// The whole error.
pub(in super::super) fn read(text: &str) -> Option<RuntimeError> {
    let (error_type, after) = head(text)?;
    // The message may hold anything: the traceback begins a line.
    let at = after.find("\nTraceback (most recent call last)")?;
    let message = Some(after[..at].trim_start_matches(':').trim()).filter(|m| !m.is_empty());
    let site = after[at..].lines().filter_map(site::python).next_back();
    Some(error(Some(error_type), message, site))
}

/// `[ERROR] [1785231944466] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413.` of the
/// clients of Python, Node.js and Java: the response was too large. What else that client says is no verdict.
pub(in super::super) fn too_large(text: &str) -> Option<RuntimeError> {
    let rest = text.strip_prefix("[ERROR] [")?;
    let (epoch, rest) = rest.split_once("] ")?;
    let rest = rest.strip_prefix("LAMBDA_RUNTIME ")?;
    let is_413 =
        rest.starts_with("Failed to post handler success response") && rest.contains("Http response code: 413");
    if !(epoch.bytes().all(|b| b.is_ascii_digit()) && (is_413 || rest.contains(TOO_LARGE))) {
        return None;
    }
    let body = rest.find('{').and_then(|at| Members::parse_first(&rest[at..]));
    let message = body.and_then(|(members, _)| members.text("errorMessage"));
    Some(error(Some(TOO_LARGE), message.as_deref(), None))
}

/// The error in JSON format: it has a type and a stack or a message of its own, and nothing that a logger adds.
pub(in super::super) fn of_members(members: &Members<'_>) -> Option<RuntimeError> {
    let error_type = members.text("errorType")?;
    let message = members.text("errorMessage");
    let logged = ["message", "logger", "location"].iter().any(|key| members.get(key).is_some());
    let stamped =
        members.get("timestamp").is_some() && (members.get("log_level").is_some() || members.get("level").is_some());
    if logged || !(stamped || error_type == TOO_LARGE) || (message.is_none() && members.get("stackTrace").is_none()) {
        return None;
    }
    let frames = members.frames("stackTrace");
    let site = frames.iter().flat_map(|f| f.lines()).filter_map(site::python).next_back();
    Some(error(Some(&error_type), message.as_deref(), site))
}
