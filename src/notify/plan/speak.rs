//! Saying what is due: the most important first, as far as the tokens go.
//!
//! Not what is due: that is found in a [`round`](super::round). Rule: what there is no token for is kept; new alerts
//! that are too many for the tokens are told as one.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use super::Plan;
use super::digest::{Lane, Members, Open};
use super::memory::Owed;
use super::round::ByDigest;
use super::track::{Alone, Told, Track};
use crate::model::alert::{Alert, AlertKey, Reason, Severity};
use crate::model::time::Timestamp;
use crate::notify::message::{AlertMessage, Message};
use crate::notify::query;

/// That an alert flaps is said again if it did not for this long.
const FLAPPING_KEPT: Duration = Duration::from_hours(24);

/// What is due.
#[derive(Debug)]
pub(super) enum What<'a> {
    /// To be said for the first time.
    New(&'a Alert),
    /// To be said again.
    Update(&'a Alert, Reason),
    /// The digest of this name.
    Digest(Arc<str>, Reason),
    /// A message as it is.
    Owed(Owed),
}

impl<'a> What<'a> {
    /// The most important first; of those that are as important, in the order in which they came up.
    fn order(&self) -> (u8, Reverse<Severity>, bool) {
        let (class, severity, again) = match self {
            What::New(alert) => (0, alert.severity, false),
            What::Update(alert, reason) => (Self::class(*reason), alert.severity, true),
            // What a digest says concerns many.
            What::Digest(_, reason) => (Self::class(*reason), Severity::Critical, *reason != Reason::New),
            What::Owed(owed) => (1, owed.message.severity(), true),
        };
        (class, Reverse(severity), again)
    }

    /// The alert that is said as new.
    const fn begins(&self) -> Option<&'a AlertKey> {
        if let What::New(alert) = self { Some(&alert.key) } else { None }
    }

    /// Whether it says that one of these is over.
    fn ends(&self, keys: &[&AlertKey]) -> bool {
        let What::Owed(Owed { message: Message::Alert(said), .. }) = self else { return false };
        keys.contains(&&said.alert.key)
    }

    const fn class(reason: Reason) -> u8 {
        match reason {
            Reason::New | Reason::Escalated => 0,
            Reason::Resolved => 1,
            Reason::Deescalated | Reason::CausesChanged | Reason::Flapping => 2,
            Reason::Repeat => 3,
        }
    }
}

impl Plan {
    /// Says what there are tokens for, the most important first. New alerts that there are none for are told as one, by
    /// the last token. All else waits; at the end of the input it does not.
    pub(super) fn speak<'a>(
        &mut self,
        mut due: Vec<What<'a>>,
        lane: Lane,
        at: Timestamp,
        by_digest: &mut ByDigest<'a>,
        at_the_end: bool,
    ) -> Vec<Message> {
        due.sort_by_key(What::order);
        let is_new = |what: &What<'_>| matches!(what, What::New(_));
        let mut tokens = self.memory.bucket(lane).tokens(self.settings.rate);
        let mut last = Vec::new();
        if at_the_end {
            // What cannot be told as one needs no token any more.
            let (news, others): (Vec<_>, Vec<_>) = due.into_iter().partition(is_new);
            tokens = tokens.saturating_sub(others.len()).max(1);
            (due, last) = (news, others);
        }
        let mut rest = due.split_off(tokens.min(due.len()));
        if tokens > 0 && rest.iter().any(is_new) {
            rest.extend(due.pop());
            let (news, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_new);
            rest = others;
            match news.as_slice() {
                [What::New(alert)] => due.push(What::New(alert)),
                _ => due.push(self.overflow(&news, lane, at, by_digest)),
            }
            if let Some(What::Digest(name, _)) = due.last() {
                // It may have been due for another reason.
                let name = Arc::clone(name);
                let is_other = |what: &What<'_>| !matches!(what, What::Digest(other, _) if *other == name);
                let told = due.pop();
                due.retain(is_other);
                rest.retain(is_other);
                last.retain(is_other);
                due.extend(told);
            }
        }
        // First that it is over and then that it begins anew, though that takes a token more.
        let begun: Vec<&AlertKey> = due.iter().filter_map(What::begins).collect();
        let (ends, due): (Vec<_>, Vec<_>) = due.into_iter().partition(|what| what.ends(&begun));
        let (owed, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|what| what.ends(&begun));
        let mut said = Vec::new();
        for what in last.into_iter().chain(ends).chain(owed).chain(due) {
            said.push(self.say(what, lane, at, by_digest));
        }
        for what in rest {
            self.defer(what);
        }
        for _ in &said {
            self.memory.bucket(lane).take(self.settings.rate);
        }
        said
    }

    /// Puts new alerts into one digest, whatever their rules, that is then to be said.
    fn overflow<'a>(&mut self, news: &[What<'a>], lane: Lane, at: Timestamp, by_digest: &mut ByDigest<'a>) -> What<'a> {
        let alerts = news.iter().filter_map(|what| if let What::New(alert) = what { Some(*alert) } else { None });
        let alerts: Vec<&Alert> = alerts.collect();
        let mixed = self.memory.digests.iter().find(|(_, open)| open.is_mixed(lane));
        let name = mixed.map(|(name, _)| Arc::clone(name));
        let name = name.unwrap_or_else(|| self.open(alerts[0], at));
        self.join(&name, lane, &alerts, by_digest);
        let told = self.memory.digests.get(&name).is_some_and(Open::is_told);
        What::Digest(name, if told { Reason::CausesChanged } else { Reason::New })
    }

    fn defer(&mut self, what: What<'_>) {
        match what {
            What::New(alert) => self.wait(alert),
            What::Update(alert, reason) => {
                if let Some(Track { told: Told::Alone(alone), .. }) = self.memory.tracks.get_mut(&alert.key) {
                    alone.deferred = Some(Box::new((reason, alert.clone())));
                }
            }
            What::Digest(..) => {}
            What::Owed(owed) => self.memory.owed.push(owed),
        }
    }

    fn say(&mut self, what: What<'_>, lane: Lane, at: Timestamp, by_digest: &ByDigest<'_>) -> Message {
        match what {
            What::Owed(owed) => owed.message,
            What::New(alert) => {
                let flaps = alert.flapping && !self.memory.flapping.contains_key(&alert.key);
                self.say_alert(alert, if flaps { Reason::Flapping } else { Reason::New }, at)
            }
            What::Update(alert, reason) if lane == Lane::Logs && reason == Reason::Repeat => {
                // As it still stands: nothing has been heard of it since.
                self.say_alert(&Alert { time: at, ..alert.clone() }, reason, at)
            }
            What::Update(alert, reason) => self.say_alert(alert, reason, at),
            What::Digest(name, reason) => {
                let none = Members::default();
                let members = by_digest.get(&name).unwrap_or(&none);
                let open = self.memory.digests.get_mut(&name).expect("a digest that is due is open");
                open.tell(&name, reason, at, members, &self.inventory).into()
            }
        }
    }

    fn say_alert(&mut self, alert: &Alert, reason: Reason, at: Timestamp) -> Message {
        if alert.flapping {
            self.memory.flapping.retain(|_, seen| at.since(*seen) < FLAPPING_KEPT);
            self.memory.flapping.insert(alert.key.clone(), at);
        }
        let track = self.memory.tracks.entry(alert.key.clone()).or_insert_with(|| Track::new(alert, at));
        if !matches!(track.told, Told::Alone(_)) {
            track.told = Told::Alone(Box::new(Alone::new(alert, at)));
        }
        let mut seq = 1;
        if let Told::Alone(alone) = &mut track.told {
            alone.say(reason, alert, at);
            seq = alone.seq;
        }
        self.message(alert.clone(), reason, seq).into()
    }

    /// What is said about an alert.
    pub(super) fn message(&self, alert: Alert, reason: Reason, seq: u32) -> AlertMessage {
        let api = Arc::clone(&self.inventory.api(alert.key.api).name);
        AlertMessage { query: query::of(&alert, &self.inventory), alert, api, reason, seq }
    }
}
