//! REST APIs: `aws-sdk-apigateway`.
//!
//! A stage serves what was deployed to it; resources are asked as they stand now, because only an export of the whole
//! API would show the former. So a method that was changed and not deployed yet is seen too early. Rule: what is made of
//! the answers is made by functions without calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::types::{
    AccessLogSettings, Authorizer as Said, ConnectionType, Integration as Behaved, IntegrationType, Method, Resource,
    ResponseTransferMode, RestApi, Stage,
};

use super::asking::Call;
use super::levels::{Level, Levels};
use super::{Control, GATEWAY, Undiscovered, access_log, arcs};
use crate::model::deployed::uri::{Behind, Place, Variables, target};
use crate::model::deployed::{AccessLog, Authorizer, Candidate, Deployed, Integration, Unasked};
use crate::model::inventory::ApiKind;
use crate::model::request::Endpoint;

/// The most that a page holds.
const PAGE: i32 = 500;

impl Control {
    /// All APIs.
    pub(super) async fn rest_apis(&self) -> Result<Vec<RestApi>, Undiscovered> {
        let arn = self.gateway_arn("/restapis");
        let call = self.gateway_call(&arn);
        let page = |token: Option<String>| async move {
            let ask = || self.0.rest.get_rest_apis().limit(PAGE).set_position(token.clone()).send();
            self.ask(&[&self.0.gateway], call, ask).await.map(|answer| (answer.items, answer.position))
        };
        self.pages(call, page).await
    }

    /// The stages of an API, and where their access logs go.
    pub(super) async fn rest_stages(&self, api: &RestApi) -> Result<Vec<(Candidate, AccessLog)>, Undiscovered> {
        let id = api.id.as_deref().unwrap_or_default();
        let arn = self.gateway_arn(&format!("/restapis/{id}/stages"));
        let ask = || self.0.rest.get_stages().rest_api_id(id).send();
        let answer = self.ask(&[&self.0.gateway], self.gateway_call(&arn), ask).await?;
        let name: Arc<str> = api.name.as_deref().unwrap_or_default().into();
        let stage = |stage: Stage| {
            let (name, id, kind) = (Arc::clone(&name), id.into(), ApiKind::Rest);
            let log = logged(stage.access_log_settings.as_ref());
            Some((Candidate { name, id, kind, stage: stage.stage_name?.into() }, log))
        };
        Ok(answer.item.unwrap_or_default().into_iter().filter_map(stage).collect())
    }

    /// A stage, but for the functions.
    pub(super) async fn rest_stage(&self, of: &Candidate, place: Place<'_>) -> Result<Deployed, Undiscovered> {
        let Candidate { id, stage, .. } = of;
        let arn = self.gateway_arn(&format!("/restapis/{id}/stages/{stage}"));
        let ask = || self.0.rest.get_stage().rest_api_id(&**id).stage_name(&**stage).send();
        let answer = self.ask(&[&self.0.gateway], self.gateway_call(&arn), ask).await?;
        let mut unasked: Vec<Unasked> = Vec::new();
        let resources = self.rest_resources(id).await.unwrap_or_else(|error| {
            unasked.push(error.into());
            Vec::new()
        });
        let in_use = authorizers_in_use(&resources);
        let authorizers = if in_use.is_empty() { Ok(Vec::new()) } else { self.rest_authorizers(id).await };
        let mut authorizers = authorizers.unwrap_or_else(|error| {
            unasked.push(error.into());
            Vec::new()
        });
        authorizers.retain(|a| a.id.as_deref().is_some_and(|id| in_use.contains(id)));
        Ok(Deployed { unasked, ..deployed(of, &answer, &resources, &authorizers, place) })
    }

    async fn rest_resources(&self, id: &str) -> Result<Vec<Resource>, Undiscovered> {
        let arn = self.gateway_arn(&format!("/restapis/{id}/resources"));
        let call = self.gateway_call(&arn);
        let page = |token: Option<String>| async move {
            let ask = || {
                let call = self.0.rest.get_resources().rest_api_id(id).embed("methods");
                call.limit(PAGE).set_position(token.clone()).send()
            };
            let answer = self.ask(&[&self.0.gateway, &self.0.resources], call, ask).await;
            answer.map(|answer| (answer.items, answer.position))
        };
        self.pages(call, page).await
    }

    async fn rest_authorizers(&self, id: &str) -> Result<Vec<Said>, Undiscovered> {
        let arn = self.gateway_arn(&format!("/restapis/{id}/authorizers"));
        let call = self.gateway_call(&arn);
        let page = |token: Option<String>| async move {
            let ask = || self.0.rest.get_authorizers().rest_api_id(id).limit(PAGE).set_position(token.clone()).send();
            self.ask(&[&self.0.gateway], call, ask).await.map(|answer| (answer.items, answer.position))
        };
        self.pages(call, page).await
    }

    /// ARN of a part of API Gateway, as policies name it.
    pub(super) fn gateway_arn(&self, path: &str) -> String {
        format!("arn:{}:apigateway:{}::{path}", self.0.partition, self.0.region)
    }

    /// A call of API Gateway.
    pub(super) fn gateway_call<'a>(&'a self, arn: &'a str) -> Call<'a> {
        Call { action: GATEWAY, resource: arn, region: &self.0.region }
    }
}

fn logged(settings: Option<&AccessLogSettings>) -> AccessLog {
    let destination = settings.and_then(|s| s.destination_arn.as_deref());
    access_log(destination, settings.and_then(|s| s.format.as_deref()))
}

/// IDs of those that a method asks for its caller.
fn authorizers_in_use(resources: &[Resource]) -> BTreeSet<&str> {
    let methods = resources.iter().flat_map(|r| r.resource_methods.iter().flat_map(|m| m.values()));
    let custom = methods.filter(|m| m.authorization_type.as_deref() == Some("CUSTOM"));
    custom.filter_map(|m| m.authorizer_id.as_deref()).collect()
}

/// What the answers come to.
fn deployed(
    of: &Candidate,
    stage: &GetStageOutput,
    resources: &[Resource],
    authorizers: &[Said],
    place: Place<'_>,
) -> Deployed {
    let variables: Variables = arcs(stage.variables.as_ref());
    let canary = stage.canary_settings.as_ref();
    let overrides: Variables = arcs(canary.and_then(|c| c.stage_variable_overrides.as_ref()));
    let of_canary: Variables =
        variables.iter().chain(&overrides).map(|(k, v)| (Arc::clone(k), Arc::clone(v))).collect();

    let mut methods: Vec<(Endpoint, &Method)> = resources.iter().flat_map(methods).collect();
    methods.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut integrations = Vec::new();
    for (endpoint, method) in &methods {
        let Some(behaved) = &method.method_integration else { continue };
        let own = integration(endpoint, behaved, &variables, place);
        let canary = integration(endpoint, behaved, &of_canary, place);
        let differs = canary.target != own.target;
        integrations.push(own);
        integrations.extend(differs.then_some(canary));
    }
    let authorizer = |said: &Said| {
        let uri = said.authorizer_uri.as_deref()?;
        Some(Authorizer {
            id: said.id.as_deref()?.into(),
            name: said.name.as_deref().unwrap_or_default().into(),
            target: target(Behind::Aws, uri, &variables, place),
            credentials: said.authorizer_credentials.as_deref().map(Arc::from),
        })
    };
    let mut authorizers: Vec<_> = authorizers.iter().filter_map(authorizer).collect();
    authorizers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));

    let group = format!("API-Gateway-Execution-Logs_{}/{}", of.id, of.stage);
    let names: Vec<_> = methods.iter().map(|(endpoint, _)| setting_of(&endpoint.route, &endpoint.method)).collect();
    Deployed {
        stage: of.clone(),
        partition: place.partition.into(),
        region: place.region.into(),
        account: place.account.map(Arc::from),
        access_log: logged(stage.access_log_settings.as_ref()),
        execution_log: levels(stage).execution_log(&group, &names),
        tracing: stage.tracing_enabled,
        canary: canary.is_some(),
        variables,
        integrations,
        authorizers,
        functions: Vec::new(),
        unasked: Vec::new(),
    }
}

fn methods(resource: &Resource) -> impl Iterator<Item = (Endpoint, &Method)> {
    let path = resource.path.as_deref().unwrap_or("/");
    let methods = resource.resource_methods.iter().flatten();
    methods.map(move |(verb, method)| (Endpoint::new(verb, path), method))
}

fn integration(endpoint: &Endpoint, behaved: &Behaved, variables: &Variables, place: Place<'_>) -> Integration {
    let vpc_link = behaved.connection_type == Some(ConnectionType::VpcLink);
    let behind = match behaved.r#type {
        Some(IntegrationType::Mock) => Behind::Mock,
        Some(IntegrationType::Http | IntegrationType::HttpProxy) => Behind::Http { vpc_link },
        _ => Behind::Aws,
    };
    Integration {
        endpoint: endpoint.clone(),
        target: target(behind, behaved.uri.as_deref().unwrap_or_default(), variables, place),
        timeout: u64::try_from(behaved.timeout_in_millis).ok().filter(|ms| *ms > 0).map(Duration::from_millis),
        proxy: matches!(behaved.r#type, Some(IntegrationType::AwsProxy | IntegrationType::HttpProxy)),
        method: behaved.http_method.as_deref().map(Arc::from),
        credentials: behaved.credentials.as_deref().map(Arc::from),
        payload_format: None,
        streaming: behaved.response_transfer_mode == Some(ResponseTransferMode::Stream),
    }
}

/// AWS documentation, "Stage", `methodSettings`: keys are `{resource_path}/{http_method}` and `*/*`; a slash in a path
/// may be written `~1`, as in the patch that set it.
fn levels(stage: &GetStageOutput) -> Levels {
    let mut found = Levels { stage: Level::Off, overrides: BTreeMap::new() };
    for (key, setting) in stage.method_settings.iter().flatten() {
        // What sets something else than a level has the stage's.
        let Some(level) = setting.logging_level.as_deref() else { continue };
        let (key, level) = (key.replace("~1", "/"), Level::parse(Some(level)));
        match key.rsplit_once('/') {
            Some(("*" | "/*", "*")) => found.stage = level,
            Some((path, method)) => {
                found.overrides.insert(setting_of(path, method), level);
            }
            None => {}
        }
    }
    found
}

/// One spelling of a method's key, whatever slashes a path begins with.
fn setting_of(path: &str, method: &str) -> String {
    format!("{}/{method}", path.trim_matches('/'))
}

#[cfg(test)]
mod tests;
