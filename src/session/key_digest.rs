//! The hash of a session key or of its family.

use core::fmt;

use edge_session_crypto::{digest_to_base64, sha256};

/// The length of a [`KeyDigest`] in bytes and in characters.
const DIGEST_BYTES: usize = 24;
pub(super) const DIGEST_CHARS: usize = 32;

/// 192 bits of a session key's hash (SHA-256), as base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyDigest([u8; DIGEST_CHARS]);

impl KeyDigest {
    pub(super) fn of(purpose: &[u8], bytes: &[u8]) -> Self {
        let mut digest = [0; DIGEST_BYTES];
        let hash = sha256(&[purpose, bytes]);
        digest.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self::new(&digest)
    }

    fn new(bytes: &[u8; DIGEST_BYTES]) -> Self {
        Self(digest_to_base64(bytes))
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
