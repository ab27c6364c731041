//! What is said about made-up alerts, step by step.

mod crowds;
mod laws;
mod lives;

use super::*;
use crate::model::alert::{Blindness, CauseCount, Loss, Measure, Severity, Subject};
use crate::model::cause::CauseKind;
use crate::model::inventory::{Api, ApiId};
use crate::model::problem::Problem;
use crate::model::request::Endpoint;
use crate::notify::message::Digest;

/// What an alert of a test is like; everything else follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Is {
    /// It fires, and its condition is over for the moment.
    Recovering,
    Resolved,
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// 2 APIs.
fn inventory() -> Arc<Inventory> {
    Arc::new(Inventory { apis: vec![Api::plain("shop"), Api::plain("blog")], sources: Vec::new() })
}

fn plan_with(settings: Settings) -> Plan {
    Plan::new(Arc::new(settings), Audience::of_all("-"), inventory())
}

fn plan() -> Plan {
    plan_with(Settings::default())
}

/// An alert about a share of failed requests at second 0; all its causes are certain.
fn of(rule: &str, api: u16, subject: Subject, errors: u64, requests: u64) -> Alert {
    let causes = vec![CauseCount {
        kind: CauseKind::UnhandledException,
        count: errors,
        certain: errors,
        sample: Arc::default(),
    }];
    Alert {
        episode: format!("{rule}/{api}/{subject:?}/0").into(),
        key: AlertKey { rule: rule.into(), api: ApiId(api), subject },
        state: State::Firing,
        severity: Severity::High,
        worst: Severity::High,
        measure: Measure::Failures,
        #[expect(clippy::cast_precision_loss)]
        value: errors as f64 / requests as f64,
        threshold: 0.01,
        errors,
        requests,
        window: Duration::from_mins(5),
        time: at(0),
        since: at(0),
        holds: true,
        flapping: false,
        causes,
        endpoints: Vec::new(),
        before: None,
        blindness: None,
    }
}

pub(super) fn api(errors: u64, requests: u64) -> Alert {
    of("api-5xx", 0, Subject::Api, errors, requests)
}

pub(super) fn endpoint(n: u32, errors: u64, requests: u64) -> Alert {
    let endpoint = Endpoint::new("GET", &format!("/{n:04}"));
    of("endpoint-5xx", 0, Subject::Endpoint(Arc::new(endpoint)), errors, requests)
}

fn source(n: u32) -> Alert {
    let name: Arc<str> = format!("/aws/lambda/f{n:02}").into();
    let blindness = Blindness {
        problem: Problem::Unreachable,
        said: "no route".into(),
        read_to: None,
        loss: Loss::Causes,
        rules: Vec::new(),
        apis: vec!["shop".into()],
    };
    Alert {
        measure: Measure::Unread,
        causes: Vec::new(),
        blindness: Some(blindness),
        ..of("source-blind", 0, Subject::Source(name), 0, 1)
    }
}

trait As: Sized {
    fn at(self, seconds: i64) -> Self;
    fn is(self, is: Is) -> Self;
    fn severe(self, severity: Severity) -> Self;
    fn unexplained(self) -> Self;
    /// By another error type.
    fn by(self, error_type: &str) -> Self;
}

impl As for Alert {
    fn at(mut self, seconds: i64) -> Self {
        self.time = at(seconds);
        self
    }

    fn is(mut self, is: Is) -> Self {
        self.holds = false;
        self.state = if is == Is::Resolved { State::Resolved } else { State::Firing };
        if self.state == State::Resolved {
            self.causes.clear();
        }
        self
    }

    fn severe(mut self, severity: Severity) -> Self {
        (self.severity, self.worst) = (severity, self.worst.max(severity));
        self
    }

    fn unexplained(mut self) -> Self {
        self.causes.iter_mut().for_each(|c| (c.kind, c.certain) = (CauseKind::Unknown, 0));
        self
    }

    fn by(mut self, error_type: &str) -> Self {
        self.causes.iter_mut().for_each(|c| Arc::make_mut(&mut c.sample).error_type = Some(error_type.into()));
        self
    }
}

/// The rules of the first API have looked.
fn look(plan: &mut Plan, seconds: i64, alerts: &[Alert]) -> Vec<Message> {
    let alerts: Vec<_> = alerts.iter().cloned().map(|alert| alert.at(seconds)).collect();
    plan.step(Moment::Looked { api: ApiId(0), alerts: &alerts }, at(seconds))
}

/// Messages in short: `/0001 new 1`, `37+2 of endpoint-5xx new 1`.
fn short(said: &[Message]) -> Vec<String> {
    let one = |message: &Message| match message {
        Message::Alert(m) => {
            let subject = match &m.alert.key.subject {
                Subject::Api => "api",
                Subject::Endpoint(endpoint) => &*endpoint.route,
                Subject::Source(source) => source,
            };
            format!("{subject} {} {}", m.reason.word(), m.seq)
        }
        Message::Digest(d) => {
            let rule = d.rule.as_deref().unwrap_or("several rules");
            format!("{}+{} of {rule} {} {}", d.firing, d.resolved, d.reason.word(), d.seq)
        }
        Message::Notice(_) => "notice".to_owned(),
        Message::Test(_) => "test".to_owned(),
    };
    said.iter().map(one).collect()
}

fn told(plan: &mut Plan, seconds: i64, alerts: &[Alert]) -> Vec<String> {
    short(&look(plan, seconds, alerts))
}

const NOTHING: [&str; 0] = [];

#[test]
fn what_is_explained_is_said_at_once_and_resolved_once() {
    let mut plan = plan();
    assert_eq!(told(&mut plan, 10, &[api(12, 30)]), ["api new 1"]);
    assert_eq!(told(&mut plan, 20, &[api(12, 30)]), NOTHING);
    let said = look(&mut plan, 30, &[api(12, 30).is(Is::Resolved)]);
    assert_eq!(short(&said), ["api resolved 2"]);
    assert_eq!(said[0].alert().unwrap().alert.causes.len(), 1, "a resolve tells the causes that were said");
    assert!(plan.memory.tracks.is_empty(), "nothing is kept of what is over");
}

#[test]
fn what_is_not_explained_waits_and_is_then_said_as_it_stands() {
    let mut plan = plan();
    assert_eq!(told(&mut plan, 10, &[api(12, 30).unexplained()]), NOTHING);
    assert_eq!(told(&mut plan, 15, &[api(12, 30).unexplained()]), NOTHING);
    assert_eq!(told(&mut plan, 20, &[api(12, 30).unexplained()]), ["api new 1"]);
}

#[test]
fn what_ends_before_it_was_said_is_never_said() {
    let mut plan = plan();
    assert_eq!(told(&mut plan, 10, &[api(12, 30).unexplained()]), NOTHING);
    assert_eq!(told(&mut plan, 20, &[api(12, 30).unexplained().is(Is::Recovering)]), NOTHING);
    assert_eq!(told(&mut plan, 30, &[api(12, 30).is(Is::Resolved)]), NOTHING);
    assert!(plan.finish().is_empty());
}

#[test]
fn a_rise_is_said_at_once_other_changes_after_a_while() {
    let mut plan = plan();
    let bad = |severity| api(12, 30).severe(severity);
    assert_eq!(told(&mut plan, 10, &[bad(Severity::High)]), ["api new 1"]);
    assert_eq!(told(&mut plan, 20, &[bad(Severity::Critical)]), ["api escalated 2"]);
    assert_eq!(told(&mut plan, 30, &[bad(Severity::Critical).by("TypeError")]), NOTHING);
    assert_eq!(told(&mut plan, 80, &[bad(Severity::Critical).by("TypeError")]), ["api causes_changed 3"]);
    assert_eq!(told(&mut plan, 90, &[bad(Severity::Elevated).by("TypeError")]), NOTHING);
    assert_eq!(told(&mut plan, 140, &[bad(Severity::Elevated).by("TypeError")]), ["api deescalated 4"]);
    assert_eq!(told(&mut plan, 200, &[bad(Severity::Elevated)]), ["api causes_changed 5"]);
    assert_eq!(told(&mut plan, 260, &[bad(Severity::Elevated).unexplained()]), NOTHING, "not explained is no news");
}

#[test]
fn what_goes_on_is_repeated_ever_more_seldom() {
    let hours = |settings: Settings, change_at: i64| {
        let mut plan = plan_with(settings);
        let steps = (0..100 * 6).map(|n| n * 600);
        let alert = |t: i64| if t >= change_at { api(12, 30).by("TypeError") } else { api(12, 30) };
        steps.filter(|t| !look(&mut plan, *t, &[alert(*t)]).is_empty()).map(|t| t / 3600).collect::<Vec<_>>()
    };
    assert_eq!(hours(Settings::default(), i64::MAX), [0, 4, 12, 28, 52, 76]);
    assert_eq!(hours(Settings::default(), 20 * 3600), [0, 4, 12, 20, 24, 32, 48, 72, 96], "a message restarts it");
    assert_eq!(hours(Settings { repeat: Duration::ZERO, ..Settings::default() }, i64::MAX), [0]);
}

#[test]
fn what_flaps_says_so_once() {
    let mut plan = plan();
    let flapping = || Alert { flapping: true, ..api(12, 30) };
    let next = |n: u32| Alert { episode: format!("e{n}").into(), ..flapping() };
    assert_eq!(told(&mut plan, 10, &[api(12, 30)]), ["api new 1"]);
    assert_eq!(told(&mut plan, 20, &[flapping()]), ["api flapping 2"]);
    assert_eq!(told(&mut plan, 30, &[flapping()]), NOTHING);
    assert_eq!(told(&mut plan, 40, &[flapping().is(Is::Resolved)]), ["api resolved 3"]);
    assert_eq!(told(&mut plan, 50, &[next(1)]), ["api new 1"], "that is known");
    assert_eq!(told(&mut plan, 60, &[next(1).is(Is::Resolved)]), ["api resolved 2"]);
    let calm = Alert { flapping: false, ..next(2) };
    assert_eq!(told(&mut plan, 70, std::slice::from_ref(&calm)), ["api new 1"]);
    assert_eq!(told(&mut plan, 80, &[calm.is(Is::Resolved)]), ["api resolved 2"]);
    assert_eq!(told(&mut plan, 90, &[next(3)]), ["api flapping 1"], "instead of new");
}

#[test]
fn a_sink_hears_whole_episodes_of_what_it_wants() {
    let audience = Audience { min_severity: Severity::Critical, ..Audience::of_all("pager") };
    let mut plan = Plan::new(Arc::default(), audience, inventory());
    let is_critical = || api(12, 30).severe(Severity::Critical);
    assert_eq!(told(&mut plan, 10, &[api(12, 30)]), NOTHING);
    assert_eq!(told(&mut plan, 20, &[is_critical()]), ["api new 1"], "it is new here");
    assert_eq!(told(&mut plan, 80, &[is_critical().severe(Severity::High)]), ["api deescalated 2"]);
    assert_eq!(told(&mut plan, 90, &[is_critical().severe(Severity::High).is(Is::Resolved)]), ["api resolved 3"]);
    let audience = Audience { rules: Some(vec!["endpoint-5xx".into()]), ..Audience::of_all("team") };
    let mut plan = Plan::new(Arc::default(), audience, inventory());
    let both = [api(500, 1000), endpoint(1, 10, 20)];
    assert_eq!(told(&mut plan, 10, &both), ["/0001 new 1"], "what is not for it mutes nothing");
}

#[test]
fn muted_is_told_when_it_is_no_more_and_resolved_if_it_was_told() {
    let mut plan = plan();
    let few = [endpoint(1, 10, 20), endpoint(2, 10, 20)];
    let with = |more: Alert| few.iter().cloned().chain([more]).collect::<Vec<_>>();
    assert_eq!(told(&mut plan, 10, &few[..1]), ["/0001 new 1"]);
    assert_eq!(told(&mut plan, 20, &with(api(500, 1000))), ["api new 1"]);
    let mut all = with(api(500, 1000));
    all[0] = all[0].clone().severe(Severity::Elevated).by("TypeError");
    assert_eq!(told(&mut plan, 200, &all), NOTHING, "what is muted is not updated");
    all[0] = all[0].clone().is(Is::Resolved);
    assert_eq!(told(&mut plan, 210, &all), ["/0001 resolved 2"]);
    assert_eq!(told(&mut plan, 220, &[endpoint(2, 10, 20).unexplained(), api(500, 1000).is(Is::Recovering)]), NOTHING);
    let over = [endpoint(2, 10, 20).unexplained(), api(500, 1000).is(Is::Resolved)];
    assert_eq!(told(&mut plan, 230, &over), ["/0002 new 1", "api resolved 2"]);
}

#[test]
fn silences_begin_and_end_and_owe_a_resolve() {
    let silence = Silence { from: Some(at(20)), rule: Some(silence::Glob::new("api-*")), ..Silence::until(at(100)) };
    let settings = || Settings { silences: vec![silence.clone()], ..Settings::default() };
    let mut plan = plan_with(settings());
    let rises = || api(12, 30).severe(Severity::Critical);
    assert_eq!(told(&mut plan, 10, &[api(12, 30)]), ["api new 1"]);
    assert_eq!(told(&mut plan, 20, &[rises(), endpoint(1, 10, 20)]), ["/0001 new 1"], "it mutes nobody");
    assert_eq!(told(&mut plan, 100, &[rises()]), ["api escalated 2"]);
    let mut plan = plan_with(settings());
    assert_eq!(told(&mut plan, 10, &[api(12, 30)]), ["api new 1"]);
    assert_eq!(told(&mut plan, 30, &[api(12, 30).is(Is::Resolved)]), ["api resolved 2"]);
    let other = Alert { episode: "e1".into(), ..api(12, 30) };
    for seconds in [40, 90] {
        assert_eq!(told(&mut plan, seconds, std::slice::from_ref(&other)), NOTHING);
    }
    assert_eq!(told(&mut plan, 100, &[other]), ["api new 1"]);
}

#[test]
fn a_silence_covers_what_all_its_matchers_fit() {
    let glob = |text| Some(silence::Glob::new(text));
    let all = || Silence::until(at(100));
    let inventory = inventory();
    let covers = |silence: &Silence, alert: &Alert| silence.covers(alert, &inventory, at(50));
    let (whole, one, log) = (api(1, 2), endpoint(7, 1, 2), source(1));
    let cases = [
        (all(), [true; 3]),
        (Silence { api: glob("sh*"), ..all() }, [true; 3]),
        (Silence { api: glob("blog"), ..all() }, [false; 3]),
        (Silence { route: glob("/00*"), ..all() }, [false, true, false]),
        (Silence { method: glob("GET"), ..all() }, [false, true, false]),
        (Silence { method: glob("POST"), ..all() }, [false; 3]),
        (Silence { source: glob("/aws/lambda/*"), ..all() }, [false, false, true]),
        (Silence { severity: Some(Severity::High), ..all() }, [true; 3]),
        (Silence { severity: Some(Severity::Elevated), ..all() }, [false; 3]),
        (Silence { rule: glob("*-5xx"), api: glob("shop"), ..all() }, [true, true, false]),
        (Silence { from: Some(at(51)), ..all() }, [false; 3]),
        (Silence::until(at(50)), [false; 3]),
    ];
    for (silence, want) in cases {
        assert_eq!([&whole, &one, &log].map(|alert| covers(&silence, alert)), want, "{silence:?}");
    }
    let shared = Alert { key: AlertKey { api: ApiId(1), ..log.key.clone() }, ..log };
    assert!(covers(&Silence { api: glob("shop"), ..all() }, &shared), "a log that is read for several");
}

#[test]
fn at_the_end_of_the_input_what_waits_is_said() {
    let mut plan = plan();
    let waiting = [api(500, 1000).unexplained(), endpoint(1, 10, 20).severe(Severity::Critical).unexplained()];
    assert_eq!(told(&mut plan, 10, &waiting), NOTHING);
    assert_eq!(short(&plan.finish()), ["/0001 new 1", "api new 1"]);
    assert!(plan.finish().is_empty());
}

#[test]
fn the_saved_form_changes_with_its_version_alone() {
    let mut plan = plan();
    let mut all: Vec<_> = (0..5).map(|n| endpoint(n, 10, 20)).collect();
    all.push(Alert { flapping: true, measure: Measure::FailureCount, ..of("5xx-count", 0, Subject::Api, 12, 30) });
    all.push(Alert { measure: Measure::Traffic, ..of("traffic-gone", 0, Subject::Api, 12, 30).unexplained() });
    look(&mut plan, 10, &all);
    plan.step(Moment::Sighted(&[source(1)]), at(12));
    assert!(!plan.memory.digests.is_empty() && !plan.memory.flapping.is_empty());
    let hash = xxhash_rust::xxh3::xxh3_64(&plan.save());
    assert_eq!(
        (STATE_VERSION, format!("{hash:016x}").as_str()),
        (4, "edbf6f42d39244f7"),
        "the saved form has changed: raise STATE_VERSION and put the new hash here"
    );
}
