//! The plans of all sinks: each hears the same alerts, and is told what is for it.
//!
//! Not the decision what is said: that is [`plan`](super::plan), one for each sink. Rule: the plans know nothing of one
//! another, so a sink that is added, removed or changed changes nothing for the others.

use std::sync::Arc;

use super::audience::Audience;
use super::message::Message;
use super::plan::{Plan, STATE_VERSION, Settings};
use crate::model::alert::{Alert, AlertKey};
use crate::model::inventory::{ApiId, Inventory};
use crate::model::notice::Notice;
use crate::model::past::Past;
use crate::model::saved::{self, RestoreError};
use crate::model::time::Timestamp;

/// How messages are planned, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Planning {
    /// How.
    pub settings: Arc<Settings>,
    /// For whom.
    pub audiences: Vec<Audience>,
}

impl From<Settings> for Planning {
    /// For one who hears of everything.
    fn from(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), audiences: vec![Audience::of_all("-")] }
    }
}

impl Planning {
    /// The settings, as far as a sink has none of its own.
    fn settings_for(&self, audience: &Audience) -> Arc<Settings> {
        match audience.rate {
            Some(rate) => Arc::new(Settings { rate, ..(*self.settings).clone() }),
            None => Arc::clone(&self.settings),
        }
    }
}

/// What stands at one moment of one clock.
#[derive(Clone, Copy, Debug)]
pub enum Moment<'a> {
    /// The rules of an API have looked, in event time.
    Looked {
        /// The API.
        api: ApiId,
        /// All its alerts that fire or have just resolved.
        alerts: &'a [Alert],
    },
    /// Alerts about logs that have begun to fire or have just resolved, in arrival time. Those that go on are not there.
    Sighted(&'a [Alert]),
    /// Something people should know that no rule is about, in arrival time.
    Noticed(&'a Notice),
}

/// A message, and the name of the sink that it is for.
pub type Addressed = (Arc<str>, Message);

/// The plans.
#[derive(Debug)]
pub struct Plans {
    plans: Vec<Plan>,
}

impl Plans {
    /// Plans that have said nothing.
    #[must_use]
    pub fn new(planning: &Planning, inventory: &Arc<Inventory>) -> Self {
        let plan =
            |audience: &Audience| Plan::new(planning.settings_for(audience), audience.clone(), Arc::clone(inventory));
        Self { plans: planning.audiences.iter().map(plan).collect() }
    }

    /// What was said to each sink, as bytes.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let each: Vec<(&Arc<str>, Vec<u8>)> = self.plans.iter().map(|p| (&p.audience().name, p.save())).collect();
        saved::save(STATE_VERSION, &each)
    }

    /// Plans that go on where the saved ones stood: a sink that was not there starts anew, one that is no longer there is
    /// forgotten. APIs may have been added to the inventory.
    ///
    /// # Errors
    /// When the bytes are damaged, of another version, or about more than the inventory has.
    pub fn restore(planning: &Planning, inventory: &Arc<Inventory>, saved: &[u8]) -> Result<Self, RestoreError> {
        let each: Vec<(Arc<str>, Vec<u8>)> = saved::restore(STATE_VERSION, saved)?;
        let plan = |audience: &Audience| {
            let (settings, inventory) = (planning.settings_for(audience), Arc::clone(inventory));
            match each.iter().find(|(name, _)| *name == audience.name) {
                Some((_, saved)) => Plan::restore(settings, audience.clone(), inventory, saved),
                None => Ok(Plan::new(settings, audience.clone(), inventory)),
            }
        };
        Ok(Self { plans: planning.audiences.iter().map(plan).collect::<Result<_, _>>()? })
    }

    /// More is watched from now on.
    pub fn extend(&mut self, inventory: &Arc<Inventory>) {
        self.plans.iter_mut().for_each(|plan| plan.extend(Arc::clone(inventory)));
    }

    /// Takes over a message that was decided for a sink after the state was saved. To be called in the order in which
    /// they were said.
    pub fn adopt(&mut self, to: &Arc<str>, message: &Message, past: Past) {
        for plan in &mut self.plans {
            if plan.audience().name == *to { plan.adopt(message, past) } else { plan.overhear(message) }
        }
    }

    /// Nobody looks at some alerts any more, because their rule is no more: those that were said are resolved.
    pub fn end_unless(&mut self, goes_on: impl Fn(&AlertKey) -> bool) -> Vec<Addressed> {
        self.each(|plan| plan.end_unless(&goes_on))
    }

    /// Time has come to `at`, and this stands. Returns what is to be said.
    pub fn step(&mut self, moment: Moment<'_>, at: Timestamp) -> Vec<Addressed> {
        self.each(|plan| plan.step(moment, at))
    }

    /// These alerts about logs fire at the beginning of a life: whoever never heard of one does now.
    pub fn greet(&mut self, firing: &[Alert], now: Timestamp) -> Vec<Addressed> {
        self.each(|plan| plan.greet(firing, now))
    }

    /// Lets arrival time pass: what is said of logs may be due.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Addressed> {
        self.each(|plan| plan.tick(now))
    }

    /// When the next [`Plans::tick`] is wanted.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.plans.iter().filter_map(Plan::next_deadline).min()
    }

    /// The end of the input: what still waits is said as it stands.
    pub fn finish(&mut self) -> Vec<Addressed> {
        self.each(Plan::finish)
    }

    fn each(&mut self, mut say: impl FnMut(&mut Plan) -> Vec<Message>) -> Vec<Addressed> {
        let mut all = Vec::new();
        for plan in &mut self.plans {
            let name = Arc::clone(&plan.audience().name);
            all.extend(say(plan).into_iter().map(|message| (Arc::clone(&name), message)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::bucket::Rate;
    use super::*;
    use crate::notify::tests::notice;

    #[test]
    fn a_sink_with_a_rate_of_its_own_takes_as_many() {
        let seldom = Audience { rate: Some(Rate { per_second: 0.01, burst: 1 }), ..Audience::of_all("pager") };
        let planning = Planning { audiences: vec![Audience::of_all("mail"), seldom], ..Settings::default().into() };
        let mut plans = Plans::new(&planning, &Arc::default());
        let mut told = |n: u64| -> Vec<String> {
            let notice = Notice { episode: format!("n{n}").into(), ..notice() };
            let said = plans.step(Moment::Noticed(&notice), notice.time);
            said.into_iter().map(|(to, _)| to.to_string()).collect()
        };
        assert_eq!(told(1), ["mail", "pager"]);
        assert_eq!(told(2), ["mail"]);
        let at = notice().time;
        let later = plans.tick(Timestamp::from_millis(at.as_millis() + 100_000));
        assert_eq!(later.iter().map(|(to, _)| &**to).collect::<Vec<_>>(), ["pager"]);
    }
}
