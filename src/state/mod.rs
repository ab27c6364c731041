//! What outlives the process: one snapshot, the segments that it names, and a journal, in one folder.
//!
//! [`store`] writes and reads snapshot and segments, [`journal`] keeps records in the order in which they were
//! appended, [`blob`] what may be lost; [`set_aside`] says what could not be read. Not what is in them: they are bytes here, and nothing else of
//! the crate is known. Rule: a crash at any moment leaves the old content or the new, whole; what is damaged or foreign
//! is moved aside under another name and said, never used, never deleted silently.

pub mod blob;
pub mod journal;
pub mod set_aside;
pub mod store;

mod files;
mod frames;
mod layout;
#[cfg(test)]
mod tests;
