//! The real binary and what it tells over HTTP: health, metrics, alerts, and that nobody who asks can harm it.
//!
//! Metrics are read by the parser of the people of Prometheus, which is strict about the format. Rule: figures are
//! compared with what was put into the simulation, or with what the simulation itself counted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatewatch::config::HttpConfig;
use gatewatch::model::time::Timestamp;
use gatewatch::ops::http::{Listener, Pages};
use gatewatch::ops::inquiry;
use gatewatch::sim::{Fault, Sim};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::daemon::{Daemon, aws_environment};
use crate::python::{self, Python, Wanted};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const ACCESS: &str = "/http/access";
const OTHER: &str = "/http/other";
/// The newest when this was last looked at (`pip index versions prometheus-client`).
const PARSER: &str = "0.26.0";

/// Samples of the text on standard input, as JSON: name, labels, value.
const PARSE: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = text_string_to_metric_families(sys.stdin.read())
print(json.dumps([[s.name, s.labels, s.value] for family in families for s in family.samples]))
";

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("it is before the year 292 million"))
}

async fn simulation() -> Sim {
    let sim = Sim::start(Arc::new(now)).await.expect("a loopback port can be bound");
    sim.create_group(ACCESS);
    sim.create_group(OTHER);
    sim
}

/// Requests that ended some time ago, so that the rules have looked at all of them soon.
pub(crate) fn put_requests(sim: &Sim, group: &str, method: &str, path: &str, statuses: &[u16]) {
    for (n, status) in statuses.iter().enumerate() {
        let at = now().minus(Duration::from_secs(40));
        let line = format!(
            "{{\"requestId\":\"{method}-{n}-{status}\",\"requestTimeEpoch\":\"{}\",\"httpMethod\":\"{method}\",\
             \"resourcePath\":\"{path}\",\"status\":\"{status}\",\"responseLatency\":\"120\"}}",
            at.as_millis()
        );
        sim.put(group, "s", at, at, &line);
    }
}

/// A daemon with a listener, and where that listens.
pub(crate) struct Listening {
    pub(crate) daemon: Daemon,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

/// Where a daemon says that it listens.
pub(crate) fn address(daemon: &Daemon) -> SocketAddr {
    let line = daemon.wait_stderr(|line| line.contains("health and metrics at "), PATIENCE);
    let line = line.expect("it says where it listens");
    let rest = line.split("http://").nth(1).expect("an address stands there");
    let address: String = rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
    address.parse().expect("it is one")
}

/// What every configuration here begins with.
const QUICK: &str = "[poll]\ninterval = \"500ms\"\nmax_interval = \"500ms\"\nquota = 1000.0\n[notify]\ngroup_wait = \"0s\"\n\
                     [http]\nlisten = \"127.0.0.1:0\"\n";

pub(crate) fn write(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("config.toml");
    fs::write(&path, text).expect("a file can be written");
    let path = path.display().to_string();
    (folder, path)
}

impl Listening {
    /// Starts it with what these tables say besides; keys of the top level stand in `head`.
    pub(crate) fn start(sim: &Sim, head: &str, tables: &str, environment: &[(&str, &str)]) -> Self {
        // Made before anything waits: it may take longer than that.
        python();
        let (folder, path) = write(&format!("{head}\n{QUICK}{tables}"));
        let endpoint = sim.endpoint();
        let environment = [&aws_environment(&endpoint)[..], environment].concat();
        let daemon = Daemon::start_onto(&["--config", &path], &environment, Stdio::piped());
        Self { address: address(&daemon), daemon, folder }
    }

    /// Writes the configuration anew.
    fn configure(&self, tables: &str) {
        fs::write(self.folder.path().join("config.toml"), format!("{QUICK}{tables}")).expect("a file can be written");
    }

    /// Status and body of a page.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = ask(self.address, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
        (status, body)
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("it is JSON")
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        Metrics::parse(&text)
    }

    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}; /status: {}", self.get("/status").1);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Sends bytes and reads what comes: status, head, body.
pub(crate) fn ask(address: SocketAddr, request: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(request).expect("it is taken");
    let mut answer = Vec::new();
    // A client that is cut off has what came before.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("it answers UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// What a scrape found.
pub(crate) struct Metrics(Vec<(String, BTreeMap<String, String>, f64)>);

impl Metrics {
    fn parse(text: &str) -> Self {
        let mut parser = python().command();
        parser.args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut parser = parser.spawn().expect("Python can be started");
        parser.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
        let output = parser.wait_with_output().expect("it ends");
        assert!(output.status.success(), "the parser refuses:\n{text}");
        Self(serde_json::from_slice(&output.stdout).expect("it prints JSON"))
    }

    /// The sum of the samples that have these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |its: &BTreeMap<String, String>| labels.iter().all(|(k, v)| its.get(*k).is_some_and(|its| its == v));
        let found: Vec<_> =
            self.0.iter().filter(|(its, all, _)| its == name && fits(all)).map(|(_, _, v)| *v).collect();
        assert!(!found.is_empty(), "no sample of {name} {labels:?} in {:#?}", self.0);
        found.iter().sum()
    }

    fn names(&self, name: &str) -> usize {
        self.0.iter().filter(|(its, _, _)| its == name).count()
    }
}

fn python() -> &'static Python {
    static ENVIRONMENT: OnceLock<Result<Python, String>> = OnceLock::new();
    let wanted = || Wanted {
        name: format!("prometheus-client-{PARSER}"),
        purpose: "the tests of metrics",
        requirements: vec![format!("prometheus-client=={PARSER}")],
        check: "import prometheus_client.openmetrics.parser",
    };
    python::made_once(&ENVIRONMENT, wanted)
}

#[expect(clippy::float_cmp, reason = "counts are whole numbers")]
fn assert_is(metrics: &Metrics, name: &str, labels: &[(&str, &str)], want: f64) {
    assert_eq!(metrics.sum(name, labels), want, "{name} {labels:?}");
}

const SHOP: &str = "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/http/access\"]\n\
                    [[rule]]\nname = \"endpoint-5xx\"\nfor = \"0s\"\n[[rule]]\nname = \"api-5xx\"\nenabled = false\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_and_alerts_are_what_was_fed() {
    let sim = simulation().await;
    let checkout: Vec<u16> = (0..12).map(|n| if n < 9 { 502 } else { 200 }).collect();
    put_requests(&sim, ACCESS, "POST", "/checkout", &checkout);
    put_requests(&sim, ACCESS, "GET", "/users/{id}", &[200; 30]);
    let it = Listening::start(&sim, "", SHOP, &[]);
    it.daemon.expect_stdout("alert", PATIENCE, |line| line["type"] == "alert" && line["state"] == "firing");
    let delivered = || it.metrics().sum("gatewatch_notifications_total", &[("result", "delivered")]) >= 1.0;
    it.until("the message to count", delivered);
    let before = sim.requests(ACCESS);
    let metrics = it.metrics();
    let after = sim.requests(ACCESS);

    let shop = [("api", "shop")];
    assert_is(&metrics, "gatewatch_requests_total", &shop, 42.0);
    assert_is(&metrics, "gatewatch_request_failures_total", &shop, 9.0);
    assert_is(&metrics, "gatewatch_alert_episodes_total", &shop, 1.0);
    let firing = [("api", "shop"), ("rule", "endpoint-5xx"), ("severity", "critical")];
    assert_is(&metrics, "gatewatch_alerts_firing", &firing, 1.0);
    assert_is(&metrics, "gatewatch_source_events_total", &[("source", ACCESS), ("kind", "access")], 42.0);
    assert_is(&metrics, "gatewatch_source_own_lines_total", &[("source", ACCESS)], 0.0);
    assert_is(&metrics, "gatewatch_source_up", &[("source", ACCESS)], 1.0);
    assert!(metrics.sum("gatewatch_source_lag_seconds", &[("source", ACCESS)]) < 60.0);
    let post = [("method", "POST"), ("route", "/checkout")];
    assert_is(&metrics, "gatewatch_endpoint_requests", &post, 12.0);
    assert_is(&metrics, "gatewatch_endpoint_failures", &post, 9.0);
    // A bucket of the histogram is 6.25 % wide.
    let p95 = metrics.sum("gatewatch_endpoint_latency_seconds", &[post[0], post[1], ("quantile", "0.95")]);
    assert!((0.112..=0.128).contains(&p95), "{p95}");
    assert_is(&metrics, "gatewatch_endpoint_requests", &[("route", "/users/{id}")], 30.0);
    assert_is(&metrics, "gatewatch_endpoints", &shop, 2.0);
    assert_is(&metrics, "gatewatch_ready", &[], 1.0);
    assert_is(&metrics, "gatewatch_config_reloads_total", &[], 0.0);
    let told = it.daemon.stdout_json().len();
    let delivered = metrics.sum("gatewatch_notifications_total", &[("sink", "stdout"), ("result", "delivered")]);
    assert!((1.0..=f64::from(u32::try_from(told).unwrap())).contains(&delivered), "{delivered} of {told}");
    assert_is(&metrics, "gatewatch_notifications_queued", &[("sink", "stdout")], 0.0);
    let ok = [("operation", "FilterLogEvents"), ("result", "ok")];
    let (asked, count) =
        (metrics.sum("gatewatch_aws_requests_total", &ok), |n: u64| f64::from(u32::try_from(n).unwrap()));
    assert!(
        (count(before) - 1.0..=count(after)).contains(&asked),
        "{asked}, and the service counted {before} to {after}"
    );

    let alerts = it.json("/alerts");
    assert_eq!((&alerts["v"], &alerts["type"]), (&1.into(), &"alerts".into()));
    let [alert] = &alerts["alerts"].as_array().expect("a list")[..] else { panic!("one alert: {alerts}") };
    assert_eq!((&alert["v"], &alert["type"], &alert["state"]), (&1.into(), &"alert".into(), &"firing".into()));
    assert_eq!((&alert["errors"], &alert["requests"], &alert["seq"]), (&9.into(), &12.into(), &Value::Null));
    assert_eq!(alert["endpoint"]["route"], "/checkout");
    let sent = &it.daemon.stdout_json()[0];
    assert_eq!(sent["episode"], alert["episode"]);
    let keys = |object: &Value| object.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(sent), keys(alert), "the same keys as a message");

    let status = it.json("/status");
    assert_eq!((&status["v"], &status["type"], &status["ready"]), (&1.into(), &"status".into(), &true.into()));
    assert_eq!((&status["apis"][0]["requests"], &status["sources"][0]["events"]), (&42.into(), &42.into()));
    assert_eq!(status["alerts_firing"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_have_as_many_metrics_as_the_configuration_allows() {
    python();
    let sim = simulation().await;
    for n in 0..9 {
        put_requests(&sim, ACCESS, "GET", &format!("/p{n}"), &[200, 200]);
    }
    for (allowed, series) in [(3, 3), (0, 0)] {
        let (folder, path) = write(&format!("{QUICK}endpoint_metrics = {allowed}\n{SHOP}"));
        let daemon = Daemon::start(&["--config", &path], &aws_environment(&sim.endpoint()));
        let it = Listening { address: address(&daemon), daemon, folder };
        it.until("all requests", || it.json("/status")["apis"][0]["requests"] == 18);
        assert_eq!(it.metrics().names("gatewatch_endpoint_requests"), series);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_turns_with_its_causes() {
    let sim = simulation().await;
    sim.fault(ACCESS, Fault::AccessDenied);
    // Nobody listens on port 1.
    let tables = format!(
        "{SHOP}[[api]]\nname = \"other\"\naccess_log_groups = [\"{OTHER}\"]\n\
         [[rule]]\nname = \"source-blind\"\nfor = \"1s\"\n[[sink]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/hook\"\n"
    );
    let mut it = Listening::start(&sim, "", &tables, &[]);
    it.until("both reasons", || {
        let (status, said) = it.get("/readyz");
        let denied = said.contains("log group /http/access is not read: access denied");
        status == 503 && denied && said.contains("none of 1 sinks takes messages") && said.lines().count() == 2
    });
    assert_eq!(it.get("/livez"), (200, "ok\n".to_owned()), "what AWS does is no matter of life");
    assert_is(&it.metrics(), "gatewatch_source_up", &[("source", ACCESS)], 0.0);
    assert_is(&it.metrics(), "gatewatch_source_up", &[("source", OTHER)], 1.0);
    assert_is(&it.metrics(), "gatewatch_sink_failing", &[], 1.0);
    sim.fault(ACCESS, Fault::Clear);
    it.until("one reason", || it.get("/readyz") == (503, "none of 1 sinks takes messages\n".to_owned()));
    assert_eq!(it.daemon.terminate(PATIENCE), 0);

    sim.fault(ACCESS, Fault::AccessDenied);
    let it = Listening::start(&sim, "", SHOP, &[]);
    it.until("the reason", || it.get("/readyz").0 == 503 && it.get("/readyz").1.contains("access denied"));
    sim.fault(ACCESS, Fault::Clear);
    it.until("readiness", || it.get("/readyz") == (200, "ready\n".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_hangs_is_not_used_and_holds_up_nothing() {
    let sim = simulation().await;
    let mut it = Listening::start(&sim, "", SHOP, &[]);
    it.until("readiness", || it.get("/readyz").0 == 200);
    // Whoever opens it for reading waits for somebody who writes.
    let secret = it.folder.path().join("secret");
    assert!(Command::new("mkfifo").arg(&secret).status().expect("there is mkfifo").success());
    let sink = format!("{SHOP}[[sink]]\nkind = \"webhook\"\nurl = \"file:{}\"\n", secret.display());
    it.configure(&sink);
    it.daemon.hang_up();
    put_requests(&sim, ACCESS, "GET", "/a", &[200; 5]);
    let said = |it: &Listening, what: &str| it.daemon.stderr_text().matches(what).count();
    it.until("the end of its patience", || {
        assert_eq!(it.get("/livez").0, 200);
        said(&it, "is not reloaded, the old one stays: a file that it needs was not answered within 10 s") == 1
    });
    assert_eq!(it.json("/status")["apis"][0]["requests"], 5, "the old one goes on");
    it.daemon.hang_up();
    it.until("a word about the one before", || said(&it, "asked for before still waits") == 1);
    assert_eq!(said(&it, "the configuration is reloaded"), 0);
    fs::write(&secret, "http://127.0.0.1:1/hook").expect("somebody reads it");
    it.configure(SHOP);
    let begun = Instant::now();
    while said(&it, "the configuration is reloaded") == 0 {
        assert!(begun.elapsed() < PATIENCE, "its thread has what it waited for");
        it.daemon.hang_up();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(it.daemon.terminate(PATIENCE), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_how_much_is_said_and_warns_of_what_it_cannot_change() {
    let sim = simulation().await;
    let mut it = Listening::start(&sim, "", SHOP, &[]);
    let reload = |it: &mut Listening, head: &str, log: &str| {
        let text = format!("{head}{QUICK}{SHOP}[log]\n{log}\n");
        fs::write(it.folder.path().join("config.toml"), text).expect("a file can be written");
        let many = |it: &Listening| it.daemon.stderr_text().matches("the configuration is reloaded").count();
        let before = many(it);
        it.daemon.hang_up();
        it.until("the reload", || many(it) > before);
    };
    // What is no HTTP is told to those alone who want to know everything.
    let debug = |it: &Listening| {
        assert_eq!(ask(it.address, b"\x16\x03\x01\r\n\r\n").0, 400);
        it.daemon.wait_stderr(|line| line.contains("health or metrics ended"), Duration::from_secs(1))
    };
    assert_eq!(debug(&it), None);
    reload(&mut it, "", "level = \"debug\"");
    assert!(debug(&it).is_some_and(|line| line.contains("DEBUG")));
    let elsewhere = format!("state_dir = {:?}\n", it.folder.path().join("state").display().to_string());
    for _ in 0..2 {
        reload(&mut it, &elsewhere, "level = \"info\"\nformat = \"json\"");
    }
    let many = |what: &str| it.daemon.stderr_text().matches(what).count();
    let before = many("health or metrics ended");
    debug(&it);
    assert_eq!(many("health or metrics ended"), before);
    assert_eq!(many("state_dir has changed"), 2, "as long as it differs");
    assert_eq!(many("format of [log] has changed"), 2);
    reload(&mut it, "", "level = \"info\"");
    assert_eq!(it.daemon.stderr_text().matches(" has changed").count(), 4);
}

/// To the simulation a log group is the same in each Region.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_groups_of_one_name_each_count_what_cannot_be_read_of_them() {
    let sim = simulation().await;
    for _ in 0..3 {
        sim.put(ACCESS, "s", now(), now(), "no access line");
    }
    let other = format!("[[api]]\nname = \"other\"\nregion = \"us-east-1\"\naccess_log_groups = [\"{ACCESS}\"]\n");
    let it = Listening::start(&sim, "", &format!("{SHOP}{other}"), &[]);
    let status = || it.json("/status");
    it.until("both", || (0..2).all(|n| status()["sources"][n]["events"] == 3));
    let unread: Vec<_> = (0..2).map(|n| status()["sources"][n]["unread"].clone()).collect();
    assert_eq!(unread, [3, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_leaves_it_ready_while_what_it_read_before_is_slow_to_be_read_again() {
    let sim = simulation().await;
    let pattern = "[[api]]\nname = \"many\"\naccess_log_groups = [\"/http/o*\"]\n";
    let mut it = Listening::start(&sim, "", &format!("{SHOP}{pattern}"), &[]);
    it.until("readiness", || it.get("/readyz").0 == 200);
    for group in [ACCESS, OTHER] {
        sim.fault(group, Fault::EmptyPages(u32::MAX));
    }
    it.daemon.hang_up();
    it.daemon.wait_stderr(|line| line.contains("the configuration is reloaded"), PATIENCE).expect("it is reloaded");
    let before = sim.requests(ACCESS);
    it.until("further reads", || {
        assert_eq!(it.get("/readyz"), (200, "ready\n".to_owned()));
        sim.requests(ACCESS) > before + 4
    });
    // What is new is waited for.
    it.configure(&format!("{SHOP}{pattern}lambda_log_groups = [\"/aws/lambda/new\"]\n"));
    sim.create_group("/aws/lambda/new");
    sim.fault("/aws/lambda/new", Fault::EmptyPages(u32::MAX));
    it.daemon.hang_up();
    it.until("what is new", || it.get("/readyz") == (503, "log group /aws/lambda/new was not read yet\n".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_that_hangs_or_has_ended_does_not_live() {
    let (inquiry, questions) = inquiry::channel();
    let config = HttpConfig { listen: Some(([127, 0, 0, 1], 0).into()), ..HttpConfig::default() };
    let listener = Listener::bind(&config).await.expect("a port is free").expect("it was asked for");
    let address = listener.address().expect("it has one");
    let stop = CancellationToken::new();
    let serving =
        tokio::spawn(listener.serve(Pages { inquiry, endpoint_metrics: 1, alerts: |_| String::new() }, stop.clone()));
    let get = move || ask(address, b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let begun = Instant::now();
    let (status, _, body) = tokio::task::spawn_blocking(get).await.unwrap();
    assert!(status == 503 && body.contains("did not answer in time"), "{status} {body}");
    assert!(begun.elapsed() < Duration::from_secs(8));
    drop(questions);
    let (status, _, body) = tokio::task::spawn_blocking(get).await.unwrap();
    assert!(status == 503 && body.contains("has ended"), "{status} {body}");
    stop.cancel();
    tokio::time::timeout(PATIENCE, serving).await.expect("it ends").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_asks_can_harm_it() {
    let sim = simulation().await;
    let mut it = Listening::start(&sim, "", SHOP, &[]);
    let long = |n: usize| format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(n));
    assert_eq!(ask(it.address, long(10_000).as_bytes()).0, 404);
    assert!((400..500).contains(&ask(it.address, long(100_000).as_bytes()).0));
    // A page of another name, which leads here.
    let named = |host: &str| ask(it.address, format!("GET /alerts HTTP/1.1\r\n{host}\r\n").as_bytes()).0;
    assert_eq!(named("host: evil.example\r\n"), 421);
    assert_eq!(named(&format!("host: evil.example:{}\r\n", it.address.port())), 421);
    for host in [format!("host: {}\r\n", it.address), "host: localhost:80\r\n".to_owned(), String::new()] {
        assert_eq!(named(&host), 200, "{host}");
    }
    let (status, head, body) =
        ask(it.address, b"POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi");
    assert!(
        status == 405 && head.contains("allow: get, head") && body == "only GET and HEAD\n",
        "{status} {head} {body}"
    );
    let (status, _, body) = ask(it.address, b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(status == 404 && body.contains("/livez, /readyz, /metrics, /status, /alerts"), "{body}");
    let (status, head, body) = ask(it.address, b"HEAD /livez HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(status == 200 && head.contains("content-length: 3") && body.is_empty(), "{head} {body}");
    assert_eq!(ask(it.address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").0, 400);
    assert_eq!(ask(it.address, b"GET /livez HTTP/1.1\r\nhost x\r\n\r\n").0, 400);
    // More than there is room for, of whom each sends a byte and waits.
    let slow = (0..150).map(|_| {
        let mut stream = TcpStream::connect(it.address).expect("somebody listens");
        stream.write_all(b"G").expect("it is taken");
        stream
    });
    let slow: Vec<_> = slow.collect();
    let begun = Instant::now();
    assert_eq!(it.get("/livez").0, 200);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    drop(slow);
    put_requests(&sim, ACCESS, "GET", "/a", &[200; 5]);
    it.until("what comes later", || it.json("/status")["apis"][0]["requests"] == 5);
    assert_eq!(it.daemon.terminate(PATIENCE), 0);
    assert!(!it.daemon.stderr_text().contains("panicked"), "{}", it.daemon.stderr_text());
}

/// Runs a command to its end: exit code, and all that it printed.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = Daemon::start(arguments, environment);
    let code = command.ended(PATIENCE);
    (code, command.all_lines().join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_tells_by_its_exit_code() {
    let sim = simulation().await;
    let mut it = Listening::start(&sim, "", SHOP, &[]);
    let listen = format!("[http]\nlisten = \"{}\"\n{SHOP}", it.address);
    let (_folder, named) = write(&listen);
    let (_folder, nowhere) = write(SHOP);
    let url = format!("http://{}", it.address);
    it.until("readiness", || it.get("/readyz").0 == 200);
    assert_eq!(run(&["healthcheck", "--config", &named], &[]), (0, format!("ok: {url}/livez")));
    assert_eq!(run(&["healthcheck", "--url", &url, "--ready"], &[]), (0, format!("ready: {url}/readyz")));
    sim.fault(ACCESS, Fault::AccessDenied);
    it.until("a reason", || it.get("/readyz").0 == 503);
    let (code, said) = run(&["healthcheck", "--url", &url, "--ready"], &[]);
    assert!(
        code == 1 && said.contains("answers 503: log group /http/access is not read") && !said.contains('\n'),
        "{said}"
    );
    assert_eq!(run(&["healthcheck", "--url", &url], &[]).0, 0);

    let (code, said) = run(&["healthcheck", "--config", &nowhere], &[]);
    assert!(code == 2 && said.contains("set `listen` of [http]"), "{code} {said}");
    assert_eq!(run(&["healthcheck", "--config", "/no/such/file"], &[]).0, 2);
    assert_eq!(run(&["healthcheck", "--bogus"], &[]).0, 2);
    let (code, said) = run(&["healthcheck", "--url", "https://x"], &[]);
    assert!(code == 1 && said.contains("no address of the kind"), "{code} {said}");

    // Another daemon cannot have the same address.
    let (code, said) = run(&["--config", &named], &aws_environment(&sim.endpoint()));
    let last = said.lines().last().unwrap_or_default();
    assert!(code == 1 && last.contains(&format!("listen = \"{}\" cannot be bound", it.address)), "{code} {said}");
    assert_eq!(it.daemon.terminate(PATIENCE), 0);
    let (code, said) = run(&["healthcheck", "--config", &named], &[]);
    assert!(code == 1 && said.contains(&url), "{code} {said}");
}
