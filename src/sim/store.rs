//! The log groups of the simulation and their events, in memory, and one page of them.
//!
//! Not the protocol: `logs` reads requests and words errors. Rule: events stand in the order of `FilterLogEvents`
//! (time, ingestion time, id) and each is kept as the JSON text it is sent as, so that a page is a range look-up and a
//! copy: the benches must measure the client, not this.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;

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

/// What one page is asked for.
#[derive(Clone, Copy, Debug)]
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
}

/// How a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageEnd {
    /// The last event on it, or where the read stood before when it is empty.
    pub(super) last: Option<Key>,
    /// Another visible event follows.
    pub(super) more: bool,
}

/// All groups, by name.
#[derive(Default)]
pub(super) struct Store {
    groups: BTreeMap<String, BTreeMap<Key, Stored>>,
    /// Events ever put.
    events: u64,
}

/// One event.
struct Stored {
    /// Length of the message as such; in `json` it is escaped.
    text_bytes: usize,
    /// The event as an answer shows it.
    json: Box<str>,
}

impl Store {
    /// Makes a group if it is not there.
    pub(super) fn create_group(&mut self, group: &str) {
        if !self.groups.contains_key(group) {
            self.groups.insert(group.to_owned(), BTreeMap::new());
        }
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
        let json = format!(
            r#"{{"logStreamName":{},"timestamp":{},"message":{},"ingestionTime":{},"eventId":"{id}"}}"#,
            serde_json::Value::from(stream),
            key.time,
            serde_json::Value::from(text),
            key.ingestion
        );
        self.create_group(group);
        let events = self.groups.get_mut(group).expect("the group was made one line above");
        events.insert(key, Stored { text_bytes: text.len(), json: json.into_boxed_str() });
        id
    }

    /// Drops every event stamped earlier than `time`.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        for events in self.groups.values_mut() {
            *events = events.split_off(&Key { time: time.as_millis(), ingestion: i64::MIN, serial: 0 });
        }
    }

    /// The names of the groups behind `after`, in order.
    pub(super) fn names(&self, after: Option<&str>) -> impl Iterator<Item = &str> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.groups.range::<str, _>((start, Bound::Unbounded)).map(|(name, _)| name.as_str())
    }

    /// Appends the events of one page to `out`, with commas between them; `None` when there is no such group.
    /// `query.from` must not be later than `query.to`, and `query.after` must lie between them.
    pub(super) fn page(&self, group: &str, query: &Query, now: Timestamp, out: &mut String) -> Option<PageEnd> {
        let events = self.groups.get(group)?;
        let first = Bound::Included(Key { time: query.from, ingestion: i64::MIN, serial: 0 });
        let last = Bound::Included(Key { time: query.to, ingestion: i64::MAX, serial: u64::MAX });
        Some(if query.forward {
            fill(events.range((query.after.map_or(first, Bound::Excluded), last)), query, now, out)
        } else {
            fill(events.range((first, query.after.map_or(last, Bound::Excluded))).rev(), query, now, out)
        })
    }
}

/// Copies visible events until the page is full.
fn fill<'a>(
    events: impl Iterator<Item = (&'a Key, &'a Stored)>,
    query: &Query,
    now: Timestamp,
    out: &mut String,
) -> PageEnd {
    let mut end = PageEnd { last: query.after, more: false };
    let (mut count, mut bytes) = (0, 0);
    for (key, event) in events.filter(|(key, _)| key.ingestion <= now.as_millis()) {
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
    write!(out, "{}", serde_json::Value::from(text)).expect("writing to a string cannot fail");
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
        Query { from: 0, to: i64::MAX, limit: 10_000, forward, after: None }
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
