//! Lines of Lambda logs in text format -> what they say about an invocation.
//!
//! The platform's lines (START, REPORT, `INIT_REPORT`, timeouts, faults) and the unhandled errors of Node.js and
//! Python. Shapes: AWS's open-sourced runtime core and runtime interface clients; separators may be tabs or blanks,
//! because exports and pastes turn one into the other. Rule: only the runtime's own words are an unhandled error; what
//! a function logs at error level is an error line, and everything else says nothing.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::model::event::LogEvent;
use crate::model::hash::FastMap;
use crate::model::id::Id;
use crate::model::invocation::{LambdaLine, LambdaSays, Report, ReportStatus, RuntimeError, Site};
use crate::model::text::cut;
use crate::model::time::Timestamp;

/// Longest text kept of a line, in bytes.
const TEXT_MAX: usize = 2048;
/// Longest error message kept, in bytes.
const MESSAGE_MAX: usize = 500;
/// Longest error type and file name kept, in bytes.
const NAME_MAX: usize = 128;
/// Streams in which a JSON block over several events may be open at one time, and the longest such block, in bytes.
const BLOCKS_MAX: usize = 256;
const BLOCK_BYTES_MAX: usize = 16 * 1024;

/// What Node.js writes before the JSON of an error that nothing caught.
const NODE_UNHANDLED: &[&str] = &["Invoke Error", "Uncaught Exception", "Unhandled Promise Rejection"];

/// Reads Lambda logs in text format.
#[derive(Debug, Default)]
pub struct LambdaReader {
    /// By stream: an `Invoke Error` whose JSON has not come to its end yet.
    open: FastMap<Arc<str>, Block>,
}

#[derive(Debug)]
struct Block {
    time: Timestamp,
    text: String,
}

impl LambdaReader {
    /// Reads one event; `found` gets what it says, if anything.
    pub fn read(&mut self, event: LogEvent, mut found: impl FnMut(LambdaLine)) {
        if event.text.starts_with("END RequestId: ") {
            // REPORT follows and says more.
            self.close(&event.stream, &mut found);
            return;
        }
        if let Some(line) = platform(&event) {
            self.close(&event.stream, &mut found);
            found(with_text(line, event));
            return;
        }
        if !self.open.is_empty() && self.open.contains_key(&event.stream) {
            self.go_on(&event, found);
            return;
        }
        let text = newlines(&event.text);
        if let Some(json) = node_json(&text) {
            if json.is_empty() || !is_complete(json) {
                let block = Block { time: event.time, text: text.into_owned() };
                if self.open.len() < BLOCKS_MAX {
                    self.open.insert(event.stream, block);
                } else {
                    found(block.line(&event.stream));
                }
                return;
            }
            found(node_error(&text, &event.stream, event.time));
            return;
        }
        let line = timed_out(&text).or_else(|| fault(&text)).or_else(|| python(&text)).or_else(|| error_line(&text));
        if let Some((says, request_id)) = line {
            let kept = cut(&text, TEXT_MAX).into();
            found(LambdaLine {
                stream: event.stream,
                time: event.time,
                request_id: request_id.map(Into::into),
                says,
                refs: None,
                text: kept,
            });
        }
    }

    /// The end of the input.
    pub fn finish(&mut self, mut found: impl FnMut(LambdaLine)) {
        let mut open: Vec<_> = self.open.drain().collect();
        open.sort_by(|a, b| a.0.cmp(&b.0));
        for (stream, block) in open {
            found(block.line(&stream));
        }
    }

    /// Another event of a stream whose block is open.
    fn go_on(&mut self, event: &LogEvent, mut found: impl FnMut(LambdaLine)) {
        let Some(block) = self.open.get_mut(&event.stream) else { return };
        block.text.push('\n');
        block.text.push_str(&newlines(&event.text));
        let json = node_json(&block.text).unwrap_or_default();
        let hopeless = !json.is_empty() && !json.starts_with('{');
        if hopeless || is_complete(json) || block.text.len() > BLOCK_BYTES_MAX {
            self.close(&event.stream, &mut found);
        }
    }

    fn close(&mut self, stream: &Arc<str>, found: &mut impl FnMut(LambdaLine)) {
        if self.open.is_empty() {
            return;
        }
        if let Some(block) = self.open.remove(stream) {
            found(block.line(stream));
        }
    }
}

impl Block {
    fn line(&self, stream: &Arc<str>) -> LambdaLine {
        node_error(&self.text, stream, self.time)
    }
}

/// Container images turn inner newlines into carriage returns.
fn newlines(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}

/// A platform record of the JSON format: `{"time":..,"type":"platform.start",..}`.
pub(super) fn is_json_format(text: &str) -> bool {
    let head = cut(text, 200);
    head.starts_with('{') && head.contains("\"type\"") && head.contains("\"platform.")
}

// === The platform's lines ===
/// A line and what it says, without its text; `event` keeps it.
struct Platform {
    says: LambdaSays,
    request_id: Option<Id>,
    keep: bool,
}

fn platform(event: &LogEvent) -> Option<Platform> {
    let text = event.text.as_str();
    let id = |rest: &str| rest.split_ascii_whitespace().next().map(Id::from);
    let line = |says, request_id, keep| Some(Platform { says, request_id, keep });
    if let Some(rest) = text.strip_prefix("START RequestId: ") {
        line(LambdaSays::Start, id(rest), false)
    } else if let Some(rest) = text.strip_prefix("REPORT RequestId: ") {
        line(LambdaSays::Report(report(rest)), id(rest), true)
    } else if let Some(rest) = text.strip_prefix("INIT_REPORT ") {
        let status = value_of(rest, "Status: ")?;
        let error_type = value_of(rest, "Error Type: ").map(|t| cut(t, NAME_MAX).into());
        line(LambdaSays::InitFailed { error_type, timed_out: status == "timeout" }, None, true)
    } else {
        None
    }
}

fn with_text(line: Platform, event: LogEvent) -> LambdaLine {
    let text = match line.keep {
        true if event.text.len() <= TEXT_MAX => event.text.into_boxed_str(),
        true => cut(&event.text, TEXT_MAX).into(),
        false => "".into(),
    };
    LambdaLine {
        stream: event.stream,
        time: event.time,
        request_id: line.request_id,
        says: line.says,
        refs: None,
        text,
    }
}

/// The word after a label, up to the next blank, tab or line end.
fn value_of<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let at = rest.find(label)?;
        // `Duration: ` also ends `Billed Duration: ` and `Init Duration: `.
        let begins = at == 0 || rest[..at].ends_with(['\t', '\n']) || rest[..at].ends_with("  ");
        let after = &rest[at + label.len()..];
        if begins || !label.starts_with("Duration") {
            return after.split_ascii_whitespace().next();
        }
        rest = after;
    }
}

fn report(rest: &str) -> Report {
    if !rest.contains('\t') {
        return pasted_report(rest);
    }
    let number = |value: &str| value.split_once(' ').map_or(value, |(n, _)| n).parse::<u32>().ok();
    let mut report = Report::default();
    for field in rest.split('\t') {
        if let Some(value) = field.strip_prefix("Duration: ") {
            report.duration_ms = milliseconds(value);
        } else if let Some(value) = field.strip_prefix("Memory Size: ") {
            report.memory_mb = number(value);
        } else if let Some(value) = field.strip_prefix("Max Memory Used: ") {
            report.max_memory_mb = number(value);
        } else if let Some(value) = field.strip_prefix("Status: ") {
            report.status = status_of(value.trim_end());
        } else if let Some(value) = field.strip_prefix("Error Type: ") {
            report.error_type = value.split_ascii_whitespace().next().map(|t| cut(t, NAME_MAX).into());
        }
    }
    report
}

fn status_of(word: &str) -> Option<ReportStatus> {
    match word {
        "timeout" => Some(ReportStatus::Timeout),
        "error" => Some(ReportStatus::Error),
        "failure" => Some(ReportStatus::Failure),
        _ => None,
    }
}

/// `29001.45 ms`.
fn milliseconds(value: &str) -> Option<f64> {
    value.split_ascii_whitespace().next()?.parse().ok().filter(|ms: &f64| ms.is_finite())
}

/// A report whose tabs became blanks, as in a paste.
fn pasted_report(rest: &str) -> Report {
    let number = |label: &str| value_of(rest, label).and_then(|v| v.parse::<u32>().ok());
    let status = value_of(rest, "Status: ").and_then(status_of);
    let duration = value_of(rest, "Duration: ").or_else(|| {
        // One blank between fields: the first `Duration:` of the line is the plain one.
        rest.split_once("Duration: ").and_then(|(_, after)| after.split_ascii_whitespace().next())
    });
    Report {
        duration_ms: duration.and_then(milliseconds),
        memory_mb: number("Memory Size: "),
        max_memory_mb: number("Max Memory Used: "),
        status,
        error_type: value_of(rest, "Error Type: ").map(|t| cut(t, NAME_MAX).into()),
    }
}

/// `Task timed out after 3.00 seconds`, with or without a time and an ID before it.
fn timed_out(text: &str) -> Option<(LambdaSays, Option<&str>)> {
    let (before, after) = text.split_once("Task timed out after ")?;
    let seconds: f64 = after.split_ascii_whitespace().next()?.parse().ok()?;
    if !after.trim_end().ends_with("seconds") || !(0.0..=86_400.0).contains(&seconds) {
        return None;
    }
    let before = before.trim();
    let id = match before.strip_prefix("RequestId: ") {
        Some(rest) => rest.split_ascii_whitespace().next(),
        // `<time> <id> `: anything longer is a sentence that quotes another log.
        None => match before.split_ascii_whitespace().collect::<Vec<_>>()[..] {
            [] => None,
            [time, id] if Timestamp::parse_rfc3339(time).is_some() => Some(id),
            _ => return None,
        },
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    let after_ms = (seconds * 1000.0).round() as u32;
    Some((LambdaSays::TimedOut { after_ms }, id))
}

/// `RequestId: <id> Error: <reason>` and the error type on the line below.
fn fault(text: &str) -> Option<(LambdaSays, Option<&str>)> {
    let rest = text.strip_prefix("RequestId: ")?;
    let (id, rest) = rest.split_once(|c: char| c.is_ascii_whitespace())?;
    if let Some(reason) = rest.trim_start().strip_prefix("Error: ") {
        let mut lines = reason.lines();
        let reason = cut(lines.next()?.trim(), MESSAGE_MAX).into();
        let error_type = lines.map(str::trim).find(|l| !l.is_empty()).map(|t| cut(t, NAME_MAX).into());
        return Some((LambdaSays::Fault { reason, error_type }, Some(id)));
    }
    // Before 2019.
    rest.contains("Process exited before completing request").then(|| {
        (LambdaSays::Fault { reason: "Process exited before completing request".into(), error_type: None }, Some(id))
    })
}

// === Node.js ===

/// What follows `ERROR  Invoke Error` and its kin: the error's JSON, perhaps empty or cut off.
fn node_json(text: &str) -> Option<&str> {
    let head = &text[..text.find('\n').unwrap_or(text.len())];
    let (at, words) = NODE_UNHANDLED.iter().find_map(|w| head.find(w).map(|at| (at, w)))?;
    let before = head[..at].trim_end();
    // `<time> <id> ERROR`, or `ERROR` alone in pastes; a function that logs these words writes them after its own.
    let tokens = before.split_ascii_whitespace().count();
    let is_runtimes = before.ends_with("ERROR") && (tokens == 1 || tokens == 3);
    is_runtimes.then(|| text[at + words.len()..].trim())
}

fn is_complete(json: &str) -> bool {
    json.starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok()
}

fn node_error(text: &str, stream: &Arc<str>, time: Timestamp) -> LambdaLine {
    let json = node_json(text).unwrap_or_default();
    let error: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let member = |key: &str| error.get(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    // Old clients write `stackTrace`, and `trace` for what cannot be serialised.
    let stack = ["stack", "stackTrace", "trace"].iter().find_map(|key| error.get(key)?.as_array());
    let mut frames = stack.into_iter().flatten().filter_map(serde_json::Value::as_str);
    let says = LambdaSays::Unhandled(RuntimeError {
        error_type: member("errorType").map(|t| cut(&t, NAME_MAX).into()),
        message: member("errorMessage").map(|m| cut(&m, MESSAGE_MAX).into()),
        site: frames.find_map(node_site),
    });
    let request_id = prefix_id(text).map(Into::into);
    LambdaLine { stream: Arc::clone(stream), time, request_id, says, refs: None, text: cut(text, TEXT_MAX).into() }
}

/// The ID of `<time>\t<id>\tERROR..`; at init Node writes the word `undefined` there.
fn prefix_id(text: &str) -> Option<&str> {
    let mut tokens = text.split_ascii_whitespace();
    Timestamp::parse_rfc3339(tokens.next()?)?;
    tokens.next().filter(|id| *id != "undefined")
}

/// `at handler (/var/task/index.js:12:34)`: the first frame of the user's own code.
fn node_site(frame: &str) -> Option<Site> {
    let at = frame.find("/var/task/")? + "/var/task/".len();
    let place = frame[at..].trim_end_matches(')');
    if place.contains("node_modules/") {
        return None;
    }
    let mut parts = place.rsplitn(3, ':');
    let _column: u32 = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some(Site { file: cut(parts.next()?, NAME_MAX).into(), line })
}

// === Python, and lines that functions log ===

/// `[ERROR] Type: message` and a traceback, which the runtime always writes; without it any function or logger may have
/// written the line. With a tab after the bracket it is the logger's line too.
fn python(text: &str) -> Option<(LambdaSays, Option<&str>)> {
    let rest = text.strip_prefix("[ERROR] ")?;
    if rest.starts_with(['[', '\t']) || !rest.contains("Traceback (most recent call last)") {
        return None;
    }
    let head = rest.lines().next()?.trim_end();
    let (error_type, message) = head.split_once(": ").map_or((head, None), |(t, m)| (t, Some(m)));
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    if error_type.is_empty() || !error_type.chars().all(is_name) || Timestamp::parse_rfc3339(error_type).is_some() {
        return None;
    }
    let error = RuntimeError {
        error_type: Some(cut(error_type, NAME_MAX).into()),
        message: message.map(|m| cut(m, MESSAGE_MAX).into()),
        site: rest.lines().filter_map(python_site).next_back(),
    };
    Some((LambdaSays::Unhandled(error), None))
}

/// `File "/var/task/app.py", line 12, in handler`: the innermost frame of the user's own code.
fn python_site(frame: &str) -> Option<Site> {
    let rest = frame.split_once("File \"/var/task/")?.1;
    let (file, rest) = rest.split_once('"')?;
    let line = rest.strip_prefix(", line ")?;
    let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
    Some(Site { file: cut(file, NAME_MAX).into(), line: line[..digits].parse().ok()? })
}

/// `<time>\t<id>\tERROR\t..` of Node's console and `[ERROR]\t<time>\t<id>\t..` of Python's logger.
fn error_line(text: &str) -> Option<(LambdaSays, Option<&str>)> {
    // Fields are separated by tabs, and one may be empty; pastes have blanks.
    let tokens: [&str; 3] = if text.contains('\t') {
        let mut t = text.split('\t').map(str::trim);
        [t.next()?, t.next()?, t.next()?]
    } else {
        let mut t = text.split_ascii_whitespace();
        [t.next()?, t.next()?, t.next()?]
    };
    let id = match tokens {
        [time, id, "ERROR" | "FATAL"] if Timestamp::parse_rfc3339(time).is_some() => id,
        ["[ERROR]" | "[CRITICAL]", time, id] if Timestamp::parse_rfc3339(time).is_some() => id,
        _ => return None,
    };
    Some((LambdaSays::ErrorLine, Some(id).filter(|id| !matches!(*id, "undefined" | ""))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(texts: &[&str]) -> Vec<LambdaLine> {
        let mut reader = LambdaReader::default();
        let mut found = Vec::new();
        for text in texts {
            let event = LogEvent { stream: "s".into(), time: Timestamp::from_millis(5), text: (*text).to_owned() };
            reader.read(event, |l| found.push(l));
        }
        reader.finish(|l| found.push(l));
        found
    }

    fn read(text: &str) -> LambdaLine {
        let mut found = read_all(&[text]);
        assert_eq!(found.len(), 1, "{text} -> {found:?}");
        found.remove(0)
    }

    fn unhandled(line: &LambdaLine) -> &RuntimeError {
        let LambdaSays::Unhandled(e) = &line.says else { panic!("{line:?}") };
        e
    }

    #[test]
    fn platform_lines_with_tabs() {
        assert_eq!(read("START RequestId: 72566006-a Version: $LATEST\n").says, LambdaSays::Start);
        assert!(read_all(&["END RequestId: 72566006-a\n"]).is_empty());
        let line = read(
            "REPORT RequestId: x\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\tStatus: error\tError Type: Runtime.OutOfMemory\n",
        );
        let LambdaSays::Report(r) = line.says else { panic!() };
        assert_eq!(r.duration_ms, Some(3.01));
        assert_eq!((r.memory_mb, r.max_memory_mb), (Some(128), Some(36)));
        assert_eq!((r.status, r.error_type.as_deref()), (Some(ReportStatus::Error), Some("Runtime.OutOfMemory")));
        let line =
            read("INIT_REPORT Init Duration: 137.69 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\n");
        assert!(matches!(line.says, LambdaSays::InitFailed { timed_out: false, .. }));
        assert!(read_all(&["INIT_REPORT Init Duration: 137.69 ms\n"]).is_empty(), "a good init says nothing");
    }

    #[test]
    fn the_articles_timeout() {
        let lines = read_all(&[
            "Task timed out after 29.00 seconds",
            "REPORT RequestId: i9j0k1l2  Duration: 29001.45 ms  Billed Duration: 29100 ms  Memory Size: 256 MB  Max Memory Used: 198 MB  Status: timeout",
        ]);
        assert_eq!(
            (&lines[0].says, lines[0].request_id.as_deref()),
            (&LambdaSays::TimedOut { after_ms: 29_000 }, None)
        );
        assert_eq!(lines[1].request_id.as_deref(), Some("i9j0k1l2"));
        let LambdaSays::Report(r) = &lines[1].says else { panic!() };
        assert_eq!((r.duration_ms, r.status), (Some(29001.45), Some(ReportStatus::Timeout)));
        assert_eq!((r.memory_mb, r.max_memory_mb), (Some(256), Some(198)));
    }

    const ARTICLE: &str = "ERROR  Invoke Error\n{\n  \"errorType\": \"TypeError\",\n  \"errorMessage\": \"Cannot read property 'body' of undefined\",\n  \"stackTrace\": [\n    \"at handler (/var/task/index.js:12:34)\",\n    \"at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs:1173:29)\"\n  ]\n}";

    #[test]
    fn the_articles_invoke_error_in_one_event_and_in_one_event_per_line() {
        let split: Vec<_> = ARTICLE.lines().collect();
        for lines in [read_all(&[ARTICLE]), read_all(&split)] {
            assert_eq!(lines.len(), 1);
            let e = unhandled(&lines[0]);
            assert_eq!(e.error_type.as_deref(), Some("TypeError"));
            assert_eq!(e.message.as_deref(), Some("Cannot read property 'body' of undefined"));
            assert_eq!(e.site.as_ref().map(ToString::to_string).as_deref(), Some("index.js:12"));
        }
    }

    #[test]
    fn a_block_that_is_broken_off_is_still_an_error() {
        let lines = read_all(&["ERROR  Invoke Error", "{", "  \"errorType\": \"X\",", "END RequestId: a"]);
        assert_eq!(lines.len(), 1);
        assert_eq!(unhandled(&lines[0]), &RuntimeError::default());
        assert_eq!(read_all(&["ERROR  Invoke Error"]).len(), 1);
    }

    #[test]
    fn node_lines() {
        let line = read(
            "2026-07-28T09:45:44.466Z\t72566006-a\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"boom\",\"stack\":[\"TypeError: boom\",\"    at f (/var/task/node_modules/x/i.js:1:2)\",\"    at Runtime.handler (/var/task/src/index.js:12:34)\"]}\n",
        );
        assert_eq!(line.request_id.as_deref(), Some("72566006-a"));
        assert_eq!(unhandled(&line).site.as_ref().map(ToString::to_string).as_deref(), Some("src/index.js:12"));
        let init = read(
            "2026-07-28T09:45:44.466Z\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.ImportModuleError\",\"errorMessage\":\"Cannot find module 'x'\",\"stack\":[]}",
        );
        assert_eq!(
            (init.request_id.as_deref(), unhandled(&init).error_type.as_deref()),
            (None, Some("Runtime.ImportModuleError"))
        );
        let logged = read("2026-07-28T09:45:44.466Z\tabc\tERROR\tpayment declined: Invoke Error of the bank");
        assert_eq!((logged.says, logged.request_id.as_deref()), (LambdaSays::ErrorLine, Some("abc")));
        assert!(read_all(&["2026-07-28T09:45:44.466Z\tabc\tINFO\tTask timed out after lunch"]).is_empty());
    }

    #[test]
    fn python_lines() {
        let line = read(
            "[ERROR] KeyError: 'items'\nTraceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 12, in handler\n\u{a0}\u{a0}\u{a0}\u{a0}x = e['items']\n",
        );
        let e = unhandled(&line);
        assert_eq!((e.error_type.as_deref(), e.message.as_deref()), (Some("KeyError"), Some("'items'")));
        assert_eq!(e.site.as_ref().map(ToString::to_string).as_deref(), Some("app.py:12"));
        let logged = read("[ERROR]\t2026-07-28T09:45:44.466Z\tabc-1\tcould not reach the cache\n");
        assert_eq!((logged.says, logged.request_id.as_deref()), (LambdaSays::ErrorLine, Some("abc-1")));
        assert!(read_all(&["[ERROR] PaymentDeclined: card refused, answering 402\n"]).is_empty());
        assert!(
            read_all(&["[ERROR] [1785231944466] LAMBDA_RUNTIME Failed to post handler success response"]).is_empty()
        );
    }

    #[test]
    fn timeouts_and_faults_with_an_id() {
        let t = read("2026-07-28T09:45:47.466Z 72566006-a Task timed out after 3.00 seconds\n\n");
        assert_eq!((t.says, t.request_id.as_deref()), (LambdaSays::TimedOut { after_ms: 3000 }, Some("72566006-a")));
        let f = read("RequestId: abc Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n");
        let LambdaSays::Fault { reason, error_type } = &f.says else { panic!() };
        assert_eq!(
            (&**reason, error_type.as_deref()),
            ("Runtime exited with error: signal: killed", Some("Runtime.ExitError"))
        );
    }

    #[test]
    fn any_bytes_are_survived() {
        let long = "x".repeat(100_000);
        for text in [
            "\u{0}",
            "REPORT RequestId: ",
            "START RequestId: ",
            "Task timed out after 1e999 seconds",
            "ERROR Invoke Error {\u{1F600}",
            &long,
        ] {
            let _ = read_all(&[text, text]);
        }
    }
}
