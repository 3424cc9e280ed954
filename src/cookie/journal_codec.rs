//! The journal at the end of a token, before it is sealed.
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | number of entries |
//! | 7 each | an entry: 2 bits of origin, 22 bits of age in milliseconds before the token's issue (plus an offset), and the tag |
//! | the rest | changes: the index of the entry (1, the highest bit set for a removal), the length of the key (2), the key, and unless it is a removal the length of the value (2) and the value |

use alloc::vec::Vec;

use crate::session::identity::Tag;
use crate::session::journal::{Change, Journal, JournalEntry, Origin};

const ENTRY_BYTES: usize = 7;

/// The offset of ages, in milliseconds: an entry may be later than the issue, because clocks differ.
const AGE_OFFSET: i64 = 1 << 21;

/// The bit of a change's index that marks a removal.
const REMOVED: u8 = 0x80;

/// Appends the journal of a token issued at `issued` (milliseconds) to `out`. The journal drops its oldest entries until it fits
/// into `room` bytes. A journal of a single entry, which the token's position repeats, takes no bytes.
pub(crate) fn encode(journal: &mut Journal, issued: i64, room: usize, out: &mut Vec<u8>) {
    while size(journal) > room && journal.drop_oldest() {}
    let start = out.len();
    if journal.entries.len() < 2 || append(journal, issued, out).is_none() {
        out.truncate(start);
    }
}

/// Returns the length of the encoding, in bytes.
pub(crate) fn size(journal: &Journal) -> usize {
    let changes = journal.changes.iter().map(|change| match &change.value {
        Some(value) => change.key.len().saturating_add(value.len()).saturating_add(5),
        None => change.key.len().saturating_add(3),
    });
    changes.fold(journal.entries.len().saturating_mul(ENTRY_BYTES).saturating_add(1), usize::saturating_add)
}

fn append(journal: &Journal, issued: i64, out: &mut Vec<u8>) -> Option<()> {
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
    Some(())
}

/// Decodes the journal of a token issued at `issued` (milliseconds).
pub(crate) fn decode(text: &[u8], issued: i64) -> Option<Journal> {
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
    use proptest::prelude::*;

    const ISSUED: i64 = 1_893_456_000_000;

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

    /// Returns the encoding and the entries that remain.
    fn encoded(journal: &Journal, room: usize) -> (Vec<u8>, Journal) {
        let (mut journal, mut out) = (journal.clone(), b"before".to_vec());
        encode(&mut journal, ISSUED, room, &mut out);
        assert!(out.starts_with(b"before"));
        (out.split_off(6), journal)
    }

    proptest! {
        #[test]
        fn decoding_reverses_encoding(journal in journals()) {
            let (text, kept) = encoded(&journal, 4_000);
            prop_assert_eq!(&kept, &journal);
            prop_assert_eq!(text.len(), size(&journal));
            prop_assert_eq!(decode(&text, ISSUED), Some(journal));
        }

        #[test]
        fn the_oldest_entries_are_dropped_until_it_fits(journal in journals(), room in 0..600_usize) {
            let (text, kept) = encoded(&journal, room);
            prop_assert!(text.len() <= room && journal.entries.ends_with(&kept.entries));
            prop_assert_eq!(text.is_empty(), kept.entries.len() < 2);
            prop_assert_eq!(decode(&text, ISSUED), (!text.is_empty()).then_some(kept));
        }

        #[test]
        fn no_bytes_panic_the_decoder(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(journal) = decode(&text, ISSUED) {
                prop_assert!(!journal.entries.is_empty());
            }
        }
    }

    #[test]
    fn a_journal_that_cannot_be_encoded_takes_no_bytes() {
        let mut journal = Journal::starting_at(tag(1), ISSUED);
        journal.entries.push(JournalEntry { tag: tag(2), time: ISSUED, origin: Origin::Own });
        journal.changes.push(Change { tag: tag(3), key: b"k".as_slice().into(), value: None });
        assert!(encoded(&journal, 100).0.is_empty(), "a change of a save that it does not list");
    }

    // The golden bytes of the token's version 2.
    #[test]
    fn the_format_of_version_2_is_unchanged() {
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
        assert_eq!(encoded(&journal, 100).0, expected.concat());
    }
}
