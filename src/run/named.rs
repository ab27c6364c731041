//! An API that somebody names at the command line -> what is watched of it.
//!
//! By its name in the configuration, by its log groups, else by its name or ID in AWS. Not the watching. Rule: nothing
//! is guessed: several that may be meant are listed, and what keeps one from being watched is said with what mends it.

use crate::aws::clients::Clients;
use crate::aws::discover::{Control, NotFound};
use crate::config::Config;
use crate::config::found::Found;
use crate::config::gap::Gap;
use crate::config::place::Place;
use crate::model::deployed::{Deployed, Wanted};
use crate::model::inventory::ApiKind;
use crate::model::text::printable;
use crate::run::failure::Failure;

/// What was said at the command line.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Where the configuration stands.
    pub place: &'a Place,
    /// The name, or with log groups any label.
    pub label: &'a str,
    /// Its access-log groups, where they are said.
    pub access_log_groups: &'a [String],
    /// Its Lambda log groups.
    pub lambda_log_groups: &'a [String],
    /// The Region, where it is said.
    pub region: Option<&'a str>,
}

impl Named<'_> {
    /// A configuration with that API alone, and what reaches AWS with it.
    ///
    /// # Errors
    /// When it is not known, nor found, or cannot be watched, and what to do.
    pub async fn resolve(self) -> Result<(Config, Clients), Failure> {
        // Where the log groups are said, only what is named at the command line counts: the usual file is the daemon's.
        let wanted = self.access_log_groups.is_empty() || *self.place != Place::Default;
        let file = if wanted && self.place.is_given() { Some(self.place.load()?) } else { None };
        let base = with_region(file.clone().unwrap_or_default(), self.region);
        if !self.access_log_groups.is_empty() {
            let (access, lambda) = (self.access_log_groups.to_vec(), self.lambda_log_groups.to_vec());
            let config = Config { apis: Config::ad_hoc(self.label, access, lambda).apis, ..base };
            let clients = clients(&config).await.map_err(Failure::Usage)?;
            return Ok((config, clients));
        }
        if let Some(at) = base.apis.iter().position(|api| api.name == self.label) {
            return configured(base, at).await;
        }
        let known: Vec<_> = base.apis.iter().map(|api| api.name.as_str()).collect();
        let unknown = format!("no API `{}` in the configuration; it has {}", self.label, known.join(", "));
        let also = |why: String| {
            let words = if file.is_some() { format!("{unknown}; nor was it found in AWS: {why}") } else { why };
            Failure::Usage(words)
        };
        self.discovered(base).await.map_err(also)
    }

    /// By its name or ID in AWS.
    async fn discovered(self, base: Config) -> Result<(Config, Clients), String> {
        let wrong = || format!("`{}` names no API: write NAME_OR_ID or NAME_OR_ID/STAGE", printable(self.label));
        let wanted = Wanted::parse(self.label).ok_or_else(wrong)?;
        let (clients, found) = look(&base, &wanted, None).await?;
        let apis = found.config().apis;
        Ok((Config { apis, ..base }, clients))
    }
}

/// An API of the configuration. Where its logs are to be found out, they are.
async fn configured(base: Config, at: usize) -> Result<(Config, Clients), Failure> {
    let api = base.apis[at].clone();
    let mut config = Config { apis: vec![api], ..base };
    let Some(discover) = config.apis[0].discover.clone() else {
        let clients = clients(&config).await.map_err(Failure::Usage)?;
        return Ok((config, clients));
    };
    let region = config.apis[0].region.clone();
    let looked = look(&config, &discover.wanted, region.as_deref()).await;
    let (clients, found) = looked.map_err(Failure::Usage)?;
    found.fill(&mut config.apis[0]);
    Ok((config, clients))
}

/// Looks for an API that can be watched. What is not as it should be is said.
async fn look(base: &Config, wanted: &Wanted, region: Option<&str>) -> Result<(Clients, Found), String> {
    let mut clients = Clients::load(base.region.as_deref()).await;
    let region = region.or(clients.region()).ok_or(NO_REGION)?.to_owned();
    let control = clients.control(&region, base.role_arn.as_deref()).await;
    let deployed = describe(&control, wanted).await.map_err(|error| error.to_string())?;
    let (found, gaps) = Found::of(&deployed);
    if !found.is_watchable() {
        return Err(unwatchable(&found, &gaps));
    }
    for gap in gaps.iter().filter(|gap| !gap.is_remark()) {
        tracing::warn!("{gap}");
    }
    Ok((clients, found))
}

/// What AWS says the one that is meant is made of.
///
/// # Errors
/// When there is none, or several, or it cannot be asked.
pub async fn describe(control: &Control, wanted: &Wanted) -> Result<Deployed, NotFound> {
    let stage = control.find_one(wanted).await?;
    Ok(control.describe(&stage).await?)
}

/// Why an API cannot be watched, and the commands that mend it, a line each.
#[must_use]
pub fn unwatchable(found: &Found, gaps: &[Gap]) -> String {
    let mut lines = Vec::new();
    for gap in gaps.iter().filter(|gap| gap.stops()) {
        lines.push(format!("{} cannot be watched: {gap}", printable(&found.wanted().to_string())));
        if !gap.mend().is_empty() {
            lines.push("What mends it:".to_owned());
            lines.extend(gap.mend().iter().map(|command| format!("  {command}")));
            if found.kind == ApiKind::Rest {
                lines.push(
                    "(A REST API also needs a role that may write logs, once for the account and Region: `aws apigateway \
                     get-account` shows it.)"
                        .to_owned(),
                );
            }
        }
    }
    lines.join("\n")
}

/// What is said where nothing names a Region.
pub const NO_REGION: &str =
    "no AWS Region: set `region` in the configuration, AWS_REGION, --region, or a region in the AWS profile";

/// The configuration with the Region that the command line names, if it names one.
#[must_use]
pub fn with_region(config: Config, region: Option<&str>) -> Config {
    Config { region: region.map(str::to_owned).or(config.region), ..config }
}

/// What reaches AWS with this configuration. A missing Region is a mistake to be said before anything starts.
///
/// # Errors
/// When there is none.
pub async fn clients(config: &Config) -> Result<Clients, String> {
    let clients = Clients::load(config.region.as_deref()).await;
    if clients.region().is_none() && config.apis.iter().any(|api| api.region.is_none()) {
        return Err(NO_REGION.to_owned());
    }
    Ok(clients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::deployed::{AccessLog, Candidate};

    #[test]
    fn what_cannot_be_watched_is_said_with_what_mends_it() {
        let deployed = Deployed {
            stage: Candidate { name: "shop".into(), id: "a1b2".into(), kind: ApiKind::Rest, stage: "prod".into() },
            partition: "aws".into(),
            region: "eu-west-1".into(),
            account: None,
            access_log: AccessLog::Off,
            execution_log: crate::model::deployed::ExecutionLog::Off,
            tracing: false,
            canary: false,
            variables: std::collections::BTreeMap::new(),
            integrations: Vec::new(),
            authorizers: Vec::new(),
            functions: Vec::new(),
            unasked: Vec::new(),
        };
        let (found, gaps) = Found::of(&deployed);
        let said = unwatchable(&found, &gaps);
        let lines: Vec<_> = said.lines().collect();
        assert!(lines[0].starts_with("shop/prod cannot be watched: the access log is switched off"), "{said}");
        assert!(lines[2].starts_with("  aws logs create-log-group --region eu-west-1"), "{said}");
        assert!(lines[3].starts_with("  aws apigateway update-stage") && lines[3].contains("ACCOUNT_ID"), "{said}");
    }
}
