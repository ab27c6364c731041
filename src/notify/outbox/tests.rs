//! Laws of the outbox, on a clock that waits for nobody.

use std::collections::VecDeque;

use tokio::time::{Instant, sleep};

use super::*;
use crate::model::time::Timestamp;
use crate::notify::message::Test;

fn message(n: u32) -> Arc<Message> {
    Arc::new(Message::Test(Box::new(Test { time: Timestamp::from_millis(0), episode: format!("e{n}").into() })))
}

/// The runtime's time.
fn now() -> Instant {
    sleep(Duration::ZERO).deadline()
}

#[derive(Clone, Debug)]
enum Does {
    Takes,
    Fails(Class),
    Hangs,
}

const AGAIN: Does = Does::Fails(Class::Again);
const NEVER: Does = Does::Fails(Class::Never);

/// What a sink was asked to deliver: which, and when.
type Asked = Arc<Mutex<Vec<(String, Instant)>>>;

/// Does these in turn, and the last for ever.
struct Fake {
    does: VecDeque<Does>,
    asked: Asked,
}

impl Deliver for Fake {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        self.asked.lock().unwrap().push((message.episode().to_string(), now()));
        let does = if self.does.len() > 1 { self.does.pop_front().unwrap() } else { self.does[0].clone() };
        match does {
            Does::Takes => Ok(()),
            Does::Fails(class) => Err(SendError { class, text: "it says no".to_owned() }),
            Does::Hangs => std::future::pending().await,
        }
    }
}

struct Bench {
    outbox: Option<Outbox>,
    delivery: Delivery,
    deadline: CancellationToken,
    asked: Asked,
    became: Arc<Mutex<Vec<(u64, Outcome)>>>,
}

impl Bench {
    /// With somebody who is told, as the journal is.
    fn new(does: &[Does]) -> Self {
        let (deadline, asked, became) = (CancellationToken::new(), Asked::default(), Arc::<Mutex<Vec<_>>>::default());
        let noted = Arc::clone(&became);
        let tell: Tell = Box::new(move |number, outcome| noted.lock().unwrap().push((number, outcome)));
        let sink = Fake { does: does.iter().cloned().collect(), asked: Arc::clone(&asked) };
        let dice = fastrand::Rng::with_seed(17);
        let (outbox, delivery) = Outbox::start_with("fake", sink, deadline.clone(), Some(tell), dice);
        Self { outbox: Some(outbox), delivery, deadline, asked, became }
    }

    fn put(&self, n: u32) {
        self.outbox.as_ref().unwrap().offer(n.into(), &message(n)).unwrap();
    }

    /// Nothing more is put: waits for the end.
    async fn end(mut self) -> (Vec<(String, Instant)>, Vec<(u64, Outcome)>) {
        self.outbox = None;
        (&mut self.delivery.task).await.unwrap();
        let asked = self.asked.lock().unwrap().clone();
        let became = self.became.lock().unwrap().clone();
        (asked, became)
    }
}

fn waits(asked: &[(String, Instant)]) -> Vec<Duration> {
    asked.windows(2).map(|pair| pair[1].1 - pair[0].1).collect()
}

fn names(asked: &[(String, Instant)]) -> Vec<&str> {
    asked.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_in_order() {
    let bench = Bench::new(&[AGAIN, AGAIN, AGAIN, Does::Takes]);
    (1..=3).for_each(|n| bench.put(n));
    let (asked, became) = bench.end().await;
    assert_eq!(names(&asked), ["e1", "e1", "e1", "e1", "e2", "e3"]);
    let mut whole = Duration::from_millis(500);
    for wait in &waits(&asked)[..3] {
        assert!(whole / 2 <= *wait && *wait <= whole + Duration::from_millis(2), "{wait:?} of {whole:?}");
        whole *= 2;
    }
    assert_eq!(waits(&asked)[3..], [Duration::ZERO; 2], "what is delivered holds up nothing");
    assert_eq!(became, [1, 2, 3].map(|n| (n, Outcome::Settled)));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_time_gets_it() {
    let throttled = Does::Fails(Class::Throttled { after: Some(Duration::from_secs(42)) });
    let bench = Bench::new(&[throttled, Does::Takes]);
    bench.put(1);
    let (asked, _) = bench.end().await;
    assert!((42.0..43.0).contains(&waits(&asked)[0].as_secs_f64()), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_given_up_after_a_while_and_the_next_has_its_own() {
    let bench = Bench::new(&[AGAIN]);
    let begun = now();
    bench.put(1);
    bench.put(2);
    let (asked, became) = bench.end().await;
    let first: Vec<_> = asked.iter().filter(|(name, _)| name == "e1").collect();
    let second = asked.iter().find(|(name, _)| name == "e2").unwrap();
    assert_eq!((second.1 - begun).as_secs(), PATIENCE.as_secs());
    assert!((14..=26).contains(&first.len()), "{} tries", first.len());
    assert_eq!(became, [(1, Outcome::Settled), (2, Outcome::Settled)]);
    // It goes on from where it was: a service that is down is not knocked at anew for each message.
    let after: Vec<_> = waits(&asked).split_off(first.len());
    assert!(after.iter().all(|wait| *wait >= Duration::from_secs(30)), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_is_given_up_too() {
    let bench = Bench::new(&[Does::Hangs]);
    let begun = now();
    bench.put(1);
    let (asked, became) = bench.end().await;
    assert_eq!((asked.len(), became, now() - begun), (1, vec![(1, Outcome::Settled)], PATIENCE));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_asked_once_and_never_in_a_hot_loop() {
    let bench = Bench::new(&[NEVER]);
    (1..=20).for_each(|n| bench.put(n));
    let begun = now();
    sleep(Duration::from_mins(10)).await;
    let settled = bench.became.lock().unwrap().len();
    assert_eq!(settled, 20, "none of them waits for ever");
    let asked = bench.asked.lock().unwrap().clone();
    assert_eq!(names(&asked), (1..=20).map(|n| format!("e{n}")).collect::<Vec<_>>());
    assert!(asked[2].1 - begun < Duration::from_millis(10), "one refusal says little about the next message");
    assert!(asked[19].1 - begun > Duration::from_mins(1), "it was slowed down: {asked:?}");
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusing_sink_does_not_hold_up_the_end() {
    let bench = Bench::new(&[NEVER]);
    (1..=500).for_each(|n| bench.put(n));
    let begun = now();
    let (asked, became) = bench.end().await;
    assert_eq!((asked.len(), became.len()), (500, 500));
    assert!(now() - begun < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_leaves_what_is_kept() {
    let bench = Bench::new(&[Does::Takes, Does::Hangs]);
    (1..=4).for_each(|n| bench.put(n));
    let deadline = bench.deadline.clone();
    let begun = now();
    tokio::spawn(async move {
        sleep(Duration::from_secs(7)).await;
        deadline.cancel();
    });
    let (asked, became) = bench.end().await;
    assert_eq!(now() - begun, Duration::from_secs(7));
    assert_eq!(names(&asked)[..2], ["e1", "e2"]);
    assert_eq!(became[0], (1, Outcome::Settled));
    assert_eq!(became[1..], [2, 3, 4].map(|n| (n, Outcome::Left)));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_not_taken() {
    let bench = Bench::new(&[Does::Hangs]);
    let outbox = bench.outbox.as_ref().unwrap();
    let mut taken = 0_usize;
    while outbox.offer(1, &message(1)).is_ok() {
        taken += 1;
    }
    assert_eq!((taken, outbox.offer(1, &message(1))), (QUEUE, Err(NotTaken::Full)));
    bench.delivery.task.abort();
}
