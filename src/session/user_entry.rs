//! An entry in the list of a user's sessions.
//!
//! It is a [sealed document](super::sealed_document). The sealed text consists of numbers and digests, separated by spaces, and the
//! label. An entry opens no session: it contains what a logout needs.

use alloc::string::String;
use alloc::vec::Vec;
use core::iter;

use super::deadline::Deadline;
use super::key_digest::KeyDigest;
use super::random::Random;
use super::sealed_document;
use super::storage_key::StorageKey;
use crate::json;
use crate::secret::{ENTRY_PURPOSE, NONCE_BYTES};
use crate::settings::Settings;

/// One session of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
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
