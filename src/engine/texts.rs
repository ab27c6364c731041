//! Texts that are kept for a while, written one behind the other on pages.
//!
//! Each invocation has a REPORT and few are ever asked for it. A block on the heap for each would stand between blocks
//! that are freed at once and cut the heap into pieces, which costs more than all else that is done with the line.
//! Not a table: who keeps a text knows where it stands. Rule: a page goes when no owner of a text on it is left;
//! owners are numbered in the order in which they go.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Bytes of a page: below what the allocator asks the operating system for anew each time.
const PAGE: usize = 64 * 1024;

/// Where a text stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Kept {
    page: usize,
    at: u32,
    len: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Page {
    text: String,
    /// Of those who own a text here the one that goes last.
    last: usize,
}

/// The pages.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Texts {
    pages: VecDeque<Page>,
    /// Number of the first page; its predecessors are gone.
    first: usize,
    #[serde(skip)]
    max: usize,
}

impl Texts {
    /// Room for `texts` texts of `len` bytes, and about as many bytes at most.
    pub(super) const fn new(texts: usize, len: usize) -> Self {
        // At the end of a page a text may not fit any more.
        let max = texts.saturating_mul(len) / (PAGE - len) + 2;
        Self { pages: VecDeque::new(), first: 0, max }
    }

    /// What was saved, within the bounds of new pages. `None` if it cannot have been saved like this.
    pub(super) fn resume(saved: Self, new: &Self) -> Option<Self> {
        let mut texts = Self { max: new.max, ..saved };
        if let Some(page) = texts.pages.back_mut() {
            // It is being written to.
            page.text.reserve(PAGE.saturating_sub(page.text.len()));
        }
        (texts.first < usize::MAX / 2).then_some(texts)
    }

    /// Keeps a text for this owner.
    pub(super) fn keep(&mut self, owner: usize, text: &str) -> Kept {
        if self.pages.back().is_none_or(|page| page.text.len() + text.len() > PAGE) {
            self.pages.push_back(Page { text: String::with_capacity(PAGE.max(text.len())), last: owner });
        }
        let number = self.first + self.pages.len() - 1;
        let page = self.pages.back_mut().expect("one was pushed where none was");
        let at = page.text.len();
        page.text.push_str(text);
        page.last = page.last.max(owner);
        let short = |n: usize| u32::try_from(n).expect("a page is short, and so is a line's text");
        Kept { page: number, at: short(at), len: short(text.len()) }
    }

    /// The text; empty once its page is gone.
    pub(super) fn get(&self, kept: Kept) -> &str {
        let page = kept.page.checked_sub(self.first).and_then(|at| self.pages.get(at));
        let (from, len) = (kept.at as usize, kept.len as usize);
        page.and_then(|page| page.text.get(from..from + len)).unwrap_or_default()
    }

    /// All owners before this one are gone.
    pub(super) fn forget_before(&mut self, owner: usize) {
        while self.pages.front().is_some_and(|page| page.last < owner) {
            self.pages.pop_front();
            self.first += 1;
        }
    }

    /// There are more pages than were asked for: texts were replaced by others of the same owner again and again.
    pub(super) fn is_full(&self) -> bool {
        self.pages.len() > self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_until_their_owners_go() {
        let mut texts = Texts::new(1000, 2048);
        let text = |n: usize| format!("{n} {}", "ü".repeat(n % 1000));
        let kept: Vec<_> = (0..1000).map(|n| texts.keep(n, &text(n))).collect();
        let all = texts.pages.len();
        assert!(all > 10 && !texts.is_full());
        texts.forget_before(500);
        assert!(texts.pages.len() < all);
        for (n, kept) in kept.iter().enumerate().skip(500) {
            assert_eq!(texts.get(*kept), text(n));
        }
        assert_eq!(texts.get(kept[0]), "");
        texts.forget_before(1000);
        assert!(texts.pages.is_empty());
        let again = texts.keep(1000, "again");
        assert_eq!((texts.get(again), texts.get(kept[999])), ("again", ""));
        let long = "x".repeat(3 * PAGE);
        let long_kept = texts.keep(1001, &long);
        assert_eq!((texts.get(long_kept), texts.get(again)), (&*long, "again"));
    }

    #[test]
    fn as_many_as_were_asked_for_always_fit() {
        let mut texts = Texts::new(1000, 2048);
        for owner in 0..1000 {
            texts.keep(owner, &"x".repeat(2048));
            assert!(!texts.is_full());
        }
        for _ in 0..1000 {
            texts.keep(999, &"x".repeat(2048));
        }
        assert!(texts.is_full());
    }
}
