//! HTTP for the simulated services: connections, the choice of service, status lines and headers.
//!
//! Not the operations: `logs` and `sns` make the bodies and know nothing of hyper. Rule: whatever a client sends, it
//! gets an answer or a closed connection, and every task ends as soon as the simulation is told to stop.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Shared, dice::Dice, logs, sns};
use crate::model::time::Timestamp;

/// The largest request body read, in bytes: an SNS message of the largest size, every byte of it percent-encoded.
const BODY_BYTES_MAX: usize = 1_048_576;
/// How long to wait after a failed accept (mostly: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a service says to one request.
pub(super) enum Answer {
    Reply(Reply),
    /// Nothing, ever: the connection hangs.
    Never,
}

/// An answer's status and body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    content_type: &'static str,
    /// The error code, for the header `x-amzn-errortype`.
    pub(super) error: Option<&'static str>,
    pub(super) body: String,
}

impl Reply {
    /// A good answer of CloudWatch Logs.
    pub(super) fn logs(body: String) -> Self {
        Self { status: 200, content_type: "application/x-amz-json-1.1", error: None, body }
    }

    /// An error of CloudWatch Logs.
    pub(super) fn logs_error(status: u16, code: &'static str, message: &str) -> Self {
        let body = serde_json::json!({ "__type": code, "message": message }).to_string();
        Self { status, error: Some(code), ..Self::logs(body) }
    }

    /// An answer of SNS, good or bad.
    pub(super) fn xml(status: u16, body: String) -> Self {
        Self { status, content_type: "text/xml", error: None, body }
    }
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection hung until the end")]
struct Hung;

/// Takes connections until told to stop. Each runs in a task of `tasks`.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stopping: CancellationToken,
) {
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, Arc::clone(&shared), stopping.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the simulation cannot accept a connection");
                stopping.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, stopping: CancellationToken) {
    // Pages are written in large pieces and small answers must not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY on a connection of the simulation");
    }
    let service = service_fn(|request| respond(request, &shared));
    let mut http = hyper::server::conn::http1::Builder::new();
    // The simulation has its own clock: `respond` writes the Date header.
    http.auto_date_header(false);
    // Answers take no time worth waiting for, so stopping cuts connections wherever they are.
    if let Some(Err(error)) = stopping.run_until_cancelled(http.serve_connection(TokioIo::new(stream), service)).await {
        tracing::debug!(%error, "a connection of the simulation ended");
    }
}

async fn respond(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>, Hung> {
    let (head, body) = request.into_parts();
    let reply = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => match answer(&head.method, &head.headers, &body.to_bytes(), shared) {
            Answer::Reply(reply) => reply,
            // The client hanging up, or the end of the simulation, drops this future.
            Answer::Never => std::future::pending().await,
        },
        Err(error) => Reply::logs_error(400, "RequestEntityTooLargeException", &error.to_string()),
    };
    let id = {
        let mut state = shared.state();
        state.answers += 1;
        Dice::new(state.answers).uuid()
    };
    Ok(response(reply, &id, (shared.now)()))
}

/// Finds the service a request is for and asks it.
fn answer(method: &Method, headers: &HeaderMap, body: &[u8], shared: &Shared) -> Answer {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = (shared.now)();
    if method != Method::POST {
        return Answer::Reply(Reply::logs_error(400, "UnknownOperationException", "only POST is simulated"));
    }
    if let Some(operation) = text("x-amz-target").and_then(|target| target.strip_prefix(logs::TARGET)) {
        return logs::answer(&mut shared.state(), operation, body, now);
    }
    if text("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Answer::Reply(sns::answer(&mut shared.state().topics, body, now));
    }
    Answer::Reply(Reply::logs_error(400, "UnknownOperationException", "neither CloudWatch Logs nor SNS"))
}

fn response(reply: Reply, request_id: &str, now: Timestamp) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).expect("the services use known status codes");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if let Some(error) = reply.error {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(error));
    }
    let mut insert = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    insert(hyper::header::HeaderName::from_static("x-amzn-requestid"), request_id);
    if let Ok(date) = jiff::Timestamp::from_millisecond(now.as_millis()) {
        insert(DATE, &date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    }
    response
}
