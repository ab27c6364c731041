//! The house rules that a compiler does not hold: who may import whom, what stays pure, how files look.
//!
//! It reads the text of `src/`, cut into tokens, so that comments and strings say nothing and `use a::{b, c}` is the
//! same as two lines. Not a lint of style: each rule here keeps a promise of the design (a folder is a stage on an
//! event's way; what decides has no clock and no I/O). Rule: a finding names file, line, what stands there and why it
//! must not, and the checker itself is checked on small made-up sources below.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of `src/` and the folders it may name besides itself.
struct Row {
    folder: &'static str,
    may: &'static [&'static str],
    /// Folders that only its tests may name.
    tests_may: &'static [&'static str],
}

const fn row(folder: &'static str, may: &'static [&'static str]) -> Row {
    Row { folder, may, tests_may: &[] }
}

/// The table: a folder is a stage on an event's way and imports the stages named here, no others.
const TABLE: &[Row] = &[
    row("model", &[]),
    row("read", &["model"]),
    row("engine", &["model"]),
    row("tail", &["model"]),
    row("notify", &["model"]),
    row("view", &["model"]),
    row("check", &["model"]),
    // Of the four beside `model` it takes the settings types.
    row("config", &["model", "read", "engine", "tail", "notify"]),
    row("state", &[]),
    // Of `ops` it takes the clock: a quota waits.
    Row { folder: "aws", may: &["model", "tail", "notify", "config", "ops"], tests_may: &["sim"] },
    row("ops", &["model", "config"]),
    row("sim", &["model"]),
    row("run", &["model", "read", "engine", "tail", "notify", "view", "check", "config", "state", "aws", "ops", "sim"]),
];

/// Files that stand in `src/` itself.
const ROOT_FILES: &[&str] = &["lib.rs", "main.rs", "cli.rs"];

/// Folders and files whose code decides: no clock, no I/O, no waiting, no printing.
const PURE: &[&str] = &["model/", "read/", "engine/", "view/", "check/", "tail/", "notify/plan/"];
/// The one file of `tail/` that waits: fetching a page is a trait of its own.
const NOT_PURE: &[&str] = &["tail/fetch.rs"];

/// The only place that reads a clock.
const CLOCK: &str = "ops/clock.rs";

/// Lines of a file without its tests; beyond that it has become the place where everything lands.
const LINES_MAX: usize = 450;

/// Something that must not be.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    wrong: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.wrong)
    }
}

// === The rules, on the real sources ===

#[test]
fn each_folder_imports_only_what_the_table_allows() {
    assert_none(sources().iter().flat_map(imports));
}

#[test]
fn only_aws_names_the_sdk() {
    assert_none(sources().iter().flat_map(sdk));
}

#[test]
fn what_decides_is_pure() {
    assert_none(sources().iter().flat_map(purity));
}

#[test]
fn only_ops_clock_reads_a_clock() {
    assert_none(sources().iter().flat_map(clocks));
}

#[test]
fn every_file_opens_with_its_documentation() {
    assert_none(sources().iter().filter_map(documentation));
}

#[test]
fn no_file_becomes_the_place_where_everything_lands() {
    assert_none(sources().iter().filter_map(length));
}

#[test]
fn modules_and_files_correspond() {
    let sources = sources();
    let mut findings = modules(&sources);
    findings.extend(sources.iter().filter_map(housed));
    assert_none(findings);
}

#[test]
fn the_sources_were_found() {
    let sources = sources();
    for folder in ["model", "engine", "tail", "aws", "run"] {
        assert!(sources.iter().any(|s| s.folder() == Some(folder)), "nothing of src/{folder}/ was looked at");
    }
    let names: Vec<_> = sources.iter().flat_map(Source::paths).filter(|p| p.names[0] == "crate").collect();
    assert!(names.len() > 50, "only {} imports were found: the checker has gone blind", names.len());
}

fn assert_none(findings: impl IntoIterator<Item = Finding>) {
    let lines: Vec<_> = findings.into_iter().map(|f| format!("\n  {f}")).collect();
    assert!(lines.is_empty(), "{} finding(s):{}", lines.len(), lines.concat());
}

// === The rules ===

fn imports(source: &Source) -> Vec<Finding> {
    let Some(row) = source.folder().and_then(|folder| TABLE.iter().find(|row| row.folder == folder)) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for path in source.paths() {
        let Some(named) = source.folder_named(&path) else { continue };
        let of_tests = path.in_tests && row.tests_may.contains(&named.as_str());
        if named == row.folder || row.may.contains(&named.as_str()) || of_tests {
            continue;
        }
        // Not a folder: an item of lib.rs, or a module that the other rules miss.
        let what = path.names.join("::");
        let allowed = if row.may.is_empty() { "nothing else".to_owned() } else { row.may.join(", ") };
        let why =
            format!("`{what}`: {}/ may know {allowed}, because a stage knows only the stages it stands on", row.folder);
        findings.push(source.finding(path.line, why));
    }
    findings
}

fn sdk(source: &Source) -> Vec<Finding> {
    if source.folder() == Some("aws") {
        return Vec::new();
    }
    let is_sdk = |name: &str| {
        ["aws_sdk_", "aws_config", "aws_smithy", "aws_types", "aws_credential"].iter().any(|p| name.starts_with(p))
    };
    let named = source.idents().filter(|(_, name)| is_sdk(name));
    named
        .map(|(line, name)| {
            source
                .finding(line, format!("`{name}`: only aws/ names the AWS SDK, so that the rest is tested without it"))
        })
        .collect()
}

fn purity(source: &Source) -> Vec<Finding> {
    let pure = PURE.iter().any(|p| source.file.starts_with(p)) && !NOT_PURE.contains(&source.file.as_str());
    if !pure {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut add =
        |line, what: &str| {
            findings.push(source.finding(
                line,
                format!("`{what}`: code that decides has no clock, no I/O and does not wait; pass it in"),
            ));
        };
    // Its tests may read a file of samples; what ships may not.
    for token in source.tokens.iter().filter(|t| !t.in_tests) {
        if matches!(token.text.as_str(), "async" | "await" | "SystemTime") {
            add(token.line, &token.text);
        }
    }
    for pair in source.tokens.windows(2).filter(|pair| !pair[0].in_tests) {
        if pair[1].text == "!" && matches!(pair[0].text.as_str(), "print" | "println" | "eprint" | "eprintln" | "dbg") {
            add(pair[0].line, &format!("{}!", pair[0].text));
        }
    }
    for path in source.paths().into_iter().filter(|p| !p.in_tests) {
        let names: Vec<&str> = path.names.iter().map(String::as_str).collect();
        let wrong = matches!(
            names[..],
            ["std", "fs" | "net" | "process" | "thread" | "env", ..] | ["std", "io", "stdin" | "stdout" | "stderr", ..]
        ) || (names.len() > 1 && matches!(names[0], "fs" | "thread" | "process"))
            || names[0].starts_with("tokio")
            || names.windows(2).any(|pair| pair == ["Instant", "now"]);
        if wrong {
            add(path.line, &path.names.join("::"));
        }
    }
    findings
}

fn clocks(source: &Source) -> Vec<Finding> {
    if source.file == CLOCK {
        return Vec::new();
    }
    let read = |path: &UsePath| {
        path.names
            .windows(2)
            .any(|pair| matches!(pair[0].as_str(), "Instant" | "SystemTime" | "Zoned") && pair[1] == "now")
    };
    let paths = source.paths().into_iter().filter(read);
    paths
        .map(|p| {
            source.finding(
                p.line,
                format!(
                    "`{}`: only {CLOCK} reads a clock; take `now` as an argument, also in tests",
                    p.names.join("::")
                ),
            )
        })
        .collect()
}

fn documentation(source: &Source) -> Option<Finding> {
    let first = source.text.lines().next().unwrap_or_default();
    let said = first.strip_prefix("//!").is_some_and(|text| !text.trim().is_empty());
    (!said).then(|| source.finding(1, "it does not open with a `//!` doc that says what the module is".to_owned()))
}

fn length(source: &Source) -> Option<Finding> {
    let lines = source.lines_without_tests();
    let wrong = || format!("{lines} lines without its tests, at most {LINES_MAX}: split it by what it does");
    (lines > LINES_MAX).then(|| source.finding(lines, wrong()))
}

/// A file stands in a folder of the table, or is one of the few at the top.
fn housed(source: &Source) -> Option<Finding> {
    let known = match source.folder() {
        Some(folder) => TABLE.iter().any(|row| row.folder == folder),
        None => ROOT_FILES.contains(&source.file.as_str()),
    };
    (!known).then(|| {
        source
            .finding(1, "its folder has no row in the table of tests/architecture.rs: say what it may know".to_owned())
    })
}

/// Every `mod x;` has its file, and every file is named by one: a file that is not compiled is not checked by anybody.
fn modules(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut reached = vec![PathBuf::from("lib.rs"), PathBuf::from("main.rs")];
    for source in sources {
        for (line, name) in source.declared_modules() {
            let children = source.children();
            let candidates = [children.join(format!("{name}.rs")), children.join(&name).join("mod.rs")];
            match candidates.iter().find(|c| sources.iter().any(|s| Path::new(&s.file) == c.as_path())) {
                Some(found) => reached.push(found.clone()),
                None => findings.push(source.finding(line, format!("`mod {name};` has no file"))),
            }
        }
    }
    let lost = sources.iter().filter(|s| !reached.iter().any(|r| r == Path::new(&s.file)));
    findings.extend(lost.map(|s| s.finding(1, "no `mod` line names it: it is not compiled".to_owned())));
    findings
}

// === Sources ===

/// A source file, cut into tokens.
struct Source {
    /// Below `src/`, with `/`.
    file: String,
    text: String,
    tokens: Vec<Token>,
}

struct Token {
    text: String,
    line: usize,
    /// It stands in code that only tests have.
    in_tests: bool,
    /// Inline modules (`mod x { .. }`) around it.
    inline_modules: usize,
}

/// One path of names, with the groups of a `use` spread out.
#[derive(Debug, PartialEq, Eq)]
struct UsePath {
    names: Vec<String>,
    line: usize,
    in_tests: bool,
    inline_modules: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src/ can be read") {
            let path = entry.expect("src/ can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let file = path.strip_prefix(&root).expect("it was found there").to_string_lossy().replace('\\', "/");
                sources.push(Source::new(&file, fs::read_to_string(&path).expect("sources are UTF-8")));
            }
        }
    }
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    sources
}

impl Source {
    fn new(file: &str, text: String) -> Self {
        let mut tokens = tokens(&text);
        // `#[cfg(test)] mod tests;` leads here.
        let whole_file = file.ends_with("/tests.rs") || file.contains("/tests/");
        mark(&mut tokens, whole_file);
        Self { file: file.to_owned(), text, tokens }
    }

    fn finding(&self, line: usize, wrong: String) -> Finding {
        Finding { file: self.file.clone(), line, wrong }
    }

    /// The folder of the table it stands in; `None` at the top.
    fn folder(&self) -> Option<&str> {
        self.file.split_once('/').map(|(folder, _)| folder)
    }

    /// Modules between it and the crate: `engine/rules.rs` is `crate::engine::rules`.
    fn depth(&self) -> usize {
        let is_root = ROOT_FILES.contains(&self.file.as_str());
        let parts = self.file.split('/').count();
        if is_root {
            0
        } else if self.file.ends_with("/mod.rs") {
            parts - 1
        } else {
            parts
        }
    }

    /// Where files of the modules it declares stand.
    fn children(&self) -> PathBuf {
        let path = Path::new(&self.file);
        let parent = path.parent().expect("a file has a folder");
        if path.ends_with("mod.rs") || self.folder().is_none() { parent.to_owned() } else { path.with_extension("") }
    }

    fn idents(&self) -> impl Iterator<Item = (usize, &str)> {
        self.tokens.iter().filter(|t| is_name(&t.text)).map(|t| (t.line, t.text.as_str()))
    }

    fn lines_without_tests(&self) -> usize {
        if self.tokens.first().is_some_and(|t| t.in_tests) {
            return 0;
        }
        let mut of_tests = 0;
        let mut from = None;
        for token in &self.tokens {
            match (token.in_tests, from) {
                (true, None) => from = Some(token.line),
                (false, Some(line)) => {
                    of_tests += token.line - line;
                    from = None;
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
        let all = self.text.lines().count();
        all - of_tests - from.map_or(0, |line| all + 1 - line)
    }

    fn declared_modules(&self) -> Vec<(usize, String)> {
        let declared = self.tokens.windows(3).filter(|w| w[0].text == "mod" && w[2].text == ";");
        declared.map(|w| (w[1].line, w[1].text.clone())).collect()
    }

    fn paths(&self) -> Vec<UsePath> {
        let mut paths = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let continues = at > 0 && self.tokens[at - 1].text == "::";
            if is_name(&self.tokens[at].text) && !continues {
                spread(&self.tokens, at, &[], &mut paths);
            }
            at += 1;
        }
        paths
    }

    /// The folder of `src/` that a path leads to by `crate::` or by enough `super::`.
    fn folder_named(&self, path: &UsePath) -> Option<String> {
        if path.names[0] == "crate" {
            return path.names.get(1).cloned();
        }
        let supers = path.names.iter().take_while(|n| *n == "super").count();
        let leaves = supers > 0 && supers >= self.depth() + path.inline_modules;
        if leaves { path.names.get(supers).cloned() } else { None }
    }
}

/// Follows a path from the name at `at`; groups give one path for each member. Returns where it ends.
fn spread(tokens: &[Token], at: usize, before: &[String], paths: &mut Vec<UsePath>) -> usize {
    let mut names = before.to_vec();
    let (line, in_tests, inline_modules) = (tokens[at].line, tokens[at].in_tests, tokens[at].inline_modules);
    let mut at = at;
    names.push(tokens[at].text.clone());
    at += 1;
    while tokens.get(at).is_some_and(|t| t.text == "::") {
        match tokens.get(at + 1) {
            Some(next) if is_name(&next.text) || next.text == "*" => {
                names.push(next.text.clone());
                at += 2;
            }
            Some(next) if next.text == "{" => {
                at += 2;
                while tokens.get(at).is_some_and(|t| t.text != "}") {
                    at = if is_name(&tokens[at].text) { spread(tokens, at, &names, paths) } else { at + 1 };
                }
                return at + 1;
            }
            Some(_) | None => break,
        }
    }
    paths.push(UsePath { names, line, in_tests, inline_modules });
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Cuts a source into names, `::` and single signs. Comments go; strings, characters and numbers become one sign.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    while at < chars.len() {
        let from = at;
        let mut push = |text: String| tokens.push(Token { text, line, in_tests: false, inline_modules: 0 });
        let c = chars[at];
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                if starts(at, "/*") {
                    depth += 1;
                    at += 2;
                } else if starts(at, "*/") {
                    depth -= 1;
                    at += 2;
                } else {
                    at += 1;
                }
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(end) = string_end(&chars, at) {
            push("\"".to_owned());
            at = end;
        } else if c.is_alphabetic() || c == '_' {
            while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                at += 1;
            }
            push(chars[from..at].iter().collect());
        } else if c.is_ascii_digit() {
            while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                at += 1;
            }
            push("0".to_owned());
        } else if c == '\'' {
            // A character ends with a quote, a lifetime does not.
            let end = if chars.get(at + 1) == Some(&'\\') {
                (at + 3..chars.len()).find(|i| chars[*i] == '\'')
            } else {
                (chars.get(at + 2) == Some(&'\'')).then_some(at + 2)
            };
            at = end.map_or(at + 1, |end| end + 1);
            push("'".to_owned());
        } else if starts(at, "::") {
            push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                push(c.to_string());
            }
            at += 1;
        }
        line += chars[from..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// Where the string that begins here ends: plain, byte, C and raw strings.
fn string_end(chars: &[char], at: usize) -> Option<usize> {
    let mut begin = at;
    if matches!(chars[begin], 'b' | 'c') {
        begin += 1;
    }
    let raw = chars.get(begin) == Some(&'r');
    if raw {
        begin += 1;
    }
    let hashes = chars[begin.min(chars.len())..].iter().take_while(|c| **c == '#').count();
    if chars.get(begin + hashes) != Some(&'"') || (hashes > 0 && !raw) {
        return None;
    }
    let mut end = begin + hashes + 1;
    while end < chars.len() {
        if !raw && chars[end] == '\\' {
            end += 2;
        } else if chars[end] == '"' && (1..=hashes).all(|i| chars.get(end + i) == Some(&'#')) {
            return Some(end + 1 + hashes);
        } else {
            end += 1;
        }
    }
    Some(end)
}

/// Notes which tokens only tests have, and how many inline modules stand around each.
fn mark(tokens: &mut [Token], whole_file: bool) {
    let mut test_until = if whole_file { tokens.len() } else { 0 };
    // Whether each open brace belongs to a module.
    let mut braces: Vec<bool> = Vec::new();
    for at in 0..tokens.len() {
        let says = |i: usize, what: &str| tokens.get(at + i).is_some_and(|t| t.text == what);
        let is_cfg_test = says(0, "#") && says(1, "[") && says(2, "cfg") && says(3, "(") && {
            let end = (at..tokens.len()).find(|i| tokens[*i].text == "]").unwrap_or(at);
            tokens[at..end].iter().any(|t| t.text == "test") && !tokens[at..end].iter().any(|t| t.text == "not")
        };
        if is_cfg_test {
            test_until = test_until.max(item_end(tokens, at));
        }
        match tokens[at].text.as_str() {
            "{" => braces.push(at >= 2 && tokens[at - 2].text == "mod"),
            "}" => {
                braces.pop();
            }
            _ => {}
        }
        tokens[at].in_tests = at < test_until;
        tokens[at].inline_modules = braces.iter().filter(|is_module| **is_module).count();
    }
}

/// Where the item ends whose first attribute begins here.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && token.text == "}" {
                    // `use a::{b};` goes on to its semicolon.
                    let goes_on = tokens.get(i + 1).is_some_and(|t| t.text == ";");
                    return i + 1 + usize::from(goes_on);
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
    }
    tokens.len()
}

// === The checker itself ===

fn source(file: &str, text: &str) -> Source {
    Source::new(file, text.to_owned())
}

/// What is found, as `line: first word of the finding`.
fn found(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|f| format!("{}: {}", f.line, f.wrong.split(['`']).nth(1).unwrap_or(&f.wrong))).collect()
}

#[test]
fn an_import_against_the_table_is_found_however_it_is_written() {
    let text = "//! Doc.\n\nuse crate::model::time::Timestamp;\nuse crate::run::live;\nuse crate::{model, tail::{ids, slice}};\n\
                fn f() { crate::sim::start(); }\nuse super::super::aws::fetch;\nuse super::window;\n";
    let want = [
        "4: crate::run::live",
        "5: crate::tail::ids",
        "5: crate::tail::slice",
        "6: crate::sim::start",
        "7: super::super::aws::fetch",
    ];
    assert_eq!(found(&imports(&source("engine/rules.rs", text))), want);
    // One level higher the same `super::super` stays in the folder, and from an inline module too.
    assert_eq!(found(&imports(&source("engine/explain/fix.rs", "use super::super::window;\n"))), [""; 0]);
    assert_eq!(found(&imports(&source("engine/rules.rs", "mod x { use super::super::window; }"))), [""; 0]);
    assert_eq!(
        found(&imports(&source("engine/rules.rs", "mod x { use super::super::super::aws; }"))),
        ["1: super::super::super::aws"]
    );
    assert_eq!(found(&imports(&source("run/live.rs", "use crate::{sim, aws, engine};"))), [""; 0]);
    let finding = imports(&source("view/lines.rs", "\nuse crate::engine::Engine;")).remove(0).to_string();
    assert!(finding.starts_with("src/view/lines.rs:2: `crate::engine::Engine`: view/ may know model"), "{finding}");
}

#[test]
fn tests_are_held_to_the_table_but_those_of_aws_may_use_the_simulation() {
    let text =
        "use crate::model::time;\n#[cfg(test)]\nmod tests {\n    use crate::sim::Sim;\n}\nuse crate::config::Config;\n";
    assert_eq!(found(&imports(&source("tail/ids.rs", text))), ["4: crate::sim::Sim", "6: crate::config::Config"]);
    assert_eq!(found(&imports(&source("aws/fetch.rs", text))), [""; 0]);
    assert_eq!(found(&imports(&source("aws/tests.rs", "use crate::sim::Sim;"))), [""; 0]);
    let outside = "#[cfg(test)]\nuse crate::{model};\nuse crate::sim::Sim;\n";
    assert_eq!(found(&imports(&source("aws/fetch.rs", outside))), ["3: crate::sim::Sim"]);
}

#[test]
fn comments_and_strings_say_nothing() {
    let text = r##"// use crate::run::x; println!("a")
/* crate::sim /* nested */ std::fs */
/// `crate::run`
fn f<'a>(c: char) -> &'a str { if c == '"' || c == '\'' { "crate::run::x \" std::fs::read" } else { r#"Instant::now() " "# } }
use crate::aws::late;
"##;
    let s = source("engine/x.rs", text);
    assert_eq!(found(&imports(&s)), ["5: crate::aws::late"]);
    assert_eq!(found(&purity(&s)), [""; 0]);
    assert_eq!(found(&clocks(&s)), [""; 0]);
}

#[test]
fn impure_code_is_found_in_what_decides_and_only_there() {
    let text = "use std::{fmt, fs};\nasync fn f() { x().await }\nfn g() { Instant::now(); println!(\"x\"); std::thread::sleep(d); }\n\
                use std::time::SystemTime;\nuse tokio::sync::mpsc;\nuse std::io::Write;\n#[cfg(test)]\nmod tests { use std::fs; }\n";
    let mut got = found(&purity(&source("tail/slice.rs", text)));
    got.sort();
    let want = [
        "1: std::fs",
        "2: async",
        "2: await",
        "3: Instant::now",
        "3: println!",
        "3: std::thread::sleep",
        "4: SystemTime",
        "5: tokio::sync::mpsc",
    ];
    assert_eq!(got, want);
    assert_eq!(found(&purity(&source("tail/fetch.rs", text))), [""; 0]);
    assert_eq!(found(&purity(&source("notify/outbox.rs", text))), [""; 0]);
    assert!(!purity(&source("notify/plan/mod.rs", text)).is_empty());
}

#[test]
fn a_clock_and_the_sdk_are_found_outside_their_places() {
    let text = "use aws_sdk_sns::Client;\nfn f() { std::time::SystemTime::now(); }\n#[cfg(test)]\nmod tests { fn g() { Instant::now(); } }\n";
    assert_eq!(found(&clocks(&source("run/live.rs", text))), ["2: std::time::SystemTime::now", "4: Instant::now"]);
    assert_eq!(found(&clocks(&source("ops/clock.rs", text))), [""; 0]);
    assert_eq!(found(&sdk(&source("run/live.rs", text))), ["1: aws_sdk_sns"]);
    assert_eq!(found(&sdk(&source("aws/publish.rs", text))), [""; 0]);
}

#[test]
fn files_without_documentation_or_a_place_and_long_files_are_found() {
    assert!(documentation(&source("model/x.rs", "use std::fmt;\n")).is_some());
    assert!(documentation(&source("model/x.rs", "//!\n")).is_some());
    assert!(documentation(&source("model/x.rs", "//! What it is.\n")).is_none());
    assert!(housed(&source("extra/mod.rs", "")).is_some() && housed(&source("extra.rs", "")).is_some());
    assert!(housed(&source("model/mod.rs", "")).is_none() && housed(&source("lib.rs", "")).is_none());
    let code = "//! Doc.\n".to_owned() + &"fn f() {}\n".repeat(LINES_MAX - 1);
    assert!(length(&source("model/x.rs", &code)).is_none());
    let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"fn f() {}\n".repeat(500) + "}\n";
    assert!(length(&source("model/x.rs", &(code.clone() + &tests))).is_none());
    assert!(length(&source("model/x.rs", &(code + "fn g() {}\n" + &tests))).is_some());
}

#[test]
fn modules_without_files_and_files_without_modules_are_found() {
    let sources = [
        source("lib.rs", "pub mod model;\npub mod gone;\n"),
        source("main.rs", "mod cli;\n"),
        source("cli.rs", ""),
        source("model/mod.rs", "pub mod time;\nmod parts;\n"),
        source("model/time.rs", "#[cfg(test)]\nmod tests;\n"),
        source("model/time/tests.rs", ""),
        source("model/parts/mod.rs", ""),
        source("model/lost.rs", ""),
    ];
    let got: Vec<_> = modules(&sources).iter().map(ToString::to_string).collect();
    assert_eq!(
        got,
        ["src/lib.rs:2: `mod gone;` has no file", "src/model/lost.rs:1: no `mod` line names it: it is not compiled"]
    );
}
