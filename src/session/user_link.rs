//! The link of a session to its user, in the data of the session.
//!
//! It is a text under the key `_session_user`: the public id of the entry, a dot, and base64url of a nonce, the sealed user, label and
//! creation time, and the tag, which also authenticates the id. So the store does not show who the user is, and the entry can be put
//! again at any time.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use edge_session_crypto::{from_base64, to_base64};

use super::key_digest::KeyDigest;
use super::random::Random;
use super::storage_key::StorageKey;
use crate::json;
use crate::secret::{ENTRY_PURPOSE, NONCE_BYTES};
use crate::settings::Settings;

/// The key of the link in the data.
pub(crate) const USER_KEY: &str = "_session_user";

/// The link of a session to its user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserLink {
    /// The public id of the entry: 128 random bits, as base64url.
    pub(crate) id: String,
    /// The application's own id of the user.
    pub(crate) user: String,
    /// Empty if there is none.
    pub(crate) label: String,
    /// The time of the login, in milliseconds of Unix time.
    pub(crate) created: i64,
    /// The place of the secret that sealed it.
    pub(crate) secret: usize,
}

impl UserLink {
    /// Creates the link of a new entry.
    pub(crate) fn new(random: &mut Random, user: String, label: String, created: i64) -> Self {
        Self { id: to_base64(&random.id()), user, label, created, secret: 0 }
    }

    /// Returns the JSON text in the data, sealed with the first secret.
    pub(crate) fn to_json(&self, settings: &Settings, random: &mut Random) -> Option<Vec<u8>> {
        let (mut created, mut length) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (created, length) = (created.format(self.created), length.format(self.user.len()));
        let mut text = [created, " ", length, " ", &self.user, &self.label].concat().into_bytes();
        let nonce = random.nonce();
        let tag = settings.secrets.seal_for(&[ENTRY_PURPOSE], &nonce, self.id.as_bytes(), &mut text)?;
        let sealed = to_base64(&[nonce.as_slice(), &text, &tag].concat());
        Some(["\"", &self.id, ".", &sealed, "\""].concat().into_bytes())
    }

    /// Reads the JSON text in the data. `None` if none of the secrets sealed it.
    pub(crate) fn from_json(settings: &Settings, text: &[u8]) -> Option<Self> {
        let id = Self::id_in(text)?;
        let sealed = text.get(id.len().checked_add(2)?..)?.strip_suffix(b"\"")?;
        let mut bytes = from_base64(sealed)?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_BYTES>()?;
        let (text, secret) = settings.secrets.unseal_for(&[ENTRY_PURPOSE], nonce, id.as_bytes(), sealed)?;
        let mut parts = str::from_utf8(text).ok()?.splitn(3, ' ');
        let created = json::integer(parts.next()?.as_bytes())?;
        let length = parts.next()?.parse().ok()?;
        let (user, label) = parts.next()?.split_at_checked(length)?;
        Some(Self { id: id.into(), user: user.into(), label: label.into(), created, secret })
    }

    /// Returns the id in the JSON text, without opening it.
    pub(crate) fn id_in(text: &[u8]) -> Option<&str> {
        let end = text.iter().position(|byte| *byte == b'.')?;
        str::from_utf8(text.get(1..end)?).ok()
    }

    /// Returns the storage key of the entry.
    pub(crate) fn entry_key(&self, settings: &Settings) -> Option<StorageKey> {
        let hash = settings.secrets.hashes_of_user(&self.user).nth(self.secret)?;
        Some(StorageKey::entry(&settings.key_prefix, KeyDigest::shortened(&hash), &self.id))
    }
}

impl fmt::Debug for UserLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserLink(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_the_user_nor_the_label() {
        let link = UserLink::new(&mut Random::new([1; 32]), "alice".into(), "Phone".into(), 0);
        assert_eq!(format!("{link:?}"), "UserLink(hidden)");
    }

    #[test]
    fn a_link_that_was_changed_or_belongs_to_another_id_is_none() {
        let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
        let mut random = Random::new([1; 32]);
        let link = UserLink::new(&mut random, "alice with spaces ".into(), " 12 a label".into(), 1_893_456_000_123);
        let text = link.to_json(&settings, &mut random).unwrap();
        assert_eq!(UserLink::from_json(&settings, &text), Some(link.clone()));
        let other = UserLink { id: UserLink::new(&mut random, String::new(), String::new(), 0).id, ..link.clone() };
        let moved = String::from_utf8(text.clone()).unwrap().replace(&link.id, &other.id);
        assert_eq!(UserLink::from_json(&settings, moved.as_bytes()), None);
        for cut in 0..text.len() {
            assert_eq!(UserLink::from_json(&settings, &text[..cut]), None);
        }
        for broken in ["", "\"", "\".\"", "\"a.b\"", "null", "{}", ".", "\"é.é\"", "\"a.AAAA\""] {
            assert_eq!(UserLink::from_json(&settings, broken.as_bytes()), None, "{broken}");
        }
    }
}
