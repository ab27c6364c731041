//! CPU time and memory of processes, as Linux tells them in `/proc`.
//!
//! Not for other systems, and not finer than the ticks of 10 ms in which Linux shows CPU time to programs. Rule: what
//! is not as documented in proc(5) is an error, never a zero.

use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time so far: this process's own, in user mode and in the kernel, and the same of its children that have ended
/// and were waited for. Of all threads.
#[allow(dead_code, reason = "not every bench asks")]
pub fn cpu() -> Result<[Duration; 4]> {
    times("self")
}

/// CPU time of a process so far, in user mode and in the kernel.
#[allow(dead_code, reason = "not every bench asks")]
pub fn cpu_of(process: &str) -> Result<Duration> {
    let [user, kernel, ..] = times(process)?;
    Ok(user + kernel)
}

fn times(process: &str) -> Result<[Duration; 4]> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).context("the CPU time is read from /proc")?;
    // proc(5): the name, in brackets, may hold anything; behind it utime, stime, cutime and cstime are the 12th to 15th
    // field, in ticks, of which Linux shows programs 100 per second on every machine Rust supports.
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat is not as documented")?;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(4).map(str::parse).collect::<Result<_, _>>()?;
    let times: Vec<_> = ticks.into_iter().map(|ticks| Duration::from_millis(ticks * 10)).collect();
    times.try_into().ok().context("/proc/self/stat is too short")
}

/// The most memory a process has had resident so far, in KiB. `process` is its number, or `self`.
#[allow(dead_code, reason = "not every bench asks")]
pub fn peak_kb(process: &str) -> Result<u64> {
    kb(process, "VmHWM:")
}

/// The memory a process has resident now, in KiB.
#[allow(dead_code, reason = "not every bench asks")]
pub fn resident_kb(process: &str) -> Result<u64> {
    kb(process, "VmRSS:")
}

fn kb(process: &str, key: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let line = line.with_context(|| format!("no {key} in /proc/../status"))?;
    Ok(line.trim_end_matches("kB").trim().parse()?)
}
