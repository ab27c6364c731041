//! What gatewatch is shipped with: the systemd unit, the files for ECS, manual pages, completions, `--version`; and that
//! the binary needs next to nothing of a system.
//!
//! Files are held to what the code does and to what judges them where they are used. Rule: a test is skipped, with a line
//! that says so, only where the machine lacks the tool or the right; nothing that such a tool finds is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewatch::config::Config;
use gatewatch::model::time::Timestamp;
use gatewatch::sim::Sim;
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, aws_environment};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const BINARY: &str = env!("CARGO_BIN_EXE_gatewatch");
const UNIT: &str = include_str!("../../systemd/gatewatch.service");
const DOCKERFILE: &str = include_str!("../../ecs/Dockerfile");
const TASK: &str = include_str!("../../ecs/task-definition.json");
const POLICY: &str = include_str!("../../ecs/task-role-policy.json");
const README: &str = include_str!("../../README.md");
/// The user of the container image: one that no system has.
const NOBODY: &str = "65532";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program's end and all that it said; `None` where there is no such program.
fn run(command: &mut Command) -> Option<(Output, String)> {
    let output = match command.stdin(Stdio::null()).output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
        output => output.expect("the program can be started"),
    };
    let said = [&output.stdout[..], &output.stderr].concat();
    Some((output, String::from_utf8_lossy(&said).into_owned()))
}

// === The systemd unit ===

/// The unit in a folder of its own, with the binary that was built for this test.
fn unit() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("gatewatch.service");
    let text = UNIT.replace("/usr/local/bin/gatewatch ", &format!("{BINARY} "));
    assert_ne!(text, UNIT, "the unit starts another program");
    fs::write(&path, text).expect("a file can be written");
    (folder, path)
}

#[test]
fn systemd_finds_nothing_wrong_in_the_unit() {
    let (_folder, path) = unit();
    let analyze = run(Command::new("systemd-analyze").args(["verify", "--recursive-errors=no"]).arg(path));
    let Some((output, said)) = analyze else {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    };
    // It may say something about units of this machine.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("gatewatch")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn the_unit_is_allowed_next_to_nothing() {
    let (_folder, path) = unit();
    let analyze = run(Command::new("systemd-analyze").args(["security", "--offline=true", "--no-pager"]).arg(path));
    let Some((_, said)) = analyze else {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    };
    let level = Regex::new(r"Overall exposure level for \S+: ([0-9.]+)").expect("it is one");
    let level: f64 = level.captures(&said).expect("it says how exposed the service is")[1].parse().expect("a number");
    assert!(level <= 1.5, "{said}");
}

#[test]
fn the_unit_starts_and_stops_it_as_it_means_to_be() {
    let keys = |key: &str| -> Vec<&str> { UNIT.lines().filter_map(|line| line.strip_prefix(key)).collect() };
    for (key, value) in [
        // Type=notify-reload is passed over by systemd before 253, and then nothing waits for readiness.
        ("Type=", "notify"),
        ("ExecReload=", "/bin/kill -HUP $MAINPID"),
        ("Restart=", "on-failure"),
        // What the binary ends with after a mistake in its configuration: tests/it/cli.rs.
        ("RestartPreventExitStatus=", "2"),
        ("DynamicUser=", "yes"),
        ("StateDirectory=", "gatewatch"),
        ("CapabilityBoundingSet=", ""),
    ] {
        assert_eq!(keys(key), [value], "{key}");
    }
    let seconds = |key| -> u64 { keys(key)[0].trim_end_matches('s').parse().expect("whole seconds") };
    assert!(seconds("TimeoutStopSec=") > 10, "messages have 10 s to go out");
    assert!(seconds("WatchdogSec=") >= 30, "the engine's loop turns every few seconds, on a busy machine less often");
    // In the unit are no credentials, and everybody may read it.
    assert!(!UNIT.contains("AWS_SECRET") && !UNIT.contains("AWS_ACCESS_KEY"));
}

// === The files for ECS ===

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// The container of a task definition with this name.
fn container<'a>(task: &'a Value, name: &str) -> &'a Value {
    let containers = task["containerDefinitions"].as_array().expect("there are containers");
    containers.iter().find(|container| container["name"] == name).expect("it is one of them")
}

/// The text of the configuration in the task definition.
fn configured(task: &Value) -> String {
    let variables = container(task, "gatewatch")["environment"].as_array().expect("it has variables");
    let one = variables.iter().find(|variable| variable["name"] == "GATEWATCH_CONFIG_TOML").expect("it is configured");
    one["value"].as_str().expect("a text").to_owned()
}

#[test]
fn the_sidecar_harms_nobody_and_loses_no_alert() {
    let task = json(TASK);
    let sidecar = container(&task, "gatewatch");
    assert_eq!(sidecar["essential"], false, "its end must not end the task");
    assert_eq!(container(&task, "shop")["essential"], true);
    assert_eq!(sidecar["user"], format!("{NOBODY}:{NOBODY}"));
    assert_eq!(sidecar["readonlyRootFilesystem"], true);
    assert_eq!(sidecar["linuxParameters"]["capabilities"]["drop"], serde_json::json!(["ALL"]));
    assert_eq!(sidecar["restartPolicy"]["enabled"], true, "without it, it stays away once it has ended");
    // A mistake in the configuration is there at the next start, too.
    assert_eq!(sidecar["restartPolicy"]["ignoredExitCodes"], serde_json::json!([2]));
    let whole = |value: &Value| value.as_u64().expect("a number");
    assert!((11..=120).contains(&whole(&sidecar["stopTimeout"])), "messages have 10 s to go out; Fargate allows 120 s");
    // What ECS allows: interval 5 to 300, timeout 2 to 60, retries 1 to 10, startPeriod up to 300.
    let health = &sidecar["healthCheck"];
    assert_eq!(health["command"], serde_json::json!(["CMD", "/gatewatch", "healthcheck"]));
    assert!((5..=300).contains(&whole(&health["interval"])) && (2..=60).contains(&whole(&health["timeout"])));
    assert!((1..=10).contains(&whole(&health["retries"])) && whole(&health["startPeriod"]) <= 300);
    // Said in so many words: the default of an account may be another, and so was that of ECS. `blocking` would stop the
    // process when CloudWatch Logs does not answer; the buffer holds far more than it writes in days.
    let logs = &sidecar["logConfiguration"];
    assert_eq!((&logs["logDriver"], &logs["options"]["mode"]), (&"awslogs".into(), &"non-blocking".into()));
    assert_eq!(logs["options"]["max-buffer-size"], "25m");
    // Alerts go out by another way as well, and it does not read what it writes.
    let text = configured(&task);
    assert!(
        text.contains("kind = \"sns\"") && !text.contains(logs["options"]["awslogs-group"].as_str().expect("a text"))
    );
    let volume = &sidecar["mountPoints"][0];
    assert_eq!(volume["sourceVolume"], task["volumes"][0]["name"]);
    let place = volume["containerPath"].as_str().expect("a path");
    assert!(text.contains(&format!("state_dir = \"{place}\"")), "{text}");
    assert!(DOCKERFILE.contains(&format!("VOLUME [\"{place}\"]")), "ECS gives the volume the owner of this folder");
}

#[test]
fn the_image_runs_the_binary_as_nobody() {
    let last: Vec<_> = DOCKERFILE.split("\nFROM ").last().expect("there is a stage").lines().collect();
    assert!(last[0].starts_with("gcr.io/distroless/cc-") && last[0].ends_with(":nonroot"), "{}", last[0]);
    assert!(last.contains(&format!("USER {NOBODY}:{NOBODY}").as_str()), "{last:?}");
    let command = container(&json(TASK), "gatewatch")["healthCheck"]["command"][1].clone();
    assert!(last.contains(&format!("ENTRYPOINT [{command}]").as_str()), "the health check asks another program");
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().expect("it is TOML");
    assert!(DOCKERFILE.contains("--profile dist") && manifest["profile"].get("dist").is_some());
    let numbers = |version: &str| -> Vec<u32> { version.split('.').map(|n| n.parse().expect("a number")).collect() };
    let compiler = DOCKERFILE.lines().find_map(|line| line.strip_prefix("ARG RUST=")).expect("it names a compiler");
    let needed = manifest["package"]["rust-version"].as_str().expect("it is text");
    assert!(numbers(compiler) >= numbers(needed), "{compiler} does not build what needs {needed}");
}

#[test]
fn the_configuration_in_the_task_definition_is_a_good_one() {
    let text = configured(&json(TASK));
    let table: toml::Table = text.parse().expect("it is TOML");
    // `gatewatch healthcheck` asks there; nobody outside of the task can.
    assert_eq!(table["http"]["listen"].as_str(), Some("127.0.0.1:9502"));
    let without_http = text.replace("[http]\nlisten = \"127.0.0.1:9502\"\n", "");
    let config = Config::parse(&without_http, Path::new("task-definition.json")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((config.apis.len(), config.sinks.len()), (1, 2));
    // Everything that it reads and writes to is in the policy.
    let groups = config.apis.iter().flat_map(|api| api.access_log_groups.iter().chain(&api.lambda_log_groups));
    for group in groups {
        assert!(POLICY.contains(&format!(":log-group:{group}:*\"")), "{group} is not in the policy");
    }
    let topic = table["sink"][1]["topic_arn"].as_str().expect("a text");
    assert!(POLICY.contains(&format!("\"{topic}\"")), "{topic} is not in the policy");
}

/// What a policy allows.
fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().expect("there are statements");
    assert!(statements.iter().all(|statement| statement["Effect"] == "Allow"));
    let one = |action: &Value| action.as_str().expect("a text").to_owned();
    let all = |statement: &Value| match statement["Action"].as_array() {
        Some(actions) => actions.iter().map(one).collect(),
        None => vec![one(&statement["Action"])],
    };
    statements.iter().flat_map(all).collect()
}

/// What the code asks of AWS: `.client.filter_log_events()` in a file that names the SDK of CloudWatch Logs.
fn asked_for() -> BTreeSet<String> {
    let call = Regex::new(r"\.client\s*\.([a-z_]+)\(\)").expect("it is one");
    let services = BTreeMap::from([("aws_sdk_cloudwatchlogs", "logs"), ("aws_sdk_sns", "sns")]);
    let mut asked = BTreeSet::new();
    let files = fs::read_dir(root().join("src/aws")).expect("the folder is there");
    // What is asked to find out what an API is made of stands in a folder of its own, and what `check` asks besides in a
    // file: nobody needs it to watch.
    let watches = |path: &PathBuf| path.is_file() && !path.ends_with("inspect.rs");
    for file in files.map(|file| file.expect("it can be listed").path()).filter(watches) {
        let text = fs::read_to_string(file).expect("it is text");
        for found in call.captures_iter(&text) {
            let named: Vec<_> = services.iter().filter(|(sdk, _)| text.contains(**sdk)).collect();
            assert_eq!(named.len(), 1, "which service is asked for {}?", &found[1]);
            let words = found[1].split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
            asked.insert(format!("{}:{}", named[0].1, words.collect::<String>()));
        }
    }
    asked
}

#[test]
fn policies_allow_what_the_code_asks_for_and_nothing_else() {
    let asked = asked_for();
    assert!(asked.contains("logs:FilterLogEvents") && asked.contains("sns:Publish"), "{asked:?}");
    assert_eq!(actions(&json(POLICY)), asked);
    let of_readme = README.split("### The permissions it needs").nth(1).and_then(|rest| rest.split("```").nth(1));
    let of_readme = of_readme.and_then(|block| block.strip_prefix("json\n")).expect("README has a policy");
    assert_eq!(actions(&json(of_readme)), asked);
}

// === What is made from the command line's definition ===

/// The long options that the help of a command names.
fn flags(command: &[&str]) -> BTreeSet<String> {
    let (output, help) = run(Command::new(BINARY).args(command).arg("--help")).expect("it was built");
    assert!(output.status.success(), "{help}");
    let flag = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z-]+)").expect("it is one");
    flag.captures_iter(&help).map(|found| found[1].to_owned()).collect()
}

#[test]
fn manual_pages_and_completions_have_every_flag() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (output, said) = run(Command::new(BINARY).arg("generate").arg(folder.path())).expect("it was built");
    assert!(output.status.success() && said.is_empty(), "{said}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (_, help) = run(Command::new(BINARY).arg("--help")).expect("it was built");
    let listed =
        help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("it lists commands");
    let name = Regex::new(r"(?m)^  ([a-z-]+)").expect("it is one");
    let commands: Vec<_> = name.captures_iter(listed).map(|found| found[1].to_owned()).collect();
    assert!(commands.len() >= 4 && commands.contains(&"replay".to_owned()), "{commands:?}");
    let mut all = 0;
    for command in [""].into_iter().chain(commands.iter().map(String::as_str)).filter(|command| *command != "help") {
        let arguments: Vec<_> = Some(command).filter(|command| !command.is_empty()).into_iter().collect();
        let page = if command.is_empty() { "gatewatch.1".to_owned() } else { format!("gatewatch-{command}.1") };
        // A hyphen is escaped there, so that it is not taken for a place to break the line.
        let page = read(&page).replace("\\-", "-");
        for flag in flags(&arguments) {
            all += 1;
            assert!(page.contains(&flag), "the manual page of `{command}` has no {flag}");
            for file in ["gatewatch.bash", "_gatewatch", "gatewatch.fish"] {
                let text = read(file);
                let words = if file.ends_with("fish") { format!("-l {}", &flag[2..]) } else { flag.clone() };
                assert!(text.contains(&words), "{file} has no {flag} of `{command}`");
            }
        }
    }
    assert!(all > 15, "{all} flags");
    let (output, said) = run(Command::new(BINARY).args(["generate", "/proc/nowhere"])).expect("it was built");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("cannot write into /proc/nowhere") && said.lines().count() == 1, "{said}");
}

#[test]
fn the_version_names_a_commit_of_this_repository_or_none() {
    let (_, said) = run(Command::new(BINARY).arg("--version")).expect("it was built");
    let version = said.trim_end().strip_prefix("gatewatch ").expect("its name goes before");
    assert_eq!(version, env!("GATEWATCH_VERSION"));
    let Some(commit) = version.strip_prefix(concat!(env!("CARGO_PKG_VERSION"), " (")) else {
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        return;
    };
    let commit = commit.strip_suffix(')').expect("a commit in brackets");
    assert!(commit.len() == 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{commit}");
    // Somebody may commit while tests run, so it need not be the last.
    let git = run(Command::new("git").arg("-C").arg(root()).args(["cat-file", "-t", commit]));
    if let Some((_, said)) = git.filter(|(output, _)| output.status.success()) {
        assert_eq!(said.trim(), "commit");
    }
}

/// The build script, made for a folder, and what it says there: the version, and the files that it watches.
struct BuildScript {
    folder: TempDir,
    sources: PathBuf,
}

impl BuildScript {
    /// For the sources in this folder of a temporary one.
    fn of(sources: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // As git knows it, which follows links.
        let sources = fs::canonicalize(folder.path()).expect("it is there").join(sources);
        fs::create_dir_all(&sources).expect("a folder can be made");
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut rustc = Command::new(compiler);
        rustc.args(["--edition", "2024", "-o"]).arg(folder.path().join("script")).arg(root().join("build.rs"));
        rustc.env("CARGO_PKG_VERSION", "1.2.3").env("CARGO_MANIFEST_DIR", &sources);
        let (output, said) = run(&mut rustc).expect("whoever builds tests has a compiler");
        assert!(output.status.success(), "{said}");
        Self { folder, sources }
    }

    fn says(&self) -> (String, Vec<PathBuf>) {
        let mut script = Command::new(self.folder.path().join("script"));
        // As a hook of git would run it.
        let (output, said) = run(script.env("GIT_DIR", "/nowhere/.git")).expect("it was made");
        assert!(output.status.success(), "{said}");
        let all = |key: &str| said.lines().filter_map(|line| line.strip_prefix(key)).collect::<Vec<_>>();
        let [version] = all("cargo::rustc-env=GATEWATCH_VERSION=")[..] else { panic!("{said}") };
        let watched = all("cargo::rerun-if-changed=").into_iter().filter(|path| *path != "build.rs");
        (version.to_owned(), watched.map(PathBuf::from).collect())
    }

    fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", self.folder.path()).env_remove("GIT_DIR");
        let names = ["-c", "user.name=n", "-c", "user.email=e", "-c", "init.defaultBranch=trunk"];
        let (output, said) = run(git.arg("-C").arg(folder).args(names).args(arguments)).expect("there is git");
        assert!(output.status.success(), "{said}");
        said.trim().to_owned()
    }
}

#[test]
fn from_an_archive_there_is_no_commit() {
    let script = BuildScript::of("gatewatch-1.2.3");
    assert_eq!(script.says(), ("1.2.3".to_owned(), Vec::new()));
    if run(Command::new("git").arg("--version")).is_none() {
        eprintln!("skipped: there is no git here");
        return;
    }
    // Unpacked in somebody else's repository: that has commits, but not of this.
    let outer = script.folder.path();
    script.git(outer, &["init", "-q"]);
    script.git(outer, &["commit", "-q", "--allow-empty", "-m", "other"]);
    assert_eq!(script.says().0, "1.2.3");
}

#[test]
fn the_commit_follows_the_repository() {
    if run(Command::new("git").arg("--version")).is_none() {
        eprintln!("skipped: there is no git here");
        return;
    }
    let script = BuildScript::of("gatewatch");
    let git = |arguments: &[&str]| script.git(&script.sources, arguments);
    git(&["init", "-q"]);
    assert_eq!(script.says().0, "1.2.3", "there is no commit yet");
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    let shape = |watched: &[PathBuf]| -> Vec<_> {
        watched.iter().map(|path| (path.clone(), path.is_dir(), fs::read(path).ok(), modified(path))).collect()
    };
    // What moves HEAD, each by itself: it is noticed by a file or folder that was watched before.
    for step in [
        &["commit", "-q", "--allow-empty", "-m", "two"][..],
        &["checkout", "-q", "-b", "other"],
        &["commit", "-q", "--allow-empty", "-m", "three"],
        &["pack-refs", "--all"],
        &["commit", "-q", "--allow-empty", "-m", "four"],
        &["checkout", "-q", "--detach", "trunk"],
        &["commit", "-q", "--allow-empty", "-m", "five"],
    ] {
        let (before, watched) = script.says();
        // What is not there would be built anew each time.
        assert!(!watched.is_empty() && watched.iter().all(|path| path.exists()), "{watched:?}");
        let looked = shape(&watched);
        git(step);
        let (after, _) = script.says();
        assert_eq!(after, format!("1.2.3 ({})", &git(&["rev-parse", "HEAD"])[..12]));
        assert!(before == after || shape(&watched) != looked, "{step:?} is not noticed by {watched:?}");
        assert_eq!(script.says().0, after, "one commit, one answer");
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

// === An empty root ===

/// What the binary is linked to, as files of this machine.
fn libraries() -> Vec<PathBuf> {
    let (output, said) = run(Command::new("ldd").arg(BINARY)).expect("a machine that links has ldd");
    assert!(output.status.success(), "{said}");
    let path = Regex::new(r"(?m)(/\S+) \(0x").expect("it is one");
    path.captures_iter(&said).map(|found| PathBuf::from(&found[1])).collect()
}

/// A root with the binary, its libraries, CA certificates, a configuration, and nothing else.
fn empty_root(config: &str) -> TempDir {
    let certificates = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    let certificates =
        certificates.into_iter().find(|path| Path::new(path).exists()).expect("this machine trusts some");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let inside = |path: &Path| folder.path().join(path.strip_prefix("/").expect("it is absolute"));
    let give = |from: &Path, to: &Path, mode: u32| {
        let to = inside(to);
        fs::create_dir_all(to.parent().expect("it has a folder")).expect("a folder can be made");
        fs::copy(from, &to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        fs::set_permissions(to, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    give(Path::new(BINARY), Path::new("/gatewatch"), 0o755);
    let libraries = libraries();
    assert!(libraries.len() < 8, "the image has the C library and no more: {libraries:?}");
    for library in libraries {
        give(&library, &library, 0o755);
    }
    give(Path::new(certificates), Path::new("/etc/ssl/certs/ca-certificates.crt"), 0o644);
    fs::write(folder.path().join("config.toml"), config).expect("a file can be written");
    // A temporary folder is for its owner alone, and who runs here is somebody else.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// Mounts `$1` read-only over itself and becomes what follows.
const READ_ONLY: &str = r#"set -e; mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; shift; exec "$@""#;

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).is_some_and(|(_, said)| said.trim() == "0")
}

/// A command with mounts of its own, in which `root` is read-only.
fn with_mounts(root: &Path) -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        // Whoever may not mount anything may do so in a namespace of users.
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--propagation", "private", "sh", "-c", READ_ONLY, "sh"]).arg(root);
    command
}

/// The program in `root`, as nobody.
fn inside(root: &Path, arguments: &[&str]) -> Command {
    let mut command = with_mounts(root);
    if is_root() {
        command.args(["chroot", &format!("--userspec=+{NOBODY}:+{NOBODY}"), "--groups="]).arg(root);
    } else {
        command.args(["unshare", "--user", &format!("--map-user={NOBODY}"), &format!("--map-group={NOBODY}")]);
        command.arg("--root").arg(root);
    }
    command.arg("/gatewatch").args(arguments);
    command
}

/// Why mounts of one's own are not allowed here, if they are not.
fn forbidden() -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    match run(with_mounts(folder.path()).arg("true")) {
        None => Some("there is no unshare".to_owned()),
        Some((output, said)) => (!output.status.success()).then_some(said),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("it is before the year 292 million"))
}

/// That a process is nobody, may nothing, and cannot write to its root.
fn assert_confined(process: u32) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line =
        |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).expect("Linux says it").trim().to_owned();
    assert_eq!(line("CapEff:"), "0000000000000000");
    let users = line("Uid:");
    assert!(users.split_whitespace().all(|user| if is_root() { user == NOBODY } else { user != "0" }), "{users}");
    let mounts = fs::read_to_string(format!("/proc/{process}/mountinfo")).expect("it runs");
    let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mounts: Vec<_> = mounts.lines().map(fields).map(|fields| (fields[4].clone(), fields[5].clone())).collect();
    let [(place, options)] = &mounts[..] else { panic!("it sees more than its root: {mounts:?}") };
    assert!(place == "/" && options.split(',').any(|option| option == "ro"), "{mounts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_empty_root_that_is_read_only_it_polls_and_alerts_as_nobody() {
    if let Some(why) = forbidden() {
        eprintln!("skipped: mounts of one's own are not allowed here: {}", why.trim());
        return;
    }
    let sim = Sim::start(Arc::new(now)).await.expect("a loopback port can be bound");
    sim.create_group("/root/shop");
    for n in 0..40 {
        let time = now().minus(Duration::from_secs(30));
        let line = format!(r#"{{"requestId":"r-{n}","httpMethod":"GET","resourcePath":"/pets","status":"502"}}"#);
        sim.put("/root/shop", "s", time, time, &line);
    }
    // The webhook is never told anything, but its certificates are needed from the start.
    let config = "[poll]\ninterval = \"500ms\"\nmax_interval = \"500ms\"\nquota = 100\n[notify]\ngroup_wait = \"0s\"\n\
                  [[rule]]\nname = \"api-5xx\"\nfor = \"0s\"\n[[rule]]\nname = \"endpoint-5xx\"\nfor = \"0s\"\n\
                  [[api]]\nname = \"shop\"\naccess_log_groups = [\"/root/shop\"]\n[[sink]]\nkind = \"stdout\"\n\
                  [[sink]]\nkind = \"webhook\"\nurl = \"https://hooks.invalid/x\"\nrules = [\"latency\"]\n";
    let root = empty_root(config);
    let endpoint = sim.endpoint();
    let environment = aws_environment(&endpoint);
    let in_environment = [&environment[..], &[("GATEWATCH_CONFIG_TOML", config)]].concat();
    // With its configuration in a file, and without any file of its own.
    for (arguments, environment) in [(&["--config", "/config.toml"][..], &environment[..]), (&[], &in_environment)] {
        let mut command = inside(root.path(), arguments);
        let mut daemon = Daemon::start_by(&mut command, environment, Stdio::piped(), Stdio::piped());
        let alert =
            daemon.expect_stdout("alert", PATIENCE, |line| line["type"] == "alert" && line["state"] == "firing");
        assert_eq!((&alert["api"], &alert["errors"]), (&"shop".into(), &40.into()));
        assert_confined(daemon.id());
        assert_eq!(daemon.terminate(Duration::from_secs(12)), 0);
        let said = daemon.stderr_text();
        assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
    }
}
