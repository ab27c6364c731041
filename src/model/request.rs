//! One request, as the access log tells it.
//!
//! Rule: what the log did not say is `None`, whatever spelling of "missing" the format used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::inventory::ApiId;
use super::time::Timestamp;

/// Method and route template; never a raw path, which would make statistics per customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// HTTP method in capitals, or `-` where the format has none.
    pub method: Arc<str>,
    /// Route template, such as `/users/{id}`.
    pub route: Arc<str>,
}

impl Endpoint {
    /// Where requests go once an API has more endpoints than are tracked: the method stays, the route is dropped.
    pub const OTHER: &'static str = "<other>";

    /// From its two parts.
    #[must_use]
    pub fn new(method: &str, route: &str) -> Self {
        Self { method: method.into(), route: route.into() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.route)
    }
}

/// A request that API Gateway answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The API it came to.
    pub api: ApiId,
    /// Which endpoint.
    pub endpoint: Arc<Endpoint>,
    /// HTTP status the client got.
    pub status: u16,
    /// When it began.
    pub start: Timestamp,
    /// API Gateway's request ID. Not always a UUID, and on REST APIs a client can set it.
    pub request_id: Option<Box<str>>,
    /// The ID of the Lambda invocation that served it: `$context.integration.requestId`.
    pub lambda_request_id: Option<Box<str>>,
    /// Whole time in the gateway, milliseconds.
    pub response_latency_ms: Option<u32>,
    /// Time in the integration, milliseconds.
    pub integration_latency_ms: Option<u32>,
    /// What the gateway says about how it went; kept for failures only.
    pub gateway: Option<Box<GatewayWords>>,
}

impl Request {
    /// When it ended, which is its event time: start plus response latency where that is logged, because a request
    /// that hangs for 29 s must not look like 29 s of silence.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.start.plus(Duration::from_millis(u64::from(self.response_latency_ms.unwrap_or(0))))
    }

    /// A status of 500 to 599.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        self.status >= 500 && self.status <= 599
    }
}

/// The gateway's own words on a failed request: the `$context` variables that name causes. Sources for their
/// meaning: AWS documentation "Variables for access logging", and the truth table they were observed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayWords {
    /// `$context.integration.integrationStatus`: what the Lambda service answered; 200 even when the function threw.
    pub integration_status: Option<u16>,
    /// `$context.integration.status`: what the function itself answered.
    pub function_status: Option<u16>,
    /// `$context.integration.error`: the text that names most causes.
    pub integration_error: Option<String>,
    /// `$context.error.message`.
    pub error_message: Option<String>,
    /// `$context.error.responseType`, such as `INTEGRATION_TIMEOUT`; set only where the gateway made the answer.
    pub response_type: Option<String>,
    /// `$context.authorizer.error`.
    pub authorizer_error: Option<String>,
    /// `$context.authorizer.requestId`: the invocation of the authorizer's function.
    pub authorizer_request_id: Option<Box<str>>,
    /// `$context.waf.error`.
    pub waf_error: Option<String>,
    /// `$context.responseLength`, bytes: answers that the gateway makes have known lengths.
    pub response_length: Option<u32>,
    /// `$context.extendedRequestId`: unlike `requestId` no client can set it.
    pub extended_request_id: Option<Box<str>>,
    /// `$context.xrayTraceId`.
    pub trace_id: Option<Box<str>>,
    /// `$context.apiId`.
    pub api_id: Option<Box<str>>,
    /// `$context.stage`.
    pub stage: Option<Box<str>>,
    /// `$context.accountId`.
    pub account_id: Option<Box<str>>,
    /// Whether the log format has a field for the integration latency at all: then a missing value means that the
    /// integration never answered.
    pub logs_integration_latency: bool,
    /// Whether the log format has a field for the Lambda request ID at all.
    pub logs_lambda_request_id: bool,
    /// Whether the log format has a field for the response type at all.
    pub logs_response_type: bool,
}
