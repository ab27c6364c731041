//! `FilterLogEvents`: one page.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;

use crate::model::time::Timestamp;
use crate::tail::fetch::{Fetch, FetchError, Page, PageRequest, Problem, RawEvent};

/// Fetches pages of one Region's log groups.
#[derive(Clone, Debug)]
pub struct LogsFetch {
    client: Client,
}

impl LogsFetch {
    /// With the client of the Region.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Fetch for LogsFetch {
    async fn page(&self, request: &PageRequest) -> Result<Page, FetchError> {
        let call = self.client.filter_log_events().start_time(request.from.as_millis());
        let call = call.set_next_token(request.token.clone());
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
        Ok(Page { events: events.collect(), next: answer.next_token })
    }
}

fn error(e: &SdkError<FilterLogEventsError>) -> FetchError {
    let code = e.code().unwrap_or_default();
    let problem = match e {
        SdkError::ServiceError(_) => match code {
            "ThrottlingException" | "LimitExceededException" => Problem::Throttled,
            "ResourceNotFoundException" => Problem::NotFound,
            "AccessDeniedException" => Problem::Denied,
            "InvalidOperationException" => Problem::Unsupported,
            "InvalidParameterException" if e.message().is_some_and(|m| m.to_ascii_lowercase().contains("token")) => {
                Problem::BadToken
            }
            "ExpiredTokenException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "MissingAuthenticationTokenException" => Problem::Credentials,
            _ => Problem::Service,
        },
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => Problem::Unreachable,
        SdkError::DispatchFailure(d) if d.is_io() || d.is_timeout() => Problem::Unreachable,
        // Credentials are looked up while the request is built; what is neither is reported as the SDK tells it.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => Problem::Credentials,
        _ => Problem::Service,
    };
    let said = match e.message() {
        Some(message) if !code.is_empty() => format!("{code}: {message}"),
        Some(_) | None => chain(e),
    };
    FetchError { problem, said }
}

/// The error and what caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
