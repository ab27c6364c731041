//! The log groups that are watched: whether each exists, can be read, and how often.
//!
//! Rule: the quota of reading is shared with the daemon that may run, and kept like it keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::steps::Steps;
use crate::aws::clients::Clients;
use crate::aws::fetch::LogsFetch;
use crate::aws::inspect::GroupFacts;
use crate::aws::quota::Quota;
use crate::check::evidence::{Caller, Listed, LogGroup, Polling, Purpose, Read};
use crate::config::Config;
use crate::model::deployed::Unasked;
use crate::model::inventory::{Inventory, Source, SourceKind, name_of_group};
use crate::model::problem::Problem;
use crate::ops::clock::Clock;
use crate::tail::fetch::{Connect, FetchError};
use crate::tail::groups::Pattern;
use crate::tail::pace::Pace;
use crate::tail::quota::{Cadence, DESCRIBE_LOG_GROUPS};

/// How far back an event is asked for: little to search.
const BACK: Duration = Duration::from_mins(5);
/// Times that a request is made which the service refuses as too many.
const TRIES: u32 = 4;
/// Log groups that are looked at together; each waits for its turn besides.
const TOGETHER: usize = 8;

/// Where and as whom is asked.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The Region of APIs that name none.
    pub(super) region: &'a str,
    pub(super) caller: Option<&'a Caller>,
}

/// What was found.
pub(super) struct Groups {
    /// By API.
    pub(super) by_api: Vec<Vec<LogGroup>>,
    pub(super) polling: Vec<Polling>,
    /// Those that exist, by name or by pattern.
    pub(super) inventory: Inventory,
    turns: BTreeMap<Account, (LogsFetch, Turns)>,
}

impl Groups {
    /// What reads a log group, and its turns.
    pub(super) fn turns_of(&self, source: &Source) -> &(LogsFetch, Turns) {
        &self.turns[&account_of(source)]
    }
}

/// Region and role.
type Account = (Arc<str>, Option<Arc<str>>);

/// Turns of one account and Region.
#[derive(Clone)]
pub(super) struct Turns {
    pub(super) reading: Quota,
    listing: Quota,
    clock: Clock,
}

/// Looks at all log groups of the configuration.
pub(super) async fn look(
    config: &Config,
    clients: &mut Clients,
    place: Place<'_>,
    clock: &Clock,
    steps: &Steps,
) -> Groups {
    let mut inventory = config.inventory(place.region);
    let mut by_api: Vec<Vec<LogGroup>> = config.apis.iter().map(|_| Vec::new()).collect();
    let mut turns: BTreeMap<Account, (LogsFetch, Turns)> = BTreeMap::new();
    let patterns = config.patterns(&inventory, place.region);
    let accounts = inventory.sources.iter().chain(patterns.iter().map(|watched| &watched.like)).map(account_of);
    for account in accounts.collect::<std::collections::BTreeSet<_>>() {
        let logs = clients.logs(&account.0, account.1.as_deref()).await;
        let reading = Quota::start(config.poll.rate(&account.0), clock.clone());
        let listing = Quota::start(DESCRIBE_LOG_GROUPS * config.poll.quota_share, clock.clone());
        turns.insert(account, (logs, Turns { reading, listing, clock: clock.clone() }));
    }
    let mut facts: BTreeMap<(Account, Arc<str>), Listed> = BTreeMap::new();
    for watched in patterns {
        steps.say(&format!("looking up {}", watched.pattern));
        let account = account_of(&watched.like);
        let (logs, turns) = &turns[&account];
        let unfit = |listed| LogGroup {
            name: watched.pattern.text().into(),
            purpose: purpose(watched.like.kind),
            listed,
            read: Read::Untried,
        };
        match list(logs, &watched.pattern, turns).await {
            Ok(groups) if groups.is_empty() => by_api[watched.api.index()].push(unfit(Listed::NoneFits)),
            Ok(groups) => {
                for group in groups {
                    let source = Source { name: Arc::clone(&group.name), ..watched.like.clone() };
                    facts.insert((account.clone(), Arc::clone(&group.name)), listed(group));
                    if !watched.excepts(&source) {
                        inventory.add_source_of(watched.api, source);
                    }
                }
            }
            Err(error) => {
                let why = unasked("logs:DescribeLogGroups", "*", &account, place.caller, error);
                by_api[watched.api.index()].push(unfit(Listed::Unasked(why)));
            }
        }
    }
    let mut looks: JoinSet<(Source, Listed, Read)> = JoinSet::new();
    let mut done = 0;
    let mut waiting = inventory.sources.iter().filter(|source| !source.apis.is_empty());
    loop {
        while looks.len() < TOGETHER
            && let Some(source) = waiting.next()
        {
            let account = account_of(source);
            let known = facts.remove(&(account.clone(), Arc::clone(&source.name)));
            let (logs, turns) = turns[&account].clone();
            let (source, caller) = (source.clone(), place.caller.cloned());
            looks.spawn(async move { one(source, known, &logs, &turns, &account, caller.as_ref()).await });
        }
        let Some(look) = looks.join_next().await else { break };
        let (source, listed, read) = look.expect("a look does not panic");
        done += 1;
        steps.say(&format!("looking at log groups, {done} of {}", inventory.sources.len()));
        for api in &source.apis {
            let group = LogGroup {
                name: Arc::clone(&source.name),
                purpose: purpose(source.kind),
                listed: listed.clone(),
                read: read.clone(),
            };
            by_api[api.index()].push(group);
        }
    }
    for groups in &mut by_api {
        groups.sort_by(|a, b| (a.purpose, &a.name).cmp(&(b.purpose, &b.name)));
    }
    Groups { by_api, polling: polling(config, &inventory), inventory, turns }
}

/// Looks at one log group.
async fn one(
    source: Source,
    known: Option<Listed>,
    logs: &LogsFetch,
    turns: &Turns,
    account: &Account,
    caller: Option<&Caller>,
) -> (Source, Listed, Read) {
    let name = name_of_group(&source.name).to_owned();
    let from = turns.clock.now().minus(BACK);
    let read = again(&turns.reading, &turns.clock, || logs.probe(&source.name, from)).await;
    let read = match read {
        Ok(()) => Read::Can,
        Err(error) => Read::Cannot(unasked("logs:FilterLogEvents", &name, account, caller, error)),
    };
    let listed = match known {
        Some(known) => known,
        None => match list(logs, &Pattern::exactly(&source.name), turns).await {
            Ok(groups) => groups.into_iter().next().map_or(Listed::Missing, listed),
            Err(error) => Listed::Unasked(unasked("logs:DescribeLogGroups", "*", account, caller, error)),
        },
    };
    (source, listed, read)
}

fn listed(group: GroupFacts) -> Listed {
    Listed::Is { class: group.class, days: group.days }
}

/// All log groups that fit.
async fn list(logs: &LogsFetch, pattern: &Pattern, turns: &Turns) -> Result<Vec<GroupFacts>, FetchError> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let ask = || logs.facts(pattern, token.clone());
        let (groups, next) = again(&turns.listing, &turns.clock, ask).await?;
        all.extend(groups);
        // Of one name there is one group, and it is the first that begins so.
        let found = Pattern::of(pattern.text()).is_none() && !all.is_empty();
        match next {
            Some(next) if !found => token = Some(next),
            Some(_) | None => return Ok(all),
        }
    }
}

/// Asks when it is its turn, and again where it was refused as too much.
pub(super) async fn again<T, F: Future<Output = Result<T, FetchError>>>(
    quota: &Quota,
    clock: &Clock,
    ask: impl Fn() -> F,
) -> Result<T, FetchError> {
    let mut tries = 1;
    loop {
        quota.turn(clock.now()).await;
        match ask().await {
            Err(error) if error.problem == Problem::Throttled && tries < TRIES => quota.throttled(),
            answer => return answer,
        }
        tries += 1;
    }
}

/// With the ARN that a policy names. `*` stands for what is not known.
fn unasked(
    action: &'static str,
    group: &str,
    account: &Account,
    caller: Option<&Caller>,
    error: FetchError,
) -> Unasked {
    let of_caller = |nth: usize| caller.and_then(|caller| caller.arn.split(':').nth(nth));
    let partition = of_caller(1).unwrap_or("aws");
    // A role belongs to an account of its own.
    let of_role = account.1.as_deref().and_then(|role| role.split(':').nth(4));
    let number = of_role.or(of_caller(4)).unwrap_or("*");
    let region = &account.0;
    let end = if group == "*" { "" } else { ":*" };
    let resource = format!("arn:{partition}:logs:{region}:{number}:log-group:{group}{end}");
    Unasked { action, resource: resource.into(), problem: error.problem, said: error.said.into() }
}

fn purpose(kind: SourceKind) -> Purpose {
    match kind {
        SourceKind::Access(_) => Purpose::Access,
        SourceKind::Lambda => Purpose::Lambda,
        SourceKind::Execution(_) => Purpose::Execution,
    }
}

fn account_of(source: &Source) -> Account {
    (source.region.clone().expect("a configured log group has a Region"), source.role.clone())
}

/// How often the log groups of each account and Region can be read.
fn polling(config: &Config, inventory: &Inventory) -> Vec<Polling> {
    let mut counts: BTreeMap<Account, usize> = BTreeMap::new();
    for source in inventory.sources.iter().filter(|source| !source.apis.is_empty()) {
        *counts.entry(account_of(source)).or_default() += 1;
    }
    let pace = Pace::new(config.poll.interval, Duration::ZERO, config.longest_window(), config.poll.max_catchup);
    let each = counts.into_iter().map(|((region, role), count)| {
        let cadence = Cadence::of(count, config.poll.rate(&region), &pace);
        let whose = match role {
            Some(role) => format!("{region} as {role}").into(),
            None => region,
        };
        Polling { place: whose, said: cadence.to_string(), short: cadence.is_short() }
    });
    each.collect()
}
