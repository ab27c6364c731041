//! Whom messages are for: one sink, and which alerts it wants to hear of.
//!
//! Not how they are delivered. Rule: what a sink does not want is left out before anything is planned for it, so each
//! sink hears whole episodes: an alert that becomes bad enough later is new to it then.

use std::sync::Arc;

use crate::model::alert::{Alert, Severity};
use crate::model::inventory::Inventory;

/// A sink, as planning sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The sink's name: no other has it, and it is the same at each start.
    pub name: Arc<str>,
    /// Alerts that were never this bad are not for it.
    pub min_severity: Severity,
    /// Names of the rules that it hears of; `None` is all.
    pub rules: Option<Vec<Arc<str>>>,
    /// Names of the APIs that it hears of; `None` is all.
    pub apis: Option<Vec<Arc<str>>>,
}

impl Audience {
    /// Hears of everything.
    #[must_use]
    pub fn of_all(name: &str) -> Self {
        Self { name: name.into(), min_severity: Severity::Elevated, rules: None, apis: None }
    }

    /// Whether an alert is for it. An alert about a log group that several APIs share is for whoever wants one of them.
    #[must_use]
    pub fn wants(&self, alert: &Alert, inventory: &Inventory) -> bool {
        let own = &inventory.api(alert.key.api).name;
        let shared = alert.blindness.iter().flat_map(|b| &b.apis);
        let is_of = |apis: &Vec<Arc<str>>| std::iter::once(own).chain(shared.clone()).any(|api| apis.contains(api));
        alert.worst >= self.min_severity
            && self.rules.as_ref().is_none_or(|rules| rules.contains(&alert.key.rule))
            && self.apis.as_ref().is_none_or(is_of)
    }
}
