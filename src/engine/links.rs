//! Which case waits for which ID, and which invocations named that ID.
//!
//! For requests whose access line names no invocation: the function may have logged the API's request ID, or both may
//! carry one X-Ray trace. Either side may come first. Not a verdict on whether the two belong together: that is
//! `casework`'s. Rule: bounded; an ID that many invocations name leads nowhere.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::hash::FastMap;
use crate::model::id::Id;
use crate::model::saved::in_order;
use crate::model::time::Timestamp;

/// Invocations kept for one ID: a trace covers a few functions, a request ID that is handed on likewise.
const NAMED_MAX: usize = 8;

/// The index.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Links {
    /// Not saved: the open cases tell.
    #[serde(skip)]
    awaited: FastMap<Id, u64>,
    #[serde(with = "in_order")]
    named: FastMap<Id, Vec<Id>>,
    /// In order of arrival, for expiry.
    order: VecDeque<(Timestamp, Id)>,
    #[serde(skip)]
    max: usize,
}

impl Links {
    /// Remembers at most `max` IDs that invocations named.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// What was saved, within the bounds of a new index. `None` if it cannot have been saved like this.
    pub(super) fn resume(saved: Self, new: &Self) -> Option<Self> {
        let mut links = Self { max: new.max, ..saved };
        let is_whole =
            links.order.len() == links.named.len() && links.order.iter().all(|(_, id)| links.named.contains_key(id));
        while links.named.len() > links.max.max(1) {
            links.drop_oldest();
        }
        is_whole.then_some(links)
    }

    /// A case waits for whoever names this ID.
    pub fn wait(&mut self, id: &str, case: u64) {
        self.awaited.insert(id.into(), case);
    }

    /// A case no longer waits.
    pub fn forget(&mut self, id: &str, case: u64) {
        let id = Id::from(id);
        if self.awaited.get(&id) == Some(&case) {
            self.awaited.remove(&id);
        }
    }

    /// The case that waits for this ID.
    #[must_use]
    pub fn awaited(&self, id: &str) -> Option<u64> {
        if self.awaited.is_empty() { None } else { self.awaited.get(&Id::from(id)).copied() }
    }

    /// An invocation names this ID.
    pub fn name(&mut self, id: &str, invocation: &Id, now: Timestamp) {
        let id = Id::from(id);
        if let Some(known) = self.named.get_mut(&id) {
            if known.len() < NAMED_MAX && !known.contains(invocation) {
                known.push(invocation.clone());
            }
            return;
        }
        if self.named.len() >= self.max {
            self.drop_oldest();
        }
        self.order.push_back((now, id.clone()));
        self.named.insert(id, vec![invocation.clone()]);
    }

    /// The invocations that named this ID, in order of arrival.
    #[must_use]
    pub fn named(&self, id: &str) -> &[Id] {
        self.named.get(&Id::from(id)).map_or(&[], Vec::as_slice)
    }

    /// Forgets IDs that were named before `horizon`.
    pub fn expire(&mut self, horizon: Timestamp) {
        while self.order.front().is_some_and(|(at, _)| *at < horizon) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.named.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_side_may_come_first_and_both_are_bounded() {
        let now = Timestamp::from_millis(0);
        let mut links = Links::new(10);
        links.wait("r1", 7);
        assert_eq!(links.awaited("r1"), Some(7));
        links.forget("r1", 8);
        assert_eq!(links.awaited("r1"), Some(7), "another case's");
        links.forget("r1", 7);
        assert_eq!(links.awaited("r1"), None);
        for n in 0..100 {
            links.name(&format!("r{n}"), &"a".into(), now);
            links.name("r99", &format!("i{n}").as_str().into(), now);
        }
        assert!(links.named.len() <= 10 && links.named("r99").len() == NAMED_MAX);
        links.expire(Timestamp::from_millis(1));
        assert!(links.named.is_empty() && links.order.is_empty());
    }
}
