//! What lines of a Lambda log say about invocations.
//!
//! Not the invocation itself: the engine puts it together from these. Rule: a line carries the request ID only if it
//! says so itself; whose line it is otherwise depends on its stream, which is the engine's business.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::Id;
use super::time::Timestamp;

/// One line (or multi-line event) of a Lambda log.
#[derive(Clone, Debug, PartialEq)]
pub struct LambdaLine {
    /// Log stream: one environment, and outside Managed Instances one invocation at a time.
    pub stream: Arc<str>,
    /// The event's stamp.
    pub time: Timestamp,
    /// The request ID the line itself carries.
    pub request_id: Option<Id>,
    /// What it says.
    pub says: LambdaSays,
    /// Other IDs the line names; `None` for most lines.
    pub refs: Option<Box<Refs>>,
    /// The text, bounded, for evidence; empty where the line can never be evidence.
    pub text: Box<str>,
}

/// IDs in a line that may lead to a request when the invocation's own ID does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    /// Root of the X-Ray trace, such as `1-5759e988-bd862e3fe1be46a994272793`.
    pub trace_id: Option<Box<str>>,
    /// What looks like a request ID and is not the invocation's: perhaps the API's, which a function logs from
    /// `requestContext.requestId`, perhaps that of another service.
    pub mentions: Vec<Box<str>>,
}

/// What a line says about an invocation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LambdaSays {
    /// `START RequestId: ..`, `platform.start`.
    Start,
    /// `REPORT RequestId: ..`, `platform.report`.
    Report(Report),
    /// `Task timed out after 3.00 seconds`
    TimedOut {
        /// The function's own timeout, milliseconds.
        after_ms: u32,
    },
    /// The runtime's own line about an error that nothing caught.
    Unhandled(RuntimeError),
    /// A line in the shape in which the runtime writes an error that nothing caught, and in which a function may log
    /// one that it caught: Node.js in JSON format, Rust.
    PerhapsUnhandled(RuntimeError),
    /// `RequestId: .. Error: Runtime exited with error: signal: killed`, and the error type below it; the fault of an
    /// extension likewise.
    Fault {
        /// The sentence after `Error:`.
        reason: Box<str>,
        /// `Runtime.ExitError` and the like.
        error_type: Option<Box<str>>,
    },
    /// `INIT_REPORT` or `RESTORE_REPORT` with a status: the environment did not come up.
    InitFailed {
        /// `Runtime.ImportModuleError` and the like; `None` for a timeout.
        error_type: Option<Box<str>>,
        /// The status was `timeout`.
        timed_out: bool,
    },
    /// What a dying process wrote without any logger: `FATAL ERROR: .. JavaScript heap out of memory`, `panic: ..`,
    /// `Segmentation fault`. Says why a process exited, if it did.
    LastWords,
    /// A line the function logged at error level. Evidence, never a verdict: a good invocation may log errors.
    ErrorLine,
    /// Any other line the function logged; handed on only if it names other IDs.
    Line,
}

/// The numbers of a `REPORT` line or a `platform.report` record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportStatus {
    /// The function's timeout ended it.
    Timeout,
    /// The customer's fault: a crash, a failed init.
    Error,
    /// The platform's fault.
    Failure,
}

/// An error that a runtime printed because the handler did not catch it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuntimeError {
    /// Class or code, such as `TypeError` or `Runtime.ImportModuleError`.
    pub error_type: Option<Box<str>>,
    /// Its message.
    pub message: Option<Box<str>>,
    /// The top frame of the user's own code.
    pub site: Option<Site>,
}

/// A place in the user's code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
