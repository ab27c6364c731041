//! Laws over any input: nothing panics, and cutting an error into lines changes nothing of what it says.

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
