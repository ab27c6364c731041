//! Tests of what is made of a REST API's answers.

use std::collections::HashMap;

use aws_sdk_apigateway::types::{CanarySettings, MethodSetting};

use super::*;
use crate::model::deployed::{ExecutionLog, FunctionRef, Target};

const HERE: Place<'static> = Place { partition: "aws", region: "eu-west-1", account: Some("111122223333") };

fn of() -> Candidate {
    Candidate { name: "shop".into(), id: "a1b2c3d4e5".into(), kind: ApiKind::Rest, stage: "prod".into() }
}

fn lambda(name: &str) -> String {
    let arn = format!("arn:aws:lambda:eu-west-1:111122223333:function:{name}");
    format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations")
}

fn proxy(uri: &str) -> Behaved {
    Behaved::builder().r#type(IntegrationType::AwsProxy).http_method("POST").uri(uri).timeout_in_millis(29_000).build()
}

fn method(behaved: Behaved) -> Method {
    Method::builder().method_integration(behaved).build()
}

fn resource(path: &str, methods: &[(&str, Method)]) -> Resource {
    let methods: HashMap<_, _> = methods.iter().map(|(verb, method)| ((*verb).to_owned(), method.clone())).collect();
    Resource::builder().path(path).set_resource_methods(Some(methods)).build()
}

fn function(name: &str) -> Target {
    let (name, qualifier) = name.split_once(':').map_or((name, None), |(name, qualifier)| (name, Some(qualifier)));
    Target::Lambda(FunctionRef {
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account: "111122223333".into(),
        name: name.into(),
        qualifier: qualifier.map(Arc::from),
    })
}

fn targets(deployed: &Deployed) -> Vec<(String, Target)> {
    deployed.integrations.iter().map(|i| (i.endpoint.to_string(), i.target.clone())).collect()
}

#[test]
fn endpoints_lead_to_functions_by_the_variables_of_the_stage() {
    let stage = GetStageOutput::builder().variables("fn", "checkout-fn").variables("alias", "live").build();
    let mock = Behaved::builder().r#type(IntegrationType::Mock).build();
    let vpc = Behaved::builder().r#type(IntegrationType::HttpProxy).connection_type(ConnectionType::VpcLink);
    let vpc = vpc.uri("http://${stageVariables.alias}.internal/{proxy}").build();
    let table = Behaved::builder().r#type(IntegrationType::Aws).credentials("arn:aws:iam::111122223333:role/r");
    let table = table.uri("arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem").http_method("POST").build();
    let resources = [
        resource("/", &[]),
        resource("/{proxy+}", &[("ANY", method(proxy(&lambda("${stageVariables.fn}"))))]),
        resource(
            "/checkout",
            &[
                ("POST", method(proxy(&lambda("checkout-fn:${stageVariables.alias}")))),
                ("OPTIONS", method(mock)),
                ("GET", method(proxy(&lambda("${stageVariables.gone}")))),
                ("PUT", method(table)),
                ("DELETE", Method::builder().build()),
            ],
        ),
        resource("/old", &[("GET", method(vpc))]),
    ];
    let deployed = deployed(&of(), &stage, &resources, &[], HERE);
    let at = |endpoint: &str| {
        let found = deployed.integrations.iter().find(|i| i.endpoint.to_string() == endpoint);
        found.unwrap_or_else(|| panic!("nothing at {endpoint}"))
    };
    assert_eq!(at("ANY /{proxy+}").target, function("checkout-fn"));
    assert_eq!(at("POST /checkout").target, function("checkout-fn:live"));
    assert_eq!(at("OPTIONS /checkout").target, Target::Mock);
    let unclear = &at("GET /checkout").target;
    assert!(matches!(unclear, Target::Unclear { variable: Some(name), .. } if &**name == "gone"), "{unclear:?}");
    let uri = "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem".into();
    assert_eq!(at("PUT /checkout").target, Target::Service { uri });
    assert_eq!(at("PUT /checkout").credentials.as_deref(), Some("arn:aws:iam::111122223333:role/r"));
    let uri = "http://live.internal/{proxy}".into();
    assert_eq!(at("GET /old").target, Target::Http { uri, vpc_link: true });
    assert_eq!((at("GET /old").timeout, at("GET /old").proxy, at("PUT /checkout").proxy), (None, true, false));
    let post = at("POST /checkout");
    assert_eq!((post.timeout, post.method.as_deref()), (Some(Duration::from_secs(29)), Some("POST")));
    assert_eq!(deployed.integrations.len(), 6, "a method without an integration answers nothing");
    assert!(deployed.integrations.is_sorted_by_key(|i| &i.endpoint));
}

#[test]
fn a_canary_that_leads_elsewhere_is_a_second_integration() {
    let canary = CanarySettings::builder().percent_traffic(10.0).stage_variable_overrides("alias", "next").build();
    let stage = GetStageOutput::builder().variables("alias", "live").variables("fn", "f").canary_settings(canary);
    let resources = [
        resource("/a", &[("GET", method(proxy(&lambda("${stageVariables.fn}:${stageVariables.alias}"))))]),
        resource("/b", &[("GET", method(proxy(&lambda("${stageVariables.fn}"))))]),
    ];
    let deployed = deployed(&of(), &stage.build(), &resources, &[], HERE);
    let want = [("GET /a", "f:live"), ("GET /a", "f:next"), ("GET /b", "f")];
    assert_eq!(targets(&deployed), want.map(|(endpoint, name)| (endpoint.to_owned(), function(name))));
    assert!(deployed.canary);
    assert_eq!(deployed.variables.get("alias").map(|v| &**v), Some("live"), "the stage's own");
}

#[test]
fn only_lambda_authorizers_that_a_method_names_are_in_use() {
    let custom = |id: &str| Method::builder().authorization_type("CUSTOM").authorizer_id(id).build();
    let pool = Method::builder().authorization_type("COGNITO_USER_POOLS").authorizer_id("pool").build();
    let resources = [resource("/", &[("GET", custom("a")), ("POST", custom("a")), ("PUT", pool)])];
    assert_eq!(authorizers_in_use(&resources), BTreeSet::from(["a"]));
    let said = Said::builder().id("a").name("jwt").authorizer_uri(lambda("auth-fn:live")).build();
    let pool = Said::builder().id("pool").name("pool").build();
    let deployed = deployed(&of(), &GetStageOutput::builder().build(), &resources, &[said, pool], HERE);
    let names: Vec<_> = deployed.authorizers.iter().map(|a| (&*a.name, a.target.clone())).collect();
    assert_eq!(names, [("jwt", function("auth-fn:live"))]);
}

#[test]
fn methods_have_levels_of_their_own_whatever_their_keys_look_like() {
    let level = |level: &str| MethodSetting::builder().logging_level(level).build();
    let plain = || method(proxy(&lambda("f")));
    let resources = [resource("/", &[("GET", plain())]), resource("/pets/{id}", &[("GET", plain()), ("PUT", plain())])];
    let log = |settings: &[(&str, MethodSetting)]| {
        let settings: HashMap<_, _> = settings.iter().map(|(key, s)| ((*key).to_owned(), s.clone())).collect();
        let stage = GetStageOutput::builder().set_method_settings(Some(settings)).build();
        deployed(&of(), &stage, &resources, &[], HERE).execution_log
    };
    let on = |all, every_method| {
        let group = "API-Gateway-Execution-Logs_a1b2c3d4e5/prod".into();
        ExecutionLog::On { group, all, every_method }
    };
    assert_eq!(log(&[]), ExecutionLog::Off);
    assert_eq!(log(&[("*/*", level("OFF"))]), ExecutionLog::Off);
    assert_eq!(log(&[("*/*", level("INFO"))]), on(true, true));
    assert_eq!(log(&[("*/*", level("ERROR"))]), on(false, true));
    for key in ["pets/{id}/GET", "/pets/{id}/GET", "pets~1{id}/GET", "~1pets~1{id}/GET"] {
        assert_eq!(log(&[(key, level("INFO"))]), on(true, false), "{key}");
        assert_eq!(log(&[(key, level("OFF")), ("*/*", level("INFO"))]), on(true, false), "{key}");
    }
    for key in ["//GET", "/GET", "~1/GET"] {
        assert_eq!(log(&[(key, level("ERROR")), ("*/*", level("INFO"))]), on(false, true), "{key}");
    }
    let throttled = MethodSetting::builder().throttling_burst_limit(5).build();
    assert_eq!(log(&[("pets/{id}/GET", throttled), ("*/*", level("INFO"))]), on(true, true));
}
