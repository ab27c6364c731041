//! What all lists of the screen have in common: a title, the row that is picked, the rows that are seen.
//!
//! Rule: the picked row is always seen, and marked by a sign as well as by its style.

use std::ops::Range;

use super::canvas::Canvas;
use super::ink::Ink;

/// The title row of a list.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// What it is a list of.
    pub name: &'a str,
    /// Rows that pass the filter, and all rows.
    pub rows: Option<(usize, usize)>,
    /// More about it.
    pub aside: &'a str,
    /// Keys move in it.
    pub focused: bool,
}

impl Head<'_> {
    /// Draws it in the first row.
    pub fn draw(&self, on: &mut Canvas<'_>, ink: Ink) {
        let width = on.width();
        on.put(0, 0, width, &"─".repeat(usize::from(width)), ink.dim());
        let style = if self.focused { Ink::bold() } else { Ink::plain() };
        let sign = if self.focused { "▸ " } else { "─ " };
        let number = match self.rows {
            Some((shown, all)) if shown == all => format!(" {all}"),
            Some((shown, all)) => format!(" {shown} of {all}"),
            None => String::new(),
        };
        let x = on.line(0, 0, &[(sign, style), (self.name, style), (&number, style), (" ", style)]);
        if !self.aside.is_empty() {
            on.line(x, 0, &[("─ ", ink.dim()), (self.aside, ink.dim()), (" ", ink.dim())]);
        }
    }
}

/// The rows that are seen at this height: the picked one in the middle, but at the ends.
#[must_use]
pub fn window(picked: usize, rows: usize, height: u16) -> Range<usize> {
    let height = usize::from(height);
    let from = picked.saturating_sub(height / 2).min(rows.saturating_sub(height));
    from..rows.min(from + height)
}

/// Marks the row that is picked.
pub fn mark(on: &mut Canvas<'_>, y: u16, picked: bool, focused: bool) {
    if picked {
        on.put(0, y, 1, "▸", Ink::bold());
        if focused {
            on.style_row(y, Ink::picked());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picked_row_is_always_seen() {
        for rows in 0..20 {
            for height in 1..10 {
                for picked in 0..rows {
                    let seen = window(picked, rows, height);
                    assert!(seen.contains(&picked) && seen.end <= rows, "{picked} of {rows} in {height}: {seen:?}");
                    assert_eq!(seen.len(), rows.min(usize::from(height)));
                }
            }
        }
        assert_eq!(window(0, 5, 0), 0..0);
    }
}
