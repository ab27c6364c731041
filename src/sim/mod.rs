//! A simulated CloudWatch Logs and SNS on a loopback port, and a scripted shop whose checkout breaks for a while.
//!
//! It serves `gatewatch demo`, the tests and the benches: the real SDK talks HTTP to it. It is not an emulator of
//! AWS: it knows `FilterLogEvents`, `DescribeLogGroups` and `Publish`, checks no signatures, and forgets everything
//! when it stops. Rule: an event is returned exactly when its `visible_at` has come by the clock the caller gave, so
//! lag, lateness and whole incidents can be put in beforehand and happen by themselves.

mod dice;
mod fault;
mod functions;
mod logs;
mod server;
pub mod shop;
mod sns;
mod store;
mod token;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::model::time::Timestamp;

pub use fault::Fault;
pub use shop::{Planned, Script};
pub use sns::Published;

/// The clock of the simulation: decides what is visible and what the `Date` header says.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The account everything in the simulation belongs to.
const ACCOUNT: &str = "111122223333";
/// The Region everything in the simulation stands in.
const REGION: &str = "eu-west-1";

/// A running simulation. Dropping it ends it; [`Sim::stop`] also waits until its tasks are gone.
pub struct Sim {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// What the connections and the handle share.
struct Shared {
    now: Now,
    state: Mutex<State>,
}

impl Shared {
    /// The state; no code panics between two halves of a change, so a poisoned lock is still good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything the simulated services know.
#[derive(Default)]
struct State {
    store: store::Store,
    faults: HashMap<String, fault::Faults>,
    /// `FilterLogEvents` calls seen, by group name, answered or not.
    requests: HashMap<String, u64>,
    /// Set where `startFromHead=false` is refused, as older endpoints and emulators do.
    oldest_first_only: bool,
    topics: sns::Topics,
    /// Answers given so far: seeds request ids and keeps tokens apart.
    answers: u64,
}

impl Sim {
    /// Binds a free port of 127.0.0.1 and serves it in a task of the current tokio runtime.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn start(now: Now) -> std::io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { now, state: Mutex::new(State::default()) });
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(server::accept(listener, Arc::clone(&shared), tasks.clone(), stopping.clone()));
        Ok(Self { shared, address, tasks, stopping })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes an empty log group; one that exists keeps its events.
    pub fn create_group(&self, group: &str) {
        self.shared.state().store.create_group(group);
    }

    /// Stores one event, making the group if need be. `FilterLogEvents` returns it once `now() >= visible_at`, with
    /// `visible_at` as its ingestion time. Returns its event id: 56 decimal digits, unique, growing with `time` and,
    /// at equal times, with the order of the calls.
    #[expect(clippy::must_use_candidate, reason = "the event is put in all the same")]
    pub fn put(&self, group: &str, stream: &str, time: Timestamp, visible_at: Timestamp, text: &str) -> String {
        self.shared.state().store.put(group, stream, time, visible_at, text)
    }

    /// Drops the events of all groups that are stamped earlier than `time`.
    pub fn forget_before(&self, time: Timestamp) {
        self.shared.state().store.forget_before(time);
    }

    /// Queues a counted fault, or sets the standing one, for `FilterLogEvents` on this group (see [`Fault`]).
    pub fn fault(&self, group: &str, fault: Fault) {
        self.shared.state().faults.entry(group.to_owned()).or_default().add(fault);
    }

    /// Makes an SNS topic; one whose name ends in `.fifo` is a FIFO topic.
    pub fn create_topic(&self, arn: &str) {
        self.shared.state().topics.create(arn);
    }

    /// Everything published so far, oldest first.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.shared.state().topics.published().to_vec()
    }

    /// `FilterLogEvents` calls seen for the group so far, answered or not.
    #[must_use]
    pub fn requests(&self, group: &str) -> u64 {
        self.shared.state().requests.get(group).copied().unwrap_or(0)
    }

    /// Whether `startFromHead=false` is honoured (the default) or refused with `InvalidParameterException`.
    pub fn set_newest_first(&self, supported: bool) {
        self.shared.state().oldest_first_only = !supported;
    }

    /// Closes the port and all connections and waits until every task of the simulation has ended.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    const GROUP: &str = "/aws/lambda/a";
    const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:ops";

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_338_000_000 + ms)
    }

    async fn started(at_ms: i64) -> (Sim, Arc<AtomicI64>) {
        let clock = Arc::new(AtomicI64::new(at_ms));
        let reader = Arc::clone(&clock);
        let sim = Sim::start(Arc::new(move || at(reader.load(Ordering::Relaxed)))).await.unwrap();
        (sim, clock)
    }

    async fn connect(sim: &Sim) -> TcpStream {
        TcpStream::connect(sim.endpoint().strip_prefix("http://").unwrap()).await.unwrap()
    }

    fn post(headers: &str, body: &str) -> String {
        format!("POST / HTTP/1.1\r\nHost: sim\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn filter(group: &str) -> String {
        post("X-Amz-Target: Logs_20140328.FilterLogEvents", &format!(r#"{{"logGroupName":"{group}"}}"#))
    }

    /// Sends one request over an open connection and reads one answer.
    async fn exchange(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                    return text;
                }
            }
            if stream.read_buf(&mut answer).await.unwrap() == 0 {
                return text;
            }
        }
    }

    #[tokio::test]
    async fn serves_both_services_over_one_connection() {
        let (sim, clock) = started(0).await;
        sim.create_topic(TOPIC);
        let id = sim.put(GROUP, "s", at(1), at(5), "hello");
        let mut stream = connect(&sim).await;
        assert!(exchange(&mut stream, &filter(GROUP)).await.contains(r#""events":[]"#));
        clock.store(5, Ordering::Relaxed);
        let answer = exchange(&mut stream, &filter(GROUP)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(&id), "{answer}");
        assert!(answer.contains("date: Sun, 22 Nov 2026 09:00:00 GMT\r\n"), "{answer}");
        assert!(answer.contains("x-amzn-requestid: "));
        let answer = exchange(&mut stream, &filter("/other")).await;
        assert!(answer.contains("x-amzn-errortype: ResourceNotFoundException\r\n"), "{answer}");

        let form = "Action=Publish&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A111122223333%3Aops&Message=a+b%21";
        let answer = exchange(&mut stream, &post("Content-Type: application/x-www-form-urlencoded", form)).await;
        assert!(answer.contains("<MessageId>"), "{answer}");
        assert_eq!(sim.published()[0].message, "a b!");
        assert_eq!((sim.requests(GROUP), sim.requests("/other")), (2, 1));
        sim.stop().await;
    }

    #[tokio::test]
    async fn garbage_gets_an_answer_and_harms_nobody() {
        let (sim, _) = started(0).await;
        sim.create_group(GROUP);
        for garbage in [
            "\0\x01\x02 nonsense\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: sim\r\n\r\n".to_owned(),
            post("X-Amz-Target: Logs_20140328.FilterLogEvents", "{not json"),
            post("Content-Type: application/x-www-form-urlencoded", "%ff%zz&&=&Action"),
        ] {
            let answer = exchange(&mut connect(&sim).await, &garbage).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
        assert!(exchange(&mut connect(&sim).await, &filter(GROUP)).await.starts_with("HTTP/1.1 200 "));
        sim.stop().await;
    }

    #[tokio::test]
    async fn stopping_ends_idle_and_hanging_connections() {
        let (sim, _) = started(0).await;
        sim.create_group(GROUP);
        let (_idle, mut hanging) = (connect(&sim).await, connect(&sim).await);
        assert!(exchange(&mut hanging, &filter(GROUP)).await.contains(" 200 "));
        sim.fault(GROUP, Fault::Hang(1));
        hanging.write_all(filter(GROUP).as_bytes()).await.unwrap();
        while sim.requests(GROUP) < 2 {
            tokio::task::yield_now().await;
        }
        let address = sim.address;
        tokio::time::timeout(Duration::from_secs(10), sim.stop()).await.expect("every task ends");
        assert_eq!(hanging.read(&mut [0; 16]).await.unwrap_or(0), 0);
        assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    }
}
