//! What people and programs get, to the letter: logs that are not read, and notices.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::message::{AlertMessage, Message};
use super::origin::Origin;
use super::sns::{Format, SnsRequest, requests};
use super::{json as to_json, text};
use crate::model::alert::{Alert, AlertKey, Blindness, Loss, Measure, Reason, Severity, State, Subject};
use crate::model::cause::CauseKind;
use crate::model::inventory::ApiId;
use crate::model::notice::{Missed, Notice};
use crate::model::problem::Problem;
use crate::model::request::Endpoint;
use crate::model::time::Timestamp;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("2026-11-22T{text}Z")).expect("a time")
}

fn blind(state: State, loss: Loss) -> Message {
    let blindness = Blindness {
        problem: Problem::Denied,
        said: "User: arn:aws:iam::111122223333:user/gw is not authorized to perform: logs:FilterLogEvents".into(),
        read_to: Some(at("10:01:55")),
        loss,
        rules: if loss == Loss::Causes { Vec::new() } else { vec!["endpoint-5xx".into(), "api-5xx".into()] },
        apis: vec!["shop".into(), "admin".into()],
    };
    let alert = Alert {
        key: AlertKey {
            rule: "source-blind".into(),
            api: ApiId(0),
            subject: Subject::Source("/aws/lambda/checkout-fn".into()),
        },
        state,
        severity: Severity::High,
        worst: Severity::High,
        measure: Measure::Unread,
        value: 0.0,
        threshold: 0.01,
        errors: 0,
        requests: 0,
        window: Duration::ZERO,
        time: at("10:05:00.250"),
        since: at("10:02:00"),
        episode: "0123456789ab".into(),
        holds: state == State::Firing,
        causes: Vec::new(),
        flapping: false,
        endpoints: Vec::new(),
        blindness: Some(blindness),
    };
    let (reason, seq) = if state == State::Firing { (Reason::New, 1) } else { (Reason::Resolved, 2) };
    AlertMessage { alert, api: "shop".into(), reason, seq, query: None }.into()
}

fn notice() -> Notice {
    let missed = |method: &str, route: &str, failures| Missed {
        api: "shop".into(),
        endpoint: Arc::new(Endpoint::new(method, route)),
        failures,
    };
    Notice {
        time: at("10:52:10"),
        from: at("10:02:00"),
        to: at("10:49:20"),
        why: vec![Problem::Unreachable],
        sources: 5,
        names: ["/aws/apigateway/shop-prod", "/aws/lambda/checkout-fn", "/aws/lambda/catalog-fn"]
            .map(Into::into)
            .into(),
        requests: 14_402,
        failures: 112,
        causes: vec![(CauseKind::UnhandledException, 90), (CauseKind::Unknown, 22)],
        endpoints: vec![missed("POST", "/checkout", 90), missed("GET", "/catalog", 22)],
        unread_before: Some(at("10:10:00")),
        episode: "ba9876543210".into(),
    }
}

fn sns(m: &Message, format: Format) -> SnsRequest {
    let topic = "arn:aws:sns:eu-west-1:111122223333:ops.fifo".into();
    let mut requests = requests(m, &topic, format, &Origin::default());
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

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
    let want = json!({
        "v": 1,
        "type": "alert",
        "time": "2026-11-22T10:05:00.250Z",
        "kind": "alert",
        "state": "firing",
        "reason": "new",
        "severity": "high",
        "rule": "source-blind",
        "api": "shop",
        "endpoint": null,
        "source": "/aws/lambda/checkout-fn",
        "value": null,
        "errors": null,
        "requests": null,
        "window_s": null,
        "since": "2026-11-22T10:02:00.000Z",
        "episode": "0123456789ab",
        "seq": 1,
        "causes": [],
        "fix": null,
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
    });
    assert_eq!(object, want);
}

#[test]
fn a_log_that_is_not_read_through_sns() {
    let firing = sns(&blind(State::Firing, Loss::Causes), Format::Text);
    assert_eq!(firing.subject, "[HIGH] shop: /aws/lambda/checkout-fn not read for 3m: access denied");
    assert!(!firing.subject.contains("arn:") && firing.attributes.iter().all(|(_, value)| !value.contains("arn:")));
    assert_eq!(firing.deduplication_id.as_deref(), Some("0123456789ab-1"));
    let resolved = sns(&blind(State::Resolved, Loss::Causes), Format::Text);
    assert_eq!(resolved.subject, "[RESOLVED] shop: /aws/lambda/checkout-fn read again after 3m: access denied");
}

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
    let want = json!({
        "v": 1,
        "type": "alert",
        "time": "2026-11-22T10:52:10.000Z",
        "kind": "notice",
        "state": null,
        "reason": null,
        "severity": "elevated",
        "rule": null,
        "api": null,
        "endpoint": null,
        "source": null,
        "value": null,
        "errors": null,
        "requests": null,
        "window_s": null,
        "since": null,
        "episode": "ba9876543210",
        "seq": 1,
        "causes": [],
        "fix": null,
        "problem": null,
        "notice": {
            "from": "2026-11-22T10:02:00.000Z",
            "to": "2026-11-22T10:49:20.000Z",
            "why": ["unreachable"],
            "sources": 5,
            "names": ["/aws/apigateway/shop-prod", "/aws/lambda/checkout-fn", "/aws/lambda/catalog-fn"],
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
    });
    assert_eq!(object, want);
}

#[test]
fn a_notice_through_sns() {
    let message = Message::from(notice());
    let sent = sns(&message, Format::Json);
    assert_eq!(sent.subject, "[NOTICE] reading stood still for 47m: 14402 requests caught up, 112 failed");
    let attributes: Vec<_> = sent.attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let want = [("schema", "1"), ("kind", "notice"), ("severity", "elevated"), ("episode", "ba9876543210")];
    assert_eq!(attributes, want);
    assert_eq!(sent.group_id.as_deref(), Some("ba9876543210"));
    assert_eq!((message.seq(), message.severity()), (1, Severity::Elevated));
}

#[test]
fn a_message_can_be_kept() {
    for message in [blind(State::Firing, Loss::Part), notice().into()] {
        let bytes = postcard::to_stdvec(&message).expect("it can be written");
        assert_eq!(postcard::from_bytes::<Message>(&bytes).expect("it can be read"), message);
    }
}
