//! What people and programs get, to the letter: here logs that are not read, and notices.

mod alarms;
mod chats;
mod limits;
mod notices;
mod programs;
mod topics;
mod unread;
mod words;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::message::{AlertMessage, Digest, Message, Test};
use super::origin::Origin;
use super::query::Query;
use super::sns::{Format, SnsRequest, requests};
use super::{json as to_json, text};
use crate::model::alert::{
    Alert, AlertKey, Before, Blindness, CauseCount, CauseSample, Loss, Measure, Reason, Severity, State, Subject,
};
use crate::model::cause::{CauseKind, Fix};
use crate::model::inventory::ApiId;
use crate::model::invocation::Site;
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
        before: None,
        blindness: Some(blindness),
    };
    let (reason, seq) = if state == State::Firing { (Reason::New, 1) } else { (Reason::Resolved, 2) };
    AlertMessage { alert, api: "shop".into(), reason, seq, query: None }.into()
}

pub(super) fn notice() -> Notice {
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
        apis: vec!["shop".into()],
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

/// `POST /checkout` of API `shop`: 12 of 30 fail, 9 of them explained.
fn failing() -> AlertMessage {
    let function = "checkout-fn";
    let crash = CauseSample {
        error_type: Some("TypeError".into()),
        message: Some("Cannot read properties of undefined (reading 'items')".into()),
        function: Some(function.into()),
        site: Some(Site { file: "index.js".into(), line: 12 }),
        request_id: Some("JKJaXmPLvHcESHA=".into()),
        lambda_request_id: Some("8f4b9e02-3c1d-4a5e-9b7f-0123456789ab".into()),
        fix: Some(Arc::new(Fix {
            text: "Handle TypeError at index.js:12 in checkout-fn.".to_owned(),
            command: Some(
                "aws logs filter-log-events --log-group-name /aws/lambda/checkout-fn --filter-pattern 8f4b9e02"
                    .to_owned(),
            ),
        })),
    };
    let cause = |kind, count, certain, sample| CauseCount { kind, count, certain, sample: Arc::new(sample) };
    let alert = Alert {
        key: AlertKey {
            rule: "endpoint-5xx".into(),
            api: ApiId(0),
            subject: Subject::Endpoint(Arc::new(Endpoint::new("POST", "/checkout"))),
        },
        state: State::Firing,
        severity: Severity::Critical,
        worst: Severity::Critical,
        measure: Measure::Failures,
        value: 0.4,
        threshold: 0.01,
        errors: 12,
        requests: 30,
        window: Duration::from_mins(5),
        time: at("10:05:00"),
        since: at("10:04:10"),
        episode: "0123456789ab".into(),
        holds: true,
        flapping: false,
        causes: vec![
            cause(CauseKind::UnhandledException, 9, 9, crash),
            cause(CauseKind::Unknown, 3, 0, CauseSample { request_id: Some("other".into()), ..CauseSample::default() }),
        ],
        endpoints: Vec::new(),
        before: None,
        blindness: None,
    };
    let query = Query {
        groups: vec!["/aws/lambda/checkout-fn".into()],
        region: Some("eu-west-1".into()),
        from: at("09:59:10"),
        to: at("10:05:00"),
        text: "fields @timestamp, @message\n| filter @message like \"8f4b9e02-3c1d-4a5e-9b7f-0123456789ab\"\n\
               | sort @timestamp asc\n| limit 50"
            .to_owned(),
    };
    AlertMessage { alert, api: "shop".into(), reason: Reason::New, seq: 1, query: Some(query) }
}

/// The same, over.
fn resolved() -> AlertMessage {
    let firing = failing();
    let alert = Alert {
        state: State::Resolved,
        value: 0.0,
        errors: 0,
        requests: 28,
        time: at("10:16:00"),
        holds: false,
        ..firing.alert
    };
    AlertMessage { alert, reason: Reason::Resolved, seq: 2, query: None, ..firing }
}

/// Of the API as a whole, or of another measure.
fn changed(change: impl FnOnce(&mut Alert)) -> AlertMessage {
    let mut m = failing();
    change(&mut m.alert);
    m
}

fn digest() -> Digest {
    let member = |route: &str, errors: u64| {
        let mut m = changed(|a| {
            a.key.subject = Subject::Endpoint(Arc::new(Endpoint::new("GET", route)));
            a.errors = errors;
        });
        m.seq = 0;
        m
    };
    Digest {
        time: at("10:06:00"),
        state: State::Firing,
        reason: Reason::New,
        severity: Severity::Critical,
        rule: Some("endpoint-5xx".into()),
        api: Some("shop".into()),
        since: at("10:04:10"),
        firing: 37,
        resolved: 3,
        members: vec![member("/a", 12), member("/b", 11)],
        episode: "d0123456789a".into(),
        seq: 1,
    }
}

fn digest_over() -> Digest {
    Digest {
        state: State::Resolved,
        reason: Reason::Resolved,
        time: at("10:26:00"),
        firing: 0,
        resolved: 40,
        seq: 2,
        ..digest()
    }
}

fn trial() -> Message {
    Message::Test(Box::new(Test { time: at("10:00:00"), episode: "test-1".into() }))
}

/// Two halves of an object that is too long for one `json!`.
fn joined(head: Value, tail: Value) -> Value {
    let halves = [head, tail].into_iter().filter_map(|half| half.as_object().cloned());
    Value::Object(halves.flatten().collect())
}

fn host() -> Origin {
    Origin { host: Some("gw-1".into()), task: Some("prod/shop".into()) }
}

/// One of each kind and state.
fn all() -> Vec<Message> {
    vec![
        failing().into(),
        resolved().into(),
        blind(State::Firing, Loss::Part),
        blind(State::Resolved, Loss::Part),
        digest().into(),
        digest_over().into(),
        notice().into(),
        trial(),
    ]
}

#[test]
fn a_message_can_be_kept() {
    for message in [blind(State::Firing, Loss::Part), notice().into()] {
        let bytes = postcard::to_stdvec(&message).expect("it can be written");
        assert_eq!(postcard::from_bytes::<Message>(&bytes).expect("it can be read"), message);
    }
}

/// Messages about alerts, one of each kind, state and measure.
pub(crate) fn told() -> Vec<Message> {
    let measures = [
        Measure::FailureCount,
        Measure::Timeouts,
        Measure::NoInvocations,
        Measure::NewCause,
        Measure::Latency { quantile: 0.95 },
        Measure::Slow { over_ms: 3000 },
        Measure::BurnRate { objective: 0.999 },
    ];
    let each = measures.into_iter().map(|measure| changed(|alert| alert.measure = measure).into());
    let gone = changed(|alert| {
        (alert.measure, alert.key.subject) = (Measure::Traffic, Subject::Api);
        alert.before = Some(Before { requests: 600, window: Duration::from_hours(1) });
    });
    let about_alerts = |m: &Message| matches!(m, Message::Alert(_) | Message::Digest(_));
    all().into_iter().filter(about_alerts).chain(each).chain([gone.into()]).collect()
}
