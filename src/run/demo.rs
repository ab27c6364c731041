//! `demo`: the real daemon, through the real SDK, against the embedded simulation of AWS.
//!
//! A shop's deploy breaks `POST /checkout` and is rolled back. Simulation and daemon share one clock that runs faster
//! than real time. No account, no network, no file. Rule: nothing is staged in what the daemon says; it finds out.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio_util::sync::CancellationToken;

use super::daemon;
use super::follow::{self, Mode};
use super::output::Lines;
use super::pipeline::Said;
use crate::aws::clients::Clients;
use crate::config::{Config, SinkConfig, SinkKind};
use crate::engine::window::SLOT;
use crate::model::alert::State;
use crate::model::cause::{CauseKind, Certainty};
use crate::model::json;
use crate::model::time::Timestamp;
use crate::notify::audience::Audience;
use crate::notify::sink::stdout::{StdoutFormat, Writer};
use crate::notify::sns::Format;
use crate::ops::clock::Clock;
use crate::sim::{Script, Sim, play, shop};
use crate::view::ticker::Ticker;
use crate::view::{Paint, lines};

/// On a full screen there is a deploy again after this.
const AGAIN: Duration = Duration::from_mins(10);
/// Events are made so long before they can be read.
const AHEAD: Duration = Duration::from_mins(1);
const REGION: &str = "eu-west-1";
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:ops-alerts";
/// The deploy goes live this long after the start, and is rolled back this long after the start.
const DEPLOY: Duration = Duration::from_secs(40);
const ROLLBACK: Duration = Duration::from_secs(150);
/// Traffic ends this long after the start: well after the alert's window is clean again.
const END: Duration = Duration::from_mins(17);
/// The daemon finds the incident over this long after the start at the latest, or something is broken.
const PATIENCE: Duration = Duration::from_mins(14);

/// Plays the demo at `speed` times real time.
///
/// # Errors
/// When the simulation cannot listen on a loopback port, or the daemon did not raise and resolve its alerts.
pub async fn run(speed: u32, json: bool, stop: CancellationToken) -> Result<()> {
    let clock = Clock::fast(speed);
    let start = clock.now();
    let sim = simulate(&clock, start).await.context("the simulation cannot listen on 127.0.0.1")?;
    let clients = Clients::simulated(&sim.endpoint(), REGION).await;
    let lines = Lines::start(Writer::start(io::stdout()), stop.clone());
    let mut show = Show::new(json, start, lines, stop.clone());
    show.welcome(speed);
    let out_of_time = Arc::new(AtomicBool::new(false));
    let patience = {
        let (clock, stop, out_of_time) = (clock.clone(), stop.clone(), Arc::clone(&out_of_time));
        async move {
            clock.sleep_until(start.plus(PATIENCE)).await;
            out_of_time.store(true, Ordering::Relaxed);
            stop.cancel();
        }
    };
    let patience = tokio::spawn(patience);
    let hear_clock = clock.clone();
    let options =
        daemon::Options { clock, requests: true, state_dir: None, own: None, questions: None, reload: None, stop };
    let watch = daemon::run(config(json), clients, options, |said| show.hear(said, hear_clock.now()));
    let outcome = Box::pin(watch).await;
    patience.abort();
    let published = sim.published();
    sim.stop().await;
    outcome?;
    let over = show.goodbye(published.len(), out_of_time.load(Ordering::Relaxed));
    show.lines.finish().await?;
    over
}

/// Shows the shop on a full screen until `stop`, with one incident after the other.
///
/// # Errors
/// When the simulation cannot listen on a loopback port, or there is no terminal.
pub async fn screen(speed: u32, paint: Paint, stop: CancellationToken) -> Result<()> {
    let clock = Clock::fast(speed);
    let start = clock.now();
    let now = clock.clone();
    let sim = Sim::start(Arc::new(move || now.now())).await.context("the simulation cannot listen on 127.0.0.1")?;
    let clients = Clients::simulated(&sim.endpoint(), REGION).await;
    let mut config = config(false);
    // What one of them would be told stands on the screen.
    config.sinks.truncate(1);
    let since = config.window;
    let scripts = (0_u64..).map(move |n| {
        let begin = start.plus(AGAIN * u32::try_from(n).unwrap_or(u32::MAX));
        let from = if n == 0 { begin.minus(since) } else { begin };
        Script::new(502 + n, from, begin.plus(DEPLOY), begin.plus(ROLLBACK), begin.plus(AGAIN))
    });
    let mut events = scripts.flat_map(|script| script.events()).peekable();
    let (service, feed_clock) = (sim.service(), clock.clone());
    let feeding = tokio::spawn(async move {
        loop {
            let now = feed_clock.now();
            play(&service, &mut events, now.plus(AHEAD), |_, _| {});
            service.forget_before(now.minus(AGAIN * 2));
            feed_clock.sleep_until(now.plus(AHEAD / 2)).await;
        }
    });
    let outcome = follow::run(config, clients, clock, since, Mode::Screen(paint), stop).await;
    feeding.abort();
    sim.stop().await;
    outcome
}

async fn simulate(clock: &Clock, start: Timestamp) -> io::Result<Sim> {
    let clock = clock.clone();
    let sim = Sim::start(Arc::new(move || clock.now())).await?;
    sim.create_topic(TOPIC);
    let history = Config::default().window + Duration::from_mins(1);
    let script = Script::new(502, start.minus(history), start.plus(DEPLOY), start.plus(ROLLBACK), start.plus(END));
    for event in script.events() {
        sim.put(&event.group, &event.stream, event.time, event.visible_at, &event.text);
    }
    Ok(sim)
}

/// What a user would write for this shop, with the defaults for everything else.
fn config(json: bool) -> Config {
    let functions = shop::FUNCTIONS.iter().map(ToString::to_string).collect();
    let stdout = if json { StdoutFormat::Json } else { StdoutFormat::Text };
    let sns = SinkKind::Sns { topic_arn: TOPIC.to_owned(), region: REGION.to_owned(), format: Format::Text };
    Config {
        sinks: vec![
            SinkConfig { kind: SinkKind::Stdout(stdout), audience: Audience::of_all("stdout") },
            SinkConfig { kind: sns, audience: Audience::of_all(TOPIC) },
        ],
        ..Config::ad_hoc("shop", vec![shop::ACCESS_GROUP.to_owned()], functions)
    }
}

/// What is shown besides the daemon's own messages.
struct Show {
    json: bool,
    paint: Paint,
    start: Timestamp,
    ticker: Ticker,
    next_tick: Timestamp,
    scenes: Vec<(Timestamp, &'static str)>,
    explained: BTreeSet<(CauseKind, Certainty)>,
    open: BTreeSet<Arc<str>>,
    told: u32,
    lines: Lines,
    stop: CancellationToken,
}

impl Show {
    fn new(json: bool, start: Timestamp, lines: Lines, stop: CancellationToken) -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            json,
            paint: Paint(colour && !json),
            start,
            ticker: Ticker::default(),
            next_tick: start.floor(SLOT).plus(SLOT),
            scenes: vec![
                (start.plus(ROLLBACK), "-- the team rolls checkout-fn back to version 41"),
                (start.plus(DEPLOY), "-- somebody deploys version 42 of checkout-fn"),
            ],
            explained: BTreeSet::new(),
            open: BTreeSet::new(),
            told: 0,
            lines,
            stop,
        }
    }

    fn welcome(&mut self, speed: u32) {
        if !self.json {
            self.print(&format!(
                "gatewatch demo: a shop's API on a simulated AWS (CloudWatch Logs and SNS on a loopback port), {speed} times \
                 as fast as real time.\nThe daemon below is the real one. One line is 10 seconds of traffic; the bars \
                 are the share of 5xx.\n"
            ));
        }
    }

    fn hear(&mut self, said: &Said, now: Timestamp) {
        self.tick(now);
        match said {
            Said::Request(request) => {
                if request.time() >= self.start {
                    self.ticker.request(request);
                }
            }
            Said::Failure(failure) if self.json => {
                let inventory = config(true).inventory(REGION);
                self.print(&json::failure(failure, &inventory));
            }
            // One example of each cause, as `--follow` shows them; all of them would be too many to read.
            Said::Failure(failure) => {
                let cause = &failure.explanation.cause;
                if self.explained.insert((cause.kind, cause.certainty)) {
                    self.print(&lines::failure(failure, self.paint));
                }
            }
            Said::Message { message, .. } => {
                self.told += 1;
                match message.alert().map(|m| m.alert.state) {
                    Some(State::Firing) => self.open.insert(Arc::clone(message.episode())),
                    Some(State::Resolved) => self.open.remove(message.episode()),
                    None => false,
                };
                if self.open.is_empty() {
                    self.stop.cancel();
                }
            }
        }
    }

    fn tick(&mut self, now: Timestamp) {
        while !self.json && now >= self.next_tick {
            if self.scenes.last().is_some_and(|(at, _)| self.next_tick >= *at)
                && let Some((_, scene)) = self.scenes.pop()
            {
                self.print(&self.paint.bold(scene));
            }
            let line = self.ticker.line(self.next_tick, self.paint);
            self.print(&line);
            self.next_tick = self.next_tick.plus(SLOT);
        }
    }

    fn goodbye(&mut self, published: usize, out_of_time: bool) -> Result<()> {
        let over = self.told > 0 && self.open.is_empty();
        if !over && out_of_time {
            bail!("the demo ended before its alerts were raised and resolved; try a lower --speed");
        }
        if over && !self.json {
            self.print(&format!(
                "\n{} messages were printed above and {published} were published to SNS. Point it at your own API with a \
                 config file of ten lines: see config.example.toml.",
                self.told
            ));
        }
        Ok(())
    }

    fn print(&mut self, text: &str) {
        self.lines.put(text.to_owned());
    }
}
