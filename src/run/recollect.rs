//! What was told before this start, where no state says it: read back from the log group that the own output goes to.
//!
//! A container has no disk of its own, but what it printed is in CloudWatch Logs. Not the counts: those are read again
//! from the logs of the APIs. Rule: it takes seconds at most and changes nothing where it fails: then what is still bad is
//! told once more, which is better than never.

use std::sync::Arc;
use std::time::Duration;

use super::post::Decided;
use crate::config::{Config, SinkConfig};
use crate::model::own::OwnGroup;
use crate::model::time::{Timestamp, human};
use crate::notify::json::recall;
use crate::notify::message::Message;
use crate::ops::clock::Clock;
use crate::tail::fetch::{Fetch, FetchError, PageRequest};
use crate::tail::schedule::Ask;

/// How long the start may wait for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// What stands is repeated at least this often, by default: what is older is over, or nobody was there to tell.
const BACK_MIN: Duration = Duration::from_hours(1);
/// Pages at most.
const PAGES_MAX: usize = 20;

/// What the own output says was told of late, as decisions for all sinks that it was for; oldest first.
pub async fn told<F: Fetch>(logs: &F, own: &OwnGroup, config: &Config, clock: &Clock) -> Vec<Decided> {
    let mut found = Vec::new();
    let reading = read(logs, own, config, clock, &mut found);
    let failed = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(())) => None,
        Ok(Err(e)) => Some(e.to_string()),
        Err(_) => Some(format!("it takes longer than {}", human(PATIENCE))),
    };
    if let Some(why) = failed {
        tracing::warn!(
            "what was told before this start is not known as far as it should be, so it may be told again: {} cannot be \
             read: {why}",
            own.name
        );
    }
    found.sort_by_key(|(time, _)| *time);
    let messages = found.into_iter().map(|(_, message)| Arc::new(message));
    let decided: Vec<_> = messages.flat_map(|message| addressed(config, &message)).collect();
    if !decided.is_empty() {
        tracing::info!(messages = decided.len(), "what was told before this start is known from {}", own.name);
    }
    decided
}

/// Newest first, so that what is missed, if anything is, is what matters least.
async fn read<F: Fetch>(
    logs: &F,
    own: &OwnGroup,
    config: &Config,
    clock: &Clock,
    found: &mut Vec<(Timestamp, Message)>,
) -> Result<(), FetchError> {
    let from = clock.now().minus(config.notify.repeat_max.max(config.notify.repeat) + BACK_MIN);
    let mut ask = Ask { from, to: None, token: None, newest_first: true };
    for _ in 0..PAGES_MAX {
        let streams = own.streams.as_deref().map(Arc::from);
        let page = logs.page(&PageRequest { group: own.name.as_str().into(), streams, ask: ask.clone() }).await?;
        let lines = page.events.iter().filter_map(|event| recall::message(event.text.trim_end()));
        found.extend(lines.map(|message| (message.time(), message)));
        match page.next {
            Some(next) => ask.token = Some(next),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// One was printed, for standard output; each sink that is for such messages had its own.
fn addressed(config: &Config, message: &Arc<Message>) -> Vec<Decided> {
    let wants = |sink: &&SinkConfig| match &**message {
        Message::Alert(said) => sink.audience.is_for(&said.alert, &said.api),
        Message::Digest(digest) => digest.members.iter().any(|said| sink.audience.is_for(&said.alert, &said.api)),
        Message::Notice(_) | Message::Test(_) => false,
    };
    let sinks = config.sinks.iter().filter(wants);
    sinks.map(|sink| (Arc::clone(&sink.audience.name), Arc::clone(message))).collect()
}
