//! Puts in flight: begun, and not acknowledged yet.

use alloc::rc::Rc;

use super::record::OwnRecord;
use super::{INTERVAL, IsolateMemory, is_within};
use crate::session::record_header::RecordHeader;
use crate::session::saving::Group;
use crate::session::storage_key::StorageKey;

/// Identifies one put of this isolate.
pub(crate) type Ticket = u64;

/// A put in flight.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) ticket: Ticket,
    pub(super) record: OwnRecord,
    pub(super) group: Option<Rc<Group>>,
}

impl IsolateMemory {
    /// Registers a put of these bytes that begins now. Returns its ticket.
    pub(crate) fn begin_flight(&self, key: &StorageKey, head: &RecordHeader, bytes: &[u8], now: i64) -> Ticket {
        let mut memory = self.0.borrow_mut();
        let ticket = memory.next_ticket();
        let lane = memory.enter(key, bytes.len(), now);
        lane.flight = Some(Flight { ticket, record: OwnRecord::new(head, bytes, now), group: None });
        ticket
    }

    /// Sets the bytes of a group whose put begins: one that [`poll_group`](Self::poll_group) returned as due.
    pub(crate) fn set_group_bytes(&self, key: &StorageKey, bytes: &[u8]) {
        let mut memory = self.0.borrow_mut();
        if let Some(flight) = memory.lane_mut(key).and_then(|lane| lane.flight.as_mut()) {
            flight.record.bytes = bytes.into();
        }
        memory.bytes = memory.bytes.saturating_add(bytes.len());
    }

    /// Registers the acknowledgement of a put. Returns false if the put had counted as lost and others went on without it: then
    /// the store may contain either of them without the other.
    pub(crate) fn acknowledge_put(&self, key: &StorageKey, ticket: Ticket, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        // The record was forgotten: its key was revoked, or it has expired from the memory.
        let Some(lane) = memory.lane_mut(key) else { return true };
        // mutation: landed-flight
        let is_this = |flight: &mut Flight| flight.ticket == ticket;
        let flight = match (lane.flight.take_if(is_this), lane.overdue.take_if(is_this)) {
            (Some(flight), _) => Some(flight),
            (None, Some(flight)) => {
                let is_last = lane.acknowledged.as_ref().is_none_or(|last| last.at <= flight.record.at);
                Some(flight).filter(|_| is_last && lane.flight.is_none() && lane.pending.is_none())
            }
            (None, None) => None,
        };
        let counts = flight.is_some();
        if let Some(mut flight) = flight {
            flight.record.at = now;
            lane.used = now;
            lane.acknowledged = Some(flight.record);
            lane.finished.extend(flight.group.map(|group| (ticket, now, group)));
        }
        counts
    }

    /// Registers the failure of a put. The next one waits for `pause` milliseconds.
    pub(crate) fn fail_put(&self, key: &StorageKey, ticket: Ticket, pause: i64, now: i64) {
        let mut memory = self.0.borrow_mut();
        let Some(lane) = memory.lane_mut(key) else { return };
        lane.overdue.take_if(|flight| flight.ticket == ticket);
        if lane.flight.take_if(|flight| flight.ticket == ticket).is_some() {
            lane.not_before = now.saturating_add(pause); // mutation: pause-after-failure
            let soon = lane.acknowledged.as_ref().is_some_and(|last| is_within(last.at, now, INTERVAL));
            memory.limits_writes |= soon; // mutation: write-limit
        }
    }

    /// Removes a put that did not fail: it met a record under a new key, or was never begun.
    pub(crate) fn withdraw_put(&self, key: &StorageKey, ticket: Ticket) {
        let mut memory = self.0.borrow_mut();
        if let Some(lane) = memory.lane_mut(key) {
            lane.flight.take_if(|flight| flight.ticket == ticket);
        }
    }
}
