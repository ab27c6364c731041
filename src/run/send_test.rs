//! `send-test`: one test message through each configured sink, and what became of it.
//!
//! Not the post: nothing is kept and little is tried again, because somebody waits for the answer. Rule: each sink is
//! tried at the same time as the others, has its own limit, and gets one line.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

use super::sinks::Sink;
use crate::model::time::Timestamp;
use crate::notify::message::{Message, Test};
use crate::notify::sink::{Class, Deliver};
use crate::ops::clock::Clock;

/// Tries of each sink: the first may meet a connection that is being made.
const TRIES: u32 = 2;
/// Before the second, unless the service asks for more.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest wait before the second: a service that asks for more has answered the question.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// What each sink may take in all.
const LIMIT: Duration = Duration::from_secs(25);

/// Sends through all sinks and says on `out` what became of it, one line for each in their order. Whether all were
/// delivered.
///
/// # Errors
/// When `out` cannot be written.
pub async fn run(sinks: Vec<(Arc<str>, Sink)>, clock: &Clock, out: &mut impl Write) -> Result<bool> {
    let message = Arc::new(test_message(clock.now()));
    let tests: Vec<(Arc<str>, JoinHandle<_>)> = sinks
        .into_iter()
        .map(|(name, sink)| (name, tokio::spawn(test(sink, Arc::clone(&message), clock.clone()))))
        .collect();
    let mut all = true;
    for (name, test) in tests {
        let line = match test.await.context("a sink failed")? {
            Ok(took) => format!("ok      {name}  (delivered in {} ms)", took.as_millis()),
            Err(why) => {
                all = false;
                format!("FAILED  {name}: {why}")
            }
        };
        writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")?;
    }
    Ok(all)
}

fn test_message(time: Timestamp) -> Message {
    // Of its own for each test: a FIFO topic would swallow a repetition.
    Message::Test(Box::new(Test { time, episode: format!("test-{}", time.as_millis()).into() }))
}

/// How long the delivery took, or why there was none.
async fn test<D: Deliver>(mut sink: D, message: Arc<Message>, clock: Clock) -> Result<Duration, String> {
    let mut last = "no answer".to_owned();
    let tried = tokio::time::timeout(LIMIT, async {
        for tries in 1.. {
            let begun = clock.now();
            let error = match sink.deliver(&message).await {
                Ok(()) => return Ok(clock.now().since(begun)),
                Err(error) => error,
            };
            let pause = match error.class {
                Class::Again => PAUSE,
                Class::Throttled { after } => after.unwrap_or_default().max(PAUSE),
                Class::Never => return Err(error.text),
            };
            if tries == TRIES || pause > PAUSE_MAX {
                return Err(error.text);
            }
            last = error.text;
            tokio::time::sleep(pause).await;
        }
        unreachable!("the tries are counted")
    });
    tried.await.unwrap_or_else(|_| Err(format!("given up after {} s: {last}", LIMIT.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::sink::SendError;

    /// Answers in turn, and hangs in the end.
    struct Turns(Vec<Result<(), SendError>>);

    impl Deliver for Turns {
        async fn deliver(&mut self, _message: &Message) -> Result<(), SendError> {
            if self.0.is_empty() {
                std::future::pending::<()>().await;
            }
            self.0.remove(0)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_test_is_tried_twice_at_most_and_ends() {
        let clock = Clock::from(Timestamp::from_millis(1_785_231_944_443), 1);
        let message = Arc::new(test_message(clock.now()));
        let test = async |turns: &[Result<(), SendError>]| {
            test(Turns(turns.to_vec()), Arc::clone(&message), clock.clone()).await
        };
        let again = || Err(SendError::again("no route"));
        let after = |secs| {
            let class = Class::Throttled { after: Some(Duration::from_secs(secs)) };
            Err(SendError { class, text: "too many".to_owned() })
        };
        assert_eq!(test(&[Ok(())]).await, Ok(Duration::ZERO));
        assert!(test(&[again(), Ok(())]).await.is_ok());
        assert!(test(&[after(3), Ok(())]).await.is_ok());
        assert_eq!(test(&[again(), again(), Ok(())]).await, Err("no route".to_owned()));
        assert_eq!(test(&[after(60), Ok(())]).await, Err("too many".to_owned()));
        assert_eq!(test(&[Err(SendError::never("no such topic")), Ok(())]).await, Err("no such topic".to_owned()));
        let begun = clock.now();
        assert_eq!(test(&[again()]).await, Err("given up after 25 s: no route".to_owned()));
        assert_eq!(clock.now().since(begun).as_secs(), 25);
    }
}
