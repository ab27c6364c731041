//! The command line: wrong usage, wrong configuration, files that are not there.
//!
//! What a person sees who made a mistake: an exit code, and for a configuration one line that names file, line, key,
//! value and what would be right. Through the real binary, since exit code and standard error are its contract. Rule:
//! no test here needs a network; what is wrong is said before anything is asked for.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A program that has ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    }
}

/// The program with these arguments and an environment in which nothing is known: no Region, no credentials.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewatch"));
    command.args(arguments).env_clear().current_dir(folder).stdin(Stdio::null());
    command.env("HOME", folder).env("AWS_EC2_METADATA_DISABLED", "true");
    if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
        command.env("LLVM_PROFILE_FILE", profile);
    }
    command
}

fn run(folder: &TempDir, arguments: &[&str]) -> Ended {
    let output = command(folder.path(), arguments).output().expect("the program can be started");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file can be written");
    }
    folder
}

const API: &str = "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/aws/apigateway/shop-prod\"]\n";

/// A line of `config.toml` is wrong: one line on standard error with all of `words`, exit code 2, nothing else.
fn assert_mistake(config: &str, words: &[&str]) {
    let folder = folder(&[("config.toml", config)]);
    let ended = run(&folder, &["--config", "config.toml"]);
    let said = ended.stderr.trim_end();
    assert_eq!(ended.code, Some(2), "{config}\n-> {said}");
    assert_eq!(said.lines().count(), 1, "one line for one mistake:\n{said}");
    assert_eq!(ended.stdout, "");
    let missing: Vec<_> = words.iter().filter(|word| !said.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} missing in: {said}");
}

#[test]
fn an_unknown_key_is_one_line_with_its_place_and_what_is_known() {
    assert_mistake(
        &format!("{API}\n[poll]\nintervall = \"5s\"\n"),
        &["config.toml:6", "intervall = \"5s\"", "unknown field", "`interval`"],
    );
    assert_mistake(&format!("regoin = \"eu-west-1\"\n{API}"), &["config.toml:1", "regoin", "`region`"]);
    assert_mistake(
        &format!("{API}acces_log_groups = []\n"),
        &["config.toml:4", "acces_log_groups", "`access_log_groups`"],
    );
    assert_mistake(
        &format!("{API}[[rule]]\nname = \"endpoint-5xx\"\nkeep = \"1m\"\n"),
        &["config.toml:6", "keep = \"1m\"", "`keep_firing_for`"],
    );
    assert_mistake(
        &format!("{API}[[rule]]\nname = \"endpoint-6xx\"\n"),
        &["config.toml:5", "endpoint-6xx", "endpoint-5xx"],
    );
    assert_mistake(
        &format!("{API}[[sink]]\nkind = \"mail\"\n"),
        &["config.toml:5", "kind = \"mail\"", "`mail` is no kind of a sink", "\"stdout\", \"sns\" or \"webhook\""],
    );
}

#[test]
fn a_wrong_type_is_one_line_with_the_value_and_what_is_expected() {
    assert_mistake(&format!("window = 300\n{API}"), &["config.toml:1", "window = 300", "string"]);
    assert_mistake(&format!("window = \"five minutes\"\n{API}"), &["config.toml:1", "`five minutes`", "\"5m\""]);
    assert_mistake(
        "[[api]]\nname = \"shop\"\naccess_log_groups = \"/aws/apigateway/shop\"\n",
        &["config.toml:3", "access_log_groups", "sequence"],
    );
    assert_mistake(
        &format!("{API}type = \"soap\"\n"),
        &["config.toml:4", "`soap` is no type of an API", "\"rest\", \"http\""],
    );
    assert_mistake(
        &format!("{API}[[rule]]\nname = \"endpoint-5xx\"\nmin_errors = -1\n"),
        &["config.toml:6", "min_errors = -1"],
    );
    assert_mistake(&format!("{API}[poll\ninterval = \"5s\"\n"), &["config.toml:4", "[poll"]);
}

#[test]
fn a_value_out_of_range_is_one_line_with_the_range() {
    assert_mistake(
        &format!("{API}[poll]\ninterval = \"1ms\"\n"),
        &["config.toml:5", "interval = \"1ms\"", "500ms", "5m"],
    );
    assert_mistake(&format!("window = \"7s\"\n{API}"), &["config.toml:1", "window = \"7s\"", "multiple of 10s"]);
    assert_mistake(&format!("window = \"48h\"\n{API}"), &["config.toml:1", "window = \"48h\"", "6h"]);
    assert_mistake(&format!("max_endpoints = 0\n{API}"), &["config.toml:1", "max_endpoints = 0", "1 to"]);
    let ladder = "severity = { elevated = 0.5, high = 0.05, critical = 0.15 }";
    assert_mistake(
        &format!("{API}[[rule]]\nname = \"api-5xx\"\n{ladder}\n"),
        &["config.toml:6", "0.5", "elevated <= high <= critical"],
    );
    let topic = "kind = \"sns\"\ntopic_arn = \"ops-alerts\"";
    assert_mistake(&format!("{API}[[sink]]\n{topic}\n"), &["config.toml:6", "ops-alerts", "arn:aws:sns:"]);
    assert_mistake(&format!("{API}[[sink]]\nkind = \"sns\"\n"), &["config.toml", "topic_arn"]);
}

#[test]
fn state_roles_and_pace_are_checked_before_anything_starts() {
    assert_mistake(&format!("state_dir = \" \"\n{API}"), &["config.toml:1", "state_dir", "empty"]);
    assert_mistake(&format!("state_dir = 5\n{API}"), &["config.toml:1", "state_dir = 5", "string"]);
    assert_mistake(&format!("role_arn = \"admin\"\n{API}"), &["config.toml:1", "`admin`", "arn:aws:iam::"]);
    assert_mistake(
        &format!("{API}role_arn = \"arn:aws:iam::1:role/x\"\n"),
        &["config.toml:4", "arn:aws:iam::1:role/x", "arn:aws:iam::111122223333:role/"],
    );
    for (line, words) in [
        ("min_interval = \"100ms\"", &["100ms", "500ms to 5m"][..]),
        ("min_interval = \"6s\"", &["6s is more than interval"]),
        ("max_interval = \"1h\"", &["1h", "500ms to 5m"]),
        ("max_interval = \"2s\"", &["2s is less than interval"]),
        ("max_interval = 15", &["string"]),
        ("quota = 0.1", &["0.2 to 1000"]),
        ("quota = nan", &["NaN", "0.2 to 1000"]),
        ("quota = \"10\"", &["expected"]),
        ("quota_share = 1.1", &["0.05 to 1"]),
        ("quota_share = 50", &["0.05 to 1"]),
        ("max_catchup = \"15d\"", &["`15d`", "\"5m\""]),
        ("max_catchup = \"337h\"", &["0s to 336h"]),
    ] {
        assert_mistake(&format!("{API}[poll]\n{line}\n"), &[&["config.toml:5", line], words].concat());
    }
}

#[test]
fn apis_that_cannot_be_told_apart_or_watched_are_mistakes() {
    assert_mistake(&format!("{API}\n{API}"), &["config.toml:6", "`shop`", "names must differ"]);
    let other = API.replace("\"shop\"", "\"other\"");
    assert_mistake(&format!("{API}\n{other}"), &["config.toml", "/aws/apigateway/shop-prod", "`shop`", "`other`"]);
    assert_mistake("", &["config.toml", "[[api]]", "access_log_groups"]);
    assert_mistake("[[api]]\nname = \"shop\"\n", &["config.toml:1", "`shop`", "access_log_groups"]);
    assert_mistake("[[api]]\nname = \" \"\naccess_log_groups = [\"/a\"]\n", &["config.toml:2", "name", "empty"]);
    assert_mistake("[[api]]\nname = \"shop\"\naccess_log_groups = [\"/a b\"]\n", &["config.toml:3", "`/a b`"]);
    assert_mistake(
        "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/a\", \"/a\"]\n",
        &["config.toml:3", "`/a`", "twice"],
    );
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let folder = folder(&[("latin1.toml", "")]);
    fs::write(folder.path().join("latin1.toml"), b"name = \"caf\xe9\"\n").expect("a file can be written");
    fs::create_dir(folder.path().join("folder.toml")).expect("a folder can be made");
    for name in ["nowhere.toml", "latin1.toml", "folder.toml"] {
        let ended = run(&folder, &["--config", name]);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
    }
}

/// Standard error of the program with these arguments and this text as its whole configuration; it must end with 2.
fn run_with_variable(folder: &TempDir, arguments: &[&str], text: &str) -> String {
    let output = command(folder.path(), arguments).env("GATEWATCH_CONFIG_TOML", text).output();
    let output = output.expect("the program can be started");
    let stderr = String::from_utf8(output.stderr).expect("it writes UTF-8").trim_end().to_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one line for one mistake:\n{stderr}");
    stderr
}

#[test]
fn the_configuration_may_stand_wholly_in_the_environment() {
    let folder = folder(&[("file.toml", "in_the_file = 1\n")]);
    let wrong = format!("{API}\n[poll]\nintervall = \"5s\"\n");
    // Each way that reads a configuration, and a mistake has its place as in a file.
    for arguments in [&[][..], &["send-test"], &["--follow", "shop"], &["--follow", "x", "--access-log-group", "/a"]] {
        let said = run_with_variable(&folder, arguments, &wrong);
        let place = "gatewatch| $GATEWATCH_CONFIG_TOML:6: intervall = \"5s\": unknown field";
        assert!(said.starts_with(place) && said.contains("`interval`"), "{arguments:?}: {said}");
        // What the command line names goes before it.
        let said = run_with_variable(&folder, &[&["--config", "file.toml"], arguments].concat(), &wrong);
        assert!(said.starts_with("gatewatch| file.toml:1: in_the_file"), "{arguments:?}: {said}");
    }
    // A good one is used: it gets as far as the Region that nobody has set, and knows its APIs.
    assert!(run_with_variable(&folder, &["--follow", "shop"], API).contains("no AWS Region"));
    let said = run_with_variable(&folder, &["--follow", "shopp"], API);
    assert!(said.contains("`shopp`") && said.contains("it has shop; "), "{said}");
}

#[test]
fn without_any_configuration_it_says_what_to_do() {
    if Path::new("/etc/gatewatch/config.toml").exists() {
        eprintln!("skipped: this machine has a configuration of its own in /etc/gatewatch");
        return;
    }
    let ended = run(&folder(&[]), &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    for word in [
        "gatewatch demo",
        "gatewatch --follow API",
        "gatewatch init --api API",
        "gatewatch --config FILE",
        "$GATEWATCH_CONFIG_TOML",
        "/etc/gatewatch/config.toml",
        "config.example.toml",
    ] {
        assert!(ended.stderr.contains(word), "{word} is missing: {}", ended.stderr);
    }
    assert!(ended.stderr.lines().count() <= 12, "a few lines: {}", ended.stderr);
    assert!(ended.stderr.lines().all(|line| line.starts_with("gatewatch|")), "in a container they are log events");
    // What needs a configuration says so in a line.
    let ended = run(&folder(&[]), &["send-test"]);
    assert_eq!((ended.code, ended.stderr.trim_end().lines().count()), (Some(2), 1), "{}", ended.stderr);
}

#[test]
fn without_ca_certificates_nothing_starts() {
    let folder = folder(&[("config.toml", API), ("none.crt", "")]);
    let good = ["--config", "config.toml"];
    for (file, why) in [("none.crt", ""), ("nowhere.crt", "nowhere.crt")] {
        for arguments in [&good[..], &["demo"], &["send-test", "--config", "config.toml"]] {
            let mut command = command(folder.path(), arguments);
            let output = command.env("SSL_CERT_FILE", file).env("AWS_REGION", "eu-west-1").output();
            let output = output.expect("the program can be started");
            let said = String::from_utf8(output.stderr).expect("it writes UTF-8");
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            let words = ["no CA certificates", "ca-certificates", "$SSL_CERT_FILE", why];
            assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn without_a_region_nothing_starts() {
    let folder = folder(&[("config.toml", API)]);
    // A service manager starts the daemon again after 1: an instance may tell its Region a moment later.
    for (arguments, code) in
        [(&["--config", "config.toml"][..], 1), (&["--config", "config.toml", "--follow", "shop"], 2)]
    {
        let ended = run(&folder, arguments);
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains("Region") && ended.stderr.contains("AWS_REGION"), "{}", ended.stderr);
    }
    for arguments in [&["--follow", "shop"][..], &["init", "--api", "shop"]] {
        let ended = run(&folder, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("no AWS Region") && ended.stderr.contains("--region"), "{}", ended.stderr);
    }
}

#[test]
fn init_refuses_what_is_no_name_and_a_file_that_is_there() {
    let folder = folder(&[("config.toml", "mine")]);
    let ended = run(&folder, &["init", "--api", "shop/"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("`shop/` names no API") && ended.stderr.contains("NAME_OR_ID/STAGE"));
    let ended = run(&folder, &["init", "--region", "eu-west-1", "--api", "shop", "-o", "config.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("config.toml is there already") && ended.stderr.contains("--force"));
    assert_eq!(fs::read_to_string(folder.path().join("config.toml")).expect("it is there"), "mine");
}

#[test]
fn following_what_is_not_known_says_what_is() {
    let folder = folder(&[("config.toml", API)]);
    let ended = run(&folder, &["--config", "config.toml", "--follow", "shopp"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("`shopp`") && ended.stderr.contains("it has shop; "), "{}", ended.stderr);
    assert!(ended.stderr.contains("nor was it found in AWS: no AWS Region"), "{}", ended.stderr);
}

#[test]
fn the_configuration_may_be_named_before_or_behind_the_command() {
    let folder = folder(&[("config.toml", API), ("good.log", &access_line(1))]);
    let replay = ["replay", "--api", "shop", "--output", "json", "--access", "good.log"];
    let config = ["--config", "config.toml"];
    for arguments in [[&config[..], &replay].concat(), [&replay[..], &config].concat()] {
        let ended = run(&folder, &arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert_eq!(ended.json()[0]["endpoints"][0]["api"], "shop");
    }
    let ended = run(&folder, &["replay", "--config", "config.toml", "--api", "nope", "--access", "good.log"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("`nope`") && ended.stderr.contains("shop"), "{}", ended.stderr);
}

#[test]
fn wrong_usage_is_2() {
    let folder = folder(&[("config.toml", API)]);
    for arguments in [
        &["--frobnicate"][..],
        &["frobnicate"],
        &["replay"],
        &["replay", "--access"],
        &["replay", "--output", "xml", "--access", "x"],
        &["replay", "--api", "shop", "--access", "x"],
        &["--follow"],
        &["--since", "5m"],
        &["--config", "config.toml", "--follow", "shop", "--since", "yesterday"],
        &["--config", "config.toml", "--follow", "shop", "--since", "1000h"],
        &["--follow", "shop", "--lambda-log-group", "/aws/lambda/x"],
        &["demo", "--speed", "0"],
        &["init"],
        &["init", "--api", "shop", "--force"],
    ] {
        let ended = run(&folder, arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(!ended.stderr.trim().is_empty(), "{arguments:?} says nothing");
    }
    for arguments in [&["--help"][..], &["--version"], &["replay", "--help"]] {
        let ended = run(&folder, arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

fn access_line(n: usize) -> String {
    format!(
        "{{\"requestId\":\"r-{n}\",\"requestTimeEpoch\":\"{}\",\"httpMethod\":\"GET\",\"resourcePath\":\"/pets\",\"status\":\"200\"}}\n",
        1_795_338_000_000 + n
    )
}

#[test]
fn files_that_cannot_be_read_are_named_and_the_others_reported() {
    let folder = folder(&[
        ("empty.log", ""),
        ("blank.log", "\n \n"),
        ("good.log", &access_line(1)),
        ("broken.json", "{\n  \"events\": [ {\n"),
    ]);
    fs::create_dir(folder.path().join("folder.log")).expect("a folder can be made");
    for name in ["empty.log", "blank.log", "missing.log", "folder.log", "broken.json"] {
        let ended = run(&folder, &["replay", "--output", "json", "--access", name, "good.log"]);
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.stderr);
        assert!(ended.stderr.lines().any(|l| l.contains(name)), "{name} is not named: {}", ended.stderr);
        assert!(!ended.stderr.contains("good.log"), "{}", ended.stderr);
        assert!(ended.stderr.lines().count() <= 2, "the file and the sum: {}", ended.stderr);
        let objects = ended.json();
        assert_eq!(
            objects.last().map(|o| (&o["type"], &o["requests"])),
            Some((&"summary".into(), &1.into())),
            "{name}"
        );
        // Alone it leaves nothing to report.
        let ended = run(&folder, &["replay", "--output", "json", "--lambda", name]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(name), "{name} is not named: {}", ended.stderr);
    }
}

#[test]
fn a_file_may_come_on_standard_input() {
    let folder = folder(&[("good.log", &(access_line(1) + &access_line(2)))]);
    let file = fs::File::open(folder.path().join("good.log")).expect("it was just written");
    let output = command(folder.path(), &["replay", "--output", "json", "--access", "-"]).stdin(file).output();
    let output = output.expect("the program can be started");
    assert_eq!(output.status.code(), Some(0));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(summary["requests"], 2);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    // Far more than a pipe holds, so that it is still writing when the pipe is closed.
    let lines: String = (0..5_000).map(access_line).collect();
    let folder = folder(&[("many.log", &lines)]);
    for output in ["json", "text"] {
        let mut command = command(folder.path(), &["replay", "--requests", "--output", output, "--access", "many.log"]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started");
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        stdout.read_line(&mut first).expect("there is a line");
        drop(stdout);
        let mut said = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it can be read");
        let status = child.wait().expect("it is our child");
        assert!(first.contains("/pets"), "{first}");
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "as in `gatewatch replay .. | head -1`");
    }
}
