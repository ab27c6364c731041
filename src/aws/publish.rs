//! SNS Publish: one message.

use std::collections::HashMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::operation::publish::PublishError;
use aws_sdk_sns::types::MessageAttributeValue;

use super::failure;
use crate::notify::sink::sns::Publish;
use crate::notify::sink::{Class, SendError};
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

fn error(e: &SdkError<PublishError>, topic: &str) -> SendError {
    let code = e.code().unwrap_or_default();
    let failed_itself = e.raw_response().is_some_and(|r| r.status().is_server_error());
    let refused = matches!(e, SdkError::ServiceError(_));
    let class = if refused { class(code, failed_itself) } else { Class::Again };
    let advice = match code {
        "NotFound" | "NotFoundException" => "; check the topic's ARN",
        "AuthorizationError" | "AuthorizationErrorException" | "AccessDenied" | "AccessDeniedException" => {
            "; allow sns:Publish on the topic"
        }
        code if code.starts_with("KMSAccessDenied") => {
            "; allow kms:GenerateDataKey* and kms:Decrypt on the topic's key"
        }
        code if failure::is_of_credentials(code) => "; renew the AWS credentials",
        _ => advice_without_code(e),
    };
    SendError { class, text: format!("SNS topic {topic}: {}{advice}", failure::said(e)) }
}

/// What to look at where the service has not said what is wrong.
fn advice_without_code(e: &SdkError<PublishError>) -> &'static str {
    match e {
        SdkError::DispatchFailure(d) if d.is_io() || d.is_timeout() => {
            "; check the network, the Region, and AWS_ENDPOINT_URL if it is set"
        }
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => "; check the AWS credentials",
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) | SdkError::ServiceError(_) | _ => "",
    }
}

/// Which refusals pass by themselves: AWS documentation of Publish, "Errors", and of the errors that all services share.
fn class(code: &str, failed_itself: bool) -> Class {
    match code {
        code if failure::is_throttling(code) => Class::Throttled { after: None },
        "InternalError" | "InternalErrorException" | "InternalFailure" | "ServiceUnavailable" => Class::Again,
        // Somebody logs in again, or the role is taken on again.
        code if failure::is_of_credentials(code) => Class::Again,
        _ if failed_itself => Class::Again,
        _ => Class::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alerting reference, 3.1: what Publish answers.
    #[test]
    fn each_code_has_its_class() {
        let throttled = Class::Throttled { after: None };
        for (code, failed_itself, want) in [
            ("InternalError", true, Class::Again),
            ("InternalErrorException", true, Class::Again),
            ("ThrottlingException", false, throttled),
            ("Throttled", false, throttled),
            ("KMSThrottling", false, throttled),
            ("KMSThrottlingException", false, throttled),
            ("ServiceUnavailable", true, Class::Again),
            ("SomethingNew", true, Class::Again),
            ("ExpiredToken", false, Class::Again),
            ("InvalidClientTokenId", false, Class::Again),
            ("InvalidParameter", false, Class::Never),
            ("InvalidParameterValue", false, Class::Never),
            ("NotFound", false, Class::Never),
            ("EndpointDisabled", false, Class::Never),
            ("AuthorizationError", false, Class::Never),
            ("KMSDisabled", false, Class::Never),
            ("KMSAccessDenied", false, Class::Never),
            ("InvalidSecurity", false, Class::Never),
            ("ValidationException", false, Class::Never),
            ("SomethingNew", false, Class::Never),
        ] {
            assert_eq!(class(code, failed_itself), want, "{code}");
        }
    }
}
