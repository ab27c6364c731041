//! Standard output for whoever watches: lines that are worth nothing later.
//!
//! Not messages: those are the post's, which tries again and keeps them. Rule: whoever puts a line never waits. A reader
//! that is slow misses lines, and is told how many; one that has gone ends the run.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::notify::sink::stdout::Writer;

/// Lines that wait for a reader; then they are left out.
const WAITING_MAX: usize = 10_000;
/// Lines that are written at once.
const AT_ONCE: usize = 256;
/// How long the last lines may take: a stop must end soon.
const LAST: Duration = Duration::from_secs(2);

/// Lines on their way.
#[derive(Debug)]
pub struct Lines {
    queue: mpsc::Sender<String>,
    writing: JoinHandle<io::Result<()>>,
    left_out: u64,
}

impl Lines {
    /// Lines for this writer; `stop` is cancelled when they can no longer be written.
    #[must_use]
    pub fn start(writer: Writer, stop: CancellationToken) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        Self { queue, writing: tokio::spawn(write_all(writer, waiting, stop)), left_out: 0 }
    }

    /// Puts a line, without its end.
    pub fn put(&mut self, mut line: String) {
        line.push('\n');
        match self.queue.try_send(line) {
            Ok(()) => self.say_left_out(),
            Err(mpsc::error::TrySendError::Full(_)) => {
                if self.left_out == 0 {
                    tracing::warn!("standard output is full and nobody reads it: lines are left out meanwhile");
                }
                self.left_out += 1;
            }
            // Why is told at the end.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }

    /// Waits for the last lines, though not for long.
    ///
    /// # Errors
    /// Why lines could not be written. A reader that has gone has seen enough, as in `gatewatch --follow shop | head`:
    /// that is none.
    pub async fn finish(mut self) -> io::Result<()> {
        self.say_left_out();
        drop(self.queue);
        match tokio::time::timeout(LAST, self.writing).await {
            Ok(Ok(Err(e))) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Ok(Ok(written)) => written,
            Ok(Err(failed)) => Err(io::Error::other(failed)),
            Err(_) => {
                tracing::warn!("standard output is full and nobody reads it: its last lines are lost");
                Ok(())
            }
        }
    }

    fn say_left_out(&mut self) {
        match std::mem::take(&mut self.left_out) {
            0 => {}
            n => tracing::warn!("{n} lines were left out, because nobody read standard output"),
        }
    }
}

async fn write_all(writer: Writer, mut waiting: mpsc::Receiver<String>, stop: CancellationToken) -> io::Result<()> {
    let mut lines = Vec::new();
    while waiting.recv_many(&mut lines, AT_ONCE).await > 0 {
        if let Err(e) = writer.write(lines.concat()).await {
            stop.cancel();
            return Err(e);
        }
        lines.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use super::*;

    #[tokio::test]
    async fn a_slow_reader_misses_lines_and_holds_nobody_up() {
        let (reader, pipe) = io::pipe().unwrap();
        let stop = CancellationToken::new();
        let mut lines = Lines::start(Writer::start(pipe), stop.clone());
        // Far more than a pipe and the queue hold. Yields, or a full queue would mean nothing here.
        let all = 4 * WAITING_MAX;
        for n in 0..all {
            lines.put(format!("{n:0200}"));
            tokio::task::yield_now().await;
        }
        let left_out = lines.left_out;
        assert!(left_out > 0 && !stop.is_cancelled());
        let reading = tokio::task::spawn_blocking(|| BufReader::new(reader).lines().map(Result::unwrap).collect());
        lines.finish().await.unwrap();
        let read: Vec<String> = reading.await.unwrap();
        assert_eq!(read.len() as u64, all as u64 - left_out);
        assert!(read.iter().all(|line| line.len() == 200) && read.is_sorted());
    }

    #[tokio::test]
    async fn a_reader_that_never_reads_again_does_not_hold_up_the_end() {
        let (reader, pipe) = io::pipe().unwrap();
        let mut lines = Lines::start(Writer::start(pipe), CancellationToken::new());
        lines.put("x".repeat(1 << 20));
        let end = tokio::time::timeout(LAST * 2, lines.finish()).await;
        assert!(end.expect("it ends").is_ok());
        drop(reader);
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_ends_the_run() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let stop = CancellationToken::new();
        let mut lines = Lines::start(Writer::start(pipe), stop.clone());
        lines.put("one".to_owned());
        let mut first = [0; 4];
        tokio::task::spawn_blocking(move || reader.read_exact(&mut first).map(|()| drop(reader)))
            .await
            .unwrap()
            .unwrap();
        lines.put("two".to_owned());
        stop.cancelled().await;
        lines.put("three".to_owned());
        lines.finish().await.unwrap();
    }
}
