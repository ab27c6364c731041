//! What lies over the lists: the keys, what was said, one failure in full.

use super::board::Board;
use super::canvas::{Canvas, wrap};
use super::details;
use super::failed::Failed;
use super::ink::Ink;
use super::list::Head;
use super::words;
use crate::model::time::Timestamp;

/// Keys and what they do.
const KEYS: [(&str, &str); 14] = [
    ("arrows, j k", "the row above, the row below"),
    ("PgUp PgDn", "a page; also ctrl-b, ctrl-f, space"),
    ("Home End, g G", "the first row, the last; at the first the newest stays picked"),
    ("tab", "the next list: endpoints, failures, alerts; shift-tab goes back"),
    ("enter", "of an endpoint or alert its failures, of a failure all that is known"),
    ("esc", "back; else drop the filter"),
    ("/", "filter by endpoint, cause, function or request ID; enter keeps it"),
    ("s, S", "sort the endpoints by the next column; the other way round"),
    ("e", "only endpoints that fail"),
    ("p", "pause: the display stands, counting goes on"),
    ("m", "what gatewatch itself said"),
    ("ctrl-l", "draw anew"),
    ("ctrl-z", "back to the shell; fg comes back here"),
    ("q, ctrl-c", "end, with the figures of the last window"),
];

/// The row below them.
const KEYS_END: u16 = 2 + KEYS.len() as u16;

/// Draws the keys.
pub fn help(mut on: Canvas<'_>, ink: Ink) {
    on.clear();
    Head { name: "keys", rows: None, aside: "esc goes back", focused: true }.draw(&mut on, ink);
    for (y, (keys, what)) in (1..).zip(KEYS) {
        on.put(2, y, 14, keys, Ink::bold());
        on.put(17, y, on.width().saturating_sub(17), what, Ink::plain());
    }
    let meaning = "bars: 10 s each; a low bar is no request, . is not read yet, ? cannot be read";
    on.put(2, KEYS_END, on.width().saturating_sub(2), meaning, ink.dim());
}

/// Draws what was said, the newest below.
pub fn notes(mut on: Canvas<'_>, board: &Board, ink: Ink) {
    on.clear();
    let n = board.notes().len();
    Head { name: "said", rows: Some((n, n)), aside: "esc goes back", focused: true }.draw(&mut on, ink);
    if n == 0 {
        on.put(2, 1, on.width().saturating_sub(2), "nothing so far", ink.dim());
    }
    let room = usize::from(on.width().saturating_sub(12)).max(10);
    let mut lines = Vec::new();
    for note in board.notes() {
        for (i, text) in wrap(&note.text, room).into_iter().enumerate() {
            lines.push((if i == 0 { words::clock(note.at) } else { String::new() }, text, note.is_warning));
        }
    }
    let from = lines.len().saturating_sub(usize::from(on.height().saturating_sub(1)));
    for (y, (at, text, is_warning)) in (1..).zip(&lines[from..]) {
        on.put(2, y, 8, at, ink.dim());
        on.put(11, y, on.width().saturating_sub(11), text, if *is_warning { ink.warn() } else { Ink::plain() });
    }
}

/// Draws a failure in full.
pub fn failure(mut on: Canvas<'_>, f: &Failed, top: usize, ink: Ink, now: Timestamp) {
    on.clear();
    let rows = details::rows(f, on.width(), now);
    Head { name: "failure", rows: None, aside: "esc goes back, arrows move", focused: true }.draw(&mut on, ink);
    let below = details::draw(&mut on, &rows, top, 1, ink);
    if below > 0 {
        let more = format!(" {below} more below ");
        let x = on.width().saturating_sub(20);
        on.put_right(x, 0, 20, &more, ink.warn());
    }
}

/// Says what it is doing before anything was read.
pub fn beginning(mut on: Canvas<'_>, board: &Board, ink: Ink) {
    let since = words::clock(board.since());
    let sources = board.last_report().map(|report| &report.sources[..]).unwrap_or_default();
    let done = sources.iter().filter(|source| source.tried).count();
    let aside = format!("reading what came since {since}");
    Head { name: "logs", rows: Some((done, sources.len())), aside: &aside, focused: false }.draw(&mut on, ink);
    if sources.is_empty() {
        on.put(2, 1, on.width().saturating_sub(2), "looking up the log groups", ink.dim());
    }
    for (y, source) in (1..).zip(sources) {
        let (state, style) = match (&source.reading.trouble, source.reading.read_to) {
            (Some(trouble), _) => (format!("{}: {}", trouble.problem.phrase(), trouble.said), ink.bad()),
            (None, Some(at)) => (format!("read to {}", words::clock(at)), ink.good()),
            (None, None) if source.events > 0 => (format!("{} events so far", source.events), ink.warn()),
            (None, None) => ("reading".to_owned(), ink.dim()),
        };
        let name = on.width() / 2;
        on.put(2, y, name, &source.name, Ink::plain());
        on.put(name + 3, y, on.width().saturating_sub(name + 3), &state, style);
    }
}
