//! What AWS says an API is made of: from its name to its logs, its integrations and the functions behind them.
//!
//! Not what is done with it, and nothing is changed: every call reads. The control plane is small and shared with
//! consoles and deployments, so half of its quota is used at most, and a call that it refuses slows all down. Rule:
//! what could not be asked is said ([`Deployed::unasked`]); only what nothing can be known without is an error.
//!
//! # What it needs to be permitted
//!
//! | action | resource | for |
//! | --- | --- | --- |
//! | `apigateway:GET` | `arn:aws:apigateway:REGION::/restapis`, `/restapis/*/stages`, `/restapis/*/stages/*`, `/restapis/*/resources`, `/restapis/*/authorizers` | REST APIs |
//! | `apigateway:GET` | `arn:aws:apigateway:REGION::/apis`, `/apis/*/stages`, `/apis/*/stages/*`, `/apis/*/routes`, `/apis/*/integrations`, `/apis/*/authorizers` | HTTP and WebSocket APIs |
//! | `lambda:GetFunctionConfiguration`, `lambda:GetPolicy` | the functions | their timeouts, log groups and policies |
//! | `sts:GetCallerIdentity` | - | the account; everybody may |
//!
//! There is no action for each call of API Gateway: the verb is the action. `/apikeys` is never asked, and neither is
//! `lambda:GetFunction`, which gives away the code.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use tokio::sync::OnceCell;

pub use self::missed::NotFound;

use self::asking::Call;
use self::functions::Lambda;
use super::failure::{self, Attempt, Told};
use super::quota::Quota;
use crate::model::deployed::uri::{Place, partition_of};
use crate::model::deployed::{AccessLog, Candidate, Choice, Deployed, Identity, Unasked, Wanted, choose};
use crate::model::inventory::ApiKind;
use crate::model::problem::Problem;
use crate::ops::clock::Clock;

mod asking;
mod functions;
mod http;
mod levels;
mod missed;
mod rest;

/// Requests a second to API Gateway, half of what an account has in a Region: AWS documentation, "Quotas for creating,
/// deploying and managing an API".
const GATEWAY_RATE: f64 = 5.0;
/// `GetResources` a second, half of 5 in 2 s: the same page.
const RESOURCES_RATE: f64 = 1.25;
/// Requests a second to Lambda, half of 15: AWS documentation, "Lambda quotas", control plane API requests.
const LAMBDA_RATE: f64 = 7.5;

/// API Gateway has one action for all that reads.
const GATEWAY: &str = "apigateway:GET";
const IDENTITY: &str = "sts:GetCallerIdentity";

/// The control plane of one Region, asked as one role.
#[derive(Clone, Debug)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    region: Arc<str>,
    partition: &'static str,
    /// Of the Region, with the role's credentials and without the SDK's own retries: each call is counted here.
    config: SdkConfig,
    /// The profile that credentials come from, where one was chosen.
    profile: Option<String>,
    rest: aws_sdk_apigateway::Client,
    http: aws_sdk_apigatewayv2::Client,
    /// Of all calls of API Gateway.
    gateway: Quota,
    /// Of `GetResources` besides.
    resources: Quota,
    /// By Region.
    lambdas: Mutex<BTreeMap<Arc<str>, Lambda>>,
    identity: OnceCell<Identity>,
}

/// Something could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {advice} ({action} in {region}: {said})")]
pub struct Undiscovered {
    /// The IAM action that asks it, such as `apigateway:GET`.
    pub action: &'static str,
    /// What it was asked of: an ARN, where there is one.
    pub resource: Arc<str>,
    /// The Region that was asked.
    pub region: Arc<str>,
    /// Why not.
    pub problem: Problem,
    /// Why not, in words for people.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// The service's own words.
    pub said: String,
}

impl From<Undiscovered> for Unasked {
    fn from(error: Undiscovered) -> Self {
        let Undiscovered { action, resource, problem, said, .. } = error;
        Self { action, resource, problem, said: said.into() }
    }
}

/// What a search finds.
#[derive(Debug, Default)]
struct Found {
    /// Stages of the APIs that may be meant.
    stages: Vec<(Candidate, AccessLog)>,
    /// Names of all APIs.
    names: Vec<Arc<str>>,
}

impl Control {
    /// With a configuration of the Region, and the profile that it was made from. To be called within a runtime.
    pub(super) fn new(config: SdkConfig, region: &str, profile: Option<String>) -> Self {
        Self(Arc::new(Inner {
            region: region.into(),
            partition: partition_of(region),
            profile,
            rest: aws_sdk_apigateway::Client::new(&config),
            http: aws_sdk_apigatewayv2::Client::new(&config),
            gateway: Quota::start(GATEWAY_RATE, Clock::wall()),
            resources: Quota::start(RESOURCES_RATE, Clock::wall()),
            lambdas: Mutex::default(),
            identity: OnceCell::new(),
            config,
        }))
    }

    /// The Region that is asked.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// The stages of the APIs whose name or ID it is; [`choose`] says which of them is meant.
    ///
    /// # Errors
    /// When APIs or their stages cannot be listed.
    pub async fn find(&self, wanted: &Wanted) -> Result<Vec<Candidate>, Undiscovered> {
        let found = self.search(|name, id| wanted.is_of(name, id)).await?;
        Ok(found.stages.into_iter().map(|(stage, _)| stage).collect())
    }

    /// The one stage that is meant.
    ///
    /// # Errors
    /// When there is none or several, or none can be listed. What there is instead is part of the words.
    pub async fn find_one(&self, wanted: &Wanted) -> Result<Candidate, NotFound> {
        let Found { stages, names } = self.search(|name, id| wanted.is_of(name, id)).await?;
        let stages: Vec<Candidate> = stages.into_iter().map(|(stage, _)| stage).collect();
        match choose(wanted, stages.clone()) {
            Choice::One(stage) => Ok(stage),
            Choice::Several(among) => Err(NotFound::Several { wanted: wanted.clone(), among }),
            Choice::None => Err(NotFound::none(wanted, &self.0.region, stages, names)),
        }
    }

    /// Every stage that there is, and where its access log goes: to list them, or to find one by its log group.
    ///
    /// # Errors
    /// When APIs or their stages cannot be listed.
    pub async fn stages(&self) -> Result<Vec<(Candidate, AccessLog)>, Undiscovered> {
        Ok(self.search(|_, _| true).await?.stages)
    }

    /// What a stage is made of.
    ///
    /// # Errors
    /// When the stage itself cannot be asked.
    pub async fn describe(&self, stage: &Candidate) -> Result<Deployed, Undiscovered> {
        let identity = self.identity().await;
        let account = identity.as_ref().ok().map(|identity| &*identity.account);
        let place = Place { partition: self.0.partition, region: &self.0.region, account };
        let mut deployed = match stage.kind {
            ApiKind::Http | ApiKind::WebSocket => self.http_stage(stage, place).await?,
            ApiKind::Rest | ApiKind::Auto => self.rest_stage(stage, place).await?,
        };
        deployed.unasked.extend(identity.err().map(Unasked::from));
        self.ask_functions(&mut deployed).await;
        Ok(deployed)
    }

    /// Who asks. Asked until it is answered once.
    ///
    /// # Errors
    /// When there are no credentials, or nobody answers.
    pub async fn identity(&self) -> Result<Identity, Undiscovered> {
        let asked = || async {
            let sts = aws_sdk_sts::Client::new(&self.0.config);
            let call = Call { action: IDENTITY, resource: "the caller", region: &self.0.region };
            let answer = self.ask(&[], call, || sts.get_caller_identity().send()).await?;
            let text = |text: Option<String>| Arc::from(text.unwrap_or_default());
            Ok(Identity { account: text(answer.account), arn: text(answer.arn) })
        };
        self.0.identity.get_or_try_init(asked).await.cloned()
    }

    /// All APIs, and the stages of those that are meant.
    async fn search(&self, is_meant: impl Fn(&str, &str) -> bool) -> Result<Found, Undiscovered> {
        let (rest, http) = tokio::join!(self.rest_apis(), self.http_apis());
        // Who may see one kind only has no use for an error about the other, unless it hides what is meant.
        let hidden = match (&rest, &http) {
            (Err(error), _) | (_, Err(error)) => Some(error.clone()),
            (Ok(_), Ok(_)) => None,
        };
        let mut found = Found::default();
        for api in rest.unwrap_or_default() {
            let name = api.name.as_deref().unwrap_or_default();
            if is_meant(name, api.id.as_deref().unwrap_or_default()) {
                found.stages.extend(self.rest_stages(&api).await?);
            }
            found.names.push(name.into());
        }
        for api in http.unwrap_or_default() {
            let name = api.name.as_deref().unwrap_or_default();
            if is_meant(name, api.api_id.as_deref().unwrap_or_default()) {
                found.stages.extend(self.http_stages(&api).await?);
            }
            found.names.push(name.into());
        }
        match hidden {
            Some(error) if found.stages.is_empty() => return Err(error),
            Some(error) => tracing::warn!("not all APIs can be listed: {error}"),
            None => {}
        }
        found.stages.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    fn undiscovered(&self, call: Call<'_>, problem: Problem, said: String) -> Undiscovered {
        let Call { action, resource, region } = call;
        let attempt = Attempt { action, resource, region, profile: self.0.profile.as_deref() };
        let Told { what, advice } = failure::tell(problem, &said, attempt);
        Undiscovered { action, resource: resource.into(), region: region.into(), problem, what, advice, said }
    }
}

/// Where an access log goes, by the ARN of its destination.
fn access_log(destination: Option<&str>, format: Option<&str>) -> AccessLog {
    match destination.filter(|arn| !arn.is_empty()) {
        None => AccessLog::Off,
        Some(arn) if arn.split(':').nth(2) == Some("firehose") => AccessLog::Firehose { arn: arn.into() },
        Some(arn) => AccessLog::Group {
            arn: arn.strip_suffix(":*").unwrap_or(arn).into(),
            format: format.unwrap_or_default().into(),
        },
    }
}

/// As it is kept.
fn arcs(texts: Option<&HashMap<String, String>>) -> BTreeMap<Arc<str>, Arc<str>> {
    texts.into_iter().flatten().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_log_goes_to_a_group_or_to_firehose_or_nowhere() {
        let group = "arn:aws:logs:eu-west-1:111122223333:log-group:/shop/access";
        let to_group = AccessLog::Group { arn: group.into(), format: "$context.requestId".into() };
        assert_eq!(access_log(Some(&format!("{group}:*")), Some("$context.requestId")), to_group);
        assert_eq!(access_log(Some(group), Some("$context.requestId")), to_group);
        let stream = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/amazon-apigateway-shop";
        assert_eq!(access_log(Some(stream), None), AccessLog::Firehose { arn: stream.into() });
        assert_eq!((access_log(None, None), access_log(Some(""), Some("x"))), (AccessLog::Off, AccessLog::Off));
    }
}
