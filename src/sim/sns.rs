//! The SNS of the simulation: topics, what was published to them, and the `Publish` operation of the query protocol.
//!
//! Not a fan-out: there are no subscribers, only a list to look at. Rule: what SNS would refuse (no such topic, empty
//! or too long message, bad subject) is refused with its codes, because a sink must learn of it in tests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::answer::Reply;
use super::dice::Dice;
use crate::model::time::Timestamp;

/// Message body and attributes together, in bytes.
const MESSAGE_BYTES_MAX: usize = 262_144;
/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 100;
/// How long a FIFO topic remembers a de-duplication id.
const DEDUPLICATION: Duration = Duration::from_mins(5);
/// The namespace of every answer.
const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// One message SNS took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where it went.
    pub topic_arn: String,
    /// The subject line, if one was given.
    pub subject: Option<String>,
    /// The body as sent; with `structure` it is JSON with one text per protocol.
    pub message: String,
    /// `MessageStructure`: `json` or nothing.
    pub structure: Option<String>,
    /// Message attributes: name to string value.
    pub attributes: BTreeMap<String, String>,
    /// `MessageGroupId`, of FIFO topics mostly.
    pub group_id: Option<String>,
    /// `MessageDeduplicationId`, of FIFO topics only.
    pub deduplication_id: Option<String>,
    /// The id SNS answered with.
    pub message_id: String,
    /// When, by the simulation's clock.
    pub time: Timestamp,
}

/// The topics and everything published.
#[derive(Default)]
pub(super) struct Topics {
    arns: BTreeSet<String>,
    published: Vec<Published>,
    /// Requests seen: seeds ids.
    requests: u64,
}

/// Why SNS refuses a request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("Topic does not exist")]
    NotFound,
    #[error("Invalid parameter: {0}")]
    Invalid(&'static str),
    #[error("The action is not simulated")]
    UnknownAction,
}

impl Topics {
    /// Makes a topic.
    pub(super) fn create(&mut self, arn: &str) {
        self.arns.insert(arn.to_owned());
    }

    /// Everything published so far, oldest first.
    pub(super) fn published(&self) -> &[Published] {
        &self.published
    }

    /// Takes a message, or says why not; the message id.
    fn publish(&mut self, form: &BTreeMap<String, String>, now: Timestamp) -> Result<String, Refusal> {
        let field = |name: &str| form.get(name).cloned();
        let topic_arn = field("TopicArn").ok_or(Refusal::Invalid("TopicArn or TargetArn Reason: no value"))?;
        if !self.arns.contains(&topic_arn) {
            return Err(Refusal::NotFound);
        }
        let message = field("Message").filter(|text| !text.is_empty()).ok_or(Refusal::Invalid("Empty message"))?;
        let attributes = attributes(form)?;
        let attribute_bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        if message.len() + attribute_bytes > MESSAGE_BYTES_MAX {
            return Err(Refusal::Invalid("Message too long"));
        }
        let subject = field("Subject");
        let bad = |text: &str| {
            text.is_empty() || text.chars().count() > SUBJECT_CHARS_MAX || text.chars().any(char::is_control)
        };
        if subject.as_deref().is_some_and(bad) {
            return Err(Refusal::Invalid("Subject"));
        }
        let structure = field("MessageStructure");
        if structure.as_deref() == Some("json") {
            let default = serde_json::from_str::<serde_json::Value>(&message)
                .map_err(|_| Refusal::Invalid("Message Structure - JSON message body failed to parse"))?;
            if !default["default"].is_string() {
                return Err(Refusal::Invalid("Message Structure - No default entry in JSON message body"));
            }
        }
        let (group_id, deduplication_id) = (field("MessageGroupId"), field("MessageDeduplicationId"));
        if is_fifo(&topic_arn) {
            if group_id.is_none() {
                return Err(Refusal::Invalid("The MessageGroupId parameter is required for FIFO topics"));
            }
            if deduplication_id.is_none() {
                return Err(Refusal::Invalid("The topic should have a MessageDeduplicationId provided explicitly"));
            }
            let same = |p: &&Published| {
                p.topic_arn == topic_arn && p.deduplication_id == deduplication_id && now.since(p.time) < DEDUPLICATION
            };
            if let Some(earlier) = self.published.iter().rev().find(same) {
                return Ok(earlier.message_id.clone());
            }
        }
        let message_id = Dice::new(self.requests).uuid();
        self.published.push(Published {
            topic_arn,
            subject,
            message,
            structure,
            attributes,
            group_id,
            deduplication_id,
            message_id: message_id.clone(),
            time: now,
        });
        Ok(message_id)
    }
}

/// Whether a topic is a FIFO topic, which its name must say.
fn is_fifo(topic_arn: &str) -> bool {
    topic_arn.strip_suffix(".fifo").is_some()
}

/// Answers one request of the query protocol.
pub(super) fn answer(topics: &mut Topics, body: &[u8], now: Timestamp) -> Reply {
    topics.requests += 1;
    let request_id = Dice::new(!topics.requests).uuid();
    let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    let result = match form.get("Action").map(String::as_str) {
        Some("Publish") => topics.publish(&form, now),
        Some(_) | None => Err(Refusal::UnknownAction),
    };
    match result {
        Ok(message_id) => Reply::xml(
            200,
            format!(
                "<PublishResponse xmlns=\"{NAMESPACE}\"><PublishResult><MessageId>{message_id}</MessageId>\
                 </PublishResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
                 </PublishResponse>"
            ),
        ),
        Err(refusal) => {
            let (status, code) = match refusal {
                Refusal::NotFound => (404, "NotFound"),
                Refusal::Invalid(_) => (400, "InvalidParameter"),
                Refusal::UnknownAction => (400, "InvalidAction"),
            };
            Reply::xml(
                status,
                format!(
                    "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
                     <Message>{refusal}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
                ),
            )
        }
    }
}

/// Message attributes, which the query protocol numbers from 1.
fn attributes(form: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut attributes = BTreeMap::new();
    for n in 1_u32.. {
        let field = |part: &str| form.get(&format!("MessageAttributes.entry.{n}.{part}"));
        let Some(name) = field("Name") else { break };
        if field("Value.DataType").is_none_or(String::is_empty) {
            return Err(Refusal::Invalid("The message attribute must contain a non-empty message attribute type"));
        }
        let value = field("Value.StringValue").or_else(|| field("Value.BinaryValue"));
        let value = value.filter(|text| !text.is_empty());
        let value = value.ok_or(Refusal::Invalid("The message attribute must contain a non-empty value"))?;
        attributes.insert(name.clone(), value.clone());
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:ops-alerts";

    fn publish(topics: &mut Topics, fields: &[(&str, &str)], at_ms: i64) -> Reply {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", "Publish");
        if !fields.iter().any(|(name, _)| *name == "TopicArn") {
            form.append_pair("TopicArn", TOPIC);
        }
        form.extend_pairs(fields);
        answer(topics, form.finish().as_bytes(), Timestamp::from_millis(at_ms))
    }

    fn topics() -> Topics {
        let mut topics = Topics::default();
        topics.create(TOPIC);
        topics
    }

    #[test]
    fn keeps_what_was_published() {
        let mut topics = topics();
        let reply = publish(
            &mut topics,
            &[
                ("Message", "a=b&c\nd é"),
                ("Subject", "[CRITICAL] POST /checkout"),
                ("MessageAttributes.entry.1.Name", "severity"),
                ("MessageAttributes.entry.1.Value.DataType", "String"),
                ("MessageAttributes.entry.1.Value.StringValue", "critical"),
            ],
            5,
        );
        assert_eq!(reply.status, 200);
        let [message] = topics.published() else { panic!("one message") };
        assert_eq!(message.message, "a=b&c\nd é");
        assert_eq!(message.subject.as_deref(), Some("[CRITICAL] POST /checkout"));
        assert_eq!(message.attributes["severity"], "critical");
        assert_eq!(message.time, Timestamp::from_millis(5));
        assert!(reply.body.contains(&format!("<MessageId>{}</MessageId>", message.message_id)));
    }

    #[test]
    fn refuses_what_sns_refuses() {
        let mut topics = topics();
        let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
        let subject = "s".repeat(SUBJECT_CHARS_MAX + 1);
        for fields in [
            &[("Message", "")][..],
            &[],
            &[("Message", long.as_str())],
            &[("Message", "m"), ("Subject", "two\nlines")],
            &[("Message", "m"), ("Subject", &subject)],
            &[("Message", "{}"), ("MessageStructure", "json")],
        ] {
            let reply = publish(&mut topics, fields, 0);
            assert_eq!(reply.status, 400);
            assert!(reply.body.contains("<Code>InvalidParameter</Code>"), "{}", reply.body);
        }
        let reply = publish(&mut topics, &[("Message", "m"), ("TopicArn", "arn:aws:sns:eu-west-1:1:no")], 0);
        assert!(reply.status == 404 && reply.body.contains("<Code>NotFound</Code>"));
        assert!(topics.published().is_empty());
    }

    #[test]
    fn a_fifo_topic_drops_repeats_for_five_minutes() {
        let mut topics = topics();
        topics.create("t.fifo");
        let fields =
            [("TopicArn", "t.fifo"), ("Message", "m"), ("MessageGroupId", "g"), ("MessageDeduplicationId", "d")];
        assert_eq!(publish(&mut topics, &fields[..2], 0).status, 400);
        for at_ms in [0, 299_999, 300_000] {
            assert_eq!(publish(&mut topics, &fields, at_ms).status, 200);
        }
        assert_eq!(topics.published().len(), 2);
    }
}
