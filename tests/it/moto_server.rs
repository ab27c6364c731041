//! A second AWS for the tests: moto, an emulator of CloudWatch Logs, SNS, SQS, API Gateway and Lambda that this project
//! did not write.
//!
//! Each test starts a server of its own ([`Moto::start`]), so tests share no groups, topics or event ids and can run
//! side by side. It is not the project's own simulation: moto knows no lag, no throttling and no faults, so it proves
//! that the program and the SDK agree with somebody else's reading of the API, not that the program survives a bad day.
//!
//! moto runs in a Python environment of its own (`python`). The rule: a test that cannot have its server fails and
//! says what to install; it is never skipped. No server outlives its test: dropping [`Moto`] kills it, and because it
//! also ends when its standard input closes, so does killing the test process.
//!
//! # Where moto differs from AWS
//!
//! Met while these tests were written, with the version pinned here:
//!
//! - Event ids are a counter over all groups ("0", "1", ..) that begins again with each server; AWS gives 56 digits.
//!   The counter has no lock, so two `PutLogEvents` at once might give one id to two events (read in its source, not
//!   seen). [`LogWriter`] therefore writes one call at a time.
//! - `FilterLogEvents` gives one stream after the other unless asked for `interleaved`; AWS interleaves always. So a
//!   page is in order of time only within a stream.
//! - Pages end at the limit (10,000) only, never at 1 MB, and none is empty with a token. The token is
//!   `group@stream@event id`, never expires, and an unknown one gives an empty page instead of an error.
//!   `nextToken` is `null` at the end, not absent. `searchedLogStreams` is filled; on AWS it is empty.
//! - Events are there as soon as they are put, all events of one call at once. There is no eventual consistency.
//! - Filter patterns know words and one quoted phrase; a JSON pattern such as `{ $.status = 502 }` matches everything.
//! - There are no quotas and no throttling, and neither credentials nor permissions are looked at.
//! - `PutLogEvents` takes more than 1 MB and more than 10,000 events in a call.
//! - SNS delivers to SQS inside `Publish`, needs no queue policy, and accepts a line end in a subject. Its limit of a
//!   message is 262,144 characters of the body; on AWS it is bytes of body and attributes together.
//! - Lists of API Gateway come in one page whatever limit is asked for, and stages have no canary.
//! - A function has no logging configuration, so each writes to `/aws/lambda/<name>`, and neither it nor a version can be
//!   in a state that keeps it from being invoked.
//! - An unqualified function, its newest version and an alias of that have one resource policy between them; AWS has one
//!   for each. Its statements name the qualifier they were made for in `Resource`, as on AWS.
//! - `CreateFunction` looks for its role in IAM, which is asked with a plain request ([`Moto::role`]).
//! - A FIFO queue takes for repetitions only what it still holds: a message that was deleted is forgotten at once, not
//!   after five minutes. Who wants to see repetitions swallowed must not empty the queue before.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use serde_json::Value;

use crate::python::{self, Python, Wanted};

/// The version of moto the tests are written against: its newest when this was last looked at (`pip index versions
/// moto`). Pinned exactly, because an emulator that learns a new behaviour overnight should not fail a build. The
/// environment's folder carries it in its name, so a new pin makes a new environment.
const MOTO_VERSION: &str = "5.2.5";

/// What of moto's extras the services here need: the first two of `server`, the others of `apigateway`. The whole of
/// `server` takes four times as long to install and 300 MB, nearly all of it for CloudFormation.
const SERVER_REQUIREMENTS: [&str; 5] =
    ["flask==3.1.3", "flask-cors==6.0.5", "openapi-spec-validator==0.9.0", "joserfc==1.8.0", "PyYAML==6.0.3"];

/// The Region of every client; topics and queues get their ARNs from it.
pub(crate) const REGION: &str = "us-east-1";

/// Any text will do for both halves: moto does not check signatures.
pub(crate) const ACCESS_KEY: &str = "testing";

/// Importing moto and botocore takes two seconds on an idle machine; tests do it in parallel on a busy one.
const START_WITHIN: Duration = Duration::from_secs(90);

/// `PutLogEvents` takes 1 MB; an access-log line of these tests has 700 bytes.
const EVENTS_PER_PUT: usize = 1_000;

/// The account that everything is in.
pub(crate) const ACCOUNT: &str = "123456789012";

/// moto's services that nearly every test needs, imported before the server says that it is there: the first request
/// should not wait for an import. Those of API Gateway and Lambda are imported at their first request, because that
/// takes as long again.
const IMPORTS: &str = "
import moto.logs.urls, moto.sns.urls, moto.sqs.urls
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
";

/// What a complete environment can import.
const CHECK: &str = "
import moto.apigateway.urls, moto.apigatewayv2.urls, moto.awslambda.urls, moto.iam.urls, moto.sts.urls
import moto.logs.urls, moto.sns.urls, moto.sqs.urls, moto.moto_server.werkzeug_app
";

/// What `moto_server` does, with three differences: the kernel picks the port (looking for a free one first and binding
/// it later would be a race), the port is printed once it is bound, and the end of standard input ends the server, so
/// that it does not outlive a test process that had no time to clean up.
const SERVE: &str = "
import logging, os, sys, threading

def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)

threading.Thread(target=end_with_parent, daemon=True).start()
logging.getLogger('werkzeug').setLevel(logging.ERROR)
app = DomainDispatcherApplication(create_backend_app)
server = make_server('127.0.0.1', 0, app, threaded=True, request_handler=MotoRequestHandler)
os.environ['MOTO_PORT'] = str(server.server_port)
print(server.server_port, flush=True)
server.serve_forever()
";

/// One running server. Dropping it ends it.
pub(crate) struct Moto {
    child: Child,
    /// Open as long as the server should live; `None` only while dropping.
    stdin: Option<ChildStdin>,
    endpoint: String,
    /// Kept to be shown when something fails: moto prints its tracebacks here.
    stderr: Arc<Mutex<String>>,
    logs: aws_sdk_cloudwatchlogs::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    rest: aws_sdk_apigateway::Client,
    http: aws_sdk_apigatewayv2::Client,
    lambda: aws_sdk_lambda::Client,
    writing: Arc<tokio::sync::Mutex<()>>,
}

/// Puts log events, one call at a time over all clones (see the module's list for why).
#[derive(Clone)]
pub(crate) struct LogWriter {
    logs: aws_sdk_cloudwatchlogs::Client,
    writing: Arc<tokio::sync::Mutex<()>>,
}

/// An SQS queue subscribed to an SNS topic, and all that came through so far.
pub(crate) struct Mailbox {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    topic_arn: String,
    /// The subscription leaves out the envelope of SNS.
    raw: bool,
    /// In order of arrival.
    letters: Vec<Letter>,
    /// The texts of the first of them, parsed.
    received: Vec<Value>,
}

/// A message as a queue got it from its topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) text: String,
    /// Raw delivery brings none.
    pub(crate) subject: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Of a FIFO queue.
    pub(crate) group: Option<String>,
}

/// Builds a client of an SDK crate for an endpoint. A macro because each crate has types of its own for all of this.
macro_rules! client {
    ($sdk:ident, $endpoint:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::v2026_01_12())
                .region($sdk::config::Region::new(REGION))
                .credentials_provider($sdk::config::Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "tests"))
                .endpoint_url($endpoint)
                .build(),
        )
    };
}

impl Moto {
    /// Starts a server on a free loopback port and returns when it answers. Makes the Python environment if need be.
    pub(crate) fn start() -> Self {
        let python = environment();
        let mut child = python
            .command()
            .args(["-c", &format!("{IMPORTS}{SERVE}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", python.program().display()));
        let stdin = child.stdin.take();
        let stderr = collect(child.stderr.take().expect("standard error is piped"));
        let port = first_line(child.stdout.take().expect("standard output is piped"));
        let fail = |child: &mut Child, what: &str| -> ! {
            // Already failing: a child that is gone by now is what we want.
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "moto {MOTO_VERSION} {what}. If its environment is damaged, delete {}. It said:\n{}",
                python.folder().display(),
                stderr.lock().unwrap_or_else(PoisonError::into_inner)
            )
        };
        let begun = Instant::now();
        let Some(port) = port.recv_timeout(START_WITHIN).ok().and_then(|line| line.trim().parse::<u16>().ok()) else {
            fail(&mut child, "did not start")
        };
        while !answers(port) {
            if begun.elapsed() > START_WITHIN {
                fail(&mut child, "does not answer");
            }
            thread::sleep(Duration::from_millis(50));
        }
        let endpoint = format!("http://127.0.0.1:{port}");
        Self {
            child,
            stdin,
            stderr,
            logs: client!(aws_sdk_cloudwatchlogs, &endpoint),
            sns: client!(aws_sdk_sns, &endpoint),
            sqs: client!(aws_sdk_sqs, &endpoint),
            rest: client!(aws_sdk_apigateway, &endpoint),
            http: client!(aws_sdk_apigatewayv2, &endpoint),
            lambda: client!(aws_sdk_lambda, &endpoint),
            writing: Arc::default(),
            endpoint,
        }
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn logs(&self) -> &aws_sdk_cloudwatchlogs::Client {
        &self.logs
    }

    pub(crate) fn sns(&self) -> &aws_sdk_sns::Client {
        &self.sns
    }

    /// REST APIs.
    pub(crate) fn rest(&self) -> &aws_sdk_apigateway::Client {
        &self.rest
    }

    /// HTTP and WebSocket APIs.
    pub(crate) fn http(&self) -> &aws_sdk_apigatewayv2::Client {
        &self.http
    }

    pub(crate) fn lambda(&self) -> &aws_sdk_lambda::Client {
        &self.lambda
    }

    /// Makes the role of this name, which functions need to be made, and returns its ARN. One request of the query
    /// protocol: not worth another crate. The server knows by the signature which service is meant.
    pub(crate) fn role(&self, name: &str) -> String {
        let address = self.endpoint.strip_prefix("http://").expect("moto is asked over HTTP");
        let policy = form_urlencoded::byte_serialize(br#"{"Version":"2012-10-17"}"#).collect::<String>();
        let body = format!("Action=CreateRole&Version=2010-05-08&RoleName={name}&AssumeRolePolicyDocument={policy}");
        let mut stream = TcpStream::connect(address).expect("moto answers");
        write!(
            stream,
            "POST / HTTP/1.0\r\nHost: {address}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/iam/\
             aws4_request, SignedHeaders=host, Signature=0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("moto takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("moto answers");
        assert!(answer.contains("<Arn>") || answer.contains("EntityAlreadyExists"), "no role was made: {answer}");
        format!("arn:aws:iam::{ACCOUNT}:role/{name}")
    }

    pub(crate) fn writer(&self) -> LogWriter {
        LogWriter { logs: self.logs.clone(), writing: Arc::clone(&self.writing) }
    }

    /// Creates a log group and streams in it.
    pub(crate) async fn create_group(&self, group: &str, streams: &[String]) {
        self.logs.create_log_group().log_group_name(group).send().await.expect("moto creates a log group");
        for stream in streams {
            let create = self.logs.create_log_stream().log_group_name(group).log_stream_name(stream);
            create.send().await.expect("moto creates a log stream");
        }
    }

    /// Creates a topic, a queue, and the subscription from one to the other.
    pub(crate) async fn mailbox(&self, name: &str) -> Mailbox {
        let topic_arn = self.topic(name).await;
        self.subscribe(&topic_arn, name, &[]).await
    }

    /// Creates a topic, a FIFO topic if its name ends in `.fifo`, and returns its ARN.
    pub(crate) async fn topic(&self, name: &str) -> String {
        let create = self.sns.create_topic().name(name);
        let fifo = is_fifo(name);
        let create = if fifo { create.attributes("FifoTopic", "true") } else { create };
        let topic = create.send().await.expect("moto creates a topic");
        topic.topic_arn.expect("a new topic has an ARN")
    }

    /// Creates a queue, a FIFO queue if its name ends in `.fifo`, and subscribes it with these attributes of SNS.
    pub(crate) async fn subscribe(&self, topic_arn: &str, queue: &str, attributes: &[(&str, &str)]) -> Mailbox {
        use aws_sdk_sqs::types::QueueAttributeName::{FifoQueue, QueueArn};
        let create = self.sqs.create_queue().queue_name(queue);
        let create = if is_fifo(queue) { create.attributes(FifoQueue, "true") } else { create };
        let created = create.send().await.expect("moto creates a queue");
        let queue_url = created.queue_url.expect("a new queue has an address");
        let asked = self.sqs.get_queue_attributes().queue_url(&queue_url).attribute_names(QueueArn);
        let found = asked.send().await.expect("moto describes a queue").attributes.unwrap_or_default();
        let queue_arn = found.get(&QueueArn).expect("a queue has an ARN");
        let subscribe = self.sns.subscribe().topic_arn(topic_arn).protocol("sqs").endpoint(queue_arn);
        let set = attributes.iter().fold(subscribe, |subscribe, (name, value)| subscribe.attributes(*name, *value));
        set.send().await.expect("moto subscribes a queue to a topic");
        let raw = attributes.contains(&("RawMessageDelivery", "true"));
        let (sqs, topic_arn) = (self.sqs.clone(), topic_arn.to_owned());
        Mailbox { sqs, queue_url, topic_arn, raw, letters: Vec::new(), received: Vec::new() }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Errors mean that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let said = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("--- moto's standard error ---\n{said}--- end ---");
        }
    }
}

impl LogWriter {
    /// Puts `(time in ms, text)` events. They need not be in order of time here, though they must be for the service.
    pub(crate) async fn put(&self, group: &str, stream: &str, events: &[(i64, String)]) {
        let mut events: Vec<_> = events.iter().collect();
        // Stable: lines of one millisecond stay in the order they were written.
        events.sort_by_key(|(time, _)| *time);
        for chunk in events.chunks(EVENTS_PER_PUT) {
            let events = chunk.iter().map(|(time, text)| {
                InputLogEvent::builder().timestamp(*time).message(text).build().expect("an event has time and text")
            });
            let put = self.logs.put_log_events().log_group_name(group).log_stream_name(stream);
            let one_at_a_time = self.writing.lock().await;
            let answer = put.set_log_events(Some(events.collect())).send().await.expect("moto takes log events");
            drop(one_at_a_time);
            let rejected = answer.rejected_log_events_info;
            assert!(rejected.is_none(), "moto rejected events: {rejected:?}");
        }
    }
}

impl Mailbox {
    pub(crate) fn topic_arn(&self) -> &str {
        &self.topic_arn
    }

    /// The first message, of those received and those to come within `timeout`, that `wanted` accepts.
    pub(crate) async fn expect(&mut self, what: &str, timeout: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        let mut looked_at = 0;
        loop {
            self.parse();
            if let Some(found) = self.received[looked_at..].iter().find(|message| wanted(message)) {
                return found.clone();
            }
            looked_at = self.received.len();
            assert!(begun.elapsed() < timeout, "no {what} through SNS within {timeout:?}; it brought {}", self.text());
            self.receive(1).await;
        }
    }

    /// All messages so far, those included that wait in the queue now. Each must be JSON.
    pub(crate) async fn all(&mut self) -> &[Value] {
        self.letters().await;
        self.parse();
        &self.received
    }

    /// The same as they came, whatever is in them.
    pub(crate) async fn letters(&mut self) -> &[Letter] {
        while self.receive(0).await > 0 {}
        &self.letters
    }

    /// Takes messages from the queue, waiting up to `wait_s` for the first, and says how many came.
    async fn receive(&mut self, wait_s: i32) -> usize {
        use aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId;
        let ask = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
        let ask = ask.message_attribute_names("All").message_system_attribute_names(MessageGroupId);
        let answer = ask.wait_time_seconds(wait_s).send().await.expect("moto answers for a queue");
        let messages = answer.messages.unwrap_or_default();
        for message in &messages {
            let body = message.body.as_deref().expect("a queue's message has a body");
            let letter = if self.raw { raw(body, message) } else { enveloped(body) };
            let group = message.attributes.as_ref().and_then(|a| a.get(&MessageGroupId)).cloned();
            self.letters.push(Letter { group, ..letter });
            let receipt = message.receipt_handle.as_deref().expect("a received message has a receipt");
            let delete = self.sqs.delete_message().queue_url(&self.queue_url).receipt_handle(receipt);
            delete.send().await.expect("moto deletes a message");
        }
        messages.len()
    }

    fn parse(&mut self) {
        let new = &self.letters[self.received.len()..];
        self.received.extend(new.iter().map(Letter::json));
    }

    fn text(&self) -> String {
        self.received.iter().fold(format!("{} messages:", self.received.len()), |mut text, message| {
            write!(text, "\n{message}").expect("writing to a string does not fail");
            text
        })
    }
}

impl Letter {
    /// The text, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        let text = &self.text;
        serde_json::from_str(text).unwrap_or_else(|error| panic!("SNS got no JSON ({error}): {text}"))
    }
}

/// Topics and queues say by their name that they are FIFO.
fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

/// A message in the envelope of SNS.
fn enveloped(body: &str) -> Letter {
    let envelope: Value = serde_json::from_str(body).expect("SNS wraps what it delivers to SQS in JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let attributes = envelope["MessageAttributes"].as_object().into_iter().flatten();
    let attributes = attributes.map(|(name, a)| (name.clone(), text(&a["Value"]).expect("an attribute has a value")));
    Letter {
        text: text(&envelope["Message"]).expect("the envelope of SNS has a Message"),
        subject: text(&envelope["Subject"]),
        attributes: attributes.collect(),
        group: None,
    }
}

/// A message without the envelope: what SNS had beside it the queue has.
fn raw(body: &str, message: &aws_sdk_sqs::types::Message) -> Letter {
    let attributes = message.message_attributes.iter().flatten();
    let attributes =
        attributes.map(|(name, a)| (name.clone(), a.string_value.clone().expect("an attribute has a value")));
    Letter { text: body.to_owned(), attributes: attributes.collect(), ..Letter::default() }
}

/// The Python environment with moto in it, made at first use.
fn environment() -> &'static Python {
    static ENVIRONMENT: OnceLock<Result<Python, String>> = OnceLock::new();
    let wanted = || {
        let server = SERVER_REQUIREMENTS.iter().map(ToString::to_string);
        let requirements = std::iter::once(format!("moto=={MOTO_VERSION}")).chain(server).collect();
        Wanted { name: format!("moto-{MOTO_VERSION}"), purpose: "the tests against moto", requirements, check: CHECK }
    };
    python::made_once(&ENVIRONMENT, wanted)
}

/// Reads to the end in a thread of its own: a full pipe would stop the server.
fn collect(mut from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let filled = Arc::clone(&text);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let read = String::from_utf8_lossy(&buffer[..count]);
            filled.lock().unwrap_or_else(PoisonError::into_inner).push_str(&read);
        }
    });
    text
}

/// The first line of `from`, on a channel so that waiting for it can be bounded. The rest is read and dropped.
fn first_line(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Fails for every line after the first, when nobody listens any more.
            let _ = send.send(line);
        }
    });
    receive
}

/// Whether the server answers HTTP. Not asked through the SDK: its retries would hide what is being found out.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET /moto-api/data.json HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status)?;
        Ok(status)
    };
    ask().is_ok_and(|status| status.contains(" 200 "))
}
