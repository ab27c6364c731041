//! CPU per event of gatewatch's whole path, as a ratio to a bare SDK loop that only counts events.
//!
//! Both sides read the same full pages over loopback HTTP from a simulation in a process of its own, each side in a
//! process of its own too, so that a process's CPU is one side's CPU. *Bare* is the SDK client that gatewatch
//! configures, following page tokens and counting events. *Whole* is the daemon itself: fetch, ids, reading, counting,
//! joining failures to Lambda lines, rules. Not a measure of wall time, of the simulation or of sinks (there are none),
//! and not of the steady state, where most events of a page were seen before: every read here begins with no ids known.
//! Rule: a side that did not see exactly what was put in gives no figure but an error.
//!
//! Run by hand: `cargo bench --bench first_light`. It needs Linux (`/proc`) and ends by itself in less than two minutes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench tells its figures, and its parts each other")]

mod common {
    pub mod access;
    pub mod proc;
    pub mod spread;
}

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use common::access::{Line, hash, uuid};
use common::proc;
use common::spread::spread;
use gatewatch::aws::clients::Clients;
use gatewatch::config::{Config, PollConfig};
use gatewatch::model::alert::Measure;
use gatewatch::model::alert::Subject;
use gatewatch::model::cause::{CauseKind, Certainty, Join};
use gatewatch::model::time::Timestamp;
use gatewatch::ops::clock::Clock;
use gatewatch::run::daemon;
use gatewatch::run::pipeline::Said;
use gatewatch::sim::Sim;
use gatewatch::tail::pace::Interval;

const REGION: &str = "eu-west-1";
const API: &str = "shop";
const ACCESS_GROUP: &str = "/aws/apigateway/shop-prod";
const LAMBDA_GROUP: &str = "/aws/lambda/shop-fn";

/// Requests, one access line each.
const REQUESTS: u32 = 50_000;
/// One request of so many fails; the last one must.
const FAILS_EVERY: u32 = 100;
const FAILURES: u32 = REQUESTS / FAILS_EVERY;
/// What the requests are spread over. With [`AGE`] and the time a bench takes it must fit into the default window of
/// five minutes.
const SPAN: Duration = Duration::from_mins(2);
/// How long ago the last request began: longer than it takes, and then some whole slot of 10 s has passed, so that
/// the first look of the rules sees all requests.
const AGE: Duration = Duration::from_secs(20);
/// Environments of the function. An environment's turn comes again after 1.2 s, when its last run is over.
const STREAMS: u32 = 500;

/// Reads of the whole input in one run of a side, each with a client and a daemon of its own: enough for more than a
/// second of CPU, which `/proc` tells in steps of 10 ms.
const PASSES: u32 = 3;
/// Rounds of bare and whole that count; one more comes first and does not, because it finds everything cold. Many short
/// ones, because what else runs on a machine changes within seconds, and should change both sides of a round alike.
const ROUNDS: usize = 15;
/// No round is begun after this.
const ENOUGH: Duration = Duration::from_secs(85);
/// A run of a side takes some seconds, a pass of it one; what takes this long has lost something or came on a machine
/// that is too busy to measure on.
const RUN_MAX: Duration = Duration::from_secs(15);
const PASS_MAX: Duration = Duration::from_secs(8);
/// What the whole path may cost, as a multiple of the bare loop.
const TARGET: f64 = 1.5;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        ["serve"] => block_on(serve()),
        ["bare", endpoint, passes] => block_on(measured(endpoint, passes, bare)),
        ["whole", endpoint, passes] => block_on(measured(endpoint, passes, whole)),
        _ if args.contains(&"--bench") => compare(),
        // `cargo test --all-targets` starts benches without `--bench`; a debug build has nothing to say here.
        _ => {
            println!("first_light: run by hand with `cargo bench --bench first_light`");
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("first_light: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The same runtime on all sides.
fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}

// === The comparison ===

/// What one run of a side says of itself.
#[derive(Clone, Copy, Debug)]
struct Figures {
    events: u64,
    cpu: Duration,
    peak_kb: u64,
}

impl Figures {
    fn us_per_event(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / f64::from(u32::try_from(self.events).expect("a few millions"))
    }
}

fn compare() -> Result<()> {
    let began = Instant::now();
    let server = Server::start()?;
    let mut rounds = Vec::new();
    while rounds.len() <= ROUNDS && began.elapsed() < ENOUGH {
        rounds.push((side("bare", &server.endpoint)?, side("whole", &server.endpoint)?));
    }
    server.stop()?;
    ensure!(rounds.len() > 1, "too slow: {} s for one round", began.elapsed().as_secs());
    let measured = &rounds[1..];
    let per_event = |us: &dyn Fn(&(Figures, Figures)) -> f64| spread(measured.iter().map(us).collect());
    let peak_mb = |peak: &dyn Fn(&(Figures, Figures)) -> u64| measured.iter().map(peak).max().unwrap_or(0) / 1024;
    let ratio = per_event(&|(bare, whole)| whole.us_per_event() / bare.us_per_event());
    println!(
        "{REQUESTS} access and {} Lambda lines, read {PASSES} times by each side in each of {} rounds (+1 discarded)",
        lambda_lines(),
        measured.len(),
    );
    println!("{:<8}{:>30}{:>14}", "", "CPU us/event  median (range)", "peak RSS MB");
    println!("{:<8}{:>30}{:>14}", "bare", per_event(&|(bare, _)| bare.us_per_event()), peak_mb(&|(b, _)| b.peak_kb));
    println!("{:<8}{:>30}{:>14}", "whole", per_event(&|(_, whole)| whole.us_per_event()), peak_mb(&|(_, w)| w.peak_kb));
    println!("{:<8}{:>30}", "ratio", ratio);
    println!("target: at most {TARGET:.1}, {}", if ratio.median <= TARGET { "met" } else { "MISSED" });
    println!("again: cargo bench --bench first_light ({} s)", began.elapsed().as_secs());
    Ok(())
}

/// This binary again, with nothing of the environment that could lead the SDK elsewhere than to the simulation.
fn again(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("the bench does not know where it lies")?);
    command.args(args).env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
    Ok(command)
}

/// Runs one side to its end. It ends by itself, in [`RUN_MAX`] at most.
fn side(name: &str, endpoint: &str) -> Result<Figures> {
    let output = again(&[name, endpoint, &PASSES.to_string()])?
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("side {name} cannot be run"))?;
    ensure!(output.status.success(), "side {name} failed");
    let said = String::from_utf8(output.stdout)?;
    let numbers: Vec<u64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [events, cpu_ms, peak_kb] = numbers[..] else { bail!("side {name} said `{said}`") };
    Ok(Figures { events, cpu: Duration::from_millis(cpu_ms), peak_kb })
}

/// The simulation's process. It ends when its standard input does, and so never outlives this one.
struct Server {
    endpoint: String,
    process: Child,
    stdin: ChildStdin,
}

impl Server {
    fn start() -> Result<Self> {
        let mut process = again(&["serve"])?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = process.stdin.take().context("the pipe was asked for")?;
        let stdout = process.stdout.take().context("the pipe was asked for")?;
        let mut endpoint = String::new();
        BufReader::new(stdout).read_line(&mut endpoint)?;
        ensure!(!endpoint.is_empty(), "the simulation did not start");
        Ok(Self { endpoint: endpoint.trim_end().to_owned(), process, stdin })
    }

    fn stop(mut self) -> Result<()> {
        drop(self.stdin);
        ensure!(self.process.wait()?.success(), "the simulation failed");
        Ok(())
    }
}

// === The two sides ===

/// Runs a side and prints its figures. Making the clients does not count; it is the same for both.
async fn measured(endpoint: &str, passes: &str, side: impl AsyncFn(Clients) -> Result<()>) -> Result<()> {
    let mut all = Vec::new();
    for _ in 0..passes.parse().context("how often to read the input")? {
        all.push(Clients::simulated(endpoint, REGION).await);
    }
    let (mut events, before) = (0, own_cpu()?);
    let read = async {
        for clients in all {
            side(clients).await?;
            events += u64::from(REQUESTS + lambda_lines());
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(RUN_MAX, read).await.context("took too long")??;
    let cpu = own_cpu()?.saturating_sub(before);
    println!("{events} {} {}", cpu.as_millis(), proc::peak_kb("self")?);
    Ok(())
}

/// The bare loop: every page of both groups at the same time, as gatewatch does it, and nothing but counting.
async fn bare(clients: Clients) -> Result<()> {
    let mut groups = JoinSet::new();
    for (group, expected) in [(ACCESS_GROUP, REQUESTS), (LAMBDA_GROUP, lambda_lines())] {
        let client = clients.bare_logs(REGION);
        groups.spawn(async move {
            let from = Clock::wall().now().minus(Config::default().window).as_millis();
            let (mut count, mut token) = (0, None);
            loop {
                let call = client.filter_log_events().log_group_name(group).start_time(from).set_next_token(token);
                let page = call.send().await?;
                count += page.events().len();
                token = page.next_token;
                if token.is_none() {
                    break;
                }
            }
            ensure!(count == expected as usize, "{count} events were read of {group}, not {expected}");
            Ok(())
        });
    }
    while let Some(group) = groups.join_next().await {
        group??;
    }
    Ok(())
}

/// The daemon, until it has said what the whole input must make it say: that every request was counted is told by the
/// one message of the API's rule, which looks once the access log is read; that all Lambda lines were read by the
/// explanation of the last failure, which stands in the last of them.
async fn whole(clients: Clients) -> Result<()> {
    const MINUTES: Duration = Duration::from_mins(5);
    let mut config = Config {
        // One read of everything is what is compared; the next ones would begin in the middle of it.
        poll: PollConfig {
            interval: Interval { start: MINUTES, min: MINUTES, max: MINUTES },
            quota: Some(1000.0),
            ..PollConfig::default()
        },
        // What traffic this dense needs; the default holds less than a minute of it.
        max_invocations: 2 * REQUESTS as usize,
        sinks: Vec::new(),
        ..Config::ad_hoc(API, vec![ACCESS_GROUP.to_owned()], vec![LAMBDA_GROUP.to_owned()])
    };
    // Said at the first look, and by a share below that of the input.
    config.notify.group_wait = Duration::ZERO;
    config.rules.retain(|rule| rule.measure == Measure::Failures);
    config.rules.change(|rule| {
        rule.ladder.elevated = Some(0.5 / f64::from(FAILS_EVERY));
        rule.hold = Duration::ZERO;
    });
    let stop = CancellationToken::new();
    let mut counted = None;
    let mut explained = HashMap::new();
    let hear = |said: &Said| {
        match said {
            Said::Message { message, .. } if message.alert().is_some_and(|m| m.alert.key.subject == Subject::Api) => {
                counted = message.alert().map(|m| (m.alert.requests, m.alert.errors));
            }
            Said::Failure(failure) => {
                let cause = &failure.explanation.cause;
                if (cause.certainty, cause.join) == (Certainty::Certain, Join::IntegrationRequestId) {
                    explained.insert(failure.lambda_request_id.clone(), cause.kind);
                }
            }
            Said::Message { .. } | Said::Request(_) => {}
        }
        if counted.is_some() && explained.len() == FAILURES as usize {
            stop.cancel();
        }
    };
    let options = daemon::Options {
        clock: Clock::wall(),
        requests: false,
        state_dir: None,
        own: None,
        questions: None,
        reload: None,
        stop: stop.clone(),
    };
    let run = daemon::run(config, clients, options, hear);
    let outcome = tokio::time::timeout(PASS_MAX, run).await;
    let mut kinds = BTreeMap::new();
    for kind in explained.into_values() {
        *kinds.entry(kind).or_insert(0) += 1;
    }
    ensure!(
        counted == Some((u64::from(REQUESTS), u64::from(FAILURES))) && kinds == kinds_expected(),
        "counted {counted:?} requests and failures of {REQUESTS} and {FAILURES}, explained {kinds:?}"
    );
    outcome.context("the daemon did not stop")?
}

/// CPU time of this process so far.
fn own_cpu() -> Result<Duration> {
    let [user, kernel, ..] = proc::cpu()?;
    Ok(user + kernel)
}

// === The input ===

/// Serves the input until standard input ends.
async fn serve() -> Result<()> {
    let sim = Sim::start(Arc::new(|| Clock::wall().now())).await?;
    fill(&sim);
    println!("{}", sim.endpoint());
    std::io::stdout().flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    sim.stop().await;
    Ok(())
}

/// How request `n` fails, if it does. Of five failures three throw, one times out, and one runs out of memory; the last
/// is such a one.
fn failure(n: u32) -> Option<CauseKind> {
    if n % FAILS_EVERY != FAILS_EVERY - 1 {
        return None;
    }
    Some(match n / FAILS_EVERY % 5 {
        0..=2 => CauseKind::UnhandledException,
        3 => CauseKind::LambdaTimeout,
        _ => CauseKind::OutOfMemory,
    })
}

fn kinds_expected() -> BTreeMap<CauseKind, u32> {
    let mut kinds = BTreeMap::new();
    for kind in (0..REQUESTS).filter_map(failure) {
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

/// START, END and REPORT of each, and a line of its own for two kinds of failure.
fn lambda_lines() -> u32 {
    let own: u32 = kinds_expected().iter().filter(|(kind, _)| **kind != CauseKind::OutOfMemory).map(|(_, n)| n).sum();
    3 * REQUESTS + own
}

const ENDPOINTS: [(&str, &str); 12] = [
    ("GET", "/products"),
    ("GET", "/products/{id}"),
    ("GET", "/products/{id}/reviews"),
    ("GET", "/users/{id}"),
    ("PUT", "/users/{id}"),
    ("GET", "/users/{id}/orders"),
    ("POST", "/cart/items"),
    ("DELETE", "/cart/items/{itemId}"),
    ("GET", "/orders/{id}"),
    ("GET", "/search"),
    ("POST", "/login"),
    ("POST", "/checkout"),
];

const TYPE_ERROR: &str = "Cannot read properties of undefined (reading 'items')";

fn fill(sim: &Sim) {
    let last = Clock::wall().now().minus(AGE);
    for n in 0..REQUESTS {
        put_request(sim, n, last.minus(SPAN * (REQUESTS - 1 - n) / REQUESTS));
    }
}

/// What request `n` leaves in the logs: lines in the shapes of the REST access-log format that gatewatch recommends
/// and of a managed Node.js runtime, long strings as long as real ones.
fn put_request(sim: &Sim, n: u32, start: Timestamp) {
    let failure = failure(n);
    let (request_id, lambda_id) = (uuid(n, "request"), uuid(n, "invocation"));
    let stream = format!("2026/11/22/[$LATEST]{:032x}", hash(n % STREAMS, "environment"));
    let duration_ms = match failure {
        None | Some(CauseKind::UnhandledException) => 5 + u64::from(n % 181),
        // The longest, so that the REPORT of the last request is the last line of all.
        Some(CauseKind::OutOfMemory) => 1100,
        Some(_) => 1000,
    };
    let (began, ended) = (start.plus(Duration::from_millis(8)), start.plus(Duration::from_millis(8 + duration_ms)));
    let visible = ended.plus(Duration::from_secs(1));
    let put = |time: Timestamp, text: &str| sim.put(LAMBDA_GROUP, &stream, time, visible, text);

    put(began, &format!("START RequestId: {lambda_id} Version: $LATEST\n"));
    let (error, status) = match failure {
        None => ("-".to_owned(), ""),
        Some(CauseKind::UnhandledException) => {
            let json = format!(
                r#"{{"errorType":"TypeError","errorMessage":"{TYPE_ERROR}","stack":["TypeError: {TYPE_ERROR}","    at priceOf (/var/task/cart.js:41:27)","    at Runtime.handler (/var/task/index.js:12:34)","    at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs:1173:29)"]}}"#
            );
            put(ended, &format!("{ended}\t{lambda_id}\tERROR\tInvoke Error \t{json}\n"));
            (TYPE_ERROR.to_owned(), "")
        }
        Some(CauseKind::OutOfMemory) => (
            format!("RequestId: {lambda_id} Error: Runtime exited with error: signal: killed"),
            "Status: error\tError Type: Runtime.OutOfMemory",
        ),
        Some(_) => {
            let said = format!("{ended} {lambda_id} Task timed out after 1.00 seconds");
            put(ended, &format!("{said}\n\n"));
            (said, "Status: timeout")
        }
    };
    put(ended, &format!("END RequestId: {lambda_id}\n"));
    let memory_mb = if failure == Some(CauseKind::OutOfMemory) { 256 } else { 90 + n % 40 };
    put(
        ended,
        &format!(
            "REPORT RequestId: {lambda_id}\tDuration: {duration_ms}.{:02} ms\tBilled Duration: {} ms\t\
             Memory Size: 256 MB\tMax Memory Used: {memory_mb} MB\t{status}\n",
            n % 100,
            duration_ms + 1
        ),
    );

    let (status, function_status, length, said) = match failure {
        None => ("200", "200", 60 + n % 4000, ["-", "-", "-"]),
        Some(_) => {
            ("502", "-", 36, ["Lambda Customer Function Error:", "Internal server error", "INTEGRATION_FAILURE"])
        }
    };
    let (method, path) = ENDPOINTS[n as usize % ENDPOINTS.len()];
    let [customer, message, response_type] = said;
    let error = if failure.is_some() { format!("{customer}{error}") } else { error };
    let line = Line {
        request_id: &request_id,
        start_ms: start.as_millis(),
        method,
        route: path,
        status,
        response_latency_ms: duration_ms + 19,
        response_length: length,
        lambda_request_id: &lambda_id,
        function_status,
        integration_latency_ms: duration_ms + 11,
        integration_error: &error,
        error_message: message,
        response_type,
    };
    let stream = format!("{:032x}", hash(n % 4, "access"));
    sim.put(ACCESS_GROUP, &stream, start, visible, &line.recommended());
}
