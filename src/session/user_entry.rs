//! An entry in the list of a user's sessions.
//!
//! It is a [sealed document](super::sealed_document). The sealed text consists of numbers and digests, separated by spaces, and the
//! label. An entry opens no session: it contains what a logout needs.

use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, iter};

use super::deadline::Deadline;
use super::key_digest::KeyDigest;
use super::random::Random;
use super::sealed_document;
use super::storage_key::StorageKey;
use crate::json;
use crate::secret::{ENTRY_PURPOSE, NONCE_BYTES};
use crate::settings::Settings;

/// One session of a user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserEntry {
    pub(crate) generation: u32,
    /// The times of the login and of the last visit, in milliseconds of Unix time.
    pub(crate) created: i64,
    pub(crate) seen: i64,
    /// The end of the session's record, as far as it is known.
    pub(crate) end: Deadline,
    /// What a logout needs of the session key.
    pub(crate) family: KeyDigest,
    pub(crate) digest: KeyDigest,
    pub(crate) rotations: u16,
    pub(crate) absolute: Deadline,
    /// Empty if there is none.
    pub(crate) label: String,
}

impl UserEntry {
    /// Returns the sealed entry; `deadline` is that of its put.
    pub(crate) fn encode(
        &self,
        settings: &Settings,
        random: &mut Random,
        key: &StorageKey,
        deadline: Deadline,
    ) -> Option<Vec<u8>> {
        let mut text = String::new();
        let numbers = [
            i64::from(self.generation),
            self.created,
            self.seen,
            self.end.0,
            i64::from(self.rotations),
            self.absolute.0,
        ];
        for number in numbers {
            text.push_str(itoa::Buffer::new().format(number));
            text.push(' ');
        }
        for part in [self.family.as_str(), " ", self.digest.as_str(), " ", &self.label] {
            text.push_str(part);
        }
        let (mut text, nonce) = (text.into_bytes(), random.nonce());
        let tag = settings.secrets.seal_for(&[ENTRY_PURPOSE], &nonce, key.as_str().as_bytes(), &mut text)?;
        Some(sealed_document::encode(deadline.0, nonce, &text, tag))
    }

    /// Reads a sealed entry. `None` if none of the secrets sealed it for this storage key.
    pub(crate) fn decode(settings: &Settings, key: &StorageKey, document: &[u8]) -> Option<Self> {
        let (_, mut bytes) = sealed_document::decode(document)?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_BYTES>()?;
        let (text, _) = settings.secrets.unseal_for(&[ENTRY_PURPOSE], nonce, key.as_str().as_bytes(), sealed)?;
        let mut parts = str::from_utf8(text).ok()?.splitn(9, ' ');
        let mut number = || json::integer(parts.next()?.as_bytes());
        let numbers = iter::repeat_with(&mut number).take(6).collect::<Option<Vec<_>>>()?;
        let [generation, created, seen, end, rotations, absolute] = numbers.try_into().ok()?;
        let mut digest = || KeyDigest::parse(parts.next()?.as_bytes());
        let (family, digest) = (digest()?, digest()?);
        Some(Self {
            generation: generation.try_into().ok()?,
            created,
            seen,
            end: Deadline(end),
            family,
            digest,
            rotations: rotations.try_into().ok()?,
            absolute: Deadline(absolute),
            label: parts.next()?.into(),
        })
    }
}

impl fmt::Debug for UserEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserEntry(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::key::SessionKey;

    #[test]
    fn an_entry_is_read_as_it_was_written_and_only_under_its_own_key() {
        let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
        let mut random = Random::new([1; 32]);
        let session_key: SessionKey = random.session_key();
        let entry = UserEntry {
            generation: 7,
            created: 1_893_456_000_123,
            seen: -5,
            end: Deadline(i64::MAX),
            family: session_key.family(),
            digest: session_key.digest(),
            rotations: 3,
            absolute: Deadline::NEVER,
            label: "a label with spaces".into(),
        };
        let key = StorageKey::entry("edge-session", session_key.digest(), "id");
        let document = entry.encode(&settings, &mut random, &key, Deadline(1)).unwrap();
        assert_eq!(UserEntry::decode(&settings, &key, &document), Some(entry.clone()));
        assert_eq!(format!("{entry:?}"), "UserEntry(hidden)");
        let other = StorageKey::entry("edge-session", session_key.digest(), "other");
        assert_eq!(UserEntry::decode(&settings, &other, &document), None);
        for cut in 0..document.len() {
            assert_eq!(UserEntry::decode(&settings, &key, &document[..cut]), None);
        }
    }
}
