//! A store in memory, for tests and examples.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::{Consistency, Op, Page, Store, WriteOutcome};
use crate::error::Result;
use crate::session::storage_key::StorageKey;

/// The number of keys on a page of a list, as in KV.
const PAGE: usize = 1_000;

#[derive(Clone, Debug)]
struct Entry {
    value: Vec<u8>,
    deadline: i64,
    generation: u32,
}

/// The entries, sorted by their keys. A `BTreeMap` has 4 KB more code, gzipped.
#[derive(Debug, Default)]
struct Entries(Vec<(StorageKey, Entry)>);

impl Entries {
    /// Returns the place of a key, or the one where it belongs.
    fn find(&self, key: &StorageKey) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(key))
    }

    fn get(&self, key: &StorageKey) -> Option<&Entry> {
        let (_, entry) = self.0.get(self.find(key).ok()?)?;
        Some(entry)
    }

    fn insert(&mut self, key: StorageKey, entry: Entry) {
        match self.find(&key) {
            Ok(place) => {
                if let Some((_, known)) = self.0.get_mut(place) {
                    *known = entry;
                }
            }
            Err(place) => self.0.insert(place, (key, entry)),
        }
    }

    fn remove(&mut self, key: &StorageKey) {
        if let Ok(place) = self.find(key) {
            self.0.remove(place);
        }
    }
}

/// Keeps records in memory. Clones share them. Expired records stay until `clear_expired`.
///
/// ```
/// use edge_session::MemoryStore;
///
/// let store = MemoryStore::default();
/// assert!(store.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    entries: Rc<RefCell<Entries>>,
    consistency: Consistency,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { entries: Rc::default(), consistency: Consistency::Linearizable }
    }
}

impl MemoryStore {
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

    /// Returns the number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.borrow().0.len()
    }

    /// Returns whether the store is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all keys and values.
    #[must_use]
    pub fn entries(&self) -> Vec<(StorageKey, Vec<u8>)> {
        self.entries.borrow().0.iter().map(|(key, entry)| (key.clone(), entry.value.clone())).collect()
    }

    /// Puts bytes under a key, without a deadline.
    pub fn put(&self, key: StorageKey, value: Vec<u8>) {
        self.entries.borrow_mut().insert(key, Entry { value, deadline: i64::MAX, generation: 0 });
    }
}

impl Store for MemoryStore {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let entries = self.entries.borrow();
        Ok(keys.iter().map(|key| entries.get(key).map(|entry| entry.value.clone())).collect())
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        let mut entries = self.entries.borrow_mut();
        for op in ops {
            match op {
                Op::Put { key, value, deadline, generation, only_if, .. } => {
                    let stored = entries.get(&key).map(|entry| entry.generation);
                    if !only_if.holds(stored) {
                        return Ok(WriteOutcome::Conflict);
                    }
                    entries.insert(key, Entry { value, deadline, generation });
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
            .0
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
