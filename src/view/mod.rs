//! What is known -> lines for people.
//!
//! Plain lines and the full screen for `--follow`, the report of a replay, the findings of a check, the ticker of the
//! demo. Pure: it returns text or fills cells, and prints nothing. Rule: colour is asked for by the caller, who knows the
//! terminal; without it the text is plain.

pub mod findings;
pub mod lines;
pub mod report;
pub mod screen;
pub mod ticker;

/// Bars of a sparkline, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For what is bad.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// For what needs a look.
    #[must_use]
    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// For what is well.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// For what is by the way.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// For what should be read first.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }
}
