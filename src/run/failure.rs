//! Why a run ended badly, and the exit code that says so.
//!
//! Not the words: those come from whatever failed. Rule: what was wrong before anything was started is the user's to
//! mend, and 2; what failed while it ran is 1; a check that went well and found faults is 3.

use crate::aws::clients::NoTrust;
use crate::config::ConfigError;
use crate::run::sinks::Unusable;

/// Why a run ended badly.
#[derive(Debug)]
pub enum Failure {
    /// Nothing was started.
    Usage(String),
    /// It was running.
    Run(anyhow::Error),
    /// A check found so many faults.
    Faults(usize),
}

impl Failure {
    /// Exit code of the process.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Run(_) => 1,
            Self::Faults(_) => 3,
        }
    }

    /// What is said last.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Usage(why) => why.clone(),
            Self::Run(why) => format!("{why:#}"),
            Self::Faults(1) => "the check found a fault".to_owned(),
            Self::Faults(count) => format!("the check found {count} faults"),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<Unusable> for Failure {
    fn from(e: Unusable) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<NoTrust> for Failure {
    fn from(e: NoTrust) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(e: anyhow::Error) -> Self {
        // The daemon makes its sinks before anything starts.
        match e.downcast::<Unusable>() {
            Ok(unusable) => unusable.into(),
            Err(e) => Self::Run(e),
        }
    }
}
