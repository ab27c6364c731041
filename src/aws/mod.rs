//! AWS, through its SDK: the only folder that names `aws_sdk_*`.
//!
//! Clients, fetching a page, publishing a message. Not when or what to fetch or publish. Rule: one client per Region;
//! every timeout and the number of attempts are set here, because the SDK's own defaults leave most timeouts off.

pub mod clients;
pub mod fetch;
pub mod publish;
