//! The configuration is read anew while the daemon runs.
//!
//! Not what follows from it: the daemon ends one life and begins another with it. Rule: everything that can be wrong is
//! found before anything is changed; a mistake is one line, and the old configuration stays.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::sinks::{self, Named};
use crate::aws::clients::Clients;
use crate::config::Config;
use crate::model::report::Reloads;
use crate::notify::sink::stdout::Writer;
use crate::ops::service::Service;

/// Reads and checks the configuration, and makes what reaches AWS with it.
pub type Load = Box<dyn FnMut() -> Loading + Send>;
/// The same under way.
pub type Loading = Pin<Box<dyn Future<Output = Result<(Config, Clients), String>> + Send>>;

/// How reloads are asked for.
pub struct Reload {
    /// Something arrives here for each.
    pub asked: mpsc::Receiver<()>,
    /// What is done then.
    pub load: Load,
    /// Who is told.
    pub service: Service,
}

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
    /// Waits until a configuration is to be used that is right. What is wrong with others is said.
    pub async fn next(&mut self, running: &Config, writer: &mut Option<Writer>, account: &Account) -> New {
        loop {
            if self.asked.recv().await.is_none() {
                return std::future::pending().await;
            }
            self.service.reloading();
            let loaded = (self.load)().await.and_then(|(config, mut clients)| {
                let sinks = sinks::open(&config, &mut clients, writer).map_err(|e| e.to_string())?;
                Ok(New { config, clients, sinks })
            });
            match loaded {
                Ok(new) => {
                    for (key, changed) in [
                        ("state_dir", new.config.state_dir != running.state_dir),
                        ("[http]", new.config.http != running.http),
                    ] {
                        if changed {
                            tracing::warn!("{key} has changed: that takes effect at the next start");
                        }
                    }
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

    /// The new configuration is in use.
    pub fn done(&self, account: &Account) {
        account.good();
        self.service.reloaded();
    }
}
