//! Error budgets that burn: both windows, and how far back was counted.

use super::*;

/// With shorter windows.
fn burn(objective: f64) -> Rule {
    let mut rule = Rule { measure: Measure::BurnRate { objective }, ..rule("burn-rate") };
    if let Special::Pairs(pairs) = &mut rule.special {
        pairs[0] = Pair { long: Duration::from_hours(3), short: 30 * MINUTE };
        pairs[1] = Pair { long: Duration::from_hours(2), short: 10 * MINUTE };
    }
    rule
}

#[test]
fn a_burn_rate_needs_both_windows_and_a_full_watch() {
    let mut world = world(burn(0.99));
    let mut first = None;
    while world.now < 2 * HOUR {
        world.answered(8, 200).answered(2, 502);
        if let Some((_, severity)) = world.look() {
            first.get_or_insert((world.now, severity));
        }
    }
    assert_eq!(first, Some((HOUR, Severity::Critical)), "20 % is 20 times 1 %; the hour has to be full");
    let alert = world.alert();
    assert!((alert.value - 20.0).abs() < 1e-6, "{}", alert.value);
    assert_eq!((alert.threshold, alert.window, alert.errors), (14.4, Duration::from_hours(1), 720));
    assert_eq!(alert.causes.iter().map(|cause| cause.count).sum::<u64>(), 720, "those of the window that is told");
    let before = world.now;
    world.saved_and_restored();
    let mut over = None;
    while world.now < before + HOUR {
        world.answered(10, 200);
        if let Some((State::Resolved, _)) = world.look() {
            over.get_or_insert(world.now - before);
        }
    }
    // A window of ten minutes begins at a full minute: until then two minutes of failures are in it, 3.7 %.
    assert_eq!(over, Some(540), "when ten minutes are below 0.6 of the middle rung; its two hours are not yet");

    let mut lower = self::world(burn(0.99));
    let mut seen = Vec::new();
    while lower.now < 2 * HOUR + 60 {
        lower.answered(92, 200).answered(8, 502);
        if let Some((_, severity)) = lower.look() {
            seen.push((lower.now, severity));
        }
    }
    assert_eq!(seen.first(), Some(&(2 * HOUR, Severity::High)), "8 times is over 6, and not over 14.4");
    assert_eq!(lower.alert().window, Duration::from_hours(2));
    let causes: u64 = lower.alert().causes.iter().map(|cause| cause.count).sum();
    assert_eq!((causes, lower.alert().endpoints[0].errors), (lower.alert().errors, lower.alert().errors));
}

#[test]
fn a_burn_rate_that_is_new_looks_back_no_further_than_was_counted() {
    // Its hour stands in the same slots as the half hour that was counted, or in others as well.
    let hour = Special::Pairs([Pair { long: Duration::from_hours(1), short: 5 * MINUTE }; 3]);
    for new in [burn(0.99), Rule { special: hour, ..burn(0.99) }] {
        let mut world = world(rule("api-5xx"));
        while world.now < 2 * HOUR {
            world.answered(8, 200).answered(2, 502).look();
        }
        let mut settings = world.engine.settings.clone();
        settings.rules = Rules::from(vec![new]);
        world.engine = Engine::restore(settings, &world.engine.save()).expect("saved just now");
        let mut first = None;
        while first.is_none() && world.now < 4 * HOUR {
            if world.now == 2 * HOUR + 600 {
                world.saved_and_restored();
            }
            first = world.answered(8, 200).answered(2, 502).look().map(|_| world.now);
        }
        assert_eq!(first, Some(2 * HOUR + 10 + HOUR / 2), "half an hour was counted before");
        // The hour begins with a full minute.
        assert_eq!((world.alert().errors, world.alert().requests), (722, 3610));
    }
}

#[test]
fn a_burn_of_few_errors_or_without_an_objective_says_nothing() {
    for (objective, errors) in [(0.999, 4), (0.0, 400)] {
        let mut world = world(burn(objective));
        assert!(!world.fires_until(2 * HOUR));
        world.answered(errors, 502);
        assert!(!world.fires_until(2 * HOUR + 60), "{objective}");
    }
}
