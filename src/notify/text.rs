//! A message as text for people: the first line is the whole story, the rest is wrapped at 72 columns.
//!
//! Not what is said in few words, which `message` has for all renderings. Rule: no text of a log or of the service moves
//! the cursor or looks like a line of ours.

use super::message::{AlertMessage, Message, cause, digest_headline, kind_words, notice_headline, rough, short};
use super::origin::Origin;
use crate::model::alert::{Blindness, Loss, Reason, State};
use crate::model::cause::CauseKind;
use crate::model::notice::Notice;
use crate::model::text::printable;

/// Mail clients and phones show this much without breaking it themselves.
const COLUMNS: usize = 72;
/// Indent of a cause.
const COUNT: usize = 4;

/// The message as lines, without a line end behind the last.
#[must_use]
pub fn render(m: &Message, _origin: &Origin) -> String {
    let mut out = Lines(first_line(m));
    match m {
        Message::Notice(n) => notice(n, &mut out),
        Message::Digest(d) => d.members.iter().for_each(|m| out.add(COUNT, &m.headline())),
        Message::Test(_) => {}
        Message::Alert(m) => match (&m.alert.blindness, m.alert.state) {
            (blindness, State::Resolved) => {
                let (rule, worst) = (&m.alert.key.rule, m.alert.severity);
                // Event time comes in steps; arrival time has milliseconds that nobody wants to read.
                let lasted = if blindness.is_some() { rough(m.lasted()) } else { short(m.lasted()) };
                out.add(2, &format!("api {}, rule {rule}; lasted {lasted}, worst {worst}", m.api));
            }
            (Some(blindness), State::Firing) => blind(m, blindness, &mut out),
            (None, State::Firing) => firing(m, &mut out),
        },
    }
    out.add(2, &format!("episode {}, message {}", m.episode(), m.seq()));
    out.0
}

/// `CRITICAL POST /checkout 40.0% 5xx (12 of 30, 5m): 9x TypeError in checkout-fn index.js:12, 3x lambda timeout`.
#[must_use]
pub fn first_line(m: &Message) -> String {
    let line = match m {
        Message::Notice(n) => format!("NOTICE {}", notice_headline(n)),
        Message::Digest(d) => digest_headline(d),
        Message::Test(_) => "TEST".to_owned(),
        Message::Alert(m) => {
            let causes = m.causes();
            match m.alert.state {
                State::Firing if !causes.is_empty() => format!("{}: {causes}", m.headline()),
                State::Firing | State::Resolved => m.headline(),
            }
        }
    };
    printable(&line)
}

/// The lines so far.
struct Lines(String);

impl Lines {
    /// One more line, wrapped.
    fn add(&mut self, indent: usize, text: &str) {
        self.0.push('\n');
        self.0.push_str(&wrap(text, indent, indent + 2));
    }
}

fn firing(m: &AlertMessage, out: &mut Lines) {
    let a = &m.alert;
    let why = match m.reason {
        Reason::New => String::new(),
        Reason::Escalated
        | Reason::Deescalated
        | Reason::CausesChanged
        | Reason::Repeat
        | Reason::Flapping
        | Reason::Resolved => {
            format!(" ({})", m.reason.word().replace('_', " "))
        }
    };
    out.add(2, &format!("api {}, rule {}, since {}{why}", m.api, a.key.rule, a.since));
    if a.errors > 0 {
        out.add(2, &format!("{} of {} failures explained", a.explained(), a.errors));
    }
    for c in &a.causes {
        let said = c.sample.message.as_deref().map(|s| format!(": {s}")).unwrap_or_default();
        out.add(COUNT, &format!("{}x {}{said}", c.count, cause(c)));
        if let Some(id) = c.sample.request_id.as_deref().filter(|_| c.kind != CauseKind::Unknown) {
            out.add(COUNT + 2, &format!("for example request {id}"));
        }
    }
    if let Some(fix) = a.fix() {
        out.add(2, &format!("fix: {}", fix.text));
        if let Some(command) = &fix.command {
            // Not wrapped: a command is copied as one line.
            out.add(0, &format!("    {command}"));
        }
    }
}

fn blind(m: &AlertMessage, b: &Blindness, out: &mut Lines) {
    let a = &m.alert;
    let read = match b.read_to {
        Some(at) => format!("read up to {at}, which is {} ago", rough(a.time.since(at))),
        None => "never read since the start".to_owned(),
    };
    out.add(2, &format!("api {}, rule {}, since {}; {read}", m.api, a.key.rule, a.since));
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
