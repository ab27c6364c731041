//! APIs with `discover`, while the daemon runs: they are looked at in the background, and what has changed is told.
//!
//! One look at a time: the control plane allows few calls. Not what is made of it: the daemon begins a new life with
//! other log groups. Rule: nothing waits for a look, neither the start nor the other APIs; what was found last is kept
//! in the state folder and used until there is an answer.

mod atlas;
mod explorer;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::atlas::{Atlas, Say};
pub use self::atlas::{Look, Miss, Why};
pub use self::explorer::Explorer;
use crate::config::Config;
use crate::config::found::Found;
use crate::config::gap::Gap;
use crate::config::sought::Sought;
use crate::model::report::DiscoveryReport;
use crate::model::text::printable;
use crate::model::time::Timestamp;
use crate::ops::clock::Clock;
use crate::state::blob::Blob;
use crate::state::store::Store;

/// Name of the blob.
const NAME: &str = "discovered";
/// Version of [`Found`] and [`Sought`] as they are kept.
const VERSION: u32 = 1;
/// A look takes no longer: an API of a thousand methods is asked within half of it.
const LOOK_MAX: Duration = Duration::from_mins(3);

/// Between two glances at whether the first looks are over.
const SETTLING: Duration = Duration::from_millis(100);

/// Looks at an API.
pub trait Explore: Send + 'static {
    /// Looks at one.
    fn explore<'a>(&'a mut self, sought: &'a Sought) -> Pin<Box<dyn Future<Output = Look> + Send + 'a>>;
}

/// The looking, as the daemon sees it.
#[derive(Clone, Debug)]
pub struct Discovery(Arc<Shared>);

/// The task that looks.
#[derive(Debug)]
pub struct Looking {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Shared {
    atlas: Mutex<Atlas>,
    running: Mutex<Running>,
    /// Others are to be looked at.
    wake: Notify,
    /// Something else was found.
    changed: Notify,
}

/// What is watched.
#[derive(Debug, Default)]
struct Running {
    /// As it was configured.
    wanted: Config,
    /// With what was found.
    filled: Config,
    /// The Region of APIs that name none.
    region: String,
}

/// No code panics between two halves of a change, so a poisoned lock is still good.
fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Discovery {
    /// Begins; nothing is sought yet. What was found is kept in `store`.
    #[must_use]
    pub fn start(explore: impl Explore, store: Option<&Store>, clock: Clock) -> (Self, Looking) {
        let blob = store.map(|store| Blob::of(store, NAME, VERSION));
        let kept = blob.as_ref().map(kept).unwrap_or_default();
        let shared = Arc::new(Shared { atlas: Mutex::new(Atlas::of(kept)), ..Shared::default() });
        let stop = CancellationToken::new();
        let work = look(explore, Arc::clone(&shared), blob, clock);
        let ended = stop.clone();
        let task = tokio::spawn(async move {
            ended.run_until_cancelled(work).await;
        });
        (Self(shared), Looking { task, stop })
    }

    /// From now on the APIs of this configuration are looked at, at once and then from time to time. Returns it with
    /// what is known filled in: that is watched from now on.
    #[must_use]
    pub fn seek(&self, wanted: Config, region: &str, now: Timestamp) -> Config {
        let sought = wanted.apis.iter().filter_map(|api| wanted.sought(api, region));
        lock(&self.0.atlas).seek(sought, wanted.poll.discover_interval, now);
        *lock(&self.0.running) = Running { filled: Config::default(), region: region.to_owned(), wanted };
        self.0.wake.notify_one();
        self.fill()
    }

    /// The configuration with what is known filled in: that is watched from now on. What cannot be used is said.
    #[must_use]
    pub fn fill(&self) -> Config {
        let known = lock(&self.0.atlas).known();
        let mut running = lock(&self.0.running);
        let resolved = running.wanted.resolved(&known, &running.region);
        for (api, why) in resolved.refused {
            tracing::error!("what was found of API {api} cannot be watched: {why}");
        }
        running.filled = resolved.config;
        running.filled.clone()
    }

    /// Waits until each API was looked at once, though not for long. Returns the configuration with what is known then.
    ///
    /// For a start that knows what was told and has no state: what was told of an API that is still sought would look as
    /// if it were of one that is no more.
    pub async fn settled(&self, patience: Duration) -> Config {
        let looked = async {
            while self.report().iter().any(|api| !api.tried && !api.watched && api.failed == 0) {
                tokio::time::sleep(SETTLING).await;
                let _ = self.fill();
            }
        };
        let _ = tokio::time::timeout(patience, looked).await;
        self.fill()
    }

    /// Waits until something else is to be watched than what is.
    pub async fn changed(&self) {
        loop {
            self.0.changed.notified().await;
            let known = lock(&self.0.atlas).known();
            let running = lock(&self.0.running);
            if running.wanted.resolved(&known, &running.region).config != running.filled {
                return;
            }
        }
    }

    /// How it stands with each API that is sought.
    #[must_use]
    pub fn report(&self) -> Vec<DiscoveryReport> {
        let atlas = lock(&self.0.atlas);
        let running = lock(&self.0.running);
        let Running { wanted, filled, region } = &*running;
        let resolved = wanted.resolved(&atlas.known(), region);
        let each = wanted.apis.iter().zip(&filled.apis).zip(&resolved.config.apis);
        let each = each.filter_map(|((api, filled), found)| {
            let standing = atlas.standing(&wanted.sought(api, region)?)?;
            let refused = resolved.refused.iter().find(|(name, _)| *name == api.name);
            Some(DiscoveryReport {
                api: api.name.as_str().into(),
                // What was found counts once it is watched.
                tried: standing.tried && filled == found,
                watched: filled.has_logs(),
                failed: standing.failed,
                why: standing.why.or_else(|| refused.map(|(_, why)| why.as_str().into())),
            })
        });
        each.collect()
    }
}

impl Looking {
    /// Ends. The state folder is let go.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

/// What an earlier process has kept.
fn kept(blob: &Blob) -> BTreeMap<Sought, Found> {
    let read = match blob.load() {
        Ok(None) => return BTreeMap::new(),
        Ok(Some(bytes)) => postcard::from_bytes(&bytes).map_err(|e| e.to_string()),
        Err(why) => Err(why.to_string()),
    };
    read.unwrap_or_else(|why| {
        tracing::warn!("what was discovered earlier cannot be used, so it is looked for anew: {why}");
        BTreeMap::new()
    })
}

/// Looks, for ever.
async fn look(mut explore: impl Explore, shared: Arc<Shared>, blob: Option<Blob>, clock: Clock) {
    loop {
        let next = lock(&shared.atlas).next().map(|(sought, at)| (sought.clone(), at));
        let Some((sought, at)) = next else {
            shared.wake.notified().await;
            continue;
        };
        if at > clock.now() {
            tokio::select! {
                () = clock.sleep_until(at) => {}
                () = shared.wake.notified() => {}
            }
            continue;
        }
        let look = tokio::time::timeout(LOOK_MAX, explore.explore(&sought)).await;
        let late = || Err(Miss { why: Why::Late, said: format!("no answer within {} s", LOOK_MAX.as_secs()) });
        let (changed, said) = lock(&shared.atlas).take(&sought, look.unwrap_or_else(|_| late()), clock.now());
        if let Some(said) = said {
            say(&sought, &said);
        }
        if changed {
            if let Some(blob) = blob.clone() {
                let known = lock(&shared.atlas).known();
                keep(blob, known).await;
            }
            shared.changed.notify_one();
        }
    }
}

/// Keeps what is known. That it cannot be is no reason not to use it.
async fn keep(blob: Blob, known: BTreeMap<Sought, Found>) {
    let saved = tokio::task::spawn_blocking(move || {
        let bytes = postcard::to_stdvec(&known).expect("plain values can be written");
        blob.save(&bytes)
    });
    if let Ok(Err(error)) = saved.await {
        tracing::warn!("what was discovered cannot be kept in the state folder: {error}");
    }
}

fn say(sought: &Sought, said: &Say) {
    let wanted = printable(&sought.wanted.to_string());
    let region = &sought.region;
    match said {
        Say::Found(gaps) => {
            tracing::info!("API {wanted} in {region} is discovered");
            say_gaps(&wanted, gaps);
        }
        Say::Changed(gaps) => {
            tracing::info!("API {wanted} in {region} has changed");
            say_gaps(&wanted, gaps);
        }
        Say::Again => tracing::info!("API {wanted} in {region} is found again"),
        Say::Missed { miss, earlier } => {
            let then = if *earlier { "what was found earlier is used meanwhile" } else { "it is not watched" };
            let said = printable(&miss.said);
            if *earlier {
                tracing::warn!("API {wanted} in {region} is not discovered: {said}; {then}, and it is tried again");
            } else {
                tracing::error!("API {wanted} in {region} is not discovered: {said}; {then}, and it is tried again");
            }
        }
    }
}

fn say_gaps(wanted: &str, gaps: &[Gap]) {
    for gap in gaps {
        if gap.is_remark() {
            tracing::info!("API {wanted}: {gap}");
        } else {
            tracing::warn!("API {wanted}: {gap}");
        }
    }
}

#[cfg(test)]
mod tests;
