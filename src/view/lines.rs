//! Requests and failures as plain lines: one line a request, a failure's explanation below.

use super::Paint;
use crate::model::cause::{Certainty, Failure};
use crate::model::request::Request;
use crate::model::text::printable;
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
    let endpoint = printable(&r.endpoint.to_string());
    let id = printable(r.request_id.as_deref().unwrap_or("-"));
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
        paint.bold(&printable(&format!("{what}{function}{site}"))),
        paint.dim(&format!("[{sure}, joined by {}]{again}", c.join))
    );
    out.push_str(&paint.dim(&printable(&format!("  {} {} request {id}", f.status, f.endpoint))));
    if let Some(message) = &c.message {
        out.push_str(&format!("\n      {}", one_line(message)));
    }
    for line in &e.evidence {
        out.push_str(&format!("\n      {} {}", paint.dim("|"), one_line(&line.text)));
    }
    out.push_str(&format!("\n      {} {}", paint.green("fix"), printable(&e.fix.text)));
    if let Some(command) = &e.fix.command {
        out.push_str(&format!("\n          {}", printable(command)));
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
    let flat = printable(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}..", &flat[..end]),
        None => flat,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::cause::{Cause, CauseKind, Explanation, Fix, Join};
    use crate::model::inventory::ApiId;
    use crate::model::request::Endpoint;

    fn time() -> Timestamp {
        Timestamp::from_millis(1_785_231_944_443)
    }

    #[test]
    fn a_request_is_one_line_and_a_log_cannot_set_colours() {
        let request = Request {
            api: ApiId(0),
            endpoint: Endpoint::new("POST", "/check\u{1b}[31mout").into(),
            status: 502,
            start: time(),
            request_id: Some("a1\nb2".into()),
            lambda_request_id: None,
            response_latency_ms: None,
            integration_latency_ms: None,
            gateway: None,
        };
        let line = super::request(&request, Paint(false));
        assert!(line.starts_with("09:45:44.443  POST /check [31mout"), "{line}");
        assert!(!line.contains(['\u{1b}', '\n']) && line.contains(" 502         -  a1"), "{line}");
        assert!(super::request(&request, Paint(true)).contains("\u{1b}[31m502\u{1b}[0m"));
    }

    #[test]
    fn a_failure_says_why_how_sure_and_what_to_do() {
        let explanation = Explanation {
            cause: Cause {
                kind: CauseKind::UnhandledException,
                certainty: Certainty::Certain,
                error_type: Some("TypeError".into()),
                message: Some("x is not\n  a function".into()),
                join: Join::IntegrationRequestId,
                candidates: 1,
            },
            function: Some("checkout-fn".into()),
            site: None,
            evidence: Vec::new(),
            fix: Fix { text: "Do this.".into(), command: Some("aws that".into()) },
        };
        let failure = Failure {
            revision: 2,
            api: ApiId(0),
            endpoint: Endpoint::new("POST", "/checkout").into(),
            status: 502,
            time: time(),
            request_id: Some("r1".into()),
            lambda_request_id: None,
            explanation: Arc::new(explanation),
        };
        let text = super::failure(&failure, Paint(false));
        let want = "  why unhandled exception: TypeError in checkout-fn [certain, joined by integration_request_id] (more is \
                    known now)  502 POST /checkout request r1\n      x is not a function\n      fix Do this.\n          \
                    aws that";
        assert_eq!(text, want);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let cut = one_line(&"€".repeat(500));
        assert_eq!(cut.chars().count(), 162);
    }
}
