//! The Lambda functions of the simulated shop: their environments, and the lines an invocation leaves in its stream.
//!
//! Not the traffic and not the gateway: `shop` decides which request comes when and how it ends. Rule: the lines are
//! those of the managed runtimes to the last tab, one environment is one log stream and runs one request at a time.

use std::time::Duration;

use super::dice::Dice;
use crate::model::time::Timestamp;

/// The timeout of every function of the shop, in microseconds.
const TIMEOUT_US: u64 = 3_000_000;
/// An environment unused for so long is gone.
const IDLE_LIFE: Duration = Duration::from_mins(7);
/// From a line being written to it being readable, in milliseconds.
const LAG_MS: (u64, u64) = (600, 2200);

/// Which runtime writes the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    Node,
    Python,
}

/// What stays the same of a function.
#[derive(Debug)]
pub(super) struct Function {
    /// Its log group.
    pub(super) group: &'static str,
    pub(super) runtime: Runtime,
    pub(super) memory_mb: u64,
    /// Usual time of a cold start, in microseconds.
    pub(super) init_us: u64,
}

/// How an invocation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The function answered with this status.
    Answered(u16),
    /// The handler threw a `TypeError`.
    Threw,
    /// The function returned something the gateway cannot read. Nothing in the log says so.
    Malformed,
    /// The function ran into its timeout.
    TimedOut,
    /// The runtime was killed for want of memory; its environment is gone.
    OutOfMemory,
}

/// One line of a stream.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) time: Timestamp,
    pub(super) text: String,
}

/// One finished invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) stream: String,
    /// When the function had answered.
    pub(super) end: Timestamp,
    /// When all its lines can be read.
    pub(super) visible_at: Timestamp,
    pub(super) lines: Vec<Line>,
}

/// What one request asks of a function.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) outcome: Outcome,
    /// Time the handler takes where it is not cut short, in microseconds.
    pub(super) handler_us: u64,
    /// What the handler logs at its start.
    pub(super) says: &'a str,
    /// An ERROR line of the application, of no consequence.
    pub(super) complains: Option<&'a str>,
}

/// An execution environment: one log stream.
#[derive(Debug)]
struct Environment {
    stream: String,
    busy_until: Timestamp,
    /// When the lines so far can be read: batches of one stream come in order.
    visible_at: Timestamp,
    max_memory_mb: u64,
    /// It timed out: the next invocation has to initialise again, which shows in its duration only.
    must_restart: bool,
}

/// The environments of one function.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) function: &'static Function,
    /// What runs: `$LATEST` or a number.
    version: String,
    environments: Vec<Environment>,
}

impl Pool {
    pub(super) fn new(function: &'static Function, version: &str) -> Self {
        Self { function, version: version.to_owned(), environments: Vec::new() }
    }

    /// Switches to another version; its environments have to be made first.
    pub(super) fn deploy(&mut self, version: &str) {
        if self.version != version {
            *self = Self::new(self.function, version);
        }
    }

    /// Runs one request that arrives at `arrival`.
    pub(super) fn invoke(&mut self, dice: &mut Dice, arrival: Timestamp, work: &Work<'_>) -> Invocation {
        let request_id = dice.uuid();
        let mut lines = Vec::with_capacity(8);
        let mut environment = self.take_idle(arrival).unwrap_or_else(|| self.fresh(dice, arrival));
        let cold = environment.busy_until == Timestamp::MIN;
        let init_us = dice.skewed(self.function.init_us, self.function.init_us);
        let start = if cold { after(arrival, init_us) } else { arrival };
        if cold {
            lines.push(Line { time: arrival, text: self.init_start() });
        }
        lines.push(Line { time: start, text: format!("START RequestId: {request_id} Version: {}\n", self.version) });
        let restart_us = if environment.must_restart { init_us } else { 0 };
        let duration_us = match work.outcome {
            Outcome::TimedOut => TIMEOUT_US,
            Outcome::Answered(_) | Outcome::Threw | Outcome::Malformed | Outcome::OutOfMemory => {
                (work.handler_us + restart_us).min(TIMEOUT_US - 1)
            }
        };
        let end = after(start, duration_us);
        self.application_lines(&request_id, start, end, work, &mut lines);

        environment.max_memory_mb = match work.outcome {
            Outcome::OutOfMemory => self.function.memory_mb,
            Outcome::Answered(_) | Outcome::Threw | Outcome::Malformed | Outcome::TimedOut => {
                let grown = environment.max_memory_mb + u64::from(dice.percent(4));
                grown.min(self.function.memory_mb * 3 / 4)
            }
        };
        let init_us = if cold { init_us } else { 0 };
        lines.push(Line { time: end, text: format!("END RequestId: {request_id}\n") });
        let report = self.report(&request_id, duration_us, init_us, environment.max_memory_mb, work.outcome);
        lines.push(Line { time: end, text: report });

        let lag = Duration::from_millis(dice.between(LAG_MS.0, LAG_MS.1));
        let visible_at = end.plus(lag).max(environment.visible_at);
        let stream = environment.stream.clone();
        // The next request cannot come in the same millisecond: its lines must sort behind these.
        environment.busy_until = end.plus(Duration::from_millis(2));
        environment.visible_at = visible_at;
        environment.must_restart = work.outcome == Outcome::TimedOut;
        if work.outcome != Outcome::OutOfMemory {
            self.environments.push(environment);
        }
        Invocation { request_id, stream, end, visible_at, lines }
    }

    /// The environment that was used last of those that are free; those idle for too long are dropped.
    fn take_idle(&mut self, at: Timestamp) -> Option<Environment> {
        self.environments.retain(|e| at.since(e.busy_until) < IDLE_LIFE);
        let free = self.environments.iter().enumerate().filter(|(_, e)| e.busy_until <= at);
        let (index, _) = free.max_by_key(|(_, e)| e.busy_until)?;
        Some(self.environments.swap_remove(index))
    }

    fn fresh(&self, dice: &mut Dice, at: Timestamp) -> Environment {
        let memory_mb = self.function.memory_mb;
        Environment {
            stream: format!("{}/[{}]{}", day(at), self.version, dice.hex32()),
            busy_until: Timestamp::MIN,
            visible_at: Timestamp::MIN,
            max_memory_mb: dice.between(memory_mb / 3, memory_mb / 2),
            must_restart: false,
        }
    }

    fn init_start(&self) -> String {
        let (name, hash) = match self.function.runtime {
            Runtime::Node => ("nodejs:22.mainline.v122", "5a2c"),
            Runtime::Python => ("python:3.12.mainlinev2.v43", "7d6e"),
        };
        format!(
            "INIT_START Runtime Version: {name}\tRuntime Version ARN: arn:aws:lambda:{}::runtime:{hash:0<64}\n",
            super::REGION
        )
    }

    /// What the function itself, and its runtime at the end of a failed run, writes.
    fn application_lines(&self, id: &str, start: Timestamp, end: Timestamp, work: &Work<'_>, lines: &mut Vec<Line>) {
        let mut push = |time: Timestamp, level: &str, message: &str| {
            let time = time.min(end);
            let text = match self.function.runtime {
                Runtime::Node => format!("{time}\t{id}\t{level}\t{message}\n"),
                Runtime::Python => format!("[{level}]\t{time}\t{id}\t{message}\n"),
            };
            lines.push(Line { time, text });
        };
        push(start.plus(Duration::from_millis(1)), "INFO", work.says);
        if let Some(complaint) = work.complains {
            push(start.plus(Duration::from_millis(3)), "ERROR", complaint);
        }
        match work.outcome {
            Outcome::Answered(status) => push(end, "INFO", &format!("answering {status}")),
            // The handler is content with what it returns; only the gateway is not.
            Outcome::Malformed => push(end, "INFO", "answering 201"),
            Outcome::Threw => push(end, "ERROR", INVOKE_ERROR),
            Outcome::TimedOut => {
                push(start.plus(Duration::from_millis(4)), "INFO", "asking the payment provider");
                lines.push(Line { time: end, text: format!("{end} {id} Task timed out after 3.00 seconds\n\n") });
            }
            Outcome::OutOfMemory => push(start.plus(Duration::from_millis(4)), "INFO", "rendering the invoice"),
        }
    }

    fn report(&self, id: &str, duration_us: u64, init_us: u64, max_memory_mb: u64, outcome: Outcome) -> String {
        let billed_ms = (duration_us + init_us).div_ceil(1000);
        let init = if init_us > 0 { format!("Init Duration: {} ms\t", hundredths(init_us)) } else { String::new() };
        let status = match outcome {
            Outcome::TimedOut => "Status: timeout",
            Outcome::OutOfMemory => "Status: error\tError Type: Runtime.OutOfMemory",
            Outcome::Answered(_) | Outcome::Threw | Outcome::Malformed => "",
        };
        format!(
            "REPORT RequestId: {id}\tDuration: {} ms\tBilled Duration: {billed_ms} ms\tMemory Size: {} MB\t\
             Max Memory Used: {max_memory_mb} MB\t{init}{status}\n",
            hundredths(duration_us),
            self.function.memory_mb,
        )
    }
}

/// The message of the exception the broken version throws.
pub(super) const TYPE_ERROR: &str = "Cannot read properties of undefined (reading 'items')";

/// What the Node.js runtime logs for it.
const INVOKE_ERROR: &str = concat!(
    "Invoke Error \t",
    r#"{"errorType":"TypeError","errorMessage":"Cannot read properties of undefined (reading 'items')","stack":["#,
    r#""TypeError: Cannot read properties of undefined (reading 'items')","#,
    r#""    at Runtime.handler (/var/task/index.js:12:34)","#,
    r#""    at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs:1173:29)"]}"#
);

/// `time` plus microseconds, in whole milliseconds.
fn after(time: Timestamp, us: u64) -> Timestamp {
    time.plus(Duration::from_micros(us))
}

/// Microseconds as milliseconds with two decimals.
fn hundredths(us: u64) -> String {
    format!("{}.{:02}", us / 1000, us % 1000 / 10)
}

/// The date part of a stream's name: `2026/11/22`.
fn day(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.as_millis())
        .map_or_else(|_| "1970/01/01".to_owned(), |t| t.strftime("%Y/%m/%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    static CHECKOUT: Function = Function { group: "g", runtime: Runtime::Node, memory_mb: 256, init_us: 200_000 };
    static USERS: Function = Function { group: "g", runtime: Runtime::Python, memory_mb: 128, init_us: 100_000 };

    fn run(pool: &mut Pool, at_ms: i64, outcome: Outcome) -> Invocation {
        let work = Work { outcome, handler_us: 45_678, says: "hello", complains: None };
        pool.invoke(&mut Dice::new(9), Timestamp::from_millis(1_795_338_000_000 + at_ms), &work)
    }

    #[test]
    fn a_cold_then_a_warm_invocation() {
        let mut pool = Pool::new(&USERS, "$LATEST");
        let cold = run(&mut pool, 0, Outcome::Answered(200));
        let warm = run(&mut pool, 1000, Outcome::Answered(200));
        assert_eq!(cold.stream, warm.stream);
        assert!(cold.stream.starts_with("2026/11/22/[$LATEST]"), "{}", cold.stream);
        assert!(cold.lines[0].text.starts_with("INIT_START Runtime Version: python:3.12"));
        let id = &warm.request_id;
        let texts: Vec<_> = warm.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts[0], format!("START RequestId: {id} Version: $LATEST\n"));
        assert_eq!(texts[1], format!("[INFO]\t2026-11-22T09:00:01.001Z\t{id}\thello\n"));
        assert_eq!(texts[3], format!("END RequestId: {id}\n"));
        let report =
            format!("REPORT RequestId: {id}\tDuration: 45.67 ms\tBilled Duration: 46 ms\tMemory Size: 128 MB\t");
        assert!(texts[4].starts_with(&report) && texts[4].ends_with(" MB\t\n"), "{}", texts[4]);
        assert!(cold.lines.last().unwrap().text.contains("MB\tInit Duration: "));
    }

    #[test]
    fn failures_leave_their_marks() {
        let mut pool = Pool::new(&CHECKOUT, "42");
        let threw = run(&mut pool, 0, Outcome::Threw);
        let error = format!("\t{}\tERROR\tInvoke Error \t{{\"errorType\":\"TypeError\"", threw.request_id);
        assert!(threw.lines.iter().any(|line| line.text.contains(&error) && line.text.contains("index.js:12:34")));
        assert!(!threw.lines.last().unwrap().text.contains("Status"));
        assert!(INVOKE_ERROR.contains(TYPE_ERROR));

        let late = run(&mut pool, 1000, Outcome::TimedOut);
        assert!(late.lines.iter().any(|line| line.text.ends_with("Task timed out after 3.00 seconds\n\n")));
        assert!(late.lines.last().unwrap().text.contains("Duration: 3000.00 ms\tBilled Duration: 3000 ms"));
        assert!(late.lines.last().unwrap().text.ends_with("\tStatus: timeout\n"));

        let killed = run(&mut pool, 5000, Outcome::OutOfMemory);
        let report = "Max Memory Used: 256 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n";
        assert!(killed.lines.last().unwrap().text.ends_with(report));
        assert!(pool.environments.is_empty(), "its environment is gone");
        assert!(run(&mut pool, 6000, Outcome::Answered(201)).lines[0].text.starts_with("INIT_START"));
    }

    #[test]
    fn one_request_at_a_time_in_an_environment() {
        let mut pool = Pool::new(&CHECKOUT, "41");
        let first = run(&mut pool, 0, Outcome::Answered(200));
        let mut dice = Dice::new(10);
        let work = Work { outcome: Outcome::Answered(200), handler_us: 1, says: "", complains: None };
        let second = pool.invoke(&mut dice, Timestamp::from_millis(1_795_338_000_001), &work);
        assert_ne!(first.stream, second.stream);
        assert_eq!(pool.environments.len(), 2);
    }
}
