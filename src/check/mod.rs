//! What AWS says and what can be read -> findings: whether it is well, what it means, what mends it.
//!
//! Pure: the asking is `run/check`, and nothing here changes anything. One file for each thing that is looked at. Rule: a
//! fault is something that does not work, or will not when it is needed; what could not be looked at is a warning, and is
//! said once.

pub mod evidence;

mod access_format;
mod access_log;
mod arn;
mod execution_log;
mod functions;
mod integrations;
mod invoke;
mod log_groups;
mod names;
mod permissions;
mod policy;
mod stage;
mod stage_commands;
mod surroundings;
mod topics;

use std::collections::BTreeSet;

use self::evidence::{Api, Evidence, Stage};
use crate::model::deployed::Deployed;
use crate::model::finding::Finding;

/// All findings: what concerns everything first, then each API in its order; of each the worst first.
#[must_use]
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut all = surroundings::findings(evidence);
    all.extend(permissions::findings(evidence));
    all.extend(evidence.topics.iter().flat_map(topics::findings));
    worst_first(&mut all);
    for api in &evidence.apis {
        let mut own = of_api(api, evidence);
        worst_first(&mut own);
        all.extend(own.into_iter().map(|finding| finding.of(&api.name)));
    }
    all
}

fn worst_first(findings: &mut [Finding]) {
    // Stable: what is about one thing stays together.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
}

fn of_api(api: &Api, evidence: &Evidence) -> Vec<Finding> {
    let region = api.region.as_ref();
    let mut found = stage::findings(api);
    let mut seen = BTreeSet::new();
    for group in api.groups.iter().filter(|group| seen.insert((&group.name, group.purpose))) {
        found.extend(log_groups::findings(group, evidence.reach, region));
    }
    match &api.stage {
        Stage::Found(deployed) => found.extend(of_stage(api, deployed)),
        Stage::Absent { .. } | Stage::Ambiguous { .. } | Stage::Untold { .. } | Stage::Unasked { .. } => {}
    }
    found
}

fn of_stage(api: &Api, deployed: &Deployed) -> Vec<Finding> {
    let mut found = vec![access_log::finding(api, deployed)];
    found.extend(access_format::finding(deployed));
    found.extend(access_format::configured(api, deployed));
    found.extend(access_format::exact_join(api, deployed));
    found.extend(execution_log::finding(api, deployed));
    found.extend(integrations::findings(deployed));
    found.extend(deployed.functions.iter().flat_map(|function| functions::findings(api, deployed, function)));
    found.extend(invoke::findings(deployed));
    found
}

#[cfg(test)]
mod tests;
