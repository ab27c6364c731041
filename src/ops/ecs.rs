//! What a container in ECS is told about itself: the log group that its output goes to, and the task that it is a part of.
//!
//! Rule: asked once, at the start; whoever runs elsewhere, or writes elsewhere than to CloudWatch Logs, has none. Source: AWS
//! documentation, "Amazon ECS task metadata endpoint version 4".

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Deserialize;

use super::http::get;
use crate::model::own::{Own, OwnGroup};

/// Where a container's metadata is asked for.
const ENDPOINT: &str = "ECS_CONTAINER_METADATA_URI_V4";
/// The endpoint is on the same host.
const PATIENCE: Duration = Duration::from_secs(1);
/// It may not be there yet when the container starts.
const TRIES: u32 = 3;

/// The task, once it was asked: it does not change while the process runs.
static TASK: OnceLock<Option<Arc<str>>> = OnceLock::new();

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    log_options: Option<LogOptions>,
    #[serde(rename = "ContainerARN")]
    arn: Option<String>,
    #[serde(default)]
    labels: Labels,
}

#[derive(Debug, Default, Deserialize)]
struct Labels {
    #[serde(rename = "com.amazonaws.ecs.cluster")]
    cluster: Option<String>,
    #[serde(rename = "com.amazonaws.ecs.task-definition-family")]
    family: Option<String>,
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

/// What this container is told about itself, where its output goes to CloudWatch Logs.
pub async fn own() -> Option<Own> {
    let endpoint = std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty())?;
    let mut why = String::new();
    for _ in 0..TRIES {
        match get(&endpoint, PATIENCE).await {
            Ok((200, body)) => match container(&body) {
                Ok((group, task)) => {
                    let _ = TASK.set(task.clone());
                    return group.map(|group| Own { group, task });
                }
                Err(error) => why = error.to_string(),
            },
            Ok((status, _)) => why = format!("status {status}"),
            Err(error) => why = error.to_string(),
        }
        tokio::time::sleep(PATIENCE / 4).await;
    }
    tracing::warn!(
        "the container's metadata at {endpoint} cannot be had ({why}): the log group that gatewatch itself writes to is not \
         known"
    );
    None
}

/// The task that this container is a part of, by cluster and family, if [`own`] has found it out.
#[must_use]
pub fn task() -> Option<Arc<str>> {
    TASK.get().cloned().flatten()
}

/// The log group, and the task.
fn container(metadata: &str) -> Result<(Option<OwnGroup>, Option<Arc<str>>), serde_json::Error> {
    let Container { log_options, arn, labels } = serde_json::from_str(metadata)?;
    let part = |n: usize| arn.as_deref()?.split(':').nth(n).filter(|part| !part.is_empty()).map(str::to_owned);
    let named = log_options.and_then(|options| Some((options.group?, options.region, options.stream)));
    let group = named.map(|(name, region, stream)| OwnGroup {
        name,
        region: region.or_else(|| part(3)),
        account: part(4),
        // PREFIX/CONTAINER/TASK: the next task has another stream, and the same beginning.
        streams: stream.and_then(|stream| Some(stream.rsplit_once('/')?.0.to_owned() + "/")),
    });
    // The cluster by its name or its ARN, `arn:aws:ecs:REGION:ACCOUNT:cluster/NAME`.
    let cluster = labels.cluster.as_deref().and_then(|cluster| cluster.rsplit('/').next());
    let task = cluster.zip(labels.family.as_deref()).map(|(cluster, family)| format!("{cluster}/{family}").into());
    Ok((group, task))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_stands_in_the_log_options() {
        let metadata = r#"{"DockerId":"ea32","Name":"gatewatch","LogDriver":"awslogs","LogOptions":{"awslogs-create-group":
            "true","awslogs-group":"/ecs/shop","awslogs-region":"eu-west-1","awslogs-stream":"ecs/gatewatch/8f03"},
            "ContainerARN":"arn:aws:ecs:eu-west-1:111122223333:container/0206b271","Labels":{"com.amazonaws.ecs.cluster":
            "arn:aws:ecs:eu-west-1:111122223333:cluster/prod","com.amazonaws.ecs.task-definition-family":"shop"}}"#;
        let (own, task) = container(metadata).unwrap();
        let own = own.expect("there is one");
        assert_eq!(task.as_deref(), Some("prod/shop"));
        assert_eq!((own.name.as_str(), own.region.as_deref()), ("/ecs/shop", Some("eu-west-1")));
        assert_eq!((own.account.as_deref(), own.streams.as_deref()), (Some("111122223333"), Some("ecs/gatewatch/")));
    }

    #[test]
    fn other_log_drivers_have_none() {
        assert_eq!(container(r#"{"LogDriver":"fluentd","LogOptions":{"tag":"x"}}"#).unwrap(), (None, None));
        assert_eq!(container(r#"{"Name":"gatewatch"}"#).unwrap(), (None, None));
        assert!(container("<html>").is_err());
    }
}
