//! A page of events, and how fetching one can fail.
//!
//! The one thing in this folder that waits, behind a trait of one method; `aws/` implements it. Rule: an error says
//! what kind it is, because the kind decides what happens next, and a sentence for people that names the log group.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::groups::List;
use super::schedule::Ask;
use crate::model::event::EventId;
pub use crate::model::problem::Problem;
use crate::model::time::Timestamp;

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Log group name or ARN.
    pub group: Arc<str>,
    /// What the names of its streams begin with; `None` is all of them.
    pub streams: Option<Arc<str>>,
    /// Which part.
    pub ask: Ask,
}

/// An event as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEvent {
    /// The service's `eventId`; empty where there is none.
    pub event_id: String,
    /// Log stream.
    pub stream: String,
    /// Its stamp.
    pub time: Timestamp,
    /// When it was taken in.
    pub ingested: Option<i64>,
    /// Its text.
    pub text: String,
}

impl RawEvent {
    /// Tells it from all others of its log group.
    #[must_use]
    pub fn id(&self) -> EventId {
        Self::identify(Some(&self.event_id), &self.stream, self.time, self.ingested, &self.text)
    }

    /// The id of an event by the service's `eventId`, or where there is none (some emulators) by its content. Events
    /// equal in all of stream, stamp, time of ingestion and text are then told apart by how many came before in the
    /// same read: see [`RawEvent::nth`].
    #[must_use]
    pub fn identify(
        event_id: Option<&str>,
        stream: &str,
        time: Timestamp,
        ingested: Option<i64>,
        text: &str,
    ) -> EventId {
        match event_id {
            Some(id) if !id.is_empty() => EventId(xxh3_128(id.as_bytes())),
            Some(_) | None => {
                let ingested = ingested.unwrap_or_default();
                EventId(xxh3_128(format!("{stream}\0{}\0{ingested}\0{text}", time.as_millis()).as_bytes()))
            }
        }
    }

    /// The id of the `n`th (from 0) of several events that cannot be told apart otherwise.
    #[must_use]
    pub fn nth(id: EventId, n: u32) -> EventId {
        if n == 0 { id } else { EventId(xxh3_128(&[id.0.to_le_bytes(), u128::from(n).to_le_bytes()].concat())) }
    }
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its events; may be none although there are more pages.
    pub events: Vec<RawEvent>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
    /// When the service answered, by its own clock, to the second.
    pub answered: Option<Timestamp>,
}

/// A page that could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// Which kind.
    pub problem: Problem,
    /// What the service or the connection said.
    pub said: String,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.said, self.problem.advice())
    }
}

impl std::error::Error for FetchError {}

/// Fetches pages.
pub trait Fetch {
    /// Fetches one page, by one request: the budget counts each.
    fn page(&self, request: &PageRequest) -> impl Future<Output = Result<Page, FetchError>> + Send;
}

/// Reaches the log groups of an account and Region.
pub trait Connect {
    /// What fetches pages and lists groups.
    type Logs: Fetch + List + Clone + Send + Sync + 'static;

    /// Those of a Region, read as whoever runs this or in a role. Never fails: what is wrong with the credentials shows
    /// when they are used.
    fn logs(&mut self, region: &str, role_arn: Option<&str>) -> impl Future<Output = Self::Logs> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_the_service_or_from_the_content() {
        let t = Timestamp::from_millis(5);
        let a = RawEvent::identify(Some("37"), "s", t, None, "x");
        assert_eq!(a, RawEvent::identify(Some("37"), "other", t, None, "y"));
        let b = RawEvent::identify(None, "s", t, Some(9), "x");
        assert_eq!(b, RawEvent::identify(Some(""), "s", t, Some(9), "x"));
        assert_ne!(b, RawEvent::identify(None, "s", t, Some(10), "x"));
        assert_ne!(a, b);
    }
}
