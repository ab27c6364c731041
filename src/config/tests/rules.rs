//! Rules: what the example says of them, and how they are changed for all APIs or for one.

use super::*;

/// The blocks of the example that are commented out, and the example with each of them in force.
fn commented_rules() -> Vec<(String, String)> {
    let blocks: Vec<_> = EXAMPLE.split("\n\n").filter(|block| block.contains("# [[rule]]\n")).collect();
    let in_force = |block: &str| {
        let (prose, keys) = block.split_once("# [[rule]]\n").expect("it begins so");
        assert!(prose.lines().all(|line| line.starts_with("# ")), "{prose}");
        let keys: Vec<_> = keys.lines().map(|line| line.strip_prefix("# ").expect("commented out")).collect();
        format!("[[rule]]\n{}", keys.join("\n"))
    };
    blocks.into_iter().map(|block| (in_force(block), EXAMPLE.replace(block, &in_force(block)))).collect()
}

#[test]
fn each_commented_rule_is_its_default_switched_on() {
    let off: Vec<_> = Rule::built_in(Duration::from_mins(5)).into_iter().filter(|rule| !rule.on).collect();
    let mut seen = 0;
    for (block, text) in commented_rules() {
        // Those that change something only for show are tested below.
        let Some(rule) = off.iter().find(|rule| block.contains(&format!("name = \"{}\"", rule.name))) else { continue };
        seen += 1;
        let config = parse(&text).unwrap_or_else(|e| panic!("{block}: {e}"));
        let got = config.rules.iter().find(|r| r.name == rule.name).unwrap_or_else(|| panic!("{} is off", rule.name));
        let measure = if matches!(rule.measure, Measure::BurnRate { .. }) {
            Measure::BurnRate { objective: 0.999 }
        } else {
            rule.measure
        };
        assert_eq!(*got, Rule { on: true, measure, ..rule.clone() });
        let switched_off = text.replace(&block, &block.replace("enabled = true", "enabled = false"));
        assert_eq!(parse(&switched_off).unwrap().rules, Config::default().rules, "{} stays off", rule.name);
    }
    assert_eq!(seen, off.len(), "each rule that is off is shown");
}

#[test]
fn the_example_shows_every_key_of_every_rule() {
    let written: Vec<_> = EXAMPLE.split("name = \"").skip(1).collect();
    for rule in Rule::built_in(Duration::from_mins(5)).iter().filter(|rule| &*rule.name != "api-5xx") {
        let block = written.iter().find(|block| block.starts_with(&*rule.name)).expect("it is there");
        let block = block.split("[[rule]]").next().unwrap();
        for key in crate::config::rules::keys(rule.measure) {
            let is_given = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
            assert!(block.lines().any(is_given), "`{key}` is not shown for {}", rule.name);
        }
    }
}

#[test]
fn a_rule_is_tuned_for_all_or_one_and_a_new_one_is_like_another() {
    let two = format!("{API}[[api]]\nname = \"pay\"\naccess_log_groups = [\"/b\"]\n");
    let rule = |keys: &str| format!("[[rule]]\n{keys}\n");
    let config = parse(
        &(two
            + &rule("name = \"endpoint-5xx\"\nmin_errors = 5\nfor = \"10s\"")
            + &rule("name = \"endpoint-5xx\"\napi = \"pay\"\nmin_errors = 7\nlow_traffic = false")
            + &rule("name = \"api-5xx\"\napi = \"pay\"\nenabled = false")
            + &rule("name = \"5xx-count\"\napi = \"pay\"\nenabled = true\ncount = 4\nseverity = \"critical\"")
            + &rule("name = \"source-blind\"\napi = \"pay\"\nseverity = \"critical\"")
            + &rule(
                "name = \"median\"\nlike = \"latency\"\nby = \"api\"\nquantile = 0.5\nseverity = { high = \"200ms\" }",
            )
            + &rule("name = \"median\"\napi = \"pay\"\nenabled = false")),
    )
    .unwrap();
    let names = |api: &str| config.rules.of(api).iter().map(|rule| rule.name.to_string()).collect::<Vec<_>>();
    let common = ["endpoint-5xx", "api-5xx", "integration-timeouts", "no-invocations", "new-cause", "median"];
    assert_eq!(names("shop"), common);
    assert_eq!(names("pay"), ["endpoint-5xx", "integration-timeouts", "no-invocations", "new-cause", "5xx-count"]);
    let one = |api: &str, name: &str| config.rules.of(api).iter().find(|r| *r.name == *name).unwrap().clone();
    let first = |api: &str| {
        let Rule { min_errors, hold, low_traffic, .. } = one(api, "endpoint-5xx");
        (min_errors, hold.as_secs(), low_traffic.is_some())
    };
    assert_eq!((first("shop"), first("pay")), ((5, 10, true), (7, 10, false)));
    let median = one("shop", "median");
    assert_eq!((median.by, median.measure), (By::Api, Measure::Latency { quantile: 0.5 }));
    assert_eq!(median.ladder, Ladder::one(Severity::High, 200.0));
    let count = one("pay", "5xx-count");
    assert_eq!((count.ladder, count.window), (Ladder::one(Severity::Critical, 4.0), Duration::from_mins(5)));
    let blind = |api: &str| config.rules.blind_of(api, config.source_blind).map(|rule| rule.severity);
    assert_eq!((blind("shop"), blind("pay")), (Some(Severity::High), Some(Severity::Critical)));
    let said = config.summary();
    assert_eq!(said.matches("endpoint-5xx").count(), 1, "{said}");
}

#[test]
fn a_single_rung_takes_a_word_and_an_objective_switches_on() {
    let rules = |keys: &str| parse(&format!("{API}[[rule]]\n{keys}\n")).unwrap().rules;
    let timeouts = rules("name = \"integration-timeouts\"\nseverity = \"critical\"");
    assert_eq!(timeouts.of("shop")[2].ladder, Ladder::one(Severity::Critical, 0.01));
    let missing = rules("name = \"api-5xx\"\nseverity = { critical = 0.5 }");
    assert_eq!(missing.of("shop")[1].ladder, Ladder::one(Severity::Critical, 0.5));
    let burn = rules("name = \"burn-rate\"\nobjective = 0.99");
    assert_eq!(burn.of("shop")[5].measure, Measure::BurnRate { objective: 0.99 });
    assert_eq!(rules("name = \"burn-rate\"\nobjective = 0.99\nenabled = false").of("shop").len(), 5);
}

#[test]
fn source_blind_has_three_keys() {
    let rule = |keys: &str| parse(&format!("{API}[[rule]]\nname = \"source-blind\"\n{keys}\n")).unwrap();
    let changed = rule("for = \"30s\"\nseverity = \"critical\"");
    let want = SourceBlind { hold: Duration::from_secs(30), severity: Severity::Critical };
    assert_eq!((changed.source_blind, changed.rules.iter().count()), (Some(want), 5));
    let off = rule("enabled = false");
    assert_eq!((off.source_blind, off.rules.iter().count()), (None, 5));
    assert!(changed.summary().contains("source-blind") && !off.summary().contains("source-blind"));
}

#[test]
fn a_rule_changes_only_what_it_gives() {
    let config = parse(&format!("window = \"1m\"\n{API}[[rule]]\nname = \"api-5xx\"\nenabled = false\n[[rule]]\nname = \"endpoint-5xx\"\nmin_errors = 7\n")).unwrap();
    assert_eq!(config.rules.iter().count(), 4);
    let rule = &config.rules.of("shop")[0];
    assert_eq!((rule.min_errors, rule.min_requests, rule.window), (7, 10, Duration::from_mins(1)));
}
