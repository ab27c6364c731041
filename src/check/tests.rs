//! Every check on an API that is well, and on the same with one thing wrong.

use std::sync::Arc;
use std::time::Duration;

use super::evidence::{
    Api, Caller, Evidence, Listed, LogGroup, Polling, Purpose, Read, Sample, Stage, Subscription, Topic,
    TopicAttributes,
};
use super::findings;
use crate::model::access_format::recommended;
use crate::model::deployed::{
    AccessLog, Asked, Authorizer, Candidate, Deployed, ExecutionLog, Function, FunctionRef, FunctionSettings,
    Integration, Statement, Target, Unasked,
};
use crate::model::finding::{Check, Finding, Level, Sums};
use crate::model::inventory::ApiKind;
use crate::model::problem::Problem;
use crate::model::request::Endpoint;

const ACCOUNT: &str = "111122223333";
const ACCESS: &str = "/aws/apigateway/shop-prod";
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:ops";

fn reference(name: &str, qualifier: Option<&str>) -> FunctionRef {
    FunctionRef {
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account: ACCOUNT.into(),
        name: name.into(),
        qualifier: qualifier.map(Into::into),
    }
}

fn integration(method: &str, route: &str, function: &FunctionRef) -> Integration {
    Integration {
        endpoint: Endpoint::new(method, route),
        target: Target::Lambda(function.clone()),
        timeout: Some(Duration::from_secs(29)),
        proxy: true,
        method: Some("POST".into()),
        credentials: None,
        payload_format: None,
        streaming: false,
    }
}

fn statement(source: &str) -> Statement {
    Statement {
        allows: true,
        principals: vec!["apigateway.amazonaws.com".into()],
        actions: vec!["lambda:InvokeFunction".into()],
        source_arns: vec![source.into()],
        source_accounts: Vec::new(),
        other_conditions: Vec::new(),
    }
}

fn function(reference: &FunctionRef, sources: &[&str]) -> Function {
    let settings = FunctionSettings {
        timeout: Duration::from_secs(10),
        memory_mb: 512,
        runtime: Some("nodejs22.x".into()),
        log_group: format!("/aws/lambda/{}", reference.name).into(),
        json_logs: false,
        unfit: None,
    };
    let policy = sources.iter().map(|source| statement(source)).collect();
    Function { reference: reference.clone(), settings: Asked::Is(settings), policy: Asked::Is(policy) }
}

fn group(name: &str, purpose: Purpose) -> LogGroup {
    LogGroup {
        name: name.into(),
        purpose,
        listed: Listed::Is { class: "STANDARD".into(), days: Some(30) },
        read: Read::Can,
    }
}

fn unasked(action: &'static str, problem: Problem) -> Unasked {
    Unasked { action, resource: "arn:of:it".into(), problem, said: "the service said so".into() }
}

/// A REST API with a proxy resource, an alias, an authorizer, and a topic with a subscription.
fn healthy() -> Evidence {
    let (checkout, guard) = (reference("checkout-fn", Some("live")), reference("guard-fn", None));
    let stage = Candidate { name: "shop".into(), id: "a1b2c3d4e5".into(), kind: ApiKind::Rest, stage: "prod".into() };
    let base = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5";
    let deployed = Deployed {
        stage,
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account: Some(ACCOUNT.into()),
        access_log: AccessLog::Group {
            arn: format!("arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{ACCESS}").into(),
            format: recommended(ApiKind::Rest).into(),
        },
        execution_log: ExecutionLog::Off,
        tracing: false,
        canary: false,
        variables: std::collections::BTreeMap::new(),
        integrations: vec![integration("POST", "/checkout", &checkout), integration("ANY", "/{proxy+}", &checkout)],
        authorizers: vec![Authorizer {
            id: "au7h".into(),
            name: "guard".into(),
            target: Target::Lambda(guard.clone()),
            credentials: None,
        }],
        functions: vec![
            function(&checkout, &[&format!("{base}/*/POST/checkout"), &format!("{base}/prod/*/*")]),
            function(&guard, &[&format!("{base}/authorizers/au7h")]),
        ],
        unasked: Vec::new(),
    };
    let api = Api {
        name: "shop".into(),
        region: "eu-west-1".into(),
        groups: vec![
            group(ACCESS, Purpose::Access),
            group("/aws/lambda/checkout-fn", Purpose::Lambda),
            group("/aws/lambda/guard-fn", Purpose::Lambda),
        ],
        format_agrees: Some(true),
        stage: Stage::Found(Box::new(deployed)),
        sample: None,
        refused: None,
    };
    let topic = Topic {
        arn: TOPIC.into(),
        sink: TOPIC.into(),
        attributes: Ok(TopicAttributes::default()),
        subscriptions: Ok(vec![Subscription { protocol: "email".into(), confirmed: true }]),
    };
    Evidence {
        caller: Ok(Caller {
            account: ACCOUNT.into(),
            arn: "arn:aws:iam::111122223333:user/ops".into(),
            region: "eu-west-1".into(),
        }),
        apis: vec![api],
        topics: vec![topic],
        polling: vec![Polling { place: "eu-west-1".into(), said: "3 log groups".to_owned(), short: false }],
        reach: Duration::from_hours(6),
    }
}

fn deployed(evidence: &mut Evidence) -> &mut Deployed {
    let Stage::Found(deployed) = &mut evidence.apis[0].stage else { panic!("no stage") };
    deployed
}

fn settings(evidence: &mut Evidence) -> &mut FunctionSettings {
    let Asked::Is(settings) = &mut deployed(evidence).functions[0].settings else { panic!("no settings") };
    settings
}

fn format(evidence: &mut Evidence, text: &str) {
    let AccessLog::Group { format, .. } = &mut deployed(evidence).access_log else { panic!("no group") };
    *format = text.into();
}

/// The same as an HTTP API: routes as they stand, a default route, payload 2.0.
fn http() -> Evidence {
    let mut evidence = healthy();
    let of = reference("checkout-fn", Some("live"));
    let base = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5";
    let api = deployed(&mut evidence);
    api.stage.kind = ApiKind::Http;
    api.stage.stage = "$default".into();
    api.execution_log = ExecutionLog::Never;
    api.integrations = vec![integration("GET", "/pets/{id}", &of), integration("ANY", "$default", &of)];
    for integration in &mut api.integrations {
        integration.timeout = None;
        integration.payload_format = Some("2.0".into());
    }
    api.functions[0] = function(&of, &[&format!("{base}/*/*/pets/{{id}}"), &format!("{base}/*/$default")]);
    format(&mut evidence, &recommended(ApiKind::Http));
    evidence
}

/// A WebSocket API.
fn websocket() -> Evidence {
    let mut evidence = healthy();
    let of = reference("checkout-fn", Some("live"));
    let api = deployed(&mut evidence);
    api.stage.kind = ApiKind::WebSocket;
    api.integrations = vec![integration("-", "$connect", &of), integration("-", "say", &of)];
    let base = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod";
    api.functions[0] = function(&of, &[&format!("{base}/$connect"), &format!("{base}/say")]);
    format(&mut evidence, &recommended(ApiKind::WebSocket));
    evidence
}

fn wrong(evidence: &Evidence) -> Vec<Finding> {
    findings(evidence).into_iter().filter(|f| f.level != Level::Ok).collect()
}

#[test]
fn of_what_is_well_nothing_else_is_said() {
    for (kind, evidence) in [("REST", healthy()), ("HTTP", http()), ("WebSocket", websocket())] {
        assert_eq!(wrong(&evidence), [], "{kind}");
        assert!(Sums::of(&findings(&evidence)).oks > 15, "{kind}");
    }
    let checks: std::collections::BTreeSet<_> = findings(&healthy()).iter().map(|f| f.check).collect();
    let said: Vec<_> = Check::ALL.iter().filter(|check| !checks.contains(check)).collect();
    assert_eq!(said, [&Check::ConfiguredFormat; 0], "each check tells that it is well");
}

/// One thing that is wrong with the healthy API, and all that is then found.
struct Case {
    name: &'static str,
    plant: fn(&mut Evidence),
    want: &'static [(Check, Level, &'static str)],
    /// A part of the first one's text, fix or command.
    said: &'static str,
}

const fn case(
    name: &'static str,
    plant: fn(&mut Evidence),
    want: &'static [(Check, Level, &'static str)],
    said: &'static str,
) -> Case {
    Case { name, plant, want, said }
}

use Level::{Fault, Warning};

const STAGE: &str = "stage a1b2c3d4e5/prod";
const FUNCTION: &str = "function checkout-fn:live";

const CASES: &[Case] = &[
    case(
        "access log off",
        |e| deployed(e).access_log = AccessLog::Off,
        &[(Check::AccessLog, Fault, STAGE)],
        "aws apigateway update-stage --region eu-west-1 --rest-api-id a1b2c3d4e5 --stage-name prod --patch-operations \
         '[{\"op\":\"replace\",\"path\":\"/accessLogSettings/destinationArn\",\"value\":\
         \"arn:aws:logs:eu-west-1:111122223333:log-group:/aws/apigateway/shop-prod\"},",
    ),
    case(
        "access log off, nothing configured",
        |e| {
            deployed(e).access_log = AccessLog::Off;
            e.apis[0].groups.remove(0);
        },
        &[(Check::AccessLog, Fault, STAGE)],
        "aws logs create-log-group --region eu-west-1 --log-group-name /aws/apigateway/shop-prod && aws apigateway update-stage",
    ),
    case(
        "Firehose",
        |e| deployed(e).access_log = AccessLog::Firehose { arn: "arn:aws:firehose:x".into() },
        &[(Check::AccessLog, Fault, STAGE)],
        "arn:aws:firehose:x, where it cannot be read",
    ),
    case(
        "another group is configured",
        |e| e.apis[0].groups[0].name = "/other".into(),
        &[(Check::AccessLog, Fault, STAGE)],
        "access_log_groups = [\"/aws/apigateway/shop-prod\"]",
    ),
    case(
        "no integration.requestId",
        |e| format(e, &recommended(ApiKind::Rest).replace("$context.integration.requestId", "")),
        &[(Check::ExactJoin, Fault, STAGE)],
        "\"path\":\"/accessLogSettings/format\",\"value\":\"{\\\"requestId\\\":\\\"$context.requestId\\\",",
    ),
    case(
        "no integration.requestId, and the function logs nothing that helps",
        |e| {
            format(e, &recommended(ApiKind::Rest).replace("$context.integration.requestId", ""));
            e.apis[0].sample = Some(Sample { requests: 2, logged: 0 });
        },
        &[(Check::ExactJoin, Fault, STAGE)],
        "the functions' logs hold the request ID of none of the last 2 requests.",
    ),
    case(
        "no integration.requestId, but the function logs the API's",
        |e| {
            format(e, &recommended(ApiKind::Rest).replace("$context.integration.requestId", ""));
            e.apis[0].sample = Some(Sample { requests: 2, logged: 1 });
        },
        &[],
        "",
    ),
    case(
        "no integration.requestId, but an execution log",
        |e| {
            format(e, &recommended(ApiKind::Rest).replace("$context.integration.requestId", ""));
            let name = "API-Gateway-Execution-Logs_a1b2c3d4e5/prod";
            deployed(e).execution_log = ExecutionLog::On { group: name.into(), all: true, every_method: true };
            e.apis[0].groups.push(group(name, Purpose::Execution));
        },
        &[],
        "",
    ),
    case(
        "the console's format",
        |e| {
            format(
                e,
                r#"{ "requestId":"$context.requestId", "ip": "$context.identity.sourceIp", "requestTime":"$context.requestTime", "httpMethod":"$context.httpMethod", "resourcePath":"$context.resourcePath", "status":"$context.status", "responseLength":"$context.responseLength" }"#,
            );
        },
        &[(Check::ExactJoin, Fault, STAGE), (Check::AccessLogFormat, Warning, STAGE)],
        "guessed",
    ),
    case(
        "no status",
        |e| format(e, &recommended(ApiKind::Rest).replace("$context.status", "")),
        &[(Check::AccessLogFormat, Fault, STAGE)],
        "Without $context.status requests cannot be counted.",
    ),
    case(
        "raw paths",
        |e| format(e, &recommended(ApiKind::Rest).replace("resourcePath", "path")),
        &[(Check::AccessLogFormat, Warning, STAGE)],
        "Without $context.resourcePath endpoints are guessed",
    ),
    case(
        "no route",
        |e| format(e, &recommended(ApiKind::Rest).replace("$context.resourcePath", "")),
        &[(Check::AccessLogFormat, Fault, STAGE)],
        "cannot be told apart",
    ),
    case(
        "numbers without quotes",
        |e| format(e, &recommended(ApiKind::Rest).replace("\"$context.responseLatency\"", "$context.responseLatency")),
        &[(Check::AccessLogFormat, Warning, STAGE)],
        "$context.responseLatency stand without quotes",
    ),
    case(
        "messageString",
        |e| format(e, &recommended(ApiKind::Rest).replace("error.message", "error.messageString")),
        &[(Check::AccessLogFormat, Warning, STAGE)],
        "brings quotes of its own",
    ),
    case(
        "another format is configured",
        |e| e.apis[0].format_agrees = Some(false),
        &[(Check::ConfiguredFormat, Fault, STAGE)],
        "Leave the key out, or set it to the stage's: {\"requestId\"",
    ),
    case(
        "execution log configured and off",
        |e| e.apis[0].groups.push(group("API-Gateway-Execution-Logs_a1b2c3d4e5/prod", Purpose::Execution)),
        &[(Check::ExecutionLog, Warning, STAGE)],
        "--patch-operations 'op=replace,path=/*/*/logging/loglevel,value=INFO'",
    ),
    case(
        "execution log counts and tells of failures only",
        |e| {
            let name = "API-Gateway-Execution-Logs_a1b2c3d4e5/prod";
            deployed(e).execution_log = ExecutionLog::On { group: name.into(), all: false, every_method: true };
            e.apis[0].groups[0] = group(name, Purpose::Execution);
        },
        &[(Check::ExecutionLog, Fault, STAGE)],
        "failures only (level ERROR)",
    ),
    case(
        "access log group missing",
        |e| {
            e.apis[0].groups[0].read = Read::Cannot(unasked("logs:FilterLogEvents", Problem::NotFound));
            e.apis[0].groups[0].listed = Listed::Missing;
        },
        &[(Check::LogGroup, Fault, "log group /aws/apigateway/shop-prod")],
        "aws logs create-log-group --region eu-west-1 --log-group-name /aws/apigateway/shop-prod",
    ),
    case(
        "Lambda log group missing",
        |e| {
            e.apis[0].groups[1].read = Read::Cannot(unasked("logs:FilterLogEvents", Problem::NotFound));
            e.apis[0].groups[1].listed = Listed::Missing;
        },
        &[(Check::LogGroup, Warning, "log group /aws/lambda/checkout-fn")],
        "when the function runs for the first time",
    ),
    case(
        "Infrequent Access",
        |e| {
            e.apis[0].groups[1].read = Read::Cannot(unasked("logs:FilterLogEvents", Problem::Unsupported));
            e.apis[0].groups[1].listed = Listed::Is { class: "INFREQUENT_ACCESS".into(), days: None };
        },
        &[(Check::LogClass, Fault, "log group /aws/lambda/checkout-fn")],
        "INFREQUENT_ACCESS, and FilterLogEvents needs Standard",
    ),
    case(
        "kept too short",
        |e| {
            e.apis[0].groups[0].listed = Listed::Is { class: "STANDARD".into(), days: Some(1) };
            e.reach = Duration::from_hours(25);
        },
        &[(Check::Retention, Warning, "log group /aws/apigateway/shop-prod")],
        "aws logs put-retention-policy --region eu-west-1 --log-group-name /aws/apigateway/shop-prod --retention-in-days 3",
    ),
    case(
        "no group fits a pattern",
        |e| {
            let mut none = group("/aws/lambda/blog-*", Purpose::Lambda);
            (none.listed, none.read) = (Listed::NoneFits, Read::Untried);
            e.apis[0].groups.push(none);
        },
        &[(Check::LogGroup, Warning, "log group /aws/lambda/blog-*")],
        "No log group fits",
    ),
    case(
        "reading denied",
        |e| e.apis[0].groups[0].read = Read::Cannot(unasked("logs:FilterLogEvents", Problem::Denied)),
        &[(Check::Permission, Fault, "action logs:FilterLogEvents")],
        r#"{"Action":"logs:FilterLogEvents","Effect":"Allow","Resource":["arn:of:it"]}"#,
    ),
    case(
        "listing denied",
        |e| e.apis[0].groups[0].listed = Listed::Unasked(unasked("logs:DescribeLogGroups", Problem::Denied)),
        &[(Check::Permission, Warning, "action logs:DescribeLogGroups")],
        "class and retention of log groups are not known",
    ),
    case(
        "listing denied, for a pattern",
        |e| {
            let mut pattern = group("/aws/lambda/*", Purpose::Lambda);
            pattern.listed = Listed::Unasked(unasked("logs:DescribeLogGroups", Problem::Denied));
            pattern.read = Read::Untried;
            e.apis[0].groups.push(pattern);
        },
        &[(Check::Permission, Fault, "action logs:DescribeLogGroups")],
        "patterns cannot be looked up",
    ),
    case(
        "policies denied",
        |e| {
            deployed(e).functions[0].policy = Asked::Unknown;
            deployed(e).unasked.push(unasked("lambda:GetPolicy", Problem::Denied));
        },
        &[(Check::Permission, Warning, "action lambda:GetPolicy")],
        "whether API Gateway may invoke functions is not known",
    ),
    case(
        "discovery denied",
        |e| {
            let why = unasked("apigateway:GET", Problem::Denied);
            e.apis[0].stage = Stage::Unasked { why, needed: true };
        },
        &[(Check::Permission, Fault, "action apigateway:GET")],
        "stages, integrations and authorizers are not known",
    ),
    case(
        "a stage variable is missing",
        |e| {
            let target = Target::Unclear { uri: "arn:x".into(), variable: Some("fn".into()) };
            for integration in &mut deployed(e).integrations {
                integration.target = target.clone();
            }
            deployed(e).functions.remove(0);
        },
        &[(Check::Target, Fault, "stage variable fn")],
        "--patch-operations op=replace,path=/variables/fn,value=VALUE",
    ),
    case(
        "an address is not understood",
        |e| {
            deployed(e).integrations[0].target = Target::Unclear { uri: "arn:x".into(), variable: None };
        },
        &[(Check::Target, Warning, "endpoint POST /checkout")],
        "arn:x",
    ),
    case(
        "the integration's method",
        |e| deployed(e).integrations[0].method = Some("GET".into()),
        &[(Check::Integration, Fault, "endpoint POST /checkout")],
        "aws apigateway update-integration --region eu-west-1 --rest-api-id a1b2c3d4e5 --resource-id RESOURCE_ID \
         --http-method POST --patch-operations op=replace,path=/httpMethod,value=POST && aws apigateway create-deployment",
    ),
    case(
        "answers are mapped",
        |e| {
            for integration in &mut deployed(e).integrations {
                integration.proxy = false;
            }
        },
        &[(Check::Integration, Warning, FUNCTION)],
        "POST /checkout, ANY /{proxy+} maps",
    ),
    case(
        "no such alias",
        |e| deployed(e).functions[0].settings = Asked::Missing,
        &[(Check::Target, Fault, FUNCTION)],
        "aws lambda create-alias --region eu-west-1 --function-name checkout-fn --name live --function-version VERSION",
    ),
    case(
        "no such function",
        |e| deployed(e).functions[1].settings = Asked::Missing,
        &[(Check::Target, Fault, "function guard-fn")],
        "There is no such function, but authorizer guard is served by it",
    ),
    case(
        "a function that failed",
        |e| settings(e).unfit = Some("Failed: the image is gone".into()),
        &[(Check::FunctionState, Fault, FUNCTION)],
        "Failed: the image is gone.",
    ),
    case(
        "longer than the gateway waits",
        |e| settings(e).timeout = Duration::from_mins(1),
        &[(Check::Timeout, Fault, FUNCTION)],
        "aws lambda update-function-configuration --region eu-west-1 --function-name checkout-fn --timeout 28",
    ),
    case(
        "as long as the gateway waits",
        |e| settings(e).timeout = Duration::from_secs(29),
        &[(Check::Timeout, Warning, FUNCTION)],
        "--timeout 28",
    ),
    case(
        "one endpoint waits for less",
        |e| deployed(e).integrations[1].timeout = Some(Duration::from_millis(5_500)),
        &[(Check::Timeout, Fault, FUNCTION)],
        "but for ANY /{proxy+} the gateway stops waiting after 5.5 s",
    ),
    case(
        "a streamed answer",
        |e| {
            settings(e).timeout = Duration::from_mins(5);
            for integration in &mut deployed(e).integrations {
                integration.streaming = true;
            }
        },
        &[],
        "",
    ),
    case(
        "the function logs elsewhere",
        |e| settings(e).log_group = "/shop/all".into(),
        &[(Check::FunctionLog, Warning, FUNCTION)],
        "Add \"/shop/all\" to lambda_log_groups",
    ),
    case(
        "a permission for another stage",
        |e| {
            let other = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/test/*";
            deployed(e).functions[0].policy = Asked::Is(vec![statement(other)]);
        },
        &[(Check::InvokePermission, Fault, FUNCTION)],
        "aws lambda add-permission --region eu-west-1 --function-name checkout-fn:live --statement-id \
         apigateway-a1b2c3d4e5-prod --action lambda:InvokeFunction --principal apigateway.amazonaws.com --source-arn \
         'arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/*'",
    ),
    case(
        "a permission for one endpoint is missing",
        |e| {
            let Asked::Is(policy) = &mut deployed(e).functions[0].policy else { panic!("no policy") };
            policy.remove(1);
        },
        &[(Check::InvokePermission, Fault, FUNCTION)],
        "--statement-id apigateway-a1b2c3d4e5-prod-ANY---proxy --action lambda:InvokeFunction --principal \
         apigateway.amazonaws.com --source-arn 'arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/*/*'",
    ),
    case(
        "no policy at all",
        |e| deployed(e).functions[1].policy = Asked::Is(Vec::new()),
        &[(Check::InvokePermission, Fault, "function guard-fn")],
        "--source-arn arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/authorizers/au7h",
    ),
    case(
        "a role instead of a policy",
        |e| {
            deployed(e).functions[0].policy = Asked::Is(Vec::new());
            for integration in &mut deployed(e).integrations {
                integration.credentials = Some("arn:aws:iam::111122223333:role/gateway".into());
            }
        },
        &[],
        "",
    ),
    case(
        "a condition that is not understood",
        |e| {
            let Asked::Is(policy) = &mut deployed(e).functions[1].policy else { panic!("no policy") };
            policy[0].other_conditions.push("aws:PrincipalOrgID".into());
        },
        &[(Check::InvokePermission, Warning, "function guard-fn")],
        "is not sure: a statement allows it under conditions that are not decided here (aws:PrincipalOrgID)",
    ),
    case(
        "a denial",
        |e| {
            let denial = Statement { allows: false, ..statement("*") };
            let Asked::Is(policy) = &mut deployed(e).functions[1].policy else { panic!("no policy") };
            policy.push(denial);
        },
        &[(Check::InvokePermission, Fault, "function guard-fn")],
        "aws lambda get-policy --region eu-west-1 --function-name guard-fn --query Policy --output text",
    ),
    case(
        "no such topic",
        |e| {
            e.topics[0].attributes = Err(unasked("sns:GetTopicAttributes", Problem::NotFound));
            e.topics[0].subscriptions = Err(unasked("sns:ListSubscriptionsByTopic", Problem::NotFound));
        },
        &[(Check::Topic, Fault, "topic arn:aws:sns:eu-west-1:111122223333:ops")],
        "aws sns create-topic --region eu-west-1 --name ops",
    ),
    case(
        "nobody has subscribed",
        |e| e.topics[0].subscriptions = Ok(Vec::new()),
        &[(Check::Subscriptions, Fault, "topic arn:aws:sns:eu-west-1:111122223333:ops")],
        "aws sns subscribe --region eu-west-1 --topic-arn arn:aws:sns:eu-west-1:111122223333:ops --protocol email \
         --notification-endpoint ADDRESS",
    ),
    case(
        "nobody has confirmed",
        |e| e.topics[0].subscriptions = Ok(vec![Subscription { protocol: "email".into(), confirmed: false }]),
        &[(Check::Subscriptions, Fault, "topic arn:aws:sns:eu-west-1:111122223333:ops")],
        "No subscription has been confirmed (email pending)",
    ),
    case(
        "one has not confirmed",
        |e| {
            let pending = Subscription { protocol: "email".into(), confirmed: false };
            e.topics[0].subscriptions.as_mut().expect("known").push(pending);
        },
        &[(Check::Subscriptions, Warning, "topic arn:aws:sns:eu-west-1:111122223333:ops")],
        "1 subscription not confirmed (email) and get nothing; 1 confirmed.",
    ),
    case(
        "the topic may not be looked at",
        |e| e.topics[0].attributes = Err(unasked("sns:GetTopicAttributes", Problem::Denied)),
        &[(Check::Permission, Warning, "action sns:GetTopicAttributes")],
        "whether anybody gets what is published is not known",
    ),
    case(
        "too many log groups",
        |e| e.polling[0].short = true,
        &[(Check::Polling, Warning, "region eu-west-1")],
        "poll.quota_share",
    ),
    case(
        "AWS does not say who asks",
        |e| e.caller = Err(unasked("sts:GetCallerIdentity", Problem::Unreachable)),
        &[(Check::Credentials, Warning, "caller arn:of:it")],
        "could not be asked who this is: the service said so.",
    ),
    case(
        "no such API",
        |e| {
            let names: Vec<Arc<str>> = vec!["shop".into(), "shoe".into()];
            e.apis[0].stage = Stage::Absent { wanted: "shp/prod".into(), stages: Vec::new(), names };
            e.apis[0].groups.clear();
        },
        &[(Check::Stage, Fault, "stage shp/prod")],
        "Say which: there are shop, shoe.",
    ),
    case(
        "several stages",
        |e| {
            let among =
                vec![deployed(e).stage.clone(), Candidate { stage: "test".into(), ..deployed(e).stage.clone() }];
            e.apis[0].stage = Stage::Ambiguous { wanted: "shop".into(), among };
            e.apis[0].groups.clear();
        },
        &[(Check::Stage, Fault, "stage shop")],
        "Say which: a1b2c3d4e5/prod (shop), a1b2c3d4e5/test (shop).",
    ),
    case(
        "no stage writes there",
        |e| e.apis[0].stage = Stage::Untold { among: Vec::new() },
        &[(Check::Stage, Warning, "stage shop")],
        "discover = \"NAME/STAGE\"",
    ),
];

#[test]
fn what_is_wrong_is_found_and_nothing_else() {
    for Case { name, plant, want, said } in CASES {
        let mut evidence = healthy();
        plant(&mut evidence);
        let found = wrong(&evidence);
        let got: Vec<_> = found.iter().map(|f| (f.check, f.level, f.subject.to_string())).collect();
        let want: Vec<_> = want.iter().map(|(check, level, subject)| (*check, *level, (*subject).to_owned())).collect();
        assert_eq!(got, want, "{name}: {found:#?}");
        let Some(first) = found.first() else { continue };
        let fix = first.fix.as_ref();
        let all = [Some(first.text.as_str()), fix.map(|f| f.text.as_str()), fix.and_then(|f| f.command.as_deref())];
        assert!(all.into_iter().flatten().any(|text| text.contains(said)), "{name}: `{said}` is not in {first:#?}");
    }
}

#[test]
fn a_warning_is_no_fault_where_a_function_may_be_invoked_without_waiting() {
    let mut evidence = healthy();
    settings(&mut evidence).timeout = Duration::from_mins(1);
    for integration in &mut deployed(&mut evidence).integrations {
        integration.proxy = false;
    }
    let found = wrong(&evidence);
    assert!(found.iter().all(|f| f.level == Level::Warning), "{found:#?}");
    assert_eq!(found.len(), 2, "timeout and mapping: {found:#?}");
}

#[test]
fn the_permissions_of_an_http_api() {
    let mut evidence = http();
    let star = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/*/*/pets/*";
    deployed(&mut evidence).functions[0].policy = Asked::Is(vec![statement(star)]);
    let found = wrong(&evidence);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].text.contains("for ANY $default:"),
        "the route is allowed, the default one is not: {}",
        found[0].text
    );
    let command = found[0].fix.as_ref().and_then(|f| f.command.as_deref()).unwrap_or_default();
    assert!(
        command.ends_with("--source-arn 'arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/$default/$default'")
    );
}

#[test]
fn apis_come_after_the_account_and_the_worst_comes_first() {
    let mut evidence = healthy();
    evidence.polling[0].short = true;
    settings(&mut evidence).timeout = Duration::from_mins(1);
    settings(&mut evidence).log_group = "/shop/all".into();
    let found = findings(&evidence);
    let first_of_api = found.iter().position(|f| f.api.is_some()).expect("there is an API");
    assert!(found[first_of_api..].iter().all(|f| f.api.as_deref() == Some("shop")));
    for part in [&found[..first_of_api], &found[first_of_api..]] {
        assert!(part.is_sorted_by(|a, b| a.level >= b.level));
    }
    assert_eq!(found[0].check, Check::Polling);
    assert_eq!(found[first_of_api].check, Check::Timeout);
}

#[test]
fn names_from_aws_stay_words_of_a_command() {
    let mut evidence = healthy();
    let odd = reference("x;$(rm -r .)", None);
    let api = deployed(&mut evidence);
    api.integrations = vec![integration("GET", "/it's", &odd)];
    api.functions = vec![function(&odd, &[])];
    api.authorizers.clear();
    let found = wrong(&evidence);
    let permission = found.iter().find(|f| f.check == Check::InvokePermission).expect("nothing allows it");
    let command = permission.fix.as_ref().and_then(|f| f.command.as_deref()).expect("it has a command");
    assert!(command.contains("--function-name 'x;$(rm -r .)' "), "{command}");
    assert!(command.contains(r"/prod/GET/it'\''s'"), "{command}");
}
