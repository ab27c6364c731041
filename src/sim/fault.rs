//! What a test makes go wrong with `FilterLogEvents` on one group by hand, and in which order it does.
//!
//! Not the answers themselves: `logs` words them; and not what goes wrong by the clock: that is `trouble`. Rule: counted faults come first, in the order they were queued, and
//! are used up; the one standing fault shows when none is left.

use std::collections::VecDeque;

use super::trouble::Ill;

/// A fault of `FilterLogEvents` on one group. Those without a number last until `Clear` or until another standing
/// fault replaces them; those with one hit that many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `AccessDeniedException`, standing.
    AccessDenied,
    /// `ResourceNotFoundException` though the group is there, standing; `DescribeLogGroups` hides the group too.
    Missing,
    /// `ThrottlingException`, this many times.
    Throttle(u32),
    /// This many pages without events but with a token that goes on where the request stood.
    EmptyPages(u32),
    /// This many pages, of requests that sent a token, with that same token again. It waits for such a request.
    DuplicateToken(u32),
    /// HTTP 503 `ServiceUnavailableException`, this many times.
    Unavailable(u32),
    /// This many requests are never answered: the connection stays open until the client or the simulation ends.
    Hang(u32),
    /// `InvalidOperationException` of a group of the Infrequent Access class, standing; `DescribeLogGroups` shows it.
    Infrequent,
    /// `ExpiredTokenException`: the credentials have expired, standing.
    ExpiredToken,
    /// Takes away every fault of the group, queued or standing.
    Clear,
}

/// The faults set for one group.
#[derive(Default)]
pub(super) struct Faults {
    standing: Option<Ill>,
    counted: VecDeque<(Ill, u32)>,
}

impl Faults {
    /// Queues or sets one.
    pub(super) fn add(&mut self, fault: Fault) {
        let (ill, times) = match fault {
            Fault::Throttle(times) => (Ill::Throttle, Some(times)),
            Fault::EmptyPages(times) => (Ill::EmptyPage, Some(times)),
            Fault::DuplicateToken(times) => (Ill::DuplicateToken, Some(times)),
            Fault::Unavailable(times) => (Ill::Unavailable, Some(times)),
            Fault::Hang(times) => (Ill::Hang, Some(times)),
            Fault::AccessDenied => (Ill::AccessDenied, None),
            Fault::Missing => (Ill::Missing, None),
            Fault::Infrequent => (Ill::Infrequent, None),
            Fault::ExpiredToken => (Ill::ExpiredCredentials, None),
            Fault::Clear => {
                *self = Self::default();
                return;
            }
        };
        match times {
            None => self.standing = Some(ill),
            Some(0) => {}
            Some(times) => self.counted.push_back((ill, times)),
        }
    }

    /// What the next request meets, counted down.
    pub(super) fn take(&mut self, has_token: bool) -> Option<Ill> {
        let applies = |ill: Ill| has_token || ill != Ill::DuplicateToken;
        let Some(index) = self.counted.iter().position(|(ill, _)| applies(*ill)) else { return self.standing };
        let (ill, left) = &mut self.counted[index];
        let ill = *ill;
        *left -= 1;
        if *left == 0 {
            self.counted.remove(index);
        }
        Some(ill)
    }

    /// What lasts, if one is set.
    pub(super) fn standing(&self) -> Option<Ill> {
        self.standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_faults_come_first_and_are_used_up() {
        let mut faults = Faults::default();
        faults.add(Fault::AccessDenied);
        faults.add(Fault::Throttle(2));
        faults.add(Fault::Hang(0));
        faults.add(Fault::Unavailable(1));
        let seen: Vec<_> = (0..5).map(|_| faults.take(false)).collect();
        assert_eq!(
            seen,
            [
                Some(Ill::Throttle),
                Some(Ill::Throttle),
                Some(Ill::Unavailable),
                Some(Ill::AccessDenied),
                Some(Ill::AccessDenied)
            ]
        );
        faults.add(Fault::Clear);
        assert_eq!(faults.take(true), None);
    }

    #[test]
    fn a_duplicate_token_waits_for_a_token() {
        let mut faults = Faults::default();
        faults.add(Fault::DuplicateToken(1));
        assert_eq!(faults.take(false), None);
        assert_eq!(faults.take(true), Some(Ill::DuplicateToken));
        assert_eq!(faults.take(true), None);
    }
}
