//! Each runtime's own errors in text format, in every shape it writes them. Rule: what a function logged is no verdict.

use super::*;

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
