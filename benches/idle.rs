//! What an idle daemon costs: memory, CPU, and the time from its start to its first read.
//!
//! The real binary with five log groups and the default settings, a process of its own, against a simulation in this
//! one. A request comes every ten seconds, so that its windows are not empty. Not what reading much costs: that is
//! `first_light`. Rule: what misses its target is told as missed.
//!
//! Run by hand: `cargo bench --bench idle`. It needs Linux (`/proc`) and ends by itself in less than two minutes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench tells its figures")]

mod common {
    pub mod proc;
}

use std::io::Write;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use common::proc;
use gatewatch::model::time::Timestamp;
use gatewatch::sim::Sim;

/// Access log first, then logs of functions.
const GROUPS: [&str; 5] =
    ["/aws/apigateway/shop", "/aws/lambda/a-fn", "/aws/lambda/b-fn", "/aws/lambda/c-fn", "/aws/lambda/d-fn"];
/// What the start does is over by then.
const WARM_UP: Duration = Duration::from_secs(15);
/// How long it is watched.
const WATCH: Duration = Duration::from_secs(75);
/// The first read must have come by then.
const PATIENCE: Duration = Duration::from_secs(20);
/// Starts that are timed besides.
const STARTS: usize = 5;

const RESIDENT_MB: f64 = 25.0;
const CPU_SHARE: f64 = 0.01;
const FIRST_READ: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    if !std::env::args().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` starts benches without `--bench`; a debug build has nothing to say here.
        println!("idle: run by hand with `cargo bench --bench idle`");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(measure())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("idle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("it is before the year 292 million"))
}

/// A daemon. Dropping it ends it.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn measure() -> Result<()> {
    let sim = Sim::start(Arc::new(now)).await?;
    for group in GROUPS {
        sim.create_group(group);
    }
    let begun = now();
    for n in 0..15_u64 {
        let at = begun.plus(Duration::from_secs(10 * n));
        let line = format!(
            "{{\"requestId\":\"r-{n}\",\"requestTimeEpoch\":\"{}\",\"httpMethod\":\"GET\",\"resourcePath\":\"/pets\",\
             \"status\":\"200\"}}",
            at.as_millis()
        );
        sim.put(GROUPS[0], "s", at, at, &line);
    }
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config.toml");
    let lambda = GROUPS[1..].iter().map(|group| format!("{group:?}")).collect::<Vec<_>>().join(", ");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[api]]\nname = \"shop\"\naccess_log_groups = [{:?}]\nlambda_log_groups = [{lambda}]\n",
        GROUPS[0]
    );
    std::fs::File::create(&config)?.write_all(text.as_bytes())?;
    let start = || -> Result<Daemon> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
        command.arg("--config").arg(&config).env_clear().stdout(Stdio::null()).stderr(Stdio::null());
        command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "eu-west-1")]);
        command.envs([("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ENDPOINT_URL", sim.endpoint().as_str())]);
        Ok(Daemon(command.spawn().context("gatewatch cannot be started")?))
    };
    let asked = || GROUPS.iter().map(|group| sim.requests(group)).sum::<u64>();
    let mut firsts = Vec::new();
    let mut daemon = None;
    for _ in 0..=STARTS {
        // The one before is gone first.
        drop(daemon.take());
        let (before, started) = (asked(), Instant::now());
        daemon = Some(start()?);
        while asked() == before {
            ensure!(started.elapsed() < PATIENCE, "no read within {PATIENCE:?} of the start");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        firsts.push(started.elapsed());
    }
    let mut daemon = daemon.context("it was started")?;
    // The first start reads the program from disk.
    let mut firsts = firsts.split_off(1);
    firsts.sort();
    let first = firsts[firsts.len() / 2];
    tokio::time::sleep(WARM_UP).await;
    let process = daemon.0.id().to_string();
    let (cpu, watched, reads) = (proc::cpu_of(&process)?, Instant::now(), asked());
    tokio::time::sleep(WATCH).await;
    let (cpu, watched, reads) = (proc::cpu_of(&process)?.saturating_sub(cpu), watched.elapsed(), asked() - reads);
    ensure!(daemon.0.try_wait()?.is_none(), "the daemon has ended");
    let (resident, peak) = (proc::resident_kb(&process)?, proc::peak_kb(&process)?);
    let mb = |kb: u64| f64::from(u32::try_from(kb).unwrap_or(u32::MAX)) / 1024.0;
    let share = cpu.as_secs_f64() / watched.as_secs_f64();
    let told = |met: bool| if met { "met" } else { "MISSED" };
    println!("{} log groups, {reads} reads in {} s", GROUPS.len(), watched.as_secs());
    println!(
        "resident    {:.1} MB (peak {:.1}); target {RESIDENT_MB} MB, {}",
        mb(resident),
        mb(peak),
        told(mb(peak) <= RESIDENT_MB)
    );
    println!(
        "CPU         {:.2} % of a core; target {} %, {}",
        share * 100.0,
        CPU_SHARE * 100.0,
        told(share <= CPU_SHARE)
    );
    println!(
        "first read  {first:.0?} after the start (median of {STARTS}, to {:.0?}); target {FIRST_READ:?}, {}",
        firsts[firsts.len() - 1],
        told(first <= FIRST_READ)
    );
    Ok(())
}
