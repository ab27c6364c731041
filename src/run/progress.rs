//! How far a replay is, on a terminal.
//!
//! Not a result: it goes to standard error, only if that is a terminal and the files are big, and leaves nothing behind.
//! Rule: it is counted in facts, so that it needs no clock.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Files smaller than this together, bytes, are done before anybody looks.
const BIG: u64 = 64 << 20;
/// Facts between two looks.
const EVERY: u64 = 1 << 17;

/// How far it is.
pub struct Progress {
    /// Bytes of all files; `None` when nothing is shown.
    total: Option<u64>,
    facts: u64,
}

impl Progress {
    /// Over these files. Packed files are longer than they look, so of them no share is shown.
    #[must_use]
    pub fn new<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let sizes = files.filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len());
        let total = Some(sizes.sum()).filter(|total| *total >= BIG && io::stderr().is_terminal());
        Self { total, facts: 0 }
    }

    /// One more fact; `bytes` were read.
    pub fn step(&mut self, bytes: impl FnOnce() -> u64) {
        self.facts += 1;
        let Some(total) = self.total.filter(|_| self.facts.is_multiple_of(EVERY)) else { return };
        let read = bytes();
        let share =
            if read <= total { format!(" of {} MB, {} %", total >> 20, read * 100 / total) } else { String::new() };
        self.show(&format!("read {} MB{share}", read >> 20));
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.facts >= EVERY {
            self.show("");
        }
    }

    fn show(&self, text: &str) {
        if self.total.is_some() {
            show(text);
        }
    }
}

/// Goes to the begin of the terminal's row and makes it empty.
pub const ANEW: &str = "\r\x1b[K";

/// Shows a text in place of the one before.
pub fn show(text: &str) {
    // Nobody misses a line that could not be shown.
    let _ = write!(io::stderr(), "{ANEW}{text}");
}
