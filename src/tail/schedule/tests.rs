//! What is asked for when, over hours of simulated time.

use super::*;
use crate::tail::pace::Interval;

fn at(s: i64) -> Timestamp {
    Timestamp::from_millis(s * 1000)
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Hot reads every 5 s, 40 s deep; warm every minute, 6 min deep; cold every 10 min, 1 h deep.
fn pace() -> Pace {
    let interval = Interval { start: secs(5), min: secs(5), max: secs(15) };
    Pace::new(interval, Duration::ZERO, Duration::from_mins(5), Duration::from_hours(6))
}

/// What was asked for: when, of which tier, from and up to when.
type Asked = Vec<(i64, Tier, i64, Option<i64>)>;

/// A source whose pages hold so many seconds of events each, newest last, read for a while by a clock that only jumps.
struct Source {
    schedule: Schedule,
    now: i64,
    /// Seconds of events on a page; `None` if all of them fit.
    page: Option<i64>,
    /// Every read brings something new.
    busy: bool,
    asked: Asked,
    sealed: Vec<i64>,
    gaps: Vec<Gap>,
    caught_up: Vec<CaughtUp>,
}

impl Source {
    fn new(schedule: Schedule, now: i64) -> Self {
        let (asked, sealed, gaps, caught_up) = Default::default();
        Self { schedule, now, page: None, busy: true, asked, sealed, gaps, caught_up }
    }

    fn run(&mut self, seconds: i64) {
        let end = self.now + seconds;
        loop {
            match self.schedule.next(at(self.now)) {
                Step::Wait(until) => {
                    let until = (until.as_millis() + 999) / 1000;
                    if until >= end {
                        self.now = end;
                        return;
                    }
                    self.now = until.max(self.now);
                }
                Step::Fetch(turn) => self.fetch(turn),
            }
        }
    }

    fn fetch(&mut self, turn: Turn) {
        let now = at(self.now);
        let (ask, gap) = self.schedule.fetch(turn, now);
        self.gaps.extend(gap);
        let (from, to) = (ask.from.as_millis() / 1000, ask.to.map(|to| to.as_millis() / 1000));
        self.asked.push((self.now, turn.tier, from, to));
        let done = ask.token.as_deref().map_or(0, |token| token.parse::<i64>().unwrap());
        let span = to.unwrap_or(self.now) - from;
        let next = self.page.filter(|page| (done + 1) * page < span).map(|_| (done + 1).to_string());
        let page = self.page.unwrap_or(span);
        let ends = if ask.newest_first {
            (at(self.now - done * page), at(self.now - (done + 1) * page))
        } else {
            (at(from + done * page), at(from + (done + 1) * page))
        };
        let look = Look { ends: Some(ends), fresh: usize::from(self.busy) };
        let after = self.schedule.page(turn, next, look, now);
        assert!(!after.stuck);
        self.sealed.extend(after.sealed.map(|t| t.as_millis() / 1000));
        self.caught_up.extend(after.caught_up);
    }

    fn count(&self, tier: Tier) -> usize {
        self.asked.iter().filter(|a| a.1 == tier).count()
    }
}

#[test]
fn the_first_read_fills_the_window_and_then_the_tiers_take_turns() {
    let mut s = Source::new(Schedule::new(pace(), at(700)), 1000);
    s.run(1);
    assert_eq!(s.asked, [(1000, Tier::Hot, 700, None)]);
    assert_eq!(s.sealed, [1000]);
    s.run(70);
    assert_eq!(s.asked[1], (1005, Tier::Hot, 965, None));
    assert_eq!(s.asked.iter().filter(|a| a.2 == 700).count(), 2, "one warm read in place of a hot one: {:?}", s.asked);
    assert_eq!(s.asked.len(), 15);
    let mut s = Source::new(Schedule::new(pace(), at(90_000)), 100_000);
    s.run(4000);
    let cold: Vec<_> = s.asked.iter().filter(|a| a.0 - a.2 == 3600).map(|a| a.0 - 100_000).collect();
    assert_eq!(cold, [600, 1200, 1800, 2400, 3000, 3600]);
    assert!(s.sealed.is_sorted() && s.gaps.is_empty());
}

#[test]
fn an_idle_source_takes_at_most_five_requests_a_minute() {
    let mut s = Source::new(Schedule::new(pace(), at(100_000)), 100_000);
    s.busy = false;
    s.run(60);
    s.asked.clear();
    s.run(3600);
    assert!(s.asked.len() <= 300, "{} in an hour", s.asked.len());
    assert!(s.asked.len() >= 230);
}

#[test]
fn a_busy_source_takes_a_page_for_each_hot_read_and_few_for_the_deeper_ones() {
    for newest_first in [true, false] {
        let mut s = Source::new(Schedule::new(pace(), at(100_000)), 100_000);
        (s.page, s.schedule.newest_first) = (Some(49), newest_first);
        s.run(700);
        s.asked.clear();
        s.run(1800);
        let (hot, all) = (s.count(Tier::Hot), s.asked.len());
        assert!((350..=390).contains(&hot), "{hot} hot requests in half an hour");
        assert!(all - hot <= 600, "{} deeper ones", all - hot);
    }
}

#[test]
fn hot_reads_stop_where_the_newest_first_reach_far_enough_and_never_where_they_do_not() {
    let mut s = Source::new(Schedule::new(pace(), at(0)), 1000);
    s.run(1);
    s.schedule.set_lateness(secs(3));
    s.page = Some(15);
    s.run(9);
    let hot: Vec<_> = s.asked.iter().filter(|a| a.1 == Tier::Hot && a.2 > 900).collect();
    assert_eq!(hot.len(), 1, "15 s on a page are what two intervals and the lateness need: {hot:?}");
    s.page = Some(8);
    s.asked.clear();
    s.run(5);
    assert_eq!(s.count(Tier::Hot), 2);
    // An emulator that ignores the wish: the read goes on to its end.
    let mut s = Schedule::new(pace(), at(0));
    s.live = Some(at(995));
    (s.next_warm, s.next_deep) = (at(5000), at(5000));
    let Step::Fetch(turn) = s.next(at(1000)) else { panic!("it is due") };
    assert!(s.fetch(turn, at(1000)).0.newest_first);
    let look = Look { ends: Some((at(900), at(930))), fresh: 1 };
    s.page(turn, Some("1".to_owned()), look, at(1000));
    let Step::Fetch(turn) = s.next(at(1000)) else { panic!("the read goes on") };
    assert_eq!(s.fetch(turn, at(1000)).0.token.as_deref(), Some("1"));
    s.page(turn, None, look, at(1000));
    let Step::Fetch(turn) = s.next(at(1005)) else { panic!("it is due") };
    assert!(!s.fetch(turn, at(1005)).0.newest_first, "asked for once");
    assert!(!s.refused(turn));
}

#[test]
fn after_a_short_gap_a_warm_read_comes_before_the_rules_look() {
    let mut s = Source::new(Schedule::new(pace(), at(0)), 10_000);
    s.run(60);
    s.sealed.clear();
    s.schedule.failed(at(10_160));
    s.run(110);
    assert!(s.gaps.is_empty(), "a warm read covers it");
    assert!(s.asked.contains(&(10_160, Tier::Hot, 10_160 - 360, None)), "in place of the hot one: {:?}", s.asked);
    assert_eq!(s.sealed.first(), Some(&10_160), "not before the warm read");
}

#[test]
fn after_a_long_gap_live_reading_goes_on_at_once_and_what_was_missed_is_caught_up() {
    let mut s = Source::new(Schedule::new(pace(), at(0)), 100_000);
    s.run(60);
    s.asked.clear();
    s.page = Some(49);
    s.schedule.failed(at(103_600));
    s.run(3_540 + 1);
    assert_eq!(s.gaps, [Gap { from: at(100_055), to: at(103_600) }]);
    assert_eq!(s.asked[0].1, Tier::Hot);
    s.run(60);
    assert_eq!(s.caught_up, [CaughtUp { unread_before: None }]);
    let caught: Vec<_> = s.asked.iter().filter(|a| a.1 == Tier::CatchUp).collect();
    assert_eq!((caught[0].2, caught[caught.len() - 1].3), (100_055 - 40, Some(103_600)));
    assert!(caught.windows(2).all(|w| w[1].2 == w[0].2 || Some(w[1].2) == w[0].3), "without a hole: {caught:?}");
    let cold = s.asked.iter().find(|a| a.1 == Tier::Cold).unwrap();
    assert!(cold.2 <= 100_000 - 3000, "what came late before the gap is read as well: {cold:?}");
}

#[test]
fn a_catch_up_is_bounded_and_says_what_it_left_out() {
    let mut pace = pace();
    pace.max_catchup = Duration::from_hours(1);
    let position = Position { origin: at(0), live: at(100_000), owed: at(97_000), missing: None, unread_before: None };
    let mut s = Source::new(Schedule::resume(pace, position), 110_000);
    s.run(100);
    assert_eq!(s.caught_up, [CaughtUp { unread_before: Some(at(106_400)) }]);
    assert!(s.asked.iter().all(|a| a.2 >= 106_400), "by no other read either: {:?}", s.asked);
}

#[test]
fn a_restart_goes_on_where_the_last_life_stopped() {
    let mut s = Source::new(Schedule::new(pace(), at(0)), 10_000);
    assert_eq!(s.schedule.position(), None);
    s.run(100);
    let position = s.schedule.position().unwrap();
    assert_eq!((position.live, position.owed), (at(10_095), at(10_000 + 600 - 3600)));
    let mut again = Source::new(Schedule::resume(pace(), position), 10_105);
    again.run(3600);
    assert!(again.gaps.is_empty());
    assert_eq!(again.sealed.first(), Some(&10_105));
    let cold = again.asked.iter().find(|a| a.1 == Tier::Cold || a.0 - a.2 == 3600).unwrap();
    assert!(cold.2 <= 10_000 + 600 - 3600 && (10_590..=10_605).contains(&cold.0), "{cold:?}");
}

#[test]
fn a_catch_up_goes_on_in_the_next_life_and_ends_there() {
    let position = Position { origin: at(0), live: at(100_000), owed: at(97_000), missing: None, unread_before: None };
    let mut s = Source::new(Schedule::resume(pace(), position), 110_000);
    s.page = Some(1);
    let mut steps = 0;
    while s.schedule.walks.missing_from().is_none_or(|from| from < at(101_000)) {
        let Step::Fetch(turn) = s.schedule.next(at(s.now)) else { panic!("there is more to catch up") };
        s.fetch(turn);
        steps += 1;
        assert!(steps < 10_000);
    }
    let position = s.schedule.position().unwrap();
    assert!(position.live >= at(110_000) && s.caught_up.is_empty());
    let mut again = Source::new(Schedule::resume(pace(), position), 110_010);
    again.run(300);
    assert_eq!((again.gaps.len(), again.caught_up.len()), (1, 1));
    let first = again.asked.iter().find(|a| a.1 == Tier::CatchUp).unwrap();
    assert!(first.2 > 100_500 && first.2 <= 101_300, "{first:?}");
    assert_eq!(again.schedule.position().unwrap().missing, None);
}

#[test]
fn a_gap_is_found_also_where_a_deeper_read_stood_in_for_the_hot_one_that_failed() {
    let mut s = Source::new(Schedule::new(pace(), at(0)), 100_000);
    loop {
        let Step::Fetch(turn) = s.schedule.next(at(s.now)) else {
            s.now += 1;
            continue;
        };
        s.schedule.fetch(turn, at(s.now));
        if s.schedule.walks.warm.is_some() && s.schedule.walks.hot.is_none() {
            break;
        }
        s.schedule.page(turn, None, Look::default(), at(s.now));
    }
    s.schedule.failed(at(110_000));
    s.now = 110_000;
    s.run(60);
    assert_eq!((s.gaps.len(), s.caught_up.len()), (1, 1), "{:?}", s.asked);
    assert!(s.asked.iter().any(|a| a.1 == Tier::CatchUp));
}

#[test]
fn a_catch_up_whose_tokens_are_refused_is_tried_again_and_the_rules_look_in_the_end() {
    let interval = Interval { start: secs(5), min: secs(5), max: secs(15) };
    let pace = Pace::new(interval, Duration::ZERO, Duration::from_hours(1), Duration::from_hours(6));
    let position = Position { origin: at(0), live: at(100_000), owed: at(97_000), missing: None, unread_before: None };
    let mut s = Source::new(Schedule::resume(pace, position), 110_000);
    let mut stuck = 0;
    while stuck < 2 {
        let Step::Fetch(turn) = s.schedule.next(at(s.now)) else {
            s.now += 1;
            continue;
        };
        if turn.tier == Tier::CatchUp {
            s.schedule.fetch(turn, at(s.now));
            let after = s.schedule.page(turn, Some("a".to_owned()), Look::default(), at(s.now));
            stuck += usize::from(after.stuck);
        } else {
            s.fetch(turn);
        }
    }
    assert!(s.sealed.is_empty());
    s.run(300);
    assert_eq!(s.caught_up.len(), 1);
    assert!(!s.sealed.is_empty());
}

#[test]
fn a_read_keeps_its_depth_when_it_is_too_long_to_stand_in_for_a_hot_one() {
    let mut s = Schedule::new(pace(), at(0));
    s.live = Some(at(995));
    s.next_deep = at(5000);
    s.next_warm = at(1000);
    let Step::Fetch(first) = s.next(at(1000)) else { panic!("it is due") };
    s.fetch(first, at(1000));
    let before = (first.tier, s.depth(first));
    s.page(first, Some("1".to_owned()), Look::default(), at(1000));
    s.next_hot = at(5000);
    let Step::Fetch(second) = s.next(at(1000)) else { panic!("the read goes on") };
    assert_eq!(s.fetch(second, at(1000)).0.token.as_deref(), Some("1"));
    assert_eq!([before, (second.tier, s.depth(second))], [(Tier::Hot, Depth::Warm), (Tier::Warm, Depth::Warm)]);
}

#[test]
fn nothing_before_the_origin_is_ever_read() {
    let mut s = Source::new(Schedule::new(pace(), at(990)), 1000);
    s.run(2000);
    assert!(s.asked.iter().all(|a| a.2 >= 990));
    assert_eq!(s.schedule.horizon(at(1005)), at(990));
}

#[test]
fn a_first_read_of_many_pages_ends() {
    let mut s = Source::new(Schedule::new(pace(), at(0)), 100_000);
    s.page = Some(10_000);
    s.run(30);
    assert_eq!(s.asked.iter().filter(|a| a.2 == 0).count(), 10);
    assert!(s.sealed.contains(&100_000));
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_reading() {
    let mut s = Source::new(Schedule::new(pace(), at(0)), 100_000);
    s.run(100);
    s.asked.clear();
    s.now = 50_000;
    s.run(1300);
    assert!(s.asked.len() > 200, "{}", s.asked.len());
    assert!(s.asked.iter().any(|a| a.0 - a.2 >= 3600));
    assert!(s.sealed.last() > Some(&51_000));
}

#[test]
fn a_clock_that_was_hours_ahead_at_the_start_does_not_hide_the_present() {
    let mut s = Source::new(Schedule::new(pace(), at(107_200 - 300)), 107_200);
    s.run(1);
    let position = s.schedule.position().unwrap();
    s.asked.clear();
    s.now = 100_001;
    s.run(60);
    assert!(s.asked.iter().all(|a| a.2 <= a.0 - 35), "{:?}", s.asked);
    assert!(s.asked.iter().all(|a| a.2 >= 99_699), "not further back than was asked for: {:?}", s.asked);
    let mut again = Source::new(Schedule::resume(pace(), position), 100_010);
    again.run(700);
    assert!(again.asked.iter().all(|a| a.2 <= a.0), "{:?}", again.asked);
    assert!(again.schedule.next_deep < at(102_000), "and the last life's clock keeps no read waiting");
}

#[test]
fn a_read_that_is_stuck_or_refused_starts_anew() {
    let mut s = Schedule::new(pace(), at(0));
    let token = || Some("a".to_owned());
    let mut stuck = 0;
    for _ in 0..40 {
        let Step::Fetch(turn) = s.next(at(1000)) else { panic!("the first read is owed") };
        s.fetch(turn, at(1000));
        stuck += u32::from(s.page(turn, token(), Look::default(), at(1000)).stuck);
    }
    assert!(stuck > 2);
    let Step::Fetch(turn) = s.next(at(1000)) else { panic!("the first read is owed") };
    s.fetch(turn, at(1000));
    assert!(s.bad_token(turn, at(1000)));
    assert!(!s.refused(turn), "it was not asked for the newest first");
}

#[test]
fn a_gap_is_found_and_no_wider_than_it_is_although_a_deeper_read_stood_in_for_the_hot_one() {
    let mut s = Source::new(Schedule::new(pace(), at(90_000)), 100_000);
    s.run(60);
    // The next read is a warm one in place of a hot one, and fails, as all do for an hour.
    while s.now < 103_600 {
        match s.schedule.next(at(s.now)) {
            Step::Wait(until) => s.now = until.as_millis() / 1000,
            Step::Fetch(turn) => {
                s.gaps.extend(s.schedule.fetch(turn, at(s.now)).1);
                s.schedule.failed(at(s.now + 10));
            }
        }
    }
    s.asked.clear();
    s.run(120);
    let live = s.gaps[0].from;
    assert!(s.gaps.iter().all(|gap| gap.from == live) && live >= at(100_050), "{:?}", s.gaps);
    assert!(s.gaps.last().is_some_and(|gap| gap.to >= at(103_600)));
    assert_eq!(s.caught_up.len(), 1);
    let from = s.asked.iter().filter(|a| a.1 == Tier::CatchUp).map(|a| at(a.2)).min();
    assert_eq!(from, Some(live.minus(pace().hot_depth)), "once its margin, however often it was tried");
}
