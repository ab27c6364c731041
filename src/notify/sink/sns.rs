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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::time::Timestamp;
    use crate::notify::message::Test;

    /// Notes the subjects it is given, and fails where it is told to.
    #[derive(Default)]
    struct Topic {
        fails: Mutex<Vec<usize>>,
        asked: Mutex<Vec<String>>,
    }

    impl Publish for &Topic {
        async fn publish(&self, request: SnsRequest) -> Result<(), SendError> {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.subject);
            let fails = self.fails.lock().unwrap().contains(&asked.len());
            if fails { Err(SendError::again("no")) } else { Ok(()) }
        }
    }

    fn message(n: u32) -> Message {
        Message::Test(Box::new(Test { time: Timestamp::from_millis(0), episode: format!("e{n}").into() }))
    }

    #[tokio::test]
    async fn a_message_of_two_requests_goes_on_where_it_failed() {
        let topic = Topic { fails: Mutex::new(vec![2, 3, 6]), ..Topic::default() };
        let arn = "arn:aws:sns:eu-west-1:111122223333:ops".into();
        let mut sink = Sns::new(&topic, arn, Format::CloudwatchAlarm, Origin::default());
        assert!(sink.deliver(&message(1)).await.is_err());
        assert!(sink.deliver(&message(1)).await.is_err());
        assert_eq!(sink.deliver(&message(1)).await, Ok(()));
        // The next message begins at its beginning, also after one that was given up in the middle.
        assert!(sink.deliver(&message(2)).await.is_err());
        assert_eq!(sink.deliver(&message(3)).await, Ok(()));
        let words: Vec<_> =
            topic.asked.lock().unwrap().iter().map(|s| s.split(':').next().unwrap().to_owned()).collect();
        assert_eq!(words, ["ALARM", "OK", "OK", "OK", "ALARM", "OK", "ALARM", "OK"]);
    }
}
