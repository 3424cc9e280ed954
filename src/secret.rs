//! The application's secrets: signing and sealing with keys derived from them.

use alloc::vec::Vec;
use core::fmt;

use edge_session_crypto::{HASH_BYTES, MacKey, derive, seal, unseal};
pub(crate) use edge_session_crypto::{NONCE_BYTES, SEAL_BYTES};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// The minimum length of a secret, in bytes.
const MIN_BYTES: usize = 32;

/// The length of a MAC (HMAC-SHA-256), in bytes.
pub(crate) const MAC_BYTES: usize = HASH_BYTES;

/// Key derivation labels. Each purpose and each cookie name has a separate key.
const TOKEN_PURPOSE: &[u8] = b"edge-session token v1 ";
const JOURNAL_PURPOSE: &[u8] = b"edge-session journal v1 ";

/// One secret: its bytes, and the keys derived from it once the cookie name is known.
#[derive(Clone)]
struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    token_mac: Option<MacKey>,
    journal_key: Zeroizing<[u8; 32]>,
}

/// The active secrets. The first one signs and seals; all of them verify and unseal.
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

    /// Accepts the short secrets of known-answer tests.
    #[cfg(test)]
    pub(crate) fn of_any_length(secrets: &[&[u8]]) -> Self {
        let secret = |bytes: &&[u8]| Secret::unbound(bytes);
        Self(secrets.iter().map(secret).collect())
    }

    /// The placeholder of a settings builder. It neither signs nor verifies.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Derives the keys of this cookie. The name is part of the derivation, so a token is valid for one cookie name only.
    pub(crate) fn for_cookie(mut self, name: &str) -> Self {
        for secret in &mut self.0 {
            let derived = |purpose: &[u8]| derive(&secret.bytes, &[purpose, name.as_bytes()]);
            let (token_mac, journal_key) = (derived(TOKEN_PURPOSE), derived(JOURNAL_PURPOSE));
            secret.token_mac = Some(MacKey::new(token_mac.as_slice()));
            secret.journal_key = journal_key;
        }
        self
    }

    /// Returns the MAC over `payload`.
    pub(crate) fn sign(&self, payload: &[u8]) -> Option<[u8; MAC_BYTES]> {
        Some(self.0.first()?.token_mac.as_ref()?.sign(payload))
    }

    /// Returns whether `mac` is valid for `payload` under any of the secrets. Compares in constant time.
    pub(crate) fn verify(&self, payload: &[u8], mac: &[u8]) -> bool {
        self.0.iter().filter_map(|secret| secret.token_mac.as_ref()).any(|key| key.verify(payload, mac))
    }

    /// Encrypts `text`, bound to `context`. A `nonce` must not be used twice.
    pub(crate) fn seal(&self, nonce: [u8; NONCE_BYTES], context: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
        seal(&self.0.first()?.journal_key, &nonce, context, &mut text).then_some(text)
    }

    /// Decrypts a text that one of the secrets sealed with this `context`.
    pub(crate) fn unseal(&self, nonce: [u8; NONCE_BYTES], context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.iter().find_map(|secret| {
            let mut text = sealed.to_vec();
            unseal(&secret.journal_key, &nonce, context, &mut text).then_some(text)
        })
    }

    /// Returns the bytes of the secrets, in order, for Django's own key derivation.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|secret| secret.bytes.as_slice())
    }
}

impl Secret {
    fn unbound(bytes: &[u8]) -> Self {
        Self { bytes: Zeroizing::new(bytes.to_vec()), token_mac: None, journal_key: Zeroizing::default() }
    }

    fn new(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < MIN_BYTES {
            let mut has = itoa::Buffer::new();
            let has = has.format(bytes.len());
            let needs = "SESSION_SECRET and each of SESSION_SECRET_FALLBACKS need at least 32 bytes; one has ";
            return Err(Error::config([needs, has].concat()));
        }
        Ok(Self::unbound(bytes))
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

    fn secrets(list: &[&str]) -> Secrets {
        Secrets::new(list).unwrap().for_cookie("sessionid")
    }

    #[test]
    fn the_first_secret_signs_and_all_verify() {
        let (old, both, new) = (secrets(&[OLD]), secrets(&[NEW, OLD]), secrets(&[NEW]));
        assert!(both.verify(b"a", &old.sign(b"a").unwrap()));
        assert!(new.verify(b"a", &both.sign(b"a").unwrap()));
        assert!(!new.verify(b"a", &old.sign(b"a").unwrap()));
    }

    // CVE-2026-6873 (Django): a name and a salt were concatenated without a separator, so that two pairs had one key. Here the
    // name is part of the key derivation, after a purpose of fixed length.
    #[test]
    fn cve_2026_6873_another_name_is_another_key() {
        let named = |name| Secrets::new([OLD]).unwrap().for_cookie(name);
        let mac = named("ab").sign(b"c").unwrap();
        assert!(named("ab").verify(b"c", &mac));
        assert!(!named("a").verify(b"bc", &mac));
        assert!(!named("a").verify(b"c", &mac));
        assert!(!named("").verify(b"abc", &mac));
    }

    #[test]
    fn without_a_cookie_name_no_token_is_signed_or_verified() {
        let mac = secrets(&[OLD]).sign(b"x").unwrap();
        let unbound = Secrets::new([OLD]).unwrap();
        assert!(unbound.sign(b"x").is_none());
        assert!(!unbound.verify(b"x", &mac));
    }

    // D13, Auth0-PHP #808: the secret itself was the key for every purpose. Here HKDF derives a key for each purpose and cookie.
    #[test]
    fn auth0_php_808_each_purpose_has_a_key_of_its_own() {
        let secrets = secrets(&[OLD]);
        assert_ne!(secrets.sign(b"x").unwrap(), MacKey::new(OLD.as_bytes()).sign(b"x"));
        let keys = ["sessionid", "sessionid2", ""].map(|name| {
            [TOKEN_PURPOSE, JOURNAL_PURPOSE].map(|purpose| {
                let key = derive(OLD.as_bytes(), &[purpose, name.as_bytes()]);
                assert_ne!(key.as_slice(), [0; 32]);
                *key
            })
        });
        let all: std::collections::BTreeSet<_> = keys.iter().flatten().collect();
        assert_eq!(all.len(), 6);
        // Another secret has other keys.
        assert_ne!(*derive(NEW.as_bytes(), &[TOKEN_PURPOSE, b"sessionid"]), keys[0][0]);
    }

    // A11, CVE-2013-0263 (Rack): the time of a comparison revealed how many bytes of a guess were right. Here a MAC that differs
    // in its first byte takes as long as one that differs in its last. The difference has to be far below that of a comparison
    // which stops at the first difference; the two are measured alternately.
    #[test]
    fn cve_2013_0263_a_comparison_takes_as_long_wherever_the_difference_is() {
        let secrets = secrets(&[OLD]);
        let good = secrets.sign(b"x").unwrap();
        let (mut first, mut last) = (good, good);
        first[0] ^= 1;
        last[MAC_BYTES - 1] ^= 1;
        let early = |mac: &[u8; MAC_BYTES]| {
            let wanted = secrets.sign(b"x").unwrap();
            let mut at = 0;
            while at < MAC_BYTES && std::hint::black_box(wanted[at]) == std::hint::black_box(mac[at]) {
                at += 1;
            }
            at == MAC_BYTES
        };
        let verify = |mac: &[u8; MAC_BYTES]| secrets.verify(b"x", mac);
        let cost = |compare: &dyn Fn(&[u8; MAC_BYTES]) -> bool, mac: &[u8; MAC_BYTES]| {
            let begun = std::time::Instant::now();
            assert!(!std::hint::black_box(compare(std::hint::black_box(mac))));
            begun.elapsed().as_nanos() as f64
        };
        let cases: [(&dyn Fn(&_) -> _, _); 4] =
            [(&verify, &first), (&verify, &last), (&early, &first), (&early, &last)];
        let mut costs: [Vec<f64>; 4] = Default::default();
        let mut state = 1_u32;
        for _ in 0..24_000 {
            // In random order, because each measurement influences the next one.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (state >> 30) as usize;
            costs[at].push(cost(cases[at].0, cases[at].1));
        }
        // The median of the faster half: the slower half shows other load of the machine.
        let [verify_first, verify_last, early_first, early_last] = costs.map(|mut costs| {
            costs.sort_by(f64::total_cmp);
            costs[costs.len() / 4]
        });
        let (constant, leaking) = ((verify_last - verify_first).abs(), early_last - early_first);
        assert!(constant < leaking / 2.0, "{constant} ns between first and last byte; with an early exit {leaking} ns");
    }

    // CVE-2025-47275 (Auth0-PHP): short tags were guessed.
    #[test]
    fn cve_2025_47275_the_mac_has_exactly_its_length() {
        let secrets = secrets(&[OLD]);
        let mac = secrets.sign(b"x").unwrap();
        for cut in 0..MAC_BYTES {
            assert!(!secrets.verify(b"x", &mac[..cut]), "{cut} bytes were enough");
        }
        assert!(!secrets.verify(b"x", &[&mac[..], b"\0"].concat()));
    }

    #[test]
    fn thirty_two_bytes_are_the_least() {
        assert!(Secrets::new(["x".repeat(31)]).is_err());
        assert!(Secrets::new(["x".repeat(32)]).is_ok());
        assert!(Secrets::new(["x".repeat(32), "short".to_owned()]).is_err());
        assert!(Secrets::new([""; 0]).is_err());
    }
}
