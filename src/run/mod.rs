//! One file per way of running, and what they share.
//!
//! Here the parts meet: sources feed the [`pipeline`], what it says goes to people. Not the parts themselves. Rule:
//! decisions stay below; what is here moves data, waits, and stops.

pub mod check;
pub mod daemon;
pub mod demo;
pub mod discovery;
pub mod failure;
pub mod follow;
pub mod health;
pub mod init;
mod input;
pub mod keep;
mod ledger;
pub mod live;
mod lookout;
mod merge;
mod meter;
pub mod named;
mod numbered;
mod ongoing;
mod output;
pub mod pipeline;
mod poll;
pub mod post;
pub mod process;
mod progress;
pub mod recollect;
pub mod reload;
pub mod replay;
mod report;
mod room;
pub mod send_test;
pub mod sim;
pub mod sinks;
mod sources;
mod streams;
