//! Facts in; statistics, explanations and alert states out.
//!
//! The contract: it reads no clock, waits for nothing, prints nothing and cannot fail. [`Engine::ingest`] and
//! [`Engine::seal`] feed it, [`Engine::tick`] lets time pass, [`Engine::next_deadline`] says when it wants the next
//! tick, [`Engine::drain`] hands out what it found. Event time decides windows and rules; `now` (arrival time) decides
//! how long a failure waits for its Lambda lines. Rule: every table has a bound and a counter for "full".

pub mod alerts;
pub mod casework;
pub mod correlate;
mod counted;
pub mod endpoints;
pub mod executions;
pub mod explain;
pub mod functions;
pub mod histogram;
pub mod invocations;
pub mod links;
mod looks;
pub mod rules;
mod saved;
mod settings;
mod streams;
pub mod tally;
mod texts;
mod timeline;
pub mod totals;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::alerts::Alerts;
use self::casework::Casework;
use self::correlate::Reporting;
pub use self::counted::Counted;
use self::endpoints::Endpoints;
pub use self::saved::STATE_VERSION;
pub use self::settings::Settings;
use self::totals::Totals;
use self::window::SLOT;
use crate::model::alert::Alert;
use crate::model::cause::Failure;
use crate::model::event::Fact;
use crate::model::inventory::{ApiId, SourceId, SourceKind};
use crate::model::request::Request;
use crate::model::summary::Summary;
use crate::model::time::Timestamp;

/// An event stamped later than `now` plus this is counted at `now`: clients may stamp events up to two hours ahead,
/// and such an event must neither move the window nor vanish.
const SKEW_MAX: Duration = Duration::from_mins(1);
/// Steps caught up one by one; when event time jumps further than this, the windows in between are empty.
const STEPS_MAX: i64 = 2 * 360;

/// What the engine found.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A request was counted. Only if [`Settings::requests`] asks for it.
    Request(Box<Request>),
    /// A failure is explained, or explained anew.
    Failure(Failure),
    /// An alert fires (said at every step while it does) or has resolved (said once).
    Alert(Box<Alert>),
}

/// What was left out or cut, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Requests too late for their window.
    pub late_requests: u64,
    /// Requests counted under `<other>`.
    pub overflow_requests: u64,
    /// Invocations forgotten early because there were too many.
    pub invocations: u64,
    /// Failures closed early because there were too many.
    pub cases: u64,
}

/// How far a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Reach {
    /// Not yet; its API waits for it.
    Nowhere,
    /// Not yet; it was added while its API was watched, which does not wait for it.
    Added,
    /// Up to this event time.
    To(Timestamp),
    /// It cannot be read; its API does not wait for it.
    Blind,
}

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.late_requests, "requests too late for their window"),
            (self.overflow_requests, "requests under <other>, see max_endpoints"),
            (self.invocations, "invocations forgotten early, see max_invocations"),
            (self.cases, "failures no longer followed, because there were too many"),
        ];
        let said: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        f.write_str(&said.join(", "))
    }
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    /// By API.
    endpoints: Vec<Endpoints>,
    /// By API: it has an execution log, by which a request may have been counted already.
    explains_itself: Vec<bool>,
    /// By API: the next step of its rules, once its sources are read.
    next_step: Vec<Option<Timestamp>>,
    /// How far each source is read.
    reach: Vec<Reach>,
    /// By API.
    counted: Vec<Counted>,
    casework: Casework,
    alerts: Alerts,
    totals: Totals,
    future: u64,
    outputs: Vec<Output>,
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let longest = settings.longest_window();
        let apis = settings.inventory.apis.len();
        Self {
            endpoints: (0..apis).map(|_| Endpoints::new(settings.max_endpoints, longest)).collect(),
            next_step: vec![None; apis],
            explains_itself: settings.explains_itself(),
            reach: vec![Reach::Nowhere; settings.inventory.sources.len()],
            counted: vec![Counted::default(); apis],
            casework: Casework::new(&settings),
            alerts: Alerts::default(),
            totals: Totals::default(),
            future: 0,
            outputs: Vec::new(),
            settings,
        }
    }

    /// Takes one fact in.
    pub fn ingest(&mut self, source: SourceId, fact: Fact, now: Timestamp) {
        match fact {
            // Most of what comes fails nowhere, and then there is nothing to report.
            Fact::Request(request) => self.request(request, now),
            Fact::Lambda(line) => self.casework.lambda(source, line, now, &mut self.endpoints),
            Fact::Execution(line) => {
                let SourceKind::Execution(api) = self.settings.inventory.source(source).kind else { return };
                self.casework.execution(source, api, line, now, &mut self.endpoints);
            }
        }
    }

    /// The source is read up to event time `at`: its API's rules may look at what lies before.
    pub fn seal(&mut self, source: SourceId, at: Timestamp) {
        let before = std::mem::replace(&mut self.reach[source.index()], Reach::To(at));
        let Some(api) = self.counted_by(source) else { return };
        let next_step = &mut self.next_step[api.index()];
        match before {
            Reach::To(before) if at.plus(SKEW_MAX) < before => {
                // The clock was set back: what was planned by it may lie hours ahead.
                *next_step = None;
                self.alerts.looked(api, Timestamp::MAX);
            }
            Reach::To(before) => self.reach[source.index()] = Reach::To(before.max(at)),
            // Nobody looked at the time in between, so nothing is said about it: windows that were not read look well.
            Reach::Blind => *next_step = next_step.map(|step| step.max(at.floor(SLOT))),
            Reach::Nowhere | Reach::Added => {}
        }
        self.step_to_watermark(api);
    }

    /// The source cannot be read: the rules over its API stand still unless another access log of it is read.
    pub fn blind(&mut self, source: SourceId) {
        self.reach[source.index()] = Reach::Blind;
    }

    /// Lets arrival time pass: failures that have waited long enough are reported, old entries expire.
    pub fn tick(&mut self, now: Timestamp) {
        for request in self.casework.uncounted(now) {
            self.count(request, now);
        }
        self.casework.tick(now, &mut self.endpoints);
        self.report();
    }

    /// When the engine wants the next tick.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.casework.next_deadline()
    }

    /// The end of the input: all that waits is reported as it stands.
    pub fn finish(&mut self) {
        for request in self.casework.uncounted(Timestamp::MAX) {
            let now = request.time();
            self.count(request, now);
        }
        self.casework.finish(&mut self.endpoints);
        self.report();
    }

    /// What was found since the last call, in order.
    pub fn drain(&mut self) -> Vec<Output> {
        self.report();
        std::mem::take(&mut self.outputs)
    }

    /// Figures of every endpoint over the display window that ends at `end`.
    #[must_use]
    pub fn snapshot(&self, end: Timestamp) -> Summary {
        let window = self.settings.window;
        let mut totals = Totals::default();
        for (endpoints, api) in self.endpoints.iter().zip(0_u16..) {
            for stats in endpoints.iter() {
                let figures = stats.figures(end, window);
                totals.add(ApiId(api), &stats.endpoint, &figures.counts, &figures.latencies);
            }
            let causes = endpoints.iter().flat_map(|s| s.tally.total(end, window));
            for (label, cause) in causes {
                totals.cause(label.kind, cause.count);
            }
        }
        Summary { span: Some((end.minus(window), end)), ..totals.summary() }
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

    fn request(&mut self, request: Request, now: Timestamp) {
        if self.explains_itself[request.api.index()] && self.casework.is_counted(&request, now) {
            return;
        }
        self.count(request, now);
    }

    fn count(&mut self, request: Request, now: Timestamp) {
        let mut time = request.time();
        if time > now.plus(SKEW_MAX) {
            self.future = self.future.saturating_add(1);
            time = now;
        }
        self.counted[request.api.index()].request(request.is_failure());
        let recorded = self.endpoints[request.api.index()].record(&request, time);
        // Too late for the window is not too late to be shown and explained.
        let endpoint = recorded.unwrap_or_else(|| Arc::clone(&request.endpoint));
        if self.settings.totals {
            self.totals.record(&request, &endpoint, time);
        }
        if self.settings.requests {
            self.outputs.push(Output::Request(Box::new(request.clone())));
        }
        if request.is_failure() {
            self.report();
            self.casework.open(Box::new(request), time, endpoint, now, &mut self.endpoints);
        }
    }

    /// Hands on what there is to report.
    fn report(&mut self) {
        for failure in self.casework.reports() {
            if self.settings.totals && self.settings.reporting == Reporting::Final {
                self.totals.explained(&failure);
            }
            self.outputs.push(Output::Failure(failure));
        }
    }

    /// The API whose requests are counted by this source: its access log, or its execution log where there is none.
    fn counted_by(&self, source: SourceId) -> Option<ApiId> {
        let inventory = &self.settings.inventory;
        match inventory.source(source).kind {
            SourceKind::Access(api) => Some(api),
            SourceKind::Execution(api) => (!inventory.has_access(api)).then_some(api),
            SourceKind::Lambda => None,
        }
    }

    /// The least event time that the access logs of an API are read up to; `None` before all of them were read once.
    fn watermark(&self, api: ApiId) -> Option<Timestamp> {
        let mut least = None;
        for (source, reach) in (0_u16..).map(SourceId).zip(&self.reach) {
            if self.counted_by(source) != Some(api) {
                continue;
            }
            match reach {
                Reach::Nowhere => return None,
                Reach::To(at) => least = Some(least.map_or(*at, |l: Timestamp| l.min(*at))),
                Reach::Blind | Reach::Added => {}
            }
        }
        least
    }

    /// The rules of an API look once per slot of its watermark.
    fn step_to_watermark(&mut self, api: ApiId) {
        self.report();
        let Some(watermark) = self.watermark(api).map(|w| w.floor(SLOT)) else { return };
        let mut step = self.next_step[api.index()].unwrap_or(watermark);
        let behind = watermark.slot(SLOT).saturating_sub(step.slot(SLOT));
        let mut left = STEPS_MAX;
        while step <= watermark {
            if behind > STEPS_MAX && left == 0 {
                // Nothing was counted in the gap: what fired has had two hours to resolve.
                step = watermark;
            }
            left -= 1;
            self.step(api, step);
            step = step.plus(SLOT);
        }
        self.next_step[api.index()] = Some(step);
    }

    fn step(&mut self, api: ApiId, at: Timestamp) {
        let mut alerts = Vec::new();
        for rule in &self.settings.rules {
            for (key, look) in looks::looks(&self.endpoints[api.index()], &self.alerts, rule, api, at) {
                if let Some(standing) = self.alerts.step(rule, &key, look, at) {
                    if standing.is_new {
                        self.counted[api.index()].alert();
                    }
                    let causes = looks::causes(&self.endpoints[api.index()], &key, at, rule.window);
                    alerts.push(looks::alert(rule, key, look, standing, causes, at));
                }
            }
        }
        self.alerts.looked(api, at);
        self.outputs.extend(alerts.into_iter().map(|a| Output::Alert(Box::new(a))));
        let longest = self.settings.rules.iter().map(|r| r.window).max().unwrap_or(SLOT);
        self.endpoints[api.index()].forget_before(at.minus(longest));
    }
}

#[cfg(test)]
mod tests;
