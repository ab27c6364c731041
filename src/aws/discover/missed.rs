//! What people read when the API they mean is not found, or more than one is.
//!
//! Rule: it lists what they can choose from, in the form in which it is typed.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::Undiscovered;
use crate::model::deployed::{Candidate, Wanted};
use crate::model::inventory::ApiKind;
use crate::model::text::printable;

/// Names of APIs that are told.
const NAMES_MAX: usize = 10;

/// No stage, or not just one, is what was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is none of that name and stage.
    #[error("{}", NoneOf { wanted, region, stages, names })]
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
    #[error("`{}` may be one of these; say which:{}", printable(&wanted.to_string()), List(among))]
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

struct NoneOf<'a> {
    wanted: &'a Wanted,
    region: &'a str,
    stages: &'a [Candidate],
    names: &'a [Arc<str>],
}

impl fmt::Display for NoneOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, region, stages, names } = self;
        let elsewhere = "if it is in another Region, say that (--region, or AWS_REGION)";
        let api = printable(&wanted.api);
        match &wanted.stage {
            Some(stage) if !stages.is_empty() => {
                return write!(
                    f,
                    "API `{api}` has no stage `{}` in {region}; there are:{}",
                    printable(stage),
                    List(stages)
                );
            }
            Some(_) | None if names.is_empty() => return write!(f, "there is no API in {region}; {elsewhere}"),
            Some(_) | None => write!(f, "no API has the name or ID `{api}` in {region}, or it has no stage; ")?,
        }
        let told = names.iter().take(NAMES_MAX).map(|name| format!("`{}`", printable(name)));
        write!(f, "there are {}", told.collect::<Vec<_>>().join(", "))?;
        match names.len().checked_sub(NAMES_MAX) {
            Some(more @ 1..) => write!(f, " and {more} more; {elsewhere}"),
            Some(_) | None => write!(f, "; {elsewhere}"),
        }
    }
}

/// Stages, one a line, as they can be typed.
struct List<'a>(&'a [Candidate]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Candidate { name, id, kind, stage } in self.0 {
            let kind = match kind {
                ApiKind::Rest => "REST API",
                ApiKind::Http => "HTTP API",
                ApiKind::WebSocket => "WebSocket API",
                ApiKind::Auto => "API",
            };
            let mut line = String::new();
            write!(line, "{id}/{stage}  {kind} {name}")?;
            write!(f, "\n  {}", printable(&line))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Wanted {
        Wanted::parse(text).unwrap()
    }

    fn stage(stage: &str) -> Candidate {
        Candidate { name: "shop".into(), id: "a1b2c3d4e5".into(), kind: ApiKind::Rest, stage: stage.into() }
    }

    fn none(text: &str, stages: Vec<Candidate>, names: &[&str]) -> String {
        let names = names.iter().map(|name| Arc::from(*name)).collect();
        NotFound::none(&wanted(text), &"eu-west-1".into(), stages, names).to_string()
    }

    #[test]
    fn what_there_is_instead_is_listed() {
        let several = NotFound::Several { wanted: wanted("shop"), among: vec![stage("dev"), stage("prod")] };
        assert_eq!(
            several.to_string(),
            "`shop` may be one of these; say which:\n  a1b2c3d4e5/dev  REST API shop\n  a1b2c3d4e5/prod  REST API shop"
        );
        assert_eq!(
            none("shop/live", vec![stage("dev")], &["shop"]),
            "API `shop` has no stage `live` in eu-west-1; there are:\n  a1b2c3d4e5/dev  REST API shop"
        );
        assert_eq!(
            none("Shop", vec![], &["billing", "shop-v2", "shop-v2", "auth"]),
            "no API has the name or ID `Shop` in eu-west-1, or it has no stage; there are `shop-v2`, `auth`, `billing`; if \
             it is in another Region, say that (--region, or AWS_REGION)"
        );
        let nothing = none("shop", vec![], &[]);
        assert!(nothing.starts_with("there is no API in eu-west-1; if it is in another Region"), "{nothing}");
        let many: Vec<String> = (0..30).map(|n| format!("api-{n:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let told = none("shop", vec![], &many);
        assert!(told.contains("`api-09` and 20 more;") && !told.contains("api-10"), "{told}");
    }

    #[test]
    fn names_do_not_move_the_cursor() {
        let told = none("shop", vec![], &["a\u{1b}[2Jb\nc"]);
        assert!(told.contains("`a [2Jb c`") && !told.contains('\u{1b}'), "{told:?}");
    }
}
