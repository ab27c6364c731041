//! A middleman between the program and the SNS of moto: he notes every `Publish`, and answers some himself.
//!
//! moto knows no bad day; this brings it: throttling, failures, refusals, resets, silence, and an answer that gets lost
//! after the message was taken. What each call meets is the test's to say, from what was noted so far. Not a fake of
//! SNS: what is let through, moto answers. Rule: every call stands in the notes before anything becomes of it, and
//! every one that moto gets is within the limits that AWS documents, which are narrower than moto's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::moto_server::Moto;

/// Body and attributes together, in bytes: AWS documentation of Publish.
const MESSAGE_MAX: usize = 262_144;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// moto gets it, and its answer comes back.
    Pass,
    /// The form of the query protocol that all services share: status 400, `Throttling`.
    Throttle,
    /// The form in the model of SNS: status 429, `Throttled`.
    TooMany,
    /// Status 500, `InternalError`.
    Fail,
    /// Status 503 from something on the way, in its own words.
    Unavailable,
    /// Status 403, `AuthorizationError`: trying again cannot help.
    Refuse,
    /// The connection is reset. moto does not get it.
    Reset,
    /// No answer, until the caller goes away. moto does not get it.
    Hang,
    /// moto gets it, and its answer does not come back, until the caller goes away.
    Swallow,
}

/// A `Publish`.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When it was read.
    pub(crate) at: Instant,
    /// The topic's name.
    pub(crate) topic: String,
    pub(crate) subject: Option<String>,
    pub(crate) message: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Of a FIFO topic.
    pub(crate) deduplication_id: Option<String>,
    /// How many calls before it brought the same words to the same topic.
    pub(crate) nth: usize,
    pub(crate) fate: Option<Fate>,
    /// moto has taken it.
    pub(crate) taken: bool,
}

impl Call {
    /// What it says, where the topic's format is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.message).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.message))
    }

    /// [`assert_within_limits`] of it.
    pub(crate) fn assert_within_limits(&self) {
        let subject = self.subject.as_deref().unwrap_or_default();
        let attributes = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_within_limits(&self.topic, subject, &self.message, &attributes);
    }
}

/// That a message is within what AWS documents of Publish: 256 KiB together, a subject of less than 100 characters that
/// can be printed, attributes that are not empty, and no more than ten of them, because raw delivery drops a message with
/// more.
pub(crate) fn assert_within_limits<'a>(
    topic: &str,
    subject: &str,
    message: &str,
    attributes: &(impl Iterator<Item = (&'a str, &'a str)> + Clone),
) {
    let bytes: usize = attributes.clone().map(|(name, value)| name.len() + value.len() + "String".len()).sum();
    let bytes = message.len() + bytes;
    assert!(bytes <= MESSAGE_MAX, "{bytes} bytes to {topic}: {subject}");
    assert!(!message.is_empty(), "an empty message to {topic}: {subject}");
    let fits = subject.chars().count() < 100 && !subject.chars().any(char::is_control);
    assert!(fits, "a subject of {} characters: {subject:?}", subject.chars().count());
    assert!(attributes.clone().count() <= 10, "too many attributes for raw delivery: {subject}");
    assert!(attributes.clone().all(|(_, value)| !value.is_empty()), "an empty attribute: {subject}");
}

type Script = Box<dyn FnMut(&Call) -> Fate + Send>;

/// The middleman. Dropping it ends it.
pub(crate) struct SnsProxy {
    endpoint: String,
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

struct Desk {
    moto: SocketAddr,
    state: Mutex<State>,
}

struct State {
    script: Script,
    calls: Vec<Call>,
    known: BTreeMap<(String, String), usize>,
}

impl SnsProxy {
    /// Stands before moto and lets everything through.
    pub(crate) async fn before(moto: &Moto) -> Self {
        let address = moto.endpoint().strip_prefix("http://").and_then(|address| address.parse().ok());
        let state = State { script: Box::new(|_| Fate::Pass), calls: Vec::new(), known: BTreeMap::new() };
        let desk = Arc::new(Desk { moto: address.expect("moto has an address"), state: Mutex::new(state) });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port can be bound");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound port has an address"));
        let task = tokio::spawn({
            let desk = Arc::clone(&desk);
            async move {
                // Tasks of connections end with this one.
                let mut served = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let desk = Arc::clone(&desk);
                    served.spawn(async move {
                        // A caller that is killed breaks its connections.
                        let _ = desk.serve(stream).await;
                    });
                }
            }
        });
        Self { endpoint, desk, task }
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL_SNS`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From the next call on.
    pub(crate) fn script(&self, script: impl FnMut(&Call) -> Fate + Send + 'static) {
        self.desk.lock().script = Box::new(script);
    }

    /// All calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.desk.lock().calls.clone()
    }

    /// How many different messages moto has taken for a topic, of those that are such.
    pub(crate) fn taken(&self, topic: &str, is: impl Fn(&Call) -> bool) -> usize {
        let state = self.desk.lock();
        let taken = state.calls.iter().filter(|call| call.topic == topic && call.taken && is(call));
        taken.map(|call| call.message.as_str()).collect::<BTreeSet<_>>().len()
    }

    /// How many calls so far are such.
    pub(crate) fn count(&self, is: impl Fn(&Call) -> bool) -> usize {
        self.desk.lock().calls.iter().filter(|call| is(call)).count()
    }
}

impl Drop for SnsProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    /// A test that panicked while it held the lock has not spoilt the notes.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request on one connection, which then ends.
    async fn serve(&self, mut caller: TcpStream) -> std::io::Result<()> {
        let (head, body) = read_request(&mut caller).await?;
        let Some(call) = publish(&body) else {
            let answer = self.ask_moto(&head, &body).await?;
            return caller.write_all(&answer).await;
        };
        let (place, fate) = self.note(call);
        let said = match fate {
            Fate::Pass | Fate::Swallow => {
                let answer = self.ask_moto(&head, &body).await?;
                self.lock().calls[place].taken =
                    answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200");
                if fate == Fate::Swallow {
                    return until_gone(&mut caller).await;
                }
                answer
            }
            Fate::Throttle => error("400 Bad Request", "Sender", "Throttling", "Rate exceeded"),
            Fate::TooMany => error("429 Too Many Requests", "Sender", "Throttled", "Rate exceeded"),
            Fate::Fail => error("500 Internal Server Error", "Receiver", "InternalError", "We are sorry"),
            Fate::Refuse => {
                error("403 Forbidden", "Sender", "AuthorizationError", "not authorized to perform: SNS:Publish")
            }
            Fate::Unavailable => answer("503 Service Unavailable", "text/plain", "upstream connect error"),
            Fate::Reset => return caller.set_zero_linger(),
            Fate::Hang => return until_gone(&mut caller).await,
        };
        caller.write_all(&said).await
    }

    fn note(&self, mut call: Call) -> (usize, Fate) {
        let mut state = self.lock();
        let State { script, calls, known } = &mut *state;
        let seen = known.entry((call.topic.clone(), call.message.clone())).or_default();
        call.nth = *seen;
        *seen += 1;
        let fate = script(&call);
        calls.push(Call { fate: Some(fate), ..call });
        (calls.len() - 1, fate)
    }

    /// Passes a request on, and returns moto's answer as it came.
    async fn ask_moto(&self, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut moto = TcpStream::connect(self.moto).await?;
        let (request, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        moto.write_all(format!("{request}\r\nConnection: close\r\n{headers}\r\n\r\n").as_bytes()).await?;
        moto.write_all(body).await?;
        let mut answer = Vec::new();
        moto.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// Reads a head, without the empty line behind it, and the body that it announces.
pub(crate) async fn read_request(caller: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if caller.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let mut body = read.split_off(end + 4);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    while body.len() < length.unwrap_or(0) {
        if caller.read_buf(&mut body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((head, body))
}

/// Reads a `Publish` of the query protocol; nothing else is one.
fn publish(body: &[u8]) -> Option<Call> {
    let fields: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
    if fields.get("Action").map(String::as_str) != Some("Publish") {
        return None;
    }
    let named = |name: &str| fields.get(name).cloned();
    let entry = |n: u32| {
        let value = named(&format!("MessageAttributes.entry.{n}.Value.StringValue"))?;
        Some((named(&format!("MessageAttributes.entry.{n}.Name"))?, value))
    };
    let arn = named("TopicArn").expect("a Publish names its topic");
    Some(Call {
        at: Instant::now(),
        topic: arn.rsplit(':').next().unwrap_or_default().to_owned(),
        subject: named("Subject"),
        message: named("Message").expect("a Publish has a message"),
        attributes: (1..).map_while(entry).collect(),
        deduplication_id: named("MessageDeduplicationId"),
        nth: 0,
        fate: None,
        taken: false,
    })
}

/// Says nothing, as long as somebody waits for it.
async fn until_gone(caller: &mut TcpStream) -> std::io::Result<()> {
    let mut rest = [0; 1024];
    while caller.read(&mut rest).await? > 0 {}
    Ok(())
}

/// An error of the query protocol.
fn error(status: &str, fault: &str, code: &str, message: &str) -> Vec<u8> {
    let body = format!(
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>{fault}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>7f2d9c1e-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    );
    answer(status, "text/xml", &body)
}

fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    format!("{head}\r\n{body}").into_bytes()
}
