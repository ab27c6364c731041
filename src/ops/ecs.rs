//! What a container in ECS is told about itself: the log group that its output goes to, and the streams there.
//!
//! Rule: asked once, shortly; whoever runs elsewhere, or writes elsewhere than to CloudWatch Logs, has none. Source: AWS
//! documentation, "Amazon ECS task metadata endpoint version 4".

use std::time::Duration;

use serde::Deserialize;

use super::http::get;
use crate::model::own::OwnGroup;

/// Where a container's metadata is asked for.
const ENDPOINT: &str = "ECS_CONTAINER_METADATA_URI_V4";
/// The endpoint is on the same host.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    log_options: Option<LogOptions>,
    #[serde(rename = "ContainerARN")]
    arn: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LogOptions {
    #[serde(rename = "awslogs-group")]
    group: Option<String>,
    #[serde(rename = "awslogs-region")]
    region: Option<String>,
    #[serde(rename = "awslogs-stream")]
    stream: Option<String>,
}

/// The log group that this container's output goes to, if it is known.
pub async fn own_log_group() -> Option<OwnGroup> {
    let endpoint = std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty())?;
    match get(&endpoint, PATIENCE).await {
        Ok((200, body)) => match group(&body) {
            Ok(own) => own,
            Err(error) => {
                tracing::debug!(%error, "the container's metadata cannot be read");
                None
            }
        },
        Ok((status, _)) => {
            tracing::debug!(status, "the container's metadata are refused");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "the container's metadata cannot be had");
            None
        }
    }
}

fn group(metadata: &str) -> Result<Option<OwnGroup>, serde_json::Error> {
    let Container { log_options, arn } = serde_json::from_str(metadata)?;
    let part = |n: usize| arn.as_deref()?.split(':').nth(n).filter(|part| !part.is_empty()).map(str::to_owned);
    let named = log_options.and_then(|options| Some((options.group?, options.region, options.stream)));
    Ok(named.map(|(name, region, stream)| OwnGroup {
        name,
        region: region.or_else(|| part(3)),
        account: part(4),
        // PREFIX/CONTAINER/TASK: the next task has another stream, and the same beginning.
        streams: stream.and_then(|stream| Some(stream.rsplit_once('/')?.0.to_owned() + "/")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_stands_in_the_log_options() {
        let metadata = r#"{"DockerId":"ea32","Name":"gatewatch","LogDriver":"awslogs","LogOptions":{"awslogs-create-group":
            "true","awslogs-group":"/ecs/shop","awslogs-region":"eu-west-1","awslogs-stream":"ecs/gatewatch/8f03"},
            "ContainerARN":"arn:aws:ecs:eu-west-1:111122223333:container/0206b271"}"#;
        let own = group(metadata).unwrap().expect("there is one");
        assert_eq!((own.name.as_str(), own.region.as_deref()), ("/ecs/shop", Some("eu-west-1")));
        assert_eq!((own.account.as_deref(), own.streams.as_deref()), (Some("111122223333"), Some("ecs/gatewatch/")));
    }

    #[test]
    fn other_log_drivers_have_none() {
        assert_eq!(group(r#"{"LogDriver":"fluentd","LogOptions":{"tag":"x"}}"#).unwrap(), None);
        assert_eq!(group(r#"{"Name":"gatewatch"}"#).unwrap(), None);
        assert!(group("<html>").is_err());
    }
}
