//! Running in the world: logs about itself, health and metrics, signals, the clock, the host's name.
//!
//! Rule: these are the edges; inside, a signal is a token that is cancelled and the time is an argument.

pub mod clock;
pub mod ecs;
pub mod host;
pub mod http;
pub mod inquiry;
pub mod service;
pub mod signals;
pub mod telemetry;
