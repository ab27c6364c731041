//! A path -> a route template: `/users/42` is `/users/{id}`.
//!
//! Templates that are logged pass unchanged. What looks like an identifier, a number, a UUID or long hex, becomes
//! `{id}`; a query is cut off. Rule: templating a template changes nothing.

use std::borrow::Cow;

/// Hex digits from which a segment counts as an identifier; shorter ones are words like `face` or `cafe`.
const HEX_MIN: usize = 16;

/// The template of a path or of what was logged as one.
pub(super) fn template(path: &str) -> Cow<'_, str> {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    if !path.split('/').any(is_identifier) {
        return Cow::Borrowed(path);
    }
    let segments: Vec<_> = path.split('/').map(|s| if is_identifier(s) { "{id}" } else { s }).collect();
    Cow::Owned(segments.join("/"))
}

fn is_identifier(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    // The first digit decides cheaply: identifiers of all three kinds consist of hex digits and dashes.
    if !bytes.first().is_some_and(u8::is_ascii_hexdigit) {
        return false;
    }
    let is_uuid = bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
    is_uuid
        || bytes.iter().all(u8::is_ascii_digit)
        || (bytes.len() >= HEX_MIN && bytes.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_placeholders() {
        let cases = [
            ("/users/42", "/users/{id}"),
            ("/users/42?full=1", "/users/{id}"),
            ("/a/0a1b2c3d-0000-4000-8000-0123456789ab/b", "/a/{id}/b"),
            ("/f/0123456789abcdef", "/f/{id}"),
            ("/cafe/v2/checkout", "/cafe/v2/checkout"),
            ("/users/{id}", "/users/{id}"),
            ("/{proxy+}", "/{proxy+}"),
            ("/", "/"),
        ];
        for (path, want) in cases {
            assert_eq!(template(path), want);
            assert_eq!(template(&template(path)), want, "templating twice changes nothing");
        }
    }
}
