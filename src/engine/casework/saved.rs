//! Casework as it is saved.
//!
//! Not its parts: each knows its own form. Rule: which case waits for which ID is not written; the open cases tell.

use super::Casework;
use super::said::keys;
use crate::engine::correlate::Cases;
use crate::engine::executions::Executions;
use crate::engine::invocations::Invocations;
use crate::engine::links::Links;
use crate::engine::settings::Settings;

impl Casework {
    /// What was saved of so many APIs, under these settings. `None` if it cannot have been saved like this.
    pub(in crate::engine) fn resume(saved: Self, settings: &Settings, apis: usize) -> Option<Self> {
        if saved.cases.iter().any(|(_, case)| case.request.api.index() >= apis) {
            return None;
        }
        let new = Self::new(settings);
        let mut casework = Self {
            invocations: Invocations::resume(saved.invocations, new.invocations)?,
            executions: Executions::resume(saved.executions, &new.executions, apis)?,
            cases: Cases::resume(saved.cases, &new.cases)?,
            links: Links::resume(saved.links, &new.links)?,
            functions: saved.functions,
            shown: saved.shown,
            joins: saved.joins,
            ..new
        };
        for (id, case) in casework.cases.iter() {
            for key in keys(&case.request) {
                casework.links.wait(key, id);
            }
        }
        Some(casework)
    }

    /// Nothing is left to report.
    pub(in crate::engine) fn is_drained(&self) -> bool {
        self.reports.is_empty()
    }
}
