//! Where messages go: [`stdout`], [`sns`] and [`webhook`].
//!
//! A sink delivers one message or says why it could not. Not the retrying: that is the outbox. Rule: whether another
//! try can help is decided by whoever meets the error, once, as a [`Class`]; nobody reads an error's text to find out.

mod secret;
pub mod sns;
pub mod stdout;
pub mod webhook;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::message::Message;

/// What another try of a failed delivery can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It may succeed: no connection, no answer in time, a failure of the service, credentials that have expired.
    Again,
    /// It may succeed later: there were too many requests.
    Throttled {
        /// How long the service wants to be left alone, if it says.
        after: Option<Duration>,
    },
    /// It fails the same way: no such topic, not allowed, not understood.
    Never,
}

/// A delivery that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// Whether another try can help.
    pub class: Class,
    /// What happened, to what, and what to do.
    pub text: String,
}

impl SendError {
    /// Another try may succeed.
    pub fn again(text: impl Into<String>) -> Self {
        Self { class: Class::Again, text: text.into() }
    }

    /// Another try fails the same way.
    pub fn never(text: impl Into<String>) -> Self {
        Self { class: Class::Never, text: text.into() }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Delivers a message.
pub trait Deliver {
    /// Delivers once. Whoever stops waiting for it has given the message up.
    fn deliver(&mut self, message: &Message) -> impl Future<Output = Result<(), SendError>> + Send;
}
