//! The reader as a whole: platform lines, blocks, glued lines, bounds. Rule: what one event says is said once.

use super::*;
use crate::model::invocation::{ReportStatus, RuntimeError};

mod any_input;
mod json;
mod runtimes;

fn read_all(texts: &[&str]) -> Vec<LambdaLine> {
    let mut reader = LambdaReader::default();
    let mut found = Vec::new();
    for text in texts {
        let event = LogEvent { stream: "s".into(), time: Timestamp::from_millis(5), text: (*text).to_owned() };
        reader.read(event, |l| found.push(l));
    }
    reader.finish(|l| found.push(l));
    found
}

fn read(text: &str) -> LambdaLine {
    let mut found = read_all(&[text]);
    assert_eq!(found.len(), 1, "{text} -> {found:?}");
    found.remove(0)
}

fn unhandled(line: &LambdaLine) -> &RuntimeError {
    let LambdaSays::Unhandled(e) = &line.says else { panic!("{line:?}") };
    e
}

#[test]
fn platform_lines_with_tabs() {
    assert_eq!(read("START RequestId: 72566006-a Version: $LATEST\n").says, LambdaSays::Start);
    assert!(read_all(&["END RequestId: 72566006-a\n"]).is_empty());
    let line = read(
        "REPORT RequestId: x\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\tStatus: error\tError Type: Runtime.OutOfMemory\n",
    );
    let LambdaSays::Report(r) = line.says else { panic!() };
    assert_eq!(r.duration_ms, Some(3.01));
    assert_eq!((r.memory_mb, r.max_memory_mb), (Some(128), Some(36)));
    assert_eq!((r.status, r.error_type.as_deref()), (Some(ReportStatus::Error), Some("Runtime.OutOfMemory")));
    let line =
        read("INIT_REPORT Init Duration: 137.69 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\n");
    assert!(matches!(line.says, LambdaSays::InitFailed { timed_out: false, .. }));
    assert!(read_all(&["INIT_REPORT Init Duration: 137.69 ms\n"]).is_empty(), "a good init says nothing");
}

#[test]
fn the_articles_timeout() {
    let lines = read_all(&[
        "Task timed out after 29.00 seconds",
        "REPORT RequestId: i9j0k1l2  Duration: 29001.45 ms  Billed Duration: 29100 ms  Memory Size: 256 MB  Max Memory Used: 198 MB  Status: timeout",
    ]);
    assert_eq!((&lines[0].says, lines[0].request_id.as_deref()), (&LambdaSays::TimedOut { after_ms: 29_000 }, None));
    assert_eq!(lines[1].request_id.as_deref(), Some("i9j0k1l2"));
    let LambdaSays::Report(r) = &lines[1].says else { panic!() };
    assert_eq!((r.duration_ms, r.status), (Some(29001.45), Some(ReportStatus::Timeout)));
    assert_eq!((r.memory_mb, r.max_memory_mb), (Some(256), Some(198)));
}

const ARTICLE: &str = "ERROR  Invoke Error\n{\n  \"errorType\": \"TypeError\",\n  \"errorMessage\": \"Cannot read property 'body' of undefined\",\n  \"stackTrace\": [\n    \"at handler (/var/task/index.js:12:34)\",\n    \"at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs:1173:29)\"\n  ]\n}";

#[test]
fn the_articles_invoke_error_in_one_event_and_in_one_event_per_line() {
    let split: Vec<_> = ARTICLE.lines().collect();
    for lines in [read_all(&[ARTICLE]), read_all(&split)] {
        assert_eq!(lines.len(), 1);
        let e = unhandled(&lines[0]);
        assert_eq!(e.error_type.as_deref(), Some("TypeError"));
        assert_eq!(e.message.as_deref(), Some("Cannot read property 'body' of undefined"));
        assert_eq!(e.site.as_ref().map(ToString::to_string).as_deref(), Some("index.js:12"));
    }
}

#[test]
fn a_block_that_is_broken_off_is_still_an_error() {
    let lines = read_all(&["ERROR  Invoke Error", "{", "  \"errorType\": \"X\",", "END RequestId: a"]);
    assert_eq!(lines.len(), 1);
    assert_eq!(unhandled(&lines[0]), &RuntimeError::default());
    assert_eq!(read_all(&["ERROR  Invoke Error"]).len(), 1);
}

#[test]
fn node_lines() {
    let line = read(
        "2026-07-28T09:45:44.466Z\t72566006-a\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"boom\",\"stack\":[\"TypeError: boom\",\"    at f (/var/task/node_modules/x/i.js:1:2)\",\"    at Runtime.handler (/var/task/src/index.js:12:34)\"]}\n",
    );
    assert_eq!(line.request_id.as_deref(), Some("72566006-a"));
    assert_eq!(unhandled(&line).site.as_ref().map(ToString::to_string).as_deref(), Some("src/index.js:12"));
    let init = read(
        "2026-07-28T09:45:44.466Z\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.ImportModuleError\",\"errorMessage\":\"Cannot find module 'x'\",\"stack\":[]}",
    );
    assert_eq!(
        (init.request_id.as_deref(), unhandled(&init).error_type.as_deref()),
        (None, Some("Runtime.ImportModuleError"))
    );
    let logged = read("2026-07-28T09:45:44.466Z\tabc\tERROR\tpayment declined: Invoke Error of the bank");
    assert_eq!((logged.says, logged.request_id.as_deref()), (LambdaSays::ErrorLine, Some("abc")));
    assert!(read_all(&["2026-07-28T09:45:44.466Z\tabc\tINFO\tTask timed out after lunch"]).is_empty());
}

#[test]
fn python_lines() {
    let line = read(
        "[ERROR] KeyError: 'items'\nTraceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 12, in handler\n\u{a0}\u{a0}\u{a0}\u{a0}x = e['items']\n",
    );
    let e = unhandled(&line);
    assert_eq!((e.error_type.as_deref(), e.message.as_deref()), (Some("KeyError"), Some("'items'")));
    assert_eq!(e.site.as_ref().map(ToString::to_string).as_deref(), Some("app.py:12"));
    let logged = read("[ERROR]\t2026-07-28T09:45:44.466Z\tabc-1\tcould not reach the cache\n");
    assert_eq!((logged.says, logged.request_id.as_deref()), (LambdaSays::ErrorLine, Some("abc-1")));
    assert!(read_all(&["[ERROR] PaymentDeclined: card refused, answering 402\n"]).is_empty());
    assert!(read_all(&["[ERROR] [1785231944466] LAMBDA_RUNTIME Failed to post handler success response"]).is_empty());
}

#[test]
fn timeouts_and_faults_with_an_id() {
    let t = read("2026-07-28T09:45:47.466Z 72566006-a Task timed out after 3.00 seconds\n\n");
    assert_eq!((t.says, t.request_id.as_deref()), (LambdaSays::TimedOut { after_ms: 3000 }, Some("72566006-a")));
    let f = read("RequestId: abc Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n");
    let LambdaSays::Fault { reason, error_type } = &f.says else { panic!() };
    assert_eq!(
        (&**reason, error_type.as_deref()),
        ("Runtime exited with error: signal: killed", Some("Runtime.ExitError"))
    );
}

#[test]
fn any_bytes_are_survived() {
    let long = "x".repeat(100_000);
    for text in [
        "\u{0}",
        "REPORT RequestId: ",
        "START RequestId: ",
        "Task timed out after 1e999 seconds",
        "ERROR Invoke Error {\u{1F600}",
        &long,
    ] {
        let _ = read_all(&[text, text]);
    }
}

// === Shapes of the reference, by runtime ===

const ID: &str = "72566006-5b4b-4a6e-9d3c-0a1b2c3d4e5f";
const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

fn perhaps(line: &LambdaLine) -> &RuntimeError {
    let LambdaSays::PerhapsUnhandled(e) = &line.says else { panic!("{line:?}") };
    e
}

/// Type, message and place.
fn parts(e: &RuntimeError) -> (Option<&str>, Option<&str>, Option<String>) {
    (e.error_type.as_deref(), e.message.as_deref(), e.site.as_ref().map(ToString::to_string))
}

fn mentions_of(line: &LambdaLine) -> Vec<&str> {
    line.refs.iter().flat_map(|r| &r.mentions).map(|m| &**m).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be missing")]
fn site(s: &str) -> Option<String> {
    Some(s.to_owned())
}

/// Errors whose lines may come as one event, with carriage returns, or as one event per line: all say the same.
fn multi_line_errors() -> Vec<(String, LambdaSays)> {
    let error = |t: &str, m: &str, file: &str, line| RuntimeError {
        error_type: Some(t.into()),
        message: Some(m.into()),
        site: Some(crate::model::invocation::Site { file: file.into(), line }),
    };
    vec![
        (
            "[ERROR] ValidationError: 2 errors\nname\nfield required\nTraceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 12, in handler\n\u{a0}\u{a0}\u{a0}\u{a0}f()\n\u{a0}\u{a0}File \"/var/task/lib/x.py\", line 3, in f\n\u{a0}\u{a0}\u{a0}\u{a0}raise E".to_owned(),
            LambdaSays::Unhandled(error("ValidationError", "2 errors\nname\nfield required", "lib/x.py", 3)),
        ),
        (
            "boom: java.lang.IllegalStateException\njava.lang.IllegalStateException: boom\n\tat java.base/java.util.Objects.x(Objects.java:1)\n\tat example.Handler.handleRequest(Handler.java:12)\nCaused by: java.io.IOException: low\n\t... 3 more".to_owned(),
            LambdaSays::Unhandled(error("java.lang.IllegalStateException", "boom", "Handler.java", 12)),
        ),
        (
            "Error raised from handler method\n{\n  \"errorMessage\": \"no {brace\",\n  \"errorType\": \"Function<TypeError>\",\n  \"stackTrace\": [\n    \"/var/runtime/gems/x.rb:1:in 'x'\",\n    \"/var/task/app.rb:12:in 'handler'\"\n  ]\n}".to_owned(),
            LambdaSays::Unhandled(error("Function<TypeError>", "no {brace", "app.rb", 12)),
        ),
        (
            format!("2026-07-28T09:45:44.466Z\t{ID}\tfail\tSystem.InvalidOperationException: boom ---> System.Exception: low\n   at App.Function.Handler(String s) in /src/Function.cs:line 12\n   --- End of inner exception stack trace ---\n   at Amazon.Lambda.RuntimeSupport.LambdaBootstrap.InvokeOnceAsync()"),
            LambdaSays::Unhandled(error("System.InvalidOperationException", "boom", "Function.cs", 12)),
        ),
        (
            ARTICLE.to_owned(),
            LambdaSays::Unhandled(error("TypeError", "Cannot read property 'body' of undefined", "index.js", 12)),
        ),
    ]
}

#[test]
fn multi_line_errors_in_one_event_or_cut_into_lines() {
    for (text, want) in multi_line_errors() {
        let lines: Vec<_> = text.split('\n').collect();
        let images = text.replace('\n', "\r");
        let windows = format!("{}\r\n", text.replace('\n', "\r\n"));
        for found in [read_all(&[&text]), read_all(&lines), read_all(&[&images]), read_all(&[&windows])] {
            let found: Vec<_> = found.iter().map(|l| l.says.clone()).collect();
            assert_eq!(found, std::slice::from_ref(&want), "{text}");
        }
        // What comes behind it is read for itself.
        let mut more = lines.clone();
        more.push("REPORT RequestId: x\tDuration: 3.01 ms\t");
        let found = read_all(&more);
        assert_eq!((&found[0].says, found.len()), (&want, 2), "{text}");
    }
}

#[test]
fn beginnings_that_were_none() {
    for text in ["it failed with: java.io.IOException", "[ERROR] Declined: no funds", "thread 'x' panicked"] {
        assert!(read_all(&[text, "next line", "END RequestId: a"]).is_empty(), "{text}");
    }
    let found = read_all(&["2026-07-28T09:45:44.466Z\ta\tfail\tSystem.Exception: caught", "next line"]);
    assert_eq!((found.len(), &found[0].says), (1, &LambdaSays::ErrorLine));
    let found = read_all(&["RequestId: a Error: Runtime exited with error: signal: killed", "Runtime.ExitError"]);
    let LambdaSays::Fault { error_type, .. } = &found[0].says else { panic!("{found:?}") };
    assert_eq!((error_type.as_deref(), found.len()), (Some("Runtime.ExitError"), 1));
}

#[test]
fn glued_lines_are_each_read() {
    for sep in ["\n", "\r", "\r\n", "\n\n"] {
        let text = [
            "START RequestId: a Version: 1",
            "hello",
            "requestId=abcd",
            "END RequestId: a",
            "REPORT RequestId: a\tDuration: 3.01 ms\t",
            &format!("XRAY TraceId: {ROOT}\tSegmentId: x"),
            "RequestId: a Error: Runtime exited",
            "Runtime.ExitError",
            "",
        ]
        .join(sep);
        let found = read_all(&[&text]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0].says, LambdaSays::Start);
        assert_eq!(mentions_of(&found[1]), ["abcd"]);
        assert_eq!(found[2].refs.as_ref().unwrap().trace_id.as_deref(), Some(ROOT));
        assert!(matches!(&found[3].says, LambdaSays::Fault { error_type: Some(t), .. } if &**t == "Runtime.ExitError"));
    }
    let xray = format!("XRAY TraceId: {ROOT}\tSegmentId: x");
    let found = read_all(&["REPORT RequestId: a\tDuration: 3.01 ms\t", &xray]);
    assert_eq!((found[1].request_id.as_deref(), &found[1].says), (Some("a"), &LambdaSays::Line));
    // A text that quotes the platform says nothing.
    assert!(read_all(&["saw this:\nREPORT RequestId: a\tDuration: 3.01 ms\tStatus: timeout"]).is_empty());
}

#[test]
fn json_records_in_the_reader() {
    let found = read_all(&[
        r#"{"time":"t","type":"platform.start","record":{"requestId":"a","version":"1"}}"#,
        "plain text, requestId=abcd",
        "{\"type\":\"function\",\"time\":\"t\",\"record\":\"[ERROR]\\t2026-07-28T09:45:44.466Z\\tabc-1\\tdeclined\\n\"}",
        r#"{"time":"t","type":"platform.report","record":{"requestId":"a","status":"timeout","metrics":{"durationMs":3000.0}}}"#,
    ]);
    assert_eq!(found.len(), 4);
    assert_eq!((found[2].request_id.as_deref(), &found[2].says), (Some("abc-1"), &LambdaSays::ErrorLine));
    let LambdaSays::Report(r) = &found[3].says else { panic!() };
    assert_eq!(r.status, Some(ReportStatus::Timeout));
    let two = read_all(&[
        "{\"time\":\"t\",\"type\":\"platform.start\",\"record\":{\"requestId\":\"a\"}}\n{\"time\":\"t\",\"type\":\"platform.start\",\"record\":{\"requestId\":\"b\"}}\ntail",
    ]);
    assert_eq!(two.len(), 2);
}

#[test]
fn what_a_function_logs_of_its_event() {
    let api = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";
    for text in [
        format!("2026-07-28T09:45:44.466Z\t{ID}\tINFO\t{{\"requestContext\":{{\"requestId\":\"{api}\"}}}}"),
        format!("[INFO]\t2026-07-28T09:45:44.466Z\t{ID}\t{{'requestContext': {{'requestId': '{api}'}}}}"),
    ] {
        let line = read(&text);
        assert_eq!(
            (&line.says, line.request_id.as_deref(), mentions_of(&line)),
            (&LambdaSays::Line, Some(ID), vec![api])
        );
        assert_eq!(&*line.text, text);
    }
    let line = read(&format!(
        "2026-07-28T09:45:44.466Z\t{ID}\tERROR\tInvoke Error \t{{\"errorType\":\"E\",\"errorMessage\":\"for {api}\",\"stack\":[]}}"
    ));
    assert_eq!(mentions_of(&line), [api]);
}

// === Any input ===

#[test]
fn open_blocks_are_bounded_and_nothing_is_lost() {
    let mut reader = LambdaReader::default();
    let mut found = Vec::new();
    for stream in 0..1000 {
        let event = LogEvent {
            stream: stream.to_string().into(),
            time: Timestamp::from_millis(5),
            text: "ERROR  Invoke Error".to_owned(),
        };
        reader.read(event, |l| found.push(l));
        assert!(reader.open.len() <= BLOCKS_MAX);
    }
    reader.finish(|l| found.push(l));
    assert_eq!(found.len(), 1000);
}

#[test]
fn what_is_kept_of_long_events_is_bounded() {
    let heads = [
        "",
        "ERROR  Invoke Error {",
        "Error raised from handler method\n",
        "[ERROR] X: ",
        "a: b.C\n",
        "{\"a\":",
        "START RequestId: a\n",
        "2026-07-28T09:45:44.466Z\ta\tfail\tSystem.Exception: x\n   at ",
    ];
    for head in heads {
        for body in [
            "a",
            "{",
            "\n",
            "\r{",
            "{}\n",
            "a: b.C\n",
            "\n{\"",
            "   at x\n",
            "RequestId: ",
            "{\"a\":1}\n",
            "START RequestId: a\n",
            "é",
            "\"\\",
            "File \"/var/task/\n",
        ] {
            let text = format!("{head}{}", body.repeat(50_000 / body.len()));
            let found = read_all(&[&text, &text]);
            assert!(
                found
                    .iter()
                    .all(|l| l.text.len() <= TEXT_MAX && l.request_id.as_ref().is_none_or(|id| id.len() <= 128))
            );
        }
    }
    let line = "x".repeat(1000);
    let mut many = vec!["ERROR  Invoke Error {"];
    many.extend(std::iter::repeat_n(line.as_str(), 5000));
    let _ = read_all(&many);
}

#[test]
fn the_short_way_says_what_the_long_way_says() {
    for text in [
        "START RequestId: 72566006-a Version: $LATEST\n",
        "START RequestId: 72566006-a Version: $LATEST",
        "REPORT RequestId: a\tDuration: 3.01 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n",
        "REPORT RequestId: a\tDuration: 3.01 ms\tStatus: timeout",
        "REPORT RequestId: a\tDuration: 3.01 ms\t\nXRAY TraceId: 1-2-3\tSegmentId: 4\tSampled: true\t\n",
        "REPORT RequestId: a  Duration: 3.01 ms  Status: timeout  \n\n",
        "START RequestId: a\rREPORT RequestId: a\tDuration: 1.00 ms",
        "Report of the day",
        "START RequestId: ",
    ] {
        let event = || LogEvent { stream: "s".into(), time: Timestamp::from_millis(5), text: text.to_owned() };
        let (mut short, mut long) = (Vec::new(), Vec::new());
        LambdaReader::default().read(event(), |l| short.push(l));
        // A block that is open elsewhere leaves only the long way.
        let mut reader = LambdaReader::default();
        let open = LogEvent { stream: "other".into(), text: "Error raised from handler method".to_owned(), ..event() };
        reader.read(open, |l| long.push(l));
        assert!(!reader.open.is_empty() && long.is_empty());
        reader.read(event(), |l| long.push(l));
        assert_eq!(short, long, "{text}");
    }
}
