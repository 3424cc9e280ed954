//! The operations on a store, and what a list of keys is.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::session::storage_key::StorageKey;

/// One change to a store. `Debug` shows how long a value is, not what it is.
#[derive(Clone, PartialEq, Eq)]
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
