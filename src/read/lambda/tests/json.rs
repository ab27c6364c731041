//! The JSON format: the runtimes' own errors, and what loggers write. Rule: a logger's line is evidence, never a verdict.

use super::*;

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
