//! A message as an SNS publish request: subject, body, attributes, within the limits of SNS.
//!
//! Limits (AWS documentation of Publish): subject under 100 characters without line breaks, here printable ASCII,
//! which every version of the rule allows; body and attributes together 262,144 bytes. Subject and attributes are not
//! encrypted by a topic's key, so they carry no error text. Rule: text is cut at a character boundary.

use std::sync::Arc;

use super::message::{Message, caught_up, digest_headline, rough};
use super::origin::Origin;
use super::{json, text};
use crate::model::text::cut;

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// The `alert` object.
    Json,
}

/// Longest subject, in characters.
const SUBJECT_MAX: usize = 99;
/// Longest body, in bytes; the attributes need well under 4 KiB.
const BODY_MAX: usize = 262_144 - 4096;

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
    /// FIFO topics only: messages of one alert stay in order.
    pub group_id: Option<String>,
    /// FIFO topics only: differs for each message, so that a resolve is never taken for a repetition.
    pub deduplication_id: Option<String>,
}

/// Builds what is published for a message, in the order in which it is to be published: one request; none where the
/// format cannot say it; two where it takes two to say it without leaving something open.
#[must_use]
pub fn requests(m: &Message, topic_arn: &Arc<str>, format: Format, origin: &Origin) -> Vec<SnsRequest> {
    vec![request(m, topic_arn, format, origin)]
}

fn request(m: &Message, topic_arn: &Arc<str>, format: Format, origin: &Origin) -> SnsRequest {
    let body = match format {
        Format::Text => text::render(m, origin),
        Format::Json => json::render(m, origin),
    };
    let fifo = topic_arn.ends_with(".fifo");
    let (kind, of_alert) = match m {
        Message::Alert(m) => {
            let a = &m.alert;
            let (state, rule) = (a.state.word().to_owned(), a.key.rule.to_string());
            ("alert", vec![("state", state), ("rule", rule), ("api", m.api.to_string())])
        }
        // SNS refuses empty attributes, so what a notice does not have is not there.
        Message::Notice(_) => ("notice", Vec::new()),
        Message::Digest(_) => ("digest", Vec::new()),
        Message::Test(_) => ("test", Vec::new()),
    };
    let mut attributes = vec![
        ("schema", "1".to_owned()),
        ("kind", kind.to_owned()),
        ("severity", m.severity().word().to_owned()),
        ("episode", m.episode().to_string()),
    ];
    attributes.extend(of_alert);
    SnsRequest {
        topic_arn: Arc::clone(topic_arn),
        subject: subject(m),
        message: fit(body, format),
        structure: None,
        attributes,
        group_id: fifo.then(|| m.episode().to_string()),
        deduplication_id: fifo.then(|| format!("{}-{}", m.episode(), m.seq())),
    }
}

/// `[CRITICAL] shop: POST /checkout 5xx 40.0% (12 of 30)`.
fn subject(m: &Message) -> String {
    let text = match m {
        Message::Alert(m) => {
            let a = &m.alert;
            let about = if m.subject() == *m.api { m.subject() } else { format!("{}: {}", m.api, m.subject()) };
            let what = match &a.blindness {
                Some(blindness) => m.not_read(blindness),
                None => format!("5xx {:.1}% ({} of {})", a.value * 100.0, a.errors, a.requests),
            };
            format!("[{}] {about} {what}", m.word())
        }
        Message::Digest(d) => digest_headline(d),
        Message::Test(_) => "[TEST]".to_owned(),
        Message::Notice(n) => format!("[NOTICE] reading stood still for {}: {}", rough(n.lasted()), caught_up(n)),
    };
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).take(SUBJECT_MAX).collect()
}

/// The engine bounds causes and samples, so that even JSON fits; cut in the middle it would be none.
fn fit(body: String, format: Format) -> String {
    match format {
        Format::Text if body.len() > BODY_MAX => cut(&body, BODY_MAX).to_owned(),
        Format::Text | Format::Json => body,
    }
}
