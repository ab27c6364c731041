//! `replay`: the same engine over files, with a report at the end.
//!
//! Facts of all files are merged by event time. Files need not be sorted: each is looked ahead in, and what comes
//! later than that is late, as it would be live. Rule: the same input gives the same output, whenever it is run.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::follow::{Show, print};
use super::merge::{File, Merge};
use super::pipeline::{Pipeline, Said};
use super::progress::Progress;
use crate::config::Config;
use crate::engine;
use crate::engine::correlate::Reporting;
use crate::engine::window::SLOT;
use crate::model::cause::{CauseKind, Certainty};
use crate::model::dropped::Dropped;
use crate::model::inventory::{ApiId, Inventory, Source, SourceId, SourceKind};
use crate::model::time::Timestamp;
use crate::read::Reader;
use crate::view::report;

/// What to replay, and how.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Rules, windows and limits; its first API stands for the files.
    pub config: Config,
    /// Access logs.
    pub access: Vec<PathBuf>,
    /// Lambda logs.
    pub lambda: Vec<PathBuf>,
    /// Execution logs.
    pub execution: Vec<PathBuf>,
    /// Print every request.
    pub requests: bool,
    /// How it is shown.
    pub show: Show,
}

/// Replays. A file that cannot be read is named on stderr and the others go on.
///
/// # Errors
/// When no file could be read, or the output cannot be written.
pub fn run(replay: &Replay, out: &mut impl Write) -> Result<()> {
    match replay.run(out) {
        // The reader has seen enough, as in `gatewatch replay .. | head`.
        Err(e) if e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => Ok(()),
        outcome => outcome,
    }
}

impl Replay {
    fn run(&self, out: &mut impl Write) -> Result<()> {
        let (opened, inventory) = self.open();
        let wanted = self.access.len() + self.lambda.len() + self.execution.len();
        let files = opened.len();
        if files == 0 {
            bail!("none of the {wanted} files could be read");
        }
        let failed = wanted - files;
        let inventory = Arc::new(inventory);
        let settings = engine::Settings {
            rules: self.config.rules.clone(),
            window: self.config.window,
            max_endpoints: self.config.max_endpoints,
            max_invocations: self.config.max_invocations,
            reporting: Reporting::Final,
            // The whole input is there: an invocation may be asked for as long as the tables hold it.
            explain_hold: Duration::from_hours(24),
            // What a file does not have is not there: there is no "up to now".
            source_blind: None,
            blind_after: Duration::MAX,
            requests: self.requests,
            totals: true,
            ..engine::Settings::new(Arc::clone(&inventory))
        };
        let mut pipeline = Pipeline::new(settings, &self.config.notify.clone().into());
        let mut examples = BTreeSet::new();
        let mut say = |said: Vec<Said>| -> io::Result<()> {
            said.iter().filter(|s| self.shows(s, &mut examples)).try_for_each(|s| print(out, s, &inventory, self.show))
        };
        let mut merge = Merge::new(opened, self.config.poll.max_ids);
        let all = self.access.iter().chain(&self.lambda).chain(&self.execution);
        let mut progress = Progress::new(all.map(PathBuf::as_path));
        let mut step = None;
        let mut now = Timestamp::MIN;
        while let Some((time, source, fact)) = merge.next() {
            now = now.max(time);
            progress.step(|| merge.bytes());
            if step.is_none_or(|s| now >= s) {
                say(pipeline.seal_all(files, now.floor(SLOT)))?;
                step = Some(now.floor(SLOT).plus(SLOT));
            }
            pipeline.fact(source, fact, now);
        }
        progress.clear();
        if let Some(end) = step {
            say(pipeline.seal_all(files, end))?;
        }
        say(pipeline.finish())?;
        // Ten thousand failures later nothing more is expected of one: that it is no longer followed is no loss here.
        let dropped = Dropped { cases: 0, ..pipeline.engine().dropped() };
        if dropped != Dropped::default() {
            tracing::warn!("left out or cut: {dropped}");
        }
        let unread = merge.unread();
        let summary = pipeline.engine().totals().summary();
        if self.show != Show::Json && (!summary.causes.is_empty() || self.requests) {
            writeln!(out)?;
        }
        match self.show {
            Show::Json => writeln!(out, "{}", report::json(&summary, &inventory, &unread))?,
            Show::Text(_) => write!(out, "{}", report::text(&summary, &inventory, &unread))?,
        }
        out.flush()?;
        if failed > 0 {
            bail!("{failed} of {wanted} files could not be read");
        }
        Ok(())
    }

    /// People get the alerts, one example of each cause, and the report; programs get every failure.
    fn shows(&self, said: &Said, examples: &mut BTreeSet<(CauseKind, Certainty)>) -> bool {
        match said {
            Said::Request(_) | Said::Message { .. } => true,
            Said::Failure(failure) => {
                let cause = &failure.explanation.cause;
                self.show == Show::Json || self.requests || examples.insert((cause.kind, cause.certainty))
            }
        }
    }

    /// Opens the files. What cannot be opened is said and left out.
    fn open(&self) -> (Vec<File>, Inventory) {
        let inventory = self.config.inventory("-");
        let mut inventory = Inventory { apis: inventory.apis, sources: Vec::new() };
        let mut files = Vec::new();
        let access = self.access.iter().map(|p| (p, SourceKind::Access(ApiId(0))));
        let lambda = self.lambda.iter().map(|p| (p, SourceKind::Lambda));
        let execution = self.execution.iter().map(|p| (p, SourceKind::Execution(ApiId(0))));
        // Without these nobody asks for the IDs of requests that went well.
        let all_ids = self.requests || !self.execution.is_empty();
        for (path, kind) in access.chain(lambda).chain(execution) {
            let id = SourceId(u16::try_from(files.len()).unwrap_or(u16::MAX));
            match File::open(
                path,
                id,
                kind,
                Reader::of(kind, self.config.format(&self.config.apis[0].name, kind), all_ids),
            ) {
                Ok(file) => {
                    let name = file.name.as_str().into();
                    inventory.sources.push(Source {
                        name,
                        region: None,
                        role: None,
                        kind,
                        function: None,
                        apis: vec![ApiId(0)],
                    });
                    files.push(file);
                }
                Err(error) => tracing::error!("{error}"),
            }
        }
        (files, inventory)
    }
}
