//! What a frame of the full screen costs while much happens: 2,000 requests a second over 1,000 endpoints, some of them
//! failing, at 160x48.
//!
//! Not a terminal: cells are turned into the bytes that one would get, and those are counted and dropped. Each frame is
//! what a key leads to: the key, rows filtered and sorted, cells filled, differences sent. Rule: what misses its target
//! is told as missed.
//!
//! Run by hand: `cargo bench --bench screen`. It needs Linux (`/proc`).

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

mod common {
    pub mod proc;
}

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatewatch::engine::window::SLOT;
use gatewatch::engine::{Engine, Settings};
use gatewatch::model::cause::{Cause, CauseKind, Certainty, Evidence, Explanation, Failure, Fix, Join};
use gatewatch::model::dropped::Dropped;
use gatewatch::model::event::Fact;
use gatewatch::model::inventory::{Api, ApiId, Inventory, Source, SourceId, SourceKind};
use gatewatch::model::report::{Reading, Reloads, Report, SourceReport, Turns};
use gatewatch::model::request::{Endpoint, Request};
use gatewatch::model::time::Timestamp;
use gatewatch::view::Paint;
use gatewatch::view::screen::{Board, Key, Screen, Title};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use common::proc;

const SIZE: Rect = Rect::new(0, 0, 160, 48);
const ENDPOINTS: u32 = 1000;
const RATE: u32 = 2000;
/// Seconds of traffic, and frames for each of them.
const SECONDS: u32 = 300;
const FRAMES: u32 = 10;
/// One request in so many fails.
const FAILING: u32 = 20;

const FRAME_MAX: Duration = Duration::from_millis(16);
/// How much memory may have grown over the last half of the run.
const GROWTH_MAX_KB: u64 = 2048;

fn main() -> ExitCode {
    if !std::env::args().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` starts benches without `--bench`; a debug build has nothing to say here.
        println!("screen: run by hand with `cargo bench --bench screen`");
        return ExitCode::SUCCESS;
    }
    if measure() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes what a terminal would get.
#[derive(Clone, Default)]
struct Sink(Arc<AtomicU64>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn begin() -> Timestamp {
    Timestamp::from_millis(1_795_338_000_000)
}

fn measure() -> bool {
    let mut inventory = Inventory { apis: vec![Api::plain("shop")], sources: Vec::new() };
    inventory.add_source_of(ApiId(0), Source::group("/aws/apigateway/shop", None, SourceKind::Access(ApiId(0))));
    let mut engine = Engine::new(Settings::new(Arc::new(inventory)));
    let endpoints: Vec<_> =
        (0..ENDPOINTS).map(|n| Arc::new(Endpoint::new("GET", &format!("/orders/{{id}}/items/{n}")))).collect();
    let title = Title { api: "shop".to_owned(), region: "eu-west-1".to_owned(), stage: Some("prod".to_owned()) };
    let mut board = Board::new(title, begin());
    let mut screen = Screen::new(Paint(true));
    screen.resize(SIZE.width, SIZE.height);
    let options = TerminalOptions { viewport: Viewport::Fixed(SIZE) };
    let sink = Sink::default();
    let mut terminal =
        Terminal::with_options(CrosstermBackend::new(sink.clone()), options).expect("a sink is always there");
    let (mut frames, mut filtered, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    let mut half_kb = 0;
    let mut n = 0_u32;
    for second in 0..SECONDS {
        for _ in 0..RATE {
            let now = begin().plus(Duration::from_micros(u64::from(n) * 1_000_000 / u64::from(RATE)));
            let request = request(&endpoints, n, now);
            board.request(&request, now);
            engine.ingest(SourceId(0), Fact::Request(request.clone()), now);
            if request.is_failure() {
                board.failure(&failure(&request, now), now);
            }
            n += 1;
        }
        let now = begin().plus(Duration::from_secs(u64::from(second) + 1));
        engine.seal(SourceId(0), now);
        engine.tick(now);
        engine.drain();
        let watch = Instant::now();
        let report = report(&engine, now);
        reports.push(watch.elapsed());
        board.report(report);
        for frame in 0..FRAMES {
            // Keys as somebody in a hurry presses them; half of the time with a filter.
            let key = match frame {
                0 => Key::Char(if second % 2 == 0 { 's' } else { 'S' }),
                1 => Key::Tab,
                _ => Key::Down,
            };
            let watch = Instant::now();
            screen.key(key, &board, now);
            terminal.draw(|frame| screen.draw(frame.buffer_mut(), SIZE, &board, now)).expect("a sink takes everything");
            let took = watch.elapsed();
            if second * 2 < SECONDS { frames.push(took) } else { filtered.push(took) }
        }
        if second == SECONDS / 2 {
            half_kb = proc::resident_kb("self").unwrap_or(0);
            // All rows are looked at for it.
            for c in "/items/9".chars() {
                screen.key(Key::Char(c), &board, now);
            }
            screen.key(Key::Enter, &board, now);
        }
    }
    let grown = proc::resident_kb("self").unwrap_or(0).saturating_sub(half_kb);
    let sent = sink.0.load(Ordering::Relaxed) / u64::from(SECONDS * FRAMES);
    println!(
        "{ENDPOINTS} endpoints, {RATE} requests/s, {} failures/s, {}x{}:",
        RATE / FAILING,
        SIZE.width,
        SIZE.height
    );
    let good = [show("frame", frames), show("frame with a filter", filtered)];
    show("report of the engine", reports);
    println!("bytes sent per frame: {sent}");
    println!(
        "memory grown from {} to {SECONDS} s of traffic: {grown} KiB (target {GROWTH_MAX_KB}){}",
        SECONDS / 2,
        missed(grown <= GROWTH_MAX_KB)
    );
    good.iter().all(|good| *good) && grown <= GROWTH_MAX_KB
}

fn show(what: &str, mut took: Vec<Duration>) -> bool {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    let good = at(99) < FRAME_MAX;
    println!(
        "{what}: median {:.2?}, p99 {:.2?}, longest {:.2?} (target p99 {FRAME_MAX:?}){}",
        at(50),
        at(99),
        at(100),
        missed(good)
    );
    good
}

const fn missed(good: bool) -> &'static str {
    if good { "" } else { "  MISSED" }
}

fn request(endpoints: &[Arc<Endpoint>], n: u32, now: Timestamp) -> Request {
    // Uneven, as endpoints are.
    let spread = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let at = usize::try_from(spread % u64::from(ENDPOINTS)).expect("there are few endpoints");
    let fails = n % FAILING == 0;
    let latency = 20 + u32::try_from(spread % 300).expect("it is below 300");
    Request {
        api: ApiId(0),
        endpoint: Arc::clone(&endpoints[at]),
        status: if fails { 502 } else { 200 },
        start: now.minus(Duration::from_millis(u64::from(latency))),
        request_id: Some(format!("3649c01e-0cd9-4d2a-b815-{n:012x}").into()),
        lambda_request_id: Some(format!("52d727a9-5ae8-4e24-ada9-{n:012x}").into()),
        response_latency_ms: Some(latency),
        integration_latency_ms: Some(latency - 5),
        gateway: None,
    }
}

fn failure(request: &Request, now: Timestamp) -> Failure {
    let cause = Cause {
        kind: CauseKind::UnhandledException,
        certainty: Certainty::Certain,
        error_type: Some("TypeError".into()),
        message: Some("Cannot read properties of undefined (reading 'items')".into()),
        join: Join::IntegrationRequestId,
        candidates: 1,
    };
    let line = Evidence {
        time: now,
        source: "/aws/lambda/checkout-fn".into(),
        stream: "2026/11/23/[42]e25db502baf1f3f87aa9b6f623b5248e".into(),
        text: "TypeError: Cannot read properties of undefined ".repeat(8).into(),
    };
    let fix = Fix { text: "Check the input at the top of the handler. ".repeat(5), command: None };
    let function = Some("checkout-fn".into());
    Failure {
        revision: 1,
        api: ApiId(0),
        endpoint: Arc::clone(&request.endpoint),
        status: request.status,
        time: request.time(),
        request_id: request.request_id.as_deref().map(Into::into),
        lambda_request_id: request.lambda_request_id.as_deref().map(Into::into),
        explanation: Arc::new(Explanation { cause, function, site: None, evidence: vec![line; 5], fix }),
    }
}

fn report(engine: &Engine, now: Timestamp) -> Report {
    let source = SourceReport {
        name: "/aws/apigateway/shop".into(),
        kind: SourceKind::Access(ApiId(0)),
        apis: vec![ApiId(0)],
        region: None,
        role: None,
        reading: Reading { read_to: Some(now), trouble: None },
        events: 0,
        unread: Vec::new(),
        own_lines: 0,
        tried: true,
    };
    Report {
        now,
        started: begin(),
        counted_since: begin(),
        apis: Vec::new(),
        sources: vec![source],
        unlisted: 0,
        discoveries: Vec::new(),
        summary: Some(engine.snapshot(now.floor(SLOT).plus(SLOT))),
        window: engine.window(),
        firing: Vec::new(),
        dropped: Dropped::default(),
        joins: Vec::new(),
        calls: Vec::new(),
        turns: Turns::default(),
        sinks: Vec::new(),
        reloads: Reloads::default(),
    }
}
