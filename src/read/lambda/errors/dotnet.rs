//! .NET: `<time>\t<id>\tfail\t` and the exception as it prints itself, with `   at ` frames.
//!
//! A function that logs an exception's text writes the same; but the trace of one that nothing caught goes down to the
//! runtime's own frames, and that of a caught one ends where it was caught. Rule: with those frames it is the
//! runtime's, without them "perhaps".

use crate::model::invocation::{LambdaSays, RuntimeError};

use super::super::members::Members;
use super::super::said::{Said, error};
use super::super::site;
use super::TOO_LARGE;

/// Type and message, if the first line begins with the name of an exception.
fn head(text: &str) -> Option<(&str, &str)> {
    let line = text.lines().next()?;
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '`');
    let end = line.find(|c| !name(c)).unwrap_or(line.len());
    let (error_type, after) = line.split_at(end);
    let simple = error_type.rsplit(['.', '+']).next().unwrap_or_default();
    let is_name = simple.starts_with(char::is_uppercase)
        && (error_type.contains('.') || simple.ends_with("Exception") || simple.ends_with("Error"));
    let message = after.strip_prefix(':').map(str::trim).or_else(|| after.trim().is_empty().then_some(""))?;
    is_name.then_some((error_type, message))
}

/// A first line whose frames may follow in the next event.
pub(in super::super) fn is_head(text: &str) -> bool {
    head(text).is_some()
}

/// A line that goes on with a trace.
pub(in super::super) fn is_frame(line: &str) -> bool {
    let inside = line.trim_start();
    // A paste may have lost the indentation; a method still has its brackets.
    let is_method = || inside.len() < line.len() || inside.contains(['(', '<']) && inside.contains('.');
    inside.starts_with("---> ") || inside.starts_with("--- End of ") || inside.starts_with("at ") && is_method()
}

/// The exception behind `fail\t`.
pub(in super::super) fn read(text: &str) -> Option<Said<'static>> {
    let (error_type, first) = head(text)?;
    let mut own = None;
    let (mut traced, mut of_runtime) = (first.contains(" ---> "), false);
    let mut message_end = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if at > 0 && is_frame(line) {
            traced = true;
            message_end.get_or_insert(at);
            of_runtime |= line.contains("Amazon.Lambda.RuntimeSupport");
            own = own.or_else(|| site::dotnet(line));
        }
        at += line.len();
    }
    if !traced {
        return None;
    }
    let whole = text[..message_end.unwrap_or(text.len())].split(" ---> ").next().unwrap_or_default();
    let message = whole[error_type.len()..].trim_start_matches(':').trim();
    let error_type = if error_type.ends_with("RuntimeApiClientException") && text.contains(TOO_LARGE) {
        TOO_LARGE
    } else {
        error_type
    };
    let error = error(Some(error_type), Some(message).filter(|m| !m.is_empty()), own);
    let is_runtimes = of_runtime || error_type == TOO_LARGE;
    Some(if is_runtimes { Said::unhandled(error) } else { Said::new(LambdaSays::PerhapsUnhandled(error)) })
}

/// The error in JSON format: the runtime has no message of its own to it.
pub(in super::super) fn of_members(members: &Members<'_>) -> Option<RuntimeError> {
    let error_type = members.text("errorType")?;
    let stack = members.get("stackTrace")?;
    if members.text("message").as_deref() != Some("") {
        return None;
    }
    let frames = super::super::members::frames_of(stack);
    let site = frames.iter().flat_map(|f| f.lines()).find_map(site::dotnet);
    Some(error(Some(&error_type), members.text("errorMessage").as_deref(), site))
}
