//! The real Python runtime client of Lambda, `awslambdaric`: what it prints is explained rightly.
//!
//! Each case runs the client against a Runtime API on loopback (`runtime_api`), puts what it printed into the log that
//! Lambda would have written (`lambda_log`), adds the access line that API Gateway writes for such a failure, and asks
//! `gatewatch replay`. So the runtime's lines are never our idea of them. Not a test of Lambda: what the platform writes
//! is ours. Rule: what each case expects is what a person would say who knows the handler; it is the same in every form
//! that the log can have.
//!
//! `cargo test --test it runtime_client -- --nocapture` shows what the client printed.

mod lambda_log;
mod runtime_api;

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::lambda_log::Wording;
use self::runtime_api::{Outcome, REQUEST_ID, Ran};
use crate::python::{self, Python, Wanted};

/// The log format that is set for the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

/// Where the client runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Lambda's own image: lines go through a descriptor of their own, as frames.
    Managed,
    /// A container image: everything goes to standard output.
    Container,
}

/// A way for a handler to fail.
struct Case {
    name: &'static str,
    handler: &'static str,
    /// What the client does about it; that it does is checked before gatewatch is asked.
    ends: Ends,
    gateway: Gateway,
    expect: Expect,
}

/// What the client does: the type of the error that it posts, the response, how the process ends.
enum Ends {
    Error(&'static str),
    InitError(&'static str),
    Response(&'static str),
    Exit(&'static str),
    InitExit(&'static str),
}

/// What API Gateway makes of it.
#[derive(PartialEq)]
enum Gateway {
    /// 502, with what the function said.
    FunctionError,
    /// 502, and the reason: a response in a wrong shape.
    Malformed,
    /// 502 without any words.
    Silent,
    /// 200.
    Good,
}

/// The explanation that is right.
enum Expect {
    /// None: the request went well.
    Nothing,
    Failure {
        kind: &'static str,
        certainty: &'static str,
        error_type: Option<&'static str>,
        /// A part of the message.
        message: &'static str,
        /// File and mark of the line, where there is one.
        place: Option<(&'static str, &'static str)>,
    },
}

const fn exception(error_type: &'static str, message: &'static str, mark: &'static str) -> Expect {
    let place = Some(("shop.py", mark));
    failure("unhandled_exception", "certain", Some(error_type), message, place)
}

const fn init(error_type: &'static str, message: &'static str, place: Option<(&'static str, &'static str)>) -> Expect {
    failure("init_failure", "certain", Some(error_type), message, place)
}

const fn exit(message: &'static str) -> Expect {
    failure("process_exit", "certain", Some("Runtime.ExitError"), message, None)
}

const fn failure(
    kind: &'static str,
    certainty: &'static str,
    error_type: Option<&'static str>,
    message: &'static str,
    place: Option<(&'static str, &'static str)>,
) -> Expect {
    Expect::Failure { kind, certainty, error_type, message, place }
}

const fn case(name: &'static str, handler: &'static str, ends: Ends, gateway: Gateway, expect: Expect) -> Case {
    Case { name, handler, ends, gateway, expect }
}

const CASES: &[Case] = &[
    case(
        "an exception",
        "shop.exception",
        Ends::Error("KeyError"),
        Gateway::FunctionError,
        exception("KeyError", "'items'", "exception"),
    ),
    case(
        "a message of several lines",
        "shop.message_of_several_lines",
        Ends::Error("ValueError"),
        Gateway::FunctionError,
        exception("ValueError", "the cart is not valid:", "several lines"),
    ),
    case(
        "an exception without a message",
        "shop.no_message",
        Ends::Error("NotImplementedError"),
        Gateway::FunctionError,
        exception("NotImplementedError", "", "no message"),
    ),
    case(
        "an exception in a library",
        "shop.exception_in_a_library",
        Ends::Error("JSONDecodeError"),
        Gateway::FunctionError,
        exception("JSONDecodeError", "line 1 column", "library"),
    ),
    case(
        "an exception that came from another",
        "shop.handled_and_raised_again",
        Ends::Error("LookupError"),
        Gateway::FunctionError,
        exception("LookupError", "no price: 'items'", "raised again"),
    ),
    case(
        "a module that is not there",
        "missing_dependency.handler",
        Ends::InitError("Runtime.ImportModuleError"),
        Gateway::FunctionError,
        init("Runtime.ImportModuleError", "No module named 'a_package_that_nobody_deployed'", None),
    ),
    case(
        "a handler that is not there",
        "shop.nothing_by_this_name",
        Ends::InitError("Runtime.HandlerNotFound"),
        Gateway::FunctionError,
        init("Runtime.HandlerNotFound", "Handler 'nothing_by_this_name' missing on module 'shop'", None),
    ),
    case(
        "a handler's name without a dot",
        "shop",
        Ends::InitError("Runtime.MalformedHandlerName"),
        Gateway::FunctionError,
        init("Runtime.MalformedHandlerName", "Bad handler 'shop'", None),
    ),
    case(
        "a module named as one of Python's own",
        "time.handler",
        Ends::InitError("Runtime.BuiltInModuleConflict"),
        Gateway::FunctionError,
        init("Runtime.BuiltInModuleConflict", "Cannot use built-in module time", None),
    ),
    case(
        "a syntax error",
        "syntax_error.handler",
        Ends::InitError("Runtime.UserCodeSyntaxError"),
        Gateway::FunctionError,
        init(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'syntax_error'",
            Some(("syntax_error.py", "syntax")),
        ),
    ),
    case(
        "an exception at import",
        "raises_at_import.handler",
        Ends::InitError("RuntimeError"),
        Gateway::FunctionError,
        init("RuntimeError", "TABLE_NAME is not set", Some(("raises_at_import.py", "import"))),
    ),
    case(
        "an exit at import",
        "exits_at_import.handler",
        Ends::InitExit("exit status 4"),
        Gateway::FunctionError,
        init("Runtime.ExitError", "", None),
    ),
    case("sys.exit", "shop.exits", Ends::Exit("exit status 3"), Gateway::FunctionError, exit("")),
    case(
        "sys.exit with a text",
        "shop.exits_with_words",
        Ends::Exit("exit status 1"),
        Gateway::FunctionError,
        exit(""),
    ),
    case(
        "os._exit(0)",
        "shop.exits_without_a_reason",
        Ends::Exit("without providing a reason"),
        Gateway::FunctionError,
        exit(""),
    ),
    case("a kill", "shop.is_killed", Ends::Exit("signal: killed"), Gateway::FunctionError, exit("")),
    case(
        "an answer that is not JSON",
        "shop.a_set",
        Ends::Error("Runtime.MarshalError"),
        Gateway::FunctionError,
        failure("unserializable_response", "certain", Some("Runtime.MarshalError"), "Unable to marshal response", None),
    ),
    case(
        "a bare string, and the gateway says so",
        "shop.a_bare_string",
        Ends::Response("\"hello\""),
        Gateway::Malformed,
        failure("malformed_response", "certain", None, "Malformed Lambda proxy response", None),
    ),
    case(
        "a bare string, and the gateway says nothing",
        "shop.a_bare_string",
        Ends::Response("\"hello\""),
        Gateway::Silent,
        failure("malformed_response", "likely", None, "", None),
    ),
    case(
        "a bare string after an error that was logged",
        "shop.an_error_that_is_logged_and_a_bare_string",
        Ends::Response("\"hello\""),
        Gateway::Silent,
        failure("malformed_response", "likely", None, "", None),
    ),
    case(
        "a good answer after an error that was logged",
        "shop.an_error_that_is_logged_and_a_good_answer",
        Ends::Response("{\"statusCode\": 200, \"body\": \"{}\"}"),
        Gateway::Good,
        Expect::Nothing,
    ),
];

#[test]
fn python_in_text() {
    check_all(newest(), Format::Text, Place::Managed, "");
}

#[test]
fn python_in_text_from_a_container() {
    check_all(newest(), Format::Text, Place::Container, "");
}

#[test]
fn python_in_json() {
    check_all(newest(), Format::Json, Place::Managed, "level");
}

#[test]
fn python_in_json_from_a_container() {
    check_all(newest(), Format::Json, Place::Container, "level");
}

/// Up to 4.0.1 the runtime's own errors had their level under another name.
#[test]
fn python_in_json_of_older_clients() {
    check_all(older(), Format::Json, Place::Managed, "log_level");
}

/// The newest version when this was last looked at (`pip index versions awslambdaric`).
fn newest() -> &'static Python {
    static ENVIRONMENT: OnceLock<Result<Python, String>> = OnceLock::new();
    python::made_once(&ENVIRONMENT, || wanted("4.2.2"))
}

/// The last version with the older JSON.
fn older() -> &'static Python {
    static ENVIRONMENT: OnceLock<Result<Python, String>> = OnceLock::new();
    python::made_once(&ENVIRONMENT, || wanted("4.0.1"))
}

fn wanted(version: &str) -> Wanted {
    Wanted {
        name: format!("awslambdaric-{version}"),
        purpose: "the tests with Lambda's runtime client",
        requirements: [&format!("awslambdaric=={version}"), "simplejson==4.3.0", "snapshot-restore-py==1.0.0"]
            .map(str::to_owned)
            .into(),
        // The second is the client's compiled part.
        check: "import awslambdaric.bootstrap, runtime_client",
    }
}

/// Runs all cases in one form of the log and says all that is wrong.
fn check_all(python: &Python, format: Format, place: Place, level: &str) {
    let mut wrong = Vec::new();
    for case in CASES {
        let ran = runtime_api::run(python, case.handler, format, place);
        let printed = lines(ran.printed.iter().map(|text| format!("{text:?}")));
        eprintln!("{format:?}, {place:?}, {}: it {}\n{printed}", case.name, ran.outcome);
        case.check_client(&ran, format, place, level);
        for wording in [Wording::Terse, Wording::Wordy] {
            if let Err(what) = case.check(&ran, format, place, wording) {
                wrong.push(format!("== {} ({wording:?})\n{what}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} explanations:\n\n{}", wrong.len(), 2 * CASES.len(), wrong.join("\n"));
}

impl Case {
    /// The client did what the case is about, in the form that is asked for. Anything else is not gatewatch's fault.
    fn check_client(&self, ran: &Ran, format: Format, place: Place, level: &str) {
        let as_expected = match (&self.ends, &ran.outcome) {
            (Ends::Error(error_type), Outcome::Error(error)) => error["errorType"] == *error_type,
            (Ends::InitError(expected), Outcome::InitError { error_type, .. }) => error_type == expected,
            (Ends::Response(expected), Outcome::Response(response)) => response == expected,
            (Ends::Exit(expected), Outcome::Exit(status)) | (Ends::InitExit(expected), Outcome::InitExit(status)) => {
                runtime_api::exit_reason(*status).ends_with(expected)
            }
            _ => false,
        };
        assert!(as_expected, "{}: the client did something else: it {}", self.name, ran.outcome);
        if !matches!(ran.outcome, Outcome::Error(_) | Outcome::InitError { .. }) {
            return;
        }
        let line = ran.printed.last().unwrap_or_else(|| panic!("{}: the client says why", self.name));
        match (format, place) {
            (Format::Text, Place::Managed) => assert!(!line.contains('\r') && line.contains('\n'), "{line:?}"),
            (Format::Text, Place::Container) => assert!(line.contains('\r') && line.find('\n') == Some(line.len() - 1)),
            (Format::Json, _) => {
                let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
                assert_eq!(line[level], "ERROR", "{line}");
                let members = ["timestamp", level, "errorMessage", "errorType", "requestId", "stackTrace"];
                let others = line.as_object().into_iter().flatten().filter(|(key, _)| !members.contains(&key.as_str()));
                assert_eq!(others.count(), 0, "{line}");
            }
        }
    }

    /// gatewatch explains it.
    fn check(&self, ran: &Ran, format: Format, place: Place, wording: Wording) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let began = Timestamp::now();
        let event = |stream: &str, time: Timestamp, text: &str, number: usize| {
            let time = time.as_millisecond();
            let id = format!("{time}{number:043}");
            format!("{}\n", json!({ "logStreamName": stream, "timestamp": time, "message": text, "eventId": id }))
        };
        let access = event("access", began, &self.access_line(ran, began), 0);
        let log = lambda_log::events(ran, format, place, wording, began + Duration::from_millis(20));
        let events = log.iter().enumerate().map(|(at, (time, text))| event(lambda_log::STREAM, *time, text, at));
        fs::write(folder.path().join("access.json"), access).expect("a file can be written");
        fs::write(folder.path().join("checkout-fn.json"), events.collect::<String>()).expect("a file can be written");
        let output = Command::new(env!("CARGO_BIN_EXE_gatewatch"))
            .args(["replay", "--access", "access.json", "--lambda", "checkout-fn.json", "--output", "json"])
            .env_clear()
            .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|v| ("LLVM_PROFILE_FILE", v)))
            .current_dir(folder.path())
            .output()
            .expect("the program can be started");
        let stdout = String::from_utf8(output.stdout).expect("it writes UTF-8");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", output.status);
        let objects: Vec<Value> =
            stdout.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect();
        let failures: Vec<_> = objects.iter().filter(|o| o["type"] == "failure").collect();
        let what = match (&self.expect, &failures[..]) {
            (Expect::Nothing, []) => String::new(),
            (Expect::Failure { .. }, [failure]) => self.expect.differences(failure),
            (Expect::Nothing, _) => "expected no failure".to_owned(),
            (Expect::Failure { .. }, _) => "expected one failure".to_owned(),
        };
        if what.is_empty() {
            return Ok(());
        }
        let failures = lines(failures.iter().map(ToString::to_string));
        // What the client warns of at every failed init is long.
        let log = lines(log.iter().map(|(time, text)| format!("{time:.3} {:.400}", format!("{text:?}"))));
        Err(format!("{what}\ngatewatch said\n{failures}{stderr}the log was\n{log}"))
    }

    /// The access line of a REST API in the format that README recommends.
    fn access_line(&self, ran: &Ran, time: Timestamp) -> String {
        let message = lambda_log::error_message(&ran.outcome);
        assert_eq!(message.is_some(), self.gateway == Gateway::FunctionError, "{}: it {}", self.name, ran.outcome);
        let (error, error_message, error_type) = match self.gateway {
            Gateway::FunctionError => {
                let said = format!("Lambda Customer Function Error:{}", message.unwrap_or_default());
                (said, "Internal server error", "INTEGRATION_FAILURE")
            }
            Gateway::Malformed => (
                "Execution failed due to configuration error: Malformed Lambda proxy response".to_owned(),
                "Internal server error",
                "API_CONFIGURATION_ERROR",
            ),
            Gateway::Silent | Gateway::Good => ("-".to_owned(), "-", "-"),
        };
        let (status, function_status) = if self.gateway == Gateway::Good { ("200", "200") } else { ("502", "-") };
        json!({
            "requestId": "8f1f2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b", "extendedRequestId": "UZ7k5GbPjoEFqHg=",
            "requestTimeEpoch": time.as_millisecond().to_string(), "apiId": "a1b2c3d4e5", "stage": "prod",
            "httpMethod": "POST", "resourcePath": "/checkout", "status": status, "responseLatency": "364",
            "responseLength": "36", "integrationRequestId": REQUEST_ID, "integrationStatus": "200",
            "functionStatus": function_status, "integrationLatency": "361", "integrationError": error,
            "errorMessage": error_message, "errorType": error_type, "authorizerError": "-",
            "authorizerRequestId": "-", "wafError": "-", "xrayTraceId": "-",
        })
        .to_string()
    }
}

impl Expect {
    /// What is wrong with an explanation, one line each.
    fn differences(&self, got: &Value) -> String {
        let Self::Failure { kind, certainty, error_type, message, place } = self else { return String::new() };
        let cause = &got["cause"];
        let mut expected = vec![
            ("kind", json!(kind), &cause["kind"]),
            ("certainty", json!(certainty), &cause["certainty"]),
            ("error_type", json!(error_type), &cause["error_type"]),
            ("join", json!("integration_request_id"), &cause["join"]),
            ("lambda_request_id", json!(REQUEST_ID), &got["lambda_request_id"]),
        ];
        expected.retain(|(_, expected, got)| expected != *got);
        let mut wrong: Vec<_> =
            expected.iter().map(|(key, expected, got)| format!("{key}: expected {expected}, got {got}")).collect();
        if !cause["message"].as_str().unwrap_or_default().contains(message) {
            wrong.push(format!("message: expected `{message}` in {}", cause["message"]));
        }
        // The place is told in the text of the fix.
        let fix = got["fix"]["text"].as_str().unwrap_or_default();
        if let Some((file, mark)) = place
            && !fix.contains(&format!(" at {file}:{} ", line_of(file, mark)))
            && !fix.contains(&format!(" at {file}:{}:", line_of(file, mark)))
        {
            wrong.push(format!("place: expected {file}:{} in `{fix}`", line_of(file, mark)));
        }
        wrong.join("\n")
    }
}

/// One below the other, indented.
fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.flat_map(|text| ["  ".to_owned(), text, "\n".to_owned()]).collect()
}

/// The number of the line that is marked `# here: ..`.
fn line_of(file: &str, mark: &str) -> usize {
    let text = fs::read_to_string(runtime_api::task_folder().join(file)).expect("the handlers are there");
    let here = format!("# here: {mark}");
    1 + text.lines().position(|line| line.ends_with(&here)).unwrap_or_else(|| panic!("{file} has no `{here}`"))
}
