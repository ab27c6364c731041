//! Laws of the post: a decision is delivered, or stands in the journal, or was given up; it is repeated only when the
//! process died between the service's answer and the mark.

use std::collections::BTreeMap;
use std::fs;
use std::future::pending;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::alert::{Alert, AlertKey, CauseCount, CauseSample, Measure, Reason, Severity, State, Subject};
use crate::model::cause::{CauseKind, Fix};
use crate::model::inventory::ApiId;
use crate::model::request::Endpoint;
use crate::model::time::Timestamp;
use crate::notify::message::AlertMessage;
use crate::notify::sink::SendError;

fn message(n: u32) -> Arc<Message> {
    let sample = CauseSample {
        error_type: Some("TypeError".into()),
        fix: Some(Arc::new(Fix { text: "x".repeat(300), command: None })),
        ..CauseSample::default()
    };
    let subject = Subject::Endpoint(Arc::new(Endpoint::new("POST", "/checkout")));
    let said = AlertMessage {
        alert: Alert {
            key: AlertKey { rule: "endpoint-5xx".into(), api: ApiId(0), subject },
            state: State::Firing,
            severity: if n % 5 == 4 { Severity::Elevated } else { Severity::High },
            worst: if n % 5 == 4 { Severity::Elevated } else { Severity::High },
            measure: Measure::Failures,
            value: 0.4,
            threshold: 0.01,
            errors: 12,
            requests: 30,
            window: Duration::from_mins(5),
            time: Timestamp::from_millis(1_785_231_944_443),
            since: Timestamp::from_millis(1_785_231_944_000),
            episode: format!("e{}", n / 10).into(),
            holds: true,
            causes: vec![CauseCount {
                kind: CauseKind::UnhandledException,
                count: 12,
                certain: 12,
                sample: Arc::new(sample),
            }],
            flapping: false,
            endpoints: Vec::new(),
            before: None,
            blindness: None,
        },
        api: "shop".into(),
        reason: Reason::New,
        seq: n % 10 + 1,
        query: None,
    };
    Arc::new(said.into())
}

fn put(post: &mut Post, sinks: &[&str], message: &Arc<Message>) {
    for name in sinks {
        post.put(&(*name).into(), message);
    }
}

/// The number that [`message`] was made with.
fn number(message: &Message) -> u32 {
    message.episode()[1..].parse::<u32>().unwrap() * 10 + message.seq() - 1
}

/// What a service behind a sink does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Takes,
    /// It takes it, and its answer never comes.
    TakesInSilence,
    Hangs,
    Refuses,
}

/// What the services of all lives got, by sink, and which life is the present one.
#[derive(Default)]
struct World {
    life: u32,
    got: BTreeMap<String, Vec<(u32, u32)>>,
    refused: BTreeMap<String, Vec<u32>>,
}

type Shared = Arc<Mutex<World>>;

fn lock(world: &Shared) -> std::sync::MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Fake {
    name: &'static str,
    /// In turn; the last for ever.
    does: Vec<Does>,
    life: u32,
    world: Shared,
}

impl Deliver for Fake {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        let does = if self.does.len() > 1 { self.does.remove(0) } else { self.does[0] };
        let answer = {
            let mut world = lock(&self.world);
            let n = number(message);
            match does {
                _ if world.life != self.life => None,
                Does::Hangs => None,
                Does::Takes | Does::TakesInSilence => {
                    world.got.entry(self.name.to_owned()).or_default().push((self.life, n));
                    (does == Does::Takes).then_some(Ok(()))
                }
                Does::Refuses => {
                    world.refused.entry(self.name.to_owned()).or_default().push(n);
                    Some(Err(SendError::never("no")))
                }
            }
        };
        match answer {
            Some(answer) => answer,
            None => pending().await,
        }
    }
}

/// A folder that processes live and die in.
struct Bench {
    folder: TempDir,
    world: Shared,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), world: Shared::default() }
    }

    fn opening(&self, known: u64) -> Opening {
        let (store, _) = Store::open(self.folder.path(), 1).unwrap();
        let opening = Opening::kept(&store, known).unwrap();
        Opening { drain: Duration::from_millis(20), ..opening }
    }

    fn fake(&self, name: &'static str, does: &[Does]) -> Fake {
        let life = lock(&self.world).life;
        Fake { name, does: does.to_vec(), life, world: Arc::clone(&self.world) }
    }

    fn start(&self, sinks: &[(&'static str, &[Does])]) -> Post {
        let mut opening = self.opening(0);
        for (name, does) in sinks {
            opening.sink((*name).into(), self.fake(name, does));
        }
        opening.start()
    }

    /// The process is killed: what it has not written by now is never written, and what it has not sent is never sent.
    fn kill(&mut self, post: Post) {
        let mut world = lock(&self.world);
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            // A file that is renamed meanwhile is not there any more: as the system would have it.
            let _ = fs::copy(&path, copy.path().join(path.file_name().unwrap()));
        }
        world.life += 1;
        self.folder = copy;
        drop(post);
    }

    fn got(&self, name: &str) -> Vec<u32> {
        lock(&self.world).got.get(name).map(|got| got.iter().map(|(_, n)| *n).collect()).unwrap_or_default()
    }

    /// What is not settled by what stands on disk now.
    fn pending(&self) -> Vec<(String, u32)> {
        pending_in(self.folder.path())
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..5000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it never came true: {what}; pending: {:?}", self.pending());
    }
}

fn pending_in(folder: &Path) -> Vec<(String, u32)> {
    let copy = tempfile::tempdir().unwrap();
    fs::copy(folder.join("journal"), copy.path().join("journal")).unwrap();
    let (store, _) = Store::open(copy.path(), 1).unwrap();
    let (_, recovered) = Journal::open(&store, FORMAT).unwrap();
    let (ledger, unread) = Ledger::read(&recovered.records);
    assert!(unread.is_empty(), "{unread:?}");
    ledger.pending().map(|(_, sink, message)| (sink.to_string(), number(message))).collect()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(test);
    runtime.shutdown_background();
}

#[test]
fn death_at_each_point() {
    run(async {
        // After the append, before the delivery.
        let mut bench = Bench::new();
        let mut post = bench.start(&[("a", &[Does::Hangs])]);
        put(&mut post, &["a"], &message(1));
        assert!(post.synced().await);
        bench.kill(post);
        let post = bench.start(&[("a", &[Does::TakesInSilence])]);
        bench.until("it is delivered", |b| b.got("a") == [1]).await;
        // After the delivery, before the mark.
        bench.kill(post);
        let mut post = bench.start(&[("a", &[Does::Takes])]);
        bench.until("it is delivered again, once", |b| b.got("a") == [1, 1]).await;
        bench.until("it is marked", |b| b.pending().is_empty()).await;
        // After the mark; the engine comes to the same decision, and to one more.
        bench.kill(post);
        post = bench.start(&[("a", &[Does::Takes])]);
        put(&mut post, &["a"], &message(1));
        put(&mut post, &["a"], &message(2));
        post.stop().await;
        assert_eq!(bench.got("a"), [1, 1, 2]);
        assert!(bench.pending().is_empty());
    });
}

#[test]
fn nothing_reaches_a_sink_before_it_is_on_disk() {
    run(async {
        let bench = Bench::new();
        let mut post = bench.start(&[("a", &[Does::TakesInSilence])]);
        put(&mut post, &["a"], &message(1));
        bench.until("it is delivered", |b| b.got("a") == [1]).await;
        assert_eq!(bench.pending(), [("a".to_owned(), 1)]);
    });
}

#[test]
fn what_is_not_delivered_in_time_stays_and_goes_out_at_the_next_start() {
    run(async {
        let mut bench = Bench::new();
        let mut post = bench.start(&[("a", &[Does::Takes]), ("b", &[Does::Takes, Does::Hangs])]);
        (0..3).for_each(|n| put(&mut post, &["a", "b"], &message(n)));
        post.stop().await;
        assert_eq!(bench.pending(), [("b".to_owned(), 1), ("b".to_owned(), 2)]);
        let life = lock(&bench.world).life;
        lock(&bench.world).life = life + 1;
        let post = bench.start(&[("a", &[Does::Takes]), ("b", &[Does::Takes])]);
        bench.until("all is delivered", |b| b.got("b").len() == 3).await;
        post.stop().await;
        assert_eq!((bench.got("a"), bench.got("b")), (vec![0, 1, 2], vec![0, 1, 2]));
        assert!(bench.pending().is_empty());
        // Given up is settled too.
        let mut opening = bench.opening(0);
        opening.sink("a".into(), bench.fake("a", &[Does::Refuses]));
        let mut post = opening.start();
        put(&mut post, &["a"], &message(4));
        post.stop().await;
        assert!(bench.pending().is_empty());
        bench.folder = tempfile::tempdir().unwrap();
    });
}

#[test]
fn a_sink_that_is_gone_is_let_go_and_a_new_one_gets_nothing_old() {
    run(async {
        let bench = Bench::new();
        let mut post = bench.start(&[("a", &[Does::Hangs]), ("a#2", &[Does::Hangs]), ("b", &[Does::Hangs])]);
        put(&mut post, &["a", "a#2", "b"], &message(0));
        post.stop().await;
        let standing = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), 0)).collect::<Vec<_>>();
        assert_eq!(bench.pending(), standing(&["a", "a#2", "b"]));
        let post = bench.start(&[("a", &[Does::Hangs]), ("c", &[Does::Takes])]);
        post.stop().await;
        assert_eq!(bench.pending(), standing(&["a"]));
        assert!(bench.got("c").is_empty());
    });
}

#[test]
fn sinks_come_and_go_while_it_runs() {
    run(async {
        let mut bench = Bench::new();
        let mut post = bench.start(&[("a", &[Does::Hangs]), ("b", &[Does::Takes])]);
        put(&mut post, &["a", "b"], &message(0));
        assert!(post.synced().await);
        post.remove("a");
        post.add("c".into(), bench.fake("c", &[Does::Takes]));
        put(&mut post, &["b", "c"], &message(1));
        bench.until("all that can be is delivered", |b| b.got("b") == [0, 1] && b.got("c") == [1]).await;
        bench.until("what is for nobody any more is let go", |b| b.pending().is_empty()).await;
        assert_eq!(post.report().iter().map(|sink| &*sink.name).collect::<Vec<_>>(), ["b", "c"]);
        bench.kill(post);
        let post = bench.start(&[("a", &[Does::Takes]), ("b", &[Does::Takes]), ("c", &[Does::Takes])]);
        post.stop().await;
        assert!(bench.got("a").is_empty(), "it stands on stderr");
        // Without a state folder.
        let mut opening = Opening::new();
        opening.sink("a".into(), bench.fake("a", &[Does::Hangs]));
        let mut post = opening.start();
        put(&mut post, &["a"], &message(2));
        post.remove("a");
        post.add("d".into(), bench.fake("d", &[Does::Takes]));
        put(&mut post, &["d"], &message(3));
        post.stop().await;
        assert_eq!((bench.got("a"), bench.got("d")), (vec![], vec![3]));
    });
}

#[test]
fn a_sink_reports_what_became_of_its_messages() {
    run(async {
        let bench = Bench::new();
        let does = [Does::Takes, Does::Refuses, Does::Hangs];
        let mut post = bench.start(&[("a", &does)]);
        (0..4).for_each(|n| put(&mut post, &["a"], &message(n)));
        let stands = |post: &Post| {
            let SinkReport { queued, delivered, dead_lettered, failing, .. } = post.report().remove(0);
            (queued, delivered, dead_lettered, failing)
        };
        bench.until("one is taken, one refused, two wait", |_| stands(&post) == (2, 1, 1, true)).await;
    });
}

#[test]
fn more_than_a_queue_holds_is_delivered_in_order() {
    run(async {
        let bench = Bench::new();
        let mut post = bench.start(&[("a", &[Does::Hangs])]);
        for n in 0..2500 {
            if n % 500 == 0 {
                assert!(post.synced().await);
            }
            put(&mut post, &["a"], &message(n));
        }
        assert!(post.synced().await);
        assert_eq!(post.last(), 2500);
        post.stop().await;
        let post = bench.start(&[("a", &[Does::Takes])]);
        bench.until("all is delivered", |b| b.got("a").len() == 2500).await;
        post.stop().await;
        assert_eq!(bench.got("a"), (0..2500).collect::<Vec<_>>());
        assert!(bench.pending().is_empty());
    });
}

#[test]
fn what_a_snapshot_knows_is_forgotten_once_it_is_settled() {
    run(async {
        let bench = Bench::new();
        let mut post = bench.start(&[("a", &[Does::Takes]), ("b", &[Does::Takes, Does::Hangs])]);
        for n in 0..600 {
            // Two decisions for each: no more wait to be written than may.
            if n % 400 == 0 {
                assert!(post.synced().await);
            }
            put(&mut post, &["a", "b"], &message(n));
        }
        bench.until("all is delivered", |b| b.got("a").len() == 600).await;
        post.stop().await;
        let journal = bench.folder.path().join("journal");
        let long = fs::metadata(&journal).unwrap().len();
        assert!(long > 256 << 10, "{long}");

        let opening = bench.opening(0);
        let after: Vec<u32> = opening.decisions_after(1196).iter().map(|(_, m)| number(m)).collect();
        assert_eq!(after, [598, 598, 599, 599]);
        drop(opening);

        let mut opening = bench.opening(0);
        opening.sink("a".into(), bench.fake("a", &[Does::Takes]));
        opening.sink("b".into(), bench.fake("b", &[Does::Takes]));
        let mut post = opening.start();
        bench.until("all is delivered", |b| b.got("b").len() == 600).await;
        bench.until("all is marked", |b| b.pending().is_empty()).await;
        assert_eq!(post.last(), 1200);
        post.forget_through(1200);
        put(&mut post, &["a", "b"], &message(600));
        assert!(post.synced().await);
        post.stop().await;
        // Two decisions, at less than 2 KB each.
        assert!(fs::metadata(&journal).unwrap().len() < 4000, "the file was written anew");
        let opening = bench.opening(1200);
        assert_eq!(opening.decisions_after(1200).len(), 2);
        let post = opening.start();
        assert_eq!(post.last(), 1202, "numbers go on");
        post.stop().await;
        fs::remove_file(&journal).unwrap();
        assert_eq!(bench.opening(1300).start().last(), 1300, "also without the journal");
    });
}

#[test]
fn a_journal_that_cannot_be_written_holds_nothing_up() {
    run(async {
        let bench = Bench::new();
        let mut opening = bench.opening(0);
        opening.sink("a".into(), bench.fake("a", &[Does::Takes, Does::Hangs]));
        // As on a full disk: appending fails, and so does a new file.
        let blocked = bench.folder.path().join("journal.new");
        fs::create_dir(&blocked).unwrap();
        opening.kept.as_mut().unwrap().journal.fail();
        let mut post = opening.start();
        (0..3).for_each(|n| put(&mut post, &["a"], &message(n)));
        assert!(!post.synced().await);
        bench.until("it is delivered all the same", |b| b.got("a") == [0]).await;
        assert!(bench.pending().is_empty());
        fs::remove_dir(&blocked).unwrap();
        assert!(post.synced().await, "there is room again");
        bench.until("all stands there", |b| b.pending() == [("a".to_owned(), 1), ("a".to_owned(), 2)]).await;
        post.stop().await;
        // And a journal that lost its end.
        let journal = bench.folder.path().join("journal");
        let bytes = fs::read(&journal).unwrap();
        fs::write(&journal, &bytes[..bytes.len() - 7]).unwrap();
        let post = bench.start(&[("a", &[Does::Takes])]);
        bench.until("what stands there is delivered", |b| b.got("a").len() > 1).await;
        post.stop().await;
        assert!(bench.pending().is_empty());
    });
}

#[test]
fn without_a_folder_messages_go_straight_out() {
    run(async {
        let bench = Bench::new();
        let mut opening = Opening::new();
        opening.sink("a".into(), bench.fake("a", &[Does::Takes]));
        let mut post = opening.start();
        put(&mut post, &["a"], &message(1));
        put(&mut post, &["a"], &message(1));
        assert!(post.synced().await);
        post.forget_through(post.last());
        post.stop().await;
        assert_eq!((bench.got("a"), lock(&bench.world).life), (vec![1, 1], 0));
    });
}

#[derive(Clone, Debug)]
struct Life {
    /// Messages that are put in this life, besides those of earlier ones that the engine comes to again.
    puts: u32,
    /// Whether it waits for the journal before it dies.
    syncs: bool,
    /// How often other tasks run before it dies.
    yields: usize,
    a: Vec<Does>,
    b: Vec<Does>,
    /// It is stopped in order, not killed.
    stopped: bool,
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let does = || {
        let one = prop_oneof![
            6 => Just(Does::Takes), 1 => Just(Does::TakesInSilence), 1 => Just(Does::Hangs), 1 => Just(Does::Refuses)
        ];
        proptest::collection::vec(one, 1..6)
    };
    let life = (0_u32..6, any::<bool>(), 0_usize..40, does(), does(), proptest::bool::weighted(0.2));
    let life = life.prop_map(|(puts, syncs, yields, a, b, stopped)| Life { puts, syncs, yields, a, b, stopped });
    proptest::collection::vec(life, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_decision_is_delivered_and_repeated_only_by_a_death(lives in lives()) {
        run(async {
            let mut bench = Bench::new();
            let mut decided = 0;
            for life in &lives {
                let before = (bench.got("a"), bench.got("b"));
                let standing = if bench.folder.path().join("journal").exists() { bench.pending() } else { Vec::new() };
                let known = decided;
                let mut post = bench.start(&[("a", &life.a), ("b", &life.b)]);
                // The engine comes to all of it again.
                decided += life.puts;
                (0..decided).for_each(|n| put(&mut post, &["a", "b"], &message(n)));
                if life.syncs {
                    assert!(post.synced().await);
                }
                for _ in 0..life.yields {
                    tokio::task::yield_now().await;
                    std::thread::yield_now();
                }
                if life.stopped { post.stop().await } else { bench.kill(post) }
                lock(&bench.world).life += 1;
                // What was settled on disk when this life began is not sent again.
                for (name, before, now) in [("a", before.0, bench.got("a")), ("b", before.1, bench.got("b"))] {
                    let again = now[before.len()..].iter().filter(|n| **n < known && before.contains(n));
                    again.for_each(|n| assert!(standing.contains(&(name.to_owned(), *n)), "{n} was settled for {name}"));
                }
            }
            let mut post = bench.start(&[("a", &[Does::Takes]), ("b", &[Does::Takes])]);
            (0..decided).for_each(|n| put(&mut post, &["a", "b"], &message(n)));
            post.synced().await;
            bench.until("all is settled", |b| b.pending().is_empty()).await;
            post.stop().await;
            let world = lock(&bench.world);
            for name in ["a", "b"] {
                let got = world.got.get(name).cloned().unwrap_or_default();
                let refused = world.refused.get(name).cloned().unwrap_or_default();
                for n in 0..decided {
                    let times = got.iter().filter(|(_, m)| *m == n).count();
                    assert!(times > 0 || refused.contains(&n), "{n} was lost for {name}");
                    assert!(times <= 1 + lives.len(), "{n} came {times} times");
                }
                assert!(got.windows(2).all(|w| w[0].0 != w[1].0 || w[0].1 < w[1].1), "in order, in each life: {got:?}");
            }
        });
    }
}

#[test]
fn a_record_that_cannot_be_read_is_shown_without_what_may_not_leave() {
    let record = br#"{"decision":{"number":1,"said":"password=hunter2 of ann@example.com from 203.0.113.9"}}"#;
    let (_, unread) = Ledger::read(&[record.to_vec()]);
    assert_eq!(unread.len(), 1);
    assert!(unread[0].contains("password=*** of [email] from [ip]"), "{unread:?}");
}
