//! What was told in earlier lives, under the numbers that its APIs have in this one.
//!
//! Not where that is known from: the journal, or the own output. Rule: an API that nobody names any more has a number as
//! well, so that whoever was told of it hears of the end.

use std::sync::Arc;

use super::post::Decided;
use crate::model::inventory::{Api, Inventory};
use crate::notify::message::{AlertMessage, Message};

/// APIs that have a number: far more than a configuration has, and fewer than sixteen bits.
const APIS_MAX: usize = 10_000;

/// What was told, oldest first, with the numbers that its APIs have: another configuration may have given them other
/// ones. Those that it does not name are added to the inventory, where nobody watches them.
pub fn numbered(told: &[Decided], inventory: &mut Inventory) -> Vec<Decided> {
    let number = |(to, message): &Decided| Some((Arc::clone(to), number(message, inventory)?));
    told.iter().filter_map(number).collect()
}

/// `None` where there are too many APIs.
fn number(message: &Arc<Message>, inventory: &mut Inventory) -> Option<Arc<Message>> {
    let mut message = Arc::clone(message);
    let mut number = |said: &mut AlertMessage| {
        let known = inventory.find_api(&said.api);
        let room = inventory.apis.len() < APIS_MAX;
        said.alert.key.api = known.or_else(|| room.then(|| inventory.add_api(Api::plain(&said.api))))?;
        Some(())
    };
    match Arc::make_mut(&mut message) {
        Message::Alert(said) => number(said)?,
        Message::Digest(digest) => {
            let named = digest.members.len();
            digest.members.retain_mut(|member| number(member).is_some());
            if digest.members.is_empty() && named > 0 {
                return None;
            }
        }
        Message::Notice(_) | Message::Test(_) => {}
    }
    Some(message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::alert::{Alert, AlertKey, Measure, Reason, Severity, State, Subject};
    use crate::model::inventory::ApiId;
    use crate::model::time::Timestamp;

    #[test]
    fn what_was_said_of_an_api_goes_on_under_the_number_it_has_now() {
        let at = Timestamp::from_millis(0);
        let alert = Alert {
            key: AlertKey { rule: "api-5xx".into(), api: ApiId(0), subject: Subject::Api },
            state: State::Firing,
            severity: Severity::High,
            worst: Severity::High,
            measure: Measure::Failures,
            value: 0.5,
            threshold: 0.01,
            errors: 1,
            requests: 2,
            window: Duration::from_mins(5),
            time: at,
            since: at,
            episode: "e".into(),
            holds: true,
            causes: Vec::new(),
            flapping: false,
            endpoints: Vec::new(),
            before: None,
            blindness: None,
        };
        let said = AlertMessage { alert, api: "shop".into(), reason: Reason::New, seq: 1, query: None };
        let said = Arc::new(Message::from(said));
        let number = |apis: &[&str]| {
            let mut inventory =
                Inventory { apis: apis.iter().map(|name| Api::plain(name)).collect(), sources: Vec::new() };
            let told = numbered(&[("-".into(), Arc::clone(&said))], &mut inventory);
            let api = told[0].1.alert().unwrap().alert.key.api;
            assert_eq!(&*inventory.api(api).name, "shop");
            api
        };
        assert_eq!(number(&["shop"]), ApiId(0));
        assert_eq!(number(&["blog", "shop"]), ApiId(1));
        assert_eq!(number(&["blog"]), ApiId(1), "nobody names it any more");
    }
}
