//! The words of a message that all renderings share: its title, its headline, its causes.
//!
//! Not the message, which is `message`, and no layout. Rule: what is measured stands in it with its unit, k of n and
//! the window, so that a line is understood without the rule that made it.

use std::time::Duration;

use super::message::{AlertMessage, Digest, Message};
use crate::model::alert::{Alert, Before, Blindness, CauseCount, Measure, Reason, State, Subject};
use crate::model::cause::CauseKind;
use crate::model::notice::Notice;
use crate::model::time::{Timestamp, human};

/// Why a flapping alert is quiet for so long.
pub const FLAPPING: &str =
    "flapping: it has fired and resolved so often that it now goes on firing for longer before it resolves";

impl AlertMessage {
    /// The finding's name.
    #[must_use]
    pub fn title(&self) -> String {
        let (subject, api) = (self.subject(), &self.api);
        let of = match &self.alert.key.subject {
            Subject::Api => subject,
            Subject::Endpoint(_) | Subject::Source(_) => format!("{subject} ({api})"),
        };
        if self.alert.state == State::Resolved {
            return format!("Resolved: {of}");
        }
        let finding = match (self.alert.measure, &self.alert.key.subject) {
            (Measure::Failures, Subject::Endpoint(_)) => "Degraded API Endpoint",
            (Measure::Failures, Subject::Api | Subject::Source(_)) => "High Server Error Rate (5xx)",
            (Measure::FailureCount, _) => "High Server Error Count (5xx)",
            (Measure::Timeouts, _) => "Integration Timeout Errors",
            (Measure::NoInvocations, _) => "Function Not Invoked",
            (Measure::NewCause, _) => "New Cause of Failures",
            (Measure::Latency { .. }, _) => "High Latency",
            (Measure::Slow { .. }, _) => "Slow Requests",
            (Measure::Traffic, _) => "Traffic Gone",
            (Measure::BurnRate { .. }, _) => "Error Budget Burning",
            (Measure::Unread, _) => "Log Group Not Read",
        };
        format!("{finding}: {of}")
    }

    /// `CRITICAL POST /checkout 40.0% 5xx (12 of 30, 5m)`, or `HIGH /aws/lambda/pay not read for 2m: access denied (shop)`.
    #[must_use]
    pub fn headline(&self) -> String {
        let api = if self.alert.blindness.is_some() { format!(" ({})", self.api) } else { String::new() };
        format!("{} {} {}{api}", self.word(), self.subject(), self.what())
    }

    /// What is the matter: `40.0% 5xx (12 of 30, 5m)`.
    #[must_use]
    pub fn what(&self) -> String {
        self.alert.blindness.as_ref().map_or_else(|| measured(&self.alert), |blindness| self.not_read(blindness))
    }

    /// `CRITICAL`, or `RESOLVED`.
    #[must_use]
    pub fn word(&self) -> String {
        match self.alert.state {
            State::Firing => self.alert.severity.word().to_ascii_uppercase(),
            State::Resolved => "RESOLVED".to_owned(),
        }
    }

    /// `not read for 2m: access denied`, or that it is read again.
    #[must_use]
    pub fn not_read(&self, blindness: &Blindness) -> String {
        let (lasted, why) = (rough(self.lasted()), blindness.problem.phrase());
        match self.alert.state {
            State::Firing => format!("not read for {lasted}: {why}"),
            State::Resolved => format!("read again after {lasted}: {why}"),
        }
    }

    /// `9x TypeError in checkout-fn index.js:12, 3x integration timeout`: the three most frequent.
    #[must_use]
    pub fn causes(&self) -> String {
        let known: Vec<_> = self.alert.causes.iter().take(3).map(|c| format!("{}x {}", c.count, cause(c))).collect();
        let more = self.alert.causes.iter().skip(3).map(|c| c.count).sum::<u64>();
        match (known.is_empty(), more) {
            (true, _) => String::new(),
            (false, 0) => known.join(", "),
            (false, more) => format!("{}, {more}x other", known.join(", ")),
        }
    }

    /// Whether what is counted are failures: a slow request is none, and there is nothing to explain about it.
    #[must_use]
    pub const fn counts_failures(&self) -> bool {
        !matches!(self.alert.measure, Measure::Slow { .. } | Measure::Latency { .. } | Measure::Traffic)
    }

    /// What it means, where the title does not say it.
    #[must_use]
    pub fn meaning(&self) -> Option<&'static str> {
        (self.alert.measure == Measure::NoInvocations && self.alert.state == State::Firing).then_some(
            "requests fail and the function is not run: API Gateway lacks the permission to invoke it, or the \
             integration names the wrong ARN",
        )
    }
}

/// What was measured, as people say it.
fn measured(a: &Alert) -> String {
    let window = short(a.window);
    let share = a.value * 100.0;
    let of = format!("({} of {}, {window})", a.errors, a.requests);
    let firing = a.state == State::Firing;
    match a.measure {
        Measure::Failures | Measure::Unread => format!("{share:.1}% 5xx {of}"),
        Measure::FailureCount => format!("{} times 5xx {of}", a.errors),
        Measure::Timeouts => format!("{share:.1}% integration timeouts {of}"),
        Measure::NoInvocations => format!("{share:.1}% failed without an invocation {of}"),
        Measure::NewCause if firing => format!("fails for a new cause {of}"),
        Measure::NewCause => format!("no new cause {of}"),
        Measure::Latency { quantile } => {
            // While it recovers it still fires.
            let word = if a.value > a.threshold { "over" } else { "limit" };
            let (p, value, limit) = (trimmed(quantile * 100.0), duration(a.value), duration(a.threshold));
            format!("p{p} {value}, {word} {limit} ({} requests, {window})", a.requests)
        }
        Measure::Slow { over_ms } => format!("{share:.1}% slower than {} {of}", duration(f64::from(over_ms))),
        Measure::Traffic => {
            let noun = if a.requests == 1 { "request" } else { "requests" };
            let came = if a.requests == 0 { format!("no {noun}") } else { format!("{} {noun}", a.requests) };
            if firing {
                format!("traffic gone: {came} in {window}{}", expected(a))
            } else {
                format!("traffic is back: {came} in {window}")
            }
        }
        Measure::BurnRate { objective } => {
            let budget = format!("error budget of {}%", trimmed(objective * 100.0));
            // It resolves by its short window; the long one, which is what is measured, may still stand high.
            if firing {
                format!("{budget} burns at {:.1}x {of}", a.value)
            } else {
                format!("{budget} no longer burns {of}")
            }
        }
    }
}

/// `, about 25 expected (300 in the 1h before)`; nothing where an outage has lasted so long that nothing came before.
fn expected(a: &Alert) -> String {
    let said = |before: Before| {
        let expected = before.expected(a.window);
        format!(", about {expected:.0} expected ({} in the {} before)", before.requests, short(before.window))
    };
    a.before.filter(|before| before.expected(a.window) >= 1.0).map(said).unwrap_or_default()
}

/// Milliseconds as `4.2s` or `850ms`.
fn duration(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms:.0}ms") } else { format!("{}s", trimmed((ms / 100.0).round() / 10.0)) }
}

/// A number without the noise of its binary form and without zeros at its end: `99.9`, `3`.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Why a message is sent, where its first line does not say it.
#[must_use]
pub const fn reason(m: &Message) -> Option<&'static str> {
    let (reason, of_digest) = match m {
        Message::Alert(m) => (m.reason, false),
        Message::Digest(d) => (d.reason, true),
        Message::Notice(_) | Message::Test(_) => return None,
    };
    match reason {
        Reason::New | Reason::Resolved => None,
        Reason::Escalated => Some("escalated"),
        Reason::Deescalated => Some("less severe than before"),
        Reason::CausesChanged if of_digest => Some("other alerts than before"),
        Reason::CausesChanged => Some("causes changed"),
        Reason::Repeat => Some("still firing"),
        Reason::Flapping => Some("flapping"),
    }
}

/// A message's finding.
#[must_use]
pub fn title(m: &Message) -> String {
    match m {
        Message::Alert(m) => m.title(),
        Message::Digest(d) => match d.state {
            State::Firing => format!("Many Alerts: {}", of(d)),
            State::Resolved => format!("Resolved: {} alerts of {}", d.resolved, of(d)),
        },
        Message::Notice(n) => format!("Reading Stood Still: {}", rough(n.lasted())),
        Message::Test(_) => "Test".to_owned(),
    }
}

/// The whole story in one line, without the causes.
#[must_use]
pub fn headline(m: &Message) -> String {
    match m {
        Message::Alert(m) => m.headline(),
        Message::Digest(d) => format!("{} {}", digest_word(d), digest_headline(d)),
        Message::Notice(n) => format!("NOTICE {}", notice_headline(n)),
        Message::Test(_) => "TEST messages arrive; nothing is the matter".to_owned(),
    }
}

/// `[CRITICAL] shop: POST /checkout 40.0% 5xx (12 of 30, 5m)` in at most `max` printable ASCII characters. Where it is
/// too long the names are cut and the numbers stay.
#[must_use]
pub fn ascii_line(m: &Message, max: usize) -> String {
    let (word, about, what) = match m {
        Message::Alert(m) if m.subject() == *m.api => (m.word(), m.subject(), format!(" {}", m.what())),
        Message::Alert(m) => (m.word(), format!("{}: {}", m.api, m.subject()), format!(" {}", m.what())),
        Message::Digest(d) => (format!("{}] {} alerts of", digest_word(d), alerts(d)), of(d), also_resolved(d)),
        Message::Notice(n) => {
            let about = format!("reading stood still for {}", rough(n.lasted()));
            ("NOTICE".to_owned(), about, format!(": {}", caught_up(n)))
        }
        Message::Test(_) => ("TEST".to_owned(), "messages arrive; nothing is the matter".to_owned(), String::new()),
    };
    let closed = if word.contains(']') { "" } else { "]" };
    let ascii = |text: &str| -> String {
        text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
    };
    let (before, about, after) = (ascii(&format!("[{word}{closed} ")), ascii(&about), ascii(&what));
    let room = max.saturating_sub(before.len() + after.len());
    let about = if about.len() <= room { about } else { format!("{}..", &about[..room.saturating_sub(2)]) };
    let mut line = before + &about + &after;
    line.truncate(max);
    line
}

/// `CRITICAL`, or `RESOLVED`.
fn digest_word(d: &Digest) -> String {
    match d.state {
        State::Firing => d.severity.word().to_ascii_uppercase(),
        State::Resolved => "RESOLVED".to_owned(),
    }
}

/// `37 alerts of endpoint-5xx (shop), 3 resolved`.
#[must_use]
pub fn digest_headline(d: &Digest) -> String {
    format!("{} alerts of {}{}", alerts(d), of(d), also_resolved(d))
}

/// How many it is about: those that fire, or all when it is over.
const fn alerts(d: &Digest) -> usize {
    match d.state {
        State::Firing => d.firing,
        State::Resolved => d.resolved,
    }
}

fn also_resolved(d: &Digest) -> String {
    match d.state {
        State::Firing if d.resolved > 0 => format!(", {} resolved", d.resolved),
        State::Firing | State::Resolved => String::new(),
    }
}

/// `endpoint-5xx (shop)`.
fn of(d: &Digest) -> String {
    let rule = d.rule.as_deref().unwrap_or("several rules");
    format!("{rule} ({})", d.api.as_deref().unwrap_or("several APIs"))
}

/// `reading stood still for 47m (10:02 to 10:49 UTC, unreachable): 14402 requests caught up, 112 failed`.
#[must_use]
pub fn notice_headline(n: &Notice) -> String {
    let why: Vec<_> = n.why.iter().map(|problem| format!(", {}", problem.phrase())).collect();
    format!("reading stood still for {} ({}{}): {}", rough(n.lasted()), span(n.from, n.to), why.concat(), caught_up(n))
}

/// `14402 requests caught up, 112 failed`.
#[must_use]
pub fn caught_up(n: &Notice) -> String {
    let noun = if n.requests == 1 { "request" } else { "requests" };
    format!("{} {noun} caught up, {} failed", n.requests, n.failures)
}

/// Two times to the minute; with their dates, where these differ.
fn span(from: Timestamp, to: Timestamp) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    // An absurd time is not written as a date.
    let parts = |t: &str| {
        let (date, time) = t.split_once('T')?;
        Some((date.to_owned(), time.get(..5)?.to_owned()))
    };
    match (parts(&from), parts(&to)) {
        (Some((a, from)), Some((b, to))) if a == b => format!("{from} to {to} UTC"),
        (Some((a, from)), Some((b, to))) => format!("{a} {from} to {b} {to} UTC"),
        (_, _) => format!("{from} to {to}"),
    }
}

/// A cause in a few words.
#[must_use]
pub fn cause(c: &CauseCount) -> String {
    let s = &c.sample;
    let what = match (&s.error_type, c.kind) {
        (Some(error_type), CauseKind::UnhandledException | CauseKind::InitFailure | CauseKind::ProcessExit) => {
            error_type.to_string()
        }
        (_, kind) => kind_words(kind),
    };
    let function = s.function.as_ref().map(|f| format!(" in {f}")).unwrap_or_default();
    let site = s.site.as_ref().map(|p| format!(" {p}")).unwrap_or_default();
    let sure = if c.certain == 0 && c.kind != CauseKind::Unknown { " (likely)" } else { "" };
    format!("{what}{function}{site}{sure}")
}

/// A kind of cause in words.
#[must_use]
pub fn kind_words(kind: CauseKind) -> String {
    if kind == CauseKind::Unknown { "not explained".to_owned() } else { kind.word().replace('_', " ") }
}

/// A duration without blanks: `5m`, `1m30s`.
#[must_use]
pub fn short(d: Duration) -> String {
    human(d).replace(' ', "")
}

/// A duration as one tells it: to the second, from ten minutes on to the minute.
#[must_use]
pub fn rough(d: Duration) -> String {
    let whole = if d < Duration::from_mins(10) { 1 } else { 60 };
    short(Duration::from_secs(d.as_secs() / whole * whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_roughly() {
        let told = |ms| rough(Duration::from_millis(ms));
        assert_eq!([told(120_003), told(192_999), told(2_837_000), told(900)], ["2m", "3m12s", "47m", "0s"]);
    }

    #[test]
    fn a_span_names_dates_where_they_differ() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let from = at("2026-11-22T10:02:31Z");
        assert_eq!(span(from, at("2026-11-22T10:49:00Z")), "10:02 to 10:49 UTC");
        assert_eq!(span(from, at("2026-11-23T00:01:00Z")), "2026-11-22 10:02 to 2026-11-23 00:01 UTC");
        assert_eq!(span(from, Timestamp::MAX), format!("{from} to {}", Timestamp::MAX));
    }
}
