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

/// Splits a leading ISO time off, as exports to S3 write it. Lambda's own lines begin with a time
/// too; there the time is part of the message, and a second one follows it in an export.
#[must_use]
pub fn split_leading(line: &str) -> Option<(Timestamp, &str)> {
    let (first, rest) = line.split_once(' ')?;
    Some((Timestamp::parse_rfc3339(first)?, rest))
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
        let (time, rest) = split_leading("2026-07-28T09:45:44.466Z START RequestId: a Version: 1").unwrap();
        assert_eq!((time.as_millis(), rest), (1_785_231_944_466, "START RequestId: a Version: 1"));
        assert_eq!(split_leading("START RequestId: a"), None);
    }
}
