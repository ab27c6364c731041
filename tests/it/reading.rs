//! Laws of reading: what holds for any line of any source, damaged or not.
//!
//! The laws of the whole way are in `properties`; what a line means is in the scenarios. Here: no panic, bounded
//! output, a line that was cut off never says another status, the ways to read one line agree, and a format reads back
//! what it wrote. How running time grows is shown by hand, by the ignored test at the end. Rule: a law never repeats
//! the code it checks.

use std::sync::Arc;

use gatewatch::model::event::{Fact, LogEvent};
use gatewatch::model::inventory::{ApiId, SourceKind};
use gatewatch::model::request::Request;
use gatewatch::model::time::Timestamp;
use gatewatch::read::{Reader, Template, stamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// 2026-11-22T09:00:00Z
const BASE: i64 = 1_795_338_000_000;
/// Longest text that a fact keeps, in bytes.
const TEXT_MAX: usize = 2048;
/// Streams in which an error that comes line by line may be waiting for its end.
const BLOCKS_MAX: usize = 256;
/// Endpoints of one API that share their names.
const NAMES_MAX: usize = 4096;

fn config(cases: u32) -> ProptestConfig {
    let from_environment = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: from_environment.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

fn event(stream: &str, n: i64, text: &str) -> LogEvent {
    LogEvent { stream: stream.into(), time: Timestamp::from_millis(BASE + n), text: text.to_owned() }
}

fn access(format: Option<&str>) -> Reader {
    let template = format.map(|f| Template::compile(f).unwrap_or_else(|e| panic!("{f}: {e}")));
    Reader::of(SourceKind::Access(ApiId(0)), template, true)
}

/// The request in one access line; what it says of its time is that of the event or its own.
fn request(format: Option<&str>, line: &str) -> Option<Request> {
    request_by(&mut access(format), line)
}

fn request_by(reader: &mut Reader, line: &str) -> Option<Request> {
    let mut facts = Vec::new();
    reader.read(event("s", 0, line), &mut facts);
    match facts.pop() {
        Some(Fact::Request(request)) => Some(request),
        _ => None,
    }
}

// === Lines of every shape ===

/// Access lines of every shape that is read without its format, each with its status.
const ACCESS: &[(&str, u16)] = &[
    (
        r#"{"requestId":"84ea9398-0000-4000-8000-000000000000","extendedRequestId":"abc=","requestTimeEpoch":"1795338000443","apiId":"a","stage":"prod","httpMethod":"POST","resourcePath":"/checkout","status":"502","responseLatency":"237","responseLength":"36","integrationRequestId":"72566006-0000-4000-8000-000000000000","integrationStatus":"200","functionStatus":"-","integrationLatency":"234","integrationError":"Lambda Customer Function Error:boom","errorMessage":"Internal server error","errorType":"INTEGRATION_FAILURE","authorizerError":"-","authorizerRequestId":"-","wafError":"-","xrayTraceId":"-"}"#,
        502,
    ),
    (
        r#"{"requestId":"r","integrationError":"Unexpected token h, "hello" is not valid JSON, "x": 1","integrationStatus":200,"integrationLatency":-,"status":504,"responseLatency":29001}"#,
        504,
    ),
    (
        r#"{ "requestId":"x", "ip": "1.2.3.4", "caller":"-", "user":"-", "requestTime":"22/Nov/2026:09:00:00 +0000", "httpMethod":"GET", "resourcePath":"/pets/{petId}", "status":"503", "protocol":"HTTP/1.1", "responseLength":"12" }"#,
        503,
    ),
    (
        r#"{"context":{"error":{"message":"Internal server error","responseType":"INTEGRATION_FAILURE"},"requestId":"x","routeKey":"GET /pets/{id}","integration":{"status":"200","latency":12},"status":500}}"#,
        500,
    ),
    (
        "(a1b2c3d4) Extended Request Id: FgH1iJkLmN HTTP Method: POST Resource Path: /checkout Status: 502 Integration Latency: - Response Latency: 29001",
        502,
    ),
    (
        r#"203.0.113.7 - - [22/Nov/2026:09:00:00 +0000] "GET /pets HTTP/1.1" 502 12 c6af9ac6-7b61-11e6-9a41-93e8deadbeef Fg0iJkLmNIAMEkTw= The function said "200 OK""#,
        502,
    ),
    (r#"203.0.113.7 - - [22/Nov/2026:09:00:00 +0000] "MESSAGE sendMessage KLM=" 500 GQIVriFLIAMEMsA="#, 500),
    ("203.0.113.7,-,-,22/Nov/2026:09:00:00 +0000,GET,/pets,HTTP/1.1,502,236,a-b,abc=,\"said 200, and 300\"", 502),
    ("203.0.113.7,22/Nov/2026:09:00:00 +0000,GET,GET /pets,HTTP/1.1,500,35,abc=", 500),
    (
        r#"<request id="a-b"> <extendedRequestId>x=</extendedRequestId> <ip>1.2.3.4</ip> <httpMethod>GET</httpMethod> <resourcePath>/pets</resourcePath> <responseLength>236</responseLength> <status>502</status> <error>a < b</error> </request>"#,
        502,
    ),
    (
        "requestId: a-b, ip: 1.2.3.4, requestTime: 22/Nov/2026:09:00:00 +0000, httpMethod: GET, resourcePath: /pets, status: 502, protocol: HTTP/1.1, responseLength: 236",
        502,
    ),
    ("requestId=a-b responseLength=236 status=502 error=\"Lambda Customer Function Error: x\" httpMethod=GET", 502),
];

/// Formats, each with a line of it that has status 502.
const FORMATS: &[(&str, &str)] = &[
    (
        "$context.requestId | $context.integrationErrorMessage | $context.status | $context.routeKey",
        "r1 | it said: no, \"twice\" | 502 | GET /x y",
    ),
    ("$context.status,$context.error.message,$context.requestId", "502,Endpoint, request, timed out,abc"),
    (
        r#"[$context.requestTime] "$context.httpMethod $context.routeKey $context.protocol" $context.status $context.requestId $context.integrationErrorMessage"#,
        r#"[22/Nov/2026:09:00:00 +0000] "GET GET /pets HTTP/1.1" 502 abc= The Lambda said: "no" 500 x"#,
    ),
    (
        r#"{"a":"$context.requestId","n":{"c":"$context.integration.error","who":"$context.identity.userAgent"},"b":$context.status,"l":$context.responseLatency}"#,
        r#"{"a":"r1","n":{"c":"Unexpected "x", "y":"9"","who":"curl"},"b":502,"l":237}"#,
    ),
    (
        r#"{"s":"$context.status","e":"$context.integration.error","r":"$context.requestId"}"#,
        r#"{"s":"502","e":"Lambda Customer Function Error:boom","r":"x"}"#,
    ),
    (
        "<r><i>$context.requestId</i><s>$context.status</s><e>$context.error.message</e></r>",
        "<r><i>x</i><s>502</s><e>a < b</e></r>",
    ),
];

const LAMBDA: &[&str] = &[
    "START RequestId: 72566006-0000-4000-8000-000000000000 Version: $LATEST\n",
    "END RequestId: 72566006-0000-4000-8000-000000000000\n",
    "REPORT RequestId: 72566006\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\tStatus: error\tError Type: Runtime.ExitError\nXRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 1\tSampled: true\n",
    "INIT_REPORT Init Duration: 137.69 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n",
    "EXTENSION\tName: my ext\tState: LaunchError\tEvents: []\tError Type: PermissionDenied",
    "IMAGE\tLaunch error: fork/exec /app: exec format error\tEntrypoint: [/app]\tCmd: []\tWorkingDir: []",
    "RequestId: 72566006 Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
    "RequestId: a\tStatus: error\tErrorType: Runtime.OutOfMemory",
    "2026-11-22T09:00:00.443Z 72566006 Task timed out after 3.00 seconds\n\n",
    "2026-11-22T09:00:00.443Z\t72566006\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"x is not a function\",\"stack\":[\"TypeError: x\",\"    at handler (/var/task/index.js:12:34)\"]}\n",
    "ERROR  Invoke Error\n{\n  \"errorType\": \"TypeError\",\n  \"stackTrace\": [\n    \"at handler (/var/task/index.js:12:34)\"\n  ]\n}",
    "[ERROR] KeyError: 'items'\nTraceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 12, in handler\n    return event['items']\n",
    "[ERROR]\t2026-11-22T09:00:00.443Z\t72566006\tcould not pay \u{20ac} 12\n",
    "[ERROR] [1785231944466] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413. {\"errorMessage\":\"x\"}",
    "boom: java.lang.RuntimeException\njava.lang.RuntimeException: boom\n\tat example.Handler.handleRequest(Handler.java:12)\nCaused by: a.B\n",
    "2026-11-22T09:00:00.443Z\t72566006\tfail\tSystem.Exception: boom\n   at App.Function.Handler(String s) in /src/Function.cs:line 12\n   at Amazon.Lambda.RuntimeSupport.X()\n",
    "2026/11/22 09:00:00 {\"errorMessage\":\"boom\",\"errorType\":\"errorString\",\"stackTrace\":[{\"path\":\"a/main.go\",\"line\":12,\"label\":\"handler\"}]}",
    "Error raised from handler method\n{\n  \"errorMessage\": \"x\",\n  \"errorType\": \"Function<TypeError>\",\n  \"stackTrace\": [\"/var/task/app.rb:12:in 'handler'\"]\n}",
    "E, [2026-11-22T09:00:00.443Z #8] ERROR 72566006 -- : boom",
    "thread 'main' panicked at src/main.rs:12:5:\nboom\nnote: run with `RUST_BACKTRACE=1`\n",
    "2026-11-22T09:00:00.443Z ERROR Lambda runtime invoke{requestId=\"72566006\" xrayTraceId=\"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=a\"}: user handler panicked",
    "2026-11-22 09:00:00 72566006 ERROR Main: boom",
    r#"{"time":"2026-11-22T09:00:00.443Z","type":"platform.start","record":{"requestId":"72566006","tracing":{"value":"Root=1-5759e988-bd862e3fe1be46a994272793"}}}"#,
    r#"{"time":"2026-11-22T09:00:00.443Z","type":"platform.report","record":{"requestId":"72566006","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":1.5,"memorySizeMB":128}}}"#,
    r#"{"time":"t","type":"platform.fault","record":"RequestId: a Error: Runtime exited\nRuntime.ExitError\n"}"#,
    r#"{"timestamp":"2026-11-22T09:00:00Z","log_level":"ERROR","errorMessage":"boom","errorType":"KeyError","requestId":"72566006","stackTrace":["  File \"/var/task/a.py\", line 71, in find\n"]}"#,
    r#"{"timestamp":"2026-11-22T09:00:00Z","level":"ERROR","message":{"errorType":"TypeError","errorMessage":"x","stackTrace":["at handler (/var/task/index.js:12:34)"]},"requestId":"72566006"}"#,
    r#"{"timestamp":"t","level":"ERROR","fields":{"message":"user handler panicked"},"span":{"requestId":"72566006","name":"Lambda runtime invoke"},"spans":[{"requestId":"72566006"}]}"#,
    "terminate called after throwing an instance of 'std::runtime_error'",
    "{'requestContext': {'requestId': 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef'}} JKJaXmPLvHcESHA=",
];

const EXECUTION: &[&str] = &[
    "(6dd2d0f1-a) Extended Request Id: abc=",
    "(6dd2d0f1-a) HTTP Method: GET, Resource Path: /echo",
    "(6dd2d0f1-a) Endpoint request URI: https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:echo:live/invocations",
    "(6dd2d0f1-a) Received response. Status: 200, Integration latency: 11029 ms",
    "(6dd2d0f1-a) Endpoint response headers: {Date=Thu, x-amzn-RequestId=7256-1, X-Amz-Function-Error=Unhandled}",
    "(6dd2d0f1-a) Endpoint response body before transformations: {\"errorMessage\":\"bo\\\"om\",\"errorType\":\"TypeError\"}",
    "(6dd2d0f1-a) Lambda execution failed with status 200 due to customer function error: boom. Lambda request id: 7256-1",
    "(6dd2d0f1-a) Method completed with status: 502",
    "(6dd2d0f1-a) AWS Integration Endpoint RequestId : 7256-1",
    "(6dd2d0f1-a) X-ray Tracing ID : 1-6921a3f0-66080f174c96d8e25cbd0ba3",
    "Execution log for request 1b2c-9",
    "Thu Jul 09 10:00:00 UTC 2026 : Starting execution for request: 1b2c-9",
    "Thu Jul 09 10:00:01 UTC 2026 : Execution failed due to configuration error: Malformed Lambda proxy response",
];

fn all_lines() -> Vec<&'static str> {
    let access = ACCESS.iter().map(|(line, _)| *line).chain(FORMATS.iter().map(|(_, line)| *line));
    access.chain(LAMBDA.iter().copied()).chain(EXECUTION.iter().copied()).collect()
}

#[test]
fn the_lines_are_what_they_are_said_to_be() {
    for (line, status) in ACCESS {
        assert_eq!(request(None, line).map(|r| r.status), Some(*status), "{line}");
    }
    for (format, line) in FORMATS {
        assert_eq!(request(Some(format), line).map(|r| r.status), Some(502), "{line}");
    }
    for line in LAMBDA.iter().filter(|l| !l.starts_with("END")) {
        let mut reader = Reader::new(SourceKind::Lambda);
        let mut facts = Vec::new();
        reader.read(event("s", 0, line), &mut facts);
        reader.finish(&mut facts);
        assert!(!facts.is_empty(), "mutations of lines that say nothing test nothing: {line}");
    }
}

// === No panic, bounded output ===

/// Reads the texts as every kind of source.
fn read_all(texts: &[String]) -> Result<(), TestCaseError> {
    let formats = FORMATS.iter().map(|(format, _)| Some(*format));
    for format in formats.chain([None]) {
        let mut reader = access(format);
        let mut facts = Vec::new();
        for (text, n) in texts.iter().zip(0..) {
            if n % 3 == 2 {
                reader.read_unstamped(event("s", n, text), &mut facts);
            } else {
                reader.read(event("s", n, text), &mut facts);
            }
        }
        reader.finish(&mut facts);
        let unread: u64 = reader.unread().values().sum();
        prop_assert_eq!(facts.len() as u64 + unread, texts.len() as u64, "a line is a fact or counted");
        for fact in facts {
            let Fact::Request(request) = fact else { panic!("an access line is a request") };
            prop_assert!((100..=599).contains(&request.status));
        }
    }
    for kind in [SourceKind::Lambda, SourceKind::Execution(ApiId(0))] {
        for streams in [&["one"][..], &["one", "two"]] {
            let mut reader = Reader::new(kind);
            let mut facts = Vec::new();
            let mut pieces = 0;
            for (text, n) in texts.iter().zip(0_u16..) {
                reader.read(event(streams[usize::from(n) % streams.len()], n.into(), text), &mut facts);
                // Lines, and objects one behind the other, may be glued into one event. A line without a place of its
                // own may open a block beside it.
                pieces += 1 + text.bytes().filter(|b| matches!(b, b'\n' | b'\r' | b'}')).count();
                prop_assert!(facts.len() <= pieces, "{} facts of {} pieces", facts.len(), pieces);
            }
            reader.finish(&mut facts);
            prop_assert!(facts.len() <= pieces, "{} facts of {} pieces", facts.len(), pieces);
            for fact in facts {
                let text = match fact {
                    Fact::Lambda(line) => line.text,
                    Fact::Execution(line) => line.text,
                    Fact::Request(_) => panic!("no request in such a log"),
                };
                prop_assert!(text.len() <= TEXT_MAX);
            }
        }
    }
    for text in texts {
        let _ = (stamp::of_line(text), stamp::led(text));
        let _ = Template::compile(text);
    }
    Ok(())
}

const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "\0",
    "\u{a0}",
    "é",
    "\u{1f600}",
    "\u{2028}",
    "\r",
    "\n",
    "\t",
    " ",
    ",",
    ":",
    "=",
    "-",
    "(",
    ")",
    "<",
    ">",
    "\"}",
    "\",\"",
    "\\u",
    "\\ud800",
    "1e999",
    "99999999999999999999",
    "$context.",
    "\u{fffd}",
    "%",
];

#[derive(Clone, Debug)]
enum Damage {
    Delete(Index, Index),
    Duplicate(Index, Index),
    Swap(Index, Index),
    Insert(Index, &'static str),
    Byte(Index, u8),
    Truncate(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), at()).prop_map(|(a, b)| Damage::Delete(a, b)),
        (at(), at()).prop_map(|(a, b)| Damage::Duplicate(a, b)),
        (at(), at()).prop_map(|(a, b)| Damage::Swap(a, b)),
        (at(), select(PIECES)).prop_map(|(a, piece)| Damage::Insert(a, piece)),
        (at(), any::<u8>()).prop_map(|(a, byte)| Damage::Byte(a, byte)),
        at().prop_map(Damage::Truncate),
    ]
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let len = bytes.len();
        let span = |a: &Index, b: &Index| {
            let (a, b) = (a.index(len), b.index(len));
            a.min(b)..a.max(b)
        };
        match damage {
            Damage::Delete(a, b) => drop(bytes.drain(span(a, b))),
            Damage::Duplicate(a, b) => {
                let piece = bytes[span(a, b)].to_vec();
                let at = b.index(len);
                bytes.splice(at..at, piece);
            }
            Damage::Swap(a, b) => bytes.swap(a.index(len), b.index(len)),
            Damage::Insert(at, piece) => drop(bytes.splice(at.index(len)..at.index(len), piece.bytes())),
            Damage::Byte(at, byte) => bytes[at.index(len)] = *byte,
            Damage::Truncate(at) => bytes.truncate(at.index(len)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn damaged_line() -> impl Strategy<Value = String> {
    (select(all_lines()), vec(damage(), 0..5)).prop_map(|(line, damages)| damaged(line, &damages))
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn any_bytes_can_be_read(texts in vec(vec(any::<u8>(), 0..200), 1..8)) {
        let texts: Vec<String> = texts.iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect();
        read_all(&texts)?;
    }

    #[test]
    fn any_damaged_lines_can_be_read(texts in vec(damaged_line(), 1..10)) {
        read_all(&texts)?;
    }

    #[test]
    fn any_format_can_be_compiled_and_used(format in damaged_format(), lines in vec(damaged_line(), 1..6)) {
        if let Ok(template) = Template::compile(&format) {
            let mut reader = Reader::of(SourceKind::Access(ApiId(0)), Some(template), false);
            let mut facts = Vec::new();
            for line in &lines {
                reader.read(event("s", 0, line), &mut facts);
            }
            let unread: u64 = reader.unread().values().sum();
            prop_assert_eq!(facts.len() as u64 + unread, lines.len() as u64);
        }
    }
}

fn damaged_format() -> impl Strategy<Value = String> {
    let formats: Vec<&str> = FORMATS.iter().map(|(format, _)| *format).collect();
    (select(formats), vec(damage(), 0..4)).prop_map(|(format, damages)| damaged(format, &damages))
}

#[test]
fn lines_cut_off_anywhere_and_with_anything_in_them_can_be_read() {
    for line in all_lines() {
        let cuts: Vec<String> = line.char_indices().map(|(at, _)| line[..at].to_owned()).collect();
        read_all(&cuts).unwrap();
        let pieces = ["\"", "\\", "}", "\u{a0}"].iter().cycle();
        let cuts_and_more: Vec<String> = cuts.iter().zip(pieces).map(|(cut, piece)| format!("{cut}{piece}")).collect();
        read_all(&cuts_and_more).unwrap();
    }
}

// === A line that was cut off ===

#[test]
fn a_line_that_was_cut_off_never_says_another_status() {
    let known = ACCESS.iter().map(|(line, status)| (None, *line, *status));
    let formats = FORMATS.iter().map(|(format, line)| (Some(*format), *line, 502));
    let mut wrong = Vec::new();
    for (format, line, status) in known.chain(formats) {
        let mut reader = access(format);
        for at in (0..line.len()).filter(|at| line.is_char_boundary(*at)) {
            for end in ["", " ", "\n", "...", "[TRUNCATED]"] {
                let cut = format!("{}{end}", &line[..at]);
                if let Some(request) = request_by(&mut reader, &cut)
                    && request.status != status
                {
                    wrong.push(format!("{} of {status}: {cut:?}", request.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// === The ways to read one line agree ===

/// Keys under the names of their variables, so that a format with them says the same as the keys.
const KEYS: &[(&str, &str)] = &[
    ("requestId", "requestId"),
    ("extendedRequestId", "extendedRequestId"),
    ("requestTimeEpoch", "requestTimeEpoch"),
    ("httpMethod", "httpMethod"),
    ("resourcePath", "resourcePath"),
    ("path", "path"),
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
    ("apiId", "apiId"),
    ("stage", "stage"),
    ("accountId", "accountId"),
];

const BLANKS: &[&str] = &["", "", "", " ", "  ", "\t", "\n"];

fn value_of(key: &str) -> BoxedStrategy<String> {
    let number = prop_oneof![
        "[1-9][0-9]{0,5}".prop_map(|n| n),
        "[1-9][0-9]{0,4}".prop_map(|n| format!("\"{n}\"")),
        select(&["\"-\"", "\"\"", "\"null\"", "\"-1\"", "\"(none)\"", "0", "\"007\"", "-1", "12.5", "null"][..])
            .prop_map(str::to_owned),
    ];
    let text = prop_oneof![
        "[a-zA-Z0-9 ,:;/{}'()=é\u{20ac}\u{1f600}\u{a0}-]{0,24}".prop_map(|t| format!("\"{t}\"")),
        select(&["\"-\"", "\"\"", "\"null\"", "\"(none)\"", "\" x \"", "42", "null"][..]).prop_map(str::to_owned),
    ];
    match key {
        "status" => prop_oneof![
            (100_u16..600).prop_map(|s| s.to_string()),
            (500_u16..600).prop_map(|s| format!("\"{s}\"")),
            select(&["\"-\"", "\"\"", "\"99\"", "\"5021\""][..]).prop_map(str::to_owned),
        ]
        .boxed(),
        "requestTimeEpoch" => prop_oneof![
            (-4_000_000_i64..4_000_000).prop_map(|d| format!("\"{}\"", BASE + d)),
            (0_i64..4000).prop_map(|d| (BASE / 1000 + d).to_string()),
        ]
        .boxed(),
        "responseLatency" | "responseLength" | "integrationStatus" | "functionStatus" | "integrationLatency" => {
            number.boxed()
        }
        _ => text.boxed(),
    }
}

/// Members of a flat line, in some order, each a key with the variable it stands for, and its value as it is written.
fn members() -> impl Strategy<Value = Vec<((&'static str, &'static str), String)>> {
    let some = proptest::sample::subsequence(KEYS, 1..=KEYS.len()).prop_shuffle();
    some.prop_flat_map(|keys| {
        let values: Vec<_> = keys.iter().map(|(key, _)| value_of(key)).collect();
        (Just(keys), values).prop_map(|(keys, values)| keys.into_iter().zip(values).collect())
    })
}

/// The line, with blanks at the places where JSON allows them.
fn written(members: &[(String, String)], blanks: &[&str]) -> String {
    let mut blanks = blanks.iter().cycle();
    let mut blank = || *blanks.next().unwrap_or(&"");
    let members: Vec<String> = members
        .iter()
        .map(|(key, value)| format!("{}\"{key}\"{}:{}{value}{}", blank(), blank(), blank(), blank()))
        .collect();
    format!("{{{}}}", members.join(","))
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_fast_way_and_the_careful_ways_agree(
        members in members(),
        blanks in vec(select(BLANKS), 1..9),
        at in any::<Index>(),
        before in members_of_another_line(),
    ) {
        let mut members: Vec<_> = members.into_iter().map(|((key, _), value)| (key.to_owned(), value)).collect();
        let fast = written(&members, &blanks);
        let want = request(None, &fast);
        // What was read before decides nothing.
        let mut reader = access(None);
        let _ = request_by(&mut reader, &before);
        prop_assert_eq!(&request_by(&mut reader, &fast), &want, "after another line: {}", fast);
        // Members that mean nothing and are no work for the fast way, and one that makes it no JSON.
        let ignored = [r#"{"a":1}"#, r#""\n\"""#, "[1,{\"status\":500}]", "null", "1.5", "-7", "true", r#""a "b" c""#, "-", r#"{"a":"b "c" d"}"#];
        for value in ignored {
            members.insert(at.index(members.len() + 1), ("zz".to_owned(), value.to_owned()));
            let careful = written(&members, &blanks);
            prop_assert_eq!(&request(None, &careful), &want, "{}\n{}", fast, careful);
            members.retain(|(key, _)| key != "zz");
        }
    }

    #[test]
    fn a_format_of_usual_names_reads_what_the_keys_say(members in members(), blanks in vec(select(BLANKS), 1..9)) {
        let status = |((key, _), _): &((&str, &str), String)| *key == "status";
        prop_assume!(members.iter().any(status));
        let format: Vec<String> = members
            .iter()
            .map(|((key, variable), value)| {
                let quote = if value.starts_with('"') { "\"" } else { "" };
                format!("\"{key}\":{quote}$context.{variable}{quote}")
            })
            .collect();
        let format = format!("{{{}}}", format.join(","));
        let mut members: Vec<_> = members.into_iter().map(|((key, _), value)| (key.to_owned(), value)).collect();
        let line = written(&members, &blanks);
        prop_assert_eq!(request(Some(&format), &line), request(None, &line), "{}\n{}", format, line);
        // Whoever sorts a line's keys on its way changes nothing.
        members.sort();
        let sorted = written(&members, &blanks);
        prop_assert_eq!(request(Some(&format), &sorted), request(None, &sorted), "{}\n{}", format, sorted);
    }
}

fn members_of_another_line() -> impl Strategy<Value = String> {
    members().prop_map(|members| {
        let members: Vec<_> = members.into_iter().map(|((key, _), value)| (key.to_owned(), value)).collect();
        written(&members, &[""])
    })
}

// === What a format writes it reads back ===

/// One variable of a format with its value in a line.
#[derive(Clone, Debug)]
struct Value {
    variable: &'static str,
    text: String,
}

/// Values that hold nothing that separates values.
fn plain_values() -> impl Strategy<Value = Vec<Value>> {
    let number = || prop_oneof!["[1-9][0-9]{0,4}", Just("-".to_owned())];
    let value = |variable, text: BoxedStrategy<String>| text.prop_map(move |text| Value { variable, text }).boxed();
    let all = vec![
        value("requestId", "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}".boxed()),
        value("status", (100_u16..600).prop_map(|s| s.to_string()).boxed()),
        value("httpMethod", select(&["GET", "POST", "DELETE"][..]).prop_map(str::to_owned).boxed()),
        value("responseLatency", number().boxed()),
        value("integration.latency", number().boxed()),
        value("integration.requestId", "[0-9a-f]{8}-[0-9a-f]{4}".boxed()),
        value("responseLength", number().boxed()),
        value("identity.sourceIp", Just("203.0.113.7".to_owned()).boxed()),
        value("protocol", Just("HTTP/1.1".to_owned()).boxed()),
        value("extendedRequestId", "[A-Za-z]{14}=".boxed()),
    ];
    all.prop_shuffle()
}

/// How values become a line.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Between(&'static str),
    Flat,
    Nested,
    Elements,
    Pairs,
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        select(&[" ", ",", "|", " | ", "\t", ";", ", ", " - ", "::"][..]).prop_map(Shape::Between),
        Just(Shape::Flat),
        Just(Shape::Nested),
        Just(Shape::Elements),
        Just(Shape::Pairs),
    ]
}

impl Shape {
    fn line(self, values: &[(String, String)], quotes: &[bool]) -> String {
        let member = |n: usize, (key, value): &(String, String)| {
            // Numbers are often bare.
            let bare = quotes.get(n).copied().unwrap_or_default() && (key == "responseLatency" || key == "status");
            if bare { format!("\"k{n}\":{value}") } else { format!("\"k{n}\":\"{value}\"") }
        };
        let all = |of: &dyn Fn(usize, &(String, String)) -> String, between: &str| {
            values.iter().enumerate().map(|(n, v)| of(n, v)).collect::<Vec<_>>().join(between)
        };
        match self {
            Self::Between(separator) => all(&|_, (_, value)| value.clone(), separator),
            Self::Flat => format!("{{{}}}", all(&member, ",")),
            Self::Nested => {
                let half = values.len() / 2;
                let outer: Vec<_> = (0..half).map(|n| member(n, &values[n])).collect();
                let inner: Vec<_> = (half..values.len()).map(|n| member(n, &values[n])).collect();
                format!("{{{},\"in\":{{\"deep\":{{{}}}}}}}", outer.join(","), inner.join(","))
            }
            Self::Elements => format!("<r>{}</r>", all(&|n, (_, value)| format!("<e{n}>{value}</e{n}>"), "")),
            Self::Pairs => all(&|n, (_, value)| format!("k{n}={value}"), " "),
        }
    }
}

fn reads_back(shape: Shape, values: &[Value], quotes: &[bool]) -> Result<(), TestCaseError> {
    let pairs =
        |of: &dyn Fn(&Value) -> String| values.iter().map(|v| (v.variable.to_owned(), of(v))).collect::<Vec<_>>();
    let format = shape.line(&pairs(&|v| format!("$context.{}", v.variable)), quotes);
    let line = shape.line(&pairs(&|v| v.text.clone()), quotes);
    let value = |variable: &str| values.iter().find(|v| v.variable == variable).map(|v| v.text.as_str());
    let number = |variable: &str| value(variable).and_then(|v| v.parse::<u32>().ok());
    let Some(request) = request(Some(&format), &line) else {
        return Err(TestCaseError::fail(format!("not read: {format}\n{line}")));
    };
    prop_assert_eq!(Some(u32::from(request.status)), number("status"), "{}\n{}", format, line);
    prop_assert_eq!(request.request_id.as_deref(), value("requestId"), "{}\n{}", format, line);
    prop_assert_eq!(request.lambda_request_id.as_deref(), value("integration.requestId"), "{}\n{}", format, line);
    prop_assert_eq!(request.response_latency_ms, number("responseLatency"), "{}\n{}", format, line);
    prop_assert_eq!(request.integration_latency_ms, number("integration.latency"), "{}\n{}", format, line);
    prop_assert_eq!(Some(&*request.endpoint.method), value("httpMethod"), "{}\n{}", format, line);
    prop_assert_eq!(Some(&*request.endpoint.route), value("resourcePath").or(Some("-")), "{}\n{}", format, line);
    Ok(())
}

/// What separates values in some format, in the middle of a sentence.
const NASTY: &[&str] = &[
    " ",
    ",",
    "|",
    " | ",
    ";",
    ", ",
    " - ",
    "::",
    "\"",
    "\",\"",
    "{",
    "}",
    "\":\"",
    "<",
    "</e1>",
    "k1=",
    " k2=",
    "=",
    "a",
    "Error",
    "said \"no\"",
    "502",
    "200",
    "GET",
    "é",
    "\u{1f600}",
    "'",
    "}}",
    "\"}",
    "\\",
    "\\n",
    "-",
    "\t",
];

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn a_format_reads_back_what_it_wrote_around_a_sentence(
        mut values in plain_values(),
        shape in shape(),
        free in select(&["integration.error", "error.message", "identity.userAgent", "authorizer.claims.name"][..]),
        sentence in vec(select(NASTY), 1..8),
        at in any::<Index>(),
        quotes in vec(any::<bool>(), 12),
    ) {
        let text = format!("x{}x", sentence.concat());
        values.insert(at.index(values.len() + 1), Value { variable: free, text });
        reads_back(shape, &values, &quotes)?;
    }

    #[test]
    fn a_format_reads_back_routes_and_several_texts(
        mut values in plain_values(),
        shape in shape(),
        route in "(/[a-z]{1,6}|/\\{[a-z]{1,4}\\+?\\}){1,3}",
        agent in "[a-zA-Z0-9/.()]{1,12}",
        error in prop_oneof![Just("-".to_owned()), "[a-zA-Z.!?]{1,12}"],
        at in vec(any::<Index>(), 3),
        quotes in vec(any::<bool>(), 14),
    ) {
        let texts = [("resourcePath", route), ("identity.userAgent", agent), ("integration.error", error)];
        for ((variable, text), at) in texts.into_iter().zip(at) {
            values.insert(at.index(values.len() + 1), Value { variable, text });
        }
        reads_back(shape, &values, &quotes)?;
    }
}

// === Bounds ===

#[test]
fn errors_that_never_end_are_kept_in_few_streams() {
    let openers = [
        "ERROR  Invoke Error",
        "Error raised from handler method",
        "[ERROR] KeyError: 'items'",
        "boom: java.lang.RuntimeException",
        "2026-11-22T09:00:00.443Z\ta\tfail\tSystem.Exception: boom",
        "thread 'main' panicked at src/main.rs:12:5:",
        "RequestId: a Error: Runtime exited with error: exit status 1",
    ];
    let mut reader = Reader::new(SourceKind::Lambda);
    let mut facts = Vec::new();
    let mut found = 0;
    for n in 0..100_000_usize {
        reader.read(event(&n.to_string(), 0, openers[n % openers.len()]), &mut facts);
        found += facts.len();
        facts.clear();
        // The first lines of Python and Java alone may be ordinary ones, which say nothing; the others do.
        let said = n * 5 / openers.len();
        assert!(found + BLOCKS_MAX + 1 >= said, "{found} facts of {said} lines");
    }
    reader.finish(&mut facts);
    assert!(facts.len() <= BLOCKS_MAX);
}

#[test]
fn an_error_without_an_end_says_one_thing() {
    for (head, more) in [
        ("ERROR  Invoke Error {", "  \"a\": {"),
        ("[ERROR] KeyError: 'items'\nTraceback (most recent call last):", "  File \"/var/task/app.py\", line 12"),
        ("boom: java.lang.RuntimeException\njava.lang.RuntimeException: boom", "\tat a.B.c(D.java:1)"),
        ("2026-11-22T09:00:00.443Z\ta\tfail\tSystem.Exception: boom", "   at A.B() in /c/D.cs:line 1"),
    ] {
        let mut reader = Reader::new(SourceKind::Lambda);
        let mut facts = Vec::new();
        for line in head.lines().chain(std::iter::repeat_n(more, 20_000)) {
            reader.read(event("s", 0, line), &mut facts);
        }
        reader.finish(&mut facts);
        assert_eq!(facts.len(), 1, "{head}");
    }
}

#[test]
fn the_names_of_endpoints_are_shared_and_bounded() {
    let mut reader = access(None);
    let mut facts = Vec::new();
    let line =
        |n: usize, path: &str| format!("{{\"status\":\"502\",\"httpMethod\":\"GET\",\"resourcePath\":\"/{path}{n}\"}}");
    for n in 0..3 * NAMES_MAX {
        reader.read(event("s", 0, &line(n, "p")), &mut facts);
    }
    let kept = |facts: &[Fact]| {
        let is_kept = |f: &&Fact| matches!(f, Fact::Request(r) if Arc::strong_count(&r.endpoint) > 1);
        facts.iter().filter(is_kept).count()
    };
    assert_eq!((facts.len(), kept(&facts)), (3 * NAMES_MAX, NAMES_MAX));
    // A route that is longer than any is shown cut off and is not kept.
    let mut reader = access(None);
    facts.clear();
    for n in 0..10 {
        reader.read(event("s", 0, &line(n, &"p".repeat(100_000))), &mut facts);
    }
    assert_eq!((facts.len(), kept(&facts)), (10, 0));
}

#[test]
fn nesting_and_long_keys_do_not_overflow_the_stack() {
    let texts = [
        format!("{{\"status\":\"502\",\"{}\":\"x\"}}", "log.".repeat(20_000)),
        format!("{}\"status\":\"502\"", "{\"context\":".repeat(20_000)),
        "<a>".repeat(20_000),
        "{\"type\":\"function\",\"record\":".repeat(20_000),
        "{\"spans\":[".repeat(30_000),
        "(".repeat(100_000),
    ];
    read_all(&texts).unwrap();
    assert_eq!(request(None, &texts[0]).map(|r| r.status), Some(502));
}

// === Running time, by hand ===

const ACCESS_HEADS: &[&str] = &[
    "{\"status\":\"502\",\"a\":\"",
    "{\"status\":502,\"a\":-,",
    "x [22/Nov/2026:09:00:00 +0000] \"GET /a HTTP/1.1\" 502 1 a ",
    "1.2.3.4,-,-,22/Nov/2026:09:00:00 +0000,GET,/pets,HTTP/1.1,502,36,a,b,",
    "<request id=\"a\"><status>502</status>",
    "status=502 a=",
    "(a) Status: 502 ",
];
const LAMBDA_HEADS: &[&str] = &[
    "START RequestId: a\n",
    "START RequestId: a\r",
    "REPORT RequestId: a\t",
    "RequestId: a Error: ",
    "2026-11-22T09:00:00.443Z\ta\tERROR\tInvoke Error \t{\"errorType\":\"E\",\"stack\":[",
    "[ERROR] KeyError: a\n",
    "[ERROR] KeyError: a\nTraceback (most recent call last):\n",
    "boom: a.B\n",
    "a.B: boom\na.B: ",
    "Error raised from handler method\n{",
    "2026-11-22T09:00:00.443Z\ta\tfail\tSystem.X: y\n   at ",
    "thread 'main' panicked at src/main.rs:1:2:\n",
    "ERROR Lambda runtime invoke{requestId=\"a\"}: ",
    "2026/11/22 09:00:00 {\"errorType\":\"E\",",
    "{\"time\":\"t\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"a\",",
    "{\"level\":\"ERROR\",\"message\":{",
    "/a: line 1: Killed",
];
const EXECUTION_HEADS: &[&str] = &[
    "(a) Status: 502 ",
    "(a) Endpoint response body before transformations: {\"errorMessage\":\"",
    "(a) Endpoint response headers: {",
    "(a) Execution failed ",
];

/// A text that is hard for one reader or another: its name, and how it is made at some length.
type Hard = (String, Box<dyn Fn(usize) -> String>);

fn hard_texts(kind: SourceKind) -> Vec<Hard> {
    let heads: &[&'static str] = match kind {
        SourceKind::Access(_) => ACCESS_HEADS,
        SourceKind::Lambda => LAMBDA_HEADS,
        SourceKind::Execution(_) => EXECUTION_HEADS,
    };
    let bodies = [
        " ",
        "\t",
        "\n",
        "\r",
        "\u{a0}",
        "a",
        "é",
        "\"",
        "\\",
        "\\\"",
        ",",
        "\",\"",
        "{",
        "{\"a\":",
        "{\"a\":\"",
        "\"a\":1,",
        "\"k\":\"v\",",
        "{}",
        "{\"a\":1}",
        "{\"a\":1}\n",
        "\n{",
        "\r{",
        "[",
        "[1],",
        "key:",
        "key: ",
        " k=",
        ", k: ",
        "=",
        " = ",
        "<a>",
        "<",
        "<a>b</a>",
        "(",
        ")",
        "(a) ",
        "RequestId: ",
        "START RequestId: a\n",
        "START RequestId: a\r",
        "END RequestId: a\nx\n",
        "REPORT RequestId: a\r\n",
        "XRAY TraceId: 1-5759e988-b\n",
        "RequestId: a Error: x\n",
        "requestId",
        "requestId=",
        "\"requestId\":\"",
        "requestId=abcdef ",
        "a0b1c2d3-",
        "c6af9ac6-7b61-11e6-9a41-93e8deadbeef ",
        "File \"/var/task/",
        "  File \"/var/task/a.py\", line 1\n",
        "\tat a.B.c(D.java:1)\n",
        "   at A.B() in /c/D.cs:line 1\n",
        "a: b.C\n",
        "\nTraceback (most recent call last)",
        "Caused by: a.B\n",
        "at /var/task/a.js:1:2\\n",
        "Status: ",
        "Status: error ",
        "Duration: 1 ms\t",
        "x-amzn-requestid=",
        "Lambda request id: ",
        " : ",
        "[",
        "]",
        "[22/Nov/2026",
        " | ",
        "502 ",
        "502,",
        "\",\"b\":9,",
        "' ",
        "') ",
        "', ",
        "Root=",
        "{\"type\":\"function\",\"record\":{",
        "node_modules/",
    ];
    let mut texts: Vec<Hard> = Vec::new();
    for body in bodies {
        for head in ["", "x"].iter().chain(heads) {
            let text = move |len: usize| (*head).to_owned() + &body.repeat(len / body.len());
            texts.push((format!("{head:.40?} {body:?}.."), Box::new(text)));
        }
        for other in [" ", "\n", "\"", "}", "a", "\r"] {
            let halves = move |len: usize| (body.repeat(len / body.len() / 2), other.repeat(len / 2));
            let first = move |len| {
                let (body, other) = halves(len);
                body + &other
            };
            let last = move |len| {
                let (body, other) = halves(len);
                other + &body
            };
            texts.push((format!("{body:?}.. {other:?}.."), Box::new(first)));
            texts.push((format!("{other:?}.. {body:?}.."), Box::new(last)));
        }
    }
    // A long key around many members, and looks back over blanks.
    let half = |text: &str, len: usize| text.repeat(len / 2 / text.len());
    let around = move |len, one| format!("{{\"{}\":{{{}\"z\":1}}}}", half("k", len), half(one, len));
    texts.push(("long key, members".to_owned(), Box::new(move |len| around(len, "\"a\":1,"))));
    texts.push(("long key, no JSON".to_owned(), Box::new(move |len| around(len, "\"a\":-,"))));
    texts.push((
        "a=, blanks, \" b=..".to_owned(),
        Box::new(move |len| format!("a={}\"{}", half(" ", len), half(" b=", len))),
    ));
    let blanks = |len: usize| format!("{}k: ", " ".repeat(1000)).repeat(len / 1003);
    texts.push(("blanks k:..".to_owned(), Box::new(move |len| format!("status=502{}", blanks(len)))));
    texts
}

/// What this thread has run, in nanoseconds: on a machine with other work the clock says little.
fn run_time_ns() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("measured on Linux");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("its first number is the time on a processor")
}

/// Reads a text once, or as lines of it; nanoseconds.
fn time_of(kind: SourceKind, format: Option<&str>, text: &str, as_lines: bool) -> f64 {
    let template = format.and_then(|f| Template::compile(f).ok());
    let mut reader = Reader::of(kind, template, true);
    let stream: Arc<str> = "s".into();
    let event = |text: &str| LogEvent {
        stream: Arc::clone(&stream),
        time: Timestamp::from_millis(BASE),
        text: text.to_owned(),
    };
    let events: Vec<LogEvent> = if as_lines { text.lines().map(event).collect() } else { vec![event(text)] };
    let mut facts = Vec::new();
    let began = run_time_ns();
    for event in events {
        reader.read(event, &mut facts);
    }
    reader.finish(&mut facts);
    run_time_ns() - began
}

/// Shows what a byte of hard text costs in short and in long texts; where that grows, reading is not linear.
#[test]
#[ignore = "a measurement: cargo test --release --test it -- --ignored --nocapture cost_of_a_byte"]
fn cost_of_a_byte() {
    const SHORT: usize = 64 * 1024;
    const MIDDLE: usize = 256 * 1024;
    const LONG: usize = 1024 * 1024;
    let mut ways: Vec<(String, SourceKind, Option<&str>, bool)> = vec![
        ("access".to_owned(), SourceKind::Access(ApiId(0)), None, false),
        ("lambda".to_owned(), SourceKind::Lambda, None, false),
        ("lambda, by lines".to_owned(), SourceKind::Lambda, None, true),
        ("execution".to_owned(), SourceKind::Execution(ApiId(0)), None, false),
    ];
    ways.extend(
        FORMATS.iter().map(|(f, _)| (format!("format {f:.60}"), SourceKind::Access(ApiId(0)), Some(*f), false)),
    );
    for (name, kind, format, as_lines) in ways {
        let mut worst: f64 = 0.0;
        for (text, make) in hard_texts(kind) {
            // As many bytes on both sides, because the time of a thread is counted in large steps.
            let per_byte = |len: usize, all: usize| {
                let text = make(len);
                let times = all / len;
                let ns: f64 = (0..times).map(|_| time_of(kind, format, &text, as_lines)).sum();
                #[expect(clippy::cast_precision_loss, reason = "a length is small")]
                let bytes = (text.len() * times) as f64;
                ns / bytes
            };
            let (mut before, mut after) = (per_byte(SHORT, MIDDLE), per_byte(MIDDLE, MIDDLE));
            if after > 1.7 * before {
                (before, after) = (per_byte(SHORT, LONG), per_byte(LONG, LONG));
            }
            worst = worst.max(after);
            if after > 3.0 * before && after > 10.0 {
                eprintln!("GROWS {name}: {text}: {before:.1} -> {after:.1} ns/byte");
            }
            if after > 1000.0 {
                eprintln!("DEAR {name}: {text}: {after:.1} ns/byte");
            }
        }
        eprintln!("{name}: at most {worst:.1} ns/byte");
    }
}
