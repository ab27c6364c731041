//! Why a log group cannot be read: the closed set of kinds.
//!
//! Not the service's own words; those stand beside it wherever it is told. Rule: reading decides by these, and logs,
//! alerts and tests use the same words.

use super::cause::words;

words! {
    /// How reading failed.
    Problem {
        /// Asked too often.
        Throttled = "throttled",
        /// No such log group.
        NotFound = "not_found",
        /// Not permitted.
        Denied = "denied",
        /// The log group's class does not allow this kind of reading.
        Unsupported = "unsupported",
        /// The page token was refused.
        BadToken = "bad_token",
        /// The request itself was refused.
        Refused = "refused",
        /// No credentials, or they have expired.
        Credentials = "credentials",
        /// No connection, or no answer in time.
        Unreachable = "unreachable",
        /// The service failed.
        Service = "service",
        /// No read failed, but none was finished in time. Found by the engine, never by a read.
        Late = "late",
    }
}

impl Problem {
    /// What the operator can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Throttled => {
                "reading goes on more slowly; the quota is shared by all tools of the account and Region"
            }
            Self::NotFound => "check the name, Region and account; it is tried again in case it is created later",
            Self::Denied => "allow logs:FilterLogEvents on this log group",
            Self::Unsupported => {
                "FilterLogEvents needs the Standard log class, which is fixed when a log group is created: log to a new one"
            }
            Self::BadToken => "the read starts anew",
            Self::Refused => "check that the name is a log group's name or ARN",
            Self::Credentials => "check the profile, role or environment that credentials come from",
            Self::Unreachable => "check the network, the Region and any AWS_ENDPOINT_URL",
            Self::Service => "it is tried again",
            Self::Late => {
                "reads take too long, or the request quota is too small for this many log groups: raise poll.interval or the \
                 quota"
            }
        }
    }

    /// A few words for the first line of a message.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::NotFound => "no such log group",
            Self::Denied => "access denied",
            Self::Unsupported => "not possible in its log class",
            Self::BadToken => "page token refused",
            Self::Refused => "request refused",
            Self::Credentials => "no valid credentials",
            Self::Unreachable => "unreachable",
            Self::Service => "the service fails",
            Self::Late => "no read ends in time",
        }
    }
}
