//! The endpoints of one API and what is counted for each.
//!
//! Rule: at most `max` endpoints; past that, one that has been idle for a whole window makes room, else the request
//! is counted under `<other>` with its method, and `overflow` says how many were.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::histogram::{Histogram, Latencies};
use super::learned::Learned;
use super::sums::Sums;
use super::tally::Tally;
use super::window::{Counts, SLOT, Window, begin};
use crate::model::hash::FastMap;
use crate::model::request::{Endpoint, Request};
use crate::model::time::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);
/// Methods kept apart under `<other>`: there are nine in HTTP; more is noise.
const OTHER_METHODS_MAX: usize = 16;

/// What is counted for one endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndpointStats {
    /// Which one.
    pub endpoint: Arc<Endpoint>,
    /// Requests by status class.
    pub window: Window,
    /// Response latency, milliseconds.
    pub latencies: Latencies,
    /// Causes of its failures.
    pub tally: Tally,
    /// Causes it has failed for so far.
    pub learned: Learned,
    /// The latest event time of its requests.
    pub newest: Timestamp,
}

/// How much the rules of an API ask its endpoints to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// How far back requests are counted.
    pub counts: Duration,
    /// How far back latencies are.
    pub latencies: Duration,
    /// How far back causes are.
    pub causes: Duration,
    /// Milliseconds above which a request is slow.
    pub slow_over_ms: Option<u32>,
}

/// Figures of one endpoint over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Requests by status class.
    pub counts: Counts,
    /// Response latencies, milliseconds.
    pub latencies: Histogram,
}

/// All endpoints of one API.
#[derive(Debug, Serialize, Deserialize)]
pub struct Endpoints {
    #[serde(skip)]
    places: FastMap<Arc<Endpoint>, usize>,
    stats: Vec<EndpointStats>,
    #[serde(skip)]
    max: usize,
    memory: Memory,
    next_search: Timestamp,
    /// Requests counted under `<other>`.
    pub overflow: u64,
    /// Requests whose event time lay behind the window's ring.
    pub too_late: u64,
}

impl Endpoints {
    /// For at most `max` endpoints.
    #[must_use]
    pub fn new(max: usize, memory: Memory) -> Self {
        Self {
            places: FastMap::default(),
            stats: Vec::new(),
            max,
            memory,
            next_search: Timestamp::MIN,
            overflow: 0,
            too_late: 0,
        }
    }

    /// What was saved, within these bounds: where there were more endpoints, the last of them count under `<other>`.
    /// `None` if it cannot have been saved like this.
    pub(super) fn resume(saved: Self, max: usize, memory: Memory) -> Option<Self> {
        let Self { next_search, overflow, too_late, .. } = saved;
        let mut endpoints = Self { next_search, overflow, too_late, ..Self::new(max, memory) };
        for stats in saved.stats {
            if !stats.tally.is_whole() {
                return None;
            }
            let at = match endpoints.places.get(&stats.endpoint) {
                Some(at) => *at,
                None if endpoints.stats.len() < max => endpoints.insert(Arc::clone(&stats.endpoint)),
                None => endpoints.other(&stats.endpoint),
            };
            endpoints.stats[at].absorb(stats);
        }
        Some(endpoints)
    }

    /// How far back requests are counted.
    pub(super) const fn counted_back(&self) -> Duration {
        self.memory.counts
    }

    /// Counts a request at `time`. Returns the endpoint it was counted under, or `None` when it came too late.
    pub fn record(&mut self, request: &Request, time: Timestamp) -> Option<Arc<Endpoint>> {
        let at = self.place(&request.endpoint, time);
        let stats = &mut self.stats[at];
        let slow = self.memory.slow_over_ms.zip(request.response_latency_ms).is_some_and(|(over, ms)| ms > over);
        if !stats.window.record(time, request.status, slow) {
            self.too_late = self.too_late.saturating_add(1);
            return None;
        }
        stats.newest = stats.newest.max(time);
        if let Some(ms) = request.response_latency_ms {
            stats.latencies.record(time, ms);
        }
        Some(Arc::clone(&stats.endpoint))
    }

    /// The statistics of one endpoint.
    pub fn get_mut(&mut self, endpoint: &Endpoint) -> Option<&mut EndpointStats> {
        self.places.get(endpoint).map(|at| &mut self.stats[*at])
    }

    /// Where one endpoint stands among [`Endpoints::all`]; perhaps still where it was `known` to be.
    pub(super) fn place_of(&self, endpoint: &Arc<Endpoint>, known: Option<usize>) -> Option<usize> {
        let is_there = |at: &usize| self.stats.get(*at).is_some_and(|stats| Arc::ptr_eq(&stats.endpoint, endpoint));
        known.filter(is_there).or_else(|| self.places.get(&**endpoint).copied())
    }

    /// The statistics of one endpoint.
    #[must_use]
    pub fn get(&self, endpoint: &Endpoint) -> Option<&EndpointStats> {
        self.places.get(endpoint).map(|at| &self.stats[*at])
    }

    /// All of them, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &EndpointStats> {
        self.stats.iter()
    }

    /// All of them, as a list.
    #[must_use]
    pub fn all(&self) -> &[EndpointStats] {
        &self.stats
    }

    /// Forgets causes that nobody asks for at event time `at`, and keeps old ones only as exactly as they are asked for.
    pub fn forget(&mut self, at: Timestamp) {
        let before = begin(at, self.memory.causes);
        // Each time would cost much and gain little.
        let is_full_minute = at.floor(MINUTE) == at;
        for stats in &mut self.stats {
            stats.tally.forget_before(before);
            if is_full_minute {
                stats.tally.coarsen(at);
            }
        }
    }

    /// Learns the causes of the window before `at`, of sums that were made of these endpoints as they are.
    pub(super) fn learn(&mut self, sums: &Sums, at: Timestamp, window: Duration) {
        for place in 0..self.stats.len() {
            // One whose requests all lie behind `at` came in the same batch as what is looked at: it is not watched yet,
            // or it would depend on how much came at once since when it is.
            let is_watched = self.stats[place].learned.is_watched();
            if !is_watched && sums.requests(&self.stats, place..place + 1, at, window).requests == 0 {
                continue;
            }
            let causes = sums.causes(&self.stats, place, at, window);
            let EndpointStats { tally, learned, .. } = &mut self.stats[place];
            learned.look(&tally.kins(&causes), at, window);
        }
    }

    fn place(&mut self, endpoint: &Arc<Endpoint>, now: Timestamp) -> usize {
        if let Some(at) = self.places.get(endpoint) {
            return *at;
        }
        if self.stats.len() < self.max {
            return self.insert(Arc::clone(endpoint));
        }
        if let Some(at) = self.idle(now) {
            self.places.remove(&self.stats[at].endpoint);
            self.stats[at] = self.fresh(Arc::clone(endpoint));
            self.places.insert(Arc::clone(endpoint), at);
            return at;
        }
        self.overflow = self.overflow.saturating_add(1);
        self.other(endpoint)
    }

    /// Where an endpoint counts that has no place of its own.
    fn other(&mut self, endpoint: &Endpoint) -> usize {
        let other = Arc::new(Endpoint { method: Arc::clone(&endpoint.method), route: Endpoint::OTHER.into() });
        match self.places.get(&other) {
            Some(at) => *at,
            None if self.stats.len() < self.max + OTHER_METHODS_MAX => self.insert(other),
            None => {
                let any = Arc::new(Endpoint::new("-", Endpoint::OTHER));
                self.places.get(&any).copied().unwrap_or_else(|| self.insert(any))
            }
        }
    }

    /// An endpoint without a request in the longest window. Looked for at most once per slot, because looking costs
    /// a walk over all of them.
    fn idle(&mut self, now: Timestamp) -> Option<usize> {
        if now < self.next_search {
            return None;
        }
        let horizon = begin(now, self.memory.counts).minus(SLOT);
        // Not among the `<other>` that stand behind: they would come back one place further each time.
        let found = self.stats.iter().take(self.max).position(|s| s.newest < horizon);
        if found.is_none() {
            self.next_search = now.plus(SLOT);
        }
        found
    }

    fn insert(&mut self, endpoint: Arc<Endpoint>) -> usize {
        let stats = self.fresh(Arc::clone(&endpoint));
        self.stats.push(stats);
        self.places.insert(endpoint, self.stats.len() - 1);
        self.stats.len() - 1
    }

    fn fresh(&self, endpoint: Arc<Endpoint>) -> EndpointStats {
        EndpointStats {
            endpoint,
            window: Window::new(self.memory.counts),
            latencies: Latencies::new(self.memory.latencies),
            tally: Tally::default(),
            learned: Learned::default(),
            newest: Timestamp::MIN,
        }
    }
}

impl EndpointStats {
    /// Its figures over `[end - window, end)`.
    #[must_use]
    pub fn figures(&self, end: Timestamp, window: Duration) -> Figures {
        Figures { counts: self.window.total(end, window), latencies: self.latencies.total(end, window) }
    }

    fn absorb(&mut self, other: Self) {
        self.window.absorb(&other.window);
        self.latencies.absorb(other.latencies);
        self.tally.absorb(other.tally);
        self.learned.absorb(other.learned);
        self.newest = self.newest.max(other.newest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::ApiId;

    fn request(route: &str, status: u16) -> Request {
        Request {
            api: ApiId(0),
            endpoint: Arc::new(Endpoint::new("GET", route)),
            status,
            start: Timestamp::from_millis(0),
            request_id: None,
            lambda_request_id: None,
            response_latency_ms: Some(12),
            integration_latency_ms: None,
            gateway: None,
        }
    }

    const WINDOW: Duration = Duration::from_mins(1);
    const MEMORY: Memory = Memory { counts: WINDOW, latencies: WINDOW, causes: WINDOW, slow_over_ms: Some(10) };

    #[test]
    fn past_the_cap_requests_count_as_other_until_something_is_idle() {
        let mut e = Endpoints::new(2, MEMORY);
        let at = |s: i64| Timestamp::from_millis(s * 1000);
        e.record(&request("/a", 200), at(100));
        e.record(&request("/b", 200), at(100));
        let counted = e.record(&request("/c", 502), at(101)).expect("counted");
        assert_eq!(*counted, Endpoint::new("GET", Endpoint::OTHER));
        assert_eq!(e.overflow, 1);
        assert_eq!(e.get(&counted).unwrap().figures(at(110), WINDOW).counts.errors(), 1);
        let counted = e.record(&request("/d", 200), at(300)).expect("counted");
        assert_eq!(*counted, Endpoint::new("GET", "/d"), "an idle endpoint made room");
        assert_eq!(e.overflow, 1);
    }

    #[test]
    fn a_flood_of_endpoints_stays_bounded() {
        let mut e = Endpoints::new(10, MEMORY);
        for i in 0..10_000 {
            let mut r = request(&format!("/{i}"), 200);
            Arc::make_mut(&mut r.endpoint).method = format!("M{i}").into();
            e.record(&r, Timestamp::from_millis(1_000_000));
        }
        assert!(e.iter().count() <= 10 + OTHER_METHODS_MAX + 1);
        let total: u64 = e.iter().map(|s| s.window.total(Timestamp::from_millis(1_010_000), WINDOW).requests).sum();
        assert_eq!(total, 10_000);
    }
}
