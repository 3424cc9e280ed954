//! Records of one session that were written apart: what both say together.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::identity::Tag;
use super::record::{Head, MAX_TAGS, Record, WRITES_WINDOW, Write};

/// Puts the recent writes of the older branch on the newer one, and names the save that was merged in. A branch that does
/// not say what it wrote, and when, cannot be merged: then the newer one stays as it is. So does one that has all of them, where the
/// two need not have been written apart.
pub(crate) fn merge(one: Record, other: Record, are_apart: bool) -> (Record, Option<Tag>) {
    let age = |record: &Record| (record.head.generation, last_write(&record.head));
    let (mut newer, older) = if age(&one) >= age(&other) { (one, other) } else { (other, one) };
    if newer.head.writes.is_empty() || older.head.writes.is_empty() {
        return (newer, None);
    }
    let is_changed = apply_writes(&mut newer, &older);
    // mutation: merged-if-changed
    (newer, older.head.tags.first().copied().filter(|_| are_apart || is_changed))
}

/// Puts the recent writes of another branch on a record, unless the keys were written there since. Returns whether there were any.
/// Of writes that are so old that the record would not note them any more, it is unknown.
pub(crate) fn apply_writes(onto: &mut Record, from: &Record) -> bool {
    let noted = last_write(&onto.head).saturating_sub(WRITES_WINDOW);
    let mut is_changed = false;
    // mutation: noted-writes
    for write in from.head.writes.iter().filter(|write| write.time > noted) {
        is_changed |= apply(onto, from, write);
    }
    onto.head.tags = interleaved(&onto.head.tags, &from.head.tags); // mutation: tags-of-both
    is_changed
}

fn last_write(head: &Head) -> i64 {
    head.writes.iter().map(|write| write.time).max().unwrap_or(i64::MIN)
}

/// Puts one write of `from` on `onto`, unless the key was written there since.
fn apply(onto: &mut Record, from: &Record, write: &Write) -> bool {
    let Record { head, data } = onto;
    let mut is_changed = false;
    // An empty key is a write of all keys: what the branch does not have was removed there.
    let keys: Vec<Box<[u8]>> = match &*write.key {
        [] => from.data.members().chain(data.members()).map(|(key, _)| key.into()).collect(),
        key => vec![key.into()],
    };
    for key in keys {
        // mutation: later-write-stays
        if head.is_written_since(&key, write.time) {
            continue;
        }
        match from.data.value(&key) {
            Some(value) => data.put(&key, value.into(), false),
            None => _ = data.take(&key, false),
        }
        head.note(&key, write.time);
        is_changed = true;
    }
    is_changed
}

/// The tags of both, the newer one's first tag first and then in turns, as far as a record remembers them.
fn interleaved(newer: &[Tag], older: &[Tag]) -> Vec<Tag> {
    let mut tags = Vec::with_capacity(MAX_TAGS);
    for place in 0..MAX_TAGS {
        for tag in [newer.get(place), older.get(place)].into_iter().flatten() {
            if tags.len() < MAX_TAGS && !tags.contains(tag) {
                tags.push(*tag);
            }
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::data::Data;
    use crate::session::expiry::Deadline;

    fn record(generation: u32, tags: &[u8], members: &[(&str, &str)], writes: &[(&str, i64)]) -> Record {
        let mut data = Data::default();
        for (key, value) in members {
            data.set(key, value.as_bytes().into());
        }
        data.settle();
        let end = Deadline(i64::MAX);
        let tags = tags.iter().map(|tag| [*tag, 0, 0, 0]).collect();
        let mut head = Head { deadline: end, absolute: end, generation, tags, rotations: 0, writes: Vec::new() };
        for (key, time) in writes {
            let key = if key.is_empty() { Box::default() } else { crate::json::quoted(key).into() };
            head.writes.push(Write { time: *time, key });
        }
        Record { head, data }
    }

    fn members(record: &Record) -> Vec<(String, String)> {
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        record.data.iter().map(|(key, value)| (key.into_owned(), text(value))).collect()
    }

    #[test]
    fn where_they_need_not_have_been_written_apart_a_branch_that_adds_nothing_is_not_merged() {
        let older = record(2, &[2, 1], &[("a", "1")], &[("a", 1_000)]);
        let with_it = record(9, &[9, 8], &[("a", "1"), ("b", "2")], &[("a", 1_000), ("b", 2_000)]);
        let without_it = record(9, &[9, 8], &[("b", "2")], &[("b", 2_000)]);
        for (are_apart, newer, is_merged) in
            [(true, &with_it, true), (false, &with_it, false), (true, &without_it, true), (false, &without_it, true)]
        {
            let (merged, from) = merge(newer.clone(), older.clone(), are_apart);
            assert_eq!(from.is_some(), is_merged);
            assert_eq!(merged.data.members().count(), 2);
        }
    }

    // A group noted it as written with the group, later than it was, and a third write of the key was lost.
    #[test]
    fn what_takes_the_place_of_an_earlier_change_is_no_change_of_the_record_any_more() {
        let mut onto = record(2, &[2, 1], &[], &[("a", 1_000), ("b", 1_000)]);
        onto.data.set("a", b"1".as_slice().into());
        onto.data.set("b", b"1".as_slice().into());
        let from = record(3, &[3, 1], &[("a", "2")], &[("a", 2_000)]);
        assert!(apply_writes(&mut onto, &from));
        assert_eq!(onto.data.changes().map(|(key, _)| key).collect::<Vec<_>>(), [b"\"b\""]);
    }

    #[test]
    fn a_write_that_the_newer_branch_would_not_note_any_more_is_not_put_on_it() {
        let older = record(2, &[2, 1], &[("a", "1"), ("b", "1")], &[("a", 1_000), ("b", 1_001)]);
        let newer = record(3, &[3, 1], &[("a", "2"), ("b", "2")], &[("c", 1_000 + WRITES_WINDOW)]);
        let (merged, _) = merge(newer, older, true);
        let value = |key: &[u8]| merged.data.value(key).map(<[u8]>::to_vec);
        assert_eq!([value(b"\"a\""), value(b"\"b\"")], [Some(b"2".to_vec()), Some(b"1".to_vec())]);
    }

    #[test]
    fn the_recent_writes_of_the_older_branch_are_put_on_the_newer_one() {
        let newer = record(3, &[3, 1], &[("a", "1"), ("same", "1")], &[("a", 30), ("same", 30)]);
        let older = record(2, &[2, 1], &[("b", "2"), ("same", "2")], &[("b", 20), ("same", 20), ("gone", 21)]);
        for (one, other) in [(newer.clone(), older.clone()), (older, newer)] {
            let (merged, from) = merge(one, other, true);
            assert_eq!(
                members(&merged),
                [("a", "1"), ("same", "1"), ("b", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()))
            );
            assert_eq!(from, Some([2, 0, 0, 0]));
            assert_eq!(merged.head.tags, [[3, 0, 0, 0], [2, 0, 0, 0], [1, 0, 0, 0]]);
        }
    }

    #[test]
    fn a_key_that_the_newer_branch_wrote_later_stays_and_a_removed_one_goes() {
        let newer = record(3, &[3], &[("kept", "1"), ("gone", "1")], &[("kept", 30)]);
        let older = record(2, &[2], &[("kept", "2")], &[("kept", 29), ("gone", 25)]);
        let (merged, _) = merge(newer, older, true);
        assert_eq!(members(&merged), [("kept".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn a_write_of_all_keys_is_put_on_every_key_that_was_not_written_since() {
        let newer = record(3, &[3], &[("x", "1"), ("y", "1")], &[("y", 30)]);
        let older = record(2, &[2], &[("z", "2")], &[("", 25)]);
        let (merged, _) = merge(newer, older, true);
        assert_eq!(members(&merged), [("y".to_owned(), "1".to_owned()), ("z".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn a_branch_that_does_not_say_what_it_wrote_is_not_merged() {
        let newer = record(3, &[3], &[("a", "1")], &[("a", 30)]);
        let older = record(2, &[2], &[("b", "2")], &[]);
        let (merged, from) = merge(older, newer, true);
        assert_eq!((members(&merged).len(), from, merged.head.tags.len()), (1, None, 1));
    }
}
