//! The `nextToken` of `FilterLogEvents`: where a read stands, in text the client must not look into.
//!
//! Not a cursor kept by the server: everything is in the token. Rule: it names the last event returned, not a count,
//! so events that become visible between two pages make no page repeat or skip; and it is bound to its group, streams,
//! time range and 24 hours of life, so a token used wrongly is refused instead of giving a plausible page.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::store::{Key, Query};
use crate::model::time::Timestamp;

/// How long CloudWatch Logs honours a token.
const LIFE: Duration = Duration::from_hours(24);
/// Hexadecimal digits of one field.
const DIGITS: usize = 16;

/// Where a read stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Oldest first; fixed for the whole read by its first request.
    pub(super) forward: bool,
    /// The last event returned; `None` when nothing was returned yet.
    pub(super) after: Option<Key>,
    pub(super) issued: Timestamp,
    /// Makes two tokens of the same position different, as they are in AWS.
    pub(super) serial: u64,
}

impl Token {
    /// The text form; `scope` is what the token is bound to, from [`scope`].
    pub(super) fn encode(&self, scope: u64) -> String {
        let kind = match (self.forward, self.after) {
            (true, None) => 'a',
            (true, Some(_)) => 'f',
            (false, None) => 'z',
            (false, Some(_)) => 'b',
        };
        let key = self.after.unwrap_or(Key { time: 0, ingestion: 0, serial: 0 });
        let (time, ingestion) = (key.time.cast_unsigned(), key.ingestion.cast_unsigned());
        let issued = self.issued.as_millis().cast_unsigned();
        let body = format!("{kind}{time:016x}{ingestion:016x}{:016x}{issued:016x}{:016x}", key.serial, self.serial);
        let check = checksum(&body, scope);
        format!("{body}{check:016x}")
    }

    /// Reads a token back; `None` when it is not one, belongs to another read or is too old.
    pub(super) fn decode(text: &str, scope: u64, now: Timestamp) -> Option<Self> {
        if !text.is_ascii() || text.len() != 1 + 6 * DIGITS {
            return None;
        }
        let (body, check) = text.split_at(text.len() - DIGITS);
        if u64::from_str_radix(check, 16).ok()? != checksum(body, scope) {
            return None;
        }
        let (kind, digits) = body.split_at(1);
        let field = |n: usize| u64::from_str_radix(&digits[n * DIGITS..(n + 1) * DIGITS], 16).ok();
        let key = Key { time: field(0)?.cast_signed(), ingestion: field(1)?.cast_signed(), serial: field(2)? };
        let (forward, after) = match kind {
            "a" => (true, None),
            "f" => (true, Some(key)),
            "z" => (false, None),
            "b" => (false, Some(key)),
            _ => return None,
        };
        let issued = Timestamp::from_millis(field(3)?.cast_signed());
        (now.since(issued) <= LIFE).then_some(Self { forward, after, issued, serial: field(4)? })
    }
}

/// What a token is bound to: the group, the streams and the time range it was given for.
pub(super) fn scope(group: &str, query: &Query) -> u64 {
    xxh3_64(format!("{group} {} {} {:?}", query.from, query.to, query.streams).as_bytes())
}

fn checksum(body: &str, scope: u64) -> u64 {
    xxh3_64(body.as_bytes()) ^ scope
}

#[cfg(test)]
mod tests {
    use super::super::store::Streams;
    use super::*;

    #[test]
    fn survives_the_round_trip_and_nothing_else() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let query = Query {
            from: 0,
            to: i64::MAX,
            limit: 1,
            forward: true,
            after: None,
            streams: Streams::Prefixed("a".into()),
        };
        let scope = scope("/aws/lambda/a", &query);
        let token = Token {
            forward: false,
            after: Some(Key { time: -5, ingestion: 7, serial: u64::MAX }),
            issued: now,
            serial: 3,
        };
        let text = token.encode(scope);
        assert_eq!(Token::decode(&text, scope, now), Some(token));
        assert_eq!(Token::decode(&text, scope, now.plus(LIFE).plus(Duration::from_millis(1))), None);
        assert_eq!(Token::decode(&text, super::scope("/aws/lambda/b", &query), now), None);
        let other = Query { streams: Streams::All, ..query };
        assert_eq!(Token::decode(&text, super::scope("/aws/lambda/a", &other), now), None);
        assert_eq!(Token::decode(&text.replace('b', "f"), scope, now), None);
        assert_eq!(Token::decode("", scope, now), None);
        assert_eq!(Token::decode(&"é".repeat(49), scope, now), None);
    }
}
