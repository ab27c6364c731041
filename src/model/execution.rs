//! What lines of an execution log say about a request.
//!
//! Not the request itself: the engine puts it together from these. Texts: AWS documentation and real logs of REST
//! stages, 2019 to 2025. Rule: each line stands for itself and carries the API's request ID.

use std::sync::Arc;

use super::invocation::RuntimeError;
use super::time::Timestamp;

/// One line of the execution log of a REST or WebSocket stage.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionLine {
    /// Log stream.
    pub stream: Arc<str>,
    /// The event's stamp.
    pub time: Timestamp,
    /// The API's request ID, `$context.requestId`.
    pub request_id: Arc<str>,
    /// What it says.
    pub says: ExecutionSays,
    /// The text, bounded, for evidence; empty where the line can never be evidence.
    pub text: Box<str>,
}

/// What a line says about a request.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutionSays {
    /// The first lines of a request: it began at this stamp.
    Began {
        /// `Extended Request Id: ..`, where the line is that one.
        extended_request_id: Option<Box<str>>,
    },
    /// `HTTP Method: GET, Resource Path: /echo`
    Route {
        /// In capitals.
        method: Box<str>,
        /// The template.
        path: Box<str>,
    },
    /// The function that the integration calls, from the endpoint's URI.
    Function(Box<str>),
    /// `Received response. Status: 200, Integration latency: 433 ms`
    Answered {
        /// What the Lambda service or the backend answered.
        status: Option<u16>,
        /// Milliseconds.
        latency_ms: Option<u32>,
    },
    /// The ID of the Lambda invocation.
    LambdaRequestId(Box<str>),
    /// `X-ray Tracing ID : 1-..`
    Trace(Box<str>),
    /// A line that names why the request failed, without the prefix; may name the Lambda invocation.
    Cause {
        /// The sentence.
        said: Box<str>,
        /// The ID of the Lambda invocation, where the sentence ends with it.
        lambda_request_id: Option<Box<str>>,
    },
    /// The error that the function answered with, from the body that the gateway received.
    FunctionError(RuntimeError),
    /// `Method completed with status: 502`
    Completed {
        /// What the client got.
        status: u16,
    },
}
