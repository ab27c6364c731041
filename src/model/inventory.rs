//! What is watched: APIs and the log groups they are read from, numbered.
//!
//! Not the configuration (that is text and defaults) and not the state of reading. Rule: a log group that several
//! APIs name is one source, so that it is read once and each of its events counts once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Which function serves an endpoint (`POST /checkout`), as configured.
    pub functions: BTreeMap<String, Arc<str>>,
}

impl Api {
    /// An API of which nothing but the name is known.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        let kind = ApiKind::default();
        Self { name: name.into(), kind, integration_timeout: kind.default_timeout(), functions: BTreeMap::new() }
    }
}

/// What is written in a log group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// Access log of one API.
    Access(ApiId),
    /// Log of Lambda functions; no API, because functions are shared.
    Lambda,
    /// Execution log of one REST or WebSocket stage.
    Execution(ApiId),
}

/// One log group, or in a replay one set of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Log group name or ARN; in a replay the file's name.
    pub name: Arc<str>,
    /// AWS Region, where it matters.
    pub region: Option<Arc<str>>,
    /// What is written there.
    pub kind: SourceKind,
    /// The Lambda function whose log it is, where that is known.
    pub function: Option<Arc<str>>,
}

impl Source {
    /// A log group that is read live.
    #[must_use]
    pub fn group(name: &str, region: Option<Arc<str>>, kind: SourceKind) -> Self {
        let function = match kind {
            SourceKind::Access(_) | SourceKind::Execution(_) => None,
            SourceKind::Lambda => function_of_group(name).map(Arc::from),
        };
        Self { name: name.into(), region, kind, function }
    }
}

/// The function that writes to a Lambda log group: the part after `/aws/lambda/`. Other groups may be shared by
/// several functions and tell nothing.
fn function_of_group(name: &str) -> Option<&str> {
    let name = name.rsplit(":log-group:").next().unwrap_or(name).trim_end_matches(":*");
    name.strip_prefix("/aws/lambda/").filter(|function| !function.is_empty())
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
    /// Adds a source, or finds it where another API named it already.
    pub fn add_source(&mut self, source: Source) -> SourceId {
        let at = self.sources.iter().position(|s| *s == source).unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        SourceId(u16::try_from(at).expect("configuration allows far fewer than 65,536 sources"))
    }

    /// Whether an access log of this API is read.
    #[must_use]
    pub fn has_access(&self, api: ApiId) -> bool {
        self.sources.iter().any(|s| s.kind == SourceKind::Access(api))
    }

    /// Whether an execution log of this API is read.
    #[must_use]
    pub fn has_execution(&self, api: ApiId) -> bool {
        self.sources.iter().any(|s| s.kind == SourceKind::Execution(api))
    }

    /// The Region in which this API's logs lie, where it is known.
    #[must_use]
    pub fn region(&self, api: ApiId) -> Option<&str> {
        let is_its = |s: &&Source| s.kind == SourceKind::Access(api) || s.kind == SourceKind::Execution(api);
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
    fn a_shared_group_is_one_source() {
        let mut inventory = Inventory::default();
        let a = inventory.add_source(lambda("/aws/lambda/x"));
        assert_eq!(inventory.add_source(lambda("/aws/lambda/x")), a);
        assert_ne!(inventory.add_source(lambda("/aws/lambda/y")), a);
    }
}
