//! A webhook against a service on this machine: what is sent, and what becomes of each answer.

use std::convert::Infallible;
use std::fs;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;
use crate::model::time::Timestamp;
use crate::notify::message::Test;

/// What is answered: status, headers, body.
type Answer = (u16, Vec<(&'static str, String)>, String);

/// A request as it came.
#[derive(Clone, Debug)]
struct Came {
    line: String,
    headers: HeaderMap,
    body: String,
}

/// A service that answers each request the same way; `None` never answers.
struct Service {
    address: String,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Service {
    async fn start(answer: Option<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let came = Arc::<Mutex<Vec<Came>>>::default();
        let noted = Arc::clone(&came);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, answer) = (Arc::clone(&noted), answer.clone());
                let serve = service_fn(move |request: Request<Incoming>| {
                    let (noted, answer) = (Arc::clone(&noted), answer.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
                        let line = format!("{} {}", head.method, head.uri);
                        noted.lock().unwrap().push(Came { line, headers: head.headers, body });
                        let Some((status, headers, body)) = answer else { return std::future::pending().await };
                        let mut response = Response::builder().status(status);
                        for (name, value) in headers {
                            response = response.header(name, value);
                        }
                        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), serve));
            }
        });
        Self { address, came }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks/t0ken-of-a-hook?key=an0ther-token", self.address)
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

fn message() -> Message {
    let time = Timestamp::from_millis(1_785_231_944_443);
    Message::Test(Box::new(Test { time, episode: "test-1".into() }))
}

fn settings(url: &str) -> WebhookSettings {
    WebhookSettings::new(url, false).unwrap()
}

async fn deliver(settings: WebhookSettings) -> Result<(), SendError> {
    Webhook::new(settings, Origin::default()).unwrap().deliver(&message()).await
}

/// What becomes of an answer.
async fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<(), SendError> {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let service = Service::start(Some((status, headers, body.to_owned()))).await;
    let outcome = deliver(settings(&service.url())).await;
    assert_eq!(service.came().len(), 1, "one request for each try");
    outcome
}

#[tokio::test]
async fn a_message_is_posted_as_json_and_known_by_its_key() {
    let service = Service::start(Some((204, Vec::new(), String::new()))).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "Bearer s3cret\n").unwrap();
    let settings = settings(&service.url()).with_header("X-Team", "shop").unwrap();
    let settings = settings.with_header("Authorization", &format!("file:{}", token.display())).unwrap();
    let settings = settings.with_header("x-path", "env:PATH").unwrap();
    let mut webhook = Webhook::new(settings, Origin::default()).unwrap();
    webhook.deliver(&message()).await.unwrap();
    // Read once: a secret that is gone later is no lost alert.
    fs::remove_file(&token).unwrap();
    webhook.deliver(&message()).await.unwrap();
    let came = service.came();
    assert_eq!(came.len(), 2);
    for came in came {
        assert_eq!(came.line, "POST /hooks/t0ken-of-a-hook?key=an0ther-token");
        let header = |name: &str| came.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        assert_eq!(header("idempotency-key").as_deref(), Some("test-1-1-test"));
        assert_eq!(header("user-agent").unwrap(), format!("gatewatch/{}", Origin::VERSION));
        assert_eq!(header("authorization").as_deref(), Some("Bearer s3cret"));
        assert_eq!((header("x-team"), header("x-path")), (Some("shop".to_owned()), std::env::var("PATH").ok()));
        let body: serde_json::Value = serde_json::from_str(&came.body).unwrap();
        assert_eq!((&body["v"], &body["kind"]), (&1.into(), &"test".into()));
    }
    assert!(!format!("{webhook:?}").contains("s3cret") && !format!("{webhook:?}").contains("t0ken"));
}

#[tokio::test]
async fn each_status_has_its_class() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(answered(status, &[], "").await, Ok(()), "{status}");
    }
    for status in [408, 425, 500, 502, 503, 504, 599] {
        assert_eq!(answered(status, &[], "").await.unwrap_err().class, Class::Again, "{status}");
    }
    for status in [301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422] {
        assert_eq!(answered(status, &[], "").await.unwrap_err().class, Class::Never, "{status}");
    }
    assert_eq!(answered(429, &[], "").await.unwrap_err().class, Class::Throttled { after: None });
}

#[tokio::test]
async fn a_service_says_how_long_to_wait_in_seconds_or_as_a_time() {
    let after = async |status, headers: &[(&'static str, &str)]| match answered(status, headers, "").await {
        Err(SendError { class: Class::Throttled { after }, .. }) => after.map(|d| d.as_secs()),
        other => panic!("{other:?}"),
    };
    assert_eq!(after(429, &[("retry-after", "7")]).await, Some(7));
    assert_eq!(after(503, &[("retry-after", " 120 ")]).await, Some(120));
    let date = ("date", "Sun, 22 Nov 2026 22:00:00 GMT");
    assert_eq!(after(429, &[date, ("retry-after", "Sun, 22 Nov 2026 22:01:30 GMT")]).await, Some(90));
    assert_eq!(after(429, &[date, ("retry-after", "Sun, 22 Nov 2026 21:00:00 GMT")]).await, Some(0));
    assert_eq!(after(429, &[date, ("retry-after", "soon")]).await, None);
}

#[tokio::test]
async fn a_refusal_is_told_in_its_first_words_without_tokens() {
    let body = format!("no\u{1b}[31m\r\nhook t0ken-of-a-hook\n  password=hunter22 {}", "x".repeat(5000));
    let error = answered(403, &[], &body).await.unwrap_err();
    assert!(error.text.starts_with("webhook http://127.0.0.1:"), "{error}");
    assert!(error.text.contains("answered 403 Forbidden: no [31m hook *** password=*** xxx"), "{error}");
    assert!(error.text.ends_with("xx..; check the token in its url or headers"), "{error}");
    assert!(error.text.len() < 400 && !error.text.chars().any(char::is_control), "{error}");
    let error = answered(307, &[("location", "http://127.0.0.1:1/t0ken-of-a-hook")], "").await.unwrap_err();
    assert!(error.text.contains("answered 307 Temporary Redirect; redirects are not followed"), "{error}");
    assert!(!error.text.contains("t0ken"), "{error}");
}

#[tokio::test]
async fn no_answer_in_time_and_no_service_may_pass() {
    let service = Service::start(None).await;
    let error = deliver(settings(&service.url()).with_timeout(Duration::from_millis(200))).await.unwrap_err();
    assert_eq!(error.class, Class::Again);
    assert!(error.text.ends_with(": no answer within 0.2 s"), "{error}");
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = deliver(settings(&format!("http://{address}/t0ken-of-a-hook"))).await.unwrap_err();
    assert_eq!(error.class, Class::Again);
    let said = error.text.to_lowercase();
    assert!(said.contains("refused") && said.contains("check its url") && !said.contains("t0ken"), "{error}");
}

#[test]
fn a_secret_that_cannot_be_read_is_said_before_anything_starts() {
    let open = |value: &str| {
        let settings = settings("https://example.com/").with_header("Authorization", value).unwrap();
        Webhook::new(settings, Origin::default()).map(|_| ()).unwrap_err()
    };
    let message = open("env:NO_SUCH_VARIABLE_OF_GATEWATCH");
    assert_eq!(message, "the header `authorization` is to come from $NO_SUCH_VARIABLE_OF_GATEWATCH, which is not set");
    let message = open("file:/no/such/token");
    assert!(message.contains("/no/such/token, which cannot be read: No such file"), "{message}");
    let folder = tempfile::tempdir().unwrap();
    for (content, part) in
        [("\n", "is empty"), ("a\nb", "HTTP cannot carry"), (&"x".repeat(9000)[..], "longer than 8192")]
    {
        let path = folder.path().join("token");
        fs::write(&path, content).unwrap();
        let message = open(&format!("file:{}", path.display()));
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn an_address_may_stand_elsewhere_and_is_known_by_its_place() {
    let service = Service::start(Some((401, Vec::new(), "what is an0ther-token?".to_owned()))).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hook-url");
    let place = format!("file:{}", path.display());
    let settings = settings(&place);
    let missing = Webhook::new(settings.clone(), Origin::default()).unwrap_err();
    assert!(missing.starts_with(&format!("the url is to come from {}, which", path.display())), "{missing}");
    fs::write(&path, format!("{}\n", service.url())).unwrap();
    let mut webhook = Webhook::new(settings.clone(), Origin::default()).unwrap();
    let refused = webhook.deliver(&message()).await.unwrap_err();
    assert_eq!(service.came()[0].line, "POST /hooks/t0ken-of-a-hook?key=an0ther-token");
    let want =
        format!("webhook {place} answered 401 Unauthorized: what is ***?; check the token in its url or headers");
    assert_eq!(refused.text, want);
    assert!(!format!("{webhook:?}").contains("oken"), "{webhook:?}");
    // Another secret is the same sink: what waits for it is kept by its name.
    assert_eq!(settings.name(), place);
    for (content, part) in [
        ("http://example.com/t0ken", "insecure = true"),
        ("t0ken", "relative URL"),
        ("", "relative URL"),
        ("https://example.com/t0ken\nhttps://example.com/", "one line"),
    ] {
        fs::write(&path, content).unwrap();
        let message = Webhook::new(settings.clone(), Origin::default()).map(|_| ()).unwrap_err();
        assert!(message.starts_with(&format!("the url that comes from {place} is none to use: ")), "{message}");
        assert!(message.contains(part) && !message.contains("t0ken"), "{message}");
    }
}

#[test]
fn only_this_machine_may_be_spoken_to_in_the_clear() {
    for url in ["http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:9/x", "https://example.com/x"] {
        assert!(WebhookSettings::new(url, false).is_ok(), "{url}");
    }
    for url in ["http://example.com/x", "http://10.0.0.1/x", "http://localhost.example.com/", "http://[::2]/"] {
        assert!(WebhookSettings::new(url, false).unwrap_err().contains("insecure = true"), "{url}");
        assert!(WebhookSettings::new(url, true).is_ok(), "{url}");
    }
    assert!(WebhookSettings::new("/hooks/t0ken", true).is_err_and(|e| !e.contains("t0ken")));
    let a = settings("https://user:pass@example.com/a");
    assert!(a.name().starts_with("https://example.com~") && a.name() != settings("https://example.com/a").name());
}
