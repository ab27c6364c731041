//! How far a source is read, and where it was not.
//!
//! What a restart goes on from, and what is told about times without reading. Not how it comes to be: that is
//! `schedule`. Rule: a position promises no more than what was read when it was taken.

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// What follows from a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// The source is read up to date as of this time.
    pub sealed: Option<Timestamp>,
    /// What was missed has been read.
    pub caught_up: Option<CaughtUp>,
    /// The service keeps repeating its token: the read has failed.
    pub stuck: bool,
}

/// A catch-up that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaughtUp {
    /// What lies before this was missed and is not read: it is more than is caught up.
    pub unread_before: Option<Timestamp>,
}

/// Reading stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// From then.
    pub from: Timestamp,
    /// Until now.
    pub to: Timestamp,
}

/// How far a source is read: what a restart goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Nothing before this is ever read.
    pub origin: Timestamp,
    /// When the last hot read that was finished began.
    pub live: Timestamp,
    /// Where the next deep read must begin.
    pub owed: Timestamp,
    /// Where a catch-up stands, if one is under way.
    pub missing: Option<Timestamp>,
    /// What lies before this is left out of it.
    pub unread_before: Option<Timestamp>,
}
