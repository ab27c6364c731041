//! Facts in; statistics, explanations and alert states out.
//!
//! The contract: it reads no clock, waits for nothing, prints nothing and cannot fail. [`Engine::ingest`] and
//! [`Engine::seal`] feed it, [`Engine::tick`] lets time pass, [`Engine::next_deadline`] says when it wants the next
//! tick, [`Engine::drain`] hands out what it found. Event time decides windows and rules; `now` (arrival time) decides
//! how long a failure waits for its Lambda lines. Rule: every table has a bound and a counter for "full".

pub mod alerts;
pub mod correlate;
pub mod endpoints;
pub mod explain;
pub mod histogram;
pub mod invocations;
mod looks;
pub mod rules;
mod settings;
pub mod tally;
pub mod totals;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use self::alerts::Alerts;
use self::correlate::{Cases, Reporting};
use self::endpoints::Endpoints;
use self::explain::{Subject, explain};
use self::invocations::Invocations;
pub use self::settings::Settings;
use self::totals::Totals;
use self::window::SLOT;
use crate::model::alert::{Alert, CauseSample};
use crate::model::cause::{Explanation, Failure};
use crate::model::event::Fact;
use crate::model::inventory::{ApiId, SourceId, SourceKind};
use crate::model::invocation::LambdaLine;
use crate::model::request::{Endpoint, Request};
use crate::model::summary::Summary;
use crate::model::text::cut;
use crate::model::time::Timestamp;

/// An event stamped later than `now` plus this is counted at `now`: clients may stamp events up to two hours ahead,
/// and such an event must neither move the window nor vanish.
const SKEW_MAX: Duration = Duration::from_mins(1);
/// Longest message in the sample of a cause, in bytes.
const SAMPLE_MAX: usize = 500;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Not yet; its API waits for it.
    Nowhere,
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

#[derive(Debug)]
struct ApiState {
    endpoints: Endpoints,
    /// The next step of its rules, once its sources are read.
    next_step: Option<Timestamp>,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    apis: Vec<ApiState>,
    /// How far each source is read.
    reach: Vec<Reach>,
    invocations: Invocations,
    cases: Cases,
    alerts: Alerts,
    totals: Totals,
    future: u64,
    outputs: Vec<Output>,
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let longest = settings.rules.iter().map(|r| r.window).chain([settings.window]).max().unwrap_or(SLOT);
        let apis = settings.inventory.apis.iter();
        Self {
            apis: apis
                .map(|_| ApiState { endpoints: Endpoints::new(settings.max_endpoints, longest), next_step: None })
                .collect(),
            reach: vec![Reach::Nowhere; settings.inventory.sources.len()],
            invocations: Invocations::new(settings.max_invocations, settings.explain_hold),
            cases: Cases::new(settings.max_cases, settings.explain_wait, settings.explain_hold, settings.reporting),
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
            Fact::Request(request) => self.request(request, now),
            Fact::Lambda(line) => self.lambda(source, line, now),
            Fact::Execution(_) => {}
        }
    }

    /// The source is read up to event time `at`: its API's rules may look at what lies before.
    pub fn seal(&mut self, source: SourceId, at: Timestamp) {
        let before = std::mem::replace(&mut self.reach[source.index()], Reach::To(at));
        let SourceKind::Access(api) = self.settings.inventory.source(source).kind else { return };
        let next_step = &mut self.apis[api.index()].next_step;
        match before {
            Reach::To(before) if at.plus(SKEW_MAX) < before => {
                // The clock was set back: what was planned by it may lie hours ahead.
                *next_step = None;
            }
            Reach::To(before) => self.reach[source.index()] = Reach::To(before.max(at)),
            // Nobody looked at the time in between, so nothing is said about it: windows that were not read look well.
            Reach::Blind => *next_step = next_step.map(|step| step.max(at.floor(SLOT))),
            Reach::Nowhere => {}
        }
        self.step_to_watermark(api);
    }

    /// The source cannot be read: the rules over its API stand still unless another access log of it is read.
    pub fn blind(&mut self, source: SourceId) {
        self.reach[source.index()] = Reach::Blind;
    }

    /// Lets arrival time pass: failures that have waited long enough are reported, old entries expire.
    pub fn tick(&mut self, now: Timestamp) {
        self.invocations.expire(now);
        let mut reports = Vec::new();
        self.cases.tick(now, &mut reports);
        self.report(reports);
    }

    /// When the engine wants the next tick.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.cases.next_deadline()
    }

    /// The end of the input: all that waits is reported as it stands.
    pub fn finish(&mut self) {
        let mut reports = Vec::new();
        self.cases.finish(&mut reports);
        self.report(reports);
    }

    /// What was found since the last call, in order.
    pub fn drain(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Figures of every endpoint over the display window that ends at `end`.
    #[must_use]
    pub fn snapshot(&self, end: Timestamp) -> Summary {
        let window = self.settings.window;
        let mut totals = Totals::default();
        for (state, api) in self.apis.iter().zip(0_u16..) {
            for stats in state.endpoints.iter() {
                let figures = stats.figures(end, window);
                totals.add(ApiId(api), &stats.endpoint, &figures.counts, &figures.latencies);
            }
            let causes = state.endpoints.iter().flat_map(|s| s.tally.total(end, window));
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

    /// Requests stamped ahead of the clock, which were counted as if they came now.
    #[must_use]
    pub const fn future_requests(&self) -> u64 {
        self.future
    }

    /// What was left out.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        let mut dropped =
            Dropped { invocations: self.invocations.dropped, cases: self.cases.dropped, ..Dropped::default() };
        for api in &self.apis {
            dropped.late_requests += api.endpoints.too_late;
            dropped.overflow_requests += api.endpoints.overflow;
        }
        dropped
    }

    fn request(&mut self, request: Request, now: Timestamp) {
        let mut time = request.time();
        if time > now.plus(SKEW_MAX) {
            self.future += 1;
            time = now;
        }
        let recorded = self.apis[request.api.index()].endpoints.record(&request, time);
        // Too late for the window is not too late to be shown and explained.
        let endpoint = recorded.unwrap_or_else(|| Arc::clone(&request.endpoint));
        if self.settings.totals {
            self.totals.record(&request, &endpoint, time);
        }
        if self.settings.requests {
            self.outputs.push(Output::Request(Box::new(request.clone())));
        }
        if request.is_failure() {
            self.open_case(Box::new(request), time, endpoint, now);
        }
    }

    fn open_case(&mut self, request: Box<Request>, time: Timestamp, endpoint: Arc<Endpoint>, now: Timestamp) {
        let lambda_id: Option<Arc<str>> = request.lambda_request_id.as_deref().map(Arc::from);
        let explanation = self.explain(&request);
        let stats = self.apis[request.api.index()].endpoints.get_mut(&endpoint);
        let counted = stats.map(|s| s.tally.add(time, &explanation, sample(&explanation, &request)));
        if let Some(id) = &lambda_id {
            self.invocations.expect(id, self.cases.next_id(), now);
        }
        let mut reports = Vec::new();
        self.cases.open(request, time, endpoint, lambda_id, explanation, counted, now, &mut reports);
        self.report(reports);
    }

    fn lambda(&mut self, source: SourceId, line: LambdaLine, now: Timestamp) {
        let Some(id) = self.invocations.apply(source, line, now) else { return };
        let Some(case) = self.cases.get(id) else { return };
        let explanation = self.explain(&case.request);
        if *explanation == *case.explanation {
            return;
        }
        let counted = self.apis[case.request.api.index()].endpoints.get_mut(&case.endpoint).map(|stats| {
            if let Some(counted) = &case.counted {
                stats.tally.remove(counted);
            }
            stats.tally.add(case.time, &explanation, sample(&explanation, &case.request))
        });
        let mut reports = Vec::new();
        self.cases.revise(id, explanation, counted, &mut reports);
        self.report(reports);
    }

    fn explain(&self, request: &Request) -> Arc<Explanation> {
        let inventory = &self.settings.inventory;
        let seen = |id: &str| {
            let invocation = self.invocations.get(id)?;
            let source = inventory.sources.get(invocation.source.index())?;
            Some((invocation, source))
        };
        Arc::new(explain(&Subject {
            request,
            api: inventory.api(request.api),
            invocation: request.lambda_request_id.as_deref().and_then(seen),
            lambda_watched: inventory.sources.iter().any(|s| s.kind == SourceKind::Lambda),
        }))
    }

    fn report(&mut self, failures: Vec<Failure>) {
        for failure in failures {
            if self.settings.totals && self.settings.reporting == Reporting::Final {
                self.totals.cause(failure.explanation.cause.kind, 1);
            }
            self.outputs.push(Output::Failure(failure));
        }
    }

    /// The least event time that the access logs of an API are read up to; `None` before all of them were read once.
    fn watermark(&self, api: ApiId) -> Option<Timestamp> {
        let sources = self.settings.inventory.sources.iter().zip(&self.reach);
        let mut least = None;
        for (_, reach) in sources.filter(|(s, _)| s.kind == SourceKind::Access(api)) {
            match reach {
                Reach::Nowhere => return None,
                Reach::To(at) => least = Some(least.map_or(*at, |l: Timestamp| l.min(*at))),
                Reach::Blind => {}
            }
        }
        least
    }

    /// The rules of an API look once per slot of its watermark.
    fn step_to_watermark(&mut self, api: ApiId) {
        let Some(watermark) = self.watermark(api).map(|w| w.floor(SLOT)) else { return };
        let mut step = self.apis[api.index()].next_step.unwrap_or(watermark);
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
        self.apis[api.index()].next_step = Some(step);
    }

    fn step(&mut self, api: ApiId, at: Timestamp) {
        let mut alerts = Vec::new();
        for rule in &self.settings.rules {
            for (key, look) in looks::looks(&self.apis[api.index()].endpoints, &self.alerts, rule, api, at) {
                if let Some(standing) = self.alerts.step(rule, &key, look, at) {
                    let causes = looks::causes(&self.apis[api.index()].endpoints, &key, at, rule.window);
                    alerts.push(looks::alert(rule, key, look, standing, causes, at));
                }
            }
        }
        self.outputs.extend(alerts.into_iter().map(|a| Output::Alert(Box::new(a))));
        let longest = self.settings.rules.iter().map(|r| r.window).max().unwrap_or(SLOT);
        self.apis[api.index()].endpoints.forget_before(at.minus(longest));
    }
}

fn sample(explanation: &Arc<Explanation>, request: &Request) -> CauseSample {
    CauseSample {
        error_type: explanation.cause.error_type.clone(),
        message: explanation.cause.message.as_deref().map(|m| cut(m, SAMPLE_MAX).into()),
        function: explanation.function.clone(),
        site: explanation.site.clone(),
        request_id: request.request_id.as_deref().map(Arc::from),
        fix: Some(Arc::new(explanation.fix.clone())),
    }
}

#[cfg(test)]
mod tests;
