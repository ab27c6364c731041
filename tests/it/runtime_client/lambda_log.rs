//! The log stream of one invocation: what the client printed, and what Lambda writes around it.
//!
//! Written by hand after AWS's documentation, AWS's open-sourced runtime core and recorded logs, because no Lambda runs
//! here. Not the client's lines: those are real. Rule: what is not settled about Lambda is written both ways
//! ([`Wording`]), and both must lead to the same explanation.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::runtime_api::{Outcome, REQUEST_ID, Ran, exit_reason};
use super::{Format, Place};

/// The stream that the invocation runs in.
pub(super) const STREAM: &str = "2026/11/22/[$LATEST]7d0e1c5b9a634f2e8b7c6d5e4f3a2b1c";

/// From one event to the next.
const STEP: Duration = Duration::from_millis(7);

const RUNTIME_ARN: &str = "arn:aws:lambda:eu-west-1::runtime:9f2b5e1d0c8a7b6f";

/// How much Lambda says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    /// What it says today by default: crashes by the status of REPORT alone, no status for an exception.
    Terse,
    /// Text: the line of a process that ended, as it was before 2024 and still is in places. JSON: the system level
    /// DEBUG, and an exception that the report calls an error, as Lambda Managed Instances do.
    Wordy,
}

/// How an invocation ended for Lambda.
struct End {
    /// The type in `Status: error\tError Type: ..`; `None` without a status.
    status: Option<String>,
    /// It never began: the initialisation failed, and failed again when it was tried in the invocation.
    in_init: bool,
    /// How the process ended, where that ended the invocation.
    exit: Option<String>,
}

/// Events, one after the other.
struct Stream {
    now: Timestamp,
    events: Vec<(Timestamp, String)>,
}

/// The events of the stream, in order, from this time on.
pub(super) fn events(
    ran: &Ran,
    format: Format,
    place: Place,
    wording: Wording,
    from: Timestamp,
) -> Vec<(Timestamp, String)> {
    let mut stream = Stream { now: from, events: Vec::new() };
    match format {
        Format::Text => stream.text(ran, place, wording),
        Format::Json => stream.json(ran, place, wording),
    }
    stream.events
}

/// What API Gateway quotes of an invocation that failed: the message that the client posted, or Lambda's own.
pub(super) fn error_message(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Response(_) => None,
        Outcome::Error(error) | Outcome::InitError { error, .. } => {
            Some(error["errorMessage"].as_str().expect("a posted error has a message").to_owned())
        }
        Outcome::Exit(status) | Outcome::InitExit(status) => {
            Some(format!("RequestId: {REQUEST_ID} Error: {}", exit_reason(*status)))
        }
    }
}

/// Lambda takes the type from the header if it looks like one of its own.
fn accepted(error_type: &str) -> String {
    let name = error_type.strip_prefix("Runtime.").or_else(|| error_type.strip_prefix("Function."));
    let plain = |n: &str| n.starts_with(|c: char| c.is_ascii_uppercase()) && n.chars().all(|c| c.is_ascii_alphabetic());
    if name.is_some_and(plain) { error_type.to_owned() } else { "Runtime.Unknown".to_owned() }
}

impl End {
    fn of(outcome: &Outcome, format: Format, wording: Wording) -> Self {
        match outcome {
            Outcome::Response(_) => Self { status: None, in_init: false, exit: None },
            Outcome::Error(error) => {
                let error_type = error["errorType"].as_str().expect("a posted error has a type");
                let said = format == Format::Json && wording == Wording::Wordy;
                Self { status: said.then(|| accepted(error_type)), in_init: false, exit: None }
            }
            Outcome::InitError { error_type, .. } => {
                Self { status: Some(accepted(error_type)), in_init: true, exit: None }
            }
            Outcome::Exit(status) | Outcome::InitExit(status) => Self {
                status: Some("Runtime.ExitError".to_owned()),
                in_init: matches!(outcome, Outcome::InitExit(_)),
                exit: Some(exit_reason(*status)),
            },
        }
    }
}

impl Stream {
    fn push(&mut self, text: impl Into<String>) {
        self.events.push((self.now, text.into()));
        self.now += STEP;
    }

    fn text(&mut self, ran: &Ran, place: Place, wording: Wording) {
        let end = End::of(&ran.outcome, Format::Text, wording);
        let status = end.status.map(|t| format!("Status: error\tError Type: {t}")).unwrap_or_default();
        if place == Place::Managed {
            let version = "INIT_START Runtime Version: python:3.13.v64\tRuntime Version ARN: ";
            self.push(format!("{version}{RUNTIME_ARN}\n"));
        }
        if end.in_init {
            for phase in ["init", "invoke"] {
                self.print(ran);
                self.push(format!("INIT_REPORT Init Duration: 312.41 ms\tPhase: {phase}\t{status}\n"));
            }
        }
        self.push(format!("START RequestId: {REQUEST_ID} Version: $LATEST\n"));
        if !end.in_init {
            self.print(ran);
        }
        if let Some(reason) = end.exit.filter(|_| wording == Wording::Wordy) {
            self.push(format!("RequestId: {REQUEST_ID} Error: {reason}\nRuntime.ExitError\n"));
        }
        self.push(format!("END RequestId: {REQUEST_ID}\n"));
        let used = "Memory Size: 128 MB\tMax Memory Used: 41 MB\t";
        self.push(format!(
            "REPORT RequestId: {REQUEST_ID}\tDuration: 12.34 ms\tBilled Duration: 325 ms\t{used}{status}\n"
        ));
    }

    fn json(&mut self, ran: &Ran, place: Place, wording: Wording) {
        let debug = wording == Wording::Wordy;
        let end = End::of(&ran.outcome, Format::Json, wording);
        let result = |mut record: Value| {
            let status = if end.status.is_some() { "error" } else { "success" };
            record["status"] = status.into();
            if let Some(error_type) = &end.status {
                record["errorType"] = error_type.as_str().into();
            }
            record
        };
        if place == Place::Managed {
            self.platform(
                "initStart",
                &json!({
                    "initializationType": "on-demand", "phase": "init", "runtimeVersion": "python:3.13.v64",
                    "runtimeVersionArn": RUNTIME_ARN, "functionName": "checkout-fn", "functionVersion": "$LATEST",
                    "instanceId": STREAM, "instanceMaxMemory": 134_217_728,
                }),
            );
        }
        if end.in_init {
            for phase in ["init", "invoke"] {
                self.print(ran);
                let record = || result(json!({ "initializationType": "on-demand", "phase": phase }));
                if debug {
                    self.platform("initRuntimeDone", &record());
                }
                let mut report = record();
                report["metrics"] = json!({ "durationMs": 312.41 });
                self.platform("initReport", &report);
            }
        } else if debug {
            let good = json!({ "initializationType": "on-demand", "phase": "init", "status": "success" });
            self.platform("initRuntimeDone", &good);
            let mut report = good;
            report["metrics"] = json!({ "durationMs": 312.41 });
            self.platform("initReport", &report);
        }
        self.platform("start", &json!({ "requestId": REQUEST_ID, "version": "$LATEST" }));
        if !end.in_init {
            self.print(ran);
        }
        if debug {
            let metrics = json!({ "durationMs": 12.34, "producedBytes": 0 });
            self.platform("runtimeDone", &result(json!({ "requestId": REQUEST_ID, "metrics": metrics, "spans": [] })));
        }
        let metrics =
            json!({ "durationMs": 12.34, "billedDurationMs": 325, "memorySizeMB": 128, "maxMemoryUsedMB": 41 });
        self.platform("report", &result(json!({ "requestId": REQUEST_ID, "metrics": metrics })));
    }

    fn print(&mut self, ran: &Ran) {
        for text in &ran.printed {
            self.push(text);
        }
    }

    fn platform(&mut self, name: &str, record: &Value) {
        // Lambda keeps this order; that of the members of a record varies.
        self.push(format!("{{\"time\":\"{:.3}\",\"type\":\"platform.{name}\",\"record\":{record}}}\n", self.now));
    }
}
