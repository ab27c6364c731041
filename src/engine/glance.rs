//! What can be seen of an engine from outside: figures and states, nothing that changes it.
//!
//! Not what it hands out by itself. Rule: looking changes nothing, and is as dear as what is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::totals::Totals;
use super::{Counted, Engine};
use crate::model::alert::Alert;
use crate::model::cause::Join;
use crate::model::dropped::Dropped;
use crate::model::hash::FastMap;
use crate::model::inventory::{ApiId, Inventory, SourceId};
use crate::model::report::Reading;
use crate::model::summary::Summary;
use crate::model::time::Timestamp;

impl Engine {
    /// Figures of every endpoint over the display window that ends at `end`.
    #[must_use]
    pub fn snapshot(&self, end: Timestamp) -> Summary {
        let window = self.settings.window;
        let mut totals = Totals::default();
        let mut dominant = FastMap::default();
        for (endpoints, api) in self.endpoints.iter().zip(0_u16..).map(|(e, api)| (e, ApiId(api))) {
            for stats in endpoints.iter() {
                let figures = stats.figures(end, window);
                totals.add(api, &stats.endpoint, &figures.counts, &figures.latencies);
                let causes = stats.tally.total(end, window);
                for (label, cause) in &causes {
                    totals.cause(label.kind, cause.count);
                }
                if let Some((_, most)) = causes.into_iter().next() {
                    dominant.insert((api, Arc::clone(&stats.endpoint)), most);
                }
            }
        }
        let mut summary = Summary { span: Some((end.minus(window), end)), ..totals.summary() };
        for row in &mut summary.endpoints {
            row.cause = dominant.remove(&(row.api, Arc::clone(&row.endpoint)));
        }
        summary
    }

    /// Figures over the whole input, if they are kept.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What was counted since each API was first watched.
    #[must_use]
    pub fn counted(&self) -> &[Counted] {
        &self.counted
    }

    /// Requests stamped ahead of the clock, which were counted as if they came now.
    #[must_use]
    pub const fn future_requests(&self) -> u64 {
        self.future
    }

    /// The window that [`Engine::snapshot`] shows.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.settings.window
    }

    /// Failures that are no longer followed, by how each was joined to its invocation.
    #[must_use]
    pub const fn joins(&self) -> &BTreeMap<Join, u64> {
        self.casework.joins()
    }

    /// The episodes of all alerts that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Arc<str>> {
        self.alerts.firing().chain(self.sight.episodes())
    }

    /// What is watched.
    #[must_use]
    pub const fn inventory(&self) -> &Arc<Inventory> {
        &self.settings.inventory
    }

    /// How far a source is read, and why not further.
    #[must_use]
    pub fn reading(&self, source: SourceId) -> Reading {
        self.sight.reading(source)
    }

    /// The alerts about logs that fire, as of `now`.
    #[must_use]
    pub fn unread(&self, now: Timestamp) -> Vec<Alert> {
        self.sight.firing(now)
    }

    /// What was left out.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        let (invocations, cases) = self.casework.dropped();
        let mut dropped = Dropped { invocations, cases, ..Dropped::default() };
        for endpoints in &self.endpoints {
            dropped.late_requests += endpoints.too_late;
            dropped.overflow_requests += endpoints.overflow;
        }
        dropped
    }
}
