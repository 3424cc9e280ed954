//! The operations that read and write, without I/O: for those who run sessions on another platform, or in another way, than
//! [`Sessions`](crate::Sessions).
//!
//! Each operation is a state machine. `step(reply)` returns what to do next, and its driver does it and returns with the reply. Every
//! operation has the same shape: an enum of states with the attempt inside, one `step`, an absorbing failed state, and at the head of its
//! file a table of states and replies with what is guaranteed after each write.
//!
//! A driver runs one operation on a session at a time, and keeps one [`IsolateMemory`](crate::IsolateMemory) for all sessions of a store.
//! It tells the session the time: [`Session::set_now`](crate::Session::set_now) before an operation, and
//! [`Session::tick`](crate::Session::tick) before each reply. Afterwards it takes the session's
//! [events](crate::Session::next_event).
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::Arc;
//!
//! use chrono::DateTime;
//! use edge_session::protocol::{Commit, Load, Reply, Step, session_from_cookie_header};
//! use edge_session::{IsolateMemory, Op, Session, Settings};
//!
//! /// Carries out what an operation asks for, on a map.
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
pub(crate) mod flush;
mod freshness;
pub(crate) mod headers;
pub(crate) mod isolate;
pub(crate) mod load;
mod revoke;
pub(crate) mod save;
pub(crate) mod sweep;

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

/// What a state machine wants next.
#[derive(Debug)]
pub enum Step<T> {
    /// Read these keys at once.
    Read(Vec<StorageKey>),
    /// List what begins with `prefix`, from `cursor` on.
    List {
        /// What the keys begin with.
        prefix: String,
        /// What the page before it returned; `None` for the first one.
        cursor: Option<String>,
    },
    /// Apply these operations, in order.
    Write(Vec<Op>),
    /// Wait for so many milliseconds.
    Wait(u64),
    /// The end.
    Done(T),
}

impl<T> Step<T> {
    /// The same step with another end.
    pub fn map<U>(self, end: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Read(keys) => Step::Read(keys),
            Self::List { prefix, cursor } => Step::List { prefix, cursor },
            Self::Write(ops) => Step::Write(ops),
            Self::Wait(milliseconds) => Step::Wait(milliseconds),
            Self::Done(result) => Step::Done(end(result)),
        }
    }
}

/// What came of the last step.
#[derive(Debug)]
pub enum Reply {
    /// There was none yet.
    Start,
    /// The values that were read, in the order of the keys.
    Values(Vec<Option<Vec<u8>>>),
    /// One page of a list.
    Page(Page),
    /// Everything was written.
    Written,
    /// The time has passed.
    Waited,
    /// A condition did not hold, and from there on nothing was written.
    Conflict,
    /// The store could not be reached, or refused. Nothing is known about what it holds.
    Unavailable(Error),
}
