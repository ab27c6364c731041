//! Lines that gatewatch itself wrote: recognised so that it never reads what it said.
//!
//! Rule: a line of somebody else is never taken for one, so each shape is looked at as a whole: the mark at its very
//! place, or the beginning and the end of a JSON object of ours. A line in which another program quotes one of ours is
//! that program's.

use crate::model::own::{JSON_LOG, JSON_MESSAGE, JSON_ORIGIN, MARK};
use crate::model::time::Timestamp;

/// Levels of log lines.
const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
/// Longest time of a log line, in bytes.
const TIME_MAX: usize = 35;

/// Whether gatewatch wrote this line.
#[must_use]
pub fn is_own(line: &str) -> bool {
    match line.as_bytes().first() {
        Some(b'g') => line.starts_with(MARK),
        Some(b'0'..=b'9') => is_log(line).unwrap_or(false),
        Some(b'{') => line.starts_with(JSON_LOG) || is_message(line),
        Some(_) | None => false,
    }
}

/// `2026-11-23T02:12:01.123456Z  INFO gatewatch| stopped`.
fn is_log(line: &str) -> Option<bool> {
    let (time, rest) = line.split_once(' ')?;
    let (level, said) = rest.trim_start().split_once(' ')?;
    let ours = said.starts_with(MARK) && LEVELS.contains(&level) && time.len() <= TIME_MAX && time.ends_with('Z');
    Some(ours && Timestamp::parse_rfc3339(time).is_some())
}

/// An `alert` object: how it begins is ours, and it ends with who sends it.
fn is_message(line: &str) -> bool {
    let Some((_, origin)) = line.strip_prefix(JSON_MESSAGE).and_then(|rest| rest.rsplit_once(JSON_ORIGIN)) else {
        return false;
    };
    origin.contains(r#","version":""#) && origin.trim_ascii_end().ends_with(r#""}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_lines_are_ours() {
        for line in [
            "gatewatch| HIGH POST /checkout 12.0% 5xx (3 of 25, 5m)",
            "gatewatch|   api shop, rule endpoint-5xx",
            "2026-11-23T02:12:01.123456Z  INFO gatewatch| stopped",
            "2026-11-23T02:12:01.123456Z ERROR gatewatch| message not delivered: x",
            r#"{"v":1,"type":"log","program":"gatewatch","timestamp":"2026-11-23T02:12:01.123456Z","level":"INFO"}"#,
            r#"{"v":1,"type":"alert","time":"2026-11-23T02:12:01.000Z","origin":{"host":null,"version":"0.1.0"}}"#,
        ] {
            assert!(is_own(line), "{line}");
        }
    }

    #[test]
    fn lines_of_others_are_theirs() {
        for line in [
            "",
            "gatewatch",
            "gatewatch: stopped",
            "gatewatch|stopped",
            "got gatewatch| HIGH POST /checkout",
            "INFO gatewatch| stopped",
            "2026-11-23T02:12:01.123456Z INFO stopped gatewatch| x",
            "2026-11-23T02:12:01.123456Z\t8e6f\tINFO\tgatewatch| x",
            "2026-11-23 INFO gatewatch| x",
            "2026-11-23T02:12:01.123456Z NOTICE gatewatch| x",
            r#"{"v":1,"type":"alert","time":"2026-11-23T02:12:01.000Z"}"#,
            r#"{"v":1,"type":"log","program":"shop","message":"gatewatch| x"}"#,
            r#"{"alert":{"v":1,"type":"alert","time":"x","origin":{"host":null,"version":"0.1.0"}}}"#,
            r#"[INFO] {"v":1,"type":"alert","time":"x","origin":{"host":null,"version":"0.1.0"}}"#,
            r#"{"requestId":"a","status":"502"}"#,
        ] {
            assert!(!is_own(line), "{line}");
        }
    }
}
