//! The integration tests, as one binary: each further one would link the AWS SDK again.

#![expect(clippy::print_stderr, reason = "what a program said is shown when a test fails")]

mod alerting;
mod check;
mod cli;
mod control_plane;
mod daemon;
mod discovery;
mod entry;
mod exactness;
mod faults;
mod http;
mod lives;
mod moto;
mod moto_server;
mod own_lines;
mod packaging;
mod planted;
mod properties;
mod python;
mod reading;
mod restoring;
#[cfg(target_os = "linux")]
mod runtime_client;
mod scenarios;
#[cfg(target_os = "linux")]
mod screen;
mod service;
mod sinks;
mod sns_proxy;
#[cfg(target_os = "linux")]
mod terminal;
mod topics;
mod verdicts;
