//! Traffic that is gone, and what only looks like it.

use super::*;

#[test]
fn traffic_is_gone_where_there_was_enough_before() {
    for by in [By::Api, By::Endpoint] {
        let gone = Rule { by, ..rule("traffic-gone") };
        let mut quiet = world(gone.clone());
        quiet.answered(299, 200);
        assert!(!quiet.fires_until(900), "too few before");
        let mut world = world(gone);
        world.answered(300, 200);
        assert!(!world.fires_until(300), "the window is not empty");
        assert_eq!(world.look(), Some(fires(Severity::High)));
        let alert = world.alert();
        assert_eq!((alert.value, alert.threshold, alert.requests), (0.0, 0.0, 0));
        assert_eq!(alert.before, Some(Before { requests: 300, window: Duration::from_hours(1) }));
        world.saved_and_restored();
        assert!(world.fires_until(3 * HOUR), "it goes on though nothing is left to compare with");
        assert!(world.said.iter().all(|alert| alert.state == State::Firing));
        world.answered(1, 200);
        assert_eq!(world.look(), Some(resolves(Severity::High)));
    }
}

#[test]
fn traffic_may_be_gone_in_part_and_silence_of_a_day_is_how_it_is() {
    let part = Rule { ladder: crate::engine::rules::Ladder::one(Severity::Critical, 0.5), ..rule("traffic-gone") };
    let mut world = world(part);
    for _ in 0..360 {
        world.answered(10, 200);
        assert_eq!(world.look(), None);
    }
    let mut fired_at = None;
    for _ in 0..60 {
        world.answered(4, 200);
        if world.look() == Some(fires(Severity::Critical)) {
            fired_at.get_or_insert(world.now - HOUR);
        }
    }
    assert!(fired_at.is_some_and(|s| (200..=300).contains(&s)), "{fired_at:?}");
    let began = world.now;
    assert!(world.fires_until(began + HOUR));
    world.now = began + 25 * HOUR;
    world.read();
    assert!(world.said.iter().any(|alert| alert.state == State::Resolved));
}

#[test]
fn traffic_is_back_before_it_is_more_than_ever() {
    for (below, clear_ratio) in [(0.5, 0.0), (0.8, 0.6), (0.99, 1.0), (0.0, 0.0)] {
        let ladder = crate::engine::rules::Ladder::one(Severity::High, below);
        let mut world = world(Rule { ladder, clear_ratio, ..rule("traffic-gone") });
        for _ in 0..360 {
            world.answered(10, 200);
            assert_eq!(world.look(), None);
        }
        let gone = world.now + 600;
        assert!(world.fires_until(gone));
        let mut back = None;
        while back.is_none() && world.now < gone + HOUR {
            world.answered(10, 200);
            back = (world.look() == Some(resolves(Severity::High))).then_some(world.now - gone);
        }
        assert!(back.is_some_and(|after| after <= 300), "below {below}, clear {clear_ratio}: {back:?}");
    }
}

#[test]
fn what_is_not_read_is_no_silence() {
    let mut world = world_of(rule("traffic-gone"), &["/access", "/aws/lambda/pay", "/access/2"], |_| {});
    world.engine.seal(SourceId(2), at(0));
    world.answered(400, 200);
    world.engine.blind(SourceId(2), Problem::Denied, "no", at(0));
    assert!(!world.fires_until(1200), "one of two logs is not read");
    world.engine.seal(SourceId(2), at(1210));
    assert!(world.fires_until(1230));
}

#[test]
fn what_was_not_read_is_no_silence_either() {
    let mut world = world_of(rule("traffic-gone"), &["/access"], |_| {});
    world.answered(400, 200);
    assert!(!world.fires_until(60));
    world.engine.blind(ACCESS, Problem::Denied, "no", at(60));
    world.now = 600;
    assert!(!world.fires_until(880), "nobody knows what came meanwhile");
    assert!(world.fires_until(890), "the window was read, but for a twelfth");
}
