//! Errors as runtimes wrote them until about 2020: Python up to 3.6, Node.js up to 8, .NET Core.
//!
//! `<message>: <type>`, the trace below. Not the shapes of today, which `python`, `node` and `dotnet` know. Rule: a type
//! that the traceback's last line says again is the runtime's; otherwise a function may have printed it.

use crate::model::invocation::{LambdaSays, RuntimeError};

use super::super::said::{Said, error, is_stamp};
use super::super::site;
use super::python::TRACEBACK;

/// What the error type was called later.
const IMPORT: &str = "Runtime.ImportModuleError";

/// `Unable to import module 'app': No module named x` of Python and Node.js.
pub(in super::super) fn import(text: &str) -> Option<RuntimeError> {
    let (_, after) = text.strip_prefix("Unable to import module '")?.split_once('\'')?;
    after.starts_with(": ").then(|| error(Some(IMPORT), text.lines().next(), text.lines().skip(1).find_map(site::node)))
}

/// An error of several lines.
pub(in super::super) fn read(text: &str) -> Option<Said<'static>> {
    if is_stamp(text) || text.starts_with('[') {
        return None;
    }
    python(text).or_else(|| dotnet(text))
}

/// The type in a traceback that has not come to its last line; the rest may follow in the next event.
pub(in super::super) fn opening_class(text: &str) -> Option<&str> {
    let (_, error_type, trace) = parts(text)?;
    let last = trace.lines().rev().find(|line| !line.trim().is_empty());
    (!last.is_some_and(|last| says_again(last, error_type))).then_some(error_type)
}

/// The last line of a traceback: the type, perhaps with its module, and the message.
pub(in super::super) fn says_again(line: &str, error_type: &str) -> bool {
    let name = line.split([':', ' ']).next().unwrap_or(line);
    name.rsplit('.').next() == Some(error_type)
}

/// Message, type and traceback.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (head, trace) = text.split_once(TRACEBACK)?;
    let (message, error_type) = head.strip_suffix('\n')?.rsplit_once(": ")?;
    let is_name = error_type.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    (is_name && error_type.starts_with(|c: char| c.is_ascii_uppercase())).then_some((message, error_type, trace))
}

/// `<message>: <type>`, the traceback, and at its end both again.
fn python(text: &str) -> Option<Said<'static>> {
    let (message, error_type, trace) = parts(text)?;
    let last = trace.lines().rev().find(|line| !line.trim().is_empty());
    let site = trace.lines().filter_map(site::python).next_back();
    let error = error(Some(error_type), Some(message), site);
    let again = last.is_some_and(|last| says_again(last, error_type)) && trace.contains(message);
    Some(if again { Said::unhandled(error) } else { Said::new(LambdaSays::PerhapsUnhandled(error)) })
}

/// `<message>: <type>` above frames of .NET.
fn dotnet(text: &str) -> Option<Said<'static>> {
    let mut lines = text.lines();
    let (message, error_type) = lines.next()?.rsplit_once(": ")?;
    let is_name = error_type.ends_with("Exception") && error_type.bytes().all(|b| b.is_ascii_alphanumeric());
    let first = lines.find(|line| !line.trim().is_empty())?;
    // Java's frames begin with a tab and end in a file or `Unknown Source`.
    let is_frame = first.starts_with("   at ") && (first.ends_with(')') || first.contains(":line "));
    let is_java = first.contains(".java:") || first.ends_with("(Native Method)") || first.ends_with("(Unknown Source)");
    (is_name && is_frame && !is_java).then(|| {
        let error = error(Some(error_type), Some(message), text.lines().find_map(site::dotnet));
        Said::new(LambdaSays::PerhapsUnhandled(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(text: &str) -> Option<(bool, String, String, Option<String>)> {
        let says = read(text)?.says;
        let certain = matches!(says, LambdaSays::Unhandled(_));
        let (LambdaSays::Unhandled(e) | LambdaSays::PerhapsUnhandled(e)) = says else { return None };
        let text = |t: Option<Box<str>>| t.unwrap_or_default().into_string();
        Some((certain, text(e.error_type), text(e.message), e.site.map(|s| s.to_string())))
    }

    #[test]
    fn tracebacks_below_the_message() {
        let trace = "Traceback (most recent call last):\n  File \"/var/task/app.py\", line 4, in f\n    a['b']\n";
        let found = read_one(&format!("'b': KeyError\n{trace}KeyError: 'b'\n\n")).unwrap();
        assert_eq!(found, (true, "KeyError".into(), "'b'".into(), Some("app.py:4".into())));
        let found = read_one(&format!("a: b: ClientError\n{trace}botocore.exceptions.ClientError: a: b")).unwrap();
        assert_eq!((found.0, &*found.1, &*found.2), (true, "ClientError", "a: b"));
        // Cut short, or printed by somebody.
        assert!(!read_one(&format!("could not: KeyError\n{trace}")).unwrap().0);
        assert_eq!(read_one(&format!("it broke:\n{trace}KeyError: 'b'")), None);
    }

    #[test]
    fn frames_of_dotnet_below_the_message() {
        let net = "One or more errors occurred.: AggregateException\n   at lambda_method(Closure , Stream )\n\n   at Shop.F.G() in /src/F.cs:line 7\n";
        let found = read_one(net).unwrap();
        assert_eq!((found.0, &*found.1, found.3.as_deref()), (false, "AggregateException", Some("F.cs:7")));
        assert_eq!(read_one("x: FooException\n   at a.B.c(B.java:1)\n"), None);
        assert_eq!(read_one("x: FooException\nnothing"), None);
    }

    #[test]
    fn modules_that_cannot_be_imported() {
        let of = |text| import(text).and_then(|e| e.message).map(Into::<String>::into);
        let text = "Unable to import module 'app': No module named x";
        assert_eq!(of(text).as_deref(), Some(text));
        assert_eq!(of("Unable to import module 'app'"), None);
        assert_eq!(of("Unable to import module x: y"), None);
    }
}
