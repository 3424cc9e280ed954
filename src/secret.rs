//! The application's secrets, and the keys derived from them.

use alloc::vec::Vec;
use core::fmt;

use edge_session_crypto::{HASH_BYTES, MacKey, derive, seal, unseal};
pub(crate) use edge_session_crypto::{NONCE_BYTES, SEAL_BYTES};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// The minimum length of a secret, in bytes.
const MIN_BYTES: usize = 32;

/// Key derivation labels. Each purpose and each cookie name has a separate key.
const TOKEN_PURPOSE: &[u8] = b"edge-session token v2 ";
pub(crate) const RECORD_PURPOSE: &[u8] = b"edge-session record v1 ";
pub(crate) const ENTRY_PURPOSE: &[u8] = b"edge-session entry v1 ";
const USER_PURPOSE: &[u8] = b"edge-session user v1 ";
const EVENT_PURPOSE: &[u8] = b"edge-session event v1 ";

/// One secret: its bytes, and the keys derived from it once the cookie name is known.
#[derive(Clone)]
struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    keys: Option<Keys>,
}

/// The keys of one cookie name.
#[derive(Clone)]
struct Keys {
    token: Zeroizing<[u8; HASH_BYTES]>,
    event: MacKey,
}

/// The active secrets. The first one seals and signs; all of them unseal and verify.
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

    /// The placeholder of a settings builder. It neither seals nor unseals.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Derives the keys of this cookie. The name is part of the derivation, so a token is valid for one cookie name only.
    pub(crate) fn for_cookie(mut self, name: &str) -> Self {
        for secret in &mut self.0 {
            let derived = |purpose: &[u8]| derive(&secret.bytes, &[purpose, name.as_bytes()]);
            let event = MacKey::new(derived(EVENT_PURPOSE).as_slice());
            secret.keys = Some(Keys { token: derived(TOKEN_PURPOSE), event });
        }
        self
    }

    /// Encrypts a token's `text` in place, bound to `context`, and returns its tag. A `nonce` must not be used twice.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE_BYTES], context: &[u8], text: &mut [u8]) -> Option<[u8; SEAL_BYTES]> {
        seal(&self.0.first()?.keys.as_ref()?.token, nonce, context, text)
    }

    /// Decrypts in place a text with its tag that one of the secrets sealed with this `context`, and returns the text.
    pub(crate) fn unseal<'a>(
        &self,
        nonce: &[u8; NONCE_BYTES],
        context: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        // A key that does not fit leaves the bytes as they are.
        let keys = self.0.iter().filter_map(|secret| secret.keys.as_ref());
        let length = keys.filter_map(|keys| Some(unseal(&keys.token, nonce, context, sealed)?.len())).next()?;
        sealed.get_mut(..length)
    }

    /// Encrypts in place with a key that the first secret has for this purpose, bound to `context`, and returns the tag.
    pub(crate) fn seal_for(
        &self,
        purpose: &[&[u8]],
        nonce: &[u8; NONCE_BYTES],
        context: &[u8],
        text: &mut [u8],
    ) -> Option<[u8; SEAL_BYTES]> {
        seal(&derive(&self.0.first()?.bytes, purpose), nonce, context, text)
    }

    /// Decrypts in place a text with its tag that one of the secrets sealed for this purpose with this `context`. Returns the text,
    /// and the place of the secret.
    pub(crate) fn unseal_for<'a>(
        &self,
        purpose: &[&[u8]],
        nonce: &[u8; NONCE_BYTES],
        context: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<(&'a mut [u8], usize)> {
        let keys = self.0.iter().map(|secret| derive(&secret.bytes, purpose));
        let opened = keys.map(|key| Some(unseal(&key, nonce, context, sealed)?.len()));
        let (place, length) = opened.enumerate().find_map(|(place, length)| Some((place, length?)))?;
        Some((sealed.get_mut(..length)?, place))
    }

    /// Returns the keyed hashes of a user, one for each secret, in order.
    pub(crate) fn hashes_of_user(&self, user: &str) -> impl Iterator<Item = [u8; HASH_BYTES]> {
        self.0.iter().map(|secret| *derive(&secret.bytes, &[USER_PURPOSE, user.as_bytes()]))
    }

    /// Returns the MAC over the key in an event, for its pseudonym.
    pub(crate) fn event_mac(&self, key: &[u8]) -> Option<[u8; HASH_BYTES]> {
        Some(self.0.first()?.keys.as_ref()?.event.sign(key))
    }

    /// Returns the bytes of the secrets, in order, for Django's own key derivation.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|secret| secret.bytes.as_slice())
    }
}

impl Secret {
    fn unbound(bytes: &[u8]) -> Self {
        Self { bytes: Zeroizing::new(bytes.to_vec()), keys: None }
    }

    fn new(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < MIN_BYTES {
            let mut has = itoa::Buffer::new();
            let has = has.format(bytes.len());
            let needs = "SESSION_SECRET and each of SESSION_SECRET_FALLBACKS need at least 32 bytes; one has ";
            return Err(Error::config([needs, has].concat()));
        }
        if bytes.iter().all(|byte| bytes.first() == Some(byte)) {
            let message =
                "SESSION_SECRET and each of SESSION_SECRET_FALLBACKS need random bytes; one repeats a single character";
            return Err(Error::config(message));
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

    const NONCE: [u8; NONCE_BYTES] = [7; NONCE_BYTES];

    /// Seals a text, and appends its tag.
    fn sealed(secrets: &Secrets, text: &[u8]) -> Vec<u8> {
        let mut bytes = text.to_vec();
        let tag = secrets.seal(&NONCE, b"context", &mut bytes).unwrap();
        bytes.extend(tag);
        bytes
    }

    fn unsealed(secrets: &Secrets, sealed: &[u8]) -> Option<Vec<u8>> {
        secrets.unseal(&NONCE, b"context", &mut sealed.to_vec()).map(|text| text.to_vec())
    }

    #[test]
    fn the_first_secret_seals_and_all_unseal() {
        let (old, both, new) = (secrets(&[OLD]), secrets(&[NEW, OLD]), secrets(&[NEW]));
        let text = || Some(b"a".to_vec());
        assert_eq!(unsealed(&both, &sealed(&old, b"a")), text());
        assert_eq!(unsealed(&both, &sealed(&new, b"a")), text());
        assert_eq!(unsealed(&new, &sealed(&both, b"a")), text());
        assert_eq!(unsealed(&new, &sealed(&old, b"a")), None);
    }

    // CVE-2026-6873 (Django): a name and a salt were concatenated without a separator, so that two pairs had one key. Here the
    // name is part of the key derivation, after a purpose of fixed length.
    #[test]
    fn cve_2026_6873_another_name_is_another_key() {
        let named = |name| Secrets::new([OLD]).unwrap().for_cookie(name);
        let sealed = sealed(&named("ab"), b"c");
        assert!(unsealed(&named("ab"), &sealed).is_some());
        for name in ["a", "", "abc", " ab"] {
            assert_eq!(unsealed(&named(name), &sealed), None);
        }
    }

    #[test]
    fn without_a_cookie_name_nothing_is_sealed_or_unsealed() {
        let sealed = sealed(&secrets(&[OLD]), b"x");
        let unbound = Secrets::new([OLD]).unwrap();
        assert!(unbound.seal(&NONCE, b"context", &mut [1]).is_none());
        assert!(unbound.event_mac(b"x").is_none());
        assert_eq!(unsealed(&unbound, &sealed), None);
    }

    // D13, Auth0-PHP #808: the secret itself was the key for every purpose. Here HKDF derives a key for each purpose and cookie.
    #[test]
    fn auth0_php_808_each_purpose_has_a_key_of_its_own() {
        let secrets = secrets(&[OLD]);
        let key = |purpose: &[u8], name: &str| *derive(OLD.as_bytes(), &[purpose, name.as_bytes()]);
        // Each key is the one of its purpose, and not the secret itself.
        let mut sealed = sealed(&secrets, b"x");
        assert!(unseal(&key(TOKEN_PURPOSE, "sessionid"), &NONCE, b"context", &mut sealed).is_some());
        let mac = secrets.event_mac(b"x").unwrap();
        assert_eq!(mac, MacKey::new(&key(EVENT_PURPOSE, "sessionid")).sign(b"x"));
        assert_ne!(mac, MacKey::new(OLD.as_bytes()).sign(b"x"));
        let keys = ["sessionid", "sessionid2", ""].map(|name| [TOKEN_PURPOSE, EVENT_PURPOSE].map(|of| key(of, name)));
        let all: std::collections::BTreeSet<_> = keys.iter().flatten().collect();
        assert_eq!(all.len(), 6);
        assert!(!all.contains(&[0; HASH_BYTES]));
        // Another secret has other keys.
        assert_ne!(*derive(NEW.as_bytes(), &[TOKEN_PURPOSE, b"sessionid"]), keys[0][0]);
    }

    // A11, CVE-2013-0263 (Rack): the time of a comparison revealed how many bytes of a guess were right. Here a tag that differs
    // in its first byte takes as long as one that differs in its last. The difference has to be far below that of a comparison
    // which stops at the first difference; the two are measured alternately.
    #[test]
    fn cve_2013_0263_a_comparison_takes_as_long_wherever_the_difference_is() {
        type Sealed = [u8; 1 + SEAL_BYTES];
        let secrets = secrets(&[OLD]);
        let good: Sealed = sealed(&secrets, b"x").try_into().unwrap();
        let (mut first, mut last) = (good, good);
        first[1] ^= 1;
        last[SEAL_BYTES] ^= 1;
        let early = |sealed: &Sealed| {
            let mut text = *b"x";
            let wanted = secrets.seal(&NONCE, b"context", &mut text).unwrap();
            let mut at = 0;
            while at < SEAL_BYTES && std::hint::black_box(wanted[at]) == std::hint::black_box(sealed[at + 1]) {
                at += 1;
            }
            at == SEAL_BYTES
        };
        let unseal = |sealed: &Sealed| secrets.unseal(&NONCE, b"context", &mut sealed.clone()).is_some();
        let cost = |compare: &dyn Fn(&Sealed) -> bool, sealed: &Sealed| {
            let begun = std::time::Instant::now();
            assert!(!std::hint::black_box(compare(std::hint::black_box(sealed))));
            begun.elapsed().as_nanos() as f64
        };
        let cases: [(&dyn Fn(&_) -> _, _); 4] =
            [(&unseal, &first), (&unseal, &last), (&early, &first), (&early, &last)];
        let mut costs: [Vec<f64>; 4] = Default::default();
        let mut state = 1_u32;
        for _ in 0..24_000 {
            // In random order, because each measurement influences the next one.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (state >> 30) as usize;
            costs[at].push(cost(cases[at].0, cases[at].1));
        }
        // The median of the faster half: the slower half shows other load of the machine.
        let [unseal_first, unseal_last, early_first, early_last] = costs.map(|mut costs| {
            costs.sort_by(f64::total_cmp);
            costs[costs.len() / 4]
        });
        let (constant, leaking) = ((unseal_last - unseal_first).abs(), early_last - early_first);
        assert!(constant < leaking / 2.0, "{constant} ns between first and last byte; with an early exit {leaking} ns");
    }

    // CVE-2025-47275 (Auth0-PHP): short tags were guessed.
    #[test]
    fn cve_2025_47275_the_tag_has_exactly_its_length() {
        let secrets = secrets(&[OLD]);
        let sealed = sealed(&secrets, b"x");
        for cut in 0..sealed.len() {
            assert_eq!(unsealed(&secrets, &sealed[..cut]), None, "{cut} bytes were enough");
        }
        assert_eq!(unsealed(&secrets, &[&sealed[..], b"\0"].concat()), None);
    }

    #[test]
    fn thirty_two_bytes_are_the_least() {
        assert!(Secrets::new(["x".repeat(31)]).is_err());
        assert!(Secrets::new(["xy".repeat(16)]).is_ok());
        assert!(Secrets::new(["xy".repeat(16), "short".to_owned()]).is_err());
        assert!(Secrets::new(["x".repeat(32)]).is_err());
        assert!(Secrets::new([""; 0]).is_err());
    }
}
