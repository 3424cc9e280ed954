//! The session key, its family, and the storage keys of a record and its tombstones.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use edge_session_crypto::{digest_to_base64, sha256};
use zeroize::Zeroizing;

/// The length of a session key, as in Django.
pub(crate) const KEY_CHARS: usize = 32;

/// The length of a [`KeyDigest`] in bytes and in characters.
pub(crate) const DIGEST_BYTES: usize = 24;
const DIGEST_CHARS: usize = 32;

/// The number of characters that a rotation preserves. The other 20, 103 bits, are drawn again.
const FAMILY_CHARS: usize = 12;

/// The parts of storage keys between the prefix and the digest, for records and for tombstones.
const RECORD: &str = ":session:";
const ENDED: &str = ":ended:";

/// Domain separation of the two hashes of a session key.
const RECORD_PURPOSE: &[u8] = b"edge-session record v1";
const FAMILY_PURPOSE: &[u8] = b"edge-session family v1";

/// Django's alphabet for session keys, in its order.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Django's `session_key`: 32 characters of `a-z0-9`, 165 bits from a cryptographic source.
///
/// It is secret, so `Debug` prints a placeholder.
///
/// ```
/// use edge_session::SessionKey;
///
/// let key = SessionKey::parse("0123456789abcdefghijklmnopqrstuv").unwrap();
/// assert_eq!(key.as_str().len(), 32);
/// assert_eq!(format!("{key:?}"), "SessionKey(hidden)");
/// assert!(SessionKey::parse("../../etc/passwd").is_none());
/// ```
#[derive(Clone)]
pub struct SessionKey(Arc<KeyParts>);

/// A key and its two hashes, shared by all identities with this key.
struct KeyParts {
    bytes: Zeroizing<[u8; KEY_CHARS]>,
    digest: KeyDigest,
    family: KeyDigest,
}

impl SessionKey {
    /// Parses a session key. Accepts exactly the keys that can be generated.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; KEY_CHARS] = bytes.try_into().ok()?;
        bytes.iter().all(|b| ALPHABET.contains(b)).then(|| Self::new(Zeroizing::new(bytes)))
    }

    fn new(bytes: Zeroizing<[u8; KEY_CHARS]>) -> Self {
        let digest = KeyDigest::of(RECORD_PURPOSE, bytes.as_slice());
        let family = KeyDigest::of(FAMILY_PURPOSE, bytes.get(..FAMILY_CHARS).unwrap_or_default());
        Self(Arc::new(KeyParts { bytes, digest, family }))
    }

    /// Returns the text of the key, Django's `session.session_key`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Every byte is ASCII by construction.
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.bytes.as_slice()
    }

    /// Returns the hash of the key, for its storage key.
    ///
    /// It is not keyed: the 165 random bits of a key cannot be searched. Replacing the application's secret therefore never moves
    /// a record.
    pub(crate) fn digest(&self) -> KeyDigest {
        self.0.digest
    }

    /// Returns the family of the key: a hash of the characters that rotations preserve. A logout therefore reaches keys whose
    /// records are not visible yet.
    pub(crate) fn family(&self) -> KeyDigest {
        self.0.family
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        // By digest: the time of the comparison reveals nothing about the keys.
        self.digest() == other.digest()
    }
}

impl Eq for SessionKey {}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(hidden)")
    }
}

/// 192 bits of a session key's hash (SHA-256), as base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyDigest([u8; DIGEST_CHARS]);

impl KeyDigest {
    fn of(purpose: &[u8], bytes: &[u8]) -> Self {
        let mut digest = [0; DIGEST_BYTES];
        let hash = sha256(&[purpose, bytes]);
        digest.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self::new(&digest)
    }

    fn new(bytes: &[u8; DIGEST_BYTES]) -> Self {
        Self(digest_to_base64(bytes))
    }

    pub(crate) fn as_str(&self) -> &str {
        // Every byte is ASCII by construction.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key of an entry in the store: the prefix, the kind of entry, and a hash of the session key.
///
/// The session key cannot be computed from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StorageKey(String);

impl StorageKey {
    /// Returns the beginning of every storage key.
    pub(crate) fn begins(prefix: &str) -> String {
        [prefix, ":"].concat()
    }

    /// Returns the storage key of the record of `key`.
    pub(crate) fn record(prefix: &str, key: &SessionKey) -> Self {
        Self([prefix, RECORD, key.digest().as_str()].concat())
    }

    /// Returns the storage key of the tombstone that revokes the keys of a family with this number of rotations.
    pub(crate) fn tombstone(prefix: &str, family: KeyDigest, rotations: u16) -> Self {
        let mut number = itoa::Buffer::new();
        Self([prefix, ENDED, family.as_str(), ".", number.format(rotations)].concat())
    }

    /// Wraps a key that a store listed.
    #[must_use]
    pub fn listed(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The random generator of one session object: SHA-256 over a seed and a counter.
///
/// The core has no source of randomness: the caller that creates a session passes the seed.
#[derive(Clone)]
pub(crate) struct Random {
    seed: Zeroizing<[u8; 32]>,
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed: Zeroizing::new(seed), drawn: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.drawn = self.drawn.wrapping_add(1);
        sha256(&[self.seed.as_slice(), &self.drawn.to_be_bytes()])
    }

    /// Draws a new session key. Rejection sampling makes all characters equally likely.
    pub(crate) fn session_key(&mut self) -> SessionKey {
        self.fill(Zeroizing::new([0; KEY_CHARS]), 0)
    }

    /// Draws a new key of the same family.
    pub(crate) fn successor(&mut self, of: &SessionKey) -> SessionKey {
        // mutation: family-of-successor
        self.fill(of.0.bytes.clone(), FAMILY_CHARS)
    }

    /// Draws the characters of `key` from index `first`.
    fn fill(&mut self, mut key: Zeroizing<[u8; KEY_CHARS]>, first: usize) -> SessionKey {
        let mut places = key.iter_mut().skip(first);
        let mut place = places.next();
        while place.is_some() {
            for byte in self.block() {
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
        let [a, b, c, d, ..] = self.block();
        [a, b, c, d]
    }

    /// Draws a nonce.
    pub(crate) fn nonce(&mut self) -> [u8; 24] {
        let mut nonce = [0; 24];
        nonce.iter_mut().zip(self.block()).for_each(|(to, from)| *to = from);
        nonce
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

    #[test]
    fn only_texts_that_can_be_generated_are_keys() {
        let good = "0123456789abcdefghijklmnopqrstuv";
        assert!(SessionKey::parse(good).is_some());
        for bad in [
            "",
            "short",
            &good[1..],
            &format!("{good}x"),
            &good.to_uppercase(),
            "0123456789abcdefghijklmnopqrst/v",
            "0123456789abcdefghijklmnopqrstü",
            "0123456789abcdefghijklmnopqrst\0v",
        ] {
            assert!(SessionKey::parse(bad).is_none(), "{bad:?}");
        }
    }

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
    fn the_session_key_is_not_in_the_storage_key() {
        let key = Random::new([1; 32]).session_key();
        let storage_key = StorageKey::record("edge-session", &key);
        assert!(!storage_key.as_str().contains(key.as_str()));
        assert!(storage_key.as_str().starts_with("edge-session:session:"));
        // CVE-2019-16782 (Rack): a storage key must not open a session.
        let hash = storage_key.as_str().rsplit(':').next().unwrap();
        assert!(SessionKey::parse(hash).is_none_or(|other| StorageKey::record("edge-session", &other) != storage_key));
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
