//! Configured clients, one per Region and role.
//!
//! Credentials are never set per call: the SDK keeps one identity cache for each client. Rule: a role is taken on with
//! the credentials that the environment gives, in the Region of the logs.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_cloudwatchlogs::config::{Credentials, SharedCredentialsProvider};

use super::discover::Control;
use super::fetch::{Answered, LogsFetch};
use crate::model::text::chain;
use crate::tail::fetch::Connect;

/// Credentials and settings from the usual AWS places (environment, profile, container, instance), and the clients
/// made from them.
#[derive(Debug)]
pub struct Clients {
    base: SdkConfig,
    /// By Region and role.
    logs: BTreeMap<(String, Option<String>), LogsFetch>,
    sns: BTreeMap<String, aws_sdk_sns::Client>,
    /// By Region and role.
    controls: BTreeMap<(String, Option<String>), Control>,
    /// The profile that the environment chooses.
    profile: Option<String>,
}

impl Clients {
    /// Loads what the environment gives. `region` goes before the environment's own.
    pub async fn load(region: Option<&str>) -> Self {
        let loader = loader();
        let loader = match region {
            Some(region) => loader.region(Region::new(region.to_owned())),
            None => loader,
        };
        Self::with(loader.load().await)
    }

    /// For the simulation: its address, and credentials that open nothing.
    pub async fn simulated(endpoint: &str, region: &str) -> Self {
        let credentials = Credentials::new("simulation", "simulation", None, None, "simulation");
        let loader = loader().region(Region::new(region.to_owned())).endpoint_url(endpoint);
        Self::with(loader.credentials_provider(credentials).load().await)
    }

    fn with(base: SdkConfig) -> Self {
        let profile = std::env::var("AWS_PROFILE").ok().filter(|profile| !profile.is_empty());
        Self { base, logs: BTreeMap::new(), sns: BTreeMap::new(), controls: BTreeMap::new(), profile }
    }

    /// The Region for what names none itself.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.base.region().map(Region::as_ref)
    }

    /// The CloudWatch Logs client of a Region as the SDK makes it: for a comparison with what is built on it.
    #[must_use]
    pub fn bare_logs(&self, region: &str) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.base).region(Region::new(region.to_owned()));
        aws_sdk_cloudwatchlogs::Client::from_conf(config.build())
    }

    /// The SNS client of a Region.
    pub fn sns(&mut self, region: &str) -> aws_sdk_sns::Client {
        let base = &self.base;
        let make = || {
            let config = aws_sdk_sns::config::Builder::from(base).region(Region::new(region.to_owned()));
            aws_sdk_sns::Client::from_conf(config.build())
        };
        self.sns.entry(region.to_owned()).or_insert_with(make).clone()
    }

    /// The control plane of a Region, asked as a role or as whoever runs the program. To be called within a runtime.
    pub async fn control(&mut self, region: &str, role_arn: Option<&str>) -> Control {
        let key = (region.to_owned(), role_arn.map(str::to_owned));
        if let Some(known) = self.controls.get(&key) {
            return known.clone();
        }
        let config = self.base.to_builder().region(Region::new(region.to_owned()));
        let config = match role_arn {
            Some(role) => config.credentials_provider(self.role(role, region).await),
            None => config,
        };
        // One attempt: the quota counts each request, and asks again itself.
        let config = config.retry_config(RetryConfig::disabled()).build();
        let control = Control::new(config, region, self.profile.clone());
        self.controls.insert(key, control.clone());
        control
    }

    async fn role(&self, role_arn: &str, region: &str) -> SharedCredentialsProvider {
        let provider = AssumeRoleProvider::builder(role_arn).session_name("gatewatch");
        let provider = provider.region(Region::new(region.to_owned())).configure(&self.base).build().await;
        SharedCredentialsProvider::new(provider)
    }
}

impl Connect for Clients {
    type Logs = LogsFetch;

    async fn logs(&mut self, region: &str, role_arn: Option<&str>) -> LogsFetch {
        let key = (region.to_owned(), role_arn.map(str::to_owned));
        if let Some(known) = self.logs.get(&key) {
            return known.clone();
        }
        let answered = Answered::default();
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.base).region(Region::new(region.to_owned()));
        // One attempt: the budget counts each request, and whoever reads tries again anyway.
        let config = config.retry_config(RetryConfig::disabled()).interceptor(answered.clone());
        let config = match role_arn {
            Some(role) => config.credentials_provider(self.role(role, region).await),
            None => config,
        };
        let logs = LogsFetch::new(aws_sdk_cloudwatchlogs::Client::from_conf(config.build()), answered);
        self.logs.insert(key, logs.clone());
        logs
    }
}

/// Nobody is trusted on this machine.
#[derive(Debug, thiserror::Error)]
#[error(
    "no CA certificates{0}: the AWS SDK cannot work without them; install the package `ca-certificates`, or name a file of \
     them in $SSL_CERT_FILE"
)]
pub struct NoTrust(String);

/// Looks for CA certificates where the SDK looks for them, which panics if it finds none: to be asked before any client is
/// made.
///
/// # Errors
/// There are none, and why.
pub fn check_trust() -> Result<(), NoTrust> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map(|e| format!(" ({})", chain(e))).unwrap_or_default();
        return Err(NoTrust(why));
    }
    Ok(())
}

fn loader() -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(20))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_mins(1))
        .build();
    // Few attempts: the daemon has its own, slower loop around each call, and a page is asked for again anyway.
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(300))
        .with_max_backoff(Duration::from_secs(5));
    aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts).retry_config(retries)
}
