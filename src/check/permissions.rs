//! Which actions of AWS are permitted to whoever runs gatewatch.
//!
//! Rule: one finding for each action, with the statement that permits it; what only a check needs is never a fault.

use std::collections::BTreeMap;

use serde_json::json;

use super::evidence::{Evidence, Listed, Read, Stage};
use super::names::some_of;
use crate::model::deployed::{Asked, Deployed, Unasked};
use crate::model::finding::{Check, Finding, Level, SubjectKind};
use crate::model::problem::Problem;

const FILTER: &str = "logs:FilterLogEvents";
const DESCRIBE: &str = "logs:DescribeLogGroups";
const APIS: &str = "apigateway:GET";
const FUNCTION: &str = "lambda:GetFunctionConfiguration";
const POLICY: &str = "lambda:GetPolicy";
const TOPIC: &str = "sns:GetTopicAttributes";
const SUBSCRIPTIONS: &str = "sns:ListSubscriptionsByTopic";

/// What is known of one action.
#[derive(Default)]
struct Answers<'a> {
    /// It was carried out so many times.
    done: usize,
    /// It was not permitted.
    denied: Vec<&'a Unasked>,
    /// Something else was in the way.
    failed: Vec<&'a Unasked>,
    /// gatewatch cannot do its work without.
    needed: bool,
}

/// One finding for each action that was tried.
pub(super) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut actions: BTreeMap<&'static str, Answers<'_>> = BTreeMap::new();
    for group in evidence.apis.iter().flat_map(|api| &api.groups) {
        match &group.read {
            Read::Can => actions.entry(FILTER).or_default().done += 1,
            // What was wrong besides is said of the log group.
            Read::Cannot(why) if why.problem == Problem::Denied => deny(&mut actions, why, true),
            Read::Cannot(_) | Read::Untried => {}
        }
        match &group.listed {
            Listed::Is { .. } | Listed::Missing | Listed::NoneFits => actions.entry(DESCRIBE).or_default().done += 1,
            Listed::Unasked(why) => deny(&mut actions, why, group.name.contains('*')),
        }
    }
    for api in &evidence.apis {
        match &api.stage {
            Stage::Found(deployed) => of_stage(&mut actions, deployed),
            Stage::Absent { .. } | Stage::Ambiguous { .. } | Stage::Untold { .. } => {
                actions.entry(APIS).or_default().done += 1;
            }
            Stage::Unasked { why, needed } => deny(&mut actions, why, *needed),
        }
    }
    for topic in &evidence.topics {
        match &topic.attributes {
            Ok(_) => actions.entry(TOPIC).or_default().done += 1,
            Err(why) if why.problem == Problem::Denied => deny(&mut actions, why, false),
            // Said of the topic.
            Err(_) => continue,
        }
        match &topic.subscriptions {
            Ok(_) => actions.entry(SUBSCRIPTIONS).or_default().done += 1,
            Err(why) => deny(&mut actions, why, false),
        }
    }
    actions.into_iter().map(|(action, answers)| finding(action, &answers)).collect()
}

fn of_stage<'a>(actions: &mut BTreeMap<&'static str, Answers<'a>>, deployed: &'a Deployed) {
    actions.entry(APIS).or_default().done += 1;
    for function in &deployed.functions {
        if !matches!(function.settings, Asked::Unknown) {
            actions.entry(FUNCTION).or_default().done += 1;
        }
        if matches!(function.policy, Asked::Is(_)) {
            actions.entry(POLICY).or_default().done += 1;
        }
    }
    for why in &deployed.unasked {
        deny(actions, why, false);
    }
}

fn deny<'a>(actions: &mut BTreeMap<&'static str, Answers<'a>>, why: &'a Unasked, needed: bool) {
    let answers = actions.entry(why.action).or_default();
    answers.needed |= needed;
    if why.problem == Problem::Denied { answers.denied.push(why) } else { answers.failed.push(why) }
}

fn finding(action: &'static str, answers: &Answers<'_>) -> Finding {
    let of =
        |level, text: String| Finding { level, ..Finding::ok(Check::Permission, SubjectKind::Action, action, text) };
    let missing = without(action);
    if let Some(first) = answers.denied.first() {
        let mut resources: Vec<&str> = answers.denied.iter().map(|why| &*why.resource).collect();
        resources.sort_unstable();
        resources.dedup();
        let level = if answers.needed { Level::Fault } else { Level::Warning };
        let text = format!("It is denied on {}: {missing}. AWS says: {}", some_of(&resources), first.said);
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": resources});
        return of(level, text).fix(format!("Add this to the policy of whoever runs gatewatch: {statement}"), None);
    }
    if let Some(first) = answers.failed.first() {
        let level = if answers.needed { Level::Fault } else { Level::Warning };
        let text = format!("It failed on {}: {missing}. It was said: {}", first.resource, first.said);
        return of(level, text).fix(first.problem.advice(), None);
    }
    let times = if answers.done == 1 { "once".to_owned() } else { format!("{} times", answers.done) };
    of(Level::Ok, format!("permitted (used {times})"))
}

/// What cannot be done without an action.
fn without(action: &str) -> &'static str {
    match action {
        FILTER => "these log groups cannot be read",
        DESCRIBE => "patterns cannot be looked up, and class and retention of log groups are not known",
        APIS => "stages, integrations and authorizers are not known",
        FUNCTION => "timeouts and log groups of functions are not known",
        POLICY => "whether API Gateway may invoke functions is not known",
        TOPIC | SUBSCRIPTIONS => "whether anybody gets what is published is not known",
        _ => "some of it could not be checked",
    }
}
