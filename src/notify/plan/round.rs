//! A round: one clock has come to a time, and from all that stands on it follows what is said now.
//!
//! In this order: what has resolved is owed; what is silenced or muted is left out; what is due is grouped; then
//! [`speak`](super::speak) says what there are tokens for. Not what stands: that is handed in. Rule: what follows depends
//! on what stands and what was said alone, so what is due and was not said is due again in the next round.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Plan;
use super::digest::{self, Lane, Members, Open, Scope};
use super::inhibit;
use super::memory::Owed;
use super::speak::What;
use super::track::{Told, Track};
use crate::model::alert::{Alert, AlertKey, Measure, Reason, State};
use crate::model::inventory::{ApiId, Inventory};
use crate::model::time::Timestamp;
use crate::notify::message::Message;

/// When the clock of requests stands still for this long, what is owed on it is told by that of arrivals.
pub(super) const STANDS_STILL: Duration = Duration::from_mins(1);

/// Alerts of one group that are not said yet.
#[derive(Debug, Default)]
struct Group<'a> {
    due: Vec<&'a Alert>,
    waiting: Vec<&'a Alert>,
    /// How many of the group were said by themselves within the last `group_interval`.
    recent: usize,
}

type Groups<'a> = BTreeMap<Scope, Group<'a>>;
pub(super) type ByDigest<'a> = BTreeMap<Arc<str>, Members<'a>>;

impl Plan {
    /// The clock of this lane has come to `at`, and these stand on it: all that fire there and all that have just
    /// resolved, as far as this sink wants them.
    pub(super) fn round(&mut self, lane: Lane, alerts: &[&Alert], at: Timestamp) -> Vec<Message> {
        let relives = self.memory.relives(lane, at);
        self.memory.bucket(lane).advance(at);
        let mut by_digest: ByDigest<'_> = self.on(lane).map(|name| (name, Members::whole(lane))).collect();
        if !relives {
            self.memory.digests.values_mut().for_each(|digest| digest.found(lane));
        }
        let is_hushed = self.hushed(alerts, at, relives);
        let mut groups = Groups::new();
        let mut due = Vec::new();
        let mut audible: BTreeMap<Arc<str>, Vec<(&Alert, bool)>> = BTreeMap::new();
        for (alert, hushed) in alerts.iter().copied().zip(is_hushed) {
            if !self.look(alert, hushed, lane, at) {
                continue;
            }
            let Some(track) = self.memory.tracks.get_mut(&alert.key) else { continue };
            track.seen = at;
            match &mut track.told {
                Told::In(digest) => match audible.get_mut(digest) {
                    Some(members) => members.push((alert, !hushed)),
                    None => drop(audible.insert(Arc::clone(digest), vec![(alert, !hushed)])),
                },
                Told::Not { since, waiting } => {
                    *waiting = None;
                    let settled = alert.measure != Measure::Unread && alert.settled();
                    let waited = at.since(*since) >= self.settings.group_wait;
                    if alert.holds {
                        let group = groups.entry(group_of(alert, lane, &self.inventory)).or_default();
                        if waited || settled { group.due.push(alert) } else { group.waiting.push(alert) }
                    }
                }
                Told::Alone(alone) => {
                    alone.deferred = None;
                    let flaps = alert.flapping && !self.memory.flapping.contains_key(&alert.key);
                    let reason = alone.needs_saying(alert, flaps, at, &self.settings).filter(|_| !hushed);
                    due.extend(reason.map(|reason| What::Update(alert, reason)));
                    if at.since(alone.first) < self.settings.group_interval {
                        groups.entry(group_of(alert, lane, &self.inventory)).or_default().recent += 1;
                    }
                }
            }
        }
        if relives {
            self.recollect(lane, groups, &mut audible);
            self.recount(lane, &audible, &mut by_digest);
            return Vec::new();
        }
        self.recount(lane, &audible, &mut by_digest);
        due.extend(self.gather(lane, groups, at, &mut by_digest));
        due.extend(self.digests_due(&by_digest, lane, at));
        due.extend(self.owed(lane, at));
        self.speak(due, lane, at, &mut by_digest, false)
    }

    /// The end of the input: what waits is said as it stands, and what is owed.
    pub(super) fn last_round(&mut self) -> Vec<Message> {
        let mut waiting: BTreeMap<Lane, Vec<Alert>> = BTreeMap::new();
        let mut deferred: BTreeMap<Lane, Vec<(Reason, Alert)>> = BTreeMap::new();
        for track in self.memory.tracks.values_mut() {
            match &mut track.told {
                Told::Not { waiting: alert, .. } => {
                    alert.take().into_iter().for_each(|a| waiting.entry(Lane::of(&a)).or_default().push(*a));
                }
                Told::Alone(alone) => {
                    alone
                        .deferred
                        .take()
                        .into_iter()
                        .for_each(|d| deferred.entry(Lane::of(&d.1)).or_default().push(*d));
                }
                Told::In(_) => {}
            }
        }
        let lanes: Vec<Lane> = self.lanes().collect();
        let mut said = Vec::new();
        for lane in lanes {
            let mut alerts = waiting.remove(&lane).unwrap_or_default();
            let mut updates = deferred.remove(&lane).unwrap_or_default();
            alerts.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            updates.sort_unstable_by(|(_, a), (_, b)| a.key.cmp(&b.key));
            let at = alerts.iter().chain(updates.iter().map(|(_, a)| a)).map(|a| a.time).max();
            let at = at.unwrap_or_else(|| self.memory.bucket(lane).clock());
            let mut by_digest: ByDigest<'_> = self.on(lane).map(|name| (name, Members::default())).collect();
            let mut groups = Groups::new();
            for alert in &alerts {
                groups.entry(group_of(alert, lane, &self.inventory)).or_default().due.push(alert);
            }
            let mut due: Vec<What<'_>> = updates.iter().map(|(reason, alert)| What::Update(alert, *reason)).collect();
            due.extend(self.gather(lane, groups, at, &mut by_digest));
            for name in by_digest.keys() {
                let reason = match self.memory.digests.get(name) {
                    Some(open) if !open.is_told() => Reason::New,
                    Some(open) if open.has_changed() => Reason::CausesChanged,
                    _ => continue,
                };
                due.push(What::Digest(Arc::clone(name), reason));
            }
            due.extend(self.owed(lane, at));
            said.extend(self.speak(due, lane, at, &mut by_digest, true));
        }
        said
    }

    /// All lanes that something may wait on.
    fn lanes(&self) -> impl Iterator<Item = Lane> + use<> {
        let apis = u16::try_from(self.inventory.apis.len()).unwrap_or(u16::MAX);
        (0..apis).map(|api| Lane::Api(ApiId(api))).chain([Lane::Logs])
    }

    /// The digests that are about members on this lane.
    fn on(&self, lane: Lane) -> impl Iterator<Item = Arc<str>> {
        self.memory.digests.iter().filter(move |(_, open)| open.is_on(lane)).map(|(name, _)| Arc::clone(name))
    }

    /// Which of the alerts are silenced or muted.
    fn hushed(&self, alerts: &[&Alert], at: Timestamp, relives: bool) -> Vec<bool> {
        let silences = &self.settings.silences;
        let is_told = |alert: &Alert| {
            self.memory.tracks.get(&alert.key).is_some_and(|t| t.episode == alert.episode && t.is_told())
        };
        let standing = |alert| inhibit::Standing {
            alert,
            silenced: silences.iter().any(|silence| silence.covers(alert, &self.inventory, at)),
            told: is_told(alert),
        };
        // Whoever looks a second time does not see the alerts that were adopted.
        let adopted: Vec<&Alert> = if relives { self.unseen(alerts) } else { Vec::new() };
        let all: Vec<_> = alerts.iter().copied().chain(adopted).map(standing).collect();
        let muted = inhibit::muted(&all, self.settings.group_max);
        all.iter().zip(muted).take(alerts.len()).map(|(s, muted)| s.silenced || muted.is_some()).collect()
    }

    /// Alerts of the same API that were said alone and are not among these.
    fn unseen(&self, alerts: &[&Alert]) -> Vec<&Alert> {
        let Some(api) = alerts.first().map(|a| a.key.api) else { return Vec::new() };
        let mut unseen: Vec<&Alert> = Vec::new();
        for (key, track) in &self.memory.tracks {
            if let Told::Alone(alone) = &track.told
                && key.api == api
                && !alerts.iter().any(|a| a.key == *key)
            {
                unseen.push(&alone.alert);
            }
        }
        unseen.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        unseen
    }

    /// Takes note of an alert as it stands: it has a track from now on if it fires and may be spoken of, or was. Returns
    /// whether it has.
    fn look(&mut self, alert: &Alert, hushed: bool, lane: Lane, at: Timestamp) -> bool {
        let key = &alert.key;
        // Not asked for each of thousands.
        if !self.memory.flapping.is_empty() {
            if !alert.flapping {
                self.memory.flapping.remove(key);
            } else if let Some(seen) = self.memory.flapping.get_mut(key) {
                *seen = at;
            }
        }
        let fires = alert.state == State::Firing;
        match self.memory.tracks.get(key) {
            Some(track) if track.episode == alert.episode && fires => {
                let is_dropped = hushed && matches!(track.told, Told::Not { .. });
                if is_dropped {
                    self.memory.tracks.remove(key);
                }
                return !is_dropped;
            }
            Some(_) => self.end(alert, lane),
            None => {}
        }
        let is_heard = fires && !hushed;
        if is_heard {
            self.memory.tracks.insert(key.clone(), Track::new(alert, at));
        }
        is_heard
    }

    /// The life of an alert that was known is over: it has resolved, or another one has begun.
    pub(super) fn end(&mut self, alert: &Alert, lane: Lane) {
        let Some(track) = self.memory.tracks.remove(&alert.key) else { return };
        let is_same = track.episode == alert.episode;
        match track.told {
            Told::Not { .. } => {}
            Told::Alone(alone) => {
                let (seq, alert) = if is_same { alone.resolved(alert) } else { alone.ended(track.seen) };
                let message = self.message(alert, Reason::Resolved, seq).into();
                self.memory.owed.push(Owed { lane, message });
            }
            Told::In(digest) => {
                if let Some(open) = self.memory.digests.get_mut(&digest) {
                    open.leave(alert);
                }
            }
        }
    }

    /// What an earlier life has told in a digest is found again.
    fn recollect<'a>(
        &mut self,
        lane: Lane,
        groups: Groups<'a>,
        audible: &mut BTreeMap<Arc<str>, Vec<(&'a Alert, bool)>>,
    ) {
        let Lane::Api(api) = lane else { return };
        for (scope, group) in groups {
            let told = self.memory.digests.iter().find(|(_, open)| open.awaits(api) && open.scope.spans(&scope));
            let Some(name) = told.map(|(name, _)| Arc::clone(name)) else { continue };
            for alert in group.due {
                if let Some(track) = self.memory.tracks.get_mut(&alert.key) {
                    track.told = Told::In(Arc::clone(&name));
                    audible.entry(Arc::clone(&name)).or_default().push((alert, true));
                }
            }
        }
    }

    /// Counts the members of all digests on this lane anew.
    fn recount<'a>(
        &mut self,
        lane: Lane,
        audible: &BTreeMap<Arc<str>, Vec<(&'a Alert, bool)>>,
        by_digest: &mut ByDigest<'a>,
    ) {
        for (name, members) in audible {
            let alerts = members.iter().map(|(alert, _)| *alert).collect();
            by_digest.insert(Arc::clone(name), Members { whole: Some(lane), alerts });
        }
        for name in by_digest.keys() {
            if let Some(open) = self.memory.digests.get_mut(name) {
                open.recount(lane, audible.get(name).map_or(&[], Vec::as_slice));
            }
        }
    }

    /// Puts alerts that are not said yet into digests, where there are too many; the others come back as due. What only
    /// waits is kept.
    fn gather<'a>(
        &mut self,
        lane: Lane,
        groups: Groups<'a>,
        at: Timestamp,
        by_digest: &mut ByDigest<'a>,
    ) -> Vec<What<'a>> {
        let mut news = Vec::new();
        for (scope, Group { due, mut waiting, recent }) in groups {
            let open = self.memory.digests.iter().find(|(_, open)| open.scope.takes(&scope, lane));
            let count = due.len() + waiting.len();
            if let Some(name) = open.map(|(name, _)| Arc::clone(name)) {
                self.join(&name, lane, &due, by_digest);
            } else if !due.is_empty() && count > 1 && count + recent > self.settings.group_max {
                // The group has waited long enough, so nobody in it waits by itself.
                let all: Vec<&Alert> = due.into_iter().chain(std::mem::take(&mut waiting)).collect();
                let name = self.open(all[0], at);
                self.join(&name, lane, &all, by_digest);
            } else {
                news.extend(due.into_iter().map(What::New));
            }
            for alert in waiting {
                self.wait(alert);
            }
        }
        news
    }

    /// Opens a digest; returns its name.
    pub(super) fn open(&mut self, first: &Alert, at: Timestamp) -> Arc<str> {
        let name = digest::episode(first, at);
        self.memory.digests.insert(Arc::clone(&name), Open::new(first, &self.inventory));
        name
    }

    pub(super) fn join<'a>(&mut self, name: &Arc<str>, lane: Lane, alerts: &[&'a Alert], by_digest: &mut ByDigest<'a>) {
        let Some(open) = self.memory.digests.get_mut(name) else { return };
        let members = by_digest.entry(Arc::clone(name)).or_default();
        for alert in alerts {
            open.join(lane, alert, &self.inventory);
            members.alerts.push(alert);
            if let Some(track) = self.memory.tracks.get_mut(&alert.key) {
                track.told = Told::In(Arc::clone(name));
            }
        }
    }

    /// It is not said now; if the input ends before it is, then as it stands.
    pub(super) fn wait(&mut self, alert: &Alert) {
        if let Some(Track { told: Told::Not { waiting, .. }, .. }) = self.memory.tracks.get_mut(&alert.key) {
            *waiting = Some(Box::new(alert.clone()));
        }
    }

    /// Of the digests on this lane those that are to be said. What is over is closed, and its resolve is owed.
    fn digests_due<'a>(&mut self, by_digest: &ByDigest<'a>, lane: Lane, at: Timestamp) -> Vec<What<'a>> {
        let mut due = Vec::new();
        for (name, members) in by_digest {
            let Some(open) = self.memory.digests.get_mut(name) else { continue };
            if open.is_over() {
                if open.is_told() {
                    let message = open.tell(name, Reason::Resolved, at, members, &self.inventory).into();
                    self.memory.owed.push(Owed { lane, message });
                }
                self.memory.digests.remove(name);
            } else if let Some(reason) = open.needs_saying(members, at, &self.settings) {
                due.push(What::Digest(Arc::clone(name), reason));
            }
        }
        due
    }

    /// What is owed on this clock.
    fn owed<'a>(&mut self, lane: Lane, at: Timestamp) -> Vec<What<'a>> {
        let still = at.since(self.memory.requests.clock()) >= STANDS_STILL;
        let is_due = |owed: &Owed| (owed.lane == Lane::Logs) == (lane == Lane::Logs) || lane == Lane::Logs && still;
        let (due, not): (Vec<_>, Vec<_>) = std::mem::take(&mut self.memory.owed).into_iter().partition(is_due);
        self.memory.owed = not;
        due.into_iter().map(What::Owed).collect()
    }

    /// Alerts about log groups that nothing was said of yet and that may be spoken of: since when.
    pub(super) fn waits(&self, key: &AlertKey) -> Option<Timestamp> {
        match &self.memory.tracks.get(key)?.told {
            Told::Not { since, .. } => Some(since.plus(self.settings.group_wait)),
            Told::Alone(alone) => super::track::repeat_at(alone.at, alone.repeats, &self.settings),
            Told::In(_) => None,
        }
    }
}

fn group_of(alert: &Alert, lane: Lane, inventory: &Inventory) -> Scope {
    let scope = Scope::of(alert, inventory);
    // One outage blinds the logs of many APIs.
    if lane == Lane::Logs { Scope { api: None, ..scope } } else { scope }
}

impl Members<'_> {
    /// None fires on this lane.
    const fn whole(lane: Lane) -> Self {
        Self { whole: Some(lane), alerts: Vec::new() }
    }
}
