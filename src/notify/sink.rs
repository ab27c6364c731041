//! Where messages go: stdout and SNS.
//!
//! A sink delivers one message or says why it could not. Not the retrying: that is the outbox. Rule: whether another
//! try can help is decided here, once, where the error is known.

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::sync::Arc;

use super::message::Message;
use super::origin::Origin;
use super::sns::{Format, SnsRequest, requests};
use super::{json, text};

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
    origin: Origin,
}

impl<W: Write> Stdout<W> {
    /// Writes text to `out`, or JSON lines.
    pub const fn new(out: W, text: bool, origin: Origin) -> Self {
        Self { out, text, origin }
    }
}

impl<W: Write + Send> Deliver for Stdout<W> {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        let body =
            if self.text { text::render(message, &self.origin) + "\n" } else { json::render(message, &self.origin) };
        // One write and a flush for each message: a reader of a pipe never sees half of one.
        writeln!(self.out, "{body}")
            .and_then(|()| self.out.flush())
            .map_err(|e| SendError { retry: false, text: format!("standard output: {e}") })
    }
}

/// An SNS topic.
#[derive(Debug)]
pub struct Sns<P> {
    publish: P,
    topic_arn: Arc<str>,
    format: Format,
    origin: Origin,
}

impl<P> Sns<P> {
    /// Publishes to the topic.
    pub const fn new(publish: P, topic_arn: Arc<str>, format: Format, origin: Origin) -> Self {
        Self { publish, topic_arn, format, origin }
    }
}

impl<P: Publish + Send + Sync> Deliver for Sns<P> {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        for request in requests(message, &self.topic_arn, self.format, &self.origin) {
            self.publish.publish(request).await?;
        }
        Ok(())
    }
}
