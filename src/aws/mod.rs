//! AWS, through its SDK: the only folder that names `aws_sdk_*`.
//!
//! Clients, fetching a page, publishing a message, asking what an API is made of. Not when or what of these. Rule: one client per Region;
//! every timeout and the number of attempts are set here, because the SDK's own defaults leave most timeouts off.

pub mod clients;
pub mod discover;
pub mod failure;
pub mod fetch;
pub mod inspect;
pub mod publish;
pub mod quota;
