//! The application's secrets, and the MAC that is made from them.

use alloc::vec::Vec;
use core::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A secret shorter than this is refused, in bytes.
const MIN_BYTES: usize = 32;

/// Bytes of a MAC (HMAC-SHA-256).
pub(crate) const MAC_BYTES: usize = 32;

/// One secret: its bytes, and the token key derived from it (HKDF-SHA-256, RFC 5869).
#[derive(Clone)]
struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    token_mac: Hmac<Sha256>,
}

/// The secrets in force: the first one signs, all of them verify.
#[derive(Clone)]
pub(crate) struct Secrets(Vec<Secret>);

impl Secrets {
    pub(crate) fn new<I>(secrets: I) -> Result<Self>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let secrets = secrets.into_iter().map(|bytes| Secret::new(bytes.as_ref())).collect::<Result<Vec<_>>>()?;
        if secrets.is_empty() {
            return Err(Error::config("SESSION_SECRET is missing: set it to at least 32 random bytes"));
        }
        Ok(Self(secrets))
    }

    /// Secrets as the known answers of others have them.
    #[cfg(test)]
    pub(crate) fn of_any_length(secrets: &[&[u8]]) -> Self {
        let secret = |bytes: &&[u8]| Secret { bytes: Zeroizing::new(bytes.to_vec()), token_mac: Secret::token_mac(bytes).unwrap() };
        Self(secrets.iter().map(secret).collect())
    }

    /// The place holder while settings are collected: it signs nothing and verifies nothing.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// The MAC over `parts`, each preceded by its length, so that no two lists of parts make the same input.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> Option<[u8; MAC_BYTES]> {
        let secret = self.0.first()?;
        Some(secret.mac(parts).finalize().into_bytes().into())
    }

    /// Whether any secret made `mac` over `parts`. Takes the same time wherever a difference lies.
    pub(crate) fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.0.iter().any(|secret| secret.mac(parts).verify_slice(mac).is_ok())
    }

    /// The secrets' own bytes, in order: Django's signing derives its keys in its own way.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|secret| secret.bytes.as_slice())
    }
}

impl Secret {
    fn new(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < MIN_BYTES {
            let mut has = itoa::Buffer::new();
            let has = has.format(bytes.len());
            let needs = "SESSION_SECRET and each of SESSION_SECRET_FALLBACKS need at least 32 bytes; one has ";
            return Err(Error::config([needs, has].concat()));
        }
        let token_mac = Self::token_mac(bytes).ok_or_else(|| Error::config("SESSION_SECRET could not be used as a key"))?;
        Ok(Self { bytes: Zeroizing::new(bytes.to_vec()), token_mac })
    }

    fn token_mac(bytes: &[u8]) -> Option<Hmac<Sha256>> {
        let mut token_key = Zeroizing::new([0_u8; 32]);
        Hkdf::<Sha256>::new(None, bytes).expand(b"edge-session token v1", token_key.as_mut_slice()).ok()?;
        Hmac::new_from_slice(token_key.as_slice()).ok()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.token_mac.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} hidden)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old secret, thirty-two bytes long";
    const NEW: &str = "a new secret, of thirty-two bytes too";

    #[test]
    fn debug_never_shows_a_secret() {
        let shown = format!("{:?}", Secrets::new([OLD, NEW]).unwrap());
        assert_eq!(shown, "Secrets(2 hidden)");
    }

    #[test]
    fn the_first_secret_signs_and_all_verify() {
        let parts: [&[u8]; 2] = [b"a", b"b"];
        let old = Secrets::new([OLD]).unwrap();
        let both = Secrets::new([NEW, OLD]).unwrap();
        let new = Secrets::new([NEW]).unwrap();
        assert!(both.verify(&parts, &old.sign(&parts).unwrap()));
        assert!(new.verify(&parts, &both.sign(&parts).unwrap()));
        assert!(!new.verify(&parts, &old.sign(&parts).unwrap()));
    }

    // CVE-2026-6873 (Django): a name and a salt, joined without a border, could stand for another pair.
    #[test]
    fn cve_2026_6873_parts_have_borders() {
        let secrets = Secrets::new([OLD]).unwrap();
        let mac = secrets.sign(&[b"ab", b"c"]).unwrap();
        assert!(secrets.verify(&[b"ab", b"c"], &mac));
        assert!(!secrets.verify(&[b"a", b"bc"], &mac));
        assert!(!secrets.verify(&[b"abc"], &mac));
        assert!(!secrets.verify(&[b"ab", b"c", b""], &mac));
    }

    // CVE-2025-47275 (Auth0-PHP): short tags could be guessed.
    #[test]
    fn cve_2025_47275_the_mac_has_exactly_its_length() {
        let secrets = Secrets::new([OLD]).unwrap();
        let mac = secrets.sign(&[b"x"]).unwrap();
        for cut in 0..MAC_BYTES {
            assert!(!secrets.verify(&[b"x"], &mac[..cut]), "{cut} bytes were enough");
        }
        assert!(!secrets.verify(&[b"x"], &[&mac[..], b"\0"].concat()));
    }

    #[test]
    fn thirty_two_bytes_are_the_least() {
        assert!(Secrets::new(["x".repeat(31)]).is_err());
        assert!(Secrets::new(["x".repeat(32)]).is_ok());
        assert!(Secrets::new(["x".repeat(32), "short".to_owned()]).is_err());
        assert!(Secrets::new([""; 0]).is_err());
    }
}
