//! Counts of requests in slots of event time: the sliding window of one endpoint.
//!
//! Rings of counts, not averages: a decaying average gives a burst little weight and can hide a total outage. Slots are
//! placed by the event's own time, so arrival order does not matter; a slot is emptied only when its place is needed for
//! a later one. Each request is counted in every ring: 10-second slots answer for windows of up to 6 minutes, wider
//! slots for longer ones, so that three days cost no more than a few hundred slots. Only the rings that the longest
//! window needs are there; with the rules as they come (5 and 30 minutes) one endpoint takes 3.7 KB. Two windows of equal
//! length merge by addition. Rule: a sample that falls behind all rings is refused and counted by the caller, never put
//! into a wrong slot; and what lies after the end that was asked for is in no sum, whether or not it has come already.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::time::{Timestamp, millis};

/// Width of a slot of the finest ring: also how often rules look.
pub const SLOT: Duration = Duration::from_secs(10);

/// The rings: how wide a slot is, and the longest window that it answers for.
const RINGS: [(Duration, Duration); 4] = [
    (SLOT, Duration::from_mins(6)),
    (Duration::from_mins(1), Duration::from_mins(70)),
    (Duration::from_mins(5), Duration::from_hours(6)),
    (Duration::from_hours(1), Duration::from_hours(72)),
];

/// Kept beyond the newest rule window: events may run ahead of the clock by up to a minute of skew.
const AHEAD: Duration = Duration::from_secs(70);

/// How many requests, by status class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All requests.
    pub requests: u64,
    /// Responses by first digit of the status; index 0 takes what is no HTTP status.
    pub by_class: [u32; 6],
    /// Responses that took longer than the API's rules allow.
    pub slow: u32,
}

impl Counts {
    /// Responses with status 500 to 599.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.by_class[5] as u64
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        for (mine, theirs) in self.by_class.iter_mut().zip(other.by_class) {
            *mine = mine.saturating_add(theirs);
        }
        self.slow = self.slow.saturating_add(other.slow);
    }

    fn record(&mut self, status: u16, is_slow: bool) {
        self.slow = self.slow.saturating_add(u32::from(is_slow));
        self.requests = self.requests.saturating_add(1);
        let class = usize::from(status / 100);
        let responses = &mut self.by_class[if class <= 5 { class } else { 0 }];
        *responses = responses.saturating_add(1);
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Slot {
    number: i64,
    counts: Counts,
}

/// Slots of one width, each in the place that its number gives it.
type Ring = Box<[Slot]>;

/// The rings.
#[derive(Clone, Debug)]
pub struct Window {
    /// The first of [`RINGS`], as many as are needed.
    rings: Box<[Ring]>,
}

impl Window {
    /// Rings that can answer for windows of up to `longest`, three days at most.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        let used = RINGS.iter().take(ring(longest) + 1);
        let rings = used.map(|(width, most)| {
            let slots = (longest.min(*most) + AHEAD).as_millis().div_ceil(width.as_millis());
            // One more, because a window seldom ends with a slot of these.
            let slots = usize::try_from(slots).expect("rings are short") + usize::from(*width > SLOT);
            vec![Slot::EMPTY; slots].into_boxed_slice()
        });
        Self { rings: rings.collect() }
    }

    /// Counts one response at its event time; `is_slow`: it took longer than the API's rules allow. False when that lies
    /// behind all rings: too late to count.
    pub fn record(&mut self, time: Timestamp, status: u16, is_slow: bool) -> bool {
        let mut counted = false;
        for (ring, (width, _)) in self.rings.iter_mut().zip(RINGS) {
            if let Some(counts) = slot(ring, time.slot(width)) {
                counts.record(status, is_slow);
                counted = true;
            }
        }
        counted
    }

    /// The sum over the slots of `[begin(end, window), end)`. `end` should be a multiple of [`SLOT`]; otherwise it is
    /// rounded down to it. Where the window is longer than the rings, what they hold.
    #[must_use]
    pub fn total(&self, end: Timestamp, window: Duration) -> Counts {
        let mut from = begin(end, window);
        let mut sum = Sum::default();
        let mut bulk = ring(window);
        // Of a short window the full minutes come from the ring that has them: a look at thousands of endpoints is as
        // long as what it reads.
        let (minute, _) = RINGS[1];
        let full = from.plus(minute.saturating_sub(Duration::from_millis(1))).floor(minute);
        if bulk == 0 && self.rings.len() > 1 && full < end.floor(minute) {
            self.add_slots(0, from, full, &mut sum);
            (from, bulk) = (full, 1);
        }
        // The bulk from the ring of the window; the rest, up to the end, from ever finer ones.
        for ring in (0..self.rings.len().min(bulk + 1)).rev() {
            self.add_slots(ring, from, end, &mut sum);
            from = from.max(end.floor(RINGS[ring].0));
        }
        sum.counts()
    }

    /// Adds the slots of one ring that lie in `[from, end)`, of which `from` is the begin of one.
    fn add_slots(&self, ring: usize, from: Timestamp, end: Timestamp, sum: &mut Sum) {
        let (width, _) = RINGS[ring];
        let numbers = from.slot(width)..end.slot(width);
        if numbers.is_empty() {
            return;
        }
        let (one, two) = around(&self.rings[ring], &numbers);
        for slot in one.iter().chain(two).filter(|slot| numbers.contains(&slot.number)) {
            sum.add(&slot.counts);
        }
    }

    /// Adds the counts of another, of whatever length; what lies behind these rings is left out.
    pub(super) fn absorb(&mut self, other: &Self) {
        for (at, (mine, (width, _))) in self.rings.iter_mut().zip(RINGS).enumerate() {
            // A ring that the other did without is filled from its widest.
            let Some(theirs) = other.rings.get(at).or(other.rings.last()) else { return };
            let its_width = RINGS[at.min(other.rings.len() - 1)].0;
            for one in theirs.iter().filter(|slot| slot.number > i64::MIN) {
                let time = Timestamp::from_millis(one.number.saturating_mul(millis(its_width)));
                if let Some(counts) = slot(mine, time.slot(width)) {
                    counts.add(&one.counts);
                }
            }
        }
    }
}

impl Slot {
    const EMPTY: Self = Self { number: i64::MIN, counts: Counts { requests: 0, by_class: [0; 6], slow: 0 } };
}

/// The places of slots with these numbers, from the first: up to the end of the ring, and on from its beginning.
fn around<'a>(ring: &'a Ring, numbers: &Range<i64>) -> (&'a [Slot], &'a [Slot]) {
    let Some(count) = usize::try_from(numbers.end - numbers.start).ok().filter(|count| *count < ring.len()) else {
        return (ring, &[]);
    };
    let from = place(numbers.start, ring.len());
    let (before, behind) = ring.split_at(from);
    (&behind[..count.min(behind.len())], &before[..count.saturating_sub(behind.len())])
}

/// A sum of counts, too wide to run over: adding them up is most of what a look at thousands of endpoints costs.
#[derive(Default)]
struct Sum {
    requests: u64,
    by_class: [u64; 6],
    slow: u64,
}

impl Sum {
    fn add(&mut self, counts: &Counts) {
        self.requests = self.requests.saturating_add(counts.requests);
        for (sum, count) in self.by_class.iter_mut().zip(counts.by_class) {
            *sum += u64::from(count);
        }
        self.slow += u64::from(counts.slow);
    }

    fn counts(&self) -> Counts {
        let narrow = |sum| u32::try_from(sum).unwrap_or(u32::MAX);
        Counts { requests: self.requests, by_class: self.by_class.map(narrow), slow: narrow(self.slow) }
    }
}

/// The counts of slot `number`, emptied if an earlier slot had its place. `None` if a later one has.
fn slot(ring: &mut Ring, number: i64) -> Option<&mut Counts> {
    let at = place(number, ring.len());
    let slot = &mut ring[at];
    if slot.number < number {
        *slot = Slot { number, ..Slot::EMPTY };
    }
    (slot.number == number).then_some(&mut slot.counts)
}

/// Written as the slots that were used. What is read back is of just that length: [`Window::absorb`] puts it into
/// rings.
impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used = |ring: &Ring| ring.iter().filter(|s| s.number > i64::MIN).copied().collect();
        self.rings.iter().map(used).collect::<Vec<Vec<Slot>>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rings = Vec::<Vec<Slot>>::deserialize(deserializer)?;
        rings.truncate(RINGS.len());
        Ok(Self { rings: rings.into_iter().map(Vec::into_boxed_slice).collect() })
    }
}

/// Where a window that ends at `end` begins: to the slot of the ring that answers for its length, rounded down.
#[must_use]
pub fn begin(end: Timestamp, window: Duration) -> Timestamp {
    let (width, _) = RINGS[ring(window)];
    end.floor(SLOT).minus(window.max(SLOT)).floor(width)
}

/// How wide slots are, from the finest.
pub(super) fn widths() -> impl Iterator<Item = Duration> {
    RINGS.iter().map(|(width, _)| *width)
}

/// By the number of a [`SLOT`]: the number of the first one of those with which windows that end at `end` or later ask for
/// it: ever more of them, the longer ago they are. Whoever puts these together loses nothing that such a window asks for.
pub(super) fn coarser(end: Timestamp) -> impl Fn(i64) -> i64 {
    // In numbers: it is asked of each of hundreds of slots of thousands of endpoints.
    let limits = RINGS.map(|(width, most)| {
        let oldest = end.minus(most + width + AHEAD);
        let first = oldest.slot(SLOT) + i64::from(oldest.floor(SLOT) != oldest);
        (first, millis(width) / millis(SLOT))
    });
    move |slot| {
        let (_, slots) = limits.iter().find(|(first, _)| slot >= *first).unwrap_or(&limits[RINGS.len() - 1]);
        slot.div_euclid(*slots).saturating_mul(*slots)
    }
}

/// The finest of [`RINGS`] that answers for a window, or the last.
fn ring(window: Duration) -> usize {
    RINGS.iter().position(|(_, most)| window <= *most).unwrap_or(RINGS.len() - 1)
}

/// Where slot `number` stands in a ring of `len` places.
pub(super) fn place(number: i64, len: usize) -> usize {
    let len = i64::try_from(len).expect("rings are short");
    usize::try_from(number.rem_euclid(len)).expect("a remainder by a positive number is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_MINUTES: Duration = Duration::from_mins(5);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn counts_by_class_within_the_window() {
        let mut w = Window::new(FIVE_MINUTES);
        for (t, status) in [(1000, 200), (1001, 404), (1009, 502), (1010, 500), (1299, 504)] {
            assert!(w.record(at(t), status, false));
        }
        let c = w.total(at(1300), FIVE_MINUTES);
        assert_eq!((c.requests, c.errors(), c.by_class[2], c.by_class[4]), (5, 3, 1, 1));
        assert_eq!(w.total(at(1310), FIVE_MINUTES).requests, 2, "the slot of 1000 to 1009 has left");
        assert_eq!(w.total(at(1300), Duration::from_secs(10)).requests, 1);
        assert_eq!(
            w.total(at(1290), FIVE_MINUTES).requests,
            4,
            "a window that ends earlier does not see what is after"
        );
    }

    #[test]
    fn order_of_arrival_does_not_matter() {
        let times = [1000, 1290, 1005, 1150, 1000, 1299];
        let mut forward = Window::new(FIVE_MINUTES);
        let mut backward = Window::new(FIVE_MINUTES);
        for t in times {
            assert!(forward.record(at(t), 200, false));
        }
        for t in times.iter().rev() {
            assert!(backward.record(at(*t), 200, false));
        }
        assert_eq!(forward.total(at(1300), FIVE_MINUTES), backward.total(at(1300), FIVE_MINUTES));
    }

    #[test]
    fn refuses_what_lies_behind_the_rings_and_survives_an_idle_year() {
        let mut w = Window::new(FIVE_MINUTES);
        assert!(w.record(at(31_536_000), 200, false));
        let ring = i64::try_from(w.rings[0].len()).unwrap() * 10;
        assert!(!w.record(at(31_536_000 - ring), 200, false), "its place is taken by a later slot");
        assert_eq!(w.total(at(31_536_010), FIVE_MINUTES).requests, 1);
        assert!(w.record(at(63_072_000), 500, false));
        assert_eq!(w.total(at(63_072_010), FIVE_MINUTES).errors(), 1);
    }

    /// Times of an hour's, or three days', worth of requests that come in no order.
    fn times(count: u64, within: u64) -> Vec<i64> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from((state >> 33) % within).unwrap()
        };
        (0..count).map(|_| 1_000_000 + next()).collect()
    }

    #[test]
    fn a_long_window_begins_with_a_slot_of_its_ring_and_ends_where_it_was_asked_to() {
        let minutes = |n| Duration::from_mins(n);
        for (longest, within) in [(6, 360), (30, 1800), (70, 4200), (360, 21_600), (72 * 60, 259_200)] {
            let (mut w, times) = (Window::new(minutes(longest)), times(3000, within));
            for t in &times {
                assert!(w.record(at(*t), 502, false));
            }
            // All but the last minute of what has come: that is as far as events run ahead of the rules.
            let end = 1_000_000 + i64::try_from(within).unwrap() - 60;
            for end in [end, end + 10, end + 50] {
                for window in [1, 5, 6, 7, 30, 60, 70, 71, 360, 361, 72 * 60].map(minutes) {
                    if window > minutes(longest) {
                        continue;
                    }
                    let from = begin(at(end), window);
                    let ahead = at(end).since(from).checked_sub(window).expect("no shorter than asked for");
                    assert!(ahead < RINGS[ring(window)].0 && (window > minutes(6) || ahead < SLOT));
                    let want = times.iter().filter(|t| (from..at(end).floor(SLOT)).contains(&at(**t))).count();
                    assert_eq!(w.total(at(end), window).requests, want as u64, "{window:?} of {longest} min to {end}");
                }
            }
        }
    }

    #[test]
    fn two_windows_merge_by_addition_and_are_saved_as_they_are() {
        let hours = Duration::from_hours(6);
        let (mut one, mut two, mut both) = (Window::new(hours), Window::new(hours), Window::new(hours));
        for (t, n) in times(2000, 21_600).into_iter().zip(0..) {
            let (half, status) = if n % 3 == 0 { (&mut one, 502) } else { (&mut two, 200) };
            assert!(half.record(at(t), status, false) && both.record(at(t), status, false));
        }
        let saved = postcard::to_stdvec(&two).unwrap();
        one.absorb(&postcard::from_bytes(&saved).unwrap());
        for window in [1, 5, 30, 90, 360].map(Duration::from_mins) {
            assert_eq!(one.total(at(1_021_600), window), both.total(at(1_021_600), window));
        }
    }

    #[test]
    fn a_longer_window_starts_with_what_the_shorter_one_had() {
        let (mut short, mut long) = (Window::new(FIVE_MINUTES), Window::new(Duration::from_hours(72)));
        for t in times(500, 300) {
            assert!(short.record(at(t), 502, false));
        }
        long.absorb(&short);
        for window in [FIVE_MINUTES, Duration::from_mins(30), Duration::from_hours(3), Duration::from_hours(72)] {
            assert_eq!(long.total(at(1_000_300), window).errors(), 500, "{window:?}");
        }
        let mut again = Window::new(FIVE_MINUTES);
        again.absorb(&long);
        assert_eq!(again.total(at(1_000_300), FIVE_MINUTES), short.total(at(1_000_300), FIVE_MINUTES));
    }

    #[test]
    fn too_late_for_a_short_window_is_counted_in_a_long_one() {
        let (mut w, half_an_hour) = (Window::new(Duration::from_mins(30)), Duration::from_mins(30));
        assert!(w.record(at(100_000), 200, false));
        assert!(w.record(at(100_000 - 900), 502, false));
        assert!(!w.record(at(100_000 - 85_140), 502, false), "later slots have its places in both rings");
        assert_eq!(w.total(at(100_010), FIVE_MINUTES).requests, 1);
        assert_eq!(w.total(at(100_010), half_an_hour).requests, 2);
    }

    #[test]
    fn an_endpoint_takes_a_few_kilobytes() {
        let size = |longest| {
            let w = Window::new(longest);
            let slots: usize = w.rings.iter().map(|ring| ring.len() * size_of::<Slot>()).sum();
            size_of::<Window>() + w.rings.len() * size_of::<Ring>() + slots
        };
        assert_eq!(size(Duration::from_mins(30)), 3696);
        assert_eq!(size(Duration::from_hours(72)), 12_752);
    }

    #[test]
    fn a_status_that_is_none_is_counted_apart() {
        let mut w = Window::new(FIVE_MINUTES);
        assert!(w.record(at(10), 0, false));
        assert!(w.record(at(10), 999, false));
        let c = w.total(at(20), FIVE_MINUTES);
        assert_eq!((c.requests, c.by_class[0], c.errors()), (2, 2, 0));
    }
}
