//! The functions behind an API: whether they exist, can run, end in time, and where they log.
//!
//! Not whether the gateway may invoke them: that is `invoke`. Rule: one finding of each kind for a function, whatever the
//! number of endpoints that it serves; of a function that does not exist nothing else is said.

use std::time::Duration;

use super::evidence::{Api, Purpose};
use super::log_groups::is_named;
use super::names::{endpoint_name, function_word, seconds, some_of, unqualified};
use crate::model::deployed::{Asked, Deployed, Function, FunctionSettings, Integration, Target};
use crate::model::finding::{Check, Finding, Level, SubjectKind};
use crate::model::inventory::ApiKind;
use crate::model::shell::Aws;

/// By how much a function should end before the gateway stops waiting: to say why it failed takes time too.
const MARGIN: Duration = Duration::from_secs(1);

/// What an integration may wait at least. Source: API Gateway quotas, 50 ms; a function's timeout is whole seconds.
const SHORTEST: Duration = Duration::from_secs(2);

/// All findings on one function.
pub(super) fn findings(api: &Api, deployed: &Deployed, function: &Function) -> Vec<Finding> {
    let name = function.reference.to_string();
    let settings = match &function.settings {
        Asked::Is(settings) => settings,
        Asked::Missing => return vec![missing(deployed, function)],
        Asked::Unknown => return Vec::new(),
    };
    let mut found = vec![Finding::ok(Check::Target, SubjectKind::Function, &name, "exists")];
    found.push(state(deployed, function, settings));
    found.extend(timeout(deployed, function, settings));
    found.push(log(api, function, settings));
    found
}

/// The integrations that name the function.
fn integrations<'a>(deployed: &'a Deployed, function: &Function) -> Vec<&'a Integration> {
    let is_it = |i: &&Integration| matches!(&i.target, Target::Lambda(reference) if *reference == function.reference);
    deployed.integrations.iter().filter(is_it).collect()
}

/// Whatever names the function, as people know it.
fn named_by(deployed: &Deployed, function: &Function) -> String {
    let endpoints = integrations(deployed, function).into_iter().map(|i| endpoint_name(&i.endpoint));
    let is_it = |target: &Target| matches!(target, Target::Lambda(reference) if *reference == function.reference);
    let authorizers =
        deployed.authorizers.iter().filter(|a| is_it(&a.target)).map(|a| format!("authorizer {}", a.name));
    some_of(&endpoints.chain(authorizers).collect::<Vec<_>>())
}

fn missing(deployed: &Deployed, function: &Function) -> Finding {
    let reference = &function.reference;
    let names = named_by(deployed, function);
    let plain = unqualified(reference);
    let known = deployed
        .functions
        .iter()
        .any(|other| unqualified(&other.reference) == plain && matches!(other.settings, Asked::Is(_)));
    let is_version = |q: &str| q.chars().all(|c| c.is_ascii_digit());
    let (what, fix, command) = match reference.qualifier.as_deref() {
        None => {
            let show = Aws::new("lambda list-functions", &reference.region).with("query", "Functions[].FunctionName");
            (
                "There is no such function".to_owned(),
                "Deploy it, or let the integration name one that exists; this lists them.",
                show,
            )
        }
        Some(qualifier) => {
            let kind = if is_version(qualifier) { "version" } else { "alias" };
            let what = if known {
                format!("The function has no {kind} {qualifier}")
            } else {
                format!("There is no such function, or it has no {kind} {qualifier}")
            };
            let word = function_word(&plain, deployed);
            let make = if is_version(qualifier) {
                Aws::new("lambda list-versions-by-function", &reference.region).with("function-name", &word)
            } else {
                Aws::new("lambda create-alias", &reference.region)
                    .with("function-name", &word)
                    .with("name", qualifier)
                    .with("function-version", "VERSION")
            };
            (what, "Make it, or let the integration name what exists.", make)
        }
    };
    let text = format!("{what}, but {names} is served by it: each such request is answered 500.");
    Finding::fault(Check::Target, SubjectKind::Function, &reference.to_string(), text)
        .fix(fix, Some(command.to_string()))
}

fn state(deployed: &Deployed, function: &Function, settings: &FunctionSettings) -> Finding {
    let name = function.reference.to_string();
    let Some(why) = &settings.unfit else {
        return Finding::ok(Check::FunctionState, SubjectKind::Function, &name, "can be invoked");
    };
    let text = format!("It cannot be invoked: {}.", why.trim_end_matches('.'));
    let show = Aws::new("lambda get-function-configuration", &function.reference.region)
        .with("function-name", &function_word(&function.reference, deployed))
        .with("query", "[State,StateReason,LastUpdateStatus,LastUpdateStatusReason]");
    Finding::fault(Check::FunctionState, SubjectKind::Function, &name, text)
        .fix("Mend what the reason names and deploy it again; this shows its state.", Some(show.to_string()))
}

fn timeout(deployed: &Deployed, function: &Function, settings: &FunctionSettings) -> Option<Finding> {
    let name = function.reference.to_string();
    let usual = deployed.stage.kind.default_timeout();
    // A streamed answer may go on for longer than the timeout.
    let waiting: Vec<_> = integrations(deployed, function).into_iter().filter(|i| !i.streaming).collect();
    let shortest = waiting.iter().map(|i| i.timeout.unwrap_or(usual)).min()?;
    let own = settings.timeout;
    if own + MARGIN <= shortest {
        let text = format!("ends after {}, before the gateway's {}", seconds(own), seconds(shortest));
        return Some(Finding::ok(Check::Timeout, SubjectKind::Function, &name, text));
    }
    let strict: Vec<_> = waiting.iter().filter(|i| i.timeout.unwrap_or(usual) < own + MARGIN).collect();
    let names = some_of(&strict.iter().map(|i| endpoint_name(&i.endpoint)).collect::<Vec<_>>());
    // An integration that maps requests may invoke a function without waiting for it.
    let waits = strict.iter().any(|i| i.proxy || deployed.stage.kind == ApiKind::Http);
    let level = if own > shortest && waits { Level::Fault } else { Level::Warning };
    let (status, kind) = if deployed.stage.kind == ApiKind::Http { (503, "HTTP") } else { (504, "REST") };
    let status = if deployed.stage.kind == ApiKind::WebSocket {
        "a timeout".to_owned()
    } else {
        format!("{status} ({kind} API)")
    };
    let text = format!(
        "It may run for {}, but for {names} the gateway stops waiting after {}: the client then gets {status} while the function \
         goes on, and nothing says what it waited for.",
        seconds(own),
        seconds(shortest)
    );
    let most = shortest.saturating_sub(MARGIN).as_secs();
    let of_version = match &function.reference.qualifier {
        Some(qualifier) => format!(" Then publish a version and let {qualifier} be that one."),
        None => String::new(),
    };
    let fix = format!("Let the function end at least {} earlier, so that it can say why.{of_version}", seconds(MARGIN));
    let command = (shortest >= SHORTEST).then(|| {
        Aws::new("lambda update-function-configuration", &function.reference.region)
            .with("function-name", &function_word(&unqualified(&function.reference), deployed))
            .with("timeout", &most.to_string())
            .to_string()
    });
    let finding = Finding { level, ..Finding::ok(Check::Timeout, SubjectKind::Function, &name, text) };
    Some(finding.fix(fix, command))
}

fn log(api: &Api, function: &Function, settings: &FunctionSettings) -> Finding {
    let name = function.reference.to_string();
    let group = &settings.log_group;
    let watched = api.groups.iter().any(|g| g.purpose == Purpose::Lambda && is_named(&g.name, group));
    if watched {
        return Finding::ok(Check::FunctionLog, SubjectKind::Function, &name, format!("logs to {group}"));
    }
    let text = format!("It logs to {group}, which is not read: its failures stay unexplained.");
    let fix = format!("Add {group:?} to lambda_log_groups in the configuration.");
    Finding::warning(Check::FunctionLog, SubjectKind::Function, &name, text).fix(fix, None)
}
