//! Whom messages are for: one sink, and which alerts it wants to hear of.
//!
//! Not how they are delivered. A notice is about log groups that were not read for a while, as `source-blind` is, so who
//! names rules hears of it by that one. Rule: what a sink does not want is left out before anything is planned for it, so each
//! sink hears whole episodes: an alert that becomes bad enough later is new to it then.

use std::sync::Arc;

use super::plan::bucket::Rate;
use crate::model::alert::{Alert, Severity};
use crate::model::inventory::Inventory;
use crate::model::notice::Notice;

/// The rule that notices are for whoever hears of: both are about logs that are not read.
const NOTICES_LIKE: &str = "source-blind";

/// A sink, as planning sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Audience {
    /// The sink's name: no other has it, and it is the same at each start.
    pub name: Arc<str>,
    /// Alerts that were never this bad are not for it.
    pub min_severity: Severity,
    /// Names of the rules that it hears of; `None` is all.
    pub rules: Option<Vec<Arc<str>>>,
    /// Names of the APIs that it hears of; `None` is all.
    pub apis: Option<Vec<Arc<str>>>,
    /// How many messages it takes, if not as many as all others.
    pub rate: Option<Rate>,
}

impl Audience {
    /// Hears of everything.
    #[must_use]
    pub fn of_all(name: &str) -> Self {
        Self { name: name.into(), min_severity: Severity::Elevated, rules: None, apis: None, rate: None }
    }

    /// Whether an alert is for it.
    #[must_use]
    pub fn wants(&self, alert: &Alert, inventory: &Inventory) -> bool {
        self.is_for(alert, &inventory.api(alert.key.api).name)
    }

    /// The same of an alert about the API of this name. One about a log group that several APIs share is for whoever wants
    /// one of them.
    #[must_use]
    pub fn is_for(&self, alert: &Alert, own: &Arc<str>) -> bool {
        let shared = alert.blindness.iter().flat_map(|b| &b.apis);
        let is_of = |apis: &Vec<Arc<str>>| std::iter::once(own).chain(shared.clone()).any(|api| apis.contains(api));
        alert.worst >= self.min_severity && self.hears_of(&alert.key.rule) && self.apis.as_ref().is_none_or(is_of)
    }

    /// Whether a notice is for it: of an API that it hears of, or of none in particular. Notices are on the lowest rung.
    #[must_use]
    pub fn wants_notice(&self, notice: &Notice) -> bool {
        let is_of = |apis: &Vec<Arc<str>>| notice.apis.is_empty() || notice.apis.iter().any(|api| apis.contains(api));
        self.min_severity == Severity::Elevated && self.hears_of(NOTICES_LIKE) && self.apis.as_ref().is_none_or(is_of)
    }

    fn hears_of(&self, rule: &str) -> bool {
        self.rules.as_ref().is_none_or(|rules| rules.iter().any(|name| **name == *rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notice;

    #[test]
    fn a_notice_is_for_whoever_hears_of_one_of_its_apis_and_of_logs_that_are_not_read() {
        let all = || Audience::of_all("-");
        let names = |names: &[&str]| Some(names.iter().map(|name| Arc::from(*name)).collect());
        let of_shop = notice();
        let cases = [
            (all(), true),
            (Audience { apis: names(&["blog", "shop"]), ..all() }, true),
            (Audience { apis: names(&["blog"]), ..all() }, false),
            (Audience { rules: names(&["endpoint-5xx", "source-blind"]), ..all() }, true),
            (Audience { rules: names(&["endpoint-5xx"]), ..all() }, false),
            (Audience { rules: names(&["source-blind"]), apis: names(&["blog"]), ..all() }, false),
            (Audience { min_severity: Severity::High, ..all() }, false),
        ];
        for (audience, want) in cases {
            assert_eq!(audience.wants_notice(&of_shop), want, "{audience:?}");
        }
        let of_none = Notice { apis: Vec::new(), ..notice() };
        assert!(Audience { apis: names(&["blog"]), ..all() }.wants_notice(&of_none));
    }
}
