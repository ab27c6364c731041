//! One API on a full screen: what fails, how much, since when and why.
//!
//! It draws into a buffer of cells and takes keys as plain values; the terminal is somebody else's. [`Board`] is what is
//! known, [`Screen`] what the person in front of it has chosen. Rule: it waits for nothing and remembers nothing of what
//! it drew, so the same board, keys, size and time are the same picture.

mod alerts;
pub mod board;
mod canvas;
mod details;
mod endpoints;
pub mod failed;
mod failures;
mod header;
mod ink;
pub mod key;
mod list;
mod over;
mod places;
pub mod rhythm;
pub mod rows;
mod state;
mod words;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use self::board::{Board, Title};
use self::canvas::Canvas;
use self::ink::Ink;
pub use self::key::{Action, Key};
use self::places::{HEIGHT_MIN, Places, WIDTH_MIN, places};
use self::state::{Over, State};
use super::Paint;
use crate::model::time::Timestamp;

/// The last thing that was said stands in the footer for so long.
const NEWS: Duration = Duration::from_secs(15);

/// What is shown of a board.
#[derive(Clone, Debug)]
pub struct Screen {
    ink: Ink,
    state: State,
    /// The board as it was when the display was paused.
    frozen: Option<Box<(Board, Timestamp)>>,
}

impl Screen {
    /// A screen on which nothing was chosen.
    #[must_use]
    pub fn new(paint: Paint) -> Self {
        Self { ink: paint.into(), state: State::default(), frozen: None }
    }

    /// The screen has this size from now on.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.state.area = Rect::new(0, 0, width, height);
    }

    /// A key was pressed at `now`.
    pub fn key(&mut self, key: Key, board: &Board, now: Timestamp) -> Action {
        let shown = self.frozen.as_deref().map_or(board, |(board, _)| board);
        let action = self.state.key(key, shown);
        match (self.state.paused, &self.frozen) {
            (true, None) => self.frozen = Some(Box::new((board.clone(), now))),
            (false, Some(_)) => self.frozen = None,
            (true, Some(_)) | (false, None) => {}
        }
        action
    }

    /// Draws all of it into `area`.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, board: &Board, now: Timestamp) {
        let live = board;
        let (board, at) = self.frozen.as_deref().map_or((board, now), |(board, at)| (board, *at));
        let state = &self.state;
        let (alerts, endpoints) = (state.wanted.alerts(board).len(), state.wanted.endpoints(board).len());
        let Some(places) = places(area, alerts, endpoints) else {
            let text = format!("{}x{} is too small: gatewatch needs {WIDTH_MIN}x{HEIGHT_MIN}", area.width, area.height);
            for (y, line) in (0..).zip(canvas::wrap(&text, usize::from(area.width).max(1))) {
                Canvas::new(buffer, area).put(0, y, area.width, &line, Ink::plain());
            }
            return;
        };
        header::draw(Canvas::new(buffer, places.header), board, self.ink, at);
        self.body(buffer, &places, board, at);
        self.footer(Canvas::new(buffer, places.footer), board, live, now);
    }

    fn body(&self, buffer: &mut Buffer, places: &Places, board: &Board, now: Timestamp) {
        let (state, ink) = (&self.state, self.ink);
        match &state.over {
            Over::Help => over::help(Canvas::new(buffer, places.body), ink),
            Over::Notes => over::notes(Canvas::new(buffer, places.body), board, ink),
            Over::Details(id, opened, top) => {
                let failed = board.failed(*id).unwrap_or(opened);
                over::failure(Canvas::new(buffer, places.body), failed, *top, ink, now);
            }
            Over::Nothing if board.requests() == 0 && !board.is_ready() => {
                over::beginning(Canvas::new(buffer, places.body), board, ink);
            }
            Over::Nothing => {
                if places.alerts.height > 0 {
                    alerts::draw(Canvas::new(buffer, places.alerts), board, state, ink, now);
                }
                endpoints::draw(Canvas::new(buffer, places.endpoints), board, state, ink, now);
                failures::draw(Canvas::new(buffer, places.failures), board, state, ink, now);
                if let Some(beside) = places.beside {
                    let mut on = Canvas::new(buffer, beside);
                    let picked = state.picked_failure(board);
                    list::Head { name: "picked", rows: None, aside: "enter opens it", focused: false }
                        .draw(&mut on, ink);
                    if let Some((_, failed)) = picked {
                        details::draw(&mut on, &details::rows(failed, beside.width, now), 0, 1, ink);
                    }
                }
            }
        }
    }

    fn footer(&self, mut on: Canvas<'_>, board: &Board, live: &Board, now: Timestamp) {
        let (state, ink) = (&self.state, self.ink);
        if state.typing.is_some() {
            let keys = "  enter keeps it, esc drops it";
            on.line(
                0,
                0,
                &[(" /", Ink::bold()), (&state.wanted.filter, Ink::bold()), ("▏", Ink::plain()), (keys, ink.dim())],
            );
            return;
        }
        let mut x = 0;
        if state.paused {
            let requests = words::count(live.requests() - board.requests());
            let failures = words::count(live.failures() - board.failures());
            let text = format!(" PAUSED: {requests} requests, {failures} failures since; p goes on ");
            x = on.line(x, 0, &[(&text, Ink::picked()), (" ", Ink::plain())]);
        }
        if !state.wanted.filter.is_empty() {
            x = on.line(x, 0, &[(" filter ", ink.label()), (&state.wanted.filter, Ink::bold()), (" ", Ink::plain())]);
        }
        match live.notes().next_back().filter(|note| now.since(note.at) < NEWS) {
            Some(note) => {
                let style = if note.is_warning { ink.warn() } else { Ink::plain() };
                on.line(x, 0, &[(" ", style), (&note.text, style)]);
            }
            None => {
                let keys = " tab list  enter open  / filter  s sort  e errors  p pause  ? keys  q quit";
                on.line(x, 0, &[(keys, ink.dim())]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
