//! Who runs it, and how often the account's quota lets it read.

use super::evidence::Evidence;
use crate::model::finding::{Check, Finding, SubjectKind};

/// Credentials, and one finding for each Region.
pub(super) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut found = vec![match &evidence.caller {
        Ok(caller) => {
            let text = format!("known to AWS, account {}, Region {}", caller.account, caller.region);
            Finding::ok(Check::Credentials, SubjectKind::Caller, &caller.arn, text)
        }
        Err(why) => {
            let text = format!("AWS could not be asked who this is: {}.", why.said.trim_end_matches('.'));
            Finding::warning(Check::Credentials, SubjectKind::Caller, &why.resource, text)
                .fix(why.problem.advice(), None)
        }
    }];
    found.extend(evidence.polling.iter().map(|polling| {
        if !polling.short {
            return Finding::ok(Check::Polling, SubjectKind::Region, &polling.place, polling.said.clone());
        }
        let text = format!("{}: alerts come later by that much.", polling.said);
        let fix = "Raise poll.quota_share, watch fewer log groups, or set a longer poll.interval.";
        Finding::warning(Check::Polling, SubjectKind::Region, &polling.place, text).fix(fix, None)
    }));
    found
}
