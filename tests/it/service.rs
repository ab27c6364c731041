//! gatewatch as a service: ready, reloaded, alive, stopped, as a service manager sees it.
//!
//! The real binary on the simulation, with a datagram socket in the place of systemd's; only a loop that hangs is made
//! in this process, because the binary has no switch for that. Rule: a test waits for what is told, never for a time.

use std::cell::RefCell;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gatewatch::aws::clients::Clients;
use gatewatch::config::Config;
use gatewatch::model::report::Detail;
use gatewatch::ops::clock::Clock;
use gatewatch::ops::inquiry::{self, NoAnswer};
use gatewatch::ops::service::Service;
use gatewatch::run::daemon as watching;
use gatewatch::sim::{Fault, Sim};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::daemon::Daemon;
use crate::lives::{Home, now, simulation, stop, until};
use crate::sinks::Hook;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const SHOP: &str = "/service/shop";
const BLOG: &str = "/service/blog";
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:service";
const WATCHDOG: [(&str, &str); 1] = [("WATCHDOG_USEC", "1000000")];

/// The socket of a service manager, and what was told there.
struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
    told: RefCell<Vec<String>>,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket can be made");
        Self { folder, socket, told: RefCell::default() }
    }

    fn start(&self, home: &Home, more: &[(&str, &str)]) -> Daemon {
        self.start_onto(home, Stdio::piped(), more)
    }

    fn start_onto(&self, home: &Home, stderr: impl Into<Stdio>, more: &[(&str, &str)]) -> Daemon {
        let path = self.folder.path().join("notify").display().to_string();
        home.start_onto(stderr.into(), &[&[("NOTIFY_SOCKET", path.as_str())], more].concat())
    }

    /// Waits for what is `wanted`; what was told before and after the last call counts. Returns the whole message.
    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        let mut buffer = vec![0; 65_536];
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).expect("a socket can wait");
            let Ok(length) = self.socket.recv(&mut buffer) else {
                panic!("waited {PATIENCE:?} for {what}; it was told {:#?}", self.told.borrow());
            };
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.told.borrow_mut().push(message.clone());
            if wanted(&message) {
                return message;
            }
        }
    }

    fn wait_line(&self, line: &str) -> String {
        self.wait(line, |message| message.lines().any(|l| l == line))
    }

    /// Whether anything up to now has this line.
    fn was_told(&self, line: &str) -> bool {
        self.told.borrow().iter().any(|message| message.lines().any(|l| l == line))
    }
}

fn api(name: &str, group: &str) -> String {
    format!("[[api]]\nname = \"{name}\"\naccess_log_groups = [\"{group}\"]\n")
}

/// A log group that is not read is an alert after a second.
const SOON: &str = "[[rule]]\nname = \"source-blind\"\nfor = \"1s\"\n";

async fn two_groups() -> Sim {
    let sim = simulation().await;
    for group in [SHOP, BLOG] {
        sim.create_group(group);
    }
    sim.create_topic(TOPIC);
    sim
}

/// Puts requests that are answered now.
fn put(sim: &Sim, group: &str, names: std::ops::Range<u32>, status: u16) {
    for n in names {
        let line = format!(
            r#"{{"requestId":"{group}-{n}","httpMethod":"GET","resourcePath":"/pets/{}","status":"{status}","responseLatency":"12"}}"#,
            n % 7
        );
        sim.put(group, "s", now(), now(), &line);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_when_each_log_group_was_read_or_has_failed_for_a_reason() {
    let sim = two_groups().await;
    sim.fault(SHOP, Fault::AccessDenied);
    // The first read of the other one does not end.
    sim.fault(BLOG, Fault::EmptyPages(u32::MAX));
    let home = Home::new(&sim);
    home.write("", &format!("{}{}", api("shop", SHOP), api("blog", BLOG)));
    let manager = Manager::new();
    let mut daemon = manager.start(&home, &[]);
    let early = manager.wait("more time", |message| message.contains("EXTEND_TIMEOUT_USEC="));
    assert!(early.contains("STATUS=first read: "), "{early}");
    manager
        .wait("the one that is denied", |message| message.contains("STATUS=first read: 1 of 2 log groups; not read: "));
    assert!(!manager.was_told("READY=1"));
    sim.fault(BLOG, Fault::Clear);
    let ready = manager.wait_line("READY=1");
    let status =
        format!("STATUS=1 of 2 log groups of 2 APIs are read; not read: {SHOP} (access denied); no alert fires");
    assert!(ready.contains(&status), "{ready}");
    assert!(!ready.contains("WATCHDOG="), "nobody asked for that: {ready}");
    stop(&mut daemon);
    manager.wait_line("STOPPING=1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_configuration_takes_over_and_a_wrong_one_does_not() {
    let sim = two_groups().await;
    sim.fault(SHOP, Fault::AccessDenied);
    sim.fault(BLOG, Fault::AccessDenied);
    let home = Home::new(&sim);
    let first = format!("{SOON}{}[[sink]]\nkind = \"stdout\"\n", api("shop", SHOP));
    home.write("", &first);
    let manager = Manager::new();
    let mut daemon = manager.start(&home, &[]);
    manager.wait_line("READY=1");
    let is =
        |state: &'static str, name: &'static str| move |line: &Value| line["state"] == state && line["api"] == name;
    daemon.expect_stdout("the alert", PATIENCE, is("firing", "shop"));

    let topic = format!("[[sink]]\nkind = \"sns\"\ntopic_arn = \"{TOPIC}\"\nformat = \"json\"\n");
    home.write("", &format!("{first}{}{topic}", api("blog", BLOG)));
    daemon.hang_up();
    let reloading = manager.wait_line("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.wait_line("READY=1");
    daemon.expect_stdout("the alert of the API that is new", PATIENCE, is("firing", "blog"));
    // The sink that is new hears of what stands already.
    until("the topic's messages", || sim.published().len() >= 2).await;

    home.write("", &format!("{first}intervall = \"5s\"\n"));
    daemon.hang_up();
    let wrong = daemon.wait_stderr(|line| line.contains("is not reloaded"), PATIENCE).expect("it is said");
    assert!(wrong.contains("ERROR") && wrong.contains("config.toml:") && wrong.contains("intervall"), "{wrong}");
    manager.wait_line("RELOADING=1");
    manager.wait_line("READY=1");
    manager.wait("the mistake", |message| {
        message.contains("not reloaded, the old configuration stays: ") && message.contains("intervall")
    });

    for group in [SHOP, BLOG] {
        sim.fault(group, Fault::Clear);
    }
    for name in ["shop", "blog"] {
        daemon.expect_stdout("the end of the alert", PATIENCE, is("resolved", name));
    }
    until("the ends on the topic", || sim.published().len() >= 4).await;
    stop(&mut daemon);
    let mut said: Vec<_> = daemon
        .stdout_json()
        .iter()
        .map(|line| format!("{} {} {}", line["api"].as_str().unwrap_or("-"), line["state"], line["seq"]))
        .collect();
    said.sort_unstable();
    let once = ["blog \"firing\" 1", "blog \"resolved\" 2", "shop \"firing\" 1", "shop \"resolved\" 2"];
    assert_eq!(said, once, "each was said once");
    assert_eq!(sim.published().len(), 4);
    let log = daemon.stderr_text();
    assert_eq!(log.matches("alert fires").count(), 2, "{log}");
    assert_eq!(log.matches("alert is over").count(), 2, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_is_counted_once_over_any_number_of_reloads() {
    for keeps in [false, true] {
        let sim = two_groups().await;
        let home = Home::new(&sim);
        let write = |apis: &str| if keeps { home.configure(apis) } else { home.write("", apis) };
        write(&api("shop", SHOP));
        let manager = Manager::new();
        let mut daemon = manager.start(&home, &[]);
        manager.wait_line("READY=1");
        for round in 0..6_u32 {
            put(&sim, SHOP, round * 50..round * 50 + 50, if round == 3 { 502 } else { 200 });
            // One API comes and goes.
            let blog = if round % 2 == 0 { api("blog", BLOG) } else { String::new() };
            write(&format!("{blog}{}", api("shop", SHOP)));
            daemon.hang_up();
            manager.wait_line("RELOADING=1");
            manager.wait_line("READY=1");
        }
        let before = sim.requests(SHOP);
        until("eight more reads", || sim.requests(SHOP) >= before + 8).await;
        stop(&mut daemon);
        let log = daemon.stderr_text();
        let counted = log.lines().rfind(|line| line.contains(" counted ")).unwrap_or_default();
        assert!(counted.contains("counted 300 requests (50 failures) and 300 events"), "{counted}\n{log}");
        assert_eq!(log.matches("the configuration is reloaded").count(), 6);
    }
}

/// Standard error is a file that stands in for the journal's stream: the variable names it in the same way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_gets_priorities_and_no_times() {
    let sim = two_groups().await;
    sim.fault(SHOP, Fault::AccessDenied);
    let home = Home::new(&sim);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let run = |format: &str, name: &str, is_journal: bool| {
        home.write("", &format!("{}[log]\nformat = \"{format}\"\n", api("shop", SHOP)));
        let path = folder.path().join(name);
        let stderr = std::fs::File::create(&path).expect("a file can be made");
        let file = stderr.metadata().expect("it is there");
        let stream = format!("{}:{}", file.dev(), file.ino() + u64::from(!is_journal));
        let manager = Manager::new();
        let mut daemon = manager.start_onto(&home, stderr, &[("JOURNAL_STREAM", &stream)]);
        manager.wait("its state", |message| message.contains("not read"));
        stop(&mut daemon);
        std::fs::read_to_string(path).expect("it is UTF-8")
    };
    let text = run("text", "text", true);
    let priorities: Vec<_> = text.lines().map(|line| line.get(..3).unwrap_or(line)).collect();
    assert!(priorities.contains(&"<6>") && priorities.contains(&"<4>"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("<6>APIs shop; 1 log group; window 2m")), "{text}");
    let bare =
        text.lines().all(|line| !line.contains("INFO") && !line.contains("WARN") && !line[3..].starts_with("202"));
    assert!(bare, "the journal has levels and times: {text}");
    let json = run("json", "json", true);
    for line in json.lines() {
        let object = line.split_at_checked(3).and_then(|(_, rest)| serde_json::from_str::<Value>(rest).ok());
        let object = object.unwrap_or_else(|| panic!("no priority and object: {line}"));
        assert_eq!(line.starts_with("<4>"), object["level"] == "WARN", "{line}");
    }
    let elsewhere = run("text", "elsewhere", false);
    assert!(
        elsewhere.contains(" INFO ") && !elsewhere.contains("<6>"),
        "another stream is not the journal: {elsewhere}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aws_being_down_does_not_silence_the_watchdog() {
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a loopback port can be bound");
    let endpoint = format!("http://{}", gone.local_addr().expect("it has an address"));
    drop(gone);
    let sim = two_groups().await;
    let home = Home::new(&sim);
    home.write("", &api("shop", SHOP));
    let manager = Manager::new();
    let mut daemon = manager.start(&home, &[&WATCHDOG[..], &[("AWS_ENDPOINT_URL", endpoint.as_str())]].concat());
    let ready = manager.wait_line("READY=1");
    assert!(ready.contains("(unreachable)"), "it was tried, and failed for a reason: {ready}");
    for _ in 0..4 {
        let begun = Instant::now();
        manager.wait_line("WATCHDOG=1");
        assert!(begun.elapsed() < Duration::from_secs(1), "as often as was asked for");
    }
    stop(&mut daemon);
}

/// The daemon runs in this process, so that what hears it can hang.
#[test]
fn a_loop_that_hangs_does_not_feed_the_watchdog() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let sim = runtime.block_on(two_groups());
    let (pings, hung) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&pings);
    let tell = move |state: &[sd_notify::NotifyState<'_>]| {
        let ping = state.iter().filter(|state| state.to_string() == "WATCHDOG=1").count();
        counted.fetch_add(ping, Ordering::SeqCst);
    };
    let service = Service::told(tell, Some(Duration::from_millis(200)));
    let (inquiry, questions) = inquiry::channel();
    let stop = CancellationToken::new();
    runtime.spawn(service.inform(inquiry.clone(), stop.clone()));
    let (free, held) = mpsc::channel::<()>();
    let daemon = {
        let (endpoint, stop, hung) = (sim.endpoint(), stop.clone(), Arc::clone(&hung));
        let handle = runtime.handle().clone();
        thread::spawn(move || {
            let mut config = Config::ad_hoc("shop", vec![SHOP.to_owned()], Vec::new());
            config.sinks.clear();
            let options = watching::Options {
                clock: Clock::wall(),
                requests: true,
                state_dir: None,
                own: None,
                questions: Some(questions),
                reload: None,
                stop,
            };
            handle.block_on(async {
                let clients = Clients::simulated(&endpoint, "eu-west-1").await;
                let hear = |_: &_| {
                    hung.fetch_add(1, Ordering::SeqCst);
                    let _ = held.recv();
                };
                Box::pin(watching::run(config, clients, options, hear)).await
            })
        })
    };
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    wait("the loop's first signs of life", &|| pings.load(Ordering::SeqCst) >= 3);
    put(&sim, SHOP, 0..1, 200);
    wait("a loop that hangs", &|| hung.load(Ordering::SeqCst) == 1);
    let before = pings.load(Ordering::SeqCst);
    // Five times the watchdog's patience: it would have been fed ten times.
    let answer = runtime.block_on(inquiry.ask(Detail::Full, Duration::from_secs(1)));
    assert_eq!(answer.map(|_| ()), Err(NoAnswer::Late));
    let meanwhile = pings.load(Ordering::SeqCst) - before;
    assert!(meanwhile <= 1, "{meanwhile} signs of life of a loop that hangs");
    drop(free);
    wait("signs of life again", &|| pings.load(Ordering::SeqCst) > before + 2);
    let report = runtime.block_on(inquiry.ask(Detail::Full, PATIENCE)).expect("it turns again");
    let figures = report.summary.expect("it was asked for");
    assert_eq!((report.apis[0].requests, report.sources[0].events, figures.requests()), (1, 1, 1));
    assert!(report.calls.iter().any(|calls| calls.operation == "FilterLogEvents" && calls.count > 0));
    stop.cancel();
    daemon.join().expect("it does not panic").expect("it ends well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_it_stops_in_time_and_what_is_undelivered_is_delivered_later() {
    let sim = two_groups().await;
    sim.fault(BLOG, Fault::AccessDenied);
    let home = Home::new(&sim);
    let rules = format!("{SOON}{}{}", api("shop", SHOP), api("blog", BLOG));
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a loopback port can be bound");
    let tried = Arc::new(Mutex::new(Vec::new()));
    let silence = {
        let (silent, tried) = (silent.try_clone().expect("a socket has copies"), Arc::clone(&tried));
        move || silent.incoming().for_each(|s| tried.lock().unwrap_or_else(PoisonError::into_inner).push(s))
    };
    thread::spawn(silence);
    let url = format!("http://{}/hook", silent.local_addr().expect("it has an address"));
    home.configure(&format!("{rules}[[sink]]\nkind = \"webhook\"\nname = \"team\"\nurl = \"{url}\"\n"));
    let manager = Manager::new();
    let mut daemon = manager.start(&home, &[]);
    manager.wait_line("READY=1");
    for n in 0..40_u32 {
        put(&sim, SHOP, n * 1000..n * 1000 + 1000, if n % 2 == 0 { 200 } else { 502 });
    }
    until("a try to deliver", || !tried.lock().unwrap_or_else(PoisonError::into_inner).is_empty()).await;
    let begun = Instant::now();
    assert_eq!(daemon.terminate(Duration::from_secs(10)), 0, "within ten seconds");
    let took = begun.elapsed();
    let log = daemon.stderr_text();
    assert!(log.contains("stand in ") && log.contains("delivered at the next start"), "after {took:?}: {log}");

    let hook = Hook::start(&["200 OK"]);
    home.configure(&format!("{rules}{}", hook.sink("name = \"team\"")));
    let mut daemon = manager.start(&home, &[]);
    until("what the last life left", || {
        hook.came().iter().any(|(_, body)| {
            serde_json::from_str::<Value>(body)
                .is_ok_and(|m| m["state"] == "firing" && m["api"] == "blog" && m["seq"] == 1)
        })
    })
    .await;
    stop(&mut daemon);
}
