//! Asking the daemon's loop how it is.
//!
//! The loop answers between two batches, so an answer is also the proof that it turns: health checks and watchdogs
//! rest on that. Not the answer: that is [`Report`]. Rule: whoever asks waits only so long; nobody who does not ask
//! costs anything.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::model::report::{Detail, Report};

/// Questions that may wait; more wait to be asked.
const QUEUE: usize = 16;

/// A question, to be answered by whoever owns the engine.
#[derive(Debug)]
pub struct Question {
    /// How much is asked for.
    pub detail: Detail,
    reply: oneshot::Sender<Report>,
}

/// Where questions are asked; as often cloned as there are who ask.
#[derive(Clone, Debug)]
pub struct Inquiry {
    questions: mpsc::Sender<Question>,
}

/// Where questions arrive.
pub type Questions = mpsc::Receiver<Question>;

/// The daemon's loop did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It hangs, or is very busy.
    #[error("the daemon's loop did not answer in time: it hangs, or has far too much to do")]
    Late,
    /// It has ended.
    #[error("the daemon has ended")]
    Ended,
}

/// A channel for questions.
#[must_use]
pub fn channel() -> (Inquiry, Questions) {
    let (questions, arriving) = mpsc::channel(QUEUE);
    (Inquiry { questions }, arriving)
}

impl Inquiry {
    /// Asks, and waits so long at most.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(&self, detail: Detail, patience: Duration) -> Result<Report, NoAnswer> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.questions.send(Question { detail, reply }).await.map_err(|_| NoAnswer::Ended)?;
            answer.await.map_err(|_| NoAnswer::Ended)
        };
        tokio::time::timeout(patience, asked).await.unwrap_or(Err(NoAnswer::Late))
    }
}

impl Question {
    /// Whether anybody still waits for the answer.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.reply.is_closed()
    }

    /// Answers it.
    pub fn answer(self, report: Report) {
        // Whoever asked may have stopped waiting.
        let _ = self.reply.send(report);
    }
}
