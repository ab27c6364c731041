//! What AWS says an API is made of: one stage of it, with its logs, integrations and the functions behind them.
//!
//! Not the configuration and not what is watched; both can be made of it. Rule: what could not be asked stands in
//! [`Deployed::unasked`] with the reason, and is never taken for "there is none".

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::inventory::ApiKind;
use super::problem::Problem;
use super::request::Endpoint;

mod choice;
pub mod policy;
pub mod uri;

pub use choice::{Choice, choose};

/// Which API somebody means: `shop`, `a1b2c3d4e5`, `shop/prod`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name or ID.
    pub api: String,
    /// Its stage, where one is said.
    pub stage: Option<String>,
}

impl Wanted {
    /// From `NAME_OR_ID` or `NAME_OR_ID/STAGE`. Stage names have no slash in them, names of APIs may: the last one counts.
    /// `None` where a part is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (api, stage) = match text.rsplit_once('/') {
            Some((api, stage)) => (api.trim(), Some(stage.trim())),
            None => (text, None),
        };
        if api.is_empty() || stage.is_some_and(str::is_empty) {
            return None;
        }
        Some(Self { api: api.to_owned(), stage: stage.map(str::to_owned) })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stage {
            Some(stage) => write!(f, "{}/{stage}", self.api),
            None => f.write_str(&self.api),
        }
    }
}

/// A stage that may be the one that is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The API's name.
    pub name: Arc<str>,
    /// Its ID, such as `a1b2c3d4e5`.
    pub id: Arc<str>,
    /// REST, HTTP or WebSocket; never [`ApiKind::Auto`].
    pub kind: ApiKind,
    /// The stage.
    pub stage: Arc<str>,
}

/// One stage of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Which one.
    pub stage: Candidate,
    /// AWS partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: Arc<str>,
    /// AWS Region.
    pub region: Arc<str>,
    /// AWS account of twelve digits, where it is known.
    pub account: Option<Arc<str>>,
    /// Where its access log goes.
    pub access_log: AccessLog,
    /// Its execution log; HTTP APIs have none.
    pub execution_log: ExecutionLog,
    /// X-Ray traces are made.
    pub tracing: bool,
    /// A canary takes part of its requests: they are logged a second time, in `<log group>/Canary`.
    pub canary: bool,
    /// Stage variables.
    pub variables: BTreeMap<Arc<str>, Arc<str>>,
    /// What answers, in order of endpoints; `$default` of an HTTP API is an endpoint like others. Where a canary's
    /// stage variables lead elsewhere the endpoint stands here a second time, with what answers the canary's requests.
    pub integrations: Vec<Integration>,
    /// Lambda authorizers in use, by name.
    pub authorizers: Vec<Authorizer>,
    /// The functions behind integrations and authorizers, each once.
    pub functions: Vec<Function>,
    /// What could not be asked.
    pub unasked: Vec<Unasked>,
}

/// Where a stage's access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// It is switched off.
    Off,
    /// To a Firehose stream, where it cannot be read.
    Firehose {
        /// The stream's ARN.
        arn: Arc<str>,
    },
    /// To a log group.
    Group {
        /// Its ARN, without `:*`.
        arn: Arc<str>,
        /// `$context` format of its lines.
        format: Arc<str>,
    },
}

/// What a stage writes to its execution log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionLog {
    /// An API of this kind has none.
    Never,
    /// It is switched off.
    Off,
    /// It is on for some methods at least.
    On {
        /// Log group: `API-Gateway-Execution-Logs_<id>/<stage>`, of a WebSocket API `/aws/apigateway/<id>/<stage>`.
        group: Arc<str>,
        /// Whole requests are logged (level INFO), not failures only (ERROR).
        all: bool,
        /// Every method is logged: only then requests can be counted by it.
        every_method: bool,
    },
}

/// What answers the requests of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    /// Method and route template; `ANY` is a method here.
    pub endpoint: Endpoint,
    /// What is behind it.
    pub target: Target,
    /// When the gateway stops waiting, where it is stated.
    pub timeout: Option<Duration>,
    /// The gateway passes request and answer through (`AWS_PROXY`, `HTTP_PROXY`).
    pub proxy: bool,
    /// Method by which it is asked, where it is stated: a REST API's Lambda integration has to say POST.
    pub method: Option<Arc<str>>,
    /// Role that the gateway takes on for it; then no function policy is needed.
    pub credentials: Option<Arc<str>>,
    /// Payload format of an HTTP API, `1.0` or `2.0`.
    pub payload_format: Option<Arc<str>>,
    /// The answer is streamed.
    pub streaming: bool,
}

/// What is behind an integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Lambda function.
    Lambda(FunctionRef),
    /// An HTTP address, perhaps behind a VPC link.
    Http {
        /// It.
        uri: Arc<str>,
        /// Through a VPC link.
        vpc_link: bool,
    },
    /// Another AWS service.
    Service {
        /// The integration's URI or subtype.
        uri: Arc<str>,
    },
    /// The gateway answers by itself.
    Mock,
    /// Its address cannot be understood, or names a stage variable that the stage does not have.
    Unclear {
        /// The integration's URI, as far as it could be resolved.
        uri: Arc<str>,
        /// The stage variable that is missing, if that is the reason.
        variable: Option<Arc<str>>,
    },
}

/// A Lambda function as an integration names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionRef {
    /// AWS partition.
    pub partition: Arc<str>,
    /// AWS Region: the function's own, which may be another than the API's.
    pub region: Arc<str>,
    /// Its account.
    pub account: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Alias or version.
    pub qualifier: Option<Arc<str>>,
}

/// A Lambda authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// Its ID.
    pub id: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its function.
    pub target: Target,
    /// Role that the gateway takes on for it.
    pub credentials: Option<Arc<str>>,
}

/// A function and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Which one.
    pub reference: FunctionRef,
    /// Its configuration.
    pub settings: Asked<FunctionSettings>,
    /// Statements of its resource policy, of this qualifier; none where it has no policy.
    pub policy: Asked<Vec<Statement>>,
}

/// An answer, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<T> {
    /// The answer.
    Is(T),
    /// AWS says that there is no such thing.
    Missing,
    /// It could not be asked; [`Deployed::unasked`] says why.
    Unknown,
}

impl<T> Asked<T> {
    /// The answer, if there is one.
    #[must_use]
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Is(answer) => Some(answer),
            Self::Missing | Self::Unknown => None,
        }
    }
}

/// What matters of a function's configuration. Its environment is never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSettings {
    /// When Lambda ends it.
    pub timeout: Duration,
    /// Memory, MB.
    pub memory_mb: u32,
    /// `nodejs22.x`; `None` for a container image.
    pub runtime: Option<Arc<str>>,
    /// The log group it writes to.
    pub log_group: Arc<str>,
    /// It logs JSON, not text.
    pub json_logs: bool,
    /// Why it cannot be invoked as it is (state `Failed` or `Inactive`, with the reason), if it cannot.
    pub unfit: Option<Arc<str>>,
}

/// A statement of a function's resource policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// It allows; else it denies.
    pub allows: bool,
    /// Principals: services, accounts, ARNs, `*`.
    pub principals: Vec<Arc<str>>,
    /// Actions, perhaps with `*`.
    pub actions: Vec<Arc<str>>,
    /// Patterns of `AWS:SourceArn`, one of which has to fit; empty where there is no such condition.
    pub source_arns: Vec<Arc<str>>,
    /// `AWS:SourceAccount`, one of which has to fit; empty where there is no such condition.
    pub source_accounts: Vec<Arc<str>>,
    /// Other conditions that are not understood here, by their keys.
    pub other_conditions: Vec<Arc<str>>,
}

/// Who asks AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Account of twelve digits.
    pub account: Arc<str>,
    /// ARN of the user, or of the session of a role.
    pub arn: Arc<str>,
}

/// Something that could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unasked {
    /// The IAM action that asks it, such as `lambda:GetPolicy`.
    pub action: &'static str,
    /// What it was asked of: an ARN, a path, a name.
    pub resource: Arc<str>,
    /// Why not.
    pub problem: Problem,
    /// The service's own words.
    pub said: Arc<str>,
}

impl FunctionRef {
    /// The function's ARN, with its qualifier if it has one.
    #[must_use]
    pub fn arn(&self) -> String {
        let Self { partition, region, account, name, qualifier } = self;
        let qualifier = qualifier.as_ref().map(|q| format!(":{q}")).unwrap_or_default();
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}{qualifier}")
    }
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.qualifier {
            Some(qualifier) => write!(f, "{}:{qualifier}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_is_wanted_by_name_or_id_and_perhaps_a_stage() {
        let wanted = |text| Wanted::parse(text).map(|w| (w.api, w.stage));
        assert_eq!(wanted("shop"), Some(("shop".to_owned(), None)));
        assert_eq!(wanted(" shop/prod "), Some(("shop".to_owned(), Some("prod".to_owned()))));
        assert_eq!(wanted("web/shop/$default"), Some(("web/shop".to_owned(), Some("$default".to_owned()))));
        for wrong in ["", "  ", "/", "shop/", "/prod"] {
            assert_eq!(wanted(wrong), None, "{wrong}");
        }
        assert_eq!(Wanted::parse("shop/prod").unwrap().to_string(), "shop/prod");
    }

    #[test]
    fn a_function_has_an_arn_with_its_qualifier() {
        let mut function = FunctionRef {
            partition: "aws".into(),
            region: "eu-west-1".into(),
            account: "111122223333".into(),
            name: "checkout-fn".into(),
            qualifier: Some("live".into()),
        };
        assert_eq!(function.arn(), "arn:aws:lambda:eu-west-1:111122223333:function:checkout-fn:live");
        assert_eq!(function.to_string(), "checkout-fn:live");
        function.qualifier = None;
        assert_eq!(function.arn(), "arn:aws:lambda:eu-west-1:111122223333:function:checkout-fn");
    }
}
