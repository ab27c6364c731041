//! What the engine found, as it hands it out.
//!
//! Not what is said of it: that is planned from it. Rule: what is found at one look at an API is handed out together.

use crate::model::alert::Alert;
use crate::model::cause::Failure;
use crate::model::inventory::ApiId;
use crate::model::notice::Notice;
use crate::model::request::Request;
use crate::model::time::Timestamp;

/// What the engine found.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A request was counted. Only if [`Settings::requests`] asks for it.
    Request(Box<Request>),
    /// A failure is explained, or explained anew.
    Failure(Failure),
    /// The rules of an API have looked.
    Looked {
        /// Which one.
        api: ApiId,
        /// Event time up to which they did.
        at: Timestamp,
        /// All its alerts that fire, and those that have just resolved.
        alerts: Vec<Alert>,
    },
    /// Alerts about logs that are not read have begun to fire, or have just resolved.
    Sighted {
        /// Arrival time.
        at: Timestamp,
        /// Only those: what goes on firing is not said again.
        alerts: Vec<Alert>,
    },
    /// What was missed while reading stood still has been caught up.
    Notice(Box<Notice>),
}

impl Output {
    /// The alerts, where it is about alerts.
    #[must_use]
    pub fn alerts(self) -> Vec<Alert> {
        match self {
            Self::Looked { alerts, .. } | Self::Sighted { alerts, .. } => alerts,
            Self::Request(_) | Self::Failure(_) | Self::Notice(_) => Vec::new(),
        }
    }
}
