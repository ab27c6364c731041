//! Text: made fit to be shown (bounded, without control characters), fitted to a pattern, and that of errors.

use std::borrow::Cow;

/// The longest beginning of `text` that has at most `max` bytes and ends at a character boundary.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// Text with its control characters and line ends replaced by blanks: what a log holds must not move the cursor, set
/// colours, or look like a line of ours.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether the whole of `text` fits a pattern in which `*` stands for anything.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Text as one word of a shell, for commands that people paste.
#[must_use]
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@' | '+' | '=' | ',');
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", printable(text).replace('\'', "'\\''")))
}

/// An error and what caused it, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("abc", 5), "abc");
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("añb", 2), "a");
        assert_eq!(cut("\u{1F600}", 3), "");
    }

    #[test]
    fn a_word_of_a_shell_stays_one() {
        let cases = [("shop-prod", "shop-prod"), ("$default", "'$default'"), ("a b", "'a b'"), ("", "''")];
        for (text, word) in cases.into_iter().chain([("it's\n$(x)", "'it'\\''s $(x)'")]) {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn printable_text_is_one_line_without_escapes() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{9b}é"), "a [31m b é");
    }
}
