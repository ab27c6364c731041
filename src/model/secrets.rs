//! Masking what must not leave in alerts: credentials in log lines.
//!
//! Not a guarantee: a secret that looks like an ordinary word passes. Shapes: authorization headers, cookies, bearer and
//! JSON web tokens, AWS keys, keys in URLs, private keys, and the values of keys that are named like a secret, in JSON,
//! in headers and in text. Rule: what is masked leaves its name standing, so that a reader knows what was there.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in place of a secret.
const MASK: &str = "***";

/// Each pattern's group `keep` stands before the secret and stays.
static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // Private keys, up to their end or the end of the text.
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
        // The same in lists, as events of API Gateway have them, and quoted values with blanks or commas in them.
        r#"(?i)(?P<keep>(?:authorization|cookies?|(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|client[_-]?secret|credentials?|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|session[_-]?token|security[_-]?token|csrf[_-]?token|token|signature|session[_-]?id))\\*["']?\s*[:=]\s*)\[[^\]]*\]?"#,
        r#"(?i)(?P<keep>(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|client[_-]?secret|credentials?|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|session[_-]?token|security[_-]?token|csrf[_-]?token|token|signature|session[_-]?id)\\*["']\s*(?:[:=]|=>)\s*\\*")[^"\\\r\n]+"#,
        r#"(?i)(?P<keep>(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|client[_-]?secret|credentials?|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|session[_-]?token|security[_-]?token|csrf[_-]?token|token|signature|session[_-]?id)\\*["']\s*(?:[:=]|=>)\s*')[^'\\\r\n]+"#,
        // Headers and members whose whole value is secret; the value may have a scheme before it.
        r#"(?i)(?P<keep>(?:proxy-)?authorization\\*["']?\s*[:=]\s*\\*["']?(?:(?:bearer|basic|digest|negotiate|aws4-hmac-sha256|token)\s+)?)[^"'\\\r\n}\]]+"#,
        r#"(?i)(?P<keep>(?:set-)?cookies?\\*["']?\s*[:=]\s*\\*["']?)[^"'\\\r\n}\]]+"#,
        r"(?i)(?P<keep>\b(?:bearer|basic)\s+)[a-z0-9+/_=.~-]{8,}",
        // Names that say so: password, secret, token, api key, signature, session.
        r#"(?i)(?P<keep>[a-z0-9_.-]*(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|client[_-]?secret|credentials?|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|session[_-]?token|security[_-]?token|csrf[_-]?token|token|signature|session[_-]?id)\\*["']?\s*(?:[:=]|=>)\s*\\*["']?)[^"'\\\s,;&}\])]+"#,
        // Credentials in URLs.
        r"(?i)(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s/:@]+:)[^\s/@]+(?:@)",
        // JSON web tokens, AWS keys, tokens of well-known services.
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?",
        r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|sk_(?:live|test)_[A-Za-z0-9]{10,}|AIza[A-Za-z0-9_-]{30,})",
    ]
    .iter()
    .map(|pattern| Regex::new(pattern).expect("the patterns are constant and tested"))
    .collect()
});

/// Text without the secrets in it.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut masked = Cow::Borrowed(text);
    for secret in SECRETS.iter() {
        let replace = |c: &Captures<'_>| {
            let keep = c.name("keep").map_or("", |m| m.as_str());
            if c[0][keep.len()..].starts_with(MASK) {
                return c[0].to_owned();
            }
            let at = if c[0].ends_with('@') { "@" } else { "" };
            format!("{keep}{MASK}{at}")
        };
        if let Cow::Owned(replaced) = secret.replace_all(&masked, replace) {
            masked = Cow::Owned(replaced);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_their_names_stay() {
        let cases = [
            ("Authorization: Bearer abc.def-123456", "Authorization: Bearer ***"),
            (r#"{"authorization":"Basic dXNlcjpwYXNz","x":1}"#, r#"{"authorization":"Basic ***","x":1}"#),
            (r#"{\"Authorization\":\"tok en\",\"x\":1}"#, r#"{\"Authorization\":\"***\",\"x\":1}"#),
            ("{Authorization=AWS4-HMAC-SHA256 Credential=AKIA1, x=1}", "{Authorization=AWS4-HMAC-SHA256 ***}"),
            ("Cookie: session=abc; other=def\nnext", "Cookie: ***\nnext"),
            ("{'password': 'hunter2', 'user': 'x'}", "{'password': '***', 'user': 'x'}"),
            ("DB_PASSWORD=hunter2 user=x", "DB_PASSWORD=*** user=x"),
            (r#""x-api-key":"abcd""#, r#""x-api-key":"***""#),
            ("?X-Amz-Security-Token=abc&a=b", "?X-Amz-Security-Token=***&a=b"),
            ("key AKIAIOSFODNN7EXAMPLE used", "key *** used"),
            ("postgres://user:pa55@host/db", "postgres://user:***@host/db"),
            (r#""password":"two words, and (more)","user":"x""#, r#""password":"***","user":"x""#),
            ("{'password': 'a,b;c', 'user': 'x'}", "{'password': '***', 'user': 'x'}"),
            (r#"{\"password\":\"a b\",\"x\":1}"#, r#"{\"password\":\"***\",\"x\":1}"#),
            (r#""cookies":["session=abc","b=c"],"x":["y"]"#, r#""cookies":***,"x":["y"]"#),
            (r#"{"Authorization":["Bearer x"],"Cookie":["session=abc"]}"#, r#"{"Authorization":***,"Cookie":***}"#),
            (r#"{\"x-api-key\":[\"abcd\"],\"y\":1}"#, r#"{\"x-api-key\":***,\"y\":1}"#),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_ end", "jwt *** end"),
        ];
        for (text, want) in cases {
            assert_eq!(mask(text), want, "{text}");
        }
    }

    #[test]
    fn ordinary_lines_stay_as_they_are() {
        for text in [
            "TypeError: Cannot read properties of undefined (reading 'items')",
            "Task timed out after 3.00 seconds",
            "Unexpected token h in JSON at position 1",
            "REPORT RequestId: 72566006-0000-4000-8000-000000000000\tDuration: 3.01 ms\tStatus: timeout",
            "see https://host/path:80/x@y",
        ] {
            assert!(matches!(mask(text), Cow::Borrowed(_)), "{text} -> {}", mask(text));
        }
    }
}
