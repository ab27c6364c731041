//! The configured sinks, ready to deliver.
//!
//! Not when they deliver: the post does that, or whoever sends a test. Rule: all of them are made before anything
//! starts, so that a secret that cannot be read is a mistake in the configuration and not a lost alert.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::aws::clients::Clients;
use crate::aws::publish::SnsPublish;
use crate::config::{Config, SinkKind};
use crate::notify::message::Message;
use crate::notify::origin::Origin;
use crate::notify::sink::sns::Sns;
use crate::notify::sink::stdout::{Shape, Stdout, StdoutFormat, Writer};
use crate::notify::sink::webhook::Webhook;
use crate::notify::sink::{Deliver, SendError};
use crate::ops::{ecs, host};

/// A sink that cannot work as it is configured: what is wrong, and with which.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// Sinks, each with its name.
pub type Named = Vec<(Arc<str>, Sink)>;

/// One of the configured sinks.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Stdout(Stdout),
    /// An SNS topic.
    Sns(Box<Sns<SnsPublish>>),
    /// A webhook.
    Webhook(Box<Webhook>),
}

impl Deliver for Sink {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        match self {
            Self::Stdout(sink) => sink.deliver(message).await,
            Self::Sns(sink) => sink.deliver(message).await,
            Self::Webhook(sink) => sink.deliver(message).await,
        }
    }
}

/// Makes the sinks, in the order of the configuration, each with its name. Connects to nothing. `writer` is the one of
/// those to standard output, if there is one already: lines of two must not get into each other.
///
/// # Errors
/// The first that cannot work.
pub fn open(config: &Config, clients: &mut Clients, writer: &mut Option<Writer>) -> Result<Named, Unusable> {
    let origin = Origin { host: host::name(), task: ecs::task() };
    let mut sinks = Vec::new();
    for sink in &config.sinks {
        let made = match &sink.kind {
            SinkKind::Stdout(format) => {
                let shape = match (format, std::io::stdout().is_terminal()) {
                    (StdoutFormat::Auto | StdoutFormat::Text, true) => Shape::Text,
                    (StdoutFormat::Text, false) => Shape::MarkedText,
                    (StdoutFormat::Auto, false) | (StdoutFormat::Json, _) => Shape::Json,
                };
                let writer = writer.get_or_insert_with(|| Writer::start(std::io::stdout())).clone();
                Sink::Stdout(Stdout::new(writer, shape, origin.clone()))
            }
            SinkKind::Sns { topic_arn, region, format } => {
                let publish = SnsPublish::new(clients.sns(region));
                Sink::Sns(Box::new(Sns::new(publish, topic_arn.as_str().into(), *format, origin.clone())))
            }
            SinkKind::Webhook(settings) => {
                let made = Webhook::new(settings.clone(), origin.clone());
                let made = made.map_err(|e| Unusable(format!("sink {}: {e}", sink.audience.name)))?;
                Sink::Webhook(Box::new(made))
            }
        };
        sinks.push((Arc::clone(&sink.audience.name), made));
    }
    Ok(sinks)
}

/// A sink that is changed while messages wait for it: they go through the new one.
#[derive(Debug)]
pub struct Changeable {
    sink: Sink,
    next: Change,
}

/// Where the next sink is laid down.
#[derive(Clone, Debug, Default)]
pub struct Change(Arc<Mutex<Option<Sink>>>);

impl Changeable {
    /// Begins with this one.
    #[must_use]
    pub fn new(sink: Sink) -> (Self, Change) {
        let next = Change::default();
        (Self { sink, next: next.clone() }, next)
    }
}

impl Change {
    /// From the next try on it is this one.
    pub fn to(&self, sink: Sink) {
        *self.lock() = Some(sink);
    }

    /// No code panics between two halves of a change, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Option<Sink>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deliver for Changeable {
    async fn deliver(&mut self, message: &Message) -> Result<(), SendError> {
        let next = self.next.lock().take();
        if let Some(next) = next {
            self.sink = next;
        }
        self.sink.deliver(message).await
    }
}
