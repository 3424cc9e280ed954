//! The random generator of a session.

use core::fmt;

use edge_session_crypto::{HASH_BYTES, NONCE_BYTES, sha256};
use zeroize::Zeroizing;

use super::key::{ALPHABET, FAMILY_CHARS, KEY_CHARS, SessionKey};

/// The random generator of one session object: SHA-256 over a seed and a counter.
///
/// The core has no source of randomness: the caller that creates a session passes the seed. Invariant: no byte of a block is given
/// out twice. A clone would give out nonces twice, so there is none.
pub(crate) struct Random {
    seed: Zeroizing<[u8; HASH_BYTES]>,
    drawn: u64,
    /// The last block of which a part was drawn, and the number of its bytes that were not.
    block: Zeroizing<[u8; HASH_BYTES]>,
    left: usize,
}

impl Random {
    pub(crate) fn new(seed: [u8; HASH_BYTES]) -> Self {
        Self { seed: Zeroizing::new(seed), drawn: 0, block: Zeroizing::default(), left: 0 }
    }

    fn draw_block(&mut self) -> [u8; HASH_BYTES] {
        self.drawn = self.drawn.wrapping_add(1);
        sha256(&[self.seed.as_slice(), &self.drawn.to_be_bytes()])
    }

    /// Draws at most as many bytes as a block has. A tag and a nonce share a block.
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        if self.left < N {
            self.block = Zeroizing::new(self.draw_block());
            self.left = HASH_BYTES;
        }
        let mut bytes = [0; N];
        let unused = self.block.iter().skip(HASH_BYTES.saturating_sub(self.left));
        bytes.iter_mut().zip(unused).for_each(|(to, from)| *to = *from);
        self.left = self.left.saturating_sub(N);
        bytes
    }

    /// Draws a new session key. Rejection sampling makes all characters equally likely.
    pub(crate) fn session_key(&mut self) -> SessionKey {
        self.fill(Zeroizing::new([0; KEY_CHARS]), 0)
    }

    /// Draws a new key of the same family.
    pub(crate) fn successor(&mut self, of: &SessionKey) -> SessionKey {
        // mutation: family-of-successor
        self.fill(Zeroizing::new(*of.as_bytes()), FAMILY_CHARS)
    }

    /// Draws the characters of `key` from index `first`.
    fn fill(&mut self, mut key: Zeroizing<[u8; KEY_CHARS]>, first: usize) -> SessionKey {
        let mut places = key.iter_mut().skip(first);
        let mut place = places.next();
        while place.is_some() {
            for byte in self.draw_block() {
                // 252 is the largest multiple of 36 in a byte.
                let letter = if byte < 252 { ALPHABET.get(usize::from(byte % 36)) } else { None };
                if let (Some(letter), Some(here)) = (letter, place.as_deref_mut()) {
                    *here = *letter;
                    place = places.next();
                }
            }
        }
        SessionKey::new(key)
    }

    /// Draws the tag of a save.
    pub(crate) fn tag(&mut self) -> [u8; 4] {
        self.bytes()
    }

    /// Draws the public id of a user's session.
    pub(crate) fn id(&mut self) -> [u8; 16] {
        self.bytes()
    }

    /// Draws a nonce.
    pub(crate) fn nonce(&mut self) -> [u8; NONCE_BYTES] {
        self.bytes()
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::storage_key::StorageKey;

    // A1, RUSTSEC-2024-0343 (nano-id): half of the alphabet was never used.
    #[test]
    fn rustsec_2024_0343_generated_keys_use_every_character_alike() {
        let mut random = Random::new([7; 32]);
        let mut counts = [[0_u32; 36]; KEY_CHARS];
        let keys = 20_000;
        for _ in 0..keys {
            for (place, byte) in random.session_key().as_bytes().iter().enumerate() {
                counts[place][ALPHABET.iter().position(|letter| letter == byte).unwrap()] += 1;
            }
        }
        let expected = f64::from(keys) / 36.0;
        for place in counts {
            let chi_squared: f64 = place.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
            // 35 degrees of freedom: more than 80 has a probability of 2 in 100,000. The seed is fixed.
            assert!(chi_squared < 80.0, "{chi_squared}");
        }
    }

    #[test]
    fn keys_never_repeat_and_other_seeds_give_other_keys() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let mut random = Random::new([seed; 32]);
            for _ in 0..200 {
                assert!(seen.insert(random.session_key().as_str().to_owned()));
            }
        }
    }

    #[test]
    fn a_tag_and_a_nonce_share_a_block_and_no_byte_is_given_out_twice() {
        let seed = [1; HASH_BYTES];
        let mut random = Random::new(seed);
        random.tag();
        random.nonce();
        assert_eq!(random.drawn, 1);
        let blocks: Vec<_> = (1..400_u64).flat_map(|number| sha256(&[&seed, &number.to_be_bytes()])).collect();
        let mut given = vec![false; blocks.len()];
        let mut give = |places: core::ops::Range<usize>| {
            places.for_each(|at| assert!(!core::mem::replace(&mut given[at], true), "byte {at} was given out twice"));
        };
        for number in 0..100 {
            // Each order ends at another place of a block.
            let draws = match number % 3 {
                0 => [random.tag().to_vec(), random.tag().to_vec(), random.nonce().to_vec()],
                1 => [random.nonce().to_vec(), random.nonce().to_vec(), random.tag().to_vec()],
                _ => [random.tag().to_vec(), random.nonce().to_vec(), random.nonce().to_vec()],
            };
            for bytes in draws {
                let at = blocks.windows(bytes.len()).position(|window| window == bytes).unwrap();
                give(at..at + bytes.len());
            }
            let before = usize::try_from(random.drawn).unwrap() * HASH_BYTES;
            random.session_key();
            give(before..usize::try_from(random.drawn).unwrap() * HASH_BYTES);
        }
    }

    #[test]
    fn a_rotated_key_keeps_its_family_and_draws_the_rest_again() {
        let mut random = Random::new([1; 32]);
        let first = random.session_key();
        let (second, third) = (random.successor(&first), random.successor(&first));
        assert_eq!(first.family().as_str(), second.family().as_str());
        assert_eq!(first.as_str()[..FAMILY_CHARS], second.as_str()[..FAMILY_CHARS]);
        assert_ne!(second.as_str()[FAMILY_CHARS..], first.as_str()[FAMILY_CHARS..]);
        assert_ne!(second.as_str()[FAMILY_CHARS..], third.as_str()[FAMILY_CHARS..]);
        assert_ne!(random.session_key().family().as_str(), first.family().as_str());
        // The family in a tombstone's storage key reveals nothing of the key.
        let tombstone = StorageKey::tombstone("edge-session", first.family(), 1);
        assert!(!tombstone.as_str().contains(&first.as_str()[..FAMILY_CHARS]) && tombstone.as_str().ends_with(".1"));
    }
}
