//! Pictures of the screen: the demo's incident through readers, engine and board, at a fixed time, compared with what is
//! stored in `pictures/`.
//!
//! `GATEWATCH_PICTURES=write cargo test --lib pictures` stores them anew; look at what has changed before it is kept.

use std::fmt::Write as _;
use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::config::Config;
use crate::engine::Settings;
use crate::model::dropped::Dropped;
use crate::model::event::{Batch, LogEvent};
use crate::model::inventory::SourceId;
use crate::model::problem::Problem;
use crate::model::report::{Reloads, Report, SourceReport, Turns};
use crate::notify::plan;
use crate::read::Reader;
use crate::run::pipeline::Pipeline;
use crate::run::report::summary;
use crate::sim::{Planned, Script, shop};
use crate::view::screen::Key;

/// Seconds from the begin at which the deploy goes live, and at which somebody looks.
const DEPLOY: u64 = 300;
const LOOKS: u64 = 395;
/// Between two reads.
const POLL: Duration = Duration::from_secs(5);

fn begin() -> Timestamp {
    Timestamp::from_millis(1_795_338_000_000)
}

fn after(seconds: u64) -> Timestamp {
    begin().plus(Duration::from_secs(seconds))
}

/// A shop, read as `--follow` reads it, by a clock that is moved by hand.
struct Played {
    inventory: Arc<Inventory>,
    pipeline: Pipeline,
    readers: Vec<Reader>,
    events: std::iter::Peekable<Box<dyn Iterator<Item = Planned>>>,
    board: Board,
    now: Timestamp,
    blind: Option<SourceId>,
    /// The stage logs no words about errors: then only the Lambda lines say why.
    terse: bool,
}

impl Played {
    fn new() -> Self {
        let functions = shop::FUNCTIONS.iter().map(ToString::to_string).collect();
        let config = Config::ad_hoc("shop", vec![shop::ACCESS_GROUP.to_owned()], functions);
        let inventory = Arc::new(config.inventory("eu-west-1"));
        let settings = Settings { requests: true, ..Settings::new(Arc::clone(&inventory)) };
        let title = Title { api: names(&inventory), region: "eu-west-1".to_owned(), stage: None };
        let script = Script::new(502, begin(), after(DEPLOY), after(DEPLOY + 110), after(4000));
        let events: Box<dyn Iterator<Item = Planned>> = Box::new(script.events());
        Self {
            pipeline: Pipeline::new(settings, &plan::Settings::default().into()),
            readers: inventory.sources.iter().map(|source| Reader::new(source.kind)).collect(),
            events: events.peekable(),
            board: Board::new(title, begin()),
            now: begin(),
            blind: None,
            terse: false,
            inventory,
        }
    }

    /// Reads on up to `until`, and reports.
    fn to(mut self, until: u64) -> Self {
        while self.now < after(until) {
            self.now = self.now.plus(POLL);
            let mut facts = vec![Vec::new(); self.readers.len()];
            while let Some(event) = self.events.next_if(|event| event.visible_at <= self.now) {
                let Some(at) = self.inventory.sources.iter().position(|s| s.name == event.group) else { continue };
                let Planned { stream, time, mut text, .. } = event;
                if self.terse && *event.group == *shop::ACCESS_GROUP {
                    text = without_words(&text);
                }
                self.readers[at].read(LogEvent { stream, time, text }, &mut facts[at]);
            }
            for (facts, source) in facts.into_iter().zip((0..).map(SourceId)) {
                let said = if self.blind == Some(source) {
                    self.pipeline.blind(
                        source,
                        Problem::Denied,
                        "not authorized to perform: logs:FilterLogEvents",
                        self.now,
                    );
                    self.pipeline.tick(self.now)
                } else {
                    let batch = Batch { source, facts, sealed: Some(self.now.minus(POLL)), caught_up: false };
                    self.pipeline.batch(batch, self.now)
                };
                for said in &said {
                    hear(&mut self.board, said, self.now);
                }
            }
        }
        let report = self.report(true);
        self.board.report(report);
        self
    }

    fn report(&self, tried: bool) -> Report {
        let engine = self.pipeline.engine();
        let sources = self.inventory.sources.iter().zip((0..).map(SourceId)).map(|(source, id)| SourceReport {
            name: Arc::clone(&source.name),
            kind: source.kind,
            apis: source.apis.clone(),
            region: source.region.clone(),
            role: None,
            reading: engine.reading(id),
            events: 0,
            unread: Vec::new(),
            own_lines: 0,
            tried,
        });
        Report {
            now: self.now,
            started: begin(),
            counted_since: begin(),
            apis: Vec::new(),
            sources: sources.collect(),
            unlisted: 0,
            discoveries: Vec::new(),
            summary: Some(summary(engine, self.now)),
            window: engine.window(),
            firing: self.pipeline.firing(self.now),
            dropped: Dropped::default(),
            joins: Vec::new(),
            calls: Vec::new(),
            turns: Turns::default(),
            sinks: Vec::new(),
            reloads: Reloads::default(),
        }
    }

    /// The screen after these keys, row by row.
    fn picture(&self, (width, height): (u16, u16), keys: &[Key]) -> String {
        let mut screen = Screen::new(Paint(true));
        screen.resize(width, height);
        for key in keys {
            screen.key(*key, &self.board, self.now);
        }
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| {
                let area = frame.area();
                screen.draw(frame.buffer_mut(), area, &self.board, self.now);
            })
            .unwrap();
        let buffer = terminal.backend().buffer();
        let mut text = String::new();
        for y in 0..height {
            let row: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            writeln!(text, "{}", row.trim_end()).unwrap();
        }
        text
    }
}

/// An access line of a stage that logs as little as many do.
fn without_words(line: &str) -> String {
    let mut line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
    line.retain(|key, _| !key.to_lowercase().contains("error") && key != "functionStatus");
    serde_json::to_string(&line).unwrap()
}

/// Compares with what is stored, or stores it.
fn compare(name: &str, picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/run/follow/screen/pictures").join(format!("{name}.txt"));
    if std::env::var("GATEWATCH_PICTURES").is_ok_and(|value| value == "write") {
        std::fs::write(&path, picture).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let (mut rows, mut differs) = (String::new(), false);
    let (mut was, mut is) = (stored.lines(), picture.lines());
    loop {
        match (was.next(), is.next()) {
            (None, None) => break,
            (was, is) if was == is => writeln!(rows, "  {}", is.unwrap_or_default()).unwrap(),
            (was, is) => {
                differs = true;
                for (sign, row) in [("-", was), ("+", is)] {
                    if let Some(row) = row {
                        writeln!(rows, "{sign} {row}").unwrap();
                    }
                }
            }
        }
    }
    assert!(!differs, "{} is another picture now; GATEWATCH_PICTURES=write stores it:\n{rows}", path.display());
}

#[test]
fn pictures_of_the_incident() {
    let played = Played::new().to(LOOKS);
    compare("incident-80x24", &played.picture((80, 24), &[]));
    compare("incident-160x48", &played.picture((160, 48), &[]));
    compare("failures-40x12", &played.picture((40, 12), &[Key::Tab, Key::Down]));
    compare("details-80x24", &played.picture((80, 24), &[Key::Tab, Key::Down, Key::Enter]));
    compare(
        "filter-80x24",
        &played.picture((80, 24), &[Key::Char('/'), Key::Char('t'), Key::Char('i'), Key::Char('m')]),
    );
    compare("help-80x24", &played.picture((80, 24), &[Key::Char('?')]));
}

#[test]
fn pictures_of_what_is_no_incident() {
    let mut played = Played { now: after(3), ..Played::new() };
    let report = played.report(false);
    played.board.report(report);
    compare("beginning-80x24", &played.picture((80, 24), &[]));
    compare("healthy-80x24", &Played::new().to(DEPLOY - 100).picture((80, 24), &[]));
    let mut played = Played::new().to(LOOKS);
    played.blind = Some(SourceId(0));
    compare("blind-80x24", &played.to(LOOKS + 200).picture((80, 24), &[]));
}

/// What the pictures show is what happened: not only the same as last time.
#[test]
fn a_failure_waits_for_its_lambda_lines_and_then_says_why() {
    let played = Played { terse: true, ..Played::new() }.to(LOOKS);
    let text = played.picture((160, 48), &[]);
    compare("waiting-160x48", &text);
    for part in
        ["shop  prod  eu-west-1", "HIGH 2 alerts", "POST /checkout", "TypeError", "of n", "waits for its Lambda lines"]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let waiting = played.board.latest().iter().find(|(_, failed)| failed.explained.is_none());
    let id = waiting.expect("the newest wait").0;
    let played = played.to(LOOKS + 30);
    let failed = played.board.failed(id).expect("it is still there");
    let why = failed.explained.as_ref().expect("its lines have come");
    assert!(why.explanation.function.as_deref() == Some("checkout-fn") && failed.response_ms.is_some());
}
