//! Health and metrics of the daemon, and the command that asks for them.
//!
//! Rule: whoever asks needs nothing but the address: no credentials, no Region, no state.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::config::HttpConfig;
use crate::model::json::{VERSION, line};
use crate::model::report::Report;
use crate::notify::json;
use crate::notify::origin::Origin;
use crate::ops::http::{Pages, get};
use crate::ops::inquiry::Inquiry;
use crate::ops::{ecs, host};

/// Whoever asks is asked himself within five seconds, by default, in ECS.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the listener tells.
#[must_use]
pub fn pages(config: &HttpConfig, inquiry: Inquiry) -> Pages {
    Pages { inquiry, endpoint_metrics: config.endpoint_metrics, alerts }
}

/// The alerts that fire, as one `alerts` object that holds `alert` objects. They are no messages, so `reason` and `seq`
/// are null.
#[must_use]
pub fn alerts(report: &Report) -> String {
    #[derive(serde::Serialize)]
    struct Page<'a> {
        v: u8,
        r#type: &'a str,
        time: String,
        alerts: Vec<Box<serde_json::value::RawValue>>,
    }
    let origin = Origin { host: host::name(), task: ecs::task() };
    let firing = report.firing.iter().map(|alert| {
        let api = report.apis.get(alert.key.api.index()).map_or_else(|| "?".into(), |api| api.name.clone());
        json::firing(alert, &api, &origin)
    });
    let alerts = firing.filter_map(|object| serde_json::value::RawValue::from_string(object).ok()).collect();
    line(&Page { v: VERSION, r#type: "alerts", time: report.now.to_string(), alerts })
}

/// Where the listener of this machine is asked.
#[must_use]
pub fn url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

/// Asks whether the daemon lives, or with `ready` whether it does its work.
///
/// # Errors
/// One line that says that it does not, or that nobody answers.
pub async fn check(url: &str, ready: bool) -> Result<String, String> {
    let url = format!("{}/{}", url.trim_end_matches('/'), if ready { "readyz" } else { "livez" });
    match get(&url, PATIENCE).await {
        Ok((200, body)) => Ok(format!("{}: {url}", body.trim())),
        Ok((status, body)) => {
            let lines: Vec<_> = body.lines().take(5).collect();
            Err(format!("{url} answers {status}: {}", lines.join("; ")))
        }
        Err(error) => Err(format!("{url}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_this_machine() {
        let url = |listen: &str| url(listen.parse().unwrap());
        assert_eq!(url("127.0.0.1:9502"), "http://127.0.0.1:9502");
        assert_eq!(url("0.0.0.0:80"), "http://127.0.0.1:80");
        assert_eq!(url("[::]:9502"), "http://[::1]:9502");
        assert_eq!(url("10.1.2.3:9502"), "http://10.1.2.3:9502");
    }
}
