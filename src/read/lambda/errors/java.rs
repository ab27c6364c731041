//! Java: `<message>: <class>`, then the stack trace, which begins with `<class>: <message>`.
//!
//! The runtime writes no level and no ID; that it says everything twice is what gives it away. Where there is no class
//! it writes a sentence of its own. Not `log4j`. Rule: said twice exactly it is the runtime's; said twice in other words
//! a function may have printed it.

use crate::model::invocation::{LambdaSays, RuntimeError};

use super::super::said::{Said, error, is_stamp};
use super::super::site;

/// Sentences of the loader, and the platform's error type that says the same: the line itself has none.
const SENTENCES: &[(&str, &str)] = &[
    ("Class not found: ", "Runtime.HandlerNotFound"),
    ("No public method named ", "Runtime.HandlerNotFound"),
    ("Error loading class ", "Runtime.BadFunctionCode"),
    ("Invalid handler: ", "Runtime.MalformedHandlerName"),
];

/// What a text of one or more lines says, if it has the runtime's shape.
pub(in super::super) fn read(text: &str) -> Option<Said<'static>> {
    if is_stamp(text) || text.starts_with('[') {
        return None;
    }
    if let Some((_, error_type)) = SENTENCES.iter().find(|(words, _)| text.starts_with(words)) {
        return Some(Said::unhandled(sentence(text, error_type)));
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let Some((_, class)) = head(line.trim_end()) else { continue };
        let Some(behind) = text[at..].strip_prefix(class) else { continue };
        if !(behind.is_empty() || behind.starts_with([':', '\n'])) {
            continue;
        }
        // `<message>: ` before the class; the message may go over lines.
        let said = text[..at].trim_end().len() - class.len();
        let message = text[..said].trim_end_matches([' ', ':']);
        let again = behind.strip_prefix(": ").map(|again| again.starts_with(message));
        let exact = again.unwrap_or_else(|| message == "null" || message == class);
        let message = (again.is_some() && !message.is_empty()).then_some(message);
        let error = error(Some(class), message, text[at..].lines().find_map(site::java));
        return Some(if exact { Said::unhandled(error) } else { Said::new(LambdaSays::PerhapsUnhandled(error)) });
    }
    None
}

/// It begins with a sentence of the loader.
pub(in super::super) fn is_sentence(text: &str) -> bool {
    SENTENCES.iter().any(|(words, _)| text.starts_with(words))
}

fn sentence(text: &str, error_type: &str) -> RuntimeError {
    error(Some(error_type), text.lines().next(), text.lines().skip(1).find_map(site::java))
}

/// `<message>: <class>`, if the line ends with what may be a class.
fn head(line: &str) -> Option<(&str, &str)> {
    let last = line.as_bytes().last()?;
    if !last.is_ascii_alphanumeric() {
        return None;
    }
    let blank = line.rfind(' ')?;
    let (message, class) = (line[..blank].strip_suffix(':')?, &line[blank + 1..]);
    let first = class.as_bytes().first()?;
    let is_class =
        first.is_ascii_alphabetic() && class.bytes().all(|b| b.is_ascii_alphanumeric() || b"._$".contains(&b));
    is_class.then_some((message, class))
}

/// The class in a first line whose stack trace may follow in the next event. Stricter, as many lines end in a word.
pub(in super::super) fn opening_class(line: &str) -> Option<&str> {
    let (_, class) = head(line)?;
    let named = class.contains('.') || class.ends_with("Exception") || class.ends_with("Error");
    let simple = class.rsplit(['.', '$']).next().unwrap_or(class);
    (named && simple.starts_with(|c: char| c.is_ascii_uppercase())).then_some(class)
}
