//! The way in, on an AWS that this project did not write: `init`, `--follow` by a name in AWS, and a daemon whose APIs
//! are discovered.
//!
//! The real binary, as in `moto`. Rule: what `init` writes is judged by running it, what was discovered by what is read.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_apigatewayv2::types::ProtocolType;
use serde_json::Value;

use crate::daemon::{Daemon, aws_environment};
use crate::http::{address, ask, now, write};
use crate::moto_server::Moto;
use crate::planted::{Behind, FORMAT, HttpApi, RestApi, Shop, Stage, function, group_arn};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A program that has ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(moto: &Moto, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
    let command = command.args(arguments).env_clear().envs(aws_environment(moto.endpoint()));
    let output = command.env("HOME", folder.path()).current_dir(folder.path()).stdin(Stdio::null()).output();
    let output = output.expect("the program can be started");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A stage whose access log goes to a group of its own, which is made.
async fn logged<'a>(moto: &Moto, name: &'a str, group: &str) -> Stage<'a> {
    moto.create_group(group, &["s".to_owned()]).await;
    Stage { name, access_log: Some((group_arn(group), FORMAT)), ..Stage::default() }
}

/// A request that failed just now.
async fn put_failure(moto: &Moto, group: &str, id: &str) {
    let at = now().as_millis();
    let line = format!(
        "{{\"requestId\":\"{id}\",\"extendedRequestId\":\"x\",\"requestTimeEpoch\":\"{at}\",\"httpMethod\":\"POST\",\
         \"resourcePath\":\"/checkout\",\"status\":\"502\",\"responseLatency\":\"20\"}}"
    );
    moto.writer().put(group, "s", &[(at, line)]).await;
}

fn status(address: SocketAddr) -> Value {
    let (code, _, body) = ask(address, b"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(code, 200, "{body}");
    serde_json::from_str(&body).expect("it is JSON")
}

/// Waits until the status is as it should be.
fn wait_status(address: SocketAddr, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let status = status(address);
        if wanted(&status) {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "not {what} within {PATIENCE:?}: {status:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn source<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status["sources"].as_array()?.iter().find(|source| source["name"] == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_init_writes_is_a_configuration_that_runs() {
    let moto = Moto::start();
    Shop::plant(&moto).await.api.deploy(&Shop::prod()).await;
    let printed = run(&moto, &["init", "--api", "shop"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    for words in [
        "name = \"shop\"",
        "type = \"rest\"",
        Shop::ACCESS_GROUP,
        "    \"/aws/lambda/auth-fn\",\n    \"/aws/lambda/catch-all-fn\",\n    \"/aws/lambda/checkout-fn\",\n",
        "\"ANY /{proxy+}\" = \"catch-all-fn\"",
        "\"POST /checkout\" = \"checkout-fn\"",
        "# discover = \"shop/prod\"",
    ] {
        assert!(printed.stdout.contains(words), "{words} is missing:\n{}", printed.stdout);
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("gatewatch.toml").display().to_string();
    let arguments = ["init", "--api", "shop/prod", "-o", &file];
    let written = run(&moto, &arguments);
    assert_eq!((written.code, written.stdout.as_str()), (Some(0), ""), "{}", written.stderr);
    assert!(written.stderr.contains(&format!("gatewatch --config {file}")), "{}", written.stderr);
    assert_eq!(fs::read_to_string(&file).expect("it was written"), printed.stdout);
    let again = run(&moto, &arguments);
    assert!(again.code == Some(2) && again.stderr.contains("is there already"), "{}", again.stderr);
    let forced = run(&moto, &[&arguments[..], &["--force"]].concat());
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);

    // With the listener that it offers, it runs and gets ready.
    let text = printed.stdout.replace("# [http]\n# listen = \"127.0.0.1:9502\"", "[http]\nlisten = \"127.0.0.1:0\"");
    assert_ne!(text, printed.stdout);
    let (_folder, config) = write(&text);
    let mut daemon = Daemon::start(&["--config", &config], &aws_environment(moto.endpoint()));
    let ready = wait_status(address(&daemon), "ready", |status| status["ready"] == true);
    assert_eq!(ready["sources"].as_array().map(Vec::len), Some(4), "{ready:#}");
    let who = daemon.wait_stderr(|line| line.contains("reading as arn:aws:"), PATIENCE);
    assert!(who.is_some_and(|who| who.contains("account=")), "it says whose logs it reads");
    assert_eq!(daemon.terminate(PATIENCE), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_is_followed_by_its_name_and_what_is_not_found_is_said() {
    let moto = Moto::start();
    Shop::plant(&moto).await.api.deploy(&Shop::prod()).await;
    let web = RestApi::plant(&moto, "web").await;
    web.method("GET", "/", &Behind::mock(), None).await;
    web.deploy(&logged(&moto, "dev", "/web/dev").await).await;
    web.deploy(&logged(&moto, "live", "/web/live").await).await;
    let dark = HttpApi::plant(&moto, "dark", ProtocolType::Http).await;
    dark.deploy(&Stage { name: "$default", ..Stage::default() }).await;

    let several = run(&moto, &["--follow", "web"]);
    assert_eq!((several.code, several.stdout.as_str()), (Some(2), ""), "{}", several.stderr);
    for stage in ["dev", "live"] {
        assert!(several.stderr.contains(&format!("{}/{stage}", web.id)), "{}", several.stderr);
    }
    let none = run(&moto, &["--follow", "shopp"]);
    assert!(none.code == Some(2) && none.stderr.contains("there are `shop`, `dark`, `web`"), "{}", none.stderr);
    let stage = run(&moto, &["init", "--api", "shop/live"]);
    assert!(stage.code == Some(2) && stage.stderr.contains("no stage `live`"), "{}", stage.stderr);
    let elsewhere = run(&moto, &["--region", "eu-north-1", "--follow", "shop"]);
    assert!(elsewhere.code == Some(2) && elsewhere.stderr.contains("eu-north-1"), "{}", elsewhere.stderr);
    for arguments in [&["--follow", "dark"][..], &["init", "--api", "dark"]] {
        let off = run(&moto, arguments);
        assert_eq!((off.code, off.stdout.as_str()), (Some(2), ""), "{}", off.stderr);
        for words in [
            "the access log is switched off",
            "aws logs create-log-group --region us-east-1 --log-group-name /aws/apigateway/dark-default",
            &format!("aws apigatewayv2 update-stage --region us-east-1 --api-id {} --stage-name '$default'", dark.id),
        ] {
            assert!(off.stderr.contains(words), "{words} is missing: {}", off.stderr);
        }
    }

    put_failure_of_shop(&moto).await;
    let arguments = ["--follow", "shop", "--plain", "--output", "json", "--since", "5m"];
    let mut follower = Daemon::start(&arguments, &aws_environment(moto.endpoint()));
    let failure = follower.expect_stdout("failure", PATIENCE, |line| line["type"] == "failure");
    assert_eq!((&failure["api"], &failure["request_id"]), (&"shop".into(), &"one".into()), "{failure:#}");
    assert_eq!(follower.interrupt(PATIENCE), 0);
}

async fn put_failure_of_shop(moto: &Moto) {
    let stream = moto.logs().create_log_stream().log_group_name(Shop::ACCESS_GROUP).log_stream_name("s");
    stream.send().await.expect("moto creates a log stream");
    put_failure(moto, Shop::ACCESS_GROUP, "one").await;
}

#[test]
fn a_daemon_that_has_discovered_nothing_yet_ends_and_reloads_like_any_other() {
    let (_folder, config) = write("[[api]]\nname = \"shop\"\ndiscover = \"shop/prod\"\n");
    let mut daemon = Daemon::start(&["--config", &config], &aws_environment("http://127.0.0.1:1"));
    let missed = daemon.wait_stderr(|line| line.contains("API shop/prod in us-east-1 is not discovered"), PATIENCE);
    assert!(missed.is_some_and(|line| line.contains("ERROR") && line.contains("it is not watched")));
    daemon.hang_up();
    let reloaded = daemon.wait_stderr(|line| line.contains("the configuration is reloaded"), PATIENCE);
    assert!(reloaded.is_some_and(|line| line.contains("shop (to be discovered)")));
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_is_discovered_when_it_is_made_and_what_is_added_is_read_without_a_restart() {
    let moto = Moto::start();
    let state = tempfile::tempdir().expect("a temporary folder can be made");
    let (_folder, config) = write(&format!(
        "state_dir = \"{}\"\n[poll]\ninterval = \"500ms\"\nmax_interval = \"1s\"\ndiscover_interval = \"10s\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[[api]]\nname = \"orders\"\ndiscover = \"orders/$default\"\n\
         [[api]]\nname = \"other\"\naccess_log_groups = [\"/other\"]\n",
        state.path().display()
    ));
    moto.create_group("/other", &["s".to_owned()]).await;
    put_failure(&moto, "/other", "of-the-other").await;
    let mut daemon = Daemon::start(&["--config", &config], &aws_environment(moto.endpoint()));
    let listening = address(&daemon);
    // Nothing of that name is no reason not to watch the other one.
    let missing = daemon.wait_stderr(|line| line.contains("orders/$default in us-east-1 is not discovered"), PATIENCE);
    assert!(missing.is_some_and(|line| line.contains("ERROR") && line.contains("tried again")));
    let waiting = wait_status(listening, "reading", |s| source(s, "/other").is_some_and(|other| other["events"] == 1));
    assert_eq!(waiting["ready"], false);
    let reasons = waiting["not_ready"].as_array().expect("it is a list");
    assert!(reasons.iter().any(|why| why.as_str().is_some_and(|why| why.contains("API orders is not discovered"))));

    let api = HttpApi::plant(&moto, "orders", ProtocolType::Http).await;
    function(&moto, "orders-fn", 5).await;
    moto.create_group("/aws/lambda/orders-fn", &["s".to_owned()]).await;
    api.route("POST /orders", &crate::planted::function_arn("orders-fn")).await;
    let settings = logged(&moto, "$default", "/orders/access").await;
    api.deploy(&settings).await;
    let found = wait_status(listening, "ready", |status| status["ready"] == true);
    assert!(source(&found, "/aws/lambda/orders-fn").is_some(), "{found:#}");
    assert_eq!(source(&found, "/other").map(|other| &other["events"]), Some(&1.into()), "nothing counts twice");
    put_failure(&moto, "/orders/access", "one").await;
    wait_status(listening, "counting", |s| source(s, "/orders/access").is_some_and(|access| access["events"] == 1));

    function(&moto, "late-fn", 5).await;
    moto.create_group("/aws/lambda/late-fn", &["s".to_owned()]).await;
    moto.writer().put("/aws/lambda/late-fn", "s", &[(now().as_millis(), "hello".to_owned())]).await;
    api.route("GET /late", &crate::planted::function_arn("late-fn")).await;
    let read = wait_status(listening, "reading the new function", |status| {
        source(status, "/aws/lambda/late-fn").is_some_and(|late| late["events"] == 1)
    });
    assert_eq!(source(&read, "/orders/access").map(|access| &access["events"]), Some(&1.into()));
    assert_eq!(read["reloads"]["good"], 0, "the file was not read anew");
    assert_eq!(daemon.terminate(PATIENCE), 0);

    // Nobody answers at the next start: what was found is read all the same.
    drop(moto);
    let mut daemon = Daemon::start(&["--config", &config], &aws_environment("http://127.0.0.1:1"));
    let earlier = daemon.wait_stderr(|line| line.contains("what was found earlier is used meanwhile"), PATIENCE);
    assert!(earlier.is_some_and(|line| line.contains("WARN")));
    let status = status(address(&daemon));
    assert!(source(&status, "/aws/lambda/late-fn").is_some(), "{status:#}");
    assert_eq!(daemon.terminate(PATIENCE), 0);
}
