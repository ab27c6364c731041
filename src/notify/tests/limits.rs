//! Whatever stands in a message: it fits, is valid, tells its counts, and names nobody.

use proptest::prelude::*;

use super::*;
use crate::model::alert::EndpointCount;

const FORMATS: [Format; 5] = [Format::Text, Format::Json, Format::Chat, Format::CloudwatchAlarm, Format::PerProtocol];

/// A text of any alphabet and of up to about 30 kB.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => r"[a-z/{} ]{0,30}".prop_map(String::from),
        1 => r#"(\PC|["\\\n\t<&`*]){1,20}"#.prop_map(String::from),
        1 => Just("\u{1}\u{1f600}\"\\".to_owned()),
    ];
    let times = prop_oneof![4 => 1..3_usize, 1 => 1..300_usize, 1 => 1..2_000_usize];
    (piece, times).prop_map(|(piece, times)| piece.repeat(times).chars().take(30_000).collect())
}

fn many<T>(of: &T, n: usize) -> Vec<T>
where
    T: Clone,
{
    vec![of.clone(); n]
}

/// An alert with these texts all over it.
fn filled(texts: &[String], n: usize) -> AlertMessage {
    let text = |at: usize| -> Arc<str> { texts[at % texts.len()].as_str().into() };
    let mut m = changed(|a| {
        a.key.rule = text(0);
        a.key.subject = Subject::Endpoint(Arc::new(Endpoint::new(&text(1), &text(2))));
        a.episode = text(3);
        let sample = Arc::make_mut(&mut a.causes[0].sample);
        sample.error_type = Some(text(4));
        sample.message = Some(text(5));
        sample.function = Some(text(6));
        sample.site = Some(Site { file: (&*text(7)).into(), line: 1 });
        sample.request_id = Some(text(8));
        sample.lambda_request_id = Some(text(9));
        sample.fix = Some(Arc::new(Fix { text: text(10).to_string(), command: Some(text(11).to_string()) }));
        a.causes = many(&a.causes[0], n);
        let count = EndpointCount { endpoint: Arc::new(Endpoint::new(&text(12), &text(13))), errors: 1, requests: 2 };
        a.endpoints = many(&count, n);
    });
    m.api = text(14);
    m.query =
        m.query.map(|q| Query { groups: many(&text(15), n), region: Some(text(16)), text: text(17).to_string(), ..q });
    m
}

fn of_each_kind(texts: &[String], n: usize) -> Vec<Message> {
    let alert = filled(texts, n);
    let blindness = Blindness {
        problem: Problem::Denied,
        said: texts[0].as_str().into(),
        read_to: None,
        loss: Loss::Everything,
        rules: many(&alert.alert.key.rule, n),
        apis: many(&alert.api, n),
    };
    let mut unread = alert.clone();
    unread.alert.key.subject = Subject::Source(alert.api.clone());
    unread.alert.blindness = Some(blindness);
    let digest = Digest {
        rule: Some(alert.alert.key.rule.clone()),
        api: Some(alert.api.clone()),
        members: many(&alert, n.min(10)),
        episode: alert.alert.episode.clone(),
        ..digest()
    };
    let missed =
        Missed { api: alert.api.clone(), endpoint: Arc::new(Endpoint::new(&texts[0], &texts[0])), failures: 1 };
    let notice = Notice {
        names: many(&alert.api, n),
        apis: many(&alert.api, n),
        endpoints: many(&missed, n),
        episode: alert.alert.episode.clone(),
        ..notice()
    };
    vec![alert.into(), unread.into(), digest.into(), notice.into()]
}

/// What must be told of each kind, in the words of people and in those of programs.
fn counts(m: &Message) -> (&'static str, Vec<(&'static str, u64)>) {
    match m {
        Message::Alert(m) if m.alert.blindness.is_none() => {
            ("(12 of 30, 5m)", vec![("/errors", 12), ("/requests", 30), ("/window_s", 300)])
        }
        Message::Digest(_) => (", 3 resolved", vec![("/digest/firing", 37), ("/digest/resolved", 3)]),
        Message::Notice(_) => {
            ("14402 requests caught up, 112 failed", vec![("/notice/requests", 14402), ("/notice/failures", 112)])
        }
        Message::Alert(_) | Message::Test(_) => ("", Vec::new()),
    }
}

fn check(m: &Message, format: Format) -> Result<(), TestCaseError> {
    let (people, programs) = counts(m);
    for request in requests(m, &"arn:aws:sns:eu-west-1:111122223333:ops.fifo".into(), format, &host()) {
        prop_assert!(request.bytes() <= 262_144, "{:?}: {} bytes", format, request.bytes());
        prop_assert!(!request.message.is_empty());
        let subject = &request.subject;
        prop_assert!(subject.len() < 100 && subject.bytes().all(|b| (b' '..=b'~').contains(&b)), "{}", subject);
        prop_assert!(format == Format::CloudwatchAlarm || subject.contains(people), "{}", subject);
        prop_assert!(request.attributes.len() <= 8);
        for (name, value) in &request.attributes {
            prop_assert!(!value.is_empty() && value.len() <= 256 && !value.chars().any(char::is_control), "{}", name);
        }
        for id in request.group_id.iter().chain(&request.deduplication_id) {
            prop_assert!((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()), "{}", id);
        }
        if format == Format::Text {
            prop_assert!(request.message.contains(people));
            continue;
        }
        let body: Value = serde_json::from_str(&request.message).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let text = |key: &str| body.pointer(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match format {
            Format::Text => {}
            Format::Json => tells(&body, &programs)?,
            Format::Chat => chats(&body, people)?,
            Format::CloudwatchAlarm => {
                prop_assert!(text("/NewStateReason").contains(people));
                prop_assert!(text("/AlarmName").chars().count() <= 255);
            }
            Format::PerProtocol => {
                prop_assert!(text("/default").contains(people));
                prop_assert!(text("/sms").len() <= 140 && text("/sms").contains(people), "{}", text("/sms"));
                let parsed =
                    |key: &str| serde_json::from_str(&text(key)).map_err(|e| TestCaseError::fail(e.to_string()));
                chats(&parsed("/https")?, people)?;
                tells(&parsed("/sqs")?, &programs)?;
            }
        }
    }
    Ok(())
}

fn tells(object: &Value, counts: &[(&str, u64)]) -> Result<(), TestCaseError> {
    for (key, count) in counts {
        prop_assert_eq!(object.pointer(key), Some(&json!(count)), "{}", key);
    }
    Ok(())
}

fn chats(object: &Value, people: &str) -> Result<(), TestCaseError> {
    let content = &object["content"];
    let chars = |text: &Value| text.as_str().map_or(usize::MAX, |text| text.chars().count());
    prop_assert!(chars(&content["title"]) < 250 && chars(&content["description"]) < 3000);
    prop_assert!(content["title"].as_str().is_some_and(|title| title.contains(people)), "{}", content["title"]);
    prop_assert!(content["nextSteps"].as_array().is_some_and(|steps| steps.len() <= 10));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_stands_in_a_message_it_fits_and_tells_its_counts(
        texts in prop::collection::vec(texts(), 1..6),
        n in prop_oneof![3 => 0..4_usize, 1 => 0..12_usize],
    ) {
        for m in of_each_kind(&texts, n) {
            for format in FORMATS {
                check(&m, format)?;
            }
        }
    }
}

#[test]
fn examples_go_first_and_all_that_fits_stays() {
    let one = |m: AlertMessage| -> Value { serde_json::from_str(&sns(&m.into(), Format::Json).message).expect("JSON") };
    let causes = |object: &Value| object["causes"].as_array().expect("a list").clone();
    let whole = one(filled(&["x".repeat(500)], 10));
    assert_eq!(causes(&whole)[9]["sample"]["message"], json!("x".repeat(500)), "it fits as it is");
    let long = one(changed(|a| Arc::make_mut(&mut a.causes[0].sample).message = Some("x".repeat(300_000).into())));
    assert_eq!(causes(&long)[0]["sample"]["message"], json!("x".repeat(1024)), "a shorter example");
    let wide = one(filled(&["x".repeat(1000)], 60));
    assert_eq!(causes(&wide).len(), 60, "all causes are told");
    assert_eq!(
        (&causes(&wide)[0]["sample"]["function"], &causes(&wide)[1]["sample"]["function"]),
        (&json!("x".repeat(1000)), &Value::Null)
    );
    let mut huge = filled(&["x".repeat(2000)], 600);
    huge.alert.errors = 5400;
    let huge = one(huge);
    assert!(causes(&huge).len() < 600);
    assert_eq!((&huge["errors"], &huge["explained"]), (&json!(5400), &json!(5400)), "counts are those of all");
}

#[test]
fn a_command_is_whole_or_not_there() {
    let m = changed(|a| {
        let sample = Arc::make_mut(&mut a.causes[0].sample);
        let fix = Fix { text: "Do this.".to_owned(), command: Some("x ".repeat(140_000)) };
        sample.fix = Some(Arc::new(fix));
    });
    let object: Value = serde_json::from_str(&sns(&m.into(), Format::Json).message).expect("JSON");
    assert_eq!(object["fix"], json!({"text": "Do this.", "command": null}));
    assert!(object["query"].is_object(), "what is small enough stays");
}

#[test]
fn nobody_and_no_secret_is_named_in_any_format() {
    let bad = "ann@example.org from 203.0.113.9 with password=hunter2 and 2001:db8::7";
    let mut messages = of_each_kind(&[bad.to_owned()], 2);
    for m in &mut messages {
        // An episode is ours; it is hashed where it is no plain word.
        if let Message::Alert(m) = m {
            m.alert.episode = "0123456789ab".into();
        }
    }
    for m in &messages {
        let sent =
            FORMATS.into_iter().flat_map(|format| requests(m, &"arn:aws:sns:r:1:t.fifo".into(), format, &host()));
        let told = sent.map(|request| format!("{request:?}")).chain([
            text::render(m, &host()),
            to_json::render(m, &host()),
            crate::notify::chat::render(m, &host()),
        ]);
        for text in told {
            for word in ["ann@", "203.0.113", "hunter2", "2001:db8"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }
    let service = blind(State::Firing, Loss::Part);
    assert!(text::render(&service, &host()).contains(":user/gw"), "the operator's own name stays");
}
