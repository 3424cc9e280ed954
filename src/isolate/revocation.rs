//! The revocations that an isolate wrote, and the two kinds of tombstones.

use super::{IsolateMemory, REMEMBERED, is_within};
use crate::session::storage_key::StorageKey;

/// How long a rotation is remembered whose tombstone was not acknowledged, in milliseconds: its request may have vanished.
const UNACKNOWLEDGED: i64 = 15_000;

/// How long a rotated key counts as superseded instead of revoked, in milliseconds.
const SUPERSEDED: i64 = 100_000;

/// The prefix of the tombstone of a rotated key, and of one of an ended session.
pub(crate) const CYCLED: &[u8] = b"{\"edge-session\":1,\"cycled\":";
pub(crate) const ENDED: &[u8] = b"{\"edge-session\":1,\"ended\":";

/// The reason why a key opens no session any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revocation {
    /// The session ended.
    Ended,
    /// The session continues under another key since `at`, in milliseconds of Unix time.
    Cycled { at: i64 },
}

impl Revocation {
    /// Reads a tombstone. An unreadable one counts as the end of the session.
    pub(crate) fn read(tombstone: &[u8]) -> Self {
        let micros = tombstone.strip_prefix(CYCLED).and_then(|rest| rest.strip_suffix(b"}"));
        match micros.and_then(crate::json::integer) {
            Some(micros) => Self::Cycled { at: micros.div_euclid(1_000) },
            None => Self::Ended,
        }
    }

    /// Returns whether the key was rotated so recently that requests with it may still be under way.
    pub(crate) const fn is_superseding(self, now: i64) -> bool {
        // mutation: superseding
        matches!(self, Self::Cycled { at } if now.saturating_sub(at) <= SUPERSEDED)
    }
}

/// A revocation that this isolate wrote, at this time.
#[derive(Clone, Copy, Debug)]
pub(super) struct RevocationMark {
    revocation: Revocation,
    at: i64,
    acknowledged: bool,
}

impl IsolateMemory {
    /// Returns the revocation that this isolate wrote under a tombstone's storage key.
    pub(crate) fn revocation(&self, tombstone: &StorageKey, now: i64) -> Option<Revocation> {
        let mark = self.0.borrow().lane(tombstone)?.mark?;
        let is_cycled = matches!(mark.revocation, Revocation::Cycled { .. });
        // mutation: acknowledged-rotation
        let lasts = if is_cycled && !mark.acknowledged { UNACKNOWLEDGED } else { REMEMBERED };
        is_within(mark.at, now, lasts).then_some(mark.revocation)
    }

    /// Returns the revocation that this isolate wrote before `acknowledged`, the time at which a put of the record was
    /// acknowledged.
    pub(crate) fn revoked_before(&self, tombstone: &StorageKey, acknowledged: i64, now: i64) -> Option<Revocation> {
        let since = self.0.borrow().lane(tombstone)?.mark?.at;
        self.revocation(tombstone, now).filter(|_| since <= acknowledged)
    }

    /// Remembers a revocation, before its tombstone is put. A rotation does not replace an end.
    pub(crate) fn mark(&self, tombstone: &StorageKey, revocation: Revocation, now: i64) {
        let mut memory = self.0.borrow_mut();
        let lane = memory.enter(tombstone, 0, now);
        // mutation: end-is-final
        if revocation == Revocation::Ended || lane.mark.is_none_or(|mark| mark.revocation != Revocation::Ended) {
            lane.mark = Some(RevocationMark { revocation, at: now, acknowledged: false });
        }
    }

    /// Returns whether this isolate recently put a tombstone that was acknowledged.
    pub(crate) fn is_revoked(&self, tombstone: &StorageKey, now: i64) -> bool {
        let memory = self.0.borrow();
        let mark = memory.lane(tombstone).and_then(|lane| lane.mark);
        mark.is_some_and(|mark| mark.acknowledged && is_within(mark.at, now, REMEMBERED))
    }

    /// Records that the tombstone of a revocation was acknowledged. That of a rotation does not acknowledge an end.
    pub(crate) fn acknowledge_revocation(&self, tombstone: &StorageKey, revocation: Revocation) {
        let mut memory = self.0.borrow_mut();
        if let Some(mark) = memory.lane_mut(tombstone).and_then(|lane| lane.mark.as_mut()) {
            // mutation: acknowledged-end
            mark.acknowledged |= revocation == Revocation::Ended || mark.revocation != Revocation::Ended;
        }
    }
}
