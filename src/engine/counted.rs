//! What was counted for each API since it was first watched.
//!
//! Not a window and not the figures of a replay: three numbers that only grow and outlive the process, for whoever
//! computes rates from them. Rule: a request is counted here even if it came too late for its window.

use serde::{Deserialize, Serialize};

/// Counts of one API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Requests.
    pub requests: u64,
    /// Requests answered 5xx.
    pub failures: u64,
    /// Episodes of alerts that fired.
    pub alerts: u64,
}

impl Counted {
    /// Counts a request.
    pub(super) fn request(&mut self, failed: bool) {
        self.requests = self.requests.saturating_add(1);
        self.failures = self.failures.saturating_add(u64::from(failed));
    }

    /// Counts an alert that fires from now on.
    pub(super) fn alert(&mut self) {
        self.alerts = self.alerts.saturating_add(1);
    }
}
