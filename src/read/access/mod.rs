//! Access-log lines -> requests.
//!
//! Reads JSON in any order and spelling of keys (the console's format, the recommended one, the article's, nested and
//! aliased ones), and the `(id) Extended Request Id: .. Status: ..` line. Which `$context` variable a key stands for is
//! told from its name. Rule: `-`, empty, `(none)`, `null` and `-1` all mean "missing"; without a status a line cannot
//! be counted.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::{Unread, json, route};
use crate::model::event::LogEvent;
use crate::model::hash::FastMap;
use crate::model::inventory::ApiId;
use crate::model::request::{Endpoint, GatewayWords, Request};
use crate::model::text::cut;
use crate::model::time::Timestamp;

/// Endpoints whose names are kept to be shared; past that each request brings its own.
const NAMES_MAX: usize = 4096;
/// Longest route kept, in bytes.
const ROUTE_MAX: usize = 256;
/// Longest text of the gateway kept, in bytes.
const WORDS_MAX: usize = 2048;
/// `requestTimeEpoch` is believed when it lies this close to the event's stamp.
const EPOCH_TRUST: Duration = Duration::from_hours(1);

/// The variables that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Field {
    RequestId,
    ExtendedRequestId,
    TimeEpoch,
    Method,
    Template,
    Path,
    Status,
    ResponseLatency,
    LambdaRequestId,
    IntegrationStatus,
    FunctionStatus,
    IntegrationLatency,
    IntegrationError,
    ErrorMessage,
    ResponseType,
    AuthorizerError,
    WafError,
}

const FIELDS: usize = Field::WafError as usize + 1;

/// What one line says, by variable; `logged` tells "the format has it" from "it has a value".
#[derive(Default)]
struct Fields<'a> {
    values: [Option<Cow<'a, str>>; FIELDS],
    logged: [bool; FIELDS],
}

impl<'a> Fields<'a> {
    /// The first value counts: formats name some variables twice.
    fn put(&mut self, field: Field, value: Cow<'a, str>) {
        let at = field as usize;
        self.logged[at] = true;
        if self.values[at].is_none() && !is_missing(&value) {
            self.values[at] = Some(value);
        }
    }

    fn take(&mut self, key: &str, value: Cow<'a, str>) {
        if let Some(field) = field_of(key) {
            self.put(field, value);
        }
    }

    fn text(&self, field: Field) -> Option<&str> {
        self.values[field as usize].as_deref()
    }

    fn number<N: std::str::FromStr>(&self, field: Field) -> Option<N> {
        self.text(field)?.trim().parse().ok()
    }

    fn kept(&self, field: Field) -> Option<Box<str>> {
        self.text(field).map(|t| cut(t, ROUTE_MAX).into())
    }

    fn words(&self, field: Field) -> Option<String> {
        self.text(field).map(|t| cut(t, WORDS_MAX).to_owned())
    }

    fn logs(&self, field: Field) -> bool {
        self.logged[field as usize]
    }
}

fn is_missing(value: &str) -> bool {
    matches!(value.trim(), "" | "-" | "(none)" | "null" | "-1")
}

/// The variable a JSON key stands for.
fn field_of(key: &str) -> Option<Field> {
    // The spelling of the recommended and the console's format first: it saves the rest the copy.
    Some(match key {
        "requestId" => Field::RequestId,
        "extendedRequestId" => Field::ExtendedRequestId,
        "requestTimeEpoch" => Field::TimeEpoch,
        "httpMethod" | "method" => Field::Method,
        "resourcePath" | "routeKey" => Field::Template,
        "path" => Field::Path,
        "status" => Field::Status,
        "responseLatency" => Field::ResponseLatency,
        "integrationRequestId" => Field::LambdaRequestId,
        "integrationStatus" => Field::IntegrationStatus,
        "functionStatus" => Field::FunctionStatus,
        "integrationLatency" => Field::IntegrationLatency,
        "integrationError" => Field::IntegrationError,
        "errorMessage" => Field::ErrorMessage,
        "errorType" => Field::ResponseType,
        "authorizerError" => Field::AuthorizerError,
        "wafError" => Field::WafError,
        "authorizerRequestId"
        | "ip"
        | "apiId"
        | "stage"
        | "protocol"
        | "responseLength"
        | "requestTime"
        | "caller"
        | "user"
        | "xrayTraceId" => return None,
        _ => return aliased(key),
    })
}

/// Other spellings: case, dots, underscores and a leading `context` do not matter.
fn aliased(key: &str) -> Option<Field> {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    Some(match plain.strip_prefix("context").unwrap_or(&plain) {
        "requestid" => Field::RequestId,
        "extendedrequestid" => Field::ExtendedRequestId,
        "requesttimeepoch" => Field::TimeEpoch,
        "httpmethod" | "method" => Field::Method,
        "resourcepath" | "resource" | "routekey" | "route" => Field::Template,
        "path" => Field::Path,
        "status" | "statuscode" | "responsestatus" => Field::Status,
        "responselatency" | "latency" | "latencyms" => Field::ResponseLatency,
        "integrationrequestid" | "awsendpointrequestid" | "lambdarequestid" | "intreqid" => Field::LambdaRequestId,
        "integrationstatus" | "integrationintegrationstatus" | "integrationservicestatus" | "intintstatus" => {
            Field::IntegrationStatus
        }
        "functionstatus" | "functionresponsestatus" => Field::FunctionStatus,
        "integrationlatency" | "intlat" | "backendlatency" => Field::IntegrationLatency,
        "integrationerror" | "integrationerrormessage" | "interror" => Field::IntegrationError,
        "errormessage" | "errormessagestring" => Field::ErrorMessage,
        "errortype" | "errorresponsetype" | "responsetype" | "errtype" => Field::ResponseType,
        "authorizererror" => Field::AuthorizerError,
        "waferror" => Field::WafError,
        _ => return None,
    })
}

fn strict(text: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    json::scalars(text, |key, value| fields.take(key, value))?;
    Some(fields)
}

fn tolerant(text: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    json::tolerant(text, |key, value| fields.take(key, value))?;
    Some(fields)
}

type Names = FastMap<Box<str>, FastMap<Box<str>, Arc<Endpoint>>>;

/// Reads the access log of one API.
#[derive(Debug)]
pub struct AccessReader {
    api: ApiId,
    /// method -> what was logged as route -> the endpoint, so that a thousand requests share one name. Templates first,
    /// then raw paths.
    names: [Names; 2],
    named: usize,
    /// Keep the IDs of requests that went well too.
    all_ids: bool,
}

impl AccessReader {
    /// A reader for the access log of `api`. `all_ids` keeps the IDs of requests that went well too: nothing joins
    /// those, but whoever shows every request wants them.
    #[must_use]
    pub fn new(api: ApiId, all_ids: bool) -> Self {
        Self { api, names: Default::default(), named: 0, all_ids }
    }

    /// Reads one line.
    ///
    /// # Errors
    /// Why the line is no request that can be counted.
    pub fn read(&mut self, event: &LogEvent) -> Result<Request, Unread> {
        let text = event.text.trim();
        let fields = strict(text).or_else(|| tolerant(text)).or_else(|| labelled(text)).ok_or(Unread::NotRecognised)?;
        let status = fields.number::<u16>(Field::Status).filter(|s| (100..=599).contains(s)).ok_or(Unread::NoStatus)?;
        let endpoint = self.endpoint(&fields);
        let epoch = fields.number::<i64>(Field::TimeEpoch).map(Timestamp::from_epoch_guess);
        let near = |t: &Timestamp| t.since(event.time).max(event.time.since(*t)) <= EPOCH_TRUST;
        let ids = self.all_ids || status >= 500;
        let id = |field| if ids { fields.kept(field) } else { None };
        let mut request = Request {
            api: self.api,
            endpoint,
            status,
            start: epoch.filter(near).unwrap_or(event.time),
            request_id: id(Field::RequestId).or_else(|| id(Field::ExtendedRequestId)),
            lambda_request_id: id(Field::LambdaRequestId),
            response_latency_ms: fields.number(Field::ResponseLatency),
            integration_latency_ms: fields.number(Field::IntegrationLatency),
            gateway: None,
        };
        if request.is_failure() {
            request.gateway = Some(Box::new(gateway_words(&fields)));
        }
        Ok(request)
    }

    fn endpoint(&mut self, fields: &Fields<'_>) -> Arc<Endpoint> {
        let raw = fields.text(Field::Template).is_none();
        let template = fields.text(Field::Template).or(fields.text(Field::Path)).unwrap_or("-");
        // A route key of an HTTP API holds the method: `GET /pets/{id}`.
        let (key_method, route) = match template.split_once(' ') {
            Some((method, route)) if route.starts_with('/') => (Some(method), route),
            Some(_) | None => (None, template),
        };
        let method = key_method.or(fields.text(Field::Method)).unwrap_or("-");
        let names = &mut self.names[usize::from(raw)];
        if let Some(known) = names.get(method).and_then(|routes| routes.get(route)) {
            return Arc::clone(known);
        }
        // A logged template is one already: `/reports/2025` may be a resource of that name.
        let template = if raw { route::template(route) } else { Cow::Borrowed(route) };
        let endpoint = Arc::new(Endpoint::new(&cut(method, 16).to_ascii_uppercase(), cut(&template, ROUTE_MAX)));
        if self.named < NAMES_MAX {
            self.named += 1;
            names.entry(method.into()).or_default().insert(route.into(), Arc::clone(&endpoint));
        }
        endpoint
    }
}

fn gateway_words(fields: &Fields<'_>) -> GatewayWords {
    GatewayWords {
        integration_status: fields.number(Field::IntegrationStatus),
        function_status: fields.number(Field::FunctionStatus),
        integration_error: fields.words(Field::IntegrationError),
        error_message: fields.words(Field::ErrorMessage),
        response_type: fields.words(Field::ResponseType),
        authorizer_error: fields.words(Field::AuthorizerError),
        waf_error: fields.words(Field::WafError),
        logs_integration_latency: fields.logs(Field::IntegrationLatency),
        logs_lambda_request_id: fields.logs(Field::LambdaRequestId),
    }
}

/// The labels of `(id) Extended Request Id: .. HTTP Method: .. Resource Path: .. Status: .. Integration Latency: ..
/// Response Latency: ..`.
const LABELS: &[(&str, Field)] = &[
    ("Extended Request Id:", Field::ExtendedRequestId),
    ("HTTP Method:", Field::Method),
    ("Resource Path:", Field::Path),
    ("Status:", Field::Status),
    ("Integration Latency:", Field::IntegrationLatency),
    ("Response Latency:", Field::ResponseLatency),
];

/// Reads a line of labels and values; the value ends at the next blank.
fn labelled(text: &str) -> Option<Fields<'_>> {
    let rest = text.strip_prefix('(')?;
    let (id, rest) = rest.split_once(')')?;
    let mut fields = Fields::default();
    fields.put(Field::RequestId, Cow::Borrowed(id));
    for (label, field) in LABELS {
        if let Some((_, after)) = rest.split_once(label) {
            fields.put(*field, Cow::Borrowed(after.split_whitespace().next().unwrap_or("-")));
        }
    }
    fields.logs(Field::Status).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, Unread> {
        let time = Timestamp::from_millis(1_785_231_944_500);
        AccessReader::new(ApiId(0), true).read(&LogEvent { stream: "s".into(), time, text: text.to_owned() })
    }

    #[test]
    fn the_recommended_format() {
        let r = read(concat!(
            r#"{"requestId":"84ea9398-0000-4000-8000-000000000000","extendedRequestId":"abc=","requestTimeEpoch":"1785231944443","#,
            r#""apiId":"a","stage":"prod","httpMethod":"POST","resourcePath":"/checkout","status":"502","responseLatency":"237","#,
            r#""responseLength":"36","integrationRequestId":"72566006-0000-4000-8000-000000000000","integrationStatus":"200","#,
            r#""functionStatus":"-","integrationLatency":"234","integrationError":"Lambda Customer Function Error:boom","#,
            r#""errorMessage":"Internal server error","errorType":"INTEGRATION_FAILURE","authorizerError":"-","#,
            r#""authorizerRequestId":"-","wafError":"-","xrayTraceId":"-"}"#,
        ))
        .unwrap();
        assert_eq!(*r.endpoint, Endpoint::new("POST", "/checkout"));
        assert_eq!((r.status, r.start.as_millis()), (502, 1_785_231_944_443));
        assert_eq!(r.time().as_millis(), 1_785_231_944_680, "event time is start plus response latency");
        assert_eq!(r.lambda_request_id.as_deref(), Some("72566006-0000-4000-8000-000000000000"));
        let words = r.gateway.unwrap();
        assert_eq!(words.integration_status, Some(200));
        assert_eq!(words.function_status, None);
        assert_eq!(words.response_type.as_deref(), Some("INTEGRATION_FAILURE"));
        assert_eq!(words.waf_error, None);
    }

    #[test]
    fn the_consoles_json_and_the_articles() {
        let console = r#"{ "requestId":"x", "ip": "1.2.3.4", "caller":"-", "user":"-", "requestTime":"28/Jul/2026:09:45:44 +0000", "httpMethod":"GET", "resourcePath":"/pets/{petId}", "status":"200", "protocol":"HTTP/1.1", "responseLength":"12" }"#;
        let r = read(console).unwrap();
        assert_eq!((r.status, r.endpoint.to_string()), (200, "GET /pets/{petId}".to_owned()));
        assert!(r.gateway.is_none());
        let article = r#"{ "requestId":"a1b2c3d4", "ip":"1.2.3.4", "method":"POST", "path":"/checkout", "status":"502", "integrationLatency":"-", "responseLatency":"29001" }"#;
        let r = read(article).unwrap();
        assert_eq!((r.endpoint.to_string(), r.response_latency_ms), ("POST /checkout".to_owned(), Some(29001)));
        assert_eq!((r.integration_latency_ms, r.lambda_request_id.clone()), (None, None));
        let words = r.gateway.unwrap();
        assert!(words.logs_integration_latency && !words.logs_lambda_request_id);
    }

    #[test]
    fn the_articles_two_lines() {
        let a = read("(a1b2c3d4) Extended Request Id: FgH1iJkLmN HTTP Method: POST Resource Path: /checkout Status: 502 Integration Latency: - Response Latency: 29001").unwrap();
        assert_eq!((a.request_id.as_deref(), a.endpoint.to_string()), (Some("a1b2c3d4"), "POST /checkout".to_owned()));
        assert_eq!((a.status, a.integration_latency_ms, a.response_latency_ms), (502, None, Some(29001)));
        let b = read("(e5f6g7h8) Extended Request Id: PqR2sTuVwX HTTP Method: GET Resource Path: /users/42 Status: 502 Integration Latency: 234 Response Latency: 237").unwrap();
        assert_eq!(b.endpoint.to_string(), "GET /users/{id}");
        assert_eq!((b.integration_latency_ms, b.response_latency_ms), (Some(234), Some(237)));
    }

    #[test]
    fn http_apis_nested_keys_and_bare_numbers() {
        let r = read(r#"{"context":{"requestId":"GQIVriFLIAMEMsA=","routeKey":"GET /pets/{id}","status":503,"responseLatency":30001}}"#).unwrap();
        assert_eq!((r.endpoint.to_string(), r.status), ("GET /pets/{id}".to_owned(), 503));
        let inner =
            r#"{"status":"502","integration":{"status":"200","requestId":"l1"},"authorizer":{"requestId":"x"}}"#;
        let r = read(inner).unwrap();
        assert_eq!((r.status, r.lambda_request_id.as_deref(), r.request_id.as_deref()), (502, Some("l1"), None));
        let kept = read(r#"{"httpMethod":"GET","resourcePath":"/reports/2025","status":"200"}"#).unwrap();
        assert_eq!(kept.endpoint.to_string(), "GET /reports/2025");
        let r = read(r#"{"httpMethod":"GET","routeKey":"$default","status":"200","intReqID":"abc"}"#).unwrap();
        assert_eq!((r.endpoint.to_string(), r.lambda_request_id.as_deref()), ("GET $default".to_owned(), Some("abc")));
    }

    #[test]
    fn quotes_that_the_gateway_did_not_escape() {
        let line = r#"{"requestId":"r","status":"502","integrationError":"Lambda Customer Function Error:Unexpected token h, "hello" is not valid JSON","errorType":"INTEGRATION_FAILURE"}"#;
        let r = read(line).unwrap();
        let words = r.gateway.unwrap();
        assert!(words.integration_error.unwrap().ends_with("\"hello\" is not valid JSON"));
        assert_eq!(words.response_type.as_deref(), Some("INTEGRATION_FAILURE"));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert_eq!(read("hello"), Err(Unread::NotRecognised));
        assert_eq!(read(r#"{"requestId":"x","status":"-"}"#), Err(Unread::NoStatus));
        assert_eq!(read(r#"{"requestId":"x","status":"99999"}"#), Err(Unread::NoStatus));
        assert_eq!(read("(a) nothing known here"), Err(Unread::NotRecognised));
    }

    #[test]
    fn ids_of_requests_that_went_well_are_kept_only_if_wanted() {
        let read = |all_ids, status: u16| {
            let text = format!(r#"{{"requestId":"r","integrationRequestId":"l","status":"{status}"}}"#);
            let event = LogEvent { stream: "s".into(), time: Timestamp::from_millis(0), text };
            let r = AccessReader::new(ApiId(0), all_ids).read(&event).unwrap();
            (r.request_id.is_some(), r.lambda_request_id.is_some())
        };
        assert_eq!(read(true, 200), (true, true));
        assert_eq!(read(false, 200), (false, false));
        assert_eq!(read(false, 502), (true, true));
    }

    #[test]
    fn an_epoch_far_from_the_stamp_is_not_believed() {
        let r = read(r#"{"status":"200","requestTimeEpoch":"12"}"#).unwrap();
        assert_eq!(r.start.as_millis(), 1_785_231_944_500);
    }
}
