//! `severity` of a rule: one word, or a rung for each severity.
//!
//! Not which of both a rule takes: that is `change`. Rule: a rung is read in the unit of what the rule measures, and a
//! ladder rises.

use std::fmt;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{Longer, LowTrafficWord};
use crate::config::file::SeverityWord;
use crate::config::problem::{ConfigError, Source};
use crate::engine::rules::Ladder;
use crate::model::time::{human, parse_human};

/// A ladder, or one word where a rule has a single rung.
#[derive(Debug)]
pub(super) enum Severities {
    Ladder(SeverityTable),
    One(SeverityWord),
}

/// By hand, because an untagged enum forgets what was wrong inside.
impl<'de> Deserialize<'de> for Severities {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Severities;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a severity, or a table with one for each rung")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Severities, E> {
                SeverityWord::deserialize(StrDeserializer::new(word)).map(Severities::One)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Severities, A::Error> {
                SeverityTable::deserialize(MapAccessDeserializer::new(map)).map(Severities::Ladder)
            }
        }

        de.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for LowTrafficWord {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = LowTrafficWord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("false, or a table such as { window = \"30m\", min_samples = 5 }")
            }

            fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<LowTrafficWord, E> {
                let none = Longer { window: None, min_samples: None };
                Ok(if on { LowTrafficWord::Look(none) } else { LowTrafficWord::Off })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LowTrafficWord, A::Error> {
                Longer::deserialize(MapAccessDeserializer::new(map)).map(LowTrafficWord::Look)
            }
        }

        de.deserialize_any(Either)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeverityTable {
    elevated: Option<Rung>,
    high: Option<Rung>,
    critical: Option<Rung>,
}

/// A number, or a duration as text.
#[derive(Clone, Copy, Debug)]
enum Rung {
    Number(f64),
    Span(Duration),
}

impl<'de> Deserialize<'de> for Rung {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Rung;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a duration such as \"3s\"")
            }

            fn visit_f64<E>(self, number: f64) -> Result<Rung, E> {
                Ok(Rung::Number(number))
            }

            #[expect(clippy::cast_precision_loss)]
            fn visit_i64<E>(self, number: i64) -> Result<Rung, E> {
                Ok(Rung::Number(number as f64))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Rung, E> {
                parse_human(text).map(Rung::Span).map_err(E::custom)
            }
        }

        de.deserialize_any(Either)
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Span(span) => f.write_str(&human(*span)),
        }
    }
}

/// What the rungs of a rule are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A share of requests.
    Share,
    /// Times the rate that is allowed.
    Times,
    /// A latency.
    Latency,
}

impl Unit {
    const fn right(self) -> &'static str {
        match self {
            Self::Share => "the rungs are shares between 0 and 1 that rise: elevated <= high <= critical",
            Self::Times => "the rungs are numbers above 0 that rise: elevated <= high <= critical",
            Self::Latency => "the rungs are durations from \"1ms\" to \"15m\" that rise: elevated <= high <= critical",
        }
    }

    fn read(self, rung: Rung) -> Option<f64> {
        match (self, rung) {
            (Self::Share, Rung::Number(n)) => Some(n).filter(|n| *n > 0.0 && *n < 1.0),
            (Self::Times, Rung::Number(n)) => Some(n).filter(|n| *n > 0.0 && *n < 1e6),
            (Self::Latency, Rung::Span(span)) => {
                let fits = (Duration::from_millis(1)..=Duration::from_mins(15)).contains(&span);
                fits.then_some(span.as_secs_f64() * 1000.0)
            }
            (Self::Share | Self::Times, Rung::Span(_)) | (Self::Latency, Rung::Number(_)) => None,
        }
    }
}

/// The ladder of a table.
pub(super) fn ladder(source: &Source<'_>, table: &Spanned<Severities>, unit: Unit) -> Result<Ladder, ConfigError> {
    let Severities::Ladder(s) = table.get_ref() else {
        let right = match unit {
            Unit::Share => "severity = { elevated = 0.01, high = 0.05, critical = 0.15 }",
            Unit::Times => "severity = { elevated = 1.0, high = 6.0, critical = 14.4 }",
            Unit::Latency => "severity = { high = \"3s\" }",
        };
        return Err(source.wrong(table.span(), format!("this rule has a severity for each rung: {right}")));
    };
    let given = [s.elevated, s.high, s.critical];
    let read = given.map(|rung| rung.and_then(|rung| unit.read(rung)));
    let rises = read.iter().flatten().is_sorted();
    let all_read = given.iter().flatten().count() == read.iter().flatten().count();
    if !(rises && all_read && read.iter().any(Option::is_some)) {
        let said: Vec<_> = given.iter().flatten().map(ToString::to_string).collect();
        let said = if said.is_empty() { "an empty table".to_owned() } else { said.join(", ") };
        return Err(source.wrong(table.span(), format!("{said} is no ladder: {}", unit.right())));
    }
    let [elevated, high, critical] = read;
    Ok(Ladder { elevated, high, critical })
}
