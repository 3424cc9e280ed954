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
        let known = times.max().unwrap_or(now).saturating_add(1);
        known.clamp(now, now.saturating_add(skew))
    }

    /// Puts back what the record lacks of this browser's saves. False, and nothing is done, where it lacks more than that.
    pub(crate) fn repair(&self, record: &mut Record) -> bool {
        let Some(known) = self.known(&record.head.tags) else { return false };
        let Record { head, data } = record;
        for state in self.states.iter().skip(known.saturating_add(1)) {
            if state.kind == Kind::Own && !head.tags.contains(&state.tag) {
                self.apply(state, head, data);
                // Behind the record's own last tag, by which it is known.
                head.tags.insert(head.tags.len().min(1), state.tag);
            }
        }
        true
    }

    /// Puts back all that this browser changed, whatever else the record lacks.
    pub(crate) fn force(&self, record: &mut Record) {
        let Record { head, data } = record;
        for state in &self.states {
            self.apply(state, head, data);
        }
    }

    fn apply(&self, state: &State, head: &mut Head, data: &mut Data) {
        for Change { key, value, .. } in self.changes.iter().filter(|change| change.tag == state.tag) {
            if !head.is_written_since(key, state.time) {
                match value {
                    Some(value) => data.put(key, value.clone(), false),
                    None => _ = data.take(key),
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
