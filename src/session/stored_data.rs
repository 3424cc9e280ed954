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
///
/// ```
/// # use edge_session::{MemoryStore, Sessions, Settings};
/// use edge_session::protocol::record_members;
///
/// # pollster::block_on(async {
/// # let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
/// # let sessions = Sessions::new(MemoryStore::default(), settings);
/// # let mut session = sessions.new_session()?;
/// session.set("user", "alice")?;
/// sessions.save(&mut session).await?;
/// # let key = session.session_key().unwrap().as_str().to_owned();
/// # let mut session = sessions.open(&key).await?;
/// let record = session.stored_data()?.record().to_vec();
/// let mut members = Vec::new();
/// assert!(record_members(record, |key, value| members.push([key.to_vec(), value.to_vec()])));
/// assert_eq!(members, [[b"\"user\"".to_vec(), b"\"alice\"".to_vec()]]);
/// assert!(!record_members(b"no record".to_vec(), |_, _| ()));
/// # Ok::<(), edge_session::Error>(()) }).unwrap();
/// ```
pub fn record_members(record: Vec<u8>, mut each: impl FnMut(&[u8], &[u8])) -> bool {
    let Decoded::Record(record) = record::decode(record) else { return false };
    record.data.members().for_each(|(key, value)| each(key, value));
    true
}
