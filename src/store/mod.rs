//! The trait `Store`, the operations on a store, and a store in memory.

mod cookie;
mod memory;
mod migrate;
mod op;

use alloc::vec::Vec;

use crate::error::Result;

pub use crate::isolate::IsolateMemory;
pub use crate::session::storage_key::StorageKey;
pub use crate::settings::Consistency;
pub use cookie::CookieStore;
pub use memory::MemoryStore;
pub use migrate::Migrate;
pub use op::{OnlyIf, Op, Page};

/// A store of records, with three operations: read, write, list.
///
/// A failed read must be an error, never a missing value. A store may keep a value for longer than its `ttl`, but not for less:
/// the session itself checks whether a record has expired.
///
/// ```
/// use edge_session::Result;
/// use edge_session::store::{Op, Page, StorageKey, Store, WriteOutcome};
///
/// /// Stores nothing: each request starts a new session.
/// struct Nowhere;
///
/// impl Store for Nowhere {
///     async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
///         Ok(vec![None; keys.len()])
///     }
///     async fn write(&self, _ops: Vec<Op>) -> Result<WriteOutcome> {
///         Ok(WriteOutcome::All)
///     }
///     async fn list(&self, _prefix: &str, _cursor: Option<&str>) -> Result<Page> {
///         Ok(Page::default())
///     }
/// }
/// ```
#[allow(async_fn_in_trait, reason = "a Worker has one thread, and its promises cannot leave it")]
pub trait Store {
    /// Returns the values under `keys`, in their order. A store should read them concurrently.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`](crate::Error::unavailable) if any of them could not be read.
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>>;

    /// Applies `ops` in order, up to the first whose condition does not hold.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`](crate::Error::unavailable) if one failed. Those after it must not be applied then.
    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome>;

    /// Returns what the store guarantees, which selects the protocol. [`Consistency::Eventual`] by default.
    fn consistency(&self) -> Consistency {
        Consistency::Eventual
    }

    /// Waits for this many milliseconds, before a retry. A store without a timer returns at once.
    async fn wait(&self, _milliseconds: u64) {}

    /// Returns whether the store removes values by itself once their `ttl` has passed, as Workers KV does.
    /// [`clear_expired`](crate::Sessions::clear_expired) then lists nothing.
    fn expires_records(&self) -> bool {
        false
    }

    /// Returns the isolate memory of this store. By default, each [`Sessions`](crate::Sessions) has a memory of its own.
    fn memory(&self) -> IsolateMemory {
        IsolateMemory::default()
    }

    /// Deletes values with a prefix and a deadline before `before`, in microseconds of Unix time: at most `limit` of them. Returns
    /// their number; a smaller number than `limit` means that none is left. `None`, the default, if the store has no index of the
    /// deadlines: [`clear_expired`](crate::Sessions::clear_expired) then lists the keys.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`](crate::Error::unavailable) if the store failed.
    async fn delete_expired(&self, _prefix: &str, _before: i64, _limit: usize) -> Result<Option<usize>> {
        Ok(None)
    }

    /// Returns one page of the keys that begin with `prefix`, in any stable order.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`](crate::Error::unavailable) if it could not be listed.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page>;
}

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// All operations were applied.
    All,
    /// A condition did not hold. Neither that operation nor those after it were applied.
    Conflict,
}
