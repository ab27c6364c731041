//! What each runtime writes about an error that nothing caught, and what a dying process writes.
//!
//! One file per runtime. Not the lines of loggers: `text` and `application` know those. Rule: a shape is taken only if
//! the runtime alone writes it; where a function may write it too, the words are "perhaps".

pub(super) mod dotnet;
pub(super) mod go;
pub(super) mod java;
pub(super) mod last_words;
pub(super) mod legacy;
pub(super) mod node;
pub(super) mod python;
pub(super) mod ruby;
pub(super) mod rust;

/// What Lambda calls a response above its limit, in the words of the runtimes' clients.
pub(super) const TOO_LARGE: &str = "RequestEntityTooLarge";
