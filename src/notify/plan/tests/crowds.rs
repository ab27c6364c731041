//! Many alerts at once: groups, digests, the bucket, a storm.

use super::*;

fn many(range: std::ops::Range<u32>) -> Vec<Alert> {
    range.map(|n| endpoint(n, u64::from(10 + n), 200)).collect()
}

fn digests(said: &[Message]) -> Vec<&Digest> {
    said.iter().filter_map(|m| if let Message::Digest(d) = m { Some(&**d) } else { None }).collect()
}

fn resolved(alerts: &[Alert]) -> Vec<Alert> {
    alerts.iter().cloned().map(|a| a.is(Is::Resolved)).collect()
}

#[test]
fn more_than_three_are_one_digest_of_its_members_lives() {
    let mut plan = plan();
    let mut all = many(0..12);
    all[3] = all[3].clone().severe(Severity::Critical);
    let said = look(&mut plan, 10, &all);
    assert_eq!(short(&said), ["12+0 of endpoint-5xx new 1"]);
    let digest = digests(&said)[0];
    assert_eq!(
        (digest.severity, digest.state, digest.api.as_deref()),
        (Severity::Critical, State::Firing, Some("shop"))
    );
    let routes: Vec<_> = digest.members.iter().map(|m| m.alert.key.endpoint().unwrap().route.to_string()).collect();
    let worst = ["/0003", "/0011", "/0010", "/0009", "/0008", "/0007", "/0006", "/0005", "/0004", "/0002"];
    assert_eq!(routes, worst, "by severity, then failures");
    assert!(digest.members.iter().all(|m| m.seq == 0 && m.alert.causes.len() == 1));
    // Two join; they are told when the digest has rested.
    all.extend(many(20..22));
    assert_eq!(told(&mut plan, 20, &all), NOTHING);
    assert_eq!(told(&mut plan, 60, &all), NOTHING);
    assert_eq!(told(&mut plan, 70, &all), ["14+0 of endpoint-5xx causes_changed 2"]);
    assert_eq!(told(&mut plan, 200, &all), NOTHING, "nothing has changed");
    // Three resolve.
    let over = resolved(&all[..3]);
    assert_eq!(told(&mut plan, 210, &[&over[..], &all[3..]].concat()), ["11+3 of endpoint-5xx causes_changed 3"]);
    // It gets calmer, and then all is over.
    all[3] = all[3].clone().severe(Severity::Elevated);
    assert_eq!(told(&mut plan, 220, &all[3..]), NOTHING);
    assert_eq!(told(&mut plan, 270, &all[3..]), ["11+3 of endpoint-5xx deescalated 4"]);
    let said = look(&mut plan, 280, &resolved(&all[3..]));
    assert_eq!(short(&said), ["0+14 of endpoint-5xx resolved 5"]);
    let digest = digests(&said)[0];
    assert_eq!((digest.severity, digest.state, digest.members.len()), (Severity::Critical, State::Resolved, 10));
    assert!(digest.members.iter().all(|m| m.alert.state == State::Resolved && m.reason == Reason::Resolved));
    assert!(plan.memory.tracks.is_empty() && plan.memory.digests.is_empty());
    assert_eq!(told(&mut plan, 300, &many(0..2)), ["/0000 new 1", "/0001 new 1"], "few again");
}

#[test]
fn a_digest_says_at_once_that_it_got_worse_and_soon_that_its_causes_are_others() {
    let mut plan = plan();
    let all = many(0..5);
    assert_eq!(told(&mut plan, 10, &all), ["5+0 of endpoint-5xx new 1"]);
    let mut worse = all.clone();
    worse[0] = worse[0].clone().severe(Severity::Critical);
    assert_eq!(told(&mut plan, 20, &worse), ["5+0 of endpoint-5xx escalated 2"]);
    let others: Vec<_> = worse.into_iter().map(|a| a.by("TypeError")).collect();
    assert_eq!(told(&mut plan, 30, &others), NOTHING);
    assert_eq!(told(&mut plan, 80, &others), ["5+0 of endpoint-5xx causes_changed 3"]);
    assert_eq!(told(&mut plan, 80 + 4 * 3600, &others), ["5+0 of endpoint-5xx repeat 4"]);
}

#[test]
fn a_group_waits_together_and_does_not_trickle() {
    let mut plan = plan();
    let mut all: Vec<_> = many(0..2);
    assert_eq!(told(&mut plan, 10, &all).len(), 2);
    all.extend(many(2..3).into_iter().map(As::unexplained));
    assert_eq!(told(&mut plan, 20, &all), NOTHING);
    all.extend(many(3..4).into_iter().map(As::unexplained));
    let said = told(&mut plan, 30, &all);
    assert_eq!(said, ["2+0 of endpoint-5xx new 1"], "the first two stay by themselves, the fourth waits no longer");
    let over = told(&mut plan, 40, &resolved(&all));
    assert_eq!(over, ["/0000 resolved 2", "/0001 resolved 2", "0+2 of endpoint-5xx resolved 2"]);
}

#[test]
fn one_outage_of_many_logs_is_one_message() {
    let mut plan = plan();
    let all: Vec<_> = (0..40).map(|n| source(n).at(100)).collect();
    let (early, late) = all.split_at(15);
    assert!(plan.step(Moment::Sighted(early), at(100)).is_empty());
    assert_eq!(plan.next_deadline(), Some(at(110)));
    assert!(plan.step(Moment::Sighted(late), at(105)).is_empty());
    assert_eq!(short(&plan.tick(at(110))), ["40+0 of source-blind new 1"]);
    assert_eq!(plan.next_deadline(), Some(at(110 + 4 * 3600)));
    let over = resolved(&all);
    assert!(plan.step(Moment::Sighted(&over[..39]), at(120)).is_empty());
    assert_eq!(plan.next_deadline(), Some(at(170)));
    assert_eq!(short(&plan.tick(at(170))), ["1+39 of source-blind causes_changed 2"]);
    assert_eq!(short(&plan.step(Moment::Sighted(&over[39..]), at(175))), ["0+40 of source-blind resolved 3"]);
    assert_eq!(plan.next_deadline(), None);
    assert!(plan.tick(at(1000)).is_empty());
}

#[test]
fn a_log_that_stays_blind_is_repeated_by_arrival_time() {
    let mut plan = plan();
    assert!(plan.step(Moment::Sighted(&[source(1)]), at(0)).is_empty());
    let mut said = Vec::new();
    while let Some(due) = plan.next_deadline().filter(|due| *due <= at(30 * 3600)) {
        said.extend(plan.tick(due));
        assert!(plan.next_deadline().is_some_and(|next| next > due), "it does not spin");
    }
    assert_eq!(
        short(&said).join(", "),
        "/aws/lambda/f01 new 1, /aws/lambda/f01 repeat 2, /aws/lambda/f01 repeat 3, /aws/lambda/f01 repeat 4"
    );
    assert_eq!(said[1].alert().unwrap().alert.time, at(10 + 4 * 3600), "as of now");
    let silence = Silence::until(at(5000));
    let mut plan = plan_with(Settings { silences: vec![silence], ..Settings::default() });
    assert!(plan.step(Moment::Sighted(&[source(1)]), at(0)).is_empty());
    assert_eq!(plan.next_deadline(), Some(at(5000)));
    assert!(plan.tick(at(5000)).is_empty());
    assert_eq!(short(&plan.tick(at(5010))), ["/aws/lambda/f01 new 1"]);
}

/// Alerts of as many rules, so that they are as many groups.
fn rules(range: std::ops::Range<u32>) -> Vec<Alert> {
    range.map(|n| of(&format!("rule-{n}"), 0, Subject::Api, 10, 20)).collect()
}

#[test]
fn what_finds_no_token_is_told_as_one_and_resolves_wait() {
    let mut plan = plan();
    let mut all = rules(0..9);
    all[8] = all[8].clone().severe(Severity::Critical);
    let said = look(&mut plan, 10, &all);
    let told = short(&said);
    assert_eq!(told.len(), 5);
    assert_eq!((told[0].as_str(), told[4].as_str()), ("api new 1", "5+0 of several rules new 1"));
    assert_eq!(said[0].severity(), Severity::Critical, "the most important first");
    let digest = digests(&said)[0];
    assert_eq!((&digest.rule, digest.api.as_deref()), (&None, Some("shop")));
    // Two seconds later there are two tokens: for two of four resolves, and none for that of the digest.
    assert_eq!(short(&look(&mut plan, 12, &resolved(&all))), ["api resolved 2"; 2]);
    assert_eq!(short(&look(&mut plan, 13, &[])), ["api resolved 2"]);
    let rest = short(&look(&mut plan, 20, &[]));
    assert_eq!(rest, ["api resolved 2", "0+5 of several rules resolved 2"]);
    assert_eq!(plan.memory, Memory { requests: plan.memory.requests.clone(), ..Memory::default() }, "all is said");
}

#[test]
fn what_is_too_much_again_goes_into_the_same_digest() {
    let mut plan = plan();
    assert_eq!(told(&mut plan, 10, &rules(0..9))[4], "5+0 of several rules new 1");
    assert_eq!(told(&mut plan, 11, &rules(0..11)), ["7+0 of several rules causes_changed 2"], "one token");
    assert_eq!(told(&mut plan, 11, &rules(0..12)), NOTHING, "no token");
    assert_eq!(told(&mut plan, 12, &rules(0..12)), ["api new 1"]);
}

#[test]
fn at_the_end_of_the_input_nothing_is_lost_for_want_of_tokens() {
    let mut plan = plan();
    let all = rules(0..9);
    look(&mut plan, 10, &all);
    let mut last = resolved(&all[..6]);
    last.extend(all[6..].iter().cloned().map(|a| a.severe(Severity::Critical)));
    last.extend(rules(20..24));
    look(&mut plan, 10, &last);
    let said = plan.finish();
    let count = |reason: &str| short(&said).iter().filter(|m| m.contains(reason)).count();
    assert_eq!((count("api resolved"), digests(&said).len()), (4, 1), "{:?}", short(&said));
    assert_eq!(short(&said)[4..].join(", "), "7+2 of several rules causes_changed 2");
    assert!(plan.finish().is_empty());
    // An update waits as well.
    let mut plan = plan_with(Settings { rate: Rate { per_second: 1.0, burst: 1 }, ..Settings::default() });
    assert_eq!(told(&mut plan, 10, &[api(10, 20)]), ["api new 1"]);
    assert_eq!(told(&mut plan, 10, &[api(10, 20).severe(Severity::Critical)]), NOTHING);
    assert_eq!(short(&plan.finish()), ["api escalated 2"]);
    assert!(plan.finish().is_empty());
}

/// Or a tool that closes at the resolve would close what fires.
#[test]
fn that_it_begins_anew_is_never_said_before_that_it_was_over() {
    let mut plan = plan_with(Settings { rate: Rate { per_second: 0.1, burst: 1 }, ..Settings::default() });
    let again = || Alert { episode: "again".into(), ..api(10, 20) };
    assert_eq!(told(&mut plan, 10, &[api(10, 20)]), ["api new 1"]);
    assert_eq!(told(&mut plan, 12, &resolved(&[api(10, 20)])), NOTHING);
    assert_eq!(told(&mut plan, 14, &[again()]), NOTHING, "no token for either");
    assert_eq!(told(&mut plan, 20, &[again()]), ["api resolved 2", "api new 1"]);
    // As well where one took the other's place at once.
    let third = Alert { episode: "third".into(), ..api(10, 20) };
    assert_eq!(told(&mut plan, 90, &[third]), ["api resolved 2", "api new 1"]);
}

#[test]
fn what_is_owed_is_paid_by_arrival_time_when_no_request_is_read_any_more() {
    let mut plan = plan_with(Settings { rate: Rate { per_second: 1.0, burst: 1 }, ..Settings::default() });
    assert_eq!(told(&mut plan, 10, &[api(10, 20)]), ["api new 1"]);
    assert_eq!(told(&mut plan, 10, &resolved(&[api(10, 20)])), NOTHING);
    assert_eq!(plan.next_deadline(), Some(at(70)));
    assert!(plan.tick(at(60)).is_empty());
    assert_eq!(short(&plan.tick(at(70))), ["api resolved 2"]);
    assert_eq!(plan.next_deadline(), None);
}

/// 5,000 endpoints of one API fail at once, each step a little worse.
fn storm(with_api: bool) -> Vec<Message> {
    let mut plan = plan();
    let mut said = Vec::new();
    for step in 0..=6_u32 {
        let severity = [Severity::Elevated, Severity::High, Severity::Critical][usize::min(step as usize / 2, 2)];
        let mut all: Vec<_> = (0..5000).map(|n| endpoint(n, u64::from(n + 10), 10_000).severe(severity)).collect();
        if with_api {
            let mut whole = api(20_000, 100_000).severe(severity);
            whole.endpoints = Vec::new();
            all.insert(0, whole);
        }
        said.extend(look(&mut plan, i64::from(step) * 10, &all));
    }
    said
}

#[test]
fn a_storm_is_three_messages_in_its_first_minute() {
    let with = storm(true);
    assert_eq!(short(&with), ["api new 1", "api escalated 2", "api escalated 3"]);
    let without = storm(false);
    let of = |rest: &str| format!("5000+0 of endpoint-5xx {rest}");
    assert_eq!(short(&without), [of("new 1"), of("escalated 2"), of("escalated 3")]);
    for digest in digests(&without) {
        let routes: Vec<_> = digest.members.iter().map(|m| m.alert.key.endpoint().unwrap().route.to_string()).collect();
        let worst: Vec<_> = (4990..5000).rev().map(|n| format!("/{n}")).collect();
        assert_eq!(routes, worst);
    }
}
