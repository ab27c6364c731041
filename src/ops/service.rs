//! The service manager, systemd: told that gatewatch is ready, how it is, that it reloads, stops, and lives.
//!
//! Over the socket that `$NOTIFY_SOCKET` names; where there is none, nothing happens. Not what it is told of: that is
//! the [`Report`]. Rule: it is told that gatewatch lives only when the daemon's loop has just answered. That AWS cannot
//! be reached is no reason to be restarted, a loop that hangs is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::inquiry::{Inquiry, NoAnswer};
use crate::model::report::{Detail, Report};
use crate::model::text::printable;
use crate::model::time::{Timestamp, human};

/// Between two questions to the loop, at most; the watchdog may ask for less.
const EVERY: Duration = Duration::from_secs(5);
/// Between two questions while it is not ready.
const EAGER: Duration = Duration::from_millis(250);
/// The loop answers within this, however busy it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two status texts, at least.
const STATUS_EVERY: Duration = Duration::from_secs(3);
/// While the first reads are made the manager is asked for so much more time, and how often.
const EXTEND_BY: Duration = Duration::from_mins(1);
const EXTEND_EVERY: Duration = Duration::from_secs(10);
/// A source that is not further behind is up to date.
const UP_TO_DATE: Duration = Duration::from_mins(1);

/// How the manager is told.
type Tell = Arc<dyn Fn(&[NotifyState<'_>]) + Send + Sync>;

/// The service manager.
#[derive(Clone)]
pub struct Service {
    /// `None` where there is none.
    tell: Option<Tell>,
    /// It wants to hear from us at least this often.
    watchdog: Option<Duration>,
    /// It was told that gatewatch is ready.
    ready: Arc<AtomicBool>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tell, watchdog, ready } = self;
        let told = tell.is_some();
        f.debug_struct("Service").field("told", &told).field("watchdog", watchdog).field("ready", ready).finish()
    }
}

impl Service {
    /// None.
    #[must_use]
    pub fn nobody() -> Self {
        Self { tell: None, watchdog: None, ready: Arc::default() }
    }

    /// The one that the environment names.
    #[must_use]
    pub fn of_environment() -> Self {
        if std::env::var_os("NOTIFY_SOCKET").is_none_or(|socket| socket.is_empty()) {
            return Self::nobody();
        }
        let failed = AtomicBool::new(false);
        let tell = move |state: &[NotifyState<'_>]| {
            if let Err(e) = sd_notify::notify(state)
                && !failed.swap(true, Ordering::Relaxed)
            {
                tracing::warn!("the service manager cannot be told anything through $NOTIFY_SOCKET: {e}");
            }
        };
        Self::told(tell, sd_notify::watchdog_enabled())
    }

    /// One that is told in this way, and wants to hear from us so often.
    #[must_use]
    pub fn told(tell: impl Fn(&[NotifyState<'_>]) + Send + Sync + 'static, watchdog: Option<Duration>) -> Self {
        Self { tell: Some(Arc::new(tell)), watchdog, ..Self::nobody() }
    }

    /// The configuration is being read anew.
    pub fn reloading(&self) {
        // While it is not ready there is nothing to reload in the manager's eyes.
        if let Some(tell) = self.tell.as_ref().filter(|_| self.ready.load(Ordering::Relaxed)) {
            // Since systemd 253 the one means nothing without the other.
            let time = NotifyState::monotonic_usec_now();
            tell(&std::iter::once(NotifyState::Reloading).chain(time).collect::<Vec<_>>());
        }
    }

    /// The configuration was read, and is in use if it was right.
    pub fn reloaded(&self) {
        if self.ready.load(Ordering::Relaxed) {
            self.say(&[NotifyState::Ready]);
        }
    }

    /// Keeps the manager informed until `stop`, of which it is told as well, or until nobody answers any more.
    pub async fn inform(self, inquiry: Inquiry, stop: CancellationToken) {
        if self.tell.is_none() {
            return;
        }
        let every = self.watchdog.map_or(EVERY, |watchdog| (watchdog / 2).min(EVERY));
        let mut bulletin = Bulletin::default();
        let informing = async {
            loop {
                match inquiry.ask(Detail::Brief, PATIENCE).await {
                    Ok(report) => self.pass_on(&bulletin.news(&report)),
                    Err(NoAnswer::Late) => self.say(&[NotifyState::Status(&NoAnswer::Late.to_string())]),
                    Err(NoAnswer::Ended) => return,
                }
                let ready = self.ready.load(Ordering::Relaxed);
                tokio::time::sleep(if ready { every } else { EAGER.min(every) }).await;
            }
        };
        if stop.run_until_cancelled(informing).await.is_none() {
            self.say(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
        }
    }

    fn pass_on(&self, news: &News) {
        let mut state = Vec::new();
        if self.watchdog.is_some() {
            state.push(NotifyState::Watchdog);
        }
        if news.ready && !self.ready.swap(true, Ordering::Relaxed) {
            state.push(NotifyState::Ready);
        }
        if news.extend {
            state.push(NotifyState::ExtendTimeoutUsec(u32::try_from(EXTEND_BY.as_micros()).unwrap_or(u32::MAX)));
        }
        state.extend(news.status.as_deref().map(NotifyState::Status));
        self.say(&state);
    }

    fn say(&self, state: &[NotifyState<'_>]) {
        if let Some(tell) = self.tell.as_ref().filter(|_| !state.is_empty()) {
            tell(state);
        }
    }
}

/// What there is to tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    ready: bool,
    /// More time is needed for the start.
    extend: bool,
    status: Option<String>,
}

/// What was told.
#[derive(Debug, Default)]
struct Bulletin {
    status: String,
    told: Option<Timestamp>,
    extended: Option<Timestamp>,
    ready: bool,
}

impl Bulletin {
    /// What is new.
    fn news(&mut self, report: &Report) -> News {
        // A clock that was set back makes everything due.
        let due = |last: Option<Timestamp>, every| {
            last.is_none_or(|last| report.now < last || report.now.since(last) >= every)
        };
        let became = !self.ready && report.is_ready();
        self.ready |= became;
        let status = status(report);
        let tell = status != self.status && (became || due(self.told, STATUS_EVERY));
        if tell {
            (self.told, self.status) = (Some(report.now), status.clone());
        }
        let extend = !self.ready && due(self.extended, EXTEND_EVERY);
        if extend {
            self.extended = Some(report.now);
        }
        News { ready: self.ready, extend, status: tell.then_some(status) }
    }
}

/// One line that says how it is.
fn status(report: &Report) -> String {
    let all = report.sources.len();
    let troubled: Vec<_> = report.sources.iter().filter_map(|s| Some((&s.name, s.reading.trouble.as_ref()?))).collect();
    let mut said = Vec::new();
    if report.is_ready() {
        let apis = report.apis.iter().filter(|api| api.watched).count();
        said.push(format!("{} of {all} log groups of {apis} APIs are read", all - troubled.len()));
    } else {
        let tried = report.sources.iter().filter(|s| s.tried).count();
        said.push(format!("first read: {tried} of {all} log groups"));
    }
    if let Some((name, trouble)) = troubled.first() {
        said.push(format!("not read: {name} ({}){}", trouble.problem.phrase(), more(troubled.len() - 1)));
    }
    let undiscovered: Vec<_> = report.discoveries.iter().filter(|discovery| !discovery.watched).collect();
    if let Some(discovery) = undiscovered.first() {
        said.push(format!("not discovered: API {}{}", discovery.api, more(undiscovered.len() - 1)));
    }
    let read_to = report.sources.iter().filter(|s| s.reading.trouble.is_none()).filter_map(|s| s.reading.read_to);
    let behind = read_to.map(|at| report.now.since(at)).max().filter(|lag| *lag >= UP_TO_DATE);
    if let Some(lag) = behind {
        said.push(format!("{} behind", human(Duration::from_secs(lag.as_secs() / 60 * 60))));
    }
    said.push(match report.firing.len() {
        0 => "no alert fires".to_owned(),
        1 => "1 alert fires".to_owned(),
        n => format!("{n} alerts fire"),
    });
    let failing: Vec<_> = report.sinks.iter().filter(|sink| sink.failing).collect();
    if let Some(sink) = failing.first() {
        said.push(format!("sink {} fails{}", sink.name, more(failing.len() - 1)));
    }
    if let Some(error) = &report.reloads.error {
        said.push(format!("not reloaded, the old configuration stays: {error}"));
    }
    // One line, whatever a message holds.
    printable(&said.join("; "))
}

/// How many there are besides.
fn more(n: usize) -> String {
    if n == 0 { String::new() } else { format!(" and {n} more") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dropped::Dropped;
    use crate::model::inventory::{ApiId, SourceKind};
    use crate::model::problem::Problem;
    use crate::model::report::{ApiReport, Reading, Reloads, SourceReport, Trouble, Turns};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_338_000_000 + seconds * 1000)
    }

    fn report(now: i64, tried: &[bool]) -> Report {
        let source = |(n, tried): (usize, &bool)| SourceReport {
            name: format!("/logs/{n}").into(),
            kind: SourceKind::Access(ApiId(0)),
            apis: vec![ApiId(0)],
            region: None,
            role: None,
            reading: Reading { read_to: tried.then(|| at(now - 7)), trouble: None },
            events: 0,
            unread: Vec::new(),
            own_lines: 0,
            tried: *tried,
        };
        let api = ApiReport { name: "shop".into(), watched: true, requests: 0, failures: 0, alerts: 0 };
        Report {
            now: at(now),
            started: at(0),
            counted_since: at(0),
            apis: vec![api],
            sources: tried.iter().enumerate().map(source).collect(),
            unlisted: 0,
            discoveries: Vec::new(),
            summary: None,
            window: Duration::from_mins(5),
            firing: Vec::new(),
            dropped: Dropped::default(),
            joins: Vec::new(),
            calls: Vec::new(),
            turns: Turns::default(),
            sinks: Vec::new(),
            reloads: Reloads::default(),
        }
    }

    #[test]
    fn it_is_ready_once_every_log_group_was_tried_and_asks_for_time_until_then() {
        let mut bulletin = Bulletin::default();
        let news = bulletin.news(&report(0, &[true, false]));
        let status = Some("first read: 1 of 2 log groups; no alert fires".to_owned());
        assert_eq!(news, News { ready: false, extend: true, status });
        assert_eq!(bulletin.news(&report(1, &[true, false])), News::default(), "all of that was told");
        assert!(bulletin.news(&report(10, &[true, false])).extend);
        let pattern = Report { unlisted: 1, ..report(11, &[true, true]) };
        assert!(!bulletin.news(&pattern).ready, "nobody knows yet what a pattern fits");
        let news = bulletin.news(&report(12, &[true, true]));
        assert!(news.ready && !news.extend);
        assert_eq!(news.status.as_deref(), Some("2 of 2 log groups of 1 APIs are read; no alert fires"));
        assert!(bulletin.news(&report(13, &[true, false])).ready, "a log group that is new takes nothing back");
    }

    #[test]
    fn the_status_tells_what_is_wrong_and_is_told_when_it_changes_and_not_too_often() {
        let mut bulletin = Bulletin::default();
        assert!(bulletin.news(&report(0, &[true, true])).status.is_some());
        let mut bad = report(1, &[true, true]);
        let trouble = Trouble { problem: Problem::Denied, said: "no".into(), since: at(0) };
        bad.sources[1].reading.trouble = Some(trouble);
        bad.sources[0].reading.read_to = Some(at(-200));
        bad.reloads.error = Some("gatewatch.toml:7: what\nis this".into());
        assert_eq!(bulletin.news(&bad).status, None, "too soon");
        bad.now = at(4);
        let status = bulletin.news(&bad).status.expect("it has changed");
        let want = "1 of 2 log groups of 1 APIs are read; not read: /logs/1 (access denied); 3m behind; no alert fires; not \
                    reloaded, the old configuration stays: gatewatch.toml:7: what";
        assert!(status.starts_with(want) && !status.contains('\n'), "{status}");
        bad.now = at(20);
        assert_eq!(bulletin.news(&bad).status, None, "nothing has changed");
        bad.now = at(-500);
        bad.sources[1].reading.trouble = None;
        assert!(bulletin.news(&bad).status.is_some(), "the clock was set back");
    }
}
