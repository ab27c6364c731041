//! State as bytes: written as its types stand, with a version and a checksum behind it.
//!
//! Not files: who keeps the bytes, and when, is decided elsewhere. Not a format for others: a version reads what it
//! wrote itself. Rule: equal states are equal bytes, and bytes that were damaged are refused, never half understood.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes behind the state: its version and the checksum, little-endian.
const TRAILER: usize = 4 + 8;

/// Why saved state is of no use.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RestoreError {
    /// Cut off, changed, or something else altogether.
    #[error("the saved state is damaged")]
    Damaged,
    /// Whole, and written in another form.
    #[error("the saved state has version {found}, this program reads version {known}")]
    Version {
        /// Of the bytes.
        found: u32,
        /// Of this program.
        known: u32,
    },
    /// It is about more than is watched now, so its numbers mean something else.
    #[error("the saved state knows {apis} APIs and {sources} log groups, more than are watched now")]
    Shrunk {
        /// APIs it knows.
        apis: usize,
        /// Sources it knows.
        sources: usize,
    },
}

/// The state as bytes.
#[must_use]
pub fn save<T: Serialize>(version: u32, state: &T) -> Vec<u8> {
    let mut bytes = postcard::to_stdvec(state).expect("state is plain data of known lengths");
    let sum = xxh3_64_with_seed(&bytes, u64::from(version));
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// The state that [`save`] wrote.
///
/// # Errors
/// When the bytes are damaged or of another version.
pub fn restore<T: DeserializeOwned>(known: u32, saved: &[u8]) -> Result<T, RestoreError> {
    let (state, trailer) = saved.split_at_checked(saved.len().wrapping_sub(TRAILER)).ok_or(RestoreError::Damaged)?;
    let (version, sum) = trailer.split_first_chunk().ok_or(RestoreError::Damaged)?;
    let found = u32::from_le_bytes(*version);
    if sum != xxh3_64_with_seed(state, u64::from(found)).to_le_bytes() {
        return Err(RestoreError::Damaged);
    }
    if found != known {
        return Err(RestoreError::Version { found, known });
    }
    match postcard::take_from_bytes(state) {
        Ok((state, [])) => Ok(state),
        Ok(_) | Err(_) => Err(RestoreError::Damaged),
    }
}

/// For tables whose order means nothing: written in the order of their keys. `#[serde(with = ..)]` names it.
pub mod in_order {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, Hash};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a table.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<K, V, H, S>(table: &HashMap<K, V, H>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Ord + Serialize,
        V: Serialize,
        S: Serializer,
    {
        let mut pairs: Vec<_> = table.iter().collect();
        pairs.sort_unstable_by_key(|(key, _)| *key);
        pairs.serialize(serializer)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, K, V, H, D>(deserializer: D) -> Result<HashMap<K, V, H>, D::Error>
    where
        K: Eq + Hash + Deserialize<'de>,
        V: Deserialize<'de>,
        H: BuildHasher + Default,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type State = (u32, Vec<String>);

    #[test]
    fn what_was_saved_is_restored_and_what_was_not_is_refused() {
        let state = (7_u32, vec!["one".to_owned(), "two".to_owned()]);
        let saved = save(3, &state);
        assert_eq!(restore(3, &saved), Ok(state));
        assert_eq!(restore::<State>(4, &saved), Err(RestoreError::Version { found: 3, known: 4 }));
        for len in 0..saved.len() {
            assert_eq!(restore::<State>(3, &saved[..len]), Err(RestoreError::Damaged));
            let mut changed = saved.clone();
            changed[len] ^= 16;
            assert_eq!(restore::<State>(3, &changed), Err(RestoreError::Damaged));
        }
        assert_eq!(restore::<u32>(3, &saved), Err(RestoreError::Damaged), "whole, but of another type");
        let text = RestoreError::Version { found: 3, known: 4 }.to_string();
        assert_eq!(text, "the saved state has version 3, this program reads version 4");
    }
}
