//! The session key and its family.

use alloc::sync::Arc;
use core::fmt;

use zeroize::Zeroizing;

use super::key_digest::KeyDigest;

/// The length of a session key, as in Django.
pub(crate) const KEY_CHARS: usize = 32;

/// The number of characters that a rotation preserves. The other 20, 103 bits, are drawn again.
pub(super) const FAMILY_CHARS: usize = 12;

/// Domain separation of the two hashes of a session key.
const RECORD_PURPOSE: &[u8] = b"edge-session record v1";
const FAMILY_PURPOSE: &[u8] = b"edge-session family v1";

/// Django's alphabet for session keys, in its order.
pub(super) const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

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

    pub(super) fn new(bytes: Zeroizing<[u8; KEY_CHARS]>) -> Self {
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

    pub(crate) fn as_bytes(&self) -> &[u8; KEY_CHARS] {
        &self.0.bytes
    }

    /// Returns the characters that all keys of the family share.
    pub(crate) fn family_bytes(&self) -> &[u8] {
        self.0.bytes.get(..FAMILY_CHARS).unwrap_or_default()
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
}
