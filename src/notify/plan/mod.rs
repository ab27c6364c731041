//! What is said about alerts to one sink, and when: pure, on the alerts' own clocks.
//!
//! The engine hands out every alert as it stands at each step of its API's event time, and arrival time passes for those
//! about log groups. Each [`round`] decides what follows: [`silence`] and [`inhibit`] leave out, [`speak`] says what there are tokens for, a [`track`] knows what
//! was said of an alert, a [`digest`] tells many as one, a [`bucket`] bounds how much is said; [`memory`] is all that is
//! saved. Not the delivering. Rule: an episode is said as firing at most once as new, and as resolved exactly once if it
//! was said at all; `seq` counts what was said of it. The same input plans the same messages, in a replay and after a
//! restart too.

pub mod bucket;
mod digest;
pub mod inhibit;
mod memory;
mod round;
pub mod silence;
mod speak;
mod track;

use std::sync::Arc;
use std::time::Duration;

use self::bucket::Rate;
use self::digest::Lane;
use self::memory::{Memory, Owed};
use self::round::STANDS_STILL;
use self::silence::Silence;
use self::track::Told;
use super::audience::Audience;
use super::message::Message;
use super::plans::Moment;
use crate::model::alert::{Alert, AlertKey, Reason, State};
use crate::model::inventory::Inventory;
use crate::model::past::Past;
use crate::model::saved::{self, RestoreError};
use crate::model::time::Timestamp;

/// Version of the saved form: it changes with any type that is saved, and older state is then refused.
pub const STATE_VERSION: u32 = 4;

/// How messages are planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a new alert waits for its failures to be explained. It does not wait when all causes are certain.
    pub group_wait: Duration,
    /// Least time between a message and a further one of the same alert or digest, unless its severity has risen.
    pub group_interval: Duration,
    /// So many alerts of one rule and API are said as new by themselves, within `group_interval`; more are told as one.
    pub group_max: usize,
    /// After this time without a message an alert that still fires is said again; zero is never.
    pub repeat: Duration,
    /// The time to the next repeat doubles each time, up to this.
    pub repeat_max: Duration,
    /// How many messages a sink takes.
    pub rate: Rate,
    /// What is not said.
    pub silences: Vec<Silence>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            group_wait: Duration::from_secs(10),
            group_interval: Duration::from_mins(1),
            group_max: 3,
            repeat: Duration::from_hours(4),
            repeat_max: Duration::from_hours(24),
            rate: Rate::default(),
            silences: Vec::new(),
        }
    }
}

/// The plan.
#[derive(Debug)]
pub struct Plan {
    settings: Arc<Settings>,
    audience: Audience,
    inventory: Arc<Inventory>,
    memory: Memory,
}

impl Plan {
    /// A plan that has said nothing.
    #[must_use]
    pub fn new(settings: Arc<Settings>, audience: Audience, inventory: Arc<Inventory>) -> Self {
        Self { settings, audience, inventory, memory: Memory::default() }
    }

    /// Whom it is for.
    #[must_use]
    pub const fn audience(&self) -> &Audience {
        &self.audience
    }

    /// What was said of each alert that stands, as bytes.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        saved::save(STATE_VERSION, &self.memory)
    }

    /// A plan that goes on where the saved one stood. APIs may have been added to the inventory.
    ///
    /// # Errors
    /// When the bytes are damaged, of another version, or about more than the inventory has.
    pub fn restore(
        settings: Arc<Settings>,
        audience: Audience,
        inventory: Arc<Inventory>,
        saved: &[u8],
    ) -> Result<Self, RestoreError> {
        let mut memory: Memory = saved::restore(STATE_VERSION, saved)?;
        memory.check(&inventory)?;
        memory.drop_unwanted(&audience, &inventory);
        Ok(Self { settings, audience, inventory, memory })
    }

    /// More is watched from now on.
    pub fn extend(&mut self, inventory: Arc<Inventory>) {
        self.inventory = inventory;
    }

    /// Takes over a message that an earlier life of this plan decided after the state was saved, so that it is not
    /// said again and what is said next counts on. To be called in the order in which they were said.
    ///
    /// What that life looked at up to then is looked at again, unless its past is gone, without the alerts that were
    /// adopted: nothing is said of it.
    pub fn adopt(&mut self, message: &Message, past: Past) {
        match message {
            Message::Alert(message) => self.memory.adopt_alert(message, self.settings.rate),
            Message::Digest(digest) => self.memory.adopt_digest(digest, past, &self.inventory, self.settings.rate),
            Message::Notice(notice) => self.memory.owed.retain(|owed| owed.message.episode() != &notice.episode),
            Message::Test(_) => {}
        }
    }

    /// Takes note of a message that was decided for another sink after the state was saved. Whoever looks a second time
    /// does not see its alert up to then, and never again that it resolved.
    pub fn overhear(&mut self, message: &Message) {
        match message {
            Message::Alert(said) => self.overhear_alert(&said.alert),
            // The members that are about requests are seen again.
            Message::Digest(digest) => {
                let members = digest.members.iter().map(|member| &member.alert);
                members.filter(|alert| alert.blindness.is_some()).for_each(|alert| self.overhear_alert(alert));
            }
            Message::Notice(_) | Message::Test(_) => {}
        }
    }

    fn overhear_alert(&mut self, alert: &Alert) {
        let lane = Lane::of(alert);
        let is_over = alert.state == State::Resolved;
        if let Lane::Api(api) = lane {
            self.memory.relive(api, alert.time);
            let known = self.memory.tracks.get(&alert.key).filter(|track| track.episode == alert.episode);
            if is_over && known.is_some() {
                self.end(alert, lane);
            }
        } else if is_over
            && let Some(standing) = self.memory.standing.get_mut(&alert.key)
            && standing.episode == alert.episode
        {
            // The next tick finds it.
            standing.clone_from(alert);
        }
    }

    /// Nobody looks at some alerts any more, because their rule is no more: those that were said are resolved, as of
    /// their newest look.
    pub fn end_unless(&mut self, goes_on: impl Fn(&AlertKey) -> bool) -> Vec<Message> {
        let memory = &mut self.memory;
        memory.flapping.retain(|key, _| goes_on(key));
        let mut over: Vec<AlertKey> = memory.tracks.keys().filter(|key| !goes_on(key)).cloned().collect();
        over.sort_unstable();
        let mut resolved = Vec::new();
        for key in over {
            let blind = self.memory.standing.remove(&key).is_some();
            let Some(track) = self.memory.tracks.remove(&key) else { continue };
            match track.told {
                Told::Not { .. } => {}
                Told::Alone(alone) => {
                    let (seq, alert) = alone.ended(track.seen);
                    resolved.push(self.message(alert, Reason::Resolved, seq).into());
                }
                Told::In(digest) => {
                    let lane = if blind { Lane::Logs } else { Lane::Api(key.api) };
                    if let Some(open) = self.memory.digests.get_mut(&digest) {
                        open.orphan(lane, &key, track.seen);
                    }
                }
            }
        }
        self.memory.standing.retain(|key, _| goes_on(key));
        let over = self.memory.digests.extract_if(.., |_, open| open.is_over());
        let told = over.filter(|(_, open)| open.is_told());
        let inventory = &self.inventory;
        resolved.extend(told.map(|(name, mut open)| open.tell_end(&name, inventory).into()));
        resolved
    }

    /// Time has come to `at`, and this stands. Returns what is to be said.
    pub fn step(&mut self, moment: Moment<'_>, at: Timestamp) -> Vec<Message> {
        match moment {
            Moment::Looked { api, alerts } => {
                let wanted: Vec<&Alert> = self.wanted(alerts).collect();
                self.round(Lane::Api(api), &wanted, at)
            }
            Moment::Sighted(alerts) => {
                let wanted: Vec<Alert> = self.wanted(alerts).cloned().collect();
                for alert in wanted {
                    self.memory.standing.insert(alert.key.clone(), alert);
                }
                self.tick_logs(at)
            }
            Moment::Noticed(notice) if self.audience.wants_notice(notice) => {
                self.memory.owed.push(Owed { lane: Lane::Logs, message: notice.clone().into() });
                self.tick_logs(at)
            }
            Moment::Noticed(_) => Vec::new(),
        }
    }

    /// These alerts about log groups fire at the beginning of a life. What the plan never heard of is new to it: whom it
    /// is for may have been added while they fired.
    pub fn greet(&mut self, firing: &[Alert], now: Timestamp) -> Vec<Message> {
        let is_new = |alert: &&Alert| !self.memory.standing.contains_key(&alert.key);
        let new: Vec<Alert> = self.wanted(firing).filter(is_new).cloned().collect();
        if new.is_empty() { Vec::new() } else { self.step(Moment::Sighted(&new), now) }
    }

    /// Lets arrival time pass.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Message> {
        if self.memory.standing.is_empty() && self.memory.owed.is_empty() {
            return Vec::new();
        }
        self.tick_logs(now)
    }

    /// When the next tick is wanted.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let memory = &self.memory;
        let (clock, token) = (memory.logs.clock(), memory.logs.next(self.settings.rate));
        let is_heard = |alert: &&Alert| !self.settings.silences.iter().any(|s| s.covers(alert, &self.inventory, clock));
        let of_alerts = memory.standing.values().filter(is_heard).filter_map(|alert| self.waits(&alert.key));
        let on_logs = memory.digests.values().filter(|open| open.is_on(Lane::Logs));
        let of_digests = on_logs.filter_map(|open| open.next_deadline(&self.settings));
        let silences = self.settings.silences.iter().filter(|_| !memory.standing.is_empty());
        let of_silences = silences.filter_map(|silence| silence.next_change(clock));
        let of_owed = memory.owed.iter().map(|owed| match owed.lane {
            Lane::Api(_) => memory.requests.clock().plus(STANDS_STILL),
            Lane::Logs => token,
        });
        let next = of_alerts.chain(of_digests).chain(of_silences).chain(of_owed).min()?;
        // What was due by now, and is still to be said, waits for a token.
        Some(if next > clock { next } else { token.max(clock.plus(Duration::from_secs(1))) })
    }

    /// The end of the input: what still waits is said as it stands.
    pub fn finish(&mut self) -> Vec<Message> {
        self.last_round()
    }

    /// What the sink wants to hear of; and what it was told, to the end: it may have wanted more in an earlier life.
    fn wanted<'a>(&self, alerts: &'a [Alert]) -> impl Iterator<Item = &'a Alert> {
        let told = |alert: &Alert| {
            self.memory.tracks.get(&alert.key).is_some_and(|track| track.is_told() && track.episode == alert.episode)
        };
        alerts.iter().filter(move |alert| self.audience.wants(alert, &self.inventory) || told(alert))
    }

    /// A round over the alerts about log groups, which are heard of only when they change.
    fn tick_logs(&mut self, at: Timestamp) -> Vec<Message> {
        let mut standing = std::mem::take(&mut self.memory.standing);
        let alerts: Vec<&Alert> = standing.values().collect();
        let said = self.round(Lane::Logs, &alerts, at);
        standing.retain(|_, alert| alert.state == State::Firing);
        self.memory.standing = standing;
        said
    }
}

#[cfg(test)]
mod tests;
