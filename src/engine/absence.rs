//! Absences: reading stood still, and what was missed is being caught up beside live reading.
//!
//! A network that is down, credentials that expired, a laptop asleep, a daemon that was stopped: one outage makes many
//! sources absent, so what is caught up for all of them is counted here together and told once, when the last of them
//! is done. Not the catching up (run and tail) and not an alert: what lies in the past pages nobody. Rule: each absence
//! is counted into one notice at most, and a short one says nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::alerts::named;
use crate::model::cause::{CauseKind, Failure};
use crate::model::inventory::{ApiId, Inventory, SourceId, SourceKind};
use crate::model::notice::{Missed, Notice};
use crate::model::problem::Problem;
use crate::model::request::{Endpoint, Request};
use crate::model::time::Timestamp;

/// An absence shorter than this says nothing: reads that overlap make up for it, and nobody waited for an alert.
const LEAST: Duration = Duration::from_mins(2);
/// After the last absence is closed a notice waits this long (arrival time) for others of the same outage, and for the
/// explanations of the last failures.
const JOIN: Duration = Duration::from_secs(10);
/// Failures whose cause is followed, and endpoints that are told apart; what comes beyond is counted in the sums.
const FAILURES_MAX: usize = 10_000;
const ENDPOINTS_MAX: usize = 1000;
/// Log groups, causes and endpoints that a notice names: more is for a report.
const NAMED_MAX: usize = 3;
const WORST_MAX: usize = 5;

/// One outage: absences that overlap in arrival time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Outage {
    from: Timestamp,
    to: Timestamp,
    /// The longest absence of one source.
    longest: Duration,
    why: BTreeSet<Problem>,
    sources: BTreeSet<SourceId>,
    requests: u64,
    failures: u64,
    endpoints: BTreeMap<(ApiId, Arc<Endpoint>), u64>,
    /// By a failure's identity: how many failures have it, and their cause as far as it is known.
    causes: BTreeMap<u64, (u64, CauseKind)>,
    unread_before: Option<Timestamp>,
    /// Arrival time at which the last of its absences was closed.
    closed: Option<Timestamp>,
}

/// All absences that were not told yet. Plain, so that it can be kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Absences {
    /// Sources that are being caught up, and between which event times.
    open: BTreeMap<SourceId, (Timestamp, Timestamp)>,
    outage: Option<Outage>,
}

impl Absences {
    /// Reading of a source stood still for events between `from` and `to`; catching up begins.
    pub(super) fn open(
        &mut self,
        source: SourceId,
        (from, to): (Timestamp, Timestamp),
        problem: Option<Problem>,
        inventory: &Inventory,
        now: Timestamp,
    ) -> Option<Notice> {
        // What is due is told first: this is the next outage.
        let told = self.tick(inventory, now);
        let span = self.open.entry(source).or_insert((from, to));
        *span = (span.0.min(from), span.1.max(to));
        let outage = self.outage.get_or_insert_with(|| Outage::new(from, to));
        outage.from = outage.from.min(from);
        outage.to = outage.to.max(to);
        outage.longest = outage.longest.max(span.1.since(span.0));
        outage.why.extend(problem);
        outage.sources.insert(source);
        outage.closed = None;
        told
    }

    /// The source is caught up; what lies before `unread_before` was too much to read.
    pub(super) fn close(&mut self, source: SourceId, unread_before: Option<Timestamp>, now: Timestamp) {
        let closed = self.open.remove(&source).is_some();
        if let Some(outage) = self.outage.as_mut().filter(|_| closed) {
            outage.unread_before = outage.unread_before.max(unread_before);
            outage.closed = self.open.is_empty().then_some(now);
        }
    }

    /// The source is not read any more: what it missed is not waited for.
    pub(super) fn give_up(&mut self, source: SourceId) {
        let closed = self.outage.as_ref().map(|outage| outage.to);
        self.close(source, None, closed.unwrap_or(Timestamp::MIN));
    }

    /// The absence that a request of an execution log belongs to, which is counted some time after its lines were read.
    pub(super) fn of_execution(&self, api: ApiId, time: Timestamp, inventory: &Inventory) -> Option<SourceId> {
        let is_its = |source: SourceId| inventory.source(source).kind == SourceKind::Execution(api);
        let mut open = self.open.iter().filter(|(source, _)| is_its(**source));
        open.find(|(_, (from, to))| (*from..*to).contains(&time)).map(|(source, _)| *source)
    }

    /// A request was caught up that was counted under `endpoint` at `time`.
    pub(super) fn request(&mut self, source: SourceId, request: &Request, endpoint: &Arc<Endpoint>, time: Timestamp) {
        // What is read meanwhile of the time before and after was not missed.
        if !self.open.get(&source).is_some_and(|(from, to)| (*from..*to).contains(&time)) {
            return;
        }
        let Some(outage) = &mut self.outage else { return };
        outage.requests += 1;
        if !request.is_failure() {
            return;
        }
        outage.failures += 1;
        let place = (request.api, Arc::clone(endpoint));
        if outage.endpoints.len() < ENDPOINTS_MAX || outage.endpoints.contains_key(&place) {
            *outage.endpoints.entry(place).or_default() += 1;
        }
        let identity = identity(request.api, endpoint, time, request.request_id.as_deref());
        if outage.causes.len() < FAILURES_MAX || outage.causes.contains_key(&identity) {
            outage.causes.entry(identity).or_insert((0, CauseKind::Unknown)).0 += 1;
        }
    }

    /// A failure is explained, or explained anew.
    pub(super) fn explained(&mut self, failure: &Failure) {
        let Some(outage) = self.outage.as_mut().filter(|o| !o.causes.is_empty()) else { return };
        let identity = identity(failure.api, &failure.endpoint, failure.time, failure.request_id.as_deref());
        if let Some((_, kind)) = outage.causes.get_mut(&identity) {
            *kind = failure.explanation.cause.kind;
        }
    }

    /// Takes over a notice that was said in an earlier life.
    pub(super) fn adopt(&mut self, notice: &Notice) {
        let told = |outage: &Outage| (outage.from, outage.to) == (notice.from, notice.to);
        if self.outage.as_ref().is_some_and(told) {
            (self.outage, self.open) = (None, BTreeMap::new());
        }
    }

    /// Whether it is about so many APIs and sources at most.
    pub(super) fn fit(&self, apis: usize, sources: usize) -> bool {
        let known = self.outage.iter().flat_map(|outage| &outage.sources).chain(self.open.keys());
        let named = self.outage.iter().flat_map(|outage| outage.endpoints.keys());
        known.into_iter().all(|source| source.index() < sources) && named.into_iter().all(|(api, _)| api.index() < apis)
    }

    /// Lets arrival time pass. Returns the notice that is due by it.
    pub(super) fn tick(&mut self, inventory: &Inventory, now: Timestamp) -> Option<Notice> {
        if self.next_deadline().is_none_or(|due| now < due) {
            return None;
        }
        let outage = self.outage.take()?;
        (outage.longest >= LEAST).then(|| outage.notice(inventory, now))
    }

    /// When the next tick is wanted.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        Some(self.outage.as_ref()?.closed?.plus(JOIN))
    }
}

impl Outage {
    const fn new(from: Timestamp, to: Timestamp) -> Self {
        Self {
            from,
            to,
            longest: Duration::ZERO,
            why: BTreeSet::new(),
            sources: BTreeSet::new(),
            requests: 0,
            failures: 0,
            endpoints: BTreeMap::new(),
            causes: BTreeMap::new(),
            unread_before: None,
            closed: None,
        }
    }

    fn notice(self, inventory: &Inventory, now: Timestamp) -> Notice {
        let mut causes: BTreeMap<CauseKind, u64> = BTreeMap::new();
        for (count, kind) in self.causes.values() {
            *causes.entry(*kind).or_default() += count;
        }
        let followed: u64 = causes.values().sum();
        if self.failures > followed {
            *causes.entry(CauseKind::Unknown).or_default() += self.failures - followed;
        }
        let mut causes: Vec<_> = causes.into_iter().collect();
        causes.sort_by_key(|(_, count)| Reverse(*count));
        causes.truncate(WORST_MAX);
        let missed = |((api, endpoint), failures): ((ApiId, Arc<Endpoint>), u64)| {
            let api = Arc::clone(&inventory.api(api).name);
            Missed { api, endpoint, failures }
        };
        let mut endpoints: Vec<_> = self.endpoints.into_iter().map(missed).collect();
        endpoints.sort_by_key(|missed| Reverse(missed.failures));
        endpoints.truncate(WORST_MAX);
        let names = self.sources.iter().map(|source| &inventory.source(*source).name);
        let all: Vec<&str> = names.clone().map(|name| &**name).collect();
        let apis: BTreeSet<ApiId> = self.sources.iter().flat_map(|s| &inventory.source(*s).apis).copied().collect();
        let what = format!("absence\n{}\n{}\n{}", self.from.as_millis(), self.to.as_millis(), all.join("\n"));
        Notice {
            time: now,
            from: self.from,
            to: self.to,
            why: self.why.into_iter().collect(),
            sources: self.sources.len(),
            names: names.take(NAMED_MAX).cloned().collect(),
            apis: apis.into_iter().map(|api| Arc::clone(&inventory.api(api).name)).collect(),
            requests: self.requests,
            failures: self.failures,
            causes,
            endpoints,
            unread_before: self.unread_before,
            episode: named(&what),
        }
    }
}

/// Tells failures apart. Without a request ID those of one millisecond are one: they have one cause then.
fn identity(api: ApiId, endpoint: &Endpoint, time: Timestamp, request_id: Option<&str>) -> u64 {
    let id = request_id.unwrap_or_default();
    xxh3_64(format!("{}\n{endpoint}\n{}\n{id}", api.0, time.as_millis()).as_bytes())
}
