//! The states of alerts: from a bad look to firing, and from firing to resolved.
//!
//! Driven by event time in steps of 10 s, so a replay gives the same alerts as the live run. Not who is told: each
//! step hands out every firing alert as it stands, and `notify/plan` decides what is said. Rule: an alert that fired
//! resolves exactly once; one that never fired never resolves.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::rules::{Finding, Look, Rule};
use super::unrest::Unrest;
use crate::model::alert::{Alert, AlertKey, Severity, State, Subject};
use crate::model::inventory::ApiId;
use crate::model::time::Timestamp;

/// Alerts at rest whose restlessness is remembered: what comes when there are so many is not damped.
const RESTING_MAX: usize = 20_000;

/// Where one alert stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Phase {
    /// The condition holds, not yet for long enough. Fires when it has; forgotten when it stops.
    Pending,
    /// Fires. Recovers when the condition is over.
    Firing,
    /// The condition is over since the given time. Resolves after `keep_firing`; fires on when it comes back.
    Recovering(Timestamp),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Instance {
    phase: Phase,
    since: Timestamp,
    severity: Severity,
    /// The worst it was since it fired.
    worst: Severity,
    /// A higher rung and since when the value has been above it.
    rising: Option<(Severity, Timestamp)>,
    /// Since when the value has been well below the rung, and the highest rung it has reached meanwhile.
    falling: Option<(Severity, Timestamp)>,
    /// Of one that has fired; until then it rests in [`Alerts::resting`].
    unrest: Unrest,
    episode: Arc<str>,
    /// Where its endpoint was found last.
    #[serde(skip)]
    place: Option<usize>,
}

/// What a rule sees of one subject.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// Rule and subject.
    pub(super) key: AlertKey,
    /// What was measured.
    pub(super) look: Look,
    /// Where the endpoint stands among those of the API, if it is one that is counted.
    pub(super) place: Option<usize>,
}

/// An alert that fires, or has just resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Firing or resolved.
    pub state: State,
    /// How bad it is; of a resolved one, how bad it was last.
    pub severity: Severity,
    /// How bad it was at its worst in this episode.
    pub worst: Severity,
    /// When the condition began to hold.
    pub since: Timestamp,
    /// Names this life of the alert.
    pub episode: Arc<str>,
    /// The condition holds at this look; otherwise the alert only goes on for a while.
    pub holds: bool,
    /// It has fired and resolved often of late, so it goes on firing for longer.
    pub flapping: bool,
    /// It did not fire before this look.
    pub is_new: bool,
}

/// All alerts that are not at rest, and how restless the others were of late.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Alerts {
    instances: BTreeMap<AlertKey, Instance>,
    /// Of those that do not fire.
    resting: BTreeMap<AlertKey, Unrest>,
    /// Until when an earlier life of the engine has looked, and what it found was said: looks up to then are not made
    /// again.
    adopted: BTreeMap<AlertKey, Timestamp>,
}

impl Alerts {
    /// A rule has looked at subjects of one API at event time `at`: at all that are [`active`](Self::active) and at
    /// others, in order of their keys. `found` is told of each that fires or has just resolved, in that order.
    pub(super) fn step_all(
        &mut self,
        rule: &Rule,
        seen: Vec<Seen>,
        at: Timestamp,
        mut found: impl FnMut(Seen, Standing),
    ) {
        let Some(first) = seen.first().map(|seen| seen.key.clone()) else { return };
        // Both are in the same order, so nothing is looked up: an outage has thousands of them at each step.
        let mut known = self.instances.range_mut(first..).peekable();
        let (mut born, mut gone) = (Vec::new(), Vec::new());
        for seen in seen {
            // Mostly it is the next, and that two keys are the same is told without reading them.
            let mut instance = known.next_if(|(key, _)| **key == seen.key);
            if instance.is_none() {
                while known.next_if(|(key, _)| **key < seen.key).is_some() {}
                instance = known.next_if(|(key, _)| **key == seen.key);
            }
            let Seen { key, look, place } = &seen;
            let instance = instance.map(|(_, instance)| {
                instance.place = *place;
                instance
            });
            if self.adopted.get(key).is_some_and(|until| at <= *until) {
                continue;
            }
            let finding = rule.judge(*look);
            let rested = || self.resting.remove(key);
            let standing = match (instance, finding) {
                (None, Finding::Bad(severity)) => {
                    let mut instance = Instance::new(key, severity, at);
                    let standing = instance.advance(rule, *look, finding, at, rested);
                    born.push((key.clone(), instance));
                    standing
                }
                (None, _) => None,
                (Some(instance), _) => {
                    let is_over = instance.phase == Phase::Pending && !matches!(finding, Finding::Bad(_));
                    let standing = if is_over { None } else { instance.advance(rule, *look, finding, at, rested) };
                    let resolved = standing.as_ref().is_some_and(|s| s.state == State::Resolved);
                    if resolved {
                        rest(&mut self.resting, key.clone(), std::mem::take(&mut instance.unrest));
                    }
                    if is_over || resolved {
                        gone.push(key.clone());
                    }
                    standing
                }
            };
            if let Some(standing) = standing {
                found(seen, standing);
            }
        }
        for key in gone {
            self.instances.remove(&key);
        }
        // Both in order: thousands at once are put together in one pass.
        if born.len() > self.instances.len() / 8 {
            self.instances.append(&mut born.into_iter().collect());
        } else {
            self.instances.extend(born);
        }
    }

    /// The subjects of one rule and API that are not at rest, in order: they must be looked at even without traffic. Each
    /// with the place where its endpoint was found last.
    pub fn active(&self, rule: &Rule, api: ApiId) -> impl Iterator<Item = (&AlertKey, Option<usize>)> {
        let first = AlertKey { rule: Arc::clone(&rule.name), api, subject: Subject::Api };
        let behind = self.instances.range(first..).map(|(key, instance)| (key, instance.place));
        behind.take_while(move |(key, _)| key.api == api && key.rule == rule.name)
    }

    /// The episodes of those that fire.
    pub(super) fn firing(&self) -> impl Iterator<Item = &Arc<str>> {
        self.instances.values().filter(|instance| instance.phase != Phase::Pending).map(|instance| &instance.episode)
    }

    /// Takes over an alert that was said in an earlier life. True if it fires and did not. Each sink is told of an alert,
    /// and one of them perhaps late: what is older than what was taken over of the same alert changes nothing.
    pub fn adopt(&mut self, alert: &Alert) -> bool {
        let Alert { key, state, severity, worst, time, since, episode, flapping, .. } = alert;
        if let Some(until) = self.adopted.get(key) {
            let is_over = !self.instances.contains_key(key);
            if time < until || time == until && is_over {
                return false;
            }
        }
        self.adopted.insert(key.clone(), *time);
        let before = self.instances.remove(key);
        let fired = before.as_ref().is_some_and(|i| i.phase != Phase::Pending);
        let mut unrest = before.as_ref().filter(|_| fired).map(|i| i.unrest.clone());
        let mut unrest = unrest.take().or_else(|| self.resting.remove(key)).unwrap_or_default();
        let same = before.filter(|i| i.episode == *episode);
        let goes_on = fired && same.is_some();
        if fired && (*state == State::Resolved || !goes_on) {
            unrest.changed(*time);
        }
        if *state == State::Resolved {
            unrest.told(*flapping, *time);
            rest(&mut self.resting, key.clone(), unrest);
            return false;
        }
        if !goes_on {
            unrest.fired(*time);
        }
        unrest.told(*flapping, *time);
        let instance = Instance {
            // If the condition is over, the next look finds that.
            phase: Phase::Firing,
            since: *since,
            severity: *severity,
            worst: same.as_ref().filter(|_| fired).map_or(*worst, |i| i.worst.max(*worst)),
            rising: None,
            falling: None,
            unrest,
            episode: Arc::clone(episode),
            place: None,
        };
        self.instances.insert(key.clone(), instance);
        !goes_on
    }

    /// The rules of an API have looked at event time `at`: what was adopted of that time and before is history, and so
    /// is what has been calm for long.
    pub fn looked(&mut self, api: ApiId, at: Timestamp) {
        self.adopted.retain(|key, until| key.api != api || *until > at);
        self.resting.retain(|key, unrest| key.api != api || !unrest.calm(at));
    }

    /// Drops what is of rules that an API does not have, or of an API that is not watched.
    pub(super) fn retain(&mut self, is_on: impl Fn(&AlertKey) -> bool) {
        self.instances.retain(|key, _| is_on(key));
        self.resting.retain(|key, _| is_on(key));
        self.adopted.retain(|key, _| is_on(key));
    }

    /// Whether they are about so many APIs at most.
    pub(super) fn fit(&self, apis: usize) -> bool {
        let keys = self.instances.keys().chain(self.resting.keys()).chain(self.adopted.keys());
        keys.into_iter().all(|key| key.api.index() < apis)
    }

    /// Nothing pending, nothing firing.
    #[cfg(test)]
    pub(super) fn at_rest(&self) -> bool {
        self.instances.is_empty()
    }
}

fn rest(resting: &mut BTreeMap<AlertKey, Unrest>, key: AlertKey, unrest: Unrest) {
    if resting.len() < RESTING_MAX {
        resting.insert(key, unrest);
    }
}

impl Instance {
    fn new(key: &AlertKey, severity: Severity, at: Timestamp) -> Self {
        Self {
            phase: Phase::Pending,
            since: at,
            severity,
            worst: severity,
            rising: None,
            falling: None,
            unrest: Unrest::default(),
            episode: episode(key, at),
            place: None,
        }
    }

    /// `rested` hands over how restless it was when it last fired.
    fn advance(
        &mut self,
        rule: &Rule,
        look: Look,
        finding: Finding,
        at: Timestamp,
        rested: impl FnOnce() -> Option<Unrest>,
    ) -> Option<Standing> {
        let is_new = self.phase == Phase::Pending;
        let keep = self.unrest.keep(rule.keep_firing);
        self.phase = match (&self.phase, finding) {
            (Phase::Pending, Finding::Bad(severity)) => {
                (self.severity, self.worst) = (severity, severity);
                if at.since(self.since) < rule.hold {
                    return None;
                }
                self.unrest = rested().unwrap_or_default();
                self.unrest.fired(at);
                Phase::Firing
            }
            (Phase::Firing, Finding::Good) => Phase::Recovering(at),
            // Bad; or near the rung, or bad but on too few requests to say so: neither worse nor over. A recovery that
            // has begun starts again, because the value has come back up.
            (
                Phase::Firing | Phase::Recovering(_),
                Finding::Bad(_) | Finding::Near | Finding::Unsure | Finding::TooFewErrors | Finding::TooFewRequests,
            ) => {
                if matches!(self.phase, Phase::Recovering(since) if at.since(since) >= rule.keep_firing) {
                    self.unrest.held_on(at);
                }
                Phase::Firing
            }
            (Phase::Recovering(since), Finding::Good) => Phase::Recovering(*since),
            (Phase::Pending, _) => return None,
        };
        let over = matches!(self.phase, Phase::Recovering(since) if at.since(since) >= keep);
        if over {
            self.unrest.changed(at);
        } else {
            self.unrest.calm(at);
            self.rise(rule, finding, at);
            self.fall(rule, look, finding, at);
        }
        Some(Standing {
            state: if over { State::Resolved } else { State::Firing },
            severity: self.severity,
            worst: self.worst,
            since: self.since,
            episode: Arc::clone(&self.episode),
            holds: matches!(finding, Finding::Bad(_)),
            flapping: self.unrest.is_flapping(),
            is_new,
        })
    }

    /// A higher rung counts once the value has been above it for `hold`.
    fn rise(&mut self, rule: &Rule, finding: Finding, at: Timestamp) {
        let Finding::Bad(severity) = finding else {
            self.rising = None;
            return;
        };
        if severity <= self.severity {
            self.rising = None;
            return;
        }
        // Of several rungs crossed meanwhile the lowest has held for the whole time.
        let (held, since) = self.rising.map_or((severity, at), |(rung, since)| (rung.min(severity), since));
        self.rising = Some((held, since));
        if at.since(since) >= rule.hold {
            self.severity = held;
            self.worst = self.worst.max(held);
            self.rising = None;
        }
    }

    /// A lower rung counts once the value has been well below that of the severity for as long as a recovery takes.
    /// What recovers as a whole does not become less bad before it is over.
    fn fall(&mut self, rule: &Rule, look: Look, finding: Finding, at: Timestamp) {
        let value = rule.weight(look);
        let lowest = rule.ladder.rungs().next().map_or(self.severity, |(severity, _)| severity);
        let is_below = value < rule.ladder.rung(self.severity) * rule.clear_ratio;
        // Neither silence nor a log that is not read is a sign of health.
        let is_seen = !look.partial && (look.requests > 0 || finding == Finding::Good);
        if self.severity <= lowest || !is_below || !is_seen {
            self.falling = None;
            return;
        }
        let found = if let Finding::Bad(severity) = finding { severity } else { lowest };
        let reached = rule.severity(value).unwrap_or(lowest).max(found);
        // Of several rungs reached meanwhile the highest was never left for the whole time.
        let (most, since) = self.falling.map_or((reached, at), |(most, since)| (most.max(reached), since));
        self.falling = Some((most, since));
        if self.phase == Phase::Firing && at.since(since) >= self.unrest.keep(rule.keep_firing) {
            self.severity = self.severity.min(most);
            self.falling = None;
        }
    }
}

/// Twelve hexadecimal digits that name an episode: the same after a restart and in a replay.
pub(super) fn episode(key: &AlertKey, since: Timestamp) -> Arc<str> {
    let subject = match &key.subject {
        Subject::Api => String::new(),
        Subject::Endpoint(endpoint) => endpoint.to_string(),
        Subject::Source(source) => source.to_string(),
    };
    named(&format!("{}\n{}\n{subject}\n{}", key.rule, key.api.0, since.as_millis()))
}

/// The name of an episode by what makes it one.
pub(super) fn named(text: &str) -> Arc<str> {
    let hex = format!("{:016x}", xxh3_64(text.as_bytes()));
    hex[..12].into()
}

#[cfg(test)]
mod tests;
