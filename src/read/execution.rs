//! Execution-log lines of REST and WebSocket stages -> what they say about a request.
//!
//! Not the request: the engine puts it together. Live lines begin with `(request id)`; those of the console's method
//! test with a time, under a header that names the request. Texts: AWS documentation and real logs, 2019 to 2025. Rule:
//! only the gateway's own sentences count; headers and bodies that it quotes are searched for IDs and for the error a
//! function answered with, and for nothing else.

use std::sync::Arc;

use super::Unread;
use crate::model::event::LogEvent;
use crate::model::execution::{ExecutionLine, ExecutionSays};
use crate::model::invocation::RuntimeError;
use crate::model::text::cut;

/// Longest text kept of a line, in bytes.
const TEXT_MAX: usize = 2048;
/// Longest ID, path or name kept, in bytes.
const NAME_MAX: usize = 256;
/// Longest response body that is looked into for an error, in bytes; the gateway cuts at 1,024.
const BODY_MAX: usize = 16 * 1024;

/// How sentences begin that name a cause.
const CAUSES: &[&str] = &[
    "Execution failed",
    "Lambda execution failed",
    "Lambda invocation failed",
    "Key throttle limit exceeded",
    "Gateway response type: ",
];

/// Reads the execution log of one stage.
#[derive(Debug, Default)]
pub struct ExecutionReader {
    /// The stream read last and its request, for lines without an ID of their own.
    current: Option<(Arc<str>, Arc<str>)>,
}

impl ExecutionReader {
    /// Reads one event; `found` gets what it says, if anything.
    ///
    /// # Errors
    /// When it is no line of an execution log.
    pub fn read(&mut self, event: &LogEvent, mut found: impl FnMut(ExecutionLine)) -> Result<(), Unread> {
        let text = event.text.trim();
        let (request_id, said) = if let Some((id, said)) = live(text) {
            let id = match &self.current {
                Some((_, known)) if **known == *id => Arc::clone(known),
                _ => Arc::from(cut(id, NAME_MAX)),
            };
            (id, said)
        } else {
            if let Some((_, id)) = text.split_once("Execution log for request ") {
                let id = id.split_ascii_whitespace().next().unwrap_or(id);
                self.current = Some((Arc::clone(&event.stream), cut(id, NAME_MAX).into()));
                return Ok(());
            }
            // A paste without its header: the first line names the request as well.
            let of_other = self.current.as_ref().is_none_or(|(stream, _)| *stream != event.stream);
            let begins = test_invoke(text).and_then(|said| said.strip_prefix("Starting execution for request: "));
            if let Some(id) = begins.filter(|_| of_other) {
                self.current = Some((Arc::clone(&event.stream), cut(id.trim(), NAME_MAX).into()));
            }
            let of_stream = |(stream, id): &(Arc<str>, Arc<str>)| (*stream == event.stream).then(|| Arc::clone(id));
            // What goes on from the line before, such as the braces of a header, says nothing.
            let id = self.current.as_ref().and_then(of_stream).ok_or(Unread::NotRecognised)?;
            (id, test_invoke(text).unwrap_or_default())
        };
        self.current = Some((Arc::clone(&event.stream), Arc::clone(&request_id)));
        if let Some(says) = says(said) {
            let speaks = matches!(says, ExecutionSays::Cause { .. } | ExecutionSays::FunctionError(_));
            let text = if speaks { cut(said, TEXT_MAX).into() } else { "".into() };
            found(ExecutionLine { stream: Arc::clone(&event.stream), time: event.time, request_id, says, text });
        }
        Ok(())
    }
}

/// `(<id>) <text>`
fn live(text: &str) -> Option<(&str, &str)> {
    let (id, said) = text.strip_prefix('(')?.split_once(')')?;
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic());
    is_id.then(|| (id, said.trim_start()))
}

/// `Thu Jul 09 10:00:00 UTC 2026 : <text>`
fn test_invoke(text: &str) -> Option<&str> {
    let (time, said) = text.split_once(" : ")?;
    (time.len() < 40 && time.contains(" UTC ")).then_some(said)
}

fn says(text: &str) -> Option<ExecutionSays> {
    if let Some(id) = text.strip_prefix("Extended Request Id: ") {
        return Some(ExecutionSays::Began { extended_request_id: word(id) });
    }
    if text.starts_with("Starting execution for request") || text.starts_with("Verifying Usage Plan for request") {
        return Some(ExecutionSays::Began { extended_request_id: None });
    }
    if let Some(rest) = text.strip_prefix("HTTP Method: ") {
        let (method, path) = rest.split_once(", Resource Path: ")?;
        let method = cut(method.trim(), 16).to_ascii_uppercase().into();
        return Some(ExecutionSays::Route { method, path: cut(path.trim(), NAME_MAX).into() });
    }
    if let Some(rest) = text.strip_prefix("Endpoint request URI: ") {
        return function_of_uri(rest).map(|f| ExecutionSays::Function(cut(f, NAME_MAX).into()));
    }
    if let Some(rest) = text.strip_prefix("Received response.") {
        let number = |label: &str| {
            let (_, after) = rest.split_once(label)?;
            after.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
        };
        let status = number("Status:").and_then(|s| u16::try_from(s).ok());
        return Some(ExecutionSays::Answered { status, latency_ms: number("Integration latency:") });
    }
    if let Some(rest) = text.strip_prefix("Endpoint response headers:") {
        // Only where the Lambda service answered: other backends have request IDs of their own.
        return header(rest, "x-amzn-requestid=").map(|id| ExecutionSays::LambdaRequestId(id.into()));
    }
    if let Some(body) = text.strip_prefix("Endpoint response body before transformations:") {
        return function_error(body.trim()).map(ExecutionSays::FunctionError);
    }
    if let Some(rest) = text.strip_prefix("AWS Integration Endpoint RequestId") {
        return word(rest.trim_start_matches([' ', ':'])).map(ExecutionSays::LambdaRequestId);
    }
    if let Some(rest) = text.strip_prefix("X-ray Tracing ID") {
        return word(rest.trim_start_matches([' ', ':'])).map(ExecutionSays::Trace);
    }
    if let Some(rest) = text.strip_prefix("Method completed with status:") {
        let status = rest.split_ascii_whitespace().next()?.parse().ok().filter(|s| (100..=599).contains(s))?;
        return Some(ExecutionSays::Completed { status });
    }
    if CAUSES.iter().any(|c| text.starts_with(c)) || text.contains("AuthorizerConfigurationException") {
        let lambda_request_id = text.rsplit_once("Lambda request id: ").and_then(|(_, id)| word(id));
        return Some(ExecutionSays::Cause { said: cut(text, TEXT_MAX).into(), lambda_request_id });
    }
    None
}

fn word(text: &str) -> Option<Box<str>> {
    let word = text.split_ascii_whitespace().next()?;
    let word = word.trim_end_matches([',', ';', '.', '}']);
    (!word.is_empty() && word != "-").then(|| cut(word, NAME_MAX).into())
}

/// The value of a header in `{a=b, c=d}`, by its name in lower case with the equals sign.
fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    let lower = headers.to_ascii_lowercase();
    let at = lower.find(name)? + name.len();
    let value = headers[at..].split([',', '}', ' ', '\n']).next()?;
    (!value.is_empty()).then(|| cut(value, NAME_MAX))
}

/// The function in `.../functions/arn:aws:lambda:eu-west-1:111122223333:function:name:alias/invocations`.
fn function_of_uri(uri: &str) -> Option<&str> {
    // Other backends may have such paths, with whatever a client wrote into them.
    let (_, rest) = uri.trim_start().strip_prefix("https://lambda.")?.split_once("/functions/")?;
    let arn = rest.split('/').next()?;
    let name = match arn.split_once(":function:") {
        Some((_, name)) => name.split(':').next()?,
        None => arn,
    };
    (!name.is_empty()).then_some(name)
}

/// `{"errorMessage":..,"errorType":..}`, perhaps cut off.
fn function_error(body: &str) -> Option<RuntimeError> {
    let mut error = RuntimeError::default();
    let mut take = |key: &str, value: &str| {
        let value = || (value != "null").then(|| cut(value, TEXT_MAX).into());
        match key {
            "errorType" => error.error_type = value(),
            "errorMessage" => error.message = value(),
            _ => {}
        }
    };
    let body = cut(body, BODY_MAX);
    super::json::scalars(body, |key, value| take(key, &value))
        .or_else(|| super::json::tolerant(body, |key, value| take(key, &value)))?;
    // An answer of the function's own may have an `errorMessage` too; the runtimes write both, old ones at least that.
    let is_answer = body.contains("\"statusCode\"");
    (!is_answer && (error.error_type.is_some() || error.message.is_some())).then_some(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn read(texts: &[&str]) -> Vec<ExecutionLine> {
        let mut reader = ExecutionReader::default();
        let mut found = Vec::new();
        for text in texts {
            let event = LogEvent { stream: "s".into(), time: Timestamp::from_millis(5), text: (*text).to_owned() };
            let _ = reader.read(&event, |l| found.push(l));
        }
        found
    }

    #[test]
    fn live_lines() {
        let lines = read(&[
            "(6dd2d0f1-a) Extended Request Id: abc=",
            "(6dd2d0f1-a) HTTP Method: GET, Resource Path: /echo",
            "(6dd2d0f1-a) Endpoint request URI: https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:echo:live/invocations",
            "(6dd2d0f1-a) Received response. Integration latency: 11029 ms",
            "(6dd2d0f1-a) Endpoint response headers: {Date=Thu, x-amzn-RequestId=7256-1, X-Amz-Function-Error=Unhandled}",
            "(6dd2d0f1-a) Endpoint response body before transformations: {\"errorMessage\":\"boom\",\"errorType\":\"TypeError\"}",
            "(6dd2d0f1-a) Lambda execution failed with status 200 due to customer function error: boom. Lambda request id: 7256-1",
            "(6dd2d0f1-a) Method completed with status: 502",
            "(6dd2d0f1-a) AWS Integration Endpoint RequestId : 7256-1",
            "(6dd2d0f1-a) Method request headers: {Authorization=secret}",
        ]);
        assert!(lines.iter().all(|l| &*l.request_id == "6dd2d0f1-a"));
        let says: Vec<_> = lines.into_iter().map(|l| l.says).collect();
        assert_eq!(says[0], ExecutionSays::Began { extended_request_id: Some("abc=".into()) });
        assert_eq!(says[1], ExecutionSays::Route { method: "GET".into(), path: "/echo".into() });
        assert_eq!(says[2], ExecutionSays::Function("echo".into()));
        assert_eq!(says[3], ExecutionSays::Answered { status: None, latency_ms: Some(11029) });
        assert_eq!(says[4], ExecutionSays::LambdaRequestId("7256-1".into()));
        assert!(matches!(&says[5], ExecutionSays::FunctionError(e) if e.error_type.as_deref() == Some("TypeError")));
        assert!(matches!(&says[6], ExecutionSays::Cause { lambda_request_id: Some(id), .. } if &**id == "7256-1"));
        assert_eq!(says[7], ExecutionSays::Completed { status: 502 });
        assert_eq!(says[8], ExecutionSays::LambdaRequestId("7256-1".into()));
        assert_eq!(says.len(), 9);
    }

    #[test]
    fn lines_of_the_consoles_method_test() {
        let lines = read(&[
            "Execution log for request 1b2c-9",
            "Thu Jul 09 10:00:00 UTC 2026 : Starting execution for request: 1b2c-9",
            "Thu Jul 09 10:00:00 UTC 2026 : Method request path:",
            "{}",
            "Thu Jul 09 10:00:01 UTC 2026 : Execution failed due to configuration error: Malformed Lambda proxy response",
            "Thu Jul 09 10:00:01 UTC 2026 : Method completed with status: 502",
        ]);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|l| &*l.request_id == "1b2c-9"));
    }

    #[test]
    fn anything_else_is_not_recognised() {
        let mut reader = ExecutionReader::default();
        let event = LogEvent { stream: "s".into(), time: Timestamp::from_millis(5), text: "hello".to_owned() };
        assert_eq!(reader.read(&event, |_| ()), Err(Unread::NotRecognised));
        assert!(read(&["(", "()", "(a) Method completed with status: 99999", "(a) HTTP Method: GET"]).is_empty());
    }
}
