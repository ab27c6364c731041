//! The ticker of the demo: one line for each ten seconds of event time, so that one sees requests flow and the rate
//! of failures rise and fall.

use std::collections::BTreeMap;

use super::lines::clock;
use super::{BARS, Paint};
use crate::model::request::Request;
use crate::model::text::printable;
use crate::model::time::Timestamp;

/// Counts of the slot under way, by endpoint.
#[derive(Clone, Debug, Default)]
pub struct Ticker {
    counts: BTreeMap<String, (u64, u64)>,
    history: Vec<u64>,
}

/// How many slots the bar shows.
const HISTORY: usize = 30;
/// The share that the tallest bar stands for, in percent.
const TALLEST: u64 = 14;

impl Ticker {
    /// Counts a request.
    pub fn request(&mut self, r: &Request) {
        let counts = self.counts.entry(r.endpoint.to_string()).or_default();
        counts.0 += 1;
        counts.1 += u64::from(r.is_failure());
    }

    /// The line for what was counted since the last, and a fresh start. `at` is the end of the slot.
    pub fn line(&mut self, at: Timestamp, paint: Paint) -> String {
        let (requests, errors) = self.counts.values().fold((0, 0), |(n, e), c| (n + c.0, e + c.1));
        let worst = self.counts.iter().filter(|(_, c)| c.1 > 0).max_by_key(|(_, c)| c.1);
        self.history.push(errors * 100 / requests.max(1));
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
        let bars: String = self.history.iter().map(|share| bar(*share)).collect();
        let bars = if errors > 0 { paint.red(&bars) } else { paint.green(&bars) };
        let head = format!("{}  {requests:>3} requests  {errors:>2} x 5xx", paint.dim(&clock(at)[..8]));
        let tail = worst
            .map(|(endpoint, c)| format!("  {} {} of {} failed", printable(endpoint), c.1, c.0))
            .map(|t| paint.red(&t))
            .unwrap_or_default();
        self.counts.clear();
        format!("{head}  {bars}{tail}")
    }
}

fn bar(percent: u64) -> char {
    let eighth = (percent * 8).div_ceil(TALLEST).min(8);
    BARS[usize::try_from(eighth).unwrap_or(0).saturating_sub(1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::ApiId;
    use crate::model::request::Endpoint;

    fn request(status: u16) -> Request {
        Request {
            api: ApiId(0),
            endpoint: Endpoint::new("POST", "/checkout").into(),
            status,
            start: Timestamp::from_millis(0),
            request_id: None,
            lambda_request_id: None,
            response_latency_ms: None,
            integration_latency_ms: None,
            gateway: None,
        }
    }

    #[test]
    fn a_line_counts_since_the_last_and_bars_show_the_share() {
        let mut ticker = Ticker::default();
        let at = Timestamp::from_millis(0);
        ticker.request(&request(200));
        assert_eq!(ticker.line(at, Paint(false)), "00:00:00    1 requests   0 x 5xx  ▁");
        ticker.request(&request(502));
        let line = ticker.line(at, Paint(false));
        assert!(line.ends_with("1 x 5xx  ▁█  POST /checkout 1 of 1 failed"), "{line}");
        for _ in 0..100 {
            ticker.line(at, Paint(false));
        }
        assert_eq!(ticker.history.len(), HISTORY);
    }

    #[test]
    fn bars_grow_with_the_share() {
        let bars: Vec<_> = [0, 1, 3, 7, 14, 100].map(bar).into();
        assert!(bars.windows(2).all(|w| w[0] <= w[1]), "{bars:?}");
        assert_eq!((bars[0], bars[5]), ('▁', '█'));
    }
}
