//! Which log groups a pattern names: wildcards, and what changes between two listings.
//!
//! A pattern is a name or an ARN with `*` in it. Not the asking: that is a trait of one method ([`List`]), and not what
//! is done about a change. Rule: a listing that failed changes nothing; a group is gone only when a complete listing
//! does not have it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::fetch::FetchError;
use crate::model::text::fits;

/// A log group as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name; for a pattern that is an ARN, its ARN without `:*`.
    pub name: Arc<str>,
    /// When it was made, in milliseconds since the epoch: another time is another group of the same name.
    pub created: i64,
    /// `FilterLogEvents` can read it: it is of the Standard class.
    pub readable: bool,
}

/// A part of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The groups.
    pub groups: Vec<Listed>,
    /// Where the next part begins.
    pub next: Option<String>,
}

/// Lists log groups.
pub trait List {
    /// One part of the groups whose names begin with the pattern's prefix.
    fn list(
        &self,
        pattern: &Pattern,
        token: Option<String>,
    ) -> impl Future<Output = Result<Listing, FetchError>> + Send;
}

/// A name or ARN with `*` in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    text: Arc<str>,
}

impl Pattern {
    /// The pattern, if the text is one.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = if text.starts_with("arn:") { text.strip_suffix(":*").unwrap_or(text) } else { text };
        text.contains('*').then(|| Self { text: text.into() })
    }

    /// What only this log group fits, by its name or ARN.
    #[must_use]
    pub fn exactly(group: &str) -> Self {
        let text = if group.starts_with("arn:") { group.strip_suffix(":*").unwrap_or(group) } else { group };
        Self { text: text.into() }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the names of its groups begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let name = self.name();
        name.split('*').next().unwrap_or(name)
    }

    /// The account, where the pattern is an ARN: the groups of another account that shares its logs.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        if self.text.starts_with("arn:") { self.text.split(':').nth(4) } else { None }
    }

    /// Whether a group's name is one of its.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        fits(self.name(), name)
    }

    fn name(&self) -> &str {
        self.text.rsplit(":log-group:").next().unwrap_or(&self.text)
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a listing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A group that can be read has appeared.
    Appeared(Arc<str>),
    /// A group was deleted and made again: it is read on, and its old events are gone.
    Recreated(Arc<str>),
    /// A group is gone.
    Gone(Arc<str>),
    /// A group that fits the pattern cannot be read, because of its class.
    Unreadable(Arc<str>),
}

/// The groups of one pattern as they were last listed.
#[derive(Clone, Debug, Default)]
pub struct Known {
    groups: BTreeMap<Arc<str>, Listed>,
}

impl Known {
    /// Takes in a complete listing; returns what it changes, by name.
    pub fn update(&mut self, listed: Vec<Listed>) -> Vec<Change> {
        let now: BTreeMap<_, _> = listed.into_iter().map(|group| (Arc::clone(&group.name), group)).collect();
        let before = std::mem::replace(&mut self.groups, now);
        let mut changes = Vec::new();
        for (name, group) in &self.groups {
            let name = || Arc::clone(name);
            match before.get(&group.name) {
                Some(old) if old.created == group.created && old.readable == group.readable => {}
                _ if !group.readable => changes.push(Change::Unreadable(name())),
                Some(old) if old.readable => changes.push(Change::Recreated(name())),
                Some(_) | None => changes.push(Change::Appeared(name())),
            }
        }
        let gone = before.values().filter(|old| old.readable);
        let gone = gone.filter(|old| self.groups.get(&old.name).is_none_or(|group| !group.readable));
        changes.extend(gone.map(|old| Change::Gone(Arc::clone(&old.name))));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("/aws/lambda/shop-*", "/aws/lambda/shop-", "/aws/lambda/shop-checkout", true),
            ("/aws/lambda/shop-*", "/aws/lambda/shop-", "/aws/lambda/shop-", true),
            ("/aws/lambda/shop-*", "/aws/lambda/shop-", "/aws/lambda/blog", false),
            ("/aws/lambda/*-prod", "/aws/lambda/", "/aws/lambda/shop-prod", true),
            ("/aws/lambda/*-prod", "/aws/lambda/", "/aws/lambda/shop-prod-old", false),
            ("/aws/*/a*b", "/aws/", "/aws/x/aab", true),
            ("/aws/*/a*b", "/aws/", "/aws/x/b", false),
            ("a*a", "a", "a", false),
            ("*", "", "anything", true),
        ];
        for (text, prefix, name, want) in cases {
            let pattern = Pattern::of(text).unwrap();
            assert_eq!((pattern.prefix(), pattern.matches(name)), (prefix, want), "{text} {name}");
        }
        assert_eq!(Pattern::of("/aws/lambda/shop"), None);
        assert_eq!(Pattern::of("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/shop:*"), None);
        let other = Pattern::of("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/shop-*:*").unwrap();
        assert_eq!((other.prefix(), other.account()), ("/aws/lambda/shop-", Some("111122223333")));
        assert!(other.matches("/aws/lambda/shop-checkout"));
        let one = Pattern::exactly("/aws/lambda/shop");
        assert!(one.matches("/aws/lambda/shop") && !one.matches("/aws/lambda/shop-checkout"));
        assert_eq!((one.prefix(), one.account()), ("/aws/lambda/shop", None));
        let one = Pattern::exactly("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/shop:*");
        assert!(one.matches("/aws/lambda/shop") && one.account() == Some("111122223333"));
    }

    #[test]
    fn what_changes_between_two_listings() {
        let group = |name: &str, created, readable| Listed { name: name.into(), created, readable };
        let mut known = Known::default();
        let changes = known.update(vec![group("b", 1, true), group("a", 1, true), group("ia", 1, false)]);
        let name = |text: &str| Arc::<str>::from(text);
        let want = [Change::Appeared(name("a")), Change::Appeared(name("b")), Change::Unreadable(name("ia"))];
        assert_eq!(changes, want);
        assert!(known.update(vec![group("a", 1, true), group("b", 1, true), group("ia", 1, false)]).is_empty());
        let changes = known.update(vec![group("a", 2, true), group("c", 1, true), group("ia", 2, true)]);
        let want = [Change::Recreated(name("a")), Change::Appeared(name("c")), Change::Appeared(name("ia"))];
        assert_eq!(changes[..3], want);
        assert_eq!(changes[3..], [Change::Gone(name("b"))]);
        assert_eq!(known.update(vec![group("a", 3, false)]).len(), 4);
    }
}
