//! Alerts about logs that are not read, in each rendering.

use super::*;

#[test]
fn a_log_that_is_not_read_as_text() {
    let firing = text::render(&blind(State::Firing, Loss::Causes), &Origin::default());
    let want = "\
HIGH /aws/lambda/checkout-fn not read for 3m: access denied (shop)
  api shop, rule source-blind, since 2026-11-22T10:02:00.000Z; read up
    to 2026-11-22T10:01:55.000Z, which is 3m5s ago
  said: User: arn:aws:iam::111122223333:user/gw is not authorized to
    perform: logs:FilterLogEvents
  meanwhile: failures of shop, admin are counted, but causes that only
    this log names are not found
  fix: allow logs:FilterLogEvents on this log group
  episode 0123456789ab, message 1";
    assert_eq!(firing, want);
    let resolved = text::render(&blind(State::Resolved, Loss::Causes), &Origin::default());
    let want = "\
RESOLVED /aws/lambda/checkout-fn read again after 3m: access denied (shop)
  api shop, rule source-blind; lasted 3m, worst high
  episode 0123456789ab, message 2";
    assert_eq!(resolved, want);
    let meanwhile = |loss| {
        let text = text::render(&blind(State::Firing, loss), &Origin::default())
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        text.split("meanwhile: ").nth(1).and_then(|t| t.split(" fix:").next()).map(str::to_owned)
    };
    assert_eq!(
        meanwhile(Loss::Everything).as_deref(),
        Some(
            "nothing is known of requests to shop, admin; rules endpoint-5xx, api-5xx: they stand still, none fires and \
             none resolves"
        )
    );
    assert_eq!(
        meanwhile(Loss::Part).as_deref(),
        Some(
            "part of the requests to shop, admin is not seen; rules endpoint-5xx, api-5xx: they may fire on the rest, \
             none resolves"
        )
    );
}

#[test]
fn a_log_that_is_not_read_for_programs() {
    let object: Value =
        serde_json::from_str(&to_json::render(&blind(State::Firing, Loss::Part), &Origin::default())).expect("JSON");
    let head = json!({
        "v": 1,
        "type": "alert",
        "time": "2026-11-22T10:05:00.250Z",
        "kind": "alert",
        "state": "firing",
        "reason": "new",
        "severity": "high",
        "worst": "high",
        "flapping": false,
        "rule": "source-blind",
        "api": "shop",
        "endpoint": null,
        "source": "/aws/lambda/checkout-fn",
        "measure": "unread",
        "quantile": null,
        "over_ms": null,
        "objective": null,
        "value": null,
        "threshold": null,
        "errors": null,
        "requests": null,
        "window_s": null,
        "since": "2026-11-22T10:02:00.000Z",
        "episode": "0123456789ab",
        "seq": 1,
    });
    let tail = json!({
        "explained": null,
        "causes": [],
        "endpoints": [],
        "fix": null,
        "query": null,
        "digest": null,
        "before": null,
        "problem": {
            "kind": "denied",
            "said": "User: arn:aws:iam::111122223333:user/gw is not authorized to perform: logs:FilterLogEvents",
            "advice": "allow logs:FilterLogEvents on this log group",
            "read_to": "2026-11-22T10:01:55.000Z",
            "loss": "part",
            "apis": ["shop", "admin"],
        },
        "notice": null,
        "title": "Log Group Not Read: /aws/lambda/checkout-fn (shop)",
        "origin": {"host": null, "task": null, "version": env!("CARGO_PKG_VERSION")},
    });
    assert_eq!(object, joined(head, tail));
}

#[test]
fn a_log_that_is_not_read_through_sns() {
    let firing = sns(&blind(State::Firing, Loss::Causes), Format::Text);
    assert_eq!(firing.subject, "[HIGH] shop: /aws/lambda/checkout-fn not read for 3m: access denied");
    assert!(!firing.subject.contains("arn:") && firing.attributes.iter().all(|(_, value)| !value.contains("arn:")));
    assert_eq!(firing.deduplication_id.as_deref(), Some("0123456789ab-1-firing"));
    let resolved = sns(&blind(State::Resolved, Loss::Causes), Format::Text);
    assert_eq!(resolved.subject, "[RESOLVED] shop: /aws/lambda/checkout-fn read again after 3m: access denied");
}
