//! A look at log groups and topics that changes nothing: for a check.
//!
//! Not reading for statistics (that is `fetch`) nor publishing. Rule: one request for each question, and an error says
//! which action was asked of what.

use std::sync::Arc;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};

use super::failure;
use super::fetch::{self, LogsFetch};
use crate::model::deployed::Unasked;
use crate::model::time::Timestamp;
use crate::tail::fetch::FetchError;
use crate::tail::groups::Pattern;

/// Pages that are asked for one ID.
const PAGES: usize = 3;

/// A log group as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its name; for a pattern that is an ARN, its ARN without `:*`.
    pub name: Arc<str>,
    /// Its class, as AWS writes it; where nothing is said, it is `STANDARD`.
    pub class: Arc<str>,
    /// Days for which its lines are kept; `None` is for ever.
    pub days: Option<u32>,
}

/// A subscription of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionFacts {
    /// `email`, `sqs` and so on.
    pub protocol: Arc<str>,
    /// It was confirmed.
    pub confirmed: bool,
}

impl LogsFetch {
    /// Asks for one event since `from`: whether this log group can be read.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn probe(&self, group: &str, from: Timestamp) -> Result<(), FetchError> {
        let call = self.client.filter_log_events().start_time(from.as_millis()).limit(1);
        let call =
            if group.starts_with("arn:") { call.log_group_identifier(group) } else { call.log_group_name(group) };
        call.send().await.map(|_| ()).map_err(|e| fetch::error(&e))
    }

    /// Whether an event since `from` has this ID in it. Little is searched: an answer may have none and more to come.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn mentions(&self, group: &str, id: &str, from: Timestamp) -> Result<bool, FetchError> {
        // A quote would end the phrase.
        let call = self.client.filter_log_events().filter_pattern(format!("\"{}\"", id.replace('"', " ")));
        let call = call.start_time(from.as_millis()).limit(1);
        let call =
            if group.starts_with("arn:") { call.log_group_identifier(group) } else { call.log_group_name(group) };
        let mut token = None;
        for _ in 0..PAGES {
            let answer = call.clone().set_next_token(token).send().await.map_err(|e| fetch::error(&e))?;
            if answer.events.is_some_and(|events| !events.is_empty()) {
                return Ok(true);
            }
            token = answer.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(false)
    }

    /// One part of the log groups that fit, and where the next part begins.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn facts(
        &self,
        pattern: &Pattern,
        token: Option<String>,
    ) -> Result<(Vec<GroupFacts>, Option<String>), FetchError> {
        let (groups, next) = self.described(pattern, token).await?;
        let groups = groups.into_iter().map(|(name, group)| GroupFacts {
            name,
            class: group.log_group_class.map_or("STANDARD".into(), |class| class.as_str().into()),
            days: group.retention_in_days.and_then(|days| u32::try_from(days).ok()),
        });
        Ok((groups.collect(), next))
    }
}

/// The key of AWS KMS by which a topic's messages are encrypted, if they are.
///
/// # Errors
/// When it cannot be asked, above all because there is no such topic.
pub async fn topic_key(client: &Client, arn: &str) -> Result<Option<Arc<str>>, Unasked> {
    let answer = client.get_topic_attributes().topic_arn(arn).send().await;
    let answer = answer.map_err(|e| unasked("sns:GetTopicAttributes", arn, &e))?;
    let key = answer.attributes.and_then(|mut attributes| attributes.remove("KmsMasterKeyId"));
    Ok(key.filter(|key| !key.is_empty()).map(Into::into))
}

/// Who gets what is published to a topic: the first hundred.
///
/// # Errors
/// When it cannot be asked.
pub async fn subscriptions(client: &Client, arn: &str) -> Result<Vec<SubscriptionFacts>, Unasked> {
    let answer = client.list_subscriptions_by_topic().topic_arn(arn).send().await;
    let answer = answer.map_err(|e| unasked("sns:ListSubscriptionsByTopic", arn, &e))?;
    let each = answer.subscriptions.unwrap_or_default().into_iter().map(|subscription| SubscriptionFacts {
        protocol: subscription.protocol.unwrap_or_default().into(),
        // In place of an ARN: SNS API reference, `Subscription`; `Deleted` stands there for a while as well.
        confirmed: subscription.subscription_arn.is_some_and(|arn| arn.starts_with("arn:")),
    });
    Ok(each.collect())
}

fn unasked<E>(action: &'static str, arn: &str, e: &SdkError<E>) -> Unasked
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    Unasked { action, resource: arn.into(), problem: failure::problem(e), said: failure::said(e).into() }
}
