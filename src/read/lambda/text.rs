//! A line of text that Lambda itself did not write: a runtime's words, a logger's, or anything.
//!
//! Tells them apart by their first bytes, finds the ID and the level that a line carries in its own place, and hands
//! the runtimes' errors to `errors`. Rule: an ID counts only where the runtime's own format puts it.

use super::block::Kind;
use super::errors::{dotnet, go, java, last_words, legacy, node, python, ruby, rust};
use super::platform::timeout_ms;
use super::said::{Said, Text, is_error_type, is_stamp, real_id};
use crate::model::invocation::LambdaSays;

/// What a text says whose inner line ends are newlines and whose end has none.
pub(super) fn look(text: &str) -> Text<'_> {
    let looked = match text.as_bytes().first() {
        None => return Text::Plain,
        Some(b'[') => bracketed(text),
        Some(b'0'..=b'9') => stamped(text),
        Some(b'A'..=b'Z' | b' ') => worded(text),
        Some(b't') if rust::is_panic(first_line(text)) => Some(Text::Opens(Kind::Panic)),
        Some(_) => None,
    };
    if let Some(looked) = looked {
        return looked;
    }
    if last_words::is(text) {
        return Text::Says(Said::new(LambdaSays::LastWords));
    }
    if text.contains('\n') {
        if let Some(class) = legacy::opening_class(text) {
            return Text::Opens(Kind::OldPython { class: class.into() });
        }
        return java::read(text).or_else(|| legacy::read(text)).map_or(Text::Plain, Text::Says);
    }
    java::opening_class(text).map_or(Text::Plain, |class| Text::Opens(Kind::Java { class: class.into() }))
}

/// It begins as lines of loggers or runtimes do, so it does not go on with a message that was cut into lines.
pub(super) fn is_start(text: &str) -> bool {
    let fields = |b: &u8| matches!(b, b'\t' | b' ');
    match text.as_bytes().first() {
        Some(b'0'..=b'9') => is_stamp(text) || go::behind_stamp(text).is_some(),
        Some(b'[') => text.split_once(']').is_some_and(|(level, rest)| {
            level.len() <= 9
                && level[1..].bytes().all(|b| b.is_ascii_uppercase())
                && rest.as_bytes().first().is_some_and(fields)
        }),
        Some(b'A'..=b'Z') => ruby_logger(text).is_some() || ruby::json(text).is_some() || rust::read(text).is_some(),
        _ => false,
    }
}

/// What Lambda says of an error that a runtime reported without a type that it knows.
const UNKNOWN_ERROR: &str = "Unknown application error occurred";

/// What stands behind those words.
fn unknown_error(rest: &str) -> Said<'static> {
    let error_type = rest.trim().lines().next().map(str::trim).filter(|t| is_error_type(t));
    Said::fault(UNKNOWN_ERROR, error_type)
}

/// A fault that was cut into lines, if it is that one.
pub(super) fn cut_fault(text: &str) -> Option<Said<'static>> {
    text.strip_prefix(UNKNOWN_ERROR).map(unknown_error)
}

fn first_line(text: &str) -> &str {
    text.find('\n').map_or(text, |at| &text[..at])
}

/// `[ERROR] Type: ..` of Python's runtime, `[ERROR]\t<time>\t<id>\t..` of its logger.
fn bracketed(text: &str) -> Option<Text<'_>> {
    if text.starts_with("[ERROR] [") {
        return Some(python::too_large(text).map_or(Text::Plain, |e| Text::Says(Said::unhandled(e))));
    }
    if let Some(error) = python::read(text) {
        return Some(Text::Says(Said::unhandled(error)));
    }
    if python::is_head(text) && !text.contains('\n') {
        return Some(Text::Opens(Kind::Python { traced: false }));
    }
    let (level, rest) = text[1..].split_once(']')?;
    let mut fields = Fields(rest);
    if !rest.starts_with(['\t', ' ']) || level.len() > 8 {
        return None;
    }
    fields.0 = &rest[1..];
    let time = fields.next()?;
    is_stamp(time).then(|| {
        let id = fields.next().and_then(real_id);
        Text::Says(Said::logged(is_error_word(level), id))
    })
}

/// Lines that begin with a time: Node.js, .NET, Go, log4j, Rust, and the timeouts of old.
fn stamped(text: &str) -> Option<Text<'_>> {
    if let Some(rest) = go::behind_stamp(text) {
        return go::read(rest).map(|e| Text::Says(Said::unhandled(e)));
    }
    if !is_stamp(text) {
        return None;
    }
    if text.as_bytes()[10] == b' ' {
        return log4j(text);
    }
    let mut fields = Fields(text);
    let _time = fields.next()?;
    let id = fields.next()?;
    if let Some(after_ms) = timeout_ms(fields.0.trim_start()) {
        return Some(Text::Says(Said::new(LambdaSays::TimedOut { after_ms }).of(real_id(id))));
    }
    if is_level(id) {
        return rust::read(text).map(Text::Says).or_else(|| Some(Text::Says(Said::logged(is_error_word(id), None))));
    }
    let level = fields.next()?;
    let (id, rest) = (real_id(id), fields.0);
    match level {
        "ERROR" if let Some(json) = node::json(rest) => Some(node_error(json, id)),
        "fail" | "crit" => Some(dotnet_error(rest, id)),
        "FATAL" | "ERROR" | "CRITICAL" | "SEVERE" => Some(Text::Says(Said::logged(true, id))),
        "TRACE" | "DEBUG" | "INFO" | "WARN" | "trce" | "dbug" | "info" | "warn" => {
            Some(Text::Says(Said::logged(false, id)))
        }
        // Node.js 8 and before: what ended the process, at no level.
        _ if level.ends_with("Error:") => Some(Text::Says(Said::new(LambdaSays::LastWords).of(id))),
        _ => None,
    }
}

/// The ID of `<time>\t<id>\t..`.
pub(super) fn stamped_id(text: &str) -> Option<&str> {
    let mut fields = Fields(text);
    fields.next().filter(|time| is_stamp(time))?;
    fields.next().and_then(real_id)
}

fn node_error<'a>(json: &str, id: Option<&'a str>) -> Text<'a> {
    let mut braces = super::members::Braces::default();
    match braces.follow(json) {
        Some(end) => Text::Says(Said::unhandled(node::read(&json[..end])).of(id)),
        None => Text::Opens(Kind::Node),
    }
}

fn dotnet_error<'a>(rest: &str, id: Option<&'a str>) -> Text<'a> {
    let rest = rest.trim_start();
    // Its frames may come in events of their own.
    if dotnet::is_head(rest) && !rest.contains('\n') {
        Text::Opens(Kind::Dotnet)
    } else {
        Text::Says(dotnet_said(rest, id))
    }
}

fn dotnet_said<'a>(rest: &str, id: Option<&'a str>) -> Said<'a> {
    dotnet::read(rest).map_or_else(|| Said::logged(true, id), |said| Said { id: id.map(Into::into), ..said })
}

/// What a whole line of .NET says at level `fail`, its trace below it.
pub(super) fn dotnet_line(text: &str) -> Said<'_> {
    let mut fields = Fields(text);
    let (_time, id, _level) = (fields.next(), fields.next(), fields.next());
    dotnet_said(fields.0.trim_start(), id.and_then(real_id))
}

/// `2026-07-28 09:45:44 <id> ERROR ..`, the pattern in AWS's documentation.
fn log4j(text: &str) -> Option<Text<'_>> {
    let mut words = text.split_ascii_whitespace().skip(2);
    let (first, second) = (words.next()?, words.next()?);
    if is_level(first) {
        return Some(Text::Says(Said::logged(is_error_word(first), None)));
    }
    let is_id = first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && first != "-";
    is_level(second).then(|| Text::Says(Said::logged(is_error_word(second), Some(first).filter(|_| is_id))))
}

/// Lines that begin with a word.
fn worded(text: &str) -> Option<Text<'_>> {
    if text.starts_with("LAMBDA_WARNING") && !text.contains("\n{") {
        return Some(Text::Plain);
    }
    if let Some(after_ms) = timeout_ms(text) {
        return Some(Text::Says(Said::new(LambdaSays::TimedOut { after_ms })));
    }
    if let Some(logged) = ruby_logger(text) {
        return Some(logged);
    }
    if let Some(json) = text.strip_prefix("ERROR").filter(|rest| rest.starts_with([' ', '\t'])).and_then(node::json) {
        return Some(node_error(json, None));
    }
    if let Some(json) = ruby::json(text) {
        let mut braces = super::members::Braces::default();
        return Some(match braces.follow(json) {
            Some(end) => Text::Says(Said::unhandled(ruby::read(&json[..end]))),
            None => Text::Opens(Kind::Ruby),
        });
    }
    if let Some(rest) = text.strip_prefix(UNKNOWN_ERROR) {
        // Its type may stand in the event behind it.
        return Some(if rest.trim().is_empty() { Text::Opens(Kind::Fault) } else { Text::Says(unknown_error(rest)) });
    }
    if let Some(error) = legacy::import(text) {
        return Some(Text::Says(Said::unhandled(error)));
    }
    if let Some(said) = rust::read(text) {
        return Some(Text::Says(said));
    }
    java::is_sentence(text).then(|| java::read(text).map_or(Text::Plain, Text::Says))
}

/// `E, [2026-07-28T09:45:44.466Z #8] ERROR <id> -- : ..`
fn ruby_logger(text: &str) -> Option<Text<'_>> {
    let letter = text.as_bytes()[0];
    let rest = text[1..].strip_prefix(", [")?;
    let (_, rest) = rest.split_once(']')?;
    let mut words = rest.split_ascii_whitespace();
    let (_level, id) = (words.next()?, words.next()?);
    b"DIWEFA"
        .contains(&letter)
        .then(|| Text::Says(Said::logged(matches!(letter, b'E' | b'F'), real_id(id).filter(|id| *id != "--"))))
}

fn is_level(word: &str) -> bool {
    matches!(word, "TRACE" | "DEBUG" | "INFO" | "WARN" | "WARNING") || is_error_word(word)
}

fn is_error_word(word: &str) -> bool {
    matches!(word, "ERROR" | "FATAL" | "CRITICAL" | "SEVERE")
}

/// Fields of a line that are separated by tabs, where one may be empty, or in a paste by blanks.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let text = self.0;
        if text.is_empty() {
            return None;
        }
        let end = text.bytes().position(|b| matches!(b, b'\t' | b' ' | b'\n')).unwrap_or(text.len());
        let (field, rest) = text.split_at(end);
        let rest = rest.trim_start_matches(' ');
        self.0 = rest.strip_prefix('\t').unwrap_or(rest);
        Some(field)
    }
}
