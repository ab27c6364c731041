//! Milliseconds of one step of the rules over 5,000 endpoints of one API, when all is well and when all of it fails.
//!
//! A step is what happens each 10 s of event time: the rules look at every endpoint, alerts are built with their causes
//! and samples, and what is said to one sink is planned. Taking requests in and explaining failures is not timed.
//! Rule: a step that did not look at all endpoints, or did not have the alerts that it should, has no figure.
//!
//! Run by hand: `cargo bench --bench evaluation`; it takes some seconds.

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
use gatewatch::notify::plan;
use gatewatch::notify::plans::{Moment, Plans};

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

fn run() -> Result<bool> {
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
    let endpoint = |n| Arc::new(Endpoint::new("POST", &format!("/shop/v1/resource-{n}/{{id}}")));
    let endpoints: Vec<_> = (0..ENDPOINTS).map(endpoint).collect();
    engine.seal(ACCESS, at(0));
    let (mut well, mut failing, mut alerts) = (Vec::new(), Vec::new(), 0);
    for step in 1..=WELL + FAILING {
        let fails = step > WELL;
        for endpoint in &endpoints {
            for n in 0..PER_SLOT {
                let fact = Fact::Request(request(endpoint, at(step * SLOT_MS - 9_000 + n * 4_000), fails));
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
                alerts = all.iter().filter(|alert| alert.state == State::Firing).count();
                std::hint::black_box(plans.step(Moment::Looked { api: *api, alerts: all }, *at));
            }
        }
        let took = began.elapsed();
        if fails {
            failing.push(took);
        } else {
            well.push(took);
        }
        ensure!(outputs.len() == 1, "step {step} has {} outputs", outputs.len());
        ensure!(fails || alerts == 0, "{alerts} alerts while all is well");
    }
    ensure!(alerts > ENDPOINTS, "at the end {alerts} alerts fire, and not one for each endpoint and one for the API");
    println!("{ENDPOINTS} endpoints, {} requests a minute each; one step and its plan for one sink:", PER_SLOT * 6);
    let healthy = tell("all is well", &mut well);
    let storm = tell("all of it fails", &mut failing);
    let met = healthy.max(storm) < TARGET;
    println!("target: {} ms: {}", TARGET.as_millis(), if met { "met" } else { "MISSED" });
    Ok(met)
}

/// Says median and 99th percentile, and returns that.
fn tell(what: &str, took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    let (median, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!("{what:<16} median {:6.2} ms   p99 {:6.2} ms   {} steps", ms(median), ms(p99), took.len());
    p99
}

fn at(ms: usize) -> Timestamp {
    // 2026-11-22T14:00:00Z.
    Timestamp::from_millis(1_795_356_000_000 + i64::try_from(ms).unwrap_or(i64::MAX))
}

/// The gateway's own words explain each failure.
fn request(endpoint: &Arc<Endpoint>, start: Timestamp, fails: bool) -> Request {
    let integration_error =
        Some("Execution failed due to configuration error: Malformed Lambda proxy response".to_owned());
    Request {
        api: ApiId(0),
        endpoint: Arc::clone(endpoint),
        status: if fails { 502 } else { 200 },
        start,
        request_id: None,
        lambda_request_id: None,
        response_latency_ms: None,
        integration_latency_ms: None,
        gateway: fails.then(|| Box::new(GatewayWords { integration_error, ..GatewayWords::default() })),
    }
}
