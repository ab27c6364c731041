//! Whether AWS has the API that is watched.

use super::evidence::{Api, Stage};
use super::names::some_of;
use crate::model::deployed::Candidate;
use crate::model::finding::{Check, Finding, SubjectKind};
use crate::model::inventory::ApiKind;
use crate::model::problem::Problem;

/// At most one finding.
pub(super) fn findings(api: &Api) -> Vec<Finding> {
    let unchecked = "its format, integrations, timeouts and permissions were not checked";
    let finding = match &api.stage {
        Stage::Found(deployed) => {
            let stage = &deployed.stage;
            let kind = match stage.kind {
                ApiKind::Rest | ApiKind::Auto => "REST",
                ApiKind::Http => "HTTP",
                ApiKind::WebSocket => "WebSocket",
            };
            let name = format!("{}/{}", stage.id, stage.stage);
            Finding::ok(
                Check::Stage,
                SubjectKind::Stage,
                &name,
                format!("{kind} API {} in {}", stage.name, deployed.region),
            )
        }
        Stage::Absent { wanted, stages, names } => {
            let (text, fix) = match (stages.as_slice(), names.as_slice()) {
                ([], []) => ("AWS knows no such API", "Check name or ID, Region and account.".to_owned()),
                ([], names) => ("AWS knows no such API", format!("Say which: there are {}.", some_of(names))),
                (stages, _) => {
                    let stages: Vec<_> = stages.iter().map(|c| &c.stage).collect();
                    ("The API has no such stage", format!("Say which: there are {}.", some_of(&stages)))
                }
            };
            let text = format!("{text} in {}: nothing of it is watched.", api.region);
            Finding::fault(Check::Stage, SubjectKind::Stage, wanted, text).fix(fix, None)
        }
        Stage::Ambiguous { wanted, among } => {
            let text = format!("Several stages in {} may be meant: nothing of it is watched.", api.region);
            Finding::fault(Check::Stage, SubjectKind::Stage, wanted, text).fix(say_which(among), None)
        }
        Stage::Untold { among } if !among.is_empty() => {
            let text = format!("Several stages in {} write to its log groups: {unchecked}.", api.region);
            let fix = format!("Let each stage log to a group of its own. {}", say_which(among));
            Finding::warning(Check::Stage, SubjectKind::Stage, &api.name, text).fix(fix, None)
        }
        Stage::Untold { .. } => {
            let text = format!("No stage in {} writes to its log groups: {unchecked}.", api.region);
            let fix = "Write discover = \"NAME/STAGE\" for this API in the configuration, or check its log groups.";
            Finding::warning(Check::Stage, SubjectKind::Stage, &api.name, text).fix(fix, None)
        }
        // Said once for all that is denied.
        Stage::Unasked { why, .. } if why.problem == Problem::Denied => return Vec::new(),
        Stage::Unasked { why, .. } => {
            let text = format!("AWS could not be asked for its stage: {unchecked}. It was said: {}", why.said);
            Finding::warning(Check::Stage, SubjectKind::Stage, &api.name, text).fix(why.problem.advice(), None)
        }
    };
    vec![finding]
}

fn say_which(among: &[Candidate]) -> String {
    let names: Vec<_> = among.iter().map(|c| format!("{}/{} ({})", c.id, c.stage, c.name)).collect();
    format!("Say which: {}.", some_of(&names))
}
