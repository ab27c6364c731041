//! How far the reading of history is, on a terminal.
//!
//! Not a result: it goes to standard error, only if that is a terminal, and leaves nothing behind. Rule: it ends for good
//! once every log was tried.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::model::report::{Detail, Report};
use crate::ops::inquiry::{Inquiry, NoAnswer};
use crate::run::progress;

/// Between two looks, and before the first: most histories are read by then.
const EVERY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(5);

/// A row that may be shown.
#[derive(Debug)]
pub struct History {
    /// It may be there.
    shown: Arc<AtomicBool>,
}

impl History {
    /// Shows it until all is read, or `stop`.
    pub fn show(inquiry: Inquiry, stop: CancellationToken) -> Self {
        let shown = Arc::new(AtomicBool::new(false));
        if io::stderr().is_terminal() {
            let shown = Arc::clone(&shown);
            tokio::spawn(async move { stop.run_until_cancelled(watch(inquiry, &shown)).await });
        }
        Self { shown }
    }

    /// A line that takes the place of the row, where that is shown on the same terminal.
    pub fn make_way(&self, line: String) -> String {
        if self.shown.load(Ordering::Relaxed) { format!("{}{line}", progress::ANEW) } else { line }
    }

    /// Takes the row away.
    pub fn end(&self) {
        if self.shown.swap(false, Ordering::Relaxed) {
            progress::show("");
        }
    }
}

async fn watch(inquiry: Inquiry, shown: &AtomicBool) {
    loop {
        tokio::time::sleep(EVERY).await;
        match inquiry.ask(Detail::Brief, PATIENCE).await {
            Ok(report) if !report.is_ready() => {
                shown.store(true, Ordering::Relaxed);
                progress::show(&text(&report));
            }
            Ok(_) | Err(NoAnswer::Ended) => break,
            Err(NoAnswer::Late) => {}
        }
    }
    if shown.swap(false, Ordering::Relaxed) {
        progress::show("");
    }
}

fn text(report: &Report) -> String {
    let done = report.sources.iter().filter(|source| source.tried).count();
    let events: u64 = report.sources.iter().map(|source| source.events).sum();
    let all = report.sources.len() + report.unlisted;
    format!("reading history: {done} of {all} log groups, {events} events so far")
}
