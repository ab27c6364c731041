//! A message from its own line of JSON: what an earlier life printed says what was told.
//!
//! The way back of [`super::write`], as far as whoever goes on needs it: not notices and tests, and not queries, fixes and
//! certainties, which are made anew. Rule: a line that is no message of ours, or of a form that is not known, is none; it
//! is never an error.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::super::message::{AlertMessage, Digest, Message};
use crate::model::alert::{
    Alert, AlertKey, Before, Blindness, CauseCount, CauseSample, Loss, Measure, Reason, Severity, State, Subject,
};
use crate::model::cause::CauseKind;
use crate::model::inventory::ApiId;
use crate::model::invocation::Site;
use crate::model::json::VERSION;
use crate::model::own::JSON_MESSAGE;
use crate::model::problem::Problem;
use crate::model::request::Endpoint;
use crate::model::time::Timestamp;

/// A message about alerts that was printed as this line, if it is one, and the task that it came from. APIs are known by
/// their names: the number in an alert's key is still to be set.
#[must_use]
pub fn message(line: &str) -> Option<(Message, Option<Arc<str>>)> {
    if !line.starts_with(JSON_MESSAGE) {
        return None;
    }
    let said: Said = serde_json::from_str(line).ok()?;
    if said.v != VERSION {
        return None;
    }
    let task = said.origin.task.clone();
    let message = match said.kind.as_str() {
        "alert" => {
            let (reason, seq) = (Reason::of(&said.reason?)?, said.seq?);
            Message::Alert(Box::new(AlertMessage { reason, seq, ..said.alert.message(&said.time)? }))
        }
        "digest" => Message::Digest(Box::new(said.digest()?)),
        _ => return None,
    };
    Some((message, task))
}

/// A message.
#[derive(Debug, Deserialize)]
struct Said {
    v: u8,
    kind: String,
    time: String,
    reason: Option<String>,
    seq: Option<u32>,
    digest: Option<Many>,
    origin: From,
    #[serde(flatten)]
    alert: Told,
}

/// Who says it.
#[derive(Debug, Deserialize)]
struct From {
    task: Option<Arc<str>>,
}

/// Its alert; of a digest, what is common to its members.
#[derive(Debug, Deserialize)]
struct Told {
    state: Option<String>,
    severity: String,
    worst: Option<String>,
    #[serde(default)]
    flapping: Option<bool>,
    rule: Option<Arc<str>>,
    api: Option<Arc<str>>,
    endpoint: Option<Route>,
    source: Option<Arc<str>>,
    measure: Option<String>,
    quantile: Option<f64>,
    over_ms: Option<u32>,
    objective: Option<f64>,
    value: Option<f64>,
    threshold: Option<f64>,
    errors: Option<u64>,
    requests: Option<u64>,
    window_s: Option<u64>,
    since: Option<String>,
    episode: Arc<str>,
    #[serde(default)]
    causes: Vec<Cause>,
    before: Option<Earlier>,
    problem: Option<Trouble>,
}

#[derive(Debug, Deserialize)]
struct Many {
    firing: usize,
    resolved: usize,
    members: Vec<Told>,
}

#[derive(Debug, Deserialize)]
struct Route {
    method: String,
    route: String,
}

#[derive(Debug, Deserialize)]
struct Cause {
    kind: String,
    count: u64,
    sample: Sample,
}

#[derive(Debug, Deserialize)]
struct Sample {
    error_type: Option<Arc<str>>,
    message: Option<Arc<str>>,
    function: Option<Arc<str>>,
    site: Option<Site>,
    request_id: Option<Arc<str>>,
    lambda_request_id: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
struct Earlier {
    requests: u64,
    window_s: u64,
}

#[derive(Debug, Deserialize)]
struct Trouble {
    kind: String,
    said: Arc<str>,
    read_to: Option<String>,
    loss: String,
    apis: Vec<Arc<str>>,
}

impl Said {
    fn digest(self) -> Option<Digest> {
        let Many { firing, resolved, members } = self.digest?;
        let members = members.into_iter().map(|member| member.message(&self.time));
        Some(Digest {
            time: Timestamp::parse_rfc3339(&self.time)?,
            state: State::of(&self.alert.state?)?,
            reason: Reason::of(&self.reason?)?,
            severity: Severity::of(&self.alert.severity)?,
            rule: self.alert.rule,
            api: self.alert.api,
            since: Timestamp::parse_rfc3339(&self.alert.since?)?,
            firing,
            resolved,
            members: members.collect::<Option<_>>()?,
            episode: self.alert.episode,
            seq: self.seq?,
        })
    }
}

impl Told {
    /// As of `time`; members of a digest have no number of their own.
    fn message(self, time: &str) -> Option<AlertMessage> {
        let measure = self.measure()?;
        let blindness = self.problem.map(Trouble::blindness);
        let subject = match (self.endpoint, self.source) {
            (Some(Route { method, route }), _) => Subject::Endpoint(Arc::new(Endpoint::new(&method, &route))),
            (None, Some(source)) => Subject::Source(source),
            (None, None) => Subject::Api,
        };
        let severity = Severity::of(&self.severity)?;
        let state = State::of(&self.state?)?;
        let alert = Alert {
            key: AlertKey { rule: self.rule?, api: ApiId(0), subject },
            state,
            severity,
            worst: self.worst.map_or(Some(severity), |worst| Severity::of(&worst))?,
            measure,
            value: self.value.unwrap_or_default(),
            threshold: self.threshold.unwrap_or_default(),
            errors: self.errors.unwrap_or_default(),
            requests: self.requests.unwrap_or_default(),
            window: Duration::from_secs(self.window_s.unwrap_or_default()),
            time: Timestamp::parse_rfc3339(time)?,
            since: Timestamp::parse_rfc3339(&self.since?)?,
            episode: self.episode,
            holds: state == State::Firing,
            flapping: self.flapping.unwrap_or_default(),
            causes: self.causes.into_iter().map(Cause::count).collect::<Option<_>>()?,
            endpoints: Vec::new(),
            before: self.before.map(|b| Before { requests: b.requests, window: Duration::from_secs(b.window_s) }),
            blindness: match blindness {
                Some(blindness) => Some(blindness?),
                None => None,
            },
        };
        Some(AlertMessage { alert, api: self.api?, reason: Reason::New, seq: 0, query: None })
    }

    fn measure(&self) -> Option<Measure> {
        Some(match self.measure.as_deref()? {
            "failures" => Measure::Failures,
            "failure_count" => Measure::FailureCount,
            "timeouts" => Measure::Timeouts,
            "no_invocations" => Measure::NoInvocations,
            "new_cause" => Measure::NewCause,
            "latency" => Measure::Latency { quantile: self.quantile? },
            "slow" => Measure::Slow { over_ms: self.over_ms? },
            "traffic" => Measure::Traffic,
            "burn_rate" => Measure::BurnRate { objective: self.objective? },
            "unread" => Measure::Unread,
            _ => return None,
        })
    }
}

impl Cause {
    fn count(self) -> Option<CauseCount> {
        let Sample { error_type, message, function, site, request_id, lambda_request_id } = self.sample;
        let sample = CauseSample { error_type, message, function, site, request_id, lambda_request_id, fix: None };
        Some(CauseCount {
            kind: CauseKind::of(&self.kind)?,
            count: self.count,
            certain: self.count,
            sample: sample.into(),
        })
    }
}

impl Trouble {
    fn blindness(self) -> Option<Blindness> {
        let read_to = match self.read_to {
            Some(at) => Some(Timestamp::parse_rfc3339(&at)?),
            None => None,
        };
        Some(Blindness {
            problem: Problem::of(&self.kind)?,
            said: self.said,
            read_to,
            loss: Loss::of(&self.loss)?,
            rules: Vec::new(),
            apis: self.apis,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::notify::json::render;
    use crate::notify::origin::Origin;
    use crate::notify::tests::told;

    /// What is made anew, and therefore not kept.
    const ANEW: [&str; 4] = ["fix", "query", "endpoints", "explained"];

    fn object(message: &Message) -> Value {
        let mut object: Value = serde_json::from_str(&render(message, &Origin::default())).unwrap();
        for key in ANEW {
            object[key] = Value::Null;
        }
        object
    }

    #[test]
    fn what_was_printed_is_known_again() {
        for said in told() {
            let origin = Origin { host: None, task: Some("prod/shop".into()) };
            let line = render(&said, &origin);
            let (known, task) = message(&line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((object(&known), task), (object(&said), origin.task));
        }
    }

    #[test]
    fn what_is_no_message_about_alerts_is_none() {
        let [first, ..] = &told()[..] else { panic!("there are some") };
        let line = render(first, &Origin::default());
        for wrong in [
            "",
            "gatewatch| HIGH POST /checkout",
            r#"{"v":1,"type":"log","program":"gatewatch","level":"INFO"}"#,
            r#"{"v":1,"type":"alert","time":"2026-11-22T10:00:00.000Z"}"#,
            &line.replace(r#"{"v":1,"#, r#"{"v":2,"#),
            &line.replace(r#""firing""#, r#""burning""#),
            &line[..line.len() - 1],
        ] {
            assert_eq!(message(wrong), None, "{wrong}");
        }
    }
}
