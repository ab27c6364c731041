//! The request IDs that a line names.
//!
//! A function often logs the event it was called with, or an ID out of it: that leads to the request when nothing else
//! does. Taken are UUIDs, the IDs of HTTP APIs (`JKJaXmPLvHcESHA=`), and whatever stands behind a key that means a
//! request ID. Not a verdict on whose ID it is. Rule: one pass; only `-`, `:` and `=` cost more than a glance, so a line
//! without them costs nothing else.

/// IDs kept of one line.
const MENTIONS_MAX: usize = 4;
/// Longest and shortest ID that a key may give, in bytes.
const VALUE_MAX: usize = 128;
const VALUE_MIN: usize = 4;
/// Longest key that is looked at, in bytes: `x-amzn-requestid` with names of objects before it.
const KEY_MAX: usize = 48;
const UUID: usize = 36;
/// The letters of an HTTP API's ID before its `=`.
const HTTP_ID: usize = 15;

/// IDs that the text names, without the line's own.
pub(super) fn mentions(text: &str, own: Option<&str>) -> Vec<Box<str>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Box<str>> = Vec::new();
    let mut at = 0;
    while found.len() < MENTIONS_MAX
        && let Some(mark) = next_mark(bytes, at)
    {
        at = mark;
        let id = match bytes[at] {
            b'-' => uuid(bytes, at),
            b':' => behind_key(bytes, at),
            _ => behind_key(bytes, at).or_else(|| http_id(bytes, at)),
        };
        let Some((from, to)) = id else {
            at += 1;
            continue;
        };
        // Both ends are ASCII, so this is always there.
        if let Some(id) = text.get(from..to)
            && own != Some(id)
            && !found.iter().any(|f| **f == *id)
        {
            found.push(id.into());
        }
        at = to.max(at + 1);
    }
    found
}

/// The next byte at which an ID may show itself.
fn next_mark(bytes: &[u8], mut at: usize) -> Option<usize> {
    let is_mark = |b: &u8| matches!(b, b'-' | b':' | b'=');
    // Without a way out in the middle of a piece, these are a few instructions for each.
    while let Some(piece) = bytes[at..].first_chunk::<16>() {
        if piece.iter().fold(false, |any, b| any | is_mark(b)) {
            break;
        }
        at += piece.len();
    }
    bytes[at..].iter().position(is_mark).map(|step| at + step)
}

/// It has the shape of an HTTP API's ID.
pub(super) fn is_http_id(text: &str) -> bool {
    text.len() == HTTP_ID + 1 && text.ends_with('=') && http_id(text.as_bytes(), HTTP_ID).is_some()
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// A UUID whose first dash stands at `at`.
fn uuid(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if bytes.get(at + 5) != Some(&b'-') {
        return None;
    }
    let from = at.checked_sub(8)?;
    let to = from + UUID;
    let id = bytes.get(from..to)?;
    let shape = [8, 13, 18, 23].iter().all(|dash| id[*dash] == b'-')
        && [0..8, 9..13, 14..18, 19..23, 24..UUID].into_iter().all(|part| id[part].iter().all(u8::is_ascii_hexdigit));
    let alone = (from == 0 || !is_word(bytes[from - 1])) && bytes.get(to).is_none_or(|b| !is_word(*b));
    (shape && alone).then_some((from, to))
}

/// The ID of an HTTP API whose `=` stands at `at`.
fn http_id(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let from = at.checked_sub(HTTP_ID)?;
    let id = &bytes[from..at];
    let before = if from == 0 { b' ' } else { bytes[from - 1] };
    let after = bytes.get(at + 1).copied().unwrap_or(b' ');
    let ends = after.is_ascii_whitespace() || matches!(after, b',' | b';' | b')' | b']' | b'}' | b'\\' | b'.' | b'|');
    let quoted = matches!(after, b'"' | b'\'' | b'\\') && matches!(before, b'"' | b'\'');
    let begins = !is_word(before) && !matches!(before, b'=' | b'+' | b'/');
    let shape = id.iter().all(|b| is_word(*b))
        // `connection_pool= 5` is a setting: an ID is coded at random, with large and small letters.
        && id.iter().any(u8::is_ascii_uppercase)
        && id.iter().any(u8::is_ascii_lowercase);
    (shape && begins && (ends || quoted)).then_some((from, at + 1))
}

/// The value behind a key that means a request ID, whose `:` or `=` stands at `at`: `"requestId":"x"`, also with
/// escaped quotes, `'request_id': 'x'`, `requestId=x`, `Request ID: x`.
fn behind_key(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    is_id_key(&bytes[..at]).then(|| value(bytes, at + 1)).flatten()
}

fn is_id_key(before: &[u8]) -> bool {
    let mut end = before.len();
    let Some(last) = before.last() else { return false };
    // Most colons and equal signs stand behind other words, and this sees it at once.
    if !matches!(last, b'd' | b'D' | b'"' | b'\'' | b' ') {
        return false;
    }
    if end > 0 && before[end - 1] == b' ' {
        end -= 1;
    }
    if end > 0 && matches!(before[end - 1], b'"' | b'\'') {
        end -= 1;
        let most = end.saturating_sub(7);
        while end > most && before[end - 1] == b'\\' {
            end -= 1;
        }
    }
    if !before[..end].last_chunk::<2>().is_some_and(|id| id.eq_ignore_ascii_case(b"id")) {
        return false;
    }
    let floor = end.saturating_sub(KEY_MAX);
    let mut begin = end;
    while begin > floor && (is_word(before[begin - 1]) || matches!(before[begin - 1], b'.' | b' ')) {
        begin -= 1;
    }
    let mut key = [0; KEY_MAX];
    let mut len = 0;
    for byte in &before[begin..end] {
        if byte.is_ascii_alphanumeric() {
            key[len] = byte.to_ascii_lowercase();
            len += 1;
        }
    }
    let key = &key[..len];
    let ends = |word: &str| key.ends_with(word.as_bytes());
    let of_lambda = ends("awsrequestid") || ends("functionrequestid") || ends("lambdarequestid");
    (ends("requestid") || ends("correlationid") || ends("reqid")) && !of_lambda
}

fn value(bytes: &[u8], mut from: usize) -> Option<(usize, usize)> {
    let skip = |from: &mut usize, most: usize, what: &[u8]| {
        let to = (*from + most).min(bytes.len());
        while *from < to && what.contains(&bytes[*from]) {
            *from += 1;
        }
    };
    skip(&mut from, 4, b" \t");
    if bytes[from..].starts_with(b"Some(") {
        from += 5;
    }
    skip(&mut from, 7, b"\\");
    skip(&mut from, 1, b"\"'");
    let rest = &bytes[from..bytes.len().min(from + VALUE_MAX + 1)];
    let ends = |b: &u8| b.is_ascii_whitespace() || !b.is_ascii_graphic() || b"\"'\\,;()[]{}<>&|$%".contains(b);
    let len = rest.iter().position(ends).unwrap_or(rest.len());
    let id = rest[..len].trim_ascii_end();
    let id = id.strip_suffix(b".").or_else(|| id.strip_suffix(b":")).unwrap_or(id);
    let says_nothing = [&b"null"[..], b"None", b"undefined", b"true", b"false"].contains(&id);
    let fits = (VALUE_MIN..=VALUE_MAX).contains(&id.len());
    (fits && !says_nothing).then_some((from, from + id.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";

    fn of(text: &str) -> Vec<String> {
        mentions(text, None).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ids_by_their_shape() {
        assert_eq!(of(&format!("got {A}, then {A}")), [A]);
        assert_eq!(of("request JKJaXmPLvHcESHA= done"), ["JKJaXmPLvHcESHA="]);
        assert_eq!(of(r#"{"x":"JKJaXmPLvHcESHA=","y":1}"#), ["JKJaXmPLvHcESHA="]);
        assert_eq!(of("JKJaXmPLvHcESHA="), ["JKJaXmPLvHcESHA="]);
        for text in [
            "",
            "-",
            "=",
            ":",
            "a-b-c-d-e",
            "plain words: and=more",
            "c6af9ac6-7b61-11e6-9a41-93e8deadbeef0",
            "1-5759e988-bd862e3fe1be46a994272793",
            "connection_pool= 5",
            "ConnectionPools=\"5\"",
            "dGhpcyBpcyBiYXNlNjQgdGV4dA==",
            "2026-07-28T09:45:44.466Z",
        ] {
            assert!(of(text).is_empty(), "{text} -> {:?}", of(text));
        }
        assert!(mentions(&format!("own {A}"), Some(A)).is_empty());
    }

    #[test]
    fn ids_by_their_key() {
        for text in [
            r#"{"requestId":"abcd"}"#,
            r#"{"body":"{\"requestContext\":{\"requestId\":\"abcd\"}}"}"#,
            r#"{"a":"{\\\"request_id\\\":\\\"abcd\\\"}"}"#,
            "{'requestContext': {'requestId': 'abcd', 'x': 1}}",
            "requestId=abcd",
            "requestId: abcd",
            "Request ID: abcd.",
            "api_request_id=abcd, more",
            "x-correlation-id: abcd",
            "correlationId = \"abcd\"",
            "event.requestContext.requestId abc requestId=abcd",
            "{ requestId: 'abcd' }",
            "request_id: Some(\"abcd\")",
            "extendedRequestId=abcd",
            "X-Amzn-RequestId:abcd",
        ] {
            assert_eq!(of(text), ["abcd"], "{text}");
        }
        for text in [
            "requestId=",
            "requestId: null",
            "requestId: undefined",
            "requestId=abc",
            "userId=abcd",
            "id: abcd",
            "aws_request_id=abcd",
            "\"requestId\":{\"a\":1}",
            "requestId=${id}",
            "valid: abcdef",
            "d:abcd",
        ] {
            assert!(of(text).is_empty(), "{text} -> {:?}", of(text));
        }
        assert!(of(&format!("requestId={}", "x".repeat(200))).is_empty());
    }

    #[test]
    fn at_most_four_and_in_linear_time() {
        assert_eq!(of("requestId=aaaa requestId=bbbb requestId=cccc requestId=dddd requestId=eeee").len(), 4);
        for hard in ["-", "=", ":", "requestId=", "requestid:\"\\", "id ", "é=", "requestId=é", "a0b1c2d3-", "\\"] {
            let _ = of(&hard.repeat(100_000));
        }
        // A word that only grows: the look behind it is bounded.
        let _ = of(&("a ".repeat(50_000) + &"id:".repeat(50_000)));
    }
}
