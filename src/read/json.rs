//! A flat look at a JSON object: each scalar with the keys that lead to it.
//!
//! Not a document tree: nothing is allocated for a flat object without escapes. Objects inside are walked, arrays are
//! passed over. Access logs are text with values put in, so quotes in a value make invalid JSON: [`tolerant`] reads
//! that. Rule: what is not one object gives `None`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Objects within objects that are walked.
const DEPTH_MAX: usize = 8;

/// Calls `found(key, value)` for each scalar of the object in `text`; within objects inside, `key` is all keys that lead
/// to it, without anything between them. Numbers and booleans come as text. `None` when `text` is not one JSON object.
pub(super) fn scalars<'a>(text: &'a str, mut found: impl FnMut(&str, Cow<'a, str>)) -> Option<()> {
    let mut de = serde_json::Deserializer::from_str(text);
    let walk = Walk { path: "", depth: 0, found: &mut found };
    walk.deserialize(&mut de).ok()?.then_some(())?;
    de.end().ok()
}

/// The same for a flat object whose values may hold quotes that are not escaped, or be bare words such as `-`. A value
/// ends where a comma and another quoted key follow, or the object ends. `None` when it does not look like one.
pub(super) fn tolerant<'a>(text: &'a str, mut found: impl FnMut(&str, Cow<'a, str>)) -> Option<()> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    loop {
        rest = rest.trim_start();
        let (key, after) = rest.strip_prefix('"')?.split_once('"')?;
        let after = after.trim_start().strip_prefix(':')?.trim_start();
        let end = next_key(after).unwrap_or(after.len());
        let value = after[..end].trim_end();
        let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        found(key, Cow::Borrowed(bare));
        if end == after.len() {
            return Some(());
        }
        rest = &after[end + 1..];
    }
}

/// Where the comma stands that a quoted key and a colon follow.
fn next_key(text: &str) -> Option<usize> {
    text.match_indices(',').map(|(at, _)| at).find(|at| {
        let Some(after) = text[at + 1..].trim_start().strip_prefix('"') else { return false };
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let word = after.trim_start_matches(name);
        let is_word = word.len() < after.len();
        is_word && word.strip_prefix('"').is_some_and(|w| w.trim_start().starts_with(':'))
    })
}

struct Walk<'k, 'f, F> {
    path: &'k str,
    depth: usize,
    found: &'f mut F,
}

/// True when the value was an object.
impl<'de, F: FnMut(&str, Cow<'de, str>)> DeserializeSeed<'de> for Walk<'_, '_, F> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<bool, D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str, Cow<'de, str>)> Visitor<'de> for Walk<'_, '_, F> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<bool, E> {
        (self.found)(self.path, Cow::Borrowed(v));
        Ok(false)
    }

    fn visit_str<E>(self, v: &str) -> Result<bool, E> {
        (self.found)(self.path, Cow::Owned(v.to_owned()));
        Ok(false)
    }

    fn visit_u64<E>(self, v: u64) -> Result<bool, E> {
        (self.found)(self.path, Cow::Owned(v.to_string()));
        Ok(false)
    }

    fn visit_i64<E>(self, v: i64) -> Result<bool, E> {
        (self.found)(self.path, Cow::Owned(v.to_string()));
        Ok(false)
    }

    fn visit_f64<E>(self, v: f64) -> Result<bool, E> {
        (self.found)(self.path, Cow::Owned(v.to_string()));
        Ok(false)
    }

    fn visit_bool<E>(self, v: bool) -> Result<bool, E> {
        (self.found)(self.path, Cow::Borrowed(if v { "true" } else { "false" }));
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if self.depth < DEPTH_MAX {
                let path = if self.depth == 0 { key.0 } else { Cow::Owned(format!("{}{}", self.path, key.0)) };
                map.next_value_seed(Walk { path: &path, depth: self.depth + 1, found: &mut *self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(true)
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(v.to_owned())))
            }
        }
        de.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        scalars(text, |k, v| found.push((k.to_owned(), v.into_owned())))?;
        Some(found)
    }

    #[test]
    fn walks_objects_and_passes_arrays_over() {
        let got = all(r#"{"a":"x","b":{"c":502,"d":[1,{"e":2}]},"f":null,"g":true,"h":"a\"b"}"#).unwrap();
        let want = [("a", "x"), ("bc", "502"), ("g", "true"), ("h", "a\"b")];
        assert_eq!(got, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in ["", "-", "[1]", "{", "{\"a\":-}", "{} {}", "\"x\""] {
            assert_eq!(all(text), None, "{text}");
        }
    }

    #[test]
    fn quotes_in_values_and_bare_words_are_tolerated() {
        let mut got = Vec::new();
        let line = r#"{ "a":"Unexpected token h, "hello" is not, valid", "b":-, "c": " "x y"", "d":"1" }"#;
        tolerant(line, |k, v| got.push((k.to_owned(), v.into_owned()))).unwrap();
        let want = [("a", "Unexpected token h, \"hello\" is not, valid"), ("b", "-"), ("c", " \"x y\""), ("d", "1")];
        assert_eq!(got, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
        for text in ["", "{", "{}", "hello", "{\"a\"}", "{a:1}"] {
            assert_eq!(tolerant(text, |_, _| ()), None, "{text}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_passed_over() {
        let deep = "{\"a\":".repeat(5000) + "1" + &"}".repeat(5000);
        assert_eq!(all(&deep), Some(vec![]));
    }
}
