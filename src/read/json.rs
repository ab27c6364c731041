//! A flat look at a JSON object: each scalar with the keys that lead to it.
//!
//! Not a document tree: nothing is allocated for a flat object without escapes. Objects inside are walked, arrays are
//! passed over. Three readers, from fast to forgiving: [`flat`] for well-formed flat objects, [`scalars`] for all valid
//! JSON, [`tolerant`] for what access logs really hold: they are text with values put in, so quotes in a value make
//! invalid JSON. Rule: what `flat` reads the others read the same; what is not one object gives `None`.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Objects within objects that are walked.
const DEPTH_MAX: usize = 8;
/// Longest keys that lead to a value, in bytes, those of the objects around it: each value is told with all of them.
const PATH_MAX: usize = 1024;
/// Keys of one line that are remembered.
const KEYS_MAX: usize = 64;

/// What stands before a value: from the end of the value before, the key and all that is around it. Lines of one format
/// have the same there, character for character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    text: Box<str>,
    quoted: bool,
}

impl Lead {
    pub(super) fn new(text: &str, quoted: bool) -> Self {
        Self { text: text.into(), quoted }
    }
}

/// The key of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// That of the lead which was expected.
    Expected,
    /// This one, what stands before its value, and whether that is in quotes.
    Other(&'a str, &'a str, bool),
}

/// Calls `found(number, key, value)` for each member of a flat object of strings without escapes and of whole numbers.
/// `expected` tells what mostly stands before the value of a member, which saves looking at it piece by piece. `None` for
/// anything else, perhaps after some calls.
pub(super) fn flat<'a, 'k>(
    text: &'a str,
    expected: impl Fn(usize) -> Option<&'k Lead>,
    mut found: impl FnMut(usize, Key<'a>, &'a str),
) -> Option<()> {
    let bytes = text.as_bytes();
    let mut at = 0;
    for number in 0.. {
        let before = at;
        let lead = expected(number).filter(|lead| bytes[at..].starts_with(lead.text.as_bytes()));
        let (key, quoted) = if let Some(lead) = lead {
            at += lead.text.len();
            (Key::Expected, lead.quoted)
        } else {
            let (key, start) = member(text, at, if number == 0 { b'{' } else { b',' })?;
            let quoted = bytes.get(start) == Some(&b'"');
            at = start + usize::from(quoted);
            (Key::Other(key, text.get(before..at)?, quoted), quoted)
        };
        let start = at;
        if quoted {
            at += string_end(&bytes[at..])?;
            found(number, key, text.get(start..at)?);
            if bytes[at] != b'"' {
                return None;
            }
            at += 1;
        } else {
            let digits = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
            // More is left to the careful reader: signs, fractions, exponents, and numbers that may not fit.
            if !(1..=18).contains(&digits) || (digits > 1 && bytes[at] == b'0') {
                return None;
            }
            at += digits;
            found(number, key, text.get(start..at)?);
        }
        if bytes.get(at) != Some(&b',') {
            at = blanks(bytes, at);
            match bytes.get(at) {
                Some(b',') => {}
                Some(b'}') => return (blanks(bytes, at + 1) == bytes.len()).then_some(()),
                _ => return None,
            }
        }
    }
    None
}

fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The key of the member that begins at `at` after `opening`, and where its value begins.
fn member(text: &str, at: usize, opening: u8) -> Option<(&str, usize)> {
    let bytes = text.as_bytes();
    let expect = |at: usize, wanted: u8| {
        let at = blanks(bytes, at);
        (bytes.get(at) == Some(&wanted)).then_some(at + 1)
    };
    let key = expect(expect(at, opening)?, b'"')?;
    let end = key + string_end(&bytes[key..])?;
    let colon = expect(expect(end, b'"')?, b':')?;
    Some((text.get(key..end)?, blanks(bytes, colon)))
}

/// Where the first quote or backslash stands, looking at eight bytes at a time: most strings are short, and a call of
/// anything cleverer costs more than it saves.
#[inline]
fn string_end(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    // The lowest high bit that is set marks the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let marks = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
        if marks != 0 {
            return Some(number * 8 + marks.trailing_zeros() as usize / 8);
        }
    }
    let near = rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
    Some(words.len() * 8 + near)
}

/// Calls `found(key, value)` for each scalar of the object in `text`; within objects inside, `key` is all keys that lead
/// to it, with dots between them. Numbers, booleans and `null` come as text. `None` when `text` is not one JSON object.
pub(super) fn scalars<'a>(text: &'a str, mut found: impl FnMut(&str, Cow<'a, str>)) -> Option<()> {
    let mut de = serde_json::Deserializer::from_str(text);
    let walk = Walk { path: "", depth: 0, found: &mut found };
    walk.deserialize(&mut de).ok()?.then_some(())?;
    de.end().ok()
}

/// The same for an object whose values may hold quotes that are not escaped, or be bare words such as `-`, and which
/// may be cut off at its end. A value ends where a comma and another quoted key follow, or the object ends. `None` when
/// it does not look like one.
pub(super) fn tolerant<'a>(text: &'a str, mut found: impl FnMut(&str, Cow<'a, str>)) -> Option<()> {
    let mut rest = text.trim().strip_prefix('{')?;
    let mut path: Vec<&str> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut any = false;
    loop {
        rest = rest.trim_start();
        let Some((key, after)) = rest.strip_prefix('"').and_then(|r| r.split_once('"')) else {
            // The line was cut off within a key, or it never was an object.
            return any.then_some(());
        };
        let Some(after) = after.trim_start().strip_prefix(':').map(str::trim_start) else {
            return any.then_some(());
        };
        if let Some(inner) = after.strip_prefix('{')
            && path.len() < DEPTH_MAX
            && (inner.trim_start().starts_with('"') || inner.trim_start().starts_with('}'))
        {
            if let Some(closed) = inner.trim_start().strip_prefix('}') {
                rest = closed.trim_start().trim_start_matches(',');
                any = true;
                continue;
            }
            path.push(key);
            rest = inner;
            continue;
        }
        // No format names a key twice in one object: what looks like one is part of the value.
        if seen.len() < KEYS_MAX {
            seen.push(key);
        }
        let known = if path.is_empty() { seen.as_slice() } else { &[] };
        let end = next_key(after, known).unwrap_or(after.len());
        let is_last = end == after.len();
        let end = if is_last { without_broken_key(after) } else { end };
        let (value, closed) = close(after[..end].trim_end(), path.len() + usize::from(is_last));
        let is_whole = !is_last || closed > path.len() || value.ends_with('"');
        let is_near = path.iter().map(|key| key.len() + 1).sum::<usize>() <= PATH_MAX + 1;
        let full = if path.is_empty() || !is_near {
            Cow::Borrowed(key)
        } else {
            Cow::Owned(format!("{}.{key}", path.join(".")))
        };
        let bare = value.strip_prefix('"').map_or(value, |v| v.strip_suffix('"').unwrap_or(v));
        // A number that is cut off is another number; words that are cut off still say something.
        if is_whole || !bare.bytes().all(|b| b.is_ascii_digit()) {
            if is_near {
                found(&full, Cow::Borrowed(bare.strip_suffix("[TRUNCATED]").map_or(bare, str::trim_end)));
            }
            any = true;
        }
        if is_last {
            return any.then_some(());
        }
        path.truncate(path.len().saturating_sub(closed));
        rest = &after[end + 1..];
    }
}

/// How long the last value is, where the line was cut off within the key behind it.
fn without_broken_key(value: &str) -> usize {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    match value.rsplit_once(',') {
        Some((before, key)) if !value.ends_with('}') => {
            let key = key.trim_start();
            let is_key =
                key.is_empty() || key.strip_prefix('"').is_some_and(|k| k.trim_end_matches('"').chars().all(name));
            let is_value_whole = !before.starts_with('"') || (before.len() > 1 && before.trim_end().ends_with('"'));
            if is_key && is_value_whole { before.len() } else { value.len() }
        }
        _ => value.len(),
    }
}

/// A value without the braces behind it that close objects, at most `open` of them, and how many those were.
fn close(value: &str, open: usize) -> (&str, usize) {
    let mut value = value;
    let mut closed = 0;
    while closed < open
        && let Some(inner) = value.strip_suffix('}')
    {
        value = inner.trim_end();
        closed += 1;
    }
    (value, closed)
}

/// Where the comma stands that a quoted key and a colon follow, none of those in `seen`.
fn next_key(text: &str, seen: &[&str]) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|b| memchr(b',', b)).map(|at| from + at) {
        from = at + 1;
        let Some(after) = text[from..].trim_start().strip_prefix('"') else { continue };
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let word = after.trim_start_matches(name);
        let is_word = word.len() < after.len();
        let key = &after[..after.len() - word.len()];
        if is_word && word.strip_prefix('"').is_some_and(|w| w.trim_start().starts_with(':')) && !seen.contains(&key) {
            return Some(at);
        }
    }
    None
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
        // The key is there, which says something of the format; `tolerant` cannot but tell it as this word.
        (self.found)(self.path, Cow::Borrowed("null"));
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(key) = map.next_key::<Name<'de>>()? {
            if self.depth < DEPTH_MAX && self.path.len() <= PATH_MAX {
                let path = if self.depth == 0 { key.0 } else { Cow::Owned(format!("{}.{}", self.path, key.0)) };
                map.next_value_seed(Walk { path: &path, depth: self.depth + 1, found: &mut *self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(true)
    }
}

/// A key, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(v.to_owned())))
            }
        }
        de.deserialize_str(NameVisitor)
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
        let want = [("a", "x"), ("b.c", "502"), ("f", "null"), ("g", "true"), ("h", "a\"b")];
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
        for text in ["", "{", "{}", "hello", "{\"a\"}", "{a:1}", "{\"a\":12"] {
            assert_eq!(tolerant(text, |_, _| ()), None, "{text}");
        }
    }

    #[test]
    fn objects_inside_and_cut_off_lines_are_tolerated() {
        let read = |line: &str| {
            let mut got = Vec::new();
            tolerant(line, |k, v| got.push(format!("{k}={v}"))).map(|()| got)
        };
        let nested = r#"{"a":{"error":"say "no"","n":-},"e":{},"b":{"c":{"d":502}}}"#;
        assert_eq!(read(nested).unwrap(), [r#"a.error=say "no""#, "a.n=-", "b.c.d=502"]);
        assert_eq!(read(r#"{"s":"502","error":"Lambda Cust"#).unwrap(), ["s=502", "error=Lambda Cust"]);
        assert_eq!(read(r#"{"s":"502","error":"Lambda Cust [TRUNCATED]"#).unwrap(), ["s=502", "error=Lambda Cust"]);
        assert_eq!(read(r#"{"s":"502","n":"23"#).unwrap(), ["s=502"]);
        assert_eq!(read(r#"{"s":"502","n"#).unwrap(), ["s=502"]);
    }

    #[test]
    fn the_end_of_a_string_is_found_wherever_it_is() {
        for length in 0..40 {
            for end in ["\"", "\\"] {
                let text = "é".repeat(length) + end + "x\"\\";
                assert_eq!(string_end(text.as_bytes()), Some(2 * length), "{text}");
            }
            assert_eq!(string_end("!#[]é".repeat(length).as_bytes()), None);
        }
    }

    #[test]
    fn the_fast_reader_reads_what_the_careful_one_reads() {
        for text in [r#"{"a":"x","b":"","c":0,"d":502}"#, r#" { "a" : "é" , "b" : 12 } "#, r#"{"a":"x"} "#] {
            let mut got = Vec::new();
            flat(
                text,
                |_| None,
                |_, k, v| {
                    let Key::Other(k, _, _) = k else { return };
                    got.push((k.to_owned(), v.to_owned()));
                },
            )
            .unwrap();
            assert_eq!(Some(got), all(text), "{text}");
        }
        for text in
            [r#"{"a":"\n"}"#, r#"{"a":-}"#, r#"{"a":007}"#, r#"{"a":{}}"#, r#"{"a":"x"}}"#, "{}", "", "{\"a\":1.5}"]
        {
            assert_eq!(flat(text, |_| None, |_, _, _| ()), None, "{text}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_passed_over() {
        let deep = "{\"a\":".repeat(5000) + "1" + &"}".repeat(5000);
        assert_eq!(all(&deep), Some(vec![]));
    }
}
