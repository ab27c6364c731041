//! Rust: `ERROR Lambda runtime invoke{requestId="..." xrayTraceId="..."}: ..` and panics.
//!
//! All lines inside an invocation carry that span, those of the function too, so an error there is "perhaps". A panic
//! says what and where on stderr first, and the runtime tells of it afterwards. Rule: only the runtime's own two
//! sentences make it certain.

use std::borrow::Cow;

use crate::model::invocation::{LambdaSays, RuntimeError};

use super::super::said::{Said, error, is_stamp, real_id, trace_root};
use super::super::site;

/// What an error of this kind is called; the message is only on stderr.
pub(in super::super) const PANIC: &str = "panic";
const PANICKED: &str = "user handler panicked";
const UNREADABLE: &str = "Request payload deserialization into LambdaEvent<T> failed";
pub(in super::super) const SPAN: &str = "Lambda runtime invoke";

/// A line of `tracing` inside an invocation.
pub(in super::super) fn read(text: &str) -> Option<Said<'_>> {
    let rest = if is_stamp(text) { text.split_once(' ')?.1 } else { text };
    let rest = rest.trim_start();
    let end = rest.find(' ').filter(|end| (4..=5).contains(end))?;
    let level = &rest[..end];
    if !matches!(level, "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE") {
        return None;
    }
    let rest = rest[end..].trim_start().strip_prefix(SPAN)?.strip_prefix('{')?;
    let (fields, behind) = rest.split_once('}')?;
    let value = |label: &str| {
        let rest = fields.split_once(label)?.1;
        let rest = rest.strip_prefix('=')?;
        rest.strip_prefix('"').map_or_else(|| rest.split(' ').next(), |quoted| quoted.split('"').next())
    };
    let id = value("requestId").and_then(real_id);
    // `: message`; with another span behind it is the function's own.
    let message = behind.strip_prefix(": ");
    let says = match message {
        Some(message) if level == "ERROR" => {
            let message = message.strip_prefix("lambda_runtime: ").unwrap_or(message);
            says(message.trim_matches('"'))
        }
        _ if level == "ERROR" => LambdaSays::ErrorLine,
        _ => LambdaSays::Line,
    };
    let mut said = Said::new(says).of(id);
    said.trace = value("xrayTraceId").and_then(trace_root);
    Some(said)
}

/// What an error inside the runtime's span says.
pub(in super::super) fn says(message: &str) -> LambdaSays {
    if message.starts_with(PANICKED) {
        return LambdaSays::Unhandled(error(Some(PANIC), None, None));
    }
    let said = error(None, Some(message), None);
    if message.starts_with(UNREADABLE) { LambdaSays::Unhandled(said) } else { LambdaSays::PerhapsUnhandled(said) }
}

/// It begins a panic's words.
pub(in super::super) fn is_panic(line: &str) -> bool {
    place(line).is_some()
}

/// It belongs to what follows a panic's message.
pub(in super::super) fn is_backtrace(line: &str) -> bool {
    line.starts_with("note: ") || line.starts_with("stack backtrace:") || line.starts_with(' ')
}

/// What stands behind `panicked at ` of `thread 'main' panicked at ..`.
fn place(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("thread '")?;
    let at = rest.find("' ")?;
    let behind = rest[at + 2..].trim_start();
    // `thread 'main' (1234) panicked at ..` since 2025.
    let behind = if behind.starts_with('(') { behind.split_once(") ")?.1 } else { behind };
    behind.strip_prefix("panicked at ")
}

/// The panic in its own words, from all the lines it wrote.
pub(in super::super) fn panic(text: &str) -> RuntimeError {
    let (head, below) = text.split_once('\n').unwrap_or((text, ""));
    let place = place(head).unwrap_or_default();
    // Before 2023: `'message', src/main.rs:2:5`.
    let (message, at) = if let Some((message, at)) = place.strip_prefix('\'').and_then(|p| p.rsplit_once("', ")) {
        (Cow::Borrowed(message), at)
    } else {
        let lines: Vec<_> = below.lines().take_while(|l| !is_backtrace(l)).collect();
        (lines.join("\n").into(), place.trim_end_matches(':'))
    };
    error(Some(PANIC), Some(&*message).filter(|m| !m.is_empty()), site::rust(at))
}
