//! Isolate memory: what one running instance of a Worker remembers of its own recent writes, and the lane in which it writes
//! each key.
//!
//! Workers KV takes one write a second under a key and shows it elsewhere up to a minute later. Inside one isolate both can be
//! made up for: a load consults the records that were put here, and saves that meet are put together (*group commit*).
//!
//! Only plain data are shared. No promise, waker or task crosses requests: each request polls by its own timer, and whichever
//! finds the group due puts it. A request that vanishes leaves nothing waiting, since a put of over 5 seconds counts as gone and
//! a group that no request polls is dropped.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::revoke::Revocation;
use crate::session::identity::Tag;
use crate::session::limits::MAX_TAGS;
use crate::session::reconcile;
use crate::session::record::{self, Decoded};
use crate::session::record_header::RecordHeader;
use crate::session::saving::Group;
use crate::session::storage_key::StorageKey;

/// For how long a record or a revocation is remembered, in milliseconds: longer than KV may hide it.
const REMEMBERED: i64 = 130_000; // mutation: memory-lasts

/// For how long a rotation is remembered whose tombstone was not acknowledged, in milliseconds: its request may have vanished.
const UNACKNOWLEDGED: i64 = 15_000;

/// After so many milliseconds a put in flight, or a login that holds a lane, counts as gone.
const GONE: i64 = 5_000;

/// After so many milliseconds no put is acknowledged any more.
const OVERDUE: i64 = 30_000;

/// A group that no request polled for so many milliseconds is dropped.
const ABANDONED: i64 = 2_500;

/// The write interval of a store that limits the writes under one key, in milliseconds: KV's second and a margin.
const INTERVAL: i64 = 1_020;

/// The most keys that are remembered, and the most bytes of their records.
const MAX_LANES: usize = 512;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What one isolate remembers of its own recent saves and revocations. Clones share it.
///
/// A store that several [`Sessions`](crate::Sessions) of one isolate use returns the same memory to each of them, from
/// [`Store::memory`](crate::Store::memory).
///
/// ```
/// use edge_session::{IsolateMemory, Op, Page, Result, Store, StorageKey, Written};
///
/// struct Shared<S> {
///     store: S,
///     memory: IsolateMemory,
/// }
///
/// impl<S: Store> Store for Shared<S> {
///     async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
///         self.store.read(keys).await
///     }
///     async fn write(&self, ops: Vec<Op>) -> Result<Written> {
///         self.store.write(ops).await
///     }
///     async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
///         self.store.list(prefix, cursor).await
///     }
///     fn memory(&self) -> IsolateMemory {
///         self.memory.clone()
///     }
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct IsolateMemory(Rc<RefCell<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    /// In the order of their storage keys. Each is boxed, so that inserting one moves pointers only.
    #[allow(clippy::vec_box, reason = "lanes are large, and inserted in the middle")]
    lanes: Vec<Box<Lane>>,
    /// The bytes of all records that are remembered or in flight.
    bytes: usize,
    /// Whether the store was seen to refuse a write that came within the interval.
    limits_writes: bool,
    last_ticket: Ticket,
}

/// Identifies one put of this isolate.
pub(super) type Ticket = u64;

/// What was written under one storage key.
#[derive(Debug)]
struct Lane {
    key: StorageKey,
    used: i64,
    /// The revocation, where the key is that of a tombstone.
    mark: Option<Mark>,
    /// The newest record that was put here and acknowledged.
    landed: Option<Landed>,
    flight: Option<Flight>,
    /// A put that counts as gone, and may be acknowledged after all.
    overdue: Option<Flight>,
    pending: Option<Box<Pending>>,
    /// The groups that landed a moment ago, for members that have not polled since.
    finished: Vec<(Ticket, i64, Rc<Group>)>,
    /// No put before this time, after one that failed.
    not_before: i64,
    /// Since when a login holds the lane.
    held: Option<i64>,
}

#[derive(Debug)]
struct Landed {
    bytes: Rc<[u8]>,
    tags: Vec<Tag>,
    generation: u32,
    at: i64,
}

/// A put that was not acknowledged yet.
#[derive(Debug)]
struct Flight {
    ticket: Ticket,
    record: Landed,
    group: Option<Rc<Group>>,
}

/// A group that was not put yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) ticket: Ticket,
    pub(super) group: Group,
    polled: i64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    revocation: Revocation,
    at: i64,
    acknowledged: bool,
}

/// The newest record that is known of a session.
#[derive(Debug)]
pub(super) struct Newest {
    /// What the store gave, or what this isolate put, or both merged.
    pub(super) bytes: Option<Vec<u8>>,
    /// The save that was merged in, where the two were written apart.
    pub(super) merged: Option<Tag>,
}

impl Newest {
    /// The size limit for its bytes: the setting's. Two records that were merged here may exceed it together.
    pub(super) fn limit(&self, max_record_bytes: usize) -> usize {
        if self.merged.is_some() { usize::MAX } else { max_record_bytes }
    }
}

/// What a save has to do before its put.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nothing: it can be put now.
    Free,
    /// Begin a group, since the store takes no write yet.
    TooSoon,
    /// Begin a group on the record that is in flight, as far as it is newer than what is stored.
    Behind(Newest),
    /// Join this group, which is given back with [`IsolateMemory::put_back`].
    Join(Box<Pending>),
    /// Wait until the login that holds the lane is over.
    Held,
}

/// The state of a group, for one of its members.
#[derive(Debug)]
pub(super) enum Poll {
    /// Wait for so many milliseconds, or the usual time.
    Wait(Option<i64>),
    /// It is due: put it.
    Put(Rc<Group>),
    /// It landed, at this time.
    Landed(Rc<Group>, i64),
    /// It failed, or it was forgotten.
    Gone,
}

impl IsolateMemory {
    /// The newest record under `key`: what the store gave, or what was put here if that is newer, or both merged.
    pub(super) fn newest(&self, key: &StorageKey, stored: Option<Vec<u8>>, now: i64) -> Newest {
        let memory = self.0.borrow();
        let landed = memory.lane(key).and_then(|lane| lane.landed.as_ref());
        match (landed.filter(|landed| is_within(landed.at, now, REMEMBERED)), stored) {
            (None, bytes) => Newest { bytes, merged: None },
            (Some(landed), None) => Newest { bytes: Some(landed.bytes.to_vec()), merged: None },
            (Some(landed), Some(bytes)) => {
                let (bytes, merged) = landed.reconcile(bytes);
                Newest { bytes: Some(bytes), merged }
            }
        }
    }

    /// The revocation that was written here under a tombstone's storage key.
    pub(super) fn revocation(&self, tombstone: &StorageKey, now: i64) -> Option<Revocation> {
        let mark = self.0.borrow().lane(tombstone)?.mark?;
        let is_cycled = matches!(mark.revocation, Revocation::Cycled { .. });
        // mutation: acknowledged-rotation
        let lasts = if is_cycled && !mark.acknowledged { UNACKNOWLEDGED } else { REMEMBERED };
        is_within(mark.at, now, lasts).then_some(mark.revocation)
    }

    /// The revocation that was written here before `landed`, when a put under the key was acknowledged.
    pub(super) fn revoked_before(&self, tombstone: &StorageKey, landed: i64, now: i64) -> Option<Revocation> {
        let since = self.0.borrow().lane(tombstone)?.mark?.at;
        self.revocation(tombstone, now).filter(|_| since <= landed)
    }

    /// Remembers a revocation, before its tombstone is put. What ended stays ended.
    pub(super) fn mark(&self, tombstone: &StorageKey, revocation: Revocation, now: i64) {
        let mut memory = self.0.borrow_mut();
        let lane = memory.enter(tombstone, 0, now);
        // mutation: end-is-final
        if revocation == Revocation::Ended || lane.mark.is_none_or(|mark| mark.revocation != Revocation::Ended) {
            lane.mark = Some(Mark { revocation, at: now, acknowledged: false });
        }
    }

    /// Whether a tombstone was put here a moment ago, and acknowledged.
    pub(super) fn is_revoked(&self, tombstone: &StorageKey, now: i64) -> bool {
        let memory = self.0.borrow();
        let mark = memory.lane(tombstone).and_then(|lane| lane.mark);
        mark.is_some_and(|mark| mark.acknowledged && is_within(mark.at, now, REMEMBERED))
    }

    /// Records that the tombstone of a revocation was acknowledged.
    pub(super) fn acknowledge(&self, tombstone: &StorageKey) {
        let mut memory = self.0.borrow_mut();
        if let Some(mark) = memory.lane_mut(tombstone).and_then(|lane| lane.mark.as_mut()) {
            mark.acknowledged = true;
        }
    }

    /// Forgets the record under a key, and what is on its way there: it is being deleted.
    pub(super) fn forget(&self, key: &StorageKey) {
        let mut memory = self.0.borrow_mut();
        if let Ok(place) = memory.place(key) {
            memory.lanes.remove(place); // mutation: forgotten-record
            memory.count();
        }
    }

    /// What a save of the record under `key` has to do before its put.
    pub(super) fn turn(&self, key: &StorageKey, stored: Option<&[u8]>, now: i64) -> Turn {
        let mut memory = self.0.borrow_mut();
        let limits_writes = memory.limits_writes;
        let Some(lane) = memory.lane_mut(key) else { return Turn::Free };
        lane.expire(now);
        // mutation: save-behind-flight
        match (lane.held, lane.pending.take(), &lane.flight) {
            (Some(_), pending, _) => {
                lane.pending = pending;
                Turn::Held
            }
            (None, Some(pending), _) => Turn::Join(pending),
            (None, None, Some(flight)) => {
                let stored = stored.map_or_else(|| flight.record.bytes.to_vec(), <[u8]>::to_vec);
                let (bytes, merged) = flight.record.reconcile(stored);
                Turn::Behind(Newest { bytes: Some(bytes), merged })
            }
            (None, None, None) if lane.due(limits_writes, now) > now => Turn::TooSoon,
            (None, None, None) => Turn::Free,
        }
    }

    /// Whether no put under the key is on its way or planned.
    pub(super) fn is_quiet(&self, key: &StorageKey, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        memory.lane_mut(key).is_none_or(|lane| {
            lane.expire(now);
            lane.flight.is_none() && lane.pending.is_none()
        })
    }

    /// Begins a group of saves. Returns its ticket.
    pub(super) fn begin_group(&self, key: &StorageKey, group: Group, now: i64) -> Ticket {
        let mut memory = self.0.borrow_mut();
        let ticket = memory.next_ticket();
        memory.enter(key, 0, now).pending = Some(Box::new(Pending { ticket, group, polled: now }));
        ticket
    }

    /// Puts a group back that [`turn`](Self::turn) gave out.
    pub(super) fn put_back(&self, key: &StorageKey, pending: Box<Pending>) {
        if let Some(lane) = self.0.borrow_mut().lane_mut(key) {
            lane.pending = Some(pending);
        }
    }

    /// Records that a put of these bytes begins. Returns its ticket.
    pub(super) fn begin_flight(&self, key: &StorageKey, head: &RecordHeader, bytes: &[u8], now: i64) -> Ticket {
        let mut memory = self.0.borrow_mut();
        let ticket = memory.next_ticket();
        let lane = memory.enter(key, bytes.len(), now);
        lane.flight = Some(Flight { ticket, record: Landed::new(head, bytes, now), group: None });
        memory.count();
        ticket
    }

    /// Records the bytes of a group whose put begins; [`poll`](Self::poll) has given it out.
    pub(super) fn set_bytes(&self, key: &StorageKey, bytes: &[u8]) {
        let mut memory = self.0.borrow_mut();
        if let Some(flight) = memory.lane_mut(key).and_then(|lane| lane.flight.as_mut()) {
            flight.record.bytes = bytes.into();
        }
        memory.count();
    }

    /// The state of a group, for one of its members. The member to which it is given as due has to put it.
    pub(super) fn poll(&self, key: &StorageKey, ticket: Ticket, now: i64) -> Poll {
        let mut memory = self.0.borrow_mut();
        let limits_writes = memory.limits_writes;
        let Some(lane) = memory.lane_mut(key) else { return Poll::Gone };
        if let Some((_, landed, group)) = lane.finished.iter().find(|(finished, ..)| *finished == ticket) {
            return Poll::Landed(Rc::clone(group), *landed);
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
                    return Poll::Wait(is_free.then(|| due.saturating_sub(now)));
                }
                let group = Rc::new(pending.group);
                let record = Landed::new(&group.head, &[], now);
                lane.flight = Some(Flight { ticket, record, group: Some(Rc::clone(&group)) });
                Poll::Put(group)
            }
            (flight, other) => {
                let is_flying = flight.as_ref().is_some_and(|flight| flight.ticket == ticket);
                lane.pending = other;
                if is_flying { Poll::Wait(None) } else { Poll::Gone }
            }
        }
    }

    /// Records that a put was acknowledged. False where it had counted as gone, and others went on without it: what the store
    /// holds now may lack it, or lack what was put since.
    pub(super) fn landed(&self, key: &StorageKey, ticket: Ticket, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        // The record was forgotten: its key has ended, or so much time has passed that nothing is known any more.
        let Some(lane) = memory.lane_mut(key) else { return true };
        // mutation: landed-flight
        let is_it = |flight: &mut Flight| flight.ticket == ticket;
        let landed = match (lane.flight.take_if(is_it), lane.overdue.take_if(is_it)) {
            (Some(flight), _) => Some(flight),
            (None, Some(flight)) => {
                let is_last = lane.landed.as_ref().is_none_or(|landed| landed.at <= flight.record.at);
                Some(flight).filter(|_| is_last && lane.flight.is_none() && lane.pending.is_none())
            }
            (None, None) => None,
        };
        let counts = landed.is_some();
        if let Some(mut flight) = landed {
            flight.record.at = now;
            lane.used = now;
            lane.landed = Some(flight.record);
            lane.finished.extend(flight.group.map(|group| (ticket, now, group)));
        }
        memory.count();
        counts
    }

    /// The last save that was put here under a key and acknowledged.
    pub(super) fn last_tag(&self, key: &StorageKey, now: i64) -> Option<Tag> {
        let memory = self.0.borrow();
        let landed = memory.lane(key)?.landed.as_ref().filter(|landed| is_within(landed.at, now, REMEMBERED))?;
        landed.tags.first().copied()
    }

    /// Remembers a record that the store holds: a put that failed had landed after all.
    pub(super) fn remember(&self, key: &StorageKey, head: &RecordHeader, bytes: &[u8], now: i64) {
        let mut memory = self.0.borrow_mut();
        let lane = memory.enter(key, bytes.len(), now);
        lane.landed = Some(Landed::new(head, bytes, now));
        memory.count();
    }

    /// Records that a put failed. The next one waits for `pause` milliseconds.
    pub(super) fn failed(&self, key: &StorageKey, ticket: Ticket, pause: i64, now: i64) {
        let mut memory = self.0.borrow_mut();
        let Some(lane) = memory.lane_mut(key) else { return };
        lane.overdue.take_if(|flight| flight.ticket == ticket);
        if lane.flight.take_if(|flight| flight.ticket == ticket).is_some() {
            lane.not_before = now.saturating_add(pause); // mutation: pause-after-failure
            let soon = lane.landed.as_ref().is_some_and(|landed| is_within(landed.at, now, INTERVAL));
            memory.limits_writes |= soon; // mutation: write-limit
        }
        memory.count();
    }

    /// Drops a put that the store did not refuse: it met a record under a new key, or was not begun at all.
    pub(super) fn withdraw(&self, key: &StorageKey, ticket: Ticket) {
        let mut memory = self.0.borrow_mut();
        if let Some(lane) = memory.lane_mut(key) {
            lane.flight.take_if(|flight| flight.ticket == ticket);
        }
        memory.count();
    }

    /// Has a login hold the lane of the key that it replaces, unless a save is on its way there.
    pub(super) fn hold(&self, key: &StorageKey, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        let lane = memory.enter(key, 0, now);
        lane.expire(now);
        let is_free = lane.flight.is_none() && lane.pending.is_none();
        if is_free {
            lane.held = Some(now); // mutation: lane-of-login
        }
        is_free
    }

    /// Whether a login has to wait for saves that are on their way, or another save for the login that holds the lane.
    pub(super) fn is_taken(&self, key: &StorageKey, is_login: bool, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        let Some(lane) = memory.lane_mut(key) else { return false };
        lane.expire(now);
        if is_login { lane.flight.is_some() || lane.pending.is_some() } else { lane.held.is_some() }
    }

    /// Ends the hold of a login.
    pub(super) fn release(&self, key: &StorageKey) {
        if let Some(lane) = self.0.borrow_mut().lane_mut(key) {
            lane.held = None;
        }
    }
}

impl Memory {
    /// The place of a key's lane, or the place where it belongs.
    fn place(&self, key: &StorageKey) -> Result<usize, usize> {
        self.lanes.binary_search_by(|lane| lane.key.as_str().cmp(key.as_str()))
    }

    fn lane(&self, key: &StorageKey) -> Option<&Lane> {
        Some(self.lanes.get(self.place(key).ok()?)?)
    }

    fn lane_mut(&mut self, key: &StorageKey) -> Option<&mut Lane> {
        let place = self.place(key).ok()?;
        Some(self.lanes.get_mut(place)?)
    }

    /// The lane of a key, which is used now, with room for a record of so many bytes.
    fn enter(&mut self, key: &StorageKey, bytes: usize, now: i64) -> &mut Lane {
        self.make_room(bytes, now);
        let place = match self.place(key) {
            Ok(place) => place,
            Err(place) => {
                self.lanes.insert(place, Box::new(Lane::new(key.clone())));
                place
            }
        };
        // It was inserted above, so the place exists.
        let last = self.lanes.len().saturating_sub(1);
        #[allow(clippy::indexing_slicing, reason = "the place is in bounds: the lane was found or inserted there")]
        let lane = &mut self.lanes[place.min(last)];
        lane.used = now;
        lane
    }

    /// Forgets idle lanes until there is room: the older half by the time since their last use, and all that can matter no more.
    fn make_room(&mut self, bytes: usize, now: i64) {
        while self.lanes.len() >= MAX_LANES || self.bytes.saturating_add(bytes) > MAX_BYTES {
            // What vanished requests left behind is not idle before it expires.
            self.lanes.iter_mut().for_each(|lane| lane.expire(now));
            let age = |lane: &Lane| now.saturating_sub(lane.used).saturating_abs();
            let ages = self.lanes.iter().filter(|lane| lane.is_idle()).map(|lane| age(lane));
            let Some(oldest) = ages.max() else { break };
            self.lanes.retain(|lane| !lane.is_idle() || age(lane) < (oldest / 2).min(REMEMBERED));
            self.count();
        }
    }

    fn count(&mut self) {
        self.bytes = self.lanes.iter().map(|lane| lane.size()).fold(0, usize::saturating_add);
    }

    const fn next_ticket(&mut self) -> Ticket {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        self.last_ticket
    }
}

impl Lane {
    const fn new(key: StorageKey) -> Self {
        Self {
            key,
            used: 0,
            mark: None,
            landed: None,
            flight: None,
            overdue: None,
            pending: None,
            finished: Vec::new(),
            not_before: i64::MIN,
            held: None,
        }
    }

    /// Drops what counts as gone.
    fn expire(&mut self, now: i64) {
        // mutation: flight-is-gone
        if let Some(flight) = self.flight.take_if(|flight| !is_within(flight.record.at, now, GONE)) {
            self.overdue = Some(flight);
        }
        self.overdue.take_if(|flight| !is_within(flight.record.at, now, OVERDUE));
        self.pending.take_if(|pending| !is_within(pending.polled, now, ABANDONED)); // mutation: group-is-abandoned
        self.held.take_if(|since| !is_within(*since, now, GONE)); // mutation: hold-is-gone
        self.finished.retain(|(_, at, _)| is_within(*at, now, ABANDONED));
    }

    const fn is_idle(&self) -> bool {
        self.flight.is_none() && self.pending.is_none() && self.held.is_none()
    }

    /// When the next put may begin. A time that is too far ahead is one of before the clock was set back: no put waits for it.
    fn due(&self, limits_writes: bool, now: i64) -> i64 {
        let landed = self.landed.as_ref().filter(|_| limits_writes);
        let interval = landed.map_or(i64::MIN, |landed| landed.at.saturating_add(INTERVAL));
        let due = interval.max(self.not_before);
        if is_within(due, now, GONE) { due } else { now }
    }

    fn size(&self) -> usize {
        let flights = self.flight.iter().chain(&self.overdue).map(|flight| &flight.record);
        self.landed.iter().chain(flights).map(|record| record.bytes.len()).fold(0, usize::saturating_add)
    }
}

impl Landed {
    fn new(head: &RecordHeader, bytes: &[u8], at: i64) -> Self {
        Self { bytes: bytes.into(), tags: head.tags.clone(), generation: head.generation, at }
    }

    /// This record and the one that the store gave: the newer one, or both merged and the save that was merged in.
    fn reconcile(&self, bytes: Vec<u8>) -> (Vec<u8>, Option<Tag>) {
        // The usual case: the store shows what was put here.
        if record::last_tag(&bytes).is_some_and(|tag| self.tags.first() == Some(&tag))
            && bytes.len() == self.bytes.len()
        {
            return (bytes, None);
        }
        let Some(head) = record::head(&bytes) else { return (bytes, None) };
        if self.tags.first().is_some_and(|tag| head.tags.contains(tag)) {
            return (bytes, None);
        }
        // After so many saves the tag is forgotten, and only the writes show whether this one is part of the record.
        let remembers = self.generation.saturating_add(u32::try_from(MAX_TAGS).unwrap_or_default()) > head.generation;
        // mutation: own-record-is-newer
        if head.tags.first().is_some_and(|tag| self.tags.contains(tag)) {
            return (self.bytes.to_vec(), None);
        }
        if let Decoded::Record(stored) = record::decode(bytes.clone())
            && let Decoded::Record(own) = record::decode(self.bytes.to_vec())
            // mutation: merged-records
            && let (merged, Some(tag)) = reconcile::merge(stored, own, remembers)
        {
            return (record::encode(&merged.head, &merged.data), Some(tag));
        }
        // They cannot be merged, as with the first record under a new key, which says nothing of its writes.
        let bytes = if self.generation > head.generation { self.bytes.to_vec() } else { bytes };
        (bytes, None)
    }
}

/// Whether `now` is at most so many milliseconds away from `at`. A clock that was set back makes nothing last for ever.
fn is_within(at: i64, now: i64, milliseconds: i64) -> bool {
    now.saturating_sub(at).saturating_abs() <= milliseconds
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a panic is what a test fails with")]
mod tests {
    use super::*;
    use crate::session::data::Data;
    use crate::session::deadline::Deadline;
    use crate::session::record_header::RecentWrite;
    use crate::session::session::Stored;

    /// 1 January 2030, in milliseconds of Unix time.
    const NOW: i64 = 1_893_456_000_000;

    fn key(name: impl core::fmt::Display) -> StorageKey {
        StorageKey::listed(format!("edge-session:session:{name}"))
    }

    fn tag(number: u32) -> Tag {
        number.to_be_bytes()
    }

    fn head(generation: u32, tags: &[u32]) -> RecordHeader {
        let end = Deadline(i64::MAX);
        let tags = tags.iter().map(|number| tag(*number)).collect();
        RecordHeader { deadline: end, absolute: end, generation, tags, rotations: 0, writes: Vec::new() }
    }

    /// The bytes of a record with one member, which was written at `time`.
    fn bytes(head: &RecordHeader, member: &str, time: Option<i64>) -> Vec<u8> {
        let mut data = Data::default();
        data.set(member, b"1".as_slice().into());
        data.mark_stored();
        let mut head = head.clone();
        head.writes.extend(time.map(|time| RecentWrite { time, key: format!("\"{member}\"").into_bytes().into() }));
        record::encode(&head, &data)
    }

    fn group(generation: u32, tags: &[u32]) -> Group {
        let base = Stored::new(head(generation - 1, &tags[1..]));
        Group { base, head: head(generation, tags), data: Data::default(), time: NOW }
    }

    /// A put that begins and is acknowledged at once.
    fn put(memory: &IsolateMemory, key: &StorageKey, head: &RecordHeader, bytes: &[u8], now: i64) {
        let ticket = memory.begin_flight(key, head, bytes, now);
        memory.landed(key, ticket, now);
    }

    #[track_caller]
    fn newest(memory: &IsolateMemory, key: &StorageKey, stored: Option<&[u8]>, now: i64) -> Option<Vec<u8>> {
        let newest = memory.newest(key, stored.map(<[u8]>::to_vec), now);
        assert_eq!(newest.merged, None);
        newest.bytes
    }

    #[test]
    fn a_record_is_remembered_for_130_seconds_from_its_acknowledgement() {
        let (memory, key, head) = (IsolateMemory::default(), key("a"), head(1, &[1]));
        let bytes = bytes(&head, "a", None);
        let ticket = memory.begin_flight(&key, &head, &bytes, NOW);
        assert_eq!(newest(&memory, &key, None, NOW), None, "a put that was not acknowledged proves nothing");
        memory.landed(&key, ticket, NOW + 100);
        // Of a clock that was set back it is the same.
        for (elapsed, is_remembered) in
            [(0, true), (130_000, true), (130_001, false), (-130_000, true), (-130_001, false)]
        {
            let expected = is_remembered.then(|| bytes.clone());
            assert_eq!(newest(&memory, &key, None, NOW + 100 + elapsed), expected, "{elapsed}");
        }
        assert_eq!(newest(&memory, &self::key("b"), None, NOW), None, "of another key nothing is known");
    }

    #[test]
    fn a_put_that_failed_is_not_remembered_nor_is_a_record_that_was_deleted() {
        let (memory, key, head) = (IsolateMemory::default(), key("a"), head(1, &[1]));
        let bytes = bytes(&head, "a", None);
        let ticket = memory.begin_flight(&key, &head, &bytes, NOW);
        memory.failed(&key, ticket, 0, NOW);
        memory.landed(&key, ticket, NOW);
        assert_eq!(newest(&memory, &key, None, NOW), None);
        put(&memory, &key, &head, &bytes, NOW);
        assert!(newest(&memory, &key, None, NOW).is_some());
        memory.forget(&key);
        assert_eq!(newest(&memory, &key, None, NOW), None);
        assert_eq!(memory.0.borrow().bytes, 0);
    }

    #[test]
    fn of_the_stored_record_and_the_remembered_one_the_newer_counts() {
        let own = head(5, &[5, 4, 3]);
        let own_bytes = bytes(&own, "own", Some(NOW));
        let cases = [
            ("older", head(4, &[4, 3]), false),
            ("newer", head(6, &[6, 5, 4, 3]), true),
            ("newer, by several saves", head(9, &[9, 8, 7, 6, 5]), true),
            ("written apart, without a list of its writes", head(5, &[55, 4, 3]), true),
            ("a late first record under the key, without such a list", head(2, &[22]), false),
        ];
        for (case, stored, is_stored) in cases {
            let (memory, key) = (IsolateMemory::default(), key("a"));
            put(&memory, &key, &own, &own_bytes, NOW);
            let stored = bytes(&stored, "stored", None);
            let expected = if is_stored { &stored } else { &own_bytes };
            assert_eq!(newest(&memory, &key, Some(&stored), NOW).as_ref(), Some(expected), "{case}");
            assert_eq!(newest(&memory, &key, Some(&stored), NOW + 130_001), Some(stored), "{case}, once forgotten");
        }
        // Its list of writes would allow a merge, which nothing asks for.
        let older = bytes(&head(4, &[4, 3]), "stored", Some(NOW - 1));
        let memory = IsolateMemory::default();
        put(&memory, &key("a"), &own, &own_bytes, NOW);
        assert_eq!(newest(&memory, &key("a"), Some(&older), NOW), Some(own_bytes.clone()));
        for junk in [b"".as_slice(), b"junk", b"{\"edge-session\":2}"] {
            let (memory, key) = (IsolateMemory::default(), key("a"));
            put(&memory, &key, &own, &own_bytes, NOW);
            assert_eq!(newest(&memory, &key, Some(junk), NOW).as_deref(), Some(junk), "it is judged as what it is");
        }
    }

    #[test]
    fn records_that_were_written_apart_are_merged_and_the_merge_is_not_remembered() {
        let (memory, key, own) = (IsolateMemory::default(), key("a"), head(5, &[5, 3]));
        let own_bytes = bytes(&own, "own", Some(NOW));
        put(&memory, &key, &own, &own_bytes, NOW);
        for generation in [4, 6] {
            let stored = bytes(&head(generation, &[66, 3]), "stored", Some(NOW + 1));
            let newest = memory.newest(&key, Some(stored), NOW);
            assert_eq!(newest.merged, Some(tag(if generation > 5 { 5 } else { 66 })), "the save of the older branch");
            let Decoded::Record(record) = record::decode(newest.bytes.unwrap()) else { panic!("{generation}") };
            assert_eq!(record.data.members().count(), 2);
            assert!(record.head.tags.contains(&tag(5)) && record.head.tags.contains(&tag(66)));
        }
        assert_eq!(newest(&memory, &key, None, NOW), Some(own_bytes));
    }

    #[test]
    fn a_record_that_has_forgotten_the_own_save_is_merged_with_it_where_it_lacks_its_write() {
        let (memory, key, own) = (IsolateMemory::default(), key("a"), head(5, &[5, 3]));
        put(&memory, &key, &own, &bytes(&own, "own", Some(NOW)), NOW);
        let later = head(13, &[13, 12, 11, 10, 9, 8, 7, 6]);
        let with_it = bytes(&later, "own", Some(NOW));
        assert_eq!(newest(&memory, &key, Some(&with_it), NOW), Some(with_it));
        let without_it = bytes(&later, "stored", Some(NOW + 1));
        let newest = memory.newest(&key, Some(without_it), NOW);
        assert_eq!(newest.merged, Some(tag(5)));
        let Decoded::Record(record) = record::decode(newest.bytes.unwrap()) else { panic!() };
        assert_eq!(record.data.members().count(), 2);
    }

    #[test]
    fn an_end_is_remembered_for_130_seconds_and_a_rotation_that_was_not_acknowledged_for_15() {
        let cycled = Revocation::Cycled { at: NOW };
        for (revocation, is_acknowledged, seconds) in
            [(Revocation::Ended, false, 130), (Revocation::Ended, true, 130), (cycled, false, 15), (cycled, true, 130)]
        {
            let (memory, key) = (IsolateMemory::default(), key("a"));
            assert_eq!(memory.revocation(&key, NOW), None);
            memory.mark(&key, revocation, NOW);
            if is_acknowledged {
                memory.acknowledge(&key);
            }
            for sign in [1, -1] {
                let elapsed = sign * seconds * 1_000;
                assert_eq!(memory.revocation(&key, NOW + elapsed), Some(revocation), "{revocation:?} {elapsed}");
                assert_eq!(memory.revocation(&key, NOW + elapsed + sign), None, "{revocation:?} {elapsed}");
            }
        }
    }

    #[test]
    fn a_rotation_does_not_replace_an_end_and_an_end_replaces_a_rotation() {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        memory.mark(&key, Revocation::Cycled { at: NOW }, NOW);
        memory.mark(&key, Revocation::Cycled { at: NOW + 1 }, NOW + 1);
        assert_eq!(memory.revocation(&key, NOW), Some(Revocation::Cycled { at: NOW + 1 }));
        memory.mark(&key, Revocation::Ended, NOW);
        memory.mark(&key, Revocation::Cycled { at: NOW }, NOW);
        assert_eq!(memory.revocation(&key, NOW), Some(Revocation::Ended));
    }

    #[test]
    fn saves_that_meet_a_put_in_flight_form_one_group_which_one_member_puts_after_it() {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        assert!(matches!(memory.turn(&key, None, NOW), Turn::Free));
        let flight = memory.begin_flight(&key, &head(1, &[1]), b"in flight", NOW);
        assert!(
            matches!(memory.turn(&key, None, NOW), Turn::Behind(newest) if newest.bytes.as_deref() == Some(b"in flight"))
        );
        let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW);
        let Turn::Join(pending) = memory.turn(&key, None, NOW) else { panic!("the second member joins") };
        assert_eq!(pending.ticket, ticket);
        memory.put_back(&key, pending);
        for _ in 0..2 {
            assert!(matches!(memory.poll(&key, ticket, NOW + 1), Poll::Wait(None)), "the flight has not landed");
        }
        memory.landed(&key, flight, NOW + 2);
        assert!(matches!(memory.poll(&key, ticket, NOW + 2), Poll::Put(_)));
        memory.set_bytes(&key, b"group");
        assert!(matches!(memory.poll(&key, ticket, NOW + 2), Poll::Wait(None)), "one member puts it");
        assert!(
            matches!(memory.turn(&key, None, NOW + 2), Turn::Behind(newest) if newest.bytes.as_deref() == Some(b"group"))
        );
        assert_eq!(newest(&memory, &key, None, NOW + 2).as_deref(), Some(b"in flight".as_slice()));
        memory.landed(&key, ticket, NOW + 3);
        for _ in 0..2 {
            assert!(matches!(memory.poll(&key, ticket, NOW + 3), Poll::Landed(group, _) if group.head.generation == 2));
        }
        assert_eq!(newest(&memory, &key, None, NOW + 3).as_deref(), Some(b"group".as_slice()));
        assert!(matches!(memory.turn(&key, None, NOW + 3), Turn::Free));
    }

    #[test]
    fn a_group_whose_put_failed_is_gone_for_its_members() {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        let flight = memory.begin_flight(&key, &head(1, &[1]), b"", NOW);
        let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW);
        memory.landed(&key, flight, NOW);
        assert!(matches!(memory.poll(&key, ticket, NOW), Poll::Put(_)));
        memory.failed(&key, ticket, 1_000, NOW);
        assert!(matches!(memory.poll(&key, ticket, NOW), Poll::Gone));
        assert!(matches!(memory.poll(&key, ticket + 1, NOW), Poll::Gone), "as is one that never was");
    }

    #[test]
    fn a_put_of_over_five_seconds_counts_as_gone_and_its_late_acknowledgement_says_nothing() {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        let flight = memory.begin_flight(&key, &head(1, &[1]), b"slow", NOW);
        let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW);
        let mut now = NOW;
        while now < NOW + 5_000 {
            now += 1_000;
            assert!(matches!(memory.poll(&key, ticket, now), Poll::Wait(None)), "{now}");
        }
        assert!(matches!(memory.poll(&key, ticket, now + 1), Poll::Put(_)));
        memory.set_bytes(&key, b"group");
        assert!(!memory.landed(&key, flight, now + 2), "the group went on without it");
        assert_eq!(newest(&memory, &key, None, now + 2), None);
        assert!(memory.landed(&key, ticket, now + 3));
        assert!(!memory.landed(&key, flight, now + 4));
        assert_eq!(newest(&memory, &key, None, now + 4).as_deref(), Some(b"group".as_slice()));
    }

    #[test]
    fn a_put_that_counted_as_gone_counts_again_once_it_is_acknowledged_unless_others_went_on_without_it() {
        let late = NOW + 6_000;
        for (case, counts) in [("nothing else", true), ("a put", false), ("a put in flight", false), ("a group", false)]
        {
            let (memory, key) = (IsolateMemory::default(), key("a"));
            put(&memory, &key, &head(1, &[1]), b"before", NOW);
            let flight = memory.begin_flight(&key, &head(2, &[2, 1]), b"slow", NOW);
            assert!(matches!(memory.turn(&key, None, late), Turn::Free), "it counts as gone");
            match case {
                "a put" => put(&memory, &key, &head(2, &[3, 1]), b"other", late),
                "a put in flight" => _ = memory.begin_flight(&key, &head(2, &[3, 1]), b"other", late),
                "a group" => _ = memory.begin_group(&key, group(2, &[3, 1]), late),
                _ => {}
            }
            assert_eq!(memory.landed(&key, flight, late + 1), counts, "{case}");
            let expected: &[u8] = match case {
                "nothing else" => b"slow",
                "a put" => b"other",
                _ => b"before",
            };
            assert_eq!(newest(&memory, &key, None, late + 1).as_deref(), Some(expected), "{case}");
        }
        let (memory, key) = (IsolateMemory::default(), key("a"));
        let flight = memory.begin_flight(&key, &head(1, &[1]), b"slow", NOW);
        memory.turn(&key, None, NOW + 30_001);
        assert!(!memory.landed(&key, flight, NOW + 30_001), "after half a minute nothing of it is known");
    }

    #[test]
    fn a_group_that_no_request_polls_for_two_and_a_half_seconds_is_dropped() {
        for (elapsed, is_there) in [(2_500, true), (2_501, false)] {
            let (memory, key) = (IsolateMemory::default(), key("a"));
            let flight = memory.begin_flight(&key, &head(1, &[1]), b"", NOW);
            memory.begin_group(&key, group(2, &[2, 1]), NOW);
            memory.landed(&key, flight, NOW);
            let turn = memory.turn(&key, None, NOW + elapsed);
            assert_eq!(matches!(turn, Turn::Join(_)), is_there, "{turn:?}");
            assert_eq!(matches!(turn, Turn::Free), !is_there, "{turn:?}");
        }
    }

    #[test]
    fn a_put_that_failed_delays_the_next_one() {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        let flight = memory.begin_flight(&key, &head(1, &[1]), b"", NOW);
        memory.failed(&key, flight, 1_000, NOW);
        assert!(matches!(memory.turn(&key, None, NOW + 999), Turn::TooSoon));
        let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW + 999);
        assert!(matches!(memory.poll(&key, ticket, NOW + 999), Poll::Wait(Some(1))));
        assert!(matches!(memory.poll(&key, ticket, NOW + 1_000), Poll::Put(_)));
        assert!(!memory.0.borrow().limits_writes, "the store may have failed for another reason");
    }

    #[test]
    fn puts_are_spaced_once_the_store_refused_one_within_the_interval() {
        let memory = IsolateMemory::default();
        let (first, second) = (key("a"), key("b"));
        put(&memory, &first, &head(1, &[1]), b"", NOW);
        assert!(matches!(memory.turn(&first, None, NOW), Turn::Free), "a store without a limit never waits");
        let late = memory.begin_flight(&first, &head(2, &[2, 1]), b"", NOW + 1_021);
        memory.failed(&first, late, 0, NOW + 1_021);
        assert!(!memory.0.borrow().limits_writes);
        let refused = memory.begin_flight(&first, &head(2, &[2, 1]), b"", NOW + 1_020);
        memory.failed(&first, refused, 0, NOW + 1_020);
        // That counts for every key.
        put(&memory, &second, &head(1, &[1]), b"", NOW + 3_000);
        assert!(matches!(memory.turn(&second, None, NOW + 3_000 + 1_019), Turn::TooSoon));
        assert!(matches!(memory.turn(&second, None, NOW + 3_000 + 1_020), Turn::Free));
        assert!(
            matches!(memory.turn(&key("c"), None, NOW + 3_000), Turn::Free),
            "a key that was not written does not wait"
        );
    }

    #[test]
    fn a_login_holds_the_lane_of_the_key_that_it_replaces_for_five_seconds_at_most() {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        assert!(memory.hold(&key, NOW));
        assert!(matches!(memory.turn(&key, None, NOW + 5_000), Turn::Held));
        assert!(matches!(memory.turn(&key, None, NOW + 5_001), Turn::Free), "its request has vanished");
        assert!(memory.hold(&key, NOW));
        memory.release(&key);
        assert!(matches!(memory.turn(&key, None, NOW), Turn::Free));
        // Neither a put in flight nor a group is overtaken.
        let flight = memory.begin_flight(&key, &head(1, &[1]), b"", NOW);
        assert!(!memory.hold(&key, NOW));
        let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW);
        memory.landed(&key, flight, NOW);
        assert!(!memory.hold(&key, NOW));
        assert!(matches!(memory.poll(&key, ticket, NOW), Poll::Put(_)));
        assert!(!memory.hold(&key, NOW));
        memory.landed(&key, ticket, NOW);
        assert!(memory.hold(&key, NOW));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_put_and_no_group_wait() {
        for back in [10_000, 3_600_000, 100 * 365 * 86_400_000] {
            let (memory, key) = (IsolateMemory::default(), key("a"));
            put(&memory, &key, &head(1, &[1]), b"", NOW);
            let refused = memory.begin_flight(&key, &head(2, &[2, 1]), b"", NOW);
            memory.failed(&key, refused, 1_000, NOW);
            assert!(matches!(memory.turn(&key, None, NOW), Turn::TooSoon));
            assert!(matches!(memory.turn(&key, None, NOW - back), Turn::Free), "{back}");
            put(&memory, &key, &head(2, &[2, 1]), b"", NOW);
            let _vanished = memory.begin_flight(&key, &head(3, &[3, 2]), b"", NOW);
            memory.hold(&key, NOW);
            assert!(matches!(memory.turn(&key, None, NOW - back), Turn::Free), "{back}");
        }
        // Also before 1970, for a key that no put was refused for.
        let (memory, key) = (IsolateMemory::default(), key("a"));
        put(&memory, &key, &head(1, &[1]), b"", -1_000);
        assert!(matches!(memory.turn(&key, None, -1_000), Turn::Free));
    }

    #[test]
    fn at_most_512_keys_are_remembered_and_the_ones_used_last() {
        let memory = IsolateMemory::default();
        let head = head(1, &[1]);
        for number in 0..3_000 {
            let now = NOW + number;
            put(&memory, &key(number), &head, b"record", now);
            memory.mark(&key(format!("mark {number}")), Revocation::Ended, now);
            let lanes = memory.0.borrow().lanes.len();
            assert!(lanes <= MAX_LANES, "{lanes}");
            for recent in number.saturating_sub(50).max(0)..=number {
                assert!(newest(&memory, &key(recent), None, now).is_some(), "{recent} of {number}");
                assert!(memory.revocation(&key(format!("mark {recent}")), now).is_some(), "{recent} of {number}");
            }
        }
    }

    #[test]
    fn records_take_at_most_eight_mebibytes() {
        let memory = IsolateMemory::default();
        let head = head(1, &[1]);
        let bytes = vec![b' '; 1024 * 1024];
        for number in 0..50 {
            put(&memory, &key(number), &head, &bytes, NOW + number);
            let held: usize = memory.0.borrow().lanes.iter().map(|lane| lane.size()).sum();
            assert_eq!(held, memory.0.borrow().bytes);
            assert!(held <= MAX_BYTES, "{held}");
            assert!(newest(&memory, &key(number), None, NOW + number).is_some());
        }
        // A record that is larger than all of it is remembered alone.
        put(&memory, &key("large"), &head, &[0; MAX_BYTES + 1], NOW + 50);
        assert_eq!(memory.0.borrow().lanes.len(), 1);
        put(&memory, &key("small"), &head, &bytes, NOW + 51);
        assert_eq!(memory.0.borrow().bytes, bytes.len());
    }

    #[test]
    fn what_vanished_requests_left_behind_is_forgotten_once_it_expires() {
        let memory = IsolateMemory::default();
        let head = head(1, &[1]);
        let bytes = vec![b' '; 128 * 1024];
        for number in 0..2_000 {
            // Each is put by a request that never learns what became of it; 100 of them are under way at a time.
            let now = NOW + number * 51;
            let _ticket = memory.begin_flight(&key(number), &head, &bytes, now);
            memory.begin_group(&key(number), group(2, &[2, 1]), now);
            let memory = memory.0.borrow();
            assert!(memory.lanes.len() <= MAX_LANES, "{}", memory.lanes.len());
            assert!(memory.bytes <= 100 * bytes.len(), "{}", memory.bytes);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_old_records_in_memory() {
        let memory = IsolateMemory::default();
        let head = head(1, &[1]);
        for number in 0..MAX_LANES {
            put(&memory, &key(number), &head, b"before", NOW);
        }
        let now = NOW - 3_600_000;
        for number in 0..300 {
            put(&memory, &key(format!("after {number}")), &head, b"after", now + number);
            assert!(memory.0.borrow().lanes.len() <= MAX_LANES);
        }
        for number in 0..300 {
            assert!(newest(&memory, &key(format!("after {number}")), None, now + 300).is_some(), "{number}");
        }
    }
}
