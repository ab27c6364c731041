//! Waiting for one's turn: the task around a budget.
//!
//! One for each account, Region and API; all sources that share it ask here before each request. The decisions are
//! `tail::budget`'s. Rule: a turn that nobody takes any more is not lost.

use tokio::sync::{mpsc, oneshot};

use crate::model::time::Timestamp;
use crate::ops::clock::Clock;
use crate::tail::budget::Budget;

/// Where turns are asked for.
#[derive(Clone, Debug)]
pub struct Quota {
    asks: mpsc::UnboundedSender<Ask>,
}

#[derive(Debug)]
enum Ask {
    /// Somebody wants to make a request that is due by then.
    Turn(Timestamp, oneshot::Sender<()>),
    /// The service refused one.
    Throttled,
}

impl Quota {
    /// Starts a budget of `ceiling` requests a second. Its task ends when nobody can ask any more.
    #[must_use]
    pub fn start(ceiling: f64, clock: Clock) -> Self {
        // Unbounded, because each source waits for one turn at a time.
        let (asks, asked) = mpsc::unbounded_channel();
        tokio::spawn(serve(Budget::new(ceiling, clock.now()), asked, clock));
        Self { asks }
    }

    /// Waits for a turn. Whoever stops waiting gives it up.
    pub async fn turn(&self, deadline: Timestamp) {
        let (turn, come) = oneshot::channel();
        if self.asks.send(Ask::Turn(deadline, turn)).is_ok() {
            // The task ends after all who can ask; if it is gone the runtime is going down.
            let _ = come.await;
        }
    }

    /// The service refused a request for being too many.
    pub fn throttled(&self) {
        let _ = self.asks.send(Ask::Throttled);
    }
}

async fn serve(mut budget: Budget<oneshot::Sender<()>>, mut asked: mpsc::UnboundedReceiver<Ask>, clock: Clock) {
    // Several daemons that were throttled together should not come back together.
    let mut spread = f64::from(std::process::id() % 1000) / 1000.0;
    loop {
        let now = clock.now();
        while let Some(turn) = budget.next(now) {
            if turn.send(()).is_err() {
                budget.give_back();
            }
        }
        let when = budget.when(now);
        tokio::select! {
            ask = asked.recv() => match ask {
                Some(Ask::Turn(deadline, turn)) => {
                    budget.ask(deadline, turn);
                }
                Some(Ask::Throttled) => {
                    spread = (spread + 0.618_034).fract();
                    let before = budget.rate();
                    budget.throttle(clock.now(), spread);
                    if budget.rate() < before {
                        tracing::debug!("throttled: {:.1} requests/s from now on", budget.rate());
                    }
                }
                None => return,
            },
            () = clock.sleep_until(when.unwrap_or(Timestamp::MAX)), if when.is_some() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_at_the_rate_and_none_is_lost_on_who_left() {
        let clock = Clock::from(Timestamp::from_millis(0), 1);
        let quota = Quota::start(2.0, clock.clone());
        let gone = tokio::time::timeout(Duration::from_millis(1), async {
            for _ in 0..10 {
                quota.turn(Timestamp::MIN).await;
            }
        });
        assert!(gone.await.is_err(), "two at once and no more");
        let start = clock.now();
        for _ in 0..20 {
            quota.turn(clock.now()).await;
        }
        let took = clock.now().since(start);
        assert!((9_900..10_500).contains(&took.as_millis()), "{took:?}");
        quota.throttled();
        quota.turn(clock.now()).await;
        assert!(clock.now().since(start) > took + Duration::from_secs(1), "everybody pauses");
    }
}
