//! The daemon: watches the configured APIs and sends messages to the sinks until it is stopped.
//!
//! Its configuration may change meanwhile: then one life ends and hands all it knows to the next, as at a restart, in
//! the same process. Rule: what a life leaves undelivered, unexplained or unread the next one goes on with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::discovery::{Discovery, Explorer};
use super::keep::{Keep, Restored, Synced, VERSION};
use super::live::{Ear, Live};
use super::pipeline::Said;
use super::post::{Opening, Post};
use super::recollect;
use super::reload::{Account, New, Reload};
use super::sinks::{self, Change, Changeable, Named};
use crate::aws::clients::Clients;
use crate::config::Config;
use crate::model::own::Own;
use crate::model::report::Report;
use crate::notify::sink::stdout::Writer;
use crate::ops::clock::Clock;
use crate::ops::inquiry::Questions;
use crate::state::store::Store;
use crate::tail::fetch::Connect as _;

/// How long a start that knows what was told waits for APIs that are to be discovered.
const SETTLED_MAX: Duration = Duration::from_secs(20);

/// How the daemon runs, besides what the configuration says.
pub struct Options {
    /// The clock.
    pub clock: Clock,
    /// Whether every request is handed out.
    pub requests: bool,
    /// Where state is kept; `None` keeps none.
    pub state_dir: Option<PathBuf>,
    /// Where its own output goes to, where that is known.
    pub own: Option<Own>,
    /// Where others ask how it is, if they can.
    pub questions: Option<Questions>,
    /// How it is asked to read its configuration anew, if it can be.
    pub reload: Option<Reload>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Runs until `stop`; `hear` gets what is said besides the sinks (the demo shows it).
///
/// # Errors
/// When a sink cannot work ([`sinks::Unusable`]), the state folder cannot be used, or a task failed.
pub async fn run(mut config: Config, mut clients: Clients, options: Options, hear: impl FnMut(&Said)) -> Result<()> {
    let Options { clock, requests, state_dir, own, mut questions, mut reload, stop } = options;
    let mut region = clients.region().unwrap_or("-").to_owned();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), region, "{}", config.summary());
    let mut writer = None;
    let sinks = sinks::open(&config, &mut clients, &mut writer)?;
    let (kept, mut opening) = open_state(state_dir.as_deref())?;
    let (mut keep, restored) = kept.unzip();
    let mut restored = restored.unwrap_or_default();
    // Also where nothing was saved: a plan that knows nothing must not number its messages as others were.
    let mut said_since = opening.decisions_after(restored.decided);
    if let Some(own) = own.filter(|_| restored.pipeline.is_none() && said_since.is_empty()) {
        let logs = clients.logs(own.group.region.as_deref().unwrap_or(&region), None).await;
        said_since = recollect::told(&logs, &own, &config, &clock).await;
    }
    if let Some(summary) = restored.summary(clock.now()) {
        tracing::info!("{summary}");
    }
    let mut changes = BTreeMap::new();
    for (name, sink) in sinks {
        let (sink, change) = Changeable::new(sink);
        changes.insert(Arc::clone(&name), change);
        opening.sink(name, sink);
    }
    let account = Account::default();
    let (discovery, looking) = Discovery::start(Explorer::default(), keep.as_ref().map(Keep::store), clock.clone());
    config = discovery.seek(config, &region, clock.now());
    if restored.pipeline.is_none() && !said_since.is_empty() {
        config = discovery.settled(SETTLED_MAX).await;
    }
    let mut desk = Desk { post: opening.start(), changes, account: account.clone(), discovery, hear };
    let discovery = desk.discovery.clone();
    let outcome = loop {
        let change = stop.child_token();
        let live = Live {
            history: config.longest_window(),
            config: config.clone(),
            region: region.clone(),
            clock: clock.clone(),
            requests,
            questions,
            keep,
            restored,
            said_since: std::mem::take(&mut said_since),
            stop: stop.clone(),
        };
        let (end, new) = {
            let mut watching = Box::pin(live.until(&change, &mut clients, &mut desk));
            let new = tokio::select! {
                end = &mut watching => Err(end),
                new = wanted(&mut reload, &mut writer, &account) => Ok(Why::Reloaded(Box::new(new))),
                () = discovery.changed() => Ok(Why::Discovered),
            };
            match new {
                Ok(new) => {
                    change.cancel();
                    (watching.await, Some(new))
                }
                Err(end) => (end, None),
            }
        };
        let next = match end {
            Ok(end) => end.next,
            Err(error) => break Err(error),
        };
        // A stop that came meanwhile ended it for good.
        let (Some(next), Some(new)) = (next, new) else { break Ok(()) };
        (questions, keep, restored) = (next.questions, next.keep, next.restored);
        match new {
            Why::Reloaded(new) => {
                clients = new.clients;
                clients.region().unwrap_or("-").clone_into(&mut region);
                config = discovery.seek(new.config, &region, clock.now());
                desk.change(new.sinks);
                tracing::info!(region, "the configuration is reloaded: {}", config.summary());
                if let Some(reload) = &reload {
                    reload.done(&account);
                }
            }
            Why::Discovered => {
                config = discovery.fill();
                tracing::info!(region, "what is watched has changed: {}", config.summary());
            }
        }
    };
    looking.stop().await;
    desk.post.stop().await;
    outcome?;
    tracing::info!("stopped");
    Ok(())
}

/// Why a life ends and another begins.
enum Why {
    /// The configuration was read anew.
    Reloaded(Box<New>),
    /// An API that is discovered is made of something else than before.
    Discovered,
}

/// The next configuration; for ever where none can be asked for.
async fn wanted(reload: &mut Option<Reload>, writer: &mut Option<Writer>, account: &Account) -> New {
    match reload {
        Some(reload) => reload.next(writer, account).await,
        None => std::future::pending().await,
    }
}

/// What is said goes to the sinks, and to whoever else hears it.
struct Desk<H> {
    post: Post,
    /// By name of the sink.
    changes: BTreeMap<Arc<str>, Change>,
    account: Account,
    discovery: Discovery,
    hear: H,
}

impl<H> Desk<H> {
    /// From now on there are these sinks. What waits for one of the same name goes through the new one.
    fn change(&mut self, sinks: Named) {
        let is_gone = |name: &Arc<str>| !sinks.iter().any(|(other, _)| other == name);
        for (gone, _) in self.changes.extract_if(.., |name, _| is_gone(name)) {
            self.post.remove(&gone);
        }
        for (name, sink) in sinks {
            if let Some(change) = self.changes.get(&name) {
                change.to(sink);
            } else {
                let (sink, change) = Changeable::new(sink);
                self.changes.insert(Arc::clone(&name), change);
                self.post.add(name, sink);
            }
        }
    }
}

impl<H: FnMut(&Said)> Ear for Desk<H> {
    fn hear(&mut self, said: Said) {
        (self.hear)(&said);
        if let Said::Message { to, message } = said {
            self.post.put(&to, &message);
        }
    }

    fn last(&self) -> u64 {
        self.post.last()
    }

    fn synced(&self) -> Synced {
        Box::pin(self.post.synced())
    }

    fn saved(&mut self, number: u64) {
        self.post.forget_through(number);
    }

    fn report(&self, report: &mut Report) {
        report.sinks = self.post.report();
        report.reloads = self.account.read();
        report.discoveries = self.discovery.report();
    }
}

/// Opens the state folder, if there is to be one, and the journal in it. A full disk is no reason not to watch; another
/// process in the folder, or one that cannot be used, is a mistake that is said before anything starts.
fn open_state(folder: Option<&Path>) -> Result<(Option<(Keep, Restored)>, Opening)> {
    let Some(folder) = folder else { return Ok((None, Opening::new())) };
    let opened = Store::open(folder, VERSION).and_then(|(store, opened)| {
        let how = if opened.made { "made" } else { "opened" };
        tracing::info!(leftovers = opened.leftovers, "state folder {} {how}", folder.display());
        let (keep, restored) = Keep::load(store)?;
        let opening = Opening::kept(keep.store(), restored.decided)?;
        Ok((Some((keep, restored)), opening))
    });
    match opened {
        Err(e) if e.is_full() => {
            tracing::error!("{e}; no state is kept in this run");
            Ok((None, Opening::new()))
        }
        opened => Ok(opened?),
    }
}
