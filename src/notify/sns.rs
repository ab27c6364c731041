//! A message as SNS publish requests: subject, body, attributes, within the limits of SNS.
//!
//! Limits (AWS documentation of Publish): subject under 100 characters without line breaks, here printable ASCII,
//! which every version of the rule allows; body and attributes together 262,144 bytes. Subject and attributes are not
//! encrypted by a topic's key, so they carry no error text. Eight attributes, because raw delivery to SQS drops
//! messages with more than ten. Rule: what is too large is told from less, never cut so that it is no JSON any more.

use std::sync::Arc;

use serde::Serialize;

use super::headline::ascii_line;
use super::message::Message;
use super::origin::Origin;
use super::telling::Telling;
use super::{alarm, chat, json, text};
use crate::model::alert::State;
use crate::model::json::line;
use crate::model::text::{cut, printable};

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// The `alert` object.
    Json,
    /// A custom notification for chat applications.
    Chat,
    /// As CloudWatch tells of an alarm.
    CloudwatchAlarm,
    /// Each protocol gets what suits it: people text, chat applications their notification, programs JSON.
    PerProtocol,
}

/// Longest subject, in characters.
const SUBJECT_MAX: usize = 99;
/// Body and attributes together, in bytes.
const BYTES_MAX: usize = 262_144;
/// What one SMS holds, in bytes.
const SMS_MAX: usize = 140;
/// Longest value of an attribute, in bytes: a policy that filters by it names it whole.
const VALUE_MAX: usize = 256;
/// Longest ID of a FIFO topic.
const ID_MAX: usize = 128;
/// Stands in an attribute for what the message does not have: SNS refuses empty ones, and a policy can ask for it.
const NONE: &str = "none";

/// A publish request, in plain types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnsRequest {
    /// The topic.
    pub topic_arn: Arc<str>,
    /// Subject line.
    pub subject: String,
    /// Body.
    pub message: String,
    /// `MessageStructure`: `json` where the body holds one text per protocol.
    pub structure: Option<&'static str>,
    /// String attributes, for subscription filters.
    pub attributes: Vec<(&'static str, String)>,
    /// FIFO topics only: messages of one alert stay in order, over all its episodes.
    pub group_id: Option<String>,
    /// FIFO topics only: differs for each message, so that a resolve is never taken for a repetition.
    pub deduplication_id: Option<String>,
}

impl SnsRequest {
    /// Bytes that count into the limit: the body, and name, type and value of each attribute.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len());
        self.message.len() + attributes.sum::<usize>()
    }
}

/// Bodies for the protocols of subscribers.
#[derive(Debug, Serialize)]
struct Protocols<'a> {
    default: &'a str,
    email: &'a str,
    sms: &'a str,
    http: &'a str,
    https: &'a str,
    sqs: &'a str,
    lambda: &'a str,
    firehose: &'a str,
}

/// Builds what is published for a message, in the order in which it is to be published: one request; none where the
/// format cannot say it; two where it takes two to say it without leaving something open.
#[must_use]
pub fn requests(m: &Message, topic_arn: &Arc<str>, format: Format, origin: &Origin) -> Vec<SnsRequest> {
    let telling = Telling::of(m);
    let state = m.state().map_or(NONE, State::word);
    let fits = |request: &SnsRequest| request.bytes() <= BYTES_MAX;
    let one = |body: &dyn Fn(&Telling) -> String| {
        let request = telling.fitting(
            |t| SnsRequest {
                subject: ascii_line(&t.message, SUBJECT_MAX),
                message: body(t),
                ..frame(t, m, topic_arn, state)
            },
            fits,
        );
        vec![request]
    };
    match format {
        Format::Text => one(&|t| text::write(t, origin)),
        Format::Json => one(&|t| json::write(t, origin)),
        Format::Chat => one(&|t| chat::write(t, origin)),
        Format::PerProtocol => {
            let requests = one(&|t| per_protocol(t, origin)).into_iter();
            requests.map(|request| SnsRequest { structure: Some("json"), ..request }).collect()
        }
        Format::CloudwatchAlarm => {
            let place = alarm::Place::of_topic(topic_arn);
            let request = |change: alarm::Change| {
                // The two halves of a test have states of their own, or the second would be taken for the first.
                let state = match change.new {
                    alarm::Value::Alarm => State::Firing,
                    alarm::Value::Ok => State::Resolved,
                };
                telling.fitting(
                    |t| SnsRequest {
                        subject: alarm::subject(t, change, place, SUBJECT_MAX),
                        message: alarm::write(t, change, place, origin),
                        ..frame(t, m, topic_arn, state.word())
                    },
                    fits,
                )
            };
            alarm::changes(m).into_iter().map(request).collect()
        }
    }
}

/// All but subject and body.
fn frame(t: &Telling, m: &Message, topic_arn: &Arc<str>, state: &str) -> SnsRequest {
    let is_fifo = topic_arn.ends_with(".fifo");
    SnsRequest {
        topic_arn: Arc::clone(topic_arn),
        subject: String::new(),
        message: String::new(),
        structure: None,
        attributes: attributes(t, state),
        group_id: is_fifo.then(|| t.fingerprint.clone()),
        deduplication_id: is_fifo.then(|| deduplication_id(m, state)),
    }
}

fn attributes(t: &Telling, state: &str) -> Vec<(&'static str, String)> {
    let m = &t.message;
    let (rule, api) = match m {
        Message::Alert(m) => (Some(&*m.alert.key.rule), Some(&*m.api)),
        Message::Digest(d) => (d.rule.as_deref(), d.api.as_deref()),
        Message::Notice(_) | Message::Test(_) => (None, None),
    };
    let value = |text: Option<&str>| {
        let text = printable(text.unwrap_or_default());
        if text.is_empty() { NONE.to_owned() } else { cut(&text, VALUE_MAX).to_owned() }
    };
    vec![
        ("schema", "1".to_owned()),
        ("kind", m.kind().to_owned()),
        ("state", state.to_owned()),
        ("severity", m.severity().word().to_owned()),
        ("rule", value(rule)),
        ("api", value(api)),
        ("episode", value(Some(m.episode()))),
        ("fingerprint", t.fingerprint.clone()),
    ]
}

/// From episode, number and state, in characters that SNS takes.
fn deduplication_id(m: &Message, state: &str) -> String {
    let id = format!("{}-{}-{state}", m.episode(), m.seq());
    if id.len() <= ID_MAX && id.bytes().all(|b| b.is_ascii_graphic()) {
        return id;
    }
    format!("{:016x}-{}-{state}", xxhash_rust::xxh3::xxh3_64(m.episode().as_bytes()), m.seq())
}

fn per_protocol(t: &Telling, origin: &Origin) -> String {
    let (text, chat, json) = (text::write(t, origin), chat::write(t, origin), json::write(t, origin));
    line(&Protocols {
        default: &text,
        email: &text,
        sms: &ascii_line(&t.message, SMS_MAX),
        http: &chat,
        https: &chat,
        sqs: &json,
        lambda: &json,
        firehose: &json,
    })
}
