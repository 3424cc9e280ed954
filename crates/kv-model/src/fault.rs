//! Operations on the model, and their faults.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// Reads one key.
    Get,
    /// Writes one key.
    Put,
    /// Removes one key.
    Delete,
    /// Lists keys.
    List,
}

/// An operation that is about to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    /// Its kind.
    pub kind: OperationKind,
    /// The name of the location.
    pub location: &'a str,
    /// The key, or the prefix of a list.
    pub key: &'a str,
    /// Its virtual time.
    pub at: Duration,
}

/// A fault of an operation. A fault that does not fit the kind of the operation has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Any: it fails with this HTTP status, and is not applied. KV returns 400, 413, 414, 429, 500 and 503; for an expired cursor
    /// 400.
    Status(u16),
    /// Any: it is never answered, and not applied.
    Hang,
    /// Any: it takes this long.
    Slow(Duration),
    /// Put and delete: it is applied, but fails with this status.
    AppliedButFailed(u16),
    /// Put and delete: it fails, and is applied later by this duration, over writes made meanwhile.
    Late(Duration),
    /// Get: the key has no value.
    Missing,
    /// Get: the value of this many writes before the newest one, if the model still has it.
    Stale(usize),
    /// Get: the newest value, even if it has expired.
    Expired,
    /// Get: only this many bytes of the value.
    Truncated(usize),
    /// Get: the value with this bit flipped, modulo its length.
    FlippedBit(usize),
    /// Get: these bytes instead.
    Replaced(Vec<u8>),
    /// Get: the value of another key.
    OfKey(String),
    /// List: an empty page that is not the last one.
    EmptyPage,
}

/// A put or a delete that was just applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedWrite<'a> {
    /// The name of the location that made it.
    pub location: &'a str,
    /// The key.
    pub key: &'a str,
    /// The new value; `None` after a delete.
    pub value: Option<&'a [u8]>,
    /// Its virtual time.
    pub at: Duration,
}

/// The number of operations that were begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationCounts {
    /// Keys read.
    pub gets: u64,
    /// Keys written.
    pub puts: u64,
    /// Keys removed.
    pub deletes: u64,
    /// Pages listed.
    pub lists: u64,
}

impl OperationCounts {
    pub(super) const fn count(&mut self, kind: OperationKind) {
        let counter = match kind {
            OperationKind::Get => &mut self.gets,
            OperationKind::Put => &mut self.puts,
            OperationKind::Delete => &mut self.deletes,
            OperationKind::List => &mut self.lists,
        };
        *counter = counter.saturating_add(1);
    }
}
