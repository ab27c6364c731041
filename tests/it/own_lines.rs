//! The feedback loop: gatewatch's own output in the log groups that it reads.
//!
//! Rule: the output is that of the real daemon in an incident, in each of its formats; what users write beside it counts.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use gatewatch::read::own::is_own;
use gatewatch::sim::{Fault, Sim};

use crate::daemon::Daemon;
use crate::http::{Listening, PATIENCE, now, put_requests, write};

const ACCESS: &str = "/own/access";
const LAMBDA: &str = "/own/fn";

async fn simulation() -> Sim {
    let sim = Sim::start(Arc::new(now)).await.expect("a loopback port can be bound");
    sim.create_group(ACCESS);
    sim.create_group(LAMBDA);
    sim
}

fn shop(access: &str, lambda: &str) -> String {
    format!(
        "[[api]]\nname = \"shop\"\naccess_log_groups = [\"{access}\"]\nlambda_log_groups = [\"{lambda}\"]\n\
         [[rule]]\nname = \"endpoint-5xx\"\nfor = \"0s\"\n[[rule]]\nname = \"source-blind\"\nfor = \"1s\"\n"
    )
}

/// All that a daemon prints from its start to its end, while an API fails, a log group is denied, one holds nonsense, a
/// message cannot be delivered, and the service is asked too much.
async fn output(log: &str) -> Vec<String> {
    let sim = simulation().await;
    sim.create_group("/own/denied");
    sim.fault("/own/denied", Fault::AccessDenied);
    sim.fault(LAMBDA, Fault::Throttle(2));
    put_requests(&sim, ACCESS, "POST", "/checkout", &[502; 12]);
    sim.put(ACCESS, "s", now(), now(), "nonsense \u{1b}[31m\nof two lines");
    let tables = format!(
        "[log]\n{log}\n{}[[api]]\nname = \"denied\"\naccess_log_groups = [\"/own/denied\"]\n\
         [[sink]]\nkind = \"stdout\"\nformat = \"text\"\n[[sink]]\nkind = \"stdout\"\nname = \"json\"\nformat = \"json\"\n\
         [[sink]]\nkind = \"webhook\"\nname = \"dead\"\nurl = \"http://127.0.0.1:1/hook\"\n",
        shop(ACCESS, LAMBDA)
    );
    let mut it = Listening::start(&sim, "", &tables, &[]);
    let told = |of: &str| it.daemon.all_lines().iter().filter(|line| line.contains(of)).count();
    it.until("messages in both formats", || {
        told("gatewatch| HIGH /own/denied") + told("gatewatch| CRITICAL") >= 2 && told("\"type\":\"alert\"") >= 2
    });
    sim.fault("/own/denied", Fault::Clear);
    it.until("a resolve", || told("gatewatch| RESOLVED") >= 1);
    assert_eq!(it.daemon.terminate(PATIENCE), 0);
    let lines = it.daemon.all_lines();
    assert!(lines.iter().any(|line| line.contains("message not delivered")), "{lines:#?}");
    assert!(lines.len() > 25, "{lines:#?}");
    lines
}

/// Reads the lines back beside those of users, in both kinds of log groups.
async fn read_back(lines: &[String]) {
    let sim = simulation().await;
    let at = now().minus(Duration::from_secs(40));
    for (n, line) in lines.iter().enumerate() {
        for group in [ACCESS, LAMBDA] {
            sim.put(group, ["ecs/gatewatch/1", "s"][n % 2], at, at, line);
        }
    }
    put_requests(&sim, ACCESS, "GET", "/pets", &[200, 200, 200]);
    let theirs = [
        "gatewatch: a function that is called so",
        "got {\"v\":1,\"type\":\"alert\",\"time\":\"x\",\"origin\":{\"host\":null,\"version\":\"0.1.0\"}}",
        "2026-11-23T02:12:01.123Z\t8e6f\tERROR\tgatewatch| HIGH POST /checkout",
        "START RequestId: 8e6f Version: $LATEST",
    ];
    for line in theirs {
        sim.put(LAMBDA, "s", at, at, line);
    }
    let mut it = Listening::start(&sim, "", &shop(ACCESS, LAMBDA), &[]);
    it.until("the lines of users", || {
        let status = it.json("/status");
        let events = |n: usize| status["sources"][n]["events"].as_u64().unwrap_or(0);
        events(0) >= 3 && events(1) >= 4 && status["apis"][0]["requests"] == 3
    });
    // What was overlooked would come with the next reads.
    let asked = sim.requests(ACCESS);
    it.until("more reads", || sim.requests(ACCESS) >= asked + 5);
    let metrics = it.metrics();
    for (group, users) in [(ACCESS, 3), (LAMBDA, 4)] {
        let own = metrics.sum("gatewatch_source_own_lines_total", &[("source", group)]);
        let events = metrics.sum("gatewatch_source_events_total", &[("source", group)]);
        assert_eq!(
            (own, events),
            (f64::from(u32::try_from(lines.len()).expect("a few hundred")), f64::from(users)),
            "{group}"
        );
    }
    let status = it.json("/status");
    assert_eq!(status["apis"][0]["failures"], 0, "{status}");
    assert_eq!((&status["sources"][0]["unread"], &status["alerts_firing"]), (&0.into(), &0.into()), "{status}");
    assert_eq!(it.daemon.terminate(PATIENCE), 0);
    let text = it.daemon.stderr_text();
    let warnings: Vec<_> = text.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 2, "one for each log group: {warnings:#?}");
    assert!(warnings.iter().all(|line| line.contains("has lines of gatewatch itself")), "{warnings:#?}");
    assert_eq!(it.daemon.stdout_json().len(), 0, "nothing is alerted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_output_counts_nothing() {
    for log in ["level = \"debug\"", "format = \"json\""] {
        let lines = output(log).await;
        let strange: Vec<_> = lines.iter().filter(|line| !is_own(line)).collect();
        assert!(strange.is_empty(), "{} of {} are not recognised: {strange:#?}", strange.len(), lines.len());
        read_back(&lines).await;
    }
}

#[test]
fn the_last_words_are_its_own_as_well() {
    let (_folder, path) = write("nonsense = 1\n");
    let mut daemon = Daemon::start(&["--config", &path], &[]);
    assert_eq!(daemon.ended(PATIENCE), 2);
    assert!(
        !daemon.all_lines().is_empty() && daemon.all_lines().iter().all(|line| is_own(line)),
        "{:?}",
        daemon.all_lines()
    );
}

/// Serves these metadata of a container to whoever asks, until the process ends.
fn metadata() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let body = "{\"LogDriver\":\"awslogs\",\"LogOptions\":{\"awslogs-group\":\"/own/fn\",\"awslogs-region\":\"REGION\",\
                        \"awslogs-stream\":\"ecs/gatewatch/1\"}}"
                .replace("REGION", crate::moto_server::REGION);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    format!("http://{address}/v4/1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_that_a_container_logs_to_is_not_read() {
    let endpoint = metadata();
    let ecs = [("ECS_CONTAINER_METADATA_URI_V4", endpoint.as_str())];
    for (lambda, head, is_read) in [
        (LAMBDA, "", false),
        ("/own/f*", "", false),
        (LAMBDA, "allow_own_log_group = true", true),
        ("/own/f*", "allow_own_log_group = true", true),
    ] {
        let sim = simulation().await;
        let mut it = Listening::start(&sim, head, &shop(ACCESS, lambda), &ecs);
        it.until("readiness", || it.get("/readyz").0 == 200);
        // At the start it is asked once what an earlier life has told.
        let asked = (sim.requests(ACCESS), sim.requests(LAMBDA));
        it.until("more reads", || sim.requests(ACCESS) >= asked.0 + 3);
        assert_eq!(sim.requests(LAMBDA) > asked.1.max(1), is_read, "{lambda} {head}");
        assert_eq!(it.daemon.terminate(PATIENCE), 0);
        let said = it.daemon.stderr_text().matches("gatewatch's own output goes there").count();
        assert_eq!(said, usize::from(!is_read), "{}", it.daemon.stderr_text());
    }
    // Nobody answers there: that is no reason not to start.
    let sim = simulation().await;
    let nobody = [("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:1/v4/1")];
    let it = Listening::start(&sim, "", &shop(ACCESS, LAMBDA), &nobody);
    it.until("readiness", || it.get("/readyz").0 == 200);
}
