//! What a plan knows: all that is saved of it, and what it takes over from an earlier life.
//!
//! Not what follows from it. Rule: what an earlier life has said is not said again. Messages that were decided after
//! the state was saved are adopted; what is then looked at a second time is only taken note of.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, Rate};
use super::digest::{Lane, Open};
use super::track::{Told, Track};
use crate::model::alert::{Alert, AlertKey, Reason, State};
use crate::model::hash::FastMap;
use crate::model::inventory::{ApiId, Inventory};
use crate::model::past::Past;
use crate::model::saved::{RestoreError, in_order};
use crate::model::time::Timestamp;
use crate::notify::audience::Audience;
use crate::notify::message::{AlertMessage, Digest, Message};

/// A message that is due whatever comes, and that there was no token for: a resolve, or a notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Owed {
    /// Whose clock it goes by.
    pub lane: Lane,
    /// It.
    pub message: Message,
}

/// All that a plan knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Alerts that are not muted, or were said. A table of hashes, because a storm has thousands.
    #[serde(with = "in_order")]
    pub tracks: FastMap<AlertKey, Track>,
    /// Digests that are open, by episode.
    pub digests: BTreeMap<Arc<str>, Open>,
    /// Alerts about log groups as they were last heard of: they stand until they resolve.
    pub standing: BTreeMap<AlertKey, Alert>,
    /// Alerts of which it was said that they flap, and when they were last seen to.
    pub flapping: BTreeMap<AlertKey, Timestamp>,
    /// In the order in which it came up.
    pub owed: Vec<Owed>,
    /// Tokens on the clock of requests.
    pub requests: Bucket,
    /// Tokens on the clock of log groups.
    pub logs: Bucket,
    /// Looks up to these times were made by an earlier life, and what was due was said.
    pub relived: BTreeMap<ApiId, Timestamp>,
}

impl Memory {
    /// The tokens of a lane. Each kind of clock has its own, so that what is said of requests does not depend on when
    /// they were read.
    pub(super) const fn bucket(&mut self, lane: Lane) -> &mut Bucket {
        match lane {
            Lane::Api(_) => &mut self.requests,
            Lane::Logs => &mut self.logs,
        }
    }

    /// Whether an earlier life has looked at this time already.
    pub(super) fn relives(&mut self, lane: Lane, at: Timestamp) -> bool {
        let Lane::Api(api) = lane else { return false };
        let relives = self.relived.get(&api).is_some_and(|until| at <= *until);
        if !relives {
            self.relived.remove(&api);
        }
        relives
    }

    /// What is wrong with what was restored, if anything is.
    pub(super) fn check(&self, inventory: &Inventory) -> Result<(), RestoreError> {
        let is_other = |(key, track): (&AlertKey, &Track)| match &track.told {
            Told::Alone(alone) => alone.alert.key != *key,
            Told::Not { waiting, .. } => waiting.as_ref().is_some_and(|alert| alert.key != *key),
            Told::In(digest) => !self.digests.contains_key(digest),
        };
        if self.tracks.iter().any(is_other) || self.standing.iter().any(|(key, alert)| alert.key != *key) {
            return Err(RestoreError::Damaged);
        }
        let keys = self.tracks.keys().chain(self.standing.keys()).chain(self.flapping.keys()).map(|key| key.api);
        let apis = keys.chain(self.relived.keys().copied()).map(|api| api.index() + 1).max().unwrap_or(0);
        if apis > inventory.apis.len() { Err(RestoreError::Shrunk { apis, sources: 0 }) } else { Ok(()) }
    }

    /// Forgets what the sink does not want any more, where it was not told of it.
    pub(super) fn drop_unwanted(&mut self, audience: &Audience, inventory: &Inventory) {
        let tracks = &mut self.tracks;
        self.standing.retain(|key, alert| {
            let is_kept = audience.wants(alert, inventory) || tracks.get(key).is_some_and(Track::is_told);
            if !is_kept {
                tracks.remove(key);
            }
            is_kept
        });
    }

    /// Takes over what was said of an alert.
    pub(super) fn adopt_alert(&mut self, message: &AlertMessage, rate: Rate) {
        let alert = &message.alert;
        let lane = Lane::of(alert);
        self.spend(lane, alert.time, rate);
        let key = &alert.key;
        if alert.state == State::Resolved {
            // The end of an earlier life is no end of the one that stands.
            if self.tracks.get(key).is_some_and(|track| track.episode == alert.episode) {
                self.tracks.remove(key);
                self.standing.remove(key);
            }
            self.owed.retain(|owed| owed.message.episode() != &alert.episode);
            return;
        }
        let repeats = match self.tracks.get(key).map(|track| &track.told) {
            Some(Told::Alone(alone)) if message.reason == Reason::Repeat => alone.repeats.saturating_add(1),
            _ if message.reason == Reason::Repeat => 1,
            _ => 0,
        };
        self.tracks.insert(key.clone(), Track::adopted(message, repeats));
        if alert.flapping {
            self.flapping.insert(key.clone(), alert.time);
        }
        if lane == Lane::Logs {
            self.standing.insert(key.clone(), alert.clone());
        }
    }

    /// Takes over what was said in a digest. Its members are found again by whoever looks at their requests a second time;
    /// of the others, those that are log groups among them, it knows the ones that were named.
    pub(super) fn adopt_digest(&mut self, digest: &Digest, past: Past, inventory: &Inventory, rate: Rate) {
        let of_logs = digest.members.iter().any(|m| m.alert.blindness.is_some());
        let known = digest.api.iter().filter_map(|name| inventory.find_api(name));
        let of_requests = digest.members.iter().map(|m| &m.alert).filter(|a| a.blindness.is_none());
        let apis: Vec<ApiId> = known.chain(of_requests.map(|a| a.key.api)).collect();
        let apis = if of_logs { Vec::new() } else { apis };
        let lane = apis.first().map_or(Lane::Logs, |api| Lane::Api(*api));
        self.spend(lane, digest.time, rate);
        for api in &apis {
            self.relive(*api, digest.time);
        }
        if digest.state == State::Resolved {
            self.digests.remove(&digest.episode);
            let is_in = |track: &Track| track.digest() == Some(&digest.episode);
            let tracks = &self.tracks;
            self.standing.retain(|key, _| !tracks.get(key).is_some_and(is_in));
            self.tracks.retain(|_, track| !is_in(track));
            self.owed.retain(|owed| owed.message.episode() != &digest.episode);
            return;
        }
        let Some(first) = digest.members.first() else { return };
        let open = self.digests.entry(Arc::clone(&digest.episode));
        let open = open.or_insert_with(|| Open::new(&first.alert, inventory));
        match past {
            Past::Relived => open.adopt(digest, past, apis),
            Past::Gone => open.adopt(digest, past, []),
        }
        let is_found_again = |alert: &Alert| past == Past::Relived && alert.blindness.is_none();
        for alert in digest.members.iter().map(|m| &m.alert).filter(|a| !is_found_again(a)) {
            let told = Told::In(Arc::clone(&digest.episode));
            let track = Track { episode: Arc::clone(&alert.episode), seen: alert.time, told };
            if let Some(before) = self.tracks.insert(alert.key.clone(), track)
                && before.digest() == Some(&digest.episode)
            {
                continue;
            }
            let lane = Lane::of(alert);
            if lane == Lane::Logs {
                self.standing.insert(alert.key.clone(), alert.clone());
            }
            if let Some(open) = self.digests.get_mut(&digest.episode) {
                open.join(lane, alert, inventory);
            }
        }
    }

    /// A message was decided at `at`.
    fn spend(&mut self, lane: Lane, at: Timestamp, rate: Rate) {
        let bucket = self.bucket(lane);
        bucket.advance(at);
        bucket.take(rate);
        if let Lane::Api(api) = lane {
            self.relive(api, at);
        }
    }

    /// An earlier life has looked at this API up to `until`.
    pub(super) fn relive(&mut self, api: ApiId, until: Timestamp) {
        let known = self.relived.entry(api).or_insert(until);
        *known = until.max(*known);
    }
}
