//! What tools for alarms of CloudWatch get.

use super::*;

const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:ops";

fn alarms(m: &Message) -> Vec<(String, Value)> {
    let requests = requests(m, &TOPIC.into(), Format::CloudwatchAlarm, &Origin::default());
    requests.into_iter().map(|r| (r.subject, serde_json::from_str(&r.message).expect("JSON"))).collect()
}

fn states(m: &Message) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    alarms(m).iter().map(|(_, a)| (text(&a["OldStateValue"]), text(&a["NewStateValue"]))).collect()
}

#[test]
fn an_alert_is_an_alarm() {
    let m = Message::from(failing());
    let [(subject, alarm)] = &alarms(&m)[..] else { panic!("one") };
    assert_eq!(subject, "ALARM: \"gatewatch endpoint-5xx shop POST /checkout\" in eu-west-1");
    let name = "gatewatch endpoint-5xx shop POST /checkout";
    let want = json!({
        "AlarmName": name,
        "AlarmDescription": format!("Degraded API Endpoint: POST /checkout (shop) (by gatewatch {})", Origin::VERSION),
        "AWSAccountId": "111122223333",
        "AlarmConfigurationUpdatedTimestamp": "2026-11-22T10:04:10.000+0000",
        "NewStateValue": "ALARM",
        "NewStateReason": text::render(&m, &Origin::default()),
        "StateChangeTime": "2026-11-22T10:05:00.000+0000",
        "Region": "eu-west-1",
        "AlarmArn": format!("arn:aws:cloudwatch:eu-west-1:111122223333:alarm:{name}"),
        "OldStateValue": "OK",
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "5xxShare",
            "Namespace": "gatewatch",
            "StatisticType": "Statistic",
            "Statistic": "AVERAGE",
            "Unit": null,
            "Dimensions": [
                {"value": "endpoint-5xx", "name": "Rule"},
                {"value": "shop", "name": "Api"},
                {"value": "POST /checkout", "name": "Endpoint"},
            ],
            "Period": 300,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0.01,
            "TreatMissingData": "",
            "EvaluateLowSampleCountPercentile": "",
        },
    });
    assert_eq!(*alarm, want);
}

#[test]
fn the_name_is_the_same_in_all_episodes_and_ok_closes_it() {
    let [(subject, over)] = &alarms(&resolved().into())[..] else { panic!("one") };
    assert_eq!(subject, "OK: \"gatewatch endpoint-5xx shop POST /checkout\" in eu-west-1");
    assert_eq!((&over["OldStateValue"], &over["NewStateValue"]), (&json!("ALARM"), &json!("OK")));
    let next = changed(|a| a.episode = "ffffffffffff".into());
    assert_eq!(alarms(&next.into())[0].1["AlarmName"], over["AlarmName"]);
    let other = changed(|a| a.key.rule = "latency".into());
    assert_ne!(alarms(&other.into())[0].1["AlarmName"], over["AlarmName"]);
    let wider = Digest { rule: None, api: None, ..digest_over() };
    let digests = [digest(), digest_over(), wider].map(|d| alarms(&d.into())[0].1["AlarmName"].clone());
    let name = json!("gatewatch many alerts d0123456789a");
    assert_eq!(digests, [name.clone(), name.clone(), name.clone()], "also when others have joined it");
    let beside = Digest { episode: "d999".into(), ..digest() };
    assert_ne!(alarms(&beside.into())[0].1["AlarmName"], name, "two are open at once");
}

#[test]
fn every_alarm_has_its_ok() {
    let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
    assert_eq!(states(&failing().into()), [pair("OK", "ALARM")]);
    let again = AlertMessage { reason: Reason::Repeat, seq: 2, ..failing() };
    assert_eq!(states(&again.into()), [pair("ALARM", "ALARM")], "what fires goes on");
    assert_eq!(states(&resolved().into()), [pair("ALARM", "OK")]);
    assert_eq!(states(&digest().into()), [pair("OK", "ALARM")]);
    assert_eq!(states(&digest_over().into()), [pair("ALARM", "OK")]);
    assert_eq!(states(&trial()), [pair("OK", "ALARM"), pair("ALARM", "OK")], "a test closes what it opened");
    assert_eq!(states(&notice().into()), [], "nothing would close it");
}

#[test]
fn both_halves_of_a_test_pass_a_fifo_topic() {
    let halves = requests(&trial(), &format!("{TOPIC}.fifo").into(), Format::CloudwatchAlarm, &Origin::default());
    let ids: Vec<_> = halves.iter().map(|r| r.deduplication_id.as_deref().expect("an ID")).collect();
    assert_eq!(ids, ["test-1-1-firing", "test-1-1-resolved"]);
    assert_eq!(halves[0].group_id, halves[1].group_id, "in order");
}

#[test]
fn names_that_are_too_long_or_masked_stay_apart() {
    let name = |route: &str| {
        let m = changed(|a| a.key.subject = Subject::Endpoint(Arc::new(Endpoint::new("GET", route))));
        let [(subject, alarm)] = &alarms(&m.into())[..] else { panic!("one") };
        assert!(subject.len() < 100 && subject.ends_with("\" in eu-west-1"), "{subject}");
        alarm["AlarmName"].as_str().expect("text").to_owned()
    };
    let long = "/x".repeat(400);
    assert_ne!(name(&format!("{long}a")), name(&format!("{long}b")));
    assert!(name(&long).len() <= 255);
    let [ann, bob] = ["ann", "bob"].map(|who| name(&format!("/users/{who}@example.com")));
    assert_ne!(ann, bob);
    assert!(ann.starts_with("gatewatch endpoint-5xx shop GET /users/[email] "), "{ann}");
}

#[test]
fn a_topic_without_account_gives_none() {
    let m = failing().into();
    let requests = requests(&m, &"topic".into(), Format::CloudwatchAlarm, &Origin::default());
    let alarm: Value = serde_json::from_str(&requests[0].message).expect("JSON");
    assert_eq!((&alarm["AWSAccountId"], &alarm["Region"]), (&json!(""), &json!("")));
}
