//! What the person at the screen has chosen: pane, rows, order, filter, what lies on top. Keys change it.
//!
//! Not what is known, and not how it is drawn. Rule: a row is picked by what it is and not by where it stands, so that it
//! stays picked while figures move; where nothing was picked the first row is, whichever that becomes.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::board::Board;
use super::details;
use super::failed::{Failed, FailedId};
use super::key::{Action, Key};
use super::places::places;
use super::rows::Wanted;
use crate::model::alert::{Alert, Subject};
use crate::model::inventory::ApiId;
use crate::model::request::Endpoint;

/// Characters of a filter.
const FILTER_MAX: usize = 100;

/// A part of the screen that has rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The table of endpoints.
    #[default]
    Endpoints,
    /// The list of failures.
    Failures,
    /// The alerts that fire.
    Alerts,
}

/// The row of a pane that is picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick<K> {
    /// What it is; `None` picks the first, whichever that is.
    key: Option<K>,
    /// Where it stood when it was picked: what stands there takes its place when it is gone.
    at: usize,
}

impl<K> Default for Pick<K> {
    fn default() -> Self {
        Self { key: None, at: 0 }
    }
}

impl<K: PartialEq> Pick<K> {
    /// Where it stands among rows with these keys.
    pub fn place(&self, keys: impl ExactSizeIterator<Item = K>) -> usize {
        let last = keys.len().saturating_sub(1);
        match &self.key {
            None => 0,
            Some(key) => {
                let mut keys = keys;
                keys.position(|other| other == *key).unwrap_or(self.at.min(last))
            }
        }
    }

    fn go(&mut self, keys: Vec<K>, page: u16, key: Key) {
        let Some(last) = keys.len().checked_sub(1) else { return };
        let now = match &self.key {
            None => 0,
            Some(key) => keys.iter().position(|other| other == key).unwrap_or(self.at.min(last)),
        };
        let to = step(now, last, page, key);
        // At the top one wants to see what comes.
        let is_top = to == 0 && (now == 0 || key == Key::Home);
        self.at = to;
        self.key = if is_top { None } else { keys.into_iter().nth(to) };
    }
}

/// Where a key leads from `now`, among rows up to `last`.
fn step(now: usize, last: usize, page: u16, key: Key) -> usize {
    let page = usize::from(page.max(2) - 1);
    match key {
        Key::Up => now.saturating_sub(1),
        Key::Down => (now + 1).min(last),
        Key::PageUp => now.saturating_sub(page),
        Key::PageDown => (now + page).min(last),
        Key::Home => 0,
        Key::End => last,
        Key::Char(_) | Key::Ctrl(_) | Key::Tab | Key::BackTab | Key::Enter | Key::Esc | Key::Backspace => now,
    }
}

/// What lies over the lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Over {
    /// Nothing.
    #[default]
    Nothing,
    /// The keys.
    Help,
    /// What was said.
    Notes,
    /// One failure, as it was when it was opened: by now it may be forgotten. And the line that stands on top.
    Details(FailedId, Box<Failed>, usize),
}

/// What was chosen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Which rows are wanted.
    pub wanted: Wanted,
    /// The pane that keys move in.
    pub pane: Pane,
    /// What lies on top.
    pub over: Over,
    /// The filter is being typed; what it was before.
    pub typing: Option<String>,
    /// The display stands.
    pub paused: bool,
    /// The picked endpoint.
    pub endpoint: Pick<(ApiId, Arc<Endpoint>)>,
    /// The picked failure.
    pub failure: Pick<FailedId>,
    /// The picked alert, by its episode.
    pub alert: Pick<Arc<str>>,
    /// The size of the screen.
    pub area: Rect,
}

impl State {
    /// A key was pressed while `board` is shown.
    pub fn key(&mut self, key: Key, board: &Board) -> Action {
        match key {
            Key::Ctrl('c') => return Action::Quit,
            Key::Ctrl('z') => return Action::Suspend,
            Key::Ctrl('l') => return Action::Redraw,
            _ if self.typing.is_some() => return self.typed(key),
            _ => {}
        }
        let key = meant(key);
        match key {
            Key::Char('q') => return Action::Quit,
            Key::Char('?') => self.toggle(Over::Help),
            Key::Char('m') => self.toggle(Over::Notes),
            Key::Char('p') => self.paused = !self.paused,
            Key::Char('/') => {
                self.over = Over::Nothing;
                self.typing = Some(self.wanted.filter.clone());
            }
            Key::Esc if self.over != Over::Nothing => self.over = Over::Nothing,
            Key::Esc if !self.wanted.filter.is_empty() => self.wanted.filter.clear(),
            Key::Char(_) | Key::Enter | Key::Tab | Key::BackTab if self.over == Over::Nothing => {
                return self.listed(key, board);
            }
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Home | Key::End => self.go(key, board),
            Key::Enter if self.over != Over::Nothing => self.over = Over::Nothing,
            Key::Char(_) | Key::Ctrl(_) | Key::Tab | Key::BackTab | Key::Enter | Key::Esc | Key::Backspace => {
                return Action::None;
            }
        }
        Action::Draw
    }

    /// A key while the filter is typed: rows follow at once.
    fn typed(&mut self, key: Key) -> Action {
        let filter = &mut self.wanted.filter;
        match key {
            Key::Char(c) if !c.is_control() && filter.chars().count() < FILTER_MAX => filter.push(c),
            Key::Backspace if filter.is_empty() => self.typing = None,
            Key::Backspace => {
                filter.pop();
            }
            Key::Ctrl('u') => filter.clear(),
            Key::Ctrl('w') => {
                let kept = filter.trim_end().rfind(' ').map_or(0, |at| at + 1);
                filter.truncate(kept);
            }
            Key::Enter => self.typing = None,
            Key::Esc => {
                filter.clear();
                self.typing = None;
            }
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Home | Key::End | Key::Tab | Key::BackTab => {
                return Action::None;
            }
            Key::Char(_) | Key::Ctrl(_) => return Action::None,
        }
        Action::Draw
    }

    /// A key for the lists.
    fn listed(&mut self, key: Key, board: &Board) -> Action {
        match key {
            Key::Char('s') => {
                self.wanted.column = self.wanted.column.next();
                self.wanted.reversed = false;
            }
            Key::Char('S') => self.wanted.reversed = !self.wanted.reversed,
            Key::Char('e') => self.wanted.only_errors = !self.wanted.only_errors,
            Key::Tab => self.pane = self.other_pane(board, true),
            Key::BackTab => self.pane = self.other_pane(board, false),
            Key::Enter => return self.enter(board),
            Key::Char(_) | Key::Ctrl(_) | Key::Esc | Key::Backspace => return Action::None,
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Home | Key::End => return Action::None,
        }
        Action::Draw
    }

    fn other_pane(&self, board: &Board, forward: bool) -> Pane {
        let has_alerts = !self.wanted.alerts(board).is_empty();
        match (self.pane, forward) {
            (Pane::Endpoints, true) | (Pane::Alerts, false) => Pane::Failures,
            (Pane::Failures, true) | (Pane::Endpoints, false) if has_alerts => Pane::Alerts,
            (Pane::Failures, _) | (Pane::Alerts, true) => Pane::Endpoints,
            (Pane::Endpoints, false) => Pane::Failures,
        }
    }

    /// From an endpoint or an alert to its failures, from a failure to its details.
    fn enter(&mut self, board: &Board) -> Action {
        match self.pane {
            Pane::Endpoints => {
                let rows = self.wanted.endpoints(board);
                let at = self.endpoint.place(rows.iter().map(|row| (row.api, Arc::clone(&row.endpoint))));
                let Some(row) = rows.get(at) else { return Action::None };
                self.failures_of(row.endpoint.to_string());
            }
            Pane::Alerts => {
                let rows = self.wanted.alerts(board);
                let at = self.alert.place(rows.iter().map(|alert| Arc::clone(&alert.episode)));
                let Some(Alert { key, .. }) = rows.get(at) else { return Action::None };
                match &key.subject {
                    Subject::Endpoint(endpoint) => self.failures_of(endpoint.to_string()),
                    Subject::Api => self.pane = Pane::Failures,
                    Subject::Source(_) => return Action::None,
                }
            }
            Pane::Failures => {
                let Some((id, failed)) = self.picked_failure(board) else { return Action::None };
                self.over = Over::Details(id, Box::new(failed.clone()), 0);
                self.failure.key = Some(id);
            }
        }
        Action::Draw
    }

    fn failures_of(&mut self, endpoint: String) {
        self.wanted.filter = endpoint;
        self.pane = Pane::Failures;
        self.failure = Pick::default();
    }

    /// The picked failure.
    #[must_use]
    pub fn picked_failure<'a>(&self, board: &'a Board) -> Option<(FailedId, &'a Failed)> {
        let rows = self.wanted.failures(board);
        let at = self.failure.place(rows.iter().map(|(id, _)| *id));
        rows.get(at).copied()
    }

    fn toggle(&mut self, over: Over) {
        self.over = if self.over == over { Over::Nothing } else { over };
    }

    fn go(&mut self, key: Key, board: &Board) {
        if let Over::Details(id, opened, top) = &mut self.over {
            let failed = board.failed(*id).unwrap_or(opened);
            let Some(places) = places(self.area, 0, 0) else { return };
            let height = places.body.height.saturating_sub(1);
            let rows = details::rows(failed, self.area.width, failed.seen).len();
            *top = step(*top, rows.saturating_sub(usize::from(height)), height, key);
            return;
        }
        if self.over != Over::Nothing {
            return;
        }
        let (endpoints, alerts) = (self.wanted.endpoints(board), self.wanted.alerts(board));
        let Some(places) = places(self.area, alerts.len(), endpoints.len()) else { return };
        match self.pane {
            Pane::Endpoints => {
                let keys = endpoints.iter().map(|row| (row.api, Arc::clone(&row.endpoint))).collect();
                self.endpoint.go(keys, places.endpoint_rows(), key);
            }
            Pane::Failures => {
                let keys = self.wanted.failures(board).iter().map(|(id, _)| *id).collect();
                self.failure.go(keys, places.failure_rows(), key);
            }
            Pane::Alerts => {
                let keys = alerts.iter().map(|alert| Arc::clone(&alert.episode)).collect();
                self.alert.go(keys, places.alert_rows(), key);
            }
        }
    }
}

/// Letters that mean the same as other keys.
const fn meant(key: Key) -> Key {
    match key {
        Key::Char('j') => Key::Down,
        Key::Char('k') => Key::Up,
        Key::Char('g') => Key::Home,
        Key::Char('G') => Key::End,
        Key::Char(' ') | Key::Ctrl('f' | 'd') => Key::PageDown,
        Key::Ctrl('b' | 'u') => Key::PageUp,
        Key::Ctrl('n') => Key::Down,
        Key::Ctrl('p') => Key::Up,
        other => other,
    }
}
