//! The simulation without a socket: all state, its clock, and one call in, one answer out.
//!
//! Not HTTP (`server`), and no task or timer: everything happens when somebody asks, by the clock that was given. Rule:
//! cheap enough that hours of simulated polling run in seconds, and the same calls at the same times get the same
//! answers.

use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answer::{Answer, Answered};
use super::calls::{Call, Calls, Counted, Operation};
use super::fault::{Fault, Faults};
use super::group::Class;
use super::logs;
use super::planned::Planned;
use super::quota::Bucket;
use super::sns::{Published, Topics};
use super::store::Store;
use super::trouble::{Trouble, Troubles};
use crate::model::time::Timestamp;

/// The clock of the simulation: decides what is visible and what the `Date` header says.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How often old events are dropped.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// A simulated CloudWatch Logs and SNS. Clones share everything.
#[derive(Clone)]
pub struct Service {
    now: Now,
    state: Arc<Mutex<State>>,
}

/// Everything the simulated services know.
#[derive(Default)]
pub(super) struct State {
    pub(super) store: Store,
    pub(super) faults: HashMap<String, Faults>,
    pub(super) troubles: Troubles,
    pub(super) calls: Calls,
    quotas: BTreeMap<Operation, Bucket>,
    /// Set where `startFromHead=false` is refused, as older endpoints and emulators do.
    pub(super) oldest_first_only: bool,
    pub(super) topics: Topics,
    /// Answers given so far: seeds request ids and keeps tokens apart.
    pub(super) answers: u64,
    feeds: Vec<Peekable<Feed>>,
    /// How long events are kept, by their stamps, and when old ones were dropped last.
    keep: Option<Duration>,
    forgot: Timestamp,
}

type Feed = Box<dyn Iterator<Item = Planned> + Send>;

impl State {
    /// Whether the operation's quota lets one more call through.
    pub(super) fn quota(&mut self, operation: Operation, now: Timestamp) -> bool {
        self.quotas.get_mut(&operation).is_none_or(|bucket| bucket.take(now))
    }

    /// Another number for a token or a request id.
    pub(super) fn count_answer(&mut self) -> u64 {
        self.answers += 1;
        self.answers
    }

    /// Takes in what has become visible, and drops what is too old.
    fn advance(&mut self, now: Timestamp) {
        for feed in &mut self.feeds {
            while let Some(event) = feed.next_if(|event| event.visible_at <= now) {
                self.store.put(&event.group, &event.stream, event.time, event.visible_at, &event.text);
            }
        }
        if let Some(keep) = self.keep
            && now.since(self.forgot) >= FORGET_EVERY
        {
            self.forgot = now;
            self.store.forget_before(now.minus(keep));
        }
    }
}

impl Service {
    /// An empty one, without groups, quotas or troubles. It needs no runtime.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self { now, state: Arc::default() }
    }

    /// What the clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Answers one request to CloudWatch Logs, as if it had come over HTTP with this `X-Amz-Target` (without the part up
    /// to the dot) and body. `after` of the answer is the caller's to wait for.
    #[must_use]
    pub fn call(&self, operation: &str, body: &[u8]) -> Answered {
        self.answer(operation, body).into()
    }

    pub(super) fn answer(&self, operation: &str, body: &[u8]) -> Answer {
        let now = self.now();
        let mut state = self.state();
        state.advance(now);
        state.count_answer();
        logs::answer(&mut state, operation, body, now)
    }

    /// The state; no code panics between two halves of a change, so a poisoned lock is still good.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an empty log group that was always there; one that exists keeps its events.
    pub fn create_group(&self, group: &str) {
        self.state().store.create_group(group);
    }

    /// Makes a log group at a time, past or future: its `creationTime`, and nothing that became visible before is in it.
    /// To be called in the order of time with [`Service::delete_group_at`]; without effect on a group that is there then.
    pub fn create_group_at(&self, group: &str, at: Timestamp) {
        self.state().store.create_group(group).lives.begin(at);
    }

    /// Deletes a log group at a time, past or future: from then on it is not found and not listed.
    pub fn delete_group_at(&self, group: &str, at: Timestamp) {
        self.state().store.create_group(group).lives.end(at);
    }

    /// Whether the group is there at this time.
    #[must_use]
    pub fn is_there(&self, group: &str, at: Timestamp) -> bool {
        self.state().store.group(group).is_some_and(|group| group.lives.born(at).is_some())
    }

    /// Sets the class of a group, making the group if need be.
    pub fn set_class(&self, group: &str, class: Class) {
        self.state().store.create_group(group).class = class;
    }

    /// Stores one event, making the group if need be. `FilterLogEvents` returns it once `now() >= visible_at`, with
    /// `visible_at` as its ingestion time. Returns its event id: 56 decimal digits, unique, growing with `time` and,
    /// at equal times, with the order of the calls.
    #[expect(clippy::must_use_candidate, reason = "the event is put in all the same")]
    pub fn put(&self, group: &str, stream: &str, time: Timestamp, visible_at: Timestamp, text: &str) -> String {
        self.state().store.put(group, stream, time, visible_at, text)
    }

    /// Has the service take in these events by itself, each when it becomes visible. They must come in the order of
    /// `visible_at`, as those of [`super::Script`] and [`super::Traffic`] do; none is put in before its time, and a group that was not
    /// made is made by its first event.
    pub fn feed(&self, events: impl Iterator<Item = Planned> + Send + 'static) {
        let events: Feed = Box::new(events);
        self.state().feeds.push(events.peekable());
    }

    /// Has the service drop events by itself that are stamped this much earlier than now, and some seconds more.
    pub fn keep(&self, span: Duration) {
        self.state().keep = Some(span);
    }

    /// Drops the events of all groups that are stamped earlier than `time`.
    pub fn forget_before(&self, time: Timestamp) {
        self.state().store.forget_before(time);
    }

    /// Events ever put into the group.
    #[must_use]
    pub fn events(&self, group: &str) -> u64 {
        let now = self.now();
        let mut state = self.state();
        state.advance(now);
        state.store.group(group).map_or(0, |group| group.put)
    }

    /// Queues a counted fault, or sets the standing one, for `FilterLogEvents` on this group (see [`Fault`]). They come
    /// before the troubles.
    pub fn fault(&self, group: &str, fault: Fault) {
        self.state().faults.entry(group.to_owned()).or_default().add(fault);
    }

    /// Adds a fault by the clock and by chance. Of those that strike a call the one added first is answered.
    pub fn trouble(&self, trouble: Trouble) {
        self.state().troubles.add(trouble);
    }

    /// Takes away all troubles and seeds the chance of those to come; the first seed is 0.
    pub fn set_seed(&self, seed: u64) {
        self.state().troubles.reset(seed);
    }

    /// Sets the calls per second of an operation, over all groups, with a burst of one second's worth; `None` for no
    /// limit, which is how it begins. What is beyond gets `ThrottlingException: Rate exceeded`.
    pub fn set_quota(&self, operation: Operation, per_second: Option<u32>) {
        let quotas = &mut self.state().quotas;
        match per_second {
            Some(per_second) => quotas.insert(operation, Bucket::new(per_second)),
            None => quotas.remove(&operation),
        };
    }

    /// `FilterLogEvents` calls on the group so far.
    #[must_use]
    pub fn counted(&self, group: &str) -> Counted {
        self.state().calls.on_group(group)
    }

    /// `DescribeLogGroups` calls so far.
    #[must_use]
    pub fn counted_describes(&self) -> Counted {
        self.state().calls.describes()
    }

    /// The calls from `from` up to, not including, `to`, of the newest 262,144, in the order they came.
    #[must_use]
    pub fn calls(&self, from: Timestamp, to: Timestamp) -> Vec<Call> {
        self.state().calls.between(from, to).cloned().collect()
    }

    /// Whether `startFromHead=false` is honoured (the default) or refused with `InvalidParameterException`.
    pub fn set_newest_first(&self, supported: bool) {
        self.state().oldest_first_only = !supported;
    }

    /// Makes an SNS topic; one whose name ends in `.fifo` is a FIFO topic.
    pub fn create_topic(&self, arn: &str) {
        self.state().topics.create(arn);
    }

    /// Everything published so far, oldest first.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.state().topics.published().to_vec()
    }
}

#[cfg(test)]
mod tests;
