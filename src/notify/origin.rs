//! Who says it: which gatewatch, where it runs.
//!
//! Several of them may publish to one topic; a message names the one that sent it. Rule: only what its operator chose
//! or knows: the host's name and the version.

use std::sync::Arc;

/// Where a message comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The host's name; `None` where it is not known, or nobody needs it because messages are shown on the spot.
    pub host: Option<Arc<str>>,
    /// The task that it is a part of, by cluster and family (`prod/shop`), where it runs in ECS: unlike the host it is the
    /// same after a restart.
    pub task: Option<Arc<str>>,
}

impl Origin {
    /// The version of this gatewatch.
    pub const VERSION: &'static str = env!("CARGO_PKG_VERSION");
}
