//! A key whose value is one word of a few.
//!
//! Not what the words mean: each key's own enum does that. Rule: whatever else stands there, people are told the words.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// Reads one of `words`; `what` is what the word is, such as `severity`.
pub(super) fn word<'de, D: Deserializer<'de>, T: Copy>(
    de: D,
    what: &'static str,
    words: &'static [(&'static str, T)],
) -> Result<T, D::Error> {
    de.deserialize_any(OneOf { what, words })
}

struct OneOf<T: 'static> {
    what: &'static str,
    words: &'static [(&'static str, T)],
}

impl<T: Copy> OneOf<T> {
    fn find<E: Error>(&self, given: &str) -> Result<T, E> {
        let found = self.words.iter().find(|(word, _)| *word == given);
        found.map(|(_, value)| *value).ok_or_else(|| E::custom(format!("`{given}` is no {}: write {self}", self.what)))
    }
}

/// `"elevated", "high" or "critical"`.
impl<T> fmt::Display for OneOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.words.len().saturating_sub(1);
        for (n, (word, _)) in self.words.iter().enumerate() {
            let before = if n == 0 {
                ""
            } else if n == last {
                " or "
            } else {
                ", "
            };
            write!(f, "{before}\"{word}\"")?;
        }
        Ok(())
    }
}

impl<T: Copy> Visitor<'_> for OneOf<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }

    fn visit_str<E: Error>(self, given: &str) -> Result<T, E> {
        self.find(given)
    }

    fn visit_bool<E: Error>(self, given: bool) -> Result<T, E> {
        self.find(&given.to_string())
    }

    fn visit_i64<E: Error>(self, given: i64) -> Result<T, E> {
        self.find(&given.to_string())
    }

    fn visit_f64<E: Error>(self, given: f64) -> Result<T, E> {
        self.find(&given.to_string())
    }
}
