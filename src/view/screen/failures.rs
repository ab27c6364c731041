//! The list of failures: one row each, its explanation as far as it is known.

use super::board::Board;
use super::canvas::Canvas;
use super::failed::Failed;
use super::ink::Ink;
use super::list::{self, Head, window};
use super::state::{Pane, State};
use super::words;
use crate::model::time::Timestamp;

/// Cells of the endpoint, at least and at most.
const NAME: (u16, u16) = (16, 40);

/// Draws it.
pub fn draw(mut on: Canvas<'_>, board: &Board, state: &State, ink: Ink, now: Timestamp) {
    let rows = state.wanted.failures(board);
    let waiting = rows.iter().filter(|(_, failed)| failed.explained.is_none()).count();
    let aside =
        if waiting > 0 { format!("newest first, {waiting} wait for Lambda lines") } else { "newest first".to_owned() };
    let (all, focused) = (board.latest().len(), state.pane == Pane::Failures);
    Head { name: "failures", rows: Some((rows.len(), all)), aside: &aside, focused }.draw(&mut on, ink);
    if rows.is_empty() {
        let text =
            if all == 0 { "none so far".to_owned() } else { format!("none of {all} has `{}`", state.wanted.filter) };
        on.put(2, 1, on.width().saturating_sub(2), &text, ink.dim());
        return;
    }
    let picked = state.failure.place(rows.iter().map(|(id, _)| *id));
    for (y, at) in (1..).zip(window(picked, rows.len(), on.height().saturating_sub(1))) {
        row(&mut on, y, rows[at].1, ink, now);
        list::mark(&mut on, y, at == picked, focused);
    }
}

fn row(on: &mut Canvas<'_>, y: u16, f: &Failed, ink: Ink, now: Timestamp) {
    let width = on.width();
    on.put(2, y, 8, &words::clock(f.time), ink.dim());
    on.put(11, y, 3, &f.status.to_string(), ink.bad());
    let name = (width / 4).clamp(NAME.0, NAME.1);
    on.put(15, y, name, &f.endpoint.to_string(), Ink::plain());
    let x = 16 + name;
    let left = width.saturating_sub(x);
    match &f.explained {
        None => {
            let waits = format!("waits for its Lambda lines ({})", words::long(now.since(f.seen)));
            on.put(x, y, left, &waits, ink.warn());
        }
        Some(failure) => {
            let cause = &failure.explanation.cause;
            let what = words::brief(&failure.explanation);
            let mut x = on.put(x, y, left, &what, Ink::bold());
            for doubt in words::doubt(cause.certainty).into_iter().chain((failure.revision > 1).then_some("revised")) {
                x = on.put(x + 1, y, width.saturating_sub(x + 1), &format!("[{doubt}]"), ink.warn());
            }
            if let Some(message) = &cause.message {
                on.put(x + 2, y, width.saturating_sub(x + 2), message, ink.dim());
            }
        }
    }
}
