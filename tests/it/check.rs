//! `gatewatch check` by the real binary on moto: an API that is as it should be, and the same with one thing wrong.
//!
//! What moto cannot be made to do (a log group of another class, a subscription that nobody confirmed, a function that
//! failed, a denied action) is tested on the findings themselves, in `src/check/tests.rs`. Rule: each planted fault is
//! the only one that is found, and a fault is what makes the exit code 3.

use std::process::{Command, Stdio};

use aws_sdk_apigateway::types::{Op, PatchOperation};
use aws_sdk_apigatewayv2::types::ProtocolType;
use gatewatch::model::access_format::recommended;
use gatewatch::model::event::{Fact, LogEvent};
use gatewatch::model::inventory::{ApiId, ApiKind, SourceKind};
use gatewatch::model::time::Timestamp;
use gatewatch::read::{Reader, Template};
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::aws_environment;
use crate::moto_server::{ACCOUNT, Moto, REGION};
use crate::planted::{Behind, FORMAT, HttpApi, RestApi, Shop, Stage, alias, function, function_arn, group_arn, permit};

/// A check that has ended.
struct Checked {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Checked {
    /// Runs the check with these arguments, and with a configuration if there is one.
    fn run(endpoint: &str, arguments: &[&str], config: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::run_in(&folder, &aws_environment(endpoint), arguments, config)
    }

    fn run_in(folder: &TempDir, environment: &[(&str, &str)], arguments: &[&str], config: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
        command.arg("check").args(arguments).env_clear().current_dir(folder.path()).stdin(Stdio::null());
        command.env("HOME", folder.path()).envs(environment.iter().copied());
        if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", profile);
        }
        if let Some(config) = config {
            std::fs::write(folder.path().join("config.toml"), config).expect("a file can be written");
            command.args(["--config", "config.toml"]);
        }
        let output = command.output().expect("the program can be started");
        let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The findings; the summary behind them is compared with them.
    fn findings(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let mut lines: Vec<Value> = self.stdout.lines().map(parse).collect();
        let summary = lines.pop().unwrap_or_else(|| panic!("nothing was printed; {}", self.stderr));
        let count = |level: &str| lines.iter().filter(|line| line["level"] == level).count();
        let want = serde_json::json!({
            "v": 1, "type": "check_summary", "faults": count("fault"), "warnings": count("warning"), "ok": count("ok"),
        });
        assert_eq!(summary, want);
        for line in &lines {
            let keys: Vec<_> = line.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(keys, ["api", "check", "fix", "level", "subject", "text", "type", "v"], "{line}");
        }
        lines
    }

    /// What is not well, as `level check subject`.
    fn wrong(&self) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = self.findings();
        let wrong = found.iter().filter(|f| f["level"] != "ok");
        wrong.map(|f| format!("{} {} {}", word(&f["level"]), word(&f["check"]), word(&f["subject"]["name"]))).collect()
    }

    /// The command of the only finding of this check that is not well.
    fn command(&self, check: &str) -> String {
        let found = self.findings();
        let it = found.iter().find(|f| f["level"] != "ok" && f["check"] == check);
        let it = it.unwrap_or_else(|| panic!("no {check} among {found:#?}"));
        it["fix"]["command"].as_str().unwrap_or_default().to_owned()
    }

    fn assert_well(&self) {
        assert_eq!(self.wrong(), [""; 0], "{}", self.stdout);
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
    }

    /// Only this is wrong, and it is a fault.
    fn assert_only(&self, want: &str) {
        assert_eq!(self.wrong(), [want], "{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(3));
    }
}

fn shop(moto: &Moto) -> Checked {
    Checked::run(moto.endpoint(), &["--api", "shop/prod", "--output", "json"], None)
}

/// Sets something of the stage.
async fn patch(moto: &Moto, api: &RestApi<'_>, path: &str, value: &str) {
    let operation = PatchOperation::builder().op(Op::Replace).path(path).value(value).build();
    let update = moto.rest().update_stage().rest_api_id(&api.id).stage_name("prod").patch_operations(operation);
    update.send().await.expect("moto sets a stage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_healthy_api_nothing_is_wrong_however_it_is_named() {
    let moto = Moto::start();
    let planted = Shop::plant(&moto).await;
    planted.api.deploy(&Shop::prod()).await;
    let mailbox = moto.mailbox("ops").await;
    drop(mailbox);

    let checked = shop(&moto);
    checked.assert_well();
    let found = checked.findings();
    for check in ["credentials", "permission", "stage", "access_log", "access_log_format", "exact_join", "log_group"] {
        assert!(found.iter().any(|f| f["check"] == check), "{check} says nothing: {found:#?}");
    }
    for check in ["target", "timeout", "invoke_permission", "function_log"] {
        let functions = found.iter().filter(|f| f["check"] == check).count();
        assert!(functions >= 2, "{check} of the functions: {found:#?}");
    }

    let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:ops");
    let sink = format!("[[sink]]\nkind = \"sns\"\ntopic_arn = \"{topic}\"\n");
    let discovered = format!("[[api]]\nname = \"shop\"\ndiscover = \"shop/prod\"\n{sink}");
    let checked = Checked::run(moto.endpoint(), &["--output", "json"], Some(&discovered));
    checked.assert_well();
    assert!(checked.findings().iter().any(|f| f["check"] == "subscriptions" && f["subject"]["name"] == *topic));

    // By its log groups alone: the stage is found by where its access log goes, functions by a pattern.
    let format = serde_json::to_string(FORMAT).expect("a text");
    let named = format!(
        "[[api]]\nname = \"by groups\"\naccess_log_groups = [\"{}\"]\nlambda_log_groups = [\"/aws/lambda/*\"]\n\
         access_log_format = {format}\n{sink}",
        Shop::ACCESS_GROUP
    );
    let checked = Checked::run(moto.endpoint(), &["--output", "json"], Some(&named));
    checked.assert_well();
    assert!(checked.findings().iter().any(|f| f["check"] == "configured_format" && f["api"] == "by groups"));

    // What `init` writes.
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut init = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
    init.args(["init", "--api", "shop"]).env_clear().current_dir(folder.path()).env("HOME", folder.path());
    let written = init.envs(aws_environment(moto.endpoint())).output().expect("the program can be started");
    let written = String::from_utf8(written.stdout).expect("it writes UTF-8");
    assert!(written.contains("[[api]]"), "{written}");
    Checked::run(moto.endpoint(), &["--output", "json"], Some(&written)).assert_well();

    let text = Checked::run(moto.endpoint(), &["--api", "shop"], None);
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    assert!(text.stdout.starts_with("Account\n  ok       caller arn:aws:"), "{}", text.stdout);
    assert!(text.stdout.contains("\nAPI shop\n  ok       stage "), "{}", text.stdout);
    let last = text.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("0 faults, 0 warnings, ") && last.ends_with(" ok"), "{last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_stage_is_found_alone() {
    let moto = Moto::start();
    let planted = Shop::plant(&moto).await;
    let api = &planted.api;
    api.deploy(&Shop::prod()).await;
    let stage = format!("{}/prod", api.id);
    shop(&moto).assert_well();

    let firehose = format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/amazon-apigateway-shop");
    patch(&moto, api, "/accessLogSettings/destinationArn", &firehose).await;
    let found = shop(&moto);
    found.assert_only(&format!("fault access_log {stage}"));
    assert!(found.command("access_log").contains("/accessLogSettings/destinationArn"), "{}", found.stdout);
    patch(&moto, api, "/accessLogSettings/destinationArn", &group_arn(Shop::ACCESS_GROUP)).await;

    patch(&moto, api, "/accessLogSettings/format", &FORMAT.replace("$context.integration.requestId", "")).await;
    let found = shop(&moto);
    found.assert_only(&format!("fault exact_join {stage}"));
    assert_format(&found.command("exact_join"), &api.id);

    // What is guessed by the time without it is sure where the function logs the API's request ID.
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    let line = r#"{"requestId":"84ea9398-1f2d-4c1e-9a57-5a3c8e0f7b11","httpMethod":"POST","resourcePath":"/checkout","status":"200"}"#;
    let put = async |group: &str, text: &str| {
        let create = moto.logs().create_log_stream().log_group_name(group).log_stream_name("s");
        create.send().await.expect("moto creates a log stream");
        moto.writer().put(group, "s", &[(now.as_millis(), text.to_owned())]).await;
    };
    put(Shop::ACCESS_GROUP, line).await;
    let found = shop(&moto);
    found.assert_only(&format!("fault exact_join {stage}"));
    assert!(found.stdout.contains("hold the request ID of none of the last 1 requests"), "{}", found.stdout);
    put("/aws/lambda/checkout-fn", "INFO requestContext.requestId 84ea9398-1f2d-4c1e-9a57-5a3c8e0f7b11 begins").await;
    let found = shop(&moto);
    found.assert_well();
    assert!(found.stdout.contains("by the API's request ID, which functions log"), "{}", found.stdout);

    patch(&moto, api, "/accessLogSettings/format", &FORMAT.replace("$context.status", "")).await;
    shop(&moto).assert_only(&format!("fault access_log_format {stage}"));
    patch(&moto, api, "/accessLogSettings/format", &recommended(ApiKind::Rest)).await;
    shop(&moto).assert_well();

    patch(&moto, api, "/accessLogSettings/destinationArn", &group_arn("/not/made")).await;
    let found = shop(&moto);
    found.assert_only("fault log_group /not/made");
    assert_eq!(
        found.command("log_group"),
        format!("aws logs create-log-group --region {REGION} --log-group-name /not/made")
    );

    // A configuration that names another group than the stage writes to.
    patch(&moto, api, "/accessLogSettings/destinationArn", &group_arn(Shop::ACCESS_GROUP)).await;
    moto.create_group("/old/access", &[]).await;
    let execution = format!("API-Gateway-Execution-Logs_{stage}");
    moto.create_group(&execution, &[]).await;
    patch(&moto, api, "/*/*/logging/loglevel", "INFO").await;
    let config = format!(
        "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/old/access\"]\nlambda_log_groups = [\"/aws/lambda/*\"]\n\
         execution_log_group = \"{execution}\"\n"
    );
    Checked::run(moto.endpoint(), &["--output", "json"], Some(&config))
        .assert_only(&format!("fault access_log {stage}"));
}

/// The command sets the recommended format of a REST API, and a shell takes it as it stands.
fn assert_format(command: &str, id: &str) {
    let words = Command::new("sh").arg("-c").arg(format!("aws() {{ printf '%s\\n' \"$@\"; }}; {command}")).output();
    let words = String::from_utf8(words.expect("there is a shell").stdout).expect("text");
    let words: Vec<_> = words.lines().collect();
    assert_eq!(words[..2], ["apigateway", "update-stage"], "{command}");
    assert!(words.windows(2).any(|w| w == ["--rest-api-id", id]), "{words:?}");
    let patches: Value = serde_json::from_str(words.last().expect("words")).expect("JSON");
    assert_eq!(patches[1]["path"], "/accessLogSettings/format");
    assert_eq!(patches[1]["value"], recommended(ApiKind::Rest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_without_an_access_log_or_a_variable_is_found() {
    let moto = Moto::start();
    let planted = Shop::plant(&moto).await;
    let stage = format!("{}/prod", planted.api.id);
    planted.api.deploy(&Stage { access_log: None, ..Shop::prod() }).await;
    let found = shop(&moto);
    found.assert_only(&format!("fault access_log {stage}"));
    let command = found.command("access_log");
    assert!(command.starts_with("aws logs create-log-group "), "{command}");
    assert!(command.contains(" && aws apigateway update-stage "), "{command}");

    // Another stage of the same API, without one of its variables.
    planted.api.deploy(&Stage { name: "test", variables: &[("fn", "catch-all-fn")], ..Shop::prod() }).await;
    let found = Checked::run(moto.endpoint(), &["--api", "shop/test", "--output", "json"], None);
    let faults: Vec<_> = found.wrong().into_iter().filter(|w| w.starts_with("fault")).collect();
    assert_eq!(faults, ["fault target alias"], "{}", found.stdout);
    assert_eq!(found.code, Some(3));
    assert!(found.command("target").ends_with("--patch-operations op=replace,path=/variables/alias,value=VALUE"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_functions_is_found_alone() {
    let moto = Moto::start();
    let planted = Shop::plant(&moto).await;
    let api = &planted.api;
    api.deploy(&Shop::prod()).await;
    shop(&moto).assert_well();
    let lambda = moto.lambda();

    let timeout =
        |seconds| lambda.update_function_configuration().function_name("catch-all-fn").timeout(seconds).send();
    timeout(60).await.expect("moto sets a timeout");
    let found = shop(&moto);
    found.assert_only("fault timeout catch-all-fn");
    assert_eq!(
        found.command("timeout"),
        format!("aws lambda update-function-configuration --region {REGION} --function-name catch-all-fn --timeout 28")
    );
    timeout(10).await.expect("moto sets a timeout");

    let remove = lambda.remove_permission().function_name("catch-all-fn");
    remove.statement_id(format!("gateway-{}------", api.id)).send().await.expect("moto takes a permission away");
    permit(&moto, "catch-all-fn", None, &format!("{}/test/*/*", api.id)).await;
    let found = shop(&moto);
    found.assert_only("fault invoke_permission catch-all-fn");
    let source = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/prod/*/*", api.id);
    assert!(found.command("invoke_permission").ends_with(&format!("--source-arn '{source}'")), "{}", found.stdout);
    permit(&moto, "catch-all-fn", None, &format!("{}/prod/*/*", api.id)).await;
    shop(&moto).assert_well();

    patch(&moto, api, "/variables/alias", "canary").await;
    let found = shop(&moto);
    found.assert_only("fault target checkout-fn:canary");
    assert_eq!(
        found.command("target"),
        format!(
            "aws lambda create-alias --region {REGION} --function-name checkout-fn --name canary --function-version VERSION"
        )
    );
    patch(&moto, api, "/variables/alias", "live").await;
    patch(&moto, api, "/variables/fn", "gone-fn").await;
    shop(&moto).assert_only("fault target gone-fn");
    patch(&moto, api, "/variables/fn", "catch-all-fn").await;
    shop(&moto).assert_well();

    function(&moto, "stock-fn", 10).await;
    moto.create_group("/aws/lambda/stock-fn", &[]).await;
    permit(&moto, "stock-fn", None, &format!("{}/*/GET/stock", api.id)).await;
    api.method("GET", "/stock", &Behind { method: "GET", ..Behind::function("stock-fn") }, None).await;
    let found = shop(&moto);
    found.assert_only("fault integration GET /stock");
    assert!(found.command("integration").contains("value=POST && aws apigateway create-deployment "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_api_is_checked_by_its_routes() {
    let moto = Moto::start();
    function(&moto, "pets-fn", 20).await;
    alias(&moto, "pets-fn", "live").await;
    moto.create_group("/aws/lambda/pets-fn", &[]).await;
    moto.create_group("/pets/access", &[]).await;
    let api = HttpApi::plant(&moto, "pets", ProtocolType::Http).await;
    api.route("GET /pets/{id}", &function_arn("pets-fn")).await;
    api.route("$default", &function_arn("pets-fn")).await;
    let format = recommended(ApiKind::Http);
    let access_log = Some((group_arn("/pets/access"), format.as_str()));
    api.deploy(&Stage { name: "$default", access_log, ..Stage::default() }).await;
    permit(&moto, "pets-fn", None, &format!("{}/*/*/pets/{{id}}", api.id)).await;
    let check = || Checked::run(moto.endpoint(), &["--api", "pets", "--output", "json"], None);
    let found = check();
    found.assert_only("fault invoke_permission pets-fn");
    let source = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/$default/$default", api.id);
    assert!(found.command("invoke_permission").ends_with(&format!("--source-arn '{source}'")), "{}", found.stdout);
    permit(&moto, "pets-fn", None, &format!("{}/*/*", api.id)).await;
    check().assert_well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_and_apis_that_are_not_there_are_faults_and_lambda_groups_that_are_not_are_none() {
    let moto = Moto::start();
    let planted = Shop::plant(&moto).await;
    planted.api.deploy(&Shop::prod()).await;
    let gone = format!("arn:aws:sns:{REGION}:{ACCOUNT}:gone");
    let lonely = moto.topic("lonely").await;
    let sink = |arn: &str| format!("[[sink]]\nkind = \"sns\"\ntopic_arn = \"{arn}\"\n");
    let config = |rest: &str| format!("[[api]]\nname = \"shop\"\ndiscover = \"shop/prod\"\n{rest}");
    let check = |config: &str| Checked::run(moto.endpoint(), &["--output", "json"], Some(config));

    let found = check(&config(&sink(&gone)));
    found.assert_only(&format!("fault topic {gone}"));
    assert_eq!(found.command("topic"), format!("aws sns create-topic --region {REGION} --name gone"));
    let found = check(&config(&sink(&lonely)));
    found.assert_only(&format!("fault subscriptions {lonely}"));
    let ask = format!(
        "aws sns subscribe --region {REGION} --topic-arn {lonely} --protocol email --notification-endpoint ADDRESS"
    );
    assert_eq!(found.command("subscriptions"), ask);

    let found = check("[[api]]\nname = \"shop\"\ndiscover = \"shop/live\"\n");
    found.assert_only("fault stage shop/live");
    let found = check("[[api]]\nname = \"shop\"\ndiscover = \"shp\"\n");
    found.assert_only("fault stage shp");

    let delete = moto.logs().delete_log_group().log_group_name("/aws/lambda/auth-fn");
    delete.send().await.expect("moto deletes a log group");
    let found = check(&config(""));
    assert_eq!(found.wrong(), ["warning log_group /aws/lambda/auth-fn"]);
    assert_eq!(found.code, Some(0), "a warning is no fault");

    // Nothing of AWS leads from these groups to a stage.
    moto.create_group("/exported", &[]).await;
    let found = check("[[api]]\nname = \"other\"\naccess_log_groups = [\"/exported\"]\n");
    assert_eq!(found.wrong(), ["warning stage other"]);

    // Reading every 5 s needs more than this quota allows.
    let found = check(&config("[poll]\nquota = 1.0\n"));
    let want = [format!("warning polling {REGION}"), "warning log_group /aws/lambda/auth-fn".to_owned()];
    assert_eq!(found.wrong(), want);

    let text = Checked::run(moto.endpoint(), &[], Some(&config(&sink(&gone))));
    assert_eq!(text.code, Some(3));
    assert!(text.stdout.contains("\n  FAULT    topic ") && text.stdout.contains("\n           aws sns create-topic "));
    assert!(text.stderr.contains("the check found a fault"), "{}", text.stderr);
}

/// What explanations need of each kind of API is read from a line of the format that is recommended for it.
#[test]
fn lines_of_the_recommended_formats_are_read() {
    for kind in [ApiKind::Rest, ApiKind::Http, ApiKind::WebSocket] {
        let mut line = recommended(kind);
        for (variable, value) in [
            ("integration.integrationStatus", "200"),
            ("integration.requestId", "72566006-9d3b-4c5e-8a0b-0c4a4b1f2d3e"),
            ("integration.latency", "230"),
            ("integration.status", "502"),
            ("integration.error", "Lambda Customer Function Error:boom"),
            ("error.responseType", "INTEGRATION_FAILURE"),
            ("error.message", "Internal server error"),
            ("requestTimeEpoch", "1785231944443"),
            ("extendedRequestId", "e1="),
            ("requestId", "r1"),
            ("responseLatency", "237"),
            ("resourcePath", "/users/{id}"),
            ("routeKey", if kind == ApiKind::Http { "GET /users/{id}" } else { "say" }),
            ("httpMethod", "GET"),
            ("eventType", "MESSAGE"),
            ("status", "502"),
        ] {
            line = line.replace(&format!("\"$context.{variable}\""), &format!("{value:?}"));
        }
        let template = Template::compile(&recommended(kind)).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        let time = Timestamp::from_millis(1_785_231_944_500);
        let mut facts = Vec::new();
        let mut reader = Reader::of(SourceKind::Access(ApiId(0)), Some(template), true);
        reader.read(LogEvent { stream: "s".into(), time, text: line.clone() }, &mut facts);
        let Some(Fact::Request(request)) = facts.pop() else { panic!("{kind:?}: not read: {line}") };
        let route = if kind == ApiKind::WebSocket { "say" } else { "/users/{id}" };
        assert_eq!((request.status, &*request.endpoint.route), (502, route), "{line}");
        assert_eq!(request.request_id.as_deref(), Some("r1"));
        assert_eq!(request.lambda_request_id.as_deref(), Some("72566006-9d3b-4c5e-8a0b-0c4a4b1f2d3e"));
        assert_eq!(request.start.as_millis(), 1_785_231_944_443);
        assert_eq!(request.integration_latency_ms, Some(230));
        assert_eq!(request.response_latency_ms, (kind != ApiKind::WebSocket).then_some(237));
        let words = request.gateway.expect("it failed");
        assert_eq!((words.integration_status, words.function_status), (Some(200), Some(502)));
        assert_eq!(words.response_type.as_deref(), Some("INTEGRATION_FAILURE"));
        assert_eq!(words.integration_error.as_deref(), Some("Lambda Customer Function Error:boom"));
    }
}

#[test]
fn where_aws_cannot_be_reached_there_is_one_message() {
    let config = "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/aws/apigateway/shop-prod\"]\n";
    let folder = || tempfile::tempdir().expect("a temporary folder can be made");
    // Nobody listens at this port.
    let nobody = "http://127.0.0.1:9";
    let found = Checked::run_in(&folder(), &aws_environment(nobody), &[], Some(config));
    assert_eq!((found.code, found.stdout.as_str()), (Some(1), ""), "{}", found.stderr);
    assert!(found.stderr.lines().count() == 1 && found.stderr.contains("AWS does not answer"), "{}", found.stderr);

    let none = [("AWS_REGION", REGION), ("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ENDPOINT_URL", nobody)];
    let found = Checked::run_in(&folder(), &none, &[], Some(config));
    assert_eq!((found.code, found.stdout.as_str()), (Some(1), ""), "{}", found.stderr);
    assert!(found.stderr.lines().count() == 1 && found.stderr.contains("no AWS credentials"), "{}", found.stderr);

    let found = Checked::run_in(&folder(), &none, &["--api", "shop/"], None);
    assert_eq!(found.code, Some(2), "{}", found.stderr);
    assert!(found.stderr.contains("`shop/` names no API"), "{}", found.stderr);
}
