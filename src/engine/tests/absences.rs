//! Absences: what was missed is counted, told in one notice, and pages nobody.

use super::*;
use crate::model::notice::Notice;

const HOUR: i64 = 3600;

fn notices(outputs: Vec<Output>) -> Vec<Notice> {
    outputs.into_iter().filter_map(|o| if let Output::Notice(n) = o { Some(*n) } else { None }).collect()
}

/// A request of this second, failed or not, as the catch-up reads it at second `now`.
fn missed(engine: &mut Engine, second: i64, failed: bool, now: i64) {
    let id = format!("m{second}");
    engine.catch_up(ACCESS, request(second, if failed { 502 } else { 200 }, Some(&id)), at(now));
}

#[test]
fn what_was_missed_by_all_logs_is_one_notice() {
    let mut engine = engine_with_canary();
    let all = [ACCESS, LAMBDA, SECOND_ACCESS];
    for source in all {
        engine.seal(source, at(0));
        engine.blind(source, Problem::Unreachable, "connection refused", at(5));
    }
    engine.tick(at(HOUR));
    engine.drain();
    for source in all {
        engine.seal(source, at(HOUR));
        engine.absence(source, at(0), at(HOUR - 300), Some(Problem::Unreachable), at(HOUR));
    }
    engine.absence(LAMBDA, at(-30), at(HOUR - 290), Some(Problem::Throttled), at(HOUR));
    for second in 0..100 {
        missed(&mut engine, second * 10, second % 10 == 0, HOUR + 10);
    }
    for second in [0, 100, 200] {
        engine.catch_up(LAMBDA, line(second, &format!("m{second}"), type_error()), at(HOUR + 12));
    }
    // Live reading goes on beside it and is not part of it.
    engine.ingest(ACCESS, request(HOUR, 200, None), at(HOUR + 10));
    engine.caught_up(LAMBDA, None, at(HOUR + 12));
    engine.caught_up(ACCESS, Some(at(-10)), at(HOUR + 15));
    engine.tick(at(HOUR + 40));
    assert!(notices(engine.drain()).is_empty(), "the canary is not done yet");
    engine.caught_up(SECOND_ACCESS, None, at(HOUR + 60));
    assert_eq!(engine.next_deadline(), Some(at(HOUR + 70)));
    engine.tick(at(HOUR + 69));
    assert!(notices(engine.drain()).is_empty(), "others may join");
    engine.tick(at(HOUR + 70));
    let told = notices(engine.drain());
    assert_eq!(told.len(), 1);
    let notice = &told[0];
    assert_eq!((notice.from, notice.to, notice.time), (at(-30), at(HOUR - 290), at(HOUR + 70)));
    assert_eq!(notice.why, [Problem::Throttled, Problem::Unreachable]);
    assert_eq!((notice.sources, notice.names.len()), (3, 3));
    assert_eq!(notice.apis.iter().map(|api| &**api).collect::<Vec<_>>(), ["shop"]);
    assert_eq!((notice.requests, notice.failures, notice.unread_before), (100, 10, Some(at(-10))));
    assert_eq!(notice.causes, [(CauseKind::Unknown, 7), (CauseKind::UnhandledException, 3)]);
    assert_eq!((notice.endpoints.len(), notice.endpoints[0].failures, &*notice.endpoints[0].api), (1, 10, "shop"));
    engine.tick(at(HOUR + 200));
    assert!(notices(engine.drain()).is_empty(), "told once");
    assert_eq!(engine.dropped().late_requests, 0, "that they come late is known");
}

#[test]
fn a_log_that_is_gone_before_it_is_caught_up_keeps_no_notice_back() {
    let mut engine = engine_with_canary();
    for source in [ACCESS, LAMBDA] {
        engine.absence(source, at(0), at(HOUR), Some(Problem::Unreachable), at(HOUR));
    }
    engine.caught_up(ACCESS, None, at(HOUR + 5));
    engine.retire(LAMBDA);
    engine.tick(at(HOUR + 15));
    assert_eq!(notices(engine.drain()).len(), 1);
}

#[test]
fn short_absences_say_nothing_however_many() {
    let mut engine = engine(|_| {});
    for minute in 0..60 {
        let now = minute * 60;
        engine.absence(ACCESS, at(now - 90), at(now), None, at(now));
        missed(&mut engine, now - 30, true, now);
        engine.caught_up(ACCESS, None, at(now + 5));
        engine.tick(at(now + 5));
    }
    engine.tick(at(2 * HOUR));
    assert!(notices(engine.drain()).is_empty());
    engine.caught_up(ACCESS, None, at(2 * HOUR));
    assert_eq!(engine.absences.next_deadline(), None, "nothing stays open");
}

#[test]
fn outages_that_follow_one_another_are_told_one_by_one() {
    let mut engine = engine(|_| {});
    engine.absence(ACCESS, at(0), at(600), None, at(600));
    engine.caught_up(ACCESS, None, at(605));
    engine.absence(ACCESS, at(700), at(1300), Some(Problem::Denied), at(1300));
    engine.caught_up(ACCESS, None, at(1305));
    engine.tick(at(1400));
    let told = notices(engine.drain());
    assert_eq!(told.iter().map(|n| (n.from, n.why.len())).collect::<Vec<_>>(), [(at(0), 0), (at(700), 1)]);
    assert_ne!(told[0].episode, told[1].episode);
}

#[test]
fn what_lies_in_the_past_pages_nobody() {
    for blind in [false, true] {
        let mut engine = engine(|_| {});
        for source in [ACCESS, LAMBDA] {
            engine.seal(source, at(0));
        }
        engine.tick(at(0));
        if blind {
            denied(&mut engine, ACCESS, 5);
        }
        // It may have slept: then no tick has come in between. Catching up begins before the first live read ends.
        engine.absence(ACCESS, at(0), at(HOUR - 300), None, at(HOUR));
        for second in 0..HOUR - 300 {
            missed(&mut engine, second, true, HOUR);
            if second == 1000 {
                engine.seal(ACCESS, at(HOUR));
            }
        }
        for second in 1..60 {
            engine.ingest(ACCESS, request(HOUR + second, 200, None), at(HOUR + second));
            engine.seal(ACCESS, at(HOUR + second));
            engine.tick(at(HOUR + second));
        }
        engine.caught_up(ACCESS, None, at(HOUR + 60));
        engine.tick(at(HOUR + 70));
        let outputs = engine.drain();
        let fired: Vec<_> = alerts(outputs.clone()).into_iter().filter(|a| a.key.source().is_none()).collect();
        assert!(fired.is_empty(), "{:?}", fired.first());
        let told = notices(outputs);
        assert_eq!((told.len(), told[0].failures), (1, HOUR.unsigned_abs() - 300));
    }
}

#[test]
fn more_failures_than_are_followed_are_counted_all_the_same() {
    let mut engine = engine(|_| {});
    engine.absence(ACCESS, at(0), at(12_000), None, at(12_000));
    for second in 0..12_000 {
        missed(&mut engine, second, true, 12_000);
    }
    engine.caught_up(ACCESS, None, at(12_000));
    engine.tick(at(12_010));
    let told = notices(engine.drain());
    assert_eq!((told[0].failures, &told[0].causes[..]), (12_000, &[(CauseKind::Unknown, 12_000)][..]));
}

#[test]
fn an_absence_can_be_kept_in_the_middle() {
    let mut engine = engine(|_| {});
    engine.absence(ACCESS, at(0), at(600), Some(Problem::Credentials), at(600));
    missed(&mut engine, 5, true, 600);
    let bytes = postcard::to_stdvec(&engine.absences).expect("it can be written");
    let mut next = super::engine(|_| {});
    next.absences = postcard::from_bytes(&bytes).expect("it can be read");
    missed(&mut next, 6, true, 700);
    next.caught_up(ACCESS, None, at(700));
    next.tick(at(710));
    let told = notices(next.drain());
    assert_eq!((told[0].failures, told[0].from, &told[0].why[..]), (2, at(0), &[Problem::Credentials][..]));
}
