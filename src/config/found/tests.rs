//! Each thing that AWS may say of an API, and what is watched then.

use std::path::Path;

use super::*;
use crate::model::deployed::{Candidate, FunctionSettings, Unasked};
use crate::model::problem::Problem;

const FORMAT: &str = "{\"id\":\"$context.requestId\",\"status\":\"$context.status\",\"m\":\"$context.httpMethod\"}";

pub(in crate::config) fn function(name: &str, group: &str) -> Function {
    Function {
        reference: FunctionRef {
            partition: "aws".into(),
            region: "eu-west-1".into(),
            account: "111122223333".into(),
            name: name.into(),
            qualifier: None,
        },
        settings: Asked::Is(FunctionSettings {
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            runtime: Some("nodejs22.x".into()),
            log_group: group.into(),
            json_logs: false,
            unfit: None,
        }),
        policy: Asked::Unknown,
    }
}

pub(in crate::config) fn integration(method: &str, route: &str, target: Target) -> Integration {
    Integration {
        endpoint: Endpoint::new(method, route),
        target,
        timeout: Some(Duration::from_secs(29)),
        proxy: true,
        method: Some("POST".into()),
        credentials: None,
        payload_format: None,
        streaming: false,
    }
}

/// A REST API with a proxy resource and one function.
pub(in crate::config) fn shop() -> Deployed {
    let function = function("checkout-fn", "/aws/lambda/checkout-fn");
    Deployed {
        stage: Candidate { name: "shop".into(), id: "a1b2c3d4e5".into(), kind: ApiKind::Rest, stage: "prod".into() },
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account: Some("111122223333".into()),
        access_log: AccessLog::Group {
            arn: "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/apigateway/shop-prod".into(),
            format: FORMAT.into(),
        },
        execution_log: ExecutionLog::Off,
        tracing: false,
        canary: false,
        variables: BTreeMap::new(),
        integrations: vec![integration("ANY", "/{proxy+}", Target::Lambda(function.reference.clone()))],
        authorizers: Vec::new(),
        functions: vec![function],
        unasked: Vec::new(),
    }
}

fn execution(all: bool, every_method: bool) -> ExecutionLog {
    ExecutionLog::On { group: "API-Gateway-Execution-Logs_a1b2c3d4e5/prod".into(), all, every_method }
}

#[test]
fn a_healthy_api_is_watched_wholly() {
    let (found, gaps) = Found::of(&shop());
    assert_eq!(gaps, []);
    assert_eq!(found.access_log_group.as_deref(), Some("/aws/apigateway/shop-prod"));
    assert_eq!(found.access_log_format.as_deref(), Some(FORMAT));
    assert_eq!(found.execution_log_group, None);
    assert_eq!(found.lambda_log_groups, ["/aws/lambda/checkout-fn"]);
    assert_eq!(found.functions, BTreeMap::from([("ANY /{proxy+}".to_owned(), "checkout-fn".into())]));
    assert_eq!(found.integration_timeout, Some(Duration::from_secs(29)));
    let config = found.config();
    assert_eq!((config.apis[0].name.as_str(), config.apis[0].kind), ("shop", ApiKind::Rest));
    assert!(config.apis[0].access_log_format.is_some());
}

#[test]
fn an_access_log_that_cannot_be_read_stops_it_unless_the_execution_log_counts() {
    let firehose = AccessLog::Firehose { arn: "arn:aws:firehose:eu-west-1:1:deliverystream/x".into() };
    for access_log in [AccessLog::Off, firehose] {
        for (execution_log, watched) in [
            (ExecutionLog::Never, false),
            (ExecutionLog::Off, false),
            (execution(true, true), true),
            (execution(false, true), false),
            (execution(true, false), false),
        ] {
            let deployed = Deployed { access_log: access_log.clone(), execution_log, ..shop() };
            let (found, gaps) = Found::of(&deployed);
            assert_eq!(found.is_watchable(), watched, "{deployed:?}");
            assert_eq!(gaps.iter().any(Gap::stops), !watched);
            let mend = gaps[0].mend();
            assert!(mend[0].starts_with("aws logs create-log-group") && mend[1].contains("a1b2c3d4e5"), "{mend:?}");
        }
    }
}

#[test]
fn beside_an_access_log_the_execution_log_is_read_whatever_it_tells() {
    let deployed = Deployed { execution_log: execution(false, false), ..shop() };
    let (found, gaps) = Found::of(&deployed);
    assert_eq!(found.execution_log_group.as_deref(), Some("API-Gateway-Execution-Logs_a1b2c3d4e5/prod"));
    assert_eq!(gaps, []);
}

#[test]
fn a_format_that_cannot_be_used_is_recognised_instead() {
    let mut deployed = shop();
    let AccessLog::Group { format, .. } = &mut deployed.access_log else { unreachable!() };
    *format = "$context.requestId".into();
    let (found, gaps) = Found::of(&deployed);
    assert_eq!(found.access_log_format, None);
    assert!(found.is_watchable() && found.config().apis[0].access_log_format.is_none());
    assert!(gaps[0].to_string().contains("$context.status"), "{}", gaps[0]);
    assert!(!gaps[0].stops());
}

#[test]
fn log_groups_of_functions_stand_once_and_elsewhere_by_arn() {
    let mut deployed = shop();
    let mut far = function("far", "/aws/lambda/far");
    far.reference.region = "us-east-1".into();
    let mut foreign = function("theirs", "/custom/theirs");
    foreign.reference.account = "999988887777".into();
    let unknown = Function { settings: Asked::Unknown, ..function("dark", "") };
    let gone = Function { settings: Asked::Missing, ..function("gone", "") };
    deployed.functions.extend([function("a", "/shared"), function("b", "/shared"), far, foreign, unknown, gone]);
    let (found, gaps) = Found::of(&deployed);
    let groups = [
        "/aws/lambda/checkout-fn",
        "/aws/lambda/dark",
        "/shared",
        "arn:aws:logs:eu-west-1:999988887777:log-group:/custom/theirs",
        "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/far",
    ];
    assert_eq!(found.lambda_log_groups, groups);
    let said: Vec<_> = gaps.iter().map(ToString::to_string).collect();
    for word in ["theirs belongs to account 999988887777", "/aws/lambda/dark is read", "gone, which"] {
        assert!(said.iter().any(|said| said.contains(word)), "{word}: {said:?}");
    }
    assert_eq!(said.len(), 3);
}

#[test]
fn without_functions_that_is_said_unless_they_could_not_be_asked() {
    let none = Deployed { functions: Vec::new(), integrations: Vec::new(), ..shop() };
    let (found, gaps) = Found::of(&none);
    assert_eq!(gaps, [Gap::NoFunction]);
    assert!(found.is_watchable() && found.lambda_log_groups.is_empty());
    let unasked = Unasked {
        action: "apigateway:GET",
        resource: "/restapis/a/resources".into(),
        problem: Problem::Denied,
        said: "no\u{1b}[31m".into(),
    };
    let (_, gaps) = Found::of(&Deployed { unasked: vec![unasked.clone()], ..none });
    assert_eq!(gaps, [Gap::NotAsked(unasked)]);
    let said = gaps[0].to_string();
    assert!(said.contains("apigateway:GET on /restapis/a/resources is not permitted"), "{said}");
    assert!(!said.contains('\u{1b}') && !gaps[0].passes());
}

#[test]
fn the_longest_timeout_counts_and_others_are_said() {
    let mut deployed = shop();
    let mut short = integration("GET", "/x", Target::Http { uri: "https://x".into(), vpc_link: false });
    short.timeout = Some(Duration::from_secs(5));
    let mock = Integration { timeout: Some(Duration::from_secs(1)), ..integration("GET", "/m", Target::Mock) };
    deployed.integrations.extend([short, mock]);
    let (found, gaps) = Found::of(&deployed);
    assert_eq!(found.integration_timeout, Some(Duration::from_secs(29)));
    assert_eq!(
        gaps,
        [Gap::TimeoutsDiffer { least: Duration::from_secs(5), most: Duration::from_secs(29) }],
        "the gateway waits for nothing where it answers itself"
    );
}

#[test]
fn what_answers_is_said_where_it_is_not_known() {
    let mut deployed = shop();
    let unclear = Target::Unclear { uri: "arn:..:${stageVariables.fn}".into(), variable: Some("fn".into()) };
    deployed.integrations.push(integration("-", "$default", unclear));
    let name = deployed.functions[0].reference.clone();
    deployed.integrations.push(integration("*", "sendMessage", Target::Lambda(name)));
    let (found, gaps) = Found::of(&deployed);
    assert!(gaps[0].to_string().contains("needs the stage variable fn"), "{}", gaps[0]);
    assert!(found.functions.contains_key("ANY sendMessage"), "{:?}", found.functions);
}

#[test]
fn an_endpoint_that_a_canary_leads_elsewhere_has_no_one_function() {
    let mut deployed = shop();
    let canary = function("checkout-next", "/aws/lambda/checkout-next");
    deployed.integrations.push(integration("ANY", "/{proxy+}", Target::Lambda(canary.reference.clone())));
    deployed.functions.push(canary);
    let (found, _) = Found::of(&deployed);
    assert_eq!((found.functions.len(), found.lambda_log_groups.len()), (0, 2));
}

#[test]
fn what_is_found_is_filled_in_beside_what_is_configured() {
    let text = "[[api]]\nname = \"s\"\ndiscover = \"shop/prod\"\nintegration_timeout = \"10s\"\n\
                [api.functions]\n\"ANY /{proxy+}\" = \"mine\"\n\
                [[api]]\nname = \"other\"\naccess_log_groups = [\"/aws/apigateway/shop-prod\"]\nregion = \"us-east-1\"\n";
    let config = Config::parse(text, Path::new("c.toml")).unwrap();
    let sought = config.sought(&config.apis[0], "eu-west-1").unwrap();
    assert_eq!((sought.wanted.to_string().as_str(), sought.region.as_str()), ("shop/prod", "eu-west-1"));
    assert_eq!(config.sought(&config.apis[1], "eu-west-1"), None);
    let none = config.resolved(&BTreeMap::new(), "eu-west-1");
    assert_eq!((none.config, none.refused), (config.clone(), Vec::new()));
    let known = BTreeMap::from([(sought, Found::of(&shop()).0)]);
    let resolved = config.resolved(&known, "eu-west-1");
    assert_eq!(resolved.refused, []);
    let api = &resolved.config.apis[0];
    assert_eq!(api.access_log_groups, ["/aws/apigateway/shop-prod"]);
    assert_eq!(api.integration_timeout, Duration::from_secs(10), "what is configured goes first");
    assert_eq!(api.functions["ANY /{proxy+}"], "mine".into());
    assert_eq!(resolved.config.apis[1], config.apis[1]);
    let again = resolved.config.resolved(&known, "eu-west-1");
    assert_eq!(again.config, resolved.config);
}

#[test]
fn what_is_found_never_counts_the_requests_of_another() {
    let text = "[[api]]\nname = \"s\"\ndiscover = \"shop/prod\"\n\
                [[api]]\nname = \"other\"\naccess_log_groups = [\"/aws/apigateway/shop-prod\"]\n";
    let config = Config::parse(text, Path::new("c.toml")).unwrap();
    let known = BTreeMap::from([(config.sought(&config.apis[0], "eu-west-1").unwrap(), Found::of(&shop()).0)]);
    let resolved = config.resolved(&known, "eu-west-1");
    assert_eq!(resolved.config, config);
    assert_eq!(resolved.refused[0].0, "s");
    assert!(resolved.refused[0].1.contains("count twice"), "{:?}", resolved.refused);
}

#[test]
fn a_mistake_about_discover_names_what_is_right() {
    let wrong = |keys: &str| {
        let text = format!("[[api]]\nname = \"s\"\n{keys}\n");
        Config::parse(&text, Path::new("c.toml")).expect_err(keys).to_string()
    };
    for (key, value) in [
        ("access_log_groups", "[\"/a\"]"),
        ("lambda_log_groups", "[\"/a\"]"),
        ("execution_log_group", "\"/a\""),
        ("access_log_format", "\"auto\""),
        ("type", "\"rest\""),
    ] {
        let said = wrong(&format!("discover = \"shop\"\n{key} = {value}"));
        assert!(said.starts_with("c.toml:4: ") && said.contains("delete one of the two"), "{said}");
        assert!(said.contains(&format!("finds {key} out")), "{said}");
    }
    assert!(wrong("discover = \"shop/\"").contains("\"NAME_OR_ID/STAGE\""));
    assert!(wrong("").contains("discover = \"s\""), "{}", wrong(""));
}
