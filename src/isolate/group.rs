//! Group commit: saves that meet in a lane wait for one put.

use alloc::boxed::Box;
use alloc::rc::Rc;

use super::IsolateMemory;
use super::flight::{Flight, Ticket};
use super::record::{NewestRecord, OwnRecord};
use crate::session::saving::Group;
use crate::session::storage_key::StorageKey;

/// A group that was not put yet.
#[derive(Debug)]
pub(crate) struct PendingGroup {
    pub(crate) ticket: Ticket,
    pub(crate) group: Group,
    pub(super) polled: i64,
}

/// The answer of a lane to a save.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Put the record now.
    Free,
    /// Begin a group: the store does not accept a write yet.
    TooSoon,
    /// Begin a group on this record: the one in flight, reconciled with the stored one.
    Behind(NewestRecord),
    /// Join this group, and return it with [`IsolateMemory::return_group`].
    Join(Box<PendingGroup>),
    /// Wait for the login that holds the lane.
    Held,
}

/// The state of a group, for one of its members.
#[derive(Debug)]
pub(crate) enum GroupState {
    /// Wait for this many milliseconds, or for the usual time.
    Wait(Option<i64>),
    /// It is due: put it.
    Due(Rc<Group>),
    /// Its put was acknowledged at this time.
    Acknowledged(Rc<Group>, i64),
    /// It failed, or it was forgotten.
    Gone,
}

impl IsolateMemory {
    /// Asks the lane of `key` whether a save may put its record.
    pub(crate) fn admit(&self, key: &StorageKey, stored: Option<&[u8]>, now: i64) -> Admission {
        let mut memory = self.0.borrow_mut();
        let limits_writes = memory.limits_writes;
        let Some(lane) = memory.lane_mut(key) else { return Admission::Free };
        lane.expire(now);
        // mutation: save-behind-flight
        match (lane.held, lane.pending.take(), &lane.flight) {
            (Some(_), pending, _) => {
                lane.pending = pending;
                Admission::Held
            }
            (None, Some(pending), _) => Admission::Join(pending),
            (None, None, Some(flight)) => {
                let stored = stored.map_or_else(|| flight.record.bytes.to_vec(), <[u8]>::to_vec);
                let (bytes, merged) = flight.record.reconcile(stored);
                Admission::Behind(NewestRecord { bytes: Some(bytes), merged })
            }
            (None, None, None) if lane.due(limits_writes, now) > now => Admission::TooSoon,
            (None, None, None) => Admission::Free,
        }
    }

    /// Begins a group of saves. Returns its ticket.
    pub(crate) fn begin_group(&self, key: &StorageKey, group: Group, now: i64) -> Ticket {
        let mut memory = self.0.borrow_mut();
        let ticket = memory.next_ticket();
        memory.enter(key, 0, now).pending = Some(Box::new(PendingGroup { ticket, group, polled: now }));
        ticket
    }

    /// Returns a group that [`admit`](Self::admit) has handed out to the lane.
    pub(crate) fn return_group(&self, key: &StorageKey, pending: Box<PendingGroup>) {
        if let Some(lane) = self.0.borrow_mut().lane_mut(key) {
            lane.pending = Some(pending);
        }
    }

    /// Returns the state of a group, for one of its members. The member that receives [`GroupState::Due`] has to put the group.
    pub(crate) fn poll_group(&self, key: &StorageKey, ticket: Ticket, now: i64) -> GroupState {
        let mut memory = self.0.borrow_mut();
        let limits_writes = memory.limits_writes;
        let Some(lane) = memory.lane_mut(key) else { return GroupState::Gone };
        if let Some((_, acknowledged, group)) = lane.finished.iter().find(|(finished, ..)| *finished == ticket) {
            return GroupState::Acknowledged(Rc::clone(group), *acknowledged);
        }
        if let Some(pending) = lane.pending.as_mut().filter(|pending| pending.ticket == ticket) {
            pending.polled = now;
        }
        lane.expire(now);
        let is_free = lane.flight.is_none() && lane.held.is_none();
        let due = lane.due(limits_writes, now);
        match (&lane.flight, lane.pending.take()) {
            (flight, Some(pending)) if pending.ticket == ticket => {
                if flight.is_some() || !is_free || due > now {
                    lane.pending = Some(pending);
                    return GroupState::Wait(is_free.then(|| due.saturating_sub(now)));
                }
                let group = Rc::new(pending.group);
                let record = OwnRecord::new(&group.head, &[], now);
                lane.flight = Some(Flight { ticket, record, group: Some(Rc::clone(&group)) });
                GroupState::Due(group)
            }
            (flight, other) => {
                let is_flying = flight.as_ref().is_some_and(|flight| flight.ticket == ticket);
                lane.pending = other;
                if is_flying { GroupState::Wait(None) } else { GroupState::Gone }
            }
        }
    }
}
