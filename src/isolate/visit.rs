//! The recent visits of users' sessions in this isolate, so that not every visit reads its entry.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{IsolateMemory, is_within};

/// The maximum number of sessions whose visits are remembered.
const MAX_VISITS: usize = 512;

/// What the entry of a session says, as this isolate knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// The last visit in the entry, in milliseconds of Unix time.
    pub(crate) seen: i64,
    /// The end of the session in the entry, in microseconds of Unix time.
    pub(crate) end: i64,
    pub(crate) rotations: u16,
}

/// How much older than a visit an entry may be, in milliseconds, and how far the end of the session may have moved.
pub(crate) const HOUR: i64 = 3_600_000;

impl Visit {
    /// Returns whether an entry that says this is good enough for another visit.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        is_within(self.seen, other.seen, HOUR) // mutation: hour-of-visit
            && is_within(self.end / 1_000, other.end / 1_000, HOUR) // mutation: end-of-visit
            && self.rotations == other.rotations
    }
}

impl IsolateMemory {
    /// Returns what the entry with this public id says.
    pub(crate) fn visit(&self, id: &str) -> Option<Visit> {
        self.0.borrow().visits.iter().find(|(known, _)| **known == *id).map(|(_, visit)| *visit)
    }

    /// Remembers what an entry says. Forgets the oldest one if there are too many.
    pub(crate) fn remember_visit(&self, id: &str, visit: Visit) {
        let visits = &mut self.0.borrow_mut().visits;
        visits.retain(|(known, _)| **known != *id);
        if visits.len() >= MAX_VISITS {
            visits.remove(0);
        }
        visits.push((id.into(), visit));
    }
}

/// The visits of an isolate, the oldest first.
pub(super) type Visits = Vec<(Box<str>, Visit)>;
