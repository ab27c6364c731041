//! Invocations as they are saved.
//!
//! Not when, nor where to: that is the engine's caller's. Many invocations share a stream, so its name is written
//! once, and shared again by those that are restored. Rule: what can be found again (places, numbers) is not written.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Invocation, Invocations};
use crate::engine::streams::Streams;
use crate::engine::texts::Texts;

impl Invocations {
    /// What was saved, within the bounds of a new table. `None` if it cannot have been saved like this.
    pub(in crate::engine) fn resume(saved: Self, new: Self) -> Option<Self> {
        let Self { max, hold, texts, .. } = new;
        let streams = saved.streams.into_iter().map(|(source, streams)| (source, Streams::resume(streams, max)));
        let mut invocations = Self {
            max,
            hold,
            texts: Texts::resume(saved.texts, &texts)?,
            streams: streams.collect(),
            by_id: saved.all.iter().zip(saved.first..).map(|(i, number)| (i.id.clone(), number)).collect(),
            ..saved
        };
        let is_whole = invocations.by_id.len() == invocations.all.len() && invocations.first < usize::MAX / 2;
        while invocations.all.len() > max.max(1) || (invocations.texts.is_full() && !invocations.all.is_empty()) {
            invocations.drop_oldest();
            invocations.dropped = invocations.dropped.saturating_add(1);
        }
        is_whole.then_some(invocations)
    }
}

/// `#[serde(with = ..)]` for all of them.
pub(super) mod sharing_streams {
    use super::{Arc, Deserialize, Deserializer, Error, HashMap, Invocation, Serialize, Serializer, VecDeque};

    pub(in super::super) fn serialize<S: Serializer>(
        all: &VecDeque<Invocation>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut names: Vec<&str> = Vec::new();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut number = |name| {
            *numbers.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() - 1
            })
        };
        let all: Vec<(usize, &Invocation)> = all.iter().map(|i| (number(&i.stream), i)).collect();
        (names, all).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<VecDeque<Invocation>, D::Error> {
        let (names, all) = <(Vec<Arc<str>>, Vec<(usize, Invocation)>)>::deserialize(deserializer)?;
        let with_name = |(number, invocation): (usize, Invocation)| {
            let stream = names.get(number).map(Arc::clone);
            Ok(Invocation { stream: stream.ok_or_else(|| Error::custom("a stream without a name"))?, ..invocation })
        };
        all.into_iter().map(with_name).collect()
    }
}
