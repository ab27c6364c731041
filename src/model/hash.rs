//! A fast hash for tables whose keys come out of logs.
//!
//! Seeded anew in each process, because clients choose some of these keys (a REST request ID, a path) and must not be
//! able to make them collide. Not for anything that outlives the process. Rule: nothing that anybody sees depends on
//! the order of such a table.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A table keyed by text of logs.
pub type FastMap<K, V> = HashMap<K, V, FastState>;

/// Makes hashers with the seed of one table.
#[derive(Clone, Copy, Debug)]
pub struct FastState(u64);

impl Default for FastState {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl BuildHasher for FastState {
    type Hasher = FastHasher;

    fn build_hasher(&self) -> FastHasher {
        FastHasher(self.0)
    }
}

/// Hashes each piece with the hash of those before as its seed.
#[derive(Clone, Copy, Debug)]
pub struct FastHasher(u64);

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u8(&mut self, byte: u8) {
        // The mark behind a string: mixing it in cheaply keeps `("a", "bc")` and `("ab", "c")` apart.
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_kept_apart_and_tables_differ() {
        let state = FastState::default();
        assert_eq!(state.hash_one("abc"), state.hash_one("abc"));
        assert_ne!(state.hash_one(("a", "bc")), state.hash_one(("ab", "c")));
        assert_ne!(state.hash_one("abc"), FastState::default().hash_one("abc"));
    }
}
