//! The Lambda Runtime API on loopback, and the runtime client that is run against it.
//!
//! It hands out one invocation and writes down what the client posts, what it prints and how it ends. Not Lambda: it
//! knows no timeouts and no second environment, and what the platform logs is written by `lambda_log`. Rule: nothing
//! waits for a time; the client is done when it asks for the next invocation or when its output ends, and then it is
//! ended, whatever became of the test.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{Format, Place};
use crate::python::Python;

/// Lambda's ID of the one invocation.
pub(super) const REQUEST_ID: &str = "3f0c2b1e-5d7a-4c1b-9a55-0c2f6c1d7e42";

/// Where functions stand in Lambda.
const TASK_ROOT: &str = "/var/task/";

/// The client needs a third of a second on an idle machine; it is only lost if it needs this long.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// What API Gateway sends to the function, without the members that these handlers do not look at.
const EVENT: &str = r#"{"resource":"/checkout","path":"/checkout","httpMethod":"POST","headers":{},"requestContext":{"resourcePath":"/checkout","httpMethod":"POST","requestId":"r-1","stage":"prod"},"body":"{\"cart\":7}","isBase64Encoded":false}"#;

/// A client that has ended.
pub(super) struct Ran {
    /// What it and the function wrote, cut into events as Lambda cuts it.
    pub(super) printed: Vec<String>,
    pub(super) outcome: Outcome,
}

/// How it went.
pub(super) enum Outcome {
    /// It posted a response.
    Response(String),
    /// It posted an error of the invocation.
    Error(Value),
    /// It posted an error of the initialisation, with the type in the header, and ended.
    InitError { error_type: String, error: Value },
    /// It ended while it had the invocation.
    Exit(ExitStatus),
    /// It ended before it asked for one.
    InitExit(ExitStatus),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(response) => write!(f, "posted the response {response}"),
            Self::Error(error) => write!(f, "posted the error {error}"),
            Self::InitError { error_type, error } => write!(f, "posted the init error {error_type} {error}"),
            Self::Exit(status) => write!(f, "ended in the invocation ({status})"),
            Self::InitExit(status) => write!(f, "ended before it ({status})"),
        }
    }
}

/// What the threads say to the one that waits.
enum Told {
    /// The invocation was handed out.
    Began,
    Posted(Outcome),
    /// The client wants another invocation: it has nothing more to say about the first.
    AskedAgain,
    /// The end of standard output and standard error.
    Output(Vec<u8>),
    /// The client did what this server does not know.
    Unexpected(String),
}

/// The folder of the functions.
pub(super) fn task_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/runtime_client/task")
}

/// Runs the client with a handler until it has dealt with one invocation or ended.
pub(super) fn run(python: &Python, handler: &str, format: Format, place: Place) -> Ran {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let frames = folder.path().join("frames");
    let (tell, told) = mpsc::channel();
    let api = RuntimeApi::start(tell.clone());
    let mut client = client(python, handler, format, place, api.address, &frames);
    let output = client.0.stdout.take().expect("standard output is piped");
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let said = match BufReader::new(output).read_to_end(&mut bytes) {
            Ok(_) => Told::Output(bytes),
            Err(error) => Told::Unexpected(format!("its output cannot be read: {error}")),
        };
        // Nobody listens any more when the test has failed.
        let _ = tell.send(said);
    });
    let (mut began, mut posted) = (false, None);
    let output = loop {
        let what = told.recv_timeout(ENDS_WITHIN);
        match what.unwrap_or_else(|_| panic!("{handler}: the client neither ends nor asks for the next invocation")) {
            Told::Began => began = true,
            Told::Posted(outcome) => posted = Some(outcome),
            Told::AskedAgain => client.kill(),
            Told::Output(bytes) => break bytes,
            Told::Unexpected(what) => panic!("{handler}: {what}"),
        }
    };
    reader.join().expect("the reader has told what it read");
    let status = client.0.wait().expect("the client is a child of this process");
    let outcome = match posted {
        Some(outcome) => outcome,
        None if began => Outcome::Exit(status),
        None => Outcome::InitExit(status),
    };
    let output = String::from_utf8(output).expect("the client writes UTF-8");
    // Lambda cuts what is written to standard output at line ends.
    let mut printed: Vec<String> = output.split_inclusive('\n').map(in_lambda).collect();
    if place == Place::Managed {
        let frames = fs::read(&frames).expect("the shell has made the file of the frames");
        printed.extend(messages(&frames, format).iter().map(|text| in_lambda(text)));
    }
    Ran { printed, outcome }
}

/// As it reads where the function stands in Lambda's own folder.
fn in_lambda(text: &str) -> String {
    text.replace(&format!("{}/", task_folder().display()), TASK_ROOT)
}

/// Starts the client. The shell makes the descriptor for the frames, which Lambda makes for managed runtimes, and then
/// becomes the client: there is no second process.
fn client(python: &Python, handler: &str, format: Format, place: Place, api: SocketAddr, frames: &Path) -> Process {
    let task = task_folder();
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    match place {
        Place::Managed => {
            shell.args(["-c", r#"exec "$@" 2>&1 3>"$0""#]).arg(frames).env("_LAMBDA_TELEMETRY_LOG_FD", "3");
        }
        Place::Container => {
            shell.args(["-c", r#"exec "$@" 2>&1"#, "sh"]);
        }
    }
    shell.env("LANG", "C.UTF-8").env("PYTHONDONTWRITEBYTECODE", "1");
    shell.env("AWS_LAMBDA_RUNTIME_API", api.to_string()).env("LAMBDA_TASK_ROOT", &task).current_dir(&task);
    shell.env("AWS_LAMBDA_FUNCTION_NAME", "checkout-fn").env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    shell.env("AWS_REGION", "eu-west-1").env("TZ", ":UTC");
    match format {
        Format::Text => shell.env("AWS_LAMBDA_LOG_FORMAT", "Text"),
        // Only with this format Lambda sets a level.
        Format::Json => shell.env("AWS_LAMBDA_LOG_FORMAT", "JSON").env("AWS_LAMBDA_LOG_LEVEL", "INFO"),
    };
    let mut command = python.command_behind(shell);
    command.args(["-m", "awslambdaric", handler]).stdin(Stdio::null()).stdout(Stdio::piped());
    Process(command.spawn().unwrap_or_else(|error| panic!("cannot run sh: {error}")))
}

/// A process that does not outlive its test.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.0.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = self.0.wait();
    }
}

/// The messages in what was written to the descriptor: for each its type and length, 4 bytes each, its time in
/// microseconds, 8 bytes, and the text; all big-endian. One frame is one event.
fn messages(mut frames: &[u8], format: Format) -> Vec<String> {
    let mut messages = Vec::new();
    // Bits 2 to 4 are the level.
    let expected = match format {
        Format::Text => 0xa55a_0003,
        Format::Json => 0xa55a_0002,
    };
    while !frames.is_empty() {
        let (header, rest) = frames.split_at_checked(16).expect("a frame has a header");
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes"));
        assert_eq!(number(0) & !0b1_1100, expected, "the type of a frame");
        let length = usize::try_from(number(4)).expect("32 bits fit");
        let (text, rest) = rest.split_at_checked(length).expect("a frame is as long as it says");
        messages.push(String::from_utf8(text.to_vec()).expect("the client writes UTF-8"));
        frames = rest;
    }
    messages
}

/// The server. Dropping it ends it, once the client has ended.
struct RuntimeApi {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl RuntimeApi {
    fn start(tell: Sender<Told>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let over = Arc::new(AtomicBool::new(false));
        let handed_out = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let accepting = thread::spawn(move || {
            let mut serving = Vec::new();
            for connection in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::SeqCst) {
                    break;
                }
                let (tell, handed_out) = (tell.clone(), Arc::clone(&handed_out));
                // Ends with the connection, and that with the client.
                serving.push(thread::spawn(move || {
                    if let Err(error) = serve(connection, &handed_out, &tell) {
                        let _ = tell.send(Told::Unexpected(format!("the client cannot be served: {error}")));
                    }
                }));
            }
            for thread in serving {
                let _ = thread.join();
            }
        });
        Self { address, over, accepting: Some(accepting) }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

/// One request.
struct Asked {
    line: String,
    error_type: String,
    body: String,
}

/// Answers the requests of a connection until the client closes it.
fn serve(mut connection: TcpStream, handed_out: &AtomicBool, tell: &Sender<Told>) -> io::Result<()> {
    let mut from = BufReader::new(connection.try_clone()?);
    while let Some(asked) = ask(&mut from)? {
        let path = asked.line.split(' ').nth(1).unwrap_or_default();
        let path = path.strip_prefix("/2018-06-01/runtime/").unwrap_or(path);
        let of_invocation = path.strip_prefix("invocation/").and_then(|p| p.strip_prefix(REQUEST_ID));
        let json = || serde_json::from_str(&asked.body).map_err(io::Error::other);
        let posted = match (asked.line.split(' ').next(), path, of_invocation) {
            (Some("GET"), "invocation/next", _) => {
                if handed_out.swap(true, Ordering::SeqCst) {
                    // Not answered: Lambda, too, answers when there is an invocation.
                    let _ = tell.send(Told::AskedAgain);
                    continue;
                }
                let _ = tell.send(Told::Began);
                connection.write_all(invocation().as_bytes())?;
                continue;
            }
            (Some("POST"), _, Some("/response")) => Outcome::Response(asked.body),
            (Some("POST"), _, Some("/error")) => Outcome::Error(json()?),
            (Some("POST"), "init/error", _) => Outcome::InitError { error: json()?, error_type: asked.error_type },
            _ => {
                let _ = tell.send(Told::Unexpected(format!("the client asked for {}", asked.line)));
                return Ok(());
            }
        };
        let _ = tell.send(Told::Posted(posted));
        let ok = "{\"status\":\"OK\"}\n";
        let accepted = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: ";
        connection.write_all(format!("{accepted}{}\r\n\r\n{ok}", ok.len()).as_bytes())?;
    }
    Ok(())
}

/// The next request of a connection; `None` when there is none, also because the client was killed.
fn ask(from: &mut impl BufRead) -> io::Result<Option<Asked>> {
    let mut asked = Asked { line: String::new(), error_type: String::new(), body: String::new() };
    match from.read_line(&mut asked.line) {
        Ok(0) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        other => other?,
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            "lambda-runtime-function-error-type" => value.trim().clone_into(&mut asked.error_type),
            _ => {}
        }
    }
    from.take(length).read_to_string(&mut asked.body)?;
    Ok(Some(asked))
}

/// The answer that hands out the invocation.
fn invocation() -> String {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") + Duration::from_secs(3);
    [
        "HTTP/1.1 200 OK".to_owned(),
        format!("Lambda-Runtime-Aws-Request-Id: {REQUEST_ID}"),
        format!("Lambda-Runtime-Deadline-Ms: {}", deadline.as_millis()),
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:111122223333:function:checkout-fn".to_owned(),
        "Lambda-Runtime-Trace-Id: Root=1-6921a0c4-0b1d2c3e4f5a6b7c8d9e0f1a;Parent=53995c3f42cd8ad8;Sampled=0"
            .to_owned(),
        "Content-Type: application/json".to_owned(),
        format!("Content-Length: {}", EVENT.len()),
        String::new(),
        EVENT.to_owned(),
    ]
    .join("\r\n")
}

/// The words that Lambda has for the end of a process.
pub(super) fn exit_reason(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(9)) => "Runtime exited with error: signal: killed".to_owned(),
        (None, other) => panic!("the name of signal {other:?} is missing here"),
    }
}
