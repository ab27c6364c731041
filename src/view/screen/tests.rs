//! Keys, picked rows, filters and order; any size and any keys; bounds on memory.

use std::sync::Arc;

use proptest::prelude::*;
use ratatui::style::Color;

use super::*;
use crate::model::alert::{Alert, AlertKey, CauseCount, CauseSample, Measure, Severity, State as AlertState, Subject};
use crate::model::cause::{Cause, CauseKind, Certainty, Explanation, Failure, Fix, Join};
use crate::model::dropped::Dropped;
use crate::model::inventory::{ApiId, SourceKind};
use crate::model::problem::Problem;
use crate::model::report::{Reading, Reloads, Report, SourceReport, Trouble, Turns};
use crate::model::request::{Endpoint, Request};
use crate::model::summary::{EndpointSummary, Summary};

const WINDOW: Duration = Duration::from_mins(5);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_338_000_000 + seconds * 1000)
}

fn row(route: &str, count: u64, errors_5xx: u64) -> EndpointSummary {
    let sample =
        CauseSample { error_type: Some("TypeError".into()), function: Some("pay-fn".into()), ..CauseSample::default() };
    let cause =
        CauseCount { kind: CauseKind::UnhandledException, count: errors_5xx, certain: 0, sample: Arc::new(sample) };
    EndpointSummary {
        api: ApiId(0),
        endpoint: Endpoint::new("GET", route).into(),
        count,
        errors_5xx,
        p50_ms: Some(20),
        p95_ms: Some(u32::try_from(count).unwrap_or(u32::MAX)),
        p99_ms: None,
        cause: (errors_5xx > 0).then_some(cause),
    }
}

fn source(kind: SourceKind, read_to: Option<Timestamp>, trouble: Option<Problem>) -> SourceReport {
    let trouble = trouble.map(|problem| Trouble { problem, said: "not you".into(), since: at(0) });
    SourceReport {
        name: "/aws/apigateway/shop".into(),
        kind,
        apis: vec![ApiId(0)],
        region: None,
        role: None,
        reading: Reading { read_to, trouble: trouble.clone() },
        events: 0,
        unread: Vec::new(),
        own_lines: 0,
        tried: read_to.is_some() || trouble.is_some(),
    }
}

fn alert(endpoint: Option<&str>, severity: Severity) -> Alert {
    let subject = endpoint.map_or(Subject::Api, |route| Subject::Endpoint(Endpoint::new("GET", route).into()));
    Alert {
        episode: format!("{subject}").into(),
        key: AlertKey { rule: "endpoint-5xx".into(), api: ApiId(0), subject },
        state: AlertState::Firing,
        severity,
        worst: severity,
        measure: Measure::Failures,
        value: 0.5,
        threshold: 0.01,
        errors: 5,
        requests: 10,
        window: WINDOW,
        time: at(0),
        since: at(-60),
        holds: true,
        causes: Vec::new(),
        flapping: false,
        endpoints: Vec::new(),
        before: None,
        blindness: None,
    }
}

fn report(endpoints: Vec<EndpointSummary>, firing: Vec<Alert>, sources: Vec<SourceReport>) -> Report {
    Report {
        now: at(0),
        started: at(-300),
        counted_since: at(-300),
        apis: Vec::new(),
        sources,
        unlisted: 0,
        discoveries: Vec::new(),
        summary: Some(Summary { endpoints, ..Summary::default() }),
        window: WINDOW,
        firing,
        dropped: Dropped::default(),
        joins: Vec::new(),
        calls: Vec::new(),
        turns: Turns::default(),
        sinks: Vec::new(),
        reloads: Reloads::default(),
    }
}

fn request(route: &str, n: i64, status: u16) -> Request {
    Request {
        api: ApiId(0),
        endpoint: Endpoint::new("GET", route).into(),
        status,
        start: Timestamp::from_millis(at(0).as_millis() + n),
        request_id: Some(format!("r-{n}").into()),
        lambda_request_id: None,
        response_latency_ms: None,
        integration_latency_ms: None,
        gateway: None,
    }
}

fn failure(route: &str, n: i64, text: &str) -> Failure {
    let cause = Cause {
        kind: CauseKind::LambdaTimeout,
        certainty: Certainty::Likely,
        error_type: None,
        message: Some(text.into()),
        join: Join::TimeWindow,
        candidates: 2,
    };
    let fix = Fix { text: text.to_owned(), command: Some(text.to_owned()) };
    let explanation = Explanation { cause, function: Some(text.into()), site: None, evidence: Vec::new(), fix };
    Failure {
        revision: 1,
        api: ApiId(0),
        endpoint: Endpoint::new("GET", route).into(),
        status: 502,
        time: request(route, n, 502).time(),
        request_id: Some(format!("r-{n}").into()),
        lambda_request_id: None,
        explanation: Arc::new(explanation),
    }
}

/// Three endpoints, two of which fail; four failures, two of them explained.
fn board() -> Board {
    let title = Title { api: "shop".to_owned(), region: "eu-west-1".to_owned(), stage: None };
    let mut board = Board::new(title, at(-300));
    for (n, route) in [(1, "/a"), (2, "/b"), (3, "/a"), (4, "/b")] {
        board.request(&request(route, n, 502), at(1));
    }
    board.failure(&failure("/a", 1, "first"), at(2));
    board.failure(&failure("/b", 2, "second"), at(2));
    board.report(of(&[("/a", 100, 2), ("/b", 50, 2), ("/c", 900, 0)]));
    board
}

fn of(rows: &[(&str, u64, u64)]) -> Report {
    let rows = rows.iter().map(|(route, count, errors)| row(route, *count, *errors)).collect();
    let firing = vec![alert(Some("/b"), Severity::High), alert(None, Severity::Elevated)];
    report(rows, firing, vec![source(SourceKind::Access(ApiId(0)), Some(at(0)), None)])
}

struct Sat {
    screen: Screen,
    board: Board,
}

impl Sat {
    fn down() -> Self {
        let mut screen = Screen::new(Paint(true));
        screen.resize(100, 28);
        Self { screen, board: board() }
    }

    fn press(&mut self, keys: &str) -> Action {
        let mut last = Action::None;
        for c in keys.chars() {
            let key = match c {
                '\n' => Key::Enter,
                '\t' => Key::Tab,
                '\u{1b}' => Key::Esc,
                '\u{8}' => Key::Backspace,
                c => Key::Char(c),
            };
            last = self.screen.key(key, &self.board, at(3));
        }
        last
    }

    fn lines(&self) -> Vec<String> {
        draw(&self.screen, &self.board, at(3)).0
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The rows that carry the mark of a picked one, by what stands behind it.
    fn picked(&self) -> Vec<String> {
        let rows = self.lines().into_iter().filter_map(|line| Some(line.strip_prefix('▸')?.trim_start().to_owned()));
        let names = ["endpoints", "failures", "alerts"];
        rows.filter(|row| !names.iter().any(|name| row.starts_with(name))).collect()
    }
}

fn draw(screen: &Screen, board: &Board, now: Timestamp) -> (Vec<String>, Buffer) {
    let area = screen.state.area;
    let mut buffer = Buffer::empty(area);
    screen.draw(&mut buffer, area, board, now);
    let lines = (0..area.height).map(|y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect()).collect();
    (lines, buffer)
}

#[test]
fn the_picked_row_stays_the_same_while_figures_move() {
    let mut sat = Sat::down();
    assert!(sat.picked()[1].starts_with("GET /a"), "the first one: {:?}", sat.picked());
    sat.press("jj");
    assert!(sat.picked()[1].starts_with("GET /c"));
    sat.board.report(of(&[("/a", 100, 0), ("/b", 50, 0), ("/c", 900, 50), ("/d", 1, 1)]));
    assert!(sat.picked()[1].starts_with("GET /c"), "it is the first now");
    sat.press("k");
    assert!(sat.picked()[1].starts_with("GET /c"), "there is nothing above");
    sat.press("j");
    assert!(sat.picked()[1].starts_with("GET /d"));
    // It is gone: what stands there takes its place.
    sat.board.report(of(&[("/a", 100, 9), ("/b", 50, 8), ("/c", 900, 7)]));
    assert!(sat.picked()[1].starts_with("GET /b"), "{:?}", sat.picked());
    sat.press("g");
    sat.board.report(of(&[("/x", 100, 99)]));
    assert!(sat.picked()[1].starts_with("GET /x"), "the top is the top, whichever it is");
}

#[test]
fn at_the_top_the_newest_failure_is_picked_and_elsewhere_the_same() {
    let mut sat = Sat::down();
    sat.press("\t");
    let newest = |sat: &Sat| sat.screen.state.picked_failure(&sat.board).unwrap().1.request_id.clone().unwrap();
    assert_eq!(&*newest(&sat), "r-4");
    sat.board.request(&request("/a", 5, 502), at(3));
    assert_eq!(&*newest(&sat), "r-5");
    sat.press("j");
    assert_eq!(&*newest(&sat), "r-4");
    sat.board.request(&request("/a", 6, 502), at(3));
    assert_eq!(&*newest(&sat), "r-4");
    sat.press("G");
    assert_eq!(&*newest(&sat), "r-1");
    sat.press("g");
    assert_eq!(&*newest(&sat), "r-6");
}

#[test]
fn s_goes_through_the_columns_and_capital_s_turns_round() {
    let mut sat = Sat::down();
    let routes = |sat: &Sat| {
        sat.screen.state.wanted.endpoints(&sat.board).iter().map(|e| e.endpoint.route.to_string()).collect::<String>()
    };
    let mut seen = Vec::new();
    for _ in rows::Column::ALL {
        let one = routes(&sat);
        sat.press("S");
        seen.push((one, routes(&sat)));
        sat.press("s");
    }
    let seen: Vec<_> = seen.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(seen[0], ("/a/b/c", "/c/a/b"), "failures; equal ones by requests");
    assert_eq!(seen[1], ("/b/a/c", "/c/a/b"), "share");
    assert_eq!(seen[2], ("/c/a/b", "/b/a/c"), "requests");
    assert_eq!(seen[4], ("/c/a/b", "/b/a/c"), "p95");
    assert_eq!(seen[6], ("/a/b/c", "/c/b/a"), "name");
    assert_eq!(seen[7].0, "/a/b/c", "cause: none comes last");
    assert_eq!(routes(&sat), "/a/b/c", "and round");
    sat.press("s");
    assert!(sat.text().contains("by 5xx % down"));
    sat.press("S");
    assert!(sat.text().contains("by 5xx % up"));
}

#[test]
fn the_filter_takes_endpoints_causes_functions_and_ids_and_esc_drops_it() {
    for (filter, endpoints, failures) in [
        ("/b", 1, 2),
        ("get /A", 1, 2),
        ("typeerror", 2, 0),
        ("Lambda Timeout", 0, 2),
        ("second", 0, 1),
        ("r-3", 0, 1),
        ("pay-fn", 2, 0),
        ("no such", 0, 0),
    ] {
        let mut sat = Sat::down();
        sat.press("/");
        sat.press(filter);
        assert!(sat.text().contains(&format!(" /{filter}▏")), "it is seen as it is typed");
        let wanted = &sat.screen.state.wanted;
        assert_eq!(
            (wanted.endpoints(&sat.board).len(), wanted.failures(&sat.board).len()),
            (endpoints, failures),
            "{filter}"
        );
        sat.press("\n");
        assert!(sat.text().contains(&format!("filter {filter}")));
        assert_eq!(sat.press("q"), Action::Quit, "keys are keys again");
        sat.press("\u{1b}");
        assert_eq!(sat.screen.state.wanted.failures(&sat.board).len(), 4);
    }
    let mut sat = Sat::down();
    sat.press("/ab\u{8}\u{8}");
    assert!(sat.screen.state.typing.is_some() && sat.screen.state.wanted.filter.is_empty());
    sat.press("\u{8}");
    assert!(sat.screen.state.typing.is_none());
    sat.press(&format!("/{}", "x".repeat(5000)));
    assert_eq!(sat.screen.state.wanted.filter.len(), 100);
    assert_eq!(sat.press("q"), Action::None, "it is part of the filter");
    assert_eq!(sat.screen.key(Key::Ctrl('c'), &sat.board, at(3)), Action::Quit, "always");
}

#[test]
fn enter_leads_from_endpoints_and_alerts_to_their_failures_and_from_those_to_details() {
    let mut sat = Sat::down();
    sat.press("j\n");
    assert!(sat.text().contains("filter GET /b") && sat.text().contains("failures 2 of 4"), "{}", sat.text());
    sat.press("\n");
    let text = sat.text();
    assert!(text.contains("not known yet: waits for its Lambda lines") && text.contains("r-4"), "{text}");
    // It is explained while one looks at it.
    sat.board.failure(&failure("/b", 4, "it was this"), at(4));
    let text = sat.text();
    assert!(text.contains("lambda timeout in it was this") && text.contains("time window of 2 that came"), "{text}");
    // And it stays there when it is long forgotten.
    for n in 100..2000 {
        sat.board.request(&request("/a", n, 502), at(5));
    }
    assert!(sat.text().contains("r-4"));
    sat.press("\u{1b}\u{1b}\t\t\t");
    assert_eq!(sat.screen.state.pane, state::Pane::Failures);
    sat.press("\t\n");
    assert!(sat.text().contains("filter GET /b"), "the worst alert is that of /b: {}", sat.text());
    sat.press("\u{1b}\tj\n");
    assert!(sat.screen.state.wanted.filter.is_empty(), "of the whole API all of them");
}

#[test]
fn only_errors_leaves_out_what_is_well() {
    let mut sat = Sat::down();
    assert!(sat.text().contains("GET /c"));
    sat.press("e");
    assert!(
        !sat.text().contains("GET /c") && sat.text().contains("endpoints 2 of 3") && sat.text().contains("only errors")
    );
    sat.board.report(of(&[("/c", 900, 0)]));
    assert!(sat.text().contains("none of 1 endpoints fails"));
}

#[test]
fn paused_the_display_stands_and_says_how_much_is_new() {
    let mut sat = Sat::down();
    sat.press("p");
    let before = sat.lines();
    for n in 100..110 {
        sat.board.request(&request("/a", n, if n < 103 { 502 } else { 200 }), at(9));
    }
    sat.board.report(of(&[("/new", 1, 1)]));
    let (after, _) = draw(&sat.screen, &sat.board, at(900));
    assert_eq!(before[..27], after[..27], "time too");
    assert!(after[27].starts_with(" PAUSED: 10 requests, 3 failures since"), "{}", after[27]);
    sat.press("\tj");
    assert_ne!(draw(&sat.screen, &sat.board, at(900)).0[..27], after[..27], "one can still move");
    sat.press("p");
    assert!(sat.text().contains("GET /new") && !sat.text().contains("PAUSED"));
}

#[test]
fn what_was_said_is_seen_and_can_be_read_again() {
    let mut sat = Sat::down();
    for n in 0..500 {
        sat.board.note(at(3), &format!("warning number {n}\u{1b}[2J"), true);
    }
    sat.board.note(at(3), "warning number 499\u{1b}[2J", true);
    assert!(sat.lines()[27].contains("warning number 499 [2J"));
    let (later, _) = draw(&sat.screen, &sat.board, at(60));
    assert!(later[27].contains("q quit"));
    sat.press("m");
    assert!(
        sat.text().contains("said 200")
            && sat.text().contains("warning number 499")
            && sat.text().contains("warning number 480")
    );
    sat.press("?");
    assert!(sat.text().contains("shift-tab goes back") && sat.text().contains("bars: 10 s each"));
    sat.press("?");
    assert!(sat.text().contains("GET /a"));
}

#[test]
fn no_traffic_and_no_sight_never_look_alike() {
    let shown = |read_to: Option<Timestamp>, trouble| {
        let mut board = Board::new(Title { api: "shop".to_owned(), ..Title::default() }, at(-300));
        board.report(report(Vec::new(), Vec::new(), vec![source(SourceKind::Access(ApiId(0)), read_to, trouble)]));
        let mut screen = Screen::new(Paint(false));
        screen.resize(80, 24);
        draw(&screen, &board, at(300)).0.join("\n")
    };
    let quiet = shown(Some(at(299)), None);
    assert!(quiet.contains("no requests in the last 5m: the logs are read, there were none"), "{quiet}");
    assert!(quiet.contains("▁▁▁▁") && !quiet.contains("??") && quiet.contains("no alerts"), "{quiet}");
    let behind = shown(Some(at(0)), None);
    assert!(
        behind.contains("no request is known") && behind.contains("????") && behind.contains("NOT READ"),
        "{behind}"
    );
    let denied = shown(Some(at(0)), Some(Problem::Denied));
    assert!(denied.contains("NOT READ 1 of 1: /aws/apigateway/shop (access denied)"), "{denied}");
    let never = shown(None, Some(Problem::Denied));
    assert!(never.contains("no request is known") && never.contains("????"), "{never}");
    let beginning = shown(None, None);
    assert!(beginning.contains("logs 0 of 1 ─ reading what came since") && !beginning.contains("????"), "{beginning}");
}

#[test]
fn without_colours_there_are_none_and_signs_say_the_same() {
    let mut plain = Sat::down();
    let coloured = draw(&plain.screen, &plain.board, at(3));
    plain.screen = Screen::new(Paint(false));
    plain.screen.resize(100, 28);
    let bare = draw(&plain.screen, &plain.board, at(3));
    let has_colour = |buffer: &Buffer| buffer.content().iter().any(|c| c.fg != Color::Reset || c.bg != Color::Reset);
    assert!(has_colour(&coloured.1) && !has_colour(&bare.1));
    assert_eq!(coloured.0, bare.0);
}

#[test]
fn a_tiny_terminal_is_told() {
    let mut screen = Screen::new(Paint(true));
    screen.resize(30, 5);
    let text = draw(&screen, &board(), at(3)).0.concat();
    assert!(text.contains("30x5 is too small: gatewatch") && text.contains("needs 40x12"), "{text}");
}

/// An hour of 2,000 requests a second is as big as a minute of it.
#[test]
fn a_million_requests_and_failures_leave_no_more_than_a_few() {
    let mut board = board();
    let text = "x".repeat(200);
    for n in 0..1_000_000 {
        let now = at(n / 2000);
        let status = if n % 3 == 0 { 502 } else { 200 };
        let mut one = request("/a", n, status);
        one.start = now;
        board.request(&one, now);
        if status == 502 && n % 6 == 0 {
            board.failure(&Failure { time: now, ..failure("/a", n, &text) }, now);
        }
        board.note(now, &n.to_string(), false);
    }
    assert_eq!((board.requests(), board.latest().len(), board.notes().len()), (1_000_004, failed::FAILED_MAX, 200));
    assert!(board.rhythm().last(u16::MAX, at(499)).filter(|(_, beat)| beat.is_some()).count() <= 360);
}

fn any_key() -> impl Strategy<Value = Key> {
    let fixed = [
        Key::Up,
        Key::Down,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Tab,
        Key::BackTab,
        Key::Enter,
        Key::Esc,
        Key::Backspace,
        Key::Ctrl('u'),
        Key::Ctrl('w'),
        Key::Ctrl('l'),
    ];
    prop_oneof![
        3 => prop::sample::select(fixed.to_vec()),
        3 => prop::sample::select("jkgGsSepm?/ abr-".chars().collect::<Vec<_>>()).prop_map(Key::Char),
        1 => any::<char>().prop_map(Key::Char),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Any size, any keys, any text, any times: it never panics, and draws nowhere but in its own cells.
    #[test]
    fn no_size_and_no_key_is_too_much(
        sizes in prop::collection::vec((0_u16..200, 0_u16..200), 1..4),
        keys in prop::collection::vec(any_key(), 0..40),
        texts in prop::collection::vec(".{0,80}", 0..6),
        rows in 0_u64..40,
        now in prop::sample::select(vec![at(3), at(-9000), at(9_000_000), Timestamp::MIN, Timestamp::MAX]),
    ) {
        let mut board = board();
        for (n, text) in (0..).zip(&texts) {
            board.request(&request(text, n, 503), now);
            board.failure(&failure(text, n, text), now);
            board.note(now, text, n % 2 == 0);
        }
        let routes: Vec<_> = (0..rows).map(|n| row(&format!("/{n}{}", texts.first().map_or("", String::as_str)), n * 1_000_000_007, n)).collect();
        let firing = texts.iter().map(|text| alert(Some(text), Severity::Critical)).collect();
        let trouble = if rows % 2 == 0 { None } else { Some(Problem::Denied) };
        let read_to = if rows % 3 == 0 { None } else { Some(now) };
        board.report(report(routes, firing, vec![source(SourceKind::Access(ApiId(0)), read_to, trouble)]));
        let mut screen = Screen::new(Paint(true));
        for (width, height) in sizes {
            screen.resize(width, height);
            for key in &keys {
                screen.key(*key, &board, now);
            }
            let whole = Rect::new(0, 0, width + 4, height + 2);
            let mut buffer = Buffer::empty(whole);
            screen.draw(&mut buffer, Rect::new(2, 1, width, height), &board, now);
            let outside = |x: u16, y: u16| x < 2 || y < 1 || x >= width + 2 || y > height;
            for y in 0..whole.height {
                for x in 0..whole.width {
                    prop_assert!(!outside(x, y) || buffer[(x, y)].symbol() == " ", "{x} {y}");
                }
            }
        }
    }
}
