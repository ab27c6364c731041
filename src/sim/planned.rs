//! Log events made before their time, and the order in which they become readable.
//!
//! Not who makes them: `shop` and `traffic` do. Rule: a maker of events puts each in a backlog and takes out what
//! becomes visible before anything it has still to make, so the backlog is as long as the lag and not as the run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::Service;
use crate::model::time::Timestamp;

/// A log event with the time it becomes readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The log group it goes to.
    pub group: Arc<str>,
    /// The log stream in that group.
    pub stream: Arc<str>,
    /// The stamp CloudWatch Logs gives it; for an access line the start of its request.
    pub time: Timestamp,
    /// When it was written, whatever its stamp says.
    pub written: Timestamp,
    /// When it can be read; not earlier than `written`.
    pub visible_at: Timestamp,
    /// The line, with its newline where Lambda writes one.
    pub text: String,
    /// Which event of its maker it is, from 0: in the text too where `traffic` made it.
    pub serial: u64,
}

/// Puts every event that is readable at `until` into the service, calls `heard` with each and its event id, and returns
/// how many there were. `events` must come in the order of `visible_at`; the first one later than `until` stays.
pub fn play<I: Iterator<Item = Planned>>(
    service: &Service,
    events: &mut std::iter::Peekable<I>,
    until: Timestamp,
    mut heard: impl FnMut(&Planned, &str),
) -> u64 {
    let mut count = 0;
    while let Some(event) = events.next_if(|event| event.visible_at <= until) {
        let id = service.put(&event.group, &event.stream, event.time, event.visible_at, &event.text);
        heard(&event, &id);
        count += 1;
    }
    count
}

/// Events waiting for their turn.
#[derive(Default)]
pub(super) struct Backlog {
    ready: BinaryHeap<Reverse<Ready>>,
    pushed: u64,
}

impl Backlog {
    /// Takes one in.
    pub(super) fn push(&mut self, event: Planned) {
        self.pushed += 1;
        self.ready.push(Reverse(Ready { order: self.pushed, event }));
    }

    /// The first one that becomes visible by `until`; those of one time in the order they came in.
    pub(super) fn pop(&mut self, until: Timestamp) -> Option<Planned> {
        let Reverse(first) = self.ready.peek()?;
        if first.event.visible_at > until {
            return None;
        }
        self.ready.pop().map(|Reverse(first)| first.event)
    }
}

struct Ready {
    order: u64,
    event: Planned,
}

impl Ready {
    fn key(&self) -> (Timestamp, u64) {
        (self.event.visible_at, self.order)
    }
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Ready {}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
