//! The cookie's value: who the session is and where the browser last stood, signed.
//!
//! Base64url, without padding, of
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | version, 1, in the upper half; family in the lower: 0 none, 1 the key's own, 2 follows at the end |
//! | 32 | session key |
//! | 7 | absolute deadline, microseconds of Unix time |
//! | 4 | generation |
//! | 4 | tag |
//! | 7 | issue time, microseconds of Unix time |
//! | 0 or 24 | family |
//! | 32 | HMAC-SHA-256 over all of the above, under a key that is derived for this purpose and this cookie's name |
//! | 0 or more | the [journal](super::sealed), sealed and bound to this MAC |
//!
//! Without a family of another key, what is signed fits into one block of the hash.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64UrlUnpadded, Encoding};

use super::sealed::{self, MIN_SEALED};
use crate::secret::{MAC_BYTES, NONCE_BYTES, Secrets};
use crate::session::expiry::Deadline;
use crate::session::identity::{Identity, Position};
use crate::session::journal::Journal;
use crate::session::key::{DIGEST_BYTES, KEY_CHARS, KeyDigest, SessionKey};

const VERSION: u8 = 1;

const HEAD_BYTES: usize = 23 + KEY_CHARS;

/// What browsers keep of a cookie's name and value together, in bytes (RFC 6265bis, section 5.7).
const MAX_COOKIE: usize = 4096;

/// Characters of the shortest token.
const SHORTEST: usize = chars(HEAD_BYTES + MAC_BYTES);

/// Base64 characters for `bytes`, without padding.
const fn chars(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// What a token says: who the session is, where its browser stood, and what it carries, still sealed.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) identity: Identity,
    pub(crate) position: Position,
    pub(crate) sealed: Box<[u8]>,
}

/// Signs with the first secret. The journal is cut until the token fits into the cookie `name`.
pub(crate) fn sign(
    secrets: &Secrets,
    name: &str,
    identity: &Identity,
    position: Position,
    carried: Option<(&mut Journal, [u8; NONCE_BYTES])>,
) -> Option<String> {
    let own = identity.key.digest();
    let family = match identity.family {
        None => 0,
        Some(family) if family == own => 1,
        Some(_) => 2,
    };
    let mut bytes = Vec::with_capacity(HEAD_BYTES + DIGEST_BYTES + MAC_BYTES);
    bytes.push(VERSION << 4 | family);
    bytes.extend(identity.key.as_bytes());
    bytes.extend(seven_bytes(identity.absolute.0));
    bytes.extend(position.generation.to_be_bytes());
    bytes.extend(position.tag);
    bytes.extend(seven_bytes(position.issued));
    if let Some(other) = identity.family.filter(|_| family == 2) {
        bytes.extend(other.to_bytes()?);
    }
    let mac = secrets.sign(&bytes)?;
    bytes.extend(mac);
    if let Some((journal, nonce)) = carried {
        let room = MAX_COOKIE.saturating_sub(name.len()).saturating_mul(3) / 4;
        let room = room.saturating_sub(bytes.len());
        bytes.extend(sealed::seal(secrets, nonce, &mac, journal, position.issued, room).unwrap_or_default());
    }
    Some(Base64UrlUnpadded::encode_string(&bytes))
}

/// Reads a token that one of the secrets signed for this cookie. Nothing is looked at before the MAC holds.
pub(crate) fn verify(secrets: &Secrets, text: &[u8]) -> Option<Named> {
    if !(SHORTEST..=MAX_COOKIE).contains(&text.len()) {
        return None;
    }
    let mut buffer = [0; MAX_COOKIE / 4 * 3];
    let bytes = Base64UrlUnpadded::decode(text, &mut buffer).ok()?;
    let family_bytes = if bytes.first()? & 15 == 2 { DIGEST_BYTES } else { 0 };
    let (payload, rest) = bytes.split_at_checked(HEAD_BYTES.saturating_add(family_bytes))?;
    let (mac, sealed) = rest.split_at_checked(MAC_BYTES)?;
    if !(sealed.is_empty() || sealed.len() >= MIN_SEALED) || !secrets.verify(payload, mac) {
        return None;
    }
    let mut fields = Fields(payload);
    let [kind] = fields.take()?;
    if kind >> 4 != VERSION {
        return None;
    }
    let key = SessionKey::from_bytes(&fields.take::<KEY_CHARS>()?)?;
    let absolute = Deadline(fields.micros()?);
    let generation = u32::from_be_bytes(fields.take()?);
    let tag = fields.take()?;
    let issued = fields.micros()?;
    let family = match kind & 15 {
        0 => None,
        1 => Some(key.digest()),
        2 => Some(KeyDigest::new(&fields.take()?)),
        _ => return None,
    };
    let sealed = if sealed.is_empty() { Box::default() } else { rest.into() };
    Some(Named { identity: Identity { key, family, absolute }, position: Position { generation, tag, issued }, sealed })
}

/// Microseconds in 56 bits: 1141 years around 1970; what lies beyond stands at the end.
fn seven_bytes(micros: i64) -> [u8; 7] {
    let [_, bytes @ ..] = micros.clamp(-(1 << 55), (1 << 55) - 1).to_be_bytes();
    bytes
}

/// What is left of a payload.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn micros(&mut self) -> Option<i64> {
        let [a, b, c, d, e, f, g] = self.take()?;
        Some(i64::from_be_bytes([a, b, c, d, e, f, g, 0]) >> 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: usize = chars(HEAD_BYTES + DIGEST_BYTES + MAC_BYTES);

    const NAME: &str = "__Host-sessionid";

    fn named(cookie: &str) -> Secrets {
        Secrets::new(["a secret of at least thirty-two bytes"]).unwrap().for_cookie(cookie)
    }

    fn secrets() -> Secrets {
        named(NAME)
    }

    fn parts(family: Option<KeyDigest>) -> (Identity, Position) {
        let key = SessionKey::parse("cw63c3bmjz7t3r4d6zvomfg9kl3mff8p").unwrap();
        let absolute = Deadline(1_925_000_000_000_000);
        (
            Identity { key, family, absolute },
            Position { generation: 7, tag: [1, 2, 3, 4], issued: 1_893_456_000_000_000 },
        )
    }

    fn signed(family: Option<KeyDigest>) -> String {
        let (identity, position) = parts(family);
        sign(&secrets(), NAME, &identity, position, None).unwrap()
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let own = parts(None).0.key.digest();
        for (family, length) in [(None, SHORTEST), (Some(own), SHORTEST), (Some(KeyDigest::new(&[9; 24])), LONGEST)] {
            let token = signed(family);
            assert_eq!(token.len(), length);
            let Named { identity, position, sealed } = verify(&secrets(), token.as_bytes()).unwrap();
            assert!(sealed.is_empty());
            let (expected, at) = parts(family);
            assert_eq!((identity.key, identity.family, identity.absolute), (expected.key, family, expected.absolute));
            assert_eq!(position, at);
        }
        // Well below the 4096 bytes that a browser keeps, name included.
        const { assert!(LONGEST < 180) };
    }

    // The golden token of version 1. If it changes, every visitor is logged out.
    #[test]
    fn a_token_is_written_as_it_always_was() {
        let golden = "EmN3NjNjM2Jtano3dDNyNGQ2enZvbWZnOWtsM21mZjhwBtbG_TFQAAAAAAcBAgMEBroWlEcgAAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCeGHsZY8EBsPIqnBQC_JuUsVF_Hcrw7CxpwimyrJmdp9";
        assert_eq!(signed(Some(KeyDigest::new(&[9; 24]))), golden);
    }

    #[test]
    fn a_changed_character_anywhere_is_noticed() {
        let token = signed(None);
        for at in 0..token.len() {
            for other in ["A", "b", "_", "=", "%", " ", "\0"] {
                let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert!(forged == token || verify(&secrets(), forged.as_bytes()).is_none(), "{at} {other:?}");
            }
        }
    }

    #[test]
    fn a_token_cut_or_extended_is_noticed() {
        let token = signed(Some(KeyDigest::new(&[9; 24])));
        for end in 0..token.len() {
            assert!(verify(&secrets(), &token.as_bytes()[..end]).is_none());
        }
        for more in ["A", "=", "==", "AAAA", "."] {
            assert!(verify(&secrets(), format!("{token}{more}").as_bytes()).is_none());
        }
        assert!(verify(&secrets(), format!("\"{token}\"").as_bytes()).is_none());
    }

    #[test]
    fn only_the_canonical_base64_is_a_token() {
        // 87 bytes make 116 characters and no bits to spare; 111 make 148. Others cannot even have a token's length.
        let token = signed(None);
        let standard = token.replace('-', "+").replace('_', "/");
        assert!(standard == token || verify(&secrets(), standard.as_bytes()).is_none());
    }

    #[test]
    fn a_token_is_good_for_one_cookie_name_only() {
        let token = signed(None);
        assert!(verify(&secrets(), token.as_bytes()).is_some());
        for name in ["sessionid", "__Host-sessionid2", ""] {
            assert!(verify(&named(name), token.as_bytes()).is_none());
        }
    }

    // CVE-2026-39324 (rack-session): what failed to verify was handed to an older decoder.
    #[test]
    fn cve_2026_39324_there_is_no_other_decoder() {
        let key = parts(None).0.key;
        let other = Secrets::new(["another secret of at least thirty-two bytes"]).unwrap().for_cookie(NAME);
        let (identity, position) = parts(None);
        let foreign = sign(&other, NAME, &identity, position, None).unwrap();
        for text in [key.as_str(), &foreign, "{}", ""] {
            assert!(verify(&secrets(), text.as_bytes()).is_none());
        }
    }

    #[test]
    fn a_signed_token_of_another_version_or_kind_is_no_token() {
        let good = Base64UrlUnpadded::decode_vec(&signed(None)).unwrap();
        let payload = &good[..HEAD_BYTES];
        for (at, byte) in [(0, 0x00), (0, 0x20), (0, 0x13), (1, b'A'), (1, 0)] {
            let mut changed = payload.to_vec();
            changed[at] = byte;
            let mac = secrets().sign(&changed).unwrap();
            changed.extend(mac);
            assert!(verify(&secrets(), Base64UrlUnpadded::encode_string(&changed).as_bytes()).is_none());
        }
    }

    #[test]
    fn times_of_any_size_are_kept_or_stand_at_the_end() {
        let micros = |time| Fields(&seven_bytes(time)).micros().unwrap();
        for time in [0, 1, -1, 1_925_000_000_000_000, (1 << 55) - 1, -(1 << 55)] {
            assert_eq!(micros(time), time);
        }
        assert_eq!((micros(i64::MAX), micros(i64::MIN)), ((1 << 55) - 1, -(1 << 55)));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_token_by_chance(text in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(verify(&secrets(), &text).is_none());
        }

        #[test]
        fn no_text_of_the_right_form_is_a_token_by_chance(text in "[A-Za-z0-9_-]{116,148}") {
            prop_assert!(verify(&secrets(), text.as_bytes()).is_none());
        }
    }
}
