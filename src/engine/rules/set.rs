//! Which rules are on, for each API.
//!
//! Not what they say. Rule: an API has the common list, or one of its own that replaces it as a whole; who writes
//! settings resolves what an API changes on top.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Rule, SourceBlind};

/// The rules of all APIs.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    common: Vec<Rule>,
    /// By the API's name.
    own: BTreeMap<Arc<str>, Vec<Rule>>,
    /// By the API's name: the rule about its log groups, where that is another than for all.
    blind: BTreeMap<Arc<str>, Option<SourceBlind>>,
}

/// The same for all APIs; those that are off are left out.
impl From<Vec<Rule>> for Rules {
    fn from(rules: Vec<Rule>) -> Self {
        Self { common: on(rules), own: BTreeMap::new(), blind: BTreeMap::new() }
    }
}

impl Rules {
    /// The built-in rules that are on.
    #[must_use]
    pub fn built_in(window: Duration) -> Self {
        Rule::built_in(window).into()
    }

    /// Gives an API a list of its own; those that are off are left out.
    pub fn tune(&mut self, api: &str, rules: Vec<Rule>) {
        self.own.insert(api.into(), on(rules));
    }

    /// Gives the log groups of an API a rule of their own, or none.
    pub fn tune_blind(&mut self, api: &str, rule: Option<SourceBlind>) {
        self.blind.insert(api.into(), rule);
    }

    /// The rules of an API, in the order in which they look.
    #[must_use]
    pub fn of(&self, api: &str) -> &[Rule] {
        self.own.get(api).unwrap_or(&self.common)
    }

    /// The rule about the log groups of an API, where `all` is that of APIs that say nothing of it.
    #[must_use]
    pub fn blind_of(&self, api: &str, all: Option<SourceBlind>) -> Option<SourceBlind> {
        self.blind.get(api).copied().unwrap_or(all)
    }

    /// The rules of APIs that have no list of their own, then those lists.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.common.iter().chain(self.own.values().flatten())
    }

    /// Changes every rule of every list.
    pub fn change(&mut self, change: impl FnMut(&mut Rule)) {
        self.common.iter_mut().chain(self.own.values_mut().flatten()).for_each(change);
    }

    /// Keeps only some rules, in every list.
    pub fn retain(&mut self, mut keep: impl FnMut(&Rule) -> bool) {
        self.common.retain(&mut keep);
        self.own.values_mut().for_each(|list| list.retain(&mut keep));
    }
}

fn on(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.retain(|rule| rule.on);
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_has_the_common_list_or_its_own() {
        let window = Duration::from_mins(5);
        let mut rules = Rules::built_in(window);
        let mut own = Rule::built_in(window);
        for rule in &mut own {
            rule.on = &*rule.name == "latency";
        }
        rules.tune("shop", own);
        rules.tune_blind("shop", None);
        let names = |api: &str| rules.of(api).iter().map(|rule| rule.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names("shop"), ["latency"]);
        assert_eq!(names("other").len(), 5);
        assert_eq!(rules.iter().count(), 6);
        let all = Some(SourceBlind::default());
        assert_eq!((rules.blind_of("shop", all), rules.blind_of("other", all)), (None, all));
    }
}
