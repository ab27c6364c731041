//! `gatewatch replay` over a big access log beside the tools one would reach for instead, in one run.
//!
//! Round by round each program reads the same folder: `access.jsonl`, its twin `access.clf`, and `truth.json` with the
//! exact answer per endpoint. Wall time, CPU of all threads, and most memory resident, from outside each process. Not
//! a comparison of what the programs tell: the tools count, gatewatch also explains the failures and says when it would
//! have alerted. Rule: gatewatch has figures only if its summary agrees with the truth; a tool that is not installed is
//! said and left out.
//!
//! Run by hand: `cargo bench --bench replay -- FOLDER` (or the folder in `GATEWATCH_BENCH_DIR`); `--alone` leaves the
//! tools out. They are found on `PATH`, in `$GATEWATCH_PEERS/bin` and, Python's modules, in `$GATEWATCH_PEERS/py`. It
//! needs Linux (`/proc`), and for two million requests and all tools some minutes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench tells its figures")]

mod common {
    pub mod proc;
    pub mod spread;
}

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use common::proc;
use common::spread::spread;

const GATEWATCH: &str = env!("CARGO_BIN_EXE_gatewatch");

/// Rounds that count; gatewatch has one more before them, which fills the page cache and is checked against the truth.
const ROUNDS: usize = 5;
/// A tool that took longer than this is not run again: its ratio is plain.
const SLOW: Duration = Duration::from_secs(20);
/// How often a process is asked for its memory. What it takes in its very last moments may be missed.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How far a p95 may lie from the exact one: a bucket of the histogram.
const P95_TOLERANCE: f64 = 0.0625;

const GENERATE: &str =
    "python3 gen_access.py -n 2000000 --json-out access.jsonl --clf-out access.clf --truth truth.json";

const AGRIND_QUERY: &str = "* | json | num(status) as s | count as n, count(s >= 500) as n5xx, p95(responseLatency) by \
                            httpMethod, resourcePath";
const GOACCESS_CLF: &[&str] =
    &[r#"--log-format=%h %^[%d:%t %^] "%r" %s %b %L"#, "--date-format=%d/%b/%Y", "--time-format=%T"];
const GOACCESS_JSON: &[&str] = &[
    r#"--log-format={"requestTimeEpoch":"%x","ip":"%h","httpMethod":"%m","resourcePath":"%U","status":"%s","responseLatency":"%L","responseLength":"%b"}"#,
    "--datetime-format=%*",
];
/// Count, 5xx and exact p95 by endpoint; its arguments are the file and the number of threads.
const DUCKDB: &str = r#"
import duckdb, sys
c = duckdb.connect()
c.execute("set threads=" + sys.argv[2])
columns = "{httpMethod:'VARCHAR',resourcePath:'VARCHAR',status:'VARCHAR',responseLatency:'VARCHAR'}"
query = f"""select httpMethod, resourcePath, count(*) n, count(*) filter (status like '5%'),
 quantile_disc(cast(responseLatency as bigint), 0.95)
 from read_json(?, format='newline_delimited', columns={columns}) group by 1, 2 order by n desc"""
for row in c.execute(query, [sys.argv[1]]).fetchall():
    print(*row)
"#;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts benches without `--bench`; a debug build has nothing to say here.
    if !args.iter().any(|a| a == "--bench") {
        println!("replay: run by hand with `cargo bench --bench replay -- FOLDER`");
        return ExitCode::SUCCESS;
    }
    let alone = args.iter().any(|a| a == "--alone");
    let folder = args.into_iter().find(|a| !a.starts_with('-')).map(OsString::from);
    match compare(folder.or_else(|| std::env::var_os("GATEWATCH_BENCH_DIR")).map(PathBuf::from), alone) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What it takes one program to read the input.
#[derive(Clone, Copy)]
struct Figures {
    wall: f64,
    cpu: f64,
    peak_kb: u64,
}

struct Program {
    name: &'static str,
    command: Command,
    /// By round; `None` where it was not run again.
    runs: Vec<Option<Figures>>,
}

fn compare(folder: Option<PathBuf>, alone: bool) -> Result<()> {
    let began = Instant::now();
    let folder = folder.context("name the folder with the input: cargo bench --bench replay -- FOLDER")?;
    let [json, clf, truth] = ["access.jsonl", "access.clf", "truth.json"].map(|name| folder.join(name));
    for file in [&json, &clf, &truth] {
        ensure!(file.is_file(), "{} is missing; make it in its folder with\n  {GENERATE}", file.display());
    }
    let truth = truth_of(&truth)?;
    let requests: u64 = truth.values().map(|row| row.count).sum();

    let scratch = tempfile::tempdir()?;
    let said = scratch.path().join("said");
    let mut gatewatch = Command::new(GATEWATCH);
    gatewatch.args(["replay", "--output", "json", "--access"]).arg(&json);
    run(&mut gatewatch, &said).context("gatewatch")?;
    let farthest = check(&said, &truth)?;
    // What it warns of was said now.
    gatewatch.env("RUST_LOG", "error");

    let mut programs = vec![program("gatewatch replay", gatewatch)];
    if !alone {
        // Tools may read the other file: in cache for them as well.
        io::copy(&mut File::open(&clf)?, &mut io::sink())?;
        programs.extend(tools(&json, &clf));
    }
    for _ in 0..ROUNDS {
        for program in &mut programs {
            let slow = program.runs.iter().flatten().any(|run| run.wall > SLOW.as_secs_f64());
            let figures = if slow && program.name != "gatewatch replay" {
                None
            } else {
                Some(run(&mut program.command, &said).context(program.name)?)
            };
            program.runs.push(figures);
        }
    }

    let megabytes = json.metadata()?.len() / 1_000_000;
    println!("{requests} requests, {megabytes} MB as JSON; page cache warm, in turn, at most {ROUNDS} rounds");
    println!(
        "{:<22}{:>5}{:>25}{:>25}{:>9}{:>9}  of gatewatch's: wall, CPU",
        "", "runs", "wall s (range)", "CPU s (range)", "peak MB", "klines/s"
    );
    for program in &programs {
        println!("{}", program.row(&programs[0], requests));
    }
    println!(
        "gatewatch agrees with truth.json: count and 5xx of {} endpoints equal, p95 at most {:.2} % off (allowed {:.2} %)",
        truth.len(),
        farthest * 100.0,
        P95_TOLERANCE * 100.0
    );
    println!("again: cargo bench --bench replay -- {} ({} s)", folder.display(), began.elapsed().as_secs());
    Ok(())
}

fn program(name: &'static str, command: Command) -> Program {
    Program { name, command, runs: Vec::new() }
}

impl Program {
    fn row(&self, gatewatch: &Self, requests: u64) -> String {
        let runs: Vec<_> = self.runs.iter().flatten().collect();
        let of = |value: &dyn Fn(&Figures) -> f64| spread(runs.iter().map(|run| value(run)).collect());
        // The ratio is of runs of the same round, which had the same machine.
        let ratio = |value: &dyn Fn(&Figures) -> f64| {
            let pairs = self.runs.iter().zip(&gatewatch.runs).filter_map(|(own, its)| Some(((*own)?, (*its)?)));
            spread(pairs.map(|(own, its)| value(&own) / value(&its)).collect()).median
        };
        let (wall, cpu) = (of(&|run| run.wall), of(&|run| run.cpu));
        let peak_mb = runs.iter().map(|run| run.peak_kb).max().unwrap_or_default() / 1024;
        let rate = f64::from(u32::try_from(requests).unwrap_or(u32::MAX)) / wall.median / 1000.0;
        let (by_wall, by_cpu) = (ratio(&|run| run.wall), ratio(&|run| run.cpu));
        format!(
            "{:<22}{:>5}{wall:>25.2}{cpu:>25.2}{peak_mb:>9}{rate:>9.0}  {by_wall:.2} {by_cpu:.2}",
            self.name,
            runs.len()
        )
    }
}

// === Running a program ===

/// Runs a program to its end, with its output in the file `said`.
fn run(command: &mut Command, said: &Path) -> Result<Figures> {
    command.stdin(Stdio::null()).stdout(File::create(said)?).stderr(Stdio::inherit());
    let before = childrens_cpu()?;
    let began = Instant::now();
    let mut child = command.spawn()?;
    let process = child.id().to_string();
    let (ended, peak_kb) = (AtomicBool::new(false), AtomicU64::new(0));
    let (status, wall) = thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                // A process that has just ended tells no memory any more.
                peak_kb.fetch_max(proc::peak_kb(&process).unwrap_or_default(), Ordering::Relaxed);
                thread::sleep(LOOK_EVERY);
            }
        });
        let status = child.wait();
        let wall = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        (status, wall)
    });
    ensure!(status?.success(), "it failed");
    ensure!(said.metadata()?.len() > 0, "it said nothing");
    let cpu = childrens_cpu()?.saturating_sub(before);
    Ok(Figures { wall: wall.as_secs_f64(), cpu: cpu.as_secs_f64(), peak_kb: peak_kb.into_inner() })
}

fn childrens_cpu() -> Result<Duration> {
    let [.., user, kernel] = proc::cpu()?;
    Ok(user + kernel)
}

// === The tools ===

/// Those that are installed; the others are said.
fn tools(json: &Path, clf: &Path) -> Vec<Program> {
    let mut programs = Vec::new();
    let mut add = |name, tool: &str, prepare: &dyn Fn(&mut Command)| match installed(tool) {
        Some(path) => {
            let mut command = Command::new(path);
            prepare(&mut command);
            programs.push(program(name, command));
        }
        None => println!("{name}: `{tool}` is not installed, left out"),
    };
    add("wc -l (only reads)", "wc", &|command| {
        command.arg("-l").arg(json);
    });
    add("angle-grinder", "agrind", &|command| {
        command.arg("-f").arg(json).arg(AGRIND_QUERY);
    });
    for (name, file, format) in [("GoAccess, CLF", clf, GOACCESS_CLF), ("GoAccess, JSON", json, GOACCESS_JSON)] {
        add(name, "goaccess", &|command| {
            command.arg(file).args(format).args(["--no-global-config", "--no-progress", "-o", "json"]);
        });
    }
    if with_duckdb("import duckdb").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        let mut command = with_duckdb(DUCKDB);
        command.arg(json).arg("2");
        programs.push(program("DuckDB, 2 threads", command));
    } else {
        println!("DuckDB: `python3 -c 'import duckdb'` fails, left out");
    }
    programs
}

fn peers(folder: &str) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("GATEWATCH_PEERS")?).join(folder))
}

fn installed(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = peers("bin").into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(tool)).find(|file| file.is_file())
}

fn with_duckdb(script: &str) -> Command {
    let mut command = Command::new("python3");
    if let Some(modules) = peers("py") {
        command.env("PYTHONPATH", modules);
    }
    command.arg("-c").arg(script);
    command
}

// === The truth ===

/// What is right for one endpoint.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Truth {
    http_method: String,
    resource_path: String,
    count: u64,
    n5xx: u64,
    p95: f64,
}

type Endpoint = (String, String);

fn truth_of(file: &Path) -> Result<BTreeMap<Endpoint, Truth>> {
    let rows: Vec<Truth> = serde_json::from_reader(io::BufReader::new(File::open(file)?))
        .with_context(|| format!("{} is not what the generator writes", file.display()))?;
    Ok(rows.into_iter().map(|row| ((row.http_method.clone(), row.resource_path.clone()), row)).collect())
}

/// The last line of a replay.
#[derive(Deserialize)]
struct Summary {
    endpoints: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    method: String,
    route: String,
    count: u64,
    errors_5xx: u64,
    p95_ms: Option<f64>,
}

/// How far the p95 lies off that is farthest off, as a share; an error if that is too far, or anything else differs.
fn check(said: &Path, truth: &BTreeMap<Endpoint, Truth>) -> Result<f64> {
    let said = std::fs::read_to_string(said)?;
    let summary: Summary = serde_json::from_str(said.lines().last().unwrap_or_default()).context("no summary")?;
    let mut wrong = Vec::new();
    let mut farthest = 0.0_f64;
    for row in &summary.endpoints {
        let Some(right) = truth.get(&(row.method.clone(), row.route.clone())) else {
            wrong.push(format!("{} {} does not exist", row.method, row.route));
            continue;
        };
        let off = row.p95_ms.map_or(f64::INFINITY, |p95| (p95 - right.p95).abs() / right.p95);
        farthest = farthest.max(off);
        if (row.count, row.errors_5xx) != (right.count, right.n5xx) || off > P95_TOLERANCE {
            wrong.push(format!(
                "{} {}: {} requests, {} 5xx, p95 {:?}; right is {}, {}, {}",
                row.method, row.route, row.count, row.errors_5xx, row.p95_ms, right.count, right.n5xx, right.p95
            ));
        }
    }
    if summary.endpoints.len() != truth.len() {
        wrong.push(format!("{} endpoints; right is {}", summary.endpoints.len(), truth.len()));
    }
    if !wrong.is_empty() {
        bail!("gatewatch does not agree with truth.json:\n  {}", wrong.join("\n  "));
    }
    Ok(farthest)
}
