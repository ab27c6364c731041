//! What gatewatch knows of its own output: the mark on its lines, and the log group that they go to.
//!
//! Where it runs in a container its lines become log events, and may stand in a log group that it reads. Not the
//! recognising, which is `read::own`. Rule: every line of the daemon that is not for a terminal or the journal carries
//! the mark, and no program's line begins with it by chance.

use std::sync::Arc;

use super::inventory::{Source, name_of_group};
use super::text::printable;

/// Before each line of text that is ours; in logs behind time and level.
pub const MARK: &str = "gatewatch| ";
/// How a log line in JSON begins.
pub const JSON_LOG: &str = r#"{"v":1,"type":"log","program":"gatewatch","#;
/// How a message in JSON begins.
pub const JSON_MESSAGE: &str = r#"{"v":1,"type":"alert","time":""#;
/// Where a message in JSON says who sends it: at its end.
pub const JSON_ORIGIN: &str = r#","origin":{"host":"#;

/// Text with the mark before each of its lines.
#[must_use]
pub fn marked(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("{MARK}{}", printable(line))).collect();
    lines.join("\n")
}

/// What a container is told about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The log group that its output goes to.
    pub group: OwnGroup,
    /// The task that it is a part of, by cluster and family: `prod/shop`.
    pub task: Option<Arc<str>>,
}

/// The log group that gatewatch's own output goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnGroup {
    /// Its name.
    pub name: String,
    /// AWS Region.
    pub region: Option<String>,
    /// The account, twelve digits.
    pub account: Option<String>,
    /// What the names of the streams of this service begin with: each container has one of its own.
    pub streams: Option<String>,
}

impl OwnGroup {
    /// Whether a source is this log group; where its account or Region is not known, the name decides.
    #[must_use]
    pub fn is(&self, source: &Source) -> bool {
        let differs = |own: &Option<String>, its: Option<&str>| own.as_deref().zip(its).is_some_and(|(a, b)| a != b);
        name_of_group(&source.name) == self.name
            && !differs(&self.region, source.region.as_deref())
            && !differs(&self.account, source.account())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::SourceKind;

    #[test]
    fn a_group_is_its_own_by_name_region_and_account() {
        let own = OwnGroup {
            name: "/ecs/shop".to_owned(),
            region: Some("eu-west-1".to_owned()),
            account: Some("111122223333".to_owned()),
            streams: None,
        };
        let source = |name: &str, region: &str, role: Option<&str>| Source {
            role: role.map(Into::into),
            ..Source::group(name, Some(region.into()), SourceKind::Lambda)
        };
        assert!(own.is(&source("/ecs/shop", "eu-west-1", None)));
        assert!(own.is(&source("arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/shop", "eu-west-1", None)));
        assert!(!own.is(&source("/ecs/shop-api", "eu-west-1", None)));
        assert!(!own.is(&source("/ecs/shop", "us-east-1", None)));
        assert!(!own.is(&source("/ecs/shop", "eu-west-1", Some("arn:aws:iam::444455556666:role/r"))));
        assert!(!own.is(&source("arn:aws:logs:eu-west-1:444455556666:log-group:/ecs/shop", "eu-west-1", None)));
        assert!(OwnGroup { region: None, ..own }.is(&source("/ecs/shop", "us-east-1", None)));
    }

    #[test]
    fn every_line_is_marked() {
        assert_eq!(marked("HIGH x\n  api shop\r\n"), "gatewatch| HIGH x\ngatewatch|   api shop");
    }
}
