//! Signals -> a token: the first SIGTERM or ctrl-c asks for an orderly stop, the second ends the process at once.

use std::process::exit;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels `stop` at the first signal; at the second exits with 128 and its number.
///
/// # Errors
/// When the operating system refuses a signal handler.
pub fn stop_on_signals(stop: CancellationToken) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            let number = tokio::select! {
                got = interrupt.recv() => got.map(|()| 2),
                got = terminate.recv() => got.map(|()| 15),
            };
            // A closed signal stream is always ready: going on would spin.
            let Some(number) = number else { return };
            if stop.is_cancelled() {
                exit(128 + number);
            }
            tracing::info!("stopping; a second signal ends at once");
            stop.cancel();
        }
    });
    Ok(())
}
