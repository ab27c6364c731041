//! What goes on from one life to the next within a process, and is not saved.
//!
//! Not what a restart goes on from: that is `keep`. Rule: whatever begins anew with the next life is not here.

use std::collections::BTreeSet;

use super::meter::Meters;
use crate::config::Watched;
use crate::model::alert::Alert;
use crate::model::inventory::{Inventory, SourceId};
use crate::model::report::Turns;
use crate::model::time::Timestamp;

/// What goes on from one life to the next within a process.
#[derive(Clone, Debug)]
pub struct Ongoing {
    /// When the first of them began.
    pub started: Timestamp,
    /// What was counted of the work of reading.
    pub meters: Meters,
    /// How long the engine took.
    pub turns: Turns,
    /// Alerts as the rules saw them last, by API.
    pub looked: Vec<Vec<Alert>>,
    /// Sources that were read to the end or have failed.
    pub tried: BTreeSet<SourceId>,
    /// Patterns that were looked up.
    pub listed: Vec<Watched>,
}

impl Ongoing {
    /// The first life begins.
    #[must_use]
    pub fn begin(now: Timestamp) -> Self {
        Self {
            started: now,
            meters: Meters::default(),
            turns: Turns::default(),
            looked: Vec::new(),
            tried: BTreeSet::new(),
            listed: Vec::new(),
        }
    }

    /// The next life watches this: what is not in it is waited for again, should it come back.
    pub fn goes_on(&mut self, inventory: &Inventory, patterns: &[Watched]) {
        self.tried.retain(|source| inventory.source(*source).is_named());
        self.listed.retain(|watched| patterns.contains(watched));
    }
}
