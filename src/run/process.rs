//! The daemon as a process of its own: configuration, listener, signals, the service manager.
//!
//! Not the watching: that is [`daemon`]. Rule: what is wrong is said before anything starts; nothing that only tells how
//! it is holds up the first read.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::named::{clients, with_region};
use super::reload::{Load, Reload};
use super::{daemon, health};
use crate::aws::clients::{Clients, check_trust};
use crate::config::Config;
use crate::config::place::Place;
use crate::ops::clock::Clock;
use crate::ops::http::Listener;
use crate::ops::service::Service;
use crate::ops::{ecs, inquiry, signals, telemetry};

/// Who it is that reads is said at the start; nobody waits longer for the answer.
const IDENTITY_MAX: Duration = Duration::from_secs(5);

/// Runs until a signal ends it. `region` goes before the configuration's.
///
/// # Errors
/// When something is wrong with the configuration or the machine, or the daemon failed.
pub async fn run(place: Place, region: Option<String>) -> Result<(), Failure> {
    let mut config = with_region(place.load()?, region.as_deref());
    check_trust()?;
    telemetry::init(config.log);
    // An address that the host does not have yet, and a Region that nobody tells yet, may be there after a restart, which
    // service managers make after a failure and not after a mistake.
    let listener = Listener::bind(&config.http).await.map_err(anyhow::Error::from)?;
    let own = ecs::own().await;
    config.refuse(own.as_ref().map(|own| &own.group));
    let stop = CancellationToken::new();
    signals::stop_on_signals(stop.clone(), || {}).context("cannot listen for signals")?;
    let asked = signals::reload_on_signal().context("cannot listen for signals")?;
    let mut clients_now = clients(&config).await.map_err(anyhow::Error::msg)?;
    let service = Service::of_environment();
    let (inquiry, questions) = inquiry::channel();
    if let Some(listener) = listener {
        tokio::spawn(listener.serve(health::pages(&config.http, inquiry.clone()), stop.clone()));
    }
    let informing = tokio::spawn(service.clone().inform(inquiry, stop.clone()));
    say_who(&config, &mut clients_now).await;
    let group = own.as_ref().map(|own| own.group.clone());
    let load: Load = Box::new(move || {
        let (place, own, region) = (place.clone(), group.clone(), region.clone());
        Box::pin(async move {
            let mut config = with_region(place.load().map_err(|e| e.to_string())?, region.as_deref());
            config.refuse(own.as_ref());
            let clients = clients(&config).await?;
            Ok((config, clients))
        })
    });
    let options = daemon::Options {
        clock: Clock::wall(),
        requests: false,
        state_dir: config.state_dir.clone().or_else(state_directory),
        own,
        questions: Some(questions),
        reload: Some(Reload::new(asked, load, service, config.clone())),
        stop: stop.clone(),
    };
    let outcome = Box::pin(daemon::run(config, clients_now, options, |_| {})).await;
    // Also where it ended by a failure: the service manager is told.
    stop.cancel();
    let _ = informing.await;
    Ok(outcome?)
}

/// Says as whom and in which account logs are read, once that is answered. Nothing waits for it.
async fn say_who(config: &Config, clients: &mut Clients) {
    let Some(region) = clients.region().map(str::to_owned) else { return };
    let control = clients.control(&region, config.role_arn.as_deref()).await;
    tokio::spawn(async move {
        match tokio::time::timeout(IDENTITY_MAX, control.identity()).await {
            Ok(Ok(who)) => tracing::info!(account = &*who.account, "reading as {}", who.arn),
            Ok(Err(error)) => tracing::debug!("account unknown: {error}"),
            Err(_) => tracing::debug!("account unknown: no answer within {} s", IDENTITY_MAX.as_secs()),
        }
    });
}

/// The folder that systemd makes for a unit with `StateDirectory=`; the first of several. Source: systemd.exec(5).
fn state_directory() -> Option<PathBuf> {
    let folders = std::env::var_os("STATE_DIRECTORY")?;
    let first = folders.to_str()?.split(':').next()?;
    (!first.is_empty()).then(|| first.into())
}
