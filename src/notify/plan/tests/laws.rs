//! Laws of a plan, on made-up lives of many alerts.
//!
//! The generator draws crowds, flapping, silences, mutes and blind logs, and a test says that it reaches all of them.
//! Rule: what was said is judged by the messages alone, never by what the plan remembers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::model::alert::Measure;

/// Between two looks.
const STEP: i64 = 10;

/// One life of an alert, in steps.
#[derive(Clone, Debug)]
struct Life {
    /// Which alert.
    who: u8,
    from: u8,
    lasts: u8,
    severity: u8,
    /// It gets worse or better in the middle.
    turns: u8,
    explained: bool,
    flapping: bool,
}

#[derive(Clone, Debug)]
struct Course {
    lives: Vec<Life>,
    /// Silence of a third of the endpoints, in steps: from and how long.
    silence: (u8, u8),
    burst: u32,
    /// All endpoints of a crowd fail together at this step.
    crowd: Option<(u8, u8, u8)>,
}

const STEPS: u8 = 90;
/// Alerts 0 to 11 are endpoints, 12 and 13 timeouts of two of them, 14 the API, 15 to 18 other rules, 19 to 24 logs.
const WHO: u8 = 25;

fn who(n: u8) -> Alert {
    match n {
        0..12 => endpoint(u32::from(n), 10 + u64::from(n), 200),
        12..14 => {
            let mut alert = endpoint(u32::from(n - 12), 10, 200);
            alert.key.rule = "integration-timeouts".into();
            Alert { measure: Measure::Timeouts, ..alert }
        }
        14 => api(900, 2400),
        15..19 => of(&format!("rule-{n}"), 0, Subject::Api, 10, 20),
        _ => source(u32::from(n)),
    }
}

fn severity(n: u8) -> Severity {
    [Severity::Elevated, Severity::High, Severity::Critical][usize::from(n % 3)]
}

fn courses() -> impl Strategy<Value = Course> {
    let life = (0..WHO, 0..STEPS, 1_u8..40, 0_u8..3, 0_u8..3, any::<bool>(), proptest::bool::weighted(0.2));
    let life = life.prop_map(|(who, from, lasts, severity, turns, explained, flapping)| Life {
        who,
        from,
        lasts,
        severity,
        turns,
        explained,
        flapping,
    });
    let crowd = proptest::option::of((0..STEPS, 4_u8..30, 4_u8..12));
    let lives = proptest::collection::vec(life, 1..40);
    (lives, (0..STEPS, 0_u8..40), 1_u32..6, crowd).prop_map(|(mut lives, silence, burst, crowd)| {
        // Of one alert one life after the other.
        lives.sort_by_key(|life| (life.who, life.from));
        lives.dedup_by(|next, life| next.who == life.who && next.from <= life.from + life.lasts);
        Course { lives, silence, burst, crowd }
    })
}

/// What stands at one step.
#[derive(Clone, Debug, Default)]
struct Step {
    looked: Vec<Alert>,
    sighted: Vec<Alert>,
}

impl Course {
    fn settings(&self) -> Settings {
        let (from, lasts) = (i64::from(self.silence.0) * STEP, i64::from(self.silence.1) * STEP);
        let silence = Silence {
            from: Some(at(from)),
            route: Some(silence::Glob::new("/000*")),
            ..Silence::until(at(from + lasts))
        };
        Settings {
            silences: vec![silence],
            rate: Rate { per_second: 0.2, burst: self.burst },
            repeat: Duration::from_mins(5),
            ..Settings::default()
        }
    }

    fn plan(&self) -> Plan {
        plan_with(self.settings())
    }

    fn all_lives(&self) -> Vec<Life> {
        let mut lives = self.lives.clone();
        if let Some((from, lasts, size)) = self.crowd {
            lives.retain(|life| life.who >= 12);
            lives.extend((0..size).map(|who| Life {
                who,
                from,
                lasts: lasts + who % 3,
                severity: who,
                turns: who,
                explained: who.is_multiple_of(2),
                flapping: false,
            }));
        }
        lives
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::default(); usize::from(STEPS) + 45];
        for life in self.all_lives() {
            for n in 0..=life.lasts {
                let step = usize::from(life.from) + usize::from(n);
                let turned = n > life.lasts / 2;
                let now = if turned { severity(life.turns) } else { severity(life.severity) };
                let mut alert = who(life.who).severe(severity(life.severity)).severe(now).at(to_i64(step) * STEP);
                alert.episode = format!("{}/{}", life.who, life.from).into();
                alert.since = at(i64::from(life.from) * STEP);
                alert.flapping = life.flapping && turned;
                if turned && life.explained {
                    alert = alert.by("TypeError");
                }
                if !life.explained {
                    alert = alert.unexplained();
                }
                if n == life.lasts {
                    alert = alert.is(Is::Resolved);
                } else if n + 1 == life.lasts {
                    alert = alert.is(Is::Recovering);
                }
                if alert.blindness.is_none() {
                    steps[step].looked.push(alert);
                } else if n == 0 || n == life.lasts {
                    steps[step].sighted.push(Alert { holds: n == 0, ..alert });
                }
            }
        }
        steps
    }
}

fn to_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap()
}

/// What is said at this step; logs go by arrival time, some seconds later.
fn go(plan: &mut Plan, n: usize, step: &Step) -> Vec<Message> {
    let time = to_i64(n) * STEP;
    let mut said = plan.step(Moment::Looked { api: ApiId(0), alerts: &step.looked }, at(time));
    if !step.sighted.is_empty() {
        said.extend(plan.step(Moment::Sighted(&step.sighted), at(time + 3)));
    }
    while let Some(due) = plan.next_deadline().filter(|due| *due < at(time + 13)) {
        said.extend(plan.tick(due));
        assert!(plan.next_deadline().is_none_or(|next| next > due), "stuck at {due}");
    }
    said
}

fn run(course: &Course) -> Vec<Vec<Message>> {
    let mut plan = course.plan();
    let mut said: Vec<_> = course.steps().iter().enumerate().map(|(n, step)| go(&mut plan, n, step)).collect();
    said.push(plan.finish());
    said
}

fn is_over(message: &Message) -> bool {
    match message {
        Message::Alert(m) => m.reason == Reason::Resolved && m.alert.state == State::Resolved,
        Message::Digest(d) => d.reason == Reason::Resolved && d.state == State::Resolved && d.firing == 0,
        Message::Notice(_) | Message::Test(_) => false,
    }
}

fn reason(message: &Message) -> Reason {
    match message {
        Message::Alert(m) => m.reason,
        Message::Digest(d) => d.reason,
        Message::Notice(_) | Message::Test(_) => Reason::New,
    }
}

/// Each episode is said in order, from new to resolved, each once.
fn check_episodes<'a>(said: impl IntoIterator<Item = &'a Message>) -> Result<(), TestCaseError> {
    let mut episodes: BTreeMap<&str, Vec<&Message>> = BTreeMap::new();
    for message in said {
        episodes.entry(message.episode()).or_default().push(message);
    }
    for (episode, messages) in episodes {
        for (message, seq) in messages.iter().zip(1..) {
            prop_assert_eq!(message.seq(), seq, "{}: {:?}", episode, messages);
            let is_first = matches!(reason(message), Reason::New)
                || seq == 1 && matches!(message, Message::Alert(_)) && reason(message) == Reason::Flapping;
            prop_assert_eq!(is_first, seq == 1, "{}: {:?}", episode, messages);
        }
        // All lives end within the course.
        let over: Vec<_> = messages.iter().map(|m| is_over(m)).collect();
        prop_assert_eq!(over.iter().filter(|over| **over).count(), 1, "{}: {:?}", episode, messages);
        prop_assert_eq!(over.last(), Some(&true), "{}", episode);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_episode_is_said_from_new_to_resolved(course in courses()) {
        let said = run(&course);
        check_episodes(said.iter().flatten())?;
        let times: Vec<_> = said.iter().flatten().filter(|m| matches!(m, Message::Alert(_))).map(Message::seq).collect();
        prop_assert!(times.iter().all(|seq| *seq >= 1));
        prop_assert_eq!(said, run(&course), "the same input gives the same output");
    }

    /// Two clocks, each with its burst and its rate; only the end of the input does not wait.
    #[test]
    fn a_sink_is_not_flooded(course in courses()) {
        let mut said = run(&course);
        said.pop();
        let count: Vec<usize> = said.iter().map(Vec::len).collect();
        for from in 0..count.len() {
            for to in from + 1..count.len().min(from + 12) {
                let seconds = f64::from(u32::try_from(to - from).unwrap() + 1) * 10.0 + 3.0;
                let most = 2.0 * (f64::from(course.burst) + seconds * 0.2);
                let messages = f64::from(u32::try_from(count[from..to].iter().sum::<usize>()).unwrap());
                prop_assert!(messages <= most, "{} messages in {} s", messages, seconds);
            }
        }
    }

    #[test]
    fn a_restart_at_any_step_changes_nothing(course in courses(), turn in 0_usize..100) {
        let whole = run(&course);
        let mut plan = course.plan();
        let mut said = Vec::new();
        let steps = course.steps();
        for (n, step) in steps.iter().enumerate() {
            if n % 7 == turn % 7 {
                plan = Plan::restore(Arc::new(course.settings()), plan.audience.clone(), inventory(), &plan.save()).unwrap();
            }
            said.push(go(&mut plan, n, step));
        }
        said.push(plan.finish());
        prop_assert_eq!(said, whole);
    }

    /// It dies and goes on from an older state; the messages since then are adopted, and what led to them comes again,
    /// but for the alerts that were said by themselves: of these the engine looks on from there.
    #[test]
    fn a_death_at_any_step_says_nothing_twice_and_loses_nothing(course in courses(), saved in 0_usize..120, lived in 1_usize..30) {
        let mut steps = course.steps();
        // Logs are not looked at again by event time.
        for step in &mut steps {
            step.sighted.clear();
        }
        let died = (saved + lived).min(steps.len());
        let saved = saved.min(died);
        let mut plan = course.plan();
        let mut said: Vec<Message> = Vec::new();
        for (n, step) in steps[..saved].iter().enumerate() {
            said.extend(go(&mut plan, n, step));
        }
        let state = plan.save();
        let since: Vec<_> = (saved..died).flat_map(|n| go(&mut plan, n, &steps[n])).collect();
        let mut next = Plan::restore(Arc::new(course.settings()), plan.audience.clone(), inventory(), &state).unwrap();
        let mut looked: BTreeMap<AlertKey, Timestamp> = BTreeMap::new();
        for message in &since {
            next.adopt(message, Past::Relived);
            if let Message::Alert(m) = message {
                looked.insert(m.alert.key.clone(), m.alert.time);
            }
        }
        for (n, step) in steps.iter().enumerate().take(died).skip(saved) {
            let mut step = step.clone();
            step.looked.retain(|alert| looked.get(&alert.key).is_none_or(|until| alert.time > *until));
            said.extend(go(&mut next, n, &step).into_iter().filter(|m| !since.contains(m)));
        }
        let again: Vec<_> = said.iter().filter(|m| since.iter().any(|s| (s.episode(), s.seq()) == (m.episode(), m.seq()))).collect();
        prop_assert!(again.is_empty(), "said again, and otherwise: {:?}", again);
        said.extend(since);
        for (n, step) in steps.iter().enumerate().skip(died) {
            said.extend(go(&mut next, n, step));
        }
        said.extend(next.finish());
        said.sort_by_key(|m| (Arc::clone(m.episode()), m.seq()));
        check_episodes(&said)?;
    }
}

/// The laws mean nothing for what the generator never draws.
#[test]
fn the_generator_reaches_everything() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..200 {
        let course = courses().new_tree(&mut runner).unwrap().current();
        let loud = Settings { silences: Vec::new(), ..course.settings() };
        let said: Vec<_> = run(&course).into_iter().flatten().collect();
        for message in &said {
            *reasons.entry(reason(message).word()).or_default() += 1;
            if let Message::Digest(d) = message {
                *seen.entry("digest").or_default() += 1;
                *seen.entry(if d.rule.is_none() { "mixed" } else { "group" }).or_default() += 1;
                *seen
                    .entry(if d.rule.as_deref() == Some("source-blind") { "logs" } else { "requests" })
                    .or_default() += 1;
            }
        }
        let mut plan = plan_with(loud);
        let without: usize = course.steps().iter().enumerate().map(|(n, step)| go(&mut plan, n, step).len()).sum();
        *seen.entry("silenced").or_default() += usize::from(without + plan.finish().len() != said.len());
        for step in course.steps() {
            let standing = |alert| inhibit::Standing { alert, silenced: false, told: false };
            let muted = inhibit::muted(&step.looked.iter().map(standing).collect::<Vec<_>>(), 3);
            for by in muted.into_iter().flatten() {
                *seen
                    .entry(match by {
                        inhibit::Muted::ByApi => "by API",
                        inhibit::Muted::ByEndpoints => "by endpoints",
                        inhibit::Muted::ByRule => "by rule",
                    })
                    .or_default() += 1;
            }
        }
    }
    let all = ["new", "escalated", "deescalated", "causes_changed", "repeat", "flapping", "resolved"];
    assert!(all.iter().all(|reason| reasons.get(reason).is_some_and(|n| *n > 5)), "{reasons:?}");
    let all = ["digest", "mixed", "group", "logs", "requests", "silenced", "by API", "by endpoints", "by rule"];
    assert!(all.iter().all(|what| seen.get(what).is_some_and(|n| *n > 5)), "{seen:?}");
}
