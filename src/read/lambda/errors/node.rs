//! Node.js: `<time>\t<id>\tERROR\tInvoke Error \t{json}` and its kin.
//!
//! The JSON holds errorType, errorMessage, the stack, and whatever members the error has. Not its console lines. Rule:
//! JSON that was cut off is still an error, one without a name.

use crate::model::invocation::RuntimeError;

use super::super::members::{Members, list_of, shown, text_of};
use super::super::said::error;
use super::super::site;

/// What Node.js writes before the JSON of an error that nothing caught.
const UNHANDLED: &[&str] = &["Invoke Error", "Uncaught Exception", "Unhandled Promise Rejection"];

/// Codes of an import that failed, where the type is only `Error`: ES modules have no error type of the runtime's.
const IMPORT_CODES: &[&str] = &["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_UNSUPPORTED_DIR_IMPORT"];

/// What follows the runtime's words, perhaps nothing yet; `rest` is what stands behind the level.
pub(in super::super) fn json(rest: &str) -> Option<&str> {
    let rest = rest.trim_start();
    let after = UNHANDLED.iter().find_map(|words| rest.strip_prefix(words))?.trim_start();
    (after.is_empty() || after.starts_with('{')).then_some(after)
}

/// The error in the JSON.
pub(in super::super) fn read(json: &str) -> RuntimeError {
    let members = Members::parse(json).unwrap_or_default();
    of_members(&members)
}

pub(in super::super) fn of_members(members: &Members<'_>) -> RuntimeError {
    let text = |key| members.get(key).map(shown);
    let code = members.text("code");
    let code = code.as_deref().filter(|code| IMPORT_CODES.contains(code));
    let error_type = text("errorType");
    let error_type = match (error_type.as_deref(), code) {
        (None | Some("Error"), Some(code)) => Some(code),
        (error_type, _) => error_type,
    };
    error(error_type, text("errorMessage").as_deref(), frame(members))
}

/// The first own frame of the error's stack, or of the reason of a rejection.
fn frame(members: &Members<'_>) -> Option<crate::model::invocation::Site> {
    // Old clients write `stackTrace`, and `trace` for what cannot be serialised.
    let own = ["stack", "stackTrace", "trace"].iter().find_map(|key| {
        let value = members.get(key)?;
        match text_of(value) {
            Some(text) => text.lines().find_map(site::node),
            None => list_of(value).into_iter().filter_map(text_of).find_map(|frame| site::node(&frame)),
        }
    });
    own.or_else(|| {
        let reason = members.object("reason")?;
        reason.frames("stack").iter().chain(&reason.frames("stackTrace")).find_map(|frame| site::node(frame))
    })
}
