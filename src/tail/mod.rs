//! One log group looks like a stream in which every event appears exactly once, whatever pages, overlaps and delays
//! lie below.
//!
//! `FilterLogEvents` can only be asked by event time, and events come late. So reads are anchored to the wall clock and
//! overlap, and an event is told from a repetition by its id; no event's stamp moves anything. Order is not promised.
//! Here are the decisions: how often and how far back ([`pace`]), what next ([`schedule`]), how to follow pages
//! ([`slice`]), what was seen ([`seen`], [`ids`]), whose turn it is ([`budget`], [`quota`]), which log groups a pattern
//! names ([`groups`]), how late events come ([`lateness`]). Fetching a page is a trait ([`fetch`]). Rule: the id of an event
//! whose fact was not taken in does not stay seen.

pub mod budget;
pub mod fetch;
pub mod groups;
pub mod ids;
pub mod lateness;
pub mod pace;
pub mod position;
pub mod quota;
pub mod schedule;
pub mod seen;
pub mod slice;
mod walk;
