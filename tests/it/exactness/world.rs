//! A daemon's reading, its state and its post over the simulation, without sockets and by a clock that jumps.
//!
//! What is real: `run::live`, `run::keep`, `run::post`, the state folder. What stands in: the SDK, by [`Logs`], which
//! hands the JSON of a request to [`Service::call`] and makes of the answer what `aws/fetch.rs` does. Each life has a
//! runtime of its own, and a kill drops all of it at once: nothing of a killed life gets to say a last word.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use gatewatch::config::Config;
use gatewatch::engine::{Counted, Settings};
use gatewatch::model::notice::Notice;
use gatewatch::model::own::Own;
use gatewatch::model::time::Timestamp;
use gatewatch::notify::json;
use gatewatch::notify::message::{AlertMessage, Message};
use gatewatch::notify::origin::Origin;
use gatewatch::notify::sink::{Deliver, SendError};
use gatewatch::ops::clock::Clock;
use gatewatch::run::keep::{Keep, Restored, Synced, VERSION};
use gatewatch::run::live::{Ear, Live};
use gatewatch::run::pipeline::{Pipeline, Said};
use gatewatch::run::post::{Opening, Post};
use gatewatch::run::recollect;
use gatewatch::sim::traffic::serial_of;
use gatewatch::sim::{Answered, Service};
use gatewatch::state::store::{StateError, Store};
use gatewatch::tail::fetch::{Connect, Fetch, FetchError, Page, PageRequest, Problem, RawEvent};
use gatewatch::tail::groups::{List, Listed, Listing, Pattern};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// 2026-11-22T09:00:00Z.
const START: i64 = 1_795_338_000_000;
pub(crate) const REGION: &str = "eu-west-1";
/// What the SDK waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The simulation, the time, and what was asked and said so far.
pub(crate) struct World {
    pub(crate) service: Service,
    time: Arc<Mutex<Time>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Requests as they were said, without those that were said again.
    pub(crate) heard: Vec<Heard>,
    messages: Arc<Mutex<Vec<Arc<Message>>>>,
    /// The log group that what it prints goes to, if there is one.
    pub(crate) output: Option<Own>,
}

/// A clock lives as long as its runtime; between two lives time is a number.
enum Time {
    Stands(Timestamp),
    Runs(Clock),
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Timestamp,
    pub(crate) group: Arc<str>,
    pub(crate) from: Timestamp,
    pub(crate) to: Option<Timestamp>,
    pub(crate) first_page: bool,
    pub(crate) newest_first: bool,
    pub(crate) throttled: bool,
}

/// One request that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) at: Timestamp,
    /// Of the traffic that made it.
    pub(crate) seed: u64,
    pub(crate) serial: u64,
    pub(crate) time: Timestamp,
    pub(crate) failed: bool,
}

/// How a life ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// In order.
    Stop(Timestamp),
    /// By the clock.
    Kill(Timestamp),
    /// After so many steps of the engine's owner from that time on: anywhere between two of its waits.
    KillAfter(Timestamp, u32),
}

/// What was counted, as the state folder has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// By API.
    pub(crate) counted: Vec<Counted>,
    /// Events, by log group.
    pub(crate) events: BTreeMap<String, u64>,
}

impl Totals {
    fn requests(&self) -> u64 {
        self.counted.iter().map(|api| api.requests).sum()
    }
}

pub(crate) fn minutes(n: u64) -> Duration {
    Duration::from_mins(n)
}

impl World {
    pub(crate) fn new() -> Self {
        let time = Arc::new(Mutex::new(Time::Stands(Timestamp::from_millis(START))));
        let shown = Arc::clone(&time);
        let service = Service::new(Arc::new(move || match &*shown.lock().unwrap_or_else(PoisonError::into_inner) {
            Time::Stands(at) => *at,
            Time::Runs(clock) => clock.now(),
        }));
        Self { service, time, asked: Arc::default(), heard: Vec::new(), messages: Arc::default(), output: None }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.service.now()
    }

    /// Time passes while nobody reads.
    pub(crate) fn pass(&self, span: Duration) {
        let now = self.now().plus(span);
        // Not in one line: `now` looks there.
        *self.time.lock().expect("nobody panics with it") = Time::Stands(now);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panics with it").clone()
    }

    /// What the sink got, in order; each as often as it got it.
    pub(crate) fn messages(&self) -> Vec<Arc<Message>> {
        self.messages.lock().expect("nobody panics with it").clone()
    }

    /// The alerts among what the sink got.
    pub(crate) fn alerts(&self) -> Vec<AlertMessage> {
        self.messages().iter().filter_map(|m| m.alert().cloned()).collect()
    }

    /// The notices among what the sink got.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let notice = |m: &Arc<Message>| if let Message::Notice(n) = &**m { Some(Notice::clone(n)) } else { None };
        self.messages().iter().filter_map(notice).collect()
    }

    /// One life of the daemon. Returns how many requests of the life before are said again, because they were counted
    /// after its last snapshot.
    pub(crate) fn live(&mut self, config: &Config, history: Duration, folder: Option<&Path>, end: End) -> usize {
        let before = self.heard.len();
        let kept = folder.map(|folder| Keep::load(open(folder)).expect("the state folder can be read"));
        if let Some((_, restored)) = &kept {
            let known = totals(restored, config).requests();
            // What was said after the state was saved is said again.
            self.heard.truncate(usize::try_from(known).expect("a few at most"));
            assert_eq!(self.heard.len() as u64, known, "more is counted than was ever said");
        }
        let again = before - self.heard.len();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime can be made");
        let (start, told) = (self.now(), self.messages().len());
        runtime.block_on(async {
            let clock = Clock::from(start, 1);
            *self.time.lock().expect("nobody panics with it") = Time::Runs(clock.clone());
            Box::pin(self.watch(config, history, kept, end, clock)).await;
            // Before the runtime and its clock go.
            self.pass(Duration::ZERO);
        });
        // The end of the runtime waits for a file that is being written, and drops all else where it stands.
        drop(runtime);
        if let Some(own) = &self.output {
            for message in &self.messages()[told..] {
                // In ECS a stream is named PREFIX/CONTAINER/TASK; each life is another task.
                let stream = format!("{}{told}", own.group.streams.as_deref().unwrap_or_default());
                let line = json::render(message, &Origin { host: None, task: own.task.clone() });
                self.service.put(&own.group.name, &stream, message.time(), self.now(), &line);
            }
        }
        again
    }

    async fn watch(
        &mut self,
        config: &Config,
        history: Duration,
        kept: Option<(Keep, Restored)>,
        end: End,
        clock: Clock,
    ) {
        let decided = kept.as_ref().map_or(0, |(_, restored)| restored.decided);
        let mut opening = match &kept {
            Some((keep, _)) => Opening::kept(keep.store(), decided).expect("the journal can be read"),
            None => Opening::new(),
        };
        let mut logs = Logs { service: self.service.clone(), asked: Arc::clone(&self.asked) };
        let mut said_since = opening.decisions_after(decided);
        if let (Some(own), None) = (&self.output, &kept) {
            said_since = recollect::told(&logs, own, config, &clock).await;
        }
        opening.sink("stdout".into(), Wall(Arc::clone(&self.messages)));
        let stop = CancellationToken::new();
        let (keep, restored) = kept.unzip();
        let live = Live {
            config: config.clone(),
            region: REGION.to_owned(),
            clock: clock.clone(),
            history,
            requests: true,
            questions: None,
            keep,
            restored: restored.unwrap_or_default(),
            said_since,
            stop: stop.clone(),
        };
        let mut ear = Listener { heard: &mut self.heard, post: opening.start(), clock: clock.clone() };
        {
            let mut watching = pin!(live.watch(&mut logs, &mut ear));
            match end {
                End::Stop(at) => {
                    let end = async {
                        clock.sleep_until(at).await;
                        stop.cancel();
                        pending::<()>().await;
                    };
                    tokio::select! {
                        outcome = &mut watching => drop(outcome.expect("nothing fails but what AWS answers")),
                        () = end => unreachable!("it waits for ever"),
                    }
                }
                End::Kill(at) => {
                    tokio::select! {
                        _ = &mut watching => panic!("it ended by itself"),
                        () = clock.sleep_until(at) => return,
                    }
                }
                End::KillAfter(at, steps) => {
                    let mut left = steps;
                    let killed = std::future::poll_fn(|context| {
                        assert!(watching.as_mut().poll(context).is_pending(), "it ended by itself");
                        if clock.now() < at {
                            return Poll::Pending;
                        }
                        left = left.saturating_sub(1);
                        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
                    });
                    killed.await;
                    return;
                }
            }
        }
        ear.post.stop().await;
    }

    /// What the state folder says.
    pub(crate) fn saved(folder: &Path, config: &Config) -> Totals {
        let (_, restored) = Keep::load(open(folder)).expect("the state folder can be read");
        totals(&restored, config)
    }
}

/// The folder of a life that ended just now: a thread of it may have a file in its hand.
fn open(folder: &Path) -> Store {
    for _ in 0..10_000 {
        match Store::open(folder, VERSION) {
            Ok((store, _)) => return store,
            Err(StateError::InUse { .. }) => std::thread::sleep(Duration::from_millis(1)),
            Err(e) => panic!("{e}"),
        }
    }
    panic!("{} is not let go", folder.display());
}

fn totals(restored: &Restored, config: &Config) -> Totals {
    let Some(saved) = &restored.pipeline else { return Totals::default() };
    let mut inventory = config.add_to(restored.inventory.clone(), REGION);
    for watched in config.patterns(&inventory, REGION) {
        watched.take_in(&mut inventory);
    }
    let names = restored.inventory.sources.iter().map(|source| source.name.to_string());
    let events = names.zip(restored.seen.iter().map(gatewatch::tail::seen::Seen::events)).collect();
    let settings = Settings { requests: true, ..Settings::new(Arc::new(inventory)) };
    let pipeline = Pipeline::restore(settings, &config.planning(), saved).expect("the state is whole");
    Totals { counted: pipeline.engine().counted().to_vec(), events }
}

/// Hears requests, and hands messages to the post as the daemon does.
struct Listener<'a> {
    heard: &'a mut Vec<Heard>,
    post: Post,
    clock: Clock,
}

impl Ear for Listener<'_> {
    fn hear(&mut self, said: Said) {
        match said {
            Said::Request(request) => {
                let id = request.request_id.as_deref().unwrap_or_default();
                let seed = id.get(..8).and_then(|hex| u64::from_str_radix(hex, 16).ok());
                self.heard.push(Heard {
                    at: self.clock.now(),
                    seed: seed.expect("the traffic gives each an ID"),
                    serial: serial_of(id).expect("the traffic gives each an ID"),
                    time: request.time(),
                    failed: request.is_failure(),
                });
            }
            Said::Message { to, message } => self.post.put(&to, &message),
            Said::Failure(_) => {}
        }
    }

    fn last(&self) -> u64 {
        self.post.last()
    }

    fn synced(&self) -> Synced {
        // The journal has a thread of its own. The clock stands while that writes, as it does for the snapshot.
        let synced = self.post.synced();
        let wait = || tokio::runtime::Handle::current().block_on(synced);
        Box::pin(async { tokio::task::spawn_blocking(wait).await.unwrap_or(false) })
    }

    fn saved(&mut self, number: u64) {
        self.post.forget_through(number);
    }
}

/// A sink that keeps what it gets.
struct Wall(Arc<Mutex<Vec<Arc<Message>>>>);

impl Deliver for Wall {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        self.0.lock().expect("nobody panics with it").push(Arc::new(message.clone()));
        Ok(())
    }
}

/// In place of the SDK.
#[derive(Clone)]
struct Logs {
    service: Service,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Line>,
    #[serde(rename = "nextToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    event_id: String,
    log_stream_name: String,
    timestamp: i64,
    ingestion_time: i64,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Groups {
    log_groups: Vec<Group>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    log_group_name: String,
    creation_time: i64,
    log_group_class: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    code: String,
    message: String,
}

impl Logs {
    async fn call(&self, operation: &str, body: &serde_json::Value) -> Result<String, FetchError> {
        let gone = |said: &str| FetchError { problem: Problem::Unreachable, said: said.to_owned() };
        let answer = async {
            match self.service.call(operation, body.to_string().as_bytes()) {
                Answered::Reply { after, status, body } => {
                    sleep(after).await;
                    if status == 200 { Ok(body) } else { Err(refusal(&body)) }
                }
                Answered::Hang => pending().await,
                Answered::Reset { after } => {
                    sleep(after).await;
                    Err(gone("connection refused"))
                }
            }
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(gone("no answer in 30 s")))
    }
}

/// As `aws/fetch.rs` sorts them.
fn refusal(body: &str) -> FetchError {
    let Refusal { code, message } = serde_json::from_str(body).expect("an error is JSON");
    let problem = match code.as_str() {
        "ThrottlingException" => Problem::Throttled,
        "ResourceNotFoundException" => Problem::NotFound,
        "AccessDeniedException" => Problem::Denied,
        "InvalidOperationException" => Problem::Unsupported,
        "InvalidParameterException" if message.to_ascii_lowercase().contains("token") => Problem::BadToken,
        "InvalidParameterException" | "SerializationException" => Problem::Refused,
        "ExpiredTokenException" => Problem::Credentials,
        _ => Problem::Service,
    };
    FetchError { problem, said: format!("{code}: {message}") }
}

impl Fetch for Logs {
    async fn page(&self, request: &PageRequest) -> Result<Page, FetchError> {
        let ask = &request.ask;
        let at = self.service.now();
        let mut body = json!({ "logGroupName": &*request.group, "startTime": ask.from.as_millis() });
        if let Some(to) = ask.to {
            body["endTime"] = to.as_millis().into();
        }
        if let Some(prefix) = request.streams.as_deref() {
            body["logStreamNamePrefix"] = prefix.into();
        }
        match &ask.token {
            Some(token) => body["nextToken"] = token.as_str().into(),
            None if ask.newest_first => body["startFromHead"] = false.into(),
            None => {}
        }
        let answer = self.call("FilterLogEvents", &body).await;
        let throttled = matches!(&answer, Err(e) if e.problem == Problem::Throttled);
        self.asked.lock().expect("nobody panics with it").push(Asked {
            at,
            group: Arc::clone(&request.group),
            from: ask.from,
            to: ask.to,
            first_page: ask.token.is_none(),
            newest_first: ask.newest_first,
            throttled,
        });
        let Events { events, next } = serde_json::from_str(&answer?).expect("an answer is JSON");
        let events = events.into_iter().map(|event| RawEvent {
            event_id: event.event_id,
            stream: event.log_stream_name,
            time: Timestamp::from_millis(event.timestamp),
            ingested: Some(event.ingestion_time),
            text: event.message,
        });
        let answered = Some(self.service.now().floor(Duration::from_secs(1)));
        Ok(Page { events: events.collect(), next, answered })
    }
}

impl List for Logs {
    async fn list(&self, pattern: &Pattern, token: Option<String>) -> Result<Listing, FetchError> {
        let mut body = json!({ "logGroupNamePrefix": pattern.prefix() });
        if let Some(token) = token {
            body["nextToken"] = token.into();
        }
        let answer = self.call("DescribeLogGroups", &body).await?;
        let Groups { log_groups, next_token } = serde_json::from_str(&answer).expect("an answer is JSON");
        let fitting = log_groups.into_iter().filter(|group| pattern.matches(&group.log_group_name));
        let listed = fitting.map(|group| Listed {
            name: group.log_group_name.into(),
            created: group.creation_time,
            readable: group.log_group_class == "STANDARD",
        });
        Ok(Listing { groups: listed.collect(), next: next_token })
    }
}

impl Connect for Logs {
    type Logs = Self;

    async fn logs(&mut self, _: &str, _: Option<&str>) -> Self {
        self.clone()
    }
}
