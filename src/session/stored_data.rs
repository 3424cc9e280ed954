//! The data of a session as they are stored, for callers that keep them after the session.

use alloc::vec::Vec;

use super::data::Data;
use super::record::{self, Decoded};

/// The data of a session as they are stored: unparsed JSON.
#[derive(Debug)]
pub struct StoredData<'session>(&'session Data);

impl<'session> StoredData<'session> {
    pub(super) const fn new(data: &'session Data) -> Self {
        Self(data)
    }

    /// Returns quoted keys and JSON texts, in insertion order. They are not validated.
    pub fn members(&self) -> impl Iterator<Item = (&'session [u8], &'session [u8])> {
        self.0.members()
    }

    /// Returns the record that the session was loaded from, unsealed. It is empty if there was none.
    #[must_use]
    pub fn record(&self) -> &'session [u8] {
        self.0.record()
    }

    /// Returns whether the data are those of the record, without a change.
    #[must_use]
    pub fn is_record(&self) -> bool {
        self.0.are_those_of_record()
    }
}

/// Calls `each` with the quoted keys and JSON texts of a record, as [`StoredData::members`] returns them. Returns false if the bytes are no
/// record.
pub fn record_members(record: Vec<u8>, mut each: impl FnMut(&[u8], &[u8])) -> bool {
    let Decoded::Record(record) = record::decode(record) else { return false };
    record.data.members().for_each(|(key, value)| each(key, value));
    true
}
