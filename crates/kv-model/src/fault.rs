//! What can go wrong with one operation, and which operation it is.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What an operation does.
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
    /// What it does.
    pub kind: OperationKind,
    /// The location that asks.
    pub location: &'a str,
    /// The key, or the prefix of a list.
    pub key: &'a str,
    /// When it begins, in virtual time.
    pub at: Duration,
}

/// What goes wrong with an operation. One that does not fit the operation's kind changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Any: it fails with this HTTP status, and is not applied. KV's are 400, 413, 414, 429, 500 and 503; an expired cursor
    /// is a 400.
    Status(u16),
    /// Any: it is never answered, and not applied.
    Hang,
    /// Any: it takes this long.
    Slow(Duration),
    /// Put and delete: it is applied, and fails with this status all the same.
    AppliedButFailed(u16),
    /// Put and delete: it fails, and is applied so much later, over whatever was written meanwhile.
    Late(Duration),
    /// Get: nothing is there.
    Missing,
    /// Get: the value that stood there so many writes before the newest one, as far as the model remembers.
    Stale(usize),
    /// Get: the newest value, though it has expired.
    Expired,
    /// Get: only so many of the value's bytes.
    Truncated(usize),
    /// Get: the value with this bit flipped, counted from its beginning, round its length.
    FlippedBit(usize),
    /// Get: these bytes instead: nothing, other JSON, no text at all, too many.
    Replaced(Vec<u8>),
    /// Get: the value of another key.
    OfKey(String),
    /// List: a page without keys that is not the last.
    EmptyPage,
}

/// What the store came to hold: a put or a delete that was applied just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landed<'a> {
    /// Where it was made.
    pub location: &'a str,
    /// The key.
    pub key: &'a str,
    /// What is there now; `None` after a delete.
    pub value: Option<&'a [u8]>,
    /// When, in virtual time.
    pub at: Duration,
}

/// How many operations were begun.
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
