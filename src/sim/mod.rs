//! A simulated CloudWatch Logs and SNS, the traffic in it and what goes wrong with it.
//!
//! It serves `gatewatch demo` and `gatewatch sim`, the tests and the benches. [`Service`] is all of it but the socket;
//! [`Sim`] lets the real SDK talk HTTP to it. It is not an emulator of AWS: it knows `FilterLogEvents`,
//! `DescribeLogGroups` and `Publish`, checks no signatures, and forgets everything when it stops. Rule: an event is
//! returned exactly when its `visible_at` has come by the clock the caller gave, so lag, lateness and whole incidents can
//! be put in beforehand and happen by themselves; and a seed repeats all that is left to chance.

mod answer;
mod calls;
mod dice;
mod fault;
mod functions;
mod group;
mod lag;
mod logs;
mod planned;
mod quota;
pub mod scenario;
mod server;
mod service;
pub mod shop;
mod sns;
mod store;
mod token;
pub mod traffic;
mod trouble;

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::model::time::Timestamp;

pub use answer::Answered;
pub use calls::{Call, Counted, Operation};
pub use fault::Fault;
pub use group::Class;
pub use lag::Lag;
pub use planned::{Planned, play};
pub use scenario::Scenario;
pub use service::{Now, Service};
pub use shop::Script;
pub use sns::Published;
pub use traffic::Traffic;
pub use trouble::{Ill, Trouble};

use service::State;

/// The account everything in the simulation belongs to.
const ACCOUNT: &str = "111122223333";
/// The Region everything in the simulation stands in.
const REGION: &str = "eu-west-1";

/// A simulation that listens on a port: a [`Service`] and its HTTP. Dropping it ends it; [`Sim::stop`] also waits until
/// its tasks are gone.
pub struct Sim {
    service: Service,
    address: SocketAddr,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Sim {
    /// Binds a free port of 127.0.0.1 and serves it in a task of the current tokio runtime.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn start(now: Now) -> std::io::Result<Self> {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into(), Service::new(now)).await
    }

    /// Serves an existing service at an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn listen(address: SocketAddr, service: Service) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(server::accept(listener, service.clone(), tasks.clone(), stopping.clone()));
        Ok(Self { service, address, tasks, stopping })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The service behind the port.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service.clone()
    }

    /// [`Service::create_group`].
    pub fn create_group(&self, group: &str) {
        self.service.create_group(group);
    }

    /// [`Service::put`].
    #[expect(clippy::must_use_candidate, reason = "the event is put in all the same")]
    pub fn put(&self, group: &str, stream: &str, time: Timestamp, visible_at: Timestamp, text: &str) -> String {
        self.service.put(group, stream, time, visible_at, text)
    }

    /// [`Service::forget_before`].
    pub fn forget_before(&self, time: Timestamp) {
        self.service.forget_before(time);
    }

    /// [`Service::fault`].
    pub fn fault(&self, group: &str, fault: Fault) {
        self.service.fault(group, fault);
    }

    /// [`Service::create_topic`].
    pub fn create_topic(&self, arn: &str) {
        self.service.create_topic(arn);
    }

    /// [`Service::published`].
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.service.published()
    }

    /// `FilterLogEvents` calls seen for the group so far, answered or not.
    #[must_use]
    pub fn requests(&self, group: &str) -> u64 {
        self.service.counted(group).calls
    }

    /// [`Service::set_newest_first`].
    pub fn set_newest_first(&self, supported: bool) {
        self.service.set_newest_first(supported);
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
    use std::sync::Arc;
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

    #[tokio::test]
    async fn connections_are_reset_before_or_in_an_answer() {
        let (sim, _) = started(0).await;
        sim.put(GROUP, "s", at(0), at(0), "hello");
        for (ill, begins) in [(Ill::Reset, false), (Ill::ResetInBody, true)] {
            sim.service().set_seed(1);
            sim.service().trouble(Trouble { count: Some(1), ..Trouble::new(ill) });
            let mut stream = connect(&sim).await;
            stream.write_all(filter(GROUP).as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // Closed or reset, whichever the operating system makes of it.
            let _ = stream.read_to_end(&mut answer).await;
            let answer = String::from_utf8(answer).unwrap();
            assert_eq!(answer.starts_with("HTTP/1.1 200 OK"), begins, "{answer}");
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2);
            }
            assert!(exchange(&mut connect(&sim).await, &filter(GROUP)).await.contains("hello"));
        }
        sim.stop().await;
    }

    #[tokio::test]
    async fn a_slow_answer_waits_for_the_clock_of_the_simulation() {
        let (sim, clock) = started(0).await;
        sim.put(GROUP, "s", at(0), at(0), "hello");
        let lag = Lag::between(Duration::from_hours(1), Duration::from_hours(1));
        sim.service().trouble(Trouble::new(Ill::Slow(lag)));
        let mut stream = connect(&sim).await;
        stream.write_all(filter(GROUP).as_bytes()).await.unwrap();
        while sim.requests(GROUP) < 1 {
            tokio::task::yield_now().await;
        }
        let early = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut [0; 16])).await;
        assert!(early.is_err(), "the clock stands");
        clock.store(3_600_000, Ordering::Relaxed);
        let answered = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut [0; 16])).await;
        assert!(answered.unwrap().unwrap() > 0);
        sim.stop().await;
    }
}
