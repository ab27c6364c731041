//! What is said, one line after the other: every request, failures with their explanation below, messages.
//!
//! What `--follow` prints in a pipe or with `--plain`, and `replay` where it prints single requests. Rule: the requests of
//! the history are lines like all others, as they are read.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;

use super::Following;
use super::history::History;
use crate::model::inventory::Inventory;
use crate::model::json;
use crate::notify;
use crate::notify::origin::Origin;
use crate::notify::sink::stdout::Writer;
use crate::ops::inquiry;
use crate::run::output::Lines;
use crate::run::pipeline::Said;
use crate::view::{Paint, lines, report};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// For people.
    Text(Paint),
    /// One JSON object.
    Json,
}

/// Follows by lines on standard output.
pub(super) async fn run(mut following: Following, show: Show) -> Result<()> {
    let inventory = following.inventory();
    let (inquiry, questions) = inquiry::channel();
    let live = following.live(Some(questions));
    let history = History::show(inquiry, following.stop.clone());
    let mut lines = Lines::start(Writer::start(io::stdout()), following.stop.clone());
    // Both may be the same terminal.
    let shares = io::stdout().is_terminal();
    let mut hear = |said: Said| {
        let line = line(&said, &inventory, show);
        lines.put(if shares { history.make_way(line) } else { line });
    };
    let summary = Box::pin(live.watch(&mut following.clients, &mut hear)).await?;
    history.end();
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
