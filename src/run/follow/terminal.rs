//! The terminal: taken over for a full screen, and given back whatever happens.
//!
//! Given back at the end, on an error, on a panic, at the second signal that ends the process at once, and while the
//! process is stopped. Not what is drawn. Rule: there is one terminal, so whether it is taken is a fact of the process, and
//! giving it back twice does nothing.

use std::io::{self, BufWriter, Stdout, stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::layout::{Position, Rect};
use rustix::process::{Signal, getpgrp, getpid, getsid, kill_current_process_group, kill_process};

use crate::view::screen::Key;

/// What is written before it is sent to the terminal: more than a big screen drawn anew.
const BUFFER: usize = 64 << 10;
/// How long a look for a key waits.
const LOOK: Duration = Duration::from_millis(100);

static TAKEN: AtomicBool = AtomicBool::new(false);

/// What is drawn on.
pub type Drawing = ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Something came from the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(Key),
    /// It has another size, or has been drawn over.
    Changed,
}

/// Holds the terminal; it is given back when this is dropped.
#[derive(Debug)]
pub struct Hold(());

/// Takes the terminal over.
///
/// # Errors
/// When it is none, or refuses.
pub fn take() -> io::Result<(Hold, Drawing)> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // First, or nobody could read it.
            give_back();
            before(panic);
        }));
    });
    let hold = Hold(());
    set_up()?;
    let backend = CrosstermBackend::new(BufWriter::with_capacity(BUFFER, stdout()));
    Ok((hold, ratatui::Terminal::new(backend)?))
}

impl Hold {
    /// Takes it over again, after the process was stopped.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn retake(&self, drawing: &mut Drawing) -> io::Result<()> {
        // The shell has set it as it likes it, whatever we remember.
        let _ = disable_raw_mode();
        set_up()?;
        anew(drawing)
    }
}

/// Has the next drawing send every cell.
///
/// # Errors
/// When the terminal is gone.
pub fn anew(drawing: &mut Drawing) -> io::Result<()> {
    // Not `clear`: that asks the terminal where its cursor is, and another thread waits for what it answers.
    let area = Rect::from((Position::ORIGIN, drawing.size()?));
    drawing.resize(area)
}

impl Drop for Hold {
    fn drop(&mut self) {
        give_back();
    }
}

fn set_up() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, cursor::Hide)
}

/// Whether it is taken over now.
#[must_use]
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Gives it back as it was, if it was taken over.
pub fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Whoever ends has no one else to tell.
        let _ = execute!(stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

/// Asks the shell to stop us, as ctrl-z does where no program takes the keys. Returns false where no shell would ever
/// bring us back: the process group is then the one that the session began with.
#[must_use]
pub fn ask_for_stop() -> bool {
    let by_a_shell = getsid(None).is_ok_and(|session| session != getpgrp());
    // All of the group, as the terminal does it: whoever started us may wait in it.
    by_a_shell && kill_current_process_group(Signal::TSTP).is_ok()
}

/// Gives the terminal back and stops the process, until somebody lets it go on.
pub fn stop_here() {
    give_back();
    // It cannot be refused; if it could, the screen would come back with the next key.
    let _ = kill_process(getpid(), Signal::STOP);
}

/// What comes next from the terminal, if something comes soon. Only one thread may ask.
///
/// # Errors
/// When the terminal is gone.
pub fn next_input() -> io::Result<Option<Input>> {
    if !event::poll(LOOK)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) => key_of(key).map(Input::Key),
        Event::Resize(..) => Some(Input::Changed),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => None,
    })
}

fn key_of(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char(c) if ctrl => Some(Key::Ctrl(c.to_ascii_lowercase())),
        KeyCode::Char(c) => Some(Key::Char(c)),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::Home),
        KeyCode::End => Some(Key::End),
        KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => Some(Key::BackTab),
        KeyCode::Tab => Some(Key::Tab),
        KeyCode::BackTab => Some(Key::BackTab),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Esc),
        KeyCode::Backspace => Some(Key::Backspace),
        KeyCode::Left
        | KeyCode::Right
        | KeyCode::Delete
        | KeyCode::Insert
        | KeyCode::F(_)
        | KeyCode::Null
        | KeyCode::CapsLock
        | KeyCode::ScrollLock
        | KeyCode::NumLock
        | KeyCode::PrintScreen
        | KeyCode::Pause
        | KeyCode::Menu
        | KeyCode::KeypadBegin
        | KeyCode::Media(_)
        | KeyCode::Modifier(_) => None,
    }
}
