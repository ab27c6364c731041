//! Where messages go: stdout and SNS.
//!
//! A sink delivers one message or says why it could not. Not the retrying: that is the outbox. Rule: whether another
//! try can help is decided here, once, where the error is known.

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::sync::Arc;

use super::message::Message;
use super::sns::{Format, SnsRequest, request};
use super::{json, text};
use crate::model::alert::Severity;

/// A delivery that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// Another try may succeed.
    pub retry: bool,
    /// What happened, to what, and what to do.
    pub text: String,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Publishes a plain request; `aws/` implements it.
pub trait Publish {
    /// Publishes once.
    fn publish(&self, request: SnsRequest) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Delivers a message.
pub trait Deliver {
    /// Delivers once.
    fn deliver(&mut self, message: &Message) -> impl Future<Output = Result<(), SendError>> + Send;

    /// Its name, in logs and beside the messages that are kept for it on disk: the same at each start.
    fn name(&self) -> String;

    /// Messages below this are not for it. A resolve counts by the worst severity of its episode.
    fn min_severity(&self) -> Severity;
}

/// How stdout is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutFormat {
    /// Text on a terminal, JSON lines otherwise.
    Auto,
    /// Readable text.
    Text,
    /// JSON lines.
    Json,
}

/// Standard output, or whatever stands in for it.
#[derive(Debug)]
pub struct Stdout<W> {
    out: W,
    text: bool,
    min_severity: Severity,
}

impl<W: Write> Stdout<W> {
    /// Writes text to `out`, or JSON lines.
    pub const fn new(out: W, text: bool, min_severity: Severity) -> Self {
        Self { out, text, min_severity }
    }
}

impl<W: Write + Send> Deliver for Stdout<W> {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        let body = if self.text { text::render(message) + "\n" } else { json::render(message) };
        // One write and a flush for each message: a reader of a pipe never sees half of one.
        writeln!(self.out, "{body}")
            .and_then(|()| self.out.flush())
            .map_err(|e| SendError { retry: false, text: format!("standard output: {e}") })
    }

    fn name(&self) -> String {
        "stdout".to_owned()
    }

    fn min_severity(&self) -> Severity {
        self.min_severity
    }
}

/// An SNS topic.
#[derive(Debug)]
pub struct Sns<P> {
    publish: P,
    topic_arn: Arc<str>,
    format: Format,
    min_severity: Severity,
}

impl<P> Sns<P> {
    /// Publishes to the topic.
    pub const fn new(publish: P, topic_arn: Arc<str>, format: Format, min_severity: Severity) -> Self {
        Self { publish, topic_arn, format, min_severity }
    }
}

impl<P: Publish + Send + Sync> Deliver for Sns<P> {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        self.publish.publish(request(message, &self.topic_arn, self.format)).await
    }

    fn name(&self) -> String {
        self.topic_arn.to_string()
    }

    fn min_severity(&self) -> Severity {
        self.min_severity
    }
}
