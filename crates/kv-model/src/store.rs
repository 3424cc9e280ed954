//! The store of sessions on the model, like the one of a Worker on KV.

use alloc::vec::Vec;
use core::time::Duration;

use crate::location::{KvLocation, ListedKey, MIN_TTL};
use edge_session::store::{Consistency, IsolateMemory, Op, Page, StorageKey, WriteOutcome};
use edge_session::{Result, Store};

/// The metadata of a record, before and after its deadline.
const METADATA: (&str, &str) = ("{\"deadline\":", "}");

impl Store for KvLocation {
    fn memory(&self) -> IsolateMemory {
        self.memory.clone()
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let keys: Vec<_> = keys.iter().map(StorageKey::as_str).collect();
        let found = self.get_all(&keys).await?;
        Ok(found.into_iter().map(|found| found.map(|(value, _)| value)).collect())
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        for op in ops {
            match op {
                Op::Put { key, value, ttl, generation, only_if, .. } if self.model.options().conditional_puts => {
                    if !self.put_if(key.as_str(), value, ttl, generation, only_if).await? {
                        return Ok(WriteOutcome::Conflict);
                    }
                }
                Op::Put { key, value, ttl, deadline, .. } => {
                    let metadata = [METADATA.0, itoa::Buffer::new().format(deadline), METADATA.1].concat();
                    self.put(key.as_str(), &value, ttl.max(MIN_TTL), Some(&metadata)).await?;
                }
                Op::Delete { key } => self.delete(key.as_str()).await?,
            }
        }
        Ok(WriteOutcome::All)
    }

    fn consistency(&self) -> Consistency {
        if self.model.options().conditional_puts { Consistency::Linearizable } else { Consistency::Eventual }
    }

    fn expires_records(&self) -> bool {
        true
    }

    /// Waits in virtual time.
    async fn wait(&self, milliseconds: u64) {
        self.model.sleep(Duration::from_millis(milliseconds)).await;
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let (keys, cursor) = self.list_keys(prefix, cursor, None).await?;
        let entry = |key: ListedKey| {
            let deadline = deadline(&key);
            (StorageKey::listed(key.name), deadline)
        };
        Ok(Page { entries: keys.into_iter().map(entry).collect(), cursor })
    }
}

/// Returns the deadline in a listed key's metadata.
fn deadline(key: &ListedKey) -> Option<i64> {
    key.metadata.as_deref()?.strip_prefix(METADATA.0)?.strip_suffix(METADATA.1)?.parse().ok()
}
