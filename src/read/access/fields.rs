//! The `$context` variables that are used, and which one a key of a log format stands for.
//!
//! Not how a line is cut into keys and values. Variables: AWS documentation "Variables for access logging", for REST,
//! HTTP and WebSocket APIs. Keys: the formats that the console, CDK, SST, Serverless Framework and Terraform modules
//! set up, and those that people write. Rule: `-`, empty, absent, `(none)`, `null` and `-1` all mean "missing", in as
//! many quotes as they come.

use std::borrow::Cow;

use crate::model::request::GatewayWords;
use crate::model::text::cut;

/// Longest ID and route kept, in bytes.
pub(super) const NAME_MAX: usize = 256;
/// Longest text of the gateway kept, in bytes.
const WORDS_MAX: usize = 2048;

/// The variables that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Field {
    RequestId,
    ExtendedRequestId,
    TimeEpoch,
    Time,
    Method,
    Template,
    Path,
    EventType,
    Status,
    ResponseLatency,
    ResponseLength,
    LambdaRequestId,
    IntegrationStatus,
    FunctionStatus,
    /// `integrationStatus` as a key: some formats mean the one by it and some the other.
    SomeIntegrationStatus,
    IntegrationLatency,
    IntegrationError,
    ErrorMessage,
    ResponseType,
    AuthorizerError,
    AuthorizerRequestId,
    WafError,
    TraceId,
    ApiId,
    Stage,
    AccountId,
}

const FIELDS: usize = Field::AccountId as usize + 1;

impl Field {
    /// Whether its value is a sentence, which may hold anything that separates fields.
    pub(super) const fn is_free_text(self) -> bool {
        matches!(
            self,
            Self::IntegrationError
                | Self::ErrorMessage
                | Self::AuthorizerError
                | Self::WafError
                | Self::Path
                | Self::Template
        )
    }
}

/// What one line says, by variable; `logged` tells "the format has it" from "it has a value".
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    values: [Option<Cow<'a, str>>; FIELDS],
    logged: [bool; FIELDS],
}

impl<'a> Fields<'a> {
    /// The first value counts: formats name some variables twice.
    #[inline]
    pub(super) fn put(&mut self, field: Field, value: Cow<'a, str>) {
        let at = field as usize;
        self.logged[at] = true;
        if self.values[at].is_some() {
            return;
        }
        let value = match value {
            Cow::Borrowed(v) => Cow::Borrowed(bare(v)),
            Cow::Owned(v) if bare(&v).len() == v.len() => Cow::Owned(v),
            Cow::Owned(v) => Cow::Owned(bare(&v).to_owned()),
        };
        if !is_missing(&value) {
            self.values[at] = Some(value);
        }
    }

    /// Puts the value under the variable that its key stands for, if that is one that is used.
    pub(super) fn take(&mut self, key: &str, value: Cow<'a, str>) {
        if let Some(field) = field_of(key) {
            self.put(field, value);
        }
    }

    pub(super) fn text(&self, field: Field) -> Option<&str> {
        self.values[field as usize].as_deref()
    }

    pub(super) fn number<N: std::str::FromStr>(&self, field: Field) -> Option<N> {
        self.text(field)?.parse().ok()
    }

    pub(super) fn kept(&self, field: Field) -> Option<Box<str>> {
        self.text(field).map(|t| cut(t, NAME_MAX).into())
    }

    pub(super) fn logs(&self, field: Field) -> bool {
        self.logged[field as usize]
    }

    fn words(&self, field: Field) -> Option<String> {
        self.text(field).map(|t| cut(t, WORDS_MAX).to_owned())
    }

    /// What the gateway says about a failure.
    pub(super) fn gateway_words(&self) -> GatewayWords {
        // Where a format has a key for the Lambda service's status besides, `integrationStatus` is the function's.
        let some = self.number(Field::SomeIntegrationStatus);
        let is_functions = self.logs(Field::IntegrationStatus);
        GatewayWords {
            integration_status: self.number(Field::IntegrationStatus).or(some.filter(|_| !is_functions)),
            function_status: self.number(Field::FunctionStatus).or(some.filter(|_| is_functions)),
            integration_error: self.words(Field::IntegrationError),
            error_message: self.words(Field::ErrorMessage),
            response_type: self.words(Field::ResponseType),
            authorizer_error: self.words(Field::AuthorizerError),
            authorizer_request_id: self.kept(Field::AuthorizerRequestId),
            waf_error: self.words(Field::WafError),
            response_length: self.number(Field::ResponseLength),
            extended_request_id: self.kept(Field::ExtendedRequestId),
            trace_id: self.kept(Field::TraceId),
            api_id: self.kept(Field::ApiId),
            stage: self.kept(Field::Stage),
            account_id: self.kept(Field::AccountId),
            logs_integration_latency: self.logs(Field::IntegrationLatency),
            logs_lambda_request_id: self.logs(Field::LambdaRequestId),
            logs_response_type: self.logs(Field::ResponseType),
        }
    }
}

/// A value without the blanks and quotes around it: some formats quote twice, and `$context.error.messageString` brings
/// its own.
#[inline]
fn bare(value: &str) -> &str {
    // Most values begin and end with a letter or a digit.
    if let [first, .., last] = value.as_bytes()
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
        && !matches!(first, b'"' | b'\\')
    {
        return value;
    }
    let mut value = value.trim();
    loop {
        let quoted = |quote| value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote));
        match quoted("\"").or_else(|| quoted("\\\"")) {
            Some(inner) => value = inner.trim(),
            None => return value,
        }
    }
}

/// What the gateway logs as request ID where a client sent one that is no UUID. Source: AWS documentation, "Set up
/// logging"; it names no request.
const REPLACED_ID: &str = "UUID_REPLACED_INVALID_REQUEST_ID";

#[inline]
fn is_missing(value: &str) -> bool {
    value.len() <= 32 && matches!(value, "" | "-" | "(none)" | "null" | "-1" | REPLACED_ID)
}

/// The variable with this name, without `$context.`.
pub(super) fn field_of_variable(name: &str) -> Option<Field> {
    Some(match name {
        "requestId" => Field::RequestId,
        "extendedRequestId" => Field::ExtendedRequestId,
        "requestTimeEpoch" => Field::TimeEpoch,
        "requestTime" => Field::Time,
        "httpMethod" => Field::Method,
        "resourcePath" | "routeKey" => Field::Template,
        "path" => Field::Path,
        "eventType" => Field::EventType,
        "status" => Field::Status,
        "responseLatency" => Field::ResponseLatency,
        "responseLength" => Field::ResponseLength,
        "integration.requestId" | "awsEndpointRequestId" => Field::LambdaRequestId,
        "integration.integrationStatus" | "integrationStatus" => Field::IntegrationStatus,
        "integration.status" => Field::FunctionStatus,
        "integration.latency" | "integrationLatency" => Field::IntegrationLatency,
        "integration.error" | "integrationErrorMessage" => Field::IntegrationError,
        "error.message" | "error.messageString" => Field::ErrorMessage,
        "error.responseType" => Field::ResponseType,
        "authorizer.error" | "authorize.error" | "authenticate.error" => Field::AuthorizerError,
        "authorizer.requestId" => Field::AuthorizerRequestId,
        "waf.error" => Field::WafError,
        "xrayTraceId" => Field::TraceId,
        "apiId" => Field::ApiId,
        "stage" => Field::Stage,
        "accountId" => Field::AccountId,
        _ => return None,
    })
}

/// Objects in which people wrap a whole line.
const WRAPPERS: &[&str] = &["context", "request", "response", "http", "log", "data", "apigateway", "apigw", "gateway"];

/// Longest key that may stand for a variable, in bytes.
const KEY_MAX: usize = 128;

/// The variable a key stands for. Keys of objects within objects come with dots between them.
pub(super) fn field_of(key: &str) -> Option<Field> {
    // Each wrapper in front of a key is one more call.
    if key.len() > KEY_MAX {
        return None;
    }
    let letters = |c: &char| c.is_ascii_alphanumeric();
    let plain: String = key.chars().filter(letters).map(|c| c.to_ascii_lowercase()).collect();
    let plain = plain.strip_prefix("context").unwrap_or(&plain);
    if plain == "integrationstatus" {
        // `integration.status` and `integration_status` spell the variable out; `integrationStatus` may be either.
        let spelled_out = !key.to_ascii_lowercase().ends_with(plain);
        return Some(if spelled_out { Field::FunctionStatus } else { Field::SomeIntegrationStatus });
    }
    Some(match plain {
        "requestid" | "reqid" | "apirequestid" => Field::RequestId,
        "extendedrequestid" | "extrequestid" | "extendedreqid" => Field::ExtendedRequestId,
        "requesttimeepoch" | "timeepoch" | "epoch" => Field::TimeEpoch,
        "requesttime" | "time" | "timestamp" | "datetime" => Field::Time,
        "httpmethod" | "method" | "requestmethod" | "verb" => Field::Method,
        "resourcepath" | "resource" | "routekey" | "route" => Field::Template,
        "path" | "requestpath" | "uri" => Field::Path,
        "eventtype" => Field::EventType,
        "status" | "statuscode" | "responsestatus" | "httpstatus" => Field::Status,
        "responselatency" | "latency" | "latencyms" | "responselatencyms" => Field::ResponseLatency,
        "responselength" | "responsesize" | "bytes" => Field::ResponseLength,
        "integrationrequestid"
        | "awsendpointrequestid"
        | "lambdarequestid"
        | "intreqid"
        | "endpointrequestid"
        | "integrationreqid" => Field::LambdaRequestId,
        "integrationintegrationstatus" | "integrationservicestatus" | "intintstatus" | "lambdaservicestatus" => {
            Field::IntegrationStatus
        }
        "functionstatus" | "functionresponsestatus" | "integrationfunctionstatus" | "intstatus" => {
            Field::FunctionStatus
        }
        "integrationlatency" | "intlat" | "intlatency" | "backendlatency" | "integrationlatencyms" => {
            Field::IntegrationLatency
        }
        "integrationerror"
        | "integrationerrormessage"
        | "interror"
        | "error"
        | "integrationintegrationerrormessage" => Field::IntegrationError,
        "errormessage" | "errormessagestring" | "errmsg" => Field::ErrorMessage,
        "errortype" | "errorresponsetype" | "responsetype" | "errtype" => Field::ResponseType,
        "authorizererror" | "autherror" | "authorizeerror" | "authenticateerror" => Field::AuthorizerError,
        "authorizerrequestid" => Field::AuthorizerRequestId,
        "waferror" => Field::WafError,
        "xraytraceid" | "traceid" | "xray" => Field::TraceId,
        "apiid" => Field::ApiId,
        "stage" => Field::Stage,
        "accountid" => Field::AccountId,
        _ => {
            let (first, rest) = key.split_once('.')?;
            let wraps = WRAPPERS.iter().any(|w| first.eq_ignore_ascii_case(w));
            return if wraps { field_of(rest) } else { None };
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_all_spellings() {
        let cases = [
            ("integration.requestId", Some(Field::LambdaRequestId)),
            ("integration_requestId", Some(Field::LambdaRequestId)),
            ("context.integration.requestId", Some(Field::LambdaRequestId)),
            ("contextIntegrationRequestId", Some(Field::LambdaRequestId)),
            ("intReqID", Some(Field::LambdaRequestId)),
            ("integration.status", Some(Field::FunctionStatus)),
            ("integration_status", Some(Field::FunctionStatus)),
            ("integrationStatus", Some(Field::SomeIntegrationStatus)),
            ("context.integrationStatus", Some(Field::SomeIntegrationStatus)),
            ("integration.integrationStatus", Some(Field::IntegrationStatus)),
            ("request.status", Some(Field::Status)),
            ("error", Some(Field::IntegrationError)),
            ("error.message", Some(Field::ErrorMessage)),
            ("authorizer.requestId", Some(Field::AuthorizerRequestId)),
            ("authorizer.latency", None),
            ("identity.sourceIp", None),
            ("user", None),
        ];
        for (key, want) in cases {
            assert_eq!(field_of(key), want, "{key}");
        }
    }

    #[test]
    fn missing_in_all_spellings_and_quotes() {
        for value in ["", "-", " - ", "(none)", "null", "-1", "\"-\"", "\"\"", "\" \"-\"\""] {
            let mut fields = Fields::default();
            fields.put(Field::RequestId, Cow::Borrowed(value));
            assert_eq!((fields.text(Field::RequestId), fields.logs(Field::RequestId)), (None, true), "{value:?}");
        }
        let mut fields = Fields::default();
        fields.put(Field::ErrorMessage, Cow::Borrowed(" \"Endpoint request timed out\""));
        assert_eq!(fields.text(Field::ErrorMessage), Some("Endpoint request timed out"));
    }

    #[test]
    fn the_functions_status_is_told_by_what_else_is_logged() {
        let mut sst = Fields::default();
        sst.take("integrationStatus", "500".into());
        sst.take("integrationServiceStatus", "200".into());
        let words = sst.gateway_words();
        assert_eq!((words.integration_status, words.function_status), (Some(200), Some(500)));
        let mut plain = Fields::default();
        plain.take("integrationStatus", "200".into());
        let words = plain.gateway_words();
        assert_eq!((words.integration_status, words.function_status), (Some(200), None));
    }
}
