//! The lines that Lambda itself writes in text format.
//!
//! START, END, REPORT, `INIT_*`, `RESTORE_*`, EXTENSION, IMAGE, faults. Shapes: AWS's open-sourced runtime core;
//! separators may be tabs or blanks, because exports and pastes turn one into the other, and several such lines may
//! stand in one event. Not the lines of runtimes. Rule: these words count only at the beginning of an event or behind
//! another platform line; text that quotes them says nothing.

use memchr::memchr2;

use crate::model::invocation::{LambdaSays, Report, ReportStatus};

use super::said::{Said, is_error_type, name, real_id, trace_root};

/// One line of the platform.
#[derive(Debug)]
pub(super) struct Platform<'a> {
    /// `None` for a line that says nothing.
    pub(super) said: Option<Said<'a>>,
    /// How much of the text it is.
    pub(super) len: usize,
    /// A fault whose error type may stand in the event behind it.
    pub(super) lacks_type: bool,
}

/// The platform's line at the beginning of `text`, if there is one.
pub(super) fn read(text: &str) -> Option<Platform<'_>> {
    // Most lines are a function's own, and their first bytes say so.
    if !matches!(text.as_bytes().first()?, b'S' | b'E' | b'R' | b'I' | b'T' | b'L' | b'X') {
        return None;
    }
    let len = line_end(text);
    let line = &text[..len];
    let whole = |said| Some(Platform { said, len, lacks_type: false });
    match text.as_bytes().first()? {
        b'S' => {
            let rest = line.strip_prefix("START RequestId: ")?;
            whole(Some(Said::new(LambdaSays::Start).of(first_word(rest))))
        }
        b'E' if line.starts_with("END RequestId: ") => whole(None),
        b'E' => whole(extension(line.strip_prefix("EXTENSION")?)),
        b'R' if line.starts_with("REPORT RequestId: ") => Some(report_line(text, len)),
        b'R' if line.starts_with("RequestId: ") => fault(text, len),
        b'R' if line.starts_with("RESTORE_REPORT ") => whole(init_report(line)),
        b'R' => line.starts_with("RESTORE_START ").then(|| whole(None))?,
        b'I' if line.starts_with("INIT_REPORT ") => whole(init_report(line)),
        b'I' if line.starts_with("IMAGE") => whole(image(line)),
        b'I' => line.starts_with("INIT_START ").then(|| whole(None))?,
        b'T' => {
            line.starts_with("TELEMETRY").then(|| is_labelled(line, "TELEMETRY", "Name:").then(|| whole(None))?)?
        }
        b'L' => line.starts_with("LOGS").then(|| is_labelled(line, "LOGS", "Name:").then(|| whole(None))?)?,
        b'X' => {
            let root = trace_root(line.strip_prefix("XRAY TraceId: ")?)?;
            let mut said = Said::new(LambdaSays::Line);
            said.trace = Some(root);
            whole(Some(said))
        }
        _ => None,
    }
}

/// Where the next platform line begins in a text that begins with none, or its end.
pub(super) fn next(text: &str) -> usize {
    let mut at = 0;
    while at < text.len() {
        at += line_end(&text[at..]);
        at += text[at..].len() - text[at..].trim_start_matches(['\n', '\r']).len();
        if at >= text.len() || read(&text[at..]).is_some() {
            return at;
        }
    }
    at
}

/// Where the first line ends, before its line end.
fn line_end(text: &str) -> usize {
    memchr2(b'\n', b'\r', text.as_bytes()).unwrap_or(text.len())
}

fn is_labelled(line: &str, word: &str, label: &str) -> bool {
    let rest = &line[word.len()..];
    rest.starts_with(['\t', ' ']) && rest.trim_start().starts_with(label)
}

fn first_word(text: &str) -> Option<&str> {
    text.split_ascii_whitespace().next().and_then(real_id)
}

/// REPORT, and the XRAY line that may stand under it.
fn report_line(text: &str, mut len: usize) -> Platform<'_> {
    let rest = &text["REPORT RequestId: ".len()..len];
    let mut said = Said::new(LambdaSays::Report(report(rest))).of(first_word(rest));
    let behind = &text[len..];
    let second = behind.trim_start_matches(['\n', '\r']);
    if second.starts_with("XRAY TraceId: ") {
        let end = line_end(second);
        said.trace = trace_root(&second["XRAY TraceId: ".len()..end]);
        len += behind.len() - second.len() + end;
    } else if !rest.contains('\t') {
        said.trace = rest.split_once("XRAY TraceId: ").and_then(|(_, xray)| trace_root(xray));
    }
    Platform { said: Some(said), len, lacks_type: false }
}

fn report(rest: &str) -> Report {
    if !rest.contains('\t') {
        return pasted_report(rest);
    }
    let number = |value: Option<&str>| value?.split_ascii_whitespace().next()?.parse::<u32>().ok();
    let mut report = Report::default();
    for field in rest.split('\t') {
        match field.as_bytes().first() {
            Some(b'D') => report.duration_ms = field.strip_prefix("Duration: ").and_then(milliseconds),
            Some(b'M') if field.starts_with("Memory") => report.memory_mb = number(field.strip_prefix("Memory Size: ")),
            Some(b'M') => report.max_memory_mb = number(field.strip_prefix("Max Memory Used: ")),
            Some(b'S') => report.status = field.strip_prefix("Status: ").and_then(|s| status_of(s.trim_end())),
            Some(b'E') => {
                let error_type = field.strip_prefix("Error Type: ").and_then(|t| t.split_ascii_whitespace().next());
                report.error_type = error_type.map(name);
            }
            _ => {}
        }
    }
    report
}

/// A report whose tabs became blanks, as in a paste.
fn pasted_report(rest: &str) -> Report {
    let number = |label: &str| value_of(rest, label).and_then(|v| v.parse::<u32>().ok());
    Report {
        // The first `Duration:` of the line is the plain one.
        duration_ms: value_of(rest, "Duration: ").and_then(milliseconds),
        memory_mb: number("Memory Size: "),
        max_memory_mb: number("Max Memory Used: "),
        status: value_of(rest, "Status: ").and_then(status_of),
        error_type: value_of(rest, "Error Type: ").map(name),
    }
}

/// The word after the first such label, up to the next blank, tab or line end.
fn value_of<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.split_once(label)?.1.split_ascii_whitespace().next()
}

/// `None` for success and for words that are not known.
pub(super) fn status_of(word: &str) -> Option<ReportStatus> {
    match word {
        "timeout" => Some(ReportStatus::Timeout),
        "error" => Some(ReportStatus::Error),
        "failure" => Some(ReportStatus::Failure),
        _ => None,
    }
}

/// `29001.45 ms`
fn milliseconds(value: &str) -> Option<f64> {
    value.split_ascii_whitespace().next()?.parse().ok().filter(|ms: &f64| ms.is_finite())
}

/// A good init says nothing.
fn init_report(line: &str) -> Option<Said<'_>> {
    let status = status_of(value_of(line, "Status: ")?)?;
    let error_type = value_of(line, "Error Type: ").map(name);
    Some(Said::new(LambdaSays::InitFailed { error_type, timed_out: status == ReportStatus::Timeout }))
}

/// `EXTENSION\tName: n\tState: Ready\tEvents: [..]`, with an error type when it failed.
fn extension(rest: &str) -> Option<Said<'_>> {
    let field = |label: &str| {
        let value = rest.split_once(label)?.1;
        value.split('\t').next()?.split("  ").next().map(str::trim)
    };
    let state = value_of(rest, "State: ").unwrap_or_default();
    let error_type = value_of(rest, "Error Type: ").or_else(|| value_of(rest, "ErrorType: "));
    extension_fault(field("Name: ").unwrap_or_default(), state, error_type)
}

/// The fault of an extension, if its state or an error type says so.
pub(super) fn extension_fault(extension: &str, state: &str, error_type: Option<&str>) -> Option<Said<'static>> {
    let failed = state.ends_with("Error") || matches!(state, "Crash" | "Failed");
    let error_type = match error_type {
        Some(t) if t.contains('.') => t.to_owned(),
        // Managed Instances give the reason alone; the state has the type's word.
        _ if failed => format!("Extension.{state}"),
        Some(t) => format!("Extension.{t}"),
        None => return None,
    };
    let sep = if extension.is_empty() { "" } else { " " };
    Some(Said::fault(&format!("extension{sep}{extension}: {state}"), Some(&error_type)))
}

/// `IMAGE\tLaunch error: ..\tEntrypoint: ..`: the container could not be started.
fn image(line: &str) -> Option<Said<'_>> {
    let rest = line.strip_prefix("IMAGE")?.trim_start();
    let reason = rest.split('\t').next()?.split("  ").next()?;
    let named = reason
        .split(|c: char| c.is_ascii_whitespace() || c == ':')
        .find(|w| w.starts_with("Runtime.") && is_error_type(w));
    let error_type = match named {
        Some(named) => named,
        None if reason.starts_with("Launch error: ") && reason.contains("chdir") => "Runtime.InvalidWorkingDir",
        None if reason.starts_with("Launch error: ") => "Runtime.InvalidEntrypoint",
        None if reason.starts_with("Invalid task config: ") => "Runtime.InvalidTaskConfig",
        None => return None,
    };
    Some(Said::fault(reason, Some(error_type)))
}

/// `RequestId: <id> Error: <reason>` with the error type on the line below, and the other lines that begin so.
fn fault(text: &str, len: usize) -> Option<Platform<'_>> {
    let line = &text[..len];
    let (id, rest) = line.strip_prefix("RequestId: ")?.split_once(|c: char| c.is_ascii_whitespace())?;
    let (id, rest) = (real_id(id), rest.trim());
    let whole = |says| Some(Platform { said: Some(Said::new(says).of(id)), len, lacks_type: false });
    if let Some(reason) = rest.strip_prefix("Error: ") {
        if let Some(after_ms) = timeout_ms(reason) {
            return whole(LambdaSays::TimedOut { after_ms });
        }
        let behind = &text[len..];
        let below = behind.trim_start();
        let end = line_end(below);
        let error_type = Some(below[..end].trim_end()).filter(|t| is_error_type(t));
        // Tables and searches show the line end between them as a blank.
        let (reason, behind_it) = if error_type.is_none() { split_type(reason) } else { (reason, None) };
        if behind_it.is_some() {
            return Some(Platform { said: Some(Said::fault(reason, behind_it).of(id)), len, lacks_type: false });
        }
        let said = Said::fault(reason, error_type).of(id);
        let len = if error_type.is_some() { len + behind.len() - below.len() + end } else { len };
        // An event of CloudWatch ends with a line end; one that does not comes out of a paste, cut into lines.
        return Some(Platform { said: Some(said), len, lacks_type: error_type.is_none() && behind.is_empty() });
    }
    if let Some(after_ms) = timeout_ms(rest) {
        return whole(LambdaSays::TimedOut { after_ms });
    }
    if let Some(rest) = rest.strip_prefix("Status: ") {
        let status = status_of(rest.split_ascii_whitespace().next()?)?;
        let error_type = value_of(rest, "ErrorType: ").or_else(|| value_of(rest, "Error Type: "));
        return whole(ended(status, error_type).says);
    }
    // Before 2019.
    let exited = "Process exited before completing request";
    rest.starts_with(exited).then(|| whole(Said::fault(exited, None).says))?
}

/// `exit code 0 Extension.Crash`: a reason and the error type behind it.
pub(super) fn split_type(reason: &str) -> (&str, Option<&str>) {
    let is_lambdas = |word: &str| {
        ["Runtime.", "Extension.", "Sandbox.", "Function."].iter().any(|p| word.starts_with(p)) && is_error_type(word)
    };
    match reason.rsplit_once(' ') {
        Some((reason, last)) if is_lambdas(last) => (reason.trim_end(), Some(last)),
        _ => (reason, None),
    }
}

/// How an invocation ended, in the words of Managed Instances, which name no numbers: a fault where the words name
/// one, else the bare status, because an ordinary exception is an `error` there too.
fn ended(status: ReportStatus, error_type: Option<&str>) -> Said<'static> {
    match (status, error_type) {
        (ReportStatus::Timeout, t) => Said::fault("Status: timeout", t.or(Some("Sandbox.Timedout"))),
        (ReportStatus::Failure, t) => Said::fault("Status: failure", t.or(Some("Sandbox.Failure"))),
        (ReportStatus::Error, Some(t)) if is_crash(t) => Said::fault("Status: error", Some(t)),
        (ReportStatus::Error, t) => Said::new(LambdaSays::Report(Report {
            status: Some(ReportStatus::Error),
            error_type: t.map(name),
            ..Report::default()
        })),
    }
}

/// An error type that the platform itself gives to what ended a process or an environment; other types stand for
/// exceptions, or for nothing in particular.
pub(super) fn is_crash(error_type: &str) -> bool {
    match error_type.split_once('.') {
        Some(("Extension" | "Sandbox", _)) => true,
        Some(("Runtime", name)) => {
            matches!(
                name,
                "ExitError" | "OutOfMemory" | "InvalidEntrypoint" | "InvalidWorkingDir" | "InvalidTaskConfig"
            )
        }
        Some(("Function", name)) => name == "ResponseSizeTooLarge",
        Some(_) | None => false,
    }
}

/// `Task timed out after 3.00 seconds`, and nothing else.
pub(super) fn timeout_ms(text: &str) -> Option<u32> {
    let after = text.strip_prefix("Task timed out after ")?;
    let seconds: f64 = after.trim_end().strip_suffix("seconds")?.trim_end().parse().ok()?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    let ms = (seconds * 1000.0).round() as u32;
    Some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> Option<LambdaSays> {
        read(text)?.said.map(|s| s.says)
    }

    fn fault_of(text: &str) -> (String, Option<String>) {
        let Some(LambdaSays::Fault { reason, error_type }) = says(text) else { panic!("{text}") };
        (reason.into(), error_type.map(Into::into))
    }

    #[test]
    fn lines_that_say_nothing() {
        for text in [
            "INIT_START Runtime Version: python:3.10.v11\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:x\n",
            "END RequestId: a\n",
            "RESTORE_START Runtime Version: java:21.v1\tRuntime Version ARN: x",
            "RESTORE_REPORT Restore Duration: 398.97 ms",
            "EXTENSION\tName: cloudwatch_lambda_agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
            "EXTENSION  Name: x  State: Registered  Events: []",
            "TELEMETRY\tName: x\tState: Subscribed\tTypes: [Platform, Function, Extension]",
            "LOGS\tName: x\tState: Subscribed\tTypes: [Platform]",
            "INIT_REPORT Init Duration: 137.69 ms\tPhase: init\tStatus: success",
        ] {
            let read = read(text).unwrap_or_else(|| panic!("{text}"));
            assert!(read.said.is_none(), "{text}");
        }
        for text in [
            "",
            "hello",
            "LOGSTASH is up",
            "TELEMETRY off",
            "Report",
            "RequestId: x is mine",
            "IMAGES: 3",
            "RequestId: ",
        ] {
            assert!(says(text).is_none(), "{text}");
        }
    }

    #[test]
    fn reports_of_all_ages() {
        let text = "REPORT RequestId: x\tDuration: 2.50 ms\tBilled Duration: 185 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tRestore Duration: 398.97 ms\tBilled Restore Duration: 182 ms\tStatus: failure\tError Type: Sandbox.Failure\nXRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 1234567812345678\tSampled: true\n";
        let line = read(text).unwrap();
        assert_eq!(&text[line.len..], "\n");
        let said = line.said.unwrap();
        assert_eq!(said.trace.as_deref(), Some("1-5759e988-bd862e3fe1be46a994272793"));
        let LambdaSays::Report(r) = said.says else { panic!() };
        assert_eq!((r.duration_ms, r.status), (Some(2.5), Some(ReportStatus::Failure)));
        assert_eq!(r.error_type.as_deref(), Some("Sandbox.Failure"));
        let blanks = text.replace(['\t', '\n'], " ");
        let said = read(&blanks).unwrap().said.unwrap();
        assert_eq!((said.says, said.trace.is_some()), (LambdaSays::Report(r), true));
    }

    #[test]
    fn faults() {
        assert_eq!(
            fault_of("RequestId: a Error: Runtime exited with error: exit status 1\r\nRuntime.ExitError\r\n"),
            ("Runtime exited with error: exit status 1".into(), Some("Runtime.ExitError".into()))
        );
        assert!(!read("RequestId: a Error: x\n").unwrap().lacks_type, "CloudWatch's own event is whole");
        assert!(read("RequestId: a Error: x").unwrap().lacks_type);
        assert_eq!(
            fault_of("EXTENSION\tName: my ext\tState: LaunchError\tEvents: []\tError Type: PermissionDenied"),
            ("extension my ext: LaunchError".into(), Some("Extension.LaunchError".into()))
        );
        assert_eq!(
            fault_of("EXTENSION\tName: e\tState: InitError\tEvents: []").1.as_deref(),
            Some("Extension.InitError")
        );
        assert_eq!(
            fault_of(
                "IMAGE\tLaunch error: fork/exec /app: exec format error\tEntrypoint: [/app]\tCmd: []\tWorkingDir: []"
            ),
            ("Launch error: fork/exec /app: exec format error".into(), Some("Runtime.InvalidEntrypoint".into()))
        );
        assert_eq!(fault_of("IMAGE\tInvalid task config: x").1.as_deref(), Some("Runtime.InvalidTaskConfig"));
        assert_eq!(fault_of("RequestId: a\tStatus: timeout").1.as_deref(), Some("Sandbox.Timedout"));
        assert_eq!(
            fault_of("RequestId: a\tStatus: error\tErrorType: Runtime.OutOfMemory").1.as_deref(),
            Some("Runtime.OutOfMemory")
        );
        let Some(LambdaSays::Report(r)) = says("RequestId: a\tStatus: error\tErrorType: Runtime.Unknown") else {
            panic!()
        };
        assert_eq!((r.status, r.error_type.as_deref()), (Some(ReportStatus::Error), Some("Runtime.Unknown")));
        assert_eq!(fault_of("RequestId: a Process exited before completing request\n\n").1, None);
        assert_eq!(
            says("RequestId: a Error: Task timed out after 1.00 seconds"),
            Some(LambdaSays::TimedOut { after_ms: 1000 })
        );
    }

    #[test]
    fn failed_inits() {
        let timeout = says("INIT_REPORT Init Duration: 9999.00 ms\tPhase: init\tStatus: timeout\n");
        assert_eq!(timeout, Some(LambdaSays::InitFailed { error_type: None, timed_out: true }));
        let restore = says("RESTORE_REPORT Restore Duration: 3.97 ms\tStatus: error\tError Type: Runtime.ExitError");
        let error_type = Some("Runtime.ExitError".into());
        assert_eq!(restore, Some(LambdaSays::InitFailed { error_type, timed_out: false }));
    }
}
