//! A meter: counts by kind, shared by those who count and whoever reads them.
//!
//! For what happens a few times a second at most, such as requests to AWS; events are counted by the engine. Rule: it
//! only goes up while the process runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::inventory::{Source, SourceId};
use crate::model::problem::Problem;
use crate::model::report::Calls;

/// The meter.
#[derive(Debug)]
pub struct Meter<K>(Arc<Mutex<BTreeMap<K, u64>>>);

/// What is counted of the work of reading.
#[derive(Clone, Debug, Default)]
pub struct Meters {
    /// Requests to AWS.
    pub calls: Meter<Call>,
    /// Lines that could not be read: by source, whose number is never given to another one, and the reason.
    pub unread: Meter<(SourceId, &'static str)>,
}

/// A kind of requests to AWS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    operation: &'static str,
    region: Arc<str>,
    role: Option<Arc<str>>,
    problem: Option<Problem>,
}

impl<K> Default for Meter<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for Meter<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Ord + Clone> Meter<K> {
    /// So many more of a kind.
    pub fn add(&self, kind: K, more: u64) {
        *self.lock().entry(kind).or_default() += more;
    }

    /// All counts, in order of their kinds.
    #[must_use]
    pub fn read(&self) -> Vec<(K, u64)> {
        self.lock().iter().map(|(kind, count)| (kind.clone(), *count)).collect()
    }

    /// No code panics between two halves of a change, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meters {
    /// A request about a source was made, and failed in this way if it did.
    pub fn call(&self, operation: &'static str, source: &Source, problem: Option<Problem>) {
        let region = source.region.clone().unwrap_or_else(|| "?".into());
        self.calls.add(Call { operation, region, role: source.role.clone(), problem }, 1);
    }

    /// The requests that were made.
    #[must_use]
    pub fn calls(&self) -> Vec<Calls> {
        let told = |(call, count)| {
            let Call { operation, region, role, problem } = call;
            Calls { operation, region, role, problem, count }
        };
        self.calls.read().into_iter().map(told).collect()
    }
}
