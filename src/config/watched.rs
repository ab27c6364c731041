//! What stands for many log groups: a pattern, and which groups it is about.
//!
//! Not the looking up. Rule: a group that must not be read fits no pattern.

use std::sync::Arc;

use crate::model::inventory::{self, ApiId, Inventory};
use crate::model::own::OwnGroup;
use crate::tail::groups::Pattern;

/// A pattern of log groups that an API names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The API.
    pub api: ApiId,
    /// The pattern.
    pub pattern: Pattern,
    /// A group of it as a source: only the name is still to be set.
    pub like: inventory::Source,
    /// A log group that it does not stand for, whatever the pattern says.
    pub except: Option<OwnGroup>,
}

impl Watched {
    /// Whether a source is one of its log groups.
    #[must_use]
    pub fn fits(&self, source: &inventory::Source) -> bool {
        let like = inventory::Source { name: Arc::clone(&source.name), ..self.like.clone() };
        self.pattern.matches(inventory::name_of_group(&source.name)) && like.is(source) && !self.excepts(source)
    }

    /// Whether a source must not be read, although it fits the pattern.
    #[must_use]
    pub fn excepts(&self, source: &inventory::Source) -> bool {
        self.except.as_ref().is_some_and(|own| own.is(source))
    }

    /// Sources that it found before are its own again.
    pub fn take_in(&self, inventory: &mut Inventory) {
        let fitting: Vec<_> = inventory.sources.iter().filter(|source| self.fits(source)).cloned().collect();
        for source in fitting {
            inventory.add_source_of(self.api, source);
        }
    }
}
