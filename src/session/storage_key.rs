//! The storage keys of records and tombstones.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::identity::Identity;
use super::key_digest::{DIGEST_CHARS, KeyDigest};

/// The parts of storage keys between the prefix and the digest, for records, tombstones and the entries of users.
const RECORD: &str = ":session:";
const ENDED: &str = ":ended:";
const USER: &str = ":user:";

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

    /// Returns the storage key of the record of a session key with this digest.
    pub(crate) fn record(prefix: &str, digest: KeyDigest) -> Self {
        Self([prefix, RECORD, digest.as_str()].concat().into())
    }

    /// Returns the storage key of the record on a linearizable store, where the keys of a family share two records: one of the
    /// anonymous session, and one of the login.
    pub(crate) fn of_family(prefix: &str, family: KeyDigest, rotations: u16) -> Self {
        let slot = if rotations == 0 { ".anonymous" } else { ".login" };
        Self([prefix, RECORD, family.as_str(), slot].concat().into())
    }

    /// Returns the beginning of the storage keys of a user's entries.
    pub(crate) fn entries(prefix: &str, user: KeyDigest) -> String {
        [prefix, USER, user.as_str(), ":"].concat()
    }

    /// Returns the storage key of the entry of a user's session.
    pub(crate) fn entry(prefix: &str, user: KeyDigest, id: &str) -> Self {
        Self([&Self::entries(prefix, user), id].concat().into())
    }

    /// Returns the two parts of the key of an entry in the list of a user's sessions: the list's own, and the entry's. A store that
    /// cannot list its keys keeps all entries with the same first part together, so that it can [list](crate::Store::list) them.
    /// `None` for the key of a record or a tombstone.
    #[must_use]
    pub fn entry_parts(&self) -> Option<(&str, &str)> {
        Self::split_entry(&self.0)
    }

    /// Splits the text of an entry's key, or of a prefix of such keys, into the list's part and the rest.
    pub(crate) fn split_entry(text: &str) -> Option<(&str, &str)> {
        let (list, id) = text.rsplit_once(':')?;
        let (start, digest) = list.split_at_checked(list.len().checked_sub(DIGEST_CHARS)?)?;
        (start.ends_with(USER) && !digest.contains(':')).then_some((list, id))
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
        let record = StorageKey::record(prefix, digest);
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
    use crate::session::key::SessionKey;
    use crate::session::random::Random;

    #[test]
    fn the_session_key_is_not_in_the_storage_key() {
        let key = Random::new([1; 32]).session_key();
        let storage_key = StorageKey::record("edge-session", key.digest());
        assert!(!storage_key.as_str().contains(key.as_str()));
        assert!(storage_key.as_str().starts_with("edge-session:session:"));
        // CVE-2019-16782 (Rack): a storage key must not open a session.
        let hash = storage_key.as_str().rsplit(':').next().unwrap();
        assert!(
            SessionKey::parse(hash)
                .is_none_or(|other| StorageKey::record("edge-session", other.digest()) != storage_key)
        );
    }

    #[test]
    fn only_the_key_of_an_entry_has_a_list() {
        let digest = Random::new([1; 32]).session_key().digest();
        let list = format!("a:user:{}", digest.as_str());
        assert_eq!(StorageKey::entry("a", digest, "id").entry_parts(), Some((list.as_str(), "id")));
        assert_eq!(StorageKey::split_entry(&StorageKey::entries("a", digest)), Some((list.as_str(), "")));
        let others = [
            StorageKey::record("a", digest),
            StorageKey::of_family(&list, digest, 1),
            StorageKey::tombstone("a:user", digest, 3),
            StorageKey::listed("é:user:short:id"),
            StorageKey::listed(format!("ü{}:id", "é".repeat(16))),
        ];
        assert!(others.iter().all(|key| key.entry_parts().is_none()));
    }
}
