//! Masking what is about persons: addresses of mail and of the Internet.
//!
//! Not credentials, which are `secrets`, and not names: a user name in an ARN is the operator's own. Private addresses
//! stay, because they are how one finds a database. Rule: a pass over the text, whatever it holds; an address
//! that stands by itself goes.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::borrow::Cow;
use std::ops::Range;

/// Stands in place of an address of mail.
const MAIL: &str = "[email]";
/// Stands in place of a public IP address.
const IP: &str = "[ip]";

/// Text without addresses of mail and without public IP addresses.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let without_mail = replace(text, &mails(text), MAIL);
    match without_mail {
        Cow::Borrowed(text) => replace(text, &ips(text), IP),
        Cow::Owned(text) => Cow::Owned(replace(&text, &ips(&text), IP).into_owned()),
    }
}

/// The text with `by` in place of these parts, which are in order and apart.
fn replace<'a>(text: &'a str, parts: &[Range<usize>], by: &str) -> Cow<'a, str> {
    if parts.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for part in parts {
        out.push_str(&text[from..part.start]);
        out.push_str(by);
        from = part.end;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Where addresses of mail stand: something, `@` (or `%40`, as in a URL), and a name with a dot and letters behind it.
fn mails(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut free = 0;
    let mut next = 0;
    while let Some((at, sign)) = sign(text, next) {
        next = at + sign;
        let is_local = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '%' | '\'' | '=' | '!');
        let local = text[free..at].chars().rev().take_while(|c| is_local(*c)).map(char::len_utf8).sum::<usize>();
        // An apostrophe before it is a quotation mark.
        let quoted = text[at - local..at].len() - text[at - local..at].trim_start_matches('\'').len();
        let is_domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
        let domain = text[next..].find(|c| !is_domain(c)).map_or(&text[next..], |end| &text[next..next + end]);
        let domain = domain.trim_end_matches(['.', '-']);
        // What was looked at belongs to no further address.
        free = next + domain.len();
        next = free;
        if local > quoted && is_host(domain) {
            found.push(at - local + quoted..free);
        }
    }
    found
}

/// The next sign between the parts of an address, and its length.
fn sign(text: &str, from: usize) -> Option<(usize, usize)> {
    let rest = &text[from..];
    let mut candidates = rest.match_indices(['@', '%']);
    let (at, found) = candidates.find(|(at, found)| *found == "@" || rest[*at..].starts_with("%40"))?;
    Some((from + at, if found == "@" { 1 } else { 3 }))
}

/// `example.com`, and not `4.17.21` or `localhost`.
fn is_host(domain: &str) -> bool {
    let Some((name, top)) = domain.rsplit_once('.') else { return false };
    !name.is_empty() && top.chars().count() >= 2 && top.chars().all(|c| c.is_alphabetic() || c == '-')
}

/// Where public IP addresses stand.
fn ips(text: &str) -> Vec<Range<usize>> {
    let is_of_ip = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':');
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = bytes[at..].iter().take_while(|b| is_of_ip(b)).count();
        // Part of a word, such as the `e::Ba` in `Mode::Base`, is no address.
        let of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let open = |run: &Range<usize>| {
            !of_word(text[..run.start].chars().next_back()) && !of_word(text[run.end..].chars().next())
        };
        found.extend(ips_of_run(text, at..at + len).into_iter().filter(open));
        // At a character that is part of none, and of more than one byte perhaps.
        at += len;
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    found
}

/// Those in a run of characters that addresses are made of.
fn ips_of_run(text: &str, run: Range<usize>) -> Vec<Range<usize>> {
    let part = |from: usize, piece: &str| run.start + from..run.start + from + piece.len();
    let whole = &text[run.clone()];
    // The longest address of version 6 has 45 characters; a full stop or colon of the sentence may stand around it.
    let ended = whole.trim_end_matches('.');
    let ended = if ended.ends_with("::") { ended } else { ended.strip_suffix(':').unwrap_or(ended) };
    let began = if ended.starts_with("::") { ended } else { ended.strip_prefix(':').unwrap_or(ended) };
    if began.len() <= 45
        && let Ok(v6) = began.parse::<Ipv6Addr>()
    {
        let from = ended.len() - began.len();
        return if is_public_v6(v6) { vec![part(from, began)] } else { Vec::new() };
    }
    let mut found = Vec::new();
    let mut from = 0;
    for piece in whole.split(':') {
        let bare = piece.trim_matches('.');
        if bare.parse::<Ipv4Addr>().is_ok_and(is_public_v4) {
            let skipped = piece.len() - piece.trim_start_matches('.').len();
            found.push(part(from + skipped, bare));
        }
        from += piece.len() + 1;
    }
    found
}

/// Addresses of documentation count as public: people use them as such.
const fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && b >= 64 && b < 128;
    !(a == 0 || a >= 224 || shared || ip.is_private() || ip.is_loopback() || ip.is_link_local())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // Global unicast, and those that hold an address of version 4.
    a & 0xe000 == 0x2000 || (a == 0x64 && b == 0xff9b) || ip.to_ipv4().is_some_and(is_public_v4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn persons_go() {
        let cases = [
            ("no user alice@example.com in table", "no user [email] in table"),
            ("mail to 'a.b+c@mail.example.co.uk'.", "mail to '[email]'."),
            ("?user=alice%40example.com&x=1", "?[email]&x=1"),
            ("<jürgen@müller.de>,bob@example.org", "<[email]>,[email]"),
            ("a@b.com@c.com", "[email]@c.com"),
            ("client 203.0.113.7 refused", "client [ip] refused"),
            ("connect ECONNREFUSED 52.95.110.1:443", "connect ECONNREFUSED [ip]:443"),
            ("from 8.8.8.8, 9.9.9.9.", "from [ip], [ip]."),
            ("ip:8.8.8.8 and cafe:8.8.8.8", "ip:[ip] and cafe:[ip]"),
            ("[2001:db8::1]:443 failed", "[[ip]]:443 failed"),
            ("to 2606:4700:4700::1111: timeout", "to [ip]: timeout"),
            ("::ffff:8.8.8.8 and 64:ff9b::808:808", "[ip] and [ip]"),
            ("2a00:1450:4001:812::200e.", "[ip]."),
            ("é8.8.8.8", "é8.8.8.8"),
        ];
        for (text, want) in cases {
            assert_eq!(mask(text), want, "{text}");
            assert_eq!(mask(want), want, "what is masked stays");
        }
    }

    #[test]
    fn what_is_not_about_persons_stays() {
        for text in [
            "connect ECONNREFUSED 10.0.3.17:5432",
            "127.0.0.1 172.16.0.9 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1",
            "::1 fe80::1 fd00::17 :: a::b",
            "at 10:05:00.250 in Mode::Base, std::io::Error, 12:00",
            "lodash@4.17.21 root@localhost @scope/name a@ @b.com",
            "v1.2.3.4 1.2.3 1.2.3.4.5 1.2.3.256",
            "User: arn:aws:iam::111122223333:user/alice is not authorized",
            "8f4b9e02-3c1d-4a5e-9b7f-0123456789ab",
            "100% of 40%",
        ] {
            assert!(matches!(mask(text), Cow::Borrowed(_)), "{text} -> {}", mask(text));
        }
    }

    #[test]
    fn a_long_text_takes_one_pass() {
        // A quadratic pass over these would take minutes.
        for piece in ["a", "@", "a@", "%40", ".", ":", "1.", "::", "a.a@a.", "8.8.8.8", "é@", "1:"] {
            let text = piece.repeat(1_000_000 / piece.len());
            assert!(mask(&text).len() <= text.len(), "{piece}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_masked(
            before in r"([a-z0-9@.:%é\[\]' -]|8\.8\.8\.8|a@b\.cc|2a00::1|%40|\PC){0,60}",
            after in r"([a-z0-9@.:%é\[\]' -]|8\.8\.8\.8|a@b\.cc|2a00::1|%40|\PC){0,60}",
        ) {
            let masked = mask(&format!("{before} ann@example.org 8.8.4.4 2a00::42 {after}")).into_owned();
            for personal in ["ann@", "8.8.4.4", "2a00::42"] {
                prop_assert!(!masked.contains(personal), "{}", masked);
            }
        }

        #[test]
        fn a_public_address_never_stays(a in 1_u8..=9, b: u8, c: u8, d: u8, before in "[ ,;(=/]", after in "[ ,;)]") {
            let text = format!("x{before}{a}.{b}.{c}.{d}{after}y");
            prop_assert_eq!(mask(&text), format!("x{before}[ip]{after}y"));
        }
    }
}
