//! Keeping the state: what is saved, when, and how it comes back.
//!
//! A snapshot holds engine, plan, positions and the ids of the last seconds; ids that are older stand in segments that
//! are written once. It is cut between two batches and written by a thread of its own. Not the files: that is `state`.
//! Rule: a state that cannot be written is said once and tried again; it never stops the watching.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::ongoing::Ongoing;
use super::pipeline::{Pipeline, Saved};
use super::room::lock;
use super::sources::Sources;
use crate::model::inventory::{Api, Inventory, Source, SourceId};
use crate::model::time::{Timestamp, human};
use crate::ops::clock::Clock;
use crate::state::set_aside::Reason;
use crate::state::store::{Loaded, SegmentName, StateError, Store};
use crate::tail::ids::Place;
use crate::tail::seen::{self, Seen};

/// Version of what is saved here; engine and plan have their own.
pub const VERSION: u32 = 2;
/// Between two snapshots, at least.
const EVERY: Duration = Duration::from_secs(5);
/// A snapshot takes at most this part of the time.
const SHARE: u32 = 20;
/// Between two snapshots, at most, however long one takes: a clock that is corrected meanwhile makes it look like hours.
const LONGEST: Duration = Duration::from_mins(10);
/// So many ids are put into a segment.
const SEGMENT_MIN: usize = 32_768;

/// What a snapshot holds.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    began: Timestamp,
    written: Timestamp,
    /// Names, by number.
    apis: Vec<String>,
    /// By number.
    sources: Vec<Source>,
    /// By number.
    seen: Vec<seen::Saved>,
    /// By segment.
    segments: Vec<Latest>,
    engine: Vec<u8>,
    plans: Vec<u8>,
    /// The last message that the plan knows of.
    decided: u64,
}

/// Whether what was said so far can no longer be lost.
pub type Synced = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Ids of a segment: by number of the source.
type SegmentIds = Vec<(u16, Vec<Place>)>;

/// The latest minute of event time in a segment, of each source that has ids in it: one that cannot be read for weeks
/// keeps its own ids and not those of all others.
type Latest = Vec<(u16, i64)>;

/// What was saved, to go on from.
#[derive(Debug, Default)]
pub struct Restored {
    /// Since when is counted; `None` where nothing was saved.
    pub began: Option<Timestamp>,
    /// When it was saved; `None` where nothing was.
    pub written: Option<Timestamp>,
    /// APIs (their names only) and sources, by number. No API names a source yet.
    pub inventory: Inventory,
    /// By number of the source.
    pub seen: Vec<Seen>,
    /// Engine and plan.
    pub pipeline: Option<Saved>,
    /// The last message that the plan knows of.
    pub decided: u64,
    /// What only a life of the same process hands over.
    pub ongoing: Option<Ongoing>,
}

/// Ids that stand in no segment file yet.
#[derive(Debug)]
struct Unwritten {
    bytes: Vec<u8>,
    latest: Latest,
}

/// The state as it is kept.
#[derive(Debug)]
pub struct Keep {
    /// `None` while it is being written.
    store: Option<Store>,
    segments: Vec<(SegmentName, Latest)>,
    unwritten: Vec<Unwritten>,
    writing: Option<JoinHandle<Written>>,
    /// Since when is counted.
    began: Option<Timestamp>,
    next: Timestamp,
    /// When the last one was cut.
    cut: Timestamp,
    /// Saving failed the last time.
    failing: bool,
    /// How long the last one took, cut and all.
    took: Duration,
}

/// A snapshot that was written, or could not be.
#[derive(Debug)]
struct Written {
    store: Store,
    segments: Vec<(SegmentName, Latest)>,
    unwritten: Vec<Unwritten>,
    outcome: std::io::Result<()>,
    decided: u64,
    began: Timestamp,
}

/// A snapshot that was cut and is to be written.
#[derive(Debug)]
struct Job {
    store: Store,
    segments: Vec<(SegmentName, Latest)>,
    unwritten: Vec<Unwritten>,
    content: Content,
    decided: u64,
    began: Timestamp,
}

impl Job {
    fn write(mut self, synced: bool) -> Written {
        let outcome = if synced { self.save() } else { Err(std::io::Error::other("the journal cannot be written")) };
        let Self { store, segments, unwritten, decided, began, .. } = self;
        Written { store, segments, unwritten, outcome, decided, began }
    }

    fn save(&mut self) -> std::io::Result<()> {
        while let Some(first) = self.unwritten.first() {
            let name = self.store.write_segment(&first.bytes)?;
            self.segments.push((name, self.unwritten.remove(0).latest));
        }
        let names: Vec<SegmentName> = self.segments.iter().map(|(name, _)| *name).collect();
        self.store.save(&bytes(&self.content), &names)
    }
}

/// Writes a snapshot in a thread where waiting for a disk holds up nobody.
async fn write(job: Job, synced: Synced) -> Written {
    let synced = synced.await;
    let written = tokio::task::spawn_blocking(move || job.write(synced)).await;
    written.expect("writing files does not panic")
}

impl Keep {
    /// What was saved in an open store, and the means to go on saving.
    ///
    /// # Errors
    /// When what is of no use cannot be set aside.
    pub fn load(mut store: Store) -> Result<(Self, Restored), StateError> {
        let mut segments = Vec::new();
        let restored = match store.load()? {
            Loaded::Nothing => Restored::default(),
            Loaded::SetAside(set_aside) => {
                tracing::warn!("{set_aside}; starting without it");
                Restored::default()
            }
            Loaded::Snapshot { bytes, segments: files } => match restore(&bytes, &files) {
                Ok((restored, latest)) => {
                    segments = files.iter().map(|(name, _)| *name).zip(latest).collect();
                    restored
                }
                Err(why) => {
                    let set_aside = store.set_aside(Reason::Unusable(why))?;
                    tracing::warn!("{set_aside}; starting without it");
                    Restored::default()
                }
            },
        };
        let keep = Self {
            began: restored.began,
            store: Some(store),
            segments,
            unwritten: Vec::new(),
            writing: None,
            next: Timestamp::MIN,
            cut: Timestamp::MIN,
            failing: false,
            took: Duration::ZERO,
        };
        Ok((keep, restored))
    }

    /// The state folder.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.store.as_ref().expect("nothing is written before the watching begins")
    }

    /// The engine could not use what was saved. A snapshot that is being written comes to its end first.
    pub async fn set_aside(mut self, why: String, now: Timestamp) -> Option<Self> {
        if let Some(writing) = self.writing.take() {
            match writing.await {
                Ok(written) => _ = self.settle(written, now),
                Err(panic) => tracing::error!("the state is no longer saved: {panic}"),
            }
        }
        let set_aside = self.store.as_mut()?.set_aside(Reason::Unusable(why));
        self.segments.clear();
        self.unwritten.clear();
        self.began = None;
        match set_aside {
            Ok(set_aside) => tracing::warn!("{set_aside}; starting without it"),
            Err(error) => {
                tracing::error!("{error}; going on without keeping the state");
                return None;
            }
        }
        Some(self)
    }

    /// When the next snapshot is due; `None` while one is being written.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        // A clock that was set back has no say in it.
        self.store.as_ref().map(|_| if now < self.cut { now } else { self.next })
    }

    /// Cuts a snapshot and begins to write it. `decided` is the last message that was decided, and when it is safe.
    pub fn begin(&mut self, pipeline: &Pipeline, sources: &Sources<'_>, decided: (u64, Synced), now: Timestamp) {
        let Some(store) = self.store.take() else { return };
        let job = self.cut(store, pipeline, sources, decided.0, now);
        self.cut = now;
        self.next = now.plus(pause(self.took));
        self.writing = Some(tokio::spawn(write(job, decided.1)));
    }

    /// Waits until the snapshot that is being written is; for ever if none is. Returns the last message that it knows.
    pub async fn written(&mut self, clock: &Clock) -> u64 {
        loop {
            let Some(writing) = &mut self.writing else { return std::future::pending().await };
            let written = writing.await;
            self.writing = None;
            let written = written.inspect_err(|panic| tracing::error!("the state is no longer saved: {panic}"));
            if let Some(decided) = written.ok().and_then(|written| self.settle(written, clock.now())) {
                return decided;
            }
        }
    }

    /// The last snapshot. Returns the last message that it knows.
    pub async fn finish(
        mut self,
        pipeline: &Pipeline,
        sources: &Sources<'_>,
        decided: (u64, Synced),
        now: Timestamp,
    ) -> Option<u64> {
        if let Some(writing) = self.writing.take() {
            self.settle(writing.await.ok()?, now);
        }
        let store = self.store.take()?;
        let job = self.cut(store, pipeline, sources, decided.0, now);
        self.settle(write(job, decided.1).await, now)
    }

    /// One consistent cut, and what writes it.
    fn cut(&mut self, store: Store, pipeline: &Pipeline, sources: &Sources<'_>, decided: u64, now: Timestamp) -> Job {
        self.segment(sources, now);
        let segments = std::mem::take(&mut self.segments);
        let unwritten = std::mem::take(&mut self.unwritten);
        let Saved { engine, plans } = pipeline.save();
        let latest = segments.iter().map(|(_, latest)| latest).chain(unwritten.iter().map(|u| &u.latest));
        let latest = latest.cloned().collect();
        let inventory = sources.inventory();
        let content = Content {
            began: *self.began.get_or_insert(now),
            written: now,
            apis: inventory.apis.iter().map(|api| api.name.to_string()).collect(),
            sources: inventory.sources.clone(),
            seen: sources.seen().map(|seen| lock(seen).save()).collect(),
            segments: latest,
            engine,
            plans,
            decided,
        };
        Job { store, segments, unwritten, content, decided, began: now }
    }

    /// Moves ids into a new segment where there are enough of them, and drops segments that no read needs any more.
    fn segment(&mut self, sources: &Sources<'_>, now: Timestamp) {
        // A source that no API names keeps its own with the snapshot, and nobody's segments are kept on its account.
        let inventory = Arc::clone(sources.inventory());
        let is_named = |number: u16| inventory.source(SourceId(number)).is_named();
        let oldest = |(seen, number)| is_named(number).then(|| lock(seen).ring().oldest()).flatten();
        let oldest: Vec<Option<i64>> = sources.seen().zip(0_u16..).map(oldest).collect();
        self.segments.retain(|(_, latest)| is_needed(latest, &oldest));
        let named = || sources.seen().zip(0_u16..).filter(|(_, number)| is_named(*number));
        let unsaved: usize = named().map(|(seen, _)| lock(seen).unsaved()).sum();
        if unsaved < SEGMENT_MIN {
            return;
        }
        let ids = named().map(|(seen, number)| (number, lock(seen).segment(now)));
        let ids: SegmentIds = ids.filter(|(_, ids)| !ids.is_empty()).collect();
        if !ids.is_empty() {
            let latest = |places: &[Place]| places.iter().map(|place| place.minute).max();
            let latest = ids.iter().filter_map(|(number, places)| Some((*number, latest(places)?))).collect();
            self.unwritten.push(Unwritten { bytes: bytes(&ids), latest });
        }
    }

    fn settle(&mut self, written: Written, now: Timestamp) -> Option<u64> {
        let folder = written.store.folder().display().to_string();
        (self.store, self.segments, self.unwritten) = (Some(written.store), written.segments, written.unwritten);
        self.took = now.since(written.began);
        match written.outcome {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the state is saved in {folder} again");
                }
                Some(written.decided)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        "the state cannot be saved in {folder}: {error}; watching goes on, and it is tried again"
                    );
                }
                None
            }
        }
    }
}

impl Restored {
    /// What one life leaves to the next of the same process, once nobody reads any more: the same as what is saved.
    #[must_use]
    pub fn handed(pipeline: Pipeline, sources: &Sources<'_>, began: Timestamp, ongoing: Ongoing) -> Self {
        let take = |seen| {
            let mut seen: Seen = std::mem::take(&mut *lock(seen));
            seen.take_back();
            seen
        };
        let saved = pipeline.save();
        Self {
            began: Some(began),
            written: None,
            inventory: unnamed(&sources.inventory().apis, sources.inventory().sources.clone()),
            seen: sources.seen().map(take).collect(),
            pipeline: Some(saved),
            decided: 0,
            ongoing: Some(Ongoing { looked: pipeline.into_looked(), listed: sources.patterns().to_vec(), ..ongoing }),
        }
    }

    /// The sentence that says at the start what was found.
    #[must_use]
    pub fn summary(&self, now: Timestamp) -> Option<String> {
        let ago = now.since(self.written?);
        Some(format!("going on from the state of {} ago", human(ago)))
    }
}

/// APIs and sources by number, with nobody who names a source: the configuration does that anew.
fn unnamed(apis: &[Api], sources: Vec<Source>) -> Inventory {
    let nobody = |source: Source| Source { apis: Vec::new(), ..source };
    Inventory {
        apis: apis.iter().map(|api| Api::plain(&api.name)).collect(),
        sources: sources.into_iter().map(nobody).collect(),
    }
}

/// From one snapshot to the next, where the last took so long.
fn pause(took: Duration) -> Duration {
    took.saturating_mul(SHARE).clamp(EVERY, LONGEST)
}

/// Whether a source still remembers ids that may stand in a segment; `oldest` is by number of the source.
fn is_needed(latest: &[(u16, i64)], oldest: &[Option<i64>]) -> bool {
    let remembered = |number: u16| oldest.get(usize::from(number)).copied().flatten();
    latest.iter().any(|(number, latest)| remembered(*number).is_some_and(|oldest| oldest <= *latest))
}

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain values can be written")
}

/// What a snapshot holds, and what is known of its segments.
fn restore(content: &[u8], files: &[(SegmentName, Vec<u8>)]) -> Result<(Restored, Vec<Latest>), String> {
    let content: Content =
        postcard::from_bytes(content).map_err(|error| format!("its content cannot be read: {error}"))?;
    let mut seen: Vec<Seen> = content.seen.into_iter().map(Seen::restore).collect();
    if seen.len() != content.sources.len() || files.len() != content.segments.len() {
        return Err("its parts do not fit together".to_owned());
    }
    for (_, file) in files {
        let ids: SegmentIds =
            postcard::from_bytes(file).map_err(|error| format!("a segment cannot be read: {error}"))?;
        for (number, ids) in ids {
            let seen = seen.get_mut(usize::from(number)).ok_or("a segment is of a source that it does not have")?;
            seen.add(&ids);
        }
    }
    let apis: Vec<Api> = content.apis.iter().map(|name| Api::plain(name)).collect();
    let inventory = unnamed(&apis, content.sources);
    let pipeline = Some(Saved { engine: content.engine, plans: content.plans });
    let restored = Restored {
        began: Some(content.began),
        written: Some(content.written),
        inventory,
        seen,
        pipeline,
        decided: content.decided,
        ongoing: None,
    };
    Ok((restored, content.segments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_come_however_wrong_the_clock_was() {
        let s = Duration::from_secs;
        assert_eq!([s(0), s(1), s(7200)].map(pause), [EVERY, s(20), LONGEST]);
    }

    #[test]
    fn a_source_that_cannot_be_read_keeps_no_segments_of_others() {
        let (both, later) = (vec![(0, 10), (1, 12)], vec![(1, 20)]);
        // Source 0 was read until minute 10 and never again; source 1 goes on.
        let oldest = [Some(5), Some(80)];
        assert!(is_needed(&both, &oldest) && !is_needed(&later, &oldest));
        assert!(is_needed(&later, &[None, Some(20)]));
        assert!(!is_needed(&both, &[]), "nobody remembers anything");
    }
}
