//! The configuration file -> validated settings.
//!
//! Three layers: what was written ([`file`], all optional), the defaults, and [`Config`], where nothing is optional
//! that has a default. Not the settings' meaning: the modules that use them own their types. Rule: a mistake is one
//! message that names the file, the line, the key with its value, and what would be right; nothing is guessed.

mod file;
mod problem;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use problem::ConfigError;

use self::problem::Source;
use crate::engine::rules::{Rule, SourceBlind};
use crate::model::alert::Severity;
use crate::model::inventory::{Api, ApiId, ApiKind, Inventory, SourceKind};
use crate::model::time::human;
use crate::notify::plan;
use crate::notify::sink::StdoutFormat;
use crate::notify::sns::Format;
use crate::read::Template;

/// APIs in one configuration: each is a number of sixteen bits, and a daemon polls far fewer.
const APIS_MAX: usize = 1000;
/// Log groups of one API.
const GROUPS_MAX: usize = 500;
/// Log groups of all APIs: even at the highest quota reading them all once takes minutes.
const ALL_GROUPS_MAX: usize = 10_000;
/// The longest window: slots of 10 s are kept for it, for each endpoint.
const WINDOW_MAX: Duration = Duration::from_hours(6);

/// Everything gatewatch was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// AWS Region; `None` leaves it to the AWS environment.
    pub region: Option<String>,
    /// Window of rules and displays.
    pub window: Duration,
    /// Between hot reads of a log group.
    pub interval: Duration,
    /// Event ids remembered per log group.
    pub max_ids: usize,
    /// Endpoints tracked per API.
    pub max_endpoints: usize,
    /// Invocations remembered.
    pub max_invocations: usize,
    /// When messages are sent.
    pub notify: plan::Settings,
    /// The APIs.
    pub apis: Vec<ApiConfig>,
    /// The rules that are on.
    pub rules: Vec<Rule>,
    /// The rule about log groups that are not read, if it is on.
    pub source_blind: Option<SourceBlind>,
    /// Where messages go.
    pub sinks: Vec<SinkConfig>,
}

impl Default for Config {
    fn default() -> Self {
        let window = Duration::from_mins(5);
        Self {
            region: None,
            window,
            interval: Duration::from_secs(5),
            max_ids: 1_000_000,
            max_endpoints: 1000,
            max_invocations: 20_000,
            notify: plan::Settings::default(),
            apis: Vec::new(),
            rules: Rule::built_in(window),
            source_blind: Some(SourceBlind::default()),
            sinks: vec![SinkConfig::default()],
        }
    }
}

/// One API.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiConfig {
    /// Label, unique.
    pub name: String,
    /// Kind.
    pub kind: ApiKind,
    /// Region, if another than the default.
    pub region: Option<String>,
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
}

/// One sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkConfig {
    /// What it is.
    pub kind: SinkKind,
    /// Messages below this are not for it.
    pub min_severity: Severity,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self { kind: SinkKind::Stdout(StdoutFormat::Auto), min_severity: Severity::Elevated }
    }
}

/// Kinds of sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// Standard output.
    Stdout(StdoutFormat),
    /// An SNS topic.
    Sns {
        /// Its ARN.
        topic_arn: String,
        /// Its Region, from the ARN.
        region: String,
        /// How the body is written.
        format: Format,
    },
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// What is wrong in it, or why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|e| ConfigError::new(path, None, format!("cannot be read: {e}")))?;
        Self::parse(&text, path)
    }

    /// Reads the text of a configuration file; `path` is for messages.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let file: file::File = toml::from_str(text).map_err(|e| source.syntax(&e))?;
        file.into_config(&source)
    }

    /// The longest window of all rules and displays: how far back reads have to reach.
    #[must_use]
    pub fn longest_window(&self) -> Duration {
        self.rules.iter().map(|r| r.window).fold(self.window, Duration::max)
    }

    /// A log group that is not read up to within this of now is not read, although no read failed: two minutes, or four
    /// reads where they are further apart.
    #[must_use]
    pub fn blind_after(&self) -> Duration {
        Duration::from_mins(2).max(self.interval * 4)
    }

    /// One API that no file names.
    #[must_use]
    pub fn ad_hoc(name: &str, access_log_groups: Vec<String>, lambda_log_groups: Vec<String>) -> Self {
        let kind = ApiKind::Auto;
        let clean = |groups: Vec<String>| {
            let names: BTreeSet<_> = groups.iter().map(|g| group_name(g).to_owned()).collect();
            names.into_iter().collect()
        };
        let (access_log_groups, lambda_log_groups) = (clean(access_log_groups), clean(lambda_log_groups));
        let api = ApiConfig {
            name: name.to_owned(),
            kind,
            region: None,
            access_log_groups,
            lambda_log_groups,
            access_log_format: None,
            execution_log_group: None,
            functions: BTreeMap::new(),
            integration_timeout: kind.default_timeout(),
        };
        Self { apis: vec![api], ..Self::default() }
    }

    /// The APIs and log groups, numbered. `region` is the one for APIs that name none.
    #[must_use]
    pub fn inventory(&self, region: &str) -> Inventory {
        let mut inventory = Inventory::default();
        for (config, id) in self.apis.iter().zip(0_u16..) {
            inventory.apis.push(Api {
                name: config.name.as_str().into(),
                kind: config.kind,
                integration_timeout: config.integration_timeout,
                functions: config.functions.clone(),
            });
            let region: Arc<str> = config.region.as_deref().unwrap_or(region).into();
            let mut add = |name: &str, kind| {
                let region = Some(Arc::clone(&region));
                inventory.add_source_of(ApiId(id), crate::model::inventory::Source::group(name, region, kind));
            };
            for group in &config.access_log_groups {
                add(group, SourceKind::Access(ApiId(id)));
            }
            for group in &config.lambda_log_groups {
                add(group, SourceKind::Lambda);
            }
            if let Some(group) = &config.execution_log_group {
                add(group, SourceKind::Execution(ApiId(id)));
            }
        }
        inventory
    }

    /// The access-log format of a source, where it is an access log and its format is known.
    #[must_use]
    pub fn format(&self, kind: SourceKind) -> Option<Template> {
        match kind {
            SourceKind::Access(api) => self.apis[api.index()].access_log_format.clone(),
            SourceKind::Lambda | SourceKind::Execution(_) => None,
        }
    }

    /// The longest time after its stamp that an event is written in the regular course of things: an access line is
    /// stamped with the start of its request and written at its end.
    #[must_use]
    pub fn regular_lag(&self, source: &crate::model::inventory::Source) -> Duration {
        match source.kind {
            SourceKind::Access(api) | SourceKind::Execution(api) => self.apis[api.index()].integration_timeout,
            SourceKind::Lambda => Duration::ZERO,
        }
    }

    /// The line that says at start what was resolved.
    #[must_use]
    pub fn summary(&self) -> String {
        let source_blind = self.source_blind.map(|_| SourceBlind::NAME);
        let rules: Vec<_> = self.rules.iter().map(|r| &*r.name).chain(source_blind).collect();
        let sinks: Vec<_> = self.sinks.iter().map(|s| s.kind.name()).collect();
        let apis: Vec<_> = self.apis.iter().map(|a| a.name.as_str()).collect();
        format!(
            "APIs {}; window {}, reads every {}; rules {}; sinks {}",
            apis.join(", "),
            human(self.window),
            human(self.interval),
            rules.join(", "),
            sinks.join(", ")
        )
    }
}

impl ApiConfig {
    /// How many log groups are read for it.
    fn groups(&self) -> usize {
        self.access_log_groups.len() + self.lambda_log_groups.len() + usize::from(self.execution_log_group.is_some())
    }
}

impl SinkKind {
    fn name(&self) -> &str {
        match self {
            Self::Stdout(_) => "stdout",
            Self::Sns { topic_arn, .. } => topic_arn,
        }
    }
}

/// A log group's name or ARN as the service wants it: an ARN that the console shows ends in `:*`.
fn group_name(group: &str) -> &str {
    if group.starts_with("arn:") { group.trim_end_matches(":*") } else { group }
}

/// Two APIs may share Lambda log groups, but two access logs of one group would count each request twice. `region` is
/// that of APIs that name none.
fn shared_access_groups<'a>(apis: &'a [ApiConfig], region: Option<&'a str>) -> Option<(&'a str, &'a str, &'a str)> {
    let mut owner: BTreeMap<(Option<&str>, &str), &str> = BTreeMap::new();
    for api in apis {
        for group in api.access_log_groups.iter().chain(&api.execution_log_group) {
            let name = group.rsplit(":log-group:").next().unwrap_or(group);
            if let Some(other) = owner.insert((api.region.as_deref().or(region), name), &api.name) {
                return Some((group, other, &api.name));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
