//! `sim`: the simulated CloudWatch Logs on a port, played from a scenario file, for whatever client is to be tried on it.
//!
//! Not the daemon: nothing here reads what it serves. Rule: at the end it says what there was to be read, event by event
//! if asked, so that a client can be held to it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::model::time::Timestamp;
use crate::ops::clock::Clock;
use crate::sim::{Planned, Scenario, Service, Sim};

/// How often events that have become visible are put in, in real time: no client polls as often as that.
const TICK: Duration = Duration::from_millis(20);

/// What to play and where.
#[derive(Debug)]
pub struct Options {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The run.
    pub scenario: Scenario,
    /// How many times as fast as real time.
    pub speed: u32,
    /// Where to write every event made, one JSON object per line.
    pub events: Option<PathBuf>,
}

/// Reads a scenario file.
///
/// # Errors
/// A sentence with the file's name: it cannot be read, or has a mistake.
pub fn load(path: &Path) -> Result<Scenario, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    Scenario::parse(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Serves until `stop`. Says on `out` where it listens, and at the end what each group had: one JSON object per line.
///
/// # Errors
/// When the address cannot be bound, or the file of events or `out` cannot be written.
pub async fn run(options: Options, out: &mut impl Write, stop: CancellationToken) -> Result<()> {
    let clock = Clock::fast(options.speed);
    let start = clock.now();
    let service = {
        let clock = clock.clone();
        Service::new(Arc::new(move || clock.now()))
    };
    options.scenario.set_up(&service, start);
    let events = match &options.events {
        Some(path) => Some(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => None,
    };
    let mut record = Record {
        events: events.map(BufWriter::new),
        groups: options.scenario.groups().into_iter().map(|group| (group.to_owned(), Made::default())).collect(),
    };
    let mut played = options.scenario.events(start);
    let put = |event: &Planned| {
        let there = service.is_there(&event.group, event.visible_at);
        there.then(|| service.put(&event.group, &event.stream, event.time, event.visible_at, &event.text))
    };
    // History is there before the first request.
    while let Some(event) = played.next_until(start) {
        record.note(&event, put(&event).as_deref())?;
    }
    let sim = Sim::listen(options.listen, service.clone())
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    writeln!(out, "{}", json!({ "listening": sim.endpoint() }))
        .and_then(|()| out.flush())
        .context("cannot say where")?;
    while stop.run_until_cancelled(tokio::time::sleep(TICK)).await.is_some() {
        let now = clock.now();
        while let Some(event) = played.next_until(now) {
            record.note(&event, put(&event).as_deref())?;
        }
        record.flush()?;
    }
    sim.stop().await;
    let end = clock.now();
    played.end_at(end);
    while let Some(event) = played.next_until(Timestamp::MAX) {
        // Written but not visible before the end: it counts as made only.
        let id = if event.visible_at <= end { put(&event) } else { None };
        record.note(&event, id.as_deref())?;
    }
    record.flush()?;
    for (group, made) in &record.groups {
        let counted = service.counted(group);
        let line = json!({
            "group": group,
            "made": made.events,
            "visible": made.visible,
            "calls": counted.calls,
            "throttled": counted.throttled,
        });
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("cannot write the summary")?,
        }
    }
    out.flush().context("cannot write the summary")
}

/// What was made so far.
struct Record {
    events: Option<BufWriter<File>>,
    groups: BTreeMap<String, Made>,
}

#[derive(Debug, Default)]
struct Made {
    events: u64,
    visible: u64,
}

impl Record {
    /// Notes one event; without an id it never became visible.
    fn note(&mut self, event: &Planned, id: Option<&str>) -> Result<()> {
        let made = self.groups.entry(event.group.to_string()).or_default();
        made.events += 1;
        made.visible += u64::from(id.is_some());
        let Some(file) = &mut self.events else { return Ok(()) };
        let line = json!({
            "group": &*event.group,
            "stream": &*event.stream,
            "timestamp": event.time.as_millis(),
            "visible_at": id.map(|_| event.visible_at.as_millis()),
            "eventId": id,
            "serial": event.serial,
        });
        writeln!(file, "{line}").context("cannot write the file of events")
    }

    fn flush(&mut self) -> Result<()> {
        self.events.as_mut().map_or(Ok(()), Write::flush).context("cannot write the file of events")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plays_a_scenario_and_says_what_there_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "history = \"10s\"\n[[group]]\nname = \"/a\"\nrate = 50\n[[group]]\nname = \"/b\"\n")
            .unwrap();
        let events = folder.path().join("events.jsonl");
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            scenario: load(&path).unwrap(),
            speed: 1,
            events: Some(events.clone()),
        };
        let stop = CancellationToken::new();
        stop.cancel();
        let mut out = Vec::new();
        run(options, &mut out, stop).await.unwrap();
        let lines: Vec<serde_json::Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines[0]["listening"].as_str().unwrap().starts_with("http://127.0.0.1:"));
        let made = lines[1]["made"].as_u64().unwrap();
        assert!((500..2000).contains(&made) && lines[1]["visible"] == made && lines[1]["group"] == "/a", "{lines:?}");
        assert_eq!(lines[2], json!({ "group": "/b", "made": 0, "visible": 0, "calls": 0, "throttled": 0 }));
        let events = std::fs::read_to_string(events).unwrap();
        assert_eq!(events.lines().count(), usize::try_from(made).unwrap());
        let first: serde_json::Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
        assert!(first["serial"] == 0 && first["eventId"].as_str().unwrap().len() == 56, "{first}");
    }

    #[test]
    fn a_bad_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        assert!(load(&path).unwrap_err().starts_with("cannot read "));
        std::fs::write(&path, "lenght = \"5m\"").unwrap();
        let message = load(&path).unwrap_err();
        assert!(message.contains("run.toml: line 1: lenght = \"5m\": unknown field"), "{message}");
    }
}
