//! The random generator of the model: SplitMix64, which returns the same numbers for the same seed on every platform.

use core::time::Duration;

use crate::options::micros;

#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns true with this probability, from 0 to 1.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.fraction() < probability
    }

    /// Returns a number from 0 (inclusive) to 1 (exclusive).
    pub(super) fn fraction(&mut self) -> f64 {
        // A float has 53 significant bits.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a duration in microseconds, uniformly distributed between the two.
    pub(super) fn between(&mut self, (least, most): (Duration, Duration)) -> u64 {
        let (least, most) = (micros(least), micros(most));
        let more = most.saturating_sub(least) as f64 * self.fraction();
        least.saturating_add(more as u64)
    }
}
