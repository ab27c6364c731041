//! Messages of an earlier life, under the numbers that their APIs have in this one.
//!
//! Not what is made of them. Rule: a message about an API that is not watched any more is nobody's.

use std::sync::Arc;

use crate::model::inventory::Inventory;
use crate::notify::message::{AlertMessage, Message};

/// What was said in an earlier life, with the number that its API has now: another configuration may have given it
/// another one. `None` where that API is not watched any more.
pub fn as_numbered(message: &Arc<Message>, inventory: &Inventory) -> Option<Arc<Message>> {
    let mut message = Arc::clone(message);
    let number = |said: &mut AlertMessage| {
        let api = inventory.find_api(&said.api)?;
        said.alert.key.api = api;
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
    use crate::model::inventory::{Api, ApiId};
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
            let inventory = Inventory { apis: apis.iter().map(|name| Api::plain(name)).collect(), sources: Vec::new() };
            as_numbered(&said, &inventory).map(|m| m.alert().unwrap().alert.key.api)
        };
        assert_eq!(number(&["shop"]), Some(ApiId(0)));
        assert_eq!(number(&["blog", "shop"]), Some(ApiId(1)));
        assert_eq!(number(&["blog"]), None);
    }
}
