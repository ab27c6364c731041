//! One `[[rule]]` table put onto one rule.
//!
//! Not which rule that is. Rule: which keys a rule has is decided by what it measures, and a refusal lists them.

use std::time::Duration;

use toml::Spanned;

use super::rungs::{Severities, Unit, ladder};
use super::{ByWord, Longer, LowTrafficWord, PairTable, RuleTable};
use crate::config::file::{Span, between, check_between, check_window, count};
use crate::config::problem::{ConfigError, Source};
use crate::engine::rules::{By, Ladder, LowTraffic, Pair, Rule, SourceBlind, Special};
use crate::model::alert::Measure;
use crate::model::time::human;

/// The longest of the windows that are not for every request anew.
const LONG_MAX: Duration = Duration::from_hours(72);
/// The longer look where a rule had none.
const LOW_TRAFFIC: LowTraffic = LowTraffic { window: Duration::from_mins(30), min_requests: 5 };

/// The keys of a rule beside name, api and enabled.
pub(in crate::config) const fn keys(measure: Measure) -> &'static [&'static str] {
    match measure {
        Measure::Failures => &[
            "window",
            "min_samples",
            "min_errors",
            "confidence",
            "low_traffic",
            "severity",
            "for",
            "keep_firing_for",
            "clear_ratio",
        ],
        Measure::FailureCount => &["by", "window", "count", "severity", "for", "keep_firing_for", "clear_ratio"],
        Measure::Timeouts => &[
            "by",
            "window",
            "min_samples",
            "min_errors",
            "confidence",
            "severity",
            "for",
            "keep_firing_for",
            "clear_ratio",
        ],
        Measure::NoInvocations => {
            &["window", "min_samples", "min_errors", "severity", "for", "keep_firing_for", "clear_ratio"]
        }
        Measure::NewCause => &["window", "min_errors", "learn", "severity", "for", "keep_firing_for"],
        Measure::Latency { .. } => {
            &["by", "window", "min_samples", "quantile", "severity", "for", "keep_firing_for", "clear_ratio"]
        }
        Measure::Slow { .. } => &[
            "by",
            "window",
            "min_samples",
            "min_errors",
            "confidence",
            "low_traffic",
            "over",
            "severity",
            "for",
            "keep_firing_for",
            "clear_ratio",
        ],
        Measure::Traffic => &["by", "window", "below", "before", "severity", "for", "keep_firing_for", "clear_ratio"],
        Measure::BurnRate { .. } => &[
            "by",
            "objective",
            "windows",
            "min_samples",
            "min_errors",
            "severity",
            "for",
            "keep_firing_for",
            "clear_ratio",
        ],
        Measure::Unread => &["for", "severity"],
    }
}

fn refuse_foreign(source: &Source<'_>, table: &RuleTable, measure: Measure) -> Result<(), ConfigError> {
    let own = keys(measure);
    let Some((key, place)) = table.given().find(|(key, _)| !own.contains(key)) else { return Ok(()) };
    let (last, rest) = own.split_last().expect("a rule has keys");
    let wrong =
        format!("`{}` has no {key}: its keys are enabled, {} and {last}", table.name.get_ref(), rest.join(", "));
    Err(source.wrong(place, wrong))
}

/// The rule about log groups.
pub(super) fn change_source_blind(
    source: &Source<'_>,
    table: &RuleTable,
    rule: SourceBlind,
) -> Result<SourceBlind, ConfigError> {
    refuse_foreign(source, table, Measure::Unread)?;
    if let Some(like) = &table.like {
        let wrong = format!("`{}` is like no other: leave out like", SourceBlind::NAME);
        return Err(source.wrong(like.span(), wrong));
    }
    let severity = match table.severity.as_ref().map(|s| (s.get_ref(), s.span())) {
        None => rule.severity,
        Some((Severities::One(word), _)) => word.severity(),
        Some((Severities::Ladder(_), place)) => return Err(no_rungs(source, place, SourceBlind::NAME)),
    };
    Ok(SourceBlind { hold: check_between(source, table.r#for.as_ref(), "1h", rule.hold)?, severity })
}

fn no_rungs(source: &Source<'_>, place: std::ops::Range<usize>, name: &str) -> ConfigError {
    source.wrong(place, format!("`{name}` has no rungs: write one severity, such as \"high\""))
}

/// Any other rule.
pub(super) fn change(source: &Source<'_>, table: &RuleTable, rule: &mut Rule) -> Result<(), ConfigError> {
    refuse_foreign(source, table, rule.measure)?;
    if let Some(by) = &table.by {
        rule.by = match by.get_ref() {
            ByWord::Endpoint => By::Endpoint,
            ByWord::Api => By::Api,
        };
    }
    if let Some(window) = &table.window {
        rule.window = check_window(source, window)?;
        if matches!(rule.measure, Measure::Latency { .. }) {
            check_minutes(source, window, Duration::from_hours(6))?;
        }
    }
    rule.min_requests = number(source, table.min_samples.as_ref(), rule.min_requests)?;
    rule.min_errors = number(source, table.min_errors.as_ref(), rule.min_errors)?;
    rule.hold = check_between(source, table.r#for.as_ref(), "1h", rule.hold)?;
    rule.keep_firing = check_between(source, table.keep_firing_for.as_ref(), "24h", rule.keep_firing)?;
    rule.clear_ratio = share(source, table.clear_ratio.as_ref(), rule.clear_ratio, "0 to 1", |r| r <= 1.0)?;
    let sure = |c: f64| c == 0.0 || (0.5..1.0).contains(&c);
    rule.confidence = share(source, table.confidence.as_ref(), rule.confidence, "0, or 0.5 to below 1", sure)?;
    if let Some(low) = &table.low_traffic {
        rule.low_traffic = match low.get_ref() {
            LowTrafficWord::Off => None,
            LowTrafficWord::Look(longer) => {
                let LowTraffic { window, min_requests } = rule.low_traffic.unwrap_or(LOW_TRAFFIC);
                let (window, min_requests) = another(source, longer, window, min_requests, "6h")?;
                Some(LowTraffic { window, min_requests })
            }
        };
    }
    change_ladder(source, table, rule)?;
    change_measure(source, table, rule)?;
    change_special(source, table, rule)
}

fn change_ladder(source: &Source<'_>, table: &RuleTable, rule: &mut Rule) -> Result<(), ConfigError> {
    if let Some(n) = &table.count {
        let n = u32::try_from(count(source, Some(n), 1, 1_000_000_000, 1)?).unwrap_or(u32::MAX);
        rule.ladder = Ladder::one(severity_of(&rule.ladder), f64::from(n));
    }
    let below = share(source, table.below.as_ref(), rule.ladder.lowest(), "0 to below 1", |b| b < 1.0);
    if table.below.is_some() {
        rule.ladder = Ladder::one(severity_of(&rule.ladder), below?);
    }
    let Some(severity) = &table.severity else { return Ok(()) };
    rule.ladder = match (rule.measure, severity.get_ref()) {
        (
            Measure::FailureCount
            | Measure::Timeouts
            | Measure::NoInvocations
            | Measure::NewCause
            | Measure::Traffic
            | Measure::Unread,
            Severities::One(word),
        ) => Ladder::one(word.severity(), rule.ladder.lowest()),
        (
            Measure::FailureCount | Measure::NoInvocations | Measure::NewCause | Measure::Traffic | Measure::Unread,
            Severities::Ladder(_),
        ) => return Err(no_rungs(source, severity.span(), &rule.name)),
        (Measure::Timeouts | Measure::Failures | Measure::Slow { .. }, _) => ladder(source, severity, Unit::Share)?,
        (Measure::BurnRate { .. }, _) => ladder(source, severity, Unit::Times)?,
        (Measure::Latency { .. }, _) => ladder(source, severity, Unit::Latency)?,
    };
    Ok(())
}

fn severity_of(ladder: &Ladder) -> crate::model::alert::Severity {
    ladder.rungs().next().map_or(crate::model::alert::Severity::High, |(severity, _)| severity)
}

fn change_measure(source: &Source<'_>, table: &RuleTable, rule: &mut Rule) -> Result<(), ConfigError> {
    let inside = |x: f64| x > 0.0 && x < 1.0;
    match &mut rule.measure {
        Measure::Latency { quantile } => {
            *quantile = share(source, table.quantile.as_ref(), *quantile, "above 0 to below 1", inside)?;
        }
        Measure::BurnRate { objective } => {
            *objective = share(source, table.objective.as_ref(), *objective, "above 0 to below 1", inside)?;
        }
        Measure::Slow { over_ms } => {
            let default = Duration::from_millis(u64::from(*over_ms));
            let over = between(source, table.over.as_ref(), "1ms", "15m", default)?;
            *over_ms = u32::try_from(over.as_millis()).unwrap_or(u32::MAX);
        }
        Measure::Failures
        | Measure::FailureCount
        | Measure::Timeouts
        | Measure::NoInvocations
        | Measure::NewCause
        | Measure::Traffic
        | Measure::Unread => {}
    }
    Ok(())
}

fn change_special(source: &Source<'_>, table: &RuleTable, rule: &mut Rule) -> Result<(), ConfigError> {
    match &mut rule.special {
        Special::Before { window, min_requests } => {
            if let Some(before) = &table.before {
                (*window, *min_requests) = another(source, before.get_ref(), *window, *min_requests, "24h")?;
            }
        }
        Special::Pairs(pairs) => {
            if let Some(windows) = &table.windows {
                let PairTable { elevated, high, critical } = windows.get_ref();
                for (pair, given) in pairs.iter_mut().zip([elevated, high, critical]) {
                    if let Some(given) = given {
                        *pair = self::pair(source, given)?;
                    }
                }
            }
        }
        Special::Learn(learn) => *learn = check_between(source, table.learn.as_ref(), "720h", *learn)?,
        Special::None => {}
    }
    Ok(())
}

fn pair(source: &Source<'_>, given: &Spanned<[Span; 2]>) -> Result<Pair, ConfigError> {
    let [Span(long), Span(short)] = *given.get_ref();
    let whole = |span: Duration| span.as_millis().is_multiple_of(60_000) && !span.is_zero();
    if !(whole(long) && whole(short) && short < long && long <= LONG_MAX) {
        let right = "a long window of at most 72h and a shorter one, both of full minutes: [\"1h\", \"5m\"]";
        let wrong = format!("{} and {} are no pair: write {right}", human(long), human(short));
        return Err(source.wrong(given.span(), wrong));
    }
    Ok(Pair { long, short })
}

/// Another window than the rule's own, and the requests it needs.
fn another(
    source: &Source<'_>,
    longer: &Longer,
    window: Duration,
    min_requests: u64,
    most: &str,
) -> Result<(Duration, u64), ConfigError> {
    let span = between(source, longer.window.as_ref(), "1m", most, window)?;
    if let Some(given) = &longer.window {
        check_minutes(source, given, LONG_MAX)?;
    }
    Ok((span, number(source, longer.min_samples.as_ref(), min_requests)?))
}

fn check_minutes(source: &Source<'_>, window: &Spanned<Span>, most: Duration) -> Result<(), ConfigError> {
    let span = window.get_ref().0;
    if span.as_millis().is_multiple_of(60_000) && !span.is_zero() && span <= most {
        return Ok(());
    }
    Err(source
        .wrong(window.span(), format!("{} is no window of this kind: it is a number of full minutes", human(span))))
}

fn number(source: &Source<'_>, value: Option<&Spanned<u64>>, default: u64) -> Result<u64, ConfigError> {
    let default = usize::try_from(default).unwrap_or(usize::MAX);
    count(source, value, 1, 1_000_000_000, default).map(|n| n as u64)
}

/// A number from 0 that `fits`.
fn share(
    source: &Source<'_>,
    value: Option<&Spanned<f64>>,
    default: f64,
    right: &str,
    fits: impl Fn(f64) -> bool,
) -> Result<f64, ConfigError> {
    let Some(value) = value else { return Ok(default) };
    let number = *value.get_ref();
    if number >= 0.0 && fits(number) {
        return Ok(number);
    }
    Err(source.wrong(value.span(), format!("{number} is out of range: {right}")))
}
