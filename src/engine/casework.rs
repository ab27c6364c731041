//! Bringing failed requests and invocations together, and keeping what was said about them up to date.
//!
//! Owns cases, invocations, execution-log requests and the indexes between them. Not the decision what the evidence
//! means: that is `explain`. Joins, strongest first: the ID in the access line, the ID in the gateway's sentence, the
//! execution log, the API's request ID in a Lambda line, the X-Ray trace, function and time. Rule: a stronger join
//! replaces a weaker one whenever it comes; function and time are asked only once the wait for an ID is over.

mod said;
mod saved;
mod serving;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::said::{keys, root, sample};
use super::correlate::{Case, Cases, Link, Reporting};
use super::endpoints::Endpoints;
use super::executions::Executions;
use super::explain::{self, Found, Subject, explain};
use super::functions::{Function, Functions};
use super::invocations::{Invocation, Invocations};
use super::lambdas::Shown;
use super::links::Links;
use super::settings::Settings;
use super::tally::Marks;
use crate::model::cause::{Explanation, Failure, Join};
use crate::model::execution::ExecutionLine;
use crate::model::id::Id;
use crate::model::inventory::{ApiId, Inventory, SourceId, SourceKind};
use crate::model::invocation::LambdaLine;
use crate::model::request::{Endpoint, GatewayWords, Request};
use crate::model::time::Timestamp;

/// An invocation starts this much before its request at most: two clocks, two stamps.
const SKEW: Duration = Duration::from_millis(250);
/// How long after its request an invocation starts at most, where the access line does not say how long that took.
const START_MAX: Duration = Duration::from_secs(2);

/// The casework.
#[derive(Debug, Serialize, Deserialize)]
pub struct Casework {
    #[serde(skip)]
    inventory: Arc<Inventory>,
    invocations: Invocations,
    executions: Executions,
    cases: Cases,
    links: Links,
    functions: Functions,
    shown: Shown,
    /// Closed cases, by how each was joined.
    joins: BTreeMap<Join, u64>,
    #[serde(skip)]
    hold: Duration,
    #[serde(skip)]
    lambda_watched: bool,
    /// Its logs are files.
    #[serde(skip)]
    files: bool,
    /// By API: its requests are counted by an access log, so the execution log only explains.
    #[serde(skip)]
    has_access: Vec<bool>,
    /// Failures to report.
    #[serde(skip)]
    reports: Vec<Failure>,
}

impl Casework {
    /// Nothing is open yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let hold = settings.explain_hold;
        let mut casework = Self {
            inventory: Arc::default(),
            invocations: Invocations::new(settings.max_invocations, hold),
            executions: Executions::new(settings.max_invocations, hold),
            cases: Cases::new(settings.max_cases, settings.explain_wait, hold, settings.reporting),
            links: Links::new(settings.max_invocations),
            functions: Functions::default(),
            shown: Shown::default(),
            joins: BTreeMap::new(),
            hold,
            lambda_watched: false,
            files: settings.reporting == Reporting::Final,
            has_access: Vec::new(),
            reports: Vec::new(),
        };
        casework.extend(&settings.inventory);
        casework
    }

    /// This is what is watched from now on.
    pub fn extend(&mut self, inventory: &Arc<Inventory>) {
        let apis = (0_u16..).map(ApiId).take(inventory.apis.len());
        self.lambda_watched = inventory.sources.iter().any(|s| s.kind == SourceKind::Lambda);
        self.has_access = apis.map(|api| inventory.has_access(api)).collect();
        self.inventory = Arc::clone(inventory);
    }

    /// A request failed: explains it as far as that is possible, and goes on when more is known.
    pub fn open(
        &mut self,
        request: Box<Request>,
        time: Timestamp,
        endpoint: Arc<Endpoint>,
        now: Timestamp,
        endpoints: &mut [Endpoints],
    ) {
        while self.cases.is_full() {
            self.cases.dropped += 1;
            self.close_oldest();
        }
        let id = self.cases.next_id();
        let link = self.find(&request, &endpoint);
        let (explanation, marks) = self.explain(&request, &endpoint, link.as_ref());
        let stats = endpoints[request.api.index()].get_mut(&endpoint);
        let sample = sample(&explanation, &request, link.as_ref());
        let counted = stats.map(|s| s.tally.add(time, &explanation, marks, sample));
        if let Some(lambda_id) = link.as_ref().and_then(|l| l.id.as_ref()) {
            self.invocations.expect(lambda_id, id, now);
        }
        self.learn(&request, &endpoint, link.as_ref());
        for key in keys(&request) {
            self.links.wait(key, id);
        }
        let case = Case { request, time, endpoint, link, explanation, counted };
        self.cases.open(case, now, &mut self.reports);
    }

    /// A line of a Lambda log.
    pub fn lambda(&mut self, source: SourceId, mut line: LambdaLine, now: Timestamp, endpoints: &mut [Endpoints]) {
        let refs = line.refs.take();
        let stream = Arc::clone(&line.stream);
        let Some((id, case)) = self.invocations.apply(source, line, now) else { return };
        self.shown.take(&self.inventory, source, &stream);
        if let Some(refs) = refs {
            for named in refs.mentions.iter().chain(&refs.trace_id) {
                self.links.name(named, &id, now);
                if let Some(case) = self.links.awaited(named) {
                    self.relink(case, now, endpoints);
                }
            }
        }
        if let Some(case) = case {
            self.explain_again(case, endpoints);
        }
    }

    /// A line of an execution log.
    pub fn execution(
        &mut self,
        source: SourceId,
        api: ApiId,
        line: ExecutionLine,
        now: Timestamp,
        endpoints: &mut [Endpoints],
    ) {
        let request_id = Arc::clone(&line.request_id);
        self.executions.apply(source, api, line, self.has_access[api.index()], now);
        let extended = || self.links.awaited(self.executions.get(api, &request_id)?.extended_request_id()?);
        if let Some(case) = self.links.awaited(&request_id).or_else(extended) {
            self.relink(case, now, endpoints);
            self.explain_again(case, endpoints);
        }
    }

    /// Requests of execution logs that no access line has counted by now.
    pub fn uncounted(&mut self, now: Timestamp) -> Vec<Request> {
        self.executions.due(now)
    }

    /// Whether the execution log has counted this request already, because its access line came late.
    pub fn is_counted(&mut self, request: &Request, now: Timestamp) -> bool {
        let Some(id) = request.request_id.as_deref() else {
            self.executions.counted_without_id(request.api, now);
            return false;
        };
        self.executions.counted(request.api, id, now)
    }

    /// Lets arrival time pass.
    pub fn tick(&mut self, now: Timestamp, endpoints: &mut [Endpoints]) {
        self.invocations.expire(now);
        self.executions.expire(now);
        self.links.expire(now.minus(self.hold));
        let due = self.cases.due(now);
        self.settle(&due, now, endpoints);
        while self.cases.is_over(now) {
            self.close_oldest();
        }
    }

    /// The end of the input: all that waits is reported as it stands.
    pub fn finish(&mut self, endpoints: &mut [Endpoints]) {
        let due = self.cases.due(Timestamp::MAX);
        self.settle(&due, Timestamp::MAX, endpoints);
        while self.close_oldest() {}
    }

    /// Failures to report, in order.
    pub fn reports(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.reports)
    }

    /// When [`Casework::tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.cases.next_deadline().into_iter().chain(self.executions.next_deadline()).min()
    }

    /// Invocations and cases given up early because there were too many.
    #[must_use]
    pub const fn dropped(&self) -> (u64, u64) {
        (self.invocations.dropped, self.cases.dropped)
    }

    /// Cases that were closed, by how each was joined.
    pub(super) const fn joins(&self) -> &BTreeMap<Join, u64> {
        &self.joins
    }

    /// Which logs of functions have shown an invocation.
    pub(super) const fn shown(&self) -> &Shown {
        &self.shown
    }

    fn close_oldest(&mut self) -> bool {
        let Some((id, case)) = self.cases.close_oldest(&mut self.reports) else { return false };
        *self.joins.entry(case.explanation.cause.join).or_default() += 1;
        for key in keys(&case.request) {
            self.links.forget(key, id);
        }
        true
    }

    /// The strongest join that is possible now.
    fn find(&self, request: &Request, endpoint: &Arc<Endpoint>) -> Option<Link> {
        let one = |id: &str, join| Some(Link { id: Some(id.into()), join, candidates: 1, authorizer: false });
        if let Some(id) = &request.lambda_request_id {
            let by_access = self.has_access[request.api.index()];
            return one(id, if by_access { Join::IntegrationRequestId } else { Join::ExecutionLog });
        }
        let words = request.gateway.as_deref();
        if let Some(id) = words.and_then(explain::id_in_message) {
            return one(id, Join::IdInMessage);
        }
        let execution = request.request_id.as_deref().and_then(|id| self.executions.get(request.api, id));
        if let Some(id) = execution.and_then(|e| e.lambda_request_id.as_deref()) {
            return one(id, Join::ExecutionLog);
        }
        let extended = words.and_then(|w| w.extended_request_id.as_deref());
        let trace = words.and_then(|w| w.trace_id.as_deref());
        let by_id = request.request_id.as_deref().into_iter().chain(extended);
        let named = by_id.map(|id| (id, Join::ApiRequestIdInLog)).chain(trace.map(|t| (root(t), Join::Xray)));
        for (id, join) in named {
            if let Some(link) = self.choose(self.links.named(id), join, request, endpoint) {
                return Some(link);
            }
        }
        // What the authorizer's function says matters only where nothing else was called.
        let is_about_it = |w: &&GatewayWords| {
            request.status == 500 || w.response_type.as_deref().is_some_and(|t| t.starts_with("AUTHORIZER_"))
        };
        let authorizers = words.filter(is_about_it).and_then(|w| w.authorizer_request_id.as_deref());
        let link = authorizers.and_then(|id| one(id, Join::IntegrationRequestId))?;
        Some(Link { authorizer: true, ..link })
    }

    /// Of the invocations that name a request, the one the gateway called: that of the endpoint's function, else the
    /// first to start, because it calls the others.
    fn choose(&self, named: &[Id], join: Join, request: &Request, endpoint: &Arc<Endpoint>) -> Option<Link> {
        let serving = self.functions.serving(&self.inventory, request.api, endpoint);
        let seen = named.iter().filter_map(|id| Some((id, self.invocations.get(id)?)));
        let mut seen: Vec<_> = seen.collect();
        let fits = |i: &Invocation| serving.as_ref().is_some_and(|f| self.function(i).is_some_and(|own| own.is(f)));
        if seen.iter().any(|(_, i)| fits(i)) {
            seen.retain(|(_, i)| fits(i));
        }
        // Requests of one trace each have an invocation of their own.
        let took = request.response_latency_ms.map_or(START_MAX, |ms| Duration::from_millis(u64::from(ms)));
        let (from, until) = (request.start.minus(SKEW), request.start.plus(took).plus(SKEW));
        let in_time = |i: &Invocation| i.start().is_some_and(|start| (from..=until).contains(&start));
        if seen.iter().any(|(_, i)| in_time(i)) {
            seen.retain(|(_, i)| in_time(i));
        }
        let first = seen.iter().min_by_key(|(_, i)| i.start().unwrap_or(Timestamp::MAX))?;
        let candidates = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        Some(Link { id: Some(first.0.into()), join, candidates, authorizer: false })
    }

    fn function(&self, invocation: &Invocation) -> Option<Function> {
        Self::wrote(&self.inventory, invocation)
    }

    /// The function that wrote the lines of an invocation.
    fn wrote(inventory: &Inventory, invocation: &Invocation) -> Option<Function> {
        let source = inventory.sources.get(invocation.source.index())?;
        Some(Function::of(source, &invocation.stream))
    }

    /// Looks for a stronger join of an open case.
    fn relink(&mut self, id: u64, now: Timestamp, endpoints: &mut [Endpoints]) {
        let Some(case) = self.cases.get(id) else { return };
        let Some(link) = self.find(&case.request, &case.endpoint) else { return };
        let stronger = case.link.as_ref().is_none_or(|old| {
            // By the same join another may have come that fits better.
            old.authorizer || link.join <= old.join
        });
        if stronger && case.link.as_ref() != Some(&link) {
            self.join(id, link, now, endpoints);
        }
    }

    fn join(&mut self, id: u64, link: Link, now: Timestamp, endpoints: &mut [Endpoints]) {
        if let Some(lambda_id) = &link.id {
            self.invocations.expect(lambda_id, id, now);
        }
        self.cases.link(id, link);
        self.explain_again(id, endpoints);
    }

    /// Explains a case anew, and counts it under its new cause.
    fn explain_again(&mut self, id: u64, endpoints: &mut [Endpoints]) {
        let Some(case) = self.cases.get(id) else { return };
        let (explanation, marks) = self.explain(&case.request, &case.endpoint, case.link.as_ref());
        let as_marked = case.counted.as_ref().is_none_or(|counted| counted.marks() == marks);
        if *explanation == *case.explanation && as_marked {
            return;
        }
        let counted = endpoints[case.request.api.index()].get_mut(&case.endpoint).map(|stats| {
            if let Some(counted) = &case.counted {
                stats.tally.remove(counted);
            }
            let sample = sample(&explanation, &case.request, case.link.as_ref());
            stats.tally.add(case.time, &explanation, marks, sample)
        });
        let (request, endpoint, link) = (case.request.clone(), Arc::clone(&case.endpoint), case.link.clone());
        self.cases.revise(id, explanation, counted, &mut self.reports);
        self.learn(&request, &endpoint, link.as_ref());
    }

    fn explain(&self, request: &Request, endpoint: &Arc<Endpoint>, link: Option<&Link>) -> (Arc<Explanation>, Marks) {
        let found = link.and_then(|link| {
            let invocation = link.id.as_deref().and_then(|id| self.invocations.get(id))?;
            let source = self.inventory.sources.get(invocation.source.index())?;
            Some(Found { invocation, report: self.invocations.text(invocation), source })
        });
        let execution = request.request_id.as_deref().and_then(|id| self.executions.get(request.api, id));
        let execution = execution.and_then(|e| Some((e, self.inventory.sources.get(e.source?.index())?)));
        let serving = self.functions.serving(&self.inventory, request.api, endpoint);
        let (explanation, marks) = explain(&Subject {
            request,
            endpoint,
            api: self.inventory.api(request.api),
            region: self.inventory.region(request.api),
            link,
            found,
            execution,
            serving: serving.as_ref(),
            lambda_watched: self.lambda_watched,
            files: self.files,
        });
        (Arc::new(explanation), marks)
    }

    /// The wait for an ID is over: looks by function and time, and reports.
    fn settle(&mut self, due: &[u64], now: Timestamp, endpoints: &mut [Endpoints]) {
        if due.is_empty() {
            return;
        }
        let links = self.by_time(due);
        for (id, link) in links {
            self.join(id, link, now, endpoints);
        }
        for id in due {
            self.cases.report(*id, &mut self.reports);
        }
    }

    /// Joins by function and time for those cases that have no other.
    fn by_time(&self, due: &[u64]) -> Vec<(u64, Link)> {
        let unlinked = due.iter().filter_map(|id| Some((*id, self.cases.get(*id)?)));
        let unlinked: Vec<_> = unlinked.filter(|(_, case)| case.link.is_none()).collect();
        if unlinked.is_empty() || !self.lambda_watched {
            return Vec::new();
        }
        let started = self.invocations.by_start();
        let only = self.only_function(&started);
        let find = |(id, case): (u64, &Case)| {
            let serving = self.functions.serving(&self.inventory, case.request.api, &case.endpoint);
            let function = serving.or_else(|| only.clone())?;
            Some((id, self.in_window(&case.request, &function, &started)?))
        };
        unlinked.into_iter().filter_map(find).collect()
    }

    /// The function whose lines are read, if it is only one.
    fn only_function(&self, started: &[(Timestamp, &Id, &Invocation)]) -> Option<Function> {
        let mut functions = started.iter().filter_map(|(_, _, i)| self.function(i));
        let first = functions.next()?;
        functions.all(|f| f.is(&first)).then_some(first)
    }

    /// The invocation of this function that ran while the request did.
    fn in_window(
        &self,
        request: &Request,
        function: &Function,
        started: &[(Timestamp, &Id, &Invocation)],
    ) -> Option<Link> {
        let took = request.response_latency_ms.map(|ms| Duration::from_millis(u64::from(ms)));
        let end = request.start.plus(took.unwrap_or(START_MAX));
        let (from, until) = (request.start.minus(SKEW), end.plus(SKEW));
        let first = started.partition_point(|(start, _, _)| *start < from);
        let gave_up = explain::gave_up(request, self.inventory.api(request.api));
        let fits = |i: &Invocation| {
            let ended = i.report.as_ref().map(|r| r.0);
            let in_time = match (ended, took) {
                // The gateway stopped waiting: the function ran on.
                (Some(ended), Some(_)) if gave_up => ended >= end.minus(SKEW),
                (Some(ended), Some(_)) => ended <= until,
                _ => true,
            };
            let agrees = request.gateway.as_deref().is_none_or(|words| explain::may_have_said(i, words));
            in_time && agrees && i.case.is_none() && self.function(i).is_some_and(|f| f.is(function))
        };
        let near = started[first..].iter().take_while(|(start, _, _)| *start <= until);
        let candidates: Vec<_> = near.filter(|(_, _, i)| fits(i)).collect();
        let count = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
        let failed: Vec<_> = candidates.iter().filter_map(|c| Some((c, explain::ends_badly(c.2)?))).collect();
        let chosen = match (candidates.as_slice(), failed.as_slice()) {
            ([], _) => return None,
            ([only], _) => Some(only.1),
            (_, [(only, _)]) => Some(only.1),
            // Several that failed alike lead to the same cause; several that went well likewise.
            ([first, ..], []) if !gave_up => Some(first.1),
            (_, [(first, how), rest @ ..]) if rest.iter().all(|(_, h)| h == how) => Some(first.1),
            _ => None,
        };
        Some(Link { id: chosen.map(Arc::from), join: Join::TimeWindow, candidates: count, authorizer: false })
    }
}
