//! What SNS gets: attributes, subjects, FIFO, one body for each protocol.

use super::*;

fn attributes(m: &Message) -> Vec<(&'static str, String)> {
    sns(m, Format::Text).attributes
}

#[test]
fn attributes_for_filters() {
    let of = |m: Message| {
        let all = attributes(&m);
        let fingerprint = m.fingerprint();
        assert_eq!((all.len(), all.last()), (8, Some(&("fingerprint", fingerprint))));
        let values: Vec<String> = all.into_iter().take(7).map(|(name, value)| format!("{name}={value}")).collect();
        values.join(" ")
    };
    let alert = "schema=1 kind=alert state=firing severity=critical rule=endpoint-5xx api=shop episode=0123456789ab";
    assert_eq!(of(failing().into()), alert);
    assert_eq!(of(resolved().into()), alert.replace("firing", "resolved"));
    let many = "schema=1 kind=digest state=firing severity=critical rule=endpoint-5xx api=shop episode=d0123456789a";
    assert_eq!(of(digest().into()), many);
    let mixed = Digest { rule: None, api: None, ..digest_over() };
    let want = "schema=1 kind=digest state=resolved severity=critical rule=none api=none episode=d0123456789a";
    assert_eq!(of(mixed.into()), want);
    let want = "schema=1 kind=test state=none severity=elevated rule=none api=none episode=test-1";
    assert_eq!(of(trial()), want);
}

#[test]
fn subjects() {
    let of = |m: Message| sns(&m, Format::Text).subject;
    assert_eq!(of(failing().into()), "[CRITICAL] shop: POST /checkout 40.0% 5xx (12 of 30, 5m)");
    assert_eq!(of(resolved().into()), "[RESOLVED] shop: POST /checkout 0.0% 5xx (0 of 28, 5m)");
    assert_eq!(of(changed(|a| a.key.subject = Subject::Api).into()), "[CRITICAL] shop 40.0% 5xx (12 of 30, 5m)");
    assert_eq!(of(digest().into()), "[CRITICAL] 37 alerts of endpoint-5xx (shop), 3 resolved");
    assert_eq!(of(digest_over().into()), "[RESOLVED] 40 alerts of endpoint-5xx (shop)");
    assert_eq!(of(trial()), "[TEST] messages arrive; nothing is the matter");
    let long = changed(|a| a.key.subject = Subject::Endpoint(Arc::new(Endpoint::new("GET", &"/größe".repeat(40)))));
    let subject = of(long.into());
    assert_eq!(subject.len(), 99);
    assert!(subject.starts_with("[CRITICAL] shop: GET /gr??e/gr") && subject.ends_with(".. 40.0% 5xx (12 of 30, 5m)"));
}

#[test]
fn one_alert_stays_in_order_and_no_message_is_taken_for_another() {
    let group = |m: Message| sns(&m, Format::Json).group_id.expect("a FIFO topic");
    let id = |m: Message| sns(&m, Format::Json).deduplication_id.expect("a FIFO topic");
    assert_eq!(group(failing().into()), group(resolved().into()));
    assert_eq!(group(failing().into()), group(changed(|a| a.episode = "other".into()).into()), "over episodes");
    assert_ne!(group(failing().into()), group(changed(|a| a.key.subject = Subject::Api).into()));
    assert_ne!(group(failing().into()), group(digest().into()));
    let wider = Digest { rule: None, api: None, ..digest_over() };
    assert_eq!(group(digest().into()), group(wider.into()), "though others have joined it");
    let again = AlertMessage { seq: 2, ..failing() };
    assert_eq!(
        [id(failing().into()), id(again.into()), id(resolved().into())],
        ["0123456789ab-1-firing", "0123456789ab-2-firing", "0123456789ab-2-resolved"]
    );
    assert_eq!(id(failing().into()), id(failing().into()), "what is sent once more is the same");
    let odd = id(changed(|a| a.episode = "ü b".repeat(60).into()).into());
    assert!(odd.len() <= 128 && odd.bytes().all(|b| b.is_ascii_graphic()) && odd.ends_with("-1-firing"), "{odd}");
}

#[test]
fn each_protocol_gets_what_suits_it() {
    let m = Message::from(failing());
    let request = sns(&m, Format::PerProtocol);
    assert_eq!(request.structure, Some("json"));
    let bodies: Value = serde_json::from_str(&request.message).expect("JSON");
    let body = |protocol: &str| bodies[protocol].as_str().expect("text").to_owned();
    let json: Value = serde_json::from_str(&body("sqs")).expect("JSON");
    let chat: Value = serde_json::from_str(&body("https")).expect("JSON");
    assert_eq!(json["explained"], json!(9));
    assert_eq!(chat["metadata"]["threadId"], json!("0123456789ab"));
    assert_eq!(body("default"), text::render(&m, &Origin::default()));
    assert_eq!(body("default"), body("email"));
    assert_eq!(body("sms"), "[CRITICAL] shop: POST /checkout 40.0% 5xx (12 of 30, 5m)");
    assert_eq!((body("http"), body("lambda"), body("firehose")), (body("https"), body("sqs"), body("sqs")));
    let protocols: Vec<&String> = bodies.as_object().expect("an object").keys().collect();
    assert_eq!(protocols.len(), 8, "{protocols:?}");
    for format in [Format::Text, Format::Json, Format::Chat] {
        assert_eq!(sns(&m, format).structure, None);
    }
}
