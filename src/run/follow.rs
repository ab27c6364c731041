//! `--follow`: one API watched at a terminal or in a pipe.
//!
//! The same live reading as the daemon's, without its sinks: what is said is shown here, as [`lines`] or on a full
//! [`screen`]. Rule: however it is shown, reading and counting are the same, and the figures of the last window stand at
//! the end.

mod history;
pub mod lines;
mod screen;
pub mod terminal;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

pub use self::lines::{Show, print};
use super::keep::Restored;
use super::live::Live;
use crate::aws::clients::Clients;
use crate::config::Config;
use crate::model::inventory::Inventory;
use crate::ops::clock::Clock;
use crate::ops::inquiry::Questions;
use crate::view::Paint;

/// How far back lines begin where nobody says.
const LINES_SINCE: Duration = Duration::from_mins(1);

/// Where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A line for each thing that is said, on standard output.
    Lines(Show),
    /// A full screen on the terminal.
    Screen(Paint),
}

impl Mode {
    /// How far back it begins where nobody says: a screen has a window to fill.
    #[must_use]
    pub fn since(self, config: &Config) -> Duration {
        match self {
            Self::Lines(_) => LINES_SINCE,
            Self::Screen(_) => config.window.max(LINES_SINCE),
        }
    }
}

/// Follows until `stop`, or until nobody looks any more.
///
/// # Errors
/// When a task failed, or the output cannot be written.
pub async fn run(
    config: Config,
    clients: Clients,
    clock: Clock,
    since: Duration,
    mode: Mode,
    stop: CancellationToken,
) -> Result<()> {
    let following = Following { config, clients, clock, since, stop };
    match mode {
        Mode::Lines(show) => lines::run(following, show).await,
        Mode::Screen(paint) => screen::run(following, paint).await,
    }
}

/// What is followed.
struct Following {
    config: Config,
    clients: Clients,
    clock: Clock,
    since: Duration,
    stop: CancellationToken,
}

impl Following {
    /// AWS Region of what names none itself.
    fn region(&self) -> &str {
        self.clients.region().unwrap_or("-")
    }

    /// What is watched.
    fn inventory(&self) -> Arc<Inventory> {
        Arc::new(self.config.inventory(self.region()))
    }

    /// The reading of it; whoever has the other end of `questions` can ask how it is.
    fn live(&self, questions: Option<Questions>) -> Live {
        let region = self.region().to_owned();
        tracing::debug!(region, "following; {}", self.config.summary());
        Live {
            config: self.config.clone(),
            region,
            clock: self.clock.clone(),
            history: self.since,
            requests: true,
            questions,
            keep: None,
            restored: Restored::default(),
            said_since: Vec::new(),
            stop: self.stop.clone(),
        }
    }
}
