//! Whether API Gateway may invoke the functions behind integrations and authorizers.
//!
//! One finding for each function. Rule: an integration that takes on a role needs no policy; a fault is said only where
//! nothing could allow it. Source: AWS Lambda documentation, "Permissions" of "Invoking a Lambda function using an
//! Amazon API Gateway endpoint"; authorizers: API Gateway documentation, "Use API Gateway Lambda authorizers".

use super::names::{endpoint_name, function_word, some_of};
use super::policy::{GATEWAY, INVOKE, Verdict, Visit, verdict};
use crate::model::deployed::{Asked, Deployed, Function, Target};
use crate::model::finding::{Check, Finding, SubjectKind};
use crate::model::inventory::ApiKind;
use crate::model::request::Endpoint;
use crate::model::shell::Aws;

/// What `ANY` stands for.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Somebody for whom the gateway invokes a function.
struct Guest {
    /// As people know it.
    name: String,
    visit: Visit,
    /// The ARN that a permission for it names.
    source_arn: String,
}

/// One for each function whose policy is known.
pub(super) fn findings(deployed: &Deployed) -> Vec<Finding> {
    deployed.functions.iter().filter_map(|function| finding(deployed, function)).collect()
}

fn finding(deployed: &Deployed, function: &Function) -> Option<Finding> {
    let name = function.reference.to_string();
    let policy = match (&function.settings, &function.policy) {
        (Asked::Missing, _) | (_, Asked::Unknown) => return None,
        (_, Asked::Is(policy)) => policy.as_slice(),
        (_, Asked::Missing) => &[],
    };
    let guests = guests(deployed, function);
    if guests.is_empty() {
        let text = "invoked in a role that the integration names";
        return Some(Finding::ok(Check::InvokePermission, SubjectKind::Function, &name, text));
    }
    let mut refused = Vec::new();
    let mut unsure = Vec::new();
    for guest in &guests {
        match verdict(policy, &guest.visit) {
            Verdict::Allowed => {}
            Verdict::Denied => return Some(denied(deployed, function, &guest.name)),
            Verdict::Silent => refused.push(guest),
            Verdict::Unsure(why) => unsure.push((guest, why)),
        }
    }
    let finding = if !refused.is_empty() {
        let names: Vec<_> = refused.iter().map(|guest| guest.name.as_str()).collect();
        let what =
            if policy.is_empty() { "has no resource policy" } else { "has a resource policy that does not name it" };
        let text = format!(
            "API Gateway may not invoke it for {}: it {what}. Each such request is answered 500, and the function's log \
             stays empty.",
            some_of(&names)
        );
        let command = add_permission(deployed, function, &refused);
        Finding::fault(Check::InvokePermission, SubjectKind::Function, &name, text)
            .fix("Allow API Gateway to invoke it for this stage.", Some(command))
    } else if let Some((guest, why)) = unsure.first() {
        let text = format!("Whether API Gateway may invoke it for {} is not sure: {why}.", guest.name);
        let guests: Vec<_> = unsure.iter().map(|(guest, _)| *guest).collect();
        Finding::warning(Check::InvokePermission, SubjectKind::Function, &name, text).fix(
            "If such requests are answered 500, add a permission without further conditions.",
            Some(add_permission(deployed, function, &guests)),
        )
    } else {
        let text = format!("API Gateway may invoke it for {}", some_of(&names_of(&guests)));
        Finding::ok(Check::InvokePermission, SubjectKind::Function, &name, text)
    };
    Some(finding)
}

fn denied(deployed: &Deployed, function: &Function, guest: &str) -> Finding {
    let name = function.reference.to_string();
    let text = format!(
        "A statement of its resource policy denies API Gateway to invoke it for {guest}: a denial wins over every permission. \
         Each such request is answered 500, and the function's log stays empty."
    );
    let show = Aws::new("lambda get-policy", &function.reference.region)
        .with("function-name", &function_word(&function.reference, deployed))
        .with("query", "Policy")
        .with("output", "text");
    Finding::fault(Check::InvokePermission, SubjectKind::Function, &name, text).fix(
        "Take the denial out of the policy, or leave this API out of it; this shows the policy.",
        Some(show.to_string()),
    )
}

fn names_of(guests: &[Guest]) -> Vec<&str> {
    guests.iter().map(|guest| guest.name.as_str()).collect()
}

/// All for whom the gateway comes as itself.
fn guests(deployed: &Deployed, function: &Function) -> Vec<Guest> {
    let is_it = |target: &Target| matches!(target, Target::Lambda(reference) if *reference == function.reference);
    let account = deployed.account.as_deref().unwrap_or("ACCOUNT");
    let said = base(deployed, account);
    let base = base(deployed, deployed.account.as_deref().unwrap_or(&function.reference.account));
    let visit = |arns, spellings| Visit { arns, spellings, account: deployed.account.as_deref().map(str::to_owned) };
    let integrations = deployed.integrations.iter().filter(|i| i.credentials.is_none() && is_it(&i.target)).map(|i| {
        let (paths, spellings) = paths(deployed.stage.kind, &i.endpoint);
        let stage = &deployed.stage.stage;
        let full = |paths: Vec<String>| paths.iter().map(|path| format!("{base}/{stage}/{path}")).collect();
        Guest {
            name: endpoint_name(&i.endpoint),
            source_arn: format!("{said}/{stage}/{}", source_path(deployed.stage.kind, &i.endpoint)),
            visit: visit(full(paths), full(spellings)),
        }
    });
    let authorizers =
        deployed.authorizers.iter().filter(|a| a.credentials.is_none() && is_it(&a.target)).map(|a| Guest {
            name: format!("authorizer {}", a.name),
            source_arn: format!("{said}/authorizers/{}", a.id),
            visit: visit(vec![format!("{base}/authorizers/{}", a.id)], Vec::new()),
        });
    integrations.chain(authorizers).collect()
}

fn base(deployed: &Deployed, account: &str) -> String {
    format!("arn:{}:execute-api:{}:{account}:{}", deployed.partition, deployed.region, deployed.stage.id)
}

/// What stands behind the stage in the ARNs of an endpoint, and other spellings of it.
fn paths(kind: ApiKind, endpoint: &Endpoint) -> (Vec<String>, Vec<String>) {
    let route = endpoint.route.trim_start_matches('/');
    if is_keyed(kind, endpoint) {
        // A request that no route fits may be written with its own method and path.
        return (vec![route.to_owned()], vec![format!("GET/{route}")]);
    }
    let any = &*endpoint.method == "ANY";
    let methods: &[&str] = if any { &METHODS } else { &[&*endpoint.method] };
    let starred = starred(route);
    // REST APIs write parameters as stars, HTTP APIs as they stand in the route.
    let (path, other) = if kind == ApiKind::Http { (route, starred.as_str()) } else { (starred.as_str(), route) };
    let arns = methods.iter().map(|method| format!("{method}/{path}")).collect();
    let mut spellings: Vec<_> = methods.iter().map(|method| format!("{method}/{other}")).collect();
    if any {
        spellings.push(format!("ANY/{path}"));
    }
    if path.is_empty() {
        spellings.extend(methods.iter().map(|method| (*method).to_owned()));
    }
    (arns, spellings)
}

/// The route key stands in the ARN, not method and path: WebSocket APIs, and `$default` of HTTP APIs.
fn is_keyed(kind: ApiKind, endpoint: &Endpoint) -> bool {
    kind == ApiKind::WebSocket || endpoint.route.starts_with('$')
}

/// What a permission for an endpoint names behind the stage.
fn source_path(kind: ApiKind, endpoint: &Endpoint) -> String {
    let route = endpoint.route.trim_start_matches('/');
    if is_keyed(kind, endpoint) {
        return route.to_owned();
    }
    let method = if &*endpoint.method == "ANY" { "*" } else { &*endpoint.method };
    format!("{method}/{}", starred(route))
}

/// A route with `*` for its parameters.
fn starred(route: &str) -> String {
    let part = |segment: &str| if segment.starts_with('{') { "*".to_owned() } else { segment.to_owned() };
    route.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn add_permission(deployed: &Deployed, function: &Function, guests: &[&Guest]) -> String {
    let account = deployed.account.as_deref().unwrap_or("ACCOUNT");
    let stage = &deployed.stage.stage;
    let (scope, source_arn) = match guests {
        [one] => (format!("{stage}-{}", one.name), one.source_arn.clone()),
        // Authorizers are not below a stage.
        several if several.iter().any(|guest| guest.source_arn.contains("/authorizers/")) => {
            ("all".to_owned(), format!("{}/*", base(deployed, account)))
        }
        _ => (stage.to_string(), format!("{}/{stage}/*", base(deployed, account))),
    };
    // Letters, digits, `-` and `_`, up to 100 of them; of its own for each API, or it might be taken.
    let id: String = scope.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(70).collect();
    Aws::new("lambda add-permission", &function.reference.region)
        .with("function-name", &function_word(&function.reference, deployed))
        .with("statement-id", &format!("apigateway-{}-{}", deployed.stage.id, id.trim_matches('-')))
        .with("action", INVOKE)
        .with("principal", GATEWAY)
        .with("source-arn", &source_arn)
        .to_string()
}
