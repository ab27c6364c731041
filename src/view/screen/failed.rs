//! The latest failures, each with the explanation it has so far.
//!
//! Not the cases that are being explained, which are the engine's. A failure stands here from the moment its request was
//! counted, so that one sees it wait for its Lambda lines. Rule: a request is one row, however often it is explained anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::cause::{Failure, Join};
use crate::model::hash::FastMap;
use crate::model::request::{Endpoint, Request};
use crate::model::time::Timestamp;

/// Failures that are kept; more are not read one by one.
pub const FAILED_MAX: usize = 1000;

/// Names a failure for as long as it is kept: its place in time, and a number that no other has.
pub type FailedId = (Timestamp, u64);

/// A request that was answered 5xx.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// Which endpoint.
    pub endpoint: Arc<Endpoint>,
    /// HTTP status.
    pub status: u16,
    /// Event time.
    pub time: Timestamp,
    /// When it was first heard of.
    pub seen: Timestamp,
    /// API Gateway's request ID.
    pub request_id: Option<Arc<str>>,
    /// Lambda's, as the access log has it.
    pub lambda_request_id: Option<Arc<str>>,
    /// Whole time in the gateway, milliseconds.
    pub response_ms: Option<u32>,
    /// Time in the integration, milliseconds.
    pub integration_ms: Option<u32>,
    /// Why, as far as it is known; `None` while it waits for its Lambda lines.
    pub explained: Option<Failure>,
    /// When it was explained last.
    pub explained_at: Option<Timestamp>,
}

/// The latest of them.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    by_time: BTreeMap<FailedId, Failed>,
    /// Of each request ID and status, those that are kept. A client can give many requests the same ID.
    by_request: FastMap<(Option<Arc<str>>, u16), Vec<FailedId>>,
    next: u64,
}

impl Failed {
    /// Lambda's request ID.
    #[must_use]
    pub fn lambda_id(&self) -> Option<&str> {
        let explained = self.explained.as_ref().and_then(|failure| failure.lambda_request_id.as_deref());
        explained.or(self.lambda_request_id.as_deref())
    }

    fn revision(&self) -> u32 {
        self.explained.as_ref().map_or(0, |failure| failure.revision)
    }

    /// How it was joined to its invocation.
    #[must_use]
    pub fn join(&self) -> Option<Join> {
        self.explained.as_ref().map(|failure| failure.explanation.cause.join)
    }
}

impl Latest {
    /// A request failed.
    pub fn request(&mut self, request: &Request, now: Timestamp) {
        self.insert(Failed {
            endpoint: Arc::clone(&request.endpoint),
            status: request.status,
            time: request.time(),
            seen: now,
            request_id: request.request_id.as_deref().map(Arc::from),
            lambda_request_id: request.lambda_request_id.as_deref().map(Arc::from),
            response_ms: request.response_latency_ms,
            integration_ms: request.integration_latency_ms,
            explained: None,
            explained_at: None,
        });
    }

    /// A failure is explained: where its request stands, or as a row of its own.
    pub fn failure(&mut self, failure: &Failure, now: Timestamp) {
        if let Some(id) = self.find(failure)
            && let Some(failed) = self.by_time.get_mut(&id)
        {
            failed.explained = Some(failure.clone());
            failed.explained_at = Some(now);
            return;
        }
        self.insert(Failed {
            endpoint: Arc::clone(&failure.endpoint),
            status: failure.status,
            time: failure.time,
            seen: now,
            request_id: failure.request_id.clone(),
            lambda_request_id: None,
            response_ms: None,
            integration_ms: None,
            explained: Some(failure.clone()),
            explained_at: Some(now),
        });
    }

    /// All of them, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = (FailedId, &Failed)> {
        self.by_time.iter().rev().map(|(id, failed)| (*id, failed))
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: FailedId) -> Option<&Failed> {
        self.by_time.get(&id)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// The row of this failure: of those with its ID one that is not explained as far as this. A request that was stamped
    /// in the future is counted at another time than it says.
    fn find(&self, failure: &Failure) -> Option<FailedId> {
        let ids = self.by_request.get(&(failure.request_id.clone(), failure.status))?;
        let open = ids.iter().filter_map(|id| Some((*id, self.by_time.get(id)?)));
        let mut open = open.filter(|(_, failed)| failed.revision() < failure.revision);
        let is_same = |(_, failed): &(_, &Failed)| failed.time == failure.time;
        let waits = |(_, failed): &(_, &Failed)| failed.explained.is_none() && failure.request_id.is_some();
        let found = open.clone().find(is_same).or_else(|| open.find(waits));
        found.map(|(id, _)| id)
    }

    fn insert(&mut self, failed: Failed) {
        if self.by_time.len() >= FAILED_MAX {
            match self.by_time.first_key_value() {
                // Older than all that are kept.
                Some(((oldest, _), _)) if failed.time < *oldest => return,
                Some((id, _)) => self.remove(*id),
                None => {}
            }
        }
        // A stamp of the future would stay on top.
        let id = (failed.time.min(failed.seen), self.next);
        self.next += 1;
        self.by_request.entry((failed.request_id.clone(), failed.status)).or_default().push(id);
        self.by_time.insert(id, failed);
    }

    fn remove(&mut self, id: FailedId) {
        let Some(failed) = self.by_time.remove(&id) else { return };
        let key = (failed.request_id, failed.status);
        if let Some(ids) = self.by_request.get_mut(&key) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_request.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::{Cause, CauseKind, Certainty, Explanation, Fix};
    use crate::model::inventory::ApiId;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_338_000_000 + ms)
    }

    fn request(id: Option<&str>, ms: i64) -> Request {
        Request {
            api: ApiId(0),
            endpoint: Endpoint::new("POST", "/checkout").into(),
            status: 502,
            start: at(ms - 237),
            request_id: id.map(Into::into),
            lambda_request_id: Some("l-1".into()),
            response_latency_ms: Some(237),
            integration_latency_ms: Some(230),
            gateway: None,
        }
    }

    fn failure(id: Option<&str>, ms: i64, revision: u32) -> Failure {
        let cause = Cause {
            kind: CauseKind::Unknown,
            certainty: Certainty::Unknown,
            error_type: None,
            message: None,
            join: Join::None,
            candidates: 0,
        };
        let fix = Fix { text: "Look.".to_owned(), command: None };
        Failure {
            revision,
            api: ApiId(0),
            endpoint: Endpoint::new("POST", Endpoint::OTHER).into(),
            status: 502,
            time: at(ms),
            request_id: id.map(Into::into),
            lambda_request_id: None,
            explanation: Explanation { cause, function: None, site: None, evidence: Vec::new(), fix }.into(),
        }
    }

    fn revisions(latest: &Latest) -> Vec<u32> {
        latest.iter().map(|(_, failed)| failed.revision()).collect()
    }

    #[test]
    fn a_request_stays_one_row_and_keeps_what_only_it_knows() {
        let mut latest = Latest::default();
        latest.request(&request(Some("a"), 1000), at(3000));
        assert_eq!(revisions(&latest), [0]);
        for revision in 1..=3 {
            latest.failure(&failure(Some("a"), 1000, revision), at(4000));
            assert_eq!(revisions(&latest), [revision]);
        }
        let (_, failed) = latest.iter().next().unwrap();
        assert_eq!(
            (failed.response_ms, failed.integration_ms, failed.lambda_id()),
            (Some(237), Some(230), Some("l-1"))
        );
        assert_eq!((failed.endpoint.to_string().as_str(), failed.seen), ("POST /checkout", at(3000)));
    }

    #[test]
    fn the_newest_is_first_however_they_come() {
        let mut latest = Latest::default();
        for (id, ms) in [("b", 2000), ("c", 3000), ("a", 1000)] {
            latest.request(&request(Some(id), ms), at(3000));
        }
        let ids: Vec<_> = latest.iter().map(|(_, failed)| failed.request_id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["c", "b", "a"]);
    }

    #[test]
    fn requests_of_one_id_or_of_none_stay_apart() {
        for id in [Some("chosen by the client"), None] {
            let mut latest = Latest::default();
            latest.request(&request(id, 1000), at(0));
            latest.request(&request(id, 2000), at(0));
            latest.failure(&failure(id, 2000, 1), at(0));
            assert_eq!(revisions(&latest), [1, 0], "{id:?}");
            latest.failure(&failure(id, 1000, 1), at(0));
            assert_eq!(revisions(&latest), [1, 1], "{id:?}");
        }
        let mut latest = Latest::default();
        latest.request(&request(Some("of the future"), 9_000_000), at(0));
        latest.failure(&failure(Some("of the future"), 0, 1), at(0));
        assert_eq!(revisions(&latest), [1]);
        latest.failure(&failure(Some("never seen"), 0, 1), at(0));
        assert_eq!(revisions(&latest), [1, 1], "a failure without its request is a row too");
    }

    #[test]
    fn it_stays_bounded_and_what_is_too_old_is_left_out() {
        let mut latest = Latest::default();
        let few = i64::try_from(FAILED_MAX).unwrap();
        for n in 0..3 * few {
            latest.request(&request(Some(&n.to_string()), n), at(n));
        }
        assert_eq!((latest.len(), latest.by_request.len()), (FAILED_MAX, FAILED_MAX));
        latest.failure(&failure(Some("0"), 0, 2), at(0));
        assert_eq!(latest.len(), FAILED_MAX);
        assert!(latest.iter().all(|(_, failed)| failed.explained.is_none()));
    }
}
