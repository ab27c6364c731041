//! `[[rule]]` tables: each overrides keys of the built-in rule of its name.
//!
//! Not what a rule does: that is `engine/rules`. Rule: a key that a rule does not have is refused, not passed over.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::file::{SeverityWord, Span, check_between, check_window, count};
use super::problem::{ConfigError, Source};
use crate::engine::rules::{Ladder, Rule, SourceBlind};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleTable {
    name: Spanned<String>,
    enabled: Option<bool>,
    window: Option<Spanned<Span>>,
    min_samples: Option<Spanned<u64>>,
    min_errors: Option<Spanned<u64>>,
    severity: Option<Spanned<Severities>>,
    r#for: Option<Spanned<Span>>,
    keep_firing_for: Option<Spanned<Span>>,
    clear_ratio: Option<Spanned<f64>>,
}

/// A ladder, or one word where a rule has no ladder.
#[derive(Debug)]
enum Severities {
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeverityTable {
    elevated: f64,
    high: f64,
    critical: f64,
}

/// The names of all rules, on or off.
pub(super) fn names(window: Duration) -> BTreeSet<String> {
    let built_in = Rule::built_in(window);
    built_in.iter().map(|rule| &*rule.name).chain([SourceBlind::NAME]).map(str::to_owned).collect()
}

/// The built-in rules with what the tables change; of each only if it is on.
pub(super) fn rules(
    source: &Source<'_>,
    tables: &[Spanned<RuleTable>],
    built_in: Vec<Rule>,
) -> Result<(Vec<Rule>, Option<SourceBlind>), ConfigError> {
    let known: Vec<_> = built_in.iter().map(|r| &*r.name).chain([SourceBlind::NAME]).map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    let mut off = BTreeSet::new();
    let mut rules = built_in;
    let mut source_blind = SourceBlind::default();
    for table in tables.iter().map(Spanned::get_ref) {
        let name = table.name.get_ref();
        if !seen.insert(name) {
            return Err(source.wrong(table.name.span(), format!("two rules are named `{name}`: put them together")));
        }
        if let Some(rule) = rules.iter_mut().find(|r| *r.name == **name) {
            change(source, table, rule)?;
        } else if name == SourceBlind::NAME {
            source_blind = change_source_blind(source, table, source_blind)?;
        } else {
            let wrong = format!("there is no rule `{name}`; the rules are {}", known.join(", "));
            return Err(source.wrong(table.name.span(), wrong));
        }
        if table.enabled == Some(false) {
            off.insert(name.as_str());
        }
    }
    rules.retain(|r| !off.contains(&*r.name));
    Ok((rules, Some(source_blind).filter(|_| !off.contains(SourceBlind::NAME))))
}

fn change_source_blind(source: &Source<'_>, table: &RuleTable, rule: SourceBlind) -> Result<SourceBlind, ConfigError> {
    let at = |key: &'static str, place: Option<Range<usize>>| place.map(|place| (key, place));
    let foreign = [
        at("window", table.window.as_ref().map(Spanned::span)),
        at("min_samples", table.min_samples.as_ref().map(Spanned::span)),
        at("min_errors", table.min_errors.as_ref().map(Spanned::span)),
        at("keep_firing_for", table.keep_firing_for.as_ref().map(Spanned::span)),
        at("clear_ratio", table.clear_ratio.as_ref().map(Spanned::span)),
    ];
    if let Some((key, place)) = foreign.into_iter().flatten().next() {
        let wrong = format!("`{}` has no {key}: its keys are enabled, for and severity", SourceBlind::NAME);
        return Err(source.wrong(place, wrong));
    }
    let severity = match table.severity.as_ref().map(|s| (s.get_ref(), s.span())) {
        None => rule.severity,
        Some((Severities::One(word), _)) => word.severity(),
        Some((Severities::Ladder(_), place)) => {
            let wrong = format!("`{}` has no rungs: write one severity, such as \"high\"", SourceBlind::NAME);
            return Err(source.wrong(place, wrong));
        }
    };
    Ok(SourceBlind { hold: check_between(source, table.r#for.as_ref(), "1h", rule.hold)?, severity })
}

fn change(source: &Source<'_>, table: &RuleTable, rule: &mut Rule) -> Result<(), ConfigError> {
    if let Some(window) = &table.window {
        rule.window = check_window(source, window)?;
    }
    let number = |value: Option<&Spanned<u64>>, default: u64| {
        let default = usize::try_from(default).unwrap_or(usize::MAX);
        count(source, value, 1, 1_000_000_000, default).map(|n| n as u64)
    };
    rule.min_requests = number(table.min_samples.as_ref(), rule.min_requests)?;
    rule.min_errors = number(table.min_errors.as_ref(), rule.min_errors)?;
    rule.hold = check_between(source, table.r#for.as_ref(), "1h", rule.hold)?;
    rule.keep_firing = check_between(source, table.keep_firing_for.as_ref(), "24h", rule.keep_firing)?;
    if let Some(severity) = &table.severity {
        let Severities::Ladder(s) = severity.get_ref() else {
            let right = "severity = { elevated = 0.01, high = 0.05, critical = 0.15 }";
            return Err(source.wrong(severity.span(), format!("`{}` has a severity for each rung: {right}", rule.name)));
        };
        if !(0.0 < s.elevated && s.elevated <= s.high && s.high <= s.critical && s.critical < 1.0) {
            let right = "the rungs are shares between 0 and 1 that rise: elevated <= high <= critical";
            let wrong = format!("{}, {}, {} is no ladder: {right}", s.elevated, s.high, s.critical);
            return Err(source.wrong(severity.span(), wrong));
        }
        rule.ladder = Ladder { elevated: Some(s.elevated), high: Some(s.high), critical: Some(s.critical) };
    }
    if let Some(ratio) = &table.clear_ratio {
        let value = *ratio.get_ref();
        if !(0.0..=1.0).contains(&value) {
            return Err(source.wrong(ratio.span(), format!("{value} is out of range: 0 to 1")));
        }
        rule.clear_ratio = value;
    }
    Ok(())
}
