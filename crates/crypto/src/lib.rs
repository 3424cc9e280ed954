//! The cryptography of [edge-session](https://docs.rs/edge-session): SHA-256, HMAC, HKDF, XChaCha20-Poly1305 and base64url.
//!
//! RustCrypto's crates do the work, except for base64. Their code is generic, so it is compiled where it is used, at that crate's
//! `opt-level`. Nothing here is generic: a build for size compiles this crate for speed, and its own code for size.
//!
//! ```toml
//! [profile.release]
//! opt-level = "z"
//!
//! [profile.release.package.edge-session-crypto]
//! opt-level = 3
//! ```
#![no_std]

extern crate alloc;

mod base64;

use core::fmt;

use chacha20poly1305::{AeadInOut, Key, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use base64::{digest_to_base64, from_base64, to_base64};

/// Bytes of a hash (SHA-256) and of a MAC (HMAC-SHA-256).
pub const HASH_BYTES: usize = 32;

/// Bytes of the number that each sealed text must have for itself.
pub const NONCE_BYTES: usize = 24;

/// Bytes of a sealed text's tag.
pub const SEAL_BYTES: usize = 16;

/// The SHA-256 hash of these parts, one after the other.
///
/// ```
/// use edge_session_crypto::sha256;
///
/// assert_eq!(sha256(&[b"a", b"bc"]), sha256(&[b"abc"]));
/// ```
#[inline(never)]
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; HASH_BYTES] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// A key for HMAC-SHA-256 (RFC 2104).
///
/// ```
/// use edge_session_crypto::MacKey;
///
/// let key = MacKey::new(b"a key");
/// let mac = key.sign(b"a message");
/// assert!(key.verify(b"a message", &mac));
/// assert!(!key.verify(b"another message", &mac));
/// ```
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Takes a key of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        // HMAC accepts keys of every length, so the default, the empty key, is never used.
        Self(Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    /// The MAC of a message.
    #[inline(never)]
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; HASH_BYTES] {
        self.0.clone().chain_update(message).finalize().into_bytes().into()
    }

    /// Whether this is the message's MAC, all of it. Takes the same time wherever the first difference is.
    #[inline(never)]
    #[must_use]
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        self.0.clone().chain_update(message).verify_slice(mac).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(hidden)")
    }
}

/// The key that HKDF-SHA-256 (RFC 5869, without a salt) derives from a secret for the purpose that these parts name.
///
/// ```
/// use edge_session_crypto::derive;
///
/// assert_ne!(derive(b"secret", &[b"signing"]), derive(b"secret", &[b"sealing"]));
/// ```
#[inline(never)]
#[must_use]
pub fn derive(secret: &[u8], purpose: &[&[u8]]) -> Zeroizing<[u8; HASH_BYTES]> {
    let mut key = Zeroizing::new([0; HASH_BYTES]);
    // It fails for keys of more than 255 hashes only.
    _ = Hkdf::<Sha256>::new(None, secret).expand_multi_info(purpose, key.as_mut_slice());
    key
}

/// Encrypts a text in place with XChaCha20-Poly1305, bound to a context, and returns its tag. A nonce must not be used twice.
/// Returns `None` for a text of more than 256 GiB.
///
/// ```
/// use edge_session_crypto::{seal, unseal};
///
/// let (key, nonce, mut sealed) = ([1; 32], [2; 24], b"text".to_vec());
/// let tag = seal(&key, &nonce, b"context", &mut sealed).unwrap();
/// sealed.extend_from_slice(&tag);
/// assert!(unseal(&key, &nonce, b"another context", &mut sealed).is_none());
/// assert_eq!(unseal(&key, &nonce, b"context", &mut sealed).unwrap(), b"text");
/// ```
#[inline(never)]
#[must_use]
pub fn seal(
    key: &[u8; HASH_BYTES],
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
    text: &mut [u8],
) -> Option<[u8; SEAL_BYTES]> {
    cipher(key).encrypt_inout_detached(&XNonce::from(*nonce), context, text.into()).ok().map(Into::into)
}

/// Decrypts a text in place, which its tag follows, and returns it without the tag. Returns `None`, and leaves the bytes as they
/// are, if the text was changed, or sealed with another key, nonce or context. The tag is compared in constant time.
#[inline(never)]
#[must_use]
pub fn unseal<'a>(
    key: &[u8; HASH_BYTES],
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
    sealed: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    let (text, tag) = sealed.split_last_chunk_mut::<SEAL_BYTES>()?;
    let tag = Tag::from(*tag);
    cipher(key).decrypt_inout_detached(&XNonce::from(*nonce), context, (&mut *text).into(), &tag).ok()?;
    Some(text)
}

fn cipher(key: &[u8; HASH_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*key))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a panic is what a test fails with")]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // FIPS 180-2, RFC 4231 (its first), RFC 5869 (its third, which has no salt).
    #[test]
    fn each_gives_the_answers_of_its_standard() {
        assert_eq!(hex(&sha256(&[b"abc"])), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mac = MacKey::new(&[0x0b; 20]).sign(b"Hi There");
        assert_eq!(hex(&mac), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        let key = derive(&[0x0b; 22], &[]);
        assert_eq!(hex(key.as_slice()), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    }

    // The example of draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn xchacha20_poly1305_seals_as_its_draft() {
        let key: [u8; 32] = core::array::from_fn(|at| 0x80 + at as u8);
        let nonce: [u8; 24] = core::array::from_fn(|at| 0x40 + at as u8);
        let context = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let mut text = plain.to_vec();
        let tag = seal(&key, &nonce, &context, &mut text).unwrap();
        assert_eq!(hex(&tag), "c0875924c1c7987947deafd8780acf49");
        assert_eq!(hex(&text[..8]), "bd6d179d3e83d43b");
        text.extend_from_slice(&tag);
        assert_eq!(unseal(&key, &nonce, &context, &mut text).unwrap(), plain);
    }

    proptest! {
        // The tag is verified before anything is decrypted: another key can be tried on the same bytes.
        #[test]
        fn a_failure_leaves_the_bytes_as_they_are(text in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
            let (key, nonce) = ([1; 32], [2; 24]);
            let mut sealed = text.clone();
            let tag = seal(&key, &nonce, b"context", &mut sealed).unwrap();
            sealed.extend_from_slice(&tag);
            let kept = sealed.clone();
            for (other_key, other_nonce, context) in [([3; 32], nonce, "context"), (key, [3; 24], "context"), (key, nonce, "")] {
                prop_assert!(unseal(&other_key, &other_nonce, context.as_bytes(), &mut sealed).is_none());
                prop_assert_eq!(&sealed, &kept);
            }
            let at = at.index(sealed.len());
            sealed[at] ^= 1;
            prop_assert!(unseal(&key, &nonce, b"context", &mut sealed).is_none());
            sealed[at] ^= 1;
            prop_assert!(unseal(&key, &nonce, b"context", &mut sealed[..kept.len() - 1]).is_none());
            prop_assert_eq!(&sealed, &kept);
            prop_assert_eq!(unseal(&key, &nonce, b"context", &mut sealed).unwrap(), text);
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", MacKey::new(b"secret")), "MacKey(hidden)");
    }
}
