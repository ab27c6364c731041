//! Sight: how far each log group is read, and the alert `source-blind` about one that is not.
//!
//! By arrival time, because a log that is not read has no event time. A log is *blind* from the first read that failed
//! until one succeeds, and also without a word once it is not read up to `blind_after` before now. Not the rules over
//! what it counts; they ask here how far they may look. Rule: an alert fires once, and resolves exactly once when its
//! log is read again.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SKEW_MAX;
use super::alerts::episode;
use super::rules::SourceBlind;
use super::settings::Settings;
use crate::model::alert::{Alert, AlertKey, Blindness, Loss, Measure, Severity, State, Subject};
use crate::model::inventory::{ApiId, Inventory, Source, SourceId, SourceKind};
use crate::model::problem::Problem;
use crate::model::report::{Reading, Trouble};
use crate::model::text::cut;
use crate::model::time::Timestamp;

/// Bytes of the service's words that are kept: its refusals name an identity and an ARN or two.
const SAID_MAX: usize = 1000;
/// A tick that comes this much later than it was wanted means that nobody was there to read: the machine slept. Logs
/// then get the rule's time anew before it fires.
const ASLEEP: Duration = Duration::from_secs(30);

/// How far a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Not yet; its API waits for it.
    Nowhere,
    /// Not yet; it was added while its API was watched, which does not wait for it.
    Added,
    /// Up to this event time.
    To(Timestamp),
    /// It is not read; its API does not wait for it.
    Blind,
    /// It is no longer there to be read.
    Retired,
}

/// What a seal says about the time before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seal {
    /// It was read as well, or it is the first.
    On,
    /// Nobody read in between.
    Gap,
    /// It lies before the last seal: the clock was set back.
    SetBack,
}

/// An alert that was handed out as firing. It ends under the key that it has, whoever names its log by then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Firing {
    key: AlertKey,
    since: Timestamp,
    severity: Severity,
    episode: Arc<str>,
    blindness: Blindness,
}

/// What is known of one source; plain, so that it can be kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// It is read up to this event time.
    sealed: Option<Timestamp>,
    /// Arrival time since which it is blind.
    since: Option<Timestamp>,
    /// What the last read said, if it failed.
    trouble: Option<(Problem, Arc<str>)>,
    firing: Option<Firing>,
    /// It is not to be read any more.
    retired: bool,
    /// It was added while its API was watched, by another log.
    added: bool,
    /// Arrival time of the first tick that knew of it: since then it is waited for.
    awaited: Option<Timestamp>,
}

/// What is known of all sources.
#[derive(Debug)]
pub(super) struct Sight {
    /// By source: the next alert about it. `None` where a source before it is the same log group, read for the same API in
    /// another way: one alert about it is enough.
    keys: Vec<Option<AlertKey>>,
    /// By source.
    seen: Vec<Seen>,
    /// Arrival time since which somebody has been there to read.
    awake: Option<Timestamp>,
}

impl Sight {
    /// Nothing is known of any source.
    pub(super) fn new(inventory: &Inventory) -> Self {
        let keys = keys(inventory);
        Self { seen: vec![Seen::default(); keys.len()], keys, awake: None }
    }

    /// How far a source is read, and why not further.
    pub(super) fn reading(&self, source: SourceId) -> Reading {
        let seen = &self.seen[source.index()];
        let trouble = seen.since.filter(|_| !seen.retired).map(|since| {
            let (problem, said) = seen.why();
            Trouble { problem, said, since }
        });
        Reading { read_to: seen.sealed, trouble }
    }

    /// The alerts that fire, as of `now`.
    pub(super) fn firing(&self, now: Timestamp) -> Vec<Alert> {
        self.seen.iter().filter_map(|seen| Some(seen.firing.clone()?.alert(State::Firing, now))).collect()
    }

    /// The episodes of the alerts that fire.
    pub(super) fn episodes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.seen.iter().filter_map(|seen| Some(&seen.firing.as_ref()?.episode))
    }

    /// What is saved: all that is known, and since when somebody has been there to read.
    pub(super) fn state(&self) -> (&[Seen], Option<Timestamp>) {
        (&self.seen, self.awake)
    }

    /// Goes on from what was saved; sources may have been added.
    pub(super) fn resume(inventory: &Inventory, (seen, awake): (Vec<Seen>, Option<Timestamp>)) -> Self {
        let mut sight = Self { seen, awake, ..Self::new(inventory) };
        sight.grow(inventory);
        sight
    }

    /// Sources were added. An access log that is added to an API whose rules have another to go by does not stop them.
    pub(super) fn grow(&mut self, inventory: &Inventory) {
        self.keys = keys(inventory);
        let known = self.seen.len();
        let counts = |number: u16| counted_by(inventory, SourceId(number));
        for (_, number) in inventory.sources.iter().zip(0_u16..).skip(known) {
            let api = counts(number);
            let added = api.is_some() && (0_u16..).take(known).any(|other| counts(other) == api);
            self.seen.push(Seen { added, ..Seen::default() });
        }
    }

    /// How many sources it knows.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// An alert that nobody looks at any more does not fire.
    pub(super) fn retain(&mut self, goes_on: impl Fn(&AlertKey) -> bool) {
        for seen in &mut self.seen {
            seen.firing.take_if(|firing| !goes_on(&firing.key));
        }
    }

    /// Whether an alert of this key fires, or may.
    pub(super) fn knows(&self, key: &AlertKey) -> bool {
        self.keys.iter().flatten().any(|its| its == key) || self.seen.iter().any(|seen| seen.fires_as(key))
    }

    /// The source that an alert is about: the one that fires under its key or would, else one of that name, which its
    /// API may not name any more.
    fn place(&self, inventory: &Inventory, key: &AlertKey) -> Option<usize> {
        let name = key.source()?;
        let is_free = |at: &usize| self.seen[*at].firing.is_none() || self.seen[*at].fires_as(key);
        let all = inventory.sources.iter().zip(0_usize..).filter(|(source, _)| source.name == *name);
        let fits = |at: usize, source: &Source| {
            let is_its = self.keys[at].as_ref() == Some(key);
            Reverse((self.seen[at].fires_as(key), is_its, source.apis.contains(&key.api)))
        };
        all.filter(|(_, at)| is_free(at)).min_by_key(|(source, at)| fits(*at, source)).map(|(_, at)| at)
    }

    /// Takes over an alert that was said in an earlier life. False if it is about none of the sources.
    pub(super) fn adopt(&mut self, inventory: &Inventory, alert: &Alert) -> bool {
        let Some(at) = self.place(inventory, &alert.key) else { return false };
        let seen = &mut self.seen[at];
        seen.firing = match (&alert.blindness, alert.state) {
            (Some(blindness), State::Firing) => Some(Firing {
                key: alert.key.clone(),
                since: alert.since,
                severity: alert.severity,
                episode: Arc::clone(&alert.episode),
                blindness: blindness.clone(),
            }),
            (None, _) | (_, State::Resolved) => None,
        };
        // Until it is read it is blind, and when it is read it resolves; at once where it is not to be read any more.
        seen.since = seen.firing.as_ref().filter(|_| !seen.retired).map(|firing| firing.since);
        true
    }

    /// How far a source is read.
    pub(super) fn reach(&self, source: SourceId) -> Reach {
        let seen = &self.seen[source.index()];
        match (seen.since, seen.sealed) {
            _ if seen.retired => Reach::Retired,
            (Some(_), _) => Reach::Blind,
            (None, Some(at)) => Reach::To(at),
            (None, None) if seen.added => Reach::Added,
            (None, None) => Reach::Nowhere,
        }
    }

    /// A source is read up to event time `at`.
    pub(super) fn seal(&mut self, source: SourceId, at: Timestamp, blind_after: Duration) -> Seal {
        let seen = &mut self.seen[source.index()];
        let before = seen.sealed.unwrap_or(at);
        seen.retired = false;
        let was_blind = seen.since.take().is_some();
        seen.trouble = None;
        if at.plus(SKEW_MAX) < before {
            seen.sealed = Some(at);
            return Seal::SetBack;
        }
        seen.sealed = Some(before.max(at));
        // After a sleep the first seal may come before any tick has found it late.
        if was_blind || at.since(before) >= blind_after { Seal::Gap } else { Seal::On }
    }

    /// The source is no longer read and nobody waits for it: its log group is gone, or nobody names it any more. An alert
    /// about it resolves.
    pub(super) fn retire(&mut self, source: SourceId) {
        let firing = self.seen[source.index()].firing.take();
        self.seen[source.index()] = Seen { retired: true, firing, ..Seen::default() };
    }

    /// Somebody is there to read from now on, who was not before: nothing was late because of that.
    pub(super) const fn wake(&mut self, now: Timestamp) {
        self.awake = Some(now);
    }

    /// A read of the source failed.
    pub(super) fn blind(&mut self, source: SourceId, problem: Problem, said: &str, now: Timestamp) {
        let seen = &mut self.seen[source.index()];
        seen.awaited.get_or_insert(now);
        seen.since.get_or_insert(now);
        seen.trouble = Some((problem, cut(said, SAID_MAX).into()));
    }

    /// Lets arrival time pass. Returns the alerts that fire or resolve by it.
    pub(super) fn tick(&mut self, settings: &Settings, now: Timestamp) -> Vec<Alert> {
        // At the start as well: what is known may be of another life.
        if self.awake.is_none() || self.next_deadline(settings).is_some_and(|due| now.since(due) >= ASLEEP) {
            self.awake = Some(now);
        }
        for seen in self.seen.iter_mut().filter(|seen| !seen.retired) {
            let read_to = seen.sealed.unwrap_or(*seen.awaited.get_or_insert(now));
            if now.since(read_to) >= settings.blind_after {
                seen.since.get_or_insert(read_to);
            }
            // The clock was set back: nothing has lasted since a time to come.
            seen.since = seen.since.map(|since| since.min(now));
        }
        self.awake = self.awake.map(|awake| awake.min(now));
        (0_u16..).map(SourceId).take(self.seen.len()).filter_map(|source| self.step(source, settings, now)).collect()
    }

    /// When the next tick is wanted: a source becomes late, or an alert is due.
    pub(super) fn next_deadline(&self, settings: &Settings) -> Option<Timestamp> {
        let rule = |key: &Option<AlertKey>| key.as_ref().and_then(|key| settings.source_blind_of(key.api));
        let due = |(seen, key): (&Seen, &Option<AlertKey>)| match (seen.since, rule(key)) {
            _ if seen.retired => None,
            (None, _) => Some(seen.sealed.or(seen.awaited)?.plus(settings.blind_after)).filter(|t| *t < Timestamp::MAX),
            (Some(since), Some(rule)) if seen.firing.is_none() => Some(self.waits_since(since).plus(rule.hold)),
            (Some(_), _) => None,
        };
        self.seen.iter().zip(&self.keys).filter_map(due).min()
    }

    /// Since when the rule's time runs.
    fn waits_since(&self, since: Timestamp) -> Timestamp {
        self.awake.map_or(since, |awake| awake.max(since))
    }

    fn step(&mut self, source: SourceId, settings: &Settings, now: Timestamp) -> Option<Alert> {
        let seen = &self.seen[source.index()];
        if seen.since.is_some() == seen.firing.is_some() {
            return None;
        }
        let Some(since) = seen.since else {
            let firing = self.seen[source.index()].firing.take()?;
            return Some(firing.alert(State::Resolved, now));
        };
        let key = self.keys[source.index()].clone()?;
        let rule = settings.source_blind_of(key.api)?;
        if now.since(self.waits_since(since)) < rule.hold {
            return None;
        }
        let firing = self.fire(source, key, settings, rule, since);
        self.seen[source.index()].firing = Some(firing.clone());
        Some(firing.alert(State::Firing, now))
    }

    fn fire(
        &self,
        source: SourceId,
        key: AlertKey,
        settings: &Settings,
        rule: SourceBlind,
        since: Timestamp,
    ) -> Firing {
        let seen = &self.seen[source.index()];
        let inventory = &settings.inventory;
        let (problem, said) = seen.why();
        let loss = self.loss(source, inventory);
        let rules = if loss == Loss::Causes {
            Vec::new()
        } else {
            settings.rules_of(key.api).iter().map(|r| Arc::clone(&r.name)).collect()
        };
        let apis = match inventory.source(source).apis.as_slice() {
            [] => &[key.api],
            apis => apis,
        };
        let apis = apis.iter().map(|api| Arc::clone(&inventory.api(*api).name)).collect();
        let blindness = Blindness { problem, said, read_to: seen.sealed, loss, rules, apis };
        Firing { since, severity: rule.severity, episode: episode(&key, since), blindness, key }
    }

    fn loss(&self, source: SourceId, inventory: &Inventory) -> Loss {
        let Some(api) = counted_by(inventory, source) else { return Loss::Causes };
        let mut all = (0_u16..).map(SourceId).take(self.seen.len());
        let is_read = |other: SourceId| counted_by(inventory, other) == Some(api) && self.reach(other) != Reach::Blind;
        if all.any(is_read) { Loss::Part } else { Loss::Everything }
    }
}

impl Seen {
    /// Whether it can have been saved where there were so many APIs.
    pub(super) fn fits(&self, apis: usize) -> bool {
        self.firing.as_ref().is_none_or(|firing| firing.key.api.index() < apis)
    }

    fn fires_as(&self, key: &AlertKey) -> bool {
        self.firing.as_ref().is_some_and(|firing| firing.key == *key)
    }

    /// Why it is blind.
    fn why(&self) -> (Problem, Arc<str>) {
        let silent = || {
            let said = if self.sealed.is_some() { "no read was finished since" } else { "no read was finished yet" };
            (Problem::Late, Arc::from(said))
        };
        self.trouble.clone().unwrap_or_else(silent)
    }
}

impl Firing {
    fn alert(self, state: State, now: Timestamp) -> Alert {
        Alert {
            key: self.key,
            state,
            severity: self.severity,
            worst: self.severity,
            measure: Measure::Unread,
            value: 0.0,
            threshold: 0.0,
            errors: 0,
            requests: 0,
            window: Duration::ZERO,
            time: now,
            since: self.since,
            episode: self.episode,
            holds: state == State::Firing,
            flapping: false,
            causes: Vec::new(),
            endpoints: Vec::new(),
            before: None,
            blindness: Some(self.blindness),
        }
    }
}

/// By source: the key of an alert about it.
fn keys(inventory: &Inventory) -> Vec<Option<AlertKey>> {
    let mut subjects = BTreeSet::new();
    let key = |source: &Source| {
        let api = source.apis.first().copied().unwrap_or(ApiId(0));
        let subject = Subject::Source(Arc::clone(&source.name));
        let first = subjects.insert((api, Arc::clone(&source.name)));
        first.then(|| AlertKey { rule: SourceBlind::NAME.into(), api, subject })
    };
    inventory.sources.iter().map(key).collect()
}

/// The API whose requests are counted by this source: its access log, or its execution log where there is none. A log
/// that no API names any more counts nothing.
pub(super) fn counted_by(inventory: &Inventory, source: SourceId) -> Option<ApiId> {
    let source = inventory.source(source);
    match source.kind {
        SourceKind::Access(api) => source.is_named().then_some(api),
        SourceKind::Execution(api) => (source.is_named() && !inventory.has_access(api)).then_some(api),
        SourceKind::Lambda => None,
    }
}
