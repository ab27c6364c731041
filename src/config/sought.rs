//! APIs that are to be found out, and a configuration with what was found.
//!
//! Not the finding. Rule: an API of which nothing was found yet stays in the configuration without logs; what is found
//! of one is never allowed to count another's requests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::found::Found;
use super::{ALL_GROUPS_MAX, ApiConfig, Config};
use crate::model::deployed::Wanted;
use crate::model::inventory::{self, ApiId, SourceKind};

/// What is to be found out: the same for all who ask for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sought {
    /// Which API.
    pub wanted: Wanted,
    /// In this Region.
    pub region: String,
    /// As this role; `None` is whoever runs the program.
    pub role: Option<String>,
}

/// A configuration in which what was found is filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// It.
    pub config: Config,
    /// APIs of which something was found that cannot be used: the API's name, and why.
    pub refused: Vec<(String, String)>,
}

impl Config {
    /// What an API's logs are found by, if they are to be found. `region` is the one for APIs that name none.
    #[must_use]
    pub fn sought(&self, api: &ApiConfig, region: &str) -> Option<Sought> {
        let discover = api.discover.as_ref()?;
        let own = api.region.as_deref().unwrap_or(region).to_owned();
        let role = api.role_arn.clone().or_else(|| self.role_arn.clone());
        Some(Sought { wanted: discover.wanted.clone(), region: own, role })
    }

    /// The same with what is known filled in. `region` is the one for APIs that name none.
    #[must_use]
    pub fn resolved(&self, known: &BTreeMap<Sought, Found>, region: &str) -> Resolved {
        let mut config = self.clone();
        let mut refused = Vec::new();
        for at in 0..config.apis.len() {
            let Some(found) = self.sought(&self.apis[at], region).and_then(|sought| known.get(&sought)) else {
                continue;
            };
            found.fill(&mut config.apis[at]);
            if let Some(why) = config.too_much(Some(region)) {
                config.apis[at] = self.apis[at].clone();
                refused.push((config.apis[at].name.clone(), why));
            }
        }
        Resolved { config, refused }
    }

    /// Why these log groups cannot be read together.
    pub(super) fn too_much(&self, region: Option<&str>) -> Option<String> {
        let all: usize = self.apis.iter().map(|api| api.groups().len()).sum();
        if all > ALL_GROUPS_MAX {
            return Some(format!("{all} log groups in all: at most {ALL_GROUPS_MAX}"));
        }
        let (group, a, b) = self.shared_access_group(region)?;
        Some(format!(
            "access_log_groups: `{group}` is named by both `{a}` and `{b}`: an access log belongs to one API, else its \
             requests count twice"
        ))
    }

    /// Two APIs may share Lambda log groups, but two access logs of one group would count each request twice. Returns
    /// the group and the two. `region` is that of APIs that name none.
    fn shared_access_group(&self, region: Option<&str>) -> Option<(&str, &str, &str)> {
        let mut owners: BTreeMap<&str, Vec<(inventory::Source, &str)>> = BTreeMap::new();
        for api in &self.apis {
            for (group, kind) in api.groups() {
                let source = self.source(api, group, kind(ApiId(0)), region.unwrap_or_default());
                if source.kind == SourceKind::Lambda {
                    continue;
                }
                let known = owners.entry(inventory::name_of_group(group)).or_default();
                if let Some((_, other)) = known.iter().find(|(other, _)| other.is_group_of(&source)) {
                    return Some((group, other, &api.name));
                }
                known.push((source, &api.name));
            }
        }
        None
    }
}
