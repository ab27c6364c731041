//! The table of endpoints.
//!
//! Rule: a narrow screen has fewer columns, never narrower ones; name and share stay to the last.

use std::sync::Arc;

use ratatui::style::{Modifier, Style};

use super::board::Board;
use super::canvas::Canvas;
use super::ink::Ink;
use super::list::{self, Head, window};
use super::rows::Column;
use super::state::{Pane, State};
use super::words;
use crate::model::summary::EndpointSummary;
use crate::model::time::{Timestamp, human};

/// Cells of a name at least, and of a cause.
const NAME_MIN: u16 = 18;
const CAUSE_MIN: u16 = 14;
/// Of what is left the name gets so much at most.
const NAME_MAX: u16 = 60;

/// What stands in a column, its cells with the blank before it, in the order in which they stand.
const FIGURES: [(Column, u16); 6] = [
    (Column::Requests, 6),
    (Column::Failures, 12),
    (Column::Share, 7),
    (Column::P50, 6),
    (Column::P95, 6),
    (Column::P99, 6),
];
/// Which of them go first where there is no room.
const LEAST: [Column; 5] = [Column::P50, Column::P95, Column::Failures, Column::P99, Column::Requests];

/// Draws it.
pub fn draw(mut on: Canvas<'_>, board: &Board, state: &State, ink: Ink, now: Timestamp) {
    let rows = state.wanted.endpoints(board);
    let all = board.last_report().and_then(|r| r.summary.as_ref()).map_or(0, |s| s.endpoints.len());
    let order = if state.wanted.column.begins_with_most() == state.wanted.reversed { "up" } else { "down" };
    let errors = if state.wanted.only_errors { ", only errors" } else { "" };
    let aside = format!("by {} {order}{errors}", state.wanted.column.name());
    let head = Head {
        name: "endpoints",
        rows: Some((rows.len(), all)),
        aside: &aside,
        focused: state.pane == Pane::Endpoints,
    };
    head.draw(&mut on, ink);
    let columns = columns(on.width());
    headings(&mut on, &columns, state, ink);
    let height = on.height().saturating_sub(2);
    if rows.is_empty() {
        on.put(2, 2, on.width().saturating_sub(2), &nothing(board, state, all, now), ink.warn());
        return;
    }
    let picked = state.endpoint.place(rows.iter().map(|row| (row.api, Arc::clone(&row.endpoint))));
    let covered = board.counted_for(now);
    for (y, at) in (2..).zip(window(picked, rows.len(), height)) {
        row(&mut on, y, rows[at], &columns, covered, ink);
        list::mark(&mut on, y, at == picked, state.pane == Pane::Endpoints);
    }
}

/// Why there is no row.
fn nothing(board: &Board, state: &State, all: usize, now: Timestamp) -> String {
    if all > 0 {
        let filter = &state.wanted.filter;
        return match (filter.is_empty(), state.wanted.only_errors) {
            (true, _) => format!("none of {all} endpoints fails"),
            (false, true) => format!("no endpoint that fails has `{filter}`"),
            (false, false) => format!("no endpoint has `{filter}`"),
        };
    }
    let window = board.last_report().map(|report| human(report.window)).unwrap_or_default();
    if board.is_blind(now) {
        "no request is known: the log that tells of them is not read, see above".to_owned()
    } else if board.is_ready() {
        format!("no requests in the last {window}: the logs are read, there were none")
    } else {
        "no requests so far; reading goes on".to_owned()
    }
}

/// Columns that have room, each with its place and cells.
fn columns(width: u16) -> Vec<(Column, u16, u16)> {
    let mut left_out = 0;
    let fits = |left_out: usize| {
        let shown = FIGURES.iter().filter(move |(column, _)| !LEAST[..left_out].contains(column));
        let figures = shown.clone().map(|(_, cells)| cells).sum::<u16>();
        (shown, figures)
    };
    while left_out < LEAST.len() && 2 + NAME_MIN + fits(left_out).1 > width {
        left_out += 1;
    }
    let (shown, figures) = fits(left_out);
    let left = width.saturating_sub(2 + figures);
    // Room for a cause only if some of it can be read.
    let with_cause = left >= NAME_MIN + 1 + CAUSE_MIN;
    let name = if with_cause { (left / 2).clamp(NAME_MIN, NAME_MAX) } else { left };
    let mut columns = vec![(Column::Name, 2, name)];
    let mut x = 2 + name;
    for (column, cells) in shown {
        columns.push((*column, x + 1, cells - 1));
        x += cells;
    }
    if with_cause {
        columns.push((Column::Cause, x + 1, width.saturating_sub(x + 1)));
    }
    columns
}

fn headings(on: &mut Canvas<'_>, columns: &[(Column, u16, u16)], state: &State, ink: Ink) {
    for (column, x, cells) in columns {
        let is_sorted = *column == state.wanted.column;
        let style =
            if is_sorted { ink.label().add_modifier(Modifier::BOLD | Modifier::UNDERLINED) } else { ink.label() };
        let name = match column {
            Column::Failures => "5xx of n",
            Column::Name
            | Column::Cause
            | Column::Share
            | Column::Requests
            | Column::P50
            | Column::P95
            | Column::P99 => column.name(),
        };
        match column {
            Column::Name => {
                on.put(*x, 1, *cells, name, style);
            }
            Column::Cause => {
                let name = if *cells < 20 { name } else { "most frequent cause" };
                on.put(*x, 1, *cells, name, style);
            }
            Column::Failures | Column::Share | Column::Requests | Column::P50 | Column::P95 | Column::P99 => {
                on.put_right(*x, 1, *cells, name, style);
            }
        }
    }
}

fn row(
    on: &mut Canvas<'_>,
    y: u16,
    e: &EndpointSummary,
    columns: &[(Column, u16, u16)],
    covered: std::time::Duration,
    ink: Ink,
) {
    let fails = e.errors_5xx > 0;
    for (column, x, cells) in columns {
        let (x, cells) = (*x, *cells);
        let mut right = |text: &str, style: Style| on.put_right(x, y, cells, text, style);
        let bad = if fails { ink.bad() } else { ink.dim() };
        match column {
            Column::Name => {
                let style = if fails { Ink::bold() } else { Ink::plain() };
                on.put(x, y, cells, &e.endpoint.to_string(), style);
            }
            Column::Requests => right(&words::rate(e.count, covered), Ink::plain()),
            Column::Failures => {
                let text = format!("{}/{}", words::count(e.errors_5xx), words::count(e.count));
                right(&text, bad);
            }
            Column::Share => right(&words::share(e.errors_5xx, e.count), bad),
            Column::P50 => right(&words::latency(e.p50_ms), Ink::plain()),
            Column::P95 => right(&words::latency(e.p95_ms), Ink::plain()),
            Column::P99 => right(&words::latency(e.p99_ms), Ink::plain()),
            Column::Cause => {
                let text = e.cause.as_ref().map(|cause| words::most(cause, e.errors_5xx)).unwrap_or_default();
                on.put(x, y, cells, &text, Ink::plain());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_screens_have_fewer_columns() {
        let names = |width| columns(width).iter().map(|(column, ..)| column.name()).collect::<Vec<_>>();
        assert_eq!(names(160), ["endpoint", "req/s", "5xx", "5xx %", "p50", "p95", "p99", "cause"]);
        assert_eq!(names(80), ["endpoint", "req/s", "5xx", "5xx %", "p50", "p95", "p99", "cause"]);
        assert_eq!(names(40), ["endpoint", "req/s", "5xx %", "p99"]);
        for width in 40..300 {
            let columns = columns(width);
            assert!(columns.windows(2).all(|pair| pair[0].1 + pair[0].2 < pair[1].1), "{width}: {columns:?}");
            assert!(columns.last().is_some_and(|(_, x, cells)| x + cells <= width), "{width}: {columns:?}");
            assert!(columns[0].2 >= NAME_MIN);
        }
    }
}
