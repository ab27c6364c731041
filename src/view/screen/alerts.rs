//! The alerts that fire: how bad, what about, since when, why.

use std::sync::Arc;

use super::board::Board;
use super::canvas::Canvas;
use super::ink::Ink;
use super::list::{self, Head, window};
use super::state::{Pane, State};
use super::words;
use crate::model::alert::{Alert, Subject};
use crate::model::time::Timestamp;

/// Draws them.
pub fn draw(mut on: Canvas<'_>, board: &Board, state: &State, ink: Ink, now: Timestamp) {
    let rows = state.wanted.alerts(board);
    let all = board.last_report().map_or(0, |report| report.firing.len());
    let focused = state.pane == Pane::Alerts;
    Head { name: "alerts", rows: Some((rows.len(), all)), aside: "", focused }.draw(&mut on, ink);
    if rows.is_empty() {
        return;
    }
    let picked = state.alert.place(rows.iter().map(|alert| Arc::clone(&alert.episode)));
    for (y, at) in (1..).zip(window(picked, rows.len(), on.height().saturating_sub(1))) {
        row(&mut on, y, rows[at], board, ink, now);
        list::mark(&mut on, y, at == picked, focused);
    }
}

fn row(on: &mut Canvas<'_>, y: u16, a: &Alert, board: &Board, ink: Ink, now: Timestamp) {
    let whom = match &a.key.subject {
        Subject::Api => format!("{} as a whole", board.title().api),
        Subject::Endpoint(_) | Subject::Source(_) => a.key.subject.to_string(),
    };
    let severity = a.severity.word().to_uppercase();
    let x = on.put(2, y, 10, &severity, ink.severity(a.severity)).max(11);
    let since = format!("since {} ({})", words::clock(a.since), words::long(now.since(a.since)));
    let over = if a.holds { "" } else { "  clean now" };
    let cause = a.causes.first().map(|cause| words::most(cause, a.errors)).unwrap_or_default();
    on.line(
        x + 1,
        y,
        &[
            (&whom, Ink::bold()),
            ("  ", Ink::plain()),
            (&words::value(a), ink.bad()),
            ("  ", Ink::plain()),
            (&since, ink.dim()),
            (over, ink.good()),
            ("  ", Ink::plain()),
            (&cause, Ink::plain()),
            ("  ", Ink::plain()),
            (&a.key.rule, ink.dim()),
        ],
    );
}
