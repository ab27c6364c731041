//! What was left out or cut because a table was full or a request too late.
//!
//! Not what failed to be read. Rule: every bound of the engine has its counter here.

use std::fmt;

/// What was left out or cut, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Requests too late for their window.
    pub late_requests: u64,
    /// Requests counted under `<other>`.
    pub overflow_requests: u64,
    /// Invocations forgotten early because there were too many.
    pub invocations: u64,
    /// Failures closed early because there were too many.
    pub cases: u64,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.late_requests, "requests too late for their window"),
            (self.overflow_requests, "requests under <other>, see max_endpoints"),
            (self.invocations, "invocations forgotten early, see max_invocations"),
            (self.cases, "failures no longer followed, because there were too many"),
        ];
        let said: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        f.write_str(&said.join(", "))
    }
}
