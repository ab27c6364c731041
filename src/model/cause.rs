//! Why a request failed: the closed set of causes, how sure that is, and how it was found out.
//!
//! Not how to decide it: that is `engine/explain`. Rule: the sets are closed; logs, tests, statistics and alert texts
//! use these same words.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::inventory::ApiId;
use super::invocation::Site;
use super::request::Endpoint;
use super::time::Timestamp;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word used in JSON and in the documentation.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one of this word, if there is one.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What went wrong.
    CauseKind {
        /// The function ran and answered in a shape that the gateway cannot turn into a response.
        MalformedResponse = "malformed_response",
        /// An exception that nothing caught.
        UnhandledException = "unhandled_exception",
        /// The handler's return value could not be serialised.
        UnserializableResponse = "unserializable_response",
        /// The function's own timeout ended it.
        LambdaTimeout = "lambda_timeout",
        /// The gateway stopped waiting.
        IntegrationTimeout = "integration_timeout",
        /// The environment ran out of memory.
        OutOfMemory = "out_of_memory",
        /// The runtime process ended in the middle of the invocation.
        ProcessExit = "process_exit",
        /// The function could not be started: import, handler name, syntax, entry point.
        InitFailure = "init_failure",
        /// The response exceeded Lambda's payload limit (6,291,556 bytes).
        ResponseTooLarge = "response_too_large",
        /// A Lambda extension failed.
        ExtensionFailure = "extension_failure",
        /// The Lambda platform failed.
        PlatformFailure = "platform_failure",
        /// Lambda refused the invocation: concurrency or rate limit.
        Throttled = "throttled",
        /// The gateway may not invoke the function.
        PermissionDenied = "permission_denied",
        /// The integration's address or configuration is wrong.
        InvalidIntegration = "invalid_integration",
        /// An HTTP or VPC backend could not be reached.
        BackendUnreachable = "backend_unreachable",
        /// The authorizer failed.
        AuthorizerFailure = "authorizer_failure",
        /// The web application firewall could not be asked.
        WafFailure = "waf_failure",
        /// The function itself answered 5xx: not the gateway's doing.
        ApplicationError = "application_error",
        /// Not known; the message says what was looked for.
        Unknown = "unknown",
    }
}

words! {
    /// How sure an explanation is.
    Certainty {
        /// Nothing was looked up yet, or nothing was found.
        Unknown = "unknown",
        /// The evidence fits one cause best.
        Likely = "likely",
        /// The evidence names the cause.
        Certain = "certain",
    }
}

words! {
    /// How a request and its invocation were brought together.
    Join {
        /// The access line's `$context.integration.requestId` is the invocation's ID.
        IntegrationRequestId = "integration_request_id",
        /// The ID stood in the text of `integration.error`.
        IdInMessage = "id_in_message",
        /// The execution log named the invocation.
        ExecutionLog = "execution_log",
        /// The function logged the API's request ID.
        ApiRequestIdInLog = "api_request_id_in_log",
        /// By X-Ray trace ID.
        Xray = "xray",
        /// By function and time.
        TimeWindow = "time_window",
        /// Not joined: the gateway's own words, or nothing.
        None = "none",
    }
}

/// What went wrong with one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Which of the closed set.
    pub kind: CauseKind,
    /// How sure.
    pub certainty: Certainty,
    /// The runtime's or Lambda's error type.
    pub error_type: Option<Arc<str>>,
    /// The error's message, or for `unknown` what was looked for.
    pub message: Option<Arc<str>>,
    /// How the invocation was found.
    pub join: Join,
    /// How many invocations came into question; 0 without a join.
    pub candidates: u32,
}

/// A line that supports an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The line's stamp.
    pub time: Timestamp,
    /// Log group.
    pub source: Arc<str>,
    /// Log stream.
    pub stream: Arc<str>,
    /// The line, bounded.
    pub text: Arc<str>,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// A sentence or two, with the case's own names and numbers.
    pub text: String,
    /// A command that does it or shows more, where there is one.
    pub command: Option<String>,
}

/// A cause with what supports it and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What went wrong.
    pub cause: Cause,
    /// The function, where known.
    pub function: Option<Arc<str>>,
    /// The place in the user's code, where known.
    pub site: Option<Site>,
    /// Up to five lines.
    pub evidence: Vec<Evidence>,
    /// What to do.
    pub fix: Fix,
}

/// A failed request with its explanation, as it is shown to people and programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// From 1; higher each time more is known.
    pub revision: u32,
    /// The API.
    pub api: ApiId,
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// HTTP status.
    pub status: u16,
    /// Event time.
    pub time: Timestamp,
    /// API Gateway's request ID.
    pub request_id: Option<Arc<str>>,
    /// Lambda's request ID.
    pub lambda_request_id: Option<Arc<str>>,
    /// Why.
    pub explanation: Arc<Explanation>,
}
