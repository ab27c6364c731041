//! What AWS says an API is made of -> what is watched of it.
//!
//! Not the asking, and not the configuration: its keys, filled in. Rule: what is not known is left to the default and
//! said as a [`Gap`]; a log that tells of some requests only is never taken for one that counts them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Config;
use super::api::{ApiConfig, GROUPS_MAX, is_group};
use super::gap::{Gap, Instead};
use crate::model::access_format::switch_on;
use crate::model::deployed::{
    AccessLog, Asked, Deployed, ExecutionLog, Function, FunctionRef, Integration, Target, Wanted,
};
use crate::model::inventory::{ApiKind, name_of_group};
use crate::model::request::Endpoint;
use crate::read::Template;

/// What a timeout may be in the configuration.
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_mins(15));

/// The keys of one API as they were found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The API's name.
    pub api: String,
    /// Its ID.
    pub id: String,
    /// The stage.
    pub stage: String,
    /// REST, HTTP or WebSocket.
    pub kind: ApiKind,
    /// AWS Region.
    pub region: String,
    /// AWS account, where it is known.
    pub account: Option<String>,
    /// Access-log group.
    pub access_log_group: Option<String>,
    /// The stage's access-log format; `None` recognises it.
    pub access_log_format: Option<String>,
    /// Execution-log group, where it is of use.
    pub execution_log_group: Option<String>,
    /// Log groups of the functions.
    pub lambda_log_groups: Vec<String>,
    /// Which function serves an endpoint.
    pub functions: BTreeMap<String, Arc<str>>,
    /// When the gateway gives up on the integration, where it is stated.
    pub integration_timeout: Option<Duration>,
}

impl Found {
    /// What is watched of an API, and what is not as watching needs it.
    #[must_use]
    pub fn of(deployed: &Deployed) -> (Self, Vec<Gap>) {
        let mut gaps = Vec::new();
        let (access_log_group, access_log_format, execution_log_group) = logs(deployed, &mut gaps);
        let lambda_log_groups = lambda_log_groups(deployed, &mut gaps);
        let functions = functions(&deployed.integrations, &mut gaps);
        let integration_timeout = integration_timeout(deployed, &mut gaps);
        gaps.extend(deployed.unasked.iter().cloned().map(Gap::NotAsked));
        let found = Self {
            api: deployed.stage.name.to_string(),
            id: deployed.stage.id.to_string(),
            stage: deployed.stage.stage.to_string(),
            kind: deployed.stage.kind,
            region: deployed.region.to_string(),
            account: deployed.account.as_deref().map(str::to_owned),
            access_log_group,
            access_log_format,
            execution_log_group,
            lambda_log_groups,
            functions,
            integration_timeout,
        };
        (found, gaps)
    }

    /// Whether there is a log that counts its requests.
    #[must_use]
    pub const fn is_watchable(&self) -> bool {
        self.access_log_group.is_some() || self.execution_log_group.is_some()
    }

    /// How it is called in messages where nobody gave it a name.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.api.trim().is_empty() { &self.id } else { &self.api }
    }

    /// Which one it is: `shop/prod`.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted { api: self.label().to_owned(), stage: Some(self.stage.clone()) }
    }

    /// A configuration that watches it and nothing else.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::ad_hoc(self.label(), Vec::new(), Vec::new());
        for api in &mut config.apis {
            api.region = Some(self.region.clone());
            self.fill(api);
        }
        config
    }

    /// Fills in what the configuration leaves to discovery. What it says itself stays.
    pub fn fill(&self, api: &mut ApiConfig) {
        api.kind = self.kind;
        api.access_log_groups = self.access_log_group.iter().cloned().collect();
        api.access_log_format = self.access_log_format.as_deref().and_then(|format| Template::compile(format).ok());
        api.lambda_log_groups.clone_from(&self.lambda_log_groups);
        api.execution_log_group.clone_from(&self.execution_log_group);
        for (endpoint, function) in &self.functions {
            api.functions.entry(endpoint.clone()).or_insert_with(|| Arc::clone(function));
        }
        let stated = api.discover.as_ref().and_then(|discover| discover.timeout);
        api.integration_timeout = stated.or(self.integration_timeout).unwrap_or(self.kind.default_timeout());
    }
}

/// Access-log group, its format, and the execution-log group where it is of use.
fn logs(deployed: &Deployed, gaps: &mut Vec<Gap>) -> (Option<String>, Option<String>, Option<String>) {
    let (execution, instead) = match &deployed.execution_log {
        ExecutionLog::Never | ExecutionLog::Off => (None, Instead::Nothing),
        ExecutionLog::On { group, all, every_method } => {
            let counts = *all && *every_method && is_group(group);
            (
                Some(group.to_string()).filter(|group| is_group(group)),
                if counts { Instead::ExecutionLog } else { Instead::Part },
            )
        }
    };
    // Beside an access log it names causes outright, also if it tells of failures alone.
    let counting = execution.clone().filter(|_| instead == Instead::ExecutionLog);
    match &deployed.access_log {
        AccessLog::Off => {
            gaps.push(Gap::AccessLogOff { instead, mend: switch_on(deployed) });
            (None, None, counting)
        }
        AccessLog::Firehose { arn } => {
            gaps.push(Gap::Firehose { stream: Arc::clone(arn), instead, mend: switch_on(deployed) });
            (None, None, counting)
        }
        AccessLog::Group { arn, format } => {
            let group = group_of(arn, deployed);
            if !is_group(&group) {
                gaps.push(Gap::StrangeGroup { group: Arc::clone(arn) });
                return (None, None, counting);
            }
            let compiled = Template::compile(format);
            if let Err(said) = &compiled {
                gaps.push(Gap::Format { said: said.to_string() });
            }
            (Some(group), compiled.is_ok().then(|| format.to_string()), execution)
        }
    }
}

/// A log group by its name, or by its ARN where that says more: it is in another account or Region than the API.
fn group_of(arn: &str, deployed: &Deployed) -> String {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let elsewhere = match parts.as_slice() {
        ["arn", _, "logs", region, account, ..] => {
            **region != *deployed.region || deployed.account.as_deref().is_some_and(|own| own != *account)
        }
        _ => false,
    };
    if elsewhere { arn.trim_end_matches(":*").to_owned() } else { name_of_group(arn).to_owned() }
}

/// Log groups of all functions, authorizers' among them, each once.
fn lambda_log_groups(deployed: &Deployed, gaps: &mut Vec<Gap>) -> Vec<String> {
    let mut groups = BTreeSet::new();
    for Function { reference, settings, .. } in &deployed.functions {
        let name = match settings {
            Asked::Is(settings) => settings.log_group.to_string(),
            Asked::Missing => {
                gaps.push(Gap::FunctionGone { function: Arc::clone(&reference.name) });
                continue;
            }
            Asked::Unknown => {
                let group = format!("/aws/lambda/{}", reference.name);
                gaps.push(Gap::GroupAssumed { function: Arc::clone(&reference.name), group: group.clone() });
                group
            }
        };
        if deployed.account.as_ref().is_some_and(|own| *own != reference.account) {
            gaps.push(Gap::OtherAccount {
                function: Arc::clone(&reference.name),
                account: Arc::clone(&reference.account),
            });
        }
        let FunctionRef { partition, region, account, .. } = reference;
        let group = group_of(&format!("arn:{partition}:logs:{region}:{account}:log-group:{name}"), deployed);
        if is_group(&group) {
            groups.insert(group);
        }
    }
    if deployed.functions.is_empty() && deployed.unasked.is_empty() {
        gaps.push(Gap::NoFunction);
    }
    gaps.dedup();
    if groups.len() > GROUPS_MAX {
        gaps.push(Gap::TooManyFunctions { left_out: groups.len() - GROUPS_MAX });
    }
    groups.into_iter().take(GROUPS_MAX).collect()
}

/// Which function serves an endpoint. Where a canary leads to another function, none is said: requests tell.
fn functions(integrations: &[Integration], gaps: &mut Vec<Gap>) -> BTreeMap<String, Arc<str>> {
    let mut functions: BTreeMap<String, Option<Arc<str>>> = BTreeMap::new();
    for Integration { endpoint, target, .. } in integrations {
        match target {
            Target::Lambda(function) if !function.name.trim().is_empty() => {
                let Some(key) = key(endpoint) else { continue };
                let known = functions.entry(key).or_insert_with(|| Some(Arc::clone(&function.name)));
                if known.as_ref().is_some_and(|known| *known != function.name) {
                    *known = None;
                }
            }
            Target::Unclear { uri, variable } => gaps.push(Gap::Unclear {
                endpoint: endpoint.to_string(),
                uri: Arc::clone(uri),
                variable: variable.clone(),
            }),
            Target::Lambda(_) | Target::Http { .. } | Target::Service { .. } | Target::Mock => {}
        }
    }
    functions.into_iter().filter_map(|(endpoint, function)| Some((endpoint, function?))).collect()
}

/// An endpoint as a key of `functions`. A route without a method takes every one.
fn key(endpoint: &Endpoint) -> Option<String> {
    let method = if matches!(&*endpoint.method, "" | "-" | "*") { "ANY" } else { endpoint.method.trim() };
    let (method, route) = (method.to_ascii_uppercase(), endpoint.route.trim());
    (!method.contains(' ') && !route.is_empty()).then(|| format!("{method} {route}"))
}

/// The longest timeout of what is asked for an answer.
fn integration_timeout(deployed: &Deployed, gaps: &mut Vec<Gap>) -> Option<Duration> {
    let default = deployed.stage.kind.default_timeout();
    let waits = |i: &&Integration| !matches!(i.target, Target::Mock);
    let timeouts = deployed.integrations.iter().filter(waits).map(|i| i.timeout.unwrap_or(default));
    let timeouts: BTreeSet<Duration> = timeouts.map(|timeout| timeout.clamp(TIMEOUTS.0, TIMEOUTS.1)).collect();
    let (least, most) = (*timeouts.first()?, *timeouts.last()?);
    if least != most {
        gaps.push(Gap::TimeoutsDiffer { least, most });
    }
    Some(most)
}

#[cfg(test)]
pub(super) mod tests;
