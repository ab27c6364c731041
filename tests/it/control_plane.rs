//! A control plane that answers as it is told, in the shapes of AWS: for what moto cannot do.
//!
//! Pages, throttling, refusals, functions with a logging configuration. It knows nothing: a test gives an answer for each
//! call. Rule: what a call is told by is what goes over the wire, so a wrong path or a token that is not passed on shows.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::sns_proxy::read_request;

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// `GET /restapis`.
    pub(crate) what: String,
    /// Names and values, in order.
    pub(crate) query: Vec<(String, String)>,
    /// The Region that it was signed for.
    pub(crate) region: String,
}

impl Call {
    /// A value of the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// JSON.
    Is(Value),
    /// Status, error code and message.
    Error(u16, &'static str, String),
}

type Script = Box<dyn FnMut(&Call) -> Answer + Send>;

/// Dropping it ends it.
pub(crate) struct ControlPlane {
    endpoint: String,
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

struct Desk {
    script: Mutex<Script>,
    calls: Mutex<Vec<Call>>,
}

impl ControlPlane {
    /// Answers each call with what `script` says, but `GetCallerIdentity`, which it knows: XML, and always the same.
    pub(crate) async fn answering(script: impl FnMut(&Call) -> Answer + Send + 'static) -> Self {
        let desk = Arc::new(Desk { script: Mutex::new(Box::new(script)), calls: Mutex::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port can be bound");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound port has an address"));
        let task = tokio::spawn({
            let desk = Arc::clone(&desk);
            async move {
                // Tasks of connections end with this one.
                let mut served = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let desk = Arc::clone(&desk);
                    served.spawn(async move {
                        // A caller that gives up breaks its connection.
                        let _ = desk.serve(stream).await;
                    });
                }
            }
        });
        Self { endpoint, desk, task }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// All calls so far but `GetCallerIdentity`, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.desk.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    /// One request on one connection, which then ends.
    async fn serve(&self, mut caller: TcpStream) -> std::io::Result<()> {
        let (head, body) = read_request(&mut caller).await?;
        let (status, code, kind, text) = if body.starts_with(b"Action=GetCallerIdentity") {
            (200, None, "text/xml", IDENTITY.to_owned())
        } else {
            let call = call(&head);
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
            let answer = (self.script.lock().unwrap_or_else(PoisonError::into_inner))(&call);
            match answer {
                Answer::Is(value) => (200, None, "application/json", value.to_string()),
                Answer::Error(status, code, message) => {
                    let text = serde_json::json!({ "message": message }).to_string();
                    (status, Some(code), "application/json", text)
                }
            }
        };
        let code = code.map(|code| format!("x-amzn-errortype: {code}\r\n")).unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\n{code}Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        caller.write_all(answer.as_bytes()).await
    }
}

const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                        <Arn>arn:aws:iam::111122223333:user/ann</Arn><UserId>AIDA</UserId><Account>111122223333</Account>\
                        </GetCallerIdentityResult></GetCallerIdentityResponse>";

/// From a request's head.
fn call(head: &str) -> Call {
    let mut first = head.lines().next().unwrap_or_default().split(' ');
    let (verb, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path: String =
        form_urlencoded::parse(path.replace('+', "%2B").as_bytes()).map(|(path, _)| path.into_owned()).collect();
    // Authorization: AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ..
    let region = head.split_once("Credential=").and_then(|(_, scope)| scope.split('/').nth(2)).unwrap_or_default();
    Call {
        what: format!("{verb} {path}"),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        region: region.to_owned(),
    }
}
