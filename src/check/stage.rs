//! Whether AWS has the API that is watched.

use super::evidence::{Api, Stage};
use super::names::some_of;
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
        Stage::Absent { wanted, candidates } => {
            let (text, fix) = match candidates.as_slice() {
                [] => (
                    format!("AWS knows no such API in {}: nothing of it is watched.", api.region),
                    "Check name or ID, stage, Region and account.".to_owned(),
                ),
                several => {
                    let names: Vec<_> = several.iter().map(|c| format!("{}/{} ({})", c.id, c.stage, c.name)).collect();
                    let text = format!("Several stages in {} may be meant: nothing of it is watched.", api.region);
                    (text, format!("Say which: {}.", some_of(&names)))
                }
            };
            Finding::fault(Check::Stage, SubjectKind::Stage, wanted, text).fix(fix, None)
        }
        Stage::Untold => {
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
