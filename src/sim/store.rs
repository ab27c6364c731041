//! The log groups of the simulation and their events, in memory, and one page of them.
//!
//! Not the protocol: `logs` reads requests and words errors. Rule: events stand in the order of `FilterLogEvents`
//! (time, ingestion time, id) and each is kept as the JSON text it is sent as, so that a page is a range look-up and a
//! copy: the benches must measure the client, not this.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::Arc;

use super::group::{Class, Lives};
use crate::model::time::Timestamp;

/// Message text of one page, with [`OVERHEAD_BYTES`] for each event, in bytes.
pub(super) const PAGE_BYTES_MAX: usize = 1_048_576;
/// What CloudWatch Logs counts for an event besides its text, in bytes.
const OVERHEAD_BYTES: usize = 26;

/// Where an event stands in its group: the sort key of `FilterLogEvents`, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) time: i64,
    pub(super) ingestion: i64,
    /// Order of the `put` calls, over all groups.
    pub(super) serial: u64,
}

/// Which log streams are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Streams {
    #[default]
    All,
    Named(Vec<String>),
    Prefixed(String),
}

/// What one page is asked for.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// First and last event time, both inclusive, in milliseconds since the epoch.
    pub(super) from: i64,
    pub(super) to: i64,
    /// Events at most.
    pub(super) limit: usize,
    /// Oldest first.
    pub(super) forward: bool,
    /// Go on behind this event.
    pub(super) after: Option<Key>,
    pub(super) streams: Streams,
}

/// How a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageEnd {
    /// The last event on it, or where the read stood before when it is empty.
    pub(super) last: Option<Key>,
    /// Another visible event follows.
    pub(super) more: bool,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    Group,
    Stream,
}

/// All groups, by name.
#[derive(Default)]
pub(super) struct Store {
    groups: BTreeMap<String, Group>,
    /// Events ever put.
    events: u64,
}

/// One log group and all its lives.
#[derive(Default)]
pub(super) struct Group {
    pub(super) lives: Lives,
    pub(super) class: Class,
    /// Events ever put.
    pub(super) put: u64,
    streams: BTreeSet<Arc<str>>,
    events: BTreeMap<Key, Stored>,
}

/// One event.
struct Stored {
    /// Length of the message as such; in `json` it is escaped.
    text_bytes: usize,
    stream: Arc<str>,
    /// The event as an answer shows it.
    json: Box<str>,
}

impl Store {
    /// Makes a group if it is not there.
    pub(super) fn create_group(&mut self, group: &str) -> &mut Group {
        if !self.groups.contains_key(group) {
            self.groups.insert(group.to_owned(), Group::default());
        }
        self.groups.get_mut(group).expect("it is there or was made one line above")
    }

    /// A group, dead or alive.
    pub(super) fn group(&self, group: &str) -> Option<&Group> {
        self.groups.get(group)
    }

    /// Stores one event and returns its id.
    pub(super) fn put(
        &mut self,
        group: &str,
        stream: &str,
        time: Timestamp,
        visible_at: Timestamp,
        text: &str,
    ) -> String {
        self.events += 1;
        let key = Key { time: time.as_millis(), ingestion: visible_at.as_millis(), serial: self.events };
        // 56 digits, like those of AWS, which also begin with the time.
        let id = format!("3{:019}{:036}", key.time.max(0), key.serial);
        let mut json = String::with_capacity(text.len() + text.len() / 8 + stream.len() + 180);
        json.push_str(r#"{"logStreamName":"#);
        push_json(&mut json, stream);
        write!(json, r#","timestamp":{},"message":"#, key.time).expect("writing to a string cannot fail");
        push_json(&mut json, text);
        write!(json, r#","ingestionTime":{},"eventId":"{id}"}}"#, key.ingestion)
            .expect("writing to a string cannot fail");
        let group = self.create_group(group);
        let stream = group.stream(stream);
        group.put += 1;
        group.events.insert(key, Stored { text_bytes: text.len(), stream, json: json.into_boxed_str() });
        id
    }

    /// Drops every event stamped earlier than `time`.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        let limit = Key { time: time.as_millis(), ingestion: i64::MIN, serial: 0 };
        for group in self.groups.values_mut() {
            // Not `split_off`, which counts what stays: this is done often, for few events of many.
            while let Some(first) = group.events.first_entry()
                && *first.key() < limit
            {
                first.remove();
            }
        }
    }

    /// The groups behind the name `after`, in order, dead or alive.
    pub(super) fn groups(&self, after: Option<&str>) -> impl Iterator<Item = (&str, &Group)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.groups.range::<str, _>((start, Bound::Unbounded)).map(|(name, group)| (name.as_str(), group))
    }

    /// Appends the events of one page to `out`, with commas between them.
    /// `query.from` must not be later than `query.to`, and `query.after` must lie between them.
    pub(super) fn page(&self, group: &str, query: &Query, now: Timestamp, out: &mut String) -> Result<PageEnd, Absent> {
        let group = self.groups.get(group).ok_or(Absent::Group)?;
        let born = group.lives.born(now).ok_or(Absent::Group)?;
        if let Streams::Named(names) = &query.streams
            && names.iter().any(|name| !group.streams.contains(name.as_str()))
        {
            return Err(Absent::Stream);
        }
        let first = Bound::Included(Key { time: query.from, ingestion: i64::MIN, serial: 0 });
        let last = Bound::Included(Key { time: query.to, ingestion: i64::MAX, serial: u64::MAX });
        let visible = (born.as_millis(), now.as_millis());
        Ok(if query.forward {
            fill(group.events.range((query.after.map_or(first, Bound::Excluded), last)), query, visible, out)
        } else {
            fill(group.events.range((first, query.after.map_or(last, Bound::Excluded))).rev(), query, visible, out)
        })
    }
}

impl Group {
    /// The one copy of a stream's name.
    fn stream(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.streams.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(name);
        self.streams.insert(Arc::clone(&new));
        new
    }
}

impl Streams {
    fn takes(&self, stream: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == stream),
            Self::Prefixed(prefix) => stream.starts_with(prefix.as_str()),
        }
    }
}

/// Copies the events that became visible between the two times until the page is full.
fn fill<'a>(
    events: impl Iterator<Item = (&'a Key, &'a Stored)>,
    query: &Query,
    visible: (i64, i64),
    out: &mut String,
) -> PageEnd {
    let mut end = PageEnd { last: query.after, more: false };
    let (mut count, mut bytes) = (0, 0);
    for (key, event) in events {
        if key.ingestion < visible.0 || key.ingestion > visible.1 || !query.streams.takes(&event.stream) {
            continue;
        }
        bytes += event.text_bytes + OVERHEAD_BYTES;
        // A page always takes one event, or an event as large as a page would never be returned.
        if count == query.limit || (count > 0 && bytes > PAGE_BYTES_MAX) {
            end.more = true;
            break;
        }
        if count > 0 {
            out.push(',');
        }
        out.push_str(&event.json);
        count += 1;
        end.last = Some(*key);
    }
    end
}

/// Appends `text` to `out` as a JSON string.
pub(super) fn push_json(out: &mut String, text: &str) {
    out.push('"');
    // Events are put by the million in debug builds: a plain loop, and whole runs are copied.
    let bytes = text.as_bytes();
    let (mut run, mut at) = (0, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'"' || byte == b'\\' {
            out.push_str(&text[run..at]);
            out.push('\\');
            run = at;
        } else if byte < 0x20 {
            out.push_str(&text[run..at]);
            match byte {
                b'\n' => out.push_str("\\n"),
                b'\t' => out.push_str("\\t"),
                control => write!(out, "\\u{control:04x}").expect("writing to a string cannot fail"),
            }
            run = at + 1;
        }
        at += 1;
    }
    out.push_str(&text[run..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "/aws/lambda/a";

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn times(store: &Store, query: &Query, now: i64) -> (Vec<i64>, PageEnd) {
        let mut out = String::from("[");
        let end = store.page(GROUP, query, at(now), &mut out).expect("the group is there");
        out.push(']');
        let events: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        (events.iter().map(|e| e["timestamp"].as_i64().unwrap()).collect(), end)
    }

    fn all(forward: bool) -> Query {
        Query { from: 0, to: i64::MAX, limit: 10_000, forward, after: None, streams: Streams::All }
    }

    #[test]
    fn both_ends_are_inclusive_and_the_order_is_time_then_ingestion_then_id() {
        let mut store = Store::default();
        for (time, visible) in [(30, 31), (10, 50), (20, 21), (10, 11), (40, 41)] {
            store.put(GROUP, "s", at(time), at(visible), "x");
        }
        assert_eq!(times(&store, &Query { from: 10, to: 30, ..all(true) }, 100).0, [10, 10, 20, 30]);
        assert_eq!(times(&store, &Query { from: 10, to: 30, ..all(false) }, 100).0, [30, 20, 10, 10]);
        assert_eq!(times(&store, &Query { from: 11, to: 29, ..all(true) }, 100).0, [20]);
        assert_eq!(times(&store, &all(true), 21).0, [10, 20], "what is not ingested yet is not returned");
    }

    #[test]
    fn a_page_ends_at_its_limit_or_at_one_megabyte_but_holds_at_least_one_event() {
        let mut store = Store::default();
        let text = "x".repeat(1000 - OVERHEAD_BYTES);
        for n in 0..2000 {
            store.put(GROUP, "s", at(n), at(n), &text);
        }
        let (page, end) = times(&store, &all(true), 5000);
        assert_eq!((page.len(), end.more), (1048, true));
        let (page, end) = times(&store, &Query { after: end.last, ..all(true) }, 5000);
        assert_eq!((page[0], page.len(), end.more), (1048, 952, false));
        let (page, end) = times(&store, &Query { limit: 952, ..all(false) }, 5000);
        assert_eq!((page.len(), end.more), (952, true));

        let mut store = Store::default();
        store.put(GROUP, "s", at(1), at(1), &"x".repeat(PAGE_BYTES_MAX));
        store.put(GROUP, "s", at(2), at(2), "y");
        let (page, end) = times(&store, &all(true), 5000);
        assert_eq!((page, end.more), (vec![1], true));
    }

    #[test]
    fn texts_survive_being_json() {
        let text = "a \"b\" \\ \n\r\t\u{1}\u{1f}\u{7f} é \u{2028} 🦀";
        let mut json = String::new();
        push_json(&mut json, text);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn streams_are_told_apart() {
        let mut store = Store::default();
        for (n, stream) in ["a/1", "a/2", "b/1"].into_iter().enumerate() {
            let time = at(i64::try_from(n).unwrap());
            store.put(GROUP, stream, time, time, "x");
        }
        let asked = |streams| times(&store, &Query { streams, ..all(true) }, 100).0;
        assert_eq!(asked(Streams::Prefixed("a/".to_owned())), [0, 1]);
        assert_eq!(asked(Streams::Named(vec!["b/1".to_owned(), "a/1".to_owned()])), [0, 2]);
        let unknown = Query { streams: Streams::Named(vec!["c".to_owned()]), ..all(true) };
        assert_eq!(store.page(GROUP, &unknown, at(9), &mut String::new()), Err(Absent::Stream));
    }

    #[test]
    fn a_new_life_of_a_group_shows_nothing_of_the_old_one() {
        let mut store = Store::default();
        for n in 0..30 {
            store.put(GROUP, "s", at(n), at(n), "x");
        }
        store.create_group(GROUP).lives.end(at(10));
        store.create_group(GROUP).lives.begin(at(20));
        assert_eq!(times(&store, &all(true), 9).0.len(), 10);
        assert_eq!(store.page(GROUP, &all(true), at(15), &mut String::new()), Err(Absent::Group));
        assert_eq!(times(&store, &all(true), 22).0, [20, 21, 22]);
        assert_eq!(store.group(GROUP).unwrap().put, 30);
    }

    #[test]
    fn old_events_can_be_forgotten() {
        let mut store = Store::default();
        for n in 0..10 {
            store.put(GROUP, "s", at(n), at(n), "x");
        }
        store.forget_before(at(7));
        assert_eq!(times(&store, &all(true), 100).0, [7, 8, 9]);
    }

    #[test]
    fn ids_have_56_digits_and_never_repeat() {
        let mut store = Store::default();
        let mut ids: Vec<_> = (0..100).map(|n| store.put(GROUP, "s", at(n / 10), at(n), "same")).collect();
        assert!(ids.iter().all(|id| id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit())));
        assert!(ids.is_sorted());
        ids.dedup();
        assert_eq!(ids.len(), 100);
    }
}
