//! The hash of a session key, of its family, or of a user.

use core::fmt;

use edge_session_crypto::{HASH_BYTES, digest_to_base64, sha256};

/// The length of a [`KeyDigest`] in bytes and in characters.
const DIGEST_BYTES: usize = 24;
pub(super) const DIGEST_CHARS: usize = 32;

/// 192 bits of a hash, as base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyDigest([u8; DIGEST_CHARS]);

impl KeyDigest {
    pub(super) fn of(purpose: &[u8], bytes: &[u8]) -> Self {
        Self::shortened(&sha256(&[purpose, bytes]))
    }

    /// Returns the first 192 bits of a hash.
    pub(crate) fn shortened(hash: &[u8; HASH_BYTES]) -> Self {
        let mut digest = [0; DIGEST_BYTES];
        digest.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
        Self(digest_to_base64(&digest))
    }

    /// Parses a digest in a record.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        text.try_into().ok().filter(|text: &[u8; DIGEST_CHARS]| text.iter().all(is_base64)).map(Self)
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
