//! What a sink has taken, as a line of the log says it: that outlives a process without a disk.
//!
//! Not the message: that is printed where there is a stdout sink. Rule: one line for each message that a sink has taken,
//! said after it has; whoever reads such lines back knows them, as text and as JSON.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::message::Message;
use crate::model::own::{JSON_LOG, MARK};

/// How it begins.
const BEGIN: &str = "told: episode ";
/// Between episode and number.
const NUMBER: &str = ", message ";
/// Before the sink's name, which may hold anything.
const SINK: &str = ", to ";

/// A sink has taken a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt {
    /// The episode of the message.
    pub episode: Arc<str>,
    /// Its number, from 1 within its episode.
    pub seq: u32,
    /// The sink's name.
    pub sink: Arc<str>,
}

impl Receipt {
    /// This sink has taken this message.
    #[must_use]
    pub fn of(sink: &str, message: &Message) -> Self {
        Self { episode: Arc::clone(message.episode()), seq: message.seq(), sink: sink.into() }
    }

    /// From a line of the log, if it is one.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Log {
            message: String,
        }
        if line.starts_with(JSON_LOG) {
            return Self::parse(&serde_json::from_str::<Log>(line).ok()?.message);
        }
        // `2026-11-23T02:12:01.123456Z  INFO gatewatch| ..`
        let (level, said) = line.split_once(MARK)?;
        if level.split_whitespace().nth(1) == Some("INFO") { Self::parse(said) } else { None }
    }

    fn parse(said: &str) -> Option<Self> {
        let (episode, rest) = said.strip_prefix(BEGIN)?.split_once(NUMBER)?;
        let (seq, sink) = rest.split_once(SINK)?;
        Some(Self { episode: episode.into(), seq: seq.parse().ok()?, sink: sink.into() })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { episode, seq, sink } = self;
        write!(f, "{BEGIN}{episode}{NUMBER}{seq}{SINK}{sink}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        Receipt { episode: "e79a46232cfb".into(), seq: 2, sink: "arn:aws:sns:eu-west-1:111122223333:a, to b".into() }
    }

    #[test]
    fn it_is_read_as_it_is_said() {
        let said = receipt().to_string();
        let text = format!("2026-11-23T02:12:01.123456Z  INFO gatewatch| {said}");
        assert_eq!(Receipt::read(&text), Some(receipt()));
        let json =
            format!(r#"{JSON_LOG}"timestamp":"2026-11-23T02:12:01.123456Z","level":"INFO","message":"{said}"}}"#);
        assert_eq!(Receipt::read(&json), Some(receipt()));
    }

    #[test]
    fn other_lines_are_none() {
        let said = receipt().to_string();
        for line in [
            String::new(),
            said.clone(),
            format!("gatewatch| {said}"),
            format!("2026-11-23T02:12:01.123456Z ERROR gatewatch| it was: {said}"),
            format!("2026-11-23T02:12:01.123456Z ERROR gatewatch| {said}"),
            format!("2026-11-23T02:12:01.123456Z  INFO gatewatch| {}", said.replace("message 2", "message x")),
            format!(r#"{JSON_LOG}"message":{{}}}}"#),
        ] {
            assert_eq!(Receipt::read(&line), None, "{line}");
        }
    }
}
