//! The file as it was written, and how it becomes settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::notify::Known;
use super::problem::{ConfigError, Source};
use super::rules::RuleTable;
use super::sinks::SinkTable;
use super::word::word;
use super::{ALL_GROUPS_MAX, APIS_MAX, ApiConfig, Config, GROUPS_MAX, WINDOW_MAX, group_name, shared_access_groups};
use crate::engine::rules::Rule;
use crate::engine::window::SLOT;
use crate::model::alert::Severity;
use crate::model::inventory::ApiKind;
use crate::model::time::{human, parse_human};
use crate::notify::plan;
use crate::read::Template;
use crate::tail::groups::Pattern;

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
enum ApiType {
    Auto,
    Rest,
    Http,
    Websocket,
}

/// By hand, so that a mistake is told in plain words.
impl<'de> Deserialize<'de> for ApiType {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        word(
            de,
            "type of an API",
            &[("auto", Self::Auto), ("rest", Self::Rest), ("http", Self::Http), ("websocket", Self::Websocket)],
        )
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiTable {
    name: Spanned<String>,
    r#type: Option<ApiType>,
    region: Option<Spanned<String>>,
    role_arn: Option<Spanned<String>>,
    #[serde(default)]
    access_log_groups: Vec<Spanned<String>>,
    #[serde(default)]
    lambda_log_groups: Vec<Spanned<String>>,
    access_log_format: Option<Spanned<String>>,
    execution_log_group: Option<Spanned<String>>,
    #[serde(default)]
    functions: BTreeMap<Spanned<String>, Spanned<String>>,
    integration_timeout: Option<Spanned<Span>>,
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
        let all: usize = config.apis.iter().map(|api| api.groups().len()).sum();
        if all > ALL_GROUPS_MAX {
            return Err(source.missing(format!("{all} log groups in all: at most {ALL_GROUPS_MAX}")));
        }
        if let Some((group, a, b)) = shared_access_groups(&config.apis, config.region.as_deref()) {
            return Err(source.missing(format!(
                "access_log_groups: `{group}` is named by both `{a}` and `{b}`: an access log belongs to one API, else \
                 its requests count twice"
            )));
        }
        Ok(config)
    }
}

/// `arn:aws:iam::111122223333:role/NAME`, in any partition.
fn role_arn(source: &Source<'_>, arn: &Spanned<String>) -> Result<String, ConfigError> {
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

fn apis(source: &Source<'_>, tables: &[Spanned<ApiTable>]) -> Result<Vec<ApiConfig>, ConfigError> {
    if tables.is_empty() {
        return Err(source.missing("no [[api]]: name at least one API with its access_log_groups"));
    }
    if tables.len() > APIS_MAX {
        return Err(source.missing(format!("{} [[api]] tables: at most {APIS_MAX}", tables.len())));
    }
    let mut names = BTreeSet::new();
    let mut apis = Vec::new();
    for table in tables {
        let api = table.get_ref();
        let name = filled(source, &api.name, "name")?;
        if !names.insert(name.clone()) {
            return Err(source.wrong(api.name.span(), format!("two APIs are named `{name}`: names must differ")));
        }
        if api.access_log_groups.is_empty() && api.execution_log_group.is_none() {
            let wrong = format!(
                "API `{name}` has no access_log_groups (and no execution_log_group): without a log there is nothing to \
                 watch"
            );
            return Err(source.wrong(table.span(), wrong));
        }
        let kind = match api.r#type.unwrap_or(ApiType::Auto) {
            ApiType::Auto => ApiKind::Auto,
            ApiType::Rest => ApiKind::Rest,
            ApiType::Http => ApiKind::Http,
            ApiType::Websocket => ApiKind::WebSocket,
        };
        let timeout = api.integration_timeout.as_ref();
        apis.push(ApiConfig {
            name,
            kind,
            region: api.region.as_ref().map(|r| filled(source, r, "region")).transpose()?,
            role_arn: api.role_arn.as_ref().map(|r| role_arn(source, r)).transpose()?,
            access_log_groups: groups(source, &api.access_log_groups)?,
            lambda_log_groups: groups(source, &api.lambda_log_groups)?,
            access_log_format: access_log_format(source, api.access_log_format.as_ref())?,
            execution_log_group: one_group(source, api.execution_log_group.as_ref())?,
            functions: functions(source, &api.functions)?,
            integration_timeout: between(source, timeout, "50ms", "15m", kind.default_timeout())?,
        });
    }
    Ok(apis)
}

/// `auto`, or the stage's own format.
fn access_log_format(source: &Source<'_>, format: Option<&Spanned<String>>) -> Result<Option<Template>, ConfigError> {
    let Some(format) = format.filter(|f| f.get_ref() != "auto") else { return Ok(None) };
    let wrong = |e| source.wrong(format.span(), format!("access_log_format {e}, or write \"auto\""));
    Template::compile(format.get_ref()).map(Some).map_err(wrong)
}

/// Endpoint -> function name.
fn functions(
    source: &Source<'_>,
    table: &BTreeMap<Spanned<String>, Spanned<String>>,
) -> Result<BTreeMap<String, Arc<str>>, ConfigError> {
    let mut functions = BTreeMap::new();
    for (endpoint, function) in table {
        let Some((method, route)) = endpoint.get_ref().split_once(' ') else {
            let wrong = format!("`{}` is no endpoint: write it as \"POST /checkout\"", endpoint.get_ref());
            return Err(source.wrong(endpoint.span(), wrong));
        };
        let name = filled(source, function, "the function's name")?;
        functions.insert(format!("{} {}", method.to_ascii_uppercase(), route.trim()), name.as_str().into());
    }
    Ok(functions)
}

/// Log groups by name, ARN, or a pattern of either.
fn groups(source: &Source<'_>, groups: &[Spanned<String>]) -> Result<Vec<String>, ConfigError> {
    if groups.len() > GROUPS_MAX {
        return Err(source.missing(format!("{} log groups for one API: at most {GROUPS_MAX}", groups.len())));
    }
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for group in groups {
        let name = group.get_ref();
        let name = group_name(name);
        // Names: 1 to 512 of these characters (AWS documentation, CreateLogGroup).
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '#' | ':' | '*');
        if name.is_empty() || name.len() > 2048 || !name.chars().all(allowed) {
            let wrong = format!("`{name}` is no log group: give its name or ARN, or a pattern with * in it");
            return Err(source.wrong(group.span(), wrong));
        }
        if Pattern::of(name).is_some_and(|pattern| pattern.prefix().is_empty()) {
            let wrong = format!("`{name}` fits every log group of the account: begin the pattern with a name");
            return Err(source.wrong(group.span(), wrong));
        }
        if !seen.insert(name) {
            return Err(source.wrong(group.span(), format!("`{name}` is named twice")));
        }
        out.push(name.to_owned());
    }
    Ok(out)
}

/// A log group that is no pattern.
fn one_group(source: &Source<'_>, group: Option<&Spanned<String>>) -> Result<Option<String>, ConfigError> {
    let Some(group) = group else { return Ok(None) };
    if Pattern::of(group.get_ref()).is_some() {
        let wrong = format!("`{}`: a stage has one execution-log group; give its name or ARN", group.get_ref());
        return Err(source.wrong(group.span(), wrong));
    }
    groups(source, std::slice::from_ref(group)).map(|mut groups| groups.pop())
}
