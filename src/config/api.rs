//! The `[[api]]` tables: what is watched, as it was written or as it is to be found out.
//!
//! Not the finding out: [`Found`](super::found::Found) fills the keys in. Rule: an API names its logs or is discovered,
//! never both; two APIs never count the requests of one log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::file::{Span, between, filled, role_arn};
use super::problem::{ConfigError, Source};
use super::word::word;
use crate::model::deployed::Wanted;
use crate::model::inventory::{ApiId, ApiKind, SourceKind};
use crate::read::Template;
use crate::tail::groups::Pattern;

/// APIs in one configuration: each is a number of sixteen bits, and a daemon polls far fewer.
const APIS_MAX: usize = 1000;
/// Log groups of one API.
pub(super) const GROUPS_MAX: usize = 500;

/// One API.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiConfig {
    /// Label, unique.
    pub name: String,
    /// Kind.
    pub kind: ApiKind,
    /// Region, if another than the default.
    pub region: Option<String>,
    /// Role to take on for reading, if another than the default.
    pub role_arn: Option<String>,
    /// Access-log groups.
    pub access_log_groups: Vec<String>,
    /// Lambda log groups.
    pub lambda_log_groups: Vec<String>,
    /// The stage's access-log format; `None` recognises it.
    pub access_log_format: Option<Template>,
    /// Execution-log group.
    pub execution_log_group: Option<String>,
    /// Which function serves an endpoint.
    pub functions: BTreeMap<String, Arc<str>>,
    /// When the gateway gives up on the integration.
    pub integration_timeout: Duration,
    /// How its logs are found out, where they are.
    pub discover: Option<Discover>,
}

/// An API whose logs are found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discover {
    /// Which one.
    pub wanted: Wanted,
    /// The timeout that the configuration states; it goes before what is found.
    pub timeout: Option<Duration>,
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
pub(super) struct ApiTable {
    name: Spanned<String>,
    r#type: Option<Spanned<ApiType>>,
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
    discover: Option<Spanned<String>>,
}

/// What a log group is for an API.
pub(super) type KindOf = fn(ApiId) -> SourceKind;

impl ApiConfig {
    /// An API of which only the name is known.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let kind = ApiKind::Auto;
        Self {
            name: name.to_owned(),
            kind,
            region: None,
            role_arn: None,
            access_log_groups: Vec::new(),
            lambda_log_groups: Vec::new(),
            access_log_format: None,
            execution_log_group: None,
            functions: BTreeMap::new(),
            integration_timeout: kind.default_timeout(),
            discover: None,
        }
    }

    /// Whether there is anything to read: not as long as it is to be found out.
    #[must_use]
    pub fn has_logs(&self) -> bool {
        !self.groups().is_empty()
    }

    /// Its log groups and patterns, and what each is.
    pub(super) fn groups(&self) -> Vec<(&str, KindOf)> {
        let access = self.access_log_groups.iter().map(|g| (g.as_str(), SourceKind::Access as KindOf));
        let lambda = self.lambda_log_groups.iter().map(|g| (g.as_str(), (|_| SourceKind::Lambda) as _));
        let execution = self.execution_log_group.iter().map(|g| (g.as_str(), SourceKind::Execution as _));
        access.chain(lambda).chain(execution).collect()
    }
}

/// What the tables say, checked.
pub(super) fn apis(source: &Source<'_>, tables: &[Spanned<ApiTable>]) -> Result<Vec<ApiConfig>, ConfigError> {
    if tables.is_empty() {
        return Err(source.missing("no [[api]]: name at least one API with its access_log_groups, or with discover"));
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
        let discover = discover(source, api, &name)?;
        if api.access_log_groups.is_empty() && api.execution_log_group.is_none() && discover.is_none() {
            let wrong = format!(
                "API `{name}` has no access_log_groups (and no execution_log_group): without a log there is nothing to \
                 watch; discover = \"{name}\" finds them out"
            );
            return Err(source.wrong(table.span(), wrong));
        }
        let kind = match api.r#type.as_ref().map_or(ApiType::Auto, |kind| *kind.get_ref()) {
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
            discover,
        });
    }
    Ok(apis)
}

/// What finds the API out, where that is asked for.
fn discover(source: &Source<'_>, api: &ApiTable, name: &str) -> Result<Option<Discover>, ConfigError> {
    let Some(wanted) = &api.discover else { return Ok(None) };
    let given = [
        ("type", api.r#type.as_ref().map(Spanned::span)),
        ("access_log_groups", api.access_log_groups.first().map(Spanned::span)),
        ("access_log_format", api.access_log_format.as_ref().map(Spanned::span)),
        ("lambda_log_groups", api.lambda_log_groups.first().map(Spanned::span)),
        ("execution_log_group", api.execution_log_group.as_ref().map(Spanned::span)),
    ];
    if let Some((key, Some(span))) = given.into_iter().find(|(_, span)| span.is_some()) {
        let wrong = format!("API `{name}` has discover, which finds {key} out: delete one of the two");
        return Err(source.wrong(span, wrong));
    }
    let parsed = Wanted::parse(wanted.get_ref());
    let wrong = || {
        let wrong = format!("`{}` names no API: write \"NAME_OR_ID\" or \"NAME_OR_ID/STAGE\"", wanted.get_ref());
        source.wrong(wanted.span(), wrong)
    };
    let timeout = api.integration_timeout.as_ref().map(|timeout| timeout.get_ref().0);
    Ok(Some(Discover { wanted: parsed.ok_or_else(wrong)?, timeout }))
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
        if !is_group(&name.replace('*', "-")) {
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

/// Whether this may be the name or the ARN of one log group.
pub(super) fn is_group(name: &str) -> bool {
    // Names: 1 to 512 of these characters (AWS documentation, CreateLogGroup); an ARN has colons.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '#' | ':');
    !name.is_empty() && name.len() <= 2048 && name.chars().all(allowed)
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

/// The Region of a log group that is given by its ARN.
pub(super) fn region_of_arn(name: &str) -> Option<&str> {
    if name.starts_with("arn:") { name.split(':').nth(3).filter(|region| !region.is_empty()) } else { None }
}

/// A log group's name or ARN as the service wants it: an ARN that the console shows ends in `:*`.
pub(super) fn group_name(group: &str) -> &str {
    if group.starts_with("arn:") { group.trim_end_matches(":*") } else { group }
}
