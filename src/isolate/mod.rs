//! Isolate memory: the recent writes of one running instance of a Worker, and the lane of each storage key.
//!
//! Workers KV accepts one write per second and key, and can take a minute to show it elsewhere. The isolate memory hides both
//! inside one isolate: a load consults the records that were put here, and concurrent saves share one put (*group commit*).
//!
//! Requests share plain data only: no promise, waker or task. Each request polls with its own timer, and the first one that finds
//! the group due puts it. A request that vanishes blocks no other: a put of over 5 seconds counts as lost, and a group that no
//! request polls is dropped.

mod flight;
mod group;
mod lane;
mod record;
mod revocation;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a panic is what a test fails with")]
mod tests;
mod visit;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::session::storage_key::StorageKey;
use lane::Lane;

pub(crate) use flight::Ticket;
pub(crate) use group::{Admission, GroupState, PendingGroup};
pub(crate) use record::NewestRecord;
pub(crate) use revocation::{CYCLED, ENDED, Revocation};
pub(crate) use visit::{HOUR, Visit};

/// How long a record or a revocation is remembered, in milliseconds: longer than KV can hide it.
const REMEMBERED: i64 = 130_000; // mutation: memory-lasts

/// The interval between writes under one key on a store that limits them, in milliseconds: KV's second and a margin.
const INTERVAL: i64 = 1_020;

/// The maximum number of keys that are remembered, and of the bytes of their records.
const MAX_LANES: usize = 512;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The recent saves and revocations of one isolate. Clones share it.
///
/// A store that is used by several [`Sessions`](crate::Sessions) of one isolate returns the same memory to each of them, from
/// [`Store::memory`](crate::Store::memory).
///
/// ```
/// use edge_session::{Result, Store};
/// use edge_session::store::{IsolateMemory, Op, Page, StorageKey, WriteOutcome};
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
///     async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
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
    /// Sorted by storage key. Each is boxed, so that an insertion moves pointers only.
    #[allow(clippy::vec_box, reason = "lanes are large, and inserted in the middle")]
    lanes: Vec<Box<Lane>>,
    /// The total size of the records that are remembered or in flight, or more: it is counted only before it matters.
    bytes: usize,
    /// True if the store has refused a write within the interval.
    limits_writes: bool,
    last_ticket: Ticket,
    visits: visit::Visits,
}

impl Memory {
    /// Returns the index of a key's lane, or the index at which to insert it.
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

    /// Returns the lane of a key, created if necessary, after making room for a record of this size. Marks it as used now.
    fn enter(&mut self, key: &StorageKey, bytes: usize, now: i64) -> &mut Lane {
        self.make_room(bytes, now);
        let place = match self.place(key) {
            Ok(place) => place,
            Err(place) => {
                self.lanes.insert(place, Box::new(Lane::new(key.clone())));
                place
            }
        };
        let last = self.lanes.len().saturating_sub(1);
        #[allow(clippy::indexing_slicing, reason = "the place is in bounds: the lane was found or inserted there")]
        let lane = &mut self.lanes[place.min(last)];
        lane.used = now;
        lane
    }

    /// Removes idle lanes until there is room: the older half by the time of their last use, and all that have expired.
    fn make_room(&mut self, bytes: usize, now: i64) {
        if self.bytes.saturating_add(bytes) > MAX_BYTES {
            self.count();
        }
        while self.lanes.len() >= MAX_LANES || self.bytes.saturating_add(bytes) > MAX_BYTES {
            // Lanes of vanished requests become idle only when they expire.
            self.lanes.iter_mut().for_each(|lane| lane.expire(now));
            let age = |lane: &Lane| now.saturating_sub(lane.used).saturating_abs();
            let ages = self.lanes.iter().filter(|lane| lane.is_idle()).map(|lane| age(lane));
            let Some(oldest) = ages.max() else { break };
            self.lanes.retain(|lane| !lane.is_idle() || age(lane) < (oldest / 2).min(REMEMBERED));
            self.count();
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn count(&mut self) {
        self.bytes = self.lanes.iter().map(|lane| lane.size()).fold(0, usize::saturating_add);
    }

    const fn next_ticket(&mut self) -> Ticket {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        self.last_ticket
    }
}

/// Returns whether `now` is at most this many milliseconds from `at`, in either direction: entries expire even
/// if the clock is set back.
fn is_within(at: i64, now: i64, milliseconds: i64) -> bool {
    now.saturating_sub(at).saturating_abs() <= milliseconds
}
