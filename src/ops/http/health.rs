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
    /// An API's logs are not found out, and why, if that is known.
    Undiscovered(Arc<str>, Option<Arc<str>>),
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
            Self::Undiscovered(api, None) => write!(f, "API {api} is not discovered yet"),
            Self::Undiscovered(api, Some(why)) => {
                write!(f, "API {api} is not discovered: {}", printable(&mask(why)))
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
    for discovery in report.discoveries.iter().filter(|discovery| !discovery.watched) {
        reasons.push(NotReady::Undiscovered(Arc::clone(&discovery.api), discovery.why.clone()));
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

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;
    use crate::model::report::{SinkReport, Trouble};

    #[test]
    fn what_is_read_and_heard_is_ready() {
        let mut report = report();
        assert_eq!(not_ready(&report), []);
        report.unlisted = 2;
        report.sources[0].tried = false;
        assert_eq!(not_ready(&report), [NotReady::Unlisted(2), NotReady::Untried("/access/shop".into())]);
    }

    #[test]
    fn a_reason_names_the_thing_and_no_secret() {
        let mut report = report();
        let said = "denied for token=hunter2\nand so on".into();
        report.sources[0].reading.trouble = Some(Trouble { problem: Problem::Denied, said, since: report.now });
        let reasons = not_ready(&report);
        let said: Vec<_> = reasons.iter().map(ToString::to_string).collect();
        assert!(said[0].starts_with("log group /access/shop is not read: access denied: denied for"), "{said:?}");
        assert!(!said[0].contains("hunter2") && !said[0].contains('\n') && said.len() == 1, "{said:?}");
    }

    #[test]
    fn one_sink_of_several_is_enough() {
        let sink =
            |name: &str, failing| SinkReport { name: name.into(), queued: 1, delivered: 0, dead_lettered: 0, failing };
        let mut report = report();
        report.sinks = vec![sink("a", true), sink("b", false)];
        assert_eq!(not_ready(&report), []);
        report.sinks[1].failing = true;
        assert_eq!(not_ready(&report), [NotReady::Sinks(2)]);
    }
}
