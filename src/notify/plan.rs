//! What is said about alerts, and when: pure, on the alerts' own clock.
//!
//! The engine hands out every alert as it stands at each step of event time. A new one waits up to `group_wait` for
//! its explanations and is then said; one that ends before is never said. Rule: an episode is said as firing at most
//! once as new, and as resolved exactly once if it was said at all; `seq` counts what was said of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::audience::Audience;
use super::message::{AlertMessage, Message};
use super::plans::Moment;
use super::query;
use crate::model::alert::{Alert, AlertKey, CauseCount, Reason, Severity, State};
use crate::model::cause::CauseKind;
use crate::model::inventory::Inventory;
use crate::model::saved::{self, RestoreError};
use crate::model::time::Timestamp;

/// Version of the saved form: it changes with any type that is saved, and older state is then refused.
pub const STATE_VERSION: u32 = 2;

/// How messages are planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a new alert waits for its failures to be explained. It does not wait when all causes are certain.
    pub group_wait: Duration,
    /// Least time between a message and a further one about changed causes of the same alert.
    pub group_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { group_wait: Duration::from_secs(10), group_interval: Duration::from_mins(1) }
    }
}

/// What was said of an episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    episode: Arc<str>,
    first_seen: Timestamp,
    seq: u32,
    severity: Severity,
    causes: Vec<CauseCount>,
    at: Timestamp,
    /// The newest look, in case the input ends before the wait does.
    latest: Alert,
}

/// The plan.
#[derive(Debug)]
pub struct Plan {
    settings: Arc<Settings>,
    audience: Audience,
    inventory: Arc<Inventory>,
    said: BTreeMap<AlertKey, Said>,
}

impl Plan {
    /// A plan that has said nothing.
    #[must_use]
    pub const fn new(settings: Arc<Settings>, audience: Audience, inventory: Arc<Inventory>) -> Self {
        Self { settings, audience, inventory, said: BTreeMap::new() }
    }

    /// Whom it is for.
    #[must_use]
    pub const fn audience(&self) -> &Audience {
        &self.audience
    }

    /// What was said of each alert that stands, as bytes.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        saved::save(STATE_VERSION, &self.said)
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
        let said: BTreeMap<AlertKey, Said> = saved::restore(STATE_VERSION, saved)?;
        if said.iter().any(|(key, said)| said.latest.key != *key) {
            return Err(RestoreError::Damaged);
        }
        let apis = said.keys().map(|key| key.api.index() + 1).max().unwrap_or(0);
        if apis > inventory.apis.len() {
            return Err(RestoreError::Shrunk { apis, sources: 0 });
        }
        Ok(Self { settings, audience, inventory, said })
    }

    /// More is watched from now on.
    pub fn extend(&mut self, inventory: Arc<Inventory>) {
        self.inventory = inventory;
    }

    /// Takes over a message that an earlier life of this plan decided after the state was saved, so that it is not
    /// said again and what is said next counts on. To be called in the order in which they were said.
    pub fn adopt(&mut self, message: &Message) {
        let Message::Alert(message) = message else { return };
        let AlertMessage { alert, seq, .. } = &**message;
        if alert.state == State::Resolved {
            self.said.remove(&alert.key);
            return;
        }
        let said = Said {
            episode: Arc::clone(&alert.episode),
            first_seen: alert.time,
            seq: *seq,
            severity: alert.severity,
            causes: alert.causes.clone(),
            at: alert.time,
            latest: alert.clone(),
        };
        self.said.insert(alert.key.clone(), said);
    }

    /// Nobody looks at some alerts any more, because their rule is no more: those that were said are resolved, as of
    /// their newest look.
    pub fn end_unless(&mut self, goes_on: impl Fn(&AlertKey) -> bool) -> Vec<Message> {
        let over: Vec<AlertKey> = self.said.keys().filter(|key| !goes_on(key)).cloned().collect();
        let over = over.iter().filter_map(|key| self.said.remove(key)).filter(|said| said.seq > 0);
        let resolved = over.map(|said| {
            let alert = Alert { state: State::Resolved, holds: false, causes: said.causes, ..said.latest };
            let seq = said.seq.saturating_add(1);
            Message::from(AlertMessage {
                api: name(&self.inventory, &alert),
                reason: Reason::Resolved,
                seq,
                query: None,
                alert,
            })
        });
        resolved.collect()
    }

    /// Time has come to `at`, and this stands. Returns what is to be said.
    pub fn step(&mut self, moment: Moment<'_>, _at: Timestamp) -> Vec<Message> {
        match moment {
            Moment::Looked(alerts) | Moment::Sighted(alerts) => {
                let wanted: Vec<_> = alerts.iter().filter(|a| self.audience.wants(a, &self.inventory)).collect();
                wanted.into_iter().filter_map(|alert| self.look(alert.clone())).map(Message::from).collect()
            }
            Moment::Noticed(notice) if self.audience.min_severity == Severity::Elevated => vec![notice.clone().into()],
            Moment::Noticed(_) => Vec::new(),
        }
    }

    /// Lets arrival time pass.
    pub fn tick(&mut self, _now: Timestamp) -> Vec<Message> {
        Vec::new()
    }

    /// When the next tick is wanted.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// An alert as it stands; returns the message that is due by it, if one is.
    fn look(&mut self, alert: Alert) -> Option<AlertMessage> {
        if self.said.get(&alert.key).is_some_and(|s| s.episode != alert.episode) {
            self.said.remove(&alert.key);
        }
        let said = self.said.entry(alert.key.clone()).or_insert_with(|| Said {
            episode: Arc::clone(&alert.episode),
            first_seen: alert.time,
            seq: 0,
            severity: alert.severity,
            causes: Vec::new(),
            at: alert.time,
            latest: alert.clone(),
        });
        let reason = needs_saying(said, &alert, &self.settings);
        if alert.state == State::Resolved {
            let said = self.said.remove(&alert.key)?;
            let alert = Alert { causes: said.causes, ..alert };
            return reason.map(|reason| AlertMessage {
                api: name(&self.inventory, &alert),
                reason,
                seq: said.seq.saturating_add(1),
                query: None,
                alert,
            });
        }
        said.latest = alert;
        let inventory = &self.inventory;
        reason.map(|reason| said.say(reason, inventory))
    }

    /// The end of the input: what still waits is said as it stands.
    pub fn finish(&mut self) -> Vec<Message> {
        let inventory = &self.inventory;
        self.said.values_mut().filter(|s| s.seq == 0).map(|s| s.say(Reason::New, inventory).into()).collect()
    }
}

impl Said {
    fn say(&mut self, reason: Reason, inventory: &Inventory) -> AlertMessage {
        self.seq = self.seq.saturating_add(1);
        self.severity = self.latest.severity;
        self.causes.clone_from(&self.latest.causes);
        self.at = self.latest.time;
        let alert = self.latest.clone();
        AlertMessage { api: name(inventory, &alert), reason, seq: self.seq, query: query::of(&alert, inventory), alert }
    }
}

fn name(inventory: &Inventory, alert: &Alert) -> Arc<str> {
    Arc::clone(&inventory.api(alert.key.api).name)
}

/// The ladder of reasons; the first that holds.
fn needs_saying(said: &Said, alert: &Alert, settings: &Settings) -> Option<Reason> {
    if alert.state == State::Resolved {
        // Fired and resolved between two messages: nobody was told, so nobody is told.
        return (said.seq > 0).then_some(Reason::Resolved);
    }
    if said.seq == 0 {
        let waited = alert.time.since(said.first_seen) >= settings.group_wait;
        // What is over already is no news any more.
        return (alert.holds && (waited || alert.settled())).then_some(Reason::New);
    }
    if alert.severity > said.severity {
        return Some(Reason::Escalated);
    }
    let rested = alert.time.since(said.at) >= settings.group_interval;
    (rested && others(&said.causes, &alert.causes)).then_some(Reason::CausesChanged)
}

/// The causes are others: one that was not said makes up a fifth of the failures or more. New counts of known causes
/// are no news, and "not explained" is none either.
fn others(said: &[CauseCount], now: &[CauseCount]) -> bool {
    let all: u64 = now.iter().map(|c| c.count).sum();
    let same = |a: &CauseCount, b: &CauseCount| {
        a.kind == b.kind && a.sample.error_type == b.sample.error_type && a.sample.function == b.sample.function
    };
    now.iter().filter(|c| c.kind != CauseKind::Unknown && c.count * 5 >= all).any(|c| !said.iter().any(|s| same(s, c)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alert::{CauseSample, Measure, Subject};
    use crate::model::inventory::{Api, ApiId};

    fn plan() -> Plan {
        let api = Api::plain("shop");
        Plan::new(Arc::default(), Audience::of_all("-"), Arc::new(Inventory { apis: vec![api], sources: Vec::new() }))
    }

    fn alert(seconds: i64, state: State, severity: Severity, causes: &[(CauseKind, u64)]) -> Alert {
        Alert {
            key: AlertKey { rule: "api-5xx".into(), api: ApiId(0), subject: Subject::Api },
            state,
            severity,
            worst: severity,
            measure: Measure::Failures,
            value: 0.4,
            threshold: 0.01,
            errors: 12,
            requests: 30,
            window: Duration::from_mins(5),
            time: Timestamp::from_millis(seconds * 1000),
            since: Timestamp::from_millis(0),
            episode: "e1".into(),
            holds: state == State::Firing,
            causes: causes
                .iter()
                .map(|(kind, count)| CauseCount {
                    kind: *kind,
                    count: *count,
                    certain: if *kind == CauseKind::Unknown { 0 } else { *count },
                    sample: CauseSample::default(),
                })
                .collect(),
            flapping: false,
            endpoints: Vec::new(),
            blindness: None,
        }
    }

    const KNOWN: &[(CauseKind, u64)] = &[(CauseKind::UnhandledException, 12)];
    const HALF: &[(CauseKind, u64)] = &[(CauseKind::UnhandledException, 6), (CauseKind::Unknown, 6)];

    fn reasons(alerts: impl IntoIterator<Item = Alert>) -> Vec<Option<(Reason, u32)>> {
        let mut plan = plan();
        alerts.into_iter().map(|a| plan.look(a).map(|m| (m.reason, m.seq))).collect()
    }

    #[test]
    fn what_is_explained_is_said_at_once_and_resolved_once() {
        let got = reasons([
            alert(10, State::Firing, Severity::Critical, KNOWN),
            alert(20, State::Firing, Severity::Critical, KNOWN),
            alert(30, State::Resolved, Severity::Critical, &[]),
        ]);
        assert_eq!(got, [Some((Reason::New, 1)), None, Some((Reason::Resolved, 2))]);
    }

    #[test]
    fn what_is_not_explained_waits_and_is_then_said_as_it_stands() {
        let got = reasons([
            alert(10, State::Firing, Severity::High, HALF),
            alert(15, State::Firing, Severity::High, HALF),
            alert(20, State::Firing, Severity::High, HALF),
        ]);
        assert_eq!(got, [None, None, Some((Reason::New, 1))]);
    }

    #[test]
    fn what_ends_before_it_was_said_is_never_said() {
        let got =
            reasons([alert(10, State::Firing, Severity::High, HALF), alert(15, State::Resolved, Severity::High, &[])]);
        assert_eq!(got, [None, None]);
    }

    #[test]
    fn escalation_is_said_at_once_changed_causes_after_a_while() {
        let timeouts: &[(CauseKind, u64)] = &[(CauseKind::UnhandledException, 6), (CauseKind::LambdaTimeout, 6)];
        let got = reasons([
            alert(10, State::Firing, Severity::High, KNOWN),
            alert(20, State::Firing, Severity::Critical, KNOWN),
            alert(30, State::Firing, Severity::Critical, timeouts),
            alert(80, State::Firing, Severity::Critical, timeouts),
            alert(90, State::Firing, Severity::Critical, timeouts),
        ]);
        let want = [Some((Reason::New, 1)), Some((Reason::Escalated, 2)), None, Some((Reason::CausesChanged, 3)), None];
        assert_eq!(got, want);
    }

    #[test]
    fn a_resolve_tells_the_causes_that_were_said() {
        let mut plan = plan();
        plan.look(alert(10, State::Firing, Severity::High, KNOWN));
        let resolved = plan.look(alert(20, State::Resolved, Severity::High, &[])).expect("said");
        assert_eq!(resolved.alert.causes.len(), 1);
        assert!(plan.said.is_empty(), "nothing is kept of what is over");
    }

    #[test]
    fn the_saved_form_changes_with_its_version_alone() {
        let mut plan = plan();
        plan.look(alert(10, State::Firing, Severity::High, HALF));
        let hash = xxhash_rust::xxh3::xxh3_64(&plan.save());
        assert_eq!(
            (STATE_VERSION, format!("{hash:016x}").as_str()),
            (1, "2cb07860dc8e91fb"),
            "the saved form has changed: raise STATE_VERSION and put the new hash here"
        );
    }

    #[test]
    fn what_is_adopted_is_not_said_again_and_counts_on() {
        let mut first = plan();
        let saved = first.save();
        let new = first.look(alert(10, State::Firing, Severity::High, KNOWN)).expect("said");
        let restore = || {
            Plan::restore(Arc::default(), Audience::of_all("-"), Arc::clone(&plan().inventory), &saved).expect("saved")
        };
        let mut next = restore();
        next.adopt(&new.clone().into());
        assert_eq!(next.look(alert(20, State::Firing, Severity::High, KNOWN)), None);
        let worse = next.look(alert(30, State::Firing, Severity::Critical, KNOWN)).expect("said");
        assert_eq!((worse.reason, worse.seq), (Reason::Escalated, 2));
        let resolved = next.look(alert(40, State::Resolved, Severity::Critical, &[])).expect("said");
        let mut last = restore();
        for message in [&new, &worse, &resolved] {
            last.adopt(&message.clone().into());
        }
        assert!(last.said.is_empty());
        last.adopt(&worse.clone().into());
        assert!(last.end_unless(|_| true).is_empty());
        let over = last.end_unless(|key| *key.rule != *"api-5xx");
        assert_eq!(
            (over.len(), over[0].alert().unwrap().reason, over[0].seq(), over[0].alert().unwrap().alert.state),
            (1, Reason::Resolved, 3, State::Resolved)
        );
        assert!(last.said.is_empty());
        let none = Arc::new(Inventory::default());
        next.adopt(&new.clone().into());
        let got = Plan::restore(Arc::default(), Audience::of_all("-"), none, &next.save()).map(drop);
        assert_eq!(got, Err(RestoreError::Shrunk { apis: 1, sources: 0 }));
    }

    #[test]
    fn at_the_end_of_the_input_what_waits_is_said() {
        let mut plan = plan();
        plan.look(alert(10, State::Firing, Severity::High, HALF));
        assert_eq!(plan.finish().len(), 1);
        assert!(plan.finish().is_empty());
    }
}
