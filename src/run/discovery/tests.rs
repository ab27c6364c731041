//! The task that looks, on a paused clock: with answers that come when the test says so.

use std::collections::VecDeque;
use std::path::Path;

use tokio::time::advance;

use super::*;
use crate::model::problem::Problem;

/// What is still to be answered, and how often was asked.
type Answers = Arc<Mutex<(VecDeque<Look>, usize)>>;

/// Answers in turn; the last one for ever.
struct Script(Answers);

impl Explore for Script {
    fn explore<'a>(&'a mut self, _: &'a Sought) -> Pin<Box<dyn Future<Output = Look> + Send + 'a>> {
        let mut script = lock(&self.0);
        script.1 += 1;
        let next = if script.0.len() > 1 { script.0.pop_front() } else { script.0.front().cloned() };
        let next = next.expect("there is an answer");
        Box::pin(async move { next })
    }
}

fn found(group: &str) -> (Found, Vec<Gap>) {
    let found = Found {
        api: "shop".to_owned(),
        id: "a1b2".to_owned(),
        stage: "prod".to_owned(),
        kind: crate::model::inventory::ApiKind::Rest,
        region: "eu-west-1".to_owned(),
        account: None,
        access_log_group: Some(group.to_owned()),
        access_log_format: None,
        execution_log_group: None,
        lambda_log_groups: Vec::new(),
        functions: BTreeMap::new(),
        integration_timeout: None,
    };
    (found, Vec::new())
}

fn denied() -> Look {
    Err(Miss { why: Why::Unasked(Problem::Denied), said: "apigateway:GET".to_owned() })
}

fn config() -> Config {
    let text = "[[api]]\nname = \"s\"\ndiscover = \"shop/prod\"\n[[api]]\nname = \"b\"\naccess_log_groups = [\"/b\"]\n";
    Config::parse(text, Path::new("c.toml")).unwrap()
}

fn script(looks: impl IntoIterator<Item = Look>) -> (Script, Answers) {
    let shared = Arc::new(Mutex::new((looks.into_iter().collect(), 0)));
    (Script(Arc::clone(&shared)), shared)
}

#[tokio::test(start_paused = true)]
async fn the_first_looks_are_waited_for_where_that_matters() {
    let clock = Clock::from(Timestamp::from_millis(1_795_338_000_000), 1);
    for (looks, groups) in [(vec![Ok(found("/one"))], vec!["/one".to_owned()]), (vec![denied()], Vec::new())] {
        let (explore, counted) = script(looks);
        let (discovery, looking) = Discovery::start(explore, None, clock.clone());
        assert!(discovery.seek(config(), "eu-west-1", clock.now()).apis[0].access_log_groups.is_empty());
        let running = discovery.settled(Duration::from_secs(20)).await;
        assert_eq!(running.apis[0].access_log_groups, groups);
        assert_eq!(lock(&counted).1, 1, "no longer than for the first answer");
        looking.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_found_is_watched_when_it_is_and_again_when_it_changes() {
    let clock = Clock::from(Timestamp::from_millis(1_795_338_000_000), 1);
    let (explore, counted) = script([denied(), Ok(found("/one")), Ok(found("/one")), Ok(found("/two"))]);
    let (discovery, looking) = Discovery::start(explore, None, clock.clone());
    let running = discovery.seek(config(), "eu-west-1", clock.now());
    assert_eq!(running, config(), "the other API is watched at once");
    let report = discovery.report();
    assert_eq!(report.len(), 1, "the other one is not sought");
    assert!(!report[0].tried && !report[0].watched, "{report:?}");

    discovery.changed().await;
    let report = discovery.report();
    assert!(!report[0].tried && !report[0].watched && report[0].failed == 1, "not watched yet: {report:?}");
    let running = discovery.fill();
    assert_eq!(running.apis[0].access_log_groups, ["/one"]);
    let report = discovery.report();
    assert!(report[0].tried && report[0].watched && report[0].why.is_none(), "{report:?}");
    assert_eq!(lock(&counted).1, 2);

    let began = clock.now();
    discovery.changed().await;
    assert_eq!(clock.now().since(began).as_secs(), 1200, "two looks, of which one saw nothing new");
    assert_eq!(discovery.fill().apis[0].access_log_groups, ["/two"]);
    looking.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_looks_at_once() {
    let clock = Clock::from(Timestamp::from_millis(1_795_338_000_000), 1);
    let (explore, counted) = script([Ok(found("/one")), Ok(found("/two"))]);
    let (discovery, looking) = Discovery::start(explore, None, clock.clone());
    let _ = discovery.seek(config(), "eu-west-1", clock.now());
    discovery.changed().await;
    let _ = discovery.fill();
    advance(Duration::from_secs(5)).await;
    let began = clock.now();
    let running = discovery.seek(config(), "eu-west-1", clock.now());
    assert_eq!(running.apis[0].access_log_groups, ["/one"], "what is known stays meanwhile");
    discovery.changed().await;
    assert_eq!(
        (discovery.fill().apis[0].access_log_groups[0].as_str(), clock.now().since(began).as_secs()),
        ("/two", 0)
    );
    assert_eq!(lock(&counted).1, 2);
    looking.stop().await;
}

#[tokio::test]
async fn what_was_found_is_kept_and_used_until_there_is_an_answer() {
    let clock = Clock::wall();
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(folder.path(), 1).unwrap().0;
    {
        let store = open();
        let (explore, _) = script([Ok(found("/kept"))]);
        let (discovery, looking) = Discovery::start(explore, Some(&store), clock.clone());
        let _ = discovery.seek(config(), "eu-west-1", clock.now());
        discovery.changed().await;
        looking.stop().await;
    }
    let store = open();
    let (explore, _) = script([denied()]);
    let (discovery, looking) = Discovery::start(explore, Some(&store), clock.clone());
    let running = discovery.seek(config(), "eu-west-1", clock.now());
    assert_eq!(running.apis[0].access_log_groups, ["/kept"]);
    while !discovery.report()[0].tried {
        tokio::task::yield_now().await;
    }
    let report = discovery.report();
    assert!(report[0].watched && report[0].why.as_deref() == Some("apigateway:GET"), "{report:?}");
    looking.stop().await;
    drop(store);
    // Another Region is another API; and what is damaged is looked for anew.
    let store = open();
    let (explore, _) = script([denied()]);
    let (discovery, looking) = Discovery::start(explore, Some(&store), clock.clone());
    assert_eq!(discovery.seek(config(), "us-east-1", clock.now()), config());
    looking.stop().await;
    drop(store);
    std::fs::write(folder.path().join(NAME), b"gwsnap\r\nnonsense").unwrap();
    let store = open();
    let (explore, _) = script([denied()]);
    let (discovery, looking) = Discovery::start(explore, Some(&store), clock.clone());
    assert_eq!(discovery.seek(config(), "eu-west-1", clock.now()), config());
    looking.stop().await;
}
