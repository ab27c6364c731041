//! Tests of what is made of the answers of HTTP and WebSocket APIs.

use super::*;
use crate::model::deployed::Target;

const HERE: Place<'static> = Place { partition: "aws", region: "eu-west-1", account: Some("111122223333") };
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:";

fn of(kind: ApiKind) -> Candidate {
    Candidate { name: "shop".into(), id: "a1b2c3d4e5".into(), kind, stage: "$default".into() }
}

fn route(key: &str, integration: &str) -> Route {
    Route::builder().route_key(key).target(format!("integrations/{integration}")).build()
}

/// Endpoints, each with the function it leads to.
fn functions(deployed: &Deployed) -> Vec<(String, String)> {
    let name = |target: &Target| match target {
        Target::Lambda(function) => function.to_string(),
        other @ (Target::Http { .. } | Target::Service { .. } | Target::Mock | Target::Unclear { .. }) => {
            format!("{other:?}")
        }
    };
    deployed.integrations.iter().map(|i| (i.endpoint.to_string(), name(&i.target))).collect()
}

#[test]
fn routes_lead_to_functions_by_plain_arns_and_by_variables() {
    let proxy = || Behaved::builder().integration_type(IntegrationType::AwsProxy).payload_format_version("2.0");
    let by_arn = proxy().integration_id("one").integration_uri(format!("{FUNCTION}checkout-fn:live"));
    let by_arn = by_arn.timeout_in_millis(30_000).integration_method("POST").build();
    let by_variable =
        proxy().integration_id("two").integration_uri(format!("{FUNCTION}${{stageVariables.fn}}")).build();
    let queue = proxy().integration_id("queue").integration_subtype("SQS-SendMessage").build();
    let unused = proxy().integration_id("unused").integration_uri(format!("{FUNCTION}unused")).build();
    let routes = [
        route("POST /checkout", "one"),
        route("ANY /pets/{id}", "two"),
        route("$default", "two"),
        route("PUT /orders", "queue"),
        route("GET /gone", "no-such-integration"),
        Route::builder().route_key("GET /nothing").build(),
    ];
    let stage = GetStageOutput::builder().stage_variables("fn", "pets-fn").build();
    let deployed = deployed(&of(ApiKind::Http), &stage, &routes, &[by_arn, by_variable, queue, unused], &[], HERE);
    let service = "Service { uri: \"SQS-SendMessage\" }";
    let want = [
        ("ANY $default", "pets-fn"),
        ("ANY /pets/{id}", "pets-fn"),
        ("POST /checkout", "checkout-fn:live"),
        ("PUT /orders", service),
    ];
    assert_eq!(functions(&deployed), want.map(|(endpoint, name)| (endpoint.to_owned(), name.to_owned())));
    let checkout = &deployed.integrations[2];
    assert_eq!((checkout.timeout, checkout.proxy), (Some(Duration::from_secs(30)), true));
    assert_eq!(checkout.payload_format.as_deref(), Some("2.0"));
    assert_eq!((deployed.execution_log, deployed.access_log), (ExecutionLog::Never, AccessLog::Off));
}

#[test]
fn a_websocket_api_has_named_routes_and_an_execution_log() {
    let uri = format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{FUNCTION}chat-fn/invocations");
    let chat =
        Behaved::builder().integration_type(IntegrationType::AwsProxy).integration_id("one").integration_uri(uri);
    let routes = [route("$connect", "one"), route("$default", "one"), route("say it", "one")];
    let info = RouteSettings::builder().logging_level(LoggingLevel::Info).build();
    let quiet = RouteSettings::builder().logging_level(LoggingLevel::Off).build();
    let stage = GetStageOutput::builder().default_route_settings(info).route_settings("$connect", quiet).build();
    let deployed = deployed(&of(ApiKind::WebSocket), &stage, &routes, &[chat.build()], &[], HERE);
    let want = ["- $connect", "- $default", "- say it"].map(|endpoint| (endpoint.to_owned(), "chat-fn".to_owned()));
    assert_eq!(functions(&deployed), want);
    let group = "/aws/apigateway/a1b2c3d4e5/$default".into();
    assert_eq!(deployed.execution_log, ExecutionLog::On { group, all: true, every_method: false });
}

#[test]
fn only_lambda_authorizers_that_a_route_names_are_in_use() {
    let guarded =
        |kind: AuthorizationType, id: &str| Route::builder().authorization_type(kind).authorizer_id(id).build();
    let routes = [guarded(AuthorizationType::Custom, "a"), guarded(AuthorizationType::Jwt, "jwt")];
    assert_eq!(authorizers_in_use(&routes), BTreeSet::from(["a"]));
    let said = Said::builder().authorizer_id("a").name("tokens").authorizer_uri(format!("{FUNCTION}auth-fn"));
    let said = said.authorizer_credentials_arn("arn:aws:iam::111122223333:role/r").build();
    let stage = GetStageOutput::builder().build();
    let deployed = deployed(&of(ApiKind::Http), &stage, &routes, &[], &[said], HERE);
    let [authorizer] = &deployed.authorizers[..] else { panic!("{:?}", deployed.authorizers) };
    assert!(matches!(&authorizer.target, Target::Lambda(function) if &*function.name == "auth-fn"));
    assert_eq!(authorizer.credentials.as_deref(), Some("arn:aws:iam::111122223333:role/r"));
}
