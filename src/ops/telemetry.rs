//! Logs about itself, on stderr: stdout carries alerts and results only.
//!
//! Where stderr is the journal's own stream, each line begins with its priority (`<4>`) and has no time of its own: the
//! journal has both. Sources: sd-daemon(3), and `$JOURNAL_STREAM` in systemd.exec(5).

use std::backtrace::Backtrace;
use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, stderr};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::config::{LogConfig, LogFormat, LogLevel};
use crate::model::own::{JSON_LOG, MARK};
use crate::model::text::printable;

/// What the SDK says about credentials.
const QUIET: &str = "aws_config=error";

/// What is said at the moment. One for the process, as what it changes is.
static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging. `RUST_LOG` goes before the level of the settings.
pub fn init(settings: LogConfig) {
    let (filter, handle) = reload::Layer::new(filter(settings.level));
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    let text = format().with_target(false);
    let json = Marked { format: format().json().flatten_event(true).with_target(false), json: true };
    if !stderr().is_terminal() {
        // A panic is a log line too: in one piece, and with the mark.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}; {}", Backtrace::capture())));
    }
    let lines = match (settings.format, is_journal()) {
        (LogFormat::Text, false) if !stderr().is_terminal() => {
            lines.with_ansi(false).event_format(Marked { format: text, json: false }).boxed()
        }
        (LogFormat::Text, false) => {
            let colour = std::env::var_os("NO_COLOR").is_none();
            lines.with_ansi(colour).event_format(Divertible(text)).boxed()
        }
        (LogFormat::Text, true) => {
            let bare = text.without_time().with_level(false).with_ansi(false);
            lines.with_ansi(false).event_format(Prioritised(bare)).boxed()
        }
        (LogFormat::Json, false) => lines.with_ansi(false).fmt_fields(JsonFields::new()).event_format(json).boxed(),
        (LogFormat::Json, true) => {
            lines.with_ansi(false).fmt_fields(JsonFields::new()).event_format(Prioritised(json)).boxed()
        }
    };
    // Only a second call can fail, and then logging is on already.
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// From now on so much is said, but for what `RUST_LOG` says. Nothing changes where logging was not started.
pub fn set_level(level: LogLevel) {
    if let Some(handle) = FILTER.get() {
        // The subscriber lives as long as the process.
        let _ = handle.reload(filter(level));
    }
}

fn filter(to: LogLevel) -> EnvFilter {
    let level = level(to);
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    // The SDK warns, several times, of credentials that it does not get. Whoever asked for something says it once.
    let wanted = level > LevelFilter::INFO || std::env::var("RUST_LOG").is_ok_and(|said| said.contains("aws_config"));
    if wanted { filter } else { filter.add_directive(QUIET.parse().expect("it is a directive")) }
}

const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Whether stderr goes straight to the journal.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let own = stderr().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    own.is_ok_and(|own| stream == format!("{}:{}", own.dev(), own.ino()))
}

/// Lines that wait for whoever shows them.
const DIVERTED_MAX: usize = 1000;

static ELSEWHERE: Mutex<Option<SyncSender<Line>>> = Mutex::new(None);

/// A line that would have been printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// It, without time and level.
    pub text: String,
    /// A warning or worse.
    pub is_warning: bool,
}

/// As long as this is held, what would be printed on the terminal comes here. What comes while [`DIVERTED_MAX`] lines
/// wait is lost.
#[derive(Debug)]
pub struct Diverted(Receiver<Line>);

/// Keeps the terminal free of log lines. Where standard error is none, they go on being written there.
#[must_use]
pub fn divert() -> Diverted {
    let (to, lines) = sync_channel(DIVERTED_MAX);
    *ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
    Diverted(lines)
}

impl Diverted {
    /// What has come since the last call.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.0.try_iter()
    }
}

impl Drop for Diverted {
    fn drop(&mut self) {
        *ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Lines on a terminal, unless somebody wants them.
struct Divertible<F>(F);

impl<S, N, T> FormatEvent<S, N> for Divertible<format::Format<format::Full, T>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    T: FormatTime + Clone,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let elsewhere = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(elsewhere) = elsewhere else { return self.0.format_event(context, to, event) };
        let bare = self.0.clone().without_time().with_level(false).with_ansi(false);
        let mut text = String::new();
        bare.format_event(context, Writer::new(&mut text), event)?;
        let is_warning = *event.metadata().level() <= Level::WARN;
        // Full: then there is more to read than anybody can.
        let _ = elsewhere.try_send(Line { text: printable(text.trim()), is_warning });
        Ok(())
    }
}

/// Lines with the priority that the journal takes them under.
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        let priority = priority(*event.metadata().level());
        // The journal takes each line by itself.
        text.lines().try_for_each(|line| writeln!(to, "<{priority}>{}", line.trim_start()))
    }
}

/// One line with the mark of our own lines: elsewhere than on a terminal it may come back as a log event.
struct Marked<F> {
    format: F,
    json: bool,
}

impl<S, N, F> FormatEvent<S, N> for Marked<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        self.format.format_event(context, Writer::new(&mut text), event)?;
        let text = printable(text.trim_end());
        if self.json {
            return writeln!(to, "{JSON_LOG}{}", text.strip_prefix('{').ok_or(fmt::Error)?);
        }
        // Before the level there is only the time.
        let (before, said) = text.split_once(event.metadata().level().as_str()).ok_or(fmt::Error)?;
        writeln!(to, "{before}{} {MARK}{}", event.metadata().level(), said.trim_start())
    }
}

/// As syslog counts. Source: sd-daemon(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}
