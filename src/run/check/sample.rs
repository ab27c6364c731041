//! Whether functions log the API's request ID: the last requests of an API are looked for in its functions' logs.
//!
//! Rule: asked only where the access log does not name invocations itself, and of few requests and log groups: it costs
//! turns of reading.

use std::sync::Arc;
use std::time::Duration;

use super::groups::{Groups, again};
use super::steps::Steps;
use crate::check::evidence::{Sample, Stage};
use crate::model::access_format::names_invocations;
use crate::model::deployed::AccessLog;
use crate::model::event::{Fact, LogEvent};
use crate::model::inventory::{ApiId, Source, SourceKind};
use crate::ops::clock::Clock;
use crate::read::{Reader, Template};
use crate::tail::fetch::{Fetch, FetchError, PageRequest};
use crate::tail::schedule::Ask;

/// How old they are at most.
const BACK: Duration = Duration::from_hours(1);
/// Requests that are looked for.
const REQUESTS: usize = 2;
/// Log groups of functions that they are looked for in.
const GROUPS: usize = 5;

/// Of each API in the order of `stages`, where it was asked and there were requests.
pub(super) async fn look(stages: &[Stage], groups: &Groups, clock: &Clock, steps: &Steps) -> Vec<Option<Sample>> {
    let mut samples = Vec::new();
    for (stage, number) in stages.iter().zip(0..) {
        samples.push(of(stage, ApiId(number), groups, clock, steps).await);
    }
    samples
}

async fn of(stage: &Stage, api: ApiId, groups: &Groups, clock: &Clock, steps: &Steps) -> Option<Sample> {
    let Stage::Found(deployed) = stage else { return None };
    let AccessLog::Group { format, .. } = &deployed.access_log else { return None };
    if names_invocations(format) {
        return None;
    }
    steps.say(&format!("looking for requests of {} in the logs of its functions", deployed.stage.name));
    let own = |source: &&Source| source.apis.contains(&api);
    let (mut access, mut lambda) = (Vec::new(), Vec::new());
    for source in groups.inventory.sources.iter().filter(own) {
        match source.kind {
            SourceKind::Access(_) => access.push(source),
            SourceKind::Lambda => lambda.push(source),
            SourceKind::Execution(_) => {}
        }
    }
    let mut ids = Vec::new();
    for source in access {
        // What cannot be read is a finding already.
        ids.extend(last_ids(source, format, groups, clock).await.unwrap_or_default());
    }
    let requests = ids.len();
    let mut logged = 0;
    for id in ids {
        for source in lambda.iter().take(GROUPS) {
            if mentions(source, &id, groups, clock).await.unwrap_or(false) {
                logged += 1;
                break;
            }
        }
    }
    (requests > 0 && !lambda.is_empty()).then_some(Sample { requests, logged })
}

/// The IDs of the last requests.
async fn last_ids(source: &Source, format: &str, groups: &Groups, clock: &Clock) -> Result<Vec<Box<str>>, FetchError> {
    let (logs, turns) = groups.turns_of(source);
    let ask = Ask { from: clock.now().minus(BACK), to: None, token: None, newest_first: false };
    let request = PageRequest { group: Arc::clone(&source.name), ask, streams: None };
    let page = again(&turns.reading, clock, || logs.page(&request)).await?;
    let mut reader = Reader::of(source.kind, Template::compile(format).ok(), true);
    let mut facts = Vec::new();
    for event in page.events {
        reader.read(LogEvent { stream: event.stream.into(), time: event.time, text: event.text }, &mut facts);
    }
    let ids = facts.into_iter().rev().filter_map(|fact| match fact {
        Fact::Request(request) => request.request_id,
        Fact::Lambda(_) | Fact::Execution(_) => None,
    });
    Ok(ids.take(REQUESTS).collect())
}

async fn mentions(source: &Source, id: &str, groups: &Groups, clock: &Clock) -> Result<bool, FetchError> {
    let (logs, turns) = groups.turns_of(source);
    let from = clock.now().minus(BACK);
    again(&turns.reading, clock, || logs.mentions(&source.name, id, from)).await
}
