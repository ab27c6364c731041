//! The members of one JSON object, each still as it was written.
//!
//! Not a tree: what lies inside a value is looked at only where it is asked for. Lines come from anywhere, so a key may
//! come twice (the first counts) and a value may be of any type. Rule: nothing here fails for what a value holds; a
//! text that is not one object is `None`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object's keys and values, in order.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The object at the beginning of `text`, and where it ends.
    pub(super) fn parse_first(text: &'a str) -> Option<(Self, usize)> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter();
        let members = values.next()?.ok()?;
        Some((members, values.byte_offset()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The member's text, if it is a string.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key).and_then(text_of)
    }

    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(number_of)
    }

    /// The member's own members, if it is an object.
    pub(super) fn object(&self, key: &str) -> Option<Members<'a>> {
        self.get(key).and_then(|value| Members::parse(value.get()))
    }

    /// The strings of a list, or the lines of a string: stacks are written in both ways.
    pub(super) fn frames(&self, key: &str) -> Vec<Cow<'a, str>> {
        self.get(key).map(frames_of).unwrap_or_default()
    }
}

pub(super) fn frames_of(value: &RawValue) -> Vec<Cow<'_, str>> {
    match text_of(value) {
        Some(Cow::Borrowed(text)) => vec![Cow::Borrowed(text)],
        Some(Cow::Owned(text)) => text.lines().map(|line| Cow::Owned(line.to_owned())).collect(),
        None => list_of(value).into_iter().filter_map(text_of).collect(),
    }
}

pub(super) fn list_of(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

/// The text of a string.
pub(super) fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = value.get();
    let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if !inside.contains('\\') {
        return Some(Cow::Borrowed(inside));
    }
    // Half a surrogate pair is no text: then the line as it was written is the best there is.
    Some(serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(inside), Cow::Owned))
}

/// The text of a string, and of anything else as it was written.
pub(super) fn shown(value: &RawValue) -> Cow<'_, str> {
    text_of(value).unwrap_or_else(|| Cow::Borrowed(value.get()))
}

/// A number, also where it was written as a string.
pub(super) fn number_of(value: &RawValue) -> Option<f64> {
    shown(value).trim().parse().ok().filter(|n: &f64| n.is_finite())
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    members.push((key.0, map.next_value::<&'de RawValue>()?));
                }
                Ok(Members(members))
            }
        }
        de.deserialize_map(Object)
    }
}

/// Follows JSON over several events and says where its first object ends; each byte is looked at once.
#[derive(Debug, Default)]
pub(super) struct Braces {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Braces {
    /// Goes on with `text`; the offset behind the brace that closes the object, if it stands here.
    pub(super) fn follow(&mut self, text: &str) -> Option<usize> {
        for (at, byte) in text.bytes().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_any_type() {
        let m = Members::parse(r#"{"a":"x\ny","b":1.5,"c":"2","d":{"e":null},"a":"again","f":["p",1,"q"]}"#).unwrap();
        assert_eq!(m.text("a").as_deref(), Some("x\ny"));
        assert_eq!((m.number("b"), m.number("c"), m.text("b")), (Some(1.5), Some(2.0), None));
        assert_eq!(m.object("d").unwrap().get("e").unwrap().get(), "null");
        assert_eq!(m.frames("f"), ["p", "q"]);
        assert_eq!(m.frames("a"), ["x", "y"]);
        for text in ["", "[]", "{", "{\"a\"}", "1", "{} x"] {
            assert!(Members::parse(text).is_none(), "{text}");
        }
        assert_eq!(Members::parse_first("{} x").map(|f| f.1), Some(2));
        let half = Members::parse("{\"a\":\"\\ud800\"}").unwrap();
        assert_eq!(half.text("a").as_deref(), Some("\\ud800"));
    }

    #[test]
    fn braces_are_followed_over_pieces() {
        let mut b = Braces::default();
        assert_eq!(b.follow("{\"a\": \"}\\\""), None);
        assert_eq!(b.follow("}\", \"b\": [1, {}"), None);
        assert_eq!(b.follow("]} rest"), Some(2));
    }
}
