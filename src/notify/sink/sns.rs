//! An SNS topic as a sink.
//!
//! Not the requests, which `notify/sns` builds, and not the service: `aws/` implements [`Publish`]. Rule: where a message
//! takes several requests and one fails, the next try goes on with that one.

use std::future::Future;
use std::sync::Arc;

use super::{Deliver, SendError};
use crate::notify::message::Message;
use crate::notify::origin::Origin;
use crate::notify::sns::{Format, SnsRequest, requests};

/// Publishes a plain request; `aws/` implements it.
pub trait Publish {
    /// Publishes once.
    fn publish(&self, request: SnsRequest) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// An SNS topic.
#[derive(Debug)]
pub struct Sns<P> {
    publish: P,
    topic_arn: Arc<str>,
    format: Format,
    origin: Origin,
    /// The message under way (episode and seq), and how many of its requests were taken.
    under_way: Option<(Arc<str>, u32, usize)>,
}

impl<P> Sns<P> {
    /// Publishes to the topic.
    pub const fn new(publish: P, topic_arn: Arc<str>, format: Format, origin: Origin) -> Self {
        Self { publish, topic_arn, format, origin, under_way: None }
    }
}

impl<P: Publish + Send + Sync> Deliver for Sns<P> {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        let (episode, seq) = (message.episode(), message.seq());
        let before = self.under_way.take().filter(|(e, s, _)| e == episode && *s == seq);
        let taken = before.map_or(0, |(_, _, taken)| taken);
        let requests = requests(message, &self.topic_arn, self.format, &self.origin);
        for (n, request) in requests.into_iter().enumerate().skip(taken) {
            // Before the call: whoever waits may stop waiting in the middle of it.
            self.under_way = Some((Arc::clone(episode), seq, n));
            self.publish.publish(request).await?;
        }
        self.under_way = None;
        Ok(())
    }
}
