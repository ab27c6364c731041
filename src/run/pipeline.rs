//! Facts in, what is said out: the engine and the plan behind one another, the same for live reading and for files.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Engine, Output, Settings};
use crate::model::alert::{Alert, Reason, State};
use crate::model::cause::Failure;
use crate::model::event::{Batch, Fact};
use crate::model::inventory::{Inventory, SourceId};
use crate::model::past::Past;
use crate::model::problem::Problem;
use crate::model::request::Request;
use crate::model::saved::RestoreError;
use crate::model::time::Timestamp;
use crate::notify::message::Message;
use crate::notify::plans::{Addressed, Moment, Planning, Plans};

/// What there is to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A request was answered.
    Request(Box<Request>),
    /// A failed request is explained.
    Failure(Failure),
    /// A message is due.
    Message {
        /// The name of the sink that it is for.
        to: Arc<str>,
        /// It.
        message: Arc<Message>,
    },
}

/// The saved state of engine and plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Of the engine.
    pub engine: Vec<u8>,
    /// Of the plans.
    pub plans: Vec<u8>,
}

/// Engine and plan.
#[derive(Debug)]
pub struct Pipeline {
    engine: Engine,
    plans: Plans,
    /// By API: its alerts as they stood when its rules looked last.
    looked: Vec<Vec<Alert>>,
    /// Episodes that fire, as far as that was logged.
    logged: BTreeSet<Arc<str>>,
}

impl Pipeline {
    /// A pipeline that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings, planning: &Planning) -> Self {
        let plans = Plans::new(planning, &settings.inventory);
        Self { engine: Engine::new(settings), plans, looked: Vec::new(), logged: BTreeSet::new() }
    }

    /// The state of both, as bytes: one cut, because whatever the engine found has been handed out.
    #[must_use]
    pub fn save(&self) -> Saved {
        Saved { engine: self.engine.save(), plans: self.plans.save() }
    }

    /// A pipeline that goes on where the saved one stood; the settings may have changed.
    ///
    /// # Errors
    /// When the state is damaged, of another version, or about more than is watched now.
    pub fn restore(settings: Settings, planning: &Planning, saved: &Saved) -> Result<Self, RestoreError> {
        let plans = Plans::restore(planning, &settings.inventory, &saved.plans)?;
        let engine = Engine::restore(settings, &saved.engine)?;
        let logged = engine.firing().cloned().collect();
        Ok(Self { engine, plans, looked: Vec::new(), logged })
    }

    /// A new life begins at `now`, on the clock of arrivals: that nobody read before it makes no log blind. Before
    /// anything is taken in.
    pub const fn wake(&mut self, now: Timestamp) {
        self.engine.wake(now);
    }

    /// Takes over a message that was decided for a sink after the state was saved, or without one; in order, and before
    /// anything else.
    pub fn adopt(&mut self, to: &Arc<str>, message: &Message, past: Past) {
        match message {
            Message::Alert(said) => {
                // A resolve may have been said long after it was due: then the engine knows of it, and the plan does not.
                // What nobody looks at any more the plan has to know of as well, to end it.
                let is_news = self.engine.adopt(&said.alert, past) || said.reason == Reason::Resolved;
                if is_news || !self.engine.looks_at(&said.alert.key) {
                    self.plans.adopt(to, message, past);
                }
            }
            Message::Digest(digest) => {
                // A digest names ten of its members at most, so an engine that looks again finds all of them. Not so those
                // about log groups: that these were not read is read nowhere.
                let is_found_again = |alert: &Alert| past == Past::Relived && alert.blindness.is_none();
                for member in digest.members.iter().filter(|member| !is_found_again(&member.alert)) {
                    self.engine.adopt(&member.alert, past);
                }
                self.plans.adopt(to, message, past);
            }
            Message::Notice(notice) => {
                self.engine.adopt_notice(notice);
                self.plans.adopt(to, message, past);
            }
            Message::Test(_) => {}
        }
    }

    /// Alerts that were said and that nobody looks at any more, because their rule or their API is no more, are
    /// resolved. For a pipeline that was restored under other settings, once it has adopted what was said.
    pub fn end_orphans(&mut self) -> Vec<Said> {
        let over = self.plans.end_unless(|key| self.engine.looks_at(key));
        over.into_iter().map(told).collect()
    }

    /// A life begins: a sink that was added hears of the alerts about logs that fire already. Of those about requests it
    /// hears when the rules look next.
    pub fn greet(&mut self, now: Timestamp) -> Vec<Said> {
        let firing = self.engine.unread(now);
        self.plans.greet(&firing, now).into_iter().map(told).collect()
    }

    /// More is watched from now on: APIs and sources were added behind those that are known.
    pub fn extend(&mut self, inventory: &Arc<Inventory>) {
        self.engine.extend(Arc::clone(inventory));
        self.plans.extend(inventory);
    }

    /// Takes a batch in.
    pub fn batch(&mut self, batch: Batch, now: Timestamp) -> Vec<Said> {
        for fact in batch.facts {
            if batch.caught_up {
                self.engine.catch_up(batch.source, fact, now);
            } else {
                self.engine.ingest(batch.source, fact, now);
            }
        }
        if let Some(at) = batch.sealed {
            self.engine.seal(batch.source, at);
        }
        self.engine.tick(now);
        self.drain()
    }

    /// Takes one fact in; what it leads to comes with the next call that hands out.
    pub fn fact(&mut self, source: SourceId, fact: Fact, now: Timestamp) {
        self.engine.ingest(source, fact, now);
    }

    /// All sources are read up to `at`.
    pub fn seal_all(&mut self, sources: usize, at: Timestamp) -> Vec<Said> {
        // Requests that waited for a line of another log are counted before the rules look.
        self.engine.tick(at);
        for source in 0..u16::try_from(sources).unwrap_or(u16::MAX) {
            self.engine.seal(SourceId(source), at);
        }
        self.engine.tick(at);
        self.drain()
    }

    /// A source cannot be read.
    pub fn blind(&mut self, source: SourceId, problem: Problem, said: &str, now: Timestamp) {
        self.engine.blind(source, problem, said, now);
    }

    /// Sources may be read this seldom, because many share one quota.
    pub fn expect_within(&mut self, cadence: Duration) {
        self.engine.expect_within(cadence);
    }

    /// A source is no longer read, and nobody waits for it.
    pub fn retire(&mut self, source: SourceId) {
        self.engine.retire(source);
    }

    /// Reading of a source stood still for events between `from` and `to`; catching up begins.
    pub fn absence(
        &mut self,
        source: SourceId,
        from: Timestamp,
        to: Timestamp,
        problem: Option<Problem>,
        now: Timestamp,
    ) {
        self.engine.absence(source, from, to, problem, now);
    }

    /// A source is caught up; what lies before `unread_before` was too much to read.
    pub fn caught_up(&mut self, source: SourceId, unread_before: Option<Timestamp>, now: Timestamp) {
        self.engine.caught_up(source, unread_before, now);
    }

    /// Time passes.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Said> {
        self.engine.tick(now);
        let mut said = self.drain();
        said.extend(self.plans.tick(now).into_iter().map(told));
        said
    }

    /// When the next tick is wanted.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.engine.next_deadline().into_iter().chain(self.plans.next_deadline()).min()
    }

    /// The end of live reading: failures that wait are said as they stand. Messages are not: what is not due yet is
    /// found again by whoever reads next.
    pub fn close(&mut self) -> Vec<Said> {
        self.engine.finish();
        self.drain()
    }

    /// The end of the input: everything that waits is said as it stands.
    pub fn finish(&mut self) -> Vec<Said> {
        self.engine.finish();
        let mut said = self.drain();
        said.extend(self.plans.finish().into_iter().map(told));
        said
    }

    /// The engine, to look at.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The alerts that fire, as they stand; those about requests as the rules saw them last.
    #[must_use]
    pub fn firing(&self, now: Timestamp) -> Vec<Alert> {
        let looked = self.looked.iter().flatten().filter(|alert| alert.state == State::Firing);
        looked.cloned().chain(self.engine.unread(now)).collect()
    }

    /// A life of the same process goes on: its rules saw this last.
    pub fn recall(&mut self, looked: Vec<Vec<Alert>>) {
        self.looked = looked;
    }

    /// What the rules saw last, by API.
    #[must_use]
    pub fn into_looked(self) -> Vec<Vec<Alert>> {
        self.looked
    }

    /// Logs which alerts begin to fire and which are over, whoever is told of them.
    fn log(&mut self, alerts: &[Alert]) {
        for alert in alerts {
            let (what, is_news) = match alert.state {
                State::Firing if self.logged.contains(&alert.episode) => continue,
                State::Firing => ("fires", self.logged.insert(Arc::clone(&alert.episode))),
                State::Resolved => ("is over", self.logged.remove(&alert.episode)),
            };
            if is_news {
                let api = &self.engine.inventory().api(alert.key.api).name;
                let Alert { key, severity, errors, requests, episode, .. } = alert;
                tracing::info!(
                    rule = &*key.rule, api = &**api, subject = %key.subject, %severity, errors, requests,
                    episode = &**episode, "alert {what}"
                );
            }
        }
    }

    fn drain(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        for output in self.engine.drain() {
            let messages = match output {
                Output::Request(request) => {
                    said.push(Said::Request(request));
                    continue;
                }
                Output::Failure(failure) => {
                    said.push(Said::Failure(failure));
                    continue;
                }
                Output::Looked { api, at, alerts } => {
                    self.log(&alerts);
                    let messages = self.plans.step(Moment::Looked { api, alerts: &alerts }, at);
                    let apis = self.looked.len().max(api.index() + 1);
                    self.looked.resize(apis, Vec::new());
                    self.looked[api.index()] = alerts;
                    messages
                }
                Output::Sighted { at, alerts } => {
                    self.log(&alerts);
                    self.plans.step(Moment::Sighted(&alerts), at)
                }
                Output::Notice(notice) => self.plans.step(Moment::Noticed(&notice), notice.time),
            };
            said.extend(messages.into_iter().map(told));
        }
        said
    }
}

fn told((to, message): Addressed) -> Said {
    Said::Message { to, message: Arc::new(message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::{Api, ApiId, Inventory, Source, SourceKind};
    use crate::model::request::Endpoint;
    use crate::notify::plan;
    use crate::run::follow::{Show, print};
    use crate::view::Paint;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_338_000_000 + seconds * 1000)
    }

    fn request(seconds: i64, status: u16) -> Fact {
        Fact::Request(Request {
            api: ApiId(0),
            endpoint: Endpoint::new("POST", "/checkout").into(),
            status,
            start: at(seconds),
            request_id: Some(format!("r-{seconds}").into()),
            lambda_request_id: None,
            response_latency_ms: None,
            integration_latency_ms: None,
            gateway: None,
        })
    }

    fn inventory() -> Arc<Inventory> {
        let mut inventory = Inventory { apis: vec![Api::plain("shop")], sources: Vec::new() };
        for (name, kind) in [("/access", SourceKind::Access(ApiId(0))), ("/aws/lambda/pay", SourceKind::Lambda)] {
            inventory.add_source_of(ApiId(0), Source::group(name, None, kind));
        }
        Arc::new(inventory)
    }

    fn batch(source: u16, sealed: i64) -> Batch {
        Batch { source: SourceId(source), facts: Vec::new(), sealed: Some(at(sealed)), caught_up: false }
    }

    fn messages(said: &[Said]) -> Vec<Arc<Message>> {
        let message = |s: &Said| if let Said::Message { message, .. } = s { Some(Arc::clone(message)) } else { None };
        said.iter().filter_map(message).collect()
    }

    /// Two APIs and the log of a function, which these name.
    fn with_function(named_by: &[u16]) -> Arc<Inventory> {
        let mut inventory = Inventory { apis: vec![Api::plain("first"), Api::plain("shop")], sources: Vec::new() };
        for api in [ApiId(0), ApiId(1)] {
            inventory.add_source_of(api, Source::group(&format!("/access/{}", api.0), None, SourceKind::Access(api)));
        }
        let function = inventory.add_source(Source::group("/aws/lambda/pay", None, SourceKind::Lambda));
        inventory.sources[function.index()].apis = named_by.iter().copied().map(ApiId).collect();
        Arc::new(inventory)
    }

    /// A pipeline in which the function's log has become blind, and what was said of that.
    fn blinded(inventory: Arc<Inventory>) -> (Pipeline, Vec<Arc<Message>>) {
        let mut pipeline = Pipeline::new(Settings::new(inventory), &plan::Settings::default().into());
        pipeline.tick(at(0));
        pipeline.blind(SourceId(2), Problem::Denied, "not authorized", at(0));
        for source in [0, 1] {
            pipeline.batch(batch(source, 60), at(60));
        }
        pipeline.tick(at(120));
        // The plan waits for others that fire at the same time.
        let said = messages(&pipeline.tick(at(130)));
        assert_eq!(said.iter().map(|m| m.alert().unwrap().reason).collect::<Vec<_>>(), [Reason::New]);
        (pipeline, said)
    }

    /// The same process goes on under another configuration, with what was said since its state was saved.
    fn reloaded(
        saved: &Saved,
        said_since: &[Arc<Message>],
        inventory: &Arc<Inventory>,
    ) -> (Pipeline, Vec<Arc<Message>>) {
        let settings = Settings::new(Arc::clone(inventory));
        let mut pipeline = Pipeline::restore(settings, &plan::Settings::default().into(), saved).unwrap();
        if !inventory.sources[2].is_named() {
            pipeline.retire(SourceId(2));
        }
        for message in said_since {
            pipeline.adopt(&"-".into(), message, Past::Relived);
        }
        let mut said = pipeline.end_orphans();
        said.extend(pipeline.greet(at(140)));
        said.extend(pipeline.tick(at(140)));
        (pipeline, messages(&said))
    }

    fn ends(said: &[Arc<Message>], of: &Message) {
        let is_end = |m: &Arc<Message>| {
            let (message, first) = (m.alert().unwrap(), of.alert().unwrap());
            assert_eq!((&message.alert.key, &message.alert.episode), (&first.alert.key, &first.alert.episode));
            assert_eq!(message.api, first.api);
            message.alert.state
        };
        assert_eq!(said.iter().map(is_end).collect::<Vec<_>>(), [State::Resolved]);
    }

    #[test]
    fn an_alert_about_a_log_that_nobody_names_any_more_ends_under_its_api() {
        let (before, fired) = blinded(with_function(&[1]));
        assert_eq!(&*fired[0].alert().unwrap().api, "shop");
        let (mut after, said) = reloaded(&before.save(), &[], &with_function(&[]));
        ends(&said, &fired[0]);
        assert_eq!(after.firing(at(141)), []);
        assert_eq!(after.tick(at(140 + 24 * 3600)), [], "it is not repeated");
    }

    #[test]
    fn it_ends_as_well_where_the_state_is_older_than_what_was_said() {
        let before = Pipeline::new(Settings::new(with_function(&[1])), &plan::Settings::default().into()).save();
        let (_, fired) = blinded(with_function(&[1]));
        let (after, said) = reloaded(&before, &fired, &with_function(&[]));
        ends(&said, &fired[0]);
        assert_eq!(after.firing(at(141)), []);
    }

    #[test]
    fn an_alert_about_a_log_that_two_apis_share_goes_on_whichever_is_first() {
        for restarts in [false, true] {
            let (before, fired) = blinded(with_function(&[0, 1]));
            let old = Pipeline::new(Settings::new(with_function(&[0, 1])), &plan::Settings::default().into());
            // Of a process that was killed the state is older than what was said.
            let (saved, since) = if restarts { (old.save(), &fired[..]) } else { (before.save(), &[][..]) };
            let (mut after, said) = reloaded(&saved, since, &with_function(&[1, 0]));
            assert_eq!(said, [], "it was told already");
            assert_eq!(after.firing(at(141)).len(), 1);
            let mut said = after.batch(batch(2, 150), at(150));
            said.extend(after.tick(at(151)));
            ends(&messages(&said), &fired[0]);
            assert_eq!(after.firing(at(152)), []);
        }
    }

    /// The network is down for ten minutes: each log is said once to be blind and once to be read again, and what was
    /// missed is one notice. Then everything is as it was.
    #[test]
    fn ten_minutes_without_network() {
        let inventory = inventory();
        let mut pipeline = Pipeline::new(Settings::new(Arc::clone(&inventory)), &plan::Settings::default().into());
        let mut said = pipeline.tick(at(0));
        for second in (0..=60).step_by(5) {
            for source in [0, 1] {
                said.extend(pipeline.batch(batch(source, second), at(second)));
            }
        }
        for second in (65..660).step_by(5) {
            for source in [0, 1] {
                pipeline.blind(SourceId(source), Problem::Unreachable, "connection refused", at(second));
            }
            said.extend(pipeline.tick(at(second)));
        }
        let down = messages(&said);
        assert_eq!(down.len(), 2);
        assert!(down.iter().all(|m| m.alert().is_some_and(|m| m.alert.time == at(185) && m.seq == 1)));
        said.clear();
        for source in [0, 1] {
            said.extend(pipeline.batch(batch(source, 660), at(660)));
            pipeline.absence(SourceId(source), at(60), at(660), Some(Problem::Unreachable), at(660));
        }
        let facts = (60..360).map(|second| request(second, if second % 4 == 0 { 502 } else { 200 })).collect();
        said.extend(pipeline.batch(Batch { source: SourceId(0), facts, sealed: None, caught_up: true }, at(662)));
        for source in [0, 1] {
            pipeline.caught_up(SourceId(source), None, at(663));
        }
        for second in (665..1200).step_by(5) {
            for source in [0, 1] {
                said.extend(pipeline.batch(batch(source, second), at(second)));
            }
        }
        let up = messages(&said);
        let states: Vec<_> = up.iter().map(|m| m.alert().map(|m| m.alert.state)).collect();
        assert_eq!(states, [Some(State::Resolved), Some(State::Resolved), None]);
        let mut shown = Vec::new();
        for message in down.iter().chain(&up).step_by(2) {
            print(
                &mut shown,
                &Said::Message { to: "-".into(), message: Arc::clone(message) },
                &inventory,
                Show::Text(Paint(false)),
            )
            .unwrap();
        }
        let shown = String::from_utf8(shown).unwrap();
        let first: Vec<_> = shown.lines().filter(|l| l.starts_with(char::is_uppercase)).collect();
        let want = [
            "HIGH /access not read for 2m: unreachable (shop)",
            "RESOLVED /access read again after 9m55s: unreachable (shop)",
            "NOTICE reading stood still for 10m (09:01 to 09:11 UTC, unreachable): 300 requests caught up, 75 failed",
        ];
        assert_eq!(first, want);
        assert!(pipeline.next_deadline().is_some_and(|due| due > at(1195 + 60)));
        assert!(matches!(&*up[2], Message::Notice(n) if n.time == at(675)), "ten seconds after the last was caught up");
    }
}
