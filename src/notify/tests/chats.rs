//! What chat applications get.

use super::*;
use crate::notify::chat;

fn notification(m: &Message) -> Value {
    serde_json::from_str(&chat::render(m, &host())).expect("JSON")
}

#[test]
fn an_endpoint_that_fails() {
    let foot = format!("gatewatch {} on `gw-1`, message 1", Origin::VERSION);
    let description = "\
Degraded API Endpoint: POST /checkout (shop)
api `shop`, rule `endpoint-5xx`, since 2026-11-22T10:04:10.000Z
9 of 12 failures explained
\u{2022} 9x `TypeError in checkout-fn index.js:12`: `Cannot read properties of undefined (reading 'items')`
for example request `JKJaXmPLvHcESHA=`, Lambda request `8f4b9e02-3c1d-4a5e-9b7f-0123456789ab`
\u{2022} 3x `not explained`
";
    let want = json!({
        "version": "1.0",
        "source": "custom",
        "id": "0123456789ab-1",
        "content": {
            "textType": "client-markdown",
            "title": "CRITICAL `POST /checkout` 40.0% 5xx (12 of 30, 5m) (`shop`)",
            "description": format!("{description}{foot}"),
            "nextSteps": [
                "Handle TypeError at index.js:12 in checkout-fn.",
                "Run `aws logs filter-log-events --log-group-name /aws/lambda/checkout-fn --filter-pattern 8f4b9e02`",
                "Ask CloudWatch Logs Insights in `eu-west-1`, 2026-11-22T09:59:10.000Z to 2026-11-22T10:05:00.000Z, log \
                 group `/aws/lambda/checkout-fn`: `fields @timestamp, @message | filter @message like \
                 \"8f4b9e02-3c1d-4a5e-9b7f-0123456789ab\" | sort @timestamp asc | limit 50`",
            ],
            "keywords": ["alert", "critical", "firing", "endpoint-5xx", "shop"],
        },
        "metadata": {
            "threadId": "0123456789ab",
            "summary": "(CRITICAL) shop: POST /checkout 40.0% 5xx (12 of 30, 5m)",
            "eventType": "alert",
            "relatedResources": ["/aws/lambda/checkout-fn"],
            "additionalContext": {
                "severity": "critical",
                "state": "firing",
                "rule": "endpoint-5xx",
                "api": "shop",
                "episode": "0123456789ab",
                "fingerprint": Message::from(failing()).fingerprint(),
                "function": "checkout-fn",
                "request_id": "JKJaXmPLvHcESHA=",
                "lambda_request_id": "8f4b9e02-3c1d-4a5e-9b7f-0123456789ab",
            },
        },
    });
    assert_eq!(notification(&failing().into()), want);
}

#[test]
fn what_fires_and_its_resolve_are_one_thread() {
    let (fires, over) = (notification(&failing().into()), notification(&resolved().into()));
    assert_eq!(fires["metadata"]["threadId"], over["metadata"]["threadId"]);
    assert_ne!(fires["id"], over["id"]);
    assert_eq!(over["content"]["title"], json!("RESOLVED `POST /checkout` 0.0% 5xx (0 of 28, 5m) (`shop`)"));
    assert_eq!(over["content"]["nextSteps"], json!([]));
}

#[test]
fn the_other_kinds() {
    let content = |m: Message, key: &str| notification(&m)["content"][key].clone();
    assert_eq!(content(digest().into(), "title"), json!("(CRITICAL) 37 alerts of endpoint-5xx (shop), 3 resolved"));
    let foot = format!("gatewatch {} on `gw-1`, message 1", Origin::VERSION);
    let want = format!(
        "37 fire, 3 have resolved, since 2026-11-22T10:04:10.000Z\n\u{2022} CRITICAL `GET /a` 40.0% 5xx (12 of 30, \
         5m)\n\u{2022} CRITICAL `GET /b` 40.0% 5xx (11 of 30, 5m)\n{foot}"
    );
    assert_eq!(content(digest().into(), "description"), json!(want));
    let title = "(NOTICE) reading stood still for 47m: 14402 requests caught up, 112 failed";
    assert_eq!(content(notice().into(), "title"), json!(title));
    assert_eq!(content(trial(), "title"), json!("(TEST) messages arrive; nothing is the matter"));
    let blind = blind(State::Firing, Loss::Part);
    let title = "HIGH `/aws/lambda/checkout-fn` not read for 3m: access denied (`shop`)";
    assert_eq!(content(blind.clone(), "title"), json!(title));
    assert_eq!(content(blind, "nextSteps"), json!(["allow logs:FilterLogEvents on this log group"]));
}

#[test]
fn text_of_a_log_makes_no_markup() {
    let hostile = "<!channel> *bold* `code` [click](http://evil) <@U1> ~x~ _y_ & |z|\n# big";
    let mut m = changed(|a| {
        let sample = Arc::make_mut(&mut a.causes[0].sample);
        sample.message = Some(hostile.into());
        sample.error_type = Some(hostile.into());
        let fix = Fix { text: hostile.to_owned(), command: Some(hostile.to_owned()) };
        sample.fix = Some(Arc::new(fix));
        a.key.subject = Subject::Endpoint(Arc::new(Endpoint::new("GET", hostile)));
    });
    m.api = hostile.into();
    let object = notification(&m.into());
    let content = &object["content"];
    let shown = [&content["title"], &content["description"], &content["nextSteps"][0], &content["nextSteps"][1]];
    for text in shown.map(|text| text.as_str().expect("text")) {
        assert!(!text.contains(['<', '>']), "a mention or a link: {text}");
        // Every second piece between backticks is code.
        let pieces: Vec<&str> = text.split('`').collect();
        assert_eq!(pieces.len() % 2, 1, "a code span that never ends: {text}");
        let outside: String = pieces.into_iter().step_by(2).collect();
        assert!(!outside.contains(['*', '_', '~', '[', ']', '#', '|']), "{outside}");
    }
}
