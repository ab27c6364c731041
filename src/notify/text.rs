//! A message as text for people: the first line is the whole story, the rest is wrapped at 72 columns.
//!
//! Not what is said in few words, which `message` has for all renderings. Rule: no text of a log or of the service moves
//! the cursor or looks like a line of ours.

use super::headline::{FLAPPING, cause, headline, kind_words, reason, rough, short};
use super::message::{AlertMessage, Digest, Message};
use super::origin::Origin;
use super::query::{Query, names};
use super::telling::Telling;
use crate::model::alert::{Blindness, Loss, State};
use crate::model::cause::CauseKind;
use crate::model::notice::Notice;
use crate::model::text::printable;

/// Mail clients and phones show this much without breaking it themselves.
const COLUMNS: usize = 72;
/// Indent of a cause.
const COUNT: usize = 4;

/// The message as lines, without a line end behind the last.
#[must_use]
pub fn render(m: &Message, origin: &Origin) -> String {
    write(&Telling::of(m), origin)
}

pub(super) fn write(t: &Telling, origin: &Origin) -> String {
    let m = &t.message;
    let mut out = Lines(first_line(m));
    match m {
        Message::Notice(n) => notice(n, &mut out),
        Message::Digest(d) => digest(d, m, &mut out),
        Message::Test(_) => {
            out.add(2, "somebody tries whether messages arrive: nothing is the matter, and there is nothing to do");
        }
        Message::Alert(said) => match (&said.alert.blindness, said.alert.state) {
            (blindness, State::Resolved) => {
                let (rule, worst) = (&said.alert.key.rule, said.alert.worst);
                // Event time comes in steps; arrival time has milliseconds that nobody wants to read.
                let lasted = if blindness.is_some() { rough(said.lasted()) } else { short(said.lasted()) };
                out.add(2, &format!("api {}, rule {rule}; lasted {lasted}, worst {worst}", said.api));
            }
            (Some(blindness), State::Firing) => blind(said, &why(m), blindness, &mut out),
            (None, State::Firing) => firing(said, t, &mut out),
        },
    }
    let from = match &origin.host {
        Some(host) => format!(", from gatewatch {} on {host}", Origin::VERSION),
        None => String::new(),
    };
    out.add(2, &format!("episode {}, message {}{from}", m.episode(), m.seq()));
    out.0
}

/// `CRITICAL POST /checkout 40.0% 5xx (12 of 30, 5m): 9x TypeError in checkout-fn index.js:12, 3x lambda timeout`.
pub(super) fn first_line(m: &Message) -> String {
    let line = headline(m);
    let causes = match m {
        Message::Alert(m) if m.alert.state == State::Firing => m.causes(),
        Message::Alert(_) | Message::Digest(_) | Message::Notice(_) | Message::Test(_) => String::new(),
    };
    printable(&if causes.is_empty() { line } else { format!("{line}: {causes}") })
}

/// The lines so far.
struct Lines(String);

impl Lines {
    /// One more line, wrapped.
    fn add(&mut self, indent: usize, text: &str) {
        self.0.push('\n');
        self.0.push_str(&wrap(text, indent, indent + 2));
    }

    /// One more line as it is: what is copied must not be broken.
    fn copied(&mut self, text: &str) {
        self.add(0, &format!("    {text}"));
    }
}

/// ` (escalated)`.
fn why(m: &Message) -> String {
    reason(m).map_or_else(String::new, |why| format!(" ({why})"))
}

fn firing(m: &AlertMessage, t: &Telling, out: &mut Lines) {
    let a = &m.alert;
    let worst = if a.worst > a.severity { format!("; worst so far {}", a.worst) } else { String::new() };
    out.add(2, &format!("api {}, rule {}, since {}{}{worst}", m.api, a.key.rule, a.since, why(&t.message)));
    if a.flapping {
        out.add(2, FLAPPING);
    }
    if let Some(meaning) = m.meaning() {
        out.add(2, &format!("that means: {meaning}"));
    }
    if m.counts_failures() && a.errors > 0 {
        out.add(2, &format!("{} of {} failures explained", t.explained, a.errors));
    }
    for c in &a.causes {
        let said = c.sample.message.as_deref().map(|s| format!(": {s}")).unwrap_or_default();
        out.add(COUNT, &format!("{}x {}{said}", c.count, cause(c)));
        let ids = [("request", &c.sample.request_id), ("Lambda request", &c.sample.lambda_request_id)];
        let ids = ids.into_iter().filter(|_| c.kind != CauseKind::Unknown);
        let ids: Vec<_> = ids.filter_map(|(what, id)| Some(format!("{what} {}", id.as_deref()?))).collect();
        if !ids.is_empty() {
            out.add(COUNT + 2, &format!("for example {}", ids.join(", ")));
        }
    }
    if t.causes_left_out > 0 {
        out.add(COUNT, &format!("and {} causes more", t.causes_left_out));
    }
    if !a.endpoints.is_empty() {
        out.add(2, "worst endpoints:");
        for e in &a.endpoints {
            out.add(COUNT, &format!("{} of {} at {}", e.errors, e.requests, e.endpoint));
        }
    }
    fix("fix", m, out);
    if let Some(query) = &m.query {
        more(query, out);
    }
}

fn fix(word: &str, m: &AlertMessage, out: &mut Lines) {
    let Some(fix) = m.fix().filter(|fix| !fix.text.is_empty()) else { return };
    out.add(2, &format!("{word}: {}", fix.text));
    if let Some(command) = &fix.command {
        out.copied(command);
    }
}

fn more(query: &Query, out: &mut Lines) {
    let region = query.region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
    out.add(2, &format!("more, by CloudWatch Logs Insights{region}, {} to {}:", query.from, query.to));
    for group in names(query) {
        out.copied(&format!("log group {group}"));
    }
    query.text.lines().for_each(|line| out.copied(line));
}

fn digest(d: &Digest, m: &Message, out: &mut Lines) {
    let api = d.api.as_deref().map_or_else(|| "several APIs".to_owned(), |api| format!("api {api}"));
    let rule = d.rule.as_deref().map_or_else(|| "several rules".to_owned(), |rule| format!("rule {rule}"));
    if d.state == State::Resolved {
        let lasted = rough(d.time.since(d.since));
        out.add(2, &format!("{api}, {rule}; lasted {lasted}, worst {}; all have resolved", d.severity));
    } else {
        out.add(2, &format!("{api}, {rule}, since {}{}", d.since, why(m)));
        out.add(2, &format!("{} fire, {} have resolved", d.firing, d.resolved));
    }
    if !d.members.is_empty() {
        let fire = if d.state == State::Firing { "fire" } else { "did" };
        out.add(2, &format!("the worst of those that {fire}:"));
    }
    for member in &d.members {
        let rule = if d.rule.is_none() { format!(", rule {}", member.alert.key.rule) } else { String::new() };
        let api = if d.api.is_none() { format!(", api {}", member.api) } else { String::new() };
        let causes = if d.state == State::Firing { member.causes() } else { String::new() };
        let causes = if causes.is_empty() { causes } else { format!(": {causes}") };
        // Not wrapped: one line is one alert.
        out.copied(&format!("{}{rule}{api}{causes}", member.headline()));
    }
    if d.state == State::Firing
        && let Some(worst) = d.members.iter().find(|m| m.fix().is_some_and(|fix| !fix.text.is_empty()))
    {
        fix(&format!("fix of {}", worst.subject()), worst, out);
    }
}

fn blind(m: &AlertMessage, why: &str, b: &Blindness, out: &mut Lines) {
    let a = &m.alert;
    let read = match b.read_to {
        Some(at) => format!("read up to {at}, which is {} ago", rough(a.time.since(at))),
        None => "never read since the start".to_owned(),
    };
    out.add(2, &format!("api {}, rule {}, since {}{why}; {read}", m.api, a.key.rule, a.since));
    out.add(2, &format!("said: {}", b.said));
    let (apis, rules) = (b.apis.join(", "), b.rules.join(", "));
    let rules = if rules.is_empty() { "no rule looks at it".to_owned() } else { format!("rules {rules}") };
    let meanwhile = match b.loss {
        Loss::Everything => {
            format!("nothing is known of requests to {apis}; {rules}: they stand still, none fires and none resolves")
        }
        Loss::Part => {
            format!("part of the requests to {apis} is not seen; {rules}: they may fire on the rest, none resolves")
        }
        Loss::Causes => format!("failures of {apis} are counted, but causes that only this log names are not found"),
    };
    out.add(2, &format!("meanwhile: {meanwhile}"));
    out.add(2, &format!("fix: {}", b.problem.advice()));
}

fn notice(n: &Notice, out: &mut Lines) {
    let names: Vec<_> = n.names.iter().map(|name| &**name).collect();
    let more = match n.sources.saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if n.sources == 1 { "log group" } else { "log groups" };
    out.add(2, &format!("{} {noun}: {}{more}", n.sources, names.join(", ")));
    if let Some(at) = n.unread_before {
        out.add(2, &format!("what lies before {at} was not read: it was more than is caught up at most"));
    }
    if !n.causes.is_empty() {
        let causes: Vec<_> = n.causes.iter().map(|(kind, count)| format!("{count}x {}", kind_words(*kind))).collect();
        out.add(2, &format!("failures: {}", causes.join(", ")));
    }
    for missed in &n.endpoints {
        out.add(COUNT, &format!("{}x {} ({})", missed.failures, missed.endpoint, missed.api));
    }
    out.add(2, "no alert fires for what lies in the past");
}

/// Breaks at blanks, with `indent` blanks before the first line and `hang` before those that go on. An indent of zero
/// leaves the text as it is.
fn wrap(text: &str, indent: usize, hang: usize) -> String {
    let text = printable(text);
    if indent == 0 {
        return text;
    }
    let mut out = " ".repeat(indent);
    let mut column = indent;
    for (at, word) in text.split(' ').enumerate() {
        let len = word.chars().count();
        if at > 0 && column + 1 + len > COLUMNS {
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            column = hang;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_72_columns_and_never_splits_a_word() {
        let text = "word ".repeat(40) + &"x".repeat(100);
        let wrapped = wrap(&text, 4, 6);
        assert!(wrapped.lines().all(|l| l.chars().count() <= COLUMNS || l.trim() == "x".repeat(100)));
        assert_eq!(wrapped.split_whitespace().count(), 41);
        assert_eq!(wrap("a\nb", 2, 4), "  a b");
    }
}
