//! A stage's own `$context` format -> a parser for its lines.
//!
//! Any text with variables in it: JSON flat or nested, CLF, CSV, XML, sentences. Not a guess: what a key is called does
//! not matter, only which variable stands there. JSON is read as JSON first, by the places of its keys; what is not
//! valid JSON, because a value brought quotes of its own, is cut at the format's fixed pieces of text like any other
//! format. Rule: a value that may hold anything is bounded by what stands behind it, counted from the line's end.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;

use super::fields::{Field, Fields, field_of_variable};
use crate::model::access_format::{PREFIX, variable};
use crate::model::time::Timestamp;
use crate::read::json;

/// Places that are tried for the end of a value that may hold anything.
const PLACES_MAX: usize = 64;

/// Why a text is no access-log format that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing of the request is in it.
    #[error("holds no $context variable: give the stage's access-log format as it stands in accessLogSettings.format")]
    NoVariables,
    /// Requests cannot be counted by it.
    #[error("holds no $context.status, without which requests cannot be counted: add it to the stage's format")]
    NoStatus,
}

/// A compiled access-log format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    /// For JSON: each scalar in its place, its keys with dots between them.
    members: Option<Vec<(Box<str>, Vec<Part>)>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Fixed(Box<str>),
    Variable {
        /// `None` for one that is not used.
        field: Option<Field>,
        /// Its value may hold what separates values.
        free: bool,
    },
}

impl Template {
    /// Compiles a stage's format.
    ///
    /// # Errors
    /// When no request could be counted by it.
    pub fn compile(format: &str) -> Result<Self, TemplateError> {
        let format = one_line(format);
        let parts = parts(&format);
        let field =
            |wanted: Option<Field>| move |p: &Part| matches!(p, Part::Variable { field, .. } if *field == wanted);
        if !parts.iter().any(|p| matches!(p, Part::Variable { .. })) {
            return Err(TemplateError::NoVariables);
        }
        if !parts.iter().any(field(Some(Field::Status))) {
            return Err(TemplateError::NoStatus);
        }
        let members = if format.starts_with('{') { members(&format) } else { None };
        Ok(Self { parts, members })
    }

    /// What a line says; `None` when it is not of this format.
    pub(super) fn read<'a>(&self, text: &'a str) -> Option<Fields<'a>> {
        if let Some(members) = &self.members
            && let Some(fields) = by_members(members, text)
        {
            return Some(fields);
        }
        let mut fields = Fields::default();
        if cut_at_fixed(&self.parts, text, &mut |field, value| fields.put(field, Cow::Borrowed(value))) {
            return Some(fields);
        }
        self.forgiving(text)
    }

    /// JSON that was reordered, reformatted or cut off on its way, or text that was cut off.
    fn forgiving<'a>(&self, text: &'a str) -> Option<Fields<'a>> {
        let mut fields = Fields::default();
        if let Some(members) = &self.members {
            let put = |key: &str, value: Cow<'a, str>| {
                if let Some((_, parts)) = members.iter().find(|(k, _)| **k == *key) {
                    put_member(&mut fields, parts, value);
                }
            };
            json::tolerant(text, put)?;
        } else {
            forwards(&self.parts, text, &mut |field, value| fields.put(field, Cow::Borrowed(value)));
        }
        fields.text(Field::Status).is_some().then_some(fields)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = self.parts.iter().filter(|p| matches!(p, Part::Variable { .. })).count();
        write!(f, "{} format with {variables} variables", if self.members.is_some() { "JSON" } else { "text" })
    }
}

/// The gateway writes one line; a format in a file may stand over several.
fn one_line(format: &str) -> String {
    let lines = format.trim().lines().map(|l| l.trim().trim_end_matches('\\').trim_end());
    lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Cuts a format into fixed text and variables.
fn parts(format: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some((fixed, after)) = rest.split_once(PREFIX) {
        if !fixed.is_empty() {
            parts.push(Part::Fixed(fixed.into()));
        }
        let (name, behind) = variable(after);
        parts.push(Part::Variable { field: field_of_variable(name), free: is_free(name) });
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Fixed(rest.into()));
    }
    parts
}

/// Whether a variable's value may hold blanks, commas, quotes: sentences, what clients send, routes.
fn is_free(name: &str) -> bool {
    let never =
        ["identity.sourceIp", "identity.caller", "identity.user", "identity.accountId", "protocol", "resourceId"];
    match field_of_variable(name) {
        Some(field) => field.is_free_text(),
        None => !never.contains(&name) && !name.ends_with("atency") && !name.ends_with("tatus"),
    }
}

/// What stands for a variable while a format is read as JSON: a number, which is valid both bare and within quotes.
const MARK: u64 = 7_190_450_000_000_000;

/// The members of a JSON format, or nothing if it is not JSON.
fn members(format: &str) -> Option<Vec<(Box<str>, Vec<Part>)>> {
    let mut names = Vec::new();
    let mut marked = String::new();
    let mut rest = format;
    while let Some((fixed, after)) = rest.split_once(PREFIX) {
        let (name, behind) = variable(after);
        marked.push_str(fixed);
        marked.push_str(&(MARK + names.len() as u64).to_string());
        names.push(name);
        rest = behind;
    }
    marked.push_str(rest);
    let mut members = Vec::new();
    json::scalars(&marked, |key, value| {
        let mut text = value.into_owned();
        for (number, name) in names.iter().enumerate() {
            let mark = (MARK + number as u64).to_string();
            if text.contains(&mark) {
                text = text.replace(&mark, &format!("{PREFIX}{name}"));
            }
        }
        members.push((key.into(), parts(&text)));
    })?;
    Some(members)
}

/// A line of a JSON format that is valid JSON with the same members in the same order.
fn by_members<'a>(members: &[(Box<str>, Vec<Part>)], text: &'a str) -> Option<Fields<'a>> {
    let mut fields = Fields::default();
    let mut fits = true;
    let mut number = 0;
    let fast = json::flat(
        text,
        |_| None,
        |at, key, value| {
            number = at + 1;
            match (key, members.get(at)) {
                (json::Key::Other(key, ..), Some((known, parts))) if **known == *key => {
                    put_member(&mut fields, parts, Cow::Borrowed(value));
                }
                _ => fits = false,
            }
        },
    );
    if fast.is_none() {
        (fields, fits, number) = (Fields::default(), true, 0);
        json::scalars(text, |key, value| {
            match members.get(number) {
                Some((known, parts)) if **known == *key => put_member(&mut fields, parts, value),
                _ => fits = false,
            }
            number += 1;
        })?;
    }
    (fits && number == members.len()).then_some(fields)
}

/// One value of a JSON line: one variable, or a text with several.
fn put_member<'a>(fields: &mut Fields<'a>, parts: &[Part], value: Cow<'a, str>) {
    match parts {
        [Part::Variable { field, .. }] => {
            if let Some(field) = field {
                fields.put(*field, value);
            }
        }
        [Part::Fixed(_)] | [] => {}
        // Mostly a variable in quotes within quotes.
        several => {
            let found = |field: Field, v: &str| fields.put(field, Cow::Owned(v.to_owned()));
            forwards_or_fixed(several, &value, found);
        }
    }
}

fn forwards_or_fixed(parts: &[Part], text: &str, mut found: impl FnMut(Field, &str)) {
    let _ = cut_at_fixed(parts, text, &mut |field, value| found(field, value));
}

/// Cuts a line at the fixed pieces: from the front up to the first value that may hold anything, from the back down to
/// the last such value, and what lies between at the first place where the next piece stands. False when a piece is not
/// there.
fn cut_at_fixed<'a>(parts: &[Part], text: &'a str, found: &mut impl FnMut(Field, &'a str)) -> bool {
    let is_free = |p: &Part| matches!(p, Part::Variable { free: true, .. });
    let last_free = parts.iter().rposition(is_free);
    let mut end = text.len();
    let mut behind = parts.len();
    let mut values = Vec::new();
    if let Some(last_free) = last_free {
        // From the back.
        while behind > last_free + 1 {
            behind -= 1;
            match &parts[behind] {
                Part::Fixed(fixed) => match text[..end].strip_suffix(&**fixed) {
                    Some(before) => end = before.len(),
                    None => return false,
                },
                Part::Variable { field, .. } => {
                    let start = match parts.get(behind.wrapping_sub(1)) {
                        Some(Part::Fixed(fixed)) => {
                            let Some(at) = memmem::rfind(&text.as_bytes()[..end], fixed.as_bytes()) else {
                                return false;
                            };
                            at + fixed.len()
                        }
                        Some(Part::Variable { .. }) | None => end,
                    };
                    values.push((*field, &text[start..end]));
                    end = start;
                }
            }
        }
    }
    let Some(rest) = front(&parts[..behind], &text[..end], &mut |field, value| values.push((field, value))) else {
        return false;
    };
    if !rest.is_empty() {
        return false;
    }
    for (field, value) in values {
        if let Some(field) = field {
            found(field, value);
        }
    }
    true
}

/// Cuts from the front, each value at the first place where the next fixed piece stands; a value that may hold anything
/// at the first such place from which what follows fits as well; the last value takes what is left. Returns what stands
/// behind; `None` where a piece is missing.
fn front<'a>(parts: &[Part], text: &'a str, found: &mut impl FnMut(Option<Field>, &'a str)) -> Option<&'a str> {
    let mut rest = text;
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Fixed(fixed) => rest = rest.strip_prefix(&**fixed)?,
            Part::Variable { field, free } => {
                let end = match parts.get(at + 1) {
                    Some(Part::Fixed(fixed)) if *free => {
                        let places = memmem::find_iter(rest.as_bytes(), fixed.as_bytes()).take(PLACES_MAX);
                        let mut places = places.peekable();
                        let first = *places.peek()?;
                        let follows = &parts[at + 1..];
                        places.find(|place| fits(follows, &rest[*place..])).unwrap_or(first)
                    }
                    Some(Part::Fixed(fixed)) => memmem::find(rest.as_bytes(), fixed.as_bytes())?,
                    Some(Part::Variable { .. }) => 0,
                    None => rest.len(),
                };
                found(*field, &rest[..end]);
                rest = &rest[end..];
            }
        }
    }
    Some(rest)
}

/// Whether a text goes on as the format does, up to the next value that may hold anything.
fn fits(parts: &[Part], text: &str) -> bool {
    let mut rest = text;
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Fixed(fixed) => match rest.strip_prefix(&**fixed) {
                Some(after) => rest = after,
                None => return false,
            },
            Part::Variable { free: true, .. } => return true,
            Part::Variable { field, .. } => {
                let Some(Part::Fixed(fixed)) = parts.get(at + 1) else { return is_value(*field, rest) };
                let Some(end) = memmem::find(rest.as_bytes(), fixed.as_bytes()) else { return false };
                if !is_value(*field, &rest[..end]) {
                    return false;
                }
                rest = &rest[end..];
            }
        }
    }
    true
}

/// Whether this may be the value of a variable that is no free text.
fn is_value(field: Option<Field>, value: &str) -> bool {
    match field {
        Some(Field::Status) => value == "-" || (value.len() == 3 && value.bytes().all(|b| b.is_ascii_digit())),
        Some(Field::Time) => Timestamp::parse_clf(value).is_some(),
        _ => !value.contains([' ', '"', '\t']),
    }
}

/// What the beginning of a line says that was cut off.
fn forwards<'a>(parts: &[Part], text: &'a str, found: &mut impl FnMut(Field, &'a str)) {
    let _ = front(parts, text, &mut |field, value| {
        if let Some(field) = field {
            found(field, value);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, line: &str) -> Option<Vec<(Field, String)>> {
        let template = Template::compile(format).unwrap();
        let fields = template.read(line)?;
        let all = [Field::RequestId, Field::Status, Field::Template, Field::IntegrationError, Field::LambdaRequestId];
        Some(all.iter().filter_map(|f| Some((*f, fields.text(*f)?.to_owned()))).collect())
    }

    fn text(got: Option<Vec<(Field, String)>>, field: Field) -> Option<String> {
        got?.into_iter().find(|(f, _)| *f == field).map(|(_, v)| v)
    }

    #[test]
    fn keys_do_not_matter() {
        let format = r#"{"a":"$context.requestId","b":$context.status,"n":{"c":"$context.integration.error","who":"$context.identity.userAgent"}}"#;
        let got = read(format, r#"{"a":"r1","b":502,"n":{"c":"boom","who":"curl"}}"#);
        assert_eq!(text(got.clone(), Field::RequestId).as_deref(), Some("r1"));
        assert_eq!(text(got.clone(), Field::Status).as_deref(), Some("502"));
        assert_eq!(text(got, Field::IntegrationError).as_deref(), Some("boom"));
        let quotes = r#"{"a":"r1","b":502,"n":{"c":"Unexpected "x", "b":"9"","who":"curl"}}"#;
        let got = read(format, quotes);
        assert_eq!(text(got.clone(), Field::IntegrationError).as_deref(), Some(r#"Unexpected "x", "b":"9""#));
        assert_eq!(text(got, Field::Status).as_deref(), Some("502"));
        let dash = read(format, r#"{"a":"r1","b":-,"n":{"c":"-","who":"curl"}}"#);
        assert_eq!(text(dash, Field::Status), None);
    }

    #[test]
    fn any_text_with_free_text_in_it() {
        let format = "$context.requestId | $context.integrationErrorMessage | $context.status | $context.routeKey";
        let got = read(format, "r1 | a | b | 502 | GET /x y").unwrap();
        assert_eq!(got[0].1, "r1");
        let csv = "$context.status,$context.error.message,$context.requestId";
        let got = read(csv, "504,Endpoint, request, timed out,abc");
        assert_eq!(text(got, Field::RequestId).as_deref(), Some("abc"));
        let clf = "[$context.requestTime] \"$context.httpMethod $context.routeKey $context.protocol\" $context.status $context.requestId $context.integrationErrorMessage";
        let got =
            read(clf, "[28/Jul/2026:09:45:44 +0000] \"GET GET /pets HTTP/1.1\" 500 abc= The Lambda said: \"no\" 500 x");
        assert_eq!(text(got.clone(), Field::Template).as_deref(), Some("GET /pets"));
        assert_eq!(text(got.clone(), Field::Status).as_deref(), Some("500"));
        assert_eq!(text(got, Field::RequestId).as_deref(), Some("abc="));
    }

    #[test]
    fn a_line_of_another_format_is_none() {
        assert_eq!(read("$context.requestId $context.status", "{\"a\":1}"), None);
        assert_eq!(read(r#"{"a":"$context.status"}"#, "hello"), None);
        assert_eq!(Template::compile("hello"), Err(TemplateError::NoVariables));
        assert_eq!(Template::compile("$context.requestId"), Err(TemplateError::NoStatus));
    }

    #[test]
    fn a_line_that_was_cut_off_gives_what_is_left() {
        let got = read(
            r#"{"s":"$context.status","e":"$context.integration.error","r":"$context.requestId"}"#,
            r#"{"s":"502","e":"Lambda Cust"#,
        );
        assert_eq!(text(got.clone(), Field::Status).as_deref(), Some("502"));
        assert_eq!(text(got, Field::IntegrationError).as_deref(), Some("Lambda Cust"));
        let got = read("$context.requestId $context.status $context.integration.error $context.path", "r 502 Lam");
        assert_eq!(text(got, Field::Status).as_deref(), Some("502"));
    }
}
