//! What the lines of a stage's access log hold.
//!
//! Not reading them: that is `read/access`, which is lenient. Rule: what cannot be done without a variable is said with
//! it; without the request's status or its route it is a fault, because nothing can be counted.

use super::evidence::{Api, Purpose, Sample};
use super::names::some_of;
use crate::model::access_format::{PREFIX, command, names_invocations, variable, variables};
use crate::model::deployed::{AccessLog, Deployed, ExecutionLog, Target};
use crate::model::finding::{Check, Finding, Level, SubjectKind};
use crate::model::inventory::ApiKind;

/// What is needed: variables of which one is enough, and what cannot be told without.
struct Need {
    any_of: &'static [&'static str],
    without: &'static str,
    level: Level,
}

const fn need(any_of: &'static [&'static str], without: &'static str, level: Level) -> Need {
    Need { any_of, without, level }
}

/// Of every kind of API.
const NEEDS: &[Need] = &[
    need(&["status"], "requests cannot be counted", Level::Fault),
    need(&["requestId", "extendedRequestId"], "no request can be named", Level::Warning),
    need(&["requestTimeEpoch", "requestTime"], "requests have the time of the log's stamp only", Level::Warning),
    need(
        &["integration.status", "integration.integrationStatus", "integrationStatus"],
        "a 5xx of the function itself looks like one of the gateway",
        Level::Warning,
    ),
    need(&["integration.latency", "integrationLatency"], "what the function takes is not known", Level::Warning),
    need(
        &["integration.error", "integrationErrorMessage"],
        "the gateway's own words on a failure are lost",
        Level::Warning,
    ),
    need(&["error.responseType"], "timeouts and refused permissions cannot be told apart", Level::Warning),
];

/// Of REST and HTTP APIs.
const OF_REQUESTS: &[Need] = &[
    need(&["httpMethod", "routeKey"], "endpoints have no method", Level::Warning),
    need(&["responseLatency"], "there are no latencies, and a request that hangs is counted too early", Level::Warning),
];

/// The format.
pub(super) fn finding(deployed: &Deployed) -> Option<Finding> {
    let AccessLog::Group { arn, format } = &deployed.access_log else { return None };
    let stage = format!("{}/{}", deployed.stage.id, deployed.stage.stage);
    let logged: Vec<&str> = variables(format).collect();
    let mut level = Level::Ok;
    let mut wrong = Vec::new();
    let of_requests = if deployed.stage.kind == ApiKind::WebSocket { &[] } else { OF_REQUESTS };
    for need in NEEDS.iter().chain(of_requests).filter(|need| !need.any_of.iter().any(|name| logged.contains(name))) {
        level = level.max(need.level);
        wrong.push(format!("without {PREFIX}{} {}", need.any_of[0], need.without));
    }
    if let Some((why, how_bad)) = no_route(&logged, deployed.stage.kind) {
        level = level.max(how_bad);
        wrong.push(why);
    }
    let odd = unquoted(format);
    if !odd.is_empty() {
        level = level.max(Level::Warning);
        wrong.push(format!("{} stand without quotes, so a line where one is missing is no JSON", some_of(&odd)));
    }
    if format.trim_start().starts_with('{') && logged.contains(&"error.messageString") {
        level = level.max(Level::Warning);
        wrong.push(format!(
            "{PREFIX}error.messageString brings quotes of its own, so lines of failures are no JSON: {PREFIX}error.message does not"
        ));
    }
    if wrong.is_empty() {
        let text = "its lines say status, route, times and errors";
        return Some(Finding::ok(Check::AccessLogFormat, SubjectKind::Stage, &stage, text));
    }
    let text = sentence(&wrong);
    let found = Finding { level, ..Finding::ok(Check::AccessLogFormat, SubjectKind::Stage, &stage, text) };
    let command = command(&deployed.stage, &deployed.region, arn);
    Some(found.fix("Set the recommended format; this takes no new deployment.", Some(command)))
}

/// Whether a failure can be joined to its invocation by an ID that only that invocation has.
pub(super) fn exact_join(api: &Api, deployed: &Deployed) -> Option<Finding> {
    let stage = format!("{}/{}", deployed.stage.id, deployed.stage.stage);
    let ok = |text: &str| Some(Finding::ok(Check::ExactJoin, SubjectKind::Stage, &stage, text));
    let lambda = deployed.integrations.iter().any(|i| matches!(i.target, Target::Lambda(_) | Target::Unclear { .. }));
    if !lambda && deployed.unasked.is_empty() {
        return ok("no function is behind it: the gateway's own words explain failures");
    }
    let reads_execution = api.groups.iter().any(|g| g.purpose == Purpose::Execution);
    let AccessLog::Group { arn, format } = &deployed.access_log else {
        return match deployed.execution_log {
            ExecutionLog::On { .. } if reads_execution => ok("failures are joined to invocations by the execution log"),
            ExecutionLog::On { .. } | ExecutionLog::Off | ExecutionLog::Never => None,
        };
    };
    if names_invocations(format) {
        return ok("failures are joined to invocations by $context.integration.requestId");
    }
    if reads_execution && matches!(deployed.execution_log, ExecutionLog::On { every_method: true, .. }) {
        return ok("failures are joined to invocations by the execution log");
    }
    let rest = match api.sample {
        Some(Sample { logged: 1.., .. }) => {
            return ok("failures are joined to invocations by the API's request ID, which functions log");
        }
        Some(Sample { requests, .. }) => {
            format!("the functions' logs hold the request ID of none of the last {requests} requests")
        }
        None => "this could only be made up for by functions that log the API's request ID".to_owned(),
    };
    let text = format!(
        "The access log has no $context.integration.requestId, so which invocation a failed request was is guessed by its \
         time; {rest}."
    );
    let command = command(&deployed.stage, &deployed.region, arn);
    let fix = "Set the recommended format; this takes no new deployment.";
    Some(Finding::fault(Check::ExactJoin, SubjectKind::Stage, &stage, text).fix(fix, Some(command)))
}

/// The format in the configuration against that of the stage.
pub(super) fn configured(api: &Api, deployed: &Deployed) -> Option<Finding> {
    let stage = format!("{}/{}", deployed.stage.id, deployed.stage.stage);
    let agrees = api.format_agrees?;
    if agrees {
        let text = "access_log_format is the stage's";
        return Some(Finding::ok(Check::ConfiguredFormat, SubjectKind::Stage, &stage, text));
    }
    let text =
        "access_log_format of the configuration is not the stage's format: its lines are read wrongly or not at all.";
    let fix = match &deployed.access_log {
        AccessLog::Group { format, .. } => format!("Leave the key out, or set it to the stage's: {format}"),
        AccessLog::Off | AccessLog::Firehose { .. } => "Leave the key out.".to_owned(),
    };
    Some(Finding::fault(Check::ConfiguredFormat, SubjectKind::Stage, &stage, text).fix(fix, None))
}

/// What is wrong with the route that is logged, if something is.
fn no_route(logged: &[&str], kind: ApiKind) -> Option<(String, Level)> {
    let has = |name: &str| logged.contains(&name);
    let wanted = if matches!(kind, ApiKind::Rest | ApiKind::Auto) { "resourcePath" } else { "routeKey" };
    // `resourcePath` stays empty on the others; `eventType` tells connects and disconnects from messages.
    if has(wanted) {
        return None;
    }
    if has("path") && kind != ApiKind::WebSocket {
        let why = format!("without {PREFIX}{wanted} endpoints are guessed from raw paths");
        return Some((why, Level::Warning));
    }
    Some((format!("without {PREFIX}{wanted} endpoints cannot be told apart"), Level::Fault))
}

/// The variables of a JSON format that stand outside its texts.
fn unquoted(format: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !format.trim_start().starts_with('{') {
        return found;
    }
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in format.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '$' if !quoted => {
                if let Some(rest) = format[at..].strip_prefix(PREFIX) {
                    found.push(format!("{PREFIX}{}", variable(rest).0));
                }
            }
            _ => {}
        }
    }
    found
}

/// Several things in one sentence.
fn sentence(parts: &[String]) -> String {
    let mut text = parts.join("; ");
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    text.push('.');
    text
}
