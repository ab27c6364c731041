//! The daemon against an AWS that this project did not write: the real binary, the real SDK, real time, moto.
//!
//! These tests know nothing of the program but its contract: arguments, configuration file, JSON on standard output,
//! exit code, messages through SNS. They are few because they take as long as the windows they set; what needs lag,
//! throttling or faults is tested on the simulation, where the clock is an input. The rule: a test waits for what it
//! expects, with a bound, and never sleeps for a time somebody guessed. Two things are chosen by the wall clock,
//! because the program's 10 s slots are: when a burst is put, and when a trickle pauses.
//!
//! [`moto_answers_as_the_sdk_expects`] does not start the program. When it fails, the harness is broken and the others
//! say nothing.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::daemon::{Daemon, aws_environment};
use crate::moto_server::{LogWriter, Moto};

const ACCESS_GROUP: &str = "/aws/apigateway/shop-prod";
const LAMBDA_GROUP: &str = "/aws/lambda/checkout-fn";
const FUNCTION: &str = "checkout-fn";

/// The program's counters stand in slots of this length, and its rules are looked at once for each.
const SLOT_MS: i64 = 10_000;

const TYPE_ERROR: &str = "Cannot read properties of undefined (reading 'items')";

/// What the design promises to be in every object of the type: always present, null when absent.
const ALERT_KEYS: [&str; 23] = [
    "v", "type", "time", "kind", "state", "reason", "severity", "rule", "api", "endpoint", "value", "errors",
    "requests", "window_s", "since", "episode", "seq", "causes", "fix", "title", "source", "problem", "notice",
];
const REQUEST_KEYS: [&str; 10] = [
    "v",
    "type",
    "request_id",
    "lambda_request_id",
    "api",
    "endpoint",
    "status",
    "time",
    "response_latency_ms",
    "integration_latency_ms",
];
const FAILURE_KEYS: [&str; 12] = [
    "v",
    "type",
    "revision",
    "request_id",
    "lambda_request_id",
    "api",
    "endpoint",
    "status",
    "time",
    "cause",
    "evidence",
    "fix",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moto_answers_as_the_sdk_expects() {
    let moto = Moto::start();
    let streams = ["one".to_owned(), "two".to_owned()];
    moto.create_group(ACCESS_GROUP, &streams).await;
    let now = now_ms();
    let writer = moto.writer();
    writer.put(ACCESS_GROUP, "one", &[(now, "second".to_owned()), (now - 1_000, "first".to_owned())]).await;
    writer.put(ACCESS_GROUP, "two", &[(now - 500, "between".to_owned()), (now - 60_000, "too early".to_owned())]).await;

    // Three events, two pages: the token must lead on and then end.
    let ask = || moto.logs().filter_log_events().log_group_name(ACCESS_GROUP).start_time(now - 30_000).limit(2);
    let page = ask().send().await.expect("moto answers FilterLogEvents");
    let token = page.next_token.clone().expect("a first page of two has a token");
    let last = ask().next_token(token).send().await.expect("moto continues at a token");
    assert_eq!(last.next_token, None);
    let events: Vec<_> = [page, last].into_iter().flat_map(|page| page.events.unwrap_or_default()).collect();
    let texts: BTreeSet<_> = events.iter().filter_map(|event| event.message.as_deref()).collect();
    assert_eq!(texts, BTreeSet::from(["first", "second", "between"]));
    let ids: BTreeSet<_> = events.iter().filter_map(|event| event.event_id.as_deref()).collect();
    assert_eq!(ids.len(), 3, "every event has an id of its own: {events:?}");
    assert!(events.iter().all(|event| event.ingestion_time.is_some_and(|time| time >= now - 1_000)));

    let missing = moto.logs().filter_log_events().log_group_name("/aws/apigateway/gone-prod").send().await;
    let missing = missing.expect_err("a group that does not exist cannot be read").into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");

    let mut mailbox = moto.mailbox("alerts").await;
    let publish = moto.sns().publish().topic_arn(mailbox.topic_arn()).subject("hello").message(r#"{"seq":1}"#);
    publish.send().await.expect("moto publishes");
    let message = mailbox.expect("message", Duration::from_secs(10), |message| message["seq"] == 1).await;
    assert_eq!(mailbox.all().await, [message], "one message was published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_502s_becomes_an_alert_on_stdout_and_sns_and_resolves() {
    let moto = Moto::start();
    let mut mailbox = moto.mailbox("ops-alerts").await;
    let (access, sandboxes) = (access_streams(), lambda_streams(6));
    moto.create_group(ACCESS_GROUP, &access).await;
    moto.create_group(LAMBDA_GROUP, &sandboxes).await;
    let config = config(&format!(
        r#"
        window = "20s"
        [poll]
        interval = "1s"
        [[api]]
        name = "shop"
        access_log_groups = ["{ACCESS_GROUP}"]
        lambda_log_groups = ["{LAMBDA_GROUP}"]
        [[rule]]
        name = "endpoint-5xx"
        for = "0s"
        keep_firing_for = "0s"
        [[rule]]
        name = "api-5xx"
        for = "0s"
        keep_firing_for = "0s"
        [[sink]]
        kind = "stdout"
        format = "json"
        [[sink]]
        kind = "sns"
        topic_arn = "{}"
        format = "json"
        "#,
        mailbox.topic_arn()
    ));
    let mut daemon = config.start(&moto);
    let traffic = Trickle::of_healthy_requests(moto.writer(), access[0].clone());
    // It polls each second: with the trickle running for a while, it has read some of it before the burst.
    sleep_until_slot_has(4_000..=6_500, now_ms() + 4_000).await;

    // Everything has happened by `now`, the slowest 3 s before it, so start and end of every request are in one slot.
    let now = now_ms();
    let failed: Vec<_> = (0..9).map(|_| Request::checkout(Outcome::Exception)).collect();
    let hung: Vec<_> = (0..3).map(|_| Request::checkout(Outcome::Timeout)).collect();
    let fine: Vec<_> = (0..18).map(|_| Request::checkout(Outcome::Fine)).collect();
    let mut burst = Vec::new();
    for (request, sandbox) in hung.iter().zip(&sandboxes) {
        moto.writer().put(LAMBDA_GROUP, sandbox, &request.lambda_lines(now)).await;
        burst.push(request.access_line(now));
    }
    // The other three sandboxes serve the rest one after the other, as sandboxes do.
    let quick: Vec<_> = failed.iter().chain(&fine).collect();
    for (requests, sandbox) in quick.chunks(9).zip(&sandboxes[3..]) {
        let ends = (1..=9).map(|place| now - 1_000 + place * 100);
        let served: Vec<_> = requests.iter().zip(ends).collect();
        let lines: Vec<_> = served.iter().flat_map(|(request, end)| request.lambda_lines(*end)).collect();
        moto.writer().put(LAMBDA_GROUP, sandbox, &lines).await;
        burst.extend(served.iter().map(|(request, end)| request.access_line(*end)));
    }
    // So many that 12 failures are under 1 % of the API: only the endpoint has something to say.
    let others: Vec<_> = (0..1_400).map(|n| Request::healthy(n).access_line(now - 1_000 + n64(n) % 1_000)).collect();
    moto.writer().put(ACCESS_GROUP, &access[0], &others).await;
    moto.writer().put(ACCESS_GROUP, &access[1], &burst).await;

    let alert = daemon.expect_stdout("firing alert of endpoint-5xx", Duration::from_secs(40), |line| {
        line["state"] == "firing" && line["rule"] == "endpoint-5xx"
    });
    assert_alert_shape(&alert);
    let says = |key: &str, expected: Value| assert_eq!(alert[key], expected, "`{key}` of {alert:#}");
    says("kind", json!("alert"));
    says("reason", json!("new"));
    says("severity", json!("critical"));
    says("api", json!("shop"));
    says("endpoint", json!({"method": "POST", "route": "/checkout"}));
    says("errors", json!(12));
    says("requests", json!(30));
    says("window_s", json!(20));
    says("seq", json!(1));
    assert!((number(&alert["value"]) - 0.4).abs() < 1e-9, "`value` of {alert:#}");
    let exception = cause(&alert, "unhandled_exception");
    assert_eq!(exception["count"], 9, "{alert:#}");
    assert_eq!(exception["sample"]["error_type"], "TypeError", "{alert:#}");
    assert_eq!(exception["sample"]["function"], FUNCTION, "{alert:#}");
    let sample = &exception["sample"]["request_id"];
    assert!(failed.iter().any(|request| *sample == request.id), "{sample} is none of those that failed so: {alert:#}");
    assert_eq!(cause(&alert, "lambda_timeout")["count"], 3, "{alert:#}");
    assert_eq!(alert["causes"].as_array().map(Vec::len), Some(2), "{alert:#}");

    let same = |message: &Value| message["episode"] == alert["episode"] && message["seq"] == alert["seq"];
    let sent = mailbox.expect("the same alert", Duration::from_secs(15), same).await;
    assert_eq!(sent, alert, "SNS and standard output say the same");

    traffic.add_checkout();
    let resolved = daemon.expect_stdout("resolved alert of the same episode", Duration::from_mins(1), |line| {
        line["state"] == "resolved" && line["episode"] == alert["episode"]
    });
    assert_alert_shape(&resolved);
    assert!(number(&resolved["seq"]) > number(&alert["seq"]), "{resolved:#}");
    let same = |message: &Value| message["episode"] == resolved["episode"] && message["seq"] == resolved["seq"];
    let sent = mailbox.expect("the same resolve", Duration::from_secs(15), same).await;
    assert_eq!(sent["state"], "resolved");

    let before = daemon.stdout_json();
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
    assert_eq!(daemon.stdout_json(), before, "nothing is said at shutdown");
    assert_one_episode(&before);
    assert_one_episode(mailbox.all().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_counts_once_although_reads_overlap() {
    let moto = Moto::start();
    let access = access_streams();
    moto.create_group(ACCESS_GROUP, &access).await;
    // One endpoint is the whole API here: the API-wide rule would speak for it.
    let config = config(&format!(
        r#"
        window = "60s"
        [poll]
        interval = "1s"
        [[api]]
        name = "shop"
        access_log_groups = ["{ACCESS_GROUP}"]
        [[rule]]
        name = "endpoint-5xx"
        for = "0s"
        keep_firing_for = "0s"
        [[rule]]
        name = "api-5xx"
        enabled = false
        [[sink]]
        kind = "stdout"
        format = "json"
        "#
    ));
    let mut daemon = config.start(&moto);
    let traffic = Trickle::with_failures(moto.writer(), access);

    let alert = daemon.expect_stdout("firing alert", Duration::from_secs(40), |line| {
        line["state"] == "firing" && line["rule"] == "endpoint-5xx"
    });
    assert_alert_shape(&alert);
    traffic.assert_counts(&alert);
    // By now every line in the window has been read several times over. From here on all fail, so there is more to say.
    traffic.fail_all();
    let escalated = daemon.expect_stdout("escalation of it", Duration::from_mins(1), |line| {
        line["episode"] == alert["episode"] && line["reason"] == "escalated"
    });
    assert_alert_shape(&escalated);
    assert_eq!(escalated["severity"], "critical", "{escalated:#}");
    traffic.assert_counts(&escalated);

    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
    let lines = daemon.stdout_json();
    assert_sequence(&lines);
    // It still fails: a daemon that goes away must not say that all is well.
    assert!(lines.iter().all(|line| line["state"] == "firing"), "a resolve was said at shutdown");
}

/// The role is taken on at the STS of moto, and the log groups are looked up by `DescribeLogGroups` of moto.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_groups_are_found_by_a_pattern_and_read_in_a_role() {
    const OTHER: &str = "/aws/elsewhere/shop-prod";
    let moto = Moto::start();
    let access = access_streams();
    for group in [ACCESS_GROUP, OTHER] {
        moto.create_group(group, &access).await;
    }
    let (prefix, _) = ACCESS_GROUP.rsplit_once('/').expect("a path");
    let config = config(&format!(
        r#"
        window = "60s"
        role_arn = "arn:aws:iam::123456789012:role/reader"
        [poll]
        interval = "1s"
        [[api]]
        name = "shop"
        access_log_groups = ["{prefix}/*-prod"]
        [[rule]]
        name = "endpoint-5xx"
        for = "0s"
        [[sink]]
        kind = "stdout"
        format = "json"
        "#
    ));
    let mut daemon = config.start(&moto);
    let found = daemon
        .wait_stderr(|line| line.contains(ACCESS_GROUP) && line.contains("read from now on"), Duration::from_secs(20));
    assert!(found.is_some(), "standard error says which group was found");
    let traffic = Trickle::with_failures(moto.writer(), access);
    let alert = daemon.expect_stdout("firing alert", Duration::from_secs(40), |line| {
        line["state"] == "firing" && line["rule"] == "endpoint-5xx"
    });
    assert_alert_shape(&alert);
    traffic.assert_counts(&alert);
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
    let said = daemon.stderr_text();
    assert!(!said.contains(OTHER), "what does not fit is not read: {said}");
    assert!(said.contains("as arn:aws:iam::123456789012:role/reader"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_group_is_named_once_and_the_rest_goes_on() {
    const GONE: &str = "/aws/apigateway/gone-prod";
    let moto = Moto::start();
    let access = access_streams();
    moto.create_group(ACCESS_GROUP, &access).await;
    let config = config(&format!(
        r#"
        window = "20s"
        [poll]
        interval = "1s"
        [[api]]
        name = "shop"
        access_log_groups = ["{ACCESS_GROUP}"]
        [[api]]
        name = "gone"
        access_log_groups = ["{GONE}"]
        [[rule]]
        name = "endpoint-5xx"
        for = "0s"
        keep_firing_for = "0s"
        [[rule]]
        name = "api-5xx"
        enabled = false
        [[sink]]
        kind = "stdout"
        format = "json"
        "#
    ));
    let mut daemon = config.start(&moto);
    let traffic = Trickle::with_failures(moto.writer(), access);
    let complaint = |line: &str| {
        let line_lower = line.to_lowercase();
        let missing = ["not exist", "not found", "notfound", "no such", "missing"];
        line.contains(GONE) && missing.iter().any(|word| line_lower.contains(word))
    };
    let said =
        daemon.wait_stderr(complaint, Duration::from_secs(20)).expect("standard error says that a group is missing");
    let advice = ["check", "correct", "create", "enable", "fix", "remove", "set ", "turn on"];
    let said_lower = said.to_lowercase();
    assert!(advice.iter().any(|word| said_lower.contains(word)), "it does not say what to do: {said}");

    let good = |line: &Value| line["state"] == "firing" && line["rule"] == "endpoint-5xx" && line["api"] == "shop";
    daemon.expect_stdout("alert of the good API", Duration::from_secs(40), good);
    // More rounds of polling, seen by what they bring.
    traffic.fail_all();
    daemon.expect_stdout("further message of it", Duration::from_mins(1), |line| good(line) && line["seq"] == 2);
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0);
    let times = daemon.stderr_text().lines().filter(|line| complaint(line)).count();
    assert_eq!(times, 1, "one thing is said once");
    assert_sequence(&daemon.stdout_json());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follow_prints_each_request_once_and_explains_each_failure() {
    let moto = Moto::start();
    let (access, sandboxes) = (access_streams(), lambda_streams(1));
    moto.create_group(ACCESS_GROUP, &access).await;
    moto.create_group(LAMBDA_GROUP, &sandboxes).await;
    let mut put = Vec::new();
    // Some before it starts, within --since; the others while it runs.
    put.extend(put_in_turn(&moto, &access[0], &sandboxes[0], now_ms() - 30_000).await);
    let mut daemon = Daemon::start(
        &["--follow", "shop", "--access-log-group", ACCESS_GROUP, "--lambda-log-group", LAMBDA_GROUP]
            .into_iter()
            .chain(["--since", "2m", "--output", "json"])
            .collect::<Vec<_>>(),
        &aws_environment(moto.endpoint()),
    );
    let expect_all = |put: &[Request]| {
        for request in put {
            let line = daemon.expect_stdout(&format!("request {}", request.id), Duration::from_secs(40), |line| {
                line["type"] == "request" && line["request_id"] == request.id
            });
            assert_request(&line, request);
        }
        for request in put.iter().filter(|request| request.outcome == Outcome::Exception) {
            // An earlier revision may have been printed before the Lambda lines were read.
            let line = daemon.expect_stdout(&format!("failure {}", request.id), Duration::from_secs(40), |line| {
                line["type"] == "failure" && line["request_id"] == request.id && line["cause"]["kind"] != "unknown"
            });
            assert_failure(&line, request);
        }
    };
    expect_all(&put);
    for _ in 0..2 {
        // Waiting for what comes later is also waiting for reads that overlap what came before.
        let more = put_in_turn(&moto, &access[1], &sandboxes[0], now_ms()).await;
        expect_all(&more);
        put.extend(more);
    }

    assert_eq!(daemon.interrupt(Duration::from_secs(10)), 0);
    let lines = daemon.stdout_json();
    let of_type = |name: &str| lines.iter().filter(|line| line["type"] == name).collect::<Vec<_>>();
    let known = of_type("request").len() + of_type("failure").len() + of_type("alert").len();
    assert_eq!(known, lines.len(), "requests, failures and alerts are all that is printed");
    let mut printed: Vec<_> = of_type("request").iter().map(|line| text(&line["request_id"])).collect();
    let mut expected: Vec<_> = put.iter().map(|request| request.id.as_str()).collect();
    printed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(printed, expected, "each request once");
    let mut revisions = BTreeMap::new();
    for line in of_type("failure") {
        let revision = number(&line["revision"]);
        let before = revisions.insert(text(&line["request_id"]), revision);
        assert!(before.is_none_or(|before| before < revision), "a revision is printed once, in order: {line:#}");
    }
    let failures = put.iter().filter(|request| request.outcome != Outcome::Fine).count();
    assert_eq!(revisions.len(), failures, "failures are printed for what failed only");
}

/// One API Gateway request to a Lambda function, and how it went.
#[derive(Clone)]
struct Request {
    id: String,
    lambda_id: String,
    method: &'static str,
    route: &'static str,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Fine,
    /// The Node handler threw a `TypeError`.
    Exception,
    /// The function's own limit of 3 s was reached.
    Timeout,
}

impl Request {
    fn checkout(outcome: Outcome) -> Self {
        Self { id: uuid(), lambda_id: uuid(), method: "POST", route: "/checkout", outcome }
    }

    /// Of several endpoints in turn, none of them POST /checkout.
    fn healthy(n: usize) -> Self {
        let endpoints = [
            ("GET", "/products"),
            ("GET", "/products/{id}"),
            ("PUT", "/cart/{id}"),
            ("GET", "/orders"),
            ("GET", "/checkout"),
        ];
        let (method, route) = endpoints[n % endpoints.len()];
        Self { method, route, ..Self::checkout(Outcome::Fine) }
    }

    fn status(&self) -> u16 {
        if self.outcome == Outcome::Fine { 200 } else { 502 }
    }

    fn lambda_ms(&self) -> i64 {
        if self.outcome == Outcome::Timeout { 3_000 } else { 25 }
    }

    fn integration_ms(&self) -> i64 {
        self.lambda_ms() + 5
    }

    fn response_ms(&self) -> i64 {
        self.integration_ms() + 3
    }

    /// The recommended format for REST APIs: every value in quotes, `-` for what is not there. The stamp is the start
    /// of the request, as CloudWatch's is; `end` is when it was answered.
    fn access_line(&self, end: i64) -> (i64, String) {
        let start = end - self.response_ms();
        let (error, message, kind) = match self.outcome {
            Outcome::Fine => ("-".to_owned(), "-", "-"),
            Outcome::Exception => (customer_error(TYPE_ERROR), "Internal server error", "INTEGRATION_FAILURE"),
            Outcome::Timeout => {
                let said = format!("{} {} Task timed out after 3.00 seconds", iso(end), self.lambda_id);
                (customer_error(&said), "Internal server error", "INTEGRATION_FAILURE")
            }
        };
        let (start_text, status) = (start.to_string(), self.status().to_string());
        let (response, integration) = (self.response_ms().to_string(), self.integration_ms().to_string());
        let length = if self.outcome == Outcome::Fine { "512" } else { "36" };
        let fields = [
            ("requestId", self.id.as_str()),
            ("extendedRequestId", "XKcBHFmuliAFdsQ="),
            ("requestTimeEpoch", &start_text),
            ("apiId", "a1b2c3d4e5"),
            ("stage", "prod"),
            ("httpMethod", self.method),
            ("resourcePath", self.route),
            ("status", &status),
            ("responseLatency", &response),
            ("responseLength", length),
            ("integrationRequestId", &self.lambda_id),
            ("integrationStatus", "200"),
            ("functionStatus", if self.outcome == Outcome::Fine { "200" } else { "-" }),
            ("integrationLatency", &integration),
            ("integrationError", &error),
            ("errorMessage", message),
            ("errorType", kind),
            ("authorizerError", "-"),
            ("authorizerRequestId", "-"),
            ("wafError", "-"),
            ("xrayTraceId", "-"),
        ];
        // By hand, because the gateway keeps the order of the format.
        let fields = fields.map(|(name, value)| format!("{}:{}", json!(name), json!(value)));
        (start, format!("{{{}}}", fields.join(",")))
    }

    /// What Lambda and the Node runtime write for it, as text; `end` is the same as for the access line.
    fn lambda_lines(&self, end: i64) -> Vec<(i64, String)> {
        let id = &self.lambda_id;
        let stop = end - 4;
        let start = stop - self.lambda_ms();
        let mut lines = vec![(start, format!("START RequestId: {id} Version: $LATEST\n"))];
        let mut status = "";
        match self.outcome {
            Outcome::Fine => lines.push((start + 10, format!("{}\t{id}\tINFO\torder placed\n", iso(start + 10)))),
            Outcome::Exception => {
                let error = json!({
                    "errorType": "TypeError",
                    "errorMessage": TYPE_ERROR,
                    "stack": [
                        format!("TypeError: {TYPE_ERROR}"),
                        "    at Runtime.handler (/var/task/index.js:12:34)",
                        "    at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs:1173:29)",
                    ],
                });
                lines.push((stop - 5, format!("{}\t{id}\tERROR\tInvoke Error \t{error}\n", iso(stop - 5))));
            }
            Outcome::Timeout => {
                lines.push((stop, format!("{} {id} Task timed out after 3.00 seconds\n\n", iso(stop))));
                status = "Status: timeout";
            }
        }
        let ms = self.lambda_ms();
        lines.push((stop, format!("END RequestId: {id}\n")));
        lines.push((
            stop,
            format!(
                "REPORT RequestId: {id}\tDuration: {ms}.00 ms\tBilled Duration: {ms} ms\tMemory Size: 128 MB\t\
                 Max Memory Used: 71 MB\t{status}\n"
            ),
        ));
        lines
    }
}

/// A configuration file; gone with this.
struct Config {
    path: PathBuf,
    _folder: TempDir,
}

fn config(text: &str) -> Config {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("gatewatch.toml");
    std::fs::write(&path, text).expect("a configuration can be written");
    Config { path, _folder: folder }
}

impl Config {
    fn start(&self, moto: &Moto) -> Daemon {
        Daemon::start(&["--config".as_ref(), self.path.as_os_str()], &aws_environment(moto.endpoint()))
    }
}

/// Traffic that goes on while a test waits for something else. Dropping it ends it.
struct Trickle {
    task: JoinHandle<()>,
    /// What the flag does depends on the traffic.
    flag: Arc<AtomicBool>,
    /// Time of the answer, and whether it was a 502, of every line put for POST /checkout.
    put: Arc<Mutex<Vec<(i64, bool)>>>,
}

impl Trickle {
    /// Sixteen healthy requests a second, of several endpoints; the flag adds POST /checkout.
    fn of_healthy_requests(writer: LogWriter, stream: String) -> Self {
        let flag = Arc::new(AtomicBool::new(false));
        let with_checkout = Arc::clone(&flag);
        let task = tokio::spawn(async move {
            for round in 0.. {
                let mut requests: Vec<_> = (0..4).map(|n| Request::healthy(round + n)).collect();
                if with_checkout.load(Ordering::Relaxed) {
                    requests.push(Request::checkout(Outcome::Fine));
                }
                let now = now_ms();
                let lines: Vec<_> = requests.iter().map(|request| request.access_line(now)).collect();
                writer.put(ACCESS_GROUP, &stream, &lines).await;
                sleep(Duration::from_millis(250)).await;
            }
        });
        Self { task, flag, put: Arc::default() }
    }

    /// Twenty POST /checkout a second, in turn through the streams, one in ten a 502; the flag makes it all of them.
    ///
    /// It pauses around the ends of slots: a line that is put at the end of one and read after the rules were looked at
    /// would be counted, but not in that alert, and the test is about exact counts.
    fn with_failures(writer: LogWriter, streams: Vec<String>) -> Self {
        let flag = Arc::new(AtomicBool::new(false));
        let put = Arc::<Mutex<Vec<_>>>::default();
        let (fail_all, ledger) = (Arc::clone(&flag), Arc::clone(&put));
        let task = tokio::spawn(async move {
            let mut count = 0;
            for stream in streams.iter().cycle() {
                sleep_until_slot_has(500..=8_000, 0).await;
                let now = now_ms();
                let lines: Vec<_> = (0..5)
                    .map(|_| {
                        count += 1;
                        let fails = count % 10 == 0 || fail_all.load(Ordering::Relaxed);
                        let outcome = if fails { Outcome::Exception } else { Outcome::Fine };
                        ledger.lock().unwrap_or_else(PoisonError::into_inner).push((now, fails));
                        Request::checkout(outcome).access_line(now)
                    })
                    .collect();
                writer.put(ACCESS_GROUP, stream, &lines).await;
                sleep(Duration::from_millis(250)).await;
            }
        });
        Self { task, flag, put }
    }

    fn add_checkout(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    fn fail_all(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// That an alert's numbers are exactly those of the lines put inside its window.
    fn assert_counts(&self, alert: &Value) {
        let time = text(&alert["time"]).parse::<Timestamp>().expect("`time` is a time").as_millisecond();
        // The window ends with a slot. Nothing is put around the ends of slots, so it does not matter which side of one
        // the alert's own time is on.
        let end = (time + SLOT_MS / 10).div_euclid(SLOT_MS) * SLOT_MS;
        let window = end - 60_000..end;
        let put = self.put.lock().unwrap_or_else(PoisonError::into_inner);
        let inside: Vec<_> = put.iter().filter(|(time, _)| window.contains(time)).collect();
        let failed = inside.iter().filter(|(_, failed)| *failed).count();
        assert!(failed > 0, "the alert's window has failures in it: {alert:#}");
        assert_eq!(alert["window_s"], 60, "{alert:#}");
        let (requests, errors) = (&alert["requests"], &alert["errors"]);
        assert_eq!((requests, errors), (&json!(inside.len()), &json!(failed)), "requests and errors of {alert:#}");
        let ratio =
            f64::from(u32::try_from(failed).expect("few")) / f64::from(u32::try_from(inside.len()).expect("few"));
        assert!((number(&alert["value"]) - ratio).abs() < 1e-9, "`value` of {alert:#}");
    }
}

impl Drop for Trickle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Puts five requests, the second and the fourth of which fail, answered one after the other up to `end` by one
/// sandbox. The Lambda lines first: they come first in life, too.
async fn put_in_turn(moto: &Moto, access: &str, sandbox: &str, end: i64) -> Vec<Request> {
    let outcomes = [Outcome::Fine, Outcome::Exception, Outcome::Fine, Outcome::Exception, Outcome::Fine];
    let requests = outcomes.map(Request::checkout);
    let ends = (0..5).map(|place| end - 400 + place * 100);
    let served: Vec<_> = requests.iter().zip(ends).collect();
    let lambda: Vec<_> = served.iter().flat_map(|(request, end)| request.lambda_lines(*end)).collect();
    let access_lines: Vec<_> = served.iter().map(|(request, end)| request.access_line(*end)).collect();
    moto.writer().put(LAMBDA_GROUP, sandbox, &lambda).await;
    moto.writer().put(ACCESS_GROUP, access, &access_lines).await;
    requests.to_vec()
}

/// Waits until the wall clock is at least `earliest` and stands, within its 10 s slot, in this range of milliseconds.
async fn sleep_until_slot_has(range: std::ops::RangeInclusive<i64>, earliest: i64) {
    while now_ms() < earliest || !range.contains(&now_ms().rem_euclid(SLOT_MS)) {
        sleep(Duration::from_millis(20)).await;
    }
}

fn assert_alert_shape(alert: &Value) {
    assert_keys(alert, &ALERT_KEYS);
    assert_eq!((&alert["v"], &alert["type"]), (&json!(1), &json!("alert")), "{alert:#}");
    for key in ["time", "since"] {
        assert_time(alert, key);
    }
    assert!(!text(&alert["title"]).is_empty(), "{alert:#}");
    for cause in alert["causes"].as_array().expect("`causes` is a list") {
        assert_keys(cause, &["kind", "count", "sample"]);
        assert_keys(&cause["sample"], &["error_type", "message", "function", "request_id"]);
    }
}

fn assert_request(line: &Value, request: &Request) {
    assert_keys(line, &REQUEST_KEYS);
    assert_time(line, "time");
    let expected = json!({
        "v": 1,
        "request_id": request.id,
        "lambda_request_id": request.lambda_id,
        "api": "shop",
        "endpoint": {"method": request.method, "route": request.route},
        "status": request.status(),
        "response_latency_ms": request.response_ms(),
        "integration_latency_ms": request.integration_ms(),
    });
    assert_has(line, &expected);
}

fn assert_failure(line: &Value, request: &Request) {
    assert_keys(line, &FAILURE_KEYS);
    assert_keys(&line["cause"], &["kind", "certainty", "error_type", "message", "join", "candidates"]);
    assert_keys(&line["fix"], &["text", "command"]);
    assert_time(line, "time");
    let expected = json!({
        "v": 1,
        "request_id": request.id,
        "lambda_request_id": request.lambda_id,
        "api": "shop",
        "endpoint": {"method": request.method, "route": request.route},
        "status": 502,
    });
    assert_has(line, &expected);
    let expected = json!({
        "kind": "unhandled_exception",
        "certainty": "certain",
        "error_type": "TypeError",
        "message": TYPE_ERROR,
        "join": "integration_request_id",
    });
    assert_has(&line["cause"], &expected);
    let evidence = line["evidence"].as_array().expect("`evidence` is a list");
    for piece in evidence {
        assert_keys(piece, &["time", "source", "stream", "text"]);
    }
    let shown = evidence.iter().any(|piece| text(&piece["text"]).contains("TypeError"));
    assert!(shown, "the runtime's own line is shown as evidence: {line:#}");
}

/// Exactly one alert fired and resolved in these messages, and it was the burst's.
fn assert_one_episode(messages: &[Value]) {
    assert_sequence(messages);
    for message in messages {
        assert_eq!(message["rule"], "endpoint-5xx", "nothing but POST /checkout was wrong: {message:#}");
        assert_eq!(message["endpoint"], json!({"method": "POST", "route": "/checkout"}), "{message:#}");
        assert_eq!(message["episode"], messages[0]["episode"], "one burst is one episode: {message:#}");
    }
    assert!(messages.last().is_some_and(|message| message["state"] == "resolved"), "the resolve comes last");
}

/// What holds for the alerts of any run: version and type, each message once and in order, one beginning, at most one
/// end.
fn assert_sequence(messages: &[Value]) {
    let mut episodes: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for message in messages {
        assert_alert_shape(message);
        episodes.entry(message["episode"].to_string()).or_default().push(message);
    }
    for (episode, messages) in episodes {
        let in_order = messages.windows(2).all(|pair| number(&pair[0]["seq"]) < number(&pair[1]["seq"]));
        assert!(in_order, "each `seq` of {episode} once and in order");
        let count = |key: &str, value: &str| messages.iter().filter(|message| message[key] == value).count();
        assert_eq!(count("reason", "new"), 1, "one beginning of {episode}");
        assert!(count("state", "resolved") <= 1, "no more than one end of {episode}");
        assert_eq!(count("state", "resolved"), count("reason", "resolved"), "state and reason of {episode} agree");
    }
}

fn assert_keys(object: &Value, keys: &[&str]) {
    let missing: Vec<_> = keys.iter().filter(|key| object.get(**key).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {object:#}");
}

/// RFC 3339, UTC, milliseconds: `2026-11-22T12:00:00.000Z`.
fn assert_time(object: &Value, key: &str) {
    let time = text(&object[key]);
    let right = time.len() == 24 && time.ends_with('Z') && time.parse::<Timestamp>().is_ok();
    assert!(right, "`{key}` is not RFC 3339 in UTC with milliseconds: {object:#}");
}

/// That `object` has every key of `expected` with its value.
fn assert_has(object: &Value, expected: &Value) {
    for (key, value) in expected.as_object().expect("an object is expected") {
        assert_eq!(&object[key], value, "`{key}` of {object:#}");
    }
}

fn cause<'a>(alert: &'a Value, kind: &str) -> &'a Value {
    let causes = alert["causes"].as_array().expect("`causes` is a list");
    causes.iter().find(|cause| cause["kind"] == kind).unwrap_or_else(|| panic!("no cause {kind} in {alert:#}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text"))
}

fn customer_error(said: &str) -> String {
    format!("Lambda Customer Function Error:{said}")
}

fn access_streams() -> Vec<String> {
    // The gateway's own names are 32 hex digits.
    (0..2).map(|_| hex32()).collect()
}

fn lambda_streams(count: usize) -> Vec<String> {
    let day = iso(now_ms())[..10].replace('-', "/");
    (0..count).map(|_| format!("{day}/[$LATEST]{}", hex32())).collect()
}

fn uuid() -> String {
    let hex = hex32();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// Random: a fresh hasher of the standard library is seeded by the system.
fn hex32() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

fn iso(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).expect("a time of today"))
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn n64(n: usize) -> i64 {
    i64::try_from(n).expect("few")
}
