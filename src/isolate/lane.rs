//! The lane of one storage key: its put in flight, the group that waits behind it, and the login that holds it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::flight::{Flight, Ticket};
use super::group::PendingGroup;
use super::record::OwnRecord;
use super::revocation::RevocationMark;
use super::{INTERVAL, IsolateMemory, is_within};
use crate::session::saving::Group;
use crate::session::storage_key::StorageKey;

/// After this time, a put in flight or a login that holds a lane counts as lost, in milliseconds.
const LOST: i64 = 5_000;

/// After this time, no acknowledgement of a put is expected any more, in milliseconds.
const OVERDUE: i64 = 30_000;

/// After this time without a poll, a group is dropped, in milliseconds.
const ABANDONED: i64 = 2_500;

/// The writes of this isolate under one storage key.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) key: StorageKey,
    pub(super) used: i64,
    /// The revocation, if the key is that of a tombstone.
    pub(super) mark: Option<RevocationMark>,
    /// The newest record that was put here and acknowledged.
    pub(super) acknowledged: Option<OwnRecord>,
    pub(super) flight: Option<Flight>,
    /// A put that counts as lost, and may still be acknowledged.
    pub(super) overdue: Option<Flight>,
    pub(super) pending: Option<Box<PendingGroup>>,
    /// The groups that were recently acknowledged, for members that have not polled since.
    pub(super) finished: Vec<(Ticket, i64, Rc<Group>)>,
    /// The earliest time of the next put, after one that failed.
    pub(super) not_before: i64,
    /// The time at which a login took the lane.
    pub(super) held: Option<i64>,
}

impl Lane {
    pub(super) const fn new(key: StorageKey) -> Self {
        Self {
            key,
            used: 0,
            mark: None,
            acknowledged: None,
            flight: None,
            overdue: None,
            pending: None,
            finished: Vec::new(),
            not_before: i64::MIN,
            held: None,
        }
    }

    /// Drops everything that counts as lost.
    pub(super) fn expire(&mut self, now: i64) {
        // mutation: flight-is-gone
        if let Some(flight) = self.flight.take_if(|flight| !is_within(flight.record.at, now, LOST)) {
            self.overdue = Some(flight);
        }
        self.overdue.take_if(|flight| !is_within(flight.record.at, now, OVERDUE));
        self.pending.take_if(|pending| !is_within(pending.polled, now, ABANDONED)); // mutation: group-is-abandoned
        self.held.take_if(|since| !is_within(*since, now, LOST)); // mutation: hold-is-gone
        self.finished.retain(|(_, at, _)| is_within(*at, now, ABANDONED));
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.flight.is_none() && self.pending.is_none() && self.held.is_none()
    }

    /// Returns the earliest time of the next put. A time too far ahead is ignored: the clock was set back since.
    pub(super) fn due(&self, limits_writes: bool, now: i64) -> i64 {
        let last = self.acknowledged.as_ref().filter(|_| limits_writes);
        let interval = last.map_or(i64::MIN, |last| last.at.saturating_add(INTERVAL));
        let due = interval.max(self.not_before);
        if is_within(due, now, LOST) { due } else { now }
    }

    pub(super) fn size(&self) -> usize {
        let flights = self.flight.iter().chain(&self.overdue).map(|flight| &flight.record);
        self.acknowledged.iter().chain(flights).map(|record| record.bytes.len()).fold(0, usize::saturating_add)
    }
}

impl IsolateMemory {
    /// Returns whether no put under the key is in flight or pending.
    pub(crate) fn is_quiet(&self, key: &StorageKey, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        memory.lane_mut(key).is_none_or(|lane| {
            lane.expire(now);
            lane.flight.is_none() && lane.pending.is_none()
        })
    }

    /// Lets a login hold the lane of the key that it replaces, unless a put is in flight or pending there. Returns whether it
    /// does.
    pub(crate) fn hold(&self, key: &StorageKey, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        let lane = memory.enter(key, 0, now);
        lane.expire(now);
        let is_free = lane.flight.is_none() && lane.pending.is_none();
        if is_free {
            lane.held = Some(now); // mutation: lane-of-login
        }
        is_free
    }

    /// Returns whether a login has to wait for puts in flight or pending, or another save for the login that holds the lane.
    pub(crate) fn is_taken(&self, key: &StorageKey, is_login: bool, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        let Some(lane) = memory.lane_mut(key) else { return false };
        lane.expire(now);
        if is_login { lane.flight.is_some() || lane.pending.is_some() } else { lane.held.is_some() }
    }

    /// Ends the hold of a login on a lane.
    pub(crate) fn release(&self, key: &StorageKey) {
        if let Some(lane) = self.0.borrow_mut().lane_mut(key) {
            lane.held = None;
        }
    }
}
