//! The file as it was written, and how it becomes settings.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::api::{ApiTable, apis};
use super::notify::Known;
use super::problem::{ConfigError, Source};
use super::rules::RuleTable;
use super::sinks::SinkTable;
use super::word::word;
use super::{Config, WINDOW_MAX};
use crate::engine::rules::Rule;
use crate::engine::window::SLOT;
use crate::model::alert::Severity;
use crate::model::time::{human, parse_human};
use crate::notify::plan;

/// A duration as text, such as `"30s"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let text = String::deserialize(de)?;
        parse_human(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    region: Option<Spanned<String>>,
    role_arn: Option<Spanned<String>>,
    state_dir: Option<Spanned<String>>,
    window: Option<Spanned<Span>>,
    max_endpoints: Option<Spanned<u64>>,
    max_invocations: Option<Spanned<u64>>,
    #[serde(default)]
    allow_own_log_group: bool,
    #[serde(default)]
    http: super::http::HttpTable,
    #[serde(default)]
    log: super::LogConfig,
    #[serde(default)]
    poll: super::poll::PollTable,
    #[serde(default)]
    notify: super::notify::NotifyTable,
    #[serde(default)]
    api: Vec<Spanned<ApiTable>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleTable>>,
    #[serde(default)]
    sink: Vec<Spanned<SinkTable>>,
    #[serde(default)]
    silence: Vec<Spanned<super::notify::SilenceTable>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum SeverityWord {
    Elevated,
    High,
    Critical,
}

/// By hand, so that a mistake is told in plain words.
impl<'de> Deserialize<'de> for SeverityWord {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        word(de, "severity", &[("elevated", Self::Elevated), ("high", Self::High), ("critical", Self::Critical)])
    }
}

impl SeverityWord {
    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::Elevated => Severity::Elevated,
            Self::High => Severity::High,
            Self::Critical => Severity::Critical,
        }
    }
}

impl File {
    pub(super) fn into_config(self, source: &Source<'_>) -> Result<Config, ConfigError> {
        let defaults = Config::default();
        let window = match &self.window {
            Some(window) => check_window(source, window)?,
            None => defaults.window,
        };
        let apis = apis(source, &self.api)?;
        let names: Vec<_> = apis.iter().map(|api| api.name.as_str()).collect();
        let rules = super::rules::rules(source, &self.rule, &Rule::built_in(window), &names)?;
        let known = Known {
            apis: names.iter().map(|name| (*name).to_owned()).collect(),
            rules: super::rules::known(&self.rule, window),
        };
        let notify = super::notify::notify(source, &self.notify)?;
        let sinks = super::sinks::sinks(source, &self.sink, &known, notify.rate, defaults.sinks)?;
        let silences = super::notify::silences(source, &self.silence, &known)?;
        let config = Config {
            region: self.region.map(|r| filled(source, &r, "region")).transpose()?,
            window,
            role_arn: self.role_arn.as_ref().map(|r| role_arn(source, r)).transpose()?,
            state_dir: self.state_dir.map(|d| filled(source, &d, "state_dir")).transpose()?.map(Into::into),
            log: self.log,
            http: super::http::http(source, &self.http, &defaults.http)?,
            allow_own_log_group: self.allow_own_log_group,
            own_log_group: None,
            poll: super::poll::poll(source, &self.poll, &defaults.poll)?,
            max_endpoints: count(source, self.max_endpoints.as_ref(), 1, 100_000, defaults.max_endpoints)?,
            max_invocations: count(source, self.max_invocations.as_ref(), 100, 10_000_000, defaults.max_invocations)?,
            notify: plan::Settings { silences, ..notify },
            apis,
            rules: rules.rules,
            source_blind: rules.source_blind,
            sinks,
        };
        if let Some(why) = config.too_much(config.region.as_deref()) {
            return Err(source.missing(why));
        }
        Ok(config)
    }
}

/// `arn:aws:iam::111122223333:role/NAME`, in any partition.
pub(super) fn role_arn(source: &Source<'_>, arn: &Spanned<String>) -> Result<String, ConfigError> {
    let parts: Vec<&str> = arn.get_ref().splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, role] if account.len() == 12 && role.starts_with("role/") => {
            Ok(arn.get_ref().clone())
        }
        _ => {
            let right = "write it as \"arn:aws:iam::111122223333:role/gatewatch\"";
            Err(source.wrong(arn.span(), format!("`{}` is no role's ARN: {right}", arn.get_ref())))
        }
    }
}

/// Text that is not empty.
pub(super) fn filled(source: &Source<'_>, text: &Spanned<String>, key: &str) -> Result<String, ConfigError> {
    if text.get_ref().trim().is_empty() {
        return Err(source.wrong(text.span(), format!("{key} must not be empty")));
    }
    Ok(text.get_ref().clone())
}

pub(super) fn between(
    source: &Source<'_>,
    value: Option<&Spanned<Span>>,
    least: &str,
    most: &str,
    default: Duration,
) -> Result<Duration, ConfigError> {
    let Some(value) = value else { return Ok(default) };
    let bound = |text| parse_human(text).expect("the bounds are durations");
    let span = value.get_ref().0;
    if span < bound(least) || span > bound(most) {
        return Err(source.wrong(value.span(), format!("{} is out of range: {least} to {most}", human(span))));
    }
    Ok(span)
}

pub(super) fn check_between(
    source: &Source<'_>,
    value: Option<&Spanned<Span>>,
    most: &str,
    default: Duration,
) -> Result<Duration, ConfigError> {
    between(source, value, "0s", most, default)
}

/// A window is a whole number of slots.
pub(super) fn check_window(source: &Source<'_>, window: &Spanned<Span>) -> Result<Duration, ConfigError> {
    let span = window.get_ref().0;
    let whole = span.as_millis().is_multiple_of(SLOT.as_millis());
    if span < SLOT || span > WINDOW_MAX || !whole {
        let right = format!("a window is a multiple of 10s, from 10s to {}", human(WINDOW_MAX));
        return Err(source.wrong(window.span(), format!("{} is no window: {right}", human(span))));
    }
    Ok(span)
}

pub(super) fn count(
    source: &Source<'_>,
    value: Option<&Spanned<u64>>,
    least: u64,
    most: u64,
    default: usize,
) -> Result<usize, ConfigError> {
    let Some(value) = value else { return Ok(default) };
    let n = *value.get_ref();
    if !(least..=most).contains(&n) {
        return Err(source.wrong(value.span(), format!("{n} is out of range: {least} to {most}")));
    }
    Ok(usize::try_from(n).unwrap_or(usize::MAX))
}
