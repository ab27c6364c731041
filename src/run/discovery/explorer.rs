//! Looks at an API through the control plane of its Region.
//!
//! Not when. Rule: clients are made when the first API is sought: a daemon that discovers nothing has none.

use std::pin::Pin;

use super::Explore;
use super::atlas::{Look, Miss, Why};
use crate::aws::clients::Clients;
use crate::aws::discover::NotFound;
use crate::config::found::Found;
use crate::config::sought::Sought;
use crate::run::named;

/// With the credentials that the environment gives.
#[derive(Debug, Default)]
pub struct Explorer(Option<Clients>);

impl Explore for Explorer {
    fn explore<'a>(&'a mut self, sought: &'a Sought) -> Pin<Box<dyn Future<Output = Look> + Send + 'a>> {
        Box::pin(async move {
            let clients = match &mut self.0 {
                Some(clients) => clients,
                none => none.insert(Clients::load(Some(&sought.region)).await),
            };
            let control = clients.control(&sought.region, sought.role.as_deref()).await;
            match named::describe(&control, &sought.wanted).await {
                Ok(deployed) => Ok(Found::of(&deployed)),
                Err(error) => Err(miss(&error)),
            }
        })
    }
}

fn miss(error: &NotFound) -> Miss {
    let why = match error {
        NotFound::None { .. } => Why::None,
        NotFound::Several { .. } => Why::Several,
        NotFound::Unasked(unasked) => Why::Unasked(unasked.problem),
    };
    // One line of a log.
    let said = error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" | ");
    Miss { why, said }
}
