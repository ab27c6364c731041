//! How things are called in findings and commands.

use std::fmt::Display;
use std::time::Duration;

use crate::model::deployed::{Deployed, FunctionRef};
use crate::model::request::Endpoint;

/// Names shown before the rest is counted.
const SHOWN: usize = 3;

/// A few of them by name, the rest by number.
pub(super) fn some_of<T: Display>(names: &[T]) -> String {
    let text = |names: &[T]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    // One more is said as quickly as counted.
    if names.len() <= SHOWN + 1 {
        return text(names);
    }
    format!("{} and {} more", text(&names[..SHOWN]), names.len() - SHOWN)
}

/// An endpoint as people know it: routes of WebSocket APIs have no method.
pub(super) fn endpoint_name(endpoint: &Endpoint) -> String {
    if &*endpoint.method == "-" { endpoint.route.to_string() } else { endpoint.to_string() }
}

/// A function as `--function-name` takes it, with its alias or version: by its ARN where the name would mean another
/// account's.
pub(super) fn function_word(function: &FunctionRef, deployed: &Deployed) -> String {
    if deployed.account.as_ref().is_some_and(|account| *account != function.account) {
        return function.arn();
    }
    function.to_string()
}

/// The same without alias or version: what is written can be changed there only.
pub(super) fn unqualified(function: &FunctionRef) -> FunctionRef {
    FunctionRef { qualifier: None, ..function.clone() }
}

/// A time in seconds, with parts where it has some.
pub(super) fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_are_shown() {
        assert_eq!(some_of(&["a"]), "a");
        assert_eq!(some_of(&["a", "b", "c", "d"]), "a, b, c, d");
        assert_eq!(some_of(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }

    #[test]
    fn times() {
        assert_eq!(seconds(Duration::from_secs(29)), "29 s");
        assert_eq!(seconds(Duration::from_millis(29_500)), "29.5 s");
    }
}
