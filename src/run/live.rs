//! Live reading: a task for each source, one owner of the engine, and a stop that loses nothing.
//!
//! What the daemon and `--follow` share. Rule: a full channel slows the reading down and drops nothing; a task that
//! panics ends the run with an error, because a daemon whose poller died silently is the worst outcome.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use super::pipeline::{Pipeline, Said};
use super::poll::{Delivery, Polling, poll};
use crate::aws::clients::Clients;
use crate::aws::fetch::LogsFetch;
use crate::config::Config;
use crate::engine;
use crate::model::inventory::{Inventory, SourceId, SourceKind};
use crate::model::summary::Summary;
use crate::model::time::Timestamp;
use crate::ops::clock::Clock;
use crate::tail::schedule::Pace;

/// Batches between the sources and the engine. One per source is under way at a time, so this is enough for each to
/// hand on without waiting for the others.
const CHANNEL: usize = 64;
/// Between two lines about what was left out.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// What to watch, and how.
#[derive(Debug)]
pub struct Live {
    /// The configuration.
    pub config: Config,
    /// The inventory made from it.
    pub inventory: Arc<Inventory>,
    /// The clock.
    pub clock: Clock,
    /// How far back the first read reaches.
    pub history: Duration,
    /// Whether every request is handed out.
    pub requests: bool,
    /// Ends it.
    pub stop: CancellationToken,
}

impl Live {
    /// Watches until `stop`; `hear` gets what is said. Returns the figures of the last window.
    ///
    /// # Errors
    /// When a task failed. What AWS answers is never an error here: it is said, and tried again.
    pub async fn watch(self, clients: &mut Clients, hear: impl FnMut(Said)) -> Result<Summary> {
        let mut tasks = JoinSet::new();
        let (out, deliveries) = mpsc::channel(CHANNEL);
        let origin = self.clock.now().minus(self.history);
        for (source, id) in self.inventory.sources.iter().zip(0_u16..) {
            let region = source.region.as_deref().context("every source has a Region")?;
            let lag = self.config.regular_lag(source);
            let polling = Polling {
                id: SourceId(id),
                source: source.clone(),
                pace: Pace::new(self.config.interval, lag, self.config.longest_window()),
                origin,
                max_ids: self.config.max_ids,
                format: self.config.format(source.kind),
                // A request that the execution log has counted is told by its ID.
                requests: self.requests
                    || matches!(source.kind, SourceKind::Access(api) if self.inventory.has_execution(api)),
            };
            let fetch = LogsFetch::new(clients.logs(region));
            tasks.spawn(poll(fetch, polling, self.clock.clone(), out.clone(), self.stop.clone()));
        }
        drop(out);
        let settings = engine::Settings {
            rules: self.config.rules.clone(),
            source_blind: self.config.source_blind,
            blind_after: self.config.blind_after(),
            window: self.config.window,
            max_endpoints: self.config.max_endpoints,
            max_invocations: self.config.max_invocations,
            requests: self.requests,
            ..engine::Settings::new(Arc::clone(&self.inventory))
        };
        let pipeline = Pipeline::new(settings, self.config.notify);
        drive(pipeline, ReceiverStream::new(deliveries), &self.clock, &mut tasks, &self.stop, hear).await
    }
}

/// Feeds the pipeline until the stream ends, which it does when all sources have stopped.
async fn drive(
    mut pipeline: Pipeline,
    mut deliveries: impl Stream<Item = Delivery> + Unpin,
    clock: &Clock,
    tasks: &mut JoinSet<()>,
    stop: &CancellationToken,
    mut hear: impl FnMut(Said),
) -> Result<Summary> {
    let mut said_dropped = (Timestamp::MIN, engine::Dropped::default());
    // From here on a log that is never read is waited for.
    pipeline.tick(clock.now()).into_iter().for_each(&mut hear);
    loop {
        let deadline = pipeline.next_deadline();
        tokio::select! {
            delivery = deliveries.next() => match delivery {
                Some(Delivery::Facts { batch, taken }) => {
                    pipeline.batch(batch, clock.now()).into_iter().for_each(&mut hear);
                    // The source may have been stopped meanwhile; then its ids are of no more use.
                    let _ = taken.send(());
                    complain(&mut said_dropped, pipeline.engine().dropped(), clock.now());
                }
                Some(Delivery::Blind { source, problem, said }) => pipeline.blind(source, problem, &said, clock.now()),
                Some(Delivery::Absent { source, from, to, problem }) => {
                    pipeline.absence(source, from, to, problem, clock.now());
                }
                Some(Delivery::CaughtUp { source, unread_before }) => {
                    pipeline.caught_up(source, unread_before, clock.now());
                }
                None => break,
            },
            () = clock.sleep_until(deadline.unwrap_or(Timestamp::MIN)), if deadline.is_some() => {
                pipeline.tick(clock.now()).into_iter().for_each(&mut hear);
            }
            Some(ended) = tasks.join_next() => {
                if let Err(panic) = ended {
                    stop.cancel();
                    return Err(panic).context("a reading task failed");
                }
            }
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a reading task failed")?;
    }
    pipeline.close().into_iter().for_each(&mut hear);
    complain(&mut (Timestamp::MIN, said_dropped.1), pipeline.engine().dropped(), clock.now());
    match pipeline.engine().future_requests() {
        0 => {}
        n => tracing::info!("{n} requests were stamped in the future and counted when they came"),
    }
    Ok(pipeline.engine().snapshot(clock.now()))
}

/// Says what was left out, at most once a minute while it grows.
fn complain(said: &mut (Timestamp, engine::Dropped), dropped: engine::Dropped, now: Timestamp) {
    if dropped != said.1 && now.since(said.0) >= COMPLAIN_EVERY {
        *said = (now, dropped);
        tracing::warn!("left out or cut so far: {dropped}");
    }
}
