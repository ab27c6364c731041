//! gatewatch watches AWS API Gateway live: which endpoint answers 5xx, how much, since when, and why.
//!
//! This is the manual for whoever changes it. How to run it stands in the README.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | API | one stage under watch: its access-log groups, its Lambda log groups, perhaps its execution-log group |
//! | request | one access-log line, read; without an access log, one request of the execution log |
//! | endpoint | method and route template (`POST /users/{id}`), never a raw path |
//! | invocation | one run of a Lambda function, put together from its lines |
//! | failure | a request with a 5xx status |
//! | explanation | cause, certainty, evidence, and what to do about it |
//! | rule, alert, episode | a threshold; one instance of it for an endpoint or API; from firing to resolved |
//! | sealed | event time below which a source is believed to be read |
//! | blind | a source that is not read: its reads fail, or none is finished in time |
//! | absence, notice | reading of a source stood still and is caught up; what people are told once when all are |
//!
//! *Event time* (when a request ended) decides windows, joins and rules. *Arrival time* decides waiting, and what a log
//! that is not read leads to. Code that decides never reads a clock: `now` is an argument.
//!
//! # The house
//!
//! A folder is a stage on an event's way, and knows only those named beside it; `tests/architecture.rs` holds that.
//!
//! | folder | what lives there | knows |
//! | --- | --- | --- |
//! | [`model`] | the words above as plain types | nothing |
//! | [`read`] | one line of text -> one fact | model |
//! | [`engine`] | facts -> statistics, explanations, alert states; pure | model |
//! | [`tail`] | a log group -> every event once; pure but for the trait that fetches | model |
//! | [`notify`] | alerts and notices -> messages -> people | model |
//! | [`check`] | what AWS says and what can be read -> findings; pure | model |
//! | [`view`] | what is known -> lines for people, or cells of a screen; pure | model |
//! | [`config`] | file or variable -> validated settings | model, settings types of read, engine, tail, notify |
//! | [`state`] | named blobs, segments and a journal on disk: atomic, versioned, checksummed | nothing |
//! | [`aws`] | the AWS SDK | model, tail, notify, config, the clock of ops |
//! | [`ops`] | the clock, signals, logs about itself, the service manager, asking how it is | model, config |
//! | [`sim`] | simulated CloudWatch Logs and SNS, for demo, tests, benches, other clients | model |
//! | [`run`] | one file per way of running | all |
//!
//! # An event's way
//!
//! [`tail::schedule`] says which page of a source is next, [`tail::budget`] whose turn it is, [`aws::fetch`] gets it. The
//! source's task in `run/poll.rs` drops what [`tail::seen`] has and lets a [`read::Reader`] make facts. A bounded channel
//! carries the batch to the one owner of the [`engine::Engine`] in [`run::live`]; only what it has taken in is committed
//! as seen, so that both can be saved as one by [`run::keep`]. A request is counted in its endpoint's slot; if it failed a
//! case is opened. A Lambda line goes to its invocation, a line of an execution log to its request;
//! [`engine::casework`] brings case and invocation together, and [`engine::explain`] decides.
//! Each 10 s of event time the rules look at the windows and the alert states step. [`notify::plan`] decides for each sink what is
//! said, [`run::post`] writes that down where there is a state folder, [`notify::outbox`] delivers it.
//!
//! Whoever wants to know how it is asks the loop ([`ops::inquiry`]) for a [`model::report`]. A configuration that is read
//! anew ([`run::reload`]) ends one life of the loop and begins another from what it hands over, by the code of a restart. So
//! does an API with `discover` of which something else is found ([`run::discovery`]): what AWS says it is made of
//! ([`model::deployed`]) becomes keys of the configuration in [`config::found`].
//!
//! Between two batches [`run::pipeline`] can be saved and restored: [`model::saved`] is the form, each type keeps its own
//! part of it, and `tests/it/restoring.rs` holds that nobody can tell the difference. A type that is saved changes
//! together with [`engine::STATE_VERSION`] or [`notify::plan::STATE_VERSION`]; a test says so.
//!
//! # Where to change what
//!
//! What is checked: `check/`, one file a thing; what it goes by: [`check::evidence`], asked for in [`run::check`]. A new
//! access-log shape: [`read::access`]. A new line of a runtime: [`read::lambda`]. A sentence of an execution log:
//! [`read::execution`]. A way to join: [`engine::casework`]. What is secret: [`model::secrets`]. A new cause: [`model::cause`],
//! then [`engine::explain`] and its fix. A rule: [`engine::rules`] says what it is, `engine/measures.rs` what it measures,
//! `config/rules` its keys. A state: [`engine::alerts`]; of a log that is not read `engine/sight.rs`; a notice
//! `engine/absence.rs`. A message's words: [`notify::text`]. A place for
//! messages: [`notify::sink`], then [`run::sinks`]. How deep and how often a log is read: [`tail::pace`], what is
//! read next: [`tail::schedule`]. What keeps a discovered API from being watched:
//! [`config::gap`]. What `init` writes: [`config::written`]. What outlives the process: [`run::keep`]; whoever changes a type that is saved raises a version, and a test says which. What the full screen shows: [`view::screen`], its terminal: [`run::follow`]. A setting: [`config`],
//! and `config.example.toml`, which a test compares. What CloudWatch Logs does wrong: [`sim::Ill`], and a file in
//! `tests/sim/` that `gatewatch sim` plays. A bug: a scenario file first.

pub mod aws;
pub mod check;
pub mod config;
pub mod engine;
pub mod model;
pub mod notify;
pub mod ops;
pub mod read;
pub mod run;
pub mod sim;
pub mod state;
pub mod tail;
pub mod view;
