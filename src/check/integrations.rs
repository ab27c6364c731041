//! How the gateway asks what is behind an API.
//!
//! Not the functions themselves. Rule: what an address means is a fault only where AWS or the stage says that it leads
//! nowhere.

use std::collections::BTreeMap;

use super::names::{endpoint_name, some_of};
use super::stage_commands;
use crate::model::deployed::{Deployed, FunctionRef, Integration, Target};
use crate::model::finding::{Check, Finding, SubjectKind};
use crate::model::inventory::ApiKind;
use crate::model::shell::Aws;

/// Of all integrations and authorizers of a stage.
pub(super) fn findings(deployed: &Deployed) -> Vec<Finding> {
    let mut found = variables(deployed);
    found.extend(unclear(deployed));
    if deployed.stage.kind == ApiKind::Rest {
        found.extend(deployed.integrations.iter().filter_map(|i| method(deployed, i)));
        found.extend(mapped(deployed));
    }
    if found.is_empty() && !deployed.integrations.is_empty() {
        found.push(all_well(deployed));
    }
    found
}

/// Stage variables that are named and not set.
fn variables(deployed: &Deployed) -> Vec<Finding> {
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let endpoints = deployed.integrations.iter().map(|i| (&i.target, endpoint_name(&i.endpoint)));
    let authorizers = deployed.authorizers.iter().map(|a| (&a.target, format!("authorizer {}", a.name)));
    for (target, name) in endpoints.chain(authorizers) {
        if let Target::Unclear { variable: Some(variable), .. } = target {
            missing.entry(variable).or_default().push(name);
        }
    }
    let finding = |(variable, names): (&str, Vec<String>)| {
        let text = format!(
            "{} is served by what this variable names, and the stage does not have it: each such request is answered 500.",
            some_of(&names)
        );
        let command = stage_commands::variable(deployed, variable, "VALUE").to_string();
        Finding::fault(Check::Target, SubjectKind::Variable, variable, text)
            .fix("Set it, with the function or alias in place of VALUE.", Some(command))
    };
    missing.into_iter().map(finding).collect()
}

/// Addresses that cannot be understood.
fn unclear(deployed: &Deployed) -> Vec<Finding> {
    let finding = |i: &Integration| {
        let Target::Unclear { uri, variable: None } = &i.target else { return None };
        let text =
            format!("Its integration's address could not be understood, so what is behind it was not checked: {uri}");
        Some(Finding::warning(Check::Target, SubjectKind::Endpoint, &endpoint_name(&i.endpoint), text))
    };
    deployed.integrations.iter().filter_map(finding).collect()
}

/// A function is invoked by POST, whatever the method of the endpoint. Source: API Gateway documentation, "Set up Lambda
/// proxy integrations".
fn method(deployed: &Deployed, integration: &Integration) -> Option<Finding> {
    let (Target::Lambda(function), Some(method)) = (&integration.target, &integration.method) else { return None };
    if method.eq_ignore_ascii_case("POST") {
        return None;
    }
    let endpoint = &integration.endpoint;
    let text = format!(
        "Its integration asks {function} by {method}, but a function is invoked by POST only: each such request is answered 500."
    );
    let stage = &deployed.stage;
    let api = |operation: &str| Aws::new(operation, &deployed.region).with("rest-api-id", &stage.id);
    let update = api("apigateway update-integration")
        .with("resource-id", "RESOURCE_ID")
        .with("http-method", &endpoint.method)
        .with("patch-operations", "op=replace,path=/httpMethod,value=POST");
    let deploy = api("apigateway create-deployment").with("stage-name", &stage.stage);
    let fix = format!(
        "Set the integration's method to POST and deploy the API; RESOURCE_ID is that of {} in `aws apigateway get-resources`.",
        endpoint.route
    );
    let finding = Finding::fault(Check::Integration, SubjectKind::Endpoint, &endpoint_name(endpoint), text);
    Some(finding.fix(fix, Some(update.then(&deploy).to_string())))
}

/// Integrations that do not pass through what a function answers.
fn mapped(deployed: &Deployed) -> Vec<Finding> {
    let mut by_function: BTreeMap<&FunctionRef, Vec<String>> = BTreeMap::new();
    for integration in deployed.integrations.iter().filter(|i| !i.proxy) {
        if let Target::Lambda(function) = &integration.target {
            by_function.entry(function).or_default().push(endpoint_name(&integration.endpoint));
        }
    }
    let finding = |(function, names): (&FunctionRef, Vec<String>)| {
        let text = format!(
            "{} maps its answers instead of passing them through: an error of the function is answered 200 unless a selection \
             pattern catches it, and no 5xx tells of it.",
            some_of(&names)
        );
        let fix =
            "Map errors by integration responses with a selection pattern, or use a proxy integration (AWS_PROXY).";
        Finding::warning(Check::Integration, SubjectKind::Function, &function.to_string(), text).fix(fix, None)
    };
    by_function.into_iter().map(finding).collect()
}

fn all_well(deployed: &Deployed) -> Finding {
    let count = |fits: fn(&Target) -> bool| deployed.integrations.iter().filter(|i| fits(&i.target)).count();
    let lambda = count(|t| matches!(t, Target::Lambda(_)));
    let http = count(|t| matches!(t, Target::Http { .. }));
    let others = deployed.integrations.len() - lambda - http;
    let mut text =
        format!("{} endpoints: {lambda} by functions, {http} by HTTP, {others} otherwise", deployed.integrations.len());
    if deployed.integrations.iter().any(|i| i.payload_format.as_deref() == Some("2.0")) {
        text.push_str("; with payload 2.0 an answer without statusCode is a 200");
    }
    let stage = format!("{}/{}", deployed.stage.id, deployed.stage.stage);
    Finding::ok(Check::Integration, SubjectKind::Stage, &stage, text)
}
