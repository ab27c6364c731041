//! A whole run of the simulation as a file: groups with their traffic, quotas, and what goes wrong when.
//!
//! Not the reading of that file (`file`), and no clock: times are offsets from a start that the caller names. Rule: the
//! same file and start give the same events and troubles.

mod file;
mod problem;

use std::time::Duration;

use super::group::Class;
use super::planned::Planned;
use super::traffic::{self, Traffic};
use super::{Operation, Script, Service, Trouble, shop};
use crate::model::time::{Timestamp, millis};

pub use problem::ScenarioError;

/// A scenario. Every time in it counts from the start of the run, as if that were the epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    seed: u64,
    /// Traffic begins so long before the start.
    history: Duration,
    /// No traffic is written so long after the start or later.
    length: Option<Duration>,
    /// Events stamped so much earlier than now are dropped.
    keep: Option<Duration>,
    newest_first: bool,
    quotas: Vec<(Operation, u32)>,
    shop: Option<Shop>,
    groups: Vec<Group>,
    troubles: Vec<Trouble>,
}

/// The shop as a scenario has it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shop {
    deploy: Duration,
    rollback: Duration,
    rate: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Group {
    traffic: Traffic,
    class: Class,
    /// From its creation to its deletion; none: always there.
    lives: Vec<(Duration, Option<Duration>)>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// The first mistake: its line, what stands there, and what would be right.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        file::parse(text)
    }

    /// The log groups, those of the shop first.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.shop.iter().flat_map(|_| shop_groups()).collect();
        names.extend(self.groups.iter().map(|group| &*group.traffic.group));
        names
    }

    /// When the traffic ends; `None` for never.
    #[must_use]
    pub fn end(&self, start: Timestamp) -> Option<Timestamp> {
        self.length.map(|length| start.plus(length))
    }

    /// Makes the groups, sets quotas and troubles; the troubles there were are gone. The traffic is [`Self::events`].
    pub fn set_up(&self, service: &Service, start: Timestamp) {
        service.set_seed(self.seed);
        service.set_newest_first(self.newest_first);
        if let Some(keep) = self.keep {
            service.keep(keep);
        }
        for (operation, per_second) in &self.quotas {
            service.set_quota(*operation, Some(*per_second));
        }
        for group in self.groups() {
            service.create_group(group);
        }
        for group in &self.groups {
            let name = &group.traffic.group;
            service.set_class(name, group.class);
            for (from, to) in &group.lives {
                service.create_group_at(name, start.plus(*from));
                if let Some(to) = to {
                    service.delete_group_at(name, start.plus(*to));
                }
            }
        }
        for trouble in &self.troubles {
            let (from, to) = (shift(trouble.from, start), shift(trouble.to, start));
            service.trouble(trouble.clone().during(from, to));
        }
    }

    /// All events of all groups, in the order of `visible_at`, made as they are asked for.
    #[must_use]
    pub fn events(&self, start: Timestamp) -> Played {
        let end = self.end(start).unwrap_or(Timestamp::MAX);
        let from = start.minus(self.history);
        let shop = self.shop.map(|shop| {
            let (deploy, rollback) = (start.plus(shop.deploy), start.plus(shop.rollback));
            Source::Shop(Box::new(Script::new(self.seed, from, deploy, rollback, end).with_rate(shop.rate).play()))
        });
        let traffic = self.groups.iter().map(|group| {
            let traffic = &group.traffic;
            Source::Traffic(Box::new(
                Traffic {
                    from: shift(traffic.from, start),
                    to: shift(traffic.to, start).min(end),
                    strays: traffic.strays.iter().map(|(at, ahead)| (shift(*at, start), *ahead)).collect(),
                    bursts: traffic.bursts.iter().map(|(a, b)| (shift(*a, start), shift(*b, start))).collect(),
                    ..traffic.clone()
                }
                .events(),
            ))
        });
        let mut played = Played { sources: Vec::new(), end: Timestamp::MAX };
        for mut source in shop.into_iter().chain(traffic) {
            let first = source.next();
            played.sources.push((first, source));
        }
        played
    }
}

/// The log groups of the shop.
fn shop_groups() -> impl Iterator<Item = &'static str> {
    [shop::ACCESS_GROUP].into_iter().chain(shop::FUNCTIONS)
}

/// A time after the epoch as a time after `start`.
fn shift(time: Timestamp, start: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis().saturating_add(start.as_millis()))
}

/// An offset as a time after the epoch.
fn offset(span: Duration) -> Timestamp {
    Timestamp::from_millis(millis(span))
}

/// The events of a [`Scenario`].
pub struct Played {
    /// Each with its next event.
    sources: Vec<(Option<Planned>, Source)>,
    end: Timestamp,
}

enum Source {
    Traffic(Box<traffic::Events>),
    Shop(Box<shop::Events>),
}

impl Source {
    fn next(&mut self) -> Option<Planned> {
        match self {
            Self::Traffic(events) => events.next(),
            Self::Shop(events) => events.next(),
        }
    }
}

impl Played {
    /// Has no event be written at `at` or later; what was written and is not yet visible still comes.
    pub fn end_at(&mut self, at: Timestamp) {
        self.end = self.end.min(at);
        for (_, source) in &mut self.sources {
            match source {
                Source::Traffic(events) => events.end_at(at),
                Source::Shop(events) => events.end_at(at),
            }
        }
    }

    /// The next event, if it becomes visible by `until`.
    pub fn next_until(&mut self, until: Timestamp) -> Option<Planned> {
        loop {
            // There are as many sources as groups in a file: few.
            let due = |(next, _): &&mut (Option<Planned>, Source)| next.as_ref().map(|event| event.visible_at);
            let waiting = self.sources.iter_mut().filter(|(next, _)| next.is_some());
            let (next, source) = waiting.min_by_key(due)?;
            if next.as_ref().is_none_or(|event| event.visible_at > until) {
                return None;
            }
            let event = std::mem::replace(next, source.next())?;
            // One that was made ahead, before the end was known, is never written.
            if event.written < self.end {
                return Some(event);
            }
        }
    }
}

impl Iterator for Played {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        self.next_until(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests;
