//! The HTTP listener: how the daemon is, for health checks and for metrics.
//!
//! Not what is said of it: each page is made from one [`Report`], asked for when the page is. Rule: whatever a client
//! sends, or does not send, costs a connection and a few seconds at most; nothing here can hold up the daemon.

mod authority;
mod get;
mod health;
mod metrics;
mod status;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use get::{GetError, get};
pub use health::{NotReady, not_ready};
pub use metrics::metrics;
pub use status::status;

use super::inquiry::{Inquiry, NoAnswer};
use crate::config::HttpConfig;
use crate::model::report::{Detail, Report};

/// Connections at one time; others wait for one of them to end.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send a request's headers. Short, because health checks wait behind those who are slow.
const HEADERS_WITHIN: Duration = Duration::from_secs(2);
/// How long a connection lives, whatever it does.
const CONNECTION_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's headers.
const HEADERS_MAX: usize = 16 * 1024;
/// How long the daemon's loop may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// After a failed accept (mostly: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("[http] listen = \"{address}\" cannot be bound: {why}; choose another address or port, or end what uses it")]
pub struct CannotListen {
    address: SocketAddr,
    why: std::io::Error,
}

/// What pages are made of.
#[derive(Clone, Debug)]
pub struct Pages {
    /// Where the daemon's loop is asked.
    pub inquiry: Inquiry,
    /// Endpoints that have metrics of their own, at most.
    pub endpoint_metrics: usize,
    /// The alerts that fire, as JSON.
    pub alerts: fn(&Report) -> String,
}

/// A listener that has its address and answers nobody yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    /// Only this machine reaches it.
    is_local: bool,
}

impl Listener {
    /// Takes the address, if there is one.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn bind(config: &HttpConfig) -> Result<Option<Self>, CannotListen> {
        let Some(address) = config.listen else { return Ok(None) };
        let listener = TcpListener::bind(address).await.map_err(|why| CannotListen { address, why })?;
        let listens = listener.local_addr().unwrap_or(address);
        tracing::info!("health and metrics at http://{listens}");
        let is_local = listens.ip().to_canonical().is_loopback();
        if !is_local {
            tracing::warn!("http://{listens} can be reached from other machines, and asks nobody who they are");
        }
        Ok(Some(Self { listener, is_local }))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop`.
    pub async fn serve(self, pages: Pages, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let next = async {
                // The semaphore is never closed.
                let permit = Arc::clone(&room).acquire_owned().await.ok();
                (permit, self.listener.accept().await)
            };
            let Some((permit, accepted)) = stop.run_until_cancelled(next).await else { return };
            match accepted {
                Ok((stream, _)) => {
                    let (pages, stop, is_local) = (pages.clone(), stop.clone(), self.is_local);
                    tokio::spawn(async move {
                        let serving = tokio::time::timeout(CONNECTION_MAX, connection(stream, pages, is_local));
                        // Either it has ended, or it is cut.
                        let _ = stop.run_until_cancelled(serving).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection");
                    stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, pages: Pages, is_local: bool) {
    let answering = service_fn(|request: Request<Incoming>| {
        let pages = &pages;
        async move { Ok::<_, Infallible>(respond(&request, pages, is_local).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    // One request a connection: nobody asks often enough to keep one.
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(HEADERS_MAX).keep_alive(false);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), answering).await {
        tracing::debug!(%error, "a connection for health or metrics ended");
    }
}

/// A page.
struct Page {
    status: StatusCode,
    kind: &'static str,
    body: String,
}

impl Page {
    fn ok(kind: &'static str, body: String) -> Self {
        Self { status: StatusCode::OK, kind, body }
    }

    fn text(status: StatusCode, line: &str) -> Self {
        Self { status, kind: TEXT, body: format!("{line}\n") }
    }
}

impl From<NoAnswer> for Page {
    fn from(why: NoAnswer) -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, &why.to_string())
    }
}

async fn respond(request: &Request<Incoming>, pages: &Pages, is_local: bool) -> Response<Full<Bytes>> {
    let allowed = matches!(*request.method(), Method::GET | Method::HEAD);
    let page = match page(request.uri().path(), pages) {
        _ if is_local && !authority::is_local(request.headers()) => {
            Page::text(StatusCode::MISDIRECTED_REQUEST, authority::MISDIRECTED)
        }
        Some(page) if allowed => page.await.unwrap_or_else(Page::from),
        Some(_) => Page::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"),
        None => {
            let there = PATHS.map(|(path, _)| path).join(", ");
            Page::text(StatusCode::NOT_FOUND, &format!("no such page; there are {there}"))
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(page.body)));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if page.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// What there is.
#[derive(Clone, Copy)]
enum Which {
    Live,
    Ready,
    Metrics,
    Status,
    Alerts,
}

const PATHS: [(&str, Which); 5] = [
    ("/livez", Which::Live),
    ("/readyz", Which::Ready),
    ("/metrics", Which::Metrics),
    ("/status", Which::Status),
    ("/alerts", Which::Alerts),
];

fn page(path: &str, pages: &Pages) -> Option<impl Future<Output = Result<Page, NoAnswer>>> {
    let (_, which) = PATHS.into_iter().find(|(there, _)| *there == path)?;
    Some(made(which, pages))
}

async fn made(which: Which, pages: &Pages) -> Result<Page, NoAnswer> {
    let wanted = match which {
        Which::Metrics if pages.endpoint_metrics > 0 => Detail::Full,
        Which::Live | Which::Ready | Which::Metrics | Which::Status | Which::Alerts => Detail::Brief,
    };
    let report = pages.inquiry.ask(wanted, PATIENCE).await?;
    Ok(match which {
        Which::Live => Page::text(StatusCode::OK, "ok"),
        Which::Ready => match &not_ready(&report)[..] {
            [] => Page::text(StatusCode::OK, "ready"),
            reasons => {
                let lines: Vec<_> = reasons.iter().map(ToString::to_string).collect();
                Page::text(StatusCode::SERVICE_UNAVAILABLE, &lines.join("\n"))
            }
        },
        Which::Metrics => Page::ok(metrics::CONTENT_TYPE, metrics(report, pages.endpoint_metrics)),
        Which::Status => Page::ok(JSON, status(&report) + "\n"),
        Which::Alerts => Page::ok(JSON, (pages.alerts)(&report) + "\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::{ApiId, SourceKind};
    use crate::model::report::{ApiReport, Reading, SourceReport, Turns};
    use crate::model::request::Endpoint;
    use crate::model::summary::{EndpointSummary, Summary};
    use crate::model::time::Timestamp;

    /// Of a daemon that is well.
    pub(super) fn report() -> Report {
        let now = Timestamp::from_millis(1_795_338_000_000);
        let api = ApiReport { name: "shop".into(), watched: true, requests: 5, failures: 1, alerts: 0 };
        let source = SourceReport {
            name: "/access/shop".into(),
            kind: SourceKind::Access(ApiId(0)),
            apis: vec![ApiId(0)],
            region: Some("eu-west-1".into()),
            role: None,
            reading: Reading { read_to: Some(now.minus(Duration::from_millis(2500))), trouble: None },
            events: 5,
            unread: vec![("not_recognised", 2)],
            own_lines: 7,
            tried: true,
        };
        Report {
            now,
            started: now.minus(Duration::from_mins(1)),
            counted_since: now.minus(Duration::from_hours(1)),
            apis: vec![api],
            sources: vec![source],
            unlisted: 0,
            discoveries: Vec::new(),
            summary: None,
            window: Duration::from_mins(5),
            firing: Vec::new(),
            dropped: crate::model::dropped::Dropped::default(),
            joins: Vec::new(),
            calls: Vec::new(),
            turns: Turns::default(),
            sinks: Vec::new(),
            reloads: crate::model::report::Reloads::default(),
        }
    }

    fn endpoint(route: &str, errors_5xx: u64) -> EndpointSummary {
        let endpoint = Endpoint::new("GET", route).into();
        let (p50_ms, cause) = (Some(20), None);
        EndpointSummary { api: ApiId(0), endpoint, count: 9, errors_5xx, p50_ms, p95_ms: None, p99_ms: None, cause }
    }

    #[test]
    fn metrics_are_named_with_units_and_bounded() {
        let routes = ["/a\"b", "/of/ada@example.com", "/of/bob@example.com", "/c"];
        let endpoints = routes.iter().zip([4, 3, 2, 1]).map(|(route, errors)| endpoint(route, errors)).collect();
        let summary = Some(Summary { endpoints, ..Summary::default() });
        let text = metrics(Report { summary, ..report() }, 3);
        let its = r#"source="/access/shop",kind="access",region="eu-west-1",role="""#;
        for line in [
            "# HELP gatewatch_source_lag_seconds How far a log group is read behind now",
            "# TYPE gatewatch_source_lag_seconds gauge",
            "# UNIT gatewatch_source_lag_seconds seconds",
            &format!("gatewatch_source_lag_seconds{{{its}}} 2.5"),
            &format!("gatewatch_source_own_lines_total{{{its}}} 7.0"),
            &format!("gatewatch_source_unread_lines_total{{{its},reason=\"not_recognised\"}} 2.0"),
            r#"gatewatch_requests_total{api="shop"} 5.0"#,
            r#"gatewatch_endpoint_failures{api="shop",method="GET",route="/a\"b"} 4.0"#,
            r#"gatewatch_endpoint_latency_seconds{api="shop",method="GET",route="/a\"b",quantile="0.5"} 0.02"#,
        ] {
            assert!(text.lines().any(|its| its == line), "no {line} in\n{text}");
        }
        // Of two that are one when they are masked the worse is told; the fourth is one too many.
        assert_eq!(text.matches("gatewatch_endpoint_requests{").count(), 2, "{text}");
        assert!(!text.contains("@example") && !text.contains("route=\"/c\"") && text.ends_with("# EOF\n"), "{text}");
        assert!(!metrics(report(), 3).contains("gatewatch_endpoint"), "nothing is told of what was not asked for");
    }

    #[test]
    fn a_status_has_all_keys() {
        let status: serde_json::Value = serde_json::from_str(&status(&report())).expect("JSON");
        assert_eq!((&status["v"], &status["ready"], &status["lag_s"]), (&1.into(), &true.into(), &2.5.into()));
        let source = &status["sources"][0];
        assert_eq!(
            (&source["own_lines"], &source["unread"], &source["apis"][0]),
            (&7.into(), &2.into(), &"shop".into())
        );
        assert!(source.as_object().expect("an object").contains_key("problem") && source["problem"].is_null());
        assert_eq!(status["started"], "2026-11-22T08:59:00.000Z");
    }
}
