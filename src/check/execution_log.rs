//! The stage's execution log, where it is configured to be read.
//!
//! Rule: it is a fault only where nothing else counts the requests.

use super::evidence::{Api, Purpose};
use super::log_groups::is_named;
use super::stage_commands;
use crate::model::deployed::{Deployed, ExecutionLog};
use crate::model::finding::{Check, Finding, Level, SubjectKind};
use crate::model::inventory::name_of_group;

/// Whether it is written as the configuration expects.
pub(super) fn finding(api: &Api, deployed: &Deployed) -> Option<Finding> {
    let stage = format!("{}/{}", deployed.stage.id, deployed.stage.stage);
    let ok = |text: &str| Some(Finding::ok(Check::ExecutionLog, SubjectKind::Stage, &stage, text));
    let named = api.groups.iter().find(|g| g.purpose == Purpose::Execution).map(|g| name_of_group(&g.name));
    let counts = !api.groups.iter().any(|g| g.purpose == Purpose::Access);
    let bad = |text: String| {
        let level = if counts { Level::Fault } else { Level::Warning };
        let text = if counts { format!("{text} No request can be counted.") } else { text };
        Finding { level, ..Finding::ok(Check::ExecutionLog, SubjectKind::Stage, &stage, text) }
    };
    let switch_on = || Some(stage_commands::execution_log(deployed).to_string());
    let leave_out = "Leave execution_log_group out of the configuration";
    match (named, &deployed.execution_log) {
        (None, ExecutionLog::Never) => None,
        (None, ExecutionLog::Off) => ok("execution log off, and not needed"),
        (None, ExecutionLog::On { group, .. }) => ok(&format!("execution log written to {group}, and not read")),
        (Some(named), ExecutionLog::Never) => {
            let text = format!("An API of this kind writes no execution log: {named} stays empty.");
            Some(bad(text).fix(format!("{leave_out}."), None))
        }
        (Some(named), ExecutionLog::Off) => {
            let text = format!("Its execution log is switched off: {named} stays empty.");
            Some(bad(text).fix(format!("{leave_out}, or switch it on."), switch_on()))
        }
        (Some(named), ExecutionLog::On { group, .. }) if !is_named(named, name_of_group(group)) => {
            let text = format!("Its execution log goes to {group}, but the configuration names {named}.");
            Some(bad(text).fix(format!("Write execution_log_group = {group:?} in the configuration."), None))
        }
        (Some(_), ExecutionLog::On { all, every_method, .. }) if counts && !(*all && *every_method) => {
            let what = if *all { "some methods only" } else { "failures only (level ERROR)" };
            let text = format!("Its execution log holds {what}, and there is no access log beside it.");
            Some(bad(text).fix("Log whole requests of all methods, or name an access log.", switch_on()))
        }
        (Some(_), ExecutionLog::On { all, .. }) => {
            ok(if *all { "execution log written, whole requests" } else { "execution log written, failures only" })
        }
    }
}
