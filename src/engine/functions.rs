//! Which function serves an endpoint: as configured, else as learned from requests that were joined by an exact ID.
//!
//! Not a join: it narrows the search where there is no ID, and names the function in fixes. Rule: an endpoint that two
//! functions were seen behind (an alias, a deploy, a shared route) is served by neither.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::hash::FastMap;
use crate::model::inventory::{ApiId, Inventory, Source};
use crate::model::request::Endpoint;
use crate::model::saved::in_order;
use crate::model::time::Timestamp;

/// Endpoints whose function is remembered, and as many of which an invocation is waited for.
const LEARNED_MAX: usize = 10_000;

/// The lines of an invocation come within this time of its request, or it tells nothing.
const PATIENCE: Duration = Duration::from_mins(15);

/// A function as the logs tell it: its name where that is known, else the log group it writes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// The log group.
    pub group: Arc<str>,
    /// The name.
    pub name: Option<Arc<str>>,
}

/// What is known about who serves what.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Functions {
    #[serde(with = "in_order")]
    learned: FastMap<(ApiId, Arc<Endpoint>), Option<Function>>,
    /// Of endpoints that nothing is known of: a request, the earliest that may tell, and the ID of its invocation.
    waiting: BTreeMap<(ApiId, Arc<Endpoint>), (Timestamp, Arc<str>)>,
}

impl Function {
    /// The function that wrote to this stream of this log group.
    #[must_use]
    pub fn of(source: &Source, stream: &str) -> Self {
        let name = source.function.clone().or_else(|| function_of_stream(stream).map(Arc::from));
        Self { group: Arc::clone(&source.name), name }
    }

    /// Whether a configured or learned function is this one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.name, &other.name) {
            (Some(a), Some(b)) => a == b,
            _ => self.group == other.group,
        }
    }
}

/// In log groups that functions share, streams are `YYYY/MM/DD/<function>[<version>]<id>`. Source: AWS documentation,
/// "Log groups" of Lambda.
fn function_of_stream(stream: &str) -> Option<&str> {
    let mut parts = stream.splitn(4, '/');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    if !(is_number(year, 4) && is_number(month, 2) && is_number(day, 2)) {
        return None;
    }
    let (name, _) = parts.next()?.split_once('[')?;
    (!name.is_empty()).then_some(name)
}

impl Functions {
    /// An exact join says that this function served this endpoint.
    pub fn learn(&mut self, api: ApiId, endpoint: &Arc<Endpoint>, function: &Function) {
        if self.learned.len() >= LEARNED_MAX {
            return;
        }
        let known = self.learned.entry((api, Arc::clone(endpoint))).or_insert_with(|| Some(function.clone()));
        if known.as_ref().is_some_and(|k| !k.is(function)) {
            *known = None;
        }
    }

    /// This invocation answered a request at `start`: when its lines are seen, they tell who serves the endpoint.
    pub fn await_lines(&mut self, api: ApiId, endpoint: &Arc<Endpoint>, start: Timestamp, id: &str) {
        if self.is_known(api, endpoint) || self.waiting.len() >= LEARNED_MAX {
            return;
        }
        let first = self.waiting.entry((api, Arc::clone(endpoint))).or_insert_with(|| (start, id.into()));
        // The same one in whatever order requests come.
        if (start, id) < (first.0, &*first.1) {
            *first = (start, id.into());
        }
    }

    /// Learns of those invocations of an API's requests that `seen` knows the function of, and gives up on old ones.
    pub fn settle(&mut self, api: ApiId, at: Timestamp, seen: impl Fn(&str) -> Option<Function>) {
        let mut told = Vec::new();
        self.waiting.retain(|key, (start, id)| {
            let function = if key.0 == api { seen(id) } else { None };
            let is_over = function.is_some() || key.0 == api && at.since(*start) >= PATIENCE;
            told.extend(function.map(|function| (Arc::clone(&key.1), function)));
            !is_over
        });
        for (endpoint, function) in told {
            // A failure may have told it meanwhile.
            if !self.is_known(api, &endpoint) {
                self.learn(api, &endpoint, &function);
            }
        }
    }

    /// Whether any function was seen behind an endpoint.
    #[must_use]
    pub fn is_known(&self, api: ApiId, endpoint: &Arc<Endpoint>) -> bool {
        self.learned.contains_key(&(api, Arc::clone(endpoint)))
    }

    /// The function that serves an endpoint, if that is known.
    #[must_use]
    pub fn serving(&self, inventory: &Inventory, api: ApiId, endpoint: &Arc<Endpoint>) -> Option<Function> {
        if let Some(name) = inventory.api(api).function(endpoint) {
            return Some(Function { group: format!("/aws/lambda/{name}").into(), name: Some(Arc::clone(name)) });
        }
        self.learned.get(&(api, Arc::clone(endpoint))).cloned().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_shared_groups_name_the_function() {
        let cases = [
            ("2026/11/22/checkout-fn[$LATEST]0123456789abcdef", Some("checkout-fn")),
            ("2026/11/22/[$LATEST]0123456789abcdef", None),
            ("2026/11/22/", None),
            ("stream", None),
            ("a/b/c/d[1]x", None),
        ];
        for (stream, want) in cases {
            assert_eq!(function_of_stream(stream), want, "{stream}");
        }
    }

    #[test]
    fn an_endpoint_behind_two_functions_is_served_by_neither() {
        let function = |name: &str| Function { group: "/shared".into(), name: Some(name.into()) };
        let endpoint: Arc<Endpoint> = Endpoint::new("GET", "/a").into();
        let inventory = Inventory { apis: vec![crate::model::inventory::Api::plain("shop")], sources: Vec::new() };
        let mut functions = Functions::default();
        functions.learn(ApiId(0), &endpoint, &function("a"));
        functions.learn(ApiId(0), &endpoint, &function("a"));
        assert_eq!(functions.serving(&inventory, ApiId(0), &endpoint), Some(function("a")));
        functions.learn(ApiId(0), &endpoint, &function("b"));
        functions.learn(ApiId(0), &endpoint, &function("a"));
        assert_eq!(functions.serving(&inventory, ApiId(0), &endpoint), None);
    }

    #[test]
    fn the_earliest_invocation_is_waited_for_and_not_for_ever() {
        let function = Function { group: "/aws/lambda/a".into(), name: Some("a".into()) };
        let endpoint: Arc<Endpoint> = Endpoint::new("GET", "/a").into();
        let api = ApiId(0);
        let at = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
        let mut functions = Functions::default();
        for (start, id) in [(2, "second"), (1, "first"), (3, "third")] {
            functions.await_lines(api, &endpoint, at(start), id);
        }
        let seen = |known: &'static str| {
            let function = function.clone();
            move |id: &str| (id == known).then(|| function.clone())
        };
        functions.settle(api, at(5), seen("second"));
        assert!(!functions.is_known(api, &endpoint), "the first is waited for");
        functions.settle(ApiId(1), at(60), seen("first"));
        functions.settle(api, at(15), seen("first"));
        assert!(functions.is_known(api, &endpoint) && functions.waiting.is_empty());

        let mut functions = Functions::default();
        functions.await_lines(api, &endpoint, at(1), "lost");
        functions.settle(api, at(16), |_| None);
        assert!(functions.waiting.is_empty(), "its lines are lost");
        functions.await_lines(api, &endpoint, at(17), "next");
        functions.settle(api, at(18), seen("next"));
        assert!(functions.is_known(api, &endpoint));
    }
}
