//! Making text of logs fit to be shown: bounded, and without control characters.

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
    fn printable_text_is_one_line_without_escapes() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{9b}é"), "a [31m b é");
    }
}
