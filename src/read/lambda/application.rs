//! A JSON object that a runtime or a logger wrote.
//!
//! Knows the shapes of the runtimes' JSON format and the keys of the loggers on top. Not Lambda's own records. Rule: an
//! error that nothing caught is told by members that only the runtime leaves in or out; a level is only evidence; a
//! request ID is the line's own only under a key at the top that means Lambda's.

use std::borrow::Cow;

use crate::model::invocation::LambdaSays;

use super::errors::{dotnet, go, java, node, python, ruby, rust};
use super::members::{Members, frames_of, text_of};
use super::mentions::is_http_id;
use super::said::{Said, real_id, trace_root};

/// pino and bunyan count levels; 50 is an error.
const LEVEL_ERROR: f64 = 50.0;
/// Longest key that can mean something, in bytes.
const KEY_MAX: usize = 24;

/// What the top of an object holds.
#[derive(Default)]
struct Top<'a> {
    is_error: bool,
    /// Under a key that means Lambda's ID.
    own: Option<Cow<'a, str>>,
    /// Under `requestId`, which runtimes use for Lambda's and functions for any.
    request_id: Option<Cow<'a, str>>,
    trace: Option<Box<str>>,
    stamped: bool,
    /// Members that no runtime writes.
    of_logger: bool,
}

/// What the object says.
pub(super) fn read<'a>(line: &Members<'a>) -> Said<'a> {
    let mut top = top(line);
    let span = span(line);
    let by_runtime = top.stamped && !top.of_logger;
    let request_id = top.request_id.take().filter(|id| by_runtime && !is_http_id(id));
    let mut said = Said::new(LambdaSays::Line);
    if let Some(span) = &span {
        said.id = span.text("requestId");
        said.trace = span.text("xrayTraceId").and_then(|t| trace_root(&t));
    }
    said.id = said.id.or(top.own).or(request_id).filter(|id| real_id(id).is_some());
    said.trace = said.trace.or(top.trace);
    // The body of a response that was refused says so without any level.
    said.says = unhandled(line, top.is_error, span.is_some()).unwrap_or(if top.is_error {
        LambdaSays::ErrorLine
    } else {
        LambdaSays::Line
    });
    said
}

fn unhandled(line: &Members<'_>, is_error: bool, in_span: bool) -> Option<LambdaSays> {
    if let Some(error) = python::of_members(line) {
        // A type and a message beside a lower level are a function's own.
        return (is_error || line.get("level").or(line.get("log_level")).is_none())
            .then_some(LambdaSays::Unhandled(error));
    }
    if go::is_own(line) {
        return go::of_members(line).map(LambdaSays::Unhandled);
    }
    if ruby::is_own(line) {
        return Some(LambdaSays::Unhandled(ruby::of_members(line)));
    }
    if !is_error {
        return None;
    }
    if let Some(fields) = line.object("fields") {
        let message = fields.text("message")?;
        return in_span.then(|| rust::says(&message));
    }
    let message = line.get("message")?;
    if let Some(text) = text_of(message) {
        if text.is_empty() {
            return dotnet::of_members(line).map(LambdaSays::Unhandled);
        }
        let of_java = line.iter().any(|(key, _)| key == "AWSRequestId") || line.get("logger").is_none();
        return (of_java && (text.contains('\n') || java::is_sentence(&text)))
            .then(|| java::read(text.trim_end()).map(|said| said.says))
            .flatten();
    }
    let object = Members::parse(message.get())?;
    (object.get("errorType").is_some() && object.get("errorMessage").is_some()).then(|| {
        let error = node::of_members(&object);
        // Only the runtime's own errors have such a name, and it stands in the stack even where the type lacks it.
        let stack = object.get("stackTrace").or_else(|| object.get("stack")).map(frames_of).unwrap_or_default();
        let is_runtimes = stack.first().is_some_and(|head| head.starts_with("Runtime."));
        if is_runtimes { LambdaSays::Unhandled(error) } else { LambdaSays::PerhapsUnhandled(error) }
    })
}

/// Rust's span of the invocation, if the line stands directly in it or in one inside.
fn span<'a>(line: &Members<'a>) -> Option<Members<'a>> {
    line.get("fields")?;
    let is_invocation =
        |span: &Members<'a>| span.text("name").as_deref() == Some(rust::SPAN) || span.get("requestId").is_some();
    let innermost = line.object("span").filter(is_invocation);
    innermost.or_else(|| {
        let spans = line.get("spans").map(super::members::list_of).unwrap_or_default();
        spans.into_iter().take(8).filter_map(|s| Members::parse(s.get())).find(is_invocation)
    })
}

fn top<'a>(line: &Members<'a>) -> Top<'a> {
    let mut top = Top::default();
    let mut level_seen = false;
    for (key, value) in line.iter() {
        let mut folded = [0; KEY_MAX];
        let Some(key) = fold(key, &mut folded) else { continue };
        match key {
            b"level" | b"loglevel" | b"levelname" | b"severity" | b"lvl" | b"@l" if !level_seen => {
                level_seen = true;
                top.is_error = is_error(value.get(), text_of(value).as_deref());
            }
            b"awsrequestid" | b"functionrequestid" | b"lambdarequestid" => {
                top.own = top.own.or_else(|| text_of(value));
            }
            b"requestid" => top.request_id = top.request_id.or_else(|| text_of(value)),
            b"xraytraceid" | b"traceid" => {
                top.trace = top.trace.or_else(|| trace_root(&text_of(value)?));
            }
            b"timestamp" => top.stamped = true,
            b"pid" | b"hostname" | b"time" | b"ts" | b"msg" | b"event" | b"@t" | b"@timestamp" => top.of_logger = true,
            _ => {}
        }
    }
    top
}

fn is_error(raw: &str, text: Option<&str>) -> bool {
    let Some(word) = text else {
        return raw.parse().is_ok_and(|n: f64| n >= LEVEL_ERROR);
    };
    let errors = [
        "error",
        "fatal",
        "critical",
        "crit",
        "err",
        "eror",
        "panic",
        "dpanic",
        "severe",
        "emerg",
        "emergency",
        "alert",
        "fail",
    ];
    errors.iter().any(|e| word.eq_ignore_ascii_case(e)) || word.parse().is_ok_and(|n: f64| n >= LEVEL_ERROR)
}

/// A key in small letters and without what separates its words; `None` for one that is too long to mean anything.
fn fold<'k>(key: &str, room: &'k mut [u8; KEY_MAX]) -> Option<&'k [u8]> {
    let mut len = 0;
    for byte in key.bytes().filter(|b| !matches!(b, b'_' | b'-' | b'.' | b' ')) {
        *room.get_mut(len)? = byte.to_ascii_lowercase();
        len += 1;
    }
    Some(&room[..len])
}
