//! What a check goes by: what was asked, and what was answered.
//!
//! Plain values; the asking is `run/check`. Rule: what could not be asked is here with the reason, and no finding takes
//! it for "there is none".

use std::sync::Arc;
use std::time::Duration;

use crate::model::deployed::{Candidate, Deployed, Unasked};

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Who asked, or why that is not known.
    pub caller: Result<Caller, Unasked>,
    /// The APIs.
    pub apis: Vec<Api>,
    /// The SNS topics that messages go to.
    pub topics: Vec<Topic>,
    /// How often log groups can be read, by Region and role.
    pub polling: Vec<Polling>,
    /// How far back log groups are read at most: the longest window, or what is caught up after a pause.
    pub reach: Duration,
}

/// Whoever the credentials are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Account of twelve digits.
    pub account: Arc<str>,
    /// User or role.
    pub arn: Arc<str>,
    /// The Region for what names none itself.
    pub region: Arc<str>,
}

/// An API that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The Region of its logs.
    pub region: Arc<str>,
    /// Its log groups.
    pub groups: Vec<LogGroup>,
    /// Whether the format that is configured is the stage's; `None` where one of them is not known.
    pub format_agrees: Option<bool>,
    /// What AWS says it is made of.
    pub stage: Stage,
    /// Whether its functions log the API's request IDs, where that was asked.
    pub sample: Option<Sample>,
    /// Why what was discovered of it cannot be watched, if it cannot.
    pub refused: Option<String>,
}

/// The last requests of an API, looked for in the logs of its functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// So many, and not none.
    pub requests: usize,
    /// The ID of so many of them stands there.
    pub logged: usize,
}

/// What AWS says of the stage that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is there.
    Found(Box<Deployed>),
    /// The configuration names it, and AWS does not know it.
    Absent {
        /// What is named.
        wanted: Arc<str>,
        /// Stages of the API, if it is the stage that there is none of.
        stages: Vec<Candidate>,
        /// Names of APIs that there are, those that look like it first.
        names: Vec<Arc<str>>,
    },
    /// The configuration names it, and several are called so.
    Ambiguous {
        /// What is named.
        wanted: Arc<str>,
        /// In order.
        among: Vec<Candidate>,
    },
    /// The configuration names log groups only: these stages write to them, and not just one.
    Untold {
        /// None, or several.
        among: Vec<Candidate>,
    },
    /// It could not be asked.
    Unasked {
        /// Why not.
        why: Unasked,
        /// The configuration leaves it to AWS which log groups the API has.
        needed: bool,
    },
}

/// What a log group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Access log.
    Access,
    /// Log of a function.
    Lambda,
    /// Execution log.
    Execution,
}

/// A log group that is watched, or a pattern that no group fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name or ARN as it is configured.
    pub name: Arc<str>,
    /// What for.
    pub purpose: Purpose,
    /// What is known of it.
    pub listed: Listed,
    /// Whether one event could be asked for.
    pub read: Read,
}

/// A log group in the list of log groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It is there.
    Is {
        /// Its class, as AWS writes it: `STANDARD`, `INFREQUENT_ACCESS`.
        class: Arc<str>,
        /// Days for which lines are kept; `None` is for ever.
        days: Option<u32>,
    },
    /// It is not in it.
    Missing,
    /// It is a pattern, and no log group fits it.
    NoneFits,
    /// The list could not be asked for.
    Unasked(Unasked),
}

/// Whether a log group can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// It can.
    Can,
    /// It cannot, and why.
    Cannot(Unasked),
    /// It was not tried, because there is nothing to try it on.
    Untried,
}

/// An SNS topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its ARN.
    pub arn: Arc<str>,
    /// The name of the sink that publishes there.
    pub sink: Arc<str>,
    /// What AWS says of it.
    pub attributes: Result<TopicAttributes, Unasked>,
    /// Who gets what is published.
    pub subscriptions: Result<Vec<Subscription>, Unasked>,
}

/// What matters of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicAttributes {
    /// Key of AWS KMS by which messages are encrypted.
    pub key: Option<Arc<str>>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `email`, `sqs` and so on.
    pub protocol: Arc<str>,
    /// It was confirmed.
    pub confirmed: bool,
}

/// How often the log groups of a Region can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polling {
    /// The Region, and the role if one is taken on.
    pub place: Arc<str>,
    /// The figures.
    pub said: String,
    /// It is less often than was asked for.
    pub short: bool,
}
