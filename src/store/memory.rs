//! A store in memory, for tests and examples.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::{Op, Page, Store, WriteOutcome};
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

/// Keeps records in memory. Clones share them. Expired records stay until `clear_expired`.
///
/// ```
/// use edge_session::MemoryStore;
///
/// let store = MemoryStore::default();
/// assert!(store.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Rc<RefCell<Entries>>);

/// The entries, sorted by their keys. A `BTreeMap` has 5 KB more code, gzipped.
#[derive(Clone, Debug, Default)]
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

impl MemoryStore {
    /// Returns the number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().0.len()
    }

    /// Returns whether the store is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all keys and values.
    #[must_use]
    pub fn entries(&self) -> Vec<(StorageKey, Vec<u8>)> {
        self.0.borrow().0.iter().map(|(key, entry)| (key.clone(), entry.value.clone())).collect()
    }

    /// Puts bytes under a key, without a deadline.
    pub fn put(&self, key: StorageKey, value: Vec<u8>) {
        self.0.borrow_mut().insert(key, Entry { value, deadline: i64::MAX, generation: 0 });
    }
}

impl Store for MemoryStore {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let entries = self.0.borrow();
        Ok(keys.iter().map(|key| entries.get(key).map(|entry| entry.value.clone())).collect())
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        let mut entries = self.0.borrow_mut();
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

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let stored = self.0.borrow();
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
