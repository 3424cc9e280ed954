//! The merge of two records of one session that were written concurrently.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::identity::Tag;
use super::limits::{MAX_TAGS, WRITES_WINDOW};
use super::record::Record;
use super::record_header::{RecentWrite, RecordHeader};

/// Applies the recent writes of the older branch to the newer one. Returns the result, and the tag of the save that was merged
/// in. A branch without a list of recent writes cannot be merged. No tag is returned for it, nor, unless the branches `are_apart`
/// for certain, for an older branch whose writes the newer one already contains.
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

/// Applies the recent writes of another branch to a record, except to keys that the record wrote since. Returns whether any write
/// was applied. Writes outside of the record's window are skipped, because the record does not list its own writes of that time.
pub(crate) fn apply_writes(onto: &mut Record, from: &Record) -> bool {
    let listed = last_write(&onto.head).saturating_sub(WRITES_WINDOW);
    let mut is_changed = false;
    // mutation: noted-writes
    for write in from.head.writes.iter().filter(|write| write.time > listed) {
        is_changed |= apply(onto, from, write);
    }
    onto.head.tags = interleaved(&onto.head.tags, &from.head.tags); // mutation: tags-of-both
    is_changed
}

fn last_write(head: &RecordHeader) -> i64 {
    head.writes.iter().map(|write| write.time).max().unwrap_or(i64::MIN)
}

/// Applies one write of `from` to `onto`, unless the key was written there since.
fn apply(onto: &mut Record, from: &Record, write: &RecentWrite) -> bool {
    let Record { head, data } = onto;
    let mut is_changed = false;
    // An empty key is a write of all keys: the branch removed the keys that it lacks.
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
        head.record_write(&key, write.time);
        is_changed = true;
    }
    is_changed
}

/// Returns the tags of both in turns, starting with the newer one's, up to the limit.
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
    use crate::session::deadline::Deadline;

    fn record(generation: u32, tags: &[u8], members: &[(&str, &str)], writes: &[(&str, i64)]) -> Record {
        let mut data = Data::default();
        for (key, value) in members {
            data.set(key, value.as_bytes().into());
        }
        data.mark_stored();
        let end = Deadline(i64::MAX);
        let tags = tags.iter().map(|tag| [*tag, 0, 0, 0]).collect();
        let mut head = RecordHeader {
            deadline: end,
            absolute: end,
            generation,
            tags,
            rotations: 0,
            writes: Vec::new(),
            owner: None,
        };
        for (key, time) in writes {
            let key = if key.is_empty() { Box::default() } else { crate::json::quoted(key).into() };
            head.writes.push(RecentWrite { time: *time, key });
        }
        Record { head, data }
    }

    fn members(record: &Record) -> Vec<(String, String)> {
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        record.data.iter().map(|(key, value)| (key.into_owned(), text(value))).collect()
    }

    #[test]
    fn a_branch_that_adds_nothing_is_merged_only_if_the_two_are_apart_for_certain() {
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

    // A group recorded the write with its own, later time, and a third write of the key was lost.
    #[test]
    fn a_write_that_replaces_an_earlier_change_is_not_a_change_of_the_record() {
        let mut onto = record(2, &[2, 1], &[], &[("a", 1_000), ("b", 1_000)]);
        onto.data.set("a", b"1".as_slice().into());
        onto.data.set("b", b"1".as_slice().into());
        let from = record(3, &[3, 1], &[("a", "2")], &[("a", 2_000)]);
        assert!(apply_writes(&mut onto, &from));
        assert_eq!(onto.data.changes().map(|(key, _)| key).collect::<Vec<_>>(), [b"\"b\""]);
    }

    #[test]
    fn a_write_outside_of_the_newer_branchs_window_is_not_applied() {
        let older = record(2, &[2, 1], &[("a", "1"), ("b", "1")], &[("a", 1_000), ("b", 1_001)]);
        let newer = record(3, &[3, 1], &[("a", "2"), ("b", "2")], &[("c", 1_000 + WRITES_WINDOW)]);
        let (merged, _) = merge(newer, older, true);
        let value = |key: &[u8]| merged.data.value(key).map(<[u8]>::to_vec);
        assert_eq!([value(b"\"a\""), value(b"\"b\"")], [Some(b"2".to_vec()), Some(b"1".to_vec())]);
    }

    #[test]
    fn the_recent_writes_of_the_older_branch_are_applied_to_the_newer_one() {
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
    fn a_write_of_all_keys_is_applied_to_every_key_that_was_not_written_since() {
        let newer = record(3, &[3], &[("x", "1"), ("y", "1")], &[("y", 30)]);
        let older = record(2, &[2], &[("z", "2")], &[("", 25)]);
        let (merged, _) = merge(newer, older, true);
        assert_eq!(members(&merged), [("y".to_owned(), "1".to_owned()), ("z".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn a_branch_without_a_list_of_writes_is_not_merged() {
        let newer = record(3, &[3], &[("a", "1")], &[("a", 30)]);
        let older = record(2, &[2], &[("b", "2")], &[]);
        let (merged, from) = merge(older, newer, true);
        assert_eq!((members(&merged).len(), from, merged.head.tags.len()), (1, None, 1));
    }
}
