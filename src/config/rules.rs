//! `[[rule]]` tables: each overrides keys of the built-in rule of its name.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::file::{Span, check_between, check_window, count};
use super::problem::{ConfigError, Source};
use crate::engine::rules::{Ladder, Rule};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleTable {
    name: Spanned<String>,
    enabled: Option<bool>,
    window: Option<Spanned<Span>>,
    min_samples: Option<Spanned<u64>>,
    min_errors: Option<Spanned<u64>>,
    severity: Option<Spanned<SeverityTable>>,
    r#for: Option<Spanned<Span>>,
    keep_firing_for: Option<Spanned<Span>>,
    clear_ratio: Option<Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeverityTable {
    elevated: f64,
    high: f64,
    critical: f64,
}

/// The built-in rules with what the tables change.
pub(super) fn rules(
    source: &Source<'_>,
    tables: &[Spanned<RuleTable>],
    built_in: Vec<Rule>,
) -> Result<Vec<Rule>, ConfigError> {
    let known: Vec<_> = built_in.iter().map(|r| r.name.to_string()).collect();
    let mut seen = BTreeSet::new();
    let mut off = BTreeSet::new();
    let mut rules = built_in;
    for table in tables.iter().map(Spanned::get_ref) {
        let name = table.name.get_ref();
        if !seen.insert(name) {
            return Err(source.wrong(table.name.span(), format!("two rules are named `{name}`: put them together")));
        }
        let Some(rule) = rules.iter_mut().find(|r| *r.name == **name) else {
            let wrong = format!("there is no rule `{name}`; the rules are {}", known.join(", "));
            return Err(source.wrong(table.name.span(), wrong));
        };
        change(source, table, rule)?;
        if table.enabled == Some(false) {
            off.insert(name.as_str());
        }
    }
    rules.retain(|r| !off.contains(&*r.name));
    Ok(rules)
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
        let s = severity.get_ref();
        if !(0.0 < s.elevated && s.elevated <= s.high && s.high <= s.critical && s.critical < 1.0) {
            let right = "the rungs are shares between 0 and 1 that rise: elevated <= high <= critical";
            let wrong = format!("{}, {}, {} is no ladder: {right}", s.elevated, s.high, s.critical);
            return Err(source.wrong(severity.span(), wrong));
        }
        rule.ladder = Ladder { elevated: s.elevated, high: s.high, critical: s.critical };
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
