//! What is wrong in a scenario file, and where.
//!
//! Not the file's name, which only the caller knows. Rule: a message names the key and the value that stands there.

use std::fmt;
use std::ops::Range;

/// A mistake in a scenario: line, what stands there, what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Line number from 1, and the line.
    line: Option<(usize, String)>,
    wrong: String,
}

impl ScenarioError {
    /// A mistake at a place in the text.
    pub(super) fn new(text: &str, place: Option<Range<usize>>, wrong: String) -> Self {
        let line = place.and_then(|place| {
            let number = text.get(..place.start.min(text.len()))?.matches('\n').count();
            Some((number + 1, text.lines().nth(number).unwrap_or_default().trim().to_owned()))
        });
        Self { line, wrong }
    }
}

/// `line 7: probabilty = 0.5: unknown field ..`
impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((number, text)) = &self.line {
            write!(f, "line {number}: {text}: ")?;
        }
        write!(f, "{}", self.wrong)
    }
}

impl std::error::Error for ScenarioError {}
