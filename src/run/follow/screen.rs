//! The full screen: what is said goes to a board, a thread draws it and takes the keys.
//!
//! Not what is drawn (that is [`crate::view::screen`]) and not the terminal's ways. Rule: drawing never holds up reading:
//! the board is locked while cells are filled, not while they are sent; and whatever ends the thread that draws ends the
//! run.

use std::io::{self, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Following;
use super::terminal::{self, Drawing, Hold, Input};
use crate::model::inventory::Inventory;
use crate::model::report::Detail;
use crate::model::time::Timestamp;
use crate::notify::origin::Origin;
use crate::notify::text;
use crate::ops::clock::Clock;
use crate::ops::inquiry::{self, Inquiry, NoAnswer};
use crate::ops::telemetry::{self, Diverted};
use crate::run::pipeline::Said;
use crate::view::screen::{Action, Board, Screen, Title};
use crate::view::{Paint, report};

/// Between two drawings that no key asked for.
const FRAME: Duration = Duration::from_millis(100);
/// Between two reports: they cost the engine a look at all endpoints.
const REPORT_EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// Warnings that are said again when the screen is gone.
const WARNINGS_MAX: usize = 20;

/// What the thread that draws is told.
enum Tell {
    Input(Input),
    /// The terminal is gone.
    Gone(io::Error),
    /// Somebody wants the process to stop for a while.
    Stop,
    /// It goes on.
    GoOn,
    /// It is over.
    End,
}

/// Follows on a full screen.
pub(super) async fn run(mut following: Following, paint: Paint) -> Result<()> {
    let (clock, stop) = (following.clock.clone(), following.stop.clone());
    let inventory = following.inventory();
    let title = Title { api: names(&inventory), region: following.region().to_owned(), stage: None };
    let board = Arc::new(Mutex::new(Board::new(title, clock.now().minus(following.since))));
    let (inquiry, questions) = inquiry::channel();
    let live = following.live(Some(questions));
    let (tell, told) = mpsc::channel();
    tell_of_stops(&tell).context("cannot listen for signals")?;
    let (hold, drawing) =
        terminal::take().context("the terminal cannot be taken over; --plain prints lines instead")?;
    let over = Arc::new(AtomicBool::new(false));
    let reading = thread::spawn({
        let (tell, over) = (tell.clone(), Arc::clone(&over));
        move || read_inputs(&tell, &over)
    });
    let stage = Stage {
        hold,
        drawing,
        screen: Screen::new(paint),
        board: Arc::clone(&board),
        clock: clock.clone(),
        said: telemetry::divert(),
        drawn: None,
    };
    let showing = thread::spawn({
        let (stop, mut stage) = (stop.clone(), stage);
        move || {
            let _ends = stop.drop_guard();
            let outcome = stage.play(&told);
            over.store(true, Ordering::Relaxed);
            // What is typed from now on is meant for somebody else. If it failed, it takes no keys either.
            let _ = reading.join();
            drop(stage);
            outcome
        }
    });
    let asking = tokio::spawn(ask(inquiry, Arc::clone(&board), stop));
    let mut hear = |said: Said| {
        let now = clock.now();
        hear(&mut lock(&board), &said, now);
    };
    let watched = Box::pin(live.watch(&mut following.clients, &mut hear)).await;
    asking.abort();
    // It may have ended already.
    let _ = tell.send(Tell::End);
    let shown = tokio::task::spawn_blocking(move || showing.join()).await?;
    let warnings = warnings(&lock(&board));
    for line in &warnings {
        writeln!(stderr(), "gatewatch: {line}")?;
    }
    shown.map_err(|_| anyhow!("the thread that draws failed"))?.context("the terminal")?;
    let summary = watched?;
    if summary.requests() > 0 {
        writeln!(io::stdout(), "{}", report::text(&summary, &inventory, &[]).trim_end())?;
    }
    Ok(())
}

fn names(inventory: &Inventory) -> String {
    let names: Vec<&str> = inventory.apis.iter().map(|api| &*api.name).collect();
    names.join(", ")
}

/// What is said, on the board.
fn hear(board: &mut Board, said: &Said, now: Timestamp) {
    match said {
        Said::Request(request) => board.request(request, now),
        Said::Failure(failure) => board.failure(failure, now),
        Said::Message { message, .. } => {
            let text = text::render(message, &Origin::default());
            board.note(now, text.lines().next().unwrap_or_default(), false);
        }
    }
}

/// Asks how it is, again and again.
async fn ask(inquiry: Inquiry, board: Arc<Mutex<Board>>, stop: CancellationToken) {
    loop {
        match inquiry.ask(Detail::Full, PATIENCE).await {
            Ok(report) => lock(&board).report(report),
            Err(NoAnswer::Late) => {
                tracing::warn!("no figures for {} s: reading has far too much to do", PATIENCE.as_secs());
            }
            Err(NoAnswer::Ended) => return,
        }
        if stop.run_until_cancelled(tokio::time::sleep(REPORT_EVERY)).await.is_none() {
            return;
        }
    }
}

/// The signals by which a shell stops a process and lets it go on.
fn tell_of_stops(tell: &Sender<Tell>) -> io::Result<()> {
    let pairs: [(Signal, fn() -> Tell); 2] = [(Signal::TSTP, || Tell::Stop), (Signal::CONT, || Tell::GoOn)];
    for (kind, what) in pairs {
        let (mut came, tell) = (signal(SignalKind::from_raw(kind.as_raw()))?, tell.clone());
        tokio::spawn(async move { while came.recv().await.is_some() && tell.send(what()).is_ok() {} });
    }
    Ok(())
}

fn read_inputs(tell: &Sender<Tell>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let next = match terminal::next_input() {
            Ok(None) => continue,
            Ok(Some(input)) => Tell::Input(input),
            Err(error) => Tell::Gone(error),
        };
        let is_gone = matches!(next, Tell::Gone(_));
        if tell.send(next).is_err() || is_gone {
            return;
        }
    }
}

/// What gatewatch said of itself and of what goes wrong, for whoever has only the terminal left.
fn warnings(board: &Board) -> Vec<String> {
    let all: Vec<_> = board.notes().filter(|note| note.is_warning).map(|note| note.text.clone()).collect();
    let from = all.len().saturating_sub(WARNINGS_MAX);
    all[from..].iter().map(|text| crate::model::text::printable(text)).collect()
}

/// A board that was left in the middle of a change is still good enough to look at.
fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread that draws.
struct Stage {
    hold: Hold,
    drawing: Drawing,
    screen: Screen,
    board: Arc<Mutex<Board>>,
    clock: Clock,
    said: Diverted,
    /// The board's changes when it was drawn last, and the second.
    drawn: Option<(u64, i64)>,
}

impl Stage {
    fn play(&mut self, told: &Receiver<Tell>) -> io::Result<()> {
        loop {
            self.draw()?;
            let mut next = match told.recv_timeout(FRAME) {
                Ok(next) => Some(next),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            // All that is there, before it is drawn: keys that repeat must not pile up.
            while let Some(now) = next {
                if !self.take(now)? {
                    return Ok(());
                }
                next = told.try_recv().ok();
            }
        }
    }

    /// Returns false when it is over.
    fn take(&mut self, told: Tell) -> io::Result<bool> {
        match told {
            Tell::End => return Ok(false),
            Tell::Gone(error) => return Err(error),
            Tell::Stop => terminal::stop_here(),
            Tell::GoOn => {
                self.hold.retake(&mut self.drawing)?;
                self.drawn = None;
            }
            Tell::Input(Input::Changed) => self.drawn = None,
            Tell::Input(Input::Key(key)) => {
                let size = self.drawing.size()?;
                self.screen.resize(size.width, size.height);
                let action = self.screen.key(key, &lock(&self.board), self.clock.now());
                match action {
                    Action::None => {}
                    Action::Draw => self.drawn = None,
                    Action::Redraw => {
                        terminal::anew(&mut self.drawing)?;
                        self.drawn = None;
                    }
                    Action::Suspend if terminal::ask_for_stop() => {}
                    Action::Suspend => {
                        lock(&self.board).note(self.clock.now(), "there is no shell to go back to", false);
                    }
                    Action::Quit => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    /// Draws if something has changed; the time does each second.
    fn draw(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        for line in self.said.lines() {
            lock(&self.board).note(now, &line.text, line.is_warning);
        }
        let board = lock(&self.board);
        let due = (board.changes(), now.as_millis().div_euclid(1000));
        // A panic elsewhere, or a stop, has given the terminal back.
        if self.drawn == Some(due) || !terminal::is_taken() {
            return Ok(());
        }
        let screen = &mut self.screen;
        let mut board = Some(board);
        self.drawing.draw(|frame| {
            let area = frame.area();
            screen.resize(area.width, area.height);
            // Dropped before the cells are sent.
            if let Some(board) = board.take() {
                screen.draw(frame.buffer_mut(), area, &board, now);
            }
        })?;
        self.drawn = Some(due);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
