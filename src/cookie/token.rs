//! The cookie's value, a sealed token: the session's identity, the last save that the browser knows of, and the journal.
//!
//! It is the base64url encoding, without padding, of:
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | version, 2 |
//! | 24 | nonce |
//! | 55 or more | the text below, encrypted with XChaCha20-Poly1305, with a key that is derived for this purpose and this cookie's name |
//! | 16 | the encryption's tag, which also authenticates the version |
//!
//! The text:
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | kind: rotations of the key, 14 if they follow after the issue time, or 15 for an ending token |
//! | 32 | session key |
//! | 6 | absolute deadline, milliseconds of Unix time |
//! | 2 | hash of the key prefix |
//! | 4 | generation |
//! | 4 | tag |
//! | 6 | issue time, milliseconds of Unix time |
//! | 0 or 2 | rotations |
//! | 0 or more | the [journal](super::journal_codec); if the cookie contains the session, its [record](crate::session::record) |
//!
//! Tokens of the two uses of the last field have different authenticated data, so that one is never taken for the other.
//!
//! An *ending* token names a session that a logout could not revoke yet. It opens no session, and has no journal.

use alloc::string::String;
use alloc::vec::Vec;
use edge_session_crypto::{from_base64, to_base64};

use super::journal_codec;
use crate::secret::{NONCE_BYTES, SEAL_BYTES};
use crate::session::deadline::Deadline;
use crate::session::identity::{Identity, Position};
use crate::session::incoming::SessionToken;
use crate::session::journal::Journal;
use crate::session::key::{KEY_CHARS, SessionKey};
use crate::settings::{CookieSlot, Settings};

pub(crate) const VERSION: u8 = 2;

/// Kinds of tokens that are not a number of rotations: the rotations follow; the token is an ending token.
const MORE_ROTATIONS: u8 = 14;
const ENDING: u8 = 15;

/// The length of version and nonce, in bytes.
const HEAD_BYTES: usize = 1 + NONCE_BYTES;

/// The length of the text without rotations and journal, in bytes.
const FIELDS_BYTES: usize = 23 + KEY_CHARS;
const ROTATIONS_BYTES: usize = 2;

/// The maximum length of a cookie's name and value together, in bytes (RFC 6265bis, section 5.7).
const MAX_COOKIE: usize = 4096;

/// The length of the shortest token, in bytes and in characters.
const SHORTEST_BYTES: usize = HEAD_BYTES + FIELDS_BYTES + SEAL_BYTES;
const SHORTEST: usize = chars(SHORTEST_BYTES);

/// Returns the number of base64 characters for `bytes`, without padding.
const fn chars(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// A token that one of the secrets sealed.
#[derive(Debug)]
pub(crate) enum Token {
    Session(SessionToken),
    /// A logout could not revoke this session yet.
    Ending(Identity),
}

/// Seals a token with the first secret. The journal drops its oldest entries until the token fits into its cookie.
pub(crate) fn seal(
    settings: &Settings,
    nonce: [u8; NONCE_BYTES],
    identity: &Identity,
    position: Position,
    journal: Option<&mut Journal>,
) -> Option<String> {
    let kind = u8::try_from(identity.rotations).unwrap_or(u8::MAX).min(MORE_ROTATIONS);
    let room = journal.as_deref().map_or(0, journal_codec::size);
    let mut bytes = unsealed(settings, nonce, kind, identity, position, room);
    if let Some(journal) = journal {
        let name = settings.name_of(CookieSlot::of(identity));
        let room = MAX_COOKIE.saturating_sub(name.len()).saturating_mul(3) / 4;
        let room = room.saturating_sub(bytes.len()).saturating_sub(SEAL_BYTES).min(settings.journal_bytes);
        journal_codec::encode(journal, position.issued / 1000, room, &mut bytes);
    }
    seal_bytes(settings, bytes)
}

/// Seals a token that contains the record of the session.
///
/// # Errors
///
/// The length of the cookie, its name included, in bytes, if it exceeds the limit.
pub(crate) fn seal_record(
    settings: &Settings,
    nonce: [u8; NONCE_BYTES],
    identity: &Identity,
    position: Position,
    record: &[u8],
) -> Result<Option<String>, usize> {
    let kind = u8::try_from(identity.rotations).unwrap_or(u8::MAX).min(MORE_ROTATIONS);
    let mut bytes = unsealed(settings, nonce, kind, identity, position, record.len());
    bytes.extend_from_slice(record);
    let name = settings.name_of(CookieSlot::of(identity));
    let length = chars(bytes.len().saturating_add(SEAL_BYTES)).saturating_add(name.len());
    if length > MAX_COOKIE { Err(length) } else { Ok(seal_bytes(settings, bytes)) }
}

/// Seals an ending token issued at `issued` (microseconds of Unix time).
pub(crate) fn seal_ending(
    settings: &Settings,
    nonce: [u8; NONCE_BYTES],
    identity: &Identity,
    issued: i64,
) -> Option<String> {
    let position = Position { generation: 0, tag: [0; 4], issued };
    seal_bytes(settings, unsealed(settings, nonce, ENDING, identity, position, 0))
}

/// Returns the bytes of a token before its text is encrypted, with room for a journal of `room` bytes.
pub(crate) fn unsealed(
    settings: &Settings,
    nonce: [u8; NONCE_BYTES],
    kind: u8,
    identity: &Identity,
    position: Position,
    room: usize,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SHORTEST_BYTES.saturating_add(ROTATIONS_BYTES).saturating_add(room));
    bytes.push(VERSION);
    bytes.extend_from_slice(&nonce);
    bytes.push(kind);
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

/// Encrypts the text of a token, appends the tag, and encodes the token.
pub(crate) fn seal_bytes(settings: &Settings, mut bytes: Vec<u8>) -> Option<String> {
    let ([version, nonce @ ..], text) = bytes.split_first_chunk_mut::<HEAD_BYTES>()?;
    let tag = settings.secrets.seal(nonce, context(settings, version), text)?;
    bytes.extend_from_slice(&tag);
    Some(to_base64(&bytes))
}

/// The bytes that a token authenticates beside its text.
fn context<'a>(settings: &Settings, version: &'a u8) -> &'a [u8] {
    if settings.is_in_cookie() { &[VERSION, b'r'] } else { core::slice::from_ref(version) }
}

/// Unseals and parses a token that one of the secrets sealed for this cookie. All of it is authenticated before any field is
/// parsed.
pub(crate) fn unseal(settings: &Settings, text: &[u8]) -> Option<Token> {
    if !(SHORTEST..=MAX_COOKIE).contains(&text.len()) {
        return None;
    }
    let mut bytes = from_base64(text)?;
    let ([version, nonce @ ..], sealed) = bytes.split_first_chunk_mut::<HEAD_BYTES>()?;
    if *version != VERSION {
        return None;
    }
    let mut fields = Fields(settings.secrets.unseal(nonce, context(settings, &VERSION), sealed)?);
    let [kind] = fields.take()?;
    let key = SessionKey::from_bytes(&fields.take::<KEY_CHARS>()?)?;
    let absolute = Deadline(fields.micros()?);
    let same_prefix = fields.take()? == settings.prefix_mark;
    let generation = u32::from_be_bytes(fields.take()?);
    let tag = fields.take()?;
    let issued = fields.micros()?;
    let rotations = match kind {
        ..MORE_ROTATIONS => u16::from(kind),
        MORE_ROTATIONS | ENDING => u16::from_be_bytes(fields.take()?),
        _ => return None,
    };
    let journal_bytes = fields.0.len();
    let identity = Identity { key, rotations, absolute };
    if kind == ENDING {
        return (journal_bytes == 0).then_some(Token::Ending(identity));
    }
    // Each token has one encoding: fewer rotations are the kind.
    if kind == MORE_ROTATIONS && rotations < u16::from(MORE_ROTATIONS) {
        return None;
    }
    // Only the journal remains.
    bytes.truncate(bytes.len().saturating_sub(SEAL_BYTES));
    bytes.drain(..bytes.len().saturating_sub(journal_bytes));
    let position = Position { generation, tag, issued };
    Some(Token::Session(SessionToken { identity, position, same_prefix, journal: bytes }))
}

/// Encodes a time in microseconds as milliseconds in 48 bits: 4459 years around 1970. Other times are clamped.
fn six_bytes(micros: i64) -> [u8; 6] {
    let [_, _, bytes @ ..] = micros.div_euclid(1_000).clamp(-(1 << 47), (1 << 47) - 1).to_be_bytes();
    bytes
}

/// The unparsed rest of a text.
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
    use crate::session::journal::{Change, JournalEntry, Origin};
    use proptest::prelude::*;

    /// The length of a token with rotations and without a journal, in characters.
    const LONGEST: usize = chars(SHORTEST_BYTES + ROTATIONS_BYTES);

    const NONCE: [u8; NONCE_BYTES] = [0x5a; NONCE_BYTES];

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

    fn sealed(rotations: u16) -> String {
        let (identity, position) = parts(rotations);
        seal(&settings(), NONCE, &identity, position, None).unwrap()
    }

    fn journal() -> Journal {
        let mut journal = Journal::starting_at([0, 0, 0, 1], 1_893_455_999_000);
        journal.entries.push(JournalEntry { tag: [1, 2, 3, 4], time: 1_893_456_000_000, origin: Origin::Own });
        let (key, value) = (b"\"k\"".as_slice().into(), Some(b"12".as_slice().into()));
        journal.changes.push(Change { tag: [1, 2, 3, 4], key, value });
        journal
    }

    /// A token with a journal.
    fn carrying() -> String {
        let (identity, position) = parts(3);
        seal(&settings(), NONCE, &identity, position, Some(&mut journal())).unwrap()
    }

    /// Returns version, nonce and decrypted text of a token.
    fn opened(token: &str) -> Vec<u8> {
        let mut bytes = from_base64(token.as_bytes()).unwrap();
        let (head, text) = bytes.split_at_mut(HEAD_BYTES);
        let nonce = head.last_chunk().unwrap();
        let length = settings().secrets.unseal(nonce, &[VERSION], text).unwrap().len();
        bytes.truncate(HEAD_BYTES.saturating_add(length));
        bytes
    }

    #[test]
    fn unsealing_reverses_sealing() {
        for (rotations, length) in [(0, SHORTEST), (13, SHORTEST), (14, LONGEST), (15, LONGEST), (u16::MAX, LONGEST)] {
            let token = sealed(rotations);
            assert_eq!(token.len(), length);
            let Some(Token::Session(read)) = unseal(&settings(), token.as_bytes()) else { panic!("{rotations}") };
            assert!(read.journal.is_empty() && read.same_prefix);
            let (expected, at) = parts(rotations);
            let identity = read.identity;
            assert_eq!(
                (identity.key, identity.rotations, identity.absolute),
                (expected.key, rotations, expected.absolute)
            );
            assert_eq!(read.position, at);
        }
        // Far below the limit of browsers.
        const { assert!(LONGEST < 132) };
    }

    #[test]
    fn an_ending_token_opens_no_session() {
        for rotations in [0, 1, 20] {
            let (identity, position) = parts(rotations);
            let token = seal_ending(&settings(), NONCE, &identity, position.issued).unwrap();
            let Some(Token::Ending(read)) = unseal(&settings(), token.as_bytes()) else { panic!("{rotations}") };
            assert_eq!((read.key, read.rotations), (identity.key, rotations));
        }
    }

    #[test]
    fn a_token_of_another_key_prefix_is_recognised() {
        let other = Settings::builder([SECRET]).key_prefix("shop").build().unwrap();
        let Some(Token::Session(read)) = unseal(&other, sealed(1).as_bytes()) else { panic!("it is valid") };
        assert!(!read.same_prefix);
    }

    #[test]
    fn the_journal_is_returned_as_it_was_encoded() {
        let Some(Token::Session(read)) = unseal(&settings(), carrying().as_bytes()) else { panic!("it is valid") };
        assert_eq!(journal_codec::decode(&read.journal, 1_893_456_000_000), Some(journal()));
        assert_eq!((read.identity.rotations, read.position), (3, parts(3).1));
    }

    // Golden tokens of version 2: with 14 rotations, and with a journal. A change logs every visitor out.
    #[test]
    fn the_format_of_version_2_is_unchanged() {
        assert_eq!(
            sealed(14),
            "AlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWqopSBJg6GlU1DbwRNffHYa3P8CNhYzlBUToyHbEcst_lgN-s4zZ8tQktx8b7q3LMfO0Ug6BshLlHRsGD4bZfym61wq-2adZRdc"
        );
        assert_eq!(
            carrying(),
            "AlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWqcpSBJg6GlU1DbwRNffHYa3P8CNhYzlBUToyHbEcst_lgN-s4zZ8tQktx8b7q3LMfO0Ug6BshLnM67t7dAgxKh9nGs0UrpILCPM3RVlXFrZ9JZJStygfVIegwFlmcjN_g"
        );
    }

    #[test]
    fn a_changed_character_anywhere_is_detected() {
        for token in [sealed(0), carrying()] {
            for at in 0..token.len() {
                for other in ["A", "b", "_", "=", "%", " ", "\0"] {
                    let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                    assert!(forged == token || unseal(&settings(), forged.as_bytes()).is_none(), "{at} {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_truncated_or_extended_token_is_detected() {
        for token in [sealed(14), carrying()] {
            for end in 0..token.len() {
                assert!(unseal(&settings(), &token.as_bytes()[..end]).is_none());
            }
            for more in ["A", "=", "==", "AAAA", "."] {
                assert!(unseal(&settings(), format!("{token}{more}").as_bytes()).is_none());
            }
            assert!(unseal(&settings(), format!("\"{token}\"").as_bytes()).is_none());
        }
    }

    #[test]
    fn no_field_of_a_token_is_readable() {
        let token = from_base64(carrying().as_bytes()).unwrap();
        let text = &opened(&carrying())[HEAD_BYTES..];
        let shared = text.windows(4).filter(|field| token.windows(4).any(|window| window == *field)).count();
        assert_eq!(shared, 0);
    }

    #[test]
    fn only_the_canonical_base64_is_a_token() {
        // 96 bytes are exactly 128 characters, without unused bits.
        let token = sealed(0);
        let standard = token.replace('-', "+").replace('_', "/");
        assert!(standard == token || unseal(&settings(), standard.as_bytes()).is_none());
    }

    #[test]
    fn a_token_is_valid_for_one_cookie_name_only() {
        let token = sealed(0);
        assert!(unseal(&settings(), token.as_bytes()).is_some());
        for name in ["sessionid", "__Host-sessionid2"] {
            assert!(unseal(&named(name), token.as_bytes()).is_none());
        }
    }

    // CVE-2026-39324 (rack-session): a value that did not verify was passed to an older decoder.
    #[test]
    fn cve_2026_39324_there_is_no_other_decoder() {
        let (identity, position) = parts(0);
        let other = Settings::builder(["another secret of at least thirty-two bytes"]).build().unwrap();
        let foreign = seal(&other, NONCE, &identity, position, None).unwrap();
        for text in [identity.key.as_str(), &foreign, "{}", ""] {
            assert!(unseal(&settings(), text.as_bytes()).is_none());
        }
    }

    #[test]
    fn a_sealed_token_of_another_version_or_kind_is_invalid() {
        let reopened = |token: &str, changes: &[(usize, u8)], more: &[u8]| {
            let mut bytes = opened(token);
            changes.iter().for_each(|(at, byte)| bytes[*at] = *byte);
            bytes.extend(more);
            unseal(&settings(), seal_bytes(&settings(), bytes).unwrap().as_bytes())
        };
        let kind = HEAD_BYTES;
        assert!(matches!(reopened(&sealed(0), &[], b""), Some(Token::Session(_))));
        for (at, byte) in [(0, 1), (0, 3), (kind, 16), (kind, 255), (kind + 1, b'A'), (kind + 1, 0)] {
            assert!(reopened(&sealed(0), &[(at, byte)], b"").is_none(), "{at} {byte}");
        }
        // The rotations do not follow.
        for byte in [MORE_ROTATIONS, ENDING] {
            assert!(reopened(&sealed(0), &[(kind, byte)], b"").is_none());
        }
        // Fewer than 14 rotations do not follow, and an ending token has no journal.
        let last = HEAD_BYTES + FIELDS_BYTES + 1;
        assert!(reopened(&sealed(14), &[(last, 13)], b"").is_none());
        assert!(matches!(reopened(&sealed(14), &[(kind, ENDING)], b""), Some(Token::Ending(_))));
        assert!(reopened(&sealed(14), &[(kind, ENDING)], b"\x01").is_none());
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
            prop_assert!(unseal(&settings(), &text).is_none());
        }

        #[test]
        fn random_text_of_the_right_form_is_not_a_token(text in "[A-Za-z0-9_-]{128,160}") {
            prop_assert!(unseal(&settings(), text.as_bytes()).is_none());
        }
    }
}
