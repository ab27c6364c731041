//! HTTP for the simulated services: connections, the choice of service, status lines and headers.
//!
//! Not the operations: `logs` and `sns` make the bodies and know nothing of hyper. Rule: whatever a client sends, it
//! gets an answer or a closed connection, and every task ends as soon as the simulation is told to stop.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{Answer, Outcome, Reply};
use super::{Service, dice::Dice, logs, sns};
use crate::model::time::Timestamp;

/// The largest request body read, in bytes: an SNS message of the largest size, every byte of it percent-encoded.
const BODY_BYTES_MAX: usize = 1_048_576;
/// How long to wait after a failed accept (mostly: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often a late answer looks at the clock of the simulation.
const CLOCK_PAUSE: Duration = Duration::from_millis(5);

/// The connection is to end without an answer, or in the middle of one.
#[derive(Debug, thiserror::Error)]
#[error("the simulation resets the connection")]
struct Reset;

/// The body of an answer, whole or cut.
struct Text {
    left: Option<Bytes>,
    /// Said in the header, whether so much comes or not.
    length: u64,
    cut: bool,
    /// What there is of a cut body has been asked to be sent.
    flushed: bool,
}

impl Body for Text {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        Poll::Ready(match self.left.take() {
            Some(bytes) => Some(Ok(Frame::data(bytes))),
            // hyper sends what it holds when a body is not ready, and throws it away when a body fails.
            None if self.cut && !self.flushed => {
                self.flushed = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            None if self.cut => Some(Err(Reset)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// Takes connections until told to stop. Each runs in a task of `tasks`.
pub(super) async fn accept(listener: TcpListener, service: Service, tasks: TaskTracker, stopping: CancellationToken) {
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, service.clone(), stopping.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the simulation cannot accept a connection");
                stopping.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, service: Service, stopping: CancellationToken) {
    // Pages are written in large pieces and small answers must not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY on a connection of the simulation");
    }
    let answering = service_fn(|request| respond(request, &service));
    let mut http = hyper::server::conn::http1::Builder::new();
    // The simulation has its own clock: `respond` writes the Date header.
    http.auto_date_header(false);
    // Answers take no time worth waiting for, so stopping cuts connections wherever they are.
    if let Some(Err(error)) = stopping.run_until_cancelled(http.serve_connection(TokioIo::new(stream), answering)).await
    {
        tracing::debug!(%error, "a connection of the simulation ended");
    }
}

async fn respond(request: Request<Incoming>, service: &Service) -> Result<Response<Text>, Reset> {
    let (head, body) = request.into_parts();
    let answer = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => answer(&head.method, &head.headers, &body.to_bytes(), service),
        Err(error) => Reply::logs_error(400, "RequestEntityTooLargeException", &error.to_string()).into(),
    };
    if !answer.after.is_zero() {
        // The simulation's clock may run fast or stand still: it is looked at instead of being guessed.
        let due = service.now().plus(answer.after);
        while service.now() < due {
            tokio::time::sleep(CLOCK_PAUSE).await;
        }
    }
    let (reply, cut) = match answer.outcome {
        Outcome::Reply(reply) => (reply, false),
        Outcome::Cut(reply) => (reply, true),
        Outcome::Reset => return Err(Reset),
        // The client hanging up, or the end of the simulation, drops this future.
        Outcome::Never => std::future::pending().await,
    };
    let id = Dice::new(service.state().count_answer()).uuid();
    Ok(response(reply, cut, &id, service.now()))
}

/// Finds the service a request is for and asks it.
fn answer(method: &Method, headers: &HeaderMap, body: &[u8], service: &Service) -> Answer {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if method != Method::POST {
        return Reply::logs_error(400, "UnknownOperationException", "only POST is simulated").into();
    }
    if let Some(operation) = text("x-amz-target").and_then(|target| target.strip_prefix(logs::TARGET)) {
        return service.answer(operation, body);
    }
    if text("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return sns::answer(&mut service.state().topics, body, service.now()).into();
    }
    Reply::logs_error(400, "UnknownOperationException", "neither CloudWatch Logs nor SNS").into()
}

fn response(reply: Reply, cut: bool, request_id: &str, now: Timestamp) -> Response<Text> {
    let mut bytes = Bytes::from(reply.body);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if cut {
        bytes.truncate(bytes.len() / 2);
    }
    let mut response = Response::new(Text { left: Some(bytes), length, cut, flushed: false });
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
