//! Whether log groups exist, can be read, and keep their lines long enough.
//!
//! Rule: a log group that AWS makes when the first line is written to it may be missing; that of an access log may not.

use std::time::Duration;

use super::evidence::{Listed, LogGroup, Purpose, Read};
use crate::model::finding::{Check, Finding, SubjectKind};
use crate::model::inventory::name_of_group;
use crate::model::problem::Problem;
use crate::model::shell::Aws;
use crate::model::text::fits;
use crate::model::time::human;

/// Days that can be set. Source: CloudWatch Logs API reference, `PutRetentionPolicy`; the shorter ones.
const DAYS: [u32; 6] = [1, 3, 5, 7, 14, 30];

const DAY: Duration = Duration::from_hours(24);

/// Whether a configured name or pattern means this log group.
pub(super) fn is_named(configured: &str, group: &str) -> bool {
    fits(name_of_group(configured), name_of_group(group))
}

/// Whether it is known to exist.
pub(super) fn exists(group: &LogGroup) -> bool {
    group.read == Read::Can || matches!(group.listed, Listed::Is { .. })
}

/// All of one log group. `reach` is how far back it is read at most.
pub(super) fn findings(group: &LogGroup, reach: Duration, region: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let name = &group.name;
    if group.listed == Listed::NoneFits {
        let text = "No log group fits this pattern: failures stay unexplained until there is one. It is looked up again all the time.";
        let fix = "Check the pattern, the Region and the account.";
        return vec![Finding::warning(Check::LogGroup, SubjectKind::LogGroup, name, text).fix(fix, None)];
    }
    match &group.read {
        Read::Can => {
            found.push(Finding::ok(Check::LogGroup, SubjectKind::LogGroup, name, "exists and can be read"));
        }
        Read::Cannot(why) => match why.problem {
            Problem::NotFound => return vec![missing(group, region)],
            // Said once for all that are denied.
            Problem::Denied => {}
            Problem::Unsupported => {
                if !matches!(group.listed, Listed::Is { .. }) {
                    found.push(unreadable(group, "a class that does not allow it"));
                }
            }
            Problem::Throttled
            | Problem::BadToken
            | Problem::Refused
            | Problem::Credentials
            | Problem::Unreachable
            | Problem::Service
            | Problem::Late => {
                let text = format!("It could not be read: {}.", why.said.trim_end_matches('.'));
                let advice = why.problem.advice();
                found.push(Finding::warning(Check::LogGroup, SubjectKind::LogGroup, name, text).fix(advice, None));
            }
        },
        Read::Untried => {}
    }
    match &group.listed {
        Listed::Is { class, days } => {
            found.push(if &**class == "STANDARD" {
                Finding::ok(Check::LogClass, SubjectKind::LogGroup, name, "class Standard")
            } else {
                unreadable(group, class)
            });
            found.push(retention(group, *days, reach, region));
        }
        // What can be read is there, whatever the list says.
        Listed::Missing if group.read != Read::Can => return vec![missing(group, region)],
        Listed::Missing | Listed::NoneFits | Listed::Unasked(_) => {}
    }
    found
}

fn missing(group: &LogGroup, region: &str) -> Finding {
    let name = &group.name;
    let of = |level: fn(Check, SubjectKind, &str, String) -> Finding, text: &str| {
        level(Check::LogGroup, SubjectKind::LogGroup, name, text.to_owned())
    };
    let at_first_line = "If it never comes, check the name, the Region and the account.";
    match group.purpose {
        Purpose::Access => {
            let text = "There is no such log group: the stage's access log has no place, and no request is counted.";
            let make = Aws::new("logs create-log-group", region).with("log-group-name", name_of_group(name));
            of(Finding::fault, text)
                .fix("Make it, or check the name, the Region and the account.", Some(make.to_string()))
        }
        Purpose::Lambda => {
            let text = "There is no such log group yet: Lambda makes it when the function runs for the first time, if the \
                        function's role may write logs. Until then failures stay unexplained.";
            of(Finding::warning, text).fix(at_first_line, None)
        }
        Purpose::Execution => {
            let text = "There is no such log group yet: API Gateway makes it with the first request after logging was switched on.";
            of(Finding::warning, text).fix(at_first_line, None)
        }
    }
}

fn unreadable(group: &LogGroup, class: &str) -> Finding {
    let text = format!(
        "It cannot be read: it is of the class {class}, and FilterLogEvents needs Standard. The class is fixed when a log group \
         is made."
    );
    let fix = match group.purpose {
        Purpose::Access => "Let the stage log to a new log group of the Standard class.",
        Purpose::Lambda => {
            "Let the function log to a new log group of the Standard class (LoggingConfig of the function)."
        }
        Purpose::Execution => "Delete it; API Gateway makes it anew.",
    };
    Finding::fault(Check::LogClass, SubjectKind::LogGroup, &group.name, text).fix(fix, None)
}

fn retention(group: &LogGroup, days: Option<u32>, reach: Duration, region: &str) -> Finding {
    let name = &group.name;
    let Some(days) = days else {
        return Finding::ok(
            Check::Retention,
            SubjectKind::LogGroup,
            name,
            "keeps its lines for ever, which costs more each day",
        );
    };
    if DAY * days >= reach {
        let unit = if days == 1 { "day" } else { "days" };
        return Finding::ok(
            Check::Retention,
            SubjectKind::LogGroup,
            name,
            format!("keeps its lines for {days} {unit}"),
        );
    }
    let text = format!(
        "It keeps its lines for {days} d, but up to {} of them are read after a pause: older ones are lost to statistics and \
         explanations.",
        human(reach)
    );
    let enough = DAYS.into_iter().find(|days| DAY * *days >= reach).unwrap_or(30);
    let command = Aws::new("logs put-retention-policy", region)
        .with("log-group-name", name_of_group(name))
        .with("retention-in-days", &enough.to_string());
    Finding::warning(Check::Retention, SubjectKind::LogGroup, name, text)
        .fix("Keep them longer, or read less far back (poll.max_catchup, windows).", Some(command.to_string()))
}
