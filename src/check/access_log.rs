//! Where the stage's access log goes.
//!
//! Not what its lines hold: that is `access_format`. Rule: a stage whose requests are counted by its execution log needs
//! no access log.

use super::evidence::{Api, Purpose};
use super::log_groups::is_named;
use super::names::some_of;
use crate::model::access_format;
use crate::model::deployed::{AccessLog, Deployed};
use crate::model::finding::{Check, Finding, SubjectKind};
use crate::model::inventory::{ApiKind, name_of_group};
use crate::model::shell::Aws;

/// Whether requests are written where they are read.
pub(super) fn finding(api: &Api, deployed: &Deployed) -> Finding {
    let stage = format!("{}/{}", deployed.stage.id, deployed.stage.stage);
    let of = |level: fn(Check, SubjectKind, &str, String) -> Finding, text: String| {
        level(Check::AccessLog, SubjectKind::Stage, &stage, text)
    };
    if let Some(why) = &api.refused {
        return of(Finding::fault, format!("What was discovered of it cannot be watched: {why}."));
    }
    let named: Vec<&str> = named(api);
    let by_execution = named.is_empty() && api.groups.iter().any(|g| g.purpose == Purpose::Execution);
    match &deployed.access_log {
        AccessLog::Off | AccessLog::Firehose { .. } if by_execution => {
            of(Finding::ok, "not read: requests are counted by the execution log".to_owned())
        }
        AccessLog::Off => {
            let text = "It writes no access log, so no request can be counted.".to_owned();
            of(Finding::fault, text).fix(switch_on_text(deployed), Some(switch_on(api, deployed)))
        }
        AccessLog::Firehose { arn } => {
            let text = format!(
                "Its access log goes to the Firehose stream {arn}, where it cannot be read, so no request can be counted. A \
                 stage writes to one place only."
            );
            of(Finding::fault, text).fix(switch_on_text(deployed), Some(switch_on(api, deployed)))
        }
        AccessLog::Group { arn, .. } => {
            let group = name_of_group(arn);
            if by_execution {
                return of(Finding::ok, format!("written to {group}, which is not read: the execution log is"));
            }
            if named.iter().any(|name| is_named(name, group)) {
                return of(Finding::ok, format!("access log written to {group}"));
            }
            let text = format!(
                "Its access log goes to {group}, but the configuration names {}: no request of this stage is counted.",
                some_of(&named)
            );
            let fix =
                format!("Write access_log_groups = [{group:?}] in the configuration, or let the stage log there.");
            of(Finding::fault, text).fix(fix, None)
        }
    }
}

fn named(api: &Api) -> Vec<&str> {
    let access = api.groups.iter().filter(|g| g.purpose == Purpose::Access);
    access.map(|g| name_of_group(&g.name)).collect()
}

fn switch_on_text(deployed: &Deployed) -> String {
    let role = match deployed.stage.kind {
        // Source: API Gateway documentation, "Set up CloudWatch logging for REST APIs".
        ApiKind::Rest | ApiKind::WebSocket | ApiKind::Auto => {
            " The account needs a role for CloudWatch once (`aws apigateway get-account` shows it)."
        }
        ApiKind::Http => "",
    };
    format!("Let it log to a log group of the Standard class, in the recommended format.{role}")
}

fn switch_on(api: &Api, deployed: &Deployed) -> String {
    let Some(group) = api.groups.iter().find(|g| g.purpose == Purpose::Access && !g.name.contains('*')) else {
        return access_format::switch_on(deployed).join(" && ");
    };
    let name = name_of_group(&group.name);
    let account = deployed.account.as_deref().unwrap_or("ACCOUNT_ID");
    let arn = format!("arn:{}:logs:{}:{account}:log-group:{name}", deployed.partition, deployed.region);
    let set = access_format::command(&deployed.stage, &deployed.region, &arn);
    if super::log_groups::exists(group) {
        return set;
    }
    format!("{} && {set}", Aws::new("logs create-log-group", &deployed.region).with("log-group-name", name))
}
