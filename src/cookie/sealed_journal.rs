//! The journal in a token: a nonce, and the XChaCha20-Poly1305 encryption of these bytes, bound to the token's MAC.
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | number of entries |
//! | 7 each | an entry: 2 bits of origin, 22 bits of age in milliseconds before the token's issue (plus an offset), and the tag |
//! | the rest | changes: the index of the entry (1, the highest bit set for a removal), the length of the key (2), the key, and unless it is a removal the length of the value (2) and the value |
//!
//! A journal that cannot be decrypted is ignored: the browser then only knows the save in its token.

use alloc::vec::Vec;

use crate::secret::{MAC_BYTES, NONCE_BYTES, SEAL_BYTES, Secrets};
use crate::session::identity::{Position, Tag};
use crate::session::journal::{Change, Journal, JournalEntry, Origin};

/// The length of the shortest sealed journal, in bytes.
pub(crate) const MIN_SEALED: usize = NONCE_BYTES + SEAL_BYTES + 1;

const ENTRY_BYTES: usize = 7;

/// The offset of ages, in milliseconds: an entry may be later than the issue, because clocks differ.
const AGE_OFFSET: i64 = 1 << 21;

/// The bit of a change's index that marks a removal.
const REMOVED: u8 = 0x80;

/// Seals a journal for a token issued at `issued` (microseconds), and drops its oldest entries until it fits into `room` bytes.
/// Returns `None` if nothing is left.
pub(crate) fn seal(
    secrets: &Secrets,
    nonce: [u8; NONCE_BYTES],
    mac: &[u8],
    journal: &mut Journal,
    issued: i64,
    room: usize,
) -> Option<Vec<u8>> {
    let room = room.saturating_sub(NONCE_BYTES + SEAL_BYTES);
    while size(journal) > room && journal.drop_oldest() {}
    if journal.entries.len() < 2 {
        return None;
    }
    let text = secrets.seal(nonce, mac, encode(journal, issued / 1000)?)?;
    Some([nonce.as_slice(), &text].concat())
}

/// Unseals the journal in `rest`, which consists of a token's MAC and the sealed journal.
pub(crate) fn unseal(secrets: &Secrets, rest: &[u8], position: Position) -> Option<Journal> {
    let (mac, sealed) = rest.split_at_checked(MAC_BYTES)?;
    let (nonce, sealed) = sealed.split_first_chunk()?;
    decode(&secrets.unseal(*nonce, mac, sealed)?, position.issued / 1000)
}

fn size(journal: &Journal) -> usize {
    let changes = journal.changes.iter().map(|change| match &change.value {
        Some(value) => change.key.len().saturating_add(value.len()).saturating_add(5),
        None => change.key.len().saturating_add(3),
    });
    changes.fold(journal.entries.len().saturating_mul(ENTRY_BYTES).saturating_add(1), usize::saturating_add)
}

fn encode(journal: &Journal, issued: i64) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(size(journal).saturating_add(SEAL_BYTES));
    out.push(u8::try_from(journal.entries.len()).ok()?);
    for entry in &journal.entries {
        let age = issued.saturating_sub(entry.time).saturating_add(AGE_OFFSET).clamp(0, (1 << 22) - 1);
        let origin = match entry.origin {
            Origin::Own => 0,
            Origin::Foreign => 1,
            Origin::ForeignPartial => 2,
        };
        let [_, head @ ..]: [u8; 4] = (u32::try_from(age).ok()? | origin << 22).to_be_bytes();
        out.extend_from_slice(&head);
        out.extend_from_slice(&entry.tag);
    }
    for change in &journal.changes {
        let place = journal.entries.iter().position(|entry| entry.tag == change.tag)?;
        let removed = if change.value.is_none() { REMOVED } else { 0 };
        out.push(u8::try_from(place).ok()? | removed);
        for text in core::iter::once(&change.key).chain(&change.value) {
            out.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
            out.extend_from_slice(text);
        }
    }
    Some(out)
}

fn decode(text: &[u8], issued: i64) -> Option<Journal> {
    let (count, mut rest) = text.split_first()?;
    let mut entries = Vec::new();
    for _ in 0..*count {
        let ([a, b, c], after) = rest.split_first_chunk()?;
        let (tag, after): (&Tag, _) = after.split_first_chunk()?;
        rest = after;
        let head = u32::from_be_bytes([0, *a, *b, *c]);
        let origin = match head >> 22 {
            0 => Origin::Own,
            1 => Origin::Foreign,
            2 => Origin::ForeignPartial,
            _ => return None,
        };
        let age = i64::from(head & ((1 << 22) - 1)).saturating_sub(AGE_OFFSET);
        entries.push(JournalEntry { tag: *tag, time: issued.saturating_sub(age), origin });
    }
    let mut changes = Vec::new();
    while let Some((place, after)) = rest.split_first() {
        let tag = entries.get(usize::from(place & !REMOVED))?.tag;
        rest = after;
        let key = piece(&mut rest)?.into();
        let value = if place & REMOVED == 0 { Some(piece(&mut rest)?.into()) } else { None };
        changes.push(Change { tag, key, value });
    }
    (!entries.is_empty()).then_some(Journal { entries, changes })
}

/// Reads a length and that number of bytes.
fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, after) = rest.split_first_chunk()?;
    let (piece, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
    *rest = after;
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::identity::Tag;
    use proptest::prelude::*;

    const ISSUED: i64 = 1_893_456_000_000;

    fn secrets() -> Secrets {
        Secrets::new(["a secret of at least thirty-two bytes"]).unwrap().for_cookie("sessionid")
    }

    fn position() -> Position {
        Position { generation: 1, tag: [1, 0, 0, 0], issued: ISSUED * 1_000 }
    }

    fn tag(number: usize) -> Tag {
        u32::try_from(number).unwrap().to_be_bytes()
    }

    fn journals() -> impl Strategy<Value = Journal> {
        let origin = prop_oneof![Just(Origin::Own), Just(Origin::Foreign), Just(Origin::ForeignPartial)];
        let entries = prop::collection::vec((-200_000_i64..10_000, origin), 2..17);
        let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
        let changes =
            prop::collection::vec((any::<prop::sample::Index>(), bytes(9), prop::option::of(bytes(40))), 0..20);
        (entries, changes).prop_map(|(entries, changes)| {
            let count = entries.len();
            // The last entry is always the browser's own save.
            let origin = |at: usize, origin| if at.abs_diff(count) == 1 { Origin::Own } else { origin };
            let time = |age| ISSUED.saturating_add(age);
            let entry = |(at, (age, of))| JournalEntry { tag: tag(at), time: time(age), origin: origin(at, of) };
            let change = |(at, key, value): (prop::sample::Index, Vec<u8>, Option<Vec<u8>>)| Change {
                tag: tag(at.index(count)),
                key: key.into(),
                value: value.map(Into::into),
            };
            Journal {
                entries: entries.into_iter().enumerate().map(entry).collect(),
                changes: changes.into_iter().map(change).collect(),
            }
        })
    }

    fn sealed(journal: &Journal, room: usize) -> Option<(Vec<u8>, Journal)> {
        let mut journal = journal.clone();
        let text = seal(&secrets(), [7; NONCE_BYTES], &[8; MAC_BYTES], &mut journal, position().issued, room)?;
        Some((text, journal))
    }

    fn unsealed(mac: [u8; MAC_BYTES], text: &[u8]) -> Option<Journal> {
        unseal(&secrets(), &[&mac, text].concat(), position())
    }

    proptest! {
        #[test]
        fn unsealing_reverses_sealing(journal in journals()) {
            let (text, kept) = sealed(&journal, 4_000).unwrap();
            prop_assert_eq!(&kept, &journal);
            prop_assert_eq!(text.len().abs_diff(size(&journal)), NONCE_BYTES + SEAL_BYTES);
            prop_assert_eq!(unsealed([8; MAC_BYTES], &text), Some(journal));
            prop_assert_eq!(unsealed([9; MAC_BYTES], &text), None);
        }

        #[test]
        fn the_oldest_entries_are_dropped_until_it_fits(journal in journals(), room in 0..600_usize) {
            if let Some((text, kept)) = sealed(&journal, room) {
                prop_assert!(text.len() <= room);
                prop_assert!(journal.entries.ends_with(&kept.entries) && kept.entries.len() > 1);
                prop_assert_eq!(unsealed([8; MAC_BYTES], &text), Some(kept));
            }
        }

        #[test]
        fn no_bytes_panic_the_decoder(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(journal) = decode(&text, ISSUED) {
                prop_assert!(!journal.entries.is_empty());
            }
            prop_assert!(unsealed([8; MAC_BYTES], &text).is_none());
        }
    }

    #[test]
    fn a_changed_or_missing_byte_anywhere_is_noticed() {
        let mut journal = Journal::starting_at(tag(1), ISSUED);
        journal.entries.push(JournalEntry { tag: tag(2), time: ISSUED, origin: Origin::Own });
        let (text, _) = sealed(&journal, 100).unwrap();
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert!(unsealed([8; MAC_BYTES], &changed).is_none());
            assert!(unsealed([8; MAC_BYTES], &text[..at]).is_none());
        }
    }

    // The golden bytes of version 1, before they are sealed.
    #[test]
    fn the_format_of_version_1_is_unchanged() {
        let mut journal = Journal::starting_at(tag(1), ISSUED - 2_000);
        journal.entries.push(JournalEntry { tag: tag(2), time: ISSUED - 1_000, origin: Origin::Foreign });
        journal.entries.push(JournalEntry { tag: tag(3), time: ISSUED, origin: Origin::Own });
        let key = |text: &str| text.as_bytes().into();
        journal.changes.push(Change { tag: tag(3), key: key("\"a\""), value: Some(key("12")) });
        journal.changes.push(Change { tag: tag(3), key: key("\"b\""), value: None });
        let expected = [
            b"\x03\x20\x07\xd0\0\0\0\x01\x60\x03\xe8\0\0\0\x02\x20\0\0\0\0\0\x03".as_slice(),
            b"\x02\0\x03\"a\"\0\x0212\x82\0\x03\"b\"",
        ];
        assert_eq!(encode(&journal, ISSUED).unwrap(), expected.concat());
    }
}
