//! APIs planted in moto: what discovery finds and `check` looks at.
//!
//! Builders of parts, each one call or a few, and one whole API ([`Shop`]) that is as it should be; a test that wants a
//! fault makes that part otherwise. Rule: nothing here is asserted; what moto cannot do stands in `moto_server`.

use aws_sdk_apigateway::types::{IntegrationType, Op, PatchOperation};
use aws_sdk_apigatewayv2::types::{AccessLogSettings, ProtocolType};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};

use crate::moto_server::{ACCOUNT, Moto, REGION};

/// The format that explanations need of a REST API: the reference's recommendation, in a shorter list.
pub(crate) const FORMAT: &str = r#"{"requestId":"$context.requestId","extendedRequestId":"$context.extendedRequestId","requestTimeEpoch":"$context.requestTimeEpoch","httpMethod":"$context.httpMethod","resourcePath":"$context.resourcePath","status":"$context.status","responseLatency":"$context.responseLatency","integrationRequestId":"$context.integration.requestId","integrationStatus":"$context.integration.integrationStatus","functionStatus":"$context.integration.status","integrationLatency":"$context.integration.latency","integrationError":"$context.integration.error","errorMessage":"$context.error.message","errorType":"$context.error.responseType"}"#;

/// The smallest ZIP file: its end-of-directory record alone. moto does not look into it.
const NO_CODE: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A function's ARN; the name may have a qualifier behind it.
pub(crate) fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// How a REST or WebSocket API names a function; the name may hold stage variables.
pub(crate) fn invocation(name: &str) -> String {
    format!("arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{}/invocations", function_arn(name))
}

/// ARN of a log group, as a stage's settings have it.
pub(crate) fn group_arn(group: &str) -> String {
    format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}")
}

/// Makes a function whose timeout is so many seconds; its version 1 is published.
pub(crate) async fn function(moto: &Moto, name: &str, timeout_s: i32) {
    let code = FunctionCode::builder().zip_file(Blob::new(NO_CODE)).build();
    let create = moto.lambda().create_function().function_name(name).role(moto.role("functions")).code(code);
    let create = create.runtime(Runtime::from("nodejs22.x")).handler("index.handler").memory_size(512);
    create.timeout(timeout_s).publish(true).send().await.expect("moto makes a function");
}

/// Names the function's version 1.
pub(crate) async fn alias(moto: &Moto, function: &str, alias: &str) {
    let create = moto.lambda().create_alias().function_name(function).name(alias).function_version("1");
    create.send().await.expect("moto makes an alias");
}

/// Permits API Gateway to invoke a function, of this qualifier, for what fits the pattern behind
/// `arn:aws:execute-api:REGION:ACCOUNT:`.
pub(crate) async fn permit(moto: &Moto, function: &str, qualifier: Option<&str>, source: &str) {
    let id = format!(
        "gateway-{}",
        source.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>()
    );
    let add = moto.lambda().add_permission().function_name(function).statement_id(id);
    let add = add.action("lambda:InvokeFunction").principal("apigateway.amazonaws.com");
    let add = add.set_qualifier(qualifier.map(str::to_owned));
    let add = add.source_arn(format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{source}"));
    add.send().await.expect("moto adds a permission");
}

/// What answers a method or route.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    pub(crate) kind: IntegrationType,
    pub(crate) uri: Option<String>,
    /// The method by which it is asked.
    pub(crate) method: &'static str,
    pub(crate) timeout_ms: i32,
    /// ARN of a role.
    pub(crate) credentials: Option<String>,
}

impl Behind {
    /// A function, passed through; the name may hold stage variables.
    pub(crate) fn function(name: &str) -> Self {
        let uri = Some(invocation(name));
        Self { kind: IntegrationType::AwsProxy, uri, method: "POST", timeout_ms: 29_000, credentials: None }
    }

    /// The gateway itself.
    pub(crate) fn mock() -> Self {
        Self { kind: IntegrationType::Mock, uri: None, ..Self::function("") }
    }
}

/// How a stage is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage<'a> {
    pub(crate) name: &'a str,
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Where the access log goes (an ARN), and its format.
    pub(crate) access_log: Option<(String, &'a str)>,
    /// Levels of the execution log by method: `*/*`, `~1checkout/POST`. REST APIs only.
    pub(crate) levels: &'a [(&'a str, &'a str)],
    pub(crate) tracing: bool,
}

/// A REST API.
pub(crate) struct RestApi<'a> {
    moto: &'a Moto,
    pub(crate) id: String,
}

impl<'a> RestApi<'a> {
    pub(crate) async fn plant(moto: &'a Moto, name: &str) -> Self {
        let made = moto.rest().create_rest_api().name(name).send().await.expect("moto makes a REST API");
        Self { moto, id: made.id.expect("an API has an ID") }
    }

    /// The ID of the resource at a path, which is made with all that lead to it.
    async fn resource(&self, path: &str) -> String {
        let rest = self.moto.rest();
        let known = rest.get_resources().rest_api_id(&self.id).send().await.expect("moto lists resources");
        let known = known.items.unwrap_or_default();
        let at = |path: &str| known.iter().find(|r| r.path.as_deref() == Some(path)).and_then(|r| r.id.clone());
        let mut parent = at("/").expect("an API has a root");
        let mut so_far = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            so_far.push('/');
            so_far.push_str(part);
            parent = if let Some(id) = at(&so_far) {
                id
            } else {
                let make = rest.create_resource().rest_api_id(&self.id).parent_id(parent).path_part(part);
                make.send().await.expect("moto makes a resource").id.expect("a resource has an ID")
            };
        }
        parent
    }

    /// A method; with an authorizer's ID it is guarded.
    pub(crate) async fn method(&self, method: &str, path: &str, behind: &Behind, authorizer: Option<&str>) {
        let (rest, resource) = (self.moto.rest(), self.resource(path).await);
        let put = rest.put_method().rest_api_id(&self.id).resource_id(&resource).http_method(method);
        let put = put.authorization_type(if authorizer.is_some() { "CUSTOM" } else { "NONE" });
        let put = put.set_authorizer_id(authorizer.map(str::to_owned));
        put.send().await.expect("moto makes a method");
        let put = rest.put_integration().rest_api_id(&self.id).resource_id(&resource).http_method(method);
        let put = put.r#type(behind.kind.clone()).set_uri(behind.uri.clone()).integration_http_method(behind.method);
        let put = put.timeout_in_millis(behind.timeout_ms).set_credentials(behind.credentials.clone());
        put.send().await.expect("moto makes an integration");
    }

    /// A Lambda authorizer; returns its ID.
    pub(crate) async fn authorizer(&self, name: &str, function: &str) -> String {
        let make = self.moto.rest().create_authorizer().rest_api_id(&self.id).name(name);
        let make = make.r#type(aws_sdk_apigateway::types::AuthorizerType::Token).authorizer_uri(invocation(function));
        let make = make.identity_source("method.request.header.Authorization");
        make.send().await.expect("moto makes an authorizer").id.expect("an authorizer has an ID")
    }

    /// Deploys what there is as a stage.
    pub(crate) async fn deploy(&self, stage: &Stage<'_>) {
        let rest = self.moto.rest();
        let deployed = rest.create_deployment().rest_api_id(&self.id).send().await.expect("moto deploys");
        let make = rest.create_stage().rest_api_id(&self.id).stage_name(stage.name).tracing_enabled(stage.tracing);
        let variables = stage.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let make = make.set_variables(Some(variables.collect()));
        let make = make.deployment_id(deployed.id.expect("a deployment has an ID"));
        make.send().await.expect("moto makes a stage");
        let replace =
            |path: &str, value: &str| PatchOperation::builder().op(Op::Replace).path(path).value(value).build();
        let mut patches = Vec::new();
        if let Some((arn, format)) = &stage.access_log {
            patches.push(replace("/accessLogSettings/destinationArn", arn));
            patches.push(replace("/accessLogSettings/format", format));
        }
        patches
            .extend(stage.levels.iter().map(|(method, level)| replace(&format!("/{method}/logging/loglevel"), level)));
        if !patches.is_empty() {
            let update = rest.update_stage().rest_api_id(&self.id).stage_name(stage.name);
            update.set_patch_operations(Some(patches)).send().await.expect("moto sets a stage");
        }
    }
}

/// An HTTP or WebSocket API.
pub(crate) struct HttpApi<'a> {
    moto: &'a Moto,
    pub(crate) id: String,
}

impl<'a> HttpApi<'a> {
    pub(crate) async fn plant(moto: &'a Moto, name: &str, kind: ProtocolType) -> Self {
        let make = moto.http().create_api().name(name).protocol_type(kind.clone());
        // WebSocket APIs tell their routes by it.
        let make = make.set_route_selection_expression(
            (kind == ProtocolType::Websocket).then(|| "$request.body.action".to_owned()),
        );
        let api = make.send().await.expect("moto makes an API");
        Self { moto, id: api.api_id.expect("an API has an ID") }
    }

    /// A route to a function, by the address that is said.
    pub(crate) async fn route(&self, key: &str, uri: &str) {
        let http = self.moto.http();
        let make = http.create_integration().api_id(&self.id).integration_uri(uri).integration_method("POST");
        let make = make.integration_type(aws_sdk_apigatewayv2::types::IntegrationType::AwsProxy);
        let integration = make.payload_format_version("2.0").send().await.expect("moto makes an integration");
        let target = format!("integrations/{}", integration.integration_id.expect("an integration has an ID"));
        let make = http.create_route().api_id(&self.id).route_key(key).target(target);
        make.send().await.expect("moto makes a route");
    }

    /// A stage.
    pub(crate) async fn deploy(&self, stage: &Stage<'_>) {
        let make = self.moto.http().create_stage().api_id(&self.id).stage_name(stage.name).auto_deploy(true);
        let variables = stage.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let make = make.set_stage_variables(Some(variables.collect()));
        let log = stage
            .access_log
            .as_ref()
            .map(|(arn, format)| AccessLogSettings::builder().destination_arn(arn).format(*format).build());
        make.set_access_log_settings(log).send().await.expect("moto makes a stage");
    }
}

/// A REST API called `shop`, as it should be; a test deploys it as [`Shop::prod`], or with something set otherwise.
///
/// | endpoint | function |
/// | --- | --- |
/// | `ANY /{proxy+}` | `catch-all-fn`, by the stage variable `fn` |
/// | `POST /checkout` | `checkout-fn:live`, an alias; guarded by the authorizer `tokens`, which is `auth-fn` |
/// | `OPTIONS /checkout` | none: the gateway answers |
///
/// Their timeouts are below that of the integration, each may be invoked, the access log goes to [`Shop::ACCESS_GROUP`]
/// in [`FORMAT`], and the log groups exist.
pub(crate) struct Shop<'a> {
    pub(crate) api: RestApi<'a>,
}

impl<'a> Shop<'a> {
    pub(crate) const ACCESS_GROUP: &'static str = "/aws/apigateway/shop-prod";

    pub(crate) async fn plant(moto: &'a Moto) -> Self {
        let api = RestApi::plant(moto, "shop").await;
        for (name, timeout_s) in [("catch-all-fn", 10), ("checkout-fn", 28), ("auth-fn", 5)] {
            function(moto, name, timeout_s).await;
            moto.create_group(&format!("/aws/lambda/{name}"), &[]).await;
        }
        moto.create_group(Self::ACCESS_GROUP, &[]).await;
        alias(moto, "checkout-fn", "live").await;
        let id = &api.id;
        permit(moto, "catch-all-fn", None, &format!("{id}/*/*/*")).await;
        permit(moto, "checkout-fn", Some("live"), &format!("{id}/prod/POST/checkout")).await;
        let tokens = api.authorizer("tokens", "auth-fn").await;
        permit(moto, "auth-fn", None, &format!("{id}/authorizers/{tokens}")).await;
        api.method("ANY", "/{proxy+}", &Behind::function("${stageVariables.fn}"), None).await;
        api.method("POST", "/checkout", &Behind::function("checkout-fn:${stageVariables.alias}"), Some(&tokens)).await;
        api.method("OPTIONS", "/checkout", &Behind::mock(), None).await;
        Self { api }
    }

    /// Its stage `prod`.
    pub(crate) fn prod() -> Stage<'static> {
        Stage {
            name: "prod",
            variables: &[("fn", "catch-all-fn"), ("alias", "live")],
            access_log: Some((group_arn(Self::ACCESS_GROUP), FORMAT)),
            ..Stage::default()
        }
    }
}
