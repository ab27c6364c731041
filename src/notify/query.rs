//! A CloudWatch Logs Insights query that shows more of what an alert is about.
//!
//! Not run by gatewatch: it is for people to paste. Where the newest failure of the first cause names an invocation
//! whose log is watched, the query is for the lines of that invocation: they show what happened, and the requests
//! themselves are counted in the message already. Else it is for the access log: the newest requests that count. What
//! the fields of an access log are called is its owner's choice, so the query looks at the text of the lines. Rule: it
//! is valid whatever stands in routes and IDs.
//!
//! Source for the syntax: AWS documentation "CloudWatch Logs Insights language query syntax", "filter".

use std::fmt::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::alert::{Alert, CauseSample, Measure, Subject};
use crate::model::cause::CauseKind;
use crate::model::inventory::{ApiId, Inventory, Source, SourceKind, name_of_group};
use crate::model::personal;
use crate::model::request::Endpoint;
use crate::model::time::Timestamp;

/// A query asks 50 log groups at most. Source: AWS documentation of `StartQuery`.
const GROUPS_MAX: usize = 50;
/// An ID that is longer is none that Lambda gave.
const ID_MAX: usize = 64;

/// A query, and where and when to run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Log groups, by name or ARN.
    pub groups: Vec<Arc<str>>,
    /// Their Region, where known.
    pub region: Option<Arc<str>>,
    /// Event time from which on.
    pub from: Timestamp,
    /// Event time up to which.
    pub to: Timestamp,
    /// The query.
    pub text: String,
}

/// The query for an alert, where there is a log to ask.
#[must_use]
pub fn of(alert: &Alert, inventory: &Inventory) -> Option<Query> {
    let endpoint = match &alert.key.subject {
        // A log that cannot be read answers no query.
        Subject::Source(_) => return None,
        Subject::Api => None,
        Subject::Endpoint(endpoint) => Some(&**endpoint),
    };
    let first = alert.causes.iter().find(|c| c.kind != CauseKind::Unknown);
    let invocation = first.and_then(|cause| invocation(&cause.sample, alert.key.api, inventory));
    let (asked, text) = match invocation {
        Some((source, id)) => (vec![source], lines_of(id)),
        None => (access_logs(alert.key.api, inventory), requests(status(alert.measure), endpoint)),
    };
    Some(Query {
        region: asked.first()?.region.clone(),
        groups: asked.iter().map(|s| Arc::clone(&s.name)).collect(),
        from: alert.since.minus(alert.window),
        to: alert.time,
        text,
    })
}

/// The log in which the lines of the sample's invocation stand, and the invocation's ID.
fn invocation<'a>(sample: &'a CauseSample, api: ApiId, inventory: &'a Inventory) -> Option<(&'a Source, &'a str)> {
    let (function, id) = (sample.function.as_deref()?, sample.lambda_request_id.as_deref()?);
    let plain = id.len() <= ID_MAX && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let region = inventory.region(api);
    let is_its = |s: &&Source| {
        s.kind == SourceKind::Lambda && s.function.as_deref() == Some(function) && s.region.as_deref() == region
    };
    // The access log of the API tells its Region; a function of another one has the same name by chance.
    let source = inventory.sources.iter().filter(|_| plain).find(is_its)?;
    Some((source, id))
}

/// The access logs of an API that one query can ask: those of one Region.
fn access_logs(api: ApiId, inventory: &Inventory) -> Vec<&Source> {
    let all = || inventory.sources.iter().filter(|s| s.is_named() && s.kind == SourceKind::Access(api));
    let region = all().next().map(|s| &s.region);
    all().filter(|s| Some(&s.region) == region).take(GROUPS_MAX).collect()
}

/// The lines that name an invocation, oldest first: a story is read from its beginning.
fn lines_of(id: &str) -> String {
    format!("fields @timestamp, @message\n| filter @message like \"{id}\"\n| sort @timestamp asc\n| limit 50")
}

/// The newest requests with such a status at this endpoint.
fn requests(status: Option<&str>, endpoint: Option<&Endpoint>) -> String {
    let mut text = String::from("fields @timestamp, @message");
    let mut filter = |pattern: &str| {
        // Writing to a string does not fail.
        let _ = write!(text, "\n| filter @message like /{pattern}/");
    };
    if let Some(status) = status {
        filter(status);
    }
    if let Some(endpoint) = endpoint {
        if &*endpoint.method != "-" {
            filter(&format!("\\b{}\\b", literal(&endpoint.method)));
        }
        if &*endpoint.route != Endpoint::OTHER {
            // Not the routes that begin alike.
            filter(&format!("{}([^\\w\\/.-]|$)", route(&endpoint.route)));
        }
    }
    text + "\n| sort @timestamp desc\n| limit 50"
}

/// A pattern for the status of the requests that a measure counts; `None` where it counts all.
const fn status(measure: Measure) -> Option<&'static str> {
    match measure {
        Measure::Failures
        | Measure::FailureCount
        | Measure::NoInvocations
        | Measure::NewCause
        | Measure::BurnRate { .. } => Some("\\b5\\d\\d\\b"),
        Measure::Timeouts => Some("\\b50[34]\\b"),
        Measure::Latency { .. } | Measure::Slow { .. } | Measure::Traffic | Measure::Unread => None,
    }
}

/// A pattern for a route: as it stands, but for `{id}`, in whose place the log may have the identifier itself, and for
/// what would name a person.
fn route(route: &str) -> String {
    let segment = |segment: &str| match segment {
        "{id}" => "(\\{id\\}|[\\w-]+)".to_owned(),
        segment if personal::mask(segment) != segment => "[^\\/\\s]+".to_owned(),
        segment => literal(segment),
    };
    route.split('/').map(segment).collect::<Vec<_>>().join("\\/")
}

/// A pattern for this text and nothing else. Only letters and digits stand for themselves: a quotation mark or slash
/// could end more than the pattern. What is not ASCII matches any character.
fn literal(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        let _ = match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => write!(pattern, "{c}"),
            '{' | '}' | '+' | '.' | '$' | '*' | '/' => write!(pattern, "\\{c}"),
            ' '..='~' => write!(pattern, "\\x{:02x}", u32::from(c)),
            _ => write!(pattern, "."),
        };
    }
    pattern
}

/// The names of the groups, as people know them.
#[must_use]
pub fn names(query: &Query) -> Vec<&str> {
    query.groups.iter().map(|group| name_of_group(group)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::model::alert::{AlertKey, CauseCount, Severity, State};
    use crate::model::inventory::Api;

    fn alert(subject: Subject, measure: Measure) -> Alert {
        Alert {
            key: AlertKey { rule: "endpoint-5xx".into(), api: ApiId(0), subject },
            state: State::Firing,
            severity: Severity::Critical,
            worst: Severity::Critical,
            measure,
            value: 0.4,
            threshold: 0.01,
            errors: 12,
            requests: 30,
            window: Duration::from_mins(5),
            time: Timestamp::from_millis(1_000_000),
            since: Timestamp::from_millis(900_000),
            episode: "e1".into(),
            holds: true,
            flapping: false,
            causes: Vec::new(),
            endpoints: Vec::new(),
            before: None,
            blindness: None,
        }
    }

    fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        let api = inventory.add_api(Api::plain("shop"));
        let region = |name: &str| Some(Arc::from(name));
        for (name, at, kind) in [
            ("/aws/apigateway/shop", "eu-west-1", SourceKind::Access(api)),
            ("/aws/apigateway/shop-2", "eu-west-1", SourceKind::Access(api)),
            ("/aws/apigateway/shop-us", "us-east-1", SourceKind::Access(api)),
            ("/aws/lambda/pay", "us-east-1", SourceKind::Lambda),
            ("/aws/lambda/checkout-fn", "us-east-1", SourceKind::Lambda),
            ("/aws/lambda/checkout-fn", "eu-west-1", SourceKind::Lambda),
        ] {
            inventory.add_source_of(api, Source::group(name, region(at), kind));
        }
        inventory
    }

    fn of_endpoint(method: &str, route: &str) -> Alert {
        alert(Subject::Endpoint(Arc::new(Endpoint::new(method, route))), Measure::Failures)
    }

    fn filters(query: &str) -> Vec<Regex> {
        let patterns = query.lines().filter_map(|line| line.strip_prefix("| filter @message like /"));
        patterns.map(|p| Regex::new(p.strip_suffix('/').unwrap()).unwrap()).collect()
    }

    #[test]
    fn the_newest_failures_of_an_endpoint() {
        let query = of(&of_endpoint("POST", "/orders/{id}/items"), &inventory()).unwrap();
        let want = "\
fields @timestamp, @message
| filter @message like /\\b5\\d\\d\\b/
| filter @message like /\\bPOST\\b/
| filter @message like /\\/orders\\/(\\{id\\}|[\\w-]+)\\/items([^\\w\\/.-]|$)/
| sort @timestamp desc
| limit 50";
        assert_eq!(query.text, want);
        let groups: Vec<&str> = query.groups.iter().map(|g| &**g).collect();
        assert_eq!(groups, ["/aws/apigateway/shop", "/aws/apigateway/shop-2"], "one Region");
        assert_eq!(query.region.as_deref(), Some("eu-west-1"));
        assert_eq!((query.from.as_millis(), query.to.as_millis()), (600_000, 1_000_000));
    }

    #[test]
    fn what_it_finds() {
        let text = of(&of_endpoint("POST", "/orders/{id}"), &inventory()).unwrap().text;
        let found = |line: &str| filters(&text).iter().all(|filter| filter.is_match(line));
        assert!(found(r#"{"httpMethod":"POST","resourcePath":"/orders/{id}","status":"502"}"#));
        assert!(found(r#"1.2.3.4 - - [x] "POST /orders/42 HTTP/1.1" 502 17"#));
        assert!(!found(r#"{"httpMethod":"POST","resourcePath":"/orders/{id}","status":"200"}"#));
        assert!(!found(r#"{"httpMethod":"POST","resourcePath":"/orders/{id}/items","status":"502"}"#));
        assert!(!found(r#"{"httpMethod":"GET","resourcePath":"/orders/{id}","status":"502"}"#));
    }

    #[test]
    fn what_a_measure_counts_is_what_is_asked_for() {
        let text = |measure| of(&alert(Subject::Api, measure), &inventory()).unwrap().text;
        let all = "fields @timestamp, @message\n| sort @timestamp desc\n| limit 50";
        assert_eq!(text(Measure::Latency { quantile: 0.99 }), all);
        assert_eq!(text(Measure::Traffic), all);
        assert!(text(Measure::Timeouts).contains("\n| filter @message like /\\b50[34]\\b/\n"));
        assert!(text(Measure::BurnRate { objective: 0.999 }).contains("\n| filter @message like /\\b5\\d\\d\\b/\n"));
        let other = of(&of_endpoint("-", Endpoint::OTHER), &inventory()).unwrap().text;
        assert_eq!(other, text(Measure::Failures), "neither is in the log");
        assert_eq!(of(&alert(Subject::Source("/aws/lambda/pay".into()), Measure::Unread), &inventory()), None);
        let mut replayed = inventory();
        replayed.sources.clear();
        assert_eq!(of(&alert(Subject::Api, Measure::Failures), &replayed), None, "no log to ask");
    }

    #[test]
    fn the_lines_of_an_invocation() {
        let with = |function: &str, id: &str| {
            let sample = CauseSample {
                function: Some(function.into()),
                lambda_request_id: Some(id.into()),
                ..CauseSample::default()
            };
            let unknown = CauseCount {
                kind: CauseKind::Unknown,
                count: 9,
                certain: 0,
                sample: Arc::new(CauseSample { lambda_request_id: Some("no".into()), ..sample.clone() }),
            };
            let sample = Arc::new(sample);
            let cause = CauseCount { kind: CauseKind::UnhandledException, count: 3, certain: 3, sample };
            Alert { causes: vec![unknown, cause], ..of_endpoint("POST", "/checkout") }
        };
        let id = "8f4b9e02-3c1d-4a5e-9b7f-0123456789ab";
        let query = of(&with("checkout-fn", id), &inventory()).unwrap();
        let want =
            format!("fields @timestamp, @message\n| filter @message like \"{id}\"\n| sort @timestamp asc\n| limit 50");
        assert_eq!(query.text, want);
        assert_eq!((&*query.groups[0], query.region.as_deref()), ("/aws/lambda/checkout-fn", Some("eu-west-1")));
        for (function, id) in [("pay", id), ("other", id), ("checkout-fn", "\" | x"), ("checkout-fn", &"a".repeat(99))]
        {
            let query = of(&with(function, id), &inventory()).unwrap();
            assert_eq!(&*query.groups[0], "/aws/apigateway/shop", "{function} {id}");
        }
    }

    #[test]
    fn nobody_is_named() {
        let query = of(&of_endpoint("GET", "/users/alice@example.com/x"), &inventory()).unwrap();
        assert!(query.text.contains("like /\\/users\\/[^\\/\\s]+\\/x("), "{}", query.text);
    }

    proptest! {
        #[test]
        fn it_is_valid_whatever_stands_in_a_route(method in r#"[A-Z|"/\\ ]{0,5}"#, route in r#"(/|[a-z{}"'\\|#`]|\PC){0,30}"#) {
            let query = of(&of_endpoint(&method, &route), &inventory()).unwrap();
            for line in query.text.lines().filter(|line| line.starts_with("| filter")) {
                let pattern = line.strip_prefix("| filter @message like /").and_then(|l| l.strip_suffix('/')).unwrap();
                prop_assert!(Regex::new(pattern).is_ok(), "{}", pattern);
                prop_assert!(pattern.is_ascii() && !pattern.contains(['"', '\'', '`', '#', '\n']), "{}", pattern);
                let bytes = pattern.as_bytes();
                for at in (0..bytes.len()).filter(|at| bytes[*at] == b'/') {
                    prop_assert!(at > 0 && bytes[at - 1] == b'\\', "a bare slash ends it: {}", pattern);
                }
            }
            prop_assert_eq!(query.text.lines().filter(|l| l.starts_with("| ")).count(), query.text.lines().count() - 1);
            let line = format!("{route} 502");
            let personal = personal::mask(&route) != route;
            let of_route = filters(&query.text).pop().unwrap();
            prop_assert!(personal || route.chars().any(char::is_control) || of_route.is_match(&line), "{} in {}", of_route, line);
        }
    }
}
