//! Go: `2025/06/29 10:00:00 {"errorMessage":..,"errorType":..,"stackTrace":[..]}` of its standard logger.
//!
//! The stack is there after a panic only. Not `panic: ` on stderr, which is last words. Rule: the object has these
//! members and no others, so what a function logs for itself is not taken for it.

use crate::model::invocation::RuntimeError;

use super::super::members::{Members, list_of, shown};
use super::super::said::error;
use super::super::site;
use super::TOO_LARGE;

const MEMBERS: &[&str] = &["errorMessage", "errorType", "stackTrace", "cause"];
/// `2025/06/29 10:00:00 `
const STAMP: usize = 20;

/// What follows the stamp of Go's logger.
pub(in super::super) fn behind_stamp(text: &str) -> Option<&str> {
    let b = text.as_bytes().first_chunk::<STAMP>()?;
    let shape = b[4] == b'/'
        && b.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'/',
            10 | 19 => *byte == b' ',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    shape.then(|| text[STAMP..].trim_start())
}

/// The error behind the stamp.
pub(in super::super) fn read(text: &str) -> Option<RuntimeError> {
    if text.starts_with("failed to POST to http://") && text.contains("/response") && text.contains("status code: 413")
    {
        return Some(error(Some(TOO_LARGE), Some(text), None));
    }
    if !text.starts_with('{') {
        return None;
    }
    of_members(&Members::parse(text)?)
}

/// It is the runtime's object without the stamp, which a function can switch off: frames of such a shape are Go's alone.
pub(in super::super) fn is_own(members: &Members<'_>) -> bool {
    let first = members.get("stackTrace").map(list_of).and_then(|frames| frames.into_iter().next());
    first
        .and_then(|frame| Members::parse(frame.get()))
        .is_some_and(|f| f.get("path").is_some() && f.get("label").is_some())
}

/// The error in the JSON.
pub(in super::super) fn of_members(members: &Members<'_>) -> Option<RuntimeError> {
    let (error_type, message) = (members.text("errorType")?, members.text("errorMessage")?);
    if members.iter().any(|(key, _)| !MEMBERS.contains(&key)) {
        return None;
    }
    let frames = members.get("stackTrace").map(list_of).unwrap_or_default();
    let site = frames.into_iter().find_map(|frame| {
        let frame = Members::parse(frame.get())?;
        site::go(&frame.text("path")?, &shown(frame.get("line")?))
    });
    Some(error(Some(&error_type), Some(&message), site))
}
