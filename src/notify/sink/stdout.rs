//! Standard output as a sink.
//!
//! A write to a pipe that nobody reads may take for ever and cannot be cancelled, so a thread of its own does it, for
//! all sinks of this kind together. Not the rendering. Rule: whoever delivers waits for the thread's answer and may stop
//! waiting at any time; what is given up before its write has begun is not written.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Deliver, SendError};
use crate::model::own::marked;
use crate::notify::message::Message;
use crate::notify::origin::Origin;
use crate::notify::{json, text};

/// Texts that wait for the thread. Each sink waits for its answer, so more than one is there only if some were given up.
const QUEUE: usize = 8;
/// A write that takes longer than this is worth a word.
const SLOW: Duration = Duration::from_secs(10);
/// Between two looks whether there is room, where whoever made the pipe wants writes not to wait.
const NO_ROOM: Duration = Duration::from_millis(20);

/// How stdout is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutFormat {
    /// Text on a terminal, JSON lines otherwise.
    Auto,
    /// Readable text.
    Text,
    /// JSON lines.
    Json,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text for a terminal.
    Text,
    /// Text of which each line carries the mark of our own lines: it may come back as log events.
    MarkedText,
    /// JSON lines.
    Json,
}

/// Standard output, or whatever stands in for it, as one of its sinks has it.
#[derive(Debug)]
pub struct Stdout {
    writer: Writer,
    shape: Shape,
    origin: Origin,
    /// It was said that nobody reads.
    said_slow: bool,
}

/// The thread that writes. Its copies are hands on the same thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Writer {
    texts: mpsc::Sender<Text>,
}

/// A text, and who waits for what became of it.
#[derive(Debug)]
struct Text {
    text: String,
    written: oneshot::Sender<std::io::Result<()>>,
}

impl Writer {
    /// Starts the thread, which writes to `out`.
    pub fn start(out: impl Write + Send + 'static) -> Self {
        let (texts, waiting) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new().name("stdout".to_owned());
        thread.spawn(move || write_all(out, waiting)).expect("the system can start a thread");
        Self { texts }
    }

    /// Hands over a text and waits until it is written.
    ///
    /// # Errors
    /// Why it was not, or not whole.
    pub async fn write(&self, text: String) -> std::io::Result<()> {
        let (written, answer) = oneshot::channel();
        let gone = || std::io::Error::other(Gone);
        self.texts.send(Text { text, written }).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// The thread has failed.
#[derive(Debug, thiserror::Error)]
#[error("its thread has failed")]
struct Gone;

/// What another try of a write can do.
fn send_error(e: &std::io::Error) -> SendError {
    if e.kind() == ErrorKind::BrokenPipe {
        return SendError::never("standard output is closed: whoever read it has gone");
    }
    let text = format!("standard output: {e}");
    // A file on a disk that is full may have room later.
    if matches!(e.get_ref(), Some(inner) if inner.is::<Gone>()) {
        SendError::never(text)
    } else {
        SendError::again(text)
    }
}

impl Stdout {
    /// Writes with this writer.
    #[must_use]
    pub const fn new(writer: Writer, shape: Shape, origin: Origin) -> Self {
        Self { writer, shape, origin, said_slow: false }
    }
}

impl Deliver for Stdout {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        let body = match self.shape {
            Shape::Text => text::render(message, &self.origin) + "\n",
            Shape::MarkedText => marked(&text::render(message, &self.origin)),
            Shape::Json => json::render(message, &self.origin),
        };
        let writing = self.writer.write(body + "\n");
        let mut writing = std::pin::pin!(writing);
        if let Ok(written) = tokio::time::timeout(SLOW, &mut writing).await {
            self.said_slow = false;
            return written.map_err(|e| send_error(&e));
        }
        if !std::mem::replace(&mut self.said_slow, true) {
            tracing::warn!("standard output is full and nobody reads it: messages for it wait");
        }
        writing.await.map_err(|e| send_error(&e))
    }
}

fn write_all(mut out: impl Write, mut waiting: mpsc::Receiver<Text>) {
    // The last write ended somewhere in a line.
    let mut torn = false;
    while let Some(Text { text, written }) = waiting.blocking_recv() {
        if written.is_closed() {
            continue;
        }
        let text = if torn { format!("\n{text}") } else { text };
        let outcome = write_whole(&mut out, text.as_bytes());
        torn = matches!(&outcome, Err(e) if e.kind() != ErrorKind::BrokenPipe);
        // Whoever waited may have given up meanwhile.
        let _ = written.send(outcome);
    }
}

/// Writes and flushes all of it: a reader of a pipe never waits for the rest of a message.
fn write_whole(out: &mut impl Write, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match patient(|| out.write(bytes))? {
            0 => return Err(ErrorKind::WriteZero.into()),
            n => bytes = &bytes[n..],
        }
    }
    patient(|| out.flush())
}

/// Tries again what was interrupted, or had no room in a pipe that does not wait.
fn patient<T>(mut write: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match write() {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => thread::sleep(NO_ROOM),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests;
