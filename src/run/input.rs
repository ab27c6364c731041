//! Files of log events: what shape a file has, and its events one after another.
//!
//! Shapes: JSON as `aws logs filter-log-events` prints it, one JSON event per line, an export to S3 (each line led by
//! a time, perhaps gzip), what `aws logs tail` and `sam logs` print and the console copies or
//! downloads (CSV), and plain lines. Not their order: the merge sorts. Rule: a file is read once, from start to
//! end; only the JSON document has to fit into memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;

use crate::model::event::{EventId, LogEvent};
use crate::model::time::{Timestamp, millis};
use crate::read::stamp;
use crate::tail::fetch::RawEvent;

/// Lines looked through at the start of a plain file for one that carries a time.
const PEEK_LINES: usize = 1000;
/// Bytes read from a file at a time.
const BUFFER: usize = 256 * 1024;
/// Longest line that is taken whole; a log event has at most 1 MB.
const LINE_MAX: usize = 4 << 20;
/// An event that is put together from lines takes no more of them once it has this many bytes.
const EVENT_MAX: usize = 1 << 20;

/// The first line of what the console downloads.
const CSV_HEADER: &str = "timestamp,message";

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be opened or read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error(
        "{path}: the file is empty; export log events into it first, for example with `aws logs filter-log-events`"
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It begins like a JSON document of events but is none.
    #[error("{path}: begins like the JSON of `aws logs filter-log-events`, but is not: {why}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What the JSON reader says.
        why: String,
    },
}

/// An event; where the file has them, its id; and whether its time is a stamp, not a guess from the lines around it.
pub type Event = (Option<EventId>, LogEvent, bool);

/// The events of one file.
pub struct Input {
    path: PathBuf,
    shape: Shape,
    stream: Arc<str>,
    /// When the file was changed last, or what it was told to begin at.
    untimed: Timestamp,
    /// Each line is an event, and says itself when it happened.
    access: bool,
    /// Lines that begin like an event but are none.
    pub broken: u64,
}

enum Shape {
    /// A document, read already.
    Document(std::vec::IntoIter<JsonEvent>),
    /// One JSON event per line.
    JsonLines(Lines),
    /// Lines led by a time, perhaps with their stream; one without continues the one before.
    Export(Lines),
    /// What the console downloads: the header, then times and texts that may be quoted over lines.
    Csv(Lines),
    /// Plain lines, and the newest time seen; `None` before there is one.
    Plain(Lines, Option<Timestamp>),
}

#[derive(Deserialize)]
struct Document {
    events: Vec<JsonEvent>,
}

/// An event as the AWS CLI prints it.
#[derive(Deserialize)]
struct JsonEvent {
    #[serde(rename = "eventId")]
    event_id: Option<String>,
    #[serde(rename = "logStreamName")]
    stream: Option<String>,
    timestamp: i64,
    message: String,
}

/// Lines with a look at those to come.
struct Lines {
    reader: Box<dyn BufRead + Send>,
    ahead: std::collections::VecDeque<String>,
    /// Length of the line before, which the next will have nearly.
    last: usize,
    /// Bytes read since they were asked for.
    bytes: u64,
}

impl Lines {
    /// The next line without its end; bytes that are not UTF-8 are replaced.
    fn next(&mut self) -> io::Result<Option<String>> {
        let mut line = match self.ahead.pop_front() {
            Some(line) => line,
            None => match self.read()? {
                Some(line) => line,
                None => return Ok(None),
            },
        };
        line.truncate(line.trim_end_matches(['\n', '\r']).len());
        Ok(Some(line))
    }

    /// All that is left, as it stands.
    fn rest(&mut self) -> io::Result<String> {
        let mut text: String = self.ahead.drain(..).collect();
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes)?;
        text.push_str(&String::from_utf8_lossy(&bytes));
        Ok(text)
    }

    fn peek(&mut self, at: usize) -> io::Result<Option<&str>> {
        while self.ahead.len() <= at {
            match self.read()? {
                Some(line) => self.ahead.push_back(line),
                None => return Ok(None),
            }
        }
        Ok(self.ahead.get(at).map(|l| l.trim_end_matches(['\n', '\r'])))
    }

    /// A line with its end, or a piece of one that is too long.
    fn read(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::with_capacity(self.last + 64);
        loop {
            let ahead = match self.reader.fill_buf() {
                Ok(ahead) => ahead,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            let end = memchr::memchr(b'\n', ahead).map(|at| at + 1);
            let taken = end.unwrap_or(ahead.len()).min(LINE_MAX - bytes.len());
            bytes.extend_from_slice(&ahead[..taken]);
            self.reader.consume(taken);
            if end.is_some() || taken == 0 || bytes.len() >= LINE_MAX {
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        self.last = bytes.len().min(1 << 16);
        self.bytes += bytes.len() as u64;
        Ok(Some(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())))
    }
}

impl Input {
    /// Opens a file (`-` is standard input) and finds out its shape. `access`: it is an access log, of which every line
    /// is an event.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or is a broken JSON document.
    pub fn open(path: &Path, access: bool) -> Result<Self, InputError> {
        let io_error = |source| InputError::Io { path: path.to_owned(), source };
        let (raw, modified): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).map_err(io_error)?;
            let modified = file.metadata().and_then(|m| m.modified()).ok();
            (Box::new(file), modified)
        };
        let mut reader = BufReader::with_capacity(BUFFER, raw);
        let gzip = reader.fill_buf().map_err(io_error)?.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead + Send> = if gzip {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        };
        let mut lines = Lines { reader, ahead: std::collections::VecDeque::new(), last: 0, bytes: 0 };
        let mut first = 0;
        while lines.peek(first).map_err(io_error)?.is_some_and(|l| l.trim().is_empty()) && first < PEEK_LINES {
            first += 1;
        }
        let Some(head) = lines.peek(first).map_err(io_error)?.map(str::to_owned) else {
            return Err(InputError::Empty { path: path.to_owned() });
        };
        let modified = modified.and_then(|m| m.duration_since(UNIX_EPOCH).ok()).map_or(0, millis);
        let shape = shape(lines, &head, path)?;
        let stream = path.to_string_lossy().as_ref().into();
        let untimed = Timestamp::from_millis(modified);
        Ok(Self { path: path.to_owned(), shape, stream, untimed, access, broken: 0 })
    }

    /// Whether none of its first lines carries a time.
    #[must_use]
    pub const fn is_untimed(&self) -> bool {
        matches!(self.shape, Shape::Plain(_, None))
    }

    /// The time for lines before the first that carries one, instead of when the file was changed last.
    pub const fn begin_at(&mut self, time: Timestamp) {
        self.untimed = time;
    }

    /// Bytes read since this was asked last, after unpacking.
    pub const fn take_bytes(&mut self) -> u64 {
        match &mut self.shape {
            Shape::Document(_) => 0,
            Shape::JsonLines(lines) | Shape::Export(lines) | Shape::Csv(lines) | Shape::Plain(lines, _) => {
                std::mem::replace(&mut lines.bytes, 0)
            }
        }
    }

    /// The next event.
    ///
    /// # Errors
    /// When the file cannot be read further.
    pub fn next(&mut self) -> Result<Option<Event>, InputError> {
        let stream = Arc::clone(&self.stream);
        let event = match &mut self.shape {
            Shape::Document(events) => Ok(events.next().map(|e| e.into_event(&stream))),
            Shape::Plain(lines, _) if self.access => {
                // The reader finds the time in the line.
                let time = self.untimed;
                lines.next().map(|line| Some((None, LogEvent { stream, time, text: line? }, false)))
            }
            Shape::JsonLines(lines) => json_line(lines, &stream, &mut self.broken),
            Shape::Export(lines) => export(lines, &stream),
            Shape::Csv(lines) => csv(lines, &stream, &mut self.broken),
            Shape::Plain(lines, last) => plain(lines, last, self.untimed, &stream),
        };
        event.map_err(|source| InputError::Io { path: self.path.clone(), source })
    }
}

fn shape(mut lines: Lines, head: &str, path: &Path) -> Result<Shape, InputError> {
    let io_error = |source| InputError::Io { path: path.to_owned(), source };
    if serde_json::from_str::<JsonEvent>(head).is_ok() {
        return Ok(Shape::JsonLines(lines));
    }
    let is_access_line =
        serde_json::from_str::<serde_json::Value>(head).is_ok_and(|v| v.is_object() && v.get("events").is_none());
    let trimmed = head.trim();
    let begins_a_document = ["{\"events\"", "{ \"events\"", "[{", "[ {"].iter().any(|s| trimmed.starts_with(s))
        || matches!(trimmed, "{" | "[");
    if begins_a_document && !is_access_line {
        let text = lines.rest().map_err(io_error)?;
        return document(&text)
            .map(|e| Shape::Document(e.into_iter()))
            .map_err(|why| InputError::Json { path: path.to_owned(), why });
    }
    if head == CSV_HEADER {
        return Ok(Shape::Csv(lines));
    }
    if stamp::led(head).is_some() {
        return Ok(Shape::Export(lines));
    }
    let mut start = None;
    for at in 0..PEEK_LINES {
        let Some(line) = lines.peek(at).map_err(io_error)? else { break };
        start = stamp::of_line(line);
        if start.is_some() {
            break;
        }
    }
    Ok(Shape::Plain(lines, start))
}

/// One document, or several after one another; each an object with `events`, or an array of events.
fn document(text: &str) -> Result<Vec<JsonEvent>, String> {
    let mut events = Vec::new();
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|e| e.to_string());
    }
    for document in serde_json::Deserializer::from_str(text).into_iter::<Document>() {
        events.append(&mut document.map_err(|e| e.to_string())?.events);
    }
    Ok(events)
}

impl JsonEvent {
    fn into_event(self, stream: &Arc<str>) -> Event {
        let time = Timestamp::from_millis(self.timestamp);
        let stream = self.stream.map_or_else(|| Arc::clone(stream), Into::into);
        let id = self.event_id.map(|id| RawEvent::identify(Some(&id), &stream, time, None, &self.message));
        (id, LogEvent { stream, time, text: self.message }, true)
    }
}

fn json_line(lines: &mut Lines, stream: &Arc<str>, broken: &mut u64) -> io::Result<Option<Event>> {
    while let Some(line) = lines.next()? {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<JsonEvent>(&line) {
            Ok(event) => return Ok(Some(event.into_event(stream))),
            Err(_) => *broken += 1,
        }
    }
    Ok(None)
}

fn export(lines: &mut Lines, stream: &Arc<str>) -> io::Result<Option<Event>> {
    // Only blank lines can stand before the first time: the shape was told by it.
    let (time, stream, mut text) = loop {
        let Some(line) = lines.next()? else { return Ok(None) };
        if let Some(led) = stamp::led(&line) {
            break (led.time, led.stream.map_or_else(|| Arc::clone(stream), Arc::from), led.text.to_owned());
        }
    };
    while text.len() < EVENT_MAX && lines.peek(0)?.is_some_and(|l| stamp::led(l).is_none()) {
        if let Some(more) = lines.next()? {
            text.push('\n');
            text.push_str(&more);
        }
    }
    Ok(Some((None, LogEvent { stream, time, text }, true)))
}

fn csv(lines: &mut Lines, stream: &Arc<str>, broken: &mut u64) -> io::Result<Option<Event>> {
    while let Some(line) = lines.next()? {
        if line.trim().is_empty() || line == CSV_HEADER {
            continue;
        }
        let Some((Ok(time), field)) = line.split_once(',').map(|(time, field)| (time.parse(), field)) else {
            *broken += 1;
            continue;
        };
        let mut text = field.to_owned();
        if text.starts_with('"') {
            // A quote inside is doubled, so an even number of them is whole.
            let mut quotes = text.matches('"').count();
            while quotes % 2 == 1
                && text.len() < EVENT_MAX
                && let Some(more) = lines.next()?
            {
                quotes += more.matches('"').count();
                text.push('\n');
                text.push_str(&more);
            }
            text = text.trim_matches('\n').strip_prefix('"').unwrap_or_default().replace("\"\"", "\"");
            text.truncate(text.strip_suffix('"').unwrap_or(&text).len());
        }
        return Ok(Some((
            None,
            LogEvent { stream: Arc::clone(stream), time: Timestamp::from_millis(time), text },
            true,
        )));
    }
    Ok(None)
}

fn plain(
    lines: &mut Lines,
    last: &mut Option<Timestamp>,
    untimed: Timestamp,
    stream: &Arc<str>,
) -> io::Result<Option<Event>> {
    let Some(mut text) = lines.next()? else { return Ok(None) };
    while text.trim().is_empty() {
        let Some(next) = lines.next()? else { return Ok(None) };
        text = next;
    }
    // A stack trace that was one event: its lines are indented, or the head of a Python traceback.
    let goes_on = |l: &str| {
        l.starts_with([' ', '\t', '\u{a0}']) && !l.trim().is_empty()
            || l.starts_with("Traceback (most recent call last)")
    };
    while text.len() < EVENT_MAX && lines.peek(0)?.is_some_and(goes_on) {
        if let Some(more) = lines.next()? {
            text.push('\n');
            text.push_str(&more);
        }
    }
    if let Some(time) = stamp::of_line(&text) {
        *last = Some(time);
    }
    Ok(Some((None, LogEvent { stream: Arc::clone(stream), time: last.unwrap_or(untimed), text }, true)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn events(content: &[u8]) -> Result<Vec<(i64, String)>, InputError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let mut input = Input::open(file.path(), false)?;
        let mut all = Vec::new();
        while let Some((_, e, _)) = input.next()? {
            all.push((e.time.as_millis(), e.text));
        }
        Ok(all)
    }

    const T: i64 = 1_785_231_944_443;

    #[test]
    fn the_clis_document_pretty_or_on_one_line() {
        let event =
            format!(r#"{{"logStreamName":"s","timestamp":{T},"message":"hello\n","ingestionTime":1,"eventId":"37"}}"#);
        for text in [
            format!("{{\n    \"events\": [\n{event},\n{event}],\n    \"searchedLogStreams\": []\n}}\n"),
            format!("{{\"events\":[{event},{event}]}}"),
            format!("[\n{event},\n{event}\n]"),
            format!("[{event},{event}]"),
            format!("{event}\n\n{event}\nnot json\n"),
        ] {
            assert_eq!(events(text.as_bytes()).unwrap(), vec![(T, "hello\n".to_owned()); 2], "{text}");
        }
        assert!(matches!(events(b"{\n  \"events\": [ 1 ]\n}"), Err(InputError::Json { .. })));
    }

    #[test]
    fn a_document_on_one_very_long_line() {
        let event = format!(r#"{{"timestamp":{T},"message":"{}"}}"#, "x".repeat(1000));
        let text = format!("{{\"events\":[{}]}}", vec![event; 6000].join(","));
        assert!(text.len() > LINE_MAX);
        assert_eq!(events(text.as_bytes()).unwrap().len(), 6000);
    }

    #[test]
    fn exports_continue_lines_and_may_be_gzip() {
        let text = "2026-07-28T09:45:44.443Z [ERROR] KeyError: 'x'\nTraceback (most recent call last):\n  File \"/var/task/a.py\"\n2026-07-28T09:45:44.443Z END RequestId: a\n";
        let want = vec![
            (T, "[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n  File \"/var/task/a.py\"".to_owned()),
            (T, "END RequestId: a".to_owned()),
        ];
        assert_eq!(events(text.as_bytes()).unwrap(), want);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        assert_eq!(events(&gz.finish().unwrap()).unwrap(), want);
    }

    #[test]
    fn what_the_console_downloads() {
        let text = format!("timestamp,message\n{T},\"a \"\"b\"\"\n c\n\"\n{T},\"\"\"d\"\"\"\n{T},(id) e, f\nbroken\n");
        let texts: Vec<_> = events(text.as_bytes()).unwrap().into_iter().map(|e| e.1).collect();
        assert_eq!(texts, ["a \"b\"\n c\n", "\"d\"", "(id) e, f"]);
        assert_eq!(events(format!("timestamp,message\n{T},\"open").as_bytes()).unwrap()[0].1, "open");
    }

    #[test]
    fn plain_lines_take_the_last_time_seen() {
        let text =
            "START RequestId: a Version: 1\n2026-07-28T09:45:44.443Z\ta\tERROR\tInvoke Error \t{}\nEND RequestId: a\n";
        let got = events(text.as_bytes()).unwrap();
        assert_eq!(got.iter().map(|e| e.0).collect::<Vec<_>>(), [T, T, T]);
        let access = format!("{{\"requestTimeEpoch\":\"{T}\",\"status\":\"200\"}}\n");
        assert_eq!(events(access.as_bytes()).unwrap()[0].0, T);
    }

    #[test]
    fn empty_and_missing_files_are_named() {
        assert!(events(b"").unwrap_err().to_string().contains("empty"));
        assert!(events(b"\n\n").unwrap_err().to_string().contains("empty"));
        let missing = Input::open(Path::new("/nonexistent/x.log"), false).err().unwrap().to_string();
        assert!(missing.contains("/nonexistent/x.log"), "{missing}");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_survived() {
        assert_eq!(events(b"\xff\xfe oops\n").unwrap().len(), 1);
    }
}
