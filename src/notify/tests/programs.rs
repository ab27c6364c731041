//! JSON for programs.

use std::collections::BTreeSet;

use super::*;
use crate::model::alert::{CauseSample, EndpointCount};
use crate::model::own::{JSON_MESSAGE, JSON_ORIGIN};

/// All keys of version 1; a program may rely on each of them in each kind.
const KEYS: [&str; 35] = [
    "v",
    "type",
    "time",
    "kind",
    "state",
    "reason",
    "severity",
    "worst",
    "flapping",
    "rule",
    "api",
    "endpoint",
    "source",
    "measure",
    "quantile",
    "over_ms",
    "objective",
    "value",
    "threshold",
    "errors",
    "requests",
    "window_s",
    "since",
    "episode",
    "seq",
    "explained",
    "causes",
    "endpoints",
    "fix",
    "query",
    "before",
    "problem",
    "digest",
    "notice",
    "title",
];

fn object(m: &Message) -> Value {
    serde_json::from_str(&to_json::render(m, &host())).expect("JSON")
}

#[test]
fn every_key_is_there_in_each_kind() {
    let want: BTreeSet<&str> = KEYS.into_iter().chain(["origin"]).collect();
    for m in all() {
        let object = object(&m);
        let keys: BTreeSet<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, want, "{}", m.kind());
        assert_eq!((&object["v"], &object["type"], &object["kind"]), (&json!(1), &json!("alert"), &json!(m.kind())));
        assert_eq!(
            object["origin"],
            json!({"host": "gw-1", "task": "prod/shop", "version": env!("CARGO_PKG_VERSION")})
        );
    }
}

/// If it comes back as a log event it is known by these.
#[test]
fn how_a_message_begins_and_ends_is_what_it_is_known_by() {
    for m in all() {
        for origin in [host(), Origin::default()] {
            let line = to_json::render(&m, &origin);
            let rest = line.strip_prefix(JSON_MESSAGE).unwrap_or_else(|| panic!("{line}"));
            let (_, end) = rest.rsplit_once(JSON_ORIGIN).unwrap_or_else(|| panic!("{line}"));
            assert!(end.ends_with(&format!(r#","version":"{}"}}}}"#, Origin::VERSION)), "{line}");
        }
    }
}

#[test]
fn an_alert_that_stands_has_the_keys_of_a_message_and_no_secrets() {
    let said = failing();
    let message = object(&said.clone().into());
    let standing: Value = serde_json::from_str(&to_json::firing(&said.alert, &said.api, &host())).expect("JSON");
    for (key, value) in message.as_object().expect("an object") {
        let only_of_messages = ["reason", "seq", "query"].contains(&key.as_str());
        assert_eq!(standing[key], if only_of_messages { Value::Null } else { value.clone() }, "{key}");
    }
    let mut alert = said.alert;
    for cause in &mut alert.causes {
        let sample =
            CauseSample { message: Some("password=hunter2 of ada@example.com".into()), ..CauseSample::default() };
        cause.sample = sample.into();
    }
    let shown = to_json::firing(&alert, &said.api, &host());
    assert!(!alert.causes.is_empty() && !shown.contains("hunter2") && !shown.contains("ada@"), "{shown}");
}

#[test]
fn an_endpoint_that_fails() {
    let m = changed(|a| {
        a.endpoints = vec![EndpointCount { endpoint: Arc::new(Endpoint::new("GET", "/a")), errors: 9, requests: 20 }];
        a.severity = Severity::High;
        a.flapping = true;
    });
    let head = json!({
        "v": 1,
        "type": "alert",
        "time": "2026-11-22T10:05:00.000Z",
        "kind": "alert",
        "state": "firing",
        "reason": "new",
        "severity": "high",
        "worst": "critical",
        "flapping": true,
        "rule": "endpoint-5xx",
        "api": "shop",
        "endpoint": {"method": "POST", "route": "/checkout"},
        "source": null,
        "measure": "failures",
        "quantile": null,
        "over_ms": null,
        "objective": null,
        "value": 0.4,
        "threshold": 0.01,
        "errors": 12,
        "requests": 30,
        "window_s": 300,
        "since": "2026-11-22T10:04:10.000Z",
        "episode": "0123456789ab",
        "seq": 1,
    });
    let tail = json!({
        "explained": 9,
        "causes": [
            {
                "kind": "unhandled_exception",
                "count": 9,
                "sample": {
                    "error_type": "TypeError",
                    "message": "Cannot read properties of undefined (reading 'items')",
                    "function": "checkout-fn",
                    "site": {"file": "index.js", "line": 12},
                    "request_id": "JKJaXmPLvHcESHA=",
                    "lambda_request_id": "8f4b9e02-3c1d-4a5e-9b7f-0123456789ab",
                },
            },
            {
                "kind": "unknown",
                "count": 3,
                "sample": {
                    "error_type": null,
                    "message": null,
                    "function": null,
                    "site": null,
                    "request_id": "other",
                    "lambda_request_id": null,
                },
            },
        ],
        "endpoints": [{"endpoint": {"method": "GET", "route": "/a"}, "errors": 9, "requests": 20}],
        "fix": {
            "text": "Handle TypeError at index.js:12 in checkout-fn.",
            "command": "aws logs filter-log-events --log-group-name /aws/lambda/checkout-fn --filter-pattern 8f4b9e02",
        },
        "query": {
            "groups": ["/aws/lambda/checkout-fn"],
            "region": "eu-west-1",
            "from": "2026-11-22T09:59:10.000Z",
            "to": "2026-11-22T10:05:00.000Z",
            "text": "fields @timestamp, @message\n| filter @message like \"8f4b9e02-3c1d-4a5e-9b7f-0123456789ab\"\n\
                     | sort @timestamp asc\n| limit 50",
        },
        "before": null,
        "problem": null,
        "digest": null,
        "notice": null,
        "title": "Degraded API Endpoint: POST /checkout (shop)",
        "origin": {"host": "gw-1", "task": "prod/shop", "version": env!("CARGO_PKG_VERSION")},
    });
    assert_eq!(object(&m.into()), joined(head, tail));
}

#[test]
fn what_is_over_explains_no_failure_of_now() {
    let over = object(&resolved().into());
    assert_eq!((&over["state"], &over["errors"], &over["explained"]), (&json!("resolved"), &json!(0), &Value::Null));
}

#[test]
fn each_measure_has_a_word_and_what_it_needs() {
    let said = |measure| {
        let object = object(&changed(|a| a.measure = measure).into());
        ["measure", "quantile", "over_ms", "objective"].map(|key| object[key].clone())
    };
    let null = Value::Null;
    let plain = |word: &str| [json!(word), null.clone(), null.clone(), null.clone()];
    assert_eq!(said(Measure::Failures), plain("failures"));
    assert_eq!(said(Measure::FailureCount), plain("failure_count"));
    assert_eq!(said(Measure::Timeouts), plain("timeouts"));
    assert_eq!(said(Measure::NoInvocations), plain("no_invocations"));
    assert_eq!(said(Measure::NewCause), plain("new_cause"));
    assert_eq!(said(Measure::Traffic), plain("traffic"));
    assert_eq!(said(Measure::Latency { quantile: 0.5 }), [json!("latency"), json!(0.5), null.clone(), null.clone()]);
    assert_eq!(said(Measure::Slow { over_ms: 9 }), [json!("slow"), null.clone(), json!(9), null.clone()]);
    assert_eq!(
        said(Measure::BurnRate { objective: 0.5 }),
        [json!("burn_rate"), null.clone(), null.clone(), json!(0.5)]
    );
}

#[test]
fn many_alerts_at_once() {
    let object = object(&digest().into());
    assert_eq!(
        (&object["rule"], &object["api"], &object["state"]),
        (&json!("endpoint-5xx"), &json!("shop"), &json!("firing"))
    );
    assert_eq!((&object["digest"]["firing"], &object["digest"]["resolved"]), (&json!(37), &json!(3)));
    let members = object["digest"]["members"].as_array().expect("a list");
    let want = json!({
        "state": "firing",
        "severity": "critical",
        "rule": "endpoint-5xx",
        "api": "shop",
        "endpoint": {"method": "GET", "route": "/a"},
        "source": null,
        "measure": "failures",
        "quantile": null,
        "over_ms": null,
        "objective": null,
        "value": 0.4,
        "errors": 12,
        "requests": 30,
        "since": "2026-11-22T10:04:10.000Z",
        "episode": "0123456789ab",
        "title": "Degraded API Endpoint: GET /a (shop)",
    });
    assert_eq!((members.len(), &members[0]), (2, &want));
}
