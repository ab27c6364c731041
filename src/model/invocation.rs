//! What lines of a Lambda log say about invocations.
//!
//! Not the invocation itself: the engine puts it together from these. Rule: a line carries the request ID only if it
//! says so itself; whose line it is otherwise depends on its stream, which is the engine's business.

use std::sync::Arc;

use super::time::Timestamp;

/// One line (or multi-line event) of a Lambda log.
#[derive(Clone, Debug, PartialEq)]
pub struct LambdaLine {
    /// Log stream: one environment, and outside Managed Instances one invocation at a time.
    pub stream: Arc<str>,
    /// The event's stamp.
    pub time: Timestamp,
    /// The request ID the line itself carries.
    pub request_id: Option<Arc<str>>,
    /// What it says.
    pub says: LambdaSays,
    /// The text, bounded, for evidence; empty where the line can never be evidence.
    pub text: Box<str>,
}

/// What a line says about an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum LambdaSays {
    /// `START RequestId: ..`
    Start,
    /// `REPORT RequestId: ..`
    Report(Report),
    /// `Task timed out after 3.00 seconds`
    TimedOut {
        /// The function's own timeout, milliseconds.
        after_ms: u32,
    },
    /// The runtime's own line about an error that nothing caught.
    Unhandled(RuntimeError),
    /// `RequestId: .. Error: Runtime exited with error: signal: killed`, and the error type below it.
    Fault {
        /// The sentence after `Error:`.
        reason: Box<str>,
        /// `Runtime.ExitError` and the like.
        error_type: Option<Box<str>>,
    },
    /// `INIT_REPORT` with a status: the environment did not come up.
    InitFailed {
        /// `Runtime.ImportModuleError` and the like; `None` for a timeout.
        error_type: Option<Box<str>>,
        /// The status was `timeout`.
        timed_out: bool,
    },
    /// A line the function logged at error level. Evidence, never a verdict: a good invocation may log errors.
    ErrorLine,
}

/// The numbers of a `REPORT` line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// `Duration`, milliseconds.
    pub duration_ms: Option<f64>,
    /// `Memory Size`, MB.
    pub memory_mb: Option<u32>,
    /// `Max Memory Used`, MB.
    pub max_memory_mb: Option<u32>,
    /// `Status:`, absent where Lambda itself saw nothing wrong, which does *not* prove that the function succeeded.
    pub status: Option<ReportStatus>,
    /// `Error Type:`.
    pub error_type: Option<Box<str>>,
}

/// `Status:` of a `REPORT` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportStatus {
    /// The function's timeout ended it.
    Timeout,
    /// The customer's fault: a crash, a failed init.
    Error,
    /// The platform's fault.
    Failure,
}

/// An error that a runtime printed because the handler did not catch it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeError {
    /// Class or code, such as `TypeError` or `Runtime.ImportModuleError`.
    pub error_type: Option<Box<str>>,
    /// Its message.
    pub message: Option<Box<str>>,
    /// The top frame of the user's own code.
    pub site: Option<Site>,
}

/// A place in the user's code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// File, relative to the function's root (`/var/task/` is dropped).
    pub file: Box<str>,
    /// Line number, from 1.
    pub line: u32,
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
