//! What a session holds: its data, or the store's answer that will decide what they are.

use alloc::string::String;
use super::data::Data;
use super::record::Record;

/// What a read of the store came to.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// There was no key to read.
    NoKey,
    /// A record, live or not: that is judged when somebody looks.
    Record(Record),
    /// Nothing stands under the key.
    Unknown,
    /// Something stands there that is no record.
    Corrupt,
    /// A newer version of this crate wrote it; it is left alone, and so is the cookie.
    Newer,
    /// The store did not answer; what it said.
    Unavailable(String),
}

/// The data, or what will decide what they are.
#[derive(Debug)]
pub(crate) enum Contents {
    Unloaded(Fetched),
    Loaded(Data),
}
