//! What a browser carries of its own last saves: enough to bring a record up to date that does not show them yet.
//!
//! A journal lists the saves that the browser knows of, the oldest first, and what its own ones changed, the newest change
//! of each key. A record that remembers one of them has all that came before it; what came after can be put back, unless
//! some of it was somebody else's.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::data::Data;
use super::identity::Tag;
use super::record::{Head, MAX_WRITES, Record};

/// For how long a browser carries what it saved, in milliseconds: KV's cache of 30 s, its propagation of 60 s, and a margin.
pub(crate) const WINDOW: i64 = 130_000;

/// More saves than this are not carried.
const MAX_STATES: usize = 8;

/// One save that the browser knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) tag: Tag,
    /// When, in milliseconds of Unix time.
    pub(crate) time: i64,
    pub(crate) kind: Kind,
}

/// What a record has that remembers a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This browser's save, and all before it. What it changed is in the journal.
    Own,
    /// Somebody else's save, and all before it.
    Base,
    /// Somebody else's save on top of which the next one was made; not what comes before it here.
    Partial,
}

/// What one of the browser's saves did to a quoted key: the JSON text of its value, or none where it was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) tag: Tag,
    pub(crate) key: Box<[u8]>,
    pub(crate) value: Option<Box<[u8]>>,
}

/// The saves that a browser knows of. The first one is never somebody's that is not whole, and its changes are not kept: a
/// record that does not remember it is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) states: Vec<State>,
    pub(crate) changes: Vec<Change>,
}

impl Journal {
    /// Knows one save, and nothing of what it changed.
    pub(crate) fn at(tag: Tag, time: i64) -> Self {
        Self { states: vec![State { tag, time, kind: Kind::Own }], changes: Vec::new() }
    }

    /// The time of a save that is to come after all that is known in a journal and in `head`, whatever this clock says; but no
    /// clock is believed to be more than `skew` ahead.
    pub(crate) fn next_time(known: Option<&Self>, head: &Head, now: i64, skew: i64) -> i64 {
        let times = known.into_iter().flat_map(|known| &known.states).map(|state| state.time);
        let times = times.chain(head.writes.iter().map(|write| write.time));
        let known = times.max().map_or(now, |time| time.saturating_add(1));
        known.clamp(now, now.saturating_add(skew))
    }

    /// Puts back what the record lacks of this browser's saves. False, and nothing is done, where it lacks more than that.
    pub(crate) fn repair(&self, record: &mut Record) -> bool {
        let Some(known) = self.known(&record.head.tags) else { return false };
        let Record { head, data } = record;
        for state in self.states.iter().skip(known.saturating_add(1)) {
            if state.kind == Kind::Own && !head.tags.contains(&state.tag) {
                self.apply(state, head, data, false);
                // Behind the record's own last tag, by which it is known.
                head.tags.insert(head.tags.len().min(1), state.tag);
            }
        }
        true
    }

    /// Puts back all that this browser changed, whatever else the record lacks, as changes that are made now: whoever has the
    /// record that comes of it has not all that was known here.
    pub(crate) fn force(&self, record: &mut Record) {
        let Record { head, data } = record;
        for state in &self.states {
            self.apply(state, head, data, true);
        }
    }

    fn apply(&self, state: &State, head: &mut Head, data: &mut Data, touched: bool) {
        for Change { key, value, .. } in self.changes.iter().filter(|change| change.tag == state.tag) {
            // mutation: repair-of-older
            if !head.is_written_since(key, state.time) {
                match value {
                    Some(value) => data.put(key, value.clone(), touched),
                    None => _ = data.take(key, touched),
                }
                head.note(key, state.time);
            }
        }
    }

    /// The place of the last save from which on everything is in a record with these tags, or in this journal.
    fn known(&self, tags: &[Tag]) -> Option<usize> {
        for (at, state) in self.states.iter().enumerate().rev() {
            match (state.kind, tags.contains(&state.tag)) {
                (Kind::Own | Kind::Base, true) => return Some(at),
                (Kind::Own, false) if at > 0 => {}
                // mutation: partial-is-missing
                (Kind::Partial, true) => {}
                _ => return None,
            }
        }
        None
    }

    /// Takes note of the save on which the next one is made, and whether it has all that is known here.
    pub(crate) fn rest_on(&mut self, base: Tag, whole: bool, time: i64) {
        if self.states.iter().any(|state| state.tag == base) {
            return;
        }
        if whole {
            self.states.clear();
            self.changes.clear();
        }
        self.states.push(State { tag: base, time, kind: if whole { Kind::Base } else { Kind::Partial } });
    }

    /// Takes note of a save of this browser, and of what it changed, unless that is too much to carry.
    pub(crate) fn add(&mut self, tag: Tag, time: i64, data: &Data) {
        if data.changes().count() > MAX_WRITES {
            *self = Self::at(tag, time);
            return;
        }
        self.states.push(State { tag, time, kind: Kind::Own });
        for (key, value) in data.changes() {
            self.changes.retain(|change| *change.key != *key);
            self.changes.push(Change { tag, key: key.into(), value: value.map(Box::from) });
        }
        while self.states.len() > MAX_STATES && self.cut() {}
    }

    /// Forgets what every location must have by now.
    pub(crate) fn age(&mut self, now: i64) {
        let old = now.saturating_sub(WINDOW);
        while self.next_first().and_then(|next| self.states.get(next)).is_some_and(|state| state.time <= old) {
            self.cut();
        }
    }

    /// Makes a later save the first one. False where there is none.
    pub(crate) fn cut(&mut self) -> bool {
        let Some(next) = self.next_first() else { return false };
        for state in self.states.drain(..next) {
            self.changes.retain(|change| change.tag != state.tag);
        }
        if let Some(State { tag, .. }) = self.states.first() {
            self.changes.retain(|change| change.tag != *tag);
        }
        true
    }

    /// The place of the save that could be the first one next.
    fn next_first(&self) -> Option<usize> {
        let mut others = self.states.iter().enumerate().skip(1);
        others.find(|(_, state)| state.kind != Kind::Partial).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::expiry::Deadline;

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
        let head =
            Head { deadline, absolute: deadline, generation: 1, tags: tags.to_vec(), rotations: 0, writes: Vec::new() };
        Record { head, data: data(members) }
    }

    /// A journal that begins at `P`; the saves 1, 2, … at as many seconds each set a key of their own.
    fn saves(count: u8) -> Journal {
        let mut journal = Journal::at(P, 0);
        for number in 1..=count {
            journal.add(tag(number), i64::from(number).saturating_mul(1_000), &data(&[(&number.to_string(), "1")]));
        }
        journal
    }

    fn keys(record: &Record) -> Vec<String> {
        record.data.iter().map(|(key, _)| key.into_owned()).collect()
    }

    #[test]
    fn what_a_record_lacks_is_put_back_from_any_save_on_that_it_remembers() {
        for (known, expected) in [(P, vec!["1", "2", "3"]), (tag(1), vec!["2", "3"]), (tag(3), vec![])] {
            let mut record = record(&[known], &[]);
            assert!(saves(3).repair(&mut record));
            assert_eq!(keys(&record), expected);
            assert_eq!(record.head.tags[0], known, "its own mark stays the first");
            assert!(expected.iter().all(|key| record.head.tags.contains(&tag(key.parse().unwrap()))));
        }
        let mut other = record(&[X], &[]);
        assert!(!saves(3).repair(&mut other));
        assert!(keys(&other).is_empty() && other.head.tags == [X]);
    }

    #[test]
    fn somebody_elses_save_in_between_has_to_be_there() {
        // The browser's second save was made on top of somebody else's, which had the first one.
        let mut journal = saves(1);
        journal.rest_on(X, true, 1_500);
        journal.add(tag(2), 2_000, &data(&[("2", "1")]));
        assert!(!journal.repair(&mut record(&[P], &[])));
        assert!(!journal.repair(&mut record(&[tag(1), P], &[])));
        let mut there = record(&[X, tag(1), P], &[]);
        assert!(journal.repair(&mut there));
        assert_eq!(keys(&there), ["2"]);
    }

    #[test]
    fn where_that_save_did_not_have_what_the_browser_knew_both_have_to_be_there() {
        let mut journal = saves(1);
        journal.rest_on(X, false, 1_500);
        journal.add(tag(2), 2_000, &data(&[("2", "1")]));
        for lacking in [vec![P], vec![X], vec![tag(1), P]] {
            assert!(!journal.repair(&mut record(&lacking, &[])), "{lacking:?}");
        }
        let mut there = record(&[X, P], &[]);
        assert!(journal.repair(&mut there));
        assert_eq!(keys(&there), ["1", "2"]);
    }

    #[test]
    fn a_base_that_is_known_already_is_not_taken_note_of_again() {
        let mut journal = saves(2);
        let before = journal.clone();
        for base in [P, tag(1), tag(2)] {
            journal.rest_on(base, true, 9_000);
            assert_eq!(journal, before);
        }
    }

    #[test]
    fn the_newest_change_of_each_key_is_kept() {
        let mut journal = saves(1);
        let mut removing = data(&[("1", "1"), ("2", "2")]);
        removing.settle();
        removing.remove("1");
        removing.set("2", b"3".as_slice().into());
        journal.add(tag(2), 2_000, &removing);
        assert_eq!(journal.changes.len(), 2);
        let mut there = record(&[P], &[("0", "0"), ("1", "0")]);
        assert!(journal.repair(&mut there));
        assert_eq!(keys(&there), ["0", "2"]);
        assert_eq!(there.data.get("2"), Some(b"3".as_slice()));
    }

    #[test]
    fn what_was_written_there_later_or_at_the_same_time_stays() {
        for (time, stays) in [(999, false), (1_000, true), (1_001, true)] {
            let mut there = record(&[P], &[("1", "0")]);
            there.head.note(b"\"1\"", time);
            assert!(saves(1).repair(&mut there));
            assert_eq!(there.data.get("1") == Some(b"0".as_slice()), stays, "{time}");
        }
    }

    #[test]
    fn forcing_puts_all_of_it_back_whatever_else_is_missing() {
        let mut there = record(&[X], &[("1", "0")]);
        saves(2).force(&mut there);
        assert_eq!(keys(&there), ["1", "2"]);
        assert_eq!(there.data.get("1"), Some(b"1".as_slice()));
        assert_eq!(there.head.tags, [X], "but it does not say that it has it");
    }

    #[test]
    fn saves_age_one_by_one_and_the_first_that_is_left_carries_no_change() {
        let mut journal = saves(3);
        journal.age(WINDOW);
        assert_eq!(journal, saves(3));
        journal.age(WINDOW + 1_999);
        assert_eq!(journal.states.iter().map(|state| state.tag).collect::<Vec<_>>(), [tag(1), tag(2), tag(3)]);
        assert!(journal.changes.iter().all(|change| change.tag != tag(1)));
        journal.age(i64::MAX);
        assert_eq!((journal.states.len(), journal.changes.len()), (1, 0), "the last one says where the browser stands");
        assert!(!journal.cut());
    }

    #[test]
    fn a_save_of_somebody_else_that_is_not_whole_is_never_the_first() {
        let mut journal = saves(1);
        journal.rest_on(X, false, 1_500);
        journal.add(tag(2), 2_000, &data(&[("2", "1")]));
        assert!(journal.cut());
        assert_eq!(journal.states[0].tag, tag(1));
        assert!(journal.cut());
        assert_eq!((journal.states[0].tag, journal.states.len()), (tag(2), 1));
    }

    #[test]
    fn eight_saves_are_carried() {
        let journal = saves(40);
        assert_eq!((journal.states.len(), journal.states[0].tag), (8, tag(33)));
        assert_eq!(journal.changes.len(), MAX_STATES - 1);
    }

    #[test]
    fn a_save_comes_after_all_that_is_known_but_no_clock_is_believed_too_far() {
        let mut head = record(&[P], &[]).head;
        assert_eq!(Journal::next_time(None, &head, 5_000, 100), 5_000);
        assert_eq!(Journal::next_time(Some(&saves(3)), &head, 5_000, 100), 5_000);
        assert_eq!(Journal::next_time(Some(&saves(6)), &head, 5_950, 100), 6_001);
        head.note(b"\"a\"", 5_999);
        assert_eq!(Journal::next_time(None, &head, 5_950, 100), 6_000);
        assert_eq!(Journal::next_time(Some(&saves(60)), &head, 5_000, 100), 5_100);
        assert_eq!(Journal::next_time(None, &head, i64::MAX, 100), i64::MAX);
    }
}
