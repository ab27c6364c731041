//! A message as an SNS publish request: subject, body, attributes, within the limits of SNS.
//!
//! Limits (AWS documentation of Publish): subject under 100 characters without line breaks, here printable ASCII,
//! which every version of the rule allows; body and attributes together 262,144 bytes. Subject and attributes are not
//! encrypted by a topic's key, so they carry no error text. Rule: text is cut at a character boundary.

use std::sync::Arc;

use super::message::Message;
use super::{json, text};
use crate::model::alert::State;
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
    /// String attributes, for subscription filters.
    pub attributes: Vec<(&'static str, String)>,
    /// FIFO topics only: messages of one alert stay in order.
    pub group_id: Option<String>,
    /// FIFO topics only: differs for each message, so that a resolve is never taken for a repetition.
    pub deduplication_id: Option<String>,
}

/// Builds the request.
#[must_use]
pub fn request(m: &Message, topic_arn: &Arc<str>, format: Format) -> SnsRequest {
    let a = &m.alert;
    let body = match format {
        Format::Text => text::render(m),
        Format::Json => json::render(m),
    };
    let fifo = topic_arn.ends_with(".fifo");
    let attributes = vec![
        ("schema", "1".to_owned()),
        ("kind", "alert".to_owned()),
        ("state", a.state.word().to_owned()),
        ("severity", a.severity.word().to_owned()),
        ("rule", a.key.rule.to_string()),
        ("api", m.api.to_string()),
        ("episode", a.episode.to_string()),
    ];
    SnsRequest {
        topic_arn: Arc::clone(topic_arn),
        subject: subject(m),
        message: fit(body, format),
        attributes,
        group_id: fifo.then(|| a.episode.to_string()),
        deduplication_id: fifo.then(|| format!("{}-{}", a.episode, m.seq)),
    }
}

/// `[CRITICAL] shop: POST /checkout 5xx 40.0% (12 of 30)`.
fn subject(m: &Message) -> String {
    let a = &m.alert;
    let word = match a.state {
        State::Firing => a.severity.word().to_ascii_uppercase(),
        State::Resolved => "RESOLVED".to_owned(),
    };
    let about = a.key.endpoint.as_ref().map_or_else(|| m.api.to_string(), |e| format!("{}: {e}", m.api));
    let text = format!("[{word}] {about} 5xx {:.1}% ({} of {})", a.value * 100.0, a.errors, a.requests);
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).take(SUBJECT_MAX).collect()
}

/// The engine bounds causes and samples, so that even JSON fits; cut in the middle it would be none.
fn fit(body: String, format: Format) -> String {
    match format {
        Format::Text if body.len() > BODY_MAX => cut(&body, BODY_MAX).to_owned(),
        Format::Text | Format::Json => body,
    }
}
