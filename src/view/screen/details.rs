//! One failure in full: why, how that is known, both request IDs, latencies, the lines that show it, what to do.

use ratatui::style::Style;

use super::canvas::{Canvas, wrap};
use super::failed::Failed;
use super::ink::Ink;
use super::words;
use crate::model::cause::Certainty;
use crate::model::text::printable;
use crate::model::time::Timestamp;
use crate::view::lines::clock;

/// Cells of the labels.
const LABEL: u16 = 9;

/// One row: a label or none, and text that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    label: &'static str,
    text: String,
    tone: Tone,
}

/// How a row is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    First,
    Plain,
    Aside,
    Open,
}

/// All rows at a width, from the failure as it is known at `now`.
#[must_use]
pub fn rows(f: &Failed, width: u16, now: Timestamp) -> Vec<Row> {
    let mut rows = Rows { rows: Vec::new(), width: usize::from(width.saturating_sub(LABEL + 1)).max(10) };
    rows.add("request", &format!("{} answered {} at {}", f.endpoint, f.status, clock(f.time)), Tone::First);
    match &f.explained {
        None => {
            let waits = format!("not known yet: waits for its Lambda lines, for {}", words::long(now.since(f.seen)));
            rows.add("why", &waits, Tone::Open);
            ids(&mut rows, f);
        }
        Some(failure) => {
            let e = &failure.explanation;
            rows.add("why", &words::cause(e), Tone::First);
            if let Some(message) = &e.cause.message {
                rows.add("", message, Tone::Plain);
            }
            let sure = match e.cause.certainty {
                Certainty::Certain => "certain",
                Certainty::Likely => "likely: the evidence fits this best",
                Certainty::Unknown => "not known",
            };
            let again = if failure.revision > 1 { format!(", revision {}", failure.revision) } else { String::new() };
            let candidates = match e.cause.candidates {
                0 | 1 => String::new(),
                n => format!(" of {n} that came into question"),
            };
            let join = e.cause.join.word().replace('_', " ");
            rows.add("sure", &format!("{sure}; joined by {join}{candidates}{again}"), Tone::Plain);
            ids(&mut rows, f);
            for evidence in &e.evidence {
                let place = format!("{} {} {}", clock(evidence.time), evidence.source, evidence.stream);
                rows.add("line", &place, Tone::Aside);
                for line in evidence.text.lines() {
                    rows.add("", line, Tone::Plain);
                }
            }
            rows.add("fix", &e.fix.text, Tone::First);
            if let Some(command) = &e.fix.command {
                rows.add("", command, Tone::Plain);
            }
        }
    }
    rows.rows
}

fn ids(rows: &mut Rows, f: &Failed) {
    let ms = |ms: Option<u32>| ms.map_or_else(|| "not logged".to_owned(), |ms| format!("{ms} ms"));
    rows.add("latency", &format!("response {}, integration {}", ms(f.response_ms), ms(f.integration_ms)), Tone::Plain);
    rows.add("api id", f.request_id.as_deref().unwrap_or("not logged"), Tone::Plain);
    rows.add("lambda id", f.lambda_id().unwrap_or("not known"), Tone::Plain);
}

struct Rows {
    rows: Vec<Row>,
    width: usize,
}

impl Rows {
    fn add(&mut self, label: &'static str, text: &str, tone: Tone) {
        let lines = wrap(&printable(text), self.width);
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        self.rows.extend(labels.zip(lines).map(|(label, text)| Row { label, text, tone }));
    }
}

/// Draws rows from `top` on. Returns how many are below.
pub fn draw(on: &mut Canvas<'_>, rows: &[Row], top: usize, y: u16, ink: Ink) -> usize {
    let height = usize::from(on.height().saturating_sub(y));
    let top = top.min(rows.len().saturating_sub(height));
    for (y, row) in (y..).zip(rows.iter().skip(top).take(height)) {
        let style: Style = match row.tone {
            Tone::First => Ink::bold(),
            Tone::Plain => Ink::plain(),
            Tone::Aside => ink.dim(),
            Tone::Open => ink.warn(),
        };
        on.put(0, y, LABEL, row.label, ink.label());
        on.put(LABEL + 1, y, on.width().saturating_sub(LABEL + 1), &row.text, style);
    }
    rows.len().saturating_sub(top + height)
}
