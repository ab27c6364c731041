//! The script of a shop API: healthy traffic, a deploy that breaks `POST /checkout`, and its rollback.
//!
//! Not a load generator: it makes a list of log events with the times they become readable, and the simulation shows
//! them when those times come. Rule: the same seed and times give the same events, and what the access log says of a
//! failure is what API Gateway says of that failure (REST API, Lambda proxy integration).

use std::sync::Arc;
use std::time::Duration;

use super::dice::Dice;
use super::functions::{Function, Invocation, Outcome, Pool, Runtime, TYPE_ERROR, Work};
use super::planned::{Backlog, Planned};
use crate::model::time::Timestamp;

/// The access-log group of the shop's one stage.
pub const ACCESS_GROUP: &str = "/aws/apigateway/shop-prod";
/// The log group of `checkout-fn`, which serves `POST /checkout`.
pub const CHECKOUT_GROUP: &str = "/aws/lambda/checkout-fn";
/// The log groups of the shop's functions.
pub const FUNCTIONS: [&str; 4] =
    ["/aws/lambda/catalog-fn", "/aws/lambda/users-fn", "/aws/lambda/orders-fn", CHECKOUT_GROUP];

/// Of the checkouts between deploy and rollback, how many of 100 fail.
const FAILING_PERCENT: u64 = 45;
/// The versions of `checkout-fn`: the good one and the broken one.
const VERSIONS: (&str, &str) = ("41", "42");
/// From the end of a request to its access line being readable, in milliseconds.
const ACCESS_LAG_MS: (u64, u64) = (800, 2500);

static FUNCTION_FACTS: [Function; 4] = [
    Function { group: FUNCTIONS[0], runtime: Runtime::Node, memory_mb: 256, init_us: 210_000 },
    Function { group: FUNCTIONS[1], runtime: Runtime::Python, memory_mb: 128, init_us: 160_000 },
    Function { group: FUNCTIONS[2], runtime: Runtime::Node, memory_mb: 256, init_us: 190_000 },
    Function { group: FUNCTIONS[3], runtime: Runtime::Node, memory_mb: 512, init_us: 320_000 },
];
/// Where `checkout-fn` stands among the functions.
const CHECKOUT: usize = 3;

/// One endpoint of the shop.
struct Endpoint {
    method: &'static str,
    path: &'static str,
    /// Index of its function.
    function: usize,
    /// Requests to it of [`WEIGHTS`].
    weight: u64,
    /// Usual time of the handler and how much longer it may take, in microseconds.
    handler_us: (u64, u64),
    status: u16,
    /// What it answers now and then when the client is wrong.
    client_error: u16,
    says: &'static str,
    complains: &'static str,
}

/// The sum of all weights: checkouts are one request in six.
const WEIGHTS: u64 = 48;

static ENDPOINTS: [Endpoint; 6] = [
    Endpoint {
        method: "GET",
        path: "/products",
        function: 0,
        weight: 14,
        handler_us: (14_000, 160_000),
        status: 200,
        client_error: 400,
        says: "listing products",
        complains: "search index is 40 s behind, listing anyway",
    },
    Endpoint {
        method: "GET",
        path: "/products/{id}",
        function: 0,
        weight: 11,
        handler_us: (7_000, 90_000),
        status: 200,
        client_error: 404,
        says: "reading one product",
        complains: "price cache does not answer, asking the table instead",
    },
    Endpoint {
        method: "GET",
        path: "/users/{id}",
        function: 1,
        weight: 6,
        handler_us: (9_000, 110_000),
        status: 200,
        client_error: 404,
        says: "reading a profile",
        complains: "avatar service does not answer, using the default picture",
    },
    Endpoint {
        method: "POST",
        path: "/cart/items",
        function: 2,
        weight: 5,
        handler_us: (18_000, 140_000),
        status: 201,
        client_error: 400,
        says: "adding to a cart",
        complains: "could not write the audit record, will be written later",
    },
    Endpoint {
        method: "GET",
        path: "/orders/{id}",
        function: 2,
        weight: 4,
        handler_us: (11_000, 120_000),
        status: 200,
        client_error: 404,
        says: "reading an order",
        complains: "tracking number not known to the carrier",
    },
    Endpoint {
        method: "POST",
        path: "/checkout",
        function: CHECKOUT,
        weight: 8,
        handler_us: (120_000, 700_000),
        status: 201,
        client_error: 400,
        says: "pricing a cart",
        complains: "loyalty points not booked, will be tried again",
    },
];

/// The settings of a run of the shop.
#[derive(Clone, Debug)]
pub struct Script {
    seed: u64,
    from: Timestamp,
    deploy: Timestamp,
    rollback: Timestamp,
    to: Timestamp,
    requests_per_second: u64,
}

impl Script {
    /// A shop that has requests from `from` up to `to`. `POST /checkout` fails in part between `deploy` and
    /// `rollback`. About 8 requests per second.
    #[must_use]
    pub fn new(seed: u64, from: Timestamp, deploy: Timestamp, rollback: Timestamp, to: Timestamp) -> Self {
        Self { seed, from, deploy, rollback, to, requests_per_second: 8 }
    }

    /// With another rate: requests per second over all endpoints, 1 to 500.
    #[must_use]
    pub fn with_rate(self, requests_per_second: u64) -> Self {
        Self { requests_per_second: requests_per_second.clamp(1, 500), ..self }
    }

    /// All events, in the order of `visible_at`. They are made as they are asked for, from a backlog of seconds. Lines
    /// of requests that began before `to` come even where they become visible after it.
    pub fn events(&self) -> impl Iterator<Item = Planned> + use<> {
        self.play()
    }

    /// The same, as what it is.
    pub(super) fn play(&self) -> Events {
        Events {
            script: self.clone(),
            dice: Dice::new(self.seed),
            next_request: self.from,
            pools: FUNCTION_FACTS
                .iter()
                .enumerate()
                .map(|(n, function)| Pool::new(function, if n == CHECKOUT { VERSIONS.0 } else { "$LATEST" }))
                .collect(),
            access_streams: {
                let mut dice = Dice::new(!self.seed);
                std::array::from_fn(|_| dice.hex32().into())
            },
            backlog: Backlog::default(),
            planned: 0,
            failures: 0,
        }
    }
}

/// The script as it is played.
pub(super) struct Events {
    script: Script,
    dice: Dice,
    /// Nothing that becomes visible before this is still to be made.
    next_request: Timestamp,
    pools: Vec<Pool>,
    access_streams: [Arc<str>; 4],
    backlog: Backlog,
    /// Events made so far.
    planned: u64,
    /// Checkouts that failed so far: decides how the next one fails.
    failures: u64,
}

impl Iterator for Events {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        loop {
            let over = self.next_request >= self.script.to;
            let ready = self.backlog.pop(if over { Timestamp::MAX } else { self.next_request });
            if over || ready.is_some() {
                return ready;
            }
            self.request(self.next_request);
            let mean_us = 1_000_000 / self.script.requests_per_second;
            // Uneven but never bunched: from a tenth of the mean gap to nearly twice of it.
            let gap_us = self.dice.between(mean_us / 10, mean_us * 19 / 10);
            self.next_request = self.next_request.plus(Duration::from_millis((gap_us / 1000).max(1)));
        }
    }
}

impl Events {
    /// Has no request begin at `at` or later.
    pub(super) fn end_at(&mut self, at: Timestamp) {
        self.script.to = self.script.to.min(at);
    }

    /// Plans one request and everything it leaves in the logs.
    fn request(&mut self, start: Timestamp) {
        let broken = start >= self.script.deploy && start < self.script.rollback;
        let endpoint = self.endpoint();
        let outcome = self.outcome(endpoint, broken);
        let pool = &mut self.pools[endpoint.function];
        if endpoint.function == CHECKOUT {
            pool.deploy(if broken { VERSIONS.1 } else { VERSIONS.0 });
        }
        // An error that is only logged must never look like the cause of one that is answered.
        let harmless = matches!(outcome, Outcome::Answered(_)) && self.dice.percent(2);
        let work = Work {
            outcome,
            handler_us: self.dice.skewed(endpoint.handler_us.0, endpoint.handler_us.1),
            says: endpoint.says,
            complains: harmless.then_some(endpoint.complains),
        };
        let before = Duration::from_millis(self.dice.between(4, 12));
        let arrival = start.plus(before);
        let invocation = pool.invoke(&mut self.dice, arrival, &work);
        let group = pool.function.group;

        let integration = invocation.end.since(arrival) + Duration::from_millis(self.dice.between(3, 8));
        let response = before + integration + Duration::from_millis(self.dice.between(2, 6));
        let text = self.access_line(start, endpoint, outcome, &invocation, response, integration);
        let lag = Duration::from_millis(self.dice.between(ACCESS_LAG_MS.0, ACCESS_LAG_MS.1));
        let visible_at = start.plus(response).plus(lag);
        let stream = usize::try_from(self.dice.between(0, 3)).expect("3 fits every usize");
        let stream = Arc::clone(&self.access_streams[stream]);
        self.push(ACCESS_GROUP, &stream, (start, start.plus(response), visible_at), text);
        let stream = Arc::from(invocation.stream);
        for line in invocation.lines {
            self.push(group, &stream, (line.time, line.time, invocation.visible_at), line.text);
        }
    }

    /// `times` are the stamp, the writing and the becoming visible.
    fn push(&mut self, group: &str, stream: &Arc<str>, times: (Timestamp, Timestamp, Timestamp), text: String) {
        let (group, stream, serial) = (Arc::from(group), Arc::clone(stream), self.planned);
        let (time, written, visible_at) = times;
        self.planned += 1;
        self.backlog.push(Planned { group, stream, time, written, visible_at, text, serial });
    }

    fn endpoint(&mut self) -> &'static Endpoint {
        let mut draw = self.dice.between(1, WEIGHTS);
        for endpoint in &ENDPOINTS {
            if draw <= endpoint.weight {
                return endpoint;
            }
            draw -= endpoint.weight;
        }
        unreachable!("the weights add up to WEIGHTS")
    }

    fn outcome(&mut self, endpoint: &Endpoint, broken: bool) -> Outcome {
        if endpoint.function == CHECKOUT && broken && self.dice.percent(FAILING_PERCENT) {
            self.failures += 1;
            // Dealt, not drawn: even a short incident has every kind. Of ten: seven throw, two are malformed, one
            // times out. Two invocations of the whole incident run out of memory.
            return match (self.failures, self.failures % 10) {
                (4 | 24, _) => Outcome::OutOfMemory,
                (_, 2 | 8) => Outcome::Malformed,
                (_, 6) => Outcome::TimedOut,
                _ => Outcome::Threw,
            };
        }
        Outcome::Answered(if self.dice.percent(2) { endpoint.client_error } else { endpoint.status })
    }

    /// One line of the REST access-log format gatewatch recommends: every value quoted, `-` where there is none.
    fn access_line(
        &mut self,
        start: Timestamp,
        endpoint: &Endpoint,
        outcome: Outcome,
        invocation: &Invocation,
        response: Duration,
        integration: Duration,
    ) -> String {
        let customer = |message: &str| format!("Lambda Customer Function Error:{message}");
        let (error, error_type) = match outcome {
            Outcome::Answered(_) => ("-".to_owned(), "-"),
            Outcome::Threw => (customer(TYPE_ERROR), "INTEGRATION_FAILURE"),
            Outcome::Malformed => (
                "Execution failed due to configuration error: Malformed Lambda proxy response".to_owned(),
                "API_CONFIGURATION_ERROR",
            ),
            Outcome::TimedOut => (
                customer(&format!("{} {} Task timed out after 3.00 seconds", invocation.end, invocation.request_id)),
                "INTEGRATION_FAILURE",
            ),
            Outcome::OutOfMemory => (
                customer(&format!(
                    "RequestId: {} Error: Runtime exited with error: signal: killed",
                    invocation.request_id
                )),
                "INTEGRATION_FAILURE",
            ),
        };
        let (status, function_status, length, message) = match outcome {
            Outcome::Answered(status) => (status, status.to_string(), self.dice.between(60, 4000), "-"),
            // The length of the gateway's own body, {"message": "Internal server error"}.
            Outcome::Threw | Outcome::Malformed | Outcome::TimedOut | Outcome::OutOfMemory => {
                (502, "-".to_owned(), 36, "Internal server error")
            }
        };
        format!(
            concat!(
                r#"{{"requestId":"{}","extendedRequestId":"{}","requestTimeEpoch":"{}","apiId":"a1b2c3d4e5","#,
                r#""stage":"prod","httpMethod":"{}","resourcePath":"{}","status":"{}","responseLatency":"{}","#,
                r#""responseLength":"{}","integrationRequestId":"{}","integrationStatus":"200","#,
                r#""functionStatus":"{}","integrationLatency":"{}","integrationError":"{}","errorMessage":"{}","#,
                r#""errorType":"{}","authorizerError":"-","authorizerRequestId":"-","wafError":"-","#,
                r#""xrayTraceId":"-"}}"#
            ),
            self.dice.uuid(),
            self.dice.extended_id(),
            start.as_millis(),
            endpoint.method,
            endpoint.path,
            status,
            response.as_millis(),
            length,
            invocation.request_id,
            function_status,
            integration.as_millis(),
            error,
            message,
            error_type
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;

    /// Minutes from the start of the script to the deploy, from there to the rollback, from there to the end.
    const MINUTES: [u64; 3] = [4, 10, 4];

    fn times() -> [Timestamp; 4] {
        let from = Timestamp::from_millis(1_795_338_000_000);
        let after = |n: usize| from.plus(Duration::from_mins(MINUTES[..n].iter().sum()));
        [from, after(1), after(2), after(3)]
    }

    fn script(seed: u64) -> Script {
        let [from, deploy, rollback, to] = times();
        Script::new(seed, from, deploy, rollback, to)
    }

    fn access_lines() -> Vec<(Timestamp, Value)> {
        let lines = script(1).events().filter(|event| &*event.group == ACCESS_GROUP);
        lines.map(|event| (event.time, serde_json::from_str(&event.text).unwrap())).collect()
    }

    fn is_checkout(line: &Value) -> bool {
        line["resourcePath"] == "/checkout"
    }

    #[test]
    fn the_same_seed_tells_the_same_story_in_order() {
        let events: Vec<_> = script(1).events().collect();
        assert!(events.iter().eq(script(1).events().collect::<Vec<_>>().iter()));
        assert!(!events.iter().eq(script(2).events().collect::<Vec<_>>().iter()));
        assert!(events.is_sorted_by_key(|event| event.visible_at));
        assert!(events.iter().all(|event| event.visible_at > event.time));
    }

    #[test]
    fn about_eight_requests_a_second_one_in_six_a_checkout() {
        let lines = access_lines();
        let seconds = usize::try_from(60 * MINUTES.iter().sum::<u64>()).unwrap();
        assert!((7 * seconds..9 * seconds).contains(&lines.len()), "{}", lines.len());
        let checkouts = lines.iter().filter(|(_, line)| is_checkout(line)).count();
        assert!((lines.len() / 7..lines.len() / 5).contains(&checkouts), "{checkouts}");
    }

    #[test]
    fn only_checkout_fails_and_only_between_deploy_and_rollback() {
        let [_, deploy, rollback, _] = times();
        let (mut all, mut failed) = (0, 0);
        let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
        for (time, line) in access_lines() {
            let status = line["status"].as_str().unwrap();
            if !(is_checkout(&line) && time >= deploy && time < rollback) {
                assert!(matches!(status, "200" | "201" | "400" | "404"), "{line}");
                assert_eq!(line["functionStatus"], status);
                continue;
            }
            all += 1;
            if status == "502" {
                failed += 1;
                let error = line["integrationError"].as_str().unwrap();
                let kind = ["reading 'items'", "Malformed", "Task timed out after 3.00", "signal: killed"];
                let kind = kind.into_iter().find(|kind| error.contains(kind)).expect("a kind that is known");
                *kinds.entry(kind.to_owned()).or_default() += 1;
            }
        }
        assert!((38 * all..52 * all).contains(&(100 * failed)), "{failed} of {all}");
        assert_eq!(kinds["signal: killed"], 2);
        assert!(kinds["reading 'items'"] * 10 > failed * 6, "{kinds:?}");
        assert!(kinds["Malformed"] > kinds["Task timed out after 3.00"], "{kinds:?}");
    }

    #[test]
    fn every_request_has_its_invocation_and_every_id_is_used_once() {
        let mut ids = BTreeSet::new();
        let mut seen: BTreeMap<String, [u32; 3]> = BTreeMap::new();
        for event in script(1).events().filter(|event| &*event.group != ACCESS_GROUP) {
            for (n, word) in ["START", "END", "REPORT"].into_iter().enumerate() {
                if let Some(rest) = event.text.strip_prefix(&format!("{word} RequestId: ")) {
                    seen.entry(rest[..36].to_owned()).or_default()[n] += 1;
                }
            }
            assert!(event.text.ends_with('\n'));
        }
        for (_, line) in access_lines() {
            for id in ["requestId", "extendedRequestId", "integrationRequestId"] {
                assert!(ids.insert(line[id].as_str().unwrap().to_owned()));
            }
            assert_eq!(seen.remove(line["integrationRequestId"].as_str().unwrap()), Some([1, 1, 1]));
        }
        assert!(seen.is_empty(), "no invocation without a request");
    }

    #[test]
    fn streams_run_one_request_at_a_time_and_name_their_version() {
        let [_, deploy, rollback, _] = times();
        let mut open: BTreeMap<String, String> = BTreeMap::new();
        let mut events: Vec<_> = script(1).events().filter(|event| &*event.group != ACCESS_GROUP).collect();
        events.sort_by_key(|event| (event.time, event.visible_at));
        let mut complaints = 0;
        for event in events {
            if let Some(rest) = event.text.strip_prefix("START RequestId: ") {
                assert_eq!(open.insert(event.stream.to_string(), rest[..36].to_owned()), None);
                let version = if &*event.group == CHECKOUT_GROUP {
                    // A request that came before the switch may start a little after it.
                    let start = event.time.minus(Duration::from_secs(1));
                    if event.time >= deploy && start < rollback { ["41", "42"] } else { ["41", "41"] }
                } else {
                    ["$LATEST"; 2]
                };
                let names = version.map(|v| {
                    event.text.ends_with(&format!("Version: {v}\n")) && event.stream.contains(&format!("[{v}]"))
                });
                assert!(names.contains(&true), "{} {}", event.stream, event.text);
            } else if let Some(rest) = event.text.strip_prefix("REPORT RequestId: ") {
                assert_eq!(open.remove(&*event.stream).as_deref(), Some(&rest[..36]));
            }
            let plain_error = event.text.contains("ERROR") && !event.text.contains("Invoke Error");
            complaints += u32::from(plain_error && !event.text.contains("Status: error"));
        }
        assert!(complaints > 50, "{complaints}");
    }
}
