//! Access lines that are not JSON, without their format: CLF, CSV, XML, and texts that name their values.
//!
//! Not the general way: a format that is known is compiled (`template`). Shapes: the console's samples for REST and
//! HTTP APIs, CDK's CLF, the Serverless Framework's texts, and execution-log-like lines with labels. Rule: a shape is
//! recognised by what must be in it (a request time, a root element, a label), never by counting alone.

use std::borrow::Cow;

use memchr::{memchr2_iter, memmem};

use super::fields::{Field, Fields};
use crate::model::time::Timestamp;

/// Elements of an XML line that are looked at.
const ELEMENTS_MAX: usize = 100;

/// What a line says, by the first shape it has.
pub(super) fn recognise(text: &str) -> Option<Fields<'_>> {
    match text.as_bytes().first()? {
        b'<' => xml(text),
        b'(' => labelled(text),
        _ => clf(text).or_else(|| csv(text)).or_else(|| labelled(text)).or_else(|| pairs(text)),
    }
}

/// `ip caller user [time] "method route protocol" status length id`, then perhaps the extended ID and a sentence; for
/// WebSocket APIs `"event route connection"`, perhaps a status, and the ID.
fn clf(text: &str) -> Option<Fields<'_>> {
    let (_, rest) = text.split_once('[')?;
    let (time, rest) = rest.split_once(']')?;
    Timestamp::parse_clf(time)?;
    let (request, tail) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    let mut fields = Fields::default();
    fields.put(Field::Time, Cow::Borrowed(time));
    let (first, rest) = request.split_once(' ')?;
    let (route, last) = rest.rsplit_once(' ')?;
    let is_websocket = !last.starts_with("HTTP/");
    fields.put(if is_websocket { Field::EventType } else { Field::Method }, Cow::Borrowed(first));
    fields.put(Field::Template, Cow::Borrowed(route));
    let mut tail = tail.trim();
    let mut next = || {
        let (value, rest) = tail.split_once(' ').unwrap_or((tail, ""));
        tail = rest.trim_start();
        value
    };
    let status = next();
    if is_websocket && status.parse::<u16>().is_err() {
        fields.put(Field::RequestId, Cow::Borrowed(status));
        return Some(fields);
    }
    fields.put(Field::Status, Cow::Borrowed(status));
    if !is_websocket {
        fields.put(Field::ResponseLength, Cow::Borrowed(next()));
    }
    fields.put(Field::RequestId, Cow::Borrowed(next()));
    let mut last = tail;
    let (value, rest) = last.split_once(' ').unwrap_or((last, ""));
    if value == "-" || (value.len() >= 8 && value.ends_with('=')) {
        fields.put(Field::ExtendedRequestId, Cow::Borrowed(value));
        last = rest;
    }
    if !last.trim().is_empty() {
        fields.put(Field::IntegrationError, Cow::Borrowed(last));
    }
    Some(fields)
}

/// The console's CSV of REST, HTTP and WebSocket APIs: told apart by where the request time stands and what follows.
fn csv(text: &str) -> Option<Fields<'_>> {
    let values: Vec<&str> = text.splitn(16, ',').map(str::trim).collect();
    let is_time = |v: &&str| Timestamp::parse_clf(v.trim_matches(['[', ']', '"'])).is_some();
    let time = values.iter().take(5).position(is_time)?;
    let after = &values[time + 1..];
    let is_websocket = !after.get(2)?.trim_matches('"').starts_with("HTTP/");
    let order: &[Option<Field>] = if is_websocket {
        &[Some(Field::EventType), Some(Field::Template), Some(Field::Status), Some(Field::RequestId)]
    } else {
        &[
            Some(Field::Method),
            Some(Field::Template),
            None,
            Some(Field::Status),
            Some(Field::ResponseLength),
            Some(Field::RequestId),
            Some(Field::ExtendedRequestId),
            Some(Field::IntegrationError),
        ]
    };
    let mut fields = Fields::default();
    fields.put(Field::Time, Cow::Borrowed(values[time].trim_matches(['[', ']'])));
    for (field, value) in order.iter().zip(after) {
        if let Some(field) = field {
            fields.put(*field, Cow::Borrowed(value));
        }
    }
    Some(fields)
}

/// `<request id=".."> <name>value</name> .. </request>`
fn xml(text: &str) -> Option<Fields<'_>> {
    let (root, mut rest) = text.strip_prefix('<')?.split_once('>')?;
    let mut fields = Fields::default();
    if let Some((_, id)) = root.split_once("id=\"") {
        fields.put(Field::RequestId, Cow::Borrowed(id.split('"').next().unwrap_or(id)));
    }
    for _ in 0..ELEMENTS_MAX {
        let Some((_, after)) = rest.split_once('<') else { break };
        let Some((name, after)) = after.split_once('>') else { break };
        rest = after;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
            continue;
        }
        // The value ends at this name's own end: a sentence may hold `<` itself. No end: an element that holds others, or
        // the line was cut off.
        let Some(end) = memmem::find(after.as_bytes(), format!("</{name}").as_bytes()) else { continue };
        fields.take(name, Cow::Borrowed(&after[..end]));
        rest = &after[end..];
    }
    fields.logs(Field::Status).then_some(fields)
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

/// Reads a line of labels and values; a value ends at the next blank.
fn labelled(text: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    let mut rest = text;
    if let Some((id, after)) = text.strip_prefix('(').and_then(|t| t.split_once(')')) {
        fields.put(Field::RequestId, Cow::Borrowed(id));
        rest = after;
    }
    let mut labels = 0;
    for (label, field) in LABELS {
        if let Some((_, after)) = rest.split_once(label) {
            labels += 1;
            fields.put(*field, Cow::Borrowed(after.split_whitespace().next().unwrap_or("-")));
        }
    }
    // A single `Status:` may stand in any sentence.
    (labels >= 2 && fields.logs(Field::Status)).then_some(fields)
}

/// `name: value, name: value` and `name=value name=value`.
fn pairs(text: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    // A name, where its value begins, and whether that is in quotes.
    let mut open: Option<(&str, usize, bool)> = None;
    let bytes = text.as_bytes();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    for at in memchr2_iter(b':', b'=', bytes) {
        // The name before it, looked back for only as far as names are long.
        let floor = at.saturating_sub(40);
        let start = bytes[floor..at].iter().rposition(|b| !is_name(*b)).map_or(floor, |p| floor + p + 1);
        let name = &text[start..at];
        let before = text[..start].trim_end_matches(' ');
        let blank = before.len() < start;
        let separated = start == 0
            || before.ends_with([',', ';', '|', '\t'])
            || (bytes[at] == b'=' && blank && open.is_none_or(|(_, _, quoted)| !quoted || before.ends_with('"')));
        if name.is_empty() || !separated {
            continue;
        }
        let quoted = text[at + 1..].trim_start().starts_with('"');
        if let Some((name, from, _)) = open.replace((name, at + 1, quoted)) {
            fields.take(name, Cow::Borrowed(text[from..start].trim().trim_end_matches([',', ';', '|'])));
        }
    }
    let (name, from, _) = open?;
    fields.take(name, Cow::Borrowed(text[from..].trim()));
    fields.logs(Field::Status).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, wanted: &[Field]) -> Vec<String> {
        let fields = recognise(text).unwrap_or_else(|| panic!("{text}"));
        wanted.iter().map(|f| fields.text(*f).unwrap_or("-").to_owned()).collect()
    }

    const WHO: &[Field] = &[
        Field::Method,
        Field::Template,
        Field::Status,
        Field::RequestId,
        Field::ExtendedRequestId,
        Field::IntegrationError,
    ];

    #[test]
    fn common_log_format() {
        let rest = "1.2.3.4 - - [28/Jul/2026:09:45:44 +0000] \"POST /pets/{id} HTTP/1.1\" 502 36 a-b abcdefgh=";
        assert_eq!(read(rest, WHO), ["POST", "/pets/{id}", "502", "a-b", "abcdefgh=", "-"]);
        let http = "1.2.3.4 - - [28/Jul/2026:09:45:44 +0000] \"GET GET /pets HTTP/1.1\" 500 35 GQIVriFLIAMEMsA= The Lambda function said no";
        assert_eq!(
            read(http, WHO),
            ["GET", "GET /pets", "500", "GQIVriFLIAMEMsA=", "-", "The Lambda function said no"]
        );
        let ws = "1.2.3.4 - - [28/Jul/2026:09:45:44 +0000] \"CONNECT $connect KLM=\" GQIVriFLIAMEMsA=";
        assert_eq!(
            read(ws, &[Field::EventType, Field::Template, Field::Status, Field::RequestId]),
            ["CONNECT", "$connect", "-", "GQIVriFLIAMEMsA="]
        );
    }

    #[test]
    fn comma_separated() {
        let rest = "1.2.3.4,-,-,28/Jul/2026:09:45:44 +0000,GET,/pets,HTTP/1.1,502,36,a-b,abc=";
        assert_eq!(read(rest, WHO)[..5], ["GET", "/pets", "502", "a-b", "abc="]);
        let http = "1.2.3.4,28/Jul/2026:09:45:44 +0000,GET,GET /pets,HTTP/1.1,500,35,abc=";
        assert_eq!(read(http, WHO)[..4], ["GET", "GET /pets", "500", "abc="]);
    }

    #[test]
    fn elements() {
        let line = "<request id=\"a-b\"> <extendedRequestId>x=</extendedRequestId> <ip>1.2.3.4</ip> <httpMethod>GET</httpMethod> <resourcePath>/pets</resourcePath> <status>502</status> <error>a < b</error> </request>";
        assert_eq!(read(line, WHO), ["GET", "/pets", "502", "a-b", "x=", "a < b"]);
        assert!(recognise("<html><body>502</body></html>").is_none());
    }

    #[test]
    fn names_and_values() {
        let line = "requestId: a-b, ip: 1.2.3.4, caller: -, user: -, requestTime: 28/Jul/2026:09:45:44 +0000, httpMethod: GET, resourcePath: /pets, status: 502, protocol: HTTP/1.1, responseLength: 36";
        assert_eq!(read(line, WHO), ["GET", "/pets", "502", "a-b", "-", "-"]);
        let line = "requestId=a-b status=502 error=\"Lambda Customer Function Error: x\" httpMethod=GET";
        assert_eq!(read(line, WHO), ["GET", "-", "502", "a-b", "-", "Lambda Customer Function Error: x"]);
        for text in ["hello", "hello: world, foo: bar", "error: Status: 3", ":", "="] {
            assert!(recognise(text).is_none(), "{text}");
        }
    }
}
