//! The task of one pattern: looks again and again which log groups it names.
//!
//! The shell around `tail::groups`. Rule: a listing that failed changes nothing and is said once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::meter::Meters;
use crate::aws::quota::Quota;
use crate::config::Watched;
use crate::model::time::Timestamp;
use crate::ops::clock::Clock;
use crate::tail::budget::Tier;
use crate::tail::fetch::{FetchError, Problem};
use crate::tail::groups::{Change, Known, List, Listed};

/// Between two listings.
const EVERY: Duration = Duration::from_mins(2);
/// How the service calls a listing.
const DESCRIBE_LOG_GROUPS: &str = "DescribeLogGroups";
/// After one that failed.
const RETRY: Duration = Duration::from_secs(30);

/// A pattern was looked up.
#[derive(Debug)]
pub struct Found {
    /// The pattern.
    pub watched: Arc<Watched>,
    /// What is new; `None` once, when it was looked up for the first time, whatever came of it.
    pub change: Option<Change>,
}

/// What the task shares with others.
#[derive(Clone, Debug)]
pub struct Around {
    /// Where it asks for its turn.
    pub quota: Quota,
    /// The clock.
    pub clock: Clock,
    /// Where its requests are counted.
    pub meters: Meters,
    /// Who is told.
    pub tell: mpsc::Sender<Found>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Looks until `stop`.
pub async fn look_out<L: List>(logs: L, watched: Watched, around: Around) {
    let Around { clock, tell, stop, .. } = &around;
    let watched = Arc::new(watched);
    let mut known = Known::default();
    let mut trouble: Option<Problem> = None;
    let mut empty = false;
    let mut first = true;
    loop {
        let listed = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            listed = list(&logs, &watched, &around) => listed,
        };
        let next = match listed {
            Ok(groups) => {
                trouble = None;
                let none = groups.is_empty();
                if none && !empty {
                    tracing::warn!(
                        "no log group fits {}; it is looked for every {} s",
                        watched.pattern,
                        EVERY.as_secs()
                    );
                }
                empty = none;
                for change in known.update(groups) {
                    if tell.send(Found { watched: Arc::clone(&watched), change: Some(change) }).await.is_err() {
                        return;
                    }
                }
                clock.now().plus(EVERY)
            }
            Err(error) => {
                if trouble.replace(error.problem) != Some(error.problem) {
                    let denied = error.problem == Problem::Denied;
                    let advice = if denied { "allow logs:DescribeLogGroups" } else { error.problem.advice() };
                    tracing::warn!(
                        "log groups that fit {} cannot be listed: {} ({advice})",
                        watched.pattern,
                        error.said
                    );
                }
                clock.now().plus(RETRY)
            }
        };
        if std::mem::take(&mut first) && tell.send(Found { watched: Arc::clone(&watched), change: None }).await.is_err()
        {
            return;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = clock.sleep_until(next) => {}
        }
    }
}

/// The complete listing.
async fn list<L: List>(logs: &L, watched: &Watched, around: &Around) -> Result<Vec<Listed>, FetchError> {
    let mut groups = Vec::new();
    let mut token = None;
    loop {
        let due: Timestamp = around.clock.now();
        around.quota.turn(due.plus(Tier::Discovery.slack())).await;
        let listing = logs.list(&watched.pattern, token.clone()).await;
        around.meters.call(DESCRIBE_LOG_GROUPS, &watched.like, listing.as_ref().err().map(|error| error.problem));
        let listing = listing.inspect_err(|error| {
            if error.problem == Problem::Throttled {
                around.quota.throttled();
            }
        })?;
        groups.extend(listing.groups);
        match listing.next.filter(|next| !next.is_empty() && Some(next) != token.as_ref()) {
            Some(next) => token = Some(next),
            None => return Ok(groups),
        }
    }
}
