//! Bounding text: what logs hold can be of any length, what is kept and sent cannot.

/// The longest beginning of `text` that has at most `max` bytes and ends at a character boundary.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
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
}
