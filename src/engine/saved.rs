//! The engine's whole state as bytes, and an engine that goes on from them.
//!
//! Not files: the caller keeps the bytes, and saves between two batches, so that they are one cut with what it knows of
//! its sources. Rule: an engine that was restored gives the same outputs as one that was never stopped; under other
//! settings it keeps what still has a place.

use std::sync::Arc;

use super::Engine;
use super::absence::Absences;
use super::alerts::Alerts;
use super::casework::Casework;
use super::counted::Counted;
use super::endpoints::Endpoints;
use super::rules::SourceBlind;
use super::settings::Settings;
use super::sight::{Seen, Sight};
use super::totals::Totals;
use super::watched::Watched;
use crate::model::alert::{Alert, AlertKey};
use crate::model::inventory::{ApiId, Inventory};
use crate::model::notice::Notice;
use crate::model::past::Past;
use crate::model::saved::{self, RestoreError};
use crate::model::time::Timestamp;

/// Version of the saved form: it changes with any type that is saved, and older state is then refused.
pub const STATE_VERSION: u32 = 5;

/// As it is read; [`Engine::save`] writes the same from where it stands.
type State = (Vec<Endpoints>, Looked, (Sighted, Absences), Vec<Counted>, Whole);
type Looked = (Vec<Option<Timestamp>>, Vec<Watched>);
type Sighted = (Vec<Seen>, Option<Timestamp>);
type Whole = (Casework, Alerts, Totals, u64);

impl Engine {
    /// The state as bytes. All outputs must have been drained: they are not part of it.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        debug_assert!(self.outputs.is_empty() && self.casework.is_drained(), "outputs are drained before saving");
        let whole = (&self.casework, &self.alerts, &self.totals, self.future);
        let sight = (self.sight.state(), &self.absences);
        saved::save(STATE_VERSION, &(&self.endpoints, (&self.next_step, &self.watched), sight, &self.counted, whole))
    }

    /// An engine that goes on where the saved one stood. The settings may have changed: what no longer has a place is
    /// left out, alerts that nobody would look at among it; see [`Engine::looks_at`]. APIs and sources may have been
    /// added behind those that were known; see [`Engine::extend`].
    ///
    /// # Errors
    /// When the bytes are damaged, of another version, or about more than the inventory has.
    pub fn restore(settings: Settings, saved: &[u8]) -> Result<Self, RestoreError> {
        let (endpoints, looked, (seen, absences), counted, whole): State = saved::restore(STATE_VERSION, saved)?;
        let (next_step, mut watched) = looked;
        let (casework, mut alerts, totals, future) = whole;
        let (apis, sources) = (endpoints.len(), seen.0.len());
        if apis > settings.inventory.apis.len() || sources > settings.inventory.sources.len() {
            return Err(RestoreError::Shrunk { apis, sources });
        }
        let fits = next_step.len() == apis
            && watched.len() == apis
            && counted.len() == apis
            && alerts.fit(apis)
            && totals.fits(apis)
            && seen.0.iter().all(|seen| seen.fits(apis))
            && absences.fit(apis, sources);
        if !fits {
            return Err(RestoreError::Damaged);
        }
        alerts.retain(|key| settings.looks_at(key));
        let mut sight = Sight::resume(&settings.inventory, seen);
        sight.retain(|key| settings.looks_at(key));
        for ((endpoints, watched), step) in endpoints.iter().zip(&mut watched).zip(&next_step) {
            // A rule may look back further now than was counted.
            if let Some(step) = step {
                watched.begin_at(step.minus(endpoints.counted_back()));
            }
        }
        let resume = |(e, api)| Endpoints::resume(e, settings.max_endpoints, settings.memory(ApiId(api)));
        let endpoints = endpoints.into_iter().zip(0_u16..).map(resume);
        let mut engine = Self {
            endpoints: endpoints.collect::<Option<_>>().ok_or(RestoreError::Damaged)?,
            next_step,
            watched,
            sight,
            absences,
            counted,
            casework: Casework::resume(casework, &settings, apis).ok_or(RestoreError::Damaged)?,
            alerts,
            totals: if settings.totals { totals } else { Totals::default() },
            future,
            ..Self::new(settings)
        };
        engine.grow();
        Ok(engine)
    }

    /// More is watched from now on: APIs and sources were added to the inventory behind those it had. They start as if
    /// they had been there from the beginning, with one exception: an access log that is added to an API whose rules
    /// have another to go by does not stop them until it is read. A log group of functions changes nothing about
    /// rules.
    pub fn extend(&mut self, inventory: Arc<Inventory>) {
        let grown = inventory.apis.len() >= self.endpoints.len() && inventory.sources.len() >= self.sight.len();
        debug_assert!(grown, "an inventory only grows while it is watched");
        if grown {
            self.casework.extend(&inventory);
            self.settings.inventory = inventory;
            self.grow();
        }
    }

    /// Takes over an alert that an earlier life of this engine handed out after the state was saved, and that was
    /// said: of a firing alert the instance goes on with its episode, of a resolved one it is over. What was looked at
    /// up to that alert's time is not looked at again for its rule and subject. To be called in the order in which
    /// they were said, before anything else. False if the state knows of it already.
    pub fn adopt(&mut self, alert: &Alert, past: Past) -> bool {
        if *alert.key.rule == *SourceBlind::NAME {
            return self.settings.looks_at(&alert.key) && self.sight.adopt(&self.settings.inventory, alert);
        }
        let api = alert.key.api.index();
        let Some(step) = self.next_step.get(api) else { return false };
        if step.is_some_and(|step| alert.time < step) {
            return false;
        }
        // What is counted begins with the state: without one the earlier life had it in its own.
        if self.looks_at(&alert.key) && self.alerts.adopt(alert) && past == Past::Relived {
            self.counted[api].alert();
        }
        true
    }

    /// A new life begins: that nobody read in between makes no log blind. Before the first tick.
    pub const fn wake(&mut self, now: Timestamp) {
        self.sight.wake(now);
    }

    /// Takes over a notice that was said in an earlier life: the outage it is about is told.
    pub fn adopt_notice(&mut self, notice: &Notice) {
        self.absences.adopt(notice);
    }

    /// Whether an alert of this key is looked at: its API has the rule, and a log; one about a log is known as such.
    /// Others go on no more.
    #[must_use]
    pub fn looks_at(&self, key: &AlertKey) -> bool {
        let is_known = *key.rule != *SourceBlind::NAME || self.sight.knows(key);
        is_known && self.settings.looks_at(key)
    }

    /// Makes room for what the inventory has and the tables have not.
    fn grow(&mut self) {
        let apis = self.settings.inventory.apis.len();
        for api in (0_u16..).map(ApiId).take(apis).skip(self.endpoints.len()) {
            self.endpoints.push(Endpoints::new(self.settings.max_endpoints, self.settings.memory(api)));
        }
        self.watched.resize(apis, Watched::default());
        self.next_step.resize(apis, None);
        self.counted.resize(apis, Counted::default());
        self.explains_itself = self.settings.explains_itself();
        self.sight.grow(&self.settings.inventory);
    }
}
