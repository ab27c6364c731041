//! The full screen on a real terminal, and the plain lines beside it: through the real binary.
//!
//! What is drawn is tested where it is drawn; here it is that it is seen, that keys arrive, and that the terminal is given
//! back however the program ends. Rule: what is timed is timed from when the simulation could show it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatewatch::model::time::Timestamp;
use gatewatch::sim::{Fault, Sim};

use crate::daemon::{Daemon, aws_environment};
use crate::terminal::Terminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gatewatch");
const PATIENCE: Duration = Duration::from_secs(30);
const ESC: &str = "\u{1b}";
const CTRL_Z: &str = "\u{1a}";

fn demo(size: (u16, u16), environment: &[(&str, &str)]) -> Terminal {
    Terminal::start(&[PROGRAM, "demo", "--screen"], environment, size)
}

fn send(signal: &str, process: u32) {
    let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
    assert!(kill.expect("a shell can be run").success(), "SIG{signal} could not be sent");
}

#[test]
fn the_demos_incident_is_seen_keys_do_what_they_say_and_the_terminal_is_given_back() {
    let mut terminal = demo((100, 30), &[]);
    terminal.until("the other screen", |screen, _| screen.alternate_screen() && screen.hide_cursor());
    let seen = terminal.until_all(&["POST /checkout", "alerts 2", "TypeError", " 502 ", "read to"]);
    assert!(seen.contains("shop  prod  eu-west-1  last 5m"), "{seen}");
    assert!(terminal.has_colour());
    terminal.press("?");
    terminal.until_all(&["shift-tab goes back"]);
    terminal.press(ESC);
    terminal.until("the lists", |_, text| text.contains("endpoints 6") && !text.contains("shift-tab"));
    terminal.press("\t\r");
    terminal.until_all(&["failure ─ esc goes back", "api id", "latency", "joined by integration request id"]);
    terminal.press(ESC);
    terminal.press("e/time\r");
    terminal.until_all(&["filter time", "lambda timeout"]);
    terminal.resize((60, 20));
    let small = terminal.until("the smaller picture", |_, text| {
        text.lines().count() == 20
            && text.lines().all(|line| line.chars().count() <= 60)
            && text.contains("filter time")
    });
    assert!(small.lines().last().is_some_and(|footer| footer.contains("filter time")), "{small}");
    terminal.resize((20, 5));
    terminal.until_all(&["is too small"]);
    terminal.resize((120, 40));
    terminal.until_all(&["picked", "lambda id"]);
    terminal.press("q");
    let after = terminal.until_given_back();
    assert!(!after.contains("endpoints 6") && !after.contains("filter time"), "{after}");
    terminal.until_all(&["requests,", "answered 5xx", "unhandled exception"]);
    assert_eq!(terminal.ended(), Some(0));
}

#[test]
fn a_signal_and_ctrl_c_give_the_terminal_back() {
    let mut terminal = demo((80, 24), &[]);
    terminal.until_all(&["POST /checkout"]);
    send("TERM", terminal.id());
    terminal.until_given_back();
    assert_eq!(terminal.ended(), Some(0));
    let mut terminal = demo((80, 24), &[("NO_COLOR", "1")]);
    terminal.until_all(&["POST /checkout", "q quit"]);
    assert!(!terminal.has_colour());
    // Nobody could bring it back: it has no shell.
    terminal.press(CTRL_Z);
    terminal.until_all(&["there is no shell to go back to"]);
    terminal.press("\u{3}");
    terminal.until_given_back();
    assert_eq!(terminal.ended(), Some(0));
}

#[test]
fn ctrl_z_goes_back_to_the_shell_and_fg_comes_back() {
    let mut shell = Terminal::start(&["sh", "-i"], &[("PS1", "ready> ")], (80, 24));
    shell.until_all(&["ready>"]);
    shell.press(&format!("'{PROGRAM}' demo --screen\n"));
    shell.until("the screen", |screen, text| screen.alternate_screen() && text.contains("POST /checkout"));
    for _ in 0..2 {
        shell.press(CTRL_Z);
        shell.until_given_back();
        shell.until_all(&["Stopped", "ready>"]);
        // The shell has the keys, and they are seen as they are typed.
        shell.press("echo it is $((6*7))\n");
        shell.until_all(&["it is 42"]);
        shell.press("printf '\\033[H\\033[2J'; fg\n");
        shell.until("the screen", |screen, text| {
            screen.alternate_screen()
                && screen.hide_cursor()
                && text.contains("POST /checkout")
                && text.contains("q quit")
        });
    }
    shell.press("q");
    shell.until_given_back();
    shell.until_all(&["answered 5xx", "ready>"]);
    shell.press("echo it was $((7*6))\n");
    shell.until_all(&["it was 42"]);
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("it is before the year 292 million"))
}

const ACCESS: &str = "/aws/apigateway/shop-prod";
const LAMBDA: &str = "/aws/lambda/checkout-fn";
/// Between two reads.
const POLL: Duration = Duration::from_secs(1);

fn configuration(folder: &Path) -> String {
    let path = folder.join("config.toml");
    let text = format!(
        "[[api]]\nname = \"shop\"\naccess_log_groups = [{ACCESS:?}]\nlambda_log_groups = [{LAMBDA:?}]\n\
         [poll]\ninterval = \"1s\"\nmax_interval = \"1s\"\nquota = 1000.0\n"
    );
    std::fs::write(&path, text).expect("a file can be written");
    path.to_str().expect("temporary folders have plain names").to_owned()
}

async fn simulation() -> Sim {
    let sim = Sim::start(Arc::new(now)).await.expect("a loopback port can be bound");
    sim.create_group(ACCESS);
    sim.create_group(LAMBDA);
    sim
}

/// A request that fails now; the stage does not log why.
fn put_request(sim: &Sim, id: &str, status: u16) {
    let line = format!(
        r#"{{"requestId":"api-{id}","httpMethod":"POST","resourcePath":"/checkout","status":"{status}","responseLatency":"12","integrationLatency":"10","integrationRequestId":"{}"}}"#,
        invocation(id)
    );
    sim.put(ACCESS, "s", now(), now(), &line);
}

fn invocation(id: &str) -> String {
    format!("11111111-2222-4333-8444-{id:0>12}")
}

/// What its function wrote.
fn put_lambda_lines(sim: &Sim, id: &str) {
    let id = invocation(id);
    for line in [
        format!("START RequestId: {id} Version: 42\n"),
        format!("2026-11-22T10:00:00.000Z {id} Task timed out after 3.00 seconds\n\n"),
        format!("END RequestId: {id}\n"),
        format!(
            "REPORT RequestId: {id}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\t\n"
        ),
    ] {
        sim.put(LAMBDA, "2026/11/22/[42]a", now(), now(), &line);
    }
}

/// A line is there one interval after it could be read; a second more is what the read, the program and a busy machine
/// may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_lines_come_within_an_interval_of_being_visible() {
    let (sim, folder) = (simulation().await, tempfile::tempdir().expect("a temporary folder can be made"));
    let config = configuration(folder.path());
    put_request(&sim, "0", 200);
    let endpoint = sim.endpoint();
    let daemon = Daemon::start(&["--config", &config, "--follow", "shop", "--plain"], &aws_environment(&endpoint));
    let line = |part: String| {
        let begun = Instant::now();
        while !daemon.all_lines().iter().any(|line| line.contains(&part)) {
            assert!(begun.elapsed() < PATIENCE, "no line with `{part}`:\n{}", daemon.all_lines().join("\n"));
            std::thread::sleep(Duration::from_millis(5));
        }
        begun.elapsed()
    };
    line("api-0".to_owned());
    let most = POLL + Duration::from_secs(1);
    for n in 1..=5 {
        let id = n.to_string();
        // Not in step with the reads.
        tokio::time::sleep(Duration::from_millis(370 * n)).await;
        put_request(&sim, &id, 502);
        let took = line(format!(" 502     12 ms  api-{id}"));
        assert!(took <= most, "the line of request {id} took {took:?}");
        put_lambda_lines(&sim, &id);
        let took = line(format!("request api-{id}"));
        assert!(took <= most, "the explanation of request {id} took {took:?}");
    }
    let lines = daemon.all_lines().join("\n");
    assert_eq!(lines.matches("lambda timeout").count(), 5, "{lines}");
    drop(daemon);
    sim.stop().await;
}

/// What is followed on the screen is what is read from the account, and what goes wrong there does not smear it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_waits_on_the_screen_and_is_explained_and_troubles_are_told() {
    let (sim, folder) = (simulation().await, tempfile::tempdir().expect("a temporary folder can be made"));
    let config = configuration(folder.path());
    let endpoint = sim.endpoint();
    let environment = aws_environment(&endpoint);
    let mut terminal = Terminal::start(&[PROGRAM, "--config", &config, "--follow", "shop"], &environment, (120, 30));
    terminal.until_all(&["no requests in the last 5m: the logs are read, there were none"]);
    put_request(&sim, "1", 502);
    terminal.until_all(&["502 POST /checkout", "waits for its Lambda lines", "api-1"]);
    put_lambda_lines(&sim, "1");
    terminal.until_all(&["Task timed out after 3.00 seconds", "lambda timeout", "ran into its own timeout"]);
    sim.fault(ACCESS, Fault::AccessDenied);
    let told = terminal.until_all(&["NOT READ 1 of 2: /aws/apigateway/shop-prod (access denied)"]);
    assert_eq!(told.lines().filter(|line| line.contains("failures 1")).count(), 1, "not smeared:\n{told}");
    terminal.press("q");
    terminal.until_given_back();
    terminal.until_all(&["gatewatch: ", "1 request, 1 answered 5xx"]);
    assert_eq!(terminal.ended(), Some(0));
    sim.stop().await;
}

/// Makes `docs/follow.svg`: `cargo test --test it screen::picture -- --ignored`.
#[test]
#[ignore = "it writes a file of the repository"]
fn picture() {
    let mut terminal = demo((124, 34), &[]);
    terminal.until_all(&["HIGH 2 alerts", "[revised]"]);
    terminal.press("\tjjj");
    std::thread::sleep(Duration::from_secs(1));
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    std::fs::create_dir_all(&docs).expect("a folder can be made");
    std::fs::write(docs.join("follow.svg"), terminal.svg()).expect("a file can be written");
}
