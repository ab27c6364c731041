//! A digest that is open: many alerts that are told as one.
//!
//! Not which alerts these are: each track knows its digest. Rule: like an alert it is said as firing, perhaps again, and
//! as resolved exactly once if it was said at all; it counts all its members and names the worst ten.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::Settings;
use super::track::{others, repeat_at, same};
use crate::model::alert::{Alert, AlertKey, CauseCount, Reason, Severity, State};
use crate::model::inventory::{ApiId, Inventory};
use crate::model::past::Past;
use crate::model::time::Timestamp;
use crate::notify::message::{AlertMessage, Digest};

/// Members that a digest names.
const NAMED_MAX: usize = 10;

/// Whose clock an alert goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Lane {
    /// The event time of an API.
    Api(ApiId),
    /// Arrival time, by which log groups are told.
    Logs,
}

impl Lane {
    /// The clock of an alert.
    pub(super) const fn of(alert: &Alert) -> Self {
        if alert.blindness.is_some() { Self::Logs } else { Self::Api(alert.key.api) }
    }
}

/// What the members of a digest have in common; also, what makes alerts one group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Scope {
    /// The rule's name, if it is one.
    pub rule: Option<Arc<str>>,
    /// The API's name, if it is one.
    pub api: Option<Arc<str>>,
}

impl Scope {
    /// Of one alert.
    pub(super) fn of(alert: &Alert, inventory: &Inventory) -> Self {
        let api = Arc::clone(&inventory.api(alert.key.api).name);
        Self { rule: Some(Arc::clone(&alert.key.rule)), api: Some(api) }
    }

    /// Takes in what another has in common.
    fn widen(&mut self, other: &Self) {
        self.rule = self.rule.take().filter(|rule| other.rule.as_ref() == Some(rule));
        self.api = self.api.take().filter(|api| other.api.as_ref() == Some(api));
    }

    /// Whether an alert on this lane and of this scope belongs here by its rule and API. One log group may blind
    /// several APIs, so these are one group, whatever their API.
    pub(super) fn takes(&self, other: &Self, lane: Lane) -> bool {
        self.rule.is_some() && self.rule == other.rule && (lane == Lane::Logs || self.api == other.api)
    }

    /// Whether an alert of this scope may have been meant by it.
    pub(super) fn spans(&self, other: &Self) -> bool {
        let meets = |a: &Option<Arc<str>>, b: &Option<Arc<str>>| a.is_none() || a == b;
        meets(&self.rule, &other.rule) && meets(&self.api, &other.api)
    }
}

/// Those members that go by one clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    firing: usize,
    severity: Severity,
    /// One of them may be spoken of: it is neither silenced nor muted.
    audible: bool,
}

/// How it was told last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    severity: Severity,
    firing: usize,
    resolved: usize,
    causes: Vec<CauseCount>,
    /// How many of the last messages only repeated.
    repeats: u32,
}

/// Members as they stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Members<'a> {
    /// The lane that was looked at: they are all that fire there. `None`: they are only those that have just joined.
    pub whole: Option<Lane>,
    /// They.
    pub alerts: Vec<&'a Alert>,
}

/// A digest that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    pub scope: Scope,
    /// It was opened for log groups, and goes by their clock.
    of_logs: bool,
    since: Timestamp,
    seq: u32,
    told: Option<Told>,
    parts: BTreeMap<Lane, Part>,
    resolved: usize,
    peak: Severity,
    /// The newest look at a member that nobody looks at any more.
    ended: Timestamp,
    /// Those that were named last.
    named: Vec<AlertMessage>,
    /// APIs whose members an earlier life knew and this one has not found again yet.
    awaits: BTreeSet<ApiId>,
    /// Members that an earlier life told of without their names, and that were not found again: log groups, or all of
    /// them where that life's past is gone.
    unnamed: usize,
}

/// Names a digest by its first member and when it was opened.
pub(super) fn episode(first: &Alert, at: Timestamp) -> Arc<str> {
    let hex = format!("{:016x}", xxh3_64(format!("digest\n{}\n{}", first.episode, at.as_millis()).as_bytes()));
    hex[..12].into()
}

impl Open {
    /// Has this first member's scope, and no members yet.
    pub(super) fn new(first: &Alert, inventory: &Inventory) -> Self {
        Self {
            scope: Scope::of(first, inventory),
            of_logs: Lane::of(first) == Lane::Logs,
            since: first.since,
            seq: 0,
            told: None,
            parts: BTreeMap::new(),
            resolved: 0,
            peak: first.severity,
            ended: Timestamp::MIN,
            named: Vec::new(),
            awaits: BTreeSet::new(),
            unnamed: 0,
        }
    }

    /// Whether it is about members on this lane.
    pub(super) fn is_on(&self, lane: Lane) -> bool {
        let awaited = matches!(lane, Lane::Api(api) if self.awaits.contains(&api));
        awaited || self.parts.contains_key(&lane)
    }

    /// Whether it is of several groups, because there were too many messages at once on such a lane.
    pub(super) fn is_mixed(&self, lane: Lane) -> bool {
        let logs = lane == Lane::Logs;
        self.of_logs == logs && (self.scope.rule.is_none() || !logs && self.scope.api.is_none())
    }

    /// Whatever an earlier life knew of this API has been found again by now.
    pub(super) fn found(&mut self, lane: Lane) {
        if let Lane::Api(api) = lane {
            self.awaits.remove(&api);
        }
    }

    /// Its members on this lane, counted anew.
    pub(super) fn recount(&mut self, lane: Lane, members: &[(&Alert, bool)]) {
        self.parts.remove(&lane);
        for (alert, audible) in members {
            self.add(lane, alert, *audible);
        }
    }

    /// A member joins.
    pub(super) fn join(&mut self, lane: Lane, alert: &Alert, inventory: &Inventory) {
        self.scope.widen(&Scope::of(alert, inventory));
        self.unnamed = self.unnamed.saturating_sub(1);
        self.add(lane, alert, true);
    }

    fn add(&mut self, lane: Lane, alert: &Alert, audible: bool) {
        let part = self.parts.entry(lane).or_insert(Part { firing: 0, severity: alert.severity, audible });
        part.firing += 1;
        part.severity = part.severity.max(alert.severity);
        part.audible |= audible;
        self.since = self.since.min(alert.since);
        self.peak = self.peak.max(alert.severity);
    }

    /// A member has resolved; `alert` is how, where that is known.
    pub(super) fn leave(&mut self, alert: &Alert) {
        // What an earlier life has told is counted.
        if self.awaits.contains(&alert.key.api) {
            return;
        }
        self.resolved += 1;
        self.mark_resolved(alert);
    }

    fn mark_resolved(&mut self, alert: &Alert) {
        for named in self.named.iter_mut().filter(|m| m.alert.episode == alert.episode) {
            let causes = std::mem::take(&mut named.alert.causes);
            named.reason = Reason::Resolved;
            named.alert =
                Alert { state: State::Resolved, holds: false, causes, endpoints: Vec::new(), ..alert.clone() };
        }
    }

    /// A member is over because nobody looks at it any more.
    pub(super) fn orphan(&mut self, lane: Lane, key: &AlertKey, seen: Timestamp) {
        self.resolved += 1;
        self.ended = self.ended.max(seen);
        if let Some(part) = self.parts.get_mut(&lane) {
            part.firing = part.firing.saturating_sub(1);
        }
        for named in self.named.iter_mut().filter(|m| m.alert.key == *key) {
            (named.reason, named.alert.state, named.alert.holds) = (Reason::Resolved, State::Resolved, false);
        }
    }

    /// Says that it is over, as of the newest look at a member.
    pub(super) fn tell_end(&mut self, episode: &Arc<str>, inventory: &Inventory) -> Digest {
        let at = self.told.as_ref().map_or(self.ended, |told| told.at.max(self.ended));
        self.tell(episode, Reason::Resolved, at, &Members::default(), inventory)
    }

    /// Whether it was said.
    pub(super) const fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Whether an earlier life has told of members of this API that are not found again yet.
    pub(super) fn awaits(&self, api: ApiId) -> bool {
        self.awaits.contains(&api)
    }

    /// Whether all its members are resolved.
    pub(super) fn is_over(&self) -> bool {
        self.parts_firing() == 0 && self.awaits.is_empty()
    }

    /// How bad the worst of those is that fire.
    pub(super) fn severity(&self) -> Severity {
        self.parts.values().filter(|part| part.firing > 0).map(|part| part.severity).max().unwrap_or(self.peak)
    }

    fn parts_firing(&self) -> usize {
        self.parts.values().map(|part| part.firing).sum()
    }

    fn is_audible(&self) -> bool {
        self.parts.values().any(|part| part.firing > 0 && part.audible)
    }

    fn firing(&self) -> usize {
        self.parts_firing() + self.unnamed
    }

    /// The ladder of reasons; the first that holds.
    pub(super) fn needs_saying(&self, members: &Members<'_>, at: Timestamp, settings: &Settings) -> Option<Reason> {
        if !self.is_audible() || !self.awaits.is_empty() {
            return None;
        }
        let Some(told) = &self.told else { return Some(Reason::New) };
        if self.severity() > told.severity {
            return Some(Reason::Escalated);
        }
        if at.since(told.at) >= settings.group_interval {
            if self.severity() < told.severity {
                return Some(Reason::Deescalated);
            }
            if self.has_changed() || others(&told.causes, &merged(&self.worst(members))) {
                return Some(Reason::CausesChanged);
            }
        }
        repeat_at(told.at, told.repeats, settings).is_some_and(|due| due <= at).then_some(Reason::Repeat)
    }

    /// Whether members have come or gone since it was said.
    pub(super) fn has_changed(&self) -> bool {
        self.told.as_ref().is_none_or(|told| (self.firing(), self.resolved) != (told.firing, told.resolved))
    }

    /// When it may have to be said again though nothing comes.
    pub(super) fn next_deadline(&self, settings: &Settings) -> Option<Timestamp> {
        let told = self.told.as_ref().filter(|_| self.is_audible())?;
        let changed = self.has_changed() || self.severity() < told.severity;
        let update = changed.then(|| told.at.plus(settings.group_interval));
        update.into_iter().chain(repeat_at(told.at, told.repeats, settings)).min()
    }

    /// Says it.
    pub(super) fn tell(
        &mut self,
        episode: &Arc<str>,
        reason: Reason,
        at: Timestamp,
        members: &Members<'_>,
        inventory: &Inventory,
    ) -> Digest {
        let resolved = reason == Reason::Resolved;
        if resolved {
            // Nobody has seen them fire any more.
            self.resolved += std::mem::take(&mut self.unnamed);
        } else {
            let name = |alert: Alert| {
                let api = Arc::clone(&inventory.api(alert.key.api).name);
                AlertMessage { alert, api, reason: Reason::New, seq: 0, query: None }
            };
            self.named = self.worst(members).into_iter().map(short).map(name).collect();
        }
        self.seq = self.seq.saturating_add(1);
        let repeats = match (reason, &self.told) {
            (Reason::Repeat, Some(told)) => told.repeats.saturating_add(1),
            _ => 0,
        };
        let severity = if resolved { self.peak } else { self.severity() };
        let causes = merged(&self.named.iter().map(|m| &m.alert).collect::<Vec<_>>());
        self.told = Some(Told { at, severity, firing: self.firing(), resolved: self.resolved, causes, repeats });
        Digest {
            time: at,
            state: if resolved { State::Resolved } else { State::Firing },
            reason,
            severity,
            rule: self.scope.rule.clone(),
            api: self.scope.api.clone(),
            since: self.since,
            firing: self.firing(),
            resolved: self.resolved,
            members: self.named.clone(),
            episode: Arc::clone(episode),
            seq: self.seq,
        }
    }

    /// The worst ten of those that fire: of the lane that is looked at as they stand, of others as they were told.
    fn worst<'a>(&'a self, members: &Members<'a>) -> Vec<&'a Alert> {
        let elsewhere = self.named.iter().map(|m| &m.alert);
        let elsewhere = elsewhere.filter(|a| a.state == State::Firing && Some(Lane::of(a)) != members.whole);
        let mut all: Vec<_> = members.alerts.iter().copied().chain(elsewhere).collect();
        let order = |a: &&Alert, b: &&Alert| {
            let rank = |a: &Alert| (Reverse(a.severity), Reverse(a.errors));
            rank(a).cmp(&rank(b)).then_with(|| a.key.cmp(&b.key))
        };
        if all.len() > NAMED_MAX {
            all.select_nth_unstable_by(NAMED_MAX - 1, order);
            all.truncate(NAMED_MAX);
        }
        all.sort_unstable_by(order);
        all
    }

    /// As it stands after a message that was decided in an earlier life.
    pub(super) fn adopt(&mut self, message: &Digest, past: Past, awaits: impl IntoIterator<Item = ApiId>) {
        self.scope = Scope { rule: message.rule.clone(), api: message.api.clone() };
        self.of_logs = message.members.iter().any(|m| m.alert.blindness.is_some());
        self.since = message.since;
        self.seq = message.seq;
        self.resolved = message.resolved;
        self.peak = self.peak.max(message.severity);
        self.named.clone_from(&message.members);
        let is_found_again = past == Past::Relived && !self.of_logs;
        self.unnamed = if is_found_again { 0 } else { message.firing.saturating_sub(self.parts_firing()) };
        self.awaits.extend(awaits);
        let repeats = match (message.reason, &self.told) {
            (Reason::Repeat, Some(told)) => told.repeats.saturating_add(1),
            _ => 0,
        };
        let (at, severity) = (message.time, message.severity);
        let causes = merged(&self.named.iter().map(|m| &m.alert).collect::<Vec<_>>());
        self.told = Some(Told { at, severity, firing: message.firing, resolved: self.resolved, causes, repeats });
    }
}

/// An alert with its most frequent cause alone.
fn short(alert: &Alert) -> Alert {
    let causes = alert.causes.iter().take(1).cloned().collect();
    // Not by `..alert.clone()`, which would clone all causes first.
    Alert {
        key: alert.key.clone(),
        episode: Arc::clone(&alert.episode),
        causes,
        endpoints: Vec::new(),
        blindness: alert.blindness.clone(),
        ..*alert
    }
}

/// The most frequent causes of some alerts, each cause once.
fn merged(alerts: &[&Alert]) -> Vec<CauseCount> {
    let mut all: Vec<CauseCount> = Vec::new();
    for cause in alerts.iter().filter_map(|a| a.causes.first()) {
        match all.iter_mut().find(|known| same(known, cause)) {
            Some(known) => known.count += cause.count,
            None => all.push(cause.clone()),
        }
    }
    all
}
