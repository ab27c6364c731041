//! `--follow`: one API at a terminal or in a pipe, every request a line, failures with their explanation.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::keep::Restored;
use super::live::Live;
use super::output::Lines;
use super::pipeline::Said;
use crate::aws::clients::Clients;
use crate::config::Config;
use crate::model::inventory::Inventory;
use crate::model::json;
use crate::notify;
use crate::notify::origin::Origin;
use crate::notify::sink::stdout::Writer;
use crate::ops::clock::Clock;
use crate::view::{Paint, lines, report};

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Lines for people.
    Text(Paint),
    /// One JSON object per line.
    Json,
}

/// Follows until `stop`, or until nobody reads any more.
///
/// # Errors
/// When a task failed, or the output cannot be written.
pub async fn run(
    config: Config,
    mut clients: Clients,
    clock: Clock,
    since: Duration,
    show: Show,
    stop: CancellationToken,
) -> Result<()> {
    let region = clients.region().unwrap_or("-").to_owned();
    let inventory = Arc::new(config.inventory(&region));
    tracing::debug!(region, "following; {}", config.summary());
    let live = Live {
        config,
        region,
        clock,
        history: since,
        requests: true,
        questions: None,
        keep: None,
        restored: Restored::default(),
        said_since: Vec::new(),
        stop: stop.clone(),
    };
    let mut lines = Lines::start(Writer::start(io::stdout()), stop);
    let mut hear = |said: Said| lines.put(line(&said, &inventory, show));
    let summary = Box::pin(live.watch(&mut clients, &mut hear)).await?;
    if show != Show::Json && summary.requests() > 0 {
        lines.put(format!("\n{}", report::text(&summary, &inventory, &[]).trim_end()));
    }
    Ok(lines.finish().await?)
}

/// Prints one thing that was said.
///
/// # Errors
/// When the output cannot be written.
pub fn print(out: &mut impl Write, said: &Said, inventory: &Inventory, show: Show) -> io::Result<()> {
    writeln!(out, "{}", line(said, inventory, show))?;
    out.flush()
}

/// One thing that was said, without the end of its last line.
fn line(said: &Said, inventory: &Inventory, show: Show) -> String {
    match (said, show) {
        (Said::Request(r), Show::Json) => json::request(r, inventory),
        (Said::Request(r), Show::Text(paint)) => lines::request(r, paint),
        (Said::Failure(f), Show::Json) => json::failure(f, inventory),
        (Said::Failure(f), Show::Text(paint)) => lines::failure(f, paint),
        (Said::Message { message: m, .. }, Show::Json) => notify::json::render(m, &Origin::default()),
        (Said::Message { message: m, .. }, Show::Text(paint)) => {
            let text = notify::text::render(m, &Origin::default());
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            format!("\n{}\n{rest}\n", paint.bold(first))
        }
    }
}
