//! SNS Publish: one message.

use std::collections::HashMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::operation::publish::PublishError;
use aws_sdk_sns::types::MessageAttributeValue;

use super::fetch::chain;
use crate::notify::sink::{Publish, SendError};
use crate::notify::sns::SnsRequest;

/// Publishes to the topics of one Region.
#[derive(Clone, Debug)]
pub struct SnsPublish {
    client: Client,
}

impl SnsPublish {
    /// With the client of the Region.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Publish for SnsPublish {
    async fn publish(&self, request: SnsRequest) -> Result<(), SendError> {
        let attribute = |value: String| {
            let built = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            built.expect("the data type is set")
        };
        let attributes: HashMap<_, _> =
            request.attributes.into_iter().map(|(name, value)| (name.to_owned(), attribute(value))).collect();
        let call = self.client.publish().topic_arn(&*request.topic_arn).message(request.message);
        let call = call.subject(request.subject).set_message_attributes(Some(attributes));
        let call = call.set_message_structure(request.structure.map(str::to_owned));
        let call = call.set_message_group_id(request.group_id).set_message_deduplication_id(request.deduplication_id);
        call.send().await.map(|_| ()).map_err(|e| error(&e, &request.topic_arn))
    }
}

/// Which errors pass by themselves: AWS documentation of Publish, "Errors".
fn error(e: &SdkError<PublishError>, topic: &str) -> SendError {
    let code = e.code().unwrap_or_default();
    let failed_itself = e.raw_response().is_some_and(|r| r.status().is_server_error());
    let lasting = matches!(e, SdkError::ServiceError(_) | SdkError::ConstructionFailure(_))
        && !failed_itself
        && !matches!(code, "InternalError" | "InternalFailure" | "Throttling" | "ThrottlingException" | "Throttled")
        && !matches!(code, "KMSThrottling" | "KMSThrottlingException" | "ServiceUnavailable" | "ExpiredToken");
    let advice = match code {
        "NotFound" | "NotFoundException" => "; check the topic's ARN",
        "AuthorizationError" | "AuthorizationErrorException" | "AccessDenied" => "; allow sns:Publish on the topic",
        _ => "",
    };
    let said = match e.message() {
        Some(message) if !code.is_empty() => format!("{code}: {message}"),
        Some(_) | None => chain(e),
    };
    SendError { retry: !lasting, text: format!("SNS topic {topic}: {said}{advice}") }
}
