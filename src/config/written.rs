//! A configuration file as `gatewatch init` writes it: what was found out, with a comment for each key.
//!
//! Not the finding out. Rule: what is written here is read back as exactly what was found, whatever names hold; a name
//! stands in a comment only without its line ends.

use std::fmt::Write as _;

use super::found::Found;
use super::gap::Gap;
use crate::model::deployed::Wanted;
use crate::model::inventory::ApiKind;
use crate::model::text::printable;
use crate::model::time::human;

/// How wide comments are.
const WIDTH: usize = 118;

/// The file's text. `role` is taken on for reading.
#[must_use]
pub fn written(found: &Found, gaps: &[Gap], role: Option<&str>) -> String {
    let mut out = String::new();
    head(&mut out, found, gaps);
    line(&mut out, &format!("region = {}", text(&found.region)));
    if let Some(role) = role {
        comment(&mut out, "Role to take on for reading.");
        line(&mut out, &format!("role_arn = {}", text(role)));
    }
    out.push('\n');
    comment(
        &mut out,
        "Where the state is kept, so that a restart counts nothing twice and misses nothing. systemd sets it by \
         StateDirectory=.",
    );
    line(&mut out, "# state_dir = \"/var/lib/gatewatch\"");
    out.push('\n');
    comment(&mut out, "Health and metrics: /livez, /readyz, /metrics, /status. Off unless it is set.");
    line(&mut out, "# [http]");
    line(&mut out, "# listen = \"127.0.0.1:9502\"");
    out.push('\n');
    api(&mut out, found);
    rules(&mut out);
    sinks(&mut out, found);
    out
}

fn head(out: &mut String, found: &Found, gaps: &[Gap]) {
    let kind = match found.kind {
        ApiKind::Auto => "API",
        ApiKind::Rest => "REST API",
        ApiKind::Http => "HTTP API",
        ApiKind::WebSocket => "WebSocket API",
    };
    let account = found.account.as_ref().map(|account| format!(", account {account}")).unwrap_or_default();
    let Found { api, id, stage, region, .. } = found;
    comment(out, &format!("gatewatch: {kind} {api} ({id}), stage {stage}, {region}{account}."));
    comment(out, "Written by `gatewatch init` from what AWS says. Start with: gatewatch --config THIS_FILE");
    comment(
        out,
        "Every other key stands in config.example.toml with its default; durations are text: \"30s\", \"5m\".",
    );
    if !gaps.is_empty() {
        line(out, "#");
        comment(out, "What is not as it should be, or could not be found out:");
        for gap in gaps {
            comment(out, &format!("- {gap}"));
        }
    }
    out.push('\n');
}

fn api(out: &mut String, found: &Found) {
    line(out, "[[api]]");
    comment(out, "How it is called in messages.");
    line(out, &format!("name = {}", text(found.label())));
    out.push('\n');
    let wanted = found.wanted().to_string();
    // A name that cannot be written so is told by the ID.
    let is_plain = Wanted::parse(&wanted) == Some(found.wanted());
    let wanted = if is_plain { wanted } else { format!("{}/{}", found.id, found.stage) };
    comment(
        out,
        "Instead of all keys of this API below: found out at the start and kept up to date, so that a function that is \
         added is read as well. It needs apigateway:GET and lambda:GetFunctionConfiguration while it runs; the keys below \
         need logs:FilterLogEvents alone.",
    );
    line(out, &format!("# discover = {}", text(&wanted)));
    out.push('\n');
    let kind = match found.kind {
        ApiKind::Auto => "auto",
        ApiKind::Rest => "rest",
        ApiKind::Http => "http",
        ApiKind::WebSocket => "websocket",
    };
    line(out, &format!("type = \"{kind}\""));
    out.push('\n');
    comment(out, "The stage's access log: each line is a request. Names, ARNs or patterns with *.");
    match &found.access_log_group {
        Some(group) => line(out, &format!("access_log_groups = [{}]", text(group))),
        None => line(out, "# access_log_groups = []"),
    }
    if found.access_log_group.is_some() {
        out.push('\n');
        comment(
            out,
            "The stage's own format: lines are read by it. When it is changed there, change it here; \"auto\" guesses.",
        );
        let format = found.access_log_format.as_deref().map_or_else(|| "\"auto\"".to_owned(), text);
        line(out, &format!("access_log_format = {format}"));
    }
    if let Some(group) = &found.execution_log_group {
        out.push('\n');
        comment(out, "The stage's execution log, which names causes outright.");
        line(out, &format!("execution_log_group = {}", text(group)));
    }
    out.push('\n');
    comment(out, "Logs of the functions behind it: why a request failed is told there.");
    if found.lambda_log_groups.is_empty() {
        line(out, "lambda_log_groups = []");
    } else {
        line(out, "lambda_log_groups = [");
        for group in &found.lambda_log_groups {
            line(out, &format!("    {},", text(group)));
        }
        line(out, "]");
    }
    out.push('\n');
    comment(out, "When the gateway gives up on the integration: the longest of all of them.");
    let timeout = found.integration_timeout.unwrap_or(found.kind.default_timeout());
    line(out, &format!("integration_timeout = {}", text(&human(timeout))));
    if !found.functions.is_empty() {
        out.push('\n');
        comment(out, "Which function serves an endpoint. What is not said here is learned from requests.");
        line(out, "[api.functions]");
        for (endpoint, function) in &found.functions {
            line(out, &format!("{} = {}", text(endpoint), text(function)));
        }
    }
    out.push('\n');
}

fn rules(out: &mut String) {
    comment(
        out,
        "Rules. Five work without being named: endpoint-5xx and api-5xx (over 1 % elevated, 5 % high, 15 % critical), \
         integration-timeouts, no-invocations, source-blind. A table changes the keys that it gives:",
    );
    for text in [
        "# [[rule]]",
        "# name = \"endpoint-5xx\"",
        "# window = \"5m\"",
        "# severity = { elevated = 0.01, high = 0.05, critical = 0.15 }",
    ] {
        line(out, text);
    }
    out.push('\n');
}

fn sinks(out: &mut String, found: &Found) {
    comment(out, "Where messages go.");
    line(out, "[[sink]]");
    line(out, "kind = \"stdout\"");
    out.push('\n');
    comment(out, "`gatewatch send-test` tries them all.");
    let account = found.account.as_deref().unwrap_or("111122223333");
    let topic = format!("arn:aws:sns:{}:{account}:ops-alerts", found.region);
    line(out, "# [[sink]]");
    line(out, "# kind = \"sns\"");
    line(out, &format!("# topic_arn = {}", text(&topic)));
    line(out, "# min_severity = \"high\"");
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// Comment lines, broken between words.
fn comment(out: &mut String, text: &str) {
    let mut column = 0;
    for word in printable(text).split(' ').filter(|word| !word.is_empty()) {
        if column == 0 || column + 1 + word.chars().count() > WIDTH {
            out.push_str(if column == 0 { "#" } else { "\n#" });
            column = 1;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.chars().count();
    }
    out.push('\n');
}

/// Text as a TOML string: as it is in single quotes where it has double ones, else escaped.
fn text(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains(|c: char| c == '\'' || c.is_control()) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
