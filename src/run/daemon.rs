//! The daemon: watches the configured APIs and sends messages to the sinks until it is stopped.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::pipeline::Said;
use crate::aws::clients::Clients;
use crate::aws::publish::SnsPublish;
use crate::config::{Config, SinkKind};
use crate::notify::outbox::{Delivery, Outbox};
use crate::notify::sink::{Sns, Stdout, StdoutFormat};
use crate::ops::clock::Clock;

/// How long sinks may go on delivering after the stop.
const DRAIN: Duration = Duration::from_secs(7);
/// What a sink has after that to give up in order.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs until `stop`; `hear` gets what is said besides the sinks (the demo shows it).
///
/// # Errors
/// When a task failed.
pub async fn run(
    config: Config,
    mut clients: Clients,
    clock: Clock,
    requests: bool,
    stop: CancellationToken,
    mut hear: impl FnMut(&Said),
) -> Result<()> {
    let region = clients.region().unwrap_or("-").to_owned();
    let inventory = Arc::new(config.inventory(&region));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        region,
        "watching {} log groups; {}",
        inventory.sources.len(),
        config.summary()
    );
    let deadline = CancellationToken::new();
    let sinks = start_sinks(&config, &mut clients, &deadline);
    let history = config.longest_window();
    let live = Live { config, inventory, clock, history, requests, stop };
    let outcome = live
        .watch(&mut clients, |said| {
            hear(&said);
            if let Said::Message(message) = said {
                for (outbox, _) in &sinks {
                    outbox.put(&message);
                }
            }
        })
        .await;
    drain(sinks, &deadline).await;
    outcome.map(|_| ())?;
    tracing::info!("stopped");
    Ok(())
}

fn start_sinks(config: &Config, clients: &mut Clients, deadline: &CancellationToken) -> Vec<(Outbox, Delivery)> {
    let sinks = config.sinks.iter().map(|sink| match &sink.kind {
        SinkKind::Stdout(format) => {
            let text = match format {
                StdoutFormat::Auto => std::io::stdout().is_terminal(),
                StdoutFormat::Text => true,
                StdoutFormat::Json => false,
            };
            Outbox::start(Stdout::new(std::io::stdout(), text, sink.min_severity), deadline.clone())
        }
        SinkKind::Sns { topic_arn, region, format } => {
            let publish = SnsPublish::new(clients.sns(region));
            let sns = Sns::new(publish, topic_arn.as_str().into(), *format, sink.min_severity);
            Outbox::start(sns, deadline.clone())
        }
    });
    sinks.collect()
}

/// Closes all queues, then waits for all of them together: [`DRAIN`] for them to deliver, a moment more for them to
/// say what they could not. What hangs even then, such as a write to a pipe that nobody reads, is left behind.
async fn drain(sinks: Vec<(Outbox, Delivery)>, deadline: &CancellationToken) {
    let mut deliveries: Vec<Delivery> = sinks.into_iter().map(|(_, delivery)| delivery).collect();
    let timer = async {
        tokio::time::sleep(DRAIN).await;
        deadline.cancel();
        tokio::time::sleep(LAST_WORDS).await;
    };
    let all = async {
        for delivery in &mut deliveries {
            if let Err(panic) = (&mut delivery.task).await {
                tracing::error!("sink {} failed: {panic}", delivery.name);
            }
        }
    };
    tokio::select! {
        biased;
        () = all => {}
        () = timer => {}
    }
    for delivery in deliveries.iter().filter(|d| !d.task.is_finished()) {
        tracing::warn!("sink {} did not finish within {} s and is left behind", delivery.name, DRAIN.as_secs());
        delivery.abandon();
    }
}
