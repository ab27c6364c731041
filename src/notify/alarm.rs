//! A message in the shape in which CloudWatch tells of an alarm, for tools that know alarms: `PagerDuty` and others.
//!
//! Such a tool opens an incident at `ALARM` and closes it at `OK` of the same `AlarmName`, so the name stays the same
//! over all episodes of an alert, and in all messages of a digest. Nothing is told as `ALARM` that no `OK` would follow:
//! a test is an `ALARM` and at once its `OK`, and a notice, which is over when it is told, is not told in this format at
//! all. Rule: every `ALARM` has its `OK`.
//!
//! Sources: AWS documentation "Amazon SNS notification format" of CloudWatch alarms; the subject as CloudWatch writes it.

use serde::Serialize;

use super::headline::title;
use super::message::{AlertMessage, Message};
use super::origin::Origin;
use super::telling::Telling;
use super::text;
use crate::model::alert::{Measure, State};
use crate::model::json::line;
use crate::model::time::Timestamp;

/// What an alarm can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Something is the matter.
    Alarm,
    /// It is over.
    Ok,
}

impl Value {
    const fn word(self) -> &'static str {
        match self {
            Self::Alarm => "ALARM",
            Self::Ok => "OK",
        }
    }
}

/// One change of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// From this.
    pub old: Value,
    /// To this; the same for what is said again.
    pub new: Value,
}

/// Where the alarm is, in the words of ARNs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
}

impl<'a> Place<'a> {
    /// Where a topic is; what its ARN does not say is empty.
    pub fn of_topic(arn: &'a str) -> Self {
        let mut parts = arn.split(':').skip(1);
        let partition = parts.next().unwrap_or_default();
        let region = parts.nth(1).unwrap_or_default();
        Self { partition, region, account: parts.next().unwrap_or_default() }
    }
}

/// What is told of an alarm for this message, in this order.
pub(super) fn changes(m: &Message) -> Vec<Change> {
    let (opens, holds, closes) = (
        Change { old: Value::Ok, new: Value::Alarm },
        Change { old: Value::Alarm, new: Value::Alarm },
        Change { old: Value::Alarm, new: Value::Ok },
    );
    match (m, m.state()) {
        (Message::Test(_), _) => vec![opens, closes],
        (_, None) => Vec::new(),
        (_, Some(State::Firing)) if m.seq() == 1 => vec![opens],
        (_, Some(State::Firing)) => vec![holds],
        (_, Some(State::Resolved)) => vec![closes],
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AlarmJson<'a> {
    alarm_name: String,
    alarm_description: String,
    #[serde(rename = "AWSAccountId")]
    aws_account_id: &'a str,
    alarm_configuration_updated_timestamp: String,
    new_state_value: &'static str,
    new_state_reason: String,
    state_change_time: String,
    region: &'a str,
    alarm_arn: String,
    old_state_value: &'static str,
    #[serde(rename = "OKActions")]
    ok_actions: [&'a str; 0],
    alarm_actions: [&'a str; 0],
    insufficient_data_actions: [&'a str; 0],
    trigger: TriggerJson<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TriggerJson<'a> {
    metric_name: &'static str,
    namespace: &'static str,
    statistic_type: &'static str,
    statistic: &'static str,
    unit: Option<&'static str>,
    dimensions: Vec<DimensionJson<'a>>,
    period: u64,
    evaluation_periods: u32,
    datapoints_to_alarm: u32,
    comparison_operator: &'static str,
    threshold: f64,
    treat_missing_data: &'static str,
    evaluate_low_sample_count_percentile: &'static str,
}

#[derive(Debug, Serialize)]
struct DimensionJson<'a> {
    value: String,
    name: &'a str,
}

/// The alarm.
pub(super) fn write(t: &Telling, change: Change, place: Place<'_>, origin: &Origin) -> String {
    let m = &t.message;
    let name = name(t);
    let Place { partition, region, account } = place;
    line(&AlarmJson {
        alarm_arn: format!("arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"),
        alarm_name: name,
        alarm_description: format!("{} (by gatewatch {})", title(m), Origin::VERSION),
        aws_account_id: account,
        alarm_configuration_updated_timestamp: stamp(since(m)),
        new_state_value: change.new.word(),
        new_state_reason: text::write(t, origin),
        state_change_time: stamp(m.time()),
        region,
        old_state_value: change.old.word(),
        ok_actions: [],
        alarm_actions: [],
        insufficient_data_actions: [],
        trigger: trigger(m),
    })
}

/// `ALARM: "gatewatch endpoint-5xx shop POST /checkout" in eu-west-1`, in at most `max` printable ASCII characters.
pub(super) fn subject(t: &Telling, change: Change, place: Place<'_>, max: usize) -> String {
    let name: String = name(t).chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
    let region = place.region;
    let room = max.saturating_sub(format!("{}: \"\" in {region}", change.new.word()).len());
    let name = if name.len() <= room { name } else { format!("{}..", &name[..room.saturating_sub(2)]) };
    format!("{}: \"{name}\" in {region}", change.new.word())
}

fn name(t: &Telling) -> String {
    format!("gatewatch {}", t.name)
}

fn trigger(m: &Message) -> TriggerJson<'static> {
    let said = m.alert().map(|m| &m.alert);
    let dimension = |name, value: &str| DimensionJson { value: value.to_owned(), name };
    let dimensions = match m {
        Message::Alert(m) => vec![dimension("Rule", &m.alert.key.rule), dimension("Api", &m.api), whom(m)],
        Message::Digest(d) => {
            let named = [("Rule", &d.rule), ("Api", &d.api)].into_iter();
            named.filter_map(|(name, value)| Some(dimension(name, value.as_deref()?))).collect()
        }
        Message::Notice(_) | Message::Test(_) => Vec::new(),
    };
    TriggerJson {
        metric_name: said.map_or("Alerts", |a| metric(a.measure)),
        namespace: "gatewatch",
        statistic_type: "Statistic",
        statistic: "AVERAGE",
        unit: None,
        dimensions,
        period: said.map_or(0, |a| a.window.as_secs()),
        evaluation_periods: 1,
        datapoints_to_alarm: 1,
        comparison_operator: match said.map(|a| a.measure) {
            Some(Measure::Traffic) => "LessThanOrEqualToThreshold",
            Some(_) | None => "GreaterThanThreshold",
        },
        threshold: said.map_or(0.0, |a| a.threshold),
        treat_missing_data: "",
        evaluate_low_sample_count_percentile: "",
    }
}

fn whom(m: &AlertMessage) -> DimensionJson<'static> {
    let name = if m.alert.key.source().is_some() { "LogGroup" } else { "Endpoint" };
    let value =
        if m.alert.key.endpoint().is_none() && m.alert.key.source().is_none() { "*".to_owned() } else { m.subject() };
    DimensionJson { value, name }
}

const fn metric(measure: Measure) -> &'static str {
    match measure {
        Measure::Failures => "5xxShare",
        Measure::FailureCount => "5xxCount",
        Measure::Timeouts => "IntegrationTimeoutShare",
        Measure::NoInvocations => "NoInvocationShare",
        Measure::NewCause => "NewCauses",
        Measure::Latency { .. } => "LatencyMilliseconds",
        Measure::Slow { .. } => "SlowShare",
        Measure::Traffic => "Requests",
        Measure::BurnRate { .. } => "ErrorBudgetBurnRate",
        Measure::Unread => "UnreadLogGroup",
    }
}

const fn since(m: &Message) -> Timestamp {
    match m {
        Message::Alert(m) => m.alert.since,
        Message::Digest(d) => d.since,
        Message::Notice(_) | Message::Test(_) => m.time(),
    }
}

/// `2026-11-22T10:05:00.250+0000`, as CloudWatch writes it.
fn stamp(at: Timestamp) -> String {
    let text = at.to_string();
    text.strip_suffix('Z').map_or_else(|| text.clone(), |utc| format!("{utc}+0000"))
}
