//! Names of log streams, shared by the events of a source.
//!
//! Rule: a name is made once and not for each event; there is a bound on how many are kept.

use std::sync::Arc;

use crate::model::hash::FastMap;

/// Names kept to be shared.
const STREAMS_MAX: usize = 10_000;

/// Names of streams, to be shared by their events.
#[derive(Debug, Default)]
pub struct Streams {
    names: Vec<Arc<str>>,
    places: FastMap<Arc<str>, usize>,
    /// Where the name of the event before stands: the next event is often of the same stream.
    last: usize,
}

impl Streams {
    /// A name, shared with the events before.
    pub fn shared(&mut self, name: &str) -> Arc<str> {
        // Counting a name's owners is most of what this costs, because they end in another thread: it is done once.
        if self.names.get(self.last).is_none_or(|last| **last != *name) {
            self.last = self.places.get(name).copied().unwrap_or_else(|| self.add(name));
        }
        Arc::clone(&self.names[self.last])
    }

    fn add(&mut self, name: &str) -> usize {
        if self.names.len() >= STREAMS_MAX {
            self.names.clear();
            self.places.clear();
        }
        let shared: Arc<str> = name.into();
        self.places.insert(Arc::clone(&shared), self.names.len());
        self.names.push(shared);
        self.names.len() - 1
    }
}
