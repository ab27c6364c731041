//! The sources that are read: one task each, a budget for each account and Region, and what they have seen.
//!
//! Not what is read of them. Rule: a log group is read by one task at a time, whoever named it; a number is never given
//! to another group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::keep::Restored;
use super::lookout::{self, Found, look_out};
use super::meter::Meters;
use super::poll::{Around, Delivery, Polling, poll};
use super::room::{Room, Shared, lock};
use crate::aws::quota::Quota;
use crate::config::{Config, Watched};
use crate::model::inventory::{Inventory, Source, SourceId, SourceKind};
use crate::ops::clock::Clock;
use crate::tail::fetch::Connect;
use crate::tail::groups::Change;
use crate::tail::pace::{Interval, Pace};
use crate::tail::quota::{Cadence, DESCRIBE_LOG_GROUPS};
use crate::tail::schedule::Position;
use crate::tail::seen::Seen;

/// Whose quota it is: Region and role.
type Account = (Arc<str>, Option<Arc<str>>);

/// Log groups that are known, of all lives: a pattern may fit any number of them, and a number has sixteen bits.
const SOURCES_MAX: usize = 20_000;

/// Why a log group is refused.
const OWN: &str = "gatewatch's own output goes there, so it is not read; let gatewatch log to another group, or set \
                       allow_own_log_group = true";

/// How sources are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Every request is handed out.
    pub requests: bool,
    /// How far back the first read of a source reaches.
    pub history: Duration,
    /// What was seen is asked for, to be saved.
    pub keep: bool,
    /// The clock.
    pub clock: Clock,
    /// Where it is counted.
    pub meters: Meters,
    /// Ends all tasks.
    pub stop: CancellationToken,
}

/// All of them.
#[derive(Debug)]
pub struct Sources<'a> {
    config: &'a Config,
    reading: Reading,
    inventory: Arc<Inventory>,
    /// By number.
    seen: Vec<Shared>,
    /// By number: it is read at the moment.
    polled: Vec<bool>,
    room: Arc<Room>,
    quotas: BTreeMap<Account, Quota>,
    listings: BTreeMap<Account, Quota>,
    /// The cadence that was said last, by account.
    said: BTreeMap<Account, Cadence>,
    out: Option<mpsc::Sender<Delivery>>,
    tell: Option<mpsc::Sender<Found>>,
    /// Patterns that were not looked up yet.
    unlisted: Vec<Watched>,
    /// Patterns that were, in this life or in one before.
    listed: Vec<Watched>,
    /// It was said that there are too many.
    full: bool,
    /// The tasks.
    pub tasks: JoinSet<()>,
}

impl<'a> Sources<'a> {
    /// Nothing is read yet. Deliveries go to `out`, what patterns find to `tell`.
    #[must_use]
    pub fn new(
        config: &'a Config,
        inventory: Arc<Inventory>,
        reading: Reading,
        out: mpsc::Sender<Delivery>,
        tell: mpsc::Sender<Found>,
    ) -> Self {
        Self {
            config,
            reading,
            inventory,
            seen: Vec::new(),
            polled: Vec::new(),
            room: Arc::new(Room::new(config.poll.max_ids)),
            quotas: BTreeMap::new(),
            listings: BTreeMap::new(),
            said: BTreeMap::new(),
            out: Some(out),
            tell: Some(tell),
            unlisted: Vec::new(),
            listed: Vec::new(),
            full: false,
            tasks: JoinSet::new(),
        }
    }

    /// A life of the same process has looked these patterns up, each of which is watched.
    pub fn listed(&mut self, listed: Vec<Watched>) {
        self.listed = listed;
    }

    /// Begins to read all sources that an API names, and to look out for what its patterns fit.
    ///
    /// # Errors
    /// When a source has no Region.
    pub async fn begin<C: Connect>(
        &mut self,
        restored: Restored,
        patterns: Vec<Watched>,
        connect: &mut C,
    ) -> Result<()> {
        let mut saved = restored.seen.into_iter();
        for (source, number) in Arc::clone(&self.inventory).sources.iter().zip(0_u16..) {
            let mut seen = saved.next().unwrap_or_else(|| Seen::new(self.reading.keep));
            if !source.is_named() {
                seen.retire(self.reading.clock.now());
            }
            self.seen.push(Shared::new(seen.into()));
            self.polled.push(false);
            if source.is_named() {
                let found = patterns.iter().any(|watched| watched.fits(source));
                self.read(SourceId(number), found, connect).await?;
            }
        }
        self.say_cadence();
        for watched in patterns {
            let account = account_of(&watched.like).context("every pattern has a Region")?;
            let logs = connect.logs(&account.0, account.1.as_deref()).await;
            let (share, clock) = (self.config.poll.quota_share, &self.reading.clock);
            let listing = || Quota::start(DESCRIBE_LOG_GROUPS * share, clock.clone());
            let quota = self.listings.entry(account).or_insert_with(listing).clone();
            if let Some(tell) = &self.tell {
                let Reading { clock, meters, stop, .. } = self.reading.clone();
                let around = lookout::Around { quota, clock, meters, tell: tell.clone(), stop };
                if !self.listed.contains(&watched) {
                    self.unlisted.push(watched.clone());
                }
                self.tasks.spawn(look_out(logs, watched, around));
            }
        }
        // The tasks have theirs.
        self.tell = None;
        Ok(())
    }

    /// What a pattern names has changed. True if there is a source that was not there before.
    ///
    /// # Errors
    /// When the source has no Region.
    pub async fn change<C: Connect>(&mut self, found: Found, connect: &mut C) -> Result<bool> {
        let Found { watched, change } = found;
        let Some(change) = change else {
            self.listed.extend(self.unlisted.extract_if(.., |unlisted| *unlisted == *watched));
            return Ok(false);
        };
        let name = match change {
            Change::Appeared(name) => name,
            Change::Recreated(name) => {
                tracing::info!("log group {name} was deleted and made again");
                name
            }
            Change::Gone(name) => {
                // Its own task finds that out, and ends.
                tracing::info!("log group {name}, which fitted {}, is gone", watched.pattern);
                return Ok(false);
            }
            Change::Unreadable(name) => {
                tracing::warn!(
                    "log group {name} fits {} but is not of the Standard class, which FilterLogEvents needs and which \
                     is fixed when a log group is made: let the function log to a new group",
                    watched.pattern
                );
                return Ok(false);
            }
        };
        let mut inventory = Inventory::clone(&self.inventory);
        let before = inventory.sources.len();
        let source = Source {
            role: watched.like.role.clone(),
            ..Source::group(&name, watched.like.region.clone(), watched.like.kind)
        };
        if watched.excepts(&source) {
            tracing::warn!("log group {name} fits {}: {OWN}", watched.pattern);
            return Ok(false);
        }
        if before >= SOURCES_MAX && !inventory.sources.iter().any(|known| known.is(&source)) {
            if !std::mem::replace(&mut self.full, true) {
                tracing::warn!(
                    "log group {name} fits {} and is not read: {SOURCES_MAX} log groups are known already, those that are \
                     gone among them; name fewer by the pattern, or start with an empty state_dir",
                    watched.pattern
                );
            }
            return Ok(false);
        }
        let id = inventory.add_source_of(watched.api, source);
        let new = inventory.sources.len() > before;
        self.inventory = Arc::new(inventory);
        if new {
            self.seen.push(Shared::new(Seen::new(self.reading.keep).into()));
            self.polled.push(false);
        }
        if !self.polled[id.index()] {
            tracing::info!("log group {name} fits {} and is read from now on", watched.pattern);
            self.read(id, true, connect).await?;
            self.say_cadence();
        }
        Ok(new)
    }

    /// What is watched.
    #[must_use]
    pub const fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    /// Patterns that were not looked up yet.
    #[must_use]
    pub const fn unlisted(&self) -> usize {
        self.unlisted.len()
    }

    /// Patterns that were looked up.
    #[must_use]
    pub fn patterns(&self) -> &[Watched] {
        &self.listed
    }

    /// The sources that are read at the moment.
    pub fn read_now(&self) -> impl Iterator<Item = SourceId> {
        (0_u16..).map(SourceId).zip(&self.polled).filter(|(_, polled)| **polled).map(|(id, _)| id)
    }

    /// What is counted of the work of reading.
    #[must_use]
    pub const fn meters(&self) -> &Meters {
        &self.reading.meters
    }

    /// What each source has seen, by number.
    pub fn seen(&self) -> impl Iterator<Item = &Shared> {
        self.seen.iter()
    }

    /// The longest time between two hot reads of any source.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        self.said.values().map(|cadence| cadence.reachable).max().unwrap_or_default()
    }

    /// The facts of the batch under way are counted.
    pub fn commit(&self, source: SourceId, position: Option<Position>) {
        lock(&self.seen[source.index()]).commit(position);
    }

    /// A source's task has ended, because its log group is gone.
    pub fn gone(&mut self, source: SourceId) {
        self.polled[source.index()] = false;
        lock(&self.seen[source.index()]).retire(self.reading.clock.now());
        tracing::info!("log group {} is gone and no longer read", self.inventory.source(source).name);
    }

    /// Whether somebody new may deliver something.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.out.is_some()
    }

    /// After a stop nobody new will deliver anything.
    pub fn close(&mut self) {
        self.out = None;
    }

    async fn read<C: Connect>(&mut self, id: SourceId, found: bool, connect: &mut C) -> Result<()> {
        let Some(out) = self.out.clone() else { return Ok(()) };
        let source = self.inventory.source(id).clone();
        let account = account_of(&source).with_context(|| format!("log group {} has no Region", source.name))?;
        let logs = connect.logs(&account.0, account.1.as_deref()).await;
        let (rate, pace, clock) = (self.rate(&account), self.pace(&source, &account), self.reading.clock.clone());
        let quota = self.quotas.entry(account).or_insert_with(|| Quota::start(rate, clock.clone())).clone();
        let api = self.inventory.api_of(source.kind);
        let polling = Polling {
            id,
            pace,
            origin: clock.now().minus(self.reading.history),
            format: api.and_then(|api| self.config.format(&api.name, source.kind)),
            // A request that the execution log has counted is told by its ID.
            requests: self.reading.requests
                || matches!(source.kind, SourceKind::Access(api) if self.inventory.has_execution(api)),
            found,
            source,
        };
        let seen = Arc::clone(&self.seen[id.index()]);
        let Reading { meters, stop, .. } = self.reading.clone();
        let around = Around { clock, quota, seen, room: Arc::clone(&self.room), meters, out, stop };
        self.polled[id.index()] = true;
        self.tasks.spawn(poll(logs, polling, around));
        Ok(())
    }

    /// How a source is to be read: as was asked for.
    fn asked_pace(&self, source: &Source, interval: Interval) -> Pace {
        let lag = self.inventory.api_of(source.kind).map_or(Duration::ZERO, |api| api.integration_timeout);
        Pace::new(interval, lag, self.config.longest_window(), self.config.poll.max_catchup)
    }

    /// How a source is read: as far apart as the budget brings it about, and then deeper as well, or a gap would be seen
    /// between each two reads.
    fn pace(&self, source: &Source, account: &Account) -> Pace {
        let asked = self.config.poll.interval;
        let same = |other: &&Source| other.is_named() && account_of(other).as_ref() == Some(account);
        let sources = self.inventory.sources.iter().filter(same).count();
        let reachable = Cadence::of(sources, self.rate(account), &self.asked_pace(source, asked)).reachable;
        let start = asked.start.max(reachable);
        self.asked_pace(source, Interval { start, max: asked.max.max(start), ..asked })
    }

    /// Requests a second that may be made in this account and Region.
    fn rate(&self, account: &Account) -> f64 {
        self.config.poll.rate(&account.0)
    }

    /// Says which cadence can be reached, and warns where it is worse than was asked for; again when it changes.
    fn say_cadence(&mut self) {
        let mut accounts: BTreeMap<Account, Vec<&Source>> = BTreeMap::new();
        for (source, _) in self.inventory.sources.iter().zip(&self.polled).filter(|(_, polled)| **polled) {
            if let Some(account) = account_of(source) {
                accounts.entry(account).or_default().push(source);
            }
        }
        for (account, sources) in accounts {
            let cadence = Cadence::of(
                sources.len(),
                self.rate(&account),
                &self.asked_pace(sources[0], self.config.poll.interval),
            );
            let known = self.said.insert(account.clone(), cadence);
            if known == Some(cadence) {
                continue;
            }
            let role = account.1.map(|role| format!(" as {role}")).unwrap_or_default();
            if cadence.is_short() {
                tracing::warn!(
                    "{}{role}: {cadence}; raise poll.quota_share, or watch fewer log groups, or set a longer \
                     poll.interval",
                    account.0
                );
            } else if known.is_none() {
                tracing::info!("{}{role}: {cadence}", account.0);
            }
        }
    }
}

/// Says which log groups are not read because gatewatch's own output goes there.
pub fn say_refused(config: &Config, region: &str) {
    for (api, group) in config.refused(region) {
        tracing::warn!("log group {group} of API {api}: {OWN}");
    }
}

fn account_of(source: &Source) -> Option<Account> {
    Some((Arc::clone(source.region.as_ref()?), source.role.clone()))
}
