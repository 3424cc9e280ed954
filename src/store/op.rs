//! The operations on a store, and a page of a list.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::session::storage_key::StorageKey;

/// One write to a store. `Debug` shows the length of a value, not its bytes.
#[derive(Clone, PartialEq, Eq)]
pub enum Op {
    /// Put a value under a key.
    Put {
        /// The storage key.
        key: StorageKey,
        /// The value: opaque bytes.
        value: Vec<u8>,
        /// How long the store must keep the value, in seconds. It may keep it longer.
        ttl: u64,
        /// The deadline of the value, in microseconds of Unix time. A list should return it.
        deadline: i64,
        /// The generation of the value: larger than that of the value it replaces. A store with conditional puts keeps it.
        generation: u32,
        /// The condition of the put.
        only_if: OnlyIf,
    },
    /// Delete the value under a key, if there is one.
    Delete {
        /// The storage key.
        key: StorageKey,
    },
}

impl Op {
    /// Returns the storage key that is written or deleted.
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

/// The condition of a [put](Op::Put). A store with [eventual](crate::store::Consistency::Eventual) consistency, such as KV, may
/// ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnlyIf {
    /// Always.
    Any,
    /// Only if the key has no value.
    Absent,
    /// Only if the value under the key has this generation.
    Generation(u32),
}

impl OnlyIf {
    /// Returns whether the condition holds for a key with a value of this generation; `None` if it has no value.
    ///
    /// ```
    /// use edge_session::store::OnlyIf;
    ///
    /// assert!(OnlyIf::Absent.holds(None));
    /// assert!(!OnlyIf::Generation(3).holds(Some(4)));
    /// ```
    #[must_use]
    pub fn holds(self, stored: Option<u32>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => stored.is_none(),
            Self::Generation(generation) => stored == Some(generation),
        }
    }
}

/// One page of a list of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys, each with the deadline of its put, if it is known.
    pub entries: Vec<(StorageKey, Option<i64>)>,
    /// The start of the next page; `None` on the last one. An empty page need not be the last.
    pub cursor: Option<String>,
}
