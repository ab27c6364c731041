//! HTTP and WebSocket APIs: `aws-sdk-apigatewayv2`.
//!
//! Rule: what is made of the answers is made by functions without calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_apigatewayv2::operation::get_stage::GetStageOutput;
use aws_sdk_apigatewayv2::types::{
    AccessLogSettings, Api, AuthorizationType, Authorizer as Said, ConnectionType, Integration as Behaved,
    IntegrationType, LoggingLevel, ProtocolType, Route, RouteSettings, Stage,
};

use super::levels::{Level, Levels};
use super::{Control, Undiscovered, access_log, arcs};
use crate::model::deployed::uri::{Behind, Place, Variables, target};
use crate::model::deployed::{AccessLog, Authorizer, Candidate, Deployed, ExecutionLog, Integration, Unasked};
use crate::model::inventory::ApiKind;
use crate::model::request::Endpoint;

/// What a page holds: no more is documented to be taken.
const PAGE: &str = "100";

impl Control {
    /// All APIs.
    pub(super) async fn http_apis(&self) -> Result<Vec<Api>, Undiscovered> {
        let arn = self.gateway_arn("/apis");
        let call = self.gateway_call(&arn);
        let page = |token: Option<String>| async move {
            let ask = || self.0.http.get_apis().max_results(PAGE).set_next_token(token.clone()).send();
            self.ask(&[&self.0.gateway], call, ask).await.map(|answer| (answer.items, answer.next_token))
        };
        self.pages(call, page).await
    }

    /// The stages of an API, and where their access logs go.
    pub(super) async fn http_stages(&self, api: &Api) -> Result<Vec<(Candidate, AccessLog)>, Undiscovered> {
        let id = api.api_id.as_deref().unwrap_or_default();
        let arn = self.gateway_arn(&format!("/apis/{id}/stages"));
        let call = self.gateway_call(&arn);
        let page = |token: Option<String>| async move {
            let ask = || self.0.http.get_stages().api_id(id).max_results(PAGE).set_next_token(token.clone()).send();
            self.ask(&[&self.0.gateway], call, ask).await.map(|answer| (answer.items, answer.next_token))
        };
        let name: Arc<str> = api.name.as_deref().unwrap_or_default().into();
        let kind = match api.protocol_type {
            Some(ProtocolType::Websocket) => ApiKind::WebSocket,
            _ => ApiKind::Http,
        };
        let stage = |stage: Stage| {
            let log = logged(stage.access_log_settings.as_ref());
            let (name, id) = (Arc::clone(&name), id.into());
            Some((Candidate { name, id, kind, stage: stage.stage_name?.into() }, log))
        };
        Ok(self.pages(call, page).await?.into_iter().filter_map(stage).collect())
    }

    /// A stage, but for the functions.
    pub(super) async fn http_stage(&self, of: &Candidate, place: Place<'_>) -> Result<Deployed, Undiscovered> {
        let Candidate { id, stage, .. } = of;
        let arn = self.gateway_arn(&format!("/apis/{id}/stages/{stage}"));
        let ask = || self.0.http.get_stage().api_id(&**id).stage_name(&**stage).send();
        let answer = self.ask(&[&self.0.gateway], self.gateway_call(&arn), ask).await?;
        let mut unasked: Vec<Unasked> = Vec::new();
        let routes = self.http_routes(id).await.unwrap_or_else(|error| {
            unasked.push(error.into());
            Vec::new()
        });
        let behaved = self.http_integrations(id).await.unwrap_or_else(|error| {
            unasked.push(error.into());
            Vec::new()
        });
        let in_use = authorizers_in_use(&routes);
        let authorizers = if in_use.is_empty() { Ok(Vec::new()) } else { self.http_authorizers(id).await };
        let mut authorizers = authorizers.unwrap_or_else(|error| {
            unasked.push(error.into());
            Vec::new()
        });
        authorizers.retain(|a| a.authorizer_id.as_deref().is_some_and(|id| in_use.contains(id)));
        Ok(Deployed { unasked, ..deployed(of, &answer, &routes, &behaved, &authorizers, place) })
    }

    async fn http_routes(&self, id: &str) -> Result<Vec<Route>, Undiscovered> {
        let arn = self.gateway_arn(&format!("/apis/{id}/routes"));
        let call = self.gateway_call(&arn);
        let page = |token: Option<String>| async move {
            let ask = || self.0.http.get_routes().api_id(id).max_results(PAGE).set_next_token(token.clone()).send();
            self.ask(&[&self.0.gateway], call, ask).await.map(|answer| (answer.items, answer.next_token))
        };
        self.pages(call, page).await
    }

    async fn http_integrations(&self, id: &str) -> Result<Vec<Behaved>, Undiscovered> {
        let arn = self.gateway_arn(&format!("/apis/{id}/integrations"));
        let call = self.gateway_call(&arn);
        let page = |token: Option<String>| async move {
            let ask =
                || self.0.http.get_integrations().api_id(id).max_results(PAGE).set_next_token(token.clone()).send();
            self.ask(&[&self.0.gateway], call, ask).await.map(|answer| (answer.items, answer.next_token))
        };
        self.pages(call, page).await
    }

    async fn http_authorizers(&self, id: &str) -> Result<Vec<Said>, Undiscovered> {
        let arn = self.gateway_arn(&format!("/apis/{id}/authorizers"));
        let call = self.gateway_call(&arn);
        let page = |token: Option<String>| async move {
            let ask =
                || self.0.http.get_authorizers().api_id(id).max_results(PAGE).set_next_token(token.clone()).send();
            self.ask(&[&self.0.gateway], call, ask).await.map(|answer| (answer.items, answer.next_token))
        };
        self.pages(call, page).await
    }
}

fn logged(settings: Option<&AccessLogSettings>) -> AccessLog {
    let destination = settings.and_then(|s| s.destination_arn.as_deref());
    access_log(destination, settings.and_then(|s| s.format.as_deref()))
}

/// IDs of those that a route asks for its caller.
fn authorizers_in_use(routes: &[Route]) -> BTreeSet<&str> {
    let custom = routes.iter().filter(|r| r.authorization_type == Some(AuthorizationType::Custom));
    custom.filter_map(|r| r.authorizer_id.as_deref()).collect()
}

/// What the answers come to.
fn deployed(
    of: &Candidate,
    stage: &GetStageOutput,
    routes: &[Route],
    behaved: &[Behaved],
    authorizers: &[Said],
    place: Place<'_>,
) -> Deployed {
    let variables: Variables = arcs(stage.stage_variables.as_ref());
    let by_id: BTreeMap<&str, &Behaved> =
        behaved.iter().filter_map(|b| Some((b.integration_id.as_deref()?, b))).collect();
    let integration = |route: &Route| {
        let id = route.target.as_deref()?.strip_prefix("integrations/")?;
        let endpoint = endpoint(route.route_key.as_deref()?, of.kind);
        Some(integration(endpoint, by_id.get(id)?, &variables, place))
    };
    let mut integrations: Vec<_> = routes.iter().filter_map(integration).collect();
    integrations.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
    let authorizer = |said: &Said| {
        let uri = said.authorizer_uri.as_deref()?;
        Some(Authorizer {
            id: said.authorizer_id.as_deref()?.into(),
            name: said.name.as_deref().unwrap_or_default().into(),
            target: target(Behind::Aws, uri, &variables, place),
            credentials: said.authorizer_credentials_arn.as_deref().map(Arc::from),
        })
    };
    let mut authorizers: Vec<_> = authorizers.iter().filter_map(authorizer).collect();
    authorizers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    let execution_log = if of.kind == ApiKind::WebSocket {
        let keys: Vec<_> = routes.iter().filter_map(|route| route.route_key.clone()).collect();
        levels(stage).execution_log(&format!("/aws/apigateway/{}/{}", of.id, of.stage), &keys)
    } else {
        ExecutionLog::Never
    };
    Deployed {
        stage: of.clone(),
        partition: place.partition.into(),
        region: place.region.into(),
        account: place.account.map(Arc::from),
        access_log: logged(stage.access_log_settings.as_ref()),
        execution_log,
        // Neither kind of API has them.
        tracing: false,
        canary: false,
        variables,
        integrations,
        authorizers,
        functions: Vec::new(),
        unasked: Vec::new(),
    }
}

/// `GET /pets/{id}`, or the name of a route such as `$default` or `$connect`: that of an HTTP API takes every method, a
/// WebSocket API has none.
fn endpoint(route_key: &str, kind: ApiKind) -> Endpoint {
    match route_key.split_once(' ') {
        Some((method, path)) if kind != ApiKind::WebSocket => Endpoint::new(method, path),
        Some(_) | None => Endpoint::new(if kind == ApiKind::WebSocket { "-" } else { "ANY" }, route_key),
    }
}

fn integration(endpoint: Endpoint, behaved: &Behaved, variables: &Variables, place: Place<'_>) -> Integration {
    let vpc_link = behaved.connection_type == Some(ConnectionType::VpcLink);
    let behind = match behaved.integration_type {
        Some(IntegrationType::Mock) => Behind::Mock,
        Some(IntegrationType::Http | IntegrationType::HttpProxy) => Behind::Http { vpc_link },
        _ => Behind::Aws,
    };
    // An integration with another service has a subtype in place of an address.
    let uri = behaved.integration_subtype.as_deref().or(behaved.integration_uri.as_deref());
    Integration {
        endpoint,
        target: target(behind, uri.unwrap_or_default(), variables, place),
        timeout: behaved.timeout_in_millis.and_then(|ms| ms.try_into().ok()).map(Duration::from_millis),
        proxy: matches!(behaved.integration_type, Some(IntegrationType::AwsProxy | IntegrationType::HttpProxy)),
        method: behaved.integration_method.as_deref().map(Arc::from),
        credentials: behaved.credentials_arn.as_deref().map(Arc::from),
        payload_format: behaved.payload_format_version.as_deref().map(Arc::from),
        streaming: false,
    }
}

fn levels(stage: &GetStageOutput) -> Levels {
    let level = |settings: &RouteSettings| Level::parse(settings.logging_level.as_ref().map(LoggingLevel::as_str));
    // A route that sets something else than a level has the stage's.
    let overrides = stage.route_settings.iter().flatten().filter(|(_, settings)| settings.logging_level.is_some());
    Levels {
        stage: stage.default_route_settings.as_ref().map_or(Level::Off, level),
        overrides: overrides.map(|(key, settings)| (key.clone(), level(settings))).collect(),
    }
}

#[cfg(test)]
mod tests;
