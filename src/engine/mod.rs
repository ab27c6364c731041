//! Facts in; statistics, explanations and alert states out.
//!
//! The contract: it reads no clock, waits for nothing, prints nothing and cannot fail. [`Engine::ingest`] and
//! [`Engine::seal`] feed it, [`Engine::tick`] lets time pass, [`Engine::next_deadline`] says when it wants the next
//! tick, [`Engine::drain`] hands out what it found. Event time decides windows and rules; `now` (arrival time) decides
//! how long a failure waits for its Lambda lines, and when a log that is not read is an alert. Rule: every table has a bound and a counter for "full".

mod absence;
pub mod alerts;
pub mod casework;
pub mod correlate;
mod counted;
pub mod endpoints;
pub mod executions;
pub mod explain;
pub mod functions;
mod glance;
pub mod histogram;
pub mod invocations;
mod lambdas;
mod learned;
pub mod links;
mod looks;
mod measures;
mod output;
pub mod rules;
mod saved;
mod settings;
mod sight;
mod streams;
mod sums;
pub mod tally;
mod texts;
mod timeline;
pub mod totals;
mod unrest;
mod watched;
pub mod wilson;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use self::absence::Absences;
use self::alerts::Alerts;
use self::casework::Casework;
use self::correlate::Reporting;
pub use self::counted::Counted;
use self::endpoints::Endpoints;
use self::lambdas::Lambdas;
use self::measures::Scene;
pub use self::output::Output;
pub use self::saved::STATE_VERSION;
pub use self::settings::Settings;
use self::sight::{Reach, Seal, Sight, counted_by};
use self::sums::Sums;
use self::totals::Totals;
use self::watched::Watched;
use self::window::SLOT;
use crate::model::alert::Measure;
use crate::model::event::Fact;
use crate::model::inventory::{ApiId, SourceId, SourceKind};
use crate::model::problem::Problem;
use crate::model::request::Request;
use crate::model::time::Timestamp;

/// An event stamped later than `now` plus this is counted at `now`: clients may stamp events up to two hours ahead,
/// and such an event must neither move the window nor vanish.
const SKEW_MAX: Duration = Duration::from_mins(1);
/// Steps caught up one by one; when event time jumps further than this, the windows in between are empty.
const STEPS_MAX: i64 = 2 * 360;

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
    /// By API.
    watched: Vec<Watched>,
    sight: Sight,
    absences: Absences,
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
        let apis = settings.inventory.apis.len();
        let memory = (0_u16..).map(ApiId).take(apis).map(|api| settings.memory(api));
        Self {
            endpoints: memory.map(|memory| Endpoints::new(settings.max_endpoints, memory)).collect(),
            watched: vec![Watched::default(); apis],
            next_step: vec![None; apis],
            explains_itself: settings.explains_itself(),
            sight: Sight::new(&settings.inventory),
            absences: Absences::default(),
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
        self.take(source, fact, now, None);
    }

    /// Takes in one fact that was read by the catch-up after an absence: it counts as any other, and is told in the
    /// notice about the absence of its source.
    pub fn catch_up(&mut self, source: SourceId, fact: Fact, now: Timestamp) {
        self.take(source, fact, now, Some(source));
    }

    fn take(&mut self, source: SourceId, fact: Fact, now: Timestamp, absent: Option<SourceId>) {
        match fact {
            // Most of what comes fails nowhere, and then there is nothing to report.
            Fact::Request(request) => self.request(request, now, absent),
            Fact::Lambda(line) => self.casework.lambda(source, line, now, &mut self.endpoints),
            Fact::Execution(line) => {
                let SourceKind::Execution(api) = self.settings.inventory.source(source).kind else { return };
                self.casework.execution(source, api, line, now, &mut self.endpoints);
            }
        }
    }

    /// The source is read up to event time `at`: its API's rules may look at what lies before.
    pub fn seal(&mut self, source: SourceId, at: Timestamp) {
        let seal = self.sight.seal(source, at, self.settings.blind_after);
        let Some(api) = counted_by(&self.settings.inventory, source) else { return };
        let next_step = &mut self.next_step[api.index()];
        match seal {
            // What was planned by the clock as it stood may lie hours ahead.
            Seal::SetBack => {
                *next_step = None;
                self.watched[api.index()].begin_anew();
                self.alerts.looked(api, Timestamp::MAX);
            }
            // Nobody looked at the time in between, so nothing is said about it: windows that were not read look well.
            Seal::Gap => {
                let from = next_step.unwrap_or(at);
                self.watched[api.index()].gap(from, at.floor(SLOT));
                *next_step = next_step.map(|step| step.max(at.floor(SLOT)));
            }
            Seal::On => {}
        }
        self.step_to_watermark(api);
    }

    /// A read of the source failed. If it counts, the rules over its API stand still unless another log that counts is
    /// read; then alerts may fire on what is seen, but none recovers. Without a word the same holds for a source that
    /// is not read up to [`Settings::blind_after`] before now.
    pub fn blind(&mut self, source: SourceId, problem: Problem, said: &str, now: Timestamp) {
        self.sight.blind(source, problem, said, now);
    }

    /// A source may be read this seldom, because many share one quota: it is not blind before twice that time.
    pub fn expect_within(&mut self, cadence: Duration) {
        self.settings.blind_after = self.settings.blind_after.max(cadence * 2);
    }

    /// The source is no longer read, and nobody waits for it: its log group was deleted, or nobody names it any more.
    pub fn retire(&mut self, source: SourceId) {
        self.sight.retire(source);
        self.absences.give_up(source);
    }

    /// Reading of the source stood still for events between `from` and `to`, and catching up begins. Of a log group that
    /// was gone meanwhile nothing was missed.
    pub fn absence(
        &mut self,
        source: SourceId,
        from: Timestamp,
        to: Timestamp,
        problem: Option<Problem>,
        now: Timestamp,
    ) {
        if self.sight.reach(source) == Reach::Retired {
            return;
        }
        let told = self.absences.open(source, (from, to), problem, &self.settings.inventory, now);
        self.outputs.extend(told.map(|notice| Output::Notice(Box::new(notice))));
    }

    /// The source is caught up. What lies before `unread_before` was not read because it was too much.
    pub fn caught_up(&mut self, source: SourceId, unread_before: Option<Timestamp>, now: Timestamp) {
        self.absences.close(source, unread_before, now);
    }

    /// Lets arrival time pass: failures that have waited long enough are reported, old entries expire, logs that are
    /// not read become alerts. The first tick is the start, from which a log that was never read is waited for.
    pub fn tick(&mut self, now: Timestamp) {
        for request in self.casework.uncounted(now) {
            let absent = self.absences.of_execution(request.api, request.time(), &self.settings.inventory);
            self.count(request, now, absent);
        }
        self.casework.tick(now, &mut self.endpoints);
        self.report();
        let alerts = self.sight.tick(&self.settings, now);
        if !alerts.is_empty() {
            self.outputs.push(Output::Sighted { at: now, alerts });
        }
        let notice = self.absences.tick(&self.settings.inventory, now);
        self.outputs.extend(notice.map(|n| Output::Notice(Box::new(n))));
    }

    /// When the engine wants the next tick.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let of_logs = [self.sight.next_deadline(&self.settings), self.absences.next_deadline()];
        self.casework.next_deadline().into_iter().chain(of_logs.into_iter().flatten()).min()
    }

    /// The end of the input: all that waits is reported as it stands.
    pub fn finish(&mut self) {
        for request in self.casework.uncounted(Timestamp::MAX) {
            let now = request.time();
            self.count(request, now, None);
        }
        self.casework.finish(&mut self.endpoints);
        self.report();
    }

    /// What was found since the last call, in order.
    pub fn drain(&mut self) -> Vec<Output> {
        self.report();
        std::mem::take(&mut self.outputs)
    }

    fn request(&mut self, request: Request, now: Timestamp, absent: Option<SourceId>) {
        if self.explains_itself[request.api.index()] && self.casework.is_counted(&request, now) {
            return;
        }
        self.count(request, now, absent);
    }

    /// Counts a request; `absent` is the source in whose absence it was missed.
    fn count(&mut self, request: Request, now: Timestamp, absent: Option<SourceId>) {
        let mut time = request.time();
        if time > now.plus(SKEW_MAX) {
            self.future = self.future.saturating_add(1);
            time = now;
        }
        self.counted[request.api.index()].request(request.is_failure());
        let endpoints = &mut self.endpoints[request.api.index()];
        let recorded = endpoints.record(&request, time);
        if recorded.is_none() && absent.is_some() {
            // Of what was missed one knows that it is late: the notice tells it.
            endpoints.too_late -= 1;
        }
        // Too late for the window is not too late to be shown and explained.
        let endpoint = recorded.unwrap_or_else(|| Arc::clone(&request.endpoint));
        if let Some(source) = absent {
            self.absences.request(source, &request, &endpoint, time);
        }
        if self.settings.totals {
            self.totals.record(&request, &endpoint, time);
        }
        if self.settings.requests {
            self.outputs.push(Output::Request(Box::new(request.clone())));
        }
        if request.is_failure() {
            self.report();
            self.casework.open(Box::new(request), time, endpoint, now, &mut self.endpoints);
        } else {
            self.casework.went_well(&request, &endpoint);
        }
    }

    /// Hands on what there is to report.
    fn report(&mut self) {
        for failure in self.casework.reports() {
            if self.settings.totals && self.settings.reporting == Reporting::Final {
                self.totals.explained(&failure);
            }
            self.absences.explained(&failure);
            self.outputs.push(Output::Failure(failure));
        }
    }

    /// How far each of the logs is read by which an API's requests are counted.
    fn reaches(&self, api: ApiId) -> impl Iterator<Item = Reach> {
        let inventory = &self.settings.inventory;
        let sources = (0_u16..).map(SourceId).take(inventory.sources.len());
        sources.filter(move |s| counted_by(inventory, *s) == Some(api)).map(|s| self.sight.reach(s))
    }

    /// The least event time that the logs that count are read up to; `None` before all of them were read once.
    fn watermark(&self, api: ApiId) -> Option<Timestamp> {
        let mut least = None;
        for reach in self.reaches(api) {
            match reach {
                Reach::Nowhere => return None,
                Reach::To(at) => least = Some(least.map_or(at, |l: Timestamp| l.min(at))),
                Reach::Blind | Reach::Retired | Reach::Added => {}
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
        let rules = self.settings.rules_of(api);
        self.watched[api.index()].look(at);
        self.casework.settle_serving(api, at);
        let sums = Sums::new(rules, self.endpoints[api.index()].all(), at);
        let news = rules.iter().filter(|rule| rule.measure == Measure::NewCause).map(|rule| rule.window).max();
        if let Some(window) = news {
            self.endpoints[api.index()].learn(&sums, at, window);
        }
        let scene = Scene {
            api,
            at,
            partial: self.reaches(api).any(|reach| reach == Reach::Blind),
            endpoints: &self.endpoints[api.index()],
            lambdas: Lambdas::new(&self.settings.inventory, &self.casework, &self.sight, api, at),
            watched: &self.watched[api.index()],
            sums,
        };
        let mut alerts = Vec::new();
        for rule in rules {
            let seen = looks::looks(&scene, &self.alerts, rule);
            alerts.reserve(seen.len());
            self.alerts.step_all(rule, seen, at, |seen, standing| {
                if standing.is_new {
                    self.counted[api.index()].alert();
                }
                alerts.push(looks::alert(&scene, rule, seen, standing));
            });
        }
        self.alerts.looked(api, at);
        self.outputs.push(Output::Looked { api, at, alerts });
        self.endpoints[api.index()].forget(at);
    }
}

#[cfg(test)]
mod tests;
