//! Lambda's own records in JSON format: `{"time":..,"type":"platform.start","record":{..}}`.
//!
//! The same facts as the platform's text lines; members come in any order. Not the lines of functions, except that the
//! Telemetry API's shape wraps those in a record too. Rule: `platform.report` decides how an invocation ended, so
//! `platform.runtimeDone` is heard only where it names what a report may lack.

use std::borrow::Cow;

use crate::model::invocation::{LambdaSays, Report, ReportStatus};

use super::members::{Members, text_of};
use super::platform::{self, extension_fault, is_crash, status_of};
use super::said::{Said, name, real_id, trace_root};

/// What a JSON line is, by its `type`.
#[derive(Debug)]
pub(super) enum Record<'a> {
    /// A record of the platform, and what it says.
    Platform(Option<Said<'a>>),
    /// Text that the function wrote, wrapped by the Telemetry API.
    Text(Cow<'a, str>),
    /// An object that the function logged, likewise.
    Logged(&'a str),
}

/// The record, if the object is one.
pub(super) fn read<'a>(line: &Members<'a>) -> Option<Record<'a>> {
    let kind = line.text("type")?;
    let record = line.get("record")?;
    if let "function" | "extension" = &*kind {
        return Some(text_of(record).map_or(Record::Logged(record.get()), Record::Text));
    }
    let kind = kind.strip_prefix("platform.")?;
    let said = match Members::parse(record.get()) {
        Some(record) => platform(kind, &record),
        // `platform.fault` of the older core is the text of the fault line.
        None => text_of(record).and_then(|text| match text {
            Cow::Borrowed(text) => platform::read(text)?.said,
            Cow::Owned(text) => platform::read(&text)?.said.map(owned),
        }),
    };
    Some(Record::Platform(said))
}

fn owned(said: Said<'_>) -> Said<'static> {
    Said { says: said.says, id: said.id.map(|id| Cow::Owned(id.into_owned())), trace: said.trace }
}

fn platform<'a>(kind: &str, record: &Members<'a>) -> Option<Said<'a>> {
    let status = record.text("status").and_then(|s| status_of(&s));
    let error_type = record.text("errorType");
    let error_type = error_type.as_deref().filter(|t| !t.is_empty());
    let says = match kind {
        "start" => LambdaSays::Start,
        "report" => LambdaSays::Report(report(record, status, error_type)),
        "runtimeDone" => runtime_done(record, status?, error_type)?,
        "initReport" | "initRuntimeDone" | "restoreReport" | "restoreRuntimeDone" => {
            LambdaSays::InitFailed { error_type: error_type.map(name), timed_out: status? == ReportStatus::Timeout }
        }
        "extension" => {
            let text = |key| record.text(key).unwrap_or_default();
            extension_fault(&text("name"), &text("state"), error_type)?.says
        }
        "fault" => {
            let reason = record.text("error").or_else(|| record.text("reason")).unwrap_or_default();
            Said::fault(&reason, error_type).says
        }
        _ => return None,
    };
    let mut said = Said::new(says);
    said.id = record.text("requestId").filter(|id| real_id(id).is_some());
    said.trace = record.object("tracing").and_then(|t| trace_root(&t.text("value")?));
    Some(said)
}

fn report(record: &Members<'_>, status: Option<ReportStatus>, error_type: Option<&str>) -> Report {
    let metrics = record.object("metrics").unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float to int cast saturates")]
    let megabytes = |key| metrics.number(key).map(|n| n as u32);
    Report {
        duration_ms: metrics.number("durationMs"),
        memory_mb: megabytes("memorySizeMB"),
        max_memory_mb: megabytes("maxMemoryUsedMB"),
        status,
        error_type: error_type.map(name),
    }
}

fn runtime_done(record: &Members<'_>, status: ReportStatus, error_type: Option<&str>) -> Option<LambdaSays> {
    match (status, error_type) {
        (ReportStatus::Timeout, _) => {
            let ms = record.object("metrics")?.number("durationMs")?.round();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
            (1.0..=86_400_000.0).contains(&ms).then_some(LambdaSays::TimedOut { after_ms: ms as u32 })
        }
        (ReportStatus::Error | ReportStatus::Failure, Some(t)) if is_crash(t) => {
            Some(Said::fault("the runtime did not finish the invocation", Some(t)).says)
        }
        (ReportStatus::Error | ReportStatus::Failure, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<Said<'_>> {
        match read(&Members::parse(text).unwrap()) {
            Some(Record::Platform(said)) => said,
            other => panic!("{text} -> {other:?}"),
        }
    }

    #[test]
    fn start_and_report_in_any_order_of_members() {
        let s = said(r#"{"record":{"version":"$LATEST","tracing":{"spanId":"x","type":"X-Amzn-Trace-Id","value":"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=a;Sampled=1"},"requestId":"a"},"type":"platform.start","time":"2026-07-28T09:45:44.466Z"}"#).unwrap();
        assert_eq!((s.says, s.id.as_deref()), (LambdaSays::Start, Some("a")));
        assert_eq!(s.trace.as_deref(), Some("1-5759e988-bd862e3fe1be46a994272793"));
        let s = said(r#"{"time":"t","type":"platform.report","record":{"metrics":{"maxMemoryUsedMB":128,"memorySizeMB":128,"durationMs":12.5,"billedDurationMs":13},"errorType":"Runtime.OutOfMemory","status":"error","requestId":"a"}}"#).unwrap();
        let LambdaSays::Report(r) = s.says else { panic!() };
        assert_eq!((r.duration_ms, r.memory_mb, r.max_memory_mb), (Some(12.5), Some(128), Some(128)));
        assert_eq!((r.status, r.error_type.as_deref()), (Some(ReportStatus::Error), Some("Runtime.OutOfMemory")));
        let s = said(r#"{"time":"t","type":"platform.report","record":{"requestId":"a","metrics":{"durationMs":1},"status":"success"}}"#).unwrap();
        assert_eq!(s.says, LambdaSays::Report(Report { duration_ms: Some(1.0), ..Report::default() }));
    }

    #[test]
    fn the_other_records() {
        let record = |kind: &str, record: &str| format!(r#"{{"time":"t","type":"platform.{kind}","record":{record}}}"#);
        let quiet = [
            ("initStart", "{}"),
            ("initReport", r#"{"status":"success"}"#),
            ("end", r#"{"requestId":"a"}"#),
            ("runtimeDone", r#"{"requestId":"a","status":"success"}"#),
            ("logsDropped", r#"{"reason":"x"}"#),
            ("runtimeDone", r#"{"requestId":"a","status":"error","errorType":"Runtime.Unknown"}"#),
            ("extension", r#"{"name":"e","state":"Ready","events":[]}"#),
            ("invokeReport", "{}"),
            ("report", "1"),
        ];
        for (kind, text) in quiet {
            assert!(said(&record(kind, text)).is_none(), "{kind} {text}");
        }
        for kind in ["initReport", "initRuntimeDone", "restoreReport", "restoreRuntimeDone"] {
            let text = record(kind, r#"{"phase":"init","errorType":"Runtime.Unknown","status":"error"}"#);
            let error_type = Some("Runtime.Unknown".into());
            assert_eq!(said(&text).unwrap().says, LambdaSays::InitFailed { error_type, timed_out: false });
        }
        let text = record("runtimeDone", r#"{"requestId":"a","status":"timeout","metrics":{"durationMs":3000.0}}"#);
        assert_eq!(said(&text).unwrap().says, LambdaSays::TimedOut { after_ms: 3000 });
        let text = record("extension", r#"{"name":"e","state":"Registered","errorType":"Extension.Crash"}"#);
        assert!(
            matches!(said(&text).unwrap().says, LambdaSays::Fault { error_type: Some(t), .. } if &*t == "Extension.Crash")
        );
        let text = record("fault", r#""RequestId: a Error: Runtime exited\nRuntime.ExitError\n""#);
        assert_eq!(said(&text).unwrap().id.as_deref(), Some("a"));
    }

    #[test]
    fn what_the_telemetry_api_wraps() {
        let text =
            Members::parse(r#"{"time":"t","type":"function","record":"hello"}"#).map(|m| format!("{:?}", read(&m)));
        assert_eq!(text.as_deref(), Some("Some(Text(\"hello\"))"));
        let object = Members::parse(r#"{"time":"t","type":"function","record":{"level":"INFO"}}"#)
            .map(|m| format!("{:?}", read(&m)));
        assert!(object.unwrap().contains("Logged"));
        assert!(read(&Members::parse(r#"{"type":"order","record":{}}"#).unwrap()).is_none());
    }
}
