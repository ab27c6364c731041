//! What travels: a log event as it was read, and the fact that one line of text became.
//!
//! Rule: an event is text with a place and a time and nothing else; a fact no longer needs the text to be counted.

use std::sync::Arc;

use super::execution::ExecutionLine;
use super::inventory::SourceId;
use super::invocation::LambdaLine;
use super::request::Request;
use super::time::Timestamp;

/// Identifies an event within its source: 128 bits of a hash that does not change between versions or machines,
/// because ids outlive the process in saved state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u128);

/// One log event. CloudWatch stamps an access line with the *start* of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Log stream: one Lambda environment writes one stream, in order.
    pub stream: Arc<str>,
    /// The event's own stamp.
    pub time: Timestamp,
    /// The line or lines, as they were written.
    pub text: String,
}

/// What one line said. Not boxed: both are of like size, and most requests are counted and gone.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// An access-log line.
    Request(Request),
    /// A line of a Lambda log group that says something about an invocation.
    Lambda(LambdaLine),
    /// A line of an execution log that says something about a request.
    Execution(ExecutionLine),
}

/// What a source hands to the engine in one piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Where it was read.
    pub source: SourceId,
    /// The facts, in the order of their events.
    pub facts: Vec<Fact>,
    /// Event time below which this source is believed to have been read, once these facts are counted; `None` while
    /// a read is still under way.
    pub sealed: Option<Timestamp>,
    /// It was read by the catch-up after an absence, beside live reading.
    pub caught_up: bool,
}
