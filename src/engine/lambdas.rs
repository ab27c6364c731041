//! The logs of an API's functions: whether that they say nothing means that nothing ran.
//!
//! Not the invocations themselves. Rule: silence tells something only where all of an API's groups are read, the
//! endpoint is known to be served by a function, and that writes to one of them, which has shown an invocation before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::casework::Casework;
use super::functions::Function;
use super::sight::{Reach, Sight};
use crate::model::inventory::{ApiId, Inventory, Source, SourceId, SourceKind};
use crate::model::request::Endpoint;
use crate::model::time::Timestamp;

/// Functions told apart in one log group that they share.
const NAMES_MAX: usize = 1000;

/// What silence of the logs of functions means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Up to this event time nothing ran that was not seen.
    Tells(Timestamp),
    /// Nothing: the API names no log of a function.
    NoGroup,
    /// Nothing: one of them is not read.
    NotRead,
    /// Nothing: what is read lies too far back.
    Behind,
    /// Nothing: no invocation was ever seen behind the endpoint. It may well be served by no function.
    NotServed,
    /// Nothing: the endpoint's function writes elsewhere, or has never written.
    Elsewhere,
}

/// Which logs have shown an invocation, and in those that functions share, of whom.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Shown {
    by_source: BTreeMap<SourceId, BTreeSet<Arc<str>>>,
}

impl Shown {
    /// A line of an invocation stood in this stream of this log.
    pub(super) fn take(&mut self, inventory: &Inventory, source: SourceId, stream: &str) {
        let names = self.by_source.entry(source).or_default();
        let Some(source) = inventory.sources.get(source.index()).filter(|s| s.function.is_none()) else { return };
        let Some(name) = Function::of(source, stream).name else { return };
        if names.len() < NAMES_MAX && !names.contains(&name) {
            names.insert(name);
        }
    }

    /// Whether a function may write to this log, which has shown an invocation: by the group's name, by the streams of a
    /// group that functions share, or because nothing tells whose lines these are, as in a file.
    fn may_hold(&self, source: SourceId, of: &Source, function: &Function) -> bool {
        let Some(names) = self.by_source.get(&source) else { return false };
        if of.name == function.group {
            return true;
        }
        match (&of.function, &function.name) {
            (Some(own), Some(name)) => own == name,
            (Some(_), None) => false,
            (None, Some(name)) => names.is_empty() || names.contains(name),
            (None, None) => names.is_empty(),
        }
    }
}

/// What is known of them at one look of an API's rules.
#[derive(Debug)]
pub(super) struct Lambdas<'a> {
    api: ApiId,
    at: Timestamp,
    inventory: &'a Inventory,
    casework: &'a Casework,
    /// Of all of them.
    silence: Silence,
}

impl<'a> Lambdas<'a> {
    /// At event time `at`.
    pub(super) fn new(
        inventory: &'a Inventory,
        casework: &'a Casework,
        sight: &Sight,
        api: ApiId,
        at: Timestamp,
    ) -> Self {
        let mut silence = Silence::NoGroup;
        for (source, _) in groups(inventory, api) {
            silence = match (silence, sight.reach(source)) {
                (Silence::NoGroup, Reach::To(to)) => Silence::Tells(to),
                (Silence::Tells(least), Reach::To(to)) => Silence::Tells(least.min(to)),
                (_, _) => Silence::NotRead,
            };
        }
        Self { api, at, inventory, casework, silence }
    }

    /// What silence means for one endpoint, where what lies further back than `window` is too old to matter.
    pub(super) fn silence(&self, endpoint: &Arc<Endpoint>, window: Duration) -> Silence {
        let Silence::Tells(to) = self.silence else { return self.silence };
        if self.at.since(to) > window {
            return Silence::Behind;
        }
        let shown = self.casework.shown();
        let is_read = |function: &Function| {
            groups(self.inventory, self.api).any(|(source, of)| shown.may_hold(source, of, function))
        };
        match self.casework.serving(self.api, endpoint) {
            Some(function) if is_read(&function) => Silence::Tells(to.min(self.at)),
            Some(_) => Silence::Elsewhere,
            // Several serve it, each of which was seen.
            None if self.casework.is_served(self.api, endpoint) => Silence::Tells(to.min(self.at)),
            None => Silence::NotServed,
        }
    }
}

/// The logs of functions that an API names.
fn groups(inventory: &Inventory, api: ApiId) -> impl Iterator<Item = (SourceId, &Source)> {
    let all = (0_u16..).map(SourceId).zip(&inventory.sources);
    all.filter(move |(_, source)| source.kind == SourceKind::Lambda && source.apis.contains(&api))
}
