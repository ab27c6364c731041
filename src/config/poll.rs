//! The `[poll]` table: how log groups are read.

use serde::Deserialize;
use toml::Spanned;

use super::PollConfig;
use super::file::{Span, between, count};
use super::problem::{ConfigError, Source};
use crate::model::time::human;
use crate::tail::pace::Interval;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PollTable {
    interval: Option<Spanned<Span>>,
    min_interval: Option<Spanned<Span>>,
    max_interval: Option<Spanned<Span>>,
    quota: Option<Spanned<f64>>,
    quota_share: Option<Spanned<f64>>,
    max_catchup: Option<Spanned<Span>>,
    max_ids: Option<Spanned<u64>>,
    discover_interval: Option<Spanned<Span>>,
}

/// What the table says, checked.
pub(super) fn poll(source: &Source<'_>, table: &PollTable, defaults: &PollConfig) -> Result<PollConfig, ConfigError> {
    let start = between(source, table.interval.as_ref(), "500ms", "5m", defaults.interval.start)?;
    let min = between(source, table.min_interval.as_ref(), "500ms", "5m", start)?;
    let max = between(source, table.max_interval.as_ref(), "500ms", "5m", defaults.interval.max.max(start))?;
    let order = |value: Option<&Spanned<Span>>, wrong: bool, text: &str| match value {
        Some(value) if wrong => Err(source.wrong(value.span(), format!("{} {text}", human(value.get_ref().0)))),
        Some(_) | None => Ok(()),
    };
    order(table.min_interval.as_ref(), min > start, "is more than interval: reads get faster down to min_interval")?;
    order(table.max_interval.as_ref(), max < start, "is less than interval: reads get slower up to max_interval")?;
    let number = |value: Option<&Spanned<f64>>, least: f64, most: f64| match value {
        Some(value) if !(least..=most).contains(value.get_ref()) => {
            let wrong = format!("{} is out of range: {least} to {most}", value.get_ref());
            Err(source.wrong(value.span(), wrong))
        }
        Some(value) => Ok(Some(*value.get_ref())),
        None => Ok(None),
    };
    Ok(PollConfig {
        interval: Interval { start, min, max },
        quota: number(table.quota.as_ref(), 0.2, 1000.0)?,
        quota_share: number(table.quota_share.as_ref(), 0.05, 1.0)?.unwrap_or(defaults.quota_share),
        max_catchup: between(source, table.max_catchup.as_ref(), "0s", "336h", defaults.max_catchup)?,
        max_ids: count(source, table.max_ids.as_ref(), 10_000, 1_000_000_000, defaults.max_ids)?,
        discover_interval: between(source, table.discover_interval.as_ref(), "10s", "24h", defaults.discover_interval)?,
    })
}
