//! Where sessions are kept: the trait that a store implements, and the driver that carries out the protocol's steps on it.

mod memory;
mod model;

use crate::error::{Error, Result};
use crate::protocol::isolate::IsolateMemory;
use crate::protocol::{Op, Page, Reply, Step};
use crate::session::key::StorageKey;
use alloc::vec::Vec;

pub use memory::MemoryStore;
pub use model::{Fault, KvLocation, KvModel, KvModelOptions, Landed, Operation, OperationCounts, OperationKind, Task};

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

/// Carries out what a state machine asks for, until it is done.
pub(crate) async fn drive<S: Store, T>(store: &S, mut step: impl FnMut(Reply) -> Step<T>) -> T {
    let mut reply = Reply::Start;
    loop {
        let answer: Result<Reply, Error> = match step(reply) {
            Step::Read(keys) => store.read(&keys).await.map(Reply::Values),
            Step::List { prefix, cursor } => store.list(&prefix, cursor.as_deref()).await.map(Reply::Page),
            Step::Write(ops) => store.write(ops).await.map(|written| match written {
                Written::All => Reply::Written,
                Written::Conflict => Reply::Conflict,
            }),
            Step::Wait(milliseconds) => {
                store.wait(milliseconds).await;
                Ok(Reply::Waited)
            }
            Step::Done(result) => return result,
        };
        reply = answer.unwrap_or_else(Reply::Unavailable);
    }
}
