//! The CloudWatch Logs operations of the simulation: the text of a request in, the text of an answer out.
//!
//! Not HTTP: `server` carries the two; and not what goes wrong: `fault` and `trouble` decide that. Rule: limits and
//! errors are those the service documents, and what is not simulated (filter patterns) is refused, never silently
//! ignored.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Outcome, Reply};
use super::calls::Operation;
use super::group::Class;
use super::store::{Absent, Query, Streams, push_json};
use super::token::{Token, scope};
use super::trouble::{Ill, Victim};
use super::{ACCOUNT, REGION, State};
use crate::model::time::Timestamp;

/// What the header `X-Amz-Target` begins with.
pub(super) const TARGET: &str = "Logs_20140328.";
/// Events on a page, at most and by default.
const LIMIT_MAX: usize = 10_000;
/// Stream names in one request.
const STREAM_NAMES_MAX: usize = 100;
/// Groups on a page of `DescribeLogGroups`.
const GROUPS_MAX: usize = 50;
/// 2024-01-01T00:00:00Z: newest-first reads may not start earlier.
const NEWEST_FIRST_SINCE_MS: i64 = 1_704_067_200_000;

/// Fields that change nothing here (`interleaved`, `unmask`) are not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterRequest {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    limit: Option<i64>,
    next_token: Option<String>,
    start_from_head: Option<bool>,
    filter_pattern: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
}

/// `includeLinkedAccounts` and `accountIdentifiers` are not read: there is one account, and it is everybody's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeRequest {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
    limit: Option<i64>,
    next_token: Option<String>,
}

/// Answers one request; `operation` is what follows [`TARGET`] in its header.
pub(super) fn answer(state: &mut State, operation: &str, body: &[u8], now: Timestamp) -> Answer {
    let unreadable = |error: serde_json::Error| {
        Reply::logs_error(400, "SerializationException", &format!("the body cannot be read: {error}")).into()
    };
    match Operation::from_name(operation) {
        Some(Operation::FilterLogEvents) => match serde_json::from_slice(body) {
            Ok(request) => filter(state, &request, now),
            Err(error) => unreadable(error),
        },
        Some(Operation::DescribeLogGroups) => match serde_json::from_slice(body) {
            Ok(request) => {
                let operation = Operation::DescribeLogGroups;
                let victim = Victim { operation, group: None, has_token: false, now };
                asked(state, &victim, |state, _| describe(state, &request, now))
            }
            Err(error) => unreadable(error),
        },
        None => Reply::logs_error(400, "UnknownOperationException", "the operation is not simulated").into(),
    }
}

fn filter(state: &mut State, request: &FilterRequest, now: Timestamp) -> Answer {
    let group = match group_name(request) {
        Ok(group) => group,
        Err(refusal) => return refusal.into(),
    };
    let (operation, has_token) = (Operation::FilterLogEvents, request.next_token.is_some());
    let victim = Victim { operation, group: Some(group), has_token, now };
    asked(state, &victim, |state, ill| page(state, request, group, ill, now))
}

/// Counts a call and lets quota, faults and troubles have it, in this order; what they leave alone `answer` answers.
fn asked(
    state: &mut State,
    victim: &Victim<'_>,
    answer: impl FnOnce(&State, Option<Ill>) -> Result<Reply, Reply>,
) -> Answer {
    let (struck, after) = if state.quota(victim.operation, victim.now) {
        let queued = match (victim.operation, victim.group) {
            (Operation::FilterLogEvents, Some(group)) => {
                state.faults.get_mut(group).and_then(|faults| faults.take(victim.has_token))
            }
            (Operation::FilterLogEvents | Operation::DescribeLogGroups, _) => None,
        };
        let (by_chance, delay) = state.troubles.strike(victim);
        (queued.or(by_chance), delay)
    } else {
        (Some(Ill::Throttle), Duration::ZERO)
    };
    state.calls.note(victim.now, victim.operation, victim.group, struck == Some(Ill::Throttle));
    let outcome = match struck {
        Some(Ill::Hang) => Outcome::Never,
        Some(Ill::Reset) => Outcome::Reset,
        Some(ill) if let Some(error) = error(ill, victim) => Outcome::Reply(error),
        ill => {
            let reply = answer(state, ill).unwrap_or_else(|refusal| refusal);
            if ill == Some(Ill::ResetInBody) { Outcome::Cut(reply) } else { Outcome::Reply(reply) }
        }
    };
    Answer { after, outcome }
}

/// The answer to an ill that is an error; `None` for the others.
fn error(ill: Ill, victim: &Victim<'_>) -> Option<Reply> {
    let (status, code, message) = match ill {
        Ill::AccessDenied => {
            let action = victim.operation.name();
            let resource = victim.group.map_or_else(|| arn("*"), |group| format!("{}:log-stream:", arn(group)));
            let message = format!(
                "User: arn:aws:iam::{ACCOUNT}:user/watcher is not authorized to perform: logs:{action} on resource: \
                 {resource} because no identity-based policy allows the logs:{action} action",
            );
            (400, "AccessDeniedException", message)
        }
        Ill::Missing => return Some(missing()),
        Ill::Throttle => (400, "ThrottlingException", "Rate exceeded".to_owned()),
        Ill::Unavailable => (503, "ServiceUnavailableException", "The service cannot complete the request.".to_owned()),
        Ill::Internal => (500, "InternalFailure", "An internal error has occurred.".to_owned()),
        Ill::Infrequent => return Some(infrequent(victim.group.unwrap_or_default())),
        Ill::ExpiredCredentials => {
            (400, "ExpiredTokenException", "The security token included in the request is expired".to_owned())
        }
        Ill::RefusedToken => return Some(invalid("The specified nextToken has expired.")),
        Ill::EmptyPage | Ill::DuplicateToken | Ill::Slow(_) | Ill::Hang | Ill::Reset | Ill::ResetInBody => return None,
    };
    Some(Reply::logs_error(status, code, &message))
}

fn page(state: &State, request: &FilterRequest, group: &str, ill: Option<Ill>, now: Timestamp) -> Result<Reply, Reply> {
    let mut query = query(request, state.oldest_first_only)?;
    let scope = scope(group, &query);
    if let Some(text) = &request.next_token {
        let token = Token::decode(text, scope, now).ok_or_else(|| invalid("The specified nextToken is invalid."))?;
        (query.forward, query.after) = (token.forward, token.after);
    }
    if state.store.group(group).is_some_and(|known| known.class == Class::InfrequentAccess) {
        return Err(infrequent(group));
    }
    let mut body = String::from(r#"{"events":["#);
    let mut end = state.store.page(group, &query, now, &mut body).map_err(|absent| match absent {
        Absent::Group => missing(),
        Absent::Stream => {
            Reply::logs_error(400, "ResourceNotFoundException", "The specified log stream does not exist.")
        }
    })?;
    if ill == Some(Ill::EmptyPage) {
        body.truncate(r#"{"events":["#.len());
        (end.last, end.more) = (query.after, true);
    }
    body.push_str(r#"],"searchedLogStreams":[]"#);
    let next = match (ill, &request.next_token) {
        (Some(Ill::DuplicateToken), Some(sent)) => Some(sent.clone()),
        _ if end.more => {
            let token = Token { forward: query.forward, after: end.last, issued: now, serial: state.answers };
            Some(token.encode(scope))
        }
        _ => None,
    };
    if let Some(next) = next {
        body.push_str(r#","nextToken":"#);
        push_json(&mut body, &next);
    }
    body.push('}');
    Ok(Reply::logs(body))
}

fn query(request: &FilterRequest, oldest_first_only: bool) -> Result<Query, Reply> {
    if request.filter_pattern.as_deref().is_some_and(|pattern| !pattern.is_empty()) {
        return Err(invalid("filterPattern is not simulated"));
    }
    let streams = match (&request.log_stream_names, &request.log_stream_name_prefix) {
        (None, None) => Streams::All,
        (Some(names), None) if (1..=STREAM_NAMES_MAX).contains(&names.len()) => Streams::Named(names.clone()),
        (Some(names), None) => {
            return Err(invalid(&format!("{} logStreamNames, must be 1 to {STREAM_NAMES_MAX}", names.len())));
        }
        (None, Some(prefix)) => Streams::Prefixed(prefix.clone()),
        (Some(_), Some(_)) => {
            return Err(invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters."));
        }
    };
    let (from, to) = (request.start_time.unwrap_or(0), request.end_time.unwrap_or(i64::MAX));
    if from < 0 || from > to {
        return Err(invalid("startTime must be at least 0 and not later than endTime"));
    }
    let limit = match request.limit {
        None => LIMIT_MAX,
        Some(limit) => limit_of(limit, LIMIT_MAX)?,
    };
    let forward = request.start_from_head.unwrap_or(true);
    if !forward && oldest_first_only {
        return Err(invalid("startFromHead=false is not supported"));
    }
    if !forward && from < NEWEST_FIRST_SINCE_MS {
        return Err(invalid("startFromHead=false needs a startTime on or after 2024-01-01"));
    }
    Ok(Query { from, to, limit, forward, after: None, streams })
}

fn describe(state: &State, request: &DescribeRequest, now: Timestamp) -> Result<Reply, Reply> {
    if request.log_group_name_prefix.is_some() && request.log_group_name_pattern.is_some() {
        return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    if request.log_group_identifiers.is_some() {
        return Err(invalid("logGroupIdentifiers is not simulated"));
    }
    let limit = match request.limit {
        None => GROUPS_MAX,
        Some(limit) => limit_of(limit, GROUPS_MAX)?,
    };
    let prefix = request.log_group_name_prefix.as_deref().unwrap_or_default();
    let pattern = request.log_group_name_pattern.as_deref().unwrap_or_default();
    let has = |ill: Ill, name: &str| {
        state.faults.get(name).is_some_and(|faults| faults.standing() == Some(ill))
            || state.troubles.shows(ill, name, now)
    };
    let shown = state.store.groups(request.next_token.as_deref()).filter_map(|(name, group)| {
        let created = group.lives.creation_ms(now)?;
        let class = if has(Ill::Infrequent, name) { Class::InfrequentAccess } else { group.class };
        let wanted = name.starts_with(prefix)
            && name.contains(pattern)
            && request.log_group_class.as_deref().is_none_or(|wanted| wanted == class.name());
        (wanted && !has(Ill::Missing, name)).then_some((name, created, class))
    });
    let mut shown = shown.peekable();
    let page: Vec<_> = shown.by_ref().take(limit).collect();
    let groups: Vec<_> = page
        .iter()
        .map(|(name, created, class)| {
            json!({
                "logGroupName": name,
                "creationTime": created,
                "metricFilterCount": 0,
                "arn": format!("{}:*", arn(name)),
                "logGroupArn": arn(name),
                "logGroupClass": class.name(),
                "storedBytes": 0,
            })
        })
        .collect();
    let mut body = json!({ "logGroups": groups });
    if let (Some(_), Some((last, ..))) = (shown.peek(), page.last()) {
        body["nextToken"] = json!(last);
    }
    Ok(Reply::logs(body.to_string()))
}

/// The one group a request names.
fn group_name(request: &FilterRequest) -> Result<&str, Reply> {
    let name = match (request.log_group_name.as_deref(), request.log_group_identifier.as_deref()) {
        (Some(name), None) => name,
        (None, Some(identifier)) => match identifier.split_once(":log-group:") {
            Some((arn, name)) if arn.starts_with("arn:") => name,
            Some(_) | None => identifier,
        },
        (Some(_), Some(_)) | (None, None) => {
            return Err(invalid("exactly one of logGroupName and logGroupIdentifier must be given"));
        }
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#".contains(&b);
    if name.is_empty() || name.len() > 512 || !name.bytes().all(allowed) {
        return Err(invalid(&format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    Ok(name)
}

fn limit_of(limit: i64, max: usize) -> Result<usize, Reply> {
    match usize::try_from(limit) {
        Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
        Ok(_) | Err(_) => Err(invalid(&format!("limit is {limit} but must be between 1 and {max}"))),
    }
}

fn arn(group: &str) -> String {
    format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}")
}

fn infrequent(group: &str) -> Reply {
    let message = format!(
        "{group} is of log-group-class INFREQUENT_ACCESS. FilterLogEvents is not supported for this log class."
    );
    Reply::logs_error(400, "InvalidOperationException", &message)
}

fn missing() -> Reply {
    Reply::logs_error(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

fn invalid(message: &str) -> Reply {
    Reply::logs_error(400, "InvalidParameterException", message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::fault::Fault;
    use super::*;

    const GROUP: &str = "/aws/lambda/a";
    /// A time after [`NEWEST_FIRST_SINCE_MS`].
    const T0: i64 = 1_795_338_000_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(T0 + ms)
    }

    fn ask(state: &mut State, operation: &str, request: &Value, now: i64) -> (u16, Value) {
        state.answers += 1;
        match answer(state, operation, request.to_string().as_bytes(), at(now)).outcome {
            Outcome::Reply(reply) => {
                assert_eq!(reply.error.is_some(), reply.status != 200);
                (reply.status, serde_json::from_str(&reply.body).unwrap())
            }
            Outcome::Cut(reply) => (1, serde_json::from_str(&reply.body).unwrap()),
            Outcome::Never | Outcome::Reset => (0, Value::Null),
        }
    }

    fn read(state: &mut State, extra: &[(&str, Value)], now: i64) -> (u16, Value) {
        let mut request = json!({ "logGroupName": GROUP, "startTime": T0 });
        for (key, value) in extra {
            request[*key] = value.clone();
        }
        ask(state, "FilterLogEvents", &request, now)
    }

    /// The offsets from [`T0`] of the events on a page.
    fn times(page: &Value) -> Vec<i64> {
        page["events"].as_array().unwrap().iter().map(|e| e["timestamp"].as_i64().unwrap() - T0).collect()
    }

    fn put(state: &mut State, time: i64, visible: i64) {
        state.store.put(GROUP, "s", at(time), at(visible), "a \"line\"\twith\nsigns");
    }

    /// Follows tokens to the end; `between` runs before each page but the first.
    fn read_all(state: &mut State, forward: bool, limit: i64, mut between: impl FnMut(&mut State, i64)) -> Vec<i64> {
        let mut extra = vec![("limit", json!(limit)), ("startFromHead", json!(forward))];
        let mut all = Vec::new();
        for now in 1000.. {
            let (status, page) = read(state, &extra, now);
            assert_eq!(status, 200, "{page}");
            all.extend(times(&page));
            let Some(token) = page.get("nextToken") else { break };
            extra.retain(|(key, _)| *key == "limit");
            extra.push(("nextToken", token.clone()));
            between(state, now);
        }
        all
    }

    #[test]
    fn following_tokens_gives_every_event_once_in_either_direction() {
        for limit in [1, 2, 3, 7, 10_000] {
            let mut state = State::default();
            for n in 0..30 {
                put(&mut state, n / 4, n % 3);
            }
            put(&mut state, 5, 99_999);
            let mut expected: Vec<i64> = (0..30).map(|n| n / 4).collect();
            assert_eq!(read_all(&mut state, true, limit, |_, _| ()), expected);
            expected.reverse();
            assert_eq!(read_all(&mut state, false, limit, |_, _| ()), expected);
        }
    }

    #[test]
    fn events_that_appear_between_pages_repeat_and_skip_nothing() {
        for forward in [true, false] {
            let mut state = State::default();
            for n in 0..20 {
                put(&mut state, n * 10, 0);
            }
            // Odd times: new ones, before and behind where the read stands.
            let mut all = read_all(&mut state, forward, 4, |state, now| {
                put(state, 3, now);
                put(state, 100 + now % 7 * 2 + 1, now);
                put(state, 193, now);
            });
            let sorted = |a: &i64, b: &i64| if forward { a <= b } else { a >= b };
            assert!(all.is_sorted_by(sorted), "{all:?}");
            all.retain(|time| time % 2 == 0);
            all.sort_unstable();
            assert_eq!(all, (0..20).map(|n| n * 10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn event_fields_and_both_ways_to_name_a_group() {
        let mut state = State::default();
        put(&mut state, 1, 5);
        let arn = arn(GROUP);
        for name in [json!({ "logGroupName": GROUP }), json!({ "logGroupIdentifier": arn })] {
            let (_, page) = ask(&mut state, "FilterLogEvents", &name, 10);
            let event = &page["events"][0];
            assert_eq!(event["logStreamName"], "s");
            assert_eq!(event["timestamp"], T0 + 1);
            assert_eq!(event["ingestionTime"], T0 + 5);
            assert_eq!(event["message"], "a \"line\"\twith\nsigns");
            assert_eq!(event["eventId"].as_str().map(str::len), Some(56));
        }
        assert_eq!(state.calls.on_group(GROUP).calls, 2);
    }

    #[test]
    fn wrong_requests_are_refused() {
        let mut state = State::default();
        put(&mut state, 1, 1);
        for extra in [
            ("nextToken", json!("nonsense")),
            ("limit", json!(0)),
            ("limit", json!(10_001)),
            ("endTime", json!(T0 - 1)),
            ("logGroupIdentifier", json!(GROUP)),
            ("logGroupName", json!(arn(GROUP))),
            ("filterPattern", json!("ERROR")),
        ] {
            let (status, error) = read(&mut state, std::slice::from_ref(&extra), 10);
            assert_eq!((status, &error["__type"]), (400, &json!("InvalidParameterException")), "{extra:?}");
        }
        let (_, error) = read(&mut state, &[("logGroupName", json!("other"))], 10);
        assert_eq!(error["__type"], "ResourceNotFoundException");
        assert_eq!(error["message"], "The specified log group does not exist.");
        let old = [("startTime", json!(0)), ("startFromHead", json!(false))];
        assert_eq!(read(&mut state, &old, 10).0, 400);
        state.oldest_first_only = true;
        assert_eq!(read(&mut state, &[("startFromHead", json!(false))], 10).0, 400);
        assert_eq!(ask(&mut state, "FilterLogEvents", &json!([1]), 10).1["__type"], "SerializationException");
        assert_eq!(ask(&mut state, "PutLogEvents", &json!({}), 10).1["__type"], "UnknownOperationException");
    }

    #[test]
    fn faults_of_all_kinds() {
        let mut state = State::default();
        put(&mut state, 1, 1);
        for (fault, status, code) in [
            (Fault::AccessDenied, 400, "AccessDeniedException"),
            (Fault::Missing, 400, "ResourceNotFoundException"),
            (Fault::Throttle(1), 400, "ThrottlingException"),
            (Fault::Unavailable(1), 503, "ServiceUnavailableException"),
            (Fault::Infrequent, 400, "InvalidOperationException"),
            (Fault::ExpiredToken, 400, "ExpiredTokenException"),
        ] {
            state.faults.entry(GROUP.to_owned()).or_default().add(fault);
            let (seen, error) = read(&mut state, &[], 10);
            assert_eq!((seen, &error["__type"]), (status, &json!(code)));
            state.faults.entry(GROUP.to_owned()).or_default().add(Fault::Clear);
            assert_eq!(read(&mut state, &[], 10).0, 200);
        }
        state.faults.entry(GROUP.to_owned()).or_default().add(Fault::Hang(1));
        assert_eq!(read(&mut state, &[], 10).0, 0);
    }

    #[test]
    fn empty_pages_and_duplicate_tokens_lose_no_event() {
        for forward in [true, false] {
            let mut state = State::default();
            for n in 0..9 {
                put(&mut state, n, 1);
            }
            state.faults.entry(GROUP.to_owned()).or_default().add(Fault::EmptyPages(2));
            let mut tokens = BTreeSet::new();
            let (_, first) = read(&mut state, &[("startFromHead", json!(forward))], 10);
            assert!(times(&first).is_empty());
            tokens.insert(first["nextToken"].to_string());
            let (_, second) = read(&mut state, &[("nextToken", first["nextToken"].clone())], 10);
            assert!(times(&second).is_empty() && tokens.insert(second["nextToken"].to_string()));

            let token = second["nextToken"].clone();
            state.faults.entry(GROUP.to_owned()).or_default().add(Fault::DuplicateToken(1));
            let (_, stuck) = read(&mut state, &[("nextToken", token.clone())], 10);
            assert_eq!(stuck["nextToken"], token);
            let (_, last) = read(&mut state, &[("nextToken", token)], 10);
            assert_eq!((times(&last).len(), last.get("nextToken")), (9, None));
            assert_eq!(times(&last)[0], if forward { 0 } else { 8 });
        }
    }

    #[test]
    fn groups_are_listed_by_prefix_in_pages() {
        let mut state = State::default();
        for n in 0..60 {
            state.store.create_group(&format!("/aws/lambda/f{n:02}"));
        }
        state.store.create_group("/other");
        state.faults.entry("/aws/lambda/f07".to_owned()).or_default().add(Fault::Infrequent);
        let request = json!({ "logGroupNamePrefix": "/aws/lambda/" });
        let (_, first) = ask(&mut state, "DescribeLogGroups", &request, 0);
        assert_eq!(first["logGroups"].as_array().unwrap().len(), 50);
        assert_eq!(first["logGroups"][7]["logGroupClass"], "INFREQUENT_ACCESS");
        let request = json!({ "logGroupNamePrefix": "/aws/lambda/", "nextToken": first["nextToken"] });
        let (_, second) = ask(&mut state, "DescribeLogGroups", &request, 0);
        assert_eq!(second["logGroups"].as_array().unwrap().len(), 10);
        assert_eq!(second.get("nextToken"), None);
    }
}
