//! A frame of a stack -> the place in the user's own code.
//!
//! One function per language, each for one frame. Not a choice among frames: Python's caller takes the last that is
//! the user's, the others the first. Rule: runtimes, standard libraries and packages are not the user's code; what
//! cannot be read as file and line is `None`.

use crate::model::invocation::Site;
use crate::model::text::cut;

/// Longest file name kept, in bytes.
const FILE_MAX: usize = 128;

/// Where others' code lies.
const FOREIGN: &[&str] = &[
    "/var/runtime/",
    "/var/lang/",
    "/opt/",
    "/usr/lib",
    "/usr/local/lib/",
    "/usr/local/go/",
    "/rustc/",
    "/usr/local/bundle/",
];
const FOREIGN_INSIDE: &[&str] =
    &["node_modules/", "site-packages/", "dist-packages/", "/lib/python", "/.cargo/", "/gems/", "vendor/bundle/"];

/// The path as it is shown, if it is the user's code.
fn own(path: &str) -> Option<&str> {
    let path = path.strip_prefix("file://").unwrap_or(path);
    let inside = path.strip_prefix("/var/task/");
    let foreign = (inside.is_none() && FOREIGN.iter().any(|f| path.starts_with(f)))
        || FOREIGN_INSIDE.iter().any(|f| path.contains(f));
    (!foreign && path.starts_with('/')).then(|| inside.unwrap_or(path))
}

fn site(file: &str, line: &str) -> Option<Site> {
    let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
    let line = line[..digits].parse().ok()?;
    (!file.is_empty()).then(|| Site { file: cut(file, FILE_MAX).into(), line })
}

/// `at handler (/var/task/index.js:12:34)`, `at file:///var/task/app.mjs:3:5`
pub(super) fn node(frame: &str) -> Option<Site> {
    let place = frame.trim().strip_prefix("at ")?;
    let place = place.rsplit(['(', ' ']).next()?.trim_end_matches(')');
    let mut parts = place.rsplitn(3, ':');
    let _column: u32 = parts.next()?.parse().ok()?;
    let line = parts.next()?;
    site(own(parts.next()?)?, line)
}

/// `File "/var/task/app.py", line 12, in handler`; of a syntax error the runtime writes `File "/var/task/app.py" Line 5`.
pub(super) fn python(frame: &str) -> Option<Site> {
    let rest = frame.trim_start().strip_prefix("File \"")?;
    let (file, rest) = rest.split_once('"')?;
    site(own(file)?, rest.strip_prefix(", line ").or_else(|| rest.strip_prefix(" Line "))?)
}

/// `at pkg.Class.method(File.java:12)`; the module of `at java.base/java.util.List.of(..)` is not part of the name.
pub(super) fn java(frame: &str) -> Option<Site> {
    const FOREIGN: &[&str] =
        &["java.", "javax.", "jdk.", "sun.", "com.sun.", "lambdainternal.", "com.amazonaws.services.lambda.runtime."];
    let frame = frame.trim().strip_prefix("at ")?;
    let (method, place) = frame.strip_suffix(')')?.split_once('(')?;
    let method = method.rsplit('/').next()?;
    if FOREIGN.iter().any(|f| method.starts_with(f)) {
        return None;
    }
    let (file, line) = place.split_once(':')?;
    site(file, line)
}

/// `at App.Function.Handler(String s) in /src/Function.cs:line 12`: where it was built says nothing, so only the name.
pub(super) fn dotnet(frame: &str) -> Option<Site> {
    const FOREIGN: &[&str] = &["System.", "Microsoft.", "Amazon.Lambda."];
    let frame = frame.trim().strip_prefix("at ")?;
    if FOREIGN.iter().any(|f| frame.starts_with(f)) {
        return None;
    }
    let (_, place) = frame.rsplit_once(" in ")?;
    let (path, line) = place.rsplit_once(":line ")?;
    site(path.rsplit(['/', '\\']).next()?, line)
}

/// A frame of Go: `{"path":"github.com/me/app/main.go","line":12,"label":"handler"}`.
pub(super) fn go(path: &str, line: &str) -> Option<Site> {
    let foreign = path.starts_with("runtime/")
        || path.starts_with("reflect/")
        || path.contains("aws-lambda-go")
        || path.contains("/go/src/runtime/")
        || path.starts_with("/usr/local/go/");
    if foreign { None } else { site(path.strip_prefix("/var/task/").unwrap_or(path), line) }
}

/// `/var/task/app.rb:12:in 'handler'`
pub(super) fn ruby(frame: &str) -> Option<Site> {
    let (file, rest) = frame.trim().split_once(".rb:")?;
    let file = own(&frame.trim()[..file.len() + 3])?;
    site(file, rest)
}

/// `src/main.rs:12:5`
pub(super) fn rust(place: &str) -> Option<Site> {
    let (file, rest) = place.trim().split_once(".rs:")?;
    let file = &place.trim()[..file.len() + 3];
    let foreign = file.starts_with("/rustc/") || file.contains("/.cargo/") || file.contains("/rustlib/");
    if foreign { None } else { site(file.strip_prefix("/var/task/").unwrap_or(file), rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(site: Option<Site>) -> Option<String> {
        site.map(|s| s.to_string())
    }

    #[test]
    fn own_frames_and_those_of_others() {
        type Read = fn(&str) -> Option<Site>;
        let cases: &[(Read, &str, Option<&str>)] = &[
            (node, "    at handler (/var/task/index.js:12:34)", Some("index.js:12")),
            (node, "at file:///var/task/src/app.mjs:3:5", Some("src/app.mjs:3")),
            (node, "at async Runtime.handler (file:///var/runtime/index.mjs:1173:29)", None),
            (node, "at f (/var/task/node_modules/x/i.js:1:2)", None),
            (node, "at node:internal/process/task_queues:95:5", None),
            (node, "at new Promise (<anonymous>)", None),
            (node, "TypeError: see /var/task/index.js:1:2", None),
            (node, "at h (/app/my code/index.js:12:34)", None),
            (node, "at h (/function/app.js:12:34)", Some("/function/app.js:12")),
            (python, "  File \"/var/task/app.py\", line 12, in handler", Some("app.py:12")),
            (python, "\u{a0}\u{a0}File \"/var/task/a/b.py\", line 7\n", Some("a/b.py:7")),
            (python, "  File \"/var/runtime/bootstrap.py\", line 7, in x", None),
            (python, "  File \"/var/task/site-packages/x.py\", line 7, in x", None),
            (python, "  File \"<string>\", line 1, in <module>", None),
            (java, "\tat example.Handler.handleRequest(Handler.java:12)", Some("Handler.java:12")),
            (java, "\tat java.base/java.util.ArrayList.get(Unknown Source)", None),
            (java, "\tat java.base/java.util.ArrayList.get(ArrayList.java:1)", None),
            (java, "\tat com.amazonaws.services.lambda.runtime.api.client.AWSLambda.main(AWSLambda.java:1)", None),
            (dotnet, "   at App.Function.Handler(String s) in /src/My App/Function.cs:line 12", Some("Function.cs:12")),
            (dotnet, "   at System.Int32.Parse(String s)", None),
            (dotnet, "   at Amazon.Lambda.X.Y() in /src/Y.cs:line 3", None),
            (ruby, "/var/task/app.rb:12:in 'handler'", Some("app.rb:12")),
            (ruby, "/var/runtime/lib/aws_lambda_ric.rb:12:in `x'", None),
            (rust, "src/main.rs:12:5", Some("src/main.rs:12")),
            (rust, "/rustc/0a/library/core/src/x.rs:12:5", None),
        ];
        for (read, frame, want) in cases {
            assert_eq!(shown(read(frame)).as_deref(), *want, "{frame}");
        }
        assert_eq!(shown(go("main.go", "12")).as_deref(), Some("main.go:12"));
        assert_eq!(go("runtime/panic.go", "12"), None);
        assert_eq!(go("github.com/aws/aws-lambda-go@v1.47.0/lambda/handler.go", "12"), None);
    }
}
