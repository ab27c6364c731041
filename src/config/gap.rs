//! What keeps a discovered API from being watched, or from being watched wholly: plain words, and what mends it.
//!
//! Not whether the API itself works. Rule: a gap says what follows from it for whoever is alerted, and never guesses.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::deployed::Unasked;
use crate::model::problem::Problem;
use crate::model::text::printable;
use crate::model::time::human;

/// Something that is not as watching needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The access log is switched off.
    AccessLogOff {
        /// Whether its requests are counted all the same.
        instead: Instead,
        /// What switches it on: commands, in order.
        mend: Vec<String>,
    },
    /// The access log goes to a Firehose stream.
    Firehose {
        /// Its ARN.
        stream: Arc<str>,
        /// Whether its requests are counted all the same.
        instead: Instead,
        /// What sends it to a log group: commands, in order.
        mend: Vec<String>,
    },
    /// The access log goes to something whose name is no log group's.
    StrangeGroup {
        /// It.
        group: Arc<str>,
    },
    /// The access log's format cannot be used as it stands.
    Format {
        /// Why.
        said: String,
    },
    /// No Lambda function is behind the API.
    NoFunction,
    /// A function that an integration names is not there.
    FunctionGone {
        /// It.
        function: Arc<str>,
    },
    /// Which log group a function writes to could not be asked.
    GroupAssumed {
        /// The function.
        function: Arc<str>,
        /// The log group that is read.
        group: String,
    },
    /// A function belongs to another account.
    OtherAccount {
        /// The function.
        function: Arc<str>,
        /// Its account.
        account: Arc<str>,
    },
    /// There are more log groups of functions than an API may have.
    TooManyFunctions {
        /// So many are not read.
        left_out: usize,
    },
    /// An integration's address is not understood.
    Unclear {
        /// The endpoint.
        endpoint: String,
        /// The address.
        uri: Arc<str>,
        /// The stage variable that is missing, if that is the reason.
        variable: Option<Arc<str>>,
    },
    /// Integrations have different timeouts.
    TimeoutsDiffer {
        /// The shortest.
        least: Duration,
        /// The longest, which is used.
        most: Duration,
    },
    /// Something could not be asked.
    NotAsked(Unasked),
}

/// What counts an API's requests where it has no access log that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// The execution log, which tells of all of them.
    ExecutionLog,
    /// Nothing: the execution log tells of some of them only.
    Part,
    /// Nothing.
    Nothing,
}

impl Instead {
    const fn words(self) -> &'static str {
        match self {
            Self::ExecutionLog => {
                ": its requests are counted by its execution log, which tells less of each and costs more than an access log"
            }
            Self::Part => {
                ": its execution log tells only of some requests (a method has it off, or at a level that tells of failures \
                 alone), so its requests cannot be counted"
            }
            Self::Nothing => ", so there is nothing to count its requests by",
        }
    }
}

impl Gap {
    /// Whether it cannot be watched at all.
    #[must_use]
    pub fn stops(&self) -> bool {
        match self {
            Self::AccessLogOff { instead, .. } | Self::Firehose { instead, .. } => *instead != Instead::ExecutionLog,
            Self::StrangeGroup { .. } => true,
            Self::Format { .. }
            | Self::NoFunction
            | Self::FunctionGone { .. }
            | Self::GroupAssumed { .. }
            | Self::OtherAccount { .. }
            | Self::TooManyFunctions { .. }
            | Self::Unclear { .. }
            | Self::TimeoutsDiffer { .. }
            | Self::NotAsked(_) => false,
        }
    }

    /// Whether it is no trouble, only good to know.
    #[must_use]
    pub const fn is_remark(&self) -> bool {
        matches!(self, Self::NoFunction | Self::TimeoutsDiffer { .. })
    }

    /// What may be otherwise when it is asked again a little later.
    #[must_use]
    pub const fn passes(&self) -> bool {
        let Self::NotAsked(unasked) = self else { return false };
        matches!(unasked.problem, Problem::Throttled | Problem::Unreachable | Problem::Service | Problem::Late)
    }

    /// The commands that mend it, in order.
    #[must_use]
    pub fn mend(&self) -> &[String] {
        if let Self::AccessLogOff { mend, .. } | Self::Firehose { mend, .. } = self { mend } else { &[] }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessLogOff { instead, .. } => write!(f, "the access log is switched off{}", instead.words()),
            Self::Firehose { stream, instead, .. } => write!(
                f,
                "the access log goes to {}, where it cannot be read (a stage has one destination: sending it to a log \
                 group ends the stream){}",
                printable(stream),
                instead.words()
            ),
            Self::StrangeGroup { group } => {
                write!(f, "the access log goes to `{}`, which is no log group's ARN", printable(group))
            }
            Self::Format { said } => {
                write!(f, "the access-log format {said}; until then lines are read by what they look like")
            }
            Self::NoFunction => f.write_str(
                "no Lambda function is behind it: failures are explained by what the gateway logs about them alone",
            ),
            Self::FunctionGone { function } => {
                write!(f, "function {}, which an integration names, does not exist", printable(function))
            }
            Self::GroupAssumed { function, group } => write!(
                f,
                "which log group {} writes to could not be asked: {} is read, which is right unless it was given another",
                printable(function),
                printable(group)
            ),
            Self::OtherAccount { function, account } => write!(
                f,
                "function {} belongs to account {}: its log can be read only where that account shares it",
                printable(function),
                printable(account)
            ),
            Self::TooManyFunctions { left_out } => {
                write!(
                    f,
                    "it has too many functions: the logs of {left_out} are not read; use a pattern with * instead"
                )
            }
            Self::Unclear { endpoint, uri, variable: Some(variable) } => write!(
                f,
                "what answers {} is not known: {} needs the stage variable {}, which the stage does not have",
                printable(endpoint),
                printable(uri),
                printable(variable)
            ),
            Self::Unclear { endpoint, uri, variable: None } => {
                write!(f, "what answers {} is not known: {} is not understood", printable(endpoint), printable(uri))
            }
            Self::TimeoutsDiffer { least, most } => write!(
                f,
                "integrations have timeouts from {} to {}: the longest counts as the API's own",
                human(*least),
                human(*most)
            ),
            Self::NotAsked(Unasked { action, resource, problem, said }) => {
                let (resource, said) = (printable(resource), printable(said));
                let phrase = problem.phrase();
                if *problem == Problem::Denied {
                    return write!(f, "{action} on {resource} is not permitted: allow it ({said})");
                }
                write!(f, "{action} on {resource} was not answered: {phrase} ({said})")
            }
        }
    }
}
