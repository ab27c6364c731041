//! The time a plain line carries, for files that have lost CloudWatch's own stamps.
//!
//! Rule: only a time that leads the line, stands in a log format's own place, or is the request time of an access
//! line counts; numbers elsewhere in the text do not.

use super::json;
use crate::model::time::Timestamp;

/// The time of a line: a leading ISO time (alone or after a Python level), `requestTimeEpoch` or `requestTime` of a
/// JSON access line, the time of a line of the console's method test, or the bracketed time of a Common Log Format line.
#[must_use]
pub fn of_line(line: &str) -> Option<Timestamp> {
    let line = line.trim_start();
    if line.starts_with('{') {
        let mut epoch = None;
        let mut clf = None;
        json::scalars(line, |key, value| match key {
            "requestTimeEpoch" => epoch = value.parse().ok().map(Timestamp::from_epoch_guess),
            "requestTime" => clf = Timestamp::parse_clf(&value),
            _ => {}
        })?;
        return epoch.or(clf);
    }
    let mut tokens = line.split_ascii_whitespace();
    let first = tokens.next()?;
    if let Some(time) = Timestamp::parse_rfc3339(first) {
        return Some(time);
    }
    if first.starts_with('[') && first.ends_with(']') {
        return tokens.next().and_then(Timestamp::parse_rfc3339);
    }
    if let Some((time, _)) = line.split_once(" : ")
        && let Some(time) = Timestamp::parse_test_invoke(time)
    {
        return Some(time);
    }
    let (_, rest) = line.split_once('[')?;
    let (inside, _) = rest.split_once(']')?;
    Timestamp::parse_clf(inside)
}

/// A line with what a tool put before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Led<'a> {
    /// When the event happened.
    pub time: Timestamp,
    /// The stream, where the tool names it.
    pub stream: Option<&'a str>,
    /// The event's first line.
    pub text: &'a str,
}

/// Splits off what leads a line: a time and a blank in exports to S3, a time and a tab in what the console copies, a
/// time and the stream in `aws logs tail`, the stream and a time in `sam logs`. Lambda's own lines begin with a time
/// too; there it is part of the message, and a second one follows it.
#[must_use]
pub fn led(line: &str) -> Option<Led<'_>> {
    if !line.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let (first, rest) = line.split_once([' ', '\t'])?;
    if is_stream(first) {
        let (time, text) = rest.split_once(' ')?;
        return Some(Led { time: without_zone(time)?, stream: Some(first), text });
    }
    let time = Timestamp::parse_rfc3339(first)?;
    let tabbed = line.as_bytes()[first.len()] == b'\t';
    if is_own(rest, tabbed) {
        return None;
    }
    match rest.split_once(' ') {
        Some((second, text)) if is_stream(second) => Some(Led { time, stream: Some(second), text }),
        _ => Some(Led { time, stream: None, text: rest }),
    }
}

/// `2026-07-28T09:45:44.466000` in UTC, as `sam logs` writes it.
fn without_zone(word: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(word).or_else(|| Timestamp::parse_rfc3339(&format!("{word}Z")))
}

/// The name of a log stream of Lambda (`2026/07/28/[$LATEST]6301bb..`) or of API Gateway (32 hex digits).
fn is_stream(word: &str) -> bool {
    let is_hex = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let of_lambda = || {
        let date = word.as_bytes().first_chunk::<12>()?;
        let (_, hash) = word.split_once(']')?;
        Some(date[4] == b'/' && date[7] == b'/' && date[10..] == *b"/[" && is_hex(hash))
    };
    is_hex(word) || of_lambda() == Some(true)
}

/// What stands behind a time goes on as lines of Lambda's runtimes do: an ID, perhaps none, and a level.
fn is_own(rest: &str, tabbed: bool) -> bool {
    const LEVELS: &[&str] =
        &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "trce", "dbug", "info", "warn", "fail", "crit"];
    let mut words = rest.split_ascii_whitespace();
    let Some(first) = words.next() else { return false };
    if tabbed && (rest.starts_with('\t') || LEVELS.contains(&first)) {
        return true;
    }
    let is_uuid = first.len() == 36 && first.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    (is_uuid || first == "undefined")
        && (words.next().is_some_and(|level| LEVELS.contains(&level)) || rest.contains("Task timed out after"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_lines() {
        let t = Some(Timestamp::from_millis(1_785_231_944_000));
        for line in [
            "2026-07-28T09:45:44.000Z\tabc\tERROR\tx",
            "[ERROR]\t2026-07-28T09:45:44Z\tabc\tx",
            r#"{"requestTimeEpoch":"1785231944000","status":"200"}"#,
            r#"{"requestTimeEpoch":1785231944,"status":"200"}"#,
            r#"{"requestTime":"28/Jul/2026:09:45:44 +0000"}"#,
            "Tue Jul 28 09:45:44 UTC 2026 : Starting execution for request: a",
            r#"1.2.3.4 - - [28/Jul/2026:09:45:44 +0000] "GET /pets HTTP/1.1" 200 12 x"#,
        ] {
            assert_eq!(of_line(line), t, "{line}");
        }
        assert_eq!(of_line("REPORT RequestId: x Duration: 1 ms"), None);
        assert_eq!(of_line(""), None);
    }

    #[test]
    fn an_exports_time_is_split_off() {
        const LAMBDA: &str = "2026/07/28/[$LATEST]6301bbfca0c5154e0ff9bb510944fe0c";
        const GATEWAY: &str = "6301bbfca0c5154e0ff9bb510944fe0c";
        const ID: &str = "3ceaaf30-8142-48ea-91d9-3080f9b439fc";
        let shown =
            |line: &str| led(line).map(|l| (l.time.as_millis(), l.stream.map(str::to_owned), l.text.to_owned()));
        let start = "START RequestId: a Version: 1";
        for (line, stream) in [
            (format!("2026-07-28T09:45:44.466Z {start}"), None),
            (format!("2026-07-28T11:45:44.466+02:00\t{start}"), None),
            (format!("2026-07-28T09:45:44.466000+00:00 {LAMBDA} {start}"), Some(LAMBDA)),
            (format!("2026-07-28T09:45:44.466000+00:00 {GATEWAY} {start}"), Some(GATEWAY)),
            (format!("{LAMBDA} 2026-07-28T09:45:44.466000 {start}"), Some(LAMBDA)),
        ] {
            let want = (1_785_231_944_466, stream.map(str::to_owned), start.to_owned());
            assert_eq!(shown(&line), Some(want), "{line}");
        }
        let twice = format!("2026-07-28T09:45:44.466Z\t2026-07-28T09:45:44.465Z\t{ID}\tERROR\tx");
        assert!(shown(&twice).is_some_and(|l| l.2.starts_with("2026")));
        for own in [
            start.to_owned(),
            format!("2026-07-28T09:45:44.466Z\t{ID}\tERROR\tInvoke Error"),
            format!("2026-07-28T09:45:44.466Z {ID} Task timed out after 3.00 seconds"),
            "2026-07-28T09:45:44.466Z        undefined       ERROR   Uncaught Exception".to_owned(),
            "2026-07-28T09:45:44.466Z\t\tinfo\tx".to_owned(),
            "2026-07-28T09:45:44.466Z\tERROR\tmain.go:1\tx".to_owned(),
            "2026/07/28 09:45:44 é".to_owned(),
            "2026-07-28Té".to_owned(),
            format!("2026-07-28T09:45:44.466 {start}"),
            "2é26-07-28T09:4 x".to_owned(),
        ] {
            assert_eq!(shown(&own), None, "{own}");
        }
    }
}
