//! What is wrong in a configuration, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::model::secrets::mask;

/// A mistake in the configuration: file, line, what stands there, what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: PathBuf,
    /// Line number from 1, and the line.
    line: Option<(usize, String)>,
    wrong: String,
}

impl ConfigError {
    pub(super) fn new(path: &Path, line: Option<(usize, String)>, wrong: String) -> Self {
        Self { path: path.to_owned(), line, wrong }
    }
}

/// `gatewatch.toml:7: intervall = "5s": unknown field ..`
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((number, text)) = &self.line {
            write!(f, ":{number}: {text}")?;
        }
        write!(f, ": {}", self.wrong)
    }
}

impl std::error::Error for ConfigError {}

/// The file under examination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

impl Source<'_> {
    /// A mistake at a place in the text.
    pub fn wrong(&self, span: Range<usize>, wrong: impl Into<String>) -> ConfigError {
        ConfigError::new(self.path, self.line(span.start), wrong.into())
    }

    /// A mistake that has no one place.
    pub fn missing(&self, wrong: impl Into<String>) -> ConfigError {
        ConfigError::new(self.path, None, wrong.into())
    }

    /// What the TOML reader found: a syntax error, an unknown key, a wrong type.
    pub fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let line = error.span().and_then(|span| self.line(span.start));
        let said = error.message().replace('\n', "; ");
        let missing = said.strip_prefix("missing field `").and_then(|key| key.strip_suffix('`'));
        ConfigError::new(self.path, line, missing.map_or(said.clone(), |key| format!("{key} is missing in this table")))
    }

    fn line(&self, at: usize) -> Option<(usize, String)> {
        let before = self.text.get(..at.min(self.text.len()))?;
        let number = before.matches('\n').count();
        let text = self.text.lines().nth(number).unwrap_or_default().trim();
        // What is said here stands in logs: an address may hold a token, and headers do.
        let shown = match text.split_once('=') {
            Some((key, _)) if matches!(key.trim(), "url" | "headers") => format!("{key}= .."),
            Some(_) | None => mask(text).into_owned(),
        };
        Some((number + 1, shown))
    }
}
