//! Runs the real `gatewatch` binary and reads what it says.
//!
//! Standard output and error are collected line by line while the program runs, and a test waits for the line it
//! expects instead of sleeping. When a test fails, everything collected is printed: a failed expectation about a daemon
//! is of little use without what the daemon said. The program inherits nothing of the environment but the PATH and what
//! a coverage run needs, so no credentials, profile or proxy of the person who runs the tests gets in.
//!
//! The rule: no process outlives its [`Daemon`]; dropping one kills it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::moto_server::{ACCESS_KEY, REGION};

/// Set by whoever measures coverage or wants backtraces; harmless to pass on.
const INHERITED: [&str; 4] = ["PATH", "LLVM_PROFILE_FILE", "RUST_BACKTRACE", "TMPDIR"];

/// A running `gatewatch`. Dropping it kills it, and prints its output when a test is failing.
pub(crate) struct Daemon {
    child: Child,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    /// Its `HOME`: no configuration of the person who runs the tests is found there.
    _home: TempDir,
}

/// What the readers collect and the test waits on.
#[derive(Default)]
struct Output {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// A stream that has ended brings nothing more, so waiting for it can end too.
    stdout_ended: bool,
    stderr_ended: bool,
}

/// Which of the two streams.
#[derive(Clone, Copy)]
enum Pipe {
    Stdout,
    Stderr,
}

/// The variables that point every AWS client of a program at `endpoint`.
pub(crate) fn aws_environment(endpoint: &str) -> [(&str, &str); 6] {
    [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", endpoint),
        // Nobody answers there; asking would only cost the test its time.
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_MAX_ATTEMPTS", "2"),
    ]
}

impl Daemon {
    /// Starts the program with these arguments and nothing but this environment.
    pub(crate) fn start(arguments: &[impl AsRef<OsStr>], environment: &[(&str, &str)]) -> Self {
        Self::start_onto(arguments, environment, Stdio::piped())
    }

    /// The same with a standard output of the test's own: nothing of it is collected, unless it is piped.
    pub(crate) fn start_onto(arguments: &[impl AsRef<OsStr>], environment: &[(&str, &str)], stdout: Stdio) -> Self {
        Self::start_with(arguments, environment, stdout, Stdio::piped())
    }

    /// The same with a standard error of the test's own.
    pub(crate) fn start_with(
        arguments: &[impl AsRef<OsStr>],
        environment: &[(&str, &str)],
        stdout: Stdio,
        stderr: Stdio,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
        Self::start_by(command.args(arguments), environment, stdout, stderr)
    }

    /// The same by another program that becomes it, such as one that changes its root.
    pub(crate) fn start_by(command: &mut Command, environment: &[(&str, &str)], stdout: Stdio, stderr: Stdio) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let inherited = INHERITED.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
        let mut child = command
            .env_clear()
            .envs(inherited)
            .env("HOME", home.path())
            .envs(environment.iter().copied())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .expect("the program can be started");
        let output = Arc::<Output>::default();
        let mut readers = Vec::new();
        readers.extend(child.stderr.take().map(|stderr| read(stderr, Pipe::Stderr, &output)));
        readers.extend(child.stdout.take().map(|stdout| read(stdout, Pipe::Stdout, &output)));
        Self { child, output, readers, _home: home }
    }

    /// Its number, as the system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first JSON line on standard output that `wanted` accepts, of those printed and those to come within
    /// `timeout`. Lines that are not JSON are passed over here; [`Self::stdout_json`] insists.
    pub(crate) fn wait_stdout(&self, wanted: impl Fn(&Value) -> bool, timeout: Duration) -> Option<Value> {
        self.wait(Pipe::Stdout, timeout, |line| serde_json::from_str(line).ok().filter(|value| wanted(value)))
    }

    /// [`Self::wait_stdout`] for a line without which the test has failed; `what` says which one that is.
    pub(crate) fn expect_stdout(&self, what: &str, timeout: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        self.wait_stdout(wanted, timeout)
            .unwrap_or_else(|| panic!("no {what} on standard output (looked for {:.1?})", begun.elapsed()))
    }

    /// The first line on standard error that `wanted` accepts.
    pub(crate) fn wait_stderr(&self, wanted: impl Fn(&str) -> bool, timeout: Duration) -> Option<String> {
        self.wait(Pipe::Stderr, timeout, |line| wanted(line).then(|| line.to_owned()))
    }

    /// Every line on standard output so far, each of which must be JSON.
    pub(crate) fn stdout_json(&self) -> Vec<Value> {
        let lines = self.output.lock().stdout.clone();
        let parse = |line: &String| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("standard output has a line not JSON ({error}): {line}"))
        };
        lines.iter().map(parse).collect()
    }

    /// Every line so far, of both.
    pub(crate) fn all_lines(&self) -> Vec<String> {
        let lines = self.output.lock();
        [&lines.stdout[..], &lines.stderr].concat()
    }

    pub(crate) fn stderr_text(&self) -> String {
        self.output.lock().stderr.join("\n")
    }

    /// Sends SIGTERM, as systemd and ECS do, and returns the exit code. All output has been read then.
    pub(crate) fn terminate(&mut self, within: Duration) -> i32 {
        self.end("TERM", within)
    }

    /// Sends SIGINT, as a terminal does for Ctrl-C, and returns the exit code. All output has been read then.
    pub(crate) fn interrupt(&mut self, within: Duration) -> i32 {
        self.end("INT", within)
    }

    /// Kills it (SIGKILL), as a power cut would. All output has been read then.
    pub(crate) fn kill(&mut self) {
        assert!(self.child.try_wait().expect("the program is our child").is_none(), "it had ended by itself");
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("the program is our child");
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
    }

    /// Waits until it ends by itself, and returns the exit code. All output has been read then.
    pub(crate) fn ended(&mut self, within: Duration) -> i32 {
        self.wait_end("its own end", within)
    }

    /// Sends SIGHUP, as `systemctl reload` does.
    pub(crate) fn hang_up(&mut self) {
        self.signal("HUP");
    }

    fn end(&mut self, signal: &str, within: Duration) -> i32 {
        self.signal(signal);
        self.wait_end(&format!("SIG{signal}"), within)
    }

    fn signal(&mut self, signal: &str) {
        if let Some(status) = self.child.try_wait().expect("the program is our child") {
            panic!("the program had ended before SIG{signal}, with {status}");
        }
        // The shell's own `kill`: a slim container has no other.
        let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.id())]).status();
        assert!(kill.expect("a shell can be run").success(), "SIG{signal} could not be sent");
    }

    fn wait_end(&mut self, why: &str, within: Duration) -> i32 {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the program is our child") {
                break status;
            }
            assert!(begun.elapsed() < within, "the program still runs, {within:?} of waiting for {why}");
            thread::sleep(Duration::from_millis(20));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
    }

    fn wait<T>(&self, pipe: Pipe, timeout: Duration, mut pick: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let until = Instant::now() + timeout;
        let mut looked_at = 0;
        let mut lines = self.output.lock();
        loop {
            let (said, ended) = match pipe {
                Pipe::Stdout => (&lines.stdout, lines.stdout_ended),
                Pipe::Stderr => (&lines.stderr, lines.stderr_ended),
            };
            if let Some(picked) = said[looked_at..].iter().find_map(|line| pick(line)) {
                return Some(picked);
            }
            looked_at = said.len();
            let left = until.saturating_duration_since(Instant::now());
            if ended || left.is_zero() {
                return None;
            }
            (lines, _) = self.output.changed.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            for reader in self.readers.drain(..) {
                // A reader that failed leaves what it had read until then.
                let _ = reader.join();
            }
            let lines = self.output.lock();
            let (stdout, stderr) = (lines.stdout.join("\n"), lines.stderr.join("\n"));
            eprintln!("--- gatewatch's standard output ---\n{stdout}\n--- and error ---\n{stderr}\n--- end ---");
        }
    }
}

impl Output {
    /// A test that panicked while it held the lock has not spoilt the lines.
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads lines until the stream ends. Bytes that are not UTF-8 are replaced, not lost.
fn read(from: impl Read + Send + 'static, pipe: Pipe, output: &Arc<Output>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut lines = output.lock();
            match pipe {
                Pipe::Stdout => lines.stdout.push(line),
                Pipe::Stderr => lines.stderr.push(line),
            }
            output.changed.notify_all();
        }
        let mut lines = output.lock();
        match pipe {
            Pipe::Stdout => lines.stdout_ended = true,
            Pipe::Stderr => lines.stderr_ended = true,
        }
        output.changed.notify_all();
    })
}
