//! The journal: a browser's own recent saves, which repair a record that does not contain them yet.
//!
//! A journal lists the saves that the browser knows of, oldest first, and the newest change of each key by the browser's own
//! saves. A record that contains one of these saves contains all earlier ones. The journal can reapply the later ones, unless
//! one of them is foreign.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::data::Data;
use super::identity::Tag;
use super::limits::{JOURNAL_WINDOW, MAX_WRITES};
use super::record::Record;
use super::record_header::RecordHeader;

/// The number of saves that a journal contains.
const MAX_ENTRIES: usize = 8;

/// One save that the browser knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JournalEntry {
    pub(crate) tag: Tag,
    /// The time of the save, in milliseconds of Unix time.
    pub(crate) time: i64,
    pub(crate) origin: Origin,
}

/// The origin of a save, which implies what a record with the save contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A save of this browser. The record also contains all saves before it. The journal contains its changes.
    Own,
    /// A foreign save. The record also contains all saves before it.
    Foreign,
    /// A foreign save that is the base of the next save. The record does not contain the saves before it.
    ForeignPartial,
}

/// A change of a quoted key by one of the browser's saves: the JSON text of its value, or `None` if it was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) tag: Tag,
    pub(crate) key: Box<[u8]>,
    pub(crate) value: Option<Box<[u8]>>,
}

/// The saves that a browser knows of.
///
/// Invariant: `entries[0]` is never a partial foreign save and has no changes; a record without it cannot be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) entries: Vec<JournalEntry>,
    pub(crate) changes: Vec<Change>,
}

impl Journal {
    /// Creates a journal with one save, without its changes.
    pub(crate) fn starting_at(tag: Tag, time: i64) -> Self {
        Self { entries: vec![JournalEntry { tag, time, origin: Origin::Own }], changes: Vec::new() }
    }

    /// Returns the time of a new save: later than all saves in a journal and in `head`, even if this clock is behind, but at most
    /// `skew` ahead of it.
    pub(crate) fn next_time(known: Option<&Self>, head: &RecordHeader, now: i64, skew: i64) -> i64 {
        let times = known.into_iter().flat_map(|known| &known.entries).map(|entry| entry.time);
        let times = times.chain(head.writes.iter().map(|write| write.time));
        let known = times.max().map_or(now, |time| time.saturating_add(1));
        known.clamp(now, now.saturating_add(skew))
    }

    /// Reapplies this browser's saves that the record lacks. Returns false, and does nothing, if it lacks a foreign save.
    pub(crate) fn repair(&self, record: &mut Record) -> bool {
        let Some(known) = self.last_contained(&record.head.tags) else { return false };
        let Record { head, data } = record;
        for entry in self.entries.iter().skip(known.saturating_add(1)) {
            if entry.origin == Origin::Own && !head.tags.contains(&entry.tag) {
                self.apply(entry, head, data, false);
                // After the record's own last tag, which identifies the record.
                head.tags.insert(head.tags.len().min(1), entry.tag);
            }
        }
        true
    }

    /// Reapplies all changes of this browser as changes of the current request, even if the record lacks foreign saves. The tags
    /// are not added, because the resulting record does not contain every save of this journal.
    pub(crate) fn force(&self, record: &mut Record) {
        let Record { head, data } = record;
        for entry in &self.entries {
            self.apply(entry, head, data, true);
        }
    }

    fn apply(&self, entry: &JournalEntry, head: &mut RecordHeader, data: &mut Data, touched: bool) {
        for Change { key, value, .. } in self.changes.iter().filter(|change| change.tag == entry.tag) {
            // mutation: repair-of-older
            if !head.is_written_since(key, entry.time) {
                match value {
                    Some(value) => data.put(key, value.clone(), touched),
                    None => _ = data.take(key, touched),
                }
                head.record_write(key, entry.time);
            }
        }
    }

    /// Returns the index of the last save after which every save is in a record with these tags, or in this journal.
    fn last_contained(&self, tags: &[Tag]) -> Option<usize> {
        for (at, entry) in self.entries.iter().enumerate().rev() {
            match (entry.origin, tags.contains(&entry.tag)) {
                (Origin::Own | Origin::Foreign, true) => return Some(at),
                (Origin::Own, false) if at > 0 => {}
                // mutation: partial-is-missing
                (Origin::ForeignPartial, true) => {}
                _ => return None,
            }
        }
        None
    }

    /// Records the base of the next save. `is_complete`: the base contains every save of this journal.
    pub(crate) fn record_base(&mut self, base: Tag, is_complete: bool, time: i64) {
        if self.entries.iter().any(|entry| entry.tag == base) {
            return;
        }
        if is_complete {
            self.entries.clear();
            self.changes.clear();
        }
        self.entries.push(JournalEntry {
            tag: base,
            time,
            origin: if is_complete { Origin::Foreign } else { Origin::ForeignPartial },
        });
    }

    /// Records a save of this browser with its changes. If they are too many, or have more than `limit` bytes, the journal starts
    /// again without them. Returns whether it contains them.
    pub(crate) fn add(&mut self, tag: Tag, time: i64, data: &Data, limit: usize) -> bool {
        let bytes = |(key, value): (&[u8], Option<&[u8]>)| key.len().saturating_add(value.map_or(0, <[u8]>::len));
        let is_large = data.changes().map(bytes).fold(0, usize::saturating_add) > limit;
        if is_large || data.changes().count() > MAX_WRITES {
            *self = Self::starting_at(tag, time);
            return false;
        }
        self.entries.push(JournalEntry { tag, time, origin: Origin::Own });
        for (key, value) in data.changes() {
            self.changes.retain(|change| *change.key != *key);
            self.changes.push(Change { tag, key: key.into(), value: value.map(Box::from) });
        }
        while self.entries.len() > MAX_ENTRIES && self.drop_oldest() {}
        true
    }

    /// Drops the saves that every location shows by now.
    pub(crate) fn expire(&mut self, now: i64) {
        let old = now.saturating_sub(JOURNAL_WINDOW);
        while self.next_start().and_then(|next| self.entries.get(next)).is_some_and(|entry| entry.time <= old) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest saves up to the next one that can be the first. Returns false if there is none.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let Some(next) = self.next_start() else { return false };
        for entry in self.entries.drain(..next) {
            self.changes.retain(|change| change.tag != entry.tag);
        }
        if let Some(JournalEntry { tag, .. }) = self.entries.first() {
            self.changes.retain(|change| change.tag != *tag);
        }
        true
    }

    /// Returns the index of the next save that can be the first.
    fn next_start(&self) -> Option<usize> {
        let mut others = self.entries.iter().enumerate().skip(1);
        others.find(|(_, entry)| entry.origin != Origin::ForeignPartial).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::deadline::Deadline;

    const P: Tag = [0; 4];
    const X: Tag = [9; 4];

    fn tag(number: u8) -> Tag {
        [number, 0, 0, 1]
    }

    fn data(members: &[(&str, &str)]) -> Data {
        let mut data = Data::default();
        for (key, value) in members {
            data.set(key, value.as_bytes().into());
        }
        data
    }

    fn record(tags: &[Tag], members: &[(&str, &str)]) -> Record {
        let deadline = Deadline(i64::MAX);
        let head = RecordHeader {
            deadline,
            absolute: deadline,
            generation: 1,
            tags: tags.to_vec(),
            rotations: 0,
            writes: Vec::new(),
            owner: None,
        };
        Record { head, data: data(members) }
    }

    /// A journal that begins at `P`; the saves 1, 2, … at as many seconds each set a key of their own.
    fn saves(count: u8) -> Journal {
        let mut journal = Journal::starting_at(P, 0);
        for number in 1..=count {
            journal.add(
                tag(number),
                i64::from(number).saturating_mul(1_000),
                &data(&[(&number.to_string(), "1")]),
                4096,
            );
        }
        journal
    }

    fn keys(record: &Record) -> Vec<String> {
        record.data.iter().map(|(key, _)| key.into_owned()).collect()
    }

    #[test]
    fn a_record_is_repaired_from_any_save_that_it_contains() {
        for (known, expected) in [(P, vec!["1", "2", "3"]), (tag(1), vec!["2", "3"]), (tag(3), vec![])] {
            let mut record = record(&[known], &[]);
            assert!(saves(3).repair(&mut record));
            assert_eq!(keys(&record), expected);
            assert_eq!(record.head.tags[0], known, "its own tag stays the first");
            assert!(expected.iter().all(|key| record.head.tags.contains(&tag(key.parse().unwrap()))));
        }
        let mut other = record(&[X], &[]);
        assert!(!saves(3).repair(&mut other));
        assert!(keys(&other).is_empty() && other.head.tags == [X]);
    }

    #[test]
    fn a_foreign_save_in_between_must_be_in_the_record() {
        // The base of the browser's second save is a foreign save that contains the first one.
        let mut journal = saves(1);
        journal.record_base(X, true, 1_500);
        journal.add(tag(2), 2_000, &data(&[("2", "1")]), 4096);
        assert!(!journal.repair(&mut record(&[P], &[])));
        assert!(!journal.repair(&mut record(&[tag(1), P], &[])));
        let mut there = record(&[X, tag(1), P], &[]);
        assert!(journal.repair(&mut there));
        assert_eq!(keys(&there), ["2"]);
    }

    #[test]
    fn a_partial_foreign_save_and_the_browsers_own_must_both_be_in_the_record() {
        let mut journal = saves(1);
        journal.record_base(X, false, 1_500);
        journal.add(tag(2), 2_000, &data(&[("2", "1")]), 4096);
        for lacking in [vec![P], vec![X], vec![tag(1), P]] {
            assert!(!journal.repair(&mut record(&lacking, &[])), "{lacking:?}");
        }
        let mut there = record(&[X, P], &[]);
        assert!(journal.repair(&mut there));
        assert_eq!(keys(&there), ["1", "2"]);
    }

    #[test]
    fn a_known_base_is_not_recorded_again() {
        let mut journal = saves(2);
        let before = journal.clone();
        for base in [P, tag(1), tag(2)] {
            journal.record_base(base, true, 9_000);
            assert_eq!(journal, before);
        }
    }

    #[test]
    fn the_newest_change_of_each_key_is_kept() {
        let mut journal = saves(1);
        let mut removing = data(&[("1", "1"), ("2", "2")]);
        removing.mark_stored();
        removing.remove("1");
        removing.set("2", b"3".as_slice().into());
        journal.add(tag(2), 2_000, &removing, 4096);
        assert_eq!(journal.changes.len(), 2);
        let mut there = record(&[P], &[("0", "0"), ("1", "0")]);
        assert!(journal.repair(&mut there));
        assert_eq!(keys(&there), ["0", "2"]);
        assert_eq!(there.data.get("2"), Some(b"3".as_slice()));
    }

    #[test]
    fn a_repair_keeps_writes_that_are_later_or_simultaneous() {
        for (time, stays) in [(999, false), (1_000, true), (1_001, true)] {
            let mut there = record(&[P], &[("1", "0")]);
            there.head.record_write(b"\"1\"", time);
            assert!(saves(1).repair(&mut there));
            assert_eq!(there.data.get("1") == Some(b"0".as_slice()), stays, "{time}");
        }
    }

    #[test]
    fn forcing_reapplies_all_changes_although_a_save_is_missing() {
        let mut there = record(&[X], &[("1", "0")]);
        saves(2).force(&mut there);
        assert_eq!(keys(&there), ["1", "2"]);
        assert_eq!(there.data.get("1"), Some(b"1".as_slice()));
        assert_eq!(there.head.tags, [X], "but its tags do not claim the saves");
    }

    #[test]
    fn saves_expire_one_by_one_and_the_first_remaining_one_has_no_change() {
        let mut journal = saves(3);
        journal.expire(JOURNAL_WINDOW);
        assert_eq!(journal, saves(3));
        journal.expire(JOURNAL_WINDOW + 1_999);
        assert_eq!(journal.entries.iter().map(|entry| entry.tag).collect::<Vec<_>>(), [tag(1), tag(2), tag(3)]);
        assert!(journal.changes.iter().all(|change| change.tag != tag(1)));
        journal.expire(i64::MAX);
        assert_eq!((journal.entries.len(), journal.changes.len()), (1, 0), "the last one is the browser's position");
        assert!(!journal.drop_oldest());
    }

    #[test]
    fn a_partial_foreign_save_is_never_the_first() {
        let mut journal = saves(1);
        journal.record_base(X, false, 1_500);
        journal.add(tag(2), 2_000, &data(&[("2", "1")]), 4096);
        assert!(journal.drop_oldest());
        assert_eq!(journal.entries[0].tag, tag(1));
        assert!(journal.drop_oldest());
        assert_eq!((journal.entries[0].tag, journal.entries.len()), (tag(2), 1));
    }

    #[test]
    fn a_journal_contains_eight_saves() {
        let journal = saves(40);
        assert_eq!((journal.entries.len(), journal.entries[0].tag), (8, tag(33)));
        assert_eq!(journal.changes.len(), MAX_ENTRIES - 1);
    }

    #[test]
    fn a_save_is_later_than_all_known_ones_within_the_clock_skew() {
        let mut head = record(&[P], &[]).head;
        assert_eq!(Journal::next_time(None, &head, 5_000, 100), 5_000);
        assert_eq!(Journal::next_time(Some(&saves(3)), &head, 5_000, 100), 5_000);
        assert_eq!(Journal::next_time(Some(&saves(6)), &head, 5_950, 100), 6_001);
        head.record_write(b"\"a\"", 5_999);
        assert_eq!(Journal::next_time(None, &head, 5_950, 100), 6_000);
        assert_eq!(Journal::next_time(Some(&saves(60)), &head, 5_000, 100), 5_100);
        assert_eq!(Journal::next_time(None, &head, i64::MAX, 100), i64::MAX);
    }
}
