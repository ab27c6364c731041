//! What a text says, before it has a place and a time.
//!
//! The pieces that all parts of the reader share: the words, the IDs beside them, and how long a name and a message may
//! be. Not the line itself: the reader makes that. Rule: what is kept of a line is bounded here.

use std::borrow::Cow;

use crate::model::invocation::{LambdaSays, RuntimeError, Site};
use crate::model::text::cut;

/// Longest text kept of a line, in bytes.
pub(super) const TEXT_MAX: usize = 2048;
/// Longest error message kept, in bytes.
const MESSAGE_MAX: usize = 500;
/// Longest error type and ID kept, in bytes.
const NAME_MAX: usize = 128;

/// A text's words, and the IDs it carries itself.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) says: LambdaSays,
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) trace: Option<Box<str>>,
}

impl<'a> Said<'a> {
    pub(super) const fn new(says: LambdaSays) -> Self {
        Self { says, id: None, trace: None }
    }

    pub(super) fn of(mut self, id: Option<&'a str>) -> Self {
        self.id = id.map(Cow::Borrowed);
        self
    }

    /// A line that the function logged.
    pub(super) fn logged(is_error: bool, id: Option<&'a str>) -> Self {
        Self::new(if is_error { LambdaSays::ErrorLine } else { LambdaSays::Line }).of(id)
    }

    pub(super) fn fault(reason: &str, error_type: Option<&str>) -> Self {
        Self::new(LambdaSays::Fault { reason: message(reason), error_type: error_type.map(name) })
    }

    pub(super) fn unhandled(error: RuntimeError) -> Self {
        Self::new(LambdaSays::Unhandled(error))
    }
}

/// What a line of text turned out to be.
#[derive(Debug)]
pub(super) enum Text<'a> {
    /// It is whole.
    Says(Said<'a>),
    /// It begins what further events may go on with.
    Opens(super::block::Kind),
    /// A line without an ID of its own or a level.
    Plain,
}

pub(super) fn name(text: &str) -> Box<str> {
    cut(text, NAME_MAX).into()
}

pub(super) fn message(text: &str) -> Box<str> {
    cut(text.trim(), MESSAGE_MAX).into()
}

pub(super) fn error(error_type: Option<&str>, words: Option<&str>, site: Option<Site>) -> RuntimeError {
    RuntimeError { error_type: error_type.map(name), message: words.map(message), site }
}

/// `Runtime.ExitError` and the like: one word, a dot, another.
pub(super) fn is_error_type(text: &str) -> bool {
    text.split_once('.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
        && text.len() <= NAME_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
}

/// The root of an X-Ray trace, alone or in `Root=1-..;Parent=..`.
pub(super) fn trace_root(text: &str) -> Option<Box<str>> {
    let root = text.split_once("Root=").map_or(text, |(_, root)| root).trim();
    let end = root.find(|c: char| !(c.is_ascii_hexdigit() || c == '-')).unwrap_or(root.len());
    let root = &root[..end];
    let (version, rest) = root.split_once('-')?;
    let (time, id) = rest.split_once('-')?;
    (version == "1" && time.len() == 8 && !id.is_empty() && id.len() <= 24 && !id.contains('-')).then(|| root.into())
}

/// It begins with a date and a time: `2026-07-28T09:45:44` or with a blank between.
pub(super) fn is_stamp(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() >= 19
        && b[..19].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => matches!(byte, b'T' | b' '),
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        })
}

/// At init some runtimes leave the ID empty, and Node writes the word `undefined`.
pub(super) fn real_id(id: &str) -> Option<&str> {
    let id = id.trim();
    (!matches!(id, "" | "undefined" | "null" | "None" | "-") && id.len() <= NAME_MAX).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shapes() {
        assert!(is_error_type("Runtime.ExitError") && is_error_type("Extension.Crash"));
        assert!(!is_error_type("a sentence. Another") && !is_error_type("Runtime.") && !is_error_type("word"));
        let root = "1-5759e988-bd862e3fe1be46a994272793";
        assert_eq!(trace_root(&format!("Root={root};Parent=x;Sampled=0")).as_deref(), Some(root));
        assert_eq!(trace_root(root).as_deref(), Some(root));
        assert_eq!(trace_root("1-2-3"), None);
        assert_eq!(trace_root("é"), None);
        assert!(is_stamp("2026-07-28T09:45:44.466Z x") && is_stamp("2026-07-28 09:45:44"));
        assert!(!is_stamp("2026-07-28") && !is_stamp("28/Jul/2026:09:45:44 +0000"));
        assert_eq!((real_id("undefined"), real_id(""), real_id("a")), (None, None, Some("a")));
    }
}
