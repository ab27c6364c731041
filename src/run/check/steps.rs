//! How far a check is, on a terminal.

use std::io::{self, IsTerminal, Write};

use crate::model::text::printable;

/// A line on standard error that each step replaces; nothing where that is no terminal.
pub(super) struct Steps {
    shown: bool,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self { shown: io::stderr().is_terminal() }
    }

    /// What is done now.
    pub(super) fn say(&self, what: &str) {
        self.show(&format!("{} ..", printable(what)));
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.show("");
    }

    fn show(&self, text: &str) {
        if self.shown {
            // Nobody misses a line that could not be shown.
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        }
    }
}
