//! Why a call failed: what the SDK's errors mean to the program, and to whoever reads a terminal.
//!
//! Not what is done about it: who reads, publishes or asks decides that by the [`Problem`]. Rule: one table of the
//! services' codes, and what people read says what it is and what to do before it quotes the service.

use std::error::Error;

use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};

use crate::model::problem::Problem;
use crate::model::text::{chain, cut, printable};

/// The longest quotation of a service in a message, bytes.
const SAID_MAX: usize = 400;

/// What was asked, for the words about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// IAM action, `lambda:GetPolicy`.
    pub action: &'a str,
    /// What it was asked of: an ARN, a path, a name.
    pub resource: &'a str,
    /// The Region that was asked.
    pub region: &'a str,
    /// The profile that credentials come from, where one was chosen.
    pub profile: Option<&'a str>,
}

/// A failure in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// What AWS says it does not permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden<'a> {
    /// ARN of who asked.
    pub who: &'a str,
    /// IAM action.
    pub action: &'a str,
    /// ARN, or a pattern of ARNs, where it is said.
    pub resource: Option<&'a str>,
    /// A policy denies it, so that allowing it elsewhere does not help.
    pub explicit: bool,
}

/// The kind of a failed call.
pub fn problem<E: ProvideErrorMetadata>(e: &SdkError<E>) -> Problem {
    match e {
        SdkError::ServiceError(_) => of_code(e.code().unwrap_or_default(), e.message().unwrap_or_default()),
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => Problem::Unreachable,
        SdkError::DispatchFailure(d) if d.is_io() || d.is_timeout() => Problem::Unreachable,
        // Credentials are looked up while the request is built; what is neither is reported as the SDK tells it.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => Problem::Credentials,
        _ => Problem::Service,
    }
}

/// The service's own words, or the SDK's where it did not come to an answer.
pub fn said<E: ProvideErrorMetadata + Error + 'static>(e: &SdkError<E>) -> String {
    let said = match (e.code().unwrap_or_default(), e.message()) {
        (code, Some(message)) if !code.is_empty() => format!("{code}: {message}"),
        (_, _) => plain(&chain(e)).to_owned(),
    };
    cut(&printable(&said), SAID_MAX).to_owned()
}

/// Without what the SDK puts before and behind its reason: names of its own types, and each place that it looked at for
/// credentials.
fn plain(chained: &str) -> &str {
    let prefixes = ["dispatch failure: other: ", "dispatch failure: io error: ", "dispatch failure: timeout: "];
    let text = prefixes.iter().find_map(|prefix| chained.strip_prefix(prefix)).unwrap_or(chained);
    let text = text.strip_prefix("the credential provider was not enabled: ").unwrap_or(text);
    match text.split_once(". Attempted: ") {
        // A profile that is wrong is among the places; elsewhere nothing was set.
        Some((_, places)) if places.contains("was not defined") => {
            places.split_once("Profile: the credential provider was not enabled: ").map_or(text, |(_, rest)| line(rest))
        }
        Some((reason, _)) => reason,
        None => text,
    }
}

fn line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// From an error code: AWS documentation of each service, "Errors", and "Common errors".
fn of_code(code: &str, message: &str) -> Problem {
    match code {
        "ResourceNotFoundException" | "NotFoundException" | "NotFound" => Problem::NotFound,
        "AccessDeniedException"
        | "AccessDenied"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "UnauthorizedException"
        | "ForbiddenException" => Problem::Denied,
        "InvalidOperationException" => Problem::Unsupported,
        "InvalidParameterException" if message.to_ascii_lowercase().contains("token") => Problem::BadToken,
        "InvalidParameterException"
        | "InvalidParameterValueException"
        | "BadRequestException"
        | "SerializationException"
        | "ValidationException" => Problem::Refused,
        code if is_throttling(code) => Problem::Throttled,
        code if is_of_credentials(code) => Problem::Credentials,
        _ => Problem::Service,
    }
}

/// It was asked too often.
#[must_use]
pub fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "Throttled"
            | "ThrottledException"
            | "LimitExceededException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "KMSThrottling"
            | "KMSThrottlingException"
    )
}

/// The credentials are to blame, not what they allow.
#[must_use]
pub fn is_of_credentials(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
    )
}

/// Reads `User: WHO is not authorized to perform: ACTION on resource: RESOURCE because ..`. AWS documentation,
/// "Troubleshoot access denied error messages".
#[must_use]
pub fn forbidden(said: &str) -> Option<Forbidden<'_>> {
    let (before, after) = said.split_once(" is not authorized to perform: ")?;
    let who = before.rsplit(' ').next()?;
    let mut words = after.split(' ');
    let action = words.next()?.trim_end_matches(['.', ',']);
    let resource = after.split_once(" on resource: ").and_then(|(_, rest)| rest.split(' ').next());
    let resource = resource.map(|r| r.trim_end_matches(['.', ',', '"'])).filter(|r| !r.is_empty());
    let explicit = after.contains("explicit deny");
    (!action.is_empty()).then_some(Forbidden { who, action, resource, explicit })
}

/// A failure in words for people.
#[must_use]
pub fn tell(problem: Problem, said: &str, attempt: Attempt<'_>) -> Told {
    let Attempt { action, resource, region, profile } = attempt;
    let (what, advice) = match problem {
        Problem::Credentials => return credentials(said, profile),
        Problem::Denied => return denied(said, attempt),
        Problem::NotFound => (
            format!("{resource} does not exist in {region}"),
            "check the name, the account and the Region (`--region`, or AWS_REGION)".to_owned(),
        ),
        Problem::Unreachable => (
            format!("AWS does not answer in {region}"),
            format!("check the network, that `{region}` is a Region, and AWS_ENDPOINT_URL if it is set"),
        ),
        Problem::Throttled => (
            format!("AWS refuses {action} of {resource}: it is asked too often"),
            "other tools of this account share the quota; try again in a minute".to_owned(),
        ),
        Problem::Refused | Problem::BadToken | Problem::Unsupported => {
            (format!("AWS refuses {action} of {resource}"), "check the name".to_owned())
        }
        Problem::Service | Problem::Late => {
            (format!("AWS failed to answer {action} of {resource}"), "try again in a minute".to_owned())
        }
    };
    Told { what, advice }
}

fn denied(said: &str, attempt: Attempt<'_>) -> Told {
    let Some(Forbidden { who, action, resource, explicit }) = forbidden(said) else {
        let Attempt { action, resource, .. } = attempt;
        return Told {
            what: format!("access denied: {action} of {resource}"),
            advice: format!("allow {action} on it"),
        };
    };
    let resource = resource.unwrap_or(attempt.resource);
    let what = format!("access denied: {who} may not {action} on {resource}");
    let advice = if explicit {
        "a policy denies it: allowing it in another does not help".to_owned()
    } else {
        format!("allow {action} on {resource}")
    };
    Told { what, advice }
}

/// The words of the SDK's providers are matched, because that is all it tells of them.
fn credentials(said: &str, profile: Option<&str>) -> Told {
    let lower = said.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let of_profile = profile.map(|p| format!(" of profile `{p}`")).unwrap_or_default();
    let option = profile.map(|p| format!(" --profile {p}")).unwrap_or_default();
    let (what, advice) = if has(&["signature expired", "signature not yet current", "skewed"]) {
        ("the clock of this machine is wrong".to_owned(), "set it: AWS takes no request that is minutes old".to_owned())
    } else if has(&["sts:assumerole", "assumerole", "assume role"]) {
        (
            "the role cannot be taken on".to_owned(),
            "allow sts:AssumeRole on it, and name who asks in its trust policy".to_owned(),
        )
    } else if has(&["sso token", "/sso/cache", "loading an access token", "session token not found"]) {
        (format!("the SSO session{of_profile} has expired, or was not begun"), format!("run `aws sso login{option}`"))
    } else if let (Some(profile), true) = (profile, has(&["was not defined"])) {
        (format!("there is no profile `{profile}`"), "`aws configure list-profiles` names those there are".to_owned())
    } else if has(&["expired"]) {
        (
            format!("the AWS session{of_profile} has expired"),
            "log in again, or take the role on again, as it was begun".to_owned(),
        )
    } else if has(&["invalidclienttokenid", "unrecognizedclient", "security token included in the request is invalid"])
    {
        (
            format!("AWS does not know the access key{of_profile}"),
            "check it; a Region that is not enabled for the account answers like this too".to_owned(),
        )
    } else if has(&["signature"]) {
        (
            format!("the secret access key{of_profile} does not fit the access key"),
            "check both, and the session token".to_owned(),
        )
    } else {
        match profile {
            Some(profile) => (
                format!("profile `{profile}` gives no AWS credentials"),
                format!("see `aws configure list --profile {profile}`"),
            ),
            None => (
                "no AWS credentials were found".to_owned(),
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure` or `aws sso login`"
                    .to_owned(),
            ),
        }
    };
    Told { what, advice }
}

#[cfg(test)]
mod tests;
