//! Notices: what is told once and stands nowhere.

use super::*;

#[test]
fn a_notice_as_text() {
    let want = "\
NOTICE reading stood still for 47m (10:02 to 10:49 UTC, unreachable): 14402 requests caught up, 112 failed
  5 log groups: /aws/apigateway/shop-prod, /aws/lambda/checkout-fn,
    /aws/lambda/catalog-fn and 2 more
  what lies before 2026-11-22T10:10:00.000Z was not read: it was more
    than is caught up at most
  failures: 90x unhandled exception, 22x not explained
    90x POST /checkout (shop)
    22x GET /catalog (shop)
  no alert fires for what lies in the past
  episode ba9876543210, message 1";
    assert_eq!(text::render(&notice().into(), &Origin::default()), want);
    let quiet = Notice {
        why: Vec::new(),
        sources: 1,
        names: vec!["/access".into()],
        requests: 1,
        failures: 0,
        causes: Vec::new(),
        endpoints: Vec::new(),
        unread_before: None,
        ..notice()
    };
    let want = "\
NOTICE reading stood still for 47m (10:02 to 10:49 UTC): 1 request caught up, 0 failed
  1 log group: /access
  no alert fires for what lies in the past
  episode ba9876543210, message 1";
    assert_eq!(text::render(&quiet.into(), &Origin::default()), want);
}

#[test]
fn a_notice_for_programs() {
    let message = Message::from(notice());
    let object: Value = serde_json::from_str(&to_json::render(&message, &Origin::default())).expect("JSON");
    let head = json!({
        "v": 1,
        "type": "alert",
        "time": "2026-11-22T10:52:10.000Z",
        "kind": "notice",
        "state": null,
        "reason": null,
        "severity": "elevated",
        "worst": null,
        "flapping": null,
        "rule": null,
        "api": null,
        "endpoint": null,
        "source": null,
        "measure": null,
        "quantile": null,
        "over_ms": null,
        "objective": null,
        "value": null,
        "threshold": null,
        "errors": null,
        "requests": null,
        "window_s": null,
        "since": null,
        "episode": "ba9876543210",
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
        "problem": null,
        "notice": {
            "from": "2026-11-22T10:02:00.000Z",
            "to": "2026-11-22T10:49:20.000Z",
            "why": ["unreachable"],
            "sources": 5,
            "names": ["/aws/apigateway/shop-prod", "/aws/lambda/checkout-fn", "/aws/lambda/catalog-fn"],
            "apis": ["shop"],
            "requests": 14402,
            "failures": 112,
            "causes": [{"kind": "unhandled_exception", "count": 90}, {"kind": "unknown", "count": 22}],
            "endpoints": [
                {"api": "shop", "endpoint": {"method": "POST", "route": "/checkout"}, "failures": 90},
                {"api": "shop", "endpoint": {"method": "GET", "route": "/catalog"}, "failures": 22},
            ],
            "unread_before": "2026-11-22T10:10:00.000Z",
        },
        "title": "Reading Stood Still: 47m",
        "origin": {"host": null, "task": null, "version": env!("CARGO_PKG_VERSION")},
    });
    assert_eq!(object, joined(head, tail));
}

#[test]
fn a_notice_through_sns() {
    let message = Message::from(notice());
    let sent = sns(&message, Format::Json);
    assert_eq!(sent.subject, "[NOTICE] reading stood still for 47m: 14402 requests caught up, 112 failed");
    let attributes: Vec<_> = sent.attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let fingerprint = message.fingerprint();
    let want = [
        ("schema", "1"),
        ("kind", "notice"),
        ("state", "none"),
        ("severity", "elevated"),
        ("rule", "none"),
        ("api", "none"),
        ("episode", "ba9876543210"),
        ("fingerprint", &fingerprint),
    ];
    assert_eq!(attributes, want);
    assert_eq!(sent.group_id, Some(fingerprint));
    assert_eq!(sent.deduplication_id.as_deref(), Some("ba9876543210-1-none"));
    assert_eq!((message.seq(), message.severity()), (1, Severity::Elevated));
}
