//! A store in memory, for tests and for trying things out.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::{OnlyIf, Op, Page};
use super::{Store, Written};
use crate::error::Result;
use crate::session::storage_key::StorageKey;

/// Keys on a page of a list, as many as KV gives.
const PAGE: usize = 1_000;

/// A value and the deadline it was put with.
type Kept = (Vec<u8>, i64);

/// Keeps records in memory, one map for all clones. What has expired stays until `clear_expired`.
///
/// ```
/// use edge_session::MemoryStore;
///
/// let store = MemoryStore::default();
/// assert!(store.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Rc<RefCell<BTreeMap<StorageKey, Kept>>>);

impl MemoryStore {
    /// How many values it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All keys and values, as a look into a real store would show them.
    #[must_use]
    pub fn entries(&self) -> Vec<(StorageKey, Vec<u8>)> {
        self.0.borrow().iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    /// Puts bytes under a key by hand.
    pub fn put(&self, key: StorageKey, value: Vec<u8>) {
        self.0.borrow_mut().insert(key, (value, i64::MAX));
    }
}

impl Store for MemoryStore {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let kept = self.0.borrow();
        Ok(keys.iter().map(|key| kept.get(key).map(|(value, _)| value.clone())).collect())
    }

    async fn write(&self, ops: Vec<Op>) -> Result<Written> {
        let mut kept = self.0.borrow_mut();
        for op in ops {
            match op {
                Op::Put { key, only_if: OnlyIf::Absent, .. } if kept.contains_key(&key) => {
                    return Ok(Written::Conflict);
                }
                Op::Put { key, value, deadline, .. } => _ = kept.insert(key, (value, deadline)),
                Op::Delete { key } => _ = kept.remove(&key),
            }
        }
        Ok(Written::All)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let kept = self.0.borrow();
        let start = StorageKey::listed(cursor.unwrap_or(prefix));
        let mut entries: Vec<_> = kept
            .range(start..)
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .take(PAGE.saturating_add(1))
            .map(|(key, (_, deadline))| (key.clone(), Some(*deadline)))
            .collect();
        let cursor = entries.get(PAGE).map(|(key, _)| key.as_str().to_owned());
        entries.truncate(PAGE);
        Ok(Page { entries, cursor })
    }
}
