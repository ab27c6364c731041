//! The daemon: watches the configured APIs and sends messages to the sinks until it is stopped.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::keep::{Keep, Restored, Synced, VERSION};
use super::live::{Ear, Live};
use super::pipeline::Said;
use super::post::{Opening, Post};
use super::sinks;
use crate::aws::clients::Clients;
use crate::config::Config;
use crate::model::report::Report;
use crate::ops::clock::Clock;
use crate::ops::inquiry::Questions;
use crate::state::store::Store;

/// How the daemon runs, besides what the configuration says.
#[derive(Debug)]
pub struct Options {
    /// The clock.
    pub clock: Clock,
    /// Whether every request is handed out.
    pub requests: bool,
    /// Where state is kept; `None` keeps none.
    pub state_dir: Option<PathBuf>,
    /// Where others ask how it is, if they can.
    pub questions: Option<Questions>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Runs until `stop`; `hear` gets what is said besides the sinks (the demo shows it).
///
/// # Errors
/// When a sink cannot work ([`sinks::Unusable`]), the state folder cannot be used, or a task failed.
pub async fn run(config: Config, mut clients: Clients, options: Options, hear: impl FnMut(&Said)) -> Result<()> {
    let Options { clock, requests, state_dir, questions, stop } = options;
    let region = clients.region().unwrap_or("-").to_owned();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), region, "{}", config.summary());
    let sinks = sinks::open(&config, &mut clients)?;
    let (keep, mut opening) = open_state(state_dir.as_deref())?;
    // Also where nothing was saved: a plan that knows nothing must not number its messages as others were.
    let decided = keep.as_ref().map_or(0, |(_, restored)| restored.decided);
    let said_since = opening.decisions_after(decided);
    if let Some(summary) = keep.as_ref().and_then(|(_, restored)| restored.summary(clock.now())) {
        tracing::info!("{summary}");
    }
    for (name, sink) in sinks {
        opening.sink(name, sink);
    }
    let history = config.longest_window();
    let live = Live { config, region, clock, history, requests, questions, keep, said_since, stop };
    let mut desk = Desk { post: opening.start(), hear };
    let outcome = Box::pin(live.watch(&mut clients, &mut desk)).await;
    desk.post.stop().await;
    outcome.map(|_| ())?;
    tracing::info!("stopped");
    Ok(())
}

/// What is said goes to the sinks, and to whoever else hears it.
struct Desk<H> {
    post: Post,
    hear: H,
}

impl<H: FnMut(&Said)> Ear for Desk<H> {
    fn hear(&mut self, said: Said) {
        (self.hear)(&said);
        if let Said::Message { to, message } = said {
            self.post.put(&to, &message);
        }
    }

    fn last(&self) -> u64 {
        self.post.last()
    }

    fn synced(&self) -> Synced {
        Box::pin(self.post.synced())
    }

    fn saved(&mut self, number: u64) {
        self.post.forget_through(number);
    }

    fn report(&self, report: &mut Report) {
        report.sinks = self.post.report();
    }
}

/// Opens the state folder, if there is to be one, and the journal in it. A full disk is no reason not to watch; another
/// process in the folder, or one that cannot be used, is a mistake that is said before anything starts.
fn open_state(folder: Option<&Path>) -> Result<(Option<(Keep, Restored)>, Opening)> {
    let Some(folder) = folder else { return Ok((None, Opening::new())) };
    let opened = Store::open(folder, VERSION).and_then(|(store, opened)| {
        let how = if opened.made { "made" } else { "opened" };
        tracing::info!(leftovers = opened.leftovers, "state folder {} {how}", folder.display());
        let (keep, restored) = Keep::load(store)?;
        let opening = Opening::kept(keep.store(), restored.decided)?;
        Ok((Some((keep, restored)), opening))
    });
    match opened {
        Err(e) if e.is_full() => {
            tracing::error!("{e}; no state is kept in this run");
            Ok((None, Opening::new()))
        }
        opened => Ok(opened?),
    }
}
