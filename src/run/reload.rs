//! The configuration is read anew while the daemon runs.
//!
//! Not what follows from it: the daemon ends one life and begins another with it. Rule: everything that can be wrong is
//! found before anything is changed; a mistake is one line, and the old configuration stays; whatever hangs holds up
//! nobody.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::sinks::{self, Named};
use crate::aws::clients::Clients;
use crate::config::Config;
use crate::model::report::Reloads;
use crate::notify::sink::stdout::Writer;
use crate::ops::service::Service;
use crate::ops::telemetry;

/// Reads and checks the configuration, and makes what reaches AWS with it.
pub type Load = Box<dyn FnMut() -> Loading + Send>;
/// The same under way.
pub type Loading = Pin<Box<dyn Future<Output = Result<(Config, Clients), String>> + Send>>;

/// Nobody waits longer for a configuration: a file that it names may lie where nobody answers.
const LOAD_MAX: Duration = Duration::from_secs(10);

/// How reloads are asked for.
pub struct Reload {
    asked: mpsc::Receiver<()>,
    load: Load,
    service: Service,
    /// What the process was started with: some of it holds to its end.
    started: Config,
    /// What is loaded at the moment: whoever waits for it may be called away.
    under_way: Option<JoinHandle<Loaded>>,
    /// Each load that has not come to its end has one, those that nobody waits for any more as well.
    alive: Arc<()>,
}

/// What came of a load.
type Loaded = Result<(New, Option<Writer>), String>;

/// A configuration that is right.
pub struct New {
    /// It.
    pub config: Config,
    /// What reaches AWS with it.
    pub clients: Clients,
    /// Its sinks.
    pub sinks: Named,
}

/// What became of them, shared with whoever reports it.
#[derive(Clone, Debug, Default)]
pub struct Account(Arc<Mutex<Reloads>>);

impl Account {
    /// As it stands.
    #[must_use]
    pub fn read(&self) -> Reloads {
        self.lock().clone()
    }

    /// A configuration has taken effect.
    pub fn good(&self) {
        let mut reloads = self.lock();
        reloads.good += 1;
        reloads.error = None;
    }

    fn failed(&self, why: &str) {
        let mut reloads = self.lock();
        reloads.failed += 1;
        reloads.error = Some(why.into());
    }

    /// No code panics between two halves of a change, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Reloads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reload {
    /// Something arrives at `asked` for each reload; `load` is done then, and `service` is told. `started` is what the
    /// process was started with.
    #[must_use]
    pub fn new(asked: mpsc::Receiver<()>, load: Load, service: Service, started: Config) -> Self {
        Self { asked, load, service, started, under_way: None, alive: Arc::default() }
    }

    /// Waits until a configuration is to be used that is right. What is wrong with others is said. Nothing is lost where
    /// it is not waited for to the end.
    pub async fn next(&mut self, writer: &mut Option<Writer>, account: &Account) -> New {
        loop {
            if self.under_way.is_none() {
                if self.asked.recv().await.is_none() {
                    return std::future::pending().await;
                }
                self.service.reloading();
            }
            let under_way = self.under_way.take().unwrap_or_else(|| self.begin(writer.clone()));
            let loaded = self.under_way.insert(under_way).await;
            self.under_way = None;
            match loaded.unwrap_or_else(|panic| Err(panic.to_string())) {
                Ok((new, its)) => {
                    *writer = its;
                    telemetry::set_level(new.config.log.level);
                    self.say_kept(&new.config);
                    return new;
                }
                Err(why) => {
                    tracing::error!("the configuration is not reloaded, the old one stays: {why}");
                    account.failed(&why);
                    self.service.reloaded();
                }
            }
        }
    }

    /// Loads in a thread where waiting for a file holds up nobody.
    fn begin(&mut self, mut writer: Option<Writer>) -> JoinHandle<Loaded> {
        if Arc::strong_count(&self.alive) > 1 {
            let why = "the one that was asked for before still waits for a file that is not answered";
            return tokio::spawn(std::future::ready(Err(why.to_owned())));
        }
        let (loading, alive, runtime) = ((self.load)(), Arc::clone(&self.alive), Handle::current());
        let loading = tokio::task::spawn_blocking(move || {
            let loaded = runtime.block_on(loading).and_then(|(config, mut clients)| {
                let sinks = sinks::open(&config, &mut clients, &mut writer).map_err(|e| e.to_string())?;
                Ok((New { config, clients, sinks }, writer))
            });
            drop(alive);
            loaded
        });
        tokio::spawn(async {
            let late = |_| format!("a file that it needs was not answered within {} s", LOAD_MAX.as_secs());
            timeout(LOAD_MAX, loading).await.map_err(late)?.unwrap_or_else(|panic| Err(panic.to_string()))
        })
    }

    /// Says what goes on as it was at the start.
    fn say_kept(&self, new: &Config) {
        for (key, changed) in [
            ("state_dir", new.state_dir != self.started.state_dir),
            ("[http]", new.http != self.started.http),
            ("format of [log]", new.log.format != self.started.log.format),
        ] {
            if changed {
                tracing::warn!("{key} has changed: that takes effect at the next start");
            }
        }
    }

    /// The new configuration is in use.
    pub fn done(&self, account: &Account) {
        account.good();
        self.service.reloaded();
    }
}
