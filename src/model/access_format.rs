//! The variables of an access-log format, the format that explanations need, and the command that lets a stage write it.
//!
//! Not how a format is read. Rule: one text for everybody who recommends it; the README shows the same.

use std::sync::Arc;

use super::deployed::{Candidate, Deployed};
use super::inventory::ApiKind;
use super::text::shell_word;

/// What a variable of a format begins with.
pub const PREFIX: &str = "$context.";

/// What each line holds, by key; of a REST API. Source: AWS documentation, "Variables for access logging".
const REST: &[(&str, &str)] = &[
    ("requestId", "requestId"),
    ("extendedRequestId", "extendedRequestId"),
    ("requestTimeEpoch", "requestTimeEpoch"),
    ("apiId", "apiId"),
    ("stage", "stage"),
    ("httpMethod", "httpMethod"),
    ("resourcePath", "resourcePath"),
    ("status", "status"),
    ("responseLatency", "responseLatency"),
    ("responseLength", "responseLength"),
    ("integrationRequestId", "integration.requestId"),
    ("integrationStatus", "integration.integrationStatus"),
    ("functionStatus", "integration.status"),
    ("integrationLatency", "integration.latency"),
    ("integrationError", "integration.error"),
    ("errorMessage", "error.message"),
    ("errorType", "error.responseType"),
    ("authorizerError", "authorizer.error"),
    ("authorizerRequestId", "authorizer.requestId"),
    ("wafError", "waf.error"),
    ("xrayTraceId", "xrayTraceId"),
];

/// What HTTP APIs do not have, by key.
const NOT_HTTP: [&str; 3] = ["authorizerRequestId", "wafError", "xrayTraceId"];
/// What WebSocket APIs do not have, by key.
const NOT_WEBSOCKET: [&str; 3] = ["responseLatency", "responseLength", "xrayTraceId"];

/// The format, JSON on one line.
#[must_use]
pub fn recommended(kind: ApiKind) -> String {
    let mut keys = Vec::new();
    for (key, variable) in REST {
        let is_rest = matches!(kind, ApiKind::Auto | ApiKind::Rest);
        let (key, variable) = match *key {
            key if kind == ApiKind::Http && NOT_HTTP.contains(&key) => continue,
            key if kind == ApiKind::WebSocket && NOT_WEBSOCKET.contains(&key) => continue,
            "resourcePath" if !is_rest => ("routeKey", "routeKey"),
            // The gateway gives each message of a connection a type instead.
            "httpMethod" if kind == ApiKind::WebSocket => ("eventType", "eventType"),
            key => (key, *variable),
        };
        keys.push(format!("\"{key}\":\"{PREFIX}{variable}\""));
    }
    format!("{{{}}}", keys.join(","))
}

/// The name of the variable that `text` begins with, behind [`PREFIX`], and what stands behind it.
#[must_use]
pub fn variable(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_')).unwrap_or(text.len());
    let name = text[..end].trim_end_matches('.');
    text.split_at(name.len())
}

/// The names of the variables of a format, in their order, without `$context.`.
pub fn variables(format: &str) -> impl Iterator<Item = &str> {
    format.split(PREFIX).skip(1).map(|text| variable(text).0)
}

/// Whether a line of this format says which invocation served its request.
#[must_use]
pub fn names_invocations(format: &str) -> bool {
    variables(format).any(|name| matches!(name, "integration.requestId" | "awsEndpointRequestId"))
}

/// The log group that a stage's access log may go to, where it has none: its ARN.
#[must_use]
pub fn group_for(deployed: &Deployed) -> String {
    let Deployed { stage, partition, region, account, .. } = deployed;
    let account = account.as_deref().unwrap_or("ACCOUNT_ID");
    // Names of log groups: these characters (AWS documentation, CreateLogGroup).
    let plain = |text: &str| -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        text.chars().filter(|c| *c != '$').map(|c| if allowed(c) { c } else { '-' }).collect()
    };
    let (name, stage) = (plain(&stage.name), plain(&stage.stage));
    format!("arn:{partition}:logs:{region}:{account}:log-group:/aws/apigateway/{name}-{stage}")
}

/// The command that lets a stage write this format to the log group with that ARN.
#[must_use]
pub fn command(stage: &Candidate, region: &str, group_arn: &str) -> String {
    let format = recommended(stage.kind);
    let Candidate { id, stage: name, kind, .. } = stage;
    let (id, name, region) = (shell_word(id), shell_word(name), shell_word(region));
    let text = |value: &str| serde_json::Value::from(value).to_string();
    if matches!(kind, ApiKind::Http | ApiKind::WebSocket) {
        let settings = format!("{{\"DestinationArn\":{},\"Format\":{}}}", text(group_arn), text(&format));
        let settings = shell_word(&settings);
        return format!(
            "aws apigatewayv2 update-stage --region {region} --api-id {id} --stage-name {name} --access-log-settings {settings}"
        );
    }
    let patch = |path: &str, value: &str| {
        format!("{{\"op\":\"replace\",\"path\":\"/accessLogSettings/{path}\",\"value\":{}}}", text(value))
    };
    let patches = format!("[{},{}]", patch("destinationArn", group_arn), patch("format", &format));
    let patches = shell_word(&patches);
    format!(
        "aws apigateway update-stage --region {region} --rest-api-id {id} --stage-name {name} --patch-operations {patches}"
    )
}

/// The commands that make a log group for a stage and switch its access log on.
#[must_use]
pub fn switch_on(deployed: &Deployed) -> Vec<String> {
    let arn: Arc<str> = group_for(deployed).into();
    let name = arn.rsplit(":log-group:").next().unwrap_or(&arn);
    let make = format!(
        "aws logs create-log-group --region {} --log-group-name {}",
        shell_word(&deployed.region),
        shell_word(name)
    );
    vec![make, command(&deployed.stage, &deployed.region, &arn)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_format_of_the_readme() {
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&recommended(ApiKind::Rest)), "{}", recommended(ApiKind::Rest));
        let escaped = serde_json::Value::from(recommended(ApiKind::Rest)).to_string();
        assert!(readme.contains(&escaped), "{escaped}");
    }

    #[test]
    fn http_apis_have_routes_and_websockets_types() {
        let http = recommended(ApiKind::Http);
        assert!(http.contains("\"routeKey\":\"$context.routeKey\"") && http.contains("$context.httpMethod"), "{http}");
        assert!(!http.contains("resourcePath") && !http.contains("waf") && !http.contains("authorizer.requestId"));
        let websocket = recommended(ApiKind::WebSocket);
        assert!(websocket.contains("$context.eventType") && !websocket.contains("httpMethod"), "{websocket}");
        for kind in [ApiKind::Rest, ApiKind::Http, ApiKind::WebSocket] {
            serde_json::from_str::<serde_json::Value>(&recommended(kind)).unwrap();
        }
    }

    #[test]
    fn every_value_is_one_quoted_variable() {
        for kind in [ApiKind::Rest, ApiKind::Http, ApiKind::WebSocket] {
            let format = recommended(kind);
            let values: std::collections::BTreeMap<String, String> = serde_json::from_str(&format).unwrap();
            assert_eq!(values.len(), variables(&format).count(), "{kind:?}");
            assert!(values.values().all(|value| value.starts_with(PREFIX)), "{kind:?}");
            assert!(!format.contains("messageString") && format.len() < 3000, "an HTTP API takes 3 KB");
        }
    }

    #[test]
    fn the_variables_of_a_format() {
        let format =
            r#"{ "a":"$context.requestId", "b":"$context.integration.status." } $context.error_x$context.status"#;
        assert_eq!(variables(format).collect::<Vec<_>>(), ["requestId", "integration.status", "error_x", "status"]);
        assert_eq!(variables("no variables").count(), 0);
    }

    #[test]
    fn the_command_is_one_of_a_shell_and_holds_the_format() {
        let stage = |kind| Candidate { name: "shop".into(), id: "a1b2".into(), kind, stage: "$default".into() };
        let arn = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/apigateway/shop";
        let rest = command(&stage(ApiKind::Rest), "eu-west-1", arn);
        assert!(rest.starts_with(
            "aws apigateway update-stage --region eu-west-1 --rest-api-id a1b2 --stage-name '$default' --patch-operations '[{"
        ));
        let patches: serde_json::Value = serde_json::from_str(rest.split('\'').nth(3).unwrap()).unwrap();
        assert_eq!(patches[0]["value"], arn);
        assert_eq!(patches[1]["value"], recommended(ApiKind::Rest));
        let http = command(&stage(ApiKind::Http), "eu-west-1", arn);
        let settings: serde_json::Value = serde_json::from_str(http.split('\'').nth(3).unwrap()).unwrap();
        assert_eq!(settings["Format"], recommended(ApiKind::Http));
    }
}
