//! Requests as the execution log tells them, put together line by line.
//!
//! Not an invocation and not yet a counted request: where an access log is read as well, the two are one request and
//! this one only explains; where there is none, a request that is complete here is the request. A request that an access line never
//! comes for is one as well. Rule: bounded, and each request is counted once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::cause::Evidence;
use crate::model::execution::{ExecutionLine, ExecutionSays};
use crate::model::hash::FastMap;
use crate::model::inventory::{ApiId, SourceId};
use crate::model::invocation::RuntimeError;
use crate::model::request::{Endpoint, GatewayWords, Request};
use crate::model::saved::in_order;
use crate::model::time::{Timestamp, millis};

/// Lines of one request that name a cause.
const CAUSES_MAX: usize = 4;
/// How long a request waits for the lines that follow its status.
const LINES_WAIT: Duration = Duration::from_secs(1);
/// How long it waits for its access line, where there is an access log: delivery takes that long.
const ACCESS_WAIT: Duration = Duration::from_mins(1);

/// What the execution log says about one request.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Execution {
    /// Which log group.
    pub source: Option<SourceId>,
    /// Which stream.
    pub stream: Option<Arc<str>>,
    /// Stamp of its earliest line.
    pub began: Option<Timestamp>,
    /// Stamp and status of `Method completed with status`.
    pub completed: Option<(Timestamp, u16)>,
    /// Method and route.
    pub endpoint: Option<Arc<Endpoint>>,
    /// The function that the integration calls.
    pub function: Option<Arc<str>>,
    /// The Lambda invocation.
    pub lambda_request_id: Option<Arc<str>>,
    /// What the error was that the function answered with.
    pub error: Option<RuntimeError>,
    /// Lines that name a cause: stamp, sentence.
    pub causes: Vec<(Timestamp, Box<str>)>,
    extended_request_id: Option<Box<str>>,
    trace_id: Option<Box<str>>,
    integration_status: Option<u16>,
    integration_latency_ms: Option<u32>,
    /// It was handed out as a request.
    counted: bool,
}

type Key = (ApiId, Arc<str>);

/// All requests of execution logs that may still be asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Executions {
    #[serde(with = "in_order")]
    by_id: FastMap<Key, Execution>,
    /// Extended request ID -> request ID: the access log may have that one alone.
    #[serde(with = "in_order")]
    by_extended: FastMap<Key, Arc<str>>,
    /// APIs with an access line that names no ID at all, and until when such a line may be of a request here.
    #[serde(with = "in_order")]
    anonymous: FastMap<ApiId, Timestamp>,
    /// In order of arrival, for expiry.
    order: VecDeque<(Timestamp, Key)>,
    /// Complete and not yet counted; by when they count as requests of their own.
    complete: BTreeSet<(Timestamp, Key)>,
    #[serde(skip)]
    max: usize,
    #[serde(skip)]
    hold: Duration,
}

impl Executions {
    /// Keeps at most `max` requests, each for at most `hold`.
    #[must_use]
    pub fn new(max: usize, hold: Duration) -> Self {
        Self {
            by_id: FastMap::default(),
            by_extended: FastMap::default(),
            anonymous: FastMap::default(),
            order: VecDeque::new(),
            complete: BTreeSet::new(),
            max,
            hold,
        }
    }

    /// What was saved, within the bounds of a new table. `None` if it cannot have been saved like this, or is about
    /// more than so many APIs.
    pub(super) fn resume(saved: Self, new: &Self, apis: usize) -> Option<Self> {
        let mut executions = Self { max: new.max, hold: new.hold, ..saved };
        let known = |key: &Key| executions.by_id.contains_key(key) && key.0.index() < apis;
        let is_whole = executions.order.len() == executions.by_id.len()
            && executions.order.iter().all(|(_, key)| known(key))
            && executions.complete.iter().all(|(_, key)| key.0.index() < apis);
        while executions.by_id.len() > executions.max.max(1) {
            executions.drop_oldest();
        }
        while executions.complete.len() > executions.max {
            executions.complete.pop_first();
        }
        is_whole.then_some(executions)
    }

    /// Takes a line in. `has_access`: its API has an access log, which counts its requests.
    pub fn apply(&mut self, source: SourceId, api: ApiId, line: ExecutionLine, has_access: bool, now: Timestamp) {
        let key = (api, Arc::clone(&line.request_id));
        if matches!(line.says, ExecutionSays::Completed { .. }) {
            let wait = if has_access { ACCESS_WAIT } else { LINES_WAIT };
            self.complete.insert((now.plus(wait), key.clone()));
            if self.complete.len() > self.max {
                self.complete.pop_first();
            }
        }
        let mut counted = false;
        if let ExecutionSays::Began { extended_request_id: Some(extended) } = &line.says {
            let extended = (api, Arc::from(&**extended));
            // Its access line came first, and was noted under the only ID it has.
            counted = self.by_id.get(&extended).is_some_and(|e| e.counted && e.source.is_none());
            self.by_extended.insert(extended, Arc::clone(&key.1));
        }
        let execution = self.entry(key, now);
        execution.counted |= counted;
        execution.source = Some(source);
        execution.stream = Some(Arc::clone(&line.stream));
        execution.take(line);
    }

    fn entry(&mut self, key: Key, now: Timestamp) -> &mut Execution {
        if self.by_id.len() >= self.max && !self.by_id.contains_key(&key) {
            self.drop_oldest();
        }
        self.by_id.entry(key).or_insert_with_key(|key| {
            self.order.push_back((now, key.clone()));
            Execution::default()
        })
    }

    /// The request with this ID.
    #[must_use]
    pub fn get(&self, api: ApiId, id: &str) -> Option<&Execution> {
        self.by_id.get(&self.key(api, id))
    }

    /// The key of the request with this ID or extended ID.
    fn key(&self, api: ApiId, id: &str) -> Key {
        let key = (api, Arc::from(id));
        match self.by_extended.get(&key) {
            Some(id) => (api, Arc::clone(id)),
            None => key,
        }
    }

    /// Requests that are complete and that no access line has counted by now.
    pub fn due(&mut self, now: Timestamp) -> Vec<Request> {
        let mut due = Vec::new();
        while self.complete.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((at, key)) = self.complete.pop_first() {
                due.extend(self.request(&key, at));
            }
        }
        due
    }

    /// When [`Executions::due`] has something to hand out.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.complete.first().map(|(at, _)| *at)
    }

    /// An access line of this request came. True if it was handed out before, and so is counted already.
    pub fn counted(&mut self, api: ApiId, id: &str, now: Timestamp) -> bool {
        let key = self.key(api, id);
        std::mem::replace(&mut self.entry(key, now).counted, true)
    }

    /// An access line came that names no ID: for a while requests of this API cannot be told from those that have one.
    pub fn counted_without_id(&mut self, api: ApiId, now: Timestamp) {
        self.anonymous.insert(api, now.plus(2 * ACCESS_WAIT));
    }

    /// The request itself; `at` is when it became due.
    fn request(&mut self, key: &Key, at: Timestamp) -> Option<Request> {
        let (api, id) = (key.0, &key.1);
        let execution = self.by_id.get_mut(key)?;
        let (ended, status) = execution.completed?;
        let anonymous = self.anonymous.get(&api).is_some_and(|until| at <= *until);
        if anonymous || std::mem::replace(&mut execution.counted, true) {
            return None;
        }
        let start = execution.began.unwrap_or(ended).min(ended);
        let took = u32::try_from(millis(ended.since(start))).ok();
        Some(Request {
            api,
            endpoint: execution.endpoint.clone().unwrap_or_else(|| Arc::new(Endpoint::new("-", "-"))),
            status,
            start,
            request_id: Some((&**id).into()),
            lambda_request_id: execution.lambda_request_id.as_deref().map(Into::into),
            // Lines without stamps of their own all have one time, which measures nothing.
            response_latency_ms: took.filter(|ms| *ms > 0),
            integration_latency_ms: execution.integration_latency_ms,
            gateway: (status >= 500).then(|| Box::new(execution.own_words())),
        })
    }

    /// Forgets what is older than `hold`.
    pub fn expire(&mut self, now: Timestamp) {
        let horizon = now.minus(self.hold);
        while self.order.front().is_some_and(|(made, _)| *made < horizon) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            let gone = self.by_id.remove(&key);
            if let Some(extended) = gone.and_then(|e| e.extended_request_id) {
                self.by_extended.remove(&(key.0, Arc::from(extended)));
            }
        }
    }
}

impl Execution {
    fn take(&mut self, line: ExecutionLine) {
        self.began = Some(self.began.map_or(line.time, |b| b.min(line.time)));
        match line.says {
            ExecutionSays::Began { extended_request_id } => {
                self.extended_request_id = extended_request_id.or(self.extended_request_id.take());
            }
            ExecutionSays::Route { method, path } => self.endpoint = Some(Arc::new(Endpoint::new(&method, &path))),
            ExecutionSays::Function(name) => self.function = Some(name.into()),
            ExecutionSays::Answered { status, latency_ms } => {
                self.integration_status = status.or(self.integration_status);
                self.integration_latency_ms = latency_ms.or(self.integration_latency_ms);
            }
            ExecutionSays::LambdaRequestId(id) => self.lambda_request_id = Some(id.into()),
            ExecutionSays::Trace(id) => self.trace_id = Some(id),
            ExecutionSays::Cause { said, lambda_request_id } => {
                if let Some(id) = lambda_request_id {
                    self.lambda_request_id = Some(id.into());
                }
                let is_new = self.causes.iter().all(|(_, known)| *known != said);
                if is_new && self.causes.len() < CAUSES_MAX {
                    self.causes.push((line.time, said));
                }
            }
            ExecutionSays::FunctionError(error) => self.error = Some(error),
            ExecutionSays::Completed { status } => self.completed = Some((line.time, status)),
        }
    }

    /// The other ID of the request, which no client can set.
    #[must_use]
    pub fn extended_request_id(&self) -> Option<&str> {
        self.extended_request_id.as_deref()
    }

    /// What the gateway's words are by this log alone.
    fn own_words(&self) -> GatewayWords {
        GatewayWords {
            extended_request_id: self.extended_request_id.clone(),
            trace_id: self.trace_id.clone(),
            logs_integration_latency: self.integration_latency_ms.is_some(),
            ..GatewayWords::default()
        }
    }

    /// Adds what this log says to the words of the access log, which has less.
    pub fn add_to(&self, words: &mut GatewayWords) {
        if words.integration_error.is_none() && !self.causes.is_empty() {
            let said: Vec<&str> = self.causes.iter().map(|(_, said)| &**said).collect();
            words.integration_error = Some(said.join("; "));
        }
        words.integration_status = words.integration_status.or(self.integration_status);
        words.trace_id = words.trace_id.take().or_else(|| self.trace_id.clone());
    }

    /// Whether it says why the request failed, or which invocation served it.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        !self.causes.is_empty() || self.error.is_some() || self.lambda_request_id.is_some()
    }

    /// The lines that name a cause.
    #[must_use]
    pub fn evidence(&self, group: &Arc<str>) -> Vec<Evidence> {
        let line = |(time, said): &(Timestamp, Box<str>)| Evidence {
            time: *time,
            source: Arc::clone(group),
            stream: self.stream.clone().unwrap_or_else(|| "".into()),
            text: (&**said).into(),
        };
        self.causes.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: ApiId = ApiId(0);
    const NOW: Timestamp = Timestamp::from_millis(0);

    fn line(says: ExecutionSays) -> ExecutionLine {
        ExecutionLine { stream: "s".into(), time: NOW, request_id: "r".into(), says, text: "".into() }
    }

    fn lines(executions: &mut Executions) {
        let began = ExecutionSays::Began { extended_request_id: Some("ext=".into()) };
        for says in [began, ExecutionSays::Completed { status: 502 }] {
            executions.apply(SourceId(1), API, line(says), true, NOW);
        }
    }

    #[test]
    fn a_request_whose_access_line_has_the_extended_id_alone_is_counted_once() {
        let table = || Executions::new(10, Duration::from_mins(10));
        let mut access_first = table();
        assert!(!access_first.counted(API, "ext=", NOW));
        lines(&mut access_first);
        assert!(access_first.get(API, "ext=").is_some_and(|e| e.completed.is_some()));
        assert!(access_first.due(Timestamp::MAX).is_empty());
        let mut access_last = table();
        lines(&mut access_last);
        assert_eq!(access_last.due(Timestamp::MAX).len(), 1);
        assert!(access_last.counted(API, "ext=", NOW));
        for n in 0..20 {
            access_last.counted(API, &n.to_string(), NOW);
        }
        assert!(access_last.by_extended.is_empty() && access_last.by_id.len() == 10);
    }

    #[test]
    fn where_access_lines_name_no_id_they_alone_are_counted() {
        let mut executions = Executions::new(10, Duration::from_mins(10));
        lines(&mut executions);
        executions.counted_without_id(API, NOW);
        assert!(executions.due(Timestamp::MAX).is_empty());
        let mut later = Executions::new(10, Duration::from_mins(10));
        later.counted_without_id(API, NOW.minus(Duration::from_hours(1)));
        lines(&mut later);
        assert_eq!(later.due(Timestamp::MAX).len(), 1, "one such line does not switch the execution log off");
    }
}
