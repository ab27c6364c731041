//! The reader over the shapes of the reference, and over anything.

use super::*;
use crate::model::invocation::{ReportStatus, RuntimeError};

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
fn node_variants() {
    let rejection = format!(
        "2026-07-28T09:45:44.466Z\t{ID}\tERROR\tUnhandled Promise Rejection \t{{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Error: late\",\"reason\":{{\"errorType\":\"Error\",\"errorMessage\":\"late\",\"stack\":[\"Error: late\",\"    at f (/var/task/index.js:7:9)\"]}},\"promise\":{{}},\"stack\":[\"Runtime.UnhandledPromiseRejection: Error: late\",\"    at process.<anonymous> (file:///var/runtime/index.mjs:1:1)\"]}}"
    );
    let line = read(&rejection);
    assert_eq!(
        parts(unhandled(&line)),
        (Some("Runtime.UnhandledPromiseRejection"), Some("Error: late"), site("index.js:7"))
    );
    assert_eq!(line.request_id.as_deref(), Some(ID));
    let esm = read(
        "2026-07-28T09:45:44.466Z\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Error\",\"errorMessage\":\"Cannot find package 'x'\",\"code\":\"ERR_MODULE_NOT_FOUND\",\"stack\":[]}",
    );
    assert_eq!(unhandled(&esm).error_type.as_deref(), Some("ERR_MODULE_NOT_FOUND"));
    let heap = read("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory");
    assert_eq!(heap.says, LambdaSays::LastWords);
}

#[test]
fn python_variants() {
    let too_large = read(
        "[ERROR] [1785231944466] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413. {\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}",
    );
    assert_eq!(unhandled(&too_large).error_type.as_deref(), Some("RequestEntityTooLarge"));
    let body = read(
        "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}",
    );
    assert_eq!(unhandled(&body).error_type.as_deref(), Some("RequestEntityTooLarge"));
    let bare = read("[ERROR] MemoryError\nTraceback (most recent call last):\n");
    assert_eq!(parts(unhandled(&bare)), (Some("MemoryError"), None, None));
    assert!(
        read_all(&["LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code."])
            .is_empty()
    );
    let glued = "LAMBDA_WARNING: Unhandled exception.\r{\"timestamp\":\"2026-07-28T09:45:44Z\",\"log_level\":\"ERROR\",\"errorMessage\":\"No module named 'x'\",\"errorType\":\"Runtime.ImportModuleError\",\"requestId\":\"\",\"stackTrace\":[]}";
    let line = read(glued);
    assert_eq!(
        (unhandled(&line).error_type.as_deref(), line.request_id.clone()),
        (Some("Runtime.ImportModuleError"), None)
    );
    let init = read("[ERROR]\t2026-07-28T09:45:44.466Z\t\tat init\n");
    assert_eq!((init.says, init.request_id), (LambdaSays::ErrorLine, None));
    assert!(
        read_all(&["[INFO]\t2026-07-28T09:45:44.466Z\tabc\tfine\n", "[WARNING]\t2026-07-28T09:45:44.466Z\tabc\tfine"])
            .is_empty()
    );
}

#[test]
fn java_variants() {
    let null = read(
        "java.lang.NullPointerException: java.lang.NullPointerException\njava.lang.NullPointerException\n\tat example.Handler.f(Handler.java:9)\n\n",
    );
    assert_eq!(parts(unhandled(&null)), (Some("java.lang.NullPointerException"), None, site("Handler.java:9")));
    let own = read("line one\nline two: Declined\nDeclined: line one\nline two\n\tat Handler.f(Handler.java:9)\n");
    assert_eq!(parts(unhandled(&own)), (Some("Declined"), Some("line one\nline two"), site("Handler.java:9")));
    for (text, error_type) in [
        ("Class not found: example.Handler", "Runtime.HandlerNotFound"),
        (
            "No public method named x with appropriate method signature found on class example.Handler",
            "Runtime.HandlerNotFound",
        ),
        (
            "Error loading class example.Handler: boom: java.lang.RuntimeException\njava.lang.RuntimeException: boom",
            "Runtime.BadFunctionCode",
        ),
        ("Invalid handler: x", "Runtime.MalformedHandlerName"),
    ] {
        assert_eq!(unhandled(&read(text)).error_type.as_deref(), Some(error_type));
    }
    // A logger's line and its exception's first line may look alike.
    let logged = read(&format!(
        "2026-07-28 09:45:44 {ID} ERROR App:12 - failed: java.lang.NullPointerException\njava.lang.NullPointerException\n\tat x.Y.z(Y.java:1)"
    ));
    assert_eq!((logged.says, logged.request_id.as_deref()), (LambdaSays::ErrorLine, Some(ID)));
    let printed = read("saw: java.lang.Error\njava.lang.Error: of another kind\n\tat x.Y.z(Y.java:1)");
    assert_eq!(perhaps(&printed).error_type.as_deref(), Some("java.lang.Error"));
}

#[test]
fn go_variants() {
    let line = read(
        "2025/06/29 10:00:00 {\"errorMessage\":\"boom\",\"errorType\":\"errorString\",\"stackTrace\":[{\"path\":\"runtime/panic.go\",\"line\":770,\"label\":\"gopanic\"},{\"path\":\"app/main.go\",\"line\":12,\"label\":\"handler\"}]}",
    );
    assert_eq!(parts(unhandled(&line)), (Some("errorString"), Some("boom"), site("app/main.go:12")));
    assert_eq!(
        unhandled(&read("2025/06/29 10:00:00 {\"errorMessage\":\"b\",\"errorType\":\"errorString\"}")).site,
        None
    );
    assert!(
        read_all(&[
            "2025/06/29 10:00:00 {\"errorMessage\":\"b\",\"errorType\":\"x\",\"user\":1}",
            "2025/06/29 10:00:00 hi"
        ])
        .is_empty()
    );
    assert_eq!(read("panic: runtime error: index out of range").says, LambdaSays::LastWords);
    let large = read(
        "2025/06/29 10:00:00 failed to POST to http://127.0.0.1:9001/2018-06-01/runtime/invocation/a/response: got unexpected status code: 413",
    );
    assert_eq!(unhandled(&large).error_type.as_deref(), Some("RequestEntityTooLarge"));
}

#[test]
fn ruby_variants() {
    let init = read(
        "Init error when loading handler app.handler\n{\n  \"errorMessage\": \"cannot load such file -- x\",\n  \"errorType\": \"Init<LoadError>\",\n  \"stackTrace\": []\n}\n",
    );
    assert_eq!(unhandled(&init).error_type.as_deref(), Some("Init<LoadError>"));
    let e = read(&format!("E, [2026-07-28T09:45:44.466Z #8] ERROR {ID} -- : declined"));
    assert_eq!((e.says, e.request_id.as_deref()), (LambdaSays::ErrorLine, Some(ID)));
    assert!(read_all(&[&format!("I, [2026-07-28T09:45:44.466Z #8]  INFO {ID} -- : fine")]).is_empty());
}

#[test]
fn dotnet_variants() {
    let caught =
        read("2026-07-28T09:45:44.466Z\ta\tfail\tSystem.Exception: boom\n   at App.F.H() in C:\\src\\F.cs:line 12");
    assert_eq!(parts(perhaps(&caught)), (Some("System.Exception"), Some("boom"), site("F.cs:12")));
    let init =
        read("2026-07-28T09:45:44.466Z\t\tfail\tSystem.Exception: a\nb\n   at Amazon.Lambda.RuntimeSupport.X.Y()");
    assert_eq!(
        (parts(unhandled(&init)), init.request_id.clone()),
        ((Some("System.Exception"), Some("a\nb"), None), None)
    );
    assert_eq!(read("2026-07-28T09:45:44.466Z\ta\tfail\tcould not reach it").says, LambdaSays::ErrorLine);
    assert!(read_all(&["2026-07-28T09:45:44.466Z\ta\tinfo\tfine"]).is_empty());
}

#[test]
fn rust_variants() {
    let span = format!("Lambda runtime invoke{{requestId=\"{ID}\" xrayTraceId=\"Root={ROOT};Parent=a;Sampled=0\"}}");
    let line = read(&format!("ERROR {span}: \"boom\""));
    assert_eq!(
        (parts(perhaps(&line)), line.request_id.as_deref()),
        ((None, Some("\"boom\"".trim_matches('"')), None), Some(ID))
    );
    assert_eq!(line.refs.as_ref().unwrap().trace_id.as_deref(), Some(ROOT));
    assert!(mentions_of(&line).is_empty());
    let info = read(&format!("2026-07-28T09:45:44.466000Z  INFO {span}: fine"));
    assert_eq!((info.says, info.request_id.as_deref()), (LambdaSays::Line, Some(ID)));
    let logged = read(&format!("ERROR {span}:handler{{x=1}}: declined"));
    assert_eq!(logged.says, LambdaSays::ErrorLine);
    let panicked = format!("ERROR {span}: user handler panicked error=Any {{ .. }}");
    let found = read_all(&[
        "thread 'main' (12) panicked at src/main.rs:12:5:",
        "index out of bounds",
        "note: run with `RUST_BACKTRACE=1`",
        &panicked,
    ]);
    assert_eq!(found.len(), 1);
    assert_eq!(parts(unhandled(&found[0])), (Some("panic"), Some("index out of bounds"), site("src/main.rs:12")));
    assert_eq!(found[0].request_id.as_deref(), Some(ID));
    let old = read_all(&["thread 'main' panicked at 'boom', src/main.rs:2:5", &panicked]);
    assert_eq!(parts(unhandled(&old[0])), (Some("panic"), Some("boom"), site("src/main.rs:2")));
    let alone =
        read_all(&["thread 'main' panicked at src/main.rs:12:5:", "boom", "REPORT RequestId: a\tDuration: 1 ms\t"]);
    assert_eq!((&alone[0].says, alone.len()), (&LambdaSays::LastWords, 2));
}

// === JSON format ===

#[test]
fn json_of_the_runtimes() {
    let python = read(&format!(
        "{{\"timestamp\":\"2026-07-28T09:45:44Z\",\"level\":\"ERROR\",\"errorMessage\":\"'items'\",\"errorType\":\"KeyError\",\"requestId\":\"{ID}\",\"stackTrace\":[\"  File \\\"/var/task/app.py\\\", line 12, in handler\\n    x = e['items']\\n\"]}}"
    ));
    assert_eq!(parts(unhandled(&python)), (Some("KeyError"), Some("'items'"), site("app.py:12")));
    assert_eq!(python.request_id.as_deref(), Some(ID));
    let caught = read(
        "{\"timestamp\":\"t\",\"level\":\"ERROR\",\"message\":\"declined\",\"logger\":\"root\",\"requestId\":\"a\",\"errorType\":\"KeyError\",\"errorMessage\":\"'x'\",\"stackTrace\":[],\"location\":\"x\"}",
    );
    assert_eq!((&caught.says, caught.request_id.as_deref()), (&LambdaSays::ErrorLine, Some("a")));
    let node = read(
        "{\"timestamp\":\"t\",\"level\":\"ERROR\",\"requestId\":\"a\",\"message\":{\"errorType\":\"TypeError\",\"errorMessage\":\"boom\",\"stackTrace\":[\"TypeError: boom\",\"    at handler (file:///var/task/index.mjs:3:9)\"]}}",
    );
    assert_eq!(parts(perhaps(&node)), (Some("TypeError"), Some("boom"), site("index.mjs:3")));
    let import = read(
        "{\"timestamp\":\"t\",\"level\":\"ERROR\",\"message\":{\"errorType\":\"ImportModuleError\",\"errorMessage\":\"x\",\"stackTrace\":[\"Runtime.ImportModuleError: x\"]}}",
    );
    assert_eq!(unhandled(&import).error_type.as_deref(), Some("ImportModuleError"));
    let java = read(
        "{\"timestamp\":\"t\",\"level\":\"ERROR\",\"AWSRequestId\":\"a\",\"message\":\"boom: java.lang.Error\\njava.lang.Error: boom\\n\\tat example.Handler.f(Handler.java:9)\\n\\n\"}",
    );
    assert_eq!(parts(unhandled(&java)), (Some("java.lang.Error"), Some("boom"), site("Handler.java:9")));
    assert_eq!(java.request_id.as_deref(), Some("a"));
    let dotnet = read(
        "{\"timestamp\":\"t\",\"level\":\"Error\",\"requestId\":\"a\",\"message\":\"\",\"errorType\":\"System.Exception\",\"errorMessage\":\"boom\",\"stackTrace\":[\"at App.F.H() in /src/F.cs:line 12\"]}",
    );
    assert_eq!(parts(unhandled(&dotnet)), (Some("System.Exception"), Some("boom"), site("F.cs:12")));
    let rust = |message: &str| {
        format!(
            "{{\"level\":\"ERROR\",\"fields\":{{\"message\":\"{message}\"}},\"span\":{{\"requestId\":\"a\",\"xrayTraceId\":\"Root={ROOT};Parent=b\",\"name\":\"Lambda runtime invoke\"}},\"spans\":[]}}"
        )
    };
    let line = read(&rust("boom"));
    assert_eq!((parts(perhaps(&line)), line.request_id.as_deref()), ((None, Some("boom"), None), Some("a")));
    assert_eq!(line.refs.as_ref().unwrap().trace_id.as_deref(), Some(ROOT));
    let found = read_all(&["thread 'main' panicked at src/main.rs:12:5:", "late", &rust("user handler panicked")]);
    assert_eq!((parts(unhandled(&found[0])), found.len()), ((Some("panic"), Some("late"), site("src/main.rs:12")), 1));
}

#[test]
fn json_of_loggers_is_evidence() {
    for text in [
        r#"{"level":50,"time":1,"pid":1,"hostname":"h","msg":"declined","err":{"type":"Error","message":"x","stack":"s"}}"#,
        r#"{"level":"error","message":"declined","timestamp":"t"}"#,
        r#"{"event":"declined","level":"critical","timestamp":"t"}"#,
        r#"{"level":"error","ts":1.5,"msg":"declined","error":"x"}"#,
        r#"{"@t":"t","@mt":"declined","@l":"Error","@x":"x"}"#,
        r#"{"time":"t","level":"ERROR","msg":"declined"}"#,
        r#"{"severity":"ERROR","message":"declined"}"#,
        r#"{"log.level":"FATAL","message":"declined"}"#,
    ] {
        let line = read(text);
        assert_eq!((&line.says, line.request_id), (&LambdaSays::ErrorLine, None), "{text}");
        let fine = text
            .replace("50", "30")
            .replace("error\"", "info\"")
            .replace("ERROR", "INFO")
            .replace("Error\"", "Information\"")
            .replace("critical", "debug")
            .replace("FATAL", "WARN");
        assert!(read_all(&[&fine]).is_empty(), "{fine}");
    }
    let powertools = read(&format!(
        "{{\"level\":\"INFO\",\"message\":{{\"requestId\":\"api-1\"}},\"function_request_id\":\"{ID}\",\"xray_trace_id\":\"{ROOT}\",\"correlation_id\":\"corr-1\",\"timestamp\":\"2021-05-03 11:47:12,494+0000\"}}"
    ));
    assert_eq!(powertools.request_id.as_deref(), Some(ID));
    assert_eq!(mentions_of(&powertools), ["api-1", "corr-1"]);
    assert_eq!(powertools.refs.as_ref().unwrap().trace_id.as_deref(), Some(ROOT));
    // Not a runtime's shape: the ID may be the API's.
    let zap = read(&format!("{{\"level\":\"error\",\"ts\":1,\"msg\":\"x\",\"requestId\":\"{ID}\"}}"));
    assert_eq!((mentions_of(&zap), &zap.request_id), (vec![ID], &None));
    let http = read("{\"timestamp\":\"t\",\"level\":\"INFO\",\"message\":\"x\",\"requestId\":\"JKJaXmPLvHcESHA=\"}");
    assert_eq!((mentions_of(&http), &http.request_id), (vec!["JKJaXmPLvHcESHA="], &None));
    assert!(
        read_all(&[
            "{\"timestamp\":\"t\",\"level\":\"INFO\",\"message\":\"x\",\"requestId\":\"a\"}",
            "{\"a\":1}",
            "{",
            "{\"a\":"
        ])
        .is_empty()
    );
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
fn long_events_take_linear_time() {
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

mod any_input {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const PIECES: &[&str] = &[
        "START RequestId: a Version: 1",
        "END RequestId: a",
        "REPORT RequestId: a\tDuration: 1.0 ms\t",
        "XRAY TraceId: 1-a",
        "RequestId: a Error: ",
        "Runtime.ExitError",
        "RequestId: a\tStatus: error",
        "[ERROR] X: y",
        "[ERROR]\t",
        "Traceback (most recent call last):",
        "  File \"/var/task/a.py\", line 1",
        "boom: a.B",
        "a.B: boom",
        "\tat a.B(C.java:1)",
        "2026-07-28T09:45:44.466Z",
        "\t",
        " ",
        "\n",
        "\r",
        "ERROR",
        "Invoke Error ",
        "{",
        "}",
        "\"",
        "\\",
        ":",
        "=",
        "\"requestId\":",
        "Error raised from handler method",
        "{\"errorType\":\"X\"",
        "fail\tSystem.X: y",
        "   at A.B() in /c/D.cs:line 1",
        "thread 'main' panicked at src/main.rs:1:2:",
        "ERROR Lambda runtime invoke{requestId=\"a\"}: user handler panicked",
        "{\"type\":\"platform.start\",\"record\":{\"requestId\":\"a\"}}",
        "{\"level\":\"ERROR\",\"message\":",
        "EXTENSION\tState: X",
        "IMAGE\t",
        "INIT_REPORT Status: error",
        "2025/06/29 10:00:00 ",
        "E, [",
        "é",
        "\u{a0}",
        "\u{0}",
        "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    ];

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            vec(any::<u8>(), 0..80).prop_map(|b| String::from_utf8_lossy(&b).into_owned()),
            vec(proptest::sample::select(PIECES), 0..12).prop_map(|p| p.concat()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_panics(lines in vec(line(), 0..12)) {
            let texts: Vec<_> = lines.iter().map(String::as_str).collect();
            for line in read_all(&texts) {
                prop_assert!(line.text.len() <= TEXT_MAX);
                prop_assert!(line.says != LambdaSays::Line || line.refs.is_some());
                prop_assert!(line.refs.is_none_or(|r| r.mentions.len() <= 4));
            }
        }

        #[test]
        fn an_error_cut_into_lines_says_the_same(which in 0usize..5, before in line(), words in "[a-z ,.]{0,40}") {
            let (text, want) = multi_line_errors().swap_remove(which);
            prop_assume!(!before.contains("RequestId") || !before.contains('\n'));
            // Whatever came before in the stream has ended by a line of the platform.
            let mut texts = vec![before.as_str(), "END RequestId: z"];
            texts.extend(text.split('\n'));
            texts.push("END RequestId: a");
            texts.push(&words);
            let found = read_all(&texts);
            prop_assert!(found.iter().any(|l| l.says == want), "{found:?}");
        }
    }
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
