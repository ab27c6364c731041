//! What is watched: APIs and the log groups they are read from, numbered.
//!
//! Not the configuration (that is text and defaults) and not the state of reading. Rule: a log group that several
//! APIs name is one source, so that it is read once and each of its events counts once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::request::Endpoint;

/// Number of an API: its place in [`Inventory::apis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ApiId(pub u16);

/// Number of a source: its place in [`Inventory::sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(pub u16);

impl ApiId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl SourceId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which kind of API Gateway API; decides how status codes and the default timeout are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ApiKind {
    /// Not stated.
    #[default]
    Auto,
    /// REST API (v1): 502 for a function that failed, 504 for an integration timeout of 29 s.
    Rest,
    /// HTTP API (v2): 500 and 503 for the same faults, 30 s.
    Http,
    /// WebSocket API.
    WebSocket,
}

impl ApiKind {
    /// The integration timeout AWS gives such an API when nothing else is known: 29 s, HTTP APIs 30 s.
    #[must_use]
    pub const fn default_timeout(self) -> Duration {
        match self {
            Self::Auto | Self::Rest | Self::WebSocket => Duration::from_secs(29),
            Self::Http => Duration::from_secs(30),
        }
    }
}

/// One API: a stage under watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The label people gave it; unique.
    pub name: Arc<str>,
    /// Which kind of API.
    pub kind: ApiKind,
    /// When the gateway gives up on the integration.
    pub integration_timeout: Duration,
    /// Which function serves an endpoint (`POST /checkout`, or `ANY /checkout` for every method of it), as configured.
    pub functions: BTreeMap<String, Arc<str>>,
}

impl Api {
    /// An API of which nothing but the name is known.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        let kind = ApiKind::default();
        Self { name: name.into(), kind, integration_timeout: kind.default_timeout(), functions: BTreeMap::new() }
    }

    /// The function that serves an endpoint, as configured.
    #[must_use]
    pub fn function(&self, endpoint: &Endpoint) -> Option<&Arc<str>> {
        let any = || self.functions.get(&format!("ANY {}", endpoint.route));
        self.functions.get(&endpoint.to_string()).or_else(any)
    }
}

/// What is written in a log group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SourceKind {
    /// Access log of one API.
    Access(ApiId),
    /// Log of Lambda functions; no API, because functions are shared.
    Lambda,
    /// Execution log of one REST or WebSocket stage.
    Execution(ApiId),
}

/// One log group, or in a replay one set of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Log group name or ARN; in a replay the file's name.
    pub name: Arc<str>,
    /// AWS Region, where it matters.
    pub region: Option<Arc<str>>,
    /// What is written there.
    pub kind: SourceKind,
    /// The role that is taken on to read it; `None` reads it as whoever runs the program.
    pub role: Option<Arc<str>>,
    /// The Lambda function whose log it is, where that is known.
    pub function: Option<Arc<str>>,
    /// The APIs that name it, in their order; more than one only where functions are shared.
    pub apis: Vec<ApiId>,
}

impl Source {
    /// A log group that is read live.
    #[must_use]
    pub fn group(name: &str, region: Option<Arc<str>>, kind: SourceKind) -> Self {
        let (function, apis) = match kind {
            SourceKind::Access(api) | SourceKind::Execution(api) => (None, vec![api]),
            SourceKind::Lambda => (function_of_group(name).map(Arc::from), Vec::new()),
        };
        Self { name: name.into(), region, kind, role: None, function, apis }
    }

    /// Whether it is the same log group, read in the same way.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (&self.name, &self.region, &self.role, self.kind) == (&other.name, &other.region, &other.role, other.kind)
    }

    /// The account that its log group is in, where an ARN tells it: its own, or that of the role that reads it.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        account_of_arn(&self.name).or_else(|| account_of_arn(self.role.as_deref()?))
    }

    /// Whether it is the same log group, in whatever way it is read. Where the account of only one of them is known, it
    /// is taken for the same if both are read as the same role.
    #[must_use]
    pub fn is_group_of(&self, other: &Self) -> bool {
        let same_account = match (self.account(), other.account()) {
            (None, Some(_)) | (Some(_), None) => self.role == other.role,
            (own, its) => own == its,
        };
        same_account && self.region == other.region && name_of_group(&self.name) == name_of_group(&other.name)
    }

    /// Whether an API names it: a source that was read in an earlier life keeps its number, and nothing else.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        !self.apis.is_empty()
    }
}

/// The function that writes to a Lambda log group: the part after `/aws/lambda/`. Other groups may be shared by
/// several functions and tell nothing.
fn function_of_group(name: &str) -> Option<&str> {
    name_of_group(name).strip_prefix("/aws/lambda/").filter(|function| !function.is_empty())
}

/// The account in `arn:aws:logs:REGION:ACCOUNT:log-group:NAME` and `arn:aws:iam::ACCOUNT:role/NAME`.
fn account_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(3).filter(|account| !account.is_empty())
}

/// A log group's name, also where it is given by its ARN.
#[must_use]
pub fn name_of_group(group: &str) -> &str {
    group.rsplit(":log-group:").next().unwrap_or(group).trim_end_matches(":*")
}

/// All that is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The APIs, by [`ApiId`].
    pub apis: Vec<Api>,
    /// The sources, by [`SourceId`].
    pub sources: Vec<Source>,
}

impl Inventory {
    /// Adds an API, or sets what is known of it where one of its name is there.
    pub fn add_api(&mut self, api: Api) -> ApiId {
        let at = self.apis.iter().position(|known| known.name == api.name).unwrap_or(self.apis.len());
        match self.apis.get_mut(at) {
            Some(known) => *known = api,
            None => self.apis.push(api),
        }
        ApiId(u16::try_from(at).expect("configuration allows far fewer than 65,536 APIs"))
    }

    /// The API of this name.
    #[must_use]
    pub fn find_api(&self, name: &str) -> Option<ApiId> {
        self.apis.iter().zip(0_u16..).find(|(api, _)| *api.name == *name).map(|(_, id)| ApiId(id))
    }

    /// The API whose requests a source of this kind tells.
    #[must_use]
    pub fn api_of(&self, kind: SourceKind) -> Option<&Api> {
        match kind {
            SourceKind::Access(api) | SourceKind::Execution(api) => Some(self.api(api)),
            SourceKind::Lambda => None,
        }
    }

    /// Adds a source, or finds it where another API named it already.
    pub fn add_source(&mut self, source: Source) -> SourceId {
        let at = self.sources.iter().position(|s| s.is(&source)).unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        SourceId(u16::try_from(at).expect("configuration allows far fewer than 65,536 sources"))
    }

    /// Adds a source for an API that names it, or finds it where another API named it already.
    pub fn add_source_of(&mut self, api: ApiId, source: Source) -> SourceId {
        let id = self.add_source(source);
        let apis = &mut self.sources[id.index()].apis;
        if !apis.contains(&api) {
            apis.push(api);
        }
        id
    }

    /// Whether this API has a log: a state may know of APIs that nobody names any more.
    #[must_use]
    pub fn is_watched(&self, api: ApiId) -> bool {
        self.sources.iter().any(|s| s.apis.contains(&api))
    }

    /// Whether an access log of this API is read.
    #[must_use]
    pub fn has_access(&self, api: ApiId) -> bool {
        self.sources.iter().any(|s| s.is_named() && s.kind == SourceKind::Access(api))
    }

    /// Whether an execution log of this API is read.
    #[must_use]
    pub fn has_execution(&self, api: ApiId) -> bool {
        self.sources.iter().any(|s| s.is_named() && s.kind == SourceKind::Execution(api))
    }

    /// The Region in which this API's logs lie, where it is known.
    #[must_use]
    pub fn region(&self, api: ApiId) -> Option<&str> {
        let is_its =
            |s: &&Source| s.is_named() && (s.kind == SourceKind::Access(api) || s.kind == SourceKind::Execution(api));
        self.sources.iter().find(is_its)?.region.as_deref()
    }

    /// The API with this number.
    #[must_use]
    pub fn api(&self, id: ApiId) -> &Api {
        &self.apis[id.index()]
    }

    /// The source with this number.
    #[must_use]
    pub fn source(&self, id: SourceId) -> &Source {
        &self.sources[id.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lambda(name: &str) -> Source {
        Source::group(name, None, SourceKind::Lambda)
    }

    #[test]
    fn function_of_a_group() {
        assert_eq!(lambda("/aws/lambda/checkout-fn").function.as_deref(), Some("checkout-fn"));
        assert_eq!(lambda("/custom/orders").function, None);
        let arn = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/pay";
        assert_eq!(lambda(arn).function.as_deref(), Some("pay"));
        assert_eq!(Source::group("/aws/lambda/x", None, SourceKind::Access(ApiId(0))).function, None);
    }

    #[test]
    fn a_route_that_takes_every_method_is_served_by_one_function_unless_a_method_is_named() {
        let functions = [("ANY /{proxy+}", "web"), ("POST /{proxy+}", "orders"), ("ANY $default", "rest")];
        let functions = functions.map(|(endpoint, function)| (endpoint.to_owned(), function.into()));
        let api = Api { functions: functions.into(), ..Api::plain("shop") };
        let cases = [
            ("GET", "/{proxy+}", Some("web")),
            ("ANY", "/{proxy+}", Some("web")),
            ("POST", "/{proxy+}", Some("orders")),
            ("-", "$default", Some("rest")),
            ("GET", "/", None),
        ];
        for (method, route, function) in cases {
            assert_eq!(api.function(&Endpoint::new(method, route)).map(|f| &**f), function, "{method} {route}");
        }
    }

    #[test]
    fn a_shared_group_is_one_source() {
        let mut inventory = Inventory::default();
        let a = inventory.add_source(lambda("/aws/lambda/x"));
        assert_eq!(inventory.add_source(lambda("/aws/lambda/x")), a);
        assert_ne!(inventory.add_source(lambda("/aws/lambda/y")), a);
        for api in [ApiId(1), ApiId(0), ApiId(1)] {
            assert_eq!(inventory.add_source_of(api, lambda("/aws/lambda/x")), a);
        }
        assert_eq!(inventory.source(a).apis, [ApiId(1), ApiId(0)]);
    }
}
