//! `[notify]` and `[[silence]]`: when messages are sent, and which are not; and the names that sinks and silences give.
//!
//! Not what they do: that is `notify/plan`. Rule: a silence that fits nothing by a typo is refused, because people would
//! believe in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::file::{SeverityWord, Span, between, count};
use super::problem::{ConfigError, Source};
use crate::model::time::Timestamp;
use crate::notify::plan::Settings;
use crate::notify::plan::bucket::Rate;
use crate::notify::plan::silence::{Glob, Silence};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyTable {
    group_wait: Option<Spanned<Span>>,
    group_interval: Option<Spanned<Span>>,
    group_max: Option<Spanned<u64>>,
    repeat: Option<Spanned<Span>>,
    repeat_max: Option<Spanned<Span>>,
    rate: Option<Spanned<f64>>,
    burst: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SilenceTable {
    api: Option<Spanned<String>>,
    rule: Option<Spanned<String>>,
    route: Option<Spanned<String>>,
    method: Option<Spanned<String>>,
    source: Option<Spanned<String>>,
    severity: Option<SeverityWord>,
    from: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
    comment: Option<String>,
}

/// What a sink or a silence may name.
#[derive(Debug)]
pub(super) struct Known {
    /// APIs.
    pub apis: BTreeSet<String>,
    /// Rules, on or off.
    pub rules: BTreeSet<String>,
}

/// The settings of messages, without the silences.
pub(super) fn notify(source: &Source<'_>, table: &NotifyTable) -> Result<Settings, ConfigError> {
    let defaults = Settings::default();
    let span = |value: &Option<_>, least, most, default| between(source, value.as_ref(), least, most, default);
    let repeat = span(&table.repeat, "0s", "168h", defaults.repeat)?;
    let repeat_max = span(&table.repeat_max, "1m", "168h", defaults.repeat_max.max(repeat))?;
    if let Some(max) = table.repeat_max.as_ref().filter(|_| repeat_max < repeat) {
        return Err(source.wrong(max.span(), "repeat_max is less than repeat: make it as long, or longer"));
    }
    Ok(Settings {
        group_wait: span(&table.group_wait, "0s", "1h", defaults.group_wait)?,
        group_interval: span(&table.group_interval, "0s", "24h", defaults.group_interval)?,
        group_max: count(source, table.group_max.as_ref(), 1, 100, defaults.group_max)?,
        repeat,
        repeat_max,
        rate: rate(source, table.rate.as_ref(), table.burst.as_ref(), defaults.rate)?,
        silences: Vec::new(),
    })
}

/// How many messages, of [notify] or of a sink.
pub(super) fn rate(
    source: &Source<'_>,
    rate: Option<&Spanned<f64>>,
    burst: Option<&Spanned<u64>>,
    default: Rate,
) -> Result<Rate, ConfigError> {
    let per_second = match rate {
        None => default.per_second,
        Some(rate) if (0.01..=100.0).contains(rate.get_ref()) => *rate.get_ref(),
        Some(rate) => {
            let wrong = format!("{} is out of range: 0.01 to 100 messages a second", rate.get_ref());
            return Err(source.wrong(rate.span(), wrong));
        }
    };
    let burst = count(source, burst, 1, 1000, default.burst as usize)?;
    Ok(Rate { per_second, burst: u32::try_from(burst).unwrap_or(u32::MAX) })
}

/// The silences.
pub(super) fn silences(
    source: &Source<'_>,
    tables: &[Spanned<SilenceTable>],
    known: &Known,
) -> Result<Vec<Silence>, ConfigError> {
    tables.iter().map(|table| silence(source, table, known)).collect()
}

fn silence(source: &Source<'_>, table: &Spanned<SilenceTable>, known: &Known) -> Result<Silence, ConfigError> {
    let SilenceTable { api, rule, route, method, source: group, severity, from, until, comment } = table.get_ref();
    let Some(until) = until else {
        return Err(source.wrong(table.span(), "a silence needs until, such as until = \"2026-12-01T00:00:00Z\""));
    };
    if [api, rule, route, method, group].iter().all(|matcher| matcher.is_none()) && severity.is_none() {
        let wrong =
            "a silence needs a matcher: api, rule, route, method, source or severity. All alerts are api = \"*\"";
        return Err(source.wrong(table.span(), wrong));
    }
    one_fits(source, api.as_ref(), &known.apis, "API")?;
    one_fits(source, rule.as_ref(), &known.rules, "rule")?;
    let ends = time(source, until)?;
    let begins = from.as_ref().map(|from| time(source, from)).transpose()?;
    if let Some(from) = from.as_ref().filter(|_| begins.is_some_and(|begins| begins >= ends)) {
        return Err(source.wrong(from.span(), format!("from is not before until (\"{}\")", until.get_ref())));
    }
    let glob = |text: &Option<Spanned<String>>| text.as_ref().map(|text| Glob::new(text.get_ref()));
    Ok(Silence {
        api: glob(api),
        rule: glob(rule),
        route: glob(route),
        method: method.as_ref().map(|text| Glob::new(&text.get_ref().to_ascii_uppercase())),
        source: glob(group),
        severity: severity.map(SeverityWord::severity),
        from: begins,
        until: ends,
        comment: comment.clone(),
    })
}

fn time(source: &Source<'_>, text: &Spanned<String>) -> Result<Timestamp, ConfigError> {
    let right = "write it with its zone, as \"2026-12-01T00:00:00Z\"";
    Timestamp::parse_rfc3339(text.get_ref())
        .ok_or_else(|| source.wrong(text.span(), format!("`{}` is no time: {right}", text.get_ref())))
}

/// A pattern must fit something that there is.
fn one_fits(
    source: &Source<'_>,
    pattern: Option<&Spanned<String>>,
    names: &BTreeSet<String>,
    what: &str,
) -> Result<(), ConfigError> {
    let Some(pattern) = pattern else { return Ok(()) };
    let glob = Glob::new(pattern.get_ref());
    if names.iter().any(|name| glob.matches(name)) {
        return Ok(());
    }
    Err(source.wrong(pattern.span(), none_such(pattern.get_ref(), names, what)))
}

/// Names that a sink gives; each must be known.
pub(super) fn names(
    source: &Source<'_>,
    given: Option<&Vec<Spanned<String>>>,
    known: &BTreeSet<String>,
    what: &str,
) -> Result<Option<Vec<Arc<str>>>, ConfigError> {
    let Some(given) = given else { return Ok(None) };
    if let Some(name) = given.iter().find(|name| !known.contains(name.get_ref())) {
        return Err(source.wrong(name.span(), none_such(name.get_ref(), known, what)));
    }
    Ok(Some(given.iter().map(|name| name.get_ref().as_str().into()).collect()))
}

fn none_such(name: &str, known: &BTreeSet<String>, what: &str) -> String {
    let all: Vec<_> = known.iter().map(String::as_str).collect();
    format!("there is no {what} `{name}`: there is {}", all.join(", "))
}
