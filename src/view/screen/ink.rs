//! Styles by meaning.
//!
//! Rule: no meaning rests on a colour alone. Without colours what is bad is bold, and each sign and word says the same.

use ratatui::style::{Color, Modifier, Style};

use super::super::Paint;
use crate::model::alert::Severity;

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink(bool);

impl From<Paint> for Ink {
    fn from(paint: Paint) -> Self {
        Self(paint.0)
    }
}

impl Ink {
    const fn of(self, colour: Color) -> Style {
        if self.0 { Style::new().fg(colour) } else { Style::new() }
    }

    /// For most text.
    #[must_use]
    pub const fn plain() -> Style {
        Style::new()
    }

    /// For what should be read first.
    #[must_use]
    pub const fn bold() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// For the row that is picked.
    #[must_use]
    pub const fn picked() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// For what is bad.
    #[must_use]
    pub const fn bad(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// For what needs a look.
    #[must_use]
    pub const fn warn(self) -> Style {
        self.of(Color::Yellow)
    }

    /// For what is well.
    #[must_use]
    pub const fn good(self) -> Style {
        self.of(Color::Green)
    }

    /// For what is by the way.
    #[must_use]
    pub const fn dim(self) -> Style {
        self.of(Color::DarkGray)
    }

    /// For names of things: labels, headings.
    #[must_use]
    pub const fn label(self) -> Style {
        self.of(Color::Cyan)
    }

    /// For an alert.
    #[must_use]
    pub const fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Critical => self.bad().add_modifier(Modifier::REVERSED),
            Severity::High => self.bad(),
            Severity::Elevated => self.warn().add_modifier(Modifier::BOLD),
        }
    }
}
