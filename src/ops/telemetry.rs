//! Logs about itself, on stderr: stdout carries alerts and results only.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging. `default` is the level where `RUST_LOG` says nothing.
pub fn init(default: LevelFilter) {
    let filter = EnvFilter::builder().with_default_directive(default.into()).from_env_lossy();
    let terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(terminal).with_target(false);
    // Only a second call can fail, and then logging is on already.
    let _ = subscriber.with_env_filter(filter).try_init();
}
