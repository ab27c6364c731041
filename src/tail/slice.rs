//! Following the pages of one read.
//!
//! Not the SDK's paginator: that ends silently on a repeated token and forgets its place on an error. Rule: an empty
//! page is no end, only a missing token is; a token that repeats or is refused starts the read anew, which the ids
//! make harmless.

use crate::model::time::Timestamp;

/// Tokens are good for 24 h; a read that lasts longer starts anew.
const TOKEN_LIFE: std::time::Duration = std::time::Duration::from_hours(23);
/// Times a read may start anew before it counts as failed.
const RESTARTS_MAX: u32 = 3;

/// One read under way.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Stamp from which on events are asked for.
    pub from: Timestamp,
    /// Where the next page begins; `None` for the first.
    pub token: Option<String>,
    began: Timestamp,
    restarts: u32,
}

/// What to do after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Fetch the next page.
    More,
    /// All pages were read.
    Done,
    /// The service keeps repeating its token; try again later.
    Stuck,
}

impl Slice {
    /// A read from `from` on that begins now.
    #[must_use]
    pub const fn new(from: Timestamp, now: Timestamp) -> Self {
        Self { from, token: None, began: now, restarts: 0 }
    }

    /// A page came with this token.
    pub fn page(&mut self, next: Option<String>, now: Timestamp) -> Next {
        match next.filter(|t| !t.is_empty()) {
            None => Next::Done,
            Some(token) if Some(&token) == self.token.as_ref() => self.restart(now),
            Some(_) if now.since(self.began) > TOKEN_LIFE => self.restart(now),
            Some(token) => {
                self.token = Some(token);
                Next::More
            }
        }
    }

    /// The service refused the token.
    pub fn restart(&mut self, now: Timestamp) -> Next {
        if self.restarts == RESTARTS_MAX {
            return Next::Stuck;
        }
        self.restarts += 1;
        self.token = None;
        self.began = now;
        Next::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    #[expect(clippy::unnecessary_wraps, reason = "it stands where the service's token does")]
    fn token(t: &str) -> Option<String> {
        Some(t.to_owned())
    }

    #[test]
    fn follows_tokens_to_the_end() {
        let mut s = Slice::new(NOW, NOW);
        assert_eq!(s.page(token("a"), NOW), Next::More);
        assert_eq!(s.token, token("a"));
        assert_eq!(s.page(token("b"), NOW), Next::More);
        assert_eq!(s.page(None, NOW), Next::Done);
        assert_eq!(Slice::new(NOW, NOW).page(token(""), NOW), Next::Done);
    }

    #[test]
    fn a_repeated_token_starts_anew_but_not_for_ever() {
        let mut s = Slice::new(NOW, NOW);
        s.page(token("a"), NOW);
        assert_eq!(s.page(token("a"), NOW), Next::More);
        assert_eq!(s.token, None, "from the beginning");
        for _ in 0..2 {
            s.page(token("a"), NOW);
            assert_eq!(s.page(token("a"), NOW), Next::More);
        }
        s.page(token("a"), NOW);
        assert_eq!(s.page(token("a"), NOW), Next::Stuck);
    }

    #[test]
    fn a_token_is_not_used_past_its_life() {
        let mut s = Slice::new(NOW, NOW);
        s.page(token("a"), NOW);
        assert_eq!(s.page(token("b"), NOW.plus(TOKEN_LIFE + TOKEN_LIFE)), Next::More);
        assert_eq!(s.token, None);
    }
}
