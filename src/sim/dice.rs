//! Repeatable randomness for the simulation: splitmix64.
//!
//! Not for secrets, and not a statistics library: draws, not distributions (see `lag`). Rule: the same seed gives the
//! same numbers on every machine, so a demo can be told again and a failed run repeated.

/// A stream of numbers that only depends on its seed.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included. The slight bias of the remainder does not matter here.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// True in `percent` of 100 cases.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    /// From 0 up to, not including, 1, in steps of 2^-32.
    pub(super) fn unit(&mut self) -> f64 {
        // The upper half: all of it fits a double exactly.
        let upper = u32::try_from(self.next() >> 32).expect("the upper half of 64 bits has 32");
        f64::from(upper) / 4_294_967_296.0
    }

    /// True with this probability, 0 to 1.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Mostly near `low`, seldom up to `low + tail`: the shape latencies have.
    pub(super) fn skewed(&mut self, low: u64, tail: u64) -> u64 {
        let u = self.between(0, 1000);
        low + tail * u * u / 1_000_000 * u * u / 1_000_000
    }

    /// A random (version 4) UUID.
    pub(super) fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    /// 32 hexadecimal digits, as in the names of log streams.
    pub(super) fn hex32(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// An `x-amz-apigw-id`: 15 characters of base64 and a `=`.
    pub(super) fn extended_id(&mut self) -> String {
        const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut next = || {
            let index = usize::try_from(self.between(0, 61)).expect("61 fits every usize");
            char::from(ALPHABET[index])
        };
        (0..15).map(|_| next()).chain(['=']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_published_splitmix64() {
        let mut dice = Dice::new(1_234_567);
        assert_eq!([dice.next(), dice.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn stays_in_its_ranges() {
        let mut dice = Dice::new(7);
        assert!((0..1000).all(|_| (3..=5).contains(&dice.between(3, 5))));
        assert!((0..1000).all(|_| (100..=900).contains(&dice.skewed(100, 800))));
        assert!((0..1000).all(|_| (0.0..1.0).contains(&dice.unit())));
        assert!((0..1000).all(|_| dice.chance(1.0) && !dice.chance(0.0)));
        let struck = (0..10_000).filter(|_| dice.chance(0.2)).count();
        assert!((1900..2100).contains(&struck), "{struck}");
        let uuid = dice.uuid();
        assert_eq!((uuid.len(), &uuid[14..15], uuid.matches('-').count()), (36, "4", 4));
    }
}
