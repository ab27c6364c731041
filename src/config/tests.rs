//! The example against the defaults, and each mistake against its message.

mod rules;

use super::*;
use crate::engine::rules::{By, Ladder, Rule};
use crate::model::alert::{Measure, Severity};
use crate::model::inventory::ApiKind;
use crate::model::notice::Notice;
use crate::model::time::Timestamp;
use crate::notify::plan::bucket::Rate;
use crate::notify::plan::silence::{Glob, Silence};

const EXAMPLE: &str = include_str!("../../config.example.toml");

const WEBHOOK: &str = "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/a\"]\n[[sink]]\nkind = \"webhook\"\nurl = \"https://example.com/hook\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("g.toml")).map_err(|e| e.to_string())
}

fn wrong(text: &str) -> String {
    let message = parse(text).expect_err("this is wrong");
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

const API: &str = "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/a\"]\n";

#[test]
fn the_example_is_the_defaults() {
    let example = parse(EXAMPLE).expect("the example is valid");
    let sample = ApiConfig {
        name: "shop".to_owned(),
        kind: ApiKind::Auto,
        region: None,
        role_arn: None,
        access_log_groups: vec!["/aws/apigateway/shop-prod".to_owned()],
        lambda_log_groups: vec!["/aws/lambda/checkout-fn".to_owned(), "/aws/lambda/catalog-fn".to_owned()],
        access_log_format: None,
        execution_log_group: None,
        functions: std::collections::BTreeMap::new(),
        integration_timeout: ApiKind::Auto.default_timeout(),
        discover: None,
    };
    let topic = SinkKind::Sns {
        topic_arn: "arn:aws:sns:eu-west-1:111122223333:ops-alerts".to_owned(),
        region: "eu-west-1".to_owned(),
        format: Format::Text,
    };
    let sns = SinkConfig { kind: topic, audience: Audience::of_all("arn:aws:sns:eu-west-1:111122223333:ops-alerts") };
    let defaults = Config { apis: vec![sample], sinks: vec![SinkConfig::default(), sns], ..Config::default() };
    assert_eq!(example, defaults);
}

/// The TOML reader lists the keys it knows when it meets one it does not: the example must name each of them.
#[test]
fn the_example_names_every_key() {
    for table in ["", "[http]\n", "[poll]\n", "[notify]\n", "[[api]]\n", "[[rule]]\n", "[[sink]]\n", "[[silence]]\n"] {
        let message = wrong(&format!("{table}no_such_key = 1\n"));
        let keys = message.split("expected one of").nth(1).or(message.split("expected").nth(1));
        let keys: Vec<_> = keys.expect("it lists the keys").split('`').skip(1).step_by(2).collect();
        assert!(keys.len() >= 2, "{message}");
        for key in keys {
            let named = EXAMPLE.lines().any(|l| {
                let l = l.trim_start_matches(['#', ' ', '[']);
                l.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', ']']))
            });
            assert!(named, "config.example.toml does not document `{key}` of {table}");
        }
    }
}

#[test]
fn a_minimal_file_is_enough() {
    let config = parse(API).unwrap();
    assert_eq!(config.window, Duration::from_mins(5));
    assert_eq!(config.sinks, [SinkConfig::default()]);
    assert_eq!(config.rules.iter().count(), 5);
    assert_eq!(config.source_blind, Some(SourceBlind { hold: Duration::from_mins(2), severity: Severity::High }));
}

#[test]
fn a_log_group_is_waited_for_by_the_pace_of_its_reads() {
    assert_eq!(parse(API).unwrap().blind_after(), Duration::from_mins(2));
    assert_eq!(parse(&format!("{API}[poll]\ninterval = \"5m\"\n")).unwrap().blind_after(), Duration::from_mins(20));
}

#[test]
fn mistakes_name_file_line_key_value_and_what_is_right() {
    let rule = |keys: &str| format!("{API}[[rule]]\n{keys}\n");
    let cases = [
        (format!("{API}[poll]\nintervall = \"5s\"\n"), vec!["g.toml:5:", "intervall = \"5s\"", "`interval`"]),
        (format!("window = 300\n{API}"), vec!["g.toml:1:", "window = 300", "string"]),
        (format!("window = \"5 parsecs\"\n{API}"), vec!["g.toml:1:", "5 parsecs", "\"30s\""]),
        (format!("window = \"15s\"\n{API}"), vec!["g.toml:1:", "window = \"15s\"", "multiple of 10s"]),
        (format!("max_endpoints = 0\n{API}"), vec!["g.toml:1:", "max_endpoints = 0", "1 to 100000"]),
        (format!("max_endpoints = -4\n{API}"), vec!["g.toml:1:", "max_endpoints = -4"]),
        (format!("{API}[poll]\ninterval = \"1ms\"\n"), vec!["g.toml:5:", "1ms", "500ms to 5m"]),
        (format!("{API}{API}"), vec!["g.toml:5:", "two APIs are named `shop`"]),
        (String::new(), vec!["g.toml", "no [[api]]"]),
        ("[[api]]\nname = \"shop\"\n".to_owned(), vec!["g.toml:1:", "`shop` has no access_log_groups"]),
        ("[[api]]\nname = \"\"\naccess_log_groups = [\"/a\"]\n".to_owned(), vec!["g.toml:2:", "must not be empty"]),
        (
            "[[api]]\nname = \"shop\"\naccess_log_groups = [\"*-prod\"]\n".to_owned(),
            vec!["g.toml:3:", "`*-prod`", "every log group of the account"],
        ),
        (
            "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/a b\"]\n".to_owned(),
            vec!["g.toml:3:", "`/a b`", "a pattern with *"],
        ),
        (
            "[[api]]\nname = \"shop\"\nexecution_log_group = \"/a/*\"\n".to_owned(),
            vec!["g.toml:3:", "`/a/*`", "one execution-log group"],
        ),
        (format!("role_arn = \"admin\"\n{API}"), vec!["g.toml:1:", "`admin`", "arn:aws:iam::111122223333:role/"]),
        (format!("state_dir = \"\"\n{API}"), vec!["g.toml:1:", "state_dir must not be empty"]),
        (format!("{API}[poll]\nmin_interval = \"9s\"\n"), vec!["g.toml:5:", "9s is more than interval"]),
        (format!("{API}[poll]\nmax_interval = \"1s\"\n"), vec!["g.toml:5:", "1s is less than interval"]),
        (format!("{API}[poll]\nquota = 0.0\n"), vec!["g.toml:5:", "quota = 0.0", "0.2 to 1000"]),
        (format!("{API}[poll]\nquota_share = 1.5\n"), vec!["g.toml:5:", "quota_share = 1.5", "0.05 to 1"]),
        (format!("{API}[poll]\nmax_catchup = \"30d\"\n"), vec!["g.toml:5:", "max_catchup", "30d"]),
        (
            format!("{API}[[api]]\nname = \"b\"\naccess_log_groups = [\"/a\"]\n"),
            vec!["`/a`", "`shop` and `b`", "count twice"],
        ),
        (format!("{API}type = \"soap\"\n"), vec!["g.toml:4:", "type = \"soap\"", "\"rest\""]),
        (
            format!("{API}[[rule]]\nname = \"5xx\"\n"),
            vec!["g.toml:5:", "`5xx`", "endpoint-5xx, api-5xx,", "burn-rate, source-blind", "like = \"latency\""],
        ),
        (
            format!("{API}[[rule]]\nname = \"api-5xx\"\nseverity = {{ elevated = 0.5, high = 0.1, critical = 0.2 }}\n"),
            vec!["g.toml:6:", "0.5, 0.1, 0.2", "elevated <= high <= critical"],
        ),
        (
            format!("{API}[[rule]]\nname = \"source-blind\"\nmin_errors = 3\n"),
            vec!["g.toml:6:", "min_errors = 3", "`source-blind` has no min_errors", "enabled, for and severity"],
        ),
        (
            format!(
                "{API}[[rule]]\nname = \"source-blind\"\nseverity = {{ elevated = 0.1, high = 0.2, critical = 0.3 }}\n"
            ),
            vec!["g.toml:6:", "`source-blind` has no rungs", "\"high\""],
        ),
        (
            format!("{API}[[rule]]\nname = \"source-blind\"\nseverity = \"loud\"\n"),
            vec!["g.toml:6:", "loud", "\"high\""],
        ),
        (
            format!("{API}[[rule]]\nname = \"api-5xx\"\nseverity = \"high\"\n"),
            vec!["g.toml:6:", "severity = \"high\"", "a severity for each rung", "elevated = 0.01"],
        ),
        (rule("name = \"api-5xx\"\nquantile = 0.5"), vec!["g.toml:6:", "`api-5xx` has no quantile", "confidence"]),
        (rule("name = \"api-5xx\"\nby = \"api\""), vec!["g.toml:6:", "`api-5xx` has no by"]),
        (rule("name = \"api-5xx\"\napi = \"shoop\""), vec!["g.toml:6:", "no API `shoop`", "the APIs are shop"]),
        (rule("name = \"api-5xx\"\n[[rule]]\nname = \"api-5xx\""), vec!["g.toml:7:", "two rules are named `api-5xx`"]),
        (rule("name = \"api-5xx\"\nlike = \"latency\""), vec!["g.toml:6:", "`api-5xx` is there already"]),
        (rule("name = \"mine\"\nlike = \"slow\""), vec!["g.toml:6:", "no rule `slow` to be like", "latency"]),
        (rule("name = \"\"\nlike = \"latency\""), vec!["g.toml:5:", "must not be empty"]),
        (rule("name = \"api-5xx\"\nconfidence = 0.2"), vec!["g.toml:6:", "0.2 is out of range: 0, or 0.5"]),
        (rule("name = \"api-5xx\"\nlow_traffic = \"no\""), vec!["g.toml:6:", "false, or a table such as"]),
        (rule("name = \"api-5xx\"\nlow_traffic = { window = \"90s\" }"), vec!["g.toml:6:", "full minutes"]),
        (rule("name = \"api-5xx\"\nseverity = { high = \"3s\" }"), vec!["g.toml:6:", "3s is no ladder", "shares"]),
        (rule("name = \"api-5xx\"\nseverity = {}"), vec!["g.toml:6:", "an empty table is no ladder"]),
        (rule("name = \"latency\"\nseverity = { high = 3 }"), vec!["g.toml:6:", "3 is no ladder", "durations"]),
        (rule("name = \"latency\"\nwindow = \"90s\""), vec!["g.toml:6:", "full minutes"]),
        (rule("name = \"5xx-count\"\ncount = 0"), vec!["g.toml:6:", "count = 0", "1 to"]),
        (rule("name = \"5xx-count\"\nseverity = { high = 3 }"), vec!["g.toml:6:", "`5xx-count` has no rungs"]),
        (rule("name = \"burn-rate\"\nenabled = true"), vec!["g.toml:5:", "needs an objective", "0.999"]),
        (rule("name = \"burn-rate\"\nobjective = 1.0"), vec!["g.toml:6:", "1 is out of range"]),
        (
            rule("name = \"burn-rate\"\nwindows = { high = [\"5m\", \"1h\"] }"),
            vec!["g.toml:6:", "5m and 1h are no pair", "72h"],
        ),
        (
            rule(
                "name = \"slow-fraction\"\nenabled = true\n[[rule]]\nname = \"x\"\nlike = \"slow-fraction\"\nover = \"1s\"",
            ),
            vec!["g.toml:10:", "`slow-fraction` and `x` differ in over"],
        ),
        (
            format!("{API}[[rule]]\nname = \"api-5xx\"\nseverity = {{ low = 0.1 }}\n"),
            vec!["g.toml:6:", "`low`", "`elevated`"],
        ),
        (format!("{API}[[sink]]\nkind = \"pager\"\n"), vec!["g.toml:5:", "kind = \"pager\"", "\"stdout\"", "\"sns\""]),
        (format!("{API}[[sink]]\nkind = \"sns\"\n"), vec!["g.toml:4:", "needs topic_arn"]),
        (
            format!("{API}[[sink]]\nkind = \"sns\"\ntopic_arn = \"ops\"\n"),
            vec!["g.toml:6:", "`ops`", "arn:aws:sns:REGION:ACCOUNT:NAME"],
        ),
        (
            format!("{API}[[sink]]\nkind = \"stdout\"\ntopic_arn = \"x\"\n"),
            vec!["g.toml:6:", "\"stdout\" has no topic_arn"],
        ),
        (format!("{API}[[sink]]\nkind = \"sns\"\nurl = \"x\"\n"), vec!["g.toml:6:", "\"sns\" has no url"]),
        (format!("{WEBHOOK}format = \"text\"\n"), vec!["g.toml:7:", "\"webhook\" has no format"]),
        (format!("{API}[[sink]]\nkind = \"webhook\"\n"), vec!["g.toml:4:", "needs url"]),
        (format!("{WEBHOOK}timeout = \"1h\"\n"), vec!["g.toml:7:", "1h is out of range: 1s to 1m"]),
        (
            format!("{API}[[sink]]\nkind = \"webhook\"\nurl = \"http://example.com/x\"\n"),
            vec!["g.toml:6:", "in the clear", "https", "insecure = true"],
        ),
        (
            format!("{API}[[sink]]\nkind = \"webhook\"\nurl = \"ftp://example.com/x\"\n"),
            vec!["g.toml:6:", "ftp is no scheme", "use https"],
        ),
        (
            format!("{API}[[sink]]\nkind = \"webhook\"\nurl = \"example.com/x\"\n"),
            vec!["g.toml:6:", "\"https://example.com/hook\""],
        ),
        (format!("{WEBHOOK}headers = {{ Host = \"x\" }}\n"), vec!["g.toml:7:", "`Host` is set by gatewatch"]),
        (format!("{WEBHOOK}headers = {{ \"a b\" = \"x\" }}\n"), vec!["g.toml:7:", "`a b` is no name of a header"]),
        (format!("{WEBHOOK}headers = {{ a = \"x\", A = \"y\" }}\n"), vec!["g.toml:7:", "given twice"]),
        (format!("{WEBHOOK}headers = {{ a = \"file:token\" }}\n"), vec!["g.toml:7:", "\"file:/path\""]),
        (format!("{WEBHOOK}headers = {{ a = \"env:\" }}\n"), vec!["g.toml:7:", "\"env:NAME\""]),
        (
            format!("{WEBHOOK}name = \"ops\"\n[[sink]]\nkind = \"stdout\"\nname = \"ops\"\n"),
            vec!["g.toml:10:", "two sinks are named `ops`"],
        ),
        (format!("{WEBHOOK}name = \" ops\"\n"), vec!["g.toml:7:", "` ops` is no name", "no blanks around"]),
        (
            format!("{WEBHOOK}name = \"stdout\"\n[[sink]]\nkind = \"stdout\"\n"),
            vec!["g.toml:8:", "called `stdout`, and so is another"],
        ),
        (format!("{API}x = [1,\n"), vec!["g.toml:"]),
        (
            format!("{API}[[sink]]\nkind = \"mail\"\n"),
            vec!["g.toml:5: kind = \"mail\": `mail` is no kind of a sink: write \"stdout\", \"sns\" or \"webhook\""],
        ),
        (format!("{API}[[sink]]\nformat = \"text\"\n"), vec!["g.toml:4: [[sink]]: a sink needs kind: \"stdout\", "]),
        (
            format!("{API}[[sink]]\nkind = \"stdout\"\nmin_severity = 2\n"),
            vec!["g.toml:6: min_severity = 2: `2` is no severity: write \"elevated\", \"high\" or \"critical\""],
        ),
        (
            format!("{API}[[sink]]\nkind = \"stdout\"\nformat = \"xml\"\n"),
            vec!["g.toml:6: format = \"xml\": `xml` is no format: write \"auto\", \"text\", \"json\", "],
        ),
        (
            format!("{API}[[rule]]\nname = \"latency\"\nby = true\n"),
            vec!["g.toml:6: by = true: `true` is no way to look: write \"endpoint\" or \"api\""],
        ),
        (
            format!("{API}[[rule]]\nname = \"5xx-count\"\nseverity = \"higher\"\n"),
            vec!["g.toml:6: severity = \"higher\": `higher` is no severity: write \"elevated\", "],
        ),
        (
            format!("{API}type = \"soap\"\n"),
            vec!["g.toml:4: type = \"soap\": `soap` is no type of an API: write \"auto\", "],
        ),
        (format!("{API}[[rule]]\nby = \"api\"\n"), vec!["g.toml:4: [[rule]]: name is missing in this table"]),
        (format!("{API}[notify]\nrate = 0.0\n"), vec!["g.toml:5:", "rate = 0.0", "0.01 to 100"]),
        (format!("{API}[[sink]]\nkind = \"stdout\"\nrate = 0.0\n"), vec!["g.toml:6:", "rate = 0.0", "0.01 to 100"]),
        (format!("{API}[notify]\nburst = 0\n"), vec!["g.toml:5:", "burst = 0", "1 to 1000"]),
        (format!("{API}[notify]\nrepeat_max = \"1h\"\n"), vec!["g.toml:5:", "repeat_max", "less than repeat"]),
        (
            format!("{API}[[sink]]\nkind = \"stdout\"\nrules = [\"5xx\"]\n"),
            vec!["g.toml:6:", "no rule `5xx`", "api-5xx, burn-rate, endpoint-5xx"],
        ),
        (format!("{API}[[sink]]\nkind = \"stdout\"\napis = [\"shp\"]\n"), vec!["g.toml:6:", "no API `shp`", "shop"]),
        (format!("{API}[[silence]]\napi = \"shop\"\n"), vec!["g.toml:4:", "needs until", "2026-12-01T00:00:00Z"]),
        (format!("{API}[[silence]]\nuntil = \"2026-12-01T00:00:00Z\"\n"), vec!["g.toml:4:", "needs a matcher"]),
        (
            format!("{API}[[silence]]\napi = \"sh\"\nuntil = \"2026-12-01T00:00:00Z\"\n"),
            vec!["g.toml:5:", "no API `sh`", "shop"],
        ),
        (
            format!("{API}[[silence]]\nrule = \"x-*\"\nuntil = \"2026-12-01T00:00:00Z\"\n"),
            vec!["g.toml:5:", "no rule `x-*`", "endpoint-5xx"],
        ),
        (
            format!("{API}[[silence]]\napi = \"*\"\nuntil = \"2026-12-01\"\n"),
            vec!["g.toml:6:", "`2026-12-01` is no time", "2026-12-01T00:00:00Z"],
        ),
        (
            format!(
                "{API}[[silence]]\napi = \"*\"\nuntil = \"2026-12-01T00:00:00Z\"\nfrom = \"2027-12-01T00:00:00Z\"\n"
            ),
            vec!["g.toml:7:", "not before until"],
        ),
    ];
    for (text, parts) in cases {
        let message = wrong(&text);
        for part in parts {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let message = Config::load(Path::new("/no/such/file.toml")).unwrap_err().to_string();
    assert!(message.starts_with("/no/such/file.toml: cannot be read"), "{message}");
}

#[test]
fn shared_lambda_groups_are_one_source() {
    let config = parse(
        "[[api]]\nname = \"a\"\naccess_log_groups = [\"/a\"]\nlambda_log_groups = [\"/aws/lambda/x\"]\n\
         [[api]]\nname = \"b\"\naccess_log_groups = [\"/b\"]\nlambda_log_groups = [\"/aws/lambda/x\"]\n",
    )
    .unwrap();
    assert_eq!(config.inventory("eu-west-1").sources.len(), 3);
}

#[test]
fn sinks_have_names_of_their_own_that_stay() {
    let sns = "[[sink]]\nkind = \"sns\"\ntopic_arn = \"arn:aws:sns:eu-west-1:111122223333:ops\"\n";
    let hook = |path: &str| format!("[[sink]]\nkind = \"webhook\"\nurl = \"https://example.com:8443/{path}\"\n");
    let stdout = "[[sink]]\nkind = \"stdout\"\n";
    let (a, b) = (hook("hooks/k3y-of-a"), hook("hooks/k3y-of-b"));
    let text = format!("{API}{stdout}{sns}{a}{stdout}name = \"file\"\n{b}{sns}{a}{stdout}");
    let names = |text: &str| -> Vec<String> {
        parse(text).unwrap().sinks.iter().map(|s| s.audience.name.to_string()).collect()
    };
    let all = names(&text);
    assert_eq!(all[..2], ["stdout", "arn:aws:sns:eu-west-1:111122223333:ops"]);
    assert_eq!(all[3], "file");
    assert_eq!(
        all[5..],
        ["arn:aws:sns:eu-west-1:111122223333:ops#2".to_owned(), format!("{}#2", all[2]), "stdout#2".into()]
    );
    // By what they are, so that a restart, and another version, calls them the same.
    assert_eq!(all[2], "https://example.com:8443~6690b7");
    assert_ne!(all[2], all[4]);
    assert_eq!(names(&text), all);
    assert!(!format!("{:?} {}", parse(&text).unwrap(), parse(&text).unwrap().summary()).contains("k3y"));
}

#[test]
fn mistakes_and_settings_show_no_tokens() {
    for text in [
        format!("{API}[[sink]]\nkind = \"webhook\"\nurl = \"http://example.com/t0ken-of-a-hook\"\n"),
        format!("{API}[[sink]]\nkind = \"stdout\"\nurl = \"https://example.com/t0ken-of-a-hook\"\n"),
        format!("{WEBHOOK}headers = {{ Host = \"t0ken-of-a-hook\" }}\n"),
        format!("{WEBHOOK}[sink.headers]\nAuthorization = \"t0ken-of-a-hook\\n\"\n"),
        format!("{WEBHOOK}[sink.headers]\nX-Hook = \"t0ken-of-a-hook\\n\"\n"),
        format!("{API}[[sink]]\nkind = \"webhook\"\nurll = \"https://example.com/t0ken-of-a-hook\"\n"),
        format!("{API}[[sink]]\nkind = \"webhook\"\n\"url\" = \"http://example.com/t0ken-of-a-hook\"\n"),
        format!("{WEBHOOK}headers = \"X-Key: t0ken-of-a-hook\"\n"),
        format!("{WEBHOOK}header = {{ X-Hook = \"t0ken-of-a-hook\" }}\n"),
        format!("sink = [{{ kind = \"webhok\", url = \"https://example.com/t0ken-of-a-hook\" }}]\n{API}"),
        format!("sink = [\n  {{ kind = \"webhook\",\n    x = \"t0ken-of-a-hook\" }}\n]\n{API}"),
        format!("{API}url = \"https://example.com/t0ken-of-a-hook\"\n"),
    ] {
        let message = wrong(&text);
        assert!(message.starts_with("g.toml:") && !message.contains("t0ken"), "{message}");
    }
    let message = wrong(&format!("{API}[[sink]]\nkind = \"pager\"\n"));
    assert!(message.contains("kind = \"pager\""), "what holds no secret is shown: {message}");
    let config = parse(&format!("{WEBHOOK}headers = {{ X-Key = \"t0ken-of-a-hook\" }}\n")).unwrap();
    assert!(!format!("{config:?}").contains("t0ken") && format!("{config:?}").contains("x-key"));
}

#[test]
fn silences_and_audiences_are_read() {
    let text = format!(
        "{API}[[silence]]\napi = \"sh*\"\nmethod = \"get\"\nseverity = \"high\"\nuntil = \"2020-12-01T01:00:00+01:00\"\n\
         comment = \"long past\"\n[[sink]]\nkind = \"stdout\"\nrules = [\"api-5xx\"]\napis = [\"shop\"]\n[notify]\nrepeat = \"0s\"\n"
    );
    let config = parse(&text).unwrap();
    let want = Silence {
        api: Some(Glob::new("sh*")),
        method: Some(Glob::new("GET")),
        severity: Some(Severity::High),
        comment: Some("long past".to_owned()),
        ..Silence::until(Timestamp::parse_rfc3339("2020-12-01T00:00:00Z").unwrap())
    };
    assert_eq!((&config.notify.silences[..], config.notify.repeat), (&[want][..], Duration::ZERO));
    let audience = &config.sinks[0].audience;
    assert_eq!(
        (audience.rules.clone(), audience.apis.clone()),
        (Some(vec!["api-5xx".into()]), Some(vec!["shop".into()]))
    );
}

#[test]
fn a_sink_of_some_rules_gets_notices_with_source_blind() {
    let sink = |rules: &str| parse(&format!("{API}[[sink]]\nkind = \"stdout\"\nrules = [{rules}]\n")).unwrap();
    let at = Timestamp::from_millis(0);
    let notice = Notice {
        time: at,
        from: at,
        to: at,
        why: Vec::new(),
        sources: 1,
        names: vec!["/a".into()],
        apis: vec!["shop".into()],
        requests: 1,
        failures: 0,
        causes: Vec::new(),
        endpoints: Vec::new(),
        unread_before: None,
        episode: "e".into(),
    };
    let hears = |rules: &str| sink(rules).sinks[0].audience.wants_notice(&notice);
    assert!(hears(&format!("\"api-5xx\", \"{}\"", SourceBlind::NAME)) && !hears("\"api-5xx\""));
}

#[test]
fn a_sink_has_the_rate_of_all_but_for_what_it_says_itself() {
    let sink = "[[sink]]\nkind = \"stdout\"\n";
    let text = format!("{API}[notify]\nrate = 0.5\nburst = 7\n{sink}{sink}burst = 1\n{sink}rate = 2.0\nburst = 20\n");
    let rates: Vec<_> = parse(&text).unwrap().sinks.into_iter().map(|sink| sink.audience.rate).collect();
    let rate = |per_second, burst| Some(Rate { per_second, burst });
    assert_eq!(rates, [None, rate(0.5, 1), rate(2.0, 20)]);
}

#[test]
fn the_listener_is_off_until_it_has_an_address() {
    let http = |keys: &str| parse(&format!("{API}[http]\n{keys}\n")).map(|config| config.http);
    assert_eq!(http(""), Ok(HttpConfig { listen: None, endpoint_metrics: 20 }));
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 9502)));
    let set = http("listen = \"127.0.0.1:9502\"\nendpoint_metrics = 0");
    assert_eq!(set, Ok(HttpConfig { listen, endpoint_metrics: 0 }));
    for address in ["localhost", "9502", ":9502", "127.0.0.1", "http://127.0.0.1:9502"] {
        let said = wrong(&format!("{API}[http]\nlisten = \"{address}\"\n"));
        assert!(said.starts_with("g.toml:5: listen = ") && said.ends_with("write it as \"127.0.0.1:9502\""), "{said}");
    }
    assert!(wrong(&format!("{API}[http]\nendpoint_metrics = 1001\n")).contains("out of range: 0 to 1000"));
}

#[test]
fn its_own_log_group_is_no_source() {
    let text =
        "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/a\"]\nlambda_log_groups = [\"/ecs/shop\", \"/ecs/*\"]\n";
    let own =
        OwnGroup { name: "/ecs/shop".to_owned(), region: Some("eu-west-1".to_owned()), account: None, streams: None };
    let read = |text: &str, region: &str| {
        let mut config = parse(text).unwrap();
        config.refuse(Some(&own));
        let mut inventory = config.inventory(region);
        let found = inventory::Source::group("/ecs/shop", Some(region.into()), SourceKind::Lambda);
        let fits = config.patterns(&inventory, region).iter().any(|watched| watched.fits(&found));
        inventory.sources.retain(|source| *source.name == *found.name);
        (inventory.sources.len(), fits, config.refused(region).len())
    };
    assert_eq!(read(text, "eu-west-1"), (0, false, 1));
    assert_eq!(read(text, "us-east-1"), (1, true, 0));
    assert_eq!(read(&format!("allow_own_log_group = true\n{text}"), "eu-west-1"), (1, true, 0));
}

#[test]
fn an_access_log_belongs_to_one_api_of_its_account() {
    let api = |name: &str, keys: &str| format!("[[api]]\nname = \"{name}\"\n{keys}");
    let named = "access_log_groups = [\"/a\"]\n";
    let as_role = |role: &str| format!("role_arn = \"arn:aws:iam::{role}\"\n{named}");
    let by_arn = |account: &str| {
        format!("access_log_groups = [\"arn:aws:logs:eu-west-1:{account}:log-group:/a\"]\nregion = \"eu-west-1\"\n")
    };
    let (one, two) = ("111122223333", "444455556666");
    let shared = |first: &str, second: &str| {
        let read = parse(&format!("region = \"eu-west-1\"\n{}{}", api("shop", first), api("blog", second)));
        read.err().inspect(|e| assert!(e.contains("is named by both `shop` and `blog`"), "{e}")).is_some()
    };
    // Two accounts have two log groups of one name.
    assert!(!shared(&as_role("111122223333:role/logs"), &as_role("444455556666:role/logs")));
    assert!(!shared(named, &as_role("444455556666:role/logs")));
    assert!(!shared(&by_arn(one), &by_arn(two)));
    assert!(!shared(&by_arn(one), &as_role("444455556666:role/logs")));
    // In one account it is one, however it is read.
    assert!(shared(named, named));
    assert!(shared(&as_role("111122223333:role/logs"), &as_role("111122223333:role/other")));
    assert!(shared(&by_arn(one), &as_role("111122223333:role/logs")));
    assert!(shared(&by_arn(one), &by_arn(one)));
    assert!(shared(&by_arn(one), named), "nothing says that it is another account");
    let us = format!("region = \"us-east-1\"\n{named}");
    assert!(!shared(named, &us));
}
