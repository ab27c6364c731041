//! A terminal of the test's own: a pseudo-terminal, a program on it, and what stands on its screen.
//!
//! Not a terminal emulator that anybody looks at; [`Terminal::svg`] makes a picture of it. Rule: a test waits for what it
//! expects to see, never for a time, and when it does not come the whole screen is part of the failure.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;
use vt100::{Cell, Color, Parser, Screen};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with a program.
pub(crate) struct Terminal {
    /// Our end of it.
    master: File,
    child: Child,
    shown: Arc<Mutex<Parser>>,
    _home: TempDir,
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a terminal has a size")
}

fn set_size(master: &File, (cols, rows): (u16, u16)) {
    let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("a terminal has any size");
}

/// Opens a pseudo-terminal: our end of it, and the program's.
fn open() -> (File, File) {
    let master =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("there are pseudo-terminals");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let its = OpenOptions::new().read(true).write(true).open(path).expect("its other end can be opened");
    (File::from(master), its)
}

impl Terminal {
    /// Starts a program with nothing but this environment, on a terminal of so many columns and rows.
    pub(crate) fn start(program: &[&str], environment: &[(&str, &str)], (cols, rows): (u16, u16)) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let (master, its) = open();
        set_size(&master, (cols, rows));
        let end = || its.try_clone().expect("a file can be shared");
        // It becomes the program, in a session of its own to which the terminal belongs.
        let mut command = Command::new("setsid");
        command.arg("--ctty").args(program).env_clear();
        let inherited = ["PATH", "LLVM_PROFILE_FILE", "RUST_BACKTRACE"];
        command.envs(inherited.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("TERM", "xterm-256color").env("HOME", home.path()).current_dir(home.path());
        command.envs(environment.iter().copied()).stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("setsid, of util-linux, is on each Linux");
        // Its own ends, or we would never see that it has closed the last.
        drop((command, its));
        let mut output = master.try_clone().expect("a file can be shared");
        let shown = Arc::new(Mutex::new(Parser::new(cells(rows), cells(cols), 200)));
        let parser = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with an error once nobody has the terminal any more.
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                parser.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..n]);
            }
        });
        Self { master, child, shown, _home: home }
    }

    /// Presses keys, as the bytes that a terminal sends for them.
    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("somebody has the terminal");
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, (cols, rows): (u16, u16)) {
        self.parser().screen_mut().set_size(cells(rows), cells(cols));
        set_size(&self.master, (cols, rows));
    }

    /// Its program's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn parser(&self) -> MutexGuard<'_, Parser> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the screen is as wanted, and returns its text.
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&Screen, &str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let (text, is_so) = {
                let parser = self.parser();
                let text = parser.screen().contents();
                let is_so = wanted(parser.screen(), &text);
                (text, is_so)
            };
            if is_so {
                return text;
            }
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}; on the screen stands\n{text}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until all of these stand on the screen.
    pub(crate) fn until_all(&self, parts: &[&str]) -> String {
        self.until(&format!("{parts:?}"), |_, text| parts.iter().all(|part| text.contains(part)))
    }

    /// Waits until the program has given the terminal back: the usual screen, with a cursor.
    pub(crate) fn until_given_back(&self) -> String {
        self.until("the usual screen", |screen, _| !screen.alternate_screen() && !screen.hide_cursor())
    }

    /// Waits until the program has ended, and returns its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not end; on the screen stands\n{}",
                self.parser().screen().contents()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether any cell has a colour.
    pub(crate) fn has_colour(&self) -> bool {
        let parser = self.parser();
        let (rows, cols) = parser.screen().size();
        let mut all = (0..rows.get()).flat_map(|y| (0..cols.get()).map(move |x| (y, x)));
        all.any(|(y, x)| {
            parser.screen().cell(y, x).is_some_and(|c| c.fgcolor() != Color::Default || c.bgcolor() != Color::Default)
        })
    }

    /// A picture of the screen as it is.
    pub(crate) fn svg(&self) -> String {
        svg(self.parser().screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Size of a cell, and of the edge around all, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const EDGE: f64 = 12.0;
const GROUND: &str = "#1a1b26";
const INK: &str = "#c8d0e0";
/// Blocks by eighths.
const BARS: &str = "▁▂▃▄▅▆▇█";

fn svg(screen: &Screen) -> String {
    let (rows, cols) = screen.size();
    let (rows, cols) = (rows.get(), cols.get());
    let (width, height) = (f64::from(cols) * CELL.0 + 2.0 * EDGE, f64::from(rows) * CELL.1 + 2.0 * EDGE);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n"
    );
    for y in 0..rows {
        let mut x = 0;
        while x < cols {
            let Some(first) = screen.cell(y, x) else { break };
            let begin = x;
            let mut text = String::new();
            // One run of cells that look alike; bars and signs are placed one by one.
            while let Some(cell) = screen.cell(y, x).filter(|cell| x == begin || is_alike(first, cell)) {
                if !cell.is_wide_continuation() {
                    text.push_str(if cell.has_contents() { cell.contents() } else { " " });
                }
                x += 1;
            }
            out.push_str(&run(first, &text, begin, x, y));
        }
    }
    out + "</svg>\n"
}

fn is_alike(a: &Cell, b: &Cell) -> bool {
    let look = |c: &Cell| (c.fgcolor(), c.bgcolor(), c.bold(), c.inverse(), c.underline());
    let is_text = |c: &Cell| c.contents().is_ascii() || c.is_wide_continuation();
    look(a) == look(b) && ((is_text(a) && is_text(b)) || (a.contents() == b.contents() && a.contents() == "─"))
}

fn run(look: &Cell, text: &str, from: u16, to: u16, y: u16) -> String {
    let colour = |c, default| match c {
        Color::Default => default,
        Color::Idx(1) => "#f7768e",
        Color::Idx(2) => "#9ece6a",
        Color::Idx(3) => "#e0af68",
        Color::Idx(6) => "#7dcfff",
        Color::Idx(8) => "#6b7394",
        Color::Idx(_) | Color::Rgb(..) => INK,
    };
    let (mut fore, mut back) = (colour(look.fgcolor(), INK), colour(look.bgcolor(), GROUND));
    if look.inverse() {
        std::mem::swap(&mut fore, &mut back);
    }
    let (left, top) = (EDGE + f64::from(from) * CELL.0, EDGE + f64::from(y) * CELL.1);
    let width = f64::from(to - from) * CELL.0;
    let block = |x: f64, y: f64, width: f64, height: f64, fill: &str| {
        format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>\n")
    };
    let mut out = String::new();
    if back != GROUND {
        out.push_str(&block(left, top, width, CELL.1, back));
    }
    if let Some(eighths) = text.chars().next().and_then(|c| BARS.chars().position(|bar| bar == c)) {
        let height = CELL.1 * f64::from(u8::try_from(eighths + 1).unwrap_or(8)) / 8.0;
        out.push_str(&block(left, top + CELL.1 - height, width - 0.6, height, fore));
    } else if text.starts_with('─') {
        out.push_str(&block(left, top + CELL.1 / 2.0, width, 1.0, fore));
    } else if !text.trim().is_empty() {
        let weight = if look.bold() { " font-weight=\"bold\"" } else { "" };
        let line = if look.underline() { " text-decoration=\"underline\"" } else { "" };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        out.push_str(&format!(
            "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" xml:space=\"preserve\" fill=\"{fore}\"{weight}{line}>{text}</text>\n",
            top + CELL.1 * 0.75
        ));
    }
    out
}
