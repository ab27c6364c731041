//! Requests and failures as plain lines: one line a request, a failure's explanation below.

use super::{Paint, harmless};
use crate::model::cause::{Certainty, Failure};
use crate::model::request::Request;
use crate::model::time::Timestamp;

/// Width the method and route are padded to, so that the columns behind stand in line.
const ENDPOINT_WIDTH: usize = 34;

/// `13:02:11.443  POST /checkout   502    237 ms  a1b2c3d4`.
#[must_use]
pub fn request(r: &Request, paint: Paint) -> String {
    let status = r.status.to_string();
    let status = match r.status / 100 {
        5 => paint.red(&status),
        4 => paint.yellow(&status),
        _ => paint.green(&status),
    };
    let latency = r.response_latency_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let endpoint = harmless(&r.endpoint.to_string());
    let id = harmless(r.request_id.as_deref().unwrap_or("-"));
    let time = paint.dim(&clock(r.time()));
    format!("{time}  {endpoint:<ENDPOINT_WIDTH$} {status} {latency:>9}  {}", paint.dim(&id))
}

/// The explanation of a failure, indented, with its evidence and fix.
#[must_use]
pub fn failure(f: &Failure, paint: Paint) -> String {
    let e = &f.explanation;
    let c = &e.cause;
    let mut what = c.kind.word().replace('_', " ");
    if let Some(error_type) = &c.error_type {
        what = format!("{what}: {error_type}");
    }
    let function = e.function.as_ref().map(|f| format!(" in {f}")).unwrap_or_default();
    let site = e.site.as_ref().map(|s| format!(" at {s}")).unwrap_or_default();
    let sure = match c.certainty {
        Certainty::Certain => "certain",
        Certainty::Likely => "likely",
        Certainty::Unknown => "unknown",
    };
    let again = if f.revision > 1 { " (more is known now)" } else { "" };
    let id = f.request_id.as_deref().unwrap_or("-");
    let mut out = format!(
        "  {} {} {}",
        paint.red("why"),
        paint.bold(&harmless(&format!("{what}{function}{site}"))),
        paint.dim(&format!("[{sure}, joined by {}]{again}", c.join))
    );
    out.push_str(&paint.dim(&harmless(&format!("  {} {} request {id}", f.status, f.endpoint))));
    if let Some(message) = &c.message {
        out.push_str(&format!("\n      {}", one_line(message)));
    }
    for line in &e.evidence {
        out.push_str(&format!("\n      {} {}", paint.dim("|"), one_line(&line.text)));
    }
    out.push_str(&format!("\n      {} {}", paint.green("fix"), harmless(&e.fix.text)));
    if let Some(command) = &e.fix.command {
        out.push_str(&format!("\n          {}", harmless(command)));
    }
    out
}

/// The time of day in UTC, with milliseconds.
#[must_use]
pub fn clock(t: Timestamp) -> String {
    let text = t.to_string();
    text.get(11..23).map_or_else(|| text.clone(), str::to_owned)
}

/// The first line of a text, cut to what a terminal shows.
fn one_line(text: &str) -> String {
    const WIDTH: usize = 160;
    let flat = harmless(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}..", &flat[..end]),
        None => flat,
    }
}
