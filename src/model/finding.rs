//! What a check found: whether it is well, what it means, and what mends it.
//!
//! Not how it is found (that is `check/`) nor how it is shown. Rule: the sets are closed; texts, programs and tests use
//! the same words.

use std::fmt;
use std::sync::Arc;

use super::cause::{Fix, words};

words! {
    /// How bad it is.
    Level {
        /// It is as it should be.
        Ok = "ok",
        /// It works, but less well than it could, or it could not be looked at.
        Warning = "warning",
        /// Something does not work, or will not when it is needed.
        Fault = "fault",
    }
}

words! {
    /// What was looked at.
    Check {
        /// Somebody is known to AWS by these credentials.
        Credentials = "credentials",
        /// An action of AWS is permitted.
        Permission = "permission",
        /// AWS has the API and its stage.
        Stage = "stage",
        /// The stage writes an access log to a group that is read.
        AccessLog = "access_log",
        /// The access log's lines say what statistics and explanations need.
        AccessLogFormat = "access_log_format",
        /// The format in the configuration is the stage's.
        ConfiguredFormat = "configured_format",
        /// A failure can be joined to its invocation for certain.
        ExactJoin = "exact_join",
        /// The execution log that is configured is written.
        ExecutionLog = "execution_log",
        /// A log group exists and can be read.
        LogGroup = "log_group",
        /// Its class allows it to be read.
        LogClass = "log_class",
        /// It keeps lines for as long as they are needed.
        Retention = "retention",
        /// What an integration or authorizer names exists.
        Target = "target",
        /// The gateway passes on what a function answers, and asks it in the right way.
        Integration = "integration",
        /// A function can be run.
        FunctionState = "function_state",
        /// A function ends before the gateway stops waiting for it.
        Timeout = "timeout",
        /// The gateway may invoke a function.
        InvokePermission = "invoke_permission",
        /// The log group that a function writes to is read.
        FunctionLog = "function_log",
        /// An SNS topic is there.
        Topic = "topic",
        /// Somebody gets what is published there.
        Subscriptions = "subscriptions",
        /// Log groups are read as often as was asked for.
        Polling = "polling",
    }
}

words! {
    /// What a finding is about.
    SubjectKind {
        /// Whoever runs the program.
        Caller = "caller",
        /// An IAM action.
        Action = "action",
        /// A stage of an API.
        Stage = "stage",
        /// Method and route.
        Endpoint = "endpoint",
        /// A Lambda function, with its alias or version.
        Function = "function",
        /// A Lambda authorizer.
        Authorizer = "authorizer",
        /// A stage variable.
        Variable = "stage_variable",
        /// A log group, or a pattern of them.
        LogGroup = "log_group",
        /// An SNS topic.
        Topic = "topic",
        /// A Region, perhaps with a role.
        Region = "region",
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// What kind of thing.
    pub kind: SubjectKind,
    /// Which one.
    pub name: Arc<str>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word().replace('_', " "), self.name)
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub level: Level,
    /// The API by its name in the configuration; `None` for what concerns all.
    pub api: Option<Arc<str>>,
    /// What it is about.
    pub subject: Subject,
    /// What is, and what it means: words where it is well, sentences otherwise.
    pub text: String,
    /// What to do, where there is something to do.
    pub fix: Option<Fix>,
}

impl Finding {
    /// It is well.
    #[must_use]
    pub fn ok(check: Check, kind: SubjectKind, name: &str, text: impl Into<String>) -> Self {
        let subject = Subject { kind, name: name.into() };
        Self { check, level: Level::Ok, api: None, subject, text: text.into(), fix: None }
    }

    /// It could be better.
    #[must_use]
    pub fn warning(check: Check, kind: SubjectKind, name: &str, text: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::ok(check, kind, name, text) }
    }

    /// It does not work.
    #[must_use]
    pub fn fault(check: Check, kind: SubjectKind, name: &str, text: impl Into<String>) -> Self {
        Self { level: Level::Fault, ..Self::ok(check, kind, name, text) }
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(self, text: impl Into<String>, command: Option<String>) -> Self {
        Self { fix: Some(Fix { text: text.into(), command }), ..self }
    }

    /// It concerns this API.
    #[must_use]
    pub fn of(self, api: &Arc<str>) -> Self {
        Self { api: Some(Arc::clone(api)), ..self }
    }
}

/// How many there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Faults.
    pub faults: usize,
    /// Warnings.
    pub warnings: usize,
    /// What is well.
    pub oks: usize,
}

impl Sums {
    /// Of these findings.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let count = |level| findings.iter().filter(|f| f.level == level).count();
        Self { faults: count(Level::Fault), warnings: count(Level::Warning), oks: count(Level::Ok) }
    }
}
