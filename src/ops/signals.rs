//! Signals: the first SIGTERM or ctrl-c asks for an orderly stop, the second ends the process at once; SIGHUP asks for
//! the configuration to be read anew.

use std::process::exit;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Cancels `stop` at the first signal; at the second does what is `last` to be done and exits with 128 and its number.
///
/// # Errors
/// When the operating system refuses a signal handler.
pub fn stop_on_signals(stop: CancellationToken, last: fn()) -> std::io::Result<()> {
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
                last();
                exit(128 + number);
            }
            tracing::info!("stopping; a second signal ends at once");
            stop.cancel();
        }
    });
    Ok(())
}

/// Something arrives here for each SIGHUP; of several while nobody looks, once.
///
/// # Errors
/// When the operating system refuses a signal handler.
pub fn reload_on_signal() -> std::io::Result<mpsc::Receiver<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (ask, asked) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if ask.try_send(()).is_err() && ask.is_closed() {
                return;
            }
        }
    });
    Ok(asked)
}
