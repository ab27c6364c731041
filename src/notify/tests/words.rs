//! Text for people, and the words for each measure.

use super::*;
use crate::model::alert::{Before, EndpointCount};
use crate::notify::headline::title;

fn text(m: impl Into<Message>) -> String {
    text::render(&m.into(), &Origin::default())
}

#[test]
fn an_endpoint_that_fails() {
    let want = "\
CRITICAL POST /checkout 40.0% 5xx (12 of 30, 5m): 9x TypeError in checkout-fn index.js:12, 3x not explained
  api shop, rule endpoint-5xx, since 2026-11-22T10:04:10.000Z
  9 of 12 failures explained
    9x TypeError in checkout-fn index.js:12: Cannot read properties of
      undefined (reading 'items')
      for example request JKJaXmPLvHcESHA=, Lambda request
        8f4b9e02-3c1d-4a5e-9b7f-0123456789ab
    3x not explained
  fix: Handle TypeError at index.js:12 in checkout-fn.
    aws logs filter-log-events --log-group-name /aws/lambda/checkout-fn --filter-pattern 8f4b9e02
  more, by CloudWatch Logs Insights in eu-west-1,
    2026-11-22T09:59:10.000Z to 2026-11-22T10:05:00.000Z:
    log group /aws/lambda/checkout-fn
    fields @timestamp, @message
    | filter @message like \"8f4b9e02-3c1d-4a5e-9b7f-0123456789ab\"
    | sort @timestamp asc
    | limit 50
  episode 0123456789ab, message 1, from gatewatch VERSION on gw-1";
    let want = want.replace("VERSION", env!("CARGO_PKG_VERSION"));
    assert_eq!(text::render(&failing().into(), &host()), want);
    let want = "\
RESOLVED POST /checkout 0.0% 5xx (0 of 28, 5m)
  api shop, rule endpoint-5xx; lasted 11m50s, worst critical
  episode 0123456789ab, message 2";
    assert_eq!(text(resolved()), want);
}

#[test]
fn an_api_that_fails_names_its_worst_endpoints() {
    let count = |route: &str, errors, requests| EndpointCount {
        endpoint: Arc::new(Endpoint::new("GET", route)),
        errors,
        requests,
    };
    let m = changed(|a| {
        a.key.subject = Subject::Api;
        a.key.rule = "api-5xx".into();
        a.causes.clear();
        a.endpoints = vec![count("/a", 9, 20), count("/b", 3, 10)];
    });
    assert_eq!(m.title(), "High Server Error Rate (5xx): shop");
    let want = "\
CRITICAL shop 40.0% 5xx (12 of 30, 5m)
  api shop, rule api-5xx, since 2026-11-22T10:04:10.000Z
  0 of 12 failures explained
  worst endpoints:
    9 of 20 at GET /a
    3 of 10 at GET /b
  episode 0123456789ab, message 1";
    assert_eq!(text(AlertMessage { query: None, ..m }), want);
}

#[test]
fn each_measure_has_its_words() {
    let said = |measure, value: f64, threshold: f64, state| {
        let m = changed(|a| {
            (a.measure, a.value, a.threshold, a.state) = (measure, value, threshold, state);
        });
        (m.title(), m.headline())
    };
    let slow = Measure::Slow { over_ms: 3000 };
    let burn = Measure::BurnRate { objective: 0.999 };
    let p99 = Measure::Latency { quantile: 0.99 };
    let cases = [
        (Measure::Failures, 0.4, 0.01, "Degraded API Endpoint", "40.0% 5xx (12 of 30, 5m)"),
        (Measure::FailureCount, 12.0, 10.0, "High Server Error Count (5xx)", "12 times 5xx (12 of 30, 5m)"),
        (Measure::Timeouts, 0.4, 0.01, "Integration Timeout Errors", "40.0% integration timeouts (12 of 30, 5m)"),
        (
            Measure::NoInvocations,
            1.0,
            1.0,
            "Function Not Invoked",
            "100.0% failed without an invocation (12 of 30, 5m)",
        ),
        (Measure::NewCause, 12.0, 1.0, "New Cause of Failures", "fails for a new cause (12 of 30, 5m)"),
        (p99, 4240.0, 3000.0, "High Latency", "p99 4.2s, over 3s (30 requests, 5m)"),
        (p99, 2800.0, 3000.0, "High Latency", "p99 2.8s, limit 3s (30 requests, 5m)"),
        (
            Measure::Latency { quantile: 0.999 },
            812.4,
            500.0,
            "High Latency",
            "p99.9 812ms, over 500ms (30 requests, 5m)",
        ),
        (slow, 0.4, 0.1, "Slow Requests", "40.0% slower than 3s (12 of 30, 5m)"),
        (Measure::Traffic, 30.0, 40.0, "Traffic Gone", "traffic gone: 30 requests in 5m"),
        (burn, 14.6, 14.4, "Error Budget Burning", "error budget of 99.9% burns at 14.6x (12 of 30, 5m)"),
    ];
    for (measure, value, threshold, title, headline) in cases {
        let (t, h) = said(measure, value, threshold, State::Firing);
        assert_eq!(t, format!("{title}: POST /checkout (shop)"));
        assert_eq!(h, format!("CRITICAL POST /checkout {headline}"));
    }
    let over = |measure, value, threshold| said(measure, value, threshold, State::Resolved).1;
    assert_eq!(over(p99, 1200.0, 3000.0), "RESOLVED POST /checkout p99 1.2s, limit 3s (30 requests, 5m)");
    assert_eq!(over(Measure::Traffic, 30.0, 0.0), "RESOLVED POST /checkout traffic is back: 30 requests in 5m");
    let before = |requests, expects: &str| {
        let m = changed(|a| {
            (a.measure, a.errors, a.requests) = (Measure::Traffic, 0, 0);
            a.before = Some(Before { requests, window: Duration::from_hours(1) });
        });
        assert_eq!(m.headline(), format!("CRITICAL POST /checkout traffic gone: no requests in 5m{expects}"));
    };
    before(3600, ", about 300 expected (3600 in the 1h before)");
    before(300, ", about 25 expected (300 in the 1h before)");
    before(0, "");
    assert_eq!(over(Measure::NewCause, 0.0, 1.0), "RESOLVED POST /checkout no new cause (12 of 30, 5m)");
    assert_eq!(said(burn, 0.0, 1.0, State::Resolved).0, "Resolved: POST /checkout (shop)");
    assert_eq!(
        over(burn, 15.6, 1.0),
        "RESOLVED POST /checkout error budget of 99.9% no longer burns (12 of 30, 5m)",
        "the long window may stand high for days"
    );
}

#[test]
fn slow_requests_are_no_failures_that_somebody_could_explain() {
    let (slow, failed) = (changed(|a| a.measure = Measure::Slow { over_ms: 3000 }), changed(|_| ()));
    assert!(text(failed.clone()).contains("failures explained"));
    assert!(!text(slow.clone()).contains("failures explained"));
    let chat = |m: AlertMessage| crate::notify::chat::render(&m.into(), &Origin::default());
    assert!(chat(failed).contains("failures explained"));
    assert!(!chat(slow).contains("failures explained"));
}

#[test]
fn a_function_that_is_not_run_says_what_that_means_and_how_to_check() {
    let m = changed(|a| {
        (a.measure, a.value, a.errors, a.requests) = (Measure::NoInvocations, 1.0, 30, 30);
        a.key.rule = "no-invocations".into();
        a.causes.remove(0);
        Arc::make_mut(&mut a.causes[0].sample).function = Some("checkout-fn".into());
    });
    let want = "\
CRITICAL POST /checkout 100.0% failed without an invocation (30 of 30, 5m): 3x not explained in checkout-fn
  api shop, rule no-invocations, since 2026-11-22T10:04:10.000Z
  that means: requests fail and the function is not run: API Gateway
    lacks the permission to invoke it, or the integration names the
    wrong ARN
  0 of 30 failures explained
    3x not explained in checkout-fn
  fix: Check that the integration names the ARN of a function, version
    or alias that exists, and that the function's policy lets
    apigateway.amazonaws.com invoke it for this API, stage and method.
    aws lambda get-policy --function-name checkout-fn
  episode 0123456789ab, message 1";
    assert_eq!(text(AlertMessage { query: None, ..m }), want);
    let hostile = changed(|a| {
        a.measure = Measure::NoInvocations;
        a.causes.remove(0);
        Arc::make_mut(&mut a.causes[0].sample).function = Some("x; rm -rf /".into());
    });
    let command = hostile.fix().and_then(|fix| fix.command.clone());
    assert_eq!(command.as_deref(), Some("aws lambda get-policy --function-name FUNCTION"));
    let known = changed(|a| a.measure = Measure::NoInvocations);
    assert!(known.fix().is_some_and(|fix| fix.text.starts_with("Handle TypeError")), "what is known is better");
}

#[test]
fn reasons_are_told_in_words() {
    for (reason, words) in [
        (Reason::New, ""),
        (Reason::Escalated, "(escalated) "),
        (Reason::Repeat, "(still firing) "),
        (Reason::Flapping, "(flapping) "),
        (Reason::CausesChanged, "(causes changed) "),
        (Reason::Deescalated, "(less severe than before) "),
    ] {
        let text = text(AlertMessage { reason, ..failing() });
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let want = format!("since 2026-11-22T10:04:10.000Z {words}9 of 12 failures explained");
        assert!(text.contains(&want), "{reason}: {text}");
    }
    let m = changed(|a| {
        a.flapping = true;
        a.severity = Severity::High;
    });
    let lines = text(AlertMessage { reason: Reason::Flapping, ..m });
    let want = "
  api shop, rule endpoint-5xx, since 2026-11-22T10:04:10.000Z
    (flapping); worst so far critical
  flapping: it has fired and resolved so often that it now goes on
    firing for longer before it resolves
  9 of 12";
    assert!(lines.contains(want), "{lines}");
}

#[test]
fn many_alerts_at_once() {
    let want = "\
CRITICAL 37 alerts of endpoint-5xx (shop), 3 resolved
  api shop, rule endpoint-5xx, since 2026-11-22T10:04:10.000Z
  37 fire, 3 have resolved
  the worst of those that fire:
    CRITICAL GET /a 40.0% 5xx (12 of 30, 5m): 9x TypeError in checkout-fn index.js:12, 3x not explained
    CRITICAL GET /b 40.0% 5xx (11 of 30, 5m): 9x TypeError in checkout-fn index.js:12, 3x not explained
  fix of GET /a: Handle TypeError at index.js:12 in checkout-fn.
    aws logs filter-log-events --log-group-name /aws/lambda/checkout-fn --filter-pattern 8f4b9e02
  episode d0123456789a, message 1";
    assert_eq!(text(digest()), want);
    let mixed = Digest { rule: None, api: None, resolved: 0, reason: Reason::CausesChanged, ..digest() };
    let want = "\
CRITICAL 37 alerts of several rules (several APIs)
  several APIs, several rules, since 2026-11-22T10:04:10.000Z (other
    alerts than before)
  37 fire, 0 have resolved
  the worst of those that fire:
    CRITICAL GET /a 40.0% 5xx (12 of 30, 5m), rule endpoint-5xx, api shop: 9x TypeError in checkout-fn index.js:12, 3x not explained
    CRITICAL GET /b 40.0% 5xx (11 of 30, 5m), rule endpoint-5xx, api shop: 9x TypeError in checkout-fn index.js:12, 3x not explained
  fix of GET /a: Handle TypeError at index.js:12 in checkout-fn.
    aws logs filter-log-events --log-group-name /aws/lambda/checkout-fn --filter-pattern 8f4b9e02
  episode d0123456789a, message 1";
    assert_eq!(text(mixed), want);
    let over = text(Digest { members: Vec::new(), ..digest_over() });
    let want = "\
RESOLVED 40 alerts of endpoint-5xx (shop)
  api shop, rule endpoint-5xx; lasted 21m, worst critical; all have
    resolved
  episode d0123456789a, message 2";
    assert_eq!(over, want);
    assert_eq!(title(&digest().into()), "Many Alerts: endpoint-5xx (shop)");
    assert_eq!(title(&digest_over().into()), "Resolved: 40 alerts of endpoint-5xx (shop)");
}

#[test]
fn a_test() {
    let want = "\
TEST messages arrive; nothing is the matter
  somebody tries whether messages arrive: nothing is the matter, and
    there is nothing to do
  episode test-1, message 1";
    assert_eq!(text(trial()), want);
}

#[test]
fn lines_are_no_longer_than_72_columns_but_for_the_first_and_what_is_copied() {
    for m in all() {
        let text = text::render(&m, &host());
        let is_copied = |line: &&str| line.starts_with("    aws ") || line.starts_with("    CRITICAL ");
        for line in text.lines().skip(1).filter(|line| !is_copied(line)) {
            assert!(line.chars().count() <= 72, "{line}");
        }
    }
}
