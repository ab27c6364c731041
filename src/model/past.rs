//! What a new life knows of the one before, besides what that has told.
//!
//! Not the state itself. Rule: it is a matter of the whole life, the same for engine and plans.

/// Whether whoever takes over what an earlier life has told sees again what that life saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// It goes on from a state that is older than the message, and looks at the time in between a second time.
    Relived,
    /// It has no state: it looks at what comes after its start.
    Gone,
}
