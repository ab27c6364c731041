//! What a failure is marked as beside its cause, and which failures are picked by it.
//!
//! Not who marks it: that is `explain`. Rule: a mark is taken back with the failure that has it.

use serde::{Deserialize, Serialize};

/// What rules ask of a failure beyond its cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The gateway stopped waiting, by the cause or by how long it took.
    pub timed_out: bool,
    /// A function ran for it, or none was to run.
    pub invoked: bool,
    /// The gateway says that it was to call a function and could not.
    pub refused: bool,
}

/// Which failures of a label are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// All.
    All,
    /// Those that the gateway stopped waiting for.
    TimedOut,
    /// Those for which no function is known to have run.
    NotInvoked,
    /// Those of them for which one was to run, as the gateway says.
    Refused,
}
