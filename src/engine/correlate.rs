//! Cases: failed requests that are being explained.
//!
//! A failure opens a case; its explanation is decided at once from what is known, and again whenever a line of its
//! invocation comes in. It is reported when the evidence names the cause, or when waiting has lasted long enough,
//! and once more whenever more is known. Not the explanation itself: that is `explain`. Rule: a case is deleted when
//! its time is over, and every failure is reported at least once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::tally::Counted;
use crate::model::cause::{Certainty, Explanation, Failure};
use crate::model::request::{Endpoint, Request};
use crate::model::time::Timestamp;

/// When failures are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporting {
    /// As soon as the cause is certain or the wait is over, and again when more is known.
    Live,
    /// Once, when nothing more can come: the end of the case.
    Final,
}

/// A failed request under explanation.
#[derive(Debug)]
pub struct Case {
    /// What the access log said.
    pub request: Box<Request>,
    /// The event time it was counted at.
    pub time: Timestamp,
    /// The endpoint it was counted under.
    pub endpoint: Arc<Endpoint>,
    /// The invocation's ID, if logged.
    pub lambda_request_id: Option<Arc<str>>,
    /// Arrival time.
    pub opened: Timestamp,
    /// What is known now.
    pub explanation: Arc<Explanation>,
    /// How it is tallied; `None` when its endpoint is no longer tracked.
    pub counted: Option<Counted>,
    revision: u32,
    reported: bool,
}

/// All open cases.
#[derive(Debug)]
pub struct Cases {
    by_id: HashMap<u64, Case>,
    next: u64,
    /// In order of opening: cases that were not reported when they were opened.
    waiting: VecDeque<(Timestamp, u64)>,
    /// In order of opening: all of them.
    order: VecDeque<(Timestamp, u64)>,
    max: usize,
    wait: Duration,
    hold: Duration,
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
            max,
            wait,
            hold,
            reporting,
            dropped: 0,
        }
    }

    /// The number the next case will have.
    #[must_use]
    pub const fn next_id(&self) -> u64 {
        self.next
    }

    /// Opens a case. Reports what is due by it.
    #[expect(clippy::too_many_arguments, reason = "each is one fact about the case, and nothing groups them")]
    pub fn open(
        &mut self,
        request: Box<Request>,
        time: Timestamp,
        endpoint: Arc<Endpoint>,
        lambda_request_id: Option<Arc<str>>,
        explanation: Arc<Explanation>,
        counted: Option<Counted>,
        now: Timestamp,
        reports: &mut Vec<Failure>,
    ) {
        if self.by_id.len() >= self.max {
            self.dropped += 1;
            self.close_oldest(reports);
        }
        let id = self.next;
        self.next += 1;
        let mut case = Case {
            request,
            time,
            endpoint,
            lambda_request_id,
            opened: now,
            explanation,
            counted,
            revision: 0,
            reported: false,
        };
        if self.reporting == Reporting::Live && case.explanation.cause.certainty == Certainty::Certain {
            reports.push(case.report());
        } else {
            self.waiting.push_back((now.plus(self.wait), id));
        }
        self.order.push_back((now.plus(self.hold), id));
        self.by_id.insert(id, case);
    }

    /// The case with this number.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Case> {
        self.by_id.get(&id)
    }

    /// More is known: replaces the explanation, and reports it if it is due.
    pub fn revise(
        &mut self,
        id: u64,
        explanation: Arc<Explanation>,
        counted: Option<Counted>,
        reports: &mut Vec<Failure>,
    ) {
        let Some(case) = self.by_id.get_mut(&id) else { return };
        let differs = case.explanation.cause != explanation.cause;
        let certain = explanation.cause.certainty == Certainty::Certain;
        case.explanation = explanation;
        case.counted = counted;
        if self.reporting == Reporting::Live && differs && (case.reported || certain) {
            reports.push(case.report());
        }
    }

    /// Reports cases that have waited long enough and closes those whose time is over.
    pub fn tick(&mut self, now: Timestamp, reports: &mut Vec<Failure>) {
        while self.waiting.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, id)) = self.waiting.pop_front() else { break };
            if self.reporting == Reporting::Live
                && let Some(case) = self.by_id.get_mut(&id)
                && !case.reported
            {
                reports.push(case.report());
            }
        }
        while self.order.front().is_some_and(|(due, _)| *due <= now) {
            self.close_oldest(reports);
        }
    }

    /// Closes all of them, reporting what was not.
    pub fn finish(&mut self, reports: &mut Vec<Failure>) {
        while !self.order.is_empty() {
            self.close_oldest(reports);
        }
        self.waiting.clear();
    }

    /// When [`Cases::tick`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let first = |q: &VecDeque<(Timestamp, u64)>| q.front().map(|(due, _)| *due);
        first(&self.waiting).into_iter().chain(first(&self.order)).min()
    }

    fn close_oldest(&mut self, reports: &mut Vec<Failure>) {
        if let Some((_, id)) = self.order.pop_front()
            && let Some(mut case) = self.by_id.remove(&id)
            && !case.reported
        {
            reports.push(case.report());
        }
    }
}

impl Case {
    fn report(&mut self) -> Failure {
        self.revision += 1;
        self.reported = true;
        Failure {
            revision: self.revision,
            api: self.request.api,
            endpoint: Arc::clone(&self.endpoint),
            status: self.request.status,
            time: self.time,
            request_id: self.request.request_id.as_deref().map(Arc::from),
            lambda_request_id: self.lambda_request_id.clone(),
            explanation: Arc::clone(&self.explanation),
        }
    }
}
