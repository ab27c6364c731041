//! The configuration, a file or a variable of the environment -> validated settings.
//!
//! Three layers: what was written ([`file`], all optional), the defaults, and [`Config`], where nothing is optional
//! that has a default. Not the settings' meaning: the modules that use them own their types. Rule: a mistake is one
//! message that names the file, the line, the key with its value, and what would be right; nothing is guessed.

pub mod api;
mod file;
mod format;
pub mod found;
pub mod gap;
mod http;
mod log;
mod notify;
pub mod place;
mod poll;
mod problem;
mod rules;
mod sinks;
pub mod sought;
mod watched;
mod word;
pub mod written;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use api::{ApiConfig, Discover};
pub use log::{LogConfig, LogFormat, LogLevel};
pub use problem::ConfigError;
pub use watched::Watched;

use self::api::{group_name, region_of_arn};
use self::problem::Source;
use crate::engine::rules::{Rules, SourceBlind};
use crate::model::inventory::{self, Api, Inventory, SourceKind};
use crate::model::own::OwnGroup;
use crate::model::time::human;
use crate::notify::audience::Audience;
use crate::notify::plan;
use crate::notify::plans::Planning;
use crate::notify::sink::stdout::StdoutFormat;
use crate::notify::sink::webhook::WebhookSettings;
use crate::notify::sns::Format;
use crate::read::Template;
use crate::tail::groups::Pattern;
use crate::tail::pace::Interval;
use crate::tail::quota::filter_log_events;

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
    /// Role to take on for reading; `None` reads as whoever runs it.
    pub role_arn: Option<String>,
    /// Where the state is kept; `None` leaves it to `$STATE_DIRECTORY`.
    pub state_dir: Option<PathBuf>,
    /// What it says of itself.
    pub log: LogConfig,
    /// Where health and metrics are told.
    pub http: HttpConfig,
    /// The log group that gatewatch's own output goes to may be read.
    pub allow_own_log_group: bool,
    /// That group, where it is known and must not be read. No key: it is found out.
    pub own_log_group: Option<OwnGroup>,
    /// How log groups are read.
    pub poll: PollConfig,
    /// Endpoints tracked per API.
    pub max_endpoints: usize,
    /// Invocations remembered.
    pub max_invocations: usize,
    /// When messages are sent.
    pub notify: plan::Settings,
    /// The APIs.
    pub apis: Vec<ApiConfig>,
    /// The rules that are on.
    pub rules: Rules,
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
            role_arn: None,
            state_dir: None,
            log: LogConfig::default(),
            http: HttpConfig::default(),
            allow_own_log_group: false,
            own_log_group: None,
            poll: PollConfig::default(),
            max_endpoints: 1000,
            max_invocations: 20_000,
            notify: plan::Settings::default(),
            apis: Vec::new(),
            rules: Rules::built_in(window),
            source_blind: Some(SourceBlind::default()),
            sinks: vec![SinkConfig::default()],
        }
    }
}

/// Where health and metrics are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The address; `None` is nowhere.
    pub listen: Option<SocketAddr>,
    /// Endpoints that have metrics of their own, at most.
    pub endpoint_metrics: usize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: None, endpoint_metrics: 20 }
    }
}

/// How log groups are read.
#[derive(Clone, Debug, PartialEq)]
pub struct PollConfig {
    /// Between hot reads of a log group.
    pub interval: Interval,
    /// Requests of `FilterLogEvents` a second that the account may make in a Region; `None` is what AWS documents.
    pub quota: Option<f64>,
    /// The part of the quota that is used, 0 to 1.
    pub quota_share: f64,
    /// How much of what was missed while reading stood still is read later.
    pub max_catchup: Duration,
    /// Event ids remembered, of all log groups together.
    pub max_ids: usize,
    /// Between two looks at an API that is discovered.
    pub discover_interval: Duration,
}

impl Default for PollConfig {
    fn default() -> Self {
        let start = Duration::from_secs(5);
        Self {
            interval: Interval { start, min: start, max: Duration::from_secs(15) },
            quota: None,
            quota_share: 0.5,
            max_catchup: Duration::from_hours(6),
            max_ids: 5_000_000,
            discover_interval: Duration::from_mins(10),
        }
    }
}

impl PollConfig {
    /// Requests of `FilterLogEvents` a second that are made in this Region, of one account.
    #[must_use]
    pub fn rate(&self, region: &str) -> f64 {
        self.quota.unwrap_or_else(|| filter_log_events(region)) * self.quota_share
    }
}

/// One sink.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkConfig {
    /// What it is.
    pub kind: SinkKind,
    /// Its name, and what is for it.
    pub audience: Audience,
}

impl Default for SinkConfig {
    fn default() -> Self {
        let kind = SinkKind::Stdout(StdoutFormat::Auto);
        Self { audience: Audience::of_all(&kind.name()), kind }
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
    /// An address that takes the JSON.
    Webhook(WebhookSettings),
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

    /// Reads the text of a configuration file; `path` is for messages, and need not be one.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let file: file::File = toml::from_str(text).map_err(|e| source.syntax(&e))?;
        file.into_config(&source)
    }

    /// How messages are planned, and for whom.
    #[must_use]
    pub fn planning(&self) -> Planning {
        let audiences = self.sinks.iter().map(|sink| sink.audience.clone()).collect();
        Planning { settings: Arc::new(self.notify.clone()), audiences }
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
        Duration::from_mins(2).max(self.poll.interval.max * 4)
    }

    /// One API that no file names.
    #[must_use]
    pub fn ad_hoc(name: &str, access_log_groups: Vec<String>, lambda_log_groups: Vec<String>) -> Self {
        let clean = |groups: Vec<String>| {
            let names: BTreeSet<_> = groups.iter().map(|g| group_name(g).to_owned()).collect();
            names.into_iter().collect()
        };
        let (access_log_groups, lambda_log_groups) = (clean(access_log_groups), clean(lambda_log_groups));
        let api = ApiConfig { access_log_groups, lambda_log_groups, ..ApiConfig::named(name) };
        Self { apis: vec![api], ..Self::default() }
    }

    /// The APIs and log groups, numbered. `region` is the one for APIs that name none.
    #[must_use]
    pub fn inventory(&self, region: &str) -> Inventory {
        self.add_to(Inventory::default(), region)
    }

    /// Adds the APIs and log groups to those that are known from before: what is known keeps its number.
    #[must_use]
    pub fn add_to(&self, mut inventory: Inventory, region: &str) -> Inventory {
        for config in &self.apis {
            let api = Api {
                name: config.name.as_str().into(),
                kind: config.kind,
                integration_timeout: config.integration_timeout,
                functions: config.functions.clone(),
            };
            let id = inventory.add_api(api);
            for (name, kind) in config.groups() {
                let source = self.source(config, name, kind(id), region);
                if Pattern::of(name).is_none() && !self.is_own(&source) {
                    inventory.add_source_of(id, source);
                }
            }
        }
        inventory
    }

    /// Names of log groups that are not read because gatewatch's own output goes there, each with its API.
    #[must_use]
    pub fn refused(&self, region: &str) -> Vec<(&str, &str)> {
        let groups = self.apis.iter().flat_map(|api| api.groups().into_iter().map(move |(name, _)| (api, name)));
        let own = groups.filter(|(api, name)| self.is_own(&self.source(api, name, SourceKind::Lambda, region)));
        own.map(|(api, name)| (api.name.as_str(), name)).collect()
    }

    /// This is the log group that gatewatch's own output goes to: it is not read, unless that is allowed.
    pub fn refuse(&mut self, own: Option<&OwnGroup>) {
        self.own_log_group = own.filter(|_| !self.allow_own_log_group).cloned();
    }

    fn is_own(&self, source: &inventory::Source) -> bool {
        self.own_log_group.as_ref().is_some_and(|own| own.is(source))
    }

    /// The patterns of log groups, which have to be looked up. `region` is the one for APIs that name none.
    #[must_use]
    pub fn patterns(&self, inventory: &Inventory, region: &str) -> Vec<Watched> {
        let mut patterns = Vec::new();
        for config in &self.apis {
            let Some(api) = inventory.find_api(&config.name) else { continue };
            let found = config.groups().into_iter().filter_map(|(name, kind)| Some((Pattern::of(name)?, name, kind)));
            patterns.extend(found.map(|(pattern, name, kind)| {
                let like = self.source(config, name, kind(api), region);
                Watched { api, pattern, like, except: self.own_log_group.clone() }
            }));
        }
        patterns
    }

    /// A log group of an API as a source.
    fn source(&self, api: &ApiConfig, name: &str, kind: SourceKind, region: &str) -> inventory::Source {
        let own = region_of_arn(name).or(api.region.as_deref()).unwrap_or(region);
        let role = api.role_arn.as_deref().or(self.role_arn.as_deref()).map(Arc::from);
        inventory::Source { role, ..inventory::Source::group(name, Some(own.into()), kind) }
    }

    /// The access-log format of a source of this API, where it is an access log and its format is known.
    #[must_use]
    pub fn format(&self, api: &str, kind: SourceKind) -> Option<Template> {
        match kind {
            SourceKind::Access(_) => self.apis.iter().find(|a| a.name == api)?.access_log_format.clone(),
            SourceKind::Lambda | SourceKind::Execution(_) => None,
        }
    }

    /// The line that says at start what was resolved.
    #[must_use]
    pub fn summary(&self) -> String {
        let source_blind = self.source_blind.map(|_| SourceBlind::NAME);
        let mut rules: Vec<_> = self.rules.iter().map(|r| &*r.name).chain(source_blind).collect();
        let mut seen = BTreeSet::new();
        rules.retain(|name| seen.insert(*name));
        let sinks: Vec<_> = self.sinks.iter().map(|s| &*s.audience.name).collect();
        let name = |api: &ApiConfig| {
            if api.has_logs() { api.name.clone() } else { format!("{} (to be discovered)", api.name) }
        };
        let apis: Vec<_> = self.apis.iter().map(name).collect();
        let groups: BTreeSet<_> = self.apis.iter().flat_map(|a| a.groups()).map(|(name, _)| name).collect();
        let groups = groups.len();
        format!(
            "APIs {}; {groups} log group{}; window {}, reads every {}; rules {}; sinks {}",
            apis.join(", "),
            if groups == 1 { "" } else { "s or patterns" },
            human(self.window),
            human(self.poll.interval.start),
            rules.join(", "),
            sinks.join(", ")
        )
    }
}

impl SinkKind {
    /// What a sink is called that has no name of its own.
    fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Stdout(_) => "stdout".into(),
            Self::Sns { topic_arn, .. } => topic_arn.into(),
            Self::Webhook(settings) => settings.name().into(),
        }
    }
}

#[cfg(test)]
mod tests;
