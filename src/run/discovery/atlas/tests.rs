//! Looks in any order against what is known, when the next one is due, and what is said.

use super::*;
use crate::config::Config;
use crate::model::deployed::{Unasked, Wanted};

fn sought(name: &str) -> Sought {
    Sought { wanted: Wanted::parse(name).unwrap(), region: "eu-west-1".to_owned(), role: None }
}

fn found(group: &str) -> Found {
    Found {
        api: "shop".to_owned(),
        id: "a1b2".to_owned(),
        stage: "prod".to_owned(),
        kind: crate::model::inventory::ApiKind::Rest,
        region: "eu-west-1".to_owned(),
        account: None,
        access_log_group: (!group.is_empty()).then(|| group.to_owned()),
        access_log_format: None,
        execution_log_group: None,
        lambda_log_groups: Vec::new(),
        functions: BTreeMap::new(),
        integration_timeout: None,
    }
}

fn throttled() -> Gap {
    let said = "Rate exceeded".into();
    Gap::NotAsked(Unasked {
        action: "lambda:GetFunctionConfiguration",
        resource: "fn".into(),
        problem: Problem::Throttled,
        said,
    })
}

fn miss(why: Why) -> Look {
    Err(Miss { why, said: format!("{why:?}") })
}

const MINUTE: Duration = Duration::from_mins(1);

fn at(s: i64) -> Timestamp {
    Timestamp::from_millis(s * 1000)
}

fn atlas(interval: Duration) -> Atlas {
    let mut atlas = Atlas::default();
    atlas.seek([sought("shop")], interval, at(0));
    atlas
}

#[test]
fn what_is_found_is_said_once_and_looked_at_again_after_the_interval() {
    let mut atlas = atlas(10 * MINUTE);
    assert_eq!(atlas.next(), Some((&sought("shop"), at(0))));
    let (changed, said) = atlas.take(&sought("shop"), Ok((found("/a"), Vec::new())), at(1));
    assert_eq!((changed, said), (true, Some(Say::Found(Vec::new()))));
    assert_eq!(atlas.next().unwrap().1, at(601));
    let same = atlas.take(&sought("shop"), Ok((found("/a"), Vec::new())), at(601));
    assert_eq!(same, (false, None));
    let (changed, said) = atlas.take(&sought("shop"), Ok((found("/b"), vec![Gap::NoFunction])), at(1201));
    assert_eq!((changed, said), (true, Some(Say::Changed(vec![Gap::NoFunction]))));
    assert_eq!(atlas.known()[&sought("shop")], found("/b"));
}

#[test]
fn what_is_missed_is_said_once_a_kind_and_tried_again_ever_later() {
    let mut atlas = atlas(10 * MINUTE);
    let mut now = at(0);
    let mut waits = Vec::new();
    for n in 0..8 {
        let (changed, said) = atlas.take(&sought("shop"), miss(Why::None), now);
        assert!(!changed && said.is_some() == (n == 0), "{n}: {said:?}");
        let next = atlas.next().unwrap().1;
        waits.push(next.since(now).as_secs());
        now = next;
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
    let (_, said) = atlas.take(&sought("shop"), miss(Why::Unasked(Problem::Denied)), now);
    assert!(matches!(said, Some(Say::Missed { earlier: false, .. })), "another reason is news: {said:?}");
    let standing = atlas.standing(&sought("shop")).unwrap();
    assert_eq!((standing.tried, standing.failed), (true, 9));
    assert_eq!(standing.why.as_deref(), Some("Unasked(Denied)"));
    let (changed, said) = atlas.take(&sought("shop"), Ok((found("/a"), Vec::new())), now);
    assert_eq!((changed, said), (true, Some(Say::Found(Vec::new()))));
    assert_eq!(atlas.standing(&sought("shop")).unwrap().why, None);
    atlas.take(&sought("shop"), miss(Why::None), now);
    assert_eq!(atlas.next().unwrap().1, now.plus(FIRST), "the waits begin anew");
}

#[test]
fn no_answer_takes_nothing_back() {
    let mut atlas = atlas(10 * MINUTE);
    atlas.take(&sought("shop"), Ok((found("/a"), Vec::new())), at(0));
    for (n, look) in [
        miss(Why::Unasked(Problem::Throttled)),
        miss(Why::Late),
        miss(Why::None),
        // Half an answer says nothing about the other half.
        Ok((found("/half"), vec![throttled()])),
    ]
    .into_iter()
    .enumerate()
    {
        let (changed, said) = atlas.take(&sought("shop"), look, at(1));
        assert!(!changed, "{n}");
        assert!(said.is_none_or(|said| matches!(said, Say::Missed { earlier: true, .. })), "{n}");
        assert_eq!(atlas.known()[&sought("shop")], found("/a"), "{n}");
    }
    let (changed, said) = atlas.take(&sought("shop"), Ok((found("/a"), Vec::new())), at(2));
    assert_eq!((changed, said), (false, Some(Say::Again)));
}

#[test]
fn half_an_answer_is_better_than_none_and_asked_again_soon() {
    let mut atlas = atlas(10 * MINUTE);
    let (changed, _) = atlas.take(&sought("shop"), Ok((found("/half"), vec![throttled()])), at(0));
    assert!(changed);
    assert_eq!(atlas.next().unwrap().1, at(60));
}

#[test]
fn an_api_whose_log_is_switched_off_is_no_longer_watched() {
    let mut atlas = atlas(10 * MINUTE);
    atlas.take(&sought("shop"), Ok((found("/a"), Vec::new())), at(0));
    let off = || {
        let mend = vec!["aws do".to_owned()];
        Ok((found(""), vec![Gap::AccessLogOff { instead: crate::config::gap::Instead::Nothing, mend }]))
    };
    let (changed, said) = atlas.take(&sought("shop"), off(), at(1));
    let Some(Say::Missed { miss, earlier: false }) = said else { panic!("{said:?}") };
    assert!(changed && miss.said.contains("switched off") && miss.said.ends_with("; aws do"), "{miss:?}");
    assert_eq!(atlas.known(), BTreeMap::new());
    assert_eq!(atlas.take(&sought("shop"), off(), at(2)), (false, None));
}

#[test]
fn what_was_kept_is_known_until_there_is_an_answer_and_goes_when_nobody_seeks_it() {
    let kept = BTreeMap::from([(sought("shop"), found("/kept")), (sought("old"), found("/old"))]);
    let mut atlas = Atlas::of(kept);
    atlas.seek([sought("shop"), sought("new")], MINUTE, at(0));
    assert_eq!(atlas.known(), BTreeMap::from([(sought("shop"), found("/kept"))]));
    assert!(!atlas.standing(&sought("shop")).unwrap().tried);
    let (changed, said) = atlas.take(&sought("shop"), miss(Why::Unasked(Problem::Unreachable)), at(0));
    assert!(!changed && matches!(said, Some(Say::Missed { earlier: true, .. })), "{said:?}");
    assert_eq!(atlas.next().unwrap(), (&sought("new"), at(0)));
    assert_eq!(atlas.take(&sought("old"), Ok((found("/x"), Vec::new())), at(0)), (false, None), "a late answer");
    // A reload looks at once, whatever the wait was, and forgets nothing.
    atlas.seek([sought("shop")], MINUTE, at(5));
    assert_eq!(atlas.next().unwrap().1, at(5));
    assert_eq!(atlas.standing(&sought("shop")).unwrap().failed, 1);
}

#[test]
fn nobody_waits_longer_for_what_people_have_to_mend_than_for_a_look() {
    let config = Config::default();
    assert!(config.poll.discover_interval >= LONGEST);
    let mut atlas = atlas(Duration::from_secs(15));
    for _ in 0..5 {
        atlas.take(&sought("shop"), miss(Why::None), at(0));
    }
    assert_eq!(atlas.next().unwrap().1, at(15));
    for _ in 0..5 {
        atlas.take(&sought("shop"), miss(Why::Unasked(Problem::Throttled)), at(0));
    }
    assert_eq!(atlas.next().unwrap().1, at(300), "what is throttled is left alone");
}
