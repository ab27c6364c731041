//! Several lives of one plan: what was saved, what is adopted, and what nobody looks at any more.

use super::*;

fn restored(saved: &[u8]) -> Plan {
    Plan::restore(Arc::default(), Audience::of_all("-"), inventory(), saved).expect("saved")
}

fn crowd(size: u32) -> Vec<Alert> {
    (0..size).map(|n| endpoint(n, 10, 20)).collect()
}

#[test]
fn what_is_adopted_is_not_said_again_and_counts_on() {
    let mut first = plan();
    let saved = first.save();
    let new = look(&mut first, 10, &[api(12, 30)]).remove(0);
    let mut next = restored(&saved);
    next.adopt(&new, Past::Relived);
    assert_eq!(told(&mut next, 20, &[api(12, 30)]), NOTHING);
    let worse = look(&mut next, 30, &[api(12, 30).severe(Severity::Critical)]).remove(0);
    assert_eq!((worse.seq(), worse.alert().unwrap().reason), (2, Reason::Escalated));
    let over = look(&mut next, 40, &[api(12, 30).is(Is::Resolved)]).remove(0);
    let mut last = restored(&saved);
    for message in [&new, &worse, &over] {
        last.adopt(message, Past::Relived);
    }
    assert!(last.memory.tracks.is_empty());
    last.adopt(&worse, Past::Relived);
    assert!(last.end_unless(|_| true).is_empty());
    let ended = last.end_unless(|key| *key.rule != *"api-5xx");
    assert_eq!(short(&ended), ["api resolved 3"]);
    assert_eq!(ended[0].alert().unwrap().alert.state, State::Resolved);
    assert!(last.memory.tracks.is_empty());
    let none = Arc::new(Inventory::default());
    let mut next = restored(&saved);
    next.adopt(&new, Past::Relived);
    let got = Plan::restore(Arc::default(), Audience::of_all("-"), none, &next.save()).map(drop);
    assert_eq!(got, Err(RestoreError::Shrunk { apis: 1, sources: 0 }));
}

#[test]
fn members_of_an_adopted_digest_are_found_again_and_not_said_again() {
    let mut first = plan();
    assert_eq!(told(&mut first, 10, &crowd(20).into_iter().map(As::unexplained).collect::<Vec<_>>()), NOTHING);
    let saved = first.save();
    let digest = look(&mut first, 20, &crowd(20));
    assert_eq!(short(&digest), ["20+0 of endpoint-5xx new 1"]);
    let mut next = restored(&saved);
    next.adopt(&digest[0], Past::Relived);
    assert_eq!(told(&mut next, 20, &crowd(20)), NOTHING);
    assert_eq!(told(&mut next, 90, &crowd(20)), NOTHING, "all are known");
    let over: Vec<_> = crowd(20).into_iter().map(|a| a.is(Is::Resolved)).collect();
    let said = look(&mut next, 100, &over);
    assert_eq!(short(&said), ["0+20 of endpoint-5xx resolved 2"]);
    assert_eq!(said[0].episode(), digest[0].episode());
    // What is not found again is over.
    let mut next = restored(&saved);
    next.adopt(&digest[0], Past::Relived);
    assert_eq!(told(&mut next, 20, &[]), NOTHING, "that time was lived through");
    assert_eq!(told(&mut next, 30, &[]), ["0+0 of endpoint-5xx resolved 2"]);
    // And what was over is not opened again.
    let mut next = restored(&saved);
    next.adopt(&digest[0], Past::Relived);
    next.adopt(&said[0], Past::Relived);
    for (seconds, alerts) in [(20, crowd(20)), (90, crowd(20)), (100, over)] {
        assert_eq!(told(&mut next, seconds, &alerts), NOTHING);
    }
    assert!(next.memory.tracks.is_empty() && next.memory.digests.is_empty());
    assert_eq!(told(&mut next, 110, &crowd(1)), ["/0000 new 1"]);
}

#[test]
fn what_an_adopted_alert_muted_stays_muted_while_time_is_relived() {
    let mut first = plan();
    let saved = first.save();
    let all = |muted: &[Alert]| [&[api(500, 1000)], muted].concat();
    let mut said = look(&mut first, 10, &all(&crowd(5)));
    said.extend(look(
        &mut first,
        30,
        &all(&crowd(5)).into_iter().map(|a| a.severe(Severity::Critical)).collect::<Vec<_>>(),
    ));
    assert_eq!(short(&said), ["api new 1", "api escalated 2"]);
    let mut next = restored(&saved);
    for message in &said {
        next.adopt(message, Past::Relived);
    }
    for seconds in [10, 20, 30] {
        assert_eq!(told(&mut next, seconds, &crowd(5)), NOTHING, "the engine does not look at the API again");
    }
    assert_eq!(told(&mut next, 40, &all(&crowd(5))), NOTHING);
}

#[test]
fn a_digest_of_logs_goes_on_with_those_that_were_named() {
    let mut first = plan();
    let saved = first.save();
    let all: Vec<_> = (0..12).map(|n| source(n).at(5)).collect();
    first.step(Moment::Sighted(&all), at(5));
    let digest = first.tick(at(15)).remove(0);
    let mut next = restored(&saved);
    next.adopt(&digest, Past::Relived);
    // The other two are found blind again.
    assert!(next.step(Moment::Sighted(&all[10..]), at(130)).is_empty());
    assert!(next.tick(at(140)).is_empty() && next.tick(at(300)).is_empty(), "all twelve were told");
    let over: Vec<_> = all.into_iter().map(|a| a.is(Is::Resolved)).collect();
    assert_eq!(short(&next.step(Moment::Sighted(&over), at(400))), ["0+12 of source-blind resolved 2"]);
}

#[test]
fn rules_that_are_no_more_end_what_was_said_of_them() {
    let mut plan = plan();
    let slow = || Alert { measure: Measure::Traffic, ..of("latency", 0, Subject::Api, 1, 2) };
    look(&mut plan, 10, &[crowd(5), vec![slow()]].concat());
    plan.step(Moment::Sighted(&[source(1)]), at(12));
    plan.tick(at(22));
    let said = plan.end_unless(|key| *key.rule == *"latency");
    assert_eq!(short(&said), ["/aws/lambda/f01 resolved 2", "0+5 of endpoint-5xx resolved 2"]);
    assert!(plan.memory.standing.is_empty() && plan.memory.tracks.len() == 1);
    assert_eq!(told(&mut plan, 30, &[slow().is(Is::Resolved)]), ["api resolved 2"]);
}

#[test]
fn what_a_sink_was_told_is_resolved_though_it_wants_less_now() {
    let mut first = plan();
    look(&mut first, 10, &[api(12, 30)]);
    first.step(Moment::Sighted(&[source(1)]), at(12));
    assert_eq!(short(&first.tick(at(22))), ["/aws/lambda/f01 new 1"]);
    let waits = endpoint(7, 10, 20).unexplained();
    look(&mut first, 30, &[api(12, 30), waits.clone()]);
    first.step(Moment::Sighted(&[source(2)]), at(31));
    let less = Audience { min_severity: Severity::Critical, ..Audience::of_all("-") };
    let mut next = Plan::restore(Arc::default(), less, inventory(), &first.save()).expect("saved");
    assert_eq!(told(&mut next, 60, &[api(12, 30), waits, endpoint(8, 10, 20)]), NOTHING);
    assert!(next.tick(at(100)).is_empty(), "what waited is not for it any more");
    assert_eq!(told(&mut next, 110, &[api(12, 30).is(Is::Resolved)]), ["api resolved 2"]);
    let over: Vec<_> = [1, 2].into_iter().map(|n| source(n).is(Is::Resolved)).collect();
    assert_eq!(short(&next.step(Moment::Sighted(&over), at(120))), ["/aws/lambda/f01 resolved 2"]);
    assert!(next.memory.standing.is_empty());
}

/// One sink was told that it is over; another one was not, for want of a token or of time.
#[test]
fn what_another_sink_was_told_to_be_over_is_told_to_this_one() {
    let few = || Settings { rate: Rate { per_second: 0.01, burst: 2 }, ..Settings::default() };
    let mut other = plan();
    let mut own = plan_with(few());
    for plan in [&mut other, &mut own] {
        assert_eq!(told(plan, 10, &[api(12, 30)]), ["api new 1"]);
        plan.step(Moment::Sighted(&[source(1).at(5)]), at(5));
        assert_eq!(short(&plan.tick(at(15))), ["/aws/lambda/f01 new 1"]);
    }
    let saved = own.save();
    let mut over = look(&mut other, 60, &[api(12, 30).is(Is::Resolved)]);
    over.extend(other.step(Moment::Sighted(&[source(1).is(Is::Resolved)]), at(60)));
    assert_eq!(over.len(), 2);
    let mut next = Plan::restore(Arc::new(few()), Audience::of_all("-"), inventory(), &saved).expect("saved");
    for message in &over {
        next.overhear(message);
    }
    assert_eq!(told(&mut next, 60, &[]), NOTHING, "that time was lived through");
    assert_eq!(told(&mut next, 70, &[]), ["api resolved 2"]);
    assert_eq!(short(&next.tick(at(70))), ["/aws/lambda/f01 resolved 2"]);
    assert!(next.memory.tracks.is_empty() && next.memory.standing.is_empty());
    // It was told after all.
    let own_over = look(&mut own, 60, &[api(12, 30).is(Is::Resolved)]);
    let mut next = Plan::restore(Arc::new(few()), Audience::of_all("-"), inventory(), &saved).expect("saved");
    next.overhear(&over[0]);
    next.adopt(&own_over[0], Past::Relived);
    assert_eq!(told(&mut next, 70, &[]), NOTHING);
}

#[test]
fn a_digest_does_not_end_because_another_sink_was_told_of_its_members() {
    let (mut other, mut own) = (plan(), plan());
    let saved_of = |plan: &mut Plan, all: &[Alert]| {
        look(plan, 10, all);
        plan.save()
    };
    let worse: Vec<_> = crowd(4).into_iter().map(|a| a.severe(Severity::Critical)).collect();
    let saved = saved_of(&mut own, &crowd(4));
    for (n, one) in crowd(4).into_iter().enumerate() {
        look(&mut other, i64::try_from(n).unwrap() * 100, &[one]);
    }
    let said = look(&mut other, 500, &worse);
    assert_eq!(said.len(), 4);
    let mut next = restored(&saved);
    for message in &said {
        next.overhear(message);
    }
    assert_eq!(told(&mut next, 490, &[]), NOTHING, "the engine does not look at them again");
    assert_eq!(told(&mut next, 510, &worse), ["4+0 of endpoint-5xx escalated 2"]);
}
