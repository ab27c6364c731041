//! A silence: what its matchers fit is not said for a while.
//!
//! Not the configuration's text. Rule: a silence always ends by itself, and what it covers mutes nothing else.

use std::sync::Arc;

use crate::model::alert::{Alert, Severity};
use crate::model::inventory::Inventory;
use crate::model::text::fits;
use crate::model::time::Timestamp;

/// Text in which each `*` stands for any characters, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Arc<str>);

impl Glob {
    /// Of its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether the whole of `text` fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        fits(&self.0, text)
    }
}

/// What is not said, and for how long. An alert is covered if all matchers that are given fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The API's name; of a log group that several share, any of them.
    pub api: Option<Glob>,
    /// The rule's name.
    pub rule: Option<Glob>,
    /// The endpoint's route. Fits no alert that is about something else.
    pub route: Option<Glob>,
    /// The endpoint's method, in capitals. Likewise.
    pub method: Option<Glob>,
    /// The log group's name. Likewise.
    pub source: Option<Glob>,
    /// Alerts that are at most this bad now.
    pub severity: Option<Severity>,
    /// From when on; `None` is from ever.
    pub from: Option<Timestamp>,
    /// When it ends.
    pub until: Timestamp,
    /// Why, for whoever reads the configuration.
    pub comment: Option<String>,
}

impl Silence {
    /// Of no matcher: it covers everything up to `until`. For whoever sets the matchers.
    #[must_use]
    pub const fn until(until: Timestamp) -> Self {
        Self {
            api: None,
            rule: None,
            route: None,
            method: None,
            source: None,
            severity: None,
            from: None,
            until,
            comment: None,
        }
    }

    /// Whether it covers the alert at `at`, on the clock of whoever looks.
    #[must_use]
    pub fn covers(&self, alert: &Alert, inventory: &Inventory, at: Timestamp) -> bool {
        let fits = |glob: &Option<Glob>, text: Option<&str>| {
            glob.as_ref().is_none_or(|glob| text.is_some_and(|text| glob.matches(text)))
        };
        let own = &inventory.api(alert.key.api).name;
        let shared = alert.blindness.iter().flat_map(|b| &b.apis);
        let mut apis = std::iter::once(own).chain(shared);
        let endpoint = alert.key.endpoint();
        self.from.is_none_or(|from| from <= at)
            && at < self.until
            && self.severity.is_none_or(|most| alert.severity <= most)
            && self.api.as_ref().is_none_or(|glob| apis.any(|api| glob.matches(api)))
            && fits(&self.rule, Some(&*alert.key.rule))
            && fits(&self.route, endpoint.map(|e| &*e.route))
            && fits(&self.method, endpoint.map(|e| &*e.method))
            && fits(&self.source, alert.key.source().map(|s| &**s))
    }

    /// The next time behind `at` at which it begins or ends.
    #[must_use]
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        self.from.into_iter().chain([self.until]).filter(|time| *time > at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let fits = |glob: &str, text: &str| Glob::new(glob).matches(text);
        assert!(fits("/internal/*", "/internal/x/y") && fits("/internal/*", "/internal/"));
        assert!(!fits("/internal/*", "/internal") && !fits("/a", "/ab") && fits("/a", "/a"));
        assert!(fits("*", "") && fits("*/x/*", "/a/x/b") && fits("a*b*c", "abbc") && !fits("a*b*c", "acb"));
        assert!(!fits("ab*ba", "aba"), "no character is used twice");
    }
}
