//! Cases: failed requests that are being explained.
//!
//! A failure opens a case; its explanation is decided at once from what is known, and again whenever a line of its
//! invocation comes in. It is reported when the evidence names the cause, or when waiting has lasted long enough,
//! and once more whenever more is known. Not the explanation itself: that is `explain`; not the search for the
//! invocation: that is `casework`. Rule: a case is deleted when its time is over, and every failure is reported at
//! least once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tally::Counted;
use crate::model::cause::{Certainty, Explanation, Failure, Join};
use crate::model::request::{Endpoint, Request};
use crate::model::saved::in_order;
use crate::model::time::Timestamp;

/// When failures are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reporting {
    /// As soon as the cause is certain or the wait is over, and again when more is known.
    #[default]
    Live,
    /// Once, when nothing more can come: the end of the case.
    Final,
}

/// How a failed request and its invocation were brought together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The invocation's ID; `None` where several came into question and none stood out.
    pub id: Option<Arc<str>>,
    /// By what.
    pub join: Join,
    /// How many came into question.
    pub candidates: u32,
    /// It is the authorizer's invocation, because nothing else was called.
    pub authorizer: bool,
}

/// A failed request under explanation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Case {
    /// What the access log said.
    pub request: Box<Request>,
    /// The event time it was counted at.
    pub time: Timestamp,
    /// The endpoint it was counted under.
    pub endpoint: Arc<Endpoint>,
    /// Its invocation, as far as that is known.
    pub link: Option<Link>,
    /// What is known now.
    pub explanation: Arc<Explanation>,
    /// How it is tallied; `None` when its endpoint is no longer tracked.
    pub counted: Option<Counted>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Open {
    case: Case,
    revision: u32,
    reported: bool,
}

/// All open cases.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cases {
    #[serde(with = "in_order")]
    by_id: HashMap<u64, Open>,
    next: u64,
    /// In order of opening: cases that are not settled yet.
    waiting: VecDeque<(Timestamp, u64)>,
    /// In order of opening: all of them.
    order: VecDeque<(Timestamp, u64)>,
    #[serde(skip)]
    max: usize,
    #[serde(skip)]
    wait: Duration,
    #[serde(skip)]
    hold: Duration,
    #[serde(skip)]
    reporting: Reporting,
    /// Cases closed before their time because there were too many.
    pub dropped: u64,
}

impl Cases {
    /// At most `max` cases, each reported after `wait` at the latest and closed after `hold`.
    #[must_use]
    pub fn new(max: usize, wait: Duration, hold: Duration, reporting: Reporting) -> Self {
        Self {
            by_id: HashMap::new(),
            next: 0,
            waiting: VecDeque::new(),
            order: VecDeque::new(),
            // One at least, or none could ever be opened.
            max: max.max(1),
            wait,
            hold,
            reporting,
            dropped: 0,
        }
    }

    /// What was saved, within the bounds of a new table. `None` if it cannot have been saved like this.
    pub(super) fn resume(saved: Self, new: &Self) -> Option<Self> {
        let Self { max, wait, hold, reporting, .. } = *new;
        let all = saved.order.iter().map(|(_, id)| id);
        let is_whole = all.clone().is_sorted_by(|a, b| a < b)
            && all.clone().all(|id| *id < saved.next && saved.by_id.contains_key(id))
            && saved.order.len() == saved.by_id.len()
            && saved.next < u64::MAX / 2;
        is_whole.then_some(Self { max, wait, hold, reporting, ..saved })
    }

    /// All cases, in the order in which they were opened.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Case)> {
        self.order.iter().filter_map(|(_, id)| Some((*id, self.get(*id)?)))
    }

    /// The number the next case will have.
    #[must_use]
    pub const fn next_id(&self) -> u64 {
        self.next
    }

    /// Whether a case must be closed before another can be opened.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.by_id.len() >= self.max
    }

    /// Opens a case. Reports it if its cause is certain.
    pub fn open(&mut self, case: Case, now: Timestamp, reports: &mut Vec<Failure>) {
        let id = self.next;
        self.next += 1;
        let mut open = Open { case, revision: 0, reported: false };
        if self.reporting == Reporting::Live && open.case.explanation.cause.certainty == Certainty::Certain {
            reports.push(open.report());
        }
        self.waiting.push_back((now.plus(self.wait), id));
        self.order.push_back((now.plus(self.hold), id));
        self.by_id.insert(id, open);
    }

    /// The case with this number.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Case> {
        self.by_id.get(&id).map(|o| &o.case)
    }

    /// Its invocation became known.
    pub fn link(&mut self, id: u64, link: Link) {
        if let Some(open) = self.by_id.get_mut(&id) {
            open.case.link = Some(link);
        }
    }

    /// More is known: replaces the explanation, and reports it if it is due.
    pub fn revise(
        &mut self,
        id: u64,
        explanation: Arc<Explanation>,
        counted: Option<Counted>,
        reports: &mut Vec<Failure>,
    ) {
        let Some(open) = self.by_id.get_mut(&id) else { return };
        let differs = open.case.explanation.cause != explanation.cause;
        let certain = explanation.cause.certainty == Certainty::Certain;
        open.case.explanation = explanation;
        open.case.counted = counted;
        if self.reporting == Reporting::Live && differs && (open.reported || certain) {
            reports.push(open.report());
        }
    }

    /// Cases that have waited long enough for an invocation that names itself: the time to look for one that fits.
    pub fn due(&mut self, now: Timestamp) -> Vec<u64> {
        let mut due = Vec::new();
        while let Some((at, id)) = self.waiting.front()
            && *at <= now
        {
            due.push(*id);
            self.waiting.pop_front();
        }
        due
    }

    /// Reports a case that was not, where failures are reported as they come.
    pub fn report(&mut self, id: u64, reports: &mut Vec<Failure>) {
        if self.reporting == Reporting::Live
            && let Some(open) = self.by_id.get_mut(&id)
            && !open.reported
        {
            reports.push(open.report());
        }
    }

    /// Whether the time of the oldest case is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.order.front().is_some_and(|(due, _)| *due <= now)
    }

    /// Closes the oldest case, reporting it if it was not.
    pub fn close_oldest(&mut self, reports: &mut Vec<Failure>) -> Option<(u64, Case)> {
        let (_, id) = self.order.pop_front()?;
        let mut open = self.by_id.remove(&id)?;
        if !open.reported {
            reports.push(open.report());
        }
        Some((id, open.case))
    }

    /// When [`Cases::due`] or [`Cases::is_over`] have something to say next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let first = |q: &VecDeque<(Timestamp, u64)>| q.front().map(|(due, _)| *due);
        first(&self.waiting).into_iter().chain(first(&self.order)).min()
    }
}

impl Open {
    fn report(&mut self) -> Failure {
        self.revision = self.revision.saturating_add(1);
        self.reported = true;
        let case = &self.case;
        Failure {
            revision: self.revision,
            api: case.request.api,
            endpoint: Arc::clone(&case.endpoint),
            status: case.request.status,
            time: case.time,
            request_id: case.request.request_id.as_deref().map(Arc::from),
            lambda_request_id: case.link.as_ref().filter(|l| !l.authorizer).and_then(|l| l.id.clone()),
            explanation: Arc::clone(&case.explanation),
        }
    }
}
