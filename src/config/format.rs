//! The `format` word of a `[[sink]]`.
//!
//! Rule: a word that a kind of sink cannot write is refused with those that it can.

use serde::{Deserialize, Deserializer};

use super::word::word;
use crate::notify::sink::stdout::StdoutFormat;
use crate::notify::sns::Format;

/// How messages are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum FormatWord {
    Auto,
    Text,
    Json,
    Chat,
    CloudwatchAlarm,
    PerProtocol,
}

/// By hand, so that a mistake is told in plain words.
impl<'de> Deserialize<'de> for FormatWord {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        word(
            de,
            "format",
            &[
                ("auto", Self::Auto),
                ("text", Self::Text),
                ("json", Self::Json),
                ("chat", Self::Chat),
                ("cloudwatch-alarm", Self::CloudwatchAlarm),
                ("per-protocol", Self::PerProtocol),
            ],
        )
    }
}

impl FormatWord {
    /// For a sink of kind `stdout`.
    pub(super) const fn of_stdout(self) -> Result<StdoutFormat, &'static str> {
        match self {
            Self::Auto => Ok(StdoutFormat::Auto),
            Self::Text => Ok(StdoutFormat::Text),
            Self::Json => Ok(StdoutFormat::Json),
            Self::Chat | Self::CloudwatchAlarm | Self::PerProtocol => {
                Err("a sink of kind \"stdout\" writes \"auto\", \"text\" or \"json\"")
            }
        }
    }

    /// For a sink of kind `sns`.
    pub(super) const fn of_sns(self) -> Result<Format, &'static str> {
        match self {
            Self::Text => Ok(Format::Text),
            Self::Json => Ok(Format::Json),
            Self::Chat => Ok(Format::Chat),
            Self::CloudwatchAlarm => Ok(Format::CloudwatchAlarm),
            Self::PerProtocol => Ok(Format::PerProtocol),
            Self::Auto => Err("a sink of kind \"sns\" writes \"text\", \"json\", \"chat\", \"cloudwatch-alarm\" or \
                               \"per-protocol\""),
        }
    }
}
