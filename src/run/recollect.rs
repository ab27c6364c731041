//! What was told before this start, where no state says it: read back from the log group that the own output goes to.
//!
//! A container has no disk of its own, but what it printed is in CloudWatch Logs: the alerts of a stdout sink, and a line
//! of its log for each message that another sink has taken. Not the counts: those are read again from the logs of the APIs.
//! Rule: a sink is taken to know only what is known that it was told; where that is not known it is told once more. It
//! takes seconds at most.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::post::Decided;
use crate::config::{Config, SinkConfig, SinkKind};
use crate::model::own::{Own, OwnGroup};
use crate::model::problem::Problem;
use crate::model::time::{Timestamp, human};
use crate::notify::json::recall;
use crate::notify::message::Message;
use crate::notify::receipt::Receipt;
use crate::ops::clock::Clock;
use crate::tail::fetch::{Fetch, FetchError, PageRequest};
use crate::tail::schedule::Ask;

/// How long the start may wait for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// Repeats are said a little later than they are due.
const MARGIN: Duration = Duration::from_hours(1);
/// What is stamped further ahead was not said by a clock that can be trusted.
const AHEAD_MAX: Duration = Duration::from_mins(1);

/// What was found.
#[derive(Debug, Default)]
struct Found {
    /// By episode and number: two copies may have printed the same.
    printed: BTreeMap<(Arc<str>, u32), Message>,
    taken: BTreeSet<Receipt>,
}

/// What the own output says was told of late, as decisions for the sinks that took them; oldest first.
pub async fn told<F: Fetch>(logs: &F, own: &Own, config: &Config, clock: &Clock) -> Vec<Decided> {
    let mut found = Found::default();
    let reading = read(logs, own, config, clock, &mut found);
    let failed = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(())) => None,
        Ok(Err(e)) => Some(e.to_string()),
        Err(_) => Some(format!("it takes longer than {}", human(PATIENCE))),
    };
    if let Some(why) = failed {
        tracing::warn!(
            "not all that was told before this start is known, so it may be told again: {} cannot be read to the end: {why}",
            own.group.name
        );
    }
    let decided = found.decided(config);
    if !decided.is_empty() {
        tracing::info!(messages = decided.len(), "what was told before this start is known from {}", own.group.name);
    }
    decided
}

/// Newest first, so that what is missed, if anything is, is what matters least.
async fn read<F: Fetch>(
    logs: &F,
    own: &Own,
    config: &Config,
    clock: &Clock,
    found: &mut Found,
) -> Result<(), FetchError> {
    let now = clock.now();
    let from = now.minus(config.notify.repeat_max.max(config.notify.repeat) + MARGIN);
    let OwnGroup { name, streams, .. } = &own.group;
    let mut ask = Ask { from, to: None, token: None, newest_first: true };
    loop {
        let streams = streams.as_deref().map(Arc::from);
        let page = match logs.page(&PageRequest { group: name.as_str().into(), streams, ask: ask.clone() }).await {
            Ok(page) => page,
            Err(e) => match e.problem {
                // An endpoint that does not know the other order.
                Problem::Refused if ask.newest_first && ask.token.is_none() => {
                    ask.newest_first = false;
                    continue;
                }
                Problem::Throttled | Problem::Unreachable | Problem::Service => {
                    tracing::debug!("{name} is asked again: {e}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Problem::NotFound
                | Problem::Denied
                | Problem::Unsupported
                | Problem::BadToken
                | Problem::Refused
                | Problem::Credentials
                | Problem::Late => return Err(e),
            },
        };
        for event in &page.events {
            found.line(event.text.trim_end(), own, now);
        }
        match page.next {
            Some(next) if ask.token.as_ref() != Some(&next) => ask.token = Some(next),
            Some(_) | None => return Ok(()),
        }
    }
}

impl Found {
    fn line(&mut self, line: &str, own: &Own, now: Timestamp) {
        if let Some((message, task)) = recall::message(line) {
            // Others may write to the same group, about an API of the same name.
            if own.task.is_some() && task == own.task && message.time() <= now.plus(AHEAD_MAX) {
                self.printed.insert((Arc::clone(message.episode()), message.seq()), message);
            }
        } else if let Some(receipt) = Receipt::read(line) {
            self.taken.insert(receipt);
        }
    }

    fn decided(self, config: &Config) -> Vec<Decided> {
        let mut printed: Vec<_> = self.printed.into_values().map(Arc::new).collect();
        printed.sort_by_key(|message| message.time());
        let knows = |sink: &SinkConfig, message: &Message| match &sink.kind {
            // It is what was read.
            SinkKind::Stdout(_) => is_for(sink, message),
            SinkKind::Sns { .. } | SinkKind::Webhook(_) => {
                self.taken.contains(&Receipt::of(&sink.audience.name, message))
            }
        };
        let decisions = |message: &Arc<Message>| -> Vec<Decided> {
            let sinks = config.sinks.iter().filter(|sink| knows(sink, message));
            sinks.map(|sink| (Arc::clone(&sink.audience.name), Arc::clone(message))).collect()
        };
        printed.iter().flat_map(decisions).collect()
    }
}

fn is_for(sink: &SinkConfig, message: &Message) -> bool {
    match message {
        Message::Alert(said) => sink.audience.is_for(&said.alert, &said.api),
        Message::Digest(digest) => digest.members.iter().any(|said| sink.audience.is_for(&said.alert, &said.api)),
        Message::Notice(_) | Message::Test(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::notify::json;
    use crate::notify::origin::Origin;
    use crate::notify::tests::told as messages;
    use crate::tail::fetch::{Page, RawEvent};

    const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:ops-alerts";

    /// Answers in this order; then nothing is there.
    struct Answers(Mutex<VecDeque<Result<Page, FetchError>>>);

    impl Fetch for Answers {
        async fn page(&self, request: &PageRequest) -> Result<Page, FetchError> {
            assert_eq!((&*request.group, request.streams.as_deref()), ("/ecs/gatewatch", Some("gatewatch/gatewatch/")));
            self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or_else(|| Ok(Page::default()))
        }
    }

    fn failed(problem: Problem) -> Result<Page, FetchError> {
        Err(FetchError { problem, said: "no".to_owned() })
    }

    /// A page of these lines, and perhaps another behind it.
    fn page(lines: &[String], next: Option<usize>) -> Page {
        let event = |text: &String| RawEvent {
            event_id: String::new(),
            stream: "gatewatch/gatewatch/1".to_owned(),
            time: now(),
            ingested: None,
            text: text.clone(),
        };
        Page { events: lines.iter().map(event).collect(), next: next.map(|n| n.to_string()), answered: None }
    }

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-22T12:00:00Z").expect("a time")
    }

    fn own() -> Own {
        let (name, streams) = ("/ecs/gatewatch".to_owned(), Some("gatewatch/gatewatch/".to_owned()));
        Own { group: OwnGroup { name, region: None, account: None, streams }, task: Some("prod/shop".into()) }
    }

    fn config() -> Config {
        let text = format!(
            "[[api]]\nname = \"shop\"\naccess_log_groups = [\"/a\"]\n[[sink]]\nkind = \"stdout\"\n[[sink]]\nkind = \"sns\"\n\
             topic_arn = \"{TOPIC}\"\n"
        );
        Config::parse(&text, std::path::Path::new("-")).expect("it is a configuration")
    }

    /// The first message as it is printed by this task.
    fn printed(task: &str) -> String {
        json::render(&messages()[0], &Origin { host: None, task: Some(task.into()) })
    }

    fn receipt(sink: &str) -> String {
        format!("2026-11-22T10:05:00.123456Z  INFO gatewatch| {}", Receipt::of(sink, &messages()[0]))
    }

    /// The names of the sinks that know of the first message, in order.
    async fn known(own: &Own, answers: Vec<Result<Page, FetchError>>) -> Vec<String> {
        let clock = Clock::from(now(), 1);
        let decided = told(&Answers(Mutex::new(answers.into())), own, &config(), &clock).await;
        assert!(decided.iter().all(|(_, message)| message.episode() == messages()[0].episode()));
        decided.into_iter().map(|(to, _)| to.to_string()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_knows_what_is_known_that_it_has_taken() {
        let known = async |lines: &[String]| known(&own(), vec![Ok(page(lines, None))]).await;
        assert_eq!(known(&[printed("prod/shop")]).await, ["stdout"], "the topic may be new, or was down");
        assert_eq!(known(&[receipt(TOPIC), printed("prod/shop")]).await, ["stdout", TOPIC]);
        assert_eq!(known(&[receipt(TOPIC)]).await, [""; 0], "nobody knows what it was");
        let twice = [printed("prod/shop"), receipt(TOPIC), printed("prod/shop"), receipt(TOPIC)];
        assert_eq!(known(&twice).await, ["stdout", TOPIC], "two copies say the same");
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_say_is_theirs() {
        assert_eq!(known(&own(), vec![Ok(page(&[printed("staging/shop")], None))]).await, [""; 0]);
        let nameless = Own { task: None, ..own() };
        let line = json::render(&messages()[0], &Origin::default());
        assert_eq!(known(&nameless, vec![Ok(page(&[line], None))]).await, [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_stamped_ahead_is_not_believed() {
        let of = |time: &str| {
            printed("prod/shop").replacen("\"time\":\"2026-11-22T10:05:00", &format!("\"time\":\"{time}"), 1)
        };
        assert_ne!(of("x"), printed("prod/shop"), "the first message is of that time");
        assert_eq!(known(&own(), vec![Ok(page(&[of("2026-11-22T12:00:59")], None))]).await, ["stdout"]);
        assert_eq!(known(&own(), vec![Ok(page(&[of("2026-11-22T12:01:01")], None))]).await, [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hiccup_is_tried_again_and_empty_pages_are_not_the_end() {
        let end = || Ok(page(&[printed("prod/shop")], None));
        for problem in [Problem::Throttled, Problem::Unreachable, Problem::Service, Problem::Refused] {
            assert_eq!(known(&own(), vec![failed(problem), end()]).await, ["stdout"], "{problem}");
        }
        let empty = (0..25).map(|n| Ok(page(&[], Some(n))));
        assert_eq!(known(&own(), empty.chain([end()]).collect()).await, ["stdout"]);
        // For good, though what was read before counts.
        assert_eq!(known(&own(), vec![failed(Problem::Denied), end()]).await, [""; 0]);
        let throttled = (0..100).map(|_| failed(Problem::Throttled));
        let begun = Ok(page(&[printed("prod/shop")], Some(1)));
        assert_eq!(known(&own(), [begun].into_iter().chain(throttled).collect()).await, ["stdout"]);
        let repeated = (0..100).map(|_| Ok(page(&[], Some(1))));
        assert_eq!(known(&own(), repeated.collect()).await, [""; 0]);
    }
}
