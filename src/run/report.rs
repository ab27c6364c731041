//! The daemon's report: put together by the owner of the engine.
//!
//! Not how it is shown. Rule: made only when somebody asks, and between two batches, so that its figures fit together.

use std::sync::Arc;

use super::ongoing::Ongoing;
use super::pipeline::Pipeline;
use super::room::lock;
use super::sources::Sources;
use crate::engine::Engine;
use crate::engine::window::SLOT;
use crate::model::inventory::{ApiId, SourceId};
use crate::model::report::{ApiReport, Detail, Reloads, Report, SourceReport};
use crate::model::summary::Summary;
use crate::model::time::Timestamp;
use crate::read::Unread;

/// What the owner of the engine knows besides.
#[derive(Clone, Debug)]
pub struct Course {
    /// Since when is counted, in all lives.
    pub counted_since: Timestamp,
    /// What goes on from life to life.
    pub ongoing: Ongoing,
}

impl Course {
    /// A source was read to the end, or has failed.
    pub fn tried(&mut self, source: SourceId) {
        self.ongoing.tried.insert(source);
    }

    /// How it is. Sinks, reloads and discovery are not known here.
    pub fn report(&self, pipeline: &Pipeline, sources: &Sources<'_>, detail: Detail, now: Timestamp) -> Report {
        let (engine, inventory) = (pipeline.engine(), sources.inventory());
        let apis = inventory.apis.iter().zip(engine.counted()).zip(0_u16..).map(|((api, counted), id)| ApiReport {
            name: Arc::clone(&api.name),
            watched: inventory.is_watched(ApiId(id)),
            requests: counted.requests,
            failures: counted.failures,
            alerts: counted.alerts,
        });
        let seen: Vec<_> = sources.seen().collect();
        let unread = sources.meters().unread.read();
        let read = sources.read_now().map(|id| {
            let source = inventory.source(id);
            let its = unread.iter().filter(|((of, _), _)| *of == id);
            let its = its.map(|((_, reason), count)| (*reason, *count));
            let (own, unread): (Vec<_>, _) = its.partition(|(reason, _)| *reason == Unread::Own.word());
            SourceReport {
                name: Arc::clone(&source.name),
                kind: source.kind,
                apis: source.apis.clone(),
                region: source.region.clone(),
                role: source.role.clone(),
                reading: engine.reading(id),
                events: lock(seen[id.index()]).events(),
                unread,
                own_lines: own.iter().map(|(_, count)| count).sum(),
                tried: self.ongoing.tried.contains(&id),
            }
        });
        Report {
            now,
            started: self.ongoing.started,
            counted_since: self.counted_since,
            apis: apis.collect(),
            sources: read.collect(),
            unlisted: sources.unlisted(),
            discoveries: Vec::new(),
            summary: (detail == Detail::Full).then(|| summary(engine, now)),
            window: engine.window(),
            firing: pipeline.firing(now),
            dropped: engine.dropped(),
            joins: engine.joins().iter().map(|(join, count)| (*join, *count)).collect(),
            calls: sources.meters().calls(),
            turns: self.ongoing.turns,
            sinks: Vec::new(),
            reloads: Reloads::default(),
        }
    }
}

/// The figures of the display window at `now`. The slot that has begun is among them: what was just counted is there.
pub fn summary(engine: &Engine, now: Timestamp) -> Summary {
    engine.snapshot(now.floor(SLOT).plus(SLOT))
}
