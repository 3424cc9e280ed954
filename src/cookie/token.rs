//! The cookie's value, a signed token: the session's identity and the last save that the browser knows of.
//!
//! It is the base64url encoding, without padding, of:
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | upper half: version, 1; lower half: rotations of the key, 14 if they follow at the end, or 15 for an ending token |
//! | 32 | session key |
//! | 6 | absolute deadline, milliseconds of Unix time |
//! | 2 | hash of the key prefix |
//! | 4 | generation |
//! | 4 | tag |
//! | 6 | issue time, milliseconds of Unix time |
//! | 0 or 2 | rotations |
//! | 32 | HMAC-SHA-256 over all of the above, with a key that is derived for this purpose and this cookie's name |
//! | 0 or more | the [journal](super::sealed_journal), sealed and bound to this MAC |
//!
//! Up to 13 rotations, the signed bytes fit into one block of the hash. An *ending* token names a session that a logout could not
//! revoke yet. It opens no session.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use edge_session_crypto::{from_base64, to_base64};

use super::sealed_journal::{self, MIN_SEALED};
use crate::secret::{MAC_BYTES, NONCE_BYTES, SEAL_BYTES};
use crate::session::deadline::Deadline;
use crate::session::identity::{Identity, Position};
use crate::session::incoming::SessionToken;
use crate::session::journal::Journal;
use crate::session::key::{KEY_CHARS, SessionKey};
use crate::settings::{CookieSlot, Settings};

const VERSION: u8 = 1;

/// Values of the lower half of the first byte: the rotations follow at the end; the token is an ending token.
const MORE_ROTATIONS: u8 = 14;
const ENDING: u8 = 15;

const HEAD_BYTES: usize = 23 + KEY_CHARS;
const ROTATIONS_BYTES: usize = 2;

/// The maximum length of a cookie's name and value together, in bytes (RFC 6265bis, section 5.7).
const MAX_COOKIE: usize = 4096;

/// The length of the shortest token, in characters.
const SHORTEST: usize = chars(HEAD_BYTES + MAC_BYTES);

/// Returns the number of base64 characters for `bytes`, without padding.
const fn chars(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// A verified token.
#[derive(Debug)]
pub(crate) enum Token {
    Session(SessionToken),
    /// A logout could not revoke this session yet.
    Ending(Identity),
}

/// Signs a token with the first secret. The journal drops its oldest entries until the token fits into its cookie.
pub(crate) fn sign(
    settings: &Settings,
    identity: &Identity,
    position: Position,
    carried: Option<(&mut Journal, [u8; NONCE_BYTES])>,
) -> Option<String> {
    let kind = u8::try_from(identity.rotations).unwrap_or(u8::MAX).min(MORE_ROTATIONS);
    let mut bytes = payload(settings, kind, identity, position);
    let mac = settings.secrets.sign(&bytes)?;
    bytes.extend_from_slice(&mac);
    if let Some((journal, nonce)) = carried {
        let name = settings.name_of(CookieSlot::of(identity));
        let room = MAX_COOKIE.saturating_sub(name.len()).saturating_mul(3) / 4;
        let room = room.saturating_sub(bytes.len());
        let room = room.min(settings.journal_bytes.saturating_add(NONCE_BYTES + SEAL_BYTES));
        let sealed = sealed_journal::seal(&settings.secrets, nonce, &mac, journal, position.issued, room);
        bytes.extend_from_slice(sealed.as_deref().unwrap_or_default());
    }
    Some(to_base64(&bytes))
}

/// Signs an ending token issued at `issued` (microseconds of Unix time).
pub(crate) fn sign_ending(settings: &Settings, identity: &Identity, issued: i64) -> Option<String> {
    let mut bytes = payload(settings, ENDING, identity, Position { generation: 0, tag: [0; 4], issued });
    let mac = settings.secrets.sign(&bytes)?;
    bytes.extend_from_slice(&mac);
    Some(to_base64(&bytes))
}

fn payload(settings: &Settings, kind: u8, identity: &Identity, position: Position) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + ROTATIONS_BYTES + MAC_BYTES);
    bytes.push(VERSION << 4 | kind);
    bytes.extend_from_slice(identity.key.as_bytes());
    bytes.extend_from_slice(&six_bytes(identity.absolute.0));
    bytes.extend_from_slice(&settings.prefix_mark);
    bytes.extend_from_slice(&position.generation.to_be_bytes());
    bytes.extend_from_slice(&position.tag);
    bytes.extend_from_slice(&six_bytes(position.issued));
    if kind >= MORE_ROTATIONS {
        bytes.extend_from_slice(&identity.rotations.to_be_bytes());
    }
    bytes
}

/// Verifies and parses a token that one of the secrets signed for this cookie. The MAC is verified before any field is parsed.
pub(crate) fn verify(settings: &Settings, text: &[u8]) -> Option<Token> {
    if !(SHORTEST..=MAX_COOKIE).contains(&text.len()) {
        return None;
    }
    let bytes = from_base64(text)?;
    let kind = bytes.first()? & 15;
    let more = if kind >= MORE_ROTATIONS { ROTATIONS_BYTES } else { 0 };
    let (payload, rest) = bytes.split_at_checked(HEAD_BYTES.saturating_add(more))?;
    let (mac, sealed) = rest.split_at_checked(MAC_BYTES)?;
    if !(sealed.is_empty() || sealed.len() >= MIN_SEALED) || !settings.secrets.verify(payload, mac) {
        return None;
    }
    let mut fields = Fields(payload);
    let [first] = fields.take()?;
    if first >> 4 != VERSION {
        return None;
    }
    let key = SessionKey::from_bytes(&fields.take::<KEY_CHARS>()?)?;
    let absolute = Deadline(fields.micros()?);
    let same_prefix = fields.take()? == settings.prefix_mark;
    let generation = u32::from_be_bytes(fields.take()?);
    let tag = fields.take()?;
    let issued = fields.micros()?;
    let rotations = if more > 0 { u16::from_be_bytes(fields.take()?) } else { u16::from(kind) };
    let identity = Identity { key, rotations, absolute };
    if kind == ENDING {
        return sealed.is_empty().then_some(Token::Ending(identity));
    }
    // Each token has one encoding: fewer rotations are in the first byte.
    (more == 0 || rotations >= u16::from(MORE_ROTATIONS)).then_some(())?;
    let sealed = if sealed.is_empty() { Box::default() } else { rest.into() };
    Some(Token::Session(SessionToken { identity, position: Position { generation, tag, issued }, same_prefix, sealed }))
}

/// Encodes a time in microseconds as milliseconds in 48 bits: 4459 years around 1970. Other times are clamped.
fn six_bytes(micros: i64) -> [u8; 6] {
    let [_, _, bytes @ ..] = micros.div_euclid(1_000).clamp(-(1 << 47), (1 << 47) - 1).to_be_bytes();
    bytes
}

/// The unparsed rest of a payload.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn micros(&mut self) -> Option<i64> {
        let [a, b, c, d, e, f] = self.take()?;
        Some((i64::from_be_bytes([a, b, c, d, e, f, 0, 0]) >> 16).saturating_mul(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: usize = chars(HEAD_BYTES + ROTATIONS_BYTES + MAC_BYTES);

    const SECRET: &str = "a secret of at least thirty-two bytes";

    fn named(cookie: &str) -> Settings {
        Settings::builder([SECRET]).cookie_name(cookie).build().unwrap()
    }

    fn settings() -> Settings {
        Settings::builder([SECRET]).build().unwrap()
    }

    fn parts(rotations: u16) -> (Identity, Position) {
        let key = SessionKey::parse("cw63c3bmjz7t3r4d6zvomfg9kl3mff8p").unwrap();
        let absolute = Deadline(1_925_000_000_000_000);
        (
            Identity { key, rotations, absolute },
            Position { generation: 7, tag: [1, 2, 3, 4], issued: 1_893_456_000_000_000 },
        )
    }

    fn signed(rotations: u16) -> String {
        let (identity, position) = parts(rotations);
        sign(&settings(), &identity, position, None).unwrap()
    }

    fn resigned(payload: &[u8]) -> String {
        let mut bytes = payload.to_vec();
        bytes.extend(settings().secrets.sign(payload).unwrap());
        to_base64(&bytes)
    }

    #[test]
    fn verifying_reverses_signing() {
        for (rotations, length) in [(0, SHORTEST), (13, SHORTEST), (14, LONGEST), (15, LONGEST), (u16::MAX, LONGEST)] {
            let token = signed(rotations);
            assert_eq!(token.len(), length);
            let Some(Token::Session(read)) = verify(&settings(), token.as_bytes()) else { panic!("{rotations}") };
            assert!(read.sealed.is_empty() && read.same_prefix);
            let (expected, at) = parts(rotations);
            let identity = read.identity;
            assert_eq!(
                (identity.key, identity.rotations, identity.absolute),
                (expected.key, rotations, expected.absolute)
            );
            assert_eq!(read.position, at);
        }
        // Far below the limit of browsers.
        const { assert!(LONGEST < 130) };
    }

    #[test]
    fn an_ending_token_opens_no_session() {
        for rotations in [0, 1, 20] {
            let (identity, position) = parts(rotations);
            let token = sign_ending(&settings(), &identity, position.issued).unwrap();
            let Some(Token::Ending(read)) = verify(&settings(), token.as_bytes()) else { panic!("{rotations}") };
            assert_eq!((read.key, read.rotations), (identity.key, rotations));
        }
    }

    #[test]
    fn a_token_of_another_key_prefix_is_recognised() {
        let other = Settings::builder([SECRET]).key_prefix("shop").build().unwrap();
        let Some(Token::Session(read)) = verify(&other, signed(1).as_bytes()) else { panic!("it verifies") };
        assert!(!read.same_prefix);
    }

    // The golden token of version 1. A change logs every visitor out.
    #[test]
    fn the_format_of_version_1_is_unchanged() {
        let golden = "HmN3NjNjM2Jtano3dDNyNGQ2enZvbWZnOWtsM21mZjhwAcAy8PIAOTcAAAAHAQIDBAG42sW0AAAOMf6K55YiJ6oIXxX7rxXDlupxRtOhrv3CGb7iDvLx8P8";
        assert_eq!(signed(14), golden);
    }

    #[test]
    fn a_changed_character_anywhere_is_detected() {
        let token = signed(0);
        for at in 0..token.len() {
            for other in ["A", "b", "_", "=", "%", " ", "\0"] {
                let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert!(forged == token || verify(&settings(), forged.as_bytes()).is_none(), "{at} {other:?}");
            }
        }
    }

    #[test]
    fn a_truncated_or_extended_token_is_detected() {
        let token = signed(14);
        for end in 0..token.len() {
            assert!(verify(&settings(), &token.as_bytes()[..end]).is_none());
        }
        for more in ["A", "=", "==", "AAAA", "."] {
            assert!(verify(&settings(), format!("{token}{more}").as_bytes()).is_none());
        }
        assert!(verify(&settings(), format!("\"{token}\"").as_bytes()).is_none());
    }

    #[test]
    fn only_the_canonical_base64_is_a_token() {
        // 87 bytes are exactly 116 characters, without spare bits.
        let token = signed(0);
        let standard = token.replace('-', "+").replace('_', "/");
        assert!(standard == token || verify(&settings(), standard.as_bytes()).is_none());
    }

    #[test]
    fn a_token_is_valid_for_one_cookie_name_only() {
        let token = signed(0);
        assert!(verify(&settings(), token.as_bytes()).is_some());
        for name in ["sessionid", "__Host-sessionid2"] {
            assert!(verify(&named(name), token.as_bytes()).is_none());
        }
    }

    // CVE-2026-39324 (rack-session): a value that did not verify was passed to an older decoder.
    #[test]
    fn cve_2026_39324_there_is_no_other_decoder() {
        let (identity, position) = parts(0);
        let other = Settings::builder(["another secret of at least thirty-two bytes"]).build().unwrap();
        let foreign = sign(&other, &identity, position, None).unwrap();
        for text in [identity.key.as_str(), &foreign, "{}", ""] {
            assert!(verify(&settings(), text.as_bytes()).is_none());
        }
    }

    #[test]
    fn a_signed_token_of_another_version_or_kind_is_invalid() {
        let good = from_base64(signed(0).as_bytes()).unwrap();
        let payload = &good[..HEAD_BYTES];
        for (at, byte) in [(0, 0x00), (0, 0x20), (1, b'A'), (1, 0)] {
            let mut changed = payload.to_vec();
            changed[at] = byte;
            assert!(verify(&settings(), resigned(&changed).as_bytes()).is_none());
        }
        // Fewer than 14 rotations are not at the end, and an ending token has no journal.
        let long = from_base64(signed(14).as_bytes()).unwrap();
        let mut changed = long[..HEAD_BYTES + ROTATIONS_BYTES].to_vec();
        changed[HEAD_BYTES + 1] = 13;
        assert!(verify(&settings(), resigned(&changed).as_bytes()).is_none());
        changed[0] = VERSION << 4 | ENDING;
        let ending = from_base64(resigned(&changed).as_bytes()).unwrap();
        let longer = to_base64(&[&*ending, &[0; MIN_SEALED]].concat());
        assert!(verify(&settings(), longer.as_bytes()).is_none());
    }

    #[test]
    fn times_are_rounded_to_milliseconds_and_clamped() {
        let micros = |time| Fields(&six_bytes(time)).micros().unwrap();
        for time in [0, 1_000, -1_000, 1_925_000_000_000_000] {
            assert_eq!(micros(time), time);
        }
        assert_eq!((micros(1_999), micros(-1)), (1_000, -1_000));
        assert_eq!((micros(i64::MAX), micros(i64::MIN)), (((1 << 47) - 1) * 1_000, -(1 << 47) * 1_000));
    }

    proptest! {
        #[test]
        fn random_bytes_are_not_a_token(text in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(verify(&settings(), &text).is_none());
        }

        #[test]
        fn random_text_of_the_right_form_is_not_a_token(text in "[A-Za-z0-9_-]{116,148}") {
            prop_assert!(verify(&settings(), text.as_bytes()).is_none());
        }
    }
}
