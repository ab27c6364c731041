//! Traffic of one log group by numbers: so many events per second over so many streams, each with a serial number.
//!
//! Not a story: `shop` tells one. These events are for counting: what a tail missed or saw twice can be named. Rule: made
//! as they are asked for and the same for the same settings; each text carries its serial, see [`serial_of`].

use std::sync::Arc;
use std::time::Duration;

use super::dice::Dice;
use super::lag::Lag;
use super::planned::{Backlog, Planned};
use crate::model::time::Timestamp;

/// Lines that one Lambda invocation leaves.
const LINES: u64 = 4;
/// What stands between the seed and the serial in the id of each text.
const MARK: &str = "-4000-8000-";
/// Hexadecimal digits of a serial.
const DIGITS: usize = 12;

/// What texts are filled up with.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ ";

/// The shape of the texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// JSON access-log lines of an HTTP API.
    Access {
        /// How many of them have a 5xx status, 0 to 1.
        failing: f64,
    },
    /// START, a line of the function, END and REPORT of one invocation after the other.
    Lambda,
    /// An id and letters.
    Plain,
}

/// A share of the events, and how far their stamps are off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shifted {
    /// How many events, 0 to 1.
    pub share: f64,
    /// Evenly up to so much.
    pub up_to: Duration,
}

/// The settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// The same seed gives the same events.
    pub seed: u64,
    /// Where they go.
    pub group: Arc<str>,
    /// Log streams in use at a time, at least 1.
    pub streams: u32,
    /// Streams are replaced by new ones this often; `None` for never.
    pub stream_life: Option<Duration>,
    /// Events written per second; with 0 there are none.
    pub per_second: f64,
    /// The first event is written here.
    pub from: Timestamp,
    /// No event is written here or later.
    pub to: Timestamp,
    /// Length of a text in bytes; shorter than its fixed parts makes no difference.
    pub bytes: usize,
    /// The shape of the texts.
    pub kind: Kind,
    /// From being written to being readable.
    pub lag: Lag,
    /// Events that are stamped earlier than they are written.
    pub late: Shifted,
    /// Events that are stamped later than they are written. CloudWatch Logs takes up to two hours.
    pub future: Shifted,
    /// Single events stamped later: the first one written at or after each time, by so much. In order of time.
    pub strays: Vec<(Timestamp, Duration)>,
    /// Spans whose events, instead of becoming visible in them, do so all at once at their end. In order of time.
    pub bursts: Vec<(Timestamp, Timestamp)>,
}

impl Traffic {
    /// Plain texts of 200 bytes on one stream, stamped when they are written and readable at once.
    #[must_use]
    pub fn new(seed: u64, group: &str, per_second: f64, from: Timestamp, to: Timestamp) -> Self {
        Self {
            seed,
            group: Arc::from(group),
            streams: 1,
            stream_life: None,
            per_second,
            from,
            to,
            bytes: 200,
            kind: Kind::Plain,
            lag: Lag::NONE,
            late: Shifted::default(),
            future: Shifted::default(),
            strays: Vec::new(),
            bursts: Vec::new(),
        }
    }

    /// All events, in the order of `visible_at`, made as they are asked for.
    #[must_use]
    pub fn events(&self) -> Events {
        let gap = Duration::try_from_secs_f64(1.0 / self.per_second).ok().filter(|gap| !gap.is_zero());
        let mut events = Events {
            traffic: self.clone(),
            dice: Dice::new(self.seed),
            gap_ns: gap.map(|gap| gap.as_nanos()),
            next: None,
            made: 0,
            strays: 0,
            streams: vec![(u64::MAX, Arc::from("")); usize::try_from(self.streams.max(1)).unwrap_or(1)],
            backlog: Backlog::default(),
        };
        events.next = events.writing();
        events
    }
}

/// The serial number in a text that [`Traffic`] made; `None` for other texts.
#[must_use]
pub fn serial_of(text: &str) -> Option<u64> {
    let after = text.find(MARK)? + MARK.len();
    let number = u64::from_str_radix(text.get(after..after + DIGITS)?, 16).ok()?;
    // The lines of an invocation share an id.
    Some(match text.get(..3)? {
        "STA" => number * LINES,
        "END" => number * LINES + 2,
        "REP" => number * LINES + 3,
        _ if text.contains("\tINFO\t") => number * LINES + 1,
        _ => number,
    })
}

/// The events of a [`Traffic`].
pub struct Events {
    traffic: Traffic,
    dice: Dice,
    /// Between two events; `None` when there are none.
    gap_ns: Option<u128>,
    /// When the next event is written; `None` after the last.
    next: Option<Timestamp>,
    made: u64,
    /// Strays that have been made.
    strays: usize,
    /// The streams in use and which life of theirs it is.
    streams: Vec<(u64, Arc<str>)>,
    backlog: Backlog,
}

impl Events {
    /// Makes no more events that are written at `at` or later. Those made already come all the same.
    pub fn end_at(&mut self, at: Timestamp) {
        self.traffic.to = self.traffic.to.min(at);
        self.next = self.next.filter(|next| *next < at);
    }

    /// When the next event is written: somewhere in its own gap, so that the rate is exact and the order stays.
    fn writing(&mut self) -> Option<Timestamp> {
        let gap = self.gap_ns?;
        let jitter = u128::from(self.dice.between(0, 999)) * gap / 1000;
        let offset = (u128::from(self.made) * gap + jitter) / 1_000_000;
        let written = self.traffic.from.plus(Duration::from_millis(u64::try_from(offset).ok()?));
        (written < self.traffic.to).then_some(written)
    }

    fn make(&mut self, written: Timestamp) -> Planned {
        let serial = self.made;
        let mut visible_at = written.plus(self.traffic.lag.draw(&mut self.dice));
        for (from, to) in &self.traffic.bursts {
            if visible_at >= *from && visible_at < *to {
                visible_at = *to;
            }
        }
        let time = self.stamp(written);
        let text = self.text(serial, written);
        let stream = self.stream(serial, written);
        Planned { group: Arc::clone(&self.traffic.group), stream, time, written, visible_at, text, serial }
    }

    fn stamp(&mut self, written: Timestamp) -> Timestamp {
        if let Some((at, ahead)) = self.traffic.strays.get(self.strays)
            && written >= *at
        {
            self.strays += 1;
            return written.plus(*ahead);
        }
        let Traffic { late, future, .. } = self.traffic;
        if self.dice.chance(late.share) {
            written.minus(late.up_to.mul_f64(self.dice.unit()))
        } else if self.dice.chance(future.share) {
            written.plus(future.up_to.mul_f64(self.dice.unit()))
        } else {
            written
        }
    }

    /// The invocation of a line; of other kinds the event itself.
    fn unit(&self, serial: u64) -> u64 {
        match self.traffic.kind {
            Kind::Lambda => serial / LINES,
            Kind::Access { .. } | Kind::Plain => serial,
        }
    }

    fn stream(&mut self, serial: u64, written: Timestamp) -> Arc<str> {
        let streams = u64::try_from(self.streams.len()).unwrap_or(1);
        let slot = self.unit(serial) % streams;
        let age = written.since(self.traffic.from).as_millis();
        let life = self.traffic.stream_life.map_or(0, |life| age / life.as_millis().max(1));
        let life = u64::try_from(life).unwrap_or(u64::MAX - 1);
        let at = usize::try_from(slot).unwrap_or(0);
        if self.streams[at].0 != life {
            let name = Dice::new(self.traffic.seed ^ (life << 32) ^ slot).hex32();
            let name = match self.traffic.kind {
                Kind::Lambda => format!("2026/11/22/[$LATEST]{name}"),
                Kind::Access { .. } | Kind::Plain => name,
            };
            self.streams[at] = (life, Arc::from(name));
        }
        Arc::clone(&self.streams[at].1)
    }

    fn text(&mut self, serial: u64, written: Timestamp) -> String {
        let id = format!("{:08x}-0000{MARK}{:012x}", self.traffic.seed & 0xffff_ffff, self.unit(serial));
        let mut text = match self.traffic.kind {
            Kind::Plain => format!("{id} "),
            Kind::Lambda => match serial % LINES {
                0 => return format!("START RequestId: {id} Version: $LATEST\n"),
                1 => format!("{written}\t{id}\tINFO\t"),
                2 => return format!("END RequestId: {id}\n"),
                _ => {
                    let ms = self.dice.between(3, 900);
                    return format!(
                        "REPORT RequestId: {id}\tDuration: {ms}.00 ms\tBilled Duration: {ms} ms\tMemory Size: 128 MB\t\
                         Max Memory Used: 64 MB\t\n"
                    );
                }
            },
            Kind::Access { failing } => {
                let status = if self.dice.chance(failing) { 502 } else { 200 };
                format!(
                    concat!(
                        r#"{{"requestId":"{}","requestTimeEpoch":"{}","httpMethod":"GET","routeKey":"GET /items/{{id}}","#,
                        r#""status":"{}","responseLatency":"{}","responseLength":"{}","userAgent":""#
                    ),
                    id,
                    written.as_millis(),
                    status,
                    self.dice.between(3, 900),
                    self.dice.between(60, 4000)
                )
            }
        };
        let end = match self.traffic.kind {
            Kind::Access { .. } => "\"}",
            Kind::Lambda => "\n",
            Kind::Plain => "",
        };
        let mut missing = self.traffic.bytes.saturating_sub(text.len() + end.len());
        while missing > 0 {
            let more = missing.min(LETTERS.len());
            text.push_str(&LETTERS[..more]);
            missing -= more;
        }
        text.push_str(end);
        text
    }
}

impl Iterator for Events {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        loop {
            let Some(written) = self.next else { return self.backlog.pop(Timestamp::MAX) };
            // What is not yet made becomes visible at `written` at the earliest, and behind all that was made.
            if let Some(ready) = self.backlog.pop(written) {
                return Some(ready);
            }
            let event = self.make(written);
            self.made += 1;
            self.next = self.writing();
            self.backlog.push(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_338_000_000 + ms)
    }

    fn rough(kind: Kind) -> Traffic {
        Traffic {
            streams: 20,
            stream_life: Some(Duration::from_mins(1)),
            kind,
            lag: Lag {
                p50: Duration::from_secs(2),
                p99: Duration::from_secs(30),
                tail: Duration::from_mins(20),
                tail_share: 0.001,
            },
            late: Shifted { share: 0.05, up_to: Duration::from_mins(10) },
            future: Shifted { share: 0.01, up_to: Duration::from_hours(2) },
            strays: vec![(at(60_000), Duration::from_hours(2))],
            ..Traffic::new(3, "/aws/g", 50.0, at(0), at(300_000))
        }
    }

    #[test]
    fn every_event_once_in_the_order_of_becoming_visible_whatever_the_kind() {
        for kind in [Kind::Access { failing: 0.1 }, Kind::Lambda, Kind::Plain] {
            let events: Vec<_> = rough(kind).events().collect();
            assert_eq!(events.len(), 15_000);
            assert!(events.is_sorted_by_key(|event| event.visible_at));
            assert!(events.iter().all(|event| event.visible_at >= event.written && event.written < at(300_000)));
            assert!(events.iter().all(|event| serial_of(&event.text) == Some(event.serial)));
            let serials: BTreeSet<_> = events.iter().map(|event| event.serial).collect();
            assert_eq!((serials.len(), serials.last()), (15_000, Some(&14_999)));
            let texts: BTreeSet<_> = events.iter().map(|event| &event.text).collect();
            assert_eq!(texts.len(), 15_000);
            let streams: BTreeSet<_> = events.iter().map(|event| &event.stream).collect();
            assert_eq!(streams.len(), 100, "twenty new ones a minute");
            assert!(rough(kind).events().eq(events), "the seed repeats it");
        }
    }

    #[test]
    fn late_and_future_events_and_one_stray() {
        let events: Vec<_> = rough(Kind::Plain).events().collect();
        let count = |what: fn(&Planned) -> bool| events.iter().filter(|event| what(event)).count();
        let late = count(|event| event.time < event.written);
        assert!((650..850).contains(&late), "{late}");
        let future = count(|event| event.time > event.written);
        assert!((110..180).contains(&future), "{future}");
        let limit = |event: &&Planned| event.time.since(event.written) == Duration::from_hours(2);
        let stray: Vec<_> = events.iter().filter(limit).collect();
        assert_eq!(stray.len(), 1);
        assert!(stray[0].written >= at(60_000) && stray[0].written < at(60_100));
    }

    #[test]
    fn rate_length_and_share_are_what_was_asked_for() {
        let traffic = Traffic { bytes: 300, kind: Kind::Access { failing: 0.25 }, ..rough(Kind::Plain) };
        let texts: Vec<_> = traffic.events().map(|event| event.text).collect();
        assert!(texts.iter().all(|text| text.len() == 300));
        let value: serde_json::Value = serde_json::from_str(&texts[0]).unwrap();
        assert_eq!(value["routeKey"], "GET /items/{id}");
        let failed = texts.iter().filter(|text| text.contains(r#""status":"502""#)).count();
        assert!((3500..4000).contains(&failed), "{failed}");
        let third = Traffic::new(1, "g", 0.3, at(0), at(100_000));
        assert_eq!(third.events().count(), 30);
        assert_eq!(Traffic { per_second: 0.0, ..third }.events().count(), 0);
    }

    #[test]
    fn a_burst_holds_back_what_would_become_visible_in_it() {
        let bursts = vec![(at(100_000), at(160_000))];
        let events: Vec<_> = Traffic { bursts, ..rough(Kind::Plain) }.events().collect();
        assert!(!events.iter().any(|event| event.visible_at >= at(100_000) && event.visible_at < at(160_000)));
        let together = events.iter().filter(|event| event.visible_at == at(160_000)).count();
        assert!((2900..3200).contains(&together), "{together}");
        assert!(events.is_sorted_by_key(|event| event.visible_at));
    }

    #[test]
    fn ending_early_makes_no_more_but_all_that_was_written() {
        let mut events = rough(Kind::Plain).events();
        let mut seen: Vec<_> = events.by_ref().take_while(|event| event.visible_at < at(30_000)).collect();
        events.end_at(at(60_000));
        seen.extend(events);
        assert!(seen.iter().all(|event| event.written < at(60_000)));
        assert!((2998..=3000).contains(&seen.len()), "{}", seen.len());
    }
}
