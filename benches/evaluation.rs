//! Milliseconds of one step of the rules over 5,000 endpoints of one API, when all is well and when all of it fails.
//!
//! A step is what happens each 10 s of event time: the rules look at every endpoint, alerts are built with their causes
//! and samples, and what is said to one sink is planned. Taking requests in and explaining failures is not timed.
//! Rule: a step that did not look at all endpoints, or did not have the alerts that it should, has no figure.
//!
//! Run by hand: `cargo bench --bench evaluation`; it takes half a minute.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench tells its figures")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use gatewatch::engine::{Engine, Output, Settings};
use gatewatch::model::alert::State;
use gatewatch::model::event::Fact;
use gatewatch::model::inventory::{Api, ApiId, Inventory, Source, SourceId, SourceKind};
use gatewatch::model::request::{Endpoint, GatewayWords, Request};
use gatewatch::model::time::Timestamp;
use gatewatch::notify::audience::Audience;
use gatewatch::notify::message::{Digest, Message};
use gatewatch::notify::plan;
use gatewatch::notify::plans::{Moment, Planning, Plans};

/// Endpoints of the API: as many as can be configured to be kept apart.
const ENDPOINTS: usize = 5_000;
/// Requests of each in a slot: two a slot are 12 a minute.
const PER_SLOT: usize = 2;
/// Steps before the fault, which fill the longest window (30 minutes), and steps of the fault.
const WELL: usize = 200;
const FAILING: usize = 60;
const SLOT_MS: usize = 10_000;
const ACCESS: SourceId = SourceId(0);
/// What a step may cost.
const TARGET: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    // `cargo test --all-targets` starts benches without `--bench`; a debug build has nothing to say here.
    if !std::env::args().any(|a| a == "--bench") {
        println!("evaluation: run by hand with `cargo bench --bench evaluation`");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("evaluation: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// What fails, and how: each endpoint in each slot for both of its reasons.
const FAULTS: [(&str, [(u16, &str); 2]); 2] = [
    ("all of it fails", [(502, MALFORMED), (500, "Lambda invocation failed with status: 429")]),
    ("half times out", [(502, MALFORMED), (504, "Execution failed due to a timeout error")]),
];
const MALFORMED: &str = "Execution failed due to configuration error: Malformed Lambda proxy response";

/// How long steps took.
#[derive(Default)]
struct Took {
    well: Vec<Duration>,
    failing: Vec<Duration>,
    /// The plan alone, of a sink that hears of endpoints and not of the API: all of them join a digest.
    joining: Vec<Duration>,
}

fn run() -> Result<bool> {
    println!("{ENDPOINTS} endpoints, {} requests a minute each; one step and its plan for one sink:", PER_SLOT * 6);
    let mut worst = Duration::ZERO;
    for (what, faults) in FAULTS {
        let mut took = steps(faults)?;
        worst = worst.max(tell("all is well", &mut took.well));
        worst = worst.max(tell(what, &mut took.failing));
        worst = worst.max(tell("  a digest of all", &mut took.joining));
    }
    let met = worst < TARGET;
    println!("target: {} ms: {}", TARGET.as_millis(), if met { "met" } else { "MISSED" });
    Ok(met)
}

fn steps(faults: [(u16, &str); PER_SLOT]) -> Result<Took> {
    let access = Source::group("/access", None, SourceKind::Access(ApiId(0)));
    let inventory = Arc::new(Inventory { apis: vec![Api::plain("shop")], sources: vec![access] });
    let settings = Settings {
        max_endpoints: ENDPOINTS,
        max_cases: 1_000_000,
        blind_after: Duration::MAX,
        source_blind: None,
        ..Settings::new(Arc::clone(&inventory))
    };
    let mut engine = Engine::new(settings);
    let mut plans = Plans::new(&plan::Settings::default().into(), &inventory);
    let of_endpoints = Audience { rules: Some(vec!["endpoint-5xx".into()]), ..Audience::of_all("endpoints") };
    let planning = Planning { settings: Arc::default(), audiences: vec![of_endpoints] };
    let mut crowd = Plans::new(&planning, &inventory);
    let endpoint = |n| Arc::new(Endpoint::new("POST", &format!("/shop/v1/resource-{n}/{{id}}")));
    let endpoints: Vec<_> = (0..ENDPOINTS).map(endpoint).collect();
    engine.seal(ACCESS, at(0));
    let (mut took, mut alerts, mut causes, mut digests) = (Took::default(), 0, 0, 0);
    for step in 1..=WELL + FAILING {
        let fails = step > WELL;
        for endpoint in &endpoints {
            for (n, fault) in faults.iter().enumerate() {
                let fault = fails.then_some(*fault);
                let fact = Fact::Request(request(endpoint, at(step * SLOT_MS - 9_000 + n * 4_000), fault));
                engine.ingest(ACCESS, fact, at(step * SLOT_MS));
            }
        }
        engine.tick(at(step * SLOT_MS));
        engine.drain();
        let began = Instant::now();
        engine.seal(ACCESS, at(step * SLOT_MS));
        let outputs = engine.drain();
        for output in &outputs {
            if let Output::Looked { api, at, alerts: all } = output {
                std::hint::black_box(plans.step(Moment::Looked { api: *api, alerts: all }, *at));
            }
        }
        if fails { &mut took.failing } else { &mut took.well }.push(began.elapsed());
        ensure!(outputs.len() == 1, "step {step} has {} outputs", outputs.len());
        for output in &outputs {
            if let Output::Looked { api, at, alerts: all } = output {
                alerts = all.iter().filter(|alert| alert.state == State::Firing).count();
                causes = all.iter().map(|alert| alert.causes.len()).max().unwrap_or(0);
                let began = Instant::now();
                let said = crowd.step(Moment::Looked { api: *api, alerts: all }, *at);
                if fails {
                    took.joining.push(began.elapsed());
                }
                let is_whole = |digest: &Digest| digest.firing == ENDPOINTS;
                digests += said.iter().filter(|(_, m)| matches!(m, Message::Digest(d) if is_whole(d))).count();
            }
        }
        ensure!(fails || alerts == 0, "{alerts} alerts while all is well");
    }
    ensure!(alerts > ENDPOINTS, "at the end {alerts} alerts fire, and not one for each endpoint and one for the API");
    ensure!(causes == PER_SLOT, "an alert has {causes} causes");
    ensure!(digests > 0, "no digest of all endpoints was said");
    Ok(took)
}

/// Says median and 99th percentile, and returns that.
fn tell(what: &str, took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    let (median, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!("{what:<18} median {:6.2} ms   p99 {:6.2} ms   {} steps", ms(median), ms(p99), took.len());
    p99
}

fn at(ms: usize) -> Timestamp {
    // 2026-11-22T14:00:00Z.
    Timestamp::from_millis(1_795_356_000_000 + i64::try_from(ms).unwrap_or(i64::MAX))
}

/// The gateway's own words explain each failure.
fn request(endpoint: &Arc<Endpoint>, start: Timestamp, fault: Option<(u16, &str)>) -> Request {
    let words =
        |(_, said): (u16, &str)| GatewayWords { integration_error: Some(said.to_owned()), ..GatewayWords::default() };
    Request {
        api: ApiId(0),
        endpoint: Arc::clone(endpoint),
        status: fault.map_or(200, |(status, _)| status),
        start,
        request_id: None,
        lambda_request_id: None,
        response_latency_ms: None,
        integration_latency_ms: None,
        gateway: fault.map(|fault| Box::new(words(fault))),
    }
}
