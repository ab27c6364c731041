//! What can be made to go wrong with `FilterLogEvents` on one group, and in which order it does.
//!
//! Not the answers themselves: `logs` words them. Rule: counted faults come first, in the order they were queued, and
//! are used up; the one standing fault shows when none is left.

use std::collections::VecDeque;

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
    standing: Option<Fault>,
    counted: VecDeque<(Fault, u32)>,
}

impl Faults {
    /// Queues or sets one.
    pub(super) fn add(&mut self, fault: Fault) {
        match fault {
            Fault::Throttle(times)
            | Fault::EmptyPages(times)
            | Fault::DuplicateToken(times)
            | Fault::Unavailable(times)
            | Fault::Hang(times) => {
                if times > 0 {
                    self.counted.push_back((fault, times));
                }
            }
            Fault::AccessDenied | Fault::Missing | Fault::Infrequent | Fault::ExpiredToken => {
                self.standing = Some(fault);
            }
            Fault::Clear => *self = Self::default(),
        }
    }

    /// The fault the next request meets, counted down.
    pub(super) fn take(&mut self, has_token: bool) -> Option<Fault> {
        let applies = |fault: &Fault| has_token || !matches!(fault, Fault::DuplicateToken(_));
        let Some(index) = self.counted.iter().position(|(fault, _)| applies(fault)) else { return self.standing };
        let (fault, left) = &mut self.counted[index];
        let fault = *fault;
        *left -= 1;
        if *left == 0 {
            self.counted.remove(index);
        }
        Some(fault)
    }

    /// The fault that lasts, if one is set.
    pub(super) fn standing(&self) -> Option<Fault> {
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
                Some(Fault::Throttle(2)),
                Some(Fault::Throttle(2)),
                Some(Fault::Unavailable(1)),
                Some(Fault::AccessDenied),
                Some(Fault::AccessDenied)
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
        assert_eq!(faults.take(true), Some(Fault::DuplicateToken(1)));
        assert_eq!(faults.take(true), None);
    }
}
