//! Where sessions are kept: the trait that a store implements, and the operations on it.

mod memory;
mod op;

use alloc::vec::Vec;

use crate::error::Result;
use crate::protocol::isolate::IsolateMemory;
use crate::session::storage_key::StorageKey;

pub use memory::MemoryStore;
pub use op::{OnlyIf, Op, Page};

/// A place where records live. Small on purpose: read, write, list.
///
/// A failed read is an error, never a missing value. Whether a value has expired is judged by the session, not by the
/// store: a store may keep a value for longer than its `ttl`, never for less.
///
/// ```
/// use edge_session::{Op, Page, Result, Store, StorageKey, Written};
///
/// /// Forgets everything: each visitor is a new one.
/// struct Nowhere;
///
/// impl Store for Nowhere {
///     async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
///         Ok(vec![None; keys.len()])
///     }
///     async fn write(&self, _ops: Vec<Op>) -> Result<Written> {
///         Ok(Written::All)
///     }
///     async fn list(&self, _prefix: &str, _cursor: Option<&str>) -> Result<Page> {
///         Ok(Page::default())
///     }
/// }
/// ```
#[allow(async_fn_in_trait, reason = "a Worker has one thread, and its promises cannot leave it")]
pub trait Store {
    /// The values under `keys`, in their order: all at once, where the store can.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`] where any of them could not be read.
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>>;

    /// Applies `ops` in order, up to the first whose condition does not hold.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`] where one failed; those after it must not be applied then.
    async fn write(&self, ops: Vec<Op>) -> Result<Written>;

    /// Waits for so many milliseconds, before something that the store refused is tried once more. A store that knows no time
    /// returns at once.
    async fn wait(&self, _milliseconds: u64) {}

    /// Whether the store removes values by itself once their `ttl` has passed, as Workers KV does.
    /// [`clear_expired`](crate::Sessions::clear_expired) then has nothing to do and lists nothing.
    fn expires_records(&self) -> bool {
        false
    }

    /// The memory of this isolate for this store. The default is a memory of its own for each [`Sessions`](crate::Sessions).
    fn memory(&self) -> IsolateMemory {
        IsolateMemory::default()
    }

    /// One page of the keys that begin with `prefix`, in any order that stays.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`] where it could not be listed.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page>;
}

/// What a store did with a list of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It applied all of them.
    All,
    /// A condition did not hold; neither this operation nor those after it were applied.
    Conflict,
}
