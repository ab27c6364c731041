//! The stages that are watched: those that the configuration names, else those that write to its log groups.
//!
//! Rule: one stage after the other, because the control plane allows few calls; the list of all stages of a Region is
//! asked for once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::steps::Steps;
use crate::aws::clients::Clients;
use crate::aws::discover::{Control, NotFound};
use crate::check::evidence::{Api, LogGroup, Sample, Stage};
use crate::config::found::Found;
use crate::config::{ApiConfig, Config};
use crate::model::deployed::{AccessLog, Candidate, Unasked, Wanted};
use crate::model::inventory::name_of_group;
use crate::model::text::fits;
use crate::read::Template;

/// Region and role.
type Account = (String, Option<String>);
/// All stages of a Region, or why they are not known.
type Stages = Result<Vec<(Candidate, AccessLog)>, Unasked>;

/// What was found of the APIs.
pub(super) struct Looked {
    /// Of each API, in their order.
    pub(super) stages: Vec<Stage>,
    /// The configuration with what was found.
    pub(super) config: Config,
    /// What was found and cannot be watched: the API's name, and why.
    pub(super) refused: Vec<(String, String)>,
}

/// Asks for the stages of all APIs. `region` is that of APIs that name none.
pub(super) async fn look(config: &Config, clients: &mut Clients, region: &str, steps: &Steps) -> Looked {
    let mut known = BTreeMap::new();
    let mut listed: BTreeMap<Account, Stages> = BTreeMap::new();
    let mut stages = Vec::new();
    for api in &config.apis {
        steps.say(&format!("asking for API {}", api.name));
        let account = (region_of(api, region).to_owned(), api.role_arn.clone().or_else(|| config.role_arn.clone()));
        let control = clients.control(&account.0, account.1.as_deref()).await;
        let stage = if let Some(sought) = config.sought(api, region) {
            let stage = named(&control, &sought.wanted, true).await;
            if let Stage::Found(deployed) = &stage {
                known.insert(sought, Found::of(deployed).0);
            }
            stage
        } else if let Some(wanted) = of_execution_log(api) {
            named(&control, &wanted, false).await
        } else {
            if !listed.contains_key(&account) {
                listed.insert(account.clone(), control.stages().await.map_err(Into::into));
            }
            by_access_log(&control, api, &listed[&account]).await
        };
        stages.push(stage);
    }
    let resolved = config.resolved(&known, region);
    Looked { stages, config: resolved.config, refused: resolved.refused }
}

/// What is known of each API, put together.
pub(super) fn evidence(
    resolved: &Config,
    written: &Config,
    stages: Vec<Stage>,
    refused: &[(String, String)],
    groups: Vec<Vec<LogGroup>>,
    samples: Vec<Option<Sample>>,
    region: &str,
) -> Vec<Api> {
    let apis = resolved.apis.iter().zip(&written.apis);
    let known = stages.into_iter().zip(groups).zip(samples);
    let each = apis.zip(known).map(|((api, as_written), ((stage, groups), sample))| Api {
        name: api.name.as_str().into(),
        region: region_of(api, region).into(),
        format_agrees: as_written.access_log_format.as_ref().and_then(|format| agrees(format, &stage)),
        groups,
        stage,
        sample,
        refused: refused.iter().find(|(name, _)| *name == api.name).map(|(_, why)| why.clone()),
    });
    each.collect()
}

fn region_of<'a>(api: &'a ApiConfig, region: &'a str) -> &'a str {
    api.region.as_deref().unwrap_or(region)
}

/// Whether a format that is configured is the stage's.
fn agrees(configured: &Template, stage: &Stage) -> Option<bool> {
    let Stage::Found(deployed) = stage else { return None };
    let AccessLog::Group { format, .. } = &deployed.access_log else { return None };
    Some(Template::compile(format).is_ok_and(|format| format == *configured))
}

/// The stage that somebody names; `discovered` if the configuration leaves its logs to AWS.
async fn named(control: &Control, wanted: &Wanted, discovered: bool) -> Stage {
    let name: Arc<str> = wanted.to_string().into();
    match control.find_one(wanted).await {
        Ok(stage) => described(control, &stage, discovered).await,
        Err(NotFound::Unasked(error)) => Stage::Unasked { why: error.into(), needed: discovered },
        // Log groups outlive their APIs.
        Err(NotFound::None { .. } | NotFound::Several { .. }) if !discovered => Stage::Untold { among: Vec::new() },
        Err(NotFound::None { stages, names, .. }) => Stage::Absent { wanted: name, stages, names },
        Err(NotFound::Several { among, .. }) => Stage::Ambiguous { wanted: name, among },
    }
}

async fn described(control: &Control, stage: &Candidate, discovered: bool) -> Stage {
    match control.describe(stage).await {
        Ok(deployed) => Stage::Found(Box::new(deployed)),
        Err(error) => Stage::Unasked { why: error.into(), needed: discovered },
    }
}

/// API ID and stage, which stand in the name of an execution-log group. Source: API Gateway documentation, "Set up
/// CloudWatch logging for REST APIs" and "Configure logging for a WebSocket API".
fn of_execution_log(api: &ApiConfig) -> Option<Wanted> {
    let name = name_of_group(api.execution_log_group.as_deref()?);
    let which = name.strip_prefix("API-Gateway-Execution-Logs_").or_else(|| name.strip_prefix("/aws/apigateway/"))?;
    Wanted::parse(which).filter(|wanted| wanted.stage.is_some())
}

/// The one stage that writes to an access-log group of the API.
async fn by_access_log(control: &Control, api: &ApiConfig, stages: &Stages) -> Stage {
    let stages = match stages {
        Ok(stages) => stages,
        Err(why) => return Stage::Unasked { why: why.clone(), needed: false },
    };
    let is_its = |log: &AccessLog| match log {
        AccessLog::Group { arn, .. } => {
            api.access_log_groups.iter().any(|group| fits(name_of_group(group), name_of_group(arn)))
        }
        AccessLog::Off | AccessLog::Firehose { .. } => false,
    };
    let among: Vec<_> = stages.iter().filter(|(_, log)| is_its(log)).map(|(stage, _)| stage.clone()).collect();
    match among.as_slice() {
        [one] => described(control, one, false).await,
        _ => Stage::Untold { among },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_log_group_names_its_stage() {
        let of = |group: &str| {
            let api = ApiConfig { execution_log_group: Some(group.to_owned()), ..ApiConfig::named("shop") };
            of_execution_log(&api).map(|wanted| wanted.to_string())
        };
        assert_eq!(of("API-Gateway-Execution-Logs_a1b2c3d4e5/prod").as_deref(), Some("a1b2c3d4e5/prod"));
        assert_eq!(of("/aws/apigateway/a1b2c3d4e5/prod").as_deref(), Some("a1b2c3d4e5/prod"));
        let arn = "arn:aws:logs:eu-west-1:111122223333:log-group:API-Gateway-Execution-Logs_a1/x:*";
        assert_eq!(of(arn).as_deref(), Some("a1/x"));
        assert_eq!(of("/mine"), None);
        assert_eq!(of("/aws/apigateway/welcome"), None);
    }
}
