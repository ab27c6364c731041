//! The real binary and where its messages go: a standard output that fails, SNS of the simulation, a webhook.
//!
//! Alerts are made by a log group that is denied: they come without traffic, and resolve when it is read. Rule: a test
//! waits for a condition, never for a time; and what does not reach one sink is looked for on standard error, in full.

use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatewatch::model::time::Timestamp;
use gatewatch::sim::{Fault, Sim};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::daemon::{Daemon, aws_environment};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Sinks have seven seconds at the end, and what hangs one or two more.
const END: Duration = Duration::from_secs(12);
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:ops";
const DENIED: &str = "/sinks/denied";
const LATER: &str = "/sinks/later";

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("it is before the year 292 million"))
}

/// Two log groups, of which one is denied, and a topic.
async fn simulation() -> Sim {
    let sim = Sim::start(Arc::new(now)).await.expect("a loopback port can be bound");
    sim.create_topic(TOPIC);
    sim.create_group(DENIED);
    sim.create_group(LATER);
    sim.fault(DENIED, Fault::AccessDenied);
    sim
}

struct Home {
    folder: TempDir,
    endpoint: String,
}

impl Home {
    /// A configuration with these sinks, and with a state folder if that is wanted.
    fn new(endpoint: &str, head: &str, sinks: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let home = Self { folder, endpoint: endpoint.to_owned() };
        let state = home.path("state").display().to_string();
        let head = head.replace("STATE", &format!("{state:?}"));
        let text = format!(
            "{head}\n[poll]\ninterval = \"500ms\"\nmax_interval = \"500ms\"\nquota = 1000.0\n[notify]\ngroup_wait = \"0s\"\n\
             [[rule]]\nname = \"source-blind\"\nfor = \"1s\"\n\
             [[api]]\nname = \"denied\"\naccess_log_groups = [\"{DENIED}\"]\n\
             [[api]]\nname = \"later\"\naccess_log_groups = [\"{LATER}\"]\n{sinks}"
        );
        fs::write(home.path("config.toml"), text).expect("a file can be written");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, more: &[&str], environment: &[(&str, &str)], stdout: Stdio) -> Daemon {
        let config = self.path("config.toml").display().to_string();
        let arguments = [&["--config", config.as_str()], more].concat();
        Daemon::start_onto(&arguments, &[&aws_environment(&self.endpoint)[..], environment].concat(), stdout)
    }

    /// Runs it to its end: exit code, standard output, standard error.
    fn run(&self, more: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
        let (mut read, write) = io::pipe().expect("a pipe can be made");
        let mut daemon = self.start(more, environment, write.into());
        let code = daemon.ended(PATIENCE);
        let mut stdout = String::new();
        read.read_to_string(&mut stdout).expect("it prints UTF-8");
        (code, stdout, daemon.stderr_text())
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// What was published: state and API of each, in order.
fn published(sim: &Sim) -> Vec<(String, String)> {
    let body = |text: &str| serde_json::from_str::<Value>(text).expect("the topic gets JSON");
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    sim.published().iter().map(|p| body(&p.message)).map(|b| (word(&b["state"]), word(&b["api"]))).collect()
}

/// Alerts that stand on standard error because a sink does not get them.
fn dead_letters(daemon: &Daemon, sink: &str) -> Vec<(String, String)> {
    let text = daemon.stderr_text();
    let lines =
        text.lines().filter(|l| l.contains("message not delivered:") && l.contains(&format!("sink=\"{sink}\"")));
    let alert = |line: &str| {
        let at = line.find("it was: ").expect("the message stands there") + "it was: ".len();
        // What was logged with it stands behind.
        let mut values = serde_json::Deserializer::from_str(&line[at..]).into_iter::<Value>();
        values.next().expect("there is one").expect("in full")
    };
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    lines.map(alert).map(|a| (word(&a["state"]), word(&a["api"]))).collect()
}

fn said(state: &str, api: &str) -> (String, String) {
    (state.to_owned(), api.to_owned())
}

/// A pipe without any room left. Whoever holds the reading end and does not read keeps it so.
async fn full_pipe() -> (PipeReader, Stdio) {
    let (read, mut write) = io::pipe().expect("a pipe can be made");
    let stdout = Stdio::from(write.try_clone().expect("a pipe has many ends"));
    let written = Arc::new(AtomicUsize::new(0));
    let so_far = Arc::clone(&written);
    // Its last write ends when the reading end is closed.
    thread::spawn(move || {
        while let Ok(n) = write.write(&[b'\n'; 4096]) {
            so_far.fetch_add(n, Ordering::Relaxed);
        }
    });
    let mut before = (0, Instant::now());
    until("the pipe to be full", || {
        let bytes = written.load(Ordering::Relaxed);
        if bytes != before.0 {
            before = (bytes, Instant::now());
        }
        bytes > 0 && before.1.elapsed() > Duration::from_millis(300)
    })
    .await;
    (read, stdout)
}

const STDOUT_AND_SNS: &str = "[[sink]]\nkind = \"stdout\"\nformat = \"json\"\n[[sink]]\nkind = \"sns\"\nformat = \"json\"\n\
                              topic_arn = \"arn:aws:sns:eu-west-1:111122223333:ops\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_nobody_reads_holds_up_neither_other_sinks_nor_the_end() {
    let sim = simulation().await;
    let home = Home::new(&sim.endpoint(), "", STDOUT_AND_SNS);
    let (read, stdout) = full_pipe().await;
    let mut daemon = home.start(&[], &[], stdout);
    until("the first alert", || published(&sim) == [said("firing", "denied")]).await;
    // What is read goes on, and so does what is said about it.
    sim.fault(LATER, Fault::AccessDenied);
    until("the second alert", || published(&sim).len() == 2).await;
    sim.fault(DENIED, Fault::Clear);
    until("the first resolve", || published(&sim).len() == 3).await;
    let want = [said("firing", "denied"), said("firing", "later"), said("resolved", "denied")];
    assert_eq!(published(&sim), want);
    assert_eq!(daemon.terminate(END), 0, "it ends in order, and in time");
    assert_eq!(dead_letters(&daemon, "stdout"), want, "what the pipe did not take stands on standard error");
    drop(read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_pipe_did_not_take_is_kept_for_the_next_start() {
    let sim = simulation().await;
    let home = Home::new(&sim.endpoint(), "state_dir = STATE", STDOUT_AND_SNS);
    let (read, stdout) = full_pipe().await;
    let mut daemon = home.start(&[], &[], stdout);
    until("the alert", || published(&sim) == [said("firing", "denied")]).await;
    assert_eq!(daemon.terminate(END), 0);
    assert_eq!(dead_letters(&daemon, "stdout"), [], "it stands in the journal");
    drop(read);
    let mut daemon = home.start(&[], &[], Stdio::piped());
    daemon.expect_stdout("alert of the life before", PATIENCE, |line| line["api"] == "denied");
    sim.fault(DENIED, Fault::Clear);
    daemon.expect_stdout("its resolve", PATIENCE, |line| line["state"] == "resolved");
    assert_eq!(daemon.terminate(END), 0);
    let states: Vec<_> = daemon.stdout_json().iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["firing", "resolved"], "once each");
    assert_eq!(published(&sim), [said("firing", "denied"), said("resolved", "denied")], "SNS had its own before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_is_said_once_and_costs_no_alert() {
    let sim = simulation().await;
    let sinks = STDOUT_AND_SNS.replace("kind = \"stdout\"", "kind = \"stdout\"\nname = \"pipe\"");
    let home = Home::new(&sim.endpoint(), "", &sinks);
    let (read, write) = io::pipe().expect("a pipe can be made");
    let mut daemon = home.start(&[], &[], write.into());
    let mut read = BufReader::new(read);
    let mut line = String::new();
    read.read_line(&mut line).expect("the pipe can be read");
    let first: Value = serde_json::from_str(&line).expect("it is JSON");
    assert_eq!((&first["state"], &first["api"]), (&"firing".into(), &"denied".into()));
    drop(read);
    sim.fault(LATER, Fault::AccessDenied);
    until("the second alert", || published(&sim).len() == 2).await;
    sim.fault(DENIED, Fault::Clear);
    until("the first resolve", || published(&sim).len() == 3).await;
    let want = [said("firing", "later"), said("resolved", "denied")];
    until("both on standard error", || dead_letters(&daemon, "pipe").len() == 2).await;
    let stopping = Instant::now();
    assert_eq!(daemon.terminate(END), 0, "nothing was killed by a closed pipe");
    assert!(stopping.elapsed() < Duration::from_secs(4), "the end took {:?}", stopping.elapsed());
    assert_eq!(dead_letters(&daemon, "pipe"), want);
    let text = daemon.stderr_text();
    let told = text.lines().filter(|l| l.contains("messages are not taken: standard output is closed")).count();
    assert_eq!(told, 1, "{text}");
    assert!(text.contains("2 messages were not delivered"), "{text}");
}

/// A request to API `later`, now.
fn request(sim: &Sim, n: u32) {
    let at = now();
    let line = format!(
        "{{\"requestId\":\"r-{n}\",\"requestTimeEpoch\":\"{}\",\"httpMethod\":\"GET\",\"resourcePath\":\"/pets\",\
         \"status\":\"200\"}}",
        at.as_millis()
    );
    sim.put(LATER, "s", at, at, &line);
}

const FOLLOW: [&str; 4] = ["--follow", "later", "--output", "json"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_goes_on_though_nobody_reads_and_ends_in_time() {
    let sim = simulation().await;
    let home = Home::new(&sim.endpoint(), "", "");
    let (read, stdout) = full_pipe().await;
    let mut follow = home.start(&FOLLOW, &[], stdout);
    for n in 0..5 {
        request(&sim, n);
        // What is read is waited for before more is read: whoever stalls on the line would read no more.
        let asked = sim.requests(LATER);
        until("further reads", || sim.requests(LATER) >= asked + 3).await;
    }
    assert_eq!(follow.terminate(END), 0, "it ends in order, and in time");
    let text = follow.stderr_text();
    assert!(text.contains("its last lines are lost"), "{text}");
    drop(read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_ends_in_order_when_its_reader_goes() {
    let sim = simulation().await;
    let home = Home::new(&sim.endpoint(), "", "");
    let (read, write) = io::pipe().expect("a pipe can be made");
    request(&sim, 1);
    let mut follow = home.start(&FOLLOW, &[], write.into());
    let mut read = BufReader::new(read);
    let mut line = String::new();
    read.read_line(&mut line).expect("the pipe can be read");
    assert!(line.contains("\"r-1\""), "{line}");
    drop(read);
    request(&sim, 2);
    assert_eq!(follow.ended(PATIENCE), 0, "as in `gatewatch --follow later | head -1`");
    assert_eq!(follow.stderr_text(), "");
}

/// An HTTP service that notes what comes, and answers with these statuses in turn, the last for ever.
pub(crate) struct Hook {
    address: String,
    came: Arc<Mutex<Vec<(String, String)>>>,
}

impl Hook {
    pub(crate) fn start(statuses: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port can be bound");
        let address = listener.local_addr().expect("it has an address").to_string();
        let came = Arc::<Mutex<Vec<(String, String)>>>::default();
        let noted = Arc::clone(&came);
        let mut statuses = statuses.to_vec();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
                // One after the other: nobody here asks for two things at once.
                if let Ok(request) = answer(stream, status) {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                }
            }
        });
        Self { address, came }
    }

    pub(crate) fn came(&self) -> Vec<(String, String)> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn sink(&self, more: &str) -> String {
        format!("[[sink]]\nkind = \"webhook\"\nurl = \"http://{}/hooks/t0ken-of-a-hook\"\n{more}\n", self.address)
    }
}

/// Reads a request (head in lower case, and body) and answers it.
fn answer(stream: TcpStream, status: &str) -> io::Result<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0_usize);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let stream = reader.get_mut();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 8\r\nConnection: close\r\n\r\nfrom it\n")?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}

fn header(head: &str, name: &str) -> String {
    let value = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_each_alert_in_order_although_it_fails_at_first() {
    let sim = simulation().await;
    let hook = Hook::start(&["503 Not Now", "200 OK", "429 Slow Down", "200 OK", "403 Forbidden"]);
    let home = Home::new(&sim.endpoint(), "", &hook.sink("name = \"team\"\nheaders = { X-Key = \"env:HOOK_KEY\" }"));
    let environment = [("HOOK_KEY", "s3cret-of-the-hook")];
    let mut daemon = home.start(&[], &environment, Stdio::piped());
    until("the alert, tried twice", || hook.came().len() == 2).await;
    sim.fault(DENIED, Fault::Clear);
    until("the resolve, tried twice", || hook.came().len() == 4).await;
    sim.fault(LATER, Fault::AccessDenied);
    until("the alert that is refused", || dead_letters(&daemon, "team").len() == 1).await;
    assert_eq!(daemon.terminate(END), 0);
    let came = hook.came();
    let keys: Vec<_> = came.iter().map(|(head, _)| header(head, "idempotency-key")).collect();
    assert!(keys[0].ends_with("-1-firing") && keys[2].ends_with("-2-resolved"), "{keys:?}");
    assert_eq!((&keys[0], &keys[2]), (&keys[1], &keys[3]), "a message that is sent again says so");
    let states = came.iter().map(|(_, body)| serde_json::from_str::<Value>(body).expect("it is JSON")["state"].clone());
    assert_eq!(states.collect::<Vec<_>>(), ["firing", "firing", "resolved", "resolved", "firing"]);
    assert_eq!(header(&came[0].0, "x-key"), "s3cret-of-the-hook");
    assert_eq!(dead_letters(&daemon, "team"), [said("firing", "later")]);
    let text = daemon.stderr_text();
    assert!(text.contains("answered 403 Forbidden: from it; check the token in its url or headers"), "{text}");
    assert!(!text.contains("t0ken") && !text.contains("s3cret"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_test_says_of_each_sink_what_became_of_it() {
    let sim = simulation().await;
    let (good, bad) = (Hook::start(&["500 Oh", "202 Accepted"]), Hook::start(&["401 Unauthorized"]));
    let missing = "arn:aws:sns:eu-west-1:111122223333:missing";
    let sinks = format!(
        "{STDOUT_AND_SNS}{}[[sink]]\nkind = \"sns\"\ntopic_arn = \"{missing}\"\n{}",
        good.sink("name = \"good\""),
        bad.sink("")
    );
    let home = Home::new(&sim.endpoint(), "", &sinks);
    let (code, stdout, stderr) = home.run(&["send-test"], &[]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stderr.contains("not every sink took its test message"), "{stderr}");
    let (tests, told): (Vec<_>, Vec<_>) = stdout.lines().partition(|line| line.starts_with('{'));
    let test: Value = serde_json::from_str(tests[0]).expect("it is JSON");
    assert_eq!((tests.len(), &test["kind"]), (1, &"test".into()), "standard output is a sink too");
    let delivered = |line: &str, sink: &str| {
        assert!(line.starts_with(&format!("ok      {sink}  (delivered in ")) && line.ends_with(" ms)"), "{line}");
    };
    assert_eq!(told.len(), 5, "{stdout}");
    delivered(told[0], "stdout");
    delivered(told[1], TOPIC);
    delivered(told[2], "good");
    assert!(told[3].starts_with(&format!("FAILED  {missing}: ")) && told[3].contains("check the topic's ARN"));
    assert!(told[4].starts_with(&format!("FAILED  http://{}~", bad.address)), "{}", told[4]);
    assert!(told[4].contains("answered 401 Unauthorized") && told[4].contains("check the token"), "{}", told[4]);
    assert!(!stdout.contains("t0ken"), "{stdout}");
    assert_eq!((sim.published().len(), good.came().len(), bad.came().len()), (1, 2, 1), "little is tried again");

    let (code, stdout, _) = home.run(&["send-test", "--sink", TOPIC], &[]);
    assert_eq!((code, stdout.lines().count()), (0, 1), "{stdout}");
    delivered(stdout.trim_end(), TOPIC);
    assert_eq!((sim.published().len(), good.came().len()), (2, 2));

    let (code, stdout, stderr) = home.run(&["send-test", "--sink", "pager"], &[]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("no sink `pager` in the configuration; it has stdout, arn:aws:sns:"), "{stderr}");
    assert!(stderr.contains(", good, "), "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_goes_through_the_proxy_of_the_environment_unless_it_is_on_this_machine() {
    let sim = simulation().await;
    let (proxy, near) = (Hook::start(&["407 Proxy Authentication Required"]), Hook::start(&["200 OK"]));
    let sinks = "[[sink]]\nkind = \"webhook\"\nname = \"far\"\nurl = \"https://hooks.invalid/t0ken-of-a-hook\"\n";
    let home = Home::new(&sim.endpoint(), "", &format!("{sinks}{}", near.sink("name = \"near\"")));
    let address = format!("http://{}", proxy.address);
    let proxies = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, address.as_str()));
    let (code, stdout, stderr) = home.run(&["send-test"], &proxies);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.starts_with("FAILED  far: ") && stdout.contains("the proxy if there is one"), "{stdout}");
    assert!(stdout.contains("\nok      near  (delivered in "), "{stdout}");
    assert!(!stdout.contains("t0ken"), "{stdout}");
    let came = proxy.came();
    assert!(
        !came.is_empty() && came.iter().all(|(head, _)| head.starts_with("connect hooks.invalid:443 ")),
        "{came:?}"
    );
    assert_eq!(near.came().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_cannot_be_read_is_one_message_before_anything_starts() {
    let sim = simulation().await;
    let hook = Hook::start(&["200 OK"]);
    let home = Home::new(&sim.endpoint(), "", &hook.sink("name = \"team\"\nheaders = { X-Key = \"env:HOOK_KEY\" }"));
    for command in [&["send-test"][..], &[]] {
        let (code, stdout, stderr) = home.run(command, &[]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        let last = stderr.lines().last().expect("it says why");
        assert_eq!(last, "gatewatch| sink team: the header `x-key` is to come from $HOOK_KEY, which is not set");
    }
    assert_eq!(sim.requests(DENIED), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_and_its_token_may_be_credentials_of_the_unit() {
    let sim = simulation().await;
    let hook = Hook::start(&["200 OK"]);
    let sink =
        "[[sink]]\nkind = \"webhook\"\nurl = \"credential:hook-url\"\nheaders = { X-Key = \"credential:hook-key\" }";
    let home = Home::new(&sim.endpoint(), "", sink);
    // What systemd does for LoadCredential=.
    let credentials = tempfile::tempdir().expect("a temporary folder can be made");
    let give = |name: &str, text: &str| fs::write(credentials.path().join(name), text).expect("it can be written");
    give("hook-url", &format!("http://{}/hooks/t0ken-of-a-hook\n", hook.address));
    let folder = [("CREDENTIALS_DIRECTORY", credentials.path().to_str().expect("its name is text"))];
    let send_test =
        |environment: &[(&str, &str)]| home.run(&["send-test", "--sink", "credential:hook-url"], environment);
    for (environment, words) in [
        (&[][..], &["credential `hook-url`", "CREDENTIALS_DIRECTORY is not set", "LoadCredential=hook-url:/path"][..]),
        (&folder, &["the header `x-key`", "credential `hook-key`", "No such file", "LoadCredential=hook-key:/path"]),
    ] {
        let (code, _, stderr) = send_test(environment);
        assert_eq!(code, 2, "{stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)) && !stderr.contains("t0ken"), "{stderr}");
    }
    give("hook-key", "s3cret-of-the-hook\n");
    let (code, stdout, stderr) = send_test(&folder);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("ok      credential:hook-url  (delivered"), "{stdout}");
    let came = hook.came();
    assert!(came[0].0.starts_with("post /hooks/t0ken-of-a-hook "), "{came:?}");
    assert_eq!((came.len(), header(&came[0].0, "x-key").as_str()), (1, "s3cret-of-the-hook"));
}
