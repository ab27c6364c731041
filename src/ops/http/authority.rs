//! Whom a request says that it is for: its `Host`.
//!
//! A page in a browser on this machine may have a name that now leads here (DNS rebinding), and would read the answers
//! as its own. Its requests bear that name. Not who asks: nobody is asked that. Rule: a listener for this machine alone
//! answers to its addresses and to `localhost`, and to no other name.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::HOST;
use hyper::http::uri::Authority;

/// What is said to who asks by another name.
pub(super) const MISDIRECTED: &str = "this is for this machine alone: ask by IP address or as localhost";

/// Whether a request may be for a listener of this machine alone: it names an IP address or `localhost`, with any port, or
/// nothing, which no browser does (RFC 9112, section 3.2).
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    headers.get_all(HOST).iter().all(|host| {
        host.is_empty() || Authority::try_from(host.as_bytes()).is_ok_and(|authority| names_local(authority.host()))
    })
}

fn names_local(host: &str) -> bool {
    // An address of IPv6 stands in brackets here and nowhere else.
    host.eq_ignore_ascii_case("localhost") || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn only_an_address_or_localhost_is_this_machine() {
        let is_local = |hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_static(host));
            }
            is_local(&headers)
        };
        for host in
            ["127.0.0.1", "127.0.0.1:9502", "10.0.0.1:80", "[::1]", "[::1]:9502", "localhost", "LocalHost:1", ""]
        {
            assert!(is_local(&[host]), "{host}");
        }
        assert!(is_local(&[]), "no browser does that");
        for host in ["evil.example", "evil.example:9502", "localhost.evil.example", "127.0.0.1.nip.io", "a b", "user@x"]
        {
            assert!(!is_local(&[host]), "{host}");
        }
        assert!(!is_local(&["localhost", "evil.example"]));
    }
}
