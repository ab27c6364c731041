//! SNS topics: whether they are there, and whether anybody gets what is published.
//!
//! Rule: nothing is published; that is `gatewatch send-test`. Source: SNS API reference, `GetTopicAttributes` and
//! `ListSubscriptionsByTopic`.

use super::evidence::Topic;
use super::names::some_of;
use crate::model::finding::{Check, Finding, SubjectKind};
use crate::model::problem::Problem;
use crate::model::shell::Aws;
use crate::model::text::shell_word;

/// All of one topic.
pub(super) fn findings(topic: &Topic) -> Vec<Finding> {
    let mut found = Vec::new();
    let arn = &topic.arn;
    match &topic.attributes {
        Ok(attributes) => {
            let key = attributes.key.as_ref().map(|key| {
                format!("; encrypted by {key}, so publishing needs kms:GenerateDataKey* and kms:Decrypt on that key")
            });
            let text = format!(
                "exists{}; whether sns:Publish is permitted shows when something is sent: gatewatch send-test --sink {}",
                key.unwrap_or_default(),
                shell_word(&topic.sink)
            );
            found.push(Finding::ok(Check::Topic, SubjectKind::Topic, arn, text));
        }
        Err(why) => match why.problem {
            Problem::NotFound => {
                let text = "There is no such topic: no message of this sink can be delivered.";
                let (region, name) = parts(arn);
                let make = Aws::new("sns create-topic", region).with("name", name);
                let make = if is_fifo(name) { make.with("attributes", "FifoTopic=true") } else { make };
                let fix = "Make it, or check topic_arn in the configuration.";
                let finding = Finding::fault(Check::Topic, SubjectKind::Topic, arn, text);
                return vec![finding.fix(fix, Some(make.to_string()))];
            }
            // Said once for all that are denied.
            Problem::Denied => {}
            Problem::Throttled
            | Problem::Unsupported
            | Problem::BadToken
            | Problem::Refused
            | Problem::Credentials
            | Problem::Unreachable
            | Problem::Service
            | Problem::Late => {
                let text = format!("It could not be looked at: {}.", why.said.trim_end_matches('.'));
                found.push(
                    Finding::warning(Check::Topic, SubjectKind::Topic, arn, text).fix(why.problem.advice(), None),
                );
            }
        },
    }
    found.extend(subscriptions(topic));
    found
}

fn subscriptions(topic: &Topic) -> Option<Finding> {
    let arn = &topic.arn;
    let all = topic.subscriptions.as_ref().ok()?;
    let protocols = |confirmed: bool| -> Vec<&str> {
        all.iter().filter(|s| s.confirmed == confirmed).map(|s| &*s.protocol).collect()
    };
    let (confirmed, pending) = (protocols(true), protocols(false));
    let (region, _) = parts(arn);
    let ask = |protocol: &str| {
        let ask = Aws::new("sns subscribe", region).with("topic-arn", arn).with("protocol", protocol);
        Some(ask.with("notification-endpoint", "ADDRESS").to_string())
    };
    let protocol = if is_fifo(arn) { "sqs" } else { "email" };
    let of = |level: fn(Check, SubjectKind, &str, String) -> Finding, text: String| {
        level(Check::Subscriptions, SubjectKind::Topic, arn, text)
    };
    let confirm =
        "Confirm by the link in the message that SNS sent. It is good for two days: after that subscribe again.";
    Some(match (confirmed.as_slice(), pending.as_slice()) {
        ([], []) => {
            let text = "Nobody has subscribed to it: what is published reaches nobody.".to_owned();
            of(Finding::fault, text).fix("Subscribe somebody, with the address in place of ADDRESS.", ask(protocol))
        }
        ([], pending) => {
            let text = format!(
                "No subscription has been confirmed ({} pending): what is published reaches nobody.",
                some_of(pending)
            );
            of(Finding::fault, text).fix(confirm, ask(pending[0]))
        }
        (confirmed, []) => of(Finding::ok, format!("{} confirmed ({})", plural(confirmed.len()), some_of(confirmed))),
        (confirmed, pending) => {
            let text = format!(
                "{} not confirmed ({}) and get nothing; {} confirmed.",
                plural(pending.len()),
                some_of(pending),
                confirmed.len()
            );
            of(Finding::warning, text).fix(confirm, ask(pending[0]))
        }
    })
}

fn plural(count: usize) -> String {
    if count == 1 { "1 subscription".to_owned() } else { format!("{count} subscriptions") }
}

/// The name of a FIFO topic ends so, in these letters.
fn is_fifo(topic: &str) -> bool {
    topic.strip_suffix(".fifo").is_some()
}

/// Region and name of a topic's ARN.
fn parts(arn: &str) -> (&str, &str) {
    let mut parts = arn.split(':').skip(3);
    (parts.next().unwrap_or("REGION"), parts.nth(1).unwrap_or("NAME"))
}
