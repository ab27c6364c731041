//! From the name of an API to its logs, integrations and functions.
//!
//! Against moto, which this project did not write; and against a control plane that pages, refuses and throttles, which
//! moto does not ([`crate::control_plane`]). Rule: through [`Clients`], as the program does it.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_apigatewayv2::types::ProtocolType;
use gatewatch::aws::clients::Clients;
use gatewatch::aws::discover::{Control, NotFound};
use gatewatch::model::deployed::{AccessLog, Asked, Deployed, ExecutionLog, Function, Integration, Target, Wanted};
use gatewatch::model::inventory::ApiKind;
use gatewatch::model::problem::Problem;
use gatewatch::run::named::words;
use serde_json::{Value, json};

use crate::control_plane::{Answer, Call, ControlPlane};
use crate::moto_server::{ACCOUNT, Moto, REGION};
use crate::planted::{Behind, FORMAT, HttpApi, RestApi, Shop, Stage, function, function_arn, group_arn, permit};

async fn control(endpoint: &str) -> Control {
    Clients::simulated(endpoint, REGION).await.control(REGION, None).await
}

fn wanted(text: &str) -> Wanted {
    Wanted::parse(text).expect("it names an API")
}

async fn described(control: &Control, text: &str) -> Deployed {
    let stage = control.find_one(&wanted(text)).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    control.describe(&stage).await.unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Endpoints, each with what it leads to.
fn targets(deployed: &Deployed) -> Vec<(String, String)> {
    let target = |i: &Integration| match &i.target {
        Target::Lambda(function) => function.to_string(),
        other @ (Target::Http { .. } | Target::Service { .. } | Target::Mock | Target::Unclear { .. }) => {
            format!("{other:?}")
        }
    };
    deployed.integrations.iter().map(|i| (i.endpoint.to_string(), target(i))).collect()
}

fn the<'a>(deployed: &'a Deployed, function: &str) -> &'a Function {
    let found = deployed.functions.iter().find(|f| f.reference.to_string() == function);
    found.unwrap_or_else(|| panic!("no {function} among {:?}", deployed.functions))
}

fn sources(function: &Function) -> Vec<&str> {
    let policy = function.policy.known().unwrap_or_else(|| panic!("its policy is not known: {function:?}"));
    policy.iter().flat_map(|s| s.source_arns.iter().map(|arn| &**arn)).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rest_api_is_found_with_its_functions_by_stage_variable_and_alias() {
    let moto = Moto::start();
    let shop = Shop::plant(&moto).await;
    let levels = [("*/*", "INFO"), ("~1checkout/OPTIONS", "OFF")];
    shop.api.deploy(&Stage { levels: &levels, tracing: true, ..Shop::prod() }).await;
    let control = control(moto.endpoint()).await;

    let identity = control.identity().await.expect("moto says who asks");
    assert_eq!(&*identity.account, ACCOUNT);
    let deployed = described(&control, "shop").await;
    assert_eq!((&*deployed.stage.name, &*deployed.stage.id, &*deployed.stage.stage), ("shop", &*shop.api.id, "prod"));
    assert_eq!((deployed.stage.kind, &*deployed.partition, &*deployed.region), (ApiKind::Rest, "aws", REGION));
    assert_eq!(deployed.account.as_deref(), Some(ACCOUNT));
    let (arn, format) = (group_arn(Shop::ACCESS_GROUP).into(), FORMAT.into());
    assert_eq!(deployed.access_log, AccessLog::Group { arn, format });
    let group = format!("API-Gateway-Execution-Logs_{}/prod", shop.api.id).into();
    assert_eq!(deployed.execution_log, ExecutionLog::On { group, all: true, every_method: false });
    assert!(deployed.tracing && !deployed.canary);
    assert_eq!(
        targets(&deployed),
        pairs(&[
            ("ANY /{proxy+}", "catch-all-fn"),
            ("OPTIONS /checkout", "Mock"),
            ("POST /checkout", "checkout-fn:live")
        ])
    );
    let checkout = &deployed.integrations[2];
    assert_eq!((checkout.timeout, checkout.proxy), (Some(Duration::from_secs(29)), true));
    assert_eq!(checkout.method.as_deref(), Some("POST"));
    let [tokens] = &deployed.authorizers[..] else { panic!("{:?}", deployed.authorizers) };
    assert_eq!(&*tokens.name, "tokens");

    assert_eq!(deployed.functions.len(), 3, "{:?}", deployed.functions);
    let settings = the(&deployed, "checkout-fn:live").settings.known().expect("its configuration is known");
    assert_eq!((settings.timeout, settings.memory_mb), (Duration::from_secs(28), 512));
    assert_eq!((&*settings.log_group, settings.runtime.as_deref()), ("/aws/lambda/checkout-fn", Some("nodejs22.x")));
    assert_eq!((settings.json_logs, settings.unfit.as_deref()), (false, None));
    let source = |of: &str| format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/{of}", shop.api.id);
    assert_eq!(sources(the(&deployed, "checkout-fn:live")), [source("prod/POST/checkout")]);
    assert_eq!(sources(the(&deployed, "catch-all-fn")), [source("*/*/*")]);
    assert_eq!(sources(the(&deployed, "auth-fn")), [source(&format!("authorizers/{}", tokens.id))]);
    assert_eq!(deployed.unasked, []);
    assert_eq!(control.describe(&deployed.stage).await.as_ref(), Ok(&deployed), "asked again it is the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_and_websocket_apis_are_found_with_functions_that_are_not_there() {
    let moto = Moto::start();
    for name in ["pets-fn", "chat-fn"] {
        function(&moto, name, 20).await;
    }
    let pets = HttpApi::plant(&moto, "pets", ProtocolType::Http).await;
    permit(&moto, "pets-fn", None, &format!("{}/*/*", pets.id)).await;
    pets.route("$default", &function_arn("pets-fn")).await;
    pets.route("GET /pets/{id}", &function_arn("${stageVariables.reader}")).await;
    pets.route("PUT /pets", &function_arn("${stageVariables.writer}")).await;
    let log = Some((format!("{}:*", group_arn("/pets/access")), "$context.requestId"));
    pets.deploy(&Stage { name: "$default", variables: &[("reader", "gone-fn")], access_log: log, ..Stage::default() })
        .await;
    let chat = HttpApi::plant(&moto, "chat", ProtocolType::Websocket).await;
    chat.route("$connect", &crate::planted::invocation("chat-fn")).await;
    chat.deploy(&Stage { name: "prod", ..Stage::default() }).await;
    let control = control(moto.endpoint()).await;

    let deployed = described(&control, &pets.id).await;
    assert_eq!((deployed.stage.kind, &*deployed.stage.stage), (ApiKind::Http, "$default"));
    let group = AccessLog::Group { arn: group_arn("/pets/access").into(), format: "$context.requestId".into() };
    assert_eq!((&deployed.access_log, &deployed.execution_log), (&group, &ExecutionLog::Never));
    let unclear = deployed.integrations.iter().find(|i| i.endpoint.to_string() == "PUT /pets").map(|i| &i.target);
    let Some(Target::Unclear { variable, .. }) = unclear else { panic!("{unclear:?}") };
    assert_eq!(variable.as_deref(), Some("writer"));
    let clear: Vec<_> = targets(&deployed).into_iter().filter(|(endpoint, _)| endpoint != "PUT /pets").collect();
    assert_eq!(clear, pairs(&[("ANY $default", "pets-fn"), ("GET /pets/{id}", "gone-fn")]));
    assert_eq!(deployed.integrations[0].payload_format.as_deref(), Some("2.0"));
    let gone = the(&deployed, "gone-fn");
    assert_eq!((&gone.settings, &gone.policy), (&Asked::Missing, &Asked::Missing), "it does not exist");
    assert_eq!(sources(the(&deployed, "pets-fn")).len(), 1);
    assert_eq!(deployed.unasked, [], "what is not there was asked");

    let deployed = described(&control, "chat/prod").await;
    assert_eq!((deployed.stage.kind, &deployed.access_log), (ApiKind::WebSocket, &AccessLog::Off));
    assert_eq!(targets(&deployed), pairs(&[("- $connect", "chat-fn")]));
    assert_eq!(the(&deployed, "chat-fn").policy, Asked::Is(Vec::new()), "it is there, and has no policy");
    assert_eq!(deployed.execution_log, ExecutionLog::Off);

    let stages = control.stages().await.expect("moto lists all");
    let listed: Vec<_> = stages.iter().map(|(s, log)| (&*s.name, &*s.stage, *log == AccessLog::Off)).collect();
    assert_eq!(listed, [("chat", "prod", true), ("pets", "$default", false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_stages_or_none_are_told_with_what_there_is() {
    let moto = Moto::start();
    let shop = RestApi::plant(&moto, "shop").await;
    shop.method("GET", "/", &Behind::mock(), None).await;
    for name in ["dev", "prod"] {
        shop.deploy(&Stage { name, ..Stage::default() }).await;
    }
    let other = HttpApi::plant(&moto, "shop", ProtocolType::Http).await;
    other.deploy(&Stage { name: "prod", ..Stage::default() }).await;
    HttpApi::plant(&moto, "no-stage-yet", ProtocolType::Http).await;
    let control = control(moto.endpoint()).await;

    let error = control.find_one(&wanted("shop")).await.expect_err("three stages fit");
    let NotFound::Several { among, .. } = &error else { panic!("{error}") };
    assert_eq!(among.len(), 3);
    let said = words(&error).join("\n");
    for part in [format!("{}/dev  REST API shop", shop.id), format!("{}/prod  HTTP API shop", other.id)] {
        assert!(said.contains(&part), "{part} is not in {said}");
    }
    assert_eq!(control.find(&wanted("shop/prod")).await.map(|found| found.len()), Ok(3), "the choice is another's");
    let error = control.find_one(&wanted("shop/prod")).await.expect_err("one of each API fits");
    assert!(matches!(&error, NotFound::Several { among, .. } if among.len() == 2), "{error}");
    let by_id = control.find_one(&wanted(&format!("{}/prod", shop.id))).await.expect("one fits");
    assert_eq!((&*by_id.id, &*by_id.stage), (&*shop.id, "prod"));
    let by_id = control.find_one(&wanted(&other.id)).await.expect("its only stage needs not be said");
    assert_eq!(&*by_id.stage, "prod");

    let error = control.find_one(&wanted("shop/live")).await.expect_err("there is no such stage");
    let said = words(&error).join("\n");
    assert!(said.contains("no stage `live`") && said.contains("dev, prod"), "{said}");
    for text in ["shp", "no-stage-yet"] {
        let error = control.find_one(&wanted(text)).await.expect_err("nothing fits");
        let said = words(&error).join("\n");
        assert!(said.contains(text) && said.contains("no-stage-yet, shop") && said.contains(REGION), "{said}");
    }
}

/// A REST API of many pages behind a control plane: `{next}` of the resources is served on the second page.
fn paged(call: &Call) -> Answer {
    let lambda = |name: &str| {
        let uri = crate::planted::invocation(name);
        json!({"httpMethod": "GET", "methodIntegration": {"type": "AWS_PROXY", "uri": uri, "httpMethod": "POST"}})
    };
    let page = |pages: [Value; 3]| match call.query("position").or_else(|| call.query("nextToken")) {
        None => pages[0].clone(),
        Some("p 2") => pages[1].clone(),
        Some("p/3") => pages[2].clone(),
        Some(other) => panic!("a token that was not given: {other}"),
    };
    Answer::Is(match &*call.what {
        "GET /restapis" => page([
            json!({"item": [{"id": "aaaaaaaaaa", "name": "a"}], "position": "p 2"}),
            json!({"item": [], "position": "p/3"}),
            json!({"item": [{"id": "bbbbbbbbbb", "name": "shop"}]}),
        ]),
        "GET /v2/apis" => page([
            json!({"items": [{"apiId": "cccccccccc", "name": "c", "protocolType": "HTTP"}], "nextToken": "p 2"}),
            json!({"items": [{"apiId": "dddddddddd", "name": "pets", "protocolType": "HTTP"}], "nextToken": "p/3"}),
            json!({"items": []}),
        ]),
        "GET /restapis/bbbbbbbbbb/stages" => json!({"item": [{"stageName": "prod"}]}),
        "GET /restapis/bbbbbbbbbb/stages/prod" => json!({
            "stageName": "prod",
            "variables": {"alias": "live"},
            "canarySettings": {"percentTraffic": 5.0, "stageVariableOverrides": {"alias": "next"}},
            "accessLogSettings": {"destinationArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/amazon-apigateway-x"},
        }),
        "GET /restapis/bbbbbbbbbb/resources" => {
            assert_eq!(call.query("embed"), Some("methods"));
            page([
                json!({"item": [{"path": "/a", "resourceMethods": {"GET": lambda("first:${stageVariables.alias}")}}], "position": "p 2"}),
                json!({"item": [{"path": "/b", "resourceMethods": {"GET": lambda("second")}}], "position": "p/3"}),
                json!({"item": [{"path": "/c", "resourceMethods": {"GET": lambda("first:live")}}]}),
            ])
        }
        "GET /v2/apis/dddddddddd/stages" => json!({"items": [{"stageName": "$default"}]}),
        what if what.ends_with("/configuration") => {
            let name = what.split(':').next_back().and_then(|name| name.split('/').next()).unwrap_or_default();
            json!({
                "FunctionName": name, "Timeout": 60, "MemorySize": 256, "State": "Active",
                "LoggingConfig": {"LogFormat": "JSON", "LogGroup": format!("/shop/{name}")},
                "Environment": {"Variables": {"SECRET": "hunter2"}},
            })
        }
        what if what.ends_with("/policy") => {
            return Answer::Error(
                404,
                "ResourceNotFoundException",
                "The resource you requested does not exist.".into(),
            );
        }
        other => panic!("it was asked {other}"),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_read_to_their_last_page_and_each_function_is_asked_once() {
    let plane = ControlPlane::answering(paged).await;
    let control = control(plane.endpoint()).await;
    assert_eq!(control.find(&wanted("pets")).await.map(|found| found.len()), Ok(1), "on the second page");
    let deployed = described(&control, "shop").await;
    assert_eq!(
        targets(&deployed),
        pairs(&[("GET /a", "first:live"), ("GET /a", "first:next"), ("GET /b", "second"), ("GET /c", "first:live")]),
        "the canary's alias is another"
    );
    assert!(deployed.canary);
    assert!(matches!(&deployed.access_log, AccessLog::Firehose { arn } if arn.ends_with("amazon-apigateway-x")));
    let functions: Vec<_> = deployed.functions.iter().map(|f| f.reference.to_string()).collect();
    assert_eq!(functions, ["first:live", "first:next", "second"]);
    let settings = the(&deployed, "second").settings.known().expect("it was told");
    assert_eq!((&*settings.log_group, settings.json_logs), ("/shop/second", true));
    assert!(!format!("{deployed:?}").contains("hunter2"), "the environment is dropped");
    assert!(deployed.functions.iter().all(|f| f.policy == Asked::Is(Vec::new())), "{:?}", deployed.functions);

    let calls = plane.calls();
    let asked: Vec<_> = calls.iter().filter(|c| c.what.ends_with("/configuration")).collect();
    let different: BTreeSet<_> = asked.iter().map(|c| (&c.what, c.query("Qualifier"))).collect();
    assert_eq!((asked.len(), different.len()), (3, 3), "{asked:?}");
    assert!(asked.iter().any(|c| c.query("Qualifier") == Some("next") && !c.what.contains("next")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_goes_round_is_an_error_and_not_half_a_list() {
    let plane = ControlPlane::answering(|call| {
        Answer::Is(match &*call.what {
            "GET /restapis" => json!({"item": [], "position": "again"}),
            _ => json!({"items": []}),
        })
    });
    let plane = plane.await;
    let error = control(plane.endpoint()).await.stages().await.expect_err("it never ends");
    assert!(error.said.contains("leads back"), "{error}");
    assert_eq!(plane.calls().iter().filter(|c| c.what == "GET /restapis").count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_said_with_its_action_and_the_rest_is_known() {
    let not_authorized = |action: &str, resource: &str| {
        let message = format!(
            "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: {action} on resource: {resource}"
        );
        Answer::Error(403, "AccessDeniedException", message)
    };
    let far = "arn:aws:lambda:eu-west-3:444455556666:function:far";
    let plane = ControlPlane::answering(move |call| match &*call.what {
        "GET /v2/apis" => not_authorized("apigateway:GET", "arn:aws:apigateway:us-east-1::/apis"),
        "GET /restapis/bbbbbbbbbb/resources" => {
            let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{far}/invocations");
            Answer::Is(json!({"item": [{"path": "/", "resourceMethods": {"GET": {
                "authorizationType": "CUSTOM", "authorizerId": "x",
                "methodIntegration": {"type": "AWS_PROXY", "uri": uri}}}}]}))
        }
        "GET /restapis/bbbbbbbbbb/authorizers" => not_authorized("apigateway:GET", "arn:of:authorizers"),
        what if what.contains("/functions/") && what.ends_with("/policy") => not_authorized("lambda:GetPolicy", far),
        _ => paged(call),
    });
    let plane = plane.await;
    let control = control(plane.endpoint()).await;
    let deployed = described(&control, "shop").await;
    let unasked: Vec<_> = deployed.unasked.iter().map(|u| (u.action, &*u.resource, u.problem)).collect();
    let authorizers = "arn:aws:apigateway:us-east-1::/restapis/bbbbbbbbbb/authorizers";
    assert_eq!(unasked, [("apigateway:GET", authorizers, Problem::Denied), ("lambda:GetPolicy", far, Problem::Denied)]);
    let function = the(&deployed, "far");
    assert_eq!(function.policy, Asked::Unknown);
    assert!(function.settings.known().is_some());
    let regions: BTreeSet<_> =
        plane.calls().into_iter().filter(|c| c.what.contains("/functions/")).map(|c| c.region).collect();
    assert_eq!(regions, BTreeSet::from(["eu-west-3".to_owned()]), "a function is asked in its own Region");

    // An API of the kind that cannot be listed may be what was meant.
    let error = control.find_one(&wanted("pets")).await.expect_err("HTTP APIs cannot be listed").to_string();
    for part in [
        "access denied",
        "arn:aws:iam::111122223333:user/ann",
        "allow apigateway:GET on arn:aws:apigateway:us-east-1::/apis",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_throttled_comes_again_and_one_that_fails_not_for_ever() {
    let mut refused = 0;
    let plane = ControlPlane::answering(move |call| {
        if call.what == "GET /restapis" && refused < 2 {
            refused += 1;
            return Answer::Error(429, "TooManyRequestsException", "Too Many Requests".into());
        }
        match &*call.what {
            "GET /v2/apis" => Answer::Error(500, "InternalFailure", "no".into()),
            _ => paged(call),
        }
    });
    let plane = plane.await;
    let control = control(plane.endpoint()).await;
    assert_eq!(control.find(&wanted("shop")).await.map(|found| found.len()), Ok(1), "what is found is found");
    let error = control.find(&wanted("pets")).await.expect_err("HTTP APIs cannot be listed");
    assert_eq!(error.problem, Problem::Service, "{error}");
    let count = |what: &str| plane.calls().iter().filter(|c| c.what == what).count();
    assert_eq!(
        (count("GET /restapis"), count("GET /v2/apis")),
        (3 + 2 + 3, 6),
        "three pages, two refusals, three tries"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_answers() {
    let error = control("http://127.0.0.1:1").await.stages().await.expect_err("nobody listens");
    assert_eq!(error.problem, Problem::Unreachable);
    let said = error.to_string();
    assert!(said.contains("us-east-1") && said.contains("AWS_ENDPOINT_URL"), "{said}");
}

/// The words of the SDK's own providers decide what is said, so they are asked here and not made up.
#[test]
fn credentials_that_are_not_there_are_one_message_that_says_what_to_do() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = home.path().join(".aws");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let profiles = "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = dev\n\
                    [sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n\
                    [profile old]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n\
                    sso_account_id = 111122223333\nsso_role_name = dev\n\
                    [profile tool]\ncredential_process = /no/such/program\n[profile empty]\nregion = eu-west-1\n";
    fs::write(folder.join("config"), profiles).expect("a file can be written");
    for (profile, wanted) in [
        (None, ["no AWS credentials were found", "aws configure"]),
        (Some("sso"), ["the SSO session of profile `sso`", "run `aws sso login --profile sso`"]),
        (Some("old"), ["the SSO session of profile `old`", "run `aws sso login --profile old`"]),
        (Some("gone"), ["there is no profile `gone`", "aws configure list-profiles"]),
        (Some("tool"), ["profile `tool` gives no AWS credentials", "aws configure list --profile tool"]),
        (Some("empty"), ["profile `empty` gives no AWS credentials", "no credentials found"]),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
        command.args(["init", "--api", "shop"]).env_clear().current_dir(home.path()).env("HOME", home.path());
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", "eu-west-1");
        if let Some(profile) = profile {
            command.env("AWS_PROFILE", profile);
        }
        let ended = command.stdin(Stdio::null()).output().expect("the program can be started");
        let said = String::from_utf8(ended.stderr).expect("it writes UTF-8");
        assert!(wanted.iter().all(|words| said.contains(words)), "{profile:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "one message: {said}");
        assert!(!ended.status.success());
    }
}
