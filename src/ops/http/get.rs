//! One GET of this machine or this container's host, without anything that a request to the world needs.
//!
//! Not for AWS or webhooks: no TLS, no proxy, no redirect. Rule: it ends in time, and reads so much and no more.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::model::text::{chain, cut};

/// Bytes of an answer.
const ANSWER_MAX: usize = 1024 * 1024;

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The address itself.
    #[error("`{0}` is no address of the kind http://HOST:PORT/PATH")]
    Address(String),
    /// Nobody is there, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// It takes too long.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
}

/// Asks, and waits so long at most. Returns the status and the body.
///
/// # Errors
/// When there is no answer.
pub async fn get(url: &str, patience: Duration) -> Result<(u16, String), GetError> {
    let wrong = || GetError::Address(cut(url, 200).to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(wrong)?;
    // An address of IPv6 stands in brackets here and nowhere else.
    let host = authority.host().trim_matches(['[', ']']);
    let port = authority.port_u16().unwrap_or(80);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let asking = async {
        let broken = |e: &dyn std::error::Error| GetError::Connection(chain(e));
        let stream = TcpStream::connect((host, port)).await.map_err(|e| broken(&e))?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|e| broken(&e))?;
        let request = Request::get(path).header(HOST, authority.as_str()).body(Empty::<Bytes>::new());
        let request = request.map_err(|_| wrong())?;
        let answer = async {
            let answer = sender.send_request(request).await.map_err(|e| broken(&e))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
            let body = body.map_err(|e| broken(&*e))?.to_bytes();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        // The connection moves only while somebody waits for it; that it ends is seen by whoever waits for the answer.
        let (answer, _) = tokio::join!(answer, connection);
        answer
    };
    tokio::time::timeout(patience, asking).await.unwrap_or(Err(GetError::Late(patience)))
}
