//! Whether the daemon does its work, and if not, why.
//!
//! Not whether it lives: a loop that answers does. Rule: a reason names the thing; none of them is about what is watched,
//! only about the watching.

use std::fmt;
use std::sync::Arc;

use crate::model::problem::Problem;
use crate::model::report::Report;
use crate::model::secrets::mask;
use crate::model::text::printable;

/// A reason why it is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// Patterns of log groups were not looked up yet.
    Unlisted(usize),
    /// A log group was not tried yet.
    Untried(Arc<str>),
    /// A log group is not read, or not up to date.
    Unread(Arc<str>, Problem, Arc<str>),
    /// No sink takes messages.
    Sinks(usize),
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlisted(1) => f.write_str("a pattern of log groups was not looked up yet"),
            Self::Unlisted(n) => write!(f, "{n} patterns of log groups were not looked up yet"),
            Self::Untried(name) => write!(f, "log group {name} was not read yet"),
            Self::Unread(name, problem, said) => {
                write!(f, "log group {name} is not read: {}: {}", problem.phrase(), printable(&mask(said)))
            }
            Self::Sinks(n) => write!(f, "none of {n} sinks takes messages"),
        }
    }
}

/// Why it is not ready; nothing where it is.
#[must_use]
pub fn not_ready(report: &Report) -> Vec<NotReady> {
    let mut reasons = Vec::new();
    if report.unlisted > 0 {
        reasons.push(NotReady::Unlisted(report.unlisted));
    }
    for source in &report.sources {
        let name = Arc::clone(&source.name);
        match &source.reading.trouble {
            Some(trouble) => reasons.push(NotReady::Unread(name, trouble.problem, Arc::clone(&trouble.said))),
            None if !source.tried => reasons.push(NotReady::Untried(name)),
            None => {}
        }
    }
    if !report.sinks.is_empty() && report.sinks.iter().all(|sink| sink.failing) {
        reasons.push(NotReady::Sinks(report.sinks.len()));
    }
    reasons
}
