//! Which of the stages that may be meant is meant.
//!
//! Rule: nothing is guessed. An ID goes before names, and an API with one stage needs none said; else all are listed,
//! because `prod` in one account is a toy and `live` what pays the bills.

use super::{Candidate, Wanted};

/// What is left of the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It is this one.
    One(Candidate),
    /// None fits.
    None,
    /// Several fit, in order: people have to say which.
    Several(Vec<Candidate>),
}

/// Chooses among candidates; those that are not meant are passed over.
#[must_use]
pub fn choose(wanted: &Wanted, candidates: Vec<Candidate>) -> Choice {
    let mut fitting: Vec<_> = candidates.into_iter().filter(|c| wanted.fits(c)).collect();
    if fitting.iter().any(|c| *c.id == *wanted.api) {
        fitting.retain(|c| *c.id == *wanted.api);
    }
    fitting.sort();
    fitting.dedup();
    match fitting.len() {
        0 => Choice::None,
        1 => fitting.pop().map_or(Choice::None, Choice::One),
        _ => Choice::Several(fitting),
    }
}

impl Wanted {
    /// Whether it is the API, whatever the stage. A name with a slash in it looks as if a stage were said.
    #[must_use]
    pub fn is_of(&self, name: &str, id: &str) -> bool {
        self.api == id || self.api == name || self.is_whole(name)
    }

    /// Whether it may be the stage.
    fn fits(&self, candidate: &Candidate) -> bool {
        if self.is_whole(&candidate.name) {
            return true;
        }
        let stage = self.stage.as_deref().is_none_or(|stage| stage == &*candidate.stage);
        stage && self.is_of(&candidate.name, &candidate.id)
    }

    fn is_whole(&self, name: &str) -> bool {
        self.stage
            .as_deref()
            .is_some_and(|stage| name.strip_suffix(stage).and_then(|n| n.strip_suffix('/')) == Some(&self.api))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::ApiKind;

    fn stage(name: &str, id: &str, stage: &str) -> Candidate {
        Candidate { name: name.into(), id: id.into(), kind: ApiKind::Rest, stage: stage.into() }
    }

    fn chosen(wanted: &str, candidates: &[Candidate]) -> Choice {
        choose(&Wanted::parse(wanted).unwrap(), candidates.to_vec())
    }

    #[test]
    fn one_stage_needs_none_said_and_several_are_listed() {
        let (dev, prod) = (stage("shop", "a1b2c3d4e5", "dev"), stage("shop", "a1b2c3d4e5", "prod"));
        assert_eq!(chosen("shop", std::slice::from_ref(&prod)), Choice::One(prod.clone()));
        let both = [prod.clone(), dev.clone(), prod.clone()];
        assert_eq!(chosen("shop", &both), Choice::Several(vec![dev.clone(), prod.clone()]), "prod is not guessed");
        assert_eq!(chosen("shop/prod", &both), Choice::One(prod));
        assert_eq!(chosen("a1b2c3d4e5/dev", &both), Choice::One(dev));
        assert_eq!(chosen("shop/live", &both), Choice::None);
        assert_eq!(chosen("Shop", &both), Choice::None);
        assert_eq!(chosen("shop", &[]), Choice::None);
    }

    #[test]
    fn an_id_goes_before_names() {
        let by_id = stage("shop", "a1b2c3d4e5", "prod");
        let by_name = stage("a1b2c3d4e5", "zzzzzzzzzz", "prod");
        assert_eq!(chosen("a1b2c3d4e5", &[by_name.clone(), by_id.clone()]), Choice::One(by_id.clone()));
        // But not before the stage that is said.
        let live = Candidate { stage: "live".into(), ..by_name.clone() };
        assert_eq!(chosen("a1b2c3d4e5/live", &[by_name, by_id, live.clone()]), Choice::One(live));
    }

    #[test]
    fn two_apis_of_one_name_are_told_apart_by_their_ids() {
        let (one, other) = (stage("shop", "aaaaaaaaaa", "prod"), stage("shop", "bbbbbbbbbb", "prod"));
        let both = [other.clone(), one.clone()];
        assert_eq!(chosen("shop/prod", &both), Choice::Several(vec![one, other.clone()]));
        assert_eq!(chosen("bbbbbbbbbb", &both), Choice::One(other));
    }

    #[test]
    fn a_name_may_have_a_slash_in_it() {
        let web = stage("web/shop", "a1b2c3d4e5", "$default");
        assert_eq!(chosen("web/shop", std::slice::from_ref(&web)), Choice::One(web.clone()));
        assert_eq!(chosen("web/shop/$default", std::slice::from_ref(&web)), Choice::One(web.clone()));
        assert_eq!(chosen("web/shop/prod", std::slice::from_ref(&web)), Choice::None);
        // Both readings of it exist.
        let other = stage("web", "bbbbbbbbbb", "shop");
        let both = vec![other.clone(), web.clone()];
        assert_eq!(chosen("web/shop", &both), Choice::Several(both));
    }
}
