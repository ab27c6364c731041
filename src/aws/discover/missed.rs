//! The API that is meant is not found, or more than one is.
//!
//! One line of what it is; what there is instead stands beside it, for whoever tells people. Rule: names are untrusted,
//! and are made fit to be shown here.

use std::sync::Arc;

use super::Undiscovered;
use crate::model::deployed::{Candidate, Wanted};
use crate::model::text::printable;

/// No stage, or not just one, is what was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is none of that name and stage.
    #[error("{}", none_of(wanted, region, !stages.is_empty()))]
    None {
        /// What was meant.
        wanted: Wanted,
        /// The Region that was asked.
        region: Arc<str>,
        /// Stages of the API, if it is the stage that there is none of.
        stages: Vec<Candidate>,
        /// Names of the APIs that there are, those that look like it first.
        names: Vec<Arc<str>>,
    },
    /// There are several.
    #[error("`{}` may be one of {}", printable(&wanted.to_string()), among.len())]
    Several {
        /// What was meant.
        wanted: Wanted,
        /// In order.
        among: Vec<Candidate>,
    },
    /// It could not be found out.
    #[error(transparent)]
    Unasked(#[from] Undiscovered),
}

impl NotFound {
    /// There is none; `names` are those of all APIs.
    pub(super) fn none(wanted: &Wanted, region: &Arc<str>, stages: Vec<Candidate>, mut names: Vec<Arc<str>>) -> Self {
        let meant = wanted.api.to_lowercase();
        let unlike = |name: &str| {
            let name = name.to_lowercase();
            !(name.contains(&meant) || (!name.is_empty() && meant.contains(&name)))
        };
        names.sort_by_cached_key(|name| (unlike(name), Arc::clone(name)));
        names.dedup();
        Self::None { wanted: wanted.clone(), region: Arc::clone(region), stages, names }
    }
}

fn none_of(wanted: &Wanted, region: &str, has_stages: bool) -> String {
    let api = printable(&wanted.api);
    match &wanted.stage {
        Some(stage) if has_stages => format!("API `{api}` has no stage `{}` in {region}", printable(stage)),
        Some(_) | None => format!("no API has the name or ID `{api}` in {region}, or it has no stage"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::ApiKind;

    fn none(text: &str, stages: Vec<Candidate>, names: &[&str]) -> NotFound {
        let names = names.iter().map(|name| Arc::from(*name)).collect();
        NotFound::none(&Wanted::parse(text).unwrap(), &"eu-west-1".into(), stages, names)
    }

    #[test]
    fn it_is_one_line_and_names_that_look_like_it_come_first() {
        let stage = |stage: &str| Candidate {
            name: "shop".into(),
            id: "a1b2c3d4e5".into(),
            kind: ApiKind::Rest,
            stage: stage.into(),
        };
        let wanted = Wanted::parse("shop").unwrap();
        let several = NotFound::Several { wanted, among: vec![stage("dev"), stage("prod")] };
        assert_eq!(several.to_string(), "`shop` may be one of 2");
        let no_stage = none("shop/live", vec![stage("dev")], &["shop"]);
        assert_eq!(no_stage.to_string(), "API `shop` has no stage `live` in eu-west-1");
        let no_api = none("Shop", vec![], &["billing", "shop-v2", "shop-v2", "auth", "sho"]);
        assert_eq!(no_api.to_string(), "no API has the name or ID `Shop` in eu-west-1, or it has no stage");
        let NotFound::None { names, .. } = no_api else { panic!("{no_api}") };
        assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["sho", "shop-v2", "auth", "billing"]);
        assert_eq!(
            none("a\u{1b}[2Jb", vec![], &[]).to_string(),
            "no API has the name or ID `a [2Jb` in eu-west-1, or it has no stage"
        );
    }
}
