//! The SNS topics that messages go to.

use super::steps::Steps;
use crate::aws::clients::Clients;
use crate::aws::inspect::{subscriptions, topic_key};
use crate::check::evidence::{Subscription, Topic, TopicAttributes};
use crate::config::{Config, SinkKind};

/// Each topic, once for each sink that publishes there.
pub(super) async fn look(config: &Config, clients: &mut Clients, steps: &Steps) -> Vec<Topic> {
    let mut topics = Vec::new();
    for sink in &config.sinks {
        let SinkKind::Sns { topic_arn, region, .. } = &sink.kind else { continue };
        steps.say(&format!("asking for topic {topic_arn}"));
        let client = clients.sns(region);
        let attributes = topic_key(&client, topic_arn).await.map(|key| TopicAttributes { key });
        let subscriptions = subscriptions(&client, topic_arn).await.map(|all| {
            let each = all.into_iter().map(|s| Subscription { protocol: s.protocol, confirmed: s.confirmed });
            each.collect()
        });
        topics.push(Topic {
            arn: topic_arn.as_str().into(),
            sink: sink.audience.name.clone(),
            attributes,
            subscriptions,
        });
    }
    topics
}
