//! The daemon: watches the configured APIs and sends messages to the sinks until it is stopped.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::pipeline::Said;
use super::post::Opening;
use crate::aws::clients::Clients;
use crate::aws::publish::SnsPublish;
use crate::config::{Config, SinkKind};
use crate::notify::sink::{Sns, Stdout, StdoutFormat};
use crate::ops::clock::Clock;
use crate::state::store::Store;

/// Format of the snapshot's content.
const SNAPSHOT: u32 = 1;

/// How the daemon runs, besides what the configuration says.
#[derive(Debug)]
pub struct Options {
    /// The clock.
    pub clock: Clock,
    /// Whether every request is handed out.
    pub requests: bool,
    /// Where state is kept; `None` keeps none.
    pub state_dir: Option<PathBuf>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Runs until `stop`; `hear` gets what is said besides the sinks (the demo shows it).
///
/// # Errors
/// When the state folder cannot be used, or a task failed.
pub async fn run(config: Config, mut clients: Clients, options: Options, mut hear: impl FnMut(&Said)) -> Result<()> {
    let Options { clock, requests, state_dir, stop } = options;
    let region = clients.region().unwrap_or("-").to_owned();
    let inventory = Arc::new(config.inventory(&region));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        region,
        "watching {} log groups; {}",
        inventory.sources.len(),
        config.summary()
    );
    let (_store, mut opening) = open_state(state_dir.as_deref())?;
    name_sinks(&mut opening, &config, &mut clients);
    let mut post = opening.start();
    let history = config.longest_window();
    let live = Live { config, inventory, clock, history, requests, stop };
    let outcome = live
        .watch(&mut clients, |said| {
            hear(&said);
            if let Said::Message(message) = said {
                post.put(&message);
            }
        })
        .await;
    post.stop().await;
    outcome.map(|_| ())?;
    tracing::info!("stopped");
    Ok(())
}

/// Opens the state folder, if there is to be one, and the journal in it. A full disk is no reason not to watch; another
/// process in the folder, or one that cannot be used, is a mistake that is said before anything starts.
fn open_state(folder: Option<&Path>) -> Result<(Option<Store>, Opening)> {
    let Some(folder) = folder else { return Ok((None, Opening::new())) };
    let opened = Store::open(folder, SNAPSHOT).and_then(|(store, opened)| {
        let how = if opened.made { "made" } else { "opened" };
        tracing::info!(leftovers = opened.leftovers, "state folder {} {how}", folder.display());
        Opening::kept(&store, 0).map(|opening| (Some(store), opening))
    });
    match opened {
        Err(e) if e.is_full() => {
            tracing::error!("{e}; no state is kept in this run");
            Ok((None, Opening::new()))
        }
        opened => Ok(opened?),
    }
}

fn name_sinks(opening: &mut Opening, config: &Config, clients: &mut Clients) {
    for sink in &config.sinks {
        match &sink.kind {
            SinkKind::Stdout(format) => {
                let text = match format {
                    StdoutFormat::Auto => std::io::stdout().is_terminal(),
                    StdoutFormat::Text => true,
                    StdoutFormat::Json => false,
                };
                opening.sink(Stdout::new(std::io::stdout(), text, sink.min_severity));
            }
            SinkKind::Sns { topic_arn, region, format } => {
                let publish = SnsPublish::new(clients.sns(region));
                opening.sink(Sns::new(publish, topic_arn.as_str().into(), *format, sink.min_severity));
            }
        }
    }
}
