//! A message as the custom notification of Amazon Q Developer in chat applications: Slack, Microsoft Teams, Chime.
//!
//! One thread for each episode: what fires, its updates and its resolve. The fields are written in the client's own
//! markdown, of which there are several, so nothing here relies on a client's way of escaping: text that is not ours
//! stands in code spans, or has the characters that could be markup replaced by others that look alike. Rule: text of
//! a log makes no markup, no link and no mention.
//!
//! Source: AWS documentation "Custom notifications using Amazon Q Developer in chat applications". The limits of single
//! fields are not documented; these are well below what chat clients show.

use std::collections::BTreeMap;

use serde::Serialize;

use super::headline::{FLAPPING, ascii_line, caught_up, cause, kind_words, reason, rough, title};
use super::message::{AlertMessage, Digest, Message};
use super::origin::Origin;
use super::query::names;
use super::telling::Telling;
use crate::model::alert::{Blindness, Loss, State};
use crate::model::cause::CauseKind;
use crate::model::json::line;
use crate::model::notice::Notice;

/// Characters of a title, at most.
const TITLE_MAX: usize = 249;
/// Characters of a description, at most.
const DESCRIPTION_MAX: usize = 2999;
/// Characters of one line of a description, so that one long text does not take the place of all others.
const LINE_MAX: usize = 400;
/// Steps, at most.
const STEPS_MAX: usize = 10;
/// Characters of a step, at most.
const STEP_MAX: usize = 1500;
/// Characters of a name in the metadata, at most.
const NAME_MAX: usize = 256;
/// Resources, at most.
const RESOURCES_MAX: usize = 10;

#[derive(Debug, Serialize)]
struct Notification {
    version: &'static str,
    source: &'static str,
    id: String,
    content: Content,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    text_type: &'static str,
    title: String,
    description: String,
    next_steps: Vec<String>,
    keywords: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    thread_id: String,
    summary: String,
    event_type: &'static str,
    related_resources: Vec<String>,
    additional_context: BTreeMap<&'static str, String>,
}

/// The notification.
#[must_use]
pub fn render(m: &Message, origin: &Origin) -> String {
    write(&Telling::of(m), origin)
}

pub(super) fn write(t: &Telling, origin: &Origin) -> String {
    let m = &t.message;
    let (description, next_steps) = match m {
        Message::Alert(m) => (alert(m, t), steps(m)),
        Message::Digest(d) => (digest(d, m), Vec::new()),
        Message::Notice(n) => (notice(n), Vec::new()),
        Message::Test(_) => {
            (vec!["Somebody tries whether messages arrive. There is nothing to do.".into()], Vec::new())
        }
    };
    let host = origin.host.as_deref().map(|host| format!(" on {}", code(host))).unwrap_or_default();
    let foot = format!("gatewatch {}{}, message {}", Origin::VERSION, cut(&host, NAME_MAX), m.seq());
    line(&Notification {
        version: "1.0",
        source: "custom",
        id: format!("{}-{}", cut(m.episode(), NAME_MAX), m.seq()),
        content: Content {
            text_type: "client-markdown",
            title: heading(m),
            description: joined(description, &foot),
            next_steps,
            keywords: keywords(m),
        },
        metadata: Metadata {
            thread_id: cut(m.episode(), NAME_MAX),
            summary: plain(&ascii_line(m, TITLE_MAX / 2)),
            event_type: m.kind(),
            related_resources: resources(m),
            additional_context: context(t),
        },
    })
}

/// ``CRITICAL `POST /checkout` 40.0% 5xx (12 of 30, 5m)``.
fn heading(m: &Message) -> String {
    let said = match m {
        Message::Alert(m) => {
            let api = if m.subject() == *m.api { String::new() } else { format!(" ({})", code(&m.api)) };
            format!("{} {} {}{api}", m.word(), code(&m.subject()), m.what())
        }
        Message::Digest(_) | Message::Notice(_) | Message::Test(_) => plain(&ascii_line(m, TITLE_MAX)),
    };
    // Cut in its middle a code span would never end.
    if said.chars().count() <= TITLE_MAX { said } else { cut(&plain(&ascii_line(m, TITLE_MAX / 2)), TITLE_MAX) }
}

fn alert(m: &AlertMessage, t: &Telling) -> Vec<String> {
    let a = &m.alert;
    let mut lines = vec![plain(&title(&t.message))];
    let why = reason(&t.message).map(|why| format!(" ({why})")).unwrap_or_default();
    let rule = format!("api {}, rule {}", code(&m.api), code(&a.key.rule));
    if a.state == State::Resolved {
        lines.push(format!("{rule}; lasted {}, worst {}", rough(m.lasted()), a.worst));
        return lines;
    }
    lines.push(format!("{rule}, since {}{why}", a.since));
    if a.flapping {
        lines.push(FLAPPING.to_owned());
    }
    lines.extend(m.meaning().map(str::to_owned));
    if let Some(blindness) = &a.blindness {
        lines.extend(blind(blindness));
    }
    if m.counts_failures() && a.errors > 0 {
        lines.push(format!("{} of {} failures explained", t.explained, a.errors));
    }
    for c in &a.causes {
        let said = c.sample.message.as_deref().map(|said| format!(": {}", code(said))).unwrap_or_default();
        lines.push(format!("\u{2022} {}x {}{said}", c.count, code(&cause(c))));
        let ids = [("request", &c.sample.request_id), ("Lambda request", &c.sample.lambda_request_id)];
        let ids = ids.into_iter().filter(|_| c.kind != CauseKind::Unknown);
        let ids: Vec<_> = ids.filter_map(|(what, id)| Some(format!("{what} {}", code(id.as_deref()?)))).collect();
        if !ids.is_empty() {
            lines.push(format!("for example {}", ids.join(", ")));
        }
    }
    if !a.endpoints.is_empty() {
        lines.push("worst endpoints:".to_owned());
        let worst = a.endpoints.iter();
        lines.extend(
            worst.map(|e| format!("\u{2022} {} of {} at {}", e.errors, e.requests, code(&e.endpoint.to_string()))),
        );
    }
    lines
}

fn blind(b: &Blindness) -> Vec<String> {
    let apis = code(&b.apis.join(", "));
    let meanwhile = match b.loss {
        Loss::Everything => format!("nothing is known of requests to {apis}: their rules stand still"),
        Loss::Part => format!("part of the requests to {apis} is not seen: none of their alerts resolves"),
        Loss::Causes => format!("failures of {apis} are counted, but some causes are not found"),
    };
    vec![format!("said: {}", code(&b.said)), meanwhile]
}

fn digest(d: &Digest, m: &Message) -> Vec<String> {
    let why = reason(m).map(|why| format!(" ({why})")).unwrap_or_default();
    let counts = match d.state {
        State::Firing => format!("{} fire, {} have resolved, since {}{why}", d.firing, d.resolved, d.since),
        State::Resolved => format!("all {} have resolved; lasted {}", d.resolved, rough(d.time.since(d.since))),
    };
    let member = |m: &AlertMessage| format!("\u{2022} {} {} {}", m.word(), code(&m.subject()), m.what());
    std::iter::once(counts).chain(d.members.iter().map(member)).collect()
}

fn notice(n: &Notice) -> Vec<String> {
    let mut lines = vec![caught_up(n)];
    lines.push(format!("{} to {}", n.from, n.to));
    lines.extend(n.names.iter().map(|name| format!("\u{2022} {}", code(name))));
    lines.extend(n.causes.iter().map(|(kind, count)| format!("\u{2022} {count}x {}", kind_words(*kind))));
    let missed = n.endpoints.iter();
    lines.extend(
        missed.map(|e| format!("\u{2022} {}x {} ({})", e.failures, code(&e.endpoint.to_string()), code(&e.api))),
    );
    lines
}

fn steps(m: &AlertMessage) -> Vec<String> {
    let mut steps = Vec::new();
    if m.alert.state == State::Resolved {
        return steps;
    }
    steps.extend(m.alert.blindness.as_ref().map(|b| plain(b.problem.advice())));
    if let Some(fix) = m.fix().filter(|fix| !fix.text.is_empty()) {
        steps.push(cut(&plain(&fix.text), STEP_MAX));
        steps.extend(fix.command.as_deref().map(|command| format!("Run {}", code(command))));
    }
    if let Some(query) = &m.query {
        let region = query.region.as_deref().map(|region| format!(" in {}", code(region))).unwrap_or_default();
        let groups = names(query).into_iter().map(code).collect::<Vec<_>>().join(", ");
        let text = code(&query.text.replace('\n', " "));
        steps.push(format!(
            "Ask CloudWatch Logs Insights{region}, {} to {}, log group {groups}: {text}",
            query.from, query.to
        ));
    }
    // What is copied is whole or not there.
    steps.retain(|step| step.chars().count() <= STEP_MAX);
    steps.truncate(STEPS_MAX);
    steps
}

fn keywords(m: &Message) -> Vec<String> {
    let mut words = vec![m.kind().to_owned(), m.severity().word().to_owned()];
    words.extend(m.state().map(|state| state.word().to_owned()));
    let (rule, api) = rule_and_api(m);
    words.extend([rule, api].into_iter().flatten().map(|word| cut(&plain(word), NAME_MAX)));
    words
}

fn rule_and_api(m: &Message) -> (Option<&str>, Option<&str>) {
    match m {
        Message::Alert(m) => (Some(&m.alert.key.rule), Some(&m.api)),
        Message::Digest(d) => (d.rule.as_deref(), d.api.as_deref()),
        Message::Notice(_) | Message::Test(_) => (None, None),
    }
}

/// The log groups it is about.
fn resources(m: &Message) -> Vec<String> {
    let groups: Vec<&str> = match m {
        Message::Alert(m) => {
            let asked = m.query.iter().flat_map(|query| &query.groups);
            asked.chain(m.alert.key.source()).map(|group| &**group).collect()
        }
        Message::Notice(n) => n.names.iter().map(|name| &**name).collect(),
        Message::Digest(_) | Message::Test(_) => Vec::new(),
    };
    groups.into_iter().take(RESOURCES_MAX).map(|group| cut(group, NAME_MAX)).collect()
}

/// What custom actions can use: names and IDs as they are.
fn context(t: &Telling) -> BTreeMap<&'static str, String> {
    let m = &t.message;
    let (rule, api) = rule_and_api(m);
    let sample = m.alert().and_then(|m| m.alert.causes.iter().find(|c| c.kind != CauseKind::Unknown));
    let sample = sample.map(|c| &c.sample);
    let all = [
        ("severity", Some(m.severity().word())),
        ("state", m.state().map(State::word)),
        ("rule", rule),
        ("api", api),
        ("episode", Some(&**m.episode())),
        ("fingerprint", Some(t.fingerprint.as_str())),
        ("function", sample.and_then(|s| s.function.as_deref())),
        ("request_id", sample.and_then(|s| s.request_id.as_deref())),
        ("lambda_request_id", sample.and_then(|s| s.lambda_request_id.as_deref())),
    ];
    let said = all.into_iter().filter_map(|(key, value)| Some((key, cut(value?, NAME_MAX))));
    said.filter(|(_, value)| !value.is_empty()).collect()
}

/// The lines that fit, and the foot.
fn joined(lines: Vec<String>, foot: &str) -> String {
    let mut room = DESCRIPTION_MAX.saturating_sub(foot.chars().count());
    let mut text = String::new();
    for said in lines {
        // A line that is too long would have its markup cut with it.
        let said = if said.chars().count() > LINE_MAX { cut(&plain(&said.replace('`', "")), LINE_MAX) } else { said };
        let Some(left) = room.checked_sub(said.chars().count() + 1) else { break };
        room = left;
        text.push_str(&said);
        text.push('\n');
    }
    text + foot
}

/// As code, in which nothing is markup. Slack reads its mentions and links, `<..>`, even there.
fn code(text: &str) -> String {
    let inside: String = text.chars().map(|c| if c == '`' { '\'' } else { c }).map(entity).collect();
    format!("`{inside}`")
}

/// As text that is no markup in any client.
fn plain(text: &str) -> String {
    let alike = |c: char| match c {
        '*' => '\u{2217}',
        '_' => '\u{ff3f}',
        '~' => '\u{223c}',
        '`' => '\'',
        '[' => '(',
        ']' => ')',
        '|' => '\u{2223}',
        '#' => '\u{ff03}',
        '\\' => '\u{2216}',
        _ => c,
    };
    text.chars().map(alike).map(entity).collect()
}

/// Slack's three entities; control characters and line ends as blanks.
fn entity(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c if c.is_control() => " ".to_owned(),
        c => c.to_string(),
    }
}

/// The first so many characters.
fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}
