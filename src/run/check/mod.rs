//! `check`: what is configured and what AWS says of it, looked at once.
//!
//! The findings are `check`'s; here they are asked for and printed. Rule: nothing is changed and nothing is sent; where
//! AWS cannot be reached at all there is one error and no findings.

mod apis;
mod groups;
mod sample;
mod steps;
mod topics;

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result};

use self::apis::Looked;
use self::steps::Steps;
use super::failure::Failure;
use super::follow::Show;
use super::named;
use crate::aws::clients::Clients;
use crate::check::evidence::{Caller, Evidence, Read};
use crate::check::findings;
use crate::config::place::Place;
use crate::config::{ApiConfig, Config, Discover};
use crate::model::deployed::Wanted;
use crate::model::finding::{Finding, Sums};
use crate::model::json;
use crate::model::problem::Problem;
use crate::model::text::printable;
use crate::ops::clock::Clock;
use crate::view;

/// What is checked.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Where the configuration stands.
    pub place: &'a Place,
    /// One API alone: by its name in the configuration, else by its name or ID in AWS.
    pub api: Option<&'a str>,
    /// The Region, where it is said.
    pub region: Option<&'a str>,
}

impl Wish<'_> {
    /// The configuration that is checked.
    ///
    /// # Errors
    /// When it cannot be read, or there is none and no API is named.
    pub fn config(self) -> Result<Config, Failure> {
        let file = if self.place.is_given() { Some(self.place.load()?) } else { None };
        let config = match (self.api, file) {
            (None, Some(file)) => file,
            (None, None) => {
                let how = "there is no configuration to check: name a file with --config, or an API with --api";
                return Err(Failure::Usage(how.to_owned()));
            }
            (Some(name), file) => {
                let base = file.unwrap_or_default();
                let known = base.apis.iter().find(|api| api.name == name).cloned();
                let api = match known {
                    Some(known) => known,
                    None => discovered(name).map_err(Failure::Usage)?,
                };
                Config { apis: vec![api], ..base }
            }
        };
        Ok(named::with_region(config, self.region))
    }
}

/// An API of which AWS is to say everything.
fn discovered(name: &str) -> Result<ApiConfig, String> {
    let wrong = || format!("`{}` names no API: write NAME_OR_ID or NAME_OR_ID/STAGE", printable(name));
    let wanted = Wanted::parse(name).ok_or_else(wrong)?;
    Ok(ApiConfig { discover: Some(Discover { wanted, timeout: None }), ..ApiConfig::named(name) })
}

/// Looks, and prints what was found.
///
/// # Errors
/// When there is a fault, AWS cannot be reached, or `out` cannot be written.
pub async fn run(config: &Config, clock: &Clock, show: Show, out: &mut impl Write) -> Result<(), Failure> {
    let mut clients = named::clients(config).await.map_err(Failure::Usage)?;
    let found = findings(&gather(config, &mut clients, clock).await?);
    print(&found, show, out).and_then(|()| out.flush()).context("cannot write to standard output")?;
    match Sums::of(&found).faults {
        0 => Ok(()),
        faults => Err(Failure::Faults(faults)),
    }
}

fn print(found: &[Finding], show: Show, out: &mut impl Write) -> std::io::Result<()> {
    match show {
        Show::Text(paint) => write!(out, "{}", view::findings::text(found, paint)),
        Show::Json => {
            for finding in found {
                writeln!(out, "{}", json::finding(finding))?;
            }
            writeln!(out, "{}", json::check_summary(Sums::of(found)))
        }
    }
}

/// Asks for all that the findings go by.
async fn gather(config: &Config, clients: &mut Clients, clock: &Clock) -> Result<Evidence> {
    let steps = Steps::new();
    let regions = config.apis.iter().filter_map(|api| api.region.as_deref());
    let region: Arc<str> = clients.region().or(regions.into_iter().next()).context("no AWS Region")?.into();
    steps.say("asking who this is");
    let identity = clients.control(&region, None).await.identity().await;
    let caller = match identity {
        Ok(identity) => Ok(Caller { account: identity.account, arn: identity.arn, region: Arc::clone(&region) }),
        // All else would fail in the same way.
        Err(error) if error.problem == Problem::Credentials => {
            steps.clear();
            return Err(error.into());
        }
        Err(error) => Err(error),
    };
    let Looked { stages, config: resolved, refused } = apis::look(config, clients, &region, &steps).await;
    let place = groups::Place { region: &region, caller: caller.as_ref().ok() };
    let groups = groups::look(&resolved, clients, place, clock, &steps).await;
    let samples = sample::look(&stages, &groups, clock, &steps).await;
    let topics = topics::look(&resolved, clients, &steps).await;
    steps.clear();
    // Some networks reach all services but the one that says who asks.
    let reached = groups.by_api.iter().flatten().any(|group| group.read == Read::Can);
    let caller = match caller {
        Err(error) if !reached => return Err(error.into()),
        caller => caller.map_err(Into::into),
    };
    let apis = apis::evidence(&resolved, config, stages, &refused, groups.by_api, samples, &region);
    let reach = resolved.longest_window().max(resolved.poll.max_catchup);
    Ok(Evidence { caller, apis, topics, polling: groups.polling, reach })
}
