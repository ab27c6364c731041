//! How much memory the daemon takes at a thousand events a second.
//!
//! The simulation would hold an hour of events, which is more than is measured: here each event is a function of its
//! number, and a page is made when it is asked for. What is measured is this process: the daemon, a page, the tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatewatch::config::Config;
use gatewatch::model::time::Timestamp;
use gatewatch::ops::clock::Clock;
use gatewatch::run::keep::{Keep, VERSION};
use gatewatch::run::live::Live;
use gatewatch::run::pipeline::Said;
use gatewatch::state::store::Store;
use gatewatch::tail::fetch::{Connect, Fetch, FetchError, Page, PageRequest, RawEvent};
use gatewatch::tail::groups::{List, Listing, Pattern};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use super::world::{REGION, World, minutes};

/// Events on a page of 1 MiB, at 215 bytes each and 26 for each.
const PAGE: i64 = 1_048_576 / (215 + 26);
const SPAN: Duration = Duration::from_hours(2);
const MB: usize = 1_000_000;

/// One event each millisecond since `begin`.
#[derive(Clone)]
struct Generated {
    begin: Timestamp,
    clock: Clock,
}

impl Generated {
    /// From an event's stamp until it can be read: seconds, and for one in two thousand up to 20 minutes.
    fn is_visible(&self, number: i64, now: i64) -> bool {
        let chance = xxh3_64(&number.to_le_bytes());
        let per_mille = i64::try_from(chance % 1000).expect("it is less than a thousand");
        let lag = match chance >> 32 {
            rare if rare % 2000 == 0 => 1_200 * per_mille,
            rare if rare % 100 == 0 => 10_000,
            _ => 1_000 + 2 * per_mille,
        };
        self.begin.as_millis() + number + lag <= now
    }

    fn event(&self, number: i64) -> RawEvent {
        let time = self.begin.as_millis() + number;
        let text = format!(
            r#"{{"requestId":"{number:08x}-0000-4000-8000-{number:012x}","requestTimeEpoch":"{time}","httpMethod":"GET","routeKey":"GET /items/{{id}}","status":"200","responseLatency":"{}","responseLength":"512","userAgent":"curl/8"}}"#,
            number % 900
        );
        let event_id = format!("3{number:055}");
        RawEvent { event_id, stream: String::new(), time: Timestamp::from_millis(time), ingested: Some(time), text }
    }
}

impl Fetch for Generated {
    async fn page(&self, request: &PageRequest) -> Result<Page, FetchError> {
        tokio::time::sleep(Duration::from_millis(80)).await;
        let (ask, now) = (&request.ask, self.clock.now().as_millis());
        let begin = self.begin.as_millis();
        let first = (ask.from.as_millis() - begin).max(0);
        let last = ask.to.map_or(now, |to| to.as_millis().min(now)) - begin;
        let done: i64 = ask.token.as_ref().map_or(0, |token| token.parse().expect("it is ours"));
        let numbers = (done..(done + PAGE).min(last - first + 1)).map(|nth| {
            // A token keeps the order that it began with, and here its end.
            if ask.newest_first { last - nth } else { first + nth }
        });
        let events = numbers.filter(|number| self.is_visible(*number, now)).map(|number| self.event(number)).collect();
        let next = (first + done + PAGE <= last).then(|| (done + PAGE).to_string());
        Ok(Page { events, next, answered: None })
    }
}

impl List for Generated {
    async fn list(&self, _: &Pattern, _: Option<String>) -> Result<Listing, FetchError> {
        Ok(Listing::default())
    }
}

impl Connect for Generated {
    type Logs = Self;

    async fn logs(&mut self, _: &str, _: Option<&str>) -> Self {
        self.clone()
    }
}

/// The resident set of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("the second number is it");
    pages * 4096
}

/// Minutes of computing in a debug build, so it is run by itself and with some optimising:
/// `cargo test --config profile.dev.package.gatewatch.opt-level=2 --test it exactness::memory -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn a_thousand_events_a_second_take_less_than_a_hundred_megabytes() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (store, _) = Store::open(folder.path(), VERSION).expect("a new folder can be used");
    let keep = Keep::load(store).expect("nothing is in it");
    let before = resident();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let start = World::new().now();
    let mut config = Config::ad_hoc("shop", vec!["/aws/apigateway/shop".to_owned()], Vec::new());
    // As in us-east-1: the default quota would be too little for one log of this volume.
    config.poll.quota = Some(25.0);
    let taken = Arc::new(Mutex::new(Vec::new()));
    runtime.expect("a runtime can be made").block_on(async {
        let (clock, stop) = (Clock::from(start, 1), CancellationToken::new());
        let live = Live {
            config: config.clone(),
            region: REGION.to_owned(),
            clock: clock.clone(),
            history: minutes(5),
            requests: false,
            questions: None,
            keep: Some(keep.0),
            restored: keep.1,
            said_since: Vec::new(),
            stop: stop.clone(),
        };
        let (watch, samples) = (clock.clone(), Arc::clone(&taken));
        tokio::spawn(async move {
            while watch.now() < start.plus(SPAN) {
                watch.sleep_until(watch.now().plus(minutes(1))).await;
                let (minute, bytes) = (watch.now().since(start).as_secs() / 60, resident());
                samples.lock().expect("nobody panics with it").push(bytes);
                if minute % 10 == 0 {
                    println!("after {minute} min {} MB", bytes / MB);
                }
            }
            stop.cancel();
        });
        let mut logs = Generated { begin: start, clock };
        live.watch(&mut logs, &mut |_: Said| {}).await.expect("nothing fails");
    });
    let taken = taken.lock().expect("nobody panics with it").clone();
    let most = taken.iter().max().expect("many were taken");
    // Ids are kept for the hour that cold reads reach back, for the ten minutes between them, and a little more.
    let (settled, late) = (taken[75..85].iter().max(), taken[110..].iter().max());
    let (settled, late) = (settled.expect("ten"), late.expect("ten"));
    println!("before {} MB, most {} MB, settled {} MB, at last {} MB", before / MB, most / MB, settled / MB, late / MB);
    let made = u64::try_from(SPAN.as_millis()).expect("some millions");
    let counted = World::saved(folder.path(), &config).counted[0].requests;
    println!("{counted} of {made} were counted, and the last seconds are not visible");
    assert!(counted <= made && counted > made - 60_000);
    assert!(*most < 100 * MB, "{} MB", most / MB);
    assert!(*late < settled + 5 * MB, "it grows: {} MB, then {} MB", settled / MB, late / MB);
}
