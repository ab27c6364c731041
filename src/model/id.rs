//! A request ID as a value of fixed size.
//!
//! A busy function brings thousands of them a second, and each stands in several tables: a block on the heap for each
//! would cost more than reading the line it came from. Not a UUID, though Lambda's are: an ID is whatever text stands
//! in its place. Rule: it is that text, byte for byte.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are held in place: a UUID has 36, an ID of an HTTP API 16, the root of an X-Ray trace 35.
const INLINE_MAX: usize = 38;

/// A request ID, or another ID that stands for one.
#[derive(Clone, PartialEq, Eq)]
pub struct Id(Held);

#[derive(Clone, PartialEq, Eq)]
enum Held {
    /// The text, and zeros behind it.
    Inline(u8, [u8; INLINE_MAX]),
    /// Only text that is longer: so that one text is held in one way.
    Shared(Arc<str>),
}

impl Id {
    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Held::Inline(len, bytes) => &bytes[..usize::from(*len)],
            Held::Shared(text) => text.as_bytes(),
        }
    }
}

impl Deref for Id {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Held::Inline(..) => std::str::from_utf8(self.as_bytes()).expect("an ID is made from text"),
            Held::Shared(text) => text,
        }
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        match u8::try_from(text.len()) {
            Ok(len) if text.len() <= INLINE_MAX => {
                let mut bytes = [0; INLINE_MAX];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Self(Held::Inline(len, bytes))
            }
            _ => Self(Held::Shared(text.into())),
        }
    }
}

impl From<&Id> for Arc<str> {
    fn from(id: &Id) -> Self {
        match &id.0 {
            Held::Inline(..) => (**id).into(),
            Held::Shared(text) => Self::clone(text),
        }
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        // As text is ordered.
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not by way of a `String`: a saved state has tens of thousands of them.
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an ID")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Id, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::saved;

    #[test]
    fn it_is_its_text() {
        let texts = ["", "a", "8f4b9e02-3c1d-4a5e-9b7f-0123456789ab", "JKJaXmPLvHcESHA=", "ü", "a\0", "ab"];
        let long = ["x".repeat(INLINE_MAX), "x".repeat(INLINE_MAX + 1), "x".repeat(300), "y".repeat(INLINE_MAX + 1)];
        let all: Vec<&str> = texts.into_iter().chain(long.iter().map(String::as_str)).collect();
        for text in &all {
            let id = Id::from(*text);
            assert_eq!((&*id, id.to_string(), format!("{id:?}")), (*text, (*text).to_owned(), format!("{text:?}")));
            assert_eq!(&*<Arc<str>>::from(&id), *text);
            assert_eq!(saved::restore::<Id>(1, &saved::save(1, &id)).as_deref(), Ok(*text));
            for other in &all {
                let other_id = Id::from(*other);
                assert_eq!((id == other_id, id.cmp(&other_id)), (text == other, text.cmp(other)));
            }
        }
        assert!(size_of::<Option<Id>>() <= 40, "five words");
    }
}
