//! The words gatewatch thinks in, as plain types.
//!
//! What it is: requests, invocation facts, causes, alerts and the inventory of what is watched. What it is not: no
//! parsing, no decisions, no clock, no I/O. Rule: every other folder may know this one; this one knows nothing.

pub mod access_format;
pub mod alert;
pub mod cause;
pub mod deployed;
pub mod dropped;
pub mod event;
pub mod execution;
pub mod finding;
pub mod hash;
pub mod id;
pub mod inventory;
pub mod invocation;
pub mod json;
pub mod notice;
pub mod own;
pub mod past;
pub mod personal;
pub mod problem;
pub mod report;
pub mod request;
pub mod saved;
pub mod secrets;
pub mod shell;
pub mod summary;
pub mod text;
pub mod time;
