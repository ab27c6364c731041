//! What is written is read back as what was found, whatever names hold.

use std::path::Path;

use proptest::prelude::*;

use super::super::Config;
use super::super::found::tests::{function, integration, shop};
use super::*;
use crate::model::deployed::{AccessLog, Deployed, ExecutionLog, Target};

fn assert_is_read_back(deployed: &Deployed, role: Option<&str>) -> String {
    let (found, gaps) = Found::of(deployed);
    let text = written(&found, &gaps, role);
    let read = Config::parse(&text, Path::new("written.toml")).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut want = found.config();
    want.region = Some(found.region.clone());
    want.role_arn = role.map(str::to_owned);
    want.apis[0].region = None;
    assert_eq!(read, want, "{text}");
    text
}

/// The text with the lines that begin so uncommented, and all other keys of the API gone.
fn uncommented(text: &str) -> String {
    let discover = text.lines().find_map(|line| line.strip_prefix("# discover")).expect("it is offered");
    let region = text.lines().find(|line| line.starts_with("region")).unwrap();
    format!("{region}\n[[api]]\nname = \"x\"\ndiscover{discover}\n")
}

#[test]
fn a_healthy_api_is_read_back() {
    let text = assert_is_read_back(&shop(), None);
    for words in [
        "# gatewatch: REST API shop (a1b2c3d4e5), stage prod, eu-west-1, account 111122223333.",
        "access_log_format = '{\"id\":\"$context.requestId\"",
        "\"ANY /{proxy+}\" = \"checkout-fn\"",
        "# discover = \"shop/prod\"",
        "# topic_arn = \"arn:aws:sns:eu-west-1:111122223333:ops-alerts\"",
    ] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
    assert!(text.lines().all(|line| !line.starts_with('#') || line.chars().count() <= WIDTH), "{text}");
    assert!(!text.contains("could not be found out"), "{text}");
}

#[test]
fn gaps_stand_in_comments() {
    let deployed = Deployed {
        access_log: AccessLog::Off,
        execution_log: ExecutionLog::On {
            group: "API-Gateway-Execution-Logs_a/p".into(),
            all: true,
            every_method: true,
        },
        functions: Vec::new(),
        integrations: Vec::new(),
        ..shop()
    };
    let text = assert_is_read_back(&deployed, Some("arn:aws:iam::111122223333:role/gatewatch"));
    assert!(text.contains("# - the access log is switched off") && text.contains("# - no Lambda function"), "{text}");
    assert!(text.contains("execution_log_group = \"API-Gateway-Execution-Logs_a/p\""), "{text}");
}

#[test]
fn what_is_commented_out_is_right_too() {
    let text = assert_is_read_back(&shop(), None);
    let config = Config::parse(&uncommented(&text), Path::new("c.toml")).unwrap();
    assert_eq!(config.apis[0].discover.as_ref().unwrap().wanted.to_string(), "shop/prod");
    let begin = text.find("# [[rule]]").unwrap();
    let rules: String = text[begin..]
        .lines()
        .filter(|l| !l.contains("Where") && !l.contains('`'))
        .fold(String::new(), |all, line| all + line.strip_prefix("# ").unwrap_or(line) + "\n");
    let all = format!("{}{rules}", uncommented(&text));
    let config = Config::parse(&all, Path::new("c.toml")).unwrap_or_else(|e| panic!("{e}\n{all}"));
    assert_eq!(config.sinks.len(), 2);
    assert_eq!(config.rules, Config::default().rules, "the rules that are shown are the defaults");
}

proptest! {
    #[test]
    fn any_names_are_read_back(
        name in any::<String>(),
        stage in "\\$default|[^/]{1,20}",
        format in any::<String>(),
        route in any::<String>(),
        method in "[A-Z]{3,7}|.*",
        names in prop::collection::vec(any::<String>(), 0..4),
        group in "[/a-zA-Z0-9_.#-]{1,40}|.*",
        said in any::<String>(),
        timeout in 1_u64..2_000_000,
    ) {
        prop_assume!(!stage.trim().is_empty());
        let mut deployed = shop();
        deployed.stage.name = name.as_str().into();
        deployed.stage.stage = stage.as_str().into();
        deployed.access_log = AccessLog::Group {
            arn: deployed_arn(),
            format: format!("{format}$context.status {format}").into(),
        };
        for name in &names {
            let function = function(name, &group);
            deployed.integrations.push(integration(&method, &route, Target::Lambda(function.reference.clone())));
            deployed.functions.push(function);
        }
        deployed.integrations[0].timeout = Some(std::time::Duration::from_millis(timeout));
        let unclear = Target::Unclear { uri: said.as_str().into(), variable: None };
        deployed.integrations.push(integration("GET", "/x", unclear));
        let text = assert_is_read_back(&deployed, None);
        prop_assert!(Config::parse(&uncommented(&text), Path::new("c.toml")).is_ok(), "{}", text);
    }
}

fn deployed_arn() -> std::sync::Arc<str> {
    "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/apigateway/shop-prod".into()
}
