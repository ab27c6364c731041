//! The functions behind an API: configuration and resource policy of each.
//!
//! A function is asked in its own Region. Its environment comes with the answer, and its code could be had: the first
//! is dropped unread, the second never asked for. Rule: each function, with its qualifier, is asked once.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{LogFormat, State};
use tokio::task::JoinSet;

use super::asking::Call;
use super::{Control, LAMBDA_RATE, Undiscovered};
use crate::aws::quota::Quota;
use crate::model::deployed::policy::statements;
use crate::model::deployed::{Asked, Deployed, Function, FunctionRef, FunctionSettings, Statement, Target, Unasked};
use crate::model::problem::Problem;
use crate::ops::clock::Clock;

/// Functions that are asked at one time.
const AT_ONCE: usize = 4;

/// Lambda in one Region.
#[derive(Clone, Debug)]
pub(super) struct Lambda {
    client: aws_sdk_lambda::Client,
    quota: Quota,
}

impl Control {
    /// Asks for all functions that a stage names.
    pub(super) async fn ask_functions(&self, deployed: &mut Deployed) {
        let mut waiting = named(deployed).into_iter();
        let mut asked = JoinSet::new();
        loop {
            while asked.len() < AT_ONCE
                && let Some(reference) = waiting.next()
            {
                let control = self.clone();
                asked.spawn(async move { control.ask_function(reference).await });
            }
            let Some(answer) = asked.join_next().await else { break };
            // None panics, and none is aborted while this is waited for.
            let Ok((function, unasked)) = answer else { continue };
            deployed.functions.push(function);
            deployed.unasked.extend(unasked);
        }
        deployed.functions.sort_by(|a, b| a.reference.cmp(&b.reference));
        deployed.unasked.sort_by(|a, b| (a.action, &a.resource).cmp(&(b.action, &b.resource)));
    }

    async fn ask_function(&self, reference: FunctionRef) -> (Function, Vec<Unasked>) {
        let mut unasked = Vec::new();
        let settings = match self.settings(&reference).await {
            Ok(settings) => Asked::Is(settings),
            Err(error) if error.problem == Problem::NotFound => Asked::Missing,
            Err(error) => {
                unasked.push(error.into());
                Asked::Unknown
            }
        };
        let policy = match self.policy(&reference).await {
            Ok(policy) => Asked::Is(policy),
            // A function without a policy answers as one that is not there, but for the words.
            Err(error) if error.problem == Problem::NotFound => match &settings {
                Asked::Missing => Asked::Missing,
                Asked::Unknown if error.said.contains("Function not found") => Asked::Missing,
                Asked::Is(_) | Asked::Unknown => Asked::Is(Vec::new()),
            },
            Err(error) => {
                unasked.push(error.into());
                Asked::Unknown
            }
        };
        (Function { reference, settings, policy }, unasked)
    }

    async fn settings(&self, of: &FunctionRef) -> Result<FunctionSettings, Undiscovered> {
        let (lambda, arn) = (self.lambda(&of.region), of.arn());
        let call = Call { action: "lambda:GetFunctionConfiguration", resource: &arn, region: &of.region };
        let ask = || {
            let call = lambda.client.get_function_configuration().function_name(unqualified(of));
            call.set_qualifier(of.qualifier.as_deref().map(str::to_owned)).send()
        };
        Ok(settings(&self.ask(&[&lambda.quota], call, ask).await?, &of.name))
    }

    async fn policy(&self, of: &FunctionRef) -> Result<Vec<Statement>, Undiscovered> {
        let (lambda, arn) = (self.lambda(&of.region), of.arn());
        let call = Call { action: "lambda:GetPolicy", resource: &arn, region: &of.region };
        let ask = || {
            let call = lambda.client.get_policy().function_name(unqualified(of));
            call.set_qualifier(of.qualifier.as_deref().map(str::to_owned)).send()
        };
        let policy = self.ask(&[&lambda.quota], call, ask).await?.policy.unwrap_or_default();
        statements(&policy, of).ok_or_else(|| self.undiscovered(call, Problem::Service, format!("no policy: {policy}")))
    }

    fn lambda(&self, region: &Arc<str>) -> Lambda {
        let mut lambdas = self.0.lambdas.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let config = aws_sdk_lambda::config::Builder::from(&self.0.config);
            let config = config.region(aws_sdk_lambda::config::Region::new(region.to_string()));
            let client = aws_sdk_lambda::Client::from_conf(config.build());
            Lambda { client, quota: Quota::start(LAMBDA_RATE, Clock::wall()) }
        };
        lambdas.entry(Arc::clone(region)).or_insert_with(make).clone()
    }
}

/// The functions that integrations and authorizers name, each once.
fn named(deployed: &Deployed) -> BTreeSet<FunctionRef> {
    let targets = deployed.integrations.iter().map(|i| &i.target);
    let targets = targets.chain(deployed.authorizers.iter().map(|a| &a.target));
    let functions = targets.filter_map(|target| match target {
        Target::Lambda(function) => Some(function.clone()),
        Target::Http { .. } | Target::Service { .. } | Target::Mock | Target::Unclear { .. } => None,
    });
    functions.collect()
}

/// Its ARN without the qualifier, which is said beside it: the account may be another one's.
fn unqualified(of: &FunctionRef) -> String {
    FunctionRef { qualifier: None, ..of.clone() }.arn()
}

fn settings(answer: &GetFunctionConfigurationOutput, name: &str) -> FunctionSettings {
    let logging = answer.logging_config.as_ref();
    let log_group = logging.and_then(|l| l.log_group.as_deref()).filter(|group| !group.is_empty());
    let state = answer.state.as_ref().filter(|state| matches!(state, State::Failed | State::Inactive));
    let reason = answer.state_reason.as_deref().filter(|reason| !reason.is_empty());
    FunctionSettings {
        timeout: Duration::from_secs(answer.timeout.and_then(|s| s.try_into().ok()).unwrap_or(3)),
        memory_mb: answer.memory_size.and_then(|mb| mb.try_into().ok()).unwrap_or(128),
        runtime: answer.runtime.as_ref().map(|runtime| runtime.as_str().into()),
        log_group: log_group.map_or_else(|| format!("/aws/lambda/{name}").into(), Arc::from),
        json_logs: logging.and_then(|l| l.log_format.as_ref()) == Some(&LogFormat::Json),
        unfit: state.map(|state| match reason {
            Some(reason) => format!("{}: {reason}", state.as_str()).into(),
            None => state.as_str().into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{EnvironmentResponse, LoggingConfig, Runtime};

    use super::*;

    #[test]
    fn a_function_writes_to_its_own_group_unless_told_otherwise() {
        let plain = GetFunctionConfigurationOutput::builder().timeout(28).memory_size(512);
        let found = settings(&plain.clone().runtime(Runtime::from("nodejs22.x")).build(), "checkout-fn");
        assert_eq!((&*found.log_group, found.timeout), ("/aws/lambda/checkout-fn", Duration::from_secs(28)));
        assert_eq!((found.memory_mb, found.runtime.as_deref(), found.json_logs), (512, Some("nodejs22.x"), false));
        assert_eq!(found.unfit, None);
        let custom = LoggingConfig::builder().log_group("/shop/all").log_format(LogFormat::Json).build();
        let found = settings(&plain.clone().logging_config(custom).state(State::Active).build(), "checkout-fn");
        assert_eq!((&*found.log_group, found.json_logs, found.unfit), ("/shop/all", true, None));
        let failed = plain.clone().state(State::Failed).state_reason("The image is gone");
        assert_eq!(settings(&failed.build(), "f").unfit.as_deref(), Some("Failed: The image is gone"));
        assert_eq!(settings(&plain.state(State::Inactive).build(), "f").unfit.as_deref(), Some("Inactive"));
    }

    #[test]
    fn an_environment_is_dropped() {
        let environment = EnvironmentResponse::builder().variables("DB_PASSWORD", "hunter2").build();
        let answer = GetFunctionConfigurationOutput::builder().environment(environment).build();
        assert!(!format!("{:?}", settings(&answer, "f")).contains("hunter2"));
    }
}
