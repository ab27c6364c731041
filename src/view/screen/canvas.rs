//! A piece of the screen that is written to in cells.
//!
//! Not a layout. Rule: all text goes through here, so nothing out of a log can move the cursor, set colours or reach
//! beyond its place; text that is too wide ends in `…`, by the cells it takes and not by its characters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::text::printable;

/// Some cells of a buffer, by coordinates of their own.
#[derive(Debug)]
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
}

impl<'a> Canvas<'a> {
    /// These cells, as far as the buffer has them.
    #[must_use]
    pub fn new(buffer: &'a mut Buffer, area: Rect) -> Self {
        let area = area.intersection(buffer.area);
        Self { buffer, area }
    }

    /// Cells in a row.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.area.width
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> u16 {
        self.area.height
    }

    /// Writes text into at most `width` cells from `(x, y)` on. Returns where it ends.
    pub fn put(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let width = width.min(self.area.width.saturating_sub(x));
        if width == 0 || y >= self.area.height {
            return x;
        }
        let (left, top) = (self.area.x + x, self.area.y + y);
        let text = printable(text);
        let end = if text.width() <= usize::from(width) {
            self.buffer.set_stringn(left, top, &text, usize::from(width), style).0
        } else {
            let (end, _) = self.buffer.set_stringn(left, top, &text, usize::from(width - 1), style);
            self.buffer.set_stringn(end, top, "…", 1, style).0
        };
        end - self.area.x
    }

    /// Writes text so that it ends where these cells end.
    pub fn put_right(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) {
        let wide = u16::try_from(text.width()).unwrap_or(u16::MAX);
        let indent = width.saturating_sub(wide);
        self.put(x.saturating_add(indent), y, width - indent, text, style);
    }

    /// Writes pieces one after the other. Returns where they end.
    pub fn line(&mut self, x: u16, y: u16, pieces: &[(&str, Style)]) -> u16 {
        let end = self.width();
        pieces.iter().fold(x, |x, (text, style)| self.put(x, y, end.saturating_sub(x), text, *style))
    }

    /// Adds a style to a whole row.
    pub fn style_row(&mut self, y: u16, style: Style) {
        if y < self.area.height {
            self.buffer.set_style(Rect { y: self.area.y + y, height: 1, ..self.area }, style);
        }
    }

    /// Fills all of it with blanks.
    pub fn clear(&mut self) {
        let blank = " ".repeat(usize::from(self.area.width));
        for y in self.area.top()..self.area.bottom() {
            self.buffer.set_string(self.area.x, y, &blank, Style::reset());
        }
    }
}

/// Cuts text into lines of at most `width` cells, between words where it can.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let wide = word.width();
        if used > 0 && used + wide > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(1);
            if used > 0 && used + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
        if words.peek().is_some() && used < width {
            line.push(' ');
            used += 1;
        }
    }
    lines.push(line);
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(buffer: &Buffer) -> String {
        buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn text_stays_in_its_place_by_cells() {
        let area = Rect::new(0, 0, 10, 1);
        for (text, want) in [
            ("abc", " abc      "),
            ("abcdefghijk", " abcdef…  "),
            ("a\u{1b}[31mb", " a [31mb  "),
            ("漢字", " 漢 字      "),
            ("漢字漢字漢字", " 漢 字 漢 …  "),
            ("a\u{202e}b\u{200b}c", " abc      "),
        ] {
            let mut buffer = Buffer::empty(area);
            let end = Canvas::new(&mut buffer, area).put(1, 0, 7, text, Style::new());
            assert_eq!(row(&buffer), want, "{text}");
            assert!(end <= 8, "{text}: {end}");
        }
        let mut buffer = Buffer::empty(area);
        let mut canvas = Canvas::new(&mut buffer, Rect::new(4, 0, 40, 9));
        canvas.put_right(1, 0, 4, "12", Style::new());
        assert_eq!(canvas.put(50, 0, 5, "x", Style::new()), 50);
        assert_eq!((canvas.put(0, 5, 5, "x", Style::new()), canvas.width()), (0, 6));
        assert_eq!(row(&buffer), "       12 ");
    }

    #[test]
    fn lines_are_cut_between_words_and_lose_nothing() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(wrap("", 5), [""]);
        for width in 1..20 {
            let text = "the quick  brown fox, a_very_long_word_indeed and 漢字";
            let lines = wrap(text, width);
            assert!(lines.iter().all(|line| line.width() <= width.max(2)), "{lines:?}");
            let bare = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            assert_eq!(bare(&lines.concat()), bare(text));
        }
    }
}
