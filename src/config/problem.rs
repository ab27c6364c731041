//! What is wrong in a configuration, and where.
//!
//! Not what would be right: whoever finds a mistake says that. Rule: what is said here stands in logs, so of a sink, which
//! may have a token in its address or its headers, only the values of keys are shown that never hold one.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::model::secrets::mask;

/// Keys of a sink whose values may be shown.
const OPEN: [&str; 9] = ["kind", "name", "format", "topic_arn", "min_severity", "rules", "apis", "rate", "burst"];

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
        let in_sink = error.span().is_some_and(|span| self.is_in_sink(span.start));
        let said = if in_sink { without_values(&said) } else { said };
        let missing = said.strip_prefix("missing field `").and_then(|key| key.strip_suffix('`'));
        ConfigError::new(self.path, line, missing.map_or(said.clone(), |key| format!("{key} is missing in this table")))
    }

    fn line(&self, at: usize) -> Option<(usize, String)> {
        let before = self.text.get(..at.min(self.text.len()))?;
        let number = before.matches('\n').count();
        let text = self.text.lines().nth(number).unwrap_or_default().trim();
        let is_open = |key: &str| OPEN.contains(&key.trim());
        let shown = match text.split_once('=') {
            Some((key, _)) if self.is_in_sink(at) && !is_open(key) => format!("{key}= .."),
            None if self.is_in_sink(at) && !text.starts_with('[') => "..".to_owned(),
            Some((key, _)) if text.contains("://") => format!("{key}= .."),
            Some(_) | None => mask(text).into_owned(),
        };
        Some((number + 1, shown))
    }

    /// Whether a place is in a table `[[sink]]` or one of its own, or in an array `sink = [..]`.
    fn is_in_sink(&self, at: usize) -> bool {
        let upto = self.text.get(..at.min(self.text.len())).unwrap_or_default().matches('\n').count();
        let lines = self.text.lines().take(upto + 1).map(str::trim).collect::<Vec<_>>();
        let is_of_sink = |line: &str| {
            let name = line.trim_start_matches(['[', ' ', '"', '\'']);
            name.strip_prefix("sink").is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        // The last line that says in which table what follows stands; an array may go on over many lines.
        lines.iter().rev().find(|line| line.starts_with('[') || is_of_sink(line)).is_some_and(|line| is_of_sink(line))
    }
}

/// A message of the TOML reader without the text that it quotes: `invalid type: string "..", expected a map`.
fn without_values(said: &str) -> String {
    let quoted =
        said.split_once(": string \"").and_then(|(wrong, rest)| Some((wrong, rest.rsplit_once("\", expected ")?)));
    match quoted {
        Some((wrong, (_, right))) => format!("{wrong}: a string, expected {right}"),
        None => said.to_owned(),
    }
}
