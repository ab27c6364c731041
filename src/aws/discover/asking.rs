//! One call: its turn, and when it is made again.
//!
//! Not what is asked. Rule: a call that is refused for being too many waits with all others and comes again; a refusal of
//! any other kind is the answer.

use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;

use aws_sdk_apigateway::error::{ProvideErrorMetadata, SdkError};

use super::{Control, Undiscovered};
use crate::aws::failure;
use crate::aws::quota::Quota;
use crate::model::problem::Problem;
use crate::model::time::Timestamp;

/// How often a call is made that is refused for being too many: each time the quota gives less.
const THROTTLED_MAX: u32 = 8;
/// How often a call is made that fails for a reason that may pass at once.
const FAILED_MAX: u32 = 3;
/// Pages of one list: with 100 to 500 entries each, more than an account may have.
const PAGES_MAX: usize = 200;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// IAM action.
    pub(super) action: &'static str,
    /// ARN of what it is asked of.
    pub(super) resource: &'a str,
    /// The Region that is asked.
    pub(super) region: &'a str,
}

impl Control {
    /// Makes a call when each of the quotas gives it a turn, and again while that may help.
    pub(super) async fn ask<T, E, A>(
        &self,
        quotas: &[&Quota],
        call: Call<'_>,
        ask: impl Fn() -> A,
    ) -> Result<T, Undiscovered>
    where
        A: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut made = 0;
        loop {
            for quota in quotas {
                quota.turn(Timestamp::MIN).await;
            }
            made += 1;
            let error = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let problem = failure::problem(&error);
            if problem == Problem::Throttled {
                for quota in quotas {
                    quota.throttled();
                }
            }
            if !is_made_again(problem, made) {
                return Err(self.undiscovered(call, problem, failure::said(&error)));
            }
        }
    }

    /// All entries of a list that comes in pages.
    pub(super) async fn pages<T, A>(
        &self,
        call: Call<'_>,
        page: impl Fn(Option<String>) -> A,
    ) -> Result<Vec<T>, Undiscovered>
    where
        A: Future<Output = Result<(Option<Vec<T>>, Option<String>), Undiscovered>>,
    {
        let (mut all, mut pages, mut token) = (Vec::new(), Pages::default(), None);
        loop {
            let (entries, next) = page(token).await?;
            all.extend(entries.unwrap_or_default());
            token = match pages.next(next) {
                Next::Page(token) => Some(token),
                Next::End => return Ok(all),
                Next::Endless(why) => return Err(self.undiscovered(call, Problem::Service, why.to_owned())),
            };
        }
    }
}

/// Whether a call that failed for the `made`th time is made again.
const fn is_made_again(problem: Problem, made: u32) -> bool {
    match problem {
        Problem::Throttled => made < THROTTLED_MAX,
        Problem::Unreachable | Problem::Service => made < FAILED_MAX,
        Problem::NotFound
        | Problem::Denied
        | Problem::Unsupported
        | Problem::BadToken
        | Problem::Refused
        | Problem::Credentials
        | Problem::Late => false,
    }
}

/// The tokens of a list so far.
#[derive(Debug, Default)]
struct Pages {
    seen: BTreeSet<String>,
}

/// What comes after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// The page of this token.
    Page(String),
    /// Nothing: all is known.
    End,
    /// It would never end; and what is known so far is not all.
    Endless(&'static str),
}

impl Pages {
    fn next(&mut self, token: Option<String>) -> Next {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Next::End };
        if !self.seen.insert(token.clone()) {
            return Next::Endless("the list leads back to a page that was read");
        }
        if self.seen.len() >= PAGES_MAX {
            return Next::Endless("the list has more pages than it can have");
        }
        Next::Page(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_one_way_or_another() {
        let token = |text: &str| Some(text.to_owned());
        let mut pages = Pages::default();
        assert_eq!(pages.next(token("a")), Next::Page("a".to_owned()));
        assert_eq!(pages.next(token("b")), Next::Page("b".to_owned()));
        assert!(matches!(pages.next(token("a")), Next::Endless(_)), "round and round");
        assert_eq!(Pages::default().next(None), Next::End);
        assert_eq!(Pages::default().next(token("")), Next::End);
        let mut pages = Pages::default();
        let read = (0..10_000).take_while(|n| matches!(pages.next(Some(n.to_string())), Next::Page(_))).count();
        assert_eq!(read, PAGES_MAX - 1);
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        for problem in Problem::ALL {
            let made = (1..100).take_while(|made| is_made_again(*problem, *made)).count() + 1;
            let want = match problem {
                Problem::Throttled => 8,
                Problem::Unreachable | Problem::Service => 3,
                Problem::NotFound
                | Problem::Denied
                | Problem::Unsupported
                | Problem::BadToken
                | Problem::Refused
                | Problem::Credentials
                | Problem::Late => 1,
            };
            assert_eq!(made, want, "{problem}");
        }
    }
}
