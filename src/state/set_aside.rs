//! State that could not be used: why, and where it was put.
//!
//! Not an error: the daemon starts without that state and says so. Rule: `Display` is one sentence that names the
//! file, what is wrong with it and where it is now.

use std::fmt;
use std::path::PathBuf;

use super::store::SegmentName;

/// A file of the state that could not be used.
#[derive(Debug)]
pub struct SetAside {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: Reason,
    /// Where it was moved, or copied if part of it is still in use.
    pub to: PathBuf,
}

/// Why state could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The bytes are not those that were written.
    Damaged(String),
    /// It was written by another version.
    OtherVersion {
        /// The version that stands in the file.
        found: u32,
        /// The version that can be read.
        known: u32,
    },
    /// It is no state file of this program.
    Foreign,
    /// It names a segment that is not there.
    MissingSegment(SegmentName),
    /// It names a segment that cannot be read; what is wrong with that.
    DamagedSegment(SegmentName, String),
    /// The caller cannot use the content; its words.
    Unusable(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "is damaged: {what}"),
            Self::OtherVersion { found, known } => {
                write!(f, "was written by another version (format {found}, this one reads {known})")
            }
            Self::Foreign => f.write_str("is no state file of this program"),
            Self::MissingSegment(name) => write!(f, "cannot be used: {name} is missing"),
            Self::DamagedSegment(name, what) => write!(f, "cannot be used: {name} is damaged: {what}"),
            Self::Unusable(what) => write!(f, "cannot be used: {what}"),
        }
    }
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state file {} {}; it was put aside as {}", self.file.display(), self.why, self.to.display())
    }
}
