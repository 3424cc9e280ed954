//! A store in memory.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use chrono::{DateTime, Utc};

use super::{Consistency, Op, Page, Store, WriteOutcome};
use crate::error::Result;
use crate::platform;
use crate::session::storage_key::StorageKey;

/// The number of keys on a page of a list, as in KV.
const PAGE: usize = 1_000;

/// The default maximum number of values.
const MAX_VALUES: usize = 10_000;

#[derive(Clone, Debug)]
struct Entry {
    value: Vec<u8>,
    deadline: i64,
    generation: u32,
    /// The end of the TTL, in microseconds of Unix time.
    expires: i64,
    /// The number of the put.
    put: u64,
}

/// The entries, sorted by their keys. A `BTreeMap` has 4 KB more code, gzipped.
#[derive(Debug, Default)]
struct Entries {
    sorted: Vec<(StorageKey, Entry)>,
    puts: u64,
}

impl Entries {
    /// Returns the place of a key, or the one where it belongs.
    fn find(&self, key: &StorageKey) -> Result<usize, usize> {
        self.sorted.binary_search_by(|(known, _)| known.cmp(key))
    }

    /// Returns the entry of a key, unless its TTL has passed.
    fn live(&self, key: &StorageKey, now: i64) -> Option<&Entry> {
        self.get(key).filter(|entry| entry.expires > now)
    }

    /// Makes room for another entry: drops those whose TTL has passed, then those with the oldest put.
    fn make_room(&mut self, now: i64, limit: usize) {
        if self.sorted.len() >= limit {
            self.sorted.retain(|(_, entry)| entry.expires > now);
        }
        while self.sorted.len() >= limit {
            let oldest = self.sorted.iter().enumerate().min_by_key(|(_, (_, entry))| entry.put);
            let Some((place, _)) = oldest else { break };
            self.sorted.remove(place);
        }
    }

    fn get(&self, key: &StorageKey) -> Option<&Entry> {
        let (_, entry) = self.sorted.get(self.find(key).ok()?)?;
        Some(entry)
    }

    fn insert(&mut self, key: StorageKey, entry: Entry) {
        match self.find(&key) {
            Ok(place) => {
                if let Some((_, known)) = self.sorted.get_mut(place) {
                    *known = entry;
                }
            }
            Err(place) => self.sorted.insert(place, (key, entry)),
        }
    }

    fn remove(&mut self, key: &StorageKey) {
        if let Ok(place) = self.find(key) {
            self.sorted.remove(place);
        }
    }
}

/// Keeps records in memory, for tests and for a single process. Clones share them.
///
/// It is linearizable, returns no value after its TTL, and is bounded: a full store drops expired values first, then those with the
/// oldest put.
///
/// ```
/// use edge_session::MemoryStore;
///
/// let store = MemoryStore::default();
/// assert!(store.is_empty());
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    entries: Rc<RefCell<Entries>>,
    consistency: Consistency,
    max_values: usize,
    clock: Rc<dyn Fn() -> DateTime<Utc>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            entries: Rc::default(),
            consistency: Consistency::Linearizable,
            max_values: MAX_VALUES,
            clock: Rc::new(platform::now),
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("len", &self.len())
            .field("consistency", &self.consistency)
            .finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// Returns the store with another maximum number of values. The default is 10,000.
    ///
    /// ```
    /// let store = edge_session::MemoryStore::default().with_max_values(100);
    /// ```
    #[must_use]
    pub const fn with_max_values(mut self, max_values: usize) -> Self {
        self.max_values = max_values;
        self
    }

    /// Returns the store with another clock, for tests. The default is the platform's.
    ///
    /// ```
    /// let time = chrono::DateTime::from_timestamp(1_893_456_000, 0).unwrap();
    /// let store = edge_session::MemoryStore::default().with_clock(move || time);
    /// ```
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> DateTime<Utc> + 'static) -> Self {
        self.clock = Rc::new(clock);
        self
    }

    fn now(&self) -> i64 {
        (self.clock)().timestamp_micros()
    }

    /// Returns a store that promises eventual consistency only, so that sessions use the protocol of Workers KV: for tests.
    ///
    /// ```
    /// use edge_session::MemoryStore;
    /// use edge_session::store::{Consistency, Store};
    ///
    /// assert_eq!(MemoryStore::eventual().consistency(), Consistency::Eventual);
    /// ```
    #[must_use]
    pub fn eventual() -> Self {
        Self { consistency: Consistency::Eventual, ..Self::default() }
    }

    /// Returns the number of values, including those whose TTL has passed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.borrow().sorted.len()
    }

    /// Returns whether the store is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all keys and values.
    #[must_use]
    pub fn entries(&self) -> Vec<(StorageKey, Vec<u8>)> {
        self.entries.borrow().sorted.iter().map(|(key, entry)| (key.clone(), entry.value.clone())).collect()
    }

    /// Puts bytes under a key, without a deadline.
    pub fn put(&self, key: StorageKey, value: Vec<u8>) {
        let entry = Entry { value, deadline: i64::MAX, generation: 0, expires: i64::MAX, put: 0 };
        self.entries.borrow_mut().insert(key, entry);
    }
}

impl Store for MemoryStore {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let (entries, now) = (self.entries.borrow(), self.now());
        Ok(keys.iter().map(|key| entries.live(key, now).map(|entry| entry.value.clone())).collect())
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        let (mut entries, now) = (self.entries.borrow_mut(), self.now());
        for op in ops {
            match op {
                Op::Put { key, value, ttl, deadline, generation, only_if } => {
                    let stored = entries.live(&key, now).map(|entry| entry.generation);
                    if !only_if.holds(stored) {
                        return Ok(WriteOutcome::Conflict);
                    }
                    if entries.get(&key).is_none() {
                        entries.make_room(now, self.max_values);
                    }
                    entries.puts = entries.puts.saturating_add(1);
                    let ttl = i64::try_from(ttl).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                    let (expires, put) = (now.saturating_add(ttl), entries.puts);
                    entries.insert(key, Entry { value, deadline, generation, expires, put });
                }
                Op::Delete { key } => entries.remove(&key),
            }
        }
        Ok(WriteOutcome::All)
    }

    fn consistency(&self) -> Consistency {
        self.consistency
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let stored = self.entries.borrow();
        let (Ok(start) | Err(start)) = stored.find(&StorageKey::listed(cursor.unwrap_or(prefix)));
        let mut entries: Vec<_> = stored
            .sorted
            .iter()
            .skip(start)
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .take(PAGE.saturating_add(1))
            .map(|(key, entry)| (key.clone(), Some(entry.deadline)))
            .collect();
        let cursor = entries.get(PAGE).map(|(key, _)| key.as_str().to_owned());
        entries.truncate(PAGE);
        Ok(Page { entries, cursor })
    }
}
