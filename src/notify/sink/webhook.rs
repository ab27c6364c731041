//! A webhook as a sink: the JSON of a message, by HTTP POST.
//!
//! Not a client of any one service: whoever answers 2xx has the message. The address may hold a token, and headers do:
//! neither is ever shown, nor what a service echoes of them. Rule: a service is known in logs, in the journal and on the
//! command line by its [`WebhookSettings::name`] alone.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use xxhash_rust::xxh3::xxh3_64;

use super::secret::Secret;
use super::{Class, Deliver, SendError};
use crate::model::secrets::mask;
use crate::model::text::{chain, cut, printable};
use crate::notify::json;
use crate::notify::message::Message;
use crate::notify::origin::Origin;

/// How long a service may take for its whole answer, unless it is set.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a refusal that are read.
const REFUSAL_READ_MAX: usize = 4096;
/// Bytes of a refusal that are shown.
const REFUSAL_SHOWN_MAX: usize = 200;
/// Shorter pieces of an address or of a header are words, not tokens.
const TOKEN_MIN: usize = 8;
/// Headers that are not for whoever configures: what a request is made of.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "idempotency-key", "user-agent"];

/// Where a webhook is, and what it wants to see.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    address: Address,
    headers: Vec<(HeaderName, Secret)>,
    timeout: Duration,
}

/// Where it is, as far as it is configured.
#[derive(Clone, PartialEq, Eq)]
enum Address {
    Known(Url),
    Elsewhere { place: Secret, insecure: bool },
}

/// It may be printed: tokens stay out.
impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let mut out = f.debug_struct("WebhookSettings");
        out.field("name", &self.name()).field("headers", &names).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl WebhookSettings {
    /// A webhook at an address; `insecure` allows one without TLS on another machine. An address `env:NAME` is taken from
    /// the environment, `file:/path` from a file, `credential:NAME` from a credential of the systemd unit.
    ///
    /// # Errors
    /// What is wrong with the address, without the address.
    pub fn new(url: &str, insecure: bool) -> Result<Self, String> {
        let address = match Secret::parse(url, "the url")? {
            Secret::Plain(url) => Address::Known(checked(&url, insecure)?),
            place @ (Secret::Env(_) | Secret::File(_) | Secret::Credential(_)) => {
                Address::Elsewhere { place, insecure }
            }
        };
        Ok(Self { address, headers: Vec::new(), timeout: TIMEOUT })
    }

    /// The same with another timeout.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same with one more header; its value may stand where an address may.
    ///
    /// # Errors
    /// What is wrong with the name or the value, without the value.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, String> {
        let wrong = || format!("`{name}` is no name of a header");
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        if OWN_HEADERS.contains(&header.as_str()) {
            return Err(format!("the header `{name}` is set by gatewatch"));
        }
        if self.headers.iter().any(|(other, _)| *other == header) {
            return Err(format!("the header `{name}` is given twice"));
        }
        let value = Secret::parse(value, &format!("the header `{name}`"))?;
        if let Secret::Plain(text) = &value {
            HeaderValue::from_str(text).map_err(|_| no_value(name))?;
        }
        self.headers.push((header, value));
        Ok(self)
    }

    /// `https://example.com~3f9a1c`: scheme, host, port if it is not the usual one, and a hash of the address that keeps
    /// two on one host apart. For an address that is not in the configuration, the place where it stands. The same at each
    /// start.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.address {
            Address::Known(url) => {
                let hash = xxh3_64(url.as_str().as_bytes()) & 0x00ff_ffff;
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                format!("{}://{}{port}~{hash:06x}", url.scheme(), url.host_str().unwrap_or_default())
            }
            Address::Elsewhere { place, .. } => place.place().unwrap_or_default(),
        }
    }

    /// The address; reads the environment and files.
    fn read_address(&self) -> Result<Url, String> {
        match &self.address {
            Address::Known(url) => Ok(url.clone()),
            Address::Elsewhere { place, insecure } => {
                let wrong = |e| format!("the url that comes from {} is none to use: {e}", self.name());
                checked(&place.read("the url")?, *insecure).map_err(wrong)
            }
        }
    }

    /// The headers with their values; reads the environment and files.
    fn read_headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let text = value.read(&format!("the header `{name}`"))?;
            let mut value = HeaderValue::from_str(&text).map_err(|_| no_value(name.as_str()))?;
            if value.is_empty() {
                return Err(format!("the header `{name}` is empty"));
            }
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

/// An address that alerts may be sent to.
fn checked(url: &str, insecure: bool) -> Result<Url, String> {
    // The reader of addresses takes line ends out and says nothing.
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("an address is one line without blanks, such as \"https://example.com/hook\"".to_owned());
    }
    let url = Url::parse(url).map_err(|e| format!("{e}: an address looks like \"https://example.com/hook\""))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if insecure || is_loopback(&url) => Ok(url),
        "http" => {
            let how = "use https, or set insecure = true if that is meant";
            Err(format!("http sends alerts and tokens in the clear to another machine: {how}"))
        }
        other => Err(format!("{other} is no scheme of a webhook: use https")),
    }
}

fn no_value(name: &str) -> String {
    format!("the header `{name}` has a value that HTTP cannot carry: one line of printable ASCII")
}

/// What is sent there stays on this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// A webhook.
pub struct Webhook {
    client: Client,
    url: Url,
    settings: WebhookSettings,
    origin: Origin,
    /// What is never shown, even if a service says it.
    tokens: Vec<String>,
}

/// As [`WebhookSettings`] is printed.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Reads its address and the values of its headers where they stand elsewhere. Connects to nothing.
    ///
    /// # Errors
    /// A value that cannot be read, or no roots of trust on this machine.
    pub fn new(settings: WebhookSettings, origin: Origin) -> Result<Self, String> {
        let url = settings.read_address()?;
        let headers = settings.read_headers()?;
        let tokens = tokens(&url, &headers);
        let agent = concat!("gatewatch/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder().user_agent(agent).default_headers(headers).timeout(settings.timeout);
        let client = client.redirect(Policy::none());
        // What the environment says about proxies is about other machines.
        let client = if is_loopback(&url) { client.no_proxy() } else { client };
        let client = client.build().map_err(|e| format!("no HTTPS client: {}", chain(&e)))?;
        Ok(Self { client, url, settings, origin, tokens })
    }

    /// Why a request had no answer.
    fn no_answer(&self, e: reqwest::Error) -> SendError {
        let e = e.without_url();
        let name = self.settings.name();
        if e.is_timeout() {
            let limit = self.settings.timeout.as_secs_f32();
            return SendError::again(format!("webhook {name}: no answer within {limit} s"));
        }
        if e.is_builder() {
            return SendError::never(format!("webhook {name}: {}", self.plain(&chain(&e))));
        }
        let advice = if e.is_connect() { "; check its url, the network, and the proxy if there is one" } else { "" };
        SendError::again(format!("webhook {name}: {}{advice}", self.plain(&chain(&e))))
    }

    /// Why an answer is no delivery.
    async fn refusal(&self, response: Response) -> SendError {
        let status = response.status();
        let class = class(status, response.headers());
        let words = first_words(response).await;
        let said = self.plain(&words);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let advice = match status.as_u16() {
            300..=399 => "; redirects are not followed: set url to the address it leads to",
            401 | 403 => "; check the token in its url or headers",
            404 | 410 => "; check its url",
            _ => "",
        };
        SendError { class, text: format!("webhook {} answered {status}{said}{advice}", self.settings.name()) }
    }

    /// A service's words without tokens, on one line, cut.
    fn plain(&self, said: &str) -> String {
        let mut text = said.to_owned();
        for token in &self.tokens {
            text = text.replace(token, "***");
        }
        let line = printable(&mask(&text)).split_whitespace().collect::<Vec<_>>().join(" ");
        if line.len() <= REFUSAL_SHOWN_MAX { line } else { format!("{}..", cut(&line, REFUSAL_SHOWN_MAX)) }
    }
}

impl Deliver for Webhook {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        let request = self.client.post(self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/json").header("idempotency-key", key(message));
        let response = request.body(json::render(message, &self.origin)).send().await;
        let response = response.map_err(|e| self.no_answer(e))?;
        if response.status().is_success() { Ok(()) } else { Err(self.refusal(response).await) }
    }
}

/// Episode, seq and state: a message that is sent again says so, whatever sink it goes through.
fn key(message: &Message) -> String {
    let state = match message {
        Message::Alert(m) => m.alert.state.word(),
        Message::Digest(digest) => digest.state.word(),
        Message::Notice(_) => "notice",
        Message::Test(_) => "test",
    };
    let key = format!("{}-{}-{state}", message.episode(), message.seq());
    key.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect()
}

/// Which answers pass by themselves.
fn class(status: StatusCode, headers: &HeaderMap) -> Class {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if headers.contains_key(RETRY_AFTER) => {
            Class::Throttled { after: retry_after(headers) }
        }
        StatusCode::TOO_MANY_REQUESTS => Class::Throttled { after: None },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Class::Again,
        status if status.is_server_error() => Class::Again,
        _ => Class::Never,
    }
}

/// How long to wait: seconds, or a time, which is compared with the service's own clock. Source: RFC 9110, 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp());
    let (at, now) = (time(text)?, time(headers.get(DATE)?.to_str().ok()?)?);
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// The beginning of a body; what cannot be read of it is left out.
async fn first_words(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < REFUSAL_READ_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(REFUSAL_READ_MAX - bytes.len())]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is secret in an address and in headers: the whole, and each piece of it that looks like a token.
fn tokens(url: &Url, headers: &HeaderMap) -> Vec<String> {
    let mut tokens = vec![url.as_str().to_owned()];
    tokens.extend(url.password().map(str::to_owned));
    tokens.extend(url.path().split('/').map(str::to_owned));
    tokens.extend(url.query().into_iter().flat_map(|query| query.split(['&', '='])).map(str::to_owned));
    for value in headers.values().filter_map(|value| value.to_str().ok()) {
        tokens.push(value.to_owned());
        tokens.extend(value.split(' ').map(str::to_owned));
    }
    tokens.retain(|token| token.len() >= TOKEN_MIN);
    // The longest first: a piece of it must not hide the rest.
    tokens.sort_by_key(|token| std::cmp::Reverse(token.len()));
    tokens
}

#[cfg(test)]
mod tests;
