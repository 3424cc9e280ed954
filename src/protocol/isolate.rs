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
use crate::session::key::StorageKey;
use crate::session::reconcile;
use crate::session::record::{self, Head, MAX_TAGS, Opened};
use crate::session::saving::Group;

/// For how long a record or a revocation is remembered, in milliseconds: longer than KV may hide it.
const REMEMBERED: i64 = 130_000;

/// For how long a rotation is remembered whose tombstone was not acknowledged, in milliseconds: its request may have vanished.
const UNACKNOWLEDGED: i64 = 15_000;

/// After so many milliseconds a put in flight, or a login that holds a lane, counts as gone.
const GONE: i64 = 5_000;

/// A group that no request polled for so many milliseconds is dropped.
const ABANDONED: i64 = 2_500;

/// The write interval of a store that limits the writes under one key, in milliseconds: KV's second and a margin.
const INTERVAL: i64 = 1_020;

/// The most keys that are remembered, and the most bytes of their records.
const MAX_LANES: usize = 512;
const MAX_BYTES: usize = 8 * 1024 * 1024;

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
    /// The bytes of all remembered records.
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

/// What a save has to do before its put.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nothing: it can be put now.
    Free,
    /// Begin a group, since the store takes no write yet.
    TooSoon,
    /// Begin a group on this record, which is in flight.
    Behind(Vec<u8>),
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
    Landed(Rc<Group>),
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
        let lasts = if is_cycled && !mark.acknowledged { UNACKNOWLEDGED } else { REMEMBERED };
        is_within(mark.at, now, lasts).then_some(mark.revocation)
    }

    /// Remembers a revocation, before its tombstone is put. What ended stays ended.
    pub(super) fn mark(&self, tombstone: &StorageKey, revocation: Revocation, now: i64) {
        let mut memory = self.0.borrow_mut();
        let lane = memory.enter(tombstone, 0, now);
        if revocation == Revocation::Ended || lane.mark.is_none_or(|mark| mark.revocation != Revocation::Ended) {
            lane.mark = Some(Mark { revocation, at: now, acknowledged: false });
        }
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
            memory.lanes.remove(place);
            memory.count();
        }
    }

    /// What a save of the record under `key` has to do before its put.
    pub(super) fn turn(&self, key: &StorageKey, now: i64) -> Turn {
        let mut memory = self.0.borrow_mut();
        let limits_writes = memory.limits_writes;
        let Some(lane) = memory.lane_mut(key) else { return Turn::Free };
        lane.expire(now);
        match (lane.held, lane.pending.take(), &lane.flight) {
            (Some(_), pending, _) => {
                lane.pending = pending;
                Turn::Held
            }
            (None, Some(pending), _) => Turn::Join(pending),
            (None, None, Some(flight)) => Turn::Behind(flight.record.bytes.to_vec()),
            (None, None, None) if lane.due(limits_writes) > now => Turn::TooSoon,
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
    pub(super) fn begin_flight(&self, key: &StorageKey, head: &Head, bytes: &[u8], now: i64) -> Ticket {
        let mut memory = self.0.borrow_mut();
        let ticket = memory.next_ticket();
        let lane = memory.enter(key, bytes.len(), now);
        lane.flight = Some(Flight { ticket, record: Landed::new(head, bytes, now), group: None });
        ticket
    }

    /// Records the bytes of a group whose put begins; [`poll`](Self::poll) has given it out.
    pub(super) fn set_bytes(&self, key: &StorageKey, bytes: &[u8]) {
        let mut memory = self.0.borrow_mut();
        if let Some(flight) = memory.lane_mut(key).and_then(|lane| lane.flight.as_mut()) {
            flight.record.bytes = bytes.into();
        }
    }

    /// The state of a group, for one of its members. The member to which it is given as due has to put it.
    pub(super) fn poll(&self, key: &StorageKey, ticket: Ticket, now: i64) -> Poll {
        let mut memory = self.0.borrow_mut();
        let limits_writes = memory.limits_writes;
        let Some(lane) = memory.lane_mut(key) else { return Poll::Gone };
        if let Some((.., group)) = lane.finished.iter().find(|(finished, ..)| *finished == ticket) {
            return Poll::Landed(Rc::clone(group));
        }
        if let Some(pending) = lane.pending.as_mut().filter(|pending| pending.ticket == ticket) {
            pending.polled = now;
        }
        lane.expire(now);
        let is_free = lane.flight.is_none() && lane.held.is_none();
        let due = lane.due(limits_writes);
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

    /// Records that a put was acknowledged.
    pub(super) fn landed(&self, key: &StorageKey, ticket: Ticket, now: i64) {
        let mut memory = self.0.borrow_mut();
        let Some(lane) = memory.lane_mut(key) else { return };
        // One that counted as gone is no longer there; what was put since may be newer than it.
        if let Some(mut flight) = lane.flight.take_if(|flight| flight.ticket == ticket) {
            flight.record.at = now;
            lane.used = now;
            let before = lane.size();
            lane.landed = Some(flight.record);
            let after = lane.size();
            lane.finished.extend(flight.group.map(|group| (ticket, now, group)));
            memory.bytes = memory.bytes.saturating_sub(before).saturating_add(after);
        }
    }

    /// Records that a put failed. The next one waits for `pause` milliseconds.
    pub(super) fn failed(&self, key: &StorageKey, ticket: Ticket, pause: i64, now: i64) {
        let mut memory = self.0.borrow_mut();
        let Some(lane) = memory.lane_mut(key) else { return };
        if lane.flight.take_if(|flight| flight.ticket == ticket).is_some() {
            lane.not_before = now.saturating_add(pause);
            let soon = lane.landed.as_ref().is_some_and(|landed| is_within(landed.at, now, INTERVAL));
            memory.limits_writes |= soon;
        }
    }

    /// Has a login hold the lane of the key that it replaces, unless a save is on its way there.
    pub(super) fn hold(&self, key: &StorageKey, now: i64) -> bool {
        let mut memory = self.0.borrow_mut();
        let lane = memory.enter(key, 0, now);
        lane.expire(now);
        let is_free = lane.flight.is_none() && lane.pending.is_none();
        if is_free {
            lane.held = Some(now);
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
        if self.lanes.len() >= MAX_LANES || self.bytes.saturating_add(bytes) > MAX_BYTES {
            self.make_room(now);
        }
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

    /// Forgets the older half of the idle lanes by the time of their last use, and all that can matter no more.
    fn make_room(&mut self, now: i64) {
        let oldest = self.lanes.iter().map(|lane| lane.used).min().unwrap_or(now);
        let middle = oldest.saturating_add(now.saturating_sub(oldest) / 2).max(now.saturating_sub(REMEMBERED));
        self.lanes.retain(|lane| lane.used > middle || !lane.is_idle());
        self.count();
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
            pending: None,
            finished: Vec::new(),
            not_before: 0,
            held: None,
        }
    }

    /// Drops what counts as gone.
    fn expire(&mut self, now: i64) {
        self.flight.take_if(|flight| !is_within(flight.record.at, now, GONE));
        self.pending.take_if(|pending| !is_within(pending.polled, now, ABANDONED));
        self.held.take_if(|since| !is_within(*since, now, GONE));
        self.finished.retain(|(_, at, _)| is_within(*at, now, ABANDONED));
    }

    const fn is_idle(&self) -> bool {
        self.flight.is_none() && self.pending.is_none() && self.held.is_none()
    }

    /// When the next put may begin.
    fn due(&self, limits_writes: bool) -> i64 {
        let interval = self.landed.as_ref().filter(|_| limits_writes).map(|landed| landed.at.saturating_add(INTERVAL));
        interval.map_or(self.not_before, |interval| interval.max(self.not_before))
    }

    fn size(&self) -> usize {
        self.landed.as_ref().map_or(0, |landed| landed.bytes.len())
    }
}

impl Landed {
    fn new(head: &Head, bytes: &[u8], at: i64) -> Self {
        Self { bytes: bytes.into(), tags: head.tags.clone(), generation: head.generation, at }
    }

    /// This record and the one that the store gave: the newer one, or both merged and the save that was merged in.
    fn reconcile(&self, bytes: Vec<u8>) -> (Vec<u8>, Option<Tag>) {
        if *bytes == *self.bytes {
            return (bytes, None);
        }
        let Some(head) = record::head(&bytes) else { return (bytes, None) };
        let forgot = self.generation.saturating_add(u32::try_from(MAX_TAGS).unwrap_or_default()) <= head.generation;
        if forgot || self.tags.first().is_some_and(|tag| head.tags.contains(tag)) {
            return (bytes, None);
        }
        if head.tags.first().is_some_and(|tag| self.tags.contains(tag)) {
            return (self.bytes.to_vec(), None);
        }
        if let Opened::Record(stored) = record::decode(bytes.clone())
            && let Opened::Record(own) = record::decode(self.bytes.to_vec())
            && let (merged, Some(tag)) = reconcile::merge(stored, own)
        {
            return (record::encode(&merged.head, &merged.data), Some(tag));
        }
        (bytes, None)
    }
}

/// Whether `now` is at most so many milliseconds away from `at`. A clock that was set back makes nothing last for ever.
fn is_within(at: i64, now: i64, milliseconds: i64) -> bool {
    now.saturating_sub(at).saturating_abs() <= milliseconds
}
