//! Nanoseconds per line of reading: text of one log event -> fact, on one thread.
//!
//! Each row is a shape of log. In each of many rounds a fresh [`Reader`] reads the same 20,000 events of it; making the
//! events and dropping the facts is not timed, freeing the events is, because the reader consumes them. The rows take
//! turns within a round, so that a restless machine disturbs all alike. With them goes a yardstick: `serde_json` that only
//! checks the recommended access lines. A row's ratio to it in the same round holds where nanoseconds do not. Not a
//! measure of fetching, of telling repetitions apart or of counting; `first_light` has those. Rule: a shape that was not read completely, or not as what
//! was put in, has no figure.
//!
//! Run by hand: `cargo bench --bench reading`; it takes some seconds. Words behind it pick the rows that contain one of
//! them: `cargo bench --bench reading -- lambda`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench tells its figures")]

mod common {
    pub mod access;
    pub mod spread;
}

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde::de::IgnoredAny;

use common::access::{Line, hash, uuid};
use common::spread::spread;
use gatewatch::model::event::{Fact, LogEvent};
use gatewatch::model::inventory::{ApiId, SourceKind};
use gatewatch::model::invocation::LambdaSays;
use gatewatch::model::time::Timestamp;
use gatewatch::read::Reader;

/// Lines read in one round of a row.
const LINES: u32 = 20_000;
/// Rounds that count; one more comes first and does not, because it finds everything cold.
const ROUNDS: usize = 60;
/// One request of so many fails.
const FAILS_EVERY: u32 = 100;
/// Lines of one invocation in text format, and in JSON format, which has no END.
const TEXT_LINES: u32 = 5;
const JSON_LINES: u32 = 4;
/// Environments of the function, one log stream each.
const STREAMS: u32 = 50;
/// 2026-11-22T14:00:00Z, when the first line was written; one more each [`STEP_MS`], within the hour.
const BEGIN_MS: i64 = 1_795_356_000_000;
const STEP_MS: i64 = 20;

/// What a JSON access line, and a line of a Lambda log in text format, may cost.
const ACCESS_TARGET_NS: f64 = 500.0;
const LAMBDA_TARGET_NS: f64 = 300.0;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts benches without `--bench`; a debug build has nothing to say here.
    if !args.iter().any(|a| a == "--bench") {
        println!("reading: run by hand with `cargo bench --bench reading`");
        return ExitCode::SUCCESS;
    }
    let words: Vec<&str> = args.iter().map(String::as_str).filter(|a| !a.starts_with('-')).collect();
    match measure(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reading: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// One shape of log.
struct Row {
    name: &'static str,
    kind: SourceKind,
    target_ns: Option<f64>,
    events: Vec<LogEvent>,
    /// What the facts must be.
    expected: Found,
    ns_per_line: Vec<f64>,
    /// Why it has no figure.
    wrong: Option<String>,
}

/// What was read, as far as it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    requests: u32,
    failures: u32,
    starts: u32,
    reports: u32,
    errors: u32,
}

fn measure(words: &[&str]) -> Result<()> {
    let mut rows = rows();
    rows.retain(|row| words.is_empty() || words.iter().any(|word| row.name.contains(word)));
    if rows.is_empty() {
        bail!("no row contains {}", words.join(" or "));
    }
    let yardstick = Row::access("", None, Values::recommended).events;
    let mut yardstick_ns = Vec::new();
    let mut facts = Vec::with_capacity(2 * LINES as usize);
    for round in 0..=ROUNDS {
        let began = Instant::now();
        for event in &yardstick {
            serde_json::from_str::<IgnoredAny>(&event.text)?;
        }
        if round > 0 {
            yardstick_ns.push(per_line(began.elapsed()));
        }
        for row in rows.iter_mut().filter(|row| row.wrong.is_none()) {
            let events = row.events.clone();
            let mut reader = Reader::with(row.kind, false);
            let began = Instant::now();
            for event in events {
                reader.read(event, &mut facts);
            }
            let took = began.elapsed();
            reader.finish(&mut facts);
            row.wrong = row.check(&facts, &reader).err().map(|e| e.to_string());
            if round > 0 {
                row.ns_per_line.push(per_line(took));
            }
            facts.clear();
        }
    }
    println!("{LINES} lines of each shape, {ROUNDS} rounds (+1 discarded), one thread");
    println!("{:<26}{:>11}{:>28}{:>12}  target ns", "", "bytes/line", "ns/line  median (range)", "yardsticks");
    for row in &mut rows {
        let bytes = row.events.iter().map(|e| e.text.len()).sum::<usize>() / row.events.len();
        if let Some(wrong) = &row.wrong {
            println!("{:<26}{bytes:>11}  not read: {wrong}{}", row.name, row.verdict(f64::INFINITY));
            continue;
        }
        let ratios = row.ns_per_line.iter().zip(&yardstick_ns).map(|(ns, yardstick)| ns / yardstick);
        let ratio = spread(ratios.collect()).median;
        let ns = spread(std::mem::take(&mut row.ns_per_line));
        println!("{:<26}{bytes:>11}{ns:>28.0}{ratio:>12.2}{}", row.name, row.verdict(ns.median));
    }
    println!("{:<26}{:>11}{:>28.0}{:>12.2}", "yardstick", "", spread(yardstick_ns), 1.0);
    println!("again: cargo bench --bench reading");
    Ok(())
}

fn per_line(took: Duration) -> f64 {
    took.as_secs_f64() * 1e9 / f64::from(LINES)
}

impl Row {
    fn access(name: &'static str, target_ns: Option<f64>, text: impl Fn(&Values) -> String) -> Self {
        let stream: Arc<str> = format!("{:032x}", hash(0, "access")).into();
        let event = |n| {
            let values = Values::of(n);
            LogEvent { stream: Arc::clone(&stream), time: time(n), text: text(&values) }
        };
        let failures = (0..LINES).filter(|n| fails(*n)).count();
        let failures = u32::try_from(failures).expect("fewer than the lines");
        let expected = Found { requests: LINES, failures, ..Found::default() };
        let kind = SourceKind::Access(ApiId(0));
        Self::new(name, kind, target_ns, (0..LINES).map(event).collect(), expected)
    }

    fn lambda(
        name: &'static str,
        target_ns: Option<f64>,
        per: u32,
        expected: Found,
        text: impl Fn(u32) -> Vec<String>,
    ) -> Self {
        let events = (0..LINES / per).flat_map(|n| {
            let stream: Arc<str> = format!("2026/11/22/[$LATEST]{:032x}", hash(n % STREAMS, "environment")).into();
            let texts = text(n);
            assert_eq!(texts.len(), per as usize, "the same number of lines for each invocation");
            texts.into_iter().map(move |text| LogEvent { stream: Arc::clone(&stream), time: time(n), text })
        });
        Self::new(name, SourceKind::Lambda, target_ns, events.collect(), expected)
    }

    fn new(
        name: &'static str,
        kind: SourceKind,
        target_ns: Option<f64>,
        events: Vec<LogEvent>,
        expected: Found,
    ) -> Self {
        Self { name, kind, target_ns, events, expected, ns_per_line: Vec::new(), wrong: None }
    }

    fn check(&self, facts: &[Fact], reader: &Reader) -> Result<()> {
        let unread: Vec<_> = reader.unread().iter().map(|(reason, n)| format!("{n} lines {reason}")).collect();
        ensure!(unread.is_empty(), "{}", unread.join(", "));
        let mut found = Found::default();
        for fact in facts {
            match fact {
                Fact::Request(request) => {
                    found.requests += 1;
                    found.failures += u32::from(request.is_failure());
                }
                Fact::Lambda(line) if line.says == LambdaSays::Start => found.starts += 1,
                Fact::Lambda(line) if matches!(line.says, LambdaSays::Report(_)) => found.reports += 1,
                Fact::Lambda(_) | Fact::Execution(_) => found.errors += 1,
            }
        }
        ensure!(found == self.expected, "{found:?}, not {:?}", self.expected);
        Ok(())
    }

    fn verdict(&self, ns: f64) -> String {
        let verdict = |target| format!("  at most {target:.0}, {}", if ns <= target { "met" } else { "MISSED" });
        self.target_ns.map(verdict).unwrap_or_default()
    }
}

// === The input ===

fn rows() -> Vec<Row> {
    let failed = (0..LINES / TEXT_LINES).filter(|n| fails(*n)).count();
    let (runs, errors) = (LINES / TEXT_LINES, u32::try_from(failed).expect("fewer than the lines"));
    let text = Found { starts: runs, reports: runs, errors, ..Found::default() };
    let runs = LINES / JSON_LINES;
    let json = Found { starts: runs, reports: runs, ..Found::default() };
    vec![
        Row::access("access JSON, recommended", Some(ACCESS_TARGET_NS), Values::recommended),
        Row::access("access JSON, 14 keys", Some(ACCESS_TARGET_NS), Values::fourteen_keys),
        Row::access("access JSON, console's", None, Values::console),
        Row::access("access CLF, console's", None, Values::clf),
        Row::lambda("lambda text", Some(LAMBDA_TARGET_NS), TEXT_LINES, text, lambda_text),
        Row::lambda("lambda JSON", None, JSON_LINES, json, lambda_json),
    ]
}

fn time(n: u32) -> Timestamp {
    Timestamp::from_millis(BEGIN_MS + STEP_MS * i64::from(n))
}

fn fails(n: u32) -> bool {
    n % FAILS_EVERY == FAILS_EVERY - 1
}

/// What API Gateway puts into the places of a log format.
struct Values {
    request_id: String,
    lambda_request_id: String,
    start_ms: i64,
    /// `22/Nov/2026:14:00:00 +0000`
    clf_time: String,
    ip: String,
    method: &'static str,
    route: String,
    failed: bool,
    status: &'static str,
    latency_ms: u64,
    length: u32,
}

impl Values {
    fn of(n: u32) -> Self {
        let seconds = u32::try_from(STEP_MS).expect("small") * n / 1000;
        let random = hash(n, "values");
        let pick = |at: u32, of: u32| u32::try_from((random >> (16 * at)) & 0xffff).expect("16 bits") % of;
        // 50 endpoints: five operations on each of ten resources.
        let resource = ["products", "users", "orders", "carts", "reviews", "stores", "coupons", "returns", "tokens"];
        let resource = resource.get(pick(0, 10) as usize).copied().unwrap_or("notifications");
        let (method, below) =
            [("GET", ""), ("POST", ""), ("GET", "/{id}"), ("PUT", "/{id}"), ("DELETE", "/{id}")][pick(1, 5) as usize];
        let failed = fails(n);
        Self {
            request_id: uuid(n, "request"),
            lambda_request_id: uuid(n, "invocation"),
            start_ms: time(n).as_millis(),
            clf_time: format!("22/Nov/2026:14:{:02}:{:02} +0000", seconds / 60, seconds % 60),
            ip: format!("203.0.{}.{}", pick(2, 256), pick(3, 256)),
            method,
            route: format!("/{resource}{below}"),
            failed,
            status: if failed { "502" } else { ["200", "200", "200", "200", "201", "404"][pick(4, 6) as usize] },
            latency_ms: u64::from(8 + pick(5, 400)),
            length: if failed { 36 } else { 60 + pick(6, 4000) },
        }
    }

    /// The integration's and the gateway's words on how it went.
    fn words(&self) -> [&'static str; 4] {
        if self.failed {
            let error = "Lambda Customer Function Error:Cannot read properties of undefined (reading 'items')";
            ["-", error, "Internal server error", "INTEGRATION_FAILURE"]
        } else {
            [self.status, "-", "-", "-"]
        }
    }

    fn recommended(&self) -> String {
        let [function_status, integration_error, error_message, response_type] = self.words();
        let line = Line {
            request_id: &self.request_id,
            start_ms: self.start_ms,
            method: self.method,
            route: &self.route,
            status: self.status,
            response_latency_ms: self.latency_ms + 8,
            response_length: self.length,
            lambda_request_id: &self.lambda_request_id,
            function_status,
            integration_latency_ms: self.latency_ms,
            integration_error,
            error_message,
            response_type,
        };
        line.recommended()
    }

    /// A leaner format of about 400 bytes, with what the joins need; `replay` reads it too.
    fn fourteen_keys(&self) -> String {
        let [_, integration_error, _, response_type] = self.words();
        let Self { request_id, start_ms, ip, method, route, status, latency_ms, lambda_request_id, length, .. } = self;
        let (short, latency) = (&request_id[..15], latency_ms + 8);
        format!(
            concat!(
                r#"{{"requestId":"{}","extendedRequestId":"{}=","requestTimeEpoch":"{}","ip":"{}","httpMethod":"{}","#,
                r#""resourcePath":"{}","status":"{}","responseLatency":"{}","integrationLatency":"{}","#,
                r#""integrationRequestId":"{}","integrationStatus":"200","responseLength":"{}","#,
                r#""errorResponseType":"{}","integrationError":"{}"}}"#
            ),
            request_id,
            short,
            start_ms,
            ip,
            method,
            route,
            status,
            latency,
            latency_ms,
            lambda_request_id,
            length,
            response_type,
            integration_error
        )
    }

    /// What the API Gateway console fills in for "JSON".
    fn console(&self) -> String {
        let Self { request_id, ip, clf_time, method, route, status, length, .. } = self;
        let short = &request_id[..15];
        format!(
            concat!(
                r#"{{ "requestId":"{}", "extendedRequestId":"{}=","ip": "{}", "caller":"-", "user":"-", "#,
                r#""requestTime":"{}", "httpMethod":"{}", "resourcePath":"{}", "status":"{}", "#,
                r#""protocol":"HTTP/1.1", "responseLength":"{}" }}"#
            ),
            request_id, short, ip, clf_time, method, route, status, length
        )
    }

    /// What the API Gateway console fills in for "CLF".
    fn clf(&self) -> String {
        let Self { request_id, ip, clf_time, method, route, status, length, .. } = self;
        let short = &request_id[..15];
        format!("{ip} - - [{clf_time}] \"{method} {route} HTTP/1.1\" {status} {length} {request_id} {short}=")
    }
}

/// An invocation of a Node.js function that logs two lines, or one and then throws.
fn lambda_text(n: u32) -> Vec<String> {
    let (id, at) = (uuid(n, "invocation"), time(n));
    let second = if fails(n) {
        let error = "Cannot read properties of undefined (reading 'items')";
        let json = format!(
            r#"{{"errorType":"TypeError","errorMessage":"{error}","stack":["TypeError: {error}","    at priceOf (/var/task/cart.js:41:27)","    at Runtime.handler (/var/task/index.js:12:34)"]}}"#
        );
        format!("{at}\t{id}\tERROR\tInvoke Error \t{json}\n")
    } else {
        format!(
            "{at}\t{id}\tINFO\t{{ orderId: 'o-{n}', customer: 'c-{}', items: {}, total: 59.97, currency: 'EUR' }}\n",
            n % 977,
            n % 7
        )
    };
    let duration_ms = 5 + n % 181;
    vec![
        format!("START RequestId: {id} Version: $LATEST\n"),
        format!("{at}\t{id}\tINFO\treading the cart of customer c-{} from table carts-prod\n", n % 977),
        second,
        format!("END RequestId: {id}\n"),
        format!(
            "REPORT RequestId: {id}\tDuration: {duration_ms}.{:02} ms\tBilled Duration: {} ms\tMemory Size: 256 MB\t\
             Max Memory Used: {} MB\t\n",
            n % 100,
            duration_ms + 1,
            90 + n % 40
        ),
    ]
}

/// The same function with log format JSON; nothing fails.
fn lambda_json(n: u32) -> Vec<String> {
    let (id, at) = (uuid(n, "invocation"), time(n));
    let duration_ms = 5 + n % 181;
    vec![
        format!(
            r#"{{"time":"{at}","type":"platform.start","record":{{"requestId":"{id}","functionArn":"arn:aws:lambda:eu-west-1:111122223333:function:shop-fn","version":"$LATEST"}}}}"#
        ),
        format!(
            r#"{{"timestamp":"{at}","level":"INFO","requestId":"{id}","message":"reading the cart of customer c-{} from table carts-prod"}}"#,
            n % 977
        ),
        format!(
            r#"{{"timestamp":"{at}","level":"INFO","requestId":"{id}","message":{{"orderId":"o-{n}","customer":"c-{}","items":{},"total":59.97,"currency":"EUR"}}}}"#,
            n % 977,
            n % 7
        ),
        format!(
            r#"{{"time":"{at}","type":"platform.report","record":{{"requestId":"{id}","metrics":{{"durationMs":{duration_ms}.{:02},"billedDurationMs":{},"memorySizeMB":256,"maxMemoryUsedMB":{}}},"status":"success"}}}}"#,
            n % 100,
            duration_ms + 1,
            90 + n % 40
        ),
    ]
}
