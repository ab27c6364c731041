//! Access-log lines -> requests.
//!
//! By the stage's own format where it is known ([`Template`]), else by what the line looks like: JSON in any order and
//! spelling of keys, or one of the [`shapes`] of plain text. Not the transport and not the statistics. Rule: a fast path
//! reads what is well-formed, the careful one everything else, and both read the same; without a status a line cannot
//! be counted.

mod fields;
mod shapes;
pub mod template;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use self::fields::{Field, Fields, NAME_MAX, field_of};
pub use self::template::Template;
use super::{Unread, json, route};
use crate::model::hash::FastMap;
use crate::model::inventory::ApiId;
use crate::model::request::{Endpoint, Request};
use crate::model::text::cut;
use crate::model::time::Timestamp;

/// Endpoints whose names are kept to be shared; past that each request brings its own.
const NAMES_MAX: usize = 4096;
/// Keys of one line that are remembered with what they stand for.
const LAYOUT_MAX: usize = 128;
/// `requestTimeEpoch` is believed when it lies this close to the event's stamp.
const EPOCH_TRUST: Duration = Duration::from_hours(1);

/// When a line happened, as far as is known without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// CloudWatch's stamp.
    Stamped(Timestamp),
    /// The file it stands in has no stamps: its own time counts, else that of the line before, else this.
    Unstamped(Timestamp),
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

/// A line whose format is not known, without haste.
fn careful(text: &str) -> Option<Fields<'_>> {
    if text.starts_with('{') { strict(text).or_else(|| tolerant(text)) } else { shapes::recognise(text) }
}

/// What stands before the values of the line before, in order, and the variables they are: the next line has the same.
#[derive(Debug, Default)]
struct Layout(Vec<(json::Lead, Option<Field>)>);

impl Layout {
    /// What is well-formed and flat; `None` for the rest.
    fn read<'a>(&mut self, text: &'a str, fields: &mut Fields<'a>) -> Option<()> {
        let mut differs: Option<usize> = None;
        let expected = |at: usize| self.0.get(at).map(|(lead, _)| lead);
        json::flat(text, expected, |at, key, value| {
            let field = match key {
                json::Key::Expected => self.0.get(at).and_then(|(_, field)| *field),
                json::Key::Other(key, ..) => {
                    differs = differs.or(Some(at));
                    field_of(key)
                }
            };
            if let Some(field) = field {
                fields.put(field, Cow::Borrowed(value));
            }
        })?;
        if let Some(from) = differs {
            self.learn(from, text);
        }
        Some(())
    }

    /// The members of this line from here on are others than those of the line before.
    #[cold]
    fn learn(&mut self, from: usize, text: &str) {
        self.0.truncate(from);
        let nothing = |_| None;
        // It was read a moment ago.
        let _ = json::flat(text, nothing, |at, key, _| {
            if let json::Key::Other(key, lead, quoted) = key
                && (from..LAYOUT_MAX).contains(&at)
            {
                self.0.push((json::Lead::new(lead, quoted), field_of(key)));
            }
        });
    }
}

/// method -> what was logged as route -> the endpoint, so that a thousand requests share one name.
type Names = FastMap<Box<str>, FastMap<Box<str>, Arc<Endpoint>>>;

/// Reads the access log of one API.
#[derive(Debug)]
pub struct AccessReader {
    api: ApiId,
    template: Option<Template>,
    layout: Layout,
    /// Templates first, then raw paths.
    names: [Names; 2],
    named: usize,
    /// Keep the IDs of requests that went well too.
    all_ids: bool,
    /// The time of the line before, for lines without any.
    last: Option<Timestamp>,
}

impl AccessReader {
    /// A reader for the access log of `api`, written by `template` if that is known. `all_ids` keeps the IDs of requests
    /// that went well too: nothing joins those, but whoever shows every request wants them. Without it some of them keep
    /// the ID of their invocation, which tells who serves the endpoint.
    #[must_use]
    pub fn new(api: ApiId, template: Option<Template>, all_ids: bool) -> Self {
        Self { api, template, layout: Layout::default(), names: Default::default(), named: 0, all_ids, last: None }
    }

    /// Reads one line.
    ///
    /// # Errors
    /// Why the line is no request that can be counted.
    pub fn read(&mut self, text: &str, when: When) -> Result<Request, Unread> {
        let text = text.trim();
        let mut fields = Fields::default();
        if let Some(known) = self.template.as_ref().and_then(|t| t.read(text)) {
            fields = known;
        } else if self.layout.read(text, &mut fields).is_none() {
            fields = careful(text).ok_or(Unread::NotRecognised)?;
        }
        let status = fields.number::<u16>(Field::Status).filter(|s| (100..=599).contains(s)).ok_or(Unread::NoStatus)?;
        let start = self.start(&fields, when);
        let ids = self.all_ids || status >= 500;
        let id = |field| if ids { fields.kept(field) } else { None };
        let lambda_request_id = if ids || is_sample(start) { fields.kept(Field::LambdaRequestId) } else { None };
        Ok(Request {
            api: self.api,
            endpoint: endpoint(&mut self.names, &mut self.named, &fields),
            status,
            start,
            request_id: id(Field::RequestId).or_else(|| id(Field::ExtendedRequestId)),
            lambda_request_id,
            response_latency_ms: fields.number(Field::ResponseLatency),
            integration_latency_ms: fields.number(Field::IntegrationLatency),
            gateway: (status >= 500).then(|| Box::new(fields.gateway_words())),
        })
    }

    fn start(&mut self, fields: &Fields<'_>, when: When) -> Timestamp {
        let epoch = fields.number::<i64>(Field::TimeEpoch).map(Timestamp::from_epoch_guess);
        match when {
            When::Stamped(stamp) => {
                let near = |t: &Timestamp| t.since(stamp).max(stamp.since(*t)) <= EPOCH_TRUST;
                epoch.filter(near).unwrap_or(stamp)
            }
            When::Unstamped(otherwise) => {
                let time = |text: &str| {
                    let epoch = || text.parse().ok().map(Timestamp::from_epoch_guess);
                    Timestamp::parse_clf(text).or_else(|| Timestamp::parse_rfc3339(text)).or_else(epoch)
                };
                let own = epoch.or_else(|| fields.text(Field::Time).and_then(time));
                self.last = own.or(self.last);
                self.last.unwrap_or(otherwise)
            }
        }
    }
}

/// Whether a request that went well keeps the ID of its invocation: one in eight does. By a hash of its time, so that
/// it is the same one in whatever order lines are read, and no schedule of requests is always missed.
const fn is_sample(start: Timestamp) -> bool {
    start.as_millis().cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 == 0
}

/// The endpoint of a line, shared with those before.
fn endpoint(names: &mut [Names; 2], kept: &mut usize, fields: &Fields<'_>) -> Arc<Endpoint> {
    let raw = fields.text(Field::Template).is_none();
    let template = fields.text(Field::Template).or(fields.text(Field::Path)).unwrap_or("-");
    // A route key of an HTTP API holds the method: `GET /pets/{id}`.
    let (key_method, route) = match template.split_once(' ') {
        Some((method, route)) if route.starts_with('/') => (Some(method), route),
        Some(_) | None => (None, template),
    };
    let own = fields.text(Field::Method);
    // `ANY /pets` takes every method; the request had one.
    let key_method = key_method.filter(|m| own.is_none() || !m.eq_ignore_ascii_case("ANY"));
    // WebSocket APIs have no method; the event's type says as much.
    let method = key_method.or(own).or(fields.text(Field::EventType)).unwrap_or("-");
    let names = &mut names[usize::from(raw)];
    if let Some(known) = names.get(method).and_then(|routes| routes.get(route)) {
        return Arc::clone(known);
    }
    // A logged template is one already: `/reports/2025` may be a resource of that name.
    let template = if raw { route::template(route) } else { Cow::Borrowed(route) };
    let endpoint = Arc::new(Endpoint::new(&cut(method, 16).to_ascii_uppercase(), cut(&template, NAME_MAX)));
    // Longer ones are shown cut off; kept whole they would make the bound one of number only.
    if *kept < NAMES_MAX && route.len() <= NAME_MAX && method.len() <= NAME_MAX {
        *kept += 1;
        names.entry(method.into()).or_default().insert(route.into(), Arc::clone(&endpoint));
    }
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, Unread> {
        let time = Timestamp::from_millis(1_785_231_944_500);
        AccessReader::new(ApiId(0), None, true).read(text, When::Stamped(time))
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
        let read = |all_ids, status: u16, time| {
            let text = format!(r#"{{"requestId":"r","integrationRequestId":"l","status":"{status}"}}"#);
            let when = When::Stamped(Timestamp::from_millis(time));
            let r = AccessReader::new(ApiId(0), None, all_ids).read(&text, when).unwrap();
            (r.request_id.is_some(), r.lambda_request_id.is_some())
        };
        assert_eq!(read(true, 200, 1), (true, true));
        assert_eq!(read(false, 200, 1), (false, false));
        assert_eq!(read(false, 502, 1), (true, true));
        for every in [1, 10, 1000, 60_000] {
            let samples = (0..800).filter(|n| read(false, 200, 1_795_338_000_000 + n * every).1).count();
            assert!((60..140).contains(&samples), "{samples} of 800, one every {every} ms");
        }
    }

    #[test]
    fn an_epoch_far_from_the_stamp_is_not_believed() {
        let r = read(r#"{"status":"200","requestTimeEpoch":"12"}"#).unwrap();
        assert_eq!(r.start.as_millis(), 1_785_231_944_500);
    }
}
