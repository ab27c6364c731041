//! What the simulated services answer: a status and a body, or one of the ways to get none.
//!
//! Not HTTP and not the operations: `server` sends these, `logs` and `sns` make them. Rule: everything that can happen to
//! a request is a value here, so that a test without a socket meets the same as a client with one.

use std::time::Duration;

/// What happens to one request.
#[derive(Debug)]
pub(super) struct Answer {
    /// So much later by the simulation's clock.
    pub(super) after: Duration,
    pub(super) outcome: Outcome,
}

/// How it ends.
#[derive(Debug)]
pub(super) enum Outcome {
    Reply(Reply),
    /// Nothing, ever: the connection hangs.
    Never,
    /// The connection is closed without an answer.
    Reset,
    /// The connection is closed in the middle of this one.
    Cut(Reply),
}

/// An answer's status and body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// The error code, for the header `x-amzn-errortype`.
    pub(super) error: Option<&'static str>,
    pub(super) body: String,
}

impl Reply {
    /// A good answer of CloudWatch Logs.
    pub(super) fn logs(body: String) -> Self {
        Self { status: 200, content_type: "application/x-amz-json-1.1", error: None, body }
    }

    /// An error of CloudWatch Logs.
    pub(super) fn logs_error(status: u16, code: &'static str, message: &str) -> Self {
        let body = serde_json::json!({ "__type": code, "message": message }).to_string();
        Self { status, error: Some(code), ..Self::logs(body) }
    }

    /// An answer of SNS, good or bad.
    pub(super) fn xml(status: u16, body: String) -> Self {
        Self { status, content_type: "text/xml", error: None, body }
    }
}

/// At once.
impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { after: Duration::ZERO, outcome: Outcome::Reply(reply) }
    }
}

/// What [`super::Service::call`] gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// An answer, good or an error.
    Reply {
        /// So much later by the simulation's clock.
        after: Duration,
        /// The HTTP status.
        status: u16,
        /// JSON; of an error `{"__type": .., "message": ..}`.
        body: String,
    },
    /// Never an answer.
    Hang,
    /// The connection broke, before or in the answer.
    Reset {
        /// So much later by the simulation's clock.
        after: Duration,
    },
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        let after = answer.after;
        match answer.outcome {
            Outcome::Reply(reply) => Self::Reply { after, status: reply.status, body: reply.body },
            Outcome::Never => Self::Hang,
            Outcome::Reset | Outcome::Cut(_) => Self::Reset { after },
        }
    }
}
