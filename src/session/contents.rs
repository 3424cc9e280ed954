//! What a session holds: its data, or the store's answer that will decide what they are.

use super::data::Data;
use super::record::Record;
use crate::error::Error;

/// What a read of the store came to.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// There was no key to read.
    NoKey,
    /// A record, live or not: that is judged when somebody looks.
    Record(Record),
    /// Nothing stands under the key.
    Unknown,
    /// Nothing stands under the key yet, for all that its token says.
    NotYetVisible,
    /// The key has ended. Its cookie is left alone: a newer one may have taken its place meanwhile.
    Revoked,
    /// Something stands there that is no record.
    Corrupt,
    /// A newer version of this crate wrote it; it is left alone, and so is the cookie.
    Newer,
    /// The store did not answer; what it said.
    Unavailable(Error),
}

/// The data, or what will decide what they are.
#[derive(Debug)]
pub(crate) enum Contents {
    Unloaded(Fetched),
    Loaded(Data),
}
