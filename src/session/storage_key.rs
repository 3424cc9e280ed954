//! The storage keys of records and tombstones.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::identity::Identity;
use super::key::SessionKey;
use super::key_digest::KeyDigest;

/// The parts of storage keys between the prefix and the digest, for records and for tombstones.
const RECORD: &str = ":session:";
const ENDED: &str = ":ended:";

/// The key of an entry in the store: the prefix, the kind of entry, and a hash of the session key.
///
/// The session key cannot be computed from it. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StorageKey(Arc<str>);

impl StorageKey {
    /// Returns the beginning of every storage key.
    pub(crate) fn begins(prefix: &str) -> String {
        [prefix, ":"].concat()
    }

    /// Returns the storage key of the record of `key`.
    pub(crate) fn record(prefix: &str, key: &SessionKey) -> Self {
        Self([prefix, RECORD, key.digest().as_str()].concat().into())
    }

    /// Returns the storage key of the record on a linearizable store, where the keys of a family share two records: one of the
    /// anonymous session, and one of the login.
    pub(crate) fn of_family(prefix: &str, identity: &Identity) -> Self {
        let slot = if identity.is_anonymous() { ".anonymous" } else { ".login" };
        Self([prefix, RECORD, identity.key.family().as_str(), slot].concat().into())
    }

    /// Returns the storage key of the login of a family, on a linearizable store.
    pub(crate) fn login_of(prefix: &str, family: KeyDigest) -> Self {
        Self([prefix, RECORD, family.as_str(), ".login"].concat().into())
    }

    /// Returns whether it is the key of a record, not of a tombstone.
    pub(crate) fn is_record(&self, prefix: &str) -> bool {
        self.0.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(RECORD))
    }

    /// Returns whether it is the key of a record on a linearizable store.
    pub(crate) fn is_of_family(&self) -> bool {
        self.0.ends_with(".anonymous") || self.0.ends_with(".login")
    }

    /// Returns the storage key of the tombstone that revokes the keys of a family with this number of rotations.
    pub(crate) fn tombstone(prefix: &str, family: KeyDigest, rotations: u16) -> Self {
        let mut number = itoa::Buffer::new();
        Self([prefix, ENDED, family.as_str(), ".", number.format(rotations)].concat().into())
    }

    /// Wraps a key that a store listed.
    #[must_use]
    pub fn listed(name: impl Into<String>) -> Self {
        Self(name.into().into())
    }

    /// Returns the text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The storage keys of the identities of one session, each built once.
#[derive(Debug, Default)]
pub(crate) struct StorageKeys(RefCell<Vec<Built>>);

/// The two storage keys of an identity.
#[derive(Debug)]
struct Built {
    digest: KeyDigest,
    rotations: u16,
    record: StorageKey,
    tombstone: StorageKey,
}

impl StorageKeys {
    /// Returns the storage key of the record of `identity`.
    pub(crate) fn record(&self, prefix: &str, identity: &Identity) -> StorageKey {
        self.find(prefix, identity, |built| built.record.clone())
    }

    /// Returns the storage key of the tombstone that revokes `identity`.
    pub(crate) fn tombstone(&self, prefix: &str, identity: &Identity) -> StorageKey {
        self.find(prefix, identity, |built| built.tombstone.clone())
    }

    fn find(&self, prefix: &str, identity: &Identity, choose: impl Fn(&Built) -> StorageKey) -> StorageKey {
        let (digest, rotations) = (identity.key.digest(), identity.rotations);
        let mut all = self.0.borrow_mut();
        if let Some(built) = all.iter().find(|built| built.rotations == rotations && built.digest == digest) {
            return choose(built);
        }
        let record = StorageKey::record(prefix, &identity.key);
        let tombstone = StorageKey::tombstone(prefix, identity.key.family(), rotations);
        let built = Built { digest, rotations, record, tombstone };
        let key = choose(&built);
        all.push(built);
        key
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
