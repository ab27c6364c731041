//! The scenario file as it is written, and how it becomes a [`Scenario`].
//!
//! Not its playing. Rule: strict; an unknown key, a share above 1 or a group that is not there is a mistake, because a
//! fault that quietly never comes makes a test that quietly tests nothing.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::super::traffic::{Kind, Shifted};
use super::super::{Class, Ill, Lag, Operation, Traffic, Trouble};
use super::{Group, Scenario, ScenarioError, Shop, offset, shop_groups};
use crate::model::time::{Timestamp, human, parse_human};

/// How far ahead CloudWatch Logs takes a stamp.
const AHEAD_MAX: Duration = Duration::from_hours(2);
/// How far back it takes one.
const BACK_MAX: Duration = Duration::from_hours(14 * 24);
/// More in one group than a simulation can make.
const RATE_MAX: f64 = 100_000.0;
const STREAMS_MAX: u32 = 100_000;
/// The largest event CloudWatch Logs takes, in bytes.
const BYTES_MAX: usize = 1_048_550;

/// A duration as text, such as `"30s"`.
#[derive(Clone, Copy, Debug, Default)]
struct Span(Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let text = String::deserialize(de)?;
        parse_human(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    history: Span,
    length: Option<Span>,
    keep: Option<Span>,
    #[serde(default)]
    account: Account,
    #[serde(default)]
    shop: ShopKey,
    #[serde(default)]
    group: Vec<Spanned<GroupTable>>,
    #[serde(default)]
    fault: Vec<Spanned<FaultTable>>,
}

/// Quotas are calls per second.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    filter_log_events: Option<u32>,
    describe_log_groups: Option<u32>,
    newest_first: Option<bool>,
}

/// `shop = true`, or a table.
#[derive(Deserialize)]
#[serde(untagged, expecting = "shop must be true, false, or a table of deploy, rollback and rate")]
enum ShopKey {
    Plain(bool),
    Table(ShopTable),
}

impl Default for ShopKey {
    fn default() -> Self {
        Self::Plain(false)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShopTable {
    deploy: Option<Span>,
    rollback: Option<Span>,
    rate: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupTable {
    name: String,
    #[serde(default)]
    kind: KindName,
    #[serde(default)]
    rate: f64,
    streams: Option<u32>,
    stream_life: Option<Span>,
    bytes: Option<usize>,
    failing: Option<f64>,
    lag: Option<LagTable>,
    late: Option<ShiftTable>,
    future: Option<ShiftTable>,
    #[serde(default)]
    stray: Vec<StrayTable>,
    from: Option<Span>,
    to: Option<Span>,
    #[serde(default)]
    class: ClassName,
    #[serde(default)]
    lives: Vec<LifeTable>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum KindName {
    Access,
    Lambda,
    #[default]
    Plain,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ClassName {
    #[default]
    Standard,
    InfrequentAccess,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LagTable {
    p50: Span,
    p99: Span,
    tail: Option<Span>,
    tail_share: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShiftTable {
    share: f64,
    up_to: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrayTable {
    at: Span,
    ahead: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LifeTable {
    from: Span,
    to: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultTable {
    kind: FaultName,
    group: Option<String>,
    operation: Option<OperationName>,
    from: Option<Span>,
    to: Option<Span>,
    probability: Option<f64>,
    count: Option<u32>,
    delay: Option<LagTable>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum FaultName {
    AccessDenied,
    ExpiredCredentials,
    Missing,
    Infrequent,
    Throttle,
    EmptyPage,
    DuplicateToken,
    RefusedToken,
    Unavailable,
    Internal,
    Slow,
    Hang,
    Reset,
    ResetInBody,
    Burst,
}

#[derive(Clone, Copy, Deserialize)]
enum OperationName {
    FilterLogEvents,
    DescribeLogGroups,
}

/// The places of a table and a sentence about what is wrong in it.
type Wrong = (Range<usize>, String);

/// Reads and checks a whole file.
pub(super) fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    let file: File =
        toml::from_str(text).map_err(|e| ScenarioError::new(text, e.span(), e.message().replace('\n', "; ")))?;
    scenario(file).map_err(|(place, wrong)| {
        let place = if place.is_empty() { None } else { Some(place) };
        ScenarioError::new(text, place, wrong)
    })
}

fn scenario(file: File) -> Result<Scenario, Wrong> {
    let shop = match file.shop {
        ShopKey::Plain(false) => None,
        ShopKey::Plain(true) => Some(ShopTable::default()),
        ShopKey::Table(table) => Some(table),
    };
    let shop = shop.map(|table| shop_of(&table)).transpose().map_err(|wrong| (0..0, wrong))?;
    let mut names: BTreeSet<String> = shop.iter().flat_map(|_| shop_groups()).map(ToOwned::to_owned).collect();
    let mut groups = Vec::new();
    for (nth, table) in (1..).zip(file.group) {
        let (place, table) = (table.span(), table.into_inner());
        let name = table.name.clone();
        let wrong = |wrong: String| (place.clone(), format!("group `{name}`: {wrong}"));
        if !names.insert(name.clone()) {
            return Err(wrong("there is another group of this name".to_owned()));
        }
        let seed = file.seed.wrapping_mul(1000).wrapping_add(nth);
        groups.push(group(&table, seed, file.history.0).map_err(wrong)?);
    }
    let mut troubles = Vec::new();
    for (nth, table) in (1..).zip(file.fault) {
        let (place, table) = (table.span(), table.into_inner());
        let wrong = |wrong: String| (place.clone(), format!("fault {nth}: {wrong}"));
        if let Some(name) = &table.group
            && !names.contains(name)
        {
            let known = names.iter().cloned().collect::<Vec<_>>().join(", ");
            return Err(wrong(format!("group = \"{name}\": the scenario has no such group; it has {known}")));
        }
        if table.kind == FaultName::Burst {
            burst(&table, &mut groups).map_err(wrong)?;
        } else {
            troubles.push(trouble(&table).map_err(wrong)?);
        }
    }
    for group in &mut groups {
        group.traffic.bursts.sort_unstable();
    }
    let quotas = [
        (Operation::FilterLogEvents, file.account.filter_log_events),
        (Operation::DescribeLogGroups, file.account.describe_log_groups),
    ];
    Ok(Scenario {
        seed: file.seed,
        history: file.history.0,
        length: file.length.map(|length| length.0),
        keep: file.keep.map(|keep| keep.0),
        newest_first: file.account.newest_first.unwrap_or(true),
        quotas: quotas.into_iter().filter_map(|(operation, quota)| Some((operation, quota?))).collect(),
        shop,
        groups,
        troubles,
    })
}

fn shop_of(table: &ShopTable) -> Result<Shop, String> {
    let deploy = table.deploy.map_or(Duration::from_mins(2), |span| span.0);
    let rollback = table.rollback.map_or(deploy + Duration::from_mins(5), |span| span.0);
    let rate = table.rate.unwrap_or(8);
    in_order("shop: deploy", deploy, "rollback", rollback)?;
    if !(1..=500).contains(&rate) {
        return Err(format!("shop: rate = {rate}: must be 1 to 500 requests per second"));
    }
    Ok(Shop { deploy, rollback, rate })
}

fn group(table: &GroupTable, seed: u64, history: Duration) -> Result<Group, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#".contains(&b);
    let name = &table.name;
    if name.is_empty() || name.len() > 512 || !name.bytes().all(allowed) {
        return Err(format!("name = \"{name}\": must be 1 to 512 letters, digits and . - _ / #"));
    }
    within("rate", table.rate, RATE_MAX)?;
    let failing = share("failing", table.failing.unwrap_or(0.0))?;
    let kind = match table.kind {
        KindName::Access => Kind::Access { failing },
        KindName::Lambda => Kind::Lambda,
        KindName::Plain => Kind::Plain,
    };
    if table.failing.is_some() && table.kind != KindName::Access {
        return Err(format!("failing = {failing}: only a group of kind = \"access\" has failing requests"));
    }
    let (streams, bytes) = (table.streams.unwrap_or(1), table.bytes.unwrap_or(200));
    if !(1..=STREAMS_MAX).contains(&streams) {
        return Err(format!("streams = {streams}: must be 1 to {STREAMS_MAX}"));
    }
    if bytes > BYTES_MAX {
        return Err(format!("bytes = {bytes}: must be at most {BYTES_MAX}"));
    }
    if let (Some(from), Some(to)) = (table.from, table.to) {
        in_order("from", from.0, "to", to.0)?;
    }
    let mut strays = Vec::new();
    for stray in &table.stray {
        at_most("stray: ahead", stray.ahead.0, AHEAD_MAX)?;
        strays.push((offset(stray.at.0), stray.ahead.0));
    }
    strays.sort_unstable();
    let mut lives: Vec<(Duration, Option<Duration>)> = Vec::new();
    for life in &table.lives {
        if let Some((_, end)) = lives.last() {
            let end = end.ok_or("lives: only the last may be without `to`")?;
            in_order("lives: to", end, "the next from", life.from.0 + Duration::from_nanos(1))?;
        }
        if let Some(to) = life.to {
            in_order("lives: from", life.from.0, "to", to.0)?;
        }
        lives.push((life.from.0, life.to.map(|to| to.0)));
    }
    let class = match table.class {
        ClassName::Standard => Class::Standard,
        ClassName::InfrequentAccess => Class::InfrequentAccess,
    };
    let traffic = Traffic {
        seed,
        group: Arc::from(name.as_str()),
        streams,
        stream_life: table.stream_life.map(|life| life.0),
        per_second: table.rate,
        from: table.from.map_or(offset(Duration::ZERO).minus(history), |from| offset(from.0)),
        to: table.to.map_or(Timestamp::MAX, |to| offset(to.0)),
        bytes,
        kind,
        lag: table.lag.as_ref().map(|table| lag("lag", table)).transpose()?.unwrap_or(Lag::NONE),
        late: shifted("late", table.late.as_ref(), BACK_MAX)?,
        future: shifted("future", table.future.as_ref(), AHEAD_MAX)?,
        strays,
        bursts: Vec::new(),
    };
    Ok(Group { traffic, class, lives })
}

fn lag(key: &str, table: &LagTable) -> Result<Lag, String> {
    let (p50, p99) = (table.p50.0, table.p99.0);
    let tail = table.tail.map_or(p99, |tail| tail.0);
    if p50 > p99 {
        return Err(format!("{key}: p99 = {}: must not be less than p50 = {}", human(p99), human(p50)));
    }
    if p99 > tail {
        return Err(format!("{key}: tail = {}: must not be less than p99 = {}", human(tail), human(p99)));
    }
    // A tail that nothing reaches is a mistake: one in a thousand, unless said otherwise.
    let default = if table.tail.is_some() { 0.001 } else { 0.0 };
    let tail_share = share(&format!("{key}: tail_share"), table.tail_share.unwrap_or(default))?;
    Ok(Lag { p50, p99, tail, tail_share })
}

fn shifted(key: &str, table: Option<&ShiftTable>, max: Duration) -> Result<Shifted, String> {
    let Some(table) = table else { return Ok(Shifted::default()) };
    at_most(&format!("{key}: up_to"), table.up_to.0, max)?;
    Ok(Shifted { share: share(&format!("{key}: share"), table.share)?, up_to: table.up_to.0 })
}

fn trouble(table: &FaultTable) -> Result<Trouble, String> {
    let ill = match (table.kind, &table.delay) {
        (FaultName::Slow, Some(delay)) => Ill::Slow(lag("delay", delay)?),
        (FaultName::Slow, None) => return Err("kind = \"slow\": it needs delay = { p50 = .., p99 = .. }".to_owned()),
        (_, Some(_)) => return Err("delay: only kind = \"slow\" has one".to_owned()),
        (FaultName::AccessDenied, None) => Ill::AccessDenied,
        (FaultName::ExpiredCredentials, None) => Ill::ExpiredCredentials,
        (FaultName::Missing, None) => Ill::Missing,
        (FaultName::Infrequent, None) => Ill::Infrequent,
        (FaultName::Throttle, None) => Ill::Throttle,
        (FaultName::EmptyPage, None) => Ill::EmptyPage,
        (FaultName::DuplicateToken, None) => Ill::DuplicateToken,
        (FaultName::RefusedToken, None) => Ill::RefusedToken,
        (FaultName::Unavailable, None) => Ill::Unavailable,
        (FaultName::Internal, None) => Ill::Internal,
        (FaultName::Hang, None) => Ill::Hang,
        (FaultName::Reset, None) => Ill::Reset,
        (FaultName::ResetInBody, None) => Ill::ResetInBody,
        (FaultName::Burst, None) => unreachable!("bursts are traffic, not trouble"),
    };
    if let (Some(from), Some(to)) = (table.from, table.to) {
        in_order("from", from.0, "to", to.0)?;
    }
    Ok(Trouble {
        ill,
        group: table.group.clone(),
        operation: table.operation.map(|operation| match operation {
            OperationName::FilterLogEvents => Operation::FilterLogEvents,
            OperationName::DescribeLogGroups => Operation::DescribeLogGroups,
        }),
        from: table.from.map_or(Timestamp::MIN, |from| offset(from.0)),
        to: table.to.map_or(Timestamp::MAX, |to| offset(to.0)),
        probability: share("probability", table.probability.unwrap_or(1.0))?,
        count: table.count,
    })
}

fn burst(table: &FaultTable, groups: &mut [Group]) -> Result<(), String> {
    let (Some(from), Some(to)) = (table.from, table.to) else {
        return Err("kind = \"burst\": it needs from and to".to_owned());
    };
    in_order("from", from.0, "to", to.0)?;
    let meaningless = table.probability.is_some() || table.count.is_some() || table.operation.is_some();
    if meaningless || table.delay.is_some() {
        return Err("kind = \"burst\": it has only from, to and group".to_owned());
    }
    let mut hit = false;
    for group in groups {
        if table.group.as_deref().is_none_or(|name| name == &*group.traffic.group) {
            group.traffic.bursts.push((offset(from.0), offset(to.0)));
            hit = true;
        }
    }
    if hit { Ok(()) } else { Err("kind = \"burst\": the groups of the shop have none".to_owned()) }
}

fn share(key: &str, value: f64) -> Result<f64, String> {
    within(key, value, 1.0)
}

fn within(key: &str, value: f64, max: f64) -> Result<f64, String> {
    if (0.0..=max).contains(&value) { Ok(value) } else { Err(format!("{key} = {value}: must be 0 to {max}")) }
}

fn at_most(key: &str, value: Duration, max: Duration) -> Result<(), String> {
    if value <= max {
        return Ok(());
    }
    Err(format!("{key} = {}: CloudWatch Logs takes at most {}", human(value), human(max)))
}

fn in_order(first: &str, from: Duration, second: &str, to: Duration) -> Result<(), String> {
    if from < to {
        return Ok(());
    }
    Err(format!("{first} = {} must be earlier than {second} = {}", human(from), human(to)))
}
