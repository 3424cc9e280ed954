//! The operations that read and write: each is a state machine without I/O.
//!
//! `step(reply)` returns what to do next, and a [driver](crate::store) does it and returns with the reply. Every operation has the
//! same shape: an enum of states with the attempt inside, one `step`, an absorbing failed state, and at the head of its file a
//! table of states and replies with what is guaranteed after each write.

pub(crate) mod caching;
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
use core::fmt;

use crate::error::Error;
use crate::session::key::StorageKey;

/// What a state machine wants next.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// Read these keys at once.
    Read(Vec<StorageKey>),
    /// List what begins with `prefix`, from `cursor` on.
    List { prefix: String, cursor: Option<String> },
    /// Apply these operations, in order.
    Write(Vec<Op>),
    /// Wait for so many milliseconds.
    Wait(u64),
    /// The end.
    Done(T),
}

impl<T> Step<T> {
    /// The same step with another end.
    pub(crate) fn map<U>(self, end: impl FnOnce(T) -> U) -> Step<U> {
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
pub(crate) enum Reply {
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

/// One change to a store. `Debug` shows how long a value is, not what it is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Put a value under a key.
    Put {
        /// Where.
        key: StorageKey,
        /// What: opaque bytes, for the store.
        value: Vec<u8>,
        /// Seconds, from now, that the store must keep it; it may keep it longer.
        ttl: u64,
        /// When the value is over, in microseconds of Unix time; a list has to tell it again.
        deadline: i64,
        /// The condition.
        only_if: OnlyIf,
    },
    /// Remove what is under a key, if there is something.
    Delete {
        /// Where.
        key: StorageKey,
    },
}

impl Op {
    /// The storage key that is written or deleted.
    pub(crate) const fn key(&self) -> &StorageKey {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value, ttl, .. } => {
                let bytes = value.len();
                f.debug_struct("Put").field("key", key).field("bytes", &bytes).field("ttl", ttl).finish_non_exhaustive()
            }
            Self::Delete { key } => f.debug_struct("Delete").field("key", key).finish(),
        }
    }
}

/// The condition of a [put](Op::Put). A store without compare-and-set, such as KV, puts anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnlyIf {
    /// Whatever stands there.
    Any,
    /// Only where nothing stands.
    Absent,
}

/// One page of a list of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys, each with the deadline that it was put with, if it is known.
    pub entries: Vec<(StorageKey, Option<i64>)>,
    /// From where the list goes on; `None` at its end. An empty page need not be the end.
    pub cursor: Option<String>,
}
