//! The operations on a store as state machines without I/O, for platforms and drivers other than [`Sessions`](crate::Sessions).
//!
//! `step(reply)` returns the next I/O request; the driver carries it out and calls `step` with the reply. Each operation has an
//! enum of states, which contain the attempt, one `step`, and an absorbing failed state. The head of its file is a table of
//! states and replies, with the guarantee after each write.
//!
//! A driver runs one operation on a session at a time, and keeps one [`IsolateMemory`](crate::store::IsolateMemory) for all
//! sessions of a store. It sets the session's clock: [`Session::set_now`](crate::Session::set_now) before an operation, and
//! [`Session::tick`](crate::Session::tick) before each reply. Afterwards it drains the session's
//! [events](crate::Session::next_event).
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::Arc;
//!
//! use chrono::DateTime;
//! use edge_session::protocol::{Commit, Load, Reply, Step, session_from_cookie_header};
//! use edge_session::{Session, Settings};
//! use edge_session::store::{IsolateMemory, Op};
//!
//! /// Runs an operation on a map.
//! fn drive<T>(store: &mut HashMap<String, Vec<u8>>, mut step: impl FnMut(Reply) -> Step<T>) -> T {
//!     let mut reply = Reply::Start;
//!     loop {
//!         reply = match step(reply) {
//!             Step::Read(keys) => Reply::Values(keys.iter().map(|key| store.get(key.as_str()).cloned()).collect()),
//!             Step::Write(ops) => {
//!                 for op in ops {
//!                     match op {
//!                         Op::Put { key, value, .. } => _ = store.insert(key.as_str().to_owned(), value),
//!                         Op::Delete { key } => _ = store.remove(key.as_str()),
//!                     }
//!                 }
//!                 Reply::Written
//!             }
//!             Step::Wait(_) => Reply::Waited,
//!             Step::List { .. } => Reply::Page(Default::default()),
//!             Step::Done(result) => return result,
//!         };
//!     }
//! }
//!
//! let settings = Arc::new(Settings::builder(["a secret of at least thirty-two bytes"]).build()?);
//! let (mut store, memory) = (HashMap::new(), IsolateMemory::default());
//! let (now, seed) = (DateTime::from_timestamp(1_893_456_000, 0).unwrap(), [7; 32]); // 32 random bytes for each session
//! let mut session = session_from_cookie_header(settings, now, seed, b"");
//! let mut load = Load::default();
//! drive(&mut store, |reply| load.step(&mut session, &memory, reply));
//! session.set("user", "alice")?;
//! let mut commit = Commit::new(200);
//! let headers = drive(&mut store, |reply| commit.step(&mut session, &memory, reply))?;
//! assert!(headers.set_cookie().unwrap().starts_with("__Host-sessionid-anonymous="));
//! assert_eq!(store.len(), 1);
//! # Ok::<(), edge_session::Error>(())
//! ```

pub mod caching;
pub(crate) mod commit;
pub(crate) mod delete;
mod enlist;
mod eventual;
pub(crate) mod flush;
mod freshness;
pub(crate) mod headers;
mod linearizable;
pub(crate) mod load;
mod revoke;
pub(crate) mod save;
mod sealing;
pub(crate) mod sweep;
pub(crate) mod user_sessions;

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::session::storage_key::StorageKey;
use crate::store::{Op, Page};

pub use commit::Commit;
pub use delete::Delete;
pub use flush::Flush;
pub use load::{Load, session_from_cookie_header, session_of_key};
pub use save::Save;
pub use sweep::Sweep;
pub use user_sessions::{UserCall, UserOutcome, UserSessions};

pub use crate::session::stored_data::{StoredData, record_members};

/// The maximum number of keys that a step reads.
pub const MAX_READ: usize = 48;

/// The next I/O request of an operation, or its result.
#[derive(Debug)]
pub enum Step<T> {
    /// Read these keys at once.
    Read(Vec<StorageKey>),
    /// List the keys that begin with `prefix`, from `cursor` on.
    List {
        /// The prefix of the keys.
        prefix: String,
        /// The cursor of the previous page; `None` for the first one.
        cursor: Option<String>,
    },
    /// Apply these operations, in order.
    Write(Vec<Op>),
    /// Wait for this many milliseconds.
    Wait(u64),
    /// The operation is done, with this result.
    Done(T),
}

impl<T> Step<T> {
    /// Converts the result.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Read(keys) => Step::Read(keys),
            Self::List { prefix, cursor } => Step::List { prefix, cursor },
            Self::Write(ops) => Step::Write(ops),
            Self::Wait(milliseconds) => Step::Wait(milliseconds),
            Self::Done(result) => Step::Done(convert(result)),
        }
    }
}

/// The reply to the last step.
#[derive(Debug)]
pub enum Reply {
    /// The reply before the first step.
    Start,
    /// The values of a read, in the order of the keys.
    Values(Vec<Option<Vec<u8>>>),
    /// One page of a list.
    Page(Page),
    /// All operations of a write were applied.
    Written,
    /// The wait is over.
    Waited,
    /// A condition did not hold. Neither that operation nor those after it were applied.
    Conflict,
    /// The store failed or was unreachable. A write may have been applied.
    Unavailable(Error),
}
