//! A message as text for people: the first line is the whole story, the rest is wrapped at 72 columns.

use super::message::{Message, cause, short};
use crate::model::alert::{Reason, State};
use crate::model::cause::CauseKind;
use crate::model::text::printable;

/// Mail clients and phones show this much without breaking it themselves.
const COLUMNS: usize = 72;
/// Indent of a cause.
const COUNT: usize = 4;

/// The message as lines, without a line end behind the last.
#[must_use]
pub fn render(m: &Message) -> String {
    let a = &m.alert;
    let mut out = first_line(m);
    let mut add = |indent: usize, text: &str| {
        out.push('\n');
        out.push_str(&wrap(text, indent, indent + 2));
    };
    match a.state {
        State::Resolved => {
            add(2, &format!("api {}, rule {}; lasted {}, worst {}", m.api, a.key.rule, short(m.lasted()), a.severity));
        }
        State::Firing => {
            let why = match m.reason {
                Reason::New => String::new(),
                Reason::Escalated | Reason::CausesChanged | Reason::Resolved => {
                    format!(" ({})", m.reason.word().replace('_', " "))
                }
            };
            add(2, &format!("api {}, rule {}, since {}{why}", m.api, a.key.rule, a.since));
            if a.errors > 0 {
                add(2, &format!("{} of {} failures explained", a.explained(), a.errors));
            }
            for c in &a.causes {
                let said = c.sample.message.as_deref().map(|s| format!(": {s}")).unwrap_or_default();
                add(COUNT, &format!("{}x {}{said}", c.count, cause(c)));
                if let Some(id) = c.sample.request_id.as_deref().filter(|_| c.kind != CauseKind::Unknown) {
                    add(COUNT + 2, &format!("for example request {id}"));
                }
            }
            if let Some(fix) = a.fix() {
                add(2, &format!("fix: {}", fix.text));
                if let Some(command) = &fix.command {
                    // Not wrapped: a command is copied as one line.
                    add(0, &format!("    {command}"));
                }
            }
        }
    }
    out.push_str(&format!("\n  episode {}, message {}", a.episode, m.seq));
    out
}

/// `CRITICAL POST /checkout 40.0% 5xx (12 of 30, 5m): 9x TypeError in checkout-fn index.js:12, 3x lambda timeout`.
#[must_use]
pub fn first_line(m: &Message) -> String {
    let causes = m.causes();
    let line = match m.alert.state {
        State::Firing if !causes.is_empty() => format!("{}: {causes}", m.headline()),
        State::Firing | State::Resolved => m.headline(),
    };
    printable(&line)
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
