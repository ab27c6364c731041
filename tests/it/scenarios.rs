//! Scenarios: log files in, the output of `gatewatch replay --output json` out. One runner; one file for each in
//! `tests/scenarios/`, many `[[case]]` tables in a file in `tests/corpus/`.
//!
//! A scenario says what people who know API Gateway would expect, not what the code does: its sources are the design
//! and the reference material, and every bug gets one before its fix. The runner writes the files, runs the real
//! binary and compares; it knows nothing of how a line is read. Rule: a scenario file with a key that the runner does
//! not know is a mistake, so that no expectation is ever passed over in silence.
//!
//! ```toml
//! title = "what it shows"
//! config = '''..'''                  # optional: a configuration file
//! arguments = ["--requests"]         # optional
//!
//! [[access]]                         # a file; `[[lambda]]` and `[[execution]]` likewise
//! text = '''..'''                    # as it stands
//! modified = "10:00:00"              # optional: the file's own time, for lines that carry none
//! [[access]]
//! events = [                         # or events, written as JSON lines
//!   { at = "10:00:00.000", text = '..' },
//!   { at = "10:00:01", count = 12, every_ms = 100, stream = "s", id = "e{n}", text = '.. {n} .. {epoch}' },
//! ]
//!
//! [expect]
//! exit = 0                           # the default
//! alerts = [{ .. }]                  # all objects of the type, in order; each has at least these keys and values
//! failures = [{ .. }]                # all, in any order
//! requests = [{ .. }]                # all, in order
//! summary = { .. }
//! unread = { "access-1" = 2 }        # lines that were not read, by file; files that are not named have none
//! contains = [{ type = "alert" }]    # these are there, in order, whatever else is
//! never = [{ type = "alert" }]       # nothing like these is there
//! stderr = ["text"]                  # each stands in standard error
//! same = ["reversed"]                # ways to write the same input that must give the same output
//! ```
//!
//! Values: `"~x"` is any text with `x` in it, `"<null>"` is null, `"$name"` is any text that is the same wherever the
//! name stands and another than that of every other name. Lists in objects are compared whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// The day on which all scenarios happen.
const DAY: &str = "2026-11-22";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    title: String,
    config: Option<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    access: Vec<Input>,
    #[serde(default)]
    lambda: Vec<Input>,
    #[serde(default)]
    execution: Vec<Input>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    text: Option<String>,
    modified: Option<String>,
    #[serde(default)]
    events: Vec<Events>,
}

/// One event, or `count` of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    at: String,
    #[serde(default = "one")]
    count: i64,
    #[serde(default)]
    every_ms: i64,
    stream: Option<String>,
    id: Option<String>,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    #[serde(default)]
    exit: i32,
    alerts: Option<Vec<Value>>,
    failures: Option<Vec<Value>>,
    requests: Option<Vec<Value>>,
    summary: Option<Value>,
    unread: Option<BTreeMap<String, u64>>,
    #[serde(default)]
    contains: Vec<Value>,
    #[serde(default)]
    never: Vec<Value>,
    #[serde(default)]
    stderr: Vec<String>,
    #[serde(default)]
    same: Vec<Way>,
}

/// Another way to write the same events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    /// One JSON event per line, in order.
    Lines,
    /// The last first.
    Reversed,
    /// In no order, the same each time.
    Shuffled,
    /// Every event twice, as overlapping exports have them.
    Twice,
    /// One JSON document, as `aws logs filter-log-events` prints it.
    Document,
}

const fn one() -> i64 {
    1
}

/// One event as it is written.
#[derive(Clone)]
struct Event {
    time: i64,
    stream: String,
    id: String,
    text: String,
}

#[test]
fn every_scenario_has_its_outcome() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("tests/scenarios/ is there").map(|e| e.expect("it can be read").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(files.len() >= 10, "only {} scenarios in {}", files.len(), folder.display());
    let wrong: Vec<_> = files.iter().filter_map(|file| check(file).err()).collect();
    assert!(wrong.is_empty(), "{} of {} scenarios:\n\n{}", wrong.len(), files.len(), wrong.join("\n\n"));
}

/// A second corpus, by people who had the reference material and not the code: many cases in each file.
#[test]
fn every_case_of_the_corpus_has_its_outcome() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = fs::read_dir(&folder).expect("tests/corpus/ is there");
    let mut files: Vec<PathBuf> = files.map(|e| e.expect("it can be read").path()).collect();
    files.sort();
    let cases = files.iter().flat_map(|file| {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let text = fs::read_to_string(file).expect("a corpus file can be read");
        let corpus: Corpus = toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        corpus.case.into_iter().map(move |case| (name.clone(), case))
    });
    let cases: Vec<_> = cases.collect();
    assert!(cases.len() >= 150, "only {} cases in {}", cases.len(), folder.display());
    let halves = cases.chunks(cases.len().div_ceil(2));
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let run = |half: &'_ [(String, Scenario)]| {
            half.iter().filter_map(|(n, case)| case.check(n).err()).collect::<Vec<_>>()
        };
        let running: Vec<_> = halves.map(|half| scope.spawn(move || run(half))).collect();
        running.into_iter().flat_map(|r| r.join().expect("a case does not panic")).collect()
    });
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    case: Vec<Scenario>,
}

/// Runs one scenario file; what is wrong is said with the whole output.
fn check(file: &Path) -> Result<(), String> {
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let text = fs::read_to_string(file).expect("a scenario can be read");
    let scenario: Scenario = toml::from_str(&text).map_err(|e| format!("== {name}: {e}"))?;
    scenario.check(&name)
}

impl Scenario {
    fn check(&self, name: &str) -> Result<(), String> {
        let scenario = self;
        let said = |way: &str, output: &Output, wrong: &str| {
            let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            format!("== {name}: {}{way}\n{wrong}\n-- stdout\n{out}-- stderr\n{err}", scenario.title)
        };
        let first = scenario.run(Way::Lines);
        scenario.compare(&first).map_err(|wrong| said("", &first, &wrong))?;
        for way in &scenario.expect.same {
            let other = scenario.run(*way);
            if other.stdout != first.stdout {
                let before = String::from_utf8_lossy(&first.stdout);
                return Err(said(&format!(" ({way:?})"), &other, &format!("the output differs from\n{before}")));
            }
        }
        Ok(())
    }

    fn run(&self, way: Way) -> Output {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut arguments: Vec<String> = Vec::new();
        if let Some(config) = &self.config {
            fs::write(folder.path().join("config.toml"), config).expect("a file can be written");
            arguments.extend(["--config".to_owned(), "config.toml".to_owned()]);
        }
        arguments.extend(["replay", "--output", "json"].map(str::to_owned));
        for (kind, inputs) in [("access", &self.access), ("lambda", &self.lambda), ("execution", &self.execution)] {
            for (number, input) in inputs.iter().enumerate() {
                let name = format!("{kind}-{}", number + 1);
                input.write(&folder.path().join(&name), way);
                arguments.extend([format!("--{kind}"), name]);
            }
        }
        arguments.extend(self.arguments.iter().cloned());
        Command::new(env!("CARGO_BIN_EXE_gatewatch"))
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|v| ("LLVM_PROFILE_FILE", v)))
            .current_dir(folder.path())
            .output()
            .expect("the program can be started")
    }

    fn compare(&self, output: &Output) -> Result<(), String> {
        let expect = &self.expect;
        if output.status.code() != Some(expect.exit) {
            return Err(format!("expected exit code {}, got {}", expect.exit, output.status));
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let mut objects = Vec::new();
        for line in stdout.lines() {
            objects.push(serde_json::from_str::<Value>(line).map_err(|e| format!("not JSON ({e}): {line}"))?);
        }
        commands_are_shell(&objects)?;
        let of_type = |t: &str| objects.iter().filter(|o| o["type"] == t).collect::<Vec<_>>();
        let mut names = Names::default();
        for (t, wanted) in [("alert", &expect.alerts), ("request", &expect.requests)] {
            let Some(wanted) = wanted else { continue };
            let got = of_type(t);
            let all_match = wanted.iter().zip(&got).all(|(w, g)| names.matches(w, g));
            if got.len() != wanted.len() || !all_match {
                return Err(format!("expected of type {t}, in this order:\n{}", lines(wanted)));
            }
        }
        if let Some(wanted) = &expect.failures {
            let mut got = of_type("failure");
            let count = got.len();
            for w in wanted {
                let Some(at) = got.iter().position(|g| names.matches(w, g)) else {
                    return Err(format!("expected this failure:\n{w}"));
                };
                got.remove(at);
            }
            if !got.is_empty() {
                return Err(format!("expected {} failures, got {count}", wanted.len()));
            }
        }
        let summaries = of_type("summary");
        if let Some(wanted) = &expect.summary
            && !(summaries.len() == 1 && names.matches(wanted, summaries[0]))
        {
            return Err(format!("expected one summary with:\n{wanted}"));
        }
        if let Some(wanted) = &expect.unread {
            let mut unread: BTreeMap<String, u64> = BTreeMap::new();
            for line in summaries.iter().filter_map(|s| s["unread"].as_array()).flatten() {
                let source = line["source"].as_str().unwrap_or_default().to_owned();
                *unread.entry(source).or_default() += line["count"].as_u64().unwrap_or_default();
            }
            if unread != *wanted {
                return Err(format!("expected unread lines {wanted:?}, got {unread:?}"));
            }
        }
        let mut rest = objects.iter();
        for wanted in &expect.contains {
            if !rest.any(|o| names.matches(wanted, o)) {
                return Err(format!("expected, after those before it:\n{wanted}"));
            }
        }
        for unwanted in &expect.never {
            if let Some(found) = objects.iter().find(|o| names.matches(unwanted, o)) {
                return Err(format!("expected nothing like {unwanted}, got\n{found}"));
            }
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        match expect.stderr.iter().find(|text| !stderr.contains(*text)) {
            Some(text) => Err(format!("expected on standard error: {text}")),
            None => Ok(()),
        }
    }
}

impl Input {
    fn write(&self, path: &Path, way: Way) {
        let text = match &self.text {
            Some(text) => text.clone(),
            None => written(self.events.iter().flat_map(Events::all).collect(), way),
        };
        fs::write(path, text).expect("a file can be written");
        if let Some(at) = &self.modified {
            let since = Duration::from_millis(u64::try_from(time(at)).expect("after 1970"));
            let file = fs::File::options().write(true).open(path).expect("it was just written");
            file.set_modified(SystemTime::UNIX_EPOCH + since).expect("a file's time can be set");
        }
    }
}

impl Events {
    fn all(&self) -> impl Iterator<Item = Event> {
        (0..self.count).map(|n| {
            let time = time(&self.at) + n * self.every_ms;
            let fill = |text: &str| text.replace("{n}", &n.to_string()).replace("{epoch}", &time.to_string());
            let text = fill(&self.text);
            // Without an id of its own an event is told by where, when and what it is.
            let id = self.id.as_deref().map_or_else(|| format!("{time}-{n}-{}", text.len()), fill);
            Event { time, stream: self.stream.clone().unwrap_or_else(|| "stream".to_owned()), id, text }
        })
    }
}

/// A command is there to be copied: whatever names and texts are in it, a shell must be able to read it.
fn commands_are_shell(objects: &[Value]) -> Result<(), String> {
    let commands: BTreeSet<&str> = objects.iter().filter_map(|o| o["fix"]["command"].as_str()).collect();
    for command in commands {
        let checked = Command::new("sh").args(["-n", "-c", command]).output().expect("a shell can be run");
        if !checked.status.success() {
            return Err(format!("no shell reads {command}\n{}", String::from_utf8_lossy(&checked.stderr)));
        }
    }
    Ok(())
}

fn written(mut events: Vec<Event>, way: Way) -> String {
    match way {
        Way::Lines | Way::Document => {}
        Way::Reversed => events.reverse(),
        Way::Shuffled => shuffle(&mut events),
        Way::Twice => events = events.iter().flat_map(|e| [e.clone(), e.clone()]).collect(),
    }
    let event =
        |e: &Event| json!({ "logStreamName": e.stream, "timestamp": e.time, "message": e.text, "eventId": e.id });
    let events: Vec<_> = events.iter().map(event).collect();
    if way == Way::Document {
        return format!("{:#}\n", json!({ "events": events, "searchedLogStreams": [] }));
    }
    lines(&events)
}

/// By a fixed sequence of numbers, so that a failure can be looked at again.
fn shuffle(events: &mut [Event]) {
    let mut number = 1_u64;
    for at in (1..events.len()).rev() {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(number >> 33).expect("31 bits fit") % (at + 1);
        events.swap(at, other);
    }
}

fn lines(values: &[Value]) -> String {
    values.iter().flat_map(|v| [v.to_string(), "\n".to_owned()]).collect()
}

fn time(at: &str) -> i64 {
    let time: Timestamp = format!("{DAY}T{at}Z").parse().unwrap_or_else(|e| panic!("`{at}` is no time of day: {e}"));
    time.as_millisecond()
}

/// What the names of a scenario stand for.
#[derive(Default)]
struct Names {
    known: BTreeMap<String, String>,
}

impl Names {
    fn matches(&mut self, wanted: &Value, got: &Value) -> bool {
        match (wanted, got) {
            (Value::Object(wanted), Value::Object(got)) => {
                wanted.iter().all(|(key, w)| got.get(key).is_some_and(|g| self.matches(w, g)))
            }
            (Value::Array(wanted), Value::Array(got)) => {
                wanted.len() == got.len() && wanted.iter().zip(got).all(|(w, g)| self.matches(w, g))
            }
            (Value::String(wanted), got) if wanted == "<null>" => got.is_null(),
            (Value::String(wanted), Value::String(got)) => self.text_matches(wanted, got),
            // The JSON reader may be one unit in the last place off.
            (Value::Number(wanted), Value::Number(got)) => {
                wanted.as_f64().zip(got.as_f64()).is_some_and(|(w, g)| (w - g).abs() < 1e-12)
            }
            (wanted, got) => wanted == got,
        }
    }

    fn text_matches(&mut self, wanted: &str, got: &str) -> bool {
        if let Some(part) = wanted.strip_prefix('~') {
            return got.contains(part);
        }
        if !wanted.starts_with('$') {
            return wanted == got;
        }
        let others: BTreeSet<_> =
            self.known.iter().filter(|(name, _)| *name != wanted).map(|(_, v)| v.as_str()).collect();
        !others.contains(got) && *self.known.entry(wanted.to_owned()).or_insert_with(|| got.to_owned()) == got
    }
}

#[test]
fn the_comparison_sees_what_differs() {
    let matches = |wanted: Value, got: &Value| Names::default().matches(&wanted, got);
    let got = json!({ "a": 1.0, "b": null, "c": { "d": "some text", "e": [1, { "f": "x", "g": 2 }] } });
    assert!(matches(json!({ "a": 1, "b": "<null>", "c": { "d": "~me te", "e": [1, { "f": "x" }] } }), &got));
    for other in [
        json!({ "a": 2 }),
        json!({ "z": 1 }),
        json!({ "a": "<null>" }),
        json!({ "c": { "d": "~other" } }),
        json!({ "c": { "d": "some" } }),
        json!({ "c": { "e": [1] } }),
        json!({ "c": { "e": [1, { "f": "y" }] } }),
    ] {
        assert!(!matches(other.clone(), &got), "{other}");
    }
    assert!(matches(json!(["$a", "$b", "$a"]), &json!(["x", "y", "x"])));
    assert!(!matches(json!(["$a", "$a"]), &json!(["x", "y"])));
    assert!(!matches(json!(["$a", "$b"]), &json!(["x", "x"])));
}
