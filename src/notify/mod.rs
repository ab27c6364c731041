//! Alerts and notices -> messages -> people.
//!
//! [`plan`] decides what is said to one [`audience`] (pure, takes its time from the alerts), [`plans`] is that for all; [`message`] is what is said, [`text`],
//! [`json`] and [`sns`] render it, [`outbox`] delivers it through a [`sink`]. Not the alerts themselves: the engine hands out every alert
//! as it stands. Rule: a message that was due is delivered, or kept for the next start by whoever put it, or stands on
//! stderr; a resolve is sent exactly for what was sent as firing.

pub mod alarm;
pub mod audience;
mod backoff;
pub mod chat;
pub mod headline;
pub mod json;
pub mod message;
pub mod origin;
pub mod outbox;
pub mod plan;
pub mod plans;
pub mod query;
pub mod receipt;
pub mod sink;
pub mod sns;
mod telling;
pub mod text;

#[cfg(test)]
pub(crate) mod tests;
