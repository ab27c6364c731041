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

use std::sync::Arc;

use aws_config::SdkConfig;

use super::failure::{self, Attempt, Told};
use crate::model::deployed::{AccessLog, Candidate, Choice, Deployed, Identity, Unasked, Wanted, choose};
use crate::model::problem::Problem;

/// The control plane of one Region, asked as one role.
#[derive(Clone, Debug)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    region: Arc<str>,
    /// Of the Region, with the role's credentials and without the SDK's own retries: each call is counted here.
    #[expect(dead_code, reason = "the calls are the next commit")]
    config: SdkConfig,
    /// The profile that credentials come from, where one was chosen.
    profile: Option<String>,
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

impl Control {
    /// With a configuration of the Region, and the profile that it was made from.
    pub(super) fn new(config: SdkConfig, region: &str, profile: Option<String>) -> Self {
        Self(Arc::new(Inner { region: region.into(), config, profile }))
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
        let _ = wanted;
        Err(self.not_yet("apigateway:GET").await)
    }

    /// The one stage that is meant.
    ///
    /// # Errors
    /// When there is none or several, or none can be listed. What there is instead is part of the words.
    pub async fn find_one(&self, wanted: &Wanted) -> Result<Candidate, NotFound> {
        let found = self.find(wanted).await?;
        match choose(wanted, found.clone()) {
            Choice::One(stage) => Ok(stage),
            Choice::Several(among) => Err(NotFound::Several { wanted: wanted.clone(), among }),
            Choice::None => {
                let (region, wanted) = (Arc::clone(&self.0.region), wanted.clone());
                Err(NotFound::None { wanted, region, stages: found, names: Vec::new() })
            }
        }
    }

    /// Every stage that there is, and where its access log goes: to list them, or to find one by its log group.
    ///
    /// # Errors
    /// When APIs or their stages cannot be listed.
    pub async fn stages(&self) -> Result<Vec<(Candidate, AccessLog)>, Undiscovered> {
        Err(self.not_yet("apigateway:GET").await)
    }

    /// What a stage is made of.
    ///
    /// # Errors
    /// When the stage itself cannot be asked.
    pub async fn describe(&self, stage: &Candidate) -> Result<Deployed, Undiscovered> {
        let _ = stage;
        Err(self.not_yet("apigateway:GET").await)
    }

    /// Who asks. Asked once.
    ///
    /// # Errors
    /// When there are no credentials, or nobody answers.
    pub async fn identity(&self) -> Result<Identity, Undiscovered> {
        Err(self.not_yet("sts:GetCallerIdentity").await)
    }

    async fn not_yet(&self, action: &'static str) -> Undiscovered {
        tokio::task::yield_now().await;
        self.undiscovered(action, "*", Problem::Service, String::new())
    }

    fn undiscovered(&self, action: &'static str, resource: &str, problem: Problem, said: String) -> Undiscovered {
        let Inner { region, profile, .. } = &*self.0;
        let Told { what, advice } =
            failure::tell(problem, &said, Attempt { action, resource, region, profile: profile.as_deref() });
        Undiscovered { action, resource: resource.into(), region: Arc::clone(region), problem, what, advice, said }
    }
}

/// No stage, or not just one, is what was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is none of that name and stage.
    #[error("no API {wanted} in {region}")]
    None {
        /// What was meant.
        wanted: Wanted,
        /// The Region that was asked.
        region: Arc<str>,
        /// The API has these stages, if it is the stage that there is none of.
        stages: Vec<Candidate>,
        /// Names of APIs that there are, those that look like it first.
        names: Vec<Arc<str>>,
    },
    /// There are several.
    #[error("{wanted} may be one of several")]
    Several {
        /// What was meant.
        wanted: Wanted,
        /// In order.
        among: Vec<Candidate>,
    },
    /// It could not be found out.
    #[error(transparent)]
    Unasked(#[from] Undiscovered),
}
