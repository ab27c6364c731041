//! `FilterLogEvents` and `DescribeLogGroups`: one page.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_cloudwatchlogs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudwatchlogs::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cloudwatchlogs::types::{LogGroup, LogGroupClass};

use super::failure;
use crate::model::time::Timestamp;
use crate::tail::fetch::{Fetch, FetchError, Page, PageRequest, RawEvent};
use crate::tail::groups::{List, Listed, Listing, Pattern};

/// Fetches pages of one Region's log groups.
#[derive(Clone, Debug)]
pub struct LogsFetch {
    pub(super) client: Client,
    answered: Answered,
}

/// When the service answered last, by its own clock: milliseconds since the epoch, 0 before the first answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered(Arc<AtomicI64>);

impl Intercept for Answered {
    fn name(&self) -> &'static str {
        "answered"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok());
        self.0.store(date.and_then(|d| d.to_millis().ok()).unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }
}

impl LogsFetch {
    /// With the client of the Region, whose answers `answered` intercepts.
    pub(super) const fn new(client: Client, answered: Answered) -> Self {
        Self { client, answered }
    }
}

impl Fetch for LogsFetch {
    async fn page(&self, request: &PageRequest) -> Result<Page, FetchError> {
        let ask = &request.ask;
        let call = self.client.filter_log_events().start_time(ask.from.as_millis());
        let call = call.set_end_time(ask.to.map(Timestamp::as_millis)).set_next_token(ask.token.clone());
        let call = call.set_log_stream_name_prefix(request.streams.as_deref().map(str::to_owned));
        // Said only where it is wanted: older endpoints do not know it. A token keeps the order it began with.
        let call = call.set_start_from_head((ask.newest_first && ask.token.is_none()).then_some(false));
        let call = if request.group.starts_with("arn:") {
            call.log_group_identifier(&*request.group)
        } else {
            call.log_group_name(&*request.group)
        };
        let answer = call.send().await.map_err(|e| error(&e))?;
        // Nothing is looked into yet: a page is more than caches hold, so each event is best dealt with in one go.
        let events = answer.events.unwrap_or_default().into_iter().filter_map(|e| {
            Some(RawEvent {
                event_id: e.event_id.unwrap_or_default(),
                stream: e.log_stream_name.unwrap_or_default(),
                time: Timestamp::from_millis(e.timestamp?),
                ingested: e.ingestion_time,
                text: e.message.unwrap_or_default(),
            })
        });
        let answered = Some(self.answered.0.load(Ordering::Relaxed)).filter(|ms| *ms > 0);
        let answered = answered.map(Timestamp::from_millis);
        Ok(Page { events: events.collect(), next: answer.next_token, answered })
    }
}

impl LogsFetch {
    /// One part of the log groups that fit a pattern, each with the name to read it by, and where the next part begins.
    pub(super) async fn described(
        &self,
        pattern: &Pattern,
        token: Option<String>,
    ) -> Result<(Vec<(Arc<str>, LogGroup)>, Option<String>), FetchError> {
        let call = self.client.describe_log_groups().set_next_token(token);
        let call = call.log_group_name_prefix(pattern.prefix());
        // The groups of another account that shares its logs with this one.
        let call = match pattern.account() {
            Some(account) => call.include_linked_accounts(true).account_identifiers(account),
            None => call,
        };
        let answer = call.send().await.map_err(|e| error(&e))?;
        let groups = answer.log_groups.unwrap_or_default().into_iter().filter_map(|group| {
            let name: Arc<str> = group.log_group_name.as_deref().filter(|name| pattern.matches(name))?.into();
            let arn = group.log_group_arn.as_deref().or(group.arn.as_deref());
            let name = match pattern.account() {
                Some(_) => arn?.trim_end_matches(":*").into(),
                None => name,
            };
            Some((name, group))
        });
        Ok((groups.collect(), answer.next_token))
    }
}

impl List for LogsFetch {
    async fn list(&self, pattern: &Pattern, token: Option<String>) -> Result<Listing, FetchError> {
        let (groups, next) = self.described(pattern, token).await?;
        let groups = groups.into_iter().map(|(name, group)| {
            let readable = group.log_group_class.is_none_or(|class| class == LogGroupClass::Standard);
            Listed { name, created: group.creation_time.unwrap_or_default(), readable }
        });
        Ok(Listing { groups: groups.collect(), next })
    }
}

pub(super) fn error<E: ProvideErrorMetadata + std::error::Error + 'static>(e: &SdkError<E>) -> FetchError {
    FetchError { problem: failure::problem(e), said: failure::said(e) }
}
