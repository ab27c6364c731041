//! `[[rule]]` tables: each changes keys of a rule, for all APIs or one, or makes a rule like a built-in one.
//!
//! Not what a rule does: that is `engine/rules`; not what a key means for one: that is [`change`]. Rule: a key that a
//! rule does not have is refused, not passed over.

mod change;
mod rungs;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

#[cfg(test)]
pub(super) use self::change::keys;
use self::change::{change, change_source_blind};
use self::rungs::Severities;
use super::file::Span;
use super::problem::{ConfigError, Source};
use super::word::word;
use crate::engine::rules::{Rule, Rules, SourceBlind};
use crate::model::alert::Measure;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleTable {
    name: Spanned<String>,
    like: Option<Spanned<String>>,
    api: Option<Spanned<String>>,
    enabled: Option<bool>,
    by: Option<Spanned<ByWord>>,
    window: Option<Spanned<Span>>,
    min_samples: Option<Spanned<u64>>,
    min_errors: Option<Spanned<u64>>,
    confidence: Option<Spanned<f64>>,
    low_traffic: Option<Spanned<LowTrafficWord>>,
    severity: Option<Spanned<Severities>>,
    r#for: Option<Spanned<Span>>,
    keep_firing_for: Option<Spanned<Span>>,
    clear_ratio: Option<Spanned<f64>>,
    count: Option<Spanned<u64>>,
    quantile: Option<Spanned<f64>>,
    over: Option<Spanned<Span>>,
    below: Option<Spanned<f64>>,
    before: Option<Spanned<Longer>>,
    objective: Option<Spanned<f64>>,
    windows: Option<Spanned<PairTable>>,
    learn: Option<Spanned<Span>>,
}

#[derive(Clone, Copy, Debug)]
enum ByWord {
    Endpoint,
    Api,
}

/// By hand, so that a mistake is told in plain words.
impl<'de> Deserialize<'de> for ByWord {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        word(de, "way to look", &[("endpoint", Self::Endpoint), ("api", Self::Api)])
    }
}

/// Another window, and the requests it needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Longer {
    window: Option<Spanned<Span>>,
    min_samples: Option<Spanned<u64>>,
}

/// A longer look, or `false` for none.
#[derive(Debug)]
enum LowTrafficWord {
    Off,
    Look(Longer),
}

/// A long and a short window for each rung.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PairTable {
    elevated: Option<Spanned<[Span; 2]>>,
    high: Option<Spanned<[Span; 2]>>,
    critical: Option<Spanned<[Span; 2]>>,
}

impl RuleTable {
    /// The keys that say something of the rule itself, as far as they are given, and where they stand.
    fn given(&self) -> impl Iterator<Item = (&'static str, Range<usize>)> {
        fn at<T>(key: &'static str, value: Option<&Spanned<T>>) -> Option<(&'static str, Range<usize>)> {
            value.map(|value| (key, value.span()))
        }
        [
            at("by", self.by.as_ref()),
            at("window", self.window.as_ref()),
            at("min_samples", self.min_samples.as_ref()),
            at("min_errors", self.min_errors.as_ref()),
            at("confidence", self.confidence.as_ref()),
            at("low_traffic", self.low_traffic.as_ref()),
            at("severity", self.severity.as_ref()),
            at("for", self.r#for.as_ref()),
            at("keep_firing_for", self.keep_firing_for.as_ref()),
            at("clear_ratio", self.clear_ratio.as_ref()),
            at("count", self.count.as_ref()),
            at("quantile", self.quantile.as_ref()),
            at("over", self.over.as_ref()),
            at("below", self.below.as_ref()),
            at("before", self.before.as_ref()),
            at("objective", self.objective.as_ref()),
            at("windows", self.windows.as_ref()),
            at("learn", self.learn.as_ref()),
        ]
        .into_iter()
        .flatten()
    }

    fn is_of(&self, api: Option<&str>) -> bool {
        self.api.as_ref().map(|api| api.get_ref().as_str()) == api
    }
}

/// What the tables come to.
pub(super) struct Resolved {
    pub(super) rules: Rules,
    pub(super) source_blind: Option<SourceBlind>,
}

/// The names of all rules, on or off.
pub(super) fn known(tables: &[Spanned<RuleTable>], window: Duration) -> BTreeSet<String> {
    let built_in = Rule::built_in(window);
    let given = tables.iter().map(|table| table.get_ref().name.get_ref().as_str());
    built_in.iter().map(|rule| &*rule.name).chain([SourceBlind::NAME]).chain(given).map(str::to_owned).collect()
}

/// The built-in rules with what the tables change: first for all APIs, then for each on top of that.
pub(super) fn rules(
    source: &Source<'_>,
    tables: &[Spanned<RuleTable>],
    built_in: &[Rule],
    apis: &[&str],
) -> Result<Resolved, ConfigError> {
    let tables: Vec<&RuleTable> = tables.iter().map(Spanned::get_ref).collect();
    let mut seen = BTreeSet::new();
    let mut named = BTreeSet::new();
    for table in &tables {
        let api = table.api.as_ref();
        if let Some(unknown) = api.filter(|api| !apis.contains(&api.get_ref().as_str())) {
            let wrong = format!("there is no API `{}`; the APIs are {}", unknown.get_ref(), apis.join(", "));
            return Err(source.wrong(unknown.span(), wrong));
        }
        let api = api.map(|api| api.get_ref().as_str());
        named.extend(api);
        if !seen.insert((table.name.get_ref(), api)) {
            let wrong = format!("two rules are named `{}`: put them together", table.name.get_ref());
            return Err(source.wrong(table.name.span(), wrong));
        }
    }
    let mut scope = Scope { source, built_in, rules: built_in.to_vec(), blind: Some(SourceBlind::default()) };
    scope.apply(tables.iter().copied().filter(|table| table.is_of(None)))?;
    let mut resolved = Resolved { rules: scope.rules.clone().into(), source_blind: scope.blind };
    for api in named {
        let mut own = Scope { rules: scope.rules.clone(), ..scope };
        own.apply(tables.iter().copied().filter(|table| table.is_of(Some(api))))?;
        resolved.rules.tune(api, own.rules);
        if own.blind != scope.blind {
            resolved.rules.tune_blind(api, own.blind);
        }
    }
    Ok(resolved)
}

/// The rules of all APIs, or of one.
struct Scope<'a> {
    source: &'a Source<'a>,
    built_in: &'a [Rule],
    rules: Vec<Rule>,
    blind: Option<SourceBlind>,
}

impl Scope<'_> {
    fn apply<'t>(&mut self, tables: impl Iterator<Item = &'t RuleTable>) -> Result<(), ConfigError> {
        let mut slow: Option<&RuleTable> = None;
        for table in tables {
            if *table.name.get_ref() == SourceBlind::NAME {
                self.apply_blind(table)?;
                continue;
            }
            let at = self.place(table)?;
            let rule = &mut self.rules[at];
            change(self.source, table, rule)?;
            let gives_objective = table.objective.is_some();
            rule.on = table.enabled.unwrap_or(rule.on || gives_objective);
            if rule.on && rule.measure == (Measure::BurnRate { objective: 0.0 }) {
                let wrong = format!("`{}` needs an objective, such as objective = 0.999", rule.name);
                return Err(self.source.wrong(table.name.span(), wrong));
            }
            if matches!(rule.measure, Measure::Slow { .. }) {
                slow = Some(table);
            }
        }
        let is_slow = |rule: &&Rule| rule.on && matches!(rule.measure, Measure::Slow { .. });
        let mut all = self.rules.iter().filter(is_slow);
        let first = all.next();
        match (first, all.find(|rule| first.is_some_and(|first| first.measure != rule.measure)), slow) {
            (Some(one), Some(other), Some(table)) => {
                let span = table.over.as_ref().map_or_else(|| table.name.span(), Spanned::span);
                let wrong = format!(
                    "`{}` and `{}` differ in over: what is slow is counted once for each API, so give them the same",
                    one.name, other.name
                );
                Err(self.source.wrong(span, wrong))
            }
            _ => Ok(()),
        }
    }

    fn apply_blind(&mut self, table: &RuleTable) -> Result<(), ConfigError> {
        let changed = change_source_blind(self.source, table, self.blind.unwrap_or_default())?;
        self.blind = table.enabled.unwrap_or(self.blind.is_some()).then_some(changed);
        Ok(())
    }

    /// Where the rule stands that a table is about; a new one is made.
    fn place(&mut self, table: &RuleTable) -> Result<usize, ConfigError> {
        let name = table.name.get_ref();
        let known = self.rules.iter().position(|rule| *rule.name == **name);
        match (known, &table.like) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(like)) => {
                let wrong = format!("`{name}` is there already: leave out like, or give the new rule another name");
                Err(self.source.wrong(like.span(), wrong))
            }
            (None, None) => {
                let wrong = format!(
                    "there is no rule `{name}`; the rules are {}, {}. A rule of your own says which it is like: like = \
                     \"latency\"",
                    names(self.built_in),
                    SourceBlind::NAME
                );
                Err(self.source.wrong(table.name.span(), wrong))
            }
            (None, Some(_)) if name.trim().is_empty() => {
                Err(self.source.wrong(table.name.span(), "name must not be empty"))
            }
            (None, Some(like)) => {
                let Some(model) = self.built_in.iter().find(|rule| *rule.name == **like.get_ref()) else {
                    let names = names(self.built_in);
                    let wrong = format!("there is no rule `{}` to be like; there are {names}", like.get_ref());
                    return Err(self.source.wrong(like.span(), wrong));
                };
                self.rules.push(Rule { name: name.as_str().into(), on: true, ..model.clone() });
                Ok(self.rules.len() - 1)
            }
        }
    }
}

fn names(rules: &[Rule]) -> String {
    rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>().join(", ")
}
