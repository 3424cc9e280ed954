//! The storage keys of records and tombstones.

use alloc::string::String;

use super::key::SessionKey;
use super::key_digest::KeyDigest;

/// The parts of storage keys between the prefix and the digest, for records and for tombstones.
const RECORD: &str = ":session:";
const ENDED: &str = ":ended:";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::random::Random;

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
}
